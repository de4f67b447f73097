package screen

import (
	"github.com/yunzhao-station/yunzhao/app/booth"
)

// identify is the keypad: the document type, the number being typed, what is
// wrong with it.
type identify struct {
	page
	tabs    []*button
	field   *panel
	number  *textBlock
	caption pair
	state   *panel
	stSign  *sign
	message pair
	pad     map[string]*button
	letters []*button
	scan    pair
	scanImg *sign
	camera  *button
	submit  *button
	back    *button
	alpha   bool
	reading bool // by the camera
	offered bool
}

var docTabs = []struct {
	doc  booth.DocType
	id   string
	name booth.Text
	hint booth.Text
}{
	{booth.DocResident, "doc-resident", booth.Text{ZH: "居民身份证", EN: "Resident ID"}, booth.Text{ZH: "请输入 18 位身份证号", EN: "Type the 18 characters of your ID"}},
	{booth.DocHMT, "doc-hmt", booth.Text{ZH: "港澳台证件", EN: "HK/MO/TW permit"}, booth.Text{ZH: "请输入通行证或居住证号", EN: "Type the number of your permit"}},
	{booth.DocPassport, "doc-passport", booth.Text{ZH: "护照", EN: "Passport"}, booth.Text{ZH: "请输入护照号", EN: "Type your passport number"}},
	{booth.DocStudentNo, "doc-student", booth.Text{ZH: "学号/考生号", EN: "Student no."}, booth.Text{ZH: "请输入学号或考生号", EN: "Type your student or exam number"}},
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func newIdentify(u *ui) screen {
	s := &identify{page: newPage(u), pad: map[string]*button{}}
	s.titleText = booth.Text{ZH: "请输入或扫描您的证件号", EN: "Type or scan your ID number"}
	for _, t := range docTabs {
		s.tabs = append(s.tabs, s.page.button(t.id, lookPlain, "", func() { u.send(booth.SetDoc{Doc: t.doc}) }))
	}
	s.field = s.panel(colSurface, colBrand)
	s.number = s.page.text(sizeHero, true, colInk).mid().line()
	s.number.floor = 24
	s.caption = s.pair(sizeHead, sizeSmall, false, colMuted, colMuted)
	s.state = s.panel(colGround, colGround)
	s.stSign = s.sign("note", colNote)
	s.message = s.pair(22, sizeSmall, true, colNote, colNote)
	s.scanImg = s.sign("card", colMuted)
	s.scan = s.pair(18, 14, false, colMuted, colMuted)
	key := func(name string, r rune, label, icon string) {
		b := s.page.button("key-"+name, lookKey, icon, func() { u.send(booth.Key{Rune: r}) })
		b.plain(label, "")
		s.pad[name] = b
	}
	for _, r := range "1234567890X" {
		key(string(r), r, string(r), "")
	}
	key("back", '\b', "", "backspace")
	key("clear", 0x7f, "清除 Clear", "")
	for _, r := range alphabet {
		name := string(r)
		if r == 'X' { // the same id as the digit pad's X, of which only one is shown
			b := s.page.button("key-X", lookKey, "", func() { u.send(booth.Key{Rune: 'X'}) })
			b.plain("X", "")
			s.letters = append(s.letters, b)
			continue
		}
		key(name, r, name, "")
		s.letters = append(s.letters, s.pad[name])
	}
	s.camera = s.page.button("use-camera", lookPlain, "camera", func() { u.send(booth.UseCamera{On: !s.reading}) })
	s.back = s.page.button("back", lookPlain, "arrow-left", func() { u.send(booth.Back{}) })
	s.submit = s.page.button("submit", lookPrimary, "arrow-right", func() { u.send(booth.Submit{}) })
	s.mark("number", s.field.bg, nil) // never its text: drivers keep what they read
	s.mark("message", s.state.bg, func() string { return s.message.a.text })
	return s
}

func (s *identify) forget() {
	s.number.set("")
	s.message.set(s.ui, booth.Text{})
}

func (s *identify) update(v booth.View) {
	id := v.Identify
	if id.Doc == "" {
		id.Doc = booth.DocResident
	}
	s.alpha = id.Doc != booth.DocResident
	hint := booth.Text{}
	for i, t := range docTabs {
		s.tabs[i].label(t.name)
		l := lookPlain
		if t.doc == id.Doc {
			l, hint = lookChosen, t.hint
		}
		s.tabs[i].setLook(l)
	}
	s.number.set(id.Grouped)
	if id.Grouped == "" {
		s.number.set(id.Raw)
	}
	s.caption.set(s.ui, booth.Text{})
	if id.Raw == "" {
		s.caption.set(s.ui, hint)
	}
	level, msg, icon := booth.Note, id.Message, ""
	switch {
	case id.Busy:
		msg, icon = booth.Text{ZH: "正在查名单…", EN: "Looking you up…"}, "clock"
	case id.Bad:
		level = booth.Bad
	case id.Complete:
		level = booth.OK
		if msg == (booth.Text{}) {
			msg = booth.Text{ZH: "号码完整，请按“查询”", EN: "Complete. Press Look up"}
		}
	}
	s.reading, s.offered = id.Scan.On, id.Scan.Can
	if s.reading && msg == (booth.Text{}) {
		msg, icon = id.Scan.Hint, "camera"
		if id.Scan.Near {
			level = booth.OK
		}
	}
	setVisible(s.camera, s.offered && !s.alpha)
	s.camera.label(booth.Text{ZH: "用镜头识别", EN: "Use the camera"})
	s.camera.setLook(lookPlain)
	if s.reading {
		s.camera.label(booth.Text{ZH: "停止识别", EN: "Stop reading"})
		s.camera.setLook(lookChosen)
	}
	tn := toneOf(level)
	if icon == "" {
		icon = tn.icon
	}
	has := msg != (booth.Text{})
	s.message.set(s.ui, msg)
	s.message.tint(tn.text, tn.text)
	s.stSign.set(icon, tn.text)
	setVisible(s.stSign.img, has)
	if has {
		s.state.tint(tn.ground, tn.text)
	} else {
		s.state.tint(colGround, colGround)
	}
	line := colBrand
	if id.Bad {
		line = colBad
	}
	s.field.tint(colSurface, line)
	s.scan.show(!s.alpha) // the letters need its room
	setVisible(s.scanImg.img, !s.alpha)
	s.scan.set(s.ui, booth.Text{ZH: "也可以直接刷身份证，或扫录取通知书上的条码", EN: "Or tap your ID card on the reader, or scan the code on your admission letter"})
	s.submit.label(booth.Text{ZH: "查询", EN: "Look up"})
	s.submit.setEnabled(id.Complete && !id.Busy)
	s.back.label(booth.Text{ZH: "返回", EN: "Back"})
	s.pad["clear"].plain(booth.Text{ZH: "清除", EN: "Clear"}.In(s.ui.lang), "")
	for _, b := range s.letters {
		setVisible(b, s.alpha)
	}
	setVisible(s.pad["X"], !s.alpha)
}

func (s *identify) layout(sp space) {
	k := s.ui.k
	var left, pad rect
	if s.ui.tall {
		pad, left = sp.body.cutBottom(460, gap)
		pad = pad.centred(min(pad.w, 560), pad.h)
	} else {
		pad, left = sp.body.cutRight(min(420, sp.body.w*0.34), 32)
	}
	tabs, left := left.cutTop(64, gap)
	for i, c := range tabs.grid(len(s.tabs), 1, 8) {
		place(s.tabs[i], c, k)
	}
	field, left := left.cutTop(104, 12)
	place(s.field.bg, field, k)
	s.field.bg.StrokeWidth = 2.5 * k
	radius(s.field, k)
	s.number.layout(field.insetXY(24, 8), k)
	s.caption.layoutMid(field.insetXY(24, 8), k)
	state, left := left.cutTop(78, 12)
	place(s.state.bg, state, k)
	radius(s.state, k)
	icon, words := state.insetXY(18, 6).cutLeft(30, 12)
	place(s.stSign.img, icon.centred(30, 30), k)
	s.message.layoutMid(words, k)
	if !s.alpha {
		var scan rect
		scan, left = left.cutBottom(64, 10)
		if s.offered {
			var button rect
			button, scan = scan.cutRight(min(240, scan.w*.4), 14)
			place(s.camera, button, k)
		}
		icon, words = scan.cutLeft(32, 12)
		place(s.scanImg.img, icon.centred(32, 32), k)
		s.scan.layoutMid(words, k)
	}
	if s.alpha {
		cells := left.centred(left.w, min(left.h, 240)).grid(9, 3, 8)
		for i, b := range s.letters {
			place(b, cells[i], k)
		}
	}
	// 3 × 4, and a wide clear below.
	clearRow, pad := pad.cutBottom(64, 10)
	place(s.pad["clear"], clearRow, k)
	keys := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "X", "0", "back"}
	cells := pad.grid(3, 4, 10)
	for i, name := range keys {
		place(s.pad[name], cells[i], k)
	}
	place(s.submit, sp.primary, k)
	back, _ := sp.rest.cutLeft(200, gap)
	place(s.back, back, k)
}
