package booth

import "time"

// PageDay shows staff how the day went and whether its photos add up.
const PageDay StaffPage = "day"

type (
	// ExportDay has the day's report written to files; Names puts the students
	// into it, an admin's.
	ExportDay struct{ Names bool }
	// WriteDay is its effect; StaffNotice tells where the files are.
	WriteDay struct{ Names bool }
	// DayReported answers ShowPage of PageDay.
	DayReported struct{ Report DayReport }
)

func (ExportDay) intent()  {}
func (WriteDay) effect()   {}
func (DayReported) event() {}

// DayReport is a day of one station, counted from its audit log and its outbox.
// It names no student.
type DayReport struct {
	At       time.Time // of the count
	Sessions []DaySession
	Saved    int // visits whose photo was saved
	Left     int // visits that ended without
	Hours    []DayHour
	Steps    []DayStep // medians over the visits whose photo was saved
	Retakes  []DayRetake
	// The same photos counted four times: packets that a visit was sealed into,
	// those the outbox has, those central has stored, those it opened and signed
	// for. Missing were sealed into and are not in the outbox: either the seal
	// failed with the student still there, or something is wrong. Strangers are in
	// the outbox and no visit of the day's log knows them.
	Captured, Kept, Sent, Acked int
	Missing, Strangers          []string // packet ids
	// Differences are all photos that are not acknowledged, what is the matter
	// with each and what to do, the worst first.
	Differences []DayDifference
	People      []DayPerson // only where an admin asked for them
}

// DayDifference is one photo that is not where it should be by now.
type DayDifference struct {
	Packet string // short form for people
	Level  Level
	What   Text
	Do     Text
}

// DayPerson is one student of the day.
type DayPerson struct {
	At     time.Time
	Name   string
	Number string // the last digits
	Packet string // short form
	State  Text
}

// Whole tells that captured = saved = sent = acknowledged.
func (r DayReport) Whole() bool {
	return r.Captured == r.Kept && r.Kept == r.Sent && r.Sent == r.Acked && len(r.Missing) == 0 && len(r.Strangers) == 0
}

// DaySession is one visit.
type DaySession struct {
	Began   time.Time
	Seconds int    // until it was sealed or ended
	Shots   int    // times the shutter was pressed
	Packet  string // id, "" = none
	End     string // the log's word: done, timeout, left, …; "" = under way or cut
}

// DayHour counts the photos saved within an hour of the day.
type DayHour struct{ Hour, Saved int }

// DayStep is the median time of one step of a visit.
type DayStep struct {
	Name    Text
	Seconds float64
}

// DayRetake counts why another photo was taken.
type DayRetake struct {
	Name  Text
	Count int
}

// exportDay asks for the files while the page is open.
func (m *Machine) exportDay(in ExportDay) {
	if !m.authorised() || m.op.page != PageDay || in.Names && !m.admin() {
		return
	}
	m.audit("day.exported", map[bool]string{true: "with names"}[in.Names])
	m.emit(WriteDay(in))
}

// dayView is what the page shows; nil while it is closed or not counted yet.
func (m *Machine) dayView() *DayReport {
	if m.op.page != PageDay || m.op.report == nil {
		return nil
	}
	r := *m.op.report
	return &r
}
