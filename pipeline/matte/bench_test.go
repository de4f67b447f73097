package matte_test

import (
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

// BenchmarkPortrait measures one photo, segment and render, in steady state.
func BenchmarkPortrait(b *testing.B) {
	s := mattetest.Compose(person(b, "student"), mattetest.Blue, mattetest.Usual, 1)
	plate, err := matte.NewPlate(s.Plates)
	if err != nil {
		b.Fatal(err)
	}
	m := matte.New()
	var seg *matte.Segmentation
	b.Run("segment", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if seg, err = m.Segment(s.Frame, plate, s.Face, s.Region); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("render", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err = m.Render(seg, s.Crop, 480, 640, lightBlue, false); err != nil {
				b.Fatal(err)
			}
		}
	})
}
