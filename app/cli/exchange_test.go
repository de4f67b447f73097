package cli

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// subprocess runs the program as a process of its own: what it reads of its
// surroundings, roots and proxies, it reads once.
func subprocess(t *testing.T, env []string, args ...string) (code int, out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // only a hang reaches it
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(append(os.Environ(), env...), childArgs+"="+strings.Join(args, "\n"))
	var said, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &problems
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), said.String(), problems.String()
}

// secureCentral is a demonstration central behind TLS, under a certificate that
// is good for example.com and 127.0.0.1 where root is trusted.
type secureCentral struct {
	*central.Server
	web  *httptest.Server
	root string // a file
	pin  string
}

func newSecureCentral(t *testing.T) *secureCentral {
	t.Helper()
	c, err := central.Open(t.TempDir(), central.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	s := &secureCentral{Server: c, web: httptest.NewUnstartedServer(c.Handler()), root: filepath.Join(t.TempDir(), "root.pem")}
	s.web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of clients that do not trust it
	s.web.StartTLS()
	t.Cleanup(s.web.Close)
	if _, err := c.SeedDemo(t.Context()); err != nil {
		t.Fatal(err)
	}
	cert := s.web.Certificate()
	if err := os.WriteFile(s.root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	s.pin = hex.EncodeToString(sum[:])
	return s
}

func (s *secureCentral) code(t *testing.T) string {
	t.Helper()
	code, err := s.NewCode(t.Context(), nil, time.Hour, "test")
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// proxyTo is an HTTP proxy that leads every connection to one address and counts
// them, or refuses with the status.
func proxyTo(t *testing.T, addr string, refuse int) (url string, used *atomic.Int64) {
	t.Helper()
	used = new(atomic.Int64)
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		used.Add(1)
		if r.Method != http.MethodConnect || refuse != 0 {
			http.Error(w, "<html>log in first</html>", max(refuse, http.StatusMethodNotAllowed))
			return
		}
		up, err := net.Dial("tcp", addr)
		if err != nil {
			http.Error(w, "no way", http.StatusBadGateway)
			return
		}
		defer up.Close()
		w.WriteHeader(http.StatusOK)
		down, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer down.Close()
		go func() {
			_, _ = io.Copy(up, buffered)
			_ = up.Close()
		}()
		_, _ = io.Copy(down, up)
	}))
	t.Cleanup(p.Close)
	return p.URL, used
}

// TestCentralBehindTLSAndProxies enrols, and exchanges where that succeeds,
// through what lies between a desk and a real central.
func TestCentralBehindTLSAndProxies(t *testing.T) {
	c := newSecureCentral(t)
	through, used := proxyTo(t, c.web.Listener.Addr().String(), 0)
	shut, _ := proxyTo(t, "", http.StatusProxyAuthRequired)
	trust := "SSL_CERT_FILE=" + c.root
	wrong := strings.Repeat("ab", 32)
	const named = "https://example.com" // never a loopback name, for which no proxy is asked
	for _, tc := range []struct {
		name string
		url  string
		env  []string
		pin  string
		says string // of a failure; "" = it succeeds
	}{
		{"a certificate nobody vouches for", c.web.URL, nil, "", "证书不受信任"},
		{"one that is vouched for", c.web.URL, []string{trust}, "", ""},
		{"the pinned one", c.web.URL, []string{trust}, c.pin, ""},
		{"not the pinned one", c.web.URL, []string{trust}, wrong, "central.pin_sha256"},
		{"pinned, but nobody vouches for it", c.web.URL, nil, c.pin, "证书不受信任"},
		{"plain http across a network", "http://example.com", nil, "", "https://host"},
		{"through a proxy", named, []string{trust, "HTTPS_PROXY=" + through}, c.pin, ""},
		{"through a proxy that is not there", named, []string{trust, "HTTPS_PROXY=http://127.0.0.1:1"}, "", "连不上审核中心"},
		{"through a proxy that wants a log-in", named, []string{trust, "HTTPS_PROXY=" + shut}, "", "连不上审核中心"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, code := t.TempDir(), c.code(t)
			if tc.pin != "" {
				if err := os.WriteFile(filepath.Join(dir, config.FileName), []byte("[central]\npin_sha256 = \""+tc.pin+"\"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			exit, said, errs := subprocess(t, tc.env, "enroll", "--data", dir, "--central", tc.url, "--code", code)
			if tc.says != "" {
				if exit != exitFailed || !strings.Contains(errs, tc.says) || strings.Count(strings.TrimSpace(said+errs), "\n") != 0 {
					t.Errorf("exit %d, one sentence with %q wanted:\n%s%s", exit, tc.says, said, errs)
				}
				return
			}
			if exit != exitOK || !strings.Contains(said, "已登记") {
				t.Fatalf("exit %d\n%s%s", exit, said, errs)
			}
			if exit, said, errs = subprocess(t, tc.env, "sync", "--data", dir, "--until-empty", "--json"); exit != exitOK {
				t.Fatalf("sync: exit %d\n%s%s", exit, said, errs)
			}
			var line syncLine
			if err := json.Unmarshal([]byte(said), &line); err != nil || !line.Online || line.Roster == 0 || line.Error != "" {
				t.Errorf("%s %v", said, err)
			}
			// The same way, without its root: an exchange fails in one line of JSON.
			exit, said, _ = subprocess(t, append([]string{"SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR=/nowhere"}, tc.env[1:]...), "sync", "--data", dir, "--json")
			line = syncLine{}
			if err := json.Unmarshal([]byte(said), &line); err != nil || exit != exitFailed || line.Online || !strings.Contains(line.Error, "证书不受信任") {
				t.Errorf("exit %d: %s %v", exit, said, err)
			}
		})
	}
	if used.Load() == 0 {
		t.Error("the proxy was never asked")
	}
	exit, said, _ := subprocess(t, []string{trust, "HTTPS_PROXY=" + through}, "conformance", "--central", named, "--code", c.code(t), "--json")
	if exit != exitOK {
		t.Errorf("conformance through a proxy: exit %d\n%s", exit, said)
	}
	if exit, said, _ := subprocess(t, nil, "conformance", "--central", c.web.URL, "--code", c.code(t)); exit != exitRefused || !strings.Contains(said, "FAIL  enroll.signed") {
		t.Errorf("conformance of a server nobody vouches for: exit %d\n%s", exit, said)
	}
}

// leave puts a sealed packet into the outbox of an enrolled station.
func leave(t *testing.T, dir string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := keys.Open(filepath.Join(dir, keysDir))
	must(err)
	key, err := store.StationKey()
	must(err)
	e, err := store.Enrolment()
	must(err)
	to, err := e.Recipients()
	must(err)
	public, _ := key.Public().(ed25519.PublicKey)
	box, err := outbox.Open(filepath.Join(dir, outboxDir), outbox.Options{Verify: func(b []byte) (*packet.Packet, error) { return packet.Verify(b, public) }})
	must(err)
	seq, err := box.NextSeq()
	must(err)
	jpg := []byte("\xff\xd8\xff\xe0")
	s, err := packet.Seal(packet.Input{ID: ulid.Make(), Seq: seq, Station: e.Enrolled.StationID, Spec: "chsi", Created: time.Now(), Original: jpg, Portrait: jpg}, to, key)
	must(err)
	_, err = box.Commit(s)
	must(err)
	must(box.Close())
}

// TestUntilEmptyEnds: what waiting cannot mend ends the command, with a sentence.
func TestUntilEmptyEnds(t *testing.T) {
	c, err := central.Open(t.TempDir(), central.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	var front atomic.Pointer[http.HandlerFunc]
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := front.Load(); f != nil {
			(*f)(w, r)
			return
		}
		c.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	info, err := c.SeedDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	enroll := []string{"enroll", "--data", dir, "--central", web.URL, "--code", info.EnrolCode}
	until := []string{"sync", "--data", dir, "--until-empty"}

	// Central is killed after it has used the code up; asked again, it remembers.
	killed := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c.Handler().ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
	front.Store(&killed)
	if exit, _, said := yunzhao(t, enroll...); exit != exitFailed || !strings.Contains(said, "连不上审核中心") {
		t.Fatalf("exit %d\n%s", exit, said)
	}
	front.Store(nil)
	if exit, _, said := yunzhao(t, enroll...); exit != exitOK {
		t.Fatalf("the same code again: exit %d\n%s", exit, said)
	}

	leave(t, dir)
	refusing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_ = json.NewEncoder(w).Encode(wire.Error{Code: wire.CodeInvalidPacket})
			return
		}
		c.Handler().ServeHTTP(w, r)
	})
	front.Store(&refusing)
	if exit, out, said := yunzhao(t, until...); exit != exitFailed || !strings.Contains(said, "1 photos cannot be sent") || !strings.Contains(out, "pending 1") {
		t.Errorf("a packet that is not taken: exit %d\n%s%s", exit, out, said)
	}
	front.Store(nil)

	stations, err := c.Stations(t.Context())
	if err != nil || len(stations) != 1 {
		t.Fatalf("%d stations, %v", len(stations), err)
	}
	if err := c.RevokeStation(t.Context(), stations[0].ID, "test"); err != nil {
		t.Fatal(err)
	}
	exit, out, said := yunzhao(t, until...)
	if exit != exitFailed || !strings.Contains(out, "中心已停用本机") || bytes.Count([]byte(strings.TrimSpace(out)), []byte("\n")) != 0 {
		t.Errorf("revoked: exit %d\n%s%s", exit, out, said)
	}
}
