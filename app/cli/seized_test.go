package cli

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/keys"
)

// needles are the ways in which somebody could be found on a disk.
func needles(people []person) map[string][]byte {
	out := map[string][]byte{"PNG file": []byte("\x89PNG\r\n\x1a\n")}
	add := func(what, s string) {
		if s == "" {
			return
		}
		out[what] = []byte(s)
		var escaped strings.Builder
		var wide []byte
		for _, u := range utf16.Encode([]rune(s)) {
			fmt.Fprintf(&escaped, `\u%04x`, u)
			wide = append(wide, byte(u), byte(u>>8))
		}
		out[what+" in UTF-16"] = wide
		out[what+" escaped"] = []byte(escaped.String())
		out[what+" in hex"] = []byte(hex.EncodeToString([]byte(s)))
	}
	for i, p := range people {
		add(fmt.Sprintf("name %d", i), p.Name)
		add(fmt.Sprintf("document %d", i), p.IDNumber)
		add(fmt.Sprintf("student number %d", i), p.StudentNo)
	}
	// Rows of a roster and of a manifest by their fields.
	for _, field := range []string{`"id_number"`, `"student_no"`, `"name":`, `"student_ref"`, `"identified_by"`, `"note_zh"`} {
		out["field "+field] = []byte(field)
	}
	return out
}

// jpegs counts what begins like a JPEG file. The first three bytes alone appear
// by chance in a few megabytes of ciphertext: the marker segments after them
// must follow on each other too.
func jpegs(b []byte) int {
	n := 0
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("\xff\xd8\xff"))
		if i < 0 {
			return n
		}
		at += i + 2
		next, ok := at, true
		for range 2 {
			if next+4 > len(b) || b[next] != 0xff || b[next+1] < 0xc0 || b[next+1] == 0xff {
				ok = false
				break
			}
			next += 2 + int(b[next+2])<<8 + int(b[next+3])
		}
		if ok {
			n++
		}
	}
}

// search looks through every file below dir and returns what it found.
func search(t *testing.T, dir string, find map[string][]byte) (hits []string, files int, size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		size += int64(len(b))
		for what, needle := range find {
			if bytes.Contains(b, needle) || strings.Contains(path, string(needle)) {
				hits = append(hits, what+" in "+path)
			}
		}
		if n := jpegs(b); n > 0 {
			hits = append(hits, fmt.Sprintf("%d JPEG in %s", n, path))
		}
		return nil
	})
	must(t, err)
	return hits, files, size
}

// TestSeizedDisk searches everything that a used station has left on a disk,
// its data directory, home, caches, temporary files and logs, for students: as
// text in several encodings, as pictures, as rows. The station was killed in
// the middle of a session, has a reviewer's note and has exported to a stick.
func TestSeizedDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves whole sessions out")
	}
	disk := t.TempDir()
	for _, d := range []string{"home", "tmp", "cache", "stick", "log"} {
		must(t, os.Mkdir(filepath.Join(disk, d), 0o700))
	}
	for env, d := range map[string]string{"HOME": "home", "TMPDIR": "tmp", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "home", "XDG_CONFIG_HOME": "home"} {
		t.Setenv(env, filepath.Join(disk, d))
	}
	t.Setenv("YUNZHAO_PASSPHRASE", "correct horse battery staple")
	d := newDeathbed(t)
	d.dir = filepath.Join(disk, "data")
	sessions := faultRuns(1, 20)
	c := startChild(t, "simulate", "--data", d.dir, "--sessions", "1000", "--central", d.url())
	for l := range c.lines {
		d.heard(l)
		if len(d.saved) == sessions {
			break
		}
	}
	c.kill(t, d.heard)
	if len(d.saved) < sessions {
		t.Fatalf("%d sessions: %s", len(d.saved), &c.errs)
	}
	must(t, os.WriteFile(filepath.Join(disk, "log", "simulate"), c.errs.Bytes(), 0o600))
	d.commit(2)
	if code, _, errs := yunzhao(t, "sync", "--data", d.dir, "--until-empty"); code != 0 {
		t.Fatalf("sync: %s", errs)
	}
	d.central.kill(t, func(string) {})
	s, err := central.Open(d.centralDir, central.Options{})
	must(t, err)
	rejected := false
	for id := range d.saved {
		rejected = rejected || s.Reject(t.Context(), id, "rev", "other", "李四站在测试甲一旁边") == nil
	}
	must(t, s.Close())
	if !rejected {
		t.Fatal("no photo could be rejected")
	}
	d.startCentral()
	d.commit(1)
	if code, _, errs := yunzhao(t, "sync", "--data", d.dir); code != 0 {
		t.Fatalf("sync: %s", errs)
	}
	if code, _, errs := yunzhao(t, "export", "--data", d.dir, "--to", filepath.Join(disk, "stick"), "--all"); code != 0 {
		t.Fatalf("export: %s", errs)
	}
	find := needles(rosterOf(t, d.dir))
	find["reviewer's note"] = []byte("李四站在")
	hits, files, size := search(t, disk, find)
	for _, h := range hits {
		t.Errorf("found %s", h)
	}
	t.Logf("COUNT seized disk: %d needles over %d files of %.1f MB after %d sessions, one of them killed: %d hits", len(find)+1, files, float64(size)/1e6, len(d.saved), len(hits))

	t.Run("the search finds what is there", func(t *testing.T) {
		dir := t.TempDir()
		for what, needle := range find {
			must(t, os.WriteFile(filepath.Join(dir, "f"), append([]byte("xx"), append(needle, "yy"...)...), 0o600))
			if hits, _, _ := search(t, dir, find); len(hits) == 0 {
				t.Errorf("%s is overlooked", what)
			}
		}
		must(t, os.WriteFile(filepath.Join(dir, "f"), append(make([]byte, 1000), anyPicture()...), 0o600))
		if hits, _, _ := search(t, dir, find); len(hits) != 1 {
			t.Errorf("a picture gives %v", hits)
		}
	})
}

// TestFlippedBitsOfTheAuditLog flips bits all over the audit log of a station
// that has ended. Each must be found.
func TestFlippedBitsOfTheAuditLog(t *testing.T) {
	dir := t.TempDir()
	store, err := keys.Open(filepath.Join(dir, keysDir))
	must(t, err)
	key, err := store.StationKey()
	must(t, err)
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		t.Fatal("no key")
	}
	for i := range 60 {
		must(t, station.NoteAudit(dir, key, nil, station.AuditEntry{At: time.Unix(int64(i), 0), Session: station.SessionHash(fmt.Sprint(i)), Event: "override", Detail: "reason"}))
	}
	if r, err := station.VerifyAudit(dir, public, ""); err != nil || !r.Clean() || r.Entries != 60 {
		t.Fatalf("%+v %v", r, err)
	}
	path := filepath.Join(dir, "audit.jsonl")
	good, err := os.ReadFile(path)
	must(t, err)
	r := rand.New(rand.NewPCG(1, 4))
	flips := faultRuns(300, 10_000)
	for range flips {
		bit := r.IntN(8 * len(good))
		b := bytes.Clone(good)
		b[bit/8] ^= 1 << (bit % 8)
		must(t, os.WriteFile(path, b, 0o600))
		if rep, err := station.VerifyAudit(dir, public, ""); err == nil && rep.Clean() && !rep.Torn && rep.Entries == 60 {
			t.Fatalf("bit %d is flipped and the log is clean", bit)
		}
	}
	t.Logf("COUNT flipped bits of the audit log: %d over %d bytes, all found", flips, len(good))
}
