package roster

import (
	"slices"
	"strings"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Students lists everyone, by reference.
func (s *Store) Students() []wire.Student {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]wire.Student, 0, len(s.data.Students))
	for _, st := range s.data.Students {
		out = append(out, *st)
	}
	slices.SortFunc(out, func(a, b wire.Student) int { return strings.Compare(a.Ref, b.Ref) })
	return out
}
