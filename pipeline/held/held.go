// Package held draws something flat that is held before a camera, a phone or a
// card, for the measurements of what reads it: in perspective, out of focus,
// with a lamp reflected in it, in the dark, with the raster of a screen beating
// against that of the sensor. Nothing of the station itself uses it.
package held

import (
	"image"
	"math"
	"math/rand/v2"

	"github.com/yunzhao-station/yunzhao/pipeline/plane"
)

// Conditions say how the thing is held and filmed. The zero value is a sharp
// picture without noise of something that lies upon the whole frame.
type Conditions struct {
	// Corners are where the picture's top left, top right, bottom right and
	// bottom left corners come to lie.
	Corners [4]plane.Point
	Blur    float64 // of the lens, standard deviation of a Gaussian in pixels
	Motion  float64 // length of the trace of a moving hand, pixels along x
	Glare   float64 // a lamp in the glass: the share of the picture's width that it covers
	Light   float64 // multiplies what is seen; 0 means 1
	Noise   float64 // of the sensor, rms in 8-bit levels
	Moire   float64 // depth of the beat between screen and sensor, 0 to 1
}

// Tilted are the corners of a picture of w×h pixels that is held so that its
// middle lies at c, scaled by k, turned by roll in the plane and by yaw and
// pitch out of it (radians), seen from a distance of three times its width.
func Tilted(w, h int, c plane.Point, k, roll, yaw, pitch float64) [4]plane.Point {
	far := 3 * float64(w)
	var out [4]plane.Point
	for i, s := range [4][2]float64{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}} {
		x, y, z := s[0]*float64(w)/2, s[1]*float64(h)/2, 0.0
		x, y = x*math.Cos(roll)-y*math.Sin(roll), x*math.Sin(roll)+y*math.Cos(roll)
		x, z = x*math.Cos(yaw)+z*math.Sin(yaw), -x*math.Sin(yaw)+z*math.Cos(yaw)
		y, z = y*math.Cos(pitch)-z*math.Sin(pitch), y*math.Sin(pitch)+z*math.Cos(pitch)
		p := far / (far + z)
		out[i] = plane.Point{X: c.X + k*x*p, Y: c.Y + k*y*p}
	}
	return out
}

// Draw paints flat over dst under the conditions. Blur, light and noise take
// hold of the whole of dst, as they would.
func Draw(dst, flat *image.Gray, c Conditions, rng *rand.Rand) {
	paint(dst, flat, c, rng)
	if c.Motion > 1 {
		smear(dst, int(math.Round(c.Motion)))
	}
	if c.Blur > 0 {
		soften(dst, c.Blur)
	}
	light := c.Light
	if light == 0 {
		light = 1
	}
	for i, v := range dst.Pix {
		x := float64(v)*light + rng.NormFloat64()*c.Noise
		dst.Pix[i] = uint8(math.Round(min(max(x, 0), 255)))
	}
}

func paint(dst, flat *image.Gray, c Conditions, rng *rand.Rand) {
	w, h := float64(flat.Rect.Dx()), float64(flat.Rect.Dy())
	back, ok := plane.Between(c.Corners, plane.Corners(w, h))
	if !ok {
		return
	}
	lo, hi := c.Corners[0], c.Corners[0]
	for _, p := range c.Corners {
		lo.X, lo.Y, hi.X, hi.Y = min(lo.X, p.X), min(lo.Y, p.Y), max(hi.X, p.X), max(hi.Y, p.Y)
	}
	glare := plane.Point{X: w * (.2 + .6*rng.Float64()), Y: h * (.2 + .6*rng.Float64())}
	phase := 2 * math.Pi * rng.Float64()
	// Where the thing is shrunk, every pixel is the mean of those it covers.
	step := math.Hypot(c.Corners[1].X-c.Corners[0].X, c.Corners[1].Y-c.Corners[0].Y) / w
	sub := max(1, min(4, int(math.Ceil(1/max(step, .1)))))
	for y := max(0, int(lo.Y)); y < min(dst.Rect.Dy(), int(hi.Y)+1); y++ {
		for x := max(0, int(lo.X)); x < min(dst.Rect.Dx(), int(hi.X)+1); x++ {
			sum, n := 0.0, 0.0
			for i := range sub * sub {
				p := plane.Point{X: float64(x) + (float64(i%sub)+.5)/float64(sub), Y: float64(y) + (float64(i/sub)+.5)/float64(sub)}
				q := back.Apply(p)
				if q.X < 0 || q.Y < 0 || q.X >= w || q.Y >= h {
					continue
				}
				v := plane.Sample(flat, q)
				if c.Moire > 0 {
					// Two rasters that differ by little beat slowly.
					v *= 1 - c.Moire*(.5+.5*math.Sin(p.X*.71+p.Y*.23+phase))*(.5+.5*math.Sin(p.Y*.83-p.X*.11+phase))
				}
				if c.Glare > 0 {
					d := math.Hypot(q.X-glare.X, (q.Y-glare.Y)*1.3) / (w * c.Glare / 2)
					v += 255 * math.Exp(-d*d*d*d)
				}
				sum += min(v, 255)
				n++
			}
			if n > 0 {
				at := y*dst.Stride + x
				k := n / float64(sub*sub)
				dst.Pix[at] = uint8(sum/n*k + float64(dst.Pix[at])*(1-k))
			}
		}
	}
}

// soften is a Gaussian blur in two passes.
func soften(m *image.Gray, sigma float64) {
	r := int(math.Ceil(3 * sigma))
	kernel := make([]float64, 2*r+1)
	sum := 0.0
	for i := range kernel {
		d := float64(i - r)
		kernel[i] = math.Exp(-d * d / (2 * sigma * sigma))
		sum += kernel[i]
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	line := make([]float64, max(w, h))
	pass := func(n int, at func(i int) *uint8) {
		for i := range n {
			line[i] = float64(*at(i))
		}
		for i := range n {
			v := 0.0
			for j, k := range kernel {
				v += k * line[min(max(i+j-r, 0), n-1)]
			}
			*at(i) = uint8(v/sum + .5)
		}
	}
	for y := range h {
		pass(w, func(i int) *uint8 { return &m.Pix[y*m.Stride+i] })
	}
	for x := range w {
		pass(h, func(i int) *uint8 { return &m.Pix[i*m.Stride+x] })
	}
}

// smear is the trace of n pixels along x.
func smear(m *image.Gray, n int) {
	w := m.Rect.Dx()
	line := make([]uint8, w)
	for y := range m.Rect.Dy() {
		row := m.Pix[y*m.Stride:][:w]
		copy(line, row)
		for x := range w {
			sum := 0
			for i := range n {
				sum += int(line[min(max(x+i-n/2, 0), w-1)])
			}
			row[x] = uint8(sum / n)
		}
	}
}
