package uplink

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// paceStep is how long what one read of a body may take on a limited link: a
	// body then moves several times a second, which stallGuard counts as life.
	paceStep = 250 * time.Millisecond
	// pieceSpan is how long a piece may take at the limit, far from requestTimeout.
	pieceSpan = 30 * time.Second
)

// pacer holds the bodies of requests to a number of bytes a second, all of them
// together. It is a bucket that holds a read and no more, so that a pause is not
// made up for by a burst: the access point behind it is shared.
type pacer struct {
	next http.RoundTripper
	rate int64 // bytes a second

	mu   sync.Mutex
	free time.Time // when the next byte may go
}

// RoundTrip implements http.RoundTripper.
func (p *pacer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return p.next.RoundTrip(r)
	}
	ctx := r.Context()
	r = r.Clone(ctx)
	r.Body = &pacedBody{ReadCloser: r.Body, p: p, ctx: ctx}
	if get := r.GetBody; get != nil {
		r.GetBody = func() (io.ReadCloser, error) {
			b, err := get()
			if err != nil || b == http.NoBody {
				return b, err
			}
			return &pacedBody{ReadCloser: b, p: p, ctx: ctx}, nil
		}
	}
	return p.next.RoundTrip(r)
}

// CloseIdleConnections lets go of connections of a network that is gone.
func (p *pacer) CloseIdleConnections() {
	if c, ok := p.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// wait returns when n more bytes may have gone.
func (p *pacer) wait(ctx context.Context, n int) error {
	p.mu.Lock()
	now := time.Now()
	if p.free.Before(now) {
		p.free = now
	}
	p.free = p.free.Add(time.Duration(float64(n) / float64(p.rate) * float64(time.Second)))
	until := p.free.Sub(now)
	p.mu.Unlock()
	t := time.NewTimer(until)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

type pacedBody struct {
	io.ReadCloser
	p   *pacer
	ctx context.Context //nolint:containedctx // the request's own, which a wait must not outlast
}

func (b *pacedBody) Read(buf []byte) (int, error) {
	step := max(1, int64(float64(b.p.rate)*paceStep.Seconds()))
	n, err := b.ReadCloser.Read(buf[:min(int64(len(buf)), step)])
	if n > 0 {
		if werr := b.p.wait(b.ctx, n); werr != nil {
			return 0, werr
		}
	}
	return n, err
}
