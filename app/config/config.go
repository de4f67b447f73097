// Package config reads the station's settings: one TOML file, every key with a
// safe default, validated when it is loaded. An error names the key, what was
// found and what is allowed, so that it can be mended at the desk.
//
// It knows no other part of the station.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// FileName of the settings inside the data directory.
const FileName = "yunzhao.toml"

// Config holds every setting of a station.
type Config struct {
	Station Station `toml:"station"`
	Camera  Camera  `toml:"camera"`
	Screen  Screen  `toml:"screen"`
	Times   Times   `toml:"times"`
	Capture Capture `toml:"capture"`
	Sound   Sound   `toml:"sound"`
	Central Central `toml:"central"`
	Outbox  Outbox  `toml:"outbox"`

	Operator Operator `toml:"operator"`
	Scan     Scan     `toml:"scan"`
	Keys     Keys     `toml:"keys"`
}

// Station tells who this is.
type Station struct {
	Name   string `toml:"name"`   // what staff call it, shown at central
	School string `toml:"school"` // the head of the day's report
}

// Camera tells which camera and how it is mounted.
type Camera struct {
	Device        string `toml:"device"`         // "auto", "scene" or an identity from `yunzhao camera list`
	MountRotation int    `toml:"mount_rotation"` // degrees clockwise that turn the frame upright: 0, 90, 180, 270
	PlateFrames   int    `toml:"plate_frames"`   // frames averaged into the clean plate
}

// Screen tells how the window looks.
type Screen struct {
	Language   string `toml:"language"`   // zh or en
	LargeText  bool   `toml:"large_text"` // larger words wherever there is room; students switch it for themselves
	Fullscreen bool   `toml:"fullscreen"`
	Width      int    `toml:"width"`  // pixels, when not full screen
	Height     int    `toml:"height"` // pixels, when not full screen
	// Displays is 2 where the student and staff have a monitor each: one shows the
	// mirror, the other the console.
	Displays       int    `toml:"displays"`
	StudentMonitor string `toml:"student_monitor"` // by xrandr's name, such as "HDMI-1"; "" = not the primary one
	ConsoleMonitor string `toml:"console_monitor"` // likewise; "" = the primary one
}

// Times are the patience of each screen and the countdown, in seconds.
type Times struct {
	Identify  int `toml:"identify_s"`
	Read      int `toml:"read_s"`
	Pose      int `toml:"pose_s"`
	Decide    int `toml:"decide_s"`
	Done      int `toml:"done_s"`
	Countdown int `toml:"countdown_s"`
}

// Capture tells how a photo is taken.
type Capture struct {
	Auto bool `toml:"auto"` // the countdown starts by itself once the live checks hold
	// Burst is how many frames around the shutter the best is chosen from; 1
	// takes the frame on the screen.
	Burst      int    `toml:"burst"`
	Lens       string `toml:"lens"`        // where the camera stands: above, left, right or below the screen
	ShutterKey string `toml:"shutter_key"` // of a pedal or remote, beside the space bar; "" = none
}

// Sound tells whether the station beeps and speaks.
type Sound struct {
	Mode   string `toml:"mode"`   // on, off, or auto: on except in a demonstration
	Voice  bool   `toml:"voice"`  // speak the hints where espeak-ng is installed
	Volume int    `toml:"volume"` // percent
}

// Central tells where photos go.
type Central struct {
	PinSHA256  string `toml:"pin_sha256"`   // hex digest of central's TLS key, "" = system roots
	UploadKBs  int    `toml:"upload_kb_s"`  // most kilobytes (of 1024) a second that are sent, 0 = no limit
	InFlightKB int    `toml:"in_flight_kb"` // most kilobytes of a photo in one request, and so on their way at a time
}

// Outbox guards the disk.
type Outbox struct {
	FreeFloorMB int `toml:"free_floor_mb"` // no new student below this much free disk
	MaxPending  int `toml:"max_pending"`   // no new student above this many unsent photos
	RetainDays  int `toml:"retain_days"`   // sealed packets stay this long after central opened them
}

// Default settings; each is what a station without a file uses.
func Default() Config {
	return Config{
		Station: Station{Name: "云照站"},
		Camera:  Camera{Device: "auto", PlateFrames: 12},
		Screen:  Screen{Language: "zh", Fullscreen: false, Width: 1280, Height: 800, Displays: 1},
		Times:   Times{Identify: 90, Read: 120, Pose: 180, Decide: 180, Done: 25, Countdown: 3},
		Capture: Capture{Auto: true, Burst: 5, Lens: "above"},
		Sound:   Sound{Mode: "auto", Voice: true, Volume: 70},
		Central: Central{InFlightKB: 512},
		Outbox:  Outbox{FreeFloorMB: 512, MaxPending: 5000, RetainDays: 30},

		Operator: defaultOperator(),
		Scan:     Scan{Camera: true},
		Keys:     defaultKeys(),
	}
}

// Load reads dir/yunzhao.toml over the defaults. A missing file is no error.
func Load(dir string) (Config, error) {
	path := filepath.Join(dir, FileName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Default(), nil
	}
	if err != nil {
		return Config{}, fmt.Errorf("config: read settings: %w", err)
	}
	c, err := Parse(data)
	if err != nil {
		return Config{}, fmt.Errorf("config: %s: %w", path, err)
	}
	return c, nil
}

// Parse reads settings over the defaults; unknown keys are refused, because a
// misspelt key is a setting that silently does nothing.
func Parse(data []byte) (Config, error) {
	c := Default()
	d := toml.NewDecoder(strings.NewReader(string(data))).DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) && len(strict.Errors) > 0 {
			return Config{}, fmt.Errorf("unknown key %q", strings.Join(strict.Errors[0].Key(), "."))
		}
		return Config{}, err
	}
	return c, c.Validate()
}

// Validate checks every setting by what [Settings] says of it, and those that
// depend on one another; all faults are reported at once.
func (c Config) Validate() error {
	var errs []error
	fields(reflect.ValueOf(c), func(key string, v reflect.Value) {
		if s, ok := SettingOf(key); ok {
			errs = append(errs, s.check(v))
		}
	})
	if d := c.Camera.Device; d != "auto" && d != "scene" && !strings.HasPrefix(d, "usb:") && !strings.HasPrefix(d, "bus:") {
		errs = append(errs, errors.New(`camera.device: must be "auto", "scene" or a camera identity`))
	}
	if n := c.Screen.StudentMonitor; n != "" && n == c.Screen.ConsoleMonitor {
		errs = append(errs, fmt.Errorf("screen.console_monitor = %q: screen.student_monitor has it already", n))
	}
	if p := c.Central.PinSHA256; p != "" && (len(p) != 64 || strings.Trim(strings.ToLower(p), "0123456789abcdef") != "") {
		errs = append(errs, errors.New("central.pin_sha256: must be 64 hex digits or empty"))
	}
	errs = append(errs, c.Keys.validate())
	if !c.Operator.Corner && c.Operator.Key == "" {
		errs = append(errs, errors.New("operator.corner = false: then operator.key must name a key, or nobody reaches the operator page"))
	}
	if k := c.Operator.Key; k != "" && k == c.Capture.ShutterKey {
		errs = append(errs, fmt.Errorf("operator.key = %q: capture.shutter_key has it already", k))
	}
	if _, err := c.Scan.Wedge(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// MaxBurst is how many frames a burst may have: the ring holds little more.
const MaxBurst = 9

// ShutterKeys are the names that capture.shutter_key may have: what pedals,
// presenters and photo remotes send. Digits, letters and Enter are not among
// them: scanners type those.
func ShutterKeys() []string {
	names := []string{"page-up", "page-down", "home", "end", "insert", "up", "down", "left", "right"}
	for i := range 12 {
		names = append(names, fmt.Sprintf("f%d", i+1))
	}
	return names
}

// Seconds turns a setting into a duration.
func Seconds(n int) time.Duration { return time.Duration(n) * time.Second }
