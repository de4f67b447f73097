// Package plane maps flat things to flat things: a card before a camera to the
// card, by the projective map of the plane.
package plane

import (
	"image"
	"math"
)

// Point is a place in a picture, in pixels; the middle of the first pixel is at
// ½, ½.
type Point struct{ X, Y float64 }

// Corners are those of a picture of w×h pixels, clockwise from the top left.
func Corners(w, h float64) [4]Point { return [4]Point{{0, 0}, {w, 0}, {w, h}, {0, h}} }

// Map is a projective map, row by row.
type Map [9]float64

// Apply maps a point.
func (m Map) Apply(p Point) Point {
	z := m[6]*p.X + m[7]*p.Y + m[8]
	return Point{(m[0]*p.X + m[1]*p.Y + m[2]) / z, (m[3]*p.X + m[4]*p.Y + m[5]) / z}
}

// Between is the map that takes the four points from to the four points to:
// the direct linear transformation with its last entry 1 (Hartley and
// Zisserman, Multiple View Geometry, section 4.1). It
// fails for points of which three lie on a line.
func Between(from, to [4]Point) (Map, bool) {
	var a [8][9]float64
	for i := range 4 {
		x, y, u, v := from[i].X, from[i].Y, to[i].X, to[i].Y
		a[2*i] = [9]float64{x, y, 1, 0, 0, 0, -u * x, -u * y, u}
		a[2*i+1] = [9]float64{0, 0, 0, x, y, 1, -v * x, -v * y, v}
	}
	for c := range 8 {
		best := c
		for r := c + 1; r < 8; r++ {
			if math.Abs(a[r][c]) > math.Abs(a[best][c]) {
				best = r
			}
		}
		if math.Abs(a[best][c]) < 1e-9 {
			return Map{}, false
		}
		a[c], a[best] = a[best], a[c]
		for r := range 8 {
			if r == c {
				continue
			}
			f := a[r][c] / a[c][c]
			for k := c; k < 9; k++ {
				a[r][k] -= f * a[c][k]
			}
		}
	}
	var m Map
	for i := range 8 {
		m[i] = a[i][8] / a[i][i]
	}
	m[8] = 1
	return m, true
}

// Sample is the picture's value at p, linear between pixels; outside it is the
// nearest pixel's.
func Sample(m *image.Gray, p Point) float64 {
	x, y := p.X-.5, p.Y-.5
	x0, y0 := int(math.Floor(x)), int(math.Floor(y))
	fx, fy := x-float64(x0), y-float64(y0)
	at := func(x, y int) float64 {
		return float64(m.Pix[min(max(y, 0), m.Rect.Dy()-1)*m.Stride+min(max(x, 0), m.Rect.Dx()-1)])
	}
	return (at(x0, y0)*(1-fx)+at(x0+1, y0)*fx)*(1-fy) + (at(x0, y0+1)*(1-fx)+at(x0+1, y0+1)*fx)*fy
}
