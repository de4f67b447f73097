// Package keys keeps the station's identity on disk: the signing key that
// proves this station to central, what central said at enrolment, and the data
// key that protects the roster.
//
// The signing key needs no human, so that sending goes on after a crash and
// over night. Both keys may be sealed to the TPM of the machine, the data key
// to a passphrase instead. Neither is ever logged, and nothing here knows about
// networks or what the keys protect.
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
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Names inside the directory.
const (
	fileStation  = "station.key"
	fileEnrolled = "enrolled.json"
	fileData     = "data.key"
	fileSealFor  = "recipients.json"

	pemStation    = "YUNZHAO STATION ED25519 SEED"
	pemStationTPM = "YUNZHAO STATION ED25519 SEED SEALED TO TPM"
	maxFile       = 1 << 20
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
	ErrShortPhrase = errors.New("keys: passphrase must have at least 8 characters")
	errSealed      = errors.New("keys: sealed data is damaged or of another key")
)

// Enrolment is what a station keeps of its enrolment.
type Enrolment struct {
	URL      string        `json:"url"`               // of central, https://host[/prefix]
	TLSPin   string        `json:"tls_pin,omitempty"` // hex SHA-256 of a public key (SPKI) in central's chain, optional
	Answer   wire.Signed   `json:"answer"`            // as central signed it
	Enrolled wire.Enrolled `json:"-"`                 // its verified content
	KeyPrint string        `json:"key_print"`         // fingerprint from the enrolment code that Answer was checked against
}

// Options say where a machine's TPM is and how keys that are made are kept. What
// is there already is read however it is kept.
type Options struct {
	TPM     string // device or socket; "" = DefaultTPM
	Protect Mode   // Plain, TPM, Passphrase or Auto; "" = Plain
}

// Store is the key directory of one station.
type Store struct {
	dir  string
	opts Options
}

// Open is [OpenWith] without options: keys that are made lie in plain files.
func Open(dir string) (*Store, error) { return OpenWith(dir, Options{}) }

// OpenWith opens dir, creating it with mode 0700.
func OpenWith(dir string, opts Options) (*Store, error) {
	if err := os.MkdirAll(dir, durable.DirMode); err != nil {
		return nil, fmt.Errorf("keys: open: %w", err)
	}
	if err := os.Chmod(dir, durable.DirMode); err != nil {
		return nil, fmt.Errorf("keys: open: %w", err)
	}
	if opts.TPM == "" {
		opts.TPM = DefaultTPM
	}
	if opts.Protect == "" {
		opts.Protect = Plain
	}
	return &Store{dir: dir, opts: opts}, nil
}

// protect is the mode of a key that is made now.
func (s *Store) protect() Mode {
	if s.opts.Protect != Auto {
		return s.opts.Protect
	}
	if s.CheckTPM() == nil {
		return TPM
	}
	return Plain
}

// CheckTPM tries whether this machine's TPM keeps a key: [ErrNoTPM] when there
// is none or it refuses.
func (s *Store) CheckTPM() error {
	return withRoot(s.opts.TPM, func(transport.TPM, *tpm2.CreatePrimaryResponse) error { return nil })
}

// sealProved seals a secret and has it given back before anything relies on it.
func (s *Store) sealProved(secret []byte) (tpmSealed, error) {
	sealed, err := sealTPM(s.opts.TPM, secret)
	if err != nil {
		return tpmSealed{}, err
	}
	back, err := unsealTPM(s.opts.TPM, sealed)
	if err == nil && !bytes.Equal(back, secret) {
		err = fmt.Errorf("%w: it gives back something else", ErrNoTPM)
	}
	return sealed, err
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
	key, _, err := s.stationKey()
	if errors.Is(err, fs.ErrNotExist) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("keys: make station key: %w", err)
		}
		if err := s.writeStationKey(key, s.stationMode()); err != nil {
			return nil, err
		}
		return key, nil
	}
	return key, err
}

// stationMode is how a station key that is made now is kept. It needs no human,
// so that photos are sent after a crash at night: never a passphrase.
func (s *Store) stationMode() Mode {
	if s.opts.Protect == Passphrase {
		if s.CheckTPM() == nil {
			return TPM
		}
		return Plain
	}
	return s.protect()
}

// stationKey reads the key and how it is kept; fs.ErrNotExist when there is none.
func (s *Store) stationKey() (ed25519.PrivateKey, Mode, error) {
	b, err := s.read(fileStation)
	if err != nil {
		return nil, "", fmt.Errorf("keys: read station key: %w", err)
	}
	block, rest := pem.Decode(b)
	if block == nil || len(bytes.TrimSpace(rest)) != 0 {
		return nil, "", fmt.Errorf("%w: %s", ErrBadFile, fileStation)
	}
	seed, mode := block.Bytes, Plain
	switch block.Type {
	case pemStation:
	case pemStationTPM:
		mode = TPM
		sealed, err := decodeTPMSealed(block.Bytes)
		if err != nil {
			return nil, mode, err
		}
		if seed, err = unsealTPM(s.opts.TPM, sealed); err != nil {
			return nil, mode, err
		}
	default:
		return nil, "", fmt.Errorf("%w: %s", ErrBadFile, fileStation)
	}
	if len(seed) != ed25519.SeedSize {
		return nil, mode, fmt.Errorf("%w: %s", ErrBadFile, fileStation)
	}
	return ed25519.NewKeyFromSeed(seed), mode, nil
}

func (s *Store) writeStationKey(key ed25519.PrivateKey, mode Mode) error {
	block := &pem.Block{Type: pemStation, Bytes: key.Seed()}
	if mode == TPM {
		sealed, err := s.sealProved(key.Seed())
		if err != nil {
			return err
		}
		b, err := sealed.encode()
		if err != nil {
			return err
		}
		block = &pem.Block{Type: pemStationTPM, Bytes: b}
	}
	if err := durable.WriteFile(s.path(fileStation), pem.EncodeToMemory(block)); err != nil {
		return fmt.Errorf("keys: keep station key: %w", err)
	}
	return nil
}

// ProtectStation keeps the same station key in another mode, [Plain] or [TPM],
// from now on.
func (s *Store) ProtectStation(mode Mode) error {
	key, _, err := s.stationKey()
	if err != nil {
		return err
	}
	return s.writeStationKey(key, mode)
}

// StationKeyMode opens the station key and tells how it is kept;
// fs.ErrNotExist when there is none. With an error of the TPM it tells the mode
// all the same.
func (s *Store) StationKeyMode() (Mode, error) {
	_, mode, err := s.stationKey()
	return mode, err
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
