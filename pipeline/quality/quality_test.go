package quality

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/yunzhao-station/yunzhao/assets/specs"
	"github.com/yunzhao-station/yunzhao/pipeline/face"
)

// limits are those recommended for the default standard at the head of
// assets/specs/checks.toml, warnings included: what a good photo must keep and
// a bad one must leave.
var limits = map[string][2]float64{
	SingleFace:            {math.Inf(-1), .1},
	Roll:                  {-3, 3},
	Yaw:                   {-6, 6},
	Pitch:                 {-10, 10},
	InterEyeDistance:      {90, math.Inf(1)},
	EyeLine:               {200, 300},
	FaceWidth:             {180, 300},
	Centred:               {-14, 14},
	HalfBody:              {.6, math.Inf(1)},
	ShouldersLevel:        {-4, 4},
	EyesOpen:              {.03, math.Inf(1)},
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
				if !slices.Contains(got, id) {
					t.Errorf("%s holds: %s", id, describe(by[id]))
				}
			}
			for id, sign := range map[string]float64{Roll: s.rollDeg, ShouldersLevel: s.rollDeg + 1} {
				if slices.Contains(tt.want, id) && by[id].Value*sign < 0 {
					t.Errorf("%s has the wrong sign: %s", id, describe(by[id]))
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

func TestNobody(t *testing.T) {
	wall := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for name, ms := range map[string][]Measurement{
		"full": New().Full(Input{Frame: wall}),
		"live": New().Live(wall, nil, 1),
	} {
		for _, m := range ms {
			if m.ID == SingleFace {
				if !m.Broken || !m.Known || m.Value != 0 {
					t.Errorf("%s: single_face is %+v, want broken with value 0", name, m)
				}
			} else if m.Known {
				t.Errorf("%s: %s is known without a face: %s", name, m.ID, describe(m))
			}
		}
	}
}

// TestEveryRuleAlways: every id once, whatever is missing; what cannot be known
// is neither a number nor a pass.
func TestEveryRuleAlways(t *testing.T) {
	s := newScene(portrait(t, "student.png"))
	in := s.input(t)
	m := New()
	full := m.Full(in)
	var ids []string
	for _, v := range full {
		if slices.Contains(ids, v.ID) {
			t.Errorf("%s twice", v.ID)
		}
		ids = append(ids, v.ID)
		manual := slices.Contains([]string{Headwear, Accessories, ClothingFormal, Makeup, ContactLenses}, v.ID)
		needsMesh := v.ID == Gaze // and these faces are the cascades'
		if v.Manual != manual || v.Known == (manual || needsMesh) {
			t.Errorf("%s: manual %v, known %v", v.ID, v.Manual, v.Known)
		}
	}
	for id := range limits {
		if !slices.Contains(ids, id) {
			t.Errorf("%s is not measured", id)
		}
	}
	odd := image.NewRGBA(image.Rect(0, 0, 31, 31))
	without := map[string]func(*Input){
		"crop":                func(in *Input) { in.Crop = Crop{} },
		"plate":               func(in *Input) { in.PlateCut = nil },
		"matte":               func(in *Input) { in.Alpha = nil },
		"cut":                 func(in *Input) { in.Cut = nil },
		"portrait":            func(in *Input) { in.Portrait = nil },
		"frame":               func(in *Input) { in.Frame = nil },
		"pictures that fit":   func(in *Input) { in.Cut, in.PlateCut = odd, odd },
		"background":          func(in *Input) { in.Background = color.RGBA{} },
		"eyes":                func(in *Input) { in.Faces = []face.Face{{W: 10, H: 10}} },
		"a face in the frame": func(in *Input) { in.Faces = []face.Face{in.Faces[0].Offset(9e4, -9e4)} },
		"finite numbers": func(in *Input) {
			f := in.Faces[0]
			f.LeftEye.X, f.Nose.Y, f.Chin.Y = math.NaN(), math.Inf(1), math.Inf(-1)
			in.Faces = []face.Face{f}
		},
	}
	unknown := map[string][]string{
		"crop":       {EyeLine, CrownMargin, FaceWidth, Centred, HalfBody, ShouldersLevel, ClothingBlue},
		"plate":      {BackgroundShadow},
		"matte":      {HalfBody, ShouldersLevel, ClothingBlue, ClothingNotBackground, ClothingPlain, BackgroundUniform, SubjectContrast},
		"cut":        {BackgroundUniform, BackgroundShadow, SubjectContrast},
		"frame":      {Roll, Yaw, EyesOpen, MouthClosed, IlluminationEven, UnderExposed, Sharpness, NaturalColour},
		"background": {ClothingNotBackground},
		"eyes":       {Roll, Yaw, EyesOpen, EyeLine, Sharpness},
	}
	for name, take := range without {
		t.Run("without "+name, func(t *testing.T) {
			poor := in
			take(&poor)
			got := m.Full(poor)
			by := measured(got)
			if len(got) != len(full) {
				t.Fatalf("%d rules, want %d", len(got), len(full))
			}
			for _, v := range got {
				if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) || math.IsNaN(v.Hint) {
					t.Errorf("%s is %v", v.ID, v.Value)
				}
			}
			for _, id := range unknown[name] {
				if by[id].Known {
					t.Errorf("%s is known: %s", id, describe(by[id]))
				}
			}
		})
	}
}

func TestOthers(t *testing.T) {
	tests := []struct {
		file      string
		must, not []string
	}{
		{"astronaut.png", []string{Expression, MouthClosed, EarsVisible}, []string{EyesOpen, GlassesTinted, Roll, NaturalColour, SingleFace}},
		{"glasses.png", []string{Expression, ClothingBlue}, []string{EyesOpen, MouthClosed, GlassesTinted, ForeheadVisible, SingleFace}},
		{"whitehair.png", []string{Expression, MouthClosed, ClothingBlue}, []string{EyesOpen, GlassesTinted, EarsVisible, ForeheadVisible, SingleFace}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			s := newScene(portrait(t, tt.file))
			s.w, s.h, s.height = 1600, 1000, .98
			in := s.input(t)
			if len(in.Faces) != 1 {
				t.Fatalf("%d faces, want 1", len(in.Faces))
			}
			ms := New().Full(in)
			got, by := broken(ms), measured(ms)
			for _, id := range tt.must {
				if !slices.Contains(got, id) {
					t.Errorf("%s holds: %s", id, describe(by[id]))
				}
			}
			for _, id := range tt.not {
				if slices.Contains(got, id) {
					t.Errorf("%s breaks: %s", id, describe(by[id]))
				}
			}
		})
	}
}

// TestDirections pins the signs: left and right of the sentences depend on them.
func TestDirections(t *testing.T) {
	// A face drawn as points only; the picture is grey.
	frame := image.NewRGBA(image.Rect(0, 0, 400, 400))
	for i := range frame.Pix {
		frame.Pix[i] = 128
	}
	straight := face.Face{
		X: 100, Y: 120, W: 200, H: 200,
		LeftEye: face.Point{X: 150, Y: 190}, RightEye: face.Point{X: 250, Y: 190},
		Nose: face.Point{X: 200, Y: 250}, MouthLeft: face.Point{X: 165, Y: 295}, MouthRight: face.Point{X: 235, Y: 295},
		UpperLip: face.Point{X: 200, Y: 288}, LowerLip: face.Point{X: 200, Y: 312}, Chin: face.Point{X: 200, Y: 375},
	}
	tests := []struct {
		name string
		id   string
		turn func(f *face.Face)
		want float64
	}{
		{"eye on the right of the picture lower: to the student's left shoulder", Roll, func(f *face.Face) { f.RightEye.Y += 10; f.LeftEye.Y -= 10 }, 11.3},
		{"nose to the right of the picture: the student's left", Yaw, func(f *face.Face) { f.Nose.X += 10 }, 14},
		{"nose to the left of the picture", Yaw, func(f *face.Face) { f.Nose.X -= 10 }, -14},
		{"nose up: chin raised", Pitch, func(f *face.Face) { f.Nose.Y -= 12 }, 17},
		{"nose down", Pitch, func(f *face.Face) { f.Nose.Y += 12 }, -17},
		{"right of the picture: the student's left", Centred, func(f *face.Face) { *f = f.Offset(40, 0) }, 10},
	}
	for _, tt := range tests {
		f := straight
		tt.turn(&f)
		got := measured(New().Live(frame, []face.Face{f}, 1))[tt.id]
		if !got.Known || math.Abs(got.Value-tt.want) > 2.5 {
			t.Errorf("%s: %s is %s, want %.1f", tt.name, tt.id, describe(got), tt.want)
		}
	}
}

func TestLive(t *testing.T) {
	student := portrait(t, "student.png")
	tests := []struct {
		name string
		make func(*scene)
		want []string
	}{
		{"good", func(*scene) {}, nil},
		{"tilted", func(s *scene) { s.rollDeg = 9 }, []string{Roll}},
		{"aside", func(s *scene) { s.shiftX = -90 }, []string{Centred}},
		{"far", func(s *scene) { s.height = .5 }, []string{InterEyeDistance}},
		{"second person", func(s *scene) { s.second = .55 }, []string{SingleFace}},
		{"half in shadow", func(s *scene) { s.paint = halfShadow(.4) }, []string{IlluminationEven}},
		{"dark", func(s *scene) { s.lens = expose(.08, .08, .08) }, []string{UnderExposed}},
		{"burnt out", func(s *scene) { s.lens = expose(4, 4, 4) }, []string{OverExposed}},
	}
	m := New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(student)
			s.w, s.h = 640, 360
			tt.make(&s)
			frame, _, _ := s.render()
			const scale = 1920. / 640
			var got []string
			for _, v := range m.Live(frame, detect(t, frame, face.Options{}), scale) {
				l, limited := limits[v.ID]
				if !limited {
					continue
				}
				if v.ID == Centred {
					l = [2]float64{-8, 8}
				}
				if !v.Known || v.Value < l[0] || v.Value > l[1] {
					got = append(got, v.ID)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("breaks %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSameAnswer(t *testing.T) {
	in := newScene(portrait(t, "student.png")).input(t)
	m := New()
	want := m.Full(in)
	done := make(chan []Measurement)
	for range 3 {
		go func() { done <- m.Full(in) }()
	}
	for range 3 {
		if got := <-done; !slices.Equal(got, want) {
			t.Error("the same photo measured differently")
		}
	}
}

func TestCheekWidth(t *testing.T) {
	s := newScene(portrait(t, "student.png"))
	frame, _, _ := s.render()
	faces := detect(t, frame, face.Options{})
	if len(faces) != 1 {
		t.Fatalf("%d faces, want 1", len(faces))
	}
	got, measured := New().CheekWidth(frame, faces[0])
	// 2.1 eye distances, as taken with a ruler.
	if want := 2.1 * faces[0].IED(); !measured || math.Abs(got-want) > .08*want {
		t.Errorf("%.1f (measured %v), want about %.1f", got, measured, want)
	}
	if got, measured := New().CheekWidth(nil, faces[0]); measured || math.Abs(got-2.12*faces[0].IED()) > 1 {
		t.Errorf("%.1f (measured %v) without a picture", got, measured)
	}
}

// TestDeltaE00 checks pairs of the published test data for CIEDE2000 (Sharma,
// Wu, Dalal 2005).
func TestDeltaE00(t *testing.T) {
	tests := []struct {
		p, q lab
		want float64
	}{
		{lab{50, 2.6772, -79.7751}, lab{50, 0, -82.7485}, 2.0425},
		{lab{50, -1.3802, -84.2814}, lab{50, 0, -82.7485}, 1},
		{lab{50, 0, 0}, lab{50, -1, 2}, 2.3669},
		{lab{50, 2.49, -.001}, lab{50, -2.49, .0009}, 7.1792},
		{lab{50, 2.5, 0}, lab{73, 25, -18}, 27.1492},
		{lab{60.2574, -34.0099, 36.2677}, lab{60.4626, -34.1751, 39.4387}, 1.2644},
		{lab{22.7233, 20.0904, -46.694}, lab{23.0331, 14.973, -42.5619}, 2.0373},
		{lab{90.8027, -2.0831, 1.441}, lab{91.1528, -1.6435, .0447}, 1.4441},
		{lab{2.0776, .0795, -1.135}, lab{.9033, -.0636, -.5514}, .9082},
	}
	for _, tt := range tests {
		if got := deltaE00(tt.p, tt.q); math.Abs(got-tt.want) > 1e-4 {
			t.Errorf("%v to %v: %.4f, want %.4f", tt.p, tt.q, got, tt.want)
		}
		if a, b := deltaE00(tt.p, tt.q), deltaE00(tt.q, tt.p); math.Abs(a-b) > 1e-9 {
			t.Errorf("%v to %v: not symmetric", tt.p, tt.q)
		}
	}
}

func TestLab(t *testing.T) {
	for _, tt := range []struct {
		r, g, b uint8
		want    lab
	}{
		{255, 255, 255, lab{100, 0, 0}},
		{0, 0, 0, lab{0, 0, 0}},
		{128, 128, 128, lab{53.6, 0, 0}},
		{255, 0, 0, lab{54.3, 80.8, 69.9}}, // the ICC sRGB profile's red
		{0, 0, 255, lab{29.6, 68.3, -112.0}},
	} {
		got := labOf(tt.r, tt.g, tt.b)
		if math.Abs(got.l-tt.want.l) > .2 || math.Abs(got.a-tt.want.a) > .3 || math.Abs(got.b-tt.want.b) > .3 {
			t.Errorf("(%d,%d,%d) is %.2f, want %.2f", tt.r, tt.g, tt.b, got, tt.want)
		}
	}
}

func FuzzFull(f *testing.F) {
	f.Add(uint8(40), uint8(40), 12.0, 14.0, 25.0, 15.0, 20.0, []byte{9, 200, 31})
	f.Add(uint8(1), uint8(1), 0.0, 0.0, 5.0, 0.0, -3.0, []byte{})
	f.Fuzz(func(t *testing.T, w, h uint8, x0, y0, x1, y1, chin float64, data []byte) {
		frame := image.NewRGBA(image.Rect(0, 0, int(w), int(h)))
		alpha := image.NewGray(frame.Rect)
		for i := range frame.Pix {
			if len(data) > 0 {
				frame.Pix[i] = data[i%len(data)]
				alpha.Pix[i/4] = data[(i/3)%len(data)]
			}
		}
		fc := face.Face{
			W: x1 - x0, H: x1 - x0, LeftEye: face.Point{X: x0, Y: y0}, RightEye: face.Point{X: x1, Y: y1},
			MouthLeft: face.Point{X: x0, Y: chin}, MouthRight: face.Point{X: x1, Y: chin}, Chin: face.Point{X: x0, Y: chin},
			LowerLip: face.Point{X: x0, Y: chin + 1},
		}
		in := Input{
			Frame: frame, Faces: []face.Face{fc, fc}, Crop: Crop{X: x0, Y: y0, W: x1, H: y1},
			Cut: frame, Portrait: frame, PlateCut: frame, Alpha: alpha, Background: color.RGBA{1, 2, 3, 255},
		}
		for _, m := range append(New().Full(in), New().Live(frame, in.Faces, chin)...) {
			if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) || !m.Known && m.Value != 0 {
				t.Fatalf("%+v", m)
			}
		}
	})
}

func BenchmarkFull(b *testing.B) {
	s := newScene(portrait(b, "student.png"))
	s.w, s.h = 1920, 1080
	in := s.input(b)
	m := New()
	b.ReportAllocs()
	for b.Loop() {
		m.Full(in)
	}
}

func BenchmarkLive480x270(b *testing.B) {
	s := newScene(portrait(b, "student.png"))
	s.w, s.h = 480, 270
	frame, _, _ := s.render()
	faces := detect(b, frame, face.Options{})
	if len(faces) == 0 {
		b.Fatal("no face found")
	}
	m := New()
	b.ReportAllocs()
	for b.Loop() {
		m.Live(frame, faces, 4)
	}
}

// TestHiddenShadow: a shadow that the matte took for a part of the person.
func TestHiddenShadow(t *testing.T) {
	s := newScene(portrait(t, "student.png"))
	s.lens = behind(func(x, y int, c color.RGBA) color.RGBA {
		if x > 500 && x < 660 && y > 150 && y < 480 {
			return color.RGBA{uint8(float64(c.R) * .8), uint8(float64(c.G) * .8), uint8(float64(c.B) * .8), 255}
		}
		return c
	})
	in := s.input(t)
	if len(in.Faces) != 1 {
		t.Fatalf("%d faces, want 1", len(in.Faces))
	}
	for y := range in.Cut.Rect.Dy() {
		for x := range in.Cut.Rect.Dx() {
			if c := in.Cut.RGBAAt(x, y); x > 240 && y < 480 && c.R > 150 && c.R < 185 && c.R-c.B < 12 {
				in.Alpha.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	savePNG(t, "hidden shadow", in.Alpha)
	if got := measured(New().Full(in))[BackgroundShadow]; !got.Known || got.Value < 20 {
		t.Errorf("background_shadow is %s, want more than 20", describe(got))
	}
}

func TestHeadwearHint(t *testing.T) {
	student := portrait(t, "student.png")
	for name, tt := range map[string]struct {
		paint func(*image.NRGBA)
		seen  bool
	}{
		"hair":      {nil, false},
		"red cap":   {dyedHair(190, 30, 40), true},
		"blue cap":  {dyedHair(40, 60, 170), true},
		"red hair":  {dyedHair(120, 62, 38), false},
		"blonde":    {dyedHair(190, 160, 110), false},
		"grey hair": {dyedHair(150, 150, 152), false},
	} {
		s := newScene(student)
		s.paint = tt.paint
		if got := measured(New().Full(s.input(t)))[Headwear]; got.Hint > .5 != tt.seen {
			t.Errorf("%s: %s", name, describe(got))
		}
	}
}

// dyedHair dyes everything above the forehead.
func dyedHair(r, g, b float64) func(*image.NRGBA) {
	return func(p *image.NRGBA) {
		each(p, func(_, v float64, c color.NRGBA) color.NRGBA {
			if v < -1 {
				k := .85 + .3*float64(c.G)/255
				return color.NRGBA{uint8(r * k), uint8(g * k), uint8(b * k), c.A}
			}
			return c
		})
	}
}

func TestPlaceOnTurnedCrop(t *testing.T) {
	o := &output{w: 400, h: 400, in: Input{Crop: Crop{X: 100, Y: 100, W: 200, H: 200, RotationDeg: 90}}}
	for _, tt := range []struct{ from, to face.Point }{
		{face.Point{X: 200, Y: 200}, face.Point{X: 200, Y: 200}},
		{face.Point{X: 250, Y: 200}, face.Point{X: 200, Y: 300}}, // clockwise: right becomes down
		{face.Point{X: 200, Y: 150}, face.Point{X: 300, Y: 200}},
	} {
		if got := o.place(tt.from); math.Hypot(got.X-tt.to.X, got.Y-tt.to.Y) > 1e-9 {
			t.Errorf("%v lies at %v, want %v", tt.from, got, tt.to)
		}
	}
}

// TestTexts: every rule that is measured has all its sentences in both
// languages, and the sentences of a direction say both sides.
func TestTexts(t *testing.T) {
	raw, err := specs.Checks()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Checks map[string]map[string]string `toml:"checks"`
	}
	if err := toml.Unmarshal(bytes.Join(raw, []byte("\n")), &doc); err != nil {
		t.Fatal(err)
	}
	for _, m := range New().Full(Input{}) {
		texts, ok := doc.Checks[m.ID]
		if !ok {
			t.Errorf("%s has no texts", m.ID)
			continue
		}
		if _, ok := texts["unit"]; !ok {
			t.Errorf("%s has no unit", m.ID)
		}
		for _, key := range []string{"rule", "title_zh", "title_en", "ok_zh", "ok_en", "low_zh", "low_en", "high_zh", "high_en", "unknown_zh", "unknown_en"} {
			if texts[key] == "" {
				t.Errorf("%s has no %s", m.ID, key)
			}
		}
	}
	for id, words := range map[string][4]string{
		// value below the minimum, above the maximum: what the student must do
		Roll:           {"向左", "向右", "to your left", "to your right"},
		Yaw:            {"向左转", "向右转", "to the left", "to the right"},
		Centred:        {"向左移", "向右移", "move a little to the left", "move a little to the right"},
		ShouldersLevel: {"抬高右肩", "抬高左肩", "right shoulder", "left shoulder"},
		Pitch:          {"抬头", "收下巴", "raise", "lower your chin"},
	} {
		for i, key := range []string{"low_zh", "high_zh", "low_en", "high_en"} {
			if got := doc.Checks[id][key]; !strings.Contains(got, words[i]) {
				t.Errorf("%s of %s is %q, want %q in it", key, id, got, words[i])
			}
		}
	}
}
