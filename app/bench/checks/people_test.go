package checks

import (
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/yunzhao-station/yunzhao/assets/people"
)

// person is a cut-out and where its features lie, in its own pixels. Lengths
// that say "in eye distances" are relative to the point between the pupils.
type person struct {
	name  string
	img   *image.NRGBA
	x, y  float64 // between the pupils
	ied   float64
	chinV float64    // in eye distances
	mouth [2]float64 // middle of the closed lips' line, in eye distances
	lids  [2]float64 // upper and lower lid at the pupil, in eye distances
	hair  float64    // where the hair begins above the forehead, in eye distances
	eyeDu float64    // half the width of an eye
	// How the head is held in the cut-out, degrees: by hand, and by the mesh and by
	// the proportions of the face where the two agree.
	tilt, turn, nod float64
	breaks          []string // what a strict reviewer finds in the photo as it is
}

// has tells whether the person's own photo breaks rule id before any fault.
func (p *person) has(id string) bool {
	for _, b := range p.breaks {
		if b == id {
			return true
		}
	}
	return false
}

// newStudent is the person that the project brings along: straight-faced,
// in a grey suit, lit from the front.
func newStudent(t testing.TB) *person {
	t.Helper()
	img, err := people.Student()
	if err != nil {
		t.Fatal(err)
	}
	return &person{
		name: "student", img: img, x: 547, y: 396.5, ied: 183, chinV: 1.83,
		mouth: [2]float64{-.02, 1.07}, lids: [2]float64{-.085, .075}, hair: -1.2, eyeDu: .24, tilt: -.6, turn: 2.3, nod: -1.5,
	}
}

// known are the people that may not be part of the project.
var known = []person{
	{
		name: "glasses", x: 350, y: 243, ied: 84, chinV: 1.96, mouth: [2]float64{.02, 1.0},
		lids: [2]float64{-.06, .06}, hair: -1.2, eyeDu: .2, tilt: -1.4, turn: -8,
		breaks: []string{"expression", "clothing_blue", "sharpness", "ears_visible", "over_exposed", "cutout", "luminance_variance", "luminance_mean", "illumination_even"},
	},
	{
		name: "whitehair", x: 657.5, y: 408, ied: 187, chinV: 2.0, mouth: [2]float64{-.02, 1.08},
		lids: [2]float64{-.06, .06}, hair: -1.45, eyeDu: .22, tilt: 2.4, turn: 2.5, nod: 2.5,
		breaks: []string{"expression", "mouth_closed", "clothing_blue", "clothing_plain", "cutout", "subject_contrast"},
	},
}

// drawn tells whether the person is the project's own, whose parts are known by
// their colours.
func (p *person) drawn() bool { return p.name == "student" }

// spectacled tells whether the person wears glasses already.
func (p *person) spectacled() bool { return p.name == "glasses" }

// others reads those of the known people who are there, and says who is not.
func others(t testing.TB) []*person {
	t.Helper()
	dir := os.Getenv("YUNZHAO_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared")
	}
	var found []*person
	for _, p := range known {
		img, err := readPNG(filepath.Join(dir, "portraits", p.name+".png"))
		if err != nil {
			t.Logf("SKIPPED %s: %v; set YUNZHAO_SHARED to the directory that has portraits/", p.name, err)
			continue
		}
		p.img = img
		found = append(found, &p)
	}
	return found
}

func readPNG(path string) (*image.NRGBA, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", path, err)
	}
	out := image.NewNRGBA(image.Rect(0, 0, m.Bounds().Dx(), m.Bounds().Dy()))
	draw.Draw(out, out.Rect, m, m.Bounds().Min, draw.Src)
	return out, nil
}
