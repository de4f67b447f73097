package face

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"slices"
	"sync"

	"github.com/yunzhao-station/yunzhao/assets/cascades"
	"github.com/yunzhao-station/yunzhao/pipeline/infer"
)

// Options narrow a search. The zero value is a thorough search of a whole
// kiosk frame.
type Options struct {
	// MinSize and MaxSize bound the side of the face box in pixels. Zero means a
	// tenth of the picture's shorter side, and all of it.
	MinSize, MaxSize float64
	// MinScore is the least finder score a face must reach; zero means
	// DefaultMinScore.
	MinScore float64
	// Upright skips the searches for heads tilted beyond about 15°, which
	// together take twice as long as the upright one.
	Upright bool
	// MaxFaces bounds how many faces get landmarks, best scores first; zero
	// means DefaultMaxFaces.
	MaxFaces int
	// Colour is the same picture in colour. With it the networks are asked too,
	// and faces come with a Shape; nil: the cascades alone.
	Colour *image.RGBA

	votes int // searches for each landmark
}

// Defaults of Options.
const (
	// DefaultMinScore: real faces score 50 and more down to 40 px, windows on
	// cloth, wallpaper and noise that pass the finder at all mostly below 10.
	DefaultMinScore = 20
	// faintScore is the least for the only face in a picture.
	faintScore = 6
	// DefaultMaxFaces: a booth has one person and a few onlookers.
	DefaultMaxFaces = 8
)

const (
	workSide = 640 // longest side the finder looks at
	minWork  = 20  // smallest window in the working picture; below it everything looks like a face
	// lmSide is how large a face is when landmarks are searched: beyond it the
	// forests, which compare single pixels, would only see more noise.
	lmSide = 240
	// searchTilt is the angle of the tilted searches, in radians (20°): the
	// finder itself tolerates about ±15°, so they meet.
	searchTilt = 20 * math.Pi / 180
)

// Detector finds faces. It is safe for concurrent use; its buffers are pooled.
type Detector struct {
	nets    *infer.Nets
	finder  *finder
	pupil   *forest
	points  [numModels]*forest
	scratch sync.Pool // *scratch
}

type scratch struct {
	work, turned, patch []uint8
	places              []place
	mesh                infer.Mesh
}

// The landmark models, each named after its file.
const (
	browOuter = iota
	browMid
	browInner
	eyeInner
	eyeOuter
	noseTip
	mouthCorner
	upperLip
	lowerLip
	numModels
)

var modelFiles = [numModels]string{
	browOuter: "lp46", browMid: "lp44", browInner: "lp42",
	eyeInner: "lp38", eyeOuter: "lp312",
	noseTip: "lp93", mouthCorner: "lp84", upperLip: "lp81", lowerLip: "lp82",
}

// NewDetector unpacks the embedded models (about 8 MB) once.
func NewDetector() (*Detector, error) {
	d := &Detector{nets: infer.New()}
	d.scratch.New = func() any { return new(scratch) }
	b, err := cascades.Read(cascades.FaceFinder)
	if err != nil {
		return nil, fmt.Errorf("face: load finder: %w", err)
	}
	if d.finder, err = parseFinder(b); err != nil {
		return nil, fmt.Errorf("face: unpack finder: %w", err)
	}
	load := func(name string) (*forest, error) {
		b, err := cascades.Read(name)
		if err != nil {
			return nil, fmt.Errorf("face: load landmark model: %w", err)
		}
		f, err := parseForest(b)
		if err != nil {
			return nil, fmt.Errorf("face: unpack landmark model %q: %w", name, err)
		}
		return f, nil
	}
	if d.pupil, err = load(cascades.Pupil); err != nil {
		return nil, err
	}
	for i, name := range modelFiles {
		if d.points[i], err = load(name); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// window is one place the finder liked, in pixels.
type window struct{ x, y, size, score, roll float64 }

// Detect returns the faces in gray, largest first, in pixels from the corner
// of gray's rectangle. No face is an empty answer, not an error; the only
// error is a picture whose buffer is shorter than its rectangle.
func (d *Detector) Detect(gray *image.Gray, opt Options) ([]Face, error) {
	v, err := viewOf(gray)
	if err != nil {
		return nil, err
	}
	s := d.scratch.Get().(*scratch) //nolint:errcheck // the pool holds nothing else
	defer d.scratch.Put(s)
	opt = opt.withDefaults(v)
	m, err := colourOf(opt, v)
	if err != nil {
		return nil, err
	}
	var faces []Face
	if m == nil || v.w < minWork || v.h < minWork {
		faces = d.detect(v, opt, s)
	} else if faces, err = d.both(v, m, opt, s); err != nil {
		return nil, fmt.Errorf("face: %w", err)
	}
	slices.SortStableFunc(faces, func(a, b Face) int { return cmp.Compare(b.Area(), a.Area()) })
	return faces, nil
}

// Person tells where somebody is in m: infer's Nets.Person, with the networks
// that the detector already has.
func (d *Detector) Person(m *image.RGBA, dst []float32) error { return d.nets.Person(m, dst) }

// Wipe overwrites what the networks hold of the last picture.
func (d *Detector) Wipe() { d.nets.Wipe() }

// Close frees the networks, which live outside Go's heap; the Detector is of no
// use afterwards.
func (d *Detector) Close() error {
	if err := d.nets.Close(); err != nil {
		return fmt.Errorf("face: %w", err)
	}
	return nil
}

func (o Options) withDefaults(v view) Options {
	short := float64(min(v.w, v.h))
	if !(o.MinSize > 0) {
		o.MinSize = short / 10
	}
	if !(o.MaxSize > 0) || o.MaxSize > short {
		o.MaxSize = short
	}
	if !(o.MinScore > 0) {
		o.MinScore = DefaultMinScore
	}
	if o.MaxFaces <= 0 {
		o.MaxFaces = DefaultMaxFaces
	}
	o.votes = manyVotes
	return o
}

func (d *Detector) detect(v view, opt Options, s *scratch) []Face {
	if opt.Upright {
		return d.sweep(v, []float64{0}, opt, s)
	}
	return d.sweep(v, []float64{0, -searchTilt, searchTilt}, opt, s)
}

// sweep searches the whole picture for faces tilted by about the angles given.
func (d *Detector) sweep(v view, tilts []float64, opt Options, s *scratch) []Face {
	if v.w < minWork || v.h < minWork {
		return nil
	}
	k := max((max(v.w, v.h)+workSide-1)/workSide, 1)
	work := v.shrink(k, &s.work)
	var found []window
	for _, tilt := range tilts {
		found = d.windows(work, tilt, opt, float64(k), found, s)
	}
	slices.SortFunc(found, func(a, b window) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x))
	})
	faces := d.accept(v, found, opt, s)
	if len(faces) == 0 && opt.MinScore >= DefaultMinScore && opt.votes == manyVotes {
		// A face half under hair or behind a strong shadow scores little. On a photo
		// with nobody else, it is worth a look at its landmarks; a preview must not
		// see somebody in an empty booth.
		opt.MinScore, opt.MaxFaces = faintScore, 1
		faces = d.accept(v, found, opt, s)
	}
	slices.SortStableFunc(faces, func(a, b Face) int { return cmp.Compare(b.Area(), a.Area()) })
	return faces
}

// accept turns windows, best first, into faces.
func (d *Detector) accept(v view, found []window, opt Options, s *scratch) []Face {
	var faces []Face
	for _, w := range found {
		if len(faces) == opt.MaxFaces {
			break
		}
		if w.score < opt.MinScore || slices.ContainsFunc(faces, func(f Face) bool { return sameFace(f, w) }) {
			continue
		}
		if f, ok := d.landmarks(v, w, opt.votes, s); ok &&
			!slices.ContainsFunc(faces, func(g Face) bool { return sameEyes(f, g) }) {
			faces = append(faces, f)
		}
	}
	return faces
}

// windows runs the finder over the working picture turned by −tilt, so that
// heads rolled by tilt stand upright, and appends what it liked to found.
func (d *Detector) windows(work view, tilt float64, opt Options, k float64, found []window, s *scratch) []window {
	lo := max(opt.MinSize/k, minWork)
	turned, back := work, func(x, y float64) (float64, float64) { return x, y }
	var inside func(row int) (from, to int)
	if tilt != 0 {
		turned, back = work.rotate(-tilt, &s.turned)
		inside = func(row int) (from, to int) { return work.span(turned, -tilt, row) }
		// A small face in the background that is also tilted is nobody's mistake
		// to fear; it would cost most of the time.
		lo = max(lo, minWork*1.4)
	}
	hi := min(opt.MaxSize/k, float64(min(turned.w, turned.h)))
	if hi < lo || turned.w < minWork || turned.h < minWork {
		return found
	}
	for _, w := range cluster(d.finder.search(turned, int(lo), int(hi), inside, &s.places)) {
		w.x, w.y = back(w.x, w.y)
		w.x, w.y, w.size, w.roll = w.x*k, w.y*k, w.size*k, tilt
		found = append(found, w)
	}
	return found
}

// cluster joins windows that overlap by more than a fifth (intersection over
// union) with the best of them, weighted by score.
func cluster(raw []hit) []window {
	slices.SortFunc(raw, func(a, b hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.row, b.row),
			cmp.Compare(a.col, b.col), cmp.Compare(a.size, b.size))
	})
	used := make([]bool, len(raw))
	var out []window
	for i, a := range raw {
		if used[i] {
			continue
		}
		var w window
		for j := i; j < len(raw); j++ {
			b := raw[j]
			if used[j] || overlap(a, b) <= .2 {
				continue
			}
			used[j] = true
			q := float64(b.score)
			w.x += q * (float64(b.col) + .5)
			w.y += q * (float64(b.row) + .5)
			w.size += q * float64(b.size)
			w.score += q
		}
		w.x, w.y, w.size = w.x/w.score, w.y/w.score, w.size/w.score
		out = append(out, w)
	}
	return out
}

func overlap(a, b hit) float64 {
	side := func(ca, cb int) float64 {
		return max(0, min(float64(ca)+float64(a.size)/2, float64(cb)+float64(b.size)/2)-
			max(float64(ca)-float64(a.size)/2, float64(cb)-float64(b.size)/2))
	}
	in := side(a.row, b.row) * side(a.col, b.col)
	return in / (float64(a.size*a.size) + float64(b.size*b.size) - in)
}

// sameFace tells whether window w is another view of the accepted face f.
func sameFace(f Face, w window) bool {
	cx, cy := f.X+f.W/2, f.Y+f.H/2
	return math.Hypot(w.x-cx, w.y-cy) < .5*max(f.W, w.size)
}

func sameEyes(a, b Face) bool {
	p, q := a.EyeMid(), b.EyeMid()
	return math.Hypot(p.X-q.X, p.Y-q.Y) < .5*max(a.IED(), b.IED())
}
