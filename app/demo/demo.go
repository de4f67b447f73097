// Package demo drives the real kiosk through whole visits, from outside: real
// pointer and key events into the real window, a phone and a reviewer on
// central's real pages, central stopped and started again. It keeps pictures of
// every screen and what came of each visit, and fails if any step did not
// really happen.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/yunzhao-station/yunzhao/app/drive"
	"github.com/yunzhao-station/yunzhao/app/drive/people"
	"github.com/yunzhao-station/yunzhao/app/drive/remote"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// stepTime bounds every single step; a slow machine needs seconds, not minutes.
const stepTime = 60 * time.Second

// windowTitle is the kiosk's.
const windowTitle = "云照站 Yunzhao Station"

// Options say what to drive and where to leave what came of it.
type Options struct {
	Program  string // the kiosk's executable
	Out      string // folder, made when missing
	Width    int
	Height   int
	Extra    int  // more quick visits after the three, for measurements
	Private  bool // always use a display of its own
	Progress io.Writer
}

// Step is one line of the summary.
type Step struct {
	Visit string        `json:"visit"`
	Name  string        `json:"step"`
	Took  time.Duration `json:"took_ns"`
}

// Summary is what happened.
type Summary struct {
	Steps   []Step   `json:"steps"`
	Packets []string `json:"packets"`
	PeakMB  int      `json:"kiosk_peak_mb"` // resident memory of the kiosk
	Pages   int      `json:"screenshots"`
}

type demo struct {
	o        Options
	work     string
	display  *drive.Display
	kiosk    *drive.Kiosk
	window   drive.Window
	client   *remote.Client
	process  *exec.Cmd
	central  *server
	info     central.DemoInfo
	policies map[string]wire.Policy // of the batches
	sum      Summary
	visit    string
}

// Run performs the demonstration.
func Run(ctx context.Context, o Options) (_ Summary, err error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return Summary{}, fmt.Errorf("demo: output folder: %w", err)
	}
	old, _ := filepath.Glob(filepath.Join(o.Out, "[0-9][0-9]*.png"))
	for _, f := range old {
		_ = os.Remove(f)
	}
	work, err := os.MkdirTemp("", "yunzhao-demo-")
	if err != nil {
		return Summary{}, fmt.Errorf("demo: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	d := &demo{o: o, work: work}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.start(ctx); err != nil {
		return d.sum, err
	}
	for _, v := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"online", d.online},
		{"offline", d.offline},
		{"recapture", d.recapture},
		{"extra", d.extra},
	} {
		d.visit = v.name
		if err := v.run(ctx); err != nil {
			return d.sum, fmt.Errorf("demo: visit %q: %w", v.name, err)
		}
	}
	d.sum.PeakMB = peakMB(d.process.Process.Pid)
	return d.sum, d.leave(ctx)
}

// task is something still to be done.
type task func() error

// inOrder does one task after the other until one fails.
func inOrder(tasks ...task) error {
	for _, t := range tasks {
		if err := t(); err != nil {
			return err
		}
	}
	return nil
}

// step is a task that is timed and bounded.
func (d *demo) step(ctx context.Context, name string, f func(context.Context) error) task {
	return func() error {
		ctx, cancel := context.WithTimeout(ctx, stepTime)
		defer cancel()
		began := time.Now()
		if err := f(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		took := time.Since(began)
		d.sum.Steps = append(d.sum.Steps, Step{Visit: d.visit, Name: name, Took: took})
		_, _ = fmt.Fprintf(d.o.Progress, "%-10s %-36s %7.2f s\n", d.visit, name, took.Seconds())
		return nil
	}
}

// start brings up central, the display and the kiosk.
func (d *demo) start(ctx context.Context) error {
	d.visit = "start"
	return inOrder(
		d.step(ctx, "central server", func(ctx context.Context) (err error) {
			d.central = &server{dir: filepath.Join(d.work, "central")}
			if err := d.central.start(); err != nil {
				return err
			}
			if d.info, err = d.central.srv.SeedDemo(ctx); err != nil {
				return err
			}
			batches, err := d.central.srv.Batches(ctx)
			d.policies = map[string]wire.Policy{}
			for _, b := range batches {
				d.policies[b.ID] = b.Policy
			}
			return err
		}),
		d.step(ctx, "enrol", func(ctx context.Context) error {
			out, err := exec.CommandContext(ctx, d.o.Program, "enroll", "--data", d.data(), "--central", d.central.url(), "--code", d.info.EnrolCode, "--name", "演示站").CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		}),
		d.step(ctx, "display", func(context.Context) (err error) {
			if os.Getenv("DISPLAY") != "" && !d.o.Private {
				d.display, err = drive.Connect("")
				return err
			}
			d.display, err = drive.StartXvfb(context.WithoutCancel(ctx), d.o.Width, d.o.Height)
			return err
		}),
		d.step(ctx, "kiosk window", d.startKiosk),
	)
}

func (d *demo) data() string { return filepath.Join(d.work, "station") }

func (d *demo) startKiosk(ctx context.Context) error {
	socket := filepath.Join(d.work, "kiosk.sock")
	logFile, err := os.OpenFile(filepath.Join(d.o.Out, "kiosk.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = logFile.Close() }()
	d.process = exec.Command(d.o.Program, "run", "--data", d.data(), "--camera", "scene", "--automation", socket,
		"--size", fmt.Sprintf("%dx%d", d.o.Width, d.o.Height))
	d.process.Env = d.display.Env(os.Environ())
	d.process.Stdout, d.process.Stderr = logFile, logFile
	if err := d.process.Start(); err != nil {
		return err
	}
	if d.client, err = remote.DialWait(ctx, socket); err != nil {
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
	d.kiosk = &drive.Kiosk{Hands: d.display, Client: d.client, Origin: at.Min, Shots: d.o.Out}
	_, err = d.kiosk.WaitFor(ctx, "open for the first student", func(s remote.State) bool {
		fault, _ := s.Field("fault")
		return s.State == "idle" && fault == nil && s.Lamps["central"].Level == "ok" && s.Lamps["plate"].Level == "ok"
	})
	return err
}

// stop ends everything that is still running.
func (d *demo) stop() error {
	var errs []error
	if d.client != nil {
		errs = append(errs, d.client.Close())
	}
	if d.process != nil && d.process.ProcessState == nil && d.process.Process != nil {
		_ = d.process.Process.Kill()
		_ = d.process.Wait()
	}
	if d.central != nil {
		errs = append(errs, d.central.stop())
	}
	if d.display != nil {
		errs = append(errs, d.display.Close())
	}
	return errors.Join(errs...)
}

// leave ends the kiosk the way an operator does and expects a clean exit, then
// has every packet verified.
func (d *demo) leave(ctx context.Context) error {
	d.visit = "end"
	if err := inOrder(
		d.step(ctx, "kiosk ends cleanly", func(ctx context.Context) error {
			if err := d.process.Process.Signal(os.Interrupt); err != nil {
				return err
			}
			done := make(chan error, 1)
			go func() { done <- d.process.Wait() }()
			select {
			case err := <-done:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}),
		d.step(ctx, "verify every packet", func(ctx context.Context) error {
			out, err := exec.CommandContext(ctx, d.o.Program, "verify", "--data", d.data()).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		}),
	); err != nil {
		return err
	}
	shots, _ := filepath.Glob(filepath.Join(d.o.Out, "[0-9][0-9]*.png"))
	d.sum.Pages = len(shots)
	return d.writeJSON("summary.json", d.sum)
}

func (d *demo) writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("demo: %s: %w", name, err)
	}
	return os.WriteFile(filepath.Join(d.o.Out, name), append(data, '\n'), 0o600)
}

// tap presses a button at a person's pace: once the screen is there to be
// seen. The kiosk takes anything faster for a bounce of the tap before.
func (d *demo) tap(ctx context.Context, id string) error {
	if err := d.settled(ctx); err != nil {
		return err
	}
	return d.kiosk.Tap(ctx, id)
}

// server is central in this process, on one address for good.
type server struct {
	dir  string
	addr string
	srv  *central.Server
	http *http.Server
}

func (s *server) url() string { return "http://" + s.addr }

func (s *server) start() error {
	addr := s.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	s.addr = ln.Addr().String()
	s.srv, err = central.Open(s.dir, central.Options{PublicURL: s.url(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	s.http = &http.Server{Handler: s.srv.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(ln) }()
	return nil
}

func (s *server) stop() error {
	if s.srv == nil {
		return nil
	}
	err := errors.Join(s.http.Close(), s.srv.Close())
	s.srv = nil
	return err
}

// readQR decodes the code that is really on the screen.
func (d *demo) readQR(ctx context.Context) (string, error) {
	t, err := d.region(ctx, "qr")
	if err != nil {
		return "", err
	}
	at := image.Rect(t.X, t.Y, t.X+t.W, t.Y+t.H).Add(d.kiosk.Origin)
	for {
		shot, err := d.display.Screenshot()
		if err != nil {
			return "", err
		}
		text, err := decodeQR(shot.SubImage(at))
		if err == nil {
			return text, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("read the screen's QR code: %w", err)
		case <-time.After(100 * time.Millisecond): // it may not be painted yet
		}
	}
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

// region waits for a marked region of the window.
func (d *demo) region(ctx context.Context, id string) (remote.Target, error) {
	for {
		targets, err := d.client.Targets(ctx)
		if err != nil {
			return remote.Target{}, err
		}
		for _, t := range targets {
			if t.ID == id && t.W > 0 && t.H > 0 {
				return t, nil
			}
		}
		select {
		case <-ctx.Done():
			return remote.Target{}, fmt.Errorf("no %s on the screen: %w", id, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// student picks the fictional student with that student number suffix; the
// demo batch is the same at every start.
func (d *demo) student(pick func(wire.Student) bool) (wire.Student, error) {
	for _, s := range d.info.Students {
		if pick(s) {
			return s, nil
		}
	}
	return wire.Student{}, errors.New("the demo batch has no such student")
}

// peakMB is a process's largest resident memory so far.
func peakMB(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	return 0
}

// phone is a student's phone at central's pages.
func (d *demo) phone(ctx context.Context, claimURL string) (*people.Browser, error) {
	b := people.NewBrowser()
	if err := b.Get(ctx, claimURL); err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	return b, nil
}
