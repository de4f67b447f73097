package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/yunzhao-station/yunzhao/app/demo"
	"github.com/yunzhao-station/yunzhao/app/drive"
)

// DemoCmd drives the real window through whole visits.
type DemoCmd struct {
	Out     string `help:"截图与结果放在哪里 / Folder for pictures and results." default:"out/demo" type:"path" placeholder:"DIR"`
	Size    string `help:"窗口大小 / Window size." default:"1280x800" placeholder:"WxH"`
	Extra   int    `help:"另加多少次快速采集 / More quick visits afterwards." placeholder:"N"`
	Private bool   `help:"总是用自带的虚拟屏 / Always use a virtual screen of its own."`
}

// Run performs the demonstration and prints what happened.
func (c DemoCmd) Run(s *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	w, h, ok := strings.Cut(strings.ToLower(c.Size), "x")
	width, errW := strconv.Atoi(w)
	height, errH := strconv.Atoi(h)
	if !ok || errW != nil || errH != nil || width < 800 || height < 600 || width > 7680 || height > 7680 {
		fmt.Fprintf(s.err, "--size %q：应像 1280x800 / must be like 1280x800\n", c.Size)
		return exitError(exitUsage)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	began := time.Now()
	sum, err := demo.Run(ctx, demo.Options{
		Program: program, Out: c.Out, Width: width, Height: height, Extra: c.Extra, Private: c.Private, Progress: s.out,
	})
	if errors.Is(err, drive.ErrNoXvfb) {
		return errors.New("没有显示器，也没有 Xvfb：apt-get install xvfb / no display and no Xvfb: apt-get install xvfb")
	}
	if err != nil {
		return fmt.Errorf("演示没有完成 / the demonstration did not complete: %w（见 / see %s）", err, filepath.Join(c.Out, "kiosk.log"))
	}
	_, err = fmt.Fprintf(s.out, "\n演示完成 / done in %.0f s: %d 张截图 / pictures, %d 个照片包 / packets, 镜像 / mirror %.1f fps, 内存峰值 / kiosk peak %d MB\n→ %s\n",
		time.Since(began).Seconds(), sum.Pages, len(sum.Packets), sum.MirrorFPS, sum.PeakMB, c.Out)
	return err
}
