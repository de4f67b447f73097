package matte

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"
)

// grabCase is a picture that GrabCut could stumble over; OpenCV ends the
// program where it does not like what it gets.
type grabCase struct {
	name    string
	w, h    int
	paint   func(x, y, ch int) float32
	label   func(x, y int) uint8
	refused bool
}

func (c grabCase) picture() [3][]float32 {
	var p [3][]float32
	for ch := range p {
		p[ch] = make([]float32, c.w*c.h)
		for i := range p[ch] {
			p[ch][i] = c.paint(i%c.w, i/c.w, ch)
		}
	}
	return p
}

func (c grabCase) seed() []uint8 {
	l := make([]uint8, c.w*c.h)
	for i := range l {
		l[i] = c.label(i%c.w, i/c.w)
	}
	return l
}

func grabCases() []grabCase {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := func(int, int, int) float32 { return 255 * rng.Float32() }
	flat := func(v float32) func(int, int, int) float32 { return func(int, int, int) float32 { return v } }
	quarters := func(x, y int) uint8 { return uint8(x/4+y/4) % 4 }
	all := func(l uint8) func(int, int) uint8 { return func(int, int) uint8 { return l } }
	return []grabCase{
		{"black", 60, 80, flat(0), quarters, false},
		{"white", 60, 80, flat(255), quarters, false},
		{"beyond the scale", 60, 80, flat(1e9), quarters, false},
		{"noise", grabSide, grabSide, noise, quarters, false},
		{"checks", 61, 79, func(x, y, _ int) float32 { return float32((x + y) % 2 * 255) }, quarters, false},
		{"one channel", 60, 80, func(x, _, ch int) float32 { return float32(ch * x % 256) }, quarters, false},
		{"a thin strip", grabSide, 16, noise, quarters, false},
		{"a column", 16, grabSide, noise, quarters, false},
		{"nobody", 60, 80, noise, all(grabBack), true},
		{"only a person", 60, 80, noise, all(grabPerson), true},
		{"one pixel of backdrop", 60, 80, noise, func(x, y int) uint8 { return b2u(x+y > 0) }, true},
	}
}

func TestGrabCutWithstands(t *testing.T) {
	for _, c := range grabCases() {
		t.Run(c.name, func(t *testing.T) {
			labels := c.seed()
			sure := c.seed()
			err := grabCut(c.picture(), labels, c.w, c.h)
			if (err != nil) != c.refused {
				t.Fatalf("got %v", err)
			}
			for i, l := range labels {
				if l > grabMaybePerson || sure[i] <= grabPerson && l != sure[i] {
					t.Fatalf("label %d became %d at %d", sure[i], l, i)
				}
			}
		})
	}
}

// posters is a frame with a figure before a wall full of coloured squares.
func posters(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := uint32(x*16/w*31+y*16/h*57) * 2654435761
			c := color.RGBA{uint8(v>>8)/2 + 100, uint8(v>>16)/2 + 100, uint8(v >> 24), 255}
			dx, dy := float64(x)/float64(w)-.5, float64(y)/float64(h)-.45
			if dx*dx/.03+dy*dy/.05 < 1 || dy > .25 && dx*dx < .1 {
				c = color.RGBA{20, 16, 12, 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

// Before clutter there is still a portrait, said to be a poor one, and the same
// each time.
func TestClutterStillMakesAPortrait(t *testing.T) {
	frame := posters(480, 560)
	face := FaceBox{X: 160, Y: 150, W: 160, H: 170}
	region := Rect{X: 20, Y: 20, W: 440, H: 520}
	var first []byte
	for range 2 {
		m := New()
		seg, err := m.Segment(frame, nil, face, region)
		if err != nil {
			t.Fatal(err)
		}
		if seg.Method != MethodFrame || seg.Confidence > clutterTrust || !seg.Cluttered || seg.Drift.Kind != DriftNone {
			t.Errorf("method %s, confidence %.2f, drift %s", seg.Method, seg.Confidence, seg.Drift.Kind)
		}
		p, err := m.Render(seg, Rect{X: 60, Y: 40, W: 360, H: 480}, 240, 320, color.RGBA{255, 255, 255, 255}, false)
		if err != nil {
			t.Fatal(err)
		}
		if head, corner := p.Alpha.GrayAt(120, 140).Y, p.Alpha.GrayAt(6, 6).Y; head != 255 || corner != 0 {
			t.Errorf("alpha %d in the face, %d in the corner", head, corner)
		}
		if p.PlateCut != nil {
			t.Error("a plate that nobody photographed")
		}
		if first == nil {
			first = p.Alpha.Pix
		} else if !bytes.Equal(first, p.Alpha.Pix) {
			t.Error("the same photo gave another portrait")
		}
	}
}

// A plain wall is better described by its own colour.
func TestPlainWallNeedsNoGrabCut(t *testing.T) {
	frame := posters(480, 560)
	for i := 0; i < len(frame.Pix); i += 4 {
		if frame.Pix[i] != 20 {
			copy(frame.Pix[i:], []byte{180, 190, 200})
		}
	}
	seg, err := New().Segment(frame, nil, FaceBox{X: 160, Y: 150, W: 160, H: 170}, Rect{X: 20, Y: 20, W: 440, H: 520})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := seg.wall.(*frameBackdrop); !ok || seg.Cluttered || seg.Confidence <= clutterTrust {
		t.Errorf("wall %T, confidence %.2f", seg.wall, seg.Confidence)
	}
}

// A face that fills its region leaves nothing to learn the surroundings from.
func TestClutterWithoutSurroundings(t *testing.T) {
	frame := posters(300, 300)
	_, err := New().Segment(frame, nil, FaceBox{X: 100, Y: 100, W: 100, H: 100}, Rect{X: 110, Y: 110, W: 80, H: 80})
	if err == nil || errors.Is(err, ErrPlateSize) {
		t.Errorf("got %v", err)
	}
}
