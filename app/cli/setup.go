package cli

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	fyneapp "fyne.io/fyne/v2/app"
	"github.com/gofrs/flock"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/screen"
	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/app/watchdog"
)

// setUp leads through the first run where it is due. over tells that it was gone
// through and the station is to be started anew.
func setUp(ctx context.Context, heart *watchdog.Heart, dir string, cfg config.Config, log *slog.Logger) (over bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, fmt.Errorf("数据目录 / data directory: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil || !got {
		return false, nil // whoever opens the station says what is wrong
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	store, err := openKeys(dir, cfg)
	if err != nil {
		return false, err
	}
	due, err := station.NeedsSetup(dir, store)
	if err != nil || !due {
		return false, err
	}
	var run *station.Setup
	window, err := screen.New(fyneapp.NewWithID(appID), screen.Options{
		Size: image.Pt(cfg.Screen.Width, cfg.Screen.Height), Fullscreen: cfg.Screen.Fullscreen,
		OnIntent: func(in booth.Intent) { run.Send(in) },
	})
	if err != nil {
		return false, fmt.Errorf("window: %w", err)
	}
	run, err = station.NewSetup(station.SetupParams{
		DataDir: dir, Version: Version, Log: log, Keys: store, Window: window, ChooseCamera: setupCamera, ListCameras: listCameras,
		Words: func(err error) booth.Text { return halves(enrolWords(err).Error()) },
	})
	if err != nil {
		return false, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		err := run.Run(ctx)
		if ctx.Err() == nil {
			window.Close()
		}
		ended <- err
	}()
	if heart != nil {
		go heart.Beat(ctx, func(ctx context.Context) bool { return run.Responds(ctx) && window.Responds(ctx) })
	}
	window.ShowAndRun()
	stop()
	if err := <-ended; err != nil {
		return false, err
	}
	return true, nil
}

// setupCamera opens the camera of a setting for the first run.
func setupCamera(device string) (station.SetupCamera, error) {
	c, err := chooseCamera(device)
	if err != nil {
		return station.SetupCamera{}, err
	}
	out := station.SetupCamera{Open: c.open, Simulated: c.booth != nil, Close: c.close}
	if c.booth != nil {
		out.Scene = c.booth
	}
	return out, nil
}

// halves splits a message that has both languages, Chinese first.
func halves(s string) booth.Text {
	zh, en, ok := strings.Cut(s, " / ")
	if !ok {
		return booth.Text{ZH: s, EN: s}
	}
	return booth.Text{ZH: zh, EN: en}
}
