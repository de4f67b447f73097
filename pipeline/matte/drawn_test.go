package matte_test

import (
	"image/color"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

// webcam is mattetest.Webcam at the size of small.
func webcam() mattetest.Camera {
	cam := small
	cam.Noise, cam.Denoise, cam.Sharpen, cam.Chroma422, cam.Bounce, cam.Jitter, cam.Plates = 2.5, 2.5, .7, true, .05, .02, 8
	return cam
}

// What a body prior would fill stays open: the wall between hair and neck, and
// between arms and body; a cloud of curls is a mixture all through.
func TestOpenings(t *testing.T) {
	navy, black := color.RGBA{34, 44, 82, 255}, color.RGBA{24, 22, 24, 255}
	skin := color.RGBA{206, 158, 124, 255}
	for _, c := range []struct {
		look mattetest.Look
		wall mattetest.Backdrop
		mse  float64
		gap  float64 // mean alpha of what is wall inside the person's bounds
	}{
		{mattetest.Look{Name: "long", Skin: skin, Hair: mattetest.Long, Dye: black, Cloth: navy, Seed: 1}, mattetest.Grey, 2, .02},
		{mattetest.Look{Name: "arms", Skin: skin, Hair: mattetest.Short, Dye: black, Cloth: navy, Pose: mattetest.ArmsOut, Build: .9, Seed: 2}, mattetest.Grey, 1, .01},
		{mattetest.Look{Name: "curls", Skin: skin, Hair: mattetest.Frizzy, Dye: black, Cloth: navy, Seed: 3}, mattetest.Blue, 2, .02},
	} {
		s := mattetest.Compose(c.look.Draw(), c.wall, webcam(), 21)
		m := matte.New()
		p := render(t, m, segment(t, m, s, plateOf(t, s)), s)
		truth := s.Truth(480, 640)
		sc := truth.Score(p.Alpha, p.RGBA, lightBlue)
		var sum, n float64
		for i, a := range truth.Alpha {
			if a < .01 && i/480 > 150 && i%480 > 60 && i%480 < 420 {
				sum += float64(p.Alpha.Pix[i]) / 255
				n++
			}
		}
		t.Logf("%s: MSE %.2f, gaps %.4f", s.Name, sc.MSE, sum/n)
		if sc.MSE > c.mse || sum/n > c.gap {
			t.Errorf("%s: MSE %.2f (at most %v), mean alpha %.4f where the wall is seen (at most %v)", s.Name, sc.MSE, c.mse, sum/n, c.gap)
		}
	}
}

// However clear head and right shoulder are: with the left one lost in the wall
// the cut-out is no good, and must say so.
func TestLostShoulder(t *testing.T) {
	s := mattetest.Compose(person(t, "student"), mattetest.White, small, 14)
	for y := int(s.Face.ChinY + .1*s.Face.H); y < s.Frame.Rect.Dy(); y++ {
		for x := range int(s.Face.X + .3*s.Face.W) {
			s.Frame.SetRGBA(x, y, s.Plates[0].RGBAAt(x, y))
		}
	}
	if seg := segment(t, matte.New(), s, plateOf(t, s)); seg.Confidence >= .5 {
		t.Errorf("confidence %.2f", seg.Confidence)
	}
}

// What the wall throws on the rim is taken away: before another target no rim
// of the wall's colour is left.
func TestNoColouredRim(t *testing.T) {
	cam := webcam()
	cam.Bounce = .15
	grey := mattetest.Look{Name: "grey", Skin: color.RGBA{206, 158, 124, 255}, Hair: mattetest.Short, Dye: color.RGBA{60, 60, 60, 255}, Cloth: color.RGBA{70, 70, 70, 255}, Seed: 5}
	s := mattetest.Compose(grey.Draw(), mattetest.Green, cam, 22)
	m := matte.New()
	seg := segment(t, m, s, plateOf(t, s))
	p, err := m.Render(seg, s.Crop, 480, 640, color.RGBA{255, 255, 255, 255}, false)
	if err != nil {
		t.Fatal(err)
	}
	truth := s.Truth(480, 640)
	var sum, n float64
	for i, a := range truth.Alpha {
		if a > .1 && a < .9 && i/480 > 420 { // the rim of the clothes, grey on white
			q := p.RGBA.Pix[4*i:]
			sum += float64(q[1]) - (float64(q[0])+float64(q[2]))/2
			n++
		}
	}
	t.Logf("green of the rim: %.1f over %.0f px", sum/n, n)
	if n < 50 || sum/n > 10 {
		t.Errorf("the rim is %.1f levels greener than grey over %.0f px", sum/n, n)
	}
}
