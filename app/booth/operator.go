package booth

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// OperatorConfig is how staff are let in.
type OperatorConfig struct {
	// Idle is how long the operator page stays unlocked without a touch; zero
	// means DefaultOperatorIdle.
	Idle time.Duration
	// ManualPIN takes answers about the manual checks from unlocked staff only.
	// Without it the button beside the photo answers too.
	ManualPIN bool
	// Checklist shows the start-of-day checklist to the first to unlock on a day;
	// Begun is when staff last began one, zero = never.
	Checklist bool
	Begun     time.Time
	// Standing is staff who need no PIN, because there is no window and whoever
	// runs the program has its files anyway; nil at a kiosk.
	Standing *Staff
	// Locked makes the station start on its lock screen, with what it says.
	Locked *LockedView
}

// DefaultOperatorIdle is long enough to read a worklist aloud and short enough
// that a page left open is closed before the next student sits down.
const DefaultOperatorIdle = 90 * time.Second

// pinIdle is how long an untouched PIN pad covers the student's screen.
const pinIdle = 30 * time.Second

// Intents of staff. Those that change something do nothing until a PIN has
// unlocked the operator page; see [Machine.authorised].
type (
	// OpenOperator asks for a PIN: the corner was held or the key pressed.
	OpenOperator struct{}
	// CloseOperator goes back to the student's screen; to return takes the PIN
	// again.
	CloseOperator struct{}
	// LockStation goes to the lock screen, where nobody is at the desk.
	LockStation struct{}
	// SyncNow exchanges with central at once.
	SyncNow struct{}
	// PurgeNow removes every packet that central has opened; an admin's.
	PurgeNow struct{}
	// EraseStudent ends the visit, keeps nothing of it, and has every sealed photo
	// of this student erased, here and at central.
	EraseStudent struct{}
	// ShutDown ends the program; an admin's.
	ShutDown struct{}
)

func (OpenOperator) intent()  {}
func (CloseOperator) intent() {}
func (LockStation) intent()   {}
func (SyncNow) intent()       {}
func (PurgeNow) intent()      {}
func (EraseStudent) intent()  {}
func (ShutDown) intent()      {}

// Events for staff.
type (
	// PINChecked answers CheckPIN.
	PINChecked struct {
		Token int
		Query bool // it was asked how things stand, no PIN was looked at
		OK    bool
		Staff Staff
		NoPIN bool          // none was ever set
		Wait  time.Duration // no PIN is taken before this has passed
		// Problem is why no PIN can be judged at all; it says nothing about
		// the PIN.
		Problem *Text
	}
	// HouseChanged brings what the operator page shows beside the lamps.
	HouseChanged struct {
		Status []StatusLine
		Day    DayNumbers
		Start  []StatusLine // what only the checklist has: pin, sound
	}
	// StaffNotice is the outcome of something that staff asked for.
	StaffNotice struct{ Text Text }
)

func (PINChecked) event()   {}
func (HouseChanged) event() {}
func (StaffNotice) event()  {}

// Effects for staff.
type (
	// CheckPIN asks whose PIN it is; an empty PIN asks only whether there is any
	// and whether one is taken now.
	CheckPIN struct {
		Token int
		PIN   string
	}
	// Sync wakes the exchange with central.
	Sync struct{}
	// Purge removes the packets that central has opened.
	Purge struct{}
	// Erase asks for the erasure of all sealed photos of a student.
	Erase struct {
		Session, BatchID, Ref string
		By                    Staff
	}
	// Quit ends the program cleanly.
	Quit struct{}
)

func (CheckPIN) effect() {}
func (Sync) effect()     {}
func (Purge) effect()    {}
func (Erase) effect()    {}
func (Quit) effect()     {}

// String hides the PIN, so that no log or failure message shows it.
func (c CheckPIN) String() string { return fmt.Sprintf("CheckPIN{%d}", c.Token) }

// String hides the PIN.
func (Unlock) String() string { return "Unlock{}" }

// LockedView is what the lock screen says.
type LockedView struct {
	Crash     bool      // the program ended uncleanly; else staff locked the station
	Cut       bool      // a visit was under way
	CutSaved  bool      // and its photo had been saved
	Saved     int       // packets that are safe on this station or at central
	LastSaved time.Time // zero: none
	NoPIN     bool      // no PIN was ever set: a plain confirmation will do
	PIN       PINView
}

// PINView is the PIN pad.
type PINView struct {
	Busy    bool
	NoPIN   bool
	Problem *Text
	RetryAt time.Time // no PIN is taken before; zero = now
}

// StatusLine is one thing that staff look after, in words.
type StatusLine struct {
	ID    string // camera, plate, light, disk, outbox, central, clock, roster, audit
	Title Text
	Lamp  Lamp
}

// DayNumbers count today's packets of this station.
type DayNumbers struct {
	Saved     int
	Pending   int // of any day, not yet at central
	InReview  int
	Approved  int
	Rejected  int
	Refused   int // central could not use them
	LastSaved time.Time
}

// Allowed says what staff may do now; the page shows nothing else.
type Allowed struct {
	Payment, Override, Captured, Manual, Compare, Abandon, Next, Sync, Lock, Purge, ShutDown, Recalibrate, Erase, Add bool
}

// OverrideLine is a check that did not pass, and the reason under which staff
// let it through.
type OverrideLine struct {
	Check  CheckLine
	Reason string // code, "" = stands
}

// ManualLine is a rule that only a person can judge.
type ManualLine struct {
	Check CheckLine
	Not   bool // staff said that it is not met
}

// OperatorView is the operator page, or its PIN pad. It covers the student's
// screen and leaves the visit as it is.
type OperatorView struct {
	Unlocked bool
	Page     StaffPage // which of the staff's pages; "" = home
	Sync     SyncView  // while Page is PageSync
	Staff    Staff
	PIN      PINView
	Deadline time.Time // when it closes by itself
	Status   []StatusLine
	Day      DayNumbers
	Can      Allowed
	Failing  []OverrideLine
	Manual   []ManualLine
	ManualOK bool
	Notice   *Text
	Refused  bool        // Notice is a refusal
	Proving  bool        // a code is being judged
	Camera   *CameraView // of PageCamera; nil on the others
	Light    *LightView  // of PageLight; nil on the others
	Report   *DayReport  // of PageDay

	Checklist *ChecklistView // of PageChecklist
	Settings  *SettingsView  // of PageSettings
	Found     *FoundView     // of PageFind
	Class     *ClassView     // of PageClass
	Add       *AddView       // of PageAdd
}

// Reason is a coded reason for a decision of staff. The code goes on record.
type Reason struct {
	Code string
	Text Text
}

// OverrideReasons are the reasons for letting a failed check through.
func OverrideReasons() []Reason { return slices.Clone(overrideReasons) }

var overrideReasons = []Reason{
	{"medical", Text{"伤病或残障", "Injury or disability"}},
	{"religious", Text{"民族或宗教习惯", "Ethnic or religious custom"}},
	{"natural_feature", Text{"天生特征或疤痕", "Natural feature or scar"}},
	{"eyewear", Text{"必须戴眼镜", "Glasses cannot be taken off"}},
	{"misjudged", Text{"人工看合格，测量有误", "Fine to the eye, misjudged"}},
	{"equipment", Text{"现场设备所限", "Limits of the equipment"}},
	{"approved", Text{"学校已书面批准", "Approved by the school in writing"}},
}

// CaptureReasons are the reasons for a new photo while the last one is under
// review.
func CaptureReasons() []Reason { return slices.Clone(captureReasons) }

var captureReasons = []Reason{
	{"change_request", Text{"学生申请重拍", "The student asks for a new one"}},
	{"wrong_person", Text{"上次拍错了人", "The last one shows another person"}},
	{"quality", Text{"上次照片质量不好", "The last one is poor"}},
	{"approved", Text{"学校已书面批准", "Approved by the school in writing"}},
}

// ReasonSimulated is given by `yunzhao simulate`; no screen offers it.
const ReasonSimulated = "simulation"

// PaymentReasons are the reasons for recording a payment state by hand.
func PaymentReasons(state string) []Reason { return slices.Clone(paymentReasons[state]) }

var paymentReasons = map[string][]Reason{
	"paid": {
		{"cash", Text{"已收现金", "Paid in cash"}},
		{"proof_shown", Text{"已看付款凭证", "Proof of payment seen"}},
	},
	"deferred": {
		{"phone", Text{"手机没电或没带", "No phone at hand"}},
		{"network", Text{"支付网络不通", "Payment network is down"}},
		{"school_list", Text{"学校统一结算", "Settled by the school"}},
	},
	"waived": {
		{"hardship", Text{"困难学生免费", "Waived for hardship"}},
		{"retake", Text{"退回重拍不收费", "A retake is free"}},
		{"approved", Text{"学校已书面批准", "Approved by the school in writing"}},
	},
}

func knownReason(list []Reason, code string) bool {
	return code == ReasonSimulated || slices.ContainsFunc(list, func(r Reason) bool { return r.Code == code })
}

// Overridden is an override as it goes on record.
type Overridden struct {
	Override
	By Staff
	At time.Time
}

// Marked is a payment decision as it goes on record.
type Marked struct {
	Reason string
	By     Staff
}

// operator is what the machine knows of staff.
type operator struct {
	open     bool
	staff    Staff // zero: locked
	token    int   // of the newest CheckPIN; answers to older ones are dropped
	checking bool
	query    bool
	noPIN    bool
	problem  *Text
	retryAt  time.Time
	deadline time.Time
	notice   *Text
	page     StaffPage
	report   *DayReport
	sync     SyncView
	refusal  *Text // the notice, where it is one
	camera   CameraView
	settings *SettingsView
	found    *FoundView

	status []StatusLine
	day    DayNumbers
}

// Operator is who has the operator page unlocked; the zero Staff when nobody has.
func (m *Machine) Operator() Staff {
	if m.cfg.Operator.Standing != nil {
		return *m.cfg.Operator.Standing
	}
	if !m.op.open {
		return Staff{}
	}
	return m.op.staff
}

// authorised tells whether what changes fees, rules or the station may be done
// now: only while the operator page is open and a PIN has unlocked it.
func (m *Machine) authorised() bool { return m.Operator().Role != "" }

func (m *Machine) admin() bool { return m.Operator().Role == RoleAdmin }

// startLocked puts a new machine on its lock screen where the config says so.
func (m *Machine) startLocked() {
	if l := m.cfg.Operator.Locked; l != nil {
		v := *l
		m.locked, m.state = &v, Locked
	}
}

func (m *Machine) operatorIdle() time.Duration {
	switch {
	case m.op.staff.Role == "":
		return pinIdle
	case m.op.page == PageCamera, m.op.page == PageLight, m.op.page == PageChecklist, m.op.page == PageSettings:
		return max(cameraIdle, m.cfg.Operator.Idle)
	case m.cfg.Operator.Idle > 0:
		return m.cfg.Operator.Idle
	}
	return DefaultOperatorIdle
}

// touchOperator restarts the operator page's patience.
func (m *Machine) touchOperator() {
	m.op.deadline = time.Time{}
	if m.op.open {
		m.op.deadline = m.now.Add(m.operatorIdle())
	}
}

// operatorIntent handles what staff ask for, and refuses whatever comes from a
// screen that the operator page covers. It says whether nothing is left to do.
func (m *Machine) operatorIntent(in Intent) bool {
	if m.classIntent(in) {
		return true
	}
	switch in := in.(type) {
	case OpenOperator:
		m.openOperator()
		return true
	case ExportDay:
		m.exportDay(in)
		return true
	case AddStudent:
		m.addStudent(in)
		return true
	case ExcuseCheck:
		m.excuse(in)
		return true
	case BeginDay:
		m.beginDay()
		return true
	case OpenPage:
		m.openPage(in.Page)
		return true
	case DoCamera:
		m.cameraJob(in.Job)
		return true
	case FindToday:
		m.findToday(in)
		return true
	case ChangeSetting, ExportSettings, ImportSettings, Restart:
		m.settingsIntent(in)
		return true
	case Unlock:
		m.unlock(in.PIN)
		return true
	case CloseOperator:
		if m.op.open {
			m.closeOperator("left")
		}
		return true
	case CompareCard:
		m.compareCard()
		return true
	case LockStation, SyncNow, PurgeNow, EraseStudent, ShutDown:
		m.command(in)
		return true
	case Override, PaymentMark, PayCode, Recalibrate:
		return !m.authorised()
	}
	if !m.op.open {
		return false
	}
	switch in.(type) {
	case ToggleLang, ToggleLarge, Cover:
		return false
	case Wedge: // no visit begins behind the page
		return m.state == Idle || m.state == Identify
	case ManualAnswer, NextStudent:
		return !m.authorised()
	case Abandon:
		if m.authorised() {
			m.abandon("operator")
		}
	}
	return true
}

// openOperator covers the screen with the PIN pad. The visit stays as it is; a
// countdown stops, because nobody looks at it.
func (m *Machine) openOperator() {
	if m.op.open || m.state == Locked || m.cfg.Operator.Standing != nil {
		return
	}
	if m.state == Countdown {
		m.enter(Framing)
	}
	m.revealUntil = time.Time{}
	m.capture.held = time.Time{} // the second before a countdown starts begins anew afterwards
	m.op = operator{open: true, token: m.op.token, retryAt: m.op.retryAt, status: m.op.status, day: m.op.day}
	m.askPIN("")
	m.touch()
	m.touchOperator()
}

func (m *Machine) closeOperator(why string) {
	if m.op.staff.Role != "" {
		m.audit("operator.closed", why)
	}
	m.op = operator{token: m.op.token + 1, retryAt: m.op.retryAt, status: m.op.status, day: m.op.day}
	m.leaveClass()
	m.leaveAdd()
	m.revealUntil = time.Time{}
	m.touch()
}

func (m *Machine) askPIN(pin string) {
	m.op.token++
	m.op.checking, m.op.query, m.op.problem = true, pin == "", nil
	m.emit(CheckPIN{Token: m.op.token, PIN: pin})
}

// unlock takes a PIN from the lock screen or the operator page.
func (m *Machine) unlock(pin string) {
	switch {
	case m.state == Locked && m.locked != nil && m.locked.NoPIN:
		m.audit("station.unlocked", "no PIN is set")
		m.locked = nil
		m.enter(Idle)
	case m.state != Locked && (!m.op.open || m.op.staff.Role != ""):
	case pin == "" || m.op.checking && !m.op.query || m.now.Before(m.op.retryAt):
	default:
		m.askPIN(pin)
	}
}

// pinChecked takes the answer to the newest PIN.
func (m *Machine) pinChecked(ev PINChecked) {
	if ev.Token != m.op.token || !m.op.checking || m.state != Locked && !m.op.open {
		return
	}
	m.op.checking, m.op.query = false, false
	m.op.noPIN, m.op.problem = ev.NoPIN, ev.Problem
	m.op.retryAt = time.Time{}
	if ev.Wait > 0 {
		m.op.retryAt = m.now.Add(ev.Wait)
	}
	switch {
	case ev.Query || ev.NoPIN || ev.Problem != nil:
	case !ev.OK:
		m.op.problem = &textPINWrong
		m.audit("pin.wrong", "")
		if ev.Wait > 0 {
			m.audit("pin.lockout", fmt.Sprintf("%d s", int(ev.Wait.Seconds())))
		}
	case m.state == Locked:
		m.emit(Audit{Session: m.session, Event: "station.unlocked", By: ev.Staff})
		crash := m.locked != nil && m.locked.Crash
		m.locked = nil
		m.enter(Idle)
		// After a crash a student may be waiting: the checklist comes later.
		if !crash && m.checklistDue() {
			m.op = operator{open: true, token: m.op.token, status: m.op.status, day: m.op.day}
			m.letIn(ev.Staff)
		}
	default:
		m.letIn(ev.Staff)
	}
}

// letIn opens the staff's pages to whom a PIN has named.
func (m *Machine) letIn(who Staff) {
	m.op.staff = who
	m.audit("operator.opened", string(m.state))
	m.touchOperator()
	if m.checklistDue() {
		m.op.status = nil // nothing that was seen at another time
		m.openPage(PageChecklist)
	}
}

// command does what unlocked staff ask the station itself to do.
func (m *Machine) command(in Intent) {
	if !m.authorised() {
		return
	}
	can := m.allowed()
	switch in.(type) {
	case SyncNow:
		m.audit("sync.asked", "")
		m.op.notice = &textSyncing
		m.emit(Sync{})
	case LockStation:
		if !can.Lock {
			return
		}
		m.audit("station.locked", "")
		m.end("", Idle)
		m.closeOperator("locked")
		m.locked = &LockedView{Saved: m.op.day.Saved, LastSaved: m.op.day.LastSaved}
		m.enter(Locked)
	case PurgeNow:
		if can.Purge {
			m.audit("purge.asked", "")
			m.emit(Purge{})
		}
	case EraseStudent:
		if can.Erase {
			m.audit("erase.asked", string(m.state))
			m.emit(Erase{Session: m.session, BatchID: m.record.BatchID, Ref: m.record.Ref, By: m.Operator()})
			m.op.notice = &textErasing
			m.next = nil // staff are at the page: nobody is to be seated behind it
			m.abandon("erased")
		}
	case ShutDown:
		if can.ShutDown {
			m.audit("station.shutdown", "")
			m.emit(Quit{})
		}
	}
}

// nobodyHere: no student's visit would be lost.
func (m *Machine) nobodyHere() bool {
	return m.session == "" && (m.state == Idle || m.state == Abandoned)
}

// allowed says what unlocked staff may do in the present state.
func (m *Machine) allowed() Allowed {
	a := Allowed{Sync: true, Lock: m.nobodyHere(), Recalibrate: m.state == Idle && m.calibration.State != CalibrationRunning}
	a.Purge, a.ShutDown = m.admin() && m.nobodyHere(), m.admin() && m.nobodyHere()
	a.Next = m.state == Done
	a.Compare, a.Add = m.mayCompare(), m.mayAdd()
	switch m.state {
	case Identify, Eligible, Consent, Guide, Framing, Countdown, Shot, Standardising, Review, Confirm:
		a.Abandon = true
	case Locked, Idle, Sealing, Done, Abandoned:
	}
	if m.record != nil {
		a.Erase = a.Abandon && m.state != Identify || m.state == Done
		switch m.state {
		case Eligible, Consent, Guide, Framing, Countdown, Review, Confirm:
			a.Payment = m.record.Payment == "unpaid" || m.record.Payment == "deferred" || m.record.Payment == "refunded"
		case Locked, Idle, Identify, Shot, Standardising, Sealing, Done, Abandoned:
		}
		if m.state == Eligible {
			_, closed := alreadyCaptured(m.record.Capture)
			a.Captured = closed && m.record.Capture != "approved"
		}
	}
	if m.state == Review && m.shot != nil && m.shot.Portrait != nil {
		a.Manual = len(m.shot.ManualAsk) > 0
		a.Override = slices.ContainsFunc(m.failing(), func(l OverrideLine) bool { return l.Reason == "" })
	}
	return a
}

// failing lists what keeps the portrait from being accepted, or would have
// without an override.
func (m *Machine) failing() []OverrideLine {
	var out []OverrideLine
	add := func(c CheckLine) {
		l := OverrideLine{Check: c}
		for _, o := range m.overrides {
			if o.CheckID == c.ID {
				l.Reason = o.Reason
			}
		}
		out = append(out, l)
	}
	for _, c := range m.shot.Checks {
		if c.Status == "fail" {
			add(c)
		}
	}
	for _, c := range m.shot.ManualAsk {
		if slices.Contains(m.shot.ManualNot, c.ID) {
			add(c)
		}
	}
	return out
}

// overrideShot lets a failed check of the present photo through, on record.
func (m *Machine) overrideShot(in Override) {
	if m.shot == nil || m.shot.Portrait == nil || !knownReason(overrideReasons, in.Reason) || m.overridden(in.CheckID) {
		return
	}
	for _, l := range m.failing() {
		if l.Check.ID == in.CheckID {
			m.override(in, l.Check.Value, l.Check.Limit)
			m.op.notice = &textOverridden
			return
		}
	}
}

func (m *Machine) override(in Override, value, limit string) {
	by := m.Operator()
	m.decided = by
	m.overrides = append(m.overrides, Overridden{Override: in, By: by, At: m.now})
	m.emit(Audit{Session: m.session, Event: "override", Detail: in.CheckID + ": " + in.Reason, By: by, Value: value, Limit: limit})
}

// manualAnswer takes the answer to what only a person can judge: everything is
// met, or which is not.
func (m *Machine) manualAnswer(in ManualAnswer) {
	if m.shot == nil {
		return
	}
	if m.cfg.Operator.ManualPIN && !m.authorised() {
		m.say(textManualPIN)
		return
	}
	var not []string
	for _, c := range m.shot.ManualAsk {
		if slices.Contains(in.Not, c.ID) {
			not = append(not, c.ID)
		}
	}
	m.shot.ManualOK, m.shot.ManualNot = in.OK && len(not) == 0, not
	// What is met now needs no override any more.
	m.overrides = slices.DeleteFunc(m.overrides, func(o Overridden) bool {
		return slices.ContainsFunc(m.shot.ManualAsk, func(c CheckLine) bool { return c.ID == o.CheckID }) && !slices.Contains(not, o.CheckID)
	})
	detail := "not_ok"
	switch {
	case m.shot.ManualOK:
		detail = "all_ok"
	case len(not) > 0:
		detail = "not_ok: " + strings.Join(not, ", ")
	}
	if m.authorised() {
		m.decided = m.Operator()
	}
	m.audit("manual.answer", detail)
}

// manualDone tells whether people have judged what only they can.
func (m *Machine) manualDone() bool {
	if len(m.shot.ManualAsk) == 0 || m.shot.ManualOK {
		return true
	}
	for _, id := range m.shot.ManualNot {
		if !m.overridden(id) {
			return false
		}
	}
	return len(m.shot.ManualNot) > 0
}

// operatorNext says when staff's screens change by themselves: waits count whole
// seconds.
func (m *Machine) operatorNext(sooner func(time.Time)) {
	if m.now.Before(m.op.retryAt) && (m.op.open || m.state == Locked) {
		sooner(m.now.Add(remainder(m.op.retryAt.Sub(m.now))))
	}
	if !m.op.open {
		return
	}
	sooner(m.op.deadline)
	if warn := m.op.deadline.Add(-m.cfg.Timing.WarnLast); m.now.Before(warn) {
		sooner(warn)
	} else {
		sooner(m.now.Add(remainder(m.op.deadline.Sub(m.now))))
	}
}

// operatorTick closes a page that nobody touches.
func (m *Machine) operatorTick() {
	if m.op.open && !m.op.deadline.IsZero() && !m.now.Before(m.op.deadline) {
		m.closeOperator("idle")
	}
}

// operatorView is nil while neither page nor pad is open.
func (m *Machine) operatorView() *OperatorView {
	if !m.op.open {
		return nil
	}
	v := &OperatorView{Unlocked: m.op.staff.Role != "", PIN: m.pinView(), Deadline: m.op.deadline}
	if !v.Unlocked {
		return v
	}
	v.Proving = m.proving
	v.Page, v.Camera, v.Report, v.Checklist = m.op.page, m.cameraView(), m.dayView(), m.checklistView()
	v.Settings, v.Class, v.Found = m.settingsView(), m.classView(), m.foundView()
	v.Add = m.addView()
	switch v.Page {
	case PageSync:
		v.Sync = m.op.sync
	case PageLight:
		l := m.light
		v.Light = &l
	}
	v.Staff, v.Status, v.Day, v.Can = m.op.staff, withLight(m.op.status, m.calibration), m.op.day, m.allowed()
	if m.op.notice != nil {
		n := *m.op.notice
		v.Notice, v.Refused = &n, m.op.notice == m.op.refusal
	}
	if m.state == Review && m.shot != nil && m.shot.Portrait != nil {
		v.Failing = m.failing()
	}
	if v.Can.Manual {
		v.ManualOK = m.shot.ManualOK
		for _, c := range m.shot.ManualAsk {
			v.Manual = append(v.Manual, ManualLine{Check: c, Not: slices.Contains(m.shot.ManualNot, c.ID)})
		}
	}
	return v
}

// withLight puts after the plate how the light has kept since it was taken.
func withLight(status []StatusLine, c CalibrationView) []StatusLine {
	at := slices.IndexFunc(status, func(l StatusLine) bool { return l.ID == "plate" })
	if at < 0 {
		return status
	}
	l := StatusLine{ID: "light", Title: Text{"光线", "Light"}, Lamp: Lamp{OK, Text{"与空背景一致", "As when the backdrop was taken"}}}
	switch {
	case c.Alarm != nil:
		l.Lamp = Lamp{Warn, *c.Alarm}
	case c.Plate.ID == "":
		l.Lamp = Lamp{Note, Text{"拍过空背景后才能比较", "Compared once the backdrop is taken"}}
	}
	return slices.Insert(slices.Clone(status), at+1, l)
}

func (m *Machine) pinView() PINView {
	p := PINView{Busy: m.op.checking && !m.op.query, NoPIN: m.op.noPIN, Problem: m.op.problem}
	if m.now.Before(m.op.retryAt) {
		p.RetryAt = m.op.retryAt
	}
	return p
}

func (m *Machine) lockedView() *LockedView {
	if m.state != Locked || m.locked == nil {
		return nil
	}
	v := *m.locked
	v.PIN = m.pinView()
	return &v
}

var (
	textPINWrong   = Text{"PIN 不对，请再试一次。", "Wrong PIN. Please try again."}
	textErasing    = Text{"正在删除这位同学的照片。", "Erasing this student's photos."}
	textSyncing    = Text{"正在与审核中心同步。", "Exchanging with central now."}
	textOverridden = Text{"已放行并记录在案。", "Let through, on record."}
	textMarked     = Text{"缴费状态已记录。", "The payment state is on record."}
	textManualPIN  = Text{"人工检查项要由工作人员在管理页确认。", "Staff confirm the manual checks on the operator page."}
)
