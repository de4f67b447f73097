// Package outbox keeps sealed packets safe on this station until central has
// opened them. A packet is a file; a small index beside the files says what
// has been sent and what is due next, and can be rebuilt from the files alone.
//
// What it promises: once [Outbox.Commit] has returned without an error, the
// packet is found again after a crash or a power cut at any later moment, as
// long as the disk keeps what it acknowledged with fsync. Nothing is deleted
// before central's signed "opened".
//
// It must not know how packets are sent, who is in them, or how to open them.
package outbox

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Names inside the directory.
const (
	dirPackets    = "packets"
	dirQuarantine = "quarantine"
	fileIndex     = "index.db"
	fileLock      = "lock"
	fileSequence  = "sequence" // lowest number that may be given out, kept outside the index
	extPacket     = ".pkt"
	extTemp       = ".tmp"
)

// Errors that callers tell apart.
var (
	// ErrConflict: the id or the sequence number is taken by other bytes. The
	// packet must not be stored; making it again with the same id is a bug.
	ErrConflict = errors.New("outbox: id or sequence number is taken by another packet")
	// ErrInvalid: the bytes are not a packet of this station.
	ErrInvalid = errors.New("outbox: not a valid packet of this station")
	// ErrUnknown: no packet with this id.
	ErrUnknown = errors.New("outbox: unknown packet")
	// ErrLocked: another process has the directory open.
	ErrLocked = errors.New("outbox: in use by another process")
	// ErrFile: the packet's file is missing or damaged; an alarm stands.
	ErrFile = errors.New("outbox: packet file is missing or damaged")
	// ErrAckMismatch: an acknowledgement that names other bytes than ours.
	ErrAckMismatch = errors.New("outbox: acknowledgement does not match the packet")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("outbox: closed")
)

// Sealer encrypts what the index keeps of a reviewer's words; context keeps one
// sealed value from standing in for another.
type Sealer interface {
	Seal(context string, plain []byte) []byte
	Open(context string, sealed []byte) ([]byte, error)
}

// Options of Open.
type Options struct {
	// Verify parses a packet file and checks the station's signature. Required:
	// nothing enters or is adopted without it.
	Verify func(b []byte) (*packet.Packet, error)
	// Sealer protects reviewers' notes and the student references in verdicts.
	// nil: they are held in memory and not written; what was sealed before stays
	// as it is.
	Sealer Sealer
	// OpenAck checks central's signature on an acknowledgement. Purge removes a
	// file only when the proof that is kept still passes it and names the file;
	// nil: the state in the index decides alone.
	OpenAck func(proof wire.Signed) (wire.Ack, error)
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Log receives what happened, without personal data; nil = slog.Default().
	Log *slog.Logger
	// Limits of the disk guard; zero values take the defaults.
	Limits Limits

	fsys fileSystem // tests
}

// Outbox is the open store. Its methods may be called from any goroutine.
type Outbox struct {
	dir     string
	verify  func(b []byte) (*packet.Packet, error)
	sealer  Sealer
	openAck func(proof wire.Signed) (wire.Ack, error)
	now     func() time.Time
	log     *slog.Logger
	limits  Limits
	fsys    fileSystem
	lock    *flock.Flock

	// update runs one durable transaction; tests put faults round it.
	update func(fn func(tx *bbolt.Tx) error) error

	mu          sync.Mutex
	signer      ed25519.PublicKey // whose packets from packet.Seal have passed verify
	db          *bbolt.DB         // nil once closed
	rows        rows
	nextSeq     uint64 // of the next packet that is committed
	leftovers   map[string]leftover
	cursors     map[string]uint64
	auditHead   string
	alarms      []Alarm // found at Open; those of entries are derived
	writeFailed bool    // the last write to disk failed: Guard probes before the next session
	indexFailed bool
}

// leftover is what a failed commit may have left on the disk: a file, a row, or
// both.
type leftover struct {
	id  ulid.ULID
	seq uint64
}

// Open opens the store in dir, creating it if needed, and reconciles files and
// index: unfinished temporary files go, files without a row are verified and
// adopted, rows without a file become alarms, a damaged index is moved to
// quarantine and rebuilt. It fails only when the directory cannot be used.
func Open(dir string, opts Options) (*Outbox, error) {
	if opts.Verify == nil {
		return nil, errors.New("outbox: open: Options.Verify is required")
	}
	o := &Outbox{
		dir: dir, verify: opts.Verify, sealer: opts.Sealer, openAck: opts.OpenAck,
		now: opts.Now, log: opts.Log, limits: opts.Limits.withDefaults(), fsys: opts.fsys,
		rows: newRows(), nextSeq: 1, leftovers: map[string]leftover{}, cursors: map[string]uint64{},
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.log == nil {
		o.log = slog.Default()
	}
	if o.fsys == nil {
		o.fsys = osFS{}
	}
	for _, d := range []string{dir, filepath.Join(dir, dirPackets), filepath.Join(dir, dirQuarantine)} {
		if err := o.fsys.MkdirAll(d); err != nil {
			return nil, fmt.Errorf("outbox: open: %w", err)
		}
	}
	o.lock = flock.New(filepath.Join(dir, fileLock), flock.SetPermissions(fileMode))
	ok, err := o.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("outbox: open: lock: %w", err)
	}
	if !ok {
		return nil, ErrLocked
	}
	if err := o.reconcile(); err != nil {
		if o.db != nil {
			_ = guarded(o.db.Close)
		}
		_ = o.lock.Unlock()
		return nil, fmt.Errorf("outbox: open: %w", err)
	}
	o.update = func(fn func(tx *bbolt.Tx) error) error {
		return guarded(func() error { return o.db.Update(fn) })
	}
	if err := o.resumeErase(); err != nil {
		return nil, errors.Join(fmt.Errorf("outbox: open: %w", err), o.Close())
	}
	return o, nil
}

// Close releases the store. Later calls return ErrClosed.
func (o *Outbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.db == nil {
		return nil
	}
	err := guarded(o.db.Close)
	o.db = nil
	if uerr := o.lock.Unlock(); err == nil {
		err = uerr
	}
	if err != nil {
		return fmt.Errorf("outbox: close: %w", err)
	}
	return nil
}

func (o *Outbox) path(sha string) string { return filepath.Join(o.dir, dirPackets, sha+extPacket) }

// NextSeq is the sequence number of this station's next packet. It is taken
// by the packet's Commit and not before: a capture that fails, is withdrawn or
// dies with the program leaves no gap. Of two packets that were sealed with the
// same number the first to be committed has it, and the other is [ErrConflict].
func (o *Outbox) NextSeq() (uint64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.db == nil {
		return 0, ErrClosed
	}
	return o.nextSeq, nil
}

// write runs one index transaction and remembers when the index itself broke.
func (o *Outbox) write(fn func(tx *bbolt.Tx) error) error {
	if o.db == nil {
		return ErrClosed
	}
	err := o.update(fn)
	if err != nil {
		o.writeFailed = true
		if errors.Is(err, errIndex) {
			o.indexFailed = true
		}
	}
	return err
}

// Commit makes a sealed packet durable. When it returns nil the packet is
// safe. After an error nothing is promised and nothing is shown as saved: call
// Commit again with the same Sealed, or give up with [Outbox.Withdraw].
//
// Committing the same bytes twice is a success both times; other bytes under a
// known id or sequence number are [ErrConflict]. It does not take a context:
// half a commit helps nobody.
func (o *Outbox) Commit(s *packet.Sealed) (Entry, error) {
	if s == nil {
		return Entry{}, fmt.Errorf("%w: nothing sealed", ErrInvalid)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.db == nil {
		return Entry{}, ErrClosed
	}
	// The bytes are checked while the disk takes them, under a name that a start
	// removes; they get their own name only when they passed.
	checked := make(chan error, 1)
	go func() { checked <- o.checkSealed(s) }()
	if id, ok := o.rows.bySeq[s.Header.Seq]; ok && id != s.ID {
		return Entry{}, cmp.Or(<-checked, fmt.Errorf("%w: sequence number %d", ErrConflict, s.Header.Seq))
	}
	if e, ok := o.rows.get(s.ID); ok {
		if err := <-checked; err != nil {
			return Entry{}, err
		}
		return o.commitAgain(e, s)
	}
	if err := o.clearLeftovers(s); err != nil {
		return Entry{}, cmp.Or(<-checked, fmt.Errorf("outbox: commit: clear what a failed one left: %w", err))
	}
	o.leftovers[s.SHA256] = leftover{s.ID, s.Header.Seq}
	if err := o.writeFile(s, checked); err != nil {
		if errors.Is(err, ErrInvalid) {
			delete(o.leftovers, s.SHA256) // it never had a name of its own
		}
		return Entry{}, err
	}
	e := newEntry(s.Header, s.SHA256, int64(len(s.Bytes)), o.now())
	next := max(o.nextSeq, e.Seq+1)
	err := o.write(func(tx *bbolt.Tx) error {
		if err := putEntry(tx, e); err != nil {
			return err
		}
		meta := tx.Bucket(bucketMeta)
		if err := putUint(meta, keyNextSeq, next); err != nil {
			return err
		}
		if s.AuditHead == "" {
			return nil
		}
		return putValue(meta, keyAuditHead, []byte(s.AuditHead))
	})
	if err != nil {
		return Entry{}, fmt.Errorf("outbox: commit: index: %w", err)
	}
	if s.AuditHead != "" {
		o.auditHead = s.AuditHead
	}
	delete(o.leftovers, s.SHA256)
	o.rows.put(e)
	o.nextSeq = next
	o.writeFailed = false
	return e, nil
}

// commitAgain answers for a packet that has a row. Where its file was lost
// since, the caller still has the bytes: they are put back.
func (o *Outbox) commitAgain(e Entry, s *packet.Sealed) (Entry, error) {
	if e.SHA256 != s.SHA256 {
		return Entry{}, fmt.Errorf("%w: id %s", ErrConflict, s.ID)
	}
	if e.Fault == "" || e.State == Purged {
		return e, nil
	}
	checked := make(chan error, 1)
	checked <- nil
	if err := o.writeFile(s, checked); err != nil {
		return Entry{}, err
	}
	e.Fault = ""
	o.rows.put(e)
	return e, nil
}

// clearLeftovers removes what failed commits of other packets with the same
// number left, so that no start finds two packets under one number.
func (o *Outbox) clearLeftovers(s *packet.Sealed) error {
	for sha, l := range o.leftovers {
		if sha == s.SHA256 || l.seq != s.Header.Seq {
			continue
		}
		if err := o.remove(l.id, sha); err != nil {
			return err
		}
	}
	return nil
}

// checkSealed makes sure that the bytes are still what was sealed, by this
// station, under the id and the number that the caller believes. What came from
// packet.Seal was verified there: once a packet of the same key has passed
// Verify, the digest alone tells that another is still that very packet.
func (o *Outbox) checkSealed(s *packet.Sealed) error {
	signer, intact := s.Intact()
	if intact && o.signer.Equal(signer) {
		return nil
	}
	p, err := o.verify(s.Bytes)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if p.SHA256 != s.SHA256 {
		return fmt.Errorf("%w: bytes changed since sealing", ErrInvalid)
	}
	if p.Header.ID != s.ID || !p.Header.Equal(s.Header) {
		return fmt.Errorf("%w: id or header differ from what was signed", ErrInvalid)
	}
	if intact {
		o.signer = signer
	}
	return nil
}

// writeFile puts the bytes under their final name, durably, once checked says
// that they are good. It always writes afresh, also over a file that is already
// there: after a failed fsync nobody knows what the disk holds, and only a new
// write with a new fsync can tell.
func (o *Outbox) writeFile(s *packet.Sealed, checked <-chan error) error {
	final := o.path(s.SHA256)
	tmp := filepath.Join(o.dir, dirPackets, ulid.Make().String()+extTemp)
	err := o.writeTemp(tmp, s.Bytes)
	failed := err != nil
	if bad := <-checked; bad != nil {
		err = bad
	}
	if err == nil {
		if err = o.fsys.Rename(tmp, final); err != nil {
			failed, err = true, fmt.Errorf("outbox: commit: rename: %w", err)
		}
	}
	if err != nil {
		o.writeFailed = o.writeFailed || failed
		// Best effort: Open removes what is left.
		if rerr := o.fsys.Remove(tmp); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
			o.log.Warn("outbox: temporary file stays until the next start", "err", rerr)
		}
		return err
	}
	if err := o.fsys.SyncDir(filepath.Dir(final)); err != nil {
		o.writeFailed = true
		return fmt.Errorf("outbox: commit: sync directory: %w", err)
	}
	return nil
}

func (o *Outbox) writeTemp(tmp string, b []byte) error {
	f, err := o.fsys.Create(tmp)
	if err != nil {
		return fmt.Errorf("outbox: commit: create: %w", err)
	}
	n, err := f.Write(b)
	if err == nil && n != len(b) {
		err = fmt.Errorf("%d of %d bytes written", n, len(b))
	}
	if err != nil {
		_ = f.Close() // the write error is the one to tell
		return fmt.Errorf("outbox: commit: write: %w", err)
	}
	if err := f.Sync(); err != nil {
		_ = f.Close() // the sync error is the one to tell
		return fmt.Errorf("outbox: commit: sync: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("outbox: commit: close: %w", err)
	}
	return nil
}

// Withdraw gives up a packet whose Commit failed, so that a new start does not
// find half of it and send it beside its successor. It refuses one that is
// safely committed.
func (o *Outbox) Withdraw(s *packet.Sealed) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.db == nil {
		return ErrClosed
	}
	if _, ok := o.rows.get(s.ID); ok {
		return fmt.Errorf("%w: packet is committed", ErrConflict)
	}
	if err := o.remove(s.ID, s.SHA256); err != nil {
		return fmt.Errorf("outbox: withdraw: %w", err)
	}
	return nil
}

// remove takes a packet that was never committed off the disk, durably.
func (o *Outbox) remove(id ulid.ULID, sha string) error {
	// The row may be there although the transaction reported an error.
	if err := o.write(func(tx *bbolt.Tx) error { return tx.Bucket(bucketPackets).Delete(id[:]) }); err != nil {
		return err
	}
	if err := o.fsys.Remove(o.path(sha)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := o.fsys.SyncDir(filepath.Join(o.dir, dirPackets)); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	delete(o.leftovers, sha)
	return nil
}

// Get returns one packet's entry.
func (o *Outbox) Get(id ulid.ULID) (Entry, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.whole(id)
}

// whole returns one entry with its verdict, which of a settled row is in the
// index alone.
func (o *Outbox) whole(id ulid.ULID) (Entry, error) {
	e, ok := o.rows.get(id)
	if !ok {
		return Entry{}, ErrUnknown
	}
	if !o.rows.inIndex(id) {
		return e, nil
	}
	if o.db == nil {
		return Entry{}, ErrClosed
	}
	err := guarded(func() error {
		return o.db.View(func(tx *bbolt.Tx) error {
			b, err := getValue(tx.Bucket(bucketPackets), id[:])
			if err != nil {
				return err
			}
			e, err = decodeRow(b)
			return err
		})
	})
	if err != nil {
		return Entry{}, fmt.Errorf("outbox: read row: %w", err)
	}
	o.openVerdict(&e)
	return e, nil
}

// List returns every entry, lowest sequence number first; of purged packets
// without the verdict, which [Outbox.Get] has.
func (o *Outbox) List() []Entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rows.list()
}

// Pending returns what is due to be sent at now, oldest first. What it costs
// grows with what is unsent, not with what is stored.
func (o *Outbox) Pending(now time.Time) []Entry {
	return o.pick(o.rows.unsent, func(e *Entry) bool { return e.waiting() && !e.Next.After(now) })
}

// Rejected returns the packets that a reviewer rejected, oldest first.
func (o *Outbox) Rejected() []Entry {
	return o.pick(o.rows.rejected, func(*Entry) bool { return true })
}

// pick copies the entries of one of the sets of rows that keep accepts.
func (o *Outbox) pick(set map[ulid.ULID]*Entry, keep func(*Entry) bool) []Entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []Entry
	for _, e := range set {
		if keep(e) {
			out = append(out, *e)
		}
	}
	slices.SortFunc(out, bySequence)
	return out
}

// NextDue is when the next packet wants to be sent; false = none is waiting.
func (o *Outbox) NextDue() (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var at time.Time
	found := false
	for _, e := range o.rows.unsent {
		if e.waiting() && (!found || e.Next.Before(at)) {
			at, found = e.Next, true
		}
	}
	return at, found
}

// Read returns the bytes of a packet, checked against its digest.
func (o *Outbox) Read(id ulid.ULID) ([]byte, error) {
	e, err := o.Get(id)
	if err != nil {
		return nil, err
	}
	if e.State == Purged {
		return nil, fmt.Errorf("%w: purged", ErrFile)
	}
	b, fault, err := o.readFile(e)
	o.mu.Lock()
	defer o.mu.Unlock()
	if now, ok := o.rows.get(id); ok && now.State != Purged && (err == nil || fault != "") && now.Fault != fault {
		e := now
		e.Fault = fault
		if fault != "" {
			o.log.Error("outbox: packet file is not what was sealed", "packet", id.String(), "fault", string(fault))
		}
		if fault == Damaged {
			// Kept, but never where something could take it for the packet.
			if qerr := o.quarantine(e.SHA256); qerr != nil {
				o.log.Error("outbox: damaged packet not moved to quarantine", "packet", id.String(), "err", qerr)
			}
		}
		o.rows.put(e)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return b, nil
}

// quarantine moves a file out of the packets, durably. The name begins with
// the digest, so that a later start knows what became of the file.
func (o *Outbox) quarantine(sha string) error {
	kept := filepath.Join(o.dir, dirQuarantine, sha+"-"+ulid.Make().String()+extPacket)
	if err := o.fsys.Rename(o.path(sha), kept); err != nil {
		return fmt.Errorf("quarantine packet: %w", err)
	}
	for _, d := range []string{dirQuarantine, dirPackets} {
		if err := o.fsys.SyncDir(filepath.Join(o.dir, d)); err != nil {
			return fmt.Errorf("quarantine packet: sync directory: %w", err)
		}
	}
	return nil
}

// readFile tells a file that is gone or changed (a fault) from one that could
// not be read just now (an error only).
func (o *Outbox) readFile(e Entry) ([]byte, Fault, error) {
	b, err := o.fsys.ReadFile(o.path(e.SHA256), int64(packet.MaxSize))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, Missing, err
	case err != nil:
		return nil, "", err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != e.SHA256 {
		return nil, Damaged, errors.New("digest differs")
	}
	return b, "", nil
}

// change edits one entry in one transaction; memory follows only when the disk has it.
func (o *Outbox) change(id ulid.ULID, what string, edit func(e *Entry) error, also func(tx *bbolt.Tx) error) (Entry, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old, err := o.whole(id)
	if err != nil {
		return Entry{}, err
	}
	e := old
	if err := edit(&e); err != nil {
		return old, err
	}
	err = o.write(func(tx *bbolt.Tx) error {
		if err := putEntry(tx, e); err != nil {
			return err
		}
		if also != nil {
			return also(tx)
		}
		return nil
	})
	if err != nil {
		return old, fmt.Errorf("outbox: %s: %w", what, err)
	}
	o.rows.put(e)
	return e, nil
}

// maxLastError bounds what a broken server can make the index grow by.
const maxLastError = 200

// Schedule notes a failed attempt and when to try again. lastErr must carry
// no personal data.
func (o *Outbox) Schedule(id ulid.ULID, next time.Time, attempts int, lastErr string) error {
	_, err := o.change(id, "schedule", func(e *Entry) error {
		e.Next, e.Attempts = next, attempts
		e.LastError = strings.ToValidUTF8(lastErr[:min(len(lastErr), maxLastError)], "")
		return nil
	}, nil)
	return err
}

// errStale ends change without a write: the news is old.
var errStale = errors.New("outbox: nothing new")

// Acknowledge notes central's word on a packet: stored, opened or refused.
// proof is the signed envelope that the caller has verified; it is kept as
// evidence. An acknowledgement of other bytes is [ErrAckMismatch] and changes
// nothing; one that is repeated or older than the last changes nothing either.
func (o *Outbox) Acknowledge(ack wire.Ack, proof wire.Signed) (Entry, error) {
	id, err := ulid.ParseStrict(ack.ID)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: id", ErrAckMismatch)
	}
	e, err := o.change(id, "acknowledge", func(e *Entry) error {
		if ack.SHA256 != e.SHA256 || ack.Size != e.Size || ack.StationID != e.Station {
			return ErrAckMismatch
		}
		return e.apply(ack, o.now())
	}, func(tx *bbolt.Tx) error { return putProof(tx, id, ack.Stage, proof) })
	if errors.Is(err, errStale) {
		return e, nil
	}
	return e, err
}

func (e *Entry) apply(ack wire.Ack, now time.Time) error {
	switch ack.Stage {
	case wire.AckStored:
		if e.State != Saved {
			return errStale
		}
		e.State, e.StoredAt = Stored, now
	case wire.AckOpened, wire.AckRefused:
		if e.State == Purged || !e.DecidedAt.IsZero() && !ack.At.After(e.DecidedCentral) {
			return errStale
		}
		if e.StoredAt.IsZero() {
			e.StoredAt = now
		}
		e.DecidedAt, e.DecidedCentral, e.Reason = now, ack.At, ack.Reason
		e.State = Opened
		if ack.Stage == wire.AckRefused {
			e.State = Refused
		}
	default:
		return fmt.Errorf("%w: stage", ErrAckMismatch)
	}
	e.LastError = ""
	return nil
}

// Proof returns central's signed acknowledgement of a stage, if there is one.
func (o *Outbox) Proof(id ulid.ULID, stage string) (wire.Signed, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.db == nil {
		return wire.Signed{}, false, ErrClosed
	}
	var b []byte
	err := guarded(func() error {
		return o.db.View(func(tx *bbolt.Tx) error {
			v, err := getValue(tx.Bucket(bucketProofs), append(id[:], stage...))
			b = bytes.Clone(v)
			return err
		})
	})
	if err != nil || b == nil {
		return wire.Signed{}, false, err
	}
	s, err := decodeProof(b)
	return s, err == nil, err
}

// SetVerdict keeps a reviewer's decision with its packet. Older ones change nothing.
func (o *Outbox) SetVerdict(v wire.Verdict) (Entry, error) {
	id, err := ulid.ParseStrict(v.PacketID)
	if err != nil {
		return Entry{}, ErrUnknown
	}
	e, err := o.change(id, "verdict", func(e *Entry) error {
		if e.Reason == ReasonErased || e.Verdict != nil && !v.At.After(e.Verdict.At) {
			return errStale
		}
		e.Verdict = &v
		e.sealed, err = o.sealVerdict(id, v)
		return err
	}, nil)
	if errors.Is(err, errStale) {
		return e, nil
	}
	return e, err
}

// Cursor returns a named position in central's feeds, 0 at first.
func (o *Outbox) Cursor(name string) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cursors[name]
}

// SetCursor keeps a named position.
func (o *Outbox) SetCursor(name string, v uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cursors[name] == v {
		return nil
	}
	err := o.write(func(tx *bbolt.Tx) error {
		return putUint(tx.Bucket(bucketMeta), []byte(cursorPrefix+name), v)
	})
	if err != nil {
		return fmt.Errorf("outbox: set cursor %s: %w", name, err)
	}
	o.cursors[name] = v
	return nil
}

// AuditHead is the audit chain's head of the last committed packet that had one.
func (o *Outbox) AuditHead() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.auditHead
}

// Purge removes the files of packets that central opened at least retain ago.
// The rows stay, so that an id is never used for other bytes. It returns how
// many were removed and goes on after an error, which it returns at the end.
func (o *Outbox) Purge(now time.Time, retain time.Duration) (int, error) {
	due := slices.DeleteFunc(o.List(), func(e Entry) bool {
		return e.State != Opened || e.DecidedAt.IsZero() || e.DecidedAt.Add(retain).After(now)
	})
	if len(due) == 0 {
		return 0, nil
	}
	if err := o.saveSequence(); err != nil {
		return 0, fmt.Errorf("outbox: purge: %w", err)
	}
	var errs []error
	n := 0
	for _, e := range due {
		if err := o.provenOpened(e); err != nil {
			errs = append(errs, fmt.Errorf("outbox: purge: packet %s is kept: %w", e.ID, err))
			continue
		}
		// The row first: a crash between the two leaves a purged row with a
		// file, which Open finishes; the other way round it would be an alarm.
		_, err := o.change(e.ID, "purge", func(e *Entry) error {
			if e.State != Opened {
				return errStale // refused in the meantime: kept
			}
			e.State = Purged
			return nil
		}, nil)
		if err != nil {
			if !errors.Is(err, errStale) {
				errs = append(errs, err)
			}
			continue
		}
		if err := o.fsys.Remove(o.path(e.SHA256)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("outbox: purge: %w", err))
			continue
		}
		n++
	}
	if err := o.fsys.SyncDir(filepath.Join(o.dir, dirPackets)); err != nil {
		errs = append(errs, fmt.Errorf("outbox: purge: sync directory: %w", err))
	}
	return n, errors.Join(errs...)
}

// errUnproven: the index says opened, but central's word for it is not there.
var errUnproven = errors.New("central's acknowledgement is missing or does not verify")

// provenOpened looks once more at central's signed word before anything is
// deleted on its strength: an index is only a file.
func (o *Outbox) provenOpened(e Entry) error {
	if o.openAck == nil {
		return nil
	}
	proof, ok, err := o.Proof(e.ID, wire.AckOpened)
	if err != nil {
		return err
	}
	if !ok {
		return errUnproven
	}
	ack, err := o.openAck(proof)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnproven, err)
	}
	if ack.Stage != wire.AckOpened || ack.ID != e.ID.String() || ack.SHA256 != e.SHA256 || ack.Size != e.Size || ack.StationID != e.Station {
		return fmt.Errorf("%w: it is about something else", errUnproven)
	}
	return nil
}

// saveSequence writes the next sequence number beside the index: once files
// are gone, a rebuilt index could not find it in them any more.
func (o *Outbox) saveSequence() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.db == nil {
		return ErrClosed
	}
	next := o.nextSeq
	path := filepath.Join(o.dir, fileSequence)
	tmp := path + extTemp
	if err := o.fsys.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("save sequence: %w", err)
	}
	if err := o.writeTemp(tmp, []byte(strconv.FormatUint(next, 10)+"\n")); err != nil {
		return fmt.Errorf("save sequence: %w", err)
	}
	if err := o.fsys.Rename(tmp, path); err != nil {
		return fmt.Errorf("save sequence: %w", err)
	}
	return o.fsys.SyncDir(o.dir)
}
