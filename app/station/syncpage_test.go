package station

import (
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func TestSyncView(t *testing.T) {
	now := tillDay
	entry := func(state outbox.State, minutes, attempts int) outbox.Entry {
		return outbox.Entry{ID: ulid.Make(), State: state, SavedAt: now.Add(-time.Duration(minutes) * time.Minute), Size: 100, Attempts: attempts, Next: now.Add(10 * time.Minute)}
	}
	entries := []outbox.Entry{
		entry(outbox.Saved, 5, 0), entry(outbox.Saved, 90, 0), entry(outbox.Saved, 7, 3), entry(outbox.Refused, 1, 0),
		entry(outbox.Opened, 600, 0), entry(outbox.Stored, 500, 0), entry(outbox.Purged, 900, 0),
	}
	v := syncView(centralLamp(uplink.Status{}), uplink.Status{LastHeard: now.Add(-3 * time.Minute)}, entries, now)
	if v.Pending != 3 || v.Bytes != 300 || !v.Oldest.Equal(now.Add(-90*time.Minute)) || len(v.Queue) != 4 || v.Failing || v.LastErr != (booth.Text{}) {
		t.Fatalf("%+v", v)
	}
	levels := ""
	for _, q := range v.Queue {
		levels += string(q.Level) + ","
	}
	if levels != "bad,warn,note,note," || !v.Queue[2].Saved.Equal(v.Oldest) {
		t.Errorf("order %s", levels)
	}
	if !strings.Contains(v.Queue[1].State.ZH, "3 次") || !strings.Contains(v.Queue[1].State.ZH, "10 分钟后") {
		t.Errorf("a packet that failed: %+v", v.Queue[1].State)
	}
	if !strings.Contains(v.Delivery.ZH, "签收 3 份，其中 2 份") || !strings.Contains(v.Heard.ZH, "3 分钟前") {
		t.Errorf("%+v %+v", v.Delivery, v.Heard)
	}
	if v.Lamp.Level == booth.OK {
		t.Error("the lamp is green without central's signature")
	}
}

// Every way in which an exchange fails has words of its own, in both languages,
// that say what to do; none of them shows an address or an error of Go's.
func TestSyncProblemsInWords(t *testing.T) {
	said := map[string]string{}
	for name, st := range map[string]uplink.Status{
		"revoked":       {Problem: wire.CodeRevoked, LastErr: "x"},
		"copied":        {Problem: uplink.ProblemCopied},
		"forked":        {Problem: uplink.ProblemForked},
		"clock":         {Problem: wire.CodeClock, LastErr: "x"},
		"signature":     {Problem: wire.CodeSignature, LastErr: "x"},
		"pin":           {Problem: uplink.ProblemPin, LastErr: "x"},
		"unknown":       {Problem: "something_new", LastErr: "x"},
		"no connection": {LastErr: "heartbeat: " + uplink.ErrConnection.Error() + ": dial tcp 10.0.0.1:443: refused"},
		"stalled":       {LastErr: uplink.ErrConnection.Error() + ": " + uplink.ErrStalled.Error()},
		"portal":        {LastErr: uplink.ErrNotCentral.Error() + ": status 302"},
		"busy":          {LastErr: "uplink: refused: 503 busy"},
		"our disk":      {Online: true, LastErr: "roster: keep: no space left on device"},
	} {
		text := syncProblem(st)
		if text.ZH == "" || text.EN == "" || strings.Contains(text.EN, "10.0.0.1") || strings.Contains(text.EN, "uplink:") {
			t.Errorf("%s: %+v", name, text)
		}
		if other, ok := said[text.ZH]; ok {
			t.Errorf("%s and %s say the same", name, other)
		}
		said[text.ZH] = name
	}
	if text := syncProblem(uplink.Status{Online: true}); text != (booth.Text{}) {
		t.Errorf("nothing is wrong, and it says %+v", text)
	}
}
