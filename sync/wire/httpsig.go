package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Requests of an enrolled station are signed as HTTP message signatures
// (RFC 9421) with Ed25519, one signature a request, under the label "sig1".
// What is covered is fixed, so that nothing a request means can be left out:
// the method, the path, the query, the digest of the body (RFC 9530, always
// present, also for an empty body) and, where the request has one, the upload
// offset. The time, a nonce and the station's id are parameters of the
// signature and thereby covered too. The host is not: a school may put a
// reverse proxy with another name in front of central, and the station already
// knows central by its key.

// Header names of a signed request.
const (
	HeaderSignatureInput = "Signature-Input"
	HeaderSignature      = "Signature"
	HeaderContentDigest  = "Content-Digest"
	HeaderUploadOffset   = "Upload-Offset"
)

// Errors of [VerifyRequest]. They say which door was closed, for central's
// log; to the other side only [CodeSignature], [CodeClock] and
// [CodeUnknownStation] are worth telling.
var (
	ErrUnsigned       = errors.New("wire: request is not signed")
	ErrMalformed      = errors.New("wire: request signature is malformed")
	ErrDigest         = errors.New("wire: body does not match its Content-Digest")
	ErrUnknownStation = errors.New("wire: request is signed by an unknown or revoked station")
	ErrRequestSig     = errors.New("wire: request signature does not verify")
	ErrClock          = errors.New("wire: request was signed too long ago or in the future")
)

// Codes of [Error] that a station reacts to in its own way.
const (
	CodeSignature      = "bad_signature"   // 401: the station must be enrolled again
	CodeClock          = "clock_skew"      // 401: the station's clock is wrong
	CodeUnknownStation = "unknown_station" // 401: never enrolled here
	CodeRevoked        = "revoked"         // 401: enrolled once, no more
	CodeReplay         = "replay"          // 401: this nonce was used before
	CodeConflict       = "digest_conflict" // 409: same id, other bytes: an alarm
	CodeErased         = "erased"          // 410: erased at the station's request, never taken again
	CodeEraseRefused   = "erase_refused"   // 403: not signed by the station whose packet it is
	CodeOffset         = "offset_mismatch" // 409: declare again to learn the offset
	CodeEnrollCode     = "bad_enroll_code" // 403: wrong, used or expired one-time code
	CodeBadRequest     = "bad_request"     // 400: not understood
	CodeInvalidPacket  = "invalid_packet"  // 422: complete, but not a packet
	CodeTooLarge       = "too_large"       // 413
	CodeNotFound       = "not_found"       // 404
	CodeBusy           = "busy"            // 429 or 503, with Retry-After
	CodeInternal       = "internal"        // 500
	CodeNotImplemented = "unsupported"     // 501: this central does not offer it
	CodeDigest         = "digest_mismatch" // 400: Content-Digest and body differ
)

// ErrorCode is the code to answer a failed [VerifyRequest] with.
func ErrorCode(err error) string {
	switch {
	case errors.Is(err, ErrClock):
		return CodeClock
	case errors.Is(err, ErrUnknownStation):
		return CodeUnknownStation
	case errors.Is(err, ErrDigest):
		return CodeDigest
	default:
		return CodeSignature
	}
}

const (
	sigLabel = "sig1"
	// maxSigHeader bounds what is parsed; ours are about 200 bytes.
	maxSigHeader = 1024
	nonceBytes   = 16
)

// ContentDigest is the value of the Content-Digest header for body (RFC 9530, sha-256).
func ContentDigest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// components lists what the signature of req must cover, in order.
func components(req *http.Request) []string {
	c := []string{"@method", "@path", "@query", "content-digest"}
	if len(req.Header.Values(HeaderUploadOffset)) > 0 {
		c = append(c, "upload-offset")
	}
	return c
}

// signatureBase is the text that is signed (RFC 9421 section 2.5). params is
// the value of @signature-params exactly as it stands in the header.
func signatureBase(req *http.Request, params string) []byte {
	path := req.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	var b bytes.Buffer
	for _, c := range components(req) {
		var v string
		switch c {
		case "@method":
			v = req.Method
		case "@path":
			v = path
		case "@query":
			v = "?" + req.URL.RawQuery
		default:
			// Several lines of one field are one value, joined (section 2.1).
			v = strings.Join(req.Header.Values(c), ", ")
		}
		fmt.Fprintf(&b, "%q: %s\n", c, v)
	}
	fmt.Fprintf(&b, "%q: %s", "@signature-params", params)
	return b.Bytes()
}

func innerList(items []string) string {
	q := make([]string, len(items))
	for i, s := range items {
		q[i] = `"` + s + `"`
	}
	return "(" + strings.Join(q, " ") + ")"
}

// SignRequest adds Content-Digest, Signature-Input and Signature to req.
// Method, URL and Upload-Offset must be final. Every attempt needs its own
// call: the nonce is used once. stationID must be printable ASCII without
// quotes or backslashes.
func SignRequest(req *http.Request, body []byte, stationID string, key ed25519.PrivateKey, now time.Time) error {
	if len(key) != ed25519.PrivateKeySize {
		return errors.New("wire: sign request: no station key")
	}
	if !plainString(stationID) || stationID == "" {
		return errors.New("wire: sign request: station id has characters that cannot be in a header")
	}
	var nonce [nonceBytes]byte
	rand.Read(nonce[:]) // never fails (crypto/rand)
	req.Header.Set(HeaderContentDigest, ContentDigest(body))
	params := innerList(components(req)) +
		";created=" + strconv.FormatInt(now.Unix(), 10) +
		`;nonce="` + base64.RawURLEncoding.EncodeToString(nonce[:]) +
		`";keyid="` + stationID + `";alg="ed25519"`
	sig := ed25519.Sign(key, signatureBase(req, params))
	req.Header.Set(HeaderSignatureInput, sigLabel+"="+params)
	req.Header.Set(HeaderSignature, sigLabel+"=:"+base64.StdEncoding.EncodeToString(sig)+":")
	return nil
}

// VerifyRequest checks a request made by [SignRequest] against the key that
// lookup knows for its station; lookup says false for unknown and revoked
// ones. body is the whole body as received. skew is how far the station's
// clock may be from now, either way.
//
// The nonce is returned for the caller to remember for at least twice skew and
// to refuse a second time: VerifyRequest itself remembers nothing. On
// [ErrClock] the station and nonce are returned too, since the signature held.
func VerifyRequest(req *http.Request, body []byte, lookup func(stationID string) (ed25519.PublicKey, bool), now time.Time, skew time.Duration) (stationID, nonce string, err error) {
	inputs, sigs := req.Header.Values(HeaderSignatureInput), req.Header.Values(HeaderSignature)
	if len(inputs) == 0 || len(sigs) == 0 {
		return "", "", ErrUnsigned
	}
	if len(inputs) != 1 || len(sigs) != 1 {
		return "", "", fmt.Errorf("%w: more than one signature header", ErrMalformed)
	}
	params, ok := strings.CutPrefix(inputs[0], sigLabel+"=")
	if !ok {
		return "", "", fmt.Errorf("%w: no label %s", ErrMalformed, sigLabel)
	}
	p, err := parseSigParams(params)
	if err != nil {
		return "", "", err
	}
	if want := components(req); innerList(p.components) != innerList(want) {
		return "", "", fmt.Errorf("%w: covers %s, want %s", ErrMalformed, innerList(p.components), innerList(want))
	}
	sig, err := parseSigValue(sigs[0])
	if err != nil {
		return "", "", err
	}
	if d := req.Header.Values(HeaderContentDigest); len(d) != 1 || d[0] != ContentDigest(body) {
		return "", "", ErrDigest
	}
	pub, ok := lookup(p.keyID)
	if !ok || len(pub) != ed25519.PublicKeySize {
		return "", "", ErrUnknownStation
	}
	if !ed25519.Verify(pub, signatureBase(req, params), sig) {
		return "", "", ErrRequestSig
	}
	// The clock comes last: only an answer to a proven station may speak of its clock.
	if d := now.Sub(time.Unix(p.created, 0)); d > skew || d < -skew {
		return p.keyID, p.nonce, ErrClock
	}
	return p.keyID, p.nonce, nil
}

func parseSigValue(v string) ([]byte, error) {
	if len(v) > maxSigHeader {
		return nil, fmt.Errorf("%w: Signature is too long", ErrMalformed)
	}
	v, ok := strings.CutPrefix(v, sigLabel+"=:")
	if !ok {
		return nil, fmt.Errorf("%w: no label %s in Signature", ErrMalformed, sigLabel)
	}
	v, ok = strings.CutSuffix(v, ":")
	if !ok {
		return nil, fmt.Errorf("%w: Signature is not a byte sequence", ErrMalformed)
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(v)
	if err != nil || len(sig) != ed25519.SignatureSize {
		return nil, fmt.Errorf("%w: Signature is not an Ed25519 signature", ErrMalformed)
	}
	return sig, nil
}

type sigParams struct {
	components []string
	created    int64
	nonce      string
	keyID      string
}

// parseSigParams reads the small part of RFC 8941 that [SignRequest] writes:
// an inner list of plain strings, then ;created=integer and the strings
// ;nonce, ;keyid and ;alg, each once, in any order.
func parseSigParams(s string) (sigParams, error) {
	var p sigParams
	bad := func(what string) error {
		return fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	if len(s) > maxSigHeader {
		return sigParams{}, bad("Signature-Input is too long")
	}
	list, rest, ok := strings.Cut(s, ")")
	if !ok || !strings.HasPrefix(list, "(") {
		return sigParams{}, bad("no list of components")
	}
	for item := range strings.SplitSeq(list[1:], " ") {
		if len(item) < 3 || item[0] != '"' || item[len(item)-1] != '"' || !plainString(item[1:len(item)-1]) {
			return sigParams{}, bad("component is not a string")
		}
		p.components = append(p.components, item[1:len(item)-1])
	}
	seen := map[string]bool{}
	for rest != "" {
		if rest[0] != ';' {
			return sigParams{}, bad("parameters are not separated by ;")
		}
		name, after, ok := strings.Cut(rest[1:], "=")
		if !ok || seen[name] {
			return sigParams{}, bad("parameter without a value or given twice")
		}
		seen[name] = true
		if name == "created" {
			end := strings.IndexByte(after, ';')
			if end < 0 {
				end = len(after)
			}
			n, err := strconv.ParseInt(after[:end], 10, 64)
			if err != nil || n < 0 || n > 1<<40 {
				return sigParams{}, bad("created is not a time")
			}
			p.created, rest = n, after[end:]
			continue
		}
		if !strings.HasPrefix(after, `"`) {
			return sigParams{}, bad("parameter is not a string")
		}
		val, tail, ok := strings.Cut(after[1:], `"`)
		if !ok || !plainString(val) {
			return sigParams{}, bad("parameter is not a plain string")
		}
		rest = tail
		switch name {
		case "nonce":
			p.nonce = val
		case "keyid":
			p.keyID = val
		case "alg":
			if val != "ed25519" {
				return sigParams{}, bad("algorithm is not ed25519")
			}
		default:
			return sigParams{}, bad("unknown parameter")
		}
	}
	if !seen["created"] || !seen["alg"] || p.keyID == "" || len(p.nonce) < nonceBytes {
		return sigParams{}, bad("created, nonce, keyid or alg is missing")
	}
	return p, nil
}

// plainString reports whether s needs no escape inside a quoted header string.
func plainString(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
