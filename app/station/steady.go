package station

import (
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/pipeline"
)

// How still the coaching is kept. A value that wanders about its limit changes
// sides several times a second; a person reads one sentence in that time.
const (
	// hintStays is the least time between two hints.
	hintStays = time.Second
	// hintLasts is how long a new hint, a check's new state or a change of
	// readiness must last before it is believed: a blink is shorter.
	hintLasts = 250 * time.Millisecond
	// hintStale is when a hint that is not seen any more gives way to whatever is
	// there, even where several others take turns.
	hintStale = 1500 * time.Millisecond
	// valueStays is the least time between two readings of a check's number.
	valueStays = 300 * time.Millisecond
)

// steady turns the raw judgements of single frames into coaching that can be
// read. Time is handed in; the zero value has said nothing yet.
type steady struct {
	shown     booth.LiveView // hint, icon and level on the screen
	shownAt   time.Time      // since when
	seenAt    time.Time      // when the hint on the screen was last the right one
	next      booth.Text     // what would be said instead
	nextSince time.Time

	ready      bool
	readySince time.Time // since when the frames have said otherwise; zero = they agree

	checks []steadyCheck
}

// steadyCheck is one line beside the mirror.
type steadyCheck struct {
	line   booth.CheckLine
	readAt time.Time // of the number
	next   string    // status that would be shown instead
	since  time.Time
}

// view is what to show for the judgement of a frame.
func (h *steady) view(now time.Time, r pipeline.LiveResult) booth.LiveView {
	raw := booth.LiveView{
		Hint: booth.Text{ZH: r.Hint.ZH, EN: r.Hint.EN}, Icon: r.Hint.Icon, Level: levelOf(r.Hint.Status),
	}
	h.say(now, raw)
	h.settle(now, r.Ready)
	v := h.shown
	// Never ready under a sentence that asks for something: the green light comes
	// with "hold still", not before.
	v.Ready = h.ready && v.Level != booth.Bad
	if !v.Ready && !r.Ready {
		v.Broken = raw.Hint
	}
	if r.Face != nil {
		v.Face = &booth.FaceBox{X: r.Face.X, Y: r.Face.Y, W: r.Face.W, H: r.Face.H}
	}
	v.Checks = h.lines(now, r.Checks)
	return v
}

// say puts the new hint on the screen once it has lasted and the old one has
// been there long enough to be read.
func (h *steady) say(now time.Time, raw booth.LiveView) {
	if h.shownAt.IsZero() || raw.Hint == h.shown.Hint {
		if h.shownAt.IsZero() {
			h.shownAt = now
		}
		h.shown = raw // the level may be another for the same sentence
		h.seenAt, h.next = now, booth.Text{}
		return
	}
	if raw.Hint != h.next {
		h.next, h.nextSince = raw.Hint, now
	}
	lasted := now.Sub(h.nextSince) >= hintLasts || now.Sub(h.seenAt) >= hintStale
	if lasted && now.Sub(h.shownAt) >= hintStays {
		h.shown, h.shownAt, h.seenAt, h.next = raw, now, now, booth.Text{}
	}
}

// settle follows the frames' readiness once it has lasted.
func (h *steady) settle(now time.Time, ready bool) {
	switch {
	case ready == h.ready:
		h.readySince = time.Time{}
	case h.readySince.IsZero():
		h.readySince = now
	case now.Sub(h.readySince) >= hintLasts:
		h.ready, h.readySince = ready, time.Time{}
	}
}

// lines keeps the states of the checks from flickering and their numbers from
// running faster than they can be read.
func (h *steady) lines(now time.Time, checks []pipeline.Check) []booth.CheckLine {
	fresh := len(checks) != len(h.checks)
	for i := 0; !fresh && i < len(checks); i++ {
		fresh = checks[i].ID != h.checks[i].line.ID
	}
	if fresh { // other rules: nothing to compare with
		h.checks = h.checks[:0]
		for _, c := range checks {
			h.checks = append(h.checks, steadyCheck{line: checkLine(c), readAt: now})
		}
	}
	out := make([]booth.CheckLine, 0, len(checks)) // the view keeps it
	for i, c := range checks {
		s := &h.checks[i]
		line := checkLine(c)
		switch {
		case line.Status == s.line.Status:
			s.next = ""
			if now.Sub(s.readAt) >= valueStays {
				s.line, s.readAt = line, now
			}
		case line.Status != s.next:
			s.next, s.since = line.Status, now
		case now.Sub(s.since) >= hintLasts:
			s.line, s.readAt, s.next = line, now, ""
		}
		out = append(out, s.line)
	}
	return out
}

func levelOf(st pipeline.Status) booth.Level {
	switch st {
	case pipeline.Pass:
		return booth.OK
	case pipeline.Fail:
		return booth.Bad
	case pipeline.Warn, pipeline.Manual, pipeline.Unknown:
	}
	return booth.Warn
}
