package screen

import (
	"image"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
)

// compare is a slider over a finished photo: what the camera saw comes in from
// the right as the line is drawn to the left. A finger anywhere on the photo
// draws it, a touch shows half and all, the arrow keys move it by steps.
//
// At rest the photo is whole and the grip stands beside it, so that not one pixel
// of what will be saved is covered.
type compare struct {
	ui    *ui
	over  *picture // what the camera saw
	sheet *fyne.Container
	clip  *container.Clip
	line  *canvas.Rectangle
	grip  *panel
	signs *sign
	touch *surface
	share float32 // of the photo that is shown; 1 = all of it
	at    rect
}

// compareStep is how far an arrow key moves the line.
const compareStep = 0.1

func newCompare(p *page) *compare {
	c := &compare{ui: p.ui, over: newPicture(), share: 1}
	c.sheet = container.New(shifted{c}, c.over.img)
	c.clip = container.NewClip(c.sheet)
	p.add(c.clip)
	c.line = canvas.NewRectangle(colWhite)
	p.add(c.line)
	c.grip = p.panel(colBrand, colWhite)
	c.signs = p.sign("arrow-left", colWhite)
	c.touch = newSurface(p.ui, c.move, c.toggle)
	p.add(c.touch)
	return c
}

// set takes what the camera saw; nil = there is nothing to compare with.
func (c *compare) set(before image.Image) {
	if before != c.over.src {
		c.share = 1
	}
	c.over.set(before)
	on := c.on()
	setVisible(c.touch, on)
	setVisible(c.grip.bg, on)
	setVisible(c.signs.img, on)
}

func (c *compare) on() bool { return c.over.src != nil }

// move puts the line at a share of the photo's width.
func (c *compare) move(share float32) {
	if !c.on() {
		return
	}
	c.share = min(max(share, 0), 1)
	c.layout(c.at)
	c.touch.ui.ground.Refresh()
}

// step moves the line by arrow key.
func (c *compare) step(by float32) { c.move(float32(math.Round(float64((c.share+by)*20)) / 20)) }

// toggle shows half of each, or all of the photo again.
func (c *compare) toggle() {
	if c.share < 1 {
		c.move(1)
		return
	}
	c.move(0.5)
}

// layout lies over the photo at r.
func (c *compare) layout(r rect) {
	c.at = r
	k := c.ui.k
	x := r.x + r.w*c.share
	place(c.clip, rect{x, r.y, r.w - r.w*c.share, r.h}, k)
	c.sheet.Refresh()
	setVisible(c.clip, c.on() && c.share < 1)
	setVisible(c.line, c.on() && c.share < 1)
	place(c.line, rect{x - 1.5, r.y, 3, r.h}, k)
	const wide, high = 14, 84
	grip := rect{x - wide/2, r.y + (r.h-high)/2, wide, high}
	if c.share == 1 {
		grip.x = r.x + r.w + 1
	}
	place(c.grip.bg, grip, k)
	c.grip.bg.CornerRadius = wide / 2 * k
	place(c.signs.img, grip.centred(12, 12), k)
	place(c.touch, rect{r.x, r.y, r.w + 1 + wide, r.h}, k)
	c.touch.width = r.w * k
}

// shifted lays the whole of what the camera saw under the part that is seen.
type shifted struct{ c *compare }

func (s shifted) Layout(objects []fyne.CanvasObject, _ fyne.Size) {
	k, r := s.c.ui.k, s.c.at
	for _, o := range objects {
		o.Move(fyne.NewPos(-r.w*s.c.share*k, 0))
		o.Resize(fyne.NewSize(r.w*k, r.h*k))
	}
}

func (shifted) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(1, 1) }

// surface is a part of the screen along which a finger is drawn.
type surface struct {
	widget.BaseWidget
	ui    *ui
	width float32 // of a whole draw, in toolkit units
	move  func(share float32)
	tap   func()
}

var (
	_ fyne.Draggable    = (*surface)(nil)
	_ fyne.Tappable     = (*surface)(nil)
	_ desktop.Mouseable = (*surface)(nil)
)

func newSurface(u *ui, move func(float32), tap func()) *surface {
	s := &surface{ui: u, move: move, tap: tap}
	s.ExtendBaseWidget(s)
	return s
}

// Dragged follows the finger.
func (s *surface) Dragged(e *fyne.DragEvent) {
	if s.width > 0 {
		s.move(e.Position.X / s.width)
	}
}

// DragEnd leaves the line where the finger did.
func (s *surface) DragEnd() { s.ui.touched(false) }

// Tapped is a touch without a draw.
func (s *surface) Tapped(*fyne.PointEvent) {
	if s.ui.admitAction(s.ui.clock()) {
		s.tap()
	}
}

// MouseDown and MouseUp tell that something presses.
func (s *surface) MouseDown(*desktop.MouseEvent) { s.ui.touched(true) }

// MouseUp is the other half of MouseDown.
func (s *surface) MouseUp(*desktop.MouseEvent) { s.ui.touched(false) }

// CreateRenderer is called by the toolkit.
func (s *surface) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(canvas.NewRectangle(colClear))
}
