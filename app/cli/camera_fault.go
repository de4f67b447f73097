package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/yunzhao-station/yunzhao/app/drive/remote"
	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/camera/scene"
)

// sceneSocket is where a station with the simulated camera takes its faults,
// below the data directory. With a real camera there is none.
const sceneSocket = "scene.sock"

// sceneSwitches are the simulated booth's faults, for staff to try how the
// station recovers. They show nothing of the station and touch no real camera.
type sceneSwitches struct{ auto station.Automation }

func (s *sceneSwitches) State() any                 { return struct{}{} }
func (s *sceneSwitches) Targets() []remote.Target   { return nil }
func (s *sceneSwitches) Scene(command string) error { return s.auto.Scene(command) }

// serveFaults lets `yunzhao camera fault` reach the simulated booth. Without
// the socket the station works all the same, so a failure is only logged.
func serveFaults(ctx context.Context, dir string, booth *scene.Booth, log *slog.Logger) (closer func() error) {
	if booth == nil {
		return func() error { return nil }
	}
	server, err := remote.Listen(ctx, filepath.Join(dir, sceneSocket), &sceneSwitches{station.Automation{Booth: booth}}, log)
	if err != nil {
		log.Warn("faults of the simulated camera cannot be switched", "error", err)
		return func() error { return nil }
	}
	return server.Close
}

// CameraFaultCmd makes the simulated camera of a running station fail.
type CameraFaultCmd struct {
	DataFlag `embed:""`
	Demo     bool   `help:"演示用的数据目录 / The demonstration's data directory (run --demo)."`
	Fault    string `arg:"" help:"freeze|thaw 卡死, unplug|plug 拔线, corrupt|clean 坏帧, slow|fast 变慢, wrong-size|right-size 尺寸不对 / what to do."`
}

// Run throws the switch.
func (c CameraFaultCmd) Run(s *streams) error {
	name := "yunzhao"
	if c.Demo {
		name = "yunzhao-demo"
	}
	dir, err := c.dirOr(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	client, err := remote.Dial(ctx, filepath.Join(dir, sceneSocket))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("没有正在运行的模拟相机；真相机请直接拔线 / no station with the simulated camera is running here (of a real camera, pull the cable)")
	}
	if err != nil {
		return fmt.Errorf("连不上拍照站 / reach the station: %w", err)
	}
	defer func() { _ = client.Close() }() // the answer is what counts
	if err := client.Scene(ctx, c.Fault); err != nil {
		return fmt.Errorf("没有照做 / not done: %w", err)
	}
	fmt.Fprintf(s.out, "已执行 / done: %s\n", c.Fault)
	return nil
}
