package central

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// machine is one computer that works with a data directory.
type machine struct {
	kiosk
	box    *outbox.Outbox
	worker *uplink.Worker
}

func (w *world) machine(dir string) *machine {
	w.t.Helper()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	ks, err := keys.Open(filepath.Join(dir, "keys"))
	must(err)
	key, err := ks.StationKey()
	must(err)
	e, err := ks.Enrolment()
	must(err)
	data, err := ks.DataKey("")
	must(err)
	list, err := roster.Open(filepath.Join(dir, "roster"), data)
	must(err)
	box, err := outbox.Open(filepath.Join(dir, "outbox"), outbox.Options{
		Now: w.clock.now, Log: slog.New(slog.DiscardHandler),
		Verify: func(b []byte) (*packet.Packet, error) { return packet.Verify(b, key.Public().(ed25519.PublicKey)) },
	})
	must(err)
	w.t.Cleanup(func() { must(box.Close()) })
	worker, err := uplink.NewWorker(uplink.Params{
		Enrolment: e, Key: key, Roster: list, Outbox: box, Version: "test", Now: w.clock.now,
		Network: func(context.Context, func()) error { return nil },
	})
	must(err)
	return &machine{kiosk: kiosk{w: w, key: key, info: e.Enrolled}, box: box, worker: worker}
}

// shoot saves a photo of a student and returns its packet.
func (m *machine) shoot(ref string) *packet.Sealed {
	m.w.t.Helper()
	seq, err := m.box.NextSeq()
	if err != nil {
		m.w.t.Fatal(err)
	}
	p := m.seal(ref, func(s *shot) { s.in.Seq = seq })
	if _, err := m.box.Commit(p); err != nil {
		m.w.t.Fatal(err)
	}
	return p
}

// exchange goes twice: what central made of a packet is told with the next one.
func (m *machine) exchange() {
	m.w.t.Helper()
	for range 2 {
		if err := m.worker.Exchange(m.w.t.Context()); err != nil {
			m.w.t.Fatal(err)
		}
	}
}

// A data directory is copied after its first photo, and both computers go on:
// no photo is lost, both of one number are flagged, and everybody is told.
func TestTwoComputersWithOneKey(t *testing.T) {
	w := newWorld(t)
	first, second := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	ks, err := keys.Open(filepath.Join(first, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := uplink.Enroll(t.Context(), uplink.EnrollParams{Keys: ks, URL: w.http.URL, Code: w.demo.EnrolCode, Name: "一号机", Version: "test"}); err != nil {
		t.Fatal(err)
	}
	if _, err := ks.CreateDataKey(""); err != nil {
		t.Fatal(err)
	}
	early := w.machine(first)
	before := early.shoot(studentA(1))
	early.exchange()
	if err := early.box.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(second, os.DirFS(first)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"keys", "outbox", "roster"} { // CopyFS follows the umask
		if err := filepath.Walk(filepath.Join(second, dir), func(path string, info os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			if info.IsDir() {
				return os.Chmod(path, 0o700)
			}
			return os.Chmod(path, 0o600)
		}); err != nil {
			t.Fatal(err)
		}
	}
	a, b := w.machine(first), w.machine(second)
	ofA, ofB := a.shoot(studentA(2)), b.shoot(studentA(3))
	a.exchange()
	if p := a.worker.Status().Problem; p != "" {
		t.Fatalf("one computer alone is told %q", p)
	}
	b.exchange()
	a.exchange()
	more := b.shoot(studentA(4)) // what is told does not stop anything
	b.exchange()

	for name, m := range map[string]*machine{"the first": a, "the copy": b} {
		if st := m.worker.Status(); st.Problem != uplink.ProblemCopied || !st.Online {
			t.Errorf("%s is told %+v", name, st)
		}
		if n := m.box.Stats().Pending; n != 0 {
			t.Errorf("%s still has %d", name, n)
		}
	}
	for _, p := range []*packet.Sealed{before, ofA, ofB, more} {
		row, err := w.s.Packet(t.Context(), p.ID.String())
		if err != nil || row.Stage != StageOpened {
			t.Fatalf("%+v %v", row, err)
		}
		if err := w.s.VerifyStored(t.Context(), row.ID); err != nil {
			t.Error(err)
		}
		if got, want := slices.Contains(row.Flags, FlagCopied), p == ofA || p == ofB; got != want {
			t.Errorf("number %d: flagged %v, want %v", row.Seq, got, want)
		}
	}
	st, err := w.s.Stats(t.Context())
	if err != nil || !slices.Equal(st.Copied, []string{a.info.StationID}) {
		t.Errorf("copied %v %v", st.Copied, err)
	}
	br := w.staffOf(RoleAdmin, "chief")["chief"]
	br.want(http.StatusOK, br.get("/admin"), "两台电脑共用密钥")
}

// The same packet announced again, or by two stations under one number of each,
// is nobody's copy; numbers of before are known after an update.
func TestNumbersOfPackets(t *testing.T) {
	w := newWorld(t)
	a, b := w.kiosk(), w.kiosk()
	pa, pb := a.seal(studentA(1)), b.seal(studentA(2))
	for range 2 {
		a.declare(declared(pa))
		b.declare(declared(pb))
	}
	if st, err := w.s.Stats(t.Context()); err != nil || len(st.Copied) != 0 {
		t.Fatalf("%v %v", st.Copied, err)
	}
	if err := w.s.update(t.Context(), func(tx *bolt.Tx) error { return tx.DeleteBucket(bktSequences) }); err != nil { // a store of before
		t.Fatal(err)
	}
	w.restart()
	a.seq--
	twin := a.seal(studentA(3))
	if r := a.declare(declared(twin))[0]; r.State != wire.DeclareWant {
		t.Fatalf("%+v", r)
	}
	var hello wire.Hello
	a.call(http.MethodPost, "/v1/heartbeat", wire.Heartbeat{Software: "9.9"}, wire.TypeHello, &hello)
	if !hello.Copied {
		t.Error("the station is not told")
	}
	hello = wire.Hello{}
	b.call(http.MethodPost, "/v1/heartbeat", wire.Heartbeat{Software: "9.9"}, wire.TypeHello, &hello)
	if hello.Copied {
		t.Error("another station is told")
	}
}
