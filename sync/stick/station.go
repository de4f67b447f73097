package stick

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Exported says what came of an export.
type Exported struct {
	Packets int   // on the stick now, whole and read back
	Copied  int   // of them new
	Bytes   int64 // copied
	Faulty  int   // not exported: their file here is missing or damaged
	Erase   int   // requests to erase, on the stick now
}

// Export copies packets that central has not acknowledged to the stick, and
// with all set also those that it has but that are still here. It may be
// interrupted and repeated: what is there and whole is not written again.
// Nothing changes in the outbox, for nothing is sent yet.
func Export(ctx context.Context, root, station string, box *outbox.Outbox, all bool) (Exported, error) {
	dir := filepath.Join(PacketRoot(root), station)
	// Modes are a matter of the stick's file system, and its own directory is
	// not ours to change.
	if err := os.MkdirAll(dir, durable.DirMode); err != nil {
		return Exported{}, fmt.Errorf("stick: export: %w", err)
	}
	if err := sweep(dir); err != nil {
		return Exported{}, fmt.Errorf("stick: export: %w", err)
	}
	var x Exported
	if err := exportErase(dir, box, &x); err != nil {
		return x, fmt.Errorf("stick: export requests to erase: %w", err)
	}
	for _, e := range box.List() {
		if err := ctx.Err(); err != nil {
			return x, fmt.Errorf("stick: export: %w", err)
		}
		if e.State == outbox.Purged || e.State != outbox.Saved && !all {
			continue
		}
		path := filepath.Join(dir, e.SHA256+extPacket)
		if same(path, e.SHA256) {
			x.Packets++
			continue
		}
		b, err := box.Read(e.ID)
		if errors.Is(err, outbox.ErrFile) {
			x.Faulty++
			continue
		}
		if err != nil {
			return x, fmt.Errorf("stick: export: %w", err)
		}
		if err := durable.WriteFile(path, b); err != nil {
			return x, fmt.Errorf("stick: export packet %s: %w", e.ID, err)
		}
		// A worn stick takes everything and keeps something else.
		if !same(path, e.SHA256) {
			return x, fmt.Errorf("stick: export packet %s: the stick does not give back what was written to it", e.ID)
		}
		x.Packets++
		x.Copied++
		x.Bytes += int64(len(b))
	}
	return x, nil
}

// exportErase makes the requests on the stick those that central has not
// settled, and takes their packets off it: what a student wants erased travels
// no further.
func exportErase(dir string, box *outbox.Outbox, x *Exported) error {
	requests, err := box.Erasing()
	if err != nil {
		return err
	}
	want := map[string]bool{}
	for _, request := range requests {
		var asked wire.EraseRequest
		if err := json.Unmarshal(request.Payload, &asked); err != nil {
			continue // the outbox queues none that does not read
		}
		if _, err := ulid.ParseStrict(asked.Packet.ID); err != nil || filepath.Base(asked.Packet.SHA256) != asked.Packet.SHA256 {
			continue // neither may lead elsewhere
		}
		b, err := json.Marshal(request)
		if err != nil {
			return err
		}
		name := asked.Packet.ID + extErase
		want[name] = true
		if err := durable.WriteFile(filepath.Join(dir, name), b); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(dir, asked.Packet.SHA256+extPacket)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		x.Erase++
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range list {
		if name := d.Name(); strings.HasSuffix(name, extErase) && !want[name] {
			if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// sweep removes the unfinished files of an export that was cut short.
func sweep(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range list {
		if name := d.Name(); strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".tmp") {
			if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// same reads a file from the stick itself, past what the kernel remembers of
// it, and compares the digest.
func same(path, sha string) bool {
	forget(path)
	b, err := durable.ReadFile(path, int64(packet.MaxSize))
	if err != nil {
		return false
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]) == sha
}

// Roster is where central's list of students goes.
type Roster interface {
	Cursor() uint64
	Apply(d wire.RosterDelta) error
}

// Reader is the station that reads answers.
type Reader struct {
	Station  string
	ClaimKey []byte            // shared with central
	Central  ed25519.PublicKey // whose signature counts
	Outbox   *outbox.Outbox
	Roster   Roster
	// Recipients takes central's signed word on whom to seal for; optional.
	Recipients func(wire.Signed) error
}

// Imported says what came of an import.
type Imported struct {
	Acks     int // acknowledgements of packets that this station has
	Verdicts int
	Erased   int  // requests to erase that central has settled
	Students int  // on the list that was taken over
	Roster   bool // a newer list was there
	// Strange counts acknowledgements of other bytes than this station has: an
	// alarm, since central never signs such a thing.
	Strange int
	// Unknown counts what is about packets that this station does not have.
	Unknown int
}

// Import takes in central's answers. Each counts because central signed it for
// this station and for no other reason; what is known already changes nothing,
// and a list of students older than the present one is left aside. It may be
// repeated. A torn file gives ErrTorn after everything before the tear was
// taken in, but for the list of students, which is taken whole or not at all.
func (r *Reader) Import(ctx context.Context, root string) (Imported, error) {
	var x Imported
	f, err := os.Open(AnswersPath(root, r.Station))
	if err != nil {
		return x, fmt.Errorf("stick: import: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	var pages []wire.RosterDelta
	err = ReadAnswers(f, r.ClaimKey, r.Station, func(s wire.Signed) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch s.Type {
		case wire.TypeAck:
			return r.ack(s, &x)
		case wire.TypeVerdicts:
			return r.verdicts(s, &x)
		case wire.TypeErased:
			return r.erased(s, &x)
		case wire.TypeRoster:
			var d wire.RosterDelta
			if err := r.open(s, &d); err != nil {
				return err
			}
			if d.StationID != r.Station {
				return fmt.Errorf("%w: a list for another station", ErrAnswers)
			}
			pages = append(pages, d)
			return nil
		}
		if s.Type == wire.TypeRecipients && r.Recipients != nil {
			return r.Recipients(s)
		}
		return nil // of a newer central; it says the same by network
	})
	if err != nil {
		return x, fmt.Errorf("stick: import: %w", err)
	}
	if err := r.roster(pages, &x); err != nil {
		return x, fmt.Errorf("stick: import: %w", err)
	}
	return x, nil
}

func (r *Reader) open(s wire.Signed, v any) error {
	if err := s.Open(r.Central, s.Type, v); err != nil {
		return fmt.Errorf("%w: %w", ErrAnswers, err)
	}
	return nil
}

func (r *Reader) ack(s wire.Signed, x *Imported) error {
	var ack wire.Ack
	if err := r.open(s, &ack); err != nil {
		return err
	}
	if ack.StationID != r.Station {
		return fmt.Errorf("%w: an acknowledgement for another station", ErrAnswers)
	}
	switch _, err := r.Outbox.Acknowledge(ack, s); {
	case errors.Is(err, outbox.ErrAckMismatch):
		x.Strange++
	case errors.Is(err, outbox.ErrUnknown):
		x.Unknown++
	case err != nil:
		return err
	default:
		x.Acks++
	}
	return nil
}

// erased takes central's word on a request to erase.
func (r *Reader) erased(s wire.Signed, x *Imported) error {
	var said wire.Erased
	if err := r.open(s, &said); err != nil {
		return err
	}
	if said.StationID != r.Station {
		return fmt.Errorf("%w: an erasure for another station", ErrAnswers)
	}
	switch err := r.Outbox.SettleErase(said, s); {
	case errors.Is(err, outbox.ErrAckMismatch):
		x.Strange++
	case errors.Is(err, outbox.ErrUnknown):
		x.Unknown++
	case err != nil:
		return err
	case said.State != wire.EraseDecide:
		x.Erased++
	}
	return nil
}

func (r *Reader) verdicts(s wire.Signed, x *Imported) error {
	var v wire.Verdicts
	if err := r.open(s, &v); err != nil {
		return err
	}
	if v.StationID != r.Station {
		return fmt.Errorf("%w: verdicts for another station", ErrAnswers)
	}
	for _, verdict := range v.Verdicts {
		switch _, err := r.Outbox.SetVerdict(verdict); {
		case errors.Is(err, outbox.ErrUnknown):
			x.Unknown++
		case err != nil:
			return err
		default:
			x.Verdicts++
		}
	}
	for _, ack := range v.Acks {
		if err := r.ack(ack, x); err != nil {
			return err
		}
	}
	return nil
}

// roster takes over a list that is newer than the station's own.
func (r *Reader) roster(pages []wire.RosterDelta, x *Imported) error {
	if len(pages) == 0 || !pages[0].Full || pages[len(pages)-1].More || pages[len(pages)-1].Cursor <= r.Roster.Cursor() {
		return nil
	}
	for _, d := range pages {
		if err := r.Roster.Apply(d); err != nil {
			return err
		}
		x.Students += len(d.Upsert)
	}
	x.Roster = true
	return nil
}

// Files lists the packet files on a stick, whatever station they are of, or
// those that lie straight in the directory.
func Files(root string) ([]string, error) { return files(root, extPacket) }

// EraseFiles lists the requests to erase in the same way.
func EraseFiles(root string) ([]string, error) { return files(root, extErase) }

func files(root, ext string) ([]string, error) {
	dirs := []string{root}
	stations, err := os.ReadDir(PacketRoot(root))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("stick: look for packets: %w", err)
	}
	for _, d := range stations {
		if d.IsDir() {
			dirs = append(dirs, filepath.Join(PacketRoot(root), d.Name()))
		}
	}
	var out []string
	for _, dir := range dirs {
		list, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("stick: look for packets: %w", err)
		}
		for _, d := range list {
			if name := d.Name(); strings.HasSuffix(name, ext) && !strings.HasPrefix(name, ".") {
				out = append(out, filepath.Join(dir, name))
			}
		}
	}
	return out, nil
}
