package pipeline

import (
	"context"
	"fmt"
	"image"
	"math"
	"sync"
	"time"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/face"
	"github.com/yunzhao-station/yunzhao/pipeline/quality"
)

// BurstFrame is one of the frames around the shutter.
type BurstFrame struct {
	At time.Time // when it was captured
	// Load draws the frame into dst, upright, not mirrored, at BurstSize of its
	// own size; dst's buffer is to be reused. It is called from several
	// goroutines, each with a picture of its own.
	Load func(dst *image.RGBA) error
}

// BurstSize is the reduced size at which the frames of a burst are compared:
// half of 1080p, which the JPEG decoder gives almost for nothing.
func BurstSize(frame image.Point) image.Point {
	for frame.X > burstWidth || frame.Y > burstWidth {
		frame = image.Pt((frame.X+1)/2, (frame.Y+1)/2)
	}
	return frame
}

// burstWidth is the longest side of a reduced frame: the eyes of a person at
// the right distance are still 45 pixels apart.
const burstWidth = 1280

// Flaw is what makes a frame of a burst worse than the best.
type Flaw string

// The flaws, the gravest first.
const (
	FlawNone   Flaw = ""
	FlawNoFace Flaw = "no_face" // or the frame cannot be decoded
	FlawEyes   Flaw = "eyes"    // less open than in the other frames
	FlawMouth  Flaw = "mouth"   // further open
	FlawBlur   Flaw = "blur"    // less sharp
	FlawMotion Flaw = "motion"  // the head moves
)

// Moment is how good one frame of a burst is beside the others.
type Moment struct {
	Score float64 // 0 (no face) to 1; comparable within the burst alone
	Flaw  Flaw
	// EyesOpen and MouthGap are those of the rules eyes_open and mouth_closed,
	// at reduced size; Detail is the mean squared step of luminance over the
	// face in gray levels²; Motion is the eyes' speed in eye distances a second.
	EyesOpen, MouthGap, Detail, Motion float64
	// Thumb shows head and shoulders; it belongs to the caller.
	Thumb *image.RGBA
}

// Burst compares the frames around the shutter. It keeps its working memory
// from burst to burst and is for one goroutine at a time.
type Burst struct {
	z       *Standardizer
	workers [burstWorkers]burstWorker
	seen    []sight
}

// burstWorkers is how many frames are looked at together: a station has two
// cores.
const burstWorkers = 2

type burstWorker struct {
	frame image.RGBA
	gray  image.Gray
}

// sight is what was seen of one frame.
type sight struct {
	ok     bool
	moment quality.Moment
	eyes   face.Point
	ied    float64
	thumb  *image.RGBA
}

// NewBurst makes a Burst that shares z's models.
func (z *Standardizer) NewBurst() *Burst { return &Burst{z: z} }

// Judge compares the frames, which are in the order they were captured, and
// returns the index of the best and a Moment for each. The frame that was on
// the screen, shutter, wins unless another is clearly better: it is the one the
// student saw. A frame that does not load scores nothing; an error is returned
// only for an empty burst or when ctx ends.
func (b *Burst) Judge(ctx context.Context, frames []BurstFrame, shutter int, thumb image.Point) (best int, moments []Moment, err error) {
	if len(frames) == 0 || shutter < 0 || shutter >= len(frames) || thumb.X < 1 || thumb.Y < 1 {
		return 0, nil, fmt.Errorf("%w: burst of %d frames, shutter at %d, thumbs of %v", ErrInput, len(frames), shutter, thumb)
	}
	b.seen = append(b.seen[:0], make([]sight, len(frames))...)
	var done sync.WaitGroup
	for i := range b.workers {
		done.Go(func() {
			w := &b.workers[i]
			// The models are shared, what was seen of a person is not.
			tracker := b.z.detector.NewTracker()
			for k := i; k < len(frames) && ctx.Err() == nil; k += burstWorkers {
				b.seen[k] = b.look(w, tracker, frames[k], thumb)
			}
			clear(w.frame.Pix[:cap(w.frame.Pix)])
			clear(w.gray.Pix[:cap(w.gray.Pix)])
		})
	}
	done.Wait()
	if err := ctx.Err(); err != nil {
		return 0, nil, fmt.Errorf("judge burst: %w", err)
	}
	at := make([]time.Time, len(frames))
	for i, f := range frames {
		at[i] = f.At
	}
	moments = compare(b.seen, at)
	for i := range b.seen {
		moments[i].Thumb, b.seen[i] = b.seen[i].thumb, sight{}
	}
	return choose(moments, at, shutter), moments, nil
}

func (b *Burst) look(w *burstWorker, tracker *face.Tracker, f BurstFrame, thumb image.Point) sight {
	if err := f.Load(&w.frame); err != nil || w.frame.Rect.Empty() {
		return sight{}
	}
	var s sight
	lumaInto(&w.gray, &w.frame)
	faces, err := tracker.Update(&w.gray, face.Options{MinSize: float64(w.frame.Rect.Dy()) / 8, Colour: &w.frame})
	if err == nil && len(faces) > 0 {
		main := faces[0]
		s.eyes, s.ied = main.EyeMid(), main.IED()
		s.moment, s.ok = b.z.meter.Moment(&w.frame, main)
	}
	s.thumb = image.NewRGBA(image.Rectangle{Max: thumb})
	if err := codec.ScaleInto(s.thumb, headAndShoulders(&w.frame, s, thumb), false); err != nil {
		s.thumb = nil
	}
	return s
}

// headAndShoulders is the part of the frame that a portrait of the thumb's
// proportions would show, or the middle where there is nobody.
func headAndShoulders(m *image.RGBA, s sight, thumb image.Point) *image.RGBA {
	b := m.Rect
	if s.ied < 4 {
		return m
	}
	// On a portrait the eyes are some 0.22 of its width apart, a little above the
	// middle.
	w := int(s.ied / .22)
	h := w * thumb.Y / thumb.X
	w, h = min(w, b.Dx()), min(h, b.Dy())
	x := min(max(int(s.eyes.X)-w/2, 0), b.Dx()-w)
	y := min(max(int(s.eyes.Y)-h*42/100, 0), b.Dy()-h)
	cut, ok := m.SubImage(image.Rect(x, y, x+w, y+h).Add(b.Min)).(*image.RGBA)
	if !ok || cut.Rect.Empty() {
		return m
	}
	cut.Rect = cut.Rect.Sub(cut.Rect.Min)
	return cut
}

// How much of each quality a frame must have of the burst's best to lose
// nothing, and at how much it has lost all: a closed eye measures .45 of an open
// one, a blur that shows at print size takes half of the detail.
const (
	eyesWhole, eyesNone   = .85, .5
	eyesOpen, eyesWide    = .05, .065  // eye-to-chin distances: above the first an eye is open, above the second no better
	lipsWhole, lipsNone   = .008, .058 // further open than the burst's least, eye-to-chin distances
	sharpWhole, sharpNone = .85, .35
	calmWhole, calmNone   = .5, 3.5 // eye distances a second
)

// shows is the factor below which a flaw is told to people.
const shows = .6

// compare gives each frame its place among the others. Mostly what differs
// counts: parted lips and soft focus are the same in every frame, and whether
// they are allowed is for the checks to say.
func compare(seen []sight, at []time.Time) []Moment {
	out := make([]Moment, len(seen))
	var eyes, detail float64
	lips := math.Inf(1)
	for _, s := range seen {
		if !s.ok {
			continue
		}
		detail = max(detail, s.moment.Detail)
		if s.moment.EyesKnown {
			eyes = max(eyes, min(s.moment.EyesOpen, eyesWide))
		}
		if s.moment.LipsKnown {
			lips = min(lips, s.moment.MouthGap)
		}
	}
	for i, s := range seen {
		m := &out[i]
		if !s.ok {
			m.Flaw = FlawNoFace
			continue
		}
		m.EyesOpen, m.MouthGap, m.Detail = s.moment.EyesOpen, s.moment.MouthGap, s.moment.Detail
		m.Motion = speed(seen, at, i)
		open, shut, sharp := 1., 1., 1.
		switch {
		case s.moment.EyesKnown:
			open = ramp(min(m.EyesOpen, eyesWide)/max(eyes, eyesOpen), eyesNone, eyesWhole)
		case eyes > 0:
			open = shows // behind glare or hair: neither good nor known to be bad
		}
		if s.moment.LipsKnown {
			shut = 1 - ramp(m.MouthGap-lips, lipsWhole, lipsNone)
		}
		if detail > 0 {
			sharp = ramp(m.Detail/detail, sharpNone, sharpWhole)
		}
		calm := 1 - ramp(m.Motion, calmWhole, calmNone)
		// Closed eyes spoil a photo, the rest makes it worse; nothing is weighed so
		// that a face could come out below none.
		m.Score = (.05 + .95*open) * (.3 + .7*shut) * (.3 + .7*sharp) * (.6 + .4*calm)
		for _, f := range []struct {
			flaw Flaw
			v    float64
		}{{FlawEyes, open}, {FlawMouth, shut}, {FlawBlur, sharp}, {FlawMotion, calm}} {
			if f.v < shows {
				m.Flaw = f.flaw
				break
			}
		}
	}
	return out
}

// ramp is 0 at and below lo and 1 at and above hi.
func ramp(v, lo, hi float64) float64 { return min(max((v-lo)/(hi-lo), 0), 1) }

// speed of the eyes in frame i, in eye distances a second, by the frames before
// and after it. The slower side counts: a head that has come to rest is at rest.
func speed(seen []sight, at []time.Time, i int) float64 {
	least := math.Inf(1)
	for _, k := range []int{i - 1, i + 1} {
		if k < 0 || k >= len(seen) || !seen[k].ok {
			continue
		}
		dt := at[k].Sub(at[i]).Abs().Seconds()
		if dt < 1e-3 || seen[i].ied < 1 {
			continue
		}
		d := math.Hypot(seen[k].eyes.X-seen[i].eyes.X, seen[k].eyes.Y-seen[i].eyes.Y) / seen[i].ied
		least = min(least, d/dt)
	}
	if math.IsInf(least, 1) {
		return 0
	}
	return least
}

// clearlyBetter is how much more another frame must score than the one that
// was on the screen.
const clearlyBetter = 1.06

// choose picks the best frame; of equals the one nearest to the shutter.
func choose(moments []Moment, at []time.Time, shutter int) int {
	best := shutter
	for i, m := range moments {
		lead := m.Score - moments[best].Score
		nearer := at[i].Sub(at[shutter]).Abs() < at[best].Sub(at[shutter]).Abs()
		if lead > 1e-9 || lead > -1e-9 && nearer {
			best = i
		}
	}
	if moments[best].Score < clearlyBetter*moments[shutter].Score {
		return shutter
	}
	return best
}
