package uplink_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// These tests run against the reference server itself, over sockets and on
// real directories; its misbehaviour is the tests' own, in front of it.

// campus is a central server that can be killed and restored.
type campus struct {
	t    *testing.T
	dir  string
	url  string
	demo central.DemoInfo
	now  func() time.Time // nil = the system's clock

	mu    sync.Mutex
	srv   *central.Server
	next  http.Handler
	front func(w http.ResponseWriter, r *http.Request, central http.Handler)
}

func newCampus(t *testing.T) *campus {
	t.Helper()
	c := &campus{t: t, dir: filepath.Join(t.TempDir(), "central")}
	hs := httptest.NewServer(c)
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
	return c
}

func (c *campus) open() {
	s, err := central.Open(c.dir, central.Options{PublicURL: c.url, Now: c.now})
	if err != nil {
		c.t.Error(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.srv, c.next = s, s.Handler()
}

func (c *campus) close() {
	if err := c.server().Close(); err != nil {
		c.t.Error(err)
	}
}

// restart is what a crash leaves: what was not durable is gone.
func (c *campus) restart() {
	c.close()
	c.open()
}

func (c *campus) server() *central.Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.srv
}

func (c *campus) setFront(f func(w http.ResponseWriter, r *http.Request, central http.Handler)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.front = f
}

func (c *campus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	next, front := c.next, c.front
	c.mu.Unlock()
	if front != nil {
		front(w, r, next)
		return
	}
	next.ServeHTTP(w, r)
}

// desk is one station.
type desk struct {
	t      *testing.T
	c      *campus
	dir    string
	enrol  keys.Enrolment
	key    ed25519.PrivateKey
	data   *keys.DataKey
	box    *outbox.Outbox
	roster *roster.Store
	params uplink.Params
}

func newDesk(t *testing.T, c *campus) *desk {
	t.Helper()
	d := &desk{t: t, c: c, dir: t.TempDir()}
	ks, err := keys.Open(filepath.Join(d.dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	d.enrol, err = uplink.Enroll(t.Context(), uplink.EnrollParams{Keys: ks, URL: c.url + "/", Code: c.demo.EnrolCode, Name: "一号台", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if d.key, err = ks.StationKey(); err != nil {
		t.Fatal(err)
	}
	if d.data, err = ks.CreateDataKey(""); err != nil {
		t.Fatal(err)
	}
	d.openRoster()
	pub := d.key.Public().(ed25519.PublicKey)
	d.box, err = outbox.Open(filepath.Join(d.dir, "outbox"), outbox.Options{Verify: func(b []byte) (*packet.Packet, error) { return packet.Verify(b, pub) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.box.Close(); err != nil {
			t.Error(err)
		}
	})
	d.params = uplink.Params{Enrolment: d.enrol, Key: d.key, Outbox: d.box, Version: "test"}
	return d
}

func (d *desk) openRoster() {
	d.t.Helper()
	var err error
	if d.roster, err = roster.Open(filepath.Join(d.dir, "roster"), d.data); err != nil {
		d.t.Fatal(err)
	}
}

// worker is a new process each time.
func (d *desk) worker() *uplink.Worker {
	d.t.Helper()
	d.params.Roster = d.roster
	w, err := uplink.NewWorker(d.params)
	if err != nil {
		d.t.Fatal(err)
	}
	return w
}

func (d *desk) exchange() {
	d.t.Helper()
	if err := d.worker().Exchange(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

// shoot saves a photo of a student of the demonstration.
func (d *desk) shoot(st wire.Student) ulid.ULID { return d.shootPicture(st, picture(d.t, 64, 36)) }

// shootPicture saves one with this frame of the camera's.
func (d *desk) shootPicture(st wire.Student, original []byte) ulid.ULID {
	d.t.Helper()
	seq, err := d.box.NextSeq()
	if err != nil {
		d.t.Fatal(err)
	}
	to, err := d.enrol.Recipients()
	if err != nil {
		d.t.Fatal(err)
	}
	now := time.Now()
	s, err := packet.Seal(packet.Input{
		ID: ulid.Make(), Seq: seq, Station: d.enrol.Enrolled.StationID, Spec: "chsi", Created: now,
		Manifest: packet.Manifest{
			Batch: st.Batch, Student: packet.Student{Ref: st.Ref, IdentifiedBy: "keypad"}, Payment: packet.Payment{State: "none"},
			Capture: packet.Capture{Camera: "test", At: now}, Report: json.RawMessage(`{"verdict":"pass","checks":[]}`),
		},
		Original: original, Portrait: picture(d.t, 24, 32),
	}, to, d.key)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.box.Commit(s); err != nil {
		d.t.Fatal(err)
	}
	return s.ID
}

func picture(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise is a JPEG of about 300 kB, as a frame of 1080p is.
func noise(t testing.TB) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 720, 480))
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range img.Pix {
		img.Pix[i] = byte(rng.Uint32())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 88}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (d *desk) want(id ulid.ULID, state outbox.State) outbox.Entry {
	d.t.Helper()
	e, err := d.box.Get(id)
	if err != nil || e.State != state {
		d.t.Fatalf("packet is %q (%s), want %q; %v", e.State, e.LastError, state, err)
	}
	return e
}

// free is a student whose school pays.
func (c *campus) free(n int) wire.Student {
	i := slices.IndexFunc(c.demo.Students, func(s wire.Student) bool { return s.Batch == central.DemoBatchFree })
	return c.demo.Students[i+n]
}

func TestEnrolWithTheRealCentral(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	oneTime, print16, _ := strings.Cut(c.demo.EnrolCode, ".")
	// Somebody in between who passes everything on, but answers with a key of
	// their own; and one who also claims central's key.
	_, evil, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	posing := func(key ed25519.PublicKey) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			s, err := wire.Sign(evil, "k", wire.TypeEnrolled, wire.Enrolled{
				StationID: "st-9", CentralKey: key, Recipients: []string{}, ClaimKey: make([]byte, 32), ReceiptKey: make([]byte, 32),
			})
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(s)
		}
	}
	enrol := func(url, code string) (*keys.Store, error) {
		ks, err := keys.Open(filepath.Join(t.TempDir(), "k"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = uplink.Enroll(t.Context(), uplink.EnrollParams{Keys: ks, URL: url, Code: code, Name: "台", Version: "test"})
		return ks, err
	}
	for _, tc := range []struct {
		name string
		url  func() string
		code string
		want error // nil = refused by central with bad_enroll_code
	}{
		{"wrong fingerprint", func() string { return c.url }, oneTime + ".0123456789abcdef", uplink.ErrNotCentral},
		{"wrong code", func() string { return c.url }, "AAAA-BBBB-CCCC." + print16, nil},
		{"man in the middle with a key of their own", func() string { return serve(t, posing(evil.Public().(ed25519.PublicKey))) }, c.demo.EnrolCode, uplink.ErrNotCentral},
		{"man in the middle with central's name", func() string { return serve(t, posing(c.server().PublicKey())) }, c.demo.EnrolCode, uplink.ErrNotCentral},
		{"nobody there", func() string { return "http://127.0.0.1:1" }, c.demo.EnrolCode, uplink.ErrConnection},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ks, err := enrol(tc.url(), tc.code)
			var refused *uplink.RefusedError
			if tc.want == nil && (!errors.As(err, &refused) || refused.Code != wire.CodeEnrollCode) || tc.want != nil && !errors.Is(err, tc.want) {
				t.Fatalf("err = %v", err)
			}
			if _, err := ks.Enrolment(); !errors.Is(err, keys.ErrNotEnrolled) {
				t.Errorf("something was kept: %v", err)
			}
		})
	}
	// The wrong fingerprint above reached central and used the code up for
	// that station's key; whoever comes now needs a code of their own.
	if _, err := enrol(c.url, c.demo.EnrolCode); err == nil {
		t.Error("one code enrolled two stations")
	}
	code, err := c.server().NewCode(t.Context(), nil, time.Hour, "test")
	if err != nil {
		t.Fatal(err)
	}
	ks, err := enrol(c.url, " "+strings.ToLower(code)+" ") // as people type
	if err != nil {
		t.Fatal(err)
	}
	if e, err := ks.Enrolment(); err != nil || !bytes.Equal(e.Enrolled.CentralKey, c.server().PublicKey()) || e.URL != c.url {
		t.Errorf("%+v %v", e, err)
	}
	if _, err := uplink.Enroll(t.Context(), uplink.EnrollParams{URL: c.url, Code: code}); err == nil {
		t.Error("enrolled without a place for keys")
	}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestRosterOfSeveralPagesFromTheRealCentral(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	var csv strings.Builder
	csv.WriteString("姓名,证件类型,证件号码,学号,学校,层次,专业\n")
	const many = 2100
	for n := range many {
		fmt.Fprintf(&csv, "测试丙%d,护照,E%07d,P%d,,本科,数学\n", n, n, n)
	}
	if _, err := c.server().ImportRoster(t.Context(), central.DemoBatchFree, []byte(csv.String()), "test"); err != nil {
		t.Fatal(err)
	}
	// Central stumbles over the second page, and the program ends.
	pages := 0
	c.setFront(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path == "/v1/roster" {
			if pages++; pages == 2 {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
	if err := d.worker().Exchange(t.Context()); err == nil || d.roster.Count() != 0 || d.roster.Cursor() == 0 {
		t.Fatalf("%v: %d students of half a list, at %d", err, d.roster.Count(), d.roster.Cursor())
	}
	d.openRoster()
	if d.roster.Cursor() != 0 {
		t.Errorf("goes on from %d, which is not on disk", d.roster.Cursor())
	}
	d.exchange()
	same := func() {
		t.Helper()
		want := map[string]wire.Student{}
		for _, b := range []string{central.DemoBatchPaid, central.DemoBatchFree} {
			list, err := c.server().Students(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range list {
				want[s.Ref] = s
			}
		}
		d.openRoster() // what is on disk
		got := d.roster.Students()
		if len(got) != len(want) {
			t.Fatalf("%d students, central has %d", len(got), len(want))
		}
		for _, s := range got {
			if s != want[s.Ref] {
				t.Fatalf("%+v, central has %+v", s, want[s.Ref])
			}
		}
	}
	same()
	if pages < 4 {
		t.Errorf("%d requests for three pages and a break", pages)
	}

	// Changes and removals, again of more than a page.
	gone := d.roster.Lookup(roster.Passport, "E0000007")
	if len(gone) != 1 {
		t.Fatal("not found")
	}
	var refs []string
	for _, s := range d.roster.Students() {
		if strings.HasPrefix(s.IDNumber, "E00") {
			refs = append(refs, s.Ref)
		}
	}
	refs = refs[:1500]
	if err := c.server().RemoveStudents(t.Context(), refs, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.server().ImportRoster(t.Context(), central.DemoBatchFree, []byte("姓名,证件类型,证件号码,学号,学校,层次,专业\n测试新,护照,E9999999,P9,,本科,化学\n"), "test"); err != nil {
		t.Fatal(err)
	}
	d.exchange()
	same()
	if len(d.roster.Lookup(roster.Any, "E9999999")) != 1 {
		t.Error("a new student is not found")
	}
}

// Every piece of an upload is cut off once, half of them before central took
// it and half after, and central is killed and started each time.
func TestUploadThroughEveryKindOfBreakHappensOnce(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	d.exchange()
	id := d.shoot(c.free(0))
	d.params.Piece = 611
	e := d.want(id, outbox.Saved)
	pieces := int(e.Size+d.params.Piece-1) / int(d.params.Piece)

	breaks, after := 0, false
	broken := map[string]bool{}
	c.setFront(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		at := r.Header.Get(wire.HeaderUploadOffset)
		if r.Method != http.MethodPatch || broken[at] {
			next.ServeHTTP(w, r)
			return
		}
		broken[at] = true
		breaks++
		if after = !after; after {
			next.ServeHTTP(httptest.NewRecorder(), r)
		}
		c.restart()
		panic(http.ErrAbortHandler)
	})
	for n := 0; d.box.Stats().Pending > 0; n++ {
		if n > 3*pieces {
			t.Fatalf("not through after %d exchanges", n)
		}
		err := d.worker().Exchange(t.Context())
		if err != nil && !errors.Is(err, uplink.ErrConnection) {
			t.Fatal(err)
		}
	}
	// An even number of the pieces was never seen at their own offset, since
	// the one before had arrived whole; all others broke.
	if breaks < pieces/2 {
		t.Errorf("%d breaks in %d pieces", breaks, pieces)
	}
	d.exchange()
	d.want(id, outbox.Opened)
	all, err := c.server().ListPackets(t.Context(), central.PacketFilter{})
	if err != nil || len(all) != 1 || all[0].ID != id.String() || all[0].SHA256 != e.SHA256 {
		t.Fatalf("central has %d packets: %+v %v", len(all), all, err)
	}
	if err := c.server().VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
	proof, ok, err := d.box.Proof(id, wire.AckOpened)
	if err != nil || !ok {
		t.Fatalf("no proof: %v", err)
	}
	var ack wire.Ack
	if err := proof.Open(c.server().PublicKey(), wire.TypeAck, &ack); err != nil || ack.SHA256 != e.SHA256 {
		t.Errorf("proof %+v %v", ack, err)
	}
}

func TestVerdictsReachTheDesk(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	good, bad := d.shoot(c.free(0)), d.shoot(c.free(1))
	d.exchange()
	if err := c.server().Approve(t.Context(), good.String(), "r"); err != nil {
		t.Fatal(err)
	}
	if err := c.server().Reject(t.Context(), bad.String(), "r", "other", "头发遮住眉毛"); err != nil {
		t.Fatal(err)
	}
	d.exchange()
	if v := d.want(good, outbox.Opened).Verdict; v == nil || v.State != wire.VerdictApproved {
		t.Errorf("%+v", v)
	}
	if v := d.want(bad, outbox.Opened).Verdict; v == nil || v.State != wire.VerdictRejected || !strings.Contains(v.NoteZH, "头发") {
		t.Errorf("%+v", v)
	}
	// The list follows in the same or the next exchange: verdicts ask for it.
	w := d.worker()
	for range 2 {
		if err := w.Exchange(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := d.roster.Student(c.free(0).Ref); err != nil || s.Capture != wire.VerdictApproved {
		t.Errorf("%+v %v", s, err)
	}
	// The feed from its beginning, as after the index was rebuilt: nothing new.
	if err := d.box.SetCursor("verdicts", 0); err != nil {
		t.Fatal(err)
	}
	d.exchange()
	if v := d.want(bad, outbox.Opened).Verdict; v == nil || v.State != wire.VerdictRejected {
		t.Errorf("%+v", v)
	}
}

// Central's disk dies and last night's backup takes its place. What it had
// signed for since is sent again, since the desk still has it.
func TestCentralRestoredFromABackup(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	early := d.shoot(c.free(0))
	d.exchange()
	d.want(early, outbox.Opened)

	c.close()
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(c.dir)); err != nil {
		t.Fatal(err)
	}
	c.open()

	late := d.shoot(c.free(1))
	d.exchange()
	d.want(late, outbox.Opened)
	if err := c.server().Approve(t.Context(), early.String(), "r"); err != nil {
		t.Fatal(err)
	}
	d.exchange()

	c.close()
	if err := os.RemoveAll(c.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(c.dir, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{c.dir, filepath.Join(c.dir, "keys"), filepath.Join(c.dir, "packets"), filepath.Join(c.dir, "uploads")} {
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c.open()
	if _, err := c.server().Packet(t.Context(), late.String()); !errors.Is(err, central.ErrNotFound) {
		t.Fatalf("the backup knows the late packet: %v", err)
	}

	d.exchange()
	if p, err := c.server().Packet(t.Context(), late.String()); err != nil || p.Stage != central.StageOpened {
		t.Fatalf("the late packet did not come again: %+v %v", p, err)
	}
	d.exchange()
	all, err := c.server().ListPackets(t.Context(), central.PacketFilter{})
	if err != nil || len(all) != 2 {
		t.Errorf("%d packets, %v", len(all), err)
	}
	d.want(late, outbox.Opened)
	d.want(early, outbox.Opened)
}

func TestARevokedStationKnowsIt(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	id := d.shoot(c.free(0))
	if err := c.server().RevokeStation(t.Context(), d.enrol.Enrolled.StationID, "test"); err != nil {
		t.Fatal(err)
	}
	w := d.worker()
	var refused *uplink.RefusedError
	if err := w.Exchange(t.Context()); !errors.As(err, &refused) || !refused.Fatal() {
		t.Fatalf("err = %v", err)
	}
	if st := w.Status(); st.Online || st.Problem != wire.CodeRevoked {
		t.Errorf("%+v", st)
	}
	d.want(id, outbox.Saved)
}

func TestAStoppedExchangeLeavesNoTrace(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	id := d.shoot(c.free(0))
	ctx, cancel := context.WithCancel(t.Context())
	c.setFront(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPatch {
			cancel() // the program is told to end in the middle of an upload
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
	w := d.worker()
	before := w.Status()
	if err := w.Exchange(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v", err)
	}
	if st := w.Status(); st.Online != before.Online || st.Problem != "" || st.LastErr != "" {
		t.Errorf("%+v", st)
	}
	if e := d.want(id, outbox.Saved); e.Attempts != 0 {
		t.Errorf("the packet is blamed: %+v", e)
	}
	c.setFront(nil)
	if err := w.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A phone's doings are asked for while a long upload runs.
func TestClaimDoesNotWaitForAnUpload(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	d.shoot(c.free(0))
	hold, reached := make(chan struct{}), make(chan struct{})
	c.setFront(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPatch {
			close(reached)
			<-hold
		}
		next.ServeHTTP(w, r)
	})
	w := d.worker()
	done := make(chan error, 1)
	go func() { done <- w.Exchange(t.Context()) }()
	<-reached
	st, err := w.Claim(t.Context(), ulid.Make().String())
	if err != nil || st.Linked {
		t.Errorf("%+v %v", st, err)
	}
	close(hold)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
