package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/helper"
	"github.com/yunzhao-station/yunzhao/camera/scene"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// Names of cameras that are not identities.
const (
	deviceAuto  = "auto"  // the first real one, else the simulation
	deviceScene = "scene" // the simulated booth
)

// CameraCmd groups what is done with cameras alone.
type CameraCmd struct {
	List     CameraListCmd     `cmd:"" help:"列出相机 / List cameras."`
	Watch    CameraWatchCmd    `cmd:"" help:"观察一台相机 / Watch a camera."`
	Shot     CameraShotCmd     `cmd:"" help:"拍一张 / Take one frame."`
	Controls CameraControlsCmd `cmd:"" help:"列出可设置的项目 / List what can be set."`
	Lock     CameraLockCmd     `cmd:"" help:"有人坐好时，锁定曝光、色温和对焦 / With somebody seated, hold exposure, colour and focus."`
	Unlock   CameraUnlockCmd   `cmd:"" help:"交还自动 / Give them back to the camera."`
	Fault    CameraFaultCmd    `cmd:"" help:"让正在运行的模拟相机出故障，试恢复 / Make a running simulated camera fail, to try the recovery."`
	Diag     CameraDiagCmd     `cmd:"" help:"把诊断信息装进一个 zip / Pack what helps to find a fault into a zip."`
}

// CameraListCmd lists what is plugged in.
type CameraListCmd struct {
	JSON bool `help:"JSON." name:"json"`
}

// Run lists.
func (c CameraListCmd) Run(s *streams) error {
	devices, err := listCameras()
	if err != nil {
		return fmt.Errorf("列不出相机 / list cameras: %w", err)
	}
	if c.JSON {
		if devices == nil {
			devices = []camera.Device{}
		}
		return json.NewEncoder(s.out).Encode(devices)
	}
	if len(devices) == 0 {
		fmt.Fprintln(s.out, "没有找到相机；将使用模拟相机（scene）。 / No camera found; the simulated one (scene) is used.")
		return nil
	}
	for _, d := range devices {
		fmt.Fprintf(s.out, "%s\t%s\t%s\n", d.ID, d.Name, d.Node)
		for _, m := range d.Modes {
			fmt.Fprintf(s.out, "\t%s %dx%d @ %g\n", m.Format, m.Width, m.Height, m.FPS)
		}
	}
	return nil
}

// listCameras finds the cameras that are plugged in, by a driver of its own.
func listCameras() ([]camera.Device, error) {
	var drivers helper.Launcher
	defer func() { _ = drivers.Close() }() // what was listed is what counts
	return drivers.List()
}

// chosenCamera is an opener and, for the simulation, its stage.
type chosenCamera struct {
	open    camera.Opener
	booth   *scene.Booth     // nil: a real camera
	drivers *helper.Launcher // nil: the simulation
}

// close ends what was started to reach the camera.
func (c chosenCamera) close() error {
	if c.drivers == nil {
		return nil
	}
	return c.drivers.Close()
}

// chooseCamera turns a setting into an opener: a real device where there is
// one, else the simulated booth.
func chooseCamera(device string) (chosenCamera, error) {
	if device != deviceAuto && device != deviceScene && !strings.HasPrefix(device, "usb:") && !strings.HasPrefix(device, "bus:") {
		return chosenCamera{}, usageError{
			fmt.Sprintf("没有叫 %q 的相机：用 auto、scene，或 yunzhao camera list 给出的标识", device),
			fmt.Sprintf("no camera is called %q: give auto, scene or an identity from yunzhao camera list", device),
		}
	}
	drivers := &helper.Launcher{}
	p := camera.OpenParams{List: drivers.List, Device: drivers.Opener, Demo: device == deviceScene}
	if device != deviceAuto && device != deviceScene {
		p.ID = device
	}
	// Building the booth takes time that a station with a camera need not wait
	// for, so it only stands for itself here.
	p.Scene = func(context.Context) (camera.Source, error) { return nil, camera.ErrGone }
	open, decision, err := camera.Open(p)
	if err != nil {
		_ = drivers.Close() // err says what went wrong first
		return chosenCamera{}, fmt.Errorf("选不出相机 / choose a camera: %w", err)
	}
	if !decision.Simulated {
		return chosenCamera{open: open, drivers: drivers}, nil
	}
	_ = drivers.Close() // a station that started simulated stays so
	b, err := scene.New(scene.Options{Encode: codec.EncodeYCbCr})
	if err != nil {
		return chosenCamera{}, fmt.Errorf("simulated booth: %w", err)
	}
	_ = b.Close() // the supervisor opens it
	return chosenCamera{open: b.Open, booth: b}, nil
}

// CameraWatchCmd supervises a camera and tells how it does.
type CameraWatchCmd struct {
	DataFlag `embed:""`
	Device   string `help:"相机标识 / Identity, auto or scene." default:"auto"`
	Seconds  int    `help:"多少秒后结束 / Stop after this many seconds (0 = never)."`
	JSON     bool   `help:"每行一个 JSON / One JSON object a line." name:"json"`
}

// Run watches until the time is over or it is interrupted.
func (c CameraWatchCmd) Run(s *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := c.dir()
	if err != nil {
		return err
	}
	if c.Seconds < 0 {
		return usageError{fmt.Sprintf("--seconds %d：不能是负数", c.Seconds), fmt.Sprintf("--seconds %d: must not be negative", c.Seconds)}
	}
	if c.Seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.Seconds)*time.Second)
		defer cancel()
	}
	chosen, err := chooseCamera(c.Device)
	if err != nil {
		return err
	}
	defer func() { _ = chosen.close() }() // nothing is lost with a helper
	sup, err := camera.NewSupervisor(camera.SupervisorParams{
		Open: chosen.open, Restore: station.RestoreCamera(dir, slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = sup.Run(ctx) }()
	// A reader, so that frames are taken and not only dropped.
	go func() {
		var f camera.Frame
		for seq := uint64(0); sup.Latest(ctx, seq, &f) == nil; seq = f.Seq {
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var last camera.State
	for {
		changed := sup.Changed()
		st := sup.Status()
		if st.State != last {
			last = st.State
			if err := c.print(s, st); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			<-done
			return nil
		case <-changed:
		case <-tick.C:
			if err := c.print(s, sup.Status()); err != nil {
				return err
			}
		}
	}
}

func (c CameraWatchCmd) print(s *streams, st camera.Status) error {
	l := station.LineOf(st)
	if c.JSON {
		return json.NewEncoder(s.out).Encode(l)
	}
	_, err := fmt.Fprintf(s.out, "%s  %-9s %s %s %dx%d  %.1f fps  dropped %d  invalid %d  %s\n", l.Time.Format(time.TimeOnly),
		l.State, l.Device.Name, l.Mode.Format, l.Mode.Width, l.Mode.Height, l.FPS, l.Dropped, l.Invalid, l.Error)
	return err
}

// CameraShotCmd takes one frame as the camera gives it.
type CameraShotCmd struct {
	DataFlag `embed:""`
	Device   string `help:"相机标识 / Identity, auto or scene." default:"auto"`
	Out      string `help:"写到哪里 / File to write." required:"" type:"path"`
}

// Run takes it.
func (c CameraShotCmd) Run(s *streams) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	const settle = 5 // frames until exposure has settled
	return withCamera(c.Device, dir, settle, func(ctx context.Context, sup *camera.Supervisor) error {
		var f camera.Frame
		defer f.Wipe()
		if err := sup.Latest(ctx, 0, &f); err != nil {
			return fmt.Errorf("相机没有画面 / the camera gives no picture: %w", err)
		}
		return c.save(s, &f)
	})
}

func (c CameraShotCmd) save(s *streams, f *camera.Frame) error {
	data, err := station.OriginalJPEG(f)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, data, 0o600); err != nil {
		return fmt.Errorf("写不了文件 / write: %w", err)
	}
	fmt.Fprintf(s.out, "%s  %dx%d %s\n", c.Out, f.Width, f.Height, f.Format)
	return nil
}
