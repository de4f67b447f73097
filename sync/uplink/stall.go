package uplink

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// stallGuard ends a request when no byte of it or of its answer has moved for
// limit. The bytes of a body count when the transport takes them; what the
// kernel has taken but not sent is silence until the answer comes, which is
// why uploads go in pieces that shrink on a bad link.
type stallGuard struct {
	next  http.RoundTripper
	limit time.Duration
}

// RoundTrip implements http.RoundTripper.
func (g *stallGuard) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	w := &stallWatch{ctx: ctx, limit: g.limit}
	w.timer = time.AfterFunc(g.limit, func() { cancel(ErrStalled) })
	r = r.Clone(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &watchedBody{ReadCloser: r.Body, watch: w}
	}
	if get := r.GetBody; get != nil {
		r.GetBody = func() (io.ReadCloser, error) {
			b, err := get()
			if err != nil || b == http.NoBody {
				return b, err
			}
			return &watchedBody{ReadCloser: b, watch: w}, nil
		}
	}
	resp, err := g.next.RoundTrip(r)
	if err != nil {
		w.timer.Stop()
		err = w.explain(err)
		cancel(nil)
		return nil, err
	}
	w.moved()
	resp.Body = &watchedBody{ReadCloser: resp.Body, watch: w, end: func() {
		w.timer.Stop()
		cancel(nil)
	}}
	return resp, nil
}

// CloseIdleConnections lets go of connections of a network that is gone.
func (g *stallGuard) CloseIdleConnections() {
	if c, ok := g.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type stallWatch struct {
	ctx   context.Context //nolint:containedctx // the request's own, asked only why it ended
	limit time.Duration
	timer *time.Timer
}

func (w *stallWatch) moved() { w.timer.Reset(w.limit) }

// explain puts the reason in the place of "context canceled".
func (w *stallWatch) explain(err error) error {
	if errors.Is(context.Cause(w.ctx), ErrStalled) {
		return ErrStalled
	}
	return err
}

type watchedBody struct {
	io.ReadCloser
	watch *stallWatch
	end   func() // of an answer
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.watch.moved()
	}
	if err == nil {
		err = b.watch.ctx.Err() // whatever the transport makes of the end of the request
	}
	if err != nil && err != io.EOF { //nolint:errorlint // the reader's own, passed on as it is
		err = b.watch.explain(err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	if b.end != nil {
		b.end()
	}
	return b.ReadCloser.Close()
}
