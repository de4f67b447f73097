package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/camera"
)

// withCamera opens a camera as the station does, waits for n frames and runs f.
func withCamera(device, dir string, n int, f func(context.Context, *camera.Supervisor) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	chosen, err := chooseCamera(device)
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
	run, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = sup.Run(run) }()
	defer func() { end(); <-done }()
	wait, cancel := context.WithTimeout(ctx, time.Duration(15+n/5)*time.Second)
	defer cancel()
	var frame camera.Frame
	defer frame.Wipe()
	if err := arrived(wait, sup); err != nil {
		return noPicture(device, err)
	}
	for range n {
		if err := sup.Latest(wait, frame.Seq, &frame); err != nil {
			return noPicture(device, sup.Status().LastError)
		}
	}
	return f(ctx, sup)
}

// absentFor is how long a camera that is not plugged in is waited for: one that
// starts up is listed by then.
const absentFor = 3 * time.Second

// arrived waits until the camera streams. It gives up, with the last error, on one
// that is not there, and on any other when ctx ends.
func arrived(ctx context.Context, sup *camera.Supervisor) error {
	gone := time.NewTimer(absentFor)
	defer gone.Stop()
	for waited := false; ; {
		changed := sup.Changed()
		st := sup.Status()
		if st.State == camera.Streaming {
			return nil
		}
		if waited && errors.Is(st.LastError, camera.ErrGone) {
			return st.LastError
		}
		select {
		case <-ctx.Done():
			return st.LastError
		case <-gone.C:
			waited = true
		case <-changed:
		}
	}
}

// noPicture says why a camera cannot be used; err nil = it is not known.
func noPicture(device string, err error) error {
	switch {
	case errors.Is(err, camera.ErrBusy):
		return errors.New("相机正被别的程序使用（拍照站开着吗？），请先关掉它 / another program has the camera (is the station running?): close it first")
	case errors.Is(err, camera.ErrGone):
		return fmt.Errorf("没有插着 %s 这台相机，yunzhao camera list 列出插着的 / %s is not plugged in: yunzhao camera list names those that are", device, device)
	case err == nil:
		return errors.New("相机没有画面，请检查连接 / the camera gives no picture: check the cable")
	}
	return fmt.Errorf("相机没有画面，请检查连接 / the camera gives no picture: check the cable: %w", err)
}

// CameraControlsCmd lists what can be set on a camera.
type CameraControlsCmd struct {
	DataFlag `embed:""`
	Device   string `help:"相机标识 / Identity, auto or scene." default:"auto"`
	JSON     bool   `help:"JSON." name:"json"`
}

// Run lists.
func (c CameraControlsCmd) Run(s *streams) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	return withCamera(c.Device, dir, 1, func(ctx context.Context, sup *camera.Supervisor) error {
		controls, err := sup.Controls(ctx)
		if err != nil && !errors.Is(err, camera.ErrFixed) {
			return fmt.Errorf("读不到相机的设置 / read the camera's controls: %w", err)
		}
		if c.JSON {
			if controls == nil {
				controls = []camera.Control{}
			}
			return json.NewEncoder(s.out).Encode(controls)
		}
		if len(controls) == 0 {
			fmt.Fprintln(s.out, "这台相机没有可以设置的项目。 / This camera has nothing to set.")
		}
		for _, v := range controls {
			note := ""
			if v.Inactive {
				note = "  自动 / automatic"
			}
			fmt.Fprintf(s.out, "%-28s %6d   %d…%d%s\n", v.Name, v.Value, v.Min, v.Max, note)
		}
		return nil
	})
}

// CameraLockCmd holds a camera's automatics and keeps what they found.
type CameraLockCmd struct {
	DataFlag  `embed:""`
	Device    string `help:"相机标识 / Identity or auto." default:"auto"`
	PowerLine string `help:"灯光的电源频率 / Frequency of the lamps: 50, 60 or off." enum:"50,60,off" default:"50"`
	KeepFocus bool   `help:"不动对焦 / Leave the focus alone."`
}

// Run waits for the automatics to settle, holds them and saves the profile.
func (c CameraLockCmd) Run(s *streams) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	power := map[string]int32{"50": camera.PowerLine50Hz, "60": camera.PowerLine60Hz, "off": camera.PowerLineOff}[c.PowerLine]
	return withCamera(c.Device, dir, 1, func(ctx context.Context, sup *camera.Supervisor) error {
		held, err := camera.Hold(ctx, sup, camera.HoldParams{Profiles: station.Profiles(dir), PowerLine: power, Focus: !c.KeepFocus, Anew: true})
		if errors.Is(err, camera.ErrFixed) {
			fmt.Fprintln(s.out, "这台相机没有可以锁定的项目。 / This camera has nothing to lock.")
			return nil
		}
		printOutcomes(s, held.Outcomes)
		if err != nil {
			return fmt.Errorf("相机没有锁定 / lock the camera: %w", err)
		}
		fmt.Fprintf(s.out, "已锁定 %d 项，重新连接后自动恢复；请重拍空背景。 / %d settings are held and come back with the camera; photograph the backdrop anew.\n",
			len(held.Profile.Settings), len(held.Profile.Settings))
		return nil
	})
}

// CameraUnlockCmd gives a camera back to its automatics.
type CameraUnlockCmd struct {
	DataFlag `embed:""`
	Device   string `help:"相机标识 / Identity or auto." default:"auto"`
}

// Run unlocks and forgets the profile.
func (c CameraUnlockCmd) Run(s *streams) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	return withCamera(c.Device, dir, 1, func(ctx context.Context, sup *camera.Supervisor) error {
		if err := station.Profiles(dir).Remove(sup.Status().Identity.ID); err != nil {
			return fmt.Errorf("设置没有删除 / profile not removed: %w", err)
		}
		outcomes, err := camera.Unlock(ctx, sup)
		if err != nil && !errors.Is(err, camera.ErrFixed) {
			return fmt.Errorf("相机没有回到自动 / give the camera back to its automatics: %w", err)
		}
		printOutcomes(s, outcomes)
		fmt.Fprintln(s.out, "相机回到自动。 / The camera is automatic again.")
		return nil
	})
}

func printOutcomes(s *streams, outcomes []camera.Outcome) {
	for _, o := range outcomes {
		if o.Refusal == "" {
			fmt.Fprintf(s.out, "✓ %-28s %d\n", o.Name, o.Got)
			continue
		}
		fmt.Fprintf(s.out, "✗ %-28s %d，相机拒绝了 %d / the camera refused %d: %s\n", o.Name, o.Got, o.Value, o.Value, o.Refusal)
	}
}
