package matte

// #include "kernels.h"
import "C"

import (
	"image"
	"math"
)

// pixels are the rows of a picture of w×h.
type pixels interface {
	size() (w, h int)
	// channels is how many values a pixel has: R, G, B and perhaps more.
	channels() int
	// add adds the pixels [x0, x1) of row y, 0..255, times weight to acc.
	add(acc []float32, y, x0, x1 int, weight float32)
}

type framePixels struct{ *image.RGBA }

func (f framePixels) size() (w, h int) { return f.Rect.Dx(), f.Rect.Dy() }
func (f framePixels) channels() int    { return 4 }

func (f framePixels) add(acc []float32, y, x0, x1 int, weight float32) {
	row := f.Pix[y*f.Stride+4*x0 : y*f.Stride+4*x1]
	acc = acc[:len(row)]
	C.yz_add_u8(f32(acc), u8(row), C.float(weight), C.int(len(row)))
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

// resample writes the region of a source to three planes of w×h: down the
// columns first, where rows need no unpacking.
func resample(dst [3][]float32, w, h int, src pixels, region Rect) {
	srcW, srcH := src.size()
	n := src.channels()
	ay := axis(region.Y, region.H, h, srcH)
	ax := axis(region.X, region.W, w, srcW)
	x0, x1 := srcW, 0
	for _, t := range ax {
		x0, x1 = min(x0, t.first), max(x1, t.first+len(t.weight))
	}
	first, at := make([]int32, w), make([]int32, w+1)
	var weights []float32
	for x, t := range ax {
		first[x] = int32(t.first - x0)
		weights = append(weights, t.weight...)
		at[x+1] = int32(len(weights))
	}
	for c := range dst {
		dst[c] = dst[c][:w*h]
	}
	halves(h, func(lo, hi int) {
		line := make([]float32, n*(x1-x0))
		for y := lo; y < hi; y++ {
			clear(line)
			for j, wy := range ay[y].weight {
				if wy != 0 {
					src.add(line, ay[y].first+j, x0, x1, wy)
				}
			}
			C.yz_across(f32(dst[0][y*w:]), f32(dst[1][y*w:]), f32(dst[2][y*w:]), f32(line), C.int(n), i32(first), i32(at), f32(weights), C.int(w))
		}
		clear(line) // the last rows of a person's picture
	})
}
