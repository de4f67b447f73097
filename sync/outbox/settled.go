package outbox

import (
	"encoding/hex"
	"math"
	"time"

	"github.com/oklog/ulid/v2"
)

// settled is the row of a packet that is over and done with: purged, without a
// fault or a word to say about it. After a season nearly all are. It holds no
// pointers, so that 100,000 of them are nothing that the garbage collector has
// to walk through while a photo is being saved. A reviewer's verdict is left in
// the index, where [Outbox.Get] finds it.
type settled struct {
	id         ulid.ULID
	supersedes ulid.ULID // zero: none
	sha        [32]byte
	size       int64
	seq        uint64

	// Unix nanoseconds, 0 for the zero time.
	created, saved, stored, decided, decidedCentral, next int64

	station, spec uint32 // in names
	attempts      int32
	verdict       bool // there is one in the index
}

// names keeps each station's and each spec's id once.
type names struct {
	list []string
	at   map[string]uint32
}

func (n *names) number(s string) uint32 {
	if at, ok := n.at[s]; ok {
		return at
	}
	at := uint32(len(n.list))
	n.list = append(n.list, s)
	n.at[s] = at
	return at
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanoseconds(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// settle returns the short form of an entry; false when it has none.
func (n *names) settle(e *Entry) (settled, bool) {
	if e.State != Purged || e.Fault != "" || e.Reason != "" || e.LastError != "" || e.Attempts < 0 || e.Attempts > math.MaxInt32 {
		return settled{}, false
	}
	s := settled{
		id: e.ID, size: e.Size, seq: e.Seq, station: n.number(e.Station), spec: n.number(e.Spec), attempts: int32(e.Attempts),
		created: nanoseconds(e.Created), saved: nanoseconds(e.SavedAt), stored: nanoseconds(e.StoredAt),
		decided: nanoseconds(e.DecidedAt), decidedCentral: nanoseconds(e.DecidedCentral), next: nanoseconds(e.Next),
		verdict: e.Verdict != nil || e.sealed != nil,
	}
	if k, err := hex.Decode(s.sha[:], []byte(e.SHA256)); err != nil || k != len(s.sha) {
		return settled{}, false
	}
	if e.Supersedes != nil {
		s.supersedes = *e.Supersedes
	}
	return s, true
}

// entry is settle undone, without the verdict.
func (n *names) entry(s *settled) Entry {
	e := Entry{
		ID: s.id, SHA256: hex.EncodeToString(s.sha[:]), Size: s.size, Seq: s.seq, Station: n.list[s.station], Spec: n.list[s.spec],
		Created: fromNanoseconds(s.created), State: Purged, SavedAt: fromNanoseconds(s.saved), StoredAt: fromNanoseconds(s.stored),
		DecidedAt: fromNanoseconds(s.decided), DecidedCentral: fromNanoseconds(s.decidedCentral),
		Attempts: int(s.attempts), Next: fromNanoseconds(s.next),
	}
	if s.supersedes != (ulid.ULID{}) {
		old := s.supersedes
		e.Supersedes = &old
	}
	return e
}
