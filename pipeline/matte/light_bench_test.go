package matte

import (
	"image"
	"math/rand/v2"
	"testing"
)

// BenchmarkResample is what averaging the light costs beside averaging the
// levels: a portrait's crop of 1080p to 480×640.
func BenchmarkResample(b *testing.B) {
	frame := image.NewRGBA(image.Rect(0, 0, 1920, 1080))
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range frame.Pix {
		frame.Pix[i] = uint8(rng.IntN(256))
	}
	var dst [3][]float32
	for ch := range dst {
		dst[ch] = make([]float32, 480*640)
	}
	crop := Rect{X: 560, Y: 30, W: 770, H: 1027}
	b.Run("levels", func(b *testing.B) {
		for b.Loop() {
			resample(dst, 480, 640, framePixels{frame}, crop)
		}
	})
	b.Run("light", func(b *testing.B) {
		for b.Loop() {
			resampleLight(dst, 480, 640, frame, crop)
		}
	})
}
