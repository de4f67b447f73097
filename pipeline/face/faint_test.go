package face

import (
	"image"
	"math/rand/v2"
	"testing"
)

// TestFaintFacesNeedLandmarks: the second look at weak windows finds nobody in
// pictures that hold nobody.
func TestFaintFacesNeedLandmarks(t *testing.T) {
	d, err := NewDetector()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 2))
	for name, at := range map[string]func(x, y int) int{
		"noise":   func(int, int) int { return 90 + rng.IntN(80) },
		"stripes": func(x, _ int) int { return 60 + x/17%2*120 },
		"checks":  func(x, y int) int { return 60 + (x/29+y/23)%2*120 },
		"books":   func(x, y int) int { return int(uint32(x/11*31+y/90*57+1) * 2654435761 >> 24) },
		"folds":   func(x, y int) int { return 128 + (x*x/97+y*3)%61 - 30 },
	} {
		m := image.NewGray(image.Rect(0, 0, 640, 480))
		for i := range m.Pix {
			m.Pix[i] = uint8(at(i%640, i/640))
		}
		faces, err := d.Detect(m, Options{})
		if err != nil || len(faces) > 0 {
			t.Errorf("%s: %d faces, %v", name, len(faces), err)
		}
	}
}
