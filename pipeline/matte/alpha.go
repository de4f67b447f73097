package matte

// #include "kernels.h"
import "C"

import "math"

// dataAlpha estimates each mixed pixel's alpha from its own colour: the
// backdrop's colour B is known there, the person's F is guessed from the sure
// person nearby, and alpha is the pixel's place on the line from B to F,
// measured in noise units. Several guesses of F compete; the one whose line
// passes closest to the pixel wins.
func (r *renderer) dataAlpha() {
	w, h := r.w, r.h
	n := w * h
	// Sure person, a little further in where the contrast allows.
	sure := r.u1
	for i, k := range r.kind {
		sure[i] = b2u(k == pixelPerson)
	}
	shrink(r.u2, sure, r.u3, w, h, 2)
	for i := range sure {
		if r.st[i] > .5 {
			sure[i] = r.u2[i]
		}
	}
	r.mix = r.mix[:0]
	for i, k := range r.kind {
		r.al[i], r.va[i], r.res[i] = float32(r.m[i]), 9, 1e8
		if k == pixelMixed {
			r.mix = append(r.mix, r.mixture(i))
		}
	}
	// Guesses are local means of the sure person, from planes of C·sure and
	// sure. They vary slowly: half and quarter size are plenty.
	var half, quarter, blurred [4][]float32
	hw, hh := (w+1)/2, (h+1)/2
	qw, qh := (hw+1)/2, (hh+1)/2
	for i := range half {
		half[i], quarter[i], blurred[i] = r.k.f32.take(hw*hh), r.k.f32.take(qw*qh), r.k.f32.take(n)
	}
	halves(hh, func(lo, hi int) {
		C.yz_half_weighed(f32(half[0]), f32(half[1]), f32(half[2]), f32(half[3]), f32(r.c[0]), f32(r.c[1]), f32(r.c[2]), u8(sure),
			C.int(w), C.int(h), C.int(hw), C.int(lo), C.int(hi))
	})
	for i := range quarter {
		shrinkPlane(quarter[i], half[i], hw, hh)
	}
	for _, sigma := range [2]float64{2.5, 6} {
		for i := range half {
			gaussian(blurred[i], half[i], hw, hh, sigma/2, true)
		}
		r.guessMeans(blurred, hw, hh, 2)
	}
	for _, sigma := range [2]float64{15, 40} {
		for i := range quarter {
			gaussian(blurred[i], quarter[i], qw, qh, sigma/4, true)
		}
		r.guessMeans(blurred, qw, qh, 4)
	}
	// The nearest sure pixel, slightly smoothed.
	both(func() { chamfer(r.tmp, r.label, sure, w, h) }, func() {
		for ch := range r.c {
			for i, v := range sure {
				r.tmp2[i] = r.c[ch][i] * float32(v)
			}
			box(blurred[ch], r.tmp2, w, h, 1, true)
		}
		for i, v := range sure {
			r.tmp2[i] = float32(v)
		}
		box(blurred[3], r.tmp2, w, h, 1, true)
	})
	halves(len(r.mix), func(lo, hi int) {
		C.yz_guess_nearest(mixed(r.mix), C.int(lo), C.int(hi), i32(r.label), f32(blurred[0]), f32(blurred[1]), f32(blurred[2]), f32(blurred[3]))
	})
	for i := range r.mix {
		m := &r.mix[i]
		r.al[m.at], r.va[m.at], r.res[m.at] = float32(m.alpha), float32(m._var), float32(m.res)
	}
}

// mixture is a pixel before its first guess: whatever the mask says, hardly known.
func (r *renderer) mixture(i int) C.yz_mixture {
	m := C.yz_mixture{at: C.int32_t(i), alpha: C.float(r.m[i]), _var: 9, res: 1e8}
	for ch := range 3 {
		m.c[ch], m.b[ch], m.inv[ch] = C.float(r.c[ch][i]), C.float(r.b[ch][i]), C.float(r.inv[ch][i])
	}
	return m
}

// guessMeans offers every mixed pixel the local mean of the sure person, from
// planes of w×h reduced by step.
func (r *renderer) guessMeans(p [4][]float32, w, h, step int) {
	halves(len(r.mix), func(lo, hi int) {
		C.yz_guess_means(mixed(r.mix), C.int(lo), C.int(hi), C.int(r.w), f32(p[0]), f32(p[1]), f32(p[2]), f32(p[3]),
			C.int(w), C.int(h), C.float(1/float32(step)))
	})
}

// shrinkPlane averages 2×2 cells.
func shrinkPlane(dst, src []float32, w, h int) {
	dw := (w + 1) / 2
	for y := range (h + 1) / 2 {
		y1 := min(2*y+1, h-1)
		for x := range dw {
			x1 := min(2*x+1, w-1)
			dst[y*dw+x] = (src[2*y*w+2*x] + src[2*y*w+x1] + src[y1*w+2*x] + src[y1*w+x1]) / 4
		}
	}
}

// narrow takes out of the band what the data already decides: deep pixels that
// are not visibly mixtures become person, far ones without any person in them
// become backdrop.
func (r *renderer) narrow() {
	w, h := r.w, r.h
	mixed := r.u1
	r.evenness()
	for i := range mixed {
		may := r.kind[i] == pixelMixed && (!r.even(i) || r.shaded(i))
		mixed[i] = b2u(may && r.al[i] < .85 && r.va[i] < knownVariance && r.res[i] < onTheLine)
		r.thin[i] &= b2u(may && r.al[i] <= .9 && (r.al[i] > evenFrom || r.res[i] < nearTheLine || r.shaded(i)))
	}
	shrink(mixed, mixed, r.u2, w, h, 1)
	grow(mixed, mixed, r.u2, w, h, 1)
	for i, m := range r.m {
		mixed[i] &= m
	}
	grow(mixed, mixed, r.u2, w, h, 1)
	r.rooted(mixed)
	// Outside the band alpha is the mask's.
	box(r.tmp2, r.al, w, h, 1, false)
	u := r.unit
	for y := range h {
		deep := 4 * u
		if float32(y) < r.fy+.6*r.fh {
			deep = 6 * u
		}
		for x := range w {
			i := y*w + x
			if r.kind[i] != pixelMixed {
				continue
			}
			if r.m[i] != 0 {
				if r.din[i] > deep && mixed[i] == 0 && r.thin[i] == 0 {
					r.kind[i] = pixelPerson
				}
			} else if r.dout[i] > 2*u && r.tmp2[i] < .06 && r.st[i] > .5 {
				r.kind[i] = pixelBack
			}
		}
	}
}

// onTheLine is the squared deviation, in noise units, up to which a colour lies
// on the line between the wall and the person nearby. What lies further off is
// no mixture of the two, but another colour of the person's.
// Where the wall's colour shows, a camera's sharpening may throw a single hair
// up to nearTheLine off.
const (
	onTheLine   = 60
	nearTheLine = 1200
	// knownVariance is the variance below which an estimate counts as known.
	knownVariance = .02
)

// A mixture of hair and wall is never even: it is made of single hairs. Where
// the estimate strays from its neighbours by less than this over 5×5 pixels,
// neither near the wall nor near the person, it is cloth or skin whose colour
// happens to lie on the line.
const (
	evenBelow = .05
	evenFrom  = .12
	evenTo    = .88
)

// shaded says whether a pixel is the wall under a deeper shadow than the light
// fit knows of, as there is beneath hair: darker, but not of another colour.
func (r *renderer) shaded(i int) bool {
	var l [3]float64
	for ch := range l {
		l[ch] = math.Log(float64((r.c[ch][i] + logOffset) / (r.b[ch][i] + logOffset)))
	}
	m := (l[0] + l[1] + l[2]) / 3
	tint := max(math.Abs(l[0]-m), math.Abs(l[1]-m), math.Abs(l[2]-m))
	return m < 0 && m > shadowFloor && tint < shadowTint
}

// shadowTint is how far, as a log ratio, a shadow may change the wall's colour.
const shadowTint = .06

// evenness fills tmp and tmp2 with the local mean and variance of the estimate.
func (r *renderer) evenness() {
	for i, v := range r.al {
		r.tmp2[i] = v * v
	}
	box(r.tmp, r.al, r.w, r.h, 2, false)
	box(r.tmp2, r.tmp2, r.w, r.h, 2, false)
}

// even says whether evenness found no single hairs about a pixel.
func (r *renderer) even(i int) bool {
	m := r.tmp[i]
	return m > evenFrom && m < evenTo && r.tmp2[i]-m*m < evenBelow*evenBelow
}

// rooted takes mixtures deep in the person away again that neither hang together
// with the outline nor are gaps: a shine on dark hair reads as a mixture too.
func (r *renderer) rooted(mixed []uint8) {
	set := r.u3
	for i, v := range mixed {
		set[i] = v & r.m[i]
	}
	r.blobs = components(r.label, r.stack, r.blobs, set, r.w, r.h, true)
	keep := make([]bool, len(r.blobs))
	sum := make([]float32, len(r.blobs))
	for i, l := range r.label {
		if l != 0 {
			sum[l] += r.al[i]
			keep[l] = keep[l] || r.din[i] < 3*r.unit
		}
	}
	for l, b := range r.blobs {
		keep[l] = keep[l] || sum[l] < .5*float32(b.area)
	}
	for i, l := range r.label {
		if l != 0 && !keep[l] {
			mixed[i] = 0
		}
	}
}

// rescale stretches solved alphas so that the solver's soft tails end.
const (
	alphaLow  = .02
	alphaSpan = .95
)

func finishAlpha(v float32) float32 {
	if v != v || math.IsInf(float64(v), 0) {
		return 0
	}
	return clamp01((v - alphaLow) / alphaSpan)
}
