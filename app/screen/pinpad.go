package screen

import (
	"fmt"
	"strings"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// maxPIN digits are taken; more are ignored.
const maxPIN = 12

// pinPad takes a PIN. The digits stay here until they are sent; what is wrong
// and how long to wait stands below them.
type pinPad struct {
	page  *page
	field *panel
	dots  *textBlock
	note  pair
	noteI *sign
	keys  []*button
	enter *button

	pin     []rune
	blocked bool // busy, or a wait lasts
	plain   bool // no PIN was ever set: the button alone will do
}

// newPINPad makes the pad's parts on p; send gets what was typed.
func newPINPad(p *page, send func(pin string)) *pinPad {
	s := &pinPad{page: p}
	s.field = p.panel(colGround, colBrand)
	s.dots = p.text(44, true, colInk).centre().mid().line()
	s.noteI = p.sign("warn", colBad)
	s.note = p.pair(18, 14, true, colBad, colBad)
	key := func(name, icon string, tap func()) {
		b := p.button("key-"+name, lookKey, icon, tap)
		if icon == "" {
			b.plain(name, "")
		}
		s.keys = append(s.keys, b)
	}
	for _, r := range "123456789" {
		key(string(r), "", func() { s.digit(r) })
	}
	key("clear", "cross", func() { s.forget(); s.show() })
	key("0", "", func() { s.digit('0') })
	key("back", "backspace", s.erase)
	s.enter = p.button("unlock", lookPrimary, "ok", func() { s.submit(send) })
	p.mark("pin", s.field.bg, nil)
	return s
}

// forget drops what was typed.
func (s *pinPad) forget() {
	clear(s.pin)
	s.pin = nil
}

func (s *pinPad) digit(r rune) {
	if len(s.pin) < maxPIN && !s.blocked && !s.plain {
		s.pin = append(s.pin, r)
	}
	s.show()
}

func (s *pinPad) erase() {
	if len(s.pin) > 0 {
		s.pin[len(s.pin)-1] = 0
		s.pin = s.pin[:len(s.pin)-1]
	}
	s.show()
}

func (s *pinPad) submit(send func(pin string)) {
	pin := string(s.pin)
	s.forget()
	s.show()
	if (pin != "" || s.plain) && !s.blocked {
		send(pin)
	}
}

// show redraws the dots in place.
func (s *pinPad) show() {
	s.dots.set(strings.Repeat("●", len(s.pin)))
	s.dots.layout(s.dots.laid.area, s.page.ui.k)
	s.enter.setEnabled((len(s.pin) > 0 || s.plain) && !s.blocked)
}

// update takes how the pad stands.
func (s *pinPad) update(v booth.PINView, now booth.View, plain bool) {
	s.plain, s.blocked = plain, v.Busy || !v.RetryAt.IsZero()
	s.note.set(s.page.ui, booth.Text{})
	switch {
	case !v.RetryAt.IsZero():
		left := max(1, int(v.RetryAt.Sub(now.Now).Seconds()+0.999))
		s.note.set(s.page.ui, booth.Text{
			ZH: fmt.Sprintf("错误次数太多，请等 %d 秒再试", left), EN: fmt.Sprintf("Too many wrong PINs: wait %d s", left),
		})
	case v.Problem != nil:
		s.note.set(s.page.ui, *v.Problem)
	}
	setVisible(s.noteI.img, s.note.a.text != "")
	for _, b := range s.keys {
		setVisible(b, !plain)
		b.setEnabled(!s.blocked)
	}
	setVisible(s.field.bg, !plain)
	label := booth.Text{ZH: "解锁", EN: "Unlock"}
	switch {
	case plain:
		label = booth.Text{ZH: "已知晓，继续", EN: "Read: go on"}
	case v.Busy:
		label = booth.Text{ZH: "核对中…", EN: "Checking…"}
	}
	s.enter.label(label)
	s.dots.set(strings.Repeat("●", len(s.pin)))
	s.enter.setEnabled((len(s.pin) > 0 || plain) && !s.blocked)
}

// visible shows or hides the whole pad.
func (s *pinPad) visible(on bool) {
	if !on {
		s.forget()
		s.dots.set("")
		s.note.set(s.page.ui, booth.Text{})
	}
	setVisible(s.field.bg, on)
	setVisible(s.noteI.img, on && s.note.a.text != "")
	for _, b := range s.keys {
		setVisible(b, on)
	}
	setVisible(s.enter, on)
}

// layout places the field with its note, and the keys.
func (s *pinPad) layout(field, pad, enter rect) {
	k := s.page.ui.k
	at, note := field.cutTop(min(84, field.h*0.5), 10)
	place(s.field.bg, at, k)
	radius(s.field, k)
	s.dots.layout(at.insetXY(10, 6), k)
	icon, words := note.cutLeft(24, 10)
	place(s.noteI.img, rect{icon.x, icon.y, 24, 24}, k)
	s.note.layout(words, k)
	for i, c := range pad.grid(3, 4, 10) {
		place(s.keys[i], c, k)
	}
	place(s.enter, enter, k)
}
