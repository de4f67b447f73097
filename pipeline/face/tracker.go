package face

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"slices"
)

// Tracker follows the people before the camera from picture to picture for
// the live preview. It looks for the main face near where it was, which takes
// a tenth of a full search, and searches the whole picture when the face is
// lost and every few pictures for somebody else. It is owned by one goroutine.
type Tracker struct {
	d      *Detector
	s      scratch
	faces  []Face
	size   image.Point // of the picture the faces were found in
	since  int         // pictures since the last full search
	sweeps int         // full searches so far
}

// refreshEvery is after how many pictures the whole of one is searched again:
// at a dozen pictures a second an onlooker is noticed within a second.
const refreshEvery = 8

// NewTracker makes a Tracker that has seen nobody yet.
func (d *Detector) NewTracker() *Tracker { return &Tracker{d: d} }

// Reset forgets everybody; call it between students.
func (t *Tracker) Reset() { t.faces, t.since, t.sweeps = nil, 0, 0 }

// Update returns the faces in the next picture, largest first, in its pixels.
// Faces other than the main one may lie where the last full search saw them.
// The answer is valid until the next call. The error is Detect's.
func (t *Tracker) Update(gray *image.Gray, opt Options) ([]Face, error) {
	v, err := viewOf(gray)
	if err != nil {
		return nil, err
	}
	opt = opt.withDefaults(v)
	opt.votes = fewVotes
	if size := gray.Rect.Size(); size != t.size {
		t.faces, t.size = t.faces[:0], size
	}
	m, err := colourOf(opt, v)
	if err != nil {
		return nil, err
	}
	if m != nil && v.w >= minWork && v.h >= minWork {
		return t.updateMesh(v, m, opt)
	}
	if len(t.faces) > 0 && t.since < refreshEvery {
		if f, ok := t.follow(v, t.faces[0], opt); ok {
			t.since++
			t.faces[0] = f
			return t.faces, nil
		}
	}
	// A tilted search at every sweep would halve the rate: take turns, and only
	// while nobody is seen upright.
	t.since = 0
	t.sweeps++
	upright := opt
	upright.Upright = true
	t.faces = t.d.detect(v, upright, &t.s)
	if len(t.faces) == 0 && !opt.Upright {
		tilt := searchTilt
		if t.sweeps%2 == 0 {
			tilt = -tilt
		}
		t.faces = t.d.sweep(v, []float64{tilt}, opt, &t.s)
	}
	return t.faces, nil
}

// follow looks for last's successor around it, at about its size and tilt.
func (t *Tracker) follow(v view, last Face, opt Options) (Face, bool) {
	const reach, smaller, larger = .95, .75, 1.35
	cx, cy, size := last.X+last.W/2, last.Y+last.H/2, last.W
	x0, y0 := max(int(cx-reach*size), 0), max(int(cy-reach*size), 0)
	x1, y1 := min(int(cx+reach*size), v.w), min(int(cy+reach*size), v.h)
	if x1-x0 < minWork || y1-y0 < minWork {
		return Face{}, false
	}
	// The finder answers the same for an 80 px face as for a larger one.
	k := max(int(size/80+.5), 1)
	near := v.crop(x0, y0, x1, y1).shrink(k, &t.s.work)
	opt.MinSize, opt.MaxSize = max(smaller*size, opt.MinSize), min(larger*size, opt.MaxSize)
	tilt := 0.0
	if roll := last.Roll() * math.Pi / 180; math.Abs(roll) > searchTilt/2 {
		tilt = math.Copysign(searchTilt, roll)
	}
	var best Face
	for _, w := range t.d.windows(near, tilt, opt, float64(k), nil, &t.s) {
		w.x += float64(x0)
		w.y += float64(y0)
		if w.score < opt.MinScore || w.score <= best.Score {
			continue
		}
		if f, ok := t.d.landmarks(v, w, opt.votes, &t.s); ok {
			best = f
		}
	}
	return best, best.Score > 0
}

// updateMesh is Update with the networks: the mesh itself tells where the face
// is in the next picture, and whether there still is one.
func (t *Tracker) updateMesh(v view, m *image.RGBA, opt Options) ([]Face, error) {
	if len(t.faces) > 0 && t.since < refreshEvery {
		f, ok, err := t.d.meshed(m, overFace(&t.faces[0]), t.faces[0].Score/100, &t.s)
		if err != nil {
			return nil, fmt.Errorf("face: %w", err)
		}
		if ok && f.W >= opt.MinSize {
			t.since++
			t.faces[0] = f
			return t.faces, nil
		}
	}
	t.since = 0
	t.sweeps++
	faces, err := t.d.netFaces(m, opt, &t.s)
	if err != nil {
		return nil, fmt.Errorf("face: %w", err)
	}
	if len(faces) == 0 {
		opt.Upright = true
		for _, f := range t.d.detect(v, opt, &t.s) {
			g, ok, err := t.d.meshed(m, overFace(&f), f.Score/100, &t.s)
			if err != nil {
				return nil, fmt.Errorf("face: %w", err)
			}
			if ok {
				f = g
			}
			faces = append(faces, f)
		}
	}
	slices.SortStableFunc(faces, func(a, b Face) int { return cmp.Compare(b.Area(), a.Area()) })
	t.faces = faces
	return t.faces, nil
}
