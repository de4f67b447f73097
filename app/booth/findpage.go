package booth

import "time"

// PageFind looks for one of today's students: what became of the photo, and what
// can be done.
const PageFind StaffPage = "find"

// maxLookFor bounds what staff may type to look for, in bytes.
const maxLookFor = 64

// FindState narrows what is found; "" = all of today's.
type FindState string

// The states.
const (
	FindAll      FindState = ""
	FindWaiting  FindState = "waiting"
	FindReview   FindState = "review"
	FindApproved FindState = "approved"
	FindReturned FindState = "returned"
	FindTrouble  FindState = "trouble"
)

type (
	// FindToday asks for today's students by the last digits of their number, the
	// beginning of the name or the initials of its pinyin, and by state.
	FindToday struct {
		Query string
		State FindState
	}
	// LookToday is its effect, answered by TodayFound.
	LookToday struct {
		Query string
		State FindState
	}
	// TodayFound brings who was found.
	TodayFound struct{ Found FoundView }
)

func (FindToday) intent() {}
func (LookToday) effect() {}
func (TodayFound) event() {}

// String hides whom staff look for, so that no log or failure message shows it.
func (FindToday) String() string { return "FindToday{}" }

// String hides whom staff look for.
func (LookToday) String() string { return "LookToday{}" }

// FoundView is the page.
type FoundView struct {
	Query string
	State FindState
	Rows  []FoundRow
	More  int // found, and too many to show
}

// FoundRow is one of today's students; name and number are masked.
type FoundRow struct {
	Packet string // short form: what stood on the student's screen
	At     time.Time
	Name   string
	Number string // the last digits
	State  Text
	Level  Level
	About  Text      // the verdict and its reason, or how sending stands
	Do     Text      // what can be done
	Go     StaffPage // where; PageHome = nowhere
}

// findToday looks while the page is open.
func (m *Machine) findToday(in FindToday) {
	if m.op.open && m.authorised() && m.op.page == PageFind && len(in.Query) <= maxLookFor {
		m.emit(LookToday(in))
	}
}

// foundView is what the page shows; nil while it is closed or nobody looked yet.
func (m *Machine) foundView() *FoundView {
	if m.op.page != PageFind || m.op.found == nil {
		return nil
	}
	v := *m.op.found
	return &v
}
