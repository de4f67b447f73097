package screen

import (
	"fmt"

	"fyne.io/fyne/v2/canvas"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// capture is the mirror and everything that happens before it: framing, the
// countdown, the flash, and the moment the portrait is made.
type capture struct {
	page
	preview *Preview
	stage   *panel
	waiting pair
	outline *sign
	number  *textBlock // of the countdown; the same stands below the camera
	making  *panel
	makeIc  *sign
	makeTx  pair
	hint    *panel
	hintIc  *sign
	hintTx  pair
	checks  []checkLamp
	listBg  *panel
	listTx  pair
	shutter *button
	back    *button
	flash   *canvas.Rectangle

	state booth.State
	last  space
	shown int
}

type checkLamp struct {
	icon *sign
	text *textBlock
	val  *textBlock
}

// outlineShare of the picture's height is the silhouette's.
const outlineShare = 0.965

// maxLive checks are shown beside the mirror.
const maxLive = 9

func newCapture(u *ui, p *Preview) screen {
	s := &capture{page: newPage(u), preview: p}
	s.stage = s.panel(rgb(0x1A2740), rgb(0x1A2740))
	s.waiting = s.pair(22, 16, false, colWhite, colWhite).centre()
	setVisible(p.img, false)
	s.add(p.img)
	s.outline = s.sign("silhouette", colWhite)
	s.making = s.panel(colSurface, colLine)
	s.makeIc = s.sign("clock", colBrand)
	s.makeTx = s.pair(28, 18, true, colInk, colMuted).centre()
	s.hint = s.panel(colNoteBg, colNote)
	s.hintIc = s.sign("person", colNote)
	s.number = s.page.text(sizeHuge, true, colOK).centre().mid().line()
	s.hintTx = s.pair(32, 18, true, colNote, colNote).centre()
	s.listBg = s.panel(colSurface, colLine)
	s.listTx = s.pair(16, 13, true, colMuted, colMuted)
	for range maxLive {
		v := s.page.text(15, false, colMuted).mid().line()
		v.align = alignRight
		s.checks = append(s.checks, checkLamp{s.sign("note", colNote), s.page.text(18, false, colInk).mid(), v})
	}
	s.back = s.page.button("back", lookPlain, "arrow-left", func() { u.send(booth.Back{}) })
	s.shutter = s.page.button("shutter", lookPrimary, "camera", func() { u.send(booth.Shutter{}) })
	s.flash = canvas.NewRectangle(colWhite)
	s.flash.Hide()
	s.add(s.flash)
	s.mark("preview", s.stage.bg, nil) // one of the two is visible
	s.mark("preview", p.img, nil)
	s.mark("hint", s.hint.bg, func() string { return s.hintTx.a.text })
	p.reshape = func() {
		s.layout(s.last)
		s.repaint()
	}
	return s
}

func (s *capture) forget() {}

func (s *capture) update(v booth.View) {
	s.state = v.State
	framing := v.State == booth.Framing
	counting := v.State == booth.Countdown
	making := v.State == booth.Standardising
	col := colWhite
	if v.Live.Ready {
		col = rgb(0x7CF0A8)
	}
	s.outline.set("silhouette", col)
	setVisible(s.outline.img, framing || counting)
	s.number.set("")
	if counting {
		s.number.set(fmt.Sprint(max(v.Countdown, 1)))
	}
	setVisible(s.making.bg, making)
	setVisible(s.makeIc.img, making)
	s.makeTx.set(s.ui, booth.Text{})
	if making {
		s.makeTx.set(s.ui, booth.Text{ZH: "正在制作标准照…", EN: "Making your standard photo…"})
	}
	setVisible(s.flash, v.State == booth.Shot)

	hint, level, icon := v.Live.Hint, v.Live.Level, v.Live.Icon
	switch {
	case counting:
		hint, level, icon = booth.Text{ZH: "看镜头，保持不动", EN: "Look at the camera, keep still"}, booth.OK, "eye"
	case making || v.State == booth.Shot:
		hint, level, icon = booth.Text{ZH: "拍好了，可以放松", EN: "Got it. You can relax"}, booth.OK, "ok"
	case hint == (booth.Text{}) && v.Live.Ready:
		hint, level, icon = booth.Text{ZH: "很好，保持住", EN: "Perfect, hold it"}, booth.OK, "ok"
	case hint == (booth.Text{}):
		hint, level, icon = booth.Text{ZH: "请坐到画面中间", EN: "Sit in the middle of the picture"}, booth.Note, "person"
	}
	tn := toneOf(level)
	if icon == "" {
		icon = tn.icon
	}
	s.hint.tint(tn.ground, tn.text)
	s.hintIc.set(icon, tn.text)
	setVisible(s.hintIc.img, !counting)
	s.number.colour = tn.text
	s.hintTx.tint(tn.text, tn.text)
	s.hintTx.set(s.ui, hint)

	s.shown = 0
	s.listTx.set(s.ui, booth.Text{ZH: "实时检查", EN: "Live checks"})
	for i, c := range s.checks {
		on := i < len(v.Live.Checks)
		setVisible(c.icon.img, on)
		c.text.set("")
		c.val.set("")
		if !on {
			continue
		}
		s.shown++
		l := v.Live.Checks[i]
		t := toneOfStatus(l.Status)
		c.icon.set(t.icon, t.text)
		c.text.set(l.Title.In(s.ui.lang))
		c.text.colour = t.text
		c.val.set(l.Value)
	}
	setVisible(s.listBg.bg, s.shown > 0)
	if s.shown == 0 {
		s.listTx.set(s.ui, booth.Text{})
	}
	s.back.label(booth.Text{ZH: "返回", EN: "Back"})
	setVisible(s.back, framing || counting)
	s.shutter.label(booth.Text{ZH: "拍照", EN: "Take the photo"})
	s.shutter.setEnabled(framing)
}

func (s *capture) layout(sp space) {
	s.last = sp
	k := s.ui.k
	area := sp.all
	if area.w == 0 {
		return // not placed yet: a frame came before the first view
	}
	var stage, side, back rect
	if s.ui.tall {
		side, stage = area.cutBottom(520, gap)
		back, _ = sp.rest.cutLeft(min(220, sp.rest.w), gap)
		side.h -= sp.actions.h + gap
	} else {
		side, stage = area.cutRight(sp.primary.w, gap)
		side.h -= sp.actions.h + gap
		back = rect{} // above the shutter
	}
	s.waiting.set(s.ui, booth.Text{})
	if s.preview.Shown() == 0 && (s.state == booth.Framing || s.state == booth.Countdown) {
		s.waiting.set(s.ui, booth.Text{ZH: "画面准备中…", EN: "Starting the picture…"})
	}
	px := s.ui.pixels()
	s.preview.setRoom(stage.w*px, stage.h*px)
	pic := stage.fitted(s.preview.ratio())
	if w, h := s.preview.Size(); abs(pic.w*px-float32(w)) < 3 && abs(pic.h*px-float32(h)) < 3 {
		pic = stage // the frame was made for the room: one pixel on one
	}
	place(s.stage.bg, pic, k)
	radius(s.stage, k)
	place(s.preview.img, pic, k)
	s.preview.img.CornerRadius = 14 * k
	setVisible(s.stage.bg, s.preview.Shown() == 0) // a frame covers it: do not paint it twice
	s.waiting.layoutMid(pic, k)
	// Head and shoulders as the crop wants them: the crown a seventh below the top,
	// so that the margin above the head is in the picture.
	outline, _ := pic.cutBottom(pic.h*outlineShare, 0)
	place(s.outline.img, outline.fitted(300.0/400), k)
	card := pic.centred(min(480, pic.w-40), 170)
	place(s.making.bg, card, k)
	radius(s.making, k)
	icon, words := card.inset(16).cutTop(48, 8)
	place(s.makeIc.img, icon.centred(46, 46), k)
	s.makeTx.layoutMid(words, k)

	if !s.ui.tall {
		back, side = side.cutBottom(60, gap)
	}
	place(s.back, back, k)
	place(s.shutter, sp.primary, k)
	hintH := min(side.h*0.48, 236)
	hint, list := side.cutTop(hintH, gap)
	if s.ui.tall {
		hint, list = side.cutLeft(side.w*0.44, gap)
	}
	place(s.hint.bg, hint, k)
	radius(s.hint, k)
	in := hint.inset(14)
	icon, words = in.cutTop(min(84, in.h*0.42), 8)
	if s.number.text != "" {
		icon, words = in.cutTop(in.h*0.6, 4)
	}
	s.number.size = min(sizeHuge, icon.h/lineHeight)
	s.number.layout(icon, k)
	place(s.hintIc.img, icon.centred(icon.h, icon.h), k)
	s.hintTx.layoutMid(words, k)

	place(s.listBg.bg, list, k)
	radius(s.listBg, k)
	in = list.insetXY(16, 10)
	head, rows := in.cutTop(24, 2)
	s.listTx.a.layout(rect{head.x, head.y, head.w / 2, head.h}, k)
	s.listTx.b.align = alignRight
	s.listTx.b.layout(rect{head.x + head.w/2, head.y + 2, head.w / 2, head.h - 2}, k)
	n := max(s.shown, 1)
	step := min(34, rows.h/float32(n))
	for i, c := range s.checks {
		row := rect{rows.x, rows.y + float32(min(i, n-1))*step, rows.w, step}
		icon, words := row.cutLeft(20, 10)
		place(c.icon.img, icon.centred(min(19, step-2), min(19, step-2)), k)
		c.text.size = min(18, step/lineHeight)
		c.val.size = min(15, step/lineHeight)
		vw := float32(0)
		if c.val.text != "" {
			vw = c.val.measure(c.val.text, c.val.size*k)/k + 2
		}
		val, words := words.cutRight(vw, 6)
		c.text.layout(words, k)
		c.val.layout(val, k)
	}
	place(s.flash, sp.window, k)
}

func abs(v float32) float32 { return max(v, -v) }
