package cli

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/conformance"
)

func TestConformanceOfTheReferenceServer(t *testing.T) {
	c, err := central.Open(t.TempDir(), central.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	web := httptest.NewServer(c.Handler())
	defer web.Close()
	info, err := c.SeedDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	code, out, errs := yunzhao(t, "conformance", "--central", web.URL, "--code", info.EnrolCode, "--json")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var results []conformance.Result
	if err := json.Unmarshal([]byte(out), &results); err != nil || len(results) < 45 {
		t.Fatalf("%d rules, %v", len(results), err)
	}
	// The code is used up: what follows cannot be tried, and says so.
	code, out, _ = yunzhao(t, "conformance", "--central", web.URL, "--code", info.EnrolCode)
	if code != exitRefused || !strings.Contains(out, "FAIL  enroll.signed") {
		t.Fatalf("exit %d: %s", code, out)
	}
}
