package pipeline

import (
	"fmt"
	"image"
	"math"
	"sync"

	"github.com/yunzhao-station/yunzhao/pipeline/face"
	"github.com/yunzhao-station/yunzhao/pipeline/quality"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// Box is a rectangle as fractions of the frame, 0 to 1, not mirrored.
type Box struct{ X, Y, W, H float64 }

// Hint is the one thing to say now.
type Hint struct {
	Icon   string // arrow-left, arrow-right, arrow-up, arrow-down, tilt-left, tilt-right, closer, further, person, eye, light, ok
	ZH, EN string
	Status Status // of what the hint is about; Pass with icon ok
}

// LiveResult is a quick judgement of a preview frame.
type LiveResult struct {
	Face   *Box    // nil: nobody
	Checks []Check // those that can be judged before the shot, by the same standard
	Hint   Hint
	// Ready: nothing that is measured here would make the photo fail.
	Ready bool
}

// live is the state of the quick evaluation, apart from that of the photos, so
// that neither waits for the other.
type live struct {
	mu      sync.Mutex
	gray    image.Gray
	tracker *face.Tracker // nil: nobody seen yet
}

func (l *live) wipe() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.gray.Pix[:cap(l.gray.Pix)])
	l.tracker = nil
}

// tallHair is added to the usual crown, in distances between the pupils: before
// the shot there is no cut-out that shows where the hair ends.
const tallHair = .12

// darkMean is a mean gray under which nobody can be expected to be found; a lit
// backdrop is above 100.
const darkMean = 32

func mean(pix []uint8) float64 {
	sum := 0
	for _, v := range pix {
		sum += int(v)
	}
	return float64(sum) / float64(max(len(pix), 1))
}

// Live evaluates a reduced picture of the frame (about 480 pixels wide, upright,
// not mirrored) in a few milliseconds. frameWidth is the width of the full
// upright frame in pixels, for the rules about resolution. Faces are followed
// from call to call, so an onlooker may be noticed a few pictures late; Wipe
// forgets them. It is safe to call while Standardize runs.
func (z *Standardizer) Live(small *image.RGBA, frameWidth int, s *spec.Spec) (LiveResult, error) {
	in := Input{Frame: small, Spec: s}
	if err := in.check(); err != nil {
		return LiveResult{}, err
	}
	if frameWidth < small.Rect.Dx() {
		return LiveResult{}, fmt.Errorf("%w: the full frame is %d px wide, the reduced one %d", ErrInput, frameWidth, small.Rect.Dx())
	}
	z.live.mu.Lock()
	defer z.live.mu.Unlock()
	lumaInto(&z.live.gray, small)
	w, h := float64(small.Rect.Dx()), float64(small.Rect.Dy())
	if z.live.tracker == nil {
		z.live.tracker = z.detector.NewTracker()
	}
	// Whoever is smaller than this is too far away by any rule.
	faces, err := z.live.tracker.Update(&z.live.gray, face.Options{MinSize: h / 8, Colour: small})
	if err != nil {
		return LiveResult{}, fmt.Errorf("find faces: %w", err)
	}
	scale := float64(frameWidth) / w
	j := judge{s, z.texts}
	var r LiveResult
	for _, m := range z.meter.Live(small, faces, scale) {
		if m.ID == quality.Centred {
			continue // the crop is free to move; advise says when it is not
		}
		if c, ok := j.measured(m); ok {
			r.Checks = append(r.Checks, c)
		}
	}
	if len(faces) == 0 {
		say := j.text(quality.SingleFace).Low
		r.Hint = Hint{Icon: "person", ZH: say.ZH, EN: say.EN, Status: Fail}
		if mean(z.live.gray.Pix) < darkMean {
			r.Hint = Hint{Icon: "light", ZH: "画面太暗，看不清人，请打开灯光。", EN: "It is too dark to see anyone. Turn on the lights.", Status: Fail}
		}
		return r, nil
	}
	f := faces[0]
	// The box of a face at the edge reaches out of the frame.
	x0, y0, x1, y1 := max(f.X/w, 0), max(f.Y/h, 0), min((f.X+f.W)/w, 1), min((f.Y+f.H)/h, 1)
	r.Face = &Box{x0, y0, max(x1-x0, 0), max(y1-y0, 0)}
	r.Hint, r.Ready = z.coach(j, r.Checks, f.Scale(scale), bounds{0, 0, w * scale, h * scale})
	return r, nil
}

// urgency orders what is said first: nothing else can be judged before there is
// one person, near enough and inside the frame.
var urgency = []struct{ id, icon string }{
	{quality.SingleFace, "person"},
	{quality.InterEyeDistance, "closer"},
	{"", ""}, // where to sit
	{quality.Yaw, "eye"},
	{quality.Roll, "person"},
	{quality.Pitch, "eye"},
	{quality.Gaze, "eye"},
	{quality.EyesOpen, "eye"},
	{quality.MouthClosed, "person"},
	{quality.GlassesTinted, "eye"},
	{quality.GlassesGlare, "eye"},
	{quality.UnderExposed, "light"},
	{quality.OverExposed, "light"},
	{quality.IlluminationEven, "light"},
	{quality.LuminanceMean, "light"},
}

func (z *Standardizer) coach(j judge, checks []Check, f face.Face, frame bounds) (Hint, bool) {
	h := guessHead(&f)
	h.crownY -= tallHair * f.IED()
	seat, misplaced := Advice{}, false
	if h.valid() {
		if len(h.misses(h.choose(j.spec, frame, j.spec.MaxUpscale), j.spec)) > 0 {
			seat, misplaced = h.advise(j.spec, frame, j.spec.MaxUpscale)
		}
	}
	byID := map[string]Check{}
	ready := !misplaced
	for _, c := range checks {
		byID[c.ID] = c
		ready = ready && c.Status != Fail
	}
	for _, level := range []Status{Fail, Warn} {
		for _, u := range urgency {
			if u.id == "" {
				if misplaced && level == Fail {
					return Hint{Icon: seat.Icon, ZH: seat.ZH, EN: seat.EN, Status: Fail}, false
				}
				continue
			}
			if c, ok := byID[u.id]; ok && c.Status == level {
				if c.Icon != "" {
					u.icon = c.Icon
				}
				return Hint{Icon: u.icon, ZH: c.MessageZH, EN: c.MessageEN, Status: level}, ready
			}
		}
		// A rule that the list does not rank is still said.
		for _, c := range checks {
			if c.Status == level && level == Fail {
				return Hint{Icon: "person", ZH: c.MessageZH, EN: c.MessageEN, Status: level}, ready
			}
		}
	}
	return Hint{Icon: "ok", ZH: "很好，请看镜头，保持不动", EN: "Very good. Look into the camera and hold still.", Status: Pass}, ready
}

// LiveWidth is the width in pixels at which Live is meant to work: the eyes of
// a person at the right distance are still 30 pixels apart.
const LiveWidth = 480

// LiveSize is the reduced size for a frame, at most LiveWidth wide.
func LiveSize(frame image.Point) image.Point {
	if frame.X <= LiveWidth {
		return frame
	}
	return image.Pt(LiveWidth, max(int(math.Round(float64(frame.Y)*LiveWidth/float64(frame.X))), 1))
}
