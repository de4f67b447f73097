package station

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline"
)

// judged is the raw judgement of a frame: ok or what to do.
func judged(hint string) pipeline.LiveResult {
	r := pipeline.LiveResult{Hint: pipeline.Hint{Icon: hint, ZH: hint, EN: hint, Status: pipeline.Fail}}
	if hint == "ok" {
		r.Hint.Status, r.Ready = pipeline.Pass, true
	}
	return r
}

// said runs judgements 90 ms apart through a steady and lists the changes of
// its hint as "ms hint".
func said(h *steady, hints []string) []string {
	var out []string
	last := ""
	at := time.Unix(0, 0)
	for i, hint := range hints {
		v := h.view(at.Add(time.Duration(i)*90*time.Millisecond), judged(hint))
		if v.Icon != last {
			last = v.Icon
			out = append(out, fmt.Sprintf("%d %s", i*90, v.Icon))
		}
	}
	return out
}

func repeated(parts ...any) []string {
	var out []string
	for i := 0; i < len(parts); i += 2 {
		for range parts[i].(int) {
			out = append(out, strings.Fields(parts[i+1].(string))...)
		}
	}
	return out
}

func TestAHintStandsLongEnoughToBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		hints []string
		want  string
	}{
		"the first at once":                    {repeated(1, "left"), "[0 left]"},
		"the same goes on":                     {repeated(30, "left"), "[0 left]"},
		"the next after a second":              {repeated(3, "left", 20, "up"), "[0 left 1080 up]"},
		"the next at once when it was read":    {repeated(20, "left", 20, "up"), "[0 left 2070 up]"},
		"a blink says nothing":                 {repeated(20, "ok", 2, "eyes", 20, "ok"), "[0 ok]"},
		"one that comes and goes":              {repeated(30, "left ok"), "[0 left]"},
		"two that take turns replace no third": {repeated(1, "left", 6, "up down"), "[0 left]"},
		"but not for ever":                     {repeated(1, "left", 20, "up down"), "[0 left 1530 up]"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fmt.Sprint(said(new(steady), c.hints)); got != c.want {
				t.Errorf("said %s, want %s", got, c.want)
			}
		})
	}
}

// A value that wanders about its limit: whatever the noise, no two changes of
// the hint are closer than a second, and the lamps do not flicker either.
func TestNoiseAroundTheLimitDoesNotFlicker(t *testing.T) {
	for _, noise := range []float64{.05, .2, 1, 5} {
		for seed := range uint64(20) {
			rng := rand.New(rand.NewPCG(seed, 7))
			var h steady
			var changes, lamps []time.Time
			var hint booth.Text
			status := ""
			at := time.Unix(0, 0)
			raw, rawStatus := 0, ""
			for i := range 60 * 11 {
				at = at.Add(90 * time.Millisecond)
				// Roll, which drifts slowly to and fro over its limit of 5°.
				roll := 5 + .5*math.Sin(float64(i)/40) + noise*rng.NormFloat64()
				r := judged("ok")
				check := pipeline.Check{ID: "roll", Status: pipeline.Pass, Value: &roll, Unit: "deg"}
				if roll > 5 {
					r, check.Status = judged("roll"), pipeline.Fail
				}
				if s := string(check.Status); s != rawStatus {
					raw, rawStatus = raw+1, s
				}
				r.Checks = []pipeline.Check{check}
				v := h.view(at, r)
				if v.Hint != hint {
					changes, hint = append(changes, at), v.Hint
				}
				if v.Checks[0].Status != status {
					lamps, status = append(lamps, at), v.Checks[0].Status
				}
				if v.Ready && v.Level != booth.OK {
					t.Fatalf("ready under %q", v.Hint.EN)
				}
			}
			for i := 1; i < len(changes); i++ {
				if gap := changes[i].Sub(changes[i-1]); gap < time.Second {
					t.Fatalf("noise %v, seed %d: the hint changed after %v", noise, seed, gap)
				}
			}
			if len(changes) < 2 {
				t.Fatalf("noise %v, seed %d: a slow drift is never told", noise, seed)
			}
			if noise >= 1 && len(lamps)*4 > raw {
				t.Errorf("noise %v, seed %d: the lamp changed %d times of %d", noise, seed, len(lamps), raw)
			}
		}
	}
}

func TestReadinessIsBelievedWhenItLasts(t *testing.T) {
	at := time.Unix(0, 0)
	var h steady
	step := func(hint string) booth.LiveView {
		at = at.Add(90 * time.Millisecond)
		return h.view(at, judged(hint))
	}
	first := -1
	for i := range 10 {
		if step("ok").Ready && first < 0 {
			first = i
		}
	}
	if first < 3 || first > 5 {
		t.Errorf("ready at frame %d, want after a quarter of a second", first)
	}
	for i, hint := range []string{"eyes", "eyes", "ok", "eyes", "ok"} {
		if v := step(hint); !v.Ready || v.Broken != (booth.Text{}) {
			t.Errorf("a blink (frame %d) ends it: %+v", i, v)
		}
	}
	var v booth.LiveView
	n := 0
	for v = step("left"); v.Ready && n < 20; v = step("left") {
		n++
	}
	if n < 2 || n > 4 || v.Broken.EN != "left" {
		t.Errorf("given up after %d frames because of %q", n, v.Broken.EN)
	}
	// The sentence for it has not been read yet when all is well again.
	for range 3 {
		v = step("left")
	}
	if v.Icon != "left" {
		t.Fatalf("shown %q", v.Icon)
	}
	for range 5 {
		if v = step("ok"); v.Ready {
			t.Errorf("ready under the sentence %q", v.Hint.EN)
		}
	}
}

func TestNumbersBesideTheMirrorCanBeRead(t *testing.T) {
	at := time.Unix(0, 0)
	var h steady
	value := func(v float64, id string) string {
		at = at.Add(90 * time.Millisecond)
		r := judged("ok")
		r.Checks = []pipeline.Check{{ID: id, Status: pipeline.Pass, Value: &v, Unit: "deg"}}
		r.Face = &pipeline.Box{X: .1, Y: .2, W: .3, H: .4}
		view := h.view(at, r)
		if view.Face == nil || *view.Face != (booth.FaceBox{X: .1, Y: .2, W: .3, H: .4}) {
			t.Errorf("face %+v", view.Face)
		}
		return view.Checks[0].Value
	}
	var got []string
	for i := range 8 {
		got = append(got, value(float64(i), "roll"))
	}
	got = append(got, value(30, "yaw")) // another preset's list: at once
	if s := strings.Join(got, " "); s != "0° 0° 0° 0° 4° 4° 4° 4° 30°" {
		t.Errorf("shown %s", s)
	}
}

// sitting is a camera at 30 frames a second on the test's clock.
type sitting struct{ began time.Time }

func (c sitting) seq() uint64 { return uint64(time.Since(c.began)/(time.Second/30)) + 1 }

func (c sitting) Latest(ctx context.Context, after uint64, dst *camera.Frame) error {
	if wait := time.Duration(after)*time.Second/30 - time.Since(c.began) + time.Millisecond; wait > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	dst.Seq = c.seq()
	dst.Data = append(dst.Data[:0], 1, 2, 3)
	return nil
}

func (c sitting) BySeq(uint64, *camera.Frame) bool { return false }

func TestCoachingKeepsTenHertz(t *testing.T) {
	for _, took := range []time.Duration{5 * time.Millisecond, 15 * time.Millisecond, 50 * time.Millisecond} {
		t.Run(took.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				view := booth.View{State: booth.Guide, SessionID: "A"}
				show := func(st booth.State, id string) {
					mu.Lock()
					defer mu.Unlock()
					view.State, view.SessionID = st, id
				}
				counts := map[string]int{}
				var seqs []uint64
				fail := false
				var said bytes.Buffer
				c := coaching{
					frames: sitting{time.Now()},
					view:   func() booth.View { mu.Lock(); defer mu.Unlock(); return view },
					judge: func(c *coaching, session string) (pipeline.LiveResult, error) {
						<-time.After(took)
						seqs = append(seqs, c.frame.Seq)
						if fail {
							return pipeline.LiveResult{}, errors.New("damaged")
						}
						return judged("hint for " + session), nil
					},
					report: func(ev booth.LiveUpdate) {
						mu.Lock()
						defer mu.Unlock()
						counts[ev.Session]++
						if want := "hint for " + ev.Session; ev.Live.Hint.EN != want {
							t.Errorf("student %s is told %q", ev.Session, ev.Live.Hint.EN)
						}
					},
					log: slog.New(slog.NewTextHandler(&said, nil)),
				}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { c.run(ctx); close(ended) }()
				pass := func(d time.Duration) { <-time.After(d); synctest.Wait() }
				pass(3 * time.Second)
				if len(seqs) > 0 {
					t.Error("somebody who is not framing yet is judged")
				}
				show(booth.Framing, "A")
				pass(10 * time.Second)
				if n := counts["A"]; n < 100 {
					t.Errorf("%d evaluations in 10 s, want at least 100", n)
				}
				for i := 1; i < len(seqs); i++ {
					if seqs[i] <= seqs[i-1] {
						t.Fatalf("frame %d was judged again", seqs[i])
					}
				}
				// The next student begins with nothing of the one before.
				show(booth.Framing, "B")
				pass(time.Second)
				if counts["B"] == 0 {
					t.Error("the next student is not coached")
				}
				fail = true
				pass(2 * time.Second)
				if n := strings.Count(said.String(), "live checks"); n != 1 {
					t.Errorf("a lasting failure was logged %d times", n)
				}
				show(booth.Review, "B")
				pass(time.Second)
				if len(c.frame.Data) != 0 || c.frame.Seq != 0 {
					t.Error("the frame stays when coaching ends")
				}
				stop()
				<-ended
			})
		})
	}
}
