package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/app/drive"
	"github.com/yunzhao-station/yunzhao/app/drive/people"
	"github.com/yunzhao-station/yunzhao/app/drive/remote"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// patience bounds a wait of the end-to-end tests; only a failing test, or a
// machine with a lot of other work, comes near it.
const patience = 60 * time.Second

// built are the two programs under test.
type built struct {
	kiosk, central string
	err            error
}

// linking is how the Makefile links the kiosk.
const linking = `-extldflags "-fuse-ld=lld -Wl,--gc-sections -Wl,--as-needed"`

// build makes the programs once, unless YUNZHAO_BIN and YUNZHAO_CENTRAL_BIN
// name ones that are there.
var build = sync.OnceValue(func() (b built) {
	b.kiosk, b.central = os.Getenv("YUNZHAO_BIN"), os.Getenv("YUNZHAO_CENTRAL_BIN")
	if b.kiosk != "" && b.central != "" {
		return b
	}
	dir, err := filepath.Abs(filepath.Join("..", "..", "out", "e2e", "bin"))
	if err == nil {
		err = os.MkdirAll(dir, 0o750)
	}
	if err != nil {
		b.err = err
		return b
	}
	b.kiosk, b.central = filepath.Join(dir, "yunzhao"), filepath.Join(dir, "yunzhao-central")
	for _, args := range [][]string{
		{"build", "-tags", "migrated_fynedo", "-ldflags", linking, "-o", b.kiosk, "../.."},
		{"build", "-o", b.central, "../../sync/cmd/yunzhao-central"},
	} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			b.err = fmt.Errorf("build the programs: %w\n%s", err, out)
		}
	}
	return b
})

// endToEnd skips where nobody asked for the built programs to be driven.
func endToEnd(t *testing.T) built {
	t.Helper()
	if os.Getenv("YUNZHAO_E2E") != "1" {
		t.Skip("SKIPPED: drives the built programs in real time; set YUNZHAO_E2E=1 (make test does)")
	}
	b := build()
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b
}

// fictional are the demonstration's students, the same at every start.
func fictional(t *testing.T) (students []wire.Student, policies map[string]wire.Policy) {
	t.Helper()
	srv, err := central.Open(t.TempDir(), central.Options{PublicURL: "http://127.0.0.1:1", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = srv.Close() }()
	info, err := srv.SeedDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	batches, err := srv.Batches(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	policies = map[string]wire.Policy{}
	for _, b := range batches {
		policies[b.ID] = b.Policy
	}
	return info.Students, policies
}

// site is a desk, the network, and central at its other end, all of them real
// processes.
type site struct {
	*desk
	t    *testing.T
	dir  string
	bins built

	students []wire.Student
	policies map[string]wire.Policy

	line    *line
	central *exec.Cmd       // nil while it is down
	login   [2]string       // of the reviewer
	preview *image.RGBA     // what live last saw
	had     map[string]bool // packets before the present visit
}

// newSite starts central, enrols a station there and opens its kiosk. Settings
// go into the station's settings file.
func newSite(t *testing.T, settings string) *site {
	t.Helper()
	s := &site{t: t, bins: endToEnd(t)}
	dir, err := os.MkdirTemp("", "yunzhao-e2e-") //nolint:usetesting // Unix sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	s.students, s.policies = fictional(t)
	home := filepath.Join(dir, "home")
	shots := os.Getenv("YUNZHAO_E2E_OUT")
	if shots == "" {
		shots = filepath.Join("..", "..", "out", "e2e")
	}
	shots = filepath.Join(shots, t.Name())
	s.desk = &desk{
		program: s.bins.kiosk, data: filepath.Join(dir, "station"), log: filepath.Join(dir, "kiosk.log"), shots: shots,
		socket: filepath.Join(dir, "kiosk.sock"), width: 1280, height: 800,
		// A home of its own, so that everything the kiosk leaves can be found.
		env: append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "XDG_DATA_HOME="+home,
			"TMPDIR="+filepath.Join(dir, "tmp")),
	}
	t.Cleanup(func() { s.tearDown() })
	s.quiet = true
	for _, d := range []string{home, filepath.Join(dir, "tmp"), s.data} {
		s.must("make folder", os.MkdirAll(d, 0o700))
	}
	s.must("write settings", os.WriteFile(filepath.Join(s.data, "yunzhao.toml"), []byte(settings), 0o600))

	s.line, err = newLine()
	s.must("open the line", err)
	code := s.startCentral("--demo")
	s.run(s.bins.kiosk, "enroll", "--data", s.data, "--central", s.line.url(), "--code", code, "--name", "测试站")
	ctx := s.within()
	err = s.openDisplay(ctx, true)
	if errors.Is(err, drive.ErrNoXvfb) {
		t.Skip("SKIPPED: needs Xvfb, which is not installed (apt-get install xvfb)")
	}
	s.must("open a display", err)
	s.startKiosk()
	return s
}

// tearDown ends everything and, after a failure, leaves what explains it.
func (s *site) tearDown() {
	if s.t.Failed() {
		if s.kiosk != nil && s.running() {
			if path, err := s.kiosk.Shot("failed"); err == nil {
				s.t.Logf("the screen: %s", path)
			}
		}
		if text, err := os.ReadFile(s.log); err == nil {
			s.t.Logf("the kiosk's log:\n%s", text[max(0, len(text)-4096):])
		}
	}
	if err := s.stop(); err != nil {
		s.t.Errorf("stop the kiosk: %v", err)
	}
	s.killCentral()
	if s.line != nil {
		s.line.close()
	}
	_ = os.RemoveAll(s.dir)
}

// within is a context for the next step alone.
func (s *site) within() context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	s.t.Cleanup(cancel)
	return ctx
}

func (s *site) must(what string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// do performs steps of a visit, each with the patience of its own.
func (s *site) do(steps ...func(context.Context) error) {
	s.t.Helper()
	for i, f := range steps {
		if err := f(s.within()); err != nil {
			s.t.Fatalf("step %d: %v", i+1, err)
		}
	}
}

// tapped is a step that taps a button and waits for a state.
func (s *site) tapped(button string, states ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := s.tap(ctx, button); err != nil {
			return err
		}
		_, err := s.kiosk.WaitState(ctx, states...)
		return err
	}
}

// expect waits until the kiosk's state is so.
func (s *site) expect(what string, ok func(remote.State) bool) remote.State {
	s.t.Helper()
	state, err := s.kiosk.WaitFor(s.within(), what, ok)
	s.must("wait", err)
	return state
}

func (s *site) startKiosk() {
	s.t.Helper()
	s.must("start the kiosk", s.start(s.within()))
	s.must("start the kiosk", s.open(s.within()))
}

// run runs one of the programs to its end and returns what it prints.
func (s *site) run(program string, args ...string) []byte {
	s.t.Helper()
	cmd := exec.CommandContext(s.within(), program, args...)
	var complaint strings.Builder
	cmd.Stderr, cmd.Env = &complaint, s.env
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s%s", filepath.Base(program), args[0], err, out, complaint.String())
	}
	return out
}

// student is the nth whose batch has that policy and whose record stands alone.
func (s *site) student(policy wire.Policy, n int) wire.Student {
	s.t.Helper()
	d := demo{info: central.DemoInfo{Students: s.students}, policies: s.policies}
	who, err := d.paying(policy, n)
	s.must("pick a student", err)
	return who
}

// startCentral starts central behind the line and returns an enrolment code, if
// it prints one.
func (s *site) startCentral(more ...string) (code string) {
	s.t.Helper()
	args := append([]string{"serve", "--data", s.centralData(), "--listen", "127.0.0.1:0", "--public-url", s.line.url()}, more...)
	cmd := exec.Command(s.bins.central, args...)
	logFile, err := os.OpenFile(filepath.Join(s.dir, "central.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	s.must("central's log", err)
	defer func() { _ = logFile.Close() }()
	cmd.Stderr = logFile
	out, err := cmd.StdoutPipe()
	s.must("start central", err)
	s.must("start central", cmd.Start())
	s.central = cmd
	lines := make(chan string, 64)
	go func() {
		defer close(lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			lines <- sc.Text()
		}
	}()
	last := `Central server +http://([0-9.:]+)`
	if len(more) > 0 {
		last = `Reviewer login +\S+ +(\S+) +(\S+)`
	}
	ctx := s.within()
	for {
		var text string
		var ok bool
		select {
		case text, ok = <-lines:
		case <-ctx.Done():
		}
		if !ok {
			s.t.Fatalf("central did not say that it is ready (see %s)", logFile.Name())
		}
		if m := regexp.MustCompile(`Central server +http://([0-9.:]+)`).FindStringSubmatch(text); m != nil {
			s.line.connect(m[1])
		}
		if m := regexp.MustCompile(`Enrolment code +(\S+)`).FindStringSubmatch(text); m != nil {
			code = m[1]
		}
		if m := regexp.MustCompile(`Reviewer login +\S+ +(\S+) +(\S+)`).FindStringSubmatch(text); m != nil {
			s.login = [2]string{m[1], m[2]}
		}
		if regexp.MustCompile(last).MatchString(text) {
			break
		}
	}
	// The command line's socket opens beside the pages.
	s.must("central's socket", (&desk{}).until(ctx, func() (bool, error) {
		conn, err := net.Dial("unix", filepath.Join(s.centralData(), "admin.sock"))
		if conn == nil {
			return false, nil // it is not there yet
		}
		return true, errors.Join(err, conn.Close())
	}))
	return code
}

func (s *site) centralData() string { return filepath.Join(s.dir, "central") }

// killCentral takes central away as a power cut does.
func (s *site) killCentral() {
	if s.central == nil {
		return
	}
	if s.line != nil {
		s.line.connect("")
	}
	_ = s.central.Process.Kill()
	_ = s.central.Wait()
	s.central = nil
}

// stats is what central's command line tells.
func (s *site) stats() (st central.Stats) {
	s.t.Helper()
	out := s.run(s.bins.central, "stats", "--json", "--data", s.centralData())
	s.must("read central's statistics", json.Unmarshal(out, &st))
	return st
}

// arrived waits until central's packets satisfy ok.
func (s *site) arrived(what string, ok func([]central.PacketState) bool) []central.PacketState {
	s.t.Helper()
	ctx := s.within()
	for {
		ps := s.stats().Packets
		if ok(ps) {
			return ps
		}
		if err := pause(ctx, 4*look); err != nil {
			s.t.Fatalf("wait for %s: central has %+v", what, ps)
		}
	}
}

// stateOf is where central has the packet.
func stateOf(ps []central.PacketState, id string) string {
	for _, p := range ps {
		if p.ID == id {
			return p.State
		}
	}
	return ""
}

func (s *site) reviewer() people.Reviewer {
	s.t.Helper()
	r, err := people.LogIn(s.within(), s.line.url(), s.login[0], s.login[1])
	s.must("reviewer", err)
	return r
}

// kept is what `yunzhao verify --json` says of the station.
type kept struct {
	Clean   bool         `json:"clean"`
	Packets []keptPacket `json:"packets"`
	Bad     []any        `json:"bad"`
	Alarms  []string     `json:"alarms"`
}

type keptPacket struct {
	ID     string `json:"id"`
	SHA256 string `json:"sha256"`
	State  string `json:"state"`
}

// verify has the station's packets verified, which takes a kiosk that is not
// running, and wants all of it clean.
func (s *site) verify() kept {
	s.t.Helper()
	var k kept
	s.must("read verify", json.Unmarshal(s.run(s.bins.kiosk, "verify", "--data", s.data, "--json"), &k))
	if !k.Clean || len(k.Bad) > 0 || len(k.Alarms) > 0 {
		s.t.Fatalf("verify is not clean: %+v", k)
	}
	return k
}

// holdsJPEG tells whether a photo begins somewhere in b: one whose size can be
// read, since the first four bytes alone turn up by chance in megabytes of
// ciphertext or of a plate's numbers.
func holdsJPEG(b []byte) bool {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("\xff\xd8\xff"))
		if i < 0 {
			return false
		}
		at += i
		if c, err := jpeg.DecodeConfig(bytes.NewReader(b[at:])); err == nil && c.Width > 0 && c.Height > 0 {
			return true
		}
		at++
	}
}

// leftovers lists files of the station, its home, its temporary folder and its
// log that hold something of the student or a photo in the clear.
func (s *site) leftovers(who wire.Student) (found []string) {
	s.t.Helper()
	clues := []string{who.Name, who.IDNumber, who.IDNumber[:6] + " " + who.IDNumber[6:10]}
	for _, dir := range []string{s.data, filepath.Join(s.dir, "home"), filepath.Join(s.dir, "tmp"), s.log} {
		s.must("walk", filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			for _, clue := range clues {
				if strings.Contains(string(data), clue) || strings.Contains(filepath.Base(path), clue) {
					found = append(found, fmt.Sprintf("%s (%.4q…)", path, clue))
				}
			}
			if holdsJPEG(data) {
				found = append(found, path+" (a photo)")
			}
			return err
		}))
	}
	return found
}

// line is the network between the desk and central: one address for good,
// whatever becomes of central behind it.
type line struct {
	ln    net.Listener
	mu    sync.Mutex
	to    string // central's address, "" = nobody answers
	open  map[net.Conn]bool
	limit atomic.Int64  // bytes that one more connection may send up; 0 = any
	cut   chan struct{} // gets one when a connection has sent that many
	gone  chan struct{} // closed when the connections that there are drop
}

func newLine() (*line, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &line{ln: ln, open: map[net.Conn]bool{}, cut: make(chan struct{}, 1), gone: make(chan struct{})}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go l.carry(c)
		}
	}()
	return l, nil
}

func (l *line) url() string { return "http://" + l.ln.Addr().String() }

// connect leads new connections to the address, and drops those there are when
// it is "".
func (l *line) connect(to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to = to
	if to == "" {
		for c := range l.open {
			_ = c.Close()
		}
		close(l.gone)
		l.gone = make(chan struct{})
	}
}

// stallAfter lets the next connection that sends that many bytes up stall
// there, half-way through what it sends, and tells on cut.
func (l *line) stallAfter(bytes int64) { l.limit.Store(bytes) }

func (l *line) close() {
	_ = l.ln.Close()
	l.connect("")
}

func (l *line) track(c net.Conn, on bool) (to string, gone chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if on {
		l.open[c] = true
	} else {
		delete(l.open, c)
	}
	return l.to, l.gone
}

func (l *line) carry(c net.Conn) {
	defer func() { _ = c.Close() }()
	to, gone := l.track(c, true)
	defer l.track(c, false)
	if to == "" {
		return
	}
	up, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = up.Close() }()
	l.track(up, true)
	defer l.track(up, false)
	go func() {
		_, _ = io.Copy(c, up)
		_ = c.Close()
	}()
	buf := make([]byte, 16<<10)
	for sent := int64(0); ; {
		n, err := c.Read(buf)
		if n > 0 {
			if _, err := up.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
		sent += int64(n)
		if limit := l.limit.Load(); limit > 0 && sent >= limit && l.limit.CompareAndSwap(limit, 0) {
			l.cut <- struct{}{}
			<-gone
			return
		}
	}
}
