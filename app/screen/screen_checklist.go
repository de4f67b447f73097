package screen

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// checklistPage is the start of a day: every line with its colour at the left,
// the chosen one with what to do about it at the right, and below the button that
// begins the day once nothing is red without a reason.
type checklistPage struct {
	staffPage
	list    *table
	card    *panel
	sign    *sign
	name    pair
	now     pair
	what    pair
	press   *button
	ask     *textBlock
	reasons []*button
	begin   *button

	ids    []string // of the rows, in order
	chosen string   // id; "" = the first
	view   booth.View
}

func newChecklistPage(u *ui) screen {
	s := &checklistPage{staffPage: newStaffPage(u, booth.Text{ZH: "开工检查", EN: "Start of the day"}, booth.PageHome)}
	s.list = newTable(&s.page, "start", []column{
		{name: booth.Text{ZH: "项目", EN: "What"}, share: 1.3},
		{name: booth.Text{ZH: "现在", EN: "Now"}, share: 2.6},
	}, 12, func(i int) {
		if i < len(s.ids) {
			s.chosen = s.ids[i]
			u.send(booth.Stay{}) // somebody is here
			s.update(s.view)
			if u.rearrange != nil {
				u.rearrange()
			}
		}
	})
	s.card = s.panel(colSurface, colLine)
	s.sign = s.page.sign("ok", colOK)
	s.name = s.pair(26, 16, true, colInk, colMuted)
	s.now = s.pair(20, 15, true, colInk, colMuted)
	s.what = s.pair(19, 15, false, colInk, colMuted)
	s.press = s.page.button("start-go", lookPlain, "arrow-right", nil)
	s.ask = s.page.text(17, true, colInk)
	for _, r := range booth.StartReasons() {
		s.reasons = append(s.reasons, s.page.button("reason-"+r.Code, lookPlain, "", nil))
	}
	s.begin = s.page.button("day-begin", lookPrimary, "ok", func() { u.send(booth.BeginDay{}) })
	s.mark("checklist", s.card.bg, func() string { return s.name.a.text })
	return s
}

// startNames are the colours in words: nobody has to tell red from green.
var startNames = map[booth.Level]booth.Text{
	booth.OK:   {ZH: "正常", EN: "fine"},
	booth.Warn: {ZH: "注意", EN: "look at it"},
	booth.Bad:  {ZH: "要处理", EN: "mend it"},
}

func (s *checklistPage) update(v booth.View) {
	s.view = v
	c := &booth.ChecklistView{}
	if v.Operator != nil && v.Operator.Checklist != nil {
		c = v.Operator.Checklist
	}
	s.ids = s.ids[:0]
	var rows [][]cell
	var shown booth.ChecklistItem
	for i, it := range c.Items {
		s.ids = append(s.ids, it.ID)
		if i == 0 || it.ID == s.chosen {
			shown = it
		}
	}
	for _, it := range c.Items {
		now := it.Lamp.Text.In(s.ui.lang)
		if it.Reason != "" {
			now = startReason(it.Reason).In(s.ui.lang)
		}
		rows = append(rows, []cell{{text: it.Title.In(s.ui.lang), level: it.Lamp.Level, strong: it.ID == shown.ID}, {text: now, strong: it.ID == shown.ID}})
	}
	s.list.set(rows, booth.Text{ZH: "正在检查…", EN: "Looking…"})
	s.updateItem(v, c, shown)

	s.begin.setEnabled(c.Ready())
	switch {
	case c.Red > 0:
		s.begin.label(booth.Text{ZH: fmt.Sprintf("还有 %d 项要处理", c.Red), EN: fmt.Sprintf("%d to mend first", c.Red)})
	case !c.Begun.IsZero():
		s.begin.label(booth.Text{ZH: "再次确认", EN: "Confirm again"})
	default:
		s.begin.label(booth.Text{ZH: "开始今天", EN: "Begin the day"})
	}
}

// updateItem fills the right side with one line of the checklist.
func (s *checklistPage) updateItem(v booth.View, c *booth.ChecklistView, it booth.ChecklistItem) {
	tn := toneOf(it.Lamp.Level)
	if it.ID == "" {
		tn = toneOf(booth.Note)
	}
	s.card.tint(tn.ground, tn.text)
	s.sign.set(tn.icon, tn.text)
	s.name.tint(tn.text, tn.text)
	s.now.tint(tn.text, tn.text)
	s.name.set(s.ui, booth.Text{})
	if it.ID != "" {
		word := startNames[it.Lamp.Level]
		s.name.set(s.ui, booth.Text{ZH: it.Title.ZH + "：" + word.ZH, EN: it.Title.EN + ": " + word.EN})
	}
	s.now.set(s.ui, it.Lamp.Text)
	what := it.Do
	switch {
	case v.Calibration.State == booth.CalibrationRunning:
		what, _ = operatorNotice(v, v.Operator) // the same words as on the home page
	case it.Reason != "":
		r := startReason(it.Reason)
		what = booth.Text{ZH: "已记录原因：" + r.ZH, EN: "Let be, on record: " + r.EN}
	case it.Lamp.Level == booth.OK && !c.Begun.IsZero():
		at := c.Begun.Local().Format("15:04")
		what = booth.Text{ZH: "今天 " + at + " 已检查。", EN: "Today was begun at " + at + "."}
	}
	s.what.set(s.ui, what)
	setVisible(s.press, it.Go != nil)
	if it.Go != nil {
		s.press.label(it.GoText)
		s.press.onTap = func() { s.ui.send(it.Go) }
	}
	open := it.Lamp.Level == booth.Bad && it.Reason == ""
	s.ask.set("")
	if open {
		s.ask.set(booth.Text{ZH: "现在修不好？选一个原因先开始（会记录）", EN: "Cannot be mended now? Go on with a reason, on record"}.In(s.ui.lang))
	}
	for i, r := range booth.StartReasons() {
		b := s.reasons[i]
		setVisible(b, open)
		b.label(r.Text)
		b.onTap = func() { s.ui.send(booth.ExcuseCheck{ID: it.ID, Reason: r.Code}) }
	}
}

func startReason(code string) booth.Text {
	for _, r := range booth.StartReasons() {
		if r.Code == code {
			return r.Text
		}
	}
	return booth.Text{}
}

// forget turns back to the first line.
func (s *checklistPage) forget() { s.chosen, s.view = "", booth.View{} }

func (s *checklistPage) layout(sp space) {
	k := s.ui.k
	body := s.frame(sp)
	place(s.begin, sp.primary, k)
	list, card := s.ui.beside(body, 0.5, 0.52)
	s.list.layout(list)
	place(s.card.bg, card, k)
	radius(s.card, k)
	in := card.inset(18)
	head, in := in.cutTop(62, 8)
	icon, words := head.cutLeft(40, 14)
	place(s.sign.img, icon.centred(40, 40), k)
	s.name.layoutMid(words, k)
	grid, in := in.cutBottom(2*62+10, 8)
	for i, c := range grid.grid(2, 2, 10) {
		place(s.reasons[i], c, k)
	}
	ask, in := in.cutBottom(26, 10)
	s.ask.layout(ask, k)
	if s.press.Visible() {
		var at rect
		at, in = in.cutBottom(62, 10)
		place(s.press, rect{at.x, at.y, min(at.w, 340), at.h}, k)
	}
	now, what := in.cutTop(in.h*0.46, 6)
	s.now.layout(now, k)
	s.what.layout(what, k)
}
