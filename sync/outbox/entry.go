package outbox

import (
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// State is how far a packet has come.
type State string

// The states of a packet.
const (
	Saved   State = "saved"   // durable here, not yet at central
	Stored  State = "stored"  // durable at central, not yet validated there
	Opened  State = "opened"  // central decrypted and validated it
	Refused State = "refused" // central cannot use it: kept here, alarmed
	Purged  State = "purged"  // the file is gone, the row stays: opened and retention over, or ReasonErased
)

// ReasonErased is an Entry's Reason when the student had the packet erased.
const ReasonErased = "erased"

// Fault says what is wrong with a packet's file here.
type Fault string

// Faults of a packet file.
const (
	Missing Fault = "file_missing" // a row without its file
	Damaged Fault = "file_damaged" // a file that is not what was sealed
)

// Entry is what the index knows about a packet. What a reviewer wrote and
// central's opaque reference to the student stand in Verdict, which the index
// keeps encrypted; the rest says nothing about the student.
type Entry struct {
	ID         ulid.ULID  `json:"id"`
	SHA256     string     `json:"sha256"`
	Size       int64      `json:"size"`
	Seq        uint64     `json:"seq"`
	Station    string     `json:"station"`
	Spec       string     `json:"spec"`
	Created    time.Time  `json:"created"`
	Supersedes *ulid.ULID `json:"supersedes,omitempty"`

	State    State     `json:"state"`
	SavedAt  time.Time `json:"saved_at"`
	StoredAt time.Time `json:"stored_at,omitzero"`
	// DecidedAt is when this station heard that the packet was opened or
	// refused; DecidedCentral is central's time of it.
	DecidedAt      time.Time `json:"decided_at,omitzero"`
	DecidedCentral time.Time `json:"decided_central,omitzero"`
	Reason         string    `json:"reason,omitempty"` // why refused; ReasonErased

	Attempts  int           `json:"attempts,omitempty"`
	Next      time.Time     `json:"next,omitzero"` // when to try again
	LastError string        `json:"last_error,omitempty"`
	Verdict   *wire.Verdict `json:"verdict,omitempty"`

	// Fault is found at Open, on reading and by VerifyAll; it is not stored.
	Fault Fault `json:"-"`

	sealed []byte // Verdict as the index keeps it, encrypted
}

func newEntry(h packet.Header, sha256 string, size int64, now time.Time) Entry {
	return Entry{
		ID: h.ID, SHA256: sha256, Size: size, Seq: h.Seq, Station: h.Station, Spec: h.Spec,
		Created: h.Created(), Supersedes: h.Supersedes, State: Saved, SavedAt: now, Next: now,
	}
}

// Declared is what central is told about the packet.
func (e Entry) Declared() wire.Declared {
	d := wire.Declared{ID: e.ID.String(), SHA256: e.SHA256, Size: e.Size, Seq: e.Seq}
	if e.Supersedes != nil {
		d.Supersedes = e.Supersedes.String()
	}
	return d
}

// waiting: still to be sent, and there to be sent.
func (e *Entry) waiting() bool { return e.State == Saved && e.Fault == "" }

// held: still to be sent, but central answered that it will not do, and
// sending the same bytes again cannot change that.
func (e *Entry) held() bool {
	switch e.LastError {
	case wire.CodeConflict, wire.CodeInvalidPacket, wire.CodeTooLarge, wire.CodeErased:
		return e.State == Saved
	}
	return false
}

// Alarm is something that staff must know and that never goes away by itself.
type Alarm struct {
	Code   string // stable, snake_case
	Packet string // ULID, "" when it is not about one packet
	Detail string // English, for logs; no personal data
}

// Codes of alarms beside the [Fault] codes.
const (
	AlarmRefused      = "packet_refused"
	AlarmHeld         = "packet_held"       // central will not take it as it is
	AlarmForeignFile  = "foreign_file"      // a file that is not a packet of this station: moved to quarantine
	AlarmIDConflict   = "packet_conflict"   // two files claim one id
	AlarmIndexRebuilt = "index_rebuilt"     // the old index is in quarantine
	AlarmIndexFault   = "index_unavailable" // the index failed while running
)
