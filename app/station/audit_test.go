package station

import (
	"bytes"
	"crypto/ed25519"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// auditKey is a station's key for tests: the same at every run.
func auditKey() (ed25519.PrivateKey, ed25519.PublicKey) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	return key, key.Public().(ed25519.PublicKey)
}

func openTestAudit(t *testing.T, dir string) *auditLog {
	t.Helper()
	key, _ := auditKey()
	a, err := openAudit(dir, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// auditOf writes a log with those events and ends it in order.
func auditOf(t *testing.T, events ...string) (dir, head string) {
	t.Helper()
	dir = t.TempDir()
	a := openTestAudit(t, dir)
	for i, e := range events {
		if _, err := a.append(AuditEntry{At: time.Unix(int64(i), 0), Session: SessionHash("s"), Event: e, Detail: "<detail> & more\n", By: "li", Role: "operator", Value: "9°", Limit: "≤ 5°"}); err != nil {
			t.Fatal(err)
		}
	}
	head = a.chainHead()
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	return dir, head
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func verifyTest(t *testing.T, dir, packetHead string) AuditReport {
	t.Helper()
	_, public := auditKey()
	r, err := VerifyAudit(dir, public, packetHead)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAuditGoesOnWhereItStopped(t *testing.T) {
	dir, head := auditOf(t, "a", "b", "c")
	if r := verifyTest(t, dir, head); !r.Clean() || r.Entries != 3 || r.Signed != 3 || r.Unsigned != 0 || r.Head != head {
		t.Fatalf("%+v", r)
	}
	a := openTestAudit(t, dir)
	if a.chainHead() != head || head == "" {
		t.Fatalf("head %q, want %q", a.chainHead(), head)
	}
	line, err := a.append(AuditEntry{At: time.Now(), Event: "d"})
	if err != nil || !strings.Contains(string(line), `"prev":"`+head+`"`) || !strings.HasPrefix(string(line), `{"n":4,`) {
		t.Errorf("%s: %v", line, err)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	if r := verifyTest(t, dir, head); !r.Clean() || r.Entries != 4 {
		t.Errorf("%+v", r)
	}
	for _, name := range []string{auditFile, auditHeadFile} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v: %v", name, st.Mode(), err)
		}
	}
}

// crashed copies a log as a power cut leaves it: never closed, the last line
// torn at that many bytes, the head signed at least as far as headAt.
func crashed(t *testing.T, keep func(whole []byte) int) (dir string, entries int) {
	t.Helper()
	from := t.TempDir()
	a := openTestAudit(t, from)
	for _, e := range []string{"a", "b"} {
		if _, err := a.append(AuditEntry{At: time.Unix(1, 0), Event: e}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.checkpoint(false); err != nil {
		t.Fatal(err)
	}
	head := readFile(t, filepath.Join(from, auditHeadFile))
	if _, err := a.append(AuditEntry{At: time.Unix(1, 0), Event: "c"}); err != nil {
		t.Fatal(err)
	}
	whole := readFile(t, filepath.Join(from, auditFile))
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	n := keep(whole)
	writeFile(t, filepath.Join(dir, auditFile), whole[:n])
	writeFile(t, filepath.Join(dir, auditHeadFile), head)
	return dir, bytes.Count(whole[:n], []byte("\n"))
}

// A power cut may leave any part of what was written after the last signed head.
func TestAuditCutsATornLine(t *testing.T) {
	second := func(whole []byte) int {
		return bytes.IndexByte(whole, '\n') + 1 + bytes.IndexByte(whole[bytes.IndexByte(whole, '\n')+1:], '\n') + 1
	}
	_, _ = crashed(t, func(whole []byte) int {
		for n := second(whole); n <= len(whole); n += 7 {
			dir, entries := crashed(t, func([]byte) int { return n })
			r := verifyTest(t, dir, "")
			if !r.Clean() || r.Entries != entries || r.Unsigned != entries-2 {
				t.Fatalf("cut at %d: %+v", n, r)
			}
			a := openTestAudit(t, dir)
			if _, err := a.append(AuditEntry{At: time.Now(), Event: "after the cut"}); err != nil {
				t.Fatal(err)
			}
			if err := a.close(); err != nil {
				t.Fatal(err)
			}
			if r := verifyTest(t, dir, ""); !r.Clean() || r.Unsigned != 0 || r.Torn {
				t.Fatalf("cut at %d, afterwards: %+v", n, r)
			}
			if data := readFile(t, filepath.Join(dir, auditFile)); entries > 2 != bytes.Contains(data, []byte("audit.resumed")) {
				t.Fatalf("cut at %d: entries after the signed head go unnoticed:\n%s", n, data)
			}
		}
		return len(whole)
	})
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// Every way to change a log is found, and where: by the walk, and again when
// the station starts, which puts the log aside and says so.
func TestAuditNoticesTampering(t *testing.T) {
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	for name, c := range map[string]struct {
		change  func(lines [][]byte) []byte
		head    func(dir string)
		broken  int
		problem AuditProblem
	}{
		"edited first":     {change: func(l [][]byte) []byte { return bytes.Replace(join(l...), []byte("one"), []byte("eno"), 1) }, broken: 1, problem: AuditChain},
		"edited middle":    {change: func(l [][]byte) []byte { return bytes.Replace(join(l...), []byte("two"), []byte("owt"), 1) }, broken: 2, problem: AuditChain},
		"edited last":      {change: func(l [][]byte) []byte { return bytes.Replace(join(l...), []byte("four"), []byte("ruof"), 1) }, broken: 4, problem: AuditHeadWrong},
		"value edited":     {change: func(l [][]byte) []byte { return bytes.Replace(join(l...), []byte("9°"), []byte("1°"), 1) }, broken: 1, problem: AuditChain},
		"deleted first":    {change: func(l [][]byte) []byte { return join(l[1:]...) }, broken: 1, problem: AuditNumber},
		"deleted middle":   {change: func(l [][]byte) []byte { return join(l[0], l[2], l[3]) }, broken: 2, problem: AuditNumber},
		"deleted last":     {change: func(l [][]byte) []byte { return join(l[:3]...) }, broken: 4, problem: AuditCut},
		"all deleted":      {change: func([][]byte) []byte { return nil }, broken: 1, problem: AuditCut},
		"truncated inside": {change: func(l [][]byte) []byte { b := join(l...); return b[:len(b)-5] }, broken: 4, problem: AuditCut},
		"newline cut":      {change: func(l [][]byte) []byte { b := join(l...); return b[:len(b)-1] }, broken: 4, problem: AuditCut},
		"doubled":          {change: func(l [][]byte) []byte { return join(l[0], l[1], l[1], l[2], l[3]) }, broken: 3, problem: AuditNumber},
		"inserted": {change: func(l [][]byte) []byte {
			forged := bytes.Replace(l[1], []byte("two"), []byte("six"), 1) // number and predecessor fit
			return join(l[0], forged, l[1], l[2], l[3])
		}, broken: 3, problem: AuditNumber},
		"replaced, numbers kept": {change: func(l [][]byte) []byte { return join(l[0], l[1], l[1], l[3]) }, broken: 3, problem: AuditNumber},
		"added at the end": {change: func(l [][]byte) []byte {
			e := bytes.Replace(l[3], []byte(`"n":4`), []byte(`"n":5`), 1)
			at := bytes.Index(e, []byte(`"prev":"`)) + len(`"prev":"`)
			copy(e[at:], digest(bytes.TrimSuffix(l[3], []byte("\n"))))
			return join(l[0], l[1], l[2], l[3], e)
		}, broken: 5, problem: AuditAdded},
		"half a line added": {change: func(l [][]byte) []byte { return join(join(l...), []byte(`{"n":5`)) }, broken: 5, problem: AuditAdded},
		"reordered":         {change: func(l [][]byte) []byte { return join(l[0], l[2], l[1], l[3]) }, broken: 2, problem: AuditNumber},
		"last two swapped":  {change: func(l [][]byte) []byte { return join(l[0], l[1], l[3], l[2]) }, broken: 3, problem: AuditNumber},
		"not JSON":          {change: func(l [][]byte) []byte { return join(l[0], []byte("{]\n"), l[2]) }, broken: 2, problem: AuditUnreadable},
		"empty line":        {change: func(l [][]byte) []byte { return join(l[0], []byte("\n"), l[1]) }, broken: 2, problem: AuditUnreadable},
		"other bytes":       {change: func(l [][]byte) []byte { return join([]byte{0, 0, '\n'}, join(l...)) }, broken: 1, problem: AuditUnreadable},
		"a whole new chain": {change: func([][]byte) []byte {
			dir, _ := auditOf(t, "one", "nothing", "happened", "here")
			return readFile(t, filepath.Join(dir, auditFile))
		}, broken: 4, problem: AuditHeadWrong},
		"head deleted": {head: func(dir string) {
			if err := os.Remove(filepath.Join(dir, auditHeadFile)); err != nil {
				t.Fatal(err)
			}
		}, broken: 4, problem: AuditNoHead},
		"head edited": {head: func(dir string) {
			path := filepath.Join(dir, auditHeadFile)
			writeFile(t, path, bytes.Replace(readFile(t, path), []byte(`"n":4`), []byte(`"n":3`), 1))
		}, broken: 4, problem: AuditForged},
		"head reopened": {head: func(dir string) {
			path := filepath.Join(dir, auditHeadFile)
			writeFile(t, path, bytes.Replace(readFile(t, path), []byte(`"closed":true`), []byte(`"closed":false`), 1))
		}, broken: 4, problem: AuditForged},
		"head of another station": {head: func(dir string) {
			a, err := openAudit(t.TempDir(), other, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			if err := a.close(); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, auditHeadFile), readFile(t, filepath.Join(a.dir, auditHeadFile)))
		}, broken: 4, problem: AuditForged},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := auditOf(t, "one", "two", "three", "four")
			path := filepath.Join(dir, auditFile)
			if c.change != nil {
				writeFile(t, path, c.change(bytes.SplitAfter(bytes.TrimSuffix(readFile(t, path), nil), []byte("\n"))[:4]))
			} else {
				c.head(dir)
			}
			evidence := readFile(t, path)
			if r := verifyTest(t, dir, ""); r.Clean() || r.Broken != c.broken || r.Problem != c.problem {
				t.Fatalf("broken at %d: %q, want %d: %q", r.Broken, r.Problem, c.broken, c.problem)
			}
			a := openTestAudit(t, dir)
			if err := a.close(); err != nil {
				t.Fatal(err)
			}
			r := verifyTest(t, dir, "")
			if r.Clean() || r.Broken != 0 || len(r.Aside) != 1 || r.Entries != 1 {
				t.Fatalf("after a start: %+v", r)
			}
			if kept := readFile(t, filepath.Join(dir, r.Aside[0])); !bytes.Equal(kept, evidence) {
				t.Error("the evidence was changed")
			}
			if now := readFile(t, path); !bytes.Contains(now, []byte("audit.broken")) || !bytes.Contains(now, []byte(string(c.problem))) {
				t.Errorf("the new log does not say so:\n%s", now)
			}
		})
	}
}

// Every flipped bit of a log and of its head is found.
func TestAuditNoticesEveryFlippedBit(t *testing.T) {
	dir, _ := auditOf(t, "one", "two", "three")
	_, public := auditKey()
	data, head := readFile(t, filepath.Join(dir, auditFile)), readFile(t, filepath.Join(dir, auditHeadFile))
	if r := judgeAudit(data, head, true, public); !r.Clean() {
		t.Fatalf("%+v", r)
	}
	missed := 0
	for i := range data {
		for bit := range 8 {
			data[i] ^= 1 << bit
			if r := judgeAudit(data, head, true, public); r.Clean() {
				missed++
			}
			data[i] ^= 1 << bit
		}
	}
	for i := range head {
		for bit := range 8 {
			head[i] ^= 1 << bit
			// Other spellings of the same JSON are the same head.
			if r := judgeAudit(data, head, true, public); r.Clean() && r.Signed != 3 {
				missed++
			}
			head[i] ^= 1 << bit
		}
	}
	if missed > 0 {
		t.Errorf("%d flipped bits went unnoticed of %d", missed, 8*(len(data)+len(head)))
	}
}

// A log whose entries and head were both set back still contradicts the outbox.
func TestAuditSetBackContradictsTheLastPacket(t *testing.T) {
	dir, _ := auditOf(t, "one", "two")
	data, head := readFile(t, filepath.Join(dir, auditFile)), readFile(t, filepath.Join(dir, auditHeadFile))
	a := openTestAudit(t, dir)
	if _, err := a.append(AuditEntry{At: time.Now(), Event: "override"}); err != nil {
		t.Fatal(err)
	}
	packetHead := a.chainHead()
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	if r := verifyTest(t, dir, packetHead); !r.Clean() {
		t.Fatalf("%+v", r)
	}
	writeFile(t, filepath.Join(dir, auditFile), data)
	writeFile(t, filepath.Join(dir, auditHeadFile), head)
	if r := verifyTest(t, dir, packetHead); r.Broken != 3 || r.Problem != AuditPacket {
		t.Errorf("%+v", r)
	}
}

func TestSessionHashTellsNoSession(t *testing.T) {
	const id = "01J00000000000000000000000"
	h := SessionHash(id)
	if len(h) != 32 || strings.Contains(h, id) || h == SessionHash(id+"x") || SessionHash("") != "" {
		t.Errorf("%q", h)
	}
}

func FuzzJudgeAudit(f *testing.F) {
	_, public := auditKey()
	f.Add([]byte(`{"n":1,"at":"2026-01-02T03:04:05Z","event":"x","prev":""}`+"\n{"), []byte(`{"n":1}`), true)
	f.Add([]byte("\n\n"), []byte{}, false)
	f.Fuzz(func(t *testing.T, data, head []byte, hasHead bool) {
		r := judgeAudit(data, head, hasHead, public)
		if r.good < 0 || r.good > len(data) || r.good > 0 && data[r.good-1] != '\n' || r.Entries < 0 || r.Broken < 0 || r.Broken == 0 != (r.Problem == "") {
			t.Fatalf("%+v of %d bytes", r, len(data))
		}
		if hasHead && r.Broken == 0 {
			t.Fatal("a head was forged")
		}
	})
}
