package face

import (
	"image"
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/infer"
)

// Shape is what a mesh of points tells of a face beyond its landmarks. The zero
// Shape is that of a face which the mesh could not be laid over.
type Shape struct {
	Known bool
	// Yaw is positive when the nose points to the right of the picture, Pitch when
	// the chin is raised, Roll when the picture of the head is turned clockwise;
	// degrees, of the head as a solid body.
	Yaw, Pitch, Roll float64
	// Lids is the opening of either eye and Lips that of the mouth, between the
	// inner edges of the lips, over the distance from the eyes to the chin.
	Lids [2]float64
	Lips float64
	// GazeX is how far the irises are off the middle of the eyes, across, in halves
	// of an eye's width, both eyes' mean; positive to the right of the picture.
	GazeX float64
	// Smile is how far the corners of the mouth are raised above the middle of the
	// line between the lips, over the distance from the eyes to the chin; negative
	// when they hang.
	Smile float64
	// Outside is the share of the face's outline that lies beyond the picture's
	// edge, 0 to 1.
	Outside float64
}

// Points of the mesh.
const (
	meshNoseTip  = 4
	meshChin     = 152
	meshUpperLip = 0
	meshLowerLip = 17
	innerUpper   = 13
	innerLower   = 14
	meshMouthL   = 61
	meshMouthR   = 291
)

// Pairs of points, one on the left of the picture and one on the right.
var (
	meshEyeOuter  = [2]int{33, 263}
	meshEyeInner  = [2]int{133, 362}
	meshBrowOuter = [2]int{70, 300}
	meshBrowMid   = [2]int{105, 334}
	meshBrowInner = [2]int{107, 336}

	// Three places across each eye, and across the mouth: above and below.
	meshLids = [2][3][2]int{
		{{160, 144}, {159, 145}, {158, 153}},
		{{385, 380}, {386, 374}, {387, 373}},
	}
	meshLips = [3][2]int{{82, 87}, {13, 14}, {312, 317}}

	// meshOval runs round the face.
	meshOval = [36]int{
		10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
		148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
	}
)

const (
	// present is from which presence on a mesh is believed.
	present = .5
	// meshRoom is how much larger than a face the square is that the mesh is
	// searched in.
	meshRoom = 1.5
	// boxPerIED is the side of a face's box in distances between the pupils.
	boxPerIED = 1 / .36
	// eyesInBox is how far the eyes lie above the middle of the box, in its sides.
	eyesInBox = .075
	// chinPerIED is an average distance from eyes to chin, in distances between
	// the pupils: on a head that is turned away the latter shrinks.
	chinPerIED = 1.85
	// lowered is by how many degrees the network sees heads lowered that look
	// straight ahead: measured 3.8 to 7.2 on six portraits.
	lowered = 5.8
	// The network sees heads less turned than they are, as its depths are flat:
	// of yaw .53 to .64 and of pitch .55 to .65 on photographs of three people that
	// were turned by the shape of an average head (the ladders of docs/checks.md).
	turnGain, nodGain = 1.65, 1.7
)

func point(p infer.Point) Point { return Point(p) }

// overBox is the region in which the mesh of a detection is searched, turned so
// that its eyes are level.
func overBox(d infer.Detection) infer.Region {
	return infer.Region{
		CX: d.X + d.W/2, CY: d.Y + d.H/2, Side: meshRoom * max(d.W, d.H),
		Roll: math.Atan2(d.RightEye.Y-d.LeftEye.Y, d.RightEye.X-d.LeftEye.X),
	}
}

// overFace is the region in which the mesh of a known face is searched.
func overFace(f *Face) infer.Region {
	size := f.size()
	roll := f.Roll() * math.Pi / 180
	sin, cos := math.Sincos(roll)
	m := f.EyeMid()
	// The middle of brows and chin lies .6 eye distances below the eyes.
	down := .6 * size
	return infer.Region{CX: m.X - down*sin, CY: m.Y + down*cos, Side: meshRoom * 2.55 * size, Roll: roll}
}

// size is the distance between the pupils that the face would have turned to
// the camera.
func (f *Face) size() float64 {
	m := f.EyeMid()
	return max(f.IED(), math.Hypot(f.Chin.X-m.X, f.Chin.Y-m.Y)/chinPerIED)
}

// ofMesh makes a face of a mesh; ok is false when there is none, or when its
// points lie as on no face. Scores are those of a finder, 0 to 1.
func ofMesh(m *infer.Mesh, score float64, size image.Point) (f Face, ok bool) {
	if !(m.Presence > present) {
		return Face{}, false
	}
	at := func(i int) Point { return point(m.Points[i]) }
	pair := func(i [2]int) [2]Point { return [2]Point{at(i[0]), at(i[1])} }
	f = Face{
		LeftEye: point(m.Iris[0][0]), RightEye: point(m.Iris[1][0]),
		Nose: at(meshNoseTip), MouthLeft: at(meshMouthL), MouthRight: at(meshMouthR),
		UpperLip: at(meshUpperLip), LowerLip: at(meshLowerLip), Chin: at(meshChin),
		Landmarks: Landmarks{
			EyeOuter: pair(meshEyeOuter), EyeInner: pair(meshEyeInner),
			BrowOuter: pair(meshBrowOuter), BrowMid: pair(meshBrowMid), BrowInner: pair(meshBrowInner),
		},
		Score: 100 * score,
	}
	ied := f.IED()
	if !(ied > 2) {
		return Face{}, false
	}
	side := f.size() * boxPerIED
	roll := f.Roll() * math.Pi / 180
	sin, cos := math.Sincos(roll)
	mid := f.EyeMid()
	f.X, f.Y = mid.X-eyesInBox*side*sin-side/2, mid.Y+eyesInBox*side*cos-side/2
	f.W, f.H = side, side
	f.Shape = shapeOf(m, &f, size)
	return f, true
}

// shapeOf measures a mesh.
func shapeOf(m *infer.Mesh, f *Face, size image.Point) Shape {
	s := Shape{Known: true}
	s.Yaw, s.Pitch, s.Roll = headPose(m)
	at := func(i int) Point { return point(m.Points[i]) }
	apart := func(i [2]int) float64 { p, q := at(i[0]), at(i[1]); return math.Hypot(p.X-q.X, p.Y-q.Y) }
	mid := f.EyeMid()
	drop := math.Hypot(f.Chin.X-mid.X, f.Chin.Y-mid.Y)
	if !(drop > 1) {
		return Shape{}
	}
	for eye, pairs := range meshLids {
		for _, p := range pairs {
			s.Lids[eye] += apart(p) / 3 / drop
		}
	}
	for _, p := range meshLips {
		s.Lips = max(s.Lips, apart(p)/drop)
	}
	sin, cos := math.Sincos(f.Roll() * math.Pi / 180)
	local := func(p Point) (x, y float64) {
		dx, dy := p.X-mid.X, p.Y-mid.Y
		return dx*cos + dy*sin, dy*cos - dx*sin
	}
	for eye := range 2 {
		a, b := f.Landmarks.EyeOuter[eye], f.Landmarks.EyeInner[eye]
		half := math.Hypot(a.X-b.X, a.Y-b.Y) / 2
		if half < .5 {
			continue
		}
		ix, _ := local(point(m.Iris[eye][0]))
		ax, _ := local(a)
		bx, _ := local(b)
		s.GazeX += (ix - (ax+bx)/2) / half / 2
	}
	_, up := local(at(innerUpper))
	_, low := local(at(innerLower))
	_, l := local(f.MouthLeft)
	_, r := local(f.MouthRight)
	s.Smile = ((up+low)/2 - (l+r)/2) / drop
	out := 0
	for _, i := range meshOval {
		p := m.Points[i]
		if p.X < 0 || p.Y < 0 || p.X > float64(size.X) || p.Y > float64(size.Y) {
			out++
		}
	}
	s.Outside = float64(out) / float64(len(meshOval))
	return s
}

// headPose is how the average head is turned to lie over the mesh, in degrees:
// the rotation with the least weighted squared distance between the two, after
// Horn, "Closed-form solution of absolute orientation using unit quaternions"
// (1987).
func headPose(m *infer.Mesh) (yaw, pitch, roll float64) {
	var weight float64
	var a, b [3]float64 // centroids
	observed := func(i int) [3]float64 { return [3]float64{m.Points[i].X, -m.Points[i].Y, -m.Depth[i]} }
	for _, c := range canonical {
		q := observed(c.point)
		weight += c.weight
		for k, v := range [3]float64{c.x, c.y, c.z} {
			a[k] += c.weight * v
			b[k] += c.weight * q[k]
		}
	}
	for k := range 3 {
		a[k] /= weight
		b[k] /= weight
	}
	var s [3][3]float64
	for _, c := range canonical {
		q := observed(c.point)
		for j, v := range [3]float64{c.x - a[0], c.y - a[1], c.z - a[2]} {
			for k := range 3 {
				s[j][k] += c.weight * v * (q[k] - b[k])
			}
		}
	}
	n := [4][4]float64{
		{s[0][0] + s[1][1] + s[2][2], s[1][2] - s[2][1], s[2][0] - s[0][2], s[0][1] - s[1][0]},
		{0, s[0][0] - s[1][1] - s[2][2], s[0][1] + s[1][0], s[2][0] + s[0][2]},
		{0, 0, s[1][1] - s[0][0] - s[2][2], s[1][2] + s[2][1]},
		{0, 0, 0, s[2][2] - s[0][0] - s[1][1]},
	}
	// The eigenvector of the largest eigenvalue, by powers of the matrix, moved so
	// that all eigenvalues are positive.
	norm := 0.
	for j := range 4 {
		for k := range j {
			n[j][k] = n[k][j]
		}
	}
	for _, row := range n {
		for _, v := range row {
			norm += v * v
		}
	}
	norm = math.Sqrt(norm)
	if !(norm > 0) || math.IsInf(norm, 0) {
		return 0, 0, 0
	}
	q := [4]float64{1, .01, .01, .01}
	const rounds = 64
	for range rounds {
		var p [4]float64
		length := 0.
		for j := range 4 {
			p[j] = norm * q[j]
			for k := range 4 {
				p[j] += n[j][k] * q[k]
			}
			length += p[j] * p[j]
		}
		length = math.Sqrt(length)
		for j := range 4 {
			q[j] = p[j] / length
		}
	}
	w, x, y, z := q[0], q[1], q[2], q[3]
	// Where the head's own axes point: its right (in the picture) and its front.
	right := [3]float64{1 - 2*(y*y+z*z), 2 * (x*y + w*z), 2 * (x*z - w*y)}
	front := [3]float64{2 * (x*z + w*y), 2 * (y*z - w*x), 1 - 2*(x*x+y*y)}
	const degrees = 180 / math.Pi
	tilt := math.Atan2(-right[1], right[0])
	// Yaw and pitch are those of the head before it was tilted.
	sin, cos := math.Sincos(tilt)
	aside, up := front[0]*cos-front[1]*sin, front[1]*cos+front[0]*sin
	return turnGain * math.Atan2(aside, front[2]) * degrees,
		nodGain * (math.Asin(min(max(up, -1), 1))*degrees + lowered),
		tilt * degrees
}
