package layout

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// portrait is smooth, with no white near its edges.
func portrait(w, h, dpi int) Photo {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, color.RGBA{uint8(40 + 120*x/w), uint8(60 + 100*y/h), uint8(150 + 20*math.Sin(float64(x+y)/9)), 255})
		}
	}
	return Photo{Pixels: m, DPI: dpi}
}

func paper(t *testing.T, id string) Paper {
	t.Helper()
	p, err := PaperByID(id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlanHoldsAsManyAsFit(t *testing.T) {
	for _, tc := range []struct {
		paper        string
		w, h, dpi    int
		photos, x, y int // x, y: size of the sheet in pixels
	}{
		{"5in", 295, 413, 300, 9, 1050, 1500}, // one inch: 3×3
		{"6in", 295, 413, 300, 10, 1800, 1200},
		{"6in", 413, 579, 300, 4, 1200, 1800},
		{"5in", 413, 579, 300, 4, 1050, 1500},
		{"a4", 295, 413, 300, 50, 3508, 2480},
		{"6in", 358, 441, 350, 12, 1200, 1800},
		{"6in", 600, 600, 300, 2, 1800, 1200},
	} {
		s, err := Plan(paper(t, tc.paper), portrait(tc.w, tc.h, tc.dpi), Options{})
		if err != nil {
			t.Errorf("%+v: %v", tc, err)
			continue
		}
		if len(s.Photos) != tc.photos || s.Width != tc.x || s.Height != tc.y {
			t.Errorf("%s %d×%d: %d photos on %d×%d, want %d on %d×%d", tc.paper, tc.w, tc.h, len(s.Photos), s.Width, s.Height, tc.photos, tc.x, tc.y)
		}
		sound(t, s, tc.w, tc.h, tc.dpi)
	}
}

// sound checks what must be true of every sheet.
func sound(t *testing.T, s *Sheet, w, h, dpi int) {
	t.Helper()
	margin := int(DefaultMargin / mmPerInch * float64(s.DPI))
	inner := image.Rect(margin, margin, s.Width-margin, s.Height-margin)
	for i, r := range s.Photos {
		// The true size, to a pixel.
		for _, d := range []float64{
			float64(r.Dx()) - float64(w)*float64(s.DPI)/float64(dpi),
			float64(r.Dy()) - float64(h)*float64(s.DPI)/float64(dpi),
		} {
			if math.Abs(d) > .51 {
				t.Errorf("photo %v of a %d×%d photo at %d dpi", r, w, h, dpi)
			}
		}
		if !r.In(inner) {
			t.Errorf("photo %v reaches into the margin %v", r, inner)
		}
		for _, q := range s.Photos[:i] {
			if r.Overlaps(q) {
				t.Errorf("%v overlaps %v", r, q)
			}
		}
		// Every corner is marked both ways.
		for _, c := range []image.Point{r.Min, {r.Max.X, r.Min.Y}, {r.Min.X, r.Max.Y}, r.Max} {
			upright, across := false, false
			for _, m := range s.Marks {
				if m.Overlaps(r) {
					t.Fatalf("mark %v lies on photo %v", m, r)
				}
				near := image.Rect(c.X-30, c.Y-30, c.X+30, c.Y+30)
				upright = upright || m.Overlaps(near) && m.Dy() > m.Dx() && (m.Min.X == c.X || m.Max.X == c.X)
				across = across || m.Overlaps(near) && m.Dx() > m.Dy() && (m.Min.Y == c.Y || m.Max.Y == c.Y)
			}
			if !upright || !across {
				t.Errorf("corner %v of %v is not marked", c, r)
			}
		}
	}
}

func TestJPEGSheet(t *testing.T) {
	p := portrait(295, 413, 300)
	s, err := Plan(paper(t, "6in"), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.JPEG()
	if err != nil {
		t.Fatal(err)
	}
	if x, y, err := codec.Density(b); x != 300 || y != 300 || err != nil {
		t.Errorf("%d×%d dpi, %v", x, y, err)
	}
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil || m.Bounds() != image.Rect(0, 0, 1800, 1200) {
		t.Fatalf("%v %v", m.Bounds(), err)
	}
	// Not resampled: before compression every pixel is the portrait's.
	raw := s.Image()
	for _, r := range s.Photos {
		for y := range 413 {
			a, b := raw.Pix[raw.PixOffset(r.Min.X, r.Min.Y+y):][:4*295], p.Pixels.Pix[y*p.Pixels.Stride:][:4*295]
			if !bytes.Equal(a, b) {
				t.Fatalf("row %d of the photo at %v was changed", y, r.Min)
			}
		}
	}
	// Around the photos the sheet is white or a mark.
	white := 0
	for _, r := range s.Photos {
		for x := r.Min.X; x < r.Max.X; x++ {
			if c := raw.RGBAAt(x, r.Min.Y-1); c == (color.RGBA{255, 255, 255, 255}) {
				white++
			}
		}
	}
	if white < 295*len(s.Photos) {
		t.Errorf("only %d pixels above the photos are white", white)
	}
}

func TestPDFSheet(t *testing.T) {
	p := portrait(358, 441, 350) // 25.98 × 32.00 mm
	var err error
	if p.JPEG, err = codec.EncodeRGBA(nil, p.Pixels, 90, codec.S420); err != nil {
		t.Fatal(err)
	}
	s, err := Plan(paper(t, "a4"), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.PDF()
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.PDF()
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("the same sheet gave other bytes, %v", err)
	}
	if !bytes.Contains(b, p.JPEG) || bytes.Count(b, []byte("/Subtype /Image")) != 1 {
		t.Error("the PDF does not carry the photo's own file, once")
	}
	if box := regexp.MustCompile(`/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]`).FindSubmatch(b); box == nil || string(box[1]) != "595.28" || string(box[2]) != "841.89" {
		t.Errorf("page %q", box)
	}
	text := content(t, b)
	places := regexp.MustCompile(`([0-9.]+) 0 0 ([0-9.]+) [0-9.]+ [0-9.]+ cm /I`).FindAllStringSubmatch(text, -1)
	if len(places) != len(s.Photos) {
		t.Fatalf("%d photos are drawn, want %d", len(places), len(s.Photos))
	}
	for _, q := range places {
		w, _ := strconv.ParseFloat(q[1], 64)
		h, _ := strconv.ParseFloat(q[2], 64)
		if math.Abs(w-358./350*72) > .01 || math.Abs(h-441./350*72) > .01 {
			t.Errorf("a photo of %v×%v points", w, h)
		}
	}
}

// content is the page's drawing commands.
func content(t *testing.T, pdf []byte) string {
	t.Helper()
	var out strings.Builder
	for part := range bytes.SplitSeq(pdf, []byte("stream\n")) {
		if z, err := inflate(part); err == nil {
			out.Write(z)
		}
	}
	return out.String()
}

// A PDF reader renders the photo where and as large as the plan says.
func TestPDFIsReadByOthers(t *testing.T) {
	program, err := exec.LookPath("pdftoppm")
	if err != nil {
		t.Skip("pdftoppm (poppler-utils) is not installed")
	}
	s, err := Plan(paper(t, "5in"), portrait(295, 413, 300), Options{Copies: 2})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.PDF()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s.pdf"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), program, "-r", "300", "-png", filepath.Join(dir, "s.pdf"), filepath.Join(dir, "s")).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "s*.png"))
	if len(files) != 1 {
		t.Fatalf("%d pages", len(files))
	}
	m, err := codec.LoadImage(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Photos {
		in, out := m.RGBAAt(r.Min.X+2, r.Min.Y+2), m.RGBAAt(r.Min.X-3, r.Min.Y+200)
		if in.R > 100 || out.R < 250 {
			t.Errorf("at %v inside %v, outside %v", r.Min, in, out)
		}
	}
}

func TestRefusedLayouts(t *testing.T) {
	good := portrait(295, 413, 300)
	for name, tc := range map[string]struct {
		paper Paper
		photo Photo
		o     Options
	}{
		"photo too large": {paper(t, "5in"), portrait(1200, 1600, 300), Options{}},
		"margin too wide": {paper(t, "5in"), good, Options{Margin: 44}},
		"huge margin":     {paper(t, "5in"), good, Options{Margin: 51}},
		"negative gap":    {paper(t, "5in"), good, Options{Gap: -1}},
		"gap not finite":  {paper(t, "5in"), good, Options{Gap: math.NaN()}},
		"many copies":     {paper(t, "5in"), good, Options{Copies: 10}},
		"fewer than none": {paper(t, "5in"), good, Options{Copies: -1}},
		"no resolution":   {paper(t, "5in"), Photo{Pixels: good.Pixels}, Options{}},
		"coarse sheet":    {paper(t, "5in"), good, Options{DPI: 10}},
		"no photo":        {paper(t, "5in"), Photo{DPI: 300}, Options{}},
		"no paper":        {Paper{}, good, Options{}},
	} {
		if s, err := Plan(tc.paper, tc.photo, tc.o); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
	if _, err := PaperByID("a5"); !errors.Is(err, ErrLayout) || !strings.Contains(err.Error(), "a4") {
		t.Errorf("unknown paper: %v", err)
	}
}
