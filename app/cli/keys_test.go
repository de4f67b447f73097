package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/keys/swtpm"
)

// protectWith writes the settings that name a TPM.
func protectWith(t *testing.T, dir, protect, tpm string) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "yunzhao.toml"), fmt.Appendf(nil, "[keys]\nprotect = %q\ntpm = %q\n", protect, tpm), 0o600))
}

// keysFinding is the doctor's line about keys.
func keysFinding(t *testing.T, dir string) Finding {
	t.Helper()
	_, out, _ := yunzhao(t, "doctor", "--data", dir, "--json")
	var found []Finding
	must(t, json.Unmarshal([]byte(out), &found))
	for _, f := range found {
		if f.ID == "keys" {
			return f
		}
	}
	t.Fatal("the doctor says nothing about keys")
	return Finding{}
}

// TestCopiedDirectoryStaysClosed enrols a station whose keys the TPM keeps,
// and carries a copy of everything it has to a computer with another TPM.
func TestCopiedDirectoryStaysClosed(t *testing.T) {
	mine, other := swtpm.Start(t), swtpm.Start(t)
	d := newDeathbed(t)
	protectWith(t, d.dir, "auto", mine)
	run := func(code int, says string, args ...string) {
		t.Helper()
		got, out, errs := yunzhao(t, args...)
		if got != code || !strings.Contains(out+errs, says) {
			t.Errorf("%v: exit %d, want %d; said %q %q, want %q", args, got, code, out, errs, says)
		}
	}
	code, err := demoCode(t.Context(), d.url())
	must(t, err)
	run(0, "enrolled", "enroll", "--data", d.dir, "--central", d.url(), "--code", code)
	run(0, "roster 41", "sync", "--data", d.dir)
	run(0, "tpm", "key", "show", "--data", d.dir)
	if f := keysFinding(t, d.dir); f.Status != "ok" || !strings.Contains(f.Detail, "tpm") {
		t.Errorf("doctor: %+v", f)
	}

	stolen := filepath.Join(t.TempDir(), "stolen")
	must(t, os.CopyFS(stolen, os.DirFS(d.dir)))
	must(t, filepath.WalkDir(stolen, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	}))
	for name, tc := range map[string]struct{ tpm, says string }{
		"another computer":   {other, "put the data back on that computer"},
		"one without a TPM":  {filepath.Join(stolen, "none"), "enable it in the BIOS"},
		"one with a bad TPM": {filepath.Join(stolen, "yunzhao.toml"), "enable it in the BIOS"},
	} {
		t.Run(name, func(t *testing.T) {
			protectWith(t, stolen, "auto", tc.tpm)
			for _, args := range [][]string{
				{"sync"},
				{"verify"},
				{"audit", "verify"},
				{"simulate", "--sessions", "1"},
				{"key", "show"},
				{"export", "--to", t.TempDir()},
				{"import", "--from", t.TempDir()},
				{"pin", "set", "--role", "admin"},
			} {
				run(1, tc.says, append(args, "--data", stolen)...)
			}
			if f := keysFinding(t, stolen); f.Status != "fail" || !strings.Contains(f.Fix, tc.says) {
				t.Errorf("doctor: %+v", f)
			}
		})
	}
	t.Run("and back", func(t *testing.T) {
		protectWith(t, stolen, "auto", mine)
		run(0, "roster 41", "sync", "--data", stolen)
	})
}

// TestProtect moves a station's keys from plain files to a passphrase and to
// the TPM, and has the doctor judge each.
func TestProtect(t *testing.T) {
	tpm := swtpm.Start(t)
	c := newCarrier(t)
	protectWith(t, c.dir, "plain", tpm)
	c.answers()
	imports := []string{"import", "--data", c.dir, "--from", c.stick}
	c.run(0, "students 41", imports...)
	if f := keysFinding(t, c.dir); f.Status != "warn" || !strings.Contains(f.Fix, "--with tpm") {
		t.Errorf("plain, with a TPM: %+v", f)
	}
	protectWith(t, c.dir, "plain", "/nowhere")
	if f := keysFinding(t, c.dir); f.Status != "warn" || !strings.Contains(f.Fix, "--with passphrase") {
		t.Errorf("plain, without a TPM: %+v", f)
	}
	c.run(1, "enable it in the BIOS", "key", "protect", "--data", c.dir, "--with", "tpm")
	c.run(0, "plain", "key", "show", "--data", c.dir) // nothing was lost by that

	protectWith(t, c.dir, "tpm", tpm)
	if f := keysFinding(t, c.dir); f.Status != "fail" || !strings.Contains(f.Fix, "--with tpm") {
		t.Errorf("plain where the settings ask for the TPM: %+v", f)
	}
	c.run(0, "tpm", "key", "protect", "--data", c.dir, "--with", "tpm")
	if f := keysFinding(t, c.dir); f.Status != "ok" {
		t.Errorf("sealed: %+v", f)
	}
	c.run(0, "students 0", imports...)

	input(t, "短口令\n")
	c.run(1, "at least 8", "key", "protect", "--data", c.dir, "--with", "passphrase")
	input(t, "今天是开学第一天\n")
	c.run(0, "passphrase", "key", "protect", "--data", c.dir, "--with", "passphrase")
	c.run(1, envPassphrase, imports...)
	t.Setenv(envPassphrase, "不是这一个口令")
	c.run(1, "wrong", imports...)
	t.Setenv(envPassphrase, "今天是开学第一天")
	c.run(0, "students 0", imports...)
	c.run(0, "clean", "audit", "verify", "--data", c.dir, "--json")
}

// input gives the program that line to read.
func input(t *testing.T, line string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stdin")
	must(t, os.WriteFile(path, []byte(line), 0o600))
	f, err := os.Open(path)
	must(t, err)
	was := os.Stdin
	os.Stdin = f
	t.Cleanup(func() { os.Stdin = was; _ = f.Close() })
}
