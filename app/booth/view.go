package booth

import (
	"image"
	"time"
)

// State is where the student's visit stands.
type State string

// The states, in the order of a visit.
const (
	Locked        State = "locked" // operator PIN needed
	Idle          State = "idle"
	Identify      State = "identify"
	Eligible      State = "eligible" // Candidates non-empty and Student nil: choose first
	Consent       State = "consent"
	Guide         State = "guide"
	Framing       State = "framing"
	Countdown     State = "countdown"
	Shot          State = "shot"
	Standardising State = "standardising"
	Review        State = "review"
	Confirm       State = "confirm"
	Sealing       State = "sealing"
	Done          State = "done"
	Abandoned     State = "abandoned" // a farewell of a few seconds that says nothing was kept
)

// Lang is the language shown first; the other stands beside it, smaller.
type Lang string

// Languages.
const (
	ZH Lang = "zh"
	EN Lang = "en"
)

// Text is a sentence in both languages.
type Text struct{ ZH, EN string }

// In picks the sentence for l.
func (t Text) In(l Lang) string {
	if l == EN {
		return t.EN
	}
	return t.ZH
}

// Level colours a lamp or a hint; it is always shown with an icon and words too.
type Level string

// Levels.
const (
	OK   Level = "ok"
	Note Level = "note" // neutral information
	Warn Level = "warn"
	Bad  Level = "bad"
)

// View is everything the screens show, as one immutable snapshot. The machine
// makes a new one at each change; screens never reach past it.
type View struct {
	SessionID string // "" when nobody is here
	State     State
	Lang      Lang
	Large     bool // large-text mode
	Now       time.Time
	Deadline  time.Time // when this screen goes home by itself; zero = never
	Warning   bool      // the deadline is near: show the "still there?" timer

	Identify    IdentifyView
	Candidates  []Candidate // more than one record: choose
	Student     *StudentView
	Service     *ServiceView
	Payment     PaymentView
	Claim       ClaimView
	ConsentDoc  ConsentView
	Live        LiveView
	Capture     CaptureView
	Countdown   int // seconds left, 3 2 1
	Shot        *ShotView
	Saved       *SavedView
	Next        *StudentView // identified on the operator's side while this one is in Review
	Class       *NextView    // at Idle: whom the class that is called has next; nil = no class is
	Fault       *Fault       // a whole-screen fault; nil = none
	Toast       *Text        // one line that explains the last refusal
	Lamps       Lamps
	Calibration CalibrationView
	Retakes     []RetakeItem  // rejected photos: recall these students
	Operator    *OperatorView // covers everything; nil = closed
	Locked      *LockedView   // what the lock screen says
	Setup       *SetupView    // the first run covers everything; nil = it is over
	Simulated   bool          // the camera is the simulated booth: say so plainly
	Demo        bool          // demo data, embedded central: say so plainly
}

// DocType is what the student identifies with.
type DocType string

// Document types on the Identify screen.
const (
	DocResident  DocType = "resident" // 18-character resident ID, GB 11643 checksum
	DocHMT       DocType = "hmt"      // Hong Kong, Macau, Taiwan permits
	DocPassport  DocType = "passport"
	DocStudentNo DocType = "student_no" // student or exam number
)

// IdentifyView is the number being typed.
type IdentifyView struct {
	Doc      DocType
	Raw      string // as typed, upper case
	Grouped  string // 370802 2008 0101 1234 with gaps
	Complete bool   // may be submitted
	Bad      bool   // wrong checksum, region or date: Message says which
	Busy     bool   // looking up
	Scan     ScanView
	Message  Text
}

// Candidate is one record of a person with several.
type Candidate struct{ School, Batch, Level, Major string }

// StudentView is one student as the screens may show them. Full values are
// empty unless reveal is held.
type StudentView struct {
	NameMasked   string // 张*明
	NumberMasked string // 3708**********1234
	Revealed     bool
	NameFull     string
	NumberFull   string // grouped
	DocType      DocType
	School       string
	Level        string
	Major        string
	StudentNo    string
	Batch        string
	Spec         string // preset of the batch
	InfoFlagged  bool   // the student said that something is wrong
	Provisional  bool   // added by staff: central decides
	Recapture    bool   // an earlier photo was rejected
	RejectReason Text
}

// ServiceView is what the fee covers.
type ServiceView struct {
	PriceFen   int
	Policy     string // none, before_capture, before_submit, later
	Covers     Text
	ReviewDays int
	Contact    string
}

// PaymentView is the order's state.
type PaymentView struct {
	State   string // none, unpaid, paid, deferred, waived, refunded
	Blocked bool   // the policy's gate is here and closed
	Receipt bool   // central is away: the camera looks for a receipt on the phone
}

// ClaimView is the QR that joins phone, session and capture.
type ClaimView struct {
	URL         string // encode this; "" = no QR (not enrolled)
	Linked      bool
	MatchNumber string // four digits also on the phone
	Mismatch    bool   // the phone belongs to another student: held
}

// ConsentView is the text being agreed to.
type ConsentView struct {
	Version    string
	Body       Text
	RetainDays int
}

// LiveView coaches before the shot: one hint, the rest as small lamps.
type LiveView struct {
	Hint   Text
	Icon   string // arrow-left, arrow-right, arrow-up, arrow-down, closer, further, person, eye, light, ok, camera
	Level  Level
	Ready  bool // all live checks hold
	Broken Text // while not Ready: what to do about it, also when Hint still says something older
	Face   *FaceBox
	Checks []CheckLine
}

// FaceBox is the tracked face as fractions of the frame (0..1, not mirrored).
type FaceBox struct{ X, Y, W, H float64 }

// CheckLine is one measured rule for the screen.
type CheckLine struct {
	ID      string
	Title   Text
	Status  string // pass, warn, fail, manual, unknown
	Value   string // "3.1°", already formatted; "" = none
	Limit   string // "≤ 5°", likewise
	Message Text
}

// ShotView is the taken photo.
type ShotView struct {
	Attempt  int
	Seq      uint64      // of the frame that is shown: the one that is saved
	Burst    []BurstView // the frames around the shutter; picking another shows that one
	Picking  uint64      // the frame being made into a portrait instead; 0 = none
	Portrait image.Image // standardised, at output size; nil while standardising or when refused
	Before   image.Image // the same crop of the untouched frame
	Verdict  string      // pass, warn, fail
	Checks   []CheckLine
	Problem  *Text // why there is no portrait
	// ManualAsk lists the rules only a person can judge; ManualOK is the operator's answer (全部符合).
	ManualAsk []CheckLine
	ManualOK  bool
	ManualNot []string // ids that staff said are not met
	CanAccept bool
	TookMS    int // shutter → portrait
}

// BurstView is one frame of the burst.
type BurstView struct {
	Seq   uint64
	Thumb image.Image // head and shoulders, upright, not mirrored
	Best  bool        // the station's choice
	Flaw  Text        // what is less good about it; empty = nothing
}

// SavedView is shown once the packet is durable, never before.
type SavedView struct {
	PacketID string // short form for people
	At       time.Time
	Seq      uint64
	Pending  int  // packets waiting to be sent
	Online   bool // central answered with its signature
}

// Fault is a whole-screen explanation: what happened, is the photo safe, what to do now.
type Fault struct {
	Code   string
	Title  Text
	Body   Text
	Safe   Text // is my photo safe
	Do     Text // what to do now
	Action Text // label of the button; empty = resolves by itself
}

// Lamp is one status light.
type Lamp struct {
	Level Level
	Text  Text
}

// Lamps are always on screen for staff.
type Lamps struct {
	Camera  Lamp
	Central Lamp
	Outbox  Lamp
	Disk    Lamp
	Plate   Lamp
}

// RetakeItem is one rejected photo.
type RetakeItem struct {
	NameMasked string
	NumberTail string
	Reason     Text
	At         time.Time
}
