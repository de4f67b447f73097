package booth

import (
	"slices"
	"strings"
	"time"
)

// PageClass calls a class: who is next, who was passed over, who is absent, and
// how far the class is.
const PageClass StaffPage = "class"

// Marks of a student in a class.
const (
	ClassWaiting = ""        // not photographed yet
	ClassSkipped = "skipped" // called and passed over: comes again at the end
	ClassAbsent  = "absent"  // not here today
	ClassDone    = "done"    // has a photo that nothing is wrong with, as far as is known here
	ClassRetake  = "retake"  // the photo was returned
)

// maxFind bounds what staff may type to find somebody, in characters.
const maxFind = 30

type (
	// PickClass begins to call the class at Index of [ClassView.Classes]; -1 ends
	// it and shows the classes again.
	PickClass struct{ Index int }
	// FindStudent finds students of all classes by the initials of their pinyin,
	// the end of a number or a name; "" shows the class again.
	FindStudent struct{ Query string }
	// MarkStudent passes a student over, puts them down as absent, or takes that
	// back with ClassWaiting.
	MarkStudent struct{ BatchID, Ref, Mark string }
	// SeatStudent begins the visit of a student of the list, as if their number had
	// been scanned.
	SeatStudent struct{ BatchID, Ref string }
	// CallNext begins the visit of whom the open class has next; SkipNext passes
	// them over. Both are on the welcome screen too, where no PIN is needed: who
	// is skipped only comes later, and the student still says whether it is them.
	CallNext struct{}
	// SkipNext passes over whom the open class has next.
	SkipNext struct{}
)

func (PickClass) intent()   {}
func (FindStudent) intent() {}
func (MarkStudent) intent() {}
func (SeatStudent) intent() {}
func (CallNext) intent()    {}
func (SkipNext) intent()    {}

// String hides what was typed, so that no log or failure message shows it.
func (FindStudent) String() string { return "FindStudent{}" }

// Effects and the event that answers them.
type (
	// CallClass remembers which class is called and lists it; the zero ClassID ends
	// the calling and lists the classes.
	CallClass struct{ Class ClassID }
	// ListClass lists the open class, or what Query finds.
	ListClass struct{ Query string }
	// KeepMark remembers a mark, then lists the open class.
	KeepMark struct{ BatchID, Ref, Mark string }
	// ClassListed answers all three. An answer to another query than the newest is
	// dropped.
	ClassListed struct {
		Query string
		Class ClassView
	}
)

func (CallClass) effect()          {}
func (ListClass) effect()          {}
func (KeepMark) effect()           {}
func (ClassListed) event()         {}
func (c ListClass) String() string { return "ListClass{}" }

// ClassID names a class of the list.
type ClassID struct{ BatchID, College, Class string }

// ClassLine is one class and how far it is.
type ClassLine struct {
	ID          ClassID
	Batch       string // its title
	Done, Total int
}

// ClassRow is one student of the class, or one that was found. It is masked like
// everything on a screen; Name is in it only while the staff hold the button that
// shows whom to call.
type ClassRow struct {
	BatchID, Ref string // opaque
	NameMasked   string
	Name         string
	NumberTail   string // of the document
	StudentNo    string // masked
	Class        string // of whom was found
	State        string // ClassWaiting …
}

// ClassView is the list that staff call a class by.
type ClassView struct {
	Classes []ClassLine // every class; while none is open
	Open    *ClassLine  // the class that is called
	Absent  int
	Rows    []ClassRow // of the open class, or what was found
	Next    int        // index into Rows of whom to call now; -1 = nobody is left
	Query   string
	Problem *Text // the list could not be kept
}

// NextView is whom the open class has next, for the welcome screen: masked.
type NextView struct {
	NameMasked, NumberTail string
	Class                  string
	Done, Total            int
}

// class is what the machine knows of the calling.
type class struct {
	query string
	view  ClassView
	// next and open are of the open class, whatever the page shows now.
	next *ClassRow
	open *ClassLine
}

// classIntent handles what is asked of the class list, and says whether it was.
func (m *Machine) classIntent(in Intent) bool {
	switch in := in.(type) {
	case PickClass:
		if !m.onClassPage() {
			return true
		}
		var id ClassID
		switch {
		case in.Index < 0:
		case in.Index < len(m.class.view.Classes):
			id = m.class.view.Classes[in.Index].ID
		default:
			return true
		}
		m.class = class{}
		m.audit("class.called", map[bool]string{true: "ended", false: "begun"}[id == ClassID{}])
		m.emit(CallClass{Class: id})
	case FindStudent:
		if m.onClassPage() && len([]rune(in.Query)) <= maxFind {
			m.class.query = in.Query
			m.emit(ListClass{Query: strings.TrimSpace(in.Query)})
		}
	case MarkStudent:
		if m.onClassPage() && m.listed(in.BatchID, in.Ref) {
			m.mark(in.BatchID, in.Ref, in.Mark)
		}
	case SeatStudent:
		if m.onClassPage() && m.listed(in.BatchID, in.Ref) {
			m.seat(in.BatchID, in.Ref)
		}
	case CallNext:
		if m.mayCall() {
			m.seat(m.class.next.BatchID, m.class.next.Ref)
		}
	case SkipNext:
		if m.mayCall() {
			m.mark(m.class.next.BatchID, m.class.next.Ref, ClassSkipped)
		}
	case Reveal:
		if !m.onClassPage() {
			return false
		}
		m.revealUntil = time.Time{}
		if in.Held {
			m.revealUntil = m.now.Add(m.cfg.Timing.Reveal)
		}
	default:
		return false
	}
	return true
}

// onClassPage tells whether unlocked staff have the class list before them.
func (m *Machine) onClassPage() bool {
	return m.op.open && m.authorised() && m.op.page == PageClass
}

// mayCall tells whether whoever is next may be called: from the staff's page, or
// from the welcome screen with nothing over it.
func (m *Machine) mayCall() bool {
	return m.class.next != nil && (m.onClassPage() || m.state == Idle && !m.op.open)
}

// listed tells whether a student is on the list before the staff: nobody else can
// be marked or called from there.
func (m *Machine) listed(batch, ref string) bool {
	for _, r := range m.class.view.Rows {
		if r.BatchID == batch && r.Ref == ref {
			return true
		}
	}
	return false
}

func (m *Machine) mark(batch, ref, mark string) {
	switch mark {
	case ClassWaiting, ClassSkipped, ClassAbsent:
		m.audit("class.marked", mark)
		m.emit(KeepMark{BatchID: batch, Ref: ref, Mark: mark})
	}
}

// seat begins a student's visit through the door that a scanned number takes. A
// visit under way is not touched: while its student decides about the photo, the
// one who was called is next in line.
func (m *Machine) seat(batch, ref string) {
	switch m.state {
	case Idle:
		if !m.doorOpen() {
			m.op.notice = &textDoorShut
			return
		}
		m.leaveForVisit()
		m.open()
	case Identify:
		m.leaveForVisit()
	case Review, Confirm, Sealing, Done:
		m.token++
		m.nextToken = m.token
		m.op.notice = &textSeatNext
		m.emit(Lookup{Session: m.session, Token: m.token, Doc: DocResident, Scanned: true, By: ByClass, BatchID: batch, Ref: ref})
		return
	case Locked, Eligible, Consent, Guide, Framing, Countdown, Shot, Standardising, Abandoned:
		m.op.notice = &textScanLater
		return
	}
	m.token++
	m.busy, m.bad, m.message = true, false, Text{}
	m.emit(Lookup{Session: m.session, Token: m.token, Doc: DocResident, Scanned: true, By: ByClass, BatchID: batch, Ref: ref})
}

// leaveForVisit takes the staff's page away, so that the student finds their own
// screen.
func (m *Machine) leaveForVisit() {
	if m.op.open {
		m.closeOperator("class")
	}
}

// classListed takes a list.
func (m *Machine) classListed(ev ClassListed) {
	if ev.Query == "" {
		m.class.open, m.class.next = ev.Class.Open, nil
		if i := ev.Class.Next; i >= 0 && i < len(ev.Class.Rows) {
			r := ev.Class.Rows[i]
			r.Name = ""
			m.class.next = &r
		}
	}
	if ev.Query == strings.TrimSpace(m.class.query) {
		m.class.view = ev.Class
	}
}

// leaveClass forgets the list that staff had before them; who is next stays, masked.
func (m *Machine) leaveClass() { m.class.query, m.class.view = "", ClassView{} }

// refreshClass asks for the list anew where a class is called: somebody of it may
// just have been photographed.
func (m *Machine) refreshClass() {
	if m.class.open != nil {
		m.emit(ListClass{})
	}
}

// classView is what the page shows; nil while it is closed.
func (m *Machine) classView() *ClassView {
	if m.op.page != PageClass {
		return nil
	}
	v := m.class.view
	v.Query = m.class.query
	if m.revealUntil.IsZero() {
		v.Rows = slices.Clone(v.Rows)
		for i := range v.Rows {
			v.Rows[i].Name = ""
		}
	}
	return &v
}

// nextView is what the welcome screen says of the open class; nil when none is.
func (m *Machine) nextView() *NextView {
	if m.state != Idle || m.class.open == nil {
		return nil
	}
	o := m.class.open
	v := &NextView{Class: o.ID.Class, Done: o.Done, Total: o.Total}
	if n := m.class.next; n != nil {
		v.NameMasked, v.NumberTail = n.NameMasked, n.NumberTail
	}
	return v
}

var (
	textDoorShut = Text{"现在还不能开始拍照，请先看首页的提示。", "No visit can begin now: see what the welcome screen says."}
	textSeatNext = Text{"已排为下一位，等现在这位同学拍完。", "Next in line, once the present student is finished."}
)
