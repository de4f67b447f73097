package cli

import (
	"context"
	"errors"
	"image"
	"reflect"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/xproto"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/drive"
)

func TestAssignMonitors(t *testing.T) {
	laptop := monitor{Name: "eDP-1", At: image.Rect(0, 0, 1366, 768), Primary: true}
	tall := monitor{Name: "HDMI-1", At: image.Rect(1366, 0, 2566, 1920)}
	wide := monitor{Name: "DP-1", At: image.Rect(2566, 0, 4486, 1080)}
	plain := laptop
	plain.Primary = false
	none := image.Rectangle{}
	for name, c := range map[string]struct {
		list             []monitor
		cfg              config.Screen
		student, console image.Rectangle
	}{
		"the console is the primary one":         {[]monitor{laptop, tall}, config.Screen{}, tall.At, laptop.At},
		"no primary: the student has the larger": {[]monitor{plain, tall}, config.Screen{}, tall.At, plain.At},
		"three: the largest of the others":       {[]monitor{laptop, wide, tall}, config.Screen{}, tall.At, laptop.At},
		"named, both":                            {[]monitor{laptop, tall}, config.Screen{StudentMonitor: "eDP-1", ConsoleMonitor: "HDMI-1"}, laptop.At, tall.At},
		"named, the student's":                   {[]monitor{laptop, tall}, config.Screen{StudentMonitor: "eDP-1"}, laptop.At, tall.At},
		"named, the console's":                   {[]monitor{laptop, tall}, config.Screen{ConsoleMonitor: "HDMI-1"}, laptop.At, tall.At},
		"one alone is the student's":             {[]monitor{laptop}, config.Screen{}, laptop.At, none},
		"the named one of the student is gone":   {[]monitor{laptop}, config.Screen{StudentMonitor: "HDMI-1", ConsoleMonitor: "eDP-1"}, none, laptop.At},
		"the named one of the console is gone":   {[]monitor{tall}, config.Screen{StudentMonitor: "HDMI-1", ConsoleMonitor: "eDP-1"}, tall.At, none},
		"none":                                   {nil, config.Screen{}, none, none},
	} {
		t.Run(name, func(t *testing.T) {
			student, console := assign(c.list, c.cfg)
			if student != c.student || console != c.console {
				t.Errorf("student %v, console %v; want %v, %v", student, console, c.student, c.console)
			}
		})
	}
}

func TestWatchMonitorsTellsChangesAlone(t *testing.T) {
	a, b := monitor{Name: "a", At: image.Rect(0, 0, 10, 10)}, monitor{Name: "b", At: image.Rect(10, 0, 20, 10)}
	both := []monitor{a, b}
	looks := [][]monitor{both, {a}, {a}, nil, both}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	tick, i := make(chan time.Time, len(looks)), -1
	for range looks {
		tick <- time.Time{}
	}
	var told [][]monitor
	watchMonitors(ctx, tick, func() ([]monitor, error) {
		if i++; i == len(looks)-1 {
			stop()
		}
		if looks[i] == nil {
			return nil, errors.New("the X server is busy")
		}
		return looks[i], nil
	}, both, func(l []monitor) { told = append(told, l) })
	if want := [][]monitor{{a}, both}; !reflect.DeepEqual(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// The monitors of a real X server, split into two as xrandr does.
func TestMonitorsOfAnXServer(t *testing.T) {
	d, err := drive.StartXvfb(t.Context(), 2560, 800)
	if errors.Is(err, drive.ErrNoXvfb) {
		t.Skip("SKIPPED: needs Xvfb, which is not installed (apt-get install xvfb)")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	x, err := xgb.NewConnDisplay(d.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	list, err := monitors(x)
	if err != nil || len(list) != 1 || list[0].At != image.Rect(0, 0, 2560, 800) {
		t.Fatalf("%v, %v", list, err)
	}
	root := xproto.Setup(x).DefaultScreen(x).Root
	for i, name := range []string{"left", "right"} {
		atom, err := xproto.InternAtom(x, false, uint16(len(name)), name).Reply()
		if err != nil {
			t.Fatal(err)
		}
		m := randr.MonitorInfo{Name: atom.Atom, X: int16(1280 * i), Width: 1280, Height: 800, WidthInMillimeters: 338, HeightInMillimeters: 211}
		if err := randr.SetMonitorChecked(x, root, m).Check(); err != nil {
			t.Fatal(err)
		}
	}
	list, err = monitors(x)
	if err != nil {
		t.Fatal(err)
	}
	student, console := assign(list, config.Screen{StudentMonitor: "right", ConsoleMonitor: "left"})
	if student != image.Rect(1280, 0, 2560, 800) || console != image.Rect(0, 0, 1280, 800) {
		t.Errorf("%v: student %v, console %v", list, student, console)
	}
}
