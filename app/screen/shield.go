package screen

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
)

// shield is a surface that takes the taps which meet no button.
type shield struct {
	widget.BaseWidget
	veil  *canvas.Rectangle
	onTap func() // nil = swallow

	cursor func() desktop.Cursor // over it and what lies on it; nil = the desktop's
}

var _ fyne.Tappable = (*shield)(nil)

func newShield(veil *canvas.Rectangle, onTap func()) *shield {
	s := &shield{veil: veil, onTap: onTap}
	s.ExtendBaseWidget(s)
	return s
}

// Tapped takes the tap.
func (s *shield) Tapped(*fyne.PointEvent) {
	if s.onTap != nil {
		s.onTap()
	}
}

// CreateRenderer is called by the toolkit.
func (s *shield) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(s.veil) }
