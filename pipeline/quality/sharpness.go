package quality

import (
	"math"
	"slices"
)

// sharpness measures how wide the sharpest edges around the eyes are. An edge
// blurred by σ has the slope 1/σ, and 1/√(σ²+s²) after a known blur of s; the
// ratio of its slopes after two known blurs gives σ whatever the contrast
// (Zhuo and Sim, "Defocus map estimation from a single image", 2011). Only the
// steepest edges are asked, where noise counts least. Those across and those
// down the picture are asked apart, since movement blurs only one of them; the
// worse counts.
//
// Raw is σ in percent of the eye distance; the value is 100 for a crisp picture
// (σ ≤ 0.9 %), 40 at 1.6 % (1.7 px on a 480×640 portrait), 20 at 2 % and 0 at
// 2.8 %.
func (r *report) sharpness(p *patch) {
	if p == nil {
		r.value(Sharpness, 0, false)
		return
	}
	best, known := math.Inf(1), false
	for _, u := range []float64{-.5, .5} {
		if s, ok := p.edgeWidth(u-.32, -.4, u+.32, .18); ok {
			best, known = min(best, s), true
		}
	}
	if !known {
		r.value(Sharpness, 0, false)
		return
	}
	percent := 100 * best / float64(p.unit)
	r.quality(Sharpness, min(max(160*(.9/max(percent, .1)-.32), 0), 100), percent, true)
}

// The two known blurs, in pixels of the patch.
const fineBlur, coarseBlur = 1.0, 2.0

// edgeWidth is σ of the sharpest edges in a rectangle (in units), in pixels of
// the patch; ok is false where there are none or the frame ends.
func (p *patch) edgeWidth(u0, v0, u1, v1 float64) (sigma float64, ok bool) {
	margin := int(3*coarseBlur) + 2
	a, b := p.index(u0, v0), p.index(u1, v1)
	x0, y0, x1, y1 := a%p.w-margin, a/p.w-margin, b%p.w+margin, b/p.w+margin
	if x0 < 0 || y0 < 0 || x1 >= p.w || y1 >= p.h {
		return 0, false
	}
	w, h := x1-x0+1, y1-y0+1
	for y := y0; y <= y1; y++ {
		if !p.inside[y*p.w+x0] || !p.inside[y*p.w+x1] {
			return 0, false
		}
	}
	fine := p.blurred(x0, y0, w, h, fineBlur)
	coarse := p.blurred(x0, y0, w, h, coarseBlur)
	worst := 0.0
	for _, step := range []int{1, w} {
		type edge struct{ slope, ratio float64 }
		var edges []edge
		for y := margin; y < h-margin; y++ {
			for x := margin; x < w-margin; x++ {
				i := y*w + x
				slope := func(m []float32, i int) float64 { return math.Abs(float64(m[i+step] - m[i-step])) }
				g := slope(fine, i)
				// Only where the slope is steepest: beside it a blur may steepen it.
				if g < 2*minSlope || g < slope(fine, i-step) || g < slope(fine, i+step) {
					continue
				}
				if c := slope(coarse, i); c > 0 {
					edges = append(edges, edge{g, g / c})
				}
			}
		}
		if len(edges) < 12 {
			continue
		}
		slices.SortFunc(edges, func(a, b edge) int {
			switch {
			case a.slope > b.slope:
				return -1
			case a.slope < b.slope:
				return 1
			}
			return 0
		})
		edges = edges[:max(len(edges)/4, 12)]
		ratios := make([]float64, len(edges))
		for i, e := range edges {
			ratios[i] = e.ratio
		}
		// σ² from the slopes' ratio q: q² = (σ²+coarse²)/(σ²+fine²).
		q := percentile(ratios, .75)
		s2 := 1e4 // no steeper at all: beyond any blur that can be told
		if q*q > 1 {
			s2 = (coarseBlur*coarseBlur - q*q*fineBlur*fineBlur) / (q*q - 1)
		}
		worst, ok = max(worst, math.Sqrt(max(s2, 0))), true
	}
	return worst, ok
}

// minSlope is the least slope of an edge, in levels a pixel after the fine blur.
const minSlope = 1.0

// blurred is a Gaussian of σ pixels over a rectangle of the luma.
func (p *patch) blurred(x0, y0, w, h int, sigma float64) []float32 {
	r := int(3 * sigma)
	kernel := make([]float32, 2*r+1)
	var sum float32
	for i := range kernel {
		d := float64(i - r)
		kernel[i] = float32(math.Exp(-d * d / (2 * sigma * sigma)))
		sum += kernel[i]
	}
	for i := range kernel {
		kernel[i] /= sum
	}
	across, out := make([]float32, w*h), make([]float32, w*h)
	for y := range h {
		row := p.luma[(y0+y)*p.w+x0 : (y0+y)*p.w+x0+w]
		for x := r; x < w-r; x++ {
			var v float32
			for i, k := range kernel {
				v += k * row[x+i-r]
			}
			across[y*w+x] = v
		}
	}
	for y := r; y < h-r; y++ {
		for x := r; x < w-r; x++ {
			var v float32
			for i, k := range kernel {
				v += k * across[(y+i-r)*w+x]
			}
			out[y*w+x] = v
		}
	}
	return out
}
