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
	indexFormat  = 1
	cursorPrefix = "cursor/"
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
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode row: %w", err)
	}
	return putValue(tx.Bucket(bucketPackets), e.ID[:], b)
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

func boltOptions() *bbolt.Options {
	return &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType}
}

// createIndex makes an empty index beside path and renames it into place, since
// the first pages of a new file can be torn by a power cut.
func createIndex(fsys fileSystem, path string) error {
	tmp := path + ".new"
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove unfinished index: %w", err)
	}
	db, err := bbolt.Open(tmp, fileMode, boltOptions())
	if err != nil {
		return fmt.Errorf("create index: %w", err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketPackets, bucketProofs, bucketMeta} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return putUint(tx.Bucket(bucketMeta), keyFormat, indexFormat)
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

// openIndex opens and reads the whole index, so that damage is found now and
// not in the middle of a capture.
func openIndex(path string) (db *bbolt.DB, entries map[ulid.ULID]*Entry, err error) {
	err = guarded(func() error {
		var err error
		if db, err = bbolt.Open(path, fileMode, boltOptions()); err != nil {
			return openError(err)
		}
		return db.View(func(tx *bbolt.Tx) error {
			entries, err = readIndex(tx)
			return err
		})
	})
	if err != nil && db != nil {
		// The process keeps nothing open on a file it is about to move away;
		// a close that fails on a damaged file changes nothing.
		_ = guarded(db.Close)
		db = nil
	}
	return db, entries, err
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

func readIndex(tx *bbolt.Tx) (map[ulid.ULID]*Entry, error) {
	packets, proofs, meta := tx.Bucket(bucketPackets), tx.Bucket(bucketProofs), tx.Bucket(bucketMeta)
	if packets == nil || proofs == nil || meta == nil {
		return nil, fmt.Errorf("%w: a bucket is missing", errIndex)
	}
	format, err := getUint(meta, keyFormat)
	if err != nil {
		return nil, err
	}
	if format != indexFormat {
		return nil, fmt.Errorf("%w: format %d, this program writes %d", errIndex, format, indexFormat)
	}
	for _, b := range []*bbolt.Bucket{meta, proofs} {
		if err := b.ForEach(func(_, v []byte) error { _, err := checkValue(v); return err }); err != nil {
			return nil, err
		}
	}
	entries := map[ulid.ULID]*Entry{}
	err = packets.ForEach(func(k, v []byte) error {
		b, err := checkValue(v)
		if err != nil {
			return err
		}
		e := new(Entry)
		if err := json.Unmarshal(b, e); err != nil {
			return fmt.Errorf("%w: a row does not decode", errIndex)
		}
		if string(e.ID[:]) != string(k) {
			return fmt.Errorf("%w: a row stands under another id", errIndex)
		}
		entries[e.ID] = e
		return nil
	})
	return entries, err
}
