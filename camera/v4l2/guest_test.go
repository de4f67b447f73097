package v4l2_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
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
func opener(id string) camera.Opener {
	return (&helper.Launcher{}).Opener(id, camera.Mode{})
}

// TestGuestFaults drives one supervisor through everything that happens to a
// camera in a day.
func TestGuestFaults(t *testing.T) {
	r := guest(t)
	dev := r.camera()
	s, err := camera.NewSupervisor(camera.SupervisorParams{Open: opener(dev.ID)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		cancel()
		<-ended
	}()
	reach(t, s, camera.Streaming)
	seq := flow(t, s, 0, 10)
	step := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			f(t)
			back := reach(t, s, camera.Streaming)
			seq = flow(t, s, seq, 10)
			st := s.Status()
			t.Logf("streaming again after %v: frame %d, opens %d, %+v, %.1f fps", back.Round(time.Millisecond), seq, st.Opens, st.Counters, st.FPS)
		})
	}
	for range 3 {
		step("unplug and replug", func(t *testing.T) {
			r.do("unplug")
			t.Logf("absent after %v", reach(t, s, camera.Absent).Round(time.Millisecond))
			r.do("plug")
		})
	}
	step("freeze", func(t *testing.T) {
		r.do("freeze")
		t.Logf("stalled after %v", reach(t, s, camera.Stalled).Round(time.Millisecond))
		r.do("thaw")
	})
	step("unplug while frozen", func(t *testing.T) {
		r.do("freeze")
		reach(t, s, camera.Stalled)
		r.do("unplug")
		reach(t, s, camera.Absent)
		r.do("thaw")
		r.do("plug")
	})
	step("USB stall", func(t *testing.T) {
		r.do("stall")
		t.Logf("stalled after %v", reach(t, s, camera.Stalled).Round(time.Millisecond))
		r.do("thaw")
	})
	step("the same picture for ever", func(t *testing.T) {
		r.do("photo 0")
		t.Logf("stalled after %v", reach(t, s, camera.Stalled).Round(time.Millisecond))
		r.do("run")
	})
	for _, burst := range []string{"trunc 6", "empty 6"} {
		step(burst, func(t *testing.T) {
			before := s.Status()
			r.do(burst)
			seq = flow(t, s, seq, 20)
			after := s.Status()
			// The driver keeps empty frames to itself; cut ones it hands on.
			if burst == "trunc 6" && after.Counters.Invalid == before.Counters.Invalid {
				t.Error("no frame was counted as invalid")
			}
			// None is expected, but an overloaded host can stall the guest itself.
			t.Logf("opened again %d times", after.Opens-before.Opens)
		})
	}
	step("streaming fails to start, twice", func(t *testing.T) {
		r.do("nocommit 2")
		r.do("unplug")
		reach(t, s, camera.Absent)
		r.do("plug")
		reach(t, s, camera.Streaming)
		if err := s.Status().LastError; err == nil || !strings.Contains(err.Error(), "start streaming") {
			t.Errorf("last error %v; the stream did not fail to start, so this proves nothing", err)
		}
	})
	step("comes back under another number", func(t *testing.T) {
		node := s.Status().Identity.Node
		held, err := os.Open(node) // another program keeps the old node alive
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		r.do("unplug")
		reach(t, s, camera.Absent)
		r.do("plug")
		reach(t, s, camera.Streaming)
		if got := s.Status().Identity.Node; got == node {
			t.Errorf("still at %s; the test proves nothing", got)
		} else {
			t.Logf("%s became %s", node, got)
		}
	})
	if id := s.Status().Identity.ID; id != dev.ID {
		t.Errorf("the camera is now called %s, was %s", id, dev.ID)
	}
}
