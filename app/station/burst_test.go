package station

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// reel is a camera on the test's clock with a ring of twelve frames.
type reel struct {
	began time.Time
	fps   float64
	lost  map[uint64]bool // numbers that never came
	stops uint64          // the last frame; 0 = goes on
}

func (c reel) at(seq uint64) time.Time {
	return c.began.Add(time.Duration(float64(seq) / c.fps * float64(time.Second)))
}

func (c reel) newest() uint64 {
	n := uint64(time.Since(c.began).Seconds()*c.fps + 1e-6)
	if c.stops != 0 {
		n = min(n, c.stops)
	}
	for c.lost[n] {
		n--
	}
	return n
}

func (c reel) fill(seq uint64, dst *camera.Frame) {
	dst.Data = append(dst.Data[:0], fmt.Sprint("frame ", seq)...)
	dst.Seq, dst.Captured = seq, c.at(seq)
}

func (c reel) Latest(ctx context.Context, after uint64, dst *camera.Frame) error {
	for {
		if n := c.newest(); n > after {
			c.fill(n, dst)
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
}

func (c reel) BySeq(seq uint64, dst *camera.Frame) bool {
	if n := c.newest(); seq > n || seq == 0 || n-seq >= 12 || c.lost[seq] {
		return false
	}
	c.fill(seq, dst)
	return true
}

func TestBurstLiesAroundTheShutter(t *testing.T) {
	lost := func(seqs ...uint64) map[uint64]bool {
		m := map[uint64]bool{}
		for _, s := range seqs {
			m[s] = true
		}
		return m
	}
	for name, c := range map[string]struct {
		cam   reel
		shown uint64 // 100 is the newest when the shutter is pressed
		n     int
		want  string
		most  time.Duration
	}{
		"five":                         {reel{fps: 30}, 99, 5, "[89 94 99 102 105]", 210 * time.Millisecond},
		"one: no waiting":              {reel{fps: 30}, 99, 1, "[99]", 0},
		"two: no waiting":              {reel{fps: 30}, 99, 2, "[89 99]", 0},
		"nine":                         {reel{fps: 30}, 98, 9, "[89 91 93 96 98 100 101 103 104]", 210 * time.Millisecond},
		"a slow screen":                {reel{fps: 30}, 93, 5, "[89 90 93 96 99]", 0},
		"nothing on the screen":        {reel{fps: 30}, 0, 5, "[90 95 100 103 106]", 210 * time.Millisecond},
		"gone from the ring":           {reel{fps: 30}, 40, 5, "[90 95 100 103 106]", 210 * time.Millisecond},
		"frames lost before and after": {reel{fps: 30, lost: lost(89, 94, 95, 102, 105)}, 99, 5, "[90 96 99 103 106]", 250 * time.Millisecond},
		"a slow camera":                {reel{fps: 10}, 100, 5, "[97 98 100 101 102]", 210 * time.Millisecond},
		"a very slow camera":           {reel{fps: 4}, 100, 5, "[99 100 101]", 510 * time.Millisecond},
		"the camera stops":             {reel{fps: 30, stops: 100}, 99, 5, "[89 94 99]", burstWait},
		"the first frames":             {reel{fps: 30}, 2, 5, "[1 2 5 8]", 210 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				newest := uint64(100)
				if name == "the first frames" {
					newest = 2
				}
				c.cam.began = time.Now().Add(-time.Duration(float64(newest) / c.cam.fps * float64(time.Second)))
				b := &burst{frames: make([]camera.Frame, 3, 4)} // a used one
				began := time.Now()
				if err := holdBurst(t.Context(), c.cam, c.shown, c.n, c.cam.fps, b); err != nil {
					t.Fatal(err)
				}
				took := time.Since(began)
				var seqs []uint64
				for _, f := range b.frames {
					seqs = append(seqs, f.Seq)
					if string(f.Data) != fmt.Sprint("frame ", f.Seq) {
						t.Errorf("frame %d holds %q", f.Seq, f.Data)
					}
					if d := f.Captured.Sub(b.frames[b.shutter].Captured).Abs(); d > burstReach {
						t.Errorf("frame %d is %v from the shutter", f.Seq, d)
					}
				}
				if got := fmt.Sprint(seqs); got != c.want {
					t.Errorf("frames %s, want %s", got, c.want)
				}
				shutter := c.shown
				if shutter == 0 || newest-shutter >= 12 {
					shutter = newest
				}
				if b.frames[b.shutter].Seq != shutter {
					t.Errorf("the shutter's frame is %d, want %d", b.frames[b.shutter].Seq, shutter)
				}
				if took > c.most+2*time.Millisecond {
					t.Errorf("the student waited %v, want at most %v", took, c.most)
				}
				b.wipe()
				if len(b.frames) != 0 || bytes.Contains(b.frames[:1][0].Data[:3], []byte("fra")) {
					t.Error("frames stay")
				}
			})
		})
	}
}

func TestBurstWithoutACamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(burst)
		cam := reel{began: time.Now(), fps: 30, stops: 0, lost: map[uint64]bool{}}
		cam.began = time.Now().Add(time.Hour) // nothing yet
		cam.fps = 1e-9
		if err := holdBurst(t.Context(), cam, 5, 5, 0, b); !errors.Is(err, context.DeadlineExceeded) || len(b.frames) != 0 {
			t.Errorf("%d frames, %v", len(b.frames), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		cam = reel{began: time.Now().Add(-time.Second), fps: 30}
		if err := holdBurst(ctx, cam, 29, 5, 30, b); !errors.Is(err, context.Canceled) {
			t.Errorf("after the visit: %v", err)
		}
	})
}

// The frame that a person picks of the burst is the one that is shown, made
// into the portrait and sealed, to the last byte; nothing of the others stays.
func TestThePickedFrameIsTheOneThatIsSaved(t *testing.T) {
	r := newRig(t)
	who := r.student(wire.PayNone)
	v := r.toReview(who)
	n := len(v.Shot.Burst) // a busy machine misses frames
	if n < 3 || n > 5 {
		t.Fatalf("a burst of %d frames", n)
	}
	best, others := 0, []uint64{}
	for _, b := range v.Shot.Burst {
		if b.Best {
			best++
			if b.Seq != v.Shot.Seq {
				t.Errorf("frame %d is the best, %d is shown", b.Seq, v.Shot.Seq)
			}
		} else {
			others = append(others, b.Seq)
		}
		if m, ok := b.Thumb.(*image.RGBA); !ok || m.Rect.Size() != thumbSize {
			t.Errorf("thumb of frame %d: %T", b.Seq, b.Thumb)
		}
	}
	if best != 1 {
		t.Fatalf("%d best frames", best)
	}
	thumb := v.Shot.Burst[0].Thumb.(*image.RGBA)
	var held *burst
	data := map[uint64][]byte{}
	r.st.onLoop(t.Context(), func() {
		held = r.st.visit.burst
		for _, f := range held.frames {
			data[f.Seq] = append([]byte(nil), f.Data...)
		}
	})
	// Twice, and back and forth: the last choice counts.
	for _, seq := range []uint64{others[0], v.Shot.Seq, others[len(others)-1]} {
		r.st.Send(booth.ManualAnswer{OK: true})
		r.st.Send(booth.Pick{Seq: seq})
		r.st.Send(booth.Accept{}) // too early: what it will look like is not known yet
		v = r.wait("the picked portrait", func(v booth.View) bool {
			return v.State == booth.Review && v.Shot.Seq == seq && v.Shot.Picking == 0
		})
		if v.Shot.Portrait == nil || v.Shot.ManualOK || len(v.Shot.Burst) != n {
			t.Fatalf("after the pick: %+v", v.Shot)
		}
	}
	want := others[len(others)-1]
	if v = r.submit(); v.State != booth.Done {
		t.Fatalf("not saved: %+v %+v", v.Fault, v.Toast)
	}
	e := r.box.List()[0]
	if err := r.up.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := r.box.Get(e.ID); err != nil || got.State != outbox.Opened {
		t.Fatalf("%v %v", got.State, err)
	}
	raw, err := r.box.Read(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.central.OpenFile(t.Context(), bytes.NewReader(raw), "test")
	if err != nil {
		t.Fatal(err)
	}
	if c.Manifest.Capture.Frame != want || !bytes.Equal(c.Original, data[want]) {
		t.Errorf("sealed is frame %d, picked was %d; its bytes are the frame's: %v", c.Manifest.Capture.Frame, want, bytes.Equal(c.Original, data[want]))
	}
	for seq, d := range data {
		if seq != want && bytes.Equal(d, c.Original) {
			t.Errorf("frame %d is the same picture: the test proves nothing", seq)
		}
	}
	if !bytes.Contains(c.Audit, []byte(`"shot.picked"`)) {
		t.Errorf("the pick is not in the audit:\n%s", c.Audit)
	}
	r.st.Send(booth.NextStudent{})
	r.wait("idle", func(v booth.View) bool { return v.State == booth.Idle })
	if !isZero(thumb.At(60, 80).RGBA()) {
		t.Error("a thumb of the burst stays")
	}
	for i, f := range held.frames[:5] {
		if len(f.Data) != 0 || !allZero(f.Data[:cap(f.Data)]) {
			t.Errorf("frame %d of the burst stays in memory", i)
		}
	}
	if found := r.leftovers(who); len(found) > 0 {
		t.Errorf("readable on disk: %v", found)
	}
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// Whoever leaves while the burst or a picked frame is being made leaves nothing
// to the next student.
func TestLateBurstsBelongToNobodyElse(t *testing.T) {
	r := newRig(t)
	who := r.student(wire.PayNone)
	v := r.toReview(who)
	var pick uint64
	for _, b := range v.Shot.Burst {
		if b.Seq != v.Shot.Seq {
			pick = b.Seq
		}
	}
	// Both at once: the pick is under way when its student goes.
	r.st.Send(booth.Pick{Seq: pick})
	r.st.Send(booth.Abandon{Reason: "left"})
	r.wait("farewell", func(v booth.View) bool { return v.State == booth.Abandoned })
	r.st.Send(booth.Continue{})
	r.wait("idle", func(v booth.View) bool { return v.State == booth.Idle })
	r.st.Send(booth.Wedge{Text: who.StudentNo})
	r.wait("record", func(v booth.View) bool { return v.State == booth.Eligible && v.Claim.URL != "" })
	for range 3 {
		r.st.Send(booth.Continue{})
	}
	r.wait("live checks", func(v booth.View) bool { return v.State == booth.Framing && v.Live.Ready })
	// And a shot whose student goes before its burst is whole.
	r.st.Send(booth.Shutter{})
	r.wait("the shot", func(v booth.View) bool { return v.State != booth.Framing })
	r.st.Send(booth.Abandon{Reason: "left"})
	r.wait("farewell", func(v booth.View) bool { return v.State == booth.Abandoned })
	r.st.Send(booth.Continue{})
	r.wait("idle", func(v booth.View) bool { return v.State == booth.Idle })
	r.wait("the bursts coming back", func(booth.View) bool { return len(r.st.bursts) > 0 })
	r.st.onLoop(t.Context(), func() {
		if r.st.visit != nil {
			t.Error("a visit is held")
		}
		for n := len(r.st.bursts); n > 0; n-- {
			b := <-r.st.bursts
			for _, f := range b.frames[:cap(b.frames)] {
				if len(f.Data) != 0 || !allZero(f.Data[:cap(f.Data)]) {
					t.Error("a frame stays in memory")
				}
			}
			r.st.bursts <- b
		}
	})
	// A fabricated late answer for the present visit's earlier attempt is dropped.
	v = r.toReview(who)
	var wrong camera.Frame
	wrong.Data, wrong.Seq = []byte("not this one"), v.Shot.Seq
	late := &shotDone{session: v.SessionID, attempt: v.Shot.Attempt, frame: wrong}
	r.st.inputs <- late
	r.st.onLoop(t.Context(), func() {
		if bytes.Contains(r.st.visit.frame.Data, []byte("not this")) {
			t.Error("a photo that nobody asked for replaced the one on screen")
		}
	})
	if len(late.frame.Data) != 0 {
		t.Error("the late frame stays")
	}
}

func TestFramesAreJudgedUprightHoweverTheCameraIsMounted(t *testing.T) {
	upright := patchwork(64, 48)
	for _, degrees := range []int{0, 90, 180, 270} {
		for _, format := range []camera.PixelFormat{camera.MJPEG, camera.YUYV} {
			f := encodedFrame(t, slowTurn(upright, (360-degrees)%360, false), format)
			lying := image.NewRGBA(image.Rect(0, 0, f.Width, f.Height))
			if err := decodePreview(lying, &f, false); err != nil {
				t.Fatal(err)
			}
			want := slowTurn(lying, degrees, false)
			var s Station
			s.p.Config.Camera.MountRotation = degrees
			var got image.RGBA
			for range 2 { // the second time with used buffers
				if err := s.loadReduced(&got, &f); err != nil {
					t.Fatal(err)
				}
				if got.Rect != want.Rect || !bytes.Equal(got.Pix, want.Pix) {
					t.Errorf("%d° %s: %v, want %v upright", degrees, format, got.Rect, want.Rect)
				}
			}
			f.Data = f.Data[:2]
			if err := s.loadReduced(&got, &f); err == nil {
				t.Errorf("%d° %s: a damaged frame was judged", degrees, format)
			}
		}
	}
}
