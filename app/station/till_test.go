package station

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// booked counts what was settled.
type booked struct {
	proofs map[string]roster.Proof
	err    error
}

func (b *booked) Settle(batch, ref string, p roster.Proof) error {
	if b.err != nil {
		return b.err
	}
	if b.proofs == nil {
		b.proofs = map[string]roster.Proof{}
	}
	if old, ok := b.proofs[p.Nonce]; ok && old.Session != p.Session {
		return roster.ErrSpent
	}
	b.proofs[p.Nonce] = p
	return nil
}

var (
	tillCentral = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	tillReceipt = bytes.Repeat([]byte{7}, claim.KeyLen)
	tillDay     = time.Date(2026, 9, 1, 9, 0, 0, 0, time.Local)
)

func newTill(t *testing.T, dir string, kept settler) *till {
	t.Helper()
	e := keys.Enrolment{Enrolled: wire.Enrolled{StationID: "st-1", ReceiptKey: tillReceipt, CentralKey: tillCentral.Public().(ed25519.PublicKey)}}
	x, err := openTill(dir, e, kept, tillDay)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func tillVisit(n int) claim.Visit {
	return claim.Visit{Station: "st-1", Session: ulid.ULID{1, byte(n >> 16), byte(n >> 8), byte(n)}, Order: claim.Order{Batch: "b1", StudentRef: fmt.Sprint("s", n)}}
}

func rightCode(v claim.Visit) string { return claim.ConfirmationCode(tillReceipt, v.Order, v.Session) }

func TestTillTakesTheRightCodeAndReceiptOnce(t *testing.T) {
	b := &booked{}
	x := newTill(t, t.TempDir(), b)
	v := tillVisit(1)
	if err := x.code(v, "1234", tillDay); !errors.Is(err, claim.ErrWrongCode) {
		t.Fatal(err)
	}
	if err := x.code(v, rightCode(v)[:4]+" "+rightCode(v)[4:], tillDay); err != nil || len(b.proofs) != 1 {
		t.Fatalf("the right code: %v, %d kept", err, len(b.proofs))
	}
	if got := x.left(v); got != claim.DefaultTriesPerSession-1 {
		t.Errorf("%d tries left: the right code is no wrong one, nor does it forgive one", got)
	}
	order := ulid.Make()
	text, err := claim.SignReceipt(tillCentral, v, order, tillDay)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := x.receipt(v, text, tillDay); err != nil || r.OrderID != order || len(b.proofs) != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	// The same order in another session: the receipt is signed anew, the
	// payment is not.
	v2 := v
	v2.Session = ulid.ULID{9}
	if text, err = claim.SignReceipt(tillCentral, v2, order, tillDay); err != nil {
		t.Fatal(err)
	}
	if _, err := x.receipt(v2, text, tillDay); !errors.Is(err, roster.ErrSpent) {
		t.Errorf("the same order again: %v", err)
	}
}

func TestTillAcceptsNothingThatIsNotDurable(t *testing.T) {
	broken := errors.New("disk")
	x := newTill(t, t.TempDir(), &booked{err: broken})
	v := tillVisit(1)
	if err := x.code(v, rightCode(v), tillDay); !errors.Is(err, broken) {
		t.Errorf("a payment that was not kept: %v", err)
	}
	x.path = filepath.Join(t.TempDir(), "not", "there", triesFile)
	b := &booked{}
	x.kept = b
	if err := x.code(v, rightCode(v), tillDay); err == nil || len(b.proofs) != 0 {
		t.Errorf("a guess that could not be counted: %v, %d kept", err, len(b.proofs))
	}
}

func TestTillCountsOverARestart(t *testing.T) {
	dir := t.TempDir()
	v := tillVisit(1)
	for n := range claim.DefaultTriesPerSession {
		x := newTill(t, dir, &booked{}) // a new process each time
		if err := x.code(v, "00000000", tillDay); !errors.Is(err, claim.ErrWrongCode) {
			t.Fatalf("try %d: %v", n, err)
		}
	}
	if err := newTill(t, dir, &booked{}).code(v, rightCode(v), tillDay); !errors.Is(err, claim.ErrTooMany) {
		t.Errorf("the sixth: %v", err)
	}
	// A damaged count gives nobody new tries, until the next day.
	if err := os.WriteFile(filepath.Join(dir, triesFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	v = tillVisit(2)
	x := newTill(t, dir, &booked{})
	if err := x.code(v, rightCode(v), tillDay); !errors.Is(err, claim.ErrTooManyADay) {
		t.Errorf("after the damage: %v", err)
	}
	if err := x.code(v, rightCode(v), tillDay.AddDate(0, 0, 1)); err != nil {
		t.Errorf("the next day: %v", err)
	}
}

// A hundred thousand forged and replayed proofs: none is accepted, and a locked
// session or day takes not even the right one. Each try is one that an attacker
// with the station, the paper and old receipts could make: guessed codes, codes
// and receipts of other sessions and students, receipts by other keys, and
// receipts with a bit changed.
func TestAHundredThousandForgedProofs(t *testing.T) {
	tries := 5_000 // each writes to the disk; make test-network does all
	if os.Getenv("YUNZHAO_NETWORK") != "" {
		tries = 100_000
	}
	rng := rand.New(rand.NewPCG(2026, 9))
	stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	b := &booked{}
	x := newTill(t, t.TempDir(), b)
	x.path = filepath.Join(t.TempDir(), triesFile)
	must := func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	day, sessions, compared, locked, lockedDay := tillDay, 0, 0, 0, 0
	v := tillVisit(0)
	good := must(claim.SignReceipt(tillCentral, v, ulid.Make(), day))
	for n := range tries {
		if n%8 == 0 { // more than a session takes, so that most are locked
			sessions++
			v = tillVisit(sessions)
			good = must(claim.SignReceipt(tillCentral, v, ulid.Make(), day))
		}
		if n%200 == 0 { // so many a day that days are locked as well
			day = day.AddDate(0, 0, 1)
		}
		other := tillVisit(sessions + 1 + rng.IntN(1000))
		var err error
		switch rng.IntN(6) {
		case 0:
			guess := fmt.Sprintf("%08d", rng.IntN(100_000_000))
			if guess == rightCode(v) {
				continue // one in a hundred million is right
			}
			err = x.code(v, guess, day)
		case 1:
			err = x.code(v, rightCode(other), day)
		case 2:
			replay := v
			replay.Session = other.Session
			_, err = x.receipt(v, must(claim.SignReceipt(tillCentral, replay, ulid.Make(), day)), day)
		case 3:
			_, err = x.receipt(v, must(claim.SignReceipt(stranger, v, ulid.Make(), day)), day)
		case 4:
			at := len(claim.ReceiptPrefix) + rng.IntN(len(good)-len(claim.ReceiptPrefix))
			const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
			c := alphabet[rng.IntN(len(alphabet))]
			if c == good[at] {
				continue
			}
			_, err = x.receipt(v, good[:at]+string(c)+good[at+1:], day)
		case 5:
			swapped := v
			swapped.Order.StudentRef = other.Order.StudentRef
			_, err = x.receipt(v, must(claim.SignReceipt(tillCentral, swapped, ulid.Make(), day)), day)
		}
		switch {
		case err == nil:
			t.Fatalf("try %d was accepted", n)
		case errors.Is(err, claim.ErrTooMany):
			locked++
			if err := x.code(v, rightCode(v), day); !errors.Is(err, claim.ErrTooMany) && !errors.Is(err, claim.ErrTooManyADay) {
				t.Fatalf("a locked session compares: %v", err)
			}
		case errors.Is(err, claim.ErrTooManyADay):
			lockedDay++
			if _, err := x.receipt(v, good, day); !errors.Is(err, claim.ErrTooManyADay) {
				t.Fatalf("a locked day compares: %v", err)
			}
		default:
			compared++
		}
	}
	if len(b.proofs) != 0 || locked == 0 || lockedDay == 0 || compared == 0 {
		t.Errorf("%d accepted, %d compared, %d locked by session, %d by day", len(b.proofs), compared, locked, lockedDay)
	}
	t.Logf("COUNT %d forged or replayed proofs in %d sessions: 0 accepted; %d compared, %d refused by a locked session, %d by a locked day", tries, sessions, compared, locked, lockedDay)
}
