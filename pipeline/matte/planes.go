package matte

import (
	"math"
	"sync"
)

// Planes are row-major float32 (or float64) images of w×h values. Passes split
// their rows or columns between two goroutines: the station's machines have
// two cores or more, and more halves would only add hand-overs at these sizes.

// halves runs fn over [0, n) in two concurrent halves; small n runs inline.
func halves(n int, fn func(lo, hi int)) { split(n, 1, fn) }

// split is halves that meet at a multiple of step.
func split(n, step int, fn func(lo, hi int)) {
	mid := n / 2 / step * step
	if n < 32 || mid == 0 {
		fn(0, n)
		return
	}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		fn(0, mid)
	}()
	fn(mid, n)
	wg.Wait()
}

// box writes the mean of src over windows of (2r+1)² to dst. At the border the
// window shrinks to what is inside, unless zero is set: then outside counts as
// zeros. dst may be src.
func box(dst, src []float32, w, h, r int, zero bool) { boxes(dst, src, w, h, [3]int{r}, zero) }

// gaussian approximates a Gaussian of the given sigma by three boxes.
func gaussian(dst, src []float32, w, h int, sigma float64, zero bool) {
	boxes(dst, src, w, h, gaussianRadii(sigma), zero)
}

// gaussianRadii are those of three boxes whose variances add up to sigma²: three
// of radius r have r(r+1).
func gaussianRadii(sigma float64) (radii [3]int) {
	r := int((math.Sqrt(1+4*sigma*sigma) - 1) / 2)
	lo := float64(r * (r + 1))
	step := float64((r+1)*(r+2)) - lo
	wide := int(math.Round(3 * (sigma*sigma - lo) / step)) // passes that use r+1
	for i := range radii {
		radii[i] = r
		if i < wide {
			radii[i]++
		}
	}
	return radii
}

func b2u(b bool) uint8 {
	if b {
		return 1
	}
	return 0
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
// in label (0 elsewhere), in reading order of their first pixels, and appends
// their blobs, [0] unused, to blobs[:0]. It joins runs, not pixels: run and
// parent are kept in spare, which must hold w·h values.
func components(label, spare []int32, blobs []blob, mask []uint8, w, h int, eight bool) []blob {
	clear(label[:w*h])
	blobs = append(blobs[:0], blob{})
	reach := int(b2u(eight))
	parent := spare[:0] // of each provisional label, counted from 1
	find := func(l int32) int32 {
		for parent[l-1] != l {
			parent[l-1] = parent[parent[l-1]-1]
			l = parent[l-1]
		}
		return l
	}
	for y := range h {
		row, out := mask[y*w:y*w+w], label[y*w:y*w+w]
		for x := 0; x < w; {
			if row[x] == 0 {
				x++
				continue
			}
			start := x
			for x < w && row[x] != 0 {
				x++
			}
			id := int32(0)
			if y > 0 {
				above := label[y*w-w : y*w]
				last := int32(0)
				for _, l := range above[max(start-reach, 0):min(x+reach, w)] {
					if l == 0 || l == last {
						continue
					}
					last = l
					root := find(l)
					switch {
					case id == 0:
						id = root
					case root < id:
						parent[id-1] = root
						id = root
					case root > id:
						parent[root-1] = id
					}
				}
			}
			if id == 0 {
				id = int32(len(parent)) + 1
				parent = append(parent, id)
			}
			for i := start; i < x; i++ {
				out[i] = id
			}
		}
	}
	// A root is the smallest label of its component: in order, roots become 1,
	// 2, … and the others follow theirs.
	for i, p := range parent {
		if p == int32(i)+1 {
			parent[i] = int32(len(blobs))
			blobs = append(blobs, blob{x0: w, y0: h})
		} else {
			parent[i] = parent[p-1]
		}
	}
	for y := range h {
		row := label[y*w : y*w+w]
		for x := 0; x < w; {
			if row[x] == 0 {
				x++
				continue
			}
			id, start := parent[row[x]-1], x
			for x < w && row[x] != 0 {
				row[x] = id
				x++
			}
			b := &blobs[id]
			b.area += x - start
			b.x0, b.x1 = min(b.x0, start), max(b.x1, x-1)
			b.y0, b.y1 = min(b.y0, y), y
		}
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
