package matte

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Cells of many lanes are smoothed as their planes would be one by one.
func TestCellsAreSmoothedLikePlanes(t *testing.T) {
	for _, lanes := range []int{4, 16} {
		for _, size := range [][2]int{{1, 1}, {9, 33}, {37, 41}} {
			w, h := size[0], size[1]
			cells := make([]float64, w*h*lanes)
			planes := make([][]float32, lanes)
			for k := range planes {
				planes[k] = randomPlane(w, h, uint64(k))
				for i, v := range planes[k] {
					cells[i*lanes+k] = float64(v)
				}
			}
			gaussianCells(cells, w, h, lanes, 2.5)
			for k, p := range planes {
				gaussian(p, p, w, h, 2.5, true)
				for i, v := range p {
					if math.Abs(float64(v)-cells[i*lanes+k]) > 1e-4 {
						t.Fatalf("%d lanes, %d×%d: lane %d at %d is %v, want %v", lanes, w, h, k, i, cells[i*lanes+k], v)
					}
				}
			}
		}
	}
}

// Components found by joining runs are those found by flooding.
func TestComponentsAgreeWithFlood(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, eight := range []bool{false, true} {
		for range 40 {
			w, h := 1+rng.IntN(40), 1+rng.IntN(40)
			mask := make([]uint8, w*h)
			for i := range mask {
				mask[i] = b2u(rng.Float64() < .55)
			}
			label, spare, want := make([]int32, w*h), make([]int32, w*h), make([]int32, w*h)
			blobs := components(label, spare, nil, mask, w, h, eight)
			next := int32(0)
			var area []int
			for i := range mask {
				if mask[i] == 0 || want[i] != 0 {
					continue
				}
				next++
				n := 0
				for todo := []int{i}; len(todo) > 0; {
					p := todo[len(todo)-1]
					todo = todo[:len(todo)-1]
					if want[p] != 0 {
						continue
					}
					want[p] = next
					n++
					for dy := -1; dy <= 1; dy++ {
						for dx := -1; dx <= 1; dx++ {
							x, y := p%w+dx, p/w+dy
							if (eight || dx == 0 || dy == 0) && x >= 0 && y >= 0 && x < w && y < h && mask[y*w+x] != 0 {
								todo = append(todo, y*w+x)
							}
						}
					}
				}
				area = append(area, n)
			}
			if !slices.Equal(label, want) {
				t.Fatalf("%d×%d, eight=%v:\n%v\nwant\n%v", w, h, eight, label, want)
			}
			for k, n := range area {
				if blobs[k+1].area != n {
					t.Fatalf("component %d has %d pixels, want %d", k+1, blobs[k+1].area, n)
				}
			}
		}
	}
}

// The matting Laplacian of a picture takes no offence at an alpha that is the
// same everywhere, nor at one that follows the picture's colours.
func TestLaplacianKeepsWhatFollowsTheColours(t *testing.T) {
	const w, h = 23, 38
	r := &renderer{k: &scratch{}, w: w, h: h, alpha: make([]float32, w*h)}
	rng := rand.New(rand.NewPCG(3, 3))
	for c := range r.c {
		r.c[c] = make([]float32, w*h)
		for i := range r.c[c] {
			r.c[c][i] = 255 * rng.Float32()
		}
	}
	n := w * h
	index, next := make([]int32, n), make([]int32, n*reach)
	for i := range index {
		index[i] = int32(i)
		for dy := range 3 {
			for dx := -2; dx <= 2; dx++ {
				if dy > 0 || dx >= 0 {
					j := n
					if x, y := i%w+dx, i/w+dy; x >= 0 && x < w && y < h {
						j = y*w + x
					}
					next[i*reach+offsetOf(dx, dy)] = int32(j)
				}
			}
		}
	}
	coef, rhs := make([]float32, n*reach), make([]float32, n)
	r.windows(coef, rhs, index)
	apply := func(in []float32) float64 {
		out := make([]float32, n+1)
		laplacian(out, append(in, 0), coef, next, n)
		var worst float64
		for _, v := range out[:n] {
			worst = max(worst, math.Abs(float64(v)))
		}
		return worst
	}
	flat, colours, noise := make([]float32, n, n+1), make([]float32, n, n+1), make([]float32, n, n+1)
	for i := range flat {
		flat[i] = .5
		colours[i] = .2 + (.5*r.c[0][i]-.2*r.c[1][i]+.3*r.c[2][i])/255
		noise[i] = rng.Float32()
	}
	if f, c, z := apply(flat), apply(colours), apply(noise); f > 1e-4 || c > 1e-3 || z < .5 {
		t.Errorf("residual %.2g of a flat alpha, %.2g of one that follows the colours, %.2g of noise", f, c, z)
	}
}
