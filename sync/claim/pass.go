package claim

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"
)

// A pass is a QR code on the phone that tells a booth who is before it, in place
// of a number that is typed: [PassPrefix], then in base45 a COSE_Sign1 by
// central's key, like a receipt, over
//
//	4 exp, 6 iat   Unix seconds of central's clock
//	7 cti          a random nonce, 16 bytes: a pass is good for one session
//	-65538         the batch
//	-65539         central's opaque reference of the student
//
// Central makes one for a phone whose bearer has told number and name; nothing
// in it names anybody. Whoever photographs it can at most be taken for the
// student by a booth that then shows a masked name and, to staff, whom it
// expects: it opens no record and proves no payment.
const (
	// PassPrefix tells a pass from any other code before the camera.
	PassPrefix = "YZ2:"

	// PassTTL is how long a pass is good: the page makes a new one at each look.
	PassTTL = 15 * time.Minute

	// MaxPass bounds what is decoded.
	MaxPass = 480

	passNonceLen = 16
	maxPassField = 64
	passContext  = "yunzhao/pass/1"
)

// Errors of [OpenPass], beside [ErrForged].
var (
	ErrPass        = errors.New("claim: not a pass")
	ErrPassExpired = errors.New("claim: pass has expired")
	ErrPassEarly   = errors.New("claim: pass is from the future")
)

// Pass is what a pass says, true only after [OpenPass].
type Pass struct {
	Batch, Ref string
	Nonce      string // unique, base64url
	Issued     time.Time
	Expires    time.Time
}

type passClaims struct {
	Expires uint32 `cbor:"4,keyasint"`
	Issued  uint32 `cbor:"6,keyasint"`
	Nonce   []byte `cbor:"7,keyasint"`
	Batch   string `cbor:"-65538,keyasint"`
	Ref     string `cbor:"-65539,keyasint"`
}

func (c passClaims) sound() bool {
	return len(c.Nonce) == passNonceLen && c.Batch != "" && c.Ref != "" && len(c.Batch) <= maxPassField && len(c.Ref) <= maxPassField
}

// SignPass makes the text of a pass for a student of a batch, issued now.
func SignPass(key ed25519.PrivateKey, batch, ref string, now time.Time) (string, error) {
	c := passClaims{Expires: uint32(now.Add(PassTTL).Unix()), Issued: uint32(now.Unix()), Nonce: make([]byte, passNonceLen), Batch: batch, Ref: ref}
	if u := now.Unix(); u <= 0 || u+int64(PassTTL/time.Second) > 1<<32-1 || len(key) != ed25519.PrivateKeySize || !c.sound() {
		return "", errors.New("claim: sign pass: key, batch, reference and a time of this century are required")
	}
	if _, err := rand.Read(c.Nonce); err != nil {
		return "", fmt.Errorf("claim: sign pass: %w", err)
	}
	payload, err := encodePass(c)
	if err != nil {
		return "", err
	}
	signer, err := cose.NewSigner(cose.AlgorithmEdDSA, key)
	if err != nil {
		return "", fmt.Errorf("claim: sign pass: %w", err)
	}
	m := receiptMessage(payload, nil)
	if err := m.Sign(rand.Reader, []byte(passContext), signer); err != nil {
		return "", fmt.Errorf("claim: sign pass: %w", err)
	}
	b, err := m.MarshalCBOR()
	if err != nil {
		return "", fmt.Errorf("claim: encode pass: %w", err)
	}
	return PassPrefix + encodeBase45(b), nil
}

func encodePass(c passClaims) ([]byte, error) {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return nil, fmt.Errorf("claim: encode pass: %w", err)
	}
	b, err := mode.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("claim: encode pass: %w", err)
	}
	return b, nil
}

// OpenPass reads the text of a code and proves that central signed it and that
// it is good now, a time of the station's clock corrected by what central said
// last. Whether it was used before is the caller's to know.
func OpenPass(text string, central ed25519.PublicKey, now time.Time) (Pass, error) {
	body, ok := strings.CutPrefix(text, PassPrefix)
	if !ok || len(text) > MaxPass {
		return Pass{}, ErrPass
	}
	raw, err := decodeBase45(body)
	if err != nil {
		return Pass{}, fmt.Errorf("%w: %w", ErrPass, err)
	}
	var m cose.Sign1Message
	if err := m.UnmarshalCBOR(raw); err != nil {
		return Pass{}, fmt.Errorf("%w: %w", ErrPass, err)
	}
	// One meaning has one spelling, as for receipts.
	want := receiptMessage(m.Payload, m.Signature)
	if again, err := want.MarshalCBOR(); err != nil || !bytes.Equal(again, raw) {
		return Pass{}, ErrPass
	}
	if len(central) != ed25519.PublicKeySize {
		return Pass{}, ErrForged
	}
	verifier, err := cose.NewVerifier(cose.AlgorithmEdDSA, central)
	if err != nil {
		return Pass{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	if err := want.Verify([]byte(passContext), verifier); err != nil {
		return Pass{}, ErrForged
	}
	var c passClaims
	if err := cbor.Unmarshal(want.Payload, &c); err != nil {
		return Pass{}, fmt.Errorf("%w: %w", ErrPass, err)
	}
	if again, err := encodePass(c); err != nil || !bytes.Equal(again, want.Payload) || !c.sound() {
		return Pass{}, ErrPass
	}
	p := Pass{
		Batch: c.Batch, Ref: c.Ref, Nonce: base64.RawURLEncoding.EncodeToString(c.Nonce),
		Issued: time.Unix(int64(c.Issued), 0).UTC(), Expires: time.Unix(int64(c.Expires), 0).UTC(),
	}
	switch {
	case now.After(p.Expires.Add(ClockTolerance)):
		return p, ErrPassExpired
	case now.Before(p.Issued.Add(-ClockTolerance)):
		return p, ErrPassEarly
	}
	return p, nil
}
