package quality

import "math"

// averageHalfFace is half the width of an average adult face between the
// cheeks, ears not counted, in eye distances.
const averageHalfFace = 1.06

// features measures eyes, mouth, ears, forehead and glasses on the patch.
func features(r *report, p *patch, o *output) {
	if p == nil {
		for _, id := range []string{
			EyesOpen, MouthClosed, Expression, EarsVisible, ForeheadVisible, GlassesTinted, GlassesGlare,
		} {
			r.value(id, 0, false)
		}
	} else {
		open, ok := p.eyesOpen()
		r.value(EyesOpen, open, ok)
		gap, ok := p.mouthGap()
		r.value(MouthClosed, gap, ok)
		r.value(Expression, p.smile(gap), true)
		ears, ok := p.ears(o)
		r.value(EarsVisible, ears, ok)
		forehead, ok := p.forehead()
		r.value(ForeheadVisible, forehead, ok)
		tint, ok := p.tint()
		r.value(GlassesTinted, tint, ok)
		glare, ok := p.glare()
		r.value(GlassesGlare, glare, ok)
	}
	hint := 0.0
	if p != nil {
		hint = p.headwear(o)
	}
	r.manual(Headwear, hint)
	r.manual(Accessories, 0)
}

// eyesOpen is the lid gap over the distance from eyes to chin, of the eye that
// is less open: about .023 closed, .051 and more open.
func (p *patch) eyesOpen() (float64, bool) {
	if s := p.face.Shape; s.Known {
		// A mesh has eyes also where none are to be seen.
		lost, ok := p.tint()
		return min(s.Lids[0], s.Lids[1]), !ok || lost < blackGlass
	}
	if !p.skin.ok {
		return 0, false
	}
	least := math.Inf(1)
	for _, u := range []float64{-.5, .5} {
		gap, ok := p.lidGap(u)
		if !ok {
			return 0, false
		}
		least = min(least, gap)
	}
	return least / p.chinV, true
}

// lidGap is the height of the opening at the pupil, in units: the median,
// over columns next to it, of the longest run of pixels that are not lid. Iris and
// lashes are darker than the lid, the white of the eye has less colour; a
// closed eye leaves the line of the lashes only.
func (p *patch) lidGap(u float64) (float64, bool) {
	// The lid's own colour: the skin just under the eye.
	var lid []float64
	p.box(u-.14, .17, u+.14, .27, func(i int) { lid = append(lid, float64(p.luma[i])) })
	var around []float64
	p.box(u-.12, -.1, u+.12, .1, func(i int) { around = append(around, float64(p.luma[i])) })
	if len(lid) < 20 || len(around) < 20 {
		return 0, false
	}
	bright, dark := percentile(lid, .5), percentile(around, .04)
	if bright-dark < .12*bright+6 {
		return 0, true // nothing darker than skin: no iris to be seen
	}
	limit := dark + .5*(bright-dark)
	var gaps []float64
	outside := false
	for du := -.07; du <= .071; du += .02 {
		gaps = append(gaps, p.longestRun(u+du, -.17, .17, func(i int) bool {
			outside = outside || !p.inside[i]
			colour, _ := p.skinLike(i)
			l := float64(p.luma[i])
			return l < limit || colour > 1.2*p.skin.tolerance && l > .5*bright && l < 1.6*bright
		}))
	}
	return percentile(gaps, .5), !outside
}

// mouthGap is the inner gap of the lips over the distance from eyes to chin:
// the longest run, down the middle of the mouth, of pixels as dark as the
// inside of a mouth or as colourless and bright as teeth.
func (p *patch) mouthGap() (float64, bool) {
	if s := p.face.Shape; s.Known {
		return s.Lips, p.lipsSeen()
	}
	return p.lipGap()
}

// blackGlass is the share of light lost before the eyes from which on nobody
// sees whether they are open.
const blackGlass = .85

// lipsSeen is false when something covers mouth and chin alike: neither lips'
// red nor skin is there. A beard leaves the lips.
func (p *patch) lipsSeen() bool {
	if !p.skin.ok {
		return true
	}
	q := p.points
	mid := (q.mouthL.X + q.mouthR.X) / 2
	share := func(top, bottom float64, is func(i int) bool) float64 {
		n, hit := 0, 0
		p.box(mid-.25, top, mid+.25, bottom, func(i int) {
			n++
			if is(i) {
				hit++
			}
		})
		if n == 0 {
			return 1
		}
		return float64(hit) / float64(n)
	}
	red := min(p.skin.rg[0], p.skin.rg[1])
	const few = .25
	lips := share(q.upperLip.Y, q.lowerLip.Y, func(i int) bool { rg, _ := p.ratios(i); return rg > .7*red })
	return lips > few || share(q.lowerLip.Y+.08, p.chinV-.12, p.isSkin) > few
}

// lipGap is mouthGap by the pixels alone.
func (p *patch) lipGap() (float64, bool) {
	if !p.skin.ok {
		return 0, false
	}
	q := p.points
	mid := (q.mouthL.X + q.mouthR.X) / 2
	top, bottom := q.upperLip.Y+.02, q.lowerLip.Y+.04
	if bottom-top < .02 || bottom > patchDown {
		return 0, false
	}
	var reds []float64
	outside := false
	p.box(mid-.2, top, mid+.2, bottom, func(i int) {
		rg, _ := p.ratios(i)
		reds = append(reds, rg)
	})
	if len(reds) < 20 {
		return 0, false
	}
	// Teeth lack the red of the lips around them, and of skin.
	teethRed := min(.75*min(p.skin.rg[0], p.skin.rg[1]), percentile(reds, .8)-.3)
	var gaps []float64
	for du := -.14; du <= .141; du += .04 {
		gaps = append(gaps, p.longestRun(mid+du, top, bottom, func(i int) bool {
			outside = outside || !p.inside[i]
			l := float64(p.luma[i])
			rg, _ := p.ratios(i)
			return l < .36*p.skin.lumaMean || rg < teethRed && l > .65*p.skin.lumaMean
		}))
	}
	return percentile(gaps, .5) / p.chinV, !outside
}

// longestRun is the length, in units, of the longest run down a column of
// pixels that are as asked for; single lashes, catchlights and noise may
// interrupt it.
func (p *patch) longestRun(u, top, bottom float64, is func(i int) bool) float64 {
	run, gap, best := 0, 0, 0
	a, b := p.index(u, top), p.index(u, bottom)
	for i := a; i <= b; i += p.w {
		switch {
		case is(i):
			run += 1 + gap
			gap = 0
		case run > 0 && gap < 2:
			gap++
		default:
			run, gap = 0, 0
		}
		best = max(best, run)
	}
	return float64(best) / float64(p.unit)
}

// smile is 0 for a straight face and 1 and more for a broad smile: raised
// corners, a wide mouth, and teeth.
func (p *patch) smile(gap float64) float64 {
	if s := p.face.Shape; s.Known {
		// Straight faces measure up to .04, smiles with closed lips .06 to .09.
		const broad = .12
		return min(max(s.Smile, 0)/broad+min(gap/.08, 1)*.4, 2)
	}
	q := p.points
	lift := (q.upperLip.Y+q.lowerLip.Y)/2 - (q.mouthL.Y+q.mouthR.Y)/2
	width := q.mouthR.X - q.mouthL.X
	s := .5*max(lift-.06, 0)/.1 + .5*max(width-.88, 0)/.25
	return min(max(s, 0)+min(gap/.08, 1)*.25, 2)
}

// edges scans a row of the patch outwards from the cheeks to where the skin
// ends, in units.
func (p *patch) edges(v float64, o *output) (left, right float64, ok bool) {
	reach := func(sign float64) float64 {
		miss, last := 0, .4
		for u := .45; u < patchU-.02; u += 1 / float64(p.unit) {
			i := p.index(sign*u, v)
			if !p.inside[i] || !o.covers(p, sign*u, v) {
				break
			}
			if p.isSkin(i) {
				miss, last = 0, u
			} else if miss++; float64(miss) > .06*float64(p.unit) {
				break
			}
		}
		return last
	}
	left, right = reach(-1), reach(1)
	return left, right, left > .55 && right > .55
}

// cheeks measures half the width of the face between the cheeks, in units.
// Rows below the ears, at the height of the mouth, see the jaw alone; the
// cheekbones are a little wider. Where hair or a beard hides the jaw it is the
// average proportion, and measured is false.
func (p *patch) cheeks(o *output) (half float64, measured bool) {
	if !p.skin.ok {
		return averageHalfFace, false
	}
	var widths []float64
	lips := (p.points.upperLip.Y + p.points.lowerLip.Y) / 2
	for v := lips - .28; v < lips-.04; v += .02 {
		if l, r, ok := p.edges(v, o); ok {
			widths = append(widths, (l+r)/2)
		}
	}
	if len(widths) < 4 {
		return averageHalfFace, false
	}
	const cheekOverJaw = 1.12
	half = percentile(widths, .5) * cheekOverJaw
	if half < .85 || half > 1.3 {
		return averageHalfFace, false
	}
	return half, true
}

// ears is the share of rows at ear height where skin reaches out beyond the
// cheek, on the side that shows less of it, 0..1. Ears end at the jaw: what goes
// on down beside it is fair hair, which has the colour of skin.
func (p *patch) ears(o *output) (float64, bool) {
	if !p.skin.ok {
		return 0, false
	}
	half, _ := p.cheeks(o)
	least := 1.0
	for _, sign := range []float64{-1, 1} {
		// beyond is the share of rows in which skin is no narrower than least between
		// two distances from the cheek.
		beyond := func(top, bottom, from, to, least float64) float64 {
			rows, seen := 0, 0
			for v := top; v < bottom; v += .02 {
				rows++
				n := 0
				for u := half + from; u < half+to; u += 1 / float64(p.unit) {
					i := p.index(sign*u, v)
					if p.inside[i] && p.isSkin(i) && o.covers(p, sign*u, v) {
						n++
					}
				}
				if float64(n) >= least*float64(p.unit) {
					seen++
				}
			}
			return float64(seen) / float64(rows)
		}
		// An ear is about as high as the eye distance; half of these rows is an ear.
		// Below it the jaw of a broad face may reach a little beyond the cheek.
		ear := 2 * beyond(-.02, .62, 0, .38, .07)
		if beyond(.8, 1.2, .15, .5, .12) > .7 {
			ear = 0
		}
		least = min(least, ear)
	}
	return min(least, 1), true
}

// covers tells whether the matte has the person at a point of the patch; true
// without a matte.
func (o *output) covers(p *patch, u, v float64) bool {
	if o == nil || o.alpha == nil || !o.hasFace {
		return true
	}
	q := o.place(p.frame(u, v))
	x, y := int(q.X), int(q.Y)
	if x < 0 || y < 0 || x >= o.w || y >= o.h {
		return false
	}
	return o.alpha[y*o.w+x] >= 128
}

// forehead is the share of skin between the brows and where the hair line of
// an open forehead is, 0..1.
func (p *patch) forehead() (float64, bool) {
	if !p.skin.ok {
		return 0, false
	}
	brow := (p.points.brow[0].Y + p.points.brow[1].Y) / 2
	if p.face.Shape.Known {
		brow -= meshBrow
	}
	brow = min(max(brow, -.6), -.2)
	n, skin := 0, 0
	p.box(-.5, brow-.45, .5, brow-.1, func(i int) {
		n++
		// Fair hair has the colour of skin, and is darker.
		if p.isSkin(i) && float64(p.luma[i]) > fringeLuma*p.skin.lumaMean {
			skin++
		}
	})
	if n == 0 {
		return 0, false
	}
	return float64(skin) / float64(n), true
}

// fringeLuma is what a forehead's luma is above, over the mean of the skin: half
// of the light is about this on the sRGB curve.
const fringeLuma = .7

// meshBrow is how far the brows' upper edge, where the mesh has its points, lies
// below where the proportions of the forehead were taken from, in units.
const meshBrow = .05

// tint is the share of light that is lost before the skin under the eyes,
// compared with the cheek of the same side: up to .4 for bare eyes (shade, thin
// skin) and clear lenses, above .5 behind tinted ones. What counts is the
// luminance, or the colour channel that loses most, less what deep shade takes
// off it by its redness; and of the two eyes the lighter one: a lamp from the
// side shades one, lenses are tinted on both.
func (p *patch) tint() (float64, bool) {
	const redShade = .15
	lost := 1.0
	for _, sign := range []float64{-1, 1} {
		u := sign * .5
		lens, ok := p.meanLinear(u-.16, .15, u+.16, .25)
		if !ok {
			return 0, false
		}
		u0, u1 := sign*cheekIn, sign*cheekOut
		cheek, ok := p.meanLinear(min(u0, u1), cheekTop+.1, max(u0, u1), cheekBottom+.1)
		if !ok || min(cheek.r, cheek.g, cheek.b) < .002 {
			return 0, false
		}
		whole := 1 - luminance(lens.r, lens.g, lens.b)/luminance(cheek.r, cheek.g, cheek.b)
		colour := 1 - min(lens.r/cheek.r, lens.g/cheek.g, lens.b/cheek.b)
		lost = min(lost, max(whole, colour-redShade))
	}
	return max(lost, 0), true
}

// glare is the share of the eye regions that mirrors a lamp: far brighter than
// the skin around it, and without its colour. The worse eye counts.
func (p *patch) glare() (float64, bool) {
	if !p.skin.ok {
		return 0, false
	}
	worst := 0.0
	ref := max(p.skin.lum[0], p.skin.lum[1])
	red := .45 * min(p.skin.rg[0], p.skin.rg[1])
	for _, u := range []float64{-.5, .5} {
		n, hot := 0, 0
		p.box(u-.33, -.18, u+.33, .32, func(i int) {
			n++
			if float64(p.lum[i]) > min(max(2*ref, .6), .93) {
				if rg, _ := p.ratios(i); rg < red {
					hot++
				}
			}
		})
		if n == 0 {
			return 0, false
		}
		worst = max(worst, float64(hot)/float64(n))
	}
	return worst, true
}

// headwear hints at a cap or a band: strong colour where hair should be. A
// ribbon covers a tenth of it and is beyond doubt (1).
func (p *patch) headwear(o *output) float64 {
	if !p.skin.ok {
		return 0
	}
	n, vivid := 0, 0
	for v := -1.85; v < -.75; v += .03 {
		for u := -.8; u <= .8; u += .03 {
			i := p.index(u, v)
			// Well inside the outline: the new backdrop shines through its edge.
			if !p.inside[i] || !o.covers(p, u*1.12, v-.08) || !o.covers(p, u, v) {
				continue
			}
			n++
			c := labOf(p.pix[3*i], p.pix[3*i+1], p.pix[3*i+2])
			// Hair and skin are yellow to red, and never this vivid.
			if h := c.hue(); c.chroma() > 55 || c.chroma() > 28 && (h < 20 || h > 95) {
				vivid++
			}
		}
	}
	if n < 50 {
		return 0
	}
	return min(float64(vivid)/float64(n)/ribbon, 1)
}

// ribbon is the share of the hair that a narrow ribbon covers.
const ribbon = .07
