package screen

import (
	"fmt"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

var testSizes = map[string]fyne.Size{
	"1920x1080": fyne.NewSize(1920, 1080),
	"1280x800":  fyne.NewSize(1280, 800),
	"1080x1920": fyne.NewSize(1080, 1920),
	"3840x2160": fyne.NewSize(3840, 2160),
}

// glyphs is one drawn line of text in window coordinates.
type glyphs struct {
	text       string
	x, y, w, h float32
	inButton   bool
}

// visibleText walks the tree and lists every line that is really drawn.
func visibleText(o fyne.CanvasObject, at fyne.Position, inButton bool, out *[]glyphs) {
	if !o.Visible() {
		return
	}
	at = at.Add(o.Position())
	switch o := o.(type) {
	case *fyne.Container:
		for _, c := range o.Objects {
			visibleText(c, at, inButton, out)
		}
	case *button:
		for _, c := range []fyne.CanvasObject{o.a.box, o.b.box} {
			visibleText(c, at, true, out)
		}
	case *canvas.Text:
		if o.Text != "" {
			size := fyne.MeasureText(o.Text, o.TextSize, o.TextStyle)
			*out = append(*out, glyphs{o.Text, at.X, at.Y, size.Width, size.Height, inButton})
		}
	}
}

// TestClippedAndOverlappingTextIsFound proves that the measuring below sees what
// it is for.
func TestClippedAndOverlappingTextIsFound(t *testing.T) {
	newBench(t, fyne.NewSize(1280, 800))
	long := newText(sizeBody, false, colInk).line()
	long.set("内蒙古民族幼儿师范高等专科学校（呼和浩特市赛罕区校区）")
	if long.layout(rect{0, 0, 120, 30}, 1); !long.clips {
		t.Error("a line four times too long is not clipped")
	}
	if long.layout(rect{0, 0, 1200, 30}, 1); long.clips {
		t.Error("a line with room is clipped")
	}
	near := newText(sizeBody, false, colInk)
	near.set("保存")
	near.layout(rect{40, 8, 100, 30}, 1)
	var lines []glyphs
	visibleText(long.box, fyne.NewPos(0, 0), false, &lines)
	visibleText(near.box, fyne.NewPos(0, 0), false, &lines)
	if len(lines) != 2 || !overlap(lines[0], lines[1]) {
		t.Error("a word upon another does not overlap it")
	}
	near.layout(rect{40, 30, 100, 30}, 1)
	lines = lines[:1]
	if visibleText(near.box, fyne.NewPos(0, 0), false, &lines); overlap(lines[0], lines[1]) {
		t.Error("a word below another overlaps it")
	}
}

func overlap(a, b glyphs) bool {
	// The line box has air above and below the letters: the letters themselves
	// fill about the middle 70 %.
	ay, ah := a.y+a.h*0.15, a.h*0.7
	by, bh := b.y+b.h*0.15, b.h*0.7
	const slack = 0.5
	return a.x+slack < b.x+b.w && b.x+slack < a.x+a.w && ay+slack < by+bh && by+slack < ay+ah
}

func TestNoTextIsClippedOrOverlaps(t *testing.T) {
	for name, size := range testSizes {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, size)
			for _, lang := range []booth.Lang{booth.ZH, booth.EN} {
				for kind, list := range map[string][]Sample{"everyday": Samples(lang), "crowded": CrowdedSamples(lang)} {
					for _, s := range list {
						for _, large := range []bool{false, true} {
							if large && size.Width > 3000 {
								continue // in design units 4K is 1920×1080 once more
							}
							s.View.Large = large
							b.w.Show(s.View)
							checkText(t, b, fmt.Sprintf("%s/%s/%s/large=%v", lang, kind, s.Name, large), size)
						}
					}
					b.w.chrome.onLeave()
					checkText(t, b, fmt.Sprintf("%s/%s/leave", lang, kind), size)
				}
			}
		})
	}
}

func checkText(t *testing.T, b *testBench, where string, size fyne.Size) {
	t.Helper()
	pages := []*page{b.w.current.base(), &b.w.chrome.page}
	if b.w.ask.root.Visible() {
		pages = []*page{&b.w.ask.page}
	}
	for _, p := range pages {
		for _, tb := range p.texts {
			if tb.clips && tb.text != "" && tb.box.Visible() {
				t.Errorf("%s: %q does not fit %.0f×%.0f even at its smallest", where, tb.text, tb.laid.area.w, tb.laid.area.h)
			}
		}
		for _, btn := range p.buttons {
			if btn.Visible() && (btn.a.clips || btn.b.clips) {
				t.Errorf("%s: the label of button %q does not fit", where, btn.id)
			}
		}
	}
	var lines []glyphs
	for _, p := range pages {
		visibleText(p.root, fyne.NewPos(0, 0), false, &lines)
	}
	for i, l := range lines {
		if l.x < -0.5 || l.y < -0.5 || l.x+l.w > size.Width+0.5 || l.y+l.h > size.Height+0.5 {
			t.Errorf("%s: %q leaves the window: %.0f,%.0f %.0f×%.0f", where, l.text, l.x, l.y, l.w, l.h)
		}
		for _, m := range lines[i+1:] {
			if overlap(l, m) {
				t.Errorf("%s: %q overlaps %q", where, l.text, m.text)
			}
		}
		for _, p := range pages {
			for _, btn := range p.buttons {
				if l.inButton || !btn.Visible() || chosenCard(btn) {
					continue
				}
				box := glyphs{x: btn.Position().X, y: btn.Position().Y, w: btn.Size().Width, h: btn.Size().Height}
				if l.x+0.5 < box.x+box.w && box.x+0.5 < l.x+l.w && l.y+l.h*0.2 < box.y+box.h && box.y < l.y+l.h*0.8 {
					t.Errorf("%s: %q runs into button %q", where, l.text, btn.id)
				}
			}
		}
	}
}

// chosenCard says that a button carries its text on top: the list of records,
// the frames of a burst, the rows of a table that are pressed.
func chosenCard(b *button) bool {
	return strings.HasPrefix(b.id, "choose-") || strings.HasPrefix(b.id, "frame-") || strings.Contains(b.id, "-row-")
}

func TestTargetsAreInsideTheWindowApartAndUnique(t *testing.T) {
	for name, size := range testSizes {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, size)
			for _, s := range append(Samples(booth.ZH), CrowdedSamples(booth.EN)...) {
				b.w.Show(s.View)
				seen := map[string]bool{}
				var buttons []Target
				for _, tg := range b.w.Targets() {
					if seen[tg.ID] {
						t.Errorf("%s: two targets %q", s.Name, tg.ID)
					}
					seen[tg.ID] = true
					if tg.X < 0 || tg.Y < 0 || tg.W <= 0 || tg.H <= 0 || tg.X+tg.W > int(size.Width) || tg.Y+tg.H > int(size.Height) {
						t.Errorf("%s: target %q at %d,%d %d×%d leaves the window", s.Name, tg.ID, tg.X, tg.Y, tg.W, tg.H)
					}
					if btn := find(b.w, tg.ID); btn != nil {
						buttons = append(buttons, tg)
						if tg.W < 44 || tg.H < 40 {
							t.Errorf("%s: button %q is %d×%d: too small for a finger", s.Name, tg.ID, tg.W, tg.H)
						}
					}
				}
				for i, a := range buttons {
					for _, c := range buttons[i+1:] {
						if a.X < c.X+c.W && c.X < a.X+a.W && a.Y < c.Y+c.H && c.Y < a.Y+a.H {
							t.Errorf("%s: buttons %q and %q overlap", s.Name, a.ID, c.ID)
						}
					}
				}
				if !seen["state"] {
					t.Errorf("%s: no state target", s.Name)
				}
			}
		})
	}
}

// find returns the visible button with an id.
func find(w *Window, id string) *button {
	pages := []*page{w.current.base(), &w.chrome.page}
	if w.ask.root.Visible() {
		pages = []*page{&w.ask.page}
	}
	for _, p := range pages {
		for _, b := range p.buttons {
			if b.id == id && b.Visible() {
				return b
			}
		}
	}
	return nil
}

func TestQRModulesAreWholeAndLargeEnough(t *testing.T) {
	for name, size := range testSizes {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, size)
			for _, s := range CrowdedSamples(booth.ZH) {
				b.w.Show(s.View)
				for _, tg := range b.w.Targets() {
					if tg.ID != "qr" {
						continue
					}
					const modules = 41 + 2*qrQuiet // version 6
					if tg.W != tg.H || tg.W%modules != 0 || tg.W/modules < 8 {
						t.Errorf("%s: the code is %d×%d pixels for %d modules", s.Name, tg.W, tg.H, modules)
					}
				}
			}
		})
	}
}
