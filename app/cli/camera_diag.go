package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/camera"
)

// CameraDiagCmd packs what helps to find a camera's fault.
type CameraDiagCmd struct {
	DataFlag `embed:""`
	Device   string `help:"相机标识 / Identity, auto or scene." default:"auto"`
	Out      string `help:"写到哪里 / File to write." required:"" type:"path"`
	Seconds  int    `help:"观察多少秒 / Watch for this many seconds." default:"5"`
	Picture  bool   `help:"附一张照片（会拍到人）/ Add one picture, which shows whoever is there."`
}

// Run packs. A camera that does not work is no error: that is what the bundle
// is for.
func (c CameraDiagCmd) Run(s *streams) (err error) {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	if c.Seconds < 1 || c.Seconds > 600 {
		return fmt.Errorf("--seconds %d: 1…600", c.Seconds)
	}
	f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("写不了文件 / write: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("写不了文件 / write: %w", cerr)
		}
	}()
	p := station.BundleParams{
		Dir: dir, Version: Version, List: listCameras, Watch: time.Duration(c.Seconds) * time.Second, Picture: c.Picture,
	}
	chosen, problem := chooseCamera(c.Device)
	if problem == nil {
		defer func() { _ = chosen.close() }() // nothing is lost with a helper
		var log strings.Builder
		sup, err := camera.NewSupervisor(camera.SupervisorParams{
			Open: chosen.open, Restore: station.RestoreCamera(dir, slog.New(slog.DiscardHandler)),
			Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); _ = sup.Run(ctx) }()
		end := func() { cancel(); <-done }
		defer end()
		p.Camera, p.Log = sup, func() string { end(); return log.String() }
	}
	p.Problem = problem
	if err := station.WriteBundle(context.Background(), f, p); err != nil {
		return fmt.Errorf("诊断信息没有装好 / the bundle is not whole: %w", err)
	}
	fmt.Fprintf(s.out, "%s\n", c.Out)
	if !c.Picture {
		fmt.Fprintln(s.out, "里面没有照片，也没有学生的信息。 / It holds no picture and nothing about students.")
	}
	return nil
}
