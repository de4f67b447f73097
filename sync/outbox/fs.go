package outbox

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/sync/durable"
)

// file is an open file being written.
type file interface {
	Write(b []byte) (int, error)
	Sync() error
	Close() error
}

// fileSystem is every call the store makes, so that tests can make each of
// them fail and can play a power cut between any two.
type fileSystem interface {
	MkdirAll(path string) error
	Create(path string) (file, error) // must not exist
	Rename(from, to string) error
	Remove(path string) error
	SyncFile(path string) error
	Extend(path string, size int64) error // with zeros, durably
	SyncDir(path string) error
	ReadDir(path string) ([]fs.DirEntry, error)
	ReadFile(path string, limit int64) ([]byte, error)
	Free(path string) (bytes uint64, err error)
}

// fileMode of what the store makes: for its own user only.
const fileMode = durable.FileMode

type osFS struct{}

func (osFS) MkdirAll(path string) error { return durable.MkdirAll(path) }

func (osFS) Create(path string) (file, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
}

func (osFS) Rename(from, to string) error               { return os.Rename(from, to) } //nolint:gosec // names are made of digests, below the operator's directory
func (osFS) Remove(path string) error                   { return os.Remove(path) }
func (osFS) SyncFile(path string) error                 { return syncPath(path) }
func (osFS) Extend(path string, size int64) error       { return extendFile(path, size) }
func (osFS) SyncDir(path string) error                  { return syncPath(path) }
func (osFS) ReadDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }

func (osFS) ReadFile(path string, limit int64) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s: not a regular file of at most %d bytes", path, limit)
	}
	return os.ReadFile(path)
}

func (osFS) Free(path string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return s.Bavail * uint64(s.Bsize), nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
