package matte

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
	x, rhs := k.f32.take(count), k.f32.take(count)
	res, dir, q, inv := k.f32.take(count), k.f32.take(count), k.f32.take(count), k.f32.take(count)
	next := k.i32.take(count * reach) // unknown at each offset, −1 if fixed or outside
	for u, p := range band {
		px, py := int(p)%w, int(p)/w
		for dy := range 3 {
			for dx := -2; dx <= 2; dx++ {
				if dy == 0 && dx < 0 {
					continue
				}
				j := int32(-1)
				if px+dx >= 0 && px+dx < w && py+dy < h {
					j = index[int(p)+dy*w+dx]
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

	apply := func(out, in []float32) {
		for u := range out {
			out[u] = coef[u*reach] * in[u]
		}
		for u := range out {
			s, v := out[u], in[u]
			c, nx := coef[u*reach:u*reach+reach], next[u*reach:u*reach+reach]
			for k := 1; k < reach; k++ {
				if j := nx[k]; j >= 0 {
					s += c[k] * in[j]
					out[j] += c[k] * v
				}
			}
			out[u] = s
		}
	}
	apply(q, x)
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
		apply(q, dir)
		var dq float64
		for u := range q {
			dq += float64(dir[u]) * float64(q[u])
		}
		if dq <= 0 {
			break
		}
		step := float32(rho / dq)
		var next float64
		for u := range x {
			x[u] += step * dir[u]
			res[u] -= step * q[u]
			next += float64(res[u]) * float64(res[u]) * float64(inv[u])
		}
		beta := float32(next / rho)
		rho = next
		for u := range dir {
			dir[u] = inv[u]*res[u] + beta*dir[u]
		}
	}
	for u, p := range band {
		r.alpha[p] = finishAlpha(x[u])
	}
}

// windows adds the matting Laplacian of all 3×3 windows that hold an unknown.
// Fixed neighbours move to the right-hand side.
func (r *renderer) windows(coef, rhs []float32, index []int32) {
	w, h := r.w, r.h
	const k = 1. / 255
	for y := 1; y+1 < h; y++ {
		for x := 1; x+1 < w; x++ {
			i := y*w + x
			open := false // holds an unknown
			for _, o := range [3]int{i - w, i, i + w} {
				if index[o-1] >= 0 || index[o] >= 0 || index[o+1] >= 0 {
					open = true
					break
				}
			}
			if !open {
				continue
			}
			var p [9]int
			var c [9][3]float32
			var mean [3]float32
			for j := range p {
				q := i + (j/3-1)*w + j%3 - 1
				p[j] = q
				c[j] = [3]float32{r.c[0][q] * k, r.c[1][q] * k, r.c[2][q] * k}
				mean[0] += c[j][0]
				mean[1] += c[j][1]
				mean[2] += c[j][2]
			}
			for ch := range mean {
				mean[ch] /= 9
			}
			// Across a contour the window's colours lie almost on a line: the
			// inverse cancels too many digits for single precision.
			var rr, rg, rb, gg, gb, bb float64
			for j := range c {
				c[j][0] -= mean[0]
				c[j][1] -= mean[1]
				c[j][2] -= mean[2]
				d0, d1, d2 := float64(c[j][0]), float64(c[j][1]), float64(c[j][2])
				rr += d0 * d0
				rg += d0 * d1
				rb += d0 * d2
				gg += d1 * d1
				gb += d1 * d2
				bb += d2 * d2
			}
			const e = solveEpsilon / 9
			rr, gg, bb = rr/9+e, gg/9+e, bb/9+e
			rg, rb, gb = rg/9, rb/9, gb/9
			a, b, d := gg*bb-gb*gb, rb*gb-rg*bb, rg*gb-rb*gg // cofactors
			iv := 1 / (rr*a + rg*b + rb*d)
			m := mat3{
				float32(a * iv), float32(b * iv), float32(d * iv),
				float32((rr*bb - rb*rb) * iv), float32((rg*rb - rr*gb) * iv), float32((rr*gg - rg*rg) * iv),
			}
			for j := range p {
				t0, t1, t2 := m.apply(c[j][0], c[j][1], c[j][2])
				uj := index[p[j]]
				if uj >= 0 {
					coef[uj*reach] += 1 - (1+t0*c[j][0]+t1*c[j][1]+t2*c[j][2])/9
				}
				for l := j + 1; l < 9; l++ {
					v := -(1 + t0*c[l][0] + t1*c[l][1] + t2*c[l][2]) / 9
					ul := index[p[l]]
					switch {
					case uj >= 0 && ul >= 0:
						coef[int(uj)*reach+offsetOf(l%3-j%3, l/3-j/3)] += v
					case uj >= 0:
						rhs[uj] -= v * r.alpha[p[l]]
					case ul >= 0:
						rhs[ul] -= v * r.alpha[p[j]]
					}
				}
			}
		}
	}
}
