package station

import (
	"context"
	"fmt"
	"image"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/scene"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// stopwatch is a window that notes when each frame was handed to the screen.
type stopwatch struct {
	Window // nothing else is asked of it
	sup    *camera.Supervisor
	free   *image.RGBA

	mu     sync.Mutex
	delays []time.Duration
	seqs   []uint64
	full   chan struct{} // closed when there are enough
	frame  camera.Frame
}

func (w *stopwatch) PreviewSize() (int, int) { return 856, 656 }
func (w *stopwatch) Count() uint64           { return 0 }

func (w *stopwatch) Buffer(width, height int) *image.RGBA {
	if w.free == nil || w.free.Rect.Dx() != width || w.free.Rect.Dy() != height {
		w.free = image.NewRGBA(image.Rect(0, 0, width, height))
	}
	return w.free
}

// measured is how many frames are measured: ten seconds.
const measured = 300

func (w *stopwatch) Offer(_ *image.RGBA, seq uint64) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.delays) == measured || !w.sup.BySeq(seq, &w.frame) {
		return
	}
	w.delays, w.seqs = append(w.delays, now.Sub(w.frame.Captured)), append(w.seqs, seq)
	if len(w.delays) == measured {
		close(w.full)
	}
}

// TestPreviewLatency measures, through the simulated camera in real time, how
// old a picture is when the screen gets it.
func TestPreviewLatency(t *testing.T) {
	if os.Getenv("YUNZHAO_BENCH") == "" {
		t.Skip("nothing is measured without YUNZHAO_BENCH=1: see make bench-preview")
	}
	b, err := scene.New(scene.Options{Occupied: true, Encode: codec.EncodeYCbCr})
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close() // the supervisor opens it
	sup, err := camera.NewSupervisor(camera.SupervisorParams{Open: b.Open})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	w := &stopwatch{sup: sup, full: make(chan struct{})}
	p := newPreview(sup, w, 0)
	p.set(true)
	var wg sync.WaitGroup
	wg.Go(func() { _ = sup.Run(ctx) })
	wg.Go(func() { p.run(ctx) })
	defer wg.Wait()
	defer cancel()
	select {
	case <-w.full:
	case <-ctx.Done():
		t.Fatalf("%d frames in a minute", len(w.delays))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.delays)
	const frame = time.Second / 30
	at := func(p int) time.Duration { return w.delays[min(len(w.delays)*p/100, len(w.delays)-1)] }
	missed := int(w.seqs[len(w.seqs)-1]-w.seqs[0]) + 1 - len(w.seqs)
	in := func(d time.Duration) float64 { return float64(d) / float64(frame) }
	fmt.Printf("\n| 测什么 / what | 毫秒 / ms | 帧 / frames at 30 fps |\n|---|---|---|\n")
	fmt.Printf("| 曝光→交给屏幕 p50 / exposure → handed to the screen | %.1f | %.2f |\n| · p99 | %.1f | %.2f |\n| · 错过的帧 / frames missed | %d of %d | |\n",
		at(50).Seconds()*1e3, in(at(50)), at(99).Seconds()*1e3, in(at(99)), missed, measured+missed)
	if m := in(at(50)); m > 2 {
		t.Errorf("a picture is %.2f frames old when the screen gets it, want 2 at most", m)
	}
}
