package central

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Files under DIR/keys.
const (
	fileSigning   = "signing.pem"        // Ed25519 seed
	fileWorking   = "working.age.key"    // age identity that opens packets
	fileRecovery  = "recovery.recipient" // age recipient; the identity is kept offline
	fileSecret    = "secret.key"         // 32 bytes, CSRF and cookies
	globRetired   = "retired-*.age.key"  // working identities of before, which open what was sealed for them
	fileTakeAway  = "RECOVERY-IDENTITY-TAKE-OFFLINE.txt"
	pemSigning    = "YUNZHAO CENTRAL ED25519 SEED"
	secretKeySize = 32
)

type keyring struct {
	sign      ed25519.PrivateKey
	signID    string // names the key in wire.Signed
	working   *age.X25519Identity
	retired   []age.Identity
	since     time.Time // of the working identity
	recovery  *age.X25519Recipient
	secret    []byte
	takeAway  string // path of the recovery identity while it still lies here, else ""
	publicKey ed25519.PublicKey
}

// fingerprintBytes of SHA-256 of the public key stand in an enrolment code.
// 64 bits against a second preimage, for a code that a person can still type
// and that lives for days.
const fingerprintBytes = 8

// fingerprint is what an enrolment code carries so that a station knows central
// before it trusts a network.
func fingerprint(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return hex.EncodeToString(sum[:fingerprintBytes])
}

// loadKeys reads the keys of dir and makes those that are missing.
func loadKeys(dir string) (*keyring, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("central: keys: %w", err)
	}
	k := &keyring{}
	seedPEM, err := loadOrMake(dir, fileSigning, func() ([]byte, error) {
		_, priv, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: pemSigning, Bytes: priv.Seed()}), nil
	})
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(seedPEM)
	if block == nil || block.Type != pemSigning || len(block.Bytes) != ed25519.SeedSize {
		return nil, fmt.Errorf("central: keys: %s is not a signing key", fileSigning)
	}
	k.sign = ed25519.NewKeyFromSeed(block.Bytes)
	k.publicKey = k.sign.Public().(ed25519.PublicKey) //nolint:errcheck // what crypto/ed25519 promises
	k.signID = fingerprint(k.publicKey)

	working, err := loadOrMake(dir, fileWorking, newAgeIdentity)
	if err != nil {
		return nil, err
	}
	if k.working, err = age.ParseX25519Identity(strings.TrimSpace(string(working))); err != nil {
		return nil, fmt.Errorf("central: keys: %s: %w", fileWorking, err)
	}

	if info, err := os.Stat(filepath.Join(dir, fileWorking)); err == nil {
		k.since = info.ModTime()
	}
	if err := k.loadRetired(dir); err != nil {
		return nil, err
	}

	// The recovery identity is written first: a recipient without its identity
	// would seal photos for nobody.
	recovery, err := loadOrMake(dir, fileRecovery, func() ([]byte, error) {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, err
		}
		text := "云照站恢复密钥：请把本文件移到离线保管处，然后从服务器删除。\n" +
			"Recovery identity: move this file to offline custody, then delete it from the server.\n" +
			"It opens every photo when the working key is lost.\n\n" + id.String() + "\n"
		if err := writeFileSync(dir, fileTakeAway, []byte(text)); err != nil {
			return nil, err
		}
		return []byte(id.Recipient().String() + "\n"), nil
	})
	if err != nil {
		return nil, err
	}
	if k.recovery, err = age.ParseX25519Recipient(strings.TrimSpace(string(recovery))); err != nil {
		return nil, fmt.Errorf("central: keys: %s: %w", fileRecovery, err)
	}
	if _, err := os.Stat(filepath.Join(dir, fileTakeAway)); err == nil {
		k.takeAway = filepath.Join(dir, fileTakeAway)
	}

	k.secret, err = loadOrMake(dir, fileSecret, func() ([]byte, error) {
		b := make([]byte, secretKeySize)
		rand.Read(b) // never fails (crypto/rand)
		return b, nil
	})
	if err != nil {
		return nil, err
	}
	if len(k.secret) != secretKeySize {
		return nil, fmt.Errorf("central: keys: %s has %d bytes, want %d", fileSecret, len(k.secret), secretKeySize)
	}
	return k, nil
}

func newAgeIdentity() ([]byte, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	return []byte(id.String() + "\n"), nil
}

// loadRetired reads the working identities of before.
func (k *keyring) loadRetired(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("central: keys: %w", err)
	}
	for _, d := range list {
		if ok, err := filepath.Match(globRetired, d.Name()); err != nil || !ok {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, d.Name()))
		if err != nil {
			return fmt.Errorf("central: keys: %w", err)
		}
		id, err := age.ParseX25519Identity(strings.TrimSpace(string(b)))
		if err != nil {
			return fmt.Errorf("central: keys: %s: %w", d.Name(), err)
		}
		k.retired = append(k.retired, id)
	}
	return nil
}

// identities open packets: the working one, and those of before.
func (k *keyring) identities() []age.Identity {
	return append([]age.Identity{k.working}, k.retired...)
}

// RotateWorkingKey gives the server of dir, which must not be running, a new
// working key. The old one is kept and still opens what was sealed for it;
// stations learn of the new one with their next heartbeat and seal for it from
// their next start on. The recovery key stays. It returns the new recipient.
func RotateWorkingKey(dir string) (string, error) {
	db, err := openIndex(dir) // its lock keeps a server out
	if err != nil {
		return "", err
	}
	recipient, err := rotateWorkingKey(filepath.Join(dir, dirKeys), time.Now())
	if err == nil {
		err = db.Update(func(tx *bolt.Tx) error {
			return appendAudit(tx, time.Now(), actorCLI, "keys.rotated", recipient, "")
		})
	}
	return recipient, errors.Join(err, db.Close())
}

func rotateWorkingKey(dir string, now time.Time) (string, error) {
	old, err := os.ReadFile(filepath.Join(dir, fileWorking))
	if err != nil {
		return "", fmt.Errorf("central: rotate: %w", err)
	}
	// Kept first: a crash in between leaves the same key twice and loses none.
	if err := writeFileSync(dir, "retired-"+now.UTC().Format("20060102T150405.000")+".age.key", old); err != nil {
		return "", fmt.Errorf("central: rotate: %w", err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", fmt.Errorf("central: rotate: %w", err)
	}
	if err := writeFileSync(dir, fileWorking, []byte(id.String()+"\n")); err != nil {
		return "", fmt.Errorf("central: rotate: %w", err)
	}
	return id.Recipient().String(), nil
}

// newRecipients is what a station is told once the working key has changed;
// nil before.
func (s *Server) newRecipients(station string) (*wire.Signed, error) {
	if len(s.keys.retired) == 0 {
		return nil, nil
	}
	signed, err := s.sign(wire.TypeRecipients, wire.Recipients{StationID: station, Recipients: s.keys.recipients(), Since: s.keys.since.UTC()})
	return &signed, err
}

// recipients are whom stations seal for: the working key and the recovery key.
func (k *keyring) recipients() []string {
	return []string{k.working.Recipient().String(), k.recovery.String()}
}

func loadOrMake(dir, name string, generate func() ([]byte, error)) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err == nil {
		return b, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("central: keys: %w", err)
	}
	if b, err = generate(); err != nil {
		return nil, fmt.Errorf("central: make %s: %w", name, err)
	}
	if err := writeFileSync(dir, name, b); err != nil {
		return nil, fmt.Errorf("central: keys: %w", err)
	}
	return b, nil
}

// writeFileSync makes dir/name with mode 0600, durable before it returns and
// never half written under its name.
func writeFileSync(dir, name string, data []byte) (err error) {
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err = os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return durable.SyncDir(dir)
}
