package roster

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// fileAdded is whom this station's staff added, sealed under the data key.
const fileAdded = "added.sealed"

// maxAdded bounds the file: a desk that adds more has the wrong roster.
const maxAdded = 2000

// Errors of AddProvisional.
var (
	// ErrListed means that the roster has the number already.
	ErrListed = errors.New("roster: the number is on the list")
	// ErrFull means that too many students were added here.
	ErrFull = errors.New("roster: too many provisional students")
)

// AddProvisional puts a student on this station's list whom central's does not
// have, until central's does: a delta with the same reference, or with the same
// number in the same batch, takes the place of the entry. It is durable when nil is
// returned, and unchanged otherwise. ErrListed when anybody with the number is on
// the list.
func (s *Store) AddProvisional(p wire.Provisional) error {
	if !wire.ValidProvisionalRef(p.Ref) || Normalise(p.IDNumber) == "" || FoldName(p.Name) == "" {
		return errors.New("roster: a provisional student without a reference, a number or a name")
	}
	if _, ok := s.Batch(p.Batch); !ok {
		return fmt.Errorf("%w: batch", ErrUnknown)
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	if len(s.Lookup(Any, p.IDNumber)) > 0 {
		return ErrListed
	}
	if len(s.added) >= maxAdded {
		return ErrFull
	}
	next := maps.Clone(s.added)
	if next == nil {
		next = map[string]wire.Provisional{}
	}
	next[p.Ref] = p
	return s.setAdded(next, s.data)
}

// setAdded keeps whom staff added, and searches them with the list d. The caller
// holds applying.
func (s *Store) setAdded(next map[string]wire.Provisional, d *snapshot) error {
	if err := s.save(fileAdded, next); err != nil {
		return err
	}
	found := buildIndex(d, next)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.added, s.found = next, found
	return nil
}

// Provisional is what staff wrote of a student whom they added here; false when
// they did not, or when central's list has the student now.
func (s *Store) Provisional(ref string) (wire.Provisional, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.added[ref]
	return p, ok
}

// SameNames are the students of the list who are called so, for staff who are about
// to add one: it may be a number that was typed wrongly.
func (s *Store) SameNames(name string) []wire.Student {
	folded := FoldName(name)
	return slices.DeleteFunc(s.Search("", name, 8), func(st wire.Student) bool { return FoldName(st.Name) != folded })
}

// stillAdded are those that d does not have.
func stillAdded(added map[string]wire.Provisional, d *snapshot) map[string]wire.Provisional {
	if len(added) == 0 {
		return added
	}
	type key struct{ batch, number string }
	listed := map[key]bool{}
	for _, p := range d.Students {
		listed[key{p.Batch, Normalise(p.IDNumber)}] = true
	}
	out := map[string]wire.Provisional{}
	for ref, p := range added {
		if d.Students[ref] == nil && !listed[key{p.Batch, Normalise(p.IDNumber)}] {
			out[ref] = p
		}
	}
	return out
}
