package checks

import (
	"image/color"
	"math"
)

// lab is CIE L*a*b* under D50 of linear sRGB.
func (c rgb) lab() [3]float64 {
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x := f((.4360747*c[0] + .3850649*c[1] + .1430804*c[2]) / .9642)
	y := f(.2225045*c[0] + .7168786*c[1] + .0606169*c[2])
	z := f((.0139322*c[0] + .0971045*c[1] + .7141733*c[2]) / .8251)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// deltaE00 is the CIEDE2000 difference (CIE 142-2001), written down here a
// second time so that the rule is not measured with its own ruler.
func deltaE00(p, q [3]float64) float64 {
	rad := math.Pi / 180
	c1, c2 := math.Hypot(p[1], p[2]), math.Hypot(q[1], q[2])
	c7 := math.Pow((c1+c2)/2, 7)
	g := 1 + .5*(1-math.Sqrt(c7/(c7+math.Pow(25, 7))))
	a1, a2 := p[1]*g, q[1]*g
	c1, c2 = math.Hypot(a1, p[2]), math.Hypot(a2, q[2])
	hue := func(a, b float64) float64 {
		if a == 0 && b == 0 {
			return 0
		}
		return math.Mod(math.Atan2(b, a)/rad+360, 360)
	}
	h1, h2 := hue(a1, p[2]), hue(a2, q[2])
	dh, hm := h2-h1, (h1+h2)/2
	if c1*c2 == 0 {
		dh, hm = 0, h1+h2
	} else if math.Abs(h1-h2) > 180 {
		dh -= math.Copysign(360, dh)
		if h1+h2 < 360 {
			hm += 180
		} else {
			hm -= 180
		}
	}
	dl, dc, dH := q[0]-p[0], c2-c1, 2*math.Sqrt(c1*c2)*math.Sin(dh/2*rad)
	lm, cm := (p[0]+q[0])/2-50, (c1+c2)/2
	t := 1 - .17*math.Cos((hm-30)*rad) + .24*math.Cos(2*hm*rad) + .32*math.Cos((3*hm+6)*rad) - .2*math.Cos((4*hm-63)*rad)
	sl := 1 + .015*lm*lm/math.Sqrt(20+lm*lm)
	sc, sh := 1+.045*cm, 1+.015*cm*t
	c7 = math.Pow(cm, 7)
	rt := -2 * math.Sqrt(c7/(c7+math.Pow(25, 7))) * math.Sin(60*math.Exp(-math.Pow((hm-275)/25, 2))*rad)
	l, c, h := dl/sl, dc/sc, dH/sh
	return math.Sqrt(max(l*l+c*c+h*h+rt*c*h, 0))
}

// awayFrom is the colour at the CIEDE2000 difference d from base on the way to
// far; far itself when it is nearer than that.
func awayFrom(base, far rgb, d float64) rgb {
	b := base.lab()
	lo, hi := 0., 1.
	mix := func(t float64) rgb {
		var m rgb
		for i := range m {
			m[i] = base[i] + (far[i]-base[i])*t
		}
		return m
	}
	for range 40 {
		if mid := (lo + hi) / 2; deltaE00(mix(mid).lab(), b) < d {
			lo = mid
		} else {
			hi = mid
		}
	}
	return mix((lo + hi) / 2)
}

func (c rgb) nrgba(alpha uint8) color.NRGBA {
	b := func(v float64) uint8 { return uint8(toByte(v) + .5) }
	return color.NRGBA{b(c[0]), b(c[1]), b(c[2]), alpha}
}

// mixed goes from a to b by t, on the sRGB curve, and keeps a's coverage.
func mixed(a, b color.NRGBA, t float64) color.NRGBA {
	t = min(max(t, 0), 1)
	k := func(p, q uint8) uint8 { return uint8(float64(p)*(1-t) + float64(q)*t + .5) }
	return color.NRGBA{k(a.R, b.R), k(a.G, b.G), k(a.B, b.B), a.A}
}

// lit multiplies the light of a colour.
func lit(c color.NRGBA, r, g, b float64) color.NRGBA {
	t := toLinear()
	return rgb{t[c.R] * r, t[c.G] * g, t[c.B] * b}.nrgba(c.A)
}
