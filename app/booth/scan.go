package booth

// UseCamera turns the reading of cards and codes by the camera on or off, on the
// Identify screen. The keypad stays in use beside it.
type UseCamera struct{ On bool }

func (UseCamera) intent() {}

// Scanning reports what the camera sees while it looks for a card or a code.
type Scanning struct {
	Session string
	Hint    ScanHint
	// Failed: the camera cannot read cards here; codes it may still.
	Failed bool
}

// Scanned is what the camera has read: the number on a card with the name beside
// it, or whom a pass on a phone was made for.
type Scanned struct {
	Session string
	Number  string // of a card; "" = a pass
	Name    string // on the card, as read; "" = it could not be
	BatchID string // of a pass, proved
	Ref     string // likewise
	Problem *Text  // a pass that is not good, and why
}

func (Scanning) event() {}
func (Scanned) event()  {}

// String hides whose card it was, so that no log or failure message shows it.
func (Scanned) String() string { return "Scanned{}" }

// ScanHint is what to do before the camera.
type ScanHint string

// The hints.
const (
	ScanNothing ScanHint = ""       // neither card nor code in sight
	ScanCloser  ScanHint = "closer" // a card, too far away for its digits
	ScanHold    ScanHint = "hold"   // a card, near enough: being read
)

// maxWedge bounds what a reader may type, in bytes: a whole card has some 200.
const maxWedge = 1024

// ScanView is the camera as reader of cards and codes.
type ScanView struct {
	Can  bool // it is offered
	On   bool
	Hint Text
	Near bool // the card is near enough
}

// useCamera switches the reading on or off.
func (m *Machine) useCamera(on bool) {
	switch {
	case m.scan.on == on || on && !m.cfg.ScanCamera:
		return
	case on && m.cameraDown != nil:
		m.say(textCameraWait)
		return
	}
	m.scan = scan{on: on}
	m.audit("identify.camera", map[bool]string{true: "on", false: "off"}[on])
}

// scan is the machine's side of it.
type scan struct {
	on     bool
	hint   ScanHint
	failed bool
}

// scanning takes what the camera sees.
func (m *Machine) scanning(ev Scanning) {
	if ev.Session == m.session && m.state == Identify && m.scan.on {
		m.scan.hint, m.scan.failed = ev.Hint, m.scan.failed || ev.Failed
	}
}

// scanned looks up whom the camera has read, as if it had been typed.
func (m *Machine) scanned(ev Scanned) {
	if ev.Session != m.session || m.state != Identify || !m.scan.on || m.busy || m.op.open {
		return
	}
	m.touch()
	if ev.Problem != nil {
		m.message, m.bad = *ev.Problem, true
		return
	}
	m.token++
	m.busy, m.bad, m.message = true, false, Text{}
	m.asked = ev.Number
	by := ByCamera
	if ev.Ref != "" {
		by = ByPhone
	}
	m.emit(Lookup{
		Session: m.session, Token: m.token, Doc: DocResident, Number: ev.Number, Scanned: true, By: by,
		Name: ev.Name, BatchID: ev.BatchID, Ref: ev.Ref,
	})
}

// scanView says what to do before the camera.
func (m *Machine) scanView() ScanView {
	if m.state != Identify || !m.scan.on {
		return ScanView{Can: m.cfg.ScanCamera}
	}
	v := ScanView{Can: true, On: true, Hint: textScanShow}
	switch {
	case m.scan.failed:
		v.Hint = textScanCodes
	case m.scan.hint == ScanCloser:
		v.Hint = textScanCloser
	case m.scan.hint == ScanHold:
		v.Hint, v.Near = textScanHold, true
	case ScanNothing == m.scan.hint:
	}
	return v
}

var (
	textScanShow   = Text{"请把身份证正面或手机上的采集码对准镜头。身份证不拍照、不保存。", "Hold the front of your ID card, or the code on your phone, up to the camera. The card is read, never kept."}
	textScanCloser = Text{"看到证件了，请再靠近镜头一些。", "There is the card: bring it closer to the camera."}
	textScanHold   = Text{"距离正好，请拿稳，正在识别。", "Close enough. Hold it still while it is read."}
	textScanCodes  = Text{"本机不能识别身份证，请输入号码，或出示手机上的采集码。", "Cards cannot be read here: type the number, or show the code on your phone."}
)
