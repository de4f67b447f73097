package uplink_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// weather is a TCP proxy on loopback that treats connections as bad networks
// do. It knows bytes and, to aim, where the first upload on a connection begins;
// it knows nothing of what central or the station are.
type weather struct {
	t      *testing.T
	listen net.Listener
	to     string

	mu    sync.Mutex
	cond  conditions
	conns map[net.Conn]bool

	up     atomic.Int64 // bytes from the station
	resets atomic.Int64 // connections that were broken on purpose
	work   sync.WaitGroup
}

// conditions of connections that are opened from now on, and of what moves on
// those that are open.
type conditions struct {
	latency   time.Duration // before each piece of data, either way, up to as much again
	perSecond int           // bytes, either way; 0 = no limit
	// breakUp and breakDown reset a connection once so many bytes of an upload,
	// or of the answer to it, have passed; -1 = never. One connection is broken,
	// then the weather clears.
	breakUp, breakDown int64
	// drip closes both ways slowly: the station's end of sending is passed on at
	// once, central's answer only after a pause.
	drip time.Duration
	// hole swallows everything in both directions and answers nothing.
	hole bool
}

var fair = conditions{breakUp: -1, breakDown: -1}

func newWeather(t *testing.T, to string) *weather {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &weather{t: t, listen: l, to: to, cond: fair, conns: map[net.Conn]bool{}}
	w.work.Go(w.serve)
	t.Cleanup(func() {
		_ = l.Close()
		w.clear()
		w.work.Wait()
	})
	return w
}

func (w *weather) url() string { return "http://" + w.listen.Addr().String() }

func (w *weather) set(c conditions) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cond = c
}

func (w *weather) now() conditions {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cond
}

// clear breaks every connection and makes the weather fair.
func (w *weather) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cond = fair
	for c := range w.conns {
		_ = c.Close()
	}
}

func (w *weather) serve() {
	for {
		from, err := w.listen.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", w.to)
		if err != nil {
			reset(from)
			continue
		}
		w.mu.Lock()
		w.conns[from], w.conns[to] = true, true
		w.mu.Unlock()
		p := &pair{from: from, to: to}
		w.work.Go(func() { w.carry(p, from, to, true) })
		w.work.Go(func() { w.carry(p, to, from, false) })
	}
}

// pair is one connection through the weather.
type pair struct {
	from, to  net.Conn
	uploading atomic.Bool // the first PATCH has begun
	broken    atomic.Bool
}

func (p *pair) reset() {
	if !p.broken.Swap(true) {
		reset(p.from)
		reset(p.to)
	}
}

// reset closes so that the other side reads ECONNRESET, not an end.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

func (w *weather) carry(p *pair, from, to net.Conn, up bool) {
	defer func() {
		_ = from.Close()
		_ = to.Close()
		w.mu.Lock()
		delete(w.conns, from)
		delete(w.conns, to)
		w.mu.Unlock()
	}()
	buf := make([]byte, 32<<10)
	var passed int64 // of the upload, or of its answer
	for {
		n, err := from.Read(buf)
		data := buf[:n]
		for len(data) > 0 {
			c := w.now()
			if c.hole {
				break
			}
			piece := data
			if up {
				if at := bytes.Index(piece, []byte("PATCH /v1/packets/")); at >= 0 && !p.uploading.Load() {
					p.uploading.Store(true)
					passed = -int64(at) // what is before it is not counted
				}
			}
			limit := c.breakDown
			if up {
				limit = c.breakUp
			}
			aimed := limit >= 0 && p.uploading.Load()
			if aimed && passed+int64(len(piece)) > limit {
				piece = piece[:max(0, limit-passed)]
			}
			if c.perSecond > 0 {
				piece = piece[:min(len(piece), max(1, c.perSecond/20))]
				wait(time.Duration(len(piece)) * time.Second / time.Duration(c.perSecond))
			}
			if c.latency > 0 {
				wait(c.latency + rand.N(c.latency))
			}
			if c.drip > 0 && !up {
				wait(c.drip)
			}
			if _, err := to.Write(piece); err != nil {
				return
			}
			if up {
				w.up.Add(int64(len(piece)))
			}
			data = data[len(piece):]
			if p.uploading.Load() {
				passed += int64(len(piece))
			}
			if aimed && passed >= limit {
				w.set(fair)
				w.resets.Add(1)
				p.reset()
				return
			}
		}
		if err != nil {
			if c := w.now(); c.drip > 0 && errors.Is(err, io.EOF) {
				wait(c.drip)
			}
			return
		}
	}
}

// wait lets real time pass: there is a real network underneath.
func wait(d time.Duration) { <-time.After(d) }
