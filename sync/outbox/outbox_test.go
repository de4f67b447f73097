package outbox

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

var t0 = time.Date(2026, 9, 1, 9, 0, 0, 0, time.UTC)

func stationKey() ed25519.PrivateKey {
	s := sha256.Sum256([]byte("station"))
	return ed25519.NewKeyFromSeed(s[:])
}

func verifyOwn(b []byte) (*packet.Packet, error) {
	return packet.Verify(b, stationKey().Public().(ed25519.PublicKey))
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func options() Options {
	return Options{Verify: verifyOwn, Now: func() time.Time { return t0 }, Log: quiet(), Limits: Limits{MinFree: 1}}
}

func open(t testing.TB, dir string, opts Options) *Outbox {
	t.Helper()
	o, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

func reopen(t testing.TB, o *Outbox, opts Options) *Outbox {
	t.Helper()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, o.dir, opts)
}

func makeRecipient() age.Recipient {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		panic(err)
	}
	return id.Recipient()
}

var recipient = makeRecipient()

func sealed(t testing.TB, seq uint64, kb int) *packet.Sealed {
	t.Helper()
	return sealedBy(t, stationKey(), seq, kb)
}

func sealedBy(t testing.TB, key ed25519.PrivateKey, seq uint64, kb int) *packet.Sealed {
	t.Helper()
	s, err := packet.Seal(inputOf(seq, kb), []age.Recipient{recipient}, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sealWith seals a small packet after change.
func sealWith(t testing.TB, change func(in *packet.Input)) *packet.Sealed {
	t.Helper()
	in := inputOf(1, 1)
	change(&in)
	s, err := packet.Seal(in, []age.Recipient{recipient}, stationKey())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func inputOf(seq uint64, kb int) packet.Input {
	return packet.Input{
		ID: ulid.Make(), Seq: seq, Station: "st-1", Spec: "spec", Created: t0,
		Manifest: packet.Manifest{AuditHead: fmt.Sprintf("head-%d", seq)},
		Original: append([]byte("\xff\xd8\xff"), make([]byte, kb<<10)...), Portrait: []byte("\xff\xd8\xff\xe0"),
	}
}

func commit(t testing.TB, o *Outbox) *packet.Sealed {
	t.Helper()
	seq, err := o.NextSeq()
	if err != nil {
		t.Fatal(err)
	}
	s := sealed(t, seq, 1)
	if _, err := o.Commit(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func mustVerify(t testing.TB, o *Outbox, want int) {
	t.Helper()
	r, err := o.VerifyAll(context.Background())
	if err != nil || len(r.Bad) > 0 || r.Checked != want {
		t.Fatalf("%+v, %v; want %d good files", r, err, want)
	}
}

func ackFor(s *packet.Sealed, stage string, at time.Time) wire.Ack {
	return wire.Ack{StationID: "st-1", ID: s.ID.String(), SHA256: s.SHA256, Size: int64(len(s.Bytes)), Stage: stage, At: at}
}

func TestCommitIsDurableAndPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "outbox")
	o := open(t, dir, options())
	s := commit(t, o)
	o = reopen(t, o, options())
	e, err := o.Get(s.ID)
	if err != nil || e.State != Saved || e.SHA256 != s.SHA256 || e.Seq != 1 {
		t.Fatalf("%+v %v", e, err)
	}
	if o.AuditHead() != "head-1" {
		t.Errorf("audit head = %q", o.AuditHead())
	}
	b, err := o.Read(s.ID)
	if err != nil || string(b) != string(s.Bytes) {
		t.Fatal("bytes differ", err)
	}
	mustVerify(t, o, 1)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCommitTwiceAndConflicts(t *testing.T) {
	o := open(t, t.TempDir(), options())
	s := commit(t, o)
	if e, err := o.Commit(s); err != nil || e.Seq != 1 {
		t.Errorf("the same again: %v", err)
	}
	in := packet.Input{
		ID: s.ID, Seq: 2, Station: "st-1", Spec: "spec", Created: t0,
		Original: []byte("\xff\xd8\xff\xe0"), Portrait: []byte("\xff\xd8\xff\xe0"),
	}
	sameID, err := packet.Seal(in, []age.Recipient{recipient}, stationKey())
	if err != nil {
		t.Fatal(err)
	}
	bad := *sealed(t, 9, 1)
	bad.Bytes = append([]byte(nil), bad.Bytes...)
	bad.Bytes[100] ^= 1
	foreign := sealed(t, 9, 1)
	foreign.ID = ulid.Make()
	for _, tc := range []struct {
		name string
		s    *packet.Sealed
		want error
	}{
		{"same id, other bytes", sameID, ErrConflict},
		{"same sequence number", sealed(t, 1, 1), ErrConflict},
		{"bytes changed in memory", &bad, ErrInvalid},
		{"other id than the header's", foreign, ErrInvalid},
		{"nothing", nil, ErrInvalid},
	} {
		if _, err := o.Commit(tc.s); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	mustVerify(t, o, 1)
}

// TestSequenceHasNoGaps: a number belongs to the packet that is committed with
// it. What fails, is withdrawn or is forgotten with the program takes none.
func TestSequenceHasNoGaps(t *testing.T) {
	f := &faultFS{fileSystem: osFS{}}
	opts := options()
	opts.fsys = f
	o := open(t, t.TempDir(), opts)
	next := func(want uint64) {
		t.Helper()
		if n, err := o.NextSeq(); err != nil || n != want {
			t.Fatalf("next = %d, %v; want %d", n, err, want)
		}
	}
	next(1)
	next(1) // asking takes nothing
	commit(t, o)
	for n := 1; n <= commitCalls; n++ {
		seq := uint64(n + 1)
		next(seq)
		failed := sealed(t, seq, 1)
		f.calls, f.failAt = 0, n
		if _, err := o.Commit(failed); err == nil {
			t.Fatal("committed")
		}
		f.failAt = 0
		next(seq)
		// Withdrawn or not, its successor takes the number, and nothing of it stays.
		if n%2 == 1 {
			must(t, o.Withdraw(failed))
		}
		if s := commit(t, o); s.Header.Seq != seq {
			t.Fatalf("sequence %d, want %d", s.Header.Seq, seq)
		}
		if _, err := os.Stat(o.path(failed.SHA256)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("call %d: the failed packet lies beside its successor: %v", n, err)
		}
		if _, err := o.Commit(failed); !errors.Is(err, ErrConflict) {
			t.Errorf("call %d: two packets under one number: %v", n, err)
		}
		o = reopen(t, o, opts)
		next(seq + 1)
	}
	for i, e := range o.List() {
		if e.Seq != uint64(i+1) {
			t.Errorf("entry %d has sequence %d", i, e.Seq)
		}
	}
	if a := o.Alarms(); len(a) != 0 {
		t.Errorf("alarms: %v", a)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, options())
	if _, err := Open(dir, options()); !errors.Is(err, ErrLocked) {
		t.Fatalf("err = %v", err)
	}
}

func TestReconcile(t *testing.T) {
	index := func(o *Outbox) string { return filepath.Join(o.dir, fileIndex) }
	dropRow := func(t *testing.T, path string, id ulid.ULID) {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketPackets).Delete(id[:]) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, o *Outbox, s []*packet.Sealed)
		alarms []string
		good   int
	}{
		{"nothing wrong", func(*testing.T, *Outbox, []*packet.Sealed) {}, nil, 3},
		{"file without a row is adopted", func(t *testing.T, o *Outbox, s []*packet.Sealed) { dropRow(t, index(o), s[1].ID) }, nil, 3},
		{"row without a file is an alarm", func(t *testing.T, o *Outbox, s []*packet.Sealed) { must(t, os.Remove(o.path(s[1].SHA256))) }, []string{string(Missing)}, 2},
		{"shortened file is an alarm", func(t *testing.T, o *Outbox, s []*packet.Sealed) { must(t, os.Truncate(o.path(s[1].SHA256), 100)) }, []string{string(Damaged)}, 2},
		{"temporary file goes", func(t *testing.T, o *Outbox, _ []*packet.Sealed) {
			must(t, os.WriteFile(filepath.Join(o.dir, dirPackets, "x.tmp"), []byte("half"), 0o600))
		}, nil, 3},
		{"file that is no packet goes to quarantine", func(t *testing.T, o *Outbox, _ []*packet.Sealed) {
			must(t, os.WriteFile(o.path(strings.Repeat("ab", 32)), []byte("junk"), 0o600))
		}, []string{AlarmForeignFile}, 3},
		{"signed file of another station goes to quarantine", func(t *testing.T, o *Outbox, _ []*packet.Sealed) {
			b := sealedBy(t, ed25519.NewKeyFromSeed(make([]byte, 32)), 9, 1).Bytes
			must(t, os.WriteFile(o.path(fmt.Sprintf("%x", sha256.Sum256(b))), b, 0o600))
		}, []string{AlarmForeignFile}, 3},
		{"index gone", func(t *testing.T, o *Outbox, _ []*packet.Sealed) { must(t, os.Remove(index(o))) }, nil, 3},
		{"index empty", func(t *testing.T, o *Outbox, _ []*packet.Sealed) { must(t, os.Truncate(index(o), 0)) }, []string{AlarmIndexRebuilt}, 3},
		{"index cut in the middle of its pages", func(t *testing.T, o *Outbox, _ []*packet.Sealed) {
			must(t, os.Truncate(index(o), 2*4096+100))
		}, []string{AlarmIndexRebuilt}, 3},
		{"index cut to one page", func(t *testing.T, o *Outbox, _ []*packet.Sealed) { must(t, os.Truncate(index(o), 4096)) }, []string{AlarmIndexRebuilt}, 3},
		{"index is text", func(t *testing.T, o *Outbox, _ []*packet.Sealed) {
			must(t, os.WriteFile(index(o), []byte(strings.Repeat("not a database\n", 4000)), 0o600))
		}, []string{AlarmIndexRebuilt}, 3},
		{"index value flipped", func(t *testing.T, o *Outbox, s []*packet.Sealed) {
			b, err := os.ReadFile(index(o))
			must(t, err)
			n := 0
			for i := range b {
				if strings.HasPrefix(string(b[i:min(i+80, len(b))]), s[1].SHA256) {
					b[i] ^= 1
					n++
				}
			}
			if n == 0 {
				t.Fatal("row not found")
			}
			must(t, os.WriteFile(index(o), b, 0o600))
		}, []string{AlarmIndexRebuilt}, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := open(t, t.TempDir(), options())
			var s []*packet.Sealed
			for range 3 {
				s = append(s, commit(t, o))
			}
			must(t, o.Close())
			tc.damage(t, o, s)
			for pass := range 2 { // the second start must find it in order or say the same
				o = open(t, o.dir, options())
				var codes []string
				for _, a := range o.Alarms() {
					codes = append(codes, a.Code)
				}
				want := tc.alarms
				if pass == 1 && len(want) == 1 && (want[0] == AlarmIndexRebuilt || want[0] == AlarmForeignFile) {
					want = nil
				}
				if fmt.Sprint(codes) != fmt.Sprint(want) {
					t.Errorf("start %d: alarms %v, want %v", pass, codes, want)
				}
				r, err := o.VerifyAll(t.Context())
				if err != nil || r.Checked != tc.good {
					t.Errorf("start %d: %+v %v", pass, r, err)
				}
				if len(o.List()) != 3 || len(o.Pending(t0)) != tc.good {
					t.Errorf("start %d: %d rows, %d pending", pass, len(o.List()), len(o.Pending(t0)))
				}
				if n, err := o.NextSeq(); err != nil || n <= 3 {
					t.Errorf("start %d: sequence %d %v", pass, n, err)
				}
				must(t, o.Close())
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryDamagedIndexByteStillOpens(t *testing.T) {
	o := open(t, t.TempDir(), options())
	for range 2 {
		commit(t, o)
	}
	must(t, o.Close())
	path := filepath.Join(o.dir, fileIndex)
	good, err := os.ReadFile(path)
	must(t, err)
	step := 997 // a prime: other offsets in every page
	for at := 0; at < len(good); at += step {
		b := append([]byte(nil), good...)
		for i := at; i < min(at+16, len(b)); i++ {
			b[i] ^= 0xff
		}
		must(t, os.WriteFile(path, b, 0o600))
		o := open(t, o.dir, options())
		r, err := o.VerifyAll(t.Context())
		if err != nil || r.Checked != 2 || len(r.Bad) != 0 {
			t.Fatalf("16 bytes at %d: %+v %v", at, r, err)
		}
		must(t, o.Close())
	}
}

func TestLostFileIsPutBackByCommit(t *testing.T) {
	o := open(t, t.TempDir(), options())
	s := commit(t, o)
	must(t, os.Remove(o.path(s.SHA256)))
	if _, err := o.Read(s.ID); !errors.Is(err, ErrFile) {
		t.Fatal(err)
	}
	if len(o.Alarms()) != 1 || len(o.Pending(t0)) != 0 {
		t.Fatal("no alarm")
	}
	if _, err := o.Commit(s); err != nil {
		t.Fatal(err)
	}
	if len(o.Alarms()) != 0 {
		t.Error("alarm stays")
	}
	mustVerify(t, o, 1)
}

func TestAcknowledge(t *testing.T) {
	later := t0.Add(time.Hour)
	for _, tc := range []struct {
		name   string
		acks   []func(*packet.Sealed) wire.Ack
		want   State
		errors bool
	}{
		{"stored", stages(wire.AckStored), Stored, false},
		{"stored, opened", stages(wire.AckStored, wire.AckOpened), Opened, false},
		{"opened at once", stages(wire.AckOpened), Opened, false},
		{"late stored changes nothing", stages(wire.AckOpened, wire.AckStored), Opened, false},
		{"refused", stages(wire.AckStored, wire.AckRefused), Refused, false},
		{"refused, later opened", []func(*packet.Sealed) wire.Ack{at(wire.AckRefused, t0), at(wire.AckOpened, later)}, Opened, false},
		{"refused, then an old opened replayed", []func(*packet.Sealed) wire.Ack{at(wire.AckRefused, later), at(wire.AckOpened, t0)}, Refused, false},
		{"opened, later refused", []func(*packet.Sealed) wire.Ack{at(wire.AckOpened, t0), at(wire.AckRefused, later)}, Refused, false},
		{"other digest", []func(*packet.Sealed) wire.Ack{func(s *packet.Sealed) wire.Ack {
			a := ackFor(s, wire.AckOpened, t0)
			a.SHA256 = strings.Repeat("0", 64)
			return a
		}}, Saved, true},
		{"other size", []func(*packet.Sealed) wire.Ack{func(s *packet.Sealed) wire.Ack {
			a := ackFor(s, wire.AckOpened, t0)
			a.Size++
			return a
		}}, Saved, true},
		{"other station", []func(*packet.Sealed) wire.Ack{func(s *packet.Sealed) wire.Ack {
			a := ackFor(s, wire.AckOpened, t0)
			a.StationID = "st-2"
			return a
		}}, Saved, true},
		{"unknown stage", stages("lost"), Saved, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := open(t, t.TempDir(), options())
			s := commit(t, o)
			for i, a := range tc.acks {
				_, err := o.Acknowledge(a(s), wire.Signed{Type: wire.TypeAck, Payload: []byte{byte(i)}})
				if (err != nil) != tc.errors {
					t.Fatal(err)
				}
			}
			for range 2 {
				if e, _ := o.Get(s.ID); e.State != tc.want {
					t.Errorf("state %s, want %s", e.State, tc.want)
				}
				o = reopen(t, o, options())
			}
			if _, ok, err := o.Proof(s.ID, string(tc.want)); err != nil || ok != (tc.want != Saved) {
				t.Errorf("proof kept: %v %v", ok, err)
			}
		})
	}
	o := open(t, t.TempDir(), options())
	if _, err := o.Acknowledge(ackFor(sealed(t, 1, 1), wire.AckStored, t0), wire.Signed{}); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown packet: %v", err)
	}
}

func stages(s ...string) (out []func(*packet.Sealed) wire.Ack) {
	for i, st := range s {
		out = append(out, at(st, t0.Add(time.Duration(i)*time.Minute)))
	}
	return out
}

func at(stage string, when time.Time) func(*packet.Sealed) wire.Ack {
	return func(s *packet.Sealed) wire.Ack { return ackFor(s, stage, when) }
}

func TestScheduleVerdictCursor(t *testing.T) {
	o := open(t, t.TempDir(), options())
	a, b := commit(t, o), commit(t, o)
	must(t, o.Schedule(a.ID, t0.Add(time.Minute), 3, strings.Repeat("云", 200)))
	if p := o.Pending(t0); len(p) != 1 || p[0].ID != b.ID {
		t.Errorf("pending = %v", p)
	}
	if at, ok := o.NextDue(); !ok || !at.Equal(t0) {
		t.Errorf("next due %v", at)
	}
	must(t, o.SetCursor("verdicts", 42))
	v := wire.Verdict{PacketID: a.ID.String(), State: wire.VerdictRejected, Reason: "glasses", At: t0.Add(time.Hour)}
	if _, err := o.SetVerdict(v); err != nil {
		t.Fatal(err)
	}
	v.State, v.At = wire.VerdictInReview, t0
	if _, err := o.SetVerdict(v); err != nil {
		t.Fatal(err)
	}
	o = reopen(t, o, options())
	e, _ := o.Get(a.ID)
	if e.Attempts != 3 || len(e.LastError) > maxLastError || e.Verdict == nil || e.Verdict.State != wire.VerdictRejected {
		t.Errorf("%+v", e)
	}
	if o.Cursor("verdicts") != 42 {
		t.Error("cursor lost")
	}
	v.PacketID = ulid.Make().String()
	if _, err := o.SetVerdict(v); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown packet: %v", err)
	}
}

func TestPurgeOnlyWhatCentralOpened(t *testing.T) {
	o := open(t, t.TempDir(), options())
	saved, stored, refused, opened := commit(t, o), commit(t, o), commit(t, o), commit(t, o)
	for s, stage := range map[*packet.Sealed]string{stored: wire.AckStored, refused: wire.AckRefused, opened: wire.AckOpened} {
		if _, err := o.Acknowledge(ackFor(s, stage, t0), wire.Signed{}); err != nil {
			t.Fatal(err)
		}
	}
	day := 24 * time.Hour
	if n, err := o.Purge(t0.Add(7*day-time.Second), 7*day); n != 0 || err != nil {
		t.Fatalf("too early: %d %v", n, err)
	}
	if n, err := o.Purge(t0.Add(7*day), 7*day); n != 1 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	for s, here := range map[*packet.Sealed]bool{saved: true, stored: true, refused: true, opened: false} {
		if _, err := os.Stat(o.path(s.SHA256)); (err == nil) != here {
			t.Errorf("seq %d: %v", s.Header.Seq, err)
		}
	}
	if _, err := o.Commit(opened); err != nil {
		t.Errorf("a purged packet is still known: %v", err)
	}
	mustVerify(t, o, 3)
	t.Run("a purge cut short is finished", func(t *testing.T) {
		must(t, o.Close())
		must(t, os.WriteFile(o.path(opened.SHA256), opened.Bytes, 0o600))
		o = open(t, o.dir, options())
		if _, err := os.Stat(o.path(opened.SHA256)); !errors.Is(err, fs.ErrNotExist) {
			t.Error("file is back")
		}
	})
	t.Run("the sequence survives a lost index", func(t *testing.T) {
		must(t, o.Close())
		must(t, os.Remove(filepath.Join(o.dir, fileIndex)))
		o = open(t, o.dir, options())
		if n, err := o.NextSeq(); err != nil || n != 5 {
			t.Errorf("next = %d, %v; want 5", n, err)
		}
	})
}

func TestGuard(t *testing.T) {
	now := t0
	for _, tc := range []struct {
		name   string
		limits Limits
		free   uint64
		err    error
		packed int
		pass   time.Duration
		want   string
	}{
		{"all well", Limits{MinFree: 10, MaxPending: 2, MaxAge: time.Hour}, 10, nil, 1, 0, ""},
		{"disk floor", Limits{MinFree: 10}, 9, nil, 0, 0, RefuseDisk},
		{"disk unreadable", Limits{}, 0, errors.New("io"), 0, 0, RefuseUnknown},
		{"too many", Limits{MinFree: 1, MaxPending: 2}, 10, nil, 2, 0, RefuseCount},
		{"too old", Limits{MinFree: 1, MaxAge: time.Hour}, 10, nil, 1, time.Hour + time.Second, RefuseAge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := options()
			opts.Limits = tc.limits
			f := &faultFS{fileSystem: osFS{}, free: tc.free, freeErr: tc.err, fixFree: true}
			opts.fsys, opts.Now = f, func() time.Time { return now }
			now = t0
			o := open(t, t.TempDir(), opts)
			for range tc.packed {
				commit(t, o)
			}
			now = t0.Add(tc.pass)
			err := o.Guard()
			var r *Refusal
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tc.want != "" && (!errors.As(err, &r) || r.Code != tc.want || r.ZH == "" || r.EN == ""):
				t.Errorf("err = %v, want %s", err, tc.want)
			}
		})
	}
	t.Run("after a failed write a probe decides", func(t *testing.T) {
		f := &faultFS{fileSystem: osFS{}}
		opts := options()
		opts.fsys = f
		o := open(t, t.TempDir(), opts)
		s := sealed(t, 1, 1)
		f.failAlways = true
		if _, err := o.Commit(s); err == nil {
			t.Fatal("committed on a broken disk")
		}
		var r *Refusal
		if err := o.Guard(); !errors.As(err, &r) || r.Code != RefuseWrite {
			t.Errorf("broken disk: %v", err)
		}
		f.failAlways = false
		if err := o.Guard(); err != nil {
			t.Errorf("mended disk: %v", err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		o := open(t, t.TempDir(), options())
		must(t, o.Close())
		if o.Guard() == nil {
			t.Error("a closed store takes sessions")
		}
	})
}

func TestStats(t *testing.T) {
	o := open(t, t.TempDir(), options())
	a := commit(t, o)
	commit(t, o)
	if _, err := o.Acknowledge(ackFor(a, wire.AckOpened, t0), wire.Signed{}); err != nil {
		t.Fatal(err)
	}
	s := o.Stats()
	if s.Total != 2 || s.Pending != 1 || s.Opened != 1 || s.LastSeq != 2 || s.Bytes == 0 || s.FreeBytes == 0 || !s.OldestPending.Equal(t0) {
		t.Errorf("%+v", s)
	}
}
