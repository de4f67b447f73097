package matte

// #include "kernels.h"
import "C"

// The light model. What the plate looked like and what the backdrop looks like
// now differ by exposure, by lamps and by the shadow the person casts: a
// smooth field in the log ratio of frame to plate. lightFit finds that field
// from the pixels known to be backdrop and carries it under the person.

// lightFit holds the pyramid of one fit: working pixels halved once, twice and
// three times.
type lightFit struct {
	level [3]fitLevel
	mom   []float64 // moments of each cell, 16 or 4 beside each other
	seen  []float32 // in cells of the first level: 1 where the finest fit sees enough backdrop, 0 where it sees none
}

type fitLevel struct {
	w, h int
	v    [3][]float64 // mean log ratio of the backdrop pixels in the cell
	wt   []float64    // share of the cell that is backdrop
	out  [3][]float32
}

func (f *lightFit) init(s *scratch, w, h int) {
	for i := range f.level {
		w, h = (w+1)/2, (h+1)/2
		l := &f.level[i]
		l.w, l.h = w, h
		l.wt = s.f64.take(w * h)
		for c := range l.v {
			l.v[c] = s.f64.take(w * h)
			l.out[c] = s.f32.take(w * h)
		}
	}
	n := f.level[0].w * f.level[0].h
	f.mom = s.f64.take(n * fitLanes)
	f.seen = s.f32.take(n)
}

// supportAt says how far the finest scale decided the field at a working pixel:
// 1 wholly; at 0 the field is carried from afar and knows no shadow of its own.
func (f *lightFit) supportAt(x, y int) float32 { return f.seen[y/2*f.level[0].w+x/2] }

// The bounds of the field relative to the base gain: a cast shadow darkens up
// to 36 %, a reflection from light clothes brightens a little.
const (
	shadowFloor = -.45
	shadowCeil  = .05
)

// run writes to out the field fitted to the log ratio rho (planes of w×h) over
// the pixels of backdrop. base is the gain where nothing else is known.
//
// At each scale a plane is fitted around every cell by least squares with
// Gaussian weights (a local linear regression, ridge (σ/2)² on its slopes);
// finer scales replace coarser ones where they see enough backdrop. What is
// left over is then smoothed and added, finer each time, so that the bends of a
// deep shadow's edge are followed too.
func (f *lightFit) run(out, rho [3][]float32, backdrop []uint8, w, h int, base [3]float32) {
	l0 := &f.level[0]
	rho, backdrop = [3][]float32{rho[0][:w*h], rho[1][:w*h], rho[2][:w*h]}, backdrop[:w*h]
	halves(l0.h, func(lo, hi int) {
		C.yz_fit_reduce(f64(l0.wt), f64(l0.v[0]), f64(l0.v[1]), f64(l0.v[2]), f32(rho[0]), f32(rho[1]), f32(rho[2]), u8(backdrop),
			C.int(w), C.int(h), C.int(l0.w), C.int(lo), C.int(hi))
	})
	for i := 1; i < len(f.level); i++ {
		a, b := &f.level[i-1], &f.level[i]
		for y := range b.h {
			for x := range b.w {
				var n float64
				var s [3]float64
				for j := 2 * y; j < min(2*y+2, a.h); j++ {
					for k := 2 * x; k < min(2*x+2, a.w); k++ {
						p := j*a.w + k
						n += a.wt[p]
						for c := range s {
							s[c] += a.wt[p] * a.v[c][p]
						}
					}
				}
				p := y*b.w + x
				b.wt[p] = n / 4
				for c := range s {
					b.v[c][p] = s[c] / max(n, 1e-9)
				}
			}
		}
	}
	l2 := &f.level[2]
	for c := range l2.out {
		for i := range l2.out[c] {
			l2.out[c][i] = base[c]
		}
	}
	// Sigmas in cells of the first level: 40, 16, 6 and 2.5.
	f.blend(l2, 10, base, nil)
	f.blend(l2, 4, base, nil)
	f.raise(l2, &f.level[1])
	f.blend(&f.level[1], 3, base, nil)
	f.raise(&f.level[1], l0)
	f.blend(l0, 2.5, base, f.seen)
	for _, sigma := range [...]float64{2, 1.5, 1.2} {
		f.sharpen(l0, sigma, base)
	}
	for c := range out {
		upscale2(out[c], w, h, l0.out[c], l0.w, l0.h)
	}
}

func (f *lightFit) raise(from, to *fitLevel) {
	for c := range to.out {
		upscale2(to.out[c], to.w, to.h, from.out[c], from.w, from.h)
	}
}

// fitLanes is the length of a cell of moments: fifteen, and one to fill a register.
const fitLanes = 16

// blend fits one scale and mixes it into the level's field by the share of
// backdrop that it sees; seen, unless nil, takes that share.
func (f *lightFit) blend(l *fitLevel, sigma float64, base [3]float32, seen []float32) {
	halves(l.h, func(lo, hi int) {
		C.yz_fit_moments(f64(f.mom), f64(l.wt), f64(l.v[0]), f64(l.v[1]), f64(l.v[2]), C.int(l.w), C.int(lo), C.int(hi))
	})
	gaussianCells(f.mom, l.w, l.h, fitLanes, sigma)
	halves(l.h, func(lo, hi int) {
		C.yz_fit_blend(f32(l.out[0]), f32(l.out[1]), f32(l.out[2]), f32(seen), f64(f.mom), f32(base[:]), C.int(l.w), C.int(lo), C.int(hi),
			C.double(sigma*sigma/4), shadowFloor, shadowCeil)
	})
}

// sharpen smooths what the fit left over and adds it: a plane cuts the bends of
// a shadow's edge short by half its curvature times σ², which this returns.
func (f *lightFit) sharpen(l *fitLevel, sigma float64, base [3]float32) {
	n := l.w * l.h
	halves(n, func(lo, hi int) {
		C.yz_fit_left(f64(f.mom), f64(l.wt), f64(l.v[0]), f64(l.v[1]), f64(l.v[2]), f32(l.out[0]), f32(l.out[1]), f32(l.out[2]), C.int(lo), C.int(hi))
	})
	gaussianCells(f.mom, l.w, l.h, 4, sigma)
	halves(n, func(lo, hi int) {
		C.yz_fit_add(f32(l.out[0]), f32(l.out[1]), f32(l.out[2]), f64(f.mom), f32(base[:]), C.int(lo), C.int(hi), shadowFloor, shadowCeil)
	})
}

// upscale2 enlarges a plane whose cells are 2×2 pixels of dst, bilinearly.
func upscale2(dst []float32, w, h int, src []float32, sw, sh int) {
	halves(h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			fy := min(max((float32(y)-.5)/2, 0), float32(sh-1))
			y0 := int(fy)
			y1 := min(y0+1, sh-1)
			fy -= float32(y0)
			a, b := src[y0*sw:y0*sw+sw], src[y1*sw:y1*sw+sw]
			d := dst[y*w : y*w+w]
			for x := range d {
				x0 := (x - 1) >> 1
				fx := float32(.25)
				if x&1 == 0 {
					fx = .75
				}
				if x == 0 {
					x0, fx = 0, 0
				}
				x1 := min(x0+1, sw-1)
				t := a[x0] + (a[x1]-a[x0])*fx
				u := b[x0] + (b[x1]-b[x0])*fx
				d[x] = t + (u-t)*fy
			}
		}
	})
}
