package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/central"
)

// A stranger at the command line, and everything that may stand where central
// should be: one sentence and the right exit code each time.
func TestAStrangerBeforeCentral(t *testing.T) {
	c, err := central.Open(t.TempDir(), central.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	web := httptest.NewServer(c.Handler())
	t.Cleanup(web.Close)
	info, err := c.SeedDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>Please log in</html>"))
	}))
	t.Cleanup(portal.Close)
	sick := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "down", http.StatusBadGateway)
	}))
	t.Cleanup(sick.Close)
	dead := httptest.NewServer(nil)
	dead.Close()
	_, fingerprint, _ := strings.Cut(info.EnrolCode, ".")
	strange := "AAAA-BBBB-CCCC." + fingerprint
	dir := t.TempDir()
	for _, x := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"sync before enrolment", []string{"sync", "--data", dir}, exitFailed, "enroll"},
		{"nobody there", []string{"enroll", "--data", dir, "--central", dead.URL, "--code", info.EnrolCode}, exitFailed, "连不上审核中心"},
		{"a portal", []string{"enroll", "--data", dir, "--central", portal.URL, "--code", info.EnrolCode}, exitFailed, "不是登记码所指的审核中心"},
		{"a sick proxy", []string{"enroll", "--data", dir, "--central", sick.URL, "--code", info.EnrolCode}, exitFailed, "暂时不能登记"},
		{"a wrong code", []string{"enroll", "--data", dir, "--central", web.URL, "--code", strange}, exitFailed, "拒绝了登记码"},
		{"no code at all", []string{"enroll", "--data", dir, "--central", web.URL, "--code", "hello"}, exitFailed, ""},
		{"enrolled", []string{"enroll", "--data", dir, "--central", web.URL, "--code", info.EnrolCode}, 0, "已登记"},
		{"sync", []string{"sync", "--data", dir, "--until-empty"}, 0, "pending 0"},
		{"trial of nobody", []string{"conformance", "--central", dead.URL, "--code", info.EnrolCode}, exitRefused, "no answer"},
		{"trial of a portal", []string{"conformance", "--central", portal.URL, "--code", info.EnrolCode}, exitRefused, "FAIL"},
	} {
		code, out, errs := yunzhao(t, x.args...)
		if code != x.code || !strings.Contains(out+errs, x.says) || x.code == exitFailed && strings.Count(strings.TrimSpace(errs), "\n") > 0 {
			t.Errorf("%s: exit %d, want %d\n%s%s", x.name, code, x.code, out, errs)
		}
	}
	web.Close() // central is killed
	code, out, errs := yunzhao(t, "sync", "--data", dir)
	if code != exitFailed || !strings.Contains(out, "连不上审核中心") {
		t.Errorf("after central was killed: exit %d\n%s%s", code, out, errs)
	}
}
