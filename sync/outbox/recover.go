package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func decodeProof(b []byte) (wire.Signed, error) {
	var s wire.Signed
	if err := json.Unmarshal(b, &s); err != nil {
		return wire.Signed{}, fmt.Errorf("outbox: decode proof: %w", err)
	}
	return s, nil
}

// reconcile brings index and files together. Called once, from Open.
func (o *Outbox) reconcile() error {
	if err := o.loadIndex(); err != nil {
		return err
	}
	files, err := o.scanFiles()
	if err != nil {
		return err
	}
	bySHA := make(map[string]*Entry, len(o.entries))
	for _, e := range o.entries {
		bySHA[e.SHA256] = e
	}
	var adopted []Entry
	for sha, size := range files {
		e, known := bySHA[sha]
		switch {
		case known && e.State == Purged:
			// A purge was cut short: finish it.
			if err := o.fsys.Remove(o.path(sha)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("finish purge: %w", err)
			}
		case known:
			if size != e.Size {
				e.Fault = Damaged
			}
		default:
			a, ok, err := o.adopt(sha)
			if err != nil {
				return err
			}
			if ok {
				adopted = append(adopted, a)
			}
		}
	}
	for _, e := range o.entries {
		if _, ok := files[e.SHA256]; !ok && e.State != Purged {
			e.Fault = Missing
			o.log.Error("outbox: a packet's file is missing", "packet", e.ID.String(), "state", string(e.State))
		}
	}
	return o.insert(adopted)
}

func (o *Outbox) loadIndex() error {
	path := filepath.Join(o.dir, fileIndex)
	fresh := false
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := createIndex(o.fsys, path); err != nil {
			return err
		}
		fresh = true
	} else if err != nil {
		return fmt.Errorf("look at index: %w", err)
	}
	db, entries, err := openIndex(path)
	if err != nil && !errors.Is(err, errIndex) {
		return err
	}
	if err != nil {
		o.log.Error("outbox: index is damaged, rebuilding it from the packet files", "err", err)
		kept := filepath.Join(o.dir, dirQuarantine, "index-"+ulid.Make().String()+".db")
		if err := o.fsys.Rename(path, kept); err != nil {
			return fmt.Errorf("quarantine index: %w", err)
		}
		if err := createIndex(o.fsys, path); err != nil {
			return err
		}
		if db, entries, err = openIndex(path); err != nil {
			return fmt.Errorf("open rebuilt index: %w", err)
		}
		o.alarms = append(o.alarms, Alarm{Code: AlarmIndexRebuilt, Detail: "old index kept as " + filepath.Base(kept)})
		fresh = true
	}
	o.db, o.entries = db, entries
	for _, e := range entries {
		o.bySeq[e.Seq] = e.ID
	}
	if fresh {
		if err := o.restoreSequence(); err != nil {
			return err
		}
	}
	return guarded(func() error { return db.View(o.readMeta) })
}

func (o *Outbox) readMeta(tx *bbolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	head, err := getValue(meta, keyAuditHead)
	if err != nil {
		return err
	}
	o.auditHead = string(head)
	c := meta.Cursor()
	for k, _ := c.Seek([]byte(cursorPrefix)); strings.HasPrefix(string(k), cursorPrefix); k, _ = c.Next() {
		v, err := getUint(meta, k)
		if err != nil {
			return err
		}
		o.cursors[strings.TrimPrefix(string(k), cursorPrefix)] = v
	}
	return nil
}

// restoreSequence takes the number kept by saveSequence into a new index.
func (o *Outbox) restoreSequence() error {
	b, err := o.fsys.ReadFile(filepath.Join(o.dir, fileSequence), 64)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read saved sequence: %w", err)
	}
	next, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 63)
	if err != nil {
		return fmt.Errorf("saved sequence %s is not a number", filepath.Join(o.dir, fileSequence))
	}
	return o.db.Update(func(tx *bbolt.Tx) error { return putUint(tx.Bucket(bucketMeta), keyNextSeq, next) })
}

// scanFiles lists the packet files by digest with their sizes and removes
// unfinished temporary ones.
func (o *Outbox) scanFiles() (map[string]int64, error) {
	dir := filepath.Join(o.dir, dirPackets)
	list, err := o.fsys.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list packets: %w", err)
	}
	files := map[string]int64{}
	for _, d := range list {
		name := d.Name()
		switch {
		case strings.HasSuffix(name, extTemp):
			if err := o.fsys.Remove(filepath.Join(dir, name)); err != nil {
				return nil, fmt.Errorf("remove unfinished file: %w", err)
			}
		case strings.HasSuffix(name, extPacket) && d.Type().IsRegular():
			info, err := d.Info()
			if err != nil {
				return nil, fmt.Errorf("look at packet: %w", err)
			}
			files[strings.TrimSuffix(name, extPacket)] = info.Size()
		default:
			o.alarm(AlarmForeignFile, "", "a file that is no packet lies among the packets; it is left alone")
		}
	}
	return files, nil
}

func (o *Outbox) alarm(code, id, detail string) {
	o.alarms = append(o.alarms, Alarm{Code: code, Packet: id, Detail: detail})
	o.log.Error("outbox: alarm", "code", code, "packet", id, "detail", detail)
}

// adopt takes in a file that has no row: its row was lost, or the power went
// between rename and index. It is verified first; what fails is kept in
// quarantine, never deleted and never sent.
func (o *Outbox) adopt(sha string) (Entry, bool, error) {
	path := o.path(sha)
	e, code, err := o.inspect(sha)
	if code == "" && err != nil {
		return Entry{}, false, err
	}
	if code != "" {
		if err := o.fsys.Rename(path, filepath.Join(o.dir, dirQuarantine, sha+extPacket)); err != nil {
			return Entry{}, false, fmt.Errorf("quarantine packet: %w", err)
		}
		id := ""
		if e.ID != (ulid.ULID{}) {
			id = e.ID.String()
		}
		o.alarm(code, id, err.Error())
		return Entry{}, false, nil
	}
	// Whoever wrote it may have died before its fsync.
	if err := o.fsys.SyncFile(path); err != nil {
		return Entry{}, false, fmt.Errorf("adopt: sync: %w", err)
	}
	o.add(e)
	o.log.Warn("outbox: adopted a packet that had no row", "packet", e.ID.String(), "seq", e.Seq)
	return e, true, nil
}

// inspect returns the entry for a file, or an alarm code with its reason, or
// a plain error when the disk would not give the file.
func (o *Outbox) inspect(sha string) (Entry, string, error) {
	b, fault, err := o.readFile(Entry{SHA256: sha})
	switch {
	case fault == Damaged:
		return Entry{}, AlarmForeignFile, errors.New("content does not match its name")
	case err != nil:
		return Entry{}, "", fmt.Errorf("adopt: %w", err)
	}
	h, err := o.verify(b)
	if err != nil {
		return Entry{}, AlarmForeignFile, err
	}
	e := newEntry(h, sha, int64(len(b)), o.now())
	if _, taken := o.entries[h.ID]; taken {
		return e, AlarmIDConflict, errors.New("another file has the same id")
	}
	if _, taken := o.bySeq[h.Seq]; taken {
		return e, AlarmIDConflict, errors.New("another file has the same sequence number")
	}
	return e, "", nil
}

// insert writes the rows of adopted files in one transaction.
func (o *Outbox) insert(adopted []Entry) error {
	if len(adopted) == 0 {
		return nil
	}
	if err := o.fsys.SyncDir(filepath.Join(o.dir, dirPackets)); err != nil {
		return fmt.Errorf("adopt: sync directory: %w", err)
	}
	return guarded(func() error {
		return o.db.Update(func(tx *bbolt.Tx) error {
			meta := tx.Bucket(bucketMeta)
			next, err := getUint(meta, keyNextSeq)
			if err != nil {
				return err
			}
			for _, e := range adopted {
				if err := putEntry(tx, e); err != nil {
					return err
				}
				next = max(next, e.Seq+1)
			}
			return putUint(meta, keyNextSeq, next)
		})
	})
}

// Report is the result of VerifyAll.
type Report struct {
	Checked int   // files read and verified
	Bytes   int64 // read
	Purged  int   // rows whose file is rightly gone
	Bad     []BadPacket
}

// BadPacket is one file that did not verify.
type BadPacket struct {
	ID    ulid.ULID
	State State
	Err   error
}

// VerifyAll reads every packet file and checks its digest, its signature and
// that its header agrees with the index.
func (o *Outbox) VerifyAll(ctx context.Context) (Report, error) {
	var r Report
	for _, e := range o.List() {
		if err := ctx.Err(); err != nil {
			return r, fmt.Errorf("outbox: verify all: %w", err)
		}
		if e.State == Purged {
			r.Purged++
			continue
		}
		if err := o.verifyOne(e, &r); err != nil {
			r.Bad = append(r.Bad, BadPacket{ID: e.ID, State: e.State, Err: err})
		}
	}
	return r, nil
}

func (o *Outbox) verifyOne(e Entry, r *Report) error {
	b, err := o.Read(e.ID)
	if err != nil {
		return err
	}
	r.Checked++
	r.Bytes += int64(len(b))
	var h packet.Header
	if h, err = o.verify(b); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if h.ID != e.ID || h.Seq != e.Seq {
		return fmt.Errorf("%w: header and index differ", ErrInvalid)
	}
	return nil
}
