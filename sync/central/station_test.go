package central

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// TestARealStation enrols with the station's own code, lets it fetch the
// roster, send a packet in pieces and hear the verdict.
func TestARealStation(t *testing.T) {
	w := newWorld(t)
	ctx, dir := t.Context(), t.TempDir()
	ks, err := keys.Open(dir + "/keys")
	if err != nil {
		t.Fatal(err)
	}
	enrolment, err := uplink.Enroll(ctx, uplink.EnrollParams{Keys: ks, URL: w.http.URL, Code: w.demo.EnrolCode, Name: "一号机", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ks.StationKey()
	if err != nil {
		t.Fatal(err)
	}
	var info wire.Enrolled
	if err := enrolment.Answer.Open(w.s.PublicKey(), wire.TypeEnrolled, &info); err != nil {
		t.Fatal(err)
	}
	data, err := ks.CreateDataKey("")
	if err != nil {
		t.Fatal(err)
	}
	list, err := roster.Open(dir+"/roster", data)
	if err != nil {
		t.Fatal(err)
	}
	box, err := outbox.Open(dir+"/outbox", outbox.Options{
		Now: w.clock.now, Log: slog.New(slog.DiscardHandler),
		Verify: func(b []byte) (*packet.Packet, error) { return packet.Verify(b, key.Public().(ed25519.PublicKey)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	worker, err := uplink.NewWorker(uplink.Params{
		Enrolment: enrolment, Key: key, Roster: list, Outbox: box, Version: "test", Now: w.clock.now,
		Network: func(context.Context, func()) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	exchange := func() {
		t.Helper()
		if err := worker.Exchange(ctx); err != nil {
			t.Fatal(err)
		}
	}
	exchange()
	st := w.student(refOf(studentA(1)))
	if got := list.Lookup(roster.Kind(st.IDType), st.IDNumber); len(got) != 1 || got[0].Ref != st.Ref {
		t.Fatalf("the station's roster has %d records of the student", len(got))
	}

	seq, err := box.NextSeq()
	if err != nil {
		t.Fatal(err)
	}
	session := ulid.Make()
	k := &kiosk{w: w, key: key, info: info}
	p := k.seal(studentA(1), inSession(session.String()), func(s *shot) {
		s.in.Seq = seq
		s.in.Original = testJPEG(t, 1920, 1080)
		s.in.Audit = []byte(strings.Repeat("{}\n", 100_000)) // larger than one piece
	})
	if _, err := box.Commit(p); err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	b.get("/k/" + k.token(session, time.Hour))
	b.identify(st)
	if c, err := worker.Claim(ctx, session.String()); err != nil || c.StudentRef != st.Ref || c.MatchNumber == "" {
		t.Fatalf("%+v %v", c, err)
	}
	exchange()
	exchange()
	if e, err := box.Get(p.ID); err != nil || e.State != outbox.Opened {
		t.Fatalf("%+v %v", e, err)
	}
	w.clock.add(-time.Minute) // central's clock was put right
	if err := w.s.Reject(ctx, p.ID.String(), "rev", "blur", ""); err != nil {
		t.Fatal(err)
	}
	exchange()
	if e, err := box.Get(p.ID); err != nil || e.Verdict == nil || e.Verdict.State != wire.VerdictRejected || e.Verdict.Reason != "blur" {
		t.Fatalf("%+v %v", e, err)
	}
	if err := w.s.RevokeStation(ctx, info.StationID, "test"); err != nil {
		t.Fatal(err)
	}
	if err := worker.Exchange(ctx); err == nil || worker.Status().Online && worker.Status().Problem == "" {
		t.Fatalf("a revoked station sees %+v, %v", worker.Status(), err)
	}
}
