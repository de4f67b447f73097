package uplink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// How the worker notices that trying again is worth it before its pause ends.
const (
	// networkPoll is how often the network is looked at where the system sends
	// no news of it; its news are waited for where it does, and are trusted
	// only as far as to look again.
	networkPoll = 5 * time.Second
	// networkSettle lets the burst of news of one change pass: link, address, route.
	networkSettle = 500 * time.Millisecond
	// probeMin to probeMax is the pause between looks at an absent central's
	// door. It is a connection and nothing more, and the jitter spreads a
	// campus over seconds when central comes back.
	probeMin = 2 * time.Second
	probeMax = 5 * time.Second
	// probeTimeout is for one look.
	probeTimeout = 3 * time.Second
)

// watchNetwork calls changed when this machine's addresses or its way out
// became others, until ctx ends.
func watchNetwork(ctx context.Context, changed func()) error {
	news := make(chan struct{}, 1)
	var listening sync.WaitGroup
	defer listening.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listening.Go(func() {
		// Where there is no such news, looking every few seconds is enough.
		_ = listenNetwork(ctx, func() {
			select {
			case news <- struct{}{}:
			default:
			}
		})
	})
	return compareNetwork(ctx, news, networkState, changed)
}

// compareNetwork asks state at every piece of news and every few seconds, and
// calls changed when it is another than before.
func compareNetwork(ctx context.Context, news <-chan struct{}, state func() string, changed func()) error {
	last := state()
	timer := time.NewTimer(networkPoll)
	defer timer.Stop()
	settling := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
			if !settling { // news without end must not put off the look
				settling = true
				timer.Reset(networkSettle)
			}
			continue
		case <-timer.C:
		}
		settling = false
		timer.Reset(networkPoll)
		if now := state(); now != last {
			last = now
			changed()
		}
	}
}

// networkState describes the addresses and the default route of this machine;
// only whether it changes has a meaning. What cannot be read is left out.
func networkState() string {
	var lines []string
	interfaces, _ := net.Interfaces() // none: no network
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagRunning == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			lines = append(lines, fmt.Sprintf("%d %s", i.Index, a))
		}
	}
	routes, _ := os.ReadFile("/proc/net/route") // Linux; elsewhere the addresses must do
	lines = append(lines, defaultRoutes(string(routes))...)
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// defaultRoutes reads interface and gateway of the default routes out of
// /proc/net/route. The counters beside them change by themselves.
func defaultRoutes(table string) []string {
	var out []string
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) >= 8 && f[1] == "00000000" && f[7] == "00000000" {
			out = append(out, f[0]+" via "+f[2])
		}
	}
	return out
}

// dialer looks whether somebody listens where central should be.
func dialer(base string) func(context.Context) error {
	u, err := url.Parse(base)
	if err != nil {
		return nil // newRest has said so
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80"}[u.Scheme], "443")
	addr := net.JoinHostPort(u.Hostname(), port)
	return func(ctx context.Context) error {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("uplink: probe: %w", err)
		}
		return c.Close()
	}
}

// watchDoor calls back when central can be connected to again. It looks only
// while w is cut off, and only says so after it has seen the door closed: an
// open door behind which nothing works is for the pauses to deal with.
func (w *Worker) watchDoor(ctx context.Context, back func()) {
	closed := false
	timer := time.NewTimer(probePause())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if !w.cutOff() {
			closed = false
		} else if err := w.probe(ctx); err != nil {
			closed = true
		} else if closed {
			closed = false
			back()
		}
		timer.Reset(probePause())
	}
}

func probePause() time.Duration { return probeMin + rand.N(probeMax-probeMin) }

func (w *Worker) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return w.p.Probe(ctx)
}

// cutOff: the last exchange found nobody at the other end.
func (w *Worker) cutOff() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.noConnection
}

// errNetworkChanged ends an exchange that runs over a network that is gone.
var errNetworkChanged = errors.New("uplink: the network changed")
