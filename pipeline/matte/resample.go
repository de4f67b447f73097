package matte

import (
	"image"
	"math"
)

// rows fills dst with interleaved R, G, B of the pixels [x0, x1) of row y,
// 0..255. Callers pass coordinates inside the source.
type rows func(dst []float32, y, x0, x1 int)

func frameRows(m *image.RGBA) rows {
	return func(dst []float32, y, x0, x1 int) {
		p := m.Pix[y*m.Stride+4*x0 : y*m.Stride+4*x1]
		for i, o := 0, 0; i+3 < len(p); i, o = i+4, o+3 {
			dst[o], dst[o+1], dst[o+2] = float32(p[i]), float32(p[i+1]), float32(p[i+2])
		}
	}
}

// taps are the weights of one output position along one axis.
type taps struct {
	first  int
	weight []float32
}

// axis computes the taps for n outputs spread evenly over [from, from+length)
// of a source of size px: area averages when shrinking, linear interpolation
// when enlarging. Positions outside the source repeat its border pixel.
func axis(from, length float64, n, size int) []taps {
	out := make([]taps, n)
	step := length / float64(n)
	for i := range out {
		lo, hi := from+float64(i)*step, from+float64(i+1)*step
		if step < 1 { // a triangle of one pixel each side
			c := (lo + hi) / 2
			lo, hi = c-1, c+1
		}
		first := int(math.Floor(lo))
		last := int(math.Ceil(hi)) - 1
		f := min(max(first, 0), size-1)
		l := min(max(last, 0), size-1)
		w := make([]float32, l-f+1)
		var sum float32
		for p := first; p <= last; p++ {
			var v float64
			if step < 1 {
				v = 1 - math.Abs(float64(p)+.5-(lo+hi)/2)
			} else {
				v = min(hi, float64(p+1)) - max(lo, float64(p))
			}
			if v <= 0 {
				continue
			}
			w[min(max(p, 0), size-1)-f] += float32(v)
			sum += float32(v)
		}
		for j := range w {
			w[j] /= sum
		}
		out[i] = taps{f, w}
	}
	return out
}

// resample writes the region of a source of srcW×srcH pixels to three planes
// of w×h.
func resample(dst [3][]float32, w, h int, src rows, srcW, srcH int, region Rect) {
	ax := axis(region.X, region.W, w, srcW)
	ay := axis(region.Y, region.H, h, srcH)
	x0, x1 := srcW, 0
	for _, t := range ax {
		x0, x1 = min(x0, t.first), max(x1, t.first+len(t.weight))
	}
	halves(h, func(lo, hi int) {
		line := make([]float32, 3*(x1-x0))
		col := make([]float32, 3*w) // one source row, resampled across
		have := -1
		for y := lo; y < hi; y++ {
			r, g, b := dst[0][y*w:y*w+w], dst[1][y*w:y*w+w], dst[2][y*w:y*w+w]
			clear(r)
			clear(g)
			clear(b)
			for j, wy := range ay[y].weight {
				if wy == 0 {
					continue
				}
				if have != ay[y].first+j {
					have = ay[y].first + j
					src(line, have, x0, x1)
					across(col, line, ax, x0)
				}
				for x := range r {
					r[x] += wy * col[3*x]
					g[x] += wy * col[3*x+1]
					b[x] += wy * col[3*x+2]
				}
			}
		}
		clear(line) // the last rows of a person's picture
		clear(col)
	})
}

func across(col, line []float32, ax []taps, x0 int) {
	for x, t := range ax {
		var r, g, b float32
		p := line[3*(t.first-x0):]
		for k, v := range t.weight {
			r += v * p[3*k]
			g += v * p[3*k+1]
			b += v * p[3*k+2]
		}
		col[3*x], col[3*x+1], col[3*x+2] = r, g, b
	}
}
