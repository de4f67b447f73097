package pipeline

import (
	"errors"
	"fmt"
	"image"
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

	want []string // warned of or failed
	none []string // not to be complained about
}

var photographs = []photograph{
	{what: "three women in a bar", file: "sample3.jpg", large: 1, want: []string{"single_face"}},
	{what: "four women before a window", file: "sample6.jpg", large: 1, want: []string{"single_face"}},
	{what: "hair over both ears, turned", file: "sample3.jpg", part: image.Rect(250, 150, 950, 1000), large: 1.6, want: nil},
	{what: "smiling with teeth", file: "sample3.jpg", part: image.Rect(1340, 100, 1920, 900), large: 1.5, want: nil},
	{what: "smiling, turned", file: "sample3.jpg", part: image.Rect(900, 60, 1380, 800), large: 1.6, want: nil},
	{what: "s6a", file: "sample6.jpg", part: image.Rect(60, 300, 640, 1200), large: 1.5, want: nil},
	{what: "s6b", file: "sample6.jpg", part: image.Rect(600, 150, 1060, 800), large: 1.6, want: nil},
	{what: "s6c", file: "sample6.jpg", part: image.Rect(1060, 100, 1420, 700), large: 1.6, want: nil},
	{what: "s6d", file: "sample6.jpg", part: image.Rect(1420, 100, 1920, 800), large: 1.6, want: nil},
	{what: "half", file: "sample3.jpg", part: image.Rect(680, 150, 960, 1000), large: 1.6, want: nil},
	{what: "half2", file: "sample3.jpg", part: image.Rect(250, 150, 690, 1000), large: 1.6, want: nil},
	{what: "astronaut", file: "astronaut.png", large: 2.5, want: nil},
	{what: "glasses", file: "glasses.png", large: 1.6, want: nil},
	{what: "whitehair", file: "whitehair.png", large: 1, want: nil},
	{what: "student", file: "student.png", large: 1, want: nil},
}

// errAbsent means that a photograph is not on this machine.
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
		return m, nil
	}
	return nil, errAbsent
}

func TestPhotographs(t *testing.T) {
	z, s := maker(t), standard(t, "chsi")
	absent := 0
	for _, p := range photographs {
		t.Run(p.what, func(t *testing.T) {
			m, err := p.read()
			if errors.Is(err, errAbsent) {
				absent++
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
				if c.Status == Warn || c.Status == Fail {
					said = append(said, c.ID)
				}
				t.Logf("%s %s %v", c.ID, c.Status, deref(c.Value))
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
