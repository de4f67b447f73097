package booth

// StaffPage names one of the pages that staff turn to from their home page. What
// a page shows comes with its own event and stands in the view while it is open.
type StaffPage string

// Pages that every station has.
const (
	PageHome StaffPage = ""     // status, the day's numbers, what may be done with this visit
	PageMenu StaffPage = "menu" // all the others
)

type (
	// OpenPage turns to a page; nothing happens unless staff are unlocked.
	OpenPage struct{ Page StaffPage }
	// ShowPage asks for what a page shows. It is asked once at each turn to it;
	// who answers keeps the page fresh as long as the view has it.
	ShowPage struct{ Page StaffPage }
)

func (OpenPage) intent() {}
func (ShowPage) effect() {}

// openPage turns the staff's screen to a page.
func (m *Machine) openPage(p StaffPage) {
	if !m.op.open || m.op.staff.Role == "" || adminPages[p] && !m.admin() {
		return
	}
	m.op.page = p
	m.leaveClass()
	m.leaveAdd()
	m.op.notice, m.op.camera = nil, CameraView{}
	m.op.settings, m.op.found = nil, nil
	m.touchOperator()
	m.emit(ShowPage{Page: p})
}
