// Package helper runs a camera's driver in a process of its own, so that
// nothing a driver does can take the station down: a crash, a hang, a leak or
// a stream that can never be started again in the same process ends with that
// process, and the supervisor starts another.
//
// The station starts its own program again under the name Name (see Wanted) and
// talks to it over a socket that keeps message boundaries; the frames pass
// through a ring of slots in shared memory, one copy more than in one process.
// Everything the helper says is checked: it may be mad, but it is not believed.
//
//	station                               helper
//	Launcher ── start, kill, reap ──→     Serve
//	   │  request, release ──→  socket  ──→  │
//	   │  ←──  reply, frame, end  ──         Driver ── ioctl ──→ kernel
//	Source ←── copy ── shared slots ←── copy ──┘
//
// Orders of dying: the helper ends when the station does, by the kernel's
// parent-death signal and by the end of the socket; the station ends a helper
// with SIGKILL, always, so that the way out that is needed is the way out that
// is used. The kernel then lets go of the camera before the helper is reaped.
//
// The package knows frames and sources, not V4L2, and it retries nothing.
package helper
