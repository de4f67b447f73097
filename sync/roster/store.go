package roster

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Files of the store, all sealed under the data key.
const (
	fileRoster = "roster.sealed"
	fileState  = "state.sealed"
	// maxFile bounds reading and, so that what was kept can be read again,
	// writing: 100,000 students take about 40 MB.
	maxFile = 256 << 20
	// maxStudents bounds memory while a list of several pages comes in: the
	// largest universities have about 100,000 students.
	maxStudents = 500_000
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

// Errors that callers tell apart.
var (
	// ErrUnknown means that the roster has no such student.
	ErrUnknown = errors.New("roster: unknown student")
	// ErrDamaged: a file opens with the data key but does not hold a list.
	ErrDamaged = errors.New("roster: file is damaged")
	// ErrDelta: a delta that is not a step from where this list stands, or not
	// one that can be taken. Nothing changed.
	ErrDelta = errors.New("roster: delta does not fit")
)

// Local is what this station knows of a student beyond central's list.
type Local struct {
	Payment wire.PaymentState `json:"payment,omitempty"` // "" = what central's list says
	Reason  string            `json:"reason,omitempty"`  // of deferred or waived
	Packet  string            `json:"packet,omitempty"`  // last packet saved here, ULID
	At      time.Time         `json:"at,omitzero"`
	Proof   *Proof            `json:"proof,omitempty"` // of the payment, where central could not be asked; never changed
	Pass    *Pass             `json:"pass,omitempty"`  // the last one shown here; never changed
}

// Store is the open roster. Its methods may be called from any goroutine.
// Looking somebody up never waits for the disk.
type Store struct {
	dir    string
	sealer Sealer

	applying sync.Mutex // one delta at a time; guards staging
	staging  *snapshot  // a delta of several pages that is not complete yet

	keeping sync.Mutex // one change of local at a time
	calling sync.Mutex // one change of roll at a time

	mu       sync.RWMutex // guards what follows, and is held for memory only
	data     *snapshot
	found    index
	nextPage uint64                      // cursor of staging, 0 = none
	local    map[string]Local            // batch + "/" + ref
	roll     roll                        // of the classes that are called
	added    map[string]wire.Provisional // ref → whom staff added; written under applying
}

// snapshot is the roster as of one cursor. One that is in use never changes:
// the next one shares its students.
type snapshot struct {
	Cursor   uint64                   `json:"cursor"`
	Batches  []wire.Batch             `json:"batches"`
	Students map[string]*wire.Student `json:"students"`
}

// index is what is searched.
type index struct {
	byNumber map[string][]*wire.Student // normalised document and student numbers
	names    names
	batches  map[string]wire.Batch
	students map[string]*wire.Student // everybody: the list's and whom staff added
	classes  []Class
	members  map[Class][]*wire.Student
}

// Open reads the store in dir, creating it when it is not there. A file that
// cannot be opened with the key is an error; nothing is thrown away but what an
// interrupted write left over.
func Open(dir string, sealer Sealer) (*Store, error) {
	if sealer == nil {
		return nil, errors.New("roster: no data key")
	}
	if err := os.MkdirAll(dir, durable.DirMode); err != nil {
		return nil, fmt.Errorf("roster: open: %w", err)
	}
	s := &Store{dir: dir, sealer: sealer, data: &snapshot{}}
	if err := s.load(fileRoster, s.data); err != nil {
		return nil, err
	}
	if err := s.load(fileState, &s.local); err != nil {
		return nil, err
	}
	if err := s.load(fileRoll, &s.roll); err != nil {
		return nil, err
	}
	if err := s.load(fileAdded, &s.added); err != nil {
		return nil, err
	}
	if s.data.Students == nil {
		s.data.Students = map[string]*wire.Student{}
	}
	if s.local == nil {
		s.local = map[string]Local{}
	}
	for _, st := range s.data.Students {
		if st == nil {
			return nil, fmt.Errorf("%w: %s", ErrDamaged, fileRoster)
		}
	}
	// Sealed like the rest, but of no use to anybody. After the check of the
	// key, so that a wrong key changes nothing at all.
	if err := s.sweep(); err != nil {
		return nil, err
	}
	shareStrings(maps.Values(s.data.Students))
	s.added = stillAdded(s.added, s.data)
	s.found = buildIndex(s.data, s.added)
	return s, nil
}

// sweep removes the temporary files of writes that a crash cut short.
func (s *Store) sweep() error {
	for _, name := range []string{fileRoster, fileState, fileRoll, fileAdded} {
		left, err := filepath.Glob(filepath.Join(s.dir, "."+name+".*.tmp"))
		if err != nil {
			return fmt.Errorf("roster: open: %w", err)
		}
		for _, path := range left {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("roster: remove an unfinished file: %w", err)
			}
		}
	}
	return nil
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
		return fmt.Errorf("%w: %s", ErrDamaged, name) // the cause may quote a student
	}
	return nil
}

func (s *Store) save(name string, v any) error {
	plain, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("roster: encode %s: %w", name, err)
	}
	defer clear(plain)
	sealed := s.sealer.Seal(name, plain)
	if len(sealed) > maxFile {
		return fmt.Errorf("%w: %d bytes, limit %d", ErrDelta, len(sealed), maxFile)
	}
	if err := durable.WriteFile(filepath.Join(s.dir, name), sealed); err != nil {
		return fmt.Errorf("roster: keep %s: %w", name, err)
	}
	return nil
}

// shareStrings lets students of one school share its name in memory: what is
// decoded has a copy in every row.
func shareStrings(students func(yield func(*wire.Student) bool)) {
	seen := map[string]string{}
	for st := range students {
		for _, p := range []*string{&st.Batch, &st.School, &st.Level, &st.Major, &st.College, &st.Class, (*string)(&st.IDType), (*string)(&st.Payment), &st.Capture} {
			if s, ok := seen[*p]; ok {
				*p = s
			} else {
				seen[*p] = *p
			}
		}
	}
}

func buildIndex(d *snapshot, added map[string]wire.Provisional) index {
	students := d.Students
	if len(added) > 0 {
		students = maps.Clone(students)
		for ref, p := range added {
			st := p.Student()
			students[ref] = &st
		}
	}
	x := index{
		byNumber: make(map[string][]*wire.Student, 2*len(students)),
		batches:  make(map[string]wire.Batch, len(d.Batches)),
		names:    buildNames(students),
		students: students,
	}
	x.classes, x.members = buildClasses(students)
	for _, b := range d.Batches {
		x.batches[b.ID] = b
	}
	for _, p := range students {
		doc, no := Normalise(p.IDNumber), Normalise(p.StudentNo)
		if doc != "" {
			x.byNumber[doc] = append(x.byNumber[doc], p)
		}
		if no != "" && no != doc {
			x.byNumber[no] = append(x.byNumber[no], p)
		}
	}
	for _, list := range x.byNumber {
		// The same order at every look, also after the list was read again.
		slices.SortFunc(list, func(a, b *wire.Student) int {
			return cmp.Or(cmp.Compare(a.Batch, b.Batch), cmp.Compare(a.Ref, b.Ref))
		})
	}
	return x
}

// Apply takes a verified delta. One of several pages takes effect with the last
// page, so that the desk never works with half a list. When it returns nil the
// new list is durable, or, for a page that is not the last, remembered; pages
// are forgotten when the program ends, and asked for again from the durable
// cursor. [ErrDelta] and every other error leave the list as it was.
func (s *Store) Apply(d wire.RosterDelta) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	now := s.data // only written under applying
	from := s.staging
	if from == nil {
		from = now
	}
	switch {
	case !d.Full && d.Since != from.Cursor:
		return fmt.Errorf("%w: it goes on from %d, the list stands at %d", ErrDelta, d.Since, from.Cursor)
	case d.Cursor < d.Since && !d.Full, d.More && d.Cursor == 0:
		return fmt.Errorf("%w: it leads back", ErrDelta)
	case len(d.Upsert) > maxStudents:
		return fmt.Errorf("%w: %d students", ErrDelta, len(d.Upsert))
	}
	if !d.Full && len(d.Upsert)+len(d.Remove) == 0 && s.staging == nil && d.Cursor == now.Cursor && !d.More && sameBatches(d.Batches, now.Batches) {
		return nil
	}
	next := &snapshot{Cursor: d.Cursor, Batches: d.Batches}
	if d.Full {
		next.Students = make(map[string]*wire.Student, len(d.Upsert))
	} else {
		next.Students = maps.Clone(from.Students)
	}
	for i := range d.Upsert {
		st := d.Upsert[i]
		if st.Ref == "" {
			return fmt.Errorf("%w: a student without a reference", ErrDelta)
		}
		next.Students[st.Ref] = &st
	}
	for _, ref := range d.Remove {
		delete(next.Students, ref)
	}
	if len(next.Students) > maxStudents {
		return fmt.Errorf("%w: more than %d students", ErrDelta, maxStudents)
	}
	if d.More {
		s.staging = next
		s.mu.Lock()
		s.nextPage = next.Cursor
		s.mu.Unlock()
		return nil
	}
	if err := s.save(fileRoster, next); err != nil {
		return err
	}
	// Students that were in use before have shared strings already, and may be
	// read at this moment: only the new ones are touched.
	shareStrings(func(yield func(*wire.Student) bool) {
		for ref, p := range next.Students {
			if now.Students[ref] != p && !yield(p) {
				return
			}
		}
	})
	s.staging = nil
	// Whom central has now stays in the file until the next is added, or the next
	// start: the same is left out there.
	left := stillAdded(s.added, next)
	found := buildIndex(next, left)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data, s.found, s.added, s.nextPage = next, found, left, 0
	return nil
}

func sameBatches(a, b []wire.Batch) bool {
	return slices.EqualFunc(a, b, func(x, y wire.Batch) bool {
		if !x.Opens.Equal(y.Opens) || !x.Closes.Equal(y.Closes) {
			return false
		}
		x.Opens, x.Closes, y.Opens, y.Closes = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		return x == y
	})
}

// Cursor is from where central should go on; 0 asks for everything.
func (s *Store) Cursor() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.nextPage != 0 {
		return s.nextPage
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
	b, ok := s.found.batches[id]
	return b, ok
}

// Batches are those that the station may capture for, in no order.
func (s *Store) Batches() []wire.Batch {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.data.Batches)
}

// Student finds a student by central's reference.
func (s *Store) Student(ref string) (wire.Student, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.found.students[ref]; p != nil {
		return *p, nil
	}
	return wire.Student{}, ErrUnknown
}

// Lookup finds the records of a number, exactly; a person may have several,
// which come ordered by batch and reference.
func (s *Store) Lookup(kind Kind, number string) []wire.Student {
	n := Normalise(number)
	if n == "" {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []wire.Student
	for _, p := range s.found.byNumber[n] {
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
		// Residence permits and permanent residence cards carry such a number
		// too, and their bearers type it where everybody types theirs.
		return doc && (p.IDType == wire.IDResident || p.IDType != wire.IDPassport && ValidResidentID(n) == nil)
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

// SetPayment keeps a payment state that this station learnt or decided. It is
// durable when nil is returned, and unchanged otherwise.
func (s *Store) SetPayment(batch, ref string, state wire.PaymentState, reason string) error {
	return s.change(batch, ref, func(l *Local) { l.Payment, l.Reason = state, reason })
}

// MarkCaptured notes that a packet of this student was saved here. It is
// durable when nil is returned, and unchanged otherwise.
func (s *Store) MarkCaptured(batch, ref, packet string, at time.Time) error {
	return s.change(batch, ref, func(l *Local) { l.Packet, l.At = packet, at })
}

func (s *Store) change(batch, ref string, f func(*Local)) error {
	return s.changeIf(batch, ref, func(l *Local, _ map[string]Local) bool { f(l); return true })
}

// changeIf keeps what f makes of the student's entry, unless f says no. f sees
// the entries of all students, which it must not change.
func (s *Store) changeIf(batch, ref string, f func(*Local, map[string]Local) bool) error {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	key := batch + "/" + ref
	old := s.local[key] // only written under keeping
	l := old
	if !f(&l, s.local) || l == old {
		return nil
	}
	next := maps.Clone(s.local)
	next[key] = l
	if err := s.save(fileState, next); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.local = next
	return nil
}
