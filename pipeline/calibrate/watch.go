package calibrate

import (
	"fmt"
	"image"
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// Cause names what has changed in the booth since its plate.
type Cause string

// The causes. None and Occupied need nobody to do anything.
const (
	None         Cause = "none"
	Occupied     Cause = "occupied" // somebody or something moves there: nothing can be told
	Blackout     Cause = "blackout" // no light at all, or the lens is covered
	LampLeft     Cause = "lamp_left"
	LampRight    Cause = "lamp_right"
	LampUneven   Cause = "lamp_uneven" // a lamp, of which nobody knows the side
	Dimmer       Cause = "dimmer"
	Brighter     Cause = "brighter"
	WhiteBalance Cause = "white_balance"
	Moved        Cause = "moved" // the camera, the backdrop, or something that was put there
)

// Change is how the booth compares with its plate. Left is the picture's left,
// as seen when facing the backdrop.
type Change struct {
	Cause Cause
	// Gain is how much lighter red, green and blue are than in the plate, in the
	// middle; 1 = unchanged.
	Gain [3]float64
	// Slope is how much more the light grew on the right than on the left, as a
	// logarithm; Odd the share of the picture that no smooth change explains.
	Slope, Odd float64
	ZH, EN     string // what has happened and what to do; "" for None and Occupied
}

// Limits of a booth that counts as unchanged: those of the matte, which fits
// smaller changes at every shot.
const (
	changeGain  = .15
	changeTint  = .05
	changeSlope = .20
	changeReach = .04 // log ratio that is no longer noise and shading
	changeOdd   = .02 // share of the picture
	changeMuch  = .2  // share of the picture above which the light is not judged
	changeStir  = .01 // share of the picture that differs from the look before: somebody is there
	changeBlack = 10. // 8-bit level
)

var changeWords = map[Cause]words{
	Blackout:     {"画面全黑：灯灭了或镜头被挡住。请开灯、移开遮挡。", "The picture is black: the lamps are off or the lens is covered. Switch them on, uncover it."},
	LampLeft:     {"左侧灯灭了或变暗（面向背景）。请恢复灯光，或重新拍摄空背景。", "The left lamp (facing the backdrop) is off or dimmer. Mend it, or photograph the empty backdrop again."},
	LampRight:    {"右侧灯灭了或变暗（面向背景）。请恢复灯光，或重新拍摄空背景。", "The right lamp (facing the backdrop) is off or dimmer. Mend it, or photograph the empty backdrop again."},
	LampUneven:   {"灯光分布变了：有灯灭了、变暗或被移动。请恢复灯光，或重新拍摄空背景。", "The light falls differently: a lamp is off, dimmer or was moved. Mend it, or photograph the empty backdrop again."},
	Dimmer:       {"光线比空背景暗了 %.0f%%：灯灭了，或相机曝光变了。请恢复灯光，或重新拍摄空背景。", "It is %.0f %% darker than the plate: a lamp is off or the exposure changed. Mend it, or photograph the empty backdrop again."},
	Brighter:     {"光线比空背景亮了 %.0f%%：多了灯光，或相机曝光变了。请恢复，或重新拍摄空背景。", "It is %.0f %% brighter than the plate: more light, or the exposure changed. Mend it, or photograph the empty backdrop again."},
	WhiteBalance: {"颜色变了：相机白平衡变了，或换了灯。请固定白平衡，并重新拍摄空背景。", "The colours changed: the white balance, or other lamps. Lock the white balance and photograph the empty backdrop again."},
	Moved:        {"相机或背景动过，或背景前多了东西。请移开东西，并重新拍摄空背景。", "The camera or the backdrop was moved, or something stands there. Remove it and photograph the empty backdrop again."},
}

// say puts the sentence for the cause into the change.
func (c Change) say() Change {
	w := changeWords[c.Cause]
	if c.Cause == Dimmer || c.Cause == Brighter {
		by := 100 * math.Abs(mean3(c.Gain)-1)
		w.zh, w.en = fmt.Sprintf(w.zh, by), fmt.Sprintf(w.en, by)
	}
	c.ZH, c.EN = w.zh, w.en
	return c
}

func mean3(v [3]float64) float64 { return (v[0] + v[1] + v[2]) / 3 }

// tint is by how much the most changed colour strays from the mean gain.
func tint(gain [3]float64) float64 {
	m, most := mean3(gain), 0.
	for _, g := range gain {
		most = max(most, math.Abs(g/m-1))
	}
	return most
}

// OfDrift names the cause of what the matte found at a shot. A shot sees only
// the backdrop around the person, too little to say which side a lamp is on.
func OfDrift(d matte.Drift) Change {
	c := Change{Cause: None, Gain: d.Gain, Slope: d.Spread}
	m := mean3(d.Gain)
	switch {
	case d.Kind == matte.DriftNone:
		return c
	case d.Kind == matte.DriftMoved:
		c.Cause = Moved
	case tint(d.Gain) > changeTint:
		c.Cause = WhiteBalance
	case m > 1+changeGain:
		c.Cause = Brighter
	case m < 1-changeGain:
		c.Cause = Dimmer
	default: // as bright as before on the whole, but falling differently
		c.Cause = LampUneven
	}
	return c.say()
}

// OfCause is a change that was recorded by its cause and gain.
func OfCause(cause Cause, gain [3]float64) Change {
	c := Change{Cause: cause, Gain: gain}
	return c.say()
}

// Watch compares the empty booth with its plate between students. It works on a
// picture reduced to Size, in about a millisecond, and serves one goroutine.
type Watch struct {
	w, h  int
	plate [3][]float32 // log levels
	last  []float32    // log green of the look before; nil: none
	next  []float32
	ratio [3][]float32
}

// watchWidth is the width of the pictures that a Watch looks at.
const watchWidth = 120

// NewWatch prepares to compare with a plate.
func NewWatch(p *matte.Plate) *Watch {
	w := &Watch{w: min(watchWidth, p.W)}
	w.h = max(w.w*p.H/p.W, 1)
	w.plate = p.Reduce(w.w, w.h)
	for c, plane := range w.plate {
		for i, v := range plane {
			plane[i] = logLevel(float64(v))
		}
		w.ratio[c] = make([]float32, len(plane))
	}
	w.next = make([]float32, w.w*w.h)
	return w
}

// Size is the size of the pictures for Look, upright.
func (w *Watch) Size() image.Point { return image.Pt(w.w, w.h) }

// Forget drops what is kept of the last picture.
func (w *Watch) Forget() {
	clear(w.last)
	clear(w.next)
	for c := range w.ratio {
		clear(w.ratio[c])
	}
	w.last = nil
}

// Look compares one picture. The first look after a start or Forget finds
// Occupied, because one picture cannot tell a person from a thing.
func (w *Watch) Look(small *image.RGBA) (Change, error) {
	if small == nil || small.Rect.Size() != w.Size() {
		return Change{}, fmt.Errorf("calibrate: the watch needs a picture of %v", w.Size())
	}
	n := w.w * w.h
	var level float64
	for y := range w.h {
		row := small.Pix[y*small.Stride:]
		for x := range w.w {
			i := y*w.w + x
			for c := range w.ratio {
				w.ratio[c][i] = watchLogs[row[4*x+c]] - w.plate[c][i]
			}
			w.next[i] = watchLogs[row[4*x+1]]
			level += float64(max(row[4*x], row[4*x+1], row[4*x+2])) / float64(n)
		}
	}
	stirred := w.stir()
	c := Change{Cause: None}
	odd := make([]bool, n)
	var slope float64
	for ch := range w.ratio {
		fit, coef := smooth(w.ratio[ch], w.w, w.h, true, changeReach)
		// Level in the middle, and what the surface grows from left to right.
		c.Gain[ch] = math.Exp(coef[0] + (coef[3]+coef[5])/3)
		slope += 2 * coef[1] / 3
		for i, v := range w.ratio[ch] {
			odd[i] = odd[i] || math.Abs(float64(v-fit[i])) > 2*changeReach
		}
	}
	c.Slope = slope
	for _, o := range odd {
		if o {
			c.Odd += 1 / float64(n)
		}
	}
	m := mean3(c.Gain)
	switch {
	case level < changeBlack:
		c.Cause = Blackout
	case stirred:
		c.Cause = Occupied
	case c.Odd > changeMuch:
		c.Cause = Moved
	case math.Abs(c.Slope) > changeSlope && m > 1:
		c.Cause = LampUneven // a lamp came closer or was added: on the other side none is off
	case c.Slope > changeSlope:
		c.Cause = LampLeft
	case c.Slope < -changeSlope:
		c.Cause = LampRight
	case tint(c.Gain) > changeTint:
		c.Cause = WhiteBalance
	case m < 1-changeGain:
		c.Cause = Dimmer
	case m > 1+changeGain:
		c.Cause = Brighter
	case c.Odd > changeOdd:
		c.Cause = Moved
	}
	return c.say(), nil
}

// stir tells whether the picture differs from that of the look before by more
// than its brightness, and keeps it for the next.
func (w *Watch) stir() bool {
	before := w.last
	if before == nil {
		w.last, w.next = w.next, make([]float32, len(w.next))
		return true
	}
	d := w.next
	for i, v := range before { // next becomes the difference, before the new last
		before[i], d[i] = d[i], d[i]-v
	}
	m, moved := median(d), 0
	for _, v := range d {
		if math.Abs(float64(v-m)) > changeReach {
			moved++
		}
	}
	return float64(moved) > changeStir*float64(len(d))
}

// watchLogs are the log levels of 8-bit values.
var watchLogs = func() (t [256]float32) {
	for i := range t {
		t[i] = logLevel(float64(i))
	}
	return t
}()

// Alarm turns looks into an alarm that does not flicker: a cause is raised when
// it has been found often enough in a row, and taken back likewise. Looks at an
// occupied booth say nothing. The zero value is silent.
type Alarm struct {
	raised, next Change
	seen         int
}

// Looks in a row that raise or clear an alarm. Moved takes longer: a person may
// stand still for a while.
const (
	alarmAfter      = 4
	alarmAfterMoved = 10
)

// Note takes a look in. It tells whether the alarm has changed.
func (a *Alarm) Note(c Change) bool {
	switch {
	case c.Cause == Occupied:
		if a.next.Cause == Moved {
			a.seen = 0 // whoever it was is moving again
		}
		return false
	case c.Cause == a.raised.cause():
		a.next, a.seen = Change{}, 0
		return false
	case c.Cause != a.next.Cause || a.seen == 0:
		a.next, a.seen = c, 0
	}
	a.seen++
	need := alarmAfter
	if c.Cause == Moved {
		need = alarmAfterMoved
	}
	if a.seen < need {
		return false
	}
	a.raised, a.next, a.seen = c, Change{}, 0
	return true
}

func (c Change) cause() Cause {
	if c.Cause == "" {
		return None
	}
	return c.Cause
}

// Raise sets the alarm at once, as a shot does, whose pictures are not guesses.
// It tells whether the alarm has changed.
func (a *Alarm) Raise(c Change) bool {
	if c.cause() == None || c.Cause == Occupied || c.Cause == a.raised.Cause {
		return false
	}
	a.raised, a.next, a.seen = c, Change{}, 0
	return true
}

// Raised is the change that the alarm stands for; its cause is None when silent.
func (a *Alarm) Raised() Change {
	c := a.raised
	c.Cause = c.cause()
	return c
}
