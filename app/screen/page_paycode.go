package screen

import (
	"strings"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// payCodeDigits is the length of the code on the phone.
const payCodeDigits = 8

// payCodePage takes the eight digits that a student's phone shows when the fee
// is paid and the booth cannot hear of it.
type payCodePage struct {
	staffPage
	field *panel
	shown *textBlock
	say   pair
	noteI *sign
	note  pair
	keys  []*button
	enter *button

	code []rune
	ok   bool // there is a fee to prove
	busy bool
}

func newPayCodePage(u *ui) screen {
	s := &payCodePage{staffPage: newStaffPage(u, booth.Text{ZH: "缴费确认码", EN: "Payment code"}, booth.PageHome)}
	s.say = s.pair(24, 16, true, colInk, colMuted)
	s.field = s.panel(colGround, colBrand)
	s.shown = s.page.text(52, true, colInk).centre().mid().line()
	s.noteI = s.sign("note", colNote)
	s.note = s.pair(19, 15, true, colNote, colNote)
	key := func(name, icon string, tap func()) {
		b := s.page.button("code-"+name, lookKey, icon, tap)
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
	key("back", "backspace", func() {
		if len(s.code) > 0 {
			s.code = s.code[:len(s.code)-1]
		}
		s.show()
	})
	s.enter = s.page.button("code-check", lookPrimary, "ok", s.submit)
	s.mark("paycode-note", s.field.bg, func() string { return s.note.a.text })
	return s
}

// forget drops what was typed.
func (s *payCodePage) forget() {
	clear(s.code)
	s.code = s.code[:0]
}

func (s *payCodePage) digit(r rune) {
	if len(s.code) < payCodeDigits && s.ok && !s.busy {
		s.code = append(s.code, r)
	}
	s.show()
}

func (s *payCodePage) submit() {
	if len(s.code) != payCodeDigits || !s.ok || s.busy {
		return
	}
	code := string(s.code)
	s.forget()
	s.show()
	s.ui.send(booth.PayCode{Code: code})
}

// grouped shows four and four, as the phone does, with a place for each digit
// that is still to come.
func (s *payCodePage) grouped() string {
	all := string(s.code) + strings.Repeat("·", payCodeDigits-len(s.code))
	r := []rune(all)
	return string(r[:4]) + "  " + string(r[4:])
}

// show redraws the digits in place.
func (s *payCodePage) show() {
	s.shown.set(s.grouped())
	s.shown.layout(s.shown.laid.area, s.ui.k)
	s.enter.setEnabled(len(s.code) == payCodeDigits && s.ok && !s.busy)
}

func (s *payCodePage) update(v booth.View) {
	op := v.Operator
	if op == nil {
		op = &booth.OperatorView{}
	}
	s.ok, s.busy = op.Can.Payment, op.Proving
	s.say.set(s.ui, booth.Text{
		ZH: "请学生在手机上点“设备未显示已缴费？”，输入那里的 8 位数字。",
		EN: "The student's phone shows eight digits under “Booth does not show it?”: type them here.",
	})
	var text booth.Text
	level := booth.Note
	switch {
	case s.busy:
		text = booth.Text{ZH: "核对中…", EN: "Checking…"}
	case op.Notice != nil && op.Refused:
		text, level = *op.Notice, booth.Bad
	case op.Notice != nil:
		text, level = *op.Notice, booth.OK
	case !s.ok:
		text = booth.Text{ZH: "现在没有要确认的缴费。", EN: "There is no payment to confirm now."}
	default:
		text = booth.Text{ZH: "只对这一位同学、这一次拍照有效。", EN: "It is good for this student and this visit alone."}
	}
	tn := toneOf(level)
	s.noteI.set(tn.icon, tn.text)
	s.note.tint(tn.text, tn.text)
	s.note.set(s.ui, text)
	for _, b := range s.keys {
		b.setEnabled(s.ok && !s.busy)
	}
	if !s.ok {
		s.forget()
	}
	s.shown.set(s.grouped())
	s.enter.label(booth.Text{ZH: "核对", EN: "Check"})
	s.enter.setEnabled(len(s.code) == payCodeDigits && s.ok && !s.busy)
}

func (s *payCodePage) layout(sp space) {
	k := s.ui.k
	body := s.frame(sp)
	place(s.enter, sp.primary, k)
	var words, pad rect
	if s.ui.tall {
		pad, words = body.cutBottom(body.h*0.55, gap)
	} else {
		pad, words = body.cutRight(body.w*0.42, gap*2)
	}
	say, words := words.cutTop(min(130, words.h*0.3), 16)
	s.say.layoutMid(say, k)
	field, words := words.cutTop(min(110, words.h*0.4), 16)
	place(s.field.bg, field, k)
	radius(s.field, k)
	s.shown.layout(field.insetXY(14, 8), k)
	note, _ := words.cutTop(min(words.h, 130), 0)
	icon, text := note.cutLeft(30, 12)
	place(s.noteI.img, rect{icon.x, icon.y + 4, 28, 28}, k)
	s.note.layout(text, k)
	for i, c := range pad.grid(3, 4, 12) {
		place(s.keys[i], c, k)
	}
}
