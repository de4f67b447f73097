package face

import (
	"errors"
	"fmt"
	"image"
	"math"
	"sync"
)

// errPicture reports a grey picture whose buffer does not hold what its
// rectangle and stride promise.
var errPicture = errors.New("face: malformed picture")

// viewOf checks g and returns it with its corner at (0, 0).
func viewOf(g *image.Gray) (view, error) {
	if g == nil {
		return view{}, fmt.Errorf("%w: none", errPicture)
	}
	w, h := g.Rect.Dx(), g.Rect.Dy()
	if w <= 0 || h <= 0 {
		return view{}, nil
	}
	if g.Stride < w || len(g.Pix) < (h-1)*g.Stride+w {
		return view{}, fmt.Errorf("%w: %d bytes for %dx%d at stride %d", errPicture, len(g.Pix), w, h, g.Stride)
	}
	return view{pix: g.Pix, w: w, h: h, stride: g.Stride}, nil
}

// crop returns the part of v inside the rectangle, which must lie within it.
func (v view) crop(x0, y0, x1, y1 int) view {
	v.pix = v.pix[y0*v.stride+x0:]
	v.w, v.h = x1-x0, y1-y0
	return v
}

// shrink averages blocks of k×k pixels into buf (grown as needed). Rows and
// columns beyond the last whole block are left out.
func (v view) shrink(k int, buf *[]uint8) view {
	if k <= 1 {
		return v
	}
	w, h := v.w/k, v.h/k
	*buf = grown(*buf, w*h)
	out := *buf
	// 16.16 reciprocal: the mean of k² bytes without a division a pixel.
	recip := (1<<16 + k*k/2) / (k * k)
	rows := func(from, to int) {
		for y := from; y < to; y++ {
			row := out[y*w : (y+1)*w]
			for x := range row {
				sum := 0
				base := y*k*v.stride + x*k
				for j := range k {
					for _, p := range v.pix[base+j*v.stride : base+j*v.stride+k] {
						sum += int(p)
					}
				}
				row[x] = uint8(min((sum*recip+1<<15)>>16, 255))
			}
		}
	}
	if v.w*v.h < 1<<20 {
		rows(0, h)
	} else {
		var done sync.WaitGroup
		done.Go(func() { rows(h/2, h) })
		rows(0, h/2)
		done.Wait()
	}
	return view{pix: out, w: w, h: h, stride: w}
}

// rotate turns v by the angle (radians, clockwise as seen) about its centre
// into buf, on a canvas that holds all of it; what lies outside repeats the
// nearest edge, so that no artificial border invites a detection.
func (v view) rotate(angle float64, buf *[]uint8) (view, func(x, y float64) (float64, float64)) {
	sin, cos := math.Sincos(angle)
	w := int(math.Ceil(float64(v.w)*math.Abs(cos) + float64(v.h)*math.Abs(sin)))
	h := int(math.Ceil(float64(v.w)*math.Abs(sin) + float64(v.h)*math.Abs(cos)))
	*buf = grown(*buf, w*h)
	out := *buf
	cx, cy := float64(v.w)/2, float64(v.h)/2
	back := func(x, y float64) (float64, float64) {
		dx, dy := x-float64(w)/2, y-float64(h)/2
		return cx + cos*dx + sin*dy, cy - sin*dx + cos*dy
	}
	stepX, stepY := int(cos*65536), int(-sin*65536)
	for y := range h {
		x0, y0 := back(.5, float64(y)+.5)
		fx, fy := int(x0*65536), int(y0*65536)
		row := out[y*w : (y+1)*w]
		for x := range row {
			row[x] = v.pix[min(max(fy>>16, 0), v.h-1)*v.stride+min(max(fx>>16, 0), v.w-1)]
			fx += stepX
			fy += stepY
		}
	}
	return view{pix: out, w: w, h: h, stride: w}, back
}

// span is the range of columns of row in turned, which rotate made of v, that
// show v itself; to may be at or before from.
func (v view) span(turned view, angle float64, row int) (from, to int) {
	sin, cos := math.Sincos(angle)
	dy := float64(row) + .5 - float64(turned.h)/2
	lo, hi := math.Inf(-1), math.Inf(1)
	// Both coordinates in v are linear in the column: a + k·dx within ±half.
	for _, c := range [2]struct{ a, k, half float64 }{
		{sin * dy, cos, float64(v.w) / 2},
		{cos * dy, -sin, float64(v.h) / 2},
	} {
		if math.Abs(c.k) < 1e-9 {
			if math.Abs(c.a) > c.half {
				return 0, 0
			}
			continue
		}
		p, q := (-c.half-c.a)/c.k, (c.half-c.a)/c.k
		lo, hi = max(lo, min(p, q)), min(hi, max(p, q))
	}
	if hi <= lo {
		return 0, 0
	}
	middle := float64(turned.w) / 2
	return max(int(math.Floor(lo+middle)), 0), min(int(math.Ceil(hi+middle)), turned.w)
}

// grown returns b with length n, reallocated only when it is too small.
func grown(b []uint8, n int) []uint8 {
	if cap(b) < n {
		return make([]uint8, n)
	}
	return b[:n]
}
