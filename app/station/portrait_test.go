package station

import (
	"image"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/camera/scene"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// TestNobodyIsSeenThrough makes portraits at many moments of the simulated
// booth, whose student wears a white shirt before a light wall: nowhere on the
// chest may the new backdrop show.
func TestNobodyIsSeenThrough(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves many whole portraits out")
	}
	b, err := scene.New(scene.Options{Encode: codec.EncodeYCbCr})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	photograph := func(at time.Duration, in bool, n uint64) *image.RGBA {
		jpg, err := codec.EncodeYCbCr(nil, b.Sample(nil, at, in, n), 92)
		if err != nil {
			t.Fatal(err)
		}
		out := new(image.RGBA)
		if err := codec.DecodeRGBA(out, jpg, codec.Options{}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	var empty []*image.RGBA
	for n := range uint64(8) {
		empty = append(empty, photograph(0, false, n))
	}
	plate, err := pipeline.NewPlate(empty)
	if err != nil {
		t.Fatal(err)
	}
	standard, err := spec.Load("chsi")
	if err != nil {
		t.Fatal(err)
	}
	maker, err := pipeline.New(pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 16 {
		at := time.Duration(i) * 1370 * time.Millisecond
		r, err := maker.Standardize(t.Context(), pipeline.Input{Frame: photograph(at, true, uint64(100+i)), Plate: plate, Spec: standard})
		if err != nil || r.Alpha == nil {
			t.Fatalf("no portrait at %v: %v", at, err)
		}
		open := 0
		for y := 440; y < 640; y++ { // from the collar down, the middle of the portrait
			for x := 170; x < 310; x++ {
				if r.Alpha.GrayAt(x, y).Y < 230 {
					open++
				}
			}
		}
		if open > 0 {
			t.Errorf("at %v the backdrop shows through %d pixels of the chest", at, open)
		}
	}
}
