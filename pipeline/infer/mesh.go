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
	meshValues = 3*MeshPoints + 1
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
	// Presence is how surely the region showed a face, 0..1.
	Presence float64
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
	to := region{cx: r.CX, cy: r.CY, w: r.Side, h: r.Side, roll: r.Roll}
	return n.mesh.run(func(v []float32) {
		sample(m, to, meshSide, 1./255, 0, v)
	}, func(v []float32) {
		for i := range dst.Points {
			dst.Points[i] = to.back(float64(v[3*i]), float64(v[3*i+1]), meshSide)
			dst.Depth[i] = float64(v[3*i+2]) * r.Side / meshSide
		}
		dst.Presence = float64(v[3*MeshPoints])
	})
}
