package face

import (
	"fmt"
	"image"

	"github.com/yunzhao-station/yunzhao/pipeline/infer"
)

// The networks find faces that the cascades do not: turned, tilted, partly
// covered and small ones. The cascades find what the networks are not sure of,
// and their answers are held to the mesh.

const (
	// minDetection is the detector's score from which on a mesh is tried.
	minDetection = .5
	// sureDetection is the score that counts although no mesh fits: a face that is
	// turned far away, or half behind somebody.
	sureDetection = .8
	// wideFrame is the proportion of sides from which on a photo may be searched
	// again in two overlapping squares, detectable the face size below which it is,
	// as a share of the longer side: the detector sees 256 pixels of that.
	wideFrame  = 1.25
	detectable = 14. / 256
	// beside is the size of a second face, over the first one's, below which
	// nobody asks who it is: a fifteenth of its area.
	beside = .26
)

// colourOf checks that the colour picture is the grey one's.
func colourOf(opt Options, v view) (*image.RGBA, error) {
	m := opt.Colour
	if m == nil {
		return nil, nil
	}
	if m.Rect.Dx() != v.w || m.Rect.Dy() != v.h {
		return nil, fmt.Errorf("%w: %v in colour, %dx%d in grey", errPicture, m.Rect, v.w, v.h)
	}
	return m, nil
}

// halves searches the two overlapping squares of a wide or a tall picture.
func (d *Detector) halves(m *image.RGBA) ([]infer.Detection, error) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	side := min(w, h)
	var found []infer.Detection
	for _, corner := range [2]image.Point{{}, {w - side, h - side}} {
		part, ok := m.SubImage(image.Rectangle{Min: corner, Max: corner.Add(image.Pt(side, side))}.Add(m.Rect.Min)).(*image.RGBA)
		if !ok {
			continue
		}
		more, err := d.nets.Detect(part, nil)
		if err != nil {
			return nil, err
		}
		for _, f := range more {
			found = append(found, f.Offset(float64(corner.X), float64(corner.Y)))
		}
	}
	return found, nil
}

// meshed lays the mesh over a region; ok is false when it shows no face. The
// mesh is laid twice when the first one says that the region was badly chosen:
// the network is at its best on a face that is upright and fills its input.
func (d *Detector) meshed(m *image.RGBA, r infer.Region, score float64, s *scratch) (f Face, ok bool, err error) {
	for range 2 {
		if err := d.nets.Mesh(m, r, &s.mesh); err != nil {
			return Face{}, false, err
		}
		if f, ok = ofMesh(&s.mesh, score, m.Rect.Size()); !ok {
			return Face{}, false, nil
		}
		better := overFace(&f)
		if near(better, r) {
			break
		}
		r = better
	}
	return f, true, nil
}

// near tells whether two regions show a face alike.
func near(a, b infer.Region) bool {
	return within(a.Side/b.Side, .8, 1.25) && within(a.Roll-b.Roll, -.12, .12) &&
		within(a.CX-b.CX, -.1*b.Side, .1*b.Side) && within(a.CY-b.CY, -.1*b.Side, .1*b.Side)
}

// netFaces are the faces that the networks see in the whole picture, the surest
// first.
func (d *Detector) netFaces(m *image.RGBA, opt Options, s *scratch) ([]Face, error) {
	found, err := d.nets.Detect(m, nil)
	if err != nil {
		return nil, err
	}
	return d.add(nil, found, m, opt, s)
}

// add appends the faces among the detections that are not in faces yet.
func (d *Detector) add(faces []Face, found []infer.Detection, m *image.RGBA, opt Options, s *scratch) ([]Face, error) {
	for _, w := range found {
		if w.Score < minDetection || len(faces) == opt.MaxFaces {
			continue
		}
		f, ok, err := d.meshed(m, overBox(w), w.Score, s)
		if err != nil {
			return nil, err
		}
		if !ok {
			if w.Score < sureDetection {
				continue
			}
			f = ofDetection(w)
		}
		if f.W >= opt.MinSize && f.W <= opt.MaxSize*1.3 && !known(faces, f) {
			faces = append(faces, f)
		}
	}
	return faces, nil
}

// ofDetection makes a face of the detector's six points alone.
func ofDetection(w infer.Detection) Face {
	f := Face{
		LeftEye: point(w.LeftEye), RightEye: point(w.RightEye), Nose: point(w.Nose), Score: 100 * w.Score,
	}
	m := point(w.Mouth)
	e := f.EyeMid()
	size := max(f.IED(), w.W*.45)
	ux, uy := (f.RightEye.X-f.LeftEye.X)/max(f.IED(), 1), (f.RightEye.Y-f.LeftEye.Y)/max(f.IED(), 1)
	f.MouthLeft = Point{m.X - .4*size*ux, m.Y - .4*size*uy}
	f.MouthRight = Point{m.X + .4*size*ux, m.Y + .4*size*uy}
	f.UpperLip = Point{m.X + .1*size*uy, m.Y - .1*size*ux}
	f.LowerLip = Point{m.X - .1*size*uy, m.Y + .1*size*ux}
	for i, eye := range [2]Point{f.LeftEye, f.RightEye} {
		out := float64(2*i - 1)
		f.Landmarks.EyeOuter[i] = Point{eye.X + .2*size*out*ux, eye.Y + .2*size*out*uy}
		f.Landmarks.EyeInner[i] = Point{eye.X - .2*size*out*ux, eye.Y - .2*size*out*uy}
		f.Landmarks.BrowMid[i] = Point{eye.X + .33*size*uy, eye.Y - .33*size*ux}
		f.Landmarks.BrowOuter[i] = Point{f.Landmarks.EyeOuter[i].X + .3*size*uy, f.Landmarks.EyeOuter[i].Y - .3*size*ux}
		f.Landmarks.BrowInner[i] = Point{f.Landmarks.EyeInner[i].X + .3*size*uy, f.Landmarks.EyeInner[i].Y - .3*size*ux}
	}
	f.Chin = Point{e.X + 1.7*(m.X-e.X), e.Y + 1.7*(m.Y-e.Y)}
	side := size * boxPerIED
	f.X, f.Y = e.X-eyesInBox*side*uy-side/2, e.Y+eyesInBox*side*ux-side/2
	f.W, f.H = side, side
	return f
}

// known tells whether one of the faces is f.
func known(faces []Face, f Face) bool {
	for _, g := range faces {
		if sameEyes(f, g) || sameFace(g, window{x: f.X + f.W/2, y: f.Y + f.H/2, size: f.W}) {
			return true
		}
	}
	return false
}

// both joins what the networks and the cascades see in a photo.
func (d *Detector) both(v view, m *image.RGBA, opt Options, s *scratch) ([]Face, error) {
	faces, err := d.netFaces(m, opt, s)
	if err != nil {
		return nil, err
	}
	largest := 0.
	for i := range faces {
		largest = max(largest, faces[i].W)
	}
	// Somebody much smaller than the main person is no matter.
	least := max(opt.MinSize, beside*largest)
	long, short := float64(max(v.w, v.h)), float64(min(v.w, v.h))
	if len(faces) < opt.MaxFaces && long > wideFrame*short && least < detectable*long {
		found, err := d.halves(m)
		if err != nil {
			return nil, err
		}
		if faces, err = d.add(faces, found, m, opt, s); err != nil {
			return nil, err
		}
	}
	sure := len(faces) > 0
	if len(faces) == opt.MaxFaces {
		return faces, nil
	}
	search := opt
	if sure {
		// Where the networks see somebody, the cascades look for more people alone.
		search.Upright, search.MinSize = true, least
	}
	for _, c := range d.detect(v, search, s) {
		if known(faces, c) || len(faces) == opt.MaxFaces {
			continue
		}
		f, ok, err := d.meshed(m, overFace(&c), c.Score/100, s)
		if err != nil {
			return nil, err
		}
		switch {
		case ok && !known(faces, f):
			faces = append(faces, f)
		case !ok && !sure:
			faces = append(faces, c)
		}
	}
	return faces, nil
}
