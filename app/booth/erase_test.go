package booth

import "testing"

func TestErasingAStudentEndsTheVisitAndNamesThem(t *testing.T) {
	for _, at := range []State{Eligible, Review, Done} {
		d := newDesk(t)
		switch at {
		case Eligible:
			d.identify(rec("r", "none", "none"))
		case Review:
			d.identify(rec("r", "none", "none")).toReview()
		default:
			d.identify(rec("r", "none", "none")).toReview().do(Accept{}).do(ConfirmSubmit{}).want(Sealing)
			if d.staff(RoleOperator); d.view().Operator.Can.Erase {
				t.Error("a photo that is being saved can be erased before anybody knows whether it is")
			}
			d.do(EraseStudent{}).want(Sealing).do(CloseOperator{})
			d.say(Sealed{Session: d.id(), PacketID: "01K3ZJ8Q", Seq: 1})
		}
		d.want(at)
		d.do(EraseStudent{}).want(at) // no PIN, nothing happens
		session, ref := d.id(), d.m.record.Ref
		d.staff(RoleOperator)
		if !d.view().Operator.Can.Erase {
			t.Fatalf("%s: staff cannot erase", at)
		}
		d.do(EraseStudent{})
		e, ok := sent[Erase](d)
		if !ok || e.Session != session || e.Ref != ref || e.By.Role != RoleOperator {
			t.Fatalf("%s: %+v", at, e)
		}
		if end, ok := sent[EndSession](d); !ok || end.Session != session {
			t.Errorf("%s: the visit goes on: %+v", at, end)
		}
		if s := d.m.State(); s != Abandoned && s != Idle {
			t.Errorf("%s: state %s", at, s)
		}
		if got := d.audits("erase.asked"); len(got) != 1 || got[0].By.Role != RoleOperator || got[0].Session != session {
			t.Errorf("%s: %+v", at, got)
		}
		if n := d.view().Operator; n == nil || n.Notice == nil || n.Can.Erase {
			t.Errorf("%s: staff are told nothing: %+v", at, n)
		}
	}
	d := newDesk(t)
	d.staff(RoleAdmin)
	if d.do(EraseStudent{}); d.view().Operator.Can.Erase {
		t.Error("nobody is here to be erased")
	}
	if _, ok := sent[Erase](d); ok {
		t.Error("somebody who is not here is erased")
	}
}
