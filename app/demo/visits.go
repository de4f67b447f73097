package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
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
	var phone people.Phone
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
			if err := d.typeNumber(ctx, misspelt(who.IDNumber)); err != nil {
				return err
			}
			if _, err := k.WaitFor(ctx, "the wrong number being noticed", field("bad_number", true)); err != nil {
				return err
			}
			if err := d.shot(ctx, "identify-wrong-digit"); err != nil {
				return err
			}
			if err := d.erase(ctx, 2); err != nil {
				return err
			}
			if err := d.typeNumber(ctx, who.IDNumber[16:]); err != nil {
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
			return d.held(ctx, "reveal", func(ctx context.Context) error { return d.shot(ctx, "eligible-held") })
		}),
		d.step(ctx, "phone scans the screen's QR code", func(ctx context.Context) error {
			url, err := d.readQR(ctx)
			if err != nil {
				return err
			}
			if phone, err = people.ScanCode(ctx, url); err != nil {
				return err
			}
			return phone.Identify(ctx, string(who.IDType), who.IDNumber, who.Name)
		}),
		d.step(ctx, "pay on the phone", func(ctx context.Context) error {
			if err := phone.Pay(ctx); err != nil {
				return err
			}
			_, err := k.WaitFor(ctx, "the payment turning up by itself", field("payment", "paid"))
			return errors.Join(err, d.shot(ctx, "eligible-paid"))
		}),
		d.capture(ctx, taking{pictures: true}),
		d.sent(ctx),
		d.decide(ctx, true),
		d.step(ctx, "phone shows the verdict", func(ctx context.Context) error {
			approved, err := phone.Reads(ctx, "审核通过")
			if err == nil && !approved {
				err = errors.New("the phone does not say that the photo is approved")
			}
			return err
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
		d.identify(ctx, who),
		d.capture(ctx, taking{byItself: true}),
		d.step(ctx, "central comes back and gets it", func(ctx context.Context) error {
			return errors.Join(d.central.start(ctx), d.allSent(ctx))
		}),
		d.decide(ctx, true),
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
		d.identify(ctx, who),
		d.capture(ctx, taking{}),
		d.sent(ctx),
		func() error { first = d.lastPacket(); return nil },
		d.decide(ctx, false),
		d.step(ctx, "the kiosk's worklist has it", func(ctx context.Context) error {
			_, err := d.kiosk.WaitFor(ctx, "the rejected photo on the worklist", func(s remote.State) bool {
				n, _ := s.Field("retakes")
				return fmt.Sprint(n) == "1"
			})
			return errors.Join(err, d.shot(ctx, "worklist"))
		}),
		d.identify(ctx, who),
		d.step(ctx, "the student is told why", func(ctx context.Context) error {
			_, err := d.kiosk.WaitFor(ctx, "a recapture", field("recapture", true))
			return errors.Join(err, d.shot(ctx, "eligible-recapture"))
		}),
		d.capture(ctx, taking{another: true}),
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
		d.decide(ctx, true),
		d.step(ctx, "English", func(ctx context.Context) error {
			if err := d.tap(ctx, "lang"); err != nil {
				return err
			}
			_, err := d.kiosk.WaitFor(ctx, "English", field("lang", "en"))
			return errors.Join(err, d.shot(ctx, "idle-english"))
		}),
	)
}

// extra visits measure what many students in a row cost in memory.
func (d *demo) extra(ctx context.Context) error {
	for _, who := range d.more {
		if err := inOrder(d.identify(ctx, who), d.capture(ctx, taking{byItself: true})); err != nil {
			return err
		}
		now, peak := memoryMB(d.process.Process.Pid)
		d.sum.MemoryMB = append(d.sum.MemoryMB, [2]int{now, peak})
	}
	return nil
}

// identify has the scanner on the keyboard port read the student's number.
func (d *demo) identify(ctx context.Context, who wire.Student) task {
	return d.step(ctx, "identify with the scanner", func(ctx context.Context) error { return d.scan(ctx, who.IDNumber) })
}

// taking says how a visit's photo is taken.
type taking struct {
	pictures bool // keep some
	byItself bool // nobody presses the shutter
	another  bool // pick another frame of the burst
}

// capture goes from the student's record to the saved photo.
func (d *demo) capture(ctx context.Context, how taking) task {
	return func() error {
		d.quiet = !how.pictures
		defer func() { d.quiet = false }()
		loud := func(f func(context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error {
				quiet := d.quiet
				d.quiet = false
				defer func() { d.quiet = quiet }()
				return f(ctx)
			}
		}
		take := []task{
			d.step(ctx, "the student prefers the button", d.byHand),
			d.step(ctx, "live checks turn green", d.pose),
			d.mirror(ctx, how.pictures),
			d.step(ctx, "shutter to portrait", d.shoot),
		}
		if how.byItself {
			take = []task{d.step(ctx, "the photo takes itself", loud(d.byItself))}
		}
		if how.another {
			take = append(take, d.step(ctx, "another frame of the burst", loud(d.another)))
		}
		var before map[string]bool
		return inOrder(
			d.step(ctx, "consent and photo guide", d.agree),
			func() error { return inOrder(take...) },
			d.step(ctx, "review and accept", d.accept),
			d.step(ctx, "seal and save", func(ctx context.Context) error {
				before = d.saved()
				if err := d.confirm(ctx); err != nil {
					return err
				}
				for id := range d.saved() {
					if !before[id] {
						d.sum.Packets = append(d.sum.Packets, id)
					}
				}
				return nil
			}),
			d.step(ctx, "next student", d.next),
		)
	}
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
func (d *demo) decide(ctx context.Context, approve bool) task {
	name := "reviewer approves"
	if !approve {
		name = "reviewer rejects"
	}
	return d.step(ctx, name, func(ctx context.Context) error {
		id := d.lastPacket()
		r, err := people.LogIn(ctx, d.central.url(), d.info.ReviewerUser, d.info.ReviewerPassword)
		if err != nil {
			return err
		}
		if err := d.keep(ctx, r, id); err != nil {
			return err
		}
		if approve {
			err = r.Approve(ctx, id)
		} else {
			err = r.Reject(ctx, id, "expression", "请保持嘴唇自然闭合")
		}
		if err != nil {
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
		name := d.visit + "-central.json"
		if d.visit == "online" {
			name = "central.json"
		}
		return d.writeJSON(name, p)
	})
}

// keep opens the packet as it left the kiosk, makes sure that the reviewer sees
// its very pictures, and saves them with the report. The first visit's go by
// plain names, the others' begin with the visit's name.
func (d *demo) keep(ctx context.Context, r people.Reviewer, id string) error {
	p, err := d.central.srv.Packet(ctx, id)
	if err != nil {
		return err
	}
	sealed, err := os.ReadFile(filepath.Join(d.data, "outbox", "packets", p.SHA256+".pkt"))
	if err != nil {
		return fmt.Errorf("the packet on the kiosk's disk: %w", err)
	}
	c, err := d.central.srv.OpenFile(ctx, bytes.NewReader(sealed), "demo")
	if err != nil {
		return fmt.Errorf("open the packet: %w", err)
	}
	for name, want := range map[string][]byte{"original.jpg": c.Original, "portrait.jpg": c.Portrait} {
		seen, err := r.Picture(ctx, id, name)
		if err != nil {
			return err
		}
		if len(want) == 0 || !bytes.Equal(seen, want) {
			return fmt.Errorf("the reviewer's %s is not the packet's", name)
		}
	}
	var report bytes.Buffer
	if err := json.Indent(&report, c.Manifest.Report, "", "  "); err != nil {
		return fmt.Errorf("the packet's report: %w", err)
	}
	prefix := d.visit + "-"
	if d.visit == "online" {
		prefix = ""
	}
	for name, data := range map[string][]byte{"original.jpg": c.Original, "portrait.jpg": c.Portrait, "report.json": report.Bytes()} {
		if err := os.WriteFile(filepath.Join(d.o.Out, prefix+name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// misspelt is a number with a slip of the finger: its last digit but one is
// another.
func misspelt(number string) string {
	n := []byte(number)
	i := len(n) - 2
	n[i] = '0' + (n[i]-'0'+1)%10
	return string(n)
}

// mirrorTime is how long the mirror's pictures are counted.
const mirrorTime = 3 * time.Second

// mirror counts the live pictures that reach the window, once.
func (d *demo) mirror(ctx context.Context, count bool) task {
	if !count {
		return func() error { return nil }
	}
	return d.step(ctx, "the mirror's pictures are counted", func(ctx context.Context) error {
		first, err := d.mirrored(ctx)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := pause(ctx, mirrorTime); err != nil {
			return err
		}
		last, err := d.mirrored(ctx)
		if err != nil {
			return err
		}
		if last <= first {
			return errors.New("the mirror stands still")
		}
		d.sum.MirrorFPS = math.Round(10*(last-first)/time.Since(began).Seconds()) / 10
		return nil
	})
}

// mirrored is how many live pictures the window has shown so far.
func (d *demo) mirrored(ctx context.Context) (float64, error) {
	state, err := d.client.State(ctx)
	if err != nil {
		return 0, err
	}
	v, _ := state.Field("frames")
	n, ok := v.(json.Number)
	if !ok {
		return 0, errors.New("the kiosk does not count its pictures")
	}
	return n.Float64()
}
