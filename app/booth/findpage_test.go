package booth

import (
	"fmt"
	"strings"
	"testing"
)

func TestTodaysStudentsAreForUnlockedStaffOnTheirPage(t *testing.T) {
	d := newDesk(t)
	d.do(FindToday{Query: "zs"})
	if _, ok := ever[LookToday](d); ok {
		t.Fatal("a student looks for others")
	}
	d = newDesk(t).staff(RoleOperator)
	d.do(FindToday{Query: "zs"})
	if _, ok := ever[LookToday](d); ok {
		t.Error("found on another page")
	}
	d.do(OpenPage{Page: PageFind}).do(FindToday{Query: strings.Repeat("z", maxLookFor+1)})
	if _, ok := ever[LookToday](d); ok {
		t.Error("a query of any length is taken")
	}
	d.do(FindToday{Query: "zs", State: FindReturned})
	if e, ok := ever[LookToday](d); !ok || e.Query != "zs" || e.State != FindReturned || strings.Contains(fmt.Sprint(e), "zs") {
		t.Errorf("%v %v", e, ok)
	}
	d.say(TodayFound{Found: FoundView{Rows: []FoundRow{{Name: "张*"}}}})
	if v := d.view().Operator.Found; v == nil || len(v.Rows) != 1 {
		t.Fatalf("%+v", v)
	}
	d.do(OpenPage{Page: PageMenu}).do(OpenPage{Page: PageFind})
	if d.view().Operator.Found != nil {
		t.Error("who was found stays when the page is left")
	}
	d.do(CloseOperator{}).say(TodayFound{Found: FoundView{Rows: []FoundRow{{Name: "张*"}}}})
	if d.m.op.found != nil {
		t.Error("who was found is kept for a closed page")
	}
}
