// Package uplink carries everything between this station and central: the
// roster, packets, acknowledgements, verdicts and what a student's phone has
// done. A success is an answer signed by the central this station was enrolled
// with, of the right kind and about the right thing; a status code proves
// nothing, because captive portals and proxies answer 200 too.
//
// It must not know about screens, cameras or what a packet holds.
package uplink

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Bounds of one exchange.
const (
	// stallTimeout is how long a request may go without a byte moving. A slow
	// link is not a dead one: what bounds a request is silence, not its length.
	stallTimeout = 30 * time.Second
	// requestTimeout covers one request with its answer in any case, against an
	// answer that drips for ever.
	requestTimeout = 10 * time.Minute
	// claimTimeout: somebody stands there, and asks again soon.
	claimTimeout = 5 * time.Second
	// firstPiece is how much of a packet goes into one request before the link is
	// known: little enough to pass before stallTimeout at 5 kB/s. minPiece is what
	// it may shrink to on a bad link, DefaultPiece what it grows to on one that
	// takes a piece within fastPiece: each request costs central four waits for
	// its disk, and a photo then goes in one.
	firstPiece   = 128 << 10
	minPiece     = 4 << 10
	DefaultPiece = 512 << 10
	fastPiece    = time.Second
	// maxAnswer bounds what is read of an answer: a roster page of a thousand
	// students is about 400 kB. maxRefusal bounds one that is no success.
	maxAnswer  = 8 << 20
	maxRefusal = 64 << 10
)

// Errors that callers tell apart.
var (
	// ErrNotCentral: something answered, but not the central of this station.
	ErrNotCentral = errors.New("uplink: the answer does not come from central")
	// ErrAddress: central would be spoken to in the clear, or nowhere.
	ErrAddress = errors.New("uplink: central's address must be https://host (plain http only on this machine itself)")
	// ErrPin: the server's certificate does not have the pinned key.
	ErrPin = errors.New("uplink: server key is not the pinned one")
	// ErrConnection: nothing answered, or not to the end.
	ErrConnection = errors.New("uplink: no connection to central")
	// ErrStalled: the connection was there, but nothing came or went.
	ErrStalled = errors.New("uplink: the connection stalled")
	// ErrPause: central asked to be left alone for a while, or refused in a way
	// that only a person can mend.
	ErrPause = errors.New("uplink: central is not to be asked now")
)

// RefusedError is central's (or something's) word that the request will not
// do; unsigned, so it never deletes or settles anything.
type RefusedError struct {
	Status     int
	Code       string        // of wire.Error, "" when the body was none
	RetryAfter time.Duration // 0 = not said
}

func (e *RefusedError) Error() string {
	if e.Code != "" {
		return fmt.Sprintf("uplink: refused: %d %s", e.Status, e.Code)
	}
	return fmt.Sprintf("uplink: refused: %d", e.Status)
}

// reason is what an outbox keeps of it.
func (e *RefusedError) reason() string {
	if e.Code != "" {
		return e.Code
	}
	return "http_" + strconv.Itoa(e.Status)
}

// Fatal tells whether asking again cannot help until a person did something.
func (e *RefusedError) Fatal() bool {
	switch e.Code {
	case wire.CodeSignature, wire.CodeClock, wire.CodeUnknownStation, wire.CodeRevoked, wire.CodeConflict, wire.CodeInvalidPacket, wire.CodeTooLarge:
		return true
	}
	return false
}

// identity is who signs requests and whose answers count.
type identity struct {
	station string
	key     ed25519.PrivateKey
	central ed25519.PublicKey
}

// public verifies what this station itself has signed.
func (i identity) public() ed25519.PublicKey {
	public, _ := i.key.Public().(ed25519.PublicKey) // always is
	return public
}

// client makes one attempt at a time; whether to try again is for the worker.
type client struct {
	rest *resty.Client
	id   identity
	now  func() time.Time
}

// newRest prepares the HTTP side. base is central's address; pin is the hex
// SHA-256 of a public key in its chain, "" for the system's roots alone.
// rate is the most bytes a second of what is sent, 0 = no limit.
func newRest(base, pin, version string, transport http.RoundTripper, rate int64) (*resty.Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, ErrAddress
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && pin == "" && loopback(u.Hostname())) {
		return nil, ErrAddress
	}
	if transport == nil {
		t := &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			ForceAttemptHTTP2: true,
			IdleConnTimeout:   90 * time.Second,
		}
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if pin != "" {
			t.TLSClientConfig.VerifyConnection = func(cs tls.ConnectionState) error { return checkPin(cs.VerifiedChains, pin) }
		}
		t.MaxIdleConnsPerHost = 2
		// A connection that died while nobody used it is found out before the
		// next request waits on it.
		t.HTTP2 = &http.HTTP2Config{SendPingTimeout: stallTimeout / 2, PingTimeout: stallTimeout / 2}
		transport = t
	}
	transport = &stallGuard{next: transport, limit: stallTimeout}
	if rate > 0 {
		transport = &pacer{next: transport, rate: rate}
	}
	// Without resty's cookie jar: what a captive portal sets is not for central.
	return resty.NewWithClient(&http.Client{}).
		SetTransport(transport).
		SetBaseURL(strings.TrimRight(base, "/")).
		SetTimeout(requestTimeout).
		SetRetryCount(0). // resty would send a reader's body again empty; attempts are the worker's
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // central never redirects; readBody says who does
		})).
		SetHeader("User-Agent", "yunzhao/"+version).
		SetHeader("Accept", "application/json"), nil
}

// loopback: the embedded central of the demo, on this very machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkPin looks for the pinned key in the chains that were verified. What the
// server merely sent along proves nothing: anybody can append the pinned
// certificate to a chain of their own.
func checkPin(chains [][]*x509.Certificate, pin string) error {
	for _, chain := range chains {
		for _, c := range chain {
			sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
			if strings.EqualFold(hex.EncodeToString(sum[:]), pin) {
				return nil
			}
		}
	}
	return ErrPin
}

// do sends one signed request and opens the signed answer of one of the types
// in into. A nonce that was used before gets a second one at once: below us,
// net/http repeats a GET whose connection broke, with the same signature.
func (c *client) do(ctx context.Context, method, path string, body []byte, contentType string, header map[string]string, into map[string]any) (wire.Signed, error) {
	s, err := c.once(ctx, method, path, body, contentType, header, into)
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Code == wire.CodeReplay {
		return c.once(ctx, method, path, body, contentType, header, into)
	}
	return s, err
}

func (c *client) once(ctx context.Context, method, path string, body []byte, contentType string, header map[string]string, into map[string]any) (wire.Signed, error) {
	r := c.rest.R().SetContext(ctx).SetDoNotParseResponse(true)
	if contentType != "" {
		r.SetHeader("Content-Type", contentType)
	}
	// The signature covers the final address, so the request is built here and
	// carries its headers over.
	probe, err := http.NewRequestWithContext(ctx, method, c.rest.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return wire.Signed{}, fmt.Errorf("uplink: %s %s: %w", method, path, err)
	}
	for k, v := range header {
		probe.Header.Set(k, v)
	}
	if err := wire.SignRequest(probe, body, c.id.station, c.id.key, c.now()); err != nil {
		return wire.Signed{}, fmt.Errorf("uplink: sign request: %w", err)
	}
	for k := range probe.Header {
		r.SetHeader(k, probe.Header.Get(k))
	}
	if body != nil {
		r.SetBody(body)
	}
	resp, err := r.Execute(method, path)
	if err != nil {
		return wire.Signed{}, fmt.Errorf("%w: %s: %w", ErrConnection, method, err)
	}
	return readSigned(resp.RawResponse, c.id.central, into)
}

// readSigned reads an answer and believes it only when central signed it.
func readSigned(resp *http.Response, central ed25519.PublicKey, into map[string]any) (wire.Signed, error) {
	data, err := readBody(resp)
	if err != nil {
		return wire.Signed{}, err
	}
	var s wire.Signed
	if err := json.Unmarshal(data, &s); err != nil {
		return wire.Signed{}, ErrNotCentral
	}
	v, ok := into[s.Type]
	if !ok {
		return wire.Signed{}, fmt.Errorf("%w: unexpected kind of answer", ErrNotCentral)
	}
	if err := s.Open(central, s.Type, v); err != nil {
		return wire.Signed{}, fmt.Errorf("%w: %w", ErrNotCentral, err)
	}
	return s, nil
}

// readBody reads the JSON of a success, or says why it is none.
func readBody(resp *http.Response) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }()
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	isJSON := err == nil && kind == "application/json"
	if resp.StatusCode != http.StatusOK {
		return nil, readRefusal(resp, isJSON)
	}
	if !isJSON {
		return nil, ErrNotCentral
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("%w: read answer: %w", ErrConnection, err)
	}
	if len(data) > maxAnswer {
		return nil, ErrNotCentral
	}
	return data, nil
}

// readRefusal says what an answer other than 200 means. Central has no
// successes beside 200 and never redirects; somebody in between may.
func readRefusal(resp *http.Response, isJSON bool) error {
	if resp.StatusCode < http.StatusBadRequest {
		return fmt.Errorf("%w: status %d", ErrNotCentral, resp.StatusCode)
	}
	refused := &RefusedError{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"))}
	var e wire.Error
	// Without the body the status stands for itself.
	if data, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)); err == nil && isJSON && json.Unmarshal(data, &e) == nil {
		refused.Code = e.Code[:min(len(e.Code), maxCode)]
	}
	return refused
}

// maxCode bounds a code that somebody invents; it goes into logs.
const maxCode = 64

// retryAfter reads seconds; dates are left aside, because neither clock can be
// trusted.
func retryAfter(v string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(v))
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, time.Hour)
}

func (c *client) getJSON(ctx context.Context, path, typ string, v any) error {
	_, err := c.do(ctx, http.MethodGet, path, nil, "", nil, map[string]any{typ: v})
	return err
}

func encode(in any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("uplink: encode request: %w", err)
	}
	return body, nil
}

func (c *client) postJSON(ctx context.Context, path, typ string, in, v any) error {
	body, err := encode(in)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, http.MethodPost, path, body, "application/json", nil, map[string]any{typ: v})
	return err
}

func (c *client) heartbeat(ctx context.Context, hb wire.Heartbeat) (wire.Hello, error) {
	var out wire.Hello
	err := c.postJSON(ctx, "/v1/heartbeat", wire.TypeHello, hb, &out)
	if err == nil && out.StationID != c.id.station {
		err = fmt.Errorf("%w: for another station", ErrNotCentral)
	}
	return out, err
}

func (c *client) roster(ctx context.Context, since uint64) (wire.RosterDelta, error) {
	var out wire.RosterDelta
	err := c.getJSON(ctx, "/v1/roster?since="+strconv.FormatUint(since, 10), wire.TypeRoster, &out)
	if err == nil && out.StationID != c.id.station {
		err = fmt.Errorf("%w: for another station", ErrNotCentral)
	}
	return out, err
}

func (c *client) verdicts(ctx context.Context, since uint64) (wire.Verdicts, error) {
	var out wire.Verdicts
	err := c.getJSON(ctx, "/v1/verdicts?since="+strconv.FormatUint(since, 10), wire.TypeVerdicts, &out)
	if err == nil && out.StationID != c.id.station {
		err = fmt.Errorf("%w: for another station", ErrNotCentral)
	}
	return out, err
}

func (c *client) claim(ctx context.Context, session string) (wire.ClaimState, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	var out wire.ClaimState
	err := c.getJSON(ctx, "/v1/claims/"+url.PathEscape(session), wire.TypeClaim, &out)
	if err == nil && (out.StationID != c.id.station || out.Session != session) {
		err = fmt.Errorf("%w: about another session", ErrNotCentral)
	}
	return out, err
}

func (c *client) declare(ctx context.Context, packets []wire.Declared) ([]wire.DeclareResult, error) {
	var out wire.DeclareResponse
	err := c.postJSON(ctx, "/v1/packets:declare", wire.TypeDeclared, wire.DeclareRequest{Packets: packets}, &out)
	if err == nil && out.StationID != c.id.station {
		err = fmt.Errorf("%w: for another station", ErrNotCentral)
	}
	return out.Results, err
}

// upload sends one piece of at most size bytes from offset on. It returns central's acknowledgement
// when that was the last piece, else the offset to go on from.
func (c *client) upload(ctx context.Context, id string, data []byte, offset, size int64) (next int64, ack *wire.Signed, err error) {
	if offset < 0 || offset > int64(len(data)) {
		return 0, nil, fmt.Errorf("%w: impossible offset", ErrNotCentral)
	}
	piece := data[offset:min(offset+size, int64(len(data)))]
	var progress wire.Progress
	var a wire.Ack
	s, err := c.do(ctx, http.MethodPatch, "/v1/packets/"+url.PathEscape(id), piece, "application/octet-stream",
		map[string]string{wire.HeaderUploadOffset: strconv.FormatInt(offset, 10)},
		map[string]any{wire.TypeProgress: &progress, wire.TypeAck: &a})
	switch {
	case err != nil:
		return 0, nil, err
	case s.Type == wire.TypeAck:
		return int64(len(data)), &s, nil
	case progress.ID != id || progress.Offset <= offset || progress.Offset > int64(len(data)):
		return 0, nil, fmt.Errorf("%w: progress makes no sense", ErrNotCentral)
	}
	return progress.Offset, nil, nil
}
