package screen

import (
	"fmt"
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

const (
	headerHeight = 68
	stripHeight  = 44
	edge         = 24 // margin of the content
	gap          = 16
	primaryWidth = 360 // of the main action, and of the column above it
)

// chrome is what stays the same on every screen: the header with the steps of
// the visit, the title row, and the operator strip.
type chrome struct {
	page
	onLeave func()
	onMine  func()

	bar, strip  *canvas.Rectangle
	brand       *sign
	name        *textBlock
	steps       []step
	simulated   badge
	demo        badge
	lang, leave *button
	bigger      *button // large-text mode
	corner      *button // over the name: held, it asks staff for a PIN
	mine        *button // whose visit it is, from Consent to Done: at a touch, "not me"
	holds       int     // of the corner, so that an old one opens nothing
	title       pair
	toast       *panel
	toastSign   *sign
	toastText   pair
	lamps       []lamp
	retakes     badge
	next        badge

	look  lookHere
	view  booth.View
	space space // what the layout before left to the screens
	show  struct{ steps, title, toast bool }
}

type step struct {
	dot  *panel
	num  *textBlock
	name *textBlock
}

type badge struct {
	bg   *panel
	sign *sign
	text *textBlock
	on   bool
}

type lamp struct {
	sign *sign
	text *textBlock
}

// lookHere points at the camera, wherever it stands beside the screen, and
// counts down there: whoever watches the numbers looks into the lens.
type lookHere struct {
	bg   *panel
	sign *sign
	text *textBlock
	lens booth.Lens
}

var stepNames = []booth.Text{
	{ZH: "身份", EN: "Identity"}, {ZH: "须知", EN: "Rules"}, {ZH: "拍照", EN: "Photo"}, {ZH: "确认", EN: "Submit"},
}

func newChrome(u *ui) *chrome {
	c := &chrome{page: newPage(u)}
	c.bar = canvas.NewRectangle(colSurface)
	c.strip = canvas.NewRectangle(colSurface)
	c.add(c.bar)
	c.add(c.strip)
	c.corner = c.page.button("operator-corner", lookBare, "", nil)
	c.corner.onHold = c.hold
	c.brand = c.sign("camera", colBrand)
	c.name = c.text(22, true, colInk).mid().line()
	for range stepNames {
		s := step{dot: c.panel(colTint, colTint)}
		s.num = c.text(18, true, colBrand).centre().mid().line()
		s.name = c.text(18, true, colInk).mid().line()
		c.steps = append(c.steps, s)
	}
	c.simulated = c.badge("camera")
	c.demo = c.badge("note")
	c.retakes = c.badge("retake")
	c.next = c.badge("person")
	c.lang = c.page.button("lang", lookQuiet, "", func() { u.send(booth.ToggleLang{}) })
	c.bigger = c.page.button("text-size", lookQuiet, "", func() { u.send(booth.ToggleLarge{}) })
	c.leave = c.page.button("abandon", lookDanger, "exit", func() { c.onLeave() })
	c.mine = c.page.button("mine", lookQuiet, "person", func() { c.onMine() })
	c.title = c.pair(sizeTitle, 18, true, colInk, colMuted)
	c.toast = c.panel(colWarnBg, colWarn)
	c.toastSign = c.sign("warn", colWarn)
	c.toastText = c.pair(22, sizeSmall, true, colWarn, colWarn)
	for range 5 {
		c.lamps = append(c.lamps, lamp{c.sign("dot", colInk), c.text(sizeStrip, false, colInk).mid().line()})
	}
	c.look = lookHere{bg: c.panel(colBrand, colBrand), sign: c.sign("arrow-up", colWhite), text: c.text(24, true, colWhite).mid().line()}
	c.mark("toast", c.toast.bg, func() string { return c.toastText.a.text })
	c.mark("look-here", c.look.bg.bg, func() string { return c.look.text.text })
	return c
}

func (c *chrome) badge(icon string) badge {
	return badge{bg: c.panel(colWarnBg, colWarn), sign: c.sign(icon, colWarn), text: c.text(sizeStrip, true, colWarn).mid().line()}
}

func (b *badge) set(s string) {
	b.on = s != ""
	b.text.set(s)
	setVisible(b.bg.bg, b.on)
	setVisible(b.sign.img, b.on)
}

// cornerHold is how long staff hold the corner: longer than a student's finger
// rests anywhere by chance.
const cornerHold = 1500 * time.Millisecond

// hold asks for a PIN when the corner has been held for long enough.
func (c *chrome) hold(held bool) {
	if !held {
		return
	}
	c.holds++
	mine := c.holds
	c.ui.after(cornerHold, func() {
		if c.corner.pressed && c.corner.Visible() && c.holds == mine {
			c.ui.send(booth.OpenOperator{})
		}
	})
}

// layoutRight places the badge at the right end of r and returns what is left.
func (b *badge) layoutRight(r rect, k float32) rect {
	at, rest := r.cutRight(b.width(r, k), 10)
	return b.layoutAt(at, r, rest, k)
}

// layoutLeft is layoutRight at the left end.
func (b *badge) layoutLeft(r rect, k float32) rect {
	at, rest := r.cutLeft(b.width(r, k), 10)
	return b.layoutAt(at, r, rest, k)
}

func (b *badge) width(r rect, k float32) float32 {
	return min(b.text.measure(b.text.text, b.text.size*k)/k+46, r.w)
}

func (b *badge) layoutAt(at, r, rest rect, k float32) rect {
	if !b.on {
		b.text.layout(rect{r.x, r.y, 1, r.h}, k)
		return r
	}
	place(b.bg.bg, at, k)
	radius(b.bg, k)
	in := at.insetXY(12, 0)
	icon, words := in.cutLeft(16, 6)
	place(b.sign.img, icon, k)
	b.text.layout(words, k)
	return rest
}

// stepOf says which of the four steps a state belongs to; -1 = none.
func stepOf(s booth.State) int {
	switch s {
	case booth.Identify, booth.Eligible:
		return 0
	case booth.Consent, booth.Guide:
		return 1
	case booth.Framing, booth.Countdown, booth.Shot, booth.Standardising:
		return 2
	case booth.Review, booth.Confirm, booth.Sealing:
		return 3
	case booth.Done:
		return 4
	default:
		return -1
	}
}

// visiting says whether a student may still leave at s.
func visiting(s booth.State) bool {
	switch s {
	case booth.Identify, booth.Eligible, booth.Consent, booth.Guide, booth.Framing, booth.Countdown, booth.Review, booth.Confirm:
		return true
	default:
		return false
	}
}

func (c *chrome) update(v booth.View, s screen) {
	c.view = v
	at := stepOf(v.State)
	faulty := v.Fault != nil
	console := c.ui.role == RoleConsole
	name := booth.Text{ZH: "云照站", EN: "Yunzhao"}
	if console {
		name = booth.Text{ZH: "云照站 操作台", EN: "Yunzhao console"}
	}
	c.name.set(name.In(c.ui.lang))
	c.show.steps = at >= 0 && !faulty && (console || v.State != booth.Countdown && v.State != booth.Framing)
	for i := range c.steps {
		st := &c.steps[i]
		first, _ := c.ui.both(stepNames[i])
		st.name.set(first)
		st.num.set(fmt.Sprint(i + 1))
		switch {
		case i == at:
			st.dot.tint(colBrand, colBrand)
			st.num.colour, st.name.colour, st.name.bold = colWhite, colBrand, true
		case i < at:
			st.dot.tint(colOKBg, colOK)
			st.num.set("✓")
			st.num.colour, st.name.colour, st.name.bold = colOK, colMuted, false
		default:
			st.dot.tint(colGround, colLine)
			st.num.colour, st.name.colour, st.name.bold = colMuted, colMuted, false
		}
		if !c.show.steps {
			st.num.set("")
			st.name.set("")
		}
		setVisible(st.dot.bg, c.show.steps)
	}
	look := (v.State == booth.Countdown || v.State == booth.Framing) && !faulty && !console
	setVisible(c.look.bg.bg, look)
	setVisible(c.look.sign.img, look)
	c.look.text.set("")
	if look {
		words := booth.Text{ZH: "看这里", EN: "Look here"}.In(c.ui.lang)
		c.look.lens = v.Capture.Lens
		c.look.sign.set(c.look.arrow(), colWhite)
		if v.State == booth.Countdown {
			words = fmt.Sprintf("%s  %d", words, max(v.Countdown, 1))
		}
		c.look.text.set(words)
	}

	c.simulated.set(onlyIf(v.Simulated, "模拟相机 Simulated camera"))
	c.demo.set(onlyIf(v.Demo, "演示 Demo"))
	c.lang.plain("English", "")
	if c.ui.lang == booth.EN {
		c.lang.plain("中文", "")
	}
	c.bigger.plain(booth.Text{ZH: "大字", EN: "A+"}.In(c.ui.lang), "")
	setVisible(c.bigger, !look) // there the sign to the lens stands in a narrow window
	c.bigger.setLook(lookQuiet)
	if v.Large {
		c.bigger.setLook(lookChosen)
	}
	c.leave.plain(booth.Text{ZH: "退出", EN: "Exit"}.In(c.ui.lang), "")
	setVisible(c.leave, visiting(v.State) && !faulty)

	whose := whoseVisit(v, c.ui.lang)
	setVisible(c.mine, whose != "" && !faulty && !console) // the console has a card of the student
	c.mine.plain(whose, "")

	title := s.base().titleText
	stand := standing(v)
	c.show.toast = telling(v)
	c.show.title = title != (booth.Text{}) && !c.show.toast
	c.title.set(c.ui, booth.Text{})
	if c.show.title {
		c.title.set(c.ui, title)
	}
	c.toastText.set(c.ui, booth.Text{})
	switch {
	case v.Warning && !v.Deadline.IsZero():
		left := secondsLeft(v)
		c.toastText.set(c.ui, booth.Text{
			ZH: fmt.Sprintf("还在吗？%d 秒后返回首页，点一下屏幕继续", left),
			EN: fmt.Sprintf("Still there? Back to the start in %d s. Touch to stay", left),
		})
		c.toastSign.set("clock", colWarn)
	case v.Toast != nil:
		c.toastText.set(c.ui, *v.Toast)
		c.toastSign.set("warn", colWarn)
	case stand != nil:
		c.toastText.set(c.ui, *stand)
		c.toastSign.set("plate", colWarn)
	}
	setVisible(c.toast.bg, c.show.toast)
	setVisible(c.toastSign.img, c.show.toast)

	for i, l := range []booth.Lamp{v.Lamps.Camera, v.Lamps.Central, v.Lamps.Outbox, v.Lamps.Disk, v.Lamps.Plate} {
		tn := toneOf(l.Level)
		icon := []string{"camera", "cloud", "box", "disk", "plate"}[i]
		if l.Level == booth.Warn || l.Level == booth.Bad {
			icon = tn.icon
		}
		words := l.Text.In(c.ui.lang)
		if c.ui.students() { // they are the console's
			words = ""
		}
		c.lamps[i].sign.set(icon, tn.text)
		c.lamps[i].text.set(words)
		c.lamps[i].text.colour = tn.text
		setVisible(c.lamps[i].sign.img, words != "")
	}
	c.retakes.set("")
	// Beside the next student there is no room for them.
	if n := len(v.Retakes); n > 0 && v.State != booth.Idle && c.ui.role == RoleShared && (v.Next == nil || v.Student == nil) {
		c.retakes.set(booth.Text{ZH: fmt.Sprintf("待重拍 %d 人", n), EN: fmt.Sprintf("%d to retake", n)}.In(c.ui.lang))
	}
	c.next.set("")
	if v.Next != nil && c.ui.role == RoleShared {
		c.next.set(booth.Text{ZH: "下一位 " + v.Next.NameMasked, EN: "Next: " + v.Next.NameMasked}.In(c.ui.lang))
	}
}

// telling says whether a line stands in the title row.
func telling(v booth.View) bool {
	return v.Toast != nil || standing(v) != nil || v.Warning && !v.Deadline.IsZero()
}

func onlyIf(on bool, s string) string {
	if on {
		return s
	}
	return ""
}

// secondsLeft until the screen goes home, at least 0.
func secondsLeft(v booth.View) int {
	return max(0, int((v.Deadline.Sub(v.Now)+time.Second-1)/time.Second))
}

func (c *chrome) layout(window rect) space {
	k := c.ui.k
	header, rest := window.cutTop(headerHeight, 0)
	stripH := float32(stripHeight)
	if c.ui.tall { // the badges get a row of their own
		stripH *= 2
		if c.mine.Visible() {
			stripH += stripHeight
		}
	}
	strip, rest := rest.cutBottom(stripH, 0)
	place(c.bar, header, k)
	place(c.strip, strip, k)

	row := header.insetXY(edge, 0)
	icon, row := row.cutLeft(34, 10)
	place(c.brand.img, icon.centred(34, 34), k)
	nameW := c.name.measure(c.name.text, c.name.size*k)/k + 4
	name, row := row.cutLeft(nameW, 24)
	c.name.layout(name, k)
	place(c.corner, rect{header.x, header.y, name.x + name.w + 12 - header.x, header.h}, k)
	buttons := row.insetXY(0, 11)
	if c.leave.Visible() {
		var at rect
		at, buttons = buttons.cutRight(112, 10)
		place(c.leave, at, k)
	}
	at, buttons := buttons.cutRight(104, 10)
	place(c.lang, at, k)
	if c.bigger.Visible() {
		at, buttons = buttons.cutRight(72, 14)
		place(c.bigger, at, k)
	}
	buttons = buttons.insetXY(0, 7)
	c.layoutLook(header, window, strip)
	if !c.ui.tall {
		buttons = c.demo.layoutRight(buttons, k)
		buttons = c.simulated.layoutLeft(buttons, k)
	}
	c.layoutSteps(header, buttons)

	lamps, third := strip, rect{}
	if c.ui.tall && c.mine.Visible() {
		third, lamps = strip.cutBottom(stripHeight, 0)
		third = third.insetXY(edge, 0)
	}
	line := lamps.insetXY(edge, 7)
	second := line
	if c.ui.tall {
		line, second = line.cutTop(stripHeight-14, 14)
		second = c.simulated.layoutLeft(second, k)
		second = c.demo.layoutLeft(second, k)
	}
	if c.mine.Visible() {
		var at rect
		if c.ui.tall { // the row of its own
			at = third.centred(third.w, third.h)
		} else {
			at, second = second.cutRight(min(220, second.w*.5), 12)
		}
		place(c.mine, rect{at.x, at.y + (at.h-stripHeight)/2 + 1, at.w, stripHeight - 2}, k)
	}
	rest2 := c.next.layoutRight(second, k)
	rest2 = c.retakes.layoutRight(rest2, k)
	if !c.ui.tall {
		line = rest2
	}
	c.layoutLamps(line)

	content := rest.insetXY(edge, gap)
	title, body := content.cutTop(70, 8)
	actions, body := body.cutBottom(80, gap)
	primary, restOfRow := actions.cutRight(primaryWidth, gap)
	c.title.layoutMid(title, k)
	banner := title.insetXY(0, 2)
	place(c.toast.bg, banner, k)
	radius(c.toast, k)
	in := banner.insetXY(20, 6)
	mark, words := in.cutLeft(36, 16)
	place(c.toastSign.img, mark.centred(36, 36), k)
	c.toastText.layoutMid(words, k)
	return space{window: window, all: content, title: title, body: body, actions: actions, primary: primary, rest: restOfRow}
}

func (c *chrome) layoutSteps(header, free rect) {
	k := c.ui.k
	if !c.show.steps {
		for i := range c.steps {
			c.steps[i].num.layout(free, k)
			c.steps[i].name.layout(free, k)
		}
		return
	}
	const dot = 34
	widths := make([]float32, len(c.steps))
	total := float32(0)
	for i := range c.steps {
		n := c.steps[i].name
		widths[i] = n.measure(n.text, n.size*k)/k + 2
		total += dot + 8 + widths[i]
	}
	space := min(28, (free.w-total)/float32(len(c.steps)))
	total += space * float32(len(c.steps)-1)
	names := true
	if space < 6 { // narrow: only the present step keeps its name
		names = false
		space = 10
		total = dot*4 + space*3
	}
	x := header.x + (header.w-total)/2
	x = max(free.x, min(x, free.x+free.w-total))
	for i := range c.steps {
		st := &c.steps[i]
		at := rect{x, header.y + (header.h-dot)/2, dot, dot}
		place(st.dot.bg, at, k)
		st.dot.bg.CornerRadius = dot / 2 * k
		st.num.layout(at, k)
		x += dot + 8
		if names {
			st.name.layout(rect{x, header.y, widths[i], header.h}, k)
			x += widths[i] + space
		} else {
			st.name.set("")
			st.name.layout(at, k)
			x += space - 8
		}
	}
}

// arrow is the sign that points at the lens.
func (l *lookHere) arrow() string {
	switch l.lens {
	case booth.LensLeft:
		return "arrow-left"
	case booth.LensRight:
		return "arrow-right"
	case booth.LensBelow:
		return "arrow-down"
	case booth.LensAbove:
	}
	return "arrow-up"
}

func (c *chrome) layoutLook(header, window, strip rect) {
	k := c.ui.k
	w := c.look.text.measure(c.look.text.text, c.look.text.size*k)/k + 80
	at := header.centred(w, header.h-8)
	switch c.look.lens {
	case booth.LensLeft, booth.LensRight:
		// On the edge of the mirror, at the height of the eyes.
		at.y = window.y + window.h*0.3
		at.x = window.x + 4
		if c.look.lens == booth.LensRight {
			at.x = window.x + window.w - w - 4
			if !c.ui.tall { // the words are there
				at.x -= edge + primaryWidth + gap
			}
		}
	case booth.LensBelow:
		if !c.ui.tall { // there the buttons are
			at.y = strip.y - at.h - 2*gap
		}
	case booth.LensAbove:
	}
	place(c.look.bg.bg, at, k)
	radius(c.look.bg, k)
	in := at.insetXY(16, 0)
	icon, words := in.cutLeft(36, 10)
	if c.look.lens == booth.LensRight {
		icon, words = in.cutRight(36, 10)
	}
	place(c.look.sign.img, icon.centred(36, 36), k)
	c.look.text.layout(words, k)
}

func (c *chrome) layoutLamps(line rect) {
	k := c.ui.k
	total := float32(0)
	n := 0
	for _, l := range c.lamps {
		if l.text.text != "" {
			total += l.text.measure(l.text.text, sizeStrip*k)/k + 2 + 22
			n++
		}
	}
	space := float32(24)
	size := float32(sizeStrip)
	if n > 1 && total+space*float32(n-1) > line.w {
		space = 12
		for size > sizeFloor && (total-22*float32(n))*size/sizeStrip+22*float32(n)+space*float32(n-1) > line.w {
			size -= 0.5
		}
	}
	x := line.x
	for _, l := range c.lamps {
		l.text.size = size
		if l.text.text == "" {
			l.text.layout(rect{x, line.y, 1, line.h}, k)
			continue
		}
		w := l.text.measure(l.text.text, size*k)/k + 2
		room := line.x + line.w - x - 22
		place(l.sign.img, rect{x, line.y + (line.h-16)/2, 16, 16}, k)
		l.text.layout(rect{x + 22, line.y, max(1, min(w, room)), line.h}, k)
		x += 22 + w + space
	}
}

// ask is the question before a visit is thrown away.
type ask struct {
	page
	then    booth.Intent
	changed func()
	veil    *canvas.Rectangle
	card    *panel
	icon    *sign
	text    pair
	yes, no *button
}

func newAsk(u *ui, changed func()) *ask {
	a := &ask{page: newPage(u), changed: changed}
	a.veil = canvas.NewRectangle(color.NRGBA{R: 0x0B, G: 0x16, B: 0x28, A: 0xA8})
	veil := newShield(a.veil, nil)
	veil.cursor = u.moved
	a.add(veil)
	a.card = a.panel(colSurface, colLine)
	a.icon = a.sign("warn", colBad)
	a.text = a.pair(sizeHead, sizeSmall, true, colInk, colMuted).centre()
	a.no = a.page.button("abandon-no", lookPlain, "", func() { a.close(); a.changed() })
	a.yes = a.page.button("abandon-yes", lookDanger, "exit", func() {
		a.close()
		a.changed()
		u.send(a.then)
	})
	a.root.Hide()
	return a
}

// leave asks whether to throw the visit away.
func (a *ask) leave() {
	a.text.set(a.ui, booth.Text{
		ZH: "要退出吗？本次的照片和信息会立即删除，已付的费用保留。",
		EN: "Leave now? This photo and your details are deleted at once. A payment made stays valid.",
	})
	a.no.label(booth.Text{ZH: "继续拍照", EN: "Stay"})
	a.yes.label(booth.Text{ZH: "退出并删除", EN: "Leave and delete"})
	a.open(booth.Abandon{Reason: "left"})
}

// open shows the question; yes sends then.
func (a *ask) open(then booth.Intent) {
	a.then = then
	if !a.root.Visible() {
		a.root.Show()
		a.ui.send(booth.Cover{On: true}) // nothing is photographed behind a question
	}
}

func (a *ask) close() {
	if a.root.Visible() {
		a.root.Hide()
		a.ui.send(booth.Cover{})
	}
}

func (a *ask) layout(window rect) {
	k := a.ui.k
	a.root.Resize(fyne.NewSize(window.w*k, window.h*k))
	for _, o := range a.root.Objects {
		if s, ok := o.(*shield); ok {
			place(s, window, k)
		}
	}
	card := window.centred(min(680, window.w-2*edge), 330)
	place(a.card.bg, card, k)
	radius(a.card, k)
	in := card.inset(28)
	icon, in := in.cutTop(48, 14)
	place(a.icon.img, icon.centred(48, 48), k)
	row, in := in.cutBottom(80, 14)
	a.text.layoutMid(in, k)
	cells := row.grid(2, 1, gap)
	place(a.yes, cells[0], k)
	place(a.no, cells[1], k)
}
