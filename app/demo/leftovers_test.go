package demo

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"testing"
)

func TestAPhotoIsFoundAnywhereAndNoiseIsNone(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for _, start := range []string{"\xff\xd8\xff\xe0", "\xff\xd8\xff\xe1", "\xff\xd8\xff\xdb"} {
		copy(noise[rng.IntN(len(noise)-8):], start) // what chance does once in a while
	}
	if holdsJPEG(noise) {
		t.Error("a photo in noise")
	}
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 40, 30)), nil); err != nil {
		t.Fatal(err)
	}
	at := rng.IntN(len(noise) - photo.Len())
	copy(noise[at:], photo.Bytes())
	if !holdsJPEG(noise) {
		t.Error("the photo is not found")
	}
}
