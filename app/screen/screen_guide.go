package screen

import (
	"github.com/yunzhao-station/yunzhao/app/booth"
)

// guide is 拍照须知: the rules of the photo in pictures.
type guide struct {
	page
	cards []ruleCard
	cont  *button
	back  *button
	pay   *panel
	payIc *sign
	payTx pair
}

type ruleCard struct {
	bg   *panel
	pic  *sign
	text pair
}

var rules = []struct {
	pic  string
	text booth.Text
}{
	{"rule-half-body", booth.Text{ZH: "本人单人，胸部以上", EN: "Only you, chest and up"}},
	{"rule-face-camera", booth.Text{ZH: "坐正，正视镜头", EN: "Sit straight, face the camera"}},
	{"rule-ears-forehead", booth.Text{ZH: "露出双耳和额头", EN: "Ears and forehead visible"}},
	{"rule-shoulders", booth.Text{ZH: "双肩放平", EN: "Shoulders level"}},
	{"rule-expression", booth.Text{ZH: "表情自然，嘴唇闭合", EN: "Natural look, lips closed"}},
	{"rule-accessories", booth.Text{ZH: "不戴有色眼镜和饰物", EN: "No tinted glasses, hats or jewellery"}},
	{"rule-clothes", booth.Text{ZH: "单色有领上衣，不穿蓝色", EN: "Plain shirt with a collar, not blue"}},
	{"rule-light", booth.Text{ZH: "光线均匀，不美颜", EN: "Even light, no beautification"}},
}

func newGuide(u *ui) screen {
	s := &guide{page: newPage(u)}
	s.titleText = booth.Text{ZH: "拍照须知：照着做，一次通过", EN: "The photo rules: follow them and pass the first time"}
	for _, r := range rules {
		s.cards = append(s.cards, ruleCard{bg: s.panel(colSurface, colLine), pic: s.sign(r.pic, colInk), text: s.pair(21, 14, true, colInk, colMuted).centre()})
	}
	s.pay = s.panel(colWarnBg, colWarn)
	s.payIc = s.sign("phone", colWarn)
	s.payTx = s.pair(17, 13, true, colWarn, colWarn)
	s.back = s.page.button("back", lookPlain, "arrow-left", func() { u.send(booth.Back{}) })
	s.cont = s.page.button("continue", lookPrimary, "arrow-right", func() { u.send(booth.Continue{}) })
	return s
}

func (s *guide) forget() {}

func (s *guide) update(v booth.View) {
	for i, c := range s.cards {
		c.text.set(s.ui, rules[i].text)
	}
	s.payTx.set(s.ui, booth.Text{})
	setVisible(s.pay.bg, v.Payment.Blocked)
	setVisible(s.payIc.img, v.Payment.Blocked)
	if v.Payment.Blocked {
		showPayment(s.ui, v, s.pay, s.payIc, s.payTx)
	}
	s.cont.label(booth.Text{ZH: "我准备好了", EN: "I am ready"})
	s.cont.setEnabled(!v.Payment.Blocked)
	s.back.label(booth.Text{ZH: "返回", EN: "Back"})
}

func (s *guide) layout(sp space) {
	k := s.ui.k
	back, rest := sp.rest.cutLeft(170, gap)
	body := sp.body
	if s.ui.tall && s.payTx.a.text != "" { // beside the buttons there is no room
		rest, body = body.cutBottom(64, gap)
	}
	cells := body.grid(4, 2, gap)
	if s.ui.tall {
		cells = body.grid(2, 4, gap)
	}
	for i, c := range s.cards {
		at := cells[i]
		place(c.bg.bg, at, k)
		radius(c.bg, k)
		words, pic := at.cutBottom(66, 0)
		place(c.pic.img, pic.insetXY(8, 8).fitted(240.0/170), k)
		c.text.layoutMid(words.insetXY(8, 2), k)
	}
	place(s.cont, sp.primary, k)
	place(s.back, back, k)
	place(s.pay.bg, rest, k)
	radius(s.pay, k)
	icon, words := rest.insetXY(14, 4).cutLeft(28, 10)
	place(s.payIc.img, icon.centred(28, 28), k)
	s.payTx.layoutMid(words, k)
}
