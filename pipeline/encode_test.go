package pipeline

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// texture is a picture whose detail, 0 to 1, decides how large its file is.
func texture(w, h int, detail float64) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	at := uint64(9)
	for y := range h {
		for x := range w {
			at = at*6364136223846793005 + 1442695040888963407
			n := detail * (float64(at>>56) - 128)
			v := 128 + 60*math.Sin(float64(x)/40)*math.Cos(float64(y)/50)
			m.SetRGBA(x, y, color.RGBA{uint8(min(max(v+n, 0), 255)), uint8(min(max(v*.8+n, 0), 255)), uint8(min(max(200-v*.5+n, 0), 255)), 255})
		}
	}
	return m
}

func TestEncodeMeetsTheSizeWindow(t *testing.T) {
	for _, id := range spec.IDs() {
		s := standard(t, id)
		lo, hi, ok := s.SizeWindow()
		for _, detail := range []float64{.03, .06, .1, .2, .35} {
			m := texture(s.Width, s.Height, detail)
			jpg, q, _, err := encode(nil, m, s)
			if err != nil {
				t.Fatal(err)
			}
			if q < s.JPEGMinQuality || q > 100 {
				t.Errorf("%s detail %v: quality %d", id, detail, q)
			}
			if x, y, err := codec.Density(jpg); x != s.DPI || y != s.DPI || err != nil {
				t.Errorf("%s: %d×%d dpi, %v", id, x, y, err)
			}
			if !ok {
				continue
			}
			// Outside is allowed only where no quality of the standard fits.
			switch {
			case len(jpg) > hi:
				if least := fileBytes(t, m, s.JPEGMinQuality, codec.S420); least <= hi {
					t.Errorf("%s detail %v: %d bytes, though quality %d gives %d", id, detail, len(jpg), s.JPEGMinQuality, least)
				}
			case len(jpg) < lo:
				if most := fileBytes(t, m, 100, codec.S444); most >= lo {
					t.Errorf("%s detail %v: %d bytes, though quality 100 gives %d", id, detail, len(jpg), most)
				}
			}
		}
	}
}

func fileBytes(t *testing.T, m *image.RGBA, q int, sub codec.Subsampling) int {
	t.Helper()
	b, err := codec.EncodeRGBA(nil, m, q, sub)
	if err != nil {
		t.Fatal(err)
	}
	return len(b) + codec.DensityBytes
}

func TestEncodeTakesTheBestThatFits(t *testing.T) {
	s := standard(t, "chsi")
	_, hi, _ := s.SizeWindow()
	m := texture(480, 640, .03)
	jpg, q, _, err := encode(nil, m, s)
	if err != nil {
		t.Fatal(err)
	}
	in, err := codec.Header(jpg)
	if err != nil {
		t.Fatal(err)
	}
	if q < maxQuality {
		if next := fileBytes(t, m, q+1, in.Subsampling); next <= hi {
			t.Errorf("quality %d was taken, %d fits with %d bytes", q, q+1, next)
		}
	}
}

func TestEncodeIsDeterministicAndReusesItsBuffer(t *testing.T) {
	s := standard(t, "chsi")
	m := texture(480, 640, .1)
	a, qa, buf, err := encode(nil, m, s)
	if err != nil {
		t.Fatal(err)
	}
	keep := bytes.Clone(a)
	b, qb, buf2, err := encode(buf, m, s)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) || qa != qb || !bytes.Equal(a, keep) {
		t.Error("equal pixels gave other bytes, or the file lies in the scratch buffer")
	}
	if &buf[:1][0] != &buf2[:1][0] {
		t.Error("the scratch buffer was not reused")
	}
}

// A picture with next to no detail cannot reach the window; it is not padded.
func TestEncodeNeverPads(t *testing.T) {
	s := standard(t, "chsi")
	lo, _, _ := s.SizeWindow()
	jpg, q, _, err := encode(nil, texture(480, 640, 0), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(jpg) >= lo {
		t.Skipf("this encoder needs %d bytes even for a smooth picture", len(jpg))
	}
	if !bytes.HasSuffix(jpg, []byte{0xFF, 0xD9}) || q != 100 {
		t.Errorf("quality %d, ends with % x", q, jpg[len(jpg)-4:])
	}
}
