package keys

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
)

// FingerprintChars is the least number of hex characters of a fingerprint: 64
// bits against somebody who makes keys until one fits, in the days a code lives.
const FingerprintChars = 16

// Fingerprint names an Ed25519 public key: the first 16 hex characters of its SHA-256.
func Fingerprint(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return hex.EncodeToString(sum[:])[:FingerprintChars]
}

// MatchesFingerprint reports whether fingerprint, 16 to 64 hex characters, is how
// the SHA-256 of pub begins.
func MatchesFingerprint(pub ed25519.PublicKey, fingerprint string) bool {
	if len(pub) != ed25519.PublicKeySize || len(fingerprint) < FingerprintChars || len(fingerprint) > 2*sha256.Size {
		return false
	}
	sum := sha256.Sum256(pub)
	return subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])[:len(fingerprint)]), []byte(strings.ToLower(fingerprint))) == 1
}

// ParseEnrollCode splits an enrolment code, ONE-TIME-PART.FINGERPRINT, as
// staff typed or scanned it: spaces are dropped, letters may be in any case.
func ParseEnrollCode(code string) (oneTime, fingerprint string, err error) {
	code = strings.Join(strings.Fields(code), "")
	i := strings.LastIndexByte(code, '.')
	if i <= 0 {
		return "", "", fmt.Errorf("%w: enrolment code has no fingerprint after a dot", ErrBadAnswer)
	}
	oneTime, fingerprint = code[:i], strings.ToLower(code[i+1:])
	if len(fingerprint) < FingerprintChars || len(fingerprint) > 2*sha256.Size || strings.Trim(fingerprint, "0123456789abcdef") != "" {
		return "", "", fmt.Errorf("%w: fingerprint in the enrolment code is not %d hex characters", ErrBadAnswer, FingerprintChars)
	}
	if len(oneTime) > 128 {
		return "", "", fmt.Errorf("%w: enrolment code is too long", ErrBadAnswer)
	}
	return oneTime, fingerprint, nil
}
