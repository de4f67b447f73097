package cli

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/central"
)

func yunzhao(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"version"}, 0, "yunzhao "},
		{[]string{"--help"}, 0, "standardize"},
		{nil, 2, "wrong usage"},
		{[]string{"fly"}, 2, "wrong usage"},
		{[]string{"camera", "shot"}, 2, "--out"},
		{[]string{"demo", "--size", "huge"}, 2, "1280x800"},
		{[]string{"run", "--data", "DIR", "--size", "1280"}, 1, "--size"},
		{[]string{"verify", "--data", "DIR"}, 2, "not a station"},
		{[]string{"sync", "--data", "DIR"}, 1, "enroll"},
		{[]string{"pin", "set", "--data", "DIR"}, 2, "--role"},
		{[]string{"pin", "set", "--role", "operator", "--data", "DIR"}, 2, "not a station"},
		{[]string{"pin", "list", "--data", "DIR"}, 0, "no PIN is set"},
		{[]string{"audit", "verify", "--data", "DIR"}, 2, "not a station"},
		{[]string{"simulate", "--data", "DIR", "--central", "http://127.0.0.1:1"}, 1, "--code"},
		{[]string{"enroll", "--data", "DIR", "--central", "http://127.0.0.1:1", "--code", "x"}, 1, "yunzhao: "},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			args := append([]string(nil), c.args...)
			for i := range args {
				if args[i] == "DIR" {
					args[i] = filepath.Join(t.TempDir(), "none")
				}
			}
			code, out, errs := yunzhao(t, args...)
			if code != c.code || !strings.Contains(out+errs, c.says) {
				t.Errorf("exit %d, want %d; said %q %q", code, c.code, out, errs)
			}
		})
	}
}

func TestSettingsErrorNamesTheKey(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "yunzhao.toml"), []byte("[camera]\nmount_rotation = 45\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := yunzhao(t, "run", "--data", dir); code != 1 || !strings.Contains(errs, "camera.mount_rotation = 45") {
		t.Errorf("exit %d: %s", code, errs)
	}
	code, out, _ := yunzhao(t, "doctor", "--data", dir, "--json")
	var found []Finding
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != 1 {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	byID := map[string]Finding{}
	for _, f := range found {
		byID[f.ID] = f
		if f.Title == "" || (f.Status != "ok" && f.Fix == "") {
			t.Errorf("%s says too little: %+v", f.ID, f)
		}
	}
	if byID["settings"].Status != "fail" {
		t.Errorf("settings: %+v", byID["settings"])
	}
	for _, id := range []string{"data", "disk", "enrolled", "camera", "faces", "display", "clock", "swap", "core-dumps"} {
		if _, ok := byID[id]; !ok {
			t.Errorf("doctor does not look at %s", id)
		}
	}
}

func TestDoctorSeesADirectoryThatOthersMayRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if f := doctorData(dir); f.Status != "fail" || !strings.Contains(f.Fix, "chmod 700") {
		t.Errorf("%+v", f)
	}
}

// TestStationOfItsOwn goes the whole way without a window: enrol at a real
// central server, run sessions, verify, send, and find everything there.
func TestStationOfItsOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves whole sessions out")
	}
	srv := httptest.NewUnstartedServer(nil)
	c, err := central.Open(t.TempDir(), central.Options{PublicURL: "http://" + srv.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	srv.Config.Handler = c.Handler()
	srv.Start()
	defer srv.Close()
	info, err := c.SeedDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "station")
	if code, out, errs := yunzhao(t, "enroll", "--data", dir, "--central", srv.URL, "--code", info.EnrolCode); code != 0 || !strings.Contains(out, "enrolled") {
		t.Fatalf("enroll: exit %d %s %s", code, out, errs)
	}
	if code, _, errs := yunzhao(t, "enroll", "--data", filepath.Join(t.TempDir(), "two"), "--central", srv.URL, "--code", info.EnrolCode); code != 1 || !strings.Contains(errs, "refused the code") {
		t.Errorf("a used code: exit %d %s", code, errs)
	}
	code, out, errs := yunzhao(t, "simulate", "--data", dir, "--sessions", "2", "--central", srv.URL, "--seed", "3")
	if code != 0 {
		t.Fatalf("simulate: exit %d %s", code, errs)
	}
	saved := regexp.MustCompile(`(?m)^saved ([0-9A-Z]{26}) ([0-9a-f]{64})$`).FindAllStringSubmatch(out, -1)
	if len(saved) != 2 {
		t.Fatalf("simulate said %q", out)
	}
	code, out, _ = yunzhao(t, "verify", "--data", dir, "--json")
	var v verifyResult
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || !v.Clean || len(v.Packets) != 2 {
		t.Fatalf("verify: exit %d %v %s", code, err, out)
	}
	if code, _, errs = yunzhao(t, "sync", "--data", dir, "--until-empty", "--json"); code != 0 {
		t.Fatalf("sync: exit %d %s", code, errs)
	}
	for _, s := range saved {
		p, err := c.Packet(t.Context(), s[1])
		if err != nil || p.SHA256 != s[2] || p.Stage != central.StageOpened {
			t.Errorf("central has %+v, %v; want %v", p, err, s)
		}
	}
	// A flipped bit is found, named and not called clean.
	files, err := filepath.Glob(filepath.Join(dir, "outbox", "packets", "*.pkt"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, _ = yunzhao(t, "verify", "--data", dir); code != 1 || !strings.Contains(out, "✗") {
		t.Errorf("a flipped bit: exit %d %s", code, out)
	}
}
