package uplink

import (
	"cmp"
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
	// SlotWidth is a station's share of the period in which a campus comes back
	// after an outage; TurnMax bounds the period.
	SlotWidth = 50 * time.Millisecond
	TurnMax   = 2 * time.Minute
	// FatalPause is how long a refusal that only a person can mend is left
	// alone before it is tried again.
	FatalPause = 5 * time.Minute
	// HoldMax bounds the pause of a packet that central would not take: it is
	// sent whole each time, so the pause doubles from FatalPause on.
	HoldMax = 6 * time.Hour
	// confirmAfter is how long central's word on a stored packet is waited for
	// before it is asked for, and how often. A feed that lost a word, after a
	// restore say, would leave the packet undecided for ever.
	confirmAfter = 15 * time.Minute
	// maxPages bounds one look at a feed, against one that leads in circles.
	maxPages = 1000
	// declareBatch packets are announced and sent in one exchange: after a week
	// offline the verdicts must not wait until the last of thousands is sent.
	declareBatch = 100
	// sendSpan is how long packets are sent before verdicts are asked for and what
	// was saved meanwhile gets its turn: on a slow link a hundred take an hour.
	sendSpan = 15 * time.Second
	// maxAlarms codes go into a heartbeat; each is sent once however many
	// packets it is about.
	maxAlarms = 16
)

// ErrHeld means that what is left cannot be sent now; the outbox's alarms say why.
var ErrHeld = errors.New("uplink: packets are held back that central would not take")

// localError is a failure on this side of the network: it says nothing about
// whether central can be reached.
type localError struct{ error }

func (e localError) Unwrap() error { return e.error }

// cursorVerdicts names central's verdict feed in the outbox.
const cursorVerdicts = "verdicts"

// cursorEpoch names the store of central's that the station has last worked with.
const cursorEpoch = "epoch"

// cursorSlot names this station's turn in the outbox: slots in the upper half,
// slot in the lower. A station that is switched on with all others knows it
// before it has heard central.
const cursorSlot = "slot"

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
	// Recipients is central's signed word on whom to seal for from now on; it
	// comes with every exchange and is for keys.Store.SaveRecipients to judge.
	Recipients func(wire.Signed)
}

// Params are what a Worker needs. All but Enrolment, Key, Roster and Outbox
// are optional.
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
	// Piece is the most bytes of a packet in one request, and so the most that are
	// on their way at a time: packets go one after the other. 0 = DefaultPiece.
	Piece int64
	// Rate is the most bytes a second that leave this station; 0 = no limit.
	Rate int64
	// Probe looks whether somebody listens where central should be; nil = a
	// TCP connection, or no looking when Transport is given.
	Probe func(ctx context.Context) error
	// Network calls changed when the machine's network changed, until ctx
	// ends; nil = the system's own word.
	Network func(ctx context.Context, changed func()) error
}

// ProblemPin is the code of a central whose certificate is good, but not the
// one that the settings name: it got a new key, or it is not central.
const ProblemPin = "tls_pin"

// ProblemCopied is the code of a station whose key two computers use, as central
// found (wire.Hello.Copied). It stops nothing.
const ProblemCopied = "station_copied"

// ProblemForked is the code of a station whose audit log is not the one that its
// earlier packets tell of, as central found (wire.Hello.Forked). It stops nothing.
const ProblemForked = "audit_forked"

// Status is how the connection stands.
type Status struct {
	// Online: the last exchange ended with central's signature, whatever
	// failed on this side.
	Online    bool
	Since     time.Time // of Online's present value
	LastHeard time.Time // central's last signed answer; zero = never
	// Problem is a code that only a person can mend (revoked, clock_skew, …,
	// ProblemPin, ProblemCopied or ProblemForked), "" when there is none.
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

	anew chan struct{} // as wake, and nothing that was before counts

	// Under mu.
	noConnection bool
	copied       bool               // central said so with its last signed hello
	forked       bool               // likewise
	slot         uint64             // as it is kept under cursorSlot
	notBefore    time.Time          // central asked for a pause until then
	abort        context.CancelFunc // ends the exchange that runs; nil = none

	// Under busy.
	restored    uint64 // the new name of central's store while its news are taken from the start
	rosterNext  time.Time
	confirmNext time.Time
	eraseNext   map[string]time.Time // packet → not before
	piece       int64

	pause   time.Duration                          // Run's
	backoff func(last time.Duration) time.Duration // jitter; the tests compare it with others
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
	if p.Piece <= 0 {
		p.Piece = DefaultPiece
	}
	if p.Rate > 0 {
		p.Piece = min(p.Piece, max(minPiece, p.Rate*int64(pieceSpan/time.Second)))
	}
	if p.Probe == nil && p.Transport == nil {
		p.Probe = dialer(p.Enrolment.URL)
	}
	if p.Pulse <= 0 {
		p.Pulse = DefaultPulse
	}
	rest, err := newRest(p.Enrolment.URL, p.Enrolment.TLSPin, p.Version, p.Transport, p.Rate)
	if err != nil {
		return nil, err
	}
	return &Worker{
		backoff: jitter, eraseNext: map[string]time.Time{}, slot: p.Outbox.Cursor(cursorSlot),
		p: p, wake: make(chan struct{}, 1), anew: make(chan struct{}, 1), piece: min(firstPiece, p.Piece), status: Status{Since: p.Now()},
		c: &client{rest: rest, now: p.Now, id: identity{
			station: p.Enrolment.Enrolled.StationID, key: p.Key, central: p.Enrolment.Enrolled.CentralKey,
		}},
	}, nil
}

// Wake asks for an exchange now; it never blocks. A pause that central asked
// for is kept.
func (w *Worker) Wake() { signal(w.wake) }

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// networkChanged ends what runs over the old network and starts anew.
func (w *Worker) networkChanged() {
	w.mu.Lock()
	abort := w.abort
	w.mu.Unlock()
	if abort != nil {
		abort()
	}
	signal(w.anew)
}

// Status is how the connection stands now.
func (w *Worker) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// Claim asks what the phone of a session has done. It runs beside an exchange
// and never waits for one, fails within seconds when central is away, and with
// [ErrPause] at once while central is not to be asked.
func (w *Worker) Claim(ctx context.Context, session string) (wire.ClaimState, error) {
	if w.paused() {
		return wire.ClaimState{}, ErrPause
	}
	return w.c.claim(ctx, session)
}

func (w *Worker) paused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.p.Now().Before(w.notBefore)
}

// Run exchanges until ctx ends: at once when woken, when the network changed
// and when central can be connected to again, at a calm pulse otherwise, more
// and more seldom while it fails.
func (w *Worker) Run(ctx context.Context) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watching.Go(func() {
		if err := w.p.Network(ctx, w.networkChanged); err != nil && ctx.Err() == nil {
			w.p.Log.Warn("changes of the network go unnoticed", "err", err)
		}
	})
	if w.p.Probe != nil {
		watching.Go(func() { w.watchDoor(ctx, func() { signal(w.anew) }) })
	}
	timer := time.NewTimer(w.turn(0))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.anew:
			w.forget()
			if wait := w.turn(0); wait > 0 {
				timer.Reset(wait)
				continue
			}
		case <-w.wake:
			if w.paused() {
				continue // the timer stands at the pause's end
			}
		case <-timer.C:
		}
		timer.Reset(w.next(w.exchangeHere(ctx)))
	}
}

// forget drops what was learnt about the connection before it changed.
func (w *Worker) forget() {
	w.pause = 0
	w.mu.Lock()
	w.notBefore = time.Time{}
	w.mu.Unlock()
	w.c.rest.GetClient().CloseIdleConnections()
}

// exchangeHere is Exchange until the network changes.
func (w *Worker) exchangeHere(ctx context.Context) error {
	here, cancel := context.WithCancel(ctx)
	defer cancel()
	w.setAbort(cancel)
	defer w.setAbort(nil)
	err := w.Exchange(here)
	if here.Err() != nil && ctx.Err() == nil {
		return errNetworkChanged
	}
	return err
}

func (w *Worker) setAbort(f context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.abort = f
}

// next is how long to wait after an exchange that ended with err.
func (w *Worker) next(err error) time.Duration {
	now := w.p.Now()
	if err == nil {
		w.pause = 0
		if w.unsent(now) {
			return 0 // one exchange sends so many and no more
		}
		wait := w.p.Pulse
		if due, ok := w.p.Outbox.NextDue(); ok {
			wait = min(wait, max(due.Sub(now), RetryMin))
		}
		return wait
	}
	w.pause = w.backoff(w.pause)
	wait := w.turn(w.pause)
	var refused *RefusedError
	if errors.As(err, &refused) {
		hold := refused.RetryAfter
		if refused.Fatal() {
			hold = max(hold, FatalPause)
		}
		if hold > 0 {
			wait = w.turn(max(w.pause, hold))
			w.mu.Lock()
			w.notBefore = now.Add(wait)
			w.mu.Unlock()
		}
	}
	return wait
}

// turn is how long to wait for this station's next own moment that is at least
// earliest away. What brings all stations of a campus back brings them back in
// the same instant: a switch that has power again, a central that was started,
// the morning. Chance spreads them as it likes; moments that central gave out
// spread them evenly, whenever each of them noticed. A campus of a few waits for
// nothing, one of a thousand for 50 s at most.
func (w *Worker) turn(earliest time.Duration) time.Duration {
	w.mu.Lock()
	slots, slot := int64(w.slot>>32), int64(w.slot&(1<<32-1))
	at := w.p.Now().Add(earliest - w.status.Offset)
	w.mu.Unlock()
	if slots < 2 {
		return earliest
	}
	period := min(time.Duration(slots)*SlotWidth, TurnMax)
	mine := period * time.Duration(slot) / time.Duration(slots)
	into := time.Duration(at.UnixNano()) % period
	return earliest + (mine-into+period)%period
}

// setSlot keeps the turn that central gave this station.
func (w *Worker) setSlot(h wire.Hello) {
	if h.Slots < 0 || h.Slots > 1<<20 || h.Slot < 0 || h.Slot >= max(1, h.Slots) {
		return // no turn at all is better than one that makes no sense
	}
	v := uint64(h.Slots)<<32 | uint64(h.Slot)
	w.mu.Lock()
	same := w.slot == v
	w.slot = v
	w.mu.Unlock()
	if same {
		return
	}
	if err := w.p.Outbox.SetCursor(cursorSlot, v); err != nil {
		w.p.Log.Warn("this station's turn is not kept", "err", err)
	}
}

// unsent: an exchange that went well left packets that were never tried.
func (w *Worker) unsent(now time.Time) bool {
	return slices.ContainsFunc(w.due(now), func(e outbox.Entry) bool { return e.Attempts == 0 })
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
		case len(w.due(w.p.Now())) == 0:
			return ErrHeld
		}
	}
}

// Exchange does one round: say hello, fetch the roster where it is due, send
// what is due, fetch verdicts. It ends early when the connection or central's
// goodwill does; a failure of one part does not stop the others, nor one
// packet the rest.
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
	if err := w.greet(ctx); err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	var errs []error
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"erase", w.erase}, {"roster", w.refreshRoster}, {"send", w.send}, {"confirm", w.confirm}, {"verdicts", w.pullVerdicts},
	} {
		err := part.do(ctx)
		if err == nil {
			continue
		}
		errs = append(errs, fmt.Errorf("%s: %w", part.name, err))
		if endsExchange(err) {
			break
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// endsExchange tells a failure that everything after it would share.
func endsExchange(err error) bool {
	var refused *RefusedError
	switch {
	case errors.Is(err, ErrConnection), errors.Is(err, ErrNotCentral), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return true
	case !errors.As(err, &refused):
		return false
	}
	switch refused.Code {
	case wire.CodeSignature, wire.CodeClock, wire.CodeUnknownStation, wire.CodeRevoked:
		return true
	}
	return refused.RetryAfter > 0 || refused.Status == http.StatusTooManyRequests || refused.Status == http.StatusServiceUnavailable
}

// greet says hello and learns whether central is there.
func (w *Worker) greet(ctx context.Context) error {
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
		return err
	}
	w.mu.Lock()
	w.status.Offset, w.status.LastHeard = now.Sub(hello.Now), w.p.Now()
	w.copied, w.forked = hello.Copied, hello.Forked
	w.mu.Unlock()
	w.setSlot(hello)
	if err := w.meet(hello.Epoch); err != nil {
		return localError{err}
	}
	if hello.Recipients != nil && w.p.Events.Recipients != nil {
		w.p.Events.Recipients(*hello.Recipients)
	}
	if hello.Revoked {
		return &RefusedError{Status: http.StatusUnauthorized, Code: wire.CodeRevoked}
	}
	return nil
}

// meet notices that central was restored from a backup: what it acknowledged
// since then it has forgotten. Everything that is still here is offered again,
// and central says what it has.
func (w *Worker) meet(epoch uint64) error {
	known := w.p.Outbox.Cursor(cursorEpoch)
	switch {
	case epoch == 0 || epoch == known || epoch == w.restored:
		return nil
	case known == 0: // the first time that it tells
		return w.p.Outbox.SetCursor(cursorEpoch, epoch)
	}
	again, gone, err := w.p.Outbox.Reoffer()
	if err != nil {
		return fmt.Errorf("offer packets to a restored central: %w", err)
	}
	w.p.Log.Warn("central was restored from a backup: packets are offered again", "packets", again, "no_longer_here", gone)
	if err := w.p.Outbox.SetCursor(cursorVerdicts, 0); err != nil {
		return err
	}
	w.restored = epoch // kept once the roster came too: a crash before then repeats all of this
	return nil
}

// note keeps the outcome of an exchange and tells who wants to know.
func (w *Worker) note(err error) {
	w.mu.Lock()
	now := w.p.Now()
	before := w.status
	w.noConnection = errors.Is(err, ErrConnection)
	w.status.Online = onlyLocal(err)
	if w.status.Online != before.Online {
		w.status.Since = now
	}
	w.status.Problem, w.status.LastErr = "", ""
	if err != nil {
		w.status.LastErr = err.Error()
		var refused *RefusedError
		switch {
		case errors.As(err, &refused) && refused.Fatal():
			w.status.Problem = refused.Code
		case errors.Is(err, ErrPin):
			w.status.Problem = ProblemPin
		}
	}
	if w.status.Problem == "" && w.copied {
		w.status.Problem = ProblemCopied // sending goes on: nothing may be lost
	}
	if w.status.Problem == "" && w.forked {
		w.status.Problem = ProblemForked
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

// onlyLocal: nothing failed, or nothing but on this side of the network.
func onlyLocal(err error) bool {
	var local localError
	var refused *RefusedError
	return err == nil || errors.As(err, &local) && !errors.As(err, &refused) && !endsExchange(err)
}

func (w *Worker) refreshRoster(ctx context.Context) error {
	if w.restored != 0 {
		if err := w.pullRoster(ctx, 0); err != nil {
			return err
		}
		if err := w.p.Outbox.SetCursor(cursorEpoch, w.restored); err != nil {
			return localError{err}
		}
		w.restored = 0
		return nil
	}
	since := w.p.Roster.Cursor()
	if since != 0 && w.p.Now().Before(w.rosterNext) {
		return nil
	}
	return w.pullRoster(ctx, since)
}

// pullRoster brings the list from since up to date; 0 = everything anew.
func (w *Worker) pullRoster(ctx context.Context, since uint64) error {
	for range maxPages {
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
			break
		}
		since = d.Cursor
	}
	return fmt.Errorf("%w: the roster does not come to an end", ErrNotCentral)
}

// due lists what is to be sent now. What failed least comes first, so that a
// packet that never gets through keeps nobody waiting; then what a verdict is
// waited for, the newest first: its student may still be on site, while whoever a
// backlog is of has gone home. A photo that another one here replaces waits for
// nobody's verdict.
func (w *Worker) due(now time.Time) []outbox.Entry {
	all := w.p.Outbox.Pending(now.AddDate(100, 0, 0))
	all = slices.DeleteFunc(all, func(e outbox.Entry) bool {
		wait := e.Next.Sub(now)
		// A schedule made while the clock was wrong binds nobody: what was
		// never tried is due, and no pause is longer than the longest.
		return wait > 0 && wait <= HoldMax && e.Attempts > 0
	})
	replaced := map[ulid.ULID]bool{}
	for _, e := range all {
		if e.Supersedes != nil {
			replaced[*e.Supersedes] = true
		}
	}
	slices.SortFunc(all, func(a, b outbox.Entry) int {
		switch was := replaced[a.ID]; {
		case a.Attempts != b.Attempts:
			return cmp.Compare(a.Attempts, b.Attempts)
		case was != replaced[b.ID]:
			if was {
				return 1
			}
			return -1
		}
		return cmp.Compare(b.Seq, a.Seq)
	})
	return all
}

// send announces what is due and uploads what central wants, for sendSpan at
// most and a packet more.
func (w *Worker) send(ctx context.Context) error {
	began := w.p.Now()
	due := w.due(began)
	return w.deliver(ctx, due[:min(declareBatch, len(due))], func() bool { return w.p.Now().Sub(began) >= sendSpan })
}

// confirm asks central about packets whose fate it has not told for long.
func (w *Worker) confirm(ctx context.Context) error {
	now := w.p.Now()
	if now.Before(w.confirmNext) {
		return nil
	}
	open := slices.DeleteFunc(w.p.Outbox.List(), func(e outbox.Entry) bool {
		return e.State != outbox.Stored || e.Fault != "" || now.Sub(e.StoredAt) < confirmAfter
	})
	if err := w.deliver(ctx, open, whole); err != nil {
		return err
	}
	w.confirmNext = now.Add(confirmAfter)
	return nil
}

// reassure declares everything whose bytes are still here, also what central
// had acknowledged: it was restored from a backup, and may have lost it.
func (w *Worker) reassure(ctx context.Context) error {
	w.p.Log.Warn("central is older than what it said before: it is told of every packet again")
	here := slices.DeleteFunc(w.p.Outbox.List(), func(e outbox.Entry) bool {
		return e.State == outbox.Saved || e.State == outbox.Purged || e.Fault != ""
	})
	if err := w.eraseAgain(); err != nil {
		return err
	}
	if err := w.deliver(ctx, here, whole); err != nil {
		return err
	}
	return w.pullRoster(ctx, 0)
}

// whole lets a delivery run to its end.
func whole() bool { return false }

// deliver brings packets to central, in declarations of declareBatch, until
// enough is true after one of them.
func (w *Worker) deliver(ctx context.Context, packets []outbox.Entry, enough func() bool) error {
	for batch := range slices.Chunk(packets, declareBatch) {
		results, err := w.declare(ctx, batch)
		if err != nil {
			return err
		}
		for _, r := range results {
			if err := w.settle(ctx, r.entry, r.said); err != nil {
				return err
			}
			if enough() {
				return nil
			}
		}
	}
	return nil
}

type declared struct {
	entry outbox.Entry
	said  wire.DeclareResult
}

// declare announces packets. A declaration that central will not read is
// halved until the packet that it stumbles over stands alone.
func (w *Worker) declare(ctx context.Context, batch []outbox.Entry) ([]declared, error) {
	announce := make([]wire.Declared, 0, len(batch))
	for _, e := range batch {
		announce = append(announce, e.Declared())
	}
	results, err := w.c.declare(ctx, announce)
	var refused *RefusedError
	switch {
	case err == nil:
	case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError && !endsExchange(err):
		if len(batch) == 1 {
			return nil, w.hold(batch[0], refused.reason())
		}
		half := len(batch) / 2
		first, err := w.declare(ctx, batch[:half])
		if err != nil {
			return nil, err
		}
		second, err := w.declare(ctx, batch[half:])
		return append(first, second...), err
	default:
		return nil, err
	}
	said := make(map[string]wire.DeclareResult, len(results))
	for _, r := range results {
		said[r.ID] = r
	}
	out := make([]declared, 0, len(batch))
	for _, e := range batch {
		r, ok := said[e.ID.String()]
		if !ok {
			w.p.Log.Error("central says nothing about a packet", "packet", e.ID.String())
			if err := w.hold(e, "unanswered"); err != nil {
				return nil, err
			}
			continue
		}
		out = append(out, declared{e, r})
	}
	return out, nil
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
		return w.hold(e, wire.CodeConflict)
	case wire.DeclareErased:
		w.p.Log.Warn("this packet was erased at central", "packet", e.ID.String())
		return w.hold(e, wire.CodeErased)
	case wire.DeclareWant:
	default:
		return fmt.Errorf("%w: unknown state of a packet", ErrNotCentral)
	}
	data, err := w.p.Outbox.Read(e.ID)
	if err != nil {
		w.p.Log.Error("packet not readable", "packet", e.ID.String(), "err", err)
		return w.hold(e, "unreadable")
	}
	if r.Offset < 0 || r.Offset > int64(len(data)) {
		w.p.Log.Error("central wants bytes that a packet does not have", "packet", e.ID.String())
		return w.hold(e, wire.CodeOffset)
	}
	id, offset := e.ID.String(), r.Offset
	for {
		began := w.p.Now()
		next, ack, err := w.c.upload(ctx, id, data, offset, w.piece)
		if err != nil {
			return w.broken(ctx, e, err)
		}
		if w.piece < firstPiece || w.p.Now().Sub(began) < fastPiece {
			w.piece = min(2*w.piece, w.p.Piece)
		}
		if ack != nil {
			return w.settled(e, *ack)
		}
		offset = next
	}
}

// broken deals with an upload that failed with err, which it returns when it
// ends the exchange.
func (w *Worker) broken(ctx context.Context, e outbox.Entry, err error) error {
	if ctx.Err() != nil {
		return err // we stopped; the packet did nothing
	}
	if errors.Is(err, ErrStalled) || errors.Is(err, ErrConnection) && e.Attempts > 0 {
		w.piece = max(min(w.piece/2, firstPiece), min(minPiece, w.p.Piece))
	}
	var refused *RefusedError
	switch {
	case !errors.As(err, &refused):
		return errors.Join(err, w.postpone(e, 0, "connection"))
	case endsExchange(err):
		return errors.Join(err, w.postpone(e, 0, refused.reason()))
	case refused.Status >= http.StatusInternalServerError:
		return errors.Join(err, w.postpone(e, retryPause(e), refused.reason()))
	}
	switch refused.Code {
	case wire.CodeInvalidPacket, wire.CodeTooLarge, wire.CodeConflict, wire.CodeErased:
		return w.hold(e, refused.Code)
	}
	// It stands elsewhere, or forgot the declaration: it is declared again.
	return w.postpone(e, retryPause(e), refused.reason())
}

// retryPause grows with a packet's own failures.
func retryPause(e outbox.Entry) time.Duration {
	return jitter(min(RetryMin<<min(e.Attempts, 7), RetryMax) / 3)
}

// hold puts a packet aside that central would not take as it is.
func (w *Worker) hold(e outbox.Entry, why string) error {
	return w.postpone(e, min(FatalPause<<min(e.Attempts, 7), HoldMax), why)
}

// postpone schedules the packet's next attempt. With 0 it is due whenever
// there is an exchange, after those that failed less.
func (w *Worker) postpone(e outbox.Entry, wait time.Duration, why string) error {
	if err := w.p.Outbox.Schedule(e.ID, w.p.Now().Add(wait), e.Attempts+1, why); err != nil {
		return localError{err}
	}
	return nil
}

// settled takes the acknowledgement that ends the sending of a packet. One
// that is genuine but about other bytes is an alarm about this packet, and no
// reason to keep the others waiting.
func (w *Worker) settled(e outbox.Entry, s wire.Signed) error {
	err := w.acknowledged(e.ID, s)
	if errors.Is(err, outbox.ErrAckMismatch) {
		w.p.Log.Error("central acknowledges other bytes than were sent", "packet", e.ID.String())
		return w.hold(e, wire.CodeConflict)
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
	restored := false
	for range maxPages {
		since := w.p.Outbox.Cursor(cursorVerdicts)
		v, err := w.c.verdicts(ctx, since)
		if err != nil {
			return err
		}
		if v.Cursor < since {
			// Before the cursor is kept: if this is cut short, it comes again.
			if restored {
				return fmt.Errorf("%w: the verdicts lead in circles", ErrNotCentral)
			}
			restored = true
			if err := w.reassure(ctx); err != nil {
				return err
			}
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
	return fmt.Errorf("%w: the verdicts do not come to an end", ErrNotCentral)
}

// feedAck takes an acknowledgement out of central's feed, whose page it has
// signed. One that is not what it should be, or about a packet or bytes that
// this station does not have, is logged and passed over: it must not stand in
// the way of all that follow.
func (w *Worker) feedAck(s wire.Signed) error {
	var ack wire.Ack
	err := s.Open(w.c.id.central, wire.TypeAck, &ack)
	id, badID := ulid.ParseStrict(ack.ID)
	if err != nil || badID != nil || ack.StationID != w.c.id.station {
		w.p.Log.Error("an acknowledgement in central's feed is not its word on a packet of this station", "err", errors.Join(err, badID))
		return nil
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
