package outbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// indexSpare is how much written room the index has ahead before a session
// begins: a row takes about 600 bytes, in at most five new pages.
const indexSpare = indexGrow / 2

// makeRoom keeps the index ahead of what the next photos write to it, so that
// no commit has to make the file longer or find blocks for it: that would be
// one more transaction of the file system's journal while a student waits, and
// the moment at which a full disk shows. Called with o.mu held, which keeps
// bbolt from growing the file meanwhile.
func (o *Outbox) makeRoom() error {
	var used int64
	err := guarded(func() error {
		return o.db.View(func(tx *bbolt.Tx) error {
			used = tx.Size()
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("outbox: look at the index: %w", err)
	}
	path := filepath.Join(o.dir, fileIndex)
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("outbox: look at the index: %w", err)
	}
	if info.Size() >= used+indexSpare {
		return nil
	}
	if err := o.fsys.Extend(path, info.Size()+indexGrow); err != nil {
		return fmt.Errorf("outbox: make room in the index: %w", err)
	}
	return nil
}

// extendFile makes a file as long as size with zeros that are written and not
// only promised, durably. What is in it stays.
func extendFile(path string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	zeros := make([]byte, 64<<10)
	for at := info.Size(); at < size; {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at)
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return f.Sync()
}
