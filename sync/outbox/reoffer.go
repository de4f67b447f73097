package outbox

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Reoffer makes every packet whose file is here wait for central again, as if it
// had never been sent: central was restored from a backup and may have forgotten
// what it acknowledged. What reviewers said stays. It returns how many wait now,
// and how many central had opened whose files are no longer here. All of it is
// one transaction.
func (o *Outbox) Reoffer() (again, gone int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.db == nil {
		return 0, 0, ErrClosed
	}
	var changed []Entry
	for _, e := range o.rows.list() {
		switch e.State {
		case Stored, Opened:
			n, err := o.whole(e.ID)
			if err != nil {
				return 0, 0, fmt.Errorf("outbox: offer again: %w", err)
			}
			n.State, n.Reason, n.LastError = Saved, "", ""
			// Acknowledgements of before would make central's repeated ones old news.
			n.StoredAt, n.DecidedAt, n.DecidedCentral, n.Next = time.Time{}, time.Time{}, time.Time{}, time.Time{}
			n.Attempts = 0
			changed = append(changed, n)
		case Purged:
			gone++
		case Saved, Refused: // waits anyway; stays until a person decides
		}
	}
	if len(changed) == 0 {
		return 0, gone, nil
	}
	err = o.write(func(tx *bbolt.Tx) error {
		var errs []error
		for _, e := range changed {
			errs = append(errs, putEntry(tx, e))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("outbox: offer again: %w", err)
	}
	for _, e := range changed {
		o.rows.put(e)
	}
	return len(changed), gone, nil
}
