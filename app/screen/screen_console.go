package screen

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2/canvas"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// consolePage is the operator's display: the mirror as the student sees it, who
// sits there, every check with its number and limit, who comes next, what was
// saved, and the buttons of the desk. It shows names and numbers masked, as the
// student's screen does.
type consolePage struct {
	page
	stage    *panel
	live     *canvas.Image // the student's mirror, the same picture
	portrait *picture
	before   *picture
	state    banner
	who      *panel
	name     *textBlock
	number   *textBlock
	record   *textBlock
	fee      *textBlock
	feeI     *sign
	note     *textBlock // what staff have to know about this student
	checks   *table
	next     *panel
	nextI    *sign
	nextTx   pair
	history  *table

	primary []*button // one of them is seen
	retake  *button
	staff   *button

	showing bool // the mirror runs
	told    bool // a line stands in the title row
	last    space

	session string
	began   time.Time
	tries   int
	visits  []savedVisit // newest first
	saved   string       // session of the newest
}

// savedVisit is a line of the history: nothing of it says who it was.
type savedVisit struct {
	at     time.Time
	packet string
	tries  int
	took   time.Duration
}

// maxVisits lines of the history are kept; the day's page has them all.
const maxVisits = 50

// consoleStates says in a few words what goes on.
var consoleStates = map[booth.State]booth.Text{
	booth.Idle:          {ZH: "等待下一位", EN: "Waiting for the next student"},
	booth.Identify:      {ZH: "正在核对身份", EN: "Identifying"},
	booth.Eligible:      {ZH: "学生在核对信息", EN: "The student checks the record"},
	booth.Consent:       {ZH: "学生在看告知", EN: "The student reads the consent"},
	booth.Guide:         {ZH: "学生在看须知", EN: "The student reads the rules"},
	booth.Framing:       {ZH: "取景", EN: "Framing"},
	booth.Countdown:     {ZH: "倒计时", EN: "Countdown"},
	booth.Shot:          {ZH: "正在拍", EN: "Taking it"},
	booth.Standardising: {ZH: "正在制作标准照", EN: "Making the portrait"},
	booth.Review:        {ZH: "学生在看照片", EN: "The student looks at the photo"},
	booth.Confirm:       {ZH: "最后确认", EN: "Last check"},
	booth.Sealing:       {ZH: "正在安全保存", EN: "Saving safely"},
	booth.Done:          {ZH: "已安全保存", EN: "Safely saved"},
	booth.Abandoned:     {ZH: "学生已退出", EN: "The student has left"},
}

func newConsole(u *ui) screen {
	s := &consolePage{page: newPage(u)}
	s.stage = s.panel(colSurface, colLine)
	s.live = &canvas.Image{FillMode: canvas.ImageFillStretch, ScaleMode: canvas.ImageScaleFastest}
	s.live.Hide()
	s.add(s.live)
	s.portrait, s.before = s.picture(), s.picture()
	s.state = s.banner(booth.Note, "", 24, 15)
	s.who = s.panel(colSurface, colLine)
	s.name = s.page.text(sizeHead, true, colInk).line()
	s.number = s.page.text(sizeBody, false, colInk).line()
	s.record = s.page.text(16, false, colMuted)
	s.feeI = s.sign("note", colNote)
	s.fee = s.page.text(17, true, colInk).mid().line()
	s.note = s.page.text(17, true, colWarn).mid()
	s.checks = newTable(&s.page, "checks", []column{
		{name: booth.Text{ZH: "检查", EN: "Check"}, share: 3.4},
		{name: booth.Text{ZH: "测得", EN: "Value"}, share: 1.1, right: true},
		{name: booth.Text{ZH: "要求", EN: "Limit"}, share: 1.2, right: true},
	}, 12, nil)
	s.next = s.panel(colSurface, colLine)
	s.nextI = s.sign("person", colInk)
	s.nextTx = s.pair(19, 14, true, colInk, colMuted)
	s.history = newTable(&s.page, "history", []column{
		{name: booth.Text{ZH: "时间", EN: "Time"}, share: 1},
		{name: booth.Text{ZH: "凭号", EN: "No."}, share: 1.8},
		{name: booth.Text{ZH: "拍", EN: "Shots"}, share: 0.7, right: true},
		{name: booth.Text{ZH: "秒", EN: "s"}, share: 0.7, right: true},
	}, 10, nil)
	for _, b := range []struct {
		id, icon string
		send     booth.Intent
	}{
		{"shutter", "camera", booth.Shutter{}},
		{"start", "arrow-right", booth.Start{}},
		{"manual-ok", "", nil},
		{"next", "arrow-right", booth.NextStudent{}},
		{"continue", "arrow-right", booth.Continue{}},
		{"fault-action", "arrow-right", nil},
	} {
		var tap func()
		if b.send != nil {
			tap = func() { u.send(b.send) }
		}
		s.primary = append(s.primary, s.page.button(b.id, lookPrimary, b.icon, tap))
	}
	s.retake = s.page.button("retake", lookPlain, "retake", func() { u.send(booth.Retake{}) })
	s.staff = s.page.button("staff", lookPlain, "lock", func() { u.send(booth.OpenOperator{}) })
	s.mark("console-state", s.state.bg.bg, func() string { return s.state.text.a.text })
	return s
}

// forget drops the student's pictures; the history knows nobody.
func (s *consolePage) forget() {
	s.portrait.set(nil)
	s.before.set(nil)
	s.name.set("")
	s.number.set("")
	s.record.set("")
	s.checks.set(nil, booth.Text{})
}

func (s *consolePage) update(v booth.View) {
	s.follow(v)
	s.showing = v.State == booth.Guide || v.State == booth.Framing || v.State == booth.Countdown || v.State == booth.Shot || v.State == booth.Standardising
	s.told = telling(v)
	s.updateState(v)
	s.updateStudent(v)

	checks := v.Live.Checks
	s.portrait.set(nil)
	s.before.set(nil)
	if v.Shot != nil && !s.showing {
		checks = ranked(v.Shot.Checks)
		s.portrait.set(v.Shot.Portrait)
		s.before.set(v.Shot.Before)
	}
	var rows [][]cell
	for _, c := range checks {
		line := c.Title
		if c.Status != "pass" && c.Message != (booth.Text{}) {
			line = c.Message
		}
		rows = append(rows, []cell{
			{text: line.In(s.ui.lang), level: levelOf(c.Status)}, {text: c.Value, strong: c.Status == "fail"}, {text: c.Limit},
		})
	}
	s.checks.set(rows, booth.Text{ZH: "取景后在这里显示", EN: "Shown from the framing on"})

	next, level := booth.Text{ZH: "还没有扫下一位", EN: "Nobody scanned yet"}, booth.Note
	if v.Next != nil {
		level = booth.OK
		name := shortName(v.Next.NameMasked)
		next = booth.Text{ZH: "下一位：" + name, EN: "Next: " + name}
	}
	tn := toneOf(level)
	s.nextI.set("person", tn.text)
	s.nextTx.a.colour = tn.text
	s.nextTx.a.set(next.In(s.ui.lang))
	s.nextTx.b.set(booth.Text{ZH: fmt.Sprintf("待重拍 %d 人", len(v.Retakes)), EN: fmt.Sprintf("%d to retake", len(v.Retakes))}.In(s.ui.lang))

	rows = nil
	for _, x := range s.visits {
		rows = append(rows, []cell{{text: x.at.Local().Format("15:04")}, {text: x.packet, strong: true}, {text: fmt.Sprint(x.tries)}, {text: fmt.Sprint(int(x.took.Seconds()))}})
	}
	s.history.set(rows, booth.Text{ZH: "开机后还没有保存", EN: "Nothing saved since the start"})
	s.updateActions(v)
}

// follow keeps the history.
func (s *consolePage) follow(v booth.View) {
	if v.SessionID != s.session {
		s.session, s.began, s.tries = v.SessionID, v.Now, 0
	}
	if v.Shot != nil {
		s.tries = max(s.tries, v.Shot.Attempt)
	}
	if v.State == booth.Done && v.Saved != nil && s.saved != v.SessionID {
		s.saved = v.SessionID
		s.visits = slices.Insert(s.visits, 0, savedVisit{v.Saved.At, v.Saved.PacketID, s.tries, v.Saved.At.Sub(s.began)})
		s.visits = s.visits[:min(len(s.visits), maxVisits)]
	}
}

// updateState fills the line that says what goes on and what is wanted.
func (s *consolePage) updateState(v booth.View) {
	words, level, icon := consoleStates[v.State], booth.Note, "person"
	more := func(t booth.Text) { words = booth.Text{ZH: words.ZH + "：" + t.ZH, EN: words.EN + ": " + t.EN} }
	switch {
	case v.Fault != nil:
		words, level, icon = v.Fault.Title, booth.Bad, ""
	case v.State == booth.Framing && v.Capture.Stopped != nil:
		more(*v.Capture.Stopped)
	case v.State == booth.Framing && v.Live.Hint != (booth.Text{}):
		more(v.Live.Hint)
		level, icon = v.Live.Level, v.Live.Icon
	case v.State == booth.Countdown:
		n := fmt.Sprint(max(v.Countdown, 1))
		words, level, icon = booth.Text{ZH: words.ZH + " " + n, EN: words.EN + " " + n}, booth.OK, "clock"
	case v.State == booth.Review && v.Shot != nil && v.Shot.Problem != nil:
		words, level, icon = *v.Shot.Problem, booth.Bad, ""
	case v.State == booth.Review && v.Shot != nil && len(v.Shot.ManualAsk) > 0 && !v.Shot.ManualOK:
		words, level, icon = booth.Text{ZH: "请确认：" + titles(v.Shot.ManualAsk, booth.ZH, "、"), EN: "Please confirm: " + titles(v.Shot.ManualAsk, booth.EN, ", ")}, booth.Warn, "eye"
	case v.State == booth.Review && v.Shot != nil && v.Shot.Verdict == "fail":
		more(booth.Text{ZH: "有检查不合格", EN: "a check has failed"})
		level, icon = booth.Bad, ""
	case v.State == booth.Done:
		level, icon = booth.OK, ""
		if v.Saved != nil {
			more(booth.Text{ZH: "凭号 " + v.Saved.PacketID, EN: "no. " + v.Saved.PacketID})
		}
	}
	s.state.tone(level, icon)
	s.state.set(s.ui, words)
}

// titles lists what is to be judged.
func titles(checks []booth.CheckLine, lang booth.Lang, between string) string {
	var words []string
	for _, c := range checks {
		words = append(words, c.Title.In(lang))
	}
	return strings.Join(words, between)
}

// levelOf a check's status.
func levelOf(status string) booth.Level {
	switch status {
	case "pass":
		return booth.OK
	case "warn", "manual":
		return booth.Warn
	case "fail":
		return booth.Bad
	}
	return booth.Note
}

func (s *consolePage) updateStudent(v booth.View) {
	s.number.set("")
	s.record.set("")
	s.fee.set("")
	s.note.set("")
	setVisible(s.feeI.img, v.Student != nil)
	if v.Student == nil {
		s.name.set(booth.Text{ZH: "没有学生", EN: "Nobody here"}.In(s.ui.lang))
		s.name.colour = colMuted
		return
	}
	st := v.Student
	s.name.colour = colInk
	s.name.set(st.NameMasked)
	s.number.set(st.NumberMasked)
	var parts []string
	for _, p := range []string{st.School, st.Level, st.Major} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	s.record.set(strings.Join(parts, " · "))
	level, words := feeWords(v.Payment)
	tn := toneOf(level)
	s.feeI.set(tn.icon, tn.text)
	s.fee.colour = tn.text
	s.fee.set(words.In(s.ui.lang))
	var note booth.Text
	switch {
	case v.Claim.Mismatch:
		note = booth.Text{ZH: "手机属于另一位学生", EN: "The phone is another student's"}
	case st.Recapture:
		note = booth.Text{ZH: "重拍：" + st.RejectReason.ZH, EN: "Retake: " + st.RejectReason.EN}
	case st.InfoFlagged:
		note = booth.Text{ZH: "学生说信息有误", EN: "The student says that the record is wrong"}
	}
	s.note.set(note.In(s.ui.lang))
}

// feeWords says how the fee stands.
func feeWords(p booth.PaymentView) (booth.Level, booth.Text) {
	switch p.State {
	case "paid":
		return booth.OK, booth.Text{ZH: "已缴费", EN: "Paid"}
	case "waived":
		return booth.OK, booth.Text{ZH: "免费", EN: "Waived"}
	case "deferred":
		return booth.OK, booth.Text{ZH: "以后付", EN: "Pays later"}
	case "refunded":
		return booth.Note, booth.Text{ZH: "已退款", EN: "Refunded"}
	case "unpaid":
		return booth.Warn, booth.Text{ZH: "未缴费", EN: "Not paid"}
	}
	return booth.OK, booth.Text{ZH: "不收费", EN: "No fee"}
}

func (s *consolePage) updateActions(v booth.View) {
	shutter, start, manual, next, goOn, fault := s.primary[0], s.primary[1], s.primary[2], s.primary[3], s.primary[4], s.primary[5]
	shown := shutter
	switch {
	case v.Fault != nil && v.Fault.Action != (booth.Text{}):
		shown = fault
		code := v.Fault.Code
		fault.label(v.Fault.Action)
		fault.onTap = func() { s.ui.send(booth.FaultAction{Code: code}) }
	case v.Fault != nil:
	case v.State == booth.Idle:
		shown = start
	case v.State == booth.Review && v.Shot != nil && len(v.Shot.ManualAsk) > 0:
		shown = manual
		ok := !v.Shot.ManualOK
		manual.setLook(lookPrimary)
		manual.setIcon("")
		if v.Shot.ManualOK {
			manual.setLook(lookGood)
			manual.setIcon("ok")
		}
		manual.onTap = func() { s.ui.send(booth.ManualAnswer{OK: ok}) }
	case v.State == booth.Done:
		shown = next
	case v.State == booth.Abandoned:
		shown = goOn
	}
	for _, b := range s.primary {
		setVisible(b, b == shown)
	}
	shutter.label(booth.Text{ZH: "拍照", EN: "Take the photo"})
	shutter.setEnabled(v.Fault == nil && (v.State == booth.Framing || v.State == booth.Countdown))
	start.label(booth.Text{ZH: "开始", EN: "Start"})
	manual.label(booth.Text{ZH: "全部符合", EN: "All met"})
	next.label(booth.Text{ZH: "下一位", EN: "Next student"})
	goOn.label(booth.Text{ZH: "回到首页", EN: "To the start"})
	s.retake.label(booth.Text{ZH: "重拍", EN: "Retake"})
	s.retake.setEnabled(v.Fault == nil && v.State == booth.Review)
	s.staff.label(booth.Text{ZH: "放行、缴费、更多", EN: "Let through, fee, more"})
}

// reshape is told when the mirror has its first picture or one of another shape.
func (s *consolePage) reshape() {
	s.layout(s.last)
	s.repaint()
}

func (s *consolePage) layout(sp space) {
	s.last = sp
	k := s.ui.k
	area := sp.all
	if area.w == 0 {
		return // not placed yet: a frame came before the first view
	}
	if s.told {
		area.y = sp.body.y
	}
	area.h = sp.actions.y - gap - area.y
	var left, middle, right rect
	if s.ui.tall {
		var rest rect
		left, rest = area.cutTop(area.h*0.42, gap)
		middle, right = rest.cutLeft(rest.w*0.58, gap)
	} else {
		left, middle = area.cutLeft(area.w*0.4, gap)
		middle, right = middle.cutLeft(middle.w*0.58, gap)
	}
	if s.ui.lang == booth.EN && !s.ui.tall { // longer words
		left.w -= 40
		middle.x, middle.w = middle.x-40, middle.w+40
	}
	state, left := left.cutTop(112, gap)
	s.state.layout(state, k)
	pic := left
	if i := s.live.Image; i != nil {
		pic = left.fitted(float32(i.Bounds().Dx()) / float32(i.Bounds().Dy()))
	}
	place(s.stage.bg, pic, k)
	radius(s.stage, k)
	place(s.live, pic, k)
	s.live.CornerRadius = 14 * k
	setVisible(s.live, s.showing && s.live.Image != nil)
	setVisible(s.stage.bg, !s.live.Visible())
	halves := left.grid(2, 1, 10)
	for i, p := range []*picture{s.portrait, s.before} {
		ratio := float32(3.0 / 4)
		if p.src != nil {
			ratio = float32(p.src.Bounds().Dx()) / float32(p.src.Bounds().Dy())
		}
		place(p.img, halves[i].inset(6).fitted(ratio), k)
	}

	const card = 190
	noteH := float32(0)
	if s.note.text != "" {
		noteH = 52
	}
	who, checks := middle.cutTop(card+noteH, 12)
	place(s.who.bg, who, k)
	radius(s.who, k)
	in := who.insetXY(16, 10)
	row, in := in.cutTop(38, 0)
	s.name.layout(row, k)
	row, in = in.cutTop(28, 2)
	s.number.layout(row, k)
	note, in := in.cutBottom(noteH, 0)
	s.note.layout(note, k)
	fee, in := in.cutBottom(26, 4)
	icon, words := fee.cutLeft(20, 8)
	place(s.feeI.img, icon.centred(20, 20), k)
	s.fee.layout(words, k)
	s.record.layout(in, k)
	s.checks.layout(checks)

	next, hist := right.cutTop(84, 12)
	place(s.next.bg, next, k)
	radius(s.next, k)
	icon, words = next.insetXY(14, 6).cutLeft(30, 10)
	place(s.nextI.img, icon.centred(30, 30), k)
	s.nextTx.layoutMid(words, k)
	s.history.layout(hist)

	for _, b := range s.primary {
		place(b, sp.primary, k)
	}
	staff, rest := sp.rest.cutLeft(min(330, sp.rest.w*0.56), gap)
	place(s.staff, staff, k)
	at, _ := rest.cutLeft(min(220, rest.w), 0)
	place(s.retake, at, k)
}
