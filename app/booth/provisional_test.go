package booth

import (
	"fmt"
	"strings"
	"testing"
)

// onAdd has a student whose number is on no list, and staff before the page.
func onAdd(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	d.identify().want(Identify)
	if d.view().Identify.Message != textNotFound {
		t.Fatalf("%+v", d.view().Identify)
	}
	d.staff(RoleOperator).do(OpenPage{Page: PageAdd})
	return d.say(AddListed{Batches: []AddBatch{{ID: "b1", Title: "甲"}}})
}

var someone = AddStudent{Doc: DocResident, Number: "1234", Name: "演示外来", BatchID: "b1", Reason: "late"}

func TestAStudentOnNoListIsAdded(t *testing.T) {
	d := onAdd(t)
	if v := d.view().Operator; v.Add.Number != "1234" || !v.Can.Add {
		t.Fatalf("%+v", v.Add)
	}
	d.do(someone)
	k, ok := sent[KeepStudent](d)
	if !ok || k.Name != someone.Name || k.Number != "1234" || k.By.ID != "li" || k.Sure || !d.view().Operator.Add.Busy {
		t.Fatalf("%+v", k)
	}
	before := len(d.all)
	if d.do(someone); len(d.all) != before {
		t.Error("added twice at once")
	}
	r := rec("prov-1", "none", "none")
	r.Provisional = "late"
	d.say(StudentKept{Session: k.Session, Token: k.Token, Record: &r}).want(Eligible)
	v := d.view()
	if v.Operator != nil || !v.Student.Provisional || v.Toast == nil || *v.Toast != textProvisional {
		t.Fatalf("%+v %+v", v.Student, v.Toast)
	}
	if a := d.audits("student.added"); len(a) != 1 || a[0].Detail != "late" || a[0].By.ID != "li" {
		t.Errorf("%+v", a)
	}
	d.toReview().do(Accept{}).do(ConfirmSubmit{})
	if s, ok := sent[Seal](d); !ok || s.Record.Ref != "prov-1" || s.Operator.ID != "li" {
		t.Errorf("%+v", s)
	}
}

func TestNamesakesAreAskedAboutOnce(t *testing.T) {
	d := onAdd(t)
	sure := someone
	sure.Sure = true
	d.do(sure)
	k, _ := sent[KeepStudent](d)
	if k.Sure {
		t.Fatal("sure of what was never shown")
	}
	d.say(StudentKept{Session: k.Session, Token: k.Token, Problem: &Text{"同名", "a namesake"}, Alike: true}).want(Identify)
	if v := d.view().Operator.Add; !v.Alike || v.Problem == nil || v.Busy {
		t.Fatalf("%+v", v)
	}
	d.do(sure)
	if k, _ = sent[KeepStudent](d); !k.Sure {
		t.Error("the staff's word does not count")
	}
}

func TestWhatIsNotAdded(t *testing.T) {
	with := func(f func(*AddStudent)) AddStudent { a := someone; f(&a); return a }
	for name, in := range map[string]AddStudent{
		"wrong number":      with(func(a *AddStudent) { a.Number = "9999" }),
		"unfinished number": with(func(a *AddStudent) { a.Number = "12" }),
		"no name":           with(func(a *AddStudent) { a.Name = " 演 " }),
		"endless name":      with(func(a *AddStudent) { a.Name = strings.Repeat("演", maxName+1) }),
		"other batch":       with(func(a *AddStudent) { a.BatchID = "b9" }),
		"no reason":         with(func(a *AddStudent) { a.Reason = "" }),
	} {
		t.Run(name, func(t *testing.T) {
			d := onAdd(t).do(in)
			if _, asked := sent[KeepStudent](d); asked || d.view().Operator.Add.Problem == nil {
				t.Errorf("%+v", d.view().Operator.Add)
			}
		})
	}
	t.Run("nobody is there", func(t *testing.T) {
		d := newDesk(t).staff(RoleOperator).do(OpenPage{Page: PageAdd}).say(AddListed{Batches: []AddBatch{{ID: "b1"}}}).do(someone)
		if _, asked := sent[KeepStudent](d); asked {
			t.Error("added without a student")
		}
	})
	t.Run("without a PIN", func(t *testing.T) {
		d := newDesk(t).do(Start{}).do(someone)
		if _, asked := sent[KeepStudent](d); asked {
			t.Error("added by a student")
		}
	})
	t.Run("the student left", func(t *testing.T) {
		d := onAdd(t).do(someone)
		k, _ := sent[KeepStudent](d)
		d.do(Abandon{}).want(Abandoned)
		r := rec("prov-1", "none", "none")
		d.say(StudentKept{Session: k.Session, Token: k.Token, Record: &r}).want(Abandoned)
	})
	if s := fmt.Sprintf("%+v %+v", someone, KeepStudent{Name: "演示外来"}); strings.Contains(s, "演示") {
		t.Errorf("a name in a log: %s", s)
	}
}
