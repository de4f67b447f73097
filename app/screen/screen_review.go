package screen

import (
	"fmt"
	"image"
	"slices"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// review shows the standardised portrait at its own pixels, what it was made
// from, and what was measured.
type review struct {
	page
	frame    *panel
	portrait *picture
	compare  *compare
	drag     pair
	problem  pair
	probIc   *sign
	beforeBg *panel
	before   *picture
	capA     pair
	capB     pair
	verdict  *panel
	verIc    *sign
	verTx    pair
	rows     []checkLamp
	more     *textBlock
	burstTx  pair
	thumbs   []thumb
	ask      *panel
	askTx    pair
	manual   *button
	retake   *button
	accept   *button

	w, h  int // of the portrait
	shown int
	extra int // of the checks, beyond those with a row
	fine  int // of all of them, those that passed
	taken int // frames of the burst
	asks  bool
}

// maxChecks rows are shown; failing ones first.
const maxChecks = 12

// thumb is one frame of the burst.
type thumb struct {
	button *button
	pic    *picture
	word   *textBlock
}

// maxThumbs is the largest burst there is.
const maxThumbs = 9

func newReview(u *ui) screen {
	s := &review{page: newPage(u)}
	s.frame = s.panel(colSurface, colLine)
	s.beforeBg = s.panel(colSurface, colLine)
	s.portrait = s.picture()
	s.before = s.picture()
	s.compare = newCompare(&s.page)
	s.drag = s.pair(16, 13, false, colMuted, colMuted)
	s.probIc = s.sign("bad", colBad)
	s.problem = s.pair(26, 17, true, colBad, colBad).centre()
	s.capA = s.pair(16, 13, true, colInk, colMuted)
	s.capB = s.pair(16, 13, true, colInk, colMuted)
	s.verdict = s.panel(colOKBg, colOK)
	s.verIc = s.sign("ok", colOK)
	s.verTx = s.pair(24, 15, true, colOK, colOK)
	for range maxChecks {
		v := s.page.text(15, false, colMuted).mid().line()
		v.align = alignRight
		s.rows = append(s.rows, checkLamp{s.sign("note", colNote), s.page.text(17, false, colInk).mid(), v})
	}
	s.more = s.page.text(14, false, colMuted).line()
	s.burstTx = s.pair(16, 13, true, colInk, colMuted)
	for i := range maxThumbs {
		b := s.page.button(fmt.Sprintf("frame-%d", i+1), lookPlain, "", nil)
		s.thumbs = append(s.thumbs, thumb{b, s.picture(), s.page.text(13, false, colInk).centre().mid().line()})
	}
	s.ask = s.panel(colSurface, colWarn)
	s.askTx = s.pair(16, 13, true, colInk, colMuted)
	s.manual = s.page.button("manual-ok", lookPlain, "", nil)
	s.retake = s.page.button("retake", lookPlain, "retake", func() { u.send(booth.Retake{}) })
	s.accept = s.page.button("accept", lookPrimary, "ok", func() { u.send(booth.Accept{}) })
	s.mark("portrait", s.portrait.img, nil)
	s.mark("before", s.before.img, nil)
	s.mark("verdict", s.verdict.bg, func() string { return s.verTx.a.text })
	return s
}

func (s *review) forget() {
	s.portrait.set(nil)
	s.before.set(nil)
	s.compare.set(nil)
	for _, t := range s.thumbs {
		t.pic.set(nil)
	}
	for _, r := range s.rows {
		r.text.set("")
		r.val.set("")
	}
}

func (s *review) update(v booth.View) {
	shot := v.Shot
	if shot == nil {
		shot = &booth.ShotView{}
	}
	s.portrait.set(shot.Portrait)
	s.before.set(shot.Before)
	var before image.Image // of the same crop, else there is nothing to lay over it
	s.drag.set(s.ui, booth.Text{})
	if shot.Portrait != nil && shot.Before != nil && shot.Before.Bounds().Size() == shot.Portrait.Bounds().Size() {
		before = shot.Before
		s.drag.set(s.ui, booth.Text{ZH: "在照片上左右拖动，和原片比较", EN: "Draw a finger across the photo to compare it with the picture as taken"})
	}
	s.compare.set(before)
	s.w, s.h = 480, 640
	if shot.Portrait != nil && !shot.Portrait.Bounds().Empty() {
		s.w, s.h = shot.Portrait.Bounds().Dx(), shot.Portrait.Bounds().Dy()
	}
	s.problem.set(s.ui, booth.Text{})
	setVisible(s.probIc.img, shot.Problem != nil)
	if shot.Problem != nil {
		s.problem.set(s.ui, *shot.Problem)
	}
	s.capA.set(s.ui, booth.Text{ZH: "标准照", EN: "Standard photo"})
	s.capB.set(s.ui, booth.Text{})
	if shot.Before != nil {
		s.capB.set(s.ui, booth.Text{ZH: "原片", EN: "As taken"})
	}
	setVisible(s.beforeBg.bg, shot.Before != nil)

	failed, warned := 0, 0
	s.fine = 0
	for _, c := range shot.Checks {
		switch c.Status {
		case "fail":
			failed++
		case "pass":
			s.fine++
		default:
			warned++
		}
	}
	level, words := booth.OK, booth.Text{ZH: "合格", EN: "Meets the rules"}
	switch {
	case shot.Picking != 0:
		level, words = booth.Note, booth.Text{ZH: "正在制作选中的这张…", EN: "Making the chosen photo…"}
	case shot.Problem != nil:
		level, words = booth.Bad, booth.Text{ZH: "没有做成标准照，请重拍", EN: "No photo could be made: please retake"}
	case shot.Verdict == "fail":
		level, words = booth.Bad, booth.Text{ZH: fmt.Sprintf("%d 项不合格，请重拍", failed), EN: fmt.Sprintf("Rules not met: %d. Please retake", failed)}
	case s.ui.students() && len(shot.ManualAsk) > 0 && !shot.ManualOK:
		level, words = booth.Note, booth.Text{ZH: "合格，请等工作人员确认", EN: "Meets the rules; the staff are confirming"}
	case shot.Verdict == "warn":
		level, words = booth.Warn, booth.Text{ZH: fmt.Sprintf("%d 项需要留意", warned), EN: fmt.Sprintf("Points to look at: %d", warned)}
	}
	tn := toneOf(level)
	s.verdict.tint(tn.ground, tn.text)
	s.verIc.set(tn.icon, tn.text)
	s.verTx.tint(tn.text, tn.text)
	s.verTx.set(s.ui, words)

	order := ranked(shot.Checks)
	if s.ui.students() { // what to do about it; the figures are on the console
		order = slices.DeleteFunc(order, func(c booth.CheckLine) bool { return c.Status == "pass" })
		s.fine = 0
	}
	s.shown = min(len(order), maxChecks)
	s.extra = len(order) - s.shown
	for i, r := range s.rows {
		on := i < s.shown
		setVisible(r.icon.img, on)
		r.text.set("")
		r.val.set("")
		if !on {
			continue
		}
		c := order[i]
		t := toneOfStatus(c.Status)
		r.icon.set(t.icon, t.text)
		r.text.colour = colInk
		line := c.Title
		if c.Status != "pass" && c.Message != (booth.Text{}) {
			line, r.text.colour = c.Message, t.text
		}
		r.text.set(line.In(s.ui.lang))
		if !s.ui.students() {
			r.val.set(c.Value)
		}
	}
	s.updateBurst(shot)

	s.asks = len(shot.ManualAsk) > 0 && !s.ui.students()
	setVisible(s.ask.bg, s.asks)
	setVisible(s.manual, s.asks)
	s.askTx.set(s.ui, booth.Text{})
	if s.asks {
		zh, en := "", ""
		for i, c := range shot.ManualAsk {
			if i > 0 {
				zh, en = zh+"、", en+", "
			}
			zh, en = zh+c.Title.ZH, en+c.Title.EN
		}
		s.askTx.set(s.ui, booth.Text{ZH: "请工作人员确认：" + zh, EN: "Staff, please confirm: " + en})
		s.manual.label(booth.Text{ZH: "全部符合", EN: "All met"})
		s.manual.setLook(lookPlain)
		s.manual.setIcon("")
		if shot.ManualOK {
			s.manual.setLook(lookGood)
			s.manual.setIcon("ok")
		}
		answer := !shot.ManualOK
		s.manual.onTap = func() { s.ui.send(booth.ManualAnswer{OK: answer}) }
	}
	s.retake.label(booth.Text{ZH: "重拍", EN: "Retake"})
	s.accept.label(booth.Text{ZH: "满意，用这张", EN: "Use this photo"})
	s.accept.setEnabled(shot.CanAccept)
}

// updateBurst shows the frames that can be chosen from.
func (s *review) updateBurst(shot *booth.ShotView) {
	s.taken = min(len(shot.Burst), len(s.thumbs))
	s.burstTx.set(s.ui, booth.Text{})
	if s.taken > 0 {
		s.burstTx.set(s.ui, booth.Text{ZH: fmt.Sprintf("连拍 %d 张，点一下换一张", s.taken), EN: fmt.Sprintf("%d frames. Tap one to use it", s.taken)})
	}
	for i, t := range s.thumbs {
		on := i < s.taken
		setVisible(t.button, on)
		t.pic.set(nil)
		t.word.set("")
		if !on {
			continue
		}
		f := shot.Burst[i]
		t.pic.set(f.Thumb)
		t.word.colour = colMuted
		switch {
		case f.Seq == shot.Picking:
			t.word.set("…")
		case f.Flaw != (booth.Text{}):
			t.word.set(f.Flaw.In(s.ui.lang))
			t.word.colour = colWarn
		case f.Best:
			t.word.set(booth.Text{ZH: "推荐", EN: "Best"}.In(s.ui.lang))
			t.word.colour = colOK
		}
		shown := f.Seq == shot.Seq && shot.Picking == 0 || f.Seq == shot.Picking
		t.button.setLook(lookPlain)
		if shown {
			t.button.setLook(lookPrimary) // a frame of the brand's colour, and a tick in words
			t.word.colour = colWhite
			if t.word.text == "" {
				t.word.set(booth.Text{ZH: "已选", EN: "Chosen"}.In(s.ui.lang))
			} else if f.Seq != shot.Picking {
				t.word.set("✓ " + t.word.text)
			}
		}
		t.button.setEnabled(true)
		t.button.onTap = func() { s.ui.send(booth.Pick{Seq: f.Seq}) }
	}
}

// layoutBurst places the thumbs in r.
func (s *review) layoutBurst(r rect) {
	k := s.ui.k
	if s.taken == 0 {
		s.burstTx.layoutMid(r, k)
		for _, t := range s.thumbs {
			t.word.layout(rect{r.x, r.y, 1, r.h}, k)
		}
		return
	}
	const between = 8
	n := float32(s.taken)
	w := min((r.w-130-between*n)/n, r.h*0.7)
	words, row := r.cutLeft(r.w-n*(w+between), between)
	s.burstTx.layoutMid(words, k)
	for i, t := range s.thumbs {
		at := rect{row.x + float32(min(i, s.taken-1))*(w+between), row.y, w, row.h}
		place(t.button, at, k)
		t.button.a.set("")
		pic, word := at.inset(4).cutTop(at.h-28, 2)
		place(t.pic.img, pic.fitted(3.0/4), k)
		t.word.size = 13
		t.word.layout(word, k)
	}
}

// ranked puts what needs attention first and keeps the given order otherwise.
func ranked(checks []booth.CheckLine) []booth.CheckLine {
	out := make([]booth.CheckLine, 0, len(checks))
	for _, group := range []func(string) bool{
		func(s string) bool { return s == "fail" },
		func(s string) bool { return s != "fail" && s != "pass" },
		func(s string) bool { return s == "pass" },
	} {
		for _, c := range checks {
			if group(c.Status) {
				out = append(out, c)
			}
		}
	}
	return out
}

func (s *review) layout(sp space) {
	k := s.ui.k
	px := s.ui.pixels()
	area := sp.all
	// One image pixel on one screen pixel, when there is room for it.
	w, h := float32(s.w)/px, float32(s.h)/px
	if shrink := min(1, min((area.h-4)/h, area.w*0.45/w)); shrink < 1 {
		w, h = w*shrink, h*shrink
	}
	var left, right rect
	side := !s.ui.tall && area.w-2*(w+gap) >= 500
	if s.ui.tall {
		var top rect
		top, right = area.cutTop(h+34, gap)
		left = top
		side = area.w >= 2*w+gap
	} else {
		left, right = area.cutLeft(w, 24)
	}
	frame := rect{left.x, left.y, w, h}
	if side {
		frame.y = left.y + 30
		if !s.ui.tall {
			frame.y = area.y + max(30, (area.h-h)/2)
		}
		if frame.y+h > area.y+area.h {
			frame.y = area.y + area.h - h
		}
	} else if !s.ui.tall {
		frame.y = area.y + (area.h-h)/2
	}
	frame.x, frame.y = snap(frame.x, px), snap(frame.y, px)
	place(s.frame.bg, frame, k)
	s.frame.bg.CornerRadius = 0
	place(s.portrait.img, frame, k)
	in := frame.inset(30)
	icon, words := in.cutTop(in.h*0.4, 10)
	place(s.probIc.img, icon.centred(72, 72), k)
	s.problem.layout(words, k)

	var small rect
	if side {
		small = rect{snap(frame.x+w+gap, px), frame.y, w, h}
		if !s.ui.tall {
			right = area
			_, right = right.cutLeft(2*w+gap, 24)
		}
	}
	// The column of words: verdict, checks, the staff's question, the actions.
	if !s.ui.tall {
		actions := rect{right.x, sp.actions.y, right.w, sp.actions.h}
		retake, accept := actions.cutLeft(actions.w*0.36, gap)
		place(s.retake, retake, k)
		place(s.accept, accept, k)
		right.h = actions.y - gap - right.y
	} else {
		place(s.accept, sp.primary, k)
		retake, _ := sp.rest.cutLeft(min(260, sp.rest.w), gap)
		place(s.retake, retake, k)
		right.h = sp.actions.y - gap - right.y
	}
	verdict, col := right.cutTop(70, 12)
	if s.taken > 0 {
		var strip rect
		strip, col = col.cutTop(116, 12)
		s.layoutBurst(strip)
	} else {
		s.layoutBurst(rect{col.x, col.y, col.w, 1})
	}
	place(s.verdict.bg, verdict, k)
	radius(s.verdict, k)
	icon, words = verdict.insetXY(18, 4).cutLeft(34, 14)
	place(s.verIc.img, icon.centred(34, 34), k)
	s.verTx.layoutMid(words, k)
	if s.asks {
		var ask rect
		ask, col = col.cutBottom(104, 12)
		place(s.ask.bg, ask, k)
		radius(s.ask, k)
		b, words := ask.insetXY(12, 10).cutRight(170, 12)
		place(s.manual, b, k)
		s.askTx.layoutMid(words, k)
	} else {
		s.askTx.layoutMid(col, k)
	}
	if !side { // there the slider alone compares
		small = rect{frame.x, frame.y, 1, 1}
	}
	setVisible(s.before.img, side && s.before.src != nil)
	setVisible(s.beforeBg.bg, side && s.before.src != nil)
	s.compare.layout(frame)
	if s.compare.on() {
		var hint rect
		hint, col = col.cutBottom(44, 8)
		s.drag.layoutMid(hint, k)
	} else {
		s.drag.layoutMid(col, k)
	}
	if s.before.src == nil {
		small = rect{frame.x, frame.y, 1, 1}
	}
	place(s.beforeBg.bg, small, k)
	s.beforeBg.bg.CornerRadius = 0
	place(s.before.img, small, k)
	if side {
		s.capA.caption(rect{frame.x, frame.y - 27, frame.w, 24}, k)
	} else {
		s.capA.a.set("")
		s.capA.b.set("")
		s.capA.caption(rect{frame.x, frame.y, 1, 1}, k)
	}
	if !side {
		s.capB.a.set("")
		s.capB.b.set("")
	}
	s.capB.caption(rect{small.x, small.y - 25, small.w, 24}, k)
	s.layoutChecks(col)
}

// caption puts both languages on one line, the second at the right.
func (d pair) caption(r rect, k float32) {
	d.a.single, d.b.single = true, true
	aw := float32(0)
	if d.a.text != "" {
		aw = d.a.measure(d.a.text, d.a.size*k)/k + 2
	}
	left, right := r.cutLeft(min(aw, r.w), 6)
	d.a.layout(left, k)
	d.b.align = alignRight
	d.b.layout(rect{right.x, right.y + 2, right.w, right.h - 2}, k)
}

func snap(v, px float32) float32 { return float32(int(v*px+0.5)) / px }

// minRow is the least height of a check's row that can be read at the desk.
const minRow = 25

func (s *review) layoutChecks(col rect) {
	k := s.ui.k
	// As many rows as fit; those left out are the last, which are fine.
	fit := s.shown
	if float32(fit)*minRow > col.h {
		fit = max(int((col.h-24)/minRow), 1)
	}
	s.more.set("")
	if n := s.shown - fit + s.extra; n > 0 {
		s.more.set(booth.Text{ZH: fmt.Sprintf("另外 %d 项", n), EN: fmt.Sprintf("%d more", n)}.In(s.ui.lang))
		if s.fine >= n {
			s.more.set(booth.Text{ZH: fmt.Sprintf("另外 %d 项合格", n), EN: fmt.Sprintf("%d more are fine", n)}.In(s.ui.lang))
		}
	}
	if s.more.text != "" {
		var foot rect
		foot, col = col.cutBottom(22, 2)
		s.more.layout(foot, k)
	} else {
		s.more.layout(col, k)
	}
	n := max(fit, 1)
	step := min(38, col.h/float32(n))
	for i, c := range s.rows {
		on := i < fit
		setVisible(c.icon.img, on)
		c.text.show(on)
		c.val.show(on)
		row := rect{col.x, col.y + float32(min(i, n-1))*step, col.w, step}
		icon, words := row.cutLeft(20, 10)
		side := min(19, step-2)
		place(c.icon.img, icon.centred(side, side), k)
		c.text.size = min(17, step/lineHeight)
		c.val.size = min(15, step/lineHeight)
		vw := float32(0)
		if c.val.text != "" {
			vw = c.val.measure(c.val.text, c.val.size*k)/k + 2
		}
		val, words := words.cutRight(vw, 8)
		c.text.single = true
		c.text.layout(words, k)
		c.val.layout(val, k)
	}
}
