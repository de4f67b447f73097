package booth

import (
	"slices"
	"strings"
)

// PageAdd is where staff add a student who stands at the desk and on no roster.
const PageAdd StaffPage = "add"

// maxName bounds a name, in characters, as a roster does.
const maxName = 50

type (
	// AddStudent adds a student for central to decide about, and goes on with their
	// visit. Sure says that staff have seen who is called the same on the list.
	AddStudent struct {
		Doc                           DocType
		Number, Name, BatchID, Reason string
		Sure                          bool
	}
	// KeepStudent is its effect.
	KeepStudent struct {
		Session string
		Token   int
		Doc     DocType
		Number  string
		Name    string
		BatchID string
		Reason  string
		Sure    bool
		By      Staff
	}
	// StudentKept answers KeepStudent: the record, or why there is none.
	StudentKept struct {
		Session string
		Token   int
		Record  *Record
		Problem *Text
		Alike   bool // the problem is namesakes: saying so again adds the student
	}
	// AddListed answers ShowPage of PageAdd: the batches a student can be added to.
	AddListed struct{ Batches []AddBatch }
)

func (AddStudent) intent()  {}
func (KeepStudent) effect() {}
func (StudentKept) event()  {}
func (AddListed) event()    {}

// String hides who it is, so that no log or failure message shows it.
func (AddStudent) String() string { return "AddStudent{}" }

// String hides who it is.
func (KeepStudent) String() string { return "KeepStudent{}" }

// AddBatch is a batch a student can be added to.
type AddBatch struct{ ID, Title, School string }

// AddView is the page where a student is added.
type AddView struct {
	Number  string // as it was typed or read last, to begin with
	Doc     DocType
	Batches []AddBatch
	Busy    bool
	Problem *Text
	Alike   bool // Problem is namesakes: adding the same again is taken
}

// AddReasons are the reasons for adding a student who is on no roster.
func AddReasons() []Reason { return slices.Clone(addReasons) }

var addReasons = []Reason{
	{"late", Text{"补录，名单还没更新", "Enrolled late, the list is older"}},
	{"transfer", Text{"转学、转专业", "Transferred"}},
	{"list_error", Text{"名单有误", "The list is wrong"}},
	{"other", Text{"其他，另行说明", "Other, told separately"}},
}

// add is what the machine knows of adding a student.
type add struct {
	last    string // the number that was on no list
	doc     DocType
	batches []AddBatch
	token   int
	busy    bool
	problem *Text
	alike   bool
}

// mayAdd tells whether a student may be added now: somebody stands here whose
// number was on no list, or is being asked for one.
func (m *Machine) mayAdd() bool { return m.state == Identify && !m.busy }

// addStudent checks what staff typed and has it kept.
func (m *Machine) addStudent(in AddStudent) {
	if !m.op.open || !m.authorised() || m.op.page != PageAdd || m.adding.busy {
		return
	}
	refuse := func(t Text) { m.adding.problem, m.adding.alike = &t, false }
	name := strings.TrimSpace(in.Name)
	complete, problem := m.cfg.Check(in.Doc, in.Number)
	switch {
	case !m.mayAdd():
		refuse(textAddNobody)
		return
	case problem != nil:
		refuse(*problem)
		return
	case !complete:
		refuse(textIncomplete)
		return
	case len([]rune(name)) < 2 || len([]rune(name)) > maxName:
		refuse(textAddName)
		return
	case !slices.ContainsFunc(m.adding.batches, func(b AddBatch) bool { return b.ID == in.BatchID }), !knownReason(addReasons, in.Reason):
		refuse(textAddChoose)
		return
	}
	m.adding.token++
	m.adding.busy, m.adding.problem = true, nil
	m.emit(KeepStudent{
		Session: m.session, Token: m.adding.token, Doc: in.Doc, Number: in.Number, Name: name, BatchID: in.BatchID, Reason: in.Reason,
		Sure: in.Sure && m.adding.alike, By: m.Operator(),
	})
}

// studentKept goes on with the visit of the student who was added.
func (m *Machine) studentKept(ev StudentKept) {
	if ev.Token != m.adding.token || !m.adding.busy {
		return
	}
	m.adding.busy, m.adding.problem, m.adding.alike = false, ev.Problem, ev.Alike
	if ev.Record == nil || ev.Session != m.session || m.state != Identify {
		return
	}
	m.audit("student.added", ev.Record.Provisional)
	m.decided = m.Operator()
	m.closeOperator("added")
	m.choose(*ev.Record)
}

// leaveAdd forgets what was typed and found.
func (m *Machine) leaveAdd() {
	m.adding = add{last: m.adding.last, doc: m.adding.doc, token: m.adding.token + 1}
}

// addView is what the page shows; nil while it is closed.
func (m *Machine) addView() *AddView {
	if m.op.page != PageAdd {
		return nil
	}
	v := &AddView{Number: m.adding.last, Doc: m.adding.doc, Batches: slices.Clone(m.adding.batches), Busy: m.adding.busy, Problem: m.adding.problem, Alike: m.adding.alike}
	if !m.mayAdd() && !m.adding.busy {
		v.Problem = &textAddNobody
	}
	return v
}

// toldProvisional says to the student what being added means, for as long as it
// takes to read it.
func (m *Machine) toldProvisional() {
	m.say(textProvisional)
	m.toastUntil = m.now.Add(3 * m.cfg.Timing.Toast)
}

var (
	textAddNobody   = Text{"请先回到学生画面，点“开始”，查过号码再登记。", "Go back to the student's screen first, touch Start and look the number up."}
	textAddName     = Text{"请写全姓名，2 到 50 个字。", "Write the whole name, 2 to 50 characters."}
	textAddChoose   = Text{"请选择批次和原因。", "Choose a batch and a reason."}
	textProvisional = Text{
		"您不在名单上，由工作人员临时登记。照片会照常拍摄、保存和上传，是否采用由学校决定。",
		"You are on no list and were added by the staff. The photo is taken, kept and sent as usual; the school decides whether it counts.",
	}
)
