package booth

import (
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// staff opens the operator page with the right PIN.
func (d *desk) staff(role Role) *desk {
	d.t.Helper()
	d.do(OpenOperator{})
	d.answer(PINChecked{Query: true})
	d.do(Unlock{PIN: "4071"})
	d.answer(PINChecked{OK: true, Staff: Staff{ID: "li", Role: role}})
	if v := d.view().Operator; v == nil || !v.Unlocked || v.Staff != (Staff{"li", role}) {
		d.t.Fatalf("not unlocked: %+v", v)
	}
	return d
}

// answer answers the newest CheckPIN.
func (d *desk) answer(ev PINChecked) *desk {
	d.t.Helper()
	c, ok := sent[CheckPIN](d)
	if !ok {
		d.t.Fatal("no PIN was asked about")
	}
	ev.Token = c.Token
	return d.say(ev)
}

func (d *desk) audits(event string) (out []Audit) {
	for _, e := range d.all {
		if a, ok := e.(Audit); ok && a.Event == event {
			out = append(out, a)
		}
	}
	return out
}

func TestOperatorPageLeavesTheVisitAsItIs(t *testing.T) {
	for _, at := range []State{Identify, Eligible, Consent, Guide, Framing, Review, Confirm, Sealing, Done} {
		t.Run(string(at), func(t *testing.T) {
			d := newDesk(t)
			d.do(Start{})
			if at != Identify {
				d.m, d.all = newDesk(t).m, nil
				d.identify(rec("r", "none", "none"))
			}
			steps := map[State]func(){
				Consent: func() { d.do(Continue{}) },
				Guide:   func() { d.do(Continue{}).do(Continue{}) },
				Framing: func() { d.do(Continue{}).do(Continue{}).do(Continue{}) },
				Review:  func() { d.toReview() },
				Confirm: func() { d.toReview().do(Accept{}) },
				Sealing: func() { d.toReview().do(Accept{}).do(ConfirmSubmit{}) },
				Done:    func() { d.toReview().do(Accept{}).do(ConfirmSubmit{}).say(Sealed{Session: d.id(), PacketID: "P"}) },
			}
			if f := steps[at]; f != nil {
				f()
			}
			d.want(at)
			session, shot := d.id(), d.view().Shot
			d.do(OpenOperator{})
			if d.view().Operator == nil || d.view().Operator.Unlocked {
				t.Fatalf("%+v", d.view().Operator)
			}
			// The covered screen's buttons and its patience do nothing meanwhile.
			for _, in := range []Intent{
				Continue{},
				Back{},
				NotMe{},
				Shutter{},
				Retake{},
				Accept{},
				ConfirmSubmit{},
				Decline{},
				NextStudent{},
				Abandon{},
				Submit{},
				Key{'1'},
				Stay{},
				Choose{},
				FlagInfo{},
				SetAuto{On: true},
				Cover{},
				Pick{Seq: 77},
				ManualAnswer{OK: true},
				FaultAction{Code: "seal-failed"},
			} {
				d.do(in).want(at)
			}
			d.answer(PINChecked{Query: true})
			for range 20 {
				d.pass(pinIdle - time.Second)
				d.do(Stay{}).want(at)
			}
			d.do(Unlock{PIN: "4071"}).answer(PINChecked{OK: true, Staff: Staff{"li", RoleOperator}})
			for range 20 {
				d.pass(DefaultOperatorIdle - time.Second)
				d.do(Stay{}).want(at)
			}
			d.do(CloseOperator{}).want(at)
			if v := d.view(); v.Operator != nil || d.id() != session || (v.Shot == nil) != (shot == nil) {
				t.Fatalf("after leaving: %+v in %s", v.Operator, d.id())
			}
			if v := d.view(); v.Warning || (!v.Deadline.IsZero() && v.Deadline.Sub(d.now) < 5*time.Second) {
				t.Errorf("the visit's patience did not wait: %v", v.Deadline.Sub(d.now))
			}
			if len(d.audits("operator.opened")) != 1 || len(d.audits("operator.closed")) != 1 || d.audits("operator.closed")[0].By.ID != "li" {
				t.Error("coming and going is not on record")
			}
		})
	}
}

func TestOperatorPageStopsACountdown(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("r", "none", "none")).do(Continue{}).do(Continue{}).do(Continue{}).do(Shutter{}).want(Countdown)
	d.do(OpenOperator{}).want(Framing)
	d.pass(5 * time.Second)
	d.want(Framing)
	if _, taken := sent[TakeShot](d); taken {
		t.Fatal("a photo was taken behind the operator page")
	}
}

func TestOperatorPageLocksItself(t *testing.T) {
	d := newDesk(t)
	d.do(OpenOperator{}).answer(PINChecked{Query: true})
	d.pass(pinIdle)
	if d.view().Operator != nil {
		t.Fatal("an untouched PIN pad stays")
	}
	d.staff(RoleOperator)
	d.pass(DefaultOperatorIdle - time.Second)
	next := d.m.NextTick()
	if gap := next.Sub(d.now); gap <= 0 || gap > time.Second {
		t.Fatalf("the next tick comes in %v", gap)
	}
	d.pass(time.Second)
	if d.view().Operator != nil || d.m.authorised() {
		t.Fatal("an untouched operator page stays")
	}
	if a := d.audits("operator.closed"); len(a) != 1 || a[0].Detail != "idle" {
		t.Errorf("%+v", a)
	}
	d.do(SyncNow{})
	if _, ok := sent[Sync](d); ok {
		t.Error("the closed page still obeys")
	}
}

func TestAnswersToOldPINsUnlockNothing(t *testing.T) {
	d := newDesk(t)
	d.do(OpenOperator{}).answer(PINChecked{Query: true}).do(Unlock{PIN: "4071"})
	late, _ := sent[CheckPIN](d)
	ok := PINChecked{Token: late.Token, OK: true, Staff: Staff{"li", RoleAdmin}}
	d.do(CloseOperator{}).say(ok)
	if d.view().Operator != nil || d.m.authorised() {
		t.Fatal("an answer opened a page that was left")
	}
	d.do(OpenOperator{}).say(ok)
	if d.view().Operator.Unlocked {
		t.Fatal("an answer from before unlocked the page")
	}
	d.answer(PINChecked{Query: true})
	d.do(Unlock{PIN: "1"}).answer(PINChecked{}).say(ok)
	if v := d.view().Operator; v.Unlocked || v.PIN.Problem == nil {
		t.Fatalf("%+v", v)
	}
	// One PIN at a time.
	d.all = nil
	d.do(Unlock{PIN: "2"}).do(Unlock{PIN: "3"})
	if n := len(slices.DeleteFunc(slices.Clone(d.all), func(e Effect) bool { _, ok := e.(CheckPIN); return !ok })); n != 1 {
		t.Errorf("%d PINs are judged at once", n)
	}
}

func TestWrongPINsAreOnRecordAndWait(t *testing.T) {
	d := newDesk(t)
	d.do(OpenOperator{}).answer(PINChecked{Query: true})
	d.do(Unlock{PIN: "1357"}).answer(PINChecked{Wait: 30 * time.Second})
	v := d.view().Operator
	if v.Unlocked || v.PIN.Problem == nil || !v.PIN.RetryAt.Equal(d.now.Add(30*time.Second)) {
		t.Fatalf("%+v", v.PIN)
	}
	if len(d.audits("pin.wrong")) != 1 || len(d.audits("pin.lockout")) != 1 {
		t.Error("not on record")
	}
	for _, e := range d.all {
		if s := fmt.Sprintf("%v %+v", e, e); strings.Contains(s, "1357") {
			t.Errorf("a PIN can be read in %T", e)
		}
	}
	if s := fmt.Sprint(Unlock{PIN: "1357"}); strings.Contains(s, "1357") {
		t.Error("a PIN can be read in the intent")
	}
	d.all = nil
	d.do(Unlock{PIN: "4071"})
	if len(d.all) != 0 {
		t.Error("a PIN is judged during the wait")
	}
	if gap := d.m.NextTick().Sub(d.now); gap <= 0 || gap > time.Second {
		t.Errorf("the wait does not count its seconds: %v", gap)
	}
	for range 3 { // leaving and coming back ends no wait
		d.do(CloseOperator{}).do(OpenOperator{})
	}
	if d.view().Operator.PIN.RetryAt.IsZero() {
		t.Error("the wait is forgotten")
	}
}

func TestLockScreenAfterACrash(t *testing.T) {
	locked := func(noPIN bool) *desk {
		m, err := New(Config{
			NewID: func() string { return "S" }, Check: func(DocType, string) (bool, *Text) { return true, nil },
			Operator: OperatorConfig{Locked: &LockedView{Crash: true, Cut: true, Saved: 12, LastSaved: t0, NoPIN: noPIN}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return &desk{t: t, m: m, now: t0}
	}
	d := locked(false)
	d.want(Locked)
	if v := d.view().Locked; v == nil || !v.Cut || v.Saved != 12 || v.CutSaved {
		t.Fatalf("%+v", v)
	}
	for _, in := range []Intent{Start{}, Continue{}, Wedge{Text: "12345678"}, OpenOperator{}, CloseOperator{}, Unlock{}, NextStudent{}, Abandon{}, Back{}, LockStation{}} {
		d.do(in).want(Locked)
	}
	d.pass(time.Hour)
	d.do(Unlock{PIN: "1"}).answer(PINChecked{}).want(Locked)
	if d.view().Locked.PIN.Problem == nil {
		t.Error("a wrong PIN is not told")
	}
	d.do(Unlock{PIN: "4071"}).answer(PINChecked{OK: true, Staff: Staff{"li", RoleOperator}}).want(Idle)
	if d.m.authorised() || d.view().Locked != nil {
		t.Error("unlocking the station unlocks the operator page")
	}
	if a := d.audits("station.unlocked"); len(a) != 1 || a[0].By.ID != "li" {
		t.Errorf("%+v", a)
	}
	locked(true).do(Unlock{}).want(Idle) // no PIN was ever set: a plain confirmation
	d = locked(false)
	d.do(Unlock{}).want(Locked)
}

func TestStaffLockTheStationWhenNobodyIsHere(t *testing.T) {
	d := newDesk(t)
	d.do(LockStation{}).want(Idle) // no student locks anybody out
	d.do(Start{}).staff(RoleOperator).do(LockStation{}).want(Identify)
	d.do(Abandon{}).want(Abandoned).do(LockStation{}).want(Locked)
	if v := d.view(); v.Operator != nil || v.Locked == nil || v.Locked.Crash {
		t.Fatalf("%+v %+v", v.Operator, v.Locked)
	}
	d.do(Start{}).want(Locked)
	d.do(Unlock{PIN: "4071"}).answer(PINChecked{OK: true, Staff: Staff{"li", RoleOperator}}).want(Idle)
}

func TestWhatOnlyAnAdminMayDo(t *testing.T) {
	for _, role := range []Role{RoleOperator, RoleAdmin} {
		d := newDesk(t)
		d.staff(role)
		want := role == RoleAdmin
		if can := d.view().Operator.Can; can.Purge != want || can.ShutDown != want || !can.Sync || !can.Lock {
			t.Errorf("%s may %+v", role, can)
		}
		d.do(PurgeNow{}).do(ShutDown{})
		_, purged := sent[Purge](d)
		_, quit := sent[Quit](d)
		if purged != want || quit != want {
			t.Errorf("%s: purged %v, shut down %v", role, purged, quit)
		}
	}
	d := newDesk(t)
	d.identify(rec("r", "none", "none")).staff(RoleAdmin).do(PurgeNow{}).do(ShutDown{}).do(LockStation{}).want(Eligible)
	if _, quit := sent[Quit](d); quit {
		t.Error("shut down with a student in the middle of a visit")
	}
}

func TestPaymentMark(t *testing.T) {
	for _, c := range []struct {
		name, from, state, reason string
		staff, want               bool
	}{
		{"cash", "unpaid", "paid", "cash", true, true},
		{"later", "unpaid", "deferred", "network", true, true},
		{"waived", "deferred", "waived", "hardship", true, true},
		{"by a student", "unpaid", "paid", "cash", false, false},
		{"no reason", "unpaid", "paid", "", true, false},
		{"reason of another state", "unpaid", "waived", "cash", true, false},
		{"unknown state", "unpaid", "refunded", "cash", true, false},
		{"paid already", "paid", "waived", "hardship", true, false},
		{"nothing to pay", "none", "waived", "hardship", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.identify(rec("r", "before_submit", c.from))
			if c.staff {
				d.staff(RoleOperator)
			}
			d.do(PaymentMark{State: c.state, Reason: c.reason})
			p, saved := sent[SavePayment](d)
			if saved != c.want {
				t.Fatalf("kept %v, want %v", saved, c.want)
			}
			if !saved {
				return
			}
			if p.State != c.state || p.Reason != c.reason || p.Ref != "r" || d.audits("payment." + c.state)[0].By.ID != "li" {
				t.Errorf("%+v", p)
			}
			d.do(CloseOperator{}).toReview().do(Accept{}).do(ConfirmSubmit{}).want(Sealing)
			if s, _ := sent[Seal](d); s.Payment != c.state || s.Marked.Reason != c.reason || s.Marked.By.ID != "li" || s.Operator.ID != "li" {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestManualTicksSayWhichIsNot(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("r", "none", "none")).do(Continue{}).do(Continue{}).do(Continue{}).do(Shutter{})
	d.pass(3 * time.Second)
	d.say(FrameTaken{Session: d.id(), Attempt: 1, Seq: 7})
	ask := []CheckLine{{ID: "headwear", Status: "manual"}, {ID: "clothes", Status: "manual"}}
	d.say(PortraitDone{Session: d.id(), Attempt: 1, Seq: 7, Portrait: image.NewRGBA(image.Rect(0, 0, 1, 1)), Verdict: "pass", Manual: ask}).want(Review)
	d.staff(RoleOperator).do(ManualAnswer{Not: []string{"headwear", "nonsense"}})
	v := d.view()
	if v.Shot.CanAccept || !slices.Equal(v.Shot.ManualNot, []string{"headwear"}) || len(v.Operator.Failing) != 1 || !v.Operator.Manual[0].Not {
		t.Fatalf("%+v %+v", v.Shot, v.Operator)
	}
	d.do(CloseOperator{}).do(Accept{}).want(Review)
	d.staff(RoleOperator).do(Override{CheckID: "headwear", Reason: "religious"})
	if v = d.view(); !v.Shot.CanAccept || v.Operator.Failing[0].Reason != "religious" {
		t.Fatalf("%+v", v.Operator)
	}
	// Another answer takes the override back with what it was for.
	d.do(ManualAnswer{OK: true}).do(ManualAnswer{Not: []string{"headwear"}})
	if d.view().Shot.CanAccept {
		t.Fatal("an override outlives the answer it was for")
	}
	d.do(Override{CheckID: "headwear", Reason: "religious"}).do(CloseOperator{}).do(Accept{}).want(Confirm).do(ConfirmSubmit{})
	if s, _ := sent[Seal](d); len(s.Overrides) != 1 || s.Overrides[0].CheckID != "headwear" || s.Overrides[0].By.ID != "li" || s.ManualOK {
		t.Errorf("%+v", s)
	}
}

func TestManualAnswersCanNeedAPIN(t *testing.T) {
	d := newDesk(t)
	d.m.cfg.Operator.ManualPIN = true
	d.identify(rec("r", "none", "none")).do(Continue{}).do(Continue{}).do(Continue{}).do(Shutter{})
	d.pass(3 * time.Second)
	d.say(FrameTaken{Session: d.id(), Attempt: 1, Seq: 7})
	d.say(PortraitDone{Session: d.id(), Attempt: 1, Seq: 7, Portrait: image.NewRGBA(image.Rect(0, 0, 1, 1)), Verdict: "pass", Manual: []CheckLine{{ID: "clothes"}}})
	if v := d.do(ManualAnswer{OK: true}).view(); v.Shot.ManualOK || v.Toast == nil {
		t.Fatal("answered without a PIN")
	}
	d.staff(RoleOperator).do(ManualAnswer{OK: true}).do(CloseOperator{}).do(Accept{}).want(Confirm)
}

func TestOverrideRecordsValueAndLimit(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("r", "none", "none")).toReview(CheckLine{ID: "roll", Status: "fail", Value: "9.3°", Limit: "≤ 5°"})
	d.staff(RoleOperator).do(Override{CheckID: "roll", Reason: "medical"})
	a := d.audits("override")
	if len(a) != 1 || a[0].Value != "9.3°" || a[0].Limit != "≤ 5°" || a[0].By != (Staff{"li", RoleOperator}) || a[0].Detail != "roll: medical" || a[0].Session != d.id() {
		t.Errorf("%+v", a)
	}
	d.do(Override{CheckID: "roll", Reason: "religious"})
	if len(d.audits("override")) != 1 {
		t.Error("overridden twice")
	}
}

func TestStandingStaffNeedNoPage(t *testing.T) {
	m, err := New(Config{
		NewID: func() string { return "S" }, Check: func(DocType, string) (bool, *Text) { return true, nil },
		Operator: OperatorConfig{Standing: &Staff{"simulate", RoleOperator}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, m: m, now: t0}
	d.identify(rec("r", "before_submit", "unpaid")).do(PaymentMark{State: "waived", Reason: ReasonSimulated})
	if _, ok := sent[SavePayment](d); !ok || d.view().Operator != nil {
		t.Error("standing staff are refused")
	}
	if d.do(OpenOperator{}).view().Operator != nil {
		t.Error("a page opens where there is no window")
	}
}

// TestNoStudentReachesWhatIsForStaff walks the machine at random as a student
// who presses everything there is, with staff who come, type right and wrong
// PINs, decide and leave, and with answers about PINs that come late, twice or
// never. What is for staff must only happen while a PIN of this opening has
// unlocked the page, and nothing that staff decided may reach another session.
func TestNoStudentReachesWhatIsForStaff(t *testing.T) {
	steps := 1_500_000
	if testing.Short() {
		steps = 150_000
	}
	rng := rand.New(rand.NewPCG(3, 4))
	d := newDesk(t)
	d.m.cfg.Operator.Idle, d.m.cfg.Auto = 20*time.Second, true
	staffIntents := []Intent{
		Override{CheckID: "roll", Reason: "medical"},
		Override{CheckID: "clothes", Reason: "religious"},
		Override{CheckID: CheckCaptured, Reason: "quality"},
		PaymentMark{State: "paid", Reason: "cash"},
		PaymentMark{State: "waived", Reason: "hardship"},
		PayCode{Code: "12345678"},
		SyncNow{},
		PurgeNow{},
		EraseStudent{},
		ShutDown{},
		LockStation{},
		CloseOperator{},
		Recalibrate{},
		ManualAnswer{OK: true},
		ManualAnswer{Not: []string{"clothes"}},
		Abandon{Reason: "operator"},
		NextStudent{},
	}
	// Going on is likely and giving up is rare, so that the walk gets far.
	onward := []Intent{Start{}, Wedge{Text: "5678"}, Continue{}, Shutter{}, Accept{}, ConfirmSubmit{}, ManualAnswer{OK: true}}
	aside := []Intent{
		Back{},
		Retake{},
		NotMe{},
		Abandon{},
		NextStudent{},
		Submit{},
		Key{'1'},
		Stay{},
		ToggleLang{},
		FlagInfo{},
		Decline{},
		FaultAction{Code: "seal-failed"},
		SetAuto{On: true},
		Cover{},
		Reveal{Held: true},
		ManualAnswer{},
	}
	var late, owed []Event
	pins := map[int]string{}       // token → what was typed
	opening, opened := 0, 0        // number of the present opening; 0 = closed
	tokenOf := map[int]int{}       // token → opening it was asked in
	newest := 0                    // newest token
	answered := map[int]bool{}     // tokens whose answer was taken
	var unlocked Staff             // who the model says is there
	lastTouch := d.now             // when the page was last touched
	decided := map[string]string{} // session → what staff decided in it
	counts := map[string]int{}
	frame, locks := uint64(0), 0
	for i := range steps {
		d.all = d.all[:0]
		before, session := d.m.State(), d.id()
		var did Intent
		closed := func() { opening, unlocked = 0, Staff{} }
		switch n := rng.IntN(30); {
		case n < 9:
			did = onward[rng.IntN(len(onward))]
		case n < 10 && rng.IntN(8) == 0:
			did = aside[rng.IntN(len(aside))]
		case n < 12 && (unlocked.Role != "" || rng.IntN(4) == 0):
			did = staffIntents[rng.IntN(len(staffIntents))]
		case n < 13 && rng.IntN(5) == 0:
			did = OpenOperator{}
		case n < 16 && (opening != 0 || before == Locked):
			did = Unlock{PIN: []string{"right-operator", "right-admin", "right-operator", "guess", ""}[rng.IntN(5)]}
			if unlocked.Role != "" {
				did = CloseOperator{}
			}
		case n < 27 && len(late) > 0:
			k := rng.IntN(len(late))
			if rng.IntN(2) == 0 {
				k = len(late) - 1
			}
			ev := late[k]
			if p, ok := ev.(PINChecked); ok && p.OK && p.Token == newest && !answered[p.Token] && opening != 0 && tokenOf[p.Token] == opening {
				unlocked, lastTouch = p.Staff, d.now
				counts["unlocked"]++
			}
			if p, ok := ev.(PINChecked); ok && p.Token == newest {
				answered[p.Token] = true
			}
			d.say(ev)
		case n < 28:
			did = onward[rng.IntN(len(onward))]
		default:
			late = append(late, owed...) // a shot or a seal under way is always answered some day
			owed = nil
			if rng.IntN(4) == 0 { // the student holds still
				for range 15 {
					d.now = d.now.Add(90 * time.Millisecond)
					d.say(LiveUpdate{Session: d.id(), Live: LiveView{Ready: true}})
				}
			}
			d.now = d.now.Add(time.Duration(rng.IntN(2500)) * time.Millisecond)
			idle := pinIdle
			if unlocked.Role != "" {
				idle = 20 * time.Second
			}
			if opening != 0 && !d.now.Before(lastTouch.Add(idle)) {
				closed()
			}
			d.say(Tick{})
		}
		who := unlocked
		if did != nil {
			d.do(did)
			lastTouch = d.now
			switch did.(type) {
			case OpenOperator:
				if opening == 0 && before != Locked {
					opened++
					opening = opened
				}
			case CloseOperator:
				closed()
			case LockStation:
				if d.m.State() == Locked && before != Locked {
					locks++
					closed()
				}
			}
		}
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("step %d, %T in %s, staff %+v: %s", i, did, before, who, fmt.Sprintf(format, args...))
		}
		for _, e := range d.all {
			switch e := e.(type) {
			case CheckPIN:
				newest = e.Token
				pins[e.Token], tokenOf[e.Token] = e.PIN, opening
				ev := PINChecked{Token: e.Token, Query: e.PIN == ""}
				switch e.PIN {
				case "right-operator":
					ev.OK, ev.Staff = true, Staff{"li", RoleOperator}
				case "right-admin":
					ev.OK, ev.Staff = true, Staff{"wang", RoleAdmin}
				case "guess":
					ev.Wait = time.Duration(rng.IntN(3)) * time.Second
				}
				late = append(late, ev)
			case SavePayment:
				counts["payment"]++
				if who.Role == "" {
					fail("a payment was marked")
				}
				decided[session] += "payment " + e.Reason + ";"
			case Sync:
				if who.Role == "" {
					fail("synced")
				}
			case Calibrate:
				if who.Role == "" {
					fail("the backdrop was photographed")
				}
				owed = append(owed, CalibrationDone{Accepted: true})
			case Purge, Quit:
				counts["admin"]++
				if who.Role != RoleAdmin || session != "" {
					fail("%T", e)
				}
			case Audit:
				if e.Event == "override" {
					counts["override"]++
					if who.Role == "" || e.By != who {
						fail("%+v", e)
					}
					decided[session] += "override " + e.Detail + ";"
				}
				if e.Event == "station.unlocked" && e.By.Role == "" {
					fail("the station was unlocked by nobody")
				}
				if e.By.Role != "" && e.By != who && e.Event != "station.unlocked" && e.Event != "operator.opened" && e.Event != "operator.closed" {
					fail("%+v names somebody else", e)
				}
			case TakeShot:
				if opening != 0 {
					fail("a photo behind the operator page")
				}
				frame++
				lines := []CheckLine{{ID: "roll", Status: []string{"pass", "fail"}[rng.IntN(2)], Value: e.Session}}
				owed = append(owed, FrameTaken{Session: e.Session, Attempt: e.Attempt, Seq: frame}, PortraitDone{
					Session: e.Session, Attempt: e.Attempt, Seq: frame, Portrait: image.NewRGBA(image.Rect(0, 0, 1, 1)), Verdict: "pass", Checks: lines,
					Manual: []CheckLine{{ID: "clothes", Status: "manual"}},
				})
			case Lookup:
				r := rec(e.Session, "before_submit", []string{"unpaid", "paid", "paid"}[rng.IntN(3)])
				r.Capture = []string{"", "", "in_review"}[rng.IntN(3)]
				late = append(late, LookupDone{Session: e.Session, Token: e.Token, Records: []Record{r}})
			case EndSession:
				if opening != 0 && who.Role == "" {
					fail("a visit ended behind the PIN pad: %s", e.Reason)
				}
			case Seal:
				counts["seal"]++
				for _, o := range e.Overrides {
					if !strings.Contains(decided[e.Session], "override "+o.CheckID+": "+o.Reason) || o.By.Role == "" {
						fail("sealed with %+v; decided here: %q", o, decided[e.Session])
					}
				}
				if m := e.Marked; m != (Marked{}) && (m.By.Role == "" || !strings.Contains(decided[e.Session], "payment "+m.Reason)) {
					fail("sealed with %+v; decided here: %q", m, decided[e.Session])
				}
				if e.Operator != (Staff{}) && decided[e.Session] == "" && e.Operator.Role == "" {
					fail("sealed by %+v", e.Operator)
				}
				owed = append(owed, Sealed{Session: e.Session, PacketID: "P"})
			}
		}
		if len(late) > 24 {
			late = late[len(late)-24:]
		}
		switch d.m.State() {
		case Shot, Standardising, Sealing:
			if len(owed) == 0 {
				owed = slices.DeleteFunc(slices.Clone(late), func(ev Event) bool { _, pin := ev.(PINChecked); return pin })
			}
		}
		v := d.view()
		if (v.Operator != nil) != (opening != 0) || v.Operator != nil && v.Operator.Staff != unlocked {
			fail("the page shows %+v, the model has opening %d by %+v", v.Operator, opening, unlocked)
		}
		if opening != 0 && unlocked.Role == "" && (v.Operator.Status != nil || v.Operator.Failing != nil || v.Operator.Can != (Allowed{})) {
			fail("the PIN pad shows the page")
		}
		// Behind page or pad nothing moves by what a student presses.
		if _, isStaff := did.(Unlock); opening != 0 && did != nil && !isStaff && who.Role == "" && d.m.State() != before && before != Countdown {
			fail("moved to %s", d.m.State())
		}
		if before == Locked && d.m.State() != Locked && !slices.ContainsFunc(d.all, func(e Effect) bool { a, ok := e.(Audit); return ok && a.Event == "station.unlocked" }) {
			fail("left the lock screen unrecorded")
		}
	}
	t.Logf("%v, %d openings, %d locks, %d PINs", counts, opened, locks, len(pins))
	for what, least := range map[string]int{"unlocked": 1000, "payment": 100, "override": 100, "admin": 20, "seal": 200} {
		if counts[what] < least*steps/1_500_000 {
			t.Errorf("%s: only %d times; the walk does not get far enough to prove anything", what, counts[what])
		}
	}
	if locks == 0 {
		t.Error("the station was never locked")
	}
}
