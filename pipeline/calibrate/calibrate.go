// Package calibrate makes the plate, the picture of the empty booth, and judges
// whether it may be one: that nothing stands or moves in it, that the light is
// steady, bright and even enough, that nothing is clipped and, as far as an
// empty wall can tell, that the lens is in focus. It is also the lighting
// assistant, which says which lamp to move, and the watch that notices when the
// booth no longer looks like its plate.
//
// It knows pixels only. It must not know cameras, students, sessions or files,
// and it does not log. What a picture shows is never an error but a finding,
// with a sentence that says what to do.
package calibrate

import (
	"fmt"
	"image"
	"math"
	"time"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// Status of a finding. Unknown means that the pictures cannot tell; it is never
// a pass.
type Status string

// The statuses. A Fail refuses the plate.
const (
	Pass    Status = "pass"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Unknown Status = "unknown"
)

// Ids of the findings, in the order in which they are judged: the first that
// fails is the first thing to mend.
const (
	Frames   = "frames"   // enough of them
	Person   = "person"   // a face in the picture
	Banding  = "banding"  // stripes of lamps that flicker with the mains
	Flicker  = "flicker"  // the whole picture's brightness from frame to frame
	Motion   = "motion"   // something moves
	Object   = "object"   // something stands there that was not there before
	Dark     = "exposure" // how much light
	Clipped  = "clipped"  // no detail left in white or black
	Sharp    = "sharp"    // the lens and what the camera does to the picture
	LeftWise = "even_left_right"
	TopWise  = "even_top_bottom"
	Colour   = "colour" // colour temperature and tint
)

// Finding is one thing that was looked at.
type Finding struct {
	ID     string   `json:"id"`
	Status Status   `json:"status"`
	Value  *float64 `json:"value"` // nil: not measured
	Unit   string   `json:"unit"`
	Limit  *float64 `json:"limit"` // beyond which it fails; nil: it never does
	ZH     string   `json:"message_zh"`
	EN     string   `json:"message_en"`
}

// Light is what the lighting assistant measured over the middle of the picture,
// where people are photographed.
type Light struct {
	// LeftRight is how much brighter the left third is than the right one, in per
	// cent of their mean (linear luminance); TopBottom likewise. Left is the
	// picture's left: as seen when facing the backdrop.
	LeftRight float64 `json:"left_right_pct"`
	TopBottom float64 `json:"top_bottom_pct"`
	// Stops is the exposure of the backdrop's strongest colour above its target
	// of two thirds of a stop below white; negative is too dark.
	Stops float64 `json:"exposure_stops"`
	// Neutral tells whether the backdrop is grey or white enough to
	// know the colour of the light by. Kelvin and Tint are zero otherwise.
	Neutral bool    `json:"neutral"`
	Kelvin  float64 `json:"kelvin"` // as the camera shows it; 6500 is balanced
	Tint    float64 `json:"tint"`   // Duv × 1000: above 0 green, below 0 magenta
	// Card tells that a grey card was measured and not the backdrop.
	Card bool `json:"card"`
}

// Judgement is everything that was found about a calibration.
type Judgement struct {
	Accepted bool      `json:"accepted"`
	Verdict  Status    `json:"verdict"` // the worst of the findings; unknown counts as warn
	Findings []Finding `json:"findings"`
	Light    Light     `json:"light"`
	Frames   int       `json:"frames"`
}

// Find returns the finding with that id, or nil.
func (j *Judgement) Find(id string) *Finding {
	for i := range j.Findings {
		if j.Findings[i].ID == id {
			return &j.Findings[i]
		}
	}
	return nil
}

// MinFrames is the least that a judgement of flicker and motion takes.
const MinFrames = 8

// Options of a Calibrator. The zero value compares with nothing and looks for
// nobody, and says so.
type Options struct {
	// Previous is the plate in use. What stands where it shows bare wall is an
	// object. nil: the first plate, or the backdrop or the camera was moved.
	Previous *matte.Plate
	// HasFace tells whether somebody is in a frame; nil: nobody looks.
	HasFace func(*image.RGBA) (bool, error)
}

// Calibrator takes frames of the empty booth one after the other, without
// keeping them. It serves one goroutine and one calibration.
type Calibrator struct {
	o     Options
	plate matte.PlateBuilder
	looks
	seen, looked bool // a face; somebody looked for one
	card         *rgb // of a grey card; nil: the wall tells the colour of the light
}

// New starts a calibration.
func New(o Options) *Calibrator { return &Calibrator{o: o} }

// faceEvery is how many frames apart a face is looked for: who stands still for
// the others is found as well.
const faceEvery = 4

// Frames is how many were added.
func (c *Calibrator) Frames() int { return c.plate.N() }

// Add takes in a frame, upright and at full size; it may be reused at once. at
// is when it was captured. An error is a frame that cannot be part of this
// plate, as one of another size, or a failure of HasFace.
func (c *Calibrator) Add(frame *image.RGBA, at time.Time) error {
	if err := c.plate.Add(frame); err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	if c.o.HasFace != nil && c.plate.N()%faceEvery == 1 {
		seen, err := c.o.HasFace(frame)
		if err != nil {
			return fmt.Errorf("calibrate: look for people: %w", err)
		}
		c.seen, c.looked = c.seen || seen, true
	}
	c.add(frame, at)
	return nil
}

// Finish judges the frames. The plate is nil when it is refused; then the
// judgement says why. An error is a calibration that cannot be judged at all.
func (c *Calibrator) Finish(info matte.PlateInfo) (*matte.Plate, *Judgement, error) {
	n := c.plate.N()
	plate, err := c.plate.Plate(info)
	if err != nil {
		return nil, nil, fmt.Errorf("calibrate: %w", err)
	}
	j := &Judgement{Frames: n}
	count := float64(n)
	j.judge(Frames, "", &count, ptr(MinFrames), n >= MinFrames, n >= MinFrames, frameWords(n))
	c.judgePerson(j)
	c.judgeLamps(j)
	c.judgeMotion(j)
	compared := c.judgeObject(j, plate)
	j.Light = measureLight(plate, c.card)
	judgeExposure(j)
	judgeClipping(j, plate)
	judgeSharpness(j, plate, c.o.Previous, compared)
	judgeEvenness(j)
	judgeColour(j, plate, c.card != nil)
	j.Verdict = Pass
	for _, f := range j.Findings {
		switch f.Status {
		case Fail:
			j.Verdict = Fail
		case Warn, Unknown:
			if j.Verdict == Pass {
				j.Verdict = Warn
			}
		case Pass:
		}
	}
	j.Accepted = j.Verdict != Fail
	if !j.Accepted {
		return nil, j, nil
	}
	return plate, j, nil
}

func (c *Calibrator) judgePerson(j *Judgement) {
	switch {
	case c.seen:
		j.add(Finding{ID: Person, Status: Fail}, words{"背景前有人。请让开，等画面里没有人再拍。", "Somebody is before the backdrop. Step aside and photograph it when nobody is in the picture."})
	case !c.looked:
		j.add(Finding{ID: Person, Status: Unknown}, words{"没有检查画面里是否有人脸。", "Nobody looked for faces in the picture."})
	default:
		j.add(Finding{ID: Person, Status: Pass}, words{"画面里没有人。", "Nobody is in the picture."})
	}
}

// words is a sentence in both languages.
type words struct{ zh, en string }

func ptr(v float64) *float64 { return &v }

func (j *Judgement) add(f Finding, w words) {
	f.ZH, f.EN = w.zh, w.en
	if f.Value != nil {
		f.Value = ptr(math.Round(*f.Value*1000) / 1000)
	}
	j.Findings = append(j.Findings, f)
}

// judge adds a finding: a Pass where good, a Warn where only bearable.
func (j *Judgement) judge(id, unit string, value, limit *float64, good, bearable bool, w words) {
	st := Fail
	switch {
	case good:
		st = Pass
	case bearable:
		st = Warn
	}
	j.add(Finding{ID: id, Status: st, Value: value, Unit: unit, Limit: limit}, w)
}

func frameWords(n int) words {
	if n < MinFrames {
		return words{
			fmt.Sprintf("只有 %d 帧，至少要 %d 帧。", n, MinFrames),
			fmt.Sprintf("There are only %d frames; at least %d are needed.", n, MinFrames),
		}
	}
	return words{fmt.Sprintf("%d 帧。", n), fmt.Sprintf("%d frames.", n)}
}

// area is the part of a picture where people are photographed: all of its
// height, and as wide as any crop can be with a person a little off the middle.
// What stands beside it, a lamp or the edge of the backdrop, is no fault.
func area(w, h int) image.Rectangle {
	half := min(w, h*6/5) / 2
	return image.Rect(w/2-half, 0, w/2+half, h)
}
