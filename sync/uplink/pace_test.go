package uplink

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
)

// meter is a network that notes when each read of a body was taken.
type meter struct {
	next  http.RoundTripper
	at    []time.Time
	bytes []int
	most  int64 // in one request
}

func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return m.next.RoundTrip(r)
	}
	m.most = max(m.most, r.ContentLength)
	var body bytes.Buffer
	buf := make([]byte, 32<<10) // as net/http copies
	for {
		n, err := r.Body.Read(buf)
		body.Write(buf[:n])
		m.at, m.bytes = append(m.at, time.Now()), append(m.bytes, n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(&body)
	return m.next.RoundTrip(r)
}

// within is the most that went in any span of this length.
func (m *meter) within(span time.Duration) (most int) {
	for i := range m.at {
		sum := 0
		for j := i; j < len(m.at) && m.at[j].Sub(m.at[i]) < span; j++ {
			sum += m.bytes[j]
		}
		most = max(most, sum)
	}
	return most
}

// No second carries more than the limit and one read, the limit is made use of,
// and no request is so long that it would be taken for a dead one.
func TestUploadsKeepTheLimit(t *testing.T) {
	for _, tc := range []struct {
		name   string
		rate   int64
		kb     int
		atMost int64 // bytes in a request
	}{
		{"an access point's share", 100 << 10, 600, DefaultPiece},
		{"a trickle", 1 << 10, 100, 30 << 10},
		{"more than there is", 1 << 30, 600, DefaultPiece},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newFake(t)
				r := bubbled(t, c, direct{c})
				m := &meter{next: direct{c}}
				r.params.Transport, r.params.Rate = m, tc.rate
				w := r.worker()
				id := r.commit(tc.kb)
				began := time.Now()
				if err := w.Drain(t.Context()); err != nil || r.state(id).State != outbox.Stored {
					t.Fatalf("%s: %v", r.state(id).State, err)
				}
				took, sent := time.Since(began), 0
				for _, n := range m.bytes {
					sent += n
				}
				step := max(1, int(float64(tc.rate)*paceStep.Seconds()))
				if got := m.within(time.Second); got > int(tc.rate)+step {
					t.Errorf("%d bytes in one second, the limit is %d", got, tc.rate)
				}
				ideal := time.Duration(float64(sent) / float64(tc.rate) * float64(time.Second))
				if took < ideal-time.Second || took > ideal+time.Second {
					t.Errorf("%d bytes took %v, want %v", sent, took, ideal)
				}
				if m.most > tc.atMost {
					t.Errorf("%d bytes in a request, at most %d", m.most, tc.atMost)
				}
			})
		})
	}
}

// A pause is not made up for by a burst.
func TestAPauseEarnsNoBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pacer{rate: 1000}
		for range 3 {
			pass(time.Hour)
			began := time.Now()
			for range 8 {
				if err := p.wait(t.Context(), 250); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(began); took != 2*time.Second {
				t.Errorf("2,000 bytes at 1,000 a second took %v", took)
			}
		}
	})
}

// The program ends while a body waits for its turn.
func TestAWaitingBodyIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(t)
		r := bubbled(t, c, direct{c})
		r.params.Transport, r.params.Rate = &meter{next: direct{c}}, 1<<10
		id := r.commit(100)
		w := r.worker()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		if err := w.Exchange(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("err = %v", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if e := r.state(id); e.State != outbox.Saved || e.Attempts != 0 {
			t.Errorf("%+v", e)
		}
	})
}

// replace saves a packet in the place of another.
func (r *rig) replace(old ulid.ULID) ulid.ULID {
	r.t.Helper()
	seq, err := r.params.Outbox.NextSeq()
	if err != nil {
		r.t.Fatal(err)
	}
	to, err := r.enrol.Recipients()
	if err != nil {
		r.t.Fatal(err)
	}
	jpg := []byte("\xff\xd8\xff\xe0")
	s, err := packet.Seal(packet.Input{ID: ulid.Make(), Seq: seq, Station: stationID, Spec: "s", Created: r.now, Supersedes: &old, Original: jpg, Portrait: jpg}, to, r.key)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.params.Outbox.Commit(s); err != nil {
		r.t.Fatal(err)
	}
	return s.ID
}

func TestWhatAVerdictIsWaitedForGoesFirst(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, "https://central.test", c, direct{c})
	first, retried, again := r.commit(0), r.commit(0), r.commit(0)
	better := r.replace(again)
	last := r.commit(0)
	if err := r.params.Outbox.Schedule(retried, r.now, 1, "connection"); err != nil {
		t.Fatal(err)
	}
	want := []ulid.ULID{last, better, first, again, retried}
	got := r.worker().due(r.now)
	if !slices.EqualFunc(got, want, func(e outbox.Entry, id ulid.ULID) bool { return e.ID == id }) {
		t.Errorf("the order is %v, want %v", got, want)
	}
}

// On a slow link a photo that was saved just now does not wait for the backlog,
// nor do verdicts.
func TestABacklogOnASlowLinkKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(t)
		r := bubbled(t, c, direct{c})
		r.params.Transport, r.params.Rate = &meter{next: direct{c}}, 10<<10
		backlog := make([]ulid.ULID, 20)
		for i := range backlog {
			backlog[i] = r.commit(100) // ten seconds each
		}
		w, stop := running(t, r)
		defer stop()
		pass(25 * time.Second)
		synctest.Wait()
		fresh := r.commit(100)
		w.Wake()
		pass(30 * time.Second)
		synctest.Wait()
		if s := r.state(fresh).State; s != outbox.Stored {
			t.Errorf("saved half a minute ago: %s", s)
		}
		if n := c.countCalls("GET /v1/verdicts"); n < 2 {
			t.Errorf("verdicts were asked for %d times in 55 s", n)
		}
		pass(4 * time.Minute)
		synctest.Wait()
		for i, id := range backlog {
			if s := r.state(id).State; s != outbox.Stored {
				t.Errorf("packet %d of the backlog: %s", i, s)
			}
		}
		var order []string
		for _, call := range c.calls {
			if id, ok := strings.CutPrefix(call, "PATCH /v1/packets/"); ok && !slices.Contains(order, id) {
				order = append(order, id)
			}
		}
		if len(order) != 21 || order[0] != backlog[19].String() || order[20] != backlog[0].String() {
			t.Errorf("sent in the order %v", order)
		}
	})
}
