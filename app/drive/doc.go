// Package drive operates a running kiosk as a person at the desk does: it moves
// the real pointer and presses real keys of an X server (XTEST), finds buttons
// by name through the kiosk's automation socket (package remote), and takes
// screenshots of what is really on the screen. `yunzhao demo` and the
// end-to-end tests are written with it.
//
// It must not know what the buttons and states mean beyond their names, must
// not reach into the kiosk's memory, and nothing a kiosk needs in service may
// depend on it.
//
// # Caveats
//
// Only X11 is driven: a kiosk under test runs with DISPLAY set and
// WAYLAND_DISPLAY unset (see Display.Env). The private X server started by
// StartXvfb has no access control beyond the machine's own, so only demo data
// belongs on it.
package drive
