package station

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/host"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// runningFile is there while the station runs: one that is found at the start
// was left by a crash or a power cut.
const runningFile = "running"

// auditSealing is the entry that names a visit's packet before its commit.
const auditSealing = "packet.sealing"

// clockOff is how far the clock may be from central's before staff are told:
// claims and signatures are refused from a few minutes on.
const clockOff = 2 * time.Minute

// operatorConfig is how staff are let in, and whether the station begins on its
// lock screen.
func (s *Station) operatorConfig() (booth.OperatorConfig, error) {
	c := booth.OperatorConfig{
		Idle: config.Seconds(s.p.Config.Operator.IdleSeconds), ManualPIN: s.p.Config.Operator.ManualPIN, Standing: s.p.Standing,
		Checklist: s.p.Config.Operator.Checklist && !s.p.Demo,
	}
	var err error
	if c.Begun, err = s.dayBegun(); err != nil {
		return c, err
	}
	_, err = os.Stat(filepath.Join(s.p.DataDir, runningFile))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("station: look for an unclean end: %w", err)
	}
	l, err := s.afterCrash()
	if err != nil {
		return c, err
	}
	s.note("", "station.unclean", fmt.Sprintf("visit cut: %t, its photo saved: %t", l.Cut, l.CutSaved))
	s.log.Warn("the station did not end in order", "visit_cut", l.Cut, "photo_saved", l.CutSaved, "packets", l.Saved)
	if c.Standing == nil {
		c.Locked = &l
	}
	return c, nil
}

// afterCrash finds out, from the audit log and the outbox, whether a visit was
// cut and whether its photo is safe.
func (s *Station) afterCrash() (booth.LockedView, error) {
	l := booth.LockedView{Crash: true}
	data, err := os.ReadFile(filepath.Join(s.p.DataDir, auditFile))
	if err != nil {
		return l, fmt.Errorf("station: audit log: %w", err)
	}
	session, id := cutVisit(data)
	if l.Cut = session != ""; l.Cut && id != (ulid.ULID{}) {
		if _, err := s.p.Outbox.Get(id); err == nil {
			l.CutSaved = true
		} else if !errors.Is(err, outbox.ErrUnknown) {
			return l, fmt.Errorf("station: the photo of the visit that was cut: %w", err)
		}
	}
	for _, e := range s.p.Outbox.List() {
		if e.Fault == "" || e.State == outbox.Opened || e.State == outbox.Stored {
			l.Saved++
			if e.SavedAt.After(l.LastSaved) {
				l.LastSaved = e.SavedAt
			}
		}
	}
	r, err := s.pins.Check("")
	if err != nil && !errors.Is(err, ErrPINFile) {
		return l, err
	}
	l.NoPIN = r.NoPIN
	return l, nil
}

// cutVisit is the session, as the log names it, that began last and did not
// end, and the packet that it was to become; "" when every visit ended.
func cutVisit(log []byte) (session string, id ulid.ULID) {
	for line := range bytes.Lines(log) {
		var e AuditEntry
		if json.Unmarshal(line, &e) != nil {
			break // torn, or put aside before this is asked
		}
		switch {
		case e.Event == "session.begin":
			session, id = e.Session, ulid.ULID{}
		case e.Event == "session.end" && e.Session == session, e.Event == "station.unclean":
			session, id = "", ulid.ULID{}
		case e.Event == auditSealing && e.Session == session:
			id, _ = ulid.ParseStrict(e.Detail) // written by sealVisit; the zero id is in no outbox
		}
	}
	return session, id
}

// markRunning leaves the mark that a crash does not take away.
func (s *Station) markRunning() error {
	text := fmt.Sprintf("%s %s\n", time.Now().UTC().Format(time.RFC3339), s.p.Version)
	if err := durable.WriteFile(filepath.Join(s.p.DataDir, runningFile), []byte(text)); err != nil {
		return fmt.Errorf("station: mark the start: %w", err)
	}
	return nil
}

func (s *Station) markEnded() error {
	if err := os.Remove(filepath.Join(s.p.DataDir, runningFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("station: mark the end: %w", err)
	}
	return nil
}

// checkPIN judges a PIN beside the loop: its hash takes a while on purpose. The
// PIN is in no log and in no audit entry, right or wrong.
func (s *Station) checkPIN(e booth.CheckPIN) {
	s.work.Go(func() {
		r, err := s.pins.Check(e.PIN)
		ev := booth.PINChecked{Token: e.Token, Query: e.PIN == "", OK: r.OK, Staff: r.Staff, NoPIN: r.NoPIN, Wait: r.Wait}
		if err != nil {
			s.log.Error("PIN", "err", err)
		}
		if errors.Is(err, ErrPINFile) {
			ev.Problem = &booth.Text{
				ZH: "PIN 文件损坏，无法核对。请管理员用 yunzhao pin set 重新设置。",
				EN: "The PIN file is damaged and nothing can be compared. An admin must set the PINs anew: yunzhao pin set.",
			}
		}
		s.inputs <- ev
		if r.OK {
			s.inputs <- asked{f: s.refreshHouse, done: make(chan struct{})}
		}
	})
}

// purgeNow removes what central has opened, without waiting for its retention.
func (s *Station) purgeNow() {
	by := s.machine.Operator()
	s.work.Go(func() {
		n, err := s.p.Outbox.Purge(time.Now(), 0)
		text := booth.Text{ZH: fmt.Sprintf("已清除 %d 份中心已收妥的照片包。", n), EN: fmt.Sprintf("Removed %d packets that central has opened.", n)}
		if err != nil {
			s.log.Error("packets not all removed", "err", err)
			text = booth.Text{ZH: fmt.Sprintf("只清除了 %d 份，其余没有成功，请联系技术支持。", n), EN: fmt.Sprintf("Only %d were removed; call technical support about the rest.", n)}
		}
		s.inputs <- asked{done: make(chan struct{}), f: func() {
			s.write(booth.Audit{Event: "purge.done", Detail: fmt.Sprint(n), By: by})
			s.apply(booth.StaffNotice{Text: text})
			s.refreshHouse()
		}}
	})
}

// refreshStaff brings the operator page up to date while staff look at it. The
// day's numbers are counted beside the loop: there may be many packets.
func (s *Station) refreshStaff(lamps booth.Lamps, online uplink.Status) {
	if v := s.machine.View().Operator; v == nil || !v.Unlocked {
		return
	}
	synced, err := host.ClockSynchronised()
	if err != nil {
		s.log.Warn("clock", "err", err)
	}
	status := s.statusLines(lamps, online, synced, time.Now())
	if s.machine.View().Operator.Page == booth.PageSync {
		s.refreshSync(lamps.Central, online)
	}
	s.work.Go(func() {
		s.inputs <- booth.HouseChanged{Status: status, Day: dayNumbers(s.p.Outbox.List(), time.Now()), Start: s.startLines()}
	})
}

// statusLines says in words how everything stands that staff look after.
func (s *Station) statusLines(lamps booth.Lamps, online uplink.Status, synced bool, now time.Time) []booth.StatusLine {
	return []booth.StatusLine{
		{ID: "camera", Title: booth.Text{ZH: "相机", EN: "Camera"}, Lamp: lamps.Camera},
		{ID: "plate", Title: booth.Text{ZH: "空背景", EN: "Backdrop"}, Lamp: lamps.Plate},
		{ID: "disk", Title: booth.Text{ZH: "磁盘", EN: "Disk"}, Lamp: diskWords(lamps.Disk, s.p.Outbox.Stats().FreeBytes)},
		{ID: "outbox", Title: booth.Text{ZH: "待传照片", EN: "To send"}, Lamp: lamps.Outbox},
		{ID: "central", Title: booth.Text{ZH: "审核中心", EN: "Central"}, Lamp: centralWords(lamps.Central, online, now)},
		{ID: "clock", Title: booth.Text{ZH: "时钟", EN: "Clock"}, Lamp: clockLamp(online, synced)},
		{ID: "roster", Title: booth.Text{ZH: "名单", EN: "Roster"}, Lamp: rosterLamp(s.p.Roster.Count(), online.LastHeard, now)},
		{ID: "audit", Title: booth.Text{ZH: "审计日志", EN: "Audit log"}, Lamp: s.auditLamp()},
	}
}

func diskWords(l booth.Lamp, free uint64) booth.Lamp {
	if free > 0 {
		gb := float64(free) / 1e9
		l.Text = booth.Text{ZH: fmt.Sprintf("%s，剩余 %.1f GB", l.Text.ZH, gb), EN: fmt.Sprintf("%s, %.1f GB free", l.Text.EN, gb)}
	}
	return l
}

func centralWords(l booth.Lamp, st uplink.Status, now time.Time) booth.Lamp {
	if st.Online || st.LastHeard.IsZero() {
		return l
	}
	ago := ago(now.Sub(st.LastHeard))
	l.Text = booth.Text{ZH: l.Text.ZH + "，上次联系 " + ago.ZH, EN: l.Text.EN + ", last heard " + ago.EN}
	return l
}

// clockLamp compares with central's clock; before central was heard, a clock that
// follows a time server (synced) is as good.
func clockLamp(st uplink.Status, synced bool) booth.Lamp {
	off := st.Offset.Abs()
	switch {
	case st.LastHeard.IsZero() && synced:
		return booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "与时间服务器同步", EN: "Follows a time server"}}
	case st.LastHeard.IsZero():
		return booth.Lamp{Level: booth.Note, Text: booth.Text{ZH: "还没有与中心对过", EN: "Not compared with central yet"}}
	case off > clockOff:
		return booth.Lamp{Level: booth.Bad, Text: booth.Text{
			ZH: fmt.Sprintf("与中心相差 %d 秒，请校时", int(off.Seconds())), EN: fmt.Sprintf("%d s off central's: set the clock", int(off.Seconds())),
		}}
	}
	return booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "与中心一致", EN: "Agrees with central"}}
}

// rosterLamp tells how old the list can be: central sends changes whenever it
// answers.
func rosterLamp(count int, heard, now time.Time) booth.Lamp {
	switch {
	case count == 0:
		return booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "没有名单", EN: "No roster"}}
	case heard.IsZero():
		return booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: fmt.Sprintf("%d 人，启动后未更新", count), EN: fmt.Sprintf("%d students, not renewed since the start", count)}}
	}
	age := now.Sub(heard)
	level := booth.OK
	if age > 24*time.Hour {
		level = booth.Warn
	}
	t := ago(age)
	return booth.Lamp{Level: level, Text: booth.Text{ZH: fmt.Sprintf("%d 人，%s更新", count, t.ZH), EN: fmt.Sprintf("%d students, renewed %s", count, t.EN)}}
}

func (s *Station) auditLamp() booth.Lamp {
	n, broken := s.audit.state()
	if broken {
		return booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "日志被改过，已另存，请上报", EN: "The log was changed and put aside: report it"}}
	}
	return booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: fmt.Sprintf("%d 条，链完整", n), EN: fmt.Sprintf("%d entries, chain whole", n)}}
}

// ago puts a duration as people do.
func ago(d time.Duration) booth.Text {
	switch {
	case d < time.Minute:
		return booth.Text{ZH: "刚刚", EN: "just now"}
	case d < time.Hour:
		return booth.Text{ZH: fmt.Sprintf("%d 分钟前", int(d.Minutes())), EN: fmt.Sprintf("%d min ago", int(d.Minutes()))}
	case d < 48*time.Hour:
		return booth.Text{ZH: fmt.Sprintf("%d 小时前", int(d.Hours())), EN: fmt.Sprintf("%d h ago", int(d.Hours()))}
	}
	return booth.Text{ZH: fmt.Sprintf("%d 天前", int(d.Hours()/24)), EN: fmt.Sprintf("%d days ago", int(d.Hours()/24))}
}

// dayNumbers counts the packets saved on now's day, by the station's clock.
func dayNumbers(entries []outbox.Entry, now time.Time) booth.DayNumbers {
	var n booth.DayNumbers
	year, month, day := now.Date()
	for i := range entries {
		e := &entries[i]
		if e.State == outbox.Saved {
			n.Pending++
		}
		if e.SavedAt.After(n.LastSaved) {
			n.LastSaved = e.SavedAt
		}
		if y, m, d := e.SavedAt.In(now.Location()).Date(); y != year || m != month || d != day {
			continue
		}
		n.Saved++
		switch {
		case e.State == outbox.Refused:
			n.Refused++
		case e.Verdict == nil:
		case e.Verdict.State == wire.VerdictApproved:
			n.Approved++
		case e.Verdict.State == wire.VerdictRejected:
			n.Rejected++
		case e.Verdict.State == wire.VerdictInReview:
			n.InReview++
		}
	}
	return n
}

// payment is what the packet says about the fee.
func payment(e booth.Seal, v *visit) packet.Payment {
	p := packet.Payment{State: e.Payment, OrderID: v.order}
	if e.Payment == string(wire.PaymentPaid) {
		p.Evidence, p.Proof = v.proof.evidence, v.proof.text
	}
	if e.Marked != (booth.Marked{}) {
		p.Reason, p.Evidence = e.Marked.Reason, "operator"
	}
	return p
}

// override is an exception with what was measured and what the rule asked for.
func override(o booth.Overridden, r pipeline.Report) packet.Override {
	out := packet.Override{CheckID: o.CheckID, Reason: o.Reason, Operator: o.By.ID, At: o.At}
	for _, c := range r.Checks {
		if c.ID == o.CheckID {
			out.Value, out.Unit, out.Min, out.Max = c.Value, c.Unit, c.Min, c.Max
		}
	}
	return out
}

// readableLimit is what the rule asks for.
func readableLimit(c pipeline.Check) string {
	unit := unitSuffix(c.Unit)
	switch {
	case c.Min != nil && c.Max != nil:
		return readable(*c.Min) + "–" + readable(*c.Max) + unit
	case c.Min != nil:
		return "≥ " + readable(*c.Min) + unit
	case c.Max != nil:
		return "≤ " + readable(*c.Max) + unit
	}
	return ""
}
