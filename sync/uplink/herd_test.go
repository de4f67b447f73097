package uplink

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// herdBin is the span in which requests are counted.
const herdBin = 20 * time.Millisecond

// strategy is a way of coming back after an outage.
type strategy struct {
	name    string
	backoff func() func(last time.Duration) time.Duration // one a station
	door    bool                                          // looks at central's door meanwhile
	slots   bool                                          // has a turn of its own
	news    bool                                          // every station's network comes back in the same moment
}

// exponential makes the known strategies out of base 2ⁿ under a cap; all have
// the bounds of ours.
func exponential(shape func(d time.Duration) time.Duration) func() func(time.Duration) time.Duration {
	return func() func(time.Duration) time.Duration {
		n := 0
		return func(last time.Duration) time.Duration {
			if last == 0 {
				n = 0
			}
			d := min(RetryMin<<min(n, 20), RetryMax)
			n++
			return max(shape(d), time.Nanosecond)
		}
	}
}

var strategies = []strategy{
	{name: "no jitter", backoff: exponential(func(d time.Duration) time.Duration { return d })},
	{name: "equal jitter", backoff: exponential(func(d time.Duration) time.Duration { return d/2 + rand.N(d/2) })},
	{name: "full jitter", backoff: exponential(func(d time.Duration) time.Duration { return rand.N(d) })},
	{name: "decorrelated jitter", backoff: decorrelated},
	{name: "decorrelated, woken by the network", backoff: decorrelated, news: true},
	{name: "ours", backoff: decorrelated, door: true, slots: true},
	{name: "ours, woken by the network", backoff: decorrelated, door: true, slots: true, news: true},
}

func decorrelated() func(time.Duration) time.Duration { return jitter }

// campusAir is the network of many stations: away until it is back.
type campusAir struct {
	t      *testing.T
	rig    *rig
	start  time.Time
	back   time.Duration
	mu     sync.Mutex
	times  []time.Duration // of every request, since the start
	online []time.Duration // when each station was answered first
}

func (a *campusAir) since() time.Duration { return time.Since(a.start) }

// stationAir is one station's way into it.
type stationAir struct {
	*campusAir
	slot, slots int
	served      bool
}

func (s *stationAir) RoundTrip(r *http.Request) (*http.Response, error) {
	at := s.since()
	s.mu.Lock()
	s.times = append(s.times, at)
	s.mu.Unlock()
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	// A campus network is a few milliseconds wide, and not the same for all.
	pass(2*time.Millisecond + rand.N(8*time.Millisecond))
	if at < s.back {
		return nil, errors.New("no route to host")
	}
	var v any
	var typ string
	switch {
	case r.URL.Path == "/v1/heartbeat":
		v, typ = wire.Hello{StationID: stationID, Now: time.Now(), Slot: s.slot, Slots: s.slots}, wire.TypeHello
	case r.URL.Path == "/v1/roster":
		v, typ = wire.RosterDelta{StationID: stationID, Since: 1, Cursor: 1, Batches: []wire.Batch{{ID: "b"}}}, wire.TypeRoster
	default:
		v, typ = wire.Verdicts{StationID: stationID}, wire.TypeVerdicts
		s.mu.Lock()
		if !s.served {
			s.served = true
			s.online = append(s.online, s.since()-s.back)
		}
		s.mu.Unlock()
	}
	rec := &recorder{header: http.Header{}}
	writeJSON(rec, 200, signAs(s.t, centralKey, typ, v))
	return &http.Response{StatusCode: http.StatusOK, Header: rec.header, Body: io.NopCloser(strings.NewReader(rec.body.String())), Request: r}, nil
}

type recorder struct {
	header http.Header
	body   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// herd is what became of one strategy.
type herd struct {
	name       string
	bins       []int // requests in each herdBin since the start
	first      int   // peak within the first two seconds: all are switched on
	later      int   // peak from then on
	total      int
	half, last time.Duration // after central's return: half, and all, were served
}

// comeBack switches n stations on in the same moment, with central away for
// outage, and watches until all were served. It runs the real Workers.
func comeBack(t *testing.T, st strategy, n int, outage time.Duration) herd {
	air := &campusAir{t: t}
	synctest.Test(t, func(t *testing.T) {
		c := newFake(t)
		air.t, air.rig = t, bubbled(t, c, direct{c})
		// One list and one outbox for all: nothing is to be sent.
		if err := air.rig.params.Roster.Apply(c.pages[0]); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		air.start, air.back = time.Now(), outage
		params := air.rig.params
		params.Now = time.Now
		params.Pulse = time.Hour // the calm afterwards is not what is looked at
		params.Events = Events{}
		params.Network = func(ctx context.Context, changed func()) error {
			if st.news {
				select {
				case <-ctx.Done():
				case <-time.After(outage):
					changed()
				}
			}
			<-ctx.Done()
			return ctx.Err()
		}
		for i := range n {
			p := params
			way := &stationAir{campusAir: air}
			clock := time.Duration(rand.NormFloat64() * float64(30*time.Millisecond)) // clocks that are set, and not by much
			p.Now = func() time.Time { return time.Now().Add(clock) }
			p.Transport = way
			if st.door {
				p.Probe = func(context.Context) error {
					if air.since() < outage {
						return errors.New("refused")
					}
					return nil
				}
			}
			w, err := NewWorker(p)
			if err != nil {
				t.Fatal(err)
			}
			w.backoff, w.slot = st.backoff(), 0
			if st.slots {
				way.slot, way.slots = i, n
				w.slot = uint64(n)<<32 | uint64(i) // it was online yesterday
			}
			running.Go(func() { _ = w.Run(ctx) })
		}
		for range 60 {
			pass(10 * time.Second)
			air.mu.Lock()
			done := len(air.online) == n && air.since() > outage
			air.mu.Unlock()
			if done {
				break
			}
		}
		if outage > 9*time.Minute {
			pass(outage)
		}
		cancel()
		running.Wait()
	})
	h := herd{name: st.name, total: len(air.times)}
	slices.Sort(air.times)
	slices.Sort(air.online)
	if len(air.online) != n {
		t.Fatalf("%s: only %d of %d came back", st.name, len(air.online), n)
	}
	h.bins = make([]int, int(air.times[len(air.times)-1]/herdBin)+1)
	for i, at := range air.times {
		h.bins[at/herdBin]++
		// The span is any, not only one of the bins.
		in := 0
		for _, next := range air.times[i:] {
			if next-at >= herdBin {
				break
			}
			in++
		}
		if at < 2*time.Second {
			h.first = max(h.first, in)
		} else {
			h.later = max(h.later, in)
		}
	}
	h.half, h.last = air.online[n/2], air.online[n-1]
	return h
}

// TestTheHerd sets our scheduler beside the known ones: stations of a campus
// switched on together while central is away, and central's return.
// YUNZHAO_NETWORK=1 takes a thousand of them; YUNZHAO_DOCS names
// the folder for the plot.
func TestTheHerd(t *testing.T) {
	n, outage := scaled(40, 1000), 2*time.Minute
	if n == 1000 {
		outage = 5 * time.Minute
	}
	var all []herd
	for _, st := range strategies {
		h := comeBack(t, st, n, outage)
		all = append(all, h)
		t.Logf("COUNT | %s | %d | %d | %.1f s | %.1f s | %d |", h.name, h.first, h.later, h.half.Seconds(), h.last.Seconds(), h.total)
	}
	for _, ours := range all[5:] {
		for _, other := range all[:5] {
			// Of a few, chance alone may keep some as far apart as ours are;
			// what makes all of them come in one moment does not.
			herd := n == 1000 || other.later > n/2
			if ours.first >= other.first || herd && ours.later >= other.later {
				t.Errorf("%s has peaks of %d and %d, %s %d and %d", ours.name, ours.first, ours.later, other.name, other.first, other.later)
			}
		}
	}
	if dir := os.Getenv("YUNZHAO_DOCS"); dir != "" {
		plotHerds(t, filepath.Join(dir, "sync-herd.png"), all, outage)
	}
}

func scaled(some, all int) int {
	if os.Getenv("YUNZHAO_NETWORK") == "" {
		return some
	}
	return all
}

// plotHerds draws requests in 20 ms over time, a strip a strategy, each on a
// scale of its own that stands beside it.
func plotHerds(t *testing.T, path string, all []herd, outage time.Duration) {
	const left, width, strip, air = 250, 900, 84, 16
	span := outage + 3*time.Minute
	img := image.NewRGBA(image.Rect(0, 0, left+width+20, len(all)*(strip+air)+40))
	for i := range img.Pix {
		img.Pix[i] = 0xFF
	}
	ink, bar, grey, red := color.RGBA{30, 30, 30, 255}, color.RGBA{37, 99, 175, 255}, color.RGBA{205, 210, 216, 255}, color.RGBA{190, 60, 40, 255}
	say := func(x, y int, s string) {
		d := font.Drawer{Dst: img, Src: image.NewUniform(ink), Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
		d.DrawString(s)
	}
	x := func(at time.Duration) int { return left + int(at*width/span) }
	for i, h := range all {
		base := 10 + (i+1)*(strip+air) - air
		most := slices.Max(h.bins)
		for px := left; px < left+width; px++ {
			img.SetRGBA(px, base, grey)
		}
		for b, v := range h.bins {
			at := time.Duration(b) * herdBin
			if v == 0 || at > span {
				continue
			}
			for y := range max(1, v*strip/most) {
				img.SetRGBA(x(at), base-y, bar)
			}
		}
		for y := range strip {
			if y%4 < 2 {
				img.SetRGBA(x(outage), base-y, red)
			}
		}
		say(8, base-strip/2, h.name)
		say(8, base-strip/2+16, fmt.Sprintf("most in 20 ms: %d", most))
	}
	base := 10 + len(all)*(strip+air)
	for m := time.Duration(0); m <= span; m += time.Minute {
		say(x(m)-3, base+8, fmt.Sprint(int(m.Minutes())))
	}
	say(left, base+24, "minutes since all stations were switched on; dashed: central is back")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

func TestTurn(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, "https://central.test", c, direct{c})
	w := r.worker()
	if got := w.turn(7 * time.Second); got != 7*time.Second {
		t.Errorf("central said nothing of turns: %v", got)
	}
	for _, tc := range []struct {
		slot, slots int
		at          time.Duration // into a minute
		earliest    time.Duration
		want        time.Duration
	}{
		{0, 1, 3 * time.Second, 0, 0},                                      // alone
		{0, 1200, 0, 0, 0},                                                 // a period of a minute, and this is the moment
		{600, 1200, 0, 0, 30 * time.Second},                                // half of it away
		{600, 1200, 31 * time.Second, 0, 59 * time.Second},                 // just missed
		{600, 1200, 31 * time.Second, 60 * time.Second, 119 * time.Second}, // not before the pause is over
		{10, 20, 0, 0, 500 * time.Millisecond},                             // a small campus
		{4800, 9600, 0, 0, 60 * time.Second},                               // never more than two minutes
	} {
		w.setSlot(wire.Hello{Slot: tc.slot, Slots: tc.slots})
		r.now = time.Unix(1_800_000_000, 0).Add(tc.at) // a multiple of two minutes
		if got := w.turn(tc.earliest); got != tc.want {
			t.Errorf("slot %d of %d, %v into the minute, at least %v: %v, want %v", tc.slot, tc.slots, tc.at, tc.earliest, got, tc.want)
		}
	}
	for _, bad := range []wire.Hello{{Slot: -1, Slots: 5}, {Slot: 5, Slots: 5}, {Slot: 1, Slots: -2}, {Slots: 1 << 21}} {
		before := w.slot
		w.setSlot(bad)
		if w.slot != before {
			t.Errorf("%+v was taken", bad)
		}
	}
	// A station that is switched on again knows its turn.
	if again := r.restart(); again.slot != w.slot {
		t.Errorf("kept %x, want %x", again.slot, w.slot)
	}
}
