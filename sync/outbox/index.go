package outbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// errIndex wraps whatever shows that the index cannot be trusted. The index is
// a cache of what the packet files and central say: losing it loses nothing.
var errIndex = errors.New("outbox: index is damaged")

var (
	bucketPackets = []byte("packets") // id → row
	bucketProofs  = []byte("proofs")  // id + stage → central's signed ack
	bucketMeta    = []byte("meta")

	keyFormat    = []byte("format")
	keyNextSeq   = []byte("next_seq")
	keyAuditHead = []byte("audit_head")
)

const (
	// indexFormat 2 seals what reviewers wrote; 1 had it in the clear.
	indexFormat  = 2
	cursorPrefix = "cursor/"
	// indexMap is the address space for the index, so that it is not mapped anew
	// while it grows: 100,000 packets take about 60 MB.
	indexMap = 128 << 20
	// indexGrow is how much the file grows at a time, about 2,000 packets.
	indexGrow = 1 << 20
)

// castagnoli guards every value: bbolt checks its own meta pages only.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func putValue(b *bbolt.Bucket, key, value []byte) error {
	row := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(value)), crc32.Checksum(value, castagnoli))
	return b.Put(key, append(row, value...))
}

// getValue returns nil for a missing key. The result is valid in its transaction only.
func getValue(b *bbolt.Bucket, key []byte) ([]byte, error) {
	row := b.Get(key)
	if row == nil {
		return nil, nil
	}
	return checkValue(row)
}

func checkValue(row []byte) ([]byte, error) {
	if len(row) < 4 || crc32.Checksum(row[4:], castagnoli) != binary.BigEndian.Uint32(row) {
		return nil, fmt.Errorf("%w: a value fails its checksum", errIndex)
	}
	return row[4:], nil
}

func putUint(b *bbolt.Bucket, key []byte, v uint64) error {
	return putValue(b, key, binary.BigEndian.AppendUint64(nil, v))
}

func getUint(b *bbolt.Bucket, key []byte) (uint64, error) {
	v, err := getValue(b, key)
	if err != nil || v == nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, fmt.Errorf("%w: a number has %d bytes", errIndex, len(v))
	}
	return binary.BigEndian.Uint64(v), nil
}

func putEntry(tx *bbolt.Tx, e Entry) error {
	b, err := json.Marshal(rowOf(e))
	if err != nil {
		return fmt.Errorf("encode row: %w", err)
	}
	return putValue(tx.Bucket(bucketPackets), e.ID[:], b)
}

// row is an Entry as the index keeps it: of a verdict only what says nothing
// about the student, and the whole of it sealed beside.
type row struct {
	Entry
	Verdict *rowVerdict `json:"verdict,omitempty"`
	Sealed  []byte      `json:"verdict_sealed,omitempty"`
}

// rowVerdict leaves out what it has nothing to say about.
type rowVerdict struct {
	wire.Verdict
	StudentRef string `json:"student_ref,omitempty"` // format 1 only
}

func rowOf(e Entry) row {
	r := row{Entry: e, Sealed: e.sealed}
	r.Entry.Verdict = nil
	if e.Verdict != nil {
		v := *e.Verdict
		v.NoteZH, v.NoteEN = "", ""
		r.Verdict = &rowVerdict{Verdict: v}
	}
	return r
}

// decodeRow reads what putEntry wrote.
func decodeRow(b []byte) (Entry, error) {
	var r row
	if err := json.Unmarshal(b, &r); err != nil {
		return Entry{}, fmt.Errorf("%w: a row does not decode", errIndex)
	}
	e := r.Entry
	e.sealed = r.Sealed
	if r.Verdict != nil {
		v := r.Verdict.Verdict
		v.StudentRef = r.Verdict.StudentRef
		e.Verdict = &v
	}
	return e, nil
}

// sealContext ties a sealed verdict to its packet.
func sealContext(id ulid.ULID) string { return "outbox/verdict/1/" + id.String() }

// sealVerdict encrypts a verdict for the index; nil without a data key.
func (o *Outbox) sealVerdict(id ulid.ULID, v wire.Verdict) ([]byte, error) {
	if o.sealer == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode verdict: %w", err)
	}
	defer clear(b)
	return o.sealer.Seal(sealContext(id), b), nil
}

// openVerdict reads what sealVerdict wrote. A verdict that the data key does
// not open keeps what is known without it: central tells the rest again.
func (o *Outbox) openVerdict(e *Entry) {
	if o.sealer == nil || e.sealed == nil {
		return
	}
	b, err := o.sealer.Open(sealContext(e.ID), e.sealed)
	if err == nil {
		var v wire.Verdict
		if err = json.Unmarshal(b, &v); err == nil {
			e.Verdict = &v
		}
		clear(b)
	}
	if err != nil {
		o.log.Warn("outbox: a reviewer's note does not open with the data key", "packet", e.ID.String())
	}
}

func putProof(tx *bbolt.Tx, id ulid.ULID, stage string, proof wire.Signed) error {
	b, err := json.Marshal(proof)
	if err != nil {
		return fmt.Errorf("encode proof: %w", err)
	}
	return putValue(tx.Bucket(bucketProofs), append(id[:], stage...), b)
}

// guarded turns what bbolt does on a corrupt file, a panic or a fault on a
// mapped page that is not there, into an error.
func guarded(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errIndex, r)
		}
	}()
	return f()
}

// openBolt opens the index file. The list of free pages is not kept in it but
// counted at each open: a damaged list could have a page that is in use
// written over, and nobody would notice.
func openBolt(path string) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{
		Timeout: time.Second, FreelistType: bbolt.FreelistMapType, NoFreelistSync: true, InitialMmapSize: indexMap,
	})
	if err != nil {
		return nil, err
	}
	db.AllocSize = indexGrow
	return db, nil
}

// createIndex makes an index beside path and renames it into place, since the
// first pages of a new file can be torn by a power cut. fill may be nil.
func createIndex(fsys fileSystem, path string, fill func(tx *bbolt.Tx) error) error {
	tmp := path + ".new"
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove unfinished index: %w", err)
	}
	db, err := openBolt(tmp)
	if err != nil {
		return fmt.Errorf("create index: %w", err)
	}
	// Before bbolt would do it: with blocks of the disk's own.
	if err := fsys.Extend(tmp, indexGrow); err != nil {
		return errors.Join(fmt.Errorf("create index: %w", err), db.Close())
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketPackets, bucketProofs, bucketMeta} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		if err := putUint(tx.Bucket(bucketMeta), keyFormat, indexFormat); err != nil || fill == nil {
			return err
		}
		return fill(tx)
	})
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("create index: %w", err)
	}
	if err := fsys.Rename(tmp, path); err != nil {
		return fmt.Errorf("move new index into place: %w", err)
	}
	if err := fsys.SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("make new index durable: %w", err)
	}
	return nil
}

// contents is all that an index holds, read and checked.
type contents struct {
	format  uint64
	entries []Entry
	nextSeq uint64
	audit   string
	cursors map[string]uint64
}

// openIndex opens and reads the whole index, so that damage is found now and
// not in the middle of a capture.
func openIndex(path string) (db *bbolt.DB, c contents, err error) {
	err = guarded(func() error {
		err := checkPages(path)
		if err != nil {
			return err
		}
		if db, err = openBolt(path); err != nil {
			return openError(err)
		}
		return db.View(func(tx *bbolt.Tx) error {
			c, err = readIndex(tx)
			return err
		})
	})
	if err != nil && db != nil {
		// The process keeps nothing open on a file it is about to move away;
		// a close that fails on a damaged file changes nothing.
		_ = guarded(db.Close)
		db = nil
	}
	return db, c, err
}

// openError tells a damaged file from one that this process may not or cannot
// read just now: only the first is a reason to set it aside.
func openError(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) || errors.Is(err, berrors.ErrTimeout) {
		return fmt.Errorf("open index: %w", err)
	}
	return fmt.Errorf("%w: %w", errIndex, err)
}

func readIndex(tx *bbolt.Tx) (contents, error) {
	c := contents{cursors: map[string]uint64{}}
	packets, proofs, meta := tx.Bucket(bucketPackets), tx.Bucket(bucketProofs), tx.Bucket(bucketMeta)
	if packets == nil || proofs == nil || meta == nil {
		return c, fmt.Errorf("%w: a bucket is missing", errIndex)
	}
	var err error
	if c.format, err = getUint(meta, keyFormat); err != nil {
		return c, err
	}
	if c.format < 1 || c.format > indexFormat {
		return c, fmt.Errorf("%w: format %d, this program writes %d", errIndex, c.format, indexFormat)
	}
	if err := readMeta(meta, &c); err != nil {
		return c, err
	}
	if err := proofs.ForEach(func(_, v []byte) error { _, err := checkValue(v); return err }); err != nil {
		return c, err
	}
	err = packets.ForEach(func(k, v []byte) error {
		b, err := checkValue(v)
		if err != nil {
			return err
		}
		e, err := decodeRow(b)
		if err != nil {
			return err
		}
		if string(e.ID[:]) != string(k) {
			return fmt.Errorf("%w: a row stands under another id", errIndex)
		}
		c.entries = append(c.entries, e)
		return nil
	})
	return c, err
}

func readMeta(meta *bbolt.Bucket, c *contents) error {
	var err error
	if c.nextSeq, err = getUint(meta, keyNextSeq); err != nil {
		return err
	}
	head, err := getValue(meta, keyAuditHead)
	if err != nil {
		return err
	}
	c.audit = string(head)
	return meta.ForEach(func(k, v []byte) error {
		if _, err := checkValue(v); err != nil {
			return err
		}
		name, ok := strings.CutPrefix(string(k), cursorPrefix)
		if !ok {
			return nil
		}
		at, err := getUint(meta, k)
		c.cursors[name] = at
		return err
	})
}
