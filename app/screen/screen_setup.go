package screen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// setupPage is the first run: a question a screen, what happens if it is skipped,
// and the same place for going on.
type setupPage struct {
	page
	live  *Preview
	marks []setupMark
	head  pair
	about pair
	card  *panel
	told  pair
	toldI *sign
	toldP *panel
	risk  *textBlock

	big     []*button // languages, cameras
	turn    *button
	fields  []*button // station and school; address and code
	typer   *typer
	stage   *panel
	waiting pair
	whole   *picture
	facts   *textBlock
	digits  *textBlock // to compare
	say     *textBlock
	act     *button // what the step is for
	other   *button // another way
	drop    *button

	back, skip, goOn *button

	view   booth.View
	step   booth.SetupStep
	field  int
	values [2]string
	byHand bool   // the address and the code are typed
	first  string // of a new PIN, until it is typed again
	last   space
}

type setupMark struct {
	dot  *panel
	sign *sign
	name *textBlock
}

// maxCameras is the most cameras that are offered.
const maxCameras = 6

func newSetupPage(u *ui) *setupPage {
	s := &setupPage{page: newPage(u), live: u.first}
	for range 7 {
		s.marks = append(s.marks, setupMark{s.panel(colGround, colLine), s.page.sign("dot", colInk), s.page.text(16, true, colMuted).mid().line()})
	}
	s.card = s.panel(colSurface, colLine)
	s.head = s.pair(30, 18, true, colInk, colMuted)
	s.about = s.pair(19, 15, false, colInk, colMuted)
	s.stage = s.panel(colGround, colLine)
	s.add(s.live.img)
	setVisible(s.live.img, false)
	s.whole = s.picture()
	s.waiting = s.pair(sizeBody, sizeStrip, true, colMuted, colMuted).centre()
	s.live.reshape = func() {
		if s.last.all.w > 0 {
			s.layout(s.last)
			s.repaint()
		}
	}
	for i := range maxCameras {
		s.big = append(s.big, s.page.button("setup-choice-"+strconv.Itoa(i), lookPlain, "", nil))
	}
	s.turn = s.page.button("setup-turn", lookPlain, "retake", func() { u.send(booth.SetupTurn{}) })
	for i := range 2 {
		s.fields = append(s.fields, s.page.button("setup-field-"+strconv.Itoa(i), lookPlain, "", func() { s.edit(i) }))
	}
	s.typer = newTyper(&s.page, "setup-key", func() {
		if s.step == booth.SetupName || s.byHand {
			s.values[s.field] = s.typer.value()
		}
		s.update(s.view)
	})
	s.facts = s.page.text(17, false, colInk)
	s.digits = s.page.text(44, true, colBrand).centre().mid().line()
	s.say = s.page.text(18, true, colInk)
	s.toldP = s.panel(colNoteBg, colNote)
	s.toldI = s.page.sign("note", colNote)
	s.told = s.pair(18, 14, true, colNote, colNote)
	s.risk = s.page.text(16, false, colMuted).mid()
	s.act = s.page.button("setup-act", lookPlain, "", s.press)
	s.other = s.page.button("setup-other", lookPlain, "", func() {
		s.byHand = !s.byHand
		s.edit(0)
	})
	s.drop = s.page.button("setup-drop", lookDanger, "cross", func() { u.send(booth.SetupDrop{}) })
	s.back = s.page.button("setup-back", lookPlain, "arrow-left", func() { u.send(booth.SetupBack{}) })
	s.skip = s.page.button("setup-skip", lookQuiet, "", func() { u.send(booth.SetupSkip{}) })
	s.goOn = s.page.button("setup-next", lookPrimary, "arrow-right", s.next)
	s.mark("setup", s.card.bg, func() string { return s.head.a.text })
	s.mark("setup-told", s.toldP.bg, func() string { return s.told.a.text })
	s.mark("setup-digits", s.stage.bg, func() string { return s.digits.text })
	return s
}

// forget drops what was typed.
func (s *setupPage) forget() {
	s.typer.clear()
	s.values, s.first, s.byHand, s.field = [2]string{}, "", false, 0
	s.whole.set(nil)
	s.live.Clear()
	s.view, s.step = booth.View{}, ""
}

func (s *setupPage) setup() *booth.SetupView {
	if s.view.Setup == nil {
		return &booth.SetupView{}
	}
	return s.view.Setup
}

// edit begins one of the two fields.
func (s *setupPage) edit(i int) {
	s.field = i
	most := 40
	if s.byHand {
		most = 200
	}
	s.typer.begin(s.values[i], most)
	s.typer.show()
}

// typing is the keyboard that is plugged in.
func (s *setupPage) typing() *typer {
	if s.types() {
		return s.typer
	}
	return nil
}

// types tells whether the step has a keyboard.
func (s *setupPage) types() bool {
	v := s.setup()
	if v.Busy {
		return false
	}
	switch s.step {
	case booth.SetupName, booth.SetupUnlock:
		return true
	case booth.SetupCentral:
		return s.byHand && !v.Done
	case booth.SetupPIN:
		return !v.Done
	case booth.SetupLanguage, booth.SetupCamera, booth.SetupPlate, booth.SetupShot, booth.SetupEnd:
	}
	return false
}

// begin prepares a step that was just entered.
func (s *setupPage) begin(v *booth.SetupView) {
	s.step, s.field, s.byHand, s.first = v.Step, 0, false, ""
	s.values = [2]string{}
	s.typer.begin("", 40)
	switch v.Step {
	case booth.SetupName:
		s.values = [2]string{v.Station, v.School}
		s.typer.begin(v.Station, 40)
	case booth.SetupUnlock, booth.SetupPIN:
		s.typer.begin("", maxPIN)
		s.typer.digits, s.typer.hidden = true, true
	case booth.SetupLanguage, booth.SetupCamera, booth.SetupPlate, booth.SetupCentral, booth.SetupShot, booth.SetupEnd:
	}
}

// press is the step's own button.
func (s *setupPage) press() {
	v := s.setup()
	switch s.step {
	case booth.SetupPlate:
		s.ui.send(booth.SetupTake{})
	case booth.SetupShot:
		s.ui.send(booth.SetupTry{})
	case booth.SetupCentral:
		if v.Scanned != nil {
			s.ui.send(booth.SetupTrust{})
		} else if s.byHand {
			s.ui.send(booth.SetupEnrol{URL: s.values[0], Code: s.values[1]})
		}
	case booth.SetupPIN, booth.SetupUnlock:
		s.secret()
	case booth.SetupLanguage, booth.SetupName, booth.SetupCamera, booth.SetupEnd:
	}
}

// secret takes the PIN; a new one is typed twice.
func (s *setupPage) secret() {
	pin := s.typer.value()
	s.typer.clear()
	switch {
	case pin == "":
	case s.step == booth.SetupUnlock:
		s.ui.send(booth.SetupSecret{PIN: pin})
	case s.first == "":
		s.first = pin
	case s.first != pin:
		s.first = "≠" // no PIN: it says that the two differ
	default:
		s.first = ""
		s.ui.send(booth.SetupSecret{PIN: pin})
	}
	if s.first == "≠" {
		s.first = ""
		s.values[0] = "≠"
	} else {
		s.values[0] = ""
	}
	s.typer.show()
}

// next goes on; what was typed goes first.
func (s *setupPage) next() {
	if s.step == booth.SetupName {
		s.ui.send(booth.SetupNames{Station: s.values[0], School: s.values[1]})
	}
	s.ui.send(booth.SetupGo{})
}

// setupWords are each step's question and what it is about.
var setupWords = map[booth.SetupStep][2]booth.Text{
	booth.SetupUnlock:   {{ZH: "请管理员输入 PIN", EN: "Admin: enter your PIN"}, {ZH: "本机已有 PIN，先确认再改设置。", EN: "This station has a PIN: it is asked for before anything is changed."}},
	booth.SetupLanguage: {{ZH: "先显示哪种语言？", EN: "Which language comes first?"}, {ZH: "另一种小字在旁边，学生可以随时切换。", EN: "The other stands beside it, smaller; students may switch at any time."}},
	booth.SetupName:     {{ZH: "这一台叫什么？是哪所学校？", EN: "What is this station called, and whose is it?"}, {ZH: "工作人员和审核中心用这个名字认出它；学校名称印在日报上。", EN: "Staff and central know it by this name; the school stands on the day's report."}},
	booth.SetupCamera:   {{ZH: "用哪台相机？", EN: "Which camera?"}, {ZH: "看画面是不是这台、正不正；侧装的按“转 90°”。", EN: "See that it is the right one and upright; a camera on its side is turned here."}},
	booth.SetupPlate:    {{ZH: "拍一张空背景", EN: "Photograph the empty backdrop"}, {ZH: "灯全部打开，背景前不要有人，也不要有椅子、包等东西。", EN: "Every lamp on, and nobody and nothing before the backdrop."}},
	booth.SetupCentral:  {{ZH: "登记到审核中心", EN: "Make this station known to central"}, {ZH: "把设置二维码对准镜头，或用扫描枪扫；也可以手动输入地址和登记码。", EN: "Hold the set-up code before the camera or scan it; address and code can be typed too."}},
	booth.SetupPIN:      {{ZH: "设置管理员 PIN", EN: "Choose the admin's PIN"}, {ZH: "6–12 位数字，不能是顺子或同一个数字。值守人员的 PIN 以后再设。", EN: "6 to 12 digits, no run and not one digit repeated. Operators' PINs are set later."}},
	booth.SetupShot:     {{ZH: "试拍一张", EN: "Take a test shot"}, {ZH: "请人坐好，看清晰度和光线；试拍不保存。", EN: "Have somebody sit down; look at sharpness and light. It is kept nowhere."}},
	booth.SetupEnd:      {{ZH: "设置好了", EN: "Everything is set"}, {ZH: "按右下角开始使用。以后在“工作人员 → 全部功能 → 设置”里都能改。", EN: "Press the button to begin. All of it can be changed under Staff → Everything else → Settings."}},
}

// setupSigns are the marks' colours.
var setupSigns = map[booth.Level]string{booth.OK: "ok", booth.Warn: "warn", booth.Note: "dot"}

func (s *setupPage) update(v booth.View) {
	s.view = v
	set := s.setup()
	if set.Step != s.step {
		s.begin(set)
	}
	words := setupWords[s.step]
	if s.step == booth.SetupEnd && !set.Done {
		words = [2]booth.Text{{ZH: "还不能开始", EN: "Not ready yet"}, {ZH: "本机没有登记到审核中心，没有名单就不能拍照。按右下角回到登记。", EN: "The station is known to no central: without a roster nobody can be photographed. The button leads back."}}
	}
	s.titleText = booth.Text{ZH: "首次设置", EN: "First set-up"}
	s.head.set(s.ui, words[0])
	s.about.set(s.ui, words[1])
	for i, m := range s.marks {
		m.name.set("")
		setVisible(m.dot.bg, i < len(set.Marks))
		setVisible(m.sign.img, i < len(set.Marks))
		if i >= len(set.Marks) {
			continue
		}
		x := set.Marks[i]
		tn := toneOf(x.Level)
		m.name.set(x.Name.In(s.ui.lang))
		m.name.colour, m.name.bold = colMuted, false
		m.dot.tint(colGround, colLine)
		if x.Step == set.Step {
			m.name.colour, m.name.bold = colBrand, true
			m.dot.tint(colTint, colBrand)
		}
		m.sign.set(setupSigns[x.Level], tn.text)
	}
	level, text := set.Level, set.Told
	switch {
	case set.Busy && s.step == booth.SetupPlate:
		level, text = booth.Note, booth.Text{ZH: fmt.Sprintf("正在拍空背景（%d / %d），请不要进入画面。", set.Got, set.Want), EN: fmt.Sprintf("Photographing the backdrop (%d of %d): stay out of the picture.", set.Got, set.Want)}
	case set.Busy:
		level, text = booth.Note, booth.Text{ZH: "请稍等…", EN: "One moment…"}
	case s.step == booth.SetupPIN && s.values[0] == "≠":
		level, text = booth.Bad, booth.Text{ZH: "两次输入的不一样，请重新输入。", EN: "The two were not the same: type it again."}
	case s.step == booth.SetupPIN && s.first != "":
		level, text = booth.Note, booth.Text{ZH: "请再输一次同样的 PIN。", EN: "Type the same PIN again."}
	}
	if level == "" {
		level = booth.Note
	}
	tn := toneOf(level)
	s.toldP.tint(tn.ground, tn.text)
	s.toldI.set(tn.icon, tn.text)
	s.told.tint(tn.text, tn.text)
	s.told.set(s.ui, text)
	setVisible(s.toldP.bg, text != booth.Text{})
	setVisible(s.toldI.img, text != booth.Text{})
	s.updateParts(set)
	s.updateWays(set)
}

// pictured tells whether the step shows the camera's picture.
func (s *setupPage) pictured() bool {
	v := s.setup()
	switch s.step {
	case booth.SetupCamera, booth.SetupPlate, booth.SetupShot:
		return true
	case booth.SetupCentral:
		return !s.byHand && !v.Done && v.Scanned == nil
	case booth.SetupUnlock, booth.SetupLanguage, booth.SetupName, booth.SetupPIN, booth.SetupEnd:
	}
	return false
}

// updateParts fills the middle of the page.
func (s *setupPage) updateParts(set *booth.SetupView) {
	s.typer.refresh()
	s.typer.visible(s.types())
	for _, b := range s.big {
		setVisible(b, false)
	}
	choose := func(i int, name string, chosen bool, in booth.Intent) {
		if i >= len(s.big) {
			return
		}
		b := s.big[i]
		setVisible(b, true)
		b.setEnabled(!set.Busy)
		b.plain(name, "")
		b.setLook(map[bool]look{true: lookChosen, false: lookPlain}[chosen])
		b.onTap = func() { s.ui.send(in) }
	}
	switch s.step {
	case booth.SetupLanguage:
		choose(0, "中文", s.ui.lang == booth.ZH, booth.SetupLang{Lang: booth.ZH})
		choose(1, "English", s.ui.lang == booth.EN, booth.SetupLang{Lang: booth.EN})
	case booth.SetupCamera:
		for i, c := range set.Cameras {
			choose(i, shortened(c.Name.In(s.ui.lang), 18), c.Value == set.Device, booth.SetupDevice{Device: c.Value})
		}
	case booth.SetupUnlock, booth.SetupName, booth.SetupPlate, booth.SetupCentral, booth.SetupPIN, booth.SetupShot, booth.SetupEnd:
	}
	setVisible(s.turn, s.step == booth.SetupCamera)
	s.turn.label(booth.Text{ZH: fmt.Sprintf("转 90°（现在 %d°）", set.Rotation), EN: fmt.Sprintf("Turn 90° (now %d°)", set.Rotation)})
	names := [2]booth.Text{{ZH: "本站名称", EN: "This station"}, {ZH: "学校名称", EN: "School"}}
	if s.byHand {
		names = [2]booth.Text{{ZH: "中心地址", EN: "Address"}, {ZH: "登记码", EN: "Code"}}
	}
	for i, b := range s.fields {
		on := s.types() && (s.step == booth.SetupName || s.step == booth.SetupCentral)
		setVisible(b, on)
		value := s.values[i]
		most := 26
		if s.ui.tall {
			most = 14
		}
		if n := []rune(value); len(n) > most { // the end is what is being typed
			value = "…" + string(n[len(n)-most+1:])
		}
		b.plain(names[i].In(s.ui.lang), value)
		b.setLook(map[bool]look{true: lookChosen, false: lookPlain}[i == s.field])
	}
	s.facts.set("")
	s.say.set("")
	s.digits.set("")
	s.updateFacts(set)
	s.whole.set(nil)
	if set.Shot != nil {
		s.whole.set(set.Shot.Whole)
	}
	if !s.pictured() {
		s.live.Clear()
	}
}

// shortened is text of at most that many characters.
func shortened(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

// updateFacts puts what the step has found into words.
func (s *setupPage) updateFacts(set *booth.SetupView) {
	lang := s.ui.lang
	var facts []string
	switch s.step {
	case booth.SetupCamera:
		facts = append(facts, set.Camera.Text.In(lang))
	case booth.SetupPlate:
		lines, most := set.Lines, 3
		if set.Told != (booth.Text{}) && len(lines) > 0 && lines[0].Text == set.Told {
			lines, most = lines[1:], 1 // it is said below
		}
		for _, l := range lines[:min(len(lines), most)] {
			mark := map[booth.Level]string{booth.OK: "✓ ", booth.Warn: "！", booth.Bad: "× ", booth.Note: "· "}[l.Level]
			facts = append(facts, mark+l.Text.In(lang))
		}
		if len(set.Lines) == 0 && set.Done {
			facts = append(facts, booth.Text{ZH: "已有一张空背景；灯或相机动过就重拍。", EN: "There is one already: take it anew if lamps or camera were moved."}.In(lang))
		}
	case booth.SetupShot:
		if set.Shot != nil {
			for _, f := range set.Shot.Facts {
				facts = append(facts, f.Title.In(lang)+" "+f.Lamp.Text.In(lang))
			}
		}
	case booth.SetupCentral:
		if c := set.Scanned; c != nil {
			s.say.set(booth.Text{ZH: "下面的数字与审核中心另外告诉你的一样吗？", EN: "Are these the digits that central told you another way?"}.In(lang))
			s.digits.set(c.Compare)
			facts = append(facts, booth.Text{ZH: "中心：", EN: "Central: "}.In(lang)+c.Address)
			if c.Station != "" || c.School != "" {
				facts = append(facts, booth.Text{ZH: "名称：", EN: "Names: "}.In(lang)+strings.Join([]string{c.Station, c.School}, "　"))
			}
			if len(c.Settings) > 0 {
				facts = append(facts, booth.Text{ZH: "一并设置：", EN: "Also sets: "}.In(lang)+shortened(strings.Join(c.Settings, ", "), 120))
			}
		}
	case booth.SetupEnd:
		for _, m := range set.Marks {
			word := map[booth.Level]booth.Text{booth.OK: {ZH: "✓ ", EN: "✓ "}, booth.Warn: {ZH: "！跳过了：", EN: "！skipped: "}}[m.Level]
			facts = append(facts, word.In(lang)+m.Name.In(lang))
		}
	case booth.SetupUnlock, booth.SetupLanguage, booth.SetupName, booth.SetupPIN:
	}
	s.facts.set(strings.Join(facts, "\n"))
}

// updateWays sets the buttons.
func (s *setupPage) updateWays(set *booth.SetupView) {
	free := !set.Busy
	step := s.step
	setVisible(s.act, true)
	s.act.setEnabled(free)
	s.act.setLook(lookPrimary)
	s.act.setIcon("")
	switch {
	case step == booth.SetupPlate:
		s.act.label(booth.Text{ZH: "拍空背景", EN: "Take the backdrop"})
		s.act.setEnabled(free && set.Camera.Level == booth.OK)
		if set.Done {
			s.act.setLook(lookPlain)
		}
	case step == booth.SetupShot:
		s.act.label(booth.Text{ZH: "试拍", EN: "Take a test shot"})
		s.act.setEnabled(free && set.Camera.Level == booth.OK)
	case step == booth.SetupCentral && set.Scanned != nil:
		s.act.label(booth.Text{ZH: "一样，登记", EN: "The same: enrol"})
	case step == booth.SetupCentral && s.byHand && !set.Done:
		s.act.label(booth.Text{ZH: "登记", EN: "Enrol"})
		s.act.setEnabled(free && s.values[0] != "" && s.values[1] != "")
	case (step == booth.SetupPIN && !set.Done) || step == booth.SetupUnlock:
		s.act.label(booth.Text{ZH: "确定", EN: "OK"})
		s.act.setEnabled(free && s.typer.value() != "")
	default:
		setVisible(s.act, false)
	}
	setVisible(s.other, step == booth.SetupCentral && !set.Done && set.Scanned == nil && free)
	s.other.label(booth.Text{ZH: "手动输入", EN: "Type it"})
	if s.byHand {
		s.other.label(booth.Text{ZH: "改用扫码", EN: "Scan it"})
	}
	setVisible(s.drop, step == booth.SetupCentral && set.Scanned != nil && free)
	s.drop.label(booth.Text{ZH: "不一样，不要", EN: "Not the same"})

	setVisible(s.back, step != booth.SetupUnlock && step != booth.SetupLanguage)
	s.back.label(booth.Text{ZH: "上一步", EN: "Back"})
	s.back.setEnabled(free)
	s.risk.set("")
	skips := set.Risk != booth.Text{} && !(set.Done && step != booth.SetupShot && step != booth.SetupLanguage && step != booth.SetupName && step != booth.SetupCamera)
	setVisible(s.skip, skips)
	s.skip.label(booth.Text{ZH: "跳过", EN: "Skip"})
	s.skip.setEnabled(free)
	if skips {
		s.risk.set(booth.Text{ZH: "跳过的话：" + set.Risk.ZH, EN: "If skipped: " + set.Risk.EN}.In(s.ui.lang))
	}
	setVisible(s.goOn, step != booth.SetupUnlock)
	s.goOn.setEnabled(free && (set.Done || step == booth.SetupEnd))
	s.goOn.label(booth.Text{ZH: "下一步", EN: "Next"})
	if step == booth.SetupEnd {
		s.goOn.label(booth.Text{ZH: "开始使用", EN: "Begin"})
		if !set.Done {
			s.goOn.label(booth.Text{ZH: "回到登记", EN: "Back to enrolment"})
		}
	}
}

func (s *setupPage) layout(sp space) {
	s.last = sp
	k := s.ui.k
	place(s.goOn, sp.primary, k)
	back, rest := sp.rest.cutLeft(min(200, sp.rest.w*0.4), gap)
	place(s.back, back, k)
	skip, rest := rest.cutRight(min(150, rest.w), gap)
	place(s.skip, skip, k)
	body := sp.body
	if s.ui.tall {
		var line rect
		line, body = body.cutBottom(50, 8)
		s.risk.layout(line, k)
	} else {
		s.risk.layout(rest, k)
	}
	row, body := body.cutTop(40, 12)
	for i, at := range row.grid(7, 1, 8) {
		m := s.marks[i]
		place(m.dot.bg, at, k)
		radius(m.dot, k)
		pad, side := float32(10), float32(18)
		if s.ui.tall {
			pad, side = 4, 14
		}
		icon, words := at.insetXY(pad, 4).cutLeft(side, pad/2)
		place(m.sign.img, icon.centred(side, side), k)
		m.name.layout(words, k)
	}
	place(s.card.bg, body, k)
	radius(s.card, k)
	in := body.inset(16)
	stage := rect{in.x, in.y, 10, 10}
	pictured := s.pictured()
	tell := s.toldP.bg.Visible()
	var line, head rect
	switch {
	case s.types() && !s.ui.tall: // the keys need the room
		head, in = in.cutTop(56, 8)
		a, b := head.cutLeft(head.w*.36, 16)
		s.head.layout(a, k)
		if line = b; tell {
			s.about.set(s.ui, booth.Text{})
		}
		s.about.layout(b, k)
	case pictured && !s.ui.tall: // the picture is as high as the card
		stage, in = in.cutLeft(in.w*.58, gap)
		if tell {
			line, in = in.cutBottom(84, 8)
		}
		head, in = in.cutTop(124, 6)
		a, b := head.cutTop(62, 2)
		s.head.layout(a, k)
		s.about.layout(b, k)
	default:
		if tell {
			line, in = in.cutBottom(60, 10)
		}
		head, in = in.cutTop(118, 8)
		a, b := head.cutTop(64, 2)
		s.head.layout(a, k)
		s.about.layout(b, k)
		if pictured {
			stage, in = in.cutTop(in.h*.6, gap)
		}
	}
	if !tell {
		line = rect{in.x, in.y, 40, 10}
	}
	place(s.toldP.bg, line, k)
	radius(s.toldP, k)
	icon, words := line.insetXY(14, 3).cutLeft(26, 10)
	place(s.toldI.img, icon.centred(26, 26), k)
	s.told.layoutMid(words, k)
	s.layoutStage(stage, pictured)
	s.layoutParts(in)
}

func (s *setupPage) layoutParts(side rect) {
	k := s.ui.k
	if s.types() {
		s.layoutTyping(side)
		return
	}
	s.typer.layout(rect{side.x, side.y, 1, 1})
	act, rest := side.cutBottom(72, 10)
	switch {
	case s.drop.Visible():
		cells := act.grid(2, 1, 10)
		place(s.drop, cells[0], k)
		place(s.act, cells[1], k)
	case s.other.Visible():
		place(s.other, act.w1(min(act.w, 260)), k)
	default:
		place(s.act, act.w1(min(act.w, 320)), k)
	}
	if s.act.Visible() || s.other.Visible() || s.drop.Visible() {
		side = rest
	}
	if s.turn.Visible() {
		var at rect
		at, side = side.cutBottom(56, 8)
		place(s.turn, at.w1(min(at.w, 320)), k)
	}
	n := 0
	for _, b := range s.big {
		if b.Visible() {
			n++
		}
	}
	if n > 0 {
		rows := (n + 1) / 2
		high := min(72, (side.h-30)/float32(rows)-8)
		var list rect
		list, side = side.cutTop(float32(rows)*(high+8), 6)
		cells := list.grid(2, rows, 8)
		i := 0
		for _, b := range s.big {
			if b.Visible() {
				place(b, cells[i], k)
				i++
			}
		}
	}
	say, rest := side.cutTop(40, 2)
	digits, rest := rest.cutTop(56, 6)
	if s.digits.text == "" {
		rest = side
	}
	s.say.layout(say, k)
	s.digits.layout(digits, k)
	s.facts.layout(rest, k)
}

func (s *setupPage) layoutTyping(in rect) {
	k := s.ui.k
	one := rect{in.x, in.y, 1, 1}
	for _, t := range []*textBlock{s.say, s.digits, s.facts} {
		t.layout(one, k)
	}
	if s.fields[0].Visible() {
		var row rect
		row, in = in.cutTop(54, 8)
		if s.act.Visible() {
			var at rect
			at, row = row.cutRight(150, 10)
			place(s.act, at, k)
		}
		if s.other.Visible() {
			var at rect
			at, row = row.cutRight(150, 10)
			place(s.other, at, k)
		}
		for i, at := range row.grid(2, 1, 10) {
			place(s.fields[i], at, k)
		}
		s.typer.layout(in)
		return
	}
	act, in := in.cutBottom(72, 10)
	place(s.act, act.w1(min(act.w, 320)), k)
	s.typer.layout(in)
}

func (s *setupPage) layoutStage(stage rect, on bool) {
	k := s.ui.k
	px := s.ui.pixels()
	if on {
		s.live.setRoom(stage.w*px, stage.h*px)
	}
	pic := stage.fitted(s.live.ratio())
	shot := on && s.whole.src != nil
	if shot {
		b := s.whole.src.Bounds()
		pic = stage.fitted(float32(b.Dx()) / float32(max(1, b.Dy())))
	}
	setVisible(s.stage.bg, on)
	place(s.stage.bg, pic, k)
	radius(s.stage, k)
	place(s.live.img, pic, k)
	s.live.img.CornerRadius = 14 * k
	setVisible(s.live.img, on && !shot && s.live.img.Image != nil)
	place(s.whole.img, pic, k)
	setVisible(s.whole.img, shot)
	s.waiting.set(s.ui, booth.Text{})
	if on && !shot && s.live.Shown() == 0 {
		s.waiting.set(s.ui, booth.Text{ZH: "画面准备中…", EN: "Starting the picture…"})
	}
	s.waiting.layoutMid(pic, k)
}
