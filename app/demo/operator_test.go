package demo

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/app/drive/remote"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Staff's PINs in the tests.
const (
	operatorPIN = "4071"
	adminPIN    = "908172"
)

// setPIN sets one from the command line, as an admin does before the first day.
func (s *site) setPIN(role, staff, pin string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.within(), s.bins.kiosk, "pin", "set", "--data", s.data, "--role", role, "--staff", staff)
	cmd.Stdin, cmd.Env = strings.NewReader(pin+"\n"), s.env
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("pin set: %v\n%s", err, out)
	}
}

// typePIN taps a PIN on the pad and sends it.
func (s *site) typePIN(pin string) {
	s.t.Helper()
	s.do(s.settled)
	for _, digit := range pin {
		s.do(func(ctx context.Context) error {
			return s.seen(ctx, "pin", func() error { return s.kiosk.Tap(ctx, "key-"+string(digit)) })
		})
	}
	s.do(func(ctx context.Context) error { return s.tap(ctx, "unlock") })
}

// openPage holds the corner and unlocks the operator page.
func (s *site) openPage(pin string) {
	s.t.Helper()
	s.do(s.settled)
	s.must("hold the corner", s.kiosk.Hold(s.within(), "operator-corner", 2*time.Second))
	s.expect("the PIN pad", field("operator", "pin"))
	s.typePIN(pin)
	s.expect("the operator page", field("operator", "open"))
	s.do(s.settled)
	if s.target("checklist").ID != "" { // the first to unlock today, and nobody is seated
		s.tapAll("staff-back")
	}
}

// tapAll taps buttons one after the other.
func (s *site) tapAll(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		s.do(func(ctx context.Context) error { return s.tap(ctx, id) })
	}
}

// shown lists the ids of what can be pressed now and begins so.
func (s *site) shown(prefix string) (ids []string) {
	s.t.Helper()
	targets, err := s.client.Targets(s.within())
	s.must("targets", err)
	for _, t := range targets {
		if strings.HasPrefix(t.ID, prefix) && t.Enabled {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// noPage wants the operator page closed, with its PIN pad.
func noPage(st remote.State) bool {
	_, open := st.Field("operator")
	return !open
}

// Staff come back after a crash, let a photo that was taken in the dark through
// with a reason, and central has it with what was measured and what the rule
// asks for; a student reaches none of it.
func TestE2EOperator(t *testing.T) {
	t.Parallel()
	s := newSite(t, "[times]\ncountdown_s = 1\ndone_s = 120\n[capture]\nauto = false\n[operator]\nidle_s = 600\n")
	s.do(s.leave)
	s.setPIN("operator", "li", operatorPIN)
	s.setPIN("admin", "wang", adminPIN)
	s.startKiosk()

	// A crash in the middle of a visit: nothing of it is on the screen, the lock
	// screen says that this photo was not saved, and only a PIN goes on.
	who := s.student(wire.PayNone, 0)
	s.do(func(ctx context.Context) error { return s.scan(ctx, who.IDNumber) }, s.agree, s.pose)
	s.must("kill", s.desk.kill())
	s.must("start again", s.start(s.within()))
	s.expect("the lock screen", func(st remote.State) bool { return st.State == "locked" && st.Session == "" })
	s.do(s.settled)
	if b, ok, err := s.button(s.within(), "safe"); err != nil || !ok || !strings.Contains(b.Text, "没有保存") {
		t.Errorf("the lock screen says %q (%v)", b.Text, err)
	}
	s.do(func(ctx context.Context) error { return s.kiosk.Scan(ctx, who.IDNumber) }) // a scanner is no PIN
	s.typePIN("1357")
	s.do(s.settled)
	if st, err := s.client.State(s.within()); err != nil || st.State != "locked" {
		t.Fatalf("a wrong PIN and a scanner led to %q (%v)", st.State, err)
	}
	s.typePIN(operatorPIN)
	s.expect("the open station", func(st remote.State) bool {
		fault, _ := st.Field("fault")
		return st.State == "idle" && fault == nil && st.Lamps["plate"].Level == "ok"
	})

	// A photo in bad light fails its checks; the student gets no further.
	s.do(func(ctx context.Context) error { return s.scan(ctx, who.IDNumber) }, s.agree, s.pose)
	s.must("dim the light", s.kiosk.Scene(s.within(), "dim"))
	s.do(s.shoot)
	st := s.expect("the failed photo", field("shot.verdict", "fail"))
	s.must("light again", s.kiosk.Scene(s.within(), "lit"))
	session := st.Session
	s.do(s.settled)
	if b, ok, err := s.button(s.within(), "accept"); err != nil || !ok || b.Enabled {
		t.Fatalf("a photo that failed its checks can be accepted (%v, %v)", b.Enabled, err)
	}
	s.must("press the staff's key", s.display.Key(0xffc9)) // F12
	s.expect("the PIN pad", field("operator", "pin"))
	s.typePIN("1357")
	s.do(s.settled)
	for _, prefix := range []string{"op-", "accept", "retake", "check-"} {
		if ids := s.shown(prefix); len(ids) > 0 {
			t.Errorf("behind the PIN pad there is %v", ids)
		}
	}
	s.tapAll("operator-leave")
	s.expect("the student's screen", func(st remote.State) bool { return noPage(st) && st.State == "review" && st.Session == session })

	// Staff let it through, with a reason.
	s.openPage(operatorPIN)
	s.do(s.settled)
	if ids := s.shown("op-purge"); len(ids) > 0 {
		t.Error("an operator may purge")
	}
	s.tapAll("op-manual", "operator-confirm", "op-override")
	s.do(s.settled)
	failing := s.shown("check-")
	if len(failing) == 0 {
		t.Fatal("nothing to let through")
	}
	for _, id := range failing {
		if len(failing) > 1 { // a single one is chosen already
			s.tapAll(id)
		}
	}
	s.tapAll("reason-equipment", "operator-confirm")
	s.expect("everything on record", noFailures)
	s.quiet = false
	s.do(func(ctx context.Context) error { return s.shot(ctx, "operator") })
	s.quiet = true
	s.tapAll("operator-leave")
	s.expect("the student's screen", func(st remote.State) bool { return noPage(st) && st.State == "review" && st.Session == session })
	s.do(s.tapped("accept", "confirm"), s.confirm, s.next)

	// Central has the exceptions.
	p := s.arrived("the packet", func(ps []central.PacketState) bool { return len(ps) == 1 && ps[0].Stage == central.StageOpened })[0]
	var file string
	for f := range s.packetFiles() {
		if strings.Contains(f, p.SHA256) {
			file = f
		}
	}
	out := filepath.Join(s.dir, "opened")
	s.run(s.bins.central, "packet", "open", file, "--data", s.centralData(), "--out", out)
	manifest, err := os.ReadFile(filepath.Join(out, packet.FileManifest))
	s.must("manifest", err)
	m, err := packet.ParseManifest(manifest)
	s.must("manifest", err)
	_, checks, err := m.Checks()
	s.must("report", err)
	failed := map[string]packet.Check{}
	for _, c := range checks {
		if c.Status == "fail" {
			failed[c.ID] = c
		}
	}
	if len(failed) == 0 {
		t.Error("the packet's report says that nothing failed")
	}
	measured := 0
	for _, o := range m.Overrides {
		c, ok := failed[o.CheckID]
		if o.CheckID == "manual" {
			continue
		}
		delete(failed, o.CheckID)
		if !ok || o.Reason != "equipment" || o.Operator != "li" || o.At.IsZero() {
			t.Errorf("%+v", o)
		}
		if c.Value != nil && o.Value != nil && *c.Value == *o.Value && (o.Min != nil || o.Max != nil) {
			measured++
		}
	}
	if len(failed) > 0 || measured == 0 || m.Operator != "li" {
		t.Errorf("not on record: %v; %d with value and limit; operator %q", failed, measured, m.Operator)
	}
	audit, err := os.ReadFile(filepath.Join(out, packet.FileAudit))
	s.must("audit lines", err)
	for _, want := range []string{`"event":"override"`, `"by":"li"`, `"role":"operator"`, `"value":`, `"limit":`} {
		if !strings.Contains(string(audit), want) {
			t.Errorf("the packet's audit lines lack %s:\n%s", want, audit)
		}
	}

	// An admin ends the day at the screen; the log is whole and tells no PIN.
	s.openPage(adminPIN)
	s.tapAll("op-quit", "operator-confirm")
	s.must("the kiosk's end", s.wait(s.within()))
	var log struct {
		Clean    bool `json:"clean"`
		Entries  int  `json:"entries"`
		Unsigned int  `json:"unsigned"`
	}
	s.must("read audit verify", json.Unmarshal(s.run(s.bins.kiosk, "audit", "verify", "--data", s.data, "--json"), &log))
	if !log.Clean || log.Entries < 20 || log.Unsigned != 0 {
		t.Errorf("audit verify says %+v", log)
	}
	s.verify()
	if found := s.leftovers(who); len(found) > 0 {
		t.Errorf("in the clear: %q", found)
	}
	pin := regexp.MustCompile(`\b(` + operatorPIN + `|` + adminPIN + `|1357)\b`)
	for _, name := range []string{filepath.Join(s.data, "audit.jsonl"), s.log} {
		if data, err := os.ReadFile(name); err != nil || pin.Match(data) {
			t.Errorf("%s holds a PIN (%v)", filepath.Base(name), err)
		}
	}
}

// noFailures: nothing keeps the photo from being accepted any more.
func noFailures(st remote.State) bool {
	ok, _ := st.Field("shot.acceptable")
	return ok == true
}
