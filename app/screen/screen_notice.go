package screen

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// notice is a screen of one sign and a few words: sealing, farewell, fault.
type notice struct {
	page
	card   *panel
	disc   *panel
	icon   *sign
	head   pair
	body   pair
	do     banner
	safe   banner
	action *button

	fill func(*notice, booth.View)
}

func newNotice(u *ui, action string, send func(*notice)) *notice {
	s := &notice{page: newPage(u)}
	s.card = s.panel(colSurface, colLine)
	s.disc = s.panel(colNoteBg, colNoteBg)
	s.icon = s.sign("note", colNote)
	s.head = s.pair(40, 20, true, colInk, colMuted).centre()
	s.body = s.pair(22, 16, false, colInk, colMuted).centre()
	s.do = s.banner(booth.Note, "arrow-right", 22, 15)
	s.safe = s.banner(booth.OK, "shield", 20, 14)
	if action != "" {
		s.action = s.page.button(action, lookPrimary, "arrow-right", func() { send(s) })
	}
	s.mark("notice", s.card.bg, func() string { return s.head.a.text })
	return s
}

func (s *notice) forget() {}

func (s *notice) tone(l booth.Level, icon string) {
	tn := toneOf(l)
	if icon == "" {
		icon = tn.icon
	}
	s.disc.tint(tn.ground, tn.ground)
	s.icon.set(icon, tn.text)
}

func (s *notice) update(v booth.View) {
	s.safe.set(s.ui, booth.Text{})
	s.body.set(s.ui, booth.Text{})
	s.do.set(s.ui, booth.Text{})
	s.fill(s, v)
}

func (s *notice) layout(sp space) {
	k := s.ui.k
	area := rect{sp.all.x, sp.title.y + 4, sp.all.w, sp.actions.y - gap - sp.title.y - 4}
	if s.ui.tall {
		area = area.centred(area.w, min(area.h, 900))
	}
	card := area.centred(min(area.w, 1000), min(area.h, 560))
	place(s.card.bg, card, k)
	radius(s.card, k)
	in := card.inset(28)
	side := float32(120)
	if s.do.on() { // more words, less sign
		side = 84
	}
	icon, in := in.cutTop(side+10, 12)
	disc := icon.centred(side, side)
	place(s.disc.bg, disc, k)
	s.disc.bg.CornerRadius = side / 2 * k
	place(s.icon.img, disc.inset(side*0.23), k)
	in = s.safe.layoutBottom(in, 860, 76, 12, k)
	in = s.do.layoutBottom(in, 860, 92, 12, k)
	hh := min(in.h*0.5, s.head.a.height(in.w, k)+s.head.b.height(in.w, k))
	head, body := in.cutTop(hh, 14)
	s.head.layout(head, k)
	s.body.layout(body, k)
	if s.action != nil {
		place(s.action, sp.primary, k)
	}
}

func newSealing(u *ui) screen {
	s := newNotice(u, "", nil)
	s.fill = func(s *notice, _ booth.View) {
		s.tone(booth.Note, "lock")
		s.head.set(s.ui, booth.Text{ZH: "正在安全保存…", EN: "Saving your photo safely…"})
		s.body.set(s.ui, booth.Text{ZH: "请稍等，不要离开。看到“已安全保存”才算完成。", EN: "Please stay. It is done only when you see \"Safely saved\"."})
	}
	return s
}

func newAbandoned(u *ui) screen {
	s := newNotice(u, "continue", func(s *notice) { s.ui.send(booth.Continue{}) })
	s.fill = func(s *notice, v booth.View) {
		s.tone(booth.Note, "shield")
		s.head.set(s.ui, booth.Text{ZH: "已退出，没有保留照片", EN: "You have left. No photo was kept"})
		s.body.set(s.ui, booth.Text{
			ZH: "本机上的照片和个人信息已经清除；已付的费用仍然有效，随时可以回来拍。",
			EN: "Your photo and details are gone from this station. A payment stays valid; come back any time.",
		})
		s.action.label(booth.Text{ZH: "回到首页", EN: "To the start"})
	}
	return s
}

func newFault(u *ui) screen {
	code := ""
	s := newNotice(u, "fault-action", func(s *notice) { s.ui.send(booth.FaultAction{Code: code}) })
	s.fill = func(s *notice, v booth.View) {
		f := v.Fault
		if f == nil { // a state this version has no screen for
			unknown := booth.FaultPage(booth.FaultUnknown, booth.Text{})
			f = &unknown
		}
		code = f.Code
		s.tone(booth.Bad, "warn")
		s.head.set(s.ui, f.Title)
		s.body.set(s.ui, f.Body)
		s.do.set(s.ui, f.Do)
		s.safe.set(s.ui, f.Safe)
		has := f.Action != (booth.Text{})
		setVisible(s.action, has)
		if has {
			s.action.label(f.Action)
		}
	}
	return s
}

// done says that the photo is durable, what happens next, and how to follow it.
type done struct {
	page
	card  *panel
	disc  *panel
	icon  *sign
	head  pair
	ident *textBlock
	steps []doneStep
	claim claimCard
	next  *button
	left  pair
	clock *sign
}

type doneStep struct {
	icon *sign
	text pair
}

func newDone(u *ui) screen {
	s := &done{page: newPage(u)}
	s.card = s.panel(colSurface, colLine)
	s.disc = s.panel(colOKBg, colOKBg)
	s.icon = s.sign("ok", colOK)
	s.head = s.pair(44, 20, true, colOK, colMuted)
	s.ident = s.page.text(18, false, colMuted).line()
	for _, name := range []string{"send", "shield", "phone"} {
		s.steps = append(s.steps, doneStep{s.sign(name, colBrand), s.pair(20, 14, true, colInk, colMuted)})
	}
	s.claim = newClaimCard(&s.page)
	s.clock = s.sign("clock", colMuted)
	s.left = s.pair(18, 14, false, colMuted, colMuted)
	s.next = s.page.button("next", lookPrimary, "arrow-right", func() { u.send(booth.NextStudent{}) })
	s.mark("saved", s.card.bg, func() string { return s.head.a.text })
	return s
}

func (s *done) forget() {
	s.ident.set("")
	s.claim.forget()
}

func (s *done) update(v booth.View) {
	s.head.set(s.ui, booth.Text{ZH: "已安全保存", EN: "Safely saved"})
	s.ident.set("")
	send := booth.Text{ZH: "照片已加密存好，有网络时自动发送", EN: "Encrypted and stored; sent by itself when there is a network"}
	if sv := v.Saved; sv != nil {
		s.ident.set(booth.Text{ZH: "凭号 " + sv.PacketID + "  " + sv.At.Format("01-02 15:04"), EN: "No. " + sv.PacketID + "  " + sv.At.Format("01-02 15:04")}.In(s.ui.lang))
		if sv.Online && sv.Pending == 0 {
			send = booth.Text{ZH: "照片已发送，中心已签收", EN: "Sent, and signed for by the centre"}
		} else if sv.Online {
			send = booth.Text{ZH: fmt.Sprintf("正在发送，还有 %d 份排队", sv.Pending), EN: fmt.Sprintf("Sending now; %d in the queue", sv.Pending)}
		}
	}
	days := 0
	if v.Service != nil {
		days = v.Service.ReviewDays
	}
	rev := booth.Text{ZH: "老师审核照片", EN: "The school reviews the photo"}
	if days > 0 {
		rev = booth.Text{ZH: fmt.Sprintf("约 %d 个工作日内完成审核", days), EN: fmt.Sprintf("Reviewed within about %d working days", days)}
	}
	follow := booth.Text{ZH: "结果在手机上看；没通过可免费重拍", EN: "See the result on your phone; if refused, retake for free"}
	for i, t := range []booth.Text{send, rev, follow} {
		s.steps[i].text.set(s.ui, t)
	}
	s.claim.update(v, true)
	s.left.set(s.ui, booth.Text{})
	setVisible(s.clock.img, !v.Deadline.IsZero())
	if !v.Deadline.IsZero() {
		n := secondsLeft(v)
		s.left.set(s.ui, booth.Text{ZH: fmt.Sprintf("%d 秒后回到首页", n), EN: fmt.Sprintf("Back to the start in %d s", n)})
	}
	s.next.label(booth.Text{ZH: "完成，下一位", EN: "Finish, next student"})
}

func (s *done) layout(sp space) {
	k := s.ui.k
	area := rect{sp.all.x, sp.all.y, sp.all.w, sp.actions.y - gap - sp.all.y}
	var main, phone rect
	if s.ui.tall {
		phone, main = area.cutBottom(qrSide+106, gap)
	} else {
		phone, main = area.cutRight(qrSide+40, gap)
	}
	place(s.card.bg, main, k)
	radius(s.card, k)
	in := main.inset(32)
	top, in := in.cutTop(140, 16)
	disc, words := top.cutLeft(132, 24)
	disc = disc.centred(132, 132)
	place(s.disc.bg, disc, k)
	s.disc.bg.CornerRadius = 66 * k
	place(s.icon.img, disc.inset(28), k)
	head, id := words.cutTop(104, 0)
	s.head.layoutMid(head, k)
	s.ident.layout(id, k)
	cells := in.grid(1, len(s.steps), 10)
	for i, st := range s.steps {
		icon, words := cells[i].cutLeft(48, 18)
		place(st.icon.img, icon.centred(40, 40), k)
		st.text.layoutMid(words, k)
	}
	s.claim.layout(phone, k)
	place(s.next, sp.primary, k)
	icon, words := sp.rest.cutLeft(30, 12)
	place(s.clock.img, icon.centred(28, 28), k)
	s.left.layoutMid(words, k)
}
