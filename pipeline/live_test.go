package pipeline

import (
	"bytes"
	"errors"
	"image"
	"sync"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// preview reduces a scene as the booth does.
func preview(t testing.TB, s scene) *image.RGBA {
	t.Helper()
	size := LiveSize(image.Pt(s.w, s.h))
	k := float64(s.w) / float64(size.X)
	s.x, s.y, s.scale, s.w, s.h = s.x/k, s.y/k, s.scale/k, size.X, size.Y
	return s.render(t)
}

func TestLive(t *testing.T) {
	z, s := maker(t), standard(t, "chsi")
	for name, tc := range map[string]struct {
		scene scene
		icon  string
		ready bool
	}{
		"right":     {booth(), "ok", true},
		"nobody":    {scene{w: 1920, h: 1080, nobody: true}, "person", false},
		"far":       {scene{w: 1920, h: 1080, x: 700, y: 520, scale: .45}, "closer", false},
		"near":      {scene{w: 1920, h: 1080, x: 100, y: -100, scale: 1.55}, "further", false},
		"high":      {scene{w: 1920, h: 1080, x: 547, y: -30, scale: .87}, "arrow-down", false},
		"low":       {scene{w: 1920, h: 1080, x: 547, y: 520, scale: .76}, "arrow-up", false},
		"at left":   {scene{w: 1920, h: 1080, x: -250, y: 205, scale: .76}, "arrow-left", false},
		"at right":  {scene{w: 1920, h: 1080, x: 1330, y: 205, scale: .76}, "arrow-right", false},
		"dark":      {scene{w: 1920, h: 1080, x: 547, y: 205, scale: .76, dim: .93}, "light", false},
		"two heads": {scene{w: 1920, h: 1080, x: 300, y: 205, scale: .76, second: true}, "person", false},
	} {
		t.Run(name, func(t *testing.T) {
			z.Wipe() // another visit
			r, err := z.Live(preview(t, tc.scene), tc.scene.w, s)
			if err != nil {
				t.Fatal(err)
			}
			if r.Hint.Icon != tc.icon || r.Ready != tc.ready || r.Hint.ZH == "" || r.Hint.EN == "" {
				t.Errorf("hint %+v ready %v, want %s %v", r.Hint, r.Ready, tc.icon, tc.ready)
				for _, c := range r.Checks {
					t.Logf("%s %s %v", c.ID, c.Status, deref(c.Value))
				}
			}
			if (r.Face == nil) != tc.scene.nobody {
				t.Errorf("face %v", r.Face)
			}
			if f := r.Face; f != nil && (f.X < 0 || f.Y < 0 || f.X+f.W > 1 || f.Y+f.H > 1 || f.W <= 0) {
				t.Errorf("face box %+v", f)
			}
		})
	}
}

// Whoever is told "ready" gets a photo: the same scene passes the full check.
func TestReadyMeansAPhoto(t *testing.T) {
	z, s := maker(t), standard(t, "chsi")
	for _, sc := range []scene{
		booth(), {w: 1920, h: 1080, x: 300, y: 205, scale: .76}, {w: 1920, h: 1080, x: 520, y: 160, scale: .82}, {w: 1920, h: 1080, x: 560, y: 240, scale: .73},
	} {
		z.Wipe()
		live, err := z.Live(preview(t, sc), sc.w, s)
		if err != nil {
			t.Fatal(err)
		}
		r, err := z.Standardize(t.Context(), Input{Frame: sc.render(t), Plate: sc.plate(t), Spec: s})
		if err != nil {
			t.Fatal(err)
		}
		if live.Ready && r.Report.Verdict == Fail {
			t.Errorf("%+v is ready but fails", sc)
		}
	}
}

func TestLiveBadInput(t *testing.T) {
	z, s := maker(t), standard(t, "chsi")
	m := image.NewRGBA(image.Rect(0, 0, 480, 270))
	for name, call := range map[string]func() error{
		"no frame":    func() error { _, err := z.Live(nil, 1920, s); return err },
		"no standard": func() error { _, err := z.Live(m, 1920, nil); return err },
		"enlarged":    func() error { _, err := z.Live(m, 100, s); return err },
	} {
		if err := call(); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLiveBesideAPhoto(t *testing.T) {
	z, s, b := maker(t), standard(t, "chsi"), booth()
	small, frame, plate := preview(t, b), b.render(t), b.plate(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := z.Standardize(t.Context(), Input{Frame: frame, Plate: plate, Spec: s}); err != nil {
			t.Error(err)
		}
	})
	for range 3 {
		if _, err := z.Live(small, b.w, s); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	z.Wipe()
	if bytes.ContainsFunc(z.live.gray.Pix, func(r rune) bool { return r != 0 }) {
		t.Error("the live picture outlives Wipe")
	}
}

func BenchmarkLive(b *testing.B) {
	z, s := maker(b), standard(b, "chsi")
	full := booth().render(b)
	jpg, err := codec.EncodeRGBA(nil, full, 90, codec.S422)
	if err != nil {
		b.Fatal(err)
	}
	small := preview(b, booth())
	b.Run("evaluate", func(b *testing.B) {
		for b.Loop() {
			if _, err := z.Live(small, 1920, s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode+evaluate", func(b *testing.B) {
		for b.Loop() {
			if err := codec.PreviewInto(small, jpg, false); err != nil {
				b.Fatal(err)
			}
			if _, err := z.Live(small, 1920, s); err != nil {
				b.Fatal(err)
			}
		}
	})
}
