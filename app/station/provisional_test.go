package station

import (
	"testing"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// TestAStudentOnNoListReachesCentralsDecision adds a student at the desk and
// follows the photo to where central decides.
func TestAStudentOnNoListReachesCentralsDecision(t *testing.T) {
	r := newRig(t)
	const number = "370899200508080124"
	batch := central.DemoBatchFree
	r.st.Send(booth.Wedge{Text: number})
	r.wait("the refusal", func(v booth.View) bool { return v.State == booth.Identify && v.Identify.Bad })
	r.unlock("4071")
	r.st.Send(booth.OpenPage{Page: booth.PageAdd})
	r.wait("the page", func(v booth.View) bool {
		return v.Operator != nil && v.Operator.Add != nil && len(v.Operator.Add.Batches) > 0 && v.Operator.Add.Number == number
	})
	namesake := r.student(wire.PayNone)
	in := booth.AddStudent{Doc: booth.DocResident, Number: number, Name: namesake.Name, BatchID: batch, Reason: "transfer"}
	r.st.Send(in)
	r.wait("the namesake", func(v booth.View) bool { return v.Operator != nil && v.Operator.Add.Alike })
	in.Name = "演示新来"
	r.st.Send(in)
	r.wait("the record", func(v booth.View) bool { return v.State == booth.Eligible && v.Student != nil && v.Student.Provisional })
	for range 3 {
		r.st.Send(booth.Continue{})
	}
	r.wait("live checks", func(v booth.View) bool { return v.State == booth.Framing && v.Live.Ready })
	r.st.Send(booth.Shutter{})
	r.wait("a portrait", func(v booth.View) bool { return v.State == booth.Review })
	r.submit()
	r.wait("central's list", func(booth.View) bool {
		list, err := r.central.Provisionals(t.Context(), batch)
		return err == nil && len(list) == 1 && list[0].Student.Name == in.Name && list[0].Student.IDNumber == number && len(list[0].Packets) == 1
	})
	for _, where := range r.leftovers(wire.Student{Name: in.Name, IDNumber: number, StudentNo: number, Major: "none was given"}) {
		t.Errorf("readable in %s", where)
	}
}
