package booth

import (
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

// desk drives a machine the way a booth does and keeps what it asked for.
type desk struct {
	t    *testing.T
	m    *Machine
	now  time.Time
	all  []Effect
	last []Effect
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	n := 0
	m, err := New(Config{
		NewID: func() string { n++; return fmt.Sprintf("S%03d", n) },
		Check: func(doc DocType, raw string) (bool, *Text) {
			if strings.HasPrefix(raw, "9") {
				return false, &Text{"号码有误", "wrong number"}
			}
			return len(raw) >= 4, nil
		},
		Auto: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &desk{t: t, m: m, now: t0}
}

func (d *desk) do(in Intent) *desk   { d.keep(d.m.Do(d.now, in)); return d }
func (d *desk) say(ev Event) *desk   { d.keep(d.m.Report(d.now, ev)); return d }
func (d *desk) keep(e []Effect)      { d.last = e; d.all = append(d.all, e...) }
func (d *desk) view() View           { return d.m.View() }
func (d *desk) id() string           { return d.m.Session() }
func (d *desk) pass(t time.Duration) { d.now = d.now.Add(t); d.say(Tick{}) }

func (d *desk) want(s State) *desk {
	d.t.Helper()
	if d.m.State() != s {
		d.t.Fatalf("state %s, want %s", d.m.State(), s)
	}
	return d
}

func sent[E Effect](d *desk) (E, bool) {
	for i := len(d.all) - 1; i >= 0; i-- {
		if e, ok := d.all[i].(E); ok {
			return e, true
		}
	}
	var zero E
	return zero, false
}

func rec(ref, policy, payment string) Record {
	return Record{
		Ref: ref, BatchID: "b1", Name: "演示学生", NameMasked: "演**生", Number: "1101 0519 4912 3100 2X",
		NumMasked: "1101**********002X", Payment: payment, Service: ServiceView{Policy: policy, PriceFen: 2500},
		Consent: ConsentView{Version: "v1"}, Spec: "chsi",
	}
}

func (d *desk) identify(r ...Record) *desk {
	d.do(Start{}).want(Identify)
	for _, k := range "1234" {
		d.do(Key{k})
	}
	d.do(Submit{})
	l, ok := sent[Lookup](d)
	if !ok || l.Session != d.id() {
		d.t.Fatalf("no lookup for this session: %+v", l)
	}
	return d.say(LookupDone{Session: l.Session, Token: l.Token, Records: r})
}

func (d *desk) toReview(checks ...CheckLine) *desk {
	d.do(Continue{}).want(Consent).do(Continue{}).want(Guide).do(Continue{}).want(Framing).do(Shutter{}).want(Countdown)
	d.pass(3 * time.Second)
	d.want(Shot)
	shot, _ := sent[TakeShot](d)
	d.say(FrameTaken{Session: d.id(), Attempt: shot.Attempt, Seq: 77}).want(Standardising)
	return d.say(PortraitDone{Session: d.id(), Attempt: shot.Attempt, Seq: 77, Portrait: image.NewRGBA(image.Rect(0, 0, 2, 2)), Verdict: "pass", Checks: checks}).want(Review)
}

func TestWholeVisit(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("r1", "before_submit", "unpaid")).want(Eligible)
	if v := d.view(); v.Student == nil || v.Student.NameFull != "" || v.Student.NumberFull != "" {
		t.Fatalf("full name or number shown without a held reveal: %+v", v.Student)
	}
	if v := d.do(Reveal{Held: true}).view(); v.Student.NameFull != "演示学生" {
		t.Fatal("held reveal does not reveal")
	}
	if v := d.do(Reveal{}).view(); v.Student.NameFull != "" {
		t.Fatal("reveal outlives the finger")
	}
	d.toReview().do(Accept{}).want(Confirm)
	if seq := d.view().Shot.Seq; seq != 77 {
		t.Fatalf("seq %d, want the frame that was taken", seq)
	}
	d.do(ConfirmSubmit{}).want(Confirm)
	if !d.view().Payment.Blocked || d.view().Toast == nil {
		t.Fatal("an unpaid fee must hold the submit and say so")
	}
	d.say(PaymentUpdate{BatchID: "b1", Ref: "r1", State: "paid"})
	d.do(ConfirmSubmit{}).want(Sealing)
	seal, _ := sent[Seal](d)
	if seal.Record.Ref != "r1" || seal.Payment != "paid" || seal.Consent != "v1" {
		t.Fatalf("seal %+v", seal)
	}
	if d.view().Saved != nil {
		t.Fatal("saved is shown before the packet is durable")
	}
	d.do(Abandon{}).want(Sealing)
	d.say(Sealed{Session: d.id(), PacketID: "P1", Seq: 1, At: d.now}).want(Done)
	if d.view().Saved == nil {
		t.Fatal("saved is not shown")
	}
	s := d.id()
	d.do(NextStudent{}).want(Idle)
	end, _ := sent[EndSession](d)
	if end.Session != s || end.Reason != "done" {
		t.Fatalf("end %+v", end)
	}
	if v := d.view(); v.Student != nil || v.Shot != nil || v.Claim != (ClaimView{}) || v.SessionID != "" {
		t.Fatalf("something of the student stays on the screen: %+v", v)
	}
}

func TestSealFailureKeepsTheStudent(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("r1", "none", "none")).toReview().do(Accept{}).do(ConfirmSubmit{}).want(Sealing)
	d.say(SealFailed{Session: d.id(), Problem: Text{"磁盘已满", "disk full"}}).want(Confirm)
	f := d.view().Fault
	if f == nil || f.Code != "seal-failed" || f.Safe.ZH == "" || f.Action.ZH == "" {
		t.Fatalf("fault %+v", f)
	}
	d.do(FaultAction{Code: "seal-failed"}).want(Sealing)
}

func TestGates(t *testing.T) {
	for _, c := range []struct {
		policy, payment string
		framing, seal   bool
	}{
		{"none", "none", true, true},
		{"later", "unpaid", true, true},
		{"before_capture", "unpaid", false, false},
		{"before_capture", "paid", true, true},
		{"before_capture", "deferred", true, true},
		{"before_submit", "unpaid", true, false},
		{"before_submit", "refunded", true, false},
		{"before_submit", "waived", true, true},
	} {
		t.Run(c.policy+"/"+c.payment, func(t *testing.T) {
			d := newDesk(t)
			d.identify(rec("r", c.policy, c.payment)).do(Continue{}).do(Continue{}).do(Continue{})
			if got := d.m.State() == Framing; got != c.framing {
				t.Fatalf("framing %v, want %v", got, c.framing)
			}
			if !c.framing {
				return
			}
			d.do(Back{}).do(Back{}).do(Back{}).toReview().do(Accept{}).do(ConfirmSubmit{})
			if got := d.m.State() == Sealing; got != c.seal {
				t.Fatalf("sealing %v, want %v", got, c.seal)
			}
		})
	}
}

func TestAlreadyCaptured(t *testing.T) {
	for _, c := range []struct {
		capture        string
		open, override bool
	}{{"", true, true}, {"rejected", true, true}, {"captured", false, true}, {"in_review", false, true}, {"approved", false, false}} {
		t.Run(c.capture, func(t *testing.T) {
			r := rec("r", "none", "none")
			r.Capture = c.capture
			d := newDesk(t)
			d.identify(r).do(Continue{})
			if got := d.m.State() == Consent; got != c.open {
				t.Fatalf("open %v, want %v", got, c.open)
			}
			if !c.open {
				d.do(Override{CheckID: CheckCaptured, Reason: "change_request"})
				d.want(Eligible) // nobody has unlocked anything
				d.staff(RoleOperator)
				if can := d.view().Operator.Can.Captured; can != c.override {
					t.Errorf("offered: %v, want %v", can, c.override)
				}
				d.do(Override{CheckID: CheckCaptured})
				d.do(Override{CheckID: CheckCaptured, Reason: "because"})
				d.want(Eligible) // without a reason from the list nothing happens
				d.do(Override{CheckID: CheckCaptured, Reason: "change_request"})
				if got := d.m.State() == Consent; got != c.override {
					t.Fatalf("override %v, want %v", got, c.override)
				}
			}
		})
	}
}

func TestReviewRefusesFailingPhoto(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("r", "none", "none")).toReview(CheckLine{ID: "roll", Status: "fail"})
	d.do(Accept{}).want(Review)
	d.do(Override{CheckID: "roll", Reason: "medical"}).do(Accept{}).want(Review) // no student lets a check through
	d.staff(RoleOperator)
	d.do(Override{CheckID: "yaw", Reason: "medical"}).do(Override{CheckID: "roll", Reason: "x"})
	if v := d.view(); v.Shot.CanAccept {
		t.Fatal("another check, or a reason not on the list, let it through")
	}
	d.do(Override{CheckID: "roll", Reason: "medical"}).do(CloseOperator{}).do(Accept{}).want(Confirm)
	d.do(Back{}).do(Retake{}).want(Framing).do(Shutter{})
	d.pass(3 * time.Second)
	d.say(PortraitDone{Session: d.id(), Attempt: 2, Portrait: image.NewRGBA(image.Rect(0, 0, 1, 1)), Verdict: "fail", Checks: []CheckLine{{ID: "roll", Status: "fail"}}}).want(Review)
	d.do(Accept{}).want(Review) // an override belongs to one shot
}

func TestManualQuestionGatesAccept(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("r", "none", "none")).do(Continue{}).do(Continue{}).do(Continue{}).do(Shutter{})
	d.pass(3 * time.Second)
	d.say(PortraitDone{Session: d.id(), Attempt: 1, Portrait: image.NewRGBA(image.Rect(0, 0, 1, 1)), Verdict: "warn", Manual: []CheckLine{{ID: "headwear", Status: "manual"}}})
	d.do(Accept{}).want(Review)
	d.do(ManualAnswer{OK: true}).do(Accept{}).want(Confirm)
}

func TestTimeouts(t *testing.T) {
	d := newDesk(t)
	d.do(Start{}).want(Identify)
	d.pass(DefaultTiming.Identify - time.Second)
	d.want(Identify)
	if !d.view().Warning {
		t.Fatal("no visible timer before the time-out")
	}
	d.do(Key{'1'}) // a touch restarts the patience
	d.pass(DefaultTiming.Identify - time.Second)
	d.want(Identify)
	d.pass(time.Second)
	d.want(Idle)

	d.identify(rec("r", "none", "none")).want(Eligible)
	d.pass(DefaultTiming.Read)
	d.want(Abandoned)
	if v := d.view(); v.Student != nil || v.SessionID != "" {
		t.Fatal("the abandoned screen still knows the student")
	}
	d.pass(DefaultTiming.Farewell)
	d.want(Idle)
}

func TestStaleTimerAndAnswersOfAnEarlierStudent(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("old", "none", "none")).toReview()
	old := d.id()
	d.do(NotMe{}).want(Identify)
	if d.id() == old {
		t.Fatal("not-me keeps the session id")
	}
	for _, ev := range []Event{
		PortraitDone{Session: old, Attempt: 1, Portrait: image.NewRGBA(image.Rect(0, 0, 1, 1))},
		LookupDone{Session: old, Token: 1, Records: []Record{rec("old", "none", "none")}},
		ClaimUpdate{Session: old, Claim: ClaimView{URL: "x"}},
		Sealed{Session: old},
		SealFailed{Session: old},
		FrameTaken{Session: old, Attempt: 1},
	} {
		d.say(ev).want(Identify)
		if v := d.view(); v.Student != nil || v.Shot != nil || v.Claim.URL != "" {
			t.Fatalf("%T of the earlier student arrived: %+v", ev, v)
		}
	}
	// An answer for a number that was changed meanwhile is dropped too.
	for _, k := range "1234" {
		d.do(Key{k})
	}
	d.do(Submit{})
	l, _ := sent[Lookup](d)
	d.do(Key{'5'}).say(LookupDone{Session: d.id(), Token: l.Token, Records: []Record{rec("r", "none", "none")}}).want(Identify)
}

func TestCameraFaultStopsCountdownAndComesBack(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("r", "none", "none")).do(Continue{}).do(Continue{}).do(Continue{}).do(Shutter{}).want(Countdown)
	d.say(CameraChanged{Problem: Text{"拔出", "unplugged"}}).want(Framing)
	if f := d.view().Fault; f == nil || f.Code != "camera" {
		t.Fatalf("fault %+v", f)
	}
	d.do(Shutter{}).want(Framing)
	d.say(CameraChanged{Working: true})
	if d.view().Fault != nil {
		t.Fatal("fault stays after the camera came back")
	}
	d.do(Shutter{}).want(Countdown)
}

func TestGuardClosesTheDoorOnlyToNewSessions(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("r", "none", "none")).want(Eligible)
	d.say(GuardChanged{Fault: &Fault{Code: "disk-low"}})
	d.do(Continue{}).want(Consent)
	d.do(Abandon{}).do(Continue{}).want(Idle).do(Start{}).want(Idle)
	if d.view().Fault == nil {
		t.Fatal("the closed door says nothing")
	}
	d.do(Wedge{Text: "1234"}).want(Idle)
	d.say(GuardChanged{}).do(Start{}).want(Identify)
}

func TestNextStudentWaitsInLine(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("a", "none", "none")).toReview()
	first := d.id()
	d.do(Wedge{Text: "440524188001010014"}).want(Review)
	l, _ := sent[Lookup](d)
	d.say(LookupDone{Session: first, Token: l.Token, Records: []Record{rec("b", "none", "none")}}).want(Review)
	if d.view().Next == nil {
		t.Fatal("the next student is not shown to the desk")
	}
	d.do(Accept{}).do(ConfirmSubmit{}).say(Sealed{Session: first, PacketID: "P"}).do(NextStudent{}).want(Eligible)
	claim, _ := sent[StartClaim](d)
	if claim.Record.Ref != "b" || claim.Session == first {
		t.Fatalf("claim %+v", claim)
	}
}

func TestSeveralRecordsAreChosenFrom(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("a", "none", "none"), rec("b", "none", "none")).want(Eligible)
	if v := d.view(); len(v.Candidates) != 2 || v.Student != nil {
		t.Fatalf("view %+v", v)
	}
	d.do(Continue{}).want(Eligible).do(Choose{Index: 5}).do(Choose{Index: 1})
	if c, _ := sent[StartClaim](d); c.Record.Ref != "b" {
		t.Fatalf("chose %q", c.Record.Ref)
	}
}

func TestResidentNumberTakesXOnlyLast(t *testing.T) {
	d := newDesk(t)
	d.do(Start{})
	for _, k := range "1x2" {
		d.do(Key{k})
	}
	if got := d.view().Identify.Raw; got != "12" {
		t.Fatalf("raw %q", got)
	}
	for range 20 {
		d.do(Key{'3'})
	}
	d.do(Key{'\b'}).do(Key{'x'})
	if got := d.view().Identify.Raw; len(got) != 18 || got[17] != 'X' {
		t.Fatalf("raw %q", got)
	}
}

// TestNoStudentReachesAnother walks the machine at random, with every answer
// held back and delivered late, twice or never, and asserts that what is on
// screen and what is sealed always belongs to the student who was looked up in
// the session under way.
func TestNoStudentReachesAnother(t *testing.T) {
	steps, seed := 200_000, uint64(1)
	if testing.Short() {
		steps = 20_000
	}
	// The long form: make walk.
	if n, err := strconv.Atoi(os.Getenv("YUNZHAO_WALK")); err == nil {
		steps = n
	}
	if n, err := strconv.ParseUint(os.Getenv("YUNZHAO_SEED"), 10, 64); err == nil {
		seed = n
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	d := newDesk(t)
	d.m.cfg.ScanCamera = true
	owner := map[string]string{} // session → ref looked up first in it
	var late []Event
	people := 0
	// Going on is likely and giving up is rare, so that the walk gets as far as
	// shots and seals thousands of times.
	onward := []Intent{Start{}, UseCamera{On: true}, Wedge{Text: "5678"}, Continue{}, Shutter{}, Accept{}, ConfirmSubmit{}, NextStudent{}}
	aside := []Intent{
		Abandon{},
		NotMe{},
		Back{},
		Retake{},
		Submit{},
		Choose{},
		Reveal{Held: true},
		Key{'1'},
		Key{'2'},
		Key{'\b'},
		ToggleLang{},
		ManualAnswer{OK: true},
		Decline{},
		FlagInfo{},
		FaultAction{Code: "seal-failed"},
		PaymentMark{State: "waived", Reason: "hardship"},
		OpenOperator{},
		CloseOperator{},
		SetAuto{On: true},
		SetAuto{},
		Cover{On: true},
		Cover{},
		UseCamera{},
	}
	scans := 0
	shots, seals, byThemselves, picks := 0, 0, 0, 0
	frame := uint64(0)
	frames := map[uint64]string{} // frame → session that it was taken in
	fees := map[string]string{}   // session → what is owed before the shot
	for i := range steps {
		d.all = d.all[:0]
		if d.m.state == Identify && d.m.scan.on && rng.IntN(2) == 0 { // a card is read, now or when it is too late
			late = append(late, Scanned{Session: d.id(), Number: "11010519491231002X", Name: d.id()}, Scanning{Session: d.id(), Hint: ScanHold})
		}
		switch n := rng.IntN(25); {
		case n == 23 && rng.IntN(4) == 0:
			d.say(GuardChanged{Fault: []*Fault{nil, nil, nil, {Code: "disk"}}[rng.IntN(4)]})
		case n >= 23:
			if id := d.id(); id != "" && rng.IntN(8) == 0 {
				late = append(late, ProofJudged{Session: id, OK: true, Evidence: "receipt"})
			}
		case n < 7:
			d.do(onward[rng.IntN(len(onward))])
		case n < 8:
			d.do(aside[rng.IntN(len(aside))])
		case n < 17 && len(late) > 0:
			k := rng.IntN(len(late))
			if rng.IntN(2) == 0 {
				k = len(late) - 1
			}
			d.say(late[k]) // kept: it may come again
		case n < 19:
			d.pass(time.Duration(rng.IntN(4000)) * time.Millisecond)
		case n < 20:
			d.say(CameraChanged{Working: rng.IntN(4) > 0})
		case n < 21: // the student holds still, or does not
			for range 1 + rng.IntN(60) {
				d.now = d.now.Add(90 * time.Millisecond)
				d.say(LiveUpdate{Session: d.id(), Live: LiveView{Ready: rng.IntN(100) > 0}})
				d.say(Tick{})
			}
		case n < 22:
			for range 4 {
				d.do(Pick{Seq: frame - uint64(rng.IntN(4))})
			}
		case d.m.record != nil:
			state := []string{"paid", "waived", "paid", "unpaid", "refunded"}[rng.IntN(5)]
			d.say(PaymentUpdate{BatchID: "b1", Ref: d.m.record.Ref, State: state})
			fees[d.id()] = state
		}
		for _, e := range d.all {
			switch e := e.(type) {
			case Lookup:
				people++
				if e.Name != "" {
					scans++
					if e.Name != e.Session || e.Session != d.id() {
						t.Fatalf("step %d: the card of %s is looked up in %s", i, e.Name, e.Session)
					}
				}
				ref := fmt.Sprintf("%s/%d", e.Session, people)
				r := rec(ref, []string{"none", "before_capture"}[rng.IntN(2)], "paid")
				r.NameMasked = e.Session
				late = append(late, LookupDone{Session: e.Session, Token: e.Token, Records: []Record{r}})
			case StartClaim:
				if prev, ok := owner[e.Session]; ok && prev != e.Record.Ref {
					t.Fatalf("step %d: session %s changed from %s to %s", i, e.Session, prev, e.Record.Ref)
				}
				owner[e.Session] = e.Record.Ref
				late = append(late, ClaimUpdate{Session: e.Session, Claim: ClaimView{URL: e.Session}})
			case TakeShot:
				shots++
				if d.m.capture.auto {
					byThemselves++
				}
				if !d.m.consented || d.m.unpaid("before_capture") || d.m.cameraDown != nil || e.Session != d.id() {
					t.Fatalf("step %d: a photo of %s in %s: consent %v, fee %q", i, e.Session, d.id(), d.m.consented, fees[e.Session])
				}
				frame += 3
				var burst []BurstView
				for seq := frame - 2; seq <= frame; seq++ {
					frames[seq] = e.Session
					burst = append(burst, BurstView{Seq: seq})
				}
				late = append(late, PortraitDone{Session: e.Session, Attempt: e.Attempt, Seq: frame - 1, Portrait: image.NewRGBA(image.Rect(0, 0, 1, 1)), Verdict: e.Session},
					FrameTaken{Session: e.Session, Attempt: e.Attempt, Seq: frame - 1, Burst: burst})
			case Develop:
				picks++
				if e.Session != d.id() || frames[e.Seq] != e.Session || e.Seq != d.m.shot.Picking {
					t.Fatalf("step %d: frame %d of %s is developed in %s", i, e.Seq, frames[e.Seq], e.Session)
				}
				late = append(late, PortraitDone{Session: e.Session, Attempt: e.Attempt, Seq: e.Seq, Portrait: image.NewRGBA(image.Rect(0, 0, 1, 1)), Verdict: e.Session})
			case Seal:
				seals++
				if frames[e.Seq] != e.Session || e.Seq != d.m.shot.Seq {
					t.Fatalf("step %d: sealing frame %d of %s in session %s", i, e.Seq, frames[e.Seq], e.Session)
				}
				if owner[e.Session] != e.Record.Ref || e.Session != d.id() {
					t.Fatalf("step %d: sealing %s in session %s of %s", i, e.Record.Ref, e.Session, owner[e.Session])
				}
				if rng.IntN(2) == 0 {
					late = append(late, Sealed{Session: e.Session, PacketID: e.Session})
				} else {
					late = append(late, SealFailed{Session: e.Session})
				}
			}
		}
		if len(late) > 24 {
			// A machine that seals waits for nothing else: its answer may be late,
			// not lost.
			k := slices.IndexFunc(late, func(ev Event) bool {
				switch ev := ev.(type) {
				case Sealed:
					return ev.Session != d.id()
				case SealFailed:
					return ev.Session != d.id()
				}
				return true
			})
			late = slices.Delete(late, max(k, 0), max(k, 0)+1)
		}
		v := d.view()
		if v.Claim.URL != "" && v.Claim.URL != v.SessionID {
			t.Fatalf("step %d: QR of %s in session %s", i, v.Claim.URL, v.SessionID)
		}
		if v.Shot != nil && v.Shot.Verdict != "" && v.Shot.Verdict != v.SessionID {
			t.Fatalf("step %d: photo of %s in session %s", i, v.Shot.Verdict, v.SessionID)
		}
		if v.Saved != nil && v.Saved.PacketID != v.SessionID {
			t.Fatalf("step %d: saved %s in session %s", i, v.Saved.PacketID, v.SessionID)
		}
		if v.Shot != nil {
			for _, b := range v.Shot.Burst {
				if frames[b.Seq] != v.SessionID {
					t.Fatalf("step %d: frame %d of %s in session %s", i, b.Seq, frames[b.Seq], v.SessionID)
				}
			}
		}
		if v.State != Identify && v.Identify.Scan.On {
			t.Fatalf("step %d: the camera reads cards in %s", i, v.State)
		}
		if (v.State == Idle || v.State == Abandoned) && (v.Student != nil || v.Shot != nil || v.SessionID != "") {
			t.Fatalf("step %d: %s still shows a student", i, v.State)
		}
	}
	t.Logf("%d steps, %d cards read, %d lookups, %d identified students, %d shots, %d of them by themselves, %d picks, %d seals", steps, scans, people, len(owner), shots, byThemselves, picks, seals)
	if scans < steps/5000 || len(owner) < steps/1000 || shots < steps/1000 || byThemselves < steps/5000 || picks < steps/5000 || seals < steps/2000 {
		t.Fatal("the walk does not get far enough to prove anything")
	}
}

func TestCountdownTicksEachSecond(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("r", "none", "none")).do(Continue{}).do(Continue{}).do(Continue{}).do(Shutter{})
	for want := 3; want > 0; want-- {
		if got := d.view().Countdown; got != want {
			t.Fatalf("countdown %d, want %d", got, want)
		}
		next := d.m.NextTick()
		if gap := next.Sub(d.now); gap <= 0 || gap > time.Second {
			t.Fatalf("next tick in %v", gap)
		}
		d.pass(next.Sub(d.now))
	}
	d.want(Shot)
}

func TestNewRefusesMissingParts(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Fatal("accepted")
	}
}

func TestCountdownEndsWhateverElseIsReported(t *testing.T) {
	d := newDesk(t)
	d.identify(rec("r1", "none", "none"))
	d.do(Continue{}).do(Continue{}).do(Continue{}).want(Framing).do(Shutter{}).want(Countdown)
	// Live checks come ten times a second, one of them just before the tick.
	d.now = d.now.Add(3*time.Second + time.Millisecond)
	for range 5 {
		d.say(LiveUpdate{Session: d.id(), Live: LiveView{Ready: true}})
		if next := d.m.NextTick(); next.IsZero() || next.After(d.now) {
			t.Fatalf("the tick that is due waits until %v, it is %v", next, d.now)
		}
		d.now = d.now.Add(90 * time.Millisecond)
	}
	d.say(Tick{}).want(Shot)
}
