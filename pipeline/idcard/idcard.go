// Package idcard reads the number and the name off the front of a resident
// identity card that is held close to a camera: it finds the card's outline,
// straightens it and has Tesseract read the two lines.
//
// It knows nothing of rosters and never decides who somebody is: a number is
// handed out only when the caller's check accepts it, a name as what it was read
// as. It keeps no picture longer than the call, and Wipe overwrites its buffers.
//
// The picture is outside bytes: whatever it shows, at worst nothing is read.
package idcard

import (
	"fmt"
	"image"
	"math"
	"slices"

	"gocv.io/x/gocv"

	"github.com/yunzhao-station/yunzhao/pipeline/plane"
)

// Size of a card of format ID-1, millimetres (ISO/IEC 7810).
const (
	widthMM  = 85.6
	heightMM = 54
	// digitMM is the height of the number's digits on the card.
	digitMM = 3
)

// MinDigitPx is how high the digits of the number must be in the frame, in
// pixels, before they are read: below, Tesseract takes ever more of them for
// others (docs/identity.md).
const MinDigitPx = 20

// Card is a card in a frame.
type Card struct {
	// Corners are the card's in the frame, clockwise from its top left.
	Corners [4]plane.Point
	// DigitPx is how high the number's digits are, in pixels of the frame.
	DigitPx float64
}

// aslant is how much shorter the number may measure on a card that is turned by
// 25°, as nobody holds one square to the lens: its digits are as high as ever.
const aslant = .9

// Near tells whether the card is close enough to be read.
func (c Card) Near() bool { return c.DigitPx >= aslant*MinDigitPx }

// Size of the picture in which outlines are looked for, in pixels: its longer
// side. Lines of print vanish at this size, edges of cards do not.
const outlineSide = 480

// A card fills from a twelfth of the frame, where nobody could read it, to
// nearly all of it.
const (
	minShare = .06
	maxShare = .97
)

// minSupport is the least share of an outline that must lie on edges of the
// picture. Fingers cover the rest.
const minSupport = .55

// Finder finds cards. It keeps its buffers and belongs to one goroutine.
type Finder struct {
	full, small, soft, edges, grown, kernel          gocv.Mat
	half, dark, print, joined, strokes, mean, spread gocv.Mat
	bridges                                          [2]gocv.Mat // over the gaps between characters, of a far and a near card
}

// NewFinder makes a finder; Close frees what it holds.
func NewFinder() *Finder {
	return &Finder{
		full: gocv.NewMat(), small: gocv.NewMat(), soft: gocv.NewMat(), edges: gocv.NewMat(), grown: gocv.NewMat(),
		kernel: gocv.GetStructuringElement(gocv.MorphRect, image.Pt(3, 3)),
		half:   gocv.NewMat(), dark: gocv.NewMat(), print: gocv.NewMat(), joined: gocv.NewMat(), mean: gocv.NewMat(), spread: gocv.NewMat(),
		strokes: gocv.GetStructuringElement(gocv.MorphRect, image.Pt(stroke, stroke)),
		bridges: [2]gocv.Mat{
			gocv.GetStructuringElement(gocv.MorphRect, image.Pt(9, 1)), gocv.GetStructuringElement(gocv.MorphRect, image.Pt(19, 1)),
		},
	}
}

// Close frees the finder's buffers after overwriting them.
func (f *Finder) Close() {
	f.Wipe()
	for _, m := range append(f.pictures(), &f.kernel, &f.strokes, &f.bridges[0], &f.bridges[1]) {
		_ = m.Close()
	}
}

// Wipe overwrites what the finder has of the last frame.
func (f *Finder) Wipe() {
	for _, m := range f.pictures() {
		if !m.Empty() {
			m.SetTo(gocv.Scalar{})
		}
	}
}

func (f *Finder) pictures() []*gocv.Mat {
	return []*gocv.Mat{&f.full, &f.small, &f.soft, &f.edges, &f.grown, &f.half, &f.dark, &f.print, &f.joined, &f.mean, &f.spread}
}

// Find looks for cards in an upright frame: rows of characters that can be the
// number of one, each with the card around it, by its outline where that can be
// followed, else as if it were held square to the lens. The likeliest comes
// first; none is no error. An error is of OpenCV's, not of the picture.
func (f *Finder) Find(m *image.Gray) ([]Card, error) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	if w < 160 || h < 120 || m.Stride != w {
		return nil, nil
	}
	// A copy: OpenCV keeps pointers to what it is lent.
	if f.full.Cols() != w || f.full.Rows() != h {
		_ = f.full.Close()
		f.full = gocv.NewMatWithSize(h, w, gocv.MatTypeCV8U)
	}
	pix, err := f.full.DataPtrUint8()
	if err != nil {
		return nil, fmt.Errorf("idcard: take the frame: %w", err)
	}
	copy(pix, m.Pix[:w*h])
	rows := f.rows(w, h)
	if len(rows) == 0 {
		return nil, nil
	}
	outline, ok, err := f.outline(w, h)
	if err != nil {
		return nil, err
	}
	var out []Card
	for _, r := range rows {
		if ok && outline.holds(r) {
			out = append([]Card{outline}, out...)
			continue
		}
		out = append(out, cardOf(r))
	}
	return out, nil
}

// outline follows the edges of a card, if there is one that stands out from what
// is behind it.
func (f *Finder) outline(w, h int) (c Card, ok bool, err error) {
	k := outlineSide / float64(max(w, h))
	gocv.Resize(f.full, &f.small, image.Pt(int(float64(w)*k), int(float64(h)*k)), 0, 0, gocv.InterpolationArea)
	gocv.GaussianBlur(f.small, &f.soft, image.Pt(5, 5), 0, 0, gocv.BorderReplicate)
	found := f.outlines()
	g, err := newGradient(f.small)
	if err != nil {
		return Card{}, false, err
	}
	best := 0.
	var at [4]plane.Point
	for _, q := range found {
		q, support := g.settle(q)
		if support < minSupport || !cardShaped(q) {
			continue
		}
		// The card's own edge goes before the edge of the portrait inside it.
		if score := support * math.Sqrt(area(q)); score > best {
			best, at = score, q
		}
	}
	if best == 0 {
		return Card{}, false, nil
	}
	for i, p := range at {
		c.Corners[i] = plane.Point{X: p.X / k, Y: p.Y / k}
	}
	c.DigitPx = digitMM / widthMM * (dist(c.Corners[0], c.Corners[1]) + dist(c.Corners[3], c.Corners[2])) / 2
	return c, true, nil
}

// outlines are the four-cornered shapes among the edges of the small picture.
func (f *Finder) outlines() [][4]plane.Point {
	var out [][4]plane.Point
	frame := float64(f.small.Cols() * f.small.Rows())
	for _, t := range [][2]float32{{15, 45}, {30, 90}, {60, 160}} {
		gocv.Canny(f.soft, &f.edges, t[0], t[1])
		gocv.Dilate(f.edges, &f.grown, f.kernel)
		contours := gocv.FindContours(f.grown, gocv.RetrievalList, gocv.ChainApproxSimple)
		for i := range contours.Size() {
			c := contours.At(i)
			box := gocv.MinAreaRect(c)
			a := float64(box.Width * box.Height)
			if a < minShare*frame || a > maxShare*frame || len(box.Points) != 4 {
				continue
			}
			for _, eps := range []float64{.015, .03, .06} {
				p := gocv.ApproxPolyDP(c, eps*float64(2*(box.Width+box.Height)), true)
				if p.Size() == 4 {
					if q, ok := ordered(p.ToPoints()); ok {
						out = append(out, q)
					}
				}
				p.Close()
			}
			if q, ok := ordered(box.Points); ok {
				out = append(out, q)
			}
		}
		contours.Close()
	}
	return out
}

// ordered puts four corners clockwise from the top left of a card that lies.
func ordered(p []image.Point) ([4]plane.Point, bool) {
	var mx, my float64
	for _, q := range p {
		mx, my = mx+float64(q.X)/4, my+float64(q.Y)/4
	}
	slices.SortFunc(p, func(a, b image.Point) int {
		d := math.Atan2(float64(a.Y)-my, float64(a.X)-mx) - math.Atan2(float64(b.Y)-my, float64(b.X)-mx)
		switch {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return 0
	})
	var q [4]plane.Point
	for i := range q {
		q[i] = plane.Point{X: float64(p[i].X) + .5, Y: float64(p[i].Y) + .5}
	}
	return q, cardShaped(q)
}

// cardShaped tells whether four corners can be those of a card that is held
// lying, within 40° of level.
func cardShaped(q [4]plane.Point) bool {
	top, right, bottom, left := dist(q[0], q[1]), dist(q[1], q[2]), dist(q[2], q[3]), dist(q[3], q[0])
	if min(top, bottom) < .7*max(top, bottom) || min(left, right) < .7*max(left, right) {
		return false
	}
	ratio := (top + bottom) / (left + right)
	if ratio < 1.25 || ratio > 2.05 {
		return false
	}
	for i := range q {
		a, b, c := q[i], q[(i+1)%4], q[(i+2)%4]
		cross := (b.X-a.X)*(c.Y-b.Y) - (b.Y-a.Y)*(c.X-b.X)
		if cross <= .7*dist(a, b)*dist(b, c) { // corners of about 45° to 135°
			return false
		}
	}
	return math.Abs(math.Atan2(q[1].Y-q[0].Y, q[1].X-q[0].X)) < 40*math.Pi/180
}

func dist(a, b plane.Point) float64 { return math.Hypot(a.X-b.X, a.Y-b.Y) }

// area of a quadrilateral (shoelace formula).
func area(q [4]plane.Point) float64 {
	s := 0.
	for i, p := range q {
		n := q[(i+1)%4]
		s += p.X*n.Y - n.X*p.Y
	}
	return math.Abs(s) / 2
}

// gradient is where the small picture changes.
type gradient struct {
	pix  []byte
	w, h int
}

func newGradient(m gocv.Mat) (gradient, error) {
	pix, err := m.DataPtrUint8()
	if err != nil {
		return gradient{}, fmt.Errorf("idcard: read the small frame: %w", err)
	}
	return gradient{pix, m.Cols(), m.Rows()}, nil
}

func (g gradient) at(p plane.Point) (float64, bool) {
	x, y := int(p.X), int(p.Y)
	if x < 0 || y < 0 || x >= g.w || y >= g.h {
		return 0, false
	}
	return float64(g.pix[y*g.w+x]), true
}

// minStep is a step of brightness across the card's edge that counts, in
// levels.
const minStep = 7

// settle moves each side of q to where the picture changes most near it, along
// most of its length, and says how much of the outline does so.
func (g gradient) settle(q [4]plane.Point) ([4]plane.Point, float64) {
	type line struct{ a, b, c float64 } // ax + by = c
	var lines [4]line
	support := 0.
	for i := range 4 {
		a, b := q[i], q[(i+1)%4]
		l := dist(a, b)
		nx, ny := (b.Y-a.Y)/l, -(b.X-a.X)/l // outwards
		reach := max(3, l*.03)
		const samples = 32
		var at []plane.Point
		for s := range samples {
			f := .07 + .86*float64(s)/(samples-1) // the corners are round
			mid := plane.Point{X: a.X + (b.X-a.X)*f, Y: a.Y + (b.Y-a.Y)*f}
			best, d := 0., 0.
			for o := -reach; o <= reach; o += .5 {
				in, ok1 := g.at(plane.Point{X: mid.X + nx*(o-1.2), Y: mid.Y + ny*(o-1.2)})
				out, ok2 := g.at(plane.Point{X: mid.X + nx*(o+1.2), Y: mid.Y + ny*(o+1.2)})
				if step := math.Abs(in - out); ok1 && ok2 && step > best {
					best, d = step, o
				}
			}
			if best >= minStep {
				at = append(at, plane.Point{X: mid.X + nx*d, Y: mid.Y + ny*d})
			}
		}
		fx, fy, fc, held := fit(at, nx, ny, plane.Point{X: (a.X + b.X) / 2, Y: (a.Y + b.Y) / 2})
		lines[i] = line{fx, fy, fc}
		support += float64(held) / samples / 4
	}
	var out [4]plane.Point
	for i := range 4 {
		l, m := lines[(i+3)%4], lines[i]
		det := l.a*m.b - m.a*l.b
		if math.Abs(det) < .3 {
			return q, 0
		}
		out[i] = plane.Point{X: (l.c*m.b - m.c*l.b) / det, Y: (l.a*m.c - m.a*l.c) / det}
	}
	return out, support
}

// fit is the line through most of the points: least squares, from which the
// points that lie off are taken away, three times over. It returns the line's
// normal, its distance from the origin and how many points lie on it.
func fit(at []plane.Point, nx, ny float64, mid plane.Point) (a, b, c float64, held int) {
	a, b, c = nx, ny, nx*mid.X+ny*mid.Y
	if len(at) < 6 {
		return a, b, c, 0
	}
	// The median first: a hand's edge pulls the mean away.
	d := make([]float64, len(at))
	for i, p := range at {
		d[i] = nx*p.X + ny*p.Y
	}
	slices.Sort(d)
	c = d[len(d)/2]
	tolerance := 4.
	for range 3 {
		var n, sx, sy, sxx, sxy, syy float64
		for _, p := range at {
			if math.Abs(a*p.X+b*p.Y-c) <= tolerance {
				n++
				sx, sy = sx+p.X, sy+p.Y
				sxx, sxy, syy = sxx+p.X*p.X, sxy+p.X*p.Y, syy+p.Y*p.Y
			}
		}
		if n < 6 {
			return a, b, c, 0
		}
		cxx, cxy, cyy := sxx/n-sx*sx/n/n, sxy/n-sx*sy/n/n, syy/n-sy*sy/n/n
		angle := math.Atan2(2*cxy, cxx-cyy) / 2 // of the line
		na, nb := -math.Sin(angle), math.Cos(angle)
		if na*nx+nb*ny < 0 {
			na, nb = -na, -nb
		}
		a, b, c = na, nb, (na*sx+nb*sy)/n
		tolerance = max(1.5, tolerance/2)
	}
	for _, p := range at {
		if math.Abs(a*p.X+b*p.Y-c) <= 1.5 {
			held++
		}
	}
	return a, b, c, held
}
