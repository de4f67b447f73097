package booth

import (
	"image"
	"time"
)

// Event is what the machinery behind the booth reports. Events that belong to
// a student carry the session id they were started for.
type Event interface{ event() }

// Record is one roster row as the booth needs it. It holds personal data and
// lives only inside a session.
type Record struct {
	Ref        string // opaque
	BatchID    string
	Batch      string
	School     string
	Level      string
	Major      string
	StudentNo  string
	Name       string
	NameMasked string
	Doc        DocType
	Number     string // grouped for reading
	NumMasked  string
	Payment    string
	Capture    string // "", captured, in_review, approved, rejected
	Rejected   Text   // why, when Capture is rejected
	Supersedes string // packet that a recapture replaces
	By         string // how the student was identified: ByKeypad …
	// Provisional is the reason why staff added the student, who is on no roster;
	// "" = a student of the roster.
	Provisional string
	Service     ServiceView
	Consent     ConsentView
	Spec        string
}

// How a student was identified, as it goes on record with the photo.
const (
	ByKeypad = "keypad" // typed
	ByWedge  = "wedge"  // by a scanner or card reader
	ByCamera = "camera" // a card or a printed code, by the booth's camera
	ByPhone  = "phone"  // a pass on the student's phone
	ByClass  = "class"  // called from the class list
)

// Events.
type (
	// Tick lets time pass; the caller sends one whenever NextTick is reached.
	Tick struct{}
	// LookupDone answers Lookup.
	LookupDone struct {
		Session string
		Token   int // of the Lookup it answers; answers to older ones are dropped
		Records []Record
		Problem *Text // the roster could not be asked
	}
	// ClaimUpdate tells how the phone link stands.
	ClaimUpdate struct {
		Session string
		Claim   ClaimView
	}
	// PaymentUpdate belongs to a student of a batch, not to a session: it
	// outlives an abandoned visit.
	PaymentUpdate struct{ BatchID, Ref, State string }
	// LiveUpdate is the latest coaching.
	LiveUpdate struct {
		Session string
		Live    LiveView
	}
	// FrameTaken answers TakeShot: the burst is held, Seq is its best frame.
	FrameTaken struct {
		Session string
		Attempt int
		Seq     uint64
		Burst   []BurstView // in the order taken; nil = a single frame
	}
	// PortraitDone answers TakeShot too, after FrameTaken, and Develop.
	PortraitDone struct {
		Session  string
		Attempt  int
		Seq      uint64 // of the frame it was made from; 0 = there was none
		Portrait image.Image
		Before   image.Image
		Verdict  string
		Checks   []CheckLine
		Manual   []CheckLine
		Problem  *Text // no portrait, and why
		TookMS   int
	}
	// Sealed answers Seal: the packet is durable.
	Sealed struct {
		Session  string
		PacketID string
		Seq      uint64
		At       time.Time
	}
	// SealFailed answers Seal: nothing was saved, everything is still in memory.
	SealFailed struct {
		Session string
		Problem Text
	}
	// CameraChanged reports that the camera works or why it does not.
	CameraChanged struct {
		Working bool
		Problem Text
	}
	// LampsChanged carries the status lights, the backlog and the worklist.
	LampsChanged struct {
		Lamps   Lamps
		Retakes []RetakeItem
		Pending int
		Online  bool
	}
	// GuardChanged closes or opens the door to new sessions (disk floor, no
	// roster, no plate). It never touches a session under way.
	GuardChanged struct{ Fault *Fault }
)

func (Tick) event()          {}
func (LookupDone) event()    {}
func (ClaimUpdate) event()   {}
func (PaymentUpdate) event() {}
func (LiveUpdate) event()    {}
func (FrameTaken) event()    {}
func (PortraitDone) event()  {}
func (Sealed) event()        {}
func (SealFailed) event()    {}
func (CameraChanged) event() {}
func (LampsChanged) event()  {}
func (GuardChanged) event()  {}

// Effect is something the machine wants done outside.
type Effect interface{ effect() }

// Effects.
type (
	// BeginSession opens the context everything of this visit hangs on.
	BeginSession struct{ Session string }
	// EndSession cancels that context and zeroes what the visit owned.
	EndSession struct{ Session, Reason string }
	// Lookup asks the roster.
	Lookup struct {
		Session string
		Token   int
		Doc     DocType
		Number  string
		Scanned bool // from a scanner or reader: any document type may match
		By      string
		// Name is what the camera read beside the number; a record of quite
		// another name is none of this card. "" = not known.
		Name string
		// BatchID and Ref name the record that a pass was made for, or that staff
		// chose from a list; Number is empty then.
		BatchID, Ref string
	}
	// StartClaim mints the QR and watches the phone's progress.
	StartClaim struct {
		Session string
		Record  Record
	}
	// TakeShot holds the frames around the one on screen and standardises the
	// best of them.
	TakeShot struct {
		Session string
		Attempt int
		Spec    string
	}
	// Develop standardises another frame of the burst.
	Develop struct {
		Session string
		Attempt int
		Seq     uint64
		Spec    string
	}
	// Seal makes the packet and commits it.
	Seal struct {
		Session   string
		Attempt   int
		Seq       uint64 // of the frame that is shown
		Record    Record
		Overrides []Overridden
		ManualOK  bool
		Operator  Staff  // who last decided something in this visit; zero: nobody
		Consent   string // version agreed to
		Flagged   bool
		Payment   string
		Marked    Marked // why Payment is what it is, where staff said so
	}
	// SavePayment makes an operator's decision about the fee durable.
	SavePayment struct{ BatchID, Ref, State, Reason string }
	// Audit is one line of the audit log; it never holds personal data.
	Audit struct {
		Session, Event, Detail string
		By                     Staff  // zero: the student or the station itself
		Value, Limit           string // of the check that was overridden
	}
)

func (BeginSession) effect() {}
func (EndSession) effect()   {}
func (Lookup) effect()       {}
func (StartClaim) effect()   {}
func (TakeShot) effect()     {}
func (Develop) effect()      {}
func (Seal) effect()         {}
func (SavePayment) effect()  {}
func (Audit) effect()        {}
