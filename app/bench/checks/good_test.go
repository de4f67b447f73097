package checks

import (
	"fmt"
	"image"
	"image/color"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline"
)

// goodFrames is how many good photos are looked at, and how many of them
// without the guard.
const goodFrames, fewGoodFrames = 200, 6

// complexion is how skin and hair are toned: factors of the student's light.
type complexion struct {
	name string
	skin rgb
	hair rgb
}

// From very fair to very dark, after the colours of the Monk scale in the light
// of a booth; hair from black to grey.
var complexions = []complexion{
	{"fair", rgb{1.1, 1.12, 1.12}, rgb{2.2, 1.9, 1.5}},
	{"light", rgb{1, 1, 1}, rgb{1, 1, 1}},
	{"yellow", rgb{.98, .96, .8}, rgb{.6, .6, .6}},
	{"tan", rgb{.82, .74, .62}, rgb{.6, .6, .6}},
	{"olive", rgb{.72, .68, .52}, rgb{.7, .7, .7}},
	{"brown", rgb{.52, .44, .36}, rgb{.5, .5, .5}},
	{"dark", rgb{.34, .29, .26}, rgb{.5, .5, .5}},
	{"grey-haired", rgb{1.02, .98, .94}, rgb{5, 5.6, 6.5}},
}

// toned gives the student another complexion.
func toned(p *person, c complexion) brush {
	return func(u, v float64, q color.NRGBA) color.NRGBA {
		sat := int(max(q.R, q.G, q.B)) - int(min(q.R, q.G, q.B))
		isHair := v < -.25 && float64(q.R) < 95 && (v < -.55 || math.Abs(u) > .9)
		switch {
		case isHair:
			return lit(q, c.hair[0], c.hair[1], c.hair[2])
		case worn(p, u, v, q):
			return q
		case sat > 12 || v < p.chinV:
			// The white of the eye and the pupil stay as they are.
			if math.Hypot((math.Abs(u)-.5)/.19, v/.075) < 1 {
				return q
			}
			return lit(q, c.skin[0], c.skin[1], c.skin[2])
		}
		return q
	}
}

// clothing of good photos: nothing blue, nothing like the wall.
var clothing = []struct {
	name   string
	colour rgb
}{
	{"black", srgb(32, 31, 32)},
	{"charcoal", srgb(62, 62, 64)},
	{"burgundy", srgb(108, 28, 40)},
	{"brown", srgb(92, 66, 48)},
	{"bottle green", srgb(30, 74, 50)},
	{"red", srgb(170, 42, 44)},
	{"ochre", srgb(176, 128, 52)},
	{"beige", srgb(150, 124, 96)},
	{"pink", srgb(196, 110, 130)},
	{"dark grey", srgb(88, 88, 88)},
}

// another face of about the same kind: wider or longer, other eyes, another
// nose and mouth.
func physiognomy(rng *rand.Rand) func(u, v float64) (float64, float64) {
	jitter := func(s float64) float64 { return 1 + s*(2*rng.Float64()-1) }
	wide, long, eye, nose, lips := jitter(.05), jitter(.05), jitter(.09), jitter(.12), jitter(.08)
	bump := func(u, v, cu, cv, size float64) float64 {
		return math.Exp(-((u-cu)*(u-cu) + (v-cv)*(v-cv)) / (size * size))
	}
	return func(u, v float64) (float64, float64) {
		// Beyond the eyes only, so that the unit stays the unit.
		k := min(max((math.Abs(u)-.55)/.3, 0), 1)
		su := u * (1 + (wide-1)*k)
		j := min(max((v-.2)/.4, 0), 1) * min(max((2.3-v)/.5, 0), 1)
		sv := v - (long-1)*v*j
		for _, q := range [4][4]float64{{-.5, 0, .3, eye}, {.5, 0, .3, eye}, {0, .5, .3, nose}, {-.02, 1.07, .35, lips}} {
			b := bump(su, sv, q[0], q[1], q[2]) * (q[3] - 1)
			su, sv = su-(su-q[0])*b, sv-(sv-q[1])*b
		}
		return su, sv
	}
}

// mirrored is the person as in a mirror: the other side's ear, eye and parting.
func mirrored(p *person) *person {
	m := *p
	m.img = image.NewNRGBA(p.img.Rect)
	w := p.img.Rect.Dx()
	for y := range p.img.Rect.Dy() {
		for x := range w {
			m.img.SetNRGBA(w-1-x, y, p.img.NRGBAAt(x, y))
		}
	}
	m.x, m.mouth[0], m.tilt, m.turn = float64(w)-p.x, -p.mouth[0], -p.tilt, -p.turn
	return &m
}

// goodShot is the i-th of the varied good photos.
func goodShot(i int, people []*person) (shot, string) {
	rng := rand.New(rand.NewPCG(uint64(i), 2026))
	pick := func(n int) int { return rng.IntN(n) }
	within := func(s float64) float64 { return s * (2*rng.Float64() - 1) }
	s := good(people[i%len(people)])
	s.seed = uint64(i + 1)
	s.wall = []wall{greyWall, whiteWall, blueWall, greenWall}[pick(4)]
	c, d := complexions[pick(len(complexions))], clothing[pick(len(clothing))]
	// Green before green is no good photo.
	for deltaE00(d.colour.lab(), s.wall.colour.lab()) < 20 {
		d = clothing[pick(len(clothing))]
	}
	s.paint = []brush{clothes(s.who, d.colour)}
	if s.who.drawn() {
		s.paint = append(s.paint, toned(s.who, c))
	} else {
		c = complexion{"own", rgb{1, 1, 1}, rgb{1, 1, 1}}
	}
	glasses := pick(3) == 0
	if glasses && !s.who.spectacled() {
		s.paint = append(s.paint, spectacles(.93, .93, .93, []color.NRGBA{black, {120, 70, 40, 255}, {150, 150, 155, 255}}[pick(3)]))
	}
	s.shape = physiognomy(rng)
	s.roll, s.yaw, s.pitch = within(2), within(2), within(2)
	if !s.who.drawn() {
		s.roll /= 2 // their shoulders are not level as it is, and turn with the picture
	}
	s.ied = 115 + 25*rng.Float64()
	s.eyeX, s.eyeY = 640+within(60), 430+within(20)
	ev := within(.25)
	if c.skin[1] < .5 {
		ev = .1 + .25*rng.Float64() // whoever runs a booth turns the lamps up
	}
	warm := within(.06)
	s.gain = rgb{math.Exp2(ev + warm), math.Exp2(ev), math.Exp2(ev - warm)}
	s.shade = .08 * rng.Float64()
	s.noise = 1 + 2*rng.Float64()
	s.blur = .5 * rng.Float64()
	s.jpegQuality = 85 + pick(11)
	return s, fmt.Sprintf("%d: %s, %s skin, %s clothes, %s wall, glasses %v, roll %.1f yaw %.1f pitch %.1f, %.0f px, %+.2f EV",
		i, s.who.name, c.name, d.name, s.wall.name, glasses, s.roll, s.yaw, s.pitch, s.ied, ev)
}

// variety is what was said about varied good photos.
type variety struct {
	frames, bad, unknown int
	alarms               map[string]int
}

func (v variety) String() string {
	var b strings.Builder
	b.WriteString("| 合格照片 / good photos | 有误报 / with a false alarm | 误报的检查 / checks | 无法判断 / unknown answers |\n|---|---|---|---|\n")
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(v.alarms)) {
		ids = append(ids, fmt.Sprintf("`%s` %d", id, v.alarms[id]))
	}
	if len(ids) == 0 {
		ids = []string{"–"}
	}
	fmt.Fprintf(&b, "| %d | %d | %s | %d |\n", v.frames, v.bad, strings.Join(ids, ", "), v.unknown)
	return b.String()
}

// variety looks at the first n of the varied good photos.
func (e *examiner) variety(t testing.TB, n int) variety {
	t.Helper()
	student := newStudent(t)
	people := []*person{student, mirrored(student)}
	for _, p := range others(t) {
		people = append(people, p, mirrored(p))
	}
	v := variety{frames: n, alarms: map[string]int{}}
	for i := range n {
		s, name := goodShot(i, people)
		f := e.look(t, s)
		bad := false
		for _, id := range f.flagged() {
			if s.who.has(id) {
				continue // the photograph itself breaks this rule
			}
			bad = true
			v.alarms[id]++
			t.Logf("FALSE ALARM %s: %s %s", name, id, f.describe(id))
		}
		if bad {
			v.bad++
		}
		for _, c := range f.report.Checks {
			if c.Status == pipeline.Unknown {
				v.unknown++
				t.Logf("UNKNOWN %s: %s", name, c.ID)
			}
		}
	}
	return v
}

// TestGoodFrames: on a good photo nothing is said. A few of those that
// TestTable counts.
func TestGoodFrames(t *testing.T) {
	if v := newExaminer(t).variety(t, fewGoodFrames); v.bad > 0 {
		t.Errorf("%d of %d good photos are complained about: %v", v.bad, v.frames, v.alarms)
	}
}
