package booth

import (
	"testing"
	"time"
)

func noPlate() GuardChanged {
	return GuardChanged{Fault: &Fault{Code: GuardNoPlate, Title: Text{"请先拍摄空背景", "Photograph it"}, Action: Text{"拍摄", "Do it"}}}
}

// calibrations counts what was asked for in the last step.
func (d *desk) calibrations() (n int) {
	for _, e := range d.last {
		if _, ok := e.(Calibrate); ok {
			n++
		}
	}
	return n
}

func TestRecalibrateOnlyWithNobodyHere(t *testing.T) {
	for name, c := range map[string]struct {
		reach func(*desk)
		asked int
		toast Text
	}{
		"idle":          {func(*desk) {}, 1, Text{}},
		"identifying":   {func(d *desk) { d.do(Start{}) }, 0, textCalibrateLast},
		"reviewing":     {func(d *desk) { d.identify(rec("a", "none", "none")).toReview() }, 0, textCalibrateLast},
		"under way":     {func(d *desk) { d.staff(RoleOperator).do(Recalibrate{}) }, 0, Text{}},
		"camera away":   {func(d *desk) { d.say(CameraChanged{Problem: Text{"断开", "away"}}) }, 0, textCameraWait},
		"camera back":   {func(d *desk) { d.say(CameraChanged{}); d.say(CameraChanged{Working: true}) }, 1, Text{}},
		"after another": {func(d *desk) { d.staff(RoleOperator).do(Recalibrate{}).say(CalibrationDone{}) }, 1, Text{}},
		"door closed":   {func(d *desk) { d.say(noPlate()) }, 1, Text{}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			c.reach(d)
			before := d.m.State()
			if !d.m.authorised() {
				d.staff(RoleOperator)
			}
			d.do(Recalibrate{Fresh: true})
			if n := d.calibrations(); n != c.asked {
				t.Fatalf("asked for %d calibrations, want %d", n, c.asked)
			}
			if e, ok := sent[Calibrate](d); c.asked == 1 && (!ok || !e.Fresh) {
				t.Errorf("%+v", e)
			}
			if d.m.State() != before {
				t.Errorf("it went from %s to %s", before, d.m.State())
			}
			v := d.view()
			if (v.Toast != nil) != (c.toast != Text{}) || v.Toast != nil && *v.Toast != c.toast {
				t.Errorf("toast %+v, want %+v", v.Toast, c.toast)
			}
		})
	}
}

func TestTheFirstPictureOfTheBackdropIsNoNews(t *testing.T) {
	d := newDesk(t)
	d.say(CalibrationProgress{Got: 3, Want: 12}).say(CalibrationDone{Accepted: true})
	if v := d.view(); v.Calibration.State != CalibrationAccepted || v.Toast != nil {
		t.Errorf("the station's own, at its start: %+v, toast %+v", v.Calibration.State, v.Toast)
	}
	d.staff(RoleOperator).do(Recalibrate{}).do(CloseOperator{})
	d.say(CalibrationDone{Accepted: true})
	if v := d.view(); v.Toast == nil || *v.Toast != textPlateNew {
		t.Errorf("what staff asked for: toast %+v", v.Toast)
	}
}

func TestNobodySitsDownWhileTheBackdropIsPhotographed(t *testing.T) {
	d := newDesk(t)
	d.do(Recalibrate{})
	if d.calibrations() != 0 {
		t.Fatal("a student may photograph the backdrop")
	}
	d.staff(RoleOperator).do(Recalibrate{}).do(CloseOperator{})
	d.say(CalibrationProgress{Got: 3, Want: 12})
	d.do(Start{}).want(Idle)
	d.do(Wedge{Text: "5678"}).want(Idle)
	if c := d.view().Calibration; c.State != CalibrationRunning || c.Got != 3 || c.Want != 12 {
		t.Errorf("shown %+v", c)
	}
	d.say(CalibrationDone{Accepted: true})
	if v := d.view(); v.Calibration.State != CalibrationAccepted || v.Toast == nil || *v.Toast != textPlateNew {
		t.Errorf("shown %+v, toast %+v", v.Calibration, v.Toast)
	}
	d.do(Start{}).want(Identify)
	if c := d.view().Calibration; c.State != CalibrationNone || c.Lines != nil {
		t.Errorf("the student sees %+v", c)
	}
}

func TestRefusedCalibrationSaysWhy(t *testing.T) {
	d := newDesk(t)
	old := PlateView{ID: "abc", TakenAt: t0, Camera: "usb", Frames: 12}
	alarm := &Text{"左侧灯灭了", "left lamp off"}
	d.say(PlateChanged{Plate: old, Alarm: alarm})
	d.staff(RoleOperator).do(Recalibrate{}).do(CloseOperator{})
	lines := []CalibrationLine{{ID: "person", Level: Bad, Text: Text{"有人", "somebody"}}, {ID: "sharp", Level: Warn, Text: Text{"不知", "unknown"}}}
	d.say(CalibrationDone{Lines: lines})
	v := d.view()
	if v.Calibration.State != CalibrationRefused || len(v.Calibration.Lines) != 2 || v.Toast == nil || *v.Toast != lines[0].Text {
		t.Errorf("shown %+v, toast %+v", v.Calibration, v.Toast)
	}
	if v.Calibration.Plate != old || v.Calibration.Alarm != alarm {
		t.Error("a refusal changed the plate in use or its alarm")
	}
	d.pass(time.Minute)
	if v = d.view(); v.Toast != nil || len(v.Calibration.Lines) != 2 {
		t.Error("the findings went with the toast")
	}
	d.say(PlateChanged{Plate: PlateView{ID: "new"}})
	if v = d.view(); v.Calibration.Alarm != nil || v.Calibration.Plate.ID != "new" {
		t.Errorf("after a new plate %+v", v.Calibration)
	}
}

func TestFirstPlateIsAskedForAndItsPageSaysThatItIsUnderWay(t *testing.T) {
	d := newDesk(t)
	d.say(noPlate())
	if f := d.view().Fault; f == nil || f.Action == (Text{}) {
		t.Fatalf("fault %+v", f)
	}
	d.do(FaultAction{Code: GuardNoPlate})
	if d.calibrations() != 1 {
		t.Fatal("the button does nothing")
	}
	if f := d.view().Fault; f == nil || f.Action != (Text{}) || f.Body != textCalibrating {
		t.Errorf("under way the page says %+v", f)
	}
	d.do(FaultAction{Code: GuardNoPlate})
	if d.calibrations() != 0 {
		t.Error("pressed twice, photographed twice")
	}
	d.say(CalibrationDone{}).say(GuardChanged{})
	d.do(Start{}).want(Identify)
}
