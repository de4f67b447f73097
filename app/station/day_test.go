package station

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
)

// dayLog writes lines as the audit log has them; at is seconds into the day.
type dayLog struct {
	t     *testing.T
	start time.Time
	lines []byte
}

func (l *dayLog) add(at float64, session, event, detail string) {
	l.t.Helper()
	line, err := json.Marshal(AuditEntry{At: l.start.Add(time.Duration(at * float64(time.Second))), Session: session, Event: event, Detail: detail})
	if err != nil {
		l.t.Fatal(err)
	}
	l.lines = append(append(l.lines, line...), '\n')
}

// visit is a whole one that begins at and is sealed 30 s later.
func (l *dayLog) visit(at float64, session string, id ulid.ULID) {
	l.t.Helper()
	l.add(at, session, "session.begin", "")
	l.add(at+5, session, "record.chosen", "")
	l.add(at+8, session, "consent.given", "v1")
	l.add(at+18, session, "shot.taken", "auto")
	l.add(at+19, session, "shot.standardised", "pass")
	l.add(at+30, session, auditSealing, id.String())
	l.add(at+40, session, "session.end", "done")
}

func dayID(n byte) ulid.ULID { return ulid.ULID{15: n} }

func TestDayReport(t *testing.T) {
	morning := time.Date(2026, 9, 7, 9, 0, 0, 0, time.UTC)
	now := morning.Add(3 * time.Hour)
	entry := func(n byte, s outbox.State, at time.Time) outbox.Entry {
		return outbox.Entry{ID: dayID(n), State: s, SavedAt: at}
	}
	l := &dayLog{t: t, start: morning}
	l.add(-86400, "yesterday", "session.begin", "")
	l.add(-86300, "yesterday", auditSealing, dayID(9).String())
	l.visit(0, "a", dayID(1))
	l.visit(3600, "b", dayID(2))
	l.add(4000, "c", "session.begin", "")
	l.add(4005, "c", "record.chosen", "")
	l.add(4010, "c", "shot.taken", "hand")
	l.add(4011, "c", "shot.standardised", "fail")
	l.add(4020, "c", "shot.taken", "hand")
	l.add(4021, "c", "shot.standardised", "pass")
	l.add(4030, "c", "shot.taken", "hand")
	l.add(4060, "c", "session.end", "timeout")
	yesterday := entry(9, outbox.Opened, morning.Add(-86300*time.Second))
	t.Run("adds up", func(t *testing.T) {
		r := dayReport(l.lines, []outbox.Entry{yesterday, entry(1, outbox.Opened, morning), entry(2, outbox.Purged, morning.Add(time.Hour))}, now)
		if !r.Whole() || r.Captured != 2 || r.Saved != 2 || r.Left != 1 {
			t.Errorf("%+v", r)
		}
		if got := r.Steps[len(r.Steps)-1].Seconds; got != 30 {
			t.Errorf("a visit takes %.1f s in all, want 30", got)
		}
		if r.Retakes[0].Count != 1 || r.Retakes[2].Count != 1 {
			t.Errorf("retakes %+v", r.Retakes)
		}
		if len(r.Hours) != 2 || r.Hours[0] != (booth.DayHour{Hour: 9, Saved: 1}) {
			t.Errorf("hours %+v", r.Hours)
		}
		if len(r.Sessions) != 3 || r.Sessions[0].End != "timeout" || r.Sessions[0].Shots != 3 || r.Sessions[0].Seconds != 60 {
			t.Errorf("the newest visit is %+v", r.Sessions[0])
		}
	})
	t.Run("not sent yet", func(t *testing.T) {
		r := dayReport(l.lines, []outbox.Entry{entry(1, outbox.Stored, morning), entry(2, outbox.Saved, morning)}, now)
		if r.Whole() || r.Kept != 2 || r.Sent != 1 || r.Acked != 0 || len(r.Missing) != 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a photo is missing", func(t *testing.T) {
		r := dayReport(l.lines, []outbox.Entry{entry(1, outbox.Opened, morning)}, now)
		if r.Whole() || len(r.Missing) != 1 || r.Missing[0] != dayID(2).String() {
			t.Errorf("missing %q", r.Missing)
		}
	})
	t.Run("a photo that no visit knows", func(t *testing.T) {
		r := dayReport(l.lines, []outbox.Entry{entry(1, outbox.Opened, morning), entry(2, outbox.Opened, morning), entry(3, outbox.Opened, morning)}, now)
		if r.Whole() || len(r.Strangers) != 1 || r.Strangers[0] != dayID(3).String() {
			t.Errorf("strangers %q", r.Strangers)
		}
	})
	t.Run("sealed again after a failure", func(t *testing.T) {
		again := &dayLog{t: t, start: morning, lines: append([]byte(nil), l.lines...)}
		again.add(3635, "b", auditSealing, dayID(2).String())
		if r := dayReport(again.lines, nil, now); r.Captured != 2 {
			t.Errorf("%d captured, want 2", r.Captured)
		}
	})
	t.Run("nothing, and a torn line", func(t *testing.T) {
		if r := dayReport([]byte("{\"at\":"), nil, now); !r.Whole() || len(r.Sessions) != 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("as CSV", func(t *testing.T) {
		data, err := dayCSV(dayReport(l.lines, []outbox.Entry{entry(1, outbox.Opened, morning)}, now))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"拍成 / captured,2", "已保存 / saved,1", "没有存下 / not saved," + dayID(2).String(), "09:00:00,30,1," + shortPacket(dayID(1).String()) + ",done"} {
			if !strings.Contains(string(data), want) {
				t.Errorf("no %q in\n%s", want, data)
			}
		}
	})
}

func FuzzDayReport(f *testing.F) {
	l := &dayLog{t: &testing.T{}, start: time.Date(2026, 9, 7, 9, 0, 0, 0, time.UTC)}
	l.visit(0, "a", dayID(1))
	f.Add(l.lines)
	f.Fuzz(func(t *testing.T, log []byte) {
		r := dayReport(log, nil, l.start)
		if _, err := dayCSV(r); err != nil {
			t.Fatal(err)
		}
		if r.Captured != len(r.Missing) {
			t.Errorf("captured %d, missing %d of an empty outbox", r.Captured, len(r.Missing))
		}
	})
}

func TestEveryDifferenceSaysWhatToDo(t *testing.T) {
	now := time.Date(2026, 9, 7, 18, 0, 0, 0, time.UTC)
	entry := func(state outbox.State, fault outbox.Fault) outbox.Entry {
		return outbox.Entry{ID: ulid.Make(), State: state, Fault: fault, SavedAt: now}
	}
	r := &booth.DayReport{Missing: []string{ulid.Make().String()}, Strangers: []string{ulid.Make().String()}}
	kept := []outbox.Entry{
		entry(outbox.Opened, ""), entry(outbox.Purged, ""), entry(outbox.Saved, ""), entry(outbox.Stored, ""), entry(outbox.Refused, ""), entry(outbox.Saved, "damaged"),
	}
	got := differences(r, kept, now)
	if len(got) != 6 {
		t.Fatalf("%d differences, two of the eight are acknowledged: %+v", len(got), got)
	}
	warned := false
	for _, d := range got {
		if d.Packet == "" || d.What.ZH == "" || d.What.EN == "" || d.Do.ZH == "" || d.Do.EN == "" {
			t.Errorf("without words: %+v", d)
		}
		if warned = warned || d.Level == booth.Warn; warned && d.Level == booth.Bad {
			t.Error("the worst do not come first")
		}
	}
	if got := differences(&booth.DayReport{}, kept[:2], now); len(got) != 0 {
		t.Errorf("all acknowledged, and yet %+v", got)
	}
}
