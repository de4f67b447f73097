package station

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func TestWhatBecameOfAPhotoAndWhatToDo(t *testing.T) {
	now := time.Date(2026, 9, 7, 18, 0, 0, 0, time.UTC)
	verdict := func(state string) *wire.Verdict {
		return &wire.Verdict{State: state, NoteZH: "头发遮住了眉毛", NoteEN: "hair covers the eyebrows", At: now}
	}
	for want, c := range map[string]struct {
		e    outbox.Entry
		page booth.StaffPage
		says string
	}{
		"waiting":  {outbox.Entry{State: outbox.Saved}, booth.PageSync, "Safe here"},
		"review":   {outbox.Entry{State: outbox.Opened, StoredAt: now}, booth.PageHome, "18:00"},
		"approved": {outbox.Entry{State: outbox.Opened, Verdict: verdict(wire.VerdictApproved)}, booth.PageHome, "Approved"},
		"returned": {outbox.Entry{State: outbox.Purged, Verdict: verdict(wire.VerdictRejected)}, booth.PageRetakes, "hair covers"},
		"trouble":  {outbox.Entry{State: outbox.Refused}, booth.PageSync, "Central cannot use it"},
	} {
		c.e.ID, c.e.SavedAt = ulid.Make(), now
		state, row := foundRow(c.e, now)
		if string(state) != want || row.Go != c.page || !strings.Contains(row.About.EN, c.says) || row.Do.ZH == "" || row.Do.EN == "" || row.State.ZH == "" {
			t.Errorf("%s: %s %+v", want, state, row)
		}
	}
}

func TestOnlyTodaysStudentsAreFound(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	var entries []outbox.Entry
	students := r.roster.Students()
	if len(students) < 3 {
		t.Fatalf("%d students on the roster", len(students))
	}
	for i, st := range students[:3] {
		e := outbox.Entry{ID: ulid.Make(), State: outbox.Saved, SavedAt: now.Add(-time.Duration(i) * time.Minute)}
		if i == 2 {
			e.SavedAt = now.AddDate(0, 0, -1)
		}
		entries = append(entries, e)
		if err := r.roster.MarkCaptured(st.Batch, st.Ref, e.ID.String(), e.SavedAt); err != nil {
			t.Fatal(err)
		}
	}
	all := findToday(r.roster, entries, booth.LookToday{}, now)
	if len(all.Rows) != 2 || !all.Rows[0].At.After(all.Rows[1].At) {
		t.Fatalf("%+v", all)
	}
	for _, row := range all.Rows {
		if strings.Contains(fmt.Sprint(row), students[0].Name) || strings.Contains(fmt.Sprint(row), students[0].IDNumber) {
			t.Errorf("not masked: %+v", row)
		}
	}
	number := students[1].IDNumber
	if got := findToday(r.roster, entries, booth.LookToday{Query: number[len(number)-4:]}, now); len(got.Rows) != 1 || got.Rows[0].At != entries[1].SavedAt {
		t.Errorf("by the last four digits: %+v", got)
	}
	if got := findToday(r.roster, entries, booth.LookToday{State: booth.FindReturned}, now); len(got.Rows) != 0 {
		t.Errorf("nobody was returned: %+v", got)
	}
	if got := findToday(r.roster, entries, booth.LookToday{Query: "zzzz"}, now); len(got.Rows) != 0 {
		t.Errorf("nobody is called so: %+v", got)
	}
}
