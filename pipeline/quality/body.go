package quality

import (
	"image"
	"math"
)

// Lumps of the picture that colour rules are judged on: single pixels carry
// noise and JPEG's halved colour.
const cellsAcross = 96

// cell is the mean of a small square of a picture.
type cell struct {
	x, y int // centre, output px
	c    lab
}

// cellSize is the side of a cell in output pixels.
func (o *output) cellSize() int { return max(o.w/cellsAcross, 2) }

// cellLab is the mean colour of the square of size k at (x, y).
func cellLab(img *image.RGBA, x, y, k int) lab {
	lin := linear()
	var r, g, b float64
	for j := y; j < y+k; j++ {
		row := img.Pix[j*img.Stride+4*x : j*img.Stride+4*(x+k)]
		for i := 0; i < len(row); i += 4 {
			r += float64(lin[row[i]])
			g += float64(lin[row[i+1]])
			b += float64(lin[row[i+2]])
		}
	}
	n := float64(k * k)
	return linearLab(r/n, g/n, b/n)
}

// torso collects the cells of the clothes: what is surely person below the
// chin, without the neck and without skin.
func (o *output) torso() []cell {
	img := o.cut
	if img == nil {
		img = o.portrait
	}
	if img == nil || o.alpha == nil || !o.hasFace {
		return nil
	}
	k := o.cellSize()
	var cells []cell
	skin, hasSkin := o.cheekLab(img)
	top := max(int(o.chinY+.12*o.ied), 0)
	for y := top; y+k <= o.h; y += k {
	next:
		for x := 0; x+k <= o.w; x += k {
			for _, q := range [][2]int{{x, y}, {x + k - 1, y}, {x, y + k - 1}, {x + k - 1, y + k - 1}} {
				if o.alpha[q[1]*o.w+q[0]] < 250 {
					continue next
				}
			}
			c := cellLab(img, x, y, k)
			// The neck, in an opening that narrows downwards.
			if math.Abs(float64(x+k/2)-o.eyes.X) < .62*o.ied && float64(y) < o.chinY+1.1*o.ied &&
				hasSkin && math.Hypot(c.a-skin.a, c.b-skin.b) < 14 && math.Abs(c.l-skin.l) < 35 && c.chroma() > 6 {
				continue
			}
			cells = append(cells, cell{x + k/2, y + k/2, c})
		}
	}
	return cells
}

func (o *output) cheekLab(img *image.RGBA) (lab, bool) {
	k := max(int(.3*o.ied), 1)
	var l, a, b, n float64
	for _, s := range []float64{-1, 1} {
		x, y := int(o.eyes.X+s*.53*o.ied)-k/2, int(o.eyes.Y+.53*o.ied)-k/2
		if x < 0 || y < 0 || x+k > o.w || y+k > o.h {
			continue
		}
		c := cellLab(img, x, y, k)
		l, a, b, n = l+c.l, a+c.a, b+c.b, n+1
	}
	if n == 0 {
		return lab{}, false
	}
	return lab{l / n, a / n, b / n}, true
}

// clothing measures the clothes' colour and pattern.
//
// clothing_not_background is the CIEDE2000 difference between the new
// background and the quarter of the clothes along the silhouette that is
// nearest to it; clothing_blue the share of blue in the clothes, navy and denim
// included; clothing_plain the share of the clothes with a pattern.
func (o *output) clothing(r *report) {
	cells := o.torso()
	known := len(cells) >= 40
	if !known {
		r.value(ClothingNotBackground, 0, false)
		r.value(ClothingBlue, 0, false)
		r.value(ClothingPlain, 0, false)
		r.manual(ClothingFormal, 0)
		return
	}
	if bg := o.in.Background; bg.A == 0 {
		// The backdrop is kept: its difference is subject_contrast.
		r.value(ClothingNotBackground, 0, false)
	} else {
		target := labOf(bg.R, bg.G, bg.B)
		reach := .55 * o.ied
		var ds []float64
		for _, c := range cells {
			x0, x1, ok := o.span(min(c.y, o.h-1))
			near := ok && (float64(c.x-x0) < reach && x0 > 0 || float64(x1-c.x) < reach && x1 < o.w-1)
			if !near {
				above := c.y - int(reach)
				near = above > 0 && o.alpha[above*o.w+c.x] < 128
			}
			if near {
				ds = append(ds, deltaE00(c.c, target))
			}
		}
		if len(ds) < 20 {
			ds = ds[:0]
			for _, c := range cells {
				ds = append(ds, deltaE00(c.c, target))
			}
		}
		r.value(ClothingNotBackground, percentile(ds, .25), true)
	}
	blue := 0
	for _, c := range cells {
		if isBlue(c.c) {
			blue++
		}
	}
	r.value(ClothingBlue, float64(blue)/float64(len(cells)), true)
	r.value(ClothingPlain, o.pattern(cells), true)
	r.manual(ClothingFormal, 0)
}

// isBlue tells a blue cloth from grey, black and white: the darker a cloth,
// the less colour its blue can have (navy), and a white shirt in a blue-ish
// light must not count.
func isBlue(c lab) bool {
	h := c.hue()
	if h < 215 || h > 310 {
		return false
	}
	need := 6 + 8*min(max((c.l-15)/55, 0), 1)
	return c.chroma() > need
}

// pattern is the share of cells that differ from what lies on both sides, one
// to three cells away: stripes, checks and prints do, the single edge of a
// lapel does not.
func (o *output) pattern(cells []cell) float64 {
	k := o.cellSize()
	at := make(map[[2]int]lab, len(cells))
	for _, c := range cells {
		at[[2]int{c.x, c.y}] = c.c
	}
	n, busy := 0, 0
	for _, c := range cells {
		mixed, seen := false, false
		for _, d := range [][2]int{{k, 0}, {0, k}} {
			for reach := 1; reach <= 3 && !mixed; reach++ {
				p, pok := at[[2]int{c.x - reach*d[0], c.y - reach*d[1]}]
				q, qok := at[[2]int{c.x + reach*d[0], c.y + reach*d[1]}]
				if !pok || !qok {
					break
				}
				seen = true
				// A ridge or a valley: lighter or darker than both sides, and these
				// alike, or it would be a slope.
				lo, hi := min(p.l, q.l), max(p.l, q.l)
				chroma := min(math.Hypot(c.c.a-p.a, c.c.b-p.b), math.Hypot(c.c.a-q.a, c.c.b-q.b))
				step := max(lo-c.c.l, c.c.l-hi)
				need := 2.5 * float64(1+reach) / 2
				mixed = step > need && (reach == 1 || hi-lo < 2*step) || reach == 1 && chroma > 5
			}
		}
		if seen {
			n++
			if mixed {
				busy++
			}
		}
	}
	return float64(busy) / float64(max(n, 1))
}
