package helper

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/cameratest"
	"github.com/yunzhao-station/yunzhao/camera/scene"
)

// limit bounds every wait; nothing that passes takes nearly as long.
const limit = 30 * time.Second

// parentArg has the test program play a station that is killed.
const parentArg = "station-to-be-killed"

func TestMain(m *testing.M) {
	if Wanted(os.Args) {
		os.Exit(Serve(Driver{
			List: func() ([]camera.Device, error) { return fakeDevices, nil },
			Open: openFake,
			Untouched: func(err error) bool {
				return errors.Is(err, camera.ErrGone)
			},
		}))
	}
	if len(os.Args) == 2 && os.Args[1] == parentArg {
		os.Exit(playStation())
	}
	os.Exit(m.Run())
}

var fakeMode = camera.Mode{Format: camera.MJPEG, Width: 64, Height: 48, FPS: 100}

var fakeDevices = []camera.Device{{
	Identity: camera.Identity{ID: "good", Name: "Fake camera", Node: "/dev/video9"},
	Modes:    []camera.Mode{fakeMode},
}}

// fake is a driver that behaves as its camera's name says, in the helper.
type fake struct {
	kind    string
	stop    chan struct{}
	once    sync.Once
	tick    *time.Ticker
	mu      sync.Mutex
	n       uint64
	count   camera.Counters
	value   int32
	picture []byte
}

// pictureOf is a picture of a booth where it is large, else of noise.
func pictureOf(w, h int) []byte {
	if w >= 640 {
		b, err := scene.New(scene.Options{Width: w, Height: h, Occupied: true})
		if err != nil {
			return nil
		}
		var out bytes.Buffer
		if err := jpeg.Encode(&out, b.Sample(nil, 0, true, 1), &jpeg.Options{Quality: 88}); err != nil {
			return nil
		}
		return out.Bytes()
	}
	m := image.NewGray(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(7, 7))
	for i := range m.Pix {
		m.Pix[i] = byte(r.Uint32())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}); err != nil {
		return nil
	}
	return b.Bytes()
}

func openFake(_ context.Context, id string, want camera.Mode) (camera.Source, error) {
	switch id {
	case "absent":
		return nil, fmt.Errorf("fake: %w", camera.ErrGone)
	case "busy":
		return nil, fmt.Errorf("fake: %w", camera.ErrBusy)
	case "frozen":
		return nil, fmt.Errorf("fake: %w", camera.ErrStalled)
	case "odd":
		return nil, errors.New("fake: \x1b[31msomething\nelse")
	case "hangs on open":
		select {}
	case "crashes on open":
		crash()
	}
	if want.Width == 0 {
		want = fakeMode
	}
	if want.FPS == 0 {
		want.FPS = fakeMode.FPS
	}
	return &fake{
		kind: id, stop: make(chan struct{}), value: 50,
		tick: time.NewTicker(time.Duration(float64(time.Second) / want.FPS)), picture: pictureOf(want.Width, want.Height),
	}, nil
}

// crash is a real SIGSEGV, as from C code or a mapping that went away.
func crash() {
	_ = unix.Kill(unix.Getpid(), unix.SIGSEGV)
	select {}
}

// say sends b to the station behind the helper's back.
func say(b []byte) {
	for fd := socketFD; fd < 64; fd++ {
		if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err == nil && kind == unix.SOCK_SEQPACKET {
			_, _ = unix.Write(fd, b)
			return
		}
	}
}

func (f *fake) Identity() camera.Identity {
	id := fakeDevices[0].Identity
	id.ID = f.kind
	return id
}

func (f *fake) Mode() camera.Mode { return fakeMode }

func (f *fake) Counters() camera.Counters {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

func (f *fake) Next(ctx context.Context, dst *camera.Frame) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-f.stop:
		return camera.ErrClosed
	case <-f.tick.C:
	}
	f.mu.Lock()
	f.n++
	n := f.n
	f.count.Invalid++
	f.mu.Unlock()
	const harmless = 3 // frames before the trouble begins
	if n > harmless {
		switch f.kind {
		case "unplugged":
			return fmt.Errorf("fake: %w", camera.ErrGone)
		case "stalls":
			return fmt.Errorf("fake: %w", camera.ErrStalled)
		case "crashes":
			crash()
		case "panics":
			var none []int
			none[n]++
		case "exits":
			os.Exit(0)
		case "hangs":
			select {}
		case "stops":
			_ = unix.Kill(unix.Getpid(), unix.SIGSTOP)
		case "shrinks the memory":
			if unix.Ftruncate(memoryFD, 0) == nil {
				return errors.New("the memory could be shrunk")
			}
		case "rubbish":
			say([]byte("rubbish"))
		case "long message":
			say(make([]byte, maxMessage+1))
		case "another slot":
			b := make([]byte, frameSize)
			putFrame(b, notice{slot: slots, size: 10, format: camera.MJPEG, width: 64, height: 48, seq: 1000, captured: 0})
			say(b)
		case "same slot twice":
			b := make([]byte, frameSize)
			for i := range uint64(2 * slots) {
				putFrame(b, notice{slot: 0, size: 10, format: camera.MJPEG, width: 64, height: 48, seq: 1000 + i, captured: 0})
				say(b)
			}
		}
	}
	*dst = camera.Frame{
		Data: append(dst.Data[:0], f.picture...), Format: camera.MJPEG, Width: 64, Height: 48, Seq: n, Captured: time.Now(),
	}
	switch f.kind {
	case "large":
		if n%2 == 0 {
			dst.Data = make([]byte, slotSize+1)
		}
	case "lies about sizes":
		if n%2 == 0 {
			dst.Width = 32
		}
	case "future":
		dst.Captured = time.Now().Add(time.Hour)
	case "1080p":
		dst.Width, dst.Height = 1920, 1080
	}
	return nil
}

func (f *fake) Controls(context.Context) ([]camera.Control, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kind == "controls hang" {
		select {}
	}
	return []camera.Control{{ID: 1, Name: camera.ExposureTime, Kind: camera.Integer, Max: 100, Value: f.value}}, nil
}

func (f *fake) Adjust(_ context.Context, settings []camera.Setting) ([]camera.Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []camera.Outcome
	for _, s := range settings {
		f.value = min(s.Value, 100)
		o := camera.Outcome{Setting: s, Got: f.value}
		if o.Got != s.Value {
			o.Refusal = "clamped"
		}
		out = append(out, o)
	}
	return out, nil
}

func (f *fake) Close() error {
	f.once.Do(func() { close(f.stop) })
	return nil
}

// open opens a fake camera in a real process.
func open(t *testing.T, l *Launcher, id string) *Source {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	s, err := l.open(ctx, id, camera.Mode{})
	if err != nil {
		t.Fatalf("open %q: %v", id, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return s
}

func launcher(t *testing.T) *Launcher {
	l := &Launcher{}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestConformance(t *testing.T) {
	l := launcher(t)
	cameratest.Run(t, func(t *testing.T) camera.Source {
		s, err := l.open(t.Context(), "good", camera.Mode{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestList(t *testing.T) {
	l := launcher(t)
	for range 3 { // by the same helper
		got, err := l.List()
		if err != nil || len(got) != 1 || got[0].ID != "good" || len(got[0].Modes) != 1 {
			t.Fatalf("List = %+v, %v", got, err)
		}
	}
	if l.idle == nil || l.idle.number != 3 {
		t.Error("a helper that only listed was not kept")
	}
}

// Whatever a driver does, the station gets an error of the right kind in time,
// the process is reaped, and the next open works.
func TestFaults(t *testing.T) {
	l := launcher(t)
	for id, want := range map[string]error{
		"absent": camera.ErrGone, "busy": camera.ErrBusy, "frozen": camera.ErrStalled,
		"odd": camera.ErrDriver, "crashes on open": camera.ErrDriver,
		"unplugged": camera.ErrGone, "stalls": camera.ErrStalled,
		"crashes": camera.ErrDriver, "panics": camera.ErrDriver, "exits": camera.ErrDriver,
		"rubbish": camera.ErrDriver, "long message": camera.ErrDriver, "another slot": camera.ErrDriver,
		"same slot twice": camera.ErrDriver,
	} {
		t.Run(id, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			s, err := l.open(ctx, id, camera.Mode{})
			if err == nil {
				var f camera.Frame
				for err == nil {
					err = s.Next(ctx, &f)
				}
				if cerr := s.Close(); cerr != nil {
					t.Errorf("Close = %v", cerr)
				}
				if !s.p.gone() {
					t.Error("the process was not reaped")
				}
			}
			if !errors.Is(err, want) {
				t.Errorf("error %v, want %v", err, want)
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %q is not fit for a log", err)
			}
			t.Log(err)
			var f camera.Frame
			if err := open(t, l, "good").Next(ctx, &f); err != nil {
				t.Errorf("the next camera: %v", err)
			}
		})
	}
}

// A driver that hangs is ended from outside.
func TestHangs(t *testing.T) {
	l := launcher(t)
	t.Run("on open", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := l.open(ctx, "hangs on open", camera.Mode{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("open = %v, want %v", err, context.DeadlineExceeded)
		}
	})
	for _, id := range []string{"hangs", "stops"} {
		t.Run(id, func(t *testing.T) {
			s := open(t, l, id)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var f camera.Frame
			var err error
			for err == nil {
				err = s.Next(ctx, &f)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Next = %v, want %v", err, context.DeadlineExceeded)
			}
			if err := s.Close(); err != nil || !s.p.gone() {
				t.Errorf("Close = %v, reaped %v", err, s.p.gone())
			}
		})
	}
	t.Run("the controls", func(t *testing.T) {
		s := open(t, l, "controls hang")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := s.Controls(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Controls = %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

// Frames that are not what they claim to be are counted, never delivered.
func TestFramesAreChecked(t *testing.T) {
	l := launcher(t)
	for _, id := range []string{"large", "lies about sizes", "future", "shrinks the memory"} {
		t.Run(id, func(t *testing.T) {
			s := open(t, l, id)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			var f camera.Frame
			for range 10 {
				if err := s.Next(ctx, &f); err != nil {
					t.Fatal(err)
				}
				if f.Width != 64 || len(f.Data) > slotSize || time.Until(f.Captured) > 0 {
					t.Errorf("frame %d: %d bytes, %d wide, captured %v from now", f.Seq, len(f.Data), f.Width, time.Until(f.Captured))
				}
			}
			if c := s.Counters(); c.Delivered != 10 || c.Invalid == 0 {
				t.Errorf("counters %+v", c)
			}
		})
	}
}

// A station that is slow gets the newest frame; the helper never waits for it
// longer than the slots last.
func TestLatestWins(t *testing.T) {
	s := open(t, launcher(t), "good")
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var f camera.Frame
	if err := s.Next(ctx, &f); err != nil {
		t.Fatal(err)
	}
	first := f.Seq
	for s.Counters().Dropped < 20 { // as many went by unseen
		runtime.Gosched()
		if ctx.Err() != nil {
			t.Fatal("no frames went by")
		}
	}
	if err := s.Next(ctx, &f); err != nil || f.Seq < first+20 {
		t.Errorf("frame %d after frame %d, %v; want the newest", f.Seq, first, err)
	}
	if age := time.Since(f.Captured); age > 10*time.Second {
		t.Errorf("the newest frame is %v old", age)
	}
}

func TestControls(t *testing.T) {
	s := open(t, launcher(t), "good")
	got, err := s.Controls(t.Context())
	if err != nil || len(got) != 1 || got[0].Name != camera.ExposureTime || got[0].Value != 50 {
		t.Fatalf("Controls = %+v, %v", got, err)
	}
	out, err := s.Adjust(t.Context(), []camera.Setting{{Name: camera.ExposureTime, Value: 70}, {Name: camera.ExposureTime, Value: 170}})
	if err != nil || len(out) != 2 || out[0].Refusal != "" || out[1].Got != 100 || out[1].Refusal == "" {
		t.Errorf("Adjust = %+v, %v", out, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Controls(t.Context()); !errors.Is(err, camera.ErrClosed) {
		t.Errorf("Controls after Close = %v, want %v", err, camera.ErrClosed)
	}
}

// The supervisor heals what the helper does not survive.
func TestSupervisorRestartsHelpers(t *testing.T) {
	l := launcher(t)
	kinds := []string{"crashes", "panics", "rubbish", "exits", "hangs", "absent", "good"}
	opened := 0
	sup, err := camera.NewSupervisor(camera.SupervisorParams{
		BackoffMin: time.Millisecond, BackoffMax: 2 * time.Millisecond, Stall: time.Second,
		Open: func(ctx context.Context) (camera.Source, error) {
			id := kinds[min(opened, len(kinds)-1)]
			opened++
			return l.Opener(id, camera.Mode{})(ctx)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = sup.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	wait, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	var f camera.Frame
	for sup.Status().Identity.ID != "good" {
		if err := sup.Latest(wait, f.Seq, &f); err != nil {
			t.Fatalf("%v; status %+v", err, sup.Status())
		}
	}
}

// playStation starts a helper whose driver hangs, says its process id and waits
// to be killed.
func playStation() int {
	l := &Launcher{}
	s, err := l.open(context.Background(), "hangs", camera.Mode{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(s.p.cmd.Process.Pid)
	select {}
}

// A station that is killed takes its helpers along, even one whose driver
// hangs.
func TestHelperDiesWithItsStation(t *testing.T) {
	station := exec.CommandContext(t.Context(), os.Args[0], parentArg)
	out, err := station.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := station.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, nerr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || nerr != nil {
		t.Fatalf("the station said %q, %v", line, err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := station.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = station.Wait()
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(limit.Milliseconds()))
	if err != nil || n != 1 {
		t.Errorf("the helper outlived its station (%d, %v)", n, err)
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

func TestNobodyElseStartsAHelper(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Args = []string{Name}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitOrphan || !strings.Contains(string(out), "only the station") {
		t.Errorf("%v: %s", err, out)
	}
	if Wanted([]string{"yunzhao"}) || Wanted([]string{Name, "x"}) {
		t.Error("any program is taken for a helper")
	}
}

// held counts what this process holds of the system.
type held struct{ fds, maps, children, goroutines int }

func holds(t *testing.T) held {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	h := held{fds: len(fds), maps: strings.Count(string(maps), "yunzhao-frames"), goroutines: runtime.NumGoroutine()}
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
			t.Fatal(err)
		}
		h.children += len(strings.Fields(string(b)))
	}
	return h
}

// restartsEnv asks for more restarts than every run of the tests can afford.
const restartsEnv = "YUNZHAO_HELPER_RESTARTS"

// After many restarts, in every way a helper ends, nothing is left of them.
func TestNothingIsLeft(t *testing.T) {
	restarts := 24
	if v := os.Getenv(restartsEnv); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("%s=%s: want a number", restartsEnv, v)
		}
		restarts = n
	}
	l := launcher(t)
	ways := []string{"good", "crashes", "exits", "rubbish", "unplugged", "busy", "absent", "crashes on open"}
	once := func(i int) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		s, err := l.open(ctx, ways[i%len(ways)], camera.Mode{})
		if err != nil {
			return
		}
		var f camera.Frame
		for range 6 {
			if err := s.Next(ctx, &f); err != nil {
				break
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("restart %d: Close = %v", i, err)
		}
	}
	for i := range ways {
		once(i)
	}
	_ = l.Close()
	before := holds(t)
	for i := range restarts {
		once(i)
	}
	_ = l.Close()
	after := settled(t, before)
	t.Logf("%d restarts: %+v before, %+v after", restarts, before, after)
	if after.fds > before.fds || after.maps > before.maps || after.children > before.children || after.goroutines > before.goroutines {
		t.Errorf("after %d restarts %+v, before %+v", restarts, after, before)
	}
}

// settled counts until goroutines that are just ending have ended.
func settled(t *testing.T, want held) held {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(limit)
	for {
		h := holds(t)
		if h.goroutines <= want.goroutines && h.fds <= want.fds && h.children <= want.children || time.Now().After(deadline) {
			return h
		}
		<-tick.C
	}
}

func TestNoAllocationPerFrame(t *testing.T) {
	s := open(t, launcher(t), "good")
	var f camera.Frame
	ctx := t.Context()
	read := func() {
		if err := s.Next(ctx, &f); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		read()
	}
	if n := testing.AllocsPerRun(50, read); n > 1 {
		t.Errorf("%v allocations a frame, want none", n)
	}
}

var _ io.Writer = (*words)(nil)
