package screen

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
)

// tap presses the middle of a target as a finger would: at window coordinates.
func (b *testBench) tap(t *testing.T, id string) {
	t.Helper()
	for _, tg := range b.w.Targets() {
		if tg.ID == id {
			test.TapCanvas(b.w.win.Canvas(), fyne.NewPos(float32(tg.X+tg.W/2), float32(tg.Y+tg.H/2)))
			return
		}
	}
	t.Fatalf("no target %q on screen %q", id, b.w.view.State)
}

func (b *testBench) take() []booth.Intent {
	got := b.sent
	b.sent = nil
	return got
}

func sample(t testing.TB, crowded bool, name string) booth.View {
	t.Helper()
	for _, s := range samples(booth.ZH, crowded) {
		if strings.HasSuffix(s.Name, name) {
			return s.View
		}
	}
	t.Fatalf("no sample %q", name)
	return booth.View{}
}

func TestTappingSendsIntents(t *testing.T) {
	cases := []struct {
		sample  string
		crowded bool
		target  string
		want    booth.Intent
	}{
		{"idle", false, "start", booth.Start{}},
		{"idle", false, "lang", booth.ToggleLang{}},
		{"identify", false, "key-7", booth.Key{Rune: '7'}},
		{"identify", false, "key-X", booth.Key{Rune: 'X'}},
		{"identify", true, "key-X", booth.Key{Rune: 'X'}},
		{"identify", true, "key-Q", booth.Key{Rune: 'Q'}},
		{"identify", false, "key-back", booth.Key{Rune: '\b'}},
		{"identify", false, "key-clear", booth.Key{Rune: 0x7f}},
		{"identify", false, "doc-resident", booth.SetDoc{Doc: booth.DocResident}},
		{"identify", false, "doc-hmt", booth.SetDoc{Doc: booth.DocHMT}},
		{"identify", false, "doc-passport", booth.SetDoc{Doc: booth.DocPassport}},
		{"identify", false, "doc-student", booth.SetDoc{Doc: booth.DocStudentNo}},
		{"identify", false, "back", booth.Back{}},
		{"identify-toast", true, "submit", booth.Submit{}},
		{"choose", false, "choose-1", booth.Choose{Index: 1}},
		{"choose", true, "choose-5", booth.Choose{Index: 5}},
		{"choose", false, "back", booth.Back{}},
		{"eligible", false, "continue", booth.Continue{}},
		{"eligible", false, "not-me", booth.NotMe{}},
		{"eligible", false, "flag", booth.FlagInfo{}},
		{"consent", false, "consent-accept", booth.Continue{}},
		{"consent", false, "consent-decline", booth.Decline{}},
		{"consent", false, "back", booth.Back{}},
		{"guide", false, "continue", booth.Continue{}},
		{"guide", false, "back", booth.Back{}},
		{"framing", false, "shutter", booth.Shutter{}},
		{"framing", false, "back", booth.Back{}},
		{"countdown", false, "back", booth.Back{}},
		{"countdown", false, "shutter", booth.Shutter{}},
		{"countdown", false, "auto", booth.SetAuto{}},
		{"framing", false, "auto", booth.SetAuto{}},
		{"framing", true, "auto", booth.SetAuto{On: true}},
		{"review", false, "frame-1", booth.Pick{Seq: 810}},
		{"review", true, "frame-9", booth.Pick{Seq: 818}},
		{"review", false, "retake", booth.Retake{}},
		{"review", false, "accept", booth.Accept{}},
		{"review", false, "manual-ok", booth.ManualAnswer{OK: false}},
		{"review", true, "manual-ok", booth.ManualAnswer{OK: true}},
		{"confirm", false, "confirm", booth.ConfirmSubmit{}},
		{"confirm", false, "back", booth.Back{}},
		{"done", false, "next", booth.NextStudent{}},
		{"abandoned", false, "continue", booth.Continue{}},
		{"fault", false, "fault-action", booth.FaultAction{Code: booth.FaultSeal}},
	}
	b := newBench(t, fyne.NewSize(1280, 800))
	for _, c := range cases {
		t.Run(c.sample+"/"+c.target, func(t *testing.T) {
			b.now = b.now.Add(time.Second)
			b.w.Show(sample(t, c.crowded, c.sample))
			b.take()
			b.tap(t, c.target)
			if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{c.want}) {
				t.Errorf("tapping %q sent %#v, want %#v", c.target, got, c.want)
			}
		})
	}
}

func TestDisabledButtonsSendNothing(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	for _, c := range []struct{ sample, target string }{
		{"identify", "submit"},
		{"eligible-revealed", "continue"},
		{"eligible-revealed", "flag"},
		{"guide", "continue"},
		{"review", "accept"},
		{"confirm", "confirm"},
	} {
		b.now = b.now.Add(time.Second)
		b.w.Show(sample(t, true, c.sample))
		b.take()
		b.tap(t, c.target)
		if got := b.take(); len(got) != 0 {
			t.Errorf("%s: disabled %q sent %#v", c.sample, c.target, got)
		}
		for _, tg := range b.w.Targets() {
			if tg.ID == c.target && tg.Enabled {
				t.Errorf("%s: target %q says it is enabled", c.sample, c.target)
			}
		}
	}
}

func TestLeavingAsksFirst(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "framing"))
	b.tap(t, "abandon")
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.Cover{On: true}}) {
		t.Fatalf("the first tap already sent %#v", got)
	}
	for _, tg := range b.w.Targets() {
		if tg.ID == "shutter" {
			t.Error("the shutter is a target although the question covers it")
		}
	}
	test.TapCanvas(b.w.win.Canvas(), fyne.NewPos(1100, 700)) // where the shutter lies underneath
	// A countdown that stops behind it does not answer it.
	b.w.Show(sample(t, false, "countdown"))
	b.w.Show(sample(t, false, "framing"))
	b.now = b.now.Add(time.Second)
	b.tap(t, "abandon-no")
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.Cover{}}) {
		t.Fatalf("staying sent %#v", got)
	}
	b.now = b.now.Add(time.Second)
	b.tap(t, "abandon")
	b.now = b.now.Add(time.Second)
	b.tap(t, "abandon-yes")
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.Cover{On: true}, booth.Cover{}, booth.Abandon{Reason: "left"}}) {
		t.Errorf("leaving sent %#v", got)
	}
	// The photo that is being taken is not covered by a question of before.
	b.w.Show(sample(t, false, "countdown"))
	b.now = b.now.Add(time.Second)
	b.tap(t, "abandon")
	b.w.Show(sample(t, false, "shot"))
	if b.w.ask.root.Visible() {
		t.Error("the question stays over the shot")
	}
}

func TestEveryShutterKeyOfTheSettingsWorks(t *testing.T) {
	for _, name := range append(config.ShutterKeys(), "") {
		key, err := shutterKey(name)
		if err != nil || (key == "") != (name == "") {
			t.Errorf("%q: %q, %v", name, key, err)
		}
	}
	if _, err := New(test.NewTempApp(t), Options{OnIntent: func(booth.Intent) {}, ShutterKey: "b"}); err == nil {
		t.Error("a key that scanners type was taken")
	}
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.shutterKey = fyne.KeyF9
	for _, c := range []struct {
		sample string
		press  func()
		want   int
	}{
		{"framing", func() { b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyF9}) }, 1},
		{"framing", func() { b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyF8}) }, 0},
		{"framing", func() { b.w.typedRune(' ') }, 1},
		{"countdown", func() { b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyF9}) }, 1},
		{"countdown", func() { b.w.typedRune(' ') }, 1},
		{"review", func() { b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyF9}) }, 0},
		{"consent", func() { b.w.typedRune(' ') }, 0},
	} {
		b.now = b.now.Add(time.Minute)
		b.w.Show(sample(t, false, c.sample))
		b.take()
		c.press()
		c.press() // a pedal bounces
		if got := b.take(); len(got) != c.want || c.want == 1 && got[0] != booth.Intent(booth.Shutter{}) {
			t.Errorf("%s: sent %#v, want %d", c.sample, got, c.want)
		}
	}
	// Behind the question nothing is taken.
	b.w.Show(sample(t, false, "framing"))
	b.now = b.now.Add(time.Minute)
	b.tap(t, "abandon")
	b.take()
	b.now = b.now.Add(time.Minute)
	b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyF9})
	if got := b.take(); len(got) != 0 {
		t.Errorf("behind the question: %#v", got)
	}
}

func TestRevealIsHeld(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "eligible"))
	reveal := find(b.w, "reveal")
	reveal.MouseDown(nil)
	reveal.MouseUp(nil)
	reveal.MouseDown(nil)
	reveal.MouseOut() // the finger slides off
	reveal.MouseUp(nil)
	reveal.MouseDown(nil)
	b.w.Show(sample(t, false, "idle")) // the screen goes away under the finger
	want := []booth.Intent{
		booth.Reveal{Held: true}, booth.Reveal{}, booth.Reveal{Held: true}, booth.Reveal{}, booth.Reveal{Held: true}, booth.Reveal{},
	}
	if got := b.take(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}

func TestDoubleTapsAreOne(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "eligible"))
	b.tap(t, "continue")
	b.now = b.now.Add(120 * time.Millisecond)
	b.w.Show(sample(t, false, "consent")) // the second tap lands on the next screen's button
	b.tap(t, "consent-accept")
	if got := b.take(); len(got) != 1 {
		t.Fatalf("a double tap sent %#v", got)
	}
	b.now = b.now.Add(tapDebounce)
	b.tap(t, "consent-accept")
	if got := b.take(); len(got) != 1 {
		t.Fatalf("the next honest tap sent %#v", got)
	}
}

func TestKeypadTakesEveryDigit(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "identify-empty"))
	b.tap(t, "key-1")
	b.tap(t, "key-1") // a slow frame makes two presses arrive together
	b.now = b.now.Add(90 * time.Millisecond)
	b.tap(t, "key-1")
	b.tap(t, "key-2") // another key at the same moment
	if got := len(b.take()); got != 4 {
		t.Errorf("%d keys arrived, want 4", got)
	}
}

func TestATouchOnNothingStays(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	v := sample(t, false, "consent")
	b.w.Show(v)
	test.TapCanvas(b.w.win.Canvas(), fyne.NewPos(640, 300))
	if got := b.take(); len(got) != 0 {
		t.Fatalf("without a warning a touch sent %#v", got)
	}
	v.Warning, v.Deadline = true, v.Now.Add(5*time.Second)
	b.w.Show(v)
	test.TapCanvas(b.w.win.Canvas(), fyne.NewPos(640, 300))
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.Stay{}}) {
		t.Errorf("a touch on nothing sent %#v", got)
	}
}

// typeAt types text with the given time between characters, then Enter.
func (b *testBench) typeAt(text string, every time.Duration) {
	for _, r := range text {
		b.w.typedRune(r)
		b.now = b.now.Add(every)
	}
	b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
}

func TestWedgeOrPerson(t *testing.T) {
	const id = "11010519491231002X"
	cases := []struct {
		name  string
		state string
		text  string
		every time.Duration
		want  booth.Intent // the last one; nil = none
		count int
	}{
		{"reader on identify", "identify-empty", id, 5 * time.Millisecond, booth.Wedge{Text: id}, len(id) + 1},
		{"slow reader", "identify-empty", id, 40 * time.Millisecond, booth.Wedge{Text: id}, len(id) + 1},
		{"person", "identify-empty", id, 150 * time.Millisecond, booth.Submit{}, len(id) + 1},
		{"fast person", "identify-empty", "123456", 70 * time.Millisecond, booth.Submit{}, 7},
		{"too short for a reader", "identify-empty", "12345", 2 * time.Millisecond, booth.Submit{}, 6},
		{"lower case x", "identify-empty", "1x", 200 * time.Millisecond, booth.Submit{}, 3},
		{"next student in review", "review", id, 5 * time.Millisecond, booth.Wedge{Text: id}, 1},
		{"reader on idle", "idle", id, 5 * time.Millisecond, booth.Wedge{Text: id}, 1},
		{"person on idle", "idle", id, 150 * time.Millisecond, nil, 0},
		{"reader with spaces before the mirror", "framing", "AB CD EF GH", 5 * time.Millisecond, booth.Wedge{Text: "AB CD EF GH"}, 1},
		{"reader below a fault", "fault", id, 5 * time.Millisecond, nil, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, fyne.NewSize(1280, 800))
			b.w.Show(sample(t, false, c.state))
			b.typeAt(c.text, c.every)
			got := b.take()
			if len(got) != c.count {
				t.Fatalf("sent %d intents %#v, want %d", len(got), got, c.count)
			}
			if c.want != nil && !reflect.DeepEqual(got[len(got)-1], c.want) {
				t.Errorf("last intent %#v, want %#v", got[len(got)-1], c.want)
			}
		})
	}
}

func TestWedgeSurvivesASlowFrame(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "identify-empty"))
	b.w.typedRune('9') // somebody touched a key long before
	b.now = b.now.Add(2 * time.Second)
	for i, r := range "11010519491231002X" {
		b.w.typedRune(r)
		b.now = b.now.Add(8 * time.Millisecond)
		if i == 4 {
			b.now = b.now.Add(300 * time.Millisecond) // the interface was drawing
		}
	}
	b.take()
	b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyEnter})
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.Wedge{Text: "11010519491231002X"}}) {
		t.Errorf("got %#v", got)
	}
}

func FuzzKeyboard(f *testing.F) {
	f.Add("11010519491231002X\n", byte(3))
	f.Add("  \n\n x\b", byte(90))
	f.Fuzz(func(t *testing.T, typed string, gapMS byte) {
		now := sampleNow
		k := keyboard{clock: func() time.Time { return now }}
		for _, r := range typed {
			if r == '\n' {
				if text, ok := k.enter(); ok {
					if len([]rune(text)) > wedgeMaxText || strings.TrimFunc(text, unicode.IsSpace) != text {
						t.Fatalf("burst %q", text)
					}
				}
				continue
			}
			k.rune(r)
			now = now.Add(time.Duration(gapMS) * time.Millisecond)
		}
	})
}

func TestPhysicalKeys(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "identify-empty"))
	b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyBackspace})
	b.w.typedRune('x')
	b.w.typedRune('张') // no free Chinese typing
	b.w.typedRune('-')
	b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	want := []booth.Intent{booth.Key{Rune: '\b'}, booth.Key{Rune: 'X'}, booth.Back{}}
	if got := b.take(); !reflect.DeepEqual(got, want) {
		t.Errorf("identify: %#v", got)
	}
	b.now = b.now.Add(time.Second)
	b.w.Show(sample(t, false, "10-framing"))
	b.w.typedRune(' ')
	b.now = b.now.Add(200 * time.Millisecond)
	b.w.typedRune(' ') // a pedal that bounces
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.Shutter{}}) {
		t.Errorf("pedal: %#v", got)
	}
	b.now = b.now.Add(time.Second)
	b.w.Show(sample(t, false, "locked"))
	for _, r := range "4a7 1" {
		b.w.typedRune(r)
	}
	b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyBackspace})
	b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyEnter})
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.Unlock{PIN: "47"}}) {
		t.Errorf("locked: %#v", got)
	}
}
