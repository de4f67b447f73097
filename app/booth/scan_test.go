package booth

import (
	"testing"
	"time"
)

func scanDesk(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	d.m.cfg.ScanCamera = true
	return d.do(Start{}).want(Identify)
}

func TestACardBeforeTheCameraIsLookedUp(t *testing.T) {
	d := scanDesk(t)
	if v := d.view().Identify.Scan; !v.Can || v.On {
		t.Fatalf("before: %+v", v)
	}
	d.do(UseCamera{On: true})
	if v := d.view().Identify.Scan; !v.On || v.Hint == (Text{}) || v.Near {
		t.Fatalf("camera on: %+v", v)
	}
	d.say(Scanning{Session: d.id(), Hint: ScanCloser})
	if v := d.view().Identify.Scan; v.Hint != textScanCloser {
		t.Errorf("far card: %+v", v)
	}
	d.say(Scanning{Session: d.id(), Hint: ScanHold})
	if v := d.view().Identify.Scan; !v.Near {
		t.Errorf("near card: %+v", v)
	}
	d.say(Scanned{Session: d.id(), Number: "11010519491231002X", Name: "演示学生"})
	l, ok := sent[Lookup](d)
	if !ok || l.Number != "11010519491231002X" || l.Name != "演示学生" || !l.Scanned || !d.view().Identify.Busy {
		t.Fatalf("lookup %+v", l)
	}
	// The same card, still there, asks nothing a second time.
	before := len(d.all)
	d.say(Scanned{Session: d.id(), Number: "11010519491231002X"})
	if len(d.all) != before {
		t.Error("looked up twice at once")
	}
	d.say(LookupDone{Session: d.id(), Token: l.Token, Records: []Record{rec("r1", "none", "none")}}).want(Eligible)
	if d.view().Identify.Scan.On {
		t.Error("the camera reads on after the student is known")
	}
}

func TestThePassOfAPhone(t *testing.T) {
	d := scanDesk(t).do(UseCamera{On: true})
	problem := Text{"过期", "expired"}
	d.say(Scanned{Session: d.id(), Problem: &problem})
	if v := d.view().Identify; !v.Bad || v.Message != problem || v.Busy {
		t.Fatalf("a bad pass: %+v", v)
	}
	d.say(Scanned{Session: d.id(), BatchID: "b1", Ref: "r1"})
	if l, ok := sent[Lookup](d); !ok || l.Ref != "r1" || l.BatchID != "b1" || l.Number != "" {
		t.Fatalf("lookup %+v", l)
	}
}

func TestTheKeypadIsAlwaysThere(t *testing.T) {
	d := scanDesk(t).do(UseCamera{On: true})
	for _, k := range "1234" {
		d.do(Key{k})
	}
	d.do(Submit{})
	if l, ok := sent[Lookup](d); !ok || l.Number != "1234" || l.Scanned {
		t.Fatalf("typed beside the camera: %+v", l)
	}
	d.do(UseCamera{})
	if d.view().Identify.Scan.On {
		t.Error("the camera cannot be turned off")
	}
}

func TestWhatTheCameraMustNotDo(t *testing.T) {
	none := func(t *testing.T, d *desk) {
		t.Helper()
		if _, ok := sent[Lookup](d); ok {
			t.Error("looked somebody up")
		}
	}
	card := func(d *desk) Scanned { return Scanned{Session: d.id(), Number: "11010519491231002X"} }
	t.Run("not asked for", func(t *testing.T) {
		d := scanDesk(t)
		none(t, d.say(card(d)))
	})
	t.Run("turned off again", func(t *testing.T) {
		d := scanDesk(t).do(UseCamera{On: true}).do(UseCamera{})
		none(t, d.say(card(d)))
	})
	t.Run("the student before", func(t *testing.T) {
		d := scanDesk(t).do(UseCamera{On: true})
		old := card(d)
		d.do(Back{}).do(Start{}).do(UseCamera{On: true})
		none(t, d.say(old))
		d.say(Scanning{Session: old.Session, Hint: ScanHold})
		if d.view().Identify.Scan.Near {
			t.Error("an old hint is shown")
		}
	})
	t.Run("behind the staff's page", func(t *testing.T) {
		d := scanDesk(t).do(UseCamera{On: true}).do(OpenOperator{})
		none(t, d.say(card(d)))
	})
	t.Run("not offered", func(t *testing.T) {
		d := newDesk(t).do(Start{}).do(UseCamera{On: true})
		if v := d.view().Identify.Scan; v.Can || v.On {
			t.Errorf("%+v", v)
		}
	})
	t.Run("no camera", func(t *testing.T) {
		d := scanDesk(t).say(CameraChanged{Problem: Text{"断开", "gone"}}).do(UseCamera{On: true})
		if d.view().Identify.Scan.On || d.view().Toast == nil {
			t.Error("turned on without a camera, or in silence")
		}
	})
	t.Run("no text recognition", func(t *testing.T) {
		d := scanDesk(t).do(UseCamera{On: true})
		d.say(Scanning{Session: d.id(), Failed: true}).say(Scanning{Session: d.id()})
		if d.view().Identify.Scan.Hint != textScanCodes {
			t.Error("does not say that cards cannot be read")
		}
	})
	t.Run("patience", func(t *testing.T) {
		d := scanDesk(t).do(UseCamera{On: true})
		d.pass(DefaultTiming.Identify + time.Second)
		d.want(Idle)
	})
}
