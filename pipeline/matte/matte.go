// Package matte separates the person from the booth's backdrop and puts another
// backdrop behind them.
//
// The station owns its backdrop, so the package works on a difference: a live
// frame against a plate, the picture of the empty booth. Segment fits the
// plate's light to the frame, measures what differs in units of the plate's own
// noise and cuts the person out coarsely; Render resamples the crop that
// becomes the portrait, decides which pixels are mixtures of person and
// backdrop, solves their coverage (alpha) and replaces the backdrop's share of
// their colour. Without a plate the backdrop is estimated from the frame's own
// border, or, where that is no plain wall, the person is told from it by colour
// (GrabCut), with an honestly lower confidence.
//
// The package knows pixels and geometry only. It must not know presets, checks,
// sessions, files or people, and it must not log.
package matte

// #include "kernels.h"
import "C"

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
)

// Errors that callers distinguish.
var (
	// ErrPlateSize: the plate was taken at another resolution than the frame.
	ErrPlateSize = errors.New("matte: plate and frame differ in size")
	// ErrStale: the segmentation's scratch has been reused or wiped since.
	ErrStale = errors.New("matte: segmentation is no longer valid")
)

// Point is a position in frame pixels; (0, 0) is the outer corner of the first
// pixel, whose centre is (0.5, 0.5).
type Point struct{ X, Y float64 }

// Rect is a rectangle in frame pixels. It may reach outside the frame.
type Rect struct{ X, Y, W, H float64 }

// FaceBox is the main face in frame pixels. X, Y, W and H are the detector's
// box. The eyes and the chin are optional (zero means unknown) but make the
// body prior independent of how a detector draws its box.
type FaceBox struct {
	X, Y, W, H float64
	EyeL, EyeR Point   // pupils, left and right in the picture
	ChinY      float64 // lowest point of the chin
}

// Method names where the knowledge of the backdrop came from.
type Method string

// The methods.
const (
	MethodPlate Method = "plate" // a plate of the empty booth
	MethodFrame Method = "frame" // estimated from the frame itself
)

// Portrait is a rendered crop; all images have the output size.
type Portrait struct {
	RGBA     *image.RGBA // the composite, opaque
	Alpha    *image.Gray // coverage of the person, 0..255
	Cut      *image.RGBA // the crop as photographed
	PlateCut *image.RGBA // the plate under the frame's light, cast shadow included; nil without a plate
	// PlateFlat is the plate under one gain per channel, so that a cast shadow
	// shows as the difference from Cut; nil without a plate.
	PlateFlat *image.RGBA
	// Confidence is the segmentation's, lowered by what the rim of the person left
	// open: 0 (a guess) .. 1 (sure).
	Confidence float64
}

// Matter segments and renders. It owns scratch memory that is reused from call
// to call, so one Matter serves one goroutine at a time and a Segmentation is
// valid only until its Matter's next Segment or Wipe.
type Matter struct {
	// People, unless nil, is asked where somebody is, and heeded where the plate
	// cannot tell: clothes of the wall's own colour, or no plate at all.
	People People

	seg  scratch // lives from Segment to the next Segment
	work scratch // lives within one call
	mix  []C.yz_mixture
	gen  uint64
}

// New returns a Matter without scratch; the first photo allocates it.
func New() *Matter { return &Matter{} }

// Wipe overwrites every pixel the Matter still holds with zeros and invalidates
// its segmentation.
func (m *Matter) Wipe() {
	m.gen++
	m.seg.wipe()
	m.work.wipe()
	clear(m.mix[:cap(m.mix)])
}

// scratch hands out the same buffers in the same order on every run.
type scratch struct {
	f32 pool[float32]
	f64 pool[float64]
	i32 pool[int32]
	u8  pool[uint8]
}

func (s *scratch) reset() { s.f32.next, s.f64.next, s.i32.next, s.u8.next = 0, 0, 0, 0 }

func (s *scratch) wipe() {
	s.f32.wipe()
	s.f64.wipe()
	s.i32.wipe()
	s.u8.wipe()
}

// planes returns three planes of n values with undefined contents.
func (s *scratch) planes(n int) [3][]float32 {
	return [3][]float32{s.f32.take(n), s.f32.take(n), s.f32.take(n)}
}

type pool[T float32 | float64 | int32 | uint8] struct {
	slabs [][]T
	next  int
}

// take returns a slice of n elements with undefined contents.
func (p *pool[T]) take(n int) []T {
	if p.next == len(p.slabs) {
		p.slabs = append(p.slabs, nil)
	}
	if cap(p.slabs[p.next]) < n {
		p.slabs[p.next] = make([]T, n+n/8)
	}
	s := p.slabs[p.next][:n]
	p.next++
	return s
}

// zero returns a slice of n zeros.
func (p *pool[T]) zero(n int) []T {
	s := p.take(n)
	clear(s)
	return s
}

func (p *pool[T]) wipe() {
	for _, s := range p.slabs {
		clear(s[:cap(s)])
	}
}

// head is the canonical geometry that the priors are written in: the box of a
// face about as wide as the head at the cheeks, eyes at 0.36 and chin at 1.08
// of its height.
type head struct{ cx, fx, fy, fw, fh, chin float64 }

const (
	eyeInBox    = 0.36 // eye line, in face heights below the box's top
	chinInBox   = 1.08 // chin, likewise
	widthPerIED = 2.4  // box width over inter-eye distance of an adult
)

func (f FaceBox) canonical() (head, error) {
	for _, v := range []float64{f.X, f.Y, f.W, f.H, f.EyeL.X, f.EyeL.Y, f.EyeR.X, f.EyeR.Y, f.ChinY} {
		if math.IsNaN(v) || math.Abs(v) > 1e6 {
			return head{}, fmt.Errorf("matte: face box holds %v", v)
		}
	}
	if f.W < 8 || f.H < 8 {
		return head{}, fmt.Errorf("matte: face box %.0f×%.0f px is too small", f.W, f.H)
	}
	h := head{cx: f.X + f.W/2, fy: f.Y, fw: f.W, fh: f.H, chin: f.Y + chinInBox*f.H}
	ied := math.Hypot(f.EyeR.X-f.EyeL.X, f.EyeR.Y-f.EyeL.Y)
	eyeY := (f.EyeL.Y + f.EyeR.Y) / 2
	haveEyes := f.EyeL != (Point{}) && f.EyeR != (Point{}) && ied > .2*f.W && ied < .9*f.W
	if haveEyes {
		size := widthPerIED * ied
		if drop := f.ChinY - eyeY; f.ChinY != 0 && drop > .8*ied && drop < 3.5*ied {
			size = math.Sqrt(size * drop / (chinInBox - eyeInBox))
		}
		h.cx = (f.EyeL.X + f.EyeR.X) / 2
		h.fw, h.fh = size, size
		h.fy = eyeY - eyeInBox*size
		h.chin = h.fy + chinInBox*size
	}
	h.fx = h.cx - h.fw/2
	return h, nil
}

func (r Rect) valid() bool {
	for _, v := range []float64{r.X, r.Y, r.W, r.H} {
		if math.IsNaN(v) || math.Abs(v) > 1e6 {
			return false
		}
	}
	return r.W >= 1 && r.H >= 1
}

func opaque(c color.RGBA) [3]float32 { return [3]float32{float32(c.R), float32(c.G), float32(c.B)} }
