package roster_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// classmate is student n in a class.
func classmate(n int, college, class string) wire.Student {
	st := student(n)
	st.College, st.Class = college, class
	return st
}

func TestClasses(t *testing.T) {
	s := open(t, t.TempDir(), dataKey(t))
	late, none := classmate(1, "文学院", "1 班"), classmate(9, "文学院", "1 班")
	late.StudentNo, none.StudentNo = "2026999999", ""
	apply(t, s, full(1, classmate(2, "信息学院", "2 班"), late, none, classmate(3, "文学院", "1 班"), student(4), classmate(5, "信息学院", "")))
	want := []roster.Class{
		{Batch: "b1", College: "信息学院", Name: "2 班"}, {Batch: "b1", College: "信息学院"}, {Batch: "b1", College: "文学院", Name: "1 班"}, {Batch: "b1"},
	}
	if got := s.Classes(); !slices.Equal(got, want) {
		t.Errorf("classes %v, want %v", got, want)
	}
	// By student number; who has none stands at the end.
	if got, want := refs(s.Members(want[2])), []string{"stu-00003", "stu-00001", "stu-00009"}; !slices.Equal(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
	if got := s.Members(roster.Class{Batch: "b1", College: "医学院"}); len(got) != 0 {
		t.Errorf("a class that is not has %v", got)
	}
}

func TestRollSurvivesARestart(t *testing.T) {
	dir, key := t.TempDir(), dataKey(t)
	s := open(t, dir, key)
	apply(t, s, full(1, classmate(1, "文学院", "1 班"), classmate(2, "文学院", "1 班")))
	c := roster.Class{Batch: "b1", College: "文学院", Name: "1 班"}
	for _, err := range []error{
		s.SetOpenClass(c), s.SetMark("b1", "stu-00001", roster.MarkAbsent, day), s.SetMark("b1", "stu-00002", roster.MarkSkipped, day),
		s.SetMark("b1", "stu-00002", roster.MarkNone, day),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, dir, key)
	if got := again.OpenClass(); got != c {
		t.Errorf("the open class is %v", got)
	}
	if got := again.MarkOf("b1", "stu-00001"); got != roster.MarkAbsent || !again.MarkedAt("b1", "stu-00001").Equal(day) {
		t.Errorf("the absent student is %q", got)
	}
	if got := again.MarkOf("b1", "stu-00002"); got != roster.MarkNone {
		t.Errorf("a mark that was taken away is %q", got)
	}
	// Nobody is left in the class: it is no longer called.
	apply(t, again, wire.RosterDelta{Since: 1, Cursor: 2, Batches: batches, Remove: []string{"stu-00001", "stu-00002"}})
	if got := again.OpenClass(); got != (roster.Class{}) {
		t.Errorf("a class without students is open: %v", got)
	}
	if _, err := roster.Open(dir, dataKey(t)); err == nil {
		t.Error("the roll opens with another key")
	}
}

func TestMarksAreOfStudentsOnTheList(t *testing.T) {
	s := open(t, t.TempDir(), dataKey(t))
	apply(t, s, full(1, student(1)))
	for name, tc := range map[string]struct {
		batch, ref string
		mark       roster.Mark
		want       error
	}{
		"nobody":       {"b1", "stu-7", roster.MarkAbsent, roster.ErrUnknown},
		"other batch":  {"b2", "stu-00001", roster.MarkAbsent, roster.ErrUnknown},
		"unknown mark": {"b1", "stu-00001", "gone", nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.SetMark(tc.batch, tc.ref, tc.mark, time.Time{})
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestSearchByTheEndOfANumber(t *testing.T) {
	s := open(t, t.TempDir(), dataKey(t))
	var all []wire.Student
	for n := range 40 {
		st := student(n)
		st.IDNumber = fmt.Sprintf("3708992007010%04d", n) + "X"
		all = append(all, st)
	}
	other := student(7)
	other.Ref, other.Batch = "elsewhere", "b2"
	other.IDNumber, other.StudentNo = "110105200701010077", "A-0007"
	apply(t, s, full(1, append(all, other)...))
	for _, tc := range []struct {
		batch, query string
		want         []string
	}{
		{"b1", "0007X", []string{"stu-00007"}},
		{"b1", "0007x", []string{"stu-00007"}},
		{"b1", "０００７Ｘ", []string{"stu-00007"}},
		{"b1", "000007", []string{"stu-00007"}}, // of the student number
		{"", "0077", []string{"elsewhere"}},
		{"b1", "0077", nil},
		{"b1", "7X", nil}, // too short to say anything
		{"b1", "99999", nil},
	} {
		if got := refs(s.Search(tc.batch, tc.query, 9)); !slices.Equal(got, tc.want) {
			t.Errorf("%q in %q finds %v, want %v", tc.query, tc.batch, got, tc.want)
		}
	}
	if got := s.Search("b1", "00", 9); len(got) != 0 {
		t.Errorf("two digits find %d", len(got))
	}
	if got := s.Search("b1", "01X", 9); len(got) != 1 {
		t.Errorf("three characters find %d", len(got))
	}
}
