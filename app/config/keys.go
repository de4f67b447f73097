package config

import (
	"fmt"
	"path/filepath"
)

// Keys tells how the keys of this computer are kept: the one that proves the
// station to central and the one that protects the list of students.
type Keys struct {
	Protect string `toml:"protect"` // auto, tpm, passphrase or plain; counts for keys that are made from now on
	TPM     string `toml:"tpm"`     // device of the TPM 2.0, or the socket of an emulator
}

// defaultKeys seal to the computer's TPM where it has one.
func defaultKeys() Keys { return Keys{Protect: "auto", TPM: "/dev/tpmrm0"} }

// validate says what the table of settings cannot.
func (k Keys) validate() error {
	if !filepath.IsAbs(k.TPM) {
		return fmt.Errorf("keys.tpm = %q: must be an absolute path such as /dev/tpmrm0", k.TPM)
	}
	return nil
}
