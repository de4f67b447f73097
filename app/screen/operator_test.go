package screen

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// turnTo shows a part of the operator page that staff reach by touch, with
// something chosen.
func (b *testBench) turnTo(t testing.TB, lang booth.Lang, crowded bool, mode operatorMode) {
	t.Helper()
	for _, s := range samples(lang, crowded) {
		if s.Name == operatorModes[mode] {
			b.w.Show(s.View)
		}
	}
	b.w.operator.turn(mode)
	if mode == modePayment {
		b.w.operator.reason = "cash"
	}
	b.w.operator.redraw()
	if b.w.operator.mode != mode {
		t.Fatalf("the page does not turn to %s", mode)
	}
}

func TestOperatorPartsFit(t *testing.T) {
	for name, size := range testSizes {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, size)
			for _, lang := range []booth.Lang{booth.ZH, booth.EN} {
				for _, crowded := range []bool{false, true} {
					for mode := range operatorModes {
						if !crowded && (mode == modePurge || mode == modeQuit) {
							continue // an admin's, in the crowded samples
						}
						b.turnTo(t, lang, crowded, mode)
						checkText(t, b, fmt.Sprintf("%s/%v/%s", lang, crowded, mode), size)
					}
				}
			}
		})
	}
}

// delayed keeps what the interface wants done later.
func (b *testBench) delayed() *[]func() {
	later := &[]func(){}
	b.w.ui.after = func(d time.Duration, f func()) {
		if d < time.Second {
			panic("a finger that rests by chance opens the page")
		}
		*later = append(*later, f)
	}
	return later
}

func TestHoldingTheCornerAsksForThePIN(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.corner = true
	later := b.delayed()
	b.w.Show(sample(t, false, "10-framing"))
	corner := find(b.w, "operator-corner")
	if corner == nil {
		t.Fatal("no corner to hold")
	}
	b.tap(t, "operator-corner")
	corner.MouseDown(nil)
	corner.MouseUp(nil) // let go too early
	corner.MouseDown(nil)
	(*later)[0]() // the first hold's time is up
	if got := b.take(); len(got) != 0 {
		t.Fatalf("sent %#v", got)
	}
	(*later)[len(*later)-1]()
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.OpenOperator{}}) {
		t.Fatalf("sent %#v", got)
	}
	corner.MouseUp(nil)
	corner.MouseDown(nil)
	b.w.Show(sample(t, false, "operator-pin")) // it is open already
	(*later)[len(*later)-1]()
	if got := b.take(); len(got) != 0 {
		t.Errorf("sent %#v", got)
	}
	b.w.corner = false
	b.w.Show(sample(t, false, "10-framing"))
	if find(b.w, "operator-corner") != nil {
		t.Error("the corner is there although the settings say no")
	}
}

func TestOperatorKeyAndKeyboard(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.operatorKey = fyne.KeyF12
	for _, name := range []string{"01-idle", "10-framing", "identify", "21-fault"} {
		b.now = b.now.Add(time.Second)
		b.w.Show(sample(t, false, name))
		b.take()
		b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyF12})
		if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.OpenOperator{}}) {
			t.Errorf("%s: sent %#v", name, got)
		}
	}
	b.now = b.now.Add(time.Second)
	b.w.Show(sample(t, false, "operator-pin")) // over the review of a photo
	b.take()
	b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyF12})
	for _, r := range "4 a07 1" {
		b.w.typedRune(r)
		b.now = b.now.Add(200 * time.Millisecond)
	}
	b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyBackspace})
	b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyEnter})
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.Unlock{PIN: "407"}}) {
		t.Errorf("sent %#v", got)
	}
	b.typeAt("11010519491231002X", 5*time.Millisecond) // a scanner is no PIN
	if got := b.take(); len(got) != 0 {
		t.Errorf("a scanner sent %#v", got)
	}
	b.now = b.now.Add(time.Second)
	b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.CloseOperator{}}) {
		t.Errorf("Escape sent %#v", got)
	}
}

func TestPINPadTakesTouches(t *testing.T) {
	for _, name := range []string{"operator-pin", "00-locked"} {
		b := newBench(t, fyne.NewSize(1280, 800))
		b.w.Show(sample(t, false, name))
		b.take()
		b.tap(t, "unlock") // nothing typed
		for _, key := range []string{"4", "0", "9", "back", "7", "7"} {
			b.tap(t, "key-"+key)
		}
		b.now = b.now.Add(time.Second)
		b.tap(t, "unlock")
		if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.Unlock{PIN: "4077"}}) {
			t.Errorf("%s: sent %#v", name, got)
		}
		b.tap(t, "key-5")
		v := sample(t, true, name) // a wait lasts
		b.w.Show(v)
		b.now = b.now.Add(time.Second)
		b.take()
		b.tap(t, "key-1")
		b.tap(t, "unlock")
		if got := b.take(); len(got) != 0 {
			t.Errorf("%s: during the wait it sent %#v", name, got)
		}
	}
}

func TestLockScreenWithoutAPIN(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "36-locked-no-pin"))
	b.take()
	b.tap(t, "unlock")
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.Unlock{}}) {
		t.Errorf("sent %#v", got)
	}
	if find(b.w, "key-1") != nil {
		t.Error("a PIN is asked for that nobody has")
	}
}

func TestLockScreenSaysWhetherThePhotoIsSafe(t *testing.T) {
	at := sampleNow
	for name, c := range map[string]struct {
		l    booth.LockedView
		safe bool
		says string
	}{
		"nobody was here":       {booth.LockedView{Crash: true, Saved: 3, LastSaved: at}, true, "最后一张照片已安全保存"},
		"saved, then cut":       {booth.LockedView{Crash: true, Cut: true, CutSaved: true, Saved: 3, LastSaved: at}, true, "不用重拍"},
		"cut before":            {booth.LockedView{Crash: true, Cut: true, Saved: 3, LastSaved: at}, false, "请他重新拍。之前的 3 份照片都安全"},
		"cut, none before":      {booth.LockedView{Crash: true, Cut: true}, false, "没有保存过"},
		"nothing ever happened": {booth.LockedView{Crash: true}, true, "没有照片丢失"},
	} {
		safe, words := photoSafety(c.l)
		if safe != c.safe || !strings.Contains(words.ZH, c.says) || words.EN == "" {
			t.Errorf("%s: %v %+v", name, safe, words)
		}
	}
}

func TestOperatorTaps(t *testing.T) {
	for _, c := range []struct {
		name, sample string
		taps         []string
		want         []booth.Intent
	}{
		{"leave", "operator-home", []string{"operator-leave"}, []booth.Intent{booth.CloseOperator{}}},
		{"sync", "operator-home", []string{"op-sync"}, []booth.Intent{booth.SyncNow{}}},
		{"lock", "operator-home", []string{"op-lock"}, []booth.Intent{booth.LockStation{}}},
		{"backdrop", "operator-home", []string{"op-calibrate"}, []booth.Intent{booth.Recalibrate{}}},
		{"abandon", "operator-visit", []string{"op-abandon", "operator-confirm"}, []booth.Intent{booth.Abandon{Reason: "operator"}}},
		{"abandon, after all not", "operator-visit", []string{"op-abandon", "operator-back", "operator-leave"}, []booth.Intent{booth.CloseOperator{}}},
		{"override", "operator-visit", []string{"op-override", "check-roll", "reason-medical", "operator-confirm"}, []booth.Intent{booth.Override{CheckID: "roll", Reason: "medical"}}},
		{"two at once", "operator-visit", []string{"op-override", "check-roll", "check-ears", "reason-eyewear", "operator-confirm"}, []booth.Intent{
			booth.Override{CheckID: "roll", Reason: "eyewear"}, booth.Override{CheckID: "ears", Reason: "eyewear"},
		}},
		{"no reason", "operator-visit", []string{"op-override", "check-roll", "operator-confirm"}, nil},
		{"no check", "operator-visit", []string{"op-override", "reason-medical", "operator-confirm"}, nil},
		{"chosen and taken back", "operator-visit", []string{"op-override", "check-roll", "check-roll", "reason-medical", "operator-confirm"}, nil},
		{"cash", "operator-visit", []string{"op-payment", "reason-cash", "operator-confirm"}, []booth.Intent{booth.PaymentMark{State: "paid", Reason: "cash"}}},
		{"waived", "operator-visit", []string{"op-payment", "pay-waived", "reason-hardship", "operator-confirm"}, []booth.Intent{booth.PaymentMark{State: "waived", Reason: "hardship"}}},
		{"the reason goes with its state", "operator-visit", []string{"op-payment", "reason-cash", "pay-waived", "operator-confirm"}, nil},
		{"manual, one not", "operator-visit", []string{"op-manual", "operator-confirm"}, []booth.Intent{booth.ManualAnswer{Not: []string{"headwear"}}}},
		{"manual, all", "operator-visit", []string{"op-manual", "manual-headwear", "operator-confirm"}, []booth.Intent{booth.ManualAnswer{OK: true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, fyne.NewSize(1280, 800))
			b.w.Show(sample(t, false, c.sample))
			b.take()
			for _, id := range c.taps {
				b.now = b.now.Add(time.Second)
				b.tap(t, id)
			}
			var got []booth.Intent
			for _, in := range b.take() {
				if _, here := in.(booth.Stay); !here {
					got = append(got, in)
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("sent %#v, want %#v", got, c.want)
			}
		})
	}
}

// What staff are choosing is gone when the page closes or the visit changes, and
// the covered screen gives nothing to touch.
func TestOperatorPageCoversAndForgets(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "operator-visit"))
	b.tap(t, "op-override")
	b.now = b.now.Add(time.Second)
	b.tap(t, "check-roll")
	for _, tg := range b.w.Targets() {
		switch tg.ID {
		case "accept", "retake", "abandon", "portrait", "operator-corner", "manual-ok":
			t.Errorf("%s can be reached through the operator page", tg.ID)
		case "state":
			if tg.Text != "operator" {
				t.Errorf("drivers see %q", tg.Text)
			}
		}
	}
	b.w.Show(sample(t, false, "15-review"))
	if b.w.operator.mode != modeHome || len(b.w.operator.chosen) != 0 {
		t.Error("the choice outlives the page")
	}
	b.w.Show(sample(t, false, "operator-visit"))
	if b.w.operator.mode != modeHome {
		t.Error("the page opens where it was left")
	}
	b.now = b.now.Add(time.Second)
	b.tap(t, "op-override")
	v := sample(t, false, "operator-visit")
	v.SessionID = "another"
	b.w.Show(v)
	if b.w.operator.mode != modeHome {
		t.Error("a choice for one student is offered for the next")
	}
	b.now = b.now.Add(time.Second)
	b.tap(t, "op-override")
	home := sample(t, false, "operator-home") // what was to be decided is not there any more
	home.SessionID = "another"
	b.w.Show(home)
	if b.w.operator.mode != modeHome {
		t.Error("it is still to be decided about somebody who is gone")
	}
}
