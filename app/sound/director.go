package sound

import (
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// director decides what is heard, from one view to the next.
type director struct {
	state   booth.State
	session string
	count   int
	stopped string

	spoken   string    // the last sentence
	spokenAt time.Time // zero = nothing was said in this visit
	waiting  string    // hint that is not said yet
	since    time.Time
}

// How the hints are paced: nobody can follow a sentence a second.
const (
	lasts  = 700 * time.Millisecond // a hint must stay for this before it is said
	breath = 2500 * time.Millisecond
	again  = 8 * time.Second // the same hint, while it is still the right one
)

// follow looks at a view: a tone to play, and, when change is set, a sentence to
// say instead of what is being said; an empty one is silence.
func (d *director) follow(now time.Time, v booth.View) (tone Tone, words string, change bool) {
	if v.SessionID != d.session {
		*d = director{session: v.SessionID, state: d.state}
		change = true // whatever was being said was for somebody else
	}
	before := d.state
	d.state = v.State
	switch {
	case v.Fault != nil:
		change = change || d.waiting != ""
		d.waiting = ""
		return Silence, "", change
	case v.State == booth.Countdown:
		if v.Countdown != d.count {
			d.count = v.Countdown
			tone = Tick
			if v.Countdown <= 1 {
				tone = LastTick
			}
		}
		if before != booth.Countdown {
			d.waiting, change = "", true // the ticks are heard alone
		}
		return tone, "", change
	case v.State == booth.Shot && before != booth.Shot:
		tone, change = Shutter, true
	case v.State == booth.Done && before != booth.Done && before == booth.Sealing:
		tone, change = Saved, true
	}
	d.count = 0
	if v.State != booth.Framing {
		if before == booth.Framing {
			d.waiting, change = "", true
		}
		return tone, "", change
	}
	words, said := d.coach(now, v)
	if v.Capture.Stopped != nil && v.Capture.Stopped.EN != d.stopped {
		// The one thing that is said at once: somebody holds still for nothing.
		d.stopped, d.spoken, d.spokenAt, d.waiting = v.Capture.Stopped.EN, "", now, ""
		return Stopped, v.Capture.Stopped.In(v.Lang), true
	}
	if v.Capture.Stopped == nil {
		d.stopped = ""
	}
	return tone, words, change || said
}

// coach paces the hint of the framing screen.
func (d *director) coach(now time.Time, v booth.View) (words string, say bool) {
	hint := v.Live.Hint.In(v.Lang)
	if hint == "" {
		return "", false
	}
	if hint != d.waiting {
		d.waiting, d.since = hint, now
	}
	pause := breath
	if hint == d.spoken {
		if v.Live.Ready {
			return "", false // once is enough for somebody who holds still
		}
		pause = again
	}
	if now.Sub(d.since) < lasts || !d.spokenAt.IsZero() && now.Sub(d.spokenAt) < pause {
		return "", false
	}
	d.spoken, d.spokenAt = hint, now
	return hint, true
}
