package central

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// TestDemoCode: the demonstration gives codes away, each good for one station;
// neither a real central nor one that got a real batch does.
func TestDemoCode(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	info, err := s.SeedDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(h http.Handler) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, DemoCodePath, nil))
		return w
	}
	if w := ask(s.Handler()); w.Code != http.StatusNotFound {
		t.Errorf("without --demo: %d %s", w.Code, w.Body)
	}
	w := ask(s.DemoHandler())
	var c DemoCode
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || w.Code != http.StatusOK || c.Code == info.EnrolCode {
		t.Fatalf("%d %s %v", w.Code, w.Body, err)
	}
	one, fingerprint, ok := strings.Cut(c.Code, ".")
	if !ok || fingerprint != s.Fingerprint() {
		t.Fatalf("code %q for fingerprint %s", c.Code, s.Fingerprint())
	}
	said, err := s.enroll(t.Context(), wire.EnrollRequest{Version: wire.Version, Code: one, PublicKey: make([]byte, 32)}, "x", "x")
	if err != nil || len(said.Batches) != 2 {
		t.Fatalf("%+v %v", said, err)
	}
	if w := httptest.NewRecorder(); true {
		s.DemoHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/login", nil))
		if w.Code != http.StatusOK {
			t.Errorf("the rest of central behind the door: %d", w.Code)
		}
	}
	genuine := s.demoBatches()[0]
	genuine.ID = "real"
	if err := s.PutBatch(t.Context(), genuine, "test"); err != nil {
		t.Fatal(err)
	}
	if w := ask(s.DemoHandler()); w.Code != http.StatusForbidden {
		t.Errorf("with a real batch: %d %s", w.Code, w.Body)
	}
	for range 40 {
		w = ask(s.DemoHandler())
	}
	if w.Code != http.StatusTooManyRequests {
		t.Errorf("after forty: %d", w.Code)
	}
}
