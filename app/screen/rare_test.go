package screen

import (
	"bytes"
	"image"
	"image/color"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/assets/han"
)

// ink draws one character large and returns its pixels.
func ink(t *testing.T, r rune, bold bool) []byte {
	t.Helper()
	text := canvas.NewText(string(r), color.Black)
	text.TextSize, text.TextStyle.Bold = 64, bold
	w := test.NewTempWindow(t, container.NewWithoutLayout(text))
	w.SetPadded(false)
	w.Resize(fyne.NewSize(96, 112))
	text.Resize(fyne.NewSize(96, 112))
	img := w.Canvas().Capture()
	out := make([]byte, 0, 96*112)
	for y := range 112 {
		for x := range 96 {
			if c := (image.Point{X: x, Y: y}); c.In(img.Bounds()) {
				g, _ := color.GrayModel.Convert(img.At(x, y)).(color.Gray)
				out = append(out, g.Y)
			}
		}
	}
	return out
}

// Names have characters that the bundled cut leaves out: beyond the basic plane,
// of the extensions, and those that GBK kept in private use and the roster has
// since put where they belong. Each is drawn as itself by the system's font, none
// as the box or the blank that stands for a missing one.
func TestRareCharactersOfNamesAreDrawn(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(Theme{})
	const nobody = '\U0010FFFD' // private for ever: no font has it
	names := []rune{'𠮷', '㛃', '䶮'}
	for _, old := range []rune{'\uE863', '\uE831'} { // GBK's private use
		now := []rune(han.Present(string(old)))
		if len(now) != 1 || now[0] == old {
			t.Fatalf("%U is not mapped", old)
		}
		names = append(names, now[0])
	}
	for _, bold := range []bool{false, true} {
		missing := ink(t, nobody, bold)
		seen := map[string]rune{string(missing): nobody}
		for _, r := range names {
			drawn := ink(t, r, bold)
			if bytes.Equal(drawn, missing) {
				if r == names[0] {
					t.Skip("SKIPPED: this system has no font for rare characters (apt-get install fonts-noto-cjk)")
				}
				t.Errorf("%c (%U) is drawn as a missing character", r, r)
			}
			if other, twice := seen[string(drawn)]; twice && other != r {
				t.Errorf("%c (%U) is drawn as %U", r, r, other)
			}
			seen[string(drawn)] = r
		}
	}
}

// A whole name of them fits where names stand.
func TestRareNamesFit(t *testing.T) {
	for _, size := range []string{"1280x800", "1080x1920"} {
		b := newBench(t, testSizes[size])
		b.w.Show(sampleRare(sample(t, false, "06-eligible")))
		checkText(t, b, size, testSizes[size])
		if text := b.markup(); !strings.Contains(text, "𠮷㛃"+han.Present("\uE863")) || strings.Contains(text, "\uE863") {
			t.Errorf("the name is not written with characters that can be drawn:\n%s", text)
		}
	}
}

// sampleRare is v with a student whose name and number are shown in full, and
// whose name the bundled font cannot draw; its last character is as GBK wrote it.
func sampleRare(v booth.View) booth.View {
	s := *v.Student
	s.NameMasked, s.Revealed, s.NameFull, s.NumberFull = "𠮷*䶮", true, "𠮷㛃\uE863", "110105 1949 1231 002X"
	v.Student = &s
	return v
}
