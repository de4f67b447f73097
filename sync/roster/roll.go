package roster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// fileRoll is where a class stands, sealed under the data key like the list.
const fileRoll = "roll.sealed"

// Class names a class of the list: students of one batch whom the school gave the
// same college and class. Both empty are those of the batch whom it gave none.
type Class struct {
	Batch   string `json:"batch"`
	College string `json:"college,omitempty"`
	Name    string `json:"class,omitempty"`
}

// ClassOf is the class that a student is in.
func ClassOf(st wire.Student) Class { return Class{st.Batch, st.College, st.Class} }

// Mark is what staff noted of a student while calling a class.
type Mark string

// The marks.
const (
	MarkNone    Mark = ""
	MarkSkipped Mark = "skipped" // called and passed over: comes again at the end
	MarkAbsent  Mark = "absent"  // not here today: is not called again
)

// maxMarks bounds the file; the oldest marks go first. A station calls a few
// thousand students in the weeks of an enrolment.
const maxMarks = 20_000

// roll is what is kept of the calling of classes.
type roll struct {
	Open  *Class             `json:"open,omitempty"` // the class that is being called
	Marks map[string]rollRow `json:"marks,omitempty"`
}

type rollRow struct {
	Mark Mark      `json:"mark"`
	At   time.Time `json:"at"`
}

// Classes lists the classes of all batches, ordered by batch, college and class.
// Members are counted; how many of them are done only the caller knows.
func (s *Store) Classes() []Class {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.found.classes)
}

// Members lists the students of a class as a class list does: by student number,
// those who have none by name.
func (s *Store) Members(c Class) []wire.Student {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rows := s.found.members[c]
	out := make([]wire.Student, 0, len(rows))
	for _, p := range rows {
		out = append(out, *p)
	}
	return out
}

// OpenClass is the class that is being called; the zero Class when none is, or
// when it is no longer on the list.
func (s *Store) OpenClass() Class {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.roll.Open == nil || len(s.found.members[*s.roll.Open]) == 0 {
		return Class{}
	}
	return *s.roll.Open
}

// SetOpenClass begins to call a class; the zero Class ends it. It is durable when
// nil is returned, and unchanged otherwise.
func (s *Store) SetOpenClass(c Class) error {
	return s.changeRoll(func(r *roll) {
		r.Open = nil
		if c != (Class{}) {
			r.Open = &c
		}
	})
}

// MarkOf is what staff noted of a student.
func (s *Store) MarkOf(batch, ref string) Mark {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.roll.Marks[batch+"/"+ref].Mark
}

// MarkedAt is when staff noted it; zero when they did not.
func (s *Store) MarkedAt(batch, ref string) time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.roll.Marks[batch+"/"+ref].At
}

// SetMark notes that a student was passed over or is absent; MarkNone takes the
// note away. A student who is not on the list is [ErrUnknown]. It is durable when
// nil is returned, and unchanged otherwise.
func (s *Store) SetMark(batch, ref string, m Mark, at time.Time) error {
	switch m {
	case MarkNone, MarkSkipped, MarkAbsent:
	default:
		return fmt.Errorf("roster: unknown mark %q", m)
	}
	if st, err := s.Student(ref); err != nil || st.Batch != batch {
		return ErrUnknown
	}
	return s.changeRoll(func(r *roll) {
		if m == MarkNone {
			delete(r.Marks, batch+"/"+ref)
			return
		}
		r.Marks[batch+"/"+ref] = rollRow{Mark: m, At: at}
		for len(r.Marks) > maxMarks {
			delete(r.Marks, oldestMark(r.Marks))
		}
	})
}

func oldestMark(all map[string]rollRow) string {
	oldest := ""
	for k, v := range all {
		if oldest == "" || v.At.Before(all[oldest].At) || v.At.Equal(all[oldest].At) && k < oldest {
			oldest = k
		}
	}
	return oldest
}

// changeRoll keeps what f makes of a copy of the roll.
func (s *Store) changeRoll(f func(*roll)) error {
	s.calling.Lock()
	defer s.calling.Unlock()
	next := roll{Open: s.roll.Open, Marks: maps.Clone(s.roll.Marks)} // only written under calling
	if next.Marks == nil {
		next.Marks = map[string]rollRow{}
	}
	f(&next)
	if err := s.save(fileRoll, next); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roll = next
	return nil
}

// buildClasses groups the list.
func buildClasses(students map[string]*wire.Student) ([]Class, map[Class][]*wire.Student) {
	members := map[Class][]*wire.Student{}
	for _, p := range students {
		c := ClassOf(*p)
		members[c] = append(members[c], p)
	}
	for _, rows := range members {
		slices.SortFunc(rows, func(a, b *wire.Student) int {
			return cmp.Or(compareBlankLast(a.StudentNo, b.StudentNo), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref))
		})
	}
	classes := slices.SortedFunc(maps.Keys(members), func(a, b Class) int {
		return cmp.Or(cmp.Compare(a.Batch, b.Batch), compareBlankLast(a.College, b.College), compareBlankLast(a.Name, b.Name))
	})
	return classes, members
}

// compareBlankLast orders texts with the empty one at the end.
func compareBlankLast(a, b string) int {
	if (a == "") != (b == "") {
		if a == "" {
			return 1
		}
		return -1
	}
	return cmp.Compare(a, b)
}
