package roster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Files of the store, both sealed under the data key.
const (
	fileRoster = "roster.sealed"
	fileState  = "state.sealed"
	// maxFile bounds reading: 100,000 students take about 40 MB.
	maxFile = 256 << 20
)

// Sealer encrypts what is kept about students; context keeps one sealed file
// from standing in for another.
type Sealer interface {
	Seal(context string, plain []byte) []byte
	Open(context string, sealed []byte) ([]byte, error)
}

// Kind is what a number may be.
type Kind string

// Kinds of numbers. Any is for scanners, which do not say.
const (
	Resident  Kind = "resident"
	HMT       Kind = "hmt"
	Passport  Kind = "passport"
	StudentNo Kind = "student_no"
	Any       Kind = "any"
)

// ErrUnknown means that the roster has no such student.
var ErrUnknown = errors.New("roster: unknown student")

// Local is what this station knows of a student beyond central's list.
type Local struct {
	Payment wire.PaymentState `json:"payment,omitempty"` // "" = what central's list says
	Reason  string            `json:"reason,omitempty"`  // of deferred or waived
	Packet  string            `json:"packet,omitempty"`  // last packet saved here, ULID
	At      time.Time         `json:"at,omitzero"`
}

// Store is the open roster. Its methods may be called from any goroutine.
type Store struct {
	dir    string
	sealer Sealer

	mu       sync.RWMutex
	data     snapshot
	staging  *snapshot // a delta of several pages that is not complete yet
	byRef    map[string]*wire.Student
	byNumber map[string][]*wire.Student // normalised document and student numbers
	batches  map[string]wire.Batch
	local    map[string]Local // batch + "/" + ref
}

// snapshot is the roster as of one cursor.
type snapshot struct {
	Cursor   uint64                  `json:"cursor"`
	Batches  []wire.Batch            `json:"batches"`
	Students map[string]wire.Student `json:"students"`
}

// Open reads the store in dir, creating it when it is not there. A file that
// cannot be opened with the key is an error; nothing is thrown away.
func Open(dir string, sealer Sealer) (*Store, error) {
	if sealer == nil {
		return nil, errors.New("roster: no data key")
	}
	if err := os.MkdirAll(dir, durable.DirMode); err != nil {
		return nil, fmt.Errorf("roster: open: %w", err)
	}
	s := &Store{dir: dir, sealer: sealer, local: map[string]Local{}, data: snapshot{Students: map[string]wire.Student{}}}
	if err := s.load(fileRoster, &s.data); err != nil {
		return nil, err
	}
	if err := s.load(fileState, &s.local); err != nil {
		return nil, err
	}
	if s.data.Students == nil {
		s.data.Students = map[string]wire.Student{}
	}
	if s.local == nil {
		s.local = map[string]Local{}
	}
	s.index()
	return s, nil
}

func (s *Store) load(name string, v any) error {
	sealed, err := durable.ReadFile(filepath.Join(s.dir, name), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("roster: read %s: %w", name, err)
	}
	plain, err := s.sealer.Open(name, sealed)
	if err != nil {
		return fmt.Errorf("roster: open %s: %w", name, err)
	}
	defer clear(plain)
	if err := json.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("roster: decode %s: damaged", name) // the cause may quote a student
	}
	return nil
}

func (s *Store) save(name string, v any) error {
	plain, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("roster: encode %s: %w", name, err)
	}
	defer clear(plain)
	if err := durable.WriteFile(filepath.Join(s.dir, name), s.sealer.Seal(name, plain)); err != nil {
		return fmt.Errorf("roster: keep %s: %w", name, err)
	}
	return nil
}

// index rebuilds what is searched.
func (s *Store) index() {
	s.byRef = make(map[string]*wire.Student, len(s.data.Students))
	s.byNumber = make(map[string][]*wire.Student, 2*len(s.data.Students))
	s.batches = make(map[string]wire.Batch, len(s.data.Batches))
	for _, b := range s.data.Batches {
		s.batches[b.ID] = b
	}
	for ref, st := range s.data.Students {
		p := &st
		s.byRef[ref] = p
		doc, no := Normalise(st.IDNumber), Normalise(st.StudentNo)
		if doc != "" {
			s.byNumber[doc] = append(s.byNumber[doc], p)
		}
		if no != "" && no != doc {
			s.byNumber[no] = append(s.byNumber[no], p)
		}
	}
}

// Apply takes a verified delta. One of several pages takes effect with the last
// page, so that the desk never works with half a list. When it returns nil the
// new list is durable.
func (s *Store) Apply(d wire.RosterDelta) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.staging
	switch {
	case d.Full:
		next = &snapshot{Students: make(map[string]wire.Student, len(d.Upsert))}
	case next == nil:
		next = &snapshot{Students: make(map[string]wire.Student, len(s.data.Students)+len(d.Upsert))}
		for ref, st := range s.data.Students {
			next.Students[ref] = st
		}
	}
	if !d.Full && len(d.Upsert)+len(d.Remove) == 0 && !d.More && s.staging == nil && d.Cursor == s.data.Cursor && sameBatches(d.Batches, s.data.Batches) {
		return nil
	}
	for _, st := range d.Upsert {
		next.Students[st.Ref] = st
	}
	for _, ref := range d.Remove {
		delete(next.Students, ref)
	}
	next.Cursor, next.Batches = d.Cursor, d.Batches
	if d.More {
		s.staging = next
		return nil
	}
	if err := s.save(fileRoster, next); err != nil {
		return err
	}
	s.data, s.staging = *next, nil
	s.index()
	return nil
}

func sameBatches(a, b []wire.Batch) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if !x.Opens.Equal(y.Opens) || !x.Closes.Equal(y.Closes) {
			return false
		}
		x.Opens, x.Closes, y.Opens, y.Closes = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		if x != y {
			return false
		}
	}
	return true
}

// Cursor is from where central should go on.
func (s *Store) Cursor() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.staging != nil {
		return s.staging.Cursor
	}
	return s.data.Cursor
}

// Count is how many students are on the list.
func (s *Store) Count() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.data.Students)
}

// Batch finds a batch by its id.
func (s *Store) Batch(id string) (wire.Batch, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, ok := s.batches[id]
	return b, ok
}

// Student finds a student by central's reference.
func (s *Store) Student(ref string) (wire.Student, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.byRef[ref]; p != nil {
		return *p, nil
	}
	return wire.Student{}, ErrUnknown
}

// Lookup finds the records of a number, exactly; a person may have several.
func (s *Store) Lookup(kind Kind, number string) []wire.Student {
	n := Normalise(number)
	if n == "" {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []wire.Student
	for _, p := range s.byNumber[n] {
		if matches(kind, p, n) {
			out = append(out, *p)
		}
	}
	return out
}

func matches(kind Kind, p *wire.Student, n string) bool {
	doc := Normalise(p.IDNumber) == n
	switch kind {
	case Any:
		return true
	case StudentNo:
		return Normalise(p.StudentNo) == n
	case Resident:
		return doc && p.IDType == wire.IDResident
	case HMT:
		return doc && (p.IDType == wire.IDHMT || p.IDType == wire.IDOther)
	case Passport:
		return doc && (p.IDType == wire.IDPassport || p.IDType == wire.IDOther)
	}
	return false
}

// Local is what this station knows of the student; the zero value when it is
// nothing.
func (s *Store) Local(batch, ref string) Local {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.local[batch+"/"+ref]
}

// SetPayment keeps a payment state that this station learnt or decided.
func (s *Store) SetPayment(batch, ref string, state wire.PaymentState, reason string) error {
	return s.change(batch, ref, func(l *Local) { l.Payment, l.Reason = state, reason })
}

// MarkCaptured notes that a packet of this student was saved here.
func (s *Store) MarkCaptured(batch, ref, packet string, at time.Time) error {
	return s.change(batch, ref, func(l *Local) { l.Packet, l.At = packet, at })
}

func (s *Store) change(batch, ref string, f func(*Local)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := batch + "/" + ref
	old, had := s.local[key]
	l := old
	f(&l)
	if l == old {
		return nil
	}
	s.local[key] = l
	if err := s.save(fileState, s.local); err != nil {
		if had {
			s.local[key] = old
		} else {
			delete(s.local, key)
		}
		return err
	}
	return nil
}
