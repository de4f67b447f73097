package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/central"
)

// lines collects output and lets a test wait for one of its lines.
type lines struct {
	mu   sync.Mutex
	cond *sync.Cond
	b    bytes.Buffer
	end  bool
}

func newLines() *lines { l := &lines{}; l.cond = sync.NewCond(&l.mu); return l }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cond.Broadcast()
	return l.b.Write(p)
}

func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = true
	l.cond.Broadcast()
}

func (l *lines) wait(t *testing.T, re string) []string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if m := regexp.MustCompile(re).FindStringSubmatch(l.b.String()); m != nil {
			return m
		}
		if l.end {
			t.Fatalf("no line like %s in\n%s", re, l.b.String())
		}
		l.cond.Wait()
	}
}

// command runs one command line to its end.
func command(t *testing.T, stdin string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &o, &e)
	return code, o.String(), e.String()
}

func serve(t *testing.T, args ...string) (out *lines, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out = newLines()
	done := make(chan int, 1)
	go func() {
		code := run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), strings.NewReader(""), out, out)
		out.close()
		done <- code
	}()
	stopped := false
	stop = func() int {
		cancel()
		if stopped {
			return 0
		}
		stopped = true
		return <-done
	}
	t.Cleanup(func() { stop() })
	return out, stop
}

func TestServeDemoAndAdministerWhileItRuns(t *testing.T) {
	// Deeper than the 108 bytes that a socket's path may have.
	data := filepath.Join(t.TempDir(), strings.Repeat("深", 30), strings.Repeat("d", 60))
	out, stop := serve(t, "--data", data, "--demo")
	address := out.wait(t, `Central server +(http://[0-9.:]+)`)[1]
	code := out.wait(t, `Enrolment code +(\S+)`)[1]
	login := out.wait(t, `Reviewer login +\S+  (\S+)  (\S+)`)
	if !strings.Contains(code, ".") || login[1] != "demo" {
		t.Fatalf("code %q, login %q", code, login)
	}
	resp, err := http.Get(address + "/login")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("登录")) {
		t.Fatalf("login page: %d %v", resp.StatusCode, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(filepath.Join(data, "admin.sock")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("control socket: %v %v", fi, err)
	}
	// The same commands work while the server runs and after it has stopped.
	for _, when := range []string{"running", "stopped"} {
		t.Run(when, func(t *testing.T) {
			if when == "stopped" {
				if c := stop(); c != 0 {
					t.Fatalf("serve ended with %d", c)
				}
			}
			administer(t, data, when)
		})
	}
}

func administer(t *testing.T, data, when string) {
	csv := filepath.Join(t.TempDir(), "roster.csv")
	write := func(text string) {
		if err := os.WriteFile(csv, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name, stdin string
		args        []string
		code        int
		out         string
		errOut      string
		before      func()
	}{
		{name: "code", args: []string{"code"}, out: `^[0-9A-Z-]{14}\.[0-9a-f]{16}\n$`},
		{name: "code for an unknown batch", args: []string{"code", "--batch", "nothing"}, code: 1, errOut: "not found"},
		{name: "batch add", args: []string{"batch", "add", "demo-a", "--school", "演示大学", "--title", "改", "--contact", "客服", "--policy", "before_submit", "--price-fen", "2500"}, out: "Saved demo-a"},
		{name: "batch with a bad date", args: []string{"batch", "add", "x1", "--school", "s", "--title", "t", "--contact", "c", "--opens", "soon"}, code: 1, errOut: "--opens must be a date"},
		{name: "batch with a bad price", args: []string{"batch", "add", "x1", "--school", "s", "--title", "t", "--contact", "c", "--price-fen", "5"}, code: 1, errOut: "price_fen"},
		{name: "batch list", args: []string{"batch", "list"}, out: `(?m)^demo-a\t演示大学\t改\tchsi\tbefore_submit\t25\.00$`},
		{name: "user add", stdin: "a long password\n", args: []string{"user", "add", "wang", "--role", "admin"}, out: "Saved wang"},
		{name: "user with a short password", stdin: "short\n", args: []string{"user", "add", "li"}, code: 1, errOut: "password"},
		{name: "import", args: []string{"import-roster", csv, "--batch", "demo-a"}, out: "added 1", before: func() {
			write("姓名,证件类型,证件号码\n测试" + when + ",护照," + strings.ToUpper(when) + "1\n")
		}},
		{name: "import bad lines", args: []string{"import-roster", csv, "--batch", "demo-a"}, code: 1, out: "Line 2: resident ID", errOut: "nothing was imported", before: func() { write("姓名,证件号码\n测试,110105194912310021\n") }},
		{name: "stats", args: []string{"stats"}, out: "batches 2\n"},
		{name: "stations", args: []string{"station", "list"}, out: "^$"},
		{name: "audit", args: []string{"verify-audit"}, out: "whole"},
		{name: "no such packet", args: []string{"export-portrait", "01K3ZJ8Q0V6M2E7C9T4R5W1XYB", "--out", filepath.Join(t.TempDir(), "p.jpg")}, code: 1, errOut: "not found"},
		{name: "not a packet", args: []string{"packet", "open", csv, "--out", t.TempDir()}, code: 1, errOut: "not a valid packet"},
	} {
		t.Run(step.name, func(t *testing.T) {
			if step.before != nil {
				step.before()
			} else {
				write("not a packet")
			}
			code, out, errOut := command(t, step.stdin, append(step.args, "--data", data)...)
			if code != step.code || !regexp.MustCompile(step.out).MatchString(out) || !strings.Contains(errOut, step.errOut) {
				t.Fatalf("exit %d\n%s\n%s", code, out, errOut)
			}
		})
	}
	code, out, errOut := command(t, "", "stats", "--json", "--data", data)
	var st central.Stats
	if err := json.Unmarshal([]byte(out), &st); code != 0 || err != nil || st.Batches != 2 || st.Packets == nil {
		t.Fatalf("stats: %d %v %s %s", code, err, out, errOut)
	}
}

func TestCommandLineThatIsNotUnderstood(t *testing.T) {
	for name, args := range map[string][]string{"nothing": nil, "unknown": {"fly"}, "no data": {"serve"}} {
		if code, _, errOut := command(t, "", args...); code != 2 || errOut == "" {
			t.Errorf("%s: exit %d, %q", name, code, errOut)
		}
	}
	if code, out, _ := command(t, "", "--version"); code != 0 || !strings.Contains(out, version) {
		t.Errorf("--version: %d %q", code, out)
	}
	if code, out, _ := command(t, "", "--help"); code != 0 || !strings.Contains(out, "serve") {
		t.Errorf("--help: %d %q", code, out)
	}
	if code, _, errOut := command(t, "", "serve", "--data", t.TempDir(), "--listen", "0.0.0.0:0"); code != 1 || !strings.Contains(errOut, "--public-url") {
		t.Errorf("no address for phones: %d %q", code, errOut)
	}
	if code, _, errOut := command(t, "", "stats", "--data", t.TempDir()); code != 1 || !strings.Contains(errOut, "not a data directory") {
		t.Errorf("empty directory: %d %q", code, errOut)
	}
}
