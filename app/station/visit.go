package station

import (
	"context"
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
	linked  bool
	scanned bool

	attempt int
	frame   camera.Frame // the untouched frame of the present shot
	result  *pipeline.Result
	// sealed is kept until it is durable: a retry stores these very bytes.
	sealed *packet.Sealed
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
	v.frame.Wipe()
	if v.result != nil {
		v.result.Wipe()
	}
	clear(v.audit)
	s.p.Camera.Wipe()
	s.work.Go(s.maker.Wipe) // waits for a shot under way
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
