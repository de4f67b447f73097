package matte

import (
	"math"
	"sync"
)

// Planes are row-major float32 (or float64) images of w×h values. Passes split
// their rows or columns between two goroutines: the station's machines have
// two cores or more, and more halves would only add hand-overs at these sizes.

// halves runs fn over [0, n) in two concurrent halves; small n runs inline.
func halves(n int, fn func(lo, hi int)) {
	if n < 32 {
		fn(0, n)
		return
	}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		fn(0, n/2)
	}()
	fn(n/2, n)
	wg.Wait()
}

type float interface{ float32 | float64 }

// box writes the mean of src over windows of (2r+1)² to dst, by way of tmp. At
// the border the window shrinks to what is inside, unless zero is set: then
// outside counts as zeros. dst may be src; tmp must be neither.
func box[T float](dst, src, tmp []T, w, h, r int, zero bool) {
	if r <= 0 {
		copy(dst, src[:w*h])
		return
	}
	halves(h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			boxRow(tmp[y*w:y*w+w], src[y*w:y*w+w], r, zero)
		}
	})
	halves(w, func(lo, hi int) { boxColumns(dst, tmp, w, h, lo, hi, r, zero) })
}

func boxRow[T float](dst, src []T, r int, zero bool) {
	n := len(src)
	dst = dst[:n]
	full := 1 / T(2*r+1)
	var s T
	for _, v := range src[:min(r, n)] {
		s += v
	}
	x := 0
	cnt := min(r, n)
	mean := func(s T) T {
		if zero {
			return s * full
		}
		return s / T(cnt)
	}
	for ; x <= r && x < n; x++ { // the window still opens
		if x+r < n {
			s += src[x+r]
			cnt++
		}
		dst[x] = mean(s)
	}
	if x+r < n {
		in, out, d := src[x+r:], src[x-r-1:], dst[x:n-r]
		in, out = in[:len(d)], out[:len(d)]
		for i := range d {
			s += in[i] - out[i]
			d[i] = s * full
		}
		x = n - r
	}
	for ; x < n; x++ { // it closes
		s -= src[x-r-1]
		cnt--
		dst[x] = mean(s)
	}
}

func boxColumns[T float](dst, src []T, w, h, x0, x1, r int, zero bool) {
	const strip = 64
	var acc [strip]T
	for ; x0 < x1; x0 += strip {
		n := min(strip, x1-x0)
		a := acc[:n]
		clear(a)
		for y := range min(r, h) {
			for i, v := range src[y*w+x0 : y*w+x0+n] {
				a[i] += v
			}
		}
		cnt := min(r, h)
		for y := range h {
			if y+r < h {
				for i, v := range src[(y+r)*w+x0 : (y+r)*w+x0+n] {
					a[i] += v
				}
				cnt++
			}
			if y-r > 0 {
				for i, v := range src[(y-r-1)*w+x0 : (y-r-1)*w+x0+n] {
					a[i] -= v
				}
				cnt--
			}
			k := 1 / T(2*r+1)
			if !zero {
				k = 1 / T(cnt)
			}
			d := dst[y*w+x0 : y*w+x0+n]
			for i := range d {
				d[i] = a[i] * k
			}
		}
	}
}

// gaussian approximates a Gaussian of the given sigma by three boxes whose
// radii add up to its variance: 3 boxes of radius r have σ² = r(r+1).
func gaussian[T float](dst, src, tmp []T, w, h int, sigma float64, zero bool) {
	r := int((math.Sqrt(1+4*sigma*sigma) - 1) / 2)
	lo := float64(r * (r + 1))
	step := float64((r+1)*(r+2)) - lo
	wide := int(math.Round(3 * (sigma*sigma - lo) / step)) // passes that use r+1
	for i := range 3 {
		k := r
		if i < wide {
			k++
		}
		box(dst, src, tmp, w, h, k, zero)
		src = dst
	}
}

// erodeMin writes the minimum over (2r+1)² windows.
func erodeMin(dst, src, tmp []float32, w, h, r int) {
	halves(h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			s, d := src[y*w:y*w+w], tmp[y*w:y*w+w]
			for x := range d {
				v := s[x]
				for i := max(0, x-r); i <= min(w-1, x+r); i++ {
					if s[i] < v {
						v = s[i]
					}
				}
				d[x] = v
			}
		}
	})
	halves(h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			d := dst[y*w : y*w+w]
			copy(d, tmp[y*w:y*w+w])
			for j := max(0, y-r); j <= min(h-1, y+r); j++ {
				s := tmp[j*w : j*w+w]
				for x, v := range s {
					if v < d[x] {
						d[x] = v
					}
				}
			}
		}
	})
}

// grow sets dst where src is non-zero anywhere in the (2r+1)² window; shrink
// where it is non-zero everywhere in it (outside the image counts as set).
// dst may be src.
func grow(dst, src, tmp []uint8, w, h, r int)   { morph(dst, src, tmp, w, h, r, true) }
func shrink(dst, src, tmp []uint8, w, h, r int) { morph(dst, src, tmp, w, h, r, false) }

func morph(dst, src, tmp []uint8, w, h, r int, growing bool) {
	var want uint8 // the value that wins in a window
	if growing {
		want = 1
	}
	halves(h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			s, d := src[y*w:y*w+w], tmp[y*w:y*w+w]
			last := -1 << 20 // last position that held want
			for x := range min(r, w) {
				if b2u(s[x] != 0) == want {
					last = x
				}
			}
			for x := range d {
				if x+r < w && b2u(s[x+r] != 0) == want {
					last = x + r
				}
				if last >= x-r {
					d[x] = want
				} else {
					d[x] = 1 - want
				}
			}
		}
	})
	halves(h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			d := dst[y*w : y*w+w]
			for x := range d {
				d[x] = 1 - want
			}
			for j := max(0, y-r); j <= min(h-1, y+r); j++ {
				for x, v := range tmp[j*w : j*w+w] {
					if v == want {
						d[x] = want
					}
				}
			}
		}
	})
}

func b2u(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// chamfer writes to dist the distance in pixels of every pixel to the nearest
// non-zero pixel of seed (3×3 chamfer weights, within 5 % of Euclid) and to
// near, unless nil, that pixel's index (-1: no seed).
func chamfer(dist []float32, near []int32, seed []uint8, w, h int) {
	const inf = 1e9
	for i, s := range seed[:w*h] {
		dist[i] = inf
		if s != 0 {
			dist[i] = 0
		}
	}
	if near != nil {
		for i, s := range seed[:w*h] {
			near[i] = -1
			if s != 0 {
				near[i] = int32(i)
			}
		}
	}
	for y := range h {
		if y > 0 {
			chamferFrom(dist, near, w, y, y-1)
		}
		chamferAlong(dist, near, w, y)
	}
	for y := h - 2; y >= 0; y-- {
		chamferFrom(dist, near, w, y, y+1)
		chamferAlong(dist, near, w, y)
	}
}

// Optimal 3×3 weights (Borgefors 1986).
const (
	chamferStraight = .9551
	chamferDiagonal = 1.3693
)

// chamferFrom relaxes row y from its neighbour row.
func chamferFrom(dist []float32, near []int32, w, y, from int) {
	d, s := dist[y*w:y*w+w], dist[from*w:from*w+w]
	for x := range d {
		best, at := d[x], -1
		if v := s[x] + chamferStraight; v < best {
			best, at = v, x
		}
		if x > 0 {
			if v := s[x-1] + chamferDiagonal; v < best {
				best, at = v, x-1
			}
		}
		if x+1 < w {
			if v := s[x+1] + chamferDiagonal; v < best {
				best, at = v, x+1
			}
		}
		if at >= 0 {
			d[x] = best
			if near != nil {
				near[y*w+x] = near[from*w+at]
			}
		}
	}
}

// chamferAlong relaxes row y from its own pixels, both ways.
func chamferAlong(dist []float32, near []int32, w, y int) {
	d := dist[y*w : y*w+w]
	for x := 1; x < w; x++ {
		if v := d[x-1] + chamferStraight; v < d[x] {
			d[x] = v
			if near != nil {
				near[y*w+x] = near[y*w+x-1]
			}
		}
	}
	for x := w - 2; x >= 0; x-- {
		if v := d[x+1] + chamferStraight; v < d[x] {
			d[x] = v
			if near != nil {
				near[y*w+x] = near[y*w+x+1]
			}
		}
	}
}

// both runs two independent pieces of work at the same time.
func both(a, b func()) {
	var wg sync.WaitGroup
	wg.Go(a)
	b()
	wg.Wait()
}

// blob is one connected component.
type blob struct {
	area           int
	x0, y0, x1, y1 int // bounds, inclusive
}

// components labels the 4- or 8-connected components of mask != 0 with 1, 2, …
// in label (0 elsewhere) and appends their blobs, [0] unused, to blobs[:0].
func components(label []int32, stack []int32, blobs []blob, mask []uint8, w, h int, eight bool) []blob {
	clear(label[:w*h])
	blobs = append(blobs[:0], blob{})
	for i, v := range mask[:w*h] {
		if v == 0 || label[i] != 0 {
			continue
		}
		id := int32(len(blobs))
		b := blob{x0: w, y0: h}
		stack[0] = int32(i)
		label[i] = id
		for n := 1; n > 0; {
			n--
			p := int(stack[n])
			x, y := p%w, p/w
			b.area++
			b.x0, b.x1 = min(b.x0, x), max(b.x1, x)
			b.y0, b.y1 = min(b.y0, y), max(b.y1, y)
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					if !eight && dx != 0 && dy != 0 {
						continue
					}
					nx, ny := x+dx, y+dy
					if nx < 0 || ny < 0 || nx >= w || ny >= h {
						continue
					}
					if q := ny*w + nx; mask[q] != 0 && label[q] == 0 {
						label[q] = id
						stack[n] = int32(q)
						n++
					}
				}
			}
		}
		blobs = append(blobs, b)
	}
	return blobs
}

// lerp samples a plane at (x, y), pixel centres at whole numbers, replicating
// the border.
func lerp(p []float32, w, h int, x, y float64) float32 {
	x = min(max(x, 0), float64(w-1))
	y = min(max(y, 0), float64(h-1))
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, w-1), min(y0+1, h-1)
	fx, fy := float32(x-float64(x0)), float32(y-float64(y0))
	a := p[y0*w+x0] + (p[y0*w+x1]-p[y0*w+x0])*fx
	b := p[y1*w+x0] + (p[y1*w+x1]-p[y1*w+x0])*fx
	return a + (b-a)*fy
}

func clamp01(v float32) float32 {
	if v < 0 {
		return 0
	}
	if v > 1 {
		return 1
	}
	return v
}
