package matte

// #include "kernels.h"
import "C"

import "math"

// The band is solved in closed form (Levin, Lischinski and Weiss 2008): within
// every 3×3 window alpha is taken to be linear in the colour, which gives a
// quadratic cost αᵀLα; to it each band pixel adds its own estimate with a
// weight that falls with its variance. Person and backdrop are fixed, so only
// the band's pixels are unknowns of a sparse symmetric system, solved by
// conjugate gradients with a Jacobi preconditioner.

const (
	solveEpsilon = 1e-5 // Levin's ε, for colours in 0..1
	solveData    = .1   // weight of the best possible estimate
	solvePasses  = 30   // more change nothing that can be seen
)

// reach is how many of the 25 coefficients of a pixel are stored: those of
// itself and of the 12 neighbours after it in reading order.
const reach = 13

// offset k of the stored half: (0,0) (1,0) (2,0) (-2,1) … (2,1) (-2,2) … (2,2).
func offsetOf(dx, dy int) int {
	if dy == 0 {
		return dx
	}
	return 3 + 5*(dy-1) + dx + 2
}

// solve fills alpha.
func (r *renderer) solve() {
	w, h := r.w, r.h
	index := r.label
	count := 0
	for i, k := range r.kind {
		index[i] = -1
		switch k {
		case pixelPerson:
			r.alpha[i] = 1
		case pixelBack:
			r.alpha[i] = 0
		default:
			index[i] = int32(count)
			r.stack[count] = int32(i)
			count++
		}
	}
	if count == 0 {
		return
	}
	band := r.stack[:count]
	k := r.k
	coef := k.f32.zero(count * reach) // upper half of the matrix
	// One place more than there are unknowns, for neighbours that are none.
	x, dir, q := k.f32.take(count+1), k.f32.take(count+1), k.f32.take(count+1)
	rhs, res, inv := k.f32.take(count), k.f32.take(count), k.f32.take(count)
	next := k.i32.take(count * reach) // unknown at each offset, count if fixed or outside
	for u, p := range band {
		px, py := int(p)%w, int(p)/w
		for dy := range 3 {
			for dx := -2; dx <= 2; dx++ {
				if dy == 0 && dx < 0 {
					continue
				}
				j := int32(count)
				if px+dx >= 0 && px+dx < w && py+dy < h {
					if v := index[int(p)+dy*w+dx]; v >= 0 {
						j = v
					}
				}
				next[u*reach+offsetOf(dx, dy)] = j
			}
		}
		data := solveData * min(1/r.va[p], 2500) / 2500
		coef[u*reach] = data
		rhs[u] = data * r.al[p]
		x[u] = r.al[p]
	}
	r.windows(coef, rhs, index)
	for u := range inv {
		inv[u] = 1 / max(coef[u*reach], 1e-9)
	}

	laplacian(q, x, coef, next, count)
	var rho float64
	for u := range res {
		res[u] = rhs[u] - q[u]
		dir[u] = inv[u] * res[u]
		rho += float64(res[u]) * float64(dir[u])
	}
	for range solvePasses {
		if rho < 1e-12 || math.IsNaN(rho) {
			break
		}
		laplacian(q, dir, coef, next, count)
		var dq float64
		for u := range res {
			dq += float64(dir[u]) * float64(q[u])
		}
		if dq <= 0 {
			break
		}
		step := float32(rho / dq)
		var next float64
		for u := range res {
			x[u] += step * dir[u]
			res[u] -= step * q[u]
			next += float64(res[u]) * float64(res[u]) * float64(inv[u])
		}
		beta := float32(next / rho)
		rho = next
		for u := range res {
			dir[u] = inv[u]*res[u] + beta*dir[u]
		}
	}
	for u, p := range band {
		r.alpha[p] = finishAlpha(x[u])
	}
}

// laplacian writes the product of the matrix with the count values of in to out;
// both have one place more, for neighbours that are no unknowns.
func laplacian(out, in, coef []float32, next []int32, count int) {
	out[count], in[count] = 0, 0
	C.yz_laplacian(f32(out), f32(in), f32(coef), i32(next), C.int(count))
}

// windows adds the matting Laplacian of all 3×3 windows that hold an unknown.
// Fixed neighbours move to the right-hand side.
func (r *renderer) windows(coef, rhs []float32, index []int32) {
	rows := func(lo, hi int) {
		C.yz_windows(f32(coef), f32(rhs), i32(index), f32(r.alpha), f32(r.c[0]), f32(r.c[1]), f32(r.c[2]),
			C.int(r.w), C.int(lo), C.int(hi), solveEpsilon)
	}
	// The windows of two neighbouring rows write to the same pixels: those in
	// the middle come last.
	mid := r.h / 2
	both(func() { rows(1, mid-1) }, func() { rows(mid+1, r.h-1) })
	rows(mid-1, mid+1)
}
