package screen

import (
	"github.com/yunzhao-station/yunzhao/app/booth"
)

// confirm is the last chance to go back.
type confirm struct {
	page
	frame    *panel
	portrait *picture
	warn     *panel
	warnIc   *sign
	warnTx   pair
	facts    *panel
	rows     [4]fact
	claim    claimCard
	back     *button
	submit   *button
}

func newConfirm(u *ui) screen {
	s := &confirm{page: newPage(u)}
	s.titleText = booth.Text{ZH: "最后确认", EN: "Last check before submitting"}
	s.frame = s.panel(colSurface, colLine)
	s.portrait = s.picture()
	s.warn = s.panel(colWarnBg, colWarn)
	s.warnIc = s.sign("warn", colWarn)
	s.warnTx = s.pair(26, 16, true, colWarn, colWarn)
	s.facts = s.panel(colSurface, colLine)
	for i := range s.rows {
		s.rows[i] = fact{s.page.text(16, false, colMuted), s.page.text(20, true, colInk)}
	}
	s.claim = newClaimCard(&s.page)
	s.back = s.page.button("back", lookPlain, "arrow-left", func() { u.send(booth.Back{}) })
	s.submit = s.page.button("confirm", lookPrimary, "shield", func() { u.send(booth.ConfirmSubmit{}) })
	s.mark("portrait", s.portrait.img, nil)
	s.mark("final-warning", s.warn.bg, func() string { return s.warnTx.a.text })
	return s
}

func (s *confirm) forget() {
	s.portrait.set(nil)
	for _, r := range s.rows {
		r.val.set("")
	}
	s.claim.forget()
}

func (s *confirm) update(v booth.View) {
	s.portrait.set(nil)
	if v.Shot != nil {
		s.portrait.set(v.Shot.Portrait)
	}
	s.warnTx.set(s.ui, booth.Text{
		ZH: "提交后不能再修改。确认是本人、照片满意，再提交。",
		EN: "It cannot be changed after submitting. Submit only if this is you and you like the photo.",
	})
	for i := range s.rows {
		s.rows[i].key.set("")
		s.rows[i].val.set("")
	}
	if st := v.Student; st != nil {
		for i, r := range []struct {
			key booth.Text
			val string
		}{
			{booth.Text{ZH: "姓名", EN: "Name"}, st.NameMasked},
			{booth.Text{ZH: "证件号", EN: "Number"}, st.NumberMasked},
			{booth.Text{ZH: "学校", EN: "School"}, st.School},
			{booth.Text{ZH: "批次", EN: "Batch"}, st.Batch},
		} {
			s.rows[i].key.set(r.key.In(s.ui.lang))
			s.rows[i].val.set(r.val)
		}
	}
	s.claim.update(v, true)
	s.back.label(booth.Text{ZH: "返回看照片", EN: "Back to the photo"})
	s.submit.label(booth.Text{ZH: "确认提交", EN: "Submit"})
	s.submit.setEnabled(!v.Payment.Blocked)
}

func (s *confirm) layout(sp space) {
	k := s.ui.k
	var left, mid, phone rect
	if s.ui.tall {
		phone, left = sp.body.cutBottom(qrSide+106, gap)
		left, mid = left.cutLeft(left.w*0.42, gap)
	} else {
		phone, left = sp.body.cutRight(qrSide+16, gap)
		left, mid = left.cutLeft(min(left.h*0.75, left.w*0.45), gap)
	}
	pic := left.fitted(0.75)
	pic.y = left.y
	place(s.frame.bg, pic, k)
	s.frame.bg.CornerRadius = 0
	place(s.portrait.img, pic, k)
	warn, facts := mid.cutTop(mid.h*0.46, gap)
	place(s.warn.bg, warn, k)
	radius(s.warn, k)
	in := warn.inset(18)
	icon, words := in.cutTop(44, 8)
	place(s.warnIc.img, rect{icon.x, icon.y, 44, 44}, k)
	s.warnTx.layout(words, k)
	place(s.facts.bg, facts, k)
	radius(s.facts, k)
	in = facts.inset(18)
	keyW := float32(74)
	cells := in.grid(1, len(s.rows), 4)
	for i, r := range s.rows {
		key, val := cells[i].cutLeft(keyW, 6)
		r.key.mid().layout(key, k)
		r.val.mid().layout(val, k)
	}
	s.claim.layout(phone, k)
	place(s.submit, sp.primary, k)
	back, _ := sp.rest.cutLeft(min(300, sp.rest.w), gap)
	place(s.back, back, k)
}
