package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// booth is a Handler whose state a test sets.
type booth struct {
	mu      sync.Mutex
	state   string
	scenes  []string
	targets []Target
	entered chan struct{} // where set, State sends to it and then
	block   chan struct{} // waits for this
}

func (b *booth) State() any {
	if b.entered != nil {
		b.entered <- struct{}{}
		<-b.block
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return map[string]any{
		"state":   b.state,
		"session": "01J0",
		"lang":    "zh",
		"toast":   "请稍候",
		"lamps":   map[string]any{"camera": map[string]any{"level": "ok", "text": "相机"}},
		"saved":   map[string]any{"seq": 17},
	}
}

func (b *booth) Targets() []Target { return b.targets }

func (b *booth) Scene(cmd string) error {
	if cmd == "explode" {
		return errors.New("no such scene")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.scenes = append(b.scenes, cmd)
	b.state = "after " + cmd
	return nil
}

func open(t *testing.T, h Handler) (*Server, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kiosk.sock")
	s, err := Listen(t.Context(), path, h, nil)
	if err != nil {
		t.Fatalf("Listen: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s, path
}

func dial(t *testing.T, path string) *Client {
	t.Helper()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestClientAsksServer(t *testing.T) {
	want := []Target{{ID: "start", X: 10, Y: 20, W: 300, H: 90, Text: "开始", Enabled: true}, {ID: "qr", W: 5, H: 5}}
	b := &booth{state: "idle", targets: want}
	_, path := open(t, b)
	c := dial(t, path)

	s, err := c.State(t.Context())
	if err != nil {
		t.Fatalf("State: %v", err)
	}
	if s.State != "idle" || s.Session != "01J0" || s.Lang != "zh" || s.Toast != "请稍候" || s.Lamps["camera"].Level != "ok" {
		t.Errorf("State = %+v", s)
	}
	if v, ok := s.Field("saved.seq"); !ok || v != json.Number("17") {
		t.Errorf("Field(saved.seq) = %v, %v", v, ok)
	}
	for _, path := range []string{"saved.nothing", "state.deeper", "", "nothing"} {
		if v, ok := s.Field(path); ok {
			t.Errorf("Field(%q) = %v, want none", path, v)
		}
	}

	targets, err := c.Targets(t.Context())
	if err != nil || !slices.Equal(targets, want) {
		t.Errorf("Targets = %+v, %v", targets, err)
	}

	if err := c.Scene(t.Context(), "unplug"); err != nil {
		t.Errorf("Scene: %v", err)
	}
	if s, err := c.WaitState(t.Context(), "other", "after unplug"); err != nil || s.State != "after unplug" {
		t.Errorf("WaitState = %q, %v", s.State, err)
	}
	if err := c.Scene(t.Context(), "explode"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "no such scene") {
		t.Errorf("Scene(explode) = %v", err)
	}
	if _, err := c.State(t.Context()); err != nil {
		t.Errorf("State after a refusal: %v", err)
	}
}

func TestServerAnswersBadLinesAndGoesOn(t *testing.T) {
	_, path := open(t, &booth{state: "idle"})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	dec := json.NewDecoder(conn)
	for _, line := range []string{"", "{", `{"op":"press"}`, `{"op":"state"} {}`, `{"op":"state","x":1}`, "\x00\xff"} {
		if _, err := fmt.Fprintf(conn, "%s\n", line); err != nil {
			t.Fatal(err)
		}
		var r response
		if err := dec.Decode(&r); err != nil || r.OK || r.Error == "" {
			t.Errorf("line %q: answer %+v, %v", line, r, err)
		}
	}
	if _, err := fmt.Fprintln(conn, `{"op":"state"}`); err != nil {
		t.Fatal(err)
	}
	var r response
	if err := dec.Decode(&r); err != nil || !r.OK {
		t.Errorf("good line after bad ones: %+v, %v", r, err)
	}
}

func TestServerEndsAnEndlessLine(t *testing.T) {
	_, path := open(t, &booth{})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(strings.Repeat("x", MaxRequestBytes+1))); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(conn)
	var r response
	if err := dec.Decode(&r); err != nil || r.OK {
		t.Fatalf("answer %+v, %v", r, err)
	}
	if err := dec.Decode(&r); err == nil {
		t.Errorf("the connection is still open and answers %+v", r)
	}
}

func TestServerBoundsItsConnections(t *testing.T) {
	_, path := open(t, &booth{state: "idle"})
	for range maxConns {
		if _, err := dial(t, path).State(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := dial(t, path).State(t.Context()); err == nil {
		t.Errorf("connection %d was answered: %+v", maxConns+1, s)
	}
}

// Another user who gets past the socket's mode is still not answered.
func TestServerAnswersItsOwnUserOnly(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root, to become another user")
	}
	// Not t.TempDir, which other users cannot enter at all.
	dir, err := os.MkdirTemp("", "drive-remote-*") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "kiosk.sock")
	s, err := Listen(t.Context(), path, &booth{state: "idle"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, p := range []string{dir, path} {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	var answer []byte
	var asked error
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Only this thread becomes nobody, and it ends with the goroutine.
		runtime.LockOSThread()
		const same, nobody = ^uintptr(0), 65534
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, same, nobody, same); errno != 0 {
			asked = errno
			return
		}
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			asked = err
			return
		}
		defer conn.Close()
		// All of these may fail: the refusal comes at once.
		_, _ = fmt.Fprintln(conn, `{"op":"state"}`)
		_ = conn.CloseWrite()
		answer, _ = io.ReadAll(conn)
	}()
	<-done
	if asked != nil {
		t.Skipf("SKIPPED: cannot connect as another user here: %v", asked)
	}
	if len(answer) != 0 {
		t.Errorf("another user was answered %q", answer)
	}
	if _, err := dial(t, path).State(t.Context()); err != nil {
		t.Errorf("the own user: %v", err)
	}
}

func TestListen(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	path := filepath.Join(dir, "kiosk.sock")

	if _, err := Listen(ctx, path, nil, nil); err == nil {
		t.Error("no handler was accepted")
	}

	s, err := Listen(ctx, path, &booth{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket mode %v, %v; want 0600", info.Mode(), err)
	}
	if _, err := Listen(ctx, path, &booth{}, nil); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second kiosk on the same socket: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("socket is still there after Close: %v", err)
	}

	// A socket that nobody answers any more, as after a crash.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Listen(ctx, path, &booth{}, nil)
	if err != nil {
		t.Fatalf("Listen over a dead socket: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}

	file := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(file, []byte("keep me"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(ctx, file, &booth{}, nil); err == nil {
		t.Error("a file was taken for a socket")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "keep me" {
		t.Errorf("the file became %q, %v", b, err)
	}
}

func TestClientFailures(t *testing.T) {
	t.Run("nobody there", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		path := filepath.Join(t.TempDir(), "none.sock")
		if _, err := Dial(ctx, path); err == nil {
			t.Error("Dial succeeded")
		}
		cancel()
		if _, err := DialWait(ctx, path); !errors.Is(err, context.Canceled) {
			t.Errorf("DialWait = %v", err)
		}
	})
	t.Run("cancelled request does not answer the next one", func(t *testing.T) {
		b := &booth{entered: make(chan struct{}), block: make(chan struct{}), targets: []Target{{ID: "a"}}}
		_, path := open(t, b)
		c := dial(t, path)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := c.State(ctx)
			done <- err
		}()
		<-b.entered
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("State = %v", err)
		}
		if targets, err := c.Targets(t.Context()); err != nil || len(targets) != 1 {
			t.Errorf("Targets = %v, %v", targets, err)
		}
		close(b.block)
	})
	t.Run("kiosk restarts", func(t *testing.T) {
		s, path := open(t, &booth{state: "idle"})
		c := dial(t, path)
		if _, err := c.State(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.State(t.Context()); err == nil {
			t.Error("a closed kiosk answered")
		}
		again, err := Listen(t.Context(), path, &booth{state: "idle again"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if s, err := c.State(t.Context()); err != nil || s.State != "idle again" {
			t.Errorf("State after a restart = %+v, %v", s, err)
		}
	})
	t.Run("closed client", func(t *testing.T) {
		_, path := open(t, &booth{})
		c := dial(t, path)
		for range 2 {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := c.State(t.Context()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("State = %v", err)
		}
	})
	t.Run("wait names the last state", func(t *testing.T) {
		_, path := open(t, &booth{state: "guide"})
		c := dial(t, path)
		ctx, cancel := context.WithCancel(t.Context())
		s, err := c.Wait(ctx, func(State) bool { cancel(); return false })
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), `"guide"`) || s.State != "guide" {
			t.Errorf("Wait = %+v, %v", s, err)
		}
	})
}

// The wait polls by the clock and not as fast as it can.
func TestWaitPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		asked := 0
		go func() {
			dec, enc := json.NewDecoder(far), json.NewEncoder(far)
			for {
				var r Request
				if dec.Decode(&r) != nil {
					return
				}
				asked++
				state, _ := json.Marshal(State{State: fmt.Sprint(asked)})
				if enc.Encode(response{OK: true, State: state}) != nil {
					return
				}
			}
		}()
		c := &Client{}
		c.adopt(near)
		start := time.Now()
		if _, err := c.WaitState(t.Context(), "5"); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != 4*pollInterval {
			t.Errorf("five looks took %v", got)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestParseRequest(t *testing.T) {
	good := map[string]Request{
		`{"op":"state"}`:                {Op: OpState},
		"  {\"op\":\"targets\"}  \r":    {Op: OpTargets},
		`{"op":"scene","cmd":"unplug"}`: {Op: OpScene, Cmd: "unplug"},
		`{"cmd":"slow 5","op":"scene"}`: {Op: OpScene, Cmd: "slow 5"},
		`{"op":"scene","cmd":"光 100%"}`: {Op: OpScene, Cmd: "光 100%"},
	}
	for line, want := range good {
		if got, err := ParseRequest([]byte(line)); err != nil || got != want {
			t.Errorf("ParseRequest(%s) = %+v, %v", line, got, err)
		}
	}
	bad := []string{
		``, `null`, `7`, `[]`, `{}`, `{"op":""}`, `{"op":"quit"}`, `{"op":7}`,
		`{"op":"state","cmd":"enter"}`, `{"op":"scene"}`, `{"op":"scene","cmd":"a\nb"}`,
		`{"op":"scene","cmd":"\u202e"}`, `{"op":"state"}{"op":"state"}`, `{"op":"state","path":"/"}`,
		`{"op":"scene","cmd":"` + strings.Repeat("x", MaxSceneBytes+1) + `"}`,
		`{"op":"state"}` + strings.Repeat(" ", MaxRequestBytes),
	}
	for _, line := range bad {
		if got, err := ParseRequest([]byte(line)); err == nil {
			t.Errorf("ParseRequest(%.80q) = %+v, want an error", line, got)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{`{"op":"state"}`, `{"op":"targets"}`, `{"op":"scene","cmd":"enter"}`, `{"op":"scene","cmd":"\u0000"}`, `{`, `null {}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		req, err := ParseRequest(line)
		if err != nil {
			if req != (Request{}) {
				t.Fatalf("an error came with %+v", req)
			}
			return
		}
		again, err := json.Marshal(req)
		if err != nil {
			t.Fatalf("accepted request cannot be written: %v", err)
		}
		if back, err := ParseRequest(again); err != nil || back != req {
			t.Fatalf("%+v became %+v, %v", req, back, err)
		}
	})
}
