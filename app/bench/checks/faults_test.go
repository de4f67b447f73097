package checks

import (
	"image/color"
	"math"
)

// ladder is one fault in growing size. Its steps go from none to hopeless.
type ladder struct {
	name, unit string
	id         string // the check that must name it
	steps      []float64
	// limit is the size at which the rule says it must be noticed: beyond it a
	// silent check is a miss, up to half of it a warning is a false alarm.
	limit float64
	// falling: smaller steps are worse.
	falling bool
	apply   func(s *shot, step float64)
	// also lists the checks that see the same fault from another side.
	also []string
	// real: also on people other than the student, whose faces are photographs.
	real bool
}

func (l *ladder) beyond(step float64) bool {
	if l.falling {
		return step < l.limit
	}
	return step > l.limit
}

// harmless tells whether a step is so far inside the limit that a warning
// would be wrong.
func (l *ladder) harmless(step float64) bool {
	first := l.steps[0]
	return math.Abs(step-first) <= math.Abs(l.limit-first)/2
}

// Brushes.

var (
	lash  = color.NRGBA{38, 28, 24, 255}
	mouth = color.NRGBA{48, 18, 18, 255}
	black = color.NRGBA{26, 22, 20, 255}
)

// near reads the cut-out's colour at a point.
func near(p *person, u, v float64) color.NRGBA {
	x, y := int(p.x+u*p.ied), int(p.y+v*p.ied)
	var r, g, b, n int
	d := max(int(.03*p.ied), 1)
	for j := y - d; j <= y+d; j++ {
		for i := x - d; i <= x+d; i++ {
			c := p.img.NRGBAAt(i, j)
			r, g, b, n = r+int(c.R), g+int(c.G), b+int(c.B), n+1
		}
	}
	return color.NRGBA{uint8(r / n), uint8(g / n), uint8(b / n), 255}
}

// eyelids lowers the upper lids over a share of the eyes' opening.
func eyelids(p *person, share float64) brush {
	var skin [2]color.NRGBA
	for i, side := range []float64{-1, 1} {
		skin[i] = near(p, side*.5, p.lids[1]+.13)
	}
	height := p.lids[1] - p.lids[0]
	return func(u, v float64, c color.NRGBA) color.NRGBA {
		if share <= 0 {
			return c
		}
		i := 0
		if u > 0 {
			i = 1
		}
		du := math.Abs(u) - .5
		if math.Abs(du) > p.eyeDu*1.15 {
			return c
		}
		bow := 1 - du*du/(1.3*p.eyeDu*p.eyeDu) // both lids are bows
		top := p.lids[0]*bow - .05
		edge := p.lids[0]*bow + share*height*bow
		soft := .012
		if v > top && v < edge+.02 {
			t := min((v-top)/.03, 1) * min((edge-v)/soft+1, 1) * min((p.eyeDu*1.15-math.Abs(du))/.03, 1)
			c = mixed(c, skin[i], t)
		}
		if d := math.Abs(v - edge); d < .028 {
			c = mixed(c, lash, (1-d/.028)*min((p.eyeDu*1.15-math.Abs(du))/.05, 1))
		}
		return c
	}
}

// aside moves the irises to the right of the picture, in eye distances; a tenth
// is an eye turned by some 30°.
func aside(by float64) func(u, v float64) (float64, float64) {
	return func(u, v float64) (float64, float64) {
		a, b := (math.Abs(u)-.5)/.2, v/.07
		if r := a*a + b*b; r < 1 {
			return u - by*(1-r*r), v
		}
		return u, v
	}
}

// open parts the lips by a height in eye distances: the line between them is
// painted dark, and then drawn out.
func open(s *shot, height float64) {
	if height <= 0 {
		return
	}
	p, half := s.who, height/2
	s.paint = append(s.paint, func(u, v float64, c color.NRGBA) color.NRGBA {
		if d := math.Abs(v - p.mouth[1]); d < .008 && math.Abs(u-p.mouth[0]) < .36 {
			return mixed(c, mouth, 1.5-d/.008)
		}
		return c
	})
	s.shape = func(u, v float64) (float64, float64) {
		du, d := (u-p.mouth[0])/.34, v-p.mouth[1]
		gap := half * math.Sqrt(max(1-du*du, 0))
		if math.Abs(d) <= gap {
			return u, p.mouth[1]
		}
		// Lips and chin give way; half an eye distance further nothing has moved.
		beyond := math.Abs(d) - gap
		return u, p.mouth[1] + math.Copysign(beyond+gap*min(beyond/.5, 1), d)
	}
}

// halfShadow darkens the side of the face on the right of the picture.
func halfShadow(loss float64) brush {
	return func(u, v float64, c color.NRGBA) color.NRGBA {
		if v > 2.1 {
			return c
		}
		t := 1 / (1 + math.Exp(-(u-.02)/.09))
		k := 1 - loss*t
		return lit(c, k, k, k)
	}
}

// clothes recolours what is worn, folds kept. share is how much of it, from the
// bottom up.
func clothes(p *person, to rgb) brush {
	return cloth(p, func(_, _ float64) (rgb, bool) { return to, true })
}

func cloth(p *person, colour func(u, v float64) (rgb, bool)) brush {
	return func(u, v float64, c color.NRGBA) color.NRGBA {
		if !worn(p, u, v, c) {
			return c
		}
		to, ok := colour(u, v)
		if !ok {
			return c
		}
		l := (float64(c.R) + float64(c.G) + float64(c.B)) / 3
		k := 1 + .04*math.Tanh((l-70)/50)
		return rgb{to[0] * k, to[1] * k, to[2] * k}.nrgba(c.A)
	}
}

// worn tells clothes from skin.
func worn(p *person, u, v float64, c color.NRGBA) bool {
	if v < p.chinV-.35 {
		return false
	}
	sat := int(max(c.R, c.G, c.B)) - int(min(c.R, c.G, c.B))
	skin := c.R > c.G && c.G >= c.B && sat > 28 && c.R > 80
	if math.Abs(u) < .95 && v < p.chinV+.9 && skin {
		return false
	}
	return v > p.chinV+.05 || math.Abs(u) > .72 && v > p.chinV-.2
}

// spectacles draws frames and lenses that let a share of the light through.
func spectacles(r, g, b float64, rim color.NRGBA) brush {
	return func(u, v float64, c color.NRGBA) color.NRGBA {
		d := math.Hypot((math.Abs(u)-.5)/1.1, v-.06)
		switch {
		case d < .34:
			return lit(c, r, g, b)
		case d < .37, math.Abs(v+.04) < .02 && math.Abs(u) < .14, math.Abs(v+.02) < .02 && math.Abs(u) > .87 && math.Abs(u) < 1.15:
			return rim
		}
		return c
	}
}

// glare is a lamp mirrored in both lenses: a bar of so much of the eye region.
func glare(share float64) brush {
	// The region is .66 × .5 eye distances; the bar is three times as wide as high.
	h := math.Sqrt(share * .66 * .5 / 3)
	return func(u, v float64, c color.NRGBA) color.NRGBA {
		if share <= 0 {
			return c
		}
		du, dv := math.Abs(math.Abs(u)-.56), math.Abs(v+.03)
		if du < 1.5*h && dv < h/2 {
			return mixed(c, color.NRGBA{255, 255, 255, 255}, min((1.5*h-du)/.01, (h/2-dv)/.01, 1)*.98)
		}
		return c
	}
}

// fringe lets hair hang over a share of the forehead, in strands.
func fringe(p *person, share float64) brush {
	brow := -.32
	edge := p.hair + share*(brow-p.hair)
	return func(u, v float64, c color.NRGBA) color.NRGBA {
		if share <= 0 || math.Abs(u) > .98 || v < p.hair-.25 || c.A < 128 {
			return c
		}
		ragged := .04 * math.Sin(u*41) * math.Sin(u*17+1)
		if v < edge+ragged {
			k := 1 + .35*math.Sin(u*90+v*3)
			return mixed(c, color.NRGBA{uint8(34 * k), uint8(26 * k), uint8(22 * k), 255}, min((edge+ragged-v)/.03, 1))
		}
		return c
	}
}

// sideHair covers a share of the ears' height from above.
func sideHair(share float64) brush {
	return func(u, v float64, c color.NRGBA) color.NRGBA {
		if share <= 0 || math.Abs(u) < .92 || v < -.7 || v > -.12+share*.85 {
			return c
		}
		k := 1 + .3*math.Sin(math.Abs(u)*80+v*4)
		return color.NRGBA{uint8(32 * k), uint8(25 * k), uint8(21 * k), c.A}
	}
}

// sloping lowers the shoulder on the right of the picture by so many degrees.
func sloping(p *person, deg float64) func(u, v float64) (float64, float64) {
	slope := math.Tan(deg * math.Pi / 180)
	return func(u, v float64) (float64, float64) {
		t := min(max((v-p.chinV+.25)/.3, 0), 1)
		return u, v - u*slope*t
	}
}

// smile lifts the corners of the mouth and widens it; 1 is broad.
func smile(p *person, size float64) func(u, v float64) (float64, float64) {
	return func(u, v float64) (float64, float64) {
		du, dv := u-p.mouth[0], v-p.mouth[1]
		w := math.Exp(-dv * dv / (.3 * .3))
		wide := 1 + .3*size*w*math.Exp(-du*du/(.7*.7))
		lift := .17 * size * w * (1 - math.Exp(-du*du/(.3*.3))) * math.Exp(-math.Pow(max(math.Abs(du)-.5, 0)/.2, 2))
		return p.mouth[0] + du/wide, v + lift - .06*size*w*math.Exp(-du*du/(.25*.25))
	}
}

var (
	target = srgb(100, 197, 255) // the new backdrop of the default standard
	navy   = srgb(28, 36, 74)
	slate  = srgb(58, 58, 60)
)

func stops(ev float64) rgb { k := math.Exp2(ev); return rgb{k, k, k} }

func ladders() []ladder {
	seq := func(from, to, step float64) (v []float64) {
		for i := 0; ; i++ {
			x := from + float64(i)*step
			if step > 0 && x > to+1e-9 || step < 0 && x < to-1e-9 {
				return v
			}
			v = append(v, math.Round(x*1e4)/1e4)
		}
	}
	return []ladder{
		{
			name: "head tilted", unit: "°", id: "roll", steps: seq(0, 15, 1), limit: 3, real: true,
			apply: func(s *shot, x float64) { s.roll = x },
			also:  []string{"shoulders_level", "expression", "background_shadow", "half_body", "ears_visible", "yaw", "centred", "face_width", "cutout", "pitch"},
		},
		{
			name: "head tilted, other way", unit: "°", id: "roll", steps: seq(0, -15, -1), limit: -3, falling: true, real: true,
			apply: func(s *shot, x float64) { s.roll = x },
			also:  []string{"shoulders_level", "expression", "background_shadow", "half_body", "ears_visible", "yaw", "centred", "face_width", "cutout", "pitch"},
		},
		{
			name: "looking aside", unit: "°", id: "yaw", steps: seq(0, 24, 2), limit: 6, real: true,
			apply: func(s *shot, x float64) { s.yaw = x },
			also:  []string{"ears_visible", "illumination_even", "expression", "glasses_tinted", "centred", "face_width", "forehead_visible", "background_shadow", "pitch", "roll", "eyes_open", "single_face", "gaze"},
		},
		{
			name: "looking aside, other way", unit: "°", id: "yaw", steps: seq(0, -24, -2), limit: -6, falling: true, real: true,
			apply: func(s *shot, x float64) { s.yaw = x },
			also:  []string{"ears_visible", "illumination_even", "expression", "glasses_tinted", "centred", "face_width", "forehead_visible", "background_shadow", "pitch", "roll", "eyes_open", "single_face", "gaze"},
		},
		{
			name: "chin raised", unit: "°", id: "pitch", steps: seq(0, 24, 3), limit: 12, real: true,
			apply: func(s *shot, x float64) { s.pitch = x },
			also:  []string{"expression", "eyes_open", "forehead_visible", "mouth_closed", "background_shadow", "sharpness", "ears_visible"},
		},
		{
			name: "chin lowered", unit: "°", id: "pitch", steps: seq(0, -24, -3), limit: -12, falling: true, real: true,
			apply: func(s *shot, x float64) { s.pitch = x },
			also:  []string{"expression", "eyes_open", "forehead_visible", "mouth_closed", "background_shadow", "sharpness", "ears_visible"},
		},
		{
			name: "eyes aside", unit: "IED", id: "gaze", steps: seq(0, .14, .02), limit: .1,
			apply: func(s *shot, x float64) { s.shape = aside(x) },
		},
		{
			name: "eyelids lowered", unit: "share", id: "eyes_open", steps: seq(0, 1, .1), limit: .8, real: true,
			apply: func(s *shot, x float64) { s.paint = append(s.paint, eyelids(s.who, x)) },
			also:  []string{"pitch", "sharpness"},
		},
		{
			name: "mouth open", unit: "IED", id: "mouth_closed", steps: seq(0, .3, .03), limit: .1,
			apply: func(s *shot, x float64) { open(s, x) },
			also:  []string{"expression", "pitch"},
		},
		{
			name: "smile", unit: "", id: "expression", steps: seq(0, 1.2, .2), limit: .7,
			apply: func(s *shot, x float64) { s.shape = smile(s.who, x) },
			also:  []string{"mouth_closed", "pitch"},
		},
		{
			name: "too dark", unit: "EV", id: "luminance_mean", steps: seq(0, -3, -.25), limit: -1.5, falling: true, real: true,
			apply: func(s *shot, x float64) { s.gain = stops(x) },
			also:  []string{"under_exposed", "dynamic_range", "luminance_variance", "sharpness", "clothing_blue", "natural_colour", "subject_contrast", "plate", "background_shadow", "forehead_visible", "ears_visible", "eyes_open", "clothing_not_background", "cutout"},
		},
		{
			name: "too bright", unit: "EV", id: "over_exposed", steps: seq(0, 3, .25), limit: 1.5, real: true,
			apply: func(s *shot, x float64) { s.gain = stops(x) },
			also:  []string{"luminance_mean", "natural_colour", "luminance_variance", "dynamic_range", "plate", "illumination_even", "subject_contrast", "mouth_closed", "glasses_glare", "ears_visible", "forehead_visible", "eyes_open", "cutout", "background_shadow", "sharpness", "glasses_tinted", "single_face", "background_uniform"},
		},
		{
			name: "half the face in shadow", unit: "% of light", id: "illumination_even", steps: seq(0, 70, 10), limit: 40, real: true,
			apply: func(s *shot, x float64) { s.paint = append(s.paint, halfShadow(x/100)) },
			also:  []string{"luminance_mean", "under_exposed", "luminance_variance", "ears_visible"},
		},
		{
			name: "blue cast", unit: "EV blue over red", id: "natural_colour", steps: seq(0, 2, .25), limit: 1,
			apply: func(s *shot, x float64) { s.gain = rgb{math.Exp2(-x / 2), 1, math.Exp2(x / 2)} },
			also:  []string{"clothing_blue", "plate", "ears_visible", "forehead_visible", "luminance_mean", "over_exposed", "mouth_closed", "eyes_open", "clothing_not_background", "cutout", "subject_contrast"},
		},
		{
			name: "yellow cast", unit: "EV red over blue", id: "natural_colour", steps: seq(0, 3, .25), limit: 2,
			apply: func(s *shot, x float64) { s.gain = rgb{math.Exp2(x / 3), 1, math.Exp2(-2 * x / 3)} },
			also:  []string{"plate", "ears_visible", "forehead_visible", "over_exposed", "mouth_closed", "glasses_tinted", "eyes_open", "clothing_not_background", "cutout", "subject_contrast", "illumination_even", "clothing_plain"},
		},
		{
			name: "blur", unit: "σ, portrait px", id: "sharpness", steps: seq(0, 4, .25), limit: 2, real: true,
			apply: func(s *shot, x float64) { s.blur = x * s.ied / 100 },
			also:  []string{"eyes_open"},
		},
		{
			name: "blue clothes", unit: "share", id: "clothing_blue", steps: seq(0, .6, .05), limit: .2,
			apply: func(s *shot, x float64) { s.paint = append(s.paint, bluePart(s.who, x)) },
			also:  []string{"clothing_plain", "clothing_not_background"},
		},
		{
			name: "clothes near the new backdrop", unit: "ΔE00", id: "clothing_not_background", steps: seq(44, 0, -4), limit: 20, falling: true,
			apply: func(s *shot, x float64) {
				s.paint = append(s.paint, clothes(s.who, awayFrom(target, srgb(70, 70, 40), x)))
			},
			also: []string{"clothing_blue", "subject_contrast", "clothing_plain", "cutout"},
		},
		{
			name: "clothes near the wall", unit: "ΔE00", id: "subject_contrast", steps: seq(30, 0, -3), limit: 10, falling: true,
			apply: func(s *shot, x float64) {
				s.paint = append(s.paint, clothes(s.who, awayFrom(s.wall.colour, slate, x)))
			},
			also: []string{"cutout", "clothing_plain", "half_body", "shoulders_level", "clothing_not_background", "clothing_blue", "background_shadow"},
		},
		{
			name: "checked clothes", unit: "contrast", id: "clothing_plain", steps: seq(0, .5, .05), limit: .25,
			apply: func(s *shot, x float64) { s.paint = append(s.paint, checked(s.who, x)) },
			also:  []string{"subject_contrast"},
		},
		{
			name: "shadow on the wall", unit: "% of light", id: "background_shadow", steps: seq(0, 50, 5), limit: 15, real: true,
			apply: func(s *shot, x float64) { s.shade = x / 100 },
			also:  []string{"cutout", "subject_contrast", "background_uniform", "half_body", "shoulders_level"},
		},
		{
			name: "striped wall", unit: "% of light", id: "background_uniform", steps: seq(0, 80, 10), limit: 50,
			apply: func(s *shot, x float64) { s.wall.stripes = x / 100 },
			also:  []string{"subject_contrast", "background_shadow", "cutout", "clothing_plain"},
		},
		{
			name: "second person", unit: "area ratio", id: "single_face", steps: []float64{0, .02, .04, .06, .08, .12, .16, .2, .3, .5, .8}, limit: .1, real: true,
			apply: func(s *shot, x float64) {
				s.eyeX, s.second = 880, math.Sqrt(x)
				s.secondX, s.secondY = 290, 400
			},
			also: []string{"background_uniform", "cutout", "background_shadow", "half_body", "plate", "subject_contrast", "shoulders_level", "centred"},
		},
		{
			name: "far away", unit: "px between the pupils", id: "inter_eye_distance", steps: seq(140, 40, -10), limit: 90, falling: true,
			apply: func(s *shot, x float64) { s.ied = x },
			also:  []string{"face_width", "crown_margin", "eye_line", "sharpness", "cutout"},
		},
		{
			name: "head cut above", unit: "px above the crown", id: "crown_margin", steps: seq(120, -60, -20), limit: 70, falling: true, real: true,
			apply: func(s *shot, x float64) {
				s.ied = 150
				s.eyeY = x + crown(s.who)*s.ied
			},
			also: []string{"eye_line", "face_width", "half_body", "background_shadow"},
		},
		{
			name: "at the frame's edge", unit: "IED to the edge", id: "centred", steps: []float64{3.2, 2.8, 2.4, 2.0, 1.4, 1.2, 1.0, .8}, limit: 1.6, falling: true, real: true,
			apply: func(s *shot, x float64) { s.eyeX = x * s.ied },
			also:  []string{"half_body", "shoulders_level", "face_width", "single_face", "cutout", "background_shadow", "ears_visible", "eye_line", "crown_margin"},
		},
		{
			name: "tinted glasses", unit: "% of light", id: "glasses_tinted", steps: seq(0, 90, 10), limit: 55, real: true,
			apply: func(s *shot, x float64) {
				k := 1 - x/100
				s.paint = append(s.paint, spectacles(k, k, k, black))
			},
			also: []string{"eyes_open", "illumination_even", "under_exposed", "sharpness", "natural_colour"},
		},
		{
			name: "glare", unit: "share of the eye region", id: "glasses_glare", steps: seq(0, .2, .02), limit: .04,
			apply: func(s *shot, x float64) {
				s.paint = append(s.paint, spectacles(.96, .96, .96, black), glare(x))
			},
			also: []string{"over_exposed", "eyes_open", "sharpness", "roll", "pitch"},
		},
		{
			name: "fringe", unit: "share of the forehead", id: "forehead_visible", steps: seq(0, 1, .1), limit: .55,
			apply: func(s *shot, x float64) { s.paint = append(s.paint, fringe(s.who, x)) },
			also:  []string{"under_exposed", "illumination_even", "luminance_mean"},
		},
		{
			name: "hair over the ears", unit: "share of the ear", id: "ears_visible", steps: seq(0, 1, .1), limit: .65,
			apply: func(s *shot, x float64) { s.paint = append(s.paint, sideHair(x)) },
			also:  []string{"face_width"},
		},
		{
			name: "shoulder dropped", unit: "°", id: "shoulders_level", steps: seq(0, 14, 1), limit: 4,
			apply: func(s *shot, x float64) { s.shape = sloping(s.who, x) },
			also:  []string{"half_body"},
		},
	}
}

// bluePart dyes the lower part of the clothes navy, about a share of what is
// seen of them.
func bluePart(p *person, share float64) brush {
	return cloth(p, func(u, _ float64) (rgb, bool) {
		if (u+2.4)/4.8 < share {
			return navy, true
		}
		return slate, true
	})
}

// checked is a table cloth.
func checked(p *person, contrast float64) brush {
	return func(u, v float64, c color.NRGBA) color.NRGBA {
		if !worn(p, u, v, c) {
			return c
		}
		k := 1 - contrast
		if (int(math.Floor(u*9))+int(math.Floor(v*9)))%2 == 0 {
			k = 1 + contrast
		}
		base := srgb(110, 104, 100)
		return rgb{base[0] * k, base[1] * k, base[2] * k}.nrgba(c.A)
	}
}

// crown is the distance from the eyes to the top of the hair in eye distances.
func crown(p *person) float64 {
	x := int(p.x)
	for y := range p.img.Rect.Dy() {
		if p.img.NRGBAAt(x, y).A > 128 {
			return (p.y - float64(y)) / p.ied
		}
	}
	return 0
}
