package scene

import (
	"image"
	"testing"
)

func BenchmarkPaint1080p(b *testing.B) {
	for _, occupied := range []bool{false, true} {
		name := "empty"
		if occupied {
			name = "occupied"
		}
		b.Run(name, func(b *testing.B) {
			s, err := New(Options{Occupied: occupied})
			if err != nil {
				b.Fatal(err)
			}
			var img *image.YCbCr
			img = s.Sample(img, 0, occupied, 0)
			ln := newLines(1920)
			n := uint64(0)
			for b.Loop() {
				n++
				s.paint(img, ln, s.poseAt(float64(n)/30, 0, occupied), n)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
