package booth

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// aClass is a list of four, of whom the third is next.
func aClass() ClassView {
	row := func(ref, state string) ClassRow {
		return ClassRow{BatchID: "b1", Ref: ref, NameMasked: "演*" + ref, Name: "演示" + ref, NumberTail: "002X", State: state}
	}
	return ClassView{
		Open: &ClassLine{ID: ClassID{"b1", "信息学院", "1 班"}, Done: 1, Total: 4}, Absent: 1, Next: 2,
		Rows: []ClassRow{row("r1", ClassDone), row("r2", ClassAbsent), row("r3", ClassWaiting), row("r4", ClassSkipped)},
	}
}

// onClass has staff before an open class.
func onClass(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t).staff(RoleOperator).do(OpenPage{Page: PageClass})
	if e, ok := sent[ShowPage](d); !ok || e.Page != PageClass {
		t.Fatal("the page was not asked for")
	}
	return d.say(ClassListed{Class: aClass()})
}

func (d *desk) answerLookup(r ...Record) *desk {
	d.t.Helper()
	l, ok := sent[Lookup](d)
	if !ok {
		d.t.Fatal("nobody was looked up")
	}
	return d.say(LookupDone{Session: l.Session, Token: l.Token, Records: r})
}

func TestAStudentOfTheClassGoesThroughTheSameDoor(t *testing.T) {
	d := onClass(t).do(SeatStudent{BatchID: "b1", Ref: "r3"}).want(Identify)
	l, _ := sent[Lookup](d)
	if l.Ref != "r3" || l.BatchID != "b1" || l.By != ByClass || l.Session != d.id() || d.view().Operator != nil {
		t.Fatalf("%+v, operator %+v", l, d.view().Operator)
	}
	r := rec("r3", "before_submit", "unpaid")
	r.Capture = "in_review"
	d.answerLookup(r).want(Eligible)
	// The gates are those of a scanned number.
	if d.do(Continue{}).want(Eligible); d.view().Toast == nil || *d.view().Toast != textInReview {
		t.Errorf("a photo under review: %+v", d.view().Toast)
	}
}

func TestNobodyIsSeatedThroughAShutDoor(t *testing.T) {
	d := onClass(t)
	d.say(GuardChanged{Fault: &Fault{Code: FaultStarting}})
	d.do(SeatStudent{BatchID: "b1", Ref: "r3"}).want(Idle)
	if n := d.view().Operator; n == nil || n.Notice == nil || *n.Notice != textDoorShut {
		t.Errorf("%+v", n)
	}
	d.do(CloseOperator{}).do(CallNext{}).want(Idle)
	if _, asked := sent[Lookup](d); asked {
		t.Error("looked up through a shut door")
	}
}

func TestOnlyWhoIsListedIsSeatedOrMarked(t *testing.T) {
	for name, in := range map[string]Intent{
		"a stranger":      SeatStudent{BatchID: "b1", Ref: "r9"},
		"other batch":     SeatStudent{BatchID: "b2", Ref: "r3"},
		"mark a stranger": MarkStudent{BatchID: "b1", Ref: "r9", Mark: ClassAbsent},
		"unknown mark":    MarkStudent{BatchID: "b1", Ref: "r3", Mark: "gone"},
		"done by hand":    MarkStudent{BatchID: "b1", Ref: "r3", Mark: ClassDone},
		"no such class":   PickClass{Index: 7},
		"long query":      FindStudent{Query: strings.Repeat("z", maxFind+1)},
	} {
		t.Run(name, func(t *testing.T) {
			d := onClass(t)
			before := len(d.all)
			if d.do(in).want(Idle); len(d.all) != before {
				t.Errorf("%+v", d.all[before:])
			}
		})
	}
}

func TestTheListNeedsAPIN(t *testing.T) {
	for _, in := range []Intent{
		SeatStudent{BatchID: "b1", Ref: "r3"}, MarkStudent{BatchID: "b1", Ref: "r3", Mark: ClassAbsent}, PickClass{}, FindStudent{Query: "zjm"},
	} {
		t.Run(fmt.Sprintf("%T", in), func(t *testing.T) {
			d := newDesk(t).say(ClassListed{Class: aClass()})
			before := len(d.all)
			if d.do(in).want(Idle); len(d.all) != before {
				t.Errorf("without staff: %+v", d.all[before:])
			}
			d.do(OpenOperator{}).do(in)
			if _, asked := sent[Lookup](d); asked {
				t.Error("the PIN pad lets it through")
			}
		})
	}
}

func TestWhoIsNextStandsOnTheWelcomeScreen(t *testing.T) {
	d := newDesk(t)
	if d.view().Class != nil {
		t.Error("a class without one being called")
	}
	d.say(ClassListed{Class: aClass()})
	if v := d.view().Class; v == nil || v.NameMasked != "演*r3" || v.Done != 1 || v.Total != 4 || v.NumberTail != "002X" {
		t.Fatalf("%+v", v)
	}
	d.do(SkipNext{})
	if e, ok := sent[KeepMark](d); !ok || e != (KeepMark{BatchID: "b1", Ref: "r3", Mark: ClassSkipped}) {
		t.Fatalf("%+v", e)
	}
	c := aClass()
	c.Next = 3
	d.say(ClassListed{Class: c}).do(CallNext{}).want(Identify)
	if l, _ := sent[Lookup](d); l.Ref != "r4" {
		t.Errorf("called %+v", l)
	}
	if d.view().Class != nil {
		t.Error("the next student stands on another's screen")
	}
	d.answerLookup(rec("r4", "none", "none")).toReview().do(Accept{}).do(ConfirmSubmit{}).say(Sealed{Session: d.id(), PacketID: "P"})
	if e, ok := d.last[len(d.last)-1].(ListClass); !ok || e.Query != "" {
		t.Errorf("the class is not counted anew: %+v", d.last)
	}
	c.Next = -1
	d.say(ClassListed{Class: c}).do(NextStudent{}).want(Idle)
	if v := d.view().Class; v == nil || v.NameMasked != "" {
		t.Errorf("nobody is left: %+v", v)
	}
	if d.do(CallNext{}).want(Idle); d.id() != "" {
		t.Error("a visit of nobody")
	}
}

func TestTheNextOneIsChosenWhileThePresentOneDecides(t *testing.T) {
	d := newDesk(t).identify(rec("r1", "none", "none")).toReview()
	mine := d.id()
	d.staff(RoleOperator).do(OpenPage{Page: PageClass}).say(ClassListed{Class: aClass()}).do(SeatStudent{BatchID: "b1", Ref: "r3"}).want(Review)
	if d.id() != mine {
		t.Fatal("the visit under way was touched")
	}
	d.answerLookup(rec("r3", "none", "none")).do(CloseOperator{})
	if v := d.view().Next; v == nil {
		t.Fatal("nobody is next in line")
	}
	d.do(Accept{}).do(ConfirmSubmit{}).say(Sealed{Session: d.id(), PacketID: "P"}).do(NextStudent{}).want(Eligible)
	if d.m.record.Ref != "r3" {
		t.Errorf("seated %q", d.m.record.Ref)
	}
	// In the middle of a photo nobody else is looked up.
	d.do(Continue{}).want(Consent).staff(RoleOperator).do(OpenPage{Page: PageClass}).say(ClassListed{Class: aClass()})
	before := len(d.all)
	d.do(SeatStudent{BatchID: "b1", Ref: "r4"}).want(Consent)
	if len(d.all) != before {
		t.Errorf("%+v", d.all[before:])
	}
}

func TestNamesOfTheClassAreShownWhileHeldOnly(t *testing.T) {
	d := onClass(t)
	shown := func() string { return d.view().Operator.Class.Rows[2].Name }
	if shown() != "" {
		t.Error("a name without a finger on the button")
	}
	if d.do(Reveal{Held: true}); shown() != "演示r3" {
		t.Errorf("held: %q", shown())
	}
	if d.do(Reveal{}); shown() != "" {
		t.Error("the name outlives the finger")
	}
	d.do(Reveal{Held: true}).pass(DefaultTiming.Reveal + time.Second)
	if shown() != "" {
		t.Error("a finger that never lets go")
	}
	// Who is next is known after the page is gone, but not by name.
	d.do(CloseOperator{})
	if d.m.class.next == nil || d.m.class.next.Name != "" || len(d.m.class.view.Rows) != 0 {
		t.Errorf("kept %+v", d.m.class)
	}
	d.staff(RoleOperator).do(OpenPage{Page: PageClass})
	if v := d.view().Operator.Class; len(v.Rows) != 0 {
		t.Error("an old list on a new page")
	}
}

func TestFindingSomebody(t *testing.T) {
	d := onClass(t).do(FindStudent{Query: "z"}).do(FindStudent{Query: "zj"})
	hit := ClassView{Next: -1, Rows: []ClassRow{{BatchID: "b1", Ref: "far", NameMasked: "张*", Class: "2 班"}}}
	d.say(ClassListed{Query: "z", Class: ClassView{Next: -1}})
	if v := d.view().Operator.Class; v.Query != "zj" || len(v.Rows) != 4 {
		t.Errorf("an answer to an older query is taken: %+v", v)
	}
	d.say(ClassListed{Query: "zj", Class: hit})
	if v := d.view().Operator.Class; len(v.Rows) != 1 || v.Rows[0].Ref != "far" {
		t.Errorf("%+v", v)
	}
	d.do(SeatStudent{BatchID: "b1", Ref: "far"}).want(Identify)
	if l, _ := sent[Lookup](d); l.Ref != "far" {
		t.Errorf("%+v", l)
	}
	if s := fmt.Sprintf("%+v %+v", FindStudent{Query: "张"}, ListClass{Query: "张"}); strings.Contains(s, "张") {
		t.Errorf("a name in a log: %s", s)
	}
}

func TestCallingAClassBeginsAndEnds(t *testing.T) {
	d := newDesk(t).staff(RoleOperator).do(OpenPage{Page: PageClass})
	id := ClassID{"b1", "信息学院", "1 班"}
	d.say(ClassListed{Class: ClassView{Next: -1, Classes: []ClassLine{{ID: id, Total: 4}}}})
	d.do(PickClass{Index: 0})
	if e, ok := sent[CallClass](d); !ok || e.Class != id {
		t.Fatalf("%+v", e)
	}
	d.say(ClassListed{Class: aClass()}).do(PickClass{Index: -1})
	if e, _ := sent[CallClass](d); e.Class != (ClassID{}) {
		t.Errorf("%+v", e)
	}
	d.say(ClassListed{Class: ClassView{Next: -1}}).do(CloseOperator{})
	if d.view().Class != nil {
		t.Error("the class is called on")
	}
}
