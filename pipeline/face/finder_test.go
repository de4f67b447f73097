package face

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	pigo "github.com/esimov/pigo/core"

	"github.com/yunzhao-station/yunzhao/assets/cascades"
)

func finderModel(t testing.TB) []byte {
	t.Helper()
	b, err := cascades.Read(cascades.FaceFinder)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reference is what pigo's own evaluator answers.
func reference(t testing.TB, v view, lo, hi int) []hit {
	t.Helper()
	p, err := pigo.NewPigo().Unpack(finderModel(t))
	if err != nil {
		t.Fatal(err)
	}
	var out []hit
	for _, d := range p.RunCascade(pigo.CascadeParams{
		MinSize: lo, MaxSize: hi, ShiftFactor: searchShift, ScaleFactor: searchGrow,
		ImageParams: pigo.ImageParams{Pixels: v.pix, Rows: v.h, Cols: v.w, Dim: v.stride},
	}, 0) {
		out = append(out, hit{d.Row, d.Col, d.Scale, d.Q})
	}
	return out
}

func inOrder(h []hit) []hit {
	slices.SortFunc(h, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.row, b.row), cmp.Compare(a.col, b.col))
	})
	return h
}

// finderScenes are a person, texture and noise, at sizes and strides that are
// nothing's multiple.
func finderScenes(t testing.TB) map[string]view {
	t.Helper()
	person := wall(643, 361)
	stand(person, portrait(t, "student.png"), 310, 205, 320, 0)
	rough := wall(257, 199)
	var n noise = 7
	for i := range rough.Pix {
		rough.Pix[i] = uint8(n.next() >> 16)
	}
	whole, err := viewOf(person)
	if err != nil {
		t.Fatal(err)
	}
	noisy, err := viewOf(rough)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]view{"person": whole, "part": whole.crop(101, 33, 522, 340), "noise": noisy, "small": whole.crop(300, 100, 330, 130)}
}

func TestFinderAnswersAsItsOrigin(t *testing.T) {
	f := detector(t).finder
	for name, v := range finderScenes(t) {
		t.Run(name, func(t *testing.T) {
			var places []place
			got := inOrder(f.search(v, 20, min(v.w, v.h), nil, &places))
			want := inOrder(reference(t, v, 20, min(v.w, v.h)))
			if !slices.Equal(got, want) {
				t.Errorf("%d windows, want %d:\n%v\n%v", len(got), len(want), got, want)
			}
			if (name == "person" || name == "part") && len(want) == 0 {
				t.Error("the reference finds nobody: nothing was compared")
			}
		})
	}
}

// Only windows around what is not in the picture may be left out of a tilted
// search.
func TestTiltedSearchCoversThePicture(t *testing.T) {
	v := finderScenes(t)["person"]
	for _, angle := range []float64{-searchTilt, searchTilt, math.Pi / 2, 0} {
		var buf []uint8
		turned, back := v.rotate(angle, &buf)
		for row := range turned.h {
			from, to := v.span(turned, angle, row)
			for col := range turned.w {
				x, y := back(float64(col)+.5, float64(row)+.5)
				inside := x > 0 && y > 0 && x < float64(v.w) && y < float64(v.h)
				if inside && (col < from || col >= to) {
					t.Fatalf("turned by %.2f: column %d of row %d shows (%.1f, %.1f), and %d to %d are searched", angle, col, row, x, y, from, to)
				}
				if far := x < -3 || y < -3 || x > float64(v.w)+3 || y > float64(v.h)+3; far && col >= from && col < to {
					t.Fatalf("turned by %.2f: column %d of row %d shows (%.1f, %.1f), outside, and is searched", angle, col, row, x, y)
				}
			}
		}
	}
}

func TestParseFinderRefuses(t *testing.T) {
	good := finderModel(t)
	edit := func(at int, v uint32) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":     nil,
		"cut":         good[:len(good)-1],
		"longer":      append(bytes.Clone(good), 0),
		"no trees":    edit(12, 0),
		"no depth":    edit(8, 0),
		"huge depth":  edit(8, 1<<31),
		"many trees":  edit(12, math.MaxUint32),
		"not numbers": edit(len(good)-4, 0x7FC00000),
	} {
		if _, err := parseFinder(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseFinder(f *testing.F) {
	// Two trees of depth one.
	small := append(make([]byte, 8), 1, 0, 0, 0, 2, 0, 0, 0)
	small = append(small, make([]byte, 2*(4+8+4))...)
	f.Add(small)
	f.Add([]byte("not a model"))
	v := view{pix: make([]uint8, 64*48), w: 64, h: 48, stride: 64}
	f.Fuzz(func(_ *testing.T, b []byte) {
		m, err := parseFinder(b)
		if err != nil {
			return
		}
		var places []place
		m.search(v, 1, 48, nil, &places)
	})
}

// BenchmarkFinder compares the evaluator with its origin on the same picture.
func BenchmarkFinder(b *testing.B) {
	v := finderScenes(b)["person"]
	f := detector(b).finder
	p, err := pigo.NewPigo().Unpack(finderModel(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("here", func(b *testing.B) {
		var places []place
		for b.Loop() {
			f.search(v, 36, 360, nil, &places)
		}
	})
	b.Run("pigo", func(b *testing.B) {
		for b.Loop() {
			p.RunCascade(pigo.CascadeParams{
				MinSize: 36, MaxSize: 360, ShiftFactor: searchShift, ScaleFactor: searchGrow,
				ImageParams: pigo.ImageParams{Pixels: v.pix, Rows: v.h, Cols: v.w, Dim: v.stride},
			}, 0)
		}
	})
}
