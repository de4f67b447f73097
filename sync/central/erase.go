package central

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// erasureRow is a student's wish about a packet, as the station signed it.
type erasureRow struct {
	Packet  string      `json:"packet"`
	Station string      `json:"station"`
	State   string      `json:"state"` // wire.Erase…
	AskedAt time.Time   `json:"asked_at"`
	Decided string      `json:"decided,omitempty"` // who decided about an approved photo
	At      time.Time   `json:"at"`                // of State
	Request wire.Signed `json:"request"`           // the station's own, for whoever asks why a photo is gone
}

// Erasure is a wish to erase an approved photo, for a person to decide.
type Erasure struct {
	Packet  string    `json:"packet"`
	Station string    `json:"station"`
	AskedAt time.Time `json:"asked_at"`
}

var errEraseRefused = &apiError{http.StatusForbidden, wire.CodeEraseRefused, "the request is not signed by the station whose packet it is", 0}

// handleErase erases one packet of the station that asks.
func (s *Server) handleErase(w http.ResponseWriter, r *http.Request, st Station, body []byte) error {
	var signed wire.Signed
	if err := decodeJSON(body, &signed); err != nil {
		return err
	}
	var req wire.EraseRequest
	if err := signed.Open(st.PublicKey, wire.TypeErase, &req); err != nil || req.StationID != st.ID {
		s.log.Warn("a request to erase is not the station's own", "station", st.ID, "from", clientIP(r))
		return errEraseRefused
	}
	if err := validDeclaration(req.Packet); err != nil {
		return err
	}
	said, err := s.erase(r.Context(), st, req, signed)
	if err != nil {
		return err
	}
	return s.answer(w, wire.TypeErased, said)
}

// erase does what a verified request asks for, and may be repeated after a crash
// at any point: the row is a tombstone first and the packet's key is dropped,
// then the files go and the master key changes, then it is said.
func (s *Server) erase(ctx context.Context, st Station, req wire.EraseRequest, signed wire.Signed) (wire.Erased, error) {
	id := req.Packet.ID
	defer s.lockPacket(id)()
	var row erasureRow
	var refusal error
	err := s.update(ctx, func(tx *bolt.Tx) error {
		refusal = nil
		p, err := getPacket(tx, id)
		switch {
		case errors.Is(err, ErrNotFound):
			// Never seen: what is on its way, or on a stick, is refused when it comes.
			d := req.Packet
			p = Packet{ID: d.ID, Station: st.ID, SHA256: d.SHA256, Size: d.Size, Seq: d.Seq, Supersedes: d.Supersedes, DeclaredAt: s.now().UTC()}
		case err != nil:
			return err
		case p.Station != st.ID:
			refusal = errEraseRefused
			return appendAudit(tx, s.now(), "station:"+st.ID, "alarm.erase_foreign", id, "")
		case p.SHA256 != req.Packet.SHA256:
			refusal = &apiError{http.StatusConflict, wire.CodeConflict, "this id stands for other bytes here", 0}
			return appendAudit(tx, s.now(), "station:"+st.ID, "alarm.digest_conflict", id, "to erase "+req.Packet.SHA256)
		}
		row, err = getJSON[erasureRow](tx, bktErasures, []byte(id))
		known := err == nil
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		switch {
		case known && (row.State != wire.EraseDecide || p.State == wire.VerdictApproved):
			return nil
		case !known:
			row = erasureRow{Packet: id, Station: st.ID, AskedAt: req.At.UTC(), Request: signed}
		}
		row.State, row.At = wire.EraseDone, s.now().UTC()
		if p.State == wire.VerdictApproved {
			row.State = wire.EraseDecide
		} else if err := s.entomb(tx, p); err != nil {
			return err
		}
		if err := putJSON(tx, bktErasures, []byte(id), row); err != nil {
			return err
		}
		action := "packet.erased"
		if row.State == wire.EraseDecide {
			action = "erase.undecided"
		}
		return appendAudit(tx, s.now(), "station:"+st.ID, action, id, "")
	})
	if err = errors.Join(err, refusal); err != nil {
		return wire.Erased{}, err
	}
	if row.State == wire.EraseDone {
		if err := s.finishErasure(ctx, id); err != nil {
			return wire.Erased{}, err
		}
	}
	return wire.Erased{StationID: st.ID, ID: id, SHA256: req.Packet.SHA256, State: row.State, At: row.At}, nil
}

// entomb leaves of a packet's row what refuses the packet when it comes again,
// and takes away all that led to its student. What that student's other photos
// stand for is settled anew.
func (s *Server) entomb(tx *bolt.Tx, p Packet) error {
	var errs []error
	drop := func(bucket, key []byte) { errs = append(errs, tx.Bucket(bucket).Delete(key)) }
	drop(bktByState, joinKey(p.Status(), p.ID))
	drop(bktByStudent, joinKey(p.Batch, p.StudentRef, p.ID))
	drop(bktBySession, joinKey(p.Session, p.ID))
	drop(bktLastAck, []byte(p.ID))
	drop(bktVerdictAt, []byte(p.ID))
	drop(bktOpinions, []byte(p.ID))
	drop(bktExported, []byte(p.ID))
	drop(bktPurged, []byte(p.ID))
	drop(bktPackets, []byte(p.ID)) // putPacket keeps an approved row as it is
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("central: erase packet: %w", err)
	}
	if p.Session != "" {
		c, err := getJSON[claimRow](tx, bktClaims, []byte(p.Session))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err == nil && c.PacketID == p.ID {
			c.PacketID, c.Mismatch = "", false
			if err := putJSON(tx, bktClaims, []byte(p.Session), c); err != nil {
				return err
			}
		}
	}
	if err := forgetVerdicts(tx, p.Station, p.ID); err != nil {
		return err
	}
	if err := dropKey(tx, packetLabel(p.ID)); err != nil {
		return err
	}
	tomb := Packet{
		ID: p.ID, Station: p.Station, SHA256: p.SHA256, Size: p.Size, Seq: p.Seq, Supersedes: p.Supersedes,
		Stage: StageErased, DeclaredAt: p.DeclaredAt,
	}
	if err := putPacket(tx, tomb); err != nil {
		return err
	}
	if p.StudentRef == "" {
		return nil
	}
	if _, err := s.student(tx, p.StudentRef); errors.Is(err, ErrNotFound) {
		return nil // erased as well
	}
	return s.settle(tx, p.Batch, p.StudentRef, "")
}

// forgetVerdicts takes the verdicts about a packet, which name its student, out
// of what its station is told. The places of the others stay.
func forgetVerdicts(tx *bolt.Tx, station, id string) error {
	b := tx.Bucket(bktStationLog).Bucket([]byte(station))
	if b == nil {
		return nil
	}
	var keys [][]byte
	err := b.ForEach(func(k, raw []byte) error {
		var item logItem
		if err := json.Unmarshal(raw, &item); err != nil {
			return err
		}
		if item.Verdict != nil && item.Verdict.PacketID == id {
			keys = append(keys, bytes.Clone(k))
		}
		return nil
	})
	for _, k := range keys {
		err = errors.Join(err, b.Put(k, []byte("{}")))
	}
	if err != nil {
		return fmt.Errorf("central: station log: %w", err)
	}
	return nil
}

// removeErased takes an erased packet's files off the disk, durably.
func (s *Server) removeErased(id string) error {
	for _, path := range []string{s.packetPath(id), s.uploadPath(id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("central: erase packet: %w", err)
		}
		if err := durable.SyncDir(filepath.Dir(path)); err != nil {
			return fmt.Errorf("central: erase packet: %w", err)
		}
	}
	return nil
}

// finishErasure does what follows the tombstones of packets: the files go, the
// tombstones are listed for restores, and the dropped keys become useless.
func (s *Server) finishErasure(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		if err := s.removeErased(id); err != nil {
			return err
		}
	}
	return errors.Join(s.writeTombstones(ctx), s.shred())
}

// finishErasures does what a crash left undone behind tombstones, and erases
// what the list of tombstones names and a restored index has again.
func (s *Server) finishErasures(ctx context.Context) error {
	if err := s.applyTombstones(ctx); err != nil {
		return err
	}
	var ids []string
	err := s.view(ctx, func(tx *bolt.Tx) error {
		ids = suffixes(tx, bktByState, []byte(StageErased), 0)
		return nil
	})
	if err != nil {
		return fmt.Errorf("central: look for erased packets: %w", err)
	}
	var left []string
	for _, id := range ids {
		for _, path := range []string{s.packetPath(id), s.uploadPath(id)} {
			if _, err := os.Lstat(path); err == nil {
				left = append(left, id)
				break
			}
		}
	}
	return s.finishErasure(ctx, left...)
}

// UndecidedErasures lists the wishes about approved photos that nobody has decided.
func (s *Server) UndecidedErasures(ctx context.Context) (out []Erasure, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		rows, err := list[erasureRow](tx, bktErasures)
		for _, r := range rows {
			if r.State == wire.EraseDecide {
				out = append(out, Erasure{r.Packet, r.Station, r.AskedAt})
			}
		}
		return err
	})
	return out, err
}

// DecideErasure ends a wish about an approved photo: it goes, or it stays.
// ErrState when there is nothing to decide.
func (s *Server) DecideErasure(ctx context.Context, id string, erase bool, actor string) error {
	if !validULID(id) {
		return fmt.Errorf("%w: packet id", ErrInvalid)
	}
	defer s.lockPacket(id)()
	err := s.update(ctx, func(tx *bolt.Tx) error {
		row, err := getJSON[erasureRow](tx, bktErasures, []byte(id))
		if err != nil {
			return err
		}
		if row.State != wire.EraseDecide {
			return fmt.Errorf("%w: this erasure is decided", ErrState)
		}
		row.State, row.Decided, row.At = wire.EraseKept, actor, s.now().UTC()
		action := "erase.kept"
		if erase {
			row.State, action = wire.EraseDone, "packet.erased"
			p, err := getPacket(tx, id)
			if err != nil {
				return err
			}
			if err := s.entomb(tx, p); err != nil {
				return err
			}
		}
		if err := putJSON(tx, bktErasures, []byte(id), row); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, action, id, "")
	})
	if err != nil || !erase {
		return err
	}
	return s.finishErasure(ctx, id)
}

func (s *Server) postErasure(w http.ResponseWriter, r *http.Request, ss staffSession) {
	erase := r.PostFormValue("decision") == "erase"
	var err error
	if !erase && r.PostFormValue("decision") != "keep" {
		err = fmt.Errorf("%w: erase or keep", ErrInvalid)
	} else {
		err = s.DecideErasure(r.Context(), r.PathValue("id"), erase, ss.user.Name)
	}
	switch {
	case err != nil:
		s.adminPage(w, r, ss, nil, err)
	case erase:
		s.adminPage(w, r, ss, done("照片已删除，只留编号", "Photo erased; only its number stays"), nil)
	default:
		s.adminPage(w, r, ss, done("已决定保留照片", "The photo is kept"), nil)
	}
}
