package uplink_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// What TestScale measures with, unless YUNZHAO_SCALE_PACKETS says otherwise.
const (
	scalePackets = 10_000
	scaleDesks   = 8
)

// scaleInfo is what central's process says first.
type scaleInfo struct {
	URL      string
	Codes    []string
	Students []wire.Student
}

// TestScaleCentral is not a test: TestScale runs it as a process of its own, so
// that what central needs and what the kiosks need can be told apart.
func TestScaleCentral(t *testing.T) {
	dir := os.Getenv("YUNZHAO_SCALE_CENTRAL")
	if dir == "" {
		t.Skip("run by TestScale")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	info := scaleInfo{URL: "http://" + l.Addr().String()}
	s, err := central.Open(dir, central.Options{PublicURL: info.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SeedDemo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info.Students, err = s.AddDemoStudents(t.Context(), 599); err != nil {
		t.Fatal(err)
	}
	for range scaleDesks {
		code, err := s.NewCode(t.Context(), []string{central.DemoBatchFree}, time.Hour, "test")
		if err != nil {
			t.Fatal(err)
		}
		info.Codes = append(info.Codes, code)
	}
	srv := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: time.Minute}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		_ = srv.Close()
	}()
	if err := json.NewEncoder(os.Stdout).Encode(info); err != nil {
		t.Fatal(err)
	}
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// photo is a frame of 1080p as a camera gives it, of about 260 kB: a face would
// do as well, but nobody's is needed.
func photo(t testing.TB) []byte {
	t.Helper()
	img := image.NewYCbCr(image.Rect(0, 0, 1920, 1080), image.YCbCrSubsampleRatio422)
	rng := rand.New(rand.NewPCG(3, 4))
	for y := range 1080 {
		for x := range 1920 {
			img.Y[y*img.YStride+x] = byte(90 + y/16 + x/40 + rng.IntN(11))
		}
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 120, 135
	}
	for quality := 60; ; quality += 4 {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		if b.Len() > 255_000 || quality > 95 {
			return b.Bytes()
		}
	}
}

// clockedTransport times each packet from its first byte to the acknowledgement.
type clockedTransport struct {
	next http.RoundTripper
	mu   *sync.Mutex
	from map[string]time.Time
	took *[]time.Duration
}

func (c *clockedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	path, patch := r.URL.Path, r.Method == http.MethodPatch
	if patch && r.Header.Get(wire.HeaderUploadOffset) == "0" {
		c.mu.Lock()
		c.from[path] = time.Now()
		c.mu.Unlock()
	}
	resp, err := c.next.RoundTrip(r)
	if patch && err == nil && resp.StatusCode == http.StatusOK {
		c.mu.Lock()
		// Each answer ends the packet as far as is known; the last one stays.
		*c.took = append(*c.took, time.Since(c.from[path]))
		c.mu.Unlock()
	}
	return resp, err
}

func cpu(t testing.TB, who int) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpuOf is the processor time of another process so far, from /proc/PID/stat, whose
// clock ticks a hundred times a second on Linux.
func cpuOf(t testing.TB, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memoryOf is what another process holds itself, in MB: without the pages of its
// index, which is mapped and which the system takes back when it wants them.
func memoryOf(t testing.TB, pid int) float64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "RssAnon:")
	kb, _ := strconv.Atoi(strings.Fields(after)[0])
	return float64(kb) / 1024
}

// TestScale drains a backlog of ten thousand packets of 300 kB from eight
// kiosks into one central server in a process of its own: make bench-sync.
func TestScale(t *testing.T) {
	if os.Getenv("YUNZHAO_BENCH") == "" {
		t.Skip("a measurement: make bench-sync")
	}
	n := scalePackets
	if v, err := strconv.Atoi(os.Getenv("YUNZHAO_SCALE_PACKETS")); err == nil && v > 0 {
		n = v
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestScaleCentral$", "-test.timeout=6h")
	cmd.Env = append(os.Environ(), "YUNZHAO_SCALE_CENTRAL="+filepath.Join(dir, "central"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	var info scaleInfo
	first, err := lines.ReadBytes('\n')
	if err != nil || json.Unmarshal(first, &info) != nil {
		t.Fatalf("central says %q, %v", first, err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_, _ = lines.WriteTo(t.Output())
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()

	picture := photo(t)
	var mu sync.Mutex
	var took []time.Duration
	var desks []*desk
	// When each tenth of the backlog was through, and what central had used by then:
	// a cost that grows with the number shows here, whatever else the machine does.
	var acked atomic.Int64
	tenths := make([]tenth, 10)
	for i := range scaleDesks {
		d := newDesk(t, &campus{t: t, url: info.URL, demo: central.DemoInfo{EnrolCode: info.Codes[i]}})
		d.params.Transport = &clockedTransport{next: &http.Transport{MaxIdleConnsPerHost: 2}, mu: &mu, from: map[string]time.Time{}, took: &took}
		d.params.Events.Ack = func(a wire.Ack) {
			if a.Stage != wire.AckStored {
				return
			}
			if done := acked.Add(1); done*10%int64(n) < 10 {
				tenths[min(done*10/int64(n), 10)-1] = tenth{time.Now(), cpuOf(t, cmd.Process.Pid)}
			}
		}
		desks = append(desks, d)
	}
	for i := range n {
		desks[i%scaleDesks].shootPicture(info.Students[i%len(info.Students)], picture)
	}
	size := 0.0
	for _, d := range desks {
		for _, e := range d.box.List() {
			size += float64(e.Size)
		}
	}
	t.Logf("%d packets of %.0f kB wait at %d kiosks", n, size/float64(n)/1e3, scaleDesks)

	pid := cmd.Process.Pid
	kiosks, centreStart, start := cpu(t, syscall.RUSAGE_SELF), cpuOf(t, pid), time.Now()
	var running sync.WaitGroup
	for _, d := range desks {
		w := d.worker()
		running.Go(func() {
			if err := w.Drain(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	stop := make(chan struct{})
	var memory []float64
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			memory = append(memory, memoryOf(t, pid))
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	running.Wait()
	wall := time.Since(start)
	kiosks, centre := cpu(t, syscall.RUSAGE_SELF)-kiosks, cpuOf(t, pid)-centreStart
	close(stop)
	watching.Wait()
	for _, d := range desks {
		for _, e := range d.box.List() {
			if e.State == outbox.Saved {
				t.Fatal("a packet is left")
			}
		}
	}
	// Of a packet in several pieces only the last answer is its whole time.
	pieces := (len(took) + n - 1) / n
	slices.Sort(took)
	last := took[len(took)-len(took)/pieces:]
	at := func(q float64) time.Duration { return last[min(len(last)-1, int(q*float64(len(last))))] }
	early := len(memory) / 10
	t.Logf("COUNT | packets, and kB each | %d, %.0f |", n, size/float64(n)/1e3)
	t.Logf("COUNT | packets a second into one central | %.1f |", float64(n)/wall.Seconds())
	t.Logf("COUNT | a packet from its first byte to the signed acknowledgement, p50 / p99 / most | %.0f / %.0f / %.0f ms |", ms(at(.5)), ms(at(.99)), ms(at(1)))
	t.Logf("COUNT | the whole backlog | %.0f s |", wall.Seconds())
	var rates, costs []string
	for i, reached := range tenths {
		since := tenth{start, centreStart}
		if i > 0 {
			since = tenths[i-1]
		}
		rates = append(rates, fmt.Sprintf("%.0f", float64(n)/10/reached.at.Sub(since.at).Seconds()))
		costs = append(costs, fmt.Sprintf("%.1f", ms(reached.cpu-since.cpu)/float64(n)*10))
	}
	t.Logf("COUNT | packets a second, tenth by tenth | %s |", strings.Join(rates, " "))
	t.Logf("COUNT | CPU of central a packet, tenth by tenth | %s ms |", strings.Join(costs, " "))
	t.Logf("COUNT | CPU of a kiosk a packet | %.1f ms |", ms(kiosks)/float64(n))
	t.Logf("COUNT | CPU of central a packet | %.1f ms |", ms(centre)/float64(n))
	t.Logf("COUNT | memory of central after a tenth / half / all | %.0f / %.0f / %.0f MB, most %.0f |", memory[early], memory[len(memory)/2], memory[len(memory)-1], slices.Max(memory))
}

// tenth is when a tenth of the backlog was through, and central's processor time then.
type tenth struct {
	at  time.Time
	cpu time.Duration
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
