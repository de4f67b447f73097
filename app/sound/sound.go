// Package sound lets the booth be heard: a tick for each second of the
// countdown, the shutter, a chord when the photo is safe, and the hint spoken to
// students who look at the lens and not at the screen.
//
// It follows the booth's views and knows nothing else of it. It speaks the
// station's own sentences only, never what was typed or who somebody is. A
// computer without loudspeaker, player or voice is silent and disturbs nobody:
// nothing here ever makes the booth wait or fail.
package sound

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// Sound plays what the views call for. Make it with New, then Run it once;
// Show may be called from any goroutine at any time.
type Sound struct {
	o     Options
	views chan booth.View // the newest that was not looked at yet
	tones chan Tone
	words chan sentence
}

// Options of a Sound. Play is required.
type Options struct {
	// Play plays mono samples and returns when they have been heard. A tone and
	// a sentence may be played at once, from two goroutines.
	Play func(ctx context.Context, pcm PCM) error
	// Say makes a sentence audible as samples; nil = nothing is spoken.
	Say    func(ctx context.Context, lang booth.Lang, text string) (PCM, error)
	Volume int          // percent, 0 to 100
	Log    *slog.Logger // nil = discard
	Now    func() time.Time
}

// sentence is one to be spoken; an empty one ends what is being said.
type sentence struct {
	lang booth.Lang
	text string
}

// How often a loudspeaker that does not work is tried.
const (
	tries   = 3               // failures in a row before it is left alone
	quiet   = time.Minute     // for so long
	longest = 8 * time.Second // a sound that takes longer hangs
)

// New makes a Sound. It refuses missing or impossible options.
func New(o Options) (*Sound, error) {
	if o.Play == nil {
		return nil, errors.New("sound: nothing to play with")
	}
	if o.Volume < 0 || o.Volume > 100 {
		return nil, errors.New("sound: the volume is not between 0 and 100")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Sound{o: o, views: make(chan booth.View, 1), tones: make(chan Tone, 1), words: make(chan sentence, 1)}, nil
}

// Show takes the newest view. It never blocks: a view that was not looked at in
// time is replaced.
func (s *Sound) Show(v booth.View) { replace(s.views, v) }

// replace puts v into a channel of one place, in the place of what is there.
func replace[T any](c chan T, v T) {
	for {
		select {
		case c <- v:
			return
		default:
		}
		select {
		case <-c:
		default:
		}
	}
}

// Run plays until ctx ends.
func (s *Sound) Run(ctx context.Context) {
	var done sync.WaitGroup
	done.Go(func() { s.beep(ctx) })
	done.Go(func() { s.speak(ctx) })
	var d director
	for {
		select {
		case <-ctx.Done():
			done.Wait()
			return
		case v := <-s.views:
			tone, words, change := d.follow(s.o.Now(), v)
			if tone != Silence {
				replace(s.tones, tone)
			}
			if change {
				replace(s.words, sentence{v.Lang, words})
			}
		}
	}
}

// beep plays tones, one after the other; one that comes while another is heard
// waits, one more replaces it.
func (s *Sound) beep(ctx context.Context) {
	out := outlet{s: s, what: "tone"}
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-s.tones:
			out.try(ctx, func(ctx context.Context) error { return s.o.Play(ctx, t.PCM(s.o.Volume)) })
		}
	}
}

// speak says sentences; a new one cuts the one before short.
func (s *Sound) speak(ctx context.Context) {
	out := outlet{s: s, what: "voice"}
	var next *sentence
	for {
		if next == nil {
			select {
			case <-ctx.Done():
				return
			case w := <-s.words:
				next = &w
			}
		}
		w := *next
		next = nil
		if w.text == "" || s.o.Say == nil {
			continue
		}
		saying, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			out.try(saying, func(ctx context.Context) error {
				pcm, err := s.o.Say(ctx, w.lang, w.text)
				if err != nil {
					return err
				}
				return s.o.Play(ctx, pcm.Scale(s.o.Volume))
			})
		}()
		select {
		case <-ended:
		case <-ctx.Done():
		case w := <-s.words:
			next = &w
		}
		stop()
		<-ended
	}
}

// outlet is one way to the loudspeaker. When it has failed several times in a
// row it rests, so that a computer without sound is not tried at every tick.
type outlet struct {
	s      *Sound
	what   string
	failed int
	rest   time.Time // not before then
}

func (o *outlet) try(ctx context.Context, play func(context.Context) error) {
	if o.s.o.Now().Before(o.rest) {
		return
	}
	limited, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	err := play(limited)
	switch {
	case err == nil:
		o.failed, o.rest = 0, time.Time{}
	case ctx.Err() != nil: // cut short
	default:
		if o.failed++; o.failed >= tries {
			if o.failed == tries {
				o.s.o.Log.Warn("no sound", "what", o.what, "err", err)
			}
			o.rest = o.s.o.Now().Add(quiet)
		}
	}
}
