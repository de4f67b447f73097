package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

func TestReportOfADay(t *testing.T) {
	dir := t.TempDir()
	if code, _, errs := yunzhao(t, "simulate", "--data", dir, "--sessions", "2"); code != 0 {
		t.Fatal(errs)
	}
	read := func(args ...string) reportResult {
		t.Helper()
		code, out, errs := yunzhao(t, append([]string{"report", "--json", "--data", dir}, args...)...)
		var r reportResult
		if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil || len(r.Files) != 2 {
			t.Fatalf("exit %d, %s %s %v", code, out, errs, err)
		}
		return r
	}
	r := read()
	if r.Captured != 2 || r.Saved != 2 || r.Differences != r.Saved-r.Acked {
		t.Errorf("%+v", r)
	}
	table, err := os.ReadFile(r.Files[0])
	if err != nil || strings.Contains(string(table), "姓名") {
		t.Errorf("names nobody asked for, %v", err)
	}
	named := read("--names")
	if table, err = os.ReadFile(named.Files[0]); err != nil || !strings.Contains(string(table), "姓名") || named.Files[0] == r.Files[0] {
		t.Errorf("%s %v", named.Files, err)
	}
	if sheet, err := os.ReadFile(named.Files[1]); err != nil || !bytes.HasPrefix(sheet, []byte("%PDF-")) {
		t.Errorf("no PDF: %v", err)
	}
	if info, err := os.Stat(named.Files[1]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", err)
	}
	if y := read("--day", time.Now().AddDate(0, 0, -1).Format(time.DateOnly)); y.Captured != 0 || y.Saved != 0 {
		t.Errorf("yesterday: %+v", y)
	}
	if code, _, errs := yunzhao(t, "report", "--data", dir, "--day", "7. 9."); code == 0 || !strings.Contains(errs, "--day") {
		t.Errorf("exit %d, %s", code, errs)
	}
}
