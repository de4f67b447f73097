package infer

import (
	"fmt"
	"image"
	"math"
)

const (
	meshSide = 192
	// MeshPoints is how many points lie on a face; their order is that of
	// MediaPipe's face mesh.
	MeshPoints = 468
	irisPoints = 5

	// The heads read the network's features, a grid a quarter as fine as its
	// input, through a window of partSide × partSide cells.
	featureSide, features = 48, 32
	featureStep           = meshSide / featureSide
	partSide              = 16
	// partReach is how much larger than the part itself its window is.
	partReach = 1.5

	meshValues = 3*MeshPoints + 1 + features*featureSide*featureSide
)

// Region is a square of a picture around a face: centre and side in pixels,
// turned by Roll in radians, clockwise as seen.
type Region struct{ CX, CY, Side, Roll float64 }

// valid tells whether r is a place that a picture can have.
func (r Region) valid() bool {
	for _, v := range [4]float64{r.CX, r.CY, r.Side, r.Roll} {
		if math.IsNaN(v) || math.Abs(v) > 1e6 {
			return false
		}
	}
	return r.Side >= 1
}

// Mesh is a face as a net of points.
type Mesh struct {
	Points [MeshPoints]Point
	// Depth of each point in pixels, smaller towards the camera, about zero in
	// the middle of the head.
	Depth [MeshPoints]float64
	// Iris has the centre of the iris and four points on its rim (towards the
	// picture's right, up, left, down for an upright face), of the eye on the
	// left of the picture and of that on the right.
	Iris [2][irisPoints]Point
	// Presence is how surely the region showed a face, 0..1.
	Presence float64
}

// meshScratch is what Mesh needs between its networks.
type meshScratch struct {
	points   [MeshPoints][3]float64 // in the network's input
	features []float32
}

// part is one head of the mesh network: the points it places, and the two that
// are level in its window.
type part struct {
	net         *net
	points      []uint16
	left, right int
	iris        int // index in Mesh.Iris, −1 without
}

// Mesh lays the mesh over the face in the region of m. The face is best upright
// in it and fills about two thirds of its side.
// The error is a picture whose buffer is shorter than its rectangle, a region
// without size or far off any picture, or Nets that are closed.
func (n *Nets) Mesh(m *image.RGBA, r Region, dst *Mesh) error {
	if err := check(m); err != nil {
		return err
	}
	if !r.valid() {
		return fmt.Errorf("infer: no place for a face: %+v", r)
	}
	n.meshMu.Lock()
	defer n.meshMu.Unlock()
	s := &n.meshWork
	to := region{cx: r.CX, cy: r.CY, w: r.Side, h: r.Side, roll: r.Roll}
	err := n.mesh.run(func(v []float32) {
		sample(m, to, meshSide, 1./255, 0, v)
	}, func(v []float32) {
		for i := range s.points {
			s.points[i] = [3]float64{float64(v[3*i]), float64(v[3*i+1]), float64(v[3*i+2])}
		}
		dst.Presence = float64(v[3*MeshPoints])
		s.features = append(s.features[:0], v[3*MeshPoints+1:]...)
	})
	if err != nil {
		return err
	}
	for _, p := range [...]part{
		{&n.lips, lipPoints[:], 61, 291, -1},
		{&n.leftEye, leftEyePoints[:], 33, 133, 0},
		{&n.rightEye, rightEyePoints[:], 362, 263, 1},
	} {
		if err := n.refine(p, s, to, dst); err != nil {
			return err
		}
	}
	for i, p := range s.points {
		dst.Points[i] = to.back(p[0], p[1], meshSide)
		dst.Depth[i] = p[2] * r.Side / meshSide
	}
	return nil
}

// refine lets a head look closer at its part and moves the part's points to
// where it saw them.
func (n *Nets) refine(p part, s *meshScratch, to region, dst *Mesh) error {
	w := window(s, p)
	return p.net.run(func(v []float32) {
		w.cut(s.features, v)
	}, func(v []float32) {
		for i, at := range p.points {
			s.points[at][0], s.points[at][1] = w.back(v[2*i], v[2*i+1])
		}
		if p.iris < 0 {
			return
		}
		v = v[2*len(p.points):]
		for i := range irisPoints {
			x, y := w.back(v[2*i], v[2*i+1])
			dst.Iris[p.iris][i] = to.back(x, y, meshSide)
		}
	})
}

// partWindow maps a head's window to the grid of features: a cell (u, v) of the
// window lies at (ax·u + bx·v + x, ay·u + by·v + y).
type partWindow struct{ ax, ay, bx, by, x, y float64 }

// window frames the part's points with the line between left and right level.
func window(s *meshScratch, p part) partWindow {
	l, r := s.points[p.left], s.points[p.right]
	sin, cos := math.Sincos(math.Atan2(r[1]-l[1], r[0]-l[0]))
	lox, loy, hix, hiy := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, i := range p.points {
		x, y := s.points[i][0]/featureStep, s.points[i][1]/featureStep
		u, v := cos*x+sin*y, cos*y-sin*x
		lox, hix = min(lox, u), max(hix, u)
		loy, hiy = min(loy, v), max(hiy, v)
	}
	cu, cv := (lox+hix)/2, (loy+hiy)/2
	kx, ky := (hix-lox)*partReach/partSide, (hiy-loy)*partReach/partSide
	w := partWindow{ax: cos * kx, ay: sin * kx, bx: -sin * ky, by: cos * ky}
	w.x = cos*cu - sin*cv - partSide/2*(w.ax+w.bx)
	w.y = sin*cu + cos*cv - partSide/2*(w.ay+w.by)
	return w
}

// cut reads the window out of the features, channel by channel, between cells
// by linear interpolation, zero outside.
func (w partWindow) cut(f, dst []float32) {
	for v := range partSide {
		for u := range partSide {
			cu, cv := float64(u)+.5, float64(v)+.5
			x, y := w.ax*cu+w.bx*cv+w.x-.5, w.ay*cu+w.by*cv+w.y-.5
			at := v*partSide + u
			if !(x >= 0 && y >= 0 && x <= featureSide-1 && y <= featureSide-1) {
				for c := range features {
					dst[c*partSide*partSide+at] = 0
				}
				continue
			}
			x0, y0 := min(int(x), featureSide-2), min(int(y), featureSide-2)
			fx, fy := float32(x-float64(x0)), float32(y-float64(y0))
			for c := range features {
				q := f[(c*featureSide+y0)*featureSide+x0:]
				top := q[0] + fx*(q[1]-q[0])
				low := q[featureSide] + fx*(q[featureSide+1]-q[featureSide])
				dst[c*partSide*partSide+at] = top + fy*(low-top)
			}
		}
	}
}

// back maps a head's answer, in quarters of a cell, to the network's input.
func (w partWindow) back(u, v float32) (x, y float64) {
	a, b := float64(u), float64(v)
	return w.ax*a + w.bx*b + w.x*featureStep, w.ay*a + w.by*b + w.y*featureStep
}
