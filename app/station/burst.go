package station

import (
	"cmp"
	"context"
	"image"
	"math"
	"slices"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline"
)

// How far around the shutter the frames of a burst lie. Those before are in the
// supervisor's ring already; for those after the student has to wait.
const (
	burstBefore = 330 * time.Millisecond
	burstAfter  = 200 * time.Millisecond
	// burstReach is the furthest that a frame may be from the shutter: a camera
	// too slow for the times above takes fewer.
	burstReach = 400 * time.Millisecond
	// burstWait bounds the wait for the frames after the shutter: a camera that
	// stops just then must not hold up the photo that is there.
	burstWait = 500 * time.Millisecond
)

// thumbSize of the burst's pictures in pixels: what the review screen shows at
// 1920×1080.
var thumbSize = image.Pt(120, 160)

// burst is the frames around one shutter, in the order they were captured.
type burst struct {
	frames  []camera.Frame
	shutter int               // of frames: the one that was on the screen
	views   []booth.BurstView // of frames, once they were judged
}

func (b *burst) wipe() {
	for i := range b.frames {
		b.frames[i].Wipe()
	}
	for _, v := range b.views {
		if m, ok := v.Thumb.(*image.RGBA); ok {
			clear(m.Pix)
		}
	}
	b.frames, b.views = b.frames[:0], nil
}

// bySeq is the frame with that number, or nil.
func (b *burst) bySeq(seq uint64) *camera.Frame {
	for i := range b.frames {
		if b.frames[i].Seq == seq {
			return &b.frames[i]
		}
	}
	return nil
}

// slot is the next frame to be filled; its buffer may be a used one.
func (b *burst) slot() *camera.Frame {
	if len(b.frames) < cap(b.frames) {
		b.frames = b.frames[:len(b.frames)+1]
	} else {
		b.frames = append(b.frames, camera.Frame{})
	}
	return &b.frames[len(b.frames)-1]
}

// drop gives the last slot back.
func (b *burst) drop() {
	b.frames[len(b.frames)-1].Wipe()
	b.frames = b.frames[:len(b.frames)-1]
}

// holdBurst fills b with up to n frames around the one numbered seq, which is
// on the screen, or around the newest where that is gone (there is no screen).
// fps is the camera's rate, 0 = unknown. It fails only when there is no frame
// at all.
func holdBurst(ctx context.Context, cam frames, seq uint64, n int, fps float64, b *burst) error {
	b.wipe()
	if !(fps > 0) {
		fps = 30
	}
	middle := b.slot()
	if err := holdFrame(ctx, cam, seq, middle); err != nil {
		b.drop()
		return err
	}
	at, number := middle.Captured, middle.Seq
	before, after := (n-1)/2+(n-1)%2, (n-1)/2
	steps := func(span time.Duration, k, of int) uint64 {
		return uint64(max(math.Round(span.Seconds()*fps*float64(k)/float64(of)), float64(k)))
	}
	near := func(f *camera.Frame) bool { return f.Captured.Sub(at).Abs() <= burstReach }
	// The oldest first: they are the next to leave the ring.
	oldest := uint64(1)
	for k := before; k > 0; k-- {
		want := oldest
		if s := steps(burstBefore, k, before); s < number {
			want = max(number-s, oldest)
		}
		f := b.slot()
		// A frame may be missing: the next newer one will do.
		found := false
		for ; want < number && !found; want++ {
			found = cam.BySeq(want, f) && near(f)
		}
		if !found {
			b.drop()
			continue
		}
		oldest = f.Seq + 1
	}
	wait, cancel := context.WithTimeout(ctx, burstWait)
	defer cancel()
	last := number
	for k := 1; k <= after; k++ {
		want := max(number+steps(burstAfter, k, after), last+1)
		f := b.slot()
		// Whatever came at that time or since; the very frame where it is there.
		if err := cam.Latest(wait, want-1, f); err != nil || !near(f) {
			b.drop()
			break
		}
		if f.Seq != want {
			newest := f.Seq
			if !cam.BySeq(want, f) {
				cam.BySeq(newest, f)
			}
		}
		last = f.Seq
	}
	slices.SortFunc(b.frames, func(x, y camera.Frame) int { return cmp.Compare(x.Seq, y.Seq) })
	b.shutter = slices.IndexFunc(b.frames, func(f camera.Frame) bool { return f.Seq == number })
	return ctx.Err()
}

// takeBurst lends an empty burst, with the buffers of an earlier one where
// there is one.
func (s *Station) takeBurst() *burst {
	select {
	case b := <-s.bursts:
		return b
	default:
		return new(burst)
	}
}

// giveBurst wipes b and keeps its buffers for the next shot.
func (s *Station) giveBurst(b *burst) {
	if b == nil {
		return
	}
	b.wipe()
	select {
	case s.bursts <- b:
	default:
	}
}

// judge chooses the best frame of the burst and makes the views of all. Where
// that fails, which only the end of the visit makes it, the frame on the screen
// stays the choice.
func (s *Station) judge(ctx context.Context, b *burst) (best int) {
	best = b.shutter
	list := make([]pipeline.BurstFrame, len(b.frames))
	for i := range b.frames {
		f := &b.frames[i]
		list[i] = pipeline.BurstFrame{At: f.Captured, Load: func(dst *image.RGBA) error { return s.loadReduced(dst, f) }}
	}
	s.judgeMu.Lock()
	defer s.judgeMu.Unlock()
	chosen, moments, err := s.judging.Judge(ctx, list, b.shutter, thumbSize)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error("burst not judged", "err", err)
		}
		return best
	}
	if len(b.frames) > 1 {
		for i, m := range moments {
			v := booth.BurstView{Seq: b.frames[i].Seq, Best: i == chosen, Flaw: flawText(m.Flaw)}
			if m.Thumb != nil {
				v.Thumb = m.Thumb
			}
			b.views = append(b.views, v)
		}
	}
	return chosen
}

// loadReduced draws the frame upright into dst at the size for judging.
func (s *Station) loadReduced(dst *image.RGBA, f *camera.Frame) error {
	size := pipeline.BurstSize(image.Pt(f.Width, f.Height))
	if s.p.Config.Camera.MountRotation == 0 {
		_, err := s.reduce(dst, nil, f, size)
		return err
	}
	var lying image.RGBA
	defer func() { clear(lying.Pix) }()
	_, err := s.reduce(&lying, dst, f, size)
	return err
}

// flawText says what is less good about a frame.
func flawText(f pipeline.Flaw) booth.Text {
	switch f {
	case pipeline.FlawNoFace:
		return booth.Text{ZH: "没有脸", EN: "No face"}
	case pipeline.FlawEyes:
		return booth.Text{ZH: "眨眼", EN: "Blink"}
	case pipeline.FlawMouth:
		return booth.Text{ZH: "张嘴", EN: "Mouth"}
	case pipeline.FlawBlur:
		return booth.Text{ZH: "有点虚", EN: "Blurry"}
	case pipeline.FlawMotion:
		return booth.Text{ZH: "在动", EN: "Moved"}
	case pipeline.FlawNone:
	}
	return booth.Text{}
}
