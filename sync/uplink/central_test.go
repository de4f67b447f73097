package uplink

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

var t0 = time.Date(2026, 9, 1, 9, 0, 0, 0, time.UTC)

const (
	stationID = "st-1"
	oneTime   = "ABCD-EFGH-JKLM"
)

func keyOf(seed string) ed25519.PrivateKey {
	s := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(s[:])
}

var centralKey = keyOf("central")

// fakeCentral speaks the contract as far as a station can tell, and can be
// told to misbehave on any path.
type fakeCentral struct {
	t       *testing.T
	mu      sync.Mutex
	station ed25519.PublicKey
	held    map[string][]byte // packet id → bytes so far
	meta    map[string]wire.Declared
	acks    map[string]wire.Signed
	pages   []wire.RosterDelta // answered by cursor
	feed    []wire.Verdicts    // answered by cursor, which is the index
	nonces  map[string]bool
	calls   []string
	beats   []wire.Heartbeat
	revoked bool
	recips  []string

	// hook may answer a request itself (true) before anything is looked at.
	hook func(w http.ResponseWriter, r *http.Request) bool
}

func newFake(t *testing.T) *fakeCentral {
	c := &fakeCentral{t: t, held: map[string][]byte{}, meta: map[string]wire.Declared{}, acks: map[string]wire.Signed{}, nonces: map[string]bool{}}
	for range 2 {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		c.recips = append(c.recips, id.Recipient().String())
	}
	c.pages = []wire.RosterDelta{{StationID: stationID, Full: true, Cursor: 1, Batches: []wire.Batch{{ID: "b"}}}}
	return c
}

func (c *fakeCentral) sign(typ string, v any) wire.Signed { return signAs(c.t, centralKey, typ, v) }

func signAs(t *testing.T, key ed25519.PrivateKey, typ string, v any) wire.Signed {
	s, err := wire.Sign(key, "k", typ, v)
	if err != nil {
		t.Error(err)
	}
	return s
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (c *fakeCentral) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.calls = append(c.calls, r.Method+" "+r.URL.Path)
	hook := c.hook
	c.mu.Unlock()
	if hook != nil && hook(w, r) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if r.URL.Path == "/v1/enroll" {
		c.enroll(w, body)
		return
	}
	_, nonce, err := wire.VerifyRequest(r, body, func(id string) (ed25519.PublicKey, bool) {
		return c.station, id == stationID && c.station != nil
	}, t0, 24*time.Hour)
	if err != nil || c.nonces[nonce] {
		writeJSON(w, http.StatusUnauthorized, wire.Error{Code: wire.CodeSignature})
		return
	}
	c.nonces[nonce] = true
	since, _ := strconv.ParseUint(r.URL.Query().Get("since"), 10, 64)
	switch {
	case r.URL.Path == "/v1/heartbeat":
		var hb wire.Heartbeat
		if err := json.Unmarshal(body, &hb); err != nil || len(hb.Alarms) > 32 {
			writeJSON(w, http.StatusBadRequest, wire.Error{Code: wire.CodeBadRequest})
			return
		}
		c.beats = append(c.beats, hb)
		writeJSON(w, 200, c.sign(wire.TypeHello, wire.Hello{StationID: stationID, Now: t0, Revoked: c.revoked}))
	case r.URL.Path == "/v1/roster":
		for _, p := range c.pages {
			if p.Since == since {
				writeJSON(w, 200, c.sign(wire.TypeRoster, p))
				return
			}
		}
		writeJSON(w, 200, c.sign(wire.TypeRoster, wire.RosterDelta{StationID: stationID, Since: since, Cursor: since, Batches: []wire.Batch{{ID: "b"}}}))
	case r.URL.Path == "/v1/verdicts":
		out := wire.Verdicts{StationID: stationID, Cursor: since}
		if since < uint64(len(c.feed)) {
			out = c.feed[since]
			out.StationID, out.Cursor, out.More = stationID, since+1, since+1 < uint64(len(c.feed))
		}
		writeJSON(w, 200, c.sign(wire.TypeVerdicts, out))
	case r.URL.Path == "/v1/packets:declare":
		c.declare(w, body)
	case strings.HasPrefix(r.URL.Path, "/v1/packets/"):
		c.upload(w, r, body)
	case strings.HasPrefix(r.URL.Path, "/v1/claims/"):
		writeJSON(w, 200, c.sign(wire.TypeClaim, wire.ClaimState{StationID: stationID, Session: strings.TrimPrefix(r.URL.Path, "/v1/claims/"), Linked: true}))
	default:
		writeJSON(w, http.StatusNotFound, wire.Error{Code: wire.CodeNotFound})
	}
}

func (c *fakeCentral) enroll(w http.ResponseWriter, body []byte) {
	var req wire.EnrollRequest
	if err := json.Unmarshal(body, &req); err != nil || req.Code != oneTime {
		writeJSON(w, http.StatusForbidden, wire.Error{Code: wire.CodeEnrollCode})
		return
	}
	c.station = req.PublicKey
	writeJSON(w, 200, c.sign(wire.TypeEnrolled, wire.Enrolled{
		StationID: stationID, CentralKey: centralKey.Public().(ed25519.PublicKey), KeyID: "k", Recipients: c.recips,
		ClaimKey: make([]byte, 32), ReceiptKey: make([]byte, 32), Now: t0,
	}))
}

func (c *fakeCentral) declare(w http.ResponseWriter, body []byte) {
	var req wire.DeclareRequest
	if err := json.Unmarshal(body, &req); err != nil {
		writeJSON(w, http.StatusBadRequest, wire.Error{Code: wire.CodeBadRequest})
		return
	}
	out := wire.DeclareResponse{StationID: stationID}
	for _, d := range req.Packets {
		res := wire.DeclareResult{ID: d.ID, State: wire.DeclareWant, Offset: int64(len(c.held[d.ID]))}
		if old, ok := c.meta[d.ID]; ok && old.SHA256 != d.SHA256 {
			res.State = wire.DeclareConflict
		} else if ack, ok := c.acks[d.ID]; ok {
			res.State, res.Ack = wire.DeclareHave, &ack
		} else {
			c.meta[d.ID] = d
		}
		out.Results = append(out.Results, res)
	}
	writeJSON(w, 200, c.sign(wire.TypeDeclared, out))
}

func (c *fakeCentral) upload(w http.ResponseWriter, r *http.Request, body []byte) {
	id := strings.TrimPrefix(r.URL.Path, "/v1/packets/")
	d, ok := c.meta[id]
	offset, err := strconv.Atoi(r.Header.Get(wire.HeaderUploadOffset))
	switch {
	case !ok || err != nil:
		writeJSON(w, http.StatusNotFound, wire.Error{Code: wire.CodeNotFound})
		return
	case offset != len(c.held[id]):
		writeJSON(w, http.StatusConflict, wire.Error{Code: wire.CodeOffset})
		return
	}
	c.held[id] = append(c.held[id], body...)
	if int64(len(c.held[id])) < d.Size {
		writeJSON(w, 200, c.sign(wire.TypeProgress, wire.Progress{ID: id, Offset: int64(len(c.held[id]))}))
		return
	}
	sum := sha256.Sum256(c.held[id])
	if hex.EncodeToString(sum[:]) != d.SHA256 {
		c.t.Errorf("central received other bytes than were declared")
	}
	c.acks[id] = c.sign(wire.TypeAck, c.ack(d, wire.AckStored))
	writeJSON(w, 200, c.acks[id])
}

func (c *fakeCentral) ack(d wire.Declared, stage string) wire.Ack {
	return wire.Ack{StationID: stationID, ID: d.ID, SHA256: d.SHA256, Size: d.Size, Stage: stage, At: t0}
}

func (c *fakeCentral) setHook(f func(w http.ResponseWriter, r *http.Request) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hook = f
}

func (c *fakeCentral) countCalls(prefix string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.calls {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

func code() string { return oneTime + "." + keys.Fingerprint(centralKey.Public().(ed25519.PublicKey)) }

// rig is one station with real files beside a fake central.
type rig struct {
	t       *testing.T
	central *fakeCentral
	params  Params
	keys    *keys.Store
	key     ed25519.PrivateKey
	enrol   keys.Enrolment
	now     time.Time
	events  []string
	mu      sync.Mutex
	dir     string
}

func enrolled(t *testing.T, url string, c *fakeCentral, transport http.RoundTripper) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{t: t, central: c, now: t0, dir: dir}
	var err error
	if r.keys, err = keys.Open(dir + "/keys"); err != nil {
		t.Fatal(err)
	}
	if r.enrol, err = Enroll(t.Context(), EnrollParams{Keys: r.keys, URL: url, Code: code(), Name: "desk", Version: "test", Transport: transport}); err != nil {
		t.Fatal(err)
	}
	if r.key, err = r.keys.StationKey(); err != nil {
		t.Fatal(err)
	}
	data, err := r.keys.CreateDataKey("")
	if err != nil {
		t.Fatal(err)
	}
	ro, err := roster.Open(dir+"/roster", data)
	if err != nil {
		t.Fatal(err)
	}
	r.params = Params{
		Enrolment: r.enrol, Key: r.key, Roster: ro, Outbox: r.openOutbox(), Version: "test", Transport: transport,
		Now: func() time.Time { return r.now },
		Events: Events{
			Status:  func(s Status) { r.event(fmt.Sprintf("online %v %s", s.Online, s.Problem)) },
			Ack:     func(a wire.Ack) { r.event("ack " + a.Stage) },
			Verdict: func(v wire.Verdict) { r.event("verdict " + v.State) },
			Roster:  func() { r.event("roster") },
		},
		Network: func(context.Context, func()) error { return nil },
	}
	return r
}

func (r *rig) event(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, strings.TrimSpace(s))
}

func (r *rig) takeEvents() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := strings.Join(r.events, ", ")
	r.events = nil
	return s
}

func (r *rig) openOutbox() *outbox.Outbox {
	r.t.Helper()
	o, err := outbox.Open(r.dir+"/outbox", outbox.Options{
		Verify: func(b []byte) (*packet.Packet, error) { return packet.Verify(b, r.key.Public().(ed25519.PublicKey)) },
		Now:    func() time.Time { return r.now },
		Log:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { o.Close() })
	return o
}

func (r *rig) worker() *Worker {
	r.t.Helper()
	w, err := NewWorker(r.params)
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

// restart is a new process: everything is read from disk again.
func (r *rig) restart() *Worker {
	r.t.Helper()
	if err := r.params.Outbox.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.params.Outbox = r.openOutbox()
	return r.worker()
}

// commit saves a packet of about kb kilobytes.
func (r *rig) commit(kb int) ulid.ULID {
	r.t.Helper()
	seq, err := r.params.Outbox.NextSeq()
	if err != nil {
		r.t.Fatal(err)
	}
	to, err := r.enrol.Recipients()
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := packet.Seal(packet.Input{
		ID: ulid.Make(), Seq: seq, Station: stationID, Spec: "s", Created: r.now,
		Original: append([]byte("\xff\xd8\xff\xe0"), bytes.Repeat([]byte{byte(seq)}, kb<<10)...), Portrait: []byte("\xff\xd8\xff\xe0"),
	}, to, r.key)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.params.Outbox.Commit(s); err != nil {
		r.t.Fatal(err)
	}
	return s.ID
}

func (r *rig) state(id ulid.ULID) outbox.Entry {
	r.t.Helper()
	e, err := r.params.Outbox.Get(id)
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// overHTTP serves c on a real socket.
func overHTTP(t *testing.T, c *fakeCentral) string {
	t.Helper()
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	return srv.URL
}
