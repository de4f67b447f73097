package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func TestOneSickPartDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	for _, sick := range []string{"/v1/roster", "/v1/verdicts"} {
		for _, status := range []int{400, 404, 500, 502} {
			t.Run(fmt.Sprint(sick, status), func(t *testing.T) {
				c := newFake(t)
				r := enrolled(t, overHTTP(t, c), c, nil)
				id := r.commit(1)
				c.setHook(answer(sick, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
				w := r.worker()
				var refused *RefusedError
				if err := w.Exchange(t.Context()); !errors.As(err, &refused) || refused.Status != status {
					t.Fatalf("err = %v", err)
				}
				if s := r.state(id).State; s != outbox.Stored {
					t.Errorf("the packet is %s", s)
				}
				for _, other := range []string{"/v1/roster", "/v1/verdicts"} {
					if c.countCalls("GET "+other) != 1 {
						t.Errorf("%s was not asked", other)
					}
				}
				if st := w.Status(); st.Online || st.LastHeard.IsZero() {
					t.Errorf("%+v", st)
				}
			})
		}
	}
}

// Whatever central (or a proxy) says about one packet, the next one is sent,
// and the first goes to the end of the line.
func TestOneBadPacketStopsNobodyElse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		code   string
		ends   bool // the exchange; the others follow in the next
		held   bool // not tried again for minutes
	}{
		{400, wire.CodeBadRequest, false, false},
		{401, wire.CodeReplay, false, false},
		{403, "", false, false},
		{404, wire.CodeNotFound, false, false},
		{409, wire.CodeConflict, false, true},
		{409, wire.CodeOffset, false, false},
		{413, wire.CodeTooLarge, false, true},
		{413, "", false, false},
		{422, wire.CodeInvalidPacket, false, true},
		{500, wire.CodeInternal, true, false},
		{502, "", true, false},
		{0, "", true, false}, // the connection breaks
	} {
		t.Run(fmt.Sprint(tc.status, tc.code), func(t *testing.T) {
			c := newFake(t)
			r := enrolled(t, overHTTP(t, c), c, nil)
			bad, good, last := r.commit(1), r.commit(1), r.commit(1)
			c.setHook(answer("/v1/packets/"+bad.String(), func(w http.ResponseWriter, _ *http.Request) {
				if tc.status == 0 {
					panic(http.ErrAbortHandler)
				}
				writeJSON(w, tc.status, wire.Error{Code: tc.code})
			}))
			w := r.worker()
			if err := w.Exchange(t.Context()); (err != nil) != tc.ends {
				t.Fatalf("err = %v", err)
			}
			if tc.ends {
				if err := w.Exchange(t.Context()); err != nil && tc.status != 0 {
					t.Errorf("the next exchange: %v", err)
				}
			}
			if r.state(good).State != outbox.Stored || r.state(last).State != outbox.Stored {
				t.Error("the others wait")
			}
			e := r.state(bad)
			if e.State != outbox.Saved || e.Attempts == 0 || e.LastError == "" {
				t.Errorf("%+v", e)
			}
			if wait := e.Next.Sub(r.now); tc.held != (wait >= FatalPause) {
				t.Errorf("it waits %v", wait)
			}
			// Mended, it goes.
			c.setHook(nil)
			r.now = e.Next
			if err := w.Drain(t.Context()); err != nil || r.state(bad).State != outbox.Stored {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestAHeldPacketIsAskedAboutMoreAndMoreSeldom(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	id := r.commit(1)
	c.setHook(answer("/v1/packets/"+id.String(), func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 422, wire.Error{Code: wire.CodeInvalidPacket})
	}))
	var waits []time.Duration
	for range 9 {
		if err := r.restart().Exchange(t.Context()); err != nil { // the schedule outlives the process
			t.Fatal(err)
		}
		e := r.state(id)
		waits = append(waits, e.Next.Sub(r.now))
		r.now = e.Next
	}
	minutes := []int{5, 10, 20, 40, 80, 160, 320, 360, 360}
	for i, n := range minutes {
		if waits[i] != time.Duration(n)*time.Minute {
			t.Fatalf("waits %v", waits)
		}
	}
}

// A declaration that central cannot read is taken apart until the packet that
// it stumbles over is alone.
func TestADeclarationIsHalved(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	var ids []ulid.ULID
	for range 9 {
		ids = append(ids, r.commit(0))
	}
	bad := ids[5].String()
	c.setHook(answer("/v1/packets:declare", func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(string(body), bad) {
			writeJSON(w, 400, wire.Error{Code: wire.CodeBadRequest})
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.declare(w, body)
	}))
	if err := r.worker().Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if s := r.state(id).State; (s == outbox.Stored) != (i != 5) {
			t.Errorf("packet %d is %s", i, s)
		}
	}
	if e := r.state(ids[5]); e.LastError != wire.CodeBadRequest || e.Next.Sub(r.now) < FatalPause {
		t.Errorf("%+v", e)
	}
	if n := c.countCalls("POST /v1/packets:declare"); n > 9 {
		t.Errorf("%d declarations", n)
	}
}

func TestAnswersThatLeaveAPacketOut(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	out, in := r.commit(1), r.commit(1)
	c.setHook(answer("/v1/packets:declare", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, c.sign(wire.TypeDeclared, wire.DeclareResponse{StationID: stationID, Results: []wire.DeclareResult{
			{ID: "01J6Q3ZK4MXB7T8W9V2N5C1D0E", State: wire.DeclareWant},
			{ID: in.String(), State: wire.DeclareWant, Offset: 1 << 40},
		}}))
	}))
	if err := r.worker().Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := r.state(out); e.LastError != "unanswered" || e.State != outbox.Saved {
		t.Errorf("%+v", e)
	}
	if e := r.state(in); e.LastError != wire.CodeOffset || e.State != outbox.Saved {
		t.Errorf("%+v", e)
	}
	if c.countCalls("PATCH") != 0 {
		t.Error("sent from an offset that does not exist")
	}
}

func TestAWrongClockHoldsNobodyBack(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	right := r.now
	r.now = right.AddDate(4, 0, 0)
	never := r.commit(1) // saved "in the future"
	tried := r.commit(1)
	if err := r.params.Outbox.Schedule(tried, r.now.Add(FatalPause), 3, "connection"); err != nil {
		t.Fatal(err)
	}
	r.now = right
	if err := r.worker().Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []ulid.ULID{never, tried} {
		if s := r.state(id).State; s != outbox.Stored {
			t.Errorf("%s", s)
		}
	}
}

// A broken entry in central's feed is passed over, not waited for.
func TestTheFeedGoesOnPastWhatIsNotRight(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	id := r.commit(1)
	w := r.worker()
	if err := w.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	opened := c.ack(c.meta[id.String()], wire.AckOpened)
	c.mu.Unlock()
	forged := opened
	forged.Stage = wire.AckRefused
	noID, other := opened, opened
	noID.ID, other.StationID = "x", "st-2"
	c.feed = []wire.Verdicts{
		{Acks: []wire.Signed{
			signAs(t, keyOf("stranger"), wire.TypeAck, forged), c.sign(wire.TypeAck, noID), c.sign(wire.TypeAck, other), c.sign(wire.TypeAck, 7), {},
		}, Verdicts: []wire.Verdict{{PacketID: "x"}, {PacketID: "01J6Q3ZK4MXB7T8W9V2N5C1D0E", At: t0}}},
		{Acks: []wire.Signed{c.sign(wire.TypeAck, opened)}},
	}
	if err := w.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := r.state(id); e.State != outbox.Opened {
		t.Errorf("%+v", e)
	}
	if n := r.params.Outbox.Cursor(cursorVerdicts); n != 2 {
		t.Errorf("the feed stands at %d", n)
	}
}

// Central comes back from a backup that knows nothing of what it had signed
// for: everything is offered again, and the list is fetched whole.
func TestARestoredCentralGetsEverythingAgain(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	lost, kept := r.commit(1), r.commit(1)
	w := r.worker()
	if err := w.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	ack := c.ack(c.meta[lost.String()], wire.AckOpened)
	c.mu.Unlock()
	c.feed = []wire.Verdicts{{Acks: []wire.Signed{c.sign(wire.TypeAck, ack)}}, {}}
	if err := w.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.state(lost).State != outbox.Opened || r.params.Outbox.Cursor(cursorVerdicts) != 2 {
		t.Fatal("not where the test begins")
	}

	c.mu.Lock()
	delete(c.meta, lost.String())
	delete(c.held, lost.String())
	delete(c.acks, lost.String())
	c.feed = nil
	c.mu.Unlock()
	var fails atomic.Bool
	fails.Store(true)
	c.setHook(func(w http.ResponseWriter, req *http.Request) bool {
		if strings.HasPrefix(req.URL.Path, "/v1/verdicts") {
			writeJSON(w, 200, c.sign(wire.TypeVerdicts, wire.Verdicts{StationID: stationID}))
			return true
		}
		if req.Method == http.MethodPatch && fails.Load() {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	rosters := c.countCalls("GET /v1/roster")
	if err := w.Exchange(t.Context()); err == nil {
		t.Fatal("a broken upload went unnoticed")
	}
	if r.params.Outbox.Cursor(cursorVerdicts) != 2 {
		t.Fatal("the reset was forgotten before everything was offered again")
	}
	fails.Store(false)
	w = r.restart()
	if err := w.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	again, patched := c.acks[lost.String()].Payload, 0
	for _, call := range c.calls {
		if strings.HasSuffix(call, kept.String()) {
			patched++
		}
	}
	c.mu.Unlock()
	if again == nil {
		t.Error("the lost packet was not sent again")
	}
	if patched != 1 {
		t.Errorf("the packet that central still has was sent %d times", patched)
	}
	if got := c.countCalls("GET /v1/roster") - rosters; got < 2 {
		t.Errorf("the list was fetched %d times", got)
	}
	if r.params.Outbox.Cursor(cursorVerdicts) != 0 || r.state(lost).State != outbox.Opened {
		t.Error("wrong end")
	}
}

// The word about a stored packet was lost: it is asked for.
func TestAStoredPacketIsNotForgotten(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	id := r.commit(1)
	w := r.worker()
	if err := w.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.acks[id.String()] = c.sign(wire.TypeAck, c.ack(c.meta[id.String()], wire.AckOpened))
	c.mu.Unlock()
	for range 3 {
		r.now = r.now.Add(confirmAfter / 3)
		if r.state(id).State != outbox.Stored {
			t.Fatal("asked too early")
		}
		if err := w.Exchange(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s := r.state(id).State; s != outbox.Opened {
		t.Errorf("%s", s)
	}
	n := c.countCalls("POST /v1/packets:declare")
	r.now = r.now.Add(2 * confirmAfter)
	if err := w.Exchange(t.Context()); err != nil || c.countCalls("POST /v1/packets:declare") != n {
		t.Errorf("asked about what is decided: %v", err)
	}
}

func TestFeedsThatNeverEnd(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]http.HandlerFunc{
		"/v1/verdicts in circles": func(w http.ResponseWriter, r *http.Request) {
			next := uint64(5)
			if strings.HasSuffix(r.URL.RawQuery, "=5") {
				next = 3
			}
			writeJSON(w, 200, signAs(t, centralKey, wire.TypeVerdicts, wire.Verdicts{StationID: stationID, Cursor: next, More: true}))
		},
		"/v1/roster on the spot": func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, 200, signAs(t, centralKey, wire.TypeRoster, wire.RosterDelta{StationID: stationID, Full: true, Cursor: 0, More: true}))
		},
		"/v1/roster backwards": func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, 200, signAs(t, centralKey, wire.TypeRoster, wire.RosterDelta{StationID: stationID, Full: true, Cursor: 4, More: true}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newFake(t)
			r := enrolled(t, overHTTP(t, c), c, nil)
			path, _, _ := strings.Cut(name, " ")
			c.setHook(answer(path, f))
			if err := r.worker().Exchange(t.Context()); err == nil {
				t.Error("no error")
			}
		})
	}
}

// A GET that net/http repeated by itself carries a used nonce.
func TestAReplayIsSignedAnew(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	first := true
	c.setHook(answer("/v1/roster", func(w http.ResponseWriter, req *http.Request) {
		if first {
			first = false
			writeJSON(w, 401, wire.Error{Code: wire.CodeReplay})
			return
		}
		c.mu.Lock()
		c.hook = nil
		c.mu.Unlock()
		c.ServeHTTP(w, req)
	}))
	w := r.worker()
	if err := w.Exchange(t.Context()); err != nil || !w.Status().Online {
		t.Fatalf("%v %+v", err, w.Status())
	}
}

func TestACookieOfAPortalIsNotKept(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	c.setHook(func(w http.ResponseWriter, req *http.Request) bool {
		if req.Header.Get("Cookie") != "" {
			t.Error("the portal's cookie comes back")
		}
		w.Header().Set("Set-Cookie", "portal=1")
		return false
	})
	w := r.worker()
	for range 2 {
		if err := w.Exchange(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestAnotherCertificateIsAProblemForAPerson(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, "https://central.test", c, direct{c})
	r.params.Transport = failing{ErrPin}
	w := r.worker()
	if err := w.Exchange(t.Context()); !errors.Is(err, ErrPin) {
		t.Fatalf("err = %v", err)
	}
	if st := w.Status(); st.Online || st.Problem != ProblemPin {
		t.Errorf("%+v", st)
	}
	r.params.Transport = failing{errors.New("no route to host")}
	w = r.worker()
	if err := w.Exchange(t.Context()); !errors.Is(err, ErrConnection) || w.Status().Problem != "" {
		t.Errorf("%v %+v", err, w.Status())
	}
}

// pass lets time go by in a bubble.
func pass(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // the bubble's clock, not the wall's

// running starts a worker in a bubble and returns how to stop it.
func running(t *testing.T, r *rig) (w *Worker, stop func()) {
	t.Helper()
	w = r.worker()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return w, func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run ended with %v", err)
		}
	}
}

// bubbled is a station whose clock is the bubble's.
func bubbled(t *testing.T, c *fakeCentral, transport http.RoundTripper) *rig {
	r := enrolled(t, "https://central.test", c, transport)
	r.params.Now = func() time.Time { return t0.Add(time.Since(synctestStart)) }
	return r
}

func TestAPauseThatCentralAskedForIsKept(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		code   string
		retry  string
		pause  time.Duration
	}{
		{"busy", 503, wire.CodeBusy, "120", 2 * time.Minute},
		{"revoked", 401, wire.CodeRevoked, "", FatalPause},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newFake(t)
				r := bubbled(t, c, direct{c})
				var changed func()
				r.params.Network = func(ctx context.Context, f func()) error {
					changed = f
					<-ctx.Done()
					return ctx.Err()
				}
				c.setHook(func(w http.ResponseWriter, _ *http.Request) bool {
					w.Header().Set("Retry-After", tc.retry)
					writeJSON(w, tc.status, wire.Error{Code: tc.code})
					return true
				})
				w, stop := running(t, r)
				defer stop()
				beats := func() int {
					synctest.Wait()
					return c.countCalls("POST /v1/heartbeat")
				}
				if beats() != 1 {
					t.Fatalf("%d heartbeats at first", beats())
				}
				for range 10 { // a busy desk saves a photo every few seconds
					pass(tc.pause / 20)
					w.Wake()
				}
				if n := beats(); n != 1 {
					t.Errorf("asked %d times in the pause", n)
				}
				if _, err := w.Claim(t.Context(), "01J6Q3ZK4MXB7T8W9V2N5C1D0E"); !errors.Is(err, ErrPause) {
					t.Errorf("claim: %v", err)
				}
				pass(tc.pause/2 + time.Second)
				if n := beats(); n != 2 {
					t.Errorf("%d heartbeats after the pause", n)
				}
				changed() // another network: perhaps it was not central that said so
				if n := beats(); n != 3 {
					t.Errorf("%d heartbeats on another network", n)
				}
				c.setHook(nil)
				changed()
				synctest.Wait()
				if st := w.Status(); !st.Online || st.Problem != "" {
					t.Errorf("%+v", st)
				}
				if _, err := w.Claim(t.Context(), "01J6Q3ZK4MXB7T8W9V2N5C1D0E"); err != nil {
					t.Errorf("claim: %v", err)
				}
			})
		})
	}
}

// Central was away for an hour; the pause has grown to its bound. When its
// door opens the backlog goes within seconds, all of it.
func TestTheBacklogGoesWhenTheDoorOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(t)
		r := bubbled(t, c, direct{c})
		var mu sync.Mutex
		closed := true
		probes := 0
		r.params.Probe = func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			probes++
			if closed {
				return errors.New("refused")
			}
			return nil
		}
		c.setHook(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
		for range 20 {
			r.commit(0)
		}
		w, stop := running(t, r)
		defer stop()
		pass(time.Hour)
		synctest.Wait()
		if w.Status().Online || probes < 600 {
			t.Fatalf("%+v after %d looks", w.Status(), probes)
		}
		mu.Lock()
		closed = false
		mu.Unlock()
		c.setHook(nil)
		pass(probeMax + time.Second)
		synctest.Wait()
		if s := r.params.Outbox.Stats(); s.Pending != 0 || !w.Status().Online {
			t.Errorf("%d pending, %+v", s.Pending, w.Status())
		}
		// Calm again: nobody knocks at an open door.
		mu.Lock()
		probes = 0
		mu.Unlock()
		pass(time.Minute)
		synctest.Wait()
		if probes != 0 {
			t.Errorf("%d looks while online", probes)
		}
	})
}

// An open door behind which nothing answers must not shorten the pauses.
func TestAnOpenDoorAloneWakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(t)
		r := bubbled(t, c, direct{c})
		r.params.Probe = func(context.Context) error { return nil }
		c.setHook(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
		_, stop := running(t, r)
		defer stop()
		pass(time.Hour)
		synctest.Wait()
		if n := c.countCalls("POST /v1/heartbeat"); n > 400 {
			t.Errorf("%d tries in an hour", n)
		}
	})
}

// hanging is a network that swallows what is sent until it is replaced.
type hanging struct {
	mu   sync.Mutex
	dead bool
	next http.RoundTripper
	idle int
}

func (h *hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	dead := h.dead
	h.mu.Unlock()
	if !dead {
		return h.next.RoundTrip(r)
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func (h *hanging) CloseIdleConnections() { h.idle++ }

func (h *hanging) set(dead bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dead = dead
}

func TestAnotherNetworkEndsAHangingExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(t)
		h := &hanging{next: direct{c}}
		r := bubbled(t, c, h)
		id := r.commit(1)
		var changed func()
		r.params.Network = func(ctx context.Context, f func()) error {
			changed = f
			<-ctx.Done()
			return ctx.Err()
		}
		h.set(true)
		w, stop := running(t, r)
		defer stop()
		pass(time.Second)
		synctest.Wait()
		h.set(false)
		changed()
		synctest.Wait()
		if s := r.state(id).State; s != outbox.Stored || !w.Status().Online {
			t.Errorf("%s %+v", s, w.Status())
		}
		if h.idle == 0 {
			t.Error("connections of the old network are kept")
		}
		if e := r.state(id); e.Attempts != 0 {
			t.Errorf("the packet is blamed for the network: %+v", e)
		}
	})
}

func TestASilentConnectionIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(t)
		h := &hanging{next: direct{c}}
		r := bubbled(t, c, h)
		h.set(true)
		w := r.worker()
		begun := time.Now()
		err := w.Exchange(t.Context())
		if !errors.Is(err, ErrStalled) || !errors.Is(err, ErrConnection) || time.Since(begun) != stallTimeout {
			t.Fatalf("after %v: %v", time.Since(begun), err)
		}
		begun = time.Now()
		if _, err := w.Claim(t.Context(), "01J6Q3ZK4MXB7T8W9V2N5C1D0E"); err == nil || time.Since(begun) != claimTimeout {
			t.Errorf("claim after %v: %v", time.Since(begun), err)
		}
	})
}

// dripping answers a few bytes at a time.
type dripping struct {
	next  http.RoundTripper
	pause time.Duration
	chunk int // bytes
	ends  int // after that many chunks it falls silent; 0 = never
}

func (d dripping) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(r)
	if err == nil {
		resp.Body = &drip{Reader: resp.Body, d: d, ctx: r.Context()}
	}
	return resp, err
}

type drip struct {
	io.Reader
	d   dripping
	ctx context.Context
	n   int
}

func (d *drip) Read(p []byte) (int, error) {
	if d.n++; d.d.ends > 0 && d.n > d.d.ends {
		<-d.ctx.Done()
		return 0, d.ctx.Err()
	}
	pass(d.d.pause)
	return d.Reader.Read(p[:min(len(p), d.d.chunk)])
}

func (d *drip) Close() error { return nil }

func TestASlowAnswerIsReadAndASilentOneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(t)
		r := bubbled(t, c, direct{c})
		r.params.Transport = dripping{next: direct{c}, pause: stallTimeout / 3, chunk: 16} // 1.6 bytes a second
		begun := time.Now()
		w := r.worker()
		if _, err := w.c.heartbeat(t.Context(), wire.Heartbeat{}); err != nil || time.Since(begun) < 2*stallTimeout {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		r.params.Transport = dripping{next: direct{c}, chunk: 16, ends: 3}
		if err := r.worker().Exchange(t.Context()); !errors.Is(err, ErrStalled) {
			t.Errorf("silent: %v", err)
		}
		r.params.Transport = dripping{next: direct{c}, pause: stallTimeout - 1, chunk: 1}
		begun = time.Now()
		if err := r.worker().Exchange(t.Context()); err == nil || time.Since(begun) > requestTimeout+stallTimeout {
			t.Errorf("dripping for ever: after %v: %v", time.Since(begun), err)
		}
	})
}

// slow loses every request whose body is larger than what the link carries.
type slow struct {
	next  http.RoundTripper
	limit int64
}

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.ContentLength > s.limit {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return s.next.RoundTrip(r)
}

func TestPiecesShrinkUntilTheyPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(t)
		r := bubbled(t, c, direct{c})
		id := r.commit(100)
		r.params.Transport = slow{next: direct{c}, limit: 10 << 10}
		w := r.worker()
		for range 200 {
			if r.state(id).State == outbox.Stored {
				break
			}
			if err := w.Exchange(t.Context()); err != nil && !errors.Is(err, ErrStalled) {
				t.Fatal(err)
			}
		}
		if s := r.state(id).State; s != outbox.Stored {
			t.Errorf("%s with pieces of %d bytes", s, w.piece)
		}
	})
}

// A link that takes a piece at once is given larger ones, one that takes long is not.
func TestPiecesGrowOnAFastLink(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		takes   time.Duration
		most    int64
		uploads int // of 1000 kB after a small packet
	}{
		{"at once", 0, 0, 3},                                    // 256, 512 and the rest
		{"a second and more", fastPiece, 0, 8},                  // of 128
		{"at once, but no more at a time", 0, 128 << 10, 8},     // as the settings say
		{"at once, and little at a time", 0, 50 << 10, 21},      // below what it begins with
		{"slow, and little at a time", fastPiece, 50 << 10, 21}, // the same
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newFake(t)
			r := enrolled(t, "https://central.test", c, direct{c})
			c.setHook(func(_ http.ResponseWriter, req *http.Request) bool {
				if req.Method == http.MethodPatch {
					r.now = r.now.Add(tc.takes)
				}
				return false
			})
			r.params.Piece = tc.most
			w := r.worker()
			r.commit(1)
			if err := w.Exchange(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := c.countCalls("PATCH")
			r.commit(1000)
			if err := w.Exchange(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := c.countCalls("PATCH") - before; got != tc.uploads {
				t.Errorf("%d uploads, want %d", got, tc.uploads)
			}
		})
	}
}

func TestCompareNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, changes := "a", 0
		set := func(s string) {
			mu.Lock()
			defer mu.Unlock()
			now = s
		}
		news := make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- compareNetwork(ctx, news, func() string {
				mu.Lock()
				defer mu.Unlock()
				return now
			}, func() { changes++ })
		}()
		want := func(n int, why string) {
			t.Helper()
			synctest.Wait()
			if changes != n {
				t.Errorf("%s: %d changes, want %d", why, changes, n)
			}
		}
		synctest.Wait()
		pass(time.Minute)
		want(0, "nothing happened")
		news <- struct{}{}
		pass(time.Second)
		want(0, "news of nothing")
		set("b")
		pass(networkPoll)
		want(1, "found by looking")
		set("")
		news <- struct{}{}
		pass(networkSettle)
		want(2, "found by news")
		set("c")
		for range 50 { // noise without end does not put it off
			news <- struct{}{}
			pass(networkSettle / 10)
		}
		want(3, "found in the noise")
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestDefaultRoutes(t *testing.T) {
	const table = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0100A8C0	0003	0	0	100	00000000	0	0	0
eth0	0000A8C0	00000000	0001	0	0	100	00FFFFFF	0	0	0
wlan0	00000000	0101A8C0	0003	7	9	600	00000000	0	0	0
`
	if got := defaultRoutes(table); !slices.Equal(got, []string{"eth0 via 0100A8C0", "wlan0 via 0101A8C0"}) {
		t.Errorf("%q", got)
	}
	for _, s := range []string{"", "x", "a b c d e f g", strings.Repeat("\n", 9)} {
		if got := defaultRoutes(s); got != nil {
			t.Errorf("%q: %q", s, got)
		}
	}
	if one, two := networkState(), networkState(); one != two {
		t.Error("two looks at one network differ")
	}
}

func TestDialer(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	probe := dialer(srv.URL)
	if err := probe(t.Context()); err != nil {
		t.Errorf("open: %v", err)
	}
	srv.Close()
	if err := probe(t.Context()); err == nil {
		t.Error("closed, but somebody answered")
	}
	if dialer("https://[") != nil {
		t.Error("a door without an address")
	}
}

func FuzzReadBody(f *testing.F) {
	f.Add("application/json", "7", 200, []byte(`{}`))
	f.Add("text/html; charset=utf-8", "Tue, 01 Sep 2026 09:00:00 GMT", 503, []byte("<html>"))
	f.Add("application/json;", "-1", 429, []byte(`{"code":"busy","message":1}`))
	f.Add("application/json", "99999999999999999999", 413, []byte(`{"code":"too_large"}`))
	f.Fuzz(func(t *testing.T, kind, retry string, status int, body []byte) {
		resp := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}, "Retry-After": {retry}}, Body: io.NopCloser(strings.NewReader(string(body)))}
		data, err := readBody(resp)
		var refused *RefusedError
		switch {
		case err == nil:
			if status != 200 || !strings.HasPrefix(strings.TrimSpace(strings.ToLower(kind)), "application/json") || string(data) != string(body) {
				t.Fatalf("%d %q taken for a success", status, kind)
			}
		case errors.As(err, &refused):
			if refused.RetryAfter < 0 || refused.RetryAfter > time.Hour || len(refused.Code) > maxCode || status < 400 {
				t.Fatalf("%+v", refused)
			}
			if len(err.Error()) > 200 {
				t.Fatal("a long error for the log")
			}
		case !errors.Is(err, ErrNotCentral):
			t.Fatalf("err = %v", err)
		}
	})
}

// What central answers about packets is signed, and still not obeyed blindly.
func FuzzSignedAnswers(f *testing.F) {
	add := func(declared wire.DeclareResponse, progress wire.Progress, verdicts wire.Verdicts) {
		var all [][]byte
		for _, v := range []any{declared, progress, verdicts} {
			b, err := json.Marshal(v)
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, b)
		}
		f.Add(all[0], all[1], all[2])
	}
	const id = "01J6Q3ZK4MXB7T8W9V2N5C1D0E"
	add(wire.DeclareResponse{StationID: stationID, Results: []wire.DeclareResult{{ID: id, State: wire.DeclareWant, Offset: -1}}}, wire.Progress{ID: id, Offset: 1 << 62},
		wire.Verdicts{StationID: stationID, Cursor: 1 << 63, Acks: []wire.Signed{{Type: wire.TypeAck}}, More: true})
	add(wire.DeclareResponse{StationID: stationID, Results: []wire.DeclareResult{{ID: id, State: wire.DeclareHave}}}, wire.Progress{}, wire.Verdicts{})
	f.Fuzz(func(t *testing.T, declared, progress, verdicts []byte) {
		if !json.Valid(declared) || !json.Valid(progress) || !json.Valid(verdicts) {
			return
		}
		c := newFake(t)
		r := enrolled(t, "https://central.test", c, direct{c})
		mine := r.commit(1)
		raw := func(typ string, b []byte) wire.Signed {
			return signAs(t, centralKey, typ, json.RawMessage(strings.ReplaceAll(string(b), id, mine.String())))
		}
		c.setHook(func(w http.ResponseWriter, req *http.Request) bool {
			switch {
			case req.Method == http.MethodPatch:
				writeJSON(w, 200, raw(wire.TypeProgress, progress))
			case strings.HasSuffix(req.URL.Path, ":declare"):
				writeJSON(w, 200, raw(wire.TypeDeclared, declared))
			case strings.HasSuffix(req.URL.Path, "verdicts"):
				writeJSON(w, 200, raw(wire.TypeVerdicts, verdicts))
			default:
				return false
			}
			return true
		})
		_ = r.worker().Exchange(t.Context())
		if s := r.state(mine).State; s != outbox.Saved {
			t.Fatalf("without an acknowledgement it became %s", s)
		}
	})
}
