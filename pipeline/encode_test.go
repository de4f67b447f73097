package pipeline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
			jpg, how, _, err := encode(nil, m, s)
			if err != nil {
				t.Fatal(err)
			}
			if how.quality < s.JPEGMinQuality || how.quality > 100 {
				t.Errorf("%s detail %v: quality %d", id, detail, how.quality)
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
	jpg, how, _, err := encode(nil, m, s)
	if err != nil {
		t.Fatal(err)
	}
	in, err := codec.Header(jpg)
	if err != nil {
		t.Fatal(err)
	}
	if in.Subsampling != how.sub {
		t.Errorf("the file is %v, said to be %v", in.Subsampling, how.sub)
	}
	if q := how.quality; q < maxQuality {
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
	jpg, how, _, err := encode(nil, texture(480, 640, 0), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(jpg) >= lo {
		t.Skipf("this encoder needs %d bytes even for a smooth picture", len(jpg))
	}
	if !bytes.HasSuffix(jpg, []byte{0xFF, 0xD9}) || how.quality != 100 {
		t.Errorf("quality %d, ends with % x", how.quality, jpg[len(jpg)-4:])
	}
}

// Colour is given up step by step, and only for quality.
func TestColourResolutionLadder(t *testing.T) {
	// A stand-in for the encoder: bytes grow with quality and colour resolution.
	size := func(full int) func(encoding) (int, error) {
		return func(e encoding) (int, error) {
			n := full * e.quality / 100
			switch e.sub {
			case codec.S422:
				n = n * 80 / 100
			case codec.S420:
				n = n * 65 / 100
			default:
			}
			return n, nil
		}
	}
	for name, tc := range map[string]struct {
		full, lo, hi int
		want         encoding
	}{
		"roomy":             {30000, 20000, 40000, encoding{98, codec.S444}},
		"just good enough":  {47500, 20000, 40000, encoding{84, codec.S444}},
		"half the colour":   {50000, 20000, 40000, encoding{98, codec.S422}},
		"quarter":           {70000, 20000, 40000, encoding{87, codec.S420}},
		"nothing fits":      {200000, 20000, 40000, encoding{60, codec.S420}},
		"too little detail": {15000, 20000, 40000, encoding{100, codec.S444}},
		"narrow window":     {80000, 40000, 40500, encoding{77, codec.S420}},
	} {
		got, err := ladder(60, tc.lo, tc.hi, size(tc.full))
		if err != nil || got != tc.want {
			t.Errorf("%s: %v %v, want %v", name, got, err, tc.want)
		}
	}
	broken := errors.New("disk of the encoder")
	if _, err := ladder(60, 1, 2, func(encoding) (int, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("a failing encoder: %v", err)
	}
}

// What could not fit says so in numbers.
func TestSizeProblem(t *testing.T) {
	s := standard(t, "chsi")
	if say := sizeProblem(9000, s); !strings.Contains(say.ZH, "9000") || !strings.Contains(say.EN, "20480") || !strings.Contains(say.EN, "padding") {
		t.Errorf("%v", say)
	}
	if say := sizeProblem(50000, s); !strings.Contains(say.ZH, "50000") || !strings.Contains(say.EN, "40000") {
		t.Errorf("%v", say)
	}
}

// exifDensity reads the resolution of a JPEG's EXIF data, apart from codec.
func exifDensity(t *testing.T, jpg []byte) (x, y uint32, unit uint16) {
	t.Helper()
	at := bytes.Index(jpg, []byte("Exif\x00\x00MM\x00*"))
	if at < 0 {
		t.Fatal("no EXIF")
	}
	tiff := jpg[at+6:]
	be := binary.BigEndian
	dir := tiff[be.Uint32(tiff[4:]):]
	for i := range int(be.Uint16(dir)) {
		e := dir[2+12*i:]
		ratio := func() uint32 {
			r := tiff[be.Uint32(e[8:]):]
			return be.Uint32(r) / be.Uint32(r[4:])
		}
		switch be.Uint16(e) {
		case 0x011A:
			x = ratio()
		case 0x011B:
			y = ratio()
		case 0x0128:
			unit = be.Uint16(e[8:])
		}
	}
	return x, y, unit
}

// What is written is read by others: the standard library's decoder, the bytes
// of JFIF and EXIF themselves, and ImageMagick where it is installed.
func TestFilesAreReadByOthers(t *testing.T) {
	for _, id := range spec.IDs() {
		s := standard(t, id)
		jpg, _, _, err := encode(nil, texture(s.Width, s.Height, .06), s)
		if err != nil {
			t.Fatal(err)
		}
		m, err := jpeg.Decode(bytes.NewReader(jpg))
		if err != nil || m.Bounds().Dx() != s.Width || m.Bounds().Dy() != s.Height {
			t.Errorf("%s: %v %v", id, m.Bounds(), err)
		}
		if _, ok := m.(*image.YCbCr); !ok {
			t.Errorf("%s is a %T, want 24-bit colour", id, m)
		}
		if d := be16(jpg[14:]); string(jpg[6:10]) != "JFIF" || jpg[13] != 1 || d != s.DPI || be16(jpg[16:]) != s.DPI {
			t.Errorf("%s: JFIF density %d, unit %d", id, d, jpg[13])
		}
		if x, y, unit := exifDensity(t, jpg); int(x) != s.DPI || int(y) != s.DPI || unit != 2 {
			t.Errorf("%s: EXIF density %d×%d, unit %d", id, x, y, unit)
		}
		identify, err := exec.LookPath("identify")
		if err != nil {
			continue
		}
		path := filepath.Join(t.TempDir(), "p.jpg")
		if err := os.WriteFile(path, jpg, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), identify, "-units", "PixelsPerInch", "-format", "%m %w %h %x %y %z %[colorspace]", path).Output()
		if want := fmt.Sprintf("JPEG %d %d %d %d 8 sRGB", s.Width, s.Height, s.DPI, s.DPI); err != nil || string(out) != want {
			t.Errorf("%s: identify says %q %v, want %q", id, out, err, want)
		}
	}
}

func be16(b []byte) int { return int(binary.BigEndian.Uint16(b)) }
