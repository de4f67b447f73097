package station

import (
	"context"
	"image/color"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/scene"
)

// knobs are the controls of a camera on the stage: its exposure time changes how
// bright the wall is.
type knobs struct {
	mu     sync.Mutex
	values []camera.Control
	refuse string
	set    func(name string, value int32)
}

func newKnobs() *knobs {
	return &knobs{values: []camera.Control{
		{ID: 1, Name: camera.PowerLine, Kind: camera.Menu, Max: 2, Value: camera.PowerLine60Hz},
		{ID: 2, Name: camera.ExposureMode, Kind: camera.Menu, Max: 3, Value: camera.ExposureAperture},
		{ID: 3, Name: camera.ExposureTime, Kind: camera.Integer, Min: 3, Max: 2047, Step: 1, Value: 100},
		{ID: 4, Name: camera.WhiteAuto, Kind: camera.Boolean, Max: 1, Value: 1},
		{ID: 5, Name: camera.WhiteTemperature, Kind: camera.Integer, Min: 2800, Max: 6500, Step: 1, Value: 5200},
		{ID: 6, Name: camera.FocusAuto, Kind: camera.Boolean, Max: 1, Value: 1},
		{ID: 7, Name: camera.FocusDistance, Kind: camera.Integer, Max: 250, Step: 1, Value: 35},
	}}
}

func (k *knobs) value(name string) int32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.values[slices.IndexFunc(k.values, func(c camera.Control) bool { return c.Name == name })].Value
}

func (k *knobs) Controls(context.Context) ([]camera.Control, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.values), nil
}

func (k *knobs) Adjust(_ context.Context, settings []camera.Setting) ([]camera.Outcome, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []camera.Outcome
	for _, s := range settings {
		c := &k.values[slices.IndexFunc(k.values, func(c camera.Control) bool { return c.Name == s.Name })]
		o := camera.Outcome{Setting: s, Refusal: "the camera took another value"}
		if s.Name != k.refuse {
			c.Value, o.Refusal = s.Value, ""
			if k.set != nil {
				k.set(s.Name, s.Value)
			}
		}
		o.Got = c.Value
		out = append(out, o)
	}
	return out, nil
}

// knobbed is a stage whose camera has controls.
type knobbed struct {
	*stage
	*knobs
}

type knobbedSource struct {
	camera.Source
	*knobs
}

func (k *knobbed) open(ctx context.Context) (camera.Source, error) {
	src, err := k.stage.open(ctx)
	if err != nil {
		return nil, err
	}
	return &knobbedSource{src, k.knobs}, nil
}

// wall is a booth whose light wall is grey by as much as an exposure of so many
// 100 µs shows it.
func wall(exposure int32) scene.Options {
	linear := .18 * float64(exposure) / 100
	v := uint8(min(255, 255*(1.055*math.Pow(linear, 1/2.4)-.055)))
	return scene.Options{Backdrop: color.RGBA{v, v, v, 255}, FPS: 60}
}

func settingsLine(t *testing.T, v booth.View) booth.CalibrationLine {
	t.Helper()
	i := slices.IndexFunc(v.Calibration.Lines, func(l booth.CalibrationLine) bool { return l.ID == booth.LineCameraSettings })
	if i < 0 {
		t.Fatalf("nothing is said of the camera's settings: %+v", v.Calibration.Lines)
	}
	return v.Calibration.Lines[i]
}

// The first picture of the backdrop holds the camera's settings, and an automatic
// that made the white wall grey is put right; they come back after unplugging and
// at the next start.
func TestCalibrationHoldsTheCamera(t *testing.T) {
	k := &knobbed{newStage(t, wall(100)), newKnobs()}
	k.knobs.set = func(name string, value int32) {
		if name == camera.ExposureTime {
			k.rebuild(t, wall(value))
		}
	}
	dir := t.TempDir()
	r := newRigOn(t, dir, k.open)
	r.wait("the question for a backdrop", func(v booth.View) bool { return v.Fault != nil && v.Fault.Code == booth.GuardNoPlate })
	v := r.recalibrate(booth.FaultAction{Code: booth.GuardNoPlate}, booth.CalibrationAccepted)
	if line := settingsLine(t, v); line.Level != booth.OK || !strings.Contains(line.Text.ZH, "曝光 30.0 毫秒") || !strings.Contains(line.Text.ZH, "50 Hz") || !strings.Contains(line.Text.EN, "focus 35") {
		t.Errorf("%+v", line)
	}
	want := map[string]int32{
		camera.PowerLine: camera.PowerLine50Hz, camera.ExposureMode: camera.ExposureManual, camera.ExposureTime: 300,
		camera.WhiteAuto: 0, camera.WhiteTemperature: 5200, camera.FocusAuto: 0, camera.FocusDistance: 35,
	}
	check := func(when string, k *knobs) {
		t.Helper()
		for name, value := range want {
			if got := k.value(name); got != value {
				t.Errorf("%s: %s is %d, want %d", when, name, got, value)
			}
		}
	}
	check("calibrated", k.knobs)
	again := func() {
		fresh := newKnobs()
		k.stage.mu.Lock()
		k.knobs = fresh
		k.stage.mu.Unlock()
	}
	again()
	opens := r.params.Camera.Status().Opens
	k.replace(k.id)
	r.wait("the camera again", func(booth.View) bool {
		st := r.params.Camera.Status()
		return st.Opens > opens && st.State == camera.Streaming
	})
	check("plugged in again", k.knobs)

	// Refused at the next calibration, it is said in words.
	k.knobs.mu.Lock()
	k.knobs.refuse, k.knobs.values[4].Value = camera.WhiteTemperature, 4000
	k.knobs.mu.Unlock()
	v = r.recalibrate(booth.Recalibrate{}, booth.CalibrationAccepted)
	if line := settingsLine(t, v); line.Level != booth.Warn || !strings.Contains(line.Text.ZH, "色温（要 5200，是 4000）") || !strings.Contains(line.Text.EN, "colour temperature") {
		t.Errorf("%+v", line)
	}
	if v.Calibration.Lines[0].ID != booth.LineCameraSettings {
		t.Errorf("the refusal stands behind %+v", v.Calibration.Lines[0])
	}
	r.stop()

	again()
	sup, err := camera.NewSupervisor(camera.SupervisorParams{Open: k.open, Restore: RestoreCamera(dir, r.params.Log), Log: r.params.Log})
	if err != nil {
		t.Fatal(err)
	}
	r.params.Camera = sup
	r.start() // the next morning
	r.wait("the camera", func(booth.View) bool { return r.params.Camera.Status().State == camera.Streaming })
	check("at the next start", k.knobs)
}

func TestExposureFor(t *testing.T) {
	c := camera.Control{Min: 3, Max: 2047, Value: 100}
	for name, tc := range map[string]struct {
		value int32
		stops float64
		max   int32
		want  int32
	}{
		"right":                   {100, -.5, 0, 100},
		"near enough":             {100, -.85, 0, 100},
		"one stop dark":           {100, -1.5, 0, 200},
		"white wall made grey":    {100, -1.9, 0, 300},
		"one stop bright":         {200, .5, 0, 100},
		"short, any length":       {40, -1.5, 0, 80},
		"no longer than a frame":  {200, -3.5, 0, 300},
		"no longer than it can":   {100, -3.5, 250, 200},
		"a slow one stays":        {500, -2, 0, 500},
		"a slow one may shorten":  {500, .5, 0, 300},
		"no shorter than it can":  {4, 3, 0, 3},
		"not measured":            {100, math.NaN(), 0, 100},
		"nothing known of it":     {0, -3, 0, 0},
		"dark beyond every limit": {100, -40, 0, 300},
	} {
		c := c
		c.Value = tc.value
		if tc.max > 0 {
			c.Max = tc.max
		}
		if got := exposureFor(c, tc.stops); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}
