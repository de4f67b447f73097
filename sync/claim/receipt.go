package claim

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/oklog/ulid/v2"
	"github.com/veraison/go-cose"
)

// A receipt is a QR code on the phone that proves a payment to a station
// without a network: [ReceiptPrefix], then in base45 (RFC 9285) a COSE_Sign1
// (RFC 9052) by central's Ed25519 key over a CWT (RFC 8392) of four claims:
//
//	4 exp, 6 iat   Unix seconds of central's clock
//	7 cti          the order's ULID, 16 bytes
//	-65537         what it is bound to, see [Visit]
//
// It holds nothing about the student, and is of no use at any other station, in
// any other session or for anybody else.
const (
	// ReceiptPrefix tells a receipt from any other code before the camera.
	ReceiptPrefix = "YZ1:"

	// ReceiptTTL is how long a receipt is good: a phone that comes back to the
	// page gets a new one.
	ReceiptTTL = 2 * time.Hour

	// ClockTolerance is how far the station's clock may be from central's. It
	// only widens a receipt's time; what a receipt is bound to needs no clock.
	ClockTolerance = 10 * time.Minute

	// MaxReceipt bounds what is decoded; a receipt has about 200 characters.
	MaxReceipt = 320

	bindingLen     = 16
	receiptContext = "yunzhao/receipt/1" // external_aad: the signature is good for nothing else
)

// Errors of [OpenReceipt].
var (
	ErrReceipt        = errors.New("claim: not a receipt")
	ErrForged         = errors.New("claim: receipt is not signed by central")
	ErrOtherVisit     = errors.New("claim: receipt of another session, station or student")
	ErrReceiptExpired = errors.New("claim: receipt has expired")
	ErrReceiptEarly   = errors.New("claim: receipt is from the future")
)

// Visit is what a proof of payment is bound to: one student's order in one
// session at one station.
type Visit struct {
	Station string
	Session ulid.ULID
	Order   Order
}

// Receipt is what a receipt says, true only after [OpenReceipt].
type Receipt struct {
	OrderID ulid.ULID
	Issued  time.Time
	Expires time.Time
}

type receiptClaims struct {
	Expires uint32 `cbor:"4,keyasint"`
	Issued  uint32 `cbor:"6,keyasint"`
	ID      []byte `cbor:"7,keyasint"`
	Binding []byte `cbor:"-65537,keyasint"`
}

// binding is a digest over length-prefixed parts. The session's ULID has 80
// random bits and the reference is opaque, so that it gives nothing away.
func (v Visit) binding() []byte {
	h := sha256.New()
	h.Write([]byte(receiptContext))
	for _, p := range [][]byte{[]byte(v.Station), v.Session[:], []byte(v.Order.Batch), []byte(v.Order.StudentRef)} {
		var l [4]byte
		binary.BigEndian.PutUint32(l[:], uint32(len(p)))
		h.Write(l[:])
		h.Write(p)
	}
	return h.Sum(nil)[:bindingLen]
}

func receiptMessage(payload, signature []byte) *cose.Sign1Message {
	return &cose.Sign1Message{
		Headers:   cose.Headers{Protected: cose.ProtectedHeader{cose.HeaderLabelAlgorithm: cose.AlgorithmEdDSA}},
		Payload:   payload,
		Signature: signature,
	}
}

// SignReceipt makes the text of a receipt for a paid order, issued now.
func SignReceipt(key ed25519.PrivateKey, v Visit, order ulid.ULID, now time.Time) (string, error) {
	if len(key) != ed25519.PrivateKeySize || v.Station == "" || v.Session == (ulid.ULID{}) || order == (ulid.ULID{}) {
		return "", errors.New("claim: sign receipt: key, station, session and order are required")
	}
	if u := now.Unix(); u <= 0 || u+int64(ReceiptTTL/time.Second) > 1<<32-1 {
		return "", errors.New("claim: sign receipt: time out of range")
	}
	payload, err := encodeClaims(receiptClaims{
		Expires: uint32(now.Add(ReceiptTTL).Unix()), Issued: uint32(now.Unix()), ID: order[:], Binding: v.binding(),
	})
	if err != nil {
		return "", err
	}
	signer, err := cose.NewSigner(cose.AlgorithmEdDSA, key)
	if err != nil {
		return "", fmt.Errorf("claim: sign receipt: %w", err)
	}
	m := receiptMessage(payload, nil)
	if err := m.Sign(rand.Reader, []byte(receiptContext), signer); err != nil {
		return "", fmt.Errorf("claim: sign receipt: %w", err)
	}
	b, err := m.MarshalCBOR()
	if err != nil {
		return "", fmt.Errorf("claim: encode receipt: %w", err)
	}
	return ReceiptPrefix + encodeBase45(b), nil
}

func encodeClaims(c receiptClaims) ([]byte, error) {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return nil, fmt.Errorf("claim: encode receipt: %w", err)
	}
	b, err := mode.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("claim: encode receipt: %w", err)
	}
	return b, nil
}

// OpenReceipt reads the text of a code and proves that central signed it for
// this visit and that it is good now, a time of the station's clock corrected
// by what central said last. Whether it was used before is the caller's to
// know. With [ErrReceiptExpired] and [ErrReceiptEarly] the receipt is returned
// as well: it is genuine.
func OpenReceipt(text string, central ed25519.PublicKey, v Visit, now time.Time) (Receipt, error) {
	m, c, err := decodeReceipt(text)
	if err != nil {
		return Receipt{}, err
	}
	if len(central) != ed25519.PublicKeySize {
		return Receipt{}, ErrForged
	}
	verifier, err := cose.NewVerifier(cose.AlgorithmEdDSA, central)
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	if err := m.Verify([]byte(receiptContext), verifier); err != nil {
		return Receipt{}, ErrForged
	}
	if !bytes.Equal(c.Binding, v.binding()) {
		return Receipt{}, ErrOtherVisit
	}
	r := Receipt{OrderID: ulid.ULID(c.ID), Issued: time.Unix(int64(c.Issued), 0).UTC(), Expires: time.Unix(int64(c.Expires), 0).UTC()}
	switch {
	case now.After(r.Expires.Add(ClockTolerance)):
		return r, ErrReceiptExpired
	case now.Before(r.Issued.Add(-ClockTolerance)):
		return r, ErrReceiptEarly
	}
	return r, nil
}

// decodeReceipt reads a receipt without proving anything. One meaning has one
// spelling: COSE leaves parts of itself unsigned, and a code that differs where
// nothing is signed would be another code about the same payment.
func decodeReceipt(text string) (*cose.Sign1Message, receiptClaims, error) {
	body, ok := strings.CutPrefix(text, ReceiptPrefix)
	if !ok || len(text) > MaxReceipt {
		return nil, receiptClaims{}, ErrReceipt
	}
	raw, err := decodeBase45(body)
	if err != nil {
		return nil, receiptClaims{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	var m cose.Sign1Message
	if err := m.UnmarshalCBOR(raw); err != nil {
		return nil, receiptClaims{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	want := receiptMessage(m.Payload, m.Signature)
	if again, err := want.MarshalCBOR(); err != nil || !bytes.Equal(again, raw) {
		return nil, receiptClaims{}, ErrReceipt
	}
	var c receiptClaims
	if err := cbor.Unmarshal(m.Payload, &c); err != nil {
		return nil, receiptClaims{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	if again, err := encodeClaims(c); err != nil || !bytes.Equal(again, m.Payload) || len(c.ID) != 16 || len(c.Binding) != bindingLen {
		return nil, receiptClaims{}, ErrReceipt
	}
	return want, c, nil
}

// ProofEvidence tells what a proof of payment was.
const (
	EvidenceReceipt = "receipt"
	EvidenceCode    = "code"
)

// VerifyProof lets central judge a proof that came in a packet: a receipt that
// it signed itself, at whatever time, or the confirmation code of the station's
// receipt key. For a receipt it returns the order that it was signed for.
func VerifyProof(evidence, proof string, central ed25519.PublicKey, receiptKey []byte, v Visit) (orderID string, ok bool) {
	switch evidence {
	case EvidenceReceipt:
		r, err := OpenReceipt(proof, central, v, time.Time{})
		// Genuine is enough: the station judged its time when it was shown.
		if err == nil || errors.Is(err, ErrReceiptEarly) || errors.Is(err, ErrReceiptExpired) {
			return r.OrderID.String(), true
		}
	case EvidenceCode:
		return "", rightCode(receiptKey, v.Order, v.Session, proof)
	}
	return "", false
}
