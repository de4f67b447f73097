package camera

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Opener opens the station's camera. It must honour ctx, must not be called
// again before the source it returned is closed, and answers ErrGone when the
// camera is not there.
type Opener func(ctx context.Context) (Source, error)

// State is how the camera is doing.
type State string

// The states of a supervised camera. Every one but Streaming ends by itself
// once the cause is gone; none needs a person to press anything.
const (
	Absent    State = "absent"    // not plugged in
	Opening   State = "opening"   // found after a start or an absence, no frame yet
	Streaming State = "streaming" // frames arrive
	Stalled   State = "stalled"   // plugged in, but sends nothing that can be used
	Faulted   State = "faulted"   // cannot be opened: Status.LastError says why
)

// Defaults of SupervisorParams.
const (
	// DefaultRing holds 0.4 s at 30 fps: long enough to pick the sharpest frame
	// around the shutter, short enough to keep little of a student.
	DefaultRing = 12
	// DefaultStall leaves half a second to reach the screen within two.
	DefaultStall = 1500 * time.Millisecond
	// DefaultOpenLimit is generous: webcams take up to 3 s to their first frame.
	DefaultOpenLimit = 8 * time.Second
	// DefaultBackoffMin is how soon a lost camera is looked for again.
	DefaultBackoffMin = 200 * time.Millisecond
	// DefaultBackoffMax bounds how long a returning camera goes unnoticed.
	DefaultBackoffMax = 2 * time.Second
	// looking is how long an open takes at least once the camera is there: until
	// then an absent one stays absent on the screen.
	looking = 200 * time.Millisecond
	// steady is how long a source must deliver before its past failures are
	// forgotten; a camera that fails on every second frame stays slow to retry.
	steady = 5 * time.Second
	// restoreLimit bounds how long a camera is waited for to take its settings.
	restoreLimit = 3 * time.Second
)

// SupervisorParams configure a Supervisor. Open is required; zero values of
// the others mean their defaults.
type SupervisorParams struct {
	Open       Opener
	Ring       int           // frames kept
	Stall      time.Duration // without a valid frame for this long = stalled
	OpenLimit  time.Duration // an open that takes longer = faulted
	BackoffMin time.Duration // pause after the first failure, doubled with each
	BackoffMax time.Duration // the longest pause
	// Restore gives what a camera is to be set to whenever it is opened; nil =
	// nothing. Cameras forget their settings when they lose power. Settings for
	// controls that the camera does not have are passed over.
	Restore func(Identity) []Setting
	Log     *slog.Logger // nil = discard
}

// Status is a snapshot of a supervised camera.
type Status struct {
	State     State     `json:"state"`
	Since     time.Time `json:"since"`    // when State began
	Identity  Identity  `json:"identity"` // of the open or the last source
	Mode      Mode      `json:"mode"`     // of the open or the last source
	FPS       float64   `json:"fps"`      // over the newest frames; 0 unless streaming
	Seq       uint64    `json:"seq"`      // of the newest frame; 0 = none yet
	Opens     uint64    `json:"opens"`    // times a source was opened
	Counters  Counters  `json:"counters"` // over all sources since the start
	Refused   []Outcome `json:"refused"`  // what the camera would not be set to at the last open
	LastError error     `json:"-"`        // of the last failure; nil = none yet
}

// Supervisor keeps one camera alive all day. It owns at most one Source at a
// time, notices within Stall that it went quiet, closes it, and opens it again
// for as long as it takes. The newest frames stay in a ring, numbered without
// repetition across all sources, so that the frame a student saw is the frame
// that is saved.
//
// All methods may be called from any goroutine; Run only once.
type Supervisor struct {
	p SupervisorParams

	mu      sync.Mutex
	status  Status
	src     Source   // the open one, nil while there is none
	past    Counters // of the sources closed so far
	ring    []Frame
	written int // frames in the ring
	fluent  int // of them, those of the open source: the rate is theirs
	next    int // slot that is written next
	waiters []*waiter
	idle    []*waiter // spare, so that waiting does not allocate
	changed chan struct{}
	ended   bool
}

// waiter is one reader blocked in Latest.
type waiter struct{ wake chan struct{} }

// NewSupervisor checks p. Nothing happens before Run.
func NewSupervisor(p SupervisorParams) (*Supervisor, error) {
	if p.Open == nil {
		return nil, errors.New("camera: supervisor needs an opener")
	}
	if p.Ring < 0 || p.Stall < 0 || p.OpenLimit < 0 || p.BackoffMin < 0 || p.BackoffMax < 0 {
		return nil, errors.New("camera: supervisor parameters must not be negative")
	}
	if p.Ring == 0 {
		p.Ring = DefaultRing
	}
	if p.Stall == 0 {
		p.Stall = DefaultStall
	}
	if p.OpenLimit == 0 {
		p.OpenLimit = DefaultOpenLimit
	}
	if p.BackoffMin == 0 {
		p.BackoffMin = DefaultBackoffMin
	}
	if p.BackoffMax == 0 {
		p.BackoffMax = max(DefaultBackoffMax, p.BackoffMin)
	}
	if p.BackoffMax < p.BackoffMin {
		return nil, fmt.Errorf("camera: longest backoff %v is below the shortest, %v", p.BackoffMax, p.BackoffMin)
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	return &Supervisor{
		p:       p,
		ring:    make([]Frame, p.Ring),
		changed: make(chan struct{}),
		status:  Status{State: Opening, Since: time.Now()},
	}, nil
}

// Run supervises until ctx ends, then closes the source, wipes the ring and
// returns ctx's error. Readers then get ErrClosed.
func (s *Supervisor) Run(ctx context.Context) error {
	defer s.end()
	backoff := s.p.BackoffMin
	var logged string
	for {
		began := time.Now()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if s.lasted(began) {
			backoff, logged = s.p.BackoffMin, ""
		}
		state := stateOf(err)
		s.set(state, err)
		if err.Error() != logged { // not once every two seconds all night
			logged = err.Error()
			s.p.Log.Warn("camera lost", "state", string(state), "error", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, s.p.BackoffMax)
	}
}

// stateOf tells what the camera's failure means to the people at the desk.
func stateOf(err error) State {
	switch {
	case errors.Is(err, ErrGone):
		return Absent
	case errors.Is(err, ErrStalled):
		return Stalled
	default:
		return Faulted
	}
}

// once opens a source, pumps its frames until it fails, and closes it.
func (s *Supervisor) once(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	// The watchdog shows the fault at once, even while a driver call hangs, and
	// asks the source to give up.
	slow := fmt.Errorf("camera: open took more than %v", s.p.OpenLimit)
	dog := time.AfterFunc(s.p.OpenLimit, func() {
		s.set(Faulted, slow)
		cancel(slow)
	})
	over := false // guarded by s.mu
	busy := time.AfterFunc(min(looking, s.p.OpenLimit/2), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !over && s.status.State == Absent { // other faults show until they are healed
			s.setLocked(Opening, nil)
		}
	})
	src, err := s.p.Open(ctx)
	busy.Stop()
	s.mu.Lock()
	over = true
	s.mu.Unlock()
	if !dog.Stop() && err != nil {
		err = slow
	}
	if err != nil {
		return fmt.Errorf("camera: open: %w", err)
	}
	defer func() {
		if err := src.Close(); err != nil {
			s.p.Log.Warn("camera close", "error", err)
		}
		s.closed(src)
	}()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	s.opened(src)
	s.restore(ctx, src)

	stalled := fmt.Errorf("%w: nothing for %v", ErrStalled, s.p.Stall)
	dog = time.AfterFunc(s.p.Stall, func() {
		s.set(Stalled, stalled)
		cancel(stalled)
	})
	defer dog.Stop()
	var scratch Frame
	defer scratch.Wipe()
	var last uint64 // the source's own number of the frame before
	for {
		if err := src.Next(ctx, &scratch); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		dog.Reset(s.p.Stall)
		step := uint64(1)
		if last != 0 && scratch.Seq > last {
			step = scratch.Seq - last // keep the gaps: they are lost frames
		}
		last = scratch.Seq
		s.publish(src, &scratch, step)
	}
}

// publish exchanges the frame with the oldest in the ring, wiped.
func (s *Supervisor) publish(src Source, f *Frame, step uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Seq = s.status.Seq + step
	slot := &s.ring[s.next]
	*slot, *f = *f, *slot
	f.Wipe()
	s.status.Seq = slot.Seq
	s.next = (s.next + 1) % len(s.ring)
	s.written = min(s.written+1, len(s.ring))
	s.fluent = min(s.fluent+1, len(s.ring))
	s.status.Counters = s.past.plus(countersOf(src))
	if s.status.State != Streaming {
		s.status.Mode = src.Mode()
		s.setLocked(Streaming, nil)
		s.p.Log.Info("camera streaming", "name", s.status.Identity.Name,
			"format", string(s.status.Mode.Format), "width", s.status.Mode.Width, "height", s.status.Mode.Height)
	}
	for i, w := range s.waiters {
		w.wake <- struct{}{} // one slot each, and empty while it is in this list
		s.waiters[i] = nil
	}
	s.waiters = s.waiters[:0]
}

func (s *Supervisor) opened(src Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Identity, s.status.Mode = src.Identity(), src.Mode()
	s.status.Opens++
	s.status.Refused = nil
	s.src = src
	s.fluent = 0
}

// restore sets the camera to what it was set to before. A camera that refuses
// still takes pictures, so that is told, not failed.
func (s *Supervisor) restore(ctx context.Context, src Source) {
	c, ok := src.(Controller)
	if !ok || s.p.Restore == nil {
		return
	}
	settings := s.p.Restore(src.Identity())
	if len(settings) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, restoreLimit)
	defer cancel()
	outcomes, err := setPresent(ctx, c, settings)
	if errors.Is(err, ErrFixed) {
		return
	}
	if err != nil {
		s.p.Log.Warn("camera settings not restored", "error", err)
		return
	}
	refused := Refused(outcomes)
	for _, o := range refused {
		s.p.Log.Warn("camera refused a setting", "control", o.Name, "asked", o.Value, "got", o.Got, "reason", o.Refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Refused = refused
}

// setPresent sets those of settings that the camera has a control for.
func setPresent(ctx context.Context, c Controller, settings []Setting) ([]Outcome, error) {
	has, err := c.Controls(ctx)
	if err != nil {
		return nil, err
	}
	return c.Adjust(ctx, slices.DeleteFunc(slices.Clone(settings), func(v Setting) bool {
		return !slices.ContainsFunc(has, func(c Control) bool { return c.ID == v.ID || v.ID == 0 && c.Name == v.Name })
	}))
}

// Controls lists what can be set on the open camera. It fails with ErrGone
// while there is none, and with ErrFixed when there is nothing.
func (s *Supervisor) Controls(ctx context.Context) ([]Control, error) {
	c, err := s.controller()
	if err != nil {
		return nil, err
	}
	return c.Controls(ctx)
}

// Adjust sets the open camera, for as long as it stays open: what is to outlive
// that belongs in what SupervisorParams.Restore returns.
func (s *Supervisor) Adjust(ctx context.Context, settings []Setting) ([]Outcome, error) {
	c, err := s.controller()
	if err != nil {
		return nil, err
	}
	return c.Adjust(ctx, settings)
}

func (s *Supervisor) controller() (Controller, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.src == nil {
		return nil, ErrGone
	}
	c, ok := s.src.(Controller)
	if !ok {
		return nil, ErrFixed
	}
	return c, nil
}

func (s *Supervisor) closed(src Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.src = nil
	s.past = s.past.plus(countersOf(src))
	s.status.Counters = s.past
}

// lasted tells whether frames came for long enough since t to trust the camera.
func (s *Supervisor) lasted(t time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.at(0)
	return f != nil && f.Captured.Sub(t) >= steady
}

func (s *Supervisor) set(state State, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(state, err)
}

func (s *Supervisor) setLocked(state State, err error) {
	if err != nil {
		s.status.LastError = err
	}
	if s.status.State == state {
		return
	}
	s.status.State, s.status.Since = state, time.Now()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Supervisor) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.wipeLocked()
	s.setLocked(Absent, ErrClosed)
	for _, w := range s.waiters {
		w.wake <- struct{}{}
	}
	s.waiters = nil
}

// Status tells how the camera is doing now.
func (s *Supervisor) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	if st.State == Streaming {
		newest, oldest := s.at(0), s.at(s.fluent-1)
		if s.fluent > 1 && newest.Captured.After(oldest.Captured) {
			st.FPS = float64(s.fluent-1) / newest.Captured.Sub(oldest.Captured).Seconds()
		}
	}
	return st
}

// Changed returns a channel that is closed when the state next changes. To
// miss nothing, take the channel before the status.
func (s *Supervisor) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// at returns the frame that is back frames older than the newest, or nil.
func (s *Supervisor) at(back int) *Frame {
	if back < 0 || back >= s.written {
		return nil
	}
	return &s.ring[(s.next-1-back+2*len(s.ring))%len(s.ring)]
}

// Latest waits for a frame numbered above after and copies the newest there is
// into dst. While the camera is away it waits; after Run it fails with
// ErrClosed. Any number of readers may wait, none slows another.
func (s *Supervisor) Latest(ctx context.Context, after uint64, dst *Frame) error {
	for {
		s.mu.Lock()
		if s.ended {
			s.mu.Unlock()
			return ErrClosed
		}
		if f := s.at(0); f != nil && f.Seq > after {
			f.CopyTo(dst)
			s.mu.Unlock()
			return nil
		}
		w := s.enlist()
		s.mu.Unlock()
		select {
		case <-w.wake:
			s.release(w)
		case <-ctx.Done():
			s.resign(w)
			return context.Cause(ctx)
		}
	}
}

func (s *Supervisor) enlist() *waiter {
	var w *waiter
	if n := len(s.idle); n > 0 {
		w, s.idle = s.idle[n-1], s.idle[:n-1]
	} else {
		w = &waiter{wake: make(chan struct{}, 1)}
	}
	s.waiters = append(s.waiters, w)
	return w
}

// release returns a waiter that was woken.
func (s *Supervisor) release(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, w)
}

// resign returns a waiter that gives up, woken in the meantime or not.
func (s *Supervisor) resign(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiters {
		if other == w {
			last := len(s.waiters) - 1
			s.waiters[i], s.waiters[last] = s.waiters[last], nil
			s.waiters = s.waiters[:last]
		}
	}
	select {
	case <-w.wake:
	default:
	}
	s.idle = append(s.idle, w)
}

// BySeq copies the frame numbered seq into dst, if the ring still holds it.
func (s *Supervisor) BySeq(seq uint64, dst *Frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for back := range s.written {
		if f := s.at(back); f.Seq == seq {
			f.CopyTo(dst)
			return true
		}
	}
	return false
}

// ByTime copies the frame captured closest to t into dst; false = no frames.
func (s *Supervisor) ByTime(t time.Time, dst *Frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best *Frame
	for back := range s.written {
		if f := s.at(back); best == nil || f.Captured.Sub(t).Abs() < best.Captured.Sub(t).Abs() {
			best = f
		}
	}
	if best == nil {
		return false
	}
	best.CopyTo(dst)
	return true
}

// Ring copies the frames it holds into dst, oldest first, reusing the buffers
// in dst up to its capacity, and returns them.
func (s *Supervisor) Ring(dst []Frame) []Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	dst = dst[:cap(dst)]
	if len(dst) < s.written {
		dst = append(dst, make([]Frame, s.written-len(dst))...)
	}
	dst = dst[:s.written]
	for i := range dst {
		s.at(s.written - 1 - i).CopyTo(&dst[i])
	}
	return dst
}

// Wipe overwrites every frame in the ring: nothing of a student stays once the
// visit is over. The next frame is numbered as if nothing had happened.
func (s *Supervisor) Wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipeLocked()
}

func (s *Supervisor) wipeLocked() {
	for i := range s.ring {
		s.ring[i].Wipe()
	}
	s.written, s.fluent, s.next = 0, 0, 0
}

func countersOf(src Source) Counters {
	if c, ok := src.(Counter); ok {
		return c.Counters()
	}
	return Counters{}
}

func (c Counters) plus(d Counters) Counters {
	return Counters{
		Delivered: c.Delivered + d.Delivered,
		Dropped:   c.Dropped + d.Dropped,
		Invalid:   c.Invalid + d.Invalid,
		Repeated:  c.Repeated + d.Repeated,
	}
}
