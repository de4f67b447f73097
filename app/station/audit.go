package station

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/durable"
)

// Files of the audit log in the data directory.
const (
	auditFile       = "audit.jsonl"
	auditHeadFile   = "audit.head"
	auditBrokenGlob = "audit.broken-*.jsonl"
)

// auditContext separates signatures of heads from everything else that the
// station's key signs.
const auditContext = "yunzhao/audit-head/1"

// AuditEntry is one line of the audit log. It never holds personal data: a
// session is a digest of its id, staff are named by their staff id, a student
// not at all.
type AuditEntry struct {
	N       uint64    `json:"n"` // 1, 2, 3, …
	At      time.Time `json:"at"`
	Session string    `json:"session,omitempty"` // SessionHash
	By      string    `json:"by,omitempty"`      // staff id, "" = the student or the station itself
	Role    string    `json:"role,omitempty"`
	Event   string    `json:"event"`
	Detail  string    `json:"detail,omitempty"`
	Value   string    `json:"value,omitempty"` // of the check that was overridden
	Limit   string    `json:"limit,omitempty"`
	Prev    string    `json:"prev"` // hex SHA-256 of the line before, "" for the first
}

// SessionHash is how the audit log names a session: whoever knows the session's
// id can find its entries, whoever has the log cannot find the id.
func SessionHash(id string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("yunzhao/session/1\n" + id))
	return hex.EncodeToString(sum[:16])
}

// auditHead is the signed word on how far the log has come. Without it a log
// could be cut short, or one line added at its end, and still be a chain.
type auditHead struct {
	N      uint64    `json:"n"`
	Head   string    `json:"head"`   // hex SHA-256 of line N, "" for an empty log
	Closed bool      `json:"closed"` // the station ended in order: nothing may follow
	At     time.Time `json:"at"`
	Sig    []byte    `json:"sig"` // Ed25519 of the station's key
}

func (h auditHead) signed() []byte {
	return fmt.Appendf(nil, "%s\n%d\n%s\n%t\n%s\n", auditContext, h.N, h.Head, h.Closed, h.At.UTC().Format(time.RFC3339Nano))
}

// auditLog is an append-only file of JSON lines, each of which names the digest
// of the one before: a line taken out or changed breaks the chain. The chain's
// head is signed beside it and travels in every packet.
type auditLog struct {
	dir string
	key ed25519.PrivateKey
	log *slog.Logger

	mu     sync.Mutex
	f      *os.File
	n      uint64
	head   string
	broken bool // a log that was changed lies beside this one

	wake chan struct{}
	done chan struct{}
}

// openAudit continues the log in dir. A torn last line (a power cut while it
// was written) is cut off. A log that somebody has changed is put aside, whole,
// and a new one begins by saying so: a booth with a queue before it must not
// stay shut because of its log, and the change must not go unnoticed.
func openAudit(dir string, key ed25519.PrivateKey, log *slog.Logger) (*auditLog, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("station: audit log: no signing key")
	}
	report, data, err := verifyAudit(dir, public)
	if err != nil {
		return nil, err
	}
	a := &auditLog{dir: dir, key: key, log: log, wake: make(chan struct{}, 1), done: make(chan struct{})}
	broken := ""
	if report.Broken > 0 {
		name := "audit.broken-" + time.Now().UTC().Format("20060102T150405.000000000Z") + ".jsonl"
		broken = fmt.Sprintf("entry %d: %s; kept as %s, sha256 %s", report.Broken, report.Problem, name, digest(data))
		if err := os.Rename(filepath.Join(dir, auditFile), filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("station: put the broken audit log aside: %w", err)
		}
		log.Error("the audit log was changed and is put aside", "entry", report.Broken, "problem", report.Problem, "file", name)
		report = AuditReport{}
	}
	a.n, a.head = uint64(report.Entries), report.Head
	if a.f, err = os.OpenFile(filepath.Join(dir, auditFile), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("station: open audit log: %w", err)
	}
	if err := a.f.Truncate(int64(report.good)); err != nil {
		return nil, errors.Join(fmt.Errorf("station: cut torn audit line: %w", err), a.f.Close())
	}
	if _, err := a.f.Seek(int64(report.good), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("station: audit log: %w", err), a.f.Close())
	}
	if err := durable.SyncDir(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("station: audit log: %w", err), a.f.Close())
	}
	if err := a.checkpoint(false); err != nil {
		return nil, errors.Join(err, a.f.Close())
	}
	aside, err := filepath.Glob(filepath.Join(dir, auditBrokenGlob))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("station: audit log: %w", err), a.f.Close())
	}
	a.broken = len(aside) > 0
	go a.keepHead()
	if broken != "" {
		if _, err := a.append(AuditEntry{At: time.Now(), Event: "audit.broken", Detail: broken}); err != nil {
			return nil, errors.Join(err, a.close())
		}
	} else if report.Unsigned > 0 {
		if _, err := a.append(AuditEntry{At: time.Now(), Event: "audit.resumed", Detail: fmt.Sprintf("%d entries after the last signed head", report.Unsigned)}); err != nil {
			return nil, errors.Join(err, a.close())
		}
	}
	return a, nil
}

// keepHead signs the head soon after each entry, beside whoever writes them.
func (a *auditLog) keepHead() {
	defer close(a.done)
	for range a.wake {
		if err := a.checkpoint(false); err != nil {
			a.log.Error("audit head not signed", "err", err)
		}
	}
}

// checkpoint makes the log durable and then says, signed, how far it goes.
func (a *auditLog) checkpoint(closed bool) error {
	a.mu.Lock()
	h := auditHead{N: a.n, Head: a.head, Closed: closed, At: time.Now().UTC()}
	f := a.f
	a.mu.Unlock()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("station: make audit log durable: %w", err)
	}
	h.Sig = ed25519.Sign(a.key, h.signed())
	data, err := json.Marshal(h)
	if err == nil {
		err = durable.WriteFile(filepath.Join(a.dir, auditHeadFile), data)
	}
	if err != nil {
		return fmt.Errorf("station: sign audit head: %w", err)
	}
	return nil
}

func digest(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// append writes one entry, whose number and predecessor it fills in, and
// returns its line for the session's own copy.
func (a *auditLog) append(e AuditEntry) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e.N, e.Prev, e.At = a.n+1, a.head, e.At.UTC()
	line, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("station: encode audit entry: %w", err)
	}
	whole := append(line, '\n')
	if n, err := a.f.Write(whole); err != nil {
		if n > 0 { // half a line must not be what the next one is written behind
			at, e := a.f.Seek(0, 1)
			if e == nil {
				e = a.f.Truncate(at - int64(n))
			}
			if e == nil {
				_, e = a.f.Seek(at-int64(n), 0)
			}
			err = errors.Join(err, e)
		}
		return nil, fmt.Errorf("station: write audit entry: %w", err)
	}
	a.n, a.head = e.N, digest(line)
	select {
	case a.wake <- struct{}{}:
	default: // the one that waits will see this entry too
	}
	return line, nil
}

// chainHead is the digest of the last entry.
func (a *auditLog) chainHead() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.head
}

// state is how many entries there are, and whether a log that was changed lies
// beside this one.
func (a *auditLog) state() (entries uint64, broken bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n, a.broken
}

// sync makes everything written so far durable; it is called when a packet is.
func (a *auditLog) sync() error { return a.f.Sync() }

// close signs the head for good.
func (a *auditLog) close() error {
	close(a.wake)
	<-a.done
	return errors.Join(a.checkpoint(true), a.f.Close())
}

// NoteAudit appends one entry to the log of a station that is not running: what
// the command line did. The caller holds the data directory's lock.
func NoteAudit(dir string, key ed25519.PrivateKey, log *slog.Logger, e AuditEntry) error {
	a, err := openAudit(dir, key, log)
	if err != nil {
		return err
	}
	_, err = a.append(e)
	return errors.Join(err, a.close())
}

// AuditReport is what a walk through the audit log found.
type AuditReport struct {
	Entries  int    // whole entries that form a chain from the first on
	Head     string // hex SHA-256 of the last of them
	Signed   int    // entries under the signed head
	Unsigned int    // entries that a crash left after it
	Torn     bool   // the last line is not whole: a power cut while it was written

	// Broken is the number of the first entry that is not what was written, 0
	// when there is none, and Problem what is wrong there.
	Broken  int
	Problem AuditProblem
	// Aside are broken logs that the station has put aside when it started.
	Aside []string

	good int // bytes of whole lines
}

// Clean says whether nothing was changed.
func (r AuditReport) Clean() bool { return r.Broken == 0 && len(r.Aside) == 0 }

// AuditProblem is a way in which an audit log is not what was written.
type AuditProblem string

// What a walk can find.
const (
	AuditUnreadable AuditProblem = "unreadable"   // the line is no entry
	AuditNumber     AuditProblem = "number"       // an entry is missing, added or moved
	AuditChain      AuditProblem = "chain"        // the entry was changed: the next one names another digest
	AuditCut        AuditProblem = "cut"          // entries that were signed are gone from the end
	AuditHeadWrong  AuditProblem = "head"         // the last signed entry was changed
	AuditNoHead     AuditProblem = "head_missing" // the signed head is gone
	AuditForged     AuditProblem = "head_forged"  // the head is not signed by this station
	AuditAdded      AuditProblem = "added"        // entries were added after the station had ended
	AuditPacket     AuditProblem = "packet"       // the last packet was sealed on another log
)

// VerifyAudit walks the audit log of the station in dir, which may be running,
// with the station's public key. packetHead is the head that the outbox keeps
// of its last packet, "" = do not compare. The error is about reading; what is
// wrong with the log is in the report.
func VerifyAudit(dir string, public ed25519.PublicKey, packetHead string) (AuditReport, error) {
	r, data, err := verifyAudit(dir, public)
	if err != nil {
		return r, err
	}
	aside, err := filepath.Glob(filepath.Join(dir, auditBrokenGlob))
	if err != nil {
		return r, fmt.Errorf("station: audit log: %w", err)
	}
	for _, path := range aside {
		r.Aside = append(r.Aside, filepath.Base(path))
	}
	if r.Broken == 0 && packetHead != "" && len(aside) == 0 {
		found := false
		for line := range bytes.Lines(data[:r.good]) {
			found = found || digest(bytes.TrimSuffix(line, []byte("\n"))) == packetHead
		}
		if !found {
			r.Broken, r.Problem = r.Entries+1, AuditPacket
		}
	}
	return r, nil
}

// verifyAudit reads the signed head first, so that a station that goes on
// writing meanwhile is only ever ahead of it.
func verifyAudit(dir string, public ed25519.PublicKey) (AuditReport, []byte, error) {
	headBytes, headErr := durable.ReadFile(filepath.Join(dir, auditHeadFile), 4<<10)
	if headErr != nil && !errors.Is(headErr, fs.ErrNotExist) {
		return AuditReport{}, nil, fmt.Errorf("station: read audit head: %w", headErr)
	}
	data, err := os.ReadFile(filepath.Join(dir, auditFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return AuditReport{}, nil, fmt.Errorf("station: read audit log: %w", err)
	}
	return judgeAudit(data, headBytes, headErr == nil, public), data, nil
}

// judgeAudit walks the chain and holds it to the signed head.
func judgeAudit(data, headBytes []byte, hasHead bool, public ed25519.PublicKey) AuditReport {
	var r AuditReport
	var h auditHead
	forged := false
	if hasHead {
		forged = json.Unmarshal(headBytes, &h) != nil || !ed25519.Verify(public, h.signed(), h.Sig)
	}
	numbered, wrongHead := false, false
	for r.good < len(data) {
		end := bytes.IndexByte(data[r.good:], '\n')
		if end < 0 {
			r.Torn = true
			break
		}
		n := r.Entries + 1
		line := data[r.good : r.good+end]
		var e AuditEntry
		switch {
		case json.Unmarshal(line, &e) != nil:
			r.Broken, r.Problem = n, AuditUnreadable
			return r
		case e.N != uint64(n) && (numbered || e.N != 0): // the first releases did not number entries
			r.Broken, r.Problem = n, AuditNumber
			return r
		case e.Prev != r.Head:
			r.Broken, r.Problem = max(n-1, 1), AuditChain
			return r
		}
		numbered = numbered || e.N != 0
		r.Head = digest(line)
		r.Entries = n
		r.good += end + 1
		if hasHead && !forged && h.N == uint64(n) && h.Head != r.Head {
			wrongHead = true
		}
	}
	switch {
	case forged:
		r.Broken, r.Problem = max(r.Entries, 1), AuditForged
	case !hasHead && numbered:
		r.Broken, r.Problem = max(r.Entries, 1), AuditNoHead
	case !hasHead:
		r.Unsigned = r.Entries
	case h.N > uint64(r.Entries):
		r.Broken, r.Problem = r.Entries+1, AuditCut
	case wrongHead:
		r.Broken, r.Problem = int(h.N), AuditHeadWrong
	case h.Closed && (uint64(r.Entries) > h.N || r.Torn):
		r.Broken, r.Problem = int(h.N)+1, AuditAdded
	default:
		r.Signed, r.Unsigned = int(h.N), r.Entries-int(h.N)
	}
	return r
}
