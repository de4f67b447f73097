// Package claim makes and checks what binds a student's phone, the payment and
// one capture together while the station may be offline: the token in the QR
// code, the four-digit match number, and the eight-digit payment code that
// staff can type.
//
// It is pure logic shared by station and central. It must not know about
// screens, storage or HTTP, and no token carries anything about a student.
package claim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// A token is 42 bytes, 56 characters of unpadded base64url:
//
//	1  version
//	5  short station id: SHA-256 of the station id, cut
//	16 session ULID
//	4  expiry, Unix seconds, big endian
//	16 MAC: HMAC-SHA256 under the station's claim key, cut, over
//	   a context string, the full station id and the 26 bytes before
const (
	tokenVersion = 1
	shortLen     = 5
	macLen       = 16
	bodyLen      = 1 + shortLen + 16 + 4
	tokenLen     = bodyLen + macLen

	// TokenChars is the length of every token.
	TokenChars = (tokenLen*8 + 5) / 6

	// KeyLen is the length of claim and receipt keys in bytes.
	KeyLen = 32

	// MaxURL is what a version 6 QR code at level M holds in byte mode (ISO/IEC 18004).
	MaxURL = 106

	// DefaultTTL is how long a QR on the screen may be scanned. It outlives a
	// slow visit with a payment in it; it ends long before the next morning.
	DefaultTTL = 2 * time.Hour
)

// Errors of parsing and verifying. To a phone they are all the same generic answer.
var (
	ErrToken   = errors.New("claim: not a claim token")
	ErrUnknown = errors.New("claim: token of an unknown station")
	ErrMAC     = errors.New("claim: token was not made by its station")
	ErrExpired = errors.New("claim: token has expired")
)

// ShortID stands for a station in a token.
type ShortID [shortLen]byte

// Short is the short id of a station.
func Short(stationID string) ShortID {
	sum := sha256.Sum256([]byte("yunzhao/station\x00" + stationID))
	return ShortID(sum[:shortLen])
}

// Token is what a token says, true only after Verify.
type Token struct {
	Station ShortID
	Session ulid.ULID
	Expires time.Time
}

// Mint makes the token of a session. key is the station's claim key.
func Mint(key []byte, stationID string, session ulid.ULID, expires time.Time) (string, error) {
	if len(key) != KeyLen {
		return "", fmt.Errorf("claim: mint: key has %d bytes, want %d", len(key), KeyLen)
	}
	if stationID == "" || session == (ulid.ULID{}) {
		return "", errors.New("claim: mint: no station or session")
	}
	if u := expires.Unix(); u <= 0 || u > 1<<32-1 {
		return "", errors.New("claim: mint: expiry out of range")
	}
	short := Short(stationID)
	b := make([]byte, 0, tokenLen)
	b = append(b, tokenVersion)
	b = append(b, short[:]...)
	b = append(b, session[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(expires.Unix()))
	b = append(b, mac(key, stationID, b)...)
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func mac(key []byte, stationID string, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("yunzhao/claim/1\x00" + stationID + "\x00"))
	h.Write(body)
	return h.Sum(nil)[:macLen]
}

func decode(token string) ([]byte, Token, error) {
	if len(token) != TokenChars {
		return nil, Token{}, ErrToken
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != tokenLen || b[0] != tokenVersion {
		return nil, Token{}, ErrToken
	}
	t := Token{
		Station: ShortID(b[1:]),
		Session: ulid.ULID(b[1+shortLen : 1+shortLen+16]),
		Expires: time.Unix(int64(binary.BigEndian.Uint32(b[bodyLen-4:])), 0).UTC(),
	}
	if t.Session == (ulid.ULID{}) {
		return nil, Token{}, ErrToken
	}
	return b, t, nil
}

// Parse reads a token without proving anything about it.
func Parse(token string) (Token, error) {
	_, t, err := decode(token)
	return t, err
}

// Verify reads a token and proves that its station made it and that it has not
// expired. lookup finds the station of a short id with its claim key. With
// [ErrExpired] the token is returned as well: it was genuine once.
func Verify(token string, now time.Time, lookup func(ShortID) (stationID string, key []byte, ok bool)) (Token, string, error) {
	b, t, err := decode(token)
	if err != nil {
		return Token{}, "", err
	}
	station, key, ok := lookup(t.Station)
	if !ok || len(key) != KeyLen {
		return Token{}, "", ErrUnknown
	}
	if !hmac.Equal(mac(key, station, b[:bodyLen]), b[bodyLen:]) {
		return Token{}, "", ErrMAC
	}
	if !now.Before(t.Expires) {
		return t, station, ErrExpired
	}
	return t, station, nil
}

// URL is what the QR code holds: base + /k/ + token. base is the batch's
// phone_base_url; it must be https (plain http only to a loopback host, for
// the demo) and short enough for a version 6 code.
func URL(base, token string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("claim: phone_base_url is not an address like https://host")
	}
	host := u.Hostname()
	if u.Scheme != "https" && !(u.Scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1")) {
		return "", errors.New("claim: phone_base_url must be https")
	}
	if _, err := Parse(token); err != nil {
		return "", err
	}
	s := strings.TrimSuffix(base, "/") + "/k/" + token
	if len(s) > MaxURL {
		return "", fmt.Errorf("claim: QR address has %d characters, limit %d: shorten phone_base_url", len(s), MaxURL)
	}
	return s, nil
}

// MatchNumber is the four digits that the phone shows and the desk confirms.
// Both sides compute it from the session; nobody can from the QR code alone.
func MatchNumber(key []byte, session ulid.ULID) string {
	return digits(key, "yunzhao/match/1", 4, session[:])
}

// digits is a decimal code of n <= 9 digits from an HMAC over length-prefixed
// parts. 64 bits reduced modulo 10^n: the bias is below 2^-33.
func digits(key []byte, context string, n int, parts ...[]byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(context))
	for _, p := range parts {
		var l [4]byte
		binary.BigEndian.PutUint32(l[:], uint32(len(p)))
		h.Write(l[:])
		h.Write(p)
	}
	v := binary.BigEndian.Uint64(h.Sum(nil))
	m := uint64(1)
	for range n {
		m *= 10
	}
	return fmt.Sprintf("%0*d", n, v%m)
}
