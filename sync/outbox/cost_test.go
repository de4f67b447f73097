package outbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/sync/packet"
)

// faultRuns tells whether this is make test-faults, which takes its time. The
// tests that ask run a few rounds of the same otherwise.
func faultRuns(t testing.TB, few, many int) int {
	t.Helper()
	if os.Getenv("YUNZHAO_FAULTS") == "" {
		return few
	}
	return many
}

// count prints one line of the report that make test-faults gathers.
func count(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Logf("COUNT "+format, args...)
}

// bareStore makes the system calls of a commit with nothing round them: what
// the disk itself asks for a durable file and a durable row of an index.
type bareStore struct {
	dir   string
	index *os.File
	pages []byte
}

func newBareStore(t *testing.T) *bareStore {
	t.Helper()
	b := &bareStore{dir: t.TempDir(), pages: make([]byte, 5*4096)}
	var err error
	b.index, err = os.OpenFile(filepath.Join(b.dir, "index"), os.O_CREATE|os.O_RDWR, fileMode)
	must(t, err)
	t.Cleanup(func() { b.index.Close() })
	must(t, extendFile(b.index.Name(), indexGrow)) // as the store has it
	return b
}

// store writes data, fsyncs, renames, fsyncs the directory, writes what bbolt
// writes for one row and fdatasyncs twice.
func (b *bareStore) store(t *testing.T, n int, data []byte) {
	t.Helper()
	tmp, final := filepath.Join(b.dir, fmt.Sprint(n, ".tmp")), filepath.Join(b.dir, fmt.Sprint(n, ".pkt"))
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	must(t, err)
	_, err = f.Write(data)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
	must(t, os.Rename(tmp, final))
	must(t, syncPath(b.dir))
	for i := range 4 {
		_, err = b.index.WriteAt(b.pages[:4096], int64(2+(4*n+i)%200)*4096)
		must(t, err)
	}
	must(t, unix.Fdatasync(int(b.index.Fd())))
	_, err = b.index.WriteAt(b.pages[:4096], int64(n%2)*4096)
	must(t, err)
	must(t, unix.Fdatasync(int(b.index.Fd())))
}

func quantile(d []time.Duration, q int) time.Duration {
	slices.Sort(d)
	return d[min(len(d)*q/100, len(d)-1)]
}

// fill puts n rows of opened packets into a closed store, without their files:
// they are purged.
func fill(t *testing.T, dir string, n int) {
	t.Helper()
	db, err := openBolt(filepath.Join(dir, fileIndex))
	must(t, err)
	for at := 0; at < n; at += 10_000 {
		must(t, db.Update(func(tx *bbolt.Tx) error {
			for i := at; i < min(at+10_000, n); i++ {
				id := ulid.MustNew(uint64(t0.UnixMilli()+int64(i)), ulid.DefaultEntropy())
				e := newEntry(packet.Header{ID: id, Station: "st-1", Spec: "spec", Seq: uint64(i + 1), CreatedMS: t0.UnixMilli() + int64(i)},
					fmt.Sprintf("%064x", i+1), 300<<10, t0)
				e.State, e.StoredAt, e.DecidedAt, e.DecidedCentral = Purged, t0, t0, t0
				if err := putEntry(tx, e); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	must(t, db.Close())
}

// TestCommitCost measures a commit beside the bare system calls of the same
// bytes, one after the other so that both meet the same disk, with few rows in
// the index and with 100,000; and what the booth asks every few seconds. It
// measures and asserts nothing but that the work was done.
func TestCommitCost(t *testing.T) {
	rounds := faultRuns(t, 10, 1000)
	for _, rows := range []int{0, faultRuns(t, 2000, 100_000)} {
		o := open(t, t.TempDir(), options())
		if rows > 0 {
			must(t, o.Close())
			fill(t, o.dir, rows)
			began := time.Now()
			o = open(t, o.dir, options())
			t.Logf("open with %d rows: %v", rows, time.Since(began))
		}
		bare := newBareStore(t)
		var ours, plain, ask []time.Duration
		bytes, before := int64(0), written(t)
		bareBytes := int64(0)
		for i := range rounds {
			seq, err := o.NextSeq()
			must(t, err)
			s := sealed(t, seq, 300)
			// In turn: what comes second meets a disk that is still busy with the
			// first, and a cache that has just seen the bytes.
			took := func(f func()) time.Duration {
				began := time.Now()
				f()
				return time.Since(began)
			}
			commit := func() { ours = append(ours, took(func() { _, err = o.Commit(s) })); must(t, err) }
			calls := func() {
				mid := written(t)
				plain = append(plain, took(func() { bare.store(t, i, s.Bytes) }))
				bareBytes += written(t) - mid
			}
			if i%2 == 0 {
				commit()
				calls()
			} else {
				calls()
				commit()
			}
			bytes += int64(len(s.Bytes))
			began := time.Now()
			if o.Guard() != nil || len(o.Pending(t0)) == 0 || o.Stats().Total != rows+i+1 {
				t.Fatal("the store does not say what it holds")
			}
			ask = append(ask, time.Since(began))
		}
		ratio := func(q int) float64 { return float64(quantile(ours, q)) / float64(quantile(plain, q)) }
		count(t, "commit of 300 KB, %d rows before: p50 %v (bare %v, ratio %.2f), p99 %v (bare %v, ratio %.2f); %d commits",
			rows, quantile(ours, 50).Round(time.Microsecond), quantile(plain, 50).Round(time.Microsecond), ratio(50),
			quantile(ours, 99).Round(time.Microsecond), quantile(plain, 99).Round(time.Microsecond), ratio(99), rounds)
		count(t, "written per byte of packet, %d rows before: %.3f (bare sequence %.3f)", rows,
			float64(written(t)-before-bareBytes)/float64(bytes), float64(bareBytes)/float64(bytes))
		count(t, "guard, stats and pending with %d rows and up to %d unsent: p50 %v, p99 %v", rows, rounds,
			quantile(ask, 50).Round(time.Microsecond), quantile(ask, 99).Round(time.Microsecond))
		must(t, o.Close())
	}
}

// written is how many bytes this process has handed to write calls
// (/proc/self/io, wchar): what the store writes, also on a disk that compresses.
func written(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skipf("SKIPPED: the kernel does not count what a process writes: %v", err)
	}
	var r, w int64
	if _, err := fmt.Sscanf(string(b), "rchar: %d\nwchar: %d", &r, &w); err != nil {
		t.Fatal(err)
	}
	return w
}
