package wire_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func testKey(seed string) ed25519.PrivateKey {
	s := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(s[:])
}

var at = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

func lookupOne(id string, key ed25519.PrivateKey) func(string) (ed25519.PublicKey, bool) {
	return func(got string) (ed25519.PublicKey, bool) {
		if got != id {
			return nil, false
		}
		return key.Public().(ed25519.PublicKey), true
	}
}

func signed(t *testing.T, method, target string, body []byte, offset string) *http.Request {
	t.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(string(body)))
	if offset != "" {
		req.Header.Set(wire.HeaderUploadOffset, offset)
	}
	if err := wire.SignRequest(req, body, "st-1", testKey("station"), at); err != nil {
		t.Fatal(err)
	}
	return req
}

func TestSignedRequestVerifies(t *testing.T) {
	key := testKey("station")
	for _, tc := range []struct {
		name, method, target, offset string
		body                         string
	}{
		{"get without query", http.MethodGet, "/v1/verdicts", "", ""},
		{"get with query", http.MethodGet, "/v1/roster?since=12", "", ""},
		{"post", http.MethodPost, "/v1/packets:declare", "", `{"packets":[]}`},
		{"patch with offset", "PATCH", "/v1/packets/01J", "4096", "bytes"},
		{"escaped path", http.MethodGet, "/v1/claims/a%2Fb", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := signed(t, tc.method, tc.target, []byte(tc.body), tc.offset)
			id, nonce, err := wire.VerifyRequest(req, []byte(tc.body), lookupOne("st-1", key), at.Add(time.Minute), 5*time.Minute)
			if err != nil || id != "st-1" || len(nonce) < 16 {
				t.Fatalf("id %q nonce %q err %v", id, nonce, err)
			}
		})
	}
}

func TestSignedRequestOverRealHTTP(t *testing.T) {
	key := testKey("station")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, _, err := wire.VerifyRequest(r, body, lookupOne("st-1", key), at, time.Minute); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
		}
	}))
	defer srv.Close()
	req, err := http.NewRequest(http.MethodPost, srv.URL+"/v1/packets:declare?x=1&y=%20", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if err := wire.SignRequest(req, []byte("hello"), "st-1", key, at); err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		msg, _ := io.ReadAll(res.Body)
		t.Fatalf("%s: %s", res.Status, msg)
	}
}

func TestEveryCoveredPartIsProtected(t *testing.T) {
	key := testKey("station")
	for _, tc := range []struct {
		name   string
		change func(r *http.Request, body *[]byte)
		want   error
		code   string
	}{
		{"method", func(r *http.Request, _ *[]byte) { r.Method = "PUT" }, wire.ErrRequestSig, wire.CodeSignature},
		{"path", func(r *http.Request, _ *[]byte) { r.URL.Path = "/v1/packets/other" }, wire.ErrRequestSig, wire.CodeSignature},
		{"query", func(r *http.Request, _ *[]byte) { r.URL.RawQuery = "since=0" }, wire.ErrRequestSig, wire.CodeSignature},
		{"body", func(_ *http.Request, b *[]byte) { (*b)[0] ^= 1 }, wire.ErrDigest, wire.CodeDigest},
		{"body and digest", func(r *http.Request, b *[]byte) {
			(*b)[0] ^= 1
			r.Header.Set(wire.HeaderContentDigest, wire.ContentDigest(*b))
		}, wire.ErrRequestSig, wire.CodeSignature},
		{"digest removed", func(r *http.Request, _ *[]byte) { r.Header.Del(wire.HeaderContentDigest) }, wire.ErrDigest, wire.CodeDigest},
		{"offset", func(r *http.Request, _ *[]byte) { r.Header.Set(wire.HeaderUploadOffset, "0") }, wire.ErrRequestSig, wire.CodeSignature},
		{"offset removed", func(r *http.Request, _ *[]byte) { r.Header.Del(wire.HeaderUploadOffset) }, wire.ErrMalformed, wire.CodeSignature},
		{"offset doubled", func(r *http.Request, _ *[]byte) { r.Header.Add(wire.HeaderUploadOffset, "0") }, wire.ErrRequestSig, wire.CodeSignature},
		{"created", func(r *http.Request, _ *[]byte) {
			replaceHeader(r, wire.HeaderSignatureInput, "created=17", "created=18")
		}, wire.ErrRequestSig, wire.CodeSignature},
		{"nonce", func(r *http.Request, _ *[]byte) { replaceHeader(r, wire.HeaderSignatureInput, `nonce="`, `nonce="x`) }, wire.ErrRequestSig, wire.CodeSignature},
		{"another station's name", func(r *http.Request, _ *[]byte) { replaceHeader(r, wire.HeaderSignatureInput, "st-1", "st-2") }, wire.ErrUnknownStation, wire.CodeUnknownStation},
		{"fewer components", func(r *http.Request, _ *[]byte) {
			replaceHeader(r, wire.HeaderSignatureInput, ` "content-digest"`, "")
		}, wire.ErrMalformed, wire.CodeSignature},
		{"unsigned", func(r *http.Request, _ *[]byte) { r.Header.Del(wire.HeaderSignature) }, wire.ErrUnsigned, wire.CodeSignature},
		{"two signatures", func(r *http.Request, _ *[]byte) { r.Header.Add(wire.HeaderSignature, "sig1=:AA==:") }, wire.ErrMalformed, wire.CodeSignature},
		{"signature is no base64", func(r *http.Request, _ *[]byte) { r.Header.Set(wire.HeaderSignature, "sig1=:*:") }, wire.ErrMalformed, wire.CodeSignature},
		{"other algorithm", func(r *http.Request, _ *[]byte) {
			replaceHeader(r, wire.HeaderSignatureInput, "ed25519", "hmac-sha256")
		}, wire.ErrMalformed, wire.CodeSignature},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := []byte("bytes")
			req := signed(t, "PATCH", "/v1/packets/01J?since=3", body, "4096")
			tc.change(req, &body)
			_, _, err := wire.VerifyRequest(req, body, lookupOne("st-1", key), at, time.Minute)
			if !errors.Is(err, tc.want) {
				t.Fatalf("err = %v, want %v", err, tc.want)
			}
			if got := wire.ErrorCode(err); got != tc.code {
				t.Errorf("code = %s, want %s", got, tc.code)
			}
		})
	}
}

func replaceHeader(r *http.Request, name, from, to string) {
	r.Header.Set(name, strings.Replace(r.Header.Get(name), from, to, 1))
}

func TestClockSkew(t *testing.T) {
	key := testKey("station")
	for _, tc := range []struct {
		name string
		off  time.Duration
		ok   bool
	}{
		{"same", 0, true},
		{"edge late", time.Minute, true},
		{"edge early", -time.Minute, true},
		{"late", time.Minute + time.Second, false},
		{"early", -time.Minute - time.Second, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := signed(t, http.MethodGet, "/v1/verdicts?since=0", nil, "")
			id, _, err := wire.VerifyRequest(req, nil, lookupOne("st-1", key), at.Add(tc.off), time.Minute)
			if tc.ok != (err == nil) || (!tc.ok && !errors.Is(err, wire.ErrClock)) {
				t.Fatalf("err = %v", err)
			}
			if id != "st-1" {
				t.Errorf("a proven station is named even when its clock is wrong, got %q", id)
			}
		})
	}
}

func TestSignRequestRefusesBadInput(t *testing.T) {
	for name, tc := range map[string]struct {
		id  string
		key ed25519.PrivateKey
	}{
		"no key":        {"st-1", nil},
		"empty id":      {"", testKey("station")},
		"quote in id":   {`a"b`, testKey("station")},
		"newline in id": {"a\nb", testKey("station")},
	} {
		t.Run(name, func(t *testing.T) {
			req := httptest.NewRequest(http.MethodGet, "/", nil)
			if err := wire.SignRequest(req, nil, tc.id, tc.key, at); err == nil {
				t.Fatal("no error")
			}
		})
	}
}

func FuzzVerifyRequest(f *testing.F) {
	f.Add(`sig1=("@method" "@path" "@query" "content-digest");created=1;nonce="0123456789abcdef";keyid="s";alg="ed25519"`, "sig1=:AAAA:")
	f.Add(`sig1=();created=`, "sig1=::")
	f.Add(`sig1=("a`, ":")
	key := testKey("other")
	f.Fuzz(func(t *testing.T, input, sig string) {
		req := httptest.NewRequest(http.MethodGet, "/v1/roster?since=1", nil)
		req.Header.Set(wire.HeaderSignatureInput, input)
		req.Header.Set(wire.HeaderSignature, sig)
		req.Header.Set(wire.HeaderContentDigest, wire.ContentDigest(nil))
		if _, _, err := wire.VerifyRequest(req, nil, lookupOne("s", key), at, time.Minute); err == nil {
			t.Fatal("an invented signature verified")
		}
	})
}
