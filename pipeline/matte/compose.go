package matte

// #include "kernels.h"
import "C"

import "image"

// compose makes the images. The person's light in a mixed pixel is what is
// left after the backdrop's share is taken away, C − (1−α)B, bounded by what a
// person of that coverage can send; it needs no guess of the person's colour.
// What is wholly person, and the crop as photographed, is averaged in linear
// light; near full coverage a mixed pixel goes over into it.
func (r *renderer) compose(bg [3]float32, keep bool) *Portrait {
	w, h := r.w, r.h
	rect := image.Rect(0, 0, w, h)
	p := &Portrait{RGBA: image.NewRGBA(rect), Alpha: image.NewGray(rect), Cut: image.NewRGBA(rect), PlateFlat: r.flat}
	if r.Method == MethodPlate {
		p.PlateCut = image.NewRGBA(rect)
	}
	one := [3]float32{1, 1, 1}
	lit := r.inv // the noise has been heard
	resampleLight(lit, w, h, r.frame, r.crop)
	fill := [4]uint8{to8(bg[0]), to8(bg[1]), to8(bg[2]), 255}
	halves(h, func(lo, hi int) {
		lo, hi = lo*w, hi*w
		C.yz_grey(u8(p.Alpha.Pix), f32(r.alpha), C.int(lo), C.int(hi))
		pack(p.Cut, lit, one, lo, hi)
		if p.PlateCut != nil {
			pack(p.PlateCut, r.b, one, lo, hi)
		}
		copy(p.RGBA.Pix[4*lo:4*hi], p.Cut.Pix[4*lo:4*hi])
		if keep {
			return
		}
		for i, k := range r.kind[lo:hi] {
			if k == pixelBack {
				copy(p.RGBA.Pix[4*(lo+i):], fill[:])
			}
		}
	})
	if keep {
		return p
	}
	halves(len(r.mix), func(lo, hi int) {
		for u := range r.mix[lo:hi] {
			m := &r.mix[lo+u]
			i := int(m.at)
			if r.kind[i] != pixelMixed {
				continue
			}
			a := r.alpha[i]
			var own [3]float32
			for ch := range own {
				own[ch] = min(max(r.c[ch][i]-(1-a)*r.b[ch][i], 0), 255*a)
			}
			r.despill(m, a, &own)
			whole := clamp01((a - wholeFrom) / (1 - wholeFrom))
			for ch, v := range own {
				v += whole * (lit[ch][i] - r.c[ch][i])
				p.RGBA.Pix[4*i+ch] = to8(v + (1-a)*bg[ch])
			}
		}
	})
	return p
}

// pack writes the pixels [lo, hi) of three planes, each under a gain.
func pack(m *image.RGBA, p [3][]float32, gain [3]float32, lo, hi int) {
	C.yz_pack(u8(m.Pix), f32(p[0]), f32(p[1]), f32(p[2]), f32(gain[:]), logOffset, C.int(lo), C.int(hi))
}

// wholeFrom is the coverage from which a pixel goes over to the mean of the light:
// below it, that mean would be the wall's more than the person's.
const wholeFrom = .9

// despillShare of the excess is taken: before red all of it is best, before a
// target of the wall's own colour none; the measured optimum lies between.
const despillShare = .5

// despill takes the wall's colour out of a mixed pixel's own light as far as the
// person nearby has less of it: what the wall throws on the rim, and what an
// alpha a little too large left there.
func (r *renderer) despill(m *C.yz_mixture, a float32, own *[3]float32) {
	b0, b1, b2, n := r.wallTint(int(m.at))
	if n == 0 || a < .01 {
		return
	}
	share := float32(1)
	if m.found != 0 {
		share = max((float32(m.person[0])*b0+float32(m.person[1])*b1+float32(m.person[2])*b2)/n, 0)
	}
	excess := despillShare * ((own[0]*b0+own[1]*b1+own[2]*b2)/n - a*share)
	if excess <= 0 {
		return
	}
	for ch, b := range [3]float32{b0, b1, b2} {
		own[ch] = min(max(own[ch]-excess*b, 0), 255*a)
	}
}

func to8(v float32) uint8 {
	if v <= 0 {
		return 0
	}
	if v >= 255 {
		return 255
	}
	return uint8(v + .5)
}
