package uplink_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// scale is how many packets a fault is tried with: some in every run of the
// tests, all of them with YUNZHAO_NETWORK=1 (make test-network).
func scale(some, all int) int {
	if os.Getenv("YUNZHAO_NETWORK") == "" {
		return some
	}
	return all
}

// storm is a campus, a desk and the weather between them, with a clock of their
// own so that the pauses between attempts need not be waited for.
type storm struct {
	*desk
	w        *weather
	students []wire.Student
	ahead    atomic.Int64 // how far the clock has been put forward

	mu      sync.Mutex
	saved   map[string]string // id → sha256 of every packet that was ever saved
	size    int64             // of all of them, bytes
	bodies  atomic.Int64      // bytes of uploads that arrived at central
	resumed atomic.Int64      // bytes that did not have to be sent again
	retries int
}

func newStorm(t *testing.T) *storm {
	t.Helper()
	s := &storm{saved: map[string]string{}}
	c := &campus{t: t, dir: filepath.Join(t.TempDir(), "central"), now: s.now}
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.count(r)
		c.ServeHTTP(w, r)
	}))
	c.url = hs.URL
	c.open()
	t.Cleanup(func() {
		hs.Close()
		c.close()
	})
	var err error
	if c.demo, err = c.srv.SeedDemo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.students, err = c.srv.AddDemoStudents(t.Context(), scale(29, 599)); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(hs.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.w = newWeather(t, u.Host)
	c.url = s.w.url()
	s.desk = newDesk(t, c)
	s.params.Now = s.now
	s.desk.exchange() // the roster, in fair weather
	return s
}

func (s *storm) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// count looks at what reaches central's door.
func (s *storm) count(r *http.Request) {
	if r.Method != http.MethodPatch {
		return
	}
	s.bodies.Add(r.ContentLength)
}

// save commits a packet; large ones have the size of a photo.
func (s *storm) save(large bool) ulid.ULID {
	s.t.Helper()
	s.mu.Lock()
	st := s.students[len(s.saved)%len(s.students)]
	s.mu.Unlock()
	var id ulid.ULID
	if large {
		id = s.shootLarge(st)
	} else {
		id = s.shoot(st)
	}
	e, err := s.box.Get(id)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved[id.String()], s.size = e.SHA256, s.size+e.Size
	return id
}

// attempt is one exchange of a new process, and the pause after it.
func (s *storm) attempt(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	before := map[string]int64{}
	for _, e := range s.box.Pending(s.now().AddDate(1, 0, 0)) {
		if p, err := s.c.server().Packet(s.t.Context(), e.ID.String()); err == nil {
			before[e.ID.String()] = p.Offset
		}
	}
	err := s.worker().Exchange(ctx)
	for id, offset := range before {
		if u, perr := ulid.ParseStrict(id); perr == nil && offset > 0 {
			if e, gerr := s.box.Get(u); gerr == nil && e.State != outbox.Saved {
				s.resumed.Add(offset)
			}
		}
	}
	s.ahead.Add(int64(10 * time.Minute)) // longer than any pause but a held packet's
	if err != nil {
		s.retries++
	}
	return err
}

// deliver goes on until nothing is left to send.
func (s *storm) deliver(limit time.Duration) {
	s.t.Helper()
	for n := 0; s.box.Stats().Pending > 0; n++ {
		if n > 400 {
			s.t.Fatalf("%d packets are not through after %d exchanges", s.box.Stats().Pending, n)
		}
		_ = s.attempt(limit)
	}
}

// verify compares what was saved with what central has, and how often each
// thing happened there.
func (s *storm) verify(what string) {
	s.t.Helper()
	s.w.clear()
	s.c.setFront(nil)
	for range 4 { // the words on the last packets
		_ = s.attempt(time.Minute)
	}
	all, err := s.c.server().ListPackets(s.t.Context(), central.PacketFilter{})
	if err != nil {
		s.t.Fatal(err)
	}
	lost, wrong := 0, 0
	have := map[string]bool{}
	for _, p := range all {
		have[p.ID] = true
		if s.saved[p.ID] != p.SHA256 || p.Stage != central.StageOpened {
			wrong++
		}
	}
	for id := range s.saved {
		if !have[id] {
			lost++
		}
		if e, err := s.box.Get(ulid.MustParse(id)); err != nil || e.State != outbox.Opened {
			wrong++
		}
	}
	times := map[string]int{}
	trail, err := s.c.server().AuditTrail(s.t.Context(), 1<<30)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range trail {
		if e.Action == "packet.stored" || e.Action == "packet.opened" {
			times[e.Action+e.Target]++
		}
	}
	doubled := 0
	for _, n := range times {
		if n > 1 {
			doubled += n - 1
		}
	}
	if lost+wrong+doubled > 0 || len(all) != len(s.saved) || len(times) != 2*len(s.saved) {
		s.t.Errorf("%s: %d saved, %d at central; %d lost, %d wrong, %d doubled effects, %d effects", what, len(s.saved), len(all), lost, wrong, doubled, len(times))
	}
	if err := s.c.server().VerifyAudit(s.t.Context()); err != nil {
		s.t.Error(err)
	}
	s.t.Logf("COUNT | %s | %d | %d | %d | %d | %.2f MB | %.2f MB | %.2f MB |",
		what, len(s.saved), s.retries, lost, doubled+wrong, float64(s.size)/1e6, float64(s.bodies.Load())/1e6, float64(s.resumed.Load())/1e6)
}

// shootLarge saves a packet of about 300 KB: a picture that does not compress.
func (d *desk) shootLarge(st wire.Student) ulid.ULID { return d.shootPicture(st, noise(d.t)) }

// TestResetAtEveryByte breaks the connection after each byte of a small upload
// on its way up, and of the answer on its way down.
func TestResetAtEveryByte(t *testing.T) {
	t.Parallel()
	s := newStorm(t)
	s.save(false)
	measured := s.w.up.Load()
	s.deliver(time.Minute)
	// An exchange with nothing to send costs the rest.
	idle := s.w.up.Load()
	_ = s.attempt(time.Minute)
	request := (idle - measured) - (s.w.up.Load() - idle) + 600 // and the declaration: a little past the end
	const answer = 1200                                         // an acknowledgement with its headers, and past it
	step := int64(scale(389, 1))
	for at := int64(0); at < request; at += step {
		s.save(false)
		s.w.set(conditions{breakUp: at, breakDown: -1})
		s.deliver(time.Minute)
		s.w.set(fair)
	}
	for at := int64(0); at < answer; at += step {
		s.save(false)
		s.w.set(conditions{breakUp: -1, breakDown: at})
		s.deliver(time.Minute)
		s.w.set(fair)
	}
	if resets := s.w.resets.Load(); resets < int64(len(s.saved))*2/3 {
		t.Errorf("only %d of %d uploads were broken", resets, len(s.saved))
	}
	s.verify(fmt.Sprintf("reset after every %d. byte of a small upload and of its answer", step))
}

// TestResetWithinARealUpload breaks uploads of photos at offsets all over them:
// one anywhere in each of n equal parts, so that chance leaves no part out.
func TestResetWithinARealUpload(t *testing.T) {
	t.Parallel()
	s := newStorm(t)
	const upload = 270_000 // of a photo in its pieces, with their headers
	n := int64(scale(3, 500))
	broken := func(at int64) {
		s.save(true)
		s.w.set(conditions{breakUp: at, breakDown: -1})
		s.deliver(time.Minute)
		s.w.set(fair)
	}
	for i := range n {
		broken((i*upload + rand.Int64N(upload)) / n)
	}
	// A reset takes with it what central had not read yet: on a busy machine that
	// may be all of a few uploads, never of many.
	for range 50 {
		if s.resumed.Load() > 0 {
			break
		}
		broken(upload * 9 / 10)
	}
	if s.resumed.Load() == 0 {
		t.Error("nothing was ever resumed")
	}
	s.verify("reset within uploads of 300 KB")
}

// TestBadWeather sends batches through networks that are slow, or take a while
// to end, or swallow everything for some time.
func TestBadWeather(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		c         conditions
		some, all int
		batch     int
		limit     time.Duration // of an exchange
	}{
		{"latency of 20 to 40 ms each way", conditions{latency: 20 * time.Millisecond, breakUp: -1, breakDown: -1}, 4, 500, 50, time.Minute},
		{"1 kB/s", conditions{perSecond: 1000, breakUp: -1, breakDown: -1}, 0, 30, 3, 5 * time.Minute},
		{"slow close", conditions{drip: 30 * time.Millisecond, breakUp: -1, breakDown: -1}, 4, 200, 20, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := scale(c.some, c.all)
			if n == 0 {
				t.Skip("takes minutes: make test-network")
			}
			s := newStorm(t)
			for range (n + c.batch - 1) / c.batch {
				for range min(n, c.batch) {
					s.save(false)
				}
				s.w.set(c.c)
				s.deliver(c.limit)
			}
			s.verify(c.name)
		})
	}
	t.Run("black hole", func(t *testing.T) {
		s := newStorm(t)
		for range scale(2, 200) {
			s.save(false)
			hole := fair
			hole.hole = true
			// It opens somewhere within the exchange.
			opens := time.AfterFunc(rand.N(12*time.Millisecond), func() { s.w.set(hole) })
			_ = s.attempt(120 * time.Millisecond)
			opens.Stop()
			s.w.clear()
			s.deliver(time.Minute)
		}
		s.verify("black hole, for a while")
	})
}

// answers that something between station and central gives in its place, with
// what becomes of the request.
var answers = []struct {
	name  string
	reach bool // central gets the request, its answer is lost
	say   func(w http.ResponseWriter)
}{
	{"429 with Retry-After", false, func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "3")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	}},
	{"500", false, func(w http.ResponseWriter) { http.Error(w, "internal error", http.StatusInternalServerError) }},
	{"502 of a proxy", true, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html>Bad Gateway</html>"))
	}},
	{"captive portal, 200", false, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<html><form>Please log in</form></html>"))
	}},
	{"captive portal, 200 and JSON", false, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"type":"ack","payload":"e30=","signature":"AAAA"}`))
	}},
	{"captive portal, redirect", false, func(w http.ResponseWriter) {
		w.Header().Set("Location", "http://127.0.0.1:1/login")
		w.WriteHeader(http.StatusFound)
	}},
	{"answer lost on the way", true, func(http.ResponseWriter) { panic(http.ErrAbortHandler) }},
	{"answer cut short", true, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "500")
		_, _ = w.Write([]byte(`{"type":"ack","payload":"`))
		panic(http.ErrAbortHandler)
	}},
}

// TestAnswersThatAreNotCentrals puts each kind of wrong answer in the place of a
// third of central's.
func TestAnswersThatAreNotCentrals(t *testing.T) {
	t.Parallel()
	for _, a := range answers {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			s := newStorm(t)
			s.c.setFront(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if rand.IntN(3) > 0 {
					next.ServeHTTP(w, r)
					return
				}
				if a.reach {
					next.ServeHTTP(httptest.NewRecorder(), r)
				}
				a.say(w)
			})
			n, batch := scale(3, 525), 25
			for range (n + batch - 1) / batch {
				for range min(n, batch) {
					s.save(false)
				}
				s.deliver(time.Minute)
			}
			s.verify(a.name)
		})
	}
}

// TestKilledAtEveryStep kills and starts central before or after each request
// of an exchange, one after the other.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	s := newStorm(t)
	for n := range scale(12, 400) {
		s.save(false)
		step, after, at := n/2%8, n%2 == 1, 0
		s.c.setFront(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if at++; at != step+1 {
				next.ServeHTTP(w, r)
				return
			}
			if after {
				next.ServeHTTP(httptest.NewRecorder(), r)
			}
			s.c.restart()
			panic(http.ErrAbortHandler)
		})
		s.deliver(time.Minute)
		s.c.setFront(nil)
	}
	s.verify("central killed before or after each step")
}

// TestStationStopsAnywhere: the station is stopped while it sends, wherever it
// then stands.
func TestStationStopsAnywhere(t *testing.T) {
	t.Parallel()
	s := newStorm(t)
	for range scale(6, 400) {
		s.save(false)
		_ = s.attempt(rand.N(25 * time.Millisecond))
		s.deliver(time.Minute)
	}
	s.verify("station stopped within an exchange")
}
