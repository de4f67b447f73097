package outbox

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/durable/powercut"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// childDir names the directory that a child of a test works in.
const childDir = "OUTBOX_CHILD_DIR"

// TestPowerCutChild is the program that TestPowerCuts records. It does with a
// store what a station does in its life, and says on its standard output what
// it begins and, only when it is done, what it has done.
func TestPowerCutChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		return // nothing to test in itself
	}
	say := func(format string, args ...any) {
		if _, err := fmt.Printf(format+"\n", args...); err != nil {
			t.Fatal(err)
		}
	}
	opts := options()
	opts.Sealer = xorSealer{}
	o, err := Open(filepath.Join(dir, "station", "outbox"), opts)
	must(t, err)
	var last *packet.Sealed
	for round := range 12 {
		seq, err := o.NextSeq()
		must(t, err)
		s := sealed(t, seq, 1+7*round)
		if round%5 == 4 { // a capture that is given up leaves nothing
			lost := sealed(t, seq, 3)
			say("try %s", lost.ID)
			must(t, o.writeFile(lost, passed()))
			must(t, o.Withdraw(lost))
		}
		say("try %s", s.ID)
		_, err = o.Commit(s)
		must(t, err)
		say("saved %s %s", s.ID, s.SHA256)
		if last != nil {
			_, err = o.Acknowledge(ackFor(last, wire.AckStored, t0), wire.Signed{Type: wire.TypeAck})
			must(t, err)
			say("stored %s", last.ID)
		}
		if last != nil && round%3 == 0 {
			_, err = o.Acknowledge(ackFor(last, wire.AckOpened, t0), wire.Signed{Type: wire.TypeAck})
			must(t, err)
			say("opened %s", last.ID)
			_, err = o.SetVerdict(wire.Verdict{PacketID: last.ID.String(), State: wire.VerdictRejected, NoteZH: "头发", At: t0})
			must(t, err)
		}
		must(t, o.SetCursor("verdicts", uint64(round)))
		if round%6 == 5 {
			say("purging")
			_, err := o.Purge(t0.Add(time.Hour), time.Minute)
			must(t, err)
			must(t, o.Close())
			o, err = Open(o.dir, opts)
			must(t, err)
		}
		last = s
	}
	must(t, o.Close())
}

func passed() <-chan error {
	c := make(chan error, 1)
	c <- nil
	return c
}

// xorSealer stands in for the data key, which is not what these tests are about.
type xorSealer struct{}

func (xorSealer) Seal(context string, plain []byte) []byte {
	sum := sha256.Sum256([]byte(context))
	out := append([]byte(nil), sum[:]...)
	for i, b := range plain {
		out = append(out, b^sum[i%len(sum)])
	}
	return out
}

func (x xorSealer) Open(context string, sealed []byte) ([]byte, error) {
	if len(sealed) < 32 || string(x.Seal(context, nil)) != string(sealed[:32]) {
		return nil, errors.New("not sealed under this context")
	}
	return x.Seal(context, sealed[32:])[32:], nil
}

// TestPowerCuts records every system call of a station's life and plays
// hundreds of power cuts out of the recording, bbolt's calls among them.
// Whatever the program had said to be saved must be there, byte for byte and
// once; the rest must be whole or not there at all.
func TestPowerCuts(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestPowerCutChild$")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	log, err := powercut.Record(cmd, dir)
	if errors.Is(err, powercut.ErrUnavailable) {
		t.Skipf("SKIPPED: no power cuts were played: %v", err)
	}
	must(t, err)
	all := story(log.Said(log.Len()))
	if len(all.saved) != 12 || !all.purging || len(all.stored) != 11 {
		t.Fatalf("the recorded program said %q", log.Said(log.Len()))
	}
	cuts := faultRuns(t, 50, 3000)
	r := rand.New(rand.NewPCG(7, 7))
	acknowledged := 0
	for range cuts {
		cut := r.IntN(log.Len() + 1)
		said := story(log.Said(cut))
		acknowledged += len(said.saved)
		disk := t.TempDir()
		must(t, log.Image(cut, r).WriteTo(disk))
		if !afterCut(t, filepath.Join(disk, "station", "outbox"), said) {
			t.Fatalf("cut after operation %d of %d", cut, log.Len())
		}
		must(t, os.RemoveAll(disk))
	}
	count(t, "power cuts: %d over %d recorded calls; acknowledged packets looked for: %d; lost 0, doubled 0, half 0", cuts, log.Len(), acknowledged)
}

// told is what a program had said when the power went.
type told struct {
	tried   map[string]bool
	saved   map[string]string // id → digest
	stored  map[string]bool
	opened  map[string]bool
	purging bool
}

func story(said string) told {
	s := told{map[string]bool{}, map[string]string{}, map[string]bool{}, map[string]bool{}, false}
	for line := range strings.Lines(said) {
		f := strings.Fields(line)
		switch {
		case len(f) == 1 && f[0] == "purging":
			s.purging = true
		case len(f) == 2 && f[0] == "try":
			s.tried[f[1]] = true
		case len(f) == 3 && f[0] == "saved":
			s.saved[f[1]] = f[2]
		case len(f) == 2 && f[0] == "stored":
			s.stored[f[1]] = true
		case len(f) == 2 && f[0] == "opened":
			s.opened[f[1]] = true
		}
	}
	return s
}

// afterCut starts a station on what the power cut left and compares it with
// what the program had said.
func afterCut(t *testing.T, dir string, said told) bool {
	t.Helper()
	opts := options()
	opts.Sealer = xorSealer{}
	o := open(t, dir, opts)
	defer o.Close()
	if a := o.Alarms(); len(a) > 0 {
		t.Errorf("alarms: %v", a)
	}
	report, err := o.VerifyAll(t.Context())
	if err != nil || len(report.Bad) > 0 {
		t.Errorf("%+v %v", report, err)
	}
	for s, sha := range said.saved {
		id := ulid.MustParse(s)
		e, err := o.Get(id)
		if err != nil || e.SHA256 != sha {
			t.Errorf("%s was acknowledged and is lost: %v", s, err)
			continue
		}
		switch {
		case e.State == Purged && said.purging:
			continue
		case said.opened[s] && e.State != Opened, said.stored[s] && e.State != Stored && e.State != Opened:
			t.Errorf("%s fell back to %s", s, e.State)
		}
		if b, err := o.Read(id); err != nil || fmt.Sprintf("%x", sha256.Sum256(b)) != sha {
			t.Errorf("%s is not what was acknowledged: %v", s, err)
		}
		if v := e.Verdict; v != nil && v.NoteZH != "头发" {
			t.Errorf("%s has another verdict: %+v", s, v)
		}
	}
	for i, e := range o.List() {
		if !said.tried[e.ID.String()] {
			t.Errorf("%s came from nowhere", e.ID)
		}
		if e.Seq != uint64(i+1) {
			t.Errorf("entry %d has sequence %d", i, e.Seq)
		}
	}
	commit(t, o) // and the station goes on
	if n := len(o.List()); o.Stats().LastSeq != uint64(n) {
		t.Errorf("%d entries end at sequence %d", n, o.Stats().LastSeq)
	}
	return !t.Failed()
}
