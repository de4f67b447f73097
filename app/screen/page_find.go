package screen

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// findPage looks for one of today's students, lists who matches, and says what
// became of the photo and what can be done.
type findPage struct {
	staffPage
	look   *button
	states []*button
	list   *table
	card   *panel
	sign   *sign
	name   *textBlock
	facts  *textBlock
	about  pair
	what   pair
	press  *button
	typer  *typer
	done   *button

	typed  bool // the keyboard is open
	chosen string
	ids    []string
	view   booth.View
}

// findStates are the filters in their order.
var findStates = []struct {
	state booth.FindState
	name  booth.Text
}{
	{booth.FindAll, booth.Text{ZH: "全部", EN: "All"}},
	{booth.FindWaiting, booth.Text{ZH: "等待发送", EN: "To be sent"}},
	{booth.FindReview, booth.Text{ZH: "等待审核", EN: "In review"}},
	{booth.FindApproved, booth.Text{ZH: "审核通过", EN: "Approved"}},
	{booth.FindReturned, booth.Text{ZH: "被退回", EN: "Returned"}},
	{booth.FindTrouble, booth.Text{ZH: "有问题", EN: "Trouble"}},
}

func newFindPage(u *ui) screen {
	s := &findPage{staffPage: newStaffPage(u, booth.Text{ZH: "找今天的同学", EN: "Find one of today's students"}, booth.PageMenu)}
	s.look = s.page.button("find-query", lookPlain, "", func() {
		s.typed = true
		s.typer.begin(s.found().Query, 20)
		s.typer.show()
	})
	for _, x := range findStates {
		s.states = append(s.states, s.page.button("find-"+string(x.state), lookPlain, "", func() { s.ask(s.found().Query, x.state) }))
	}
	s.list = newTable(&s.page, "found", []column{
		{name: booth.Text{ZH: "时间", EN: "Time"}, share: .8},
		{name: booth.Text{ZH: "姓名", EN: "Name"}, share: 1.3},
		{name: booth.Text{ZH: "尾号", EN: "Number"}, share: 1},
		{name: booth.Text{ZH: "状态", EN: "State"}, share: 1.7},
	}, 12, func(i int) {
		if i < len(s.ids) {
			s.chosen = s.ids[i]
			u.send(booth.Stay{}) // somebody is here
			s.redraw()
		}
	})
	s.card = s.panel(colSurface, colLine)
	s.sign = s.page.sign("note", colNote)
	s.name = s.page.text(26, true, colInk).mid().line()
	s.facts = s.page.text(17, false, colMuted)
	s.about = s.pair(20, 15, true, colInk, colMuted)
	s.what = s.pair(19, 15, false, colInk, colMuted)
	s.press = s.page.button("find-go", lookPlain, "arrow-right", nil)
	s.typer = newTyper(&s.page, "find-key", func() { s.update(s.view) })
	s.done = s.page.button("find-done", lookPrimary, "ok", func() {
		s.typed = false
		s.ask(s.typer.value(), s.found().State)
	})
	s.mark("found", s.card.bg, func() string { return s.name.text })
	return s
}

// ask looks anew.
func (s *findPage) ask(query string, state booth.FindState) {
	s.chosen = ""
	s.ui.send(booth.FindToday{Query: query, State: state})
	s.redraw()
}

func (s *findPage) redraw() {
	s.update(s.view)
	if s.ui.rearrange != nil {
		s.ui.rearrange()
	}
}

// typing is the keyboard that is plugged in.
func (s *findPage) typing() *typer {
	if s.typed {
		return s.typer
	}
	return nil
}

// forget drops who was looked for and found.
func (s *findPage) forget() {
	s.typer.clear()
	s.typed, s.chosen, s.ids, s.view = false, "", nil, booth.View{}
	s.list.set(nil, booth.Text{})
}

func (s *findPage) found() *booth.FoundView {
	if s.view.Operator == nil || s.view.Operator.Found == nil {
		return &booth.FoundView{}
	}
	return s.view.Operator.Found
}

func (s *findPage) update(v booth.View) {
	s.view = v
	f := s.found()
	s.ids = s.ids[:0]
	var rows [][]cell
	var shown booth.FoundRow
	for i, r := range f.Rows {
		s.ids = append(s.ids, r.Packet)
		if i == 0 || r.Packet == s.chosen {
			shown = r
		}
	}
	for _, r := range f.Rows {
		strong := r.Packet == shown.Packet
		rows = append(rows, []cell{{text: r.At.Local().Format("15:04"), strong: strong}, {text: r.Name, strong: strong}, {text: r.Number, strong: strong}, {text: r.State.In(s.ui.lang), level: r.Level}})
	}
	s.list.set(rows, booth.Text{ZH: "今天没有这样的同学", EN: "Nobody like that today"})
	if s.typed {
		s.list.set(nil, booth.Text{})
	}
	query := booth.Text{ZH: "尾号或拼音首字母…", EN: "Digits or initials…"}.In(s.ui.lang)
	if f.Query != "" {
		query = "“" + shortened(f.Query, 12) + "”"
	}
	s.look.plain(query, "")
	for i, b := range s.states {
		b.plain(findStates[i].name.In(s.ui.lang), "")
		b.setLook(lookPlain)
		if findStates[i].state == f.State {
			b.setLook(lookChosen)
		}
		setVisible(b, !s.typed)
	}
	setVisible(s.look, !s.typed)
	setVisible(s.back, !s.typed)
	setVisible(s.done, s.typed)
	s.done.label(booth.Text{ZH: "查找", EN: "Find"})
	s.typer.refresh()
	s.typer.visible(s.typed)
	s.updateCard(f, shown)
}

func (s *findPage) updateCard(f *booth.FoundView, r booth.FoundRow) {
	on := !s.typed && r.Packet != ""
	setVisible(s.card.bg, on)
	setVisible(s.sign.img, on)
	setVisible(s.press, on && r.Go != booth.PageHome)
	s.name.set("")
	s.facts.set("")
	s.about.set(s.ui, booth.Text{})
	s.what.set(s.ui, booth.Text{})
	if !on {
		return
	}
	tn := toneOf(r.Level)
	s.card.tint(tn.ground, tn.text)
	s.sign.set(tn.icon, tn.text)
	s.name.colour, s.about.a.colour = tn.text, tn.text
	s.name.set(r.Name + "　" + r.Number)
	facts := booth.Text{ZH: "凭号 " + r.Packet + "，" + r.At.Local().Format("15:04") + " 保存", EN: "Number " + r.Packet + ", saved at " + r.At.Local().Format("15:04")}
	if f.More > 0 {
		facts.ZH += fmt.Sprintf("。还有 %d 人没列出，请输入得更具体。", f.More)
		facts.EN += fmt.Sprintf(". %d more are not listed: be more specific.", f.More)
	}
	s.facts.set(facts.In(s.ui.lang))
	s.about.set(s.ui, r.About)
	s.what.set(s.ui, r.Do)
	if r.Go == booth.PageSync {
		s.press.label(booth.Text{ZH: "看同步", EN: "Exchange page"})
	} else {
		s.press.label(booth.Text{ZH: "看重拍名单", EN: "Retakes page"})
	}
	s.press.onTap = func() { s.ui.send(booth.OpenPage{Page: r.Go}) }
}

func (s *findPage) layout(sp space) {
	k := s.ui.k
	body := s.frame(sp)
	place(s.done, sp.primary, k)
	s.typer.layout(body)
	cols, rows := 8, 1
	if s.ui.tall {
		cols, rows = 4, 2
	}
	row, in := body.cutTop(float32(rows)*56-4, 10)
	cells := row.grid(cols, rows, 8)
	at := cells[0]
	at.w = cells[1].x + cells[1].w - at.x
	place(s.look, at, k)
	for i, b := range s.states {
		place(b, cells[i+2], k)
	}
	list, card := s.ui.beside(in, 0.52, 0.55)
	if s.typed {
		s.list.hide()
	} else {
		s.list.layout(list)
	}
	place(s.card.bg, card, k)
	radius(s.card, k)
	box := card.inset(18)
	head, box := box.cutTop(44, 6)
	icon, words := head.cutLeft(34, 12)
	place(s.sign.img, icon.centred(34, 34), k)
	s.name.layout(words, k)
	facts, box := box.cutTop(50, 8)
	s.facts.layout(facts, k)
	if s.press.Visible() {
		var p rect
		p, box = box.cutBottom(62, 10)
		place(s.press, p.w1(min(p.w, 320)), k)
	}
	about, what := box.cutTop(box.h*.5, 6)
	s.about.layout(about, k)
	s.what.layout(what, k)
}
