package cli

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"github.com/jezek/xgb"
	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/xproto"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/screen"
	"github.com/yunzhao-station/yunzhao/app/station"
)

// front is what people see of the station: one window or two.
type front interface {
	station.Window
	Targets() []screen.Target
	Responds(ctx context.Context) bool
	Prepare(ctx context.Context)
	ShowAndRun()
	Close()
}

// openFront makes the windows that the settings ask for. With two displays it
// follows the monitors until ctx ends: one that goes leaves its work to the other.
func openFront(ctx context.Context, app fyne.App, cfg config.Screen, opts screen.Options, log *slog.Logger) (front, error) {
	opts.Size, opts.Fullscreen = image.Pt(cfg.Width, cfg.Height), cfg.Fullscreen
	if cfg.Displays < 2 {
		return screen.New(app, opts)
	}
	console := opts
	console.Title = "云照站操作台 Yunzhao Console"
	if !cfg.Fullscreen { // side by side, for a desktop with room for both
		opts.Position, console.Position = &image.Point{}, &image.Point{X: cfg.Width}
		return screen.NewDisplays(app, opts, console)
	}
	x, err := xgb.NewConn()
	if err != nil {
		return nil, fmt.Errorf("看有几个显示器 / see which monitors there are: %w", err)
	}
	list, err := monitors(x)
	if err != nil {
		x.Close()
		return nil, err
	}
	at, beside := assign(list, cfg)
	log.Info("monitors", "there", fmt.Sprint(list), "student", at, "console", beside)
	for o, r := range map[*screen.Options]image.Rectangle{&opts: at, &console: beside} {
		if !r.Empty() {
			o.Position, o.Size = &r.Min, r.Size()
		}
	}
	d, err := screen.NewDisplays(app, opts, console)
	if err != nil {
		x.Close()
		return nil, err
	}
	if at.Empty() || beside.Empty() {
		log.Warn("two displays are set and one is missing: the other serves everybody")
		d.Place(at, beside)
	}
	go func() {
		defer x.Close()
		watchMonitors(ctx, time.NewTicker(monitorPace).C, func() ([]monitor, error) { return monitors(x) }, list, func(list []monitor) {
			at, beside := assign(list, cfg)
			log.Warn("the monitors have changed", "there", fmt.Sprint(list), "student", at, "console", beside)
			d.Place(at, beside)
		})
	}()
	return d, nil
}

// monitorPace is how often the monitors are counted: a display that was pulled out
// is noticed before anybody has walked to it.
const monitorPace = 2 * time.Second

// monitor is one of the X server's.
type monitor struct {
	Name    string          // of its output, as xrandr calls it: HDMI-1
	At      image.Rectangle // on the desktop, in pixels
	Primary bool
}

// monitors lists those that are on.
func monitors(x *xgb.Conn) ([]monitor, error) {
	if err := randr.Init(x); err != nil {
		return nil, fmt.Errorf("monitors: the X server has no RandR: %w", err)
	}
	reply, err := randr.GetMonitors(x, xproto.Setup(x).DefaultScreen(x).Root, true).Reply()
	if err != nil {
		return nil, fmt.Errorf("monitors: %w", err)
	}
	var list []monitor
	for _, m := range reply.Monitors {
		name, err := xproto.GetAtomName(x, m.Name).Reply()
		if err != nil {
			return nil, fmt.Errorf("monitors: %w", err)
		}
		list = append(list, monitor{
			Name: name.Name, Primary: m.Primary,
			At: image.Rect(int(m.X), int(m.Y), int(m.X)+int(m.Width), int(m.Y)+int(m.Height)),
		})
	}
	if len(list) == 0 {
		return nil, errors.New("monitors: the X server has none")
	}
	return list, nil
}

// assign gives each window its monitor: the one the settings name; else the
// console gets the primary one, where staff log in, and the student the largest
// of the others. Empty = there is none for it; one monitor alone is the student's.
func assign(list []monitor, cfg config.Screen) (student, console image.Rectangle) {
	left := slices.Clone(list)
	take := func(is func(monitor) bool) (r image.Rectangle) {
		if i := slices.IndexFunc(left, is); i >= 0 {
			r = left[i].At
			left = slices.Delete(left, i, i+1)
		}
		return r
	}
	named := func(name string) func(monitor) bool { return func(m monitor) bool { return m.Name == name } }
	if cfg.StudentMonitor != "" {
		student = take(named(cfg.StudentMonitor))
	}
	if cfg.ConsoleMonitor != "" {
		console = take(named(cfg.ConsoleMonitor))
	}
	slices.SortStableFunc(left, func(a, b monitor) int { return area(b.At) - area(a.At) })
	largest := func(monitor) bool { return true } // they are sorted
	if cfg.ConsoleMonitor == "" && (len(left) > 1 || !student.Empty()) {
		if console = take(func(m monitor) bool { return m.Primary }); console.Empty() {
			if len(left) > 1 { // the largest is for the student
				console = left[1].At
				left = slices.Delete(left, 1, 2)
			} else {
				console = take(largest)
			}
		}
	}
	if cfg.StudentMonitor == "" {
		student = take(largest)
	}
	return student, console
}

func area(r image.Rectangle) int { return r.Dx() * r.Dy() }

// watchMonitors tells changed about every change from what was, at each tick
// until ctx ends. A look that fails changes nothing.
func watchMonitors(ctx context.Context, tick <-chan time.Time, look func() ([]monitor, error), was []monitor, changed func([]monitor)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		now, err := look()
		if err != nil || slices.Equal(now, was) {
			continue
		}
		was = now
		changed(now)
	}
}
