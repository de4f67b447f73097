package screen

import (
	"strings"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// addPage is where staff add a student who is on no roster: the number, the name,
// which batch and why. Central decides about the student afterwards.
type addPage struct {
	staffPage
	head   *panel
	icon   *sign
	say    pair
	fields []*button // what is to be filled in, one after the other
	typer  *typer
	docs   []*button
	picks  []*button // batches or reasons
	keep   *button

	view   booth.AddView
	on     int // the field being filled in
	doc    booth.DocType
	number string
	name   string
	batch  string
	reason string
	begun  bool
	picked []string // what stands on picks
}

// The fields.
const (
	addDoc = iota
	addNumber
	addName
	addBatch
	addReason
	addFields
)

// addPicks are the most batches or reasons that are offered.
const addPicks = 8

func newAddPage(u *ui) screen {
	s := &addPage{staffPage: newStaffPage(u, booth.Text{ZH: "登记名单外学生", EN: "Add a student who is on no list"}, booth.PageHome), doc: booth.DocResident}
	s.head = s.panel(colNoteBg, colNote)
	s.icon = s.sign("note", colNote)
	s.say = s.pair(19, 14, true, colNote, colNote)
	for i, id := range []string{"add-doc", "add-number", "add-name", "add-batch", "add-reason"} {
		s.fields = append(s.fields, s.page.button(id, lookPlain, "", func() { s.turn(i) }))
	}
	s.typer = newTyper(&s.page, "add-key", func() { s.take(); s.show() })
	for _, t := range docTabs {
		s.docs = append(s.docs, s.page.button("add-"+t.id, lookPlain, "", func() { s.doc = t.doc; s.turn(addNumber) }))
	}
	for i := range addPicks {
		s.picks = append(s.picks, s.page.button("add-pick-"+string(rune('a'+i)), lookPlain, "", func() { s.pick(i) }))
	}
	s.keep = s.page.button("add-keep", lookPrimary, "ok", func() {
		u.send(booth.AddStudent{Doc: s.doc, Number: s.number, Name: s.name, BatchID: s.batch, Reason: s.reason, Sure: s.view.Alike})
	})
	s.mark("add-problem", s.head.bg, func() string { return s.say.a.text })
	return s
}

// forget drops what was typed.
func (s *addPage) forget() {
	s.typer.clear()
	s.on, s.doc, s.number, s.name, s.batch, s.reason, s.begun = addDoc, booth.DocResident, "", "", "", "", false
	s.view = booth.AddView{}
	for _, b := range s.fields {
		b.plain("", "")
	}
}

// typing is the keyboard that is plugged in.
func (s *addPage) typing() *typer {
	if s.on == addNumber || s.on == addName {
		return s.typer
	}
	return nil
}

// take keeps what the keyboard on the screen has.
func (s *addPage) take() {
	switch s.on {
	case addNumber:
		s.number = strings.ToUpper(strings.ReplaceAll(s.typer.value(), " ", ""))
	case addName:
		s.name = s.typer.value()
	}
}

// turn goes to a field.
func (s *addPage) turn(field int) {
	s.on = field
	switch field {
	case addNumber:
		s.typer.begin(s.number, 30)
	case addName:
		s.typer.begin(s.name, 50)
	}
	s.ui.send(booth.Stay{}) // somebody is here
	s.show()
	if s.ui.rearrange != nil {
		s.ui.rearrange()
	}
}

func (s *addPage) pick(i int) {
	if i >= len(s.picked) {
		return
	}
	if s.on == addBatch {
		s.batch = s.picked[i]
		s.turn(addReason)
		return
	}
	s.reason = s.picked[i]
	s.turn(addReason)
}

func (s *addPage) update(v booth.View) {
	if v.Operator == nil || v.Operator.Add == nil {
		return
	}
	s.view = *v.Operator.Add
	if !s.begun {
		s.begun = true
		s.number = s.view.Number
		if s.view.Doc != "" {
			s.doc = s.view.Doc
		}
		s.on = addNumber
		if s.number != "" {
			s.on = addName
		}
		s.typer.begin(map[int]string{addNumber: s.number}[s.on], 50)
	}
	if s.batch == "" && len(s.view.Batches) == 1 {
		s.batch = s.view.Batches[0].ID
	}
	s.show()
}

func (s *addPage) show() {
	lang := s.ui.lang
	say, level := booth.Text{
		ZH: "只登记站在这里、名单上却没有的学生。照片照常拍，用不用由学校决定；会记下是谁登记的。",
		EN: "Only for a student who stands here and is on no list. The photo is taken as usual, the school decides; your name goes on record.",
	}, booth.Note
	if s.view.Problem != nil {
		say, level = *s.view.Problem, booth.Warn
	}
	tn := toneOf(level)
	s.head.tint(tn.ground, tn.text)
	s.icon.set(tn.icon, tn.text)
	s.say.tint(tn.text, tn.text)
	s.say.set(s.ui, say)
	doc := ""
	for i, t := range docTabs {
		s.docs[i].label(t.name)
		s.docs[i].setLook(lookPlain)
		if t.doc == s.doc {
			doc = t.name.In(lang)
			s.docs[i].setLook(lookChosen)
		}
		setVisible(s.docs[i], s.on == addDoc)
	}
	title, reason := "", ""
	for _, b := range s.view.Batches {
		if b.ID == s.batch {
			title = b.Title
		}
	}
	for _, r := range booth.AddReasons() {
		if r.Code == s.reason {
			reason = r.Text.In(lang)
		}
	}
	for i, f := range []struct {
		value string
		name  booth.Text
	}{
		{doc, booth.Text{ZH: "证件类型", EN: "Document"}},
		{s.number, booth.Text{ZH: "号码", EN: "Number"}},
		{s.name, booth.Text{ZH: "姓名", EN: "Name"}},
		{title, booth.Text{ZH: "批次", EN: "Batch"}},
		{reason, booth.Text{ZH: "原因", EN: "Reason"}},
	} {
		if f.value == "" {
			f.value = "—"
		}
		s.fields[i].plain(f.value, f.name.In(lang))
		s.fields[i].setLook(lookPlain)
		if i == s.on {
			s.fields[i].setLook(lookChosen)
		}
	}
	s.picked = s.picked[:0]
	pick := func(id string, t booth.Text, second string, chosen bool) {
		if len(s.picked) == len(s.picks) {
			return
		}
		b := s.picks[len(s.picked)]
		s.picked = append(s.picked, id)
		b.label(t)
		if second != "" {
			b.plain(t.ZH, second)
		}
		b.setLook(lookPlain)
		if chosen {
			b.setLook(lookChosen)
		}
	}
	switch s.on {
	case addBatch:
		for _, b := range s.view.Batches {
			pick(b.ID, booth.Text{ZH: b.Title, EN: b.Title}, b.School+" ", b.ID == s.batch)
		}
	case addReason:
		for _, r := range booth.AddReasons() {
			pick(r.Code, r.Text, "", r.Code == s.reason)
		}
	}
	for i, b := range s.picks {
		setVisible(b, i < len(s.picked))
	}
	keys := s.on == addNumber || s.on == addName
	s.typer.visible(keys)
	if keys {
		s.typer.refresh()
	}
	s.keep.label(booth.Text{ZH: "登记并继续", EN: "Add and go on"})
	if s.view.Alike {
		s.keep.label(booth.Text{ZH: "不是同一人，登记", EN: "Not the same: add"})
	}
	s.keep.setEnabled(s.number != "" && s.name != "" && s.batch != "" && s.reason != "" && !s.view.Busy)
}

func (s *addPage) layout(sp space) {
	k := s.ui.k
	body := s.frame(sp)
	place(s.keep, sp.primary, k)
	height := float32(74)
	if s.ui.tall {
		height = 100
	}
	head, body := body.cutTop(height, gap)
	place(s.head.bg, head, k)
	radius(s.head, k)
	icon, words := head.insetXY(16, 6).cutLeft(30, 12)
	place(s.icon.img, icon.centred(28, 28), k)
	s.say.layoutMid(words, k)
	var list, room rect
	if s.ui.tall {
		list, room = body.cutTop(5*66, gap)
	} else {
		list, room = body.cutLeft(body.w*.34, gap)
	}
	for i, c := range list.grid(1, addFields, 8) {
		c.h = min(c.h, 76)
		place(s.fields[i], c, k)
	}
	s.typer.layout(room)
	for i, c := range room.grid(1, 4, 10) {
		c.h = min(c.h, 84)
		place(s.docs[i], c, k)
	}
	for i, c := range room.grid(2, addPicks/2, 10) {
		c.h = min(c.h, 92)
		place(s.picks[i], c, k)
	}
}
