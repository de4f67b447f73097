package v4l2_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/cameratest"
	"github.com/yunzhao-station/yunzhao/camera/helper"
	"github.com/yunzhao-station/yunzhao/camera/v4l2"
)

// The TestGuest… tests run inside the virtual machine that vm/run.sh boots,
// against the kernel's own UVC driver and a camera that obeys. Timings there
// are those of an emulated processor: they are logged, not judged.

// The test program is its own camera helper.
func TestMain(m *testing.M) {
	if helper.Wanted(os.Args) {
		os.Exit(helper.Serve(helper.Driver{
			List: v4l2.List, Open: v4l2.OpenSource,
			Untouched: func(err error) bool { return errors.Is(err, v4l2.ErrNotFound) },
		}))
	}
	os.Exit(m.Run())
}

// patience bounds every wait in the guest.
const patience = 60 * time.Second

// rig is the control of the software camera.
type rig struct {
	t   *testing.T
	ctl string
}

func guest(t *testing.T) rig {
	t.Helper()
	ctl := os.Getenv("YUNZHAO_VM_GUEST")
	if ctl == "" {
		t.Skip("runs in the virtual machine of camera/v4l2/vm/run.sh only (YUNZHAO_VM_GUEST is not set)")
	}
	r := rig{t, ctl}
	r.do("thaw")
	r.do("run")
	return r
}

func (r rig) do(command string) {
	r.t.Helper()
	if out, err := exec.Command(r.ctl, strings.Fields(command)...).CombinedOutput(); err != nil {
		r.t.Fatalf("camera control %q: %v: %s", command, err, out)
	}
}

// camera waits until the camera is listed.
func (r rig) camera() camera.Device {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		found, err := v4l2.List()
		if err != nil {
			r.t.Fatal(err)
		}
		if len(found) > 0 {
			return found[0]
		}
		select {
		case <-ctx.Done():
			r.t.Fatal("no camera appeared")
		case <-tick.C:
		}
	}
}

func TestGuestConformance(t *testing.T) {
	r := guest(t)
	for name, want := range map[string]camera.Mode{
		"MJPEG 1080p": {},
		"MJPEG 640":   {Width: 640, Height: 480},
		"YUYV 640":    {Format: camera.YUYV, Width: 640, Height: 480},
	} {
		t.Run(name, func(t *testing.T) {
			cameratest.Run(t, func(t *testing.T) camera.Source {
				t.Helper()
				src, err := v4l2.Open(t.Context(), r.camera().ID, want)
				if err != nil {
					t.Fatal(err)
				}
				if m := src.Mode(); want.Width != 0 && (m.Width != want.Width || m.Format != camera.MJPEG && m.Format != want.Format) {
					t.Errorf("mode %+v, want %+v", m, want)
				}
				return src
			})
		})
	}
}

func TestGuestList(t *testing.T) {
	r := guest(t)
	d := r.camera()
	t.Logf("%+v", d)
	if !strings.HasPrefix(d.ID, "usb:1209:0001:SIM0001@") || d.Node == "" || d.Name == "" {
		t.Errorf("identity %+v, want usb:1209:0001:SIM0001@port", d.Identity)
	}
	if len(d.Modes) != 24 {
		t.Errorf("%d modes, want 2 formats × 3 sizes × 4 rates", len(d.Modes))
	}
	if _, err := os.Stat("/dev/video1"); err != nil {
		t.Errorf("there is no metadata node, so this proves nothing: %v", err)
	}
	found, err := v4l2.List()
	if err != nil || len(found) != 1 {
		t.Errorf("List = %d devices, %v; want one: the metadata node is no camera", len(found), err)
	}
}

func TestGuestErrors(t *testing.T) {
	r := guest(t)
	id := r.camera().ID
	src, err := v4l2.Open(t.Context(), id, camera.Mode{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v4l2.Open(t.Context(), id, camera.Mode{}); !errors.Is(err, camera.ErrBusy) {
		t.Errorf("second Open = %v, want %v", err, camera.ErrBusy)
	}
	if err := src.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if _, err := v4l2.Open(t.Context(), "usb:dead:beef:@1-1:1.0", camera.Mode{}); !errors.Is(err, camera.ErrGone) {
		t.Errorf("Open of another camera = %v, want %v", err, camera.ErrGone)
	}
	r.do("freeze")
	if _, err := v4l2.Open(t.Context(), id, camera.Mode{}); !errors.Is(err, camera.ErrStalled) {
		t.Errorf("Open of a frozen camera = %v, want %v", err, camera.ErrStalled)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v4l2.Open(ctx, id, camera.Mode{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want %v", err, context.Canceled)
	}
	r.do("thaw")
}

// reach waits until the supervised camera is in state, and returns how long
// that took.
func reach(t *testing.T, s *camera.Supervisor, state camera.State) time.Duration {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		changed := s.Changed()
		st := s.Status()
		if st.State == state {
			return time.Since(start)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("state %q, last error %v; want %q", st.State, st.LastError, state)
		}
	}
}

// flow reads n new frames and returns the number of the last.
func flow(t *testing.T, s *camera.Supervisor, after uint64, n int) uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var f camera.Frame
	for range n {
		if err := s.Latest(ctx, after, &f); err != nil {
			t.Fatalf("Latest = %v; status %+v", err, s.Status())
		}
		if f.Seq <= after {
			t.Fatalf("frame %d after frame %d", f.Seq, after)
		}
		after = f.Seq
	}
	return after
}

// opener opens the camera as the station does: by a helper process.
func opener(l *helper.Launcher, id string) camera.Opener { return l.Opener(id, camera.Mode{}) }

// openLimit is for an emulated processor on a machine with other work: opening
// takes it as many seconds as a real one tenths, and what is tested is how the
// driver fails, not that it is slow.
const openLimit = 40 * time.Second

// supervise runs a supervisor until the test ends.
func supervise(t *testing.T, p camera.SupervisorParams) *camera.Supervisor {
	t.Helper()
	p.OpenLimit = openLimit
	s, err := camera.NewSupervisor(p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return s
}

// recovery is what one kind of fault took, in the guest's time.
type recovery struct {
	fault           string
	shown, streamed []time.Duration // until the fault showed; from its end to the first frame
}

func (r *recovery) row() string {
	span := func(v []time.Duration) string {
		if len(v) == 0 {
			return "–"
		}
		low, high := slices.Min(v), slices.Max(v)
		if low == high {
			return fmt.Sprintf("%.2f s", low.Seconds())
		}
		return fmt.Sprintf("%.2f–%.2f s", low.Seconds(), high.Seconds())
	}
	return fmt.Sprintf("TABLE | %s | %d | %s | %s |", r.fault, len(r.streamed), span(r.shown), span(r.streamed))
}

// held counts what the test process holds of the system.
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
		b, _ := os.ReadFile(task) // a thread may just have ended
		h.children += len(strings.Fields(string(b)))
	}
	return h
}

// TestGuestFaults drives one supervisor through everything that happens to a
// camera in a day. The last lines of its log are the table of recovery times.
func TestGuestFaults(t *testing.T) {
	r := guest(t)
	dev := r.camera()
	r.do("unplug") // absent at the start
	l := &helper.Launcher{}
	t.Cleanup(func() { _ = l.Close() })
	s := supervise(t, camera.SupervisorParams{Open: opener(l, dev.ID)})
	reach(t, s, camera.Absent)
	var table []*recovery
	var seq uint64
	var before held
	// fault makes one, waits until it shows, ends it and waits for frames.
	fault := func(name string, do func(), shows camera.State, end func()) {
		t.Run(name, func(t *testing.T) {
			if len(table) == 0 || table[len(table)-1].fault != name {
				table = append(table, &recovery{fault: name})
			}
			row := table[len(table)-1]
			do()
			if shows != "" {
				row.shown = append(row.shown, reach(t, s, shows))
			}
			began := time.Now()
			end()
			reach(t, s, camera.Streaming)
			row.streamed = append(row.streamed, time.Since(began))
			seq = flow(t, s, seq, 10)
			st := s.Status()
			t.Logf("frame %d, opens %d, %+v, %.1f fps, last error %v", seq, st.Opens, st.Counters, st.FPS, st.LastError)
			if st.Identity.ID != dev.ID {
				t.Errorf("the camera is now called %s, was %s", st.Identity.ID, dev.ID)
			}
		})
	}
	nothing := func() {}
	do := func(command string) func() { return func() { r.do(command) } }

	fault("absent at the start", nothing, camera.Absent, do("plug"))
	before = holds(t)
	for range 10 {
		fault("unplugged and plugged in again", do("unplug"), camera.Absent, do("plug"))
	}
	for range 3 {
		fault("frozen: sends nothing", do("freeze"), camera.Stalled, do("thaw"))
	}
	for range 3 {
		fault("USB stall", do("stall"), camera.Stalled, do("thaw"))
	}
	fault("the same picture for ever", do("photo 0"), camera.Stalled, do("run"))
	fault("unplugged while frozen", func() {
		r.do("freeze")
		reach(t, s, camera.Stalled)
		r.do("unplug")
	}, camera.Absent, func() {
		r.do("thaw")
		r.do("plug")
	})
	for _, bad := range []struct {
		command string
		counted bool // the driver keeps some to itself
	}{{"err 6", false}, {"trunc 6", true}, {"empty 6", false}, {"garbage 6", true}, {"wrong 6", true}, {"nohuffman 30", false}} {
		fault(bad.command+" frames", func() {
			was := s.Status().Counters
			r.do(bad.command)
			seq = flow(t, s, seq, 20)
			now := s.Status().Counters
			if bad.counted && now.Invalid == was.Invalid {
				t.Errorf("%s: no frame was counted as invalid", bad.command)
			}
		}, "", nothing)
	}
	for range 3 {
		fault("streaming fails to start, twice", func() {
			r.do("nocommit 2")
			r.do("unplug")
		}, camera.Absent, do("plug"))
		if err := s.Status().LastError; err == nil || !strings.Contains(err.Error(), "start streaming") {
			t.Errorf("last error %v; the stream did not fail to start, so this proves nothing", err)
		}
	}
	node := s.Status().Identity.Node
	other, err := os.Open(node) // another program keeps the old node alive
	if err != nil {
		t.Fatal(err)
	}
	fault("comes back under another number", do("unplug"), camera.Absent, do("plug"))
	if now := s.Status().Identity.Node; now == node {
		t.Errorf("still at %s; the test proves nothing", now)
	}
	_ = other.Close()
	var taken camera.Source
	fault("taken by another program", func() {
		r.do("unplug")
		reach(t, s, camera.Absent)
		r.do("plug")
		for taken == nil { // whoever is first
			var err error
			if taken, err = v4l2.OpenSource(t.Context(), dev.ID, camera.Mode{}); err == nil {
				break
			}
			if s.Status().State == camera.Streaming {
				r.do("unplug")
				reach(t, s, camera.Absent)
				r.do("plug")
			}
		}
	}, camera.Faulted, func() {
		if err := taken.Close(); err != nil {
			t.Error(err)
		}
	})
	helperPID := func() int { return holds(t).children }
	fault("the helper process is killed", func() {
		if helperPID() != 1 {
			t.Fatalf("%d helpers, want 1", helperPID())
		}
		if out, err := exec.Command("pkill", "-9", "-P", strconv.Itoa(os.Getpid()), "-x", "yunzhao-camera").CombinedOutput(); err != nil {
			t.Fatalf("kill the helper: %v %s", err, out)
		}
	}, camera.Faulted, nothing)

	after := holds(t)
	for deadline := time.Now().Add(patience); (after.goroutines > before.goroutines || after.fds > before.fds) && time.Now().Before(deadline); after = holds(t) {
		flow(t, s, 0, 1)
	}
	t.Logf("held before %+v, after %+v", before, after)
	if after.fds > before.fds {
		links, _ := filepath.Glob("/proc/self/fd/*")
		for _, link := range links {
			to, _ := os.Readlink(link)
			t.Logf("%s → %s", link, to)
		}
	}
	if after.fds > before.fds || after.maps > before.maps || after.children > before.children || after.goroutines > before.goroutines {
		t.Errorf("held after all faults %+v, before %+v", after, before)
	}
	t.Log("TABLE | fault | times | shown after | streaming again after |")
	t.Log("TABLE |---|---|---|---|")
	for _, row := range table {
		t.Log(row.row())
	}
}

// What a camera is set to holds, comes back with it, and what it refuses is
// told.
func TestGuestControls(t *testing.T) {
	r := guest(t)
	dev := r.camera()
	l := &helper.Launcher{}
	t.Cleanup(func() { _ = l.Close() })
	var mu sync.Mutex
	var keep []camera.Setting
	s := supervise(t, camera.SupervisorParams{Open: opener(l, dev.ID), Restore: func(camera.Identity) []camera.Setting {
		mu.Lock()
		defer mu.Unlock()
		return keep
	}})
	reach(t, s, camera.Streaming)
	value := func(name string) camera.Control {
		t.Helper()
		controls, err := s.Controls(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(controls, func(c camera.Control) bool { return c.Name == name })
		if i < 0 {
			t.Fatalf("no control %s in %+v", name, controls)
		}
		return controls[i]
	}
	if c := value(camera.ExposureTime); !c.Inactive || c.Value != 157 {
		t.Errorf("exposure time of an automatic: %+v", c)
	}
	settings, outcomes, err := camera.Lock(t.Context(), s, camera.PowerLine50Hz, true)
	if err != nil || len(camera.Refused(outcomes)) != 0 || len(settings) != 9 {
		t.Fatalf("Lock = %+v, %+v, %v", settings, outcomes, err)
	}
	want := map[string]int32{
		camera.PowerLine: 1, camera.ExposureMode: 1, camera.ExposureTime: 157, camera.ExposurePriority: 0,
		camera.WhiteAuto: 0, camera.WhiteTemperature: 4730, camera.FocusAuto: 0, camera.FocusDistance: 35, camera.Gain: 10,
	}
	check := func(when string) {
		t.Helper()
		for name, v := range want {
			if c := value(name); c.Value != v || c.Inactive {
				t.Errorf("%s: %+v, want %d", when, c, v)
			}
		}
	}
	check("locked")
	out, err := s.Adjust(t.Context(), []camera.Setting{{Name: camera.Gain, Value: 80}, {Name: "zoom", Value: 1}, {Name: camera.Gain, Value: 10}})
	if err != nil || len(camera.Refused(out)) != 2 || out[0].Got != 50 {
		t.Errorf("Adjust beyond the limits = %+v, %v", out, err)
	}
	mu.Lock()
	keep = settings
	mu.Unlock()
	seq := flow(t, s, 0, 3)
	r.do("unplug")
	reach(t, s, camera.Absent)
	r.do("plug") // without power it forgot everything
	reach(t, s, camera.Streaming)
	flow(t, s, seq, 3)
	check("plugged in again")
	if refused := s.Status().Refused; len(refused) != 0 {
		t.Errorf("refused %+v", refused)
	}
	mu.Lock()
	keep = nil
	mu.Unlock()
	if _, err := camera.Unlock(t.Context(), s); err != nil {
		t.Error(err)
	}
	if c := value(camera.ExposureTime); !c.Inactive {
		t.Errorf("unlocked: %+v", c)
	}
}

// What a calibration holds comes back after unplugging and at the next start, by
// the camera's identity, and what the camera will not be set to is told.
func TestGuestHold(t *testing.T) {
	r := guest(t)
	dev := r.camera()
	l := &helper.Launcher{}
	t.Cleanup(func() { _ = l.Close() })
	profiles := camera.Profiles{Dir: t.TempDir()}
	params := camera.SupervisorParams{Open: opener(l, dev.ID), Restore: func(id camera.Identity) []camera.Setting {
		settings, err := profiles.Settings(id)
		if err != nil {
			t.Error(err)
		}
		return settings
	}}
	check := func(when string, s *camera.Supervisor) {
		t.Helper()
		controls, err := s.Controls(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int32{
			camera.PowerLine: camera.PowerLine50Hz, camera.ExposureMode: camera.ExposureManual, camera.ExposureTime: 157, camera.ExposurePriority: 0,
			camera.WhiteAuto: 0, camera.WhiteTemperature: 4730, camera.FocusAuto: 0, camera.FocusDistance: 35, camera.Gain: 10,
		}
		for _, c := range controls {
			if v, ok := want[c.Name]; ok && (c.Value != v || c.Inactive) {
				t.Errorf("%s: %+v, want %d", when, c, v)
			}
		}
	}
	// Settling takes three seconds of a real camera; this one's automatics are
	// settled, and the emulated processor is slow.
	hold := func(s *camera.Supervisor) camera.Held {
		t.Helper()
		h, err := camera.Hold(t.Context(), s, camera.HoldParams{Profiles: profiles, PowerLine: camera.PowerLine50Hz, Focus: true, Settle: 5})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	t.Run("held", func(t *testing.T) {
		s := supervise(t, params)
		reach(t, s, camera.Streaming)
		if h := hold(s); h.Kept || len(camera.Refused(h.Outcomes)) != 0 || h.Profile.ID != dev.ID || len(h.Profile.Settings) != 9 {
			t.Errorf("%+v", h)
		}
		check("held", s)
		seq := flow(t, s, 0, 3)
		r.do("unplug")
		reach(t, s, camera.Absent)
		r.do("plug") // without power it forgot everything
		reach(t, s, camera.Streaming)
		flow(t, s, seq, 3)
		check("plugged in again", s)
	})
	r.do("unplug")
	r.do("plug")
	t.Run("the next start", func(t *testing.T) {
		s := supervise(t, params)
		reach(t, s, camera.Streaming)
		check("the next start", s)
		v, err := profiles.Load(dev.ID)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(v.Settings, func(o camera.Setting) bool { return o.Name == camera.Gain })
		v.Settings[i].Value = 80 // more than it has
		if err := profiles.Save(v); err != nil {
			t.Fatal(err)
		}
		if refused := camera.Refused(hold(s).Outcomes); len(refused) != 1 || refused[0].Name != camera.Gain || refused[0].Got != 50 {
			t.Errorf("refused %+v, want the gain", refused)
		}
	})
}
