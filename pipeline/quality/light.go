package quality

import "math"

// light measures how the face is lit, over the face's own skin side.
//
// luminance_mean, luminance_variance and under_exposed follow OFIQ's formulas, but not its
// conclusion that dark skin is a dark photo: the brightness of the face is first
// brought to that of the skin which would go with the whites of the eyes.
func light(r *report, p *patch) {
	illumination(r, p)
	exposure(r, p)
	if p == nil {
		for _, id := range []string{LuminanceMean, LuminanceVariance, DynamicRange, NaturalColour} {
			r.value(id, 0, false)
		}
		return
	}
	var hist [256]int
	n, sum, sq := 0, 0.0, 0.0
	p.faceMask(func(i int) {
		l := float64(p.lum[i])
		sum += l
		sq += l * l
		hist[min(int(l*255+.5), 255)]++
		n++
	})
	known := n > 100
	mean := sum / float64(max(n, 1))
	variance := max(sq/float64(max(n, 1))-mean*mean, 0)
	lit := mean * p.complexion(mean)
	r.quality(LuminanceMean, 100*sigmoid(lit, .2, .05)*(1-sigmoid(lit, .8, .05)), mean, known)
	// Light that is more by k varies k² times as much. The formula also falls where
	// it varies too much, which on dark skin beside bright eyes it does not: the
	// better reading of the two counts.
	k := lit / max(mean, 1e-6)
	q := max(varied(variance), varied(variance*k*k))
	r.quality(LuminanceVariance, q, variance, known)
	bits := 0.0
	for _, c := range hist {
		if c > 0 {
			q := float64(c) / float64(n)
			bits -= q * math.Log2(q)
		}
	}
	r.quality(DynamicRange, min(12.5*bits, 100), bits, known)
	naturalColour(r, p)
}

// exposure: the shares of the face that are black and that are burnt out.
func exposure(r *report, p *patch) {
	if p == nil {
		r.value(UnderExposed, 0, false)
		r.value(OverExposed, 0, false)
		return
	}
	n, dark, native, bright := 0, 0, 0, 0
	mean := 0.0
	p.faceMask(func(i int) {
		mean += float64(p.lum[i])
		n++
	})
	k := float32(p.complexion(mean / float64(max(n, 1))))
	p.faceMask(func(i int) {
		l := p.lum[i] * 255
		if l <= 25 {
			native++
		}
		if l*k <= 25 {
			dark++
		}
		if l >= 247 {
			bright++
		}
	})
	d, b := float64(dark)/float64(max(n, 1)), float64(bright)/float64(max(n, 1))
	q := func(v float64) float64 { return min(max(v, 0), 100) }
	r.quality(UnderExposed, q(120*(.832-sigmoid(d, .92, .05))), float64(native)/float64(max(n, 1)), n > 100)
	r.quality(OverExposed, q(1/(b+.01)), b, n > 100)
}

// varied is OFIQ's quality of a luminance variance.
func varied(v float64) float64 { return 100 * math.Sin(math.Pi*60*v/(60*v+1)) }

// complexion is by how much the face would be brighter if its skin were of the
// middle complexion that the formulas are made for: 1 and more. The whites of
// the eyes are the same on everybody and tell how much light there is; with
// closed or shaded eyes it is 1.
func (p *patch) complexion(mean float64) float64 {
	if !(mean > 0) || !p.skin.ok {
		return 1
	}
	var whites []float64
	for _, u := range []float64{-.5, .5} {
		p.box(u-.2, -.07, u+.2, .09, func(i int) {
			whites = append(whites, float64(p.lum[i]))
		})
	}
	if len(whites) < 50 {
		return 1
	}
	// The brightest are lamps in the eyes; of the rest a few belong to the whites.
	white := percentile(whites, .9)
	return max(whiteToSkin*white/mean, 1)
}

// whiteToSkin is the luminance of middle skin over that of the white of an eye.
const whiteToSkin = .8

// illumination is the half-lit face (阴阳脸): how alike the brightness of both
// cheeks is distributed, and how dark the darkest of four zones of the face is.
// Each zone's share of the brightest is measured channel by channel; half
// (0.5) counts as much as a quality of 60, and the worse of both is the value.
func illumination(r *report, p *patch) {
	if p == nil || !p.skin.ok {
		r.value(IlluminationEven, 0, false)
		return
	}
	// Squares of 0.3 eye distances at half the height between eyes and mouth.
	v := (p.points.mouthL.Y + p.points.mouthR.Y) / 4
	const side = .3
	var left, right [256]float64
	nl, nr, sum := 0, 0, 0.0
	count := func(h *[256]float64, n *int) func(int) {
		return func(i int) {
			h[int(p.lum[i]*255)]++
			sum += float64(p.lum[i]) * 255
			*n++
		}
	}
	p.box(-.5-side/2, v-side/2, -.5+side/2, v+side/2, count(&left, &nl))
	p.box(.5-side/2, v-side/2, .5+side/2, v+side/2, count(&right, &nr))
	if nl == 0 || nr == 0 {
		r.value(IlluminationEven, 0, false)
		return
	}
	native := 0.0
	for i := range left {
		native += min(left[i]/float64(nl), right[i]/float64(nr))
	}
	sigma := max(histSmooth*sum/float64(nl+nr), .5)
	smooth(&left, sigma, nl)
	smooth(&right, sigma, nr)
	same := 0.0
	for i := range left {
		same += min(left[i], right[i])
	}
	same = min(same, 1)
	quality := 100 * math.Pow(same, .3)

	// Forehead, both cheeks, chin.
	zones := [4][4]float64{
		{-.3, -.6, .3, -.4},
		{-.68, .38, -.38, .68},
		{.38, .38, .68, .68},
		{-.2, p.chinV - .42, .2, p.chinV - .2},
	}
	lo, hi := rgb{math.Inf(1), math.Inf(1), math.Inf(1)}, rgb{}
	seen := 0
	for z, q := range zones {
		c, n := p.zone(q, z == 0 || z == 3)
		if n == 0 {
			continue // hair over the forehead or a beard: not a shadow
		}
		seen++
		lo = rgb{min(lo.r, c.r), min(lo.g, c.g), min(lo.b, c.b)}
		hi = rgb{max(hi.r, c.r), max(hi.g, c.g), max(hi.b, c.b)}
	}
	if seen < 2 {
		r.value(IlluminationEven, 0, false)
		return
	}
	ratio := 1.0
	for _, c := range [3][2]float64{{lo.r, hi.r}, {lo.g, hi.g}, {lo.b, hi.b}} {
		if c[1] > 0 {
			ratio = min(ratio, c[0]/c[1])
		}
	}
	// The cheeks as wholes: on faces with much relief both histograms are so wide
	// that half of them still overlap under a strong shadow.
	cheeks := min(p.skin.lum[0], p.skin.lum[1]) / max(p.skin.lum[0], p.skin.lum[1], 1e-6)
	r.quality(IlluminationEven, min(quality, 60*ratio/.5, 60*cheeks/cheekRatio, 100), native, true)
}

// histSmooth is the width of the kernel that both cheeks' histograms are
// smoothed with, as a share of their mean luminance. OFIQ compares them level
// by level, so that two smooth cheeks lit 5 % apart have nothing in common
// while rough skin under a half shadow has; with 12 %, cheeks lit 1 : 1.4 reach
// a quality of 60 whatever their texture and noise.
const histSmooth = .12

// cheekRatio is the light on the darker cheek over that on the lighter one which
// counts as much as a quality of 60: 0.5 at half a stop less than one.
const cheekRatio = .55

// smooth normalises a histogram of n values and convolves it with a Gaussian;
// what would fall off the ends stays at them.
func smooth(h *[256]float64, sigma float64, n int) {
	var out [256]float64
	reach := int(3*sigma) + 1
	kernel := make([]float64, reach+1)
	total := 0.0
	for d := range kernel {
		kernel[d] = math.Exp(-float64(d*d) / (2 * sigma * sigma))
		total += kernel[d]
		if d > 0 {
			total += kernel[d]
		}
	}
	for i, c := range h {
		if c == 0 {
			continue
		}
		for d := -reach; d <= reach; d++ {
			out[min(max(i+d, 0), 255)] += c / float64(n) * kernel[max(d, -d)] / total
		}
	}
	*h = out
}

// zone is the mean sRGB colour of a rectangle. With onlySkin, pixels of
// another colour do not count, and a zone with less than half skin is empty.
func (p *patch) zone(q [4]float64, onlySkin bool) (c rgb, n int) {
	all := 0
	p.box(q[0], q[1], q[2], q[3], func(i int) {
		all++
		if onlySkin {
			if d, _ := p.skinLike(i); d > p.skin.tolerance {
				return
			}
		}
		c.r += float64(p.pix[3*i])
		c.g += float64(p.pix[3*i+1])
		c.b += float64(p.pix[3*i+2])
		n++
	})
	if n == 0 || 2*n < all {
		return rgb{}, 0
	}
	return rgb{c.r / float64(n), c.g / float64(n), c.b / float64(n)}, n
}

// eyeWhite is the colour of the whites of the eyes; ok is false where too little
// is seen of them.
func (p *patch) eyeWhite() (c lab, ok bool) {
	var lums []float64
	for _, u := range [2]float64{-.5, .5} {
		p.box(u-.2, -.07, u+.2, .09, func(i int) { lums = append(lums, float64(p.lum[i])) })
	}
	if len(lums) < 50 {
		return lab{}, false
	}
	// Lashes and iris are darker, lamps mirrored in the eye brighter.
	hi, lo := percentile(lums, .92), percentile(lums, .75)
	lin := linear()
	var sum rgb
	n := 0.
	for _, u := range [2]float64{-.5, .5} {
		p.box(u-.2, -.07, u+.2, .09, func(i int) {
			if l := float64(p.lum[i]); l >= lo && l <= hi {
				sum.r += float64(lin[p.pix[3*i]])
				sum.g += float64(lin[p.pix[3*i+1]])
				sum.b += float64(lin[p.pix[3*i+2]])
				n++
			}
		})
	}
	if n == 0 {
		return lab{}, false
	}
	return linearLab(sum.r/n, sum.g/n, sum.b/n), true
}

// naturalColour is how far the cheeks' mean colour lies outside the range of
// human skin under a neutral light, a* in 5..25 and b* in 5..35, or how blue the
// whites of the eyes are.
func naturalColour(r *report, p *patch) {
	if !p.skin.ok {
		r.value(NaturalColour, 0, false)
		return
	}
	l, lok := p.meanLinear(-cheekOut, cheekTop, -cheekIn, cheekBottom)
	q, qok := p.meanLinear(cheekIn, cheekTop, cheekOut, cheekBottom)
	c := linearLab((l.r+q.r)/2, (l.g+q.g)/2, (l.b+q.b)/2)
	beyond := func(v, lo, hi float64) float64 { return max(lo-v, v-hi, 0) }
	d := math.Hypot(beyond(c.a, 5, 25), beyond(c.b, 5, 35))
	// Warm skin under a blue lamp still has a colour that skin can have; the whites
	// of the eyes have not. Theirs has a b* of 0 and more under a neutral lamp.
	cast := d
	if w, ok := p.eyeWhite(); ok {
		const neutral, weight = -1, 2
		cast = max(cast, weight*(neutral-w.b))
	}
	r.quality(NaturalColour, 200*(1-sigmoid(cast, 0, 10)), d, lok && qok)
}
