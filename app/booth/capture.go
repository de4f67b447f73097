package booth

import "time"

// capture is how the present photo comes about: by itself once the live checks
// hold, or by somebody's hand. It belongs to one visit.
type capture struct {
	byHand bool      // the student prefers to press: nothing starts by itself
	paused bool      // a question covers the mirror
	held   time.Time // since when every live check has held; zero = one does not
	liveAt time.Time // when the newest live checks came
	auto   bool      // the countdown under way started by itself
	began  time.Time // the countdown under way

	stopped      *Text // why the last countdown stopped
	stoppedUntil time.Time
}

// Lens is where the camera looks from, seen by who sits before the screen.
type Lens string

// Places of the lens. The empty one is LensAbove.
const (
	LensAbove Lens = "above"
	LensLeft  Lens = "left"
	LensRight Lens = "right"
	LensBelow Lens = "below"
)

// CaptureView tells how the photo will be taken.
type CaptureView struct {
	Offered  bool    // the station can start the countdown by itself
	Auto     bool    // and does so in this visit
	Held     float64 // share of the time for which everything must hold, 0..1
	ByItself bool    // the countdown under way started by itself
	Stopped  *Text   // why the last countdown stopped; gone after a few seconds
	Lens     Lens    // where to look
}

// automatic tells whether the countdown may start by itself now.
func (m *Machine) automatic() bool { return m.cfg.Auto && !m.capture.byHand }

// obstacle is why no photo may be taken now, by itself or by hand; nil when
// nothing stands against it. It is asked again when the countdown ends: a
// payment can be taken back, a camera can go away.
func (m *Machine) obstacle() *Text {
	switch {
	case m.record == nil || !m.consented:
		return &textConsentFirst
	case m.unpaid("before_capture"):
		return &textPayFirst
	case m.cameraDown != nil:
		return &textCameraWait
	}
	return nil
}

func (m *Machine) framing(in Intent) {
	switch in := in.(type) {
	case Shutter, Continue:
		if t := m.obstacle(); t != nil {
			m.say(*t)
			return
		}
		m.count(false)
	case SetAuto:
		m.setAuto(in.On)
	case Cover:
		m.cover(in.On)
	case Back:
		m.enter(Guide)
	}
}

func (m *Machine) counting(in Intent) {
	switch in := in.(type) {
	case Shutter:
		// A pedal bounces, and a hand on its way to the shutter when the
		// countdown started by itself wanted no more than that.
		if m.now.Sub(m.capture.began) >= m.cfg.Timing.Rebound {
			m.fire()
		}
	case Back:
		// Who stops a countdown does not want the next one to start by itself.
		m.capture.byHand = true
		m.enter(Framing)
		if m.cfg.Auto {
			m.explain(textByHand)
		}
	case SetAuto:
		m.setAuto(in.On)
	case Cover:
		m.cover(in.On)
	}
}

// setAuto is the student's choice between the countdown that starts by itself
// and the button; it holds for this visit.
func (m *Machine) setAuto(on bool) {
	if !m.cfg.Auto || m.capture.byHand == !on {
		return
	}
	m.capture.byHand = !on
	m.capture.held = time.Time{} // the second before it starts begins now
	m.audit("capture.auto", map[bool]string{true: "on", false: "off"}[on])
	if m.state == Countdown && m.capture.auto {
		m.enter(Framing)
	}
}

// cover keeps the countdown from running behind a question on the screen.
func (m *Machine) cover(on bool) {
	m.capture.paused = on
	m.capture.held = time.Time{}
	if on && m.state == Countdown {
		m.enter(Framing)
	}
}

// count starts the countdown.
func (m *Machine) count(auto bool) {
	m.capture.auto, m.capture.began = auto, m.now
	m.capture.stopped, m.capture.stoppedUntil = nil, time.Time{}
	if m.cfg.Timing.Countdown <= 0 {
		m.fire()
		return
	}
	m.enter(Countdown)
	m.countEnds = m.now.Add(m.cfg.Timing.Countdown)
}

// fire takes the photo, unless something has come up meanwhile.
func (m *Machine) fire() {
	if t := m.obstacle(); t != nil {
		m.stopCountdown(*t)
		return
	}
	m.shoot()
}

// stopCountdown goes back to framing and says why.
func (m *Machine) stopCountdown(why Text) {
	m.capture.held = time.Time{}
	if m.state == Countdown {
		m.enter(Framing)
	}
	m.explain(Text{"先停一下：" + why.ZH, "On hold: " + why.EN})
}

func (m *Machine) explain(t Text) {
	m.capture.stopped = &t
	m.capture.stoppedUntil = m.now.Add(m.cfg.Timing.Explain)
}

// coached takes the newest live checks and starts or stops the countdown by
// them. The checks come with their own hysteresis: one noisy frame is none.
func (m *Machine) coached(l LiveView) {
	gap := m.now.Sub(m.capture.liveAt)
	m.live, m.capture.liveAt = l, m.now
	if m.covered() {
		m.capture.held = time.Time{} // nothing that is held behind it counts
		return
	}
	if !l.Ready {
		m.capture.held = time.Time{}
		if m.state == Countdown && m.capture.auto {
			m.stopCountdown(l.broken())
		}
		return
	}
	if m.capture.held.IsZero() || gap > m.cfg.Timing.Stale {
		m.capture.held = m.now
	}
	if m.state == Framing && m.automatic() && m.obstacle() == nil && m.heldFor() >= m.cfg.Timing.Hold {
		m.count(true)
	}
}

// covered tells whether something lies over the mirror: a question to the
// student, or the page of the staff.
func (m *Machine) covered() bool { return m.capture.paused || m.op.open }

// heldFor is how long every live check has held.
func (m *Machine) heldFor() time.Duration {
	if m.capture.held.IsZero() {
		return 0
	}
	return m.now.Sub(m.capture.held)
}

// broken is what ended Ready.
func (l LiveView) broken() Text {
	switch {
	case l.Broken != (Text{}):
		return l.Broken
	case l.Hint != (Text{}):
		return l.Hint
	}
	return textHoldStill
}

// blind tells whether a countdown that started by itself has not seen the
// student for too long to go on.
func (m *Machine) blind() bool {
	return m.state == Countdown && m.capture.auto && m.now.Sub(m.capture.liveAt) > m.cfg.Timing.Stale
}

// pick has another frame of the burst developed.
func (m *Machine) pick(seq uint64) {
	if m.shot == nil || m.shot.Picking != 0 || seq == m.shot.Seq {
		return
	}
	for _, b := range m.shot.Burst {
		if b.Seq != seq {
			continue
		}
		// Exceptions and answers belong to the photo they were given for.
		m.overrides = keepCaptured(m.overrides)
		m.shot.ManualOK, m.shot.ManualNot = false, nil
		m.shot.Picking = seq
		m.audit("shot.picked", "")
		m.emit(Develop{Session: m.session, Attempt: m.attempt, Seq: seq, Spec: m.record.Spec})
		return
	}
}

// portraitDone shows what became of a frame, when it is the one waited for.
func (m *Machine) portraitDone(ev PortraitDone) {
	if ev.Session != m.session || ev.Attempt != m.attempt {
		return
	}
	s := ShotView{
		Attempt: ev.Attempt, Seq: ev.Seq, Portrait: ev.Portrait, Before: ev.Before, Verdict: ev.Verdict,
		Checks: ev.Checks, ManualAsk: ev.Manual, Problem: ev.Problem, TookMS: ev.TookMS,
	}
	switch m.state {
	case Shot: // no frame came: there is only the problem to show
	case Standardising:
		if ev.Seq != m.shot.Seq {
			return
		}
		s.Burst = m.shot.Burst
	case Review:
		if m.shot == nil || m.shot.Picking == 0 || ev.Seq != m.shot.Picking {
			return
		}
		s.Burst = m.shot.Burst
	case Locked, Idle, Identify, Eligible, Consent, Guide, Framing, Countdown, Confirm, Sealing, Done, Abandoned:
		return
	}
	m.shot = &s
	m.audit("shot.standardised", ev.Verdict)
	m.enter(Review)
}

// captureView is the part of the snapshot that tells how the photo is taken.
func (m *Machine) captureView() CaptureView {
	v := CaptureView{Offered: m.cfg.Auto, Lens: m.cfg.Lens}
	if v.Lens == "" {
		v.Lens = LensAbove
	}
	if m.state != Framing && m.state != Countdown {
		return v
	}
	v.Auto = m.automatic()
	v.ByItself = m.state == Countdown && m.capture.auto
	if v.Auto && m.state == Framing && m.cfg.Timing.Hold > 0 && !m.covered() {
		v.Held = min(float64(m.heldFor())/float64(m.cfg.Timing.Hold), 1)
	}
	if m.capture.stopped != nil {
		t := *m.capture.stopped
		v.Stopped = &t
	}
	return v
}
