package pipeline

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
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

// Whatever side of the frame a head is too near to, and however near or far it
// is, every standard says the right way, and following it is enough.
func TestAdviceOfEveryStandard(t *testing.T) {
	for _, id := range spec.IDs() {
		s := standard(t, id)
		fits := sitter(960, 450, 120)
		ideal, ok := fits.fit(s, unbounded, anyScale)
		if !ok {
			t.Fatalf("%s: an average head does not fit", id)
		}
		w, hgt := float64(s.Width)/ideal.scale, float64(s.Height)/ideal.scale
		// A frame with room for the crop, but little more.
		b := bounds{0, 0, 1.5 * w, 1.5 * hgt}
		mid := sitter(.75*w, .75*hgt, 120)
		for name, tc := range map[string]struct {
			h    head
			max  float64
			icon string
			good func(Move) bool
		}{
			"at the top":    {mid.moved(b, Move{1, 0, -mid.crownY}), anyScale, "arrow-down", func(m Move) bool { return m.Down > 0 }},
			"at the bottom": {mid.moved(b, Move{1, 0, 1.5*hgt - mid.chinY}), anyScale, "arrow-up", func(m Move) bool { return m.Down < 0 }},
			"at the left":   {mid.moved(b, Move{1, -mid.cx + .1*w, 0}), anyScale, "arrow-left", func(m Move) bool { return m.Right > 0 }},
			"at the right":  {mid.moved(b, Move{1, mid.cx - .1*w, 0}), anyScale, "arrow-right", func(m Move) bool { return m.Right < 0 }},
			"near":          {mid.zoomed(b, 2.5), anyScale, "further", func(m Move) bool { return m.Zoom < 1 }},
			"far":           {mid.zoomed(b, .3), ideal.scale * 1.1, "closer", func(m Move) bool { return m.Zoom > 1 }},
		} {
			if name == "at the top" && s.Geometry.Yields(spec.CrownMargin) {
				continue // the space above the head gives way
			}
			if m := tc.h.misses(tc.h.choose(s, b, tc.max), s); len(m) == 0 {
				t.Errorf("%s %s: nothing is missed", id, name)
			}
			a, ok := tc.h.advise(s, b, tc.max)
			if !ok || a.Icon != tc.icon || !tc.good(a.Move) || !strings.Contains(a.FullZH, "像素") || !strings.Contains(a.FullEN, "%") || len([]rune(a.ZH)) > 28 || strings.Contains(a.FullZH+a.FullEN+a.ZH+a.EN, "%!") {
				t.Errorf("%s %s: %+v, want %s", id, name, a, tc.icon)
				continue
			}
			if _, ok := tc.h.moved(b, a.Move).fit(s, b, tc.max); !ok {
				t.Errorf("%s %s: after %+v it still does not fit", id, name, a.Move)
			}
		}
	}
}

// Every window of every standard is left on both sides, by name.
func TestEveryWindowIsNamed(t *testing.T) {
	for _, id := range spec.IDs() {
		s := standard(t, id)
		for _, g := range geometryIDs {
			r := s.Geometry.Window(g)
			for v, miss := range map[float64]bool{r.Min: false, r.Max: false, r.Min - .01: true, r.Max + .01: true} {
				if math.IsNaN(v) {
					continue
				}
				m := map[string]float64{}
				for _, other := range geometryIDs { // in the middle of their windows
					o := s.Geometry.Window(other)
					switch {
					case math.IsNaN(o.Min):
						m[other] = o.Max
					case math.IsNaN(o.Max):
						m[other] = o.Min
					default:
						m[other] = (o.Min + o.Max) / 2
					}
				}
				m[g] = v
				got := missing(m, s)
				if want := miss && !s.Geometry.Yields(g); want != slices.Equal(got, []string{g}) || !want && len(got) > 0 {
					t.Errorf("%s: %s = %v in %v: misses %v", id, g, v, r, got)
				}
				if say := sitter(0, 0, 100).excess(s, g, v); miss && (!strings.Contains(say.ZH, "0.1 像素") || strings.Contains(say.EN, "above") != (v > r.Max)) {
					t.Errorf("%s: %s = %v says %v", id, g, v, say)
				}
			}
		}
	}
}

// Any head in any frame: all windows hold to the last digit, or following the
// advice makes them hold, or the head's own proportions contradict them.
func TestWindowsHoldOrAdviceMakesThem(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	ids := spec.IDs()
	var fitted, advised, contradicted int
	for range 6000 {
		s := standard(t, ids[rng.IntN(len(ids))])
		ied := 20 * math.Pow(20, rng.Float64())
		b := bounds{0, 0, 640 + rng.Float64()*3200, 480 + rng.Float64()*2400}
		h := sitter(rng.Float64()*b.right, rng.Float64()*b.bottom, ied)
		h.crownY -= ied * (rng.Float64() - .3) // bald to tall hair
		h.chinY += ied * (rng.Float64() - .5) * .5
		h.faceW *= .85 + .3*rng.Float64()
		f, ok := h.fit(s, b, s.MaxUpscale)
		chosen := h.choose(s, b, s.MaxUpscale)
		missed := h.misses(chosen, s)
		if ok {
			fitted++
			x, y, w, hgt := h.rect(f, s.Width, s.Height)
			if len(missed) > 0 || f != chosen || x < -1e-6 || y < -1e-6 || x+w > b.right+1e-6 || y+hgt > b.bottom+1e-6 {
				t.Fatalf("%s: %+v in %+v: %v, crop %v %v %v %v", s.ID, h, b, missed, x, y, w, hgt)
			}
			continue
		}
		if len(missed) == 0 {
			t.Fatalf("%s: %+v in %+v does not fit, but nothing is missed", s.ID, h, b)
		}
		a, ok := h.advise(s, b, s.MaxUpscale)
		if !ok {
			contradicted++
			if _, fits := h.fit(s, unbounded, anyScale); fits {
				t.Fatalf("%s: %+v in %+v: no advice", s.ID, h, b)
			}
			continue
		}
		advised++
		least := max(float64(s.Width)/b.right, float64(s.Height)/b.bottom)
		if least > s.MaxUpscale {
			continue // the camera is to blame
		}
		if _, fits := h.moved(b, a.Move).fit(s, b, s.MaxUpscale); !fits {
			t.Fatalf("%s: %+v in %+v: after %+v it does not fit", s.ID, h, b, a.Move)
		}
	}
	t.Logf("%d fit, %d were told where to move, %d contradict their standard", fitted, advised, contradicted)
	if fitted < 500 || advised < 500 || contradicted < 50 {
		t.Errorf("only %d fit, %d advised, %d contradict", fitted, advised, contradicted)
	}
}

// Tall hair that no place in the frame can make fit is named.
func TestTallHairIsNamed(t *testing.T) {
	s := standard(t, "chsi")
	h := sitter(960, 500, 110)
	h.crownY -= 200
	if _, ok := h.advise(s, hd, s.MaxUpscale); ok {
		t.Fatal("a move is said to help")
	}
	f := h.choose(s, hd, s.MaxUpscale)
	missed := h.misses(f, s)
	if len(missed) == 0 {
		t.Fatal("nothing is missed")
	}
	for _, id := range missed {
		if say := h.excess(s, id, h.measure(f, s.Height)[id]); !strings.Contains(say.ZH, "压平头发") || !strings.Contains(say.EN, "hair") {
			t.Errorf("%s: %v", id, say)
		}
	}
}

// A framing that only enlarging beyond the limit would give is refused.
func TestUpscaleIsLimited(t *testing.T) {
	s := standard(t, "chsi")
	h := sitter(150, 120, 56) // fits a frame of 300×400, if it were enlarged by 1.6
	b := bounds{0, 0, 300, 400}
	f := h.choose(s, b, s.MaxUpscale)
	if m := h.misses(f, s); !slices.Contains(m, spec.Upscale) {
		t.Errorf("enlarged %.2f times, misses %v", f.scale, m)
	}
	a, ok := h.advise(s, b, s.MaxUpscale)
	if !ok || !strings.Contains(a.ZH, "384×512") {
		t.Errorf("%+v: want the resolution that is needed", a)
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
