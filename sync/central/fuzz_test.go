package central

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// FuzzBodies sends anything at all as the body of each JSON request, properly
// signed: central may refuse it, and must not fail over it.
func FuzzBodies(f *testing.F) {
	f.Add(uint8(0), []byte(`{"version":1,"code":"x","name":"n","public_key":"AAAA","software":"s"}`))
	f.Add(uint8(1), []byte(`{"packets":[{"id":"01K3ZJ8Q0V6M2E7C9T4R5W1XYB","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","size":3,"seq":1}]}`))
	f.Add(uint8(1), []byte(`{"packets":[{"id":"\u0000","size":-1}]}`))
	f.Add(uint8(2), []byte(`{"software":"x","pending":-5,"alarms":["a\u0000"]}`))
	f.Add(uint8(2), []byte(`[[[[[[`))
	var w *world // made with the first input: it needs a *testing.T
	var k *kiosk
	dir := f.TempDir()
	f.Cleanup(func() {
		if w != nil {
			w.http.Close()
			if err := w.s.Close(); err != nil {
				f.Error(err)
			}
		}
	})
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		if w == nil {
			w = &world{t: t, dir: dir, clock: &clock{t: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)}}
			w.start()
			if _, err := w.s.SeedDemo(t.Context()); err != nil {
				t.Fatal(err)
			}
			k = w.kiosk()
		}
		w.t = t
		w.clock.add(time.Minute) // past every rate limit
		path := []string{"/v1/enroll", "/v1/packets:declare", "/v1/heartbeat"}[which%3]
		req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		if err := wire.SignRequest(req, body, k.info.StationID, k.key, w.clock.now()); err != nil {
			t.Fatal(err)
		}
		rec := httptest.NewRecorder()
		w.s.Handler().ServeHTTP(rec, req)
		if rec.Code >= 500 && rec.Code != http.StatusServiceUnavailable {
			t.Fatalf("%s: %d %s", path, rec.Code, rec.Body)
		}
	})
}
