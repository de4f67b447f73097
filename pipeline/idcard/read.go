package idcard

import (
	"errors"
	"fmt"
	"image"
	"math"
	"strings"
	"unicode"

	"github.com/otiai10/gosseract/v2"

	"github.com/yunzhao-station/yunzhao/pipeline/plane"
)

// ErrNoOCR means that Tesseract or its data cannot be used on this computer.
var ErrNoOCR = errors.New("idcard: text recognition is not available")

// Reading is what stands on a card.
type Reading struct {
	// Number is the number, or "" when none was read that the check accepts.
	Number string
	// Name is the name as read, "" when it was not: some of its characters may
	// be others.
	Name string
}

// perMM is the scale at which a line is straightened, pixels a millimetre: its
// digits are 36 pixels high, of which Tesseract's models want about 30 to 40.
const perMM = 12

// Bands of the card in which the two lines lie, millimetres from the top left.
// They are wider than the lines, for an outline that is a little off.
var (
	numberBand = band{26.5, 43.5, 82, 51}
	nameBand   = band{14.8, 3.5, 44, 16.5}
)

type band struct{ x0, y0, x1, y1 float64 }

// Reader reads cards. It belongs to one goroutine. Tesseract is loaded with the
// first card: most desks have a reader for cards and never need it.
type Reader struct {
	digits, names *gosseract.Client
	line, apart   image.Gray
	file          []byte
	sums          []int32
}

// New makes a reader that has loaded nothing yet.
func New() *Reader { return &Reader{} }

// Close lets Tesseract go.
func (r *Reader) Close() error {
	r.Wipe()
	var errs []error
	for _, c := range []*gosseract.Client{r.digits, r.names} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	r.digits, r.names = nil, nil
	return errors.Join(errs...)
}

// Wipe overwrites what the reader has of the last card.
func (r *Reader) Wipe() {
	clear(r.line.Pix[:cap(r.line.Pix)])
	clear(r.apart.Pix[:cap(r.apart.Pix)])
	clear(r.file[:cap(r.file)])
	clear(r.sums[:cap(r.sums)])
	for _, c := range []*gosseract.Client{r.digits, r.names} {
		if c != nil {
			// Tesseract keeps the last picture until it is given another.
			_ = c.SetImageFromBytes([]byte("P5 1 1 255\n\xff"))
		}
	}
}

// Number reads the number of the card c in the frame m. valid is asked about
// each reading; what it refuses is not handed out. "" means that nothing valid
// was read. Errors are ErrNoOCR.
func (r *Reader) Number(m *image.Gray, c Card, valid func(string) bool) (string, error) {
	if err := r.open(&r.digits, "eng", "0123456789X"); err != nil {
		return "", err
	}
	if !r.straighten(m, c, numberBand) {
		return "", nil
	}
	r.level()
	for look := range 2 {
		if look == 1 && !r.space() {
			break
		}
		text, err := r.recognise(r.digits)
		if err != nil {
			return "", err
		}
		if n, ok := pick(text, valid); ok {
			return n, nil
		}
	}
	return "", nil
}

// Name reads the name on the card, "" when there is nothing that could be one.
func (r *Reader) Name(m *image.Gray, c Card) (string, error) {
	if err := r.open(&r.names, "chi_sim", ""); err != nil {
		return "", err
	}
	if !r.straighten(m, c, nameBand) {
		return "", nil
	}
	r.level()
	if !r.firstRow() {
		return "", nil
	}
	if err := r.show(r.names); err != nil {
		return "", err
	}
	words, err := r.names.GetBoundingBoxes(gosseract.RIL_WORD)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoOCR, err)
	}
	var b strings.Builder
	for _, w := range words {
		if w.Confidence < sureName {
			return "", nil
		}
		for _, c := range w.Word {
			if unicode.Is(unicode.Han, c) || c == '·' && b.Len() > 0 {
				b.WriteRune(c)
			}
		}
	}
	return b.String(), nil
}

// sureName is Tesseract's confidence in each word, percent, below which a name
// counts as not read: a wrong one would send its bearer to the staff
// (docs/identity.md).
const sureName = 60

// open loads a model the first time that it is needed.
func (r *Reader) open(c **gosseract.Client, language, only string) error {
	if *c != nil {
		return nil
	}
	n := gosseract.NewClient()
	err := errors.Join(n.SetLanguage(language), n.SetPageSegMode(gosseract.PSM_SINGLE_LINE), n.DisableOutput())
	if only != "" {
		err = errors.Join(err, n.SetWhitelist(only))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %w", ErrNoOCR, err), n.Close())
	}
	*c = n
	return nil
}

// show gives Tesseract the line.
func (r *Reader) show(c *gosseract.Client) error {
	r.file = fmt.Appendf(r.file[:0], "P5 %d %d 255\n", r.line.Rect.Dx(), r.line.Rect.Dy())
	r.file = append(r.file, r.line.Pix...)
	if err := c.SetImageFromBytes(r.file); err != nil {
		return fmt.Errorf("%w: %w", ErrNoOCR, err)
	}
	return nil
}

func (r *Reader) recognise(c *gosseract.Client) (string, error) {
	if err := r.show(c); err != nil {
		return "", err
	}
	text, err := c.Text()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoOCR, err)
	}
	return text, nil
}

// pick finds the number in a line as read, in which a speck of dust may stand
// for a character before or behind it. Two different numbers are none.
func pick(text string, valid func(string) bool) (string, bool) {
	var line []byte
	for _, c := range []byte(text) {
		switch {
		case c >= '0' && c <= '9' || c == 'X':
			line = append(line, c)
		case c == 'x':
			line = append(line, 'X')
		}
	}
	const length, stray = 18, 2
	if len(line) < length || len(line) > length+stray {
		return "", false
	}
	found := ""
	for i := 0; i+length <= len(line); i++ {
		if s := string(line[i : i+length]); valid(s) {
			if found != "" && found != s {
				return "", false
			}
			found = s
		}
	}
	return found, found != ""
}

// straighten cuts a band of the card out of the frame, level, into r.line.
func (r *Reader) straighten(m *image.Gray, c Card, b band) bool {
	to, ok := plane.Between(plane.Corners(widthMM, heightMM), c.Corners)
	if !ok || m.Rect.Empty() {
		return false
	}
	w, h := int((b.x1-b.x0)*perMM), int((b.y1-b.y0)*perMM)
	size(&r.line, w, h)
	for y := range h {
		for x := range w {
			p := to.Apply(plane.Point{X: b.x0 + (float64(x)+.5)/perMM, Y: b.y0 + (float64(y)+.5)/perMM})
			r.line.Pix[y*w+x] = uint8(plane.Sample(m, p))
		}
	}
	return true
}

// level brings print and card to the same brightness everywhere, whatever lamp
// shines upon them: each pixel is judged by the mean and the spread around it
// (as in Sauvola and Pietikäinen, Adaptive document image binarization, 2000,
// without the threshold, which is Tesseract's to choose).
func (r *Reader) level() {
	w, h := r.line.Rect.Dx(), r.line.Rect.Dy()
	n := (w + 1) * (h + 1)
	if cap(r.sums) < 2*n {
		r.sums = make([]int32, 2*n)
	}
	sum, squares := r.sums[:n], r.sums[n:2*n]
	clear(r.sums[:2*n])
	for y := range h {
		var a, b int32
		for x := range w {
			v := int32(r.line.Pix[y*w+x])
			a, b = a+v, b+v*v/16
			i := (y+1)*(w+1) + x + 1
			sum[i], squares[i] = sum[i-w-1]+a, squares[i-w-1]+b
		}
	}
	const reach = 4 * perMM // a digit and a half around
	// Where there is no print there is nothing to bring up.
	all := float64(w * h)
	mean := float64(sum[n-1]) / all
	least := max((float64(squares[n-1])*16/all-mean*mean)*.6, 36)
	const paper, gain = 175, 40
	for y := range h {
		y0, y1 := max(0, y-reach), min(h, y+reach+1)
		for x := range w {
			x0, x1 := max(0, x-reach), min(w, x+reach+1)
			box := func(s []int32) float64 {
				return float64(s[y1*(w+1)+x1] - s[y0*(w+1)+x1] - s[y1*(w+1)+x0] + s[y0*(w+1)+x0])
			}
			area := float64((x1 - x0) * (y1 - y0))
			mean := box(sum) / area
			spread := max(box(squares)*16/area-mean*mean, least)
			d := (float64(r.line.Pix[y*w+x]) - mean) / math.Sqrt(spread)
			r.line.Pix[y*w+x] = uint8(min(max(paper+gain*d, 0), 255))
		}
	}
}

// The number's characters stand in cells of one width.
const (
	cells    = 18
	cellMM   = 2.62
	cellSlop = .12 // by which cells of a card whose outline is off may differ
)

// space moves the characters of the line in r.line apart: the model that reads
// lines takes two of the same that stand close for one. The cells are where
// their borders cross the least ink. It says whether there is such a raster.
func (r *Reader) space() bool {
	w, h := r.line.Rect.Dx(), r.line.Rect.Dy()
	top, bottom := h/4, h-h/4 // what lies above and below the line is none of it
	ink := make([]float64, w)
	total := 0.
	for x := range w {
		for y := top; y < bottom; y++ {
			ink[x] += max(0, 150-float64(r.line.Pix[y*w+x]))
		}
		total += ink[x]
	}
	if total == 0 {
		return false
	}
	best, from, pitch := math.Inf(1), 0., 0.
	for p := cellMM * perMM * (1 - cellSlop); p <= cellMM*perMM*(1+cellSlop); p += .15 {
		for x0 := 0.; x0+cells*p < float64(w-1); x0++ {
			cost, inside := 0., 0.
			for i := range cells + 1 {
				x := int(x0 + float64(i)*p)
				cost += ink[x] + .5*(ink[max(x-1, 0)]+ink[min(x+1, w-1)])
			}
			for i := range cells { // a raster beside the number crosses no ink either
				inside += min(ink[int(x0+(float64(i)+.5)*p)], 900)
			}
			if cost -= inside / 2; cost < best {
				best, from, pitch = cost, x0, p
			}
		}
	}
	if pitch == 0 {
		return false
	}
	const gap = 12 // pixels
	cell := int(pitch + .5)
	nw := cells*(cell+gap) + 2*gap
	size(&r.apart, nw, h)
	for i := range r.apart.Pix {
		r.apart.Pix[i] = 190
	}
	for i := range cells {
		x0 := int(from + float64(i)*pitch)
		for y := range h {
			copy(r.apart.Pix[y*nw+gap+i*(cell+gap):][:cell], r.line.Pix[y*w+x0:][:min(cell, w-x0)])
		}
	}
	r.line, r.apart = r.apart, r.line
	return true
}

// firstRow cuts r.line down to its first whole row of print, and says whether
// there is one: where a card lies that was found by its number alone is known to
// a few millimetres only at the height of the name, and the next row is near.
func (r *Reader) firstRow() bool {
	const (
		least  = 2 * perMM // a character of a name is four millimetres high
		most   = 7 * perMM
		gap    = perMM / 3
		margin = perMM
	)
	w, h := r.line.Rect.Dx(), r.line.Rect.Dy()
	ink := make([]float64, h)
	top := 0.
	for y := range h {
		for _, v := range r.line.Pix[y*w:][:w] {
			ink[y] += max(0, 120-float64(v))
		}
		top = max(top, ink[y])
	}
	from, last := -1, -1
	for y := 0; y <= h; y++ {
		if y < h && ink[y] > .12*top {
			if from < 0 {
				from = y
			}
			last = y
			continue
		}
		if from < 0 || y < h && y-last <= gap {
			continue
		}
		if n := last - from + 1; n >= least && n <= most && from > 0 && last < h-1 {
			a, b := max(0, from-margin), min(h, last+1+margin)
			copy(r.line.Pix, r.line.Pix[a*w:b*w])
			size(&r.line, w, b-a)
			return true
		}
		from = -1
	}
	return false
}

// size makes m a picture of w×h pixels, reusing its buffer.
func size(m *image.Gray, w, h int) {
	if cap(m.Pix) < w*h {
		m.Pix = make([]byte, w*h)
	}
	m.Pix, m.Stride, m.Rect = m.Pix[:w*h], w, image.Rect(0, 0, w, h)
}
