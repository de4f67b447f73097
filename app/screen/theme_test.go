package screen

import (
	"image/color"
	"math"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"github.com/go-text/typesetting/font"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/assets/icons"
)

// contrast is the ratio of WCAG 2.2.
func contrast(a, b color.NRGBA) float64 {
	lum := func(c color.NRGBA) float64 {
		lin := func(v uint8) float64 {
			s := float64(v) / 255
			if s <= 0.04045 {
				return s / 12.92
			}
			return math.Pow((s+0.055)/1.055, 2.4)
		}
		return 0.2126*lin(c.R) + 0.7152*lin(c.G) + 0.0722*lin(c.B)
	}
	x, y := lum(a), lum(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestTextStandsOutSevenToOne(t *testing.T) {
	pairs := map[string][2]color.NRGBA{
		"ink on ground": {colInk, colGround}, "ink on surface": {colInk, colSurface}, "ink on tint": {colInk, colTint},
		"muted on ground": {colMuted, colGround}, "muted on surface": {colMuted, colSurface},
		"brand on surface": {colBrand, colSurface}, "brand on ground": {colBrand, colGround}, "brand on tint": {colBrand, colTint},
		"white on brand": {colWhite, colBrand}, "white on pressed": {colWhite, colBrandHi}, "white on bad": {colWhite, colBad},
		"pressed on tint": {colBrandHi, colTint}, "disabled": {colOffText, colOff},
	}
	for _, l := range []booth.Level{booth.OK, booth.Note, booth.Warn, booth.Bad} {
		tn := toneOf(l)
		pairs[string(l)+" on its ground"] = [2]color.NRGBA{tn.text, tn.ground}
		pairs[string(l)+" on surface"] = [2]color.NRGBA{tn.text, colSurface}
		pairs[string(l)+" on the page"] = [2]color.NRGBA{tn.text, colGround}
	}
	for name, p := range pairs {
		if r := contrast(p[0], p[1]); r < 7 {
			t.Errorf("%s: %.2f:1, want 7:1", name, r)
		}
	}
}

func TestTheEmbeddedFontsHaveEveryCharacterWeShow(t *testing.T) {
	for _, res := range []fyne.Resource{fontRegular, fontBold} {
		face, err := font.ParseTTF(strings.NewReader(string(res.Content())))
		if err != nil {
			t.Fatalf("parse %s: %v", res.Name(), err)
		}
		b := newBench(t, fyne.NewSize(1280, 800))
		missing := map[rune]bool{}
		for _, lang := range []booth.Lang{booth.ZH, booth.EN} {
			for _, s := range append(Samples(lang), CrowdedSamples(lang)...) {
				b.w.Show(s.View)
				var lines []glyphs
				visibleText(b.w.content, fyne.NewPos(0, 0), false, &lines)
				for _, l := range lines {
					for _, r := range l.text {
						if _, ok := face.NominalGlyph(r); !ok {
							missing[r] = true
						}
					}
				}
			}
		}
		for r := range missing {
			t.Errorf("%s has no %q: add it to assets/fonts/extra.txt and run make-fonts.sh", res.Name(), r)
		}
	}
}

func TestEveryDrawingDraws(t *testing.T) {
	for _, name := range icons.Names() {
		s := newSign(name, colInk)
		s.img.Resize(fyne.NewSize(48, 48))
		if s.img.Image == nil {
			t.Errorf("drawing %q does not render", name)
		}
	}
	if newSign("no-such-drawing", colInk).img.Resource == nil {
		t.Error("a missing drawing has no stand-in")
	}
}

func TestWrapKeepsPunctuationAndWords(t *testing.T) {
	newBench(t, fyne.NewSize(1280, 800))
	tb := newText(20, false, colInk)
	for _, s := range []string{
		"提交后不能再修改。确认是本人、照片满意，再提交（谢谢）！", "Keep still and look at the camera, please.", "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW", "", "\n\n", "a  b",
	} {
		tb.set(s)
		for width := float32(10); width < 500; width += 13 {
			lines := tb.wrap(width, 20)
			joined := strings.Join(lines, "")
			if got, want := strings.ReplaceAll(joined, " ", ""), strings.NewReplacer(" ", "", "\n", "").Replace(s); got != want {
				t.Fatalf("width %.0f: %q became %q", width, s, lines)
			}
			for i, l := range lines {
				if r := []rune(l); i > 0 && len(r) > 0 && strings.ContainsRune(noLineStart, r[0]) {
					t.Errorf("width %.0f: a line begins with %q", width, r[0])
				}
			}
		}
	}
}
