package booth

import (
	"testing"
	"time"
)

func TestCameraPage(t *testing.T) {
	d := newDesk(t).staff(RoleOperator)
	d.do(DoCamera{Job: CameraShot})
	if _, ok := sent[RunCamera](d); ok {
		t.Fatal("a job runs without its page")
	}
	d.do(OpenPage{Page: PageCamera})
	if v := d.view().Operator.Camera; v == nil || !v.Can {
		t.Fatalf("page %+v", v)
	}
	d.say(CameraMeasured{Reading: CameraReading{Name: "Cam", FPSIn: 30}})
	if v := d.view().Operator.Camera; v.Reading.FPSIn != 30 {
		t.Errorf("reading %+v", v.Reading)
	}
	d.do(DoCamera{Job: CameraShot})
	if e, ok := sent[RunCamera](d); !ok || e.Job != CameraShot || d.view().Operator.Camera.Busy != CameraShot {
		t.Fatalf("%+v", e)
	}
	if _, ok := sent[Audit](d); !ok {
		t.Error("no audit entry")
	}
	d.do(DoCamera{Job: CameraHold})
	if e, ok := sent[RunCamera](d); ok && e.Job == CameraHold || d.view().Operator.Camera.Told == (Text{}) {
		t.Error("two jobs at once, or a refusal without a word")
	}
	d.do(OpenPage{Page: PageHome}).do(Recalibrate{})
	if _, ok := sent[Calibrate](d); ok {
		t.Error("the backdrop is photographed during a job")
	}
	d.do(OpenPage{Page: PageCamera})
	d.say(CameraDone{Job: CameraShot, Level: OK, Text: Text{"好", "fine"}, Shot: &CameraSample{}})
	if v := d.view().Operator.Camera; v.Busy != "" || v.Shot == nil || v.Told.EN != "fine" {
		t.Errorf("done: %+v", v)
	}
	d.do(CloseOperator{})
	d.say(CameraMeasured{Reading: CameraReading{Name: "late"}}).say(CameraDone{Job: CameraShot, Shot: &CameraSample{}})
	d.staff(RoleOperator).do(OpenPage{Page: PageCamera})
	if v := d.view().Operator.Camera; v.Shot != nil || v.Reading.Name != "" {
		t.Errorf("what came while the page was closed is shown: %+v", v)
	}
}

func TestCameraPageDuringAVisit(t *testing.T) {
	d := newDesk(t)
	d.do(Start{})
	d.staff(RoleOperator).do(OpenPage{Page: PageCamera})
	for _, job := range []CameraJob{CameraShot, CameraHold, CameraRelease} {
		d.do(DoCamera{Job: job})
		if _, ok := sent[RunCamera](d); ok {
			t.Errorf("%s while a student is here", job)
		}
	}
	if v := d.view().Operator.Camera; v.Can || v.Told == (Text{}) {
		t.Errorf("%+v", v)
	}
	d.do(DoCamera{Job: CameraBundle})
	if e, ok := sent[RunCamera](d); !ok || e.Job != CameraBundle {
		t.Error("no bundle during a visit")
	}
}

// Whoever turns the lens has no hand free to touch the screen.
func TestCameraPageIsPatient(t *testing.T) {
	d := newDesk(t).staff(RoleOperator).do(OpenPage{Page: PageCamera})
	if left := d.view().Operator.Deadline.Sub(d.view().Now); left < 4*time.Minute {
		t.Errorf("closes by itself after %v", left)
	}
	d.do(OpenPage{Page: PageHome})
	if left := d.view().Operator.Deadline.Sub(d.view().Now); left > DefaultOperatorIdle {
		t.Errorf("the home page stays open for %v", left)
	}
}
