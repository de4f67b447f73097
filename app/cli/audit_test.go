package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// enrolled is the directory of a station that has photographed n students.
func enrolled(t *testing.T, sessions string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "station")
	if code, _, errs := yunzhao(t, "simulate", "--data", dir, "--sessions", sessions); code != 0 {
		t.Fatalf("simulate: exit %d %s", code, errs)
	}
	return dir
}

// setPIN runs `yunzhao pin set` with a PIN on its standard input.
func setPIN(dir, role, staff, pin string) (string, error) {
	var out, errs bytes.Buffer
	err := PinSetCmd{DataFlag: DataFlag{Data: dir}, Role: role, Staff: staff}.Run(&streams{in: strings.NewReader(pin), out: &out, err: &errs})
	return out.String() + errs.String(), err
}

func TestPINsAndAuditFromTheCommandLine(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves whole sessions out")
	}
	dir := enrolled(t, "1")
	verify := func(wantCode int) (r auditResult) {
		t.Helper()
		code, out, errs := yunzhao(t, "audit", "verify", "--data", dir, "--json")
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != wantCode {
			t.Fatalf("audit verify: exit %d, want %d: %v %s %s", code, wantCode, err, out, errs)
		}
		return r
	}
	before := verify(0)
	if !before.Clean || before.Entries < 5 || before.Signed != before.Entries || before.Packet != "in_chain" {
		t.Fatalf("%+v", before)
	}

	for _, c := range []struct{ role, staff, pin, says string }{
		{"operator", "li", "4071\n", "li (operator)"},
		{"operator", "", "5083", "operator (operator)"},
		{"admin", "", "908172\r\n", "admin (admin)"},
		{"operator", "wang", "4071\n", "somebody else has this PIN"},
		{"operator", "wang", "1234\n", "too easy"},
		{"admin", "wang", "4077\n", "6 to 12"},
		{"operator", "Wang Li", "4077\n", "staff id"},
		{"operator", "wang", "", "4 to 12 digits"},
	} {
		out, err := setPIN(dir, c.role, c.staff, c.pin)
		if err != nil {
			out += err.Error()
		}
		if !strings.Contains(out, c.says) || strings.Contains(out, strings.TrimSpace(c.pin)) && len(c.pin) > 3 {
			t.Errorf("%s %s: %q, want %q", c.role, c.staff, out, c.says)
		}
	}
	if code, out, _ := yunzhao(t, "pin", "remove", "--data", dir, "--staff", "operator"); code != 0 {
		t.Errorf("remove: exit %d %s", code, out)
	}
	code, out, _ := yunzhao(t, "pin", "list", "--data", dir, "--json")
	var owners []pinOwner
	if err := json.Unmarshal([]byte(out), &owners); err != nil || code != 0 || len(owners) != 2 || owners[0].Staff != "li" || owners[1].Role != "admin" {
		t.Errorf("list: exit %d %s", code, out)
	}
	if r := verify(0); r.Entries != before.Entries+4 || r.Signed != r.Entries {
		t.Errorf("three PINs set and one removed are %d entries", r.Entries-before.Entries)
	}

	// One changed byte is found and named; a start puts the log aside, which
	// stays an alarm until somebody has looked at it.
	path := filepath.Join(dir, "audit.jsonl")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("4071")) && bytes.Contains(data, []byte(`"4071`)) {
		t.Error("the audit log holds a PIN")
	}
	tampered := bytes.Replace(data, []byte("consent.given"), []byte("consent.never"), 1)
	if bytes.Equal(tampered, data) {
		t.Fatal("nothing to change")
	}
	entry := bytes.Count(data[:bytes.Index(data, []byte("consent.given"))], []byte("\n")) + 1
	if err := os.WriteFile(path, tampered, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verify(1); r.Clean || r.Broken != entry || r.Problem != "chain" {
		t.Errorf("%+v, want entry %d", r, entry)
	}
	if code, out, _ := yunzhao(t, "audit", "verify", "--data", dir); code != 1 || !strings.Contains(out, "✗") {
		t.Errorf("exit %d %s", code, out)
	}
	if code, _, errs := yunzhao(t, "pin", "remove", "--data", dir, "--staff", "li"); code != 0 {
		t.Fatalf("exit %d %s", code, errs)
	}
	if r := verify(1); len(r.Aside) != 1 || r.Broken != 0 || r.Entries != 2 {
		t.Errorf("%+v", r)
	}
}
