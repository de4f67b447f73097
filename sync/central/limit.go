package central

import (
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// rate allows burst events at once and one more each interval after.
type rate struct {
	burst    int
	interval time.Duration
}

// The rates. A whole campus may come from one address, so what is counted by
// address is generous; what is counted by phone or user is not.
var (
	enrollRate   = rate{30, 10 * time.Second}       // wrong codes: 60 bits each
	phoneRate    = rate{3000, 5 * time.Millisecond} // pages of one address: 200 a second, a campus that polls
	loginRate    = rate{60, 5 * time.Second}        // log-ins of one address; users lock by themselves
	identifyRate = rate{5, 30 * time.Second}        // identifications of one phone
)

// limiter is a token bucket for each key, in memory: a restart forgives.
type limiter struct {
	now func() time.Time
	mu  sync.Mutex
	// next is when the bucket of a key would be empty of debts.
	next map[string]time.Time
}

// maxLimiterKeys bounds the memory that a flood of addresses can take.
const maxLimiterKeys = 100_000

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, next: map[string]time.Time{}}
}

// take counts one event and returns 0, or how long to wait.
func (l *limiter) take(key string, r rate) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if len(l.next) >= maxLimiterKeys {
		for k, t := range l.next {
			if !t.After(now) {
				delete(l.next, k)
			}
		}
		if len(l.next) >= maxLimiterKeys {
			return r.interval
		}
	}
	t := l.next[key]
	if t.Before(now) {
		t = now
	}
	t = t.Add(r.interval)
	if over := t.Sub(now) - time.Duration(r.burst)*r.interval; over > 0 {
		return over
	}
	l.next[key] = t
	return 0
}

func tooMany(wait time.Duration) error {
	return &apiError{http.StatusTooManyRequests, wire.CodeBusy, "too many requests", int(math.Ceil(wait.Seconds()))}
}
