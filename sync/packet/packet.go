// Package packet seals one capture into one self-describing file and opens it
// again: a small CBOR header in the clear, an age ciphertext that only
// central's keys open, and the station's signature over both. docs/packet.md
// describes the file byte by byte, for a team that writes its own reader.
//
// It must not know about disks, networks or schedules: bytes in, bytes out.
// Nothing about a student is ever in the header; once sealed, the station
// itself cannot read the rest back.
package packet

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"filippo.io/age"
	"github.com/fxamacker/cbor/v2"
	"github.com/oklog/ulid/v2"
	"github.com/veraison/go-cose"
)

// Version of the format, in the header and the manifest.
const Version = 1

// magic opens every packet. The CR LF shows a transfer that "repaired" line ends.
const magic = "YZPKT\x01\r\n"

// Limits of every part, checked when sealing and again before anything is
// allocated when reading. They are about ten times what a 12-megapixel camera
// gives, and small enough that a hostile file cannot exhaust central.
const (
	MaxHeader    = 1 << 10
	MaxManifest  = 256 << 10
	MaxOriginal  = 32 << 20
	MaxPortrait  = 8 << 20
	MaxAudit     = 1 << 20
	maxSignature = 256
	// maxCiphertext leaves room for the tar framing, the age header and its
	// 16 bytes of tag in each 64 KiB.
	maxCiphertext = MaxManifest + MaxOriginal + MaxPortrait + MaxAudit + 128<<10
	// MaxSize is the largest packet file that is ever read.
	MaxSize = len(magic) + 3*4 + MaxHeader + maxCiphertext + maxSignature

	maxName = 64 // of a station or spec id
)

// Errors of reading. Every failure to read a packet is one of them.
var (
	// ErrFormat: the bytes are not a packet, or not the whole of one.
	ErrFormat = errors.New("packet: not a valid packet file")
	// ErrSignature: a packet in form, but not as this station signed it.
	ErrSignature = errors.New("packet: station signature does not verify")
	// ErrUnverified: Open was called before a successful Verify.
	ErrUnverified = errors.New("packet: signature was not verified before opening")
	// ErrDecrypt: none of the identities opens it, or the ciphertext is damaged.
	ErrDecrypt = errors.New("packet: cannot decrypt")
	// ErrContents: it decrypts, but what is inside breaks the rules.
	ErrContents = errors.New("packet: contents are not valid")
)

// Sizes of the four files inside, in bytes.
type Sizes struct {
	_        struct{} `cbor:",toarray"`
	Manifest uint32
	Original uint32
	Portrait uint32
	Audit    uint32
}

// Header is what anyone may read: what an outbox and a queue need, nothing about a student.
type Header struct {
	Version    int        `cbor:"1,keyasint"`
	ID         ulid.ULID  `cbor:"2,keyasint"` // 16 bytes
	Station    string     `cbor:"3,keyasint"`
	Seq        uint64     `cbor:"4,keyasint"` // this station's packets, from 1, without gaps
	Spec       string     `cbor:"5,keyasint"`
	CreatedMS  int64      `cbor:"6,keyasint"` // Unix milliseconds, the station's clock
	Sizes      Sizes      `cbor:"7,keyasint"`
	Supersedes *ulid.ULID `cbor:"8,keyasint,omitempty"` // the packet this one replaces
}

// Created is when the packet was sealed, by the station's clock.
func (h Header) Created() time.Time { return time.UnixMilli(h.CreatedMS).UTC() }

// Equal reports whether both say the same.
func (h Header) Equal(o Header) bool {
	a, b := h.Supersedes, o.Supersedes
	h.Supersedes, o.Supersedes = nil, nil
	return h == o && (a == b || a != nil && b != nil && *a == *b)
}

func (h Header) check() error {
	switch {
	case h.Version != Version:
		return fmt.Errorf("%w: version %d, this program reads %d", ErrFormat, h.Version, Version)
	case h.ID == (ulid.ULID{}):
		return fmt.Errorf("%w: no packet id", ErrFormat)
	case !validName(h.Station):
		return fmt.Errorf("%w: station id", ErrFormat)
	case !validName(h.Spec):
		return fmt.Errorf("%w: spec id", ErrFormat)
	case h.Seq == 0:
		return fmt.Errorf("%w: sequence starts at 1", ErrFormat)
	case h.CreatedMS <= 0 || h.CreatedMS > 1<<43: // year 2248
		return fmt.Errorf("%w: creation time", ErrFormat)
	case h.Supersedes != nil && (*h.Supersedes == h.ID || *h.Supersedes == ulid.ULID{}):
		return fmt.Errorf("%w: superseded id", ErrFormat)
	case h.Sizes.Manifest == 0 || h.Sizes.Manifest > MaxManifest,
		h.Sizes.Original == 0 || h.Sizes.Original > MaxOriginal,
		h.Sizes.Portrait == 0 || h.Sizes.Portrait > MaxPortrait,
		h.Sizes.Audit > MaxAudit:
		return fmt.Errorf("%w: sizes", ErrFormat)
	}
	return nil
}

// validName keeps ids to characters that are safe in logs, URLs and file names.
func validName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

// Input is everything that goes into a packet.
type Input struct {
	ID         ulid.ULID
	Seq        uint64
	Station    string
	Spec       string
	Created    time.Time
	Supersedes *ulid.ULID // optional

	// Manifest's identity fields (version, packet, station, sequence, spec,
	// created, supersedes, digests) are filled in by Seal.
	Manifest Manifest
	Original []byte // JPEG as the camera gave it
	Portrait []byte // JPEG, standardised
	Audit    []byte // JSON lines of this session; may be empty
}

// Sealed is a finished packet. A retry stores these same bytes again; it never seals twice.
type Sealed struct {
	ID     ulid.ULID
	SHA256 string // hex, of Bytes
	Bytes  []byte
	Header Header
	// AuditHead is the manifest's, for the store to keep beside its index.
	AuditHead string

	// What Seal found when it read the packet back.
	signer ed25519.PublicKey
	sum    [sha256.Size]byte
	header Header
}

// Intact checks that a packet is still, byte for byte and field for field, what
// [Seal] read back and verified, and returns the key that it was verified with.
// It costs one digest. A Sealed that was put together by hand is never intact.
func (s *Sealed) Intact() (station ed25519.PublicKey, ok bool) {
	if s.signer == nil || s.ID != s.header.ID || !s.Header.Equal(s.header) || s.SHA256 != hex.EncodeToString(s.sum[:]) || sha256.Sum256(s.Bytes) != s.sum {
		return nil, false
	}
	return s.signer, true
}

var (
	encMode = mustEnc()
	decMode = mustDec()
)

func mustEnc() cbor.EncMode {
	m, err := cbor.CoreDetEncOptions().EncMode() // RFC 8949 section 4.2.1
	if err != nil {
		panic(err) //nolint:forbidigo // constant options: a slip of ours that no test survives
	}
	return m
}

func mustDec() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   4,
		MaxArrayElements:  16,
		MaxMapPairs:       16,
	}.DecMode()
	if err != nil {
		panic(err) //nolint:forbidigo // constant options: a slip of ours that no test survives
	}
	return m
}

// Seal makes the packet. recipients are central's working key and its offline
// recovery key, at least one; key is the station's signing key. The result has
// been parsed and verified once more before it is returned, so that a fault of
// memory is found while the student is still there.
func Seal(in Input, recipients []age.Recipient, key ed25519.PrivateKey) (*Sealed, error) {
	if len(recipients) == 0 {
		return nil, errors.New("packet: seal: no recipient: nobody could open it")
	}
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("packet: seal: no station key")
	}
	if !isJPEG(in.Original) || !isJPEG(in.Portrait) {
		return nil, errors.New("packet: seal: original and portrait must be JPEG files")
	}
	m := in.Manifest.bind(in)
	manifest, err := Canonical(m)
	if err != nil {
		return nil, fmt.Errorf("packet: seal: encode manifest: %w", err)
	}
	// Checked before the conversion to 32 bits can wrap.
	if len(manifest) > MaxManifest || len(in.Original) > MaxOriginal || len(in.Portrait) > MaxPortrait || len(in.Audit) > MaxAudit {
		return nil, fmt.Errorf("packet: seal: a part is too large (manifest %d, original %d, portrait %d, audit %d bytes)",
			len(manifest), len(in.Original), len(in.Portrait), len(in.Audit))
	}
	h := Header{
		Version: Version, ID: in.ID, Station: in.Station, Seq: in.Seq, Spec: in.Spec,
		CreatedMS: in.Created.UnixMilli(), Supersedes: in.Supersedes,
		Sizes: Sizes{
			Manifest: uint32(len(manifest)), Original: uint32(len(in.Original)),
			Portrait: uint32(len(in.Portrait)), Audit: uint32(len(in.Audit)),
		},
	}
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("packet: seal: %w", err)
	}
	header, err := encMode.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("packet: seal: encode header: %w", err)
	}
	cipher, err := encrypt(recipients, manifest, in)
	if err != nil {
		return nil, fmt.Errorf("packet: seal: %w", err)
	}
	sig, err := sign(header, cipher, key)
	if err != nil {
		return nil, fmt.Errorf("packet: seal: %w", err)
	}

	out := make([]byte, 0, len(magic)+3*4+len(header)+len(cipher)+len(sig))
	out = append(out, magic...)
	for _, part := range [][]byte{header, cipher, sig} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	p, err := Parse(out)
	if err != nil {
		return nil, fmt.Errorf("packet: seal: read back: %w", err)
	}
	public := key.Public().(ed25519.PublicKey) //nolint:errcheck // what crypto/ed25519 promises
	if err := p.Verify(public); err != nil {
		return nil, fmt.Errorf("packet: seal: read back: %w", err)
	}
	s := &Sealed{ID: h.ID, SHA256: p.SHA256, Bytes: out, Header: h, AuditHead: m.AuditHead, signer: public, header: p.Header}
	if _, err := hex.Decode(s.sum[:], []byte(p.SHA256)); err != nil {
		return nil, fmt.Errorf("packet: seal: digest: %w", err)
	}
	return s, nil
}

// Packet is a parsed file. It refers to the bytes it was parsed from.
type Packet struct {
	Header Header
	SHA256 string // hex, of the whole file
	Size   int64

	header, cipher, sig []byte
	verified            bool
}

// Parse reads the outside of a packet: framing, header, lengths. It proves
// nothing about who made it: call Verify with the key of Header.Station.
func Parse(b []byte) (*Packet, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrFormat, len(b), MaxSize)
	}
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return nil, fmt.Errorf("%w: magic", ErrFormat)
	}
	p := &Packet{Size: int64(len(b))}
	var err error
	for _, part := range []struct {
		name string
		to   *[]byte
		max  int
	}{
		{"header", &p.header, MaxHeader},
		{"ciphertext", &p.cipher, maxCiphertext},
		{"signature", &p.sig, maxSignature},
	} {
		if *part.to, rest, err = cut(rest, part.max); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFormat, part.name, err)
		}
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%w: %d bytes after the end", ErrFormat, len(rest))
	}
	if p.Header, err = parseHeader(p.header); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	p.SHA256 = hex.EncodeToString(sum[:])
	return p, nil
}

func cut(b []byte, limit int) (part, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errors.New("length is cut off")
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	switch {
	case uint64(n) > uint64(limit):
		return nil, nil, fmt.Errorf("%d bytes, limit %d", n, limit)
	case uint64(n) > uint64(len(b)):
		return nil, nil, fmt.Errorf("%d bytes announced, %d there", n, len(b))
	}
	return b[:n:n], b[n:], nil
}

func parseHeader(b []byte) (Header, error) {
	var h Header
	if err := decMode.Unmarshal(b, &h); err != nil {
		return Header{}, fmt.Errorf("%w: header: %w", ErrFormat, err)
	}
	if err := h.check(); err != nil {
		return Header{}, err
	}
	// One meaning has one spelling: whatever our encoder would not write is refused.
	again, err := encMode.Marshal(h)
	if err != nil || !bytes.Equal(again, b) {
		return Header{}, fmt.Errorf("%w: header is not deterministic CBOR", ErrFormat)
	}
	return h, nil
}

// Verify checks the station's signature over header and ciphertext.
func (p *Packet) Verify(station ed25519.PublicKey) error {
	if len(station) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: no station key", ErrSignature)
	}
	var m cose.Sign1Message
	if err := m.UnmarshalCBOR(p.sig); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	// The signature block must be the one spelling that sign writes: COSE
	// leaves parts of itself unsigned.
	want := newSign1(m.Signature)
	again, err := want.MarshalCBOR()
	if err != nil || !bytes.Equal(again, p.sig) {
		return fmt.Errorf("%w: unexpected COSE structure", ErrSignature)
	}
	v, err := cose.NewVerifier(cose.AlgorithmEdDSA, station)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if want.Payload, err = signedPayload(p.header, p.cipher); err != nil {
		return fmt.Errorf("packet: verify: %w", err)
	}
	if err := want.Verify(nil, v); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	p.verified = true
	return nil
}

// Verify parses b and checks its signature.
func Verify(b []byte, station ed25519.PublicKey) (*Packet, error) {
	p, err := Parse(b)
	if err != nil {
		return nil, err
	}
	if err := p.Verify(station); err != nil {
		return nil, err
	}
	return p, nil
}

// signingContext makes the signature useless for anything but a packet.
const signingContext = "yunzhao/packet/1"

// signedPayload is the detached COSE payload: the CBOR array
// [context, header bytes, SHA-256 of the ciphertext, length of the ciphertext].
func signedPayload(header, cipher []byte) ([]byte, error) {
	sum := sha256.Sum256(cipher)
	b, err := encMode.Marshal([]any{signingContext, header, sum[:], uint64(len(cipher))})
	if err != nil {
		return nil, fmt.Errorf("encode what is signed: %w", err)
	}
	return b, nil
}

// newSign1 is the COSE_Sign1 with everything but the detached payload.
func newSign1(sig []byte) *cose.Sign1Message {
	return &cose.Sign1Message{
		Headers:   cose.Headers{Protected: cose.ProtectedHeader{cose.HeaderLabelAlgorithm: cose.AlgorithmEdDSA}},
		Signature: sig,
	}
}

func sign(header, cipher []byte, key ed25519.PrivateKey) ([]byte, error) {
	s, err := cose.NewSigner(cose.AlgorithmEdDSA, key)
	if err != nil {
		return nil, fmt.Errorf("station key: %w", err)
	}
	m := newSign1(nil)
	if m.Payload, err = signedPayload(header, cipher); err != nil {
		return nil, err
	}
	if err := m.Sign(rand.Reader, nil, s); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	b, err := newSign1(m.Signature).MarshalCBOR()
	if err != nil {
		return nil, fmt.Errorf("encode signature: %w", err)
	}
	return b, nil
}

func isJPEG(b []byte) bool {
	return len(b) >= 4 && b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff
}
