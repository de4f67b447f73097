package infer

import (
	"cmp"
	"image"
	"math"
	"slices"
)

const (
	detectorSide = 256
	// Two boxes a cell on the 16×16 grid and six on the 8×8 grid, each with a
	// score and sixteen coordinates.
	fineGrid, fineBoxes     = 16, 2
	coarseGrid, coarseBoxes = 8, 6
	coordinates             = 16
	detectorValues          = fineGrid*fineGrid*fineBoxes*(1+coordinates) + coarseGrid*coarseGrid*coarseBoxes*(1+coordinates)

	// minDetection is the lowest score reported; what to believe is the caller's
	// choice.
	minDetection = .3
	// joinOverlap is from which intersection over union two boxes are one face:
	// their weighted mean steadies the answer (BlazeFace, section 3.4).
	joinOverlap = .3
)

// Detection is one face the detector saw, in pixels of the picture. Left and
// right are those of the picture.
type Detection struct {
	X, Y, W, H        float64 // from above the brows to the chin
	LeftEye, RightEye Point
	Nose, Mouth       Point
	LeftEar, RightEar Point // where the ears meet the cheeks
	Score             float64
}

// Detect appends the faces in m to dst, best first. Faces from a tenth of the
// picture's longer side upwards are found, turned and tilted ones too.
// The error is a picture whose buffer is shorter than its rectangle, or Nets
// that are closed.
func (n *Nets) Detect(m *image.RGBA, dst []Detection) ([]Detection, error) {
	if err := check(m); err != nil {
		return dst, err
	}
	w, h := float64(m.Rect.Dx()), float64(m.Rect.Dy())
	side := max(w, h)
	if side < 1 {
		return dst, nil
	}
	var raw []Detection
	err := n.detector.run(func(v []float32) {
		sample(m, region{cx: w / 2, cy: h / 2, w: side, h: side}, detectorSide, 2./255, -1, v)
	}, func(v []float32) {
		raw = decode(v)
	})
	if err != nil {
		return dst, err
	}
	for _, d := range join(raw) {
		dst = append(dst, d.place(side, (w-side)/2, (h-side)/2))
	}
	return dst, nil
}

// decode reads the detector's output: for each grid, the scores of every box
// plane by plane, then its coordinates. Answers are in units of the input's
// side.
func decode(v []float32) []Detection {
	var out []Detection
	for _, g := range [2]struct{ cells, boxes int }{{fineGrid, fineBoxes}, {coarseGrid, coarseBoxes}} {
		plane := g.cells * g.cells
		scores, rest := v[:g.boxes*plane], v[g.boxes*plane:]
		coords := rest[:g.boxes*coordinates*plane]
		v = rest[len(coords):]
		for box := range g.boxes {
			for cell := range plane {
				score := sigmoid(float64(scores[box*plane+cell]))
				if score < minDetection {
					continue
				}
				cx := (float64(cell%g.cells) + .5) / float64(g.cells)
				cy := (float64(cell/g.cells) + .5) / float64(g.cells)
				at := func(i int) Point {
					p := (box*coordinates + 2*i) * plane
					return Point{
						cx + float64(coords[p+cell])/detectorSide,
						cy + float64(coords[p+plane+cell])/detectorSide,
					}
				}
				middle, size := at(0), at(1)
				d := Detection{
					W: size.X - cx, H: size.Y - cy, Score: score,
					LeftEye: at(2), RightEye: at(3), Nose: at(4), Mouth: at(5), LeftEar: at(6), RightEar: at(7),
				}
				d.X, d.Y = middle.X-d.W/2, middle.Y-d.H/2
				if d.W > 0 && d.H > 0 && d.finite() {
					out = append(out, d)
				}
			}
		}
	}
	return out
}

// join replaces boxes that overlap by their mean, weighted by score; the score
// stays the best one's. The answer is sorted best first.
func join(raw []Detection) []Detection {
	slices.SortStableFunc(raw, func(a, b Detection) int { return cmp.Compare(b.Score, a.Score) })
	var out []Detection
	for len(raw) > 0 {
		best := raw[0]
		var sum Detection
		var weight float64
		rest := raw[:0]
		for _, d := range raw {
			if d != best && overlap(best, d) < joinOverlap {
				rest = append(rest, d)
				continue
			}
			weight += d.Score
			a, b := sum.values(), d.values()
			for i := range a {
				*a[i] += d.Score * *b[i]
			}
		}
		for _, p := range sum.values() {
			*p /= weight
		}
		sum.Score = best.Score
		out = append(out, sum)
		raw = rest
	}
	return out
}

// values are all of d's coordinates.
func (d *Detection) values() [coordinates]*float64 {
	return [coordinates]*float64{
		&d.X, &d.Y, &d.W, &d.H,
		&d.LeftEye.X, &d.LeftEye.Y, &d.RightEye.X, &d.RightEye.Y, &d.Nose.X, &d.Nose.Y,
		&d.Mouth.X, &d.Mouth.Y, &d.LeftEar.X, &d.LeftEar.Y, &d.RightEar.X, &d.RightEar.Y,
	}
}

func (d *Detection) finite() bool {
	for _, p := range d.values() {
		if math.IsNaN(*p) || math.Abs(*p) > 16 {
			return false
		}
	}
	return true
}

// place maps d from units of the input's side to pixels.
func (d Detection) place(side, dx, dy float64) Detection {
	for i, p := range d.values() {
		*p *= side
		switch {
		case i == 2 || i == 3: // width and height
		case i%2 == 0:
			*p += dx
		default:
			*p += dy
		}
	}
	return d
}

// Offset returns the detection moved by (dx, dy).
func (d Detection) Offset(dx, dy float64) Detection { return d.place(1, dx, dy) }

// overlap is the intersection of two boxes over their union.
func overlap(a, b Detection) float64 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / (a.W*a.H + b.W*b.H - w*h)
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
