package quality

import (
	"image"

	"github.com/yunzhao-station/yunzhao/pipeline/face"
)

// momentUnit is the pixels per eye distance at which moments are compared: a
// lid that is open measures four of them, and a patch takes a few milliseconds.
const momentUnit = 48

// Moment is what changes from one instant of a sitting to the next. The
// numbers compare frames of one burst with each other; the rules are measured
// by Full.
type Moment struct {
	EyesOpen  float64 // as eyes_open
	EyesKnown bool
	MouthGap  float64 // as mouth_closed
	LipsKnown bool
	// Detail is the mean squared difference of neighbouring pixels over the face,
	// in gray levels²: it falls with blur from focus and motion alike.
	Detail float64
}

// Moment measures face f in the frame, which may be a reduced one. It reports
// false when the face has no usable eyes.
func (m *Meter) Moment(frame *image.RGBA, f face.Face) (Moment, bool) {
	if frame == nil || !whole(frame, frame.Rect.Dx(), frame.Rect.Dy()) {
		return Moment{}, false
	}
	p := m.patch()
	defer m.patches.Put(p)
	if !p.cut(frame, f, momentUnit) {
		return Moment{}, false
	}
	var r Moment
	r.EyesOpen, r.EyesKnown = p.eyesOpen()
	r.MouthGap, r.LipsKnown = p.mouthGap()
	// Between frames of one person, what is dark or bright between the lips counts
	// too: the finer of two signs that somebody speaks.
	if gap, ok := p.lipGap(); ok {
		r.MouthGap, r.LipsKnown = max(r.MouthGap, gap), true
	}
	n := 0
	p.faceMask(func(i int) {
		if i+p.w+1 >= len(p.luma) {
			return
		}
		dx, dy := float64(p.luma[i+1]-p.luma[i]), float64(p.luma[i+p.w]-p.luma[i])
		r.Detail += dx*dx + dy*dy
		n++
	})
	r.Detail /= float64(max(n, 1))
	return r, true
}
