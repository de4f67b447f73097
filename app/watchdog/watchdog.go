// Package watchdog keeps a program running: it starts it, listens to its
// heartbeat, ends it when the heart stops and starts it again, at once after a
// single mishap and with growing pauses when nothing helps. It knows nothing of
// what the program does.
package watchdog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// FDVariable tells the program which file descriptor its heartbeat goes to.
const FDVariable = "YUNZHAO_HEARTBEAT_FD"

// AgainCode is the exit code by which a program asks to be started anew, at once
// and without it being a mishap.
const AgainCode = 75

// heartbeatFD is the first of exec.Cmd.ExtraFiles.
const heartbeatFD = 3

// Options say what is kept running and how patiently. Zero durations take the
// defaults of each field.
type Options struct {
	Command []string // program and arguments, required
	Env     []string // of the program; nil = this process's
	Stdout  io.Writer
	Stderr  io.Writer
	Log     *slog.Logger // nil = silent

	// Start is the patience until the first beat (30 s): fonts, models, a slow
	// disk. It doubles, up to sixteen times, each time it was not enough: a computer
	// slower than we thought must not be restarted for ever.
	Start   time.Duration
	Silence time.Duration // between beats, before the program counts as hung (10 s)
	Stop    time.Duration // from a request to end until it is killed (15 s)

	// wait pauses between two starts; tests replace it.
	wait func(context.Context, time.Duration) error
}

// Defaults.
const (
	defaultStart   = 30 * time.Second
	defaultSilence = 10 * time.Second
	defaultStop    = 15 * time.Second
)

// Run starts the program, again and again, until it ends by itself with exit
// code 0 (nil), ctx ends (its error, once the program is gone) or the program
// cannot be started at all. AgainCode asks for the next start itself.
func Run(ctx context.Context, o Options) error {
	if len(o.Command) == 0 {
		return errors.New("watchdog: no program to run")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Start = orDefault(o.Start, defaultStart)
	o.Silence = orDefault(o.Silence, defaultSilence)
	o.Stop = orDefault(o.Stop, defaultStop)
	if o.wait == nil {
		o.wait = pause
	}
	var history history
	patience := o.Start
	for {
		began := time.Now()
		end, err := o.once(ctx, patience)
		if err != nil {
			return fmt.Errorf("watchdog: start %s: %w", o.Command[0], err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if end.Clean {
			return nil
		}
		if end.Again {
			o.Log.Info("the program asked to be started anew")
			continue
		}
		if end.Unborn {
			patience = min(2*patience, maxPatience*o.Start)
		}
		delay := history.next(time.Since(began))
		o.Log.Error("the program ended and is started again", "how", end.How, "ran", time.Since(began).Round(time.Millisecond), "pause", delay)
		if err := o.wait(ctx, delay); err != nil {
			return err
		}
	}
}

// ending is how one run ended.
type ending struct {
	Clean  bool   // exit code 0
	Again  bool   // exit code AgainCode
	Unborn bool   // killed before its first beat
	How    string // for the log
}

// maxPatience is how many times Options.Start the wait for the first beat gets.
const maxPatience = 16

// once runs the program until it is gone, and waits that long for its first beat.
func (o *Options) once(ctx context.Context, patience time.Duration) (ending, error) {
	beats, theirs, err := os.Pipe()
	if err != nil {
		return ending{}, err
	}
	defer beats.Close()
	cmd := exec.Command(o.Command[0], o.Command[1:]...) //nolint:noctx // the caller's own program; it is asked to end before it is killed
	cmd.Stdout, cmd.Stderr = o.Stdout, o.Stderr
	cmd.Env = environment(o.Env)
	cmd.ExtraFiles = []*os.File{theirs}
	// A group of its own keeps a Ctrl-C at the terminal from it: it is ended in
	// order, from here, and together with what it has started.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	cmd.WaitDelay = time.Second

	started, gone := make(chan error, 1), make(chan error, 1)
	go func() {
		// The parent-death signal comes when the thread that started the program
		// ends, so this one is kept for as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			gone <- cmd.Wait()
		}
	}()
	err = <-started
	_ = theirs.Close() // the program has its own
	if err != nil {
		return ending{}, err
	}
	pulse := make(chan struct{}, 1)
	go listen(beats, pulse)

	quiet := time.NewTimer(patience)
	defer quiet.Stop()
	born := false
	for {
		select {
		case err := <-gone:
			return describe(err), nil
		case <-pulse:
			born = true
			quiet.Reset(o.Silence)
		case <-quiet.C:
			o.Log.Error("the program's heart is still; it is killed", "ever_beat", born)
			kill(cmd.Process.Pid, syscall.SIGKILL)
			<-gone //nolint:errcheck // it was killed: how it ended is known
			end := ending{Unborn: !born, How: "hung"}
			return end, nil
		case <-ctx.Done():
			return o.stop(cmd.Process.Pid, gone), nil
		}
	}
}

// stop asks the program to end and kills it when it does not.
func (o *Options) stop(pid int, gone <-chan error) ending {
	_ = syscall.Kill(pid, syscall.SIGTERM) // its helpers are its own to end
	patience := time.NewTimer(o.Stop)
	defer patience.Stop()
	select {
	case err := <-gone:
		return describe(err)
	case <-patience.C:
		o.Log.Error("the program did not end when asked; it is killed")
		kill(pid, syscall.SIGKILL)
		return describe(<-gone)
	}
}

// kill signals the program's whole group.
func kill(pid int, sig syscall.Signal) {
	if syscall.Kill(-pid, sig) != nil {
		_ = syscall.Kill(pid, sig)
	}
}

// listen turns bytes on the pipe into beats until its other end is closed.
func listen(r io.Reader, pulse chan<- struct{}) {
	var buf [64]byte
	for {
		n, err := r.Read(buf[:])
		if n > 0 {
			select {
			case pulse <- struct{}{}:
			default: // one unread beat is enough
			}
		}
		if err != nil {
			return
		}
	}
}

func describe(err error) ending {
	if err == nil {
		return ending{Clean: true, How: "exit 0"}
	}
	var exit *exec.ExitError
	again := errors.As(err, &exit) && exit.ExitCode() == AgainCode
	return ending{Again: again, How: err.Error()}
}

// environment is base (nil: this process's) with the heartbeat's variable.
func environment(base []string) []string {
	if base == nil {
		base = os.Environ()
	}
	env := make([]string, 0, len(base)+1)
	for _, kv := range base {
		if !strings.HasPrefix(kv, FDVariable+"=") {
			env = append(env, kv)
		}
	}
	return append(env, FDVariable+"="+strconv.Itoa(heartbeatFD))
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// history decides how long to wait before the next start.
type history struct {
	short int // runs in a row that ended before they were of use
}

const (
	// useful is how long a program must have run for its end to be a mishap and
	// not a fault that meets it at every start.
	useful   = time.Minute
	maxDelay = 20 * time.Second
)

// next is the pause after a run of that length: none the first two times, since
// a student may be sitting there, then 1 s, 2 s, 4 s … 20 s.
func (h *history) next(ran time.Duration) time.Duration {
	if ran >= useful {
		h.short = 0
	}
	h.short++
	if h.short <= 2 {
		return 0
	}
	return min(time.Second<<min(h.short-3, 10), maxDelay)
}
