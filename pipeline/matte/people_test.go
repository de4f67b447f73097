package matte_test

import (
	"errors"
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/infer"
	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

// liar says the same of every pixel, or fails.
type liar struct {
	says float32
	err  error
}

func (l liar) Person(_ *image.RGBA, dst []float32) error {
	for i := range dst {
		dst[i] = l.says
	}
	return l.err
}

// Before a wall that the person stands out from, no network, however wrong,
// overrules the plate; and one that fails is as good as none.
func TestPlateOutweighsPeople(t *testing.T) {
	s := mattetest.Compose(person(t, "student"), mattetest.Blue, small, 31)
	plate := plateOf(t, s)
	truth := s.Truth(480, 640)
	for name, p := range map[string]matte.People{"everywhere": liar{says: 1}, "nowhere": liar{}, "fails": liar{err: errors.New("no")}, "none": nil} {
		m := matte.New()
		m.People = p
		portrait := render(t, m, segment(t, m, s, plate), s)
		if sc := truth.Score(portrait.Alpha, portrait.RGBA, lightBlue); sc.MSE > 1.5 {
			t.Errorf("%s: MSE %.2f", name, sc.MSE)
		}
	}
}

// Without a plate, posters are told from people by what they look like.
func TestPeopleBeforePosters(t *testing.T) {
	nets := infer.New()
	defer nets.Close()
	cam := small
	cam.OffsetX = .12
	s := mattetest.Compose(person(t, "student"), mattetest.Office, cam, 32)
	truth := s.Truth(480, 640)
	var mse [2]float64
	for i, p := range []matte.People{nil, nets} {
		m := matte.New()
		m.People = p
		seg := segment(t, m, s, nil)
		portrait := render(t, m, seg, s)
		mse[i] = truth.Score(portrait.Alpha, portrait.RGBA, lightBlue).MSE
		if seg.Confidence > .7 || math.IsNaN(seg.Confidence) {
			t.Errorf("confidence %.2f without a plate", seg.Confidence)
		}
	}
	t.Logf("MSE %.1f alone, %.1f with the network", mse[0], mse[1])
	if mse[1] > 4 || mse[1] > mse[0]/3 {
		t.Errorf("MSE %.1f with the network, %.1f without", mse[1], mse[0])
	}
}

// A network takes the wall between the tips of the hair and a shoulder for body.
// Where the plate plainly shows the wall, that adds nothing to the person.
func TestPeopleAddNoWall(t *testing.T) {
	nets := infer.New()
	defer nets.Close()
	look := mattetest.RandomLook(910, mattetest.Blue.Colour) // a bob
	look.Pattern, look.Cloth = mattetest.Plain, near(mattetest.Blue.Colour, .95)
	cam := mattetest.Webcam
	cam.Noise, cam.Sharpen, cam.Denoise, cam.Exposure, cam.Tint = 2.5, 1, 2, -.03, -.01
	s := mattetest.NewBooth(mattetest.Blue, cam, 102).Photograph(look.Draw(), cam, 102006)
	plate, truth := plateOf(t, s), s.Truth(480, 640)
	var mse [2]float64
	for i, p := range []matte.People{nil, nets} {
		m := matte.New()
		m.People = p
		portrait := render(t, m, segment(t, m, s, plate), s)
		mse[i] = truth.Score(portrait.Alpha, portrait.RGBA, lightBlue).MSE
	}
	t.Logf("MSE %.2f alone, %.2f with the network", mse[0], mse[1])
	if mse[1] > mse[0]+.5 {
		t.Errorf("MSE %.2f alone, %.2f with the network", mse[0], mse[1])
	}
}

// Where clothes hardly stand out and the network sees a body in what the plate
// calls wall, the cut-out is doubted: one of them is wrong.
func TestDisputeIsDoubted(t *testing.T) {
	light := person(t, "student").Shirt("lightshirt", color.RGBA{220, 220, 218, 255})
	s := mattetest.Compose(light, mattetest.White, small, 34)
	plate := plateOf(t, s)
	for _, c := range []struct {
		name    string
		says    matte.People
		doubted bool
	}{{"none", nil, false}, {"nowhere", liar{}, false}, {"everywhere", liar{says: 1}, true}} {
		m := matte.New()
		m.People = c.says
		if got := segment(t, m, s, plate).Confidence; got < .5 != c.doubted {
			t.Errorf("%s: confidence %.2f", c.name, got)
		}
	}
}
