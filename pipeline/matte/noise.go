package matte

import "math"

// mat3 is a symmetric 3×3 matrix in float32, for the inner loops.
type mat3 struct{ rr, rg, rb, gg, gb, bb float32 }

func (m mat3) apply(r, g, b float32) (float32, float32, float32) {
	return m.rr*r + m.rg*g + m.rb*b, m.rg*r + m.gg*g + m.gb*b, m.rb*r + m.gb*g + m.bb*b
}

// norm2 is |M·(r, g, b)|².
func (m mat3) norm2(r, g, b float32) float32 {
	x, y, z := m.apply(r, g, b)
	return x*x + y*y + z*z
}

// values are rr, rg, rb, gg, gb, bb.
func (m mat3) values() [6]float32 { return [6]float32{m.rr, m.rg, m.rb, m.gg, m.gb, m.bb} }

// whitener returns the inverse square root of a covariance: vectors it is
// applied to come out in standard deviations, uncorrelated. The eigenvectors
// come from cyclic Jacobi rotations.
func whitener(s sym3) mat3 {
	a := [3][3]float64{{s[0], s[1], s[2]}, {s[1], s[3], s[4]}, {s[2], s[4], s[5]}}
	v := [3][3]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
	for range 12 {
		for _, pq := range [3][2]int{{0, 1}, {0, 2}, {1, 2}} {
			p, q := pq[0], pq[1]
			if math.Abs(a[p][q]) < 1e-18 {
				continue
			}
			theta := (a[q][q] - a[p][p]) / (2 * a[p][q])
			t := 1 / (math.Abs(theta) + math.Sqrt(theta*theta+1))
			if theta < 0 {
				t = -t
			}
			c := 1 / math.Sqrt(t*t+1)
			sn := t * c
			for k := range 3 {
				a[k][p], a[k][q] = c*a[k][p]-sn*a[k][q], sn*a[k][p]+c*a[k][q]
			}
			for k := range 3 {
				a[p][k], a[q][k] = c*a[p][k]-sn*a[q][k], sn*a[p][k]+c*a[q][k]
			}
			for k := range 3 {
				v[k][p], v[k][q] = c*v[k][p]-sn*v[k][q], sn*v[k][p]+c*v[k][q]
			}
		}
	}
	var o [3][3]float64
	for k := range 3 {
		d := 1 / math.Sqrt(max(a[k][k], 1e-8))
		for i := range 3 {
			for j := range 3 {
				o[i][j] += v[i][k] * d * v[j][k]
			}
		}
	}
	return mat3{float32(o[0][0]), float32(o[0][1]), float32(o[0][2]), float32(o[1][1]), float32(o[1][2]), float32(o[2][2])}
}

// logTable maps 0..255 to log(v + logOffset) by linear interpolation.
type logTable [256*4 + 2]float32

func newLogTable() *logTable {
	var t logTable
	for i := range t {
		t[i] = float32(math.Log(float64(i)/4 + logOffset))
	}
	return &t
}

func (t *logTable) at(v float32) float32 {
	v *= 4
	if v < 0 {
		v = 0
	}
	if v > 255*4 {
		v = 255 * 4
	}
	i := int(v)
	return t[i] + (t[i+1]-t[i])*(v-float32(i))
}
