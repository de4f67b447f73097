package cli

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"
)

// ledger remembers, in a hidden folder beside the portraits, what became of
// which file, so that a run that was stopped, however roughly, goes on where it
// was. A portrait is put in place whole, and noted only then; what a killed run
// leaves unfinished lies in the hidden folder and is removed by the next one.
// Reports stay on disk until the table is written, so that memory does not grow
// with the folder. It is safe for concurrent use.
type ledger struct {
	out, dir string
	lock     *flock.Flock

	mu    sync.Mutex
	file  *os.File
	size  int64            // of file
	notes map[string]entry // by name of the file
}

// note is one line of the ledger.
type note struct {
	File string `json:"file"`
	Key  string `json:"key"` // digests of settings and photo; "" = never skipped
	Rows []row  `json:"rows"`
}

// entry is what is kept of a note, and where the whole is.
type entry struct {
	key      string
	photos   []photoFile // one a standard
	at, size int64       // of the line
}

// photoFile is a written portrait; the zero value: none was.
type photoFile struct{ name, sha256 string }

const (
	ledgerDir   = ".yunzhao-batch"
	ledgerFile  = "done.jsonl"
	tempPattern = "new-*"
	// maxNote is far above the 20 KB that a report takes.
	maxNote = 16 << 20
)

// openLedger reads what earlier runs noted. A line that a killed run left half
// written is dropped.
func openLedger(out string) (_ *ledger, err error) {
	l := &ledger{out: out, dir: filepath.Join(out, ledgerDir), notes: map[string]entry{}}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make %s: %w", ledgerDir, err)
	}
	l.lock = flock.New(filepath.Join(l.dir, "lock"))
	held, err := l.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", ledgerDir, err)
	}
	if !held {
		return nil, usageError{"另一个 batch 正在写这个文件夹：" + out, "Another batch is writing to this folder: " + out}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.lock.Unlock())
		}
	}()
	leftovers, err := filepath.Glob(filepath.Join(l.dir, tempPattern))
	if err != nil {
		return nil, fmt.Errorf("look for leftovers: %w", err)
	}
	for _, f := range leftovers {
		if err := os.Remove(f); err != nil {
			return nil, fmt.Errorf("remove leftover: %w", err)
		}
	}
	if err := l.rewrite(); err != nil {
		return nil, fmt.Errorf("rewrite %s: %w", ledgerFile, err)
	}
	if l.file, err = os.OpenFile(filepath.Join(l.dir, ledgerFile), os.O_APPEND|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("open %s: %w", ledgerFile, err)
	}
	return l, nil
}

// rewrite keeps the last whole line of every file, and reads them.
func (l *ledger) rewrite() error {
	old, err := os.Open(filepath.Join(l.dir, ledgerFile))
	if errors.Is(err, os.ErrNotExist) {
		return l.put(filepath.Join(ledgerDir, ledgerFile), func(io.Writer) error { return nil })
	}
	if err != nil {
		return err
	}
	defer old.Close()
	last := map[string]int{}
	scan := func(each func(i int, n *note, line []byte) error) error {
		if _, err := old.Seek(0, io.SeekStart); err != nil {
			return err
		}
		lines := bufio.NewScanner(old)
		lines.Buffer(nil, maxNote)
		for i := 0; lines.Scan(); i++ {
			var n note
			if json.Unmarshal(lines.Bytes(), &n) != nil || n.File == "" {
				continue
			}
			if err := each(i, &n, lines.Bytes()); err != nil {
				return err
			}
		}
		return lines.Err()
	}
	if err := scan(func(i int, n *note, _ []byte) error {
		last[n.File] = i
		return nil
	}); err != nil {
		return err
	}
	return l.put(filepath.Join(ledgerDir, ledgerFile), func(w io.Writer) error {
		return scan(func(i int, n *note, line []byte) error {
			if last[n.File] != i {
				return nil
			}
			l.enter(n, len(line)+1)
			_, err := w.Write(append(bytes.Clone(line), '\n'))
			return err
		})
	})
}

// enter remembers a note whose line of size bytes comes next.
func (l *ledger) enter(n *note, size int) {
	e := entry{key: n.Key, at: l.size, size: int64(size)}
	for _, r := range n.Rows {
		e.photos = append(e.photos, photoFile{r.Photo, r.SHA256})
	}
	l.notes[n.File] = e
	l.size += int64(size)
}

// close lets other runs use the folder.
func (l *ledger) close() {
	// Every line has been written; nothing can be lost by closing.
	_ = l.file.Close()
	_ = l.lock.Unlock()
}

// put writes a file of the folder whole or not at all. It does not wait for the
// disk: what a power cut takes of a portrait, its digest in the ledger tells.
func (l *ledger) put(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(l.dir, tempPattern)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	b := bufio.NewWriter(f)
	if err = write(b); err == nil {
		err = b.Flush()
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(l.out, name))
}

// putBytes is put for what is there already.
func (l *ledger) putBytes(name string, data []byte) error {
	return l.put(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// finished returns the rows of a file that an earlier run made with the same
// settings of the same bytes, if its portraits are still what was written.
func (l *ledger) finished(it item, key string) ([]row, error) {
	l.mu.Lock()
	e, ok := l.notes[it.name]
	l.mu.Unlock()
	if !ok || e.key != key || len(e.photos) != len(it.outs) {
		return nil, nil
	}
	for i, p := range e.photos {
		if p.name != "" && (p.name != it.outs[i] || !l.intact(p)) {
			return nil, nil
		}
	}
	return l.rows(it)
}

// rows reads back what was noted of a file; nil: nothing.
func (l *ledger) rows(it item) ([]row, error) {
	l.mu.Lock()
	e, ok := l.notes[it.name]
	l.mu.Unlock()
	if !ok {
		return nil, nil
	}
	line := make([]byte, e.size)
	if _, err := l.file.ReadAt(line, e.at); err != nil {
		return nil, fmt.Errorf("read %s: %w", ledgerFile, err)
	}
	var n note
	if err := json.Unmarshal(line, &n); err != nil || n.File != it.name {
		return nil, fmt.Errorf("read %s: not the line that was written there: %w", ledgerFile, err)
	}
	return n.Rows, nil
}

// intact tells whether a portrait is there as it was written.
func (l *ledger) intact(p photoFile) bool {
	f, err := os.Open(filepath.Join(l.out, p.name))
	if err != nil {
		return false
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return false
	}
	return hex.EncodeToString(h.Sum(nil)) == p.sha256
}

// finish notes what became of a file, after its portraits are in place. A
// portrait of an earlier run that is no longer one is removed: it would pass for
// the new one.
func (l *ledger) finish(it item, key string, rows []row) error {
	n := note{it.name, key, rows}
	b, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("note a finished photo: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, r := range rows {
		for _, old := range l.notes[it.name].photos {
			if r.Photo == "" && old.name == it.outs[i] && l.intact(old) {
				if err := os.Remove(filepath.Join(l.out, old.name)); err != nil {
					return fmt.Errorf("remove outdated photo: %w", err)
				}
			}
		}
	}
	if _, err := l.file.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("note a finished photo: %w", err)
	}
	l.enter(&n, len(b)+1)
	return nil
}
