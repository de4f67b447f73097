package screen

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// locked says why the station is locked and whether the last photo is safe, and
// asks staff for a PIN.
type locked struct {
	page
	card *panel
	icon *sign
	head pair
	safe *panel
	safI *sign
	safT pair
	ask  pair
	pad  *pinPad
}

func newLocked(u *ui) screen {
	s := &locked{page: newPage(u)}
	s.titleText = booth.Text{ZH: "本机已锁定", EN: "This station is locked"}
	s.card = s.panel(colSurface, colLine)
	s.icon = s.sign("lock", colBrand)
	s.head = s.pair(30, 17, true, colInk, colMuted)
	s.safe = s.panel(colOKBg, colOK)
	s.safI = s.sign("shield", colOK)
	s.safT = s.pair(21, 15, true, colOK, colOK)
	s.ask = s.pair(22, 15, true, colInk, colMuted)
	s.pad = newPINPad(&s.page, func(pin string) { u.send(booth.Unlock{PIN: pin}) })
	s.mark("safe", s.safe.bg, func() string { return s.safT.a.text })
	return s
}

func (s *locked) forget() { s.pad.forget() }

func (s *locked) update(v booth.View) {
	l := v.Locked
	if l == nil {
		l = &booth.LockedView{}
	}
	s.head.set(s.ui, booth.Text{ZH: "工作人员暂时离开，本机已锁定", EN: "The staff are away and have locked this station"})
	if l.Crash {
		s.head.set(s.ui, booth.Text{ZH: "云照站刚才意外中断，已重新启动", EN: "The station stopped unexpectedly and has started again"})
	}
	safe, words := photoSafety(*l)
	level := booth.OK
	if !safe {
		level = booth.Warn
	}
	tn := toneOf(level)
	icon := "shield"
	if !safe {
		icon = tn.icon
	}
	s.safe.tint(tn.ground, tn.text)
	s.safI.set(icon, tn.text)
	s.safT.tint(tn.text, tn.text)
	s.safT.set(s.ui, words)
	s.ask.set(s.ui, booth.Text{ZH: "请工作人员输入 PIN", EN: "Staff: enter your PIN"})
	if l.NoPIN {
		s.ask.set(s.ui, booth.Text{
			ZH: "本机还没有设置 PIN。看过上面的说明后按“已知晓，继续”。设置：yunzhao pin set",
			EN: "No PIN is set here. Read the above, then go on. To set one: yunzhao pin set",
		})
	}
	s.pad.update(l.PIN, v, l.NoPIN)
}

// photoSafety says whether the last photo is safe, and in which words.
func photoSafety(l booth.LockedView) (safe bool, words booth.Text) {
	last := ""
	if !l.LastSaved.IsZero() {
		last = l.LastSaved.Local().Format("01-02 15:04")
	}
	switch {
	case l.Cut && l.CutSaved:
		return true, booth.Text{
			ZH: fmt.Sprintf("中断时那位同学的照片已安全保存（%s），不用重拍。共 %d 份照片，都安全。", last, l.Saved),
			EN: fmt.Sprintf("The photo of the visit that was cut is safely saved (%s); no retake is needed. All %d photos are safe.", last, l.Saved),
		}
	case l.Cut && l.Saved == 0:
		return false, booth.Text{
			ZH: "中断时有一位同学还没有提交，照片没有保存：请他重新拍。本机还没有保存过照片。",
			EN: "A visit was cut before it was submitted and its photo was not saved: please photograph this student again. No photo was saved here before.",
		}
	case l.Cut:
		return false, booth.Text{
			ZH: fmt.Sprintf("中断时有一位同学还没有提交，照片没有保存：请他重新拍。之前的 %d 份照片都安全，最近一份 %s。", l.Saved, last),
			EN: fmt.Sprintf("A visit was cut before it was submitted and its photo was not saved: please photograph this student again. The %d photos before are safe, the last of %s.", l.Saved, last),
		}
	case l.Saved == 0:
		return true, booth.Text{ZH: "没有照片丢失。", EN: "No photo was lost."}
	}
	return true, booth.Text{
		ZH: fmt.Sprintf("最后一张照片已安全保存（%s）。共 %d 份照片，没有丢失。", last, l.Saved),
		EN: fmt.Sprintf("The last photo is safely saved (%s). All %d photos are safe.", last, l.Saved),
	}
}

func (s *locked) layout(sp space) {
	k := s.ui.k
	area := rect{sp.body.x, sp.body.y, sp.body.w, sp.body.h}
	card := area.centred(min(area.w, 1180), min(area.h, 540))
	if s.ui.tall {
		card = area.centred(area.w, min(area.h, 1100))
	}
	place(s.card.bg, card, k)
	radius(s.card, k)
	in := card.inset(28)
	var words, pad rect
	if s.pad.plain { // nothing to type: the words have it all
		pad, words = rect{in.x, in.y, 1, 1}, in
	} else if s.ui.tall {
		pad, words = in.cutBottom(in.h*0.46, 24)
	} else {
		pad, words = in.cutRight(in.w*0.38, 36)
	}
	head, words := words.cutTop(76, 12)
	icon, text := head.cutLeft(64, 18)
	place(s.icon.img, icon.centred(60, 60), k)
	s.head.layoutMid(text, k)
	safe, words := words.cutTop(min(180, words.h*0.38), 14)
	place(s.safe.bg, safe, k)
	radius(s.safe, k)
	icon, text = safe.insetXY(18, 8).cutLeft(36, 14)
	place(s.safI.img, icon.centred(36, 36), k)
	s.safT.layoutMid(text, k)
	ask, words := words.cutTop(46, 6)
	if s.pad.plain {
		ask.h += words.h
	}
	s.ask.layoutMid(ask, k)
	s.pad.layout(words, pad, sp.primary)
}
