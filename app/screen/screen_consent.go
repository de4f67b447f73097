package screen

import (
	"fmt"
	"image/color"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// consent shows the text being agreed to, both languages side by side, whole.
type consent struct {
	page
	bg             [2]*panel
	body           [2]*textBlock
	note           pair
	icon           *sign
	accept, refuse *button
	back           *button
}

func newConsent(u *ui) screen {
	s := &consent{page: newPage(u)}
	s.titleText = booth.Text{ZH: "请阅读并同意", EN: "Please read and agree"}
	for i := range s.bg {
		s.bg[i] = s.panel(colSurface, colLine)
		s.body[i] = s.page.text([]float32{22, 18}[i], false, []color.NRGBA{colInk, colMuted}[i])
	}
	s.icon = s.sign("lock", colMuted)
	s.note = s.pair(17, 14, false, colMuted, colMuted)
	s.back = s.page.button("back", lookPlain, "arrow-left", func() { u.send(booth.Back{}) })
	s.refuse = s.page.button("consent-decline", lookPlain, "cross", func() { u.send(booth.Decline{}) })
	s.accept = s.page.button("consent-accept", lookPrimary, "ok", func() { u.send(booth.Continue{}) })
	return s
}

func (s *consent) forget() {}

func (s *consent) update(v booth.View) {
	first, second := s.ui.both(v.ConsentDoc.Body)
	s.body[0].set(first)
	s.body[1].set(second)
	note := booth.Text{ZH: "告知书版本 " + v.ConsentDoc.Version, EN: "Notice version " + v.ConsentDoc.Version}
	if d := v.ConsentDoc.RetainDays; d > 0 {
		note.ZH += fmt.Sprintf("，照片送达审核中心后在本机最多再存 %d 天", d)
		note.EN += fmt.Sprintf("; kept on this station for at most %d days after the review centre has it", d)
	}
	s.note.set(s.ui, note)
	s.accept.label(booth.Text{ZH: "同意并继续", EN: "Agree and continue"})
	s.refuse.label(booth.Text{ZH: "不同意", EN: "Decline"})
	s.back.label(booth.Text{ZH: "返回", EN: "Back"})
}

func (s *consent) layout(sp space) {
	k := s.ui.k
	note, body := sp.body.cutBottom(50, 10)
	var parts [2]rect
	if s.ui.tall {
		parts[0], parts[1] = body.cutTop(body.h*0.52, gap)
	} else {
		parts[0], parts[1] = body.cutLeft(body.w*0.54, gap)
	}
	for i, at := range parts {
		place(s.bg[i].bg, at, k)
		radius(s.bg[i], k)
		s.body[i].layout(at.inset(22), k)
	}
	icon, words := note.cutLeft(26, 10)
	place(s.icon.img, icon.centred(24, 24), k)
	s.note.layoutMid(words, k)
	place(s.accept, sp.primary, k)
	back, rest := sp.rest.cutLeft(170, gap)
	refuse, _ := rest.cutLeft(min(240, rest.w), gap)
	place(s.back, back, k)
	place(s.refuse, refuse, k)
}
