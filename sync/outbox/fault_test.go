package outbox

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/packet"
)

var errInjected = errors.New("injected disk error")

// faultFS fails one call, all calls from one on, or none, and remembers what a
// power cut would still take away.
type faultFS struct {
	fileSystem
	calls      int // calls that change the disk
	failAt     int // 1-based; 0 = none
	dead       bool
	deadFrom   int // from this call on everything fails: the machine is off
	failAlways bool
	fixFree    bool
	free       uint64
	freeErr    error

	unsynced map[string]bool   // written, not fsynced
	renamed  map[string]string // to → from, directory not fsynced
}

func (f *faultFS) step() error {
	f.calls++
	if f.deadFrom > 0 && f.calls >= f.deadFrom {
		f.dead = true
	}
	if f.dead || f.failAlways || f.calls == f.failAt {
		return errInjected
	}
	return nil
}

func (f *faultFS) Free(path string) (uint64, error) {
	if f.fixFree {
		return f.free, f.freeErr
	}
	return f.fileSystem.Free(path)
}

func (f *faultFS) Create(path string) (file, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	inner, err := f.fileSystem.Create(path)
	if err != nil {
		return nil, err
	}
	if f.unsynced != nil {
		f.unsynced[path] = true
	}
	return &faultFile{file: inner, fs: f, path: path}, nil
}

func (f *faultFS) Rename(from, to string) error {
	if err := f.step(); err != nil {
		return err
	}
	if f.renamed != nil {
		f.renamed[to] = from
		if f.unsynced[from] {
			f.unsynced[to] = true
		}
		delete(f.unsynced, from)
	}
	return f.fileSystem.Rename(from, to)
}

func (f *faultFS) Remove(path string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.fileSystem.Remove(path)
}

func (f *faultFS) Extend(path string, size int64) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.fileSystem.Extend(path, size)
}

func (f *faultFS) SyncDir(path string) error {
	if err := f.step(); err != nil {
		return err
	}
	for to := range f.renamed {
		if filepath.Dir(to) == path {
			delete(f.renamed, to)
		}
	}
	return f.fileSystem.SyncDir(path)
}

// powerCut takes away what was never made durable.
func (f *faultFS) powerCut(t *testing.T) {
	t.Helper()
	for path := range f.unsynced {
		if err := os.Truncate(path, 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	for to, from := range f.renamed {
		if err := os.Rename(to, from); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

type faultFile struct {
	file
	fs   *faultFS
	path string
}

func (f *faultFile) Write(b []byte) (int, error) {
	if err := f.fs.step(); err != nil {
		n, _ := f.file.Write(b[:len(b)/2]) // a full disk takes half
		return n, err
	}
	return f.file.Write(b)
}

func (f *faultFile) Sync() error {
	if err := f.fs.step(); err != nil {
		return err
	}
	delete(f.fs.unsynced, f.path)
	return f.file.Sync()
}

func (f *faultFile) Close() error {
	if err := f.fs.step(); err != nil {
		_ = f.file.Close()
		return err
	}
	return f.file.Close()
}

// commitCalls is how many calls a Commit makes: create, write, sync, close, rename, sync directory.
const commitCalls = 6

func TestEveryFailedCallFailsTheCommitAndARetrySucceeds(t *testing.T) {
	for n := 1; n <= commitCalls; n++ {
		t.Run(fmt.Sprintf("call %d", n), func(t *testing.T) {
			f := &faultFS{fileSystem: osFS{}}
			opts := options()
			opts.fsys = f
			o := open(t, t.TempDir(), opts)
			s := sealed(t, 1, 1)
			f.calls, f.failAt = 0, n
			if _, err := o.Commit(s); !errors.Is(err, errInjected) {
				t.Fatalf("err = %v", err)
			}
			if _, err := o.Get(s.ID); !errors.Is(err, ErrUnknown) || o.Stats().Total != 0 {
				t.Error("a failed commit shows as saved")
			}
			f.failAt = 0
			if e, err := o.Commit(s); err != nil || e.SHA256 != s.SHA256 {
				t.Fatalf("retry: %v", err)
			}
			o = reopen(t, o, options())
			mustVerify(t, o, 1)
			if len(o.Alarms()) != 0 {
				t.Errorf("alarms: %v", o.Alarms())
			}
		})
	}
	t.Run("the count above is right", func(t *testing.T) {
		f := &faultFS{fileSystem: osFS{}}
		opts := options()
		opts.fsys = f
		o := open(t, t.TempDir(), opts)
		f.calls = 0
		if _, err := o.Commit(sealed(t, 1, 1)); err != nil || f.calls != commitCalls {
			t.Errorf("%d calls, %v", f.calls, err)
		}
	})
}

func TestIndexFailures(t *testing.T) {
	for name, after := range map[string]bool{"before the transaction is durable": false, "after it is durable": true} {
		t.Run(name, func(t *testing.T) {
			o := open(t, t.TempDir(), options())
			s := sealed(t, 1, 1)
			commit := o.update
			o.update = func(fn func(tx *bbolt.Tx) error) error {
				return commit(func(tx *bbolt.Tx) error {
					if err := fn(tx); err != nil {
						return err
					}
					if !after {
						return errInjected
					}
					return nil
				})
			}
			if after {
				inner := o.update
				o.update = func(fn func(tx *bbolt.Tx) error) error {
					if err := inner(fn); err != nil {
						return err
					}
					return errInjected
				}
			}
			if _, err := o.Commit(s); !errors.Is(err, errInjected) {
				t.Fatalf("err = %v", err)
			}
			if o.Stats().Total != 0 {
				t.Error("shown as saved")
			}
			o.update = commit
			// Withdrawn, nothing comes back.
			if err := o.Withdraw(s); err != nil {
				t.Fatal(err)
			}
			o = reopen(t, o, options())
			if o.Stats().Total != 0 || len(o.Alarms()) != 0 {
				t.Errorf("after withdrawal: %+v %v", o.Stats(), o.Alarms())
			}
			if _, err := o.Commit(s); err != nil {
				t.Fatalf("retry: %v", err)
			}
			if err := o.Withdraw(s); !errors.Is(err, ErrConflict) {
				t.Errorf("a committed packet was withdrawn: %v", err)
			}
			o = reopen(t, o, options())
			mustVerify(t, o, 1)
		})
	}
	t.Run("a panic in the index is an error and closes the guard", func(t *testing.T) {
		o := open(t, t.TempDir(), options())
		o.update = func(func(tx *bbolt.Tx) error) error {
			return guarded(func() error { panic("page 7: unexpected flag") })
		}
		if _, err := o.Commit(sealed(t, 1, 1)); !errors.Is(err, errIndex) {
			t.Fatalf("err = %v", err)
		}
		var r *Refusal
		if err := o.Guard(); !errors.As(err, &r) || r.Code != RefuseIndex {
			t.Errorf("guard: %v", err)
		}
	})
}

func TestPowerCutAtEveryStep(t *testing.T) {
	// The first packet is committed; the power goes at call n of the second.
	// Lost with it: data without fsync, renames without a directory sync.
	for n := 1; n <= commitCalls+1; n++ {
		t.Run(fmt.Sprintf("call %d", n), func(t *testing.T) {
			f := &faultFS{fileSystem: osFS{}, unsynced: map[string]bool{}, renamed: map[string]string{}}
			opts := options()
			opts.fsys = f
			o := open(t, t.TempDir(), opts)
			first, second := sealed(t, 1, 1), sealed(t, 2, 1)
			if _, err := o.Commit(first); err != nil {
				t.Fatal(err)
			}
			f.calls, f.deadFrom = 0, n
			_, err := o.Commit(second)
			acknowledged := err == nil
			if acknowledged != (n > commitCalls) {
				t.Fatalf("call %d: %v", n, err)
			}
			must(t, o.Close())
			f.powerCut(t)
			o = open(t, o.dir, options())
			if len(o.Alarms()) != 0 {
				t.Errorf("alarms: %v", o.Alarms())
			}
			for _, e := range o.List() {
				if b, err := o.Read(e.ID); err != nil || int64(len(b)) != e.Size {
					t.Errorf("seq %d: %v", e.Seq, err)
				}
			}
			if _, err := o.Get(first.ID); err != nil {
				t.Error("the first packet is lost")
			}
			if _, err := o.Get(second.ID); acknowledged && err != nil {
				t.Error("an acknowledged packet is lost")
			}
		})
	}
}

// TestKillLoop kills a process that commits packets, at random moments, and
// looks for every packet that it had reported as saved. A killed process
// leaves the kernel's cache alone: this tests the order of steps and the
// recovery; TestPowerCutAtEveryStep tests what a power cut takes.
//
// OUTBOX_KILLS sets the number of kills (default 8).
func TestKillLoop(t *testing.T) {
	const env = "OUTBOX_KILL_CHILD"
	if dir := os.Getenv(env); dir != "" {
		commitForever(t, dir)
		return
	}
	kills := 8
	if s := os.Getenv("OUTBOX_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		kills = n
	}
	dir := t.TempDir()
	saved := map[string]bool{}
	rng := rand.New(rand.NewPCG(1, 2))
	for range kills {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKillLoop$")
		cmd.Env = append(os.Environ(), env+"="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		stop := 1 + rng.IntN(12)
		sc := bufio.NewScanner(out)
		for n := 0; n < stop && sc.Scan(); {
			if id, ok := strings.CutPrefix(sc.Text(), "saved "); ok {
				saved[id] = true
				n++
			}
		}
		// A busy wait of random length moves the kill inside the next commit.
		for i := range rng.IntN(2_000_000) {
			_ = i * i
		}
		must(t, cmd.Process.Kill())
		for sc.Scan() { // what it had said before it died counts too
			if id, ok := strings.CutPrefix(sc.Text(), "saved "); ok {
				saved[id] = true
			}
		}
		_ = cmd.Wait() // killed: always an error
	}
	o := open(t, dir, options())
	r, err := o.VerifyAll(t.Context())
	if err != nil || len(r.Bad) > 0 {
		t.Fatalf("%+v %v", r, err)
	}
	if a := o.Alarms(); len(a) != 0 {
		t.Errorf("alarms: %v", a)
	}
	for s := range saved {
		id, err := ulid.ParseStrict(s)
		must(t, err)
		if _, err := o.Get(id); err != nil {
			t.Errorf("%s was reported as saved and is lost", s)
		}
	}
	if len(saved) < kills {
		t.Errorf("only %d packets in %d rounds", len(saved), kills)
	}
	count(t, "SIGKILL while committing (outbox alone): %d; acknowledged %d, found %d; lost 0, doubled 0, half 0", kills, len(saved), r.Checked)
}

func commitForever(t *testing.T, dir string) {
	o, err := Open(dir, options())
	must(t, err)
	for {
		seq, err := o.NextSeq()
		must(t, err)
		s := sealed(t, seq, 20)
		if _, err := o.Commit(s); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("saved %s\n", s.ID)
	}
}

// benchPacket is a packet of the usual size.
func benchPacket(b *testing.B, seq uint64) *packet.Sealed { return sealed(b, seq, 300) }

func percentiles(b *testing.B, d []time.Duration) {
	slices.Sort(d)
	b.ReportMetric(float64(d[len(d)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(d[len(d)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkCommit stores 300 KB packets; BenchmarkBareSyscalls does the file
// half only, with nothing of ours round it. Set TMPDIR to the disk in question.
func BenchmarkCommit(b *testing.B) {
	o := open(b, b.TempDir(), options())
	var took []time.Duration
	seq := uint64(0)
	for b.Loop() {
		b.StopTimer()
		seq++
		s := benchPacket(b, seq)
		b.StartTimer()
		start := time.Now()
		if _, err := o.Commit(s); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	percentiles(b, took)
}

func BenchmarkBareSyscalls(b *testing.B) {
	dir := b.TempDir()
	data := benchPacket(b, 1).Bytes
	var took []time.Duration
	i := 0
	for b.Loop() {
		i++
		start := time.Now()
		tmp, final := filepath.Join(dir, fmt.Sprint(i, ".tmp")), filepath.Join(dir, fmt.Sprint(i, ".pkt"))
		f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		must(b, err)
		_, err = f.Write(data)
		must(b, err)
		must(b, f.Sync())
		must(b, f.Close())
		must(b, os.Rename(tmp, final))
		must(b, syncPath(dir))
		took = append(took, time.Since(start))
	}
	percentiles(b, took)
}
