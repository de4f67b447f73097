package matte

import (
	"math"
	"slices"
)

// work converts a frame position to working pixels (centres at whole numbers).
func (s *Segmentation) work(x, y float64) (float64, float64) {
	return (x-s.area.X)/s.sx - .5, (y-s.area.Y)/s.sy - .5
}

func (s *Segmentation) frameX(x float64) float64 { return s.area.X + (x+.5)*s.sx }
func (s *Segmentation) frameY(y float64) float64 { return s.area.Y + (y+.5)*s.sy }

func (s *Segmentation) live() bool { return s.owner != nil && s.gen == s.owner.gen }

// crossing is where the contour lies between an outer and an inner pixel along
// a line, as a fraction from outer (0) to inner (1).
func (s *Segmentation) crossing(outer, inner int) float64 {
	a, b := float64(s.soft[outer]), float64(s.soft[inner])
	if b-a < 1e-3 {
		return .5
	}
	return min(max((.5-a)/(b-a), 0), 1)
}

// Crown returns the top of the head, hair included, in frame pixels. Single
// stray strands do not count: a row is head once the mask is a fifth of a face
// wide. ok is false when the head reaches the top of the frame.
func (s *Segmentation) Crown() (y float64, ok bool) {
	if !s.live() {
		return 0, false
	}
	fw := s.face.fw / s.sx
	cx, _ := s.work(s.face.cx, 0)
	_, eye := s.work(0, s.face.fy+eyeInBox*s.face.fh)
	x0, x1 := max(int(cx-.7*fw), 0), min(int(cx+.7*fw), s.w-1)
	for j := range max(min(int(eye), s.h), 0) {
		run := 0
		for x := x0; x <= x1; x++ {
			run += int(s.mask[j*s.w+x])
		}
		if float64(run) < .2*fw {
			continue
		}
		if j == 0 {
			return s.area.Y, s.area.Y > 0
		}
		// Between the rows, by how far the count has come.
		above := 0
		for x := x0; x <= x1; x++ {
			above += int(s.mask[(j-1)*s.w+x])
		}
		t := (.2*fw - float64(above)) / max(float64(run-above), 1)
		return s.frameY(float64(j-1) + min(max(t, 0), 1) - .5), true
	}
	return 0, false
}

// FaceEdges returns the left and right contour of the head at frame row y, in
// frame pixels: cheeks, ears and hair alike.
func (s *Segmentation) FaceEdges(y float64) (left, right float64, ok bool) {
	if !s.live() {
		return 0, 0, false
	}
	cx, wy := s.work(s.face.cx, y)
	j, x := int(math.Round(wy)), int(math.Round(cx))
	if j < 0 || j >= s.h || x < 0 || x >= s.w || s.mask[j*s.w+x] == 0 {
		return 0, 0, false
	}
	row := s.mask[j*s.w : (j+1)*s.w]
	l, r := x, x
	for l > 0 && row[l-1] != 0 {
		l--
	}
	for r < s.w-1 && row[r+1] != 0 {
		r++
	}
	if l == 0 || r == s.w-1 {
		return s.frameX(float64(l) - .5), s.frameX(float64(r) + .5), false
	}
	o := j * s.w
	left = s.frameX(float64(l-1) + s.crossing(o+l-1, o+l))
	right = s.frameX(float64(r+1) - s.crossing(o+r+1, o+r))
	return left, right, true
}

// ShoulderLine returns a point of the left and one of the right shoulder's
// upper contour, at the same distance from the face's centre, in frame pixels.
// Each is the middle of several columns. ok is false when a shoulder is outside
// the frame or cannot be told from the backdrop.
func (s *Segmentation) ShoulderLine() (left, right Point, ok bool) {
	if !s.live() {
		return Point{}, Point{}, false
	}
	fw := s.face.fw / s.sx
	cx, chin := s.work(s.face.cx, s.face.chin)
	for _, far := range []float64{.95, .8, .65} { // narrow shoulders are measured nearer
		l, okL := s.shoulderAt(cx, -far*fw, chin, fw)
		r, okR := s.shoulderAt(cx, far*fw, chin, fw)
		if okL && okR {
			return l, r, true
		}
	}
	return Point{}, Point{}, false
}

func (s *Segmentation) shoulderAt(cx, offset, chin, fw float64) (Point, bool) {
	var ys []float64
	half := .12 * fw
	for x := int(cx + offset - half); x <= int(cx+offset+half); x++ {
		if x < 0 || x >= s.w {
			return Point{}, false
		}
		// From below: the body is solid there, hair may hang above.
		y := s.h - 1
		for y >= 0 && s.mask[y*s.w+x] == 0 {
			y--
		}
		for y > 0 && s.mask[(y-1)*s.w+x] != 0 {
			y--
		}
		if y <= 0 || float64(y) < chin-.3*fw {
			continue
		}
		ys = append(ys, float64(y-1)+s.crossing((y-1)*s.w+x, y*s.w+x))
	}
	if float64(len(ys)) < half {
		return Point{}, false
	}
	slices.Sort(ys)
	return Point{s.frameX(cx + offset), s.frameY(ys[len(ys)/2])}, true
}

// ShoulderTilt returns the slope of the shoulder line in degrees, positive when
// the shoulder on the right of the picture is lower.
func (s *Segmentation) ShoulderTilt() (degrees float64, ok bool) {
	l, r, ok := s.ShoulderLine()
	if !ok {
		return 0, false
	}
	return math.Atan2(r.Y-l.Y, r.X-l.X) * 180 / math.Pi, true
}
