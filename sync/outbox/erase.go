package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"
	"go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

const (
	dirErase     = "erase" // one file for each request that central has not settled, named by the packet's id
	extErase     = ".json"
	maxErase     = 16 << 10
	stageErased  = "erased" // of central's word among the proofs
	eraseContext = "outbox: erase"
)

// Erase takes a packet back at its student's request. request is the station's
// signed [wire.EraseRequest]; it lies on the disk, durably and beside the index,
// before anything else happens, and stays until central has settled it with
// [Outbox.SettleErase]. A packet that central has not acknowledged is deleted
// here at once; it is asked of central all the same, which may have the bytes
// although its answer was lost. One that central has acknowledged stays until
// then. Erase may be called again, also for a packet that was erased before.
func (o *Outbox) Erase(id ulid.ULID, request wire.Signed) error {
	b, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("%s: encode request: %w", eraseContext, err)
	}
	if len(b) > maxErase {
		return fmt.Errorf("%s: %w: a request of %d bytes", eraseContext, ErrInvalid, len(b))
	}
	if err := o.queueErase(id, b); err != nil {
		return fmt.Errorf("%s: %w", eraseContext, err)
	}
	e, err := o.Get(id)
	if err != nil {
		return fmt.Errorf("%s: %w", eraseContext, err)
	}
	if e.State != Saved {
		return nil
	}
	return o.eraseFile(id, func(e *Entry) error {
		if e.State != Saved {
			return errStale // acknowledged meanwhile: central's word decides
		}
		return nil
	}, nil)
}

// queueErase makes a request durable.
func (o *Outbox) queueErase(id ulid.ULID, b []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.db == nil {
		return ErrClosed
	}
	if _, ok := o.rows.get(id); !ok {
		return ErrUnknown
	}
	dir := filepath.Join(o.dir, dirErase)
	if err := o.fsys.MkdirAll(dir); err != nil {
		return err
	}
	tmp := filepath.Join(dir, ulid.Make().String()+extTemp)
	if err := o.writeTemp(tmp, b); err != nil {
		return errors.Join(err, o.dropTemp(tmp))
	}
	if err := o.fsys.Rename(tmp, o.erasePath(id)); err != nil {
		return errors.Join(fmt.Errorf("rename request: %w", err), o.dropTemp(tmp))
	}
	if err := o.fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return o.fsys.SyncDir(o.dir) // the directory may be new
}

func (o *Outbox) dropTemp(tmp string) error {
	if err := o.fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (o *Outbox) erasePath(id ulid.ULID) string {
	return filepath.Join(o.dir, dirErase, id.String()+extErase)
}

// eraseFile turns a row into an erased one and removes its file. The row first,
// as in Purge: what is cut short in between is finished by the next start.
func (o *Outbox) eraseFile(id ulid.ULID, may func(e *Entry) error, also func(tx *bbolt.Tx) error) error {
	if err := o.saveSequence(); err != nil {
		return fmt.Errorf("%s: %w", eraseContext, err)
	}
	e, err := o.change(id, "erase", func(e *Entry) error {
		if err := may(e); err != nil {
			return err
		}
		e.State, e.Reason, e.LastError, e.Fault = Purged, ReasonErased, "", ""
		e.Verdict, e.sealed = nil, nil // central's reference to the student goes too
		return nil
	}, also)
	if errors.Is(err, errStale) {
		return nil
	}
	if err != nil {
		return err
	}
	return o.removeErased(e.SHA256)
}

// removeErased takes an erased packet off the disk, also what quarantine holds of it.
func (o *Outbox) removeErased(sha string) error {
	kept, err := o.fsys.ReadDir(filepath.Join(o.dir, dirQuarantine))
	if err != nil {
		return fmt.Errorf("%s: list quarantine: %w", eraseContext, err)
	}
	paths := []string{o.path(sha)}
	for _, d := range kept {
		if strings.HasPrefix(d.Name(), sha) {
			paths = append(paths, filepath.Join(o.dir, dirQuarantine, d.Name()))
		}
	}
	for _, p := range paths {
		if err := o.fsys.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s: %w", eraseContext, err)
		}
	}
	for _, d := range []string{dirPackets, dirQuarantine} {
		if err := o.fsys.SyncDir(filepath.Join(o.dir, d)); err != nil {
			return fmt.Errorf("%s: sync directory: %w", eraseContext, err)
		}
	}
	return nil
}

// SettleErase acts on central's word on a request; proof is the signed envelope
// that the caller has verified. With "erased" the packet's file goes and the
// proof stays, with "kept" the packet stays under its retention; both end the
// request. With "decide" nothing changes: it is asked again.
func (o *Outbox) SettleErase(said wire.Erased, proof wire.Signed) error {
	id, err := ulid.ParseStrict(said.ID)
	if err != nil {
		return fmt.Errorf("%s: %w: id", eraseContext, ErrAckMismatch)
	}
	e, err := o.Get(id)
	if err != nil {
		return fmt.Errorf("%s: %w", eraseContext, err)
	}
	if said.SHA256 != e.SHA256 || said.StationID != e.Station {
		return fmt.Errorf("%s: %w", eraseContext, ErrAckMismatch)
	}
	switch said.State {
	case wire.EraseDecide:
		return nil
	case wire.EraseKept:
	case wire.EraseDone:
		err := o.eraseFile(id, func(*Entry) error { return nil }, func(tx *bbolt.Tx) error { return putProof(tx, id, stageErased, proof) })
		if err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s: %w: state", eraseContext, ErrAckMismatch)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fsys.Remove(o.erasePath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: end request: %w", eraseContext, err)
	}
	if err := o.fsys.SyncDir(filepath.Join(o.dir, dirErase)); err != nil {
		return fmt.Errorf("%s: end request: %w", eraseContext, err)
	}
	return nil
}

// Erasing returns the requests that central has not settled, oldest packet
// first. One that does not read is logged and left where it is.
func (o *Outbox) Erasing() ([]wire.Signed, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ids, err := o.listErase()
	if err != nil {
		return nil, err
	}
	var out []wire.Signed
	for _, id := range ids {
		b, err := o.fsys.ReadFile(o.erasePath(id), maxErase)
		if err != nil {
			return nil, fmt.Errorf("%s: read request: %w", eraseContext, err)
		}
		var s wire.Signed
		if err := json.Unmarshal(b, &s); err != nil {
			o.log.Error("outbox: a request to erase does not read", "packet", id.String())
			continue
		}
		out = append(out, s)
	}
	return out, nil
}

// listErase lists the packets for which a request is there.
func (o *Outbox) listErase() ([]ulid.ULID, error) {
	list, err := o.fsys.ReadDir(filepath.Join(o.dir, dirErase))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: list requests: %w", eraseContext, err)
	}
	var ids []ulid.ULID
	for _, d := range list {
		name, ok := strings.CutSuffix(d.Name(), extErase)
		if id, err := ulid.ParseStrict(name); ok && err == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, ulid.ULID.Compare)
	return ids, nil
}

// resumeErase finishes at Open what was cut short: a request that was queued
// while its packet was still unsent, and a row whose file is not gone yet. What
// a rebuilt index takes for unsent goes as well: its student asked for it.
func (o *Outbox) resumeErase() error {
	dir := filepath.Join(o.dir, dirErase)
	list, err := o.fsys.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list requests to erase: %w", err)
	}
	for _, d := range list {
		if strings.HasSuffix(d.Name(), extTemp) {
			if err := o.dropTemp(filepath.Join(dir, d.Name())); err != nil {
				return fmt.Errorf("remove unfinished request: %w", err)
			}
		}
	}
	ids, err := o.listErase()
	if err != nil {
		return err
	}
	for _, id := range ids {
		e, ok := o.rows.get(id)
		if !ok || e.State == Purged && e.Reason != ReasonErased {
			continue
		}
		switch e.State {
		case Saved:
			err = o.eraseFile(id, func(*Entry) error { return nil }, nil)
		case Purged:
			err = o.removeErased(e.SHA256)
		case Stored, Opened, Refused:
		}
		if err != nil {
			return err
		}
	}
	return nil
}
