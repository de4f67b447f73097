package station

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/sync/packet"
)

// visit is everything the station owns of one student. Only the loop's
// goroutine touches it; work beside the loop gets what it needs handed over and
// reports back with the session's id.
type visit struct {
	id      string
	ulid    ulid.ULID
	ctx     context.Context //nolint:containedctx // the visit's life, which its work hangs on
	cancel  context.CancelFunc
	audit   []byte // this session's entries, as they go into the packet
	consent time.Time
	order   string
	proof   proof // of the payment, where central was away
	linked  bool

	attempt int
	frame   camera.Frame // the untouched frame of the present shot
	burst   *burst       // the frames around it, to pick another from
	result  *pipeline.Result
	// expected is the photo being made: an answer for any other is late.
	expected expected
	// sealed is kept until it is durable: a retry stores these very bytes.
	sealed *packet.Sealed
	failed atomic.Bool // the last commit of sealed
}

// expected names a photo being made.
type expected struct {
	attempt int
	seq     uint64 // 0 = whichever frame is the best
}

func (x expected) is(d *shotDone) bool {
	return d.attempt == x.attempt && (x.seq == 0 && d.burst != nil || x.seq != 0 && d.frame.Seq == x.seq)
}

func (s *Station) beginVisit(ctx context.Context, id string) {
	s.endVisit()
	v := &visit{id: id}
	v.ulid, _ = ulid.ParseStrict(id) // made by ulid.Make in New
	v.ctx, v.cancel = context.WithCancel(ctx)
	s.visit = v
}

// endVisit cancels the visit's work and zeroes its pictures.
func (s *Station) endVisit() {
	v := s.visit
	if v == nil {
		return
	}
	s.visit = nil
	v.cancel()
	s.giveUp(v)
	v.frame.Wipe()
	s.giveBurst(v.burst)
	v.burst = nil
	if s.preview != nil {
		s.preview.letGo()
	}
	if v.result != nil {
		v.result.Wipe()
	}
	clear(v.audit)
	s.p.Camera.Wipe()
	s.work.Go(s.maker.Wipe) // waits for a shot under way
}

// giveUp forgets a packet whose commit failed, also what may lie of it on the
// disk, so that a later start does not find it and send it beside its
// successor.
func (s *Station) giveUp(v *visit) {
	sealed := v.sealed
	v.sealed = nil
	if sealed == nil || !v.failed.Swap(false) {
		return
	}
	s.work.Go(func() {
		if err := s.p.Outbox.Withdraw(sealed); err != nil {
			s.log.Error("failed packet not withdrawn", "packet", sealed.ID.String(), "err", err)
		}
	})
}

// of tells whether the visit under way is the session.
func (s *Station) of(session string) bool { return s.visit != nil && s.visit.id == session }

// onLoop runs f on the loop's goroutine and waits, unless ctx ends first; then
// f may still run, or never.
func (s *Station) onLoop(ctx context.Context, f func()) bool {
	a := asked{f: f, done: make(chan struct{})}
	select {
	case s.inputs <- a:
	case <-ctx.Done():
		return false
	}
	select {
	case <-a.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// unexpected is said when something failed that nobody at the desk can mend
// and that the log explains.
var unexpected = booth.Text{
	ZH: "出现意外错误，请重试；若仍不行，请联系技术支持。",
	EN: "Something unexpected went wrong. Try again, then call technical support.",
}
