package screen

import (
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// tapDebounce is how soon after a tap another one is a bounce: touch screens fire
// twice, people tap twice, and the second must not reach the screen that comes
// next. Keypad keys are exempt. Events carry no time of their own, so a slow
// frame makes two honest presses of a digit arrive together, and a number with a
// digit missing is worse than one that the checksum catches.
const tapDebounce = 300 * time.Millisecond

// ui is what every screen shares: the scale, the language, the way out.
type ui struct {
	k     float32 // toolkit units per design unit
	tall  bool    // portrait window
	lang  booth.Lang
	large bool // large-text mode: every text that has the room is drawn larger
	role  Role // whom the window is for
	clock func() time.Time
	send  func(booth.Intent)

	ground *canvas.Rectangle // behind everything, always visible

	// pixelsPer is how many physical pixels a toolkit unit has.
	pixelsPer float32

	aim     *Preview // the live picture of the camera's page
	first   *Preview // and of the first run
	lastTap time.Time

	pointer pointer

	focus *button // where the keyboard is; nil until Tab is pressed

	// after runs f on the interface goroutine once d has passed.
	after func(d time.Duration, f func())
	// rearrange places everything anew, for a page that changed by itself.
	rearrange func()
}

// largeScale is how much larger text wants to be in large-text mode.
const largeScale = 1.25

// enlarged is the factor on every text's size.
func (u *ui) enlarged() float32 {
	if u != nil && u.large {
		return largeScale
	}
	return 1
}

// both orders a sentence: current language first.
func (u *ui) both(t booth.Text) (first, second string) {
	if u.lang == booth.EN {
		return t.EN, t.ZH
	}
	return t.ZH, t.EN
}

// pixels is how many physical pixels one design unit has.
func (u *ui) pixels() float32 { return u.k * u.pixelsPer }

// admit refuses bounces of actions, so that a double tap never reaches the screen
// that comes next.
func (u *ui) admit(b *button) bool {
	return b.look == lookKey || u.admitAction(u.clock())
}

func (u *ui) admitAction(now time.Time) bool {
	if within(now, u.lastTap, tapDebounce) {
		return false
	}
	u.lastTap = now
	return true
}

// within says whether now is less than d after last; a clock that jumped back
// never blocks the screen.
func within(now, last time.Time, d time.Duration) bool {
	since := now.Sub(last)
	return since >= 0 && since < d
}

// space is where a screen may draw.
type space struct {
	window  rect
	all     rect // between header and operator strip
	title   rect
	body    rect
	actions rect
	primary rect // the main action: the same place on every screen
	rest    rect // of the action row, left of primary
}

// page is one screen: its objects, its buttons and its marked regions.
type page struct {
	ui      *ui
	root    *fyne.Container
	buttons []*button
	texts   []*textBlock
	signs   []*sign
	marks   []mark

	titleText booth.Text // "" = the screen uses the title row itself
}

// mark is a region without an action that a driver wants to find.
type mark struct {
	id   string
	obj  fyne.CanvasObject
	text func() string
}

func newPage(u *ui) page { return page{ui: u, root: group()} }

func (p *page) add(o fyne.CanvasObject) { p.root.Add(o) }

func (p *page) text(size float32, bold bool, colour color.NRGBA) *textBlock {
	t := newText(size, bold, colour)
	t.ui = p.ui
	p.add(t.box)
	p.texts = append(p.texts, t)
	return t
}

func (p *page) panel(fillCol, line color.NRGBA) *panel {
	n := newPanel(fillCol, line)
	p.add(n.bg)
	return n
}

func (p *page) sign(name string, tint color.NRGBA) *sign {
	s := newSign(name, tint)
	p.signs = append(p.signs, s)
	p.add(s.img)
	return s
}

func (p *page) picture() *picture {
	n := newPicture()
	setVisible(n.img, false)
	p.add(n.img)
	return n
}

func (p *page) mark(id string, o fyne.CanvasObject, text func() string) {
	p.marks = append(p.marks, mark{id, o, text})
}

// repaint asks for a new frame. An object that has never been drawn is not known
// to the toolkit's canvas, so that showing it asks for nothing; the page's ground
// is always there.
func (p *page) repaint() {
	if p.ui.ground != nil {
		p.ui.ground.Refresh()
	}
}

func (p *page) base() *page { return p }

// sharpen redraws the signs whose size on the screen changed.
func (p *page) sharpen() {
	for _, s := range p.signs {
		if s.img.Visible() {
			s.sharpen(p.ui.pixelsPer)
		}
	}
}

// screen is a page that knows how to show a view.
type screen interface {
	base() *page
	// update takes the view's words and pictures; it may not measure.
	update(v booth.View)
	// layout places everything; it is called after every update.
	layout(s space)
	// forget drops what belongs to the student who left.
	forget()
}

// pair is a sentence in both languages, the second smaller and below.
type pair struct{ a, b *textBlock }

func (p *page) pair(size, second float32, bold bool, colour, muted color.NRGBA) pair {
	return pair{p.text(size, bold, colour), p.text(second, false, muted)}
}

func (d pair) set(u *ui, t booth.Text) {
	first, second := u.both(t)
	d.a.set(first)
	d.b.set(second)
}

func (d pair) tint(colour, muted color.NRGBA) { d.a.colour, d.b.colour = colour, muted }

func (d pair) centre() pair { d.a.align, d.b.align = alignCentre, alignCentre; return d }

func (d pair) show(on bool) { setVisible(d.a.box, on); setVisible(d.b.box, on) }

// fitting is the share of their sizes at which both fit r one above the other,
// and the heights they then need.
func (d pair) fitting(r rect, k float32) (f, ah, bh float32) {
	for f = d.a.ui.enlarged(); ; f -= 0.04 {
		as, bs := max(d.a.least(), d.a.size*f), max(d.b.least(), d.b.size*f)
		ah, bh = d.a.heightAt(r.w, k, as), d.b.heightAt(r.w, k, bs)
		if ah+bh <= r.h || (as == d.a.least() && bs == d.b.least()) {
			return f, ah, bh
		}
	}
}

// layout stacks both from the top of r. When both
// do not fit at their sizes, both shrink alike.
func (d pair) layout(r rect, k float32) {
	f, ah, bh := d.fitting(r, k)
	if over := ah + bh - r.h; over > 0 { // even the smallest is too much: say so below
		bh -= min(over, bh)
	}
	d.a.layoutAt(rect{r.x, r.y, r.w, ah}, k, max(d.a.least(), d.a.size*f))
	d.b.layoutAt(rect{r.x, r.y + ah, r.w, bh}, k, max(d.b.least(), d.b.size*f))
}

// layoutMid is layout with the pair centred vertically in r.
func (d pair) layoutMid(r rect, k float32) {
	_, ah, bh := d.fitting(r, k)
	total := min(r.h, ah+bh)
	d.layout(rect{r.x, r.y + (r.h-total)/2, r.w, total + 0.5}, k)
}

// shrinkTogether gives all the pairs one size, the largest at which each fits a
// w × h area, so that a list looks like one.
func shrinkTogether(pairs []pair, size, second, w, h, k float32) {
	f := float32(1)
	for _, p := range pairs {
		p.a.size, p.b.size = size, second
		if p.a.text == "" {
			continue
		}
		own, _, _ := p.fitting(rect{w: w, h: h}, k)
		f = min(f, own)
	}
	for _, p := range pairs {
		p.a.size, p.b.size = max(sizeFloor, size*f), max(sizeFloor, second*f)
	}
}

func radius(p *panel, k float32) { p.bg.CornerRadius = 14 * k }
