package booth

// Intent is what a person at the desk asks for. Screens send intents and show
// views; nothing else passes between them and the machine.
type Intent interface{ intent() }

// Intents of the student and the operator.
type (
	Start    struct{}              // 开始
	Key      struct{ Rune rune }   // digit, letter; '\b' erases one, 0x7f clears
	SetDoc   struct{ Doc DocType } // choose the document type
	Submit   struct{}              // look the typed number up
	Wedge    struct{ Text string } // a scanner or card reader typed this and Enter
	Choose   struct{ Index int }   // one of Candidates
	Reveal   struct{ Held bool }   // hold-to-reveal
	FlagInfo struct{}              // 信息有误
	NotMe    struct{}              // 这不是我: wipe, back to Identify
	Continue struct{}              // the screen's main button, wherever there is just one way on
	Back     struct{}              // one step back, where it is allowed
	Decline  struct{}              // consent refused
	Shutter  struct{}              // take the photo now (button, space, pedal)
	SetAuto  struct{ On bool }     // 自动拍 or 我自己按, for this visit
	Cover    struct{ On bool }     // a question lies over the mirror: nothing starts by itself
	Pick     struct{ Seq uint64 }  // from Review: another frame of the burst
	Retake   struct{}              // from Review
	Accept   struct{}              // from Review to Confirm
	// ManualAnswer is the staff's: 全部符合, or which of the manual checks are not
	// met.
	ManualAnswer struct {
		OK  bool
		Not []string
	}
	Override      struct{ CheckID, Reason string } // operator lets a failed check through, on record
	ConfirmSubmit struct{}                         // seal it
	PaymentMark   struct{ State, Reason string }   // operator: deferred or waived with a reason
	Abandon       struct{ Reason string }          // operator or student gives up
	NextStudent   struct{}                         // from Done
	ToggleLang    struct{}
	ToggleLarge   struct{}              // large-text mode, for this visit
	Stay          struct{}              // a touch on nothing in particular: still here, restart the timer
	FaultAction   struct{ Code string } // the fault page's button
	Unlock        struct{ PIN string }
)

func (Start) intent()         {}
func (Key) intent()           {}
func (SetDoc) intent()        {}
func (Submit) intent()        {}
func (Wedge) intent()         {}
func (Choose) intent()        {}
func (Reveal) intent()        {}
func (FlagInfo) intent()      {}
func (NotMe) intent()         {}
func (Continue) intent()      {}
func (Back) intent()          {}
func (Decline) intent()       {}
func (Shutter) intent()       {}
func (SetAuto) intent()       {}
func (Cover) intent()         {}
func (Pick) intent()          {}
func (Retake) intent()        {}
func (Accept) intent()        {}
func (ManualAnswer) intent()  {}
func (Override) intent()      {}
func (ConfirmSubmit) intent() {}
func (PaymentMark) intent()   {}
func (Abandon) intent()       {}
func (NextStudent) intent()   {}
func (ToggleLang) intent()    {}
func (ToggleLarge) intent()   {}
func (Stay) intent()          {}
func (FaultAction) intent()   {}
func (Unlock) intent()        {}
