package screen

import (
	"fmt"
	"image"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// Most rows of the camera's page.
const (
	cameraRows  = 4
	maxSettings = 5
)

// cameraPage shows staff the live picture with lines to aim by, what the camera
// does, and how sharp and bright the picture is.
type cameraPage struct {
	staffPage
	live    *Preview
	stage   *panel
	whole   *picture // of the test shot
	middle  *picture
	lines   []*canvas.Line
	waiting pair

	card   *panel
	name   *textBlock
	id     *textBlock
	stateI *sign
	state  *textBlock
	rows   []factRow

	focus     *panel
	focusName *textBlock
	track     *panel
	level     *panel
	peak      *panel
	histName  *textBlock
	hist      *canvas.Image
	bins      *image.RGBA
	clipped   *textBlock

	notice *panel
	noteI  *sign
	note   pair

	shot, bundle, hold, release, grey *button

	view booth.CameraView
	last space
	// hidden is the test shot that staff have put away again.
	hidden *booth.CameraSample
}

type factRow struct{ name, value *textBlock }

func newCameraPage(u *ui) screen {
	s := &cameraPage{staffPage: newStaffPage(u, booth.Text{ZH: "相机", EN: "Camera"}, booth.PageMenu), live: u.aim}
	s.stage = s.panel(colSurface, colLine)
	s.add(s.live.img)
	setVisible(s.live.img, false)
	s.whole, s.middle = s.picture(), s.picture()
	for range 2 * len(aimLines) {
		l := canvas.NewLine(colAim)
		s.lines = append(s.lines, l)
		s.add(l)
	}
	s.waiting = s.pair(sizeBody, sizeStrip, true, colMuted, colMuted).centre()
	s.live.reshape = func() {
		if s.last.all.w > 0 {
			s.layout(s.last)
			s.repaint()
		}
	}

	s.card = s.panel(colSurface, colLine)
	s.name = s.page.text(18, true, colInk).mid().line()
	s.id = s.page.text(sizeStrip, false, colMuted).mid().line()
	s.stateI = s.sign("dot", colInk)
	s.state = s.page.text(16, true, colInk).mid()
	for range cameraRows + maxSettings {
		s.rows = append(s.rows, factRow{s.page.text(15, false, colMuted).mid().line(), s.page.text(16, true, colInk).mid().line()})
	}

	s.focus = s.panel(colSurface, colLine)
	s.focusName = s.page.text(15, true, colInk).mid().line()
	s.track, s.level, s.peak = s.panel(colGround, colLine), s.panel(colBrand, colBrand), s.panel(colWarn, colWarn)
	s.histName = s.page.text(15, true, colInk).mid().line()
	s.bins = image.NewRGBA(image.Rect(0, 0, len(s.view.Reading.Histogram), histHeight))
	s.hist = &canvas.Image{Image: s.bins, FillMode: canvas.ImageFillStretch, ScaleMode: canvas.ImageScalePixels}
	s.add(s.hist)
	s.clipped = s.page.text(15, true, colInk).mid().line()

	s.notice = s.panel(colNoteBg, colNote)
	s.noteI = s.sign("note", colNote)
	s.note = s.pair(17, 13, true, colNote, colNote)

	job := func(id, icon string, j booth.CameraJob) *button {
		return s.page.button(id, lookPlain, icon, func() { u.send(booth.DoCamera{Job: j}) })
	}
	s.bundle = job("camera-bundle", "box", booth.CameraBundle)
	s.release = job("camera-release", "retake", booth.CameraRelease)
	s.hold = job("camera-hold", "lock", booth.CameraHold)
	s.grey = job("camera-card", "light", booth.CameraCard)
	s.shot = s.page.button("camera-shot", lookPrimary, "camera", s.shoot)
	s.mark("camera-live", s.stage.bg, nil)
	s.mark("camera-state", s.card.bg, func() string { return s.state.text })
	s.mark("camera-notice", s.notice.bg, func() string { return s.note.a.text })
	return s
}

// shoot takes a test shot, or goes back to the live picture from one.
func (s *cameraPage) shoot() {
	if s.sample() == nil {
		s.ui.send(booth.DoCamera{Job: booth.CameraShot})
		return
	}
	s.hidden = s.view.Shot
	s.ui.send(booth.Stay{}) // somebody is here
	s.show()
	if s.ui.rearrange != nil {
		s.ui.rearrange()
	}
}

// sample is the test shot that is looked at; nil = the live picture.
func (s *cameraPage) sample() *booth.CameraSample {
	if s.view.Shot == s.hidden {
		return nil
	}
	return s.view.Shot
}

func (s *cameraPage) forget() {
	s.view, s.hidden = booth.CameraView{}, nil
	s.whole.set(nil)
	s.middle.set(nil)
	s.live.Clear()
}

func (s *cameraPage) update(v booth.View) {
	s.view = booth.CameraView{}
	if v.Operator != nil && v.Operator.Camera != nil {
		s.view = *v.Operator.Camera
	}
	s.show()
}

func (s *cameraPage) words(t booth.Text) string { return t.In(s.ui.lang) }

// show puts the last view on the page.
func (s *cameraPage) show() {
	r := &s.view.Reading
	sample := s.sample()
	s.whole.set(nil)
	s.middle.set(nil)
	if sample != nil {
		s.whole.set(sample.Whole)
		s.middle.set(sample.Middle)
	}
	s.name.set(r.Name)
	s.id.set(r.ID)
	tn := toneOf(r.State.Level)
	s.stateI.set(tn.icon, tn.text)
	s.state.set(s.words(r.State.Text))
	s.state.colour = tn.text
	s.facts(r, sample)

	s.focusName.set(s.words(booth.Text{ZH: "清晰度：转动镜头，让蓝条最长", EN: "Sharpness: turn the lens until the bar is longest"}))
	s.histName.set(s.words(booth.Text{ZH: "亮度分布", EN: "Brightness"}))
	s.clipped.set("")
	if r.Measured {
		s.clipped.set(s.words(booth.Text{
			ZH: fmt.Sprintf("过暗 %.2f%%  过亮 %.2f%%", r.Dark, r.Bright), EN: fmt.Sprintf("too dark %.2f%%, too bright %.2f%%", r.Dark, r.Bright),
		}))
	}
	s.clipped.colour = colInk
	for _, l := range []booth.Level{r.DarkLevel, r.BrightLevel} {
		if l == booth.Warn || l == booth.Bad {
			s.clipped.colour = toneOf(l).text
		}
	}
	s.drawHistogram(r)

	busy := s.view.Busy != ""
	text, level := s.view.Told, s.view.Level
	if busy {
		text, level = busyWords(s.view.Busy), booth.Note
	}
	tn = toneOf(level)
	s.note.set(s.ui, text)
	s.note.tint(tn.text, tn.text)
	s.noteI.set(tn.icon, tn.text)
	s.notice.tint(tn.ground, tn.text)
	on := text != (booth.Text{})
	setVisible(s.notice.bg, on)
	setVisible(s.noteI.img, on)

	s.shot.label(booth.Text{ZH: "试拍一张", EN: "Test shot"})
	s.shot.setIcon("camera")
	if sample != nil {
		s.shot.label(booth.Text{ZH: "回到取景", EN: "Live picture"})
		s.shot.setIcon("arrow-left")
	}
	s.bundle.label(booth.Text{ZH: "导出诊断包", EN: "Diagnostic bundle"})
	s.hold.label(booth.Text{ZH: "坐好后锁定", EN: "Hold, seated"})
	s.release.label(booth.Text{ZH: "交还自动", EN: "Automatic again"})
	s.grey.label(booth.Text{ZH: "测灰卡", EN: "Grey card"})
	s.shot.setEnabled(sample != nil || !busy && s.view.Can)
	s.bundle.setEnabled(!busy)
	s.hold.setEnabled(!busy && s.view.Can)
	s.release.setEnabled(!busy && s.view.Can)
	s.grey.setEnabled(!busy && s.view.Can)
}

// facts fills the rows: what the camera does and is set to, or the test shot's
// numbers.
func (s *cameraPage) facts(r *booth.CameraReading, sample *booth.CameraSample) {
	n := 0
	row := func(name booth.Text, value string, col color.NRGBA) {
		if n < len(s.rows) {
			s.rows[n].name.set(s.words(name))
			s.rows[n].value.set(value)
			s.rows[n].value.colour = col
			n++
		}
	}
	row(booth.Text{ZH: "方式", EN: "Mode"}, r.Mode, colInk)
	row(booth.Text{ZH: "帧率", EN: "Frames a second"}, s.words(booth.Text{
		ZH: fmt.Sprintf("相机 %.1f，屏幕 %.1f", r.FPSIn, r.FPSOut), EN: fmt.Sprintf("camera %.1f, screen %.1f", r.FPSIn, r.FPSOut),
	}), colInk)
	row(booth.Text{ZH: "丢帧 / 坏帧 / 重复", EN: "Dropped / bad / same"}, fmt.Sprintf("%d / %d / %d", r.Dropped, r.Invalid, r.Repeated), colInk)
	row(booth.Text{ZH: "打开次数", EN: "Times opened"}, fmt.Sprint(r.Opens), colInk)
	if sample != nil {
		for _, f := range sample.Facts {
			row(f.Title, s.words(f.Lamp.Text), toneOf(f.Lamp.Level).text)
		}
	} else {
		if len(r.Settings) == 0 && r.Measured {
			row(booth.Text{ZH: "曝光、色温、对焦", EN: "Exposure, colour, focus"}, s.words(booth.Text{ZH: "这台相机不能设置", EN: "fixed in this camera"}), colMuted)
		}
		for _, c := range r.Settings[:min(len(r.Settings), maxSettings)] {
			col, value := colOK, c.Value
			if c.Auto {
				col = colWarn
				value += s.words(booth.Text{ZH: "（自动）", EN: " (automatic)"})
			}
			row(c.Title, value, col)
		}
	}
	for ; n < len(s.rows); n++ {
		s.rows[n].name.set("")
		s.rows[n].value.set("")
	}
}

func busyWords(job booth.CameraJob) booth.Text {
	switch job {
	case booth.CameraShot:
		return booth.Text{ZH: "正在试拍…", EN: "Taking a test shot…"}
	case booth.CameraBundle:
		return booth.Text{ZH: "正在观察相机并装诊断包，约 5 秒…", EN: "Watching the camera and packing, about 5 seconds…"}
	case booth.CameraHold:
		return booth.Text{ZH: "让自动曝光和对焦稳定，约 3 秒，请坐好不动…", EN: "Exposure and focus settle, about 3 seconds: sit still…"}
	case booth.CameraCard:
		return booth.Text{ZH: "请在座位处把灰卡正对相机，盖住十字线中间…", EN: "Hold the grey card at the seat, facing the camera, over the crossing of the lines…"}
	case booth.CameraRelease:
		return booth.Text{ZH: "正在交还自动…", EN: "Giving the settings back…"}
	}
	return booth.Text{}
}

// histHeight is how finely a bin's height is drawn.
const histHeight = 40

// drawHistogram draws the bins, and in the tone of a fault those at the ends that
// have lost detail.
func (s *cameraPage) drawHistogram(r *booth.CameraReading) {
	clear(s.bins.Pix)
	last := len(r.Histogram) - 1
	for x, share := range r.Histogram {
		col := colBrand
		if x == 0 && r.DarkLevel != booth.OK || x == last && r.BrightLevel != booth.OK {
			col = colBad
		}
		for y := histHeight - int(share*histHeight+.5); y < histHeight; y++ {
			s.bins.Set(x, y, col)
		}
	}
	s.hist.Refresh()
}

func (s *cameraPage) layout(sp space) {
	s.last = sp
	k := s.ui.k
	body := s.frame(sp)
	if body.w <= 0 {
		return
	}
	var side rect
	if s.ui.tall {
		side, body = body.cutBottom(body.h*0.54, gap)
	} else {
		side, body = body.cutRight(body.w*0.4, gap)
	}
	note, stage := body.cutBottom(92, 10)
	place(s.notice.bg, note, k)
	radius(s.notice, k)
	icon, words := note.insetXY(14, 4).cutLeft(28, 10)
	place(s.noteI.img, icon.centred(28, 28), k)
	s.note.layoutMid(words, k)
	s.layoutStage(stage)
	s.layoutSide(side)
	s.layoutJobs(sp)
}

// layoutJobs places the buttons beside the way back.
func (s *cameraPage) layoutJobs(sp space) {
	k := s.ui.k
	_, rest := sp.rest.cutLeft(min(240, sp.rest.w), gap)
	place(s.shot, sp.primary, k)
	jobs := []*button{s.hold, s.release, s.grey, s.bundle}
	if s.ui.tall { // a row of their own above
		rest = rect{sp.body.x, sp.body.y + sp.body.h - sp.rest.h, sp.body.w, sp.rest.h}
	}
	for i, c := range rest.grid(len(jobs), 1, 12) {
		place(jobs[i], c, k)
	}
}

// aimLines are where the lines over the picture run, as shares of it, and how wide:
// thirds and the middle, upright and level.
var aimLines = [3][2]float32{{1. / 3, 1.2}, {.5, 2}, {2. / 3, 1.2}}

func (s *cameraPage) layoutStage(stage rect) {
	k := s.ui.k
	px := s.ui.pixels()
	s.live.setRoom(stage.w*px, stage.h*px)
	pic := stage.fitted(s.live.ratio())
	sample := s.sample()
	if sample != nil {
		b := sample.Whole.Bounds()
		pic = stage.fitted(float32(b.Dx()) / float32(max(1, b.Dy())))
	}
	place(s.stage.bg, pic, k)
	radius(s.stage, k)
	place(s.live.img, pic, k)
	s.live.img.CornerRadius = 14 * k
	setVisible(s.live.img, sample == nil && s.live.img.Image != nil)
	place(s.whole.img, pic, k)
	corner := min(pic.w, pic.h) * 0.5
	place(s.middle.img, rect{pic.x + pic.w - corner - 8, pic.y + pic.h - corner - 8, corner, corner}, k)
	s.waiting.set(s.ui, booth.Text{})
	if sample == nil && s.live.Shown() == 0 {
		s.waiting.set(s.ui, booth.Text{ZH: "画面准备中…", EN: "Starting the picture…"})
	}
	s.waiting.layoutMid(pic, k)
	for i, l := range s.lines {
		setVisible(l, sample == nil && s.live.Shown() != 0)
		at, width := aimLines[i%len(aimLines)][0], aimLines[i%len(aimLines)][1]
		l.StrokeWidth = width * k
		a, b := fyne.NewPos((pic.x+pic.w*at)*k, pic.y*k), fyne.NewPos((pic.x+pic.w*at)*k, (pic.y+pic.h)*k)
		if i >= len(aimLines) {
			a, b = fyne.NewPos(pic.x*k, (pic.y+pic.h*at)*k), fyne.NewPos((pic.x+pic.w)*k, (pic.y+pic.h*at)*k)
		}
		l.Position1, l.Position2 = a, b
	}
}

func (s *cameraPage) layoutSide(side rect) {
	k := s.ui.k
	if s.ui.tall {
		side.h -= s.last.rest.h + gap
	}
	foot, card := side.cutBottom(min(156, side.h*0.36), 10)
	place(s.card.bg, card, k)
	radius(s.card, k)
	in := card.insetXY(14, 6)
	name, in := in.cutTop(26, 0)
	s.name.layout(name, k)
	id, in := in.cutTop(20, 0)
	s.id.layout(id, k)
	high := float32(30)
	if !s.view.Reading.Measured { // there are fewer numbers, and more to say
		high = 56
	}
	state, in := in.cutTop(high, 2)
	icon, words := state.cutLeft(22, 8)
	place(s.stateI.img, icon.centred(22, 22), k)
	s.state.layout(words, k)
	n := 0
	for n < len(s.rows) && s.rows[n].name.text != "" {
		n++
	}
	h := min(34, in.h/float32(max(n, 1)))
	for i, row := range s.rows {
		at := rect{in.x, in.y + float32(min(i, max(n-1, 0)))*h, in.w, h}
		name, value := at.cutLeft(at.w*0.44, 8)
		row.name.layout(name, k)
		row.value.layout(value, k)
	}

	place(s.focus.bg, foot, k)
	radius(s.focus, k)
	in = foot.insetXY(14, 6)
	title, in := in.cutTop(24, 2)
	s.focusName.layout(title, k)
	bar, in := in.cutTop(16, 8)
	r := &s.view.Reading
	share := float32(0)
	if r.Best > 0 {
		share = float32(r.Focus / r.Best)
	}
	place(s.track.bg, bar, k)
	place(s.level.bg, rect{bar.x, bar.y, bar.w * share, bar.h}, k)
	place(s.peak.bg, rect{bar.x + bar.w - 4, bar.y - 2, 4, bar.h + 4}, k)
	for _, p := range []*panel{s.track, s.level, s.peak} {
		p.bg.CornerRadius = 4 * k
	}
	title, in = in.cutTop(24, 2)
	left, right := title.cutLeft(title.w*0.38, 8)
	s.histName.layout(left, k)
	s.clipped.layout(right, k)
	place(s.hist, in, k)
}
