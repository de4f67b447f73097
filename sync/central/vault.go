package central

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Every student's row and every packet's file is encrypted at rest under a data
// key of its own, and the data keys are wrapped by one master key that lies in a
// file of its own. To erase somebody is to forget the data keys and to change
// the master key: what a file system, the index's free pages or a copy of the
// directory still hold of the wrapped keys then opens nothing any more.
//
// Rows and keys are XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) under random
// nonces; what is sealed names itself in the additional data, so that no sealed
// value can stand in for another. Packets, which the stations have sealed for
// central already (package packet) and whose digest is on record, get an outer
// layer of AES-256-CTR (NIST SP 800-38A): it can be written from any offset on,
// so that an upload resumes as before and costs no second write.

// Files of the master key under DIR/keys, 32 bytes each.
const (
	fileMaster     = "master.key"
	fileMasterNext = "master.next.key" // takes the other's place once the index is wrapped with it
)

const masterIDSize = 8

// errSealed is all that can be said when something does not open.
var errSealed = errors.New("central: what is stored does not open with this master key")

// master is one master key.
type master struct {
	key  []byte
	id   [masterIDSize]byte // tells master keys apart and says nothing about them
	aead cipher.AEAD
}

func newMaster(key []byte) (*master, error) {
	if len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("central: a master key has %d bytes, not %d", chacha20poly1305.KeySize, len(key))
	}
	derive := func(purpose string, n int) ([]byte, error) {
		return hkdf.Key(sha256.New, key, nil, "yunzhao/central/1/"+purpose, n)
	}
	wrap, err := derive("wrap", chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("central: master key: %w", err)
	}
	id, err := derive("id", masterIDSize)
	if err != nil {
		return nil, fmt.Errorf("central: master key: %w", err)
	}
	m := &master{key: key, id: [masterIDSize]byte(id)}
	if m.aead, err = chacha20poly1305.NewX(wrap); err != nil {
		return nil, fmt.Errorf("central: master key: %w", err)
	}
	return m, nil
}

func (m *master) name() string { return hex.EncodeToString(m.id[:]) }

// wrap seals a data key: id of the master key, nonce, ciphertext.
func (m *master) wrap(label string, key []byte) []byte {
	out := make([]byte, masterIDSize, masterIDSize+m.aead.NonceSize()+len(key)+m.aead.Overhead())
	copy(out, m.id[:])
	return sealTo(out, m.aead, label, key)
}

// vault holds the master key. Its methods may be called from several goroutines.
type vault struct {
	mu      sync.RWMutex
	current *master
	// retired are master keys of before, in memory alone, for as long as a
	// reader is at work whose transaction began before they were replaced.
	retired []retired
	// epoch counts the replacements that are in the index; readers counts those
	// at work by the epoch in which they began.
	epoch   uint64
	readers map[uint64]int
	// index keys the blind index of document numbers. It stays when the master
	// key changes.
	index []byte
}

// retired is a master key that was replaced in an epoch: who began in it, or
// before, may read what it wrapped.
type retired struct {
	*master
	epoch uint64
}

func (v *vault) now() *master {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.current
}

// enter tells the vault of a reader whose transaction begins after the call, and
// returns what the reader calls when it has ended.
func (v *vault) enter() (leave func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.readers == nil {
		v.readers = map[uint64]int{}
	}
	epoch := v.epoch
	v.readers[epoch]++
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.readers[epoch]--; v.readers[epoch] == 0 {
			delete(v.readers, epoch)
			v.forget()
		}
	}
}

// forget drops the master keys that no reader needs. The caller holds mu.
func (v *vault) forget() {
	oldest := v.epoch
	for e := range v.readers {
		oldest = min(oldest, e)
	}
	v.retired = slices.DeleteFunc(v.retired, func(r retired) bool {
		if r.epoch >= oldest {
			return false
		}
		clear(r.key)
		return true
	})
}

// change makes m the master key that wraps from now on. The caller calls done
// once the index is wrapped with it, or undo when that failed.
func (v *vault) change(m *master) (done, undo func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := v.current
	v.retired, v.current = append(v.retired, retired{before, v.epoch}), m
	done = func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.epoch++
		v.forget()
	}
	undo = func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.current = before
		v.retired = slices.DeleteFunc(v.retired, func(r retired) bool { return r.master == before })
	}
	return done, undo
}

func (v *vault) unwrap(label string, wrapped []byte) ([]byte, error) {
	if len(wrapped) < masterIDSize {
		return nil, errSealed
	}
	id := [masterIDSize]byte(wrapped)
	v.mu.RLock()
	m := v.current
	for _, r := range v.retired {
		if r.id == id {
			m = r.master
		}
	}
	v.mu.RUnlock()
	return openFrom(m.aead, label, wrapped[masterIDSize:])
}

// blind stands for a document number in an index: equal for equal documents,
// and nobody without the key can try a guess. 128 bits of HMAC-SHA-256.
func (v *vault) blind(kind wire.IDType, number string) string {
	h := hmac.New(sha256.New, v.index)
	h.Write(joinKey(string(kind), number))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

const labelIndex = "index"

func studentLabel(ref string) string { return "student " + ref }
func packetLabel(id string) string   { return "packet " + id }

// openVault reads the master key that the index is wrapped with. A change of
// the master key that a crash cut short is finished. A new index gets a key.
func openVault(dir string, db *bolt.DB) (*vault, error) {
	var name string
	fresh := false
	err := db.View(func(tx *bolt.Tx) error {
		name = string(tx.Bucket(bktMeta).Get(keyMaster))
		fresh = name == ""
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("central: master key: %w", err)
	}
	if fresh {
		if _, err := loadOrMake(dir, fileMaster, func() ([]byte, error) { return randomKey(), nil }); err != nil {
			return nil, err
		}
	}
	v := &vault{}
	for _, file := range []string{fileMaster, fileMasterNext} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("central: master key: %w", err)
		}
		m, err := newMaster(b)
		// A file that a crash during the very first start left empty is
		// never the one that the index names.
		if err == nil && (fresh && file == fileMaster || m.name() == name) {
			v.current = m
			if err := settleMaster(dir, file); err != nil {
				return nil, err
			}
			break
		}
	}
	if v.current == nil {
		return nil, fmt.Errorf("central: %s is missing or another's: without it nobody's data can be read; restore the backup", fileMaster)
	}
	err = db.Update(func(tx *bolt.Tx) (err error) {
		if err := tx.Bucket(bktMeta).Put(keyMaster, []byte(v.current.name())); err != nil {
			return fmt.Errorf("central: master key: %w", err)
		}
		v.index, err = v.ensureKey(tx, labelIndex)
		return err
	})
	return v, err
}

// settleMaster leaves file, which holds the master key in use, as the only one.
func settleMaster(dir, file string) error {
	other := filepath.Join(dir, fileMasterNext)
	if file == fileMasterNext {
		other = filepath.Join(dir, fileMaster)
	}
	if err := overwrite(other); err != nil {
		return fmt.Errorf("central: forget a master key: %w", err)
	}
	if file == fileMaster {
		if err := os.Remove(other); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("central: forget a master key: %w", err)
		}
	} else if err := os.Rename(filepath.Join(dir, file), other); err != nil {
		return fmt.Errorf("central: keep the master key: %w", err)
	}
	if err := durable.SyncDir(dir); err != nil {
		return fmt.Errorf("central: keep the master key: %w", err)
	}
	return nil
}

// overwrite puts zeros in the place of a key, if the file is there. What a
// journal or a flash translation layer keeps is beyond a program's reach.
func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, chacha20poly1305.KeySize))
	return errors.Join(err, f.Sync(), f.Close())
}

// dataKey reads a data key; ErrNotFound when there is none or it was shredded.
func (v *vault) dataKey(tx *bolt.Tx, label string) ([]byte, error) {
	wrapped := tx.Bucket(bktDataKeys).Get([]byte(label))
	if wrapped == nil {
		return nil, fmt.Errorf("%w: data key", ErrNotFound)
	}
	return v.unwrap(label, wrapped)
}

// ensureKey reads a data key and makes it when there is none.
func (v *vault) ensureKey(tx *bolt.Tx, label string) ([]byte, error) {
	key, err := v.dataKey(tx, label)
	if !errors.Is(err, ErrNotFound) {
		return key, err
	}
	key = randomKey()
	if err := tx.Bucket(bktDataKeys).Put([]byte(label), v.now().wrap(label, key)); err != nil {
		return nil, fmt.Errorf("central: keep a data key: %w", err)
	}
	return key, nil
}

// dropKey forgets a data key. The caller sees to it that shred runs after the
// transaction.
func dropKey(tx *bolt.Tx, label string) error {
	if tx.Bucket(bktDataKeys).Get([]byte(label)) == nil {
		return nil
	}
	if err := tx.Bucket(bktDataKeys).Delete([]byte(label)); err != nil {
		return fmt.Errorf("central: shred a data key: %w", err)
	}
	for _, flag := range [][]byte{keyShred, keyCompact} {
		if err := tx.Bucket(bktMeta).Put(flag, []byte{1}); err != nil {
			return fmt.Errorf("central: shred a data key: %w", err)
		}
	}
	return nil
}

// shred changes the master key if data keys were dropped since the last change,
// so that no copy of them can be unwrapped again. It may be repeated after a
// crash at any point.
func (s *Server) shred() (err error) {
	s.rotating.Lock()
	defer s.rotating.Unlock()
	due := false
	if err := s.db.View(func(tx *bolt.Tx) error { due = tx.Bucket(bktMeta).Get(keyShred) != nil; return nil }); err != nil || !due {
		return err
	}
	dir := filepath.Join(s.dir, dirKeys)
	next, err := newMaster(randomKey())
	if err != nil {
		return err
	}
	if err := writeFileSync(dir, fileMasterNext, next.key); err != nil {
		return fmt.Errorf("central: change the master key: %w", err)
	}
	done, undo := func() {}, func() {}
	err = s.db.Update(func(tx *bolt.Tx) error {
		type entry struct{ label, wrapped []byte }
		var all []entry
		b := tx.Bucket(bktDataKeys)
		err := b.ForEach(func(label, wrapped []byte) error {
			key, err := s.vault.unwrap(string(label), wrapped)
			if err != nil {
				return err
			}
			all = append(all, entry{bytes.Clone(label), next.wrap(string(label), key)})
			clear(key)
			return nil
		})
		if err != nil {
			return err
		}
		for _, e := range all {
			if err := b.Put(e.label, e.wrapped); err != nil {
				return err
			}
		}
		if err := errors.Join(tx.Bucket(bktMeta).Delete(keyShred), tx.Bucket(bktMeta).Put(keyMaster, []byte(next.name()))); err != nil {
			return err
		}
		// Before the commit: whoever writes next must wrap with the new one.
		done, undo = s.vault.change(next)
		return nil
	})
	if err != nil {
		undo()
		return fmt.Errorf("central: change the master key: %w", err)
	}
	done()
	return settleMaster(dir, fileMasterNext)
}

func randomKey() []byte {
	k := make([]byte, chacha20poly1305.KeySize)
	rand.Read(k) // never fails (crypto/rand)
	return k
}

// sealTo appends nonce and ciphertext of plain to out.
func sealTo(out []byte, a cipher.AEAD, label string, plain []byte) []byte {
	n := len(out)
	out = append(out, make([]byte, a.NonceSize())...)
	rand.Read(out[n:]) // never fails (crypto/rand)
	return a.Seal(out, out[n:n+a.NonceSize()], plain, []byte(label))
}

func openFrom(a cipher.AEAD, label string, sealed []byte) ([]byte, error) {
	n := a.NonceSize()
	if len(sealed) < n {
		return nil, errSealed
	}
	plain, err := a.Open(nil, sealed[:n], sealed[n:], []byte(label))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// sealWith encrypts plain with a data key.
func sealWith(key []byte, label string, plain []byte) ([]byte, error) {
	a, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("central: seal: %w", err)
	}
	return sealTo(make([]byte, 0, a.NonceSize()+len(plain)+a.Overhead()), a, label, plain), nil
}

func openWith(key []byte, label string, sealed []byte) ([]byte, error) {
	a, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, errSealed
	}
	return openFrom(a, label, sealed)
}

// cryptAt turns bytes of a packet that begin at offset into what is stored of
// them, or back. dst and src may be the same.
//
// A crash may make an upload write the same place twice. What two copies of the
// place then give away is the exclusive-or of two ciphertexts of package packet.
func cryptAt(key []byte, offset int64, dst, src []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return fmt.Errorf("central: packet at rest: %w", err)
	}
	var iv [aes.BlockSize]byte
	binary.BigEndian.PutUint64(iv[8:], uint64(offset/aes.BlockSize))
	ctr := cipher.NewCTR(block, iv[:])
	var skip [aes.BlockSize]byte
	n := offset % aes.BlockSize
	ctr.XORKeyStream(skip[:n], skip[:n])
	ctr.XORKeyStream(dst, src)
	return nil
}
