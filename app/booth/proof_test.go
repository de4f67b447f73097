package booth

import (
	"fmt"
	"strings"
	"testing"
)

// paying is a visit whose fee is due, with a code on the screen.
func paying(t *testing.T, online bool) *desk {
	d := newDesk(t)
	d.say(LampsChanged{Online: online})
	d.identify(rec("r1", "before_capture", "unpaid")).want(Eligible)
	return d.say(ClaimUpdate{Session: d.id(), Claim: ClaimView{URL: "https://c/k/t"}})
}

func TestTheCameraLooksForAReceiptOnlyWhenItMust(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*desk) *desk
		want   bool
	}{
		"offline, unpaid":      {func(d *desk) *desk { return d }, true},
		"reading the consent":  {func(d *desk) *desk { return d.do(Continue{}).want(Consent) }, true},
		"at the gate":          {func(d *desk) *desk { return d.do(Continue{}).do(Continue{}).do(Continue{}).want(Guide) }, true},
		"central answers":      {func(d *desk) *desk { return d.say(LampsChanged{Online: true}) }, false},
		"paid":                 {func(d *desk) *desk { return d.say(PaymentUpdate{"b1", "r1", "paid"}) }, false},
		"waived":               {func(d *desk) *desk { return d.say(PaymentUpdate{"b1", "r1", "waived"}) }, false},
		"to be paid later":     {func(d *desk) *desk { return d.say(PaymentUpdate{"b1", "r1", "deferred"}) }, true},
		"no code was shown":    {func(d *desk) *desk { return d.say(ClaimUpdate{Session: d.id()}) }, false},
		"no camera":            {func(d *desk) *desk { return d.say(CameraChanged{}) }, false},
		"the student has left": {func(d *desk) *desk { return d.do(Abandon{}) }, false},
		"posing for the picture": {func(d *desk) *desk {
			return d.say(PaymentUpdate{"b1", "r1", "deferred"}).do(Continue{}).do(Continue{}).do(Continue{}).want(Framing)
		}, false},
	} {
		if got := c.change(paying(t, false)).view().Payment.Receipt; got != c.want {
			t.Errorf("%s: looks %t, want %t", name, got, c.want)
		}
	}
	d := newDesk(t)
	d.identify(rec("r1", "none", "none")).say(ClaimUpdate{Session: d.id(), Claim: ClaimView{URL: "https://c/k/t"}})
	if d.view().Payment.Receipt {
		t.Error("looks for a receipt of what the school pays")
	}
}

func TestAReceiptOpensTheGate(t *testing.T) {
	d := paying(t, false)
	d.do(Continue{}).do(Continue{}).do(Continue{}).want(Guide)
	if !d.view().Payment.Blocked {
		t.Fatal("the gate is open")
	}
	d.say(ProofJudged{Session: "another", OK: true, Evidence: "receipt"})
	if d.view().Payment.State != "unpaid" {
		t.Fatal("a receipt of another session counts")
	}
	d.say(ProofJudged{Session: d.id(), Evidence: "receipt", Problem: Text{"不行", "no"}})
	if v := d.view(); v.Payment.State != "unpaid" || v.Toast == nil || v.Toast.EN != "no" {
		t.Fatalf("refused: %+v %v", v.Payment, v.Toast)
	}
	d.say(ProofJudged{Session: d.id(), OK: true, Evidence: "receipt"})
	if v := d.view(); v.Payment.State != "paid" || v.Payment.Blocked || v.Payment.Receipt || v.Toast == nil || *v.Toast != textProved {
		t.Fatalf("proved: %+v %v", v.Payment, v.Toast)
	}
	d.do(Continue{}).want(Framing)
}

func TestOnlyStaffTypeTheCode(t *testing.T) {
	d := paying(t, false)
	d.do(PayCode{"12345678"})
	if _, ok := sent[CheckCode](d); ok {
		t.Fatal("a student's code was checked")
	}
	d.staff(RoleOperator)
	d.do(PayCode{"12345678"})
	c, ok := sent[CheckCode](d)
	if !ok || c.Code != "12345678" || c.Session != d.id() || c.Record.Ref != "r1" {
		t.Fatalf("asked %+v", c)
	}
	if s := fmt.Sprint(c, PayCode{"12345678"}); strings.Contains(s, "1234") || strings.Contains(s, "r1") {
		t.Errorf("a log would show %s", s)
	}
	d.all = nil
	d.do(PayCode{"87654321"})
	if _, ok := sent[CheckCode](d); ok || !d.view().Operator.Proving {
		t.Error("a second code is checked while the first is")
	}
	d.say(ProofJudged{Session: d.id(), Evidence: "code", Problem: Text{"错", "wrong"}})
	if v := d.view().Operator; v.Proving || !v.Refused || v.Notice == nil || v.Notice.EN != "wrong" {
		t.Fatalf("after a wrong code: %+v", v)
	}
	d.do(SyncNow{})
	if v := d.view().Operator; v.Refused {
		t.Error("another notice is shown as a refusal")
	}
	// What was noted before does not go with a payment that is proved.
	d.do(PaymentMark{"deferred", "phone"}).do(PayCode{"12345678"})
	d.say(ProofJudged{Session: d.id(), OK: true, Evidence: "code"})
	v := d.view()
	if v.Payment.State != "paid" || v.Operator.Can.Payment || v.Operator.Refused || d.m.marked != (Marked{}) {
		t.Fatalf("after the right code: %+v %+v", v.Payment, d.m.marked)
	}
	d.all = nil
	d.do(PayCode{"12345678"})
	if _, ok := sent[CheckCode](d); ok {
		t.Error("a code is checked for what is paid")
	}
}

func TestAnAnswerToTheLastStudentsCodeIsDropped(t *testing.T) {
	d := paying(t, false).staff(RoleOperator)
	d.do(PayCode{"12345678"})
	first := d.id()
	d.do(Abandon{}).do(CloseOperator{}).do(Continue{}).want(Idle)
	d.identify(rec("r2", "before_capture", "unpaid"))
	d.say(ProofJudged{Session: first, OK: true, Evidence: "code"})
	if d.view().Payment.State != "unpaid" {
		t.Fatal("the next student has paid")
	}
	d.staff(RoleOperator).do(PayCode{"12345678"})
	if c, ok := sent[CheckCode](d); !ok || c.Session == first {
		t.Error("the next student's code is not taken")
	}
}
