package booth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// morning is a desk whose first to unlock on a day finds the checklist.
func morning(t *testing.T, begun time.Time) *desk {
	t.Helper()
	d := newDesk(t)
	d.m.cfg.Operator.Checklist = true
	d.m.start.begun = begun
	d.plate(t0)
	return d
}

func (d *desk) plate(at time.Time) *desk {
	return d.say(PlateChanged{Plate: PlateView{ID: "p1", TakenAt: at}})
}

// looked brings lamps, all green but those named.
func (d *desk) looked(other map[string]Level) *desk {
	line := func(id string) StatusLine {
		l := OK
		if o, ok := other[id]; ok {
			l = o
		}
		return StatusLine{ID: id, Title: Text{id, id}, Lamp: Lamp{l, Text{id + " 现状", id + " now"}}}
	}
	ev := HouseChanged{Start: []StatusLine{line("pin"), line("sound")}}
	for _, id := range []string{"camera", "plate", "disk", "outbox", "central", "clock", "roster", "audit"} {
		ev.Status = append(ev.Status, line(id))
	}
	return d.say(ev)
}

func (d *desk) checklist() ChecklistView {
	d.t.Helper()
	v := d.view().Operator
	if v == nil || v.Page != PageChecklist || v.Checklist == nil {
		d.t.Fatalf("the checklist is not open: %+v", v)
	}
	return *v.Checklist
}

func TestChecklistOpensAtTheFirstUnlockOfADay(t *testing.T) {
	yesterday := t0.Add(-10 * time.Hour) // 22:00 of the day before
	for name, c := range map[string]struct {
		desk func() *desk
		want StaffPage
	}{
		"never begun":        {func() *desk { return morning(t, time.Time{}) }, PageChecklist},
		"begun yesterday":    {func() *desk { return morning(t, yesterday) }, PageChecklist},
		"begun this morning": {func() *desk { return morning(t, t0.Add(-time.Hour)) }, PageHome},
		"switched off":       {func() *desk { return newDesk(t) }, PageHome},
		"a student is here": {func() *desk {
			d := morning(t, yesterday)
			return d.identify(rec("r", "none", "none"))
		}, PageHome},
	} {
		t.Run(name, func(t *testing.T) {
			d := c.desk().staff(RoleOperator)
			if got := d.view().Operator.Page; got != c.want {
				t.Errorf("page %q, want %q", got, c.want)
			}
		})
	}
}

func TestChecklistAfterTheLockScreen(t *testing.T) {
	for name, crash := range map[string]bool{"locked by staff": false, "after a crash": true} {
		t.Run(name, func(t *testing.T) {
			d := morning(t, time.Time{})
			d.m.locked, d.m.state = &LockedView{Crash: crash}, Locked
			d.do(Unlock{PIN: "4071"}).answer(PINChecked{OK: true, Staff: Staff{"li", RoleOperator}}).want(Idle)
			if crash {
				if d.view().Operator != nil {
					t.Fatal("a student who was cut waits behind the checklist")
				}
				return
			}
			d.looked(nil).do(BeginDay{})
			if len(d.audits(EventDayBegun)) != 1 || d.audits(EventDayBegun)[0].By.ID != "li" {
				t.Errorf("%+v", d.audits(EventDayBegun))
			}
		})
	}
}

func TestChecklistShowsNothingOld(t *testing.T) {
	d := morning(t, time.Time{}).staff(RoleOperator)
	d.looked(nil).do(CloseOperator{})
	d.staff(RoleOperator)
	if v := d.checklist(); len(v.Items) != 0 || v.Ready() {
		t.Fatalf("what was seen earlier counts: %+v", v)
	}
	d.do(BeginDay{})
	if len(d.audits(EventDayBegun)) != 0 {
		t.Error("the day began unseen")
	}
}

func TestRedIsMendedOrHasAReason(t *testing.T) {
	d := morning(t, time.Time{}).staff(RoleOperator)
	d.looked(map[string]Level{"camera": Bad, "roster": Bad, "central": Warn, "outbox": Note})
	v := d.checklist()
	if v.Red != 2 || v.Amber != 2 || v.Ready() || v.Items[0].ID != "camera" || v.Items[1].ID != "roster" {
		t.Fatalf("%+v", v)
	}
	for _, it := range v.Items {
		if (it.Lamp.Level == OK) != (it.Do == Text{}) {
			t.Errorf("%s is %s and says %q", it.ID, it.Lamp.Level, it.Do.EN)
		}
	}
	if v.Items[0].Go != (OpenPage{Page: PageCamera}) {
		t.Errorf("the camera's button sends %#v", v.Items[0].Go)
	}
	began := func() int { return len(d.audits(EventDayBegun)) }
	for _, in := range []Intent{
		BeginDay{},
		ExcuseCheck{ID: "camera", Reason: "because"},   // no such reason
		ExcuseCheck{ID: "central", Reason: "harmless"}, // yellow needs none
		ExcuseCheck{ID: "nothing", Reason: "harmless"},
		BeginDay{},
	} {
		if d.do(in); began() != 0 || len(d.audits("checklist.excused")) != 0 {
			t.Fatalf("%#v did something", in)
		}
	}
	d.do(ExcuseCheck{ID: "roster", Reason: "reported"}).do(ExcuseCheck{ID: "roster", Reason: "harmless"})
	if a := d.audits("checklist.excused"); len(a) != 1 || a[0].Detail != "roster: reported" || a[0].By.ID != "li" || a[0].Value != "roster now" {
		t.Fatalf("on record: %+v", a)
	}
	// The roster comes and is lost again: a reason holds for one fault.
	d.looked(nil).looked(map[string]Level{"roster": Bad})
	if v := d.checklist(); v.Red != 1 {
		t.Fatalf("an old reason holds for a new fault: %+v", v)
	}
	d.do(ExcuseCheck{ID: "roster", Reason: "approved"})
	if v := d.checklist(); !v.Ready() || v.Items[0].Reason != "approved" {
		t.Fatalf("%+v", v)
	}
	d.do(BeginDay{})
	if a := d.audits(EventDayBegun); len(a) != 1 || a[0].Detail != "roster: approved" {
		t.Fatalf("on record: %+v", a)
	}
	if o := d.view().Operator; o.Page != PageHome || o.Notice == nil || *o.Notice != textDayBegun {
		t.Errorf("after the checklist: %+v", o)
	}
	d.do(CloseOperator{}).staff(RoleOperator)
	if p := d.view().Operator.Page; p != PageHome {
		t.Errorf("the second to unlock finds %q", p)
	}
	d.do(OpenPage{Page: PageChecklist}).looked(nil)
	if v := d.checklist(); !v.Begun.Equal(t0) {
		t.Errorf("begun %v", v.Begun)
	}
	d.do(CloseOperator{})
	d.pass(24 * time.Hour)
	if d.staff(RoleOperator); d.view().Operator.Page != PageChecklist {
		t.Error("the next day begins unseen")
	}
	d.looked(map[string]Level{"roster": Bad})
	if v := d.checklist(); v.Red != 1 || !v.Begun.IsZero() {
		t.Errorf("yesterday's reason holds today: %+v", v)
	}
}

func TestChecklistSeesTheMorningStrictly(t *testing.T) {
	item := func(d *desk, id string) ChecklistItem {
		v := d.checklist()
		i := slices.IndexFunc(v.Items, func(it ChecklistItem) bool { return it.ID == id })
		if i < 0 {
			t.Fatalf("no line %s in %+v", id, v.Items)
		}
		return v.Items[i]
	}
	for name, c := range map[string]struct {
		line  string
		set   func(d *desk)
		level Level
		says  string
	}{
		"plate of yesterday": {"plate", func(d *desk) { d.plate(t0.Add(-9 * time.Hour)) }, Warn, "08-31"},
		"plate of today":     {"plate", func(*desk) {}, OK, "plate"},
		"no plate":           {"plate", func(d *desk) { d.say(PlateChanged{}) }, Bad, "no visit"},
		"light changed": {"light", func(d *desk) {
			d.say(PlateChanged{Plate: PlateView{ID: "p1", TakenAt: t0}, Alarm: &Text{"左灯暗了", "left lamp"}})
		}, Warn, "left lamp"},
		"simulated camera": {"camera", func(d *desk) { d.m.cfg.Simulated = true }, Warn, "nobody"},
		"clock behind the newest photo": {"clock", func(d *desk) {
			d.say(HouseChanged{Status: d.m.op.status, Day: DayNumbers{LastSaved: t0.Add(time.Hour)}})
		}, Bad, "behind"},
		"clock set back by a server": {"clock", func(d *desk) {
			d.say(HouseChanged{Status: d.m.op.status, Day: DayNumbers{LastSaved: t0.Add(time.Minute)}})
		}, OK, "clock"},
	} {
		t.Run(name, func(t *testing.T) {
			d := morning(t, time.Time{}).staff(RoleOperator).looked(nil)
			c.set(d)
			if it := item(d, c.line); it.Lamp.Level != c.level || !strings.Contains(it.Lamp.Text.EN, c.says) {
				t.Errorf("%s: %s %q", c.line, it.Lamp.Level, it.Lamp.Text.EN)
			}
		})
	}
}

func TestOnlyStaffOnTheChecklistDecide(t *testing.T) {
	for name, before := range map[string]func(d *desk){
		"nobody":       func(*desk) {},
		"the PIN pad":  func(d *desk) { d.do(OpenOperator{}) },
		"another page": func(d *desk) { d.staff(RoleAdmin).do(OpenPage{Page: PageSync}) },
	} {
		t.Run(name, func(t *testing.T) {
			d := morning(t, time.Time{}).looked(map[string]Level{"disk": Bad})
			before(d)
			d.do(ExcuseCheck{ID: "disk", Reason: "harmless"}).do(BeginDay{})
			if n := len(d.audits("checklist.excused")) + len(d.audits(EventDayBegun)); n != 0 || !d.m.start.begun.IsZero() {
				t.Error(fmt.Sprint(n), "entries")
			}
		})
	}
}
