package matte

// #include "kernels.h"
import "C"

import (
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
)

// Segmentation is a coarse cut of the person in a region of a frame, with what
// Render needs to refine it. It is valid until the next Segment or Wipe of the
// Matter that made it, and refers to the caller's frame and plate.
type Segmentation struct {
	Method     Method
	Confidence float64 // 0 (a guess) .. 1 (the contour is sure all the way round), of its least sure part
	Contrast   float64 // median distance of the body's rim from the backdrop, in noise deviations
	Drift      Drift
	Cluttered  bool // no plate, and what surrounds the person is no plain wall

	owner *Matter
	gen   uint64
	frame *image.RGBA
	wall  backdrop
	face  head // in frame pixels

	area   Rect // the part of the region inside the frame, in frame pixels
	w, h   int  // working size
	sx, sy float64
	mask   []uint8      // person
	soft   []float32    // the relaxed mask, for contours between pixels
	e      []float32    // evidence against backdrop, roughly a log-likelihood ratio ×2
	rim    []float32    // local strength of the contrast, in noise deviations
	fit    [3][]float32 // log gain of the plate under the frame's light
	level  [3]float32   // its level over the empty borders
	// The frame's noise variance over what the wall promised, per channel.
	noiseGain [3]float32
}

// DriftKind says how the booth has changed since the plate.
type DriftKind string

// The kinds of drift.
const (
	DriftNone  DriftKind = "none"
	DriftLamp  DriftKind = "lamp"  // another brightness, colour or direction of light
	DriftMoved DriftKind = "moved" // the backdrop or the camera has moved
)

// Drift compares the frame's backdrop with the plate.
type Drift struct {
	Kind     DriftKind
	Gain     [3]float64 // R, G, B of frame over plate, 1 = unchanged
	Spread   float64    // unevenness of that gain over the visible backdrop, e.g. 0.05
	Residual float64    // fine difference left on the backdrop, in noise deviations; 1 = noise only
}

// Working resolution: faces are resampled to about this many pixels across.
const (
	workFace = 100
	workMaxW = 360
	workMaxH = 460
)

// Constants of the evidence and the cut, in working pixels, noise deviations
// or energy units. docs/matting.md says how they were found.
const (
	priorHead   = 6    // cost of person where only a head may be
	priorBody   = .5   // the same where a torso is likely
	priorUnder  = -1   // at weak contrast below or between parts of the body
	priorStrong = 3    // least cost below the chin where contrast is good
	priorCore   = -40  // certainly person
	priorEdge   = 40   // certainly backdrop
	unaryLimit  = 12   // bound of a pixel's own evidence
	cutWeight   = 5    // cost of a contour step in a flat area
	cutFlat     = .06  // share of it that remains across a strong edge
	weakBelow   = 60   // squared deviations under which contrast counts as weak
	solidBelow  = 25   // cost of backdrop under weak body: clothes do not float
	solidFrom   = 6    // how fast that cost fades above the usual line of the shoulders
	cutPasses   = 80   // of the primal–dual iteration, per round
	cutRounds   = 3    // of light fit, evidence and cut
	meanRadius  = 15   // of the windows for local contrast
	levelSafety = 1.25 // noise may have grown since the plate
	guessTrust  = .7   // bound of the confidence without a plate
)

// Segment cuts the person out of a region of the frame. plate may be nil: then
// the backdrop is estimated from the frame. The part of the region outside the
// frame is ignored; masks continue there as at the frame's border.
func (m *Matter) Segment(frame *image.RGBA, plate *Plate, face FaceBox, region Rect) (*Segmentation, error) {
	if frame == nil {
		return nil, errors.New("matte: no frame")
	}
	fw, fh := frame.Rect.Dx(), frame.Rect.Dy()
	if plate != nil && (plate.W != fw || plate.H != fh) {
		return nil, fmt.Errorf("%w: %d×%d and %d×%d px", ErrPlateSize, plate.W, plate.H, fw, fh)
	}
	hd, err := face.canonical()
	if err != nil {
		return nil, err
	}
	if !region.valid() {
		return nil, fmt.Errorf("matte: region %+v is not a rectangle", region)
	}
	x0, y0 := max(region.X, 0), max(region.Y, 0)
	x1, y1 := min(region.X+region.W, float64(fw)), min(region.Y+region.H, float64(fh))
	area := Rect{x0, y0, x1 - x0, y1 - y0}
	if area.W < hd.fw*.8 || area.H < hd.fh*.8 || hd.cx <= x0 || hd.cx >= x1 || hd.fy+hd.fh/2 <= y0 || hd.fy+hd.fh/2 >= y1 {
		return nil, errors.New("matte: the region does not hold the face")
	}
	m.gen++
	m.seg.reset()
	m.work.reset()
	scale := max(hd.fw/workFace, area.W/workMaxW, area.H/workMaxH, .25)
	s := &Segmentation{
		Method: MethodPlate, owner: m, gen: m.gen, frame: frame, face: hd, area: area,
		w: max(int(math.Round(area.W/scale)), 16), h: max(int(math.Round(area.H/scale)), 16),
	}
	s.sx, s.sy = area.W/float64(s.w), area.H/float64(s.h)
	n := s.w * s.h
	s.mask = m.seg.u8.take(n)
	s.soft = m.seg.f32.take(n)
	s.e = m.seg.f32.take(n)
	s.rim = m.seg.f32.take(n)
	s.fit = m.seg.planes(n)
	support := 1.
	if plate != nil {
		s.wall = plate
	} else {
		s.Method = MethodFrame
		guess, err := guessBackdrop(&m.work, frame, area, hd, s.w, s.h)
		if err != nil || guess.support < wallSupport {
			if err := m.segmentClutter(s); err != nil {
				return nil, err
			}
			s.Cluttered = true
			s.distrust(clutterTrust)
			return s, nil
		}
		s.wall, support = guess, guess.support
	}
	c := newCutter(m, s)
	if m.People != nil {
		grid, plane := m.work.f32.take(PeopleSide*PeopleSide), m.work.f32.take(n)
		both(func() { c.askPeople(m.People, grid, plane) }, c.features)
	} else {
		c.features()
	}
	c.firstBackdrop()
	for round := range cutRounds {
		c.evidence(round)
		c.cut(round)
		c.tidy()
	}
	c.finish()
	if s.Method == MethodFrame {
		c.hush()
		// What hangs on the wall at the border hangs behind the person too: one
		// tenth of the border off the wall is enough to doubt the cut-out.
		s.distrust(guessTrust * math.Pow(support, 5))
	}
	return s, nil
}

// distrust lowers the confidence in a cut without a plate: nothing vouches for
// the guess; folds, shadows and objects behind the person look like the person.
// Nor can a frame alone tell drift.
func (s *Segmentation) distrust(share float64) {
	s.Confidence *= share
	s.Drift = Drift{Kind: DriftNone, Gain: [3]float64{1, 1, 1}}
}

// cutter holds the working planes of one Segment.
type cutter struct {
	*Segmentation
	k *scratch

	// Geometry in working pixels.
	cx, fx, fy, fw, fh, chin float32

	rho   [3][]float32 // log ratio frame to plate
	base  [3]float32   // its level over the empty borders
	white [3]mat3      // whitening after boxes of 1, 3 and 7
	prior []float32    // K of the unary
	core  []uint8      // certainly person
	torso []uint8      // a torso may be here
	edge  []uint8      // certainly backdrop
	back  []uint8      // backdrop of the latest round
	shade []uint8      // backdrop in shadow, by its smoothness alone
	deep  []float32    // +1 inside a typical torso, −1 well above it

	people []float32 // −1 surely nobody .. 1 surely somebody; nil: not known

	z1    []float32 // fine evidence of the latest round
	local []float32 // contrast around each pixel, squared deviations
	field cutField
	model lightFit

	tmp, tmp2  []float32
	d          [3][]float32
	box        [3][]float32
	dist       []float32
	dark       []float32 // dead zones of the round
	light      []float32
	tint       []float32
	mtmp       []uint8
	mtmp2      []uint8
	mtmp3      []uint8
	label      []int32
	stack      []int32
	blobs      []blob
	gradX      []float32
	gradY      []float32
	chromaGrad []float32
	lumaGrad   []float32
}

func newCutter(m *Matter, s *Segmentation) *cutter {
	k := &m.work
	n := s.w * s.h
	c := &cutter{Segmentation: s, k: k}
	c.cx = float32((s.face.cx - s.area.X) / s.sx)
	c.fw = float32(s.face.fw / s.sx)
	c.fh = float32(s.face.fh / s.sy)
	c.fx = c.cx - c.fw/2
	c.fy = float32((s.face.fy - s.area.Y) / s.sy)
	c.chin = float32((s.face.chin - s.area.Y) / s.sy)
	c.rho, c.d, c.box = k.planes(n), k.planes(n), k.planes(n)
	for _, p := range []*[]float32{
		&c.prior, &c.deep, &c.z1, &c.local, &c.tmp, &c.tmp2, &c.dist, &c.dark, &c.light, &c.tint, &c.gradX, &c.gradY, &c.chromaGrad, &c.lumaGrad,
		&c.field.f, &c.field.wx, &c.field.wy, &c.field.down, &c.field.bar,
	} {
		*p = k.f32.take(n)
	}
	c.field.u = s.soft
	c.field.px, c.field.py = k.f32.zero(n), k.f32.zero(n)
	c.field.w, c.field.h, c.field.still = s.w, s.h, k.f32.zero(s.w)
	c.field.edgeBar, c.field.edgePy = k.f32.take(s.w), k.f32.take(s.w)
	for _, p := range []*[]uint8{&c.core, &c.torso, &c.edge, &c.back, &c.shade, &c.mtmp, &c.mtmp2, &c.mtmp3} {
		*p = k.u8.take(n)
	}
	c.label, c.stack = k.i32.take(n), k.i32.take(n)
	c.model.init(k, s.w, s.h)
	return c
}

// features computes the log ratio, the noise and the priors.
func (c *cutter) features() {
	w, h := c.w, c.h
	logs := newLogTable()
	resample(c.d, w, h, framePixels{c.frame}, c.area)
	c.wall.sample(c.box, w, h, c.area)
	for ch := range c.rho {
		r, f, p := c.rho[ch], c.d[ch], c.box[ch]
		halves(w*h, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				r[i] = logs.at(f[i]) - logs.at(p[i])
			}
		})
	}
	scale := math.Sqrt(c.sx * c.sy)
	for i, k := range [3]float64{1, 3, 7} {
		c.setNoise(i, c.wall.covariance(k*scale).scaled(levelSafety))
	}
	c.noiseGain = [3]float32{1, 1, 1}
	c.levels()
	c.calibrateBorder()
	c.priors()
	c.gradients()
}

// setNoise takes the covariance for box number i. Below a thousandth of the
// light nothing is trusted: the light fit is no better.
func (c *cutter) setNoise(i int, cov sym3) {
	floor := 1.2e-3
	if i == 0 {
		floor = 1e-3
	}
	for _, d := range [3]int{0, 3, 5} {
		cov[d] += floor * floor
	}
	c.white[i] = whitener(cov)
}

// levels measures the overall gain of frame over plate where the picture is
// likely empty: along the top and above the chin at the sides.
func (c *cutter) levels() {
	w, h := c.w, c.h
	var level [3][]float32
	for ch := range level {
		level[ch] = c.tmp[:0]
		for y := 0; y < h; y += 2 { // every fourth pixel is plenty for a median
			for x := 0; x < w; x += 2 {
				if c.border(x, y) {
					level[ch] = append(level[ch], c.rho[ch][y*w+x])
				}
			}
		}
		c.base[ch] = median(level[ch])
	}
	c.level = c.base
}

func (c *cutter) border(x, y int) bool {
	top := float32(y) < .12*float32(c.h)
	side := float32(x) < .08*float32(c.w) || float32(x) > .92*float32(c.w)
	return top || side && float32(y) < c.chin
}

// calibrateBorder checks the plate's noise against the frame's own, over the
// likely empty border and against its slow part.
func (c *cutter) calibrateBorder() {
	w, h := c.w, c.h
	in, wt, wts := c.mtmp, c.tmp2, c.dist
	for y := range h {
		for x := range w {
			in[y*w+x] = b2u(c.border(x, y))
			wt[y*w+x] = float32(in[y*w+x])
		}
	}
	box(wts, wt, w, h, 20, true)
	for ch := range c.d {
		d := c.d[ch]
		for i, v := range c.rho[ch] {
			d[i] = v * wt[i]
		}
		box(d, d, w, h, 20, true)
		for i, v := range c.rho[ch] {
			d[i] = v - d[i]/max(wts[i], 1e-6)
		}
	}
	for scale, r := range boxRadii {
		dk := c.d
		if r > 0 {
			dk = c.box
			for ch := range dk {
				box(dk[ch], c.d[ch], w, h, r, false)
			}
		}
		c.calibrate(scale, dk, in)
	}
}

// calibrate replaces a scale's noise by what the residuals d show on the pixels
// of backdrop, when they show clearly more: the plate was a single frame, or the
// light is lower and the sensor's gain higher than when it was taken.
func (c *cutter) calibrate(scale int, d [3][]float32, backdrop []uint8) {
	in := backdrop
	if r := boxRadii[scale]; r > 0 {
		in = c.mtmp2
		shrink(in, backdrop, c.mtmp3, c.w, c.h, r)
	}
	const (
		every  = 29 // a few hundred to two thousand samples make a median
		enough = 40
	)
	m := c.white[scale]
	z := c.tmp[:0]
	for i := 0; i < len(in); i += every {
		if in[i] != 0 {
			z = append(z, m.norm2(d[0][i], d[1][i], d[2][i]))
		}
	}
	if len(z) < enough {
		return
	}
	mid := median(z)
	if mid < medianChi2 {
		return
	}
	var cov sym3
	n := 0.
	for i, v := range in {
		// Four medians hold 98 % of noise and shut out what is not noise.
		if v != 0 && m.norm2(d[0][i], d[1][i], d[2][i]) < 4*mid {
			cov.add(float64(d[0][i]), float64(d[1][i]), float64(d[2][i]))
			n++
		}
	}
	cov = cov.scaled(calibrateSafety / n)
	if scale == 0 {
		known := c.wall.covariance(math.Sqrt(c.sx * c.sy))
		for ch, i := range [3]int{0, 3, 5} {
			c.noiseGain[ch] = float32(min(max(cov[i]/max(known[i], 1e-9)/levelSafety, 1), 20))
		}
	}
	c.setNoise(scale, cov)
}

const (
	medianChi2      = 2.37 // median of χ² with three degrees of freedom
	calibrateSafety = 1.3
)

// boxRadii are the scales of the evidence: single pixels, 3×3 and 7×7.
var boxRadii = [3]int{0, 1, 3}

// median reorders v.
func median(v []float32) float32 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// priors lays out where, relative to the face, a person must, may and must not
// be.
func (c *cutter) priors() {
	w, h := c.w, c.h
	for y := range h {
		yy := float32(y)
		for x := range w {
			i := y*w + x
			xx := float32(x)
			ax := abs32(xx - c.cx)
			below := yy - c.chin
			c.edge[i] = b2u(y < 2 || (x < 2 || x >= w-2) && yy < c.fy+c.fh*.5)
			ex, ey := ax/(.36*c.fw), (yy-c.fy-.55*c.fh)/(.5*c.fh)
			neck := ax < .22*c.fw && yy > c.fy+c.fh*.6
			chest := below > .45*c.fh && ax < .25*c.fw+.5*(below-.45*c.fh)
			c.core[i] = b2u((ex*ex+ey*ey < 1 || neck || chest) && !(below > 0 && ax > c.fw))
			c.torso[i] = b2u(below > 0 && ax < .5*c.fw+3*max(below-.1*c.fh, 0))
			shoulder := c.chin + .15*c.fh + .45*c.fh*clamp01((ax/c.fw-.3)/.7)
			c.deep[i] = min(max((yy-shoulder)/(.3*c.fh), -1), 1)
			c.prior[i] = priorHead
			if c.torso[i] != 0 {
				c.prior[i] = priorBody
			}
		}
	}
	gaussian(c.prior, c.prior, w, h, 4, false)
}

// gradients measures the edges of the log ratio, where a contour is likely.
func (c *cutter) gradients() {
	w, h := c.w, c.h
	q := c.box
	for ch := range q {
		box(q[ch], c.rho[ch], w, h, 1, false)
	}
	m := c.white[1].values()
	halves(h, func(lo, hi int) {
		C.yz_edges(f32(c.gradX), f32(c.gradY), f32(c.chromaGrad), f32(c.lumaGrad), f32(q[0]), f32(q[1]), f32(q[2]), f32(m[:]),
			C.int(w), C.int(h), C.int(lo), C.int(hi))
	})
	f := &c.field
	halves(h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			for x := range w {
				i := y*w + x
				f.wx[i] = stepCost(c.gradX[i])
				f.wy[i] = stepCost(c.gradY[i])
			}
		}
	})
	box(c.chromaGrad, c.chromaGrad, w, h, 1, false)
	box(c.lumaGrad, c.lumaGrad, w, h, 1, false)
}

// shadeBelow is the log ratio under which light counts as shadow.
const shadeBelow = -.08

// shadowSlope is the steepest change of light, per working pixel, that still
// counts as a soft shadow's.
const shadowSlope = .022

func stepCost(g float32) float32 {
	if g > 60 {
		return cutWeight * cutFlat
	}
	return cutWeight * (cutFlat + (1-cutFlat)*float32(math.Exp(float64(-g/9))))
}

// firstBackdrop finds pixels that look like the plate in a shadow or a little
// light, and hang together with the picture's border.
func (c *cutter) firstBackdrop() {
	w, h := c.w, c.h
	m := c.white[1]
	q := c.box
	// A flat backdrop's gradients follow its noise: three times that, or the
	// slope of a soft shadow, whichever is more.
	cov := c.wall.covariance(3 * math.Sqrt(c.sx*c.sy))
	grain := cov.trace() / 3 * float64(max(c.noiseGain[0], c.noiseGain[1], c.noiseGain[2]))
	flat := max(shadowSlope, float32(4*math.Sqrt(grain)))
	cand := c.mtmp
	for i := range cand {
		r, g, b := q[0][i]-c.base[0], q[1][i]-c.base[1], q[2][i]-c.base[2]
		l := (r + g + b) / 3
		ok := l > shadowFloor+.02 && l < .035 && m.norm2(r-l, g-l, b-l) < 25 &&
			c.chromaGrad[i] < 3.2*3.2 && c.lumaGrad[i] < flat*flat && c.core[i] == 0
		if c.torso[i] != 0 && c.deep[i] > 0 && c.somebody(i) > -peopleSure || c.somebody(i) > peopleSure {
			ok = false
		}
		cand[i] = b2u(ok)
	}
	shrink(cand, cand, c.mtmp2, w, h, 1)
	grow(cand, cand, c.mtmp2, w, h, 1)
	c.blobs = components(c.label, c.stack, c.blobs, cand, w, h, true)
	touches := make([]bool, len(c.blobs))
	for i, l := range c.label {
		if c.edge[i] != 0 {
			touches[l] = true
		}
	}
	touches[0] = false
	// Where a torso may be, light clothes look like wall, but not so dark: they
	// lead to the shadow beside the neck, but they do not count.
	for i, l := range c.label {
		dark := (q[0][i]+q[1][i]+q[2][i]-c.base[0]-c.base[1]-c.base[2])/3 <= shadeBelow
		c.back[i] = b2u(touches[l] && (dark || c.torso[i] == 0 || c.somebody(i) < -peopleSure))
	}
	// A cut may take the darkest of a shadow for the person, and the next fit
	// would then miss it: what is smoothly darker all the way from the border
	// stays backdrop for the fit.
	shrink(c.shade, c.back, c.mtmp2, w, h, 2)
	for i := range c.shade {
		l := (q[0][i] + q[1][i] + q[2][i] - c.base[0] - c.base[1] - c.base[2]) / 3
		c.shade[i] &= b2u(l < shadeBelow)
	}
	for i := range c.local {
		c.local[i] = 100
	}
}

// evidence refits the light over the present backdrop and weighs, pixel by
// pixel, how unlike backdrop the frame is.
func (c *cutter) evidence(round int) {
	w, h := c.w, c.h
	sure := c.mtmp
	shrink(sure, c.back, c.mtmp2, w, h, 1)
	for i, v := range c.shade {
		sure[i] |= v
	}
	both(func() { chamfer(c.dist, nil, sure, w, h) }, func() { c.model.run(c.fit, c.rho, sure, w, h, c.base) })
	for ch := range c.d {
		halves(w*h, func(lo, hi int) { C.yz_sub(f32(c.d[ch]), f32(c.rho[ch]), f32(c.fit[ch]), C.int(lo), C.int(hi)) })
	}
	halves(h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			body := float32(y) > c.chin-.05*c.fh
			for x := range w {
				i := y*w + x
				c.dark[i], c.light[i], c.tint[i] = c.deadZone(x, y, round, body)
			}
		}
	})

	for i := range c.e {
		c.e[i] = -9
	}
	for scale, r := range boxRadii {
		dk := c.d
		if r > 0 {
			dk = c.box
			for ch := range dk {
				box(dk[ch], c.d[ch], w, h, r, false)
			}
		}
		if round < 2 {
			c.calibrate(scale, dk, sure)
		}
		z, z1 := c.gradX, c.gradY // free since the step costs are known
		fine, here := c.white[0].values(), c.white[scale].values()
		halves(w*h, func(lo, hi int) {
			C.yz_evidence(f32(z), f32(z1), f32(dk[0]), f32(dk[1]), f32(dk[2]), f32(c.dark), f32(c.light), f32(c.tint),
				f32(here[:]), f32(fine[:]), C.int(lo), C.int(hi))
		})
		if scale == 0 {
			for i, v := range z {
				v *= .8
				c.z1[i] = v
				c.e[i] = max(c.e[i], v)
			}
			continue
		}
		// A box reaches over a contour by its radius: only what holds all
		// around counts, and only where the fine scale saw nothing clear.
		erodeMin(z, z, c.tmp, w, h, r)
		faint := [3]float32{0, 5, 3.5}[scale]
		for i, v := range z {
			if v > 0 {
				v *= clamp01(faint - float32(math.Sqrt(float64(z1[i]))))
			}
			if v > c.e[i] {
				c.e[i] = v
			}
		}
	}
	c.contrast(round)
}

// deadZone is how far the light fit may be wrong at a pixel, given its distance
// from the backdrop it was fitted to: darker (an unseen part of the shadow),
// lighter and in tint, as log ratios.
func (c *cutter) deadZone(x, y, round int, body bool) (dark, light, tint float32) {
	i := y*c.w + x
	df := 2 * c.dist[i] // the slopes were found at twice the working resolution
	tint = min(.0002*df, .008)
	if round == 0 {
		light = min(.0008*df, .012)
		if body && c.deep[i] > -.5 {
			return min(.002*df, .06), light, tint
		}
		return min(.004*df, .10), light, tint
	}
	light = min(.0004*df, .010)
	if c.local[i] > weakBelow {
		// A loop of hair or of an arm has a little wall of its own, too little
		// for the fit, in whatever shadow falls there.
		return min(.004*df+.10*(1-c.model.supportAt(x, y)), .16), light, tint
	}
	return min(.0012*df, .035), light, tint
}

// contrast averages the fine evidence over the person around each pixel: its
// square bounded, which decides weak or strong, and its root, which decides
// how wide the unknown band is.
func (c *cutter) contrast(round int) {
	w, h := c.w, c.h
	person, z, root := c.chromaGrad, c.lumaGrad, c.rim
	halves(w*h, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			in := c.back[i] == 0
			if round == 0 {
				in = c.core[i] != 0
			}
			person[i], z[i], root[i] = 0, 0, 0
			if in {
				person[i] = 1
				z[i] = min(max(c.z1[i], 0), 120)
				root[i] = float32(math.Sqrt(float64(min(max(c.z1[i]+3, 0), 4e4))))
			}
		}
	})
	box(person, person, w, h, meanRadius, true)
	box(z, z, w, h, meanRadius, true)
	box(root, root, w, h, meanRadius, true)
	for i, n := range person {
		n = max(n, 1e-3)
		c.local[i] = z[i] / n
		root[i] /= n
	}
}

// cut sets up the unary costs of the round and runs the iteration.
func (c *cutter) cut(round int) {
	w, h := c.w, c.h
	f := &c.field
	var under []uint8
	if round > 0 {
		under = c.underBody()
	}
	halves(h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			yy := float32(y)
			body := yy > c.chin-.05*c.fh
			solid := yy > c.chin+.1*c.fh
			for x := range w {
				i := y*w + x
				k := c.prior[i]
				weak := c.local[i] < weakBelow
				if round > 0 && body {
					if weak && under[i] != 0 {
						// Beside the neck there may be wall, in the shadow of the head.
						k = priorUnder + (priorBody-priorUnder)*clamp01(-2*c.deep[i])
					} else if !weak {
						k = max(k, priorStrong)
					}
				}
				v := min(max(min(max(k-c.e[i]/2, -unaryLimit), unaryLimit)-c.weightOfPeople(weak)*c.vote(i, round), -unaryLimit), unaryLimit)
				if c.core[i] != 0 {
					v = priorCore
				}
				if c.edge[i] != 0 && c.e[i] <= 20 {
					v = priorEdge
				}
				f.f[i] = v
				f.down[i] = f.wy[i]
				// A clear edge ends something: hair, or a sleeve. What hangs above the
				// usual line of the shoulders is hair, and the wall may follow below it.
				if solid && weak && f.wy[i] > cutWeight*cutFlat {
					f.down[i] += (solidBelow - f.down[i]) * clamp01(1+solidFrom*c.deep[i])
				}
				if round == 0 {
					f.u[i] = float32(b2u(v <= 0))
				}
			}
		}
	})
	f.iterate(cutPasses)
	for i, u := range f.u {
		c.mask[i] = b2u(u > .5)
	}
}

// underBody marks, below the chin, what has person above it or on both sides.
func (c *cutter) underBody() []uint8 {
	w, h := c.w, c.h
	person := c.mtmp
	for i, b := range c.back {
		person[i] = 1 - b
	}
	under := c.edgeFree(person)
	first := min(max(int(c.chin), 0), h)
	clear(under[:first*w])
	// Downwards first, on a copy: sides look at the person alone.
	solid := c.mtmp
	copy(solid, under)
	for y := first + 1; y < h; y++ {
		for x := range w {
			if under[(y-1)*w+x] != 0 {
				under[y*w+x] = 1
			}
		}
	}
	for y := first; y < h; y++ {
		row, out := solid[y*w:y*w+w], under[y*w:y*w+w]
		l, r := 0, w-1
		for l < w && row[l] == 0 {
			l++
		}
		for r >= 0 && row[r] == 0 {
			r--
		}
		for x := l; x <= r; x++ {
			out[x] = 1
		}
	}
	return under
}

// edgeFree opens a mask by 5×5, so that specks do not count as body.
func (c *cutter) edgeFree(m []uint8) []uint8 {
	out := c.mtmp2
	shrink(out, m, c.mtmp3, c.w, c.h, 2)
	grow(out, out, c.mtmp3, c.w, c.h, 2)
	return out
}

// tidy keeps the component of the face, fills holes that a person does not
// have and renews the backdrop.
func (c *cutter) tidy() {
	w, h := c.w, c.h
	c.blobs = components(c.label, c.stack, c.blobs, c.mask, w, h, false)
	fx := min(max(int(c.cx), 0), w-1)
	fy := min(max(int(c.fy+c.fh*.5), 0), h-1)
	if id := c.label[fy*w+fx]; id != 0 {
		for i, l := range c.label {
			c.mask[i] = b2u(l == id)
		}
	}
	for i, v := range c.mask {
		c.back[i] = 1 - v
	}
	c.blobs = components(c.label, c.stack, c.blobs, c.back, w, h, false)
	sumE := make([]float64, len(c.blobs))
	sumZ := make([]float64, len(c.blobs))
	for i, l := range c.label {
		sumE[l] += float64(min(c.e[i], 15)) // a rim of mixed pixels must not outvote the rest
		sumZ[l] += float64(c.local[i])
	}
	standsOut := c.clearRims(c.back)
	fill := make([]bool, len(c.blobs))
	for id, b := range c.blobs {
		if id == 0 {
			continue
		}
		sides := b.x0 == 0 || b.x1 == w-1
		low := float32(b.y0) > c.chin
		// Between the collar's wings there is no way through a person: what looks
		// like a white wall there is a white shirt, however much it stands out.
		chest := float32(b.y0) > c.chin+chestBelow*c.fh && float32(b.x0) > c.cx-chestWide*c.fw && float32(b.x1) < c.cx+chestWide*c.fw
		if b.y0 > 0 && !sides {
			// Enclosed: the loop of an arm or of hair stays open where what
			// surrounds it stands out all round; a hole in clothes of the wall's
			// colour does not.
			fill[id] = chest || low && !standsOut[id] || sumE[id] > 6*float64(b.area) || b.area < 30 && sumZ[id] < weakBelow*float64(b.area)
		}
	}
	for i, l := range c.label {
		if fill[l] {
			c.mask[i], c.back[i] = 1, 0
		}
	}
}

// The chest, in faces: how far below the chin it begins, and how far from the
// middle it reaches. Loops of arms lie further out, those of hair higher.
const (
	chestBelow = .05
	chestWide  = .55
)

// Where the person's pixels around a hole differ clearly from the wall, and how
// much of the rim must, for the hole to be wall.
const (
	rimClear = 40
	rimShare = .75
)

// clearRims says which components of set, as labelled, have a person of clear
// contrast all round.
func (c *cutter) clearRims(set []uint8) []bool {
	out := make([]bool, len(c.blobs))
	near := c.stack
	chamfer(c.dist, near, set, c.w, c.h)
	good, all := make([]int, len(c.blobs)), make([]int, len(c.blobs))
	for i, d := range c.dist {
		if d >= 1.5 && d <= 4 && near[i] >= 0 {
			l := c.label[near[i]]
			all[l]++
			if c.z1[i] > rimClear && c.mask[i] != 0 {
				good[l]++
			}
		}
	}
	for l, n := range all {
		out[l] = float64(good[l]) >= rimShare*float64(n)
	}
	return out
}

// finish fits the light a last time, away from the contour, and measures how
// far the result can be trusted.
func (c *cutter) finish() {
	w, h := c.w, c.h
	sure := c.mtmp
	shrink(sure, c.back, c.mtmp2, w, h, 2)
	loud := c.label // reused as flags
	for y := range h {
		for x := range w {
			i := y*w + x
			loud[i] = 0
			if sure[i] == 0 {
				continue
			}
			for j := max(y-1, 0); j <= min(y+1, h-1); j++ {
				for k := max(x-1, 0); k <= min(x+1, w-1); k++ {
					if c.e[j*w+k] >= 8 {
						loud[i] = 1
					}
				}
			}
		}
	}
	for i, v := range loud {
		if v != 0 {
			sure[i] = 0
		}
	}
	c.model.run(c.fit, c.rho, sure, w, h, c.base)
	c.judge(sure)
}

// judge fills Contrast, Confidence and Drift. sure marks backdrop.
func (c *cutter) judge(sure []uint8) {
	w, h := c.w, c.h
	// Contrast: the person's pixels three to six in from the contour.
	chamfer(c.dist, nil, c.back, w, h)
	rim := c.tmp[:0]
	var trust, n [3]float64 // of the head, of the clothes left and right
	for i, v := range c.mask {
		if v == 0 || c.dist[i] > 6 {
			continue
		}
		if c.dist[i] >= 3 {
			rim = append(rim, float32(math.Sqrt(float64(max(c.z1[i]/.8+3, 0)))))
		}
		if c.dist[i] <= 1.5 {
			part := 0
			if float32(i/w) > c.chin {
				part = 1 + int(b2u(float32(i%w) > c.cx))
			}
			n[part]++
			trust[part] += float64(clamp01((c.rim[i] - sureFrom) / (sureAt - sureFrom)))
		}
	}
	c.Contrast = float64(median(rim))
	// A lost shoulder spoils the portrait however sure the rest is: the least
	// sure part of the contour counts.
	c.Confidence = 0
	if n[0] > 0 {
		c.Confidence = 1
	}
	for part := range n {
		if n[part] > float64(c.fw)/4 {
			c.Confidence = min(c.Confidence, trust[part]/n[part])
		}
	}
	if !c.shouldered() || c.disputed() || c.wallLike() {
		c.Confidence = min(c.Confidence, lostBody)
	}

	// Against the plate's promise, not against the noise just calibrated.
	promise := c.wall.covariance(math.Sqrt(c.sx * c.sy)).scaled(levelSafety)
	for _, i := range [3]int{0, 3, 5} {
		promise[i] += 1e-6
	}
	own := whitener(promise)
	var fine, gain []float32
	fine, gain = c.tmp[:0], c.tmp2[:0]
	for i, v := range sure {
		if v != 0 && i%5 == 0 {
			r, g, b := c.rho[0][i]-c.fit[0][i], c.rho[1][i]-c.fit[1][i], c.rho[2][i]-c.fit[2][i]
			fine = append(fine, own.norm2(r, g, b))
			l := (c.fit[0][i] + c.fit[1][i] + c.fit[2][i] - c.base[0] - c.base[1] - c.base[2]) / 3
			gain = append(gain, l)
		}
	}
	d := Drift{Kind: DriftNone}
	for ch := range d.Gain {
		d.Gain[ch] = math.Exp(float64(c.base[ch]))
	}
	if len(fine) > 0 {
		d.Residual = math.Sqrt(float64(median(fine)) / medianChi2)
		slices.Sort(gain)
		d.Spread = float64(gain[len(gain)*9/10] - gain[len(gain)/10])
	}
	mean := (d.Gain[0] + d.Gain[1] + d.Gain[2]) / 3
	tint := 0.
	for _, g := range d.Gain {
		tint = max(tint, math.Abs(g/mean-1))
	}
	covered := 5 * float64(len(fine)) / float64(w*h)
	switch {
	case d.Residual > driftResidual || covered < .02:
		d.Kind = DriftMoved
	case math.Abs(mean-1) > driftGain || tint > driftTint || d.Spread > driftSpread:
		d.Kind = DriftLamp
	}
	c.Drift = d
	if d.Kind == DriftMoved {
		c.Confidence *= .5
	}
}

// shouldered says whether the mask is as wide below the chin as any body: half a
// face to either side. Rows that the region does not hold do not count.
func (c *cutter) shouldered() bool {
	y0, y1 := int(c.chin+.55*c.fh), min(int(c.chin+.8*c.fh), c.h)
	x0, x1 := int(c.cx-.5*c.fw), int(c.cx+.5*c.fw)
	var left, right, rows int
	for y := y0; y < y1; y++ {
		rows++
		for x := max(x0, 0); x < int(c.cx); x++ {
			left += int(c.mask[y*c.w+x])
		}
		for x := int(c.cx); x < min(x1, c.w); x++ {
			right += int(c.mask[y*c.w+x])
		}
	}
	least := int(.85 * float64(rows) * float64(.5*c.fw))
	return left >= least && right >= least
}

// A contour is no better than a guess where the person's rim strays from the
// backdrop by sureFrom noise deviations, which noise alone does, and certain at
// sureAt.
const (
	sureFrom = 2
	sureAt   = 5.5
)

// Limits of a booth that counts as unchanged. A camera's own exposure wanders
// a few per cent; cast shadows unbalance the visible backdrop by up to a sixth.
const (
	driftGain     = .15
	driftTint     = .05
	driftSpread   = .20
	driftResidual = 2.5
)

func abs32(v float32) float32 {
	if v < 0 {
		return -v
	}
	return v
}
