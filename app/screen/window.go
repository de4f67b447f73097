package screen

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// Options are what a Window needs.
type Options struct {
	Size       image.Point        // of the window in pixels at the toolkit's scale 1; zero = 1280×800
	Fullscreen bool               // cover the monitor: the kiosk's way
	OnIntent   func(booth.Intent) // required; called on the interface goroutine, so it must not block
	Clock      func() time.Time   // for debouncing and scanner bursts; nil = time.Now
	Title      string             // of the window, for window managers; "" = the product's name
	Role       Role               // whom the window is for; RoleShared where there is one
	Position   *image.Point       // of the window's corner on the desktop, in pixels; nil = where the window manager wants it
	// ShutterKey takes the photo beside the space bar: a pedal's or a remote's,
	// by the names of the settings ("page-down", "f9", …); "" = none.
	ShutterKey string
	// OperatorKey asks for the staff's PIN, by the names of the settings ("f12");
	// "" = none. Corner lets staff hold the station's name for it.
	OperatorKey string
	Corner      bool
}

// minSide is the smallest window side at which a finger can hit every key.
const minSide = 600

// Window is the booth's window, or one of its two.
type Window struct {
	win     fyne.Window
	ui      *ui
	content *fyne.Container
	layers  *fyne.Container // the screens, one upon the other
	chrome  *chrome
	ask     *ask
	screens map[booth.State]screen
	fault   screen
	waiting screen // the student's while staff are at work
	locked  screen
	console screen
	// operator covers every other screen; corner says whether its name opens it.
	operator *operatorPage
	staff    map[booth.StaffPage]screen // the staff's pages beside their home
	setup    *setupPage                 // the first run covers even them
	corner   bool
	peer     *Window // the other of two; keys for staff's pages go to the console
	all      []screen
	current  screen
	keys     keyboard
	shift    bool // held down
	// shutterKey is the toolkit's name of the pedal's key; "" = none.
	shutterKey  fyne.KeyName
	operatorKey fyne.KeyName // asks for the staff's PIN; "" = none
	preview     *Preview
	feeding     atomic.Pointer[Preview] // the one of them that is on the screen
	size        fyne.Size
	at          image.Point // of its corner on the desktop, as asked for
	full        bool        // covers its monitor

	view    booth.View // last applied; interface goroutine only
	session string

	mu      sync.Mutex
	next    *booth.View // newest not yet applied
	pending atomic.Bool
	stale   chan struct{} // gets one when screens are to be placed anew

	targetMu sync.Mutex
	targets  []Target
}

// New builds every screen once and a window that shows none of them yet; give
// it a view with Show, then ShowAndRun. It must be called on the main goroutine,
// before the app runs. It refuses a missing OnIntent and a window too small for
// fingers.
func New(app fyne.App, opts Options) (_ *Window, err error) {
	if opts.OnIntent == nil {
		return nil, errors.New("make the booth's window: no OnIntent")
	}
	if opts.Size == (image.Point{}) {
		opts.Size = image.Pt(1280, 800)
	}
	if min(opts.Size.X, opts.Size.Y) < minSide {
		return nil, fmt.Errorf("make the booth's window: %d×%d pixels, need at least %d each way", opts.Size.X, opts.Size.Y, minSide)
	}
	size := fyne.NewSize(float32(opts.Size.X), float32(opts.Size.Y))
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Title == "" {
		opts.Title = "云照站 Yunzhao Station"
	}
	app.Settings().SetTheme(Theme{})
	u := &ui{k: 1, pixelsPer: 1, lang: booth.ZH, clock: opts.Clock, send: opts.OnIntent, role: opts.Role}
	w := &Window{win: app.NewWindow(opts.Title), ui: u, size: size, stale: make(chan struct{}, 1)}
	w.preview, u.aim, u.first = newPreview(), newPreview(), newPreview()
	w.feeding.Store(w.preview)
	w.keys = keyboard{clock: opts.Clock}
	if w.shutterKey, err = shutterKey(opts.ShutterKey); err != nil {
		return nil, fmt.Errorf("make the booth's window: %w", err)
	}
	if w.operatorKey, err = shutterKey(opts.OperatorKey); err != nil {
		return nil, fmt.Errorf("make the booth's window: %w", err)
	}

	w.corner = opts.Corner
	u.rearrange = w.arrange
	u.after = func(d time.Duration, f func()) { time.AfterFunc(d, func() { fyne.Do(f) }) }
	w.screens = map[booth.State]screen{}
	w.layers = container.New(fill{})
	w.chrome = newChrome(u)
	w.ask = newAsk(u, func() { w.refreshTargets() })
	w.chrome.onLeave = func() { w.ask.leave(); w.arrange() }
	w.chrome.onMine = func() { w.ask.notMe(w.view); w.arrange() }

	u.ground = canvas.NewRectangle(color.Transparent) // the theme's background shows through, drawn once
	ground := newShield(u.ground, func() {
		if w.view.Warning {
			u.send(booth.Stay{})
		}
	})
	u.pointer.hide = opts.Fullscreen
	ground.cursor = u.moved
	w.content = container.New(fill{resized: w.resized}, ground)
	w.content.Add(w.layers)
	w.build()
	w.content.Add(w.chrome.root)
	w.content.Add(w.ask.root)
	w.win.SetPadded(false)
	w.win.SetContent(w.content)
	w.win.SetMaster()
	w.win.Resize(size)
	if opts.Position != nil {
		w.put(*opts.Position)
	}
	if w.full = opts.Fullscreen; w.full {
		w.win.SetFullScreen(true)
	}
	c := w.win.Canvas()
	if keys, ok := c.(desktop.Canvas); ok {
		keys.SetOnKeyDown(func(e *fyne.KeyEvent) { w.typist().keyDown(e) })
		keys.SetOnKeyUp(func(e *fyne.KeyEvent) { w.typist().keyUp(e) })
	}
	c.SetOnTypedRune(func(r rune) { w.typist().typedRune(r) })
	c.SetOnTypedKey(func(e *fyne.KeyEvent) { w.typist().typedKey(e) })
	w.win.SetCloseIntercept(func() {}) // a kiosk's window is closed by its program, not by a key
	return w, nil
}

// states in the order of a visit: the order screens are stacked in.
var states = []booth.State{
	booth.Locked, booth.Idle, booth.Identify, booth.Eligible, booth.Consent, booth.Guide, booth.Framing,
	booth.Countdown, booth.Shot, booth.Standardising, booth.Review, booth.Confirm, booth.Sealing, booth.Done, booth.Abandoned,
}

// Preview is where live frames go.
func (w *Window) Preview() *Preview { return w.preview }

// PreviewSize is Preview().Size(), Buffer its Buffer, Offer its Offer and Shown
// its Shown, for those who feed frames and know a window only.
func (w *Window) PreviewSize() (width, height int) { return w.feeding.Load().Size() }

// Buffer is Preview().Buffer.
func (w *Window) Buffer(width, height int) *image.RGBA {
	return w.feeding.Load().Buffer(width, height)
}

// Offer is Preview().Offer.
func (w *Window) Offer(img *image.RGBA, seq uint64) {
	for _, p := range []*Preview{w.ui.aim, w.ui.first} {
		if p.owns(img) {
			p.Offer(img, seq)
			return
		}
	}
	w.preview.Offer(img, seq)
}

// Count is how many frames were put on the screen, on whatever page.
func (w *Window) Count() uint64 { return w.preview.Count() + w.ui.aim.Count() + w.ui.first.Count() }

// Still is Preview().Still.
func (w *Window) Still(img *image.RGBA, seq uint64) { w.preview.Still(img, seq) }

// Shown is Preview().Shown.
func (w *Window) Shown() uint64 { return w.preview.Shown() }

// Open puts the window on the monitor without running the app. Main goroutine.
func (w *Window) Open() { w.win.Show() }

// ShowAndRun puts the window on the monitor and runs the app until Close. Main
// goroutine.
func (w *Window) ShowAndRun() { w.win.ShowAndRun() }

// Close takes the window away for good, which ends ShowAndRun. Any goroutine.
func (w *Window) Close() { fyne.Do(w.win.Close) }

// Show makes v the visible view. It may be called from any goroutine and never
// blocks: when the interface is busy, only the newest view is kept.
func (w *Window) Show(v booth.View) {
	w.mu.Lock()
	w.next = &v
	w.mu.Unlock()
	if !w.pending.CompareAndSwap(false, true) {
		return
	}
	fyne.Do(func() {
		w.pending.Store(false)
		w.mu.Lock()
		next := w.next
		w.next = nil
		w.mu.Unlock()
		if next != nil {
			w.apply(*next)
		}
	})
}

// apply shows v. Interface goroutine.
func (w *Window) apply(v booth.View) {
	if v.Lang != "" {
		w.ui.lang = v.Lang
	}
	w.ui.large = v.Large
	if v.SessionID != w.session {
		w.session = v.SessionID
		for _, s := range w.all {
			s.forget()
		}
		w.preview.Clear()
		w.ask.close()
		w.keys.reset()
	}
	// A countdown that the question has stopped does not take the question away.
	if v.State != w.view.State && (w.screens[v.State] != w.screens[w.view.State] || !visiting(v.State)) {
		w.ask.close()
	}
	if (v.Operator == nil) != (w.view.Operator == nil) {
		if w.operator != nil {
			w.operator.forget()
		}
		w.ask.close()
		w.keys.reset()
	}
	w.view = v
	next, around := w.choose(v)
	w.preview.follow(v)
	next.update(v)
	w.chrome.update(around, next)
	setVisible(w.chrome.corner, w.corner && w.ui.role == RoleShared && v.Operator == nil && v.State != booth.Locked && v.Setup == nil)
	w.feeding.Store(w.preview)
	if w.aiming(next) {
		w.feeding.Store(w.ui.aim)
	}
	if v.Setup != nil {
		w.feeding.Store(w.ui.first)
	}
	if w.current != next {
		w.ui.unfocus()
		switch w.current.(type) {
		case *cameraPage, *payCodePage, *classPage, *addPage:
			w.current.forget()
		}
		if w.current != nil {
			w.current.base().release()
			w.current.base().root.Hide()
		}
		w.current = next
		next.base().root.Show()
	}
	w.arrange()
}

// put asks for a place of the window's corner on the desktop.
func (w *Window) put(at image.Point) {
	w.at = at
	if win, ok := w.win.(desktop.Window); ok {
		win.RequestPosition(at.X, at.Y)
	}
}

// move asks for another monitor. Interface goroutine.
func (w *Window) move(to image.Rectangle) {
	if to.Min == w.at {
		return
	}
	if w.full { // it fills the monitor that it stands on
		w.win.SetFullScreen(false)
	}
	w.put(to.Min)
	if w.full {
		w.win.SetFullScreen(true)
	}
}

// typist is the window that keys typed into this one are for: a PIN belongs to the
// console, whichever of the two the window manager gave the keyboard to.
func (w *Window) typist() *Window {
	if w.peer != nil && w.ui.role == RoleStudent && (w.view.Operator != nil || w.view.State == booth.Locked) {
		return w.peer
	}
	return w
}

// aiming tells whether s is the camera's page, which has a live picture of its own.
func (w *Window) aiming(s screen) bool { return s != nil && s == w.staff[booth.PageCamera] }

// resized is told by the toolkit that the window has a new size.
func (w *Window) resized(size fyne.Size) {
	if w.chrome == nil || size.Width < 1 || size.Height < 1 {
		return
	}
	w.size = size
	w.ui.k = min(size.Width, size.Height) / designSpan
	px, _ := w.win.Canvas().PixelCoordinateForPosition(fyne.NewPos(1000, 1000))
	w.ui.pixelsPer = max(float32(px)/1000, 0.1)
	w.ui.tall = size.Height > size.Width
	w.arrange()
	select {
	case w.stale <- struct{}{}:
	default:
	}
}

// Prepare places every screen for the window's size, one between two frames each,
// after a start and whenever the size has changed: the window is there at once,
// and no student waits while drawings are made. It returns when ctx ends; not for
// the interface goroutine.
func (w *Window) Prepare(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.stale:
		}
		more := make(chan bool, 1)
		for i, on := 0, true; on; i++ {
			fyne.Do(func() { more <- w.prepare(i) })
			select {
			case <-ctx.Done():
				return
			case on = <-more:
			}
		}
	}
}

// prepare places the ith screen; false when there is none. Interface goroutine.
func (w *Window) prepare(i int) bool {
	if i >= len(w.all) {
		return false
	}
	if s := w.all[i]; s != w.current {
		s.layout(w.chrome.space)
		s.base().sharpen()
	}
	return true
}

// area is the window in design units.
func (w *Window) area() rect {
	return rect{0, 0, w.size.Width / w.ui.k, w.size.Height / w.ui.k}
}

// arrange places everything for the present size and view.
func (w *Window) arrange() {
	window := w.area()
	s := w.chrome.layout(window)
	w.chrome.space = s
	if w.current != nil {
		w.current.layout(s)
		w.current.base().sharpen()
	}
	w.ask.layout(window)
	w.chrome.sharpen()
	w.ask.sharpen()
	w.chrome.repaint()
	w.refreshTargets()
}

// Target is something a person, or an end-to-end driver, can find on the
// screen. Coordinates are in physical pixels from the window's top left corner.
type Target struct {
	ID         string
	X, Y, W, H int
	Text       string
	Enabled    bool // false for regions and for buttons that do nothing now
}

// Targets lists what is visible now: buttons first, then marked regions. It may
// be called from any goroutine.
func (w *Window) Targets() []Target {
	w.targetMu.Lock()
	defer w.targetMu.Unlock()
	return append([]Target(nil), w.targets...)
}

// live are the pages that take taps now.
func (w *Window) live() []*page {
	switch {
	case w.ask.root.Visible():
		return []*page{&w.ask.page}
	case w.current == nil:
		return []*page{&w.chrome.page}
	}
	return []*page{w.current.base(), &w.chrome.page}
}

func (w *Window) refreshTargets() {
	var list []Target
	pages := w.live()
	c := w.win.Canvas()
	add := func(t Target, o fyne.CanvasObject) {
		x0, y0 := c.PixelCoordinateForPosition(o.Position())
		width, height := c.PixelCoordinateForPosition(fyne.NewPos(o.Size().Width+0.01, o.Size().Height+0.01))
		wide, high := c.PixelCoordinateForPosition(fyne.NewPos(w.size.Width, w.size.Height))
		t.X, t.Y, t.W, t.H = x0, y0, min(width, wide-x0), min(height, high-y0)
		if t.W > 0 && t.H > 0 {
			list = append(list, t)
		}
	}
	for _, p := range pages {
		for _, b := range p.buttons {
			if b.Visible() {
				add(Target{ID: b.id, Text: b.first, Enabled: b.enabled}, b)
			}
		}
	}
	for _, p := range pages {
		for _, m := range p.marks {
			if m.obj.Visible() && p.root.Visible() {
				t := Target{ID: m.id}
				if m.text != nil {
					t.Text = m.text()
				}
				add(t, m.obj)
			}
		}
	}
	if w.view.State != "" {
		list = append(list, Target{ID: "state", Text: w.stateName(), W: int(math.Round(float64(w.size.Width))), H: 1})
	}
	w.targetMu.Lock()
	w.targets = list
	w.targetMu.Unlock()
}

// stateName is the state as drivers see it; a fault covers the state below it,
// and the operator page either.
func (w *Window) stateName() string {
	switch op := w.view.Operator; {
	case w.view.Setup != nil:
		return "setup-" + string(w.view.Setup.Step)
	case op == nil:
	case op.Unlocked:
		return "operator"
	default:
		return "operator-pin"
	}
	if w.view.Fault != nil {
		return "fault"
	}
	return string(w.view.State)
}

// release lets go of any button held while its screen goes away.
func (p *page) release() {
	for _, b := range p.buttons {
		b.press(false)
	}
}
