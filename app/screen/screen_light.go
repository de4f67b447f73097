package screen

import "github.com/yunzhao-station/yunzhao/app/booth"

// lightPage shows all that the last calibration found about backdrop and lamps,
// and takes the next one.
type lightPage struct {
	staffPage
	head  *panel
	sign  *sign
	say   pair
	list  *table
	fresh *button
	again *button
}

func newLightPage(u *ui) screen {
	s := &lightPage{staffPage: newStaffPage(u, booth.Text{ZH: "背景与灯光", EN: "Backdrop and light"}, booth.PageMenu)}
	s.head = s.panel(colNoteBg, colNote)
	s.sign = s.page.sign("light", colNote)
	s.say = s.pair(19, 15, true, colNote, colNote)
	s.list = newTable(&s.page, "light", []column{
		{name: booth.Text{ZH: "项目", EN: "What"}, share: 1.2},
		{name: booth.Text{ZH: "结果，以及该做什么", EN: "Found, and what to do"}, share: 5},
	}, 14, nil)
	s.fresh = s.page.button("light-fresh", lookPlain, "plate", func() { u.send(booth.Recalibrate{Fresh: true}) })
	s.again = s.page.button("light-again", lookPrimary, "plate", func() { u.send(booth.Recalibrate{}) })
	s.mark("light-state", s.head.bg, func() string { return s.say.a.text })
	return s
}

// lightNames are what a calibration looks at, for people.
var lightNames = map[string]booth.Text{
	"frames":                 {ZH: "张数", EN: "Frames"},
	"person":                 {ZH: "没有人", EN: "Nobody there"},
	"banding":                {ZH: "灯管条纹", EN: "Stripes"},
	"flicker":                {ZH: "灯光闪烁", EN: "Flicker"},
	"motion":                 {ZH: "没有晃动", EN: "Nothing moves"},
	"object":                 {ZH: "没有杂物", EN: "Nothing in the way"},
	"exposure":               {ZH: "亮度", EN: "Brightness"},
	"clipped":                {ZH: "过曝死黑", EN: "Lost detail"},
	"sharp":                  {ZH: "清晰", EN: "Sharpness"},
	"even_left_right":        {ZH: "左右均匀", EN: "Left and right"},
	"even_top_bottom":        {ZH: "上下均匀", EN: "Top and bottom"},
	"colour":                 {ZH: "光的颜色", EN: "Colour of light"},
	booth.LineCameraSettings: {ZH: "相机设置", EN: "Camera settings"},
}

func (s *lightPage) update(v booth.View) {
	l, can := booth.LightView{}, false
	if op := v.Operator; op != nil {
		can = op.Can.Recalibrate
		if op.Light != nil {
			l = *op.Light
		}
	}
	rows := make([][]cell, len(l.Lines))
	for i, f := range l.Lines {
		name := lightNames[f.ID]
		if name == (booth.Text{}) {
			name = booth.Text{ZH: "其他", EN: "Other"}
		}
		rows[i] = []cell{{text: name.In(s.ui.lang), level: f.Level, strong: true}, {text: f.Text.In(s.ui.lang)}}
	}
	s.list.set(rows, booth.Text{
		ZH: "开机后还没有拍过空背景。彩色背景先在“相机”页测一次灰卡，光的颜色才准。",
		EN: "No backdrop photo since the start. Before a coloured one, read a grey card on the camera page: only that tells the colour of the light.",
	})
	text, level := lightState(v, l)
	tn := toneOf(level)
	s.head.tint(tn.ground, tn.text)
	s.sign.set(tn.icon, tn.text)
	s.say.tint(tn.text, tn.text)
	s.say.set(s.ui, text)
	s.again.label(booth.Text{ZH: "重拍空背景", EN: "New backdrop photo"})
	s.fresh.label(booth.Text{ZH: "换过背景，重新拍", EN: "New backdrop or camera"})
	s.again.setEnabled(can)
	s.fresh.setEnabled(can)
}

// lightState is how backdrop and light stand, in a sentence.
func lightState(v booth.View, l booth.LightView) (booth.Text, booth.Level) {
	c := v.Calibration
	at := c.Plate.TakenAt.Local().Format("01-02 15:04")
	switch {
	case c.State == booth.CalibrationRunning:
		return operatorNotice(v, v.Operator)
	case v.Toast != nil: // why a button did nothing
		return *v.Toast, booth.Warn
	case c.Alarm != nil:
		return *c.Alarm, booth.Warn
	case !l.At.IsZero() && !l.Accepted && c.Plate.ID != "":
		return booth.Text{ZH: "这次没有通过，仍在用 " + at + " 拍的空背景。请按下面标红的做，再拍一次。", EN: "Not accepted: the backdrop photo of " + at + " stays in use. See to what is red below and take it again."}, booth.Bad
	case c.Plate.ID == "":
		return booth.Text{ZH: "还没有空背景。请让画面里没有人，然后按右下角的按钮。", EN: "There is no backdrop photo yet. With nobody in the picture, press the button at the bottom right."}, booth.Bad
	}
	for _, f := range l.Lines {
		if f.Level == booth.Warn {
			return booth.Text{ZH: "空背景可以用（" + at + "）。灯光还能更好，见下面标黄的。", EN: "The backdrop photo of " + at + " is in use. The light could be better: see what is marked below."}, booth.Warn
		}
	}
	return booth.Text{ZH: "空背景可以用（" + at + "）。", EN: "The backdrop photo of " + at + " is in use."}, booth.OK
}

func (s *lightPage) layout(sp space) {
	k := s.ui.k
	body := s.frame(sp)
	place(s.again, sp.primary, k)
	_, rest := sp.rest.cutLeft(min(240, sp.rest.w*0.5), gap)
	if s.ui.tall { // a row of its own above
		rest, body = body.cutBottom(sp.rest.h, gap)
	}
	place(s.fresh, rect{rest.x, rest.y, min(rest.w, 380), rest.h}, k)
	at, body := body.cutTop(76, gap)
	place(s.head.bg, at, k)
	radius(s.head, k)
	icon, words := at.insetXY(16, 6).cutLeft(30, 12)
	place(s.sign.img, icon.centred(30, 30), k)
	s.say.layoutMid(words, k)
	s.list.layout(body)
}
