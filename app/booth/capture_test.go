package booth

import (
	"image"
	"strings"
	"testing"
	"time"
)

// frameEvery is the pace of the live checks.
const frameEvery = 90 * time.Millisecond

// live lets d pass, with live checks that all say l.
func (d *desk) live(l LiveView, pass time.Duration) *desk {
	for end := d.now.Add(pass); d.now.Before(end); {
		// The machine is ticked when it asks to be, the checks come at their pace.
		next := d.now.Add(frameEvery)
		if at := d.m.NextTick(); !at.IsZero() && at.Before(next) {
			d.now = maxTime(at, d.now)
			d.say(Tick{})
			continue
		}
		d.now = next
		d.say(LiveUpdate{Session: d.id(), Live: l})
	}
	return d
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

var (
	allHold = LiveView{Ready: true, Level: OK, Icon: "ok", Hint: Text{"很好", "Very good"}}
	turned  = LiveView{Level: Bad, Icon: "eye", Hint: Text{"很好", "Very good"}, Broken: Text{"请把头向左转一点", "Turn your head a little to the left"}}
	nobody  = LiveView{Level: Bad, Icon: "person", Hint: Text{"没有看到人", "Nobody is to be seen"}}
	crowd   = LiveView{Level: Bad, Icon: "person", Broken: Text{"画面里只能有一个人", "Only one person, please"}}
)

// seated is a desk with a student before the mirror.
func seated(t *testing.T, policy, payment string) *desk {
	t.Helper()
	d := newDesk(t)
	d.identify(rec("r", policy, payment)).do(Continue{}).do(Continue{}).do(Continue{}).want(Framing)
	return d
}

func (d *desk) shots() int {
	n := 0
	for _, e := range d.all {
		if _, ok := e.(TakeShot); ok {
			n++
		}
	}
	return n
}

func TestThePhotoTakesItself(t *testing.T) {
	d := seated(t, "none", "none")
	d.live(turned, 5*time.Second).want(Framing)
	d.live(allHold, 900*time.Millisecond).want(Framing)
	if v := d.view().Capture; !v.Offered || !v.Auto || v.Held < .7 || v.Held > 1 || v.ByItself || v.Lens != LensAbove {
		t.Errorf("before it starts: %+v", v)
	}
	d.live(allHold, 300*time.Millisecond).want(Countdown)
	if v := d.view(); !v.Capture.ByItself || v.Countdown != 3 {
		t.Errorf("countdown %d, %+v", v.Countdown, v.Capture)
	}
	d.live(allHold, 2700*time.Millisecond).want(Countdown)
	if d.shots() != 0 {
		t.Fatal("taken before the countdown is over")
	}
	d.live(allHold, 300*time.Millisecond).want(Shot)
	if d.shots() != 1 {
		t.Fatalf("%d shots", d.shots())
	}
	if a, _ := sent[Audit](d); a.Event != "shot.taken" || a.Detail != "auto" {
		t.Errorf("audit %+v", a)
	}
}

func TestALiveCheckMustHoldWithoutAGap(t *testing.T) {
	for name, interrupt := range map[string]func(d *desk){
		"a check breaks":      func(d *desk) { d.live(turned, frameEvery) },
		"nobody there":        func(d *desk) { d.live(nobody, frameEvery) },
		"no checks arrive":    func(d *desk) { d.pass(1200 * time.Millisecond) },
		"the camera goes":     func(d *desk) { d.say(CameraChanged{}).say(CameraChanged{Working: true}) },
		"a question covers":   func(d *desk) { d.do(Cover{On: true}).do(Cover{}) },
		"by hand and back":    func(d *desk) { d.do(SetAuto{}).do(SetAuto{On: true}) },
		"the guide once more": func(d *desk) { d.do(Back{}).do(Continue{}) },
	} {
		t.Run(name, func(t *testing.T) {
			d := seated(t, "none", "none")
			d.live(allHold, 900*time.Millisecond).want(Framing)
			interrupt(d)
			d.want(Framing)
			d.live(allHold, 900*time.Millisecond).want(Framing) // the second begins anew
			d.live(allHold, 400*time.Millisecond).want(Countdown)
		})
	}
}

// Whatever breaks at whatever moment of the countdown stops it, says what to do
// and lets it begin again.
func TestTheCountdownStopsAndExplains(t *testing.T) {
	for name, c := range map[string]struct {
		broken LiveView
		say    string
	}{
		"head turned":   {turned, "请把头向左转一点"},
		"face lost":     {nobody, "没有看到人"},
		"second person": {crowd, "只能有一个人"},
		"no reason":     {LiveView{}, "保持不动"},
	} {
		t.Run(name, func(t *testing.T) {
			for at := frameEvery; at < 3*time.Second; at += 2 * frameEvery {
				d := seated(t, "none", "none")
				d.live(allHold, 1200*time.Millisecond).want(Countdown)
				d.live(allHold, at)
				if d.m.State() != Countdown {
					break // it was over by then
				}
				d.live(c.broken, frameEvery).want(Framing)
				v := d.view().Capture
				if v.Stopped == nil || !strings.Contains(v.Stopped.ZH, c.say) || v.Stopped.EN == "" || v.ByItself {
					t.Fatalf("broken after %v: %+v", at, v.Stopped)
				}
				d.live(c.broken, 5*time.Second).want(Framing)
				if d.view().Capture.Stopped != nil {
					t.Fatal("the old reason stays for ever")
				}
				d.live(allHold, 1200*time.Millisecond).want(Countdown)
				if d.view().Capture.Stopped != nil {
					t.Fatal("the reason stays during the next countdown")
				}
				if d.live(allHold, 3200*time.Millisecond).want(Shot); d.shots() != 1 {
					t.Fatalf("%d shots", d.shots())
				}
			}
		})
	}
}

func TestTheReasonGoesWithTheNextCountdown(t *testing.T) {
	d := seated(t, "none", "none")
	d.live(allHold, 1200*time.Millisecond).live(turned, 200*time.Millisecond).want(Framing)
	if d.view().Capture.Stopped == nil {
		t.Fatal("no reason")
	}
	if d.live(allHold, 1200*time.Millisecond).want(Countdown); d.view().Capture.Stopped != nil {
		t.Error("the reason of the countdown before stays on the screen")
	}
}

func TestACountdownThatSeesNothingStops(t *testing.T) {
	d := seated(t, "none", "none")
	d.live(allHold, 1200*time.Millisecond).want(Countdown)
	for range 20 { // only the machine's own ticks from now on
		at := d.m.NextTick()
		if at.IsZero() || d.m.State() != Countdown {
			break
		}
		d.now = maxTime(at, d.now)
		d.say(Tick{})
	}
	d.want(Framing)
	if d.shots() != 0 || d.view().Capture.Stopped == nil {
		t.Errorf("%d shots of somebody who was not looked at, %+v", d.shots(), d.view().Capture)
	}
}

func TestACountdownByHandIsNotStoppedByTheChecks(t *testing.T) {
	d := seated(t, "none", "none")
	d.live(turned, time.Second).do(Shutter{}).want(Countdown)
	d.live(turned, 1500*time.Millisecond).want(Countdown)
	if d.live(nobody, 1700*time.Millisecond).want(Shot); d.view().Capture.ByItself {
		t.Error("taken by itself")
	}
	if a, _ := sent[Audit](d); a.Detail != "hand" {
		t.Errorf("audit %+v", a)
	}
}

func TestTheShutterDuringACountdown(t *testing.T) {
	for name, start := range map[string]func(d *desk){
		"by itself": func(d *desk) { d.live(allHold, 1200*time.Millisecond) },
		"by hand":   func(d *desk) { d.live(turned, time.Second).do(Shutter{}) },
	} {
		t.Run(name, func(t *testing.T) {
			d := seated(t, "none", "none")
			start(d)
			d.want(Countdown)
			began := d.m.capture.began
			for d.now.Sub(began) < 500*time.Millisecond {
				d.do(Shutter{}).want(Countdown) // a pedal that bounces
				d.live(allHold, frameEvery)
			}
			d.live(allHold, 300*time.Millisecond).do(Shutter{}).want(Shot)
			if d.shots() != 1 {
				t.Errorf("%d shots", d.shots())
			}
		})
	}
}

func TestWhoStopsTheCountdownPressesHimself(t *testing.T) {
	d := seated(t, "none", "none")
	d.live(allHold, 1200*time.Millisecond).want(Countdown).do(Back{}).want(Framing)
	if v := d.view().Capture; v.Auto || !v.Offered || v.Stopped == nil {
		t.Errorf("%+v", v)
	}
	d.live(allHold, 20*time.Second).want(Framing)
	d.do(SetAuto{On: true}).live(allHold, 1200*time.Millisecond).want(Countdown)
	// "我自己按" during the countdown stops it as well.
	d.do(SetAuto{}).want(Framing).live(allHold, 20*time.Second).want(Framing)
	d.do(Shutter{}).want(Countdown).live(allHold, 3200*time.Millisecond).want(Shot)
	// The choice is the student's for all shots, and nobody else's.
	shot, _ := sent[TakeShot](d)
	d.say(PortraitDone{Session: d.id(), Attempt: shot.Attempt, Problem: &Text{"x", "x"}}).want(Review)
	d.do(Retake{}).want(Framing).live(allHold, 20*time.Second).want(Framing)
	d.do(NotMe{}).identify2(rec("s", "none", "none")).live(allHold, 1200*time.Millisecond).want(Countdown)
}

// identify2 is identify for a visit that has begun.
func (d *desk) identify2(r Record) *desk {
	d.want(Identify)
	for _, k := range "1234" {
		d.do(Key{k})
	}
	d.do(Submit{})
	l, _ := sent[Lookup](d)
	return d.say(LookupDone{Session: l.Session, Token: l.Token, Records: []Record{r}}).do(Continue{}).do(Continue{}).do(Continue{}).want(Framing)
}

func TestNothingStartsByItselfWhereTheStationDoesNot(t *testing.T) {
	d := seated(t, "none", "none")
	d.m.cfg.Auto = false
	d.do(SetAuto{On: true}).live(allHold, 20*time.Second).want(Framing)
	if v := d.view().Capture; v.Offered || v.Auto || v.Held != 0 {
		t.Errorf("%+v", v)
	}
	d.do(Shutter{}).want(Countdown).do(Back{}).want(Framing)
	if v := d.view().Capture; v.Stopped != nil {
		t.Errorf("the automatic that is not there is explained: %+v", v.Stopped)
	}
}

func TestAQuestionOverTheMirrorStopsEverything(t *testing.T) {
	d := seated(t, "none", "none")
	d.do(Cover{On: true}).live(allHold, 20*time.Second).want(Framing)
	if d.view().Capture.Held != 0 {
		t.Error("the time goes on behind the question")
	}
	d.do(Cover{}).live(allHold, 1200*time.Millisecond).want(Countdown)
	d.do(Cover{On: true}).want(Framing).live(allHold, 20*time.Second).want(Framing)
	// It may be taken away together with the screen that it covered.
	d.do(Back{}).want(Guide).do(Continue{}).want(Framing).live(allHold, 1200*time.Millisecond).want(Countdown)
}

func TestNothingStartsBehindThePageOfTheStaff(t *testing.T) {
	d := seated(t, "none", "none")
	d.live(allHold, 900*time.Millisecond).staff(RoleOperator).live(allHold, 20*time.Second).want(Framing)
	d.do(CloseOperator{}).live(allHold, 900*time.Millisecond).want(Framing) // the second begins anew
	d.live(allHold, 300*time.Millisecond).want(Countdown).do(OpenOperator{}).want(Framing)
	d.live(allHold, 20*time.Second).want(Framing)
	if d.shots() != 0 {
		t.Error("photographed behind the page of the staff")
	}
}

func TestNoPhotoBeforeThePayment(t *testing.T) {
	for _, c := range []struct {
		policy, state string
		stops         bool
	}{
		{"before_capture", "unpaid", true},
		{"before_capture", "refunded", true},
		{"before_capture", "paid", false},
		{"before_submit", "unpaid", false},
		{"later", "unpaid", false},
	} {
		t.Run(c.policy+"/"+c.state, func(t *testing.T) {
			d := seated(t, c.policy, "paid")
			d.say(PaymentUpdate{BatchID: "b1", Ref: "r", State: c.state}).live(allHold, 1200*time.Millisecond)
			if got := d.m.State() == Framing; got != c.stops {
				t.Fatalf("state %s", d.m.State())
			}
			if c.stops {
				if d.do(Shutter{}).want(Framing); d.view().Toast == nil {
					t.Error("the shutter says nothing")
				}
				d.say(PaymentUpdate{BatchID: "b1", Ref: "r", State: "paid"}).live(allHold, 200*time.Millisecond)
			}
			// Taken back at each moment of the countdown.
			d.want(Countdown).live(allHold, time.Second)
			d.say(PaymentUpdate{BatchID: "b1", Ref: "r", State: c.state})
			if got := d.m.State() == Framing; got != c.stops {
				t.Fatalf("during the countdown: %s", d.m.State())
			}
			if c.stops && (d.view().Capture.Stopped == nil || !strings.Contains(d.view().Capture.Stopped.ZH, "缴费")) {
				t.Errorf("%+v", d.view().Capture.Stopped)
			}
			d.live(allHold, 20*time.Second)
			if taken := d.shots() > 0; taken == c.stops {
				t.Errorf("taken: %v", taken)
			}
		})
	}
}

func TestNoPhotoWithoutConsent(t *testing.T) {
	d := seated(t, "none", "none")
	d.m.consented = false // no way leads here; if one ever does, nothing is photographed
	d.live(allHold, 5*time.Second).want(Framing)
	d.do(Shutter{}).want(Framing)
	if d.view().Toast == nil || d.shots() != 0 {
		t.Error("photographed without consent")
	}
}

func TestLeavingInTheMiddleOfACountdown(t *testing.T) {
	for name, leave := range map[string]func(d *desk){
		"abandon": func(d *desk) { d.do(Abandon{Reason: "left"}).want(Abandoned) },
		"not me":  func(d *desk) { d.do(NotMe{}).want(Identify) },
	} {
		t.Run(name, func(t *testing.T) {
			d := seated(t, "none", "none")
			d.live(allHold, 2*time.Second).want(Countdown)
			session := d.id()
			leave(d)
			for range 50 { // late checks and ticks of the one who left
				d.now = d.now.Add(frameEvery)
				d.say(LiveUpdate{Session: session, Live: allHold}).say(Tick{})
			}
			if d.shots() != 0 || d.view().Live.Ready || d.view().Capture.ByItself {
				t.Errorf("%d shots after leaving, %+v", d.shots(), d.view().Capture)
			}
		})
	}
}

// burstAt brings a desk to the review of a burst whose second frame is the best.
func burstAt(t *testing.T) *desk {
	t.Helper()
	d := seated(t, "none", "none")
	d.live(allHold, 4500*time.Millisecond).want(Shot)
	d.say(FrameTaken{Session: d.id(), Attempt: 1, Seq: 11, Burst: []BurstView{{Seq: 10}, {Seq: 11, Best: true}, {Seq: 12}}}).want(Standardising)
	d.made(1, 12).want(Standardising) // of a frame that nobody asked for
	return d.made(1, 11).want(Review)
}

func (d *desk) made(attempt int, seq uint64, checks ...CheckLine) *desk {
	return d.say(PortraitDone{
		Session: d.id(), Attempt: attempt, Seq: seq, Portrait: image.NewRGBA(image.Rect(0, 0, 2, 2)), Verdict: "pass", Checks: checks,
		Manual: []CheckLine{{ID: "headwear", Status: "manual"}},
	})
}

func TestAnotherFrameOfTheBurst(t *testing.T) {
	d := burstAt(t)
	d.do(ManualAnswer{OK: true}).do(Pick{Seq: 12}).want(Review)
	e, ok := sent[Develop](d)
	if !ok || e.Session != d.id() || e.Attempt != 1 || e.Seq != 12 || e.Spec != "chsi" {
		t.Fatalf("effect %+v", e)
	}
	if s := d.view().Shot; s.Picking != 12 || s.Seq != 11 || s.CanAccept || s.ManualOK {
		t.Errorf("while it is made: %+v", s)
	}
	if d.do(ManualAnswer{OK: true}).do(Accept{}).want(Review); d.view().Toast == nil {
		t.Error("too early an acceptance is not explained")
	}
	d.all = nil
	d.do(Pick{Seq: 10}) // one after the other
	if _, more := sent[Develop](d); more {
		t.Error("two frames are developed at once")
	}
	d.made(1, 10).made(1, 11).made(2, 12)
	if s := d.view().Shot; s.Seq != 11 || s.Picking != 12 {
		t.Fatalf("an answer for another frame was taken: %+v", s)
	}
	d.made(1, 12).want(Review)
	if s := d.view().Shot; s.Seq != 12 || s.Picking != 0 || len(s.Burst) != 3 || s.CanAccept {
		t.Fatalf("%+v", s)
	}
	d.do(ManualAnswer{OK: true}).do(Accept{}).want(Confirm).do(ConfirmSubmit{}).want(Sealing)
	if seal, _ := sent[Seal](d); seal.Seq != 12 || seal.Attempt != 1 {
		t.Errorf("sealed %+v", seal)
	}
}

func TestPicksThatAreNone(t *testing.T) {
	d := burstAt(t)
	d.all = nil
	d.do(Pick{Seq: 11}).do(Pick{Seq: 99}).do(Pick{})
	if _, ok := sent[Develop](d); ok {
		t.Error("developed")
	}
	// Exceptions belong to the photo they were granted for.
	d.do(Pick{Seq: 10}).made(1, 10, CheckLine{ID: "roll", Status: "fail"})
	d.staff(RoleOperator).do(Override{CheckID: "roll", Reason: "medical"}).do(CloseOperator{}).do(ManualAnswer{OK: true})
	if !d.view().Shot.CanAccept {
		t.Fatal("not acceptable")
	}
	d.do(Pick{Seq: 12}).staff(RoleOperator)
	d.do(Override{CheckID: "roll", Reason: "medical"}).do(CloseOperator{}) // for which photo?
	d.made(1, 12, CheckLine{ID: "roll", Status: "fail"}).do(ManualAnswer{OK: true})
	if d.view().Shot.CanAccept {
		t.Error("an exception went over to another photo")
	}
	// A pick that fails leaves the burst to pick from.
	d.do(Pick{Seq: 10}).say(PortraitDone{Session: d.id(), Attempt: 1, Seq: 10, Problem: &Text{"x", "x"}, Verdict: "fail"})
	if s := d.view().Shot; s.Portrait != nil || s.Problem == nil || len(s.Burst) != 3 {
		t.Fatalf("%+v", s)
	}
	d.do(Pick{Seq: 11}).made(1, 11)
	if s := d.view().Shot; s.Portrait == nil || s.Problem != nil {
		t.Fatalf("%+v", s)
	}
	// A retake forgets the pick under way.
	d.do(Pick{Seq: 12}).do(Retake{}).want(Framing).made(1, 12).want(Framing)
	if d.view().Shot != nil {
		t.Error("the photo of before the retake is shown")
	}
	d.live(allHold, 4500*time.Millisecond).want(Shot)
	d.made(1, 12).want(Shot)
	if d.do(Pick{Seq: 12}).want(Shot); d.view().Shot != nil {
		t.Error("a frame of the attempt before was picked")
	}
}

func TestABurstOfAnEarlierStudentIsDropped(t *testing.T) {
	d := burstAt(t)
	old := d.id()
	d.do(Pick{Seq: 12}).do(NotMe{}).identify2(rec("s", "none", "none"))
	d.live(allHold, 4500*time.Millisecond).want(Shot)
	d.say(FrameTaken{Session: old, Attempt: 1, Seq: 12, Burst: []BurstView{{Seq: 12}}}).want(Shot)
	d.say(PortraitDone{Session: old, Attempt: 1, Seq: 12, Portrait: image.NewRGBA(image.Rect(0, 0, 1, 1))}).want(Shot)
	if d.view().Shot != nil {
		t.Error("the burst of the student before is shown")
	}
}
