package screen

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"
	"sync/atomic"

	"fyne.io/fyne/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// Displays are the station's two windows, the student's and the operator's
// console. Both follow the same views and show the very same live picture, which
// is decoded once. When one of the monitors goes, the other window serves
// everybody until it is back.
type Displays struct {
	student, console *Window
	alone            atomic.Pointer[Window] // the only one that is seen; nil = both are
}

// NewDisplays makes the two windows; of console, only Size, Position, Title and
// Fullscreen are read. Main goroutine, before the app runs.
func NewDisplays(app fyne.App, student, console Options) (*Displays, error) {
	second := student
	second.Size, second.Position, second.Fullscreen, second.Title = console.Size, console.Position, console.Fullscreen, console.Title
	student.Role, second.Role = RoleStudent, RoleConsole
	d := &Displays{}
	var err error
	if d.student, err = New(app, student); err != nil {
		return nil, fmt.Errorf("the student's window: %w", err)
	}
	if d.console, err = New(app, second); err != nil {
		return nil, fmt.Errorf("the console: %w", err)
	}
	c, ok := d.console.console.(*consolePage)
	if !ok {
		return nil, errors.New("the console: no such screen")
	}
	d.student.peer, d.console.peer = d.console, d.student
	d.student.preview.also(c.live, c.reshape)
	return d, nil
}

// Open puts both windows on their monitors without running the app. Main
// goroutine.
func (d *Displays) Open() {
	d.student.Open()
	d.console.Open()
}

// ShowAndRun puts both on their monitors and runs the app until Close. Main
// goroutine.
func (d *Displays) ShowAndRun() {
	d.console.Open()
	d.student.ShowAndRun()
}

// Close takes both away for good, which ends ShowAndRun. Any goroutine.
func (d *Displays) Close() {
	d.console.Close()
	d.student.Close()
}

// Responds waits until the interface goroutine, which both windows share, has
// come round; false when ctx ends before. Any goroutine but that one.
func (d *Displays) Responds(ctx context.Context) bool { return d.student.Responds(ctx) }

// Prepare is [Window.Prepare] of both.
func (d *Displays) Prepare(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { d.student.Prepare(ctx) })
	both.Go(func() { d.console.Prepare(ctx) })
	both.Wait()
}

// Show makes v the visible view of both. Any goroutine; never blocks.
func (d *Displays) Show(v booth.View) {
	d.student.Show(v)
	d.console.Show(v)
}

// feeding is the window whose live picture is asked for now.
func (d *Displays) feeding() *Window {
	if w := d.alone.Load(); w != nil {
		return w
	}
	if d.console.feeding.Load() == d.console.ui.aim {
		return d.console
	}
	return d.student
}

// PreviewSize is the size in pixels that a live frame should have now.
func (d *Displays) PreviewSize() (width, height int) { return d.feeding().PreviewSize() }

// Buffer lends a picture of that size.
func (d *Displays) Buffer(width, height int) *image.RGBA { return d.feeding().Buffer(width, height) }

// Offer shows a picture from Buffer: in both windows, where both have the mirror.
func (d *Displays) Offer(img *image.RGBA, seq uint64) {
	for _, w := range []*Window{d.student, d.console} {
		if w.preview.owns(img) || w.ui.aim.owns(img) {
			w.Offer(img, seq)
			return
		}
	}
	d.feeding().Offer(img, seq)
}

// Still is Offer of the frame that was taken, at which the mirror stops.
func (d *Displays) Still(img *image.RGBA, seq uint64) {
	if d.console.preview.owns(img) {
		d.console.Still(img, seq)
		return
	}
	d.student.Still(img, seq)
}

// Count is how many frames were put on either screen.
func (d *Displays) Count() uint64 { return d.student.Count() + d.console.Count() }

// Shown is the number of the frame that the student sees; 0 = none.
func (d *Displays) Shown() uint64 {
	if w := d.alone.Load(); w != nil {
		return w.Shown()
	}
	return d.student.Shown()
}

// Place follows the monitors: where each window belongs, in pixels of the desktop;
// an empty area = its monitor is gone, and the other window serves everybody until
// it is back. With both gone nothing is changed. Any goroutine.
func (d *Displays) Place(student, console image.Rectangle) {
	fyne.Do(func() {
		switch {
		case student.Empty() && console.Empty():
		case student.Empty():
			d.only(d.console, d.student)
			d.console.move(console)
		case console.Empty():
			d.only(d.student, d.console)
			d.student.move(student)
		default:
			d.alone.Store(nil)
			d.student.SetRole(RoleStudent)
			d.console.SetRole(RoleConsole)
			d.student.move(student)
			d.console.move(console)
			d.student.win.Show()
			d.console.win.Show()
		}
	})
}

// only leaves one window. Interface goroutine.
func (d *Displays) only(w, other *Window) {
	w.SetRole(RoleShared)
	d.alone.Store(w)
	other.preview.Clear()
	other.win.Hide()
}

// Targets lists what is visible on either window, the console's with their place
// seen from the student's corner and "console/" before their names.
func (d *Displays) Targets() []Target {
	if w := d.alone.Load(); w != nil {
		return w.Targets()
	}
	list := d.student.Targets()
	off := d.console.at.Sub(d.student.at)
	for _, t := range d.console.Targets() {
		t.ID, t.X, t.Y = "console/"+t.ID, t.X+off.X, t.Y+off.Y
		list = append(list, t)
	}
	return list
}
