package outbox

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// TestFlippedBitsOfPackets flips every bit of the parts of a file that are not
// ciphertext and 10,000 sampled ones of the ciphertext: each must be found by
// the signature alone. A part of them goes the whole way through a store: found,
// moved to quarantine, alarmed, and still known as damaged after a restart.
func TestFlippedBitsOfPackets(t *testing.T) {
	s := sealed(t, 1, 300)
	key, ok := stationKey().Public().(ed25519.PublicKey)
	if !ok {
		t.Fatal("no key")
	}
	// magic 8, length and header, length of the ciphertext
	head := 8 + 4 + int(binary.BigEndian.Uint32(s.Bytes[8:])) + 4
	tail := head + int(binary.BigEndian.Uint32(s.Bytes[head-4:]))
	r := rand.New(rand.NewPCG(3, 5))
	var bits []int
	for i := range 8 * (head + len(s.Bytes) - tail) {
		if i >= 8*head {
			i += 8 * (tail - head)
		}
		bits = append(bits, i)
	}
	outside := len(bits)
	for range faultRuns(t, 100, 10_000) {
		bits = append(bits, 8*head+r.IntN(8*(tail-head)))
	}
	if testing.Short() || os.Getenv("YUNZHAO_FAULTS") == "" {
		// Every bit outside the ciphertext is also flipped, on a small packet, by
		// the tests of package packet.
		r.Shuffle(outside, func(i, j int) { bits[i], bits[j] = bits[j], bits[i] })
		bits = append(bits[:100:100], bits[outside:]...)
		outside = 100
	}
	for _, bit := range bits {
		s.Bytes[bit/8] ^= 1 << (bit % 8)
		if _, err := packet.Verify(s.Bytes, key); err == nil {
			t.Fatalf("bit %d is flipped and the packet verifies", bit)
		}
		s.Bytes[bit/8] ^= 1 << (bit % 8)
	}
	dir := t.TempDir()
	stores := faultRuns(t, 5, 500)
	for n := range stores {
		o := open(t, filepath.Join(dir, "outbox"), options())
		if _, err := o.Commit(s); err != nil {
			t.Fatal(err)
		}
		bit := bits[r.IntN(len(bits))]
		b, err := os.ReadFile(o.path(s.SHA256))
		must(t, err)
		b[bit/8] ^= 1 << (bit % 8)
		must(t, os.WriteFile(o.path(s.SHA256), b, 0o600))
		if _, err := o.Read(s.ID); !errors.Is(err, ErrFile) {
			t.Fatalf("bit %d: read gives %v", bit, err)
		}
		for range 2 {
			if a := o.Alarms(); len(a) != 1 || a[0].Code != string(Damaged) {
				t.Fatalf("bit %d: alarms %v", bit, a)
			}
			if len(o.Pending(t0)) != 0 {
				t.Fatalf("bit %d: a damaged packet would be sent", bit)
			}
			kept, err := filepath.Glob(filepath.Join(o.dir, dirQuarantine, s.SHA256+"*"))
			if err != nil || len(kept) != 1 {
				t.Fatalf("bit %d: quarantine has %v", bit, kept)
			}
			o = reopen(t, o, options())
		}
		// The bytes are still in somebody's hands: then all is well again.
		if _, err := o.Commit(s); err != nil || len(o.Alarms()) != 0 {
			t.Fatalf("put back: %v, alarms %v", err, o.Alarms())
		}
		must(t, o.Close())
		if n+1 < stores {
			must(t, os.RemoveAll(o.dir))
		}
	}
	count(t, "flipped bits of packets: %d of magic, lengths, header and signature, %d of ciphertext, all found; %d through a store, all in quarantine", outside, len(bits)-outside, stores)
}

// TestFlippedBitsOfTheIndex flips bits all over the index. Each time the store
// must open, have every packet, and say of none that it came further than it
// did; what it cannot know any more it takes for unsent.
func TestFlippedBitsOfTheIndex(t *testing.T) {
	opts := options()
	opts.Sealer = xorSealer{}
	o := open(t, t.TempDir(), opts)
	var all []*packet.Sealed
	for i := range 40 {
		s := commit(t, o)
		all = append(all, s)
		if i%2 == 0 {
			_, err := o.Acknowledge(ackFor(s, wire.AckStored, t0), wire.Signed{Type: wire.TypeAck, Payload: []byte(s.SHA256)})
			must(t, err)
		}
		if i%4 == 0 {
			_, err := o.Acknowledge(ackFor(s, wire.AckOpened, t0), wire.Signed{Type: wire.TypeAck, Payload: []byte(s.SHA256)})
			must(t, err)
		}
	}
	truth := map[ulid.ULID]Entry{}
	for _, e := range o.List() {
		truth[e.ID] = e
	}
	must(t, o.Close())
	path := filepath.Join(o.dir, fileIndex)
	good, err := os.ReadFile(path)
	must(t, err)
	used := len(good)
	for used > 0 && good[used-1] == 0 {
		used--
	}
	rank := map[State]int{Saved: 0, Stored: 1, Opened: 2}
	r := rand.New(rand.NewPCG(9, 1))
	flips := faultRuns(t, 40, 3000)
	rebuilt, fellBack := 0, 0
	for range flips {
		at := r.IntN(used)
		bit := byte(1) << r.IntN(8)
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
		must(t, err)
		_, err = f.Write(good[:used])
		must(t, err)
		_, err = f.WriteAt([]byte{good[at] ^ bit}, int64(at))
		must(t, err)
		must(t, f.Truncate(int64(len(good))))
		must(t, f.Close())
		o, err := Open(o.dir, opts)
		if err != nil {
			t.Fatalf("bit %#x of byte %d: %v", bit, at, err)
		}
		for _, a := range o.Alarms() {
			if a.Code != AlarmIndexRebuilt {
				t.Fatalf("bit %#x of byte %d: alarm %+v", bit, at, a)
			}
			rebuilt++
		}
		if n := len(o.List()); n != len(all) {
			t.Fatalf("bit %#x of byte %d: %d packets, %d were there", bit, at, n, len(all))
		}
		for _, e := range o.List() {
			want := truth[e.ID]
			if e.SHA256 != want.SHA256 || e.Size != want.Size || e.Seq != want.Seq || e.Fault != "" || rank[e.State] > rank[want.State] {
				t.Fatalf("bit %#x of byte %d: silently %+v, was %+v", bit, at, e, want)
			}
			if rank[e.State] < rank[want.State] {
				fellBack++
			}
		}
		if n, err := o.NextSeq(); err != nil || n != uint64(len(all)+1) {
			t.Fatalf("bit %#x of byte %d: sequence %d %v", bit, at, n, err)
		}
		must(t, o.SetCursor("verdicts", 77)) // and it can be written
		must(t, o.Close())
		if old, err := filepath.Glob(filepath.Join(o.dir, dirQuarantine, "index-*")); err == nil {
			for _, f := range old {
				must(t, os.Remove(f))
			}
		}
	}
	count(t, "flipped bits of the index: %d over %d bytes; index rebuilt %d times, rows that fell back to unsent %d, silently wrong 0, packets lost 0", flips, used, rebuilt, fellBack)
}

func TestReviewersWordsAreSealed(t *testing.T) {
	const note, ref = "头发遮住眉毛", "stu-4711"
	opts := options()
	opts.Sealer = xorSealer{}
	dir := t.TempDir()
	o := open(t, dir, opts)
	s := commit(t, o)
	verdict := wire.Verdict{PacketID: s.ID.String(), StudentRef: ref, State: wire.VerdictRejected, Reason: "hair", NoteZH: note, NoteEN: "hair", At: t0}
	_, err := o.SetVerdict(verdict)
	must(t, err)
	hidden := func() {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, fileIndex))
		must(t, err)
		for _, secret := range []string{note, ref, "student_ref", "note_zh"} {
			if strings.Contains(string(b), secret) {
				t.Errorf("%q is readable in the index", secret)
			}
		}
	}
	is := func(want wire.Verdict) {
		t.Helper()
		e, err := o.Get(s.ID)
		if err != nil || e.Verdict == nil || *e.Verdict != want {
			t.Errorf("%+v %v, want %+v", e.Verdict, err, want)
		}
	}
	public := verdict
	public.StudentRef, public.NoteZH, public.NoteEN = "", "", ""
	hidden()
	o = reopen(t, o, opts)
	is(verdict)
	t.Run("without the data key only what everybody may know", func(t *testing.T) {
		o = reopen(t, o, options())
		is(public)
		if len(o.Rejected()) != 1 {
			t.Error("not on the worklist")
		}
		// A change made without the key keeps what it cannot read.
		must(t, o.Schedule(s.ID, t0, 1, "x"))
		o = reopen(t, o, opts)
		is(verdict)
	})
	t.Run("what is not sealed is not written", func(t *testing.T) {
		o = reopen(t, o, options())
		verdict.At, public.At = t0.Add(time.Hour), t0.Add(time.Hour)
		_, err := o.SetVerdict(verdict)
		must(t, err)
		is(verdict)
		o = reopen(t, o, opts)
		is(public)
		hidden()
	})
	t.Run("an index of format 1 is written anew", func(t *testing.T) {
		o = open(t, dir, opts)
		_, err := o.Acknowledge(ackFor(s, wire.AckStored, t0), wire.Signed{Type: wire.TypeAck, KeyID: "k"})
		must(t, err)
		must(t, o.SetCursor("verdicts", 5))
		must(t, o.Close())
		db, err := openBolt(filepath.Join(dir, fileIndex))
		must(t, err)
		must(t, db.Update(func(tx *bbolt.Tx) error {
			// As format 1 was written: the entry with its verdict as it is.
			v, err := getValue(tx.Bucket(bucketPackets), s.ID[:])
			must(t, err)
			var e Entry
			must(t, json.Unmarshal(v, &e))
			e.Verdict = &verdict
			row, err := json.Marshal(e)
			must(t, err)
			return errors.Join(putValue(tx.Bucket(bucketPackets), s.ID[:], row), putUint(tx.Bucket(bucketMeta), keyFormat, 1))
		}))
		must(t, db.Close())
		o = open(t, dir, options()) // without the key it is read and stays
		if b, err := os.ReadFile(filepath.Join(dir, fileIndex)); err != nil || !strings.Contains(string(b), note) {
			t.Fatal("the test has not written what it wants to see gone")
		}
		must(t, o.Close())
		o = open(t, dir, opts)
		e, err := o.Get(s.ID)
		must(t, err)
		if e.Verdict == nil || e.Verdict.NoteZH != note || e.Verdict.StudentRef != ref || e.State != Stored || o.Cursor("verdicts") != 5 {
			t.Errorf("%+v, cursor %d", e, o.Cursor("verdicts"))
		}
		if p, ok, err := o.Proof(s.ID, wire.AckStored); !ok || err != nil || p.KeyID != "k" {
			t.Errorf("proof %+v %v %v", p, ok, err)
		}
		hidden()
	})
}

// TestPurgeNeedsCentralsWord: a state in the index is not enough to delete a
// photo; the acknowledgement that is kept must still verify and name the file.
func TestPurgeNeedsCentralsWord(t *testing.T) {
	good := func(s *packet.Sealed) wire.Ack { return ackFor(s, wire.AckOpened, t0) }
	for _, tc := range []struct {
		name   string
		openAs func(s *packet.Sealed) (wire.Ack, error)
		goes   bool
	}{
		{"central's word", func(s *packet.Sealed) (wire.Ack, error) { return good(s), nil }, true},
		{"not signed by central", func(*packet.Sealed) (wire.Ack, error) { return wire.Ack{}, wire.ErrSignature }, false},
		{"another packet's", func(s *packet.Sealed) (wire.Ack, error) {
			a := good(s)
			a.SHA256 = strings.Repeat("0", 64)
			return a, nil
		}, false},
		{"only stored", func(s *packet.Sealed) (wire.Ack, error) {
			a := good(s)
			a.Stage = wire.AckStored
			return a, nil
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s *packet.Sealed
			opts := options()
			opts.OpenAck = func(wire.Signed) (wire.Ack, error) { return tc.openAs(s) }
			o := open(t, t.TempDir(), opts)
			s = commit(t, o)
			_, err := o.Acknowledge(good(s), wire.Signed{Type: wire.TypeAck})
			must(t, err)
			before := o.Stats().Bytes
			n, err := o.Purge(t0.Add(time.Hour), time.Minute)
			_, gone := os.Stat(o.path(s.SHA256))
			if (n == 1) != tc.goes || (err == nil) != tc.goes || errors.Is(gone, os.ErrNotExist) != tc.goes {
				t.Errorf("purged %d, %v, file %v", n, err, gone)
			}
			if back := before - o.Stats().Bytes; (back == int64(len(s.Bytes))) != tc.goes {
				t.Errorf("%d bytes given back of %d", back, len(s.Bytes))
			}
		})
	}
}

// TestClock moves the clock by a month both ways and backwards in the middle
// of a session's commit. Nothing is lost, doubled, sent out of order or removed
// before central has it.
func TestClock(t *testing.T) {
	const month = 30 * 24 * time.Hour
	now := t0
	opts := options()
	opts.Now = func() time.Time { return now }
	o := open(t, t.TempDir(), opts)
	var want []ulid.ULID
	for _, jump := range []time.Duration{0, month, -2 * month, month, -time.Second, -month, time.Nanosecond} {
		seq, err := o.NextSeq()
		must(t, err)
		s := sealedAt(t, seq, now)
		now = now.Add(jump) // between sealing and committing
		e, err := o.Commit(s)
		must(t, err)
		if !e.Created.Equal(s.Header.Created()) || e.Seq != seq {
			t.Errorf("%+v", e)
		}
		want = append(want, s.ID)
		if n, err := o.Purge(now.Add(10*month), 0); n != 0 || err != nil {
			t.Errorf("unsent packets were removed: %d %v", n, err)
		}
		o = reopen(t, o, opts)
	}
	got := o.Pending(t0.Add(100 * month))
	if len(got) != len(want) {
		t.Fatalf("%d of %d packets are to be sent", len(got), len(want))
	}
	for i, e := range got {
		if e.ID != want[i] {
			t.Errorf("packet %d is sent in place of %d", e.Seq, i+1)
		}
	}
	now = t0.Add(10 * month)
	var r *Refusal
	if err := o.Guard(); !errors.As(err, &r) || r.Code != RefuseAge || !strings.Contains(r.EN, "date") || !strings.Contains(r.ZH, "日期") {
		t.Errorf("a clock far ahead: %v", err)
	}
	now = t0.Add(-10 * month)
	if err := o.Guard(); err != nil {
		t.Errorf("a clock far behind: %v", err)
	}
	mustVerify(t, o, len(want))
	count(t, "clock: forwards and backwards by 30 days, backwards between sealing and commit, %d packets: lost 0, out of order 0", len(want))
}

func sealedAt(t *testing.T, seq uint64, at time.Time) *packet.Sealed {
	t.Helper()
	return sealWith(t, func(in *packet.Input) { in.Seq, in.Created = seq, at })
}
