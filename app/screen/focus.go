package screen

import (
	"cmp"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// Everything that a finger can press, a keyboard can: Tab and Shift+Tab walk over
// the buttons in reading order with a thick ring, Enter presses the one it is on.
// The ring is there only after a Tab, so that Enter means what it meant for a
// scanner and for those who never touch Tab.

// unfocus takes the ring away.
func (u *ui) unfocus() {
	if b := u.focus; b != nil {
		u.focus = nil
		b.arrange()
	}
}

// focusOn puts the ring on b.
func (u *ui) focusOn(b *button) {
	u.unfocus()
	u.focus = b
	b.arrange()
}

// keyDown is the window's input of keys as they go down, Tab among them.
func (w *Window) keyDown(e *fyne.KeyEvent) {
	switch e.Name {
	case desktop.KeyShiftLeft, desktop.KeyShiftRight:
		w.shift = true
	case fyne.KeyTab:
		step := 1
		if w.shift {
			step = -1
		}
		w.walk(step)
	}
}

func (w *Window) keyUp(e *fyne.KeyEvent) {
	if e.Name == desktop.KeyShiftLeft || e.Name == desktop.KeyShiftRight {
		w.shift = false
	}
}

// walk moves the ring by step buttons.
func (w *Window) walk(step int) {
	var list []*button
	for _, p := range w.live() {
		for _, b := range p.buttons {
			if b.Visible() && b.enabled && b.onTap != nil && b.look != lookBare {
				list = append(list, b)
			}
		}
	}
	if len(list) == 0 {
		return
	}
	slices.SortStableFunc(list, func(a, b *button) int {
		// Buttons of one row need not begin at quite the same height.
		const row = 20
		pa, pb := a.Position(), b.Position()
		if d := pa.Y - pb.Y; d < -row*w.ui.k || d > row*w.ui.k {
			return cmp.Compare(pa.Y, pb.Y)
		}
		return cmp.Compare(pa.X, pb.X)
	})
	at := slices.Index(list, w.ui.focus)
	switch {
	case at >= 0:
		at = (at + step + len(list)) % len(list)
	case step > 0:
		at = 0
	default:
		at = len(list) - 1
	}
	w.ui.focusOn(list[at])
	if w.view.Warning {
		w.ui.send(booth.Stay{})
	}
}

// pressFocus presses the button under the ring; false when there is none.
func (w *Window) pressFocus() bool {
	b := w.ui.focus
	if b == nil || !b.Visible() || !b.enabled {
		w.ui.unfocus()
		return false
	}
	b.Tapped(nil)
	if b.Visible() && w.ui.focus == nil && b.look == lookKey { // keypads are pressed again and again
		w.ui.focusOn(b)
	}
	return true
}
