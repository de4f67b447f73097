package helper

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/camera"
)

// processorTime is what a process has used, from the scheduler's own count.
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	var sum time.Duration
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		b.Fatal(err)
	}
	for _, task := range tasks {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, task.Name()))
		if err != nil {
			continue // a thread that just ended
		}
		var ns int64
		if _, err := fmt.Fscan(strings.NewReader(string(data)), &ns); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// BenchmarkFrame is what a frame of 1920×1080 costs, from the driver to the
// supervisor's buffer, in processor time of both sides: in one process, and by
// a helper. The difference is the price of the isolation. Run it for seconds
// (-benchtime 5s): the camera sends 100 frames a second.
func BenchmarkFrame(b *testing.B) {
	want := camera.Mode{Format: camera.MJPEG, Width: 1920, Height: 1080, FPS: 100}
	l := &Launcher{}
	defer func() { _ = l.Close() }()
	for name, open := range map[string]camera.Opener{
		"one process": func(ctx context.Context) (camera.Source, error) { return openFake(ctx, "1080p", want) },
		"helper":      l.Opener("1080p", want),
	} {
		b.Run(name, func(b *testing.B) {
			src, err := open(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = src.Close() }()
			pids := []int{unix.Getpid()}
			if s, ok := src.(*Source); ok {
				pids = append(pids, s.p.cmd.Process.Pid)
			}
			var f camera.Frame
			if err := src.Next(b.Context(), &f); err != nil {
				b.Fatal(err)
			}
			used := func() (sum time.Duration) {
				for _, pid := range pids {
					sum += processorTime(b, pid)
				}
				return sum
			}
			before := used()
			for b.Loop() {
				if err := src.Next(b.Context(), &f); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((used()-before).Microseconds())/float64(b.N), "cpu-µs/frame")
			b.ReportMetric(float64(len(f.Data))/1024, "KB")
		})
	}
}
