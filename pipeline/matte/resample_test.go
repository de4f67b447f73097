package matte_test

import (
	"flag"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

var resampling = flag.Bool("matte-resample", false, "print what resampling in linear light, in gamma space and by Lanczos does to hair")

// light is a picture in linear light, 0..1, three values a pixel.
type light struct {
	w, h int
	v    []float64
}

func newLight(w, h int) *light { return &light{w, h, make([]float64, 3*w*h)} }

// The transfer function of sRGB, IEC 61966-2-1.
func linear(v float64) float64 {
	if v <= .04045 {
		return v / 12.92
	}
	return math.Pow((v+.055)/1.055, 2.4)
}

func encoded(v float64) float64 {
	if v <= .0031308 {
		return 12.92 * max(v, 0)
	}
	return 1.055*math.Pow(min(v, 1), 1/2.4) - .055
}

// each applies a transfer function to every value.
func (l *light) each(f func(float64) float64) *light {
	out := newLight(l.w, l.h)
	for i, v := range l.v {
		out.v[i] = f(v)
	}
	return out
}

// sizing is a way to make a picture smaller.
type sizing struct {
	name   string
	kernel func(x float64) float64 // at a distance in output pixels; nil: mean of the area
	reach  float64                 // of the kernel
	linear bool                    // in linear light instead of gamma space
}

func lanczos3(x float64) float64 {
	x = math.Abs(x)
	if x < 1e-9 {
		return 1
	}
	if x >= 3 {
		return 0
	}
	x *= math.Pi
	return 3 * math.Sin(x) * math.Sin(x/3) / (x * x)
}

var sizings = []sizing{
	{name: "area mean, gamma space"},
	{name: "area mean, linear light", linear: true},
	{name: "Lanczos-3, gamma space", kernel: lanczos3, reach: 3},
	{name: "Lanczos-3, linear light", kernel: lanczos3, reach: 3, linear: true},
}

// shrinkTo resamples the rectangle of size rw×rh at (x0, y0) to w×h.
func (l *light) shrinkTo(w, h int, x0, y0, rw, rh float64, s sizing) *light {
	across := newLight(w, l.h)
	for x, taps := range tapsOf(w, x0, rw, l.w, s) {
		for y := range l.h {
			for _, t := range taps {
				for ch := range 3 {
					across.v[3*(y*w+x)+ch] += t.weight * l.v[3*(y*l.w+t.at)+ch]
				}
			}
		}
	}
	out := newLight(w, h)
	for y, taps := range tapsOf(h, y0, rh, l.h, s) {
		for x := range w {
			for _, t := range taps {
				for ch := range 3 {
					out.v[3*(y*w+x)+ch] += t.weight * across.v[3*(t.at*w+x)+ch]
				}
			}
		}
	}
	return out
}

type tap struct {
	at     int
	weight float64
}

func tapsOf(n int, from, length float64, size int, s sizing) [][]tap {
	step := length / float64(n)
	out := make([][]tap, n)
	for i := range out {
		lo, hi := from+float64(i)*step, from+float64(i+1)*step
		first, last := int(math.Floor(lo)), int(math.Ceil(hi))
		if s.kernel != nil {
			first, last = int(math.Floor((lo+hi)/2-s.reach*step)), int(math.Ceil((lo+hi)/2+s.reach*step))
		}
		sum := 0.
		for p := first; p < last; p++ {
			k := min(hi, float64(p+1)) - max(lo, float64(p))
			if s.kernel != nil {
				k = s.kernel((float64(p) + .5 - (lo+hi)/2) / step)
			}
			out[i] = append(out[i], tap{min(max(p, 0), size-1), k})
			sum += k
		}
		for j := range out[i] {
			out[i][j].weight /= sum
		}
	}
	return out
}

// before composes a person before a colour, in linear light and at the
// cut-out's own size, and returns the coverage beside it.
func before(p *mattetest.Person, wall [3]float64) (world, alpha *light) {
	b := p.Image.Rect
	world, alpha = newLight(b.Dx(), b.Dy()), newLight(b.Dx(), b.Dy())
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := p.Image.NRGBAAt(x, y)
			a := float64(c.A) / 255
			for ch, v := range [3]uint8{c.R, c.G, c.B} {
				i := 3*(y*b.Dx()+x) + ch
				world.v[i] = a*linear(float64(v)/255) + (1-a)*linear(wall[ch]/255)
				alpha.v[i] = a
			}
		}
	}
	return world, alpha
}

func (l *light) image() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, l.w, l.h))
	for i := range l.w * l.h {
		for ch := range 3 {
			m.Pix[4*i+ch] = uint8(255*encoded(l.v[3*i+ch]) + .5)
		}
		m.Pix[4*i+3] = 255
	}
	return m
}

func lightOf(m *image.RGBA) *light {
	l := newLight(m.Rect.Dx(), m.Rect.Dy())
	for i := range l.w * l.h {
		for ch := range 3 {
			l.v[3*i+ch] = float64(m.Pix[4*i+ch]) / 255
		}
	}
	return l
}

// TestResampling photographs hair at half the size of the cut-outs, as a sensor
// does: by the mean of the light on every pixel. The portrait is made of that
// picture in several ways and compared with the mean of the world's own light
// over each of the portrait's pixels. Nothing else is in the scene, no noise and
// no JPEG: the differences are those of the resampling.
func TestResampling(t *testing.T) {
	if !*resampling {
		t.Skip("pass -matte-resample to print what resampling does to hair")
	}
	fmt.Printf("%-10s %-26s | %6s %6s | %9s %6s\n", "wall", "resampling", "RMSE", "bias", "overshoot", "worst")
	for _, wall := range []mattetest.Backdrop{mattetest.White, mattetest.Blue, mattetest.Green, mattetest.Grey} {
		for _, f := range hairErrors(t, person(t, "student").Strands(160, 1), wall) {
			fmt.Printf("%-10s %-26s | %6.2f %+6.2f | %8.1f%% %6.1f\n", wall.Name, f.name, f.rmse, f.bias, 100*f.ringing, f.worst)
		}
	}
}

// hairError is how far the portrait's pixels at the rim of the hair are from
// the truth, in 8-bit units: root mean square, and mean (positive: too bright).
// ringing is the share of values that lie more than two units beyond all the
// frame's pixels within reach of an area, worst the farthest.
type hairError struct {
	name                       string
	rmse, bias, ringing, worst float64
}

// reduce is how many of the frame's pixels become one of the portrait's, along
// a side: that of a face 380 px wide in the frame and 240 px in the portrait.
const reduce = 1.6

func hairErrors(t *testing.T, p *mattetest.Person, wall mattetest.Backdrop) []hairError {
	world, alpha := before(p, wall.Colour)
	w, h := world.w/2, world.h/2
	sensor := sizing{linear: true}
	frame := world.shrinkTo(w, h, 0, 0, float64(2*w), float64(2*h), sensor).image()
	empty, nobody := image.NewRGBA(frame.Rect), wall.Colour
	for i := range w * h {
		copy(empty.Pix[4*i:], []uint8{uint8(nobody[0] + .5), uint8(nobody[1] + .5), uint8(nobody[2] + .5), 255})
	}
	ow, oh := int(float64(w)/reduce), int(float64(h)/reduce)
	rw, rh := reduce*float64(ow), reduce*float64(oh)
	truth := world.shrinkTo(ow, oh, 0, 0, 2*rw, 2*rh, sensor).each(encoded)
	cover := alpha.shrinkTo(ow, oh, 0, 0, 2*rw, 2*rh, sensor)

	seen := lightOf(frame)
	var out []hairError
	for _, s := range sizings {
		var made *light
		if s.linear {
			made = seen.each(linear).shrinkTo(ow, oh, 0, 0, rw, rh, s).each(encoded)
		} else {
			made = seen.shrinkTo(ow, oh, 0, 0, rw, rh, s)
		}
		out = append(out, hairErrorOf(s.name, made, truth, cover, seen, p.ChinY/2/reduce))
	}
	return append(out, hairErrorOf("the portrait's own", lightOf(cutOf(t, p, frame, empty, ow, oh, rw, rh)), truth, cover, seen, p.ChinY/2/reduce))
}

// cutOf is the crop as Render resamples it.
func cutOf(t *testing.T, p *mattetest.Person, frame, empty *image.RGBA, w, h int, rw, rh float64) *image.RGBA {
	t.Helper()
	plate, err := matte.NewPlate([]*image.RGBA{empty})
	if err != nil {
		t.Fatal(err)
	}
	ied, cx, eye := p.EyeR.X-p.EyeL.X, (p.EyeL.X+p.EyeR.X)/4, (p.EyeL.Y+p.EyeR.Y)/4
	fw := 2.4 * ied / 2
	face := matte.FaceBox{X: cx - fw/2, Y: eye - .36*fw, W: fw, H: fw}
	crop := matte.Rect{W: rw, H: rh}
	m := matte.New()
	seg, err := m.Segment(frame, plate, face, crop)
	if err != nil {
		t.Fatal(err)
	}
	portrait, err := m.Render(seg, crop, w, h, color.RGBA{255, 255, 255, 255}, false)
	if err != nil {
		t.Fatal(err)
	}
	return portrait.Cut
}

func hairErrorOf(name string, made, truth, cover, seen *light, chin float64) hairError {
	e := hairError{name: name}
	n, out := 0., 0.
	for y := range min(int(chin), made.h) {
		for x := range made.w {
			i := 3 * (y*made.w + x)
			if a := cover.v[i]; a <= .02 || a >= .98 {
				continue
			}
			// The frame's pixels that the area, and one more on each side, touches.
			x0, x1 := max(int(reduce*float64(x))-1, 0), min(int(math.Ceil(reduce*float64(x+1)))+1, seen.w)
			y0, y1 := max(int(reduce*float64(y))-1, 0), min(int(math.Ceil(reduce*float64(y+1)))+1, seen.h)
			for ch := range 3 {
				v := 255 * min(max(made.v[i+ch], 0), 1)
				d := v - 255*truth.v[i+ch]
				e.rmse += d * d
				e.bias += d
				n++
				var near []float64
				for j := y0; j < y1; j++ {
					for k := x0; k < x1; k++ {
						near = append(near, 255*seen.v[3*(j*seen.w+k)+ch])
					}
				}
				if beyond := max(v-slices.Max(near), slices.Min(near)-v); beyond > 2 {
					out++
					e.worst = max(e.worst, beyond)
				}
			}
		}
	}
	e.rmse, e.bias, e.ringing = math.Sqrt(e.rmse/n), e.bias/n, out/n
	return e
}
