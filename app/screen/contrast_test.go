package screen

import (
	"fmt"
	"image/color"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// layer is one thing that is really drawn, in the order of drawing.
type layer struct {
	x, y, w, h float32
	fill       color.NRGBA
	picture    bool // what is below it cannot be judged
	text       *canvas.Text
}

// drawn lists what is visible below o in the order of drawing.
func drawn(o fyne.CanvasObject, at fyne.Position, out *[]layer) {
	if !o.Visible() {
		return
	}
	at = at.Add(o.Position())
	size := o.Size()
	add := func(l layer) {
		l.x, l.y, l.w, l.h = at.X, at.Y, size.Width, size.Height
		*out = append(*out, l)
	}
	switch o := o.(type) {
	case *fyne.Container:
		for _, c := range o.Objects {
			drawn(c, at, out)
		}
	case *button:
		for _, c := range []fyne.CanvasObject{o.bg, o.a.box, o.b.box} {
			drawn(c, at, out)
		}
	case *shield:
		drawn(o.veil, at, out)
	case *canvas.Rectangle:
		if fill, ok := o.FillColor.(color.NRGBA); ok {
			add(layer{fill: fill})
		}
	case *canvas.Image:
		if o.Image != nil && o.Resource == nil {
			add(layer{picture: true})
		}
	case *canvas.Text:
		if o.Text != "" {
			size = fyne.MeasureText(o.Text, o.TextSize, o.TextStyle)
			add(layer{text: o})
		}
	}
}

// over paints c on top of ground.
func over(c, ground color.NRGBA) color.NRGBA {
	mix := func(a, b uint8) uint8 { return uint8((int(a)*int(c.A) + int(b)*(255-int(c.A))) / 255) }
	return color.NRGBA{R: mix(c.R, ground.R), G: mix(c.G, ground.G), B: mix(c.B, ground.B), A: 255}
}

// poorPairs lists the words whose colour does not stand at 7:1 on what is drawn
// below their middle, and counts the pairs looked at.
func poorPairs(root fyne.CanvasObject) (poor []string, pairs int) {
	var all []layer
	drawn(root, fyne.NewPos(0, 0), &all)
	for i, l := range all {
		if l.text == nil {
			continue
		}
		ground, judged := colGround, true
		x, y := l.x+l.w/2, l.y+l.h/2
		for _, b := range all[:i] {
			if b.text == nil && x >= b.x && x < b.x+b.w && y >= b.y && y < b.y+b.h {
				judged = !b.picture && (judged || b.fill.A == 255)
				ground = over(b.fill, ground)
			}
		}
		ink, ok := l.text.Color.(color.NRGBA)
		if !ok || !judged {
			continue
		}
		pairs++
		if r := contrast(over(ink, ground), ground); r < 7 {
			poor = append(poor, fmt.Sprintf("%q %v on %v: %.2f:1", l.text.Text, ink, ground, r))
		}
	}
	return poor, pairs
}

func TestEveryWordStandsOutOnWhatIsBelowIt(t *testing.T) {
	for _, size := range []fyne.Size{fyne.NewSize(1280, 800), fyne.NewSize(1080, 1920)} {
		b := newBench(t, size)
		pairs := 0
		for _, lang := range []booth.Lang{booth.ZH, booth.EN} {
			for _, s := range append(Samples(lang), CrowdedSamples(lang)...) {
				b.w.Show(s.View)
				b.w.walk(1) // the ring of the keyboard changes colours too
				poor, n := poorPairs(b.w.content)
				pairs += n
				for _, p := range poor {
					t.Errorf("%s %s: %s", lang, s.Name, p)
				}
			}
		}
		if pairs < 2000 {
			t.Errorf("only %d pairs of text and background were looked at", pairs)
		}
		t.Logf("%.0f×%.0f: %d pairs at 7:1 or better", size.Width, size.Height, pairs)
	}
}

func TestPoorContrastIsFound(t *testing.T) {
	newBench(t, fyne.NewSize(1280, 800))
	pale := newText(20, false, rgb(0x777777))
	pale.set("pale")
	pale.layout(rect{10, 10, 200, 40}, 1)
	card := canvas.NewRectangle(colSurface)
	card.Resize(fyne.NewSize(300, 100))
	if poor, _ := poorPairs(group2(card, pale.box)); len(poor) != 1 {
		t.Errorf("found %q", poor)
	}
	veil := canvas.NewRectangle(color.NRGBA{A: 0x80}) // half black over white: ink no longer stands out
	veil.Resize(fyne.NewSize(300, 100))
	pale.colour = colInk
	pale.layout(rect{10, 10, 200, 40}, 1)
	if poor, _ := poorPairs(group2(card, veil, pale.box)); len(poor) != 1 {
		t.Errorf("below a veil, found %q", poor)
	}
}

func group2(objects ...fyne.CanvasObject) *fyne.Container { return &fyne.Container{Objects: objects} }
