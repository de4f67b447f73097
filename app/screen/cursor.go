package screen

import (
	"time"

	"fyne.io/fyne/v2/driver/desktop"
)

// A touch screen moves the pointer to the finger and presses at once; a mouse
// sends a train of movements with nothing pressed. So the cursor is hidden in a
// kiosk until such a train has come, and again after the next touch.
const (
	mouseTrain = 6                      // movements with nothing pressed that only a mouse makes
	mousePause = 500 * time.Millisecond // longest pause inside a train
)

// pointer tells a mouse from a finger.
type pointer struct {
	hide    bool // in a kiosk; elsewhere the cursor is the desktop's business
	pressed bool
	moves   int
	last    time.Time
}

// touched notes that something presses, or has let go.
func (u *ui) touched(on bool) {
	u.pointer.pressed = on
	u.pointer.moves = 0
}

// moved counts a movement and says which cursor is right.
func (u *ui) moved() desktop.Cursor {
	p := &u.pointer
	if !p.hide {
		return desktop.DefaultCursor
	}
	now := u.clock()
	if !within(now, p.last, mousePause) {
		p.moves = 0
	}
	p.last = now
	if !p.pressed {
		p.moves++
	}
	if p.moves < mouseTrain {
		return desktop.HiddenCursor
	}
	return desktop.DefaultCursor
}

// Cursor is asked by the toolkit at every movement of the pointer: the ground lies
// under everything.
func (s *shield) Cursor() desktop.Cursor {
	if s.cursor == nil {
		return desktop.DefaultCursor
	}
	return s.cursor()
}

var _ desktop.Cursorable = (*shield)(nil)
