package uplink_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// reopenBox is the station's program killed and started again.
func (d *desk) reopenBox() {
	d.t.Helper()
	if err := d.box.Close(); err != nil {
		d.t.Fatal(err)
	}
	pub, ok := d.key.Public().(ed25519.PublicKey)
	if !ok {
		d.t.Fatal("no public key")
	}
	box, err := outbox.Open(filepath.Join(d.dir, "outbox"), outbox.Options{Verify: func(b []byte) (*packet.Packet, error) { return packet.Verify(b, pub) }})
	if err != nil {
		d.t.Fatal(err)
	}
	d.box, d.params.Outbox = box, box
}

// askErase queues what the student at the desk asks for.
func (d *desk) askErase(id ulid.ULID) {
	d.t.Helper()
	e, err := d.box.Get(id)
	if err != nil {
		d.t.Fatal(err)
	}
	request, err := wire.SignErase(d.key, d.enrol.Enrolled.StationID, e.Declared(), time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.box.Erase(id, request); err != nil {
		d.t.Fatal(err)
	}
}

// erasedHere: the file is gone, the row says why, no request is left.
func (d *desk) erasedHere(id ulid.ULID) {
	d.t.Helper()
	e := d.want(id, outbox.Purged)
	if e.Reason != outbox.ReasonErased || e.Verdict != nil {
		d.t.Errorf("%+v", e)
	}
	if _, err := os.Stat(filepath.Join(d.dir, "outbox", "packets", e.SHA256+".pkt")); !errors.Is(err, os.ErrNotExist) {
		d.t.Errorf("the file is still here: %v", err)
	}
}

func (d *desk) waiting(want int) {
	d.t.Helper()
	list, err := d.box.Erasing()
	if err != nil || len(list) != want {
		d.t.Fatalf("%d requests wait, want %d; %v", len(list), want, err)
	}
}

// erasedThere: a tombstone, no file, nothing of the student.
func (c *campus) erasedThere(id ulid.ULID) {
	c.t.Helper()
	p, err := c.server().Packet(c.t.Context(), id.String())
	if err != nil || p.Stage != central.StageErased || p.StudentRef != "" || p.Session != "" || p.Batch != "" || !p.OpenedAt.IsZero() {
		c.t.Fatalf("%+v %v", p, err)
	}
	if _, err := os.Stat(filepath.Join(c.dir, "packets", id.String()+".pkt")); !errors.Is(err, os.ErrNotExist) {
		c.t.Errorf("the file is still at central: %v", err)
	}
}

func (c *campus) captureOf(d *desk, ref string) string {
	c.t.Helper()
	w := d.worker()
	for range 2 { // verdicts ask for the list, the next exchange brings it
		if err := w.Exchange(c.t.Context()); err != nil {
			c.t.Fatal(err)
		}
	}
	d.openRoster()
	if err := d.worker().Exchange(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	s, err := d.roster.Student(ref)
	if err != nil {
		c.t.Fatal(err)
	}
	return s.Capture
}

func TestAnErasedPacketIsGoneOnBothSides(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	st := c.free(0)
	id, other := d.shoot(st), d.shoot(c.free(1))
	d.exchange()
	d.want(id, outbox.Opened)
	d.askErase(id)
	d.waiting(1)
	d.want(id, outbox.Opened) // central has it: its word comes first
	d.exchange()
	d.waiting(0)
	d.erasedHere(id)
	c.erasedThere(id)
	d.want(other, outbox.Opened)
	if got := c.captureOf(d, st.Ref); got != "" {
		t.Errorf("the student's photo still stands as %q", got)
	}
	// The feed from its beginning names the student no more.
	if err := d.box.SetCursor("verdicts", 0); err != nil {
		t.Fatal(err)
	}
	d.exchange()
	d.erasedHere(id)
	c.restart()
	c.erasedThere(id)
	if err := c.server().VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
	// And another photo of the same student is welcome.
	again := d.shoot(st)
	d.exchange()
	d.want(again, outbox.Opened)
}

func TestAnUnsentPacketIsErasedAtOnceAndRefusedLater(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	id := d.shoot(c.free(0))
	e := d.want(id, outbox.Saved)
	file, err := d.box.Read(id)
	if err != nil {
		t.Fatal(err)
	}
	d.askErase(id)
	d.erasedHere(id)
	d.reopenBox()
	d.erasedHere(id)
	d.waiting(1) // its bytes might be at central although no answer came
	d.exchange()
	d.waiting(0)
	c.erasedThere(id)
	// The same bytes on a stick, or from a copy of the disk: refused for good.
	stick := t.TempDir()
	if err := os.WriteFile(filepath.Join(stick, e.SHA256+".pkt"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "outbox", "packets", e.SHA256+".pkt"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	if rep, err := c.server().ImportPackets(t.Context(), stick, "test"); err != nil || len(rep.Bad) != 1 || rep.Stored != 0 {
		t.Errorf("%+v %v", rep, err)
	}
	if err := os.Remove(filepath.Join(d.dir, "outbox", "index.db")); err != nil {
		t.Fatal(err)
	}
	d.reopenBox()
	d.exchange()
	if e := d.want(id, outbox.Saved); e.LastError != wire.CodeErased {
		t.Errorf("%+v", e)
	}
	c.erasedThere(id)
}

// The station or central is killed between any two steps of an erasure: the
// same request brings it to its end.
func TestAnErasureSurvivesKillsAtEachStep(t *testing.T) {
	t.Parallel()
	abort := func(when func(r *http.Request) bool, before bool) func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if !when(r) {
				next.ServeHTTP(w, r)
				return
			}
			if !before {
				next.ServeHTTP(discard{}, r) // central acted; its answer is lost
			}
			panic(http.ErrAbortHandler)
		}
	}
	erase := func(r *http.Request) bool { return r.URL.Path == "/v1/packets:erase" }
	for _, step := range []struct {
		name  string
		front func(w http.ResponseWriter, r *http.Request, next http.Handler)
		after func(c *campus, d *desk, id ulid.ULID)
	}{
		{"queued", nil, nil},
		{"request lost", abort(erase, true), nil},
		{"answer lost", abort(erase, false), nil},
		{"answer lost, central killed", abort(erase, false), func(c *campus, _ *desk, _ ulid.ULID) { c.restart() }},
		{"central killed before its file went", abort(erase, false), func(c *campus, d *desk, id ulid.ULID) {
			c.close()
			if err := os.WriteFile(filepath.Join(c.dir, "packets", id.String()+".pkt"), []byte("left"), 0o600); err != nil {
				c.t.Fatal(err)
			}
			c.open()
			c.erasedThere(id)
		}},
	} {
		t.Run(step.name, func(t *testing.T) {
			c := newCampus(t)
			d := newDesk(t, c)
			id := d.shoot(c.free(0))
			d.exchange()
			d.askErase(id)
			d.reopenBox()
			d.waiting(1)
			if step.front != nil {
				c.setFront(step.front)
				if err := d.worker().Exchange(t.Context()); err == nil {
					t.Fatal("the break went unnoticed")
				}
				c.setFront(nil)
				d.reopenBox()
				d.waiting(1)
				d.want(id, outbox.Opened)
			}
			if step.after != nil {
				step.after(c, d, id)
			}
			d.exchange()
			d.reopenBox()
			d.waiting(0)
			d.erasedHere(id)
			c.erasedThere(id)
		})
	}
}

// discard is an answer that nobody hears.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func TestAnApprovedPhotoIsErasedByAPersonOnly(t *testing.T) {
	t.Parallel()
	for _, erase := range []bool{true, false} {
		c := newCampus(t)
		d := newDesk(t, c)
		now := time.Now()
		d.params.Now = func() time.Time { return now }
		st := c.free(0)
		id := d.shoot(st)
		d.exchange()
		if err := c.server().Approve(t.Context(), id.String(), "r"); err != nil {
			t.Fatal(err)
		}
		d.askErase(id)
		w := d.worker()
		for range 2 {
			if err := w.Exchange(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		d.waiting(1)
		d.want(id, outbox.Opened)
		list, err := c.server().UndecidedErasures(t.Context())
		if err != nil || len(list) != 1 || list[0].Packet != id.String() {
			t.Fatalf("%+v %v", list, err)
		}
		if err := c.server().DecideErasure(t.Context(), id.String(), erase, "admin"); err != nil {
			t.Fatal(err)
		}
		if err := c.server().DecideErasure(t.Context(), id.String(), !erase, "admin"); !errors.Is(err, central.ErrState) {
			t.Errorf("decided twice: %v", err)
		}
		d.exchange()
		d.waiting(0)
		if erase {
			d.erasedHere(id)
			c.erasedThere(id)
			continue
		}
		d.want(id, outbox.Opened)
		if p, err := c.server().Packet(t.Context(), id.String()); err != nil || p.State != wire.VerdictApproved {
			t.Errorf("%+v %v", p, err)
		}
	}
}

// Requests that the station did not make, or about what is not its own.
func TestForgedErasuresAreRefused(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	id := d.shoot(c.free(0))
	d.exchange()
	e := d.want(id, outbox.Opened)
	station := d.enrol.Enrolled.StationID
	code, err := c.server().NewCode(t.Context(), nil, time.Hour, "test")
	if err != nil {
		t.Fatal(err)
	}
	c.demo.EnrolCode = code
	second := newDesk(t, c)
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other := wire.Declared{ID: ulid.Make().String(), SHA256: e.SHA256, Size: 1, Seq: 1}
	changed := e.Declared()
	changed.SHA256 = other.SHA256[1:] + "0"
	sign := func(key ed25519.PrivateKey, station, typ string, p wire.Declared) wire.Signed {
		s, err := wire.Sign(key, station, typ, wire.EraseRequest{StationID: station, Packet: p, At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, k := range map[string]struct {
		request wire.Signed
		status  int
		code    string
	}{
		"another key":     {sign(stranger, station, wire.TypeErase, e.Declared()), http.StatusForbidden, wire.CodeEraseRefused},
		"another type":    {sign(d.key, station, wire.TypeAck, e.Declared()), http.StatusForbidden, wire.CodeEraseRefused},
		"another station": {sign(d.key, "abcdefgh", wire.TypeErase, e.Declared()), http.StatusForbidden, wire.CodeEraseRefused},
		"other bytes":     {sign(d.key, station, wire.TypeErase, changed), http.StatusConflict, wire.CodeConflict},
		"of another's":    {sign(second.key, second.enrol.Enrolled.StationID, wire.TypeErase, e.Declared()), http.StatusForbidden, wire.CodeEraseRefused},
	} {
		from := d
		if name == "of another's" {
			from = second
		}
		if status, code := from.postErase(k.request); status != k.status || code != k.code {
			t.Errorf("%s: %d %s, want %d %s", name, status, code, k.status, k.code)
		}
	}
	if p, err := c.server().Packet(t.Context(), id.String()); err != nil || p.Stage != central.StageOpened {
		t.Fatalf("%+v %v", p, err)
	}
	// One that somebody put into the station's own queue: never sent.
	if err := d.box.Erase(id, sign(stranger, station, wire.TypeErase, e.Declared())); err != nil {
		t.Fatal(err)
	}
	d.exchange()
	d.waiting(1)
	d.want(id, outbox.Opened)
}

// postErase sends an envelope under this station's good request signature.
func (d *desk) postErase(s wire.Signed) (status int, code string) {
	d.t.Helper()
	body, err := json.Marshal(s)
	if err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.c.url+"/v1/packets:erase", bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if err := wire.SignRequest(req, body, d.enrol.Enrolled.StationID, d.key, time.Now()); err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var e wire.Error
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, e.Code
}
