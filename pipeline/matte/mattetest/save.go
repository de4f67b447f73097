package mattetest

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// FileName is what the files of a scene begin with.
func FileName(scene string) string {
	return strings.NewReplacer("/", "-", " ", "-", "(", "", ")", "", "%", "").Replace(scene)
}

// Save writes a portrait's images and the exact alpha to PNG files for the eye.
func Save(t testing.TB, dir, name string, truth *Truth, p *matte.Portrait) {
	t.Helper()
	b := p.RGBA.Rect
	exact := image.NewGray(b)
	for i, a := range truth.Alpha {
		exact.Pix[i] = uint8(a*255 + .5)
	}
	base := filepath.Join(dir, FileName(name))
	for suffix, m := range map[string]image.Image{"alpha": p.Alpha, "out": p.RGBA, "cut": p.Cut, "exact": exact} {
		f, err := os.Create(base + "-" + suffix + ".png")
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, m); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
