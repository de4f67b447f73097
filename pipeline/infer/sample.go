package infer

import (
	"image"
	"math"
)

// region is the square of a picture that a network is shown: its centre and
// side in pixels, turned by roll (radians, clockwise as seen).
type region struct{ cx, cy, w, h, roll float64 }

// maxTaps bounds the samples a side that are averaged for one input pixel.
const maxTaps = 4

// sample shows the network the region of m as three planes of side × side
// values k·v + b for pixel values v of 0..255. What lies outside of m is black.
// Where the picture is finer than the input, up to maxTaps² samples are
// averaged: left out, hair and patterned cloth would glitter.
func sample(m *image.RGBA, r region, side int, k, b float32, dst []float32) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	if w <= 0 || h <= 0 {
		for i := range dst {
			dst[i] = b
		}
		return
	}
	stepX, stepY := r.w/float64(side), r.h/float64(side)
	taps := int(min(max(math.Round(max(stepX, stepY)), 1), maxTaps))
	sin, cos := math.Sincos(r.roll)
	// 16.16 fixed point: a step along a row, a step down, and between samples.
	fix := func(v float64) int { return int(math.Round(v * 65536)) }
	ax, ay := fix(stepX*cos), fix(stepX*sin)
	tx, ty := fix(stepX*cos/float64(taps)), fix(stepX*sin/float64(taps))
	dx, dy := fix(-stepY*sin/float64(taps)), fix(stepY*cos/float64(taps))
	scale := k / float32(taps*taps)
	red, green, blue := dst[:side*side], dst[side*side:2*side*side], dst[2*side*side:3*side*side]
	for y := range side {
		// The centre of this row's first sample.
		u := (.5/float64(taps) - float64(side)/2) * stepX
		v := (float64(y) + .5/float64(taps) - float64(side)/2) * stepY
		fx, fy := fix(r.cx+u*cos-v*sin), fix(r.cy+u*sin+v*cos)
		for x := range side {
			var sr, sg, sb int
			qx, qy := fx, fy
			for range taps {
				px, py := qx, qy
				for range taps {
					if i, j := px>>16, py>>16; uint(i) < uint(w) && uint(j) < uint(h) {
						p := m.Pix[j*m.Stride+4*i:]
						sr += int(p[0])
						sg += int(p[1])
						sb += int(p[2])
					}
					px += tx
					py += ty
				}
				qx += dx
				qy += dy
			}
			i := y*side + x
			red[i] = scale*float32(sr) + b
			green[i] = scale*float32(sg) + b
			blue[i] = scale*float32(sb) + b
			fx += ax
			fy += ay
		}
	}
}

// back maps a position in the side × side input to the picture.
func (r region) back(x, y float64, side int) Point {
	u, v := (x/float64(side)-.5)*r.w, (y/float64(side)-.5)*r.h
	sin, cos := math.Sincos(r.roll)
	return Point{r.cx + u*cos - v*sin, r.cy + u*sin + v*cos}
}
