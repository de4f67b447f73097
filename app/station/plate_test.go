package station

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/scene"
	"github.com/yunzhao-station/yunzhao/pipeline/calibrate"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// stage is a camera before which the booth can be rebuilt: other light, another
// camera in its place.
type stage struct {
	mu  sync.Mutex
	b   *scene.Booth
	id  string
	gen int
}

func newStage(t *testing.T, o scene.Options) *stage {
	t.Helper()
	s := &stage{id: "usb:0001:0002:S1@1-1"}
	s.rebuild(t, o)
	return s
}

// rebuild changes the scene without a word to whoever films it.
func (s *stage) rebuild(t *testing.T, o scene.Options) {
	t.Helper()
	o.Encode = codec.EncodeYCbCr
	if o.Width == 0 {
		o.Width, o.Height = 640, 360
	}
	b, err := scene.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b = b
}

// replace plugs in another camera.
func (s *stage) replace(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id, s.gen = id, s.gen+1
}

func (s *stage) now() (*scene.Booth, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b, s.gen
}

func (s *stage) open(ctx context.Context) (camera.Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.b.Open(ctx); err != nil {
		return nil, err
	}
	return &stageSource{stage: s, id: s.id, gen: s.gen}, nil
}

type stageSource struct {
	stage *stage
	id    string
	gen   int
	seq   uint64
}

func (s *stageSource) Identity() camera.Identity { return camera.Identity{ID: s.id, Name: "stage"} }
func (s *stageSource) Mode() camera.Mode         { b, _ := s.stage.now(); return b.Mode() }
func (s *stageSource) Close() error              { return nil }

func (s *stageSource) Next(ctx context.Context, dst *camera.Frame) error {
	b, gen := s.stage.now()
	if gen != s.gen {
		return camera.ErrGone
	}
	if err := b.Next(ctx, dst); err != nil {
		return err
	}
	s.seq++
	dst.Seq = s.seq
	return nil
}

// calibrated waits for the end of the calibration that is under way.
func (r *rig) calibrated(state booth.CalibrationState) booth.View {
	r.t.Helper()
	v := r.wait("end of the calibration", func(v booth.View) bool {
		return v.Calibration.State == booth.CalibrationAccepted || v.Calibration.State == booth.CalibrationRefused
	})
	if v.Calibration.State != state {
		r.t.Fatalf("%s: %+v", v.Calibration.State, v.Calibration.Lines)
	}
	return v
}

// recalibrate asks for a calibration and waits for its end.
func (r *rig) recalibrate(in booth.Intent, state booth.CalibrationState) booth.View {
	r.t.Helper()
	seq := r.params.Camera.Status().Seq // what is being exposed may still show the scene before
	r.wait("new frames", func(booth.View) bool { return r.params.Camera.Status().Seq > seq+1 })
	if _, staff := in.(booth.Recalibrate); staff {
		r.unlock("4071")
		defer r.st.Send(booth.CloseOperator{})
	}
	r.st.Send(in)
	r.wait("begin of the calibration", func(v booth.View) bool { return v.Calibration.State == booth.CalibrationRunning })
	return r.calibrated(state)
}

func (r *rig) plateFile() []byte {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, PlateFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.t.Fatal(err)
	}
	return data
}

func (r *rig) auditLog() string {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, "audit.jsonl"))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}

// A real camera has no plate at first: the page asks for one, refuses it while
// somebody is there, and opens the door with a good one, which the next start
// finds again.
func TestFirstPlateOfARealCamera(t *testing.T) {
	dir := t.TempDir()
	st := newStage(t, scene.Options{Width: 1280, Height: 720, Occupied: true})
	r := newRigOn(t, dir, st.open)
	v := r.wait("question for a plate", func(v booth.View) bool {
		return v.Fault != nil && v.Fault.Code == booth.GuardNoPlate && v.Lamps.Camera.Level == booth.OK
	})
	if v.Fault.Action == (booth.Text{}) || v.Lamps.Plate.Level != booth.Warn {
		t.Fatalf("the page offers nothing: %+v, lamp %+v", v.Fault, v.Lamps.Plate)
	}
	v = r.recalibrate(booth.FaultAction{Code: booth.GuardNoPlate}, booth.CalibrationRefused)
	if len(v.Calibration.Lines) == 0 || v.Calibration.Lines[0].ID != calibrate.Person || v.Calibration.Lines[0].Level != booth.Bad {
		t.Fatalf("with somebody there: %+v", v.Calibration)
	}
	v = r.wait("reason on the page", func(v booth.View) bool { return v.Fault != nil && strings.Contains(v.Fault.Body.ZH, "有人") })
	if len(r.plateFile()) != 0 || v.Calibration.Plate.ID != "" {
		t.Error("a refused plate was kept")
	}
	st.rebuild(t, scene.Options{Width: 1280, Height: 720})
	r.recalibrate(booth.FaultAction{Code: booth.GuardNoPlate}, booth.CalibrationAccepted)
	v = r.wait("plate", func(v booth.View) bool { return v.Calibration.Plate.ID != "" && v.Lamps.Plate.Level == booth.OK })
	p := v.Calibration.Plate
	if p.Camera != "usb:0001:0002:S1" || p.TakenAt.IsZero() || p.Frames < calibrate.MinFrames {
		t.Errorf("plate %+v", p)
	}
	for _, l := range v.Calibration.Lines {
		if l.Text.ZH == "" || l.Text.EN == "" || l.Level == booth.Bad {
			t.Errorf("line %+v", l)
		}
		if l.ID == calibrate.Sharp && l.Level == booth.OK {
			t.Error("an empty wall was called sharp")
		}
	}
	stored, err := LoadPlate(dir)
	if err != nil || stored.ID != p.ID || !stored.TakenAt.Equal(p.TakenAt) || stored.Camera != p.Camera {
		t.Fatalf("stored %+v: %v", stored, err)
	}
	if info, err := os.Stat(filepath.Join(dir, PlateFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: %v", info.Mode(), err)
	}
	if log := r.auditLog(); !strings.Contains(log, `"plate.refused"`) || !strings.Contains(log, `"plate.made"`) || !strings.Contains(log, p.ID) {
		t.Error("the audit log does not tell")
	}
}

// What goes wrong later never takes the plate in use away.
func TestRefusedRecalibrationKeepsThePlate(t *testing.T) {
	st := newStage(t, scene.Options{Width: 1280, Height: 720})
	r := newRigOn(t, t.TempDir(), st.open)
	r.wait("question for a plate", func(v booth.View) bool { return v.Fault != nil && v.Fault.Code == booth.GuardNoPlate })
	old := r.recalibrate(booth.Recalibrate{}, booth.CalibrationAccepted).Calibration.Plate
	file := r.plateFile()
	st.rebuild(t, scene.Options{Width: 1280, Height: 720, Occupied: true})
	r.recalibrate(booth.Recalibrate{}, booth.CalibrationRefused)
	v := r.wait("an open door", func(v booth.View) bool { return v.Fault == nil })
	if v.Calibration.Plate != old || !bytes.Equal(file, r.plateFile()) {
		t.Errorf("the plate is %+v, was %+v", v.Calibration.Plate, old)
	}
	st.rebuild(t, scene.Options{Width: 1280, Height: 720, Light: .1, Seed: 9})
	r.recalibrate(booth.Recalibrate{}, booth.CalibrationAccepted)
	r.wait("the new plate", func(v booth.View) bool { return v.Calibration.Plate.ID != old.ID })
	if bytes.Equal(file, r.plateFile()) {
		t.Error("the new plate was not stored")
	}
}

// A lamp that goes off between students is on the screen before the next one
// sits down, by its name, and gone with a new plate.
func TestDriftIsRaisedWhileNobodyIsThere(t *testing.T) {
	st := newStage(t, scene.Options{})
	r := newRigOn(t, t.TempDir(), st.open)
	r.wait("question for a plate", func(v booth.View) bool { return v.Fault != nil && v.Fault.Code == booth.GuardNoPlate })
	r.recalibrate(booth.Recalibrate{}, booth.CalibrationAccepted)
	if v := r.st.View(); v.Calibration.Alarm != nil {
		t.Fatalf("an alarm from the beginning: %+v", v.Calibration.Alarm)
	}
	dim := scene.Options{Light: .6}
	dim.Backdrop, _ = scene.BackdropColour(scene.White)
	dim.Backdrop.R, dim.Backdrop.G, dim.Backdrop.B = 178, 179, 178
	st.rebuild(t, dim)
	v := r.wait("an alarm", func(v booth.View) bool { return v.Calibration.Alarm != nil && v.Lamps.Plate.Level == booth.Warn })
	if !strings.Contains(v.Calibration.Alarm.ZH, "左侧灯") || !strings.Contains(v.Calibration.Alarm.EN, "left lamp") || !strings.Contains(v.Lamps.Plate.Text.ZH, "左灯") {
		t.Errorf("it says %+v, lamp %+v", v.Calibration.Alarm, v.Lamps.Plate)
	}
	if v.Fault != nil {
		t.Error("the alarm closes the door")
	}
	if !strings.Contains(r.auditLog(), `"plate.drift"`) {
		t.Error("the alarm is not on record")
	}
	r.recalibrate(booth.Recalibrate{Fresh: true}, booth.CalibrationAccepted)
	v = r.wait("a plate without alarm", func(v booth.View) bool { return v.Calibration.Alarm == nil && v.Lamps.Plate.Level == booth.OK })
	if v.Calibration.State != booth.CalibrationAccepted {
		t.Errorf("%+v", v.Calibration)
	}
}

// A plate of another camera or another size closes the door, with the reason.
func TestPlateThatDoesNotFitTheCamera(t *testing.T) {
	st := newStage(t, scene.Options{})
	r := newRigOn(t, t.TempDir(), st.open)
	r.wait("question for a plate", func(v booth.View) bool { return v.Fault != nil && v.Fault.Code == booth.GuardNoPlate })
	r.recalibrate(booth.Recalibrate{}, booth.CalibrationAccepted)

	st.replace("usb:0001:0002:S1@2-7") // the same in another socket
	r.wait("camera back", func(v booth.View) bool { return v.Lamps.Camera.Level == booth.OK && r.st.p.Camera.Status().Opens == 2 })
	r.st.onLoop(t.Context(), r.st.refreshHouse)
	if v := r.st.View(); v.Fault != nil {
		t.Fatalf("the same camera in another socket: %+v", v.Fault)
	}
	st.replace("usb:0001:0002:S2@1-1")
	v := r.wait("refusal of the plate", func(v booth.View) bool { return v.Fault != nil && v.Fault.Code == booth.GuardNoPlate })
	if !strings.Contains(v.Fault.Body.ZH, "另一台相机") || v.Fault.Action == (booth.Text{}) || v.Lamps.Plate.Level != booth.Bad {
		t.Errorf("%+v, lamp %+v", v.Fault, v.Lamps.Plate)
	}
	st.rebuild(t, scene.Options{Width: 800, Height: 600})
	st.replace("usb:0001:0002:S1@1-1")
	v = r.wait("refusal of the size", func(v booth.View) bool { return v.Fault != nil && strings.Contains(v.Fault.Body.ZH, "800×600") })
	if !strings.Contains(v.Fault.Body.EN, "640×360") {
		t.Errorf("%+v", v.Fault)
	}
	r.recalibrate(booth.FaultAction{Code: booth.GuardNoPlate}, booth.CalibrationAccepted)
	r.wait("an open door", func(v booth.View) bool { return v.Fault == nil })
}

func TestDamagedPlateIsAskedForAgain(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, PlateFile), []byte("YZPLATE1 of an older version"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRigOn(t, dir, newStage(t, scene.Options{}).open)
	v := r.wait("question for a plate", func(v booth.View) bool { return v.Fault != nil && v.Fault.Code == booth.GuardNoPlate })
	if !strings.Contains(v.Fault.Body.ZH, "旧版本") || v.Fault.Action == (booth.Text{}) {
		t.Errorf("%+v", v.Fault)
	}
}

// A shot sees the drift too, and names it at the desk.
func TestDriftOfAShot(t *testing.T) {
	r := newRig(t)
	r.toReview(r.student(wire.PayNone))
	gain := [3]float64{.7, .7, .7}
	r.st.onLoop(t.Context(), func() {
		r.st.visit.result.Report.Drift.Cause, r.st.visit.result.Report.Drift.Gain = string(calibrate.Dimmer), gain
		r.st.shotDrift(r.st.visit.result)
	})
	v := r.wait("an alarm", func(v booth.View) bool { return v.Calibration.Alarm != nil })
	if !strings.Contains(v.Calibration.Alarm.ZH, "暗了 30%") || v.Lamps.Plate.Level != booth.Warn {
		t.Errorf("%+v, lamp %+v", v.Calibration.Alarm, v.Lamps.Plate)
	}
	// A finding against a plate that is no longer in use says nothing.
	r.st.onLoop(t.Context(), func() {
		r.st.alarm = calibrate.Alarm{}
		r.st.visit.result.Report.Plate = "earlier"
		r.st.shotDrift(r.st.visit.result)
		if r.st.alarm.Raised().Cause != calibrate.None {
			t.Error("an earlier plate's drift was raised")
		}
	})
}

func TestCameraName(t *testing.T) {
	for id, want := range map[string]string{
		"usb:046d:0825:A1B2@1-2.4": "usb:046d:0825:A1B2",
		"usb:046d:0825:@1-2.4":     "usb:046d:0825:@1-2.4",
		"scene":                    "scene",
		"":                         "",
		"platform-foo@1":           "platform-foo@1",
		"usb:046d:0825:A1B2@1-2@x": "usb:046d:0825:A1B2",
	} {
		if got := CameraName(id); got != want {
			t.Errorf("%q is kept as %q, want %q", id, got, want)
		}
	}
}
