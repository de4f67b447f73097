package central

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func TestEnrol(t *testing.T) {
	w := newWorld(t)
	pub, _, _ := ed25519.GenerateKey(nil)
	other, _, _ := ed25519.GenerateKey(nil)
	code, fp, _ := strings.Cut(w.demo.EnrolCode, ".")
	if fp != w.s.Fingerprint() {
		t.Fatalf("code carries fingerprint %q, want %q", fp, w.s.Fingerprint())
	}
	status, body := w.enrolRequest("0000-0000-0000", pub)
	wantError(t, status, body, http.StatusForbidden, wire.CodeEnrollCode)

	status, body = w.enrolRequest(" "+strings.ToLower(code)+" ", pub) // as people type
	if status != http.StatusOK {
		t.Fatalf("enrol: %d %s", status, body)
	}
	var first, second wire.Enrolled
	w.open(body, wire.TypeEnrolled, &first)
	if len(first.Recipients) != 2 || len(first.ClaimKey) != 32 || len(first.ReceiptKey) != 32 || len(first.Batches) != 2 {
		t.Fatalf("incomplete answer %+v", first)
	}
	if first.Batches[0].PhoneBaseURL == "" {
		t.Fatal("a batch does not say where phones go")
	}

	// The answer was lost: the same station asks again and stays the same.
	status, body = w.enrolRequest(code, pub)
	if status != http.StatusOK {
		t.Fatalf("enrol again: %d %s", status, body)
	}
	w.open(body, wire.TypeEnrolled, &second)
	if second.StationID != first.StationID || !bytes.Equal(second.ClaimKey, first.ClaimKey) {
		t.Fatal("a repeated enrolment made another station")
	}
	// One time means one station.
	status, body = w.enrolRequest(code, other)
	wantError(t, status, body, http.StatusForbidden, wire.CodeEnrollCode)

	late, err := w.s.NewCode(t.Context(), nil, time.Hour, "test")
	if err != nil {
		t.Fatal(err)
	}
	w.clock.add(time.Hour)
	late, _, _ = strings.Cut(late, ".")
	status, body = w.enrolRequest(late, other)
	wantError(t, status, body, http.StatusForbidden, wire.CodeEnrollCode)
}

func TestRequestsThatAreNotOurs(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	_, stranger, _ := ed25519.GenerateKey(nil)
	hb := []byte(`{"software":"x","pending":0,"last_seq":0,"now":"2026-09-01T08:00:00Z"}`)
	js := map[string]string{"Content-Type": "application/json"}

	for _, tc := range []struct {
		name   string
		make   func() *http.Request
		status int
		code   string
	}{
		{"unsigned", func() *http.Request {
			r, _ := http.NewRequest(http.MethodGet, w.http.URL+"/v1/roster", nil)
			return r
		}, 401, wire.CodeSignature},
		{"forged", func() *http.Request {
			f := *k
			f.key = stranger
			return f.request(http.MethodGet, "/v1/roster", nil, nil)
		}, 401, wire.CodeSignature},
		{"unknown station", func() *http.Request {
			f := *k
			f.info.StationID = "nobody22"
			return f.request(http.MethodGet, "/v1/roster", nil, nil)
		}, 401, wire.CodeUnknownStation},
		{"other query than signed", func() *http.Request {
			r := k.request(http.MethodGet, "/v1/roster?since=5", nil, nil)
			r.URL.RawQuery = "since=0"
			return r
		}, 401, wire.CodeSignature},
		{"other body than signed", func() *http.Request {
			r := k.request(http.MethodPost, "/v1/heartbeat", hb, js)
			b := bytes.Replace(hb, []byte("x"), []byte("y"), 1)
			r2, _ := http.NewRequest(r.Method, r.URL.String(), bytes.NewReader(b))
			r2.Header = r.Header
			return r2
		}, 400, wire.CodeDigest},
		{"old clock", func() *http.Request {
			r, _ := http.NewRequest(http.MethodGet, w.http.URL+"/v1/roster", nil)
			if err := wire.SignRequest(r, nil, k.info.StationID, k.key, w.clock.now().Add(-ClockSkew-time.Second)); err != nil {
				t.Fatal(err)
			}
			return r
		}, 401, wire.CodeClock},
		{"wrong content type", func() *http.Request {
			return k.request(http.MethodPost, "/v1/heartbeat", hb, map[string]string{"Content-Type": "text/plain"})
		}, 415, wire.CodeBadRequest},
		{"not JSON", func() *http.Request { return k.request(http.MethodPost, "/v1/heartbeat", []byte("<html>"), js) }, 400, wire.CodeBadRequest},
		{"two JSON values", func() *http.Request {
			return k.request(http.MethodPost, "/v1/heartbeat", append(bytes.Clone(hb), hb...), js)
		}, 400, wire.CodeBadRequest},
		{"body too large", func() *http.Request {
			return k.request(http.MethodPost, "/v1/heartbeat", bytes.Repeat([]byte(" "), maxJSONBody+1), js)
		}, 413, wire.CodeTooLarge},
		{"body on a GET", func() *http.Request { return k.request(http.MethodGet, "/v1/roster", []byte("x"), nil) }, 413, wire.CodeTooLarge},
		{"bad cursor", func() *http.Request { return k.request(http.MethodGet, "/v1/roster?since=-1", nil, nil) }, 400, wire.CodeBadRequest},
		{"no such endpoint", func() *http.Request { return k.request(http.MethodGet, "/v1/nothing", nil, nil) }, 404, wire.CodeNotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body := k.do(tc.make())
			wantError(t, status, body, tc.status, tc.code)
		})
	}
}

func TestReplayIsRefusedEvenAfterARestart(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	again := func(r *http.Request) *http.Request {
		r2, _ := http.NewRequest(r.Method, w.http.URL+r.URL.RequestURI(), nil)
		r2.Header = r.Header.Clone()
		return r2
	}
	req := k.request(http.MethodGet, "/v1/roster", nil, nil)
	if status, body := k.do(req); status != http.StatusOK {
		t.Fatalf("first: %d %s", status, body)
	}
	status, body := k.do(again(req))
	wantError(t, status, body, 401, wire.CodeReplay)
	w.restart()
	status, body = k.do(again(req))
	wantError(t, status, body, 401, wire.CodeReplay)
	// Once the nonce is forgotten the time in the signature protects.
	w.clock.add(2*ClockSkew + 2*time.Minute)
	k.call(http.MethodGet, "/v1/roster", nil, wire.TypeRoster, &wire.RosterDelta{})
	n := 0
	if err := w.s.db.View(func(tx *bolt.Tx) error { n = tx.Bucket(bktNonces).Stats().KeyN; return nil }); err != nil {
		t.Fatal(err)
	}
	if n != 1 {
		t.Errorf("%d nonces kept, want 1: old ones are never forgotten", n)
	}
	status, body = k.do(again(req))
	wantError(t, status, body, 401, wire.CodeClock)
}

func TestRevokedStation(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	p := k.seal(studentA(1))
	if err := w.s.RevokeStation(t.Context(), k.info.StationID, "test"); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*http.Request{
		k.request(http.MethodGet, "/v1/roster", nil, nil),
		k.request(http.MethodGet, "/v1/verdicts", nil, nil),
		k.request(http.MethodGet, "/v1/claims/"+p.ID.String(), nil, nil),
		k.request(http.MethodPost, "/v1/packets:declare", []byte(`{}`), map[string]string{"Content-Type": "application/json"}),
		k.request(http.MethodPatch, "/v1/packets/"+p.ID.String(), p.Bytes, map[string]string{"Content-Type": "application/octet-stream", "Upload-Offset": "0"}),
	} {
		status, body := k.do(r)
		wantError(t, status, body, 401, wire.CodeRevoked)
	}
	// It is told so in a way it can believe.
	var hello wire.Hello
	k.call(http.MethodPost, "/v1/heartbeat", wire.Heartbeat{Software: "test"}, wire.TypeHello, &hello)
	if !hello.Revoked {
		t.Fatal("heartbeat does not say that the station is revoked")
	}
}

func TestRosterDelta(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	ctx := t.Context()
	known := map[string]wire.Student{}
	var cursor uint64
	pull := func() wire.RosterDelta {
		t.Helper()
		var d wire.RosterDelta
		k.call(http.MethodGet, fmt.Sprintf("/v1/roster?since=%d", cursor), nil, wire.TypeRoster, &d)
		if d.Full {
			clear(known)
		}
		for _, s := range d.Upsert {
			known[s.Ref] = s
		}
		for _, r := range d.Remove {
			delete(known, r)
		}
		cursor = d.Cursor
		return d
	}
	if d := pull(); !d.Full || len(known) != len(w.demo.Students) || len(d.Batches) != 2 {
		t.Fatalf("first pull: full %v, %d students, %d batches", d.Full, len(known), len(d.Batches))
	}
	if d := pull(); d.Full || len(d.Upsert) != 0 {
		t.Fatalf("nothing changed, but %d students came", len(d.Upsert))
	}
	k.send(k.seal(studentA(1)))
	if d := pull(); len(d.Upsert) != 1 || known[refOf(studentA(1))].Capture != wire.VerdictInReview {
		t.Fatalf("after a capture: %+v", d.Upsert)
	}
	if err := w.s.RemoveStudents(ctx, []string{refOf(studentA(2))}, "test"); err != nil {
		t.Fatal(err)
	}
	if d := pull(); len(d.Remove) != 1 || len(known) != len(w.demo.Students)-1 {
		t.Fatalf("after a removal: %+v", d)
	}
	// A batch is taken away and given back.
	if err := w.s.SetStationBatches(ctx, k.info.StationID, []string{DemoBatchFree}, "test"); err != nil {
		t.Fatal(err)
	}
	pull()
	for ref, s := range known {
		if s.Batch != DemoBatchFree {
			t.Fatalf("student %s of a dropped batch is still there", ref)
		}
	}
	if err := w.s.SetStationBatches(ctx, k.info.StationID, []string{DemoBatchFree, DemoBatchPaid}, "test"); err != nil {
		t.Fatal(err)
	}
	if pull(); len(known) != len(w.demo.Students)-1 {
		t.Fatalf("%d students after the batch came back, want %d", len(known), len(w.demo.Students)-1)
	}
	// A cursor from the future means that central was restored: start over.
	cursor += 1000
	if d := pull(); !d.Full || len(known) != len(w.demo.Students)-1 {
		t.Fatalf("future cursor: full %v, %d students", d.Full, len(known))
	}
}

func TestRosterDeltaInPages(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	var csv strings.Builder
	csv.WriteString("姓名,证件类型,证件号码\n")
	const n = 2*rosterPage + 17
	for i := range n {
		fmt.Fprintf(&csv, "测试%d,护照,P%07d\n", i, i)
	}
	if _, err := w.s.ImportRoster(t.Context(), DemoBatchFree, []byte(csv.String()), "test"); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var cursor uint64
	for pages := 0; ; pages++ {
		var d wire.RosterDelta
		k.call(http.MethodGet, fmt.Sprintf("/v1/roster?since=%d", cursor), nil, wire.TypeRoster, &d)
		if d.Full != (pages == 0) {
			t.Fatalf("page %d: full %v", pages, d.Full)
		}
		for _, s := range d.Upsert {
			if seen[s.Ref] {
				t.Fatal("a student came twice")
			}
			seen[s.Ref] = true
		}
		cursor = d.Cursor
		if !d.More {
			break
		}
		if pages > 5 {
			t.Fatal("pages do not end")
		}
	}
	if len(seen) != n+len(w.demo.Students) {
		t.Fatalf("%d students, want %d", len(seen), n+len(w.demo.Students))
	}
}

func TestUploadInPiecesAcrossARestart(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	p := k.seal(studentA(1))
	id := p.ID.String()
	k.declare(declared(p))
	cut := int64(len(p.Bytes) / 3)
	status, body := k.patch(id, 0, p.Bytes[:cut])
	var prog wire.Progress
	if w.open(body, wire.TypeProgress, &prog); status != 200 || prog.Offset != cut {
		t.Fatalf("first piece: %d %+v", status, prog)
	}
	// Bytes behind the recorded offset are what a power cut leaves behind.
	f, err := os.OpenFile(w.s.uploadPath(id), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, len(p.Bytes))); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	w.restart()

	if r := k.declare(declared(p))[0]; r.State != wire.DeclareWant || r.Offset != cut || r.URL != "/v1/packets/"+id {
		t.Fatalf("after the restart: %+v", r)
	}
	status, body = k.patch(id, 0, p.Bytes)
	wantError(t, status, body, 409, wire.CodeOffset)
	status, body = k.patch(id, cut+1, p.Bytes[cut+1:])
	wantError(t, status, body, 409, wire.CodeOffset)
	status, body = k.patch(id, cut, append(bytes.Clone(p.Bytes[cut:]), 0))
	wantError(t, status, body, 413, wire.CodeTooLarge)

	if status, body = k.patch(id, cut, p.Bytes[cut:cut+1]); status != 200 { // one byte
		t.Fatalf("one byte: %d %s", status, body)
	}
	status, body = k.patch(id, cut+1, p.Bytes[cut+1:])
	var ack wire.Ack
	if w.open(body, wire.TypeAck, &ack); status != 200 || ack.Stage != wire.AckStored || ack.SHA256 != p.SHA256 || ack.ID != id {
		t.Fatalf("ack: %d %+v", status, ack)
	}
	on, err := os.ReadFile(w.s.packetPath(id))
	if err != nil || !bytes.Equal(on, w.atRest(p)) {
		t.Fatalf("stored bytes differ: %v", err)
	}
	if _, acks := k.news(); acks[id].Stage != wire.AckOpened {
		t.Fatalf("no opened ack: %+v", acks)
	}
	// The answer was lost; whatever the station does, it hears the same.
	if r := k.declare(declared(p))[0]; r.State != wire.DeclareHave || r.Ack == nil {
		t.Fatalf("declare again: %+v", r)
	}
	if status, body = k.patch(id, 0, p.Bytes); status != 200 {
		t.Fatalf("upload again: %d %s", status, body)
	}
}

func TestOneIdHasOneContent(t *testing.T) {
	w := newWorld(t)
	k, other := w.kiosk(), w.kiosk()
	p := k.seal(studentA(1))
	k.send(p)
	d := declared(p)
	d.SHA256 = strings.Repeat("0", 64)
	if r := k.declare(d)[0]; r.State != wire.DeclareConflict || r.Ack != nil {
		t.Fatalf("other digest: %+v", r)
	}
	if r := other.declare(declared(p))[0]; r.State != wire.DeclareConflict {
		t.Fatalf("another station's id: %+v", r)
	}
	status, body := other.patch(p.ID.String(), 0, p.Bytes)
	wantError(t, status, body, 404, wire.CodeNotFound)
	found := false
	trail, err := w.s.AuditTrail(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range trail {
		found = found || e.Action == "alarm.digest_conflict" && e.Target == p.ID.String()
	}
	if !found {
		t.Error("no alarm in the audit log")
	}
}

func TestBytesThatAreNotTheDeclaredOnes(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	p := k.seal(studentA(1))
	k.declare(declared(p))
	bad := bytes.Clone(p.Bytes)
	bad[len(bad)/2] ^= 1
	status, body := k.patch(p.ID.String(), 0, bad)
	wantError(t, status, body, 409, wire.CodeOffset)
	if r := k.declare(declared(p))[0]; r.State != wire.DeclareWant || r.Offset != 0 {
		t.Fatalf("after damaged bytes: %+v", r)
	}
	if status, body = k.patch(p.ID.String(), 0, p.Bytes); status != 200 {
		t.Fatalf("good bytes: %d %s", status, body)
	}
}

func TestDeclarationsThatMakeNoSense(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	good := declared(k.seal(studentA(1)))
	for name, change := range map[string]func(*wire.Declared){
		"id":            func(d *wire.Declared) { d.ID = "../../etc/passwd" },
		"lower-case id": func(d *wire.Declared) { d.ID = strings.ToLower(d.ID) },
		"digest":        func(d *wire.Declared) { d.SHA256 = "abc" },
		"size":          func(d *wire.Declared) { d.Size = int64(packet.MaxSize) + 1 },
		"no size":       func(d *wire.Declared) { d.Size = 0 },
		"sequence":      func(d *wire.Declared) { d.Seq = 0 },
		"itself":        func(d *wire.Declared) { d.Supersedes = d.ID },
	} {
		d := good
		change(&d)
		b, err := json.Marshal(wire.DeclareRequest{Packets: []wire.Declared{d}})
		if err != nil {
			t.Fatal(err)
		}
		status, body := k.do(k.request(http.MethodPost, "/v1/packets:declare", b, map[string]string{"Content-Type": "application/json"}))
		t.Run(name, func(t *testing.T) { wantError(t, status, body, 400, wire.CodeBadRequest) })
	}
}

func TestPacketsThatAreRefusedAreKept(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	_, stranger, _ := ed25519.GenerateKey(nil)
	elsewhere, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	notJPEG := append([]byte{0xff, 0xd8, 0xff, 0xe0}, bytes.Repeat([]byte{7}, 200)...)
	for name, tc := range map[string]struct {
		ref    string
		change func(*shot)
		reason string
	}{
		"signed by another station":      {studentA(1), func(s *shot) { s.key = stranger }, refusedSignature},
		"sealed for another central":     {studentA(1), func(s *shot) { s.recipients = []string{elsewhere.Recipient().String()} }, refusedDecrypt},
		"another station's name inside":  {studentA(1), func(s *shot) { s.in.Station = "other" }, refusedIdentity},
		"unknown student":                {DemoBatchPaid + "/nobody", nil, refusedStudent},
		"student of another batch":       {DemoBatchFree + "/" + refOf(studentA(1)), nil, refusedStudent},
		"unknown batch":                  {"nothing/" + refOf(studentA(1)), nil, refusedBatch},
		"picture that cannot be decoded": {studentA(1), func(s *shot) { s.in.Original = notJPEG }, refusedPicture},
		"report that is no report":       {studentA(1), func(s *shot) { s.in.Manifest.Report = json.RawMessage(`{"checks":5}`) }, refusedContents},
	} {
		t.Run(name, func(t *testing.T) {
			var ch []func(*shot)
			if tc.change != nil {
				ch = append(ch, tc.change)
			}
			p := k.seal(tc.ref, ch...)
			k.send(p)
			_, acks := k.news()
			if a := acks[p.ID.String()]; a.Stage != wire.AckRefused || a.Reason != tc.reason {
				t.Fatalf("ack %+v, want refused %s", a, tc.reason)
			}
			if _, err := os.Stat(w.s.packetPath(p.ID.String())); err != nil {
				t.Errorf("a refused packet must be kept: %v", err)
			}
			if r := k.declare(declared(p))[0]; r.State != wire.DeclareHave {
				t.Errorf("declared again: %+v", r)
			}
		})
	}
	if st, err := w.s.Stats(t.Context()); err != nil || st.ByState[string(StageRefused)] != 8 {
		t.Errorf("stats: %+v %v", st.ByState, err)
	}
}

// TestCrashBetweenTheSteps puts the directory into each state that a crash can
// leave and expects the next start to finish the work.
func TestCrashBetweenTheSteps(t *testing.T) {
	for name, crash := range map[string]func(w *world, p *packet.Sealed){
		"complete upload, not renamed": func(w *world, p *packet.Sealed) {
			if err := os.WriteFile(w.s.uploadPath(p.ID.String()), w.atRest(p), 0o600); err != nil {
				w.t.Fatal(err)
			}
		},
		"renamed, not in the index": func(w *world, p *packet.Sealed) {
			if err := os.WriteFile(w.s.packetPath(p.ID.String()), w.atRest(p), 0o400); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			k := w.kiosk()
			p := k.seal(studentA(1))
			k.declare(declared(p))
			crash(w, p)
			row, err := w.s.Packet(t.Context(), p.ID.String())
			if err != nil {
				t.Fatal(err)
			}
			row.Offset = row.Size
			if err := w.s.update(t.Context(), func(tx *bolt.Tx) error { return putPacket(tx, row) }); err != nil {
				t.Fatal(err)
			}
			w.restart()
			if got := w.status(p.ID.String()); got != wire.VerdictInReview {
				t.Fatalf("after the restart the packet is %s", got)
			}
			if r := k.declare(declared(p))[0]; r.State != wire.DeclareHave {
				t.Fatalf("declare: %+v", r)
			}
		})
	}
	t.Run("complete by the index, file lost", func(t *testing.T) {
		w := newWorld(t)
		k := w.kiosk()
		p := k.seal(studentA(1))
		k.declare(declared(p))
		row, _ := w.s.Packet(t.Context(), p.ID.String())
		row.Offset = row.Size
		if err := w.s.update(t.Context(), func(tx *bolt.Tx) error { return putPacket(tx, row) }); err != nil {
			t.Fatal(err)
		}
		w.restart()
		if r := k.declare(declared(p))[0]; r.State != wire.DeclareWant || r.Offset != 0 {
			t.Fatalf("declare: %+v", r)
		}
		k.send(p)
	})
}

func TestConflictOfTwoStations(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	a, b := w.kiosk(), w.kiosk()
	pa, pb := a.seal(studentA(1)), b.seal(studentA(1))
	ida, idb := pa.ID.String(), pb.ID.String()
	a.send(pa)
	if got := w.status(ida); got != wire.VerdictInReview {
		t.Fatalf("alone: %s", got)
	}
	b.send(pb)
	for _, id := range []string{ida, idb} {
		if got := w.status(id); got != wire.VerdictConflict {
			t.Fatalf("two photos of one student: %s is %s", id, got)
		}
	}
	for k, id := range map[*kiosk]string{a: ida, b: idb} {
		if v, _ := k.news(); v[id].State != wire.VerdictConflict {
			t.Fatalf("station heard %+v", v[id])
		}
	}
	if err := w.s.Approve(ctx, idb, "rev"); err != nil {
		t.Fatal(err)
	}
	if got := w.status(ida); got != wire.VerdictRejected {
		t.Fatalf("the other photo is %s", got)
	}
	if v, _ := a.news(); v[ida].State != wire.VerdictRejected || v[ida].Reason != reasonOtherKept || v[ida].NoteZH == "" {
		t.Fatalf("station a heard %+v", v[ida])
	}
	if v, _ := b.news(); v[idb].State != wire.VerdictApproved || v[idb].StudentRef != refOf(studentA(1)) {
		t.Fatalf("station b heard %+v", v[idb])
	}
	if got := w.student(refOf(studentA(1))).Capture; got != wire.VerdictApproved {
		t.Fatalf("roster says %q", got)
	}
	// A third photo cannot push the approved one aside, not even by naming it.
	pc := a.seal(studentA(1), supersedes(idb))
	a.send(pc)
	if got := w.status(idb); got != wire.VerdictApproved {
		t.Fatalf("the approved photo is %s", got)
	}
	if got := w.status(pc.ID.String()); got != wire.VerdictConflict {
		t.Fatalf("the late photo is %s", got)
	}
	if err := w.s.Approve(ctx, pc.ID.String(), "rev"); !errors.Is(err, ErrApproved) {
		t.Fatalf("approving a second photo: %v", err)
	}
	if err := w.s.Reject(ctx, pc.ID.String(), "rev", "identity", ""); err != nil {
		t.Fatal(err)
	}
	if err := w.s.VerifyAudit(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestRejectingOneOfAPairFreesTheOther(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	p1, p2 := k.seal(studentA(1)), k.seal(studentA(1))
	k.send(p1)
	k.send(p2)
	if err := w.s.Reject(t.Context(), p1.ID.String(), "rev", "blur", ""); err != nil {
		t.Fatal(err)
	}
	if got := w.status(p2.ID.String()); got != wire.VerdictInReview {
		t.Fatalf("the remaining photo is %s", got)
	}
}

func TestRecapture(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	ctx := t.Context()
	t.Run("after a rejection", func(t *testing.T) {
		p1 := k.seal(studentA(1))
		k.send(p1)
		if err := w.s.Reject(ctx, p1.ID.String(), "rev", "eyes", "请睁眼"); err != nil {
			t.Fatal(err)
		}
		if v, _ := k.news(); v[p1.ID.String()].Reason != "eyes" || !strings.Contains(v[p1.ID.String()].NoteZH, "请睁眼") {
			t.Fatalf("verdict %+v", v[p1.ID.String()])
		}
		if got := w.student(refOf(studentA(1))).Capture; got != wire.VerdictRejected {
			t.Fatalf("roster says %q", got)
		}
		p2 := k.seal(studentA(1), supersedes(p1.ID.String()))
		k.send(p2)
		if got := w.status(p2.ID.String()); got != wire.VerdictInReview {
			t.Fatalf("recapture is %s", got)
		}
		if got := w.status(p1.ID.String()); got != wire.VerdictRejected {
			t.Fatalf("old photo is %s", got)
		}
	})
	t.Run("while in review", func(t *testing.T) {
		p1 := k.seal(studentA(2))
		p2 := k.seal(studentA(2), supersedes(p1.ID.String()))
		k.send(p1)
		k.send(p2)
		if w.status(p1.ID.String()) != StateSuperseded || w.status(p2.ID.String()) != wire.VerdictInReview {
			t.Fatalf("%s, %s", w.status(p1.ID.String()), w.status(p2.ID.String()))
		}
		if err := w.s.Reject(ctx, p2.ID.String(), "rev", "blur", ""); err != nil {
			t.Fatal(err)
		}
		if got := w.status(p1.ID.String()); got != StateSuperseded {
			t.Fatalf("the replaced photo came back as %s", got)
		}
	})
	t.Run("the later photo arrives first", func(t *testing.T) {
		p1 := k.seal(studentA(3))
		p2 := k.seal(studentA(3), supersedes(p1.ID.String()))
		k.send(p2)
		k.send(p1)
		if w.status(p1.ID.String()) != StateSuperseded || w.status(p2.ID.String()) != wire.VerdictInReview {
			t.Fatalf("%s, %s", w.status(p1.ID.String()), w.status(p2.ID.String()))
		}
	})
}

func TestApprovedIsImmutableInTheStore(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	ctx := t.Context()
	p := k.seal(studentA(1))
	id := p.ID.String()
	k.send(p)
	if err := w.s.Approve(ctx, id, "rev"); err != nil {
		t.Fatal(err)
	}
	if err := w.s.Reject(ctx, id, "rev", "blur", ""); !errors.Is(err, ErrApproved) {
		t.Errorf("reject: %v", err)
	}
	if err := w.s.Approve(ctx, id, "rev2"); !errors.Is(err, ErrApproved) {
		t.Errorf("approve again: %v", err)
	}
	row, err := w.s.Packet(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Packet){
		"state":    func(p *Packet) { p.State = wire.VerdictRejected },
		"reviewer": func(p *Packet) { p.Reviewer = "x" },
		"student":  func(p *Packet) { p.StudentRef = "x" },
		"digest":   func(p *Packet) { p.SHA256 = "x" },
		"flag":     func(p *Packet) { p.ChangeRequested = true },
	} {
		c := row
		change(&c)
		if err := w.s.update(ctx, func(tx *bolt.Tx) error { return putPacket(tx, c) }); !errors.Is(err, ErrApproved) {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
	if err := w.s.update(ctx, func(tx *bolt.Tx) error { return putPacket(tx, row) }); err != nil {
		t.Errorf("writing the same row: %v", err)
	}
	if fi, err := os.Stat(w.s.packetPath(id)); err != nil || fi.Mode().Perm() != 0o400 {
		t.Errorf("packet file: %v %v", fi, err)
	}
}

func TestRejectNeedsAReason(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	p := k.seal(studentA(1))
	k.send(p)
	for _, tc := range []struct{ reason, note string }{{"", ""}, {"nonsense", ""}, {"other", ""}, {"blur", strings.Repeat("长", 201)}, {"blur", "a\x00b"}} {
		if err := w.s.Reject(t.Context(), p.ID.String(), "rev", tc.reason, tc.note); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q %q: %v", tc.reason, tc.note, err)
		}
	}
	if got := w.status(p.ID.String()); got != wire.VerdictInReview {
		t.Fatalf("packet is %s", got)
	}
}

func TestVerdictsInPages(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	st := k.info.StationID
	const n = verdictPage + 3
	err := w.s.update(t.Context(), func(tx *bolt.Tx) error {
		for i := range n {
			if err := appendStationLog(tx, st, logItem{Verdict: &wire.Verdict{PacketID: fmt.Sprint(i)}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := k.news(); len(v) != n {
		t.Fatalf("%d verdicts, want %d", len(v), n)
	}
	var out wire.Verdicts
	k.call(http.MethodGet, "/v1/verdicts?since=99999", nil, wire.TypeVerdicts, &out)
	if len(out.Verdicts) != verdictPage || out.Cursor != verdictPage {
		t.Fatalf("a cursor from the future: %d verdicts, cursor %d", len(out.Verdicts), out.Cursor)
	}
}

func TestHeartbeat(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	var hello wire.Hello
	k.call(http.MethodPost, "/v1/heartbeat", wire.Heartbeat{Software: "9.9", Pending: 4, LastSeq: 12, Alarms: []string{"disk_low"}}, wire.TypeHello, &hello)
	if hello.Revoked || !hello.Now.Equal(w.clock.now()) || hello.StationID != k.info.StationID {
		t.Fatalf("%+v", hello)
	}
	sts, err := w.s.Stations(t.Context())
	if err != nil || len(sts) != 1 || sts[0].Pending != 4 || sts[0].LastSeq != 12 || sts[0].Software != "9.9" || len(sts[0].Alarms) != 1 {
		t.Fatalf("%+v %v", sts, err)
	}
}

func TestDirectoryIsLocked(t *testing.T) {
	w := newWorld(t)
	if _, err := Open(w.dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("second server on the same directory: %v", err)
	}
}

func TestAuditChainShowsTampering(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if err := w.s.VerifyAudit(ctx); err != nil {
		t.Fatal(err)
	}
	err := w.s.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bktAudit)
		v := bytes.Replace(b.Get(seqKey(2)), []byte(`"actor":"system"`), []byte(`"actor":"nobody"`), 1)
		return b.Put(seqKey(2), v)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.s.VerifyAudit(ctx); err == nil {
		t.Fatal("a changed line was not noticed")
	}
}
