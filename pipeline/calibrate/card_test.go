package calibrate

import (
	"errors"
	"image"
	"image/color"
	"math"
	"testing"
)

// held is a booth with a card of a colour over the middle of the picture.
func held(c color.RGBA, size int) *image.RGBA {
	m := usual().frame(3, 1)
	w, h := m.Rect.Dx(), m.Rect.Dy()
	for y := (h - size) / 2; y < (h+size)/2; y++ {
		for x := (w - size) / 2; x < (w+size)/2; x++ {
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func TestGreyCardTellsTheColourOfTheLight(t *testing.T) {
	b := usual()
	b.colour = [3]float64{96, 150, 206}
	for name, c := range map[string]struct {
		card   color.RGBA
		kelvin float64
		status Status
	}{
		"balanced": {color.RGBA{118, 118, 118, 255}, 6504, Pass},
		"warm":     {color.RGBA{135, 118, 88, 255}, 4200, Warn},
		"cold":     {color.RGBA{105, 118, 140, 255}, 10720, Warn},
	} {
		cal := New(Options{HasFace: nobody})
		read, err := ReadCard(held(c.card, 80))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if f := read.Judge(); f.Status != c.status || math.Abs(*f.Value-c.kelvin) > .08*c.kelvin {
			t.Errorf("%s: the card alone is %s at %.0f K", name, f.Status, *f.Value)
		}
		cal.SetCard(read)
		_, j := b.finish(t, cal, 8)
		if f := j.Find(Colour); !j.Light.Card || !j.Light.Neutral || f.Status != c.status || math.Abs(j.Light.Kelvin-c.kelvin) > .08*c.kelvin {
			t.Errorf("%s: %+v, colour is %s", name, j.Light, f.Status)
		}
	}
}

func TestWhatIsNoGreyCard(t *testing.T) {
	half := held(color.RGBA{118, 118, 118, 255}, 80)
	for y := range half.Rect.Dy() {
		for x := range half.Rect.Dx() / 2 {
			half.SetRGBA(x, y, color.RGBA{60, 60, 60, 255})
		}
	}
	for name, m := range map[string]*image.RGBA{
		"a red card":   held(color.RGBA{200, 30, 30, 255}, 80),
		"half a card":  half,
		"a black one":  held(color.RGBA{3, 3, 3, 255}, 80),
		"a lamp":       held(color.RGBA{255, 255, 255, 255}, 80),
		"tiny picture": image.NewRGBA(image.Rect(0, 0, 64, 64)),
	} {
		if _, err := ReadCard(m); !errors.Is(err, ErrCard) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
