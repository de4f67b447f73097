package matte_test

import (
	"image/color"
	"math/rand/v2"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

// blindBooths were laid down before the last round of work on the method and
// measured once, when it was done. Three of every five scenes show real people:
// mirrored or not, larger or smaller, leaning a little, in other clothes, hair and
// skin, half of them with single hairs standing off; the others are drawn. The
// walls have colours that no other set has, and creases; lamps fall off steeply,
// exposure and white balance stray further than elsewhere.
func blindBooths(t testing.TB) []booth {
	const (
		firstLook = 61000
		firstWall = 6100
	)
	known := []string{"student", "astronaut", "glasses", "whitehair"}
	walls := []mattetest.Backdrop{
		{Name: "white", Colour: [3]float64{226, 230, 236}, Slope: .18, Texture: .007, Creases: 6},
		{Name: "cream", Colour: [3]float64{222, 212, 190}, Slope: .12, Texture: .01, Creases: 4},
		{Name: "sky", Colour: [3]float64{122, 174, 222}, Slope: .2, Texture: .008, Creases: 5},
		{Name: "slate", Colour: [3]float64{104, 108, 114}, Slope: .14, Texture: .012, Creases: 3},
		{Name: "mint", Colour: [3]float64{132, 194, 152}, Slope: .1, Texture: .009, Creases: 6},
		{Name: "red", Colour: [3]float64{176, 58, 52}, Slope: .16, Texture: .008, Creases: 2},
	}
	var out []booth
	for i, wall := range walls {
		rng := rand.New(rand.NewPCG(firstWall, uint64(i)))
		cam := mattetest.Webcam
		cam.Noise, cam.Sharpen, cam.Denoise = 2.2+1.4*rng.Float64(), .4+.7*rng.Float64(), 1.8+1.4*rng.Float64()
		b := booth{set: setBlind, wall: wall, cam: cam, seed: uint64(firstWall + i)}
		for k := range 5 {
			c := cam
			c.Face = 310 + 120*rng.Float64()
			c.OffsetX = .4*rng.Float64() - .2
			c.Exposure, c.Tint = .08*rng.Float64()-.04, .05*rng.Float64()-.025
			c.Shadow = .06 + .1*rng.Float64()
			if k >= 3 {
				b.visits = append(b.visits, visit{look: mattetest.RandomLook(firstLook+10*uint64(i)+uint64(k), wall.Colour), cam: c})
				continue
			}
			who := person(t, known[(i+k)%len(known)])
			if rng.IntN(2) == 0 {
				who = who.Mirror()
			}
			who = who.Lean(6*rng.Float64() - 3)
			var skin, hair [3]float64
			for ch := range hair {
				skin[ch], hair[ch] = .75+.25*rng.Float64(), .5+.5*rng.Float64()
			}
			cloth := color.RGBA{uint8(24 + rng.IntN(220)), uint8(24 + rng.IntN(220)), uint8(24 + rng.IntN(220)), 255}
			switch rng.IntN(3) {
			case 0: // as photographed
			case 1:
				who = who.Recolour("hair", skin, hair)
			default:
				who = who.Recolour("hair", skin, hair).Shirt("shirt", cloth)
			}
			if rng.IntN(2) == 0 {
				who = who.Strands(60+rng.IntN(140), rng.Uint64())
			}
			b.visits = append(b.visits, visit{who: who, cam: c})
		}
		out = append(out, b)
	}
	return place(out)
}
