package idcard

import (
	"cmp"
	"image"
	"math"
	"slices"

	"gocv.io/x/gocv"

	"github.com/yunzhao-station/yunzhao/pipeline/plane"
)

// A white card before a white wall has no outline that could be followed, and a
// hand hides a good part of it. What can always be seen of a card that can be
// read is the number: 18 dark characters in a row.

// lineSide is the longer side of the picture in which rows of characters are
// looked for, in pixels.
const lineSide = 960

const (
	// numberX0, numberX1 and numberY are where the number begins and ends on the
	// card, and the height of its middle, millimetres.
	numberX0, numberX1, numberY = 29.2, 75.9, 47.4
	// strokes are narrower than this, pixels of the picture that is looked at;
	// also those of the largest card that fits into the frame.
	stroke = 9
	// Characters that are told apart in a row of 18, at the least and the most:
	// blur joins some, dust adds some.
	minCharacters, maxCharacters = 11, 26
	// maxRows bounds how many rows of a frame are read.
	maxRows = 3
)

// row is a row of characters, in pixels of the frame.
type row struct {
	left, right plane.Point // the middles of its ends
	characters  int
}

func (r row) length() float64 { return dist(r.left, r.right) }

// off is by how many characters the row differs from a number, which has 18.
// Joined and broken ones are a matter of chance, so that two more or less are
// as good as none.
func (r row) off() int { return max(0, max(r.characters-cells, cells-r.characters)-2) }

// darker are the darknesses at which print is looked for, as multiples of what
// stands out of the frame at all. At the first, faint print is found; but then
// the guilloche under it is found too, and on a card that is held far away its
// waves are as close to one another as the characters and tie the rows together.
var darker = [...]float64{4, 2, 1}

// rows finds what may be the number: first what has about as many characters,
// of these the lowest, below which there is nothing on the card.
func (f *Finder) rows(w, h int) []row {
	k := min(1, lineSide/float64(max(w, h)))
	gocv.Resize(f.full, &f.half, image.Pt(int(float64(w)*k), int(float64(h)*k)), 0, 0, gocv.InterpolationArea)
	gocv.MorphologyEx(f.half, &f.dark, gocv.MorphBlackhat, f.strokes)
	gocv.MeanStdDev(f.dark, &f.mean, &f.spread)
	least := max(6, f.mean.GetDoubleAt(0, 0)+1.6*f.spread.GetDoubleAt(0, 0))
	var out []row
	for _, times := range darker {
		gocv.Threshold(f.dark, &f.print, float32(least*times), 255, gocv.ThresholdBinary)
		marks := f.characters()
		for _, bridge := range f.bridges {
			gocv.MorphologyEx(f.print, &f.joined, gocv.MorphClose, bridge)
			contours := gocv.FindContours(f.joined, gocv.RetrievalExternal, gocv.ChainApproxSimple)
			for i := range contours.Size() {
				r, high, ok := rowOf(gocv.MinAreaRect(contours.At(i)))
				if !ok {
					continue
				}
				r.characters = count(marks, r, high)
				if r.characters < minCharacters || r.characters > maxCharacters {
					continue
				}
				r.left.X, r.left.Y, r.right.X, r.right.Y = r.left.X/k, r.left.Y/k, r.right.X/k, r.right.Y/k
				out = addRow(out, r)
			}
			contours.Close()
		}
	}
	slices.SortFunc(out, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.off(), b.off()), cmp.Compare(b.left.Y+b.right.Y, a.left.Y+a.right.Y))
	})
	return out[:min(len(out), maxRows)]
}

// addRow adds r unless it is there already, seen at another darkness; of the two
// the one stays in which the characters stand apart better.
func addRow(rows []row, r row) []row {
	i := slices.IndexFunc(rows, func(o row) bool { return dist(o.left, r.left)+dist(o.right, r.right) < .1*r.length() })
	switch {
	case i < 0:
		return append(rows, r)
	case r.off() < rows[i].off():
		rows[i] = r
	}
	return rows
}

// mark is one blot of print.
type mark struct{ x, y, w, h float64 }

// characters are the blots that are as large as a character can be.
func (f *Finder) characters() []mark {
	contours := gocv.FindContours(f.print, gocv.RetrievalExternal, gocv.ChainApproxSimple)
	defer contours.Close()
	var out []mark
	for i := range contours.Size() {
		b := gocv.BoundingRect(contours.At(i))
		if b.Dy() >= 5 && b.Dy() <= 60 {
			out = append(out, mark{float64(b.Min.X+b.Max.X) / 2, float64(b.Min.Y+b.Max.Y) / 2, float64(b.Dx()), float64(b.Dy())})
		}
	}
	return out
}

// rowOf takes a box for a row of 18 characters if it has the shape of one and
// lies within 25° of level.
func rowOf(box gocv.RotatedRect) (r row, high float64, ok bool) {
	if len(box.Points) != 4 {
		return row{}, 0, false
	}
	p := box.Points
	mid := func(a, b image.Point) plane.Point {
		return plane.Point{X: float64(a.X+b.X)/2 + .5, Y: float64(a.Y+b.Y)/2 + .5}
	}
	a, b := mid(p[0], p[1]), mid(p[2], p[3])
	c, d := mid(p[1], p[2]), mid(p[3], p[0])
	if dist(c, d) > dist(a, b) {
		a, b, c, d = c, d, a, b
	}
	if a.X > b.X {
		a, b = b, a
	}
	long, high := dist(a, b), dist(c, d)
	// Digits of 20 pixels in a frame of 1920 make a row of 150 here; rows of half
	// of that are found as well, to ask for the card to come closer.
	if long < 70 || high < 4 || long < 8.5*high || long > 24*high || math.Abs(math.Atan2(b.Y-a.Y, b.X-a.X)) > 25*math.Pi/180 {
		return row{}, 0, false
	}
	return row{left: a, right: b}, high, true
}

// count is how many characters stand in the row.
func count(marks []mark, r row, high float64) int {
	n := 0
	l := r.length()
	ux, uy := (r.right.X-r.left.X)/l, (r.right.Y-r.left.Y)/l
	for _, m := range marks {
		dx, dy := m.x-r.left.X, m.y-r.left.Y
		along, across := dx*ux+dy*uy, math.Abs(dy*ux-dx*uy)
		if along > -2 && along < l+2 && across < .4*high && m.h > .4*high {
			n += max(1, int(math.Round(m.w/(l/18)))) // joined ones count for as many
		}
	}
	return n
}

// cardOf is the card that a row would be the number of, held square to the lens.
func cardOf(r row) Card {
	mm := r.length() / (numberX1 - numberX0)
	ux, uy := (r.right.X-r.left.X)/r.length(), (r.right.Y-r.left.Y)/r.length()
	var c Card
	for i, p := range plane.Corners(widthMM, heightMM) {
		x, y := (p.X-numberX0)*mm, (p.Y-numberY)*mm
		c.Corners[i] = plane.Point{X: r.left.X + x*ux - y*uy, Y: r.left.Y + x*uy + y*ux}
	}
	c.DigitPx = digitMM * mm
	return c
}

// holds tells whether the row lies where the number of the card c is.
func (c Card) holds(r row) bool {
	to, ok := plane.Between(c.Corners, plane.Corners(widthMM, heightMM))
	if !ok {
		return false
	}
	a, b := to.Apply(r.left), to.Apply(r.right)
	const off = 2.5
	return math.Abs(a.Y-numberY) < off && math.Abs(b.Y-numberY) < off && math.Abs(a.X-numberX0) < off && math.Abs(b.X-numberX1) < off
}
