package qr_test

import (
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"testing"

	qrcode "github.com/skip2/go-qrcode"

	"github.com/yunzhao-station/yunzhao/pipeline/held"
	"github.com/yunzhao-station/yunzhao/pipeline/plane"
	"github.com/yunzhao-station/yunzhao/pipeline/qr"
)

// text is as long as an address that the booth reads from a phone.
const text = "https://photos.example.edu/e/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkq"

// phone draws a phone's screen of 600×1100 pixels with the code in its middle,
// modules of a whole number of pixels and four of them around it.
func phone(t testing.TB, text string, dark bool) *image.Gray {
	t.Helper()
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		t.Fatal(err)
	}
	bits := code.Bitmap() // with the quiet zone
	const w, h = 600, 1100
	m := image.NewGray(image.Rect(0, 0, w, h))
	paper, ink := uint8(250), uint8(12)
	if dark {
		paper, ink = ink, paper
	}
	draw.Draw(m, m.Rect, image.NewUniform(color.Gray{40}), image.Point{}, draw.Src)
	k := (w - 40) / len(bits)
	x0, y0 := (w-k*len(bits))/2, (h-k*len(bits))/2
	for y := range k * len(bits) {
		for x := range k * len(bits) {
			v := paper
			if bits[y/k][x/k] {
				v = ink
			}
			m.SetGray(x0+x, y0+y, color.Gray{v})
		}
	}
	return m
}

// frame is a camera's picture of the phone.
func frame(p *image.Gray, scale, roll, yaw, pitch float64, c held.Conditions, rng *rand.Rand) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, qr.Side, qr.Side*9/16))
	for y := range m.Rect.Dy() { // something of a room behind it
		for x := range m.Rect.Dx() {
			m.Pix[y*m.Stride+x] = uint8(120 + 60*(x*y%7)/7 + (x/90+y/70)%2*40)
		}
	}
	c.Corners = held.Tilted(p.Rect.Dx(), p.Rect.Dy(), plane.Point{X: 480 + 40*(rng.Float64()-.5), Y: 270 + 20*(rng.Float64()-.5)}, scale, roll, yaw, pitch)
	held.Draw(m, p, c, rng)
	return m
}

func TestReadsAPhone(t *testing.T) {
	for _, tc := range []struct {
		name             string
		dark             bool
		scale, roll, yaw float64
		c                held.Conditions
	}{
		{"upright", false, .45, 0, 0, held.Conditions{Noise: 2}},
		{"turned", false, .45, .5, 0, held.Conditions{Noise: 2}},
		{"on its head", false, .45, 3.1, 0, held.Conditions{Noise: 2}},
		{"tilted", false, .45, 0, .5, held.Conditions{Noise: 2}},
		{"out of focus", false, .5, 0, 0, held.Conditions{Noise: 2, Blur: 1.5}},
		{"in the dark", false, .45, 0, 0, held.Conditions{Noise: 3, Light: .3}},
		{"dark theme", true, .45, 0, 0, held.Conditions{Noise: 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			r := qr.New()
			m := frame(phone(t, text, tc.dark), tc.scale, tc.roll, tc.yaw, 0, tc.c, rng)
			for range 4 { // as the frames of a camera come
				if got, ok := r.Decode(m); ok {
					if got != text {
						t.Fatalf("read %q", got)
					}
					return
				}
			}
			t.Fatal("not read in four frames")
		})
	}
}

func TestNothingToRead(t *testing.T) {
	r := qr.New()
	for name, m := range map[string]*image.Gray{
		"nil": nil, "empty": {}, "a pixel": image.NewGray(image.Rect(0, 0, 1, 1)),
		"black": image.NewGray(image.Rect(0, 0, 300, 200)), "a line": image.NewGray(image.Rect(0, 0, 300, 1)),
	} {
		for range 4 {
			if got, ok := r.Decode(m); ok {
				t.Errorf("%s: read %q", name, got)
			}
		}
	}
}

func TestPartOfALargerPicture(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	m := frame(phone(t, text, false), .45, 0, 0, 0, held.Conditions{Noise: 2}, rng)
	part, ok := m.SubImage(image.Rect(200, 0, 760, 540)).(*image.Gray)
	if !ok {
		t.Fatal("not grey")
	}
	if got, ok := qr.New().Decode(part); !ok || got != text {
		t.Errorf("read %q %v", got, ok)
	}
}

func TestWipeForgetsThePicture(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	r := qr.New()
	m := frame(phone(t, text, true), .45, 0, 0, 0, held.Conditions{}, rng)
	for range 4 {
		r.Decode(m)
	}
	r.Wipe()
	if got, ok := r.Decode(image.NewGray(m.Rect)); ok {
		t.Errorf("read %q after the wipe", got)
	}
}

// FuzzDecode feeds pictures of any content and shape.
func FuzzDecode(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	m := frame(phone(f, text, false), .3, 0, 0, 0, held.Conditions{}, rng)
	f.Add(m.Pix[:200*200], 200)
	f.Add(make([]byte, 64*64), 64)
	r := qr.New()
	f.Fuzz(func(t *testing.T, pix []byte, w int) {
		if w <= 0 || w > 512 || len(pix) > 1<<18 {
			return
		}
		m := &image.Gray{Pix: pix[:len(pix)/w*w], Stride: w, Rect: image.Rect(0, 0, w, len(pix)/w)}
		for range 4 {
			if s, ok := r.Decode(m); ok && (s == "" || len(s) > qr.MaxText) {
				t.Fatalf("handed out %d bytes", len(s))
			}
		}
	})
}
