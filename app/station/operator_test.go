package station

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// unlock opens the operator page with a PIN; the rig's operator has 4071, its
// admin 908172.
func (r *rig) unlock(pin string) booth.View {
	r.t.Helper()
	pins := OpenPINs(r.dir, nil)
	if owners, err := pins.Owners(); err != nil {
		r.t.Fatal(err)
	} else if len(owners) == 0 {
		for role, p := range map[booth.Role]string{booth.RoleOperator: "4071", booth.RoleAdmin: "908172"} {
			if err := pins.Set(booth.Staff{Role: role}, p); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	r.st.Send(booth.OpenOperator{})
	r.wait("the PIN pad", func(v booth.View) bool { return v.Operator != nil && !v.Operator.PIN.NoPIN })
	r.st.Send(booth.Unlock{PIN: pin})
	return r.wait("the operator page", func(v booth.View) bool { return v.Operator != nil && v.Operator.Unlocked })
}

func (r *rig) auditLines() []AuditEntry {
	r.t.Helper()
	var out []AuditEntry
	for line := range bytes.Lines(readFile(r.t, filepath.Join(r.dir, auditFile))) {
		var e AuditEntry
		if err := json.Unmarshal(line, &e); err != nil {
			r.t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func (r *rig) audited(event string) (out []AuditEntry) {
	r.t.Helper()
	for _, e := range r.auditLines() {
		if e.Event == event {
			out = append(out, e)
		}
	}
	return out
}

// A failed check that an operator lets through reaches central with who, why,
// what was measured and what the rule asked for.
func TestOverrideReachesCentralWithValueAndLimit(t *testing.T) {
	r := newRig(t)
	who := r.student(wire.PayNone)
	v := r.toReview(who)
	session := v.SessionID
	// The demo student's photo is good: make the station say that it is not.
	var id string
	var value, limit float64
	r.st.onLoop(context.Background(), func() {
		checks := r.st.visit.result.Report.Checks
		for i := range checks {
			if checks[i].Value != nil && checks[i].Max != nil && checks[i].Status == pipeline.Pass {
				checks[i].Status = pipeline.Fail
				id, value, limit = checks[i].ID, *checks[i].Value, *checks[i].Max
				break
			}
		}
		ev := booth.PortraitDone{
			Session: session, Attempt: v.Shot.Attempt, Seq: v.Shot.Seq, Portrait: v.Shot.Portrait, Before: v.Shot.Before, Verdict: "fail",
		}
		ev.Checks, ev.Manual = checkLines(r.st.visit.result.Report)
		r.st.machine.Report(time.Now(), booth.PortraitDone{}) // of nobody: dropped
		reshown(r.st, ev)
	})
	if id == "" {
		t.Fatal("no check has a value and an upper limit")
	}
	r.wait("the failed check", func(v booth.View) bool { return v.Shot != nil && v.Shot.Verdict == "fail" })
	r.st.Send(booth.ManualAnswer{OK: true})
	r.st.Send(booth.Accept{})
	r.st.Send(booth.Override{CheckID: id, Reason: "medical"}) // from nobody
	if v := r.wait("the refusal", func(v booth.View) bool { return v.Toast != nil }); v.State != booth.Review || v.Shot.CanAccept {
		t.Fatalf("a failed check got through: %s", v.State)
	}
	page := r.unlock("4071").Operator
	if len(page.Failing) != 1 || page.Failing[0].Check.ID != id || page.Failing[0].Check.Value == "" || page.Failing[0].Check.Limit == "" {
		t.Fatalf("%+v", page.Failing)
	}
	r.wait("the day's numbers", func(v booth.View) bool { return len(v.Operator.Status) >= 8 })
	r.st.Send(booth.Override{CheckID: id, Reason: "medical"})
	r.wait("the exception", func(v booth.View) bool { return v.Shot.CanAccept })
	r.st.Send(booth.CloseOperator{})
	if v := r.submit(); v.State != booth.Done {
		t.Fatalf("not saved: %+v", v.Fault)
	}
	if err := r.up.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw, err := r.box.Read(r.box.List()[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.central.OpenFile(t.Context(), bytes.NewReader(raw), "test")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, o := range c.Manifest.Overrides {
		if o.CheckID != id {
			continue
		}
		found = true
		if o.Reason != "medical" || o.Operator != "operator" || o.Value == nil || *o.Value != value || o.Max == nil || *o.Max != limit || o.At.IsZero() {
			t.Errorf("%+v", o)
		}
	}
	if !found || c.Manifest.Operator != "operator" {
		t.Errorf("operator %q, overrides %+v", c.Manifest.Operator, c.Manifest.Overrides)
	}
	for _, want := range []string{`"event":"override"`, `"by":"operator"`, `"role":"operator"`, `"value":"` + page.Failing[0].Check.Value, `"limit":`, SessionHash(session), `"packet.sealing"`} {
		if !bytes.Contains(c.Audit, []byte(want)) {
			t.Errorf("the packet's audit lines lack %s:\n%s", want, c.Audit)
		}
	}
	if bytes.Contains(c.Audit, []byte(session)) || regexp.MustCompile(`\b4071\b`).Match(c.Audit) {
		t.Error("the audit lines tell the session or a PIN")
	}
	if lines := bytes.Split(bytes.TrimSpace(c.Audit), []byte("\n")); digest(lines[len(lines)-1]) != c.Manifest.AuditHead {
		t.Error("the packet's last line is not the head that its manifest names")
	}
}

// reshown puts another verdict on the photo on the screen: through a retake's
// door, as the machine takes one answer a shot.
func reshown(s *Station, ev booth.PortraitDone) {
	s.carryOut(s.ctx, s.machine.Do(time.Now(), booth.Retake{}))
	effects := s.machine.Do(time.Now(), booth.Shutter{})
	for range 3 { // no countdown in tests
		effects = append(effects, s.machine.Report(time.Now(), booth.Tick{})...)
	}
	for _, e := range effects {
		if shot, ok := e.(booth.TakeShot); ok {
			ev.Attempt = shot.Attempt
		}
	}
	s.visit.attempt = ev.Attempt
	s.machine.Report(time.Now(), booth.FrameTaken{Session: ev.Session, Attempt: ev.Attempt, Seq: ev.Seq})
	s.carryOut(s.ctx, s.machine.Report(time.Now(), ev))
}

func TestStaffFromPINToShutDown(t *testing.T) {
	r := newRig(t)
	v := r.unlock("908172")
	if v.Operator.Staff.Role != booth.RoleAdmin || !v.Operator.Can.Purge {
		t.Fatalf("%+v", v.Operator)
	}
	v = r.wait("the page's words", func(v booth.View) bool { return len(v.Operator.Status) >= 8 })
	for _, l := range v.Operator.Status {
		if l.Title.ZH == "" || l.Lamp.Text.ZH == "" || l.Lamp.Text.EN == "" || l.Lamp.Level == "" {
			t.Errorf("%s says too little: %+v", l.ID, l)
		}
	}
	r.beginDay() // or the lock screen would lead to the checklist
	r.st.Send(booth.SyncNow{})
	r.st.Send(booth.PurgeNow{})
	r.wait("the purge's outcome", func(v booth.View) bool {
		return v.Operator.Notice != nil && strings.Contains(v.Operator.Notice.EN, "Removed 0")
	})
	r.st.Send(booth.LockStation{})
	r.wait("the lock screen", func(v booth.View) bool { return v.State == booth.Locked && v.Locked != nil && !v.Locked.Crash })
	r.st.Send(booth.Unlock{PIN: "1357"})
	r.wait("the wrong PIN being told", func(v booth.View) bool { return v.Locked != nil && v.Locked.PIN.Problem != nil })
	r.st.Send(booth.Unlock{PIN: "4071"})
	r.wait("an open station", func(v booth.View) bool { return v.State == booth.Idle })
	for _, want := range []struct{ event, by, role string }{
		{"operator.opened", "admin", "admin"},
		{"sync.asked", "admin", "admin"},
		{"purge.asked", "admin", "admin"},
		{"purge.done", "admin", "admin"},
		{"station.locked", "admin", "admin"},
		{"operator.closed", "admin", "admin"},
		{"pin.wrong", "", ""},
		{"station.unlocked", "operator", "operator"},
	} {
		if got := r.audited(want.event); len(got) != 1 || got[0].By != want.by || got[0].Role != want.role {
			t.Errorf("%s: %+v", want.event, got)
		}
	}
	if data := readFile(t, filepath.Join(r.dir, auditFile)); regexp.MustCompile(`\b(1357|908172)\b`).Match(data) {
		t.Error("a PIN is in the log")
	}
	r.unlock("908172")
	r.st.Send(booth.ShutDown{})
	<-r.ended
	if _, err := os.Stat(filepath.Join(r.dir, runningFile)); !os.IsNotExist(err) {
		t.Errorf("a clean end leaves the mark of a crash: %v", err)
	}
	_, public := r.keys()
	if rep, err := VerifyAudit(r.dir, public, r.box.AuditHead()); err != nil || !rep.Clean() || rep.Unsigned != 0 {
		t.Errorf("%+v %v", rep, err)
	}
}

// After a crash the station says whether the photo of the visit that was cut is
// safe.
func TestLockScreenKnowsWhetherTheLastPhotoIsSafe(t *testing.T) {
	id := ulid.Make()
	line := func(session, event, detail string) AuditEntry {
		return AuditEntry{At: time.Unix(1, 0), Session: SessionHash(session), Event: event, Detail: detail}
	}
	for name, c := range map[string]struct {
		log     []AuditEntry
		session string
		id      ulid.ULID
	}{
		"nothing yet":        {nil, "", ulid.ULID{}},
		"nobody was here":    {[]AuditEntry{line("a", "session.begin", ""), line("a", "session.end", "done")}, "", ulid.ULID{}},
		"cut before sealing": {[]AuditEntry{line("a", "session.begin", ""), line("a", "session.end", "done"), line("b", "session.begin", ""), line("b", "shot.taken", "")}, "b", ulid.ULID{}},
		"cut while sealing":  {[]AuditEntry{line("a", "session.begin", ""), line("a", auditSealing, id.String())}, "a", id},
		"sealed and ended":   {[]AuditEntry{line("a", "session.begin", ""), line("a", auditSealing, id.String()), line("a", "session.end", "done")}, "", ulid.ULID{}},
		"told already":       {[]AuditEntry{line("a", "session.begin", ""), line("", "station.unclean", "")}, "", ulid.ULID{}},
		"sealed twice":       {[]AuditEntry{line("a", "session.begin", ""), line("a", auditSealing, ulid.Make().String()), line("a", auditSealing, id.String())}, "a", id},
		"nonsense":           {[]AuditEntry{line("a", "session.begin", ""), line("a", auditSealing, "nonsense")}, "a", ulid.ULID{}},
	} {
		t.Run(name, func(t *testing.T) {
			var log []byte
			for _, e := range c.log {
				b, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				log = append(append(log, b...), '\n')
			}
			if session, got := cutVisit(append(log, `{"torn`...)); session != SessionHash(c.session) || got != c.id {
				t.Errorf("%q %s", session, got)
			}
		})
	}
}

func TestCrashedStationStartsLocked(t *testing.T) {
	for name, c := range map[string]struct {
		saved, pin bool
	}{"cut before it was saved": {false, true}, "cut after it was saved": {true, true}, "no PIN was ever set": {false, false}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.toReview(r.student(wire.PayNone))
			if c.saved {
				if v := r.submit(); v.State != booth.Done {
					t.Fatalf("not saved: %+v", v.Fault)
				}
			}
			crash := readFile(t, filepath.Join(r.dir, runningFile))
			log := readFile(t, filepath.Join(r.dir, auditFile))
			r.stop()
			// What a power cut leaves: no end on record, the mark still there. The
			// signed head is as old as the last entry here.
			writeFile(t, filepath.Join(r.dir, runningFile), crash)
			writeFile(t, filepath.Join(r.dir, auditFile), log)
			key, _ := r.keys()
			a := &auditLog{dir: r.dir, key: key, n: uint64(bytes.Count(log, []byte("\n")))}
			lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
			a.head = digest(lines[len(lines)-1])
			f, err := os.Open(filepath.Join(r.dir, auditFile))
			if err != nil {
				t.Fatal(err)
			}
			a.f = f
			if err := a.checkpoint(false); err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
			if c.pin {
				if err := OpenPINs(r.dir, nil).Set(booth.Staff{Role: booth.RoleOperator}, "4071"); err != nil {
					t.Fatal(err)
				}
			}
			r.start()
			v := r.wait("the lock screen", func(v booth.View) bool { return v.State == booth.Locked })
			l := v.Locked
			if l == nil || !l.Crash || !l.Cut || l.CutSaved != c.saved || l.NoPIN == c.pin || (l.Saved == 1) != c.saved || l.LastSaved.IsZero() == c.saved {
				t.Fatalf("%+v", l)
			}
			if v.Student != nil || v.Shot != nil || v.SessionID != "" {
				t.Error("the lock screen shows the student")
			}
			pin := ""
			if c.pin {
				pin = "4071"
				r.st.Send(booth.Unlock{})
			}
			r.st.Send(booth.Unlock{PIN: pin})
			r.wait("an open station", func(v booth.View) bool { return v.State == booth.Idle })
			if n := len(r.audited("station.unclean")); n != 1 {
				t.Errorf("the crash is %d times on record", n)
			}
		})
	}
}

func TestDayNumbers(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	now := time.Date(2026, 9, 2, 0, 30, 0, 0, zone)
	at := func(h int) time.Time { return now.Add(time.Duration(h) * time.Hour).UTC() }
	got := dayNumbers([]outbox.Entry{
		{State: outbox.Saved, SavedAt: at(-1)}, // yesterday here, today in UTC
		{State: outbox.Saved, SavedAt: at(0)},
		{State: outbox.Opened, SavedAt: at(0), Verdict: &wire.Verdict{State: wire.VerdictApproved}},
		{State: outbox.Opened, SavedAt: at(1), Verdict: &wire.Verdict{State: wire.VerdictRejected}},
		{State: outbox.Opened, SavedAt: at(0), Verdict: &wire.Verdict{State: wire.VerdictInReview}},
		{State: outbox.Refused, SavedAt: at(0)},
	}, now)
	want := booth.DayNumbers{Saved: 5, Pending: 2, Approved: 1, Rejected: 1, InReview: 1, Refused: 1, LastSaved: at(1)}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestStatusInWords(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		lamp  booth.Lamp
		level booth.Level
		says  string
	}{
		"clock unknown": {clockLamp(uplink.Status{}, false), booth.Note, "还没有"},
		"clock synced":  {clockLamp(uplink.Status{}, true), booth.OK, "时间服务器"},
		"clock right":   {clockLamp(uplink.Status{LastHeard: now, Offset: -time.Minute}, false), booth.OK, "一致"},
		"clock behind":  {clockLamp(uplink.Status{LastHeard: now, Offset: -5 * time.Minute}, true), booth.Bad, "300 秒"},
		"no roster":     {rosterLamp(0, now, now), booth.Bad, "没有"},
		"old roster":    {rosterLamp(120, now.Add(-50*time.Hour), now), booth.Warn, "2 天前"},
		"fresh roster":  {rosterLamp(120, now.Add(-5*time.Second), now), booth.OK, "刚刚"},
		"never renewed": {rosterLamp(120, time.Time{}, now), booth.Warn, "未更新"},
		"central away":  {centralWords(booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "离线可拍"}}, uplink.Status{LastHeard: now.Add(-3 * time.Hour)}, now), booth.Warn, "3 小时前"},
		"disk":          {diskWords(booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "磁盘正常"}}, 21_200_000_000), booth.OK, "21.2 GB"},
	} {
		if c.lamp.Level != c.level || !strings.Contains(c.lamp.Text.ZH, c.says) {
			t.Errorf("%s: %+v", name, c.lamp)
		}
	}
}

func TestLimitsInWords(t *testing.T) {
	low, high := 20.0, 40.5
	for want, c := range map[string]pipeline.Check{
		"20–40.5°": {Min: &low, Max: &high, Unit: "deg"}, "≥ 20 px": {Min: &low, Unit: "px"}, "≤ 40.5%": {Max: &high, Unit: "%"}, "": {Unit: "px"},
	} {
		if got := readableLimit(c); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
