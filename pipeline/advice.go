package pipeline

import (
	"fmt"
	"math"
	"strings"

	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// Move is how a person must appear in the frame instead, so that the standard's
// windows can hold. It is applied in this order: larger or smaller about the
// middle of the frame, then to the side and down.
type Move struct {
	Zoom  float64 // how many times as large the head must appear; 1 = as it is
	Right float64 // frame pixels, negative = left; the frame's right is the person's own left
	Down  float64 // frame pixels, negative = up
}

// Advice is what to do about where the person sits. Left and right are the
// person's own, which a mirrored preview shows on the same side.
type Advice struct {
	Icon   string // arrow-left, arrow-right, arrow-up, arrow-down, closer, further, person
	ZH, EN string // the first thing to do, short enough for a screen seen from the chair
	// FullZH and FullEN say everything there is to do, with all figures.
	FullZH, FullEN string
	Move           Move
}

const (
	// cheekToCheek is the mean width of an adult's face in centimetres: between
	// the published means of bizygomatic breadth for women (13.0) and men (13.9).
	// It turns pixels into about as many centimetres as a person must move.
	cheekToCheek = 13.5
	// atDistance is the distance in metres that the example of how far to move
	// starts from; a booth's camera stands 1.2 to 1.5 m away.
	atDistance = 1.2
	// ease is how far inside what is allowed the advice aims, as a share.
	ease = .02
)

// advise says why h cannot be framed by s inside b, and by how much to move.
// ok is false when it can, and when moving does not help because the windows
// contradict this head's own proportions.
func (h head) advise(s *spec.Spec, b bounds, maxScale float64) (Advice, bool) {
	if _, fits := h.fit(s, b, maxScale); fits {
		return Advice{}, false
	}
	free := h.reach(s, unbounded, anyScale, inset)
	if free.empty() {
		if free = h.reach(s, unbounded, anyScale, 0); free.empty() {
			return Advice{}, false
		}
	}
	least := max(float64(s.Width)/(b.right-b.left), float64(s.Height)/(b.bottom-b.top))
	if least > maxScale {
		w, hgt := math.Ceil(float64(s.Width)/maxScale), math.Ceil(float64(s.Height)/maxScale)
		a := Advice{
			Icon: "person",
			ZH:   fmt.Sprintf("相机画面 %.0f×%.0f 太小，此规格至少需要 %.0f×%.0f，请工作人员改用更高的分辨率。", b.right-b.left, b.bottom-b.top, w, hgt),
			EN: fmt.Sprintf("The camera's picture of %.0f×%.0f px is too small: this standard needs %.0f×%.0f px. Staff: choose a higher resolution.",
				b.right-b.left, b.bottom-b.top, w, hgt),
			Move: Move{Zoom: 1},
		}
		a.FullZH, a.FullEN = a.ZH, a.EN
		return a, true
	}
	// The head may be as large as the scales that its windows allow, which shrink
	// as it grows, still meet those that the frame allows.
	m := Move{Zoom: eased(span{free.scale.lo / maxScale, free.scale.hi / least}, 1)}
	z := h.zoomed(b, m.Zoom)
	m.Right, m.Down = z.shift(s, b, maxScale)
	return h.say(m, b), true
}

// zoomed is the head k times as large about the middle of the frame.
func (h head) zoomed(b bounds, k float64) head {
	if k == 1 {
		return h
	}
	mx, my := (b.left+b.right)/2, (b.top+b.bottom)/2
	return head{
		crownY: my + (h.crownY-my)*k, eyeY: my + (h.eyeY-my)*k, chinY: my + (h.chinY-my)*k,
		cx: mx + (h.cx-mx)*k, faceW: h.faceW * k,
	}
}

// moved is the head after a move.
func (h head) moved(b bounds, m Move) head {
	h = h.zoomed(b, m.Zoom)
	h.cx += m.Right
	h.crownY, h.eyeY, h.chinY = h.crownY+m.Down, h.eyeY+m.Down, h.chinY+m.Down
	return h
}

// eased is v if it lies in s, else the nearest value a little inside s.
func eased(s span, v float64) float64 {
	in := ease * (s.hi - s.lo)
	switch {
	case v < s.lo:
		return s.lo + min(in, ease*s.lo)
	case v > s.hi:
		return s.hi - min(in, ease*s.hi)
	}
	return v
}

// shift is the shortest way, in frame pixels, to where some framing fits.
func (h head) shift(s *spec.Spec, b bounds, maxScale float64) (right, down float64) {
	w, hgt := float64(s.Width), float64(s.Height)
	r := h.reach(s, unbounded, maxScale, inset)
	if r.empty() {
		r = h.reach(s, unbounded, maxScale, 0)
	}
	scale := span{max(r.scale.lo, w/(b.right-b.left), hgt/(b.bottom-b.top)), r.scale.hi}
	if scale.empty() {
		scale.lo = scale.hi
	}
	const steps = 64
	best := math.Inf(1)
	for i := range steps + 1 {
		k := scale.lo + (scale.hi-scale.lo)*float64(i)/steps
		off, eye := between(r.offLo, r.offHi, k), between(r.eyeLo, r.eyeHi, k)
		off.lo, off.hi = max(off.lo, -w/2), min(off.hi, w/2)
		// Where the middle of the face and the eyes may be.
		x := span{b.left + (w/2+off.lo)/k, b.right - (w/2-off.hi)/k}
		y := span{b.top + eye.lo/k, b.bottom - (hgt-eye.hi)/k}
		if x.empty() || y.empty() {
			continue
		}
		dx, dy := eased(x, h.cx)-h.cx, eased(y, h.eyeY)-h.eyeY
		if d := math.Abs(dx) + math.Abs(dy); d < best {
			best, right, down = d, dx, dy
		}
	}
	return right, down
}

// step is one thing to do. Its sentences hold a place for by how much.
type step struct {
	icon, zh, en   string
	byZH, byEN     string  // in short
	fullZH, fullEN string  // with all figures
	size           float64 // frame pixels
}

func (s step) said(byZH, byEN string) (zh, en string) {
	return fmt.Sprintf(s.zh, byZH), fmt.Sprintf(s.en, byEN)
}

// say puts a move into words: distance before place, the longer way first.
func (h head) say(m Move, b bounds) Advice {
	perCM := h.faceW * m.Zoom / cheekToCheek
	var steps []step
	if m.Zoom != 1 {
		change := "larger"
		st := step{icon: "closer", zh: "离镜头太远，人像需再大%s，请靠近一些", en: "Too far away: the head must appear %s. Move closer", size: math.Inf(1)}
		if m.Zoom < 1 {
			change = "smaller"
			st.icon, st.zh, st.en = "further", "离镜头太近，人像需再小%s，请后退一些", "Too close: the head must appear %s. Move back"
		}
		pct := math.Ceil(math.Abs(m.Zoom-1) * 100)
		was, now, to := math.Round(h.faceW), math.Round(h.faceW*m.Zoom), atDistance/m.Zoom
		st.byZH, st.byEN = fmt.Sprintf(" %.0f%%", pct), fmt.Sprintf("%.0f %% %s", pct, change)
		st.fullZH = fmt.Sprintf(" %.0f%%（脸宽 %.0f→%.0f 像素；如 %.1f 米到 %.2f 米）", pct, was, now, atDistance, to)
		st.fullEN = fmt.Sprintf("%.0f %% %s (face %.0f → %.0f px, as from %.1f m to %.2f m)", pct, change, was, now, atDistance, to)
		steps = append(steps, st)
	}
	place := func(px, side float64, ahead, back step) {
		st := ahead
		if px < 0 {
			px, st = -px, back
		}
		if px < .5 {
			return
		}
		cm := max(math.Round(px/perCM), 1)
		st.size = px
		st.byZH, st.byEN = fmt.Sprintf("约 %.0f 厘米", cm), fmt.Sprintf("about %.0f cm", cm)
		st.fullZH = fmt.Sprintf("约 %.0f 厘米（%.0f 像素，%.1f%%）", cm, math.Ceil(px), px/side*100)
		st.fullEN = fmt.Sprintf("about %.0f cm (%.0f px, %.1f %%)", cm, math.Ceil(px), px/side*100)
		steps = append(steps, st)
		if n := len(steps); n > 1 && steps[n-1].size > steps[n-2].size {
			steps[n-1], steps[n-2] = steps[n-2], steps[n-1]
		}
	}
	place(m.Down, b.bottom-b.top,
		step{icon: "arrow-down", zh: "头部太高，请坐低%s", en: "The head is too high: sit lower by %s"},
		step{icon: "arrow-up", zh: "头部太低，请坐高%s", en: "The head is too low: sit higher by %s"})
	place(m.Right, b.right-b.left,
		step{icon: "arrow-left", zh: "太靠右，请向左（您的左手边）移%s", en: "Too far to your right: move to your left by %s"},
		step{icon: "arrow-right", zh: "太靠左，请向右（您的右手边）移%s", en: "Too far to your left: move to your right by %s"})
	if len(steps) == 0 { // less than half a pixel is missing
		steps = []step{{icon: "person", zh: "差不到一个像素，请坐正再拍%s", en: "Less than a pixel is missing: sit upright and try again%s"}}
	}
	a := Advice{Icon: steps[0].icon, Move: m}
	a.ZH, a.EN = steps[0].said(steps[0].byZH, steps[0].byEN)
	var zh, en []string
	for _, st := range steps {
		z, e := st.said(st.fullZH, st.fullEN)
		zh, en = append(zh, z), append(en, e+".")
	}
	a.ZH, a.EN = a.ZH+"。", a.EN+"."
	a.FullZH, a.FullEN = strings.Join(zh, "；")+"。", strings.Join(en, " ")
	return a
}

// tooFar says by how much a face of ied pixels between the pupils must grow.
func tooFar(ied, least float64) spec.Sentence {
	pct := math.Ceil((least/ied - 1) * 100)
	to := atDistance * ied / least
	return spec.Sentence{
		ZH: fmt.Sprintf("离镜头太远：两眼相距 %.0f 像素，至少 %.0f，人像需再大 %.0f%%，请坐近一些，如 %.1f 米到 %.2f 米。", ied, least, pct, atDistance, to),
		EN: fmt.Sprintf("Too far away: the pupils are %.0f px apart, at least %.0f are needed, so the head must appear %.0f %% larger. Come closer, as from %.1f m to %.2f m.",
			ied, least, pct, atDistance, to),
	}
}

// tallHead is how far the crown lies above the eyes, in face widths, from which
// on hair is to blame; usual heads have 0.92.
const tallHead = 1.08

// excess says by how much a value leaves its window, in output pixels and
// percent of the picture's side, for windows that no place in the frame can hold.
func (h head) excess(s *spec.Spec, id string, v float64) spec.Sentence {
	r := s.Geometry.Window(id)
	side := float64(s.Height)
	if id == spec.FaceWidth || id == spec.Centred {
		side = float64(s.Width)
	}
	lack, zh, en := r.Min-v, "少", "below"
	if r.Compare(v) > 0 {
		lack, zh, en = v-r.Max, "多", "above"
	}
	lack = math.Ceil(lack*10) / 10 // never told as nothing
	do := spec.Sentence{ZH: "请把头摆正，不仰头也不低头", EN: "Hold the head level"}
	if h.eyeY-h.crownY > tallHead*h.faceW {
		do = spec.Sentence{ZH: "请压平头发，头不要后仰", EN: "Flatten the hair and do not tilt the head back"}
	}
	return spec.Sentence{
		ZH: fmt.Sprintf("头部比例与标准不合：比范围%s %.1f 像素（%.1f%%），移动位置无法解决。%s；仍不行请工作人员调整相机高度或换用其他规格。", zh, lack, lack/side*100, do.ZH),
		EN: fmt.Sprintf("The proportions of the head do not fit: %.1f px (%.1f %%) %s the window, which no move mends. %s, or staff: change the camera's height or the standard.",
			lack, lack/side*100, en, do.EN),
	}
}
