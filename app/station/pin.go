package station

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/durable"
)

// Files of the data directory.
const (
	pinFile     = "pins.json"
	lockoutFile = "lockout.json"
)

// Parameters of argon2id for new PIN files: OWASP's smallest recommended
// memory, 19 MiB, with one pass more, because the station shares its memory
// with the photo under way. No cost makes a short PIN safe against somebody who
// has the file, so that a PIN guards the screen only and decrypts nothing.
const (
	pinTime      = 3
	pinMemoryKiB = 19 * 1024
	pinThreads   = 1
	pinKeyLen    = 32
	pinSaltLen   = 16
)

// Bounds of what is taken from a PIN file.
const (
	pinFileMax     = 64 << 10
	pinMaxPeople   = 32
	pinMaxTime     = 16
	pinMaxMemory   = 256 * 1024 // KiB
	pinMaxThreads  = 8
	pinFileVersion = 1
)

// Lengths of PINs. An admin's is longer: it can delete and shut down.
const (
	pinMin      = 4
	pinMinAdmin = 6
	pinMax      = 12
)

// Wrong PINs are free until the third; then each one doubles the wait. Four
// digits last some fifty days on average against somebody who never leaves.
const (
	lockoutFrom  = 3
	lockoutFirst = 30 * time.Second
	lockoutMax   = 15 * time.Minute
)

// Errors of PINs.
var (
	ErrPINDigits  = errors.New("a PIN is 4 to 12 digits, an admin's 6 to 12")
	ErrPINSimple  = errors.New("this PIN is too easy to guess: all the same digit, or counting up or down")
	ErrPINTaken   = errors.New("somebody else has this PIN: it must name one person")
	ErrPINStaff   = errors.New("a staff id is 1 to 32 of a-z, 0-9, - and _")
	ErrPINRole    = errors.New("a role is operator or admin")
	ErrPINUnknown = errors.New("nobody has this staff id")
	ErrPINFile    = errors.New("the PIN file cannot be used")
)

// PINOwner is somebody who has a PIN.
type PINOwner struct {
	Staff booth.Staff
	SetAt time.Time
}

// pinRecord is one PIN as it is stored.
type pinRecord struct {
	ID    string     `json:"id"`
	Role  booth.Role `json:"role"`
	Hash  []byte     `json:"hash"` // argon2id under the file's salt
	SetAt time.Time  `json:"set_at"`
}

// pinBook is the PIN file. All PINs share one salt, so that one computation
// finds whose PIN it is; PINs are unique, so that equal hashes tell nothing.
type pinBook struct {
	Version   int         `json:"version"`
	KDF       string      `json:"kdf"`
	Time      uint32      `json:"time"`
	MemoryKiB uint32      `json:"memory_kib"`
	Threads   uint8       `json:"threads"`
	Salt      []byte      `json:"salt"`
	People    []pinRecord `json:"people"`
}

// lockout is how often a wrong PIN was typed since the last right one.
type lockout struct {
	Failures int       `json:"failures"`
	Until    time.Time `json:"until"` // no PIN is taken before
}

// PINs are the PINs of a data directory and the lockout after wrong ones. The
// files are read at every use, so that a PIN set from the command line counts
// at once. It is safe for concurrent use.
type PINs struct {
	dir string
	now func() time.Time

	mu     sync.Mutex
	locked lockout // as this process knows it: its Until has the monotonic clock
	read   bool
}

// OpenPINs names the data directory; it reads nothing yet. now is the clock,
// nil = time.Now.
func OpenPINs(dir string, now func() time.Time) *PINs {
	if now == nil {
		now = time.Now
	}
	return &PINs{dir: dir, now: now}
}

var staffID = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// ValidPIN says whether pin may be somebody's with that role.
func ValidPIN(role booth.Role, pin string) error {
	least := pinMin
	if role == booth.RoleAdmin {
		least = pinMinAdmin
	}
	if len(pin) < least || len(pin) > pinMax || strings.Trim(pin, "0123456789") != "" {
		return ErrPINDigits
	}
	for _, step := range []int{0, 1, -1} {
		run := true
		for i := 1; i < len(pin); i++ {
			run = run && (int(pin[i-1]-'0')+step+10)%10 == int(pin[i]-'0')
		}
		if run {
			return ErrPINSimple
		}
	}
	return nil
}

// Set gives somebody a PIN, or another one, and ends a lockout.
func (p *PINs) Set(who booth.Staff, pin string) error {
	if who.Role != booth.RoleOperator && who.Role != booth.RoleAdmin {
		return ErrPINRole
	}
	if who.ID == "" {
		who.ID = string(who.Role)
	}
	if !staffID.MatchString(who.ID) {
		return ErrPINStaff
	}
	if err := ValidPIN(who.Role, pin); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := p.book()
	if errors.Is(err, fs.ErrNotExist) {
		b = pinBook{Version: pinFileVersion, KDF: "argon2id", Time: pinTime, MemoryKiB: pinMemoryKiB, Threads: pinThreads, Salt: make([]byte, pinSaltLen)}
		_, err = rand.Read(b.Salt)
	}
	if err != nil {
		return fmt.Errorf("station: set a PIN: %w", err)
	}
	hash := b.hash(pin)
	b.People = slices.DeleteFunc(b.People, func(r pinRecord) bool { return r.ID == who.ID })
	for _, r := range b.People {
		if subtle.ConstantTimeCompare(r.Hash, hash) == 1 {
			return ErrPINTaken
		}
	}
	if len(b.People) >= pinMaxPeople {
		return fmt.Errorf("station: set a PIN: %d people have one already", pinMaxPeople)
	}
	b.People = append(b.People, pinRecord{ID: who.ID, Role: who.Role, Hash: hash, SetAt: p.now().UTC().Truncate(time.Second)})
	if err := p.save(b); err != nil {
		return err
	}
	return p.setLockout(lockout{})
}

// Remove takes somebody's PIN away.
func (p *PINs) Remove(id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := p.book()
	if errors.Is(err, fs.ErrNotExist) {
		return ErrPINUnknown
	}
	if err != nil {
		return fmt.Errorf("station: remove a PIN: %w", err)
	}
	n := len(b.People)
	b.People = slices.DeleteFunc(b.People, func(r pinRecord) bool { return r.ID == id })
	if len(b.People) == n {
		return ErrPINUnknown
	}
	return p.save(b)
}

// Owners lists who has a PIN; none is no error.
func (p *PINs) Owners() ([]PINOwner, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := p.book()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []PINOwner
	for _, r := range b.People {
		out = append(out, PINOwner{Staff: booth.Staff{ID: r.ID, Role: r.Role}, SetAt: r.SetAt})
	}
	return out, nil
}

// PINResult is what came of a PIN.
type PINResult struct {
	OK    bool
	Staff booth.Staff
	NoPIN bool          // none was ever set
	Wait  time.Duration // no PIN is taken before this has passed
}

// Check says whose PIN it is. A try is counted, durably, before it is judged,
// so that pulling the plug buys no more of them; the right PIN sets the count
// back. While a wait lasts nothing is judged or counted. An empty PIN asks only
// how things stand.
func (p *PINs) Check(pin string) (PINResult, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := p.book()
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(b.People) == 0 {
		return PINResult{NoPIN: true}, nil
	}
	if err != nil {
		return PINResult{}, err
	}
	l := p.lockout()
	if wait := l.Until.Sub(p.now()); wait > 0 {
		return PINResult{Wait: wait}, nil
	}
	if pin == "" || len(pin) > pinMax {
		return PINResult{}, nil
	}
	l.Failures++
	wait := lockoutWait(l.Failures)
	l.Until = p.now().Add(wait)
	// A full disk must not lock the staff out: the count then holds for as long
	// as the program runs.
	counted := p.setLockout(l)
	hash := b.hash(pin)
	var found PINResult
	for _, r := range b.People { // all of them: the time tells nothing
		if subtle.ConstantTimeCompare(r.Hash, hash) == 1 {
			found = PINResult{OK: true, Staff: booth.Staff{ID: r.ID, Role: r.Role}}
		}
	}
	if !found.OK {
		return PINResult{Wait: wait}, counted
	}
	return found, p.setLockout(lockout{})
}

// lockoutWait is how long no PIN is taken after that many wrong ones in a row.
func lockoutWait(failures int) time.Duration {
	if failures < lockoutFrom {
		return 0
	}
	wait := lockoutFirst
	for range failures - lockoutFrom {
		if wait *= 2; wait >= lockoutMax {
			return lockoutMax
		}
	}
	return wait
}

// lockout reads the count once. The wait that is left is never longer than the
// count gives, whatever the clock said when it was written.
func (p *PINs) lockout() lockout {
	if p.read {
		return p.locked
	}
	p.read = true
	data, err := durable.ReadFile(filepath.Join(p.dir, lockoutFile), 4<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return p.locked
	}
	var l lockout
	if err != nil || json.Unmarshal(data, &l) != nil || l.Failures < 0 {
		// Somebody had a hand in it: as after the third wrong PIN.
		l = lockout{Failures: lockoutFrom, Until: p.now().Add(lockoutFirst)}
	}
	left := min(l.Until.Sub(p.now()), lockoutWait(l.Failures))
	p.locked = lockout{Failures: l.Failures, Until: p.now().Add(max(left, 0))}
	return p.locked
}

func (p *PINs) setLockout(l lockout) error {
	p.locked, p.read = l, true
	path := filepath.Join(p.dir, lockoutFile)
	if l == (lockout{}) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("station: end the lockout: %w", err)
		}
		return nil
	}
	data, err := json.Marshal(l)
	if err == nil {
		err = durable.WriteFile(path, data)
	}
	if err != nil {
		return fmt.Errorf("station: count a try: %w", err)
	}
	return nil
}

func (b pinBook) hash(pin string) []byte {
	return argon2.IDKey([]byte(pin), b.Salt, b.Time, b.MemoryKiB, b.Threads, pinKeyLen)
}

func (p *PINs) book() (pinBook, error) {
	data, err := durable.ReadFile(filepath.Join(p.dir, pinFile), pinFileMax)
	if errors.Is(err, fs.ErrNotExist) {
		return pinBook{}, err
	}
	if err != nil {
		return pinBook{}, fmt.Errorf("%w: %w", ErrPINFile, err)
	}
	return parsePINs(data)
}

// parsePINs reads a PIN file and refuses what would make a computation hang or
// let an empty hash pass.
func parsePINs(data []byte) (pinBook, error) {
	var b pinBook
	if err := json.Unmarshal(data, &b); err != nil {
		return pinBook{}, fmt.Errorf("%w: %w", ErrPINFile, err)
	}
	if b.Version != pinFileVersion || b.KDF != "argon2id" || b.Time < 1 || b.Time > pinMaxTime || b.Threads < 1 || b.Threads > pinMaxThreads ||
		b.MemoryKiB < 8*uint32(b.Threads) || b.MemoryKiB > pinMaxMemory || len(b.Salt) < pinSaltLen || len(b.People) > pinMaxPeople {
		return pinBook{}, fmt.Errorf("%w: parameters out of range", ErrPINFile)
	}
	for _, r := range b.People {
		if len(r.Hash) != pinKeyLen || !staffID.MatchString(r.ID) || r.Role != booth.RoleOperator && r.Role != booth.RoleAdmin {
			return pinBook{}, fmt.Errorf("%w: a person's record is damaged", ErrPINFile)
		}
	}
	return b, nil
}

func (p *PINs) save(b pinBook) error {
	data, err := json.MarshalIndent(b, "", "  ")
	if err == nil {
		err = durable.WriteFile(filepath.Join(p.dir, pinFile), append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("station: store the PINs: %w", err)
	}
	return nil
}
