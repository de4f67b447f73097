package screen

import (
	"reflect"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

func (b *testBench) tab()   { b.w.keyDown(&fyne.KeyEvent{Name: fyne.KeyTab}) }
func (b *testBench) enter() { b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyReturn}) }

// TestTheKeyboardReachesEveryButton walks with Tab over every screen: all that a
// finger can press comes round, and Enter presses it.
func TestTheKeyboardReachesEveryButton(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	for _, s := range Samples(booth.ZH) {
		b.w.Show(s.View)
		b.w.ui.unfocus()
		want := map[string]bool{}
		for _, p := range b.w.live() {
			for _, btn := range p.buttons {
				if btn.Visible() && btn.enabled && btn.onTap != nil && btn.look != lookBare {
					want[btn.id] = true
				}
			}
		}
		got := map[string]bool{}
		for range want {
			b.tab()
			if b.w.ui.focus == nil {
				t.Fatalf("%s: Tab puts no ring anywhere", s.Name)
			}
			got[b.w.ui.focus.id] = true
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Tab reaches %v, a finger %v", s.Name, got, want)
		}
	}
}

func TestEnterPressesWhatTheRingIsOn(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "consent"))
	for range 20 {
		if b.tab(); b.w.ui.focus.id == "consent-accept" {
			break
		}
	}
	b.take()
	b.now = b.now.Add(time.Second)
	b.enter()
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.Continue{}}) {
		t.Errorf("sent %#v", got)
	}
	if b.w.ui.focus != nil {
		t.Error("the ring stays on a button that was pressed")
	}
}

func TestShiftTabGoesBack(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "consent"))
	b.tab()
	first := b.w.ui.focus
	b.tab()
	b.w.keyDown(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	b.tab()
	b.w.keyUp(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	if b.w.ui.focus != first {
		t.Errorf("the ring is on %q", b.w.ui.focus.id)
	}
}

// TestTypingTakesTheRingAway: a number typed after a Tab is looked up by Enter
// and not sent to whatever the ring was on.
func TestTypingTakesTheRingAway(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, true, "identify-toast"))
	b.tab()
	b.w.typedRune('7')
	b.now = b.now.Add(time.Second)
	b.take()
	b.enter()
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.Submit{}}) {
		t.Errorf("sent %#v", got)
	}
}

func TestANewScreenTakesTheRingAway(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "consent"))
	b.tab()
	b.w.Show(sample(t, false, "guide"))
	if b.w.ui.focus != nil {
		t.Error("the ring is on a button of a screen that is gone")
	}
}

// TestLargeTextIsLarger holds the mode to what it promises: nothing smaller, and
// what has the room larger.
func TestLargeTextIsLarger(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	larger := 0
	for _, s := range Samples(booth.ZH) {
		b.w.Show(s.View)
		before := map[*textBlock]float32{}
		for _, t := range b.w.current.base().texts {
			before[t] = sizeOf(t)
		}
		s.View.Large = true
		b.w.Show(s.View)
		for block, size := range before {
			if now := sizeOf(block); now > size {
				larger++
			}
		}
	}
	if larger < 150 {
		t.Errorf("only %d texts are larger", larger)
	}
}

func sizeOf(t *textBlock) float32 {
	var lines []glyphs
	visibleText(t.box, fyne.NewPos(0, 0), false, &lines)
	if len(lines) == 0 {
		return 0
	}
	return lines[0].h
}
