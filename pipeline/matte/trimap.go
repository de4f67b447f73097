package matte

// #include "kernels.h"
import "C"

// trimap divides the output into person, backdrop and the mixed band between.
// The band is as wide as the contour is uncertain: hair is wide, clothes are
// narrow, and where the contrast is too weak to measure a mixture a wide band
// would only carry noise.
func (r *renderer) trimap() {
	w, h := r.w, r.h
	s := r.Segmentation
	// The mask, its contour smoothed to half a working pixel.
	src := r.k.f32.take(s.w * s.h)
	for i, v := range s.mask {
		src[i] = float32(v)
	}
	r.stretch(r.alpha, src)
	gaussian(r.alpha, r.alpha, w, h, float64(max(1.5*r.unit, .5)), false)
	for i, v := range r.alpha {
		r.m[i] = b2u(v > .5)
		r.u1[i] = b2u(v <= .5)
	}
	both(func() { chamfer(r.din, nil, r.u1, w, h) }, func() { chamfer(r.dout, nil, r.m, w, h) })

	for i, v := range s.rim {
		src[i] = clamp01((v - 8) / 8)
	}
	gaussian(src, src, s.w, s.h, 2, false)
	r.stretch(r.st, src)

	strands := r.strands(src)
	r.suspects()
	lookalike := r.u2
	r.thinHair()
	u := r.unit
	halves(h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			yy := float32(y)
			hair := yy < r.fy+.6*r.fh
			top := yy < r.chin+.12*r.fh
			for x := range w {
				i := y*w + x
				st := r.st[i]
				inner := float32(9)
				if hair {
					inner = 12
				}
				inner = (5 + (inner-5)*st) * u
				outer, reach := 4*u, .08*r.fw
				if top {
					outer, reach = 5*u, .3*r.fw
				}
				kind := pixelBack
				if r.m[i] != 0 {
					kind = pixelPerson
					if r.din[i] <= inner || lookalike[i] != 0 || r.thin[i] != 0 {
						kind = pixelMixed
					}
				} else if r.dout[i] <= outer || strands[i] != 0 && r.dout[i] < reach+2 {
					kind = pixelMixed
				}
				r.kind[i] = kind
			}
		}
	})
}

// Where hair is thin.
const (
	hairDepth   = .3  // of a face: how deep under its outline hair may be thin
	thinFrom    = .15 // share of the wall's colour that shows it
	colourfulAt = 30  // 8-bit units off grey from which a wall has a colour to show
)

// thinHair fills thin. A cloud of curls is a mixture all through, far inside the
// mask. Before a coloured wall the wall's own colour shows it: hair is grey to
// brown. Before white or grey nothing tells a gap from a shine on the hair, and
// the mask is believed.
func (r *renderer) thinHair() {
	w, h := r.w, r.h
	halves(h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			hair := float32(y) < r.chin+.1*r.fh // above the collar
			for x := range w {
				i := y*w + x
				r.thin[i] = 0
				if !hair || r.m[i] == 0 || r.st[i] <= .5 || r.din[i] > hairDepth*r.fw {
					continue
				}
				if r.inFace(float32(x), float32(y)) {
					continue
				}
				r.thin[i] = b2u(r.wallShare(i) > thinFrom)
			}
		}
	})
	grow(r.thin, r.thin, r.u1, w, h, 1)
}

// wallShare is how much of the wall's colour, its difference from grey, a pixel
// has; 0 where the wall has none.
func (r *renderer) wallShare(i int) float32 {
	b0, b1, b2, n := r.wallTint(i)
	if n == 0 {
		return 0
	}
	return (r.c[0][i]*b0 + r.c[1][i]*b1 + r.c[2][i]*b2) / n // grey adds nothing: the b sum to zero
}

// wallTint is the wall's difference from grey and its squared length, 8-bit
// units; zeros where the wall has no colour to speak of.
func (r *renderer) wallTint(i int) (b0, b1, b2, n float32) {
	b0, b1, b2 = r.b[0][i], r.b[1][i], r.b[2][i]
	m := (b0 + b1 + b2) / 3
	b0, b1, b2 = b0-m, b1-m, b2-m
	if n = b0*b0 + b1*b1 + b2*b2; n < colourfulAt*colourfulAt {
		return 0, 0, 0, 0
	}
	return b0, b1, b2, n
}

// strands marks evidence outside the mask that may be hair: components of
// clear evidence that touch the mask or peak high.
func (r *renderer) strands(src []float32) []uint8 {
	s := r.Segmentation
	n := s.w * s.h
	loud, label, stack := r.u1[:0], r.label[:0], r.stack[:0]
	if n > len(r.u1) { // a small portrait of a large region
		loud, label, stack = r.k.u8.take(n), r.k.i32.take(n), r.k.i32.take(n)
	}
	loud, label, stack = loud[:n], label[:n], stack[:n]
	for i := range loud {
		loud[i] = b2u(s.e[i] > 7 || s.mask[i] != 0)
	}
	blobs := components(label, stack, nil, loud, s.w, s.h, true)
	peak := make([]float32, len(blobs))
	keep := make([]bool, len(blobs))
	for i, l := range label {
		peak[l] = max(peak[l], s.e[i])
		if s.mask[i] != 0 {
			keep[l] = true
		}
	}
	for id, b := range blobs {
		keep[id] = keep[id] || peak[id] > 30 && b.area >= 4
	}
	keep[0] = false
	for i, l := range label {
		src[i] = float32(b2u(keep[l]))
	}
	r.stretch(r.tmp2, src)
	out := r.u3
	for i, v := range r.tmp2 {
		out[i] = b2u(v > .4)
	}
	grow(out, out, r.u1, r.w, r.h, 2)
	return out
}

// suspects marks in u2 pixels of the person, not of the face, that look like
// the backdrop although the contrast around them is good: gaps in the hair.
// From the collar down, what looks like a white wall is a white shirt.
func (r *renderer) suspects() {
	w, h := r.w, r.h
	near := r.tmp2
	clear(near)
	for ch := range r.c {
		halves(w*h, func(lo, hi int) { C.yz_sub(f32(r.tmp), f32(r.c[ch]), f32(r.b[ch]), C.int(lo), C.int(hi)) })
		box(r.plane, r.tmp, w, h, 1, false)
		halves(w*h, func(lo, hi int) { C.yz_near(f32(near), f32(r.plane), f32(r.inv[ch]), C.int(lo), C.int(hi)) })
	}
	s := r.Segmentation
	src := r.k.f32.take(s.w * s.h)
	for i, v := range s.e {
		src[i] = min(v, 50)
	}
	r.stretch(r.tmp, src)
	own := r.ownColours(near)
	for y := range h {
		for x := range w {
			i := y*w + x
			r.u2[i] = b2u((near[i] < likeWall || r.tmp[i] < 8) && r.st[i] > .5 && r.m[i] != 0 &&
				r.din[i] < .25*r.fw && !r.inFace(float32(x), float32(y)) && float32(y) < r.chin-.15*r.fh && !own.hold(r, x, y))
		}
	}
	grow(r.u2, r.u2, r.u1, w, h, 2)
}

// likeWall is the squared deviation, in noise units, up to which a pixel looks
// like the wall.
const likeWall = 40

// colours are the person's own around each 2×2 pixels: means and deviations of
// lightness, of red against blue and of green against both.
type colours struct {
	w     int
	n     []float32
	mean  [3][]float32
	stray [3][]float32
}

// ownColours gathers the colours of the mask that do not look like the wall, by
// near, within a sixth of a face around. Light or grey hair has shines of the wall's own
// white or grey: what looks like a gap there is none.
func (r *renderer) ownColours(near []float32) colours {
	w, h := (r.w+1)/2, (r.h+1)/2
	k := r.k
	o := colours{w: w, n: k.f32.zero(w * h), mean: k.planes(w * h), stray: k.planes(w * h)}
	for ch := range o.mean {
		clear(o.mean[ch])
		clear(o.stray[ch])
	}
	for y := range h {
		for x := range w {
			i, j := 2*y*r.w+2*x, y*w+x
			if r.m[i] == 0 || r.din[i] < 3*r.unit || near[i] < likeWall || float32(2*y) > r.chin {
				continue
			}
			o.n[j] = 1
			for ch, v := range opponent(r.c[0][i], r.c[1][i], r.c[2][i]) {
				o.mean[ch][j] = v
				o.stray[ch][j] = v * v
			}
		}
	}
	radius := max(int(r.fw/12), 1)
	box(o.n, o.n, w, h, radius, true)
	for ch := range o.mean {
		box(o.mean[ch], o.mean[ch], w, h, radius, true)
		box(o.stray[ch], o.stray[ch], w, h, radius, true)
	}
	return o
}

// ownWithin is how many deviations from the mean the person's own colours reach.
const ownWithin = 2

// hold says whether the wall's colour behind a pixel is among the person's own.
func (o *colours) hold(r *renderer, x, y int) bool {
	j, i := y/2*o.w+x/2, y*r.w+x
	n := o.n[j]
	if n < 1e-4 {
		return false
	}
	for ch, v := range opponent(r.b[0][i], r.b[1][i], r.b[2][i]) {
		m := o.mean[ch][j] / n
		d := v - m
		if d*d > ownWithin*ownWithin*(max(o.stray[ch][j]/n-m*m, 0)+9) {
			return false
		}
	}
	return true
}

// opponent is a colour's lightness, red against blue, and green against both.
func opponent(r, g, b float32) [3]float32 {
	return [3]float32{(r + g + b) / 3, r - b, g - (r+b)/2}
}
