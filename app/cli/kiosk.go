package cli

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	fyneapp "fyne.io/fyne/v2/app"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/screen"
	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/app/watchdog"
)

// KioskCmd starts the station in full screen and starts it again whenever it
// crashes or hangs: what a kiosk session runs.
type KioskCmd struct {
	RunCmd   `embed:""`
	Windowed bool `help:"不全屏 / Not in full screen."`
}

// Run returns when the station was shut down by its staff or by a signal.
func (c KioskCmd) Run(s *streams) error {
	if err := forbidCoreDumps(); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("找不到本程序 / find this program: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	log := slog.New(slog.NewTextHandler(s.err, nil))
	err = watchdog.Run(ctx, watchdog.Options{Command: append([]string{program, "run"}, c.arguments()...), Stdout: s.out, Stderr: s.err, Log: log})
	if errors.Is(err, context.Canceled) {
		return nil // asked to end, and the station has ended
	}
	return err
}

// arguments are those of the run that is watched.
func (c KioskCmd) arguments() []string {
	args := []string{"--log=" + c.Log}
	if !c.Windowed {
		args = append(args, "--fullscreen")
	}
	if c.Demo {
		args = append(args, "--demo")
	}
	for _, f := range []struct{ name, value string }{
		{"data", c.Data}, {"camera", c.Camera}, {"size", c.Size}, {"automation", c.Automation},
	} {
		if f.value != "" {
			args = append(args, "--"+f.name+"="+f.value)
		}
	}
	return args
}

// beat tells the watchdog, where there is one, that the window and the station's
// loop come round.
func beat(ctx context.Context, heart *watchdog.Heart, window front, st *station.Station) {
	if heart == nil {
		return
	}
	go heart.Beat(ctx, func(ctx context.Context) bool { return st.Responds(ctx) && window.Responds(ctx) })
}

// retryStart is how often a kiosk that could not start tries again by itself.
const retryStart = 30 * time.Second

// notStarted shows a kiosk's staff why the station could not start, instead of a
// black screen, until they press the button, half a minute has passed or ctx
// ends. It ends with an error either way, so that the watchdog starts the station
// again.
func notStarted(ctx context.Context, heart *watchdog.Heart, cfg config.Config, why error) error {
	ctx, stop := context.WithTimeout(ctx, retryStart)
	defer stop()
	window, err := screen.New(fyneapp.NewWithID(appID), screen.Options{
		Size: image.Pt(cfg.Screen.Width, cfg.Screen.Height), Fullscreen: cfg.Screen.Fullscreen,
		OnIntent: func(in booth.Intent) {
			if _, ok := in.(booth.FaultAction); ok {
				stop()
			}
		},
	})
	if err != nil {
		return errors.Join(why, err)
	}
	window.Show(startFault(booth.Lang(cfg.Screen.Language), time.Now(), why))
	context.AfterFunc(ctx, window.Close)
	if heart != nil {
		go heart.Beat(ctx, window.Responds)
	}
	window.ShowAndRun()
	return why
}

// startFault is what the screen says when the station could not start.
func startFault(lang booth.Lang, now time.Time, why error) booth.View {
	return booth.View{
		State: booth.Idle, Lang: lang, Now: now,
		Fault: &booth.Fault{
			Code:  "not-started",
			Title: booth.Text{ZH: "云照站没有启动成功", EN: "The station could not start"},
			Body: booth.Text{
				ZH: "请工作人员处理下面的问题，然后按“再试一次”：\n" + why.Error(),
				EN: "Staff: mend what is said above, then press the button. It also tries again by itself every half minute.",
			},
			Safe:   booth.Text{ZH: "已保存的照片都安全，没有打开也没有改动。", EN: "All saved photos are safe: nothing was opened or changed."},
			Action: booth.Text{ZH: "再试一次", EN: "Try again"},
		},
	}
}
