// Package layout puts copies of one portrait on a sheet of photo paper, at their
// true size and with marks where to cut (排版), as a JPEG for a photo lab or a
// PDF for an office printer.
//
// It knows paper, millimetres and one finished photo. It must not know presets,
// people or files.
package layout

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/draw"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// ErrLayout is wrapped by every error about what is asked for.
var ErrLayout = errors.New("layout: cannot be laid out")

// Paper is a kind of paper.
type Paper struct {
	ID               string
	TitleZH, TitleEN string
	Long, Short      float64 // sides in millimetres
}

const mmPerInch = 25.4

// Papers are the kinds that there are: the two photo papers by their names in
// Chinese labs, which cut them to whole and half inches, and A4 (ISO 216).
func Papers() []Paper {
	return []Paper{
		{"5in", "五寸相纸 (3R)", "5-inch photo paper (3R)", 5 * mmPerInch, 3.5 * mmPerInch},
		{"6in", "六寸相纸 (4R)", "6-inch photo paper (4R)", 6 * mmPerInch, 4 * mmPerInch},
		{"a4", "A4 纸", "A4", 297, 210},
	}
}

// PaperByID finds a paper; the error lists what there is.
func PaperByID(id string) (Paper, error) {
	var ids []string
	for _, p := range Papers() {
		if p.ID == id {
			return p, nil
		}
		ids = append(ids, p.ID)
	}
	return Paper{}, fmt.Errorf("%w: no paper %q; there are %s", ErrLayout, id, strings.Join(ids, ", "))
}

// Options of a sheet.
type Options struct {
	DPI    int     // dots per inch of the sheet; 0 = DefaultDPI
	Margin float64 // millimetres that stay white at every edge; 0 = DefaultMargin
	Gap    float64 // millimetres between photos; 0 = DefaultGap
	Copies int     // 0 = as many as fit
}

// What is taken where Options say nothing, and the limits of what they may say.
const (
	DefaultDPI    = 300
	DefaultMargin = 4 // labs trim borderless prints by up to 3 mm
	DefaultGap    = 2 // room for the marks between two photos
	maxMargin     = 50
	maxGap        = 50
	minDPI        = 72
	maxDPI        = 1200
)

func (o Options) withDefaults() (Options, error) {
	if o.DPI == 0 {
		o.DPI = DefaultDPI
	}
	if o.Margin == 0 {
		o.Margin = DefaultMargin
	}
	if o.Gap == 0 {
		o.Gap = DefaultGap
	}
	switch {
	case o.DPI < minDPI || o.DPI > maxDPI:
		return o, fmt.Errorf("%w: %d dpi is not within %d to %d", ErrLayout, o.DPI, minDPI, maxDPI)
	case !(o.Margin > 0 && o.Margin <= maxMargin):
		return o, fmt.Errorf("%w: a margin of %v mm is not above 0 and at most %d", ErrLayout, o.Margin, maxMargin)
	case !(o.Gap > 0 && o.Gap <= maxGap):
		return o, fmt.Errorf("%w: a gap of %v mm is not above 0 and at most %d", ErrLayout, o.Gap, maxGap)
	case o.Copies < 0:
		return o, fmt.Errorf("%w: %d copies", ErrLayout, o.Copies)
	}
	return o, nil
}

// Photo is a finished portrait.
type Photo struct {
	// Pixels at the origin, opaque.
	Pixels *image.RGBA
	// JPEG is the file that Pixels were read from, upright and not CMYK, for a
	// PDF to carry as it is; nil: it is written anew.
	JPEG []byte
	// DPI says how large the photo is: Pixels at that many to the inch.
	DPI int
}

func (p Photo) check() error {
	m := p.Pixels
	if m == nil || m.Rect.Min != (image.Point{}) || m.Rect.Empty() || m.Rect.Dx()*m.Rect.Dy() > codec.MaxPixels ||
		m.Stride < 4*m.Rect.Dx() || len(m.Pix) < m.Stride*(m.Rect.Dy()-1)+4*m.Rect.Dx() {
		return fmt.Errorf("%w: the photo must be a whole picture at the origin", ErrLayout)
	}
	if p.DPI < 1 || p.DPI > 2400 {
		return fmt.Errorf("%w: a photo of %d dpi", ErrLayout, p.DPI)
	}
	return nil
}

// Sheet is where everything lies, in pixels of the sheet at its resolution, so
// that file and print are the same to the pixel.
type Sheet struct {
	Paper         Paper
	DPI           int
	Width, Height int // of the sheet
	Cols, Rows    int
	Photos        []image.Rectangle // row by row
	Marks         []image.Rectangle // lines to cut along, a pixel or two wide
	photo         Photo
}

// Plan lays out as many copies as fit, or as many as are asked for, with the
// sheet turned whichever way holds more. Errors wrap ErrLayout.
func Plan(p Paper, photo Photo, o Options) (*Sheet, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := photo.check(); err != nil {
		return nil, err
	}
	if !(p.Short > 0 && p.Long >= p.Short && p.Long <= 1000) {
		return nil, fmt.Errorf("%w: paper of %v×%v mm", ErrLayout, p.Long, p.Short)
	}
	px := func(mm float64) int { return int(math.Round(mm / mmPerInch * float64(o.DPI))) }
	side := func(n int) int { return max(int(math.Round(float64(n)/float64(photo.DPI)*float64(o.DPI))), 1) }
	w, h := side(photo.Pixels.Rect.Dx()), side(photo.Pixels.Rect.Dy())
	margin, gap := px(o.Margin), max(px(o.Gap), 1)
	best := &Sheet{}
	for _, size := range [2]image.Point{{px(p.Long), px(p.Short)}, {px(p.Short), px(p.Long)}} {
		s := &Sheet{Paper: p, DPI: o.DPI, Width: size.X, Height: size.Y, photo: photo}
		s.Cols = max(0, (size.X-2*margin+gap)/(w+gap))
		s.Rows = max(0, (size.Y-2*margin+gap)/(h+gap))
		if s.Cols*s.Rows > best.Cols*best.Rows {
			best = s
		}
	}
	n := best.Cols * best.Rows
	switch {
	case n == 0:
		return nil, fmt.Errorf("%w: a photo of %.1f×%.1f mm does not fit on %s with margins of %v mm", ErrLayout,
			float64(w)/float64(o.DPI)*mmPerInch, float64(h)/float64(o.DPI)*mmPerInch, p.TitleEN, o.Margin)
	case o.Copies > n:
		return nil, fmt.Errorf("%w: %d copies were asked for, %d fit on %s", ErrLayout, o.Copies, n, p.TitleEN)
	case o.Copies > 0:
		n = o.Copies
		best.Cols = min(best.Cols, n)
		best.Rows = (n + best.Cols - 1) / best.Cols
	}
	best.place(n, w, h, gap)
	best.mark(gap)
	return best, nil
}

// place centres the block of photos.
func (s *Sheet) place(n, w, h, gap int) {
	x0 := (s.Width - s.Cols*(w+gap) + gap) / 2
	y0 := (s.Height - s.Rows*(h+gap) + gap) / 2
	for i := range n {
		at := image.Pt(x0+i%s.Cols*(w+gap), y0+i/s.Cols*(h+gap))
		s.Photos = append(s.Photos, image.Rectangle{at, at.Add(image.Pt(w, h))})
	}
}

// Cut marks, in millimetres.
const (
	markLength = 4   // at most
	markAway   = .5  // from a photo's corner
	markWidth  = .12 // a hairline
)

// mark draws, at every corner of every photo, two lines that run away from it
// along its edges, wherever that stays away from all photos. Between two photos
// they share the gap.
func (s *Sheet) mark(gap int) {
	px := func(mm float64) int { return int(math.Round(mm / mmPerInch * float64(s.DPI))) }
	wide, away := max(px(markWidth), 1), px(markAway)
	outer := px(markLength)
	inner := max(gap-2*away, 1) // a line as long as the gap allows
	all := image.Rect(0, 0, s.Width, s.Height)
	seen := map[image.Rectangle]bool{}
	add := func(x0, y0, x1, y1 int) {
		r := image.Rect(x0, y0, x1, y1).Intersect(all)
		near := func(p image.Rectangle) bool { return r.Overlaps(p.Inset(1 - away)) }
		if r.Empty() || seen[r] || slices.ContainsFunc(s.Photos, near) {
			return
		}
		seen[r] = true
		s.Marks = append(s.Marks, r)
	}
	for _, p := range s.Photos {
		for _, length := range [2]int{outer, inner} {
			// The line's inner side is the photo's edge: cutting along it leaves no
			// white and no line.
			for _, x := range [2]int{p.Min.X - wide, p.Max.X} {
				add(x, p.Min.Y-away-length, x+wide, p.Min.Y-away)
				add(x, p.Max.Y+away, x+wide, p.Max.Y+away+length)
			}
			for _, y := range [2]int{p.Min.Y - wide, p.Max.Y} {
				add(p.Min.X-away-length, y, p.Min.X-away, y+wide)
				add(p.Max.X+away, y, p.Max.X+away+length, y+wide)
			}
		}
	}
}

// markGrey is dark enough to be seen and light enough to be forgiven.
const markGrey = 120

// sheetQuality keeps what a second JPEG compression costs below what is seen.
const sheetQuality = 97

// Image draws the sheet. A photo whose own resolution is the sheet's is copied
// pixel by pixel; any other is resampled (Catmull–Rom).
func (s *Sheet) Image() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, s.Width, s.Height))
	for i := range m.Pix {
		m.Pix[i] = 255
	}
	size := s.Photos[0].Size()
	photo := s.photo.Pixels
	if photo.Rect.Size() != size {
		photo = image.NewRGBA(image.Rectangle{Max: size})
		draw.CatmullRom.Scale(photo, photo.Rect, s.photo.Pixels, s.photo.Pixels.Rect, draw.Src, nil)
		defer clear(photo.Pix)
	}
	for _, r := range s.Photos {
		draw.Draw(m, r, photo, image.Point{}, draw.Src)
	}
	for _, r := range s.Marks {
		draw.Draw(m, r, image.NewUniform(color.Gray{markGrey}), image.Point{}, draw.Src)
	}
	return m
}

// JPEG is the sheet as a file that says its resolution.
func (s *Sheet) JPEG() ([]byte, error) {
	m := s.Image()
	defer clear(m.Pix)
	b, err := codec.EncodeRGBA(nil, m, sheetQuality, codec.S444)
	if err != nil {
		return nil, fmt.Errorf("encode sheet: %w", err)
	}
	if b, err = codec.SetDensity(b, s.DPI); err != nil {
		return nil, fmt.Errorf("encode sheet: %w", err)
	}
	return b, nil
}

// PDF is the sheet as a one-page document of the paper's size that carries the
// photo's own file once, whatever its resolution, and draws it at its true size.
// Equal sheets give equal bytes.
func (s *Sheet) PDF() ([]byte, error) {
	jpg := s.photo.JPEG
	if jpg == nil {
		var err error
		if jpg, err = codec.EncodeRGBA(nil, s.photo.Pixels, sheetQuality, codec.S444); err != nil {
			return nil, fmt.Errorf("encode photo for PDF: %w", err)
		}
	}
	mm := func(px int) float64 { return float64(px) / float64(s.DPI) * mmPerInch }
	w, h := s.Paper.Long, s.Paper.Short
	if s.Height > s.Width {
		w, h = h, w
	}
	doc := fpdf.NewCustom(&fpdf.InitType{UnitStr: "mm", Size: fpdf.SizeType{Wd: w, Ht: h}})
	// A date and an order of its own would make equal sheets differ.
	doc.SetCreationDate(time.Unix(0, 0).UTC())
	doc.SetModificationDate(time.Unix(0, 0).UTC())
	doc.SetCatalogSort(true)
	doc.SetProducer("Yunzhao Station", false)
	doc.SetMargins(0, 0, 0)
	doc.SetAutoPageBreak(false, 0)
	doc.AddPage()
	opt := fpdf.ImageOptions{ImageType: "JPG"}
	doc.RegisterImageOptionsReader("photo", opt, bytes.NewReader(jpg))
	pw := float64(s.photo.Pixels.Rect.Dx()) / float64(s.photo.DPI) * mmPerInch
	ph := float64(s.photo.Pixels.Rect.Dy()) / float64(s.photo.DPI) * mmPerInch
	for _, r := range s.Photos {
		doc.ImageOptions("photo", mm(r.Min.X), mm(r.Min.Y), pw, ph, false, opt, 0, "")
	}
	doc.SetFillColor(markGrey, markGrey, markGrey)
	for _, r := range s.Marks {
		doc.Rect(mm(r.Min.X), mm(r.Min.Y), mm(r.Dx()), mm(r.Dy()), "F")
	}
	var b bytes.Buffer
	if err := doc.Output(&b); err != nil {
		return nil, fmt.Errorf("write PDF: %w", err)
	}
	return b.Bytes(), nil
}
