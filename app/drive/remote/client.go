package remote

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// pollInterval is how often Wait and DialWait look again: well under what an
// eye notices, and a few hundred bytes a second.
const pollInterval = 25 * time.Millisecond

// ErrRefused is wrapped by the error of a request that reached the kiosk and
// was turned down; the connection goes on.
var ErrRefused = errors.New("kiosk refused the request")

// Client asks one kiosk. Its methods may be called from several goroutines.
type Client struct {
	path string

	mu     sync.Mutex
	closed bool
	conn   net.Conn // nil after a failure: the next request connects again
	lines  *bufio.Scanner
}

// Dial connects to the automation socket at path.
func Dial(ctx context.Context, path string) (*Client, error) {
	c := &Client{path: path}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// DialWait connects as soon as the kiosk has opened the socket, until ctx ends.
func DialWait(ctx context.Context, path string) (*Client, error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		c, err := Dial(ctx, path)
		if err == nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("kiosk opened no automation socket in time: %w", errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// connect is called with c.mu held.
func (c *Client) connect(ctx context.Context) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.path)
	if err != nil {
		return fmt.Errorf("connect to kiosk: %w", err)
	}
	c.adopt(conn)
	return nil
}

func (c *Client) adopt(conn net.Conn) {
	c.conn = conn
	c.lines = bufio.NewScanner(conn)
	c.lines.Buffer(make([]byte, 0, 16<<10), MaxResponseBytes)
}

// drop forgets the connection, of which an answer may still be under way that
// the next request must not take for its own. It is called with c.mu held.
func (c *Client) drop() error {
	if c.conn == nil {
		return nil
	}
	err := c.conn.Close()
	c.conn, c.lines = nil, nil
	return err
}

// Close ends the connection; later requests fail with net.ErrClosed. It is
// idempotent.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if err := c.drop(); err != nil {
		return fmt.Errorf("close automation connection: %w", err)
	}
	return nil
}

// State asks what the kiosk shows.
func (c *Client) State(ctx context.Context) (State, error) {
	r, err := c.do(ctx, Request{Op: OpState})
	if err != nil {
		return State{}, fmt.Errorf("ask for the kiosk's state: %w", err)
	}
	var s State
	if err := json.Unmarshal(r.State, &s); err != nil {
		return State{}, fmt.Errorf("read the kiosk's state: %w", err)
	}
	s.Raw = r.State
	return s, nil
}

// Targets asks where everything is.
func (c *Client) Targets(ctx context.Context) ([]Target, error) {
	r, err := c.do(ctx, Request{Op: OpTargets})
	if err != nil {
		return nil, fmt.Errorf("ask for the kiosk's targets: %w", err)
	}
	return r.Targets, nil
}

// Scene directs the simulated booth, such as "enter", "leave" or "unplug".
func (c *Client) Scene(ctx context.Context, cmd string) error {
	if _, err := c.do(ctx, Request{Op: OpScene, Cmd: cmd}); err != nil {
		return fmt.Errorf("direct the simulated booth (%s): %w", cmd, err)
	}
	return nil
}

// Wait asks again and again until ok holds and returns that state. When ctx
// ends first, it returns the last state seen along with the error.
func (c *Client) Wait(ctx context.Context, ok func(State) bool) (State, error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	var last State
	for {
		s, err := c.State(ctx)
		if err == nil {
			last = s
			if ok(s) {
				return s, nil
			}
		} else if ctx.Err() == nil {
			return last, err
		}
		select {
		case <-ctx.Done():
			return last, fmt.Errorf("wait for the kiosk, last seen in state %q: %w", last.State, ctx.Err())
		case <-tick.C:
		}
	}
}

// WaitState waits until the kiosk is in one of the states.
func (c *Client) WaitState(ctx context.Context, states ...string) (State, error) {
	return c.Wait(ctx, func(s State) bool { return slices.Contains(states, s.State) })
}

// do sends one request and reads its answer, on a fresh connection when the
// last one failed.
func (c *Client) do(ctx context.Context, req Request) (response, error) {
	line, err := json.Marshal(req)
	if err != nil {
		return response{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return response{}, err
	}
	if c.closed {
		return response{}, net.ErrClosed
	}
	if c.conn == nil {
		if err := c.connect(ctx); err != nil {
			return response{}, err
		}
	}
	r, err := c.exchange(ctx, append(line, '\n'))
	if err != nil {
		_ = c.drop() // the error that matters is the exchange's
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return response{}, err
	}
	if !r.OK {
		return response{}, fmt.Errorf("%w: %s", ErrRefused, r.Error)
	}
	return r, nil
}

func (c *Client) exchange(ctx context.Context, line []byte) (response, error) {
	conn := c.conn
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return response{}, err
	}
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(time.Unix(1, 0)) // long past: wakes the read below
	})
	defer func() {
		if !stop() {
			_ = c.drop() // its deadline may yet be moved into the past
		}
	}()
	if _, err := conn.Write(line); err != nil {
		return response{}, err
	}
	if !c.lines.Scan() {
		if err := c.lines.Err(); err != nil {
			return response{}, err
		}
		return response{}, errors.New("kiosk closed the connection")
	}
	var r response
	if err := json.Unmarshal(c.lines.Bytes(), &r); err != nil {
		return response{}, fmt.Errorf("answer is not what a kiosk sends: %w", err)
	}
	return r, nil
}
