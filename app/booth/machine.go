package booth

import (
	"errors"
	"strings"
	"time"
)

// Timing holds how long each screen waits for people.
type Timing struct {
	Identify  time.Duration
	Read      time.Duration // Eligible, Consent, Guide
	Pose      time.Duration // Framing
	Decide    time.Duration // Review, Confirm
	Done      time.Duration
	Farewell  time.Duration
	Countdown time.Duration
	WarnLast  time.Duration // the visible timer's span
	Reveal    time.Duration // a held reveal lets go by itself
	Toast     time.Duration

	Hold    time.Duration // all live checks must hold for this before the countdown starts by itself
	Stale   time.Duration // live checks older than this vouch for nothing
	Explain time.Duration // why the countdown stopped stays on the screen
	Rebound time.Duration // presses of the shutter sooner after the start of the countdown are one
}

// DefaultTiming suits a desk with a queue: long enough to read, short enough
// that a student who walked off does not block the next.
var DefaultTiming = Timing{
	Identify:  90 * time.Second,
	Read:      120 * time.Second,
	Pose:      180 * time.Second,
	Decide:    180 * time.Second,
	Done:      25 * time.Second,
	Farewell:  5 * time.Second,
	Countdown: 3 * time.Second,
	WarnLast:  15 * time.Second,
	Reveal:    8 * time.Second,
	Toast:     6 * time.Second,

	Hold:    time.Second,
	Stale:   time.Second,
	Explain: 4 * time.Second,
	Rebound: 600 * time.Millisecond,
}

// Config is what a Machine needs from outside.
type Config struct {
	Timing Timing
	// NewID makes session ids, unique for ever (ULIDs).
	NewID func() string
	// Check judges a number as it is typed: whether it is complete, and what is
	// wrong with it. It is pure.
	Check func(doc DocType, raw string) (complete bool, problem *Text)
	// Group puts gaps into a number for reading. It is pure.
	Group func(doc DocType, raw string) string
	// ScanCamera offers to read cards and codes by the camera.
	ScanCamera bool
	// DefaultLang greets each new student.
	DefaultLang Lang
	// Large greets them in large-text mode.
	Large     bool
	Simulated bool
	Demo      bool
	// Auto lets the countdown start by itself once the live checks hold; a
	// student may still choose the button.
	Auto bool
	Lens Lens // where the camera stands beside the screen
	// Operator is how staff are let in.
	Operator OperatorConfig
}

// Machine is the booth's state. It is not safe for concurrent use: one
// goroutine owns it.
type Machine struct {
	cfg   Config
	now   time.Time
	lang  Lang
	large bool

	state    State
	session  string
	deadline time.Time

	doc     DocType
	raw     string
	message Text
	bad     bool
	busy    bool
	token   int // of the newest lookup
	scan    scan
	asked   string // the number that is being looked up
	class   class  // that staff call; it outlives visits
	adding  add    // a student who is on no roster

	candidates  []Record
	record      *Record
	revealUntil time.Time
	flagged     bool
	consented   bool
	claim       ClaimView
	live        LiveView
	capture     capture
	countEnds   time.Time
	attempt     int
	shot        *ShotView
	overrides   []Overridden
	marked      Marked // why the payment is what it is
	proving     bool   // a typed code is being judged
	decided     Staff  // who last decided something in this visit
	saved       *SavedView

	nextToken int
	next      *Record

	cameraDown  *Text
	guard       *Fault
	calibration CalibrationView
	// calibrationAsked: staff wanted the one under way and is told of its end.
	calibrationAsked bool
	// light is what the last calibration found; it outlives the next visit.
	light      LightView
	sealFault  *Fault
	toast      *Text
	toastUntil time.Time
	lamps      Lamps
	retakes    []RetakeItem
	pending    int
	online     bool

	op         operator
	start      startOfDay
	cameraBusy CameraJob   // under way, whoever looks
	locked     *LockedView // while Locked

	effects []Effect
}

// New makes a machine at Idle. It refuses a config without NewID or Check.
func New(cfg Config) (*Machine, error) {
	if cfg.NewID == nil || cfg.Check == nil {
		return nil, errors.New("booth: config needs NewID and Check")
	}
	if cfg.Group == nil {
		cfg.Group = func(_ DocType, raw string) string { return raw }
	}
	if cfg.Timing == (Timing{}) {
		cfg.Timing = DefaultTiming
	}
	if cfg.DefaultLang == "" {
		cfg.DefaultLang = ZH
	}
	m := &Machine{cfg: cfg, state: Idle, lang: cfg.DefaultLang, large: cfg.Large, doc: DocResident}
	m.start.begun = cfg.Operator.Begun
	m.startLocked()
	return m, nil
}

// State tells where the visit stands.
func (m *Machine) State() State { return m.state }

// Session is the id of the visit under way, "" at Idle.
func (m *Machine) Session() string { return m.session }

// Do handles what a person asked for.
func (m *Machine) Do(now time.Time, in Intent) []Effect {
	m.begin(now)
	m.touch()
	m.touchOperator()
	m.intent(in)
	return m.effects
}

// Report handles what the machinery reports.
func (m *Machine) Report(now time.Time, ev Event) []Effect {
	m.begin(now)
	m.report(ev)
	return m.effects
}

// NextTick is when the machine next wants a Tick; zero means never.
func (m *Machine) NextTick() time.Time {
	next := m.deadline
	sooner := func(t time.Time) {
		if !t.IsZero() && t.After(m.now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if !m.deadline.IsZero() {
		// The visible timer counts whole seconds.
		warn := m.deadline.Add(-m.cfg.Timing.WarnLast)
		if m.now.Before(warn) {
			sooner(warn)
		} else {
			sooner(m.now.Add(remainder(m.deadline.Sub(m.now))))
		}
	}
	if m.state == Countdown {
		left := m.countEnds.Sub(m.now)
		if left <= 0 {
			// Due already: an event has come between the end of the countdown
			// and its tick. Live checks report more than once a second, so
			// that a tick a second from now would be put off for ever.
			return m.countEnds
		}
		sooner(m.now.Add(remainder(left)))
		if m.capture.auto {
			sooner(m.capture.liveAt.Add(m.cfg.Timing.Stale + time.Millisecond))
		}
	}
	sooner(m.capture.stoppedUntil)
	sooner(m.revealUntil)
	m.operatorNext(sooner)
	sooner(m.toastUntil)
	return next
}

// remainder is the time until d falls to the next whole second.
func remainder(d time.Duration) time.Duration {
	r := d % time.Second
	if r <= 0 {
		r = time.Second
	}
	return r
}

func (m *Machine) begin(now time.Time) {
	if now.After(m.now) { // a clock that steps back must not stretch a deadline
		m.now = now
	}
	m.effects = nil
	if m.toast != nil && !m.now.Before(m.toastUntil) {
		m.toast, m.toastUntil = nil, time.Time{}
	}
	if !m.revealUntil.IsZero() && !m.now.Before(m.revealUntil) {
		m.revealUntil = time.Time{}
	}
	if m.capture.stopped != nil && !m.now.Before(m.capture.stoppedUntil) {
		m.capture.stopped, m.capture.stoppedUntil = nil, time.Time{}
	}
}

func (m *Machine) emit(e Effect) { m.effects = append(m.effects, e) }

func (m *Machine) audit(event, detail string) {
	m.emit(Audit{Session: m.session, Event: event, Detail: detail, By: m.Operator()})
}

func (m *Machine) say(t Text) {
	m.toast = &t
	m.toastUntil = m.now.Add(m.cfg.Timing.Toast)
}

// wait is how long the present screen waits for people; 0 means for ever.
func (m *Machine) wait() time.Duration {
	if m.op.open {
		return 0 // staff are here: the visit waits for them
	}
	t := m.cfg.Timing
	switch m.state {
	case Identify:
		return t.Identify
	case Eligible, Consent, Guide:
		return t.Read
	case Framing:
		return t.Pose
	case Review, Confirm:
		return t.Decide
	case Done:
		return t.Done
	case Abandoned:
		return t.Farewell
	case Locked, Idle, Countdown, Shot, Standardising, Sealing:
	}
	return 0
}

// touch restarts the present screen's patience.
func (m *Machine) touch() {
	if d := m.wait(); d > 0 {
		m.deadline = m.now.Add(d)
	} else {
		m.deadline = time.Time{}
	}
}

func (m *Machine) enter(s State) {
	m.state = s
	m.toast, m.toastUntil = nil, time.Time{}
	m.revealUntil = time.Time{}
	m.touch()
}

// open starts a fresh session at Identify.
func (m *Machine) open() {
	m.clearVisit()
	m.session = m.cfg.NewID()
	m.calibration.State, m.calibration.Lines = CalibrationNone, nil
	m.emit(BeginSession{Session: m.session})
	m.audit("session.begin", "")
	m.enter(Identify)
}

// clearVisit forgets everything of the student; only lamps, guard, worklist and
// the next student in line stay.
func (m *Machine) clearVisit() {
	m.session = ""
	m.doc, m.raw, m.message, m.bad, m.busy = DocResident, "", Text{}, false, false
	m.token++
	m.scan, m.asked, m.adding.last = scan{}, "", ""
	m.candidates, m.record = nil, nil
	m.revealUntil = time.Time{}
	m.flagged, m.consented = false, false
	m.claim, m.live, m.capture = ClaimView{}, LiveView{}, capture{}
	m.attempt, m.shot, m.overrides, m.saved = 0, nil, nil, nil
	m.marked, m.decided, m.proving = Marked{}, Staff{}, false
	m.sealFault = nil
	m.toast, m.toastUntil = nil, time.Time{}
}

// end closes the session and returns to where reason leads.
func (m *Machine) end(reason string, to State) {
	if m.session != "" {
		m.audit("session.end", reason)
		m.emit(EndSession{Session: m.session, Reason: reason})
	}
	m.clearVisit()
	if to == Idle {
		m.lang, m.large = m.cfg.DefaultLang, m.cfg.Large
		m.next = nil
		m.nextToken = 0
	}
	m.enter(to)
}

func (m *Machine) intent(in Intent) {
	if m.operatorIntent(in) {
		return
	}
	switch in := in.(type) {
	case ToggleLang:
		if m.lang == ZH {
			m.lang = EN
		} else {
			m.lang = ZH
		}
		return
	case ToggleLarge:
		m.large = !m.large
		return
	case Abandon:
		m.abandon(in.Reason)
		return
	case NotMe:
		switch m.state {
		case Eligible, Consent, Guide, Framing, Countdown, Shot, Standardising, Review, Confirm:
			m.end("not_me", Idle)
			m.open()
		case Done: // it cannot be taken back here: staff and reviewers sort it out
			m.audit("not_me.saved", "")
			m.say(textNotMeSaved)
		case Locked, Idle, Identify, Sealing, Abandoned:
		}
		return
	case Wedge:
		m.wedge(in.Text)
		return
	case PaymentMark:
		m.markPayment(in)
		return
	case PayCode:
		m.payCode(in)
		return
	case FaultAction:
		m.faultAction(in.Code)
		return
	case Recalibrate:
		m.recalibrate(in.Fresh)
		return
	case Reveal:
		m.revealUntil = time.Time{}
		if in.Held && m.record != nil {
			m.revealUntil = m.now.Add(m.cfg.Timing.Reveal)
		}
		return
	default:
	}
	switch m.state {
	case Idle:
		if _, ok := in.(Start); ok {
			if m.doorOpen() {
				m.open()
			}
		}
	case Identify:
		m.identify(in)
	case Eligible:
		m.eligible(in)
	case Consent:
		switch in.(type) {
		case Continue:
			m.consented = true
			m.audit("consent.given", m.record.Consent.Version)
			m.enter(Guide)
		case Decline:
			m.audit("consent.declined", m.record.Consent.Version)
			m.abandon("consent_declined")
		case Back:
			m.enter(Eligible)
		}
	case Guide:
		switch in.(type) {
		case Continue:
			m.toFraming()
		case Back:
			m.enter(Consent)
		}
	case Framing:
		m.framing(in)
	case Countdown:
		m.counting(in)
	case Review:
		m.review(in)
	case Confirm:
		switch in.(type) {
		case ConfirmSubmit, Continue:
			m.submit()
		case Back:
			m.enter(Review)
		}
	case Done:
		switch in.(type) {
		case NextStudent, Continue:
			m.finish()
		}
	case Abandoned:
		switch in.(type) {
		case Continue, Start:
			m.end("", Idle)
		}
	case Locked, Shot, Standardising, Sealing:
	}
}

func (m *Machine) abandon(reason string) {
	switch m.state {
	case Locked, Idle, Abandoned, Sealing:
		// Sealing is not interrupted: the packet either becomes durable or the
		// failure comes back while the student is still here.
	case Done:
		m.finish()
	case Identify, Eligible, Consent, Guide, Framing, Countdown, Shot, Standardising, Review, Confirm:
		if reason == "" {
			reason = "abandoned"
		}
		m.end(reason, Abandoned)
	}
}

// identify is the keypad.
func (m *Machine) identify(in Intent) {
	const maxLen = 30
	switch in := in.(type) {
	case SetDoc:
		switch in.Doc {
		case DocResident, DocHMT, DocPassport, DocStudentNo:
			m.doc, m.raw, m.message, m.bad, m.busy = in.Doc, "", Text{}, false, false
			m.token++
		}
	case Key:
		m.token++ // an answer for the old number must not arrive under the new one
		m.busy = false
		switch r := in.Rune; {
		case r == '\b':
			if n := len(m.raw); n > 0 {
				m.raw = m.raw[:n-1]
			}
		case r == 0x7f:
			m.raw = ""
		case r >= 'a' && r <= 'z':
			m.add(string(r-'a'+'A'), maxLen)
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z':
			m.add(string(r), maxLen)
		}
		m.judge()
	case Submit, Continue:
		complete, problem := m.cfg.Check(m.doc, m.raw)
		switch {
		case m.busy:
		case problem != nil:
			m.message, m.bad = *problem, true
		case !complete:
			m.message, m.bad = textIncomplete, true
		default:
			m.lookup(m.raw, false)
		}
	case Back:
		m.end("back", Idle)
	case UseCamera:
		m.useCamera(in.On)
	}
}

func (m *Machine) add(s string, maxLen int) {
	if m.doc == DocResident {
		maxLen = 18
		if s == "X" && len(m.raw) != 17 || s != "X" && (s < "0" || s > "9") {
			return // X is the check character only; there are no other letters
		}
	}
	if len(m.raw) < maxLen {
		m.raw += s
	}
}

func (m *Machine) judge() {
	m.message, m.bad = Text{}, false
	if _, problem := m.cfg.Check(m.doc, m.raw); problem != nil {
		m.message, m.bad = *problem, true
	}
}

func (m *Machine) lookup(number string, scanned bool) {
	m.token++
	m.busy, m.bad, m.message = true, false, Text{}
	m.asked = number
	by := ByKeypad
	if scanned {
		by = ByWedge
	}
	m.emit(Lookup{Session: m.session, Token: m.token, Doc: m.doc, Number: number, Scanned: scanned, By: by})
}

// wedge is a number from a scanner or card reader.
func (m *Machine) wedge(text string) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxWedge {
		return
	}
	switch m.state {
	case Idle:
		if !m.doorOpen() {
			return
		}
		m.open()
		m.lookup(text, true)
	case Identify:
		m.lookup(text, true)
	case Review, Confirm, Sealing, Done:
		// The desk identifies the next student while this one decides.
		m.token++
		m.nextToken = m.token
		m.emit(Lookup{Session: m.session, Token: m.token, Doc: DocResident, Number: text, Scanned: true, By: ByWedge})
	case Locked, Eligible, Consent, Guide, Framing, Countdown, Shot, Standardising, Abandoned:
		m.say(textScanLater)
	}
}

func (m *Machine) eligible(in Intent) {
	switch in := in.(type) {
	case Choose:
		if m.record == nil && in.Index >= 0 && in.Index < len(m.candidates) {
			m.choose(m.candidates[in.Index])
		}
	case FlagInfo:
		if m.record != nil && !m.flagged {
			m.flagged = true
			m.audit("record.flagged", "")
			m.say(textFlagged)
		}
	case Override:
		if m.record != nil && in.CheckID == CheckCaptured && knownReason(captureReasons, in.Reason) && m.record.Capture != "approved" {
			m.override(in, m.record.Capture, "")
			m.enter(Consent)
		}
	case Continue:
		if m.record == nil {
			return
		}
		if t, closed := alreadyCaptured(m.record.Capture); closed && !m.overridden(CheckCaptured) {
			m.say(t)
			return
		}
		m.enter(Consent)
	case Back:
		m.end("back", Idle)
		m.open()
	}
}

// CheckCaptured is the pseudo check that an operator overrides to let a student
// whose photo is under review be captured anew.
const CheckCaptured = "already_captured"

func alreadyCaptured(capture string) (Text, bool) {
	switch capture {
	case "approved":
		return textApproved, true
	case "captured", "in_review":
		return textInReview, true
	}
	return Text{}, false
}

func (m *Machine) choose(r Record) {
	m.record = &r
	m.audit("record.chosen", "")
	m.emit(StartClaim{Session: m.session, Record: r})
	m.enter(Eligible)
	if t, closed := alreadyCaptured(r.Capture); closed {
		m.say(t)
	} else if r.Provisional != "" {
		m.toldProvisional()
	}
}

// unpaid tells whether the fee is still owed under policy at a gate.
func (m *Machine) unpaid(policy string) bool {
	if m.record == nil || m.record.Service.Policy != policy {
		return false
	}
	switch m.record.Payment {
	case "paid", "waived", "deferred", "none":
		return false
	}
	return true
}

func (m *Machine) toFraming() {
	if m.unpaid("before_capture") {
		m.say(textPayFirst)
		return
	}
	m.live = LiveView{}
	m.capture = capture{byHand: m.capture.byHand}
	m.enter(Framing)
}

func (m *Machine) review(in Intent) {
	switch in := in.(type) {
	case Retake:
		m.shot = nil
		m.overrides = keepCaptured(m.overrides)
		m.toFraming()
	case Pick:
		m.pick(in.Seq)
	case ManualAnswer:
		if m.shot != nil && m.shot.Picking == 0 {
			m.manualAnswer(in)
		}
	case Override:
		if m.shot != nil && m.shot.Picking == 0 {
			m.overrideShot(in)
		}
	case Accept, Continue:
		switch {
		case m.shot != nil && m.shot.Picking != 0:
			m.say(textDeveloping)
		case m.shot == nil || m.shot.Portrait == nil:
			m.say(textNoPortrait)
		case !m.acceptable():
			m.say(textFailing)
		case !m.manualDone():
			m.say(textManual)
		default:
			m.enter(Confirm)
		}
	}
}

// keepCaptured keeps what was decided of the student, not of one photo.
func keepCaptured(o []Overridden) []Overridden {
	var kept []Overridden
	for _, x := range o {
		if x.CheckID == CheckCaptured || x.CheckID == CheckCompared {
			kept = append(kept, x)
		}
	}
	return kept
}

func (m *Machine) overridden(id string) bool {
	for _, o := range m.overrides {
		if o.CheckID == id {
			return true
		}
	}
	return false
}

// acceptable tells whether every failed check was overridden on record.
func (m *Machine) acceptable() bool {
	if m.shot == nil || m.shot.Portrait == nil {
		return false
	}
	for _, c := range m.shot.Checks {
		if c.Status == "fail" && !m.overridden(c.ID) {
			return false
		}
	}
	return true
}

func (m *Machine) submit() {
	if m.unpaid("before_submit") || m.unpaid("before_capture") {
		m.say(textPayFirst)
		return
	}
	if m.claim.Mismatch {
		m.say(textMismatch)
		return
	}
	m.sealFault = nil
	m.enter(Sealing)
	m.emit(Seal{
		Session: m.session, Attempt: m.attempt, Seq: m.shot.Seq, Record: *m.record,
		Overrides: append([]Overridden(nil), m.overrides...), ManualOK: m.shot.ManualOK, Operator: m.decided, Marked: m.marked,
		Consent: m.record.Consent.Version, Flagged: m.flagged, Payment: m.record.Payment,
	})
}

// finish leaves Done: on to the student identified meanwhile, or home.
func (m *Machine) finish() {
	next := m.next
	m.end("done", Idle)
	if next != nil && m.doorOpen() {
		m.open()
		m.choose(*next)
	}
}

// GuardNoPlate is the guard that calibration lifts.
const GuardNoPlate = "no-plate"

func (m *Machine) markPayment(in PaymentMark) {
	if m.record == nil || !knownReason(paymentReasons[in.State], in.Reason) || paymentReasons[in.State] == nil {
		return
	}
	if m.record.Payment == "paid" || m.record.Payment == "none" || m.state == Sealing || m.state == Done {
		return
	}
	m.record.Payment = in.State
	m.marked, m.decided = Marked{Reason: in.Reason, By: m.Operator()}, m.Operator()
	m.op.notice = &textMarked
	m.audit("payment."+in.State, in.Reason)
	m.emit(SavePayment{BatchID: m.record.BatchID, Ref: m.record.Ref, State: in.State, Reason: in.Reason})
}

func (m *Machine) faultAction(code string) {
	if m.state == Idle && m.guard != nil && m.guard.Code == code && code == GuardNoPlate {
		m.recalibrate(false)
	} else if f := m.fault(); f != nil && f.Code == code && f.Action == textStaffDo {
		m.openOperator()
	}
	if m.sealFault != nil && code == m.sealFault.Code && m.state == Confirm {
		m.submit()
	}
}

func (m *Machine) report(ev Event) {
	switch ev := ev.(type) {
	case Tick:
		m.tick()
	case LookupDone:
		m.lookupDone(ev)
	case ClaimUpdate:
		if ev.Session == m.session && m.record != nil {
			m.claim = ev.Claim
		}
	case PaymentUpdate:
		apply := func(r *Record) {
			if r != nil && r.BatchID == ev.BatchID && r.Ref == ev.Ref {
				r.Payment = ev.State
			}
		}
		apply(m.record)
		apply(m.next)
		if m.state == Countdown {
			if t := m.obstacle(); t != nil {
				m.stopCountdown(*t)
			}
		}
	case LiveUpdate:
		if ev.Session == m.session && (m.state == Framing || m.state == Countdown) {
			m.coached(ev.Live)
		}
	case FrameTaken:
		if ev.Session == m.session && ev.Attempt == m.attempt && m.state == Shot {
			m.shot = &ShotView{Attempt: ev.Attempt, Seq: ev.Seq, Burst: ev.Burst}
			m.enter(Standardising)
		}
	case PortraitDone:
		m.portraitDone(ev)
	case Sealed:
		if ev.Session == m.session && m.state == Sealing {
			m.saved = &SavedView{PacketID: ev.PacketID, At: ev.At, Seq: ev.Seq}
			m.shot = nil
			m.enter(Done)
			m.refreshClass()
		}
	case AddListed:
		if m.op.page == PageAdd {
			m.adding.batches = ev.Batches
		}
	case StudentKept:
		m.studentKept(ev)
	case ClassListed:
		m.classListed(ev)
	case SealFailed:
		if ev.Session == m.session && m.state == Sealing {
			m.enter(Confirm)
			f := FaultPage(FaultSeal, ev.Problem)
			m.sealFault = &f
		}
	case CameraChanged:
		if ev.Working {
			m.cameraDown = nil
		} else {
			p := ev.Problem
			m.cameraDown = &p
			m.capture.held = time.Time{}
			if m.state == Countdown {
				m.enter(Framing) // the page of the fault explains it
			}
		}
	case LampsChanged:
		m.lamps, m.retakes, m.pending, m.online = ev.Lamps, ev.Retakes, ev.Pending, ev.Online
	case GuardChanged:
		m.guard = ev.Fault
	case CalibrationProgress:
		m.calibrationProgress(ev)
	case CalibrationDone:
		m.calibrationDone(ev)
	case DayReported:
		m.op.report = &ev.Report
	case CameraMeasured:
		if m.op.page == PageCamera {
			m.op.camera.Reading = ev.Reading
		}
	case CameraDone:
		m.cameraDone(ev)
	case PlateChanged:
		m.calibration.Plate, m.calibration.Alarm = ev.Plate, ev.Alarm
	case Scanning:
		m.scanning(ev)
	case Scanned:
		m.scanned(ev)
	case TodayFound:
		if m.op.page == PageFind {
			m.op.found = &ev.Found
		}
	case SettingsRead:
		m.settingsRead(ev)
	case SyncChanged:
		m.op.sync = ev.Sync
	case ProofJudged:
		m.proofJudged(ev)
	case PINChecked:
		m.pinChecked(ev)
	case HouseChanged:
		m.op.status, m.op.day = ev.Status, ev.Day
		m.houseLooked(ev.Start)
	case StaffNotice:
		if m.op.staff.Role != "" {
			t := ev.Text
			m.op.notice = &t
		}
	}
}

// shoot asks for the frame on screen.
func (m *Machine) shoot() {
	m.attempt++
	m.shot = nil
	m.enter(Shot)
	m.audit("shot.taken", map[bool]string{true: "auto", false: "hand"}[m.capture.auto])
	m.emit(TakeShot{Session: m.session, Attempt: m.attempt, Spec: m.record.Spec})
}

func (m *Machine) tick() {
	m.operatorTick()
	if m.blind() {
		m.stopCountdown(textHoldStill)
		return
	}
	if m.state == Countdown && !m.now.Before(m.countEnds) {
		m.fire()
		return
	}
	if m.deadline.IsZero() || m.now.Before(m.deadline) {
		return
	}
	switch m.state {
	case Done:
		m.finish()
	case Abandoned:
		m.end("", Idle)
	case Identify:
		m.end("timeout", Idle)
	case Eligible, Consent, Guide, Framing, Review, Confirm:
		m.end("timeout", Abandoned)
	case Locked, Idle, Countdown, Shot, Standardising, Sealing:
	}
}

func (m *Machine) lookupDone(ev LookupDone) {
	if ev.Session != m.session || m.session == "" {
		return
	}
	if ev.Token == m.nextToken && m.nextToken != 0 {
		m.nextToken = 0
		switch m.state {
		case Review, Confirm, Sealing, Done:
			if len(ev.Records) == 1 {
				r := ev.Records[0]
				m.next = &r
			} else {
				m.say(textNextNotFound)
			}
		case Locked, Idle, Identify, Eligible, Consent, Guide, Framing, Countdown, Shot, Standardising, Abandoned:
		}
		return
	}
	if ev.Token != m.token || m.state != Identify {
		return
	}
	m.busy = false
	switch {
	case ev.Problem != nil:
		m.message, m.bad = *ev.Problem, true
	case len(ev.Records) == 0:
		m.message, m.bad = textNotFound, true
		m.adding.last, m.adding.doc = m.asked, m.doc
		m.audit("lookup.none", "")
	case len(ev.Records) == 1:
		m.choose(ev.Records[0])
	default:
		m.candidates = ev.Records
		m.enter(Eligible)
	}
}
