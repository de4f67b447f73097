// Package conformance holds a running central server to the contract of
// sync/wire/openapi.yaml, rule by rule, as a station that does everything the
// contract allows and much that it forbids. Another team's server that passes
// can take the reference server's place.
//
// It enrols a station of its own with a one-time code and sends packets that
// are not photos of anybody, so the code should be one for a trial batch. It
// must not know how a server keeps what it is sent.
package conformance

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Result is the outcome of one rule.
type Result struct {
	ID     string `json:"id"`     // stable, such as "upload.resume"
	Rule   string `json:"rule"`   // what the contract asks for
	OK     bool   `json:"ok"`     // false also when the rule could not be tried
	Detail string `json:"detail"` // what was seen instead; "" when OK
}

// Params of a run.
type Params struct {
	URL  string // of the server, https://host
	Code string // CODE.FINGERPRINT, unused
	// Portrait is a JPEG to send as original and portrait; it should be no
	// photo of anybody.
	Portrait []byte
	Client   *http.Client // nil: one with a timeout of 30 s, following no redirect
	// Wait pauses between two looks at something that central does in its own
	// time, and Looks is how often it is looked for; zero values mean 500 ms
	// and 60.
	Wait  func(context.Context) error
	Looks int
	// Report hears each result as it comes; may be nil.
	Report func(Result)
}

// run is one trial of one server.
type run struct {
	p       Params
	base    string
	results []Result

	pub     ed25519.PublicKey
	key     ed25519.PrivateKey
	info    wire.Enrolled
	central ed25519.PublicKey
	student wire.Student
	cursor  uint64
	seq     uint64

	whole   *packet.Sealed // accepted
	strange *packet.Sealed // of a student who is on no roster
	added   *packet.Sealed // of one whom a station's staff added
}

// Run tries every rule. The error is for what stops a trial before it begins;
// what the server does wrong is in the results.
func Run(ctx context.Context, p Params) ([]Result, error) {
	u, err := url.Parse(strings.TrimRight(p.URL, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("conformance: the server's address must be https://host")
	}
	code, fingerprint, err := keys.ParseEnrollCode(p.Code)
	if err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	if len(p.Portrait) == 0 {
		return nil, errors.New("conformance: no picture to send")
	}
	if p.Client == nil {
		p.Client = &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if p.Wait == nil {
		p.Wait = pause
	}
	if p.Looks == 0 {
		p.Looks = 60
	}
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("conformance: make a station key: %w", err)
	}
	r := &run{p: p, base: u.String(), pub: pub, key: key}
	if !r.enrolment(ctx, code, fingerprint) {
		return r.results, ctx.Err()
	}
	r.requests(ctx)
	r.downwards(ctx)
	r.packets(ctx)
	r.provisional(ctx)
	r.verdicts(ctx)
	r.erase(ctx)
	return r.results, ctx.Err()
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(500 * time.Millisecond):
		return nil
	}
}

// rule records whether try found what the contract asks for.
func (r *run) rule(id, rule string, try func() error) bool {
	err := try()
	res := Result{ID: id, Rule: rule, OK: err == nil}
	if err != nil {
		res.Detail = err.Error()
	}
	r.results = append(r.results, res)
	if r.p.Report != nil {
		r.p.Report(res)
	}
	return res.OK
}

// answer of the server, read whole.
type answer struct {
	status int
	kind   string // media type
	header http.Header
	body   []byte
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20

func (r *run) send(req *http.Request) (answer, error) {
	resp, err := r.p.Client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("no answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("the answer broke off: %w", err)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return answer{resp.StatusCode, kind, resp.Header, b}, nil
}

// request is one that a station would send; the functions of change make it one
// that a station would not.
type request struct {
	method, path string
	body         []byte
	kind         string // Content-Type
	offset       int64  // Upload-Offset; -1: none
	station      string
	key          ed25519.PrivateKey
	at           time.Time
	after        func(*http.Request) // changes what has been signed
}

func (r *run) request(ctx context.Context, method, path string, body []byte, kind string, change ...func(*request)) (*http.Request, error) {
	q := request{method: method, path: path, body: body, kind: kind, offset: -1, station: r.info.StationID, key: r.key, at: time.Now()}
	for _, c := range change {
		c(&q)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, r.base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if q.kind != "" {
		req.Header.Set("Content-Type", q.kind)
	}
	if q.offset >= 0 {
		req.Header.Set(wire.HeaderUploadOffset, strconv.FormatInt(q.offset, 10))
	}
	if q.key != nil {
		if err := wire.SignRequest(req, q.body, q.station, q.key, q.at); err != nil {
			return nil, err
		}
	}
	if q.after != nil {
		q.after(req)
	}
	return req, nil
}

// ask sends a signed request and reads the signed answer into v.
func (r *run) ask(ctx context.Context, method, path string, in any, typ string, v any) error {
	var body []byte
	kind := ""
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body, kind = b, "application/json"
	}
	req, err := r.request(ctx, method, path, body, kind)
	if err != nil {
		return err
	}
	a, err := r.send(req)
	if err != nil {
		return err
	}
	_, err = r.signed(a, map[string]any{typ: v})
	return err
}

// signed reads an answer as a station does: 200, JSON, signed by central, one
// of the kinds that were expected.
func (r *run) signed(a answer, into map[string]any) (wire.Signed, error) {
	var s wire.Signed
	switch {
	case a.status != http.StatusOK:
		return s, fmt.Errorf("status %d %s, want 200", a.status, errorCode(a))
	case a.kind != "application/json":
		return s, fmt.Errorf("content type %q, want application/json", a.kind)
	}
	if err := json.Unmarshal(a.body, &s); err != nil {
		return s, errors.New("the body is no signed envelope")
	}
	v, ok := into[s.Type]
	if !ok {
		return s, fmt.Errorf("an answer of type %q", s.Type)
	}
	if err := s.Open(r.central, s.Type, v); err != nil {
		return s, fmt.Errorf("type %s: %w", s.Type, err)
	}
	return s, nil
}

func errorCode(a answer) string {
	var e wire.Error
	if json.Unmarshal(a.body, &e) != nil || e.Code == "" {
		return "(no error body)"
	}
	return e.Code
}

// refused expects a refusal: one of the statuses, an Error body with one of the
// codes (any code when none is given).
func (r *run) refused(req *http.Request, status int, codes ...string) error {
	a, err := r.send(req)
	if err != nil {
		return err
	}
	got := errorCode(a)
	if a.status != status {
		return fmt.Errorf("status %d %s, want %d", a.status, got, status)
	}
	if a.kind != "application/json" {
		return fmt.Errorf("content type %q of a refusal, want application/json", a.kind)
	}
	if len(codes) == 0 && got != "(no error body)" {
		return nil
	}
	for _, c := range codes {
		if c == got {
			return nil
		}
	}
	return fmt.Errorf("code %s, want %s", got, strings.Join(codes, " or "))
}

func (r *run) enroll(ctx context.Context, req wire.EnrollRequest) (*http.Request, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return r.request(ctx, http.MethodPost, "/v1/enroll", body, "application/json", func(q *request) { q.key = nil })
}

// enrolment reports whether the station was enrolled, without which nothing
// else can be tried.
func (r *run) enrolment(ctx context.Context, code, fingerprint string) bool {
	good := wire.EnrollRequest{Version: wire.Version, Code: code, Name: "conformance", PublicKey: r.pub, Software: "conformance"}
	refusal := func(id, rule string, status int, change func(*wire.EnrollRequest), codes ...string) {
		r.rule(id, rule, func() error {
			bad := good
			change(&bad)
			req, err := r.enroll(ctx, bad)
			if err != nil {
				return err
			}
			return r.refused(req, status, codes...)
		})
	}
	refusal("enroll.wrong_code", "a wrong code is refused", http.StatusForbidden, func(e *wire.EnrollRequest) { e.Code = "0000-0000-0000" }, wire.CodeEnrollCode)
	refusal("enroll.version", "another version of the contract is refused", http.StatusBadRequest, func(e *wire.EnrollRequest) { e.Version = 99 }, wire.CodeBadRequest)
	refusal("enroll.key", "a public key of another length is refused", http.StatusBadRequest, func(e *wire.EnrollRequest) { e.PublicKey = r.pub[:31] }, wire.CodeBadRequest)
	first := func() error {
		req, err := r.enroll(ctx, good)
		if err != nil {
			return err
		}
		a, err := r.send(req)
		if err != nil {
			return err
		}
		// The key comes with the answer and is believed for its fingerprint.
		var s wire.Signed
		var said wire.Enrolled
		if a.status != http.StatusOK || json.Unmarshal(a.body, &s) != nil || json.Unmarshal(s.Payload, &said) != nil {
			return fmt.Errorf("status %d %s, want 200 and a signed envelope", a.status, errorCode(a))
		}
		if !keys.MatchesFingerprint(said.CentralKey, fingerprint) {
			return errors.New("the key in the answer is not the one whose fingerprint is in the code")
		}
		r.central = said.CentralKey
		var info wire.Enrolled
		if _, err := r.signed(a, map[string]any{wire.TypeEnrolled: &info}); err != nil {
			return err
		}
		if r.info.StationID != "" && info.StationID != r.info.StationID {
			return errors.New("another station id than the first time")
		}
		r.info = info
		return nil
	}
	if !r.rule("enroll.signed", "a right code is answered by the key whose fingerprint is in it", first) {
		return false
	}
	r.rule("enroll.complete", "the answer has recipients, keys and batches that a station can use", func() error {
		if r.info.StationID == "" || len(r.info.ClaimKey) != 32 || len(r.info.ReceiptKey) != 32 {
			return errors.New("station id, claim key or receipt key are missing")
		}
		if len(r.info.Recipients) < 2 || len(r.info.Batches) == 0 {
			return fmt.Errorf("%d recipients and %d batches, want at least the working and the recovery key, and one batch", len(r.info.Recipients), len(r.info.Batches))
		}
		_, err := r.recipients()
		return err
	})
	r.rule("enroll.again", "the same code with the same key again, as after a lost answer, is the same station", first)
	refusal("enroll.other_key", "a used code with another key is refused", http.StatusForbidden, func(e *wire.EnrollRequest) {
		other, _, err := ed25519.GenerateKey(rand.Reader)
		if err == nil {
			e.PublicKey = other
		}
	}, wire.CodeEnrollCode)
	return true
}

func (r *run) recipients() ([]age.Recipient, error) {
	var to []age.Recipient
	for _, s := range r.info.Recipients {
		x, err := age.ParseX25519Recipient(s)
		if err != nil {
			return nil, errors.New("a recipient is no age X25519 key")
		}
		to = append(to, x)
	}
	return to, nil
}

// requests tries what a server must not believe.
func (r *run) requests(ctx context.Context) {
	beat := func(change ...func(*request)) (*http.Request, error) {
		body, err := json.Marshal(wire.Heartbeat{Software: "conformance", Now: time.Now()})
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		return r.request(ctx, http.MethodPost, "/v1/heartbeat", body, "application/json", change...)
	}
	r.rule("heartbeat", "a heartbeat is answered for this station", func() error {
		var h wire.Hello
		if err := r.ask(ctx, http.MethodPost, "/v1/heartbeat", wire.Heartbeat{Software: "conformance", Now: time.Now()}, wire.TypeHello, &h); err != nil {
			return err
		}
		if h.StationID != r.info.StationID || h.Revoked || h.Now.IsZero() {
			return fmt.Errorf("station %q, revoked %t, time %v", h.StationID, h.Revoked, h.Now)
		}
		return nil
	})
	r.rule("heartbeat.store", "the store keeps its name, and the station's turn is one of those there are", func() error {
		var first, second wire.Hello
		for _, h := range []*wire.Hello{&first, &second} {
			if err := r.ask(ctx, http.MethodPost, "/v1/heartbeat", wire.Heartbeat{Software: "conformance", Now: time.Now()}, wire.TypeHello, h); err != nil {
				return err
			}
		}
		return oneStore(first, second)
	})
	r.rule("heartbeat.recipients", "whom to seal for, when it is said again, is signed and for this station", func() error {
		var h wire.Hello
		if err := r.ask(ctx, http.MethodPost, "/v1/heartbeat", wire.Heartbeat{Software: "conformance", Now: time.Now()}, wire.TypeHello, &h); err != nil || h.Recipients == nil {
			return err
		}
		var to wire.Recipients
		if err := h.Recipients.Open(r.central, wire.TypeRecipients, &to); err != nil {
			return err
		}
		if to.StationID != r.info.StationID || len(to.Recipients) < 2 || to.Since.IsZero() {
			return fmt.Errorf("%d recipients for station %q since %v", len(to.Recipients), to.StationID, to.Since)
		}
		return nil
	})
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return
	}
	for _, c := range []struct {
		id, rule string
		status   int
		codes    []string
		change   func(*request)
	}{
		{"request.unsigned", "a request without a signature is refused", http.StatusUnauthorized, []string{wire.CodeSignature}, func(q *request) { q.key = nil }},
		{"request.forged", "a signature by another key is refused", http.StatusUnauthorized, []string{wire.CodeSignature}, func(q *request) { q.key = stranger }},
		{"request.unknown", "an unknown station is refused", http.StatusUnauthorized, []string{wire.CodeUnknownStation}, func(q *request) { q.station = "nobody0" }},
		{"request.late", "a request signed ten minutes ago is refused", http.StatusUnauthorized, []string{wire.CodeClock}, func(q *request) { q.at = q.at.Add(-10 * time.Minute) }},
		{"request.early", "a request signed in ten minutes is refused", http.StatusUnauthorized, []string{wire.CodeClock}, func(q *request) { q.at = q.at.Add(10 * time.Minute) }},
		{"request.body", "another body than the signed one is refused", http.StatusBadRequest, []string{wire.CodeDigest}, func(q *request) {
			q.after = func(req *http.Request) {
				other := []byte(`{"software":"another","pending":0,"last_seq":0,"now":"2026-01-01T00:00:00Z"}`)
				req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(other)), int64(len(other))
			}
		}},
		{"request.query", "another query than the signed one is refused", http.StatusUnauthorized, []string{wire.CodeSignature}, func(q *request) {
			q.after = func(req *http.Request) { req.URL.RawQuery = "x=1" }
		}},
		{"request.json", "a body that is no JSON is refused", http.StatusBadRequest, []string{wire.CodeBadRequest}, func(q *request) { q.body = []byte(`{"software":`) }},
		{"request.type", "another content type is refused", http.StatusUnsupportedMediaType, nil, func(q *request) { q.kind = "text/plain" }},
		{"request.clock", "a clock that is four minutes off is accepted", http.StatusOK, nil, func(q *request) { q.at = q.at.Add(-4 * time.Minute) }},
	} {
		r.rule(c.id, c.rule, func() error {
			req, err := beat(c.change)
			if err != nil {
				return err
			}
			if c.status == http.StatusOK {
				a, err := r.send(req)
				if err != nil {
					return err
				}
				_, err = r.signed(a, map[string]any{wire.TypeHello: &wire.Hello{}})
				return err
			}
			return r.refused(req, c.status, c.codes...)
		})
	}
	r.rule("request.replay", "the same signed request a second time is refused", func() error {
		req, err := beat()
		if err != nil {
			return err
		}
		again := req.Clone(ctx)
		if again.Body, err = req.GetBody(); err != nil {
			return fmt.Errorf("copy request: %w", err)
		}
		a, err := r.send(req)
		if err != nil || a.status != http.StatusOK {
			return fmt.Errorf("the first time: status %d, %w", a.status, err)
		}
		return r.refused(again, http.StatusUnauthorized, wire.CodeReplay)
	})
}

// downwards reads what central tells a station.
func (r *run) downwards(ctx context.Context) {
	r.rule("roster.full", "the roster from the beginning is full and names this station's batches", func() error {
		scope := map[string]bool{}
		for _, b := range r.info.Batches {
			scope[b.ID] = true
		}
		since, first := uint64(0), true
		for {
			var d wire.RosterDelta
			if err := r.ask(ctx, http.MethodGet, "/v1/roster?since="+strconv.FormatUint(since, 10), nil, wire.TypeRoster, &d); err != nil {
				return err
			}
			switch {
			case d.StationID != r.info.StationID || d.Since != since:
				return errors.New("the delta is another station's or answers another cursor")
			case first && !d.Full:
				return errors.New("the first delta is not marked full")
			case d.More && d.Cursor <= since:
				return errors.New("more is promised and the cursor stands still")
			}
			for _, s := range d.Upsert {
				if !scope[s.Batch] || s.Ref == "" || s.Ref == s.IDNumber {
					return errors.New("a student of a batch that is not this station's, or with a document number as reference")
				}
				if s.Capture == "" && r.student.Ref == "" {
					r.student = s
				}
			}
			since, first = d.Cursor, false
			if !d.More {
				r.cursor = d.Cursor
				return nil
			}
		}
	})
	r.rule("roster.delta", "asking again with the last cursor brings nothing that has not changed", func() error {
		var d wire.RosterDelta
		if err := r.ask(ctx, http.MethodGet, "/v1/roster?since="+strconv.FormatUint(r.cursor, 10), nil, wire.TypeRoster, &d); err != nil {
			return err
		}
		if d.Full || len(d.Upsert) > 0 || d.Cursor < r.cursor {
			return fmt.Errorf("full %t, %d students, cursor %d after %d", d.Full, len(d.Upsert), d.Cursor, r.cursor)
		}
		return nil
	})
	r.rule("roster.cursor", "a cursor that is no number is refused", func() error {
		req, err := r.request(ctx, http.MethodGet, "/v1/roster?since=soon", nil, "")
		if err != nil {
			return err
		}
		return r.refused(req, http.StatusBadRequest, wire.CodeBadRequest)
	})
	r.rule("claim.none", "a session that no phone has come to is not linked", func() error {
		session := ulid.Make().String()
		var c wire.ClaimState
		if err := r.ask(ctx, http.MethodGet, "/v1/claims/"+session, nil, wire.TypeClaim, &c); err != nil {
			return err
		}
		if c.StationID != r.info.StationID || c.Session != session || c.Linked {
			return fmt.Errorf("session %q, linked %t", c.Session, c.Linked)
		}
		return nil
	})
	r.rule("claim.bad", "a session that is no ULID is refused", func() error {
		req, err := r.request(ctx, http.MethodGet, "/v1/claims/nothing", nil, "")
		if err != nil {
			return err
		}
		return r.refused(req, http.StatusBadRequest, wire.CodeBadRequest)
	})
}

// oneStore judges two answers to heartbeats, one after the other.
func oneStore(first, second wire.Hello) error {
	switch {
	case first.Epoch != second.Epoch:
		return fmt.Errorf("epoch %d, then %d: stations would send everything again", first.Epoch, second.Epoch)
	case second.Slots < 0 || second.Slot < 0 || second.Slots == 0 && second.Slot != 0 || second.Slots > 0 && second.Slot >= second.Slots:
		return fmt.Errorf("turn %d of %d", second.Slot, second.Slots)
	}
	return nil
}
