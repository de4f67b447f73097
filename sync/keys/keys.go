// Package keys keeps the station's identity on disk: the signing key that
// proves this station to central, what central said at enrolment, and the data
// key that protects the roster.
//
// The signing key needs no human, so that sending goes on after a crash and
// over night. The data key may be bound to a passphrase. Neither is ever
// logged, and nothing here knows about networks or what the keys protect.
package keys

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Names inside the directory.
const (
	fileStation  = "station.key"
	fileEnrolled = "enrolled.json"
	fileData     = "data.key"
	fileSealFor  = "recipients.json"

	pemStation = "YUNZHAO STATION ED25519 SEED"
	maxFile    = 1 << 20
)

// Errors that callers tell apart.
var (
	ErrNotEnrolled = errors.New("keys: station is not enrolled")
	ErrEnrolled    = errors.New("keys: station is enrolled with another central or under another id")
	ErrNoDataKey   = errors.New("keys: no data key yet")
	ErrHaveDataKey = errors.New("keys: there is a data key already")
	ErrPassphrase  = errors.New("keys: wrong passphrase")
	ErrNeedsPhrase = errors.New("keys: the data key needs the passphrase")
	ErrBadFile     = errors.New("keys: file is not what it should be")
	ErrBadAnswer   = errors.New("keys: central's enrolment answer is not usable")
	ErrReadable    = errors.New("keys: file may be read by others; chmod 600 it")
	errSealed      = errors.New("keys: sealed data is damaged or of another key")
	errShortPhrase = errors.New("keys: passphrase must have at least 8 characters")
)

// Enrolment is what a station keeps of its enrolment.
type Enrolment struct {
	URL      string        `json:"url"`               // of central, https://host[/prefix]
	TLSPin   string        `json:"tls_pin,omitempty"` // hex SHA-256 of a public key (SPKI) in central's chain, optional
	Answer   wire.Signed   `json:"answer"`            // as central signed it
	Enrolled wire.Enrolled `json:"-"`                 // its verified content
	KeyPrint string        `json:"key_print"`         // fingerprint from the enrolment code that Answer was checked against
}

// Store is the key directory of one station.
type Store struct{ dir string }

// Open opens dir, creating it with mode 0700.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, durable.DirMode); err != nil {
		return nil, fmt.Errorf("keys: open: %w", err)
	}
	if err := os.Chmod(dir, durable.DirMode); err != nil {
		return nil, fmt.Errorf("keys: open: %w", err)
	}
	return &Store{dir: dir}, nil
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// read returns a private file's content and refuses one that others may read.
func (s *Store) read(name string) ([]byte, error) {
	info, err := os.Stat(s.path(name))
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s", ErrReadable, s.path(name))
	}
	return durable.ReadFile(s.path(name), maxFile)
}

// StationKey returns the signing key, making it on first use. It is durable
// before it is returned: central may bind it to this station for ever.
func (s *Store) StationKey() (ed25519.PrivateKey, error) {
	b, err := s.read(fileStation)
	if errors.Is(err, fs.ErrNotExist) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("keys: make station key: %w", err)
		}
		b = pem.EncodeToMemory(&pem.Block{Type: pemStation, Bytes: key.Seed()})
		if err := durable.WriteFile(s.path(fileStation), b); err != nil {
			return nil, fmt.Errorf("keys: keep station key: %w", err)
		}
		return key, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keys: read station key: %w", err)
	}
	block, rest := pem.Decode(b)
	if block == nil || block.Type != pemStation || len(block.Bytes) != ed25519.SeedSize || len(bytes.TrimSpace(rest)) != 0 {
		return nil, fmt.Errorf("%w: %s", ErrBadFile, fileStation)
	}
	return ed25519.NewKeyFromSeed(block.Bytes), nil
}

// SaveEnrolment keeps a verified enrolment. It refuses to replace one with
// another station id or another central's key, since packets sealed under the
// old one could then never be delivered: [Store.ForgetEnrolment] first.
func (s *Store) SaveEnrolment(e Enrolment) error {
	checked, err := verifyEnrolment(e)
	if err != nil {
		return err
	}
	old, err := s.Enrolment()
	switch {
	case err == nil && (old.Enrolled.StationID != checked.Enrolled.StationID || !bytes.Equal(old.Enrolled.CentralKey, checked.Enrolled.CentralKey)):
		return ErrEnrolled
	case err != nil && !errors.Is(err, ErrNotEnrolled):
		return err
	}
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("keys: encode enrolment: %w", err)
	}
	if err := durable.WriteFile(s.path(fileEnrolled), append(b, '\n')); err != nil {
		return fmt.Errorf("keys: keep enrolment: %w", err)
	}
	return nil
}

// Enrolment returns the station's enrolment, its signature checked again.
func (s *Store) Enrolment() (Enrolment, error) {
	b, err := s.read(fileEnrolled)
	if errors.Is(err, fs.ErrNotExist) {
		return Enrolment{}, ErrNotEnrolled
	}
	if err != nil {
		return Enrolment{}, fmt.Errorf("keys: read enrolment: %w", err)
	}
	var e Enrolment
	if err := json.Unmarshal(b, &e); err != nil {
		return Enrolment{}, fmt.Errorf("%w: %s", ErrBadFile, fileEnrolled)
	}
	if e, err = verifyEnrolment(e); err != nil {
		return Enrolment{}, err
	}
	// What is damaged or not central's is left aside: central still opens what
	// is sealed for the recipients of the enrolment.
	if b, err := s.read(fileSealFor); err == nil {
		var kept wire.Signed
		if json.Unmarshal(b, &kept) == nil {
			if r, err := openRecipients(e, kept); err == nil {
				e.Enrolled.Recipients = r.Recipients
			}
		}
	}
	return e, nil
}

// SaveRecipients keeps central's signed word on whom packets are sealed for
// from now on; [Store.Enrolment] gives them at its next call. What is not newer
// than what is known changes nothing. It refuses a list that central did not
// sign for this station, or that lacks the offline recovery key of the
// enrolment: whoever takes a central server over must not be able to make
// photos that its owner cannot open.
func (s *Store) SaveRecipients(signed wire.Signed) error {
	b, err := s.read(fileEnrolled)
	if err != nil {
		return fmt.Errorf("keys: read enrolment: %w", err)
	}
	var e Enrolment
	if err := json.Unmarshal(b, &e); err != nil {
		return fmt.Errorf("%w: %s", ErrBadFile, fileEnrolled)
	}
	if e, err = verifyEnrolment(e); err != nil {
		return err
	}
	r, err := openRecipients(e, signed)
	if err != nil {
		return err
	}
	if b, err := s.read(fileSealFor); err == nil {
		var kept wire.Signed
		if json.Unmarshal(b, &kept) == nil {
			if old, err := openRecipients(e, kept); err == nil && !r.Since.After(old.Since) {
				return nil
			}
		}
	}
	b, err = json.Marshal(signed)
	if err != nil {
		return fmt.Errorf("keys: encode recipients: %w", err)
	}
	if err := durable.WriteFile(s.path(fileSealFor), b); err != nil {
		return fmt.Errorf("keys: keep recipients: %w", err)
	}
	return nil
}

// openRecipients checks a list against the enrolment e as it was signed.
func openRecipients(e Enrolment, signed wire.Signed) (wire.Recipients, error) {
	var r wire.Recipients
	if err := signed.Open(e.Enrolled.CentralKey, wire.TypeRecipients, &r); err != nil {
		return r, fmt.Errorf("%w: recipients: %w", ErrBadAnswer, err)
	}
	if r.StationID != e.Enrolled.StationID {
		return r, fmt.Errorf("%w: recipients for another station", ErrBadAnswer)
	}
	recovery := e.Enrolled.Recipients[len(e.Enrolled.Recipients)-1]
	if !slices.Contains(r.Recipients, recovery) {
		return r, fmt.Errorf("%w: recipients without the recovery key", ErrBadAnswer)
	}
	e.Enrolled.Recipients = r.Recipients
	_, err := e.Recipients()
	return r, err
}

// ForgetEnrolment removes the enrolment and the station key, for a station
// that moves to another central. The caller makes sure that nothing is unsent.
func (s *Store) ForgetEnrolment() error {
	for _, name := range []string{fileSealFor, fileEnrolled, fileStation} {
		if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keys: forget enrolment: %w", err)
		}
	}
	if err := durable.SyncDir(s.dir); err != nil {
		return fmt.Errorf("keys: forget enrolment: %w", err)
	}
	return nil
}

func verifyEnrolment(e Enrolment) (Enrolment, error) {
	// The key is inside what it signs. That is only as good as the
	// fingerprint, which came to the station by hand in the enrolment code.
	var peek wire.Enrolled
	if err := json.Unmarshal(e.Answer.Payload, &peek); err != nil {
		return Enrolment{}, fmt.Errorf("%w: not JSON", ErrBadAnswer)
	}
	if !MatchesFingerprint(peek.CentralKey, e.KeyPrint) {
		return Enrolment{}, fmt.Errorf("%w: central's key does not have the fingerprint of the enrolment code", ErrBadAnswer)
	}
	if err := e.Answer.Open(peek.CentralKey, wire.TypeEnrolled, &e.Enrolled); err != nil {
		return Enrolment{}, fmt.Errorf("%w: %w", ErrBadAnswer, err)
	}
	if e.Enrolled.StationID == "" || len(e.Enrolled.ClaimKey) != 32 || len(e.Enrolled.ReceiptKey) != 32 {
		return Enrolment{}, fmt.Errorf("%w: station id or keys are missing", ErrBadAnswer)
	}
	if _, err := e.Recipients(); err != nil {
		return Enrolment{}, err
	}
	return e, nil
}

// Recipients are the age keys every packet is sealed for: central's working
// key and its offline recovery key, both mandatory and different. A station
// that knew only one could make photos that nobody opens after one loss.
func (e Enrolment) Recipients() ([]age.Recipient, error) {
	seen := map[string]bool{}
	var out []age.Recipient
	for _, s := range e.Enrolled.Recipients {
		r, err := age.ParseX25519Recipient(s)
		if err != nil {
			return nil, fmt.Errorf("%w: recipient: %w", ErrBadAnswer, err)
		}
		if !seen[r.String()] {
			seen[r.String()] = true
			out = append(out, r)
		}
	}
	if len(out) < 2 {
		return nil, fmt.Errorf("%w: needs a working and a recovery recipient", ErrBadAnswer)
	}
	return out, nil
}
