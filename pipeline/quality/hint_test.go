package quality

import (
	"image"
	"image/color"
	"math"
	"testing"
)

// TestHeadwearIsHinted: only a person can vouch for the rule, but a ribbon or a
// cap of a strong colour is pointed out, and hair of any colour is not.
func TestHeadwearIsHinted(t *testing.T) {
	hair := func(r, g, b float64) func(*image.NRGBA) {
		return func(p *image.NRGBA) {
			each(p, func(u, v float64, c color.NRGBA) color.NRGBA {
				if v < -.55 && c.R < 95 {
					// The student's own hair is a greenish black; keep its light alone.
					l := (float64(c.R) + float64(c.G) + float64(c.B)) / 3
					return color.NRGBA{uint8(min(l*r, 255)), uint8(min(l*g, 255)), uint8(min(l*b, 255)), c.A}
				}
				return c
			})
		}
	}
	for name, tt := range map[string]struct {
		paint func(*image.NRGBA)
		hint  bool
	}{
		"nothing":    {nil, false},
		"brown hair": {hair(2.2, 1.6, 1), false},
		"fair hair":  {hair(4.6, 3.8, 2.6), false},
		"grey hair":  {hair(4, 4.4, 4.8), false},
		"ribbon": {func(p *image.NRGBA) {
			each(p, func(u, v float64, c color.NRGBA) color.NRGBA {
				if math.Abs(v+1.42-.18*u*u) < .09 {
					return color.NRGBA{220, 40, 120, c.A}
				}
				return c
			})
		}, true},
		"cap": {func(p *image.NRGBA) {
			each(p, func(_, v float64, c color.NRGBA) color.NRGBA {
				if v < -.8 {
					return color.NRGBA{30, 120, 60, c.A}
				}
				return c
			})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(portrait(t, "student.png"))
			s.paint = tt.paint
			m := measured(New().Full(s.input(t)))[Headwear]
			if !m.Manual || m.Known || (m.Hint > .5) != tt.hint {
				t.Errorf("%s, want a hint %v", describe(m), tt.hint)
			}
		})
	}
}
