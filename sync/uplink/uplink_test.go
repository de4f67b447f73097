package uplink

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func TestTheWholeWay(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	c.pages = []wire.RosterDelta{
		{StationID: stationID, Full: true, Cursor: 10, More: true, Upsert: []wire.Student{{Ref: "a", Batch: "b", StudentNo: "1"}}},
		{StationID: stationID, Since: 10, Cursor: 20, Batches: []wire.Batch{{ID: "b"}}, Upsert: []wire.Student{{Ref: "c", Batch: "b", StudentNo: "2"}}},
	}
	r := enrolled(t, overHTTP(t, c), c, nil)
	small, large := r.commit(1), r.commit(400)
	w := r.worker()
	if err := w.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.takeEvents(); got != strings.Repeat("roster, ", 2)+"ack stored, ack stored, online true" {
		t.Errorf("events: %s", got)
	}
	if r.state(small).State != outbox.Stored || r.state(large).State != outbox.Stored {
		t.Error("not stored")
	}
	if n := c.countCalls("PATCH"); n != 1+3 {
		t.Errorf("%d uploads for one piece, and three that grow", n)
	}
	if st := w.Status(); !st.Online || st.Problem != "" || !st.LastHeard.Equal(t0) {
		t.Errorf("%+v", st)
	}

	c.feed = []wire.Verdicts{
		{Acks: []wire.Signed{c.sign(wire.TypeAck, c.ack(c.meta[small.String()], wire.AckOpened))}},
		{Verdicts: []wire.Verdict{{PacketID: small.String(), State: wire.VerdictRejected, At: t0}}},
	}
	if err := w.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.takeEvents(); got != "ack opened, verdict rejected" {
		t.Errorf("events: %s", got)
	}
	if e := r.state(small); e.State != outbox.Opened || e.Verdict == nil {
		t.Errorf("%+v", e)
	}
	if err := w.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.takeEvents(); got != "" {
		t.Errorf("old news again: %s", got)
	}
	if s, err := w.Claim(t.Context(), "01J6Q3ZK4MXB7T8W9V2N5C1D0E"); err != nil || !s.Linked {
		t.Errorf("claim: %+v %v", s, err)
	}
}

// answer makes a hook that takes over one path.
func answer(path string, f func(w http.ResponseWriter, r *http.Request)) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, path) {
			return false
		}
		f(w, r)
		return true
	}
}

func TestNothingButCentralsSignatureIsASuccess(t *testing.T) {
	t.Parallel()
	paths := []string{"/v1/heartbeat", "/v1/roster", "/v1/packets:declare", "/v1/packets/", "/v1/verdicts"}
	endless := []byte(`"` + strings.Repeat("x", maxAnswer) + `"`)
	everything := map[string]any{ // valid in itself for every path
		"station_id": stationID, "offset": 1 << 20, "stage": "stored", "cursor": 9, "full": true,
	}
	for name, f := range map[string]func(w http.ResponseWriter, r *http.Request){
		"captive portal with 200": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>Please log in</html>")
		},
		"redirect to a login page": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/login", http.StatusFound)
		},
		"empty 200":     func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "application/json") },
		"204":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"unsigned JSON": func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, everything) },
		"JSON as text":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"type":"hello"}`) },
		"array":         func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, []int{1}) },
		"endless answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(endless)
		},
		"connection reset": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"type":`)
		},
		"signed by a stranger": func(w http.ResponseWriter, r *http.Request) {
			writeJSON(w, 200, signAs(t, keyOf("stranger"), typeFor(r), everything))
		},
		"genuine, but of another kind": func(w http.ResponseWriter, r *http.Request) {
			writeJSON(w, 200, signAs(t, centralKey, wire.TypeEnrolled, everything))
		},
		"genuine, but relabelled": func(w http.ResponseWriter, r *http.Request) {
			s := signAs(t, centralKey, wire.TypeEnrolled, everything)
			s.Type = typeFor(r)
			writeJSON(w, 200, s)
		},
		"genuine, but for another station": func(w http.ResponseWriter, r *http.Request) {
			writeJSON(w, 200, signAs(t, centralKey, typeFor(r), map[string]any{"station_id": "st-2"}))
		},
		"500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newFake(t)
			r := enrolled(t, overHTTP(t, c), c, nil)
			id := r.commit(1)
			for _, path := range paths {
				if name == "500" && path == "/v1/roster" {
					continue // holds up nothing else: TestOneSickPartDoesNotStopTheOthers
				}
				c.setHook(answer(path, f))
				w := r.worker()
				r.takeEvents()
				err := w.Exchange(t.Context())
				if err == nil {
					t.Fatalf("%s: taken for central", path)
				}
				if w.Status().Online || w.Status().LastErr == "" {
					t.Errorf("%s: shown as online", path)
				}
				if path != "/v1/verdicts" {
					if e := r.state(id); e.State != outbox.Saved {
						t.Fatalf("%s: packet became %s", path, e.State)
					}
				}
				if strings.Contains(r.takeEvents(), "verdict") {
					t.Errorf("%s: a verdict out of nowhere", path)
				}
				r.now = r.now.Add(time.Hour) // past any schedule
			}
			c.setHook(nil)
			if err := r.worker().Drain(t.Context()); err != nil {
				t.Fatalf("afterwards: %v", err)
			}
			if e := r.state(id); e.State != outbox.Stored {
				t.Errorf("afterwards: %s", e.State)
			}
		})
	}
}

// typeFor is the kind of answer that belongs to a request.
func typeFor(r *http.Request) string {
	switch {
	case r.Method == http.MethodPatch:
		return wire.TypeAck
	case strings.HasSuffix(r.URL.Path, "heartbeat"):
		return wire.TypeHello
	case strings.HasSuffix(r.URL.Path, "roster"):
		return wire.TypeRoster
	case strings.HasSuffix(r.URL.Path, "declare"):
		return wire.TypeDeclared
	}
	return wire.TypeVerdicts
}

func TestAcksThatDoNotFit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(a *wire.Ack)
		ends   bool // the exchange, too
	}{
		{"other digest", func(a *wire.Ack) { a.SHA256 = strings.Repeat("0", 64) }, false},
		{"other size", func(a *wire.Ack) { a.Size-- }, false},
		{"other stage", func(a *wire.Ack) { a.Stage = "eaten" }, false},
		{"other packet", func(a *wire.Ack) { a.ID = "01J6Q3ZK4MXB7T8W9V2N5C1D0E" }, true},
		{"other station", func(a *wire.Ack) { a.StationID = "st-2" }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newFake(t)
			r := enrolled(t, overHTTP(t, c), c, nil)
			bad, good := r.commit(1), r.commit(1)
			c.setHook(answer("/v1/packets/"+bad.String(), func(w http.ResponseWriter, _ *http.Request) {
				c.mu.Lock()
				defer c.mu.Unlock()
				a := c.ack(c.meta[bad.String()], wire.AckStored)
				tc.change(&a)
				writeJSON(w, 200, c.sign(wire.TypeAck, a))
			}))
			err := r.worker().Exchange(t.Context())
			if (err != nil) != tc.ends {
				t.Fatalf("err = %v", err)
			}
			if s := r.state(bad).State; s != outbox.Saved {
				t.Errorf("packet became %s", s)
			}
			if s := r.state(good).State; !tc.ends && s != outbox.Stored {
				t.Errorf("the next packet waits: %s", s)
			}
			// The same in the feed stands in nobody's way.
			c.setHook(nil)
			a := c.ack(c.meta[bad.String()], wire.AckOpened)
			if tc.change(&a); tc.name == "other packet" || tc.name == "other station" {
				return
			}
			c.feed = []wire.Verdicts{{Acks: []wire.Signed{c.sign(wire.TypeAck, a)}}, {Verdicts: []wire.Verdict{{PacketID: good.String(), State: wire.VerdictApproved, At: t0}}}}
			if err := r.worker().Exchange(t.Context()); err != nil {
				t.Fatalf("feed: %v", err)
			}
			if e := r.state(good); e.Verdict == nil || r.state(bad).State == outbox.Opened {
				t.Error("feed stopped, or the wrong ack was believed")
			}
		})
	}
}

func TestUploadGoesOnWhereItBroke(t *testing.T) {
	t.Parallel()
	// 600 KB are five pieces; the connection breaks before or after each one.
	for _, restart := range []bool{false, true} {
		for broken := 1; broken <= 5; broken++ {
			if restart != (broken == 3) {
				continue // a new process knows no less: one case shows it
			}
			for _, swallowed := range []bool{false, true} { // the bytes arrived, the answer did not
				c := newFake(t)
				r := enrolled(t, overHTTP(t, c), c, nil)
				r.params.Piece = 128 << 10
				id := r.commit(600)
				n := 0
				c.setHook(func(w http.ResponseWriter, req *http.Request) bool {
					if req.Method != http.MethodPatch {
						return false
					}
					if n++; n != broken {
						return false
					}
					if swallowed {
						c.setHook(nil)
						c.ServeHTTP(httptest.NewRecorder(), req)
					}
					panic(http.ErrAbortHandler)
				})
				w := r.worker()
				if err := w.Exchange(t.Context()); err == nil {
					t.Fatal("a broken connection went unnoticed")
				}
				e := r.state(id)
				if e.State != outbox.Saved || e.Attempts != 1 || e.Next.After(r.now) {
					t.Fatalf("piece %d: %+v", broken, e)
				}
				if restart {
					w = r.restart()
				}
				before := c.countCalls("PATCH")
				if err := w.Drain(t.Context()); err != nil {
					t.Fatalf("piece %d: %v", broken, err)
				}
				want := 5 - broken + 1
				if swallowed {
					want--
				}
				if got := c.countCalls("PATCH") - before; got != want {
					t.Errorf("piece %d, swallowed %v: %d uploads after the break, want %d", broken, swallowed, got, want)
				}
				if s := r.state(id).State; s != outbox.Stored {
					t.Errorf("piece %d: %s", broken, s)
				}
			}
		}
	}
}

func TestOffsetMismatchIsDeclaredAgain(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	id := r.commit(300)
	lost := false
	c.setHook(func(_ http.ResponseWriter, req *http.Request) bool {
		if req.Method == http.MethodPatch && req.Header.Get(wire.HeaderUploadOffset) != "0" && !lost {
			lost = true
			c.mu.Lock()
			c.held[id.String()] = nil // central was restored from a backup
			c.mu.Unlock()
		}
		return false
	})
	w := r.worker()
	if err := w.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := r.state(id); e.State != outbox.Saved || e.LastError != wire.CodeOffset {
		t.Fatalf("%+v", e)
	}
	r.now = r.state(id).Next
	if err := w.Drain(t.Context()); err != nil || r.state(id).State != outbox.Stored {
		t.Fatal(err)
	}
}

func TestConflictIsAnAlarmAndStopsNobodyElse(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	bad, good := r.commit(1), r.commit(1)
	c.meta[bad.String()] = wire.Declared{ID: bad.String(), SHA256: strings.Repeat("0", 64)}
	w := r.worker()
	if err := w.Drain(t.Context()); !errors.Is(err, ErrHeld) {
		t.Fatalf("err = %v", err)
	}
	if r.state(bad).State != outbox.Saved || r.state(good).State != outbox.Stored {
		t.Error("wrong states")
	}
	alarms := r.params.Outbox.Alarms()
	if len(alarms) != 1 || alarms[0].Code != outbox.AlarmHeld || alarms[0].Packet != bad.String() {
		t.Errorf("alarms: %v", alarms)
	}
	n := c.countCalls("POST /v1/packets:declare")
	if err := w.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.countCalls("POST /v1/packets:declare") != n {
		t.Error("asked again at once")
	}
	if got := c.beats[len(c.beats)-1].Alarms; len(got) != 1 || got[0] != outbox.AlarmHeld {
		t.Errorf("central hears of %v", got)
	}
}

func TestManyAlarmsAreOneCode(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	for range 40 {
		r.commit(0)
	}
	files, err := filepath.Glob(filepath.Join(r.dir, "outbox", "packets", "*.pkt"))
	if err != nil || len(files) != 40 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.restart().Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.beats[0].Alarms; len(got) != 1 || got[0] != string(outbox.Missing) {
		t.Errorf("alarms: %v", got)
	}
	if err := r.worker().Drain(t.Context()); !errors.Is(err, ErrHeld) {
		t.Errorf("drain: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code    string
		status  int
		retry   string
		problem string
		least   time.Duration
		most    time.Duration
	}{
		{wire.CodeRevoked, 401, "", wire.CodeRevoked, FatalPause, FatalPause},
		{wire.CodeClock, 401, "", wire.CodeClock, FatalPause, FatalPause},
		{wire.CodeUnknownStation, 401, "", wire.CodeUnknownStation, FatalPause, FatalPause},
		{wire.CodeSignature, 401, "", wire.CodeSignature, FatalPause, FatalPause},
		{wire.CodeReplay, 401, "", "", RetryMin, 2 * RetryMin},
		{wire.CodeBusy, 503, "30", "", 30 * time.Second, 30 * time.Second},
		{wire.CodeBusy, 429, "99999999", "", time.Hour, time.Hour},
		{wire.CodeInternal, 500, "Tue, 01 Sep 2026 09:00:00 GMT", "", RetryMin, 2 * RetryMin},
		{"", 502, "-5", "", RetryMin, 2 * RetryMin},
	} {
		t.Run(tc.code+" "+tc.retry, func(t *testing.T) {
			c := newFake(t)
			r := enrolled(t, overHTTP(t, c), c, nil)
			id := r.commit(1)
			c.setHook(func(w http.ResponseWriter, _ *http.Request) bool {
				if tc.retry != "" {
					w.Header().Set("Retry-After", tc.retry)
				}
				writeJSON(w, tc.status, wire.Error{Code: tc.code})
				return true
			})
			w := r.worker()
			err := w.Exchange(t.Context())
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Code != tc.code || refused.Status != tc.status {
				t.Fatalf("err = %v", err)
			}
			if st := w.Status(); st.Online || st.Problem != tc.problem {
				t.Errorf("%+v", st)
			}
			if p := w.next(err); p < tc.least || p > tc.most {
				t.Errorf("pause %v, want %v to %v", p, tc.least, tc.most)
			}
			want := 2 // enrolment and one heartbeat
			if tc.code == wire.CodeReplay {
				want++ // net/http may have repeated it: once more with a new nonce
			}
			if n := len(c.calls); n != want {
				t.Errorf("%d requests", n)
			}
			if e := r.state(id); e.State != outbox.Saved || e.Attempts != 0 {
				t.Errorf("%+v", e)
			}
		})
	}
	t.Run("revoked by the signed answer", func(t *testing.T) {
		c := newFake(t)
		r := enrolled(t, overHTTP(t, c), c, nil)
		c.revoked = true
		w := r.worker()
		if err := w.Exchange(t.Context()); err == nil || w.Status().Problem != wire.CodeRevoked {
			t.Errorf("%v %+v", err, w.Status())
		}
	})
}

type brokenRoster struct{ err error }

func (b brokenRoster) Cursor() uint64               { return 0 }
func (b brokenRoster) Apply(wire.RosterDelta) error { return b.err }

func TestAFullDiskIsNotAnAbsentCentral(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	full := errors.New("no space left on device")
	r.params.Roster = brokenRoster{full}
	w := r.worker()
	if err := w.Exchange(t.Context()); !errors.Is(err, full) {
		t.Fatalf("err = %v", err)
	}
	if st := w.Status(); !st.Online || st.LastErr == "" {
		t.Errorf("%+v", st)
	}
}

func TestEnroll(t *testing.T) {
	t.Parallel()
	fingerprint := keys.Fingerprint(centralKey.Public().(ed25519.PublicKey))
	for _, tc := range []struct {
		name, code string
		hook       func(w http.ResponseWriter, r *http.Request)
		want       error
	}{
		{"wrong one-time part", "XXXX." + fingerprint, nil, new(RefusedError)},
		{"fingerprint of another central", oneTime + "." + keys.Fingerprint(keyOf("x").Public().(ed25519.PublicKey)), nil, ErrNotCentral},
		{"no fingerprint", oneTime, nil, keys.ErrBadAnswer},
		{"captive portal", oneTime + "." + fingerprint, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, ErrNotCentral},
		{"right key named, signed by another", oneTime + "." + fingerprint, func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, 200, signAs(t, keyOf("x"), wire.TypeEnrolled, wire.Enrolled{StationID: "evil", CentralKey: centralKey.Public().(ed25519.PublicKey)}))
		}, ErrNotCentral},
		{"man in the middle with a key of their own", oneTime + "." + fingerprint, func(w http.ResponseWriter, _ *http.Request) {
			evil := keyOf("x")
			writeJSON(w, 200, signAs(t, evil, wire.TypeEnrolled, wire.Enrolled{StationID: "evil", CentralKey: evil.Public().(ed25519.PublicKey)}))
		}, ErrNotCentral},
		{"redirected", oneTime + "." + fingerprint, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, ErrNotCentral},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newFake(t)
			if tc.hook != nil {
				c.setHook(answer("/v1/enroll", tc.hook))
			}
			s, err := keys.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			_, err = Enroll(t.Context(), EnrollParams{Keys: s, URL: overHTTP(t, c), Code: tc.code, Name: "desk", Version: "test"})
			var refused *RefusedError
			if errors.As(tc.want, &refused) {
				if !errors.As(err, &refused) || refused.Code != wire.CodeEnrollCode {
					t.Fatalf("err = %v", err)
				}
			} else if !errors.Is(err, tc.want) {
				t.Fatalf("err = %v, want %v", err, tc.want)
			}
			if _, err := s.Enrolment(); !errors.Is(err, keys.ErrNotEnrolled) {
				t.Errorf("something was kept: %v", err)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	for base, ok := range map[string]bool{
		"https://photo.example.edu.cn": true, "https://example.edu.cn/photo/": true, "http://127.0.0.1:8080": true, "http://localhost:1": true, "http://[::1]:1": true,
		"http://photo.example.edu.cn": false, "http://192.168.1.9": false, "ftp://x": false, "photo.example.edu.cn": false, "": false, "https://": false, "https://u:p@h": false, "https://h?q=1": false, "https://h#f": false, "http://127.0.0.1.evil.cn": false,
	} {
		if _, err := newRest(base, "", "v", nil, 0); (err == nil) != ok {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestPin(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	srv := httptest.NewUnstartedServer(c)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake is meant
	srv.StartTLS()
	defer srv.Close()
	cert := srv.Certificate()
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	pin := hex.EncodeToString(sum[:])
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	get := func(pin string) error {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, VerifyConnection: func(cs tls.ConnectionState) error { return checkPin(cs.VerifiedChains, pin) }}}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get(srv.URL)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := get(strings.ToUpper(pin)); err != nil {
		t.Errorf("the pinned key: %v", err)
	}
	if err := get(strings.Repeat("0", 64)); !errors.Is(err, ErrPin) {
		t.Errorf("another key: %v", err)
	}
	// A stranger's verified chain, with the pinned certificate merely sent along.
	if err := checkPin([][]*x509.Certificate{{{RawSubjectPublicKeyInfo: []byte("stranger")}}}, pin); !errors.Is(err, ErrPin) {
		t.Errorf("a stranger passes: %v", err)
	}
}

// direct calls the handler without a network, so that time in a test can be
// the test's own.
type direct struct{ h http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	aborted := func() (aborted bool) {
		defer func() { aborted = recover() != nil }()
		d.h.ServeHTTP(rec, r)
		return false
	}()
	if aborted {
		return nil, errors.New("connection reset")
	}
	return rec.Result(), nil
}

func TestRunBacksOffAndComesBackByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(t)
		r := enrolled(t, "https://central.test", c, direct{c})
		r.params.Now = func() time.Time { return t0.Add(time.Since(synctestStart)) }
		id := r.commit(1)
		var mu sync.Mutex
		var seen []time.Time
		c.setHook(func(http.ResponseWriter, *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, time.Now())
			panic(http.ErrAbortHandler)
		})
		attempts := func() []time.Time {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(seen)
		}
		w := r.worker()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()

		pass(30 * time.Minute)
		tries := attempts()
		if n := len(tries); n < 15 || n > 200 {
			t.Errorf("%d tries in half an hour", n)
		}
		for i := 1; i < len(tries); i++ {
			if p := tries[i].Sub(tries[i-1]); p < RetryMin || p > RetryMax {
				t.Errorf("pause %d: %v", i, p)
			}
		}
		w.Wake()
		if len(attempts()) != len(tries)+1 {
			t.Error("waking does not try at once")
		}

		c.setHook(nil)
		pass(RetryMax + time.Second)
		synctest.Wait()
		if s := r.state(id).State; s != outbox.Stored {
			t.Errorf("two minutes after central came back: %s", s)
		}
		if !w.Status().Online {
			t.Error("not online")
		}
		beats := c.countCalls("POST /v1/heartbeat")
		pass(time.Minute)
		synctest.Wait()
		if got := c.countCalls("POST /v1/heartbeat") - beats; got < 11 || got > 13 {
			t.Errorf("%d heartbeats in a calm minute", got)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run ended with %v", err)
		}
	})
}

// synctestStart is when time begins in a synctest bubble.
var synctestStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestNetworkNewsWakesTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(t)
		r := enrolled(t, "https://central.test", c, direct{c})
		r.params.Pulse = time.Hour
		var plug func()
		r.params.Network = func(ctx context.Context, changed func()) error {
			plug = changed
			<-ctx.Done()
			return ctx.Err()
		}
		w := r.worker()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		synctest.Wait()
		n := c.countCalls("POST /v1/heartbeat")
		plug()
		synctest.Wait()
		if got := c.countCalls("POST /v1/heartbeat"); got != n+1 {
			t.Errorf("%d heartbeats after the cable is in, %d before", got, n)
		}
		cancel()
		<-done
	})
}

func TestWatchNetworkEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- watchNetwork(ctx, func() {}) }()
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, os.ErrPermission) {
		t.Errorf("err = %v", err)
	}
}

func TestBacklogDoesNotDelayVerdicts(t *testing.T) {
	t.Parallel()
	c := newFake(t)
	r := enrolled(t, overHTTP(t, c), c, nil)
	for range declareBatch + 5 {
		r.commit(0)
	}
	w := r.worker()
	if err := w.Exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.params.Outbox.Stats(); s.Stored != declareBatch || c.countCalls("GET /v1/verdicts") != 1 {
		t.Errorf("%+v", s)
	}
	if wait := w.next(nil); wait > RetryMin {
		t.Errorf("the rest waits %v", wait)
	}
	if err := w.Drain(t.Context()); err != nil || r.params.Outbox.Stats().Pending != 0 {
		t.Errorf("drain: %v", err)
	}
}

func TestJitterStaysInBounds(t *testing.T) {
	p := time.Duration(0)
	for range 1000 {
		p = jitter(p)
		if p < RetryMin || p > RetryMax {
			t.Fatalf("pause %v", p)
		}
	}
}

func FuzzReadSigned(f *testing.F) {
	f.Add("application/json", 200, []byte(`{"type":"hello","key_id":"k","payload":"e30=","signature":"AA=="}`))
	f.Add("text/html", 200, []byte("<html>"))
	f.Add("application/json", 401, []byte(`{"code":"revoked"}`))
	pub := centralKey.Public().(ed25519.PublicKey)
	f.Fuzz(func(t *testing.T, kind string, status int, body []byte) {
		resp := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}, "Retry-After": {kind}}, Body: io.NopCloser(strings.NewReader(string(body)))}
		var hello wire.Hello
		if _, err := readSigned(resp, pub, map[string]any{wire.TypeHello: &hello}); err == nil {
			t.Fatal("an invented answer was believed")
		}
		if hello != (wire.Hello{}) {
			t.Fatal("something of it was taken in")
		}
	})
}
