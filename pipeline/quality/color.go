package quality

import (
	"image"
	"math"
	"sync"
)

// rgb is one sRGB colour, 0..255 a channel (fractions when it is a mean).
type rgb struct{ r, g, b float64 }

// lab is a colour in CIE L*a*b* under D50, the white OFIQ measures skin under.
type lab struct{ l, a, b float64 }

// linear holds the sRGB decoding curve (IEC 61966-2-1) of every byte, 0..1.
var linear = sync.OnceValue(func() *[256]float32 {
	var t [256]float32
	for i := range t {
		c := float64(i) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		t[i] = float32(c)
	}
	return &t
})

// labCurve tabulates CIE's f(t) for t in 0..1.1 in steps of 1/4096.
var labCurve = sync.OnceValue(func() *[4608]float64 {
	var t [4608]float64
	for i := range t {
		x := float64(i) / 4096
		if x > 216.0/24389 {
			t[i] = math.Cbrt(x)
		} else {
			t[i] = (24389.0/27*x + 16) / 116
		}
	}
	return &t
})

func labF(curve *[4608]float64, x float64) float64 {
	p := min(max(x, 0), 1.12) * 4096
	i := int(p)
	return curve[i] + (curve[i+1]-curve[i])*(p-float64(i))
}

// linearLab converts linear sRGB 0..1 with the D65 primaries adapted to D50
// (Bradford; the matrix of the ICC sRGB profile).
func linearLab(r, g, b float64) lab {
	curve := labCurve()
	x := (.4360747*r + .3850649*g + .1430804*b) / .9642
	y := .2225045*r + .7168786*g + .0606169*b
	z := (.0139322*r + .0971045*g + .7141733*b) / .8251
	fx, fy, fz := labF(curve, x), labF(curve, y), labF(curve, z)
	return lab{116*fy - 16, 500 * (fx - fy), 200 * (fy - fz)}
}

// labOf converts sRGB bytes.
func labOf(r, g, b uint8) lab {
	t := linear()
	return linearLab(float64(t[r]), float64(t[g]), float64(t[b]))
}

// chroma is the distance from grey.
func (c lab) chroma() float64 { return math.Hypot(c.a, c.b) }

// hue in degrees, 0..360: about 40 for skin, 220 to 300 for blues.
func (c lab) hue() float64 {
	h := math.Atan2(c.b, c.a) * 180 / math.Pi
	if h < 0 {
		h += 360
	}
	return h
}

// deltaE00 is the CIEDE2000 colour difference (CIE 142-2001) with unit weights.
func deltaE00(p, q lab) float64 {
	const rad = math.Pi / 180
	c7 := math.Pow((p.chroma()+q.chroma())/2, 7)
	g := .5 * (1 - math.Sqrt(c7/(c7+6103515625)))
	pa, qa := p.a*(1+g), q.a*(1+g)
	pc, qc := math.Hypot(pa, p.b), math.Hypot(qa, q.b)
	angle := func(a, b float64) float64 {
		if a == 0 && b == 0 {
			return 0
		}
		h := math.Atan2(b, a) / rad
		if h < 0 {
			h += 360
		}
		return h
	}
	ph, qh := angle(pa, p.b), angle(qa, q.b)
	dl, dc := q.l-p.l, qc-pc
	dh, hm := qh-ph, (ph+qh)/2
	switch {
	case pc*qc == 0:
		dh, hm = 0, ph+qh
	case dh > 180:
		dh -= 360
	case dh < -180:
		dh += 360
	}
	if pc*qc != 0 && math.Abs(ph-qh) > 180 {
		if ph+qh < 360 {
			hm += 180
		} else {
			hm -= 180
		}
	}
	dH := 2 * math.Sqrt(pc*qc) * math.Sin(dh/2*rad)
	lm, cm := (p.l+q.l)/2, (pc+qc)/2
	t := 1 - .17*math.Cos((hm-30)*rad) + .24*math.Cos(2*hm*rad) +
		.32*math.Cos((3*hm+6)*rad) - .2*math.Cos((4*hm-63)*rad)
	l50 := (lm - 50) * (lm - 50)
	sl := 1 + .015*l50/math.Sqrt(20+l50)
	sc := 1 + .045*cm
	sh := 1 + .015*cm*t
	cm7 := math.Pow(cm, 7)
	rt := -math.Sin(2*30*math.Exp(-(hm-275)*(hm-275)/625)*rad) * 2 * math.Sqrt(cm7/(cm7+6103515625))
	return math.Sqrt(math.Max(0, (dl/sl)*(dl/sl)+(dc/sc)*(dc/sc)+(dH/sh)*(dH/sh)+rt*(dc/sc)*(dH/sh)))
}

// luminance of linear sRGB 0..1 (BT.709), what OFIQ calls luminance.
func luminance(r, g, b float64) float64 { return .2126*r + .7152*g + .0722*b }

// sigmoid is σ(x; x0, w) of the standard's quality formulas.
func sigmoid(x, x0, w float64) float64 { return 1 / (1 + math.Exp((x0-x)/w)) }

// whole tells whether img is a picture of w×h whose buffer holds all of it.
func whole(img *image.RGBA, w, h int) bool {
	return img != nil && w > 0 && h > 0 && img.Rect.Dx() == w && img.Rect.Dy() == h &&
		img.Stride >= 4*w && len(img.Pix) >= (h-1)*img.Stride+4*w
}
