package pipeline

import (
	"fmt"
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

// choose finds the framing within b that comes closest to the middle of every
// window of s. It never enlarges beyond maxScale unless b is too small for
// anything else. The search is exhaustive on a fixed grid and so deterministic.
func (h head) choose(s *spec.Spec, b bounds, maxScale float64) framing {
	w, hgt := float64(s.Width), float64(s.Height)
	lo := max(w/(b.right-b.left), hgt/(b.bottom-b.top))
	// An unbounded frame still needs an end: the face at an eighth of the width.
	lo = max(lo, w/8/h.faceW)
	hi := max(maxScale, lo)
	terms := h.terms(s)
	best, bestCost := framing{}, math.Inf(1)
	try := func(scale float64) {
		f := framing{scale: scale}
		f.off = min(max(0, w/2-(b.right-h.cx)*scale), (h.cx-b.left)*scale-w/2)
		e0, e1 := hgt-(b.bottom-h.eyeY)*scale, (h.eyeY-b.top)*scale
		e0, e1 = max(e0, 0), min(e1, hgt)
		if e0 > e1 { // the eyes are outside b
			e0 = e1
		}
		// The cost is convex in the eye line.
		for range 32 { // (2/3)^32 of the height is far below a pixel
			m0, m1 := e0+(e1-e0)/3, e1-(e1-e0)/3
			if cost(terms, framing{scale, m0, f.off}) <= cost(terms, framing{scale, m1, f.off}) {
				e1 = m1
			} else {
				e0 = m0
			}
		}
		f.eye = (e0 + e1) / 2
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

// tolerance forgives rounding when a window is checked, in output pixels.
const tolerance = .25

// misses lists the windows that a framing leaves and that do not yield, in the
// order of the rules.
func (h head) misses(f framing, s *spec.Spec) []string {
	var ids []string
	m := h.measure(f, s.Height)
	for _, id := range geometryIDs {
		r := s.Geometry.Window(id)
		if v := m[id]; !s.Geometry.Yields(id) && (v < r.Min-tolerance || v > r.Max+tolerance) {
			ids = append(ids, id)
		}
	}
	return ids
}

var geometryIDs = []string{spec.CrownMargin, spec.EyeLine, spec.FaceWidth, spec.HeadHeight, spec.ChinMargin, spec.Centred}

// Advice is one thing to do about where the person sits. Left and right are the
// person's own, which a mirrored preview shows on the same side.
type Advice struct {
	Icon   string // arrow-left, arrow-right, arrow-up, arrow-down, closer, further
	ZH, EN string
}

// advise says why h cannot be framed by s inside b, and by how much: it
// compares the crop that the rules want with the frame. ok is false when the
// frame is not to blame.
func (h head) advise(s *spec.Spec, b bounds, maxScale float64) (Advice, bool) {
	ideal := h.choose(s, unbounded, anyScale)
	if ideal.scale > maxScale*1.001 {
		// It may only be the aim that is too close; does a smaller one still do?
		if c := h.choose(s, unbounded, maxScale); len(h.misses(c, s)) > 0 {
			pct := int(math.Ceil((ideal.scale/maxScale - 1) * 100))
			return Advice{
				"closer", fmt.Sprintf("离镜头太远，人像需再大 %d%%，请靠近一些。", pct),
				fmt.Sprintf("Too far away: the head must appear %d %% larger. Move closer.", pct),
			}, true
		}
		ideal = h.choose(s, unbounded, maxScale)
	}
	x, y, w, hgt := h.rect(ideal, s.Width, s.Height)
	left, right := max(0, b.left-x), max(0, x+w-b.right)
	top, bottom := max(0, b.top-y), max(0, y+hgt-b.bottom)
	px := func(v float64) int { return int(math.Ceil(v)) }
	switch {
	case left > 0 && right > 0 || top > 0 && bottom > 0:
		short := max(left+right, 0)
		if top > 0 && bottom > 0 {
			short = max(short, top+bottom)
		}
		return Advice{
			"further", fmt.Sprintf("离镜头太近，画面还差 %d 像素，请后退一些。", px(short)),
			fmt.Sprintf("Too close: the frame is %d px too small. Move back.", px(short)),
		}, true
	case top > 0 && top >= max(left, right, bottom):
		return Advice{
			"arrow-down", fmt.Sprintf("头部太高，上方还差 %d 像素，请坐低一些。", px(top)),
			fmt.Sprintf("The head is too high: %d px are missing above. Sit lower.", px(top)),
		}, true
	case bottom > 0 && bottom >= max(left, right):
		return Advice{
			"arrow-up", fmt.Sprintf("头部太低，下方还差 %d 像素，请坐高一些。", px(bottom)),
			fmt.Sprintf("The head is too low: %d px are missing below. Sit higher.", px(bottom)),
		}, true
	case left > 0 && left >= right: // the frame's left is the person's right
		return Advice{
			"arrow-left", fmt.Sprintf("太靠右，侧边还差 %d 像素，请向左（您的左手边）移动。", px(left)),
			fmt.Sprintf("Too far to your right: %d px are missing. Move to your left.", px(left)),
		}, true
	case right > 0:
		return Advice{
			"arrow-right", fmt.Sprintf("太靠左，侧边还差 %d 像素，请向右（您的右手边）移动。", px(right)),
			fmt.Sprintf("Too far to your left: %d px are missing. Move to your right.", px(right)),
		}, true
	}
	return Advice{}, false
}
