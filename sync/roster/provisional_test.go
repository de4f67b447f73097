package roster_test

import (
	"errors"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func provisional(n int) wire.Provisional {
	st := student(n)
	return wire.Provisional{
		Ref: []string{"prov-01JZZZZZZZZZZZZZZZZZZZZZZ1", "prov-01JZZZZZZZZZZZZZZZZZZZZZZ2"}[n%2], Batch: "b1",
		Name: st.Name, IDType: wire.IDResident, IDNumber: st.IDNumber, Reason: "late", Operator: "li", At: day,
	}
}

func TestAProvisionalStudentIsFoundUntilCentralHasThem(t *testing.T) {
	for name, delta := range map[string]wire.RosterDelta{
		"accepted": {Since: 1, Cursor: 2, Batches: batches, Upsert: []wire.Student{func() wire.Student {
			st := provisional(8).Student()
			st.Provisional = false
			return st
		}()}},
		"the school's own row came": {Since: 1, Cursor: 2, Batches: batches, Upsert: []wire.Student{student(8)}},
		"everything anew":           full(9, student(1), student(8)),
	} {
		t.Run(name, func(t *testing.T) {
			dir, key := t.TempDir(), dataKey(t)
			s := open(t, dir, key)
			apply(t, s, full(1, student(1)))
			p := provisional(8)
			if err := s.AddProvisional(p); err != nil {
				t.Fatal(err)
			}
			for _, s := range []*roster.Store{s, open(t, dir, key)} {
				if got := s.Lookup(roster.Resident, p.IDNumber); len(got) != 1 || got[0].Ref != p.Ref || !got[0].Provisional {
					t.Fatalf("found %+v", got)
				}
				if st, err := s.Student(p.Ref); err != nil || st.Batch != "b1" {
					t.Errorf("%+v %v", st, err)
				}
				if got, ok := s.Provisional(p.Ref); !ok || got != p {
					t.Errorf("%+v %v", got, ok)
				}
				if s.Count() != 1 {
					t.Errorf("central's list has %d", s.Count())
				}
			}
			apply(t, s, delta)
			for _, s := range []*roster.Store{s, open(t, dir, key)} {
				if got := s.Lookup(roster.Resident, p.IDNumber); len(got) != 1 || got[0].Provisional {
					t.Errorf("after central's word: %+v", got)
				}
				if _, ok := s.Provisional(p.Ref); ok {
					t.Error("still added here")
				}
			}
		})
	}
}

func TestWhoIsListedIsNotAdded(t *testing.T) {
	s := open(t, t.TempDir(), dataKey(t))
	apply(t, s, full(1, student(1)))
	for name, tc := range map[string]struct {
		change func(*wire.Provisional)
		want   error
	}{
		"on the list":       {func(p *wire.Provisional) { p.IDNumber = student(1).IDNumber + " " }, roster.ErrListed},
		"no such batch":     {func(p *wire.Provisional) { p.Batch = "b9" }, roster.ErrUnknown},
		"a ref of a roster": {func(p *wire.Provisional) { p.Ref = "stu-1" }, nil},
		"no name":           {func(p *wire.Provisional) { p.Name = " · " }, nil},
		"no number":         {func(p *wire.Provisional) { p.IDNumber = "-" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := provisional(8)
			tc.change(&p)
			if err := s.AddProvisional(p); err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("%v", err)
			}
		})
	}
	if err := s.AddProvisional(provisional(8)); err != nil {
		t.Fatal(err)
	}
	again := provisional(8)
	again.Ref = provisional(9).Ref
	if err := s.AddProvisional(again); !errors.Is(err, roster.ErrListed) {
		t.Errorf("added twice: %v", err)
	}
}

func TestNamesakesAreFound(t *testing.T) {
	s := open(t, t.TempDir(), dataKey(t))
	a, b := student(1), student(2)
	a.Name, b.Name = "買買提·艾力", "买买提艾力江"
	apply(t, s, full(1, a, b))
	if got := s.SameNames("买买提 艾力"); len(got) != 1 || got[0].Ref != a.Ref {
		t.Errorf("%+v", got)
	}
	if got := s.SameNames("zjm"); len(got) != 0 {
		t.Errorf("initials are no name: %+v", got)
	}
}
