package checks

import (
	"fmt"
	"image"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// How often each thing is timed; medians settle by then.
const liveRounds, fullRounds = 120, 15

// times measures what the checks cost, beside a plain decode of the same frame
// in the same run, so that a busy machine shows in both.
func times(t testing.TB, e *examiner) string {
	t.Helper()
	s := good(newStudent(t))
	frame := s.frame(t)
	jpg, err := codec.EncodeRGBA(nil, wide(frame), 92, codec.S422)
	if err != nil {
		t.Fatal(err)
	}
	var full image.RGBA
	small := image.NewRGBA(image.Rectangle{Max: pipeline.LiveSize(image.Pt(wideW, wideH))})
	var plain, live, set []float64
	timed := func(into *[]float64, do func() error) {
		t.Helper()
		began := time.Now()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		*into = append(*into, float64(time.Since(began))/1e6)
	}
	evaluate := func() error {
		if err := codec.PreviewInto(small, jpg, false); err != nil {
			return err
		}
		_, err := e.maker.Live(small, wideW, e.spec)
		return err
	}
	for range liveRounds {
		timed(&plain, func() error { return codec.DecodeRGBA(&full, jpg, codec.Options{}) })
		timed(&live, evaluate)
	}
	plate := e.plates.of(t, s)
	var detect []float64
	for range fullRounds {
		r, err := e.maker.Standardize(t.Context(), pipeline.Input{Frame: frame, Plate: plate, Spec: e.spec})
		if err != nil {
			t.Fatal(err)
		}
		set, detect = append(set, r.Report.Timings.Check), append(detect, r.Report.Timings.Detect)
		r.Wipe()
	}
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / 1e6
	}
	// The networks' memory is outside Go's heap.
	resident := func() float64 {
		b, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			t.Fatal(err)
		}
		var size, pages float64
		if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
			t.Fatal(err)
		}
		return pages * float64(os.Getpagesize()) / 1e6
	}
	before, residentBefore := heap(), resident()
	for range 4 * liveRounds {
		if err := evaluate(); err != nil {
			t.Fatal(err)
		}
	}
	after, residentAfter := heap(), resident()
	var b strings.Builder
	b.WriteString("| 测什么 / what | 结果 / figure | 同时测的标尺 / yardstick of the same run | 比 / ratio | 目标 / target |\n|---|---|---|---|---|\n")
	p := median(plain)
	row := func(what string, v float64, target string) {
		fmt.Fprintf(&b, "| %s | %.1f ms | libjpeg-turbo 1080p→RGBA: %.1f ms | %.2f | %s |\n", what, v, p, v/p, target)
	}
	row("实时检查一次，1080p，含解码 / one live evaluation, decode included", median(live), "≤ 25 ms")
	row("成片全部检查，含在成片中找脸 / the full set, face search in the file included", median(set), "≤ 60 ms")
	row("在原图中找脸 / face search in the frame", median(detect), "")
	fmt.Fprintf(&b, "| %d 次实时检查后的堆 / heap after so many live evaluations | %.1f → %.1f MB | | | 不增长 / flat |\n", 4*liveRounds, before, after)
	fmt.Fprintf(&b, "| 同上，进程常驻内存 / likewise, the process's resident memory | %.0f → %.0f MB | | | 不增长 / flat |\n", residentBefore, residentAfter)
	return b.String()
}

const wideW, wideH = 1920, 1080

// wide is the frame on a canvas of 1080p.
func wide(m *image.RGBA) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, wideW, wideH))
	for y := range wideH {
		for x := range wideW {
			out.SetRGBA(x, y, m.RGBAAt(min(max(x-(wideW-frameW)/2, 0), frameW-1), min(y, frameH-1)))
		}
	}
	return out
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}
