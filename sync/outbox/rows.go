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
	live  map[ulid.ULID]*Entry
	past  []settled           // in no order
	where map[ulid.ULID]int32 // each settled row's place in past
	names names               // what past's stations and specs are called
	bySeq map[uint64]ulid.ULID
	order []ordered // by sequence number

	unsent   map[ulid.ULID]*Entry // State is Saved
	rejected map[ulid.ULID]*Entry // by a reviewer
	troubled map[ulid.ULID]*Entry // what an alarm stands for
	stats    Stats                // but for OldestPending and FreeBytes
}

// ordered is a row's place in the list.
type ordered struct {
	seq uint64
	id  ulid.ULID
}

func newRows() rows {
	return rows{
		live: map[ulid.ULID]*Entry{}, where: map[ulid.ULID]int32{}, names: names{at: map[string]uint32{}}, bySeq: map[uint64]ulid.ULID{},
		unsent: map[ulid.ULID]*Entry{}, rejected: map[ulid.ULID]*Entry{}, troubled: map[ulid.ULID]*Entry{},
	}
}

func bySequence(a, b Entry) int { return cmp.Or(cmp.Compare(a.Seq, b.Seq), a.ID.Compare(b.ID)) }

func (o ordered) before(p ordered) bool {
	return o.seq < p.seq || o.seq == p.seq && o.id.Compare(p.id) < 0
}

// get returns a row, of a settled one all but the verdict.
func (r *rows) get(id ulid.ULID) (Entry, bool) {
	if e, ok := r.live[id]; ok {
		return *e, true
	}
	if at, ok := r.where[id]; ok {
		return r.names.entry(&r.past[at]), true
	}
	return Entry{}, false
}

// inIndex tells whether what get returns lacks a verdict that the index has.
func (r *rows) inIndex(id ulid.ULID) bool {
	at, ok := r.where[id]
	return ok && r.past[at].verdict
}

// drop takes a row out of the two places where it may be.
func (r *rows) drop(id ulid.ULID) {
	delete(r.live, id)
	at, ok := r.where[id]
	if !ok {
		return
	}
	last := len(r.past) - 1
	r.past[at] = r.past[last]
	r.where[r.past[at].id] = at
	r.past = r.past[:last]
	delete(r.where, id)
}

// put takes in a new entry or a new state of one.
func (r *rows) put(e Entry) {
	if old, ok := r.get(e.ID); ok {
		r.stats.count(&old, -1)
		r.drop(e.ID)
	} else {
		r.bySeq[e.Seq] = e.ID
		here := ordered{e.Seq, e.ID}
		// Nearly always the end: numbers rise.
		at := len(r.order)
		for at > 0 && here.before(r.order[at-1]) {
			at--
		}
		r.order = slices.Insert(r.order, at, here)
	}
	p := &e
	if s, ok := r.names.settle(p); ok {
		r.where[e.ID] = int32(len(r.past))
		r.past = append(r.past, s)
	} else {
		r.live[e.ID] = p
	}
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
	for _, o := range r.order {
		e, _ := r.get(o.id)
		out = append(out, e)
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
