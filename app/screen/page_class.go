package screen

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// classPage is how staff call a class: its list, who is next, and a small keyboard
// that finds anybody by the initials of their pinyin or the end of their number.
type classPage struct {
	staffPage
	head    *panel
	say     pair
	track   *panel // how far the class is
	full    *panel
	share   float32
	change  *button
	find    *button
	classes *table
	list    *table

	field  *panel
	query  *textBlock
	hint   pair
	keys   []*button
	card   *panel
	who    *textBlock
	about  *textBlock
	state  *textBlock
	stateI *sign
	reveal *button
	seat   *button
	skip   *button
	absent *button
	undo   *button
	close  *button

	view    booth.ClassView
	order   []int // index into view.Classes of each line
	finding bool
	chosen  string // reference of the student in the card; "" = none
}

func newClassPage(u *ui) screen {
	s := &classPage{staffPage: newStaffPage(u, booth.Text{ZH: "按班级叫号", EN: "Call a class"}, booth.PageMenu)}
	s.head = s.panel(colSurface, colLine)
	s.say = s.pair(22, 15, true, colInk, colMuted)
	s.track, s.full = s.panel(colTint, colTint), s.panel(colOK, colOK)
	s.change = s.page.button("class-change", lookPlain, "", func() { s.leave(); u.send(booth.PickClass{Index: -1}) })
	s.find = s.page.button("class-find", lookPlain, "", func() { s.search(!s.finding) })
	s.classes = newTable(&s.page, "classes", []column{
		{name: booth.Text{ZH: "学院", EN: "College"}, share: 2.2},
		{name: booth.Text{ZH: "班级", EN: "Class"}, share: 1.6},
		{name: booth.Text{ZH: "批次", EN: "Batch"}, share: 2.6},
		{name: booth.Text{ZH: "已拍", EN: "Done"}, share: .9, right: true},
	}, 12, func(i int) {
		if i < len(s.order) {
			s.leave()
			u.send(booth.PickClass{Index: s.order[i]})
		}
	})
	s.list = newTable(&s.page, "class", []column{
		{name: booth.Text{ZH: "姓名", EN: "Name"}, share: 1.5},
		{name: booth.Text{ZH: "证件尾号", EN: "ID ends"}, share: 1.1},
		{name: booth.Text{ZH: "学号", EN: "Student no."}, share: 1.7},
		{name: booth.Text{ZH: "状态", EN: "State"}, share: 1.8},
	}, 12, func(i int) {
		if i < len(s.view.Rows) {
			s.chosen = s.view.Rows[i].Ref
			s.redraw()
		}
	})
	s.field = s.panel(colSurface, colBrand)
	s.query = s.page.text(30, true, colInk).mid().line()
	s.hint = s.pair(17, 14, false, colMuted, colMuted)
	for _, r := range "1234567890" + alphabet {
		b := s.page.button("find-"+string(r), lookKey, "", func() { s.typed(r) })
		b.plain(string(r), "")
		s.keys = append(s.keys, b)
	}
	s.keys = append(s.keys,
		s.page.button("find-back", lookKey, "backspace", func() { s.erase() }),
		s.page.button("find-clear", lookKey, "cross", func() { s.ask("") }))
	s.card = s.panel(colSurface, colLine)
	s.who = s.page.text(sizeHero, true, colInk).centre().mid().line()
	s.about = s.page.text(18, false, colMuted).centre().mid()
	s.stateI = s.sign("note", colNote)
	s.state = s.page.text(18, true, colNote).mid().line()
	s.reveal = s.page.button("class-reveal", lookPlain, "eye", nil)
	s.reveal.onHold = func(held bool) { u.send(booth.Reveal{Held: held}) }
	with := func(f func(r booth.ClassRow)) func() {
		return func() {
			if r, ok := s.row(); ok {
				f(r)
			}
		}
	}
	mark := func(m string) func() {
		return with(func(r booth.ClassRow) {
			s.chosen = "" // on to whom the list now has next
			u.send(booth.MarkStudent{BatchID: r.BatchID, Ref: r.Ref, Mark: m})
		})
	}
	s.skip = s.page.button("class-skip", lookPlain, "arrow-right", mark(booth.ClassSkipped))
	s.absent = s.page.button("class-absent", lookPlain, "cross", mark(booth.ClassAbsent))
	s.undo = s.page.button("class-undo", lookPlain, "retake", mark(booth.ClassWaiting))
	s.close = s.page.button("class-close", lookPlain, "", func() { s.chosen = ""; s.redraw() })
	s.seat = s.page.button("class-seat", lookPrimary, "person", with(func(r booth.ClassRow) {
		u.send(booth.SeatStudent{BatchID: r.BatchID, Ref: r.Ref})
	}))
	s.mark("class-progress", s.head.bg, func() string { return s.say.a.text })
	s.mark("class-who", s.card.bg, nil) // never the name: drivers keep what they read
	return s
}

// leave forgets what the page itself has of students.
func (s *classPage) leave() { s.finding, s.chosen = false, "" }

func (s *classPage) forget() {
	s.leave()
	s.view, s.order = booth.ClassView{Next: -1}, nil
	s.list.set(nil, booth.Text{})
	s.classes.set(nil, booth.Text{})
	for _, t := range []*textBlock{s.who, s.about, s.query} {
		t.set("")
	}
}

// row is the student in the card: the one that was pressed, else whoever is next.
func (s *classPage) row() (booth.ClassRow, bool) {
	for _, r := range s.view.Rows {
		if r.Ref == s.chosen {
			return r, true
		}
	}
	if i := s.view.Next; !s.finding && i >= 0 && i < len(s.view.Rows) {
		return s.view.Rows[i], true
	}
	return booth.ClassRow{}, false
}

// search shows the keyboard or takes it away.
func (s *classPage) search(on bool) {
	s.finding, s.chosen = on, ""
	s.ask("")
	s.redraw()
}

func (s *classPage) redraw() {
	s.ui.send(booth.Stay{}) // somebody is here
	s.show()
	if s.ui.rearrange != nil {
		s.ui.rearrange()
	}
}

// typed takes a key, also of a real keyboard, on which a name may be written.
func (s *classPage) typed(r rune) {
	if unicode.IsControl(r) {
		return
	}
	s.finding = true
	s.ask(s.view.Query + string(unicode.ToLower(r)))
}

func (s *classPage) erase() {
	if q := []rune(s.view.Query); len(q) > 0 {
		s.ask(string(q[:len(q)-1]))
	}
}

// ask finds anew. The view's word stands until the booth has answered, so that two
// quick keys are both kept.
func (s *classPage) ask(query string) {
	s.chosen, s.view.Query = "", query
	s.ui.send(booth.FindStudent{Query: query})
}

func (s *classPage) update(v booth.View) {
	s.view = booth.ClassView{Next: -1}
	if v.Operator != nil && v.Operator.Class != nil {
		s.view = *v.Operator.Class
	}
	if s.view.Query != "" {
		s.finding = true
	}
	if v.Operator != nil && v.Operator.Notice != nil && s.view.Problem == nil {
		s.view.Problem = v.Operator.Notice
	}
	s.show()
}

// classStates says how a student of the list stands.
var classStates = map[string]struct {
	level booth.Level
	text  booth.Text
}{
	booth.ClassWaiting: {booth.Note, booth.Text{ZH: "未拍", EN: "waiting"}},
	booth.ClassSkipped: {booth.Warn, booth.Text{ZH: "已跳过，稍后再叫", EN: "passed over, comes again"}},
	booth.ClassAbsent:  {booth.Bad, booth.Text{ZH: "缺席", EN: "absent"}},
	booth.ClassDone:    {booth.OK, booth.Text{ZH: "已拍", EN: "done"}},
	booth.ClassRetake:  {booth.Warn, booth.Text{ZH: "退回，要重拍", EN: "returned: again"}},
}

// show puts the page's own state and the newest list on the screen.
func (s *classPage) show() {
	v, lang := s.view, s.ui.lang
	picking := v.Open == nil && !s.finding
	say, level := booth.Text{ZH: "选一个班级，就从第一位开始叫", EN: "Choose a class; its first student is next"}, booth.Note
	s.share = 0
	switch o := v.Open; {
	case v.Problem != nil:
		say, level = *v.Problem, booth.Warn
	case s.finding:
		say = booth.Text{
			ZH: "输入拼音首字母（zjm → 张*明）、号码末尾至少 3 位，或姓名",
			EN: "Initials of the pinyin (zjm → 张*明), the last 3 or more of a number, or a name",
		}
	case o != nil:
		name := strings.TrimSpace(o.ID.College + " " + o.ID.Class)
		say = booth.Text{
			ZH: fmt.Sprintf("%s　已拍 %d / %d　缺席 %d", name, o.Done, o.Total, v.Absent),
			EN: fmt.Sprintf("%s   %d of %d done, %d absent", name, o.Done, o.Total, v.Absent),
		}
		if name == "" {
			say.ZH, say.EN = "未分班"+say.ZH, "No class"+say.EN
		}
		s.share = float32(o.Done) / float32(max(1, o.Total))
		if v.Next < 0 {
			level = booth.OK
			say.ZH, say.EN = say.ZH+"　没有要叫的了", say.EN+"; nobody is left to call"
		}
	}
	tn := tone{colInk, colSurface, ""}
	if level != booth.Note {
		tn = toneOf(level)
	}
	s.head.tint(tn.ground, colLine)
	s.say.tint(tn.text, tn.text)
	s.say.set(s.ui, say)
	setVisible(s.track.bg, v.Open != nil && !s.finding)
	setVisible(s.full.bg, v.Open != nil && !s.finding && s.share > 0)
	setVisible(s.change, v.Open != nil && !s.finding)
	s.change.label(booth.Text{ZH: "换班级", EN: "Another class"})
	s.find.label(booth.Text{ZH: "查找学生", EN: "Find a student"})
	s.find.setLook(lookPlain)
	if s.finding {
		s.find.label(booth.Text{ZH: "回到班级", EN: "Back to the class"})
		s.find.setLook(lookChosen)
	}
	s.showClasses(picking)
	var rows [][]cell
	if !picking {
		for i, r := range v.Rows {
			st := classStates[r.State]
			words := st.text.In(lang)
			if r.Class != "" {
				words = r.Class + " · " + words
			}
			if i == v.Next && !s.finding {
				words = booth.Text{ZH: "下一位", EN: "next"}.In(lang)
				st.level = booth.Note
			}
			rows = append(rows, []cell{
				{text: r.NameMasked, strong: r.Ref == s.chosen || i == v.Next && !s.finding}, {text: r.NumberTail}, {text: r.StudentNo}, {text: words, level: st.level},
			})
		}
	}
	empty := booth.Text{ZH: "没有找到", EN: "Nobody is found"}
	if s.finding && v.Query == "" {
		empty = booth.Text{ZH: "还没有输入", EN: "Nothing typed yet"}
	}
	s.list.set(rows, empty)
	s.list.conceal(picking)
	s.classes.conceal(!picking)
	s.showCard(picking)
	keys := s.finding && s.chosen == ""
	for _, b := range s.keys {
		setVisible(b, keys)
	}
	setVisible(s.field.bg, keys)
	s.query.set("")
	s.hint.set(s.ui, booth.Text{})
	if keys {
		s.query.set(strings.ToUpper(v.Query))
		if v.Query == "" {
			s.hint.set(s.ui, booth.Text{ZH: "例如 ZJM 或 002X", EN: "Such as ZJM or 002X"})
		}
	}
}

// showClasses lists the classes, those that are not finished first.
func (s *classPage) showClasses(on bool) {
	s.order = nil
	var rows [][]cell
	for _, done := range []bool{false, true} {
		for i, c := range s.view.Classes {
			if !on || (c.Done == c.Total) != done {
				continue
			}
			s.order = append(s.order, i)
			name := c.ID.Class
			if name == "" {
				name = booth.Text{ZH: "未分班", EN: "No class"}.In(s.ui.lang)
			}
			level := booth.Level("")
			if done {
				level = booth.OK
			}
			rows = append(rows, []cell{{text: c.ID.College}, {text: name, strong: true}, {text: c.Batch}, {text: fmt.Sprintf("%d / %d", c.Done, c.Total), level: level}})
		}
	}
	s.classes.set(rows, booth.Text{ZH: "名单里没有班级", EN: "The list has no classes"})
}

// showCard is the student to be called.
func (s *classPage) showCard(picking bool) {
	r, ok := s.row()
	ok = ok && !picking
	setVisible(s.card.bg, ok)
	for _, b := range []*button{s.reveal, s.seat} {
		setVisible(b, ok)
	}
	waiting := r.State == booth.ClassWaiting || r.State == booth.ClassRetake
	setVisible(s.skip, ok && waiting)
	setVisible(s.absent, ok && (waiting || r.State == booth.ClassSkipped))
	setVisible(s.undo, ok && (r.State == booth.ClassSkipped || r.State == booth.ClassAbsent))
	setVisible(s.close, ok && s.chosen != "")
	setVisible(s.stateI.img, ok)
	for _, t := range []*textBlock{s.who, s.about, s.state} {
		t.set("")
	}
	if !ok {
		return
	}
	s.who.set(r.NameMasked)
	if r.Name != "" {
		s.who.set(r.Name)
	}
	s.about.set(strings.TrimSpace(r.NumberTail + "  ·  " + r.StudentNo))
	st := classStates[r.State]
	tn := toneOf(st.level)
	s.stateI.set(tn.icon, tn.text)
	s.state.colour = tn.text
	s.state.set(st.text.In(s.ui.lang))
	s.reveal.label(booth.Text{ZH: "按住看姓名", EN: "Hold for the name"})
	s.skip.label(booth.Text{ZH: "跳过", EN: "Pass over"})
	s.absent.label(booth.Text{ZH: "缺席", EN: "Absent"})
	s.undo.label(booth.Text{ZH: "撤销标记", EN: "Take it back"})
	s.close.label(booth.Text{ZH: "收起", EN: "Close"})
	s.seat.label(booth.Text{ZH: "请这位开始", EN: "Begin the visit"})
}

func (s *classPage) layout(sp space) {
	k := s.ui.k
	body := s.frame(sp)
	place(s.seat, sp.primary, k)
	height := float32(78)
	if s.ui.tall {
		height = 120
	}
	head, body := body.cutTop(height, gap)
	buttons := head
	if s.ui.tall {
		buttons, body = body.cutTop(60, gap)
	}
	find, buttons := buttons.cutRight(min(210, buttons.w*.45), 10)
	place(s.find, find, k)
	if s.change.Visible() {
		var change rect
		change, buttons = buttons.cutRight(min(180, buttons.w*.6), 10)
		place(s.change, change, k)
	}
	if !s.ui.tall {
		head = buttons
	}
	place(s.head.bg, head, k)
	radius(s.head, k)
	in := head.insetXY(18, 8)
	track, in := in.cutBottom(8, 4)
	place(s.track.bg, track, k)
	s.track.bg.CornerRadius = 4 * k
	track.w = max(8, track.w*s.share)
	place(s.full.bg, track, k)
	s.full.bg.CornerRadius = 4 * k
	s.say.layoutMid(in, k)
	s.classes.layout(body)
	var list, side rect
	if s.ui.tall {
		side, list = body.cutBottom(min(520, body.h*.5), gap)
	} else {
		share := float32(.36)
		if s.finding {
			share = .46 // the keyboard
		}
		side, list = body.cutRight(body.w*share, gap)
	}
	s.list.layout(list)
	s.layoutKeys(side)
	s.layoutCard(side)
}

func (s *classPage) layoutKeys(r rect) {
	k := s.ui.k
	field, r := r.cutTop(64, 10)
	place(s.field.bg, field, k)
	radius(s.field, k)
	s.query.layout(field.insetXY(18, 6), k)
	s.hint.layoutMid(field.insetXY(18, 6), k)
	const cols, rows = 9, 5 // digits and letters, and a row for the two wide ones
	cells := rect{r.x, r.y, r.w, min(r.h, rows*84)}.grid(cols, rows, 7)
	for i, b := range s.keys[:cols*(rows-1)] {
		place(b, cells[i], k)
	}
	left, right := cells[cols*(rows-1)], cells[cols*rows-1]
	halves := rect{left.x, left.y, right.x + right.w - left.x, left.h}.grid(2, 1, 7)
	place(s.keys[36], halves[0], k)
	place(s.keys[37], halves[1], k)
}

func (s *classPage) layoutCard(r rect) {
	k := s.ui.k
	place(s.card.bg, r, k)
	radius(s.card, k)
	in := r.inset(18)
	who, in := in.cutTop(min(84, in.h*.24), 2)
	s.who.layout(who, k)
	about, in := in.cutTop(30, 2)
	s.about.layout(about, k)
	state, in := in.cutTop(32, 10)
	w := min(state.w, s.state.measure(s.state.text, s.state.size*s.ui.enlarged()*k)/k+44)
	icon, words := state.centred(w, state.h).cutLeft(24, 8)
	place(s.stateI.img, icon.centred(22, 22), k)
	s.state.layout(words, k)
	shown := []*button{s.reveal}
	for _, b := range []*button{s.skip, s.absent, s.undo, s.close} {
		if b.Visible() {
			shown = append(shown, b)
		}
	}
	h := min(72, (in.h-float32(len(shown)-1)*10)/float32(len(shown)))
	for i, b := range shown {
		place(b, rect{in.x, in.y + float32(i)*(h+10), in.w, h}, k)
	}
}
