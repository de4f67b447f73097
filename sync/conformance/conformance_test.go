package conformance

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// trial starts the reference server, behind wrap, and runs the trial.
func trial(t *testing.T, wrap func(http.Handler) http.Handler) []Result {
	t.Helper()
	srv, err := central.Open(t.TempDir(), central.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}()
	web := httptest.NewServer(wrap(srv.Handler()))
	defer web.Close()
	info, err := srv.SeedDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 64, 64)), nil); err != nil {
		t.Fatal(err)
	}
	var told []string
	results, err := Run(t.Context(), Params{
		URL: web.URL, Code: info.EnrolCode, Portrait: picture.Bytes(), Looks: 3,
		Wait: func(ctx context.Context) error { return ctx.Err() }, Report: func(r Result) { told = append(told, r.ID) },
	})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range results {
		ids = append(ids, r.ID)
		if (r.Detail == "") != r.OK || r.Rule == "" {
			t.Errorf("%+v", r)
		}
	}
	if !slices.Equal(ids, told) {
		t.Error("not every result was reported as it came")
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != len(results) {
		t.Error("two rules have one id")
	}
	return results
}

func TestTheReferenceServerConforms(t *testing.T) {
	results := trial(t, func(h http.Handler) http.Handler { return h })
	if len(results) < 53 {
		t.Errorf("only %d rules were tried", len(results))
	}
	for _, r := range results {
		if !r.OK {
			t.Errorf("%s: %s: %s", r.ID, r.Rule, r.Detail)
		}
	}
}

// rewrite changes the answers to the requests that match.
func rewrite(match func(*http.Request) bool, change func(*http.Response, []byte) []byte) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !match(r) {
				h.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			resp := rec.Result()
			b, _ := io.ReadAll(resp.Body)
			b = change(resp, b)
			for k, v := range resp.Header {
				w.Header()[k] = v
			}
			w.Header().Del("Content-Length")
			w.WriteHeader(resp.StatusCode)
			_, _ = w.Write(b)
		})
	}
}

func to(method, part string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.Contains(r.URL.Path, part) }
}

// TestWrongServersAreFound has servers that each break one promise.
func TestWrongServersAreFound(t *testing.T) {
	_, forger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	resign := func(_ *http.Response, b []byte) []byte {
		var s wire.Signed
		if json.Unmarshal(b, &s) != nil || s.Type == "" {
			return b
		}
		forged, err := wire.Sign(forger, s.KeyID, s.Type, json.RawMessage(s.Payload))
		if err != nil {
			return b
		}
		out, _ := json.Marshal(forged)
		return out
	}
	success := func(resp *http.Response, _ []byte) []byte {
		resp.StatusCode = http.StatusOK
		return []byte("{}")
	}
	for name, tc := range map[string]struct {
		wrap func(http.Handler) http.Handler
		want []string // rules that must fail
	}{
		"forged acknowledgements": {rewrite(to(http.MethodPatch, "/packets/"), resign), []string{"upload.part", "upload.stored"}},
		"a captive portal in front": {rewrite(func(*http.Request) bool { return true }, func(resp *http.Response, _ []byte) []byte {
			resp.StatusCode = http.StatusOK
			resp.Header.Set("Content-Type", "text/html")
			return []byte("<html>login</html>")
		}), []string{"enroll.wrong_code", "enroll.signed"}},
		"every refusal is a success": {rewrite(to(http.MethodPost, "/heartbeat"), func(resp *http.Response, b []byte) []byte {
			if resp.StatusCode == http.StatusOK {
				return b
			}
			return success(resp, b)
		}), []string{"request.unsigned", "request.forged", "request.replay", "request.late", "request.body"}},
		"plain JSON": {rewrite(to(http.MethodGet, "/roster"), func(_ *http.Response, b []byte) []byte {
			var s wire.Signed
			if json.Unmarshal(b, &s) != nil {
				return b
			}
			return s.Payload
		}), []string{"roster.full", "roster.delta"}},
		"acknowledgements are withheld": {rewrite(to(http.MethodGet, "/verdicts"), func(resp *http.Response, _ []byte) []byte {
			resp.StatusCode = http.StatusServiceUnavailable
			return []byte(`{"code":"busy","message":"x"}`)
		}), []string{"verdicts.acks", "verdicts.opened", "verdicts.review", "verdicts.refused", "verdicts.future", "provisional.opened"}},
		"forged heartbeats": {rewrite(to(http.MethodPost, "/heartbeat"), resign), []string{"heartbeat", "heartbeat.store", "heartbeat.recipients"}},
	} {
		t.Run(name, func(t *testing.T) {
			failed := map[string]bool{}
			for _, r := range trial(t, tc.wrap) {
				failed[r.ID] = !r.OK
			}
			for _, id := range tc.want {
				if !failed[id] {
					t.Errorf("%s was passed", id)
				}
			}
		})
	}
}

func TestRunNeedsAnAddressACodeAndAPicture(t *testing.T) {
	good := "AAAA-BBBB-CCCC.0123456789abcdef"
	for name, p := range map[string]Params{
		"no address": {Code: good, Portrait: []byte{1}},
		"no code":    {URL: "http://127.0.0.1:1", Portrait: []byte{1}},
		"no picture": {URL: "http://127.0.0.1:1", Code: good},
	} {
		if _, err := Run(t.Context(), p); err == nil {
			t.Errorf("%s: a trial", name)
		}
	}
	results, err := Run(t.Context(), Params{URL: "http://127.0.0.1:1", Code: good, Portrait: []byte{1}})
	if err != nil || len(results) == 0 || results[len(results)-1].OK {
		t.Errorf("nobody there: %v %v", results, err)
	}
}

func TestOneStore(t *testing.T) {
	for _, tc := range []struct {
		name          string
		first, second wire.Hello
		ok            bool
	}{
		{"silent about both", wire.Hello{}, wire.Hello{}, true},
		{"one store, the last turn", wire.Hello{Epoch: 7}, wire.Hello{Epoch: 7, Slot: 2, Slots: 3}, true},
		{"another store each time", wire.Hello{Epoch: 7}, wire.Hello{Epoch: 8}, false},
		{"a store that is silent now", wire.Hello{Epoch: 7}, wire.Hello{}, false},
		{"a turn past the last", wire.Hello{}, wire.Hello{Slot: 3, Slots: 3}, false},
		{"a turn of none", wire.Hello{}, wire.Hello{Slot: 1}, false},
		{"a negative turn", wire.Hello{}, wire.Hello{Slot: -1, Slots: 3}, false},
	} {
		if err := oneStore(tc.first, tc.second); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
