package central

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"filippo.io/age"
	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/packet"
)

// A backup is one age file for the offline recovery identity: a tar with the
// index as one transaction saw it, the keys, and every packet that the index
// holds as stored. Its last entry says how many packets there are, so that a
// backup that was cut off is never taken for a whole one.
const (
	backupIndex   = indexFile
	backupEnd     = "complete"
	maxKeyFile    = 1 << 20
	maxIndexBytes = 64 << 30
)

// BackupReport says what is in a backup.
type BackupReport struct {
	Path    string `json:"path"`
	Packets int    `json:"packets"`
	Bytes   int64  `json:"bytes"` // of the encrypted file
}

// Errors of a backup.
var (
	ErrBackup   = errors.New("central: not a whole backup")
	ErrNotEmpty = errors.New("central: the directory to restore into is not empty")
)

// Backup writes an encrypted backup to path, which must not exist, while the
// server goes on working. What is acknowledged before it begins is in it.
func (s *Server) Backup(ctx context.Context, path, actor string) (rep BackupReport, err error) {
	rep.Path = path
	if err := s.audit(ctx, actor, "backup.begun", "", ""); err != nil {
		return rep, err
	}
	dir := filepath.Dir(path)
	if _, err := os.Lstat(path); err == nil {
		return rep, fmt.Errorf("central: backup: %s: %w", path, os.ErrExist)
	}
	f, err := os.CreateTemp(dir, ".backup-*.tmp") // 0600
	if err != nil {
		return rep, fmt.Errorf("central: backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("central: backup: %w", errors.Join(err, os.Remove(f.Name())))
		}
	}()
	rep.Packets, err = s.writeBackup(ctx, f)
	if err == nil {
		err = f.Sync()
	}
	if info, serr := f.Stat(); serr == nil {
		rep.Bytes = info.Size()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return rep, err
	}
	// A link, not a rename: it does not replace what came there meanwhile.
	if err = os.Link(f.Name(), path); err != nil {
		return rep, err
	}
	if err = os.Remove(f.Name()); err != nil {
		return rep, err
	}
	return rep, durable.SyncDir(dir)
}

func (s *Server) writeBackup(ctx context.Context, w io.Writer) (packets int, err error) {
	enc, err := age.Encrypt(w, s.keys.recovery)
	if err != nil {
		return 0, err
	}
	out := tar.NewWriter(enc)
	now := s.now()
	add := func(name string, size int64) error {
		return out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: size, ModTime: now})
	}
	addBytes := func(name string, b []byte) error {
		if err := add(name, int64(len(b))); err != nil {
			return err
		}
		_, err := out.Write(b)
		return err
	}
	// The keys have to be those of the index that goes with them.
	s.rotating.Lock()
	unlock := sync.OnceFunc(s.rotating.Unlock)
	defer unlock()
	err = s.view(ctx, func(tx *bolt.Tx) error {
		keys, err := s.keyFiles()
		unlock()
		if err != nil {
			return err
		}
		if err := add(backupIndex, tx.Size()); err != nil {
			return err
		}
		if _, err := tx.WriteTo(out); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			if err := addBytes(dirKeys+"/"+name, keys[name]); err != nil {
				return err
			}
		}
		return tx.Bucket(bktPackets).ForEach(func(k, _ []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			p, err := getPacket(tx, string(k))
			if err != nil || p.Stage == StageDeclared || p.Stage == StageErased || tx.Bucket(bktPurged).Get(k) != nil {
				return err
			}
			b, err := durable.ReadFile(s.packetPath(p.ID), int64(packet.MaxSize))
			if err != nil {
				return err
			}
			packets++
			return addBytes(dirPackets+"/"+p.ID+".pkt", b)
		})
	})
	if err != nil {
		return 0, err
	}
	if err := addBytes(backupEnd, fmt.Appendf(nil, "%d\n", packets)); err != nil {
		return 0, err
	}
	return packets, errors.Join(out.Close(), enc.Close())
}

// keyFiles reads all of the keys but the one that opens the backup, which stays
// out of it.
func (s *Server) keyFiles() (map[string][]byte, error) {
	list, err := os.ReadDir(filepath.Join(s.dir, dirKeys))
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, d := range list {
		if !d.Type().IsRegular() || d.Name() == fileTakeAway || d.Name() == fileMasterNext || strings.HasPrefix(d.Name(), ".") {
			continue
		}
		if out[d.Name()], err = durable.ReadFile(filepath.Join(s.dir, dirKeys, d.Name()), maxKeyFile); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Restore makes dir, which must not exist or be empty, what the backup in r
// holds. A list of tombstones (FileTombstones) may lie there: whom it names is
// erased again before anything is served. Uploads that had begun start again. Nothing has the name of the index
// before all is durable, so a restore that was cut off is never served; its
// remains have to be removed.
func Restore(ctx context.Context, r io.Reader, identity age.Identity, dir, actor string, now time.Time) (packets int, err error) {
	plain, err := age.Decrypt(r, identity)
	if err != nil {
		return 0, fmt.Errorf("%w: this identity does not open it", ErrBackup)
	}
	if list, err := os.ReadDir(dir); err == nil && slices.ContainsFunc(list, func(d os.DirEntry) bool { return d.Name() != FileTombstones }) {
		return 0, fmt.Errorf("%w: %s", ErrNotEmpty, dir)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("central: restore: %w", err)
	}
	for _, d := range []string{dir, filepath.Join(dir, dirKeys), filepath.Join(dir, dirPackets), filepath.Join(dir, dirUploads)} {
		if err := durable.MkdirAll(d); err != nil {
			return 0, fmt.Errorf("central: restore: %w", err)
		}
	}
	index := filepath.Join(dir, indexFile+".restored")
	packets, err = unpackBackup(ctx, plain, dir, index)
	if err != nil {
		return 0, fmt.Errorf("central: restore: %w", err)
	}
	if err := settleRestored(index, dir, actor, packets, now); err != nil {
		return 0, fmt.Errorf("central: restore: %w", err)
	}
	if err := os.Rename(index, filepath.Join(dir, indexFile)); err != nil {
		return 0, fmt.Errorf("central: restore: %w", err)
	}
	if err := durable.SyncDir(dir); err != nil {
		return 0, fmt.Errorf("central: restore: %w", err)
	}
	// The first start erases whom the tombstones name, and encrypts the backup
	// of an older program. If it fails, so does every start after it.
	s, err := Open(dir, Options{Now: func() time.Time { return now }})
	if err != nil {
		return 0, fmt.Errorf("central: restore: %w", err)
	}
	return packets, s.Close()
}

// unpackBackup writes the parts of a backup, names it does not know refused.
func unpackBackup(ctx context.Context, r io.Reader, dir, index string) (packets int, err error) {
	in := tar.NewReader(r)
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		h, err := in.Next()
		if err != nil {
			return 0, fmt.Errorf("%w: it is cut off or damaged", ErrBackup)
		}
		folder, name := "", h.Name
		if i := strings.IndexByte(name, '/'); i >= 0 {
			folder, name = name[:i], name[i+1:]
		}
		id, isPacket := strings.CutSuffix(name, ".pkt")
		switch {
		case h.Typeflag != tar.TypeReg:
			return 0, fmt.Errorf("%w: an entry is no file", ErrBackup)
		case h.Name == backupIndex && h.Size <= maxIndexBytes:
			if err := copyTo(index, in); err != nil {
				return 0, err
			}
			continue
		case folder == dirPackets && isPacket && validULID(id) && h.Size <= int64(packet.MaxSize):
			packets++
		case folder == dirKeys && filepath.IsLocal(name) && !strings.ContainsAny(name, `/\`) && h.Size <= maxKeyFile:
		case h.Name == backupEnd && h.Size < 32:
			b, err := io.ReadAll(in)
			if err != nil || !bytes.Equal(b, fmt.Appendf(nil, "%d\n", packets)) {
				return 0, fmt.Errorf("%w: packets are missing", ErrBackup)
			}
			return packets, nil
		default:
			return 0, fmt.Errorf("%w: an entry of an unknown name or size", ErrBackup)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			return 0, fmt.Errorf("%w: it is cut off or damaged", ErrBackup)
		}
		//nolint:gosec // folder and name were held against what a backup may hold
		if err := durable.WriteFile(filepath.Join(dir, folder, name), b); err != nil {
			return 0, err
		}
	}
}

func copyTo(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		return errors.Join(fmt.Errorf("%w: the index is cut off", ErrBackup), f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// settleRestored holds the index against the packets that came with it, lets
// unfinished uploads begin again, and writes the restore into the audit log.
func settleRestored(index, dir, actor string, packets int, now time.Time) (err error) {
	defer func() {
		if r := recover(); r != nil { // bbolt panics on some kinds of corruption
			err = fmt.Errorf("%w: the index is damaged", ErrBackup)
		}
	}()
	db, err := bolt.Open(index, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return fmt.Errorf("%w: the index cannot be read", ErrBackup)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		if tx.Bucket(bktPackets) == nil || tx.Bucket(bktAudit) == nil {
			return fmt.Errorf("%w: the index is not central's", ErrBackup)
		}
		if err := verifyAudit(tx); err != nil {
			return err
		}
		all, err := listPackets(tx, PacketFilter{})
		if err != nil {
			return err
		}
		for _, p := range all {
			purged := tx.Bucket(bktPurged) // not in the backups of an older program
			if p.Stage == StageErased || purged != nil && purged.Get([]byte(p.ID)) != nil {
				continue
			}
			if p.Stage != StageDeclared {
				if _, err := os.Stat(filepath.Join(dir, dirPackets, p.ID+".pkt")); err != nil {
					return fmt.Errorf("%w: packet %s is missing", ErrBackup, p.ID)
				}
				continue
			}
			if p.Offset > 0 {
				p.Offset = 0
				if err := putPacket(tx, p); err != nil {
					return err
				}
			}
		}
		// Stations hear of it and offer again what this store has forgotten.
		if err := newEpoch(tx); err != nil {
			return err
		}
		return appendAudit(tx, now, actor, "backup.restored", "", fmt.Sprintf("%d packets", packets))
	})
	return errors.Join(err, db.Close())
}
