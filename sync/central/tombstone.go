package central

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// FileTombstones lists in the data directory who and what was erased, by number
// alone. A backup of before knows nothing of it: restored beside this list, it
// does not bring them back.
const FileTombstones = "erased.json"

// maxTombstones bounds the list: a million erasures.
const maxTombstones = 256 << 20

// tombstones is the content of FileTombstones.
type tombstones struct {
	Students []studentTomb `json:"students"`
	Packets  []Packet      `json:"packets"`
}

type studentTomb struct {
	Ref    string    `json:"ref"`
	Batch  string    `json:"batch"`
	Erased time.Time `json:"erased"`
}

// readTombstones reads a list; an empty one when there is none. What cannot be
// believed whole is an error: to serve somebody who was erased would be worse
// than not to serve.
func readTombstones(path string) (t tombstones, err error) {
	b, err := durable.ReadFile(path, maxTombstones)
	if errors.Is(err, os.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return t, fmt.Errorf("central: list of erased students: %w", err)
	}
	return parseTombstones(b)
}

func parseTombstones(b []byte) (t tombstones, err error) {
	bad := fmt.Errorf("%w: %s is not a list of erased students", ErrInvalid, FileTombstones)
	if json.Unmarshal(b, &t) != nil {
		return tombstones{}, bad
	}
	for _, st := range t.Students {
		if st.Ref == "" || len(st.Ref) > 64 || st.Batch == "" || st.Erased.IsZero() {
			return tombstones{}, bad
		}
	}
	for _, p := range t.Packets {
		if validDeclaration(wire.Declared{ID: p.ID, SHA256: p.SHA256, Size: p.Size, Seq: p.Seq, Supersedes: p.Supersedes}) != nil || p.Stage != StageErased {
			return tombstones{}, bad
		}
	}
	return t, nil
}

// writeTombstones brings the list up to the index.
func (s *Server) writeTombstones(ctx context.Context) error {
	t := tombstones{Students: []studentTomb{}, Packets: []Packet{}}
	err := s.view(ctx, func(tx *bolt.Tx) (err error) {
		for _, id := range suffixes(tx, bktByState, []byte(StageErased), 0) {
			p, err := getPacket(tx, id)
			if err != nil {
				return err
			}
			t.Packets = append(t.Packets, p)
		}
		return tx.Bucket(bktErased).ForEach(func(ref, _ []byte) error {
			row, err := getJSON[sealedRow](tx, bktStudents, ref)
			t.Students = append(t.Students, studentTomb{row.Ref, row.Batch, row.Erased})
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("central: list of erased students: %w", err)
	}
	if len(t.Students)+len(t.Packets) == 0 {
		return nil
	}
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("central: list of erased students: %w", err)
	}
	path := filepath.Join(s.dir, FileTombstones)
	if old, err := durable.ReadFile(path, maxTombstones); err == nil && string(old) == string(b) {
		return nil
	}
	if err := durable.WriteFile(path, b); err != nil {
		return fmt.Errorf("central: list of erased students: %w", err)
	}
	return nil
}

// applyTombstones erases what the list names and the index still has, as it
// does after a restore.
func (s *Server) applyTombstones(ctx context.Context) error {
	t, err := readTombstones(filepath.Join(s.dir, FileTombstones))
	if err != nil || len(t.Students)+len(t.Packets) == 0 {
		return err
	}
	return s.update(ctx, func(tx *bolt.Tx) error {
		again := 0
		for _, st := range t.Students {
			if tx.Bucket(bktErased).Get([]byte(st.Ref)) != nil {
				continue
			}
			again++
			if err := s.entombStudent(tx, st.Ref, st.Batch, st.Erased); err != nil {
				return err
			}
		}
		for _, tomb := range t.Packets {
			p, err := getPacket(tx, tomb.ID)
			switch {
			case errors.Is(err, ErrNotFound):
				p = tomb
			case err != nil:
				return err
			case p.Stage == StageErased:
				continue
			}
			again++
			if err := s.entomb(tx, p); err != nil {
				return err
			}
		}
		if again == 0 {
			return nil
		}
		return appendAudit(tx, s.now(), "system", "erasures.repeated", "", fmt.Sprintf("%d, as the list of tombstones says", again))
	})
}

// EraseStudent forgets a student for good: the record and every photo, approved
// ones too, become unreadable in every copy of this directory, and what remains
// is a number that stations are told to forget. Orders stay, as a number and an
// amount. ErrNotFound when there is no such student or no more.
func (s *Server) EraseStudent(ctx context.Context, ref, actor string) error {
	var ids []string
	err := s.update(ctx, func(tx *bolt.Tx) error {
		row, err := s.student(tx, ref)
		if err != nil {
			return err
		}
		ids = suffixes(tx, bktByStudent, joinKey(row.Batch, ref), 0)
		if err := s.entombStudent(tx, ref, row.Batch, s.now().UTC()); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "student.erased", ref, fmt.Sprintf("%d packets", len(ids)))
	})
	if err != nil {
		return fmt.Errorf("central: erase student: %w", err)
	}
	return s.finishErasure(ctx, ids...)
}

// entombStudent leaves of a student a number under which stations hear that the
// row is gone, and tombstones of the packets.
func (s *Server) entombStudent(tx *bolt.Tx, ref, batch string, at time.Time) error {
	packets, err := packetsOf(tx, batch, ref)
	if err != nil {
		return err
	}
	if err := s.unlist(tx, ref); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	v, err := nextRosterVersion(tx, ref)
	if err != nil {
		return err
	}
	tomb := sealedRow{Ref: ref, Batch: batch, Version: v, Removed: true, Erased: at}
	if err := putJSON(tx, bktStudents, []byte(ref), tomb); err != nil {
		return err
	}
	if err := tx.Bucket(bktErased).Put([]byte(ref), []byte{1}); err != nil {
		return fmt.Errorf("central: erase student: %w", err)
	}
	if err := dropKey(tx, studentLabel(ref)); err != nil {
		return err
	}
	for _, p := range packets {
		if err := s.entomb(tx, p); err != nil {
			return err
		}
	}
	return s.unlinkPhones(tx, ref)
}

// unlinkPhones ends what phones were told of a student.
func (s *Server) unlinkPhones(tx *bolt.Tx, ref string) error {
	all, err := list[claimRow](tx, bktClaims)
	if err != nil {
		return err
	}
	for _, c := range all {
		mine := c.StudentRef == ref
		for _, cand := range c.Candidates {
			mine = mine || cand == ref
		}
		if !mine {
			continue
		}
		c.StudentRef, c.Batch, c.Candidates, c.ExpiresAt = "", "", nil, s.now().UTC()
		if err := putJSON(tx, bktClaims, []byte(c.Session), c); err != nil {
			return err
		}
	}
	return nil
}
