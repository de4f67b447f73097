package demo

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/yunzhao-station/yunzhao/app/drive"
	"github.com/yunzhao-station/yunzhao/app/drive/remote"
)

// windowTitle is the kiosk's.
const windowTitle = "云照站 Yunzhao Station"

// personPace is the least time between seeing a screen and tapping it. The
// kiosk takes anything faster for a bounce of the tap before.
const personPace = 350 * time.Millisecond

// paintLimit bounds the wait for pixels that may not change at all, because what
// changed in the kiosk's state is not shown on the present screen.
const paintLimit = 2 * time.Second

// look is the pause between two looks at the screen.
const look = 40 * time.Millisecond

// desk is one kiosk process with its screen and somebody before it. Every wait
// is for something seen, bounded by the caller's context: nothing counts on how
// fast the machine is. Its methods are for one goroutine.
type desk struct {
	program string   // the kiosk's executable
	data    string   // its data directory
	log     string   // file that takes what it says
	shots   string   // folder for pictures, "" = take none
	socket  string   // of the automation
	env     []string // of the kiosk, without the display
	width   int
	height  int

	display *drive.Display
	window  drive.Window
	kiosk   *drive.Kiosk
	client  *remote.Client
	process *exec.Cmd
	exited  chan error // gets the process's end, once

	quiet bool // take no pictures now
	seed  maphash.Seed
	shown string // what the screen last settled on
	print uint64 // and its pixels
}

// openDisplay takes the desktop's display, or a virtual one of its own.
func (d *desk) openDisplay(ctx context.Context, private bool) (err error) {
	if os.Getenv("DISPLAY") != "" && !private {
		d.display, err = drive.Connect("")
		return err
	}
	d.display, err = drive.StartXvfb(context.WithoutCancel(ctx), d.width, d.height)
	return err
}

// start runs the kiosk and waits for its window.
func (d *desk) start(ctx context.Context) error {
	if err := os.Remove(d.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // a killed kiosk leaves its socket behind
	}
	logFile, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = logFile.Close() }() // the child has its own
	// Not the step's context: the kiosk outlives it.
	p := exec.CommandContext(context.WithoutCancel(ctx), d.program, "run", "--data", d.data, "--camera", "scene", "--automation", d.socket,
		"--size", fmt.Sprintf("%dx%d", d.width, d.height))
	p.Env = d.display.Env(d.env)
	p.Stdout, p.Stderr = logFile, logFile
	if err := p.Start(); err != nil {
		return err
	}
	d.process, d.exited = p, make(chan error, 1)
	exited, gone := d.exited, make(chan struct{})
	go func() { exited <- p.Wait(); close(gone) }()

	// A kiosk that refuses to start is told at once, not when patience ends.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-gone:
			cancel(fmt.Errorf("the kiosk ended by itself (see %s)", d.log))
		case <-ctx.Done():
		}
	}()
	if err := d.meet(ctx); err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return nil
}

func (d *desk) meet(ctx context.Context) (err error) {
	if d.client, err = remote.DialWait(ctx, d.socket); err != nil {
		return err
	}
	if d.window, err = d.display.WaitWindow(ctx, windowTitle); err != nil {
		return err
	}
	_ = d.display.Focus(d.window) // a window manager, where there is one, decides
	at, err := d.display.Bounds(d.window)
	if err != nil {
		return err
	}
	d.kiosk = &drive.Kiosk{Hands: d.display, Client: d.client, Origin: at.Min, Shots: d.shots}
	d.seed, d.shown = maphash.MakeSeed(), ""
	return nil
}

// open waits until the first student may come. A kiosk that was killed begins on
// its lock screen, where staff confirm that they have read it.
func (d *desk) open(ctx context.Context) error {
	s, err := d.client.State(ctx)
	if err != nil {
		return err
	}
	if s.State == "locked" {
		if err := d.tap(ctx, "unlock"); err != nil {
			return err
		}
	}
	_, err = d.kiosk.WaitFor(ctx, "open for the first student", func(s remote.State) bool {
		fault, _ := s.Field("fault")
		return s.State == "idle" && fault == nil && s.Lamps["plate"].Level == "ok"
	})
	return err
}

// running tells whether a kiosk was started and has not been seen to end.
func (d *desk) running() bool { return d.exited != nil }

// wait takes the kiosk's end.
func (d *desk) wait(ctx context.Context) error {
	select {
	case err := <-d.exited:
		d.exited = nil
		_ = d.client.Close() // the other side is gone
		return err
	case <-ctx.Done():
		return fmt.Errorf("the kiosk does not end: %w", ctx.Err())
	}
}

// leave ends the kiosk the way an operator does.
func (d *desk) leave(ctx context.Context) error {
	if err := d.process.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("end the kiosk: %w", err)
	}
	return d.wait(ctx)
}

// kill ends the kiosk as a power cut does. It returns once the process is gone.
func (d *desk) kill() error {
	if err := d.process.Process.Kill(); err != nil {
		return fmt.Errorf("kill the kiosk: %w", err)
	}
	<-d.exited //nolint:errcheck // it was killed: how it ended is known
	d.exited = nil
	_ = d.client.Close() // the other side is gone
	return nil
}

// stop ends whatever still runs.
func (d *desk) stop() error {
	var errs []error
	if d.running() {
		_ = d.process.Process.Kill()
		<-d.exited //nolint:errcheck // it was killed: how it ended is known
		d.exited = nil
	}
	if d.client != nil {
		errs = append(errs, d.client.Close())
	}
	if d.display != nil {
		errs = append(errs, d.display.Close())
	}
	return errors.Join(errs...)
}

// tap presses a button at a person's pace: once the screen is there to be seen
// and the button can be used.
func (d *desk) tap(ctx context.Context, id string) error {
	if err := d.settled(ctx); err != nil {
		return err
	}
	began := time.Now()
	if _, err := d.kiosk.Find(ctx, id); err != nil {
		return err
	}
	if time.Since(began) > personPace/2 {
		// It came late, so the tap before was taken late too.
		if err := pause(ctx, personPace); err != nil {
			return err
		}
	}
	return d.kiosk.Tap(ctx, id)
}

// typeNumber taps a number on the keypad and sees each digit appear before it
// goes on: on a slow machine two taps may reach the kiosk at once, which takes
// the second for a bounce.
func (d *desk) typeNumber(ctx context.Context, number string) error {
	for _, r := range number {
		if err := d.seen(ctx, "number", func() error { return d.kiosk.TypeNumber(ctx, string(r)) }); err != nil {
			return err
		}
	}
	return nil
}

// erase takes the last n characters of the number back.
func (d *desk) erase(ctx context.Context, n int) error {
	for range n {
		if err := d.seen(ctx, "number", func() error { return d.kiosk.Tap(ctx, "key-back") }); err != nil {
			return err
		}
	}
	return nil
}

// seen does something and waits until the region of the screen has changed.
func (d *desk) seen(ctx context.Context, region string, do func() error) error {
	at, err := d.place(ctx, region)
	if err != nil {
		return err
	}
	before, err := d.fingerprint(at)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	if err := d.until(ctx, func() (bool, error) {
		now, err := d.fingerprint(at)
		return now != before, err
	}); err != nil {
		return fmt.Errorf("nothing changed at %s: %w", region, err)
	}
	return nil
}

// held keeps a finger on a button, waits until the screen has changed outside
// it, has somebody see that, and lets go.
func (d *desk) held(ctx context.Context, id string, see func(context.Context) error) error {
	if err := d.settled(ctx); err != nil {
		return err
	}
	t, err := d.kiosk.Find(ctx, id)
	if err != nil {
		return err
	}
	at := d.onScreen(t)
	before, err := d.fingerprint(d.above(at))
	if err != nil {
		return err
	}
	holding, release := context.WithCancel(ctx)
	defer release()
	done := make(chan error, 1)
	go func() { done <- d.display.Hold(holding, (at.Min.X+at.Max.X)/2, (at.Min.Y+at.Max.Y)/2, time.Minute) }()
	err = d.until(ctx, func() (bool, error) {
		now, err := d.fingerprint(d.above(at))
		return now != before, err
	})
	if err != nil {
		err = fmt.Errorf("nothing changed while %s was held: %w", id, err)
	} else {
		err = see(ctx)
	}
	release()
	if e := <-done; e != nil && !errors.Is(e, context.Canceled) {
		err = errors.Join(err, e)
	}
	if err != nil {
		return err
	}
	return d.until(ctx, func() (bool, error) {
		now, err := d.fingerprint(d.above(at))
		return now == before, err
	})
}

// above is the part of the screen over a button, as wide as it: what a held
// button acts on.
func (d *desk) above(button image.Rectangle) image.Rectangle {
	return image.Rect(button.Min.X, d.kiosk.Origin.Y, button.Max.X, button.Min.Y)
}

// shot saves a picture of the screen once the window has caught up.
func (d *desk) shot(ctx context.Context, name string) error {
	if d.quiet || d.shots == "" {
		return nil
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	_, err := d.kiosk.Shot(name)
	return err
}

// settled waits until the window shows the state that the kiosk is in, and a
// person's moment longer.
func (d *desk) settled(ctx context.Context) error {
	var shown string
	if err := d.until(ctx, func() (bool, error) {
		state, err := d.client.State(ctx)
		if err != nil {
			return false, err
		}
		targets, err := d.client.Targets(ctx)
		if err != nil {
			return false, err
		}
		shown = visible(state)
		return caughtUp(state, targets), nil
	}); err != nil {
		return fmt.Errorf("the window does not follow the kiosk: %w", err)
	}
	if shown != d.shown {
		if err := d.repainted(ctx); err != nil {
			return err
		}
	}
	if err := pause(ctx, personPace); err != nil {
		return err
	}
	now, err := d.fingerprint(d.all())
	d.shown, d.print = shown, now
	return err
}

// repainted waits until the pixels are others than at the last settled screen.
func (d *desk) repainted(ctx context.Context) error {
	if d.shown == "" {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, paintLimit)
	defer cancel()
	err := d.until(limited, func() (bool, error) {
		now, err := d.fingerprint(d.all())
		return now != d.print, err
	})
	if err != nil && limited.Err() != nil {
		return ctx.Err() // what changed may not be on this screen
	}
	return err
}

// visible names what of the kiosk's state a person can see.
func visible(s remote.State) string {
	parts := []string{s.State, s.Lang, s.Toast}
	for _, f := range []string{"operator", "fault", "bad_number", "payment", "linked", "recapture", "next"} {
		v, _ := s.Field(f)
		parts = append(parts, fmt.Sprint(v))
	}
	return strings.Join(parts, "\x00")
}

// caughtUp tells whether the window shows the state, or the fault or the staff's
// page that covers it.
func caughtUp(s remote.State, targets []remote.Target) bool {
	fault, _ := s.Field("fault")
	for _, t := range targets {
		if t.ID == "state" {
			switch staff, _ := s.Field("operator"); staff {
			case "open":
				return t.Text == "operator"
			case "pin":
				return t.Text == "operator-pin"
			}
			return fault == nil && t.Text == s.State || fault != nil && t.Text == "fault"
		}
	}
	return false
}

// until looks again and again until ok.
func (d *desk) until(ctx context.Context, ok func() (bool, error)) error {
	for {
		is, err := ok()
		if is || err != nil {
			return err
		}
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, long time.Duration) error {
	t := time.NewTimer(long)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// all is the kiosk's window on the screen.
func (d *desk) all() image.Rectangle {
	return image.Rect(0, 0, d.width, d.height).Add(d.kiosk.Origin)
}

// fingerprint is a short form of the pixels of a part of the screen.
func (d *desk) fingerprint(at image.Rectangle) (uint64, error) {
	img, err := d.display.Screenshot()
	if err != nil {
		return 0, err
	}
	at = at.Intersect(img.Rect)
	var h maphash.Hash
	h.SetSeed(d.seed)
	for y := at.Min.Y; y < at.Max.Y; y++ {
		_, _ = h.Write(img.Pix[img.PixOffset(at.Min.X, y):][:4*at.Dx()])
	}
	return h.Sum64(), nil
}

// picture is what the screen shows at a region.
func (d *desk) picture(ctx context.Context, region string) (*image.RGBA, error) {
	at, err := d.place(ctx, region)
	if err != nil {
		return nil, err
	}
	img, err := d.display.Screenshot()
	if err != nil {
		return nil, err
	}
	at = at.Intersect(img.Rect)
	out := image.NewRGBA(image.Rectangle{Max: at.Size()})
	for y := range at.Dy() {
		copy(out.Pix[y*out.Stride:], img.Pix[img.PixOffset(at.Min.X, at.Min.Y+y):][:4*at.Dx()])
	}
	return out, nil
}

// place waits for a marked region of the window and says where on the screen it
// is.
func (d *desk) place(ctx context.Context, id string) (image.Rectangle, error) {
	var at image.Rectangle
	err := d.until(ctx, func() (bool, error) {
		targets, err := d.client.Targets(ctx)
		for _, t := range targets {
			if t.ID == id && t.W > 0 && t.H > 0 {
				at = d.onScreen(t)
			}
		}
		return !at.Empty(), err
	})
	if err != nil {
		return at, fmt.Errorf("no %s on the screen: %w", id, err)
	}
	return at, nil
}

func (d *desk) onScreen(t remote.Target) image.Rectangle {
	return image.Rect(t.X, t.Y, t.X+t.W, t.Y+t.H).Add(d.kiosk.Origin)
}

// button finds one by name, enabled or not.
func (d *desk) button(ctx context.Context, id string) (t remote.Target, ok bool, err error) {
	targets, err := d.client.Targets(ctx)
	for _, t := range targets {
		if t.ID == id {
			return t, true, err
		}
	}
	return t, false, err
}

// readQR decodes the code that is really on the screen.
func (d *desk) readQR(ctx context.Context) (string, error) {
	var text string
	var unread error
	err := d.until(ctx, func() (bool, error) {
		img, err := d.picture(ctx, "qr")
		if err != nil {
			return false, err
		}
		text, unread = decodeQR(img) // it may not be painted yet
		return unread == nil, nil
	})
	if err != nil {
		return "", fmt.Errorf("read the screen's QR code: %w", errors.Join(err, unread))
	}
	return text, nil
}

// decodeQR reads a code as it is on a screen: undistorted and sharp.
func decodeQR(img image.Image) (string, error) {
	bmp, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		return "", err
	}
	for _, hints := range []map[gozxing.DecodeHintType]any{
		{gozxing.DecodeHintType_PURE_BARCODE: true},
		{gozxing.DecodeHintType_TRY_HARDER: true},
	} {
		var result *gozxing.Result
		if result, err = qrcode.NewQRCodeReader().Decode(bmp, hints); err == nil {
			return result.GetText(), nil
		}
	}
	return "", err
}

// saved lists the packets that are in the kiosk's outbox, by their files'
// digests: what a power cut would leave.
func (d *desk) saved() map[string]bool {
	out := map[string]bool{}
	for f := range d.packetFiles() {
		out[strings.TrimSuffix(filepath.Base(f), packetExt)] = true
	}
	return out
}

// packetExt ends the names of sealed packets.
const packetExt = ".pkt"

func (d *desk) packetFiles() map[string]bool {
	out := map[string]bool{}
	for _, pattern := range []string{"*" + packetExt, filepath.Join("*", "*"+packetExt)} {
		files, _ := filepath.Glob(filepath.Join(d.data, "outbox", pattern)) // the pattern is well-formed
		for _, f := range files {
			out[f] = true
		}
	}
	return out
}

// scan identifies a student with the scanner on the keyboard port.
func (d *desk) scan(ctx context.Context, number string) error {
	if _, err := d.kiosk.WaitState(ctx, "idle"); err != nil {
		return err
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	if err := d.kiosk.Scan(ctx, number); err != nil {
		return err
	}
	_, err := d.kiosk.WaitFor(ctx, "the student's record", field("claim", true))
	return err
}

// agree goes from the student's record to the camera.
func (d *desk) agree(ctx context.Context) error {
	for _, s := range []struct{ name, button, next string }{
		{"", "continue", "consent"},
		{"consent", "consent-accept", "guide"},
		{"guide", "continue", "framing"},
	} {
		if s.name != "" {
			if err := d.shot(ctx, s.name); err != nil {
				return err
			}
		}
		if err := d.tap(ctx, s.button); err != nil {
			return err
		}
		if _, err := d.kiosk.WaitState(ctx, s.next); err != nil {
			return err
		}
	}
	return nil
}

// pose waits until every live check holds.
func (d *desk) pose(ctx context.Context) error {
	if _, err := d.kiosk.WaitFor(ctx, "all live checks holding", field("ready", true)); err != nil {
		return err
	}
	return d.shot(ctx, "framing")
}

// byHand has the student choose the button instead of the countdown that starts
// by itself.
func (d *desk) byHand(ctx context.Context) error {
	if err := d.tap(ctx, "auto"); err != nil {
		return err
	}
	_, err := d.kiosk.WaitFor(ctx, "nothing starting by itself", func(s remote.State) bool {
		auto, _ := s.Field("auto")
		return s.State == "framing" && auto == false
	})
	return err
}

// byItself waits for the photo that nobody presses a button for.
func (d *desk) byItself(ctx context.Context) error {
	s, err := d.kiosk.WaitState(ctx, "countdown", "shot", "standardising", "review")
	if err != nil {
		return err
	}
	if s.State == "countdown" {
		if itself, _ := s.Field("itself"); itself != true {
			return errors.New("the countdown did not start by itself")
		}
		if err := d.shot(ctx, "countdown-by-itself"); err != nil {
			return err
		}
	}
	_, err = d.kiosk.WaitState(ctx, "review")
	return err
}

// another picks the first frame of the burst that is not shown, and sees it
// become the photo.
func (d *desk) another(ctx context.Context) error {
	s, err := d.kiosk.WaitState(ctx, "review")
	if err != nil {
		return err
	}
	was, _ := s.Field("shot.chosen")
	pick := "1"
	if fmt.Sprint(was) == pick {
		pick = "2"
	}
	if err := d.tap(ctx, "frame-"+pick); err != nil {
		return err
	}
	_, err = d.kiosk.WaitFor(ctx, "the picked frame's portrait", func(s remote.State) bool {
		chosen, _ := s.Field("shot.chosen")
		busy, _ := s.Field("shot.picking")
		portrait, _ := s.Field("shot.portrait")
		return fmt.Sprint(chosen) == pick && busy == false && portrait == true
	})
	return errors.Join(err, d.shot(ctx, "review-picked"))
}

// shoot takes the photo and waits for the portrait.
func (d *desk) shoot(ctx context.Context) error {
	if err := d.tap(ctx, "shutter"); err != nil {
		return err
	}
	// A look may come late: what follows the countdown will do too.
	s, err := d.kiosk.WaitState(ctx, "countdown", "shot", "standardising", "review")
	if err != nil {
		return err
	}
	if s.State == "countdown" {
		if err := d.shot(ctx, "countdown"); err != nil {
			return err
		}
	}
	_, err = d.kiosk.WaitState(ctx, "review")
	return err
}

// accept has the staff confirm what only people can judge and takes the photo
// to the last question.
func (d *desk) accept(ctx context.Context) error {
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
	if err := d.shot(ctx, "review"); err != nil {
		return err
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	t, ok, err := d.button(ctx, "manual-ok")
	if err != nil {
		return err
	}
	if ok && t.Enabled {
		if err := d.tap(ctx, "manual-ok"); err != nil {
			return err
		}
		if _, err := d.kiosk.Find(ctx, "accept"); err != nil { // enabled by the answer
			return err
		}
		if err := d.shot(ctx, "review-confirmed"); err != nil {
			return err
		}
	}
	if err := d.tap(ctx, "accept"); err != nil {
		return err
	}
	if _, err := d.kiosk.WaitState(ctx, "confirm"); err != nil {
		return err
	}
	return d.shot(ctx, "confirm")
}

// confirm submits and waits until the kiosk says that the photo is safe.
func (d *desk) confirm(ctx context.Context) error {
	if err := d.tap(ctx, "confirm"); err != nil {
		return err
	}
	if _, err := d.kiosk.WaitState(ctx, "done"); err != nil {
		return err
	}
	return d.shot(ctx, "done")
}

// next lets the next student come; a machine slow enough may have gone home by
// itself.
func (d *desk) next(ctx context.Context) error {
	s, err := d.client.State(ctx)
	if err != nil || s.State == "idle" {
		return err
	}
	if err := d.tap(ctx, "next"); err != nil {
		if s, e := d.client.State(context.WithoutCancel(ctx)); e != nil || s.State != "idle" {
			return err
		}
	}
	_, err = d.kiosk.WaitState(ctx, "idle", "eligible") // the student identified meanwhile, if any
	return err
}

// field holds when the kiosk's state has that value there.
func field(path string, want any) func(remote.State) bool {
	return func(s remote.State) bool {
		got, ok := s.Field(path)
		return ok && got == want
	}
}
