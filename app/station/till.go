package station

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/roster"
)

// triesFile counts the proofs of payment that were none. It survives a restart,
// which would otherwise give a guesser five new tries.
const triesFile = "tries.json"

// settler keeps a payment with its proof, once.
type settler interface {
	Settle(batch, ref string, p roster.Proof) error
}

// till judges proofs of payment while central cannot be asked: receipts that the
// camera reads and codes that staff type. What it accepts is durable, and used
// up, before it says so; a wrong one is counted on disk before it is compared.
// Its methods may be called from any goroutine.
type till struct {
	path     string
	enrolled keys.Enrolment
	kept     settler

	mu    sync.Mutex
	tries claim.Tries
}

// openTill reads the count of the day; a file that cannot be read is as if the
// day's tries were used up, until the next day.
func openTill(dir string, e keys.Enrolment, kept settler, now time.Time) (*till, error) {
	t := &till{path: filepath.Join(dir, triesFile), enrolled: e, kept: kept}
	b, err := durable.ReadFile(t.path, 4<<10)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t, nil
	case err != nil:
		return nil, fmt.Errorf("station: count of payment codes: %w", err)
	}
	if json.Unmarshal(b, &t.tries) != nil {
		t.tries = claim.Tries{Day: now.Format(time.DateOnly), InDay: claim.DefaultFailuresPerDay}
	}
	return t, nil
}

func (t *till) keep(tries claim.Tries) error {
	b, err := json.Marshal(tries)
	if err != nil {
		return fmt.Errorf("station: count of payment codes: %w", err)
	}
	if err := durable.WriteFile(t.path, b); err != nil {
		return fmt.Errorf("station: keep the count of payment codes: %w", err)
	}
	t.tries = tries
	return nil
}

// code judges the eight digits that staff typed. Its errors are those of
// claim.Tries and of the disk.
func (t *till) code(v claim.Visit, typed string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, err := t.tries.Allow(v.Session, now)
	if err != nil {
		return err
	}
	// Counted first: a power cut at the right moment is no free guess.
	if err := t.keep(before.Miss()); err != nil {
		return err
	}
	if _, err := before.Check(t.enrolled.Enrolled.ReceiptKey, v.Order, v.Session, typed, now); err != nil {
		return err
	}
	p := roster.Proof{Evidence: claim.EvidenceCode, Nonce: "code/" + v.Session.String(), Session: v.Session.String(), At: now}
	if err := t.kept.Settle(v.Order.Batch, v.Order.StudentRef, p); err != nil {
		return err
	}
	// The payment stands whether or not the count is put back.
	return t.keep(before)
}

// receipt judges the text of a code that the camera read. now is corrected by
// what central said of the time. Its errors are those of claim.OpenReceipt,
// roster.ErrSpent, those of claim.Tries and of the disk. What is no receipt at
// all is not counted: students hold up all kinds of codes.
func (t *till) receipt(v claim.Visit, text string, now time.Time) (claim.Receipt, error) {
	if !strings.HasPrefix(text, claim.ReceiptPrefix) {
		return claim.Receipt{}, claim.ErrReceipt
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before, err := t.tries.Allow(v.Session, now)
	if err != nil {
		return claim.Receipt{}, err
	}
	r, err := claim.OpenReceipt(text, t.enrolled.Enrolled.CentralKey, v, now)
	if err == nil {
		err = t.kept.Settle(v.Order.Batch, v.Order.StudentRef, roster.Proof{
			Evidence: claim.EvidenceReceipt, Nonce: "order/" + r.OrderID.String(), Session: v.Session.String(), At: now,
		})
	}
	if errors.Is(err, claim.ErrForged) || errors.Is(err, claim.ErrOtherVisit) || errors.Is(err, claim.ErrReceipt) || errors.Is(err, roster.ErrSpent) {
		return claim.Receipt{}, errors.Join(err, t.keep(before.Miss()))
	}
	return r, err
}

// left is how many more proofs this session may try.
func (t *till) left(v claim.Visit) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tries.Left(v.Session)
}
