package screen

import (
	"fmt"
	"log/slog"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// eligible shows who was found, what the service is, and the code that joins
// the phone; with several records it first asks which.
type eligible struct {
	page
	// the student
	who     *panel
	head    pair
	name    *textBlock
	facts   []fact
	recap   pair
	recapBg *panel
	reveal  *button
	// the service
	service   *panel
	svcHead   pair
	price     *textBlock
	covers    pair
	points    []pair
	pointMark []*sign
	// the phone
	claim claimCard
	// several records
	choices []choice
	// actions
	cont, notMe, flag, back *button

	choosing bool
	count    int
}

type fact struct{ key, val *textBlock }

type choice struct {
	b    *button
	a, n *textBlock
}

const maxChoices = 6

func newEligible(u *ui) screen {
	s := &eligible{page: newPage(u)}
	s.who = s.panel(colSurface, colLine)
	s.head = s.pair(18, 14, true, colMuted, colMuted)
	s.name = s.page.text(44, true, colInk).line()
	for range 6 {
		s.facts = append(s.facts, fact{s.page.text(16, false, colMuted), s.page.text(20, true, colInk)})
	}
	s.recapBg = s.panel(colWarnBg, colWarn)
	s.recap = s.pair(18, 14, true, colWarn, colWarn)
	s.reveal = s.page.button("reveal", lookPlain, "eye", nil)
	s.reveal.onHold = func(held bool) { u.send(booth.Reveal{Held: held}) }
	s.service = s.panel(colSurface, colLine)
	s.svcHead = s.pair(18, 14, true, colMuted, colMuted)
	s.price = s.page.text(44, true, colInk).line()
	s.covers = s.pair(18, 14, true, colInk, colMuted)
	for range 4 {
		s.pointMark = append(s.pointMark, s.sign("ok", colOK))
		s.points = append(s.points, s.pair(17, 13, false, colInk, colMuted))
	}
	s.claim = newClaimCard(&s.page)
	for i := range maxChoices {
		c := choice{b: s.page.button(fmt.Sprintf("choose-%d", i), lookPlain, "", func() { u.send(booth.Choose{Index: i}) })}
		c.a = s.page.text(24, true, colInk)
		c.n = s.page.text(18, false, colMuted)
		s.choices = append(s.choices, c)
	}
	s.notMe = s.page.button("not-me", lookPlain, "cross", func() { u.send(booth.NotMe{}) })
	s.flag = s.page.button("flag", lookPlain, "flag", func() { u.send(booth.FlagInfo{}) })
	s.back = s.page.button("back", lookPlain, "arrow-left", func() { u.send(booth.Back{}) })
	s.cont = s.page.button("continue", lookPrimary, "arrow-right", func() { u.send(booth.Continue{}) })
	return s
}

func (s *eligible) forget() {
	s.name.set("")
	for _, f := range s.facts {
		f.val.set("")
	}
	for _, c := range s.choices {
		c.a.set("")
		c.n.set("")
	}
	s.claim.forget()
}

func (s *eligible) update(v booth.View) {
	s.choosing = v.Student == nil && len(v.Candidates) > 0
	s.count = min(len(v.Candidates), maxChoices)
	one := v.Student != nil
	s.titleText = booth.Text{ZH: "请核对您的信息", EN: "Is this you?"}
	if s.choosing {
		s.titleText = booth.Text{ZH: "找到多条记录，请选择这次要拍的", EN: "Several records found: choose the one to photograph for"}
	}
	s.updateStudent(v)
	s.updateService(v)
	s.claim.update(v, one)
	for i, c := range s.choices {
		on := s.choosing && i < s.count
		setVisible(c.b, on)
		c.a.set("")
		c.n.set("")
		if on {
			r := v.Candidates[i]
			c.a.set(r.School + "  " + r.Level)
			c.n.set(joinDot(r.Major, r.Batch))
		}
	}
	setVisible(s.cont, one)
	setVisible(s.notMe, one)
	setVisible(s.flag, one)
	setVisible(s.back, s.choosing)
	s.back.label(booth.Text{ZH: "返回", EN: "Back"})
	s.notMe.label(booth.Text{ZH: "这不是我", EN: "Not me"})
	s.flag.label(booth.Text{ZH: "信息有误", EN: "Details are wrong"})
	s.flag.setLook(lookPlain)
	s.flag.setEnabled(true)
	if one && v.Student.InfoFlagged {
		s.flag.label(booth.Text{ZH: "已记下有误", EN: "Noted"})
		s.flag.setLook(lookGood)
		s.flag.setEnabled(false)
	}
	s.cont.label(booth.Text{ZH: "信息正确，继续", EN: "Correct, continue"})
	s.cont.setEnabled(one && !v.Payment.Blocked)
}

func joinDot(parts ...string) string {
	out := ""
	for _, p := range parts {
		if p == "" {
			continue
		}
		if out != "" {
			out += " · "
		}
		out += p
	}
	return out
}

func (s *eligible) updateStudent(v booth.View) {
	one := v.Student != nil
	setVisible(s.who.bg, one)
	setVisible(s.reveal, one)
	s.head.set(s.ui, booth.Text{})
	s.name.set("")
	s.recap.set(s.ui, booth.Text{})
	for _, f := range s.facts {
		f.key.set("")
		f.val.set("")
	}
	setVisible(s.recapBg.bg, one && v.Student.Recapture)
	if !one {
		return
	}
	st := v.Student
	s.head.set(s.ui, booth.Text{ZH: "本人信息", EN: "Your record"})
	name, number := st.NameMasked, st.NumberMasked
	if st.Revealed {
		name, number = st.NameFull, st.NumberFull
	}
	s.name.set(name)
	rows := []struct {
		key booth.Text
		val string
	}{
		{booth.Text{ZH: "证件号", EN: "Number"}, number},
		{booth.Text{ZH: "学校", EN: "School"}, st.School},
		{booth.Text{ZH: "层次", EN: "Level"}, st.Level},
		{booth.Text{ZH: "专业", EN: "Major"}, st.Major},
		{booth.Text{ZH: "学号", EN: "Student no."}, st.StudentNo},
		{booth.Text{ZH: "批次", EN: "Batch"}, st.Batch},
	}
	i := 0
	for _, r := range rows {
		if r.val == "" {
			continue
		}
		s.facts[i].key.set(r.key.In(s.ui.lang))
		s.facts[i].val.set(r.val)
		i++
	}
	if st.Recapture {
		s.recap.set(s.ui, booth.Text{ZH: "上次的照片被退回：" + st.RejectReason.ZH, EN: "Your last photo was returned: " + st.RejectReason.EN})
	}
	s.reveal.label(booth.Text{ZH: "按住查看完整信息", EN: "Hold to show in full"})
}

func (s *eligible) updateService(v booth.View) {
	on := v.Student != nil && v.Service != nil
	setVisible(s.service.bg, on)
	s.svcHead.set(s.ui, booth.Text{})
	s.price.set("")
	s.covers.set(s.ui, booth.Text{})
	for i := range s.points {
		s.points[i].set(s.ui, booth.Text{})
		setVisible(s.pointMark[i].img, on)
	}
	if !on {
		return
	}
	sv := v.Service
	s.svcHead.set(s.ui, booth.Text{ZH: "服务内容", EN: "The service"})
	s.price.set(priceText(sv, s.ui.lang))
	s.covers.set(s.ui, sv.Covers)
	pay := booth.Text{ZH: "一次付费，提交前拍多少张都行", EN: "One payment; any number of shots until you submit"}
	if sv.Policy == "none" || sv.PriceFen == 0 {
		pay = booth.Text{ZH: "无需付费，提交前拍多少张都行", EN: "Nothing to pay; any number of shots until you submit"}
	}
	pts := []booth.Text{
		pay,
		{ZH: fmt.Sprintf("审核约 %d 个工作日，结果在手机上看", sv.ReviewDays), EN: fmt.Sprintf("Reviewed in about %d working days; see it on your phone", sv.ReviewDays)},
		{ZH: "审核通过后不能再更改", EN: "Cannot be changed once approved"},
		{ZH: "客服 " + sv.Contact, EN: "Help: " + sv.Contact},
	}
	if sv.ReviewDays <= 0 {
		pts[1] = booth.Text{ZH: "审核结果在手机上看", EN: "See the review result on your phone"}
	}
	for i, p := range pts {
		if i == 3 && sv.Contact == "" {
			p = booth.Text{}
		}
		s.points[i].set(s.ui, p)
		if i == 3 {
			s.points[i].b.set("") // a number reads the same in both languages
		}
		setVisible(s.pointMark[i].img, p != (booth.Text{}))
	}
}

// priceText writes the price in yuan.
func priceText(sv *booth.ServiceView, lang booth.Lang) string {
	if sv.Policy == "none" || sv.PriceFen == 0 {
		return booth.Text{ZH: "学校承担", EN: "Paid by the school"}.In(lang)
	}
	return fmt.Sprintf("¥ %d.%02d", sv.PriceFen/100, sv.PriceFen%100)
}

func (s *eligible) layout(sp space) {
	k := s.ui.k
	place(s.cont, sp.primary, k)
	cells := sp.rest.grid(3, 1, gap)
	if s.ui.tall {
		cells = sp.rest.grid(2, 1, gap)
	}
	place(s.notMe, cells[0], k)
	place(s.flag, cells[1], k)
	place(s.back, cells[0], k)

	grid := sp.body.grid(2, 3, gap)
	if s.ui.tall {
		grid = sp.body.grid(1, 6, gap)
	}
	if s.count <= 3 && !s.ui.tall {
		grid = sp.body.grid(1, 3, gap)
	}
	for i, c := range s.choices {
		at := rect{sp.body.x, sp.body.y, 10, 10}
		if i < len(grid) {
			at = grid[i]
		}
		place(c.b, at, k)
		in := at.insetXY(28, 12)
		h := min(in.h*0.6, c.a.height(in.w, k))
		top, bottom := in.cutTop(h, 2)
		c.a.layout(top, k)
		c.n.layout(bottom, k)
	}

	var who, service, phone rect
	if s.ui.tall {
		cols := sp.body
		who, cols = cols.cutTop(cols.h*0.45, gap)
		service, phone = cols.cutLeft(cols.w-qrSide-16-gap, gap)
	} else {
		phone, who = sp.body.cutRight(qrSide+16, gap)
		cols := who.grid(2, 1, gap)
		who, service = cols[0], cols[1]
	}
	s.layoutStudent(who)
	s.layoutService(service)
	s.claim.layout(phone, k)
}

func (s *eligible) layoutStudent(r rect) {
	k := s.ui.k
	place(s.who.bg, r, k)
	radius(s.who, k)
	in := r.inset(18)
	button, in := in.cutBottom(58, 10)
	place(s.reveal, button, k)
	head, in := in.cutTop(26, 0)
	s.head.a.layout(rect{head.x, head.y, head.w * 0.5, head.h}, k)
	s.head.b.align = alignRight
	s.head.b.layout(rect{head.x + head.w*0.5, head.y + 3, head.w * 0.5, head.h - 3}, k)
	if s.recap.a.text != "" {
		var at rect
		at, in = in.cutBottom(76, 8)
		place(s.recapBg.bg, at, k)
		radius(s.recapBg, k)
		s.recap.layoutMid(at.insetXY(12, 5), k)
	} else {
		s.recap.layoutMid(in, k)
	}
	name, in := in.cutTop(64, 2)
	s.name.layout(name, k)
	keyW := float32(72)
	if s.ui.lang == booth.EN {
		keyW = 96
	}
	// One size for all rows: the largest at which they fit.
	size := float32(sizeBody)
	heights := func() (need []float32, total float32) {
		for _, f := range s.facts {
			h := max(f.val.heightAt(in.w-keyW, k, size), f.key.heightAt(keyW-8, k, min(16, size)))
			if f.val.text != "" {
				h += 4
			}
			need, total = append(need, h), total+h
		}
		return need, total
	}
	need, total := heights()
	for total > in.h && size > sizeFloor {
		size--
		need, total = heights()
	}
	y := in.y
	spread := min(10, max(0, (in.h-total)/float32(len(s.facts))))
	for i, f := range s.facts {
		f.val.size, f.key.size = size, min(16, size)
		drop := (f.val.size - f.key.size) * 0.9 // both on one baseline
		f.key.layout(rect{in.x, y + drop, keyW - 8, need[i]}, k)
		f.val.layout(rect{in.x + keyW, y, in.w - keyW, need[i]}, k)
		if need[i] > 0 {
			y += need[i] + spread
		}
	}
}

func (s *eligible) layoutService(r rect) {
	k := s.ui.k
	place(s.service.bg, r, k)
	radius(s.service, k)
	in := r.inset(18)
	head, in := in.cutTop(26, 0)
	s.svcHead.a.layout(rect{head.x, head.y, head.w * 0.5, head.h}, k)
	s.svcHead.b.align = alignRight
	s.svcHead.b.layout(rect{head.x + head.w*0.5, head.y + 3, head.w * 0.5, head.h - 3}, k)
	price, in := in.cutTop(64, 2)
	s.price.layout(price, k)
	h := min(in.h*0.34, s.covers.a.height(in.w, k)+s.covers.b.height(in.w, k))
	covers, in := in.cutTop(h, 10)
	s.covers.layout(covers, k)
	n := 0
	for _, p := range s.points {
		if p.a.text != "" {
			n++
		}
	}
	cells := in.grid(1, max(n, 1), 6)
	shrinkTogether(s.points, 17, 13, cells[0].w-30, cells[0].h, k)
	for i, p := range s.points {
		at := in
		if i < len(cells) {
			at = cells[i]
		}
		icon, words := at.cutLeft(20, 10)
		place(s.pointMark[i].img, rect{icon.x, icon.y + 3, 20, 20}, k)
		p.layout(words, k)
	}
}

// claimCard is the code, what it is for, and the state of link and payment.
type claimCard struct {
	p      *page
	bg     *panel
	qr     *qrCode
	text   pair
	status *panel
	icon   *sign
	state  pair
	on     bool
}

func newClaimCard(p *page) claimCard {
	c := claimCard{p: p, bg: p.panel(colWhite, colLine), qr: newQR()}
	p.add(c.qr.img)
	c.text = p.pair(18, 13, true, colInk, colMuted).centre()
	c.status = p.panel(colNoteBg, colNote)
	c.icon = p.sign("phone", colNote)
	c.state = p.pair(18, 13, true, colNote, colNote)
	p.mark("qr", c.qr.img, func() string { return "" })
	p.mark("payment", c.status.bg, func() string { return c.state.a.text })
	return c
}

func (c *claimCard) forget() {
	_ = c.qr.set("") // only encoding can fail
	c.state.set(c.p.ui, booth.Text{})
}

func (c *claimCard) update(v booth.View, on bool) {
	c.on = on
	url := ""
	if on {
		url = v.Claim.URL
	}
	if err := c.qr.set(url); err != nil {
		slog.Error("the claim cannot be shown as a code", "err", err)
	}
	c.text.set(c.p.ui, booth.Text{})
	c.state.set(c.p.ui, booth.Text{})
	setVisible(c.bg.bg, on)
	setVisible(c.status.bg, on)
	setVisible(c.icon.img, on)
	if !on {
		return
	}
	switch {
	case url == "":
		c.text.set(c.p.ui, booth.Text{ZH: "本机未连接中心，暂无二维码", EN: "This station has no code to show yet"})
	case v.Claim.Linked && v.Claim.MatchNumber != "":
		c.text.set(c.p.ui, booth.Text{ZH: "手机已连接，手机上应显示 " + v.Claim.MatchNumber, EN: "Phone linked; it must show " + v.Claim.MatchNumber})
	case v.Claim.Linked:
		c.text.set(c.p.ui, booth.Text{ZH: "手机已连接", EN: "Phone linked"})
	default:
		c.text.set(c.p.ui, booth.Text{ZH: "微信扫码：缴费、看进度", EN: "Scan with WeChat: pay and follow the review"})
	}
	showPayment(c.p.ui, v, c.status, c.icon, c.state)
}

// showPayment puts the order's state on a line of its own, in its colours.
func showPayment(u *ui, v booth.View, ground *panel, sign *sign, text pair) {
	words, level, icon := paymentWords(v)
	tn := toneOf(level)
	if icon == "" {
		icon = tn.icon
	}
	ground.tint(tn.ground, tn.text)
	sign.set(icon, tn.text)
	text.tint(tn.text, tn.text)
	text.set(u, words)
}

// paymentWords says what the order's state means for the student now.
func paymentWords(v booth.View) (booth.Text, booth.Level, string) {
	if v.Claim.Mismatch {
		return booth.Text{ZH: "扫码手机属于另一位同学，请找工作人员", EN: "That phone is another student's: ask the staff"}, booth.Bad, ""
	}
	switch v.Payment.State {
	case "paid":
		return booth.Text{ZH: "已支付", EN: "Paid"}, booth.OK, ""
	case "waived":
		return booth.Text{ZH: "已免费", EN: "Fee waived"}, booth.OK, ""
	case "deferred":
		return booth.Text{ZH: "稍后支付", EN: "Pay later"}, booth.Note, "clock"
	case "refunded":
		return booth.Text{ZH: "已退款，如需拍照请重新支付", EN: "Refunded: pay again to go on"}, booth.Warn, ""
	case "unpaid":
		if v.Payment.Receipt {
			return booth.Text{ZH: "本机离线：付款后把手机上的凭证对准镜头", EN: "Offline: pay, then hold the phone's receipt to the camera"}, booth.Warn, "phone"
		}
		if v.Payment.Blocked {
			return booth.Text{ZH: "请先扫码支付，到账自动继续", EN: "Please scan and pay; this page goes on by itself"}, booth.Warn, "phone"
		}
		return booth.Text{ZH: "待支付，可以先拍照", EN: "Not paid yet; you may take the photo first"}, booth.Note, "phone"
	default:
		return booth.Text{ZH: "无需支付", EN: "Nothing to pay"}, booth.OK, ""
	}
}

func (c *claimCard) layout(r rect, k float32) {
	place(c.bg.bg, r, k)
	radius(c.bg, k)
	status, in := r.cutBottom(46, 0)
	place(c.status.bg, status, k)
	radius(c.status, k)
	icon, words := status.insetXY(14, 2).cutLeft(28, 10)
	place(c.icon.img, icon.centred(28, 28), k)
	c.state.layoutMid(words, k)
	px := c.p.ui.pixels()
	side := c.qr.side(rect{w: in.w, h: in.h - 38}, px)
	_, in = in.cutTop(2, 0) // the code may not cover the border
	code, text := in.cutTop(side+max(0, (in.h-side-60)/2), 0)
	c.qr.layout(code, k, px)
	c.text.layoutMid(text.insetXY(8, 0), k)
}
