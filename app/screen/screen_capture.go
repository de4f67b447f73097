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
	auto    *button
	held    *canvas.Rectangle // how much of the time before the countdown has passed
	heldBy  float32           // of it, 0..1
	lead    *panel            // the way to move, where the student looks
	leadIc  *sign
	leadTo  string            // its sign
	moment  *canvas.Rectangle // a frame round the mirror while the photo is taken

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
	s.held = canvas.NewRectangle(colOK)
	s.add(s.held)
	s.lead = s.panel(colWhite, colBrand)
	s.leadIc = s.sign("arrow-left", colBrand)
	s.back = s.page.button("back", lookPlain, "arrow-left", func() { u.send(booth.Back{}) })
	s.shutter = s.page.button("shutter", lookPrimary, "camera", func() { u.send(booth.Shutter{}) })
	s.auto = s.page.button("auto", lookPlain, "", nil)
	s.moment = &canvas.Rectangle{StrokeColor: colWhite, CornerRadius: 14}
	s.moment.Hide()
	s.add(s.moment)
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
	// Not a flash over the whole screen: it would light the face in the frames
	// that are being taken, and make people blink.
	setVisible(s.moment, v.State == booth.Shot)

	hint, level, icon := v.Live.Hint, v.Live.Level, v.Live.Icon
	switch {
	case counting:
		hint, level, icon = booth.Text{ZH: "看镜头，保持不动", EN: "Look at the camera, keep still"}, booth.OK, "eye"
	case v.State == booth.Shot:
		hint, level, icon = booth.Text{ZH: "正在拍，别动", EN: "Taking it: keep still"}, booth.OK, "camera"
	case framing && v.Capture.Stopped != nil:
		hint = *v.Capture.Stopped
		if level == booth.OK || level == "" {
			level, icon = booth.Note, "note"
		}
	case framing && v.Live.Ready && v.Capture.Auto:
		hint, level, icon = booth.Text{ZH: "保持不动，马上自动拍", EN: "Hold still: it starts by itself"}, booth.OK, "ok"
	case making:
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
		on := i < len(v.Live.Checks) && !s.ui.students() // one hint; the console has the list
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
	s.heldBy = 0
	if framing {
		s.heldBy = float32(v.Capture.Held)
	}
	setVisible(s.held, s.heldBy > 0)
	s.held.FillColor = tn.text
	moves := framing && leads(icon) && v.Capture.Stopped == nil
	setVisible(s.lead.bg, moves)
	setVisible(s.leadIc.img, moves)
	if moves {
		s.leadIc.set(icon, colBrand)
	}
	s.leadTo = icon

	s.back.label(booth.Text{ZH: "返回", EN: "Back"})
	setVisible(s.auto, v.Capture.Offered && (framing || counting))
	on := v.Capture.Auto
	if on {
		s.auto.label(booth.Text{ZH: "我自己按", EN: "I press"})
		s.auto.setIcon("")
	} else {
		s.auto.label(booth.Text{ZH: "自动拍", EN: "Automatic"})
		s.auto.setIcon("clock")
	}
	s.auto.onTap = func() { s.ui.send(booth.SetAuto{On: !on}) }
	setVisible(s.back, framing || counting)
	s.shutter.label(booth.Text{ZH: "拍照", EN: "Take the photo"})
	if counting {
		s.shutter.label(booth.Text{ZH: "马上拍", EN: "Now"})
	}
	s.shutter.setEnabled(framing || counting)
}

// leads tells whether the hint's sign is a way to move, which is shown on the
// mirror too: that is where the student looks.
func leads(icon string) bool {
	switch icon {
	case "arrow-left", "arrow-right", "arrow-up", "arrow-down", "closer", "further":
		return true
	}
	return false
}

func (s *capture) layout(sp space) {
	s.last = sp
	k := s.ui.k
	area := sp.all
	if area.w == 0 {
		return // not placed yet: a frame came before the first view
	}
	var stage, side, back, auto rect
	if s.ui.tall {
		side, stage = area.cutBottom(520, gap)
		back, auto = sp.rest.cutLeft(min(220, sp.rest.w), gap)
		auto, _ = auto.cutLeft(min(260, auto.w), gap)
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
		if s.auto.Visible() {
			back, auto = back.cutLeft(back.w*0.44, gap)
		}
	}
	place(s.back, back, k)
	place(s.auto, auto, k)
	s.layoutLead(pic)
	place(s.moment, pic.inset(5), k)
	s.moment.StrokeWidth = 10 * k
	place(s.shutter, sp.primary, k)
	hintH := min(side.h*0.48, 236)
	hint, list := side.cutTop(hintH, gap)
	if s.ui.tall {
		hint, list = side.cutLeft(side.w*0.44, gap)
	}
	place(s.hint.bg, hint, k)
	radius(s.hint, k)
	in := hint.inset(14)
	if s.held.Visible() {
		in.h -= 10
	}
	icon, words = in.cutTop(min(84, in.h*0.42), 8)
	if s.number.text != "" {
		icon, words = in.cutTop(in.h*0.6, 4)
	}
	s.number.size = min(sizeHuge, icon.h/lineHeight)
	s.number.layout(icon, k)
	place(s.hintIc.img, icon.centred(icon.h, icon.h), k)
	s.hintTx.layoutMid(words, k)

	bar, _ := hint.insetXY(18, 0).cutBottom(8, 0)
	bar.y -= 6
	bar.h, bar.w = 6, bar.w*s.heldBy
	place(s.held, bar, k)
	s.held.CornerRadius = 3 * k

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
}

// layoutLead puts the way to move at that edge of the mirror.
func (s *capture) layoutLead(pic rect) {
	const side = 104
	at := pic.centred(side, side)
	switch s.leadTo {
	case "arrow-left":
		at.x = pic.x + 20
	case "arrow-right":
		at.x = pic.x + pic.w - side - 20
	case "arrow-up":
		at.y = pic.y + 20
	default:
		at.y = pic.y + pic.h - side - 20
	}
	place(s.lead.bg, at, s.ui.k)
	s.lead.bg.CornerRadius = side / 2 * s.ui.k
	place(s.leadIc.img, at.inset(20), s.ui.k)
}

func abs(v float32) float32 { return max(v, -v) }
