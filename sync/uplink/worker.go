package uplink

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// The pace of the worker.
const (
	// DefaultPulse is how often central is asked when there is nothing to send:
	// a verdict reaches the desk within seconds while the student may still be
	// on site.
	DefaultPulse = 5 * time.Second
	// RosterPulse is how often the roster is asked for; a verdict asks sooner.
	RosterPulse = 60 * time.Second
	// RetryMin and RetryMax bound the pause after a failure. Without jitter all
	// stations of a campus would come back in the same moment after an outage.
	RetryMin = time.Second
	RetryMax = 2 * time.Minute
	// FatalPause is how long a refusal that only a person can mend is left
	// alone before it is tried again.
	FatalPause = 5 * time.Minute
	// declareBatch packets are announced and sent in one exchange: after a week
	// offline the verdicts must not wait until the last of thousands is sent.
	declareBatch = 100
	// maxAlarms codes go into a heartbeat; each is sent once however many
	// packets it is about.
	maxAlarms = 16
)

// ErrHeld: what is left cannot be sent now; the outbox's alarms say why.
var ErrHeld = errors.New("uplink: packets are held back that central would not take")

// localError is a failure on this side of the network: it says nothing about
// whether central can be reached.
type localError struct{ error }

func (e localError) Unwrap() error { return e.error }

// cursorVerdicts names central's verdict feed in the outbox.
const cursorVerdicts = "verdicts"

// Roster is where central's list of students goes.
type Roster interface {
	Cursor() uint64
	Apply(wire.RosterDelta) error
}

// Events tell others what came in; every field is optional. They are called on
// the worker's goroutine and must not block.
type Events struct {
	Status  func(Status)
	Ack     func(wire.Ack)
	Verdict func(wire.Verdict)
	Roster  func()
}

// Params are what a Worker needs. Log, Version, Transport, Now, Pulse, Events
// and Network are optional.
type Params struct {
	Enrolment keys.Enrolment
	Key       ed25519.PrivateKey // the station's
	Roster    Roster
	Outbox    *outbox.Outbox
	Log       *slog.Logger
	Version   string
	Transport http.RoundTripper
	Now       func() time.Time
	Pulse     time.Duration
	Events    Events
	// Network calls changed when the machine's network changed, until ctx
	// ends; nil = the system's own word.
	Network func(ctx context.Context, changed func()) error
}

// Status is how the connection stands.
type Status struct {
	Online    bool      // the last exchange ended with central's signature
	Since     time.Time // of Online's present value
	LastHeard time.Time // central's last signed answer; zero = never
	// Problem is a code that only a person can mend (revoked, clock_skew, …),
	// "" when there is none.
	Problem string
	LastErr string        // of the last failure, English, "" after a success
	Offset  time.Duration // this clock minus central's, when last heard
}

// Worker exchanges with central until it is stopped. Its methods may be called
// from any goroutine; Run only once.
type Worker struct {
	p      Params
	c      *client
	wake   chan struct{}
	mu     sync.Mutex
	status Status
	busy   sync.Mutex // one exchange at a time

	failures   int
	pause      time.Duration
	rosterNext time.Time
}

// NewWorker checks p; nothing happens before Run or Drain.
func NewWorker(p Params) (*Worker, error) {
	if len(p.Key) != ed25519.PrivateKeySize || p.Roster == nil || p.Outbox == nil {
		return nil, errors.New("uplink: key, roster and outbox are required")
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Network == nil {
		p.Network = watchNetwork
	}
	if p.Pulse <= 0 {
		p.Pulse = DefaultPulse
	}
	rest, err := newRest(p.Enrolment.URL, p.Enrolment.TLSPin, p.Version, p.Transport)
	if err != nil {
		return nil, err
	}
	return &Worker{
		p: p, wake: make(chan struct{}, 1), status: Status{Since: p.Now()},
		c: &client{rest: rest, now: p.Now, id: identity{
			station: p.Enrolment.Enrolled.StationID, key: p.Key, central: p.Enrolment.Enrolled.CentralKey,
		}},
	}, nil
}

// Wake asks for an exchange now; it never blocks.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Status is how the connection stands now.
func (w *Worker) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// Claim asks what the phone of a session has done. It fails fast when central
// is away.
func (w *Worker) Claim(ctx context.Context, session string) (wire.ClaimState, error) {
	return w.c.claim(ctx, session)
}

// Run exchanges until ctx ends: at once when woken or when the network
// changed, at a calm pulse otherwise, more and more seldom while central is away.
func (w *Worker) Run(ctx context.Context) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watching.Go(func() {
		if err := w.p.Network(ctx, w.Wake); err != nil && ctx.Err() == nil {
			w.p.Log.Warn("changes of the network go unnoticed", "err", err)
		}
	})
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		case <-timer.C:
		}
		timer.Reset(w.next(w.Exchange(ctx)))
	}
}

// next is how long to wait after an exchange that ended with err.
func (w *Worker) next(err error) time.Duration {
	now := w.p.Now()
	if err == nil {
		w.failures, w.pause = 0, 0
		wait := w.p.Pulse
		if due, ok := w.p.Outbox.NextDue(); ok {
			wait = min(wait, max(due.Sub(now), RetryMin))
		}
		return wait
	}
	w.failures++
	w.pause = jitter(w.pause)
	var refused *RefusedError
	if errors.As(err, &refused) {
		if refused.Fatal() {
			return FatalPause
		}
		return max(w.pause, refused.RetryAfter)
	}
	return w.pause
}

// jitter is the next pause after last: decorrelated, between RetryMin and
// three times the last one, never above RetryMax.
func jitter(last time.Duration) time.Duration {
	span := max(3*last, 2*RetryMin) - RetryMin
	return min(RetryMin+rand.N(span), RetryMax)
}

// Drain exchanges until nothing is left to send. It returns the error of an
// exchange that failed, or [ErrHeld] when only packets are left that central
// refused, that wait for another try after a failure, or whose file is gone.
func (w *Worker) Drain(ctx context.Context) error {
	for {
		if err := w.Exchange(ctx); err != nil {
			return err
		}
		switch {
		case w.p.Outbox.Stats().Pending == 0:
			return nil
		case len(w.p.Outbox.Pending(w.p.Now())) == 0:
			return ErrHeld
		}
	}
}

// Exchange does one round: say hello, fetch the roster where it is due, send
// what is due, fetch verdicts. It stops at the first failure of the connection;
// a packet that central refuses does not stop the others.
func (w *Worker) Exchange(ctx context.Context) error {
	w.busy.Lock()
	defer w.busy.Unlock()
	err := w.exchange(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w.note(err)
	return err
}

func (w *Worker) exchange(ctx context.Context) error {
	now := w.p.Now()
	stats := w.p.Outbox.Stats()
	hb := wire.Heartbeat{Software: w.p.Version, Pending: stats.Pending, LastSeq: stats.LastSeq, Now: now.UTC()}
	for _, a := range w.p.Outbox.Alarms() {
		if len(hb.Alarms) < maxAlarms && !slices.Contains(hb.Alarms, a.Code) {
			hb.Alarms = append(hb.Alarms, a.Code)
		}
	}
	hello, err := w.c.heartbeat(ctx, hb)
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	if hello.Revoked {
		return &RefusedError{Status: http.StatusUnauthorized, Code: wire.CodeRevoked}
	}
	w.mu.Lock()
	w.status.Offset = now.Sub(hello.Now)
	w.mu.Unlock()
	if w.p.Roster.Cursor() == 0 || !now.Before(w.rosterNext) {
		if err := w.pullRoster(ctx); err != nil {
			return fmt.Errorf("roster: %w", err)
		}
	}
	if err := w.send(ctx); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if err := w.pullVerdicts(ctx); err != nil {
		return fmt.Errorf("verdicts: %w", err)
	}
	return nil
}

// note keeps the outcome of an exchange and tells who wants to know.
func (w *Worker) note(err error) {
	w.mu.Lock()
	now := w.p.Now()
	before := w.status
	var local localError
	isLocal := errors.As(err, &local)
	w.status.Online = err == nil || isLocal
	if w.status.Online != before.Online {
		w.status.Since = now
	}
	w.status.Problem, w.status.LastErr = "", ""
	if w.status.Online {
		w.status.LastHeard = now
	}
	if err != nil {
		w.status.LastErr = err.Error()
		var refused *RefusedError
		if errors.As(err, &refused) && refused.Fatal() {
			w.status.Problem = refused.Code
		}
	}
	after := w.status
	w.mu.Unlock()
	if before.Online != after.Online || before.Problem != after.Problem {
		w.p.Log.Info("central", "online", after.Online, "problem", after.Problem, "err", after.LastErr)
		if w.p.Events.Status != nil {
			w.p.Events.Status(after)
		}
	}
}

func (w *Worker) pullRoster(ctx context.Context) error {
	for {
		since := w.p.Roster.Cursor()
		d, err := w.c.roster(ctx, since)
		if err != nil {
			return err
		}
		if d.Since != since && !d.Full {
			return fmt.Errorf("%w: roster changes from %d, asked from %d", ErrNotCentral, d.Since, since)
		}
		if err := w.p.Roster.Apply(d); err != nil {
			return localError{err}
		}
		if w.p.Events.Roster != nil && (d.Full || len(d.Upsert)+len(d.Remove) > 0) {
			w.p.Events.Roster()
		}
		if !d.More {
			w.rosterNext = w.p.Now().Add(RosterPulse)
			return nil
		}
		if d.Cursor <= since {
			return fmt.Errorf("%w: the roster does not move on", ErrNotCentral)
		}
	}
}

// send announces what is due, oldest first, and uploads what central wants.
func (w *Worker) send(ctx context.Context) error {
	due := w.p.Outbox.Pending(w.p.Now())
	if len(due) == 0 {
		return nil
	}
	due = due[:min(declareBatch, len(due))]
	byID := make(map[string]outbox.Entry, len(due))
	announce := make([]wire.Declared, 0, len(due))
	for _, e := range due {
		byID[e.ID.String()] = e
		announce = append(announce, e.Declared())
	}
	results, err := w.c.declare(ctx, announce)
	if err != nil {
		return err
	}
	for _, r := range results {
		e, ok := byID[r.ID]
		if !ok {
			return fmt.Errorf("%w: an answer about a packet it was not asked about", ErrNotCentral)
		}
		delete(byID, r.ID)
		if err := w.settle(ctx, e, r); err != nil {
			return err
		}
	}
	if len(byID) > 0 {
		return fmt.Errorf("%w: no answer about %d packets", ErrNotCentral, len(byID))
	}
	return nil
}

// settle carries one packet as far as it goes. It returns only errors that end
// the exchange; what concerns the packet alone is scheduled.
func (w *Worker) settle(ctx context.Context, e outbox.Entry, r wire.DeclareResult) error {
	switch r.State {
	case wire.DeclareHave:
		if r.Ack == nil {
			return fmt.Errorf("%w: it has a packet but does not sign for it", ErrNotCentral)
		}
		return w.settled(e, *r.Ack)
	case wire.DeclareConflict:
		w.p.Log.Error("central has other bytes under this packet's id", "packet", e.ID.String())
		w.postpone(e, FatalPause, wire.CodeConflict)
		return nil
	case wire.DeclareWant:
	default:
		return fmt.Errorf("%w: unknown state of a packet", ErrNotCentral)
	}
	data, err := w.p.Outbox.Read(e.ID)
	if err != nil {
		w.p.Log.Error("packet not readable", "packet", e.ID.String(), "err", err)
		w.postpone(e, FatalPause, "unreadable")
		return nil
	}
	id, offset := e.ID.String(), r.Offset
	for {
		next, ack, err := w.c.upload(ctx, id, data, offset)
		var refused *RefusedError
		switch {
		case err == nil && ack != nil:
			return w.settled(e, *ack)
		case err == nil:
			offset = next
			continue
		case errors.As(err, &refused) && refused.Code == wire.CodeOffset:
			// Central stands elsewhere: the next exchange learns where.
			w.postpone(e, RetryMin, refused.Code)
			return nil
		case errors.As(err, &refused) && (refused.Code == wire.CodeInvalidPacket || refused.Code == wire.CodeTooLarge || refused.Code == wire.CodeConflict):
			w.postpone(e, FatalPause, refused.Code)
			return nil
		}
		if ctx.Err() == nil {
			w.postpone(e, 0, "connection")
		}
		return err
	}
}

// postpone schedules the packet's next attempt; 0 = by its own count.
func (w *Worker) postpone(e outbox.Entry, wait time.Duration, why string) {
	attempts := e.Attempts + 1
	if wait == 0 {
		wait = jitter(min(RetryMin<<min(e.Attempts, 7), RetryMax) / 3)
	}
	if err := w.p.Outbox.Schedule(e.ID, w.p.Now().Add(wait), attempts, why); err != nil {
		w.p.Log.Error("schedule not kept", "packet", e.ID.String(), "err", err)
	}
}

// settled takes the acknowledgement that ends the sending of a packet. One
// that is genuine but about other bytes is an alarm about this packet, and no
// reason to keep the others waiting.
func (w *Worker) settled(e outbox.Entry, s wire.Signed) error {
	err := w.acknowledged(e.ID, s)
	if errors.Is(err, outbox.ErrAckMismatch) {
		w.p.Log.Error("central acknowledges other bytes than were sent", "packet", e.ID.String())
		w.postpone(e, FatalPause, wire.CodeConflict)
		return nil
	}
	return err
}

// acknowledged believes an acknowledgement that central signed and that names
// this packet's bytes.
func (w *Worker) acknowledged(id ulid.ULID, s wire.Signed) error {
	var ack wire.Ack
	if err := s.Open(w.c.id.central, wire.TypeAck, &ack); err != nil {
		return fmt.Errorf("%w: %w", ErrNotCentral, err)
	}
	if ack.StationID != w.c.id.station || ack.ID != id.String() {
		return fmt.Errorf("%w: an acknowledgement of another packet", ErrNotCentral)
	}
	if _, err := w.p.Outbox.Acknowledge(ack, s); err != nil {
		return localError{err}
	}
	if w.p.Events.Ack != nil {
		w.p.Events.Ack(ack)
	}
	return nil
}

func (w *Worker) pullVerdicts(ctx context.Context) error {
	for {
		since := w.p.Outbox.Cursor(cursorVerdicts)
		v, err := w.c.verdicts(ctx, since)
		if err != nil {
			return err
		}
		for _, s := range v.Acks {
			if err := w.feedAck(s); err != nil {
				return err
			}
		}
		for _, verdict := range v.Verdicts {
			// A verdict on a packet this station does not have is not ours to
			// keep (an index rebuilt after retention, say).
			if _, err := w.p.Outbox.SetVerdict(verdict); err != nil && !errors.Is(err, outbox.ErrUnknown) {
				return localError{err}
			}
			if w.p.Events.Verdict != nil {
				w.p.Events.Verdict(verdict)
			}
		}
		if len(v.Verdicts) > 0 {
			w.rosterNext = time.Time{} // the students' states changed too
		}
		if v.Cursor != since {
			if err := w.p.Outbox.SetCursor(cursorVerdicts, v.Cursor); err != nil {
				return localError{err}
			}
		}
		if !v.More || v.Cursor == since {
			return nil
		}
	}
}

// feedAck takes an acknowledgement out of central's feed. One that is about a
// packet or bytes this station does not have is logged and passed over: it
// must not stand in the way of all that follow.
func (w *Worker) feedAck(s wire.Signed) error {
	var ack wire.Ack
	if err := s.Open(w.c.id.central, wire.TypeAck, &ack); err != nil {
		return fmt.Errorf("%w: %w", ErrNotCentral, err)
	}
	id, err := ulid.ParseStrict(ack.ID)
	if err != nil {
		return fmt.Errorf("%w: an acknowledgement without an id", ErrNotCentral)
	}
	err = w.acknowledged(id, s)
	switch {
	case errors.Is(err, outbox.ErrUnknown):
		return nil // an index rebuilt after retention, say
	case errors.Is(err, outbox.ErrAckMismatch):
		w.p.Log.Error("central acknowledges other bytes than were sent", "packet", id.String())
		return nil
	}
	return err
}
