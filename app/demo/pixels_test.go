package demo

import (
	"encoding/binary"
	"image"
	"image/color"
	"math"
	"testing"
)

// near tells whether two colours differ by no more than tol in any channel.
func near(a, b color.RGBA, tol int) bool {
	d := func(x, y uint8) bool { return int(x)-int(y) <= tol && int(y)-int(x) <= tol }
	return d(a.R, b.R) && d(a.G, b.G) && d(a.B, b.B)
}

// skin tells whether a colour may be a face's: of any complexion, red is above
// green and green above blue.
func skin(c color.RGBA) bool {
	r, g, b := int(c.R), int(c.G), int(c.B)
	return r > 60 && r > g+8 && g > b && r > b+20
}

// ink counts the dark pixels.
func ink(img *image.RGBA, at image.Rectangle) (n int) {
	at = at.Intersect(img.Rect)
	for y := at.Min.Y; y < at.Max.Y; y++ {
		for x := at.Min.X; x < at.Max.X; x++ {
			if c := img.RGBAAt(x, y); int(c.R)+int(c.G)+int(c.B) < 300 {
				n++
			}
		}
	}
	return n
}

// different counts the pixels above the row bottom that differ visibly.
func different(a, b *image.RGBA, bottom int) (n int) {
	if a.Rect != b.Rect {
		return math.MaxInt
	}
	for y := range min(bottom, a.Rect.Dy()) {
		for x := range a.Rect.Dx() {
			if !near(a.RGBAAt(x, y), b.RGBAAt(x, y), 8) {
				n++
			}
		}
	}
	return n
}

// Side of the grid that sidedness looks at.
const gridW, gridH = 48, 36

// sidedness correlates what is not symmetric in two pictures of the same thing:
// near 1 when both are the same way round, near -1 when one is the mirror image
// of the other. Pictures of different proportions are compared over what the
// middle of the wider one and the whole of the narrower share.
func sidedness(a, b image.Image) float64 {
	if a == nil || b == nil {
		return 0
	}
	ratio := min(aspect(a), aspect(b))
	x, y := lopsided(grid(a, ratio)), lopsided(grid(b, ratio))
	var xy, xx, yy float64
	for i := range x {
		xy += x[i] * y[i]
		xx += x[i] * x[i]
		yy += y[i] * y[i]
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

func aspect(m image.Image) float64 { return float64(m.Bounds().Dx()) / float64(m.Bounds().Dy()) }

// grid is the mean luminance of the cells of the middle of m that has the
// proportions.
func grid(m image.Image, ratio float64) []float64 {
	b := m.Bounds()
	w := min(b.Dx(), int(math.Round(ratio*float64(b.Dy()))))
	x0 := b.Min.X + (b.Dx()-w)/2
	sum, n := make([]float64, gridW*gridH), make([]float64, gridW*gridH)
	for y := range b.Dy() {
		for x := range w {
			r, g, bl, _ := m.At(x0+x, b.Min.Y+y).RGBA()
			i := y*gridH/b.Dy()*gridW + x*gridW/w
			sum[i] += 0.299*float64(r) + 0.587*float64(g) + 0.114*float64(bl)
			n[i]++
		}
	}
	for i := range sum {
		sum[i] /= max(n[i], 1)
	}
	return sum
}

// lopsided leaves what differs between a cell and its mirror image.
func lopsided(g []float64) []float64 {
	out := make([]float64, len(g))
	for y := range gridH {
		for x := range gridW {
			out[y*gridW+x] = g[y*gridW+x] - g[y*gridW+gridW-1-x]
		}
	}
	return out
}

// density reads the dots per inch of a JFIF file; 0 when it says none.
func density(jpeg []byte) (x, y int) {
	if len(jpeg) < 18 || string(jpeg[6:11]) != "JFIF\x00" || jpeg[13] != 1 {
		return 0, 0
	}
	return int(binary.BigEndian.Uint16(jpeg[14:])), int(binary.BigEndian.Uint16(jpeg[16:]))
}

func TestSidedness(t *testing.T) {
	paint := func(w, h int, mirror bool) *image.RGBA {
		m := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				// The same picture of the middle square at any width.
				u := (float64(x) + 0.5 - float64(w)/2) / float64(h)
				if mirror {
					u = -u
				}
				v := 128 + 60*math.Cos(9*u) + 20*math.Sin(5*u+float64(y)/float64(h))
				m.SetRGBA(x, y, color.RGBA{uint8(v), uint8(v), uint8(v), 255})
			}
		}
		return m
	}
	a := paint(200, 200, false)
	for _, c := range []struct {
		name   string
		b      image.Image
		lo, hi float64
	}{
		{"itself", a, 0.999, 1},
		{"its mirror image", paint(200, 200, true), -1, -0.99},
		{"the same, wider", paint(320, 200, false), 0.98, 1},
		{"the mirror image, wider and larger", paint(640, 400, true), -1, -0.98},
		{"a flat one", image.NewRGBA(image.Rect(0, 0, 50, 50)), 0, 0},
		{"none", nil, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := sidedness(a, c.b); got < c.lo || got > c.hi {
				t.Errorf("sidedness %v, want %v to %v", got, c.lo, c.hi)
			}
		})
	}
}

func TestColours(t *testing.T) {
	for _, c := range []struct {
		name string
		c    color.RGBA
		skin bool
	}{
		{"light skin", color.RGBA{230, 190, 165, 255}, true},
		{"dark skin", color.RGBA{96, 62, 44, 255}, true},
		{"the preset's blue", color.RGBA{100, 197, 255, 255}, false},
		{"a grey wall", color.RGBA{200, 200, 199, 255}, false},
		{"a dark suit", color.RGBA{40, 40, 44, 255}, false},
		{"red and blue swapped", color.RGBA{165, 190, 230, 255}, false},
	} {
		if skin(c.c) != c.skin {
			t.Errorf("%s: skin = %v", c.name, !c.skin)
		}
	}
	if !near(color.RGBA{100, 200, 5, 255}, color.RGBA{108, 192, 0, 255}, 8) || near(color.RGBA{0, 0, 0, 255}, color.RGBA{0, 9, 0, 255}, 8) {
		t.Error("near")
	}
}

func TestDensity(t *testing.T) {
	head := []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x01\x01\x2c\x01\x2c\x00\x00")
	if x, y := density(head); x != 300 || y != 300 {
		t.Errorf("%d×%d", x, y)
	}
	for name, b := range map[string][]byte{"empty": nil, "short": head[:15], "Exif": []byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x01\x01\x01\x01\x2c\x01\x2c\x00\x00")} {
		if x, y := density(b); x != 0 || y != 0 {
			t.Errorf("%s: %d×%d", name, x, y)
		}
	}
}
