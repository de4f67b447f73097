package helper

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/yunzhao-station/yunzhao/camera"
)

const (
	// self is the program that is running, even when its file was replaced by
	// an update meanwhile: both ends must be of one version.
	self = "/proc/self/exe"
	// listLimit bounds a listing; a camera that is just starting answers its
	// probe within a second, but the program itself may first have to come from a
	// cold disk, with all its libraries.
	listLimit = 30 * time.Second
	// maxStuck is how many helpers may hang in the kernel before no more are
	// started. A driver that swallowed as many needs a person.
	maxStuck = 4
)

// passed are the environment variables that a helper inherits; no other, for
// some hold secrets.
var passed = []string{"LD_LIBRARY_PATH=", "GOTRACEBACK="}

// Launcher starts helpers. The zero value is ready: it starts the running
// program, whose main must ask Wanted first. Its methods may be called from any
// goroutine.
type Launcher struct {
	// Program is what is started; "" means the running program.
	Program string

	mu    sync.Mutex
	idle  *process   // one that has opened nothing yet; nil = none
	stuck []*process // killed, but held in the kernel
}

// hire takes the idle helper or starts one.
func (l *Launcher) hire() (*process, error) {
	l.mu.Lock()
	p := l.idle
	l.idle = nil
	l.stuck = slices.DeleteFunc(l.stuck, (*process).gone)
	hanging := len(l.stuck)
	l.mu.Unlock()
	if p != nil {
		select {
		case <-p.ended: // it died in the meantime
			l.buried(p, p.kill())
		default:
			return p, nil
		}
	}
	if hanging >= maxStuck {
		return nil, fmt.Errorf("%w: %d helpers hang in the camera's driver; restart the machine", camera.ErrDriver, hanging)
	}
	program := l.Program
	if program == "" {
		program = self
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return !slices.ContainsFunc(passed, func(p string) bool { return strings.HasPrefix(v, p) })
	})
	return start(program, env)
}

// keep puts a helper that has touched no stream aside for the next request: an
// absent camera is looked for every other second, all night.
func (l *Launcher) keep(p *process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.idle == nil {
		l.idle, p = p, nil
	}
	if p != nil {
		go func() { l.buried(p, p.kill()) }()
	}
}

// buried remembers a helper that did not die.
func (l *Launcher) buried(p *process, err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stuck = append(l.stuck, p)
}

// List finds the cameras that are plugged in, by the driver in a helper.
func (l *Launcher) List() ([]camera.Device, error) {
	p, err := l.hire()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), listLimit, fmt.Errorf("%w: no answer for %v", camera.ErrDriver, listLimit))
	defer cancel()
	r, err := p.ask(ctx, request{Op: opList}, nil)
	if err != nil {
		l.buried(p, p.kill())
		return nil, fmt.Errorf("camera helper: list: %w", err)
	}
	l.keep(p)
	return r.Devices, nil
}

// Opener opens the camera that id means in a helper of its own, for a
// supervisor.
func (l *Launcher) Opener(id string, want camera.Mode) camera.Opener {
	return func(ctx context.Context) (camera.Source, error) {
		s, err := l.open(ctx, id, want)
		if err != nil {
			return nil, err // not s: a nil *Source would not be a nil Source
		}
		return s, nil
	}
}

func (l *Launcher) open(ctx context.Context, id string, want camera.Mode) (*Source, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p, err := l.hire()
	if err != nil {
		return nil, err
	}
	s := &Source{l: l, p: p, stop: make(chan struct{}), fresh: make(chan struct{}, 1)}
	r, err := p.ask(ctx, request{Op: opOpen, ID: id, Want: want}, func(number uint64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stream, s.request = s, number
	})
	if err == nil {
		return s, nil
	}
	if r.Untouched {
		p.mu.Lock()
		p.stream = nil
		p.mu.Unlock()
		l.keep(p)
		return nil, err
	}
	l.buried(p, p.kill())
	return nil, err
}

// Close ends the helper that is kept for the next request. Sources are closed
// by those who opened them.
func (l *Launcher) Close() error {
	l.mu.Lock()
	p := l.idle
	l.idle = nil
	l.mu.Unlock()
	if p == nil {
		return nil
	}
	err := p.kill()
	l.buried(p, err)
	return err
}
