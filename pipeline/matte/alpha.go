package matte

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
	for i := range n {
		r.al[i], r.va[i], r.res[i] = float32(r.m[i]), 9, 1e8
		r.tint[i] = 1
	}
	// Guesses are local means of the sure person, from planes of C·sure and
	// sure. They vary slowly: half and quarter size are plenty.
	var mean, half, quarter, blurred [4][]float32
	hw, hh := (w+1)/2, (h+1)/2
	qw, qh := (hw+1)/2, (hh+1)/2
	for i := range mean {
		mean[i], half[i], quarter[i] = r.k.f32.take(n), r.k.f32.take(hw*hh), r.k.f32.take(qw*qh)
		blurred[i] = r.k.f32.take(n)
	}
	r.weigh(mean, sure)
	for i := range mean {
		shrinkPlane(half[i], mean[i], w, h)
		shrinkPlane(quarter[i], half[i], hw, hh)
	}
	for _, sigma := range [2]float64{2.5, 6} {
		for i := range half {
			gaussian(blurred[i][:hw*hh], half[i], r.tmp, hw, hh, sigma/2, true)
		}
		r.tryGuess(blurred, hw, hh, 2)
	}
	for _, sigma := range [2]float64{15, 40} {
		for i := range quarter {
			gaussian(blurred[i][:qw*qh], quarter[i], r.tmp, qw, qh, sigma/4, true)
		}
		r.tryGuess(blurred, qw, qh, 4)
	}
	// The nearest sure pixel, slightly smoothed.
	for i := range mean {
		box(blurred[i], mean[i], r.tmp, w, h, 1, true)
	}
	chamfer(r.tmp, r.label, sure, w, h)
	halves(h, func(lo, hi int) {
		for i := lo * w; i < hi*w; i++ {
			if r.kind[i] != pixelMixed || r.label[i] < 0 {
				continue
			}
			j := r.label[i]
			k := 1 / max(blurred[3][j], 1e-6)
			r.guess(i, blurred[0][j]*k, blurred[1][j]*k, blurred[2][j]*k)
		}
	})
}

// weigh writes C·sure and sure to the planes.
func (r *renderer) weigh(mean [4][]float32, sure []uint8) {
	w, h := r.w, r.h
	halves(h, func(lo, hi int) {
		for i := lo * w; i < hi*w; i++ {
			v := float32(sure[i])
			mean[0][i], mean[1][i], mean[2][i], mean[3][i] = r.c[0][i]*v, r.c[1][i]*v, r.c[2][i]*v, v
		}
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

// tryGuess offers every mixed pixel the local mean of the sure person, from
// planes reduced by step.
func (r *renderer) tryGuess(p [4][]float32, w, h, step int) {
	k := 1 / float64(step)
	halves(r.h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			for x := range r.w {
				i := y*r.w + x
				if r.kind[i] != pixelMixed {
					continue
				}
				sx, sy := (float64(x)+.5)*k-.5, (float64(y)+.5)*k-.5
				if wt := lerp(p[3], w, h, sx, sy); wt > 2e-3 {
					f0, f1, f2 := lerp(p[0], w, h, sx, sy)/wt, lerp(p[1], w, h, sx, sy)/wt, lerp(p[2], w, h, sx, sy)/wt
					r.guess(i, f0, f1, f2)
					if b0, b1, b2, n := r.wallTint(i); n > 0 && r.tint[i] == 1 {
						r.tint[i] = (f0*b0 + f1*b1 + f2*b2) / n
					}
				}
			}
		}
	})
}

const (
	// texture is the deviation of a person's colour from a guess, 8-bit units:
	// 6 % of full scale in alpha's variance, 2 % in the choice of guess.
	textureAlpha = .06 * 255
	textureFit   = .02 * 255
	alphaFloor   = 4e-4 // variance that no pixel beats: F is never exact
)

// guess tries one foreground colour at pixel i.
func (r *renderer) guess(i int, fr, fg, fb float32) {
	b0, b1, b2 := r.b[0][i], r.b[1][i], r.b[2][i]
	v0, v1, v2 := fr-b0, fg-b1, fb-b2
	d0, d1, d2 := r.c[0][i]-b0, r.c[1][i]-b1, r.c[2][i]-b2
	w0, w1, w2 := r.inv[0][i], r.inv[1][i], r.inv[2][i]
	n := v0*v0*w0 + v1*v1*w1 + v2*v2*w2
	a := clamp01((d0*v0*w0 + d1*v1*w1 + d2*v2*w2) / max(n, 1e-3))
	t := a * a * textureFit * textureFit
	e0, e1, e2 := d0-a*v0, d1-a*v1, d2-a*v2
	res := e0*e0/(1/w0+t) + e1*e1/(1/w1+t) + e2*e2/(1/w2+t)
	if res >= r.res[i]-.5 {
		return
	}
	vv := v0*v0 + v1*v1 + v2*v2
	r.res[i] = res
	r.al[i] = a
	r.va[i] = min(1/max(n, 1e-3)+a*a*(textureAlpha*textureAlpha/3)/max(vv, 1)+alphaFloor, 9)
}

// narrow takes out of the band what the data already decides: deep pixels that
// are not visibly mixtures become person, far ones without any person in them
// become backdrop.
func (r *renderer) narrow() {
	w, h := r.w, r.h
	mixed := r.u1
	for i := range mixed {
		mixed[i] = b2u(r.kind[i] == pixelMixed && r.al[i] < .85 && r.va[i] < .02 && r.res[i] < 60)
	}
	shrink(mixed, mixed, r.u2, w, h, 1)
	grow(mixed, mixed, r.u2, w, h, 1)
	for i, m := range r.m {
		mixed[i] &= m
	}
	grow(mixed, mixed, r.u2, w, h, 1)
	r.rooted(mixed)
	// Outside the band alpha is the mask's.
	box(r.tmp2, r.al, r.tmp, w, h, 1, false)
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
				if r.din[i] > deep && mixed[i] == 0 && (r.thin[i] == 0 || r.al[i] > .9) {
					r.kind[i] = pixelPerson
				}
			} else if r.dout[i] > 2*u && r.tmp2[i] < .06 && r.st[i] > .5 {
				r.kind[i] = pixelBack
			}
		}
	}
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
