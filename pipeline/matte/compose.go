package matte

import "image"

// compose makes the images. The person's light in a mixed pixel is what is
// left after the backdrop's share is taken away, C − (1−α)B, bounded by what a
// person of that coverage can send; it needs no guess of the person's colour.
func (r *renderer) compose(bg [3]float32, keep bool) *Portrait {
	w, h := r.w, r.h
	rect := image.Rect(0, 0, w, h)
	p := &Portrait{RGBA: image.NewRGBA(rect), Alpha: image.NewGray(rect), Cut: image.NewRGBA(rect), PlateFlat: r.flat}
	if r.Method == MethodPlate {
		p.PlateCut = image.NewRGBA(rect)
	}
	halves(h, func(lo, hi int) {
		for i := lo * w; i < hi*w; i++ {
			a := r.alpha[i]
			p.Alpha.Pix[i] = uint8(a*255 + .5)
			o := 4 * i
			p.RGBA.Pix[o+3], p.Cut.Pix[o+3] = 255, 255
			var own [3]float32
			for ch := range 3 {
				c, b := r.c[ch][i], r.b[ch][i]
				cut := to8(c)
				p.Cut.Pix[o+ch] = cut
				if p.PlateCut != nil {
					p.PlateCut.Pix[o+ch] = to8(b)
				}
				if keep {
					p.RGBA.Pix[o+ch] = cut
					continue
				}
				own[ch] = min(max(c-(1-a)*b, 0), 255*a)
			}
			if !keep {
				if r.kind[i] == pixelMixed {
					r.despill(i, a, &own)
				}
				for ch, v := range own {
					p.RGBA.Pix[o+ch] = to8(v + (1-a)*bg[ch])
				}
			}
			if p.PlateCut != nil {
				p.PlateCut.Pix[o+3] = 255
			}
		}
	})
	return p
}

// despillShare of the excess is taken: before red all of it is best, before a
// target of the wall's own colour none; the measured optimum lies between.
const despillShare = .5

// despill takes the wall's colour out of a mixed pixel's own light as far as the
// person nearby has less of it: what the wall throws on the rim, and what an
// alpha a little too large left there.
func (r *renderer) despill(i int, a float32, own *[3]float32) {
	b0, b1, b2, n := r.wallTint(i)
	if n == 0 || a < .01 {
		return
	}
	excess := despillShare * ((own[0]*b0+own[1]*b1+own[2]*b2)/n - a*max(r.tint[i], 0))
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
