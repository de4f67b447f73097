package booth

// PayCode is the eight digits that a student's phone shows once the fee is paid,
// typed by staff because the station cannot ask central.
type PayCode struct{ Code string }

func (PayCode) intent() {}

// String hides the code, so that no log or failure message shows it.
func (PayCode) String() string { return "PayCode{}" }

// ProofJudged tells what a proof of payment was worth: a code that staff typed
// or a receipt that the camera read.
type ProofJudged struct {
	Session  string
	OK       bool
	Evidence string // receipt or code
	Problem  Text   // when not OK: what it was instead, and what to do
}

func (ProofJudged) event() {}

// CheckCode asks whether a typed code proves the payment; ProofJudged answers.
type CheckCode struct {
	Session string
	Record  Record
	Code    string
}

func (CheckCode) effect() {}

// String hides the code and the record.
func (CheckCode) String() string { return "CheckCode{}" }

// owing: a fee is due and not settled for good.
func (m *Machine) owing() bool {
	if m.record == nil || m.record.Service.Policy == "none" {
		return false
	}
	switch m.record.Payment {
	case "unpaid", "deferred", "refunded":
		return true
	}
	return false
}

// receiptWanted: the camera looks for a receipt on a phone. It does so only
// while central cannot say itself that the fee is paid, and on screens that
// neither need the camera nor its picture of the student.
func (m *Machine) receiptWanted() bool {
	if m.online || !m.owing() || m.claim.URL == "" || m.cameraDown != nil {
		return false
	}
	switch m.state {
	case Eligible, Consent, Guide, Confirm:
		return true
	case Locked, Idle, Identify, Framing, Countdown, Shot, Standardising, Review, Sealing, Done, Abandoned:
	}
	return false
}

// Owing is the record of a student whose receipt the camera looks for; ok is
// false while it looks for none.
func (m *Machine) Owing() (r Record, ok bool) {
	if !m.receiptWanted() {
		return Record{}, false
	}
	return *m.record, true
}

// payCode takes the code from unlocked staff.
func (m *Machine) payCode(in PayCode) {
	if !m.authorised() || !m.allowed().Payment || m.proving {
		return
	}
	m.proving = true
	m.op.notice = nil
	m.emit(CheckCode{Session: m.session, Record: *m.record, Code: in.Code})
}

// proofJudged takes the answer to a code or a receipt. A proof that was good is
// kept by the station whatever became of the visit.
func (m *Machine) proofJudged(ev ProofJudged) {
	if ev.Session != m.session || m.record == nil {
		return
	}
	if ev.Evidence != "receipt" {
		m.proving = false
	}
	text := ev.Problem
	if ev.OK {
		text = textProved
		m.record.Payment, m.marked = "paid", Marked{}
	}
	if m.op.open && m.op.staff.Role != "" {
		m.op.notice, m.op.refusal = &text, nil
		if !ev.OK {
			m.op.refusal = &text
		}
		return
	}
	m.say(text)
}

var textProved = Text{"付款凭证有效，已支付。", "The receipt is good: paid."}
