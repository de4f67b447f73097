package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/yunzhao-station/yunzhao/app/drive/people"
	"github.com/yunzhao-station/yunzhao/app/drive/remote"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// paying picks the students of a batch with that policy whose record stands
// alone, so that the kiosk does not have to ask which.
func (d *demo) paying(policy wire.Policy, n int) (wire.Student, error) {
	seen := map[string]int{}
	for _, s := range d.info.Students {
		seen[s.IDNumber]++
	}
	return d.student(func(s wire.Student) bool {
		if d.policies[s.Batch] != policy || s.IDType != wire.IDResident || seen[s.IDNumber] > 1 {
			return false
		}
		n--
		return n < 0
	})
}

// online is a whole visit with everything connected: typed number, phone,
// payment, shot, review by a person at central.
func (d *demo) online(ctx context.Context) error {
	who, err := d.paying(wire.PayBeforeSubmit, 0)
	if err != nil {
		return err
	}
	k := d.kiosk
	var phone *people.Browser
	return inOrder(
		d.step(ctx, "welcome screen", func(ctx context.Context) error { return d.shot(ctx, "idle") }),
		d.step(ctx, "identify on the keypad", func(ctx context.Context) error {
			if err := d.tap(ctx, "start"); err != nil {
				return err
			}
			if _, err := k.WaitState(ctx, "identify"); err != nil {
				return err
			}
			// First a slip of the finger: the checksum must catch it.
			wrong := []byte(who.IDNumber)
			wrong[16] = '0' + (wrong[16]-'0'+1)%10
			if err := k.TypeNumber(ctx, string(wrong)); err != nil {
				return err
			}
			if _, err := k.WaitFor(ctx, "the wrong number being noticed", field("bad_number", true)); err != nil {
				return err
			}
			if err := d.shot(ctx, "identify-wrong-digit"); err != nil {
				return err
			}
			for range 2 {
				if err := d.tap(ctx, "key-back"); err != nil {
					return err
				}
			}
			if err := k.TypeNumber(ctx, who.IDNumber[16:]); err != nil {
				return err
			}
			if err := d.shot(ctx, "identify"); err != nil {
				return err
			}
			if err := d.tap(ctx, "submit"); err != nil {
				return err
			}
			_, err := k.WaitFor(ctx, "the student's record with its QR code", field("claim", true))
			return err
		}),
		d.step(ctx, "name shown only while held", func(ctx context.Context) error {
			if err := d.shot(ctx, "eligible"); err != nil {
				return err
			}
			held := make(chan error, 1)
			go func() { held <- k.Hold(ctx, "reveal", 1200*time.Millisecond) }()
			time.Sleep(700 * time.Millisecond)
			return errors.Join(d.shot(ctx, "eligible-held"), <-held)
		}),
		d.step(ctx, "phone scans the screen's QR code", func(ctx context.Context) error {
			url, err := d.readQR(ctx)
			if err != nil {
				return err
			}
			if phone, err = d.phone(ctx, url); err != nil {
				return err
			}
			return identifyPhone(ctx, phone, who)
		}),
		d.step(ctx, "pay on the phone", func(ctx context.Context) error {
			if err := pay(ctx, phone); err != nil {
				return err
			}
			_, err := k.WaitFor(ctx, "the payment turning up by itself", field("payment", "paid"))
			return errors.Join(err, d.shot(ctx, "eligible-paid"))
		}),
		d.capture(ctx, true),
		d.sent(ctx),
		d.decide(ctx, who, true),
		d.step(ctx, "phone shows the verdict", func(ctx context.Context) error {
			if err := phone.Get(ctx, "/m/"); err != nil {
				return err
			}
			if !strings.Contains(phone.Text(), "审核通过") {
				return errors.New("the phone does not say that the photo is approved")
			}
			return nil
		}),
	)
}

// offline is a visit while central is away, sent when it is back.
func (d *demo) offline(ctx context.Context) error {
	who, err := d.paying(wire.PayNone, 0)
	if err != nil {
		return err
	}
	return inOrder(
		d.step(ctx, "central goes away", func(ctx context.Context) error {
			if err := d.central.stop(); err != nil {
				return err
			}
			_, err := d.kiosk.WaitFor(ctx, "the kiosk noticing", func(s remote.State) bool { return s.Lamps["central"].Level != "ok" })
			return err
		}),
		d.scan(ctx, who),
		d.capture(ctx, false),
		d.step(ctx, "central comes back and gets it", func(ctx context.Context) error {
			return errors.Join(d.central.start(), d.allSent(ctx))
		}),
		d.decide(ctx, who, true),
	)
}

// recapture is a photo that a reviewer rejects, and its successor.
func (d *demo) recapture(ctx context.Context) error {
	who, err := d.paying(wire.PayNone, 1)
	if err != nil {
		return err
	}
	var first string
	return inOrder(
		d.scan(ctx, who),
		d.capture(ctx, false),
		d.sent(ctx),
		func() error { first = d.lastPacket(); return nil },
		d.decide(ctx, who, false),
		d.step(ctx, "the kiosk's worklist has it", func(ctx context.Context) error {
			_, err := d.kiosk.WaitFor(ctx, "the rejected photo on the worklist", func(s remote.State) bool {
				n, _ := s.Field("retakes")
				return fmt.Sprint(n) == "1"
			})
			return errors.Join(err, d.shot(ctx, "worklist"))
		}),
		d.scan(ctx, who),
		d.step(ctx, "the student is told why", func(ctx context.Context) error {
			_, err := d.kiosk.WaitFor(ctx, "a recapture", field("recapture", true))
			return errors.Join(err, d.shot(ctx, "eligible-recapture"))
		}),
		d.capture(ctx, false),
		d.sent(ctx),
		d.step(ctx, "the new packet names the old one", func(ctx context.Context) error {
			p, err := d.central.srv.Packet(ctx, d.lastPacket())
			if err != nil {
				return err
			}
			if p.Supersedes != first {
				return fmt.Errorf("supersedes %q, want %q", p.Supersedes, first)
			}
			return nil
		}),
		d.decide(ctx, who, true),
		d.step(ctx, "English", func(ctx context.Context) error {
			if err := d.tap(ctx, "lang"); err != nil {
				return err
			}
			_, err := d.kiosk.WaitFor(ctx, "English", field("lang", "en"))
			return errors.Join(err, d.shot(ctx, "idle-english"))
		}),
	)
}

// extra visits measure what many students in a row cost.
func (d *demo) extra(ctx context.Context) error {
	for i := range d.o.Extra {
		who, err := d.paying(wire.PayNone, 2+i)
		if err != nil {
			return err
		}
		if err := inOrder(d.scan(ctx, who), d.capture(ctx, false)); err != nil {
			return err
		}
	}
	return nil
}

// shot saves a picture of the screen; extra visits take none.
func (d *demo) shot(ctx context.Context, name string) error {
	if d.visit == "extra" {
		return nil
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	_, err := d.kiosk.Shot(name)
	return err
}

// paintTime is what the window takes to paint a screen it has been told of.
const paintTime = 300 * time.Millisecond

// settled waits until the window shows the state that the kiosk is in.
func (d *demo) settled(ctx context.Context) error {
	for {
		state, err := d.client.State(ctx)
		if err != nil {
			return err
		}
		on, err := d.region(ctx, "state")
		if err != nil {
			return err
		}
		fault, _ := state.Field("fault")
		if on.Text == state.State || fault != nil && on.Text == "fault" {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the window shows %q, the kiosk is in %q: %w", on.Text, state.State, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(paintTime):
		return nil
	}
}

func field(path string, want any) func(remote.State) bool {
	return func(s remote.State) bool {
		got, ok := s.Field(path)
		return ok && got == want
	}
}

// scan identifies with the scanner on the keyboard port.
func (d *demo) scan(ctx context.Context, who wire.Student) task {
	return d.step(ctx, "identify with the scanner", func(ctx context.Context) error {
		if _, err := d.kiosk.WaitState(ctx, "idle"); err != nil {
			return err
		}
		if err := d.kiosk.Scan(ctx, who.IDNumber); err != nil {
			return err
		}
		_, err := d.kiosk.WaitFor(ctx, "the student's record", field("claim", true))
		return err
	})
}

// capture goes from the student's record to the saved photo.
func (d *demo) capture(ctx context.Context, pictures bool) task {
	return func() error { return d.captureNow(ctx, pictures) }
}

func (d *demo) captureNow(ctx context.Context, pictures bool) error {
	k := d.kiosk
	shot := func(ctx context.Context, name string) error {
		if !pictures {
			return nil
		}
		return d.shot(ctx, name)
	}
	before := map[string]bool{}
	return inOrder(
		d.step(ctx, "consent and photo guide", func(ctx context.Context) error {
			before = d.saved()
			if err := d.tap(ctx, "continue"); err != nil {
				return err
			}
			if _, err := k.WaitState(ctx, "consent"); err != nil {
				return err
			}
			if err := errors.Join(shot(ctx, "consent"), d.tap(ctx, "consent-accept")); err != nil {
				return err
			}
			if _, err := k.WaitState(ctx, "guide"); err != nil {
				return err
			}
			if err := errors.Join(shot(ctx, "guide"), d.tap(ctx, "continue")); err != nil {
				return err
			}
			_, err := k.WaitState(ctx, "framing")
			return err
		}),
		d.step(ctx, "live checks turn green", func(ctx context.Context) error {
			_, err := k.WaitFor(ctx, "all live checks holding", field("ready", true))
			return errors.Join(err, shot(ctx, "framing"))
		}),
		d.step(ctx, "shutter to portrait", func(ctx context.Context) error {
			if err := d.tap(ctx, "shutter"); err != nil {
				return err
			}
			if _, err := k.WaitState(ctx, "countdown"); err != nil {
				return err
			}
			if err := shot(ctx, "countdown"); err != nil {
				return err
			}
			_, err := k.WaitState(ctx, "review")
			return err
		}),
		d.step(ctx, "review and accept", func(ctx context.Context) error {
			state, err := d.client.State(ctx)
			if err != nil {
				return err
			}
			if ok, _ := state.Field("shot.portrait"); ok != true {
				return errors.New("there is no portrait")
			}
			if verdict, _ := state.Field("shot.verdict"); verdict == "fail" {
				return errors.New("the demo student's photo failed its checks")
			}
			if err := shot(ctx, "review"); err != nil {
				return err
			}
			targets, err := d.client.Targets(ctx)
			if err != nil {
				return err
			}
			for _, t := range targets {
				if t.ID == "manual-ok" && t.Enabled {
					if err := errors.Join(d.tap(ctx, "manual-ok"), shot(ctx, "review-confirmed")); err != nil {
						return err
					}
				}
			}
			if err := d.tap(ctx, "accept"); err != nil {
				return err
			}
			_, err = k.WaitState(ctx, "confirm")
			return errors.Join(err, shot(ctx, "confirm"))
		}),
		d.step(ctx, "seal and save", func(ctx context.Context) error {
			if err := d.tap(ctx, "confirm"); err != nil {
				return err
			}
			if _, err := k.WaitState(ctx, "done"); err != nil {
				return err
			}
			if err := shot(ctx, "done"); err != nil {
				return err
			}
			for id := range d.saved() {
				if !before[id] {
					d.sum.Packets = append(d.sum.Packets, id)
				}
			}
			return nil
		}),
		d.step(ctx, "next student", func(ctx context.Context) error {
			if err := d.tap(ctx, "next"); err != nil {
				return err
			}
			_, err := k.WaitState(ctx, "idle")
			return err
		}),
	)
}

// saved lists the packets that are in the kiosk's outbox, by their files'
// digests: what a power cut would leave.
func (d *demo) saved() map[string]bool {
	files, _ := filepath.Glob(filepath.Join(d.data(), "outbox", "*", "*.pkt"))
	more, _ := filepath.Glob(filepath.Join(d.data(), "outbox", "*.pkt"))
	out := map[string]bool{}
	for _, f := range append(files, more...) {
		out[strings.TrimSuffix(filepath.Base(f), ".pkt")] = true
	}
	return out
}

func (d *demo) lastPacket() string {
	if len(d.sum.Packets) == 0 {
		return ""
	}
	return d.sum.Packets[len(d.sum.Packets)-1]
}

// sent waits until central has opened what was just saved, and looks the
// packet up there by its digest.
func (d *demo) sent(ctx context.Context) task {
	return d.step(ctx, "central has opened it", func(ctx context.Context) error { return d.allSent(ctx) })
}

func (d *demo) allSent(ctx context.Context) error {
	if _, err := d.kiosk.WaitFor(ctx, "nothing left to send", func(s remote.State) bool {
		return s.Lamps["outbox"].Level == "ok" && s.Lamps["central"].Level == "ok"
	}); err != nil {
		return err
	}
	for {
		packets, err := d.central.srv.ListPackets(ctx, central.PacketFilter{})
		if err != nil {
			return err
		}
		for i := range d.sum.Packets {
			for _, p := range packets {
				if p.SHA256 == d.sum.Packets[i] && p.Stage == central.StageOpened {
					d.sum.Packets[i] = p.ID
				}
			}
		}
		if len(d.lastPacket()) == 26 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("central has not opened the packet: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// decide has a reviewer look at the last photo on central's page and decide,
// and keeps what central now holds.
func (d *demo) decide(ctx context.Context, who wire.Student, approve bool) task {
	name := "reviewer approves"
	if !approve {
		name = "reviewer rejects"
	}
	return d.step(ctx, name, func(ctx context.Context) error {
		id := d.lastPacket()
		r := people.NewBrowser()
		if err := r.Get(ctx, d.central.url()+"/review"); err != nil {
			return err
		}
		if err := r.Submit(ctx, "login", map[string]string{"user": d.info.ReviewerUser, "password": d.info.ReviewerPassword}); err != nil {
			return err
		}
		if err := r.Get(ctx, d.central.url()+"/review/"+id); err != nil {
			return err
		}
		if err := d.keep(ctx, r, id); err != nil {
			return err
		}
		action, fields := "approve", map[string]string{}
		if !approve {
			action, fields = "reject", map[string]string{"reason": "expression", "note": "请保持嘴唇自然闭合"}
		}
		if err := r.Submit(ctx, action, fields); err != nil {
			return err
		}
		p, err := d.central.srv.Packet(ctx, id)
		if err != nil {
			return err
		}
		want := wire.VerdictRejected
		if approve {
			want = wire.VerdictApproved
		}
		if p.State != want {
			return fmt.Errorf("central says %q, want %q", p.State, want)
		}
		return d.writeJSON(d.visit+"-central.json", p)
	})
}

// keep saves what the reviewer sees: the untouched original, the portrait and
// the report.
func (d *demo) keep(ctx context.Context, r *people.Browser, id string) error {
	for _, part := range []string{"original.jpg", "portrait.jpg"} {
		data, err := r.Fetch(ctx, "/review/"+id+"/"+part)
		if err != nil {
			return err
		}
		if len(data) == 0 {
			return fmt.Errorf("%s is empty", part)
		}
		if err := os.WriteFile(filepath.Join(d.o.Out, d.visit+"-"+part), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// identifyPhone fills in the phone page's form as the student does.
func identifyPhone(ctx context.Context, b *people.Browser, who wire.Student) error {
	return b.Submit(ctx, "identify", map[string]string{"id_type": string(who.IDType), "id_number": who.IDNumber, "name": who.Name})
}

// pay goes through the sandbox's payment page.
func pay(ctx context.Context, b *people.Browser) error {
	if err := b.Submit(ctx, "pay", nil); err != nil {
		return err
	}
	if b.Has("sandbox") {
		return b.Submit(ctx, "sandbox", nil)
	}
	return nil
}
