package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
)

// DefaultTPM is where Linux offers its TPM 2.0 to programs that share it: the
// kernel's resource manager clears away what a program leaves behind.
const DefaultTPM = "/dev/tpmrm0"

// Errors of keys that are sealed to a TPM.
var (
	// ErrNoTPM: there is none, or this user may not talk to it.
	ErrNoTPM = errors.New("keys: the TPM of this machine cannot be used")
	// ErrOtherTPM: the keys were sealed by the TPM of another machine, or this
	// one's was cleared since.
	ErrOtherTPM = errors.New("keys: sealed by the TPM of another machine")
)

// tpmSealed is a secret of at most 128 bytes that only one TPM gives back: a
// sealed data object (TPM 2.0 Library, part 1, section 27.7.3) below the
// storage root key that the TPM derives anew from its own seed each time. Both
// halves may be known to anybody.
type tpmSealed struct {
	Public  []byte `json:"public"`  // TPM2B_PUBLIC
	Private []byte `json:"private"` // TPM2B_PRIVATE, encrypted by the TPM
}

// openTPM opens a character device, or a UNIX socket as an emulator gives it.
func openTPM(device string) (transport.TPMCloser, error) {
	info, err := os.Stat(device)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: there is no %s", ErrNoTPM, device)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoTPM, err)
	}
	open := linuxtpm.Open
	if info.Mode()&os.ModeSocket != 0 {
		open = linuxudstpm.Open
	}
	t, err := open(device)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoTPM, err)
	}
	return t, nil
}

// withRoot runs f with the storage root key of the TPM at device: the TCG's
// template for P-256, in the owner's hierarchy, whose password has to be empty
// as it is unless somebody set one.
func withRoot(device string, f func(t transport.TPM, root *tpm2.CreatePrimaryResponse) error) (err error) {
	t, err := openTPM(device)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	root, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(t)
	if err != nil {
		return fmt.Errorf("%w: storage root key: %w", ErrNoTPM, err)
	}
	defer func() { err = errors.Join(err, flush(t, root.ObjectHandle)) }()
	return f(t, root)
}

func flush(t transport.TPM, h tpm2.TPMHandle) error {
	if _, err := (tpm2.FlushContext{FlushHandle: h}).Execute(t); err != nil {
		return fmt.Errorf("keys: TPM: flush: %w", err)
	}
	return nil
}

// session protects what passes between processor and TPM from whoever listens
// on the wires between them: its key is salted with the storage root key.
func session(root *tpm2.CreatePrimaryResponse, option tpm2.AuthOption) (tpm2.Session, error) {
	public, err := root.OutPublic.Contents()
	if err != nil {
		return nil, fmt.Errorf("%w: storage root key: %w", ErrNoTPM, err)
	}
	return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, tpm2.Salted(root.ObjectHandle, *public), option), nil
}

// sealTPM gives secret to the TPM at device.
func sealTPM(device string, secret []byte) (tpmSealed, error) {
	var out tpmSealed
	err := withRoot(device, func(t transport.TPM, root *tpm2.CreatePrimaryResponse) error {
		auth, err := session(root, tpm2.AESEncryption(128, tpm2.EncryptIn))
		if err != nil {
			return err
		}
		made, err := tpm2.Create{
			ParentHandle: tpm2.AuthHandle{Handle: root.ObjectHandle, Name: root.Name, Auth: auth},
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
			}},
			// Fixed to this TPM and this parent: no command moves it elsewhere.
			// No dictionary attack protection, for it has no password to guess.
			InPublic: tpm2.New2B(tpm2.TPMTPublic{
				Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
				ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true, NoDA: true},
			}),
		}.Execute(t)
		if err != nil {
			return fmt.Errorf("keys: TPM: seal: %w", err)
		}
		out = tpmSealed{Public: tpm2.Marshal(made.OutPublic), Private: tpm2.Marshal(made.OutPrivate)}
		return nil
	})
	return out, err
}

// unsealTPM gets the secret back. [ErrOtherTPM] when another TPM sealed it.
func unsealTPM(device string, sealed tpmSealed) ([]byte, error) {
	public, err := tpm2.Unmarshal[tpm2.TPM2BPublic](sealed.Public)
	if err != nil {
		return nil, fmt.Errorf("%w: sealed key", ErrBadFile)
	}
	private, err := tpm2.Unmarshal[tpm2.TPM2BPrivate](sealed.Private)
	if err != nil {
		return nil, fmt.Errorf("%w: sealed key", ErrBadFile)
	}
	var secret []byte
	err = withRoot(device, func(t transport.TPM, root *tpm2.CreatePrimaryResponse) (err error) {
		object, err := tpm2.Load{
			ParentHandle: tpm2.AuthHandle{Handle: root.ObjectHandle, Name: root.Name, Auth: tpm2.PasswordAuth(nil)},
			InPrivate:    *private, InPublic: *public,
		}.Execute(t)
		if errors.Is(err, tpm2.TPMRCIntegrity) {
			// What another root key encrypted, and equally what was changed.
			return ErrOtherTPM
		}
		if err != nil {
			return fmt.Errorf("%w: the TPM does not take the sealed key: %w", ErrBadFile, err)
		}
		defer func() { err = errors.Join(err, flush(t, object.ObjectHandle)) }()
		auth, err := session(root, tpm2.AESEncryption(128, tpm2.EncryptOut))
		if err != nil {
			return err
		}
		got, err := tpm2.Unseal{ItemHandle: tpm2.NamedHandle{Handle: object.ObjectHandle, Name: object.Name}}.Execute(t, auth)
		if err != nil {
			return fmt.Errorf("keys: TPM: unseal: %w", err)
		}
		secret = got.OutData.Buffer
		return nil
	})
	return secret, err
}

// encode and decode are how a sealed secret stands in a file.
func (s tpmSealed) encode() ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("keys: encode sealed key: %w", err)
	}
	return b, nil
}

func decodeTPMSealed(b []byte) (tpmSealed, error) {
	var s tpmSealed
	if err := json.Unmarshal(b, &s); err != nil || len(s.Public) == 0 || len(s.Private) == 0 {
		return tpmSealed{}, fmt.Errorf("%w: sealed key", ErrBadFile)
	}
	return s, nil
}
