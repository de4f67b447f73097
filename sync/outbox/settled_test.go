package outbox

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func TestSettledRowsSayTheSame(t *testing.T) {
	old := ulid.Make()
	e := newEntry(packet.Header{ID: ulid.Make(), Station: "st-1", Spec: "spec", Seq: 7, CreatedMS: t0.UnixMilli(), Supersedes: &old}, string(bytes.Repeat([]byte("0a"), 32)), 300, t0)
	e.State, e.StoredAt, e.DecidedAt, e.DecidedCentral, e.Attempts = Purged, t0.Add(1), t0.Add(2), t0.Add(3), 4
	r := newRows()
	r.put(e)
	if got, ok := r.get(e.ID); !ok || !reflect.DeepEqual(got, e) || len(r.past) != 1 || len(r.live) != 0 {
		t.Errorf("%+v\nwant %+v", got, e)
	}
	for name, change := range map[string]func(*Entry){
		"not purged":  func(e *Entry) { e.State = Opened },
		"with fault":  func(e *Entry) { e.Fault = Missing },
		"with reason": func(e *Entry) { e.Reason = "glasses" },
		"with error":  func(e *Entry) { e.LastError = "offline" },
		"odd digest":  func(e *Entry) { e.SHA256 = "xyz" },
	} {
		other := e
		change(&other)
		r.put(other)
		if got, _ := r.get(e.ID); !reflect.DeepEqual(got, other) || len(r.past) != 0 || len(r.live) != 1 || r.stats.Total != 1 || len(r.order) != 1 {
			t.Errorf("%s: %+v", name, got)
		}
		r.put(e)
	}
}

func TestVerdictOfPurgedPacket(t *testing.T) {
	o := open(t, t.TempDir(), options())
	s := commit(t, o)
	other := commit(t, o)
	for _, p := range []*packet.Sealed{s, other} {
		if _, err := o.Acknowledge(ackFor(p, wire.AckOpened, t0), wire.Signed{}); err != nil {
			t.Fatal(err)
		}
	}
	approved := wire.Verdict{PacketID: s.ID.String(), State: wire.VerdictApproved, At: t0}
	if _, err := o.SetVerdict(approved); err != nil {
		t.Fatal(err)
	}
	if n, err := o.Purge(t0.Add(time.Hour), time.Hour); n != 2 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	for range 2 { // as it is, and after a start
		if len(o.rows.past) != 2 {
			t.Fatalf("%d rows are settled", len(o.rows.past))
		}
		if e, err := o.Get(s.ID); err != nil || e.Verdict == nil || e.Verdict.State != wire.VerdictApproved || e.State != Purged {
			t.Fatalf("%+v %v", e, err)
		}
		if e, err := o.Get(other.ID); err != nil || e.Verdict != nil {
			t.Fatalf("%+v %v", e, err)
		}
		o = reopen(t, o, options())
	}
	// A later word on it is taken in, and found.
	approved.State, approved.At = wire.VerdictRejected, t0.Add(time.Hour)
	if _, err := o.SetVerdict(approved); err != nil {
		t.Fatal(err)
	}
	if r := o.Rejected(); len(r) != 1 || r[0].ID != s.ID {
		t.Errorf("%+v", r)
	}
	o = reopen(t, o, options())
	if r := o.Rejected(); len(r) != 1 || r[0].ID != s.ID || r[0].Verdict == nil {
		t.Errorf("after a start: %+v", r)
	}
}

func TestGuardMakesRoomInTheIndex(t *testing.T) {
	fsys := &faultFS{fileSystem: osFS{}}
	opts := options()
	opts.fsys = fsys
	o := open(t, t.TempDir(), opts)
	path := filepath.Join(o.dir, fileIndex)
	used := func() (n int64) {
		must(t, o.db.View(func(tx *bbolt.Tx) error { n = tx.Size(); return nil }))
		return n
	}
	size := func() int64 {
		info, err := os.Stat(path)
		must(t, err)
		return info.Size()
	}
	if err := o.Guard(); err != nil || size()-used() < indexSpare {
		t.Fatalf("a new index has %d bytes of room: %v", size()-used(), err)
	}
	s := commit(t, o)
	must(t, os.Truncate(path, used())) // as an index that is nearly full
	fsys.failAlways = true
	var refused *Refusal
	if err := o.Guard(); !errors.As(err, &refused) || refused.Code != RefuseWrite {
		t.Errorf("no room and none to be had: %v", err)
	}
	fsys.failAlways = false
	if err := o.Guard(); err != nil || size()-used() < indexSpare {
		t.Errorf("%d bytes of room: %v", size()-used(), err)
	}
	o = reopen(t, o, opts)
	if _, err := o.Get(s.ID); err != nil {
		t.Error(err)
	}
}

func TestCommitChecksWhatSealVerified(t *testing.T) {
	o := open(t, t.TempDir(), options())
	commit(t, o) // from here on the key is known
	for name, change := range map[string]func(*packet.Sealed){
		"a bit":         func(s *packet.Sealed) { s.Bytes[len(s.Bytes)/2] ^= 1 },
		"the digest":    func(s *packet.Sealed) { s.SHA256 = string(bytes.Repeat([]byte("0a"), 32)) },
		"the id":        func(s *packet.Sealed) { s.ID = ulid.Make() },
		"the sequence":  func(s *packet.Sealed) { s.Header.Seq++ },
		"all the bytes": func(s *packet.Sealed) { s.Bytes = sealed(t, 9, 1).Bytes },
	} {
		s := sealed(t, 2, 1)
		change(s)
		if _, err := o.Commit(s); err == nil {
			t.Errorf("%s changed and was committed", name)
		}
	}
	commit(t, o)
	mustVerify(t, o, 2)
}
