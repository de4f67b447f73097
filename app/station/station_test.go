package station

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"image/jpeg"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/scene"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// rig is a station without a window, with every other part real: the simulated
// camera, the pipeline, files, HTTP and a central server.
type rig struct {
	t       *testing.T
	dir     string
	st      *Station
	box     *outbox.Outbox
	roster  *roster.Store
	up      *uplink.Worker
	booth   *scene.Booth
	central *central.Server
	info    central.DemoInfo
	policy  map[string]wire.Policy
	params  Params
	stop    func() // ends the station and waits for it
	away    func() // takes central's server off the network
	ended   chan struct{}
}

// start runs a station on the rig's parts.
func (r *rig) start() {
	r.t.Helper()
	st, err := New(r.params)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	r.st, r.ended = st, ended
	go func() {
		defer close(ended)
		if err := st.Run(ctx); err != nil {
			r.t.Error(err)
		}
	}()
	r.stop = func() { cancel(); <-ended }
}

// keys are the station's.
func (r *rig) keys() (ed25519.PrivateKey, ed25519.PublicKey) {
	return r.params.Key, r.params.Key.Public().(ed25519.PublicKey)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := newRigOn(t, t.TempDir(), nil)
	r.wait("an open door", func(v booth.View) bool {
		return v.State == booth.Idle && v.Fault == nil && v.Lamps.Plate.Level == booth.OK
	})
	return r
}

// newRigOn is a rig in a directory of its own; with a camera, the station takes
// it for a real one.
func newRigOn(t *testing.T, dir string, open camera.Opener) *rig {
	t.Helper()
	r := &rig{t: t, dir: dir, policy: map[string]wire.Policy{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	srv := httptest.NewUnstartedServer(nil)
	var err error
	r.central, err = central.Open(t.TempDir(), central.Options{PublicURL: "http://" + srv.Listener.Addr().String()})
	must(err)
	t.Cleanup(func() { _ = r.central.Close() })
	srv.Config.Handler = r.central.Handler()
	srv.Start()
	t.Cleanup(srv.Close)
	r.away = func() {
		srv.CloseClientConnections()
		srv.Close()
		r.up.Wake()
	}
	r.info, err = r.central.SeedDemo(t.Context())
	must(err)
	batches, err := r.central.Batches(t.Context())
	must(err)
	for _, b := range batches {
		r.policy[b.ID] = b.Policy
	}
	store, err := keys.Open(filepath.Join(r.dir, "keys"))
	must(err)
	enrolment, err := uplink.Enroll(t.Context(), uplink.EnrollParams{Keys: store, URL: srv.URL, Code: r.info.EnrolCode, Name: "test"})
	must(err)
	key, err := store.StationKey()
	must(err)
	dataKey, err := store.CreateDataKey("")
	must(err)
	r.roster, err = roster.Open(filepath.Join(r.dir, "roster"), dataKey)
	must(err)
	r.box, err = outbox.Open(filepath.Join(r.dir, "outbox"), outbox.Options{
		Log: log, Limits: outbox.Limits{MinFree: 1},
		Verify: func(b []byte) (*packet.Packet, error) { return packet.Verify(b, key.Public().(ed25519.PublicKey)) },
	})
	must(err)
	t.Cleanup(func() { _ = r.box.Close() })
	r.up, err = uplink.NewWorker(uplink.Params{Enrolment: enrolment, Key: key, Roster: r.roster, Outbox: r.box, Log: log})
	must(err)
	simulated := open == nil
	if simulated {
		r.booth, err = scene.New(scene.Options{Encode: codec.EncodeYCbCr})
		must(err)
		must(r.booth.Close())
		open = r.booth.Open
	}
	sup, err := camera.NewSupervisor(camera.SupervisorParams{Open: open, Restore: RestoreCamera(dir, log), Log: log})
	must(err)
	cfg := config.Default()
	cfg.Times.Countdown = 0
	cfg.Capture.Auto = false // the tests press the shutter
	r.params = Params{
		DataDir: r.dir, Config: cfg, Log: log, Camera: sup, Enrolment: enrolment, Key: key, Roster: r.roster, Outbox: r.box,
		Uplink: r.up, Simulated: simulated, Version: "test",
	}
	if simulated {
		r.params.Scene = r.booth
	}
	r.start()
	t.Cleanup(func() { r.stop() })
	return r
}

// wait polls with a deadline that only a hang reaches.
func (r *rig) wait(what string, ok func(booth.View) bool) booth.View {
	r.t.Helper()
	deadline := time.After(2 * time.Minute)
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for {
		v := r.st.View()
		if ok(v) {
			return v
		}
		select {
		case <-look.C:
		case <-deadline:
			r.t.Fatalf("no %s; the station is in %s, fault %+v", what, v.State, v.Fault)
		}
	}
}

func (r *rig) student(policy wire.Policy) wire.Student {
	r.t.Helper()
	for _, s := range r.info.Students {
		if r.policy[s.Batch] == policy && len(r.roster.Lookup(roster.Any, s.StudentNo)) == 1 {
			return s
		}
	}
	r.t.Fatal("no such student")
	return wire.Student{}
}

// toReview goes as far as the portrait.
func (r *rig) toReview(who wire.Student) booth.View {
	r.t.Helper()
	r.st.Send(booth.Wedge{Text: who.StudentNo})
	r.wait("record", func(v booth.View) bool { return v.State == booth.Eligible && v.Claim.URL != "" })
	for range 3 {
		r.st.Send(booth.Continue{})
	}
	r.wait("live checks", func(v booth.View) bool { return v.State == booth.Framing && v.Live.Ready })
	r.st.Send(booth.Shutter{})
	return r.wait("portrait", func(v booth.View) bool { return v.State == booth.Review })
}

func (r *rig) submit() booth.View {
	r.t.Helper()
	r.st.Send(booth.ManualAnswer{OK: true})
	r.st.Send(booth.Accept{})
	r.st.Send(booth.ConfirmSubmit{})
	return r.wait("outcome", func(v booth.View) bool {
		return v.State == booth.Done || v.State == booth.Confirm && (v.Fault != nil || v.Toast != nil)
	})
}

// leftovers searches everything the station wrote for what must never be
// readable there.
func (r *rig) leftovers(who wire.Student) []string {
	r.t.Helper()
	var found []string
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			found = append(found, path+": mode")
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for what, needle := range map[string][]byte{
			"name": []byte(who.Name), "ID number": []byte(who.IDNumber), "student number": []byte(who.StudentNo),
			"JPEG": {0xff, 0xd8, 0xff, 0xe0}, "PNG": []byte("\x89PNG"), "major": []byte(who.Major),
		} {
			if bytes.Contains(data, needle) {
				found = append(found, filepath.Base(path)+": "+what)
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

func TestVisitReachesCentralWholeAndLeavesNothingReadable(t *testing.T) {
	r := newRig(t)
	who := r.student(wire.PayNone)
	v := r.toReview(who)
	if v.Shot.Portrait == nil || v.Shot.Before == nil || v.Shot.Verdict == "fail" || v.Shot.Seq == 0 {
		t.Fatalf("shot %+v", v.Shot)
	}
	session := v.SessionID
	if v = r.submit(); v.State != booth.Done {
		t.Fatalf("not saved: %+v %+v", v.Fault, v.Toast)
	}
	entries := r.box.List()
	if len(entries) != 1 {
		t.Fatalf("%d packets", len(entries))
	}
	id := entries[0].ID.String()
	if err := r.up.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e, err := r.box.Get(entries[0].ID); err != nil || e.State != outbox.Opened {
		t.Fatalf("%v %v", e.State, err)
	}
	raw, err := r.box.Read(entries[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.central.OpenFile(t.Context(), bytes.NewReader(raw), "test")
	if err != nil {
		t.Fatal(err)
	}
	m := c.Manifest
	if m.Student.Ref != who.Ref || m.Batch != who.Batch || m.Claim.Session != session || m.PacketID != id ||
		m.Consent.Version == "" || m.Consent.At.IsZero() || m.Student.IdentifiedBy != "wedge" || !m.Capture.Simulated || m.Capture.Plate == "" {
		t.Errorf("manifest %+v", m)
	}
	if orig, err := jpeg.Decode(bytes.NewReader(c.Original)); err != nil || orig.Bounds().Dx() != 1920 || orig.Bounds().Dy() != 1080 {
		t.Errorf("original: %v", err)
	}
	portrait, err := jpeg.Decode(bytes.NewReader(c.Portrait))
	if err != nil || portrait.Bounds().Dx() != 480 || portrait.Bounds().Dy() != 640 || len(c.Portrait) < 20*1024 || len(c.Portrait) > 40*1000 {
		t.Errorf("portrait: %d bytes, %v", len(c.Portrait), err)
	}
	if red, green, blue, _ := portrait.At(3, 3).RGBA(); red>>8 > 112 || green>>8 < 185 || blue>>8 < 243 {
		t.Errorf("backdrop is %d %d %d, want about 100 197 255", red>>8, green>>8, blue>>8)
	}
	if verdict, checks, err := m.Checks(); err != nil || verdict == "fail" || len(checks) < 30 {
		t.Errorf("report: %s, %d checks, %v", verdict, len(checks), err)
	}
	if !bytes.Contains(c.Audit, []byte(`"shot.taken"`)) || bytes.Contains(c.Audit, []byte(who.Name)) {
		t.Errorf("audit:\n%s", c.Audit)
	}
	r.st.Send(booth.NextStudent{})
	v = r.wait("idle", func(v booth.View) bool { return v.State == booth.Idle })
	if v.Student != nil || v.Shot != nil {
		t.Errorf("the next student sees %+v", v)
	}
	if found := r.leftovers(who); len(found) > 0 {
		t.Errorf("readable on disk: %s", strings.Join(found, ", "))
	}
	// The same student again: refused here, before central has decided.
	r.st.Send(booth.Wedge{Text: who.IDNumber})
	r.wait("record", func(v booth.View) bool { return v.State == booth.Eligible && v.Student != nil })
	r.st.Send(booth.Continue{})
	r.wait("refusal", func(v booth.View) bool { return v.Toast != nil })
	if v := r.st.View(); v.State != booth.Eligible {
		t.Errorf("a submitted student goes on to %s", v.State)
	}
}

func TestCommitFailureKeepsThePhotoAndRetriesTheSameBytes(t *testing.T) {
	r := newRig(t)
	who := r.student(wire.PayNone)
	r.toReview(who)
	// Take the packets' folder away, as a disk that has gone does.
	folder := filepath.Join(r.dir, "outbox", "packets")
	if _, err := os.Stat(folder); err != nil {
		t.Fatalf("the outbox keeps its packets elsewhere: %v", err)
	}
	if err := os.Rename(folder, folder+".away"); err != nil {
		t.Fatal(err)
	}
	v := r.submit()
	if v.State != booth.Confirm || v.Fault == nil || v.Fault.Code != "seal-failed" || v.Saved != nil {
		t.Fatalf("state %s, fault %+v", v.State, v.Fault)
	}
	sealed := make(chan [2]string, 1)
	first := r.sealedNow(sealed)
	if err := os.Rename(folder+".away", folder); err != nil {
		t.Fatal(err)
	}
	r.st.Send(booth.FaultAction{Code: "seal-failed"})
	r.wait("saved", func(v booth.View) bool { return v.State == booth.Done })
	e := r.box.List()
	if len(e) != 1 || e[0].ID.String() != first[0] || e[0].SHA256 != first[1] {
		t.Fatalf("a retry stored other bytes: %+v, first %v", e, first)
	}
}

func (r *rig) sealedNow(out chan [2]string) [2]string {
	r.t.Helper()
	if !r.st.onLoop(context.Background(), func() { out <- [2]string{r.st.visit.sealed.ID.String(), r.st.visit.sealed.SHA256} }) {
		r.t.Fatal("the loop has ended")
	}
	return <-out
}

func TestAbandonedVisitLeavesNothing(t *testing.T) {
	r := newRig(t)
	who := r.student(wire.PayNone)
	v := r.toReview(who)
	pixels := v.Shot.Before
	r.st.Send(booth.Abandon{Reason: "left"})
	r.wait("farewell", func(v booth.View) bool { return v.State == booth.Abandoned })
	r.st.onLoop(context.Background(), func() {
		if r.st.visit != nil {
			t.Error("the visit is still held")
		}
	})
	if n := len(r.box.List()); n != 0 {
		t.Errorf("%d packets of an abandoned visit", n)
	}
	if c := pixels.At(200, 300); !isZero(c.RGBA()) {
		t.Errorf("the photo's buffer still holds %v", c)
	}
	if found := r.leftovers(who); len(found) > 0 {
		t.Errorf("readable on disk: %s", strings.Join(found, ", "))
	}
}

func isZero(r, g, b, _ uint32) bool { return r|g|b == 0 }

func TestUnpaidFeeHoldsTheSubmitUntilCentralReportsIt(t *testing.T) {
	r := newRig(t)
	who := r.student(wire.PayBeforeSubmit)
	r.toReview(who)
	if v := r.submit(); v.State != booth.Confirm || !v.Payment.Blocked {
		t.Fatalf("state %s, payment %+v", v.State, v.Payment)
	}
	r.st.Send(booth.PaymentMark{State: "deferred", Reason: "phone"}) // a student's wish changes nothing
	r.st.Send(booth.ConfirmSubmit{})
	r.unlock("4071")
	if v := r.st.View(); v.State != booth.Confirm || v.Payment.State != "unpaid" {
		t.Fatalf("a student deferred the fee: %s, %+v", v.State, v.Payment)
	}
	r.st.Send(booth.PaymentMark{State: "deferred", Reason: "phone"})
	r.st.Send(booth.CloseOperator{})
	r.st.Send(booth.ConfirmSubmit{})
	r.wait("saved", func(v booth.View) bool { return v.State == booth.Done })
	if l := r.roster.Local(who.Batch, who.Ref); l.Payment != wire.PaymentDeferred || l.Packet == "" {
		t.Errorf("local state %+v", l)
	}
}

func TestCameraUnpluggedWhileFraming(t *testing.T) {
	r := newRig(t)
	who := r.student(wire.PayNone)
	r.st.Send(booth.Wedge{Text: who.StudentNo})
	r.wait("record", func(v booth.View) bool { return v.State == booth.Eligible && v.Student != nil })
	for range 3 {
		r.st.Send(booth.Continue{})
	}
	session := r.wait("framing", func(v booth.View) bool { return v.State == booth.Framing }).SessionID
	r.booth.Unplug()
	r.wait("fault page", func(v booth.View) bool { return v.Fault != nil && v.Fault.Code == "camera" })
	r.booth.Plug()
	v := r.wait("recovery", func(v booth.View) bool { return v.Fault == nil && v.Live.Ready })
	if v.SessionID != session || v.State != booth.Framing {
		t.Fatalf("the session did not survive: %s in %s", v.SessionID, v.State)
	}
}

func TestNumbersOnTheKeypad(t *testing.T) {
	for _, c := range []struct {
		doc      booth.DocType
		raw      string
		complete bool
		wrong    string
	}{
		{booth.DocResident, "11010519491231002X", true, ""},
		{booth.DocResident, "1101051949123100", false, ""},
		{booth.DocResident, "110105194912310021", false, "校验"},
		{booth.DocResident, "110105194913310022", false, "出生日期"},
		{booth.DocResident, "990105194912310022", false, "地区"},
		{booth.DocPassport, "E12345678", true, ""},
		{booth.DocPassport, "E12", false, ""},
		{booth.DocStudentNo, "2026010103", true, ""},
	} {
		complete, problem := checkNumber(c.doc, c.raw)
		if complete != c.complete || (problem != nil) != (c.wrong != "") || problem != nil && !strings.Contains(problem.ZH, c.wrong) {
			t.Errorf("%s %q: %v %+v", c.doc, c.raw, complete, problem)
		}
	}
	if got := groupNumber(booth.DocResident, "11010519491231002X"); got != "110105 1949 1231 002X" {
		t.Errorf("grouped %q", got)
	}
}

func TestAutomationTellsNothingOfTheStudent(t *testing.T) {
	r := newRig(t)
	who := r.student(wire.PayBeforeSubmit)
	r.st.Send(booth.Wedge{Text: who.IDNumber})
	r.wait("record", func(v booth.View) bool { return v.State == booth.Eligible && v.Student != nil })
	r.st.Send(booth.Reveal{Held: true})
	r.wait("reveal", func(v booth.View) bool { return v.Student.NameFull == who.Name })
	auto := &Automation{Station: r.st, Booth: r.booth, Frames: func() uint64 { return 0 }}
	data, err := json.Marshal(auto.State())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte(who.Name)) || bytes.Contains(data, []byte(who.IDNumber)) {
		t.Errorf("%s", data)
	}
	if err := auto.Scene("explode"); err == nil {
		t.Error("an unknown switch was thrown")
	}
}

func TestARetakeAfterAFailedCommitIsWhatGetsSaved(t *testing.T) {
	r := newRig(t)
	r.toReview(r.student(wire.PayNone))
	folder := filepath.Join(r.dir, "outbox", "packets")
	if err := os.Rename(folder, folder+".away"); err != nil {
		t.Fatal(err)
	}
	if v := r.submit(); v.State != booth.Confirm || v.Fault == nil {
		t.Fatalf("state %s, fault %+v", v.State, v.Fault)
	}
	sealed := make(chan [2]string, 1)
	first := r.sealedNow(sealed)
	if err := os.Rename(folder+".away", folder); err != nil {
		t.Fatal(err)
	}
	r.st.Send(booth.Back{})
	r.wait("review", func(v booth.View) bool { return v.State == booth.Review })
	r.st.Send(booth.Retake{})
	r.wait("framing", func(v booth.View) bool { return v.State == booth.Framing && v.Live.Ready })
	r.st.Send(booth.Shutter{})
	r.wait("the second photo", func(v booth.View) bool { return v.State == booth.Review && v.Shot != nil && v.Shot.Attempt == 2 })
	if v := r.submit(); v.Fault != nil && v.State == booth.Confirm {
		r.st.Send(booth.FaultAction{Code: v.Fault.Code})
	}
	r.wait("saved", func(v booth.View) bool { return v.State == booth.Done })
	if e := r.box.List(); len(e) != 1 || e[0].ID.String() == first[0] {
		t.Fatalf("the photo that was retaken was saved: %+v", e)
	}
}
