package calibrate

import "math"

// surface is a least-squares fit of a few terms.
type surface struct {
	n int
	a []float64 // normal matrix, n×n
	b []float64
}

func newSurface(terms int) *surface {
	return &surface{n: terms, a: make([]float64, terms*terms), b: make([]float64, terms)}
}

func (s *surface) add(term []float64, v, weight float64) {
	for i, t := range term {
		s.b[i] += weight * t * v
		for j, u := range term {
			s.a[i*s.n+j] += weight * t * u
		}
	}
}

// solve returns the coefficients, by Gaussian elimination with a whisper of a
// ridge; terms that nothing was seen of come out as zero.
func (s *surface) solve() []float64 {
	n := s.n
	for i := range n {
		s.a[i*n+i] += 1e-9 * (1 + s.a[i*n+i])
	}
	for i := range n {
		p := i
		for r := i + 1; r < n; r++ {
			if math.Abs(s.a[r*n+i]) > math.Abs(s.a[p*n+i]) {
				p = r
			}
		}
		for c := range n {
			s.a[i*n+c], s.a[p*n+c] = s.a[p*n+c], s.a[i*n+c]
		}
		s.b[i], s.b[p] = s.b[p], s.b[i]
		for r := i + 1; r < n; r++ {
			k := s.a[r*n+i] / s.a[i*n+i]
			for c := i; c < n; c++ {
				s.a[r*n+c] -= k * s.a[i*n+c]
			}
			s.b[r] -= k * s.b[i]
		}
	}
	x := make([]float64, n)
	for i := n - 1; i >= 0; i-- {
		v := s.b[i]
		for c := i + 1; c < n; c++ {
			v -= s.a[i*n+c] * x[c]
		}
		x[i] = v / s.a[i*n+i]
	}
	return x
}

// smooth fits a surface of the terms 1, u, v and, where bent is set, u², uv and
// v² to a picture of w×h values, u and v running from −1 to 1, and returns it at
// every pixel and its coefficients. What stands out of it by more than reach
// loses its vote round by round (iteratively reweighted, Cauchy weights), so
// that an object does not bend the surface.
func smooth(v []float32, w, h int, bent bool, reach float64) (fit []float32, coef []float64) {
	terms := 3
	if bent {
		terms = 6
	}
	fit = make([]float32, len(v))
	at := func(x, y int, t *[6]float64) {
		u, z := 2*(float64(x)+.5)/float64(w)-1, 2*(float64(y)+.5)/float64(h)-1
		*t = [6]float64{1, u, z, u * u, u * z, z * z}
	}
	m := median(v)
	for i := range fit {
		fit[i] = m
	}
	var t [6]float64
	scale := 4 * reach // wide at first, so that the surface finds its way
	for range 6 {
		s := newSurface(terms)
		for y := range h {
			for x := range w {
				i := y*w + x
				at(x, y, &t)
				d := float64(v[i]-fit[i]) / scale
				weight := 1 / (1 + d*d)
				for k := range terms { // the matrix's lower half; the upper is its mirror
					wt := weight * t[k]
					s.b[k] += wt * float64(v[i])
					for m := range k + 1 {
						s.a[k*terms+m] += wt * t[m]
					}
				}
			}
		}
		for k := range terms {
			for m := range k {
				s.a[m*terms+k] = s.a[k*terms+m]
			}
		}
		coef = s.solve()
		for y := range h {
			for x := range w {
				at(x, y, &t)
				sum := 0.
				for k, c := range coef {
					sum += c * t[k]
				}
				fit[y*w+x] = float32(sum)
			}
		}
		scale = max(scale/2, reach)
	}
	return fit, coef
}
