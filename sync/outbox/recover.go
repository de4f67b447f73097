package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"

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
	bySHA := make(map[string]ulid.ULID, len(o.rows.order))
	for _, e := range o.rows.list() {
		bySHA[e.SHA256] = e.ID
	}
	var adopted []Entry
	for sha, size := range files {
		id, known := bySHA[sha]
		if !known {
			a, ok, err := o.adopt(sha)
			if err != nil {
				return err
			}
			if ok {
				adopted = append(adopted, a)
			}
			continue
		}
		e, _ := o.rows.get(id)
		switch {
		case e.State == Purged:
			// A purge was cut short: finish it.
			if err := o.fsys.Remove(o.path(sha)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("finish purge: %w", err)
			}
		case size != e.Size:
			e.Fault = Damaged
			if err := o.quarantine(sha); err != nil {
				return err
			}
			o.log.Error("outbox: a packet's file has another size", "packet", e.ID.String())
			o.rows.put(e)
		}
	}
	if err := o.markMissing(files); err != nil {
		return err
	}
	return o.insert(adopted)
}

// markMissing notes which rows have no file, and whether it lies in quarantine.
func (o *Outbox) markMissing(files map[string]int64) error {
	var lost []Entry
	for _, e := range o.rows.live {
		if _, ok := files[e.SHA256]; !ok && e.State != Purged {
			lost = append(lost, *e)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	list, err := o.fsys.ReadDir(filepath.Join(o.dir, dirQuarantine))
	if err != nil {
		return fmt.Errorf("list quarantine: %w", err)
	}
	for _, e := range lost {
		e.Fault = Missing
		if slices.ContainsFunc(list, func(d fs.DirEntry) bool { return strings.HasPrefix(d.Name(), e.SHA256) }) {
			e.Fault = Damaged
		}
		o.log.Error("outbox: a packet's file is not there", "packet", e.ID.String(), "state", string(e.State), "fault", string(e.Fault))
		o.rows.put(e)
	}
	return nil
}

func (o *Outbox) loadIndex() error {
	path := filepath.Join(o.dir, fileIndex)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := createIndex(o.fsys, path, nil); err != nil {
			return err
		}
	} else if err != nil {
		return fmt.Errorf("look at index: %w", err)
	}
	db, c, err := openIndex(path)
	if err != nil && !errors.Is(err, errIndex) {
		return err
	}
	if err != nil {
		o.log.Error("outbox: index is damaged, rebuilding it from the packet files", "err", err)
		kept := filepath.Join(o.dir, dirQuarantine, "index-"+ulid.Make().String()+".db")
		if err := o.fsys.Rename(path, kept); err != nil {
			return fmt.Errorf("quarantine index: %w", err)
		}
		if err := createIndex(o.fsys, path, nil); err != nil {
			return err
		}
		if db, c, err = openIndex(path); err != nil {
			return fmt.Errorf("open rebuilt index: %w", err)
		}
		o.alarms = append(o.alarms, Alarm{Code: AlarmIndexRebuilt, Detail: "old index kept as " + filepath.Base(kept)})
	}
	if c.format < indexFormat && o.sealer != nil {
		if db, c, err = o.upgradeIndex(path, db, c); err != nil {
			return err
		}
	}
	o.db = db
	for _, e := range c.entries {
		o.openVerdict(&e)
		o.rows.put(e)
	}
	o.auditHead, o.cursors = c.audit, c.cursors
	saved, err := o.savedSequence()
	if err != nil {
		return err
	}
	o.nextSeq = max(1, c.nextSeq, saved, o.rows.stats.LastSeq+1)
	return nil
}

// upgradeIndex writes an index of an older format anew. Not in place: what it
// had in the clear must not stay behind in pages that are no longer used.
func (o *Outbox) upgradeIndex(path string, db *bbolt.DB, c contents) (*bbolt.DB, contents, error) {
	for i := range c.entries {
		e := &c.entries[i]
		if e.Verdict == nil {
			continue
		}
		var err error
		if e.sealed, err = o.sealVerdict(e.ID, *e.Verdict); err != nil {
			return db, c, fmt.Errorf("upgrade index: %w", err)
		}
	}
	err := guarded(func() error {
		return db.View(func(old *bbolt.Tx) error {
			return createIndex(o.fsys, path, func(tx *bbolt.Tx) error {
				for _, e := range c.entries {
					if err := putEntry(tx, e); err != nil {
						return err
					}
				}
				for _, name := range [][]byte{bucketProofs, bucketMeta} {
					err := old.Bucket(name).ForEach(func(k, v []byte) error {
						if string(k) == string(keyFormat) {
							return nil
						}
						return tx.Bucket(name).Put(k, v)
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
	if cerr := guarded(db.Close); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, c, fmt.Errorf("upgrade index: %w", err)
	}
	return openIndex(path)
}

// savedSequence is the number that saveSequence kept; 0 = none.
func (o *Outbox) savedSequence() (uint64, error) {
	b, err := o.fsys.ReadFile(filepath.Join(o.dir, fileSequence), 64)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read saved sequence: %w", err)
	}
	next, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("saved sequence %s is not a number", filepath.Join(o.dir, fileSequence))
	}
	return next, nil
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
	e, code, err := o.inspect(sha)
	if code == "" && err != nil {
		return Entry{}, false, err
	}
	if code != "" {
		if err := o.quarantine(sha); err != nil {
			return Entry{}, false, err
		}
		id := ""
		if e.ID != (ulid.ULID{}) {
			id = e.ID.String()
		}
		o.alarm(code, id, err.Error())
		return Entry{}, false, nil
	}
	// Whoever wrote it may have died before its fsync.
	if err := o.fsys.SyncFile(o.path(sha)); err != nil {
		return Entry{}, false, fmt.Errorf("adopt: sync: %w", err)
	}
	o.rows.put(e)
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
	p, err := o.verify(b)
	if err != nil {
		return Entry{}, AlarmForeignFile, err
	}
	h := p.Header
	e := newEntry(h, sha, int64(len(b)), o.now())
	if _, taken := o.rows.get(h.ID); taken {
		return e, AlarmIDConflict, errors.New("another file has the same id")
	}
	if _, taken := o.rows.bySeq[h.Seq]; taken {
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
	o.nextSeq = max(o.nextSeq, o.rows.stats.LastSeq+1)
	return guarded(func() error {
		return o.db.Update(func(tx *bbolt.Tx) error {
			for _, e := range adopted {
				if err := putEntry(tx, e); err != nil {
					return err
				}
			}
			return putUint(tx.Bucket(bucketMeta), keyNextSeq, o.nextSeq)
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
	p, err := o.verify(b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if want := newEntry(p.Header, e.SHA256, int64(len(b)), e.SavedAt); want.ID != e.ID || want.Seq != e.Seq || want.Size != e.Size ||
		want.Station != e.Station || want.Spec != e.Spec || !want.Created.Equal(e.Created) || !sameID(want.Supersedes, e.Supersedes) {
		return fmt.Errorf("%w: header and index differ", ErrInvalid)
	}
	// A photo can only replace one that was there before it.
	if e.Supersedes != nil {
		if old, err := o.Get(*e.Supersedes); err == nil && old.Seq >= e.Seq {
			return fmt.Errorf("%w: it supersedes a later packet", ErrInvalid)
		}
	}
	return nil
}

func sameID(a, b *ulid.ULID) bool { return a == b || a != nil && b != nil && *a == *b }
