package quality

import (
	"image"
	"image/color"
	"math"
	"slices"
	"testing"
)

// limits are those recommended for the default standard at the head of
// assets/specs/checks.toml, warnings included: what a good photo must keep and
// a bad one must leave.
var limits = map[string][2]float64{
	SingleFace:            {math.Inf(-1), .1},
	Roll:                  {-3, 3},
	Yaw:                   {-6, 6},
	Pitch:                 {-12, 12},
	InterEyeDistance:      {90, math.Inf(1)},
	EyeLine:               {200, 300},
	FaceWidth:             {180, 300},
	Centred:               {-14, 14},
	HalfBody:              {.6, math.Inf(1)},
	ShouldersLevel:        {-4, 4},
	EyesOpen:              {.035, math.Inf(1)},
	MouthClosed:           {math.Inf(-1), .04},
	Expression:            {math.Inf(-1), .5},
	EarsVisible:           {.5, math.Inf(1)},
	ForeheadVisible:       {.6, math.Inf(1)},
	GlassesTinted:         {math.Inf(-1), .5},
	GlassesGlare:          {math.Inf(-1), .02},
	ClothingNotBackground: {20, math.Inf(1)},
	ClothingBlue:          {math.Inf(-1), .12},
	ClothingPlain:         {math.Inf(-1), .35},
	BackgroundUniform:     {50, math.Inf(1)},
	BackgroundShadow:      {math.Inf(-1), 15},
	SubjectContrast:       {10, math.Inf(1)},
	IlluminationEven:      {60, math.Inf(1)},
	UnderExposed:          {60, math.Inf(1)},
	OverExposed:           {40, math.Inf(1)},
	LuminanceMean:         {40, math.Inf(1)},
	LuminanceVariance:     {40, math.Inf(1)},
	DynamicRange:          {50, math.Inf(1)},
	NaturalColour:         {50, math.Inf(1)},
	Sharpness:             {40, math.Inf(1)},
}

// broken lists the rules that a measured photo breaks or leaves unknown.
func broken(ms []Measurement) []string {
	var ids []string
	for _, m := range ms {
		l, limited := limits[m.ID]
		if m.Broken || !m.Manual && limited && (!m.Known || m.Value < l[0] || m.Value > l[1]) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// Where the demo student's features lie in student.png.
const (
	studentIED  = 183.
	studentMidX = 547.
	studentEyeY = 396.5
)

// each calls f with every pixel of the person in units of the eye distance.
func each(p *image.NRGBA, f func(u, v float64, c color.NRGBA) color.NRGBA) {
	for y := range p.Rect.Dy() {
		for x := range p.Rect.Dx() {
			c := p.NRGBAAt(x, y)
			if c.A == 0 {
				continue
			}
			d := f((float64(x)-studentMidX)/studentIED, (float64(y)-studentEyeY)/studentIED, c)
			if d != c {
				p.SetNRGBA(x, y, d)
			}
		}
	}
}

func times(c color.NRGBA, r, g, b float64) color.NRGBA {
	k := func(v uint8, f float64) uint8 { return uint8(min(float64(v)*f, 255)) }
	return color.NRGBA{k(c.R, r), k(c.G, g), k(c.B, b), c.A}
}

func mixed(a, b color.NRGBA, t float64) color.NRGBA {
	t = min(max(t, 0), 1)
	k := func(p, q uint8) uint8 { return uint8(float64(p)*(1-t) + float64(q)*t) }
	return color.NRGBA{k(a.R, b.R), k(a.G, b.G), k(a.B, b.B), a.A}
}

// Degradations of the student.

func closedEyes(p *image.NRGBA) {
	skin := p.NRGBAAt(456, 440) // under the eye
	lash := color.NRGBA{40, 28, 22, 255}
	each(p, func(u, v float64, c color.NRGBA) color.NRGBA {
		du := math.Abs(u) - .5
		if r := math.Hypot(du/.3, v/.15); r < 1 {
			c = mixed(c, skin, (1-r)*5)
		}
		// The lashes hang a little below the pupil's place, curved downwards.
		if line := .05 - .35*du*du; math.Abs(du) < .21 && math.Abs(v-line) < .016 {
			c = lash
		}
		return c
	})
}

func openMouth(p *image.NRGBA) {
	each(p, func(u, v float64, c color.NRGBA) color.NRGBA {
		r := math.Hypot((u-.02)/.3, (v-1.12)/.13)
		if r < 1 {
			c = mixed(c, color.NRGBA{42, 14, 14, 255}, (1-r)*6)
		}
		return c
	})
}

func lenses(r, g, b float64) func(*image.NRGBA) {
	return func(p *image.NRGBA) {
		each(p, func(u, v float64, c color.NRGBA) color.NRGBA {
			d := math.Hypot(math.Abs(u)-.5, v-.05)
			switch {
			case d < .36:
				c = times(c, r, g, b)
			case d < .39:
				c = color.NRGBA{30, 30, 32, 255}
			}
			return c
		})
	}
}

func glare(p *image.NRGBA) {
	each(p, func(u, v float64, c color.NRGBA) color.NRGBA {
		if math.Abs(math.Abs(u)-.38) < .12 && math.Abs(v+.02) < .09 {
			c = mixed(c, color.NRGBA{255, 255, 255, 255}, .95)
		}
		return c
	})
}

func halfShadow(k float64) func(*image.NRGBA) {
	return func(p *image.NRGBA) {
		each(p, func(u, v float64, c color.NRGBA) color.NRGBA {
			t := 1 / (1 + math.Exp(-u/.12))
			f := k + (1-k)*t
			return times(c, f, f, f)
		})
	}
}

func clothes(recolour func(c color.NRGBA, luma float64) color.NRGBA) func(*image.NRGBA) {
	return func(p *image.NRGBA) {
		each(p, func(u, v float64, c color.NRGBA) color.NRGBA {
			sat := int(max(c.R, c.G, c.B)) - int(min(c.R, c.G, c.B))
			if v > 1.5 && math.Abs(u) > .75 || v > 1.75 && sat < 24 {
				return recolour(c, (float64(c.R)+float64(c.G)+float64(c.B))/3)
			}
			return c
		})
	}
}

func dyed(r, g, b float64) func(*image.NRGBA) {
	return clothes(func(c color.NRGBA, luma float64) color.NRGBA {
		k := .7 + .3*luma/100
		return color.NRGBA{uint8(min(r*k, 255)), uint8(min(g*k, 255)), uint8(min(b*k, 255)), c.A}
	})
}

func checked(p *image.NRGBA) {
	each(p, func(u, v float64, c color.NRGBA) color.NRGBA {
		if v > 1.8 && (int(math.Floor(u*9))+int(math.Floor(v*9)))%2 == 0 {
			return color.NRGBA{200, 60, 50, c.A}
		}
		return c
	})
}

func fringe(p *image.NRGBA) {
	each(p, func(u, v float64, c color.NRGBA) color.NRGBA {
		if v < -.25 && v > -1.3 && math.Abs(u) < .95 {
			return color.NRGBA{28, 22, 18, c.A}
		}
		return c
	})
}

func longHair(p *image.NRGBA) {
	each(p, func(u, v float64, c color.NRGBA) color.NRGBA {
		if math.Abs(u) > .93 && v > -.6 && v < .8 {
			return color.NRGBA{28, 22, 18, c.A}
		}
		return c
	})
}

func droppedShoulder(p *image.NRGBA) {
	src := image.NewNRGBA(p.Rect)
	copy(src.Pix, p.Pix)
	slope := math.Tan(8 * math.Pi / 180)
	for y := 717; y < p.Rect.Dy(); y++ {
		for x := range p.Rect.Dx() {
			q := y - int((float64(x)-studentMidX)*slope)
			p.SetNRGBA(x, y, color.NRGBA{})
			if q >= 0 && q < p.Rect.Dy() {
				p.SetNRGBA(x, y, src.NRGBAAt(x, q))
			} else if q >= p.Rect.Dy() {
				p.SetNRGBA(x, y, src.NRGBAAt(x, p.Rect.Dy()-1))
			}
		}
	}
}

// expose multiplies the light on the whole frame.
func expose(r, g, b float64) func(*image.RGBA) {
	return func(f *image.RGBA) {
		var tables [3][256]uint8
		for i, k := range [3]float64{r, g, b} {
			for v := range 256 {
				l := min(float64(linear()[v])*k, 1)
				s := 12.92 * l
				if l > .0031308 {
					s = 1.055*math.Pow(l, 1/2.4) - .055
				}
				tables[i][v] = uint8(s*255 + .5)
			}
		}
		for i := 0; i < len(f.Pix); i += 4 {
			f.Pix[i], f.Pix[i+1], f.Pix[i+2] = tables[0][f.Pix[i]], tables[1][f.Pix[i+1]], tables[2][f.Pix[i+2]]
		}
	}
}

// blur averages boxes of 2n+1 pixels three times, close to a Gaussian.
func blur(n int) func(*image.RGBA) {
	return func(f *image.RGBA) {
		w, h := f.Rect.Dx(), f.Rect.Dy()
		line := make([]int, max(w, h))
		pass := func(start, step, count int) {
			sum := 0
			for i := range count {
				line[i] = int(f.Pix[start+i*step])
			}
			at := func(i int) int { return line[min(max(i, 0), count-1)] }
			for i := -n; i <= n; i++ {
				sum += at(i)
			}
			for i := range count {
				f.Pix[start+i*step] = uint8((sum + n) / (2*n + 1))
				sum += at(i+n+1) - at(i-n)
			}
		}
		for range 3 {
			for c := range 3 {
				for y := range h {
					pass(y*f.Stride+c, 4, w)
				}
				for x := range w {
					pass(4*x+c, f.Stride, h)
				}
			}
		}
	}
}

// behind draws on the backdrop only: where the frame differs from it the
// person stands.
func behind(draw func(x, y int, c color.RGBA) color.RGBA) func(*image.RGBA) {
	return func(f *image.RGBA) {
		for y := range f.Rect.Dy() {
			for x := range f.Rect.Dx() {
				c := f.RGBAAt(x, y)
				if int(c.R) > 190 && int(max(c.R, c.G, c.B))-int(min(c.R, c.G, c.B)) < 16 {
					f.SetRGBA(x, y, draw(x, y, c))
				}
			}
		}
	}
}

// TestLadder degrades the student one fault at a time: the fault's own rule
// must break, and no rule that has nothing to do with it.
func TestLadder(t *testing.T) {
	student := portrait(t, "student.png")
	tests := []struct {
		name string
		make func(*scene)
		want []string // must break
		also []string // may break: the same fault seen from another side
	}{
		{"good", func(*scene) {}, nil, nil},
		{"good, nearer and right of the middle", func(s *scene) { s.height, s.shiftX = .95, 150 }, nil, nil},
		{"good, 1080p", func(s *scene) { s.w, s.h = 1920, 1080 }, nil, nil},
		{"good, clear glasses", func(s *scene) { s.paint = lenses(.95, .95, .95) }, nil, nil},
		{"good, slightly dim", func(s *scene) { s.lens = expose(.75, .75, .75) }, nil, nil},
		{"tilted to the right of the picture", func(s *scene) { s.rollDeg = 8 }, []string{Roll}, []string{ShouldersLevel}},
		{"tilted to the left of the picture", func(s *scene) { s.rollDeg = -7 }, []string{Roll}, []string{ShouldersLevel}},
		{"dropped shoulder", func(s *scene) { s.paint = droppedShoulder }, []string{ShouldersLevel}, nil},
		{"too small", func(s *scene) { s.height = .6 }, []string{InterEyeDistance}, []string{Sharpness}},
		{"second person", func(s *scene) { s.second = .5 }, []string{SingleFace}, nil},
		{"dark", func(s *scene) { s.lens = expose(.09, .09, .09) }, []string{UnderExposed, LuminanceMean}, []string{DynamicRange, LuminanceVariance, Sharpness, ClothingBlue, ForeheadVisible, EarsVisible, SubjectContrast, NaturalColour, BackgroundShadow}},
		{"burnt out", func(s *scene) { s.lens = expose(3.2, 3.2, 3.2) }, []string{OverExposed}, []string{LuminanceMean, NaturalColour, IlluminationEven, SubjectContrast, MouthClosed, GlassesGlare, EarsVisible, ForeheadVisible, DynamicRange}},
		{"half the face in shadow", func(s *scene) { s.paint = halfShadow(.45) }, []string{IlluminationEven}, []string{LuminanceMean}},
		{"colour cast", func(s *scene) { s.lens = expose(.45, .9, 1.9) }, []string{NaturalColour}, []string{ClothingBlue, EarsVisible}},
		{"blurred", func(s *scene) { s.lens = blur(3) }, []string{Sharpness}, nil},
		{"blue clothes", func(s *scene) { s.paint = dyed(60, 110, 190) }, []string{ClothingBlue}, []string{ClothingNotBackground}},
		{"navy clothes", func(s *scene) { s.paint = dyed(24, 30, 58) }, []string{ClothingBlue}, nil},
		{"clothes like the new background", func(s *scene) { s.paint = dyed(105, 195, 250) }, []string{ClothingBlue, ClothingNotBackground}, nil},
		{"clothes like the wall", func(s *scene) { s.paint = dyed(212, 212, 208) }, []string{SubjectContrast}, nil},
		{"red clothes are fine", func(s *scene) { s.paint = dyed(150, 40, 45) }, nil, nil},
		{"checked clothes", func(s *scene) { s.paint = checked }, []string{ClothingPlain}, nil},
		{"eyes closed", func(s *scene) { s.paint = closedEyes }, []string{EyesOpen}, []string{Pitch}},
		{"mouth open", func(s *scene) { s.paint = openMouth }, []string{MouthClosed}, []string{Expression}},
		{"sunglasses", func(s *scene) { s.paint = lenses(.25, .25, .25) }, []string{GlassesTinted}, []string{EyesOpen, IlluminationEven}},
		{"yellow glasses", func(s *scene) { s.paint = lenses(.9, .85, .5) }, []string{GlassesTinted}, nil},
		{"glare", func(s *scene) { s.paint = glare }, []string{GlassesGlare}, []string{OverExposed}},
		{"fringe", func(s *scene) { s.paint = fringe }, []string{ForeheadVisible}, nil},
		{"hair over the ears", func(s *scene) { s.paint = longHair }, []string{EarsVisible}, nil},
		{"striped backdrop", func(s *scene) {
			s.lens = behind(func(x, y int, c color.RGBA) color.RGBA {
				if x/10%2 == 0 {
					return color.RGBA{c.R / 2, c.G / 2, c.B / 2, 255}
				}
				return c
			})
		}, []string{BackgroundUniform}, []string{BackgroundShadow, SubjectContrast}},
		{"cast shadow", func(s *scene) {
			s.lens = behind(func(x, y int, c color.RGBA) color.RGBA {
				d := math.Hypot(float64(x-500-95)/215, float64(y-330)/260)
				k := 1 - .16*min(max(2-1.6*d, 0), 1)
				return color.RGBA{uint8(float64(c.R) * k), uint8(float64(c.G) * k), uint8(float64(c.B) * k), 255}
			})
		}, []string{BackgroundShadow}, nil},
	}
	m := New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(student)
			tt.make(&s)
			in := s.input(t)
			if len(in.Faces) == 0 {
				t.Fatal("no face found")
			}
			savePNG(t, tt.name, in.Cut)
			ms := m.Full(in)
			got := broken(ms)
			by := measured(ms)
			for _, id := range tt.want {
				t.Logf("%s: %s", id, describe(by[id]))
				if !slices.Contains(got, id) {
					t.Errorf("%s holds: %s", id, describe(by[id]))
				}
			}
			for _, id := range got {
				if !slices.Contains(tt.want, id) && !slices.Contains(tt.also, id) {
					t.Errorf("%s breaks: %s", id, describe(by[id]))
				}
			}
		})
	}
}
