package matte_test

import (
	"image/color"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

// A cut-out that went wrong says so, one that went well does not: below ½ the
// check cutout warns.
func TestDoubts(t *testing.T) {
	tan, black, grey := color.RGBA{206, 158, 124, 255}, color.RGBA{24, 22, 24, 255}, color.RGBA{172, 170, 168, 255}
	navy := color.RGBA{34, 44, 82, 255}
	for _, c := range []struct {
		look   mattetest.Look
		wall   mattetest.Backdrop
		doubts bool
	}{
		{mattetest.Look{Name: "dark hair", Skin: tan, Hair: mattetest.Short, Dye: black, Cloth: navy, Seed: 31}, mattetest.Grey, false},
		{mattetest.Look{Name: "loose hair", Skin: tan, Hair: mattetest.Bun, Dye: black, Cloth: navy, Seed: 32}, mattetest.White, false},
		{mattetest.Look{Name: "grey curls", Skin: tan, Hair: mattetest.Frizzy, Dye: grey, Cloth: navy, Seed: 33}, mattetest.Grey, true},
		{mattetest.Look{Name: "wall's own clothes", Skin: tan, Hair: mattetest.Short, Dye: black, Cloth: color.RGBA{148, 149, 150, 255}, Seed: 34}, mattetest.Grey, true},
	} {
		s := mattetest.Compose(c.look.Draw(), c.wall, webcam(), 24)
		m := matte.New()
		p := render(t, m, segment(t, m, s, plateOf(t, s)), s)
		sc := s.Truth(480, 640).Score(p.Alpha, p.RGBA, lightBlue)
		t.Logf("%s: MSE %.2f, confidence %.2f", s.Name, sc.MSE, p.Confidence)
		if (p.Confidence < warnBelow) != c.doubts {
			t.Errorf("%s: confidence %.2f, MSE %.2f", s.Name, p.Confidence, sc.MSE)
		}
	}
}
