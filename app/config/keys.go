package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Keys tells how the keys of this computer are kept: the one that proves the
// station to central and the one that protects the list of students.
type Keys struct {
	Protect string `toml:"protect"` // auto, tpm, passphrase or plain; counts for keys that are made from now on
	TPM     string `toml:"tpm"`     // device of the TPM 2.0, or the socket of an emulator
}

// defaultKeys seal to the computer's TPM where it has one.
func defaultKeys() Keys { return Keys{Protect: "auto", TPM: "/dev/tpmrm0"} }

// KeyProtections are what keys.protect may be.
func KeyProtections() []string { return []string{"auto", "tpm", "passphrase", "plain"} }

// validate says what is wrong, and with which key.
func (k Keys) validate() []error {
	var errs []error
	if !slices.Contains(KeyProtections(), k.Protect) {
		errs = append(errs, fmt.Errorf("keys.protect = %q: must be one of %s", k.Protect, strings.Join(KeyProtections(), ", ")))
	}
	if !filepath.IsAbs(k.TPM) {
		errs = append(errs, fmt.Errorf("keys.tpm = %q: must be an absolute path such as /dev/tpmrm0", k.TPM))
	}
	return errs
}
