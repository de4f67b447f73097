// Package face finds faces and their landmarks in a picture.
//
// It knows nothing about rules, students or files: it answers where
// faces are, and leaves what that means to its callers. The same picture always
// gives the same answer. Left and right are those of the picture, so a person
// who looks into the camera has the right eye at LeftEye.
package face

import "math"

// Point is a position in pixels; whole numbers are pixel corners, so the centre
// of the first pixel is (0.5, 0.5).
type Point struct{ X, Y float64 }

// Face is one face, in pixels of the picture it was found in.
type Face struct {
	// The box is a square around brows, eyes, nose and mouth, from the middle of
	// the forehead to the lower lip or a little below; the chin is outside it.
	X, Y, W, H float64

	LeftEye, RightEye     Point // pupils
	Nose                  Point // tip of the nose
	MouthLeft, MouthRight Point // corners of the mouth
	UpperLip, LowerLip    Point // middle of the lips' outer edges
	Chin                  Point // lowest point; without a Shape, by the proportions of eyes and mouth
	Landmarks             Landmarks
	Shape                 Shape

	// Score is the finder's: the sum over all windows that agreed on this face.
	Score float64
	// Spread tells how far independent searches disagreed about the pupils, in
	// units of the distance between the eyes: below 0.05 on clear faces.
	Spread float64
}

// Landmarks are the finer points around the eyes, mirrored pairs: index 0 is
// on the left of the picture, index 1 on its right.
type Landmarks struct {
	EyeOuter, EyeInner   [2]Point // corners of the eyes
	BrowOuter, BrowInner [2]Point // ends of the eyebrows
	BrowMid              [2]Point
}

// IED is the distance between the pupils in pixels.
func (f *Face) IED() float64 {
	return math.Hypot(f.RightEye.X-f.LeftEye.X, f.RightEye.Y-f.LeftEye.Y)
}

// Roll is the tilt of the eye line in degrees, positive when the eye on the
// right of the picture is the lower one (the picture of the head is turned
// clockwise; the person has tilted towards their own left shoulder).
func (f *Face) Roll() float64 {
	return math.Atan2(f.RightEye.Y-f.LeftEye.Y, f.RightEye.X-f.LeftEye.X) * 180 / math.Pi
}

// EyeMid is the point halfway between the pupils.
func (f *Face) EyeMid() Point {
	return Point{(f.LeftEye.X + f.RightEye.X) / 2, (f.LeftEye.Y + f.RightEye.Y) / 2}
}

// MouthMid is the point halfway between the corners of the mouth.
func (f *Face) MouthMid() Point {
	return Point{(f.MouthLeft.X + f.MouthRight.X) / 2, (f.MouthLeft.Y + f.MouthRight.Y) / 2}
}

// Area of the box in square pixels.
func (f *Face) Area() float64 { return f.W * f.H }

// Scale returns the face as it lies in the picture enlarged by k.
func (f Face) Scale(k float64) Face {
	return f.transform(func(p Point) Point { return Point{p.X * k, p.Y * k} }, k)
}

// Offset returns the face moved by (dx, dy).
func (f Face) Offset(dx, dy float64) Face {
	return f.transform(func(p Point) Point { return Point{p.X + dx, p.Y + dy} }, 1)
}

// transform maps every point with m, and the box's sides by k about its centre.
func (f Face) transform(m func(Point) Point, k float64) Face {
	c := m(Point{f.X + f.W/2, f.Y + f.H/2})
	f.W *= k
	f.H *= k
	f.X, f.Y = c.X-f.W/2, c.Y-f.H/2
	for _, p := range []*Point{
		&f.LeftEye, &f.RightEye, &f.Nose, &f.MouthLeft, &f.MouthRight, &f.UpperLip, &f.LowerLip, &f.Chin,
	} {
		*p = m(*p)
	}
	l := &f.Landmarks
	for _, pair := range []*[2]Point{&l.EyeOuter, &l.EyeInner, &l.BrowOuter, &l.BrowInner, &l.BrowMid} {
		pair[0], pair[1] = m(pair[0]), m(pair[1])
	}
	return f
}
