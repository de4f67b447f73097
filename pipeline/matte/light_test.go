package matte_test

import (
	"image"
	"image/color"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// A picture made smaller keeps its light: fine black and white lines become the
// level that shines half as bright as white, 188, and not the mean level 128.
func TestCutKeepsLight(t *testing.T) {
	const w, h = 400, 480
	empty, frame := image.NewRGBA(image.Rect(0, 0, w, h)), image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			empty.SetRGBA(x, y, color.RGBA{60, 150, 70, 255})
			frame.SetRGBA(x, y, color.RGBA{60, 150, 70, 255})
			if y > 120 && x > 120 && x < 280 {
				v := uint8(255 * (y & 1))
				frame.SetRGBA(x, y, color.RGBA{v, v, v, 255})
			}
		}
	}
	plate, err := matte.NewPlate([]*image.RGBA{empty})
	if err != nil {
		t.Fatal(err)
	}
	m := matte.New()
	crop := matte.Rect{W: w, H: h}
	seg, err := m.Segment(frame, plate, matte.FaceBox{X: 125, Y: 130, W: 150, H: 150}, crop)
	if err != nil {
		t.Fatal(err)
	}
	for _, keep := range []bool{false, true} {
		p, err := m.Render(seg, crop, w/2, h/2, color.RGBA{255, 255, 255, 255}, keep)
		if err != nil {
			t.Fatal(err)
		}
		for name, img := range map[string]*image.RGBA{"photographed": p.Cut, "composite": p.RGBA} {
			if g := img.RGBAAt(100, 105).G; g < 187 || g > 189 {
				t.Errorf("keep %v: the %s face has level %d, want 188", keep, name, g)
			}
		}
	}
}
