package pipeline

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/face"
)

// burstScene is a frame of a burst at its reduced size, with the face in it.
type burstScene struct {
	img  *image.RGBA
	face face.Face
}

// instant renders the usual student dx pixels (of the full frame) to the right.
func instant(t testing.TB, dx float64, seed uint64) burstScene {
	t.Helper()
	s := booth()
	s.x += dx
	size := BurstSize(image.Pt(s.w, s.h))
	k := float64(s.w) / float64(size.X)
	s.x, s.y, s.scale, s.w, s.h, s.seed = s.x/k, s.y/k, s.scale/k, size.X, size.Y, seed
	m := s.render(t)
	var gray image.Gray
	lumaInto(&gray, m)
	d, err := detector()
	if err != nil {
		t.Fatal(err)
	}
	faces, err := d.Detect(&gray, face.Options{})
	if err != nil || len(faces) != 1 {
		t.Fatalf("%d faces, %v", len(faces), err)
	}
	return burstScene{m, faces[0]}
}

// oval paints an ellipse with half axes rx and ry, in eye distances.
func (b burstScene) oval(at face.Point, rx, ry float64, c color.RGBA) {
	ied := b.face.IED()
	rx, ry = rx*ied, ry*ied
	for y := int(at.Y - ry); y <= int(at.Y+ry); y++ {
		for x := int(at.X - rx); x <= int(at.X+rx); x++ {
			if math.Hypot((float64(x)+.5-at.X)/rx, (float64(y)+.5-at.Y)/ry) < 1 {
				b.img.SetRGBA(x, y, c)
			}
		}
	}
}

// skin is the colour just under the eye.
func (b burstScene) skin(eye face.Point) color.RGBA {
	return b.img.RGBAAt(int(eye.X), int(eye.Y+.3*b.face.IED()))
}

func (b burstScene) closeEyes() burstScene {
	for _, eye := range []face.Point{b.face.LeftEye, b.face.RightEye} {
		b.oval(eye, .27, .15, b.skin(eye))
		b.oval(face.Point{X: eye.X, Y: eye.Y + .1*b.face.IED()}, .22, .018, color.RGBA{60, 40, 35, 255})
	}
	return b
}

func (b burstScene) openMouth() burstScene {
	m := b.face.MouthMid()
	b.oval(face.Point{X: m.X, Y: m.Y + .05*b.face.IED()}, .3, .16, color.RGBA{25, 10, 12, 255})
	return b
}

// smear blurs along a row, as a movement during the exposure does.
func (b burstScene) smear(px int) burstScene {
	src := append([]uint8(nil), b.img.Pix...)
	w := b.img.Rect.Dx()
	for y := range b.img.Rect.Dy() {
		for x := range w {
			for c := range 3 {
				sum := 0
				for k := -px; k <= px; k++ {
					sum += int(src[b.img.PixOffset(min(max(x+k, 0), w-1), y)+c])
				}
				b.img.Pix[b.img.PixOffset(x, y)+c] = uint8(sum / (2*px + 1))
			}
		}
	}
	return b
}

var burstStart = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

// burstOf makes frames a tenth of a second apart.
func burstOf(scenes ...burstScene) []BurstFrame {
	var frames []BurstFrame
	for i, s := range scenes {
		frames = append(frames, BurstFrame{At: burstStart.Add(time.Duration(i) * 100 * time.Millisecond), Load: func(dst *image.RGBA) error {
			codec.ResizeRGBA(dst, s.img.Rect.Dx(), s.img.Rect.Dy())
			copy(dst.Pix, s.img.Pix)
			return nil
		}})
	}
	return frames
}

var thumbSize = image.Pt(120, 160)

func TestBurstPicksTheBestFrame(t *testing.T) {
	at := func(dx float64, seed uint64) burstScene { return instant(t, dx, seed) }
	good := func(seed uint64) burstScene { return at(0, seed) }
	for name, c := range map[string]struct {
		scenes  []burstScene
		shutter int
		best    int
		flaws   map[int]Flaw
	}{
		"all alike: the one on the screen": {[]burstScene{good(1), good(2), good(3), good(4), good(5)}, 2, 2, nil},
		"a blink at the shutter":           {[]burstScene{good(1), good(2), good(3).closeEyes(), good(4)}, 2, 1, map[int]Flaw{2: FlawEyes}},
		"a blink elsewhere":                {[]burstScene{good(1).closeEyes(), good(2), good(3), good(4).closeEyes()}, 2, 2, map[int]Flaw{0: FlawEyes, 3: FlawEyes}},
		"speaking":                         {[]burstScene{good(1), good(2).openMouth(), good(3).openMouth(), good(4)}, 1, 0, map[int]Flaw{1: FlawMouth, 2: FlawMouth}},
		"moved while exposed":              {[]burstScene{good(1), good(2), good(3).smear(5), good(4).smear(5)}, 2, 1, map[int]Flaw{2: FlawBlur, 3: FlawBlur}},
		"on the way to the seat":           {[]burstScene{at(-300, 1), at(-160, 2), at(-10, 3), good(4), good(5)}, 1, 3, map[int]Flaw{0: FlawMotion, 1: FlawMotion}},
		"closed in all: nobody's choice":   {[]burstScene{good(1).closeEyes(), good(2).closeEyes(), good(3).closeEyes()}, 1, 1, map[int]Flaw{0: FlawEyes, 1: FlawEyes, 2: FlawEyes}},
		"one frame":                        {[]burstScene{good(1)}, 0, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			best, moments, err := maker(t).NewBurst().Judge(t.Context(), burstOf(c.scenes...), c.shutter, thumbSize)
			if err != nil || len(moments) != len(c.scenes) {
				t.Fatalf("%d moments: %v", len(moments), err)
			}
			for i, m := range moments {
				m.Thumb = nil
				t.Logf("%d: %+v", i, m)
				if m.Flaw != c.flaws[i] {
					t.Errorf("frame %d: flaw %q, want %q", i, m.Flaw, c.flaws[i])
				}
			}
			if best != c.best {
				t.Errorf("frame %d is the best, want %d", best, c.best)
			}
		})
	}
}

func TestBurstWithFramesMissing(t *testing.T) {
	b := maker(t).NewBurst()
	frames := burstOf(instant(t, 0, 1), instant(t, 0, 2), instant(t, 0, 3))
	frames[1].Load = func(*image.RGBA) error { return errors.New("damaged") }
	best, moments, err := b.Judge(t.Context(), frames, 1, thumbSize)
	if err != nil || best == 1 || moments[1].Flaw != FlawNoFace || moments[1].Score != 0 {
		t.Errorf("best %d of %+v: %v", best, moments, err)
	}
	empty := scene{w: 960, h: 540, nobody: true}.render(t)
	nobody := burstOf(burstScene{img: empty}, burstScene{img: empty})
	if best, moments, err = b.Judge(t.Context(), nobody, 1, thumbSize); err != nil || best != 1 || moments[0].Score != 0 || moments[0].Thumb == nil {
		t.Errorf("nobody there: best %d of %+v: %v", best, moments, err)
	}
	for name, call := range map[string]func() error{
		"no frames":           func() error { _, _, err := b.Judge(t.Context(), nil, 0, thumbSize); return err },
		"shutter beyond":      func() error { _, _, err := b.Judge(t.Context(), frames, 3, thumbSize); return err },
		"no room for a thumb": func() error { _, _, err := b.Judge(t.Context(), frames, 0, image.Point{}); return err },
	} {
		if err := call(); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := b.Judge(gone, frames, 0, thumbSize); !errors.Is(err, context.Canceled) {
		t.Errorf("after the visit: %v", err)
	}
}

func TestBurstKeepsNothing(t *testing.T) {
	b := maker(t).NewBurst()
	var loads atomic.Int32
	frames := burstOf(instant(t, 0, 1), instant(t, 0, 2), instant(t, 0, 3), instant(t, 0, 4))
	for i := range frames {
		load := frames[i].Load
		frames[i].Load = func(dst *image.RGBA) error { loads.Add(1); return load(dst) }
	}
	for range 2 {
		if _, moments, err := b.Judge(t.Context(), frames, 0, thumbSize); err != nil {
			t.Fatal(err)
		} else if th := moments[3].Thumb; th == nil || th.Rect.Size() != thumbSize || th.RGBAAt(60, 70).A != 255 {
			t.Fatalf("thumb %v", th)
		}
	}
	if loads.Load() != 8 {
		t.Errorf("%d frames were decoded, want each once a burst", loads.Load())
	}
	for i := range b.workers {
		w := &b.workers[i]
		for what, pix := range map[string][]uint8{"frame": w.frame.Pix, "luma": w.gray.Pix} {
			if len(pix) == 0 || bytes.ContainsFunc(pix, func(r rune) bool { return r != 0 }) {
				t.Errorf("worker %d: the %s of the last student stays (%d bytes)", i, what, len(pix))
			}
		}
	}
	for _, s := range b.seen {
		if s.thumb != nil {
			t.Error("a thumb stays")
		}
	}
}

func TestThumbsShowTheHeadWhereverItIs(t *testing.T) {
	for _, dx := range []float64{-520, 0, 520} {
		s := instant(t, dx, 1)
		_, moments, err := maker(t).NewBurst().Judge(t.Context(), burstOf(s), 0, thumbSize)
		if err != nil {
			t.Fatal(err)
		}
		var gray image.Gray
		lumaInto(&gray, moments[0].Thumb)
		d, err := detector()
		if err != nil {
			t.Fatal(err)
		}
		faces, err := d.Detect(&gray, face.Options{MinSize: 20})
		if err != nil || len(faces) != 1 {
			t.Fatalf("%v px aside: %d faces in the thumb, %v", dx, len(faces), err)
		}
		if e := faces[0].EyeMid(); e.Y < 45 || e.Y > 95 || e.X < 35 || e.X > 85 {
			t.Errorf("%v px aside: the eyes are at %v of %v", dx, e, thumbSize)
		}
	}
}

// BenchmarkBurst judges five 1080p frames as a camera gives them, decoding
// included.
func BenchmarkBurst(b *testing.B) {
	z := maker(b)
	var frames []BurstFrame
	for i := range 5 {
		s := booth()
		s.seed = uint64(i)
		jpg, err := codec.EncodeRGBA(nil, s.render(b), 88, codec.S420)
		if err != nil {
			b.Fatal(err)
		}
		frames = append(frames, BurstFrame{At: burstStart.Add(time.Duration(i) * 100 * time.Millisecond), Load: func(dst *image.RGBA) error {
			size := BurstSize(image.Pt(1920, 1080))
			codec.ResizeRGBA(dst, size.X, size.Y)
			return codec.PreviewInto(dst, jpg, false)
		}})
	}
	burst := z.NewBurst()
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		if _, _, err := burst.Judge(b.Context(), frames, 2, thumbSize); err != nil {
			b.Fatal(err)
		}
	}
	// What it takes whatever else the machine does meanwhile; on two free cores
	// the wall clock shows about half of it.
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

// processorTime is what this process has used so far, user and system.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
