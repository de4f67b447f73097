package screen

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"log/slog"
	"math"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/assets/icons"
)

// drawing returns a vector drawing tinted for its surface, with lines of the
// given width in pixels (0 = as drawn). The name carries both, because the
// toolkit caches rendered drawings by name.
func drawing(name string, tint color.NRGBA, line float32) fyne.Resource {
	hex := fmt.Sprintf("#%02X%02X%02X", tint.R, tint.G, tint.B)
	if strings.HasPrefix(name, "rule-") {
		hex = ""
	}
	data, err := icons.SVG(name, hex)
	if err != nil {
		slog.Error("an interface drawing is missing", "name", name, "err", err)
		data, _ = icons.SVG("note", hex)
	}
	width := ""
	if line > 0 {
		width = strconv.FormatFloat(float64(line), 'f', 1, 32)
		data = bytes.ReplaceAll(data, []byte(signLine), []byte(`stroke-width="`+width+`"`))
	}
	return &fyne.StaticResource{StaticName: name + hex + "-" + width + ".svg", StaticContent: data}
}

// Signs are drawn on a 24 × 24 grid with lines 2 wide. The toolkit scales the
// outline but not the line, so the line is set for the size shown.
const (
	signGrid = 24
	signLine = `stroke-width="2"`
)

// sign is a tinted drawing that can change.
type sign struct {
	img  *canvas.Image
	name string
	tint color.NRGBA
	line float32
}

func newSign(name string, tint color.NRGBA) *sign {
	s := &sign{img: &canvas.Image{FillMode: canvas.ImageFillContain}}
	s.set(name, tint)
	return s
}

func (s *sign) set(name string, tint color.NRGBA) {
	if name == s.name && tint == s.tint {
		return
	}
	s.name, s.tint = name, tint
	s.draw()
}

// sharpen sets the line for the size the sign has on the screen; pixels is how
// many physical pixels a toolkit unit has. Pictures are drawn at their size.
func (s *sign) sharpen(pixels float32) {
	size := s.img.Size()
	side := min(size.Width, size.Height) * pixels
	weight := float32(2)
	if side > 48 { // large signs look heavy with the weight small ones need
		weight = 1.4
	}
	line := max(1, float32(math.Round(float64(side/signGrid*weight*2)))/2)
	if side < 2 || line == s.line || strings.HasPrefix(s.name, "rule-") || s.name == "silhouette" {
		return
	}
	s.line = line
	s.draw()
}

func (s *sign) draw() {
	s.img.Image = nil
	s.img.Resource = drawing(s.name, s.tint, s.line)
	s.img.Refresh()
}

// panel is a rounded surface.
type panel struct{ bg *canvas.Rectangle }

func newPanel(fillCol, line color.NRGBA) *panel {
	return &panel{&canvas.Rectangle{FillColor: fillCol, StrokeColor: line, StrokeWidth: 1, CornerRadius: 14}}
}

func (p *panel) tint(fillCol, line color.NRGBA) {
	if p.bg.FillColor == color.Color(fillCol) && p.bg.StrokeColor == color.Color(line) {
		return
	}
	p.bg.FillColor, p.bg.StrokeColor = fillCol, line
	p.bg.Refresh()
}

// picture is a bitmap whose pixels belong to a student: it can be taken away.
type picture struct {
	img *canvas.Image
	src image.Image
}

func newPicture() *picture {
	return &picture{img: &canvas.Image{FillMode: canvas.ImageFillStretch, ScaleMode: canvas.ImageScaleSmooth}}
}

func (p *picture) set(src image.Image) {
	if src == p.src {
		return
	}
	p.src = src
	if src == nil || src.Bounds().Empty() {
		p.img.Image = nil
		setVisible(p.img, false)
		p.img.Refresh()
		return
	}
	p.img.Image = src
	setVisible(p.img, true)
	p.img.Refresh()
}

// look is how a button is drawn.
type look int

const (
	lookPrimary look = iota // the one way on
	lookPlain               // another way
	lookQuiet               // header and strip
	lookDanger              // takes something away
	lookKey                 // keypad
	lookChosen              // the tab in use
	lookGood                // a question answered yes
	lookBare                // nothing but what lies below
)

// button is anything a person can press. Its id is stable: the end-to-end
// driver finds it by that.
type button struct {
	widget.BaseWidget
	ui      *ui
	id      string
	look    look
	iconID  string
	first   string
	second  string
	enabled bool
	pressed bool
	onTap   func()
	onHold  func(held bool) // set for press-and-hold

	bg   *canvas.Rectangle
	icon *sign
	a, b *textBlock
}

var (
	_ fyne.Tappable     = (*button)(nil)
	_ desktop.Mouseable = (*button)(nil)
	_ desktop.Hoverable = (*button)(nil)
)

// button makes and registers a button that belongs to the given screen.
func (p *page) button(id string, l look, iconID string, onTap func()) *button {
	b := &button{ui: p.ui, id: id, look: l, iconID: iconID, enabled: true, onTap: onTap}
	b.bg = &canvas.Rectangle{CornerRadius: 14}
	b.icon = newSign("note", colInk)
	b.a = newText(sizeHead, true, colInk).centre().line()
	b.b = newText(sizeSmall, false, colInk).centre().line()
	b.ExtendBaseWidget(b)
	p.add(b)
	p.buttons = append(p.buttons, b)
	return b
}

// label sets the two languages, the current one first.
func (b *button) label(t booth.Text) {
	first, second := b.ui.both(t)
	b.plain(first, second)
}

func (b *button) plain(first, second string) {
	if first == b.first && second == b.second {
		return
	}
	b.first, b.second = first, second
	b.arrange()
}

func (b *button) setEnabled(on bool) {
	if b.enabled != on {
		b.enabled, b.pressed = on, false
		b.arrange()
	}
}

func (b *button) setLook(l look) {
	if b.look != l {
		b.look = l
		b.arrange()
	}
}

func (b *button) setIcon(name string) {
	if b.iconID != name {
		b.iconID = name
		b.arrange()
	}
}

func (b *button) colours() (ground, line, text color.NRGBA) {
	if !b.enabled {
		return colOff, colOff, colOffText
	}
	switch b.look {
	case lookPrimary:
		if b.pressed {
			return colBrandHi, colBrandHi, colWhite
		}
		return colBrand, colBrand, colWhite
	case lookDanger:
		if b.pressed {
			return colBad, colBad, colWhite
		}
		return colSurface, colBad, colBad
	case lookChosen:
		return colTint, colBrand, colBrand
	case lookGood:
		return colOKBg, colOK, colOK
	case lookBare:
		if b.pressed {
			return colVeil, colLine, colInk
		}
		return colClear, colClear, colInk
	case lookQuiet:
		if b.pressed {
			return colTint, colLine, colInk
		}
		return colGround, colLine, colInk
	case lookPlain, lookKey:
	}
	if b.pressed {
		return colTint, colBrand, colBrandHi
	}
	return colSurface, colLine, colInk
}

// arrange draws the button anew for its size, label and state.
func (b *button) arrange() {
	k := b.ui.k
	size := b.Size()
	if k == 0 || size.Width == 0 {
		return
	}
	area := rect{0, 0, size.Width / k, size.Height / k}
	ground, line, text := b.colours()
	stroke := float32(1.5) * k
	if b.ui.focus == b {
		line, stroke = colFocus, 5*k
		if b.look == lookPrimary { // the ring must stand out from the fill
			ground, line = colBrandHi, colInk
		}
	}
	if b.bg.FillColor != color.Color(ground) || b.bg.StrokeColor != color.Color(line) || b.bg.StrokeWidth != stroke {
		b.bg.FillColor, b.bg.StrokeColor, b.bg.StrokeWidth, b.bg.CornerRadius = ground, line, stroke, 14*k
		b.bg.Refresh()
	}
	place(b.bg, area, k)
	b.a.set(b.first)
	b.b.set(b.second)
	b.a.colour, b.b.colour = text, text
	b.a.size, b.b.size, b.a.bold = sizeHead, sizeSmall, true
	switch {
	case b.look == lookKey:
		b.a.size = min(34, area.h*0.5)
	case area.h < 60:
		b.a.size, b.b.size = 17, 13
	case area.h < 80:
		b.a.size, b.b.size = 21, 14
	}
	inner := area.insetXY(min(16, area.w*0.08), 4)
	if up := b.ui.enlarged(); b.second == "" || (b.a.size+b.b.size)*up*lineHeight <= inner.h {
		b.a.size, b.b.size = b.a.size*up, b.b.size*up
	}
	hasIcon := b.iconID != ""
	if hasIcon {
		side := min(area.h*0.42, 34)
		b.icon.set(b.iconID, text)
		if b.first == "" {
			place(b.icon.img, area.centred(side*1.15, side*1.15), k)
		} else {
			var at rect
			tw := max(b.a.measure(b.first, b.a.size*k), b.b.measure(b.second, b.b.size*k)) / k
			if hasIcon = tw*0.8+side+10 <= inner.w; hasIcon { // words matter more
				lead := max(0, (inner.w-tw-side-10)/2)
				at, inner = rect{inner.x + lead, inner.y, inner.w - lead, inner.h}.cutLeft(side, 10)
				inner.w = min(inner.w, max(tw+2, 1))
				place(b.icon.img, at.centred(side, side), k)
			}
		}
	}
	setVisible(b.icon.img, hasIcon)
	b.icon.sharpen(b.ui.pixelsPer)
	if b.second == "" {
		b.a.mid().layout(inner, k)
		b.b.layout(inner, k)
		return
	}
	ah, bh := b.a.size*lineHeight, b.b.size*lineHeight
	if ah+bh > inner.h { // one row: the second language beside the first
		aw := b.a.measure(b.first, b.a.size*k)/k + 1
		bw := b.b.measure(b.second, b.b.size*k)/k + 1
		gap := float32(8)
		row := inner
		if aw+gap+bw < inner.w {
			row = inner.centred(aw+gap+bw, inner.h)
		}
		left, right := row.cutLeft(min(aw, row.w*0.6), gap)
		b.a.mid().layout(left, k)
		b.b.mid().layout(right, k)
		return
	}
	stack := inner.centred(inner.w, ah+bh)
	top, bottom := stack.cutTop(ah, 0)
	b.a.mid().layout(top, k)
	b.b.mid().layout(bottom, k)
}

// CreateRenderer is called by the toolkit.
func (b *button) CreateRenderer() fyne.WidgetRenderer {
	return &buttonRenderer{b, []fyne.CanvasObject{b.bg, b.icon.img, b.a.box, b.b.box}}
}

// Tapped sends what the button stands for, unless it is a bounce.
func (b *button) Tapped(*fyne.PointEvent) {
	if !b.enabled || b.onTap == nil || !b.ui.admit(b) {
		return
	}
	b.ui.unfocus()
	b.onTap()
}

// MouseDown shows the press and begins a hold.
func (b *button) MouseDown(*desktop.MouseEvent) {
	b.ui.touched(true)
	if b.enabled {
		b.press(true)
	}
}

// MouseUp ends the press.
func (b *button) MouseUp(*desktop.MouseEvent) {
	b.ui.touched(false)
	b.press(false)
}

// MouseIn does nothing: a touch screen has no hovering.
func (b *button) MouseIn(*desktop.MouseEvent) {}

// MouseMoved does nothing.
func (b *button) MouseMoved(*desktop.MouseEvent) {}

// MouseOut ends the press when the finger slides off.
func (b *button) MouseOut() { b.press(false) }

func (b *button) press(down bool) {
	if b.pressed == down {
		return
	}
	b.pressed = down
	b.arrange()
	if b.onHold != nil {
		b.onHold(down)
	}
}

type buttonRenderer struct {
	b       *button
	objects []fyne.CanvasObject
}

func (r *buttonRenderer) Layout(fyne.Size)             { r.b.arrange() }
func (r *buttonRenderer) MinSize() fyne.Size           { return fyne.NewSize(1, 1) }
func (r *buttonRenderer) Refresh()                     { r.b.arrange() }
func (r *buttonRenderer) Objects() []fyne.CanvasObject { return r.objects }
func (r *buttonRenderer) Destroy()                     {}
