package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// defaultPhotos is how many photos the memory of a batch is watched for; the
// environment variable YUNZHAO_BENCH_PHOTOS says otherwise.
const defaultPhotos = 1000

// photoRuns is how often a single photo's peak is taken; the highest counts.
const photoRuns = 3

// severalSpecs is the run of many standards that share one cut.
const severalSpecs = "chsi,inch1,inch2,id-card,passport-cn"

// TestFiles is the part of the table about photos from files, alone.
func TestFiles(t *testing.T) {
	if os.Getenv(guard) == "" {
		t.Skipf("nothing is measured without %s=1: see make bench", guard)
	}
	tab := &table{}
	defer tab.print()
	newBooth(t).files(t, tab)
}

// files measures the commands that make photos from files, in the built program:
// the peak of one photo, the time that a shared cut saves, and whether memory
// grows over a folder of them.
func (s *simulated) files(t *testing.T, tab *table) {
	t.Helper()
	n := defaultPhotos
	if v := os.Getenv("YUNZHAO_BENCH_PHOTOS"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil || n <= 2*warmUp {
			t.Fatalf("YUNZHAO_BENCH_PHOTOS=%s: want a number above %d", v, 2*warmUp)
		}
	}
	dir := t.TempDir()
	program := buildProgram(t, dir)
	plate, frame := filepath.Join(dir, "empty.jpg"), filepath.Join(dir, "frame.jpg")
	for path, data := range map[string][]byte{plate: s.empty, frame: s.frames[0].Data} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (peakMB, seconds float64) {
		t.Helper()
		var took []float64
		for range photoRuns {
			cmd := exec.CommandContext(t.Context(), program, args...)
			began := time.Now()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			peakMB = max(peakMB, watch(cmd.Process.Pid))
			if err := <-ended; err != nil {
				t.Fatalf("%s: %v", strings.Join(args, " "), err)
			}
			took = append(took, time.Since(began).Seconds())
		}
		return peakMB, median(took)
	}
	out := filepath.Join(dir, "photo.jpg")
	bare, _ := run("version")
	one, single := run("standardize", frame, "--plate", plate, "--out", out)
	tab.add("一张照片的内存峰值 / peak memory of yunzhao standardize, 1080p with plate", fmt.Sprintf("%.0f MB", one), fmt.Sprintf("yunzhao version: %.0f MB", bare), ratio(one, bare))
	five, together := run("standardize", frame, "--plate", plate, "--spec", severalSpecs, "--out", out)
	apart := 0.
	for id := range strings.SplitSeq(severalSpecs, ",") {
		_, took := run("standardize", frame, "--plate", plate, "--spec", id, "--out", out)
		apart += took
	}
	tab.add("· 五个规格一次完成 / five standards in one run", fmt.Sprintf("%.2f s, %.0f MB", together, five),
		fmt.Sprintf("one: %.2f s; one after the other: %.2f s", single, apart), ratio(together, apart))
	s.batch(t, tab, program, dir, plate, n)
}

// watch returns the highest resident memory of a process in MB, looked at every
// few milliseconds until it ends. What the system tells of an ended child is no
// use: it begins with the memory of the one that started it.
func watch(pid int) (peakMB float64) {
	for tick := time.NewTicker(3 * time.Millisecond); ; <-tick.C {
		_, high, err := memory(pid)
		if err != nil {
			tick.Stop()
			return peakMB
		}
		peakMB = max(peakMB, high)
	}
}

// batch watches the program while it makes n photos.
func (s *simulated) batch(t *testing.T, tab *table, program, dir, plate string, n int) {
	t.Helper()
	in := filepath.Join(dir, "in")
	if err := os.Mkdir(in, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, f := range s.frames {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		if err := os.Link(filepath.Join(dir, fmt.Sprint(i%len(s.frames))), filepath.Join(in, fmt.Sprintf("%05d.jpg", i))); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.CommandContext(context.WithoutCancel(t.Context()), program, "batch", in, "--plate", plate, "--out", filepath.Join(dir, "out"))
	progress, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	seen, err := follow(run, progress, func(string) bool { return true })
	resident := seen.resident
	if err != nil {
		t.Fatalf("%d of %d photos: %v", len(resident), n, err)
	}
	if len(resident) <= 2*warmUp {
		t.Fatalf("%d of %d photos were seen", len(resident), n)
	}
	tab.add(fmt.Sprintf("batch %d 张的内存峰值 / peak memory of yunzhao batch", n), fmt.Sprintf("%.0f MB", seen.peak), "", "")
	tab.add("· 每百张的增长 / growth per hundred photos", fmt.Sprintf("%+.2f MB", 100*slope(resident[2*warmUp:])),
		fmt.Sprintf("RSS %.0f → %.0f MB", resident[2*warmUp], resident[len(resident)-1]), "")
	tab.add("· 每张 / a photo", fmt.Sprintf("%.0f ms", ms(seen.took)/float64(n)), "", "")
}
