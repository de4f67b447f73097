package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/stick"
)

// carrier is a station and a central with nothing but a stick between them.
type carrier struct {
	*deathbed
	server *central.Server
	stick  string
	id     string // of the station
}

func newCarrier(t *testing.T) *carrier {
	t.Helper()
	d := newDeathbed(t)
	// Only enrolment needs the network: it is what a technician does at the centre.
	c := &carrier{deathbed: d, stick: t.TempDir()}
	code, err := demoCode(t.Context(), d.url())
	if err != nil {
		t.Fatal(err)
	}
	if code, out, errs := yunzhao(t, "enroll", "--data", d.dir, "--central", d.url(), "--code", code); code != 0 {
		t.Fatalf("enroll: exit %d %s %s", code, out, errs)
	}
	d.central.kill(t, func(string) {})
	c.server, err = central.Open(d.centralDir, central.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.server.Close() })
	all, err := c.server.Stations(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%d stations, %v", len(all), err)
	}
	c.id = all[0].ID
	return c
}

func (c *carrier) run(code int, says string, args ...string) {
	c.t.Helper()
	got, out, errs := yunzhao(c.t, args...)
	if got != code || !strings.Contains(out+errs, says) {
		c.t.Fatalf("%v: exit %d, want %d; said %q %q, want %q", args, got, code, out, errs, says)
	}
}

func (c *carrier) answers() {
	c.t.Helper()
	if _, _, err := c.server.ExportAnswers(c.t.Context(), c.id, c.stick, "test"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *carrier) take() central.StickReport {
	c.t.Helper()
	rep, err := c.server.ImportPackets(c.t.Context(), c.stick, "test")
	if err != nil {
		c.t.Fatal(err)
	}
	return rep
}

// TestStick goes the whole way of a desk that never has a network: the roster
// comes on a stick, packets go, acknowledgements and verdicts come back. At no
// time does a packet count as sent without central's signed word.
func TestStick(t *testing.T) {
	c := newCarrier(t)
	export := []string{"export", "--data", c.dir, "--to", c.stick}
	imports := []string{"import", "--data", c.dir, "--from", c.stick}
	c.run(1, "export-answers", imports...)
	c.answers()
	c.run(0, "students 41", imports...)
	c.run(0, "students 0", imports...) // the same list again is old
	c.run(0, "stick 0", export...)     // nothing to send
	students := rosterOf(t, c.dir)
	c.commit(3)
	c.run(0, "new 3", export...)
	c.run(0, "new 0", export...) // it is there already

	t.Run("a stick shows nothing about students", func(t *testing.T) {
		err := filepath.WalkDir(c.stick, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			for _, s := range students {
				if strings.Contains(string(b), s.Name) || strings.Contains(string(b), s.IDNumber) {
					t.Errorf("%s names a student", path)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Run("exported is not sent", func(t *testing.T) {
		c.answers() // of a central that has seen no packet
		c.run(0, "unsent 3", imports...)
		if v := c.check(); v.Packets[0].State != "saved" {
			t.Errorf("state %s", v.Packets[0].State)
		}
	})
	files, err := stick.Files(c.stick)
	if err != nil || len(files) != 3 {
		t.Fatalf("%v %v", files, err)
	}
	t.Run("a torn, a changed and a foreign file do not keep the others out", func(t *testing.T) {
		b, err := os.ReadFile(files[0])
		must(t, err)
		must(t, os.Truncate(files[0], int64(len(b)/2)))
		changed, err := os.ReadFile(files[1])
		must(t, err)
		changed[len(changed)/2] ^= 1
		must(t, os.WriteFile(files[1], changed, 0o600))
		foreign, err := os.ReadFile("../../sync/packet/testdata/example.pkt")
		must(t, err)
		must(t, os.WriteFile(filepath.Join(filepath.Dir(files[0]), "foreign.pkt"), foreign, 0o600))
		must(t, os.WriteFile(filepath.Join(filepath.Dir(files[0]), ".half.tmp"), b[:10], 0o600))
		rep := c.take()
		if rep.Found != 4 || rep.Stored != 1 || len(rep.Bad) != 3 || len(rep.Stations) != 1 || rep.Stations[0] != c.id {
			t.Fatalf("%+v", rep)
		}
		must(t, os.Remove(filepath.Join(filepath.Dir(files[0]), "foreign.pkt")))
	})
	c.run(0, "new 2", export...) // the damaged ones are written anew
	rep := c.take()
	if rep.Stored != 2 || rep.Known != 1 || len(rep.Bad) != 0 || rep.Refused != 0 {
		t.Fatalf("%+v", rep)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(files[0]), ".*.tmp")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	for id := range c.saved {
		must(t, c.server.Reject(t.Context(), id, "rev", "blur", ""))
		break
	}
	c.answers()
	path := stick.AnswersPath(c.stick, c.id)
	whole, err := os.ReadFile(path)
	must(t, err)
	t.Run("answers that are not whole, not ours or changed", func(t *testing.T) {
		must(t, os.WriteFile(path, whole[:len(whole)-30], 0o600))
		c.run(1, "not complete", imports...)
		changed := append([]byte(nil), whole...)
		changed[40] ^= 1
		must(t, os.WriteFile(path, changed, 0o600))
		c.run(1, "not central's", imports...)
		must(t, os.WriteFile(path, whole, 0o600))
	})
	c.run(0, "unsent 0", imports...)
	c.run(0, "✓", "audit", "verify", "--data", c.dir)
	if log, err := os.ReadFile(filepath.Join(c.dir, "audit.jsonl")); err != nil || !strings.Contains(string(log), "stick.exported") || !strings.Contains(string(log), "stick.imported") {
		t.Errorf("the stick is not in the audit log: %v", err)
	}
	v := c.check()
	for _, p := range v.Packets {
		if p.State != "opened" {
			t.Errorf("%s is %s", p.ID, p.State)
		}
	}
	t.Run("what came by stick is known by network", func(t *testing.T) {
		must(t, c.server.Close())
		c.startCentral()
		c.run(0, "pending 0", "sync", "--data", c.dir, "--until-empty")
		c.checkCentral(c.check())
	})
	t.Run("a stick of another station", func(t *testing.T) {
		c.run(2, "not a station", "export", "--data", t.TempDir()+"/none", "--to", c.stick)
		c.run(2, "wrong usage", "export", "--data", c.dir, "--to", c.stick+"/none")
	})
}

// TestRotatedKey changes central's working key. What was sealed before opens,
// stations learn of the new key by stick and by network, and what they seal
// for it opens too.
func TestRotatedKey(t *testing.T) {
	c := newCarrier(t)
	c.answers()
	c.run(0, "students 41", "import", "--data", c.dir, "--from", c.stick)
	recipient := func() string {
		t.Helper()
		store, err := keys.Open(filepath.Join(c.dir, keysDir))
		must(t, err)
		e, err := store.Enrolment()
		must(t, err)
		return e.Enrolled.Recipients[0]
	}
	seen := map[string]bool{recipient(): true}
	for _, way := range []string{"stick", "network"} {
		c.commit(1) // for the key of before
		must(t, c.server.Close())
		fresh, err := central.RotateWorkingKey(c.centralDir)
		must(t, err)
		if way == "stick" {
			c.server, err = central.Open(c.centralDir, central.Options{})
			must(t, err)
			c.answers()
			c.run(0, "acknowledgements", "import", "--data", c.dir, "--from", c.stick)
		} else {
			c.startCentral()
			c.run(0, "pending 0", "sync", "--data", c.dir, "--until-empty")
			c.central.kill(t, func(string) {})
			c.server, err = central.Open(c.centralDir, central.Options{})
			must(t, err)
		}
		if got := recipient(); got != fresh || seen[got] {
			t.Fatalf("by %s: sealing for %s, central's key is %s", way, got, fresh)
		}
		seen[fresh] = true
		c.commit(1) // for the new one
		c.run(0, "packets on the stick", "export", "--data", c.dir, "--to", c.stick)
		if rep := c.take(); rep.Refused != 0 || len(rep.Bad) != 0 {
			t.Fatalf("by %s: %+v", way, rep)
		}
	}
	for id := range c.saved {
		if p, err := c.server.Packet(t.Context(), id); err != nil || p.Stage != central.StageOpened {
			t.Errorf("%s: %+v %v", id, p, err)
		}
	}
	if _, err := central.RotateWorkingKey(c.centralDir); !errors.Is(err, central.ErrLocked) {
		t.Errorf("while the server runs: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// person is what must not be found anywhere.
type person struct{ Name, IDNumber, StudentNo string }

func rosterOf(t *testing.T, dir string) []person {
	t.Helper()
	st, err := DataFlag{Data: dir}.openStores(&streams{out: os.Stdout, err: os.Stderr})
	must(t, err)
	defer func() { must(t, st.close()) }()
	var out []person
	for _, s := range st.roster.Students() {
		out = append(out, person{s.Name, s.IDNumber, s.StudentNo})
	}
	if len(out) == 0 {
		t.Fatal("no students")
	}
	return out
}
