package pipeline

import (
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// head is what the geometry rules speak of, in frame pixels.
type head struct {
	crownY, eyeY, chinY float64
	cx                  float64 // middle of the face
	faceW               float64 // cheek to cheek
}

func (h head) valid() bool {
	for _, v := range []float64{h.crownY, h.eyeY, h.chinY, h.cx, h.faceW} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return h.crownY < h.eyeY && h.eyeY < h.chinY && h.faceW > 0
}

// framing is a choice of crop: scale is output pixels a frame pixel; eye and
// off are where the eye line and the middle of the face come to lie, in output
// pixels from the top and from the middle.
type framing struct{ scale, eye, off float64 }

// measure returns the geometry that a framing gives.
func (h head) measure(f framing, height int) map[string]float64 {
	chin := f.eye + f.scale*(h.chinY-h.eyeY)
	return map[string]float64{
		spec.CrownMargin: f.eye - f.scale*(h.eyeY-h.crownY),
		spec.EyeLine:     f.eye,
		spec.FaceWidth:   f.scale * h.faceW,
		spec.HeadHeight:  f.scale * (h.chinY - h.crownY),
		spec.ChinMargin:  float64(height) - chin,
		spec.Centred:     f.off,
	}
}

// rect is the frame rectangle of a framing.
func (h head) rect(f framing, w, hgt int) (x, y, rw, rh float64) {
	rw, rh = float64(w)/f.scale, float64(hgt)/f.scale
	return h.cx - (float64(w)/2+f.off)/f.scale, h.eyeY - f.eye/f.scale, rw, rh
}

const (
	missed   = 1e4 // cost of leaving a window, against 1 for its edge
	conceded = 10  // the same for a window that yields
	// onesidedReach is how far inside a one-sided window the aim lies, as a share
	// of the picture's side.
	onesidedReach = .02
)

// windowCost is 0 at the aim, 1 at the edges of the window and steep outside.
func windowCost(v float64, r spec.Range, side float64, yields bool) float64 {
	penalty := float64(missed)
	if yields {
		penalty = conceded
	}
	out := 0.
	if d := r.Compare(v); d < 0 {
		out = r.Min - v
	} else if d > 0 {
		out = v - r.Max
	}
	if math.IsNaN(r.Min) || math.IsNaN(r.Max) {
		reach := onesidedReach * side
		var short float64
		if math.IsNaN(r.Max) {
			short = r.Min + reach - v
		} else {
			short = v - (r.Max - reach)
		}
		short = max(short, 0) / reach
		return short*short*.5 + penalty*out/side
	}
	half := max((r.Max-r.Min)/2, .5)
	d := (v - (r.Max+r.Min)/2) / half
	return d*d + penalty*out/side
}

// term is one rule of the layout as a function of the framing: the value
// perEye·eye + perScale·scale + perOff·off + fixed belongs into r.
type term struct {
	perEye, perScale, perOff, fixed float64
	r                               spec.Range
	side                            float64 // of the picture, in this direction
	yields                          bool
}

// terms lists the rules of s that have a window, for this head.
func (h head) terms(s *spec.Spec) []term {
	w, hgt := float64(s.Width), float64(s.Height)
	all := map[string]term{
		spec.CrownMargin: {perEye: 1, perScale: h.crownY - h.eyeY, side: hgt},
		spec.EyeLine:     {perEye: 1, side: hgt},
		spec.FaceWidth:   {perScale: h.faceW, side: w},
		spec.HeadHeight:  {perScale: h.chinY - h.crownY, side: hgt},
		spec.ChinMargin:  {perEye: -1, perScale: h.eyeY - h.chinY, fixed: hgt, side: hgt},
		spec.Centred:     {perOff: 1, side: w},
	}
	var list []term
	for _, id := range geometryIDs {
		t := all[id]
		if t.r = s.Geometry.Window(id); !t.r.IsOpen() {
			t.yields = s.Geometry.Yields(id)
			list = append(list, t)
		}
	}
	return list
}

func cost(terms []term, f framing) float64 {
	sum := 0.
	for i := range terms {
		t := &terms[i]
		sum += windowCost(t.perEye*f.eye+t.perScale*f.scale+t.perOff*f.off+t.fixed, t.r, t.side, t.yields)
	}
	return sum
}

// bounds are the rectangle that a crop may not leave; infinite sides do not
// bind.
type bounds struct{ left, top, right, bottom float64 }

// anyScale does not bind.
const anyScale = 64

var unbounded = bounds{math.Inf(-1), math.Inf(-1), math.Inf(1), math.Inf(1)}

// line is a bound that moves with the scale: fixed + perScale·scale.
type line struct{ fixed, perScale float64 }

func (l line) at(scale float64) float64 { return l.fixed + l.perScale*scale }

// span is a closed interval, empty when lo is above hi.
type span struct{ lo, hi float64 }

func (s span) empty() bool { return !(s.lo <= s.hi) }

func (s span) clamp(v float64) float64 { return min(max(v, s.lo), s.hi) }

// reach is every framing that breaks no rule: all rules are linear in scale, eye
// and off, so that at any one scale what is left for eye and off are intervals,
// and so are the scales at which those are not empty.
type reach struct {
	scale        span
	eyeLo, eyeHi []line
	offLo, offHi []line
	impossible   bool // two rules contradict each other at every scale
}

// inset keeps a framing this far inside its windows, in output pixels, so that
// rounding cannot carry a value across a limit.
const inset = .02

// reach intersects the windows of s that do not yield with the frame b and the
// limit of enlargement. With in, framings nearer to a window's edge are left out.
func (h head) reach(s *spec.Spec, b bounds, maxScale, in float64) reach {
	w, hgt := float64(s.Width), float64(s.Height)
	// An unbounded frame still needs an end: the face at an eighth of the width.
	r := reach{scale: span{w / 8 / h.faceW, maxScale}}
	r.eyeLo, r.eyeHi = append(r.eyeLo, line{}), append(r.eyeHi, line{hgt, 0})
	terms := h.terms(s)
	for i := range terms {
		if !terms[i].yields {
			r.hold(&terms[i], in)
		}
	}
	// The crop lies in the frame: its upper edge is eye/scale above the eyes.
	r.eyeLo = append(r.eyeLo, line{hgt, h.eyeY - b.bottom})
	r.eyeHi = append(r.eyeHi, line{0, h.eyeY - b.top})
	r.offLo = append(r.offLo, line{w / 2, h.cx - b.right})
	r.offHi = append(r.offHi, line{-w / 2, h.cx - b.left})
	r.meet(r.eyeLo, r.eyeHi)
	r.meet(r.offLo, r.offHi)
	return r
}

// hold adds one window.
func (r *reach) hold(t *term, in float64) {
	lo, hi := t.r.Min+in, t.r.Max-in
	if t.r.Max-t.r.Min < 4*in {
		lo, hi = t.r.Min, t.r.Max
	}
	hasLo, hasHi := !math.IsNaN(lo), !math.IsNaN(hi)
	switch {
	case t.perOff != 0:
		if hasLo {
			r.offLo = append(r.offLo, line{lo, 0})
		}
		if hasHi {
			r.offHi = append(r.offHi, line{hi, 0})
		}
	case t.perEye == 0:
		if hasLo {
			r.scale.lo = max(r.scale.lo, (lo-t.fixed)/t.perScale)
		}
		if hasHi {
			r.scale.hi = min(r.scale.hi, (hi-t.fixed)/t.perScale)
		}
	case t.perEye > 0:
		if hasLo {
			r.eyeLo = append(r.eyeLo, line{lo - t.fixed, -t.perScale})
		}
		if hasHi {
			r.eyeHi = append(r.eyeHi, line{hi - t.fixed, -t.perScale})
		}
	default:
		if hasLo {
			r.eyeHi = append(r.eyeHi, line{t.fixed - lo, t.perScale})
		}
		if hasHi {
			r.eyeLo = append(r.eyeLo, line{t.fixed - hi, t.perScale})
		}
	}
}

// meet narrows the scales to those at which no lower bound is above an upper one.
func (r *reach) meet(lower, upper []line) {
	for _, l := range lower {
		for _, u := range upper {
			k, room := l.perScale-u.perScale, u.fixed-l.fixed
			switch {
			case math.IsInf(k, 1):
				r.impossible = true
			case math.IsInf(k, -1): // no bound
			case k > 0:
				r.scale.hi = min(r.scale.hi, room/k)
			case k < 0:
				r.scale.lo = max(r.scale.lo, room/k)
			case room < 0:
				r.impossible = true
			}
		}
	}
}

func (r *reach) empty() bool { return r.impossible || r.scale.empty() }

// between is what two sets of bounds leave at a scale. Where it is a single
// point, rounding may have turned it round.
func between(lower, upper []line, scale float64) span {
	s := span{math.Inf(-1), math.Inf(1)}
	for _, l := range lower {
		s.lo = max(s.lo, l.at(scale))
	}
	for _, u := range upper {
		s.hi = min(s.hi, u.at(scale))
	}
	if s.lo > s.hi {
		mid := (s.lo + s.hi) / 2
		return span{mid, mid}
	}
	return s
}

// lowest is the place in s where the convex function f is least, by golden
// section.
func lowest(s span, f func(float64) float64) float64 {
	const part = math.Phi - 1
	m0, m1 := s.hi-part*(s.hi-s.lo), s.lo+part*(s.hi-s.lo)
	f0, f1 := f(m0), f(m1)
	for range 36 { // part^36 of the picture's height is far below a pixel
		if f0 <= f1 {
			s.hi, m1, f1 = m1, m0, f0
			m0 = s.hi - part*(s.hi-s.lo)
			f0 = f(m0)
		} else {
			s.lo, m0, f0 = m0, m1, f1
			m1 = s.lo + part*(s.hi-s.lo)
			f1 = f(m1)
		}
	}
	return (s.lo + s.hi) / 2
}

// choose finds the framing within b that comes closest to the middle of every
// window of s. If any framing holds all windows that do not yield, the one
// found does; if none does, it is the best compromise that b allows. It never
// enlarges beyond maxScale unless b is too small for anything else. The search
// is deterministic.
func (h head) choose(s *spec.Spec, b bounds, maxScale float64) framing {
	if f, ok := h.fit(s, b, maxScale); ok {
		return f
	}
	return h.compromise(s, b, maxScale)
}

// fit is the best framing that breaks no rule; false: there is none.
func (h head) fit(s *spec.Spec, b bounds, maxScale float64) (framing, bool) {
	r := h.reach(s, b, maxScale, inset)
	if r.empty() {
		if r = h.reach(s, b, maxScale, 0); r.empty() {
			return framing{}, false
		}
	}
	terms := h.terms(s)
	best := func(scale float64) framing {
		off := between(r.offLo, r.offHi, scale).clamp(0)
		eye := lowest(between(r.eyeLo, r.eyeHi, scale), func(e float64) float64 { return cost(terms, framing{scale, e, off}) })
		return framing{scale, eye, off}
	}
	// The cost is convex in all three, and so is its least over two of them.
	return best(lowest(r.scale, func(v float64) float64 { return cost(terms, best(v)) })), true
}

// compromise is the framing within b that leaves the windows the least.
func (h head) compromise(s *spec.Spec, b bounds, maxScale float64) framing {
	w, hgt := float64(s.Width), float64(s.Height)
	lo := max(w/(b.right-b.left), hgt/(b.bottom-b.top), w/8/h.faceW)
	hi := max(maxScale, lo)
	terms := h.terms(s)
	best, bestCost := framing{}, math.Inf(1)
	try := func(scale float64) {
		f := framing{scale: scale}
		f.off = min(max(0, w/2-(b.right-h.cx)*scale), (h.cx-b.left)*scale-w/2)
		e := span{max(hgt-(b.bottom-h.eyeY)*scale, 0), min((h.eyeY-b.top)*scale, hgt)}
		if e.empty() { // the eyes are outside b
			e.lo = e.hi
		}
		f.eye = lowest(e, func(v float64) float64 { return cost(terms, framing{scale, v, f.off}) })
		if c := cost(terms, f); c < bestCost {
			best, bestCost = f, c
		}
	}
	const steps = 48
	from, to := lo, hi
	for range 3 {
		ratio := math.Pow(to/from, 1./steps)
		for i, v := 0, from; i <= steps; i, v = i+1, v*ratio {
			try(min(v, hi))
		}
		from, to = max(lo, best.scale/ratio), min(hi, best.scale*ratio)
	}
	return best
}

// tolerance forgives the rounding of floating point, in output pixels.
const tolerance = 1e-6

// misses lists the windows that a framing leaves and that do not yield, in the
// order of the rules, and the limit of enlargement where that is passed.
func (h head) misses(f framing, s *spec.Spec) []string {
	ids := missing(h.measure(f, s.Height), s)
	if f.scale > s.MaxUpscale*(1+1e-9) {
		ids = append(ids, spec.Upscale)
	}
	return ids
}

func missing(m map[string]float64, s *spec.Spec) []string {
	var ids []string
	for _, id := range geometryIDs {
		r := s.Geometry.Window(id)
		if v := m[id]; !s.Geometry.Yields(id) && (v < r.Min-tolerance || v > r.Max+tolerance) {
			ids = append(ids, id)
		}
	}
	return ids
}

// measureCrop is the geometry that a crop gives, whose sides may be scaled
// slightly differently.
func (h head) measureCrop(c Crop, s *spec.Spec) map[string]float64 {
	kx, ky := float64(s.Width)/c.Width, float64(s.Height)/c.Height
	return map[string]float64{
		spec.CrownMargin: (h.crownY - c.Y) * ky,
		spec.EyeLine:     (h.eyeY - c.Y) * ky,
		spec.FaceWidth:   h.faceW * kx,
		spec.HeadHeight:  (h.chinY - h.crownY) * ky,
		spec.ChinMargin:  (c.Y + c.Height - h.chinY) * ky,
		spec.Centred:     (h.cx-c.X)*kx - float64(s.Width)/2,
	}
}

var geometryIDs = []string{spec.CrownMargin, spec.EyeLine, spec.FaceWidth, spec.HeadHeight, spec.ChinMargin, spec.Centred}
