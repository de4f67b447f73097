package screen

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"fyne.io/fyne/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// A scanner or card reader types like a very fast person and ends with Enter.
// People reach some 8 characters a second in bursts; readers 30 to 1000. The
// times are those at which the interface gets to the keys, and a slow frame holds
// up all of them: so the mean decides, and one pause may be long.
const (
	wedgePause   = 400 * time.Millisecond // longest pause inside a burst
	wedgeGap     = 80 * time.Millisecond  // a key sooner than this was not a person's
	wedgeMean    = 50 * time.Millisecond  // longest mean time a character
	wedgeMin     = 6                      // fewer characters are a person's
	wedgeMaxText = 4096                   // a reader never sends more: drop the rest
)

// keyboard tells a reader's burst from a person's typing.
type keyboard struct {
	clock func() time.Time
	burst strings.Builder
	count int
	first time.Time
	last  time.Time
}

func (k *keyboard) reset() {
	k.burst.Reset()
	k.count = 0
}

// rune takes one typed character and says whether it came too soon after the one
// before to be a person's.
func (k *keyboard) rune(r rune) (inBurst bool) {
	now := k.clock()
	inBurst = k.count > 0 && within(now, k.last, wedgeGap)
	if k.count == 0 || !within(now, k.last, wedgePause) {
		k.reset()
		k.first = now
	}
	k.last = now
	if k.burst.Len() < wedgeMaxText {
		k.burst.WriteRune(r)
	}
	k.count++
	return inBurst
}

// enter ends a burst; ok says that a reader, not a person, typed text.
func (k *keyboard) enter() (text string, ok bool) {
	now := k.clock()
	text, n := strings.TrimSpace(k.burst.String()), k.count
	took := k.last.Sub(k.first)
	fresh := within(now, k.last, wedgePause)
	k.reset()
	if n < wedgeMin || !fresh || took < 0 || took > time.Duration(n)*wedgeMean {
		return "", false
	}
	return text, true
}

// typedRune is the window's character input.
func (w *Window) typedRune(r rune) {
	inBurst := w.keys.rune(r)
	if r != ' ' {
		w.ui.unfocus() // typing goes on
	}
	if w.view.Setup != nil {
		if t := w.typing(); t != nil {
			t.add(r)
			t.show()
		}
		return
	}
	if op := w.view.Operator; op != nil {
		if !op.Unlocked && r >= '0' && r <= '9' {
			w.operator.pad.digit(r)
		}
		if t := w.typing(); t != nil {
			t.add(r)
			t.show()
		}
		if class, ok := w.current.(*classPage); ok && r != ' ' {
			class.typed(r)
		}
		return
	}
	if w.ask.root.Visible() {
		return
	}
	switch w.view.State {
	case booth.Identify:
		if w.view.Fault != nil || r > unicode.MaxASCII {
			return
		}
		if up := unicode.ToUpper(r); up >= '0' && up <= '9' || up >= 'A' && up <= 'Z' {
			w.ui.send(booth.Key{Rune: up})
		}
	case booth.Framing, booth.Countdown:
		// A pedal or the space bar sends one space; a space inside a reader's
		// burst is text.
		if r == ' ' && !inBurst {
			w.press()
		}
	case booth.Locked:
		if locked, ok := w.locked.(*locked); ok && r >= '0' && r <= '9' {
			locked.pad.digit(r)
		}
	}
}

// typing is the keyboard on the screen, where the present page has one.
func (w *Window) typing() *typer {
	if p, ok := w.current.(interface{ typing() *typer }); ok {
		return p.typing()
	}
	return nil
}

// typedKey is the window's input of keys without a character.
func (w *Window) typedKey(e *fyne.KeyEvent) {
	if w.view.Setup != nil {
		w.setupTyped(e)
		return
	}
	if e.Name == w.operatorKey && w.operatorKey != "" {
		if w.view.Operator == nil && w.ui.admitAction(w.ui.clock()) {
			w.ui.send(booth.OpenOperator{})
		}
		return
	}
	if w.view.Operator != nil {
		w.operatorTyped(e)
		return
	}
	if e.Name == w.shutterKey && w.shutterKey != "" {
		if !w.ask.root.Visible() && (w.view.State == booth.Framing || w.view.State == booth.Countdown) {
			w.press()
		}
		return
	}
	switch e.Name {
	case fyne.KeyLeft, fyne.KeyRight:
		if r, ok := w.current.(*review); ok && !w.ask.root.Visible() {
			r.compare.step(map[fyne.KeyName]float32{fyne.KeyLeft: -compareStep, fyne.KeyRight: compareStep}[e.Name])
			if w.view.Warning {
				w.ui.send(booth.Stay{})
			}
		}
	case fyne.KeyReturn, fyne.KeyEnter:
		w.enter()
	case fyne.KeyBackspace:
		if w.view.State == booth.Identify && w.view.Fault == nil {
			w.ui.send(booth.Key{Rune: '\b'})
		}
		if locked, ok := w.current.(*locked); ok {
			locked.pad.erase()
		}
	case fyne.KeyEscape:
		if w.ask.root.Visible() {
			w.ask.close()
			w.arrange()
			return
		}
		if w.ui.admitAction(w.ui.clock()) {
			w.ui.send(booth.Back{})
		}
	}
}

// setupTyped is the keyboard during the first run.
func (w *Window) setupTyped(e *fyne.KeyEvent) {
	t := w.typing()
	switch e.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		text, burst := w.keys.enter()
		switch {
		case burst && t == nil: // a scanner, where nothing is typed
			w.ui.send(booth.Wedge{Text: text})
		case !burst && w.pressFocus():
		case !burst && t != nil && w.setup.act.Visible() && w.setup.act.enabled:
			w.setup.act.Tapped(nil)
		}
	case fyne.KeyBackspace:
		if t != nil {
			t.erase()
			t.show()
		}
	}
}

// operatorTyped is the keyboard while staff's page is open.
func (w *Window) operatorTyped(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		_, burst := w.keys.enter()
		switch {
		case !burst && w.pressFocus():
		case w.view.Operator.Unlocked:
		case burst: // a scanner's number is nobody's PIN
			w.operator.pad.forget()
			w.operator.pad.show()
		default:
			w.operator.pad.enter.Tapped(nil)
		}
	case fyne.KeyBackspace:
		if class, ok := w.current.(*classPage); ok {
			class.erase()
			return
		}
		w.operator.pad.erase()
		if t := w.typing(); t != nil {
			t.erase()
			t.show()
		}
	case fyne.KeyEscape:
		switch {
		case !w.ui.admitAction(w.ui.clock()):
		case w.view.Operator.Page == booth.PageMenu:
			w.ui.send(booth.OpenPage{})
		case w.view.Operator.Page != booth.PageHome:
			w.ui.send(booth.OpenPage{Page: booth.PageMenu})
		case w.operator.mode != modeHome:
			w.operator.turn(modeHome)
		default:
			w.ui.send(booth.CloseOperator{})
		}
	}
}

// press is the shutter by key.
func (w *Window) press() {
	if w.view.Fault == nil && w.ui.admitAction(w.ui.clock()) {
		w.ui.send(booth.Shutter{})
	}
}

// shutterKey is the toolkit's name for a key of the settings.
func shutterKey(name string) (fyne.KeyName, error) {
	switch name {
	case "":
		return "", nil
	case "page-up":
		return fyne.KeyPageUp, nil
	case "page-down":
		return fyne.KeyPageDown, nil
	case "home":
		return fyne.KeyHome, nil
	case "end":
		return fyne.KeyEnd, nil
	case "insert":
		return fyne.KeyInsert, nil
	case "up":
		return fyne.KeyUp, nil
	case "down":
		return fyne.KeyDown, nil
	case "left":
		return fyne.KeyLeft, nil
	case "right":
		return fyne.KeyRight, nil
	}
	for i, key := range []fyne.KeyName{
		fyne.KeyF1, fyne.KeyF2, fyne.KeyF3, fyne.KeyF4, fyne.KeyF5, fyne.KeyF6,
		fyne.KeyF7, fyne.KeyF8, fyne.KeyF9, fyne.KeyF10, fyne.KeyF11, fyne.KeyF12,
	} {
		if name == fmt.Sprintf("f%d", i+1) {
			return key, nil
		}
	}
	return "", fmt.Errorf("no key is called %q", name)
}

func (w *Window) enter() {
	text, burst := w.keys.enter()
	switch {
	case !burst && w.pressFocus():
	case w.ask.root.Visible() || w.view.Fault != nil:
	case burst && w.view.State != booth.Locked:
		w.ui.send(booth.Wedge{Text: text})
	case w.view.State == booth.Identify:
		if w.ui.admitAction(w.ui.clock()) {
			w.ui.send(booth.Submit{})
		}
	case w.view.State == booth.Locked:
		if locked, ok := w.current.(*locked); ok {
			locked.pad.enter.Tapped(nil)
		}
	}
}
