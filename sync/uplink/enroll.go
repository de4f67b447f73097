package uplink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// EnrollParams are what an enrolment needs.
type EnrollParams struct {
	Keys      *keys.Store
	URL       string // central's address
	Code      string // ONE-TIME-PART.FINGERPRINT
	Name      string // what staff call this station
	Version   string
	Pin       string            // hex SHA-256 of a TLS public key; optional
	Transport http.RoundTripper // nil = the system's
}

// Enroll makes this station known to central and keeps what central answered.
// The code carries the fingerprint of central's signing key, so that nobody in
// between can take central's place. A station key is made on first use.
func Enroll(ctx context.Context, p EnrollParams) (keys.Enrolment, error) {
	if p.Keys == nil {
		return keys.Enrolment{}, errors.New("uplink: enrol: no key store")
	}
	base := strings.TrimRight(strings.TrimSpace(p.URL), "/")
	code, fingerprint, err := keys.ParseEnrollCode(p.Code)
	if err != nil {
		return keys.Enrolment{}, err
	}
	key, err := p.Keys.StationKey()
	if err != nil {
		return keys.Enrolment{}, err
	}
	rest, err := newRest(base, p.Pin, p.Version, p.Transport, 0)
	if err != nil {
		return keys.Enrolment{}, err
	}
	body, err := json.Marshal(wire.EnrollRequest{
		Version: wire.Version, Code: code, Name: p.Name, PublicKey: bytes.Clone(key[32:]), Software: p.Version,
	})
	if err != nil {
		return keys.Enrolment{}, fmt.Errorf("uplink: encode enrolment: %w", err)
	}
	resp, err := rest.R().SetContext(ctx).SetDoNotParseResponse(true).
		SetHeader("Content-Type", "application/json").SetBody(body).Post("/v1/enroll")
	if err != nil {
		return keys.Enrolment{}, fmt.Errorf("%w: enrol: %w", ErrConnection, err)
	}
	// The key is inside the answer and is only believed because its fingerprint
	// is in the code: read it first, then verify the answer with it.
	var answer wire.Signed
	data, err := readBody(resp.RawResponse)
	if err != nil {
		return keys.Enrolment{}, err
	}
	if err := json.Unmarshal(data, &answer); err != nil || answer.Type != wire.TypeEnrolled {
		return keys.Enrolment{}, ErrNotCentral
	}
	var said wire.Enrolled
	if err := json.Unmarshal(answer.Payload, &said); err != nil || !keys.MatchesFingerprint(said.CentralKey, fingerprint) {
		return keys.Enrolment{}, fmt.Errorf("%w: its key is not the one in the code", ErrNotCentral)
	}
	if err := answer.Open(said.CentralKey, wire.TypeEnrolled, &said); err != nil {
		return keys.Enrolment{}, fmt.Errorf("%w: %w", ErrNotCentral, err)
	}
	e := keys.Enrolment{URL: base, TLSPin: p.Pin, Answer: answer, KeyPrint: fingerprint}
	if err := p.Keys.SaveEnrolment(e); err != nil {
		return keys.Enrolment{}, err
	}
	return p.Keys.Enrolment()
}
