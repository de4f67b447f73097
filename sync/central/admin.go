package central

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

var (
	idPattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,39}$`)
	specPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)
	userPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,31}$`)
)

// cleanText trims s and refuses what does not belong into one line of text:
// control characters, invalid UTF-8, more than limit characters.
func cleanText(s string, limit int) (string, bool) {
	s = strings.TrimSpace(s)
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > limit {
		return "", false
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return "", false
		}
	}
	return s, true
}

// maxPriceFen is 1,000 yuan: far above any photo, low enough to catch a price
// typed in the wrong unit.
const maxPriceFen = 100000

// validateBatch says what is wrong with a batch, by field.
func validateBatch(b wire.Batch) error {
	bad := func(field, why string) error { return fmt.Errorf("%w: batch %s: %s", ErrInvalid, field, why) }
	if !idPattern.MatchString(b.ID) {
		return bad("id", "2–40 characters of a–z, 0–9 and -")
	}
	if !specPattern.MatchString(b.Spec) {
		return bad("spec", "the id of a preset, such as chsi")
	}
	for _, t := range []struct {
		field, value string
		limit        int
		required     bool
	}{
		{"school", b.School, 60, true},
		{"title", b.Title, 60, true},
		{"covers_zh", b.CoversZH, 300, false},
		{"covers_en", b.CoversEN, 600, false},
		{"contact", b.Contact, 120, true},
	} {
		if v, ok := cleanText(t.value, t.limit); !ok || t.required && v == "" {
			return bad(t.field, fmt.Sprintf("one line of at most %d characters", t.limit))
		}
	}
	switch b.Policy {
	case wire.PayNone:
		if b.PriceFen != 0 {
			return bad("price_fen", "must be 0 when the school pays")
		}
	case wire.PayBeforeCapture, wire.PayBeforeSubmit, wire.PayLater:
		if b.PriceFen <= 0 || b.PriceFen > maxPriceFen {
			return bad("price_fen", fmt.Sprintf("1–%d", maxPriceFen))
		}
	default:
		return bad("policy", "none, before_capture, before_submit or later")
	}
	if b.Opens.IsZero() || !b.Opens.Before(b.Closes) {
		return bad("window", "opens must be before closes")
	}
	if b.ReviewDays < 1 || b.ReviewDays > 60 {
		return bad("review_days", "1–60")
	}
	if b.RetainDays < 1 || b.RetainDays > 3650 {
		return bad("retain_days", "1–3650")
	}
	if utf8.RuneCountInString(b.ConsentZH) > 5000 || utf8.RuneCountInString(b.ConsentEN) > 10000 || b.ConsentVer == "" {
		return bad("consent", "needs a version and at most 5000 / 10000 characters")
	}
	return nil
}

// PutBatch makes or changes a batch. The price and the policy are fixed once
// somebody has paid, so that nobody pays another price than the one shown.
func (s *Server) PutBatch(ctx context.Context, b wire.Batch, actor string) error {
	if err := validateBatch(b); err != nil {
		return err
	}
	return s.update(ctx, func(tx *bolt.Tx) error {
		old, err := getJSON[wire.Batch](tx, bktBatches, []byte(b.ID))
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return err
		case (old.PriceFen != b.PriceFen || old.Policy != b.Policy) && len(suffixes(tx, bktOrderOf, []byte(b.ID), 1)) > 0:
			return fmt.Errorf("%w: the price of batch %s has been paid and cannot change", ErrState, b.ID)
		case old.Policy != b.Policy && len(suffixes(tx, bktByDocument, []byte(b.ID), 1)) > 0 &&
			(old.Policy == wire.PayNone || b.Policy == wire.PayNone):
			return fmt.Errorf("%w: batch %s has students; who pays cannot change any more", ErrState, b.ID)
		}
		if err := putJSON(tx, bktBatches, []byte(b.ID), b); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "batch.put", b.ID, fmt.Sprintf("%s %s %d fen", b.Spec, b.Policy, b.PriceFen))
	})
}

// Batches lists all batches as stations see them.
func (s *Server) Batches(ctx context.Context) (out []wire.Batch, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		out, err = list[wire.Batch](tx, bktBatches)
		return err
	})
	for i := range out {
		out[i] = s.published(out[i])
	}
	return out, err
}

// published fills in where phones go when the batch does not say.
func (s *Server) published(b wire.Batch) wire.Batch {
	if b.PhoneBaseURL == "" {
		b.PhoneBaseURL = s.publicURL
	}
	return b
}

func (s *Server) batch(tx *bolt.Tx, id string) (wire.Batch, error) {
	b, err := getJSON[wire.Batch](tx, bktBatches, []byte(id))
	return s.published(b), err
}

// Crockford's alphabet: no I, L, O or U.
const codeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// DefaultCodeTTL leaves a school a week between the letter and the set-up.
const DefaultCodeTTL = 7 * 24 * time.Hour

// NewCode makes a one-time enrolment code for a station that will serve these
// batches (all when empty) and returns it as CODE.FINGERPRINT. It is shown
// once: the index keeps its hash.
func (s *Server) NewCode(ctx context.Context, batches []string, ttl time.Duration, actor string) (string, error) {
	if ttl <= 0 || ttl > 90*24*time.Hour {
		return "", fmt.Errorf("%w: a code lives at most 90 days", ErrInvalid)
	}
	raw := make([]byte, 12) // 60 bits
	rand.Read(raw)          // never fails (crypto/rand)
	for i, b := range raw {
		raw[i] = codeAlphabet[b&31]
	}
	code := string(raw)
	err := s.update(ctx, func(tx *bolt.Tx) error {
		scope, err := s.scope(tx, batches)
		if err != nil {
			return err
		}
		c := Code{Hash: hashToken(code), Batches: scope, CreatedAt: s.now().UTC(), ExpiresAt: s.now().Add(ttl).UTC()}
		if err := putJSON(tx, bktCodes, []byte(c.Hash), c); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "code.made", c.Hash[:8], strings.Join(scope, " "))
	})
	if err != nil {
		return "", err
	}
	return code[:4] + "-" + code[4:8] + "-" + code[8:] + "." + s.Fingerprint(), nil
}

// scope checks the ids of batches; none means all there are.
func (s *Server) scope(tx *bolt.Tx, batches []string) ([]string, error) {
	if len(batches) == 0 {
		all, err := list[wire.Batch](tx, bktBatches)
		if err != nil {
			return nil, err
		}
		for _, b := range all {
			batches = append(batches, b.ID)
		}
	}
	for _, id := range batches {
		if tx.Bucket(bktBatches).Get([]byte(id)) == nil {
			return nil, fmt.Errorf("%w: batch %q", ErrNotFound, id)
		}
	}
	if len(batches) == 0 {
		return nil, fmt.Errorf("%w: there is no batch yet; add one first", ErrState)
	}
	return batches, nil
}

// normalCode undoes what typing does to a code.
func normalCode(s string) string {
	if i := strings.IndexByte(s, '.'); i >= 0 {
		s = s[:i]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '-' || unicode.IsSpace(r):
			return -1
		case r == 'o' || r == 'O':
			return '0'
		case r == 'i' || r == 'I' || r == 'l' || r == 'L':
			return '1'
		}
		return unicode.ToUpper(r)
	}, s)
}

// Codes lists the enrolment codes that were made.
func (s *Server) Codes(ctx context.Context) (out []Code, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		out, err = list[Code](tx, bktCodes)
		return err
	})
	slices.SortFunc(out, func(a, b Code) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out, err
}

// Stations lists the enrolled stations.
func (s *Server) Stations(ctx context.Context) (out []Station, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		out, err = list[Station](tx, bktStations)
		return err
	})
	return out, err
}

// RevokeStation shuts a station out from now on. What it has sent stays.
func (s *Server) RevokeStation(ctx context.Context, id, actor string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		st, err := getJSON[Station](tx, bktStations, []byte(id))
		if err != nil {
			return err
		}
		if st.Revoked() {
			return nil
		}
		st.RevokedAt, st.RevokedBy = s.now().UTC(), actor
		if err := putJSON(tx, bktStations, []byte(id), st); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "station.revoked", id, "")
	})
}

// SetStationBatches changes which batches a station serves. Students of a new
// batch reach it with its next delta; those of a dropped one are taken back.
func (s *Server) SetStationBatches(ctx context.Context, id string, batches []string, actor string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		st, err := getJSON[Station](tx, bktStations, []byte(id))
		if err != nil {
			return err
		}
		scope, err := s.scope(tx, batches)
		if err != nil {
			return err
		}
		if st.Dropped == nil {
			st.Dropped = map[string]uint64{}
		}
		for _, b := range scope {
			if slices.Contains(st.Batches, b) {
				continue
			}
			delete(st.Dropped, b)
			if err := s.touchBatch(tx, b); err != nil {
				return err
			}
		}
		log := tx.Bucket(bktRosterLog)
		for _, b := range st.Batches {
			if slices.Contains(scope, b) {
				continue
			}
			v, err := log.NextSequence()
			if err != nil {
				return fmt.Errorf("central: roster version: %w", err)
			}
			st.Dropped[b] = v
		}
		st.Batches = scope
		if err := putJSON(tx, bktStations, []byte(id), st); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "station.batches", id, strings.Join(scope, " "))
	})
}

// touchBatch gives every student of a batch a new version.
func (s *Server) touchBatch(tx *bolt.Tx, batch string) error {
	rows, err := s.studentsOf(tx, batch)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := s.putStudent(tx, r); err != nil {
			return err
		}
	}
	return nil
}

// Students lists a batch's roster, in the order of document numbers.
func (s *Server) Students(ctx context.Context, batch string) (out []wire.Student, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		rows, err := s.studentsOf(tx, batch)
		for _, r := range rows {
			out = append(out, r.Student)
		}
		return err
	})
	return out, err
}

// AuditTrail lists the newest entries first, at most limit.
func (s *Server) AuditTrail(ctx context.Context, limit int) (out []AuditEntry, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		c := tx.Bucket(bktAudit).Cursor()
		for k, _ := c.Last(); k != nil && len(out) < limit; k, _ = c.Prev() {
			e, err := getJSON[AuditEntry](tx, bktAudit, k)
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return nil
	})
	return out, err
}

// VerifyAudit walks the whole audit log and reports the first line that was
// changed, moved or taken out.
func (s *Server) VerifyAudit(ctx context.Context) error {
	return s.view(ctx, verifyAudit)
}

func (s *Server) audit(ctx context.Context, actor, action, target, detail string) error {
	return s.update(ctx, func(tx *bolt.Tx) error { return appendAudit(tx, s.now(), actor, action, target, detail) })
}
