package station

import (
	"slices"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// TestAClassIsCalled calls a class of the real list: one is passed over, one is
// absent, one is photographed, and a restart goes on where the class stood.
func TestAClassIsCalled(t *testing.T) {
	r := newRig(t)
	r.away() // it needs no network
	var class roster.Class
	for _, c := range r.roster.Classes() {
		if r.policy[c.Batch] == wire.PayNone && len(r.roster.Members(c)) > 4 {
			class = c
		}
	}
	members := r.roster.Members(class)
	if len(members) == 0 {
		t.Fatal("the demonstration has no class")
	}
	r.unlock("4071")
	r.st.Send(booth.OpenPage{Page: booth.PageClass})
	v := r.wait("the classes", func(v booth.View) bool {
		return v.Operator != nil && v.Operator.Class != nil && len(v.Operator.Class.Classes) > 0
	})
	at := slices.IndexFunc(v.Operator.Class.Classes, func(l booth.ClassLine) bool {
		return l.ID == booth.ClassID{BatchID: class.Batch, College: class.College, Class: class.Name} && l.Total == len(members) && l.Done == 0
	})
	if at < 0 {
		t.Fatalf("the class is not among %+v", v.Operator.Class.Classes)
	}
	r.st.Send(booth.PickClass{Index: at})
	r.wait("the list", func(v booth.View) bool {
		return v.Operator.Class.Next == 0 && len(v.Operator.Class.Rows) == len(members)
	})
	r.st.Send(booth.MarkStudent{BatchID: members[0].Batch, Ref: members[0].Ref, Mark: booth.ClassSkipped})
	r.wait("the second", func(v booth.View) bool { return v.Operator.Class.Next == 1 })
	r.st.Send(booth.MarkStudent{BatchID: members[1].Batch, Ref: members[1].Ref, Mark: booth.ClassAbsent})
	r.wait("the third", func(v booth.View) bool { return v.Operator.Class.Next == 2 && v.Operator.Class.Absent == 1 })
	r.st.Send(booth.FindStudent{Query: members[3].IDNumber[12:]})
	r.wait("a hit", func(v booth.View) bool {
		return len(v.Operator.Class.Rows) == 1 && v.Operator.Class.Rows[0].Ref == members[3].Ref
	})
	r.st.Send(booth.CloseOperator{})
	r.wait("the welcome screen", func(v booth.View) bool {
		return v.Class != nil && v.Class.NameMasked == roster.MaskName(members[2].Name)
	})

	r.st.Send(booth.CallNext{})
	r.wait("the record", func(v booth.View) bool { return v.State == booth.Eligible })
	for range 3 {
		r.st.Send(booth.Continue{})
	}
	r.wait("live checks", func(v booth.View) bool { return v.State == booth.Framing && v.Live.Ready })
	r.st.Send(booth.Shutter{})
	r.wait("a portrait", func(v booth.View) bool { return v.State == booth.Review })
	r.submit()
	r.st.Send(booth.NextStudent{})
	r.wait("the fourth", func(v booth.View) bool {
		return v.State == booth.Idle && v.Class != nil && v.Class.Done == 1 && v.Class.NameMasked == roster.MaskName(members[3].Name)
	})

	r.stop()
	r.start()
	v = r.wait("the class after a restart", func(v booth.View) bool { return v.Class != nil })
	if v.Class.Done != 1 || v.Class.Total != len(members) || v.Class.NameMasked != roster.MaskName(members[3].Name) {
		t.Errorf("after a restart %+v", v.Class)
	}
}
