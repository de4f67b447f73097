package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/roster"
)

// faultRuns tells whether this is make test-faults, which takes its time. The
// tests that ask do a few rounds of the same otherwise.
func faultRuns(few, many int) int {
	if os.Getenv("YUNZHAO_FAULTS") == "" {
		return few
	}
	return many
}

// killsOf is how often to kill: few, or in make test-faults many, unless the
// environment says otherwise.
func killsOf(env string, few, many int) int {
	if n, err := strconv.Atoi(os.Getenv(env)); err == nil {
		return n
	}
	return faultRuns(few, many)
}

// childArgs holds the command line of a child process, one argument a line.
const childArgs = "YUNZHAO_TEST_CHILD"

// TestChild is the program itself, or a central server, for tests that kill it.
func TestChild(*testing.T) {
	args := strings.Split(os.Getenv(childArgs), "\n")
	switch {
	case args[0] == "":
		return // nothing to test in itself
	case args[0] == "central":
		os.Exit(serveCentral(args[1], args[2]))
	}
	os.Exit(Main(args, os.Stdout, os.Stderr))
}

// serveCentral is yunzhao-central serve --demo. It says "up" when it is.
func serveCentral(dir, addr string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	fail := func(err error) int {
		log.Error("central", "err", err)
		return 1
	}
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fail(err)
	}
	s, err := central.Open(dir, central.Options{PublicURL: "http://" + addr})
	if err != nil {
		return fail(err)
	}
	if _, err := s.SeedDemo(context.Background()); err != nil {
		return fail(err)
	}
	if _, err := os.Stdout.WriteString("up\n"); err != nil {
		return fail(err)
	}
	srv := &http.Server{Handler: s.DemoHandler(), ReadHeaderTimeout: time.Minute}
	return fail(srv.Serve(ln))
}

// child is a process that is killed sooner or later.
type child struct {
	cmd   *exec.Cmd
	lines chan string // of its standard output; closed at its end
	errs  bytes.Buffer
}

func startChild(t *testing.T, args ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0], "-test.run=^TestChild$"), lines: make(chan string, 1024)}
	c.cmd.Env = append(os.Environ(), childArgs+"="+strings.Join(args, "\n"))
	c.cmd.Stderr = &c.errs
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			c.lines <- sc.Text()
		}
	}()
	return c
}

// kill ends it with SIGKILL and hands out what it said up to its last moment.
func (c *child) kill(t *testing.T, line func(string)) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil && !strings.Contains(err.Error(), "finished") {
		t.Fatal(err)
	}
	for l := range c.lines {
		line(l)
	}
	_ = c.cmd.Wait() // killed: always an error
}

// deathbed is a station and a central that are killed over and over.
type deathbed struct {
	t           *testing.T
	rng         *rand.Rand
	dir         string // of the station
	centralDir  string
	addr        string
	central     *child
	saved       map[string]string // what was acknowledged: id → digest
	killed      int               // station
	killedOther int               // central
}

func newDeathbed(t *testing.T) *deathbed {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &deathbed{
		t: t, rng: rand.New(rand.NewPCG(11, 13)), dir: filepath.Join(t.TempDir(), "station"),
		centralDir: filepath.Join(t.TempDir(), "central"), addr: ln.Addr().String(), saved: map[string]string{},
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	d.startCentral()
	t.Cleanup(func() { d.central.kill(t, func(string) {}) })
	return d
}

func (d *deathbed) url() string { return "http://" + d.addr }

func (d *deathbed) startCentral() {
	d.t.Helper()
	d.central = startChild(d.t, "central", d.centralDir, d.addr)
	if l, ok := <-d.central.lines; !ok || l != "up" {
		_ = d.central.cmd.Wait()
		d.t.Fatalf("central did not start: %s", &d.central.errs)
	}
}

// heard notes a packet that was reported as saved.
func (d *deathbed) heard(line string) {
	f := strings.Fields(line)
	if len(f) != 3 || f[0] != "saved" {
		return
	}
	if old, ok := d.saved[f[1]]; ok && old != f[2] {
		d.t.Errorf("%s was saved with two digests", f[1])
	}
	d.saved[f[1]] = f[2]
}

// simulate runs sessions and kills them the given time after they saved so many
// packets.
func (d *deathbed) simulate(packets int, after time.Duration) {
	d.t.Helper()
	c := startChild(d.t, "simulate", "--data", d.dir, "--sessions", "100000", "--central", d.url(), "--seed", strconv.Itoa(d.killed))
	var deadline <-chan time.Time // none until the packet that is waited for
	if packets == 0 {
		deadline = time.After(after)
	}
	for running := true; running; {
		select {
		case l, ok := <-c.lines:
			if !ok {
				_ = c.cmd.Wait()
				d.t.Fatalf("simulate ended by itself: %s", &c.errs)
			}
			d.heard(l)
			if packets--; packets == 0 {
				deadline = time.After(after)
			}
		case <-deadline:
			running = false
		}
	}
	c.kill(d.t, d.heard)
	d.killed++
}

// send commits a few packets and kills the station or central while they are
// being sent.
func (d *deathbed) send(after time.Duration) {
	d.t.Helper()
	d.commit(1 + d.rng.IntN(3))
	c := startChild(d.t, "sync", "--data", d.dir, "--until-empty")
	over := make(chan struct{})
	go func() {
		for range c.lines { // what it says about its progress is not what counts
		}
		close(over)
	}()
	done := false
	select {
	case <-time.After(after):
	case <-over:
		done = true
	}
	if !done && d.rng.IntN(4) == 0 {
		d.central.kill(d.t, func(string) {})
		d.killedOther++
		d.startCentral()
	}
	if err := c.cmd.Process.Kill(); err == nil && !done {
		d.killed++
	}
	<-over
	_ = c.cmd.Wait()
}

// commit saves packets as a station does, with pictures that cost nothing.
func (d *deathbed) commit(n int) {
	d.t.Helper()
	must := func(err error) {
		d.t.Helper()
		if err != nil {
			d.t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	store, err := keys.Open(filepath.Join(d.dir, keysDir))
	must(err)
	e, err := store.Enrolment()
	must(err)
	key, err := store.StationKey()
	must(err)
	data, err := openDataKey(store, os.Getenv(envPassphrase), log)
	must(err)
	list, err := roster.Open(filepath.Join(d.dir, rosterDir), data)
	must(err)
	to, err := e.Recipients()
	must(err)
	cfg, err := config.Load(d.dir)
	must(err)
	box, err := openOutbox(d.dir, key, cfg, data, e.Enrolled.CentralKey, log)
	must(err)
	students := list.Students()
	picture := anyPicture()
	for range n {
		who := students[d.rng.IntN(len(students))]
		seq, err := box.NextSeq()
		must(err)
		s, err := packet.Seal(packet.Input{
			ID: ulid.Make(), Seq: seq, Station: e.Enrolled.StationID, Spec: "chsi", Created: time.Now(),
			Original: picture, Portrait: picture,
			Manifest: packet.Manifest{Batch: who.Batch, Student: packet.Student{Ref: who.Ref, IdentifiedBy: "keypad"}},
		}, to, key)
		must(err)
		_, err = box.Commit(s)
		must(err)
		d.saved[s.ID.String()] = s.SHA256
	}
	must(box.Close())
}

// anyPicture is a JPEG file that decodes, made once.
var anyPicture = sync.OnceValue(func() []byte {
	img := image.NewGray(image.Rect(0, 0, 480, 640))
	draw.Draw(img, img.Rect, image.NewUniform(color.Gray{Y: 128}), image.Point{}, draw.Src)
	var b bytes.Buffer
	_ = jpeg.Encode(&b, img, nil) // into memory: cannot fail
	return b.Bytes()
})

// check compares what was acknowledged with what is on the disk.
func (d *deathbed) check() verifyResult {
	d.t.Helper()
	code, out, errs := yunzhao(d.t, "verify", "--data", d.dir, "--json")
	var v verifyResult
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || !v.Clean {
		d.t.Fatalf("verify: exit %d %v %s %s", code, err, out, errs)
	}
	found := map[string]int{}
	for i, p := range v.Packets {
		found[p.ID]++
		if want, ok := d.saved[p.ID]; ok && want != p.SHA256 {
			d.t.Errorf("%s has digest %s, acknowledged was %s", p.ID, p.SHA256, want)
		}
		if p.Seq != uint64(i+1) {
			d.t.Errorf("packet %d has sequence %d", i+1, p.Seq)
		}
	}
	for id := range d.saved {
		if found[id] != 1 {
			d.t.Errorf("%s was acknowledged and is there %d times", id, found[id])
		}
	}
	if d.t.Failed() {
		d.t.FailNow()
	}
	return v
}

// checkCentral sends what is left and compares with what central holds.
func (d *deathbed) checkCentral(v verifyResult) {
	d.t.Helper()
	if code, _, errs := yunzhao(d.t, "sync", "--data", d.dir, "--until-empty"); code != 0 {
		d.t.Fatalf("sync: exit %d %s", code, errs)
	}
	d.central.kill(d.t, func(string) {})
	s, err := central.Open(d.centralDir, central.Options{})
	if err != nil {
		d.t.Fatal(err)
	}
	all, err := s.ListPackets(d.t.Context(), central.PacketFilter{})
	if err != nil || len(all) != len(v.Packets) {
		d.t.Errorf("central has %d packets, the station %d (%v)", len(all), len(v.Packets), err)
	}
	for _, p := range v.Packets {
		row, err := s.Packet(d.t.Context(), p.ID)
		if err != nil || row.Stage != central.StageOpened || row.SHA256 != p.SHA256 {
			d.t.Errorf("%s at central: %+v %v", p.ID, row, err)
			continue
		}
		if err := s.VerifyStored(d.t.Context(), p.ID); err != nil {
			d.t.Errorf("%s: central's bytes differ (%v)", p.ID, err)
		}
	}
	if err := s.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.startCentral()
}

// TestKilled kills the station in the middle of sessions and of sending, and
// central beside it, at random moments. Every packet that was acknowledged must
// be on the disk and at central, byte for byte and once.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves whole sessions out")
	}
	d := newDeathbed(t)
	// The first start enrols and photographs the backdrop; how long a session
	// takes says what a random moment is on this machine.
	first := startChild(t, "simulate", "--data", d.dir, "--sessions", "2", "--central", d.url())
	began, times := time.Now(), []time.Duration(nil)
	for l := range first.lines {
		d.heard(l)
		times = append(times, time.Since(began))
	}
	if err := first.cmd.Wait(); err != nil || len(d.saved) != 2 {
		t.Fatalf("simulate: %v %s", err, &first.errs)
	}
	start, session := times[0], times[1]-times[0]
	random := func(most time.Duration) time.Duration { return time.Duration(d.rng.Int64N(int64(most))) }

	sessions := killsOf("YUNZHAO_FAULTS_SESSIONS", 3, 500)
	for i := range sessions {
		if i%4 == 0 {
			d.simulate(0, random(start)) // while it recovers and starts
		} else {
			d.simulate(1, random(session+session/2))
		}
		if i%50 == 49 {
			t.Logf("%d kills in sessions, %d acknowledged, %d found", d.killed, len(d.saved), d.check().Checked)
		}
	}
	v := d.check()
	t.Logf("COUNT SIGKILL in sessions (simulate): %d; acknowledged %d, found %d; lost 0, doubled 0, half 0", d.killed, len(d.saved), v.Checked)
	d.checkCentral(v)

	inSessions, sending := d.killed, killsOf("YUNZHAO_FAULTS_SENDING", 6, 1500)
	for i := 0; d.killed+d.killedOther-inSessions < sending; i++ {
		d.send(random(start / 4))
		if i%200 == 199 {
			t.Logf("%d kills while sending, %d acknowledged, %d found", d.killed+d.killedOther-inSessions, len(d.saved), d.check().Checked)
		}
	}
	v = d.check()
	d.checkCentral(v)
	t.Logf("COUNT SIGKILL while sending (sync): station %d, central %d; acknowledged %d, at central %d, byte for byte and once", d.killed-inSessions, d.killedOther, len(d.saved), len(v.Packets))
}
