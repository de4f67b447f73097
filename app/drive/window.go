package drive

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// Window is one program's window on a Display.
type Window struct {
	ID    uint32
	Title string
}

// atoms are the names of the window properties read here.
type atoms struct{ netWMName, utf8String xproto.Atom }

func internAtoms(conn *xgb.Conn) (atoms, error) {
	var a atoms
	for name, to := range map[string]*xproto.Atom{"_NET_WM_NAME": &a.netWMName, "UTF8_STRING": &a.utf8String} {
		reply, err := xproto.InternAtom(conn, false, uint16(len(name)), name).Reply()
		if err != nil {
			return atoms{}, fmt.Errorf("name the window property %s: %w", name, ended(err))
		}
		*to = reply.Atom
	}
	return a, nil
}

// maxDepth bounds the search for windows: a window manager puts a frame or two
// between the screen and a program's window.
const maxDepth = 4

// Windows lists the windows that are shown and have a title, lowest first.
func (d *Display) Windows() ([]Window, error) {
	windows, err := d.windowsUnder(d.screen.Root, maxDepth)
	if err != nil {
		return nil, fmt.Errorf("list windows: %w", err)
	}
	return windows, nil
}

func (d *Display) windowsUnder(parent xproto.Window, depth int) ([]Window, error) {
	tree, err := xproto.QueryTree(d.conn, parent).Reply()
	if err != nil {
		return nil, ignoreVanished(err)
	}
	var windows []Window
	for _, id := range tree.Children {
		attr, err := xproto.GetWindowAttributes(d.conn, id).Reply()
		if err != nil {
			if err := ignoreVanished(err); err != nil {
				return nil, err
			}
			continue
		}
		if attr.MapState != xproto.MapStateViewable || attr.Class != xproto.WindowClassInputOutput {
			continue
		}
		title, err := d.title(id)
		if err != nil {
			return nil, err
		}
		if title != "" {
			windows = append(windows, Window{ID: uint32(id), Title: title})
			continue
		}
		if depth > 1 {
			inner, err := d.windowsUnder(id, depth-1)
			if err != nil {
				return nil, err
			}
			windows = append(windows, inner...)
		}
	}
	return windows, nil
}

// title is a window's title, "" when it has none or has just gone.
func (d *Display) title(id xproto.Window) (string, error) {
	for _, p := range []struct{ name, kind xproto.Atom }{
		{d.atoms.netWMName, d.atoms.utf8String},
		{xproto.AtomWmName, xproto.AtomString},
	} {
		reply, err := xproto.GetProperty(d.conn, false, id, p.name, p.kind, 0, 256).Reply()
		if err != nil {
			return "", ignoreVanished(err)
		}
		if len(reply.Value) > 0 {
			return string(reply.Value), nil
		}
	}
	return "", nil
}

// ignoreVanished forgives a window that went away while we looked at it.
func ignoreVanished(err error) error {
	var gone xproto.WindowError
	if errors.As(err, &gone) {
		return nil
	}
	return ended(err)
}

// WaitWindow waits until a window with the title is shown.
func (d *Display) WaitWindow(ctx context.Context, title string) (Window, error) {
	tick := time.NewTicker(windowPoll)
	defer tick.Stop()
	for {
		windows, err := d.Windows()
		if err != nil {
			return Window{}, fmt.Errorf("wait for window %q: %w", title, err)
		}
		for _, w := range windows {
			if w.Title == title {
				return w, nil
			}
		}
		select {
		case <-ctx.Done():
			return Window{}, fmt.Errorf("wait for window %q: %w", title, ctx.Err())
		case <-tick.C:
		}
	}
}

// Bounds is where a window's contents are on the screen, in pixels; they may
// reach beyond it.
func (d *Display) Bounds(w Window) (image.Rectangle, error) {
	id := xproto.Window(w.ID)
	geometry, err := xproto.GetGeometry(d.conn, xproto.Drawable(id)).Reply()
	if err != nil {
		return image.Rectangle{}, fmt.Errorf("measure window %q: %w", w.Title, ended(err))
	}
	at, err := xproto.TranslateCoordinates(d.conn, id, d.screen.Root, 0, 0).Reply()
	if err != nil {
		return image.Rectangle{}, fmt.Errorf("locate window %q: %w", w.Title, ended(err))
	}
	corner := image.Pt(int(at.DstX), int(at.DstY))
	return image.Rectangle{Min: corner, Max: corner.Add(image.Pt(int(geometry.Width), int(geometry.Height)))}, nil
}

// Focus gives the keyboard to a window, as a window manager would: a private X
// server has none.
func (d *Display) Focus(w Window) error {
	err := xproto.SetInputFocusChecked(d.conn, xproto.InputFocusPointerRoot, xproto.Window(w.ID), xproto.TimeCurrentTime).Check()
	if err != nil {
		return fmt.Errorf("give the keyboard to window %q: %w", w.Title, ended(err))
	}
	return nil
}
