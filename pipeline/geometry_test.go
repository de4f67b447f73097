package pipeline

import (
	"math"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// sitter is a head of average proportions: pupils apart by ied at (x, y).
func sitter(x, y, ied float64) head {
	return head{crownY: y - 1.95*ied, eyeY: y, chinY: y + 1.8*ied, cx: x, faceW: 2.12 * ied}
}

var hd = bounds{0, 0, 1920, 1080}

func TestFramingHoldsEveryWindow(t *testing.T) {
	for _, id := range spec.IDs() {
		s := standard(t, id)
		for _, h := range []head{sitter(960, 450, 120), sitter(960, 420, 130), sitter(1000, 470, 115)} {
			f := h.choose(s, hd, s.MaxUpscale)
			if m := h.misses(f, s); len(m) > 0 {
				t.Errorf("%s misses %v for %+v: %v", id, m, h, h.measure(f, s.Height))
			}
			x, y, w, hgt := h.rect(f, s.Width, s.Height)
			if x < -.01 || y < -.01 || x+w > 1920.01 || y+hgt > 1080.01 {
				t.Errorf("%s: crop %.1f %.1f %.1f %.1f leaves the frame", id, x, y, w, hgt)
			}
			if r := (w / hgt) / (float64(s.Width) / float64(s.Height)); math.Abs(r-1) > 1e-9 {
				t.Errorf("%s: proportions are off by %v", id, r)
			}
		}
	}
}

func TestFramingAimsAtTheMiddle(t *testing.T) {
	s := standard(t, "chsi")
	h := sitter(960, 450, 110)
	m := h.measure(h.choose(s, unbounded, anyScale), s.Height)
	for id, reach := range map[string]float64{spec.CrownMargin: 20, spec.EyeLine: 30, spec.FaceWidth: 40, spec.Centred: .01} {
		w := s.Geometry.Window(id)
		if mid := (w.Min + w.Max) / 2; math.Abs(m[id]-mid) > reach {
			t.Errorf("%s is %.1f, the middle of its window %.1f", id, m[id], mid)
		}
	}
}

// Where to move is the person's own left and right, which a mirrored preview
// shows on the same side of the screen.
func TestAdvice(t *testing.T) {
	s := standard(t, "chsi")
	for name, tc := range map[string]struct {
		h    head
		icon string // "" = fits
	}{
		"right":           {sitter(960, 450, 110), ""},
		"at frame left":   {sitter(150, 450, 110), "arrow-left"},
		"at frame right":  {sitter(1770, 450, 110), "arrow-right"},
		"too high":        {sitter(960, 150, 110), "arrow-down"},
		"too low":         {sitter(960, 900, 110), "arrow-up"},
		"too close":       {sitter(960, 540, 260), "further"},
		"too far":         {sitter(960, 540, 40), "closer"},
		"upright frame":   {sitter(300, 400, 240), "further"},
		"low and to left": {sitter(250, 980, 110), "arrow-up"},
	} {
		b := hd
		if name == "upright frame" {
			b = bounds{0, 0, 600, 800}
		}
		f := tc.h.choose(s, b, s.MaxUpscale)
		missed := len(tc.h.misses(f, s)) > 0
		if missed != (tc.icon != "") {
			t.Errorf("%s: misses %v", name, tc.h.misses(f, s))
			continue
		}
		if a, ok := tc.h.advise(s, b, s.MaxUpscale); missed && (!ok || a.Icon != tc.icon || a.ZH == "" || a.EN == "") {
			t.Errorf("%s: %+v, want %s", name, a, tc.icon)
		}
	}
}

// The way and the amount that advise names, followed, is enough.
func TestAdviceIsEnough(t *testing.T) {
	s := standard(t, "chsi")
	for _, h := range []head{sitter(150, 450, 110), sitter(1800, 450, 110), sitter(960, 140, 110), sitter(960, 900, 110)} {
		a, ok := h.advise(s, hd, s.MaxUpscale)
		if !ok {
			t.Fatalf("no advice for %+v", h)
		}
		ideal := h.choose(s, unbounded, anyScale)
		x, y, w, hgt := h.rect(ideal, s.Width, s.Height)
		dx := max(0, -x) - max(0, x+w-1920)
		dy := max(0, -y) - max(0, y+hgt-1080)
		moved := h
		moved.cx += dx
		moved.crownY, moved.eyeY, moved.chinY = h.crownY+dy, h.eyeY+dy, h.chinY+dy
		if m := moved.misses(moved.choose(s, hd, s.MaxUpscale), s); len(m) > 0 {
			t.Errorf("after %s: still misses %v", a.Icon, m)
		}
	}
}

func TestYieldingWindow(t *testing.T) {
	s := standard(t, "id-card")
	h := sitter(960, 500, 120)
	h.crownY -= 150 // tall hair
	f := h.choose(s, hd, s.MaxUpscale)
	if m := h.misses(f, s); len(m) > 0 {
		t.Errorf("misses %v", m)
	}
	m := h.measure(f, s.Height)
	if m[spec.EyeLine] > 234 || m[spec.FaceWidth] < 193 {
		t.Errorf("tall hair moved the face: %v", m)
	}
}

func FuzzChoose(f *testing.F) {
	f.Add(960., 450., 110., 1920., 1080.)
	f.Add(-5., 2000., .1, 64., 64.)
	f.Fuzz(func(t *testing.T, x, y, ied, w, h float64) {
		hd := sitter(x, y, ied)
		if !hd.valid() || !(w >= minFrame && w <= 8000 && h >= minFrame && h <= 8000) || ied > 1e5 || math.Abs(x) > 1e5 || math.Abs(y) > 1e5 || ied < .01 {
			return
		}
		s := standard(t, "chsi")
		b := bounds{0, 0, w, h}
		fr := hd.choose(s, b, s.MaxUpscale)
		if !(fr.scale > 0) || math.IsNaN(fr.eye+fr.off) {
			t.Fatalf("framing %+v", fr)
		}
		hd.advise(s, b, s.MaxUpscale)
	})
}

func BenchmarkChoose(b *testing.B) {
	s, h := standard(b, "chsi"), sitter(960, 450, 110)
	for b.Loop() {
		h.choose(s, hd, s.MaxUpscale)
	}
}
