package face

import (
	"math"
	"sync"
)

// landmarks searches the pupils and all other points in and around w, and
// tells whether they make a face. All answers are in pixels of v.
func (d *Detector) landmarks(v view, w window, votes int, s *scratch) (Face, bool) {
	// Cut a patch around the window, at a size the forests like.
	r := w.size * 1.2
	x0, y0 := int(max(w.x-r, 0)), int(max(w.y-r, 0))
	x1, y1 := int(min(w.x+r, float64(v.w))), int(min(w.y+r, float64(v.h)))
	if x1-x0 < minWork || y1-y0 < minWork {
		return Face{}, false
	}
	k := max(int(w.size/lmSide+.5), 1)
	patch := v.crop(x0, y0, x1, y1).shrink(k, &s.patch)
	kf := float64(k)
	cx, cy, size := (w.x-float64(x0))/kf, (w.y-float64(y0))/kf, w.size/kf

	var f Face
	f.Score = w.score
	f.X, f.Y, f.W, f.H = cx-size/2, cy-size/2, size, size
	d.pupils(patch, w.roll, cx, cy, size, votes, &f)
	// Search again along the eye line just found: the forests were trained on
	// upright faces, and the finder accepts up to 15° of tilt either way.
	roll := f.Roll() * math.Pi / 180
	if math.Abs(roll) > maxRoll {
		return Face{}, false
	}
	d.pupils(patch, roll, cx, cy, size, votes, &f)
	roll = f.Roll() * math.Pi / 180
	ied := f.IED()
	// The finder's window is eyes, nose and mouth; pupils elsewhere in it mean
	// that it was not a face.
	if ratio := ied / size; ratio < .28 || ratio > .62 || math.Abs(roll) > maxRoll {
		return Face{}, false
	}
	d.rest(patch, roll, ied, votes, &f)
	if !plausible(&f, roll, ied) {
		return Face{}, false
	}
	f.Chin = chin(&f, ied)
	return f.Scale(kf).Offset(float64(x0), float64(y0)), true
}

// maxRoll is the largest tilt reported, in radians: beyond it the finder would
// not have answered, so such an eye line is a mistake.
const maxRoll = 40 * math.Pi / 180

// pupils searches both pupils of a face whose window is centred at (cx, cy).
func (d *Detector) pupils(v view, roll, cx, cy, size float64, votes int, f *Face) {
	sin, cos := math.Sincos(roll)
	var spread [2]float64
	var eyes [2]Point
	sides(votes, func(side int) {
		// Where pupils lie in the finder's window, and how large their own is.
		lx, ly, mirror := -.18*size, -.075*size, side == 1
		if mirror {
			lx = -lx
		}
		px, py, sp := d.pupil.locate(v.at(roll, mirror), cx+lx*cos-ly*sin, cy+lx*sin+ly*cos, .25*size, votes)
		eyes[side], spread[side] = Point{px, py}, sp*.25*size
	})
	f.LeftEye, f.RightEye = eyes[0], eyes[1]
	f.Spread = max(spread[0], spread[1]) / max(f.IED(), 1)
}

// sides runs f for the left (0) and the right (1) of the face: at once where a
// photo is waited for, one after the other in a preview, which has to leave the
// other core to the screen.
func sides(votes int, f func(side int)) {
	if votes <= fewVotes {
		f(0)
		f(1)
		return
	}
	var done sync.WaitGroup
	done.Go(func() { f(1) })
	f(0)
	done.Wait()
}

// rest searches every other landmark from the pupils.
func (d *Detector) rest(v view, roll, ied float64, votes int, f *Face) {
	sin, cos := math.Sincos(roll)
	m := f.EyeMid()
	// The forests start a quarter of the eye distance below the eyes, a little to
	// the side they are for, and see a window of three eye distances.
	var points [2][numModels]Point
	sides(votes, func(side int) {
		lx, ly := .15*ied, .25*ied
		for model := range points[side] {
			x, y, _ := d.points[model].locate(v.at(roll, side == 1), m.X+lx*cos-ly*sin, m.Y+lx*sin+ly*cos, 3*ied, votes)
			points[side][model] = Point{x, y}
		}
	})
	both := func(model int) [2]Point { return [2]Point{points[0][model], points[1][model]} }
	mid := func(model int) Point {
		p := both(model)
		return Point{(p[0].X + p[1].X) / 2, (p[0].Y + p[1].Y) / 2}
	}
	f.Landmarks = Landmarks{
		EyeOuter: both(eyeOuter), EyeInner: both(eyeInner),
		BrowOuter: both(browOuter), BrowInner: both(browInner), BrowMid: both(browMid),
	}
	f.Nose, f.UpperLip, f.LowerLip = mid(noseTip), mid(upperLip), mid(lowerLip)
	corners := both(mouthCorner)
	f.MouthLeft, f.MouthRight = corners[0], corners[1]
}

// plausible tells whether the points lie as on a face turned up to some 45°.
// Distances are in units of the eye distance, along and across the eye line.
// Cloth, foliage and wallpaper that pass the finder scatter their points.
func plausible(f *Face, roll, ied float64) bool {
	if f.Spread > .16 {
		return false
	}
	sin, cos := math.Sincos(roll)
	m := f.EyeMid()
	local := func(p Point) (x, y float64) {
		dx, dy := (p.X-m.X)/ied, (p.Y-m.Y)/ied
		return dx*cos + dy*sin, -dx*sin + dy*cos
	}
	nx, ny := local(f.Nose)
	lx, ly := local(f.MouthLeft)
	rx, ry := local(f.MouthRight)
	_, uy := local(f.UpperLip)
	_, by := local(f.LowerLip)
	return within(nx, -.45, .45) && within(ny, .3, 1.05) &&
		within(rx-lx, .35, 1.6) && within((lx+rx)/2, -.4, .4) &&
		within((ly+ry)/2, .65, 1.7) && math.Abs(ly-ry) < .35 &&
		(ly+ry)/2-ny > .1 && by > uy
}

// chin estimates the lowest point of the chin: on adult faces it lies 1.70
// eye-to-mouth distances, and 1.85 eye distances, below the eyes. The first
// shrinks when the head nods, the second when it turns; their mean errs less
// than either.
func chin(f *Face, ied float64) Point {
	e, m := f.EyeMid(), f.MouthMid()
	dx, dy := m.X-e.X, m.Y-e.Y
	n := math.Hypot(dx, dy)
	if n == 0 {
		return m
	}
	k := (1.70*n + 1.85*ied) / 2 / n
	return Point{e.X + dx*k, e.Y + dy*k}
}

func within(v, lo, hi float64) bool { return v >= lo && v <= hi }
