package screen

import (
	"strings"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// locked asks the operator for a PIN. The digits stay here until they are sent.
type locked struct {
	page
	card   *panel
	icon   *sign
	head   pair
	field  *panel
	dots   *textBlock
	pad    []*button
	unlock *button
	pin    []rune
	noPIN  bool // none was ever set: a plain confirmation will do
}

// maxPIN digits are taken; more are ignored.
const maxPIN = 12

func newLocked(u *ui) screen {
	s := &locked{page: newPage(u)}
	s.titleText = booth.Text{ZH: "本机已锁定", EN: "This station is locked"}
	s.card = s.panel(colSurface, colLine)
	s.icon = s.sign("lock", colBrand)
	s.head = s.pair(26, 16, true, colInk, colMuted).centre()
	s.field = s.panel(colGround, colBrand)
	s.dots = s.page.text(44, true, colInk).centre().mid().line()
	for _, r := range "123456789" {
		s.key(string(r), "", func() { s.digit(r) })
	}
	s.key("clear", "cross", func() { s.pin = nil; s.show() })
	s.key("0", "", func() { s.digit('0') })
	s.key("back", "backspace", func() { s.erase() })
	s.unlock = s.page.button("unlock", lookPrimary, "ok", s.submit)
	s.mark("pin", s.field.bg, nil)
	return s
}

func (s *locked) key(name, icon string, tap func()) {
	b := s.page.button("key-"+name, lookKey, icon, tap)
	if icon == "" {
		b.plain(name, "")
	}
	s.pad = append(s.pad, b)
}

func (s *locked) forget() { s.pin = nil }

func (s *locked) digit(r rune) {
	if len(s.pin) < maxPIN {
		s.pin = append(s.pin, r)
	}
	s.show()
}

func (s *locked) erase() {
	if len(s.pin) > 0 {
		s.pin = s.pin[:len(s.pin)-1]
	}
	s.show()
}

func (s *locked) submit() {
	pin := string(s.pin)
	clear(s.pin)
	s.pin = nil
	s.show()
	if pin != "" || s.noPIN {
		s.ui.send(booth.Unlock{PIN: pin})
	}
}

// show redraws the dots in place.
func (s *locked) show() {
	s.dots.set(strings.Repeat("●", len(s.pin)))
	s.dots.layout(s.dots.laid.area, s.ui.k)
	s.unlock.setEnabled(len(s.pin) > 0 || s.noPIN)
}

func (s *locked) update(v booth.View) {
	s.noPIN = v.Locked != nil && v.Locked.NoPIN
	s.head.set(s.ui, booth.Text{ZH: "请工作人员输入 PIN", EN: "Staff: enter your PIN"})
	s.dots.set(strings.Repeat("●", len(s.pin)))
	s.unlock.label(booth.Text{ZH: "解锁", EN: "Unlock"})
	s.unlock.setEnabled(len(s.pin) > 0 || s.noPIN)
}

func (s *locked) layout(sp space) {
	k := s.ui.k
	card := sp.body.centred(min(sp.body.w, 900), min(sp.body.h, 520))
	place(s.card.bg, card, k)
	radius(s.card, k)
	in := card.inset(28)
	left, pad := in.cutLeft(in.w*0.46, 32)
	left = left.centred(left.w, min(left.h, 300))
	icon, left := left.cutTop(84, 14)
	place(s.icon.img, icon.centred(80, 80), k)
	head, left := left.cutTop(80, 14)
	s.head.layoutMid(head, k)
	field, _ := left.cutTop(84, 0)
	place(s.field.bg, field, k)
	radius(s.field, k)
	s.dots.layout(field.inset(10), k)
	for i, c := range pad.grid(3, 4, 10) {
		place(s.pad[i], c, k)
	}
	place(s.unlock, sp.primary, k)
}
