package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/central"
)

// step is one command line and what it must come to.
type step struct {
	name  string
	stdin string
	args  []string
	code  int
	want  string
}

// run1 runs one step.
func run1(t *testing.T, s step) (out string) {
	t.Helper()
	code, stdout, stderr := command(t, s.stdin, s.args...)
	if code != s.code || !strings.Contains(stdout+stderr, s.want) {
		t.Fatalf("%s: exit %d, want %d and %q\n%s\n%s", s.name, code, s.code, s.want, stdout, stderr)
	}
	return stdout
}

func TestEraseAStudentAndRestoreAnOlderBackup(t *testing.T) {
	data, away := filepath.Join(t.TempDir(), "central"), t.TempDir()
	students, sealed := photographed(t, data, 3)
	gone, photo := students[0], sealed[0].ID.String()
	backup := filepath.Join(away, "b.age")
	identity := filepath.Join(data, "keys", recoveryName)
	run1(t, step{"whole", "", []string{"verify-packets", "--data", data}, 0, "whole 3"})
	run1(t, step{"backup", "", []string{"backup", backup, "--data", data}, 0, "Backed up"})

	out := run1(t, step{"found", gone.IDNumber + "\n", []string{"student", "find", "--data", data}, 0, gone.Ref})
	if strings.Contains(out, gone.Name) || strings.Contains(out, gone.IDNumber) {
		t.Errorf("the search says who it is: %s", out)
	}
	run1(t, step{"nobody", "没有此人\n", []string{"student", "find", "--data", data}, 1, "nobody"})
	run1(t, step{"nothing asked", "", []string{"student", "find", "--data", data}, 1, "invalid"})
	run1(t, step{"not confirmed", "", []string{"student", "erase", gone.Ref, "--data", data}, 2, "--yes"})
	run1(t, step{"no such student", "", []string{"student", "erase", "nobody", "--yes", "--data", data}, 1, "not found"})
	run1(t, step{"erased", "", []string{"student", "erase", gone.Ref, "--yes", "--data", data}, 0, "erased.json"})
	run1(t, step{"erased twice", "", []string{"student", "erase", gone.Ref, "--yes", "--data", data}, 1, "not found"})
	run1(t, step{"found no more", gone.IDNumber + "\n", []string{"student", "find", "--data", data}, 1, "nobody"})
	run1(t, step{"the others are whole", "", []string{"verify-packets", "--json", "--data", data}, 0, `"whole": 2`})
	run1(t, step{"the log is whole", "", []string{"verify-audit", "--data", data}, 0, "whole"})

	state := func(dir string) string {
		var st central.Stats
		if err := json.Unmarshal([]byte(run1(t, step{"stats", "", []string{"stats", "--json", "--data", dir}, 0, "packets"})), &st); err != nil {
			t.Fatal(err)
		}
		for _, p := range st.Packets {
			if p.ID == photo {
				return p.State
			}
		}
		return "none"
	}
	list := filepath.Join(data, central.FileTombstones)
	with, without, torn := filepath.Join(away, "with"), filepath.Join(away, "without"), filepath.Join(away, "torn")
	run1(t, step{"beside the list", "", []string{"restore", backup, "--data", with, "--identity", identity, "--erased", list}, 0, "Restored"})
	run1(t, step{"beside none", "", []string{"restore", backup, "--data", without, "--identity", identity}, 0, "Restored"})
	if a, b := state(with), state(without); a != "erased" || b != "approved" {
		t.Errorf("the erased photo is %s beside the list and %s without", a, b)
	}
	run1(t, step{"a list that is none", "", []string{"restore", backup, "--data", torn, "--identity", identity, "--erased", backup}, 1, "erased.json"})
	run1(t, step{"over a directory in use", "", []string{"restore", backup, "--data", data, "--identity", identity, "--erased", list}, 1, "not empty"})
}

func TestPacketsOnTheDiskAreVerified(t *testing.T) {
	data := filepath.Join(t.TempDir(), "central")
	_, sealed := photographed(t, data, 3)
	path := filepath.Join(data, "packets", sealed[1].ID.String()+".pkt")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(good, sealed[1].Bytes[:16]) {
		t.Error("the packet lies there as its station sealed it")
	}
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 1
	for what, b := range map[string][]byte{"a changed byte": bad, "cut": good[:100], "missing": nil} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if b != nil {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out := run1(t, step{what, "", []string{"verify-packets", "--data", data}, 1, "whole 2"})
		if !strings.Contains(out, sealed[1].ID.String()) {
			t.Errorf("%s: the packet is not named:\n%s", what, out)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPurgeFromTheCommandLine(t *testing.T) {
	data := filepath.Join(t.TempDir(), "central")
	photographed(t, data, 3)
	if out := run1(t, step{"nothing is due", "", []string{"purge", "--data", data}, 0, ""}); out != "" {
		t.Errorf("something was done:\n%s", out)
	}
	run1(t, step{"a dry run", "", []string{"purge", "--dry-run", "--data", data}, 0, ""})
}

func TestACentreThatWantsTwoPeople(t *testing.T) {
	data, out := filepath.Join(t.TempDir(), "central"), filepath.Join(t.TempDir(), "photos")
	_, sealed := photographed(t, data, 3)
	srv, err := central.Open(data, central.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(srv.PutRules(ctx, central.DemoBatchFree, central.BatchRules{TwoToExport: true}, "test"))
	x, err := srv.AskExport(ctx, central.DemoBatchFree, "{student_no}", "学校", "anna")
	must(err)
	must(srv.Close())
	export := []string{"export", "--data", data, "--out", out}
	run1(t, step{"by one", "", export, 1, "two people"})
	packet := filepath.Join(t.TempDir(), "p.pkt")
	must(os.WriteFile(packet, sealed[0].Bytes, 0o600))
	run1(t, step{"one portrait", "", []string{"export-portrait", sealed[0].ID.String(), "--out", filepath.Join(t.TempDir(), "p.jpg"), "--data", data}, 1, "two people"})
	run1(t, step{"one packet", "", []string{"packet", "open", packet, "--out", t.TempDir(), "--data", data}, 1, "two people"})
	run1(t, step{"not confirmed", "", append(export, "--request", x.ID), 1, "not confirmed"})
	srv, err = central.Open(data, central.Options{})
	must(err)
	must(srv.DecideExport(ctx, x.ID, true, "bert"))
	must(srv.Close())
	run1(t, step{"by two", "", append(export, "--request", x.ID), 0, "written 2"})
	run1(t, step{"no such request", "", append(export, "--request", "none"), 1, "not found"})
}

// TestAsAStranger tries what somebody types who has not read the manual.
func TestAsAStranger(t *testing.T) {
	none, file := filepath.Join(t.TempDir(), "none"), filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	out, stop := serve(t, "--data", data, "--demo")
	out.wait(t, `Demo batch +(\S+)`)
	out.wait(t, `Enrolment code +(\S+)`)
	out.wait(t, `Reviewer login +(\S+)`)
	for _, s := range []step{
		{"no directory", "", []string{"stats", "--data", none}, 1, "not a data directory"},
		{"a file for a directory", "", []string{"stats", "--data", file}, 1, "not a data directory"},
		{"a file to serve", "", []string{"serve", "--data", file, "--listen", "127.0.0.1:0"}, 1, "data directory"},
		{"a second server", "", []string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, 1, "in use"},
		{"a bad address", "", []string{"serve", "--data", none, "--listen", "nonsense"}, 1, "listen"},
		{"no roster", "", []string{"import-roster", none, "--data", data}, 2, "none"},
		{"a bad roster", "", []string{"import-roster", file, "--data", data}, 1, "姓名"},
		{"a roster for no batch", "", []string{"import-roster", file, "--data", data, "--batch", "none"}, 1, "none"},
		{"a code", "", []string{"code", "--data", data}, 0, "."},
		{"a code for no batch", "", []string{"code", "--data", data, "--batch", "none"}, 1, "not found"},
		{"stats while it serves", "", []string{"stats", "--json", "--data", data}, 0, `"packets": []`},
		{"export of nothing", "", []string{"export", "--data", data, "--out", filepath.Join(t.TempDir(), "x")}, 0, "approved 0"},
		{"export into a file", "", []string{"export", "--data", data, "--out", file}, 1, "directory"},
		{"restore of no backup", "", []string{"restore", file, "--data", none, "--identity", filepath.Join(data, "keys", recoveryName)}, 1, "not a whole backup"},
		{"verify while it serves", "", []string{"verify-packets", "--data", data}, 0, "whole 0"},
		{"no command", "", nil, 2, "expected one of"},
	} {
		t.Run(s.name, func(t *testing.T) { run1(t, s) })
	}
	if c := stop(); c != 0 {
		t.Errorf("serve ended with %d", c)
	}
}
