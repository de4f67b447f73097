package screen

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// idle invites the next student: what will happen in four steps, and one button.
type idle struct {
	page
	headline pair
	cards    []stepCard
	arrows   []*sign
	start    *button
	privacy  pair
	lockSign *sign

	list      *panel
	listTitle pair
	rows      []retakeRow
	more      *textBlock
	shown     int
	next      *nextStrip
	told      bool // a line stands above the headline
}

type stepCard struct {
	bg   *panel
	icon *sign
	num  *textBlock
	text pair
	note pair
}

type retakeRow struct{ who, why *textBlock }

// maxRetakes rows of the worklist are shown; the rest is a number.
const maxRetakes = 4

var idleSteps = []struct {
	icon        string
	title, note booth.Text
}{
	{"id", booth.Text{ZH: "核对身份", EN: "Identify"}, booth.Text{ZH: "输入或扫描证件号", EN: "Type or scan your ID"}},
	{"shirt", booth.Text{ZH: "看须知", EN: "Read the rules"}, booth.Text{ZH: "整理衣领和头发", EN: "Tidy collar and hair"}},
	{"camera", booth.Text{ZH: "拍照", EN: "Photo"}, booth.Text{ZH: "跟着提示坐好，可重拍", EN: "Follow the hints; retake freely"}},
	{"shield", booth.Text{ZH: "确认提交", EN: "Submit"}, booth.Text{ZH: "满意后安全保存", EN: "Saved safely once you agree"}},
}

func newIdle(u *ui) screen {
	s := &idle{page: newPage(u)}
	s.headline = s.pair(sizeHero, 24, true, colInk, colMuted).centre()
	for i, st := range idleSteps {
		c := stepCard{bg: s.panel(colSurface, colLine), icon: s.sign(st.icon, colBrand)}
		c.num = s.page.text(18, true, colBrand).centre().mid().line()
		c.num.set(fmt.Sprint(i + 1))
		c.text = s.pair(30, 18, true, colInk, colMuted).centre()
		c.note = s.pair(18, 14, false, colMuted, colMuted).centre()
		s.cards = append(s.cards, c)
		if i > 0 {
			s.arrows = append(s.arrows, s.sign("arrow-right", colMuted))
		}
	}
	s.lockSign = s.sign("lock", colMuted)
	s.privacy = s.pair(18, 14, false, colMuted, colMuted)
	s.list = s.panel(colWarnBg, colWarn)
	s.listTitle = s.pair(sizeBody, 14, true, colWarn, colWarn)
	for range maxRetakes {
		s.rows = append(s.rows, retakeRow{s.page.text(18, true, colInk).line(), s.page.text(15, false, colInk)})
	}
	s.more = s.page.text(15, false, colWarn).line()
	s.next = newNextStrip(&s.page)
	s.start = s.page.button("start", lookPrimary, "arrow-right", func() { u.send(booth.Start{}) })
	s.mark("retake-list", s.list.bg, func() string { return s.listTitle.a.text })
	return s
}

func (s *idle) forget() {
	s.next.forget()
	for _, r := range s.rows {
		r.who.set("")
		r.why.set("")
	}
}

func (s *idle) update(v booth.View) {
	s.headline.set(s.ui, booth.Text{ZH: "证件照自助拍摄", EN: "Take your certificate photo here"})
	for i, c := range s.cards {
		c.text.set(s.ui, idleSteps[i].title)
		c.note.set(s.ui, idleSteps[i].note)
	}
	s.privacy.set(s.ui, booth.Text{
		ZH: "照片只用于学籍和学历证书，加密保存；中途退出不留任何信息。",
		EN: "Used for your student record only, kept encrypted; if you leave midway nothing is kept.",
	})
	s.start.label(booth.Text{ZH: "点这里开始", EN: "Touch to start"})
	s.next.update(v.Class)
	s.shown = len(v.Retakes)
	s.told = v.Toast != nil || standing(v) != nil
	s.listTitle.set(s.ui, booth.Text{})
	s.more.set("")
	setVisible(s.list.bg, s.shown > 0)
	if s.shown > 0 {
		s.listTitle.set(s.ui, booth.Text{ZH: fmt.Sprintf("请以下同学来重拍（%d）", s.shown), EN: fmt.Sprintf("Please come again for a new photo (%d)", s.shown)})
	}
	for i, r := range s.rows {
		r.who.set("")
		r.why.set("")
		if i < min(s.shown, s.listed()) {
			it := v.Retakes[i]
			r.who.set(it.NameMasked + "  尾号 " + it.NumberTail)
			if s.ui.lang == booth.EN {
				r.who.set(it.NameMasked + "  ending " + it.NumberTail)
			}
			r.why.set(it.Reason.In(s.ui.lang))
		}
	}
	if more := s.shown - s.listed(); more > 0 {
		s.more.set(booth.Text{ZH: fmt.Sprintf("还有 %d 人，请问工作人员", more), EN: fmt.Sprintf("and %d more: ask the staff", more)}.In(s.ui.lang))
	}
}

// listed is how many rows of the worklist there is room for.
func (s *idle) listed() int {
	n := maxRetakes
	if s.told {
		n--
	}
	if s.next.on {
		n--
	}
	return n
}

func (s *idle) layout(sp space) {
	k := s.ui.k
	area := rect{sp.all.x, sp.all.y, sp.all.w, sp.actions.y - gap - sp.all.y}
	if s.told {
		_, area = area.cutTop(sp.title.h, 8)
	}
	area = s.next.layout(area)
	head, body := area.cutTop(120, 14)
	s.headline.layoutMid(head, k)
	if s.shown > 0 {
		var list rect
		if s.ui.tall {
			list, body = body.cutBottom(64+74*float32(s.listed()), gap)
		} else {
			list, body = body.cutRight(330, gap)
		}
		s.layoutList(list)
	} else {
		s.layoutList(rect{body.x, body.y, 1, 1})
	}
	if s.ui.tall {
		body = body.centred(body.w, min(body.h, 760))
	} else {
		body = body.centred(body.w, min(body.h, 380))
	}
	between := float32(44)
	cells := body.grid(4, 1, between)
	if s.ui.tall {
		cells = body.grid(2, 2, between)
	}
	for i, c := range s.cards {
		at := cells[i]
		place(c.bg.bg, at, k)
		radius(c.bg, k)
		if i > 0 {
			a := rect{at.x - between, at.y, between, at.h}.centred(26, 26)
			place(s.arrows[i-1].img, a, k)
			setVisible(s.arrows[i-1].img, !s.ui.tall || i%2 == 1)
		}
		in := at.inset(14)
		text := c.text.a.height(in.w, k) + c.text.b.height(in.w, k)
		note := c.note.a.height(in.w, k) + c.note.b.height(in.w, k)
		const num, space = 28, 12
		side := max(56, min(120, in.h-num-text-note-3*space))
		total := min(in.h, num+side+text+note+3*space)
		in = in.centred(in.w, total)
		row, in := in.cutTop(num, 0)
		c.num.layout(row, k)
		row, in = in.cutTop(side, space)
		place(c.icon.img, row.centred(side, side), k)
		row, in = in.cutTop(min(text, in.h*0.6), space)
		c.text.layout(row, k)
		c.note.layout(in, k)
	}
	primary, rest := sp.actions.cutRight(min(520, sp.actions.w*0.5), 24)
	place(s.start, primary, k)
	icon, words := rest.cutLeft(32, 12)
	place(s.lockSign.img, icon.centred(30, 30), k)
	s.privacy.layoutMid(words, k)
}

func (s *idle) layoutList(r rect) {
	k := s.ui.k
	place(s.list.bg, r, k)
	radius(s.list, k)
	in := r.inset(16)
	title, in := in.cutTop(58, 6)
	s.listTitle.layout(title, k)
	foot, in := in.cutBottom(24, 4)
	s.more.layout(foot, k)
	cells := in.grid(1, s.listed(), 6)
	for i, row := range s.rows {
		who, why := cells[min(i, len(cells)-1)].cutTop(26, 0)
		row.who.layout(who, k)
		row.why.layout(why, k)
	}
}
