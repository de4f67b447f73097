package central

import (
	"context"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// ProvisionalReasons are the codes under which a desk adds a student.
func ProvisionalReasons() []string { return []string{"late", "transfer", "list_error", "other"} }

// Decisions about a provisional student.
const (
	DecideAccept = "accept" // is a student of the batch from now on
	DecideMerge  = "merge"  // is a student of the roster: photos and payment go over
	DecideRefuse = "refuse" // is not: the photo is rejected
)

// placeProvisional puts a student whom a desk added onto the roster, as one about
// whom nothing is decided. Every station of the batch hears of it, so that the same
// student is not added twice.
func (s *Server) placeProvisional(tx *bolt.Tx, st Station, m packet.Manifest) (row studentRow, reason string, err error) {
	p := *m.Student.Provisional
	batch, err := getJSON[wire.Batch](tx, bktBatches, []byte(m.Batch))
	if err != nil {
		return row, "", fmt.Errorf("central: batch of a provisional student: %w", err)
	}
	if p.Ref != m.Student.Ref || p.Batch != m.Batch || !wire.ValidProvisionalRef(p.Ref) || !slices.Contains(ProvisionalReasons(), p.Reason) {
		return row, refusedStudent, nil
	}
	if tx.Bucket(bktErased).Get([]byte(p.Ref)) != nil {
		return row, refusedStudent, nil
	}
	cells := map[string]string{"name": p.Name, "id_type": string(p.IDType), "id_number": p.IDNumber, "student_no": p.StudentNo}
	clean, zh, _ := studentFromRow(func(col string) string { return cells[col] }, batch)
	if zh != "" || p.IDType == "" {
		return row, refusedStudent, nil
	}
	clean.Ref, clean.Provisional = p.Ref, true
	row = studentRow{Student: clean}
	if err := s.putStudent(tx, row); err != nil {
		return row, "", err
	}
	return row, "", appendAudit(tx, s.now(), "station:"+st.ID, "student.provisional", p.Ref, p.Reason)
}

// ProvisionalStudent is one about whom is to be decided.
type ProvisionalStudent struct {
	Student wire.Student `json:"student"`
	Packets []string     `json:"packets"` // ids of the photos that wait for it
	// Like are students of the batch with the same number or the same name: it may
	// be one of them.
	Like []wire.Student `json:"like,omitempty"`
}

// Provisionals lists whom the desks of a batch have added and nobody has decided
// about.
func (s *Server) Provisionals(ctx context.Context, batch string) (out []ProvisionalStudent, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		rows, err := s.studentsOf(tx, batch)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if !r.Provisional || r.Removed {
				continue
			}
			x := ProvisionalStudent{Student: r.Student}
			all, err := packetsOf(tx, batch, r.Ref)
			if err != nil {
				return err
			}
			for _, p := range all {
				x.Packets = append(x.Packets, p.ID)
			}
			for _, o := range rows {
				if !o.Provisional && !o.Removed && (o.IDNumber == r.IDNumber || roster.FoldName(o.Name) == roster.FoldName(r.Name)) {
					x.Like = append(x.Like, o.Student)
				}
			}
			out = append(out, x)
		}
		return nil
	})
	return out, err
}

// DecideProvisional ends what is open about a provisional student. into names the
// student of the same batch that a merge goes to. ErrState when the student is not
// provisional or a photo of theirs is approved already, ErrInvalid for a decision
// or a target that cannot be.
func (s *Server) DecideProvisional(ctx context.Context, ref, decision, into, actor string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		row, err := s.student(tx, ref)
		if err != nil {
			return fmt.Errorf("central: provisional student: %w", err)
		}
		if !row.Provisional || row.Removed {
			return fmt.Errorf("%w: the student is not provisional", ErrState)
		}
		all, err := packetsOf(tx, row.Batch, ref)
		if err != nil {
			return err
		}
		switch decision {
		case DecideAccept:
			err = s.acceptProvisional(tx, row, all)
		case DecideMerge:
			err = s.mergeProvisional(tx, row, all, into)
		case DecideRefuse:
			err = s.refuseProvisional(tx, row, all, actor)
		default:
			return fmt.Errorf("%w: decision %q", ErrInvalid, decision)
		}
		if err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "provisional."+decision, ref, into)
	})
}

func (s *Server) acceptProvisional(tx *bolt.Tx, row studentRow, all []Packet) error {
	row.Provisional = false
	if err := s.putStudent(tx, row); err != nil {
		return err
	}
	for _, p := range all {
		if err := putPacket(tx, letGo(p)); err != nil {
			return err
		}
	}
	return nil
}

// letGo lifts the hold that the open question was.
func letGo(p Packet) Packet {
	if p.Held == FlagProvisional {
		p.Held = ""
	}
	return p
}

func (s *Server) mergeProvisional(tx *bolt.Tx, row studentRow, all []Packet, into string) error {
	target, err := s.student(tx, into)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && (target.Removed || target.Provisional || target.Batch != row.Batch):
		return fmt.Errorf("%w: no such student of the batch to merge into", ErrInvalid)
	case err != nil:
		return err
	}
	for _, p := range all {
		if err := tx.Bucket(bktByStudent).Delete(joinKey(p.Batch, p.StudentRef, p.ID)); err != nil {
			return fmt.Errorf("central: index packet: %w", err)
		}
		p.StudentRef = target.Ref
		if err := putPacket(tx, letGo(p)); err != nil {
			return err
		}
	}
	if target.Payment == wire.PaymentUnpaid && (row.Payment == wire.PaymentWaived || row.Payment == wire.PaymentDeferred) {
		target.Payment = row.Payment
		if err := s.putStudent(tx, target); err != nil {
			return err
		}
	}
	row.Removed = true
	if err := s.putStudent(tx, row); err != nil {
		return err
	}
	// Told to the stations even where the photo's state stays: the verdict names
	// whose photo it is now.
	for _, p := range all {
		if err := s.settle(tx, p.Batch, target.Ref, p.ID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) refuseProvisional(tx *bolt.Tx, row studentRow, all []Packet, actor string) error {
	for _, p := range all {
		if !p.live() {
			continue
		}
		p = letGo(p)
		p.State, p.RejectReason, p.Reviewer, p.DecidedAt = wire.VerdictRejected, reasonNotListed, actor, s.now().UTC()
		if err := putPacket(tx, p); err != nil {
			return err
		}
		if err := s.settle(tx, p.Batch, p.StudentRef, p.ID); err != nil {
			return err
		}
	}
	row, err := s.student(tx, row.Ref) // settle has written its own
	if err != nil {
		return err
	}
	row.Removed = true
	return s.putStudent(tx, row)
}
