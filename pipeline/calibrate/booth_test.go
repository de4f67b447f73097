package calibrate

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// wall is a booth for tests: a wall as a camera with a rolling shutter sees it.
type wall struct {
	w, h        int
	colour      [3]float64 // levels in the middle
	light       float64    // how much brighter the right edge is than the left, linear light
	top         float64    // how much brighter the top is than the bottom
	warmLeft    float64    // how much redder and less blue the left half is
	noise       float64    // levels
	stripes     float64    // amplitude of the lamps' flicker, part of the light
	flicker     float64    // amplitude of the whole picture's
	drift       float64    // exposure from the first frame to the last
	blur        float64    // Gaussian, px, of everything the camera delivers
	stand       bool       // a hard-edged thing at the right edge, beside the area
	box         image.Rectangle
	boxMoves    int     // px a frame
	texture     float64 // levels
	shift       int     // px, the camera was knocked
	windowRight float64 // level of a lamp or window in the picture, beside the area
}

func usual() wall {
	return wall{w: 640, h: 360, colour: [3]float64{205, 207, 205}, noise: 2, light: .04, drift: .004}
}

const frameEvery = time.Second / 30

// frame draws frame number n.
func (b wall) frame(n int, seed uint64) *image.RGBA {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	grain := rand.New(rand.NewPCG(7, 7))
	pattern := make([]float64, 64*64)
	for i := range pattern {
		pattern[i] = grain.NormFloat64()
	}
	at := float64(n) * frameEvery.Seconds()
	out := make([]float64, 3*b.w*b.h)
	base := [3]float64{linear(b.colour[0]), linear(b.colour[1]), linear(b.colour[2])}
	for y := range b.h {
		// 100 Hz; the rows are read out in 30 ms.
		sensor := normals[rng.IntN(len(normals)-3*b.w):]
		row := 1 + b.stripes*math.Sin(2*math.Pi*100*(at+.03*float64(y)/float64(b.h)))
		for x := range b.w {
			u, v := float64(x)/float64(b.w)-.5, float64(y)/float64(b.h)-.5
			k := (1 + b.light*u) * (1 - b.top*v) * row * (1 + b.drift*float64(n)/12) * (1 + b.flicker*math.Sin(float64(n)*2.1))
			sx := x + b.shift
			for c := range 3 {
				lin := base[c] * k
				if u < 0 {
					lin *= 1 + b.warmLeft*[3]float64{1, 0, -1}[c]
				}
				level := levels[min(max(int(lin*float64(len(levels)-1)), 0), len(levels)-1)]
				level += b.texture * pattern[(y/3%64)*64+sx/3%64]
				if b.stand && sx > b.w-b.w/24 {
					level *= .2
				}
				if b.windowRight > 0 && x > b.w-b.w/16 {
					level = b.windowRight
				}
				if in := b.box.Add(image.Pt(n*b.boxMoves, 0)); image.Pt(x, y).In(in) {
					level *= .6
				}
				out[3*(y*b.w+x)+c] = level + b.noise*sensor[3*x+c]
			}
		}
	}
	if b.blur > 0 {
		out = blurred(out, b.w, b.h, b.blur)
	}
	m := image.NewRGBA(image.Rect(0, 0, b.w, b.h))
	for i := range b.w * b.h {
		for c := range 3 {
			m.Pix[4*i+c] = uint8(min(max(out[3*i+c]+.5, 0), 255))
		}
		m.Pix[4*i+3] = 255
	}
	return m
}

// normals are a table of Gaussian noise; a row starts anywhere in it.
var normals = func() []float64 {
	rng := rand.New(rand.NewPCG(3, 3))
	t := make([]float64, 1<<17)
	for i := range t {
		t[i] = rng.NormFloat64()
	}
	return t
}()

// levels are the sRGB levels of linear light from 0 to 1.
var levels = func() []float64 {
	t := make([]float64, 1<<14)
	for i := range t {
		t[i] = encode(float64(i) / float64(len(t)-1))
	}
	return t
}()

func encode(lin float64) float64 {
	if lin <= .0031308 {
		return 255 * 12.92 * max(lin, 0)
	}
	return 255 * (1.055*math.Pow(lin, 1/2.4) - .055)
}

func blurred(v []float64, w, h int, sigma float64) []float64 {
	r := int(3*sigma + .5)
	var kernel []float64
	sum := 0.
	for i := -r; i <= r; i++ {
		k := math.Exp(-float64(i*i) / (2 * sigma * sigma))
		kernel = append(kernel, k)
		sum += k
	}
	pass := func(src []float64, dx, dy int) []float64 {
		dst := make([]float64, len(src))
		for y := range h {
			for x := range w {
				for i, k := range kernel {
					sx, sy := min(max(x+(i-r)*dx, 0), w-1), min(max(y+(i-r)*dy, 0), h-1)
					for c := range 3 {
						dst[3*(y*w+x)+c] += k / sum * src[3*(sy*w+sx)+c]
					}
				}
			}
		}
		return dst
	}
	return pass(pass(v, 1, 0), 0, 1)
}

func nobody(*image.RGBA) (bool, error) { return false, nil }

// calibrate runs n frames through a calibration.
func (b wall) calibrate(t testing.TB, o Options, n int) (*matte.Plate, *Judgement) {
	t.Helper()
	return b.finish(t, New(o), n)
}

// finish takes the frames into a calibration and ends it.
func (b wall) finish(t testing.TB, c *Calibrator, n int) (*matte.Plate, *Judgement) {
	t.Helper()
	for i := range n {
		if err := c.Add(b.frame(i, 1), time.Unix(0, 0).Add(time.Duration(i)*frameEvery)); err != nil {
			t.Fatal(err)
		}
	}
	p, j, err := c.Finish(matte.PlateInfo{TakenAt: time.Unix(1e9, 0), Camera: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return p, j
}
