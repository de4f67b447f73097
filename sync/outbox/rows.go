package outbox

import (
	"cmp"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// rows is the index in memory. The sets and counts beside the map answer what
// the booth asks every few seconds without a walk through all that was ever
// stored: after a season that is 100,000 packets, of which a handful wait.
type rows struct {
	byID  map[ulid.ULID]*Entry
	bySeq map[uint64]ulid.ULID
	order []ulid.ULID // by sequence number

	unsent   map[ulid.ULID]*Entry // State is Saved
	rejected map[ulid.ULID]*Entry // by a reviewer
	troubled map[ulid.ULID]*Entry // what an alarm stands for
	stats    Stats                // but for OldestPending and FreeBytes
}

func newRows() rows {
	return rows{
		byID: map[ulid.ULID]*Entry{}, bySeq: map[uint64]ulid.ULID{},
		unsent: map[ulid.ULID]*Entry{}, rejected: map[ulid.ULID]*Entry{}, troubled: map[ulid.ULID]*Entry{},
	}
}

func bySequence(a, b Entry) int { return cmp.Or(cmp.Compare(a.Seq, b.Seq), a.ID.Compare(b.ID)) }

// put takes in a new entry or a new state of one.
func (r *rows) put(e Entry) {
	if old, ok := r.byID[e.ID]; ok {
		r.stats.count(old, -1)
	} else {
		r.bySeq[e.Seq] = e.ID
		// Nearly always the end: numbers rise.
		at := len(r.order)
		for at > 0 && bySequence(*r.byID[r.order[at-1]], e) > 0 {
			at--
		}
		r.order = slices.Insert(r.order, at, e.ID)
	}
	p := &e
	r.byID[e.ID] = p
	r.stats.count(p, 1)
	keep(r.unsent, p, e.State == Saved)
	keep(r.rejected, p, e.Verdict != nil && e.Verdict.State == wire.VerdictRejected)
	keep(r.troubled, p, e.Fault != "" || e.State == Refused || e.held())
}

func keep(set map[ulid.ULID]*Entry, e *Entry, in bool) {
	if in {
		set[e.ID] = e
	} else {
		delete(set, e.ID)
	}
}

func (r *rows) list() []Entry {
	out := make([]Entry, 0, len(r.order))
	for _, id := range r.order {
		out = append(out, *r.byID[id])
	}
	return out
}

// oldestUnsent is when the oldest packet that waits was saved; zero: none.
func (r *rows) oldestUnsent() time.Time {
	var at time.Time
	for _, e := range r.unsent {
		if at.IsZero() || e.SavedAt.Before(at) {
			at = e.SavedAt
		}
	}
	return at
}

// count adds e n times, or takes it away.
func (s *Stats) count(e *Entry, n int) {
	s.Total += n
	switch e.State {
	case Saved:
		s.Pending += n
	case Stored:
		s.Stored += n
	case Opened:
		s.Opened += n
	case Refused:
		s.Refused += n
	case Purged:
		s.Purged += n
	}
	if e.Fault != "" {
		s.Faulty += n
	} else if e.State != Purged {
		s.Bytes += int64(n) * e.Size
	}
	if n > 0 {
		s.LastSeq = max(s.LastSeq, e.Seq)
	}
}
