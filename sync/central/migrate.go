package central

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/packet"
)

// extSealing is a packet's file on its way to being encrypted at rest. It takes
// the packet's place once its data key is in the index.
const extSealing = ".sealing"

// migrate encrypts a directory of before: the rows at once, in one transaction,
// then the packets' files, some at a time. Cut short, the next start goes on.
func (s *Server) migrate(ctx context.Context) error {
	var plain, files bool
	err := s.view(ctx, func(tx *bolt.Tx) error {
		plain = bytes.Equal(tx.Bucket(bktMeta).Get(keySchema), schemaPlain)
		files = plain || tx.Bucket(bktMeta).Get(keySealFiles) != nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("central: migrate: %w", err)
	}
	if plain {
		if err := s.update(ctx, s.sealStudents); err != nil {
			return fmt.Errorf("central: encrypt the students of an older store: %w", err)
		}
	}
	if files {
		if err := s.sealFiles(ctx); err != nil {
			return fmt.Errorf("central: encrypt the packets of an older store: %w", err)
		}
	}
	return nil
}

// sealStudents encrypts the rows of schema 1 under their versions, so that no
// station has to be told.
func (s *Server) sealStudents(tx *bolt.Tx) error {
	rows, err := list[studentRow](tx, bktStudents)
	if err != nil {
		return err
	}
	if err := errors.Join(tx.DeleteBucket(bktByDocument), tx.DeleteBucket(bktStudents)); err != nil {
		return err
	}
	for _, b := range [][]byte{bktByDocument, bktStudents} {
		if _, err := tx.CreateBucket(b); err != nil {
			return err
		}
	}
	for _, row := range rows {
		stored, err := s.sealRow(tx, row)
		if err != nil {
			return err
		}
		if err := putJSON(tx, bktStudents, []byte(row.Ref), stored); err != nil {
			return err
		}
		if row.Removed {
			continue
		}
		if err := tx.Bucket(bktByDocument).Put(s.documentKey(row.Student), nil); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bktMeta)
	if err := errors.Join(meta.Put(keySchema, schemaVersion), meta.Put(keySealFiles, []byte{1}), meta.Put(keyCompact, []byte{1})); err != nil {
		return err
	}
	return appendAudit(tx, s.now(), "system", "store.encrypted", "", fmt.Sprintf("%d students", len(rows)))
}

// sealFiles encrypts every packet's file that has no data key yet.
func (s *Server) sealFiles(ctx context.Context) error {
	if err := s.settleSealing(ctx); err != nil {
		return err
	}
	var left []Packet
	err := s.view(ctx, func(tx *bolt.Tx) error {
		return tx.Bucket(bktPackets).ForEach(func(_, raw []byte) error {
			var p Packet
			if err := json.Unmarshal(raw, &p); err != nil {
				return err
			}
			if p.Stage != StageErased && tx.Bucket(bktDataKeys).Get([]byte(packetLabel(p.ID))) == nil {
				left = append(left, p)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	const together = 64 // one transaction and three fsyncs of directories for so many
	for len(left) > 0 {
		n := min(together, len(left))
		if err := s.sealSome(ctx, left[:n]); err != nil {
			return err
		}
		left = left[n:]
	}
	return s.update(ctx, func(tx *bolt.Tx) error { return tx.Bucket(bktMeta).Delete(keySealFiles) })
}

func (s *Server) sealSome(ctx context.Context, some []Packet) error {
	keys := map[string][]byte{}
	for _, p := range some {
		keys[p.ID] = randomKey()
		if p.Stage == StageDeclared {
			continue // begins again
		}
		b, err := durable.ReadFile(s.packetPath(p.ID), int64(packet.MaxSize))
		if errors.Is(err, os.ErrNotExist) {
			s.log.Error("a packet's file is missing", "packet", p.ID)
			continue
		}
		if err != nil {
			return err
		}
		if err := cryptAt(keys[p.ID], 0, b, b); err != nil {
			return err
		}
		if err := durable.WriteFile(s.packetPath(p.ID)+extSealing, b); err != nil {
			return err
		}
	}
	err := s.update(ctx, func(tx *bolt.Tx) error {
		for _, p := range some {
			label := packetLabel(p.ID)
			if err := tx.Bucket(bktDataKeys).Put([]byte(label), s.vault.now().wrap(label, keys[p.ID])); err != nil {
				return err
			}
			if p.Stage == StageDeclared {
				p.Offset = 0
				if err := putPacket(tx, p); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range some {
		if p.Stage == StageDeclared {
			if err := os.Remove(s.uploadPath(p.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return s.settleSealing(ctx)
}

// settleSealing puts encrypted files in their places, if their keys are in the
// index, and removes the others.
func (s *Server) settleSealing(ctx context.Context) error {
	dir := filepath.Join(s.dir, dirPackets)
	found, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range found {
		name, ok := strings.CutSuffix(d.Name(), extSealing)
		if !ok {
			continue
		}
		path := filepath.Join(dir, d.Name())
		_, err := s.packetKey(ctx, strings.TrimSuffix(name, ".pkt"))
		switch {
		case errors.Is(err, ErrNotFound):
			if err := os.Remove(path); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			if err := errors.Join(os.Chmod(path, 0o400), os.Rename(path, filepath.Join(dir, name))); err != nil {
				return err
			}
		}
	}
	return durable.SyncDir(dir)
}

// compact rewrites the index without its free pages if they hold what must not
// stay: rows of before they were encrypted, and data keys that were dropped.
func (s *Server) compact(ctx context.Context) (err error) {
	due := false
	if err := s.view(ctx, func(tx *bolt.Tx) error { due = tx.Bucket(bktMeta).Get(keyCompact) != nil; return nil }); err != nil || !due {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("central: compact the index: %w", err)
		}
	}()
	path := filepath.Join(s.dir, indexFile)
	tmp := path + ".compact"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	fresh, err := openBolt(tmp)
	if err != nil {
		return err
	}
	const txBytes = 16 << 20 // of one transaction: bounds the memory
	err = bolt.Compact(fresh, s.db, txBytes)
	if err == nil {
		err = fresh.Update(func(tx *bolt.Tx) error { return tx.Bucket(bktMeta).Delete(keyCompact) })
	}
	if err = errors.Join(err, fresh.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	// The old file stays locked until the new one has its name.
	if err := errors.Join(os.Rename(tmp, path), durable.SyncDir(s.dir), s.db.Close()); err != nil {
		return err
	}
	db, err := openIndex(s.dir)
	if err != nil {
		return err
	}
	s.db = db
	return nil
}
