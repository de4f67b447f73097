package main

import (
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"time"

	"github.com/yunzhao-station/yunzhao/camera/scene"
)

// size of a picture, pixels.
type size struct{ w, h int }

// What the camera offers.
var (
	sizes = []size{{640, 480}, {1280, 720}, {1920, 1080}}
	rates = []int{30, 15, 10, 5} // frames a second, the fastest first
)

// photos of each size and format; they take turns, so that no two frames in a
// row are the same.
const photos = 4

// formats in the order of the descriptors.
const (
	formatMJPEG = 1
	formatYUYV  = 2
)

func pictureFile(dir string, s size, format, photo int) string {
	kind := map[int]string{formatMJPEG: "jpg", formatYUYV: "yuyv"}[format]
	return filepath.Join(dir, fmt.Sprintf("%dx%d-%d.%s", s.w, s.h, photo, kind))
}

// render draws the simulated booth's student, moving and with the noise of a
// sensor, in every size and format.
func render(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // pictures for everybody
		return err
	}
	for _, s := range sizes {
		b, err := scene.New(scene.Options{Width: s.w, Height: s.h, Occupied: true})
		if err != nil {
			return err
		}
		for n := range photos {
			m := b.Sample(nil, time.Duration(n)*time.Second/3, true, uint64(n+1))
			f, err := os.Create(pictureFile(dir, s, formatMJPEG, n))
			if err != nil {
				return err
			}
			err = jpeg.Encode(f, m, &jpeg.Options{Quality: 88})
			if cerr := f.Close(); err == nil {
				err = cerr
			}
			if err == nil {
				err = os.WriteFile(pictureFile(dir, s, formatYUYV, n), yuyv(m), 0o644) //nolint:gosec // as above
			}
			if err != nil {
				return fmt.Errorf("render %d×%d: %w", s.w, s.h, err)
			}
		}
	}
	return nil
}

// yuyv packs a full-range 4:2:0 picture as cameras send it: 4:2:2 in BT.601's
// limited range.
func yuyv(m *image.YCbCr) []byte {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := make([]byte, 0, 2*w*h)
	luma := func(x, y int) byte { return byte(16 + int(m.Y[m.YOffset(x, y)])*219/255) }
	chroma := func(v byte) byte { return byte(128 + (int(v)-128)*224/255) }
	for y := range h {
		for x := 0; x < w; x += 2 {
			c := m.COffset(x, y)
			out = append(out, luma(x, y), chroma(m.Cb[c]), luma(x+1, y), chroma(m.Cr[c]))
		}
	}
	return out
}
