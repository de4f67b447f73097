package mattetest

import (
	"image"
	"image/color"
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// Mirror returns the person as in a mirror.
func (p *Person) Mirror() *Person {
	out := *p
	out.Name += "-mirrored"
	w, h := p.Image.Rect.Dx(), p.Image.Rect.Dy()
	out.Image = image.NewNRGBA(p.Image.Rect)
	for y := range h {
		for x := range w {
			out.Image.SetNRGBA(w-1-x, y, p.Image.NRGBAAt(x, y))
		}
	}
	flip := func(q matte.Point) matte.Point { return matte.Point{X: float64(w) - q.X, Y: q.Y} }
	out.EyeL, out.EyeR = flip(p.EyeR), flip(p.EyeL)
	return &out
}

// Lean returns the person leaning by some degrees, to the right of the picture
// where positive: rows move sideways, so that the cut-out still fills its lower
// edge. Between pixels colours mix by their coverage.
func (p *Person) Lean(degrees float64) *Person {
	out := *p
	slope := math.Tan(degrees * math.Pi / 180)
	shift := func(y float64) float64 { return slope * (p.ChinY - y) }
	w, h := p.Image.Rect.Dx(), p.Image.Rect.Dy()
	out.Image = image.NewNRGBA(p.Image.Rect)
	for y := range h {
		d := shift(float64(y) + .5)
		whole := math.Floor(d)
		t := d - whole
		for x := range w {
			// A pixel is t of its left neighbour and the rest of itself.
			k := x - int(whole)
			out.Image.SetNRGBA(x, y, blend(p.at(k-1, y), p.at(k, y), t))
		}
	}
	move := func(q matte.Point) matte.Point { return matte.Point{X: q.X + shift(q.Y), Y: q.Y} }
	out.EyeL, out.EyeR = move(p.EyeL), move(p.EyeR)
	return &out
}

// at is a pixel, those beyond the sides continuing as at the side.
func (p *Person) at(x, y int) color.NRGBA {
	return p.Image.NRGBAAt(min(max(x, 0), p.Image.Rect.Dx()-1), y)
}

// blend mixes two colours, t of the first, each by its coverage.
func blend(a, b color.NRGBA, t float64) color.NRGBA {
	ka, kb := t*float64(a.A), (1-t)*float64(b.A)
	sum := ka + kb
	if sum == 0 {
		return color.NRGBA{}
	}
	mix := func(u, v uint8) uint8 { return uint8((ka*float64(u)+kb*float64(v))/sum + .5) }
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), uint8(sum + .5)}
}
