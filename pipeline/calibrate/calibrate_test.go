package calibrate

import (
	"errors"
	"fmt"
	"image"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

func TestGoodBoothIsAccepted(t *testing.T) {
	for name, colour := range map[string][3]float64{
		"white": {226, 228, 226}, "grey": {150, 151, 152}, "blue": {96, 150, 206}, "green": {86, 168, 92},
	} {
		t.Run(name, func(t *testing.T) {
			b := usual()
			b.colour, b.texture, b.top = colour, .8, .08
			p, j := b.calibrate(t, Options{HasFace: nobody}, 12)
			if p == nil || !j.Accepted || j.Frames != 12 {
				t.Fatalf("refused: %+v", j)
			}
			if p.Camera != "test" || p.TakenAt.IsZero() || p.Frames != 12 {
				t.Errorf("plate %+v", p)
			}
			for _, f := range j.Findings {
				want := Pass
				switch {
				case f.ID == Sharp, f.ID == Object, f.ID == Colour && (name == "blue" || name == "green"):
					want = Unknown
				}
				if f.Status != want {
					t.Errorf("%s is %s, want %s: %s", f.ID, f.Status, want, f.EN)
				}
			}
			if j.Verdict != Warn {
				t.Errorf("unknown findings came out as %s", j.Verdict)
			}
		})
	}
}

// Each fault is refused, or warned of, by its own name.
func TestFaultsAreNamed(t *testing.T) {
	person := func(f *image.RGBA) (bool, error) { return true, nil }
	for name, c := range map[string]struct {
		change func(*wall)
		o      Options
		frames int
		id     string
		status Status
		words  string
	}{
		"few frames":        {frames: 7, id: Frames, status: Fail, words: "至少要 8 帧"},
		"a face":            {o: Options{HasFace: person}, id: Person, status: Fail, words: "有人"},
		"nobody looked":     {o: Options{HasFace: nil}, id: Person, status: Unknown, words: "没有检查"},
		"stripes of 4 %":    {change: func(b *wall) { b.stripes = .04 }, id: Banding, status: Fail, words: "50 Hz"},
		"stripes of 1.7 %":  {change: func(b *wall) { b.stripes = .017 }, id: Banding, status: Warn, words: "横条纹"},
		"whole flicker":     {change: func(b *wall) { b.flicker = .05 }, id: Flicker, status: Fail, words: "忽明忽暗"},
		"somebody walks by": {change: func(b *wall) { b.box, b.boxMoves = image.Rect(0, 60, 70, 360), 8 }, id: Motion, status: Fail, words: "在动"},
		"a hand at the rim": {change: func(b *wall) { b.box, b.boxMoves = image.Rect(0, 200, 50, 260), 4 }, id: Motion, status: Fail, words: "在动"},
		"overexposed":       {change: func(b *wall) { b.colour = [3]float64{254, 254, 250} }, id: Clipped, status: Fail, words: "过曝"},
		"one colour gone":   {change: func(b *wall) { b.colour = [3]float64{0, 140, 60}; b.noise = .5 }, id: Clipped, status: Fail, words: "为 0"},
		"dark":              {change: func(b *wall) { b.colour = [3]float64{70, 70, 70} }, id: Dark, status: Fail, words: "太暗"},
		"dim":               {change: func(b *wall) { b.colour = [3]float64{110, 110, 110} }, id: Dark, status: Warn, words: "偏暗"},
		"too bright":        {change: func(b *wall) { b.colour = [3]float64{243, 243, 243}; b.light, b.noise = 0, 1 }, id: Dark, status: Warn, words: "偏亮"},
		"blurred":           {change: func(b *wall) { b.blur, b.noise = 3, 8 }, id: Sharp, status: Fail, words: "没有像素级的细节"},
		"smoothed":          {change: func(b *wall) { b.blur, b.noise = 1.5, 6 }, id: Sharp, status: Warn, words: "降噪"},
		"nothing fine":      {change: func(b *wall) { b.blur = 4 }, id: Sharp, status: Warn, words: "异常平滑"},
		"hard edges":        {change: func(b *wall) { b.stand = true }, id: Sharp, status: Pass, words: "清晰"},
		"left lamp bright":  {change: func(b *wall) { b.light = -.55 }, id: LeftWise, status: Warn, words: "左侧灯太亮"},
		"right lamp bright": {change: func(b *wall) { b.light = .55 }, id: LeftWise, status: Warn, words: "右侧灯太亮"},
		"left lamp off":     {change: func(b *wall) { b.light = 1.6 }, id: LeftWise, status: Fail, words: "左侧灯几乎没有光"},
		"lit from above":    {change: func(b *wall) { b.top = .8 }, id: TopWise, status: Warn, words: "放低"},
		"lit from below":    {change: func(b *wall) { b.top = -.8 }, id: TopWise, status: Warn, words: "升高"},
		"yellowish":         {change: func(b *wall) { b.colour = [3]float64{220, 205, 170} }, id: Colour, status: Warn, words: "偏黄"},
		"bluish":            {change: func(b *wall) { b.colour = [3]float64{190, 205, 235} }, id: Colour, status: Warn, words: "偏蓝"},
		"greenish":          {change: func(b *wall) { b.colour = [3]float64{185, 212, 190} }, id: Colour, status: Warn, words: "偏绿"},
		"two kinds of lamp": {change: func(b *wall) { b.warmLeft = .12 }, id: Colour, status: Warn, words: "色温不同"},
		"a lamp in a corner is no fault": {
			change: func(b *wall) { b.windowRight = 255 }, id: Clipped, status: Pass, words: "没有过曝",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := usual()
			if c.change != nil {
				c.change(&b)
			}
			if c.frames == 0 {
				c.frames = 12
			}
			if c.o.HasFace == nil && c.id != Person {
				c.o.HasFace = nobody
			}
			p, j := b.calibrate(t, c.o, c.frames)
			f := j.Find(c.id)
			if f == nil || f.Status != c.status || !strings.Contains(f.ZH, c.words) {
				t.Fatalf("%s is %+v, want %s with %s", c.id, f, c.status, c.words)
			}
			if c.status == Fail && (p != nil || j.Accepted || j.Verdict != Fail) {
				t.Error("a plate was made nevertheless")
			}
			if c.status != Fail && (p == nil || !j.Accepted || j.Verdict == Fail) {
				t.Errorf("refused: %+v", j)
			}
			for _, f := range j.Findings {
				if f.ZH == "" || f.EN == "" || strings.Contains(f.ZH+f.EN, "%!") {
					t.Errorf("%s says %q / %q", f.ID, f.ZH, f.EN)
				}
				if f.Status == Fail && f.ID != c.id {
					t.Errorf("%s fails too: %s (%v)", f.ID, f.EN, f.Value)
				}
			}
		})
	}
}

// What was there at the plate before is told from what has come since.
func TestObjectAgainstTheEarlierPlate(t *testing.T) {
	b := usual()
	b.texture, b.stand = 2, true
	prev, _ := b.calibrate(t, Options{HasFace: nobody}, 8)
	for name, c := range map[string]struct {
		change func(*wall)
		status Status
		words  string
	}{
		"the same":              {func(*wall) {}, Pass, "没有多出"},
		"another light":         {func(b *wall) { b.light, b.top, b.colour = .3, .2, [3]float64{190, 195, 200} }, Pass, "没有多出"},
		"a bag":                 {func(b *wall) { b.box = image.Rect(280, 240, 360, 360) }, Fail, "多了东西"},
		"a bag beside the area": {func(b *wall) { b.box = image.Rect(0, 240, 80, 360) }, Pass, "没有多出"},
		"a knocked camera":      {func(b *wall) { b.shift = 6 }, Pass, "没有多出"},
		"another size":          {func(b *wall) { b.w, b.h = 480, 360 }, Unknown, "640×360"},
		"most of it hidden":     {func(b *wall) { b.box = image.Rect(104, 0, 310, 360) }, Warn, "完全不同"},
	} {
		t.Run(name, func(t *testing.T) {
			now := b
			c.change(&now)
			_, j := now.calibrate(t, Options{Previous: prev, HasFace: nobody}, 8)
			if f := j.Find(Object); f.Status != c.status || !strings.Contains(f.ZH, c.words) {
				t.Errorf("%s %v %s, want %s %s", f.Status, deref(f.Value), f.ZH, c.status, c.words)
			}
		})
	}
	t.Run("another camera", func(t *testing.T) {
		other := *prev
		other.Camera = "elsewhere"
		_, j := b.calibrate(t, Options{Previous: &other, HasFace: nobody}, 8)
		if f := j.Find(Object); f.Status != Unknown || !strings.Contains(f.ZH, "另一台相机") {
			t.Errorf("%+v", f)
		}
	})
}

func deref(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

// A wall without edges is never called sharp, but losing its texture is noticed.
func TestTextureLostAgainstTheEarlierPlate(t *testing.T) {
	b := usual()
	b.texture, b.noise = 4, 1.5
	prev, j := b.calibrate(t, Options{HasFace: nobody}, 12)
	if j.Find(Sharp).Status != Unknown {
		t.Errorf("a textured wall is %s", j.Find(Sharp).Status)
	}
	if _, j = b.calibrate(t, Options{Previous: prev, HasFace: nobody}, 12); j.Find(Sharp).Status != Unknown {
		t.Errorf("unchanged it is %+v", j.Find(Sharp))
	}
	soft := b
	soft.texture = .8 // what a lens out of focus leaves of it
	if _, j = soft.calibrate(t, Options{Previous: prev, HasFace: nobody}, 12); j.Find(Sharp).Status != Fail || !strings.Contains(j.Find(Sharp).ZH, "模糊") {
		t.Errorf("out of focus it is %+v", j.Find(Sharp))
	}
}

// The temperatures and chromaticities of CIE 15's illuminants.
func TestTemperature(t *testing.T) {
	of := func(x, y float64) rgb { // xy to linear sRGB, IEC 61966-2-1
		cx, cy, cz := x/y, 1., (1-x-y)/y
		return rgb{3.2406*cx - 1.5372*cy - .4986*cz, -.9689*cx + 1.8758*cy + .0415*cz, .0557*cx - .2040*cy + 1.0570*cz}
	}
	for name, c := range map[string]struct {
		colour rgb
		kelvin float64
		ok     bool
	}{
		"A":           {of(.4476, .4074), 2856, true},
		"D50":         {of(.3457, .3585), 5003, true},
		"D65":         {of(.3127, .3290), 6504, true},
		"D75":         {of(.2990, .3149), 7504, true},
		"F2":          {of(.3721, .3751), 4230, true},
		"white":       {rgb{1, 1, 1}, 6504, true},
		"grey":        {rgb{.18, .18, .18}, 6504, true},
		"blue wall":   {rgb{linear(96), linear(150), linear(206)}, 0, false},
		"green wall":  {rgb{linear(86), linear(168), linear(92)}, 0, false},
		"red wall":    {rgb{.5, .05, .05}, 0, false},
		"black":       {rgb{}, 0, false},
		"not a light": {rgb{math.NaN(), 1, 1}, 0, false},
	} {
		k, tint, ok := temperature(c.colour)
		if ok != c.ok || ok && math.Abs(k-c.kelvin) > .01*c.kelvin {
			t.Errorf("%s: %.0f K %v, want %.0f %v", name, k, ok, c.kelvin, c.ok)
		}
		if ok && name[0] == 'D' && math.Abs(tint) > 1 {
			t.Errorf("%s: daylight has the tint %.1f", name, tint)
		}
	}
}

func TestLampAdvice(t *testing.T) {
	// Light falls with the square of the distance: at 1.2 m a lamp 36 % too bright
	// belongs 1.2 m × (√(1.18/.82) − 1) = 24 cm further away.
	for part, want := range map[float64]float64{36: 25, -36: 25, 15: 10, 1: 5, 199: 415} {
		if got := moveBy(part); got != want {
			t.Errorf("%v %%: %v cm, want %v", part, got, want)
		}
	}
}

func TestLightMeasure(t *testing.T) {
	b := usual()
	b.light, b.noise, b.drift = .4, 0, 0
	_, j := b.calibrate(t, Options{HasFace: nobody}, 8)
	// Over the middle 432 of 640 px the outer thirds' centres are 288 px apart:
	// 0.4 · 288/640 = 18 %.
	if math.Abs(j.Light.LeftRight+18) > 1 || math.Abs(j.Light.TopBottom) > 1 {
		t.Errorf("%+v", j.Light)
	}
	want := math.Log2(linear(207) / target)
	if math.Abs(j.Light.Stops-want) > .03 {
		t.Errorf("%v stops, want %v", j.Light.Stops, want)
	}
}

func TestCalibratorErrors(t *testing.T) {
	c := New(Options{})
	if _, _, err := c.Finish(matte.PlateInfo{}); err == nil {
		t.Error("a plate of nothing")
	}
	b := usual()
	if err := c.Add(b.frame(0, 1), time.Time{}); err != nil {
		t.Fatal(err)
	}
	b.w = 320
	if err := c.Add(b.frame(0, 1), time.Time{}); err == nil || c.Frames() != 1 {
		t.Errorf("a frame of another size was taken: %v", err)
	}
	if err := c.Add(nil, time.Time{}); err == nil {
		t.Error("no frame was taken")
	}
	broken := errors.New("no model")
	c = New(Options{HasFace: func(*image.RGBA) (bool, error) { return false, broken }})
	if err := c.Add(usual().frame(0, 1), time.Time{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	// One and two frames are judged without a crash, and refused.
	for n := 1; n < 3; n++ {
		if p, j := usual().calibrate(t, Options{}, n); p != nil || j.Find(Frames).Status != Fail {
			t.Errorf("%d frames: %+v", n, j)
		}
	}
}

// Small, tall and odd sizes are measured without a crash.
func TestSizes(t *testing.T) {
	for _, size := range []image.Point{{64, 64}, {65, 97}, {64, 640}, {640, 64}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			b := usual()
			b.w, b.h = size.X, size.Y
			p, j := b.calibrate(t, Options{HasFace: nobody}, 8)
			if p == nil {
				t.Fatalf("%+v", j)
			}
			if _, err := NewWatch(p).Look(image.NewRGBA(image.Rectangle{Max: NewWatch(p).Size()})); err != nil {
				t.Error(err)
			}
			if _, j = b.calibrate(t, Options{Previous: p}, 8); j.Find(Object).Status != Pass {
				t.Errorf("%+v", j.Find(Object))
			}
		})
	}
}
