package matte_test

import (
	"image/color"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

// Cloth and skin whose colour lies near the line between the wall and other
// parts of the person are no mixture: a sleeve striped in a darker shade of the
// wall's colour, and a collar lit in it.
func TestClothIsNoHair(t *testing.T) {
	tan, black := color.RGBA{206, 158, 124, 255}, color.RGBA{24, 22, 24, 255}
	striped := mattetest.Look{
		Name: "striped", Skin: tan, Hair: mattetest.Short, Dye: black, Cloth: color.RGBA{236, 232, 224, 255},
		Second: color.RGBA{66, 98, 72, 255}, Pattern: mattetest.Striped, Pose: mattetest.HandUp, Seed: 6,
	}
	tinted := person(t, "student").Recolour("tinted", [3]float64{.8, .82, .95}, [3]float64{.45, .55, .9})
	for _, c := range []struct {
		who  *mattetest.Person
		wall mattetest.Backdrop
	}{
		{striped.Draw(), mattetest.Green},
		{tinted, mattetest.Blue},
	} {
		s := mattetest.Compose(c.who, c.wall, webcam(), 23)
		m := matte.New()
		p := render(t, m, segment(t, m, s, plateOf(t, s)), s)
		truth := s.Truth(480, 640)
		lost, solid := 0, 0
		for i, a := range truth.Alpha {
			if a > .999 && i/480 > 200 {
				solid++
				if p.Alpha.Pix[i] < 200 {
					lost++
				}
			}
		}
		share := float64(lost) / float64(solid)
		t.Logf("%s: %.2f %% of the solid person is lost", s.Name, 100*share)
		if share > .01 {
			t.Errorf("%s: %.2f %% of the solid person is lost", s.Name, 100*share)
		}
	}
}
