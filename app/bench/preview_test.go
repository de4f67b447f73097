package bench

import (
	"fmt"
	"image"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/camera/scene"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// flatFrames is how many previews the memory is watched for: a minute and a
// half of a camera.
const flatFrames = 2700

// flatWithin is how much the resident memory may grow meanwhile, MB: what the
// collector may leave for later.
const flatWithin = 8

// previewLimit is how many full decodes a preview may cost.
const previewLimit = 1.3

// previewRooms are the mirrors that are measured: every width from 320 to 1920,
// and those of the usual windows (1280×800, and full screen at 1920×1080).
func previewRooms() []image.Point {
	var rooms []image.Point
	for w := 320; w <= 1920; w += 160 {
		rooms = append(rooms, image.Pt(w, w*9/16))
	}
	return append(rooms, image.Pt(704, 540), image.Pt(1284, 984))
}

// previewCost is what a frame costs for a mirror and what decoding it whole does,
// in milliseconds of processor time, and the median of their ratios, each of two
// measurements that followed one another: other work on the machine hits both alike.
func previewCost(t *testing.T, frames [][]byte, room image.Point) (cost, plain, times float64) {
	t.Helper()
	var full image.RGBA
	w, h := codec.PreviewSize(1920, 1080, room.X, room.Y)
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
			t.Fatal(err)
		}
		return time.Duration(ts.Nano())
	}
	var costs, plains, ratios []float64
	for i := range previewRounds {
		jpg := frames[i%len(frames)]
		began := used()
		if err := codec.DecodeRGBA(&full, jpg, codec.Options{}); err != nil {
			t.Fatal(err)
		}
		between := used()
		if err := codec.PreviewInto(dst, jpg, true); err != nil {
			t.Fatal(err)
		}
		p, c := ms(between-began), ms(used()-between)
		plains, costs, ratios = append(plains, p), append(costs, c), append(ratios, c/p)
	}
	return median(costs), median(plains), median(ratios)
}

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
	if err := codec.DecodeRGBA(&full, frames[0], codec.Options{}); err != nil {
		t.Fatal(err)
	}
	fine, err := codec.EncodeRGBA(nil, &full, 90, codec.S422) // as most USB cameras have it
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []struct {
		name   string
		frames [][]byte
	}{{"4:2:0", frames}, {"4:2:2", [][]byte{fine}}} {
		for _, room := range previewRooms() {
			cost, plain, times := previewCost(t, kind.frames, room)
			tab.add(fmt.Sprintf("%s 一帧→%d×%d 的镜子 / a frame for a mirror of %d×%d", kind.name, room.X, room.Y, room.X, room.Y),
				fmt.Sprintf("%.2f ms", cost), fmt.Sprintf("libjpeg-turbo 1080p→RGBA: %.2f ms", plain), fmt.Sprintf("%.2f", times))
			if times > previewLimit {
				t.Errorf("%s for %v costs %.2f full decodes, more than %g", kind.name, room, times, previewLimit)
			}
		}
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
