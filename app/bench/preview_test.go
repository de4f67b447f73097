package bench

import (
	"fmt"
	"image"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/camera/scene"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// flatFrames is how many previews the memory is watched for: a minute and a
// half of a camera.
const flatFrames = 2700

// flatWithin is how much the resident memory may grow meanwhile, MB: what the
// collector may leave for later.
const flatWithin = 8

// TestPreviewCost measures the way of a frame from the camera's bytes to the
// mirror's pixels beside a plain decode, and that it leaves nothing behind.
func TestPreviewCost(t *testing.T) {
	if os.Getenv(guard) == "" {
		t.Skipf("nothing is measured without %s=1: see make bench-preview", guard)
	}
	taken := openScene(t, scene.Options{Occupied: true})
	frames := make([][]byte, 16)
	for i := range frames {
		f := next(t, taken)
		frames[i] = f.Data
	}
	tab := &table{}
	defer tab.print()
	var full image.RGBA
	for _, size := range []image.Point{{704, 540}, {960, 540}, {1280, 720}, {1284, 984}} {
		w, h := codec.PreviewSize(1920, 1080, size.X, size.Y)
		dst := image.NewRGBA(image.Rect(0, 0, w, h))
		var plain, ours []float64
		for i := range previewRounds { // in turns: whatever else the machine does hits both
			jpg := frames[i%len(frames)]
			began := time.Now()
			if err := codec.DecodeRGBA(&full, jpg, codec.Options{}); err != nil {
				t.Fatal(err)
			}
			between := time.Now()
			if err := codec.PreviewInto(dst, jpg, true); err != nil {
				t.Fatal(err)
			}
			plain, ours = append(plain, ms(between.Sub(began))), append(ours, ms(time.Since(between)))
		}
		tab.add(fmt.Sprintf("一帧→镜中 %d×%d（画成 %d×%d）/ a frame for a mirror of %d×%d, drawn as %d×%d", size.X, size.Y, w, h, size.X, size.Y, w, h),
			fmt.Sprintf("%.2f ms", median(ours)), fmt.Sprintf("libjpeg-turbo 1080p→RGBA: %.2f ms", median(plain)), ratio(median(ours), median(plain)))
	}

	w, h := codec.PreviewSize(1920, 1080, 856, 656)
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	show := func(n int) {
		for i := range n {
			if err := codec.PreviewInto(dst, frames[i%len(frames)], true); err != nil {
				t.Fatal(err)
			}
		}
	}
	show(100)
	debug.FreeOSMemory()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rssBefore, _, err := memory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	show(flatFrames)
	runtime.ReadMemStats(&after)
	rssAfter, _, err := memory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	perFrame := float64(after.TotalAlloc-before.TotalAlloc) / flatFrames
	tab.add("· 每帧 Go 内存分配 / Go memory allocated a frame", fmt.Sprintf("%.0f B", perFrame), fmt.Sprintf("RGBA %d×%d: %d KB", w, h, 4*w*h>>10), "")
	tab.add(fmt.Sprintf("· %d 帧后的内存 / memory after as many frames", flatFrames), fmt.Sprintf("RSS %.1f → %.1f MB", rssBefore, rssAfter), "", "")
	if perFrame > 4096 {
		t.Errorf("%.0f bytes are allocated for each frame", perFrame)
	}
	if rssAfter-rssBefore > flatWithin {
		t.Errorf("the memory grew from %.1f to %.1f MB in %d frames", rssBefore, rssAfter, flatFrames)
	}
}
