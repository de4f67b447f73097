package station

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// auditLine is one entry. It never holds personal data: a session is a ULID,
// a student an opaque reference that stays inside sealed packets.
type auditLine struct {
	At      time.Time `json:"at"`
	Session string    `json:"session,omitempty"`
	Event   string    `json:"event"`
	Detail  string    `json:"detail,omitempty"`
	Prev    string    `json:"prev"` // hex SHA-256 of the line before, "" for the first
}

// auditLog is an append-only file of JSON lines, each of which names the digest
// of the one before: a line taken out or changed breaks the chain, and the
// chain's head travels in every packet.
type auditLog struct {
	f    *os.File
	head string
}

// openAudit continues the log at path. A torn last line (a power cut while it
// was written) is cut off; a broken chain is an error, because it means that
// somebody edited the log.
func openAudit(path string) (*auditLog, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("station: read audit log: %w", err)
	}
	head, good, err := verifyAudit(data)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("station: open audit log: %w", err)
	}
	if err := f.Truncate(int64(good)); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("station: cut torn audit line: %w", err)
	}
	if _, err := f.Seek(int64(good), 0); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("station: audit log: %w", err)
	}
	return &auditLog{f: f, head: head}, nil
}

// verifyAudit walks the chain and returns its head and the length of the whole
// lines.
func verifyAudit(data []byte) (head string, good int, err error) {
	for n := 1; good < len(data); n++ {
		end := bytes.IndexByte(data[good:], '\n')
		if end < 0 {
			break
		}
		line := data[good : good+end]
		var l auditLine
		if err := json.Unmarshal(line, &l); err != nil || l.Prev != head {
			return "", 0, fmt.Errorf("station: audit log is broken at line %d", n)
		}
		head = digest(line)
		good += end + 1
	}
	return head, good, nil
}

func digest(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// append writes one entry and returns its line for the session's own copy.
func (a *auditLog) append(at time.Time, session, event, detail string) ([]byte, error) {
	line, err := json.Marshal(auditLine{At: at.UTC(), Session: session, Event: event, Detail: detail, Prev: a.head})
	if err != nil {
		return nil, fmt.Errorf("station: encode audit entry: %w", err)
	}
	w := bufio.NewWriterSize(a.f, len(line)+1)
	_, _ = w.Write(line)
	_ = w.WriteByte('\n')
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("station: write audit entry: %w", err)
	}
	a.head = digest(line)
	return line, nil
}

// sync makes everything written so far durable; it is called when a packet is.
func (a *auditLog) sync() error { return a.f.Sync() }

func (a *auditLog) close() error { return errors.Join(a.f.Sync(), a.f.Close()) }
