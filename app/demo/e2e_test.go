package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/drive/people"
	"github.com/yunzhao-station/yunzhao/app/drive/remote"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// A whole visit with a phone and a reviewer, watched on the screen, at central
// and inside the packet; the next student is identified meanwhile and rejected.
func TestE2EVisit(t *testing.T) {
	t.Parallel()
	s := newSite(t, "[times]\ncountdown_s = 4\ndone_s = 120\n")
	who, other := s.student(wire.PayBeforeSubmit, 0), s.student(wire.PayNone, 0)
	s.expect("central's lamp", func(st remote.State) bool { return st.Lamps["central"].Level == "ok" })

	// A slip of the finger is told, the right number found.
	s.do(s.tapped("start", "identify"))
	s.do(func(ctx context.Context) error { return s.typeNumber(ctx, misspelt(who.IDNumber)) })
	s.expect("the wrong number being noticed", field("bad_number", true))
	s.do(func(ctx context.Context) error { // the words beside the number
		return s.until(ctx, func() (bool, error) {
			b, ok, err := s.button(ctx, "message")
			return ok && b.Text != "", err
		})
	})
	s.do(func(ctx context.Context) error { return s.erase(ctx, 2) },
		func(ctx context.Context) error { return s.typeNumber(ctx, who.IDNumber[16:]) })
	s.expect("the number being right", field("bad_number", false))
	s.do(s.tapped("submit", "eligible"))
	session := s.expect("the record with its code", field("claim", true)).Session

	s.masked(who)

	// The code on the screen is this session's, and joins the phone to it.
	address, err := s.readQR(s.within())
	s.must("read the code", err)
	token, ok := strings.CutPrefix(address, s.line.url()+"/k/")
	if !ok {
		t.Fatalf("the code leads elsewhere than to central: %.60s", address)
	}
	if tok, err := claim.Parse(token); err != nil || tok.Session.String() != session {
		t.Errorf("the code is of session %v (%v), the visit is %s", tok.Session, err, session)
	}
	phone, err := people.ScanCode(s.within(), address)
	s.must("scan the code", err)
	s.must("identify on the phone", phone.Identify(s.within(), string(who.IDType), who.IDNumber, who.Name))
	s.expect("the phone's link", field("linked", true))

	s.do(s.agree, s.byHand)
	s.live()
	s.do(s.pose, s.shoot)
	portrait := s.portrait()

	// A scanner reads the next student's number meanwhile.
	s.must("scan the next number", s.kiosk.Scan(s.within(), other.IDNumber))
	s.expect("the next student", field("next", true))
	if st, err := s.client.State(s.within()); err != nil || st.Session != session || st.State != "review" {
		t.Fatalf("the next student's number disturbed the visit: %q, %v", st.State, err)
	}

	// The fee is due before submitting: neither finger nor key gets past.
	s.do(s.accept)
	s.expect("the closed gate", field("blocked", true))
	s.do(s.settled)
	b, ok, err := s.button(s.within(), "confirm")
	if err != nil || !ok || b.Enabled {
		t.Fatalf("the unpaid photo can be submitted (%v, %v)", b.Enabled, err)
	}
	at := s.onScreen(b)
	s.must("click", s.display.Click((at.Min.X+at.Max.X)/2, (at.Min.Y+at.Max.Y)/2))
	s.must("press Enter", s.display.Type(s.within(), "\n"))
	s.do(s.settled)
	if st, err := s.client.State(s.within()); err != nil || st.State != "confirm" || len(s.packetFiles()) != 0 {
		t.Fatalf("unpaid, and yet in %q with %d packets (%v)", st.State, len(s.packetFiles()), err)
	}
	s.must("pay on the phone", phone.Pay(s.within()))
	s.expect("the payment turning up by itself", field("payment", "paid"))
	s.expect("the open gate", field("blocked", false))
	s.do(s.confirm)
	s.green("saved")

	// The student identified meanwhile comes next, with nothing of this one.
	s.do(s.next)
	after := s.expect("the next student's record", func(st remote.State) bool { return st.State == "eligible" && st.Session != session })
	if _, has := after.Field("shot"); has {
		t.Error("the next student's visit begins with a photo")
	}
	s.masked(other)

	// Central has it: once, opened, in the queue, with the bytes that were sealed.
	first := s.arrived("the first packet", func(ps []central.PacketState) bool { return len(ps) == 1 && ps[0].State == wire.VerdictInReview })[0]
	s.opened(first, who, session, portrait)
	reviewer := s.reviewer()
	if waiting, err := reviewer.Waiting(s.within(), first.ID); err != nil || !waiting {
		t.Fatalf("the photo is not in the queue: %v", err)
	}
	s.must("approve", reviewer.Approve(s.within(), first.ID))
	// What a reviewer was told is decided stays so, whatever happens to central.
	s.killCentral()
	s.startCentral()
	if got := stateOf(s.stats().Packets, first.ID); got != wire.VerdictApproved {
		t.Fatalf("after a crash of central the approved photo is %q", got)
	}
	approved, err := phone.Reads(s.within(), "审核通过")
	if err != nil || !approved {
		t.Errorf("the phone does not say that the photo is approved: %v", err)
	}

	// The other one's takes itself, is exchanged for another frame of the burst,
	// and is rejected, which the kiosk's staff learn.
	s.do(s.agree, s.byItself, s.another, s.accept, s.confirm, s.next)
	ps := s.arrived("the second packet", func(ps []central.PacketState) bool {
		return len(ps) == 2 && !slices.ContainsFunc(ps, func(p central.PacketState) bool { return p.Stage != central.StageOpened })
	})
	second := ps[slices.IndexFunc(ps, func(p central.PacketState) bool { return p.ID != first.ID })]
	s.must("reject", s.reviewer().Reject(s.within(), second.ID, "expression", "请保持嘴唇自然闭合"))
	s.expect("the worklist", func(st remote.State) bool { n, _ := st.Field("retakes"); return n == json.Number("1") })
	st := s.stats()
	if st.ByState[wire.VerdictApproved] != 1 || st.ByState[wire.VerdictRejected] != 1 || len(st.Packets) != 2 || st.Orders != 1 {
		t.Errorf("central counts %+v, %d orders", st.ByState, st.Orders)
	}
	s.do(s.leave)
	if k := s.verify(); len(k.Packets) != 2 {
		t.Errorf("the station keeps %d packets", len(k.Packets))
	}
	for _, w := range []wire.Student{who, other} {
		if found := s.leftovers(w); len(found) > 0 {
			t.Errorf("in the clear: %q", found)
		}
	}
	s.run(s.bins.central, "verify-audit", "--data", s.centralData())
}

// A kiosk killed at any moment keeps what it said was saved and nothing else;
// central, killed half-way through what it is sent, gets each packet once.
func TestE2EKilled(t *testing.T) {
	t.Parallel()
	s := newSite(t, "[times]\ncountdown_s = 1\ndone_s = 120\n[capture]\nauto = false\n")
	s.expect("central's lamp", func(st remote.State) bool { return st.Lamps["central"].Level == "ok" })
	s.killCentral() // everything below is saved offline

	// In review: as if the student had never been here.
	who := s.student(wire.PayNone, 0)
	s.do(func(ctx context.Context) error { return s.scan(ctx, who.IDNumber) }, s.agree, s.pose, s.shoot)
	s.must("kill", s.desk.kill())
	if found := s.leftovers(who); len(found) > 0 {
		t.Errorf("a visit that was not submitted left: %q", found)
	}
	if k := s.verify(); len(k.Packets) != 0 {
		t.Fatalf("a visit that was not submitted left packets: %+v", k.Packets)
	}

	// Around the commit.
	promised := map[string]bool{}
	for i, kill := range []struct {
		name string
		when func(context.Context) error
	}{
		{"once saved is on the screen", func(ctx context.Context) error {
			st, err := s.client.WaitState(ctx, "done")
			if err == nil {
				id, _ := st.Field("saved.packet")
				promised[id.(string)] = true
			}
			return err
		}},
		{"at once", func(context.Context) error { return nil }},
		{"while the packet is written", s.outboxHas(".tmp")},
		{"when the packet has its name", s.outboxHas(packetExt)},
	} {
		s.startKiosk()
		if st, err := s.client.State(s.within()); err != nil || st.Session != "" {
			t.Fatalf("the kiosk comes back into a visit: %q, %v", st.State, err)
		}
		who := s.student(wire.PayNone, 1+i)
		s.do(func(ctx context.Context) error { return s.scan(ctx, who.IDNumber) }, s.agree, s.pose, s.shoot, s.accept, s.settled)
		s.had = s.packetFiles()
		s.must("tap", s.kiosk.Tap(s.within(), "confirm"))
		s.must("wait for "+kill.name, kill.when(s.within()))
		s.must("kill", s.desk.kill())
		confirmed := i + 1
		k := s.verify()
		t.Logf("killed %s: promised %d, kept %d of %d", kill.name, len(promised), len(k.Packets), confirmed)
		if len(k.Packets) > confirmed {
			t.Fatalf("%d packets of %d visits", len(k.Packets), confirmed)
		}
		for id := range promised {
			if !slices.ContainsFunc(k.Packets, func(p keptPacket) bool { return strings.HasSuffix(p.ID, id) }) {
				t.Fatalf("the packet …%s, shown as saved, is gone", id)
			}
		}
		if found := s.leftovers(who); len(found) > 0 {
			t.Errorf("in the clear: %q", found)
		}
	}
	want := s.verify().Packets

	// Central dies half-way through a packet, comes back, and has each once.
	s.startCentral()
	s.line.stallAfter(150 << 10)
	s.startKiosk()
	select {
	case <-s.line.cut:
	case <-s.within().Done():
		t.Fatal("the kiosk sends nothing")
	}
	s.killCentral()
	s.startCentral()
	s.expect("everything sent", func(st remote.State) bool {
		return st.Lamps["outbox"].Level == "ok" && st.Lamps["central"].Level == "ok"
	})
	got := s.arrived("every packet", func(ps []central.PacketState) bool { return len(ps) >= len(want) })
	if len(got) != len(want) {
		t.Errorf("central has %d packets, the station %d", len(got), len(want))
	}
	for _, w := range want {
		n := 0
		for _, g := range got {
			if g.ID == w.ID && g.SHA256 == w.SHA256 && g.Stage == central.StageOpened {
				n++
			}
		}
		if n != 1 {
			t.Errorf("packet %s is at central %d times", w.ID, n)
		}
	}
	s.do(s.leave)
	for _, p := range s.verify().Packets {
		if p.State != "opened" {
			t.Errorf("the station has packet %s as %q", p.ID, p.State)
		}
	}
}

// A camera that goes away and comes back interrupts nobody's visit; a student
// who walks away leaves nothing.
func TestE2EFaultsAndTimeouts(t *testing.T) {
	t.Parallel()
	s := newSite(t, "[times]\ncountdown_s = 1\nread_s = 15\ndecide_s = 30\n[capture]\nauto = false\n")
	who := s.student(wire.PayNone, 0)
	s.do(s.settled)
	idle := s.screen()

	s.do(func(ctx context.Context) error { return s.scan(ctx, who.IDNumber) }, s.agree, s.pose)
	session := s.expect("framing", func(st remote.State) bool { return st.State == "framing" }).Session
	for _, f := range []struct{ name, breaks, mends string }{
		{"the cable", "unplug", "plug"},
		{"a hung camera", "freeze", "thaw"},
	} {
		s.must(f.breaks, s.kiosk.Scene(s.within(), f.breaks))
		st := s.expect(f.name+" being told", field("fault", "camera"))
		if st.Session != session || st.State != "framing" {
			t.Errorf("%s: the visit is %q in %q", f.name, st.Session, st.State)
		}
		s.do(s.settled)
		if b, ok, err := s.button(s.within(), "notice"); err != nil || !ok || b.Text == "" {
			t.Errorf("%s: the screen does not explain it (%v)", f.name, err)
		}
		if _, ok, _ := s.button(s.within(), "shutter"); ok {
			t.Errorf("%s: a photo can be taken", f.name)
		}
		// Nobody touches anything: it mends itself.
		s.must(f.mends, s.kiosk.Scene(s.within(), f.mends))
		st = s.expect(f.name+" mended", func(st remote.State) bool {
			_, faulty := st.Field("fault")
			return !faulty && st.Lamps["camera"].Level == "ok"
		})
		if st.Session != session || st.State != "framing" {
			t.Errorf("%s: after it the visit is %q in %q", f.name, st.Session, st.State)
		}
		s.live()
	}

	// Walking away from a finished photo.
	s.do(s.pose, s.shoot)
	s.portrait()
	s.gone(idle, who)
	if files := s.packetFiles(); len(files) != 0 {
		t.Errorf("an abandoned visit left %d packets", len(files))
	}
	if ps := s.stats().Packets; len(ps) != 0 {
		t.Errorf("an abandoned visit reached central: %+v", ps)
	}
	// And from one's own name on the screen.
	s.do(func(ctx context.Context) error { return s.scan(ctx, who.IDNumber) })
	s.gone(idle, who)
}

// outboxHas looks without a pause until a file that was not there before the
// visit has been in the outbox, or the visit is over: the file may live for less
// than a look takes.
func (s *site) outboxHas(ext string) func(context.Context) error {
	return func(ctx context.Context) error {
		for ctx.Err() == nil {
			found := false
			_ = filepath.WalkDir(filepath.Join(s.data, "outbox"), func(path string, _ os.DirEntry, _ error) error {
				// A folder that changes under the walk is what this looks for.
				found = found || filepath.Ext(path) == ext && !s.had[path]
				return nil
			})
			if found || len(s.packetFiles()) > len(s.had) {
				return nil
			}
		}
		return ctx.Err()
	}
}

// gone waits until the kiosk has gone home by itself and looks for what the
// student left behind.
func (s *site) gone(idle *image.RGBA, who wire.Student) {
	s.t.Helper()
	s.expect("the farewell", func(st remote.State) bool { return st.State == "abandoned" || st.State == "idle" })
	st := s.expect("home", func(st remote.State) bool { return st.State == "idle" })
	for _, f := range []string{"shot", "saved"} {
		if _, has := st.Field(f); has || st.Session != "" {
			s.t.Errorf("at home, and yet a %s of session %q", f, st.Session)
		}
	}
	s.do(s.settled)
	if n := different(s.screen(), idle, s.height*9/10); n > 0 { // the lamps below may change
		s.t.Errorf("the welcome screen is not what it was before the student: %d pixels differ", n)
	}
	if found := s.leftovers(who); len(found) > 0 {
		s.t.Errorf("a student who walked away left: %q", found)
	}
}

// masked looks at the student's record: the name and the number are in full
// view only while the button is held. Stars take less ink than what they hide.
func (s *site) masked(who wire.Student) {
	s.t.Helper()
	s.do(s.settled)
	b, ok, err := s.button(s.within(), "reveal")
	if err != nil || !ok {
		s.t.Fatalf("no button reveals the record: %v", err)
	}
	record := s.above(s.onScreen(b))
	before := ink(s.screen(), record)
	s.do(func(ctx context.Context) error {
		return s.held(ctx, "reveal", func(ctx context.Context) error { // waits for it to be hidden again, too
			if err := s.settled(ctx); err != nil {
				return err
			}
			if during := ink(s.screen(), record); during < before+before/20 {
				s.t.Errorf("held, the record has %d dark pixels; before it had %d", during, before)
			}
			return nil
		})
	})
	st, err := s.client.State(s.within())
	s.must("state", err)
	targets, err := s.client.Targets(s.within())
	s.must("targets", err)
	said, err := json.Marshal(targets)
	s.must("targets", err)
	for _, secret := range []string{who.Name, who.IDNumber} {
		if strings.Contains(string(st.Raw), secret) || strings.Contains(string(said), secret) {
			s.t.Error("the automation tells who the student is")
		}
	}
}

// live looks at the camera's picture twice: it must move.
func (s *site) live() {
	s.t.Helper()
	at, err := s.place(s.within(), "preview")
	s.must("preview", err)
	for range 3 {
		before, err := s.fingerprint(at)
		s.must("look", err)
		s.do(func(ctx context.Context) error {
			return s.until(ctx, func() (bool, error) {
				now, err := s.fingerprint(at)
				return now != before, err
			})
		})
	}
	preview, err := s.picture(s.within(), "preview")
	s.must("preview", err)
	s.preview = preview
}

// portrait looks at the finished photo on the screen: the preset's blue behind,
// a face in the middle.
func (s *site) portrait() *image.RGBA {
	s.t.Helper()
	s.do(s.settled)
	var p *image.RGBA
	var faults []string
	// The screen before was a live picture, so nothing but the portrait itself
	// tells that it has been painted.
	s.do(func(ctx context.Context) error {
		limited, cancel := context.WithTimeout(ctx, 10*paintLimit)
		defer cancel()
		err := s.until(limited, func() (bool, error) {
			var err error
			p, err = s.picture(limited, "portrait")
			if err == nil {
				faults = portraitFaults(p)
			}
			return len(faults) == 0, err
		})
		if limited.Err() != nil {
			return ctx.Err() // the faults are told below
		}
		return err
	})
	for _, f := range faults {
		s.t.Error(f)
	}
	return p
}

// portraitFaults says where the picture has not the preset's backdrop or no
// skin.
func portraitFaults(p *image.RGBA) (faults []string) {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	for _, at := range []image.Point{{3, 3}, {w - 4, 3}, {3, h / 3}, {w - 4, h / 3}, {w / 2, 3}} {
		if c := p.RGBAAt(at.X, at.Y); !near(c, color.RGBA{100, 197, 255, 255}, 8) {
			faults = append(faults, fmt.Sprintf("the portrait's background at %v is %v", at, c))
		}
	}
	for _, at := range []image.Point{{w * 43 / 100, h / 2}, {w * 57 / 100, h / 2}, {w / 2, h * 33 / 100}} {
		if c := p.RGBAAt(at.X, at.Y); !skin(c) {
			faults = append(faults, fmt.Sprintf("the portrait's face at %v is %v", at, c))
		}
	}
	return faults
}

// green wants the region to have the look of success.
func (s *site) green(region string) {
	s.t.Helper()
	s.do(s.settled)
	p, err := s.picture(s.within(), region)
	s.must(region, err)
	n := 0
	for i := 0; i < len(p.Pix); i += 4 {
		r, g, b := int(p.Pix[i]), int(p.Pix[i+1]), int(p.Pix[i+2])
		if g > r+15 && g > b+6 {
			n++
		}
	}
	if share := float64(n) / float64(len(p.Pix)/4); share < 0.02 {
		s.t.Errorf("%.1f %% of %s is green", 100*share, region)
	}
}

// opened opens the packet's file with central's key and looks at everything in
// it.
func (s *site) opened(p central.PacketState, who wire.Student, session string, shown *image.RGBA) {
	s.t.Helper()
	var file string
	for f := range s.packetFiles() {
		if strings.Contains(f, p.SHA256) {
			file = f
		}
	}
	out := filepath.Join(s.dir, "opened")
	s.run(s.bins.central, "packet", "open", file, "--data", s.centralData(), "--out", out)
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(out, name))
		s.must("opened packet", err)
		return b
	}
	original, err := jpeg.Decode(bytes.NewReader(read(packet.FileOriginal)))
	s.must("decode the original", err)
	if size := original.Bounds().Size(); size != image.Pt(1920, 1080) {
		s.t.Errorf("the original is %v, the camera gives 1920×1080", size)
	}
	m, err := packet.ParseManifest(read(packet.FileManifest))
	s.must("manifest", err)
	// The screen is a mirror, the original is not.
	if c := sidedness(s.preview, original); c > -0.3 {
		s.t.Errorf("the preview is not the original's mirror image: correlation %.2f, want near -1", c)
	}
	data := read(packet.FilePortrait)
	portrait, err := jpeg.Decode(bytes.NewReader(data))
	s.must("decode the portrait", err)
	if size := portrait.Bounds().Size(); size != image.Pt(480, 640) || len(data) < 20<<10 || len(data) > 40<<10 {
		s.t.Errorf("the portrait has %v pixels and %d bytes", size, len(data))
	}
	if x, y := density(data); x != 300 || y != 300 {
		s.t.Errorf("the portrait says %d×%d dpi", x, y)
	}
	// What the student agreed to is what was sealed, the right way round.
	same, right := sidedness(shown, portrait), sidedness(portrait, s.cropped(original, m))
	s.t.Logf("sidedness: preview %.2f, portrait on the screen %.2f, portrait and original %.2f", sidedness(s.preview, original), same, right)
	if c := same; c < 0.5 {
		s.t.Errorf("the sealed portrait is not the one on the screen: correlation %.2f", c)
	}
	if c := right; c < 0.4 {
		s.t.Errorf("the portrait is not the way round of the original: correlation %.2f", c)
	}
	verdict, checks, err := m.Checks()
	s.must("report", err)
	batch := s.policies[m.Batch]
	switch {
	case m.PacketID != p.ID, m.Student.Ref != who.Ref, m.Batch != who.Batch, batch != wire.PayBeforeSubmit:
		s.t.Errorf("the manifest is of packet %s, student %s, batch %s", m.PacketID, m.Student.Ref, m.Batch)
	case m.Claim.Session != session || !m.Claim.Linked:
		s.t.Errorf("the claim is %+v, the visit was %s with a phone", m.Claim, session)
	case m.Payment.State != string(wire.PaymentPaid) || m.Payment.OrderID == "":
		s.t.Errorf("the payment is %+v", m.Payment)
	case m.Consent.Version == "" || m.Consent.At.IsZero() || m.Consent.At.After(m.Created):
		s.t.Errorf("the consent is %+v", m.Consent)
	case verdict == "fail" || verdict == "" || len(checks) < 20:
		s.t.Errorf("the report says %q with %d checks", verdict, len(checks))
	case !m.Capture.Simulated || m.Capture.Frame == 0 || m.Capture.Attempt != 1:
		s.t.Errorf("the capture is %+v", m.Capture)
	case m.Student.IdentifiedBy != "keypad":
		s.t.Errorf("identified by %q", m.Student.IdentifiedBy)
	}
	// The log names a session by a digest (docs/packet.md).
	named := sha256.Sum256([]byte("yunzhao/session/1\n" + session))
	if log := read(packet.FileAudit); !bytes.Contains(log, []byte(hex.EncodeToString(named[:16]))) || bytes.Contains(log, []byte(session)) {
		s.t.Error("the packet lacks its session's audit entries")
	}
}

// cropped is the part of the original that the report says the portrait is of.
func (s *site) cropped(original image.Image, m packet.Manifest) image.Image {
	s.t.Helper()
	var r struct {
		Crop struct{ X, Y, Width, Height float64 } `json:"crop"`
	}
	s.must("report", json.Unmarshal(m.Report, &r))
	sub, ok := original.(interface {
		SubImage(image.Rectangle) image.Image
	})
	c := r.Crop
	if !ok || c.Width < 1 || c.Height < 1 {
		s.t.Fatalf("the report tells no crop of a %T", original)
	}
	return sub.SubImage(image.Rect(int(c.X), int(c.Y), int(c.X+c.Width), int(c.Y+c.Height)))
}

// screen is a picture of the whole screen.
func (s *site) screen() *image.RGBA {
	s.t.Helper()
	img, err := s.display.Screenshot()
	s.must("screenshot", err)
	return img
}
