package mattetest

import (
	"image"
	"image/color"
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// Score is the error of a matte at the output size.
type Score struct {
	MSE    float64 // of alpha, ×10⁻³
	Band   float64 // of alpha within the true edge band, ×10⁻³
	Colour float64 // RMSE of the composite in that band, 8-bit units
}

// Over returns the error of colour in the band, had the portrait been composed
// over another colour than the one it was. alpha is 8-bit: what differs from a
// portrait rendered so is rounding.
func (t *Truth) Over(p *matte.Portrait, was, bg color.RGBA) float64 {
	other := image.NewRGBA(p.RGBA.Rect)
	shift := [3]float64{float64(bg.R) - float64(was.R), float64(bg.G) - float64(was.G), float64(bg.B) - float64(was.B)}
	for i, a := range p.Alpha.Pix {
		for ch := range 3 {
			other.Pix[4*i+ch] = clamp8(float64(p.RGBA.Pix[4*i+ch]) + (1-float64(a)/255)*shift[ch] + .5)
		}
	}
	return t.Score(p.Alpha, other, bg).Colour
}

// Truth is the exact answer for one crop and size.
type Truth struct {
	W, H  int
	Alpha []float32
	Own   [3][]float32 // the person's light: colour times alpha
	Band  []bool       // the soft edge and a little around it
}

// Truth area-averages the exact alpha and the person's own light to the size of
// the portrait.
func (s *Scene) Truth(w, h int) *Truth {
	t := &Truth{W: w, H: h, Alpha: s.average(s.alpha, w, h), Band: make([]bool, w*h)}
	for ch := range t.Own {
		t.Own[ch] = s.average(s.own[ch], w, h)
	}
	const r = 4 // the band reaches this far round the soft edge
	for y := range h {
		for x := range w {
			if a := t.Alpha[y*w+x]; a <= .02 || a >= .98 {
				continue
			}
			for j := max(y-r, 0); j <= min(y+r, h-1); j++ {
				for i := max(x-r, 0); i <= min(x+r, w-1); i++ {
					if (i-x)*(i-x)+(j-y)*(j-y) <= r*r {
						t.Band[j*w+i] = true
					}
				}
			}
		}
	}
	return t
}

func (s *Scene) average(p []float32, w, h int) []float32 {
	out := make([]float32, w*h)
	sx, sy := s.Crop.W/float64(w), s.Crop.H/float64(h)
	for y := range h {
		ya, yb := s.Crop.Y+float64(y)*sy, s.Crop.Y+float64(y+1)*sy
		for x := range w {
			xa, xb := s.Crop.X+float64(x)*sx, s.Crop.X+float64(x+1)*sx
			var sum, area float64
			for j := int(math.Floor(ya)); float64(j) < yb; j++ {
				wy := min(yb, float64(j+1)) - max(ya, float64(j))
				for i := int(math.Floor(xa)); float64(i) < xb; i++ {
					wx := min(xb, float64(i+1)) - max(xa, float64(i))
					q := min(max(j, 0), s.h-1)*s.w + min(max(i, 0), s.w-1)
					sum += wx * wy * float64(p[q])
					area += wx * wy
				}
			}
			out[y*w+x] = float32(sum / area)
		}
	}
	return out
}

// Score compares an alpha and a composite over bg with the truth.
func (t *Truth) Score(alpha *image.Gray, composite *image.RGBA, bg color.RGBA) Score {
	var s Score
	var n int
	back := [3]float64{float64(bg.R), float64(bg.G), float64(bg.B)}
	for y := range t.H {
		for x := range t.W {
			i := y*t.W + x
			a := float64(t.Alpha[i])
			d := float64(alpha.Pix[y*alpha.Stride+x])/255 - a
			s.MSE += d * d
			if !t.Band[i] {
				continue
			}
			n++
			s.Band += d * d
			for ch := range 3 {
				e := float64(composite.Pix[y*composite.Stride+4*x+ch]) - float64(t.Own[ch][i]) - (1-a)*back[ch]
				s.Colour += e * e / 3
			}
		}
	}
	s.MSE *= 1e3 / float64(t.W*t.H)
	s.Band *= 1e3 / float64(max(n, 1))
	s.Colour = math.Sqrt(s.Colour / float64(max(n, 1)))
	return s
}
