package screen

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// pairBench is both windows on the toolkit's test driver.
type pairBench struct {
	d                *Displays
	student, console *testBench
	sent             []booth.Intent
	now              time.Time
}

func newPairBench(t testing.TB, student, console fyne.Size) *pairBench {
	t.Helper()
	b := &pairBench{now: sampleNow}
	app := test.NewTempApp(t)
	size := func(s fyne.Size) image.Point { return image.Pt(int(s.Width), int(s.Height)) }
	d, err := NewDisplays(app, Options{
		Size: size(student), Position: &image.Point{}, OnIntent: func(i booth.Intent) { b.sent = append(b.sent, i) },
		Clock: func() time.Time { return b.now }, OperatorKey: "f12", Corner: true, Title: "student",
	}, Options{Size: size(console), Position: &image.Point{X: int(student.Width)}, Title: "console"})
	if err != nil {
		t.Fatal(err)
	}
	b.d = d
	d.Open()
	for w, s := range map[*Window]fyne.Size{d.student: student, d.console: console} {
		w.win.Resize(s)
		t.Cleanup(func() { w.win.Close() })
	}
	b.student, b.console = &testBench{w: d.student, now: sampleNow}, &testBench{w: d.console, now: sampleNow}
	return b
}

// frame offers one live picture of one colour.
func (b *pairBench) frame(t *testing.T, seq uint64) *image.RGBA {
	t.Helper()
	img := b.d.Buffer(b.d.PreviewSize())
	if img == nil {
		t.Fatal("no buffer for a frame")
	}
	for i := 0; i < len(img.Pix); i += 4 {
		img.Pix[i], img.Pix[i+3] = 200, 255
	}
	b.d.Offer(img, seq)
	return img
}

func TestBothDisplaysShowTheSamePicture(t *testing.T) {
	b := newPairBench(t, testSizes["1280x800"], testSizes["1280x800"])
	b.d.Show(sample(t, false, "10-framing"))
	img := b.frame(t, 7)
	console, ok := b.d.console.console.(*consolePage)
	if !ok {
		t.Fatal("the console has no page")
	}
	if b.d.student.preview.img.Image != image.Image(img) || console.live.Image != image.Image(img) {
		t.Fatal("the two windows do not show one picture")
	}
	if !console.live.Visible() || b.d.Shown() != 7 || b.d.Count() != 1 {
		t.Errorf("visible %v, shown %d, count %d", console.live.Visible(), b.d.Shown(), b.d.Count())
	}
	// The next student sees nothing of this one, on neither.
	gone := sample(t, false, "02-identify-empty")
	gone.SessionID = "another"
	b.d.Show(gone)
	if b.d.student.preview.img.Image != nil || console.live.Image != nil || b.d.Shown() != 0 {
		t.Error("a picture stayed after its student had left")
	}
	for _, p := range img.Pix {
		if p != 0 {
			t.Fatal("the pixels of the student who left are still in memory")
		}
	}
}

// What staff do is on the console; the student is told to wait.
func TestStaffWorkOnTheConsole(t *testing.T) {
	b := newPairBench(t, testSizes["1280x800"], testSizes["1080x1920"])
	b.d.Show(sample(t, true, "32-operator-home"))
	if b.d.student.current != b.d.student.waiting || b.d.console.current != screen(b.d.console.operator) {
		t.Fatal("the staff's page is not on the console alone")
	}
	for _, tg := range b.d.student.Targets() {
		if strings.HasPrefix(tg.ID, "operator") || strings.HasPrefix(tg.ID, "page-") {
			t.Errorf("the student can press %q", tg.ID)
		}
	}
	// A PIN typed while the window manager has the keyboard on the student's
	// window reaches the pad.
	pin := sample(t, false, "30-operator-pin")
	b.d.Show(pin)
	for _, r := range "4711" {
		b.d.student.win.Canvas().OnTypedRune()(r)
	}
	b.d.student.win.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if len(b.sent) == 0 || !reflect.DeepEqual(b.sent[len(b.sent)-1], booth.Unlock{PIN: "4711"}) {
		t.Errorf("the PIN typed did not reach the console: %v", b.sent)
	}
	// The camera's page has a picture of its own, which the student does not see.
	b.d.Show(sample(t, false, "39-camera"))
	b.frame(t, 9)
	if b.d.student.preview.Shown() != 0 || b.d.console.ui.aim.Shown() != 9 {
		t.Error("the camera's page does not get its picture")
	}
}

func TestTheConsoleHasTheDesksButtons(t *testing.T) {
	b := newPairBench(t, testSizes["1280x800"], testSizes["1280x800"])
	for _, c := range []struct {
		name, button string
		want         booth.Intent
	}{
		{"01-idle", "start", booth.Start{}},
		{"10-framing", "shutter", booth.Shutter{}},
		{"15-review", "manual-ok", booth.ManualAnswer{OK: false}},
		{"15-review", "retake", booth.Retake{}},
		{"15-review", "staff", booth.OpenOperator{}},
		{"19-done", "next", booth.NextStudent{}},
		{"20-abandoned", "continue", booth.Continue{}},
		{"21-fault", "fault-action", booth.FaultAction{Code: booth.FaultSeal}},
	} {
		b.d.Show(sample(t, false, c.name))
		btn := find(b.d.console, c.button)
		if btn == nil || !btn.enabled {
			t.Errorf("%s: the console has no %s", c.name, c.button)
			continue
		}
		b.now = b.now.Add(time.Second)
		btn.Tapped(nil)
		if got := b.sent[len(b.sent)-1]; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %s sent %#v, want %#v", c.name, c.button, got, c.want)
		}
	}
	b.d.Show(sample(t, false, "08-consent"))
	if btn := find(b.d.console, "shutter"); btn == nil || btn.enabled {
		t.Error("the shutter can be pressed before there is a mirror")
	}
}

// The history tells what was saved and nothing of whom.
func TestTheConsoleRemembersWhatWasSaved(t *testing.T) {
	b := newPairBench(t, testSizes["1280x800"], testSizes["1280x800"])
	v := sample(t, false, "06-eligible")
	b.d.Show(v)
	shot := sample(t, false, "15-review")
	again := *shot.Shot
	again.Attempt = 2
	shot.Shot = &again
	b.d.Show(shot)
	done := sample(t, false, "19-done")
	done.Saved.At = v.Now.Add(31 * time.Second)
	b.d.Show(done)
	b.d.Show(done)
	next := sample(t, false, "01-idle")
	b.d.Show(next)
	c, ok := b.d.console.console.(*consolePage)
	if !ok || len(c.visits) != 1 || c.visits[0].tries != 2 || c.visits[0].took != 31*time.Second {
		t.Fatalf("the history is %+v", c.visits)
	}
	if text := b.console.markup(); !strings.Contains(text, done.Saved.PacketID) || strings.Contains(text, v.Student.NameMasked) {
		t.Errorf("the console shows\n%s", text)
	}
}

// One monitor may go at any moment: the other window then serves everybody.
func TestALostDisplayLeavesNobodyBlind(t *testing.T) {
	full := image.Rect(0, 0, 1280, 800)
	beside := full.Add(image.Pt(1280, 0))
	for name, c := range map[string]struct {
		student, console image.Rectangle
		left             func(*pairBench) *Window
	}{
		"the console's":   {full, image.Rectangle{}, func(b *pairBench) *Window { return b.d.student }},
		"the student's":   {image.Rectangle{}, full, func(b *pairBench) *Window { return b.d.console }},
		"both, for once ": {image.Rectangle{}, image.Rectangle{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPairBench(t, testSizes["1280x800"], testSizes["1280x800"])
			framing := sample(t, false, "10-framing")
			b.d.Show(framing)
			b.d.Place(c.student, c.console)
			if c.left == nil {
				if b.d.student.ui.role != RoleStudent || b.d.console.ui.role != RoleConsole {
					t.Error("with no monitor known, something was changed")
				}
				return
			}
			w := c.left(b)
			if w.ui.role != RoleShared || w.current != w.screens[booth.Framing] {
				t.Fatal("the window that is left does not serve the student")
			}
			b.frame(t, 11)
			if w.Shown() != 11 || b.d.Shown() != 11 {
				t.Error("the mirror does not run in the window that is left")
			}
			b.d.Show(sample(t, false, "30-operator-pin"))
			if w.current != screen(w.operator) {
				t.Error("staff cannot get in at the window that is left")
			}
			// And back.
			b.d.Place(full, beside)
			b.d.Show(framing)
			b.frame(t, 12)
			if b.d.student.current != b.d.student.screens[booth.Framing] || b.d.console.current != b.d.console.console || b.d.student.Shown() != 12 {
				t.Error("the two displays are not what they were")
			}
		})
	}
}

// Nothing is clipped and nothing overlaps on either display, whatever the sizes.
func TestNoTextIsClippedOrOverlapsOnTwoDisplays(t *testing.T) {
	for _, name := range []string{"1280x800", "1080x1920"} { // in design units the other sizes are wider
		size := testSizes[name]
		t.Run(name, func(t *testing.T) {
			b := newPairBench(t, size, size)
			for _, lang := range []booth.Lang{booth.ZH, booth.EN} {
				for kind, list := range map[string][]Sample{"everyday": Samples(lang), "crowded": CrowdedSamples(lang)} {
					for _, s := range list {
						for _, large := range []bool{false, true} {
							if s.View.Operator != nil {
								continue // staff's pages are as with one display
							}
							s.View.Large = large
							b.d.Show(s.View)
							where := string(lang) + "/" + kind + "/" + s.Name + map[bool]string{true: "/large"}[large]
							checkText(t, b.student, where+"/student", size)
							checkText(t, b.console, where+"/console", size)
						}
					}
				}
			}
		})
	}
}

func TestConsoleIsDrawn(t *testing.T) {
	b := newPairBench(t, testSizes["1280x800"], testSizes["1280x800"])
	b.d.Show(sample(t, false, "10-framing"))
	b.frame(t, 3)
	img := b.d.console.win.Canvas().Capture()
	red := 0
	for y := 0; y < img.Bounds().Dy(); y += 8 {
		for x := 0; x < img.Bounds().Dx(); x += 8 {
			if r, g, bl, _ := color.RGBAModel.Convert(img.At(x, y)).RGBA(); r>>8 == 200 && g == 0 && bl == 0 {
				red++
			}
		}
	}
	if red < 500 {
		t.Errorf("the mirror fills %d of the console's points", red)
	}
}

// TestDrawDisplays writes what both displays show, side by side, when
// YUNZHAO_SCREENS names a directory (make screens).
func TestDrawDisplays(t *testing.T) {
	dir := os.Getenv("YUNZHAO_SCREENS")
	if dir == "" {
		t.Skip("set YUNZHAO_SCREENS to a directory to write pictures of both displays (make screens)")
	}
	docs := os.Getenv("YUNZHAO_DOCS") != ""
	for _, sizes := range [][2]string{{"1280x800", "1280x800"}, {"1080x1920", "1920x1080"}} {
		b := newPairBench(t, testSizes[sizes[0]], testSizes[sizes[1]])
		for kind, crowded := range map[string]bool{"day": false, "crowded": true} {
			for _, name := range []string{"01-idle", "06-eligible", "10-framing", "15-review", "19-done", "30-operator-pin"} {
				v := sample(t, crowded, name)
				b.d.Show(v)
				if v.State == booth.Framing {
					if buf := b.d.Buffer(b.d.PreviewSize()); buf != nil {
						fillRoom(buf)
						b.d.Offer(buf, 7)
					}
				}
				left, right := b.d.student.win.Canvas().Capture(), b.d.console.win.Canvas().Capture()
				both := image.NewRGBA(image.Rect(0, 0, left.Bounds().Dx()+right.Bounds().Dx()+20, max(left.Bounds().Dy(), right.Bounds().Dy())))
				draw.Draw(both, left.Bounds(), left, image.Point{}, draw.Src)
				draw.Draw(both, right.Bounds().Add(image.Pt(left.Bounds().Dx()+20, 0)), right, image.Point{}, draw.Src)
				writePNG(t, filepath.Join(dir, fmt.Sprintf("two-%s-%s-%s.png", sizes[0], kind, name)), both)
				if docs && !crowded && sizes[0] == "1280x800" && (name == "10-framing" || name == "15-review") {
					writeThumb(t, filepath.Join("../../docs/images", "displays-"+name+".jpg"), both)
				}
			}
		}
	}
}

// TestGoldenDisplays holds both displays to their records in the moments that
// differ most from one display's, driven by the real state machine.
func TestGoldenDisplays(t *testing.T) {
	v := newVisitor(t, booth.Config{Auto: true, Lens: booth.LensAbove})
	p := newPairBench(t, testSizes["1280x800"], testSizes["1280x800"])
	holds := func(name string) {
		t.Helper()
		p.d.Show(v.m.View())
		(&visitor{t: t, b: p.student}).holds("two-" + name + "-student")
		(&visitor{t: t, b: p.console}).holds("two-" + name + "-console")
	}
	v.say(booth.LampsChanged{Lamps: sampleLamps(false), Online: true, Retakes: sampleRetakes()})
	holds("idle")
	v.do(booth.Wedge{Text: "11010519491231002X"})
	look := last[booth.Lookup](v)
	v.say(booth.LookupDone{Session: look.Session, Token: look.Token, Records: []booth.Record{goldenRecord()}})
	holds("eligible")
	v.do(booth.Continue{}, booth.Continue{}, booth.Continue{})
	v.say(booth.LiveUpdate{Session: v.m.Session(), Live: booth.LiveView{Hint: booth.Text{ZH: "请往左移一点", EN: "Move left"}, Icon: "arrow-left", Level: booth.Warn, Checks: sampleChecks(false)}})
	holds("framing")
	v.do(booth.Shutter{}).pass(3 * time.Second)
	take := last[booth.TakeShot](v)
	v.say(booth.FrameTaken{Session: take.Session, Attempt: take.Attempt, Seq: 812, Burst: sampleBurst(false)})
	v.say(booth.PortraitDone{
		Session: take.Session, Attempt: take.Attempt, Seq: 812, Portrait: plain(color.RGBA{B: 200}), Before: plain(color.RGBA{R: 200}),
		Verdict: "pass", Checks: sampleChecks(false), Manual: []booth.CheckLine{{ID: "make_up", Title: booth.Text{ZH: "没有化妆美颜", EN: "No make-up"}}},
	})
	holds("review")
	v.do(booth.OpenOperator{})
	holds("staff")
}
