package central

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// sealedRow is a roster row as the index holds it: who the student is stands
// sealed under a data key of its own.
type sealedRow struct {
	Ref     string    `json:"ref"`
	Batch   string    `json:"batch"`
	Version uint64    `json:"version"`
	Removed bool      `json:"removed,omitempty"`
	Erased  time.Time `json:"erased,omitzero"`  // key and contents are gone
	Sealed  []byte    `json:"sealed,omitempty"` // wire.Student, JSON
}

// student reads a roster row; ErrNotFound also for one that was erased.
func (s *Server) student(tx *bolt.Tx, ref string) (studentRow, error) {
	stored, err := getJSON[sealedRow](tx, bktStudents, []byte(ref))
	if err != nil {
		return studentRow{}, err
	}
	if !stored.Erased.IsZero() {
		return studentRow{}, fmt.Errorf("%w: erased", ErrNotFound)
	}
	return s.openRow(tx, stored)
}

// rosterRow is a row as a station's delta needs it: an erased one is there, and
// says nothing but that it is removed.
func (s *Server) rosterRow(tx *bolt.Tx, ref string) (studentRow, error) {
	stored, err := getJSON[sealedRow](tx, bktStudents, []byte(ref))
	if err != nil {
		return studentRow{}, err
	}
	if !stored.Erased.IsZero() {
		row := studentRow{Version: stored.Version, Removed: true}
		row.Ref, row.Batch = stored.Ref, stored.Batch
		return row, nil
	}
	return s.openRow(tx, stored)
}

// openRow decrypts a stored row.
func (s *Server) openRow(tx *bolt.Tx, stored sealedRow) (row studentRow, err error) {
	label := studentLabel(stored.Ref)
	key, err := s.vault.dataKey(tx, label)
	if err != nil {
		return row, fmt.Errorf("central: student: %w", err)
	}
	plain, err := openWith(key, label, stored.Sealed)
	if err != nil {
		return row, fmt.Errorf("central: student: %w", err)
	}
	if err := json.Unmarshal(plain, &row.Student); err != nil {
		return row, fmt.Errorf("central: student: %w", err)
	}
	row.Version, row.Removed = stored.Version, stored.Removed
	return row, nil
}

func (s *Server) sealRow(tx *bolt.Tx, row studentRow) (sealedRow, error) {
	stored := sealedRow{Ref: row.Ref, Batch: row.Batch, Version: row.Version, Removed: row.Removed}
	plain, err := json.Marshal(row.Student)
	if err != nil {
		return stored, fmt.Errorf("central: student: %w", err)
	}
	label := studentLabel(row.Ref)
	key, err := s.vault.ensureKey(tx, label)
	if err != nil {
		return stored, err
	}
	stored.Sealed, err = sealWith(key, label, plain)
	return stored, err
}

// putStudent writes a roster row under the next roster version, so that every
// station hears of it with its next delta.
func (s *Server) putStudent(tx *bolt.Tx, row studentRow) error {
	if err := s.unlist(tx, row.Ref); err != nil {
		return err
	}
	v, err := nextRosterVersion(tx, row.Ref)
	if err != nil {
		return err
	}
	row.Version = v
	if !row.Removed {
		if err := tx.Bucket(bktByDocument).Put(s.documentKey(row.Student), nil); err != nil {
			return fmt.Errorf("central: document index: %w", err)
		}
	}
	stored, err := s.sealRow(tx, row)
	if err != nil {
		return err
	}
	return putJSON(tx, bktStudents, []byte(row.Ref), stored)
}

// unlist takes a row, if there is one, out of the roster log and of the index
// of documents. ErrNotFound when the student was erased: nobody comes back
// under a ref that was promised to stand for nobody.
func (s *Server) unlist(tx *bolt.Tx, ref string) error {
	stored, err := getJSON[sealedRow](tx, bktStudents, []byte(ref))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !stored.Erased.IsZero() {
		return fmt.Errorf("%w: erased", ErrNotFound)
	}
	if err := tx.Bucket(bktRosterLog).Delete(seqKey(stored.Version)); err != nil {
		return fmt.Errorf("central: roster log: %w", err)
	}
	row, err := s.openRow(tx, stored)
	if err != nil {
		return err
	}
	if err := tx.Bucket(bktByDocument).Delete(s.documentKey(row.Student)); err != nil {
		return fmt.Errorf("central: document index: %w", err)
	}
	return nil
}

func nextRosterVersion(tx *bolt.Tx, ref string) (uint64, error) {
	log := tx.Bucket(bktRosterLog)
	v, err := log.NextSequence()
	if err != nil {
		return 0, fmt.Errorf("central: roster version: %w", err)
	}
	if err := log.Put(seqKey(v), []byte(ref)); err != nil {
		return 0, fmt.Errorf("central: roster log: %w", err)
	}
	return v, nil
}

func (s *Server) documentKey(st wire.Student) []byte {
	return joinKey(st.Batch, s.vault.blind(st.IDType, st.IDNumber), st.Ref)
}

// withDocument lists the refs of a batch's rows with this document.
func (s *Server) withDocument(tx *bolt.Tx, batch string, kind wire.IDType, number string) []string {
	return suffixes(tx, bktByDocument, joinKey(batch, s.vault.blind(kind, number)), 0)
}

// studentsOf lists the students of a batch that are in the roster, in the order
// of document numbers.
func (s *Server) studentsOf(tx *bolt.Tx, batch string) ([]studentRow, error) {
	var out []studentRow
	for _, k := range suffixes(tx, bktByDocument, []byte(batch), 0) {
		r, err := s.student(tx, k[strings.LastIndexByte(k, 0)+1:])
		if err != nil {
			return nil, fmt.Errorf("central: student in index: %w", err)
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b studentRow) int {
		return cmp.Or(cmp.Compare(a.IDType, b.IDType), cmp.Compare(a.IDNumber, b.IDNumber), cmp.Compare(a.Ref, b.Ref))
	})
	return out, nil
}

// countStudents counts those that studentsOf lists, without opening their rows.
func countStudents(tx *bolt.Tx, batch string) int {
	n := 0
	p := append([]byte(batch), 0)
	c := tx.Bucket(bktByDocument).Cursor()
	for k, _ := c.Seek(p); k != nil && bytes.HasPrefix(k, p); k, _ = c.Next() {
		n++
	}
	return n
}
