package central

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/oklog/ulid/v2"
	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

const (
	// ClockSkew is how far a station's clock may be off. Nonces are remembered
	// for twice as long, so that no signed request works a second time.
	ClockSkew = 5 * time.Minute

	maxJSONBody    = 1 << 20
	firstRead      = 512 << 10 // of a body, before any of it has come
	maxDeclare     = 1000      // packets in one declaration
	rosterPage     = 1000      // students in one delta
	verdictPage    = 500
	maxUnfinished  = 5000 // declared packets of one station whose bytes are missing
	uploadRetrySec = 2    // Retry-After when all upload slots are taken
)

// apiError is an answer that is not a success.
type apiError struct {
	status     int
	code       string
	message    string
	retryAfter int // seconds, 0 = none
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

type route struct {
	method, path string
	handler      http.HandlerFunc
}

// apiRoutes is the whole contract of openapi.yaml; a test holds the two together.
func (s *Server) apiRoutes() []route {
	return []route{
		{http.MethodPost, "/v1/enroll", s.handleEnroll},
		{http.MethodGet, "/v1/roster", s.signed(0, "", s.handleRoster)},
		{http.MethodPost, "/v1/packets:declare", s.signed(maxJSONBody, "application/json", s.handleDeclare)},
		{http.MethodPost, "/v1/packets:erase", s.signed(maxJSONBody, "application/json", s.handleErase)},
		{http.MethodPatch, "/v1/packets/{id}", s.signed(int64(packet.MaxSize), "application/octet-stream", s.handleUpload)},
		{http.MethodGet, "/v1/verdicts", s.signed(0, "", s.handleVerdicts)},
		{http.MethodGet, "/v1/claims/{session}", s.signed(0, "", s.handleClaim)},
		{http.MethodPost, "/v1/heartbeat", s.signed(maxJSONBody, "application/json", s.handleHeartbeat)},
	}
}

func (s *Server) apiFail(w http.ResponseWriter, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		s.log.Error("api", "err", err)
		e = &apiError{http.StatusInternalServerError, wire.CodeInternal, "internal error", 0}
	}
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	s.writeJSON(w, e.status, wire.Error{Code: e.code, Message: e.message})
}

func (s *Server) writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		s.log.Error("encode answer", "err", err)
		status, b = http.StatusInternalServerError, []byte(`{"code":"internal","message":"internal error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(append(b, '\n')); err != nil {
		s.log.Debug("write answer", "err", err)
	}
}

// answer signs and sends v.
func (s *Server) answer(w http.ResponseWriter, typ string, v any) error {
	env, err := s.sign(typ, v)
	if err != nil {
		return err
	}
	s.writeJSON(w, http.StatusOK, env)
	return nil
}

// readBody reads a body within limit; too long is an error and never cut.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, contentType string) ([]byte, error) {
	if contentType != "" {
		got, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
		if !strings.EqualFold(strings.TrimSpace(got), contentType) {
			return nil, &apiError{http.StatusUnsupportedMediaType, wire.CodeBadRequest, "Content-Type must be " + contentType, 0}
		}
	}
	if r.ContentLength > limit {
		return nil, &apiError{http.StatusRequestEntityTooLarge, wire.CodeTooLarge, fmt.Sprintf("body is limited to %d bytes", limit), 0}
	}
	// Room for what is announced, as far as a stranger may ask for it.
	buf := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), firstRead)+bytes.MinRead))
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, &apiError{http.StatusRequestEntityTooLarge, wire.CodeTooLarge, fmt.Sprintf("body is limited to %d bytes", limit), 0}
	case err != nil:
		return nil, &apiError{http.StatusBadRequest, wire.CodeBadRequest, "body ended early", 0}
	}
	return buf.Bytes(), nil
}

// decodeJSON reads exactly one JSON value. Fields it does not know are let
// pass: a newer station may say more.
func decodeJSON(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(v); err != nil {
		return &apiError{http.StatusBadRequest, wire.CodeBadRequest, "body is not the JSON that is expected", 0}
	}
	if _, err := dec.Token(); err != io.EOF {
		return &apiError{http.StatusBadRequest, wire.CodeBadRequest, "data after the JSON value", 0}
	}
	return nil
}

// stationHandler answers a request whose signature has been verified.
type stationHandler func(w http.ResponseWriter, r *http.Request, st Station, body []byte) error

// signed verifies who sent a request before anything of it is believed.
func (s *Server) signed(limit int64, contentType string, next stationHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := func() error {
			if limit > maxJSONBody {
				select {
				case s.uploads <- struct{}{}:
					defer func() { <-s.uploads }()
				default:
					return &apiError{http.StatusServiceUnavailable, wire.CodeBusy, "too many uploads at once", uploadRetrySec}
				}
			}
			body, err := readBody(w, r, limit, contentType)
			if err != nil {
				return err
			}
			st, err := s.authenticate(r, body)
			if err != nil {
				return err
			}
			return next(w, r, st, body)
		}()
		if err != nil {
			s.apiFail(w, err)
		}
	}
}

// authenticate proves a request's station and uses up its nonce. A revoked
// station is refused everything but the heartbeat, whose signed answer tells it.
func (s *Server) authenticate(r *http.Request, body []byte) (Station, error) {
	var st Station
	found := false
	ctx := r.Context()
	var dbErr error
	id, nonce, err := wire.VerifyRequest(r, body, func(id string) (ed25519.PublicKey, bool) {
		dbErr = s.view(ctx, func(tx *bolt.Tx) (err error) {
			st, err = getJSON[Station](tx, bktStations, []byte(id))
			return err
		})
		found = dbErr == nil
		return st.PublicKey, found
	}, s.now(), ClockSkew)
	if dbErr != nil && !errors.Is(dbErr, ErrNotFound) {
		return Station{}, dbErr
	}
	if err != nil {
		code := wire.ErrorCode(err)
		status := http.StatusUnauthorized
		if code == wire.CodeDigest {
			status = http.StatusBadRequest
		}
		s.log.Warn("request refused", "path", r.URL.Path, "code", code, "from", clientIP(r))
		return Station{}, &apiError{status, code, "request signature: " + code, 0}
	}
	fresh, err := s.useNonce(ctx, id, nonce)
	if err != nil {
		return Station{}, err
	}
	if !fresh {
		s.log.Warn("request replayed", "station", id, "path", r.URL.Path, "from", clientIP(r))
		return Station{}, &apiError{http.StatusUnauthorized, wire.CodeReplay, "this request was received before", 0}
	}
	if st.Revoked() && r.URL.Path != "/v1/heartbeat" {
		return Station{}, &apiError{http.StatusUnauthorized, wire.CodeRevoked, "this station has been revoked", 0}
	}
	return st, nil
}

// useNonce remembers a nonce durably, so that a restart does not open a window
// for replays. Requests that arrive together share one fsync.
func (s *Server) useNonce(ctx context.Context, station, nonce string) (fresh bool, err error) {
	now := s.now()
	err = s.together(ctx, func(tx *bolt.Tx) error {
		fresh = false // it may run twice
		seen, expiry := tx.Bucket(bktNonces), tx.Bucket(bktNonceExpiry)
		var old [][]byte
		c := expiry.Cursor()
		for k, _ := c.First(); len(k) > 8 && bytes.Compare(k[:8], seqKey(uint64(now.Unix()))) < 0 && len(old) < 100; k, _ = c.Next() {
			old = append(old, bytes.Clone(k))
		}
		for _, k := range old {
			if err := errors.Join(expiry.Delete(k), seen.Delete(k[8:])); err != nil {
				return fmt.Errorf("central: forget old nonces: %w", err)
			}
		}
		k := joinKey(station, nonce)
		if seen.Get(k) != nil {
			return nil
		}
		fresh = true
		until := seqKey(uint64(now.Add(2*ClockSkew + time.Minute).Unix()))
		if err := errors.Join(seen.Put(k, []byte{1}), expiry.Put(append(until, k...), []byte{1})); err != nil {
			return fmt.Errorf("central: remember nonce: %w", err)
		}
		return nil
	})
	return fresh, err
}

func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// handleEnroll trades a one-time code for an identity. The same code with the
// same public key may be sent again: the first answer may have been lost.
func (s *Server) handleEnroll(w http.ResponseWriter, r *http.Request) {
	err := func() error {
		if wait := s.limits.take("enroll "+clientIP(r), enrollRate); wait > 0 {
			return tooMany(wait)
		}
		body, err := readBody(w, r, maxJSONBody, "application/json")
		if err != nil {
			return err
		}
		var req wire.EnrollRequest
		if err := decodeJSON(body, &req); err != nil {
			return err
		}
		name, ok := cleanText(req.Name, 40)
		software, ok2 := cleanText(req.Software, 80)
		switch {
		case req.Version != wire.Version:
			return &apiError{http.StatusBadRequest, wire.CodeBadRequest, fmt.Sprintf("contract version %d, this server speaks %d", req.Version, wire.Version), 0}
		case !ok || name == "" || !ok2:
			return &apiError{http.StatusBadRequest, wire.CodeBadRequest, "name: 1–40 characters, software: at most 80", 0}
		case len(req.PublicKey) != ed25519.PublicKeySize:
			return &apiError{http.StatusBadRequest, wire.CodeBadRequest, "public_key must be an Ed25519 public key", 0}
		}
		answer, err := s.enroll(r.Context(), req, name, software)
		if err != nil {
			return err
		}
		return s.answer(w, wire.TypeEnrolled, answer)
	}()
	if err != nil {
		s.apiFail(w, err)
	}
}

func (s *Server) enroll(ctx context.Context, req wire.EnrollRequest, name, software string) (wire.Enrolled, error) {
	badCode := &apiError{http.StatusForbidden, wire.CodeEnrollCode, "the enrolment code is wrong, used or expired", 0}
	var st Station
	var batches []wire.Batch
	err := s.update(ctx, func(tx *bolt.Tx) error {
		c, err := getJSON[Code](tx, bktCodes, []byte(hashToken(normalCode(req.Code))))
		if errors.Is(err, ErrNotFound) {
			return badCode
		}
		if err != nil {
			return err
		}
		if c.UsedBy != "" {
			st, err = getJSON[Station](tx, bktStations, []byte(c.UsedBy))
			if err != nil {
				return err
			}
			if !bytes.Equal(st.PublicKey, req.PublicKey) || st.Revoked() {
				return badCode
			}
		} else {
			if !s.now().Before(c.ExpiresAt) {
				return badCode
			}
			st = Station{
				ID: shortID(8), Name: name, PublicKey: req.PublicKey, ClaimKey: make([]byte, claim.KeyLen),
				ReceiptKey: make([]byte, claim.KeyLen), Batches: c.Batches, Code: c.Hash, Software: software, EnrolledAt: s.now().UTC(),
			}
			rand.Read(st.ClaimKey) // never fails (crypto/rand)
			rand.Read(st.ReceiptKey)
			if tx.Bucket(bktStations).Get([]byte(st.ID)) != nil {
				return errors.New("central: new station id is taken") // 2^-40; the station asks again
			}
			c.UsedBy = st.ID
			if err := putJSON(tx, bktStations, []byte(st.ID), st); err != nil {
				return err
			}
			if err := putJSON(tx, bktCodes, []byte(c.Hash), c); err != nil {
				return err
			}
			if err := appendAudit(tx, s.now(), "station:"+st.ID, "station.enrolled", st.ID, "code "+c.Hash[:8]); err != nil {
				return err
			}
		}
		batches, err = s.stationBatches(tx, st)
		return err
	})
	if err != nil {
		return wire.Enrolled{}, err
	}
	return wire.Enrolled{
		StationID: st.ID, CentralKey: s.keys.publicKey, KeyID: s.keys.signID, Recipients: s.keys.recipients(),
		ClaimKey: st.ClaimKey, ReceiptKey: st.ReceiptKey, Batches: batches, Now: s.now().UTC(),
	}, nil
}

func (s *Server) stationBatches(tx *bolt.Tx, st Station) ([]wire.Batch, error) {
	out := []wire.Batch{}
	for _, id := range st.Batches {
		b, err := s.batch(tx, id)
		if err != nil {
			return nil, fmt.Errorf("central: batch %s of a station: %w", id, err)
		}
		out = append(out, b)
	}
	return out, nil
}

func sinceParam(r *http.Request) (uint64, error) {
	v := r.URL.Query().Get("since")
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return 0, &apiError{http.StatusBadRequest, wire.CodeBadRequest, "since must be a number", 0}
	}
	return n, nil
}

func (s *Server) handleRoster(w http.ResponseWriter, r *http.Request, st Station, _ []byte) error {
	since, err := sinceParam(r)
	if err != nil {
		return err
	}
	d, err := s.rosterDelta(r.Context(), st, since)
	if err != nil {
		return err
	}
	return s.answer(w, wire.TypeRoster, d)
}

// rosterDelta is everything a station must change to move from since to the
// cursor of the answer. A station with a cursor from the future, or none, is
// sent everything.
func (s *Server) rosterDelta(ctx context.Context, st Station, since uint64) (wire.RosterDelta, error) {
	d := wire.RosterDelta{StationID: st.ID, Since: since, Upsert: []wire.Student{}, Remove: []string{}, Now: s.now().UTC()}
	err := s.view(ctx, func(tx *bolt.Tx) (err error) {
		if d.Batches, err = s.stationBatches(tx, st); err != nil {
			return err
		}
		log := tx.Bucket(bktRosterLog)
		head := log.Sequence()
		if since == 0 || since > head {
			d.Full, since = true, 0
		}
		d.Cursor = head
		c := log.Cursor()
		for k, ref := c.Seek(seqKey(since + 1)); k != nil; k, ref = c.Next() {
			row, err := s.rosterRow(tx, string(ref))
			if err != nil {
				return fmt.Errorf("central: student in roster log: %w", err)
			}
			_, dropped := st.Dropped[row.Batch]
			if !slices.Contains(st.Batches, row.Batch) && !(dropped && row.Removed) {
				continue
			}
			if len(d.Upsert)+len(d.Remove) == rosterPage {
				d.More, d.Cursor = true, row.Version-1
				break
			}
			switch {
			case !row.Removed:
				d.Upsert = append(d.Upsert, row.Student)
			case !d.Full:
				d.Remove = append(d.Remove, row.Ref)
			}
		}
		if d.Full {
			return nil
		}
		for b, at := range st.Dropped {
			if at <= since {
				continue
			}
			rows, err := s.studentsOf(tx, b)
			if err != nil {
				return err
			}
			for _, row := range rows {
				d.Remove = append(d.Remove, row.Ref)
			}
		}
		return nil
	})
	return d, err
}

func validDeclaration(p wire.Declared) error {
	bad := func(why string) error {
		return &apiError{http.StatusBadRequest, wire.CodeBadRequest, "packet: " + why, 0}
	}
	if !validULID(p.ID) || p.Supersedes != "" && (!validULID(p.Supersedes) || p.Supersedes == p.ID) {
		return bad("id and supersedes must be ULIDs")
	}
	if h, err := hex.DecodeString(p.SHA256); err != nil || len(h) != 32 || hex.EncodeToString(h) != p.SHA256 {
		return bad("sha256 must be 64 lower-case hex digits")
	}
	if p.Size < 1 || p.Size > int64(packet.MaxSize) || p.Seq == 0 {
		return bad(fmt.Sprintf("size must be 1–%d and seq at least 1", packet.MaxSize))
	}
	return nil
}

func (s *Server) handleDeclare(w http.ResponseWriter, r *http.Request, st Station, body []byte) error {
	var req wire.DeclareRequest
	if err := decodeJSON(body, &req); err != nil {
		return err
	}
	if len(req.Packets) > maxDeclare {
		return &apiError{http.StatusBadRequest, wire.CodeBadRequest, fmt.Sprintf("at most %d packets at once", maxDeclare), 0}
	}
	for _, p := range req.Packets {
		if err := validDeclaration(p); err != nil {
			return err
		}
	}
	out := wire.DeclareResponse{StationID: st.ID, Results: []wire.DeclareResult{}}
	for start := 0; start < len(req.Packets); start += declareChunk {
		part := req.Packets[start:min(start+declareChunk, len(req.Packets))]
		res, err := s.declare(r.Context(), st, part)
		if err != nil {
			return err
		}
		out.Results = append(out.Results, res...)
	}
	return s.answer(w, wire.TypeDeclared, out)
}

// declareChunk keeps one transaction short, so that other stations' uploads
// wait milliseconds and not seconds.
const declareChunk = 100

func (s *Server) declare(ctx context.Context, st Station, packets []wire.Declared) ([]wire.DeclareResult, error) {
	var results []wire.DeclareResult
	err := s.together(ctx, func(tx *bolt.Tx) error {
		results = nil
		unfinished := len(suffixes(tx, bktUnfinished, []byte(st.ID), s.unfinished))
		for _, d := range packets {
			res := wire.DeclareResult{ID: d.ID}
			p, err := getPacket(tx, d.ID)
			switch {
			case errors.Is(err, ErrNotFound):
				if unfinished++; unfinished > s.unfinished {
					return &apiError{http.StatusServiceUnavailable, wire.CodeBusy, "too many unfinished uploads", 60}
				}
				p = Packet{
					ID: d.ID, Station: st.ID, SHA256: d.SHA256, Size: d.Size, Seq: d.Seq, Supersedes: d.Supersedes,
					Stage: StageDeclared, DeclaredAt: s.now().UTC(),
				}
				if err := s.takeSequence(tx, &p); err != nil {
					return err
				}
				if err := putPacket(tx, p); err != nil {
					return err
				}
				if _, err := s.vault.ensureKey(tx, packetLabel(p.ID)); err != nil {
					return err
				}
				res.State, res.URL = wire.DeclareWant, "/v1/packets/"+d.ID
			case err != nil:
				return err
			case p.Station != st.ID || p.SHA256 != d.SHA256 || p.Size != d.Size || p.Seq != d.Seq || p.Supersedes != d.Supersedes:
				res.State = wire.DeclareConflict
				s.log.Error("ALARM: packet declared with another digest", "packet", d.ID, "station", st.ID)
				if err := appendAudit(tx, s.now(), "station:"+st.ID, "alarm.digest_conflict", d.ID, "declared "+d.SHA256); err != nil {
					return err
				}
			case p.Stage == StageErased:
				res.State = wire.DeclareErased
			case p.Stage == StageDeclared:
				res.State, res.URL, res.Offset = wire.DeclareWant, "/v1/packets/"+d.ID, p.Offset
			default:
				ack, err := getJSON[wire.Signed](tx, bktLastAck, []byte(d.ID))
				if err != nil {
					return fmt.Errorf("central: ack of packet %s: %w", d.ID, err)
				}
				res.State, res.Ack = wire.DeclareHave, &ack
			}
			results = append(results, res)
		}
		return nil
	})
	return results, err
}

// handleUpload takes bytes of a declared packet from its durable offset on.
func (s *Server) handleUpload(w http.ResponseWriter, r *http.Request, st Station, body []byte) error {
	id := r.PathValue("id")
	notFound := &apiError{http.StatusNotFound, wire.CodeNotFound, "this packet was not declared", 0}
	if !validULID(id) {
		return notFound
	}
	defer s.lockPacket(id)()
	ctx := r.Context()
	p, err := s.Packet(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && p.Station != st.ID {
		return notFound
	}
	if err != nil {
		return err
	}
	if p.Stage == StageErased {
		return &apiError{http.StatusGone, wire.CodeErased, "this packet was erased at its station's request", 0}
	}
	if p.Stage != StageDeclared {
		// Sent again because the answer was lost: the same answer again.
		return s.answerAck(ctx, w, id)
	}
	offset, err := strconv.ParseInt(r.Header.Get(wire.HeaderUploadOffset), 10, 64)
	if err != nil || offset < 0 {
		return &apiError{http.StatusBadRequest, wire.CodeBadRequest, "Upload-Offset must be a number of bytes", 0}
	}
	if offset != p.Offset {
		return &apiError{http.StatusConflict, wire.CodeOffset, fmt.Sprintf("this packet continues at byte %d", p.Offset), 0}
	}
	if int64(len(body)) > p.Size-p.Offset {
		return &apiError{http.StatusRequestEntityTooLarge, wire.CodeTooLarge, "more bytes than were declared", 0}
	}
	if len(body) > 0 {
		if p, err = s.appendUpload(ctx, p, body); err != nil {
			return err
		}
	}
	if p.Offset < p.Size {
		return s.answer(w, wire.TypeProgress, wire.Progress{ID: id, Offset: p.Offset})
	}
	ack, err := s.finishUpload(ctx, id)
	if errors.Is(err, errDigest) {
		return &apiError{http.StatusConflict, wire.CodeOffset, "the bytes do not have the declared digest; send them again from 0", 0}
	}
	if err != nil {
		return err
	}
	// Opening is not part of what the ack promises. It happens now so that a
	// reviewer sees the photo at once, and again at the next start if it fails.
	if err := s.openPacket(context.WithoutCancel(ctx), id); err != nil {
		s.log.Error("open a stored packet", "packet", id, "err", err)
	}
	s.writeJSON(w, http.StatusOK, ack)
	return nil
}

func (s *Server) answerAck(ctx context.Context, w http.ResponseWriter, id string) error {
	var ack wire.Signed
	err := s.view(ctx, func(tx *bolt.Tx) (err error) {
		ack, err = getJSON[wire.Signed](tx, bktLastAck, []byte(id))
		return err
	})
	if err != nil {
		return fmt.Errorf("central: ack of packet %s: %w", id, err)
	}
	s.writeJSON(w, http.StatusOK, ack)
	return nil
}

func (s *Server) handleVerdicts(w http.ResponseWriter, r *http.Request, st Station, _ []byte) error {
	since, err := sinceParam(r)
	if err != nil {
		return err
	}
	out, err := s.verdictsPage(r.Context(), st, since)
	if err != nil {
		return err
	}
	return s.answer(w, wire.TypeVerdicts, out)
}

// verdictsPage is what a station is told after since, one page of it.
func (s *Server) verdictsPage(ctx context.Context, st Station, since uint64) (wire.Verdicts, error) {
	out := wire.Verdicts{StationID: st.ID, Cursor: since, Verdicts: []wire.Verdict{}, Acks: []wire.Signed{}}
	err := s.view(ctx, func(tx *bolt.Tx) error {
		b := tx.Bucket(bktStationLog).Bucket([]byte(st.ID))
		if b == nil {
			out.Cursor = 0
			return nil
		}
		if since > b.Sequence() {
			// A cursor from a central that was restored from a backup: start over.
			since, out.Cursor = 0, 0
		}
		c := b.Cursor()
		for k, raw := c.Seek(seqKey(since + 1)); k != nil; k, raw = c.Next() {
			if len(out.Verdicts)+len(out.Acks) == verdictPage {
				out.More = true
				break
			}
			var item logItem
			if err := json.Unmarshal(raw, &item); err != nil {
				return fmt.Errorf("central: station log: %w", err)
			}
			if item.Verdict != nil {
				out.Verdicts = append(out.Verdicts, *item.Verdict)
			}
			if item.Ack != nil {
				out.Acks = append(out.Acks, *item.Ack)
			}
			out.Cursor = binary.BigEndian.Uint64(k)
		}
		return nil
	})
	return out, err
}

func (s *Server) handleClaim(w http.ResponseWriter, r *http.Request, st Station, _ []byte) error {
	session := r.PathValue("session")
	if !validULID(session) {
		return &apiError{http.StatusBadRequest, wire.CodeBadRequest, "session must be a ULID", 0}
	}
	out := wire.ClaimState{StationID: st.ID, Session: session, Payment: wire.PaymentUnpaid}
	err := s.view(r.Context(), func(tx *bolt.Tx) error {
		c, err := getJSON[claimRow](tx, bktClaims, []byte(session))
		if errors.Is(err, ErrNotFound) || err == nil && c.Station != st.ID {
			return nil // no phone has come yet
		}
		if err != nil {
			return err
		}
		out.Linked = true
		if c.StudentRef == "" {
			return nil
		}
		row, err := s.student(tx, c.StudentRef)
		if errors.Is(err, ErrNotFound) {
			return nil // erased meanwhile
		}
		if err != nil {
			return fmt.Errorf("central: student of a claim: %w", err)
		}
		id, err := ulid.ParseStrict(session)
		if err != nil {
			return fmt.Errorf("central: session: %w", err)
		}
		out.MatchNumber = claim.MatchNumber(st.ClaimKey, id)
		out.StudentRef, out.Payment, out.OrderID = c.StudentRef, row.Payment, c.OrderID
		return nil
	})
	if err != nil {
		return err
	}
	return s.answer(w, wire.TypeClaim, out)
}

func (s *Server) handleHeartbeat(w http.ResponseWriter, r *http.Request, st Station, body []byte) error {
	var hb wire.Heartbeat
	if err := decodeJSON(body, &hb); err != nil {
		return err
	}
	software, ok := cleanText(hb.Software, 80)
	if !ok || len(hb.Alarms) > 32 || hb.Pending < 0 {
		return &apiError{http.StatusBadRequest, wire.CodeBadRequest, "heartbeat out of range", 0}
	}
	for i, a := range hb.Alarms {
		if hb.Alarms[i], ok = cleanText(a, 64); !ok {
			return &apiError{http.StatusBadRequest, wire.CodeBadRequest, "alarms are short codes", 0}
		}
	}
	err := s.together(r.Context(), func(tx *bolt.Tx) error {
		cur, err := getJSON[Station](tx, bktStations, []byte(st.ID))
		if err != nil {
			return err
		}
		cur.SeenAt, cur.Software, cur.Pending, cur.LastSeq, cur.Alarms = s.now().UTC(), software, hb.Pending, hb.LastSeq, hb.Alarms
		st = cur
		return putJSON(tx, bktStations, []byte(st.ID), cur)
	})
	if err != nil {
		return err
	}
	recipients, err := s.newRecipients(st.ID)
	if err != nil {
		return err
	}
	slot, slots, err := s.slotOf(r.Context(), st.ID)
	if err != nil {
		return err
	}
	return s.answer(w, wire.TypeHello, wire.Hello{
		StationID: st.ID, Now: s.now().UTC(), Revoked: st.Revoked(), Recipients: recipients, Slot: slot, Slots: slots,
		Epoch: s.epoch, Copied: !st.CopiedAt.IsZero(), Forked: !st.ForkedAt.IsZero(),
	})
}

// slotOf is the station's place among all that were ever enrolled. It may move
// by one when another enrols; nothing but evenness hangs on it.
func (s *Server) slotOf(ctx context.Context, station string) (slot, slots int, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		c := tx.Bucket(bktStations).Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			if string(k) < station {
				slot++
			}
			slots++
		}
		return nil
	})
	return slot, slots, err
}
