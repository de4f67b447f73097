package booth

import "testing"

func compared(s Seal) (n int) {
	for _, o := range s.Overrides {
		if o.CheckID == CheckCompared && o.Reason == "seen" && o.By.ID == "li" && !o.At.IsZero() {
			n++
		}
	}
	return n
}

func TestComparedCardGoesOnRecordOnce(t *testing.T) {
	d := newDesk(t).identify(rec("r", "none", "none")).staff(RoleOperator)
	if !d.view().Operator.Can.Compare {
		t.Fatal("not offered")
	}
	d.do(CompareCard{}).do(CompareCard{})
	if d.view().Operator.Can.Compare {
		t.Error("offered again")
	}
	if a := d.audits("card.compared"); len(a) != 1 || a[0].By.ID != "li" || a[0].Session != d.id() {
		t.Errorf("audited %+v", a)
	}
	// The student's, not the photo's: a retake leaves it standing.
	d.do(CloseOperator{}).toReview().do(Retake{}).do(Shutter{})
	if n := len(d.m.overrides); n != 1 {
		t.Errorf("%d on record after a retake", n)
	}
}

func TestComparedCardIsSealed(t *testing.T) {
	d := newDesk(t).identify(rec("r", "none", "none")).staff(RoleOperator)
	d.do(CompareCard{}).do(CloseOperator{}).toReview().do(Accept{}).do(ConfirmSubmit{})
	if s, ok := sent[Seal](d); !ok || compared(s) != 1 || s.Operator.ID != "li" {
		t.Errorf("sealed %+v", s.Overrides)
	}
}

func TestOnlyStaffCompareCards(t *testing.T) {
	d := newDesk(t).identify(rec("r", "none", "none"))
	d.do(CompareCard{}).do(OpenOperator{}).do(CompareCard{})
	if len(d.m.overrides) != 0 || len(d.audits("card.compared")) != 0 {
		t.Error("a comparison was recorded without a PIN")
	}
}

func TestComparedCardStaysWithItsStudent(t *testing.T) {
	d := newDesk(t).identify(rec("r", "none", "none")).staff(RoleOperator)
	d.do(CompareCard{}).do(CloseOperator{}).do(NotMe{})
	if len(d.m.overrides) != 0 {
		t.Error("the next student has the comparison of the last")
	}
}
