package booth

import "testing"

func TestOnlyUnlockedStaffTurnPages(t *testing.T) {
	d := newDesk(t)
	d.do(OpenPage{Page: PageMenu})
	if _, ok := sent[ShowPage](d); ok || d.view().Operator != nil {
		t.Fatal("a page opens by itself")
	}
	d.do(OpenOperator{})
	d.do(OpenPage{Page: PageMenu})
	if _, ok := sent[ShowPage](d); ok {
		t.Fatal("a page opens without a PIN")
	}
	d = newDesk(t).staff(RoleOperator)
	d.do(OpenPage{Page: PageMenu})
	if e, ok := sent[ShowPage](d); !ok || e.Page != PageMenu || d.view().Operator.Page != PageMenu {
		t.Fatalf("%+v, page %q", e, d.view().Operator.Page)
	}
	d.do(CloseOperator{})
	d.staff(RoleOperator)
	if p := d.view().Operator.Page; p != PageHome {
		t.Errorf("the next to unlock finds page %q open", p)
	}
}

func TestLargeTextIsForThisVisit(t *testing.T) {
	d := newDesk(t)
	d.do(Start{}).do(ToggleLarge{})
	if !d.view().Large {
		t.Fatal("not large")
	}
	d.do(Back{})
	if d.want(Idle); d.view().Large {
		t.Error("the next student finds the last one's setting")
	}
}

func TestTheDayIsShownAndWrittenOnItsPageOnly(t *testing.T) {
	d := newDesk(t).staff(RoleOperator)
	d.say(DayReported{Report: DayReport{Captured: 3}}).do(ExportDay{})
	if _, ok := sent[WriteDay](d); ok || d.view().Operator.Report != nil {
		t.Fatal("the day is shown or written on another page")
	}
	d.do(OpenPage{Page: PageDay}).say(DayReported{Report: DayReport{Captured: 3}})
	if r := d.view().Operator.Report; r == nil || r.Captured != 3 {
		t.Fatalf("the page shows %+v", r)
	}
	if d.do(ExportDay{}); len(d.audits("day.exported")) != 1 {
		t.Error("the export is not on record")
	}
	if _, ok := sent[WriteDay](d); !ok {
		t.Error("nothing is written")
	}
	d.do(CloseOperator{}).do(ExportDay{})
	if len(d.audits("day.exported")) != 1 {
		t.Error("written for nobody")
	}
}
