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
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/yunzhao-station/yunzhao/app/drive/remote"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// stepTime bounds every single step. An idle machine needs seconds; a build
// server with other work on its two cores has been seen to need one minute.
const stepTime = 3 * time.Minute

// settings of the kiosk that is driven.
const settings = "[sound]\nmode = \"off\"\n"

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
	// MemoryMB is the kiosk's resident memory and its peak so far after each
	// extra visit.
	MemoryMB [][2]int `json:"memory_mb,omitempty"`
	Pages    int      `json:"screenshots"`
	// MirrorFPS is how many live pictures a second the window showed.
	MirrorFPS float64 `json:"mirror_fps"`
}

type demo struct {
	*desk

	o        Options
	work     string
	central  *server
	info     central.DemoInfo
	policies map[string]wire.Policy // of the batches
	more     []wire.Student         // for the extra visits
	sum      Summary
	visit    string
}

// Run performs the demonstration.
func Run(ctx context.Context, o Options) (_ Summary, err error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if err := os.MkdirAll(o.Out, 0o750); err != nil {
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
	d := &demo{o: o, work: work, desk: &desk{
		program: o.Program, data: filepath.Join(work, "station"), log: filepath.Join(o.Out, "kiosk.log"), shots: o.Out,
		socket: filepath.Join(work, "kiosk.sock"), env: os.Environ(), width: o.Width, height: o.Height,
	}}
	if err := os.Remove(d.log); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Summary{}, fmt.Errorf("demo: old log: %w", err)
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.setUp(ctx); err != nil {
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
	_, d.sum.PeakMB = memoryMB(d.process.Process.Pid)
	return d.sum, d.finish(ctx)
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

// setUp brings up central, the display and the kiosk.
func (d *demo) setUp(ctx context.Context) error {
	d.visit = "start"
	return inOrder(
		d.step(ctx, "central server", func(ctx context.Context) (err error) {
			d.central = &server{dir: filepath.Join(d.work, "central")}
			if err := d.central.start(ctx); err != nil {
				return err
			}
			if d.info, err = d.central.srv.SeedDemo(ctx); err != nil {
				return err
			}
			if d.o.Extra > 0 {
				if d.more, err = d.central.srv.AddDemoStudents(ctx, d.o.Extra); err != nil {
					return err
				}
			}
			batches, err := d.central.srv.Batches(ctx)
			d.policies = map[string]wire.Policy{}
			for _, b := range batches {
				d.policies[b.ID] = b.Policy
			}
			return err
		}),
		d.step(ctx, "enrol", func(ctx context.Context) error {
			out, err := exec.CommandContext(ctx, d.o.Program, "enroll", "--data", d.data, "--central", d.central.url(), "--code", d.info.EnrolCode, "--name", "演示站").CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return os.WriteFile(filepath.Join(d.data, "yunzhao.toml"), []byte(settings), 0o600)
		}),
		d.step(ctx, "display", func(ctx context.Context) error { return d.openDisplay(ctx, d.o.Private) }),
		d.step(ctx, "kiosk window", func(ctx context.Context) error {
			if err := d.start(ctx); err != nil {
				return err
			}
			if err := d.open(ctx); err != nil {
				return err
			}
			_, err := d.kiosk.WaitFor(ctx, "central", func(s remote.State) bool { return s.Lamps["central"].Level == "ok" })
			return err
		}),
	)
}

// close ends everything that is still running.
func (d *demo) close() error {
	errs := []error{d.stop()}
	if d.central != nil {
		errs = append(errs, d.central.stop())
	}
	return errors.Join(errs...)
}

// finish ends the kiosk the way an operator does and expects a clean exit, then
// has every packet verified.
func (d *demo) finish(ctx context.Context) error {
	d.visit = "end"
	if err := inOrder(
		d.step(ctx, "kiosk ends cleanly", d.leave),
		d.step(ctx, "verify every packet", func(ctx context.Context) error {
			out, err := exec.CommandContext(ctx, d.o.Program, "verify", "--data", d.data).CombinedOutput()
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

// server is central in this process, on one address for good.
type server struct {
	dir  string
	addr string
	srv  *central.Server
	http *http.Server
}

func (s *server) url() string { return "http://" + s.addr }

func (s *server) start(ctx context.Context) error {
	addr := s.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
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

// memoryMB is a process's resident memory and the largest it has been; zeros
// when there is no such process.
func memoryMB(pid int) (now, peak int) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(data)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			peak = kb / 1024
		}
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kb); n == 1 {
			now = kb / 1024
		}
	}
	return now, peak
}
