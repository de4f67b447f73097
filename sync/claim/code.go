package claim

import (
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// Order names a payment. There is one order a student and batch, so a station
// that has never heard of the order number still knows which order it is.
type Order struct {
	Batch      string
	StudentRef string
}

// CodeDigits is the length of a confirmation code.
const CodeDigits = 8

// ConfirmationCode proves a payment to an offline station: central shows it on
// the phone once the order is paid, staff type it. key is the station's
// receipt key. It holds for one order in one session only.
func ConfirmationCode(key []byte, order Order, session ulid.ULID) string {
	return digits(key, "yunzhao/paid/1", CodeDigits, []byte(order.Batch), []byte(order.StudentRef), session[:])
}

// Limits of guessing. Eight digits and five tries leave 1 in 20 million a
// session; the daily cap bounds a dishonest desk that keeps opening sessions.
const (
	DefaultTriesPerSession = 5
	DefaultFailuresPerDay  = 30
)

// Errors of [Tries].
var (
	ErrWrongCode   = errors.New("claim: wrong confirmation code")
	ErrTooMany     = errors.New("claim: too many wrong codes in this session")
	ErrTooManyADay = errors.New("claim: too many wrong codes today")
)

// Tries counts wrong codes. It is plain data for the caller to store: keep it
// durable before showing a result, or a restart forgets the count.
//
// The daily cap trusts the clock only to move on: a clock set back does not
// clear the count.
type Tries struct {
	Session   string `json:"session"`
	InSession int    `json:"in_session"`
	Day       string `json:"day"` // the latest local date seen, 2006-01-02
	InDay     int    `json:"in_day"`
}

// Check compares typed with the code and returns the count to keep. Spaces and
// dashes in typed are allowed, full-width digits too. Nothing is compared once
// a limit is reached.
func (t Tries) Check(key []byte, order Order, session ulid.ULID, typed string, now time.Time) (Tries, error) {
	t, err := t.Allow(session, now)
	if err != nil {
		return t, err
	}
	if rightCode(key, order, session, typed) {
		return t, nil
	}
	return t.Miss(), ErrWrongCode
}

// Allow returns the count as it stands in this session on this day, and an
// error when nothing more may be tried.
func (t Tries) Allow(session ulid.ULID, now time.Time) (Tries, error) {
	if s := session.String(); t.Session != s {
		t.Session, t.InSession = s, 0
	}
	if d := now.Format(time.DateOnly); d > t.Day {
		t.Day, t.InDay = d, 0
	}
	switch {
	case t.InSession >= DefaultTriesPerSession:
		return t, ErrTooMany
	case t.InDay >= DefaultFailuresPerDay:
		return t, ErrTooManyADay
	}
	return t, nil
}

// Miss counts a proof that was none: a wrong code, or a receipt that is forged
// or somebody else's.
func (t Tries) Miss() Tries {
	t.InSession++
	t.InDay++
	return t
}

func rightCode(key []byte, order Order, session ulid.ULID, typed string) bool {
	return len(key) == KeyLen && subtle.ConstantTimeCompare([]byte(normaliseDigits(typed)), []byte(ConfirmationCode(key, order, session))) == 1
}

// Left is how many tries this session still has.
func (t Tries) Left(session ulid.ULID) int {
	if t.Session != session.String() {
		return DefaultTriesPerSession
	}
	return max(0, DefaultTriesPerSession-t.InSession)
}

func normaliseDigits(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '-' || r == '\u3000':
			return -1
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		}
		return r
	}, s)
}
