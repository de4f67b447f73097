package keys

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/yunzhao-station/yunzhao/sync/durable"
)

// Mode is how the data key is kept.
type Mode string

// Modes of the data key.
const (
	// Plain: the key lies in the file. Whoever has the disk has the roster:
	// for the demo, or on an encrypted disk.
	Plain Mode = "plain"
	// Passphrase: the key is sealed under argon2id of a start-of-day passphrase.
	Passphrase Mode = "passphrase"
	// TPM: only the TPM of this machine gives the key back. Nobody has to type
	// anything, and a copy of the directory opens on no other machine.
	TPM Mode = "tpm"
	// Auto chooses for keys that are made: the TPM where one can be used, else
	// Plain. No key is kept in a mode of this name.
	Auto Mode = "auto"
)

// Parameters of argon2id (RFC 9106 section 4, second recommended option): 64
// MiB and three passes, about a quarter of a second on a kiosk.
const (
	argonTime      = 3
	argonMemoryKiB = 64 << 10
	argonThreads   = 4
	saltBytes      = 16
	minPassphrase  = 8
)

type dataFile struct {
	Mode      Mode   `json:"mode"`
	Key       []byte `json:"key,omitempty"` // plain
	Salt      []byte `json:"salt,omitempty"`
	Time      uint32 `json:"time,omitempty"`
	MemoryKiB uint32 `json:"memory_kib,omitempty"`
	Threads   uint8  `json:"threads,omitempty"`
	Sealed    []byte `json:"sealed,omitempty"` // passphrase: XChaCha20-Poly1305
	// TPM holds the key in the mode of that name.
	TPM *tpmSealed `json:"tpm,omitempty"`
}

const contextDataKey = "data-key/1"

// DataKey seals what is kept about students on this station.
type DataKey struct{ aead cipher.AEAD }

func newDataKey(key []byte) (*DataKey, error) {
	a, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("keys: data key: %w", err)
	}
	return &DataKey{aead: a}, nil
}

// Seal encrypts with XChaCha20-Poly1305 under a random nonce. context says
// what it is, so that one sealed file cannot stand in for another.
func (k *DataKey) Seal(context string, plain []byte) []byte {
	nonce := make([]byte, k.aead.NonceSize(), k.aead.NonceSize()+len(plain)+k.aead.Overhead())
	rand.Read(nonce) // never fails (crypto/rand)
	return k.aead.Seal(nonce, nonce, plain, []byte(context))
}

// Open reverses Seal.
func (k *DataKey) Open(context string, sealed []byte) ([]byte, error) {
	n := k.aead.NonceSize()
	if len(sealed) < n {
		return nil, errSealed
	}
	plain, err := k.aead.Open(nil, sealed[:n], sealed[n:], []byte(context))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// CreateDataKey makes the data key and keeps it under the passphrase if there
// is one, else as [Options] say. [Plain] is what remains of [Auto] without a
// TPM: show a warning.
func (s *Store) CreateDataKey(passphrase string) (*DataKey, error) {
	if _, err := s.readData(); err == nil {
		return nil, ErrHaveDataKey
	} else if !errors.Is(err, ErrNoDataKey) {
		return nil, err
	}
	mode := Passphrase
	if passphrase == "" {
		mode = s.protect()
	}
	if mode == Passphrase && passphrase == "" {
		return nil, ErrNeedsPhrase
	}
	key := make([]byte, chacha20poly1305.KeySize)
	rand.Read(key) // never fails (crypto/rand)
	if err := s.writeData(key, mode, passphrase); err != nil {
		return nil, err
	}
	return newDataKey(key)
}

// ProtectData keeps the same data key in another mode from now on; old and
// passphrase matter where the mode before and the new one are [Passphrase].
// What the file held before may still be found on the disk by who takes it
// apart.
func (s *Store) ProtectData(old string, mode Mode, passphrase string) error {
	f, err := s.readData()
	if err != nil {
		return err
	}
	key, err := s.unlock(f, old)
	if err != nil {
		return err
	}
	return s.writeData(key, mode, passphrase)
}

// DataKeyMode tells how the data key is kept, for the warning and the prompt.
func (s *Store) DataKeyMode() (Mode, error) {
	f, err := s.readData()
	return f.Mode, err
}

// DataKey unlocks the data key. passphrase matters for [Passphrase] alone.
func (s *Store) DataKey(passphrase string) (*DataKey, error) {
	f, err := s.readData()
	if err != nil {
		return nil, err
	}
	key, err := s.unlock(f, passphrase)
	if err != nil {
		return nil, err
	}
	return newDataKey(key)
}

func (s *Store) readData() (dataFile, error) {
	b, err := s.read(fileData)
	if errors.Is(err, fs.ErrNotExist) {
		return dataFile{}, ErrNoDataKey
	}
	if err != nil {
		return dataFile{}, fmt.Errorf("keys: read data key: %w", err)
	}
	var f dataFile
	if err := json.Unmarshal(b, &f); err != nil {
		return dataFile{}, fmt.Errorf("%w: %s", ErrBadFile, fileData)
	}
	return f, nil
}

func (s *Store) unlock(f dataFile, passphrase string) ([]byte, error) {
	switch f.Mode {
	case Plain:
		if len(f.Key) != chacha20poly1305.KeySize {
			return nil, fmt.Errorf("%w: %s", ErrBadFile, fileData)
		}
		return f.Key, nil
	case Passphrase:
		if passphrase == "" {
			return nil, ErrNeedsPhrase
		}
		// Bounded: the file must not make us take all memory.
		if len(f.Salt) < 8 || f.Time < 1 || f.Time > 64 || f.MemoryKiB < 8<<10 || f.MemoryKiB > 1<<20 || f.Threads < 1 {
			return nil, fmt.Errorf("%w: %s", ErrBadFile, fileData)
		}
		k, err := newDataKey(argon2.IDKey([]byte(passphrase), f.Salt, f.Time, f.MemoryKiB, f.Threads, chacha20poly1305.KeySize))
		if err != nil {
			return nil, err
		}
		key, err := k.Open(contextDataKey, f.Sealed)
		if err != nil {
			return nil, ErrPassphrase
		}
		return key, nil
	case TPM:
		if f.TPM == nil {
			return nil, fmt.Errorf("%w: %s", ErrBadFile, fileData)
		}
		key, err := unsealTPM(s.opts.TPM, *f.TPM)
		if err == nil && len(key) != chacha20poly1305.KeySize {
			err = fmt.Errorf("%w: %s", ErrBadFile, fileData)
		}
		return key, err
	default:
		return nil, fmt.Errorf("%w: %s", ErrBadFile, fileData)
	}
}

func (s *Store) writeData(key []byte, mode Mode, passphrase string) error {
	f := dataFile{Mode: mode}
	switch mode {
	case Plain:
		f.Key = key
	case Passphrase:
		if utf8.RuneCountInString(passphrase) < minPassphrase {
			return ErrShortPhrase
		}
		f.Salt, f.Time, f.MemoryKiB, f.Threads = make([]byte, saltBytes), argonTime, argonMemoryKiB, argonThreads
		rand.Read(f.Salt) // never fails (crypto/rand)
		k, err := newDataKey(argon2.IDKey([]byte(passphrase), f.Salt, f.Time, f.MemoryKiB, f.Threads, chacha20poly1305.KeySize))
		if err != nil {
			return err
		}
		f.Sealed = k.Seal(contextDataKey, key)
	case TPM:
		sealed, err := s.sealProved(key)
		if err != nil {
			return err
		}
		f.TPM = &sealed
	case Auto:
		return fmt.Errorf("keys: keep data key: %q is not how a key is kept", mode)
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("keys: encode data key: %w", err)
	}
	if err := durable.WriteFile(s.path(fileData), append(b, '\n')); err != nil {
		return fmt.Errorf("keys: keep data key: %w", err)
	}
	return nil
}
