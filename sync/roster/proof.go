package roster

import (
	"errors"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// ErrSpent means that a proof of payment was used before, for somebody else or
// in another session.
var ErrSpent = errors.New("roster: proof of payment was used before")

// Proof is how a payment was proved to this station while it could not ask
// central.
type Proof struct {
	Evidence string    `json:"evidence"` // receipt or code
	Nonce    string    `json:"nonce"`    // of the proof, unique
	Session  string    `json:"session"`  // ULID in which it was shown
	At       time.Time `json:"at"`
}

// Settle keeps a proof and the payment that it proves, in one durable step:
// there is no moment at which a proof is used up and the fee still owed.
// Showing the same proof again in the same session for the same student changes
// nothing; anywhere else it is [ErrSpent].
func (s *Store) Settle(batch, ref string, p Proof) error {
	if p.Nonce == "" {
		return errors.New("roster: a proof without a nonce")
	}
	key := batch + "/" + ref
	spent, same := false, false
	err := s.changeIf(batch, ref, func(l *Local, all map[string]Local) bool {
		for k, other := range all {
			if other.Proof == nil || other.Proof.Nonce != p.Nonce {
				continue
			}
			same = k == key && other.Proof.Session == p.Session && other.Payment == wire.PaymentPaid
			spent = !same
			return false
		}
		l.Payment, l.Reason, l.Proof = wire.PaymentPaid, "", &p
		return true
	})
	if err == nil && spent {
		return ErrSpent
	}
	return err
}
