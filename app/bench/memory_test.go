package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// defaultSessions is how many visits the memory is watched for; the environment
// variable YUNZHAO_BENCH_SESSIONS says otherwise.
const defaultSessions = 100

// warmUp is how many visits may still grow working memory to its size.
const warmUp = 10

// sessions runs whole visits in the built program, without a window, and
// watches what it holds in memory after each.
func sessions(t *testing.T, tab *table) {
	t.Helper()
	n := defaultSessions
	if v := os.Getenv("YUNZHAO_BENCH_SESSIONS"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil || n <= warmUp {
			t.Fatalf("YUNZHAO_BENCH_SESSIONS=%s: want a number above %d", v, warmUp)
		}
	}
	dir := t.TempDir()
	program := buildProgram(t, dir)
	run := exec.CommandContext(t.Context(), program, "simulate", "--data", filepath.Join(dir, "data"), "--sessions", strconv.Itoa(n))
	run.Stderr = os.Stderr
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	seen, err := follow(run, out, func(line string) bool { return strings.HasPrefix(line, "saved ") })
	resident := seen.resident
	if err != nil {
		t.Fatalf("%d of %d visits: %v", len(resident), n, err)
	}
	if len(resident) <= warmUp {
		t.Fatalf("%d of %d visits were seen to save a packet", len(resident), n)
	}
	// The trend, so that one collection more or less at either end is no growth.
	tab.add(fmt.Sprintf("%d 个完整会话的内存峰值 / peak memory of whole visits", n), fmt.Sprintf("%.0f MB", seen.peak), "", "")
	tab.add(fmt.Sprintf("· 第 %d 个之后每个会话的增长 / growth a visit after the warm-up", warmUp), fmt.Sprintf("%+.3f MB", slope(resident[warmUp:])),
		fmt.Sprintf("RSS %.0f → %.0f MB", resident[warmUp], resident[len(resident)-1]), "")
	tab.add("· 每个会话 / a visit", fmt.Sprintf("%.1f s", seen.took.Seconds()/float64(n)), "", "")
}

// followed is what a program held in memory while it worked, in MB.
type followed struct {
	resident []float64 // at each line that counted
	peak     float64
	took     time.Duration
}

// follow runs a program to its end and looks at its memory at every line of its
// output that counts.
func follow(run *exec.Cmd, output io.Reader, counts func(line string) bool) (w followed, err error) {
	began := time.Now()
	if err := run.Start(); err != nil {
		return w, err
	}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if !counts(lines.Text()) {
			continue
		}
		now, high, err := memory(run.Process.Pid)
		if err != nil {
			break // it has just ended
		}
		w.resident, w.peak = append(w.resident, now), max(w.peak, high)
	}
	err = run.Wait()
	w.took = time.Since(began)
	return w, err
}

// buildProgram builds the kiosk into dir.
func buildProgram(t *testing.T, dir string) string {
	t.Helper()
	program := filepath.Join(dir, "yunzhao")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "migrated_fynedo", "-ldflags", `-extldflags "-fuse-ld=lld -Wl,--gc-sections -Wl,--as-needed"`, "-o", program, "../..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return program
}

// memory is a process's resident memory now and at its highest, in MB.
func memory(pid int) (now, high float64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(data)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 {
			now = kb / 1024
		}
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			high = kb / 1024
		}
	}
	if now == 0 {
		return 0, 0, fmt.Errorf("process %d has ended", pid)
	}
	return now, high, nil
}

// slope of the least-squares line through the values, per step.
func slope(v []float64) float64 {
	var sx, sy, sxx, sxy float64
	for i, y := range v {
		x := float64(i)
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	n := float64(len(v))
	d := n*sxx - sx*sx
	if d == 0 {
		return 0
	}
	return (n*sxy - sx*sy) / d
}

func TestSlope(t *testing.T) {
	for name, c := range map[string]struct {
		v    []float64
		want float64
	}{
		"flat": {[]float64{5, 5, 5}, 0}, "rising": {[]float64{1, 3, 5, 7}, 2}, "one": {[]float64{4}, 0}, "none": {nil, 0},
	} {
		if got := slope(c.v); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
