package screen

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// operatorPage is for staff: a PIN pad, then how everything stands and what may
// be done now. It covers the student's screen, which stays as it is below.
type operatorPage struct {
	page
	card  *panel
	head  pair
	calm  pair // the visit stays as it is
	pad   *pinPad
	leave *button

	status   *panel
	staHead  *textBlock
	lines    []statusRow
	day      *panel
	dayHead  *textBlock
	tiles    []tile
	listHead *textBlock
	work     []retakeRow
	more     *textBlock
	doHead   *textBlock
	actions  []*operatorAction
	notice   *panel
	noteI    *sign
	note     pair

	// What is being decided, in the page's own words; it is gone with the page.
	mode    operatorMode
	chosen  map[string]bool // checks to let through, or manual checks not met
	payment string          // state to record
	reason  string
	left    *textBlock
	right   *textBlock
	options []*button
	reasons []*button
	confirm *button
	back    *button
	ask     pair
	askI    *sign
	shown   struct{ options, reasons, actions, lines, work int }

	view booth.View
}

type operatorMode string

const (
	modeHome     operatorMode = ""
	modeOverride operatorMode = "override"
	modeCaptured operatorMode = "captured"
	modePayment  operatorMode = "payment"
	modeManual   operatorMode = "manual"
	modeAbandon  operatorMode = "abandon"
	modePurge    operatorMode = "purge"
	modeErase    operatorMode = "erase"
	modeQuit     operatorMode = "quit"
)

type statusRow struct {
	icon        *sign
	name, words *textBlock
}

type tile struct {
	bg     *panel
	number *textBlock
	name   *textBlock
}

// operatorAction is one thing that staff may do.
type operatorAction struct {
	*button
	text    booth.Text
	allowed func(booth.Allowed) bool
}

// Most rows of each kind that the page shows.
const (
	maxStatus  = 9
	maxWork    = 4
	maxOptions = 6
	maxReasons = 8
)

// paymentStates in the order shown.
var paymentStates = []struct {
	state string
	text  booth.Text
}{
	{"paid", booth.Text{ZH: "已收费", EN: "Paid"}},
	{"deferred", booth.Text{ZH: "以后付", EN: "Pay later"}},
	{"waived", booth.Text{ZH: "免费", EN: "Waived"}},
}

func newOperatorPage(u *ui) *operatorPage {
	s := &operatorPage{page: newPage(u), chosen: map[string]bool{}}
	s.card = s.panel(colSurface, colLine)
	s.head = s.pair(30, 17, true, colInk, colMuted)
	s.calm = s.pair(20, 15, false, colMuted, colMuted)
	s.pad = newPINPad(&s.page, func(pin string) { u.send(booth.Unlock{PIN: pin}) })
	s.leave = s.page.button("operator-leave", lookPlain, "arrow-left", func() { u.send(booth.CloseOperator{}) })

	s.status = s.panel(colSurface, colLine)
	s.staHead = s.page.text(20, true, colInk).line()
	for range maxStatus {
		s.lines = append(s.lines, statusRow{s.sign("dot", colInk), s.page.text(18, true, colInk).line(), s.page.text(16, false, colInk)})
	}
	s.day = s.panel(colSurface, colLine)
	s.dayHead = s.page.text(20, true, colInk).line()
	for range 6 {
		s.tiles = append(s.tiles, tile{s.panel(colGround, colGround), s.page.text(30, true, colInk).centre().mid().line(), s.page.text(14, false, colMuted).centre().mid().line()})
	}
	s.listHead = s.page.text(18, true, colWarn).line()
	for range maxWork {
		s.work = append(s.work, retakeRow{s.page.text(16, true, colInk).line(), s.page.text(14, false, colMuted)})
	}
	s.more = s.page.text(14, false, colMuted).line()
	s.doHead = s.page.text(20, true, colInk).line()
	action := func(id, icon string, l look, text booth.Text, allowed func(booth.Allowed) bool, tap func()) {
		s.actions = append(s.actions, &operatorAction{s.page.button(id, l, icon, tap), text, allowed})
	}
	to := func(m operatorMode) func() { return func() { s.turn(m) } }
	send := func(in booth.Intent) func() { return func() { u.send(in) } }
	action("op-override", "flag", lookPlain, booth.Text{ZH: "放行不合格项", EN: "Let a check through"}, func(a booth.Allowed) bool { return a.Override }, to(modeOverride))
	action("op-captured", "retake", lookPlain, booth.Text{ZH: "允许重新拍", EN: "Allow a new photo"}, func(a booth.Allowed) bool { return a.Captured }, to(modeCaptured))
	action("op-manual", "ok", lookPlain, booth.Text{ZH: "人工检查项", EN: "Manual checks"}, func(a booth.Allowed) bool { return a.Manual }, to(modeManual))
	action("op-compare", "id", lookPlain, booth.Text{ZH: "证件与本人一致", EN: "Card compared with face"}, func(a booth.Allowed) bool { return a.Compare }, send(booth.CompareCard{}))
	action("op-add", "id", lookPlain, booth.Text{ZH: "登记名单外学生", EN: "Not on any list"}, func(a booth.Allowed) bool { return a.Add }, send(booth.OpenPage{Page: booth.PageAdd}))
	action("op-payment", "phone", lookPlain, booth.Text{ZH: "登记缴费", EN: "Record payment"}, func(a booth.Allowed) bool { return a.Payment }, to(modePayment))
	action("op-paycode", "phone", lookPlain, booth.Text{ZH: "输入缴费确认码", EN: "Type a payment code"}, func(a booth.Allowed) bool { return a.Payment }, send(booth.OpenPage{Page: booth.PagePayCode}))
	action("op-next", "arrow-right", lookPlain, booth.Text{ZH: "下一位同学", EN: "Next student"}, func(a booth.Allowed) bool { return a.Next }, send(booth.NextStudent{}))
	action("op-abandon", "exit", lookDanger, booth.Text{ZH: "结束本次拍照", EN: "End this visit"}, func(a booth.Allowed) bool { return a.Abandon }, to(modeAbandon))
	action("op-erase", "cross", lookDanger, booth.Text{ZH: "删除该生照片", EN: "Erase this student"}, func(a booth.Allowed) bool { return a.Erase }, to(modeErase))
	action("op-calibrate", "plate", lookPlain, booth.Text{ZH: "重拍空背景", EN: "New backdrop photo"}, func(a booth.Allowed) bool { return a.Recalibrate }, send(booth.Recalibrate{}))
	action("op-calibrate-fresh", "plate", lookPlain, booth.Text{ZH: "换过背景，重新拍", EN: "New backdrop or camera"}, func(a booth.Allowed) bool { return a.Recalibrate }, send(booth.Recalibrate{Fresh: true}))
	action("op-pages", "note", lookPlain, booth.Text{ZH: "全部功能…", EN: "Everything else…"}, func(booth.Allowed) bool { return len(staffEntries()) > 0 }, send(booth.OpenPage{Page: booth.PageMenu}))
	action("op-sync", "cloud", lookPlain, booth.Text{ZH: "立即同步", EN: "Sync now"}, func(a booth.Allowed) bool { return a.Sync }, send(booth.SyncNow{}))
	action("op-lock", "lock", lookPlain, booth.Text{ZH: "锁定本机", EN: "Lock the station"}, func(a booth.Allowed) bool { return a.Lock }, send(booth.LockStation{}))
	action("op-purge", "box", lookDanger, booth.Text{ZH: "清除已收妥照片", EN: "Purge what is delivered"}, func(a booth.Allowed) bool { return a.Purge }, to(modePurge))
	action("op-quit", "exit", lookDanger, booth.Text{ZH: "退出云照站", EN: "Shut down"}, func(a booth.Allowed) bool { return a.ShutDown }, to(modeQuit))
	s.notice = s.panel(colNoteBg, colNote)
	s.noteI = s.sign("note", colNote)
	s.note = s.pair(18, 14, true, colNote, colNote)

	s.left = s.page.text(20, true, colInk).line()
	s.right = s.page.text(20, true, colInk).line()
	for range maxOptions {
		s.options = append(s.options, s.page.button("", lookPlain, "", nil))
	}
	for range maxReasons {
		s.reasons = append(s.reasons, s.page.button("", lookPlain, "", nil))
	}
	s.askI = s.sign("warn", colBad)
	s.ask = s.pair(28, 18, true, colInk, colMuted).centre()
	s.back = s.page.button("operator-back", lookPlain, "arrow-left", func() { s.turn(modeHome) })
	s.confirm = s.page.button("operator-confirm", lookPrimary, "ok", s.decide)
	s.mark("operator-status", s.status.bg, func() string { return s.staHead.text })
	s.mark("operator-notice", s.notice.bg, func() string { return s.note.a.text })
	return s
}

// forget drops the PIN, and what was being decided about the student who left.
func (s *operatorPage) forget() {
	s.pad.forget()
	s.reset()
	s.view = booth.View{}
	for _, r := range s.work {
		r.who.set("")
		r.why.set("")
	}
}

func (s *operatorPage) reset() {
	s.mode, s.reason, s.payment = modeHome, "", ""
	clear(s.chosen)
}

// turn goes to another part of the page and shows it at once; being there is
// nobody's business but the page's.
func (s *operatorPage) turn(m operatorMode) {
	s.reset()
	s.mode = m
	op := s.view.Operator
	switch {
	case op == nil:
	case m == modeManual:
		for _, l := range op.Manual {
			s.chosen[l.Check.ID] = l.Not
		}
	case m == modePayment:
		s.payment = paymentStates[0].state
	case m == modeOverride && len(op.Failing) == 1:
		s.chosen[op.Failing[0].Check.ID] = op.Failing[0].Reason == ""
	}
	s.ui.send(booth.Stay{}) // somebody is here
	s.redraw()
}

// redraw shows the page's own state with the last view.
func (s *operatorPage) redraw() {
	s.update(s.view)
	if s.ui.rearrange != nil {
		s.ui.rearrange()
	}
}

// decide sends what was chosen.
func (s *operatorPage) decide() {
	send := s.ui.send
	op := s.view.Operator
	if op == nil {
		return
	}
	switch s.mode {
	case modeOverride:
		for _, l := range op.Failing {
			if s.chosen[l.Check.ID] && l.Reason == "" {
				send(booth.Override{CheckID: l.Check.ID, Reason: s.reason})
			}
		}
	case modeCaptured:
		send(booth.Override{CheckID: booth.CheckCaptured, Reason: s.reason})
	case modePayment:
		send(booth.PaymentMark{State: s.payment, Reason: s.reason})
	case modeManual:
		var not []string
		for _, l := range op.Manual {
			if s.chosen[l.Check.ID] {
				not = append(not, l.Check.ID)
			}
		}
		send(booth.ManualAnswer{OK: len(not) == 0, Not: not})
	case modeAbandon:
		send(booth.Abandon{Reason: "operator"})
	case modePurge:
		send(booth.PurgeNow{})
	case modeErase:
		send(booth.EraseStudent{})
	case modeQuit:
		send(booth.ShutDown{})
	case modeHome:
	}
	s.reset()
	s.redraw()
}

// fits says whether the page's part still belongs to what may be done now.
func (s *operatorPage) fits(a booth.Allowed) bool {
	switch s.mode {
	case modeOverride:
		return a.Override
	case modeCaptured:
		return a.Captured
	case modePayment:
		return a.Payment
	case modeManual:
		return a.Manual
	case modeAbandon:
		return a.Abandon
	case modePurge:
		return a.Purge
	case modeErase:
		return a.Erase
	case modeQuit:
		return a.ShutDown
	case modeHome:
	}
	return true
}

func (s *operatorPage) update(v booth.View) {
	s.view = v
	op := v.Operator
	if op == nil {
		op = &booth.OperatorView{}
	}
	if !op.Unlocked || !s.fits(op.Can) {
		s.reset()
	}
	s.titleText = booth.Text{ZH: "工作人员", EN: "Staff"}
	if op.Unlocked {
		s.titleText = booth.Text{ZH: "工作人员 " + op.Staff.ID, EN: "Staff: " + op.Staff.ID}
		if op.Staff.Role == booth.RoleAdmin {
			s.titleText = booth.Text{ZH: "管理员 " + op.Staff.ID, EN: "Admin: " + op.Staff.ID}
		}
	}
	s.updatePad(v, op)
	s.updateHome(v, op)
	s.updatePicker(op)
	s.leave.label(booth.Text{ZH: "返回", EN: "Back"})
	if op.Unlocked {
		left := max(0, int(op.Deadline.Sub(v.Now).Seconds()+0.999))
		s.leave.label(booth.Text{ZH: "返回并锁定", EN: "Leave and lock"})
		if left <= 15 && !op.Deadline.IsZero() {
			s.leave.label(booth.Text{ZH: fmt.Sprintf("返回并锁定（%d）", left), EN: fmt.Sprintf("Leave and lock (%d)", left)})
		}
	}
	setVisible(s.leave, s.mode == modeHome)
}

func (s *operatorPage) updatePad(v booth.View, op *booth.OperatorView) {
	on := !op.Unlocked
	s.head.set(s.ui, booth.Text{})
	s.calm.set(s.ui, booth.Text{})
	setVisible(s.card.bg, on || s.mode != modeHome)
	if on {
		s.pad.update(op.PIN, v, false)
		s.head.set(s.ui, booth.Text{ZH: "请工作人员输入 PIN", EN: "Staff: enter your PIN"})
		s.calm.set(s.ui, booth.Text{ZH: "正在进行的拍照保持不变，返回后继续。", EN: "The visit under way stays as it is and goes on when you return."})
	}
	if on && op.PIN.NoPIN {
		s.head.set(s.ui, booth.Text{ZH: "还没有设置 PIN", EN: "No PIN is set yet"})
		s.calm.set(s.ui, booth.Text{
			ZH: "重新启动云照站，首次设置会引导管理员设 PIN；也可以退出后用命令：\nyunzhao pin set --role admin",
			EN: "Start the station anew: the first set-up asks an admin for one. The command does it too.",
		})
	}
	s.pad.visible(on && !op.PIN.NoPIN)
}

func (s *operatorPage) updateHome(v booth.View, op *booth.OperatorView) {
	on := op.Unlocked && s.mode == modeHome
	words := func(t *textBlock, zh, en string) {
		t.set("")
		if on {
			t.set(booth.Text{ZH: zh, EN: en}.In(s.ui.lang))
		}
	}
	setVisible(s.status.bg, on)
	setVisible(s.day.bg, on)
	words(s.staHead, "设备状态", "How everything stands")
	words(s.dayHead, "今天", "Today")
	words(s.doHead, "现在可以做", "What may be done now")
	s.shown.lines = 0
	for i, r := range s.lines {
		show := on && i < len(op.Status)
		setVisible(r.icon.img, show)
		r.name.set("")
		r.words.set("")
		if !show {
			continue
		}
		s.shown.lines++
		l := op.Status[i]
		tn := toneOf(l.Lamp.Level)
		r.icon.set(tn.icon, tn.text)
		r.name.set(l.Title.In(s.ui.lang))
		r.words.set(l.Lamp.Text.In(s.ui.lang))
		r.words.colour = tn.text
	}
	for i, n := range []struct {
		count int
		name  booth.Text
		level booth.Level
	}{
		{op.Day.Saved, booth.Text{ZH: "已保存", EN: "saved"}, booth.Note},
		{op.Day.Pending, booth.Text{ZH: "待传", EN: "to send"}, booth.Note},
		{op.Day.InReview, booth.Text{ZH: "审核中", EN: "in review"}, booth.Note},
		{op.Day.Approved, booth.Text{ZH: "通过", EN: "approved"}, booth.OK},
		{op.Day.Rejected, booth.Text{ZH: "退回", EN: "rejected"}, booth.Warn},
		{op.Day.Refused, booth.Text{ZH: "拒收", EN: "refused"}, booth.Bad},
	} {
		t := s.tiles[i]
		setVisible(t.bg.bg, on)
		t.number.set("")
		t.name.set("")
		if on {
			t.number.set(fmt.Sprint(n.count))
			t.name.set(n.name.In(s.ui.lang))
		}
		tn := tone{colInk, colGround, ""}
		if n.count > 0 && n.level != booth.Note {
			tn = toneOf(n.level)
		}
		t.bg.tint(tn.ground, tn.ground)
		t.number.colour = tn.text
	}
	if n := len(v.Retakes); n > 0 {
		words(s.listHead, fmt.Sprintf("请回来重拍（%d）", n), fmt.Sprintf("To be photographed again (%d)", n))
		s.listHead.colour = colWarn
	} else {
		words(s.listHead, "没有要重拍的同学", "Nobody has to come again")
		s.listHead.colour = colMuted
	}
	s.shown.work = 0
	for i, r := range s.work {
		r.who.set("")
		r.why.set("")
		if on && i < len(v.Retakes) {
			s.shown.work++
			it := v.Retakes[i]
			r.who.set(it.NameMasked + booth.Text{ZH: "  尾号 ", EN: "  ending "}.In(s.ui.lang) + it.NumberTail)
			r.why.set(it.Reason.In(s.ui.lang))
		}
	}
	s.more.set("")
	if n := len(v.Retakes) - maxWork; on && n > 0 {
		s.more.set(booth.Text{ZH: fmt.Sprintf("还有 %d 人", n), EN: fmt.Sprintf("and %d more", n)}.In(s.ui.lang))
	}
	s.shown.actions = 0
	for _, a := range s.actions {
		show := on && a.allowed(op.Can)
		setVisible(a.button, show)
		if show {
			s.shown.actions++
			a.label(a.text)
		}
	}
	s.note.set(s.ui, booth.Text{})
	level := booth.Note
	if on {
		text, l := operatorNotice(v, op)
		level = l
		s.note.set(s.ui, text)
	}
	tn := toneOf(level)
	s.notice.tint(tn.ground, tn.text)
	s.noteI.set(tn.icon, tn.text)
	s.note.tint(tn.text, tn.text)
	setVisible(s.notice.bg, s.note.a.text != "")
	setVisible(s.noteI.img, s.note.a.text != "")
}

// operatorNotice is the newest thing that staff should know.
func operatorNotice(v booth.View, op *booth.OperatorView) (booth.Text, booth.Level) {
	c := v.Calibration
	switch {
	case c.State == booth.CalibrationRunning && c.Want > 0:
		return booth.Text{ZH: fmt.Sprintf("正在拍空背景 %d/%d，请不要进入画面", c.Got, c.Want), EN: fmt.Sprintf("Photographing the backdrop %d/%d: stay out of the picture", c.Got, c.Want)}, booth.Note
	case c.State == booth.CalibrationRunning:
		return booth.Text{ZH: "正在拍空背景，请不要进入画面", EN: "Photographing the backdrop: stay out of the picture"}, booth.Note
	case c.State == booth.CalibrationRefused && len(c.Lines) > 0:
		return c.Lines[0].Text, booth.Bad
	case c.State == booth.CalibrationAccepted && len(c.Lines) > 0 && c.Lines[0].Level == booth.Warn:
		// What the lighting assistant advises stays until the next visit.
		t := c.Lines[0].Text
		return booth.Text{ZH: "新的空背景已启用。" + t.ZH, EN: "The new backdrop photo is in use. " + t.EN}, booth.Warn
	case v.Toast != nil:
		return *v.Toast, booth.Warn
	case op.Notice != nil:
		return *op.Notice, booth.Note
	case c.State == booth.CalibrationAccepted:
		return booth.Text{ZH: "新的空背景已启用", EN: "The new backdrop photo is in use"}, booth.OK
	}
	return booth.Text{}, booth.Note
}

// updatePicker fills the part in which something is decided.
func (s *operatorPage) updatePicker(op *booth.OperatorView) {
	on := op.Unlocked && s.mode != modeHome
	s.shown.options, s.shown.reasons = 0, 0
	s.left.set("")
	s.right.set("")
	s.ask.set(s.ui, booth.Text{})
	setVisible(s.back, on)
	setVisible(s.confirm, on)
	setVisible(s.askI.img, false)
	s.back.label(booth.Text{ZH: "不做，返回", EN: "Back, change nothing"})
	s.confirm.setLook(lookPrimary)
	option := func(id string, first, second string, chosen bool, l look, tap func()) {
		if s.shown.options >= maxOptions {
			return
		}
		b := s.options[s.shown.options]
		s.shown.options++
		b.id, b.onTap = id, tap
		b.setLook(lookPlain)
		b.setIcon("")
		if chosen {
			b.setLook(l)
			b.setIcon("ok")
		}
		b.plain(first, second)
		b.setEnabled(tap != nil)
	}
	reasons := func(list []booth.Reason) {
		for _, r := range list[:min(len(list), maxReasons)] {
			b := s.reasons[s.shown.reasons]
			s.shown.reasons++
			b.id, b.onTap = "reason-"+r.Code, func() { s.reason = r.Code; s.redraw() }
			b.setLook(lookPlain)
			b.setIcon("")
			if s.reason == r.Code {
				b.setLook(lookChosen)
				b.setIcon("ok")
			}
			b.label(r.Text)
		}
	}
	text := func(t *textBlock, x booth.Text) { t.set(x.In(s.ui.lang)) }
	ready := true
	if on {
		switch s.mode {
		case modeOverride:
			some := false
			text(s.left, booth.Text{ZH: "放行哪些（可多选）", EN: "Which ones"})
			text(s.right, booth.Text{ZH: "原因", EN: "Reason"})
			for _, l := range standingFirst(op.Failing) {
				second := l.Check.Value
				if l.Check.Limit != "" {
					second += booth.Text{ZH: "  要求 ", EN: "  rule "}.In(s.ui.lang) + l.Check.Limit
				}
				tap := func() { s.chosen[l.Check.ID] = !s.chosen[l.Check.ID]; s.redraw() }
				if l.Reason != "" {
					second, tap = booth.Text{ZH: "已放行", EN: "let through"}.In(s.ui.lang), nil
				}
				option("check-"+l.Check.ID, l.Check.Title.In(s.ui.lang), second, s.chosen[l.Check.ID], lookChosen, tap)
				some = some || s.chosen[l.Check.ID] && l.Reason == ""
			}
			reasons(booth.OverrideReasons())
			ready = some && s.reason != ""
			s.confirm.label(booth.Text{ZH: "放行并记录", EN: "Let through, on record"})
		case modeCaptured:
			text(s.right, booth.Text{ZH: "为什么重新拍", EN: "Why a new photo"})
			reasons(booth.CaptureReasons())
			ready = s.reason != ""
			s.confirm.label(booth.Text{ZH: "允许并记录", EN: "Allow, on record"})
		case modePayment:
			text(s.left, booth.Text{ZH: "缴费状态", EN: "Payment"})
			text(s.right, booth.Text{ZH: "原因", EN: "Reason"})
			for _, p := range paymentStates {
				first, second := s.ui.both(p.text)
				option("pay-"+p.state, first, second, s.payment == p.state, lookChosen, func() { s.payment, s.reason = p.state, ""; s.redraw() })
			}
			reasons(booth.PaymentReasons(s.payment))
			ready = s.reason != ""
			s.confirm.label(booth.Text{ZH: "登记", EN: "Record"})
		case modeManual:
			not := 0
			text(s.left, booth.Text{ZH: "点一下不符合的项目", EN: "Touch what is not met"})
			for _, l := range op.Manual {
				id := l.Check.ID
				second := booth.Text{ZH: "符合", EN: "met"}.In(s.ui.lang)
				if s.chosen[id] {
					not++
					second = booth.Text{ZH: "不符合", EN: "not met"}.In(s.ui.lang)
				}
				option("manual-"+id, l.Check.Title.In(s.ui.lang), second, !s.chosen[id], lookGood, func() { s.chosen[id] = !s.chosen[id]; s.redraw() })
				if b := s.options[s.shown.options-1]; s.chosen[id] && b.id == "manual-"+id {
					b.setLook(lookDanger)
					b.setIcon("cross")
				}
			}
			s.confirm.label(booth.Text{ZH: "全部符合", EN: "All met"})
			if not > 0 {
				s.confirm.setLook(lookDanger)
				s.confirm.label(booth.Text{ZH: fmt.Sprintf("%d 项不符合", not), EN: fmt.Sprintf("%d not met", not)})
			}
		case modeAbandon:
			s.question(booth.Text{ZH: "结束这位同学的拍照？没有提交的照片和信息会立即删除，已付的费用保留。", EN: "End this student's visit? The photo that was not submitted and the details are deleted at once; a payment stays valid."},
				booth.Text{ZH: "结束并删除", EN: "End and delete"})
		case modeErase:
			s.question(booth.Text{ZH: "删除这位同学的全部照片？本次的内容和没有送达的照片立即删除；已送达的由审核中心删除，已审核通过的由中心的人决定。", EN: "Erase all photos of this student? This visit and what is not sent goes at once; central erases what it has, and a person there decides about an approved photo."},
				booth.Text{ZH: "全部删除", EN: "Erase all"})
		case modePurge:
			s.question(booth.Text{ZH: "清除本机上审核中心已经打开并签收的照片包？没有送达的一份也不会动。", EN: "Remove the packets that central has opened and signed for? Nothing undelivered is touched."},
				booth.Text{ZH: "清除", EN: "Purge"})
		case modeQuit:
			s.question(booth.Text{ZH: "退出云照站？没有传完的照片会安全留在本机，下次启动后继续传。", EN: "Shut the station down? What is not sent yet stays safe here and is sent after the next start."},
				booth.Text{ZH: "退出", EN: "Shut down"})
		case modeHome:
		}
	}
	s.confirm.setEnabled(ready)
	for i, b := range s.options {
		setVisible(b, on && i < s.shown.options)
	}
	for i, b := range s.reasons {
		setVisible(b, on && i < s.shown.reasons)
	}
}

// standingFirst puts what still keeps the photo back before what was let
// through, so that a long list can be worked off.
func standingFirst(list []booth.OverrideLine) []booth.OverrideLine {
	out := make([]booth.OverrideLine, 0, len(list))
	for _, done := range []bool{false, true} {
		for _, l := range list {
			if (l.Reason != "") == done {
				out = append(out, l)
			}
		}
	}
	return out
}

// question asks before something is taken away.
func (s *operatorPage) question(text, yes booth.Text) {
	setVisible(s.askI.img, true)
	s.ask.set(s.ui, text)
	s.confirm.setLook(lookDanger)
	s.confirm.label(yes)
}

func (s *operatorPage) layout(sp space) {
	k := s.ui.k
	body := rect{sp.all.x, sp.body.y, sp.all.w, sp.body.h}
	back, rest := sp.rest.cutLeft(min(340, sp.rest.w), gap)
	place(s.leave, back, k)
	place(s.back, back, k)
	place(s.confirm, sp.primary, k)
	// All of it each time: what is not shown has no words, and is cleared so.
	s.layoutPad(sp, body)
	s.layoutPicker(body)
	s.layoutHome(body)
	note := rect{rest.x, rest.y, sp.primary.x + sp.primary.w - rest.x, rest.h}
	place(s.notice.bg, note, k)
	radius(s.notice, k)
	icon, words := note.insetXY(16, 6).cutLeft(30, 12)
	place(s.noteI.img, icon.centred(30, 30), k)
	s.note.layoutMid(words, k)
}

func (s *operatorPage) layoutPad(sp space, body rect) {
	k := s.ui.k
	card := body.centred(min(body.w, 1000), min(body.h, 480))
	if s.ui.tall {
		card = body.centred(body.w, min(body.h, 1000))
	}
	if s.view.Operator != nil && s.view.Operator.Unlocked {
		card = body
	}
	place(s.card.bg, card, k)
	radius(s.card, k)
	in := card.inset(28)
	var words, pad rect
	if s.ui.tall {
		pad, words = in.cutBottom(in.h*0.55, 24)
	} else {
		pad, words = in.cutRight(in.w*0.44, 36)
	}
	head, words := words.cutTop(90, 10)
	s.head.layoutMid(head, k)
	calm, words := words.cutTop(min(110, words.h*0.4), 14)
	if s.view.Operator != nil && s.view.Operator.PIN.NoPIN {
		calm.h += words.h
	}
	s.calm.layout(calm, k)
	s.pad.layout(words, pad, sp.primary)
}

func (s *operatorPage) layoutHome(body rect) {
	k := s.ui.k
	var status, day, do rect
	if s.ui.tall {
		status, body = body.cutTop(body.h*0.32, gap)
		day, do = body.cutTop(body.h*0.525, gap)
	} else {
		status, body = body.cutLeft(body.w*0.33, gap)
		day, do = body.cutLeft(body.w*0.46, gap)
	}
	place(s.status.bg, status, k)
	radius(s.status, k)
	in := status.inset(16)
	title, in := in.cutTop(30, 8)
	s.staHead.layout(title, k)
	s.layoutLines(in)
	place(s.day.bg, day, k)
	radius(s.day, k)
	in = day.inset(16)
	title, in = in.cutTop(30, 8)
	s.dayHead.layout(title, k)
	cols, rows := 3, 2
	if s.ui.tall {
		cols, rows = 6, 1
	}
	grid, in := in.cutTop(float32(rows)*78+8*float32(rows-1), 14)
	for i, c := range grid.grid(cols, rows, 8) {
		t := s.tiles[i]
		place(t.bg.bg, c, k)
		radius(t.bg, k)
		num, name := c.insetXY(4, 5).cutTop(42, 0)
		t.number.layout(num, k)
		t.name.layout(name, k)
	}
	title, in = in.cutTop(28, 4)
	s.listHead.layout(title, k)
	foot, in := in.cutBottom(22, 2)
	s.more.layout(foot, k)
	cells := in.grid(1, maxWork, 4)
	for i, r := range s.work {
		who, why := cells[i].cutTop(min(24, cells[i].h*0.5), 0)
		r.who.layout(who, k)
		r.why.layout(why, k)
	}
	title, in = do.cutTop(30, 8)
	s.doHead.layout(title, k)
	cols = 2
	if s.ui.tall {
		cols = 3
	}
	i := 0
	height := float32(84)
	for _, a := range s.actions {
		if !a.Visible() {
			continue
		}
		w := (in.w - float32(cols-1)*12) / float32(cols)
		place(a.button, rect{in.x + float32(i%cols)*(w+12), in.y + float32(i/cols)*(height+12), w, height}, k)
		i++
	}
}

// layoutLines gives each line of the status what its words need, and what is
// left over to all alike.
func (s *operatorPage) layoutLines(in rect) {
	k := s.ui.k
	parts := func(row rect) (icon, name, words rect) {
		icon, row = row.cutLeft(24, 10)
		name, words = row.cutLeft(min(104, row.w*0.34), 8)
		return icon, name, words
	}
	_, _, words := parts(in)
	const least, air, body = 30, 8, 15
	need := make([]float32, len(s.lines))
	total := float32(0)
	for i, r := range s.lines[:s.shown.lines] {
		need[i] = max(least, r.words.heightAt(words.w, k, body)) + air
		total += need[i]
	}
	share := min(1.6, in.h/max(total, 1))
	y := in.y
	for i, r := range s.lines {
		row := rect{in.x, y, in.w, need[i] * share}
		y += row.h
		icon, name, words := parts(row)
		place(r.icon.img, icon.centred(22, 22), k)
		r.name.mid().layout(name, k)
		r.words.mid().layout(words, k)
	}
}

func (s *operatorPage) layoutPicker(body rect) {
	k := s.ui.k
	in := body.inset(24)
	ask := in.centred(min(in.w, 860), min(in.h, 320))
	icon, words := ask.cutTop(80, 14)
	place(s.askI.img, icon.centred(72, 72), k)
	s.ask.layout(words, k)
	left, right := in, in
	if s.shown.options > 0 && s.shown.reasons > 0 {
		if s.ui.tall {
			left, right = in.cutTop(in.h*0.5, 28)
		} else {
			left, right = in.cutLeft(in.w*0.44, 28)
		}
	}
	title, left := left.cutTop(32, 10)
	s.left.layout(title, k)
	title, right = right.cutTop(32, 10)
	s.right.layout(title, k)
	list := func(r rect, buttons []*button, n int, wide bool) {
		cols := 1
		if wide || s.ui.tall {
			cols = 2
		}
		if n == 0 {
			return
		}
		rows := (n + cols - 1) / cols
		h := min(84, (r.h-float32(rows-1)*10)/float32(rows))
		w := (r.w - float32(cols-1)*12) / float32(cols)
		for i := range n {
			place(buttons[i], rect{r.x + float32(i%cols)*(w+12), r.y + float32(i/cols)*(h+10), w, h}, k)
		}
	}
	list(left, s.options, s.shown.options, s.shown.reasons == 0)
	list(right, s.reasons, s.shown.reasons, true)
}
