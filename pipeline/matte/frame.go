package matte

import (
	"errors"
	"image"
	"math"
	"slices"
)

// backdrop is what is known of the wall behind the person.
type backdrop interface {
	// sample writes the wall's colours, 0..255, over a frame region to w×h planes.
	sample(dst [3][]float32, w, h int, region Rect)
	// covariance is the noise of log(frame) − log(wall) after averaging over
	// boxes of size frame pixels.
	covariance(size float64) sym3
	// variance is the noise of R, G and B, 8-bit units squared, likewise.
	variance(x, y, size float64) [3]float32
}

// frameBackdrop is a wall guessed from the frame alone: its colour as a smooth
// surface through the pixels at the region's upper border, which in a posed
// picture show wall, and its noise and texture as measured around that surface.
type frameBackdrop struct {
	area    Rect
	coef    [3][wallTerms]float64 // log colour over u, v in [−1, 1]
	noise   [3]sym3               // at boxes of noiseSizes
	sizes   [3]float64
	support float64 // share of the border pixels that lie on the surface
}

const (
	wallTerms = 6    // 1, u, v, u², uv, v²
	wallRidge = 2e-3 // holds the curvature near zero where the border says little
	// The surface cannot know folds and shadows behind the person.
	wallUnsure = 2.5
	// Border pixels further than this off the surface, as a log ratio, are
	// objects, not wall.
	wallOutlier = .08
)

var errNoWall = errors.New("matte: no plain backdrop at the border of the frame")

func wallBasis(u, v float64) [wallTerms]float64 {
	return [wallTerms]float64{1, u, v, u * u, u * v, v * v}
}

// guessBackdrop fits the surface to the frame over an area around a face.
func guessBackdrop(k *scratch, frame *image.RGBA, area Rect, hd head, w, h int) (*frameBackdrop, error) {
	n := w * h
	c := k.planes(n)
	resample(c, w, h, framePixels{frame}, area)
	logs := newLogTable()
	for ch := range c {
		for i, v := range c[ch] {
			c[ch][i] = logs.at(v)
		}
	}
	sx, sy := area.W/float64(w), area.H/float64(h)
	cx, fw := (hd.cx-area.X)/sx, hd.fw/sx
	fy, chin := (hd.fy-area.Y)/sy, (hd.chin-area.Y)/sy
	at := func(x, y int) (u, v float64) {
		return 2*(float64(x)+.5)/float64(w) - 1, 2*(float64(y)+.5)/float64(h) - 1
	}
	in := k.u8.zero(n) // border pixels that may be wall
	total := 0
	for y := range h {
		for x := range w {
			side := float64(x) < .12*float64(w) || float64(x) >= .88*float64(w)
			top := float64(y) < .10*float64(h)
			free := math.Abs(float64(x)-cx) > .75*fw || float64(y) < fy-.6*fw
			if (side && float64(y) < chin || top) && free {
				in[y*w+x] = 1
				total++
			}
		}
	}
	if total < 64 {
		return nil, errNoWall
	}
	b := &frameBackdrop{area: area}
	// The commonest wall brightness first, so that a lamp or a door frame in
	// the border does not pull the surface.
	for ch := range c {
		var v []float32
		for i, ok := range in {
			if ok != 0 {
				v = append(v, c[ch][i])
			}
		}
		slices.Sort(v)
		b.coef[ch][0] = float64(v[len(v)/2])
		clear(v)
	}
	limit := .5
	for range 6 {
		var ata [wallTerms][wallTerms]float64
		var atb [3][wallTerms]float64
		kept := 0.
		for y := range h {
			for x := range w {
				i := y*w + x
				if in[i] == 0 {
					continue
				}
				u, v := at(x, y)
				t := wallBasis(u, v)
				off := 0.
				for ch := range c {
					off = max(off, math.Abs(float64(c[ch][i])-dot(t, b.coef[ch])))
				}
				if off > limit {
					continue
				}
				kept++
				for p := range t {
					for q := range t {
						ata[p][q] += t[p] * t[q]
					}
					for ch := range c {
						atb[ch][p] += t[p] * float64(c[ch][i])
					}
				}
			}
		}
		if kept < 64 {
			return nil, errNoWall
		}
		b.support = kept / float64(total)
		for p := 1; p < wallTerms; p++ {
			ata[p][p] += wallRidge * kept
			if p >= 3 {
				ata[p][p] += 9 * wallRidge * kept
			}
		}
		for ch := range c {
			b.coef[ch] = solveSPD(ata, atb[ch])
		}
		limit = max(limit*.6, wallOutlier)
	}
	b.measureNoise(k, c, in, w, h, at)
	return b, nil
}

// measureNoise takes the residuals around the surface, less their slow part,
// at three box sizes.
func (b *frameBackdrop) measureNoise(k *scratch, c [3][]float32, in []uint8, w, h int, at func(x, y int) (float64, float64)) {
	n := w * h
	res, slow := k.planes(n), k.f32.take(n)
	wt, wts := k.f32.take(n), k.f32.take(n)
	for y := range h {
		for x := range w {
			i := y*w + x
			u, v := at(x, y)
			t := wallBasis(u, v)
			off := 0.
			for ch := range c {
				d := float64(c[ch][i]) - dot(t, b.coef[ch])
				res[ch][i] = float32(d)
				off = max(off, math.Abs(d))
			}
			wt[i] = float32(b2u(in[i] != 0 && off <= wallOutlier))
		}
	}
	box(wts, wt, w, h, 20, true)
	for ch := range res {
		r := res[ch]
		for i := range r {
			r[i] *= wt[i]
		}
		box(slow, r, w, h, 20, true)
		for i := range r {
			r[i] -= wt[i] * slow[i] / max(wts[i], 1e-6)
		}
	}
	scale := math.Sqrt(b.area.W / float64(w) * b.area.H / float64(h))
	for s, r := range [3]int{0, 1, 3} {
		b.sizes[s] = float64(2*r+1) * scale
		var sum sym3
		var cnt float64
		box(wts, wt, w, h, r, true)
		boxed := res
		if r > 0 {
			boxed = k.planes(n)
			for ch := range boxed {
				box(boxed[ch], res[ch], w, h, r, true)
			}
		}
		for i, v := range wts {
			if v > .999 {
				sum.add(float64(boxed[0][i]), float64(boxed[1][i]), float64(boxed[2][i]))
				cnt++
			}
		}
		b.noise[s] = sum.scaled(wallUnsure / max(cnt, 1))
	}
}

func dot(a, b [wallTerms]float64) float64 {
	var s float64
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// solveSPD solves a small symmetric positive definite system by Cholesky.
func solveSPD(a [wallTerms][wallTerms]float64, b [wallTerms]float64) [wallTerms]float64 {
	for i := range a {
		for j := 0; j <= i; j++ {
			s := a[i][j]
			for k := range j {
				s -= a[i][k] * a[j][k]
			}
			if i == j {
				a[i][i] = math.Sqrt(max(s, 1e-12))
			} else {
				a[i][j] = s / a[j][j]
			}
		}
	}
	for i := range b {
		for k := range i {
			b[i] -= a[i][k] * b[k]
		}
		b[i] /= a[i][i]
	}
	for i := wallTerms - 1; i >= 0; i-- {
		for k := i + 1; k < wallTerms; k++ {
			b[i] -= a[k][i] * b[k]
		}
		b[i] /= a[i][i]
	}
	return b
}

func (b *frameBackdrop) at(x, y float64) [3]float64 {
	u := min(max(2*(x-b.area.X)/b.area.W-1, -1), 1)
	v := min(max(2*(y-b.area.Y)/b.area.H-1, -1), 1)
	t := wallBasis(u, v)
	var c [3]float64
	for ch := range c {
		c[ch] = min(max(math.Exp(dot(t, b.coef[ch]))-logOffset, 0), 255)
	}
	return c
}

func (b *frameBackdrop) sample(dst [3][]float32, w, h int, region Rect) {
	// The surface is smooth: every fourth pixel, lines between.
	const step = 4
	gw := (w+step-1)/step + 1
	halves(h, func(lo, hi int) {
		line := make([][3]float64, gw)
		for y := lo; y < hi; y++ {
			fy := region.Y + (float64(y)+.5)*region.H/float64(h)
			for i := range line {
				line[i] = b.at(region.X+(float64(i*step)+.5)*region.W/float64(w), fy)
			}
			for x := range w {
				p, q := line[x/step], line[x/step+1]
				t := float64(x%step) / step
				for ch := range dst {
					dst[ch][y*w+x] = float32(p[ch] + (q[ch]-p[ch])*t)
				}
			}
		}
	})
}

func (b *frameBackdrop) covariance(size float64) sym3 {
	k := 0
	if size > b.sizes[1] {
		k = 1
	}
	t := (math.Log(max(size, .25)) - math.Log(b.sizes[k])) / (math.Log(b.sizes[k+1]) - math.Log(b.sizes[k]))
	t = min(max(t, 0), 1)
	var s sym3
	for i := range s {
		s[i] = b.noise[k][i]*(1-t) + b.noise[k+1][i]*t
	}
	if size < b.sizes[0] { // white noise grows as the box shrinks
		s = s.scaled(min(b.sizes[0]/size*b.sizes[0]/size, 16))
	}
	return s
}

func (b *frameBackdrop) variance(x, y, size float64) [3]float32 {
	s, c := b.covariance(size), b.at(x, y)
	var v [3]float32
	for ch, i := range [3]int{0, 3, 5} {
		v[ch] = float32(s[i] * (c[ch] + logOffset) * (c[ch] + logOffset))
	}
	return v
}
