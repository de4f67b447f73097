package central

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	bolt "go.etcd.io/bbolt"
)

var bktTest = []byte("test")

// openCommitter is a committer over an index of its own, which counts what it
// writes.
func openCommitter(t *testing.T) (c *committer, db *bolt.DB, transactions *int) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "t.db"), 0o600, &bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket(bktTest); return err }); err != nil {
		t.Fatal(err)
	}
	transactions = new(int) // one goroutine commits at a time
	return &committer{update: func(do func(*bolt.Tx) error) error {
		*transactions++
		return db.Update(do)
	}}, db, transactions
}

func keysIn(t *testing.T, db *bolt.DB) (n int) {
	t.Helper()
	if err := db.View(func(tx *bolt.Tx) error { n = tx.Bucket(bktTest).Stats().KeyN; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// What comes while a transaction is on its way to the disk shares the next one.
func TestChangesShareATransaction(t *testing.T) {
	c, db, transactions := openCommitter(t)
	const n = mostTogether + 36
	begun, release := make(chan struct{}), make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		if err := c.commit(func(*bolt.Tx) error { close(begun); <-release; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-begun
	for i := range n {
		work.Go(func() {
			err := c.commit(func(tx *bolt.Tx) error { return tx.Bucket(bktTest).Put(fmt.Append(nil, i), nil) })
			if err != nil {
				t.Error(err)
			}
		})
	}
	for waiting := 0; waiting < n; {
		c.mu.Lock()
		waiting = len(c.waiting)
		c.mu.Unlock()
		runtime.Gosched()
	}
	close(release)
	work.Wait()
	if got := keysIn(t, db); got != n || *transactions != 3 {
		t.Errorf("%d changes of %d in %d transactions, want 3", got, n, *transactions)
	}
}

// A change that fails, or panics, undoes itself and nobody else's.
func TestAFailedChangeUndoesNobodyElses(t *testing.T) {
	errBad := errors.New("bad")
	c, db, _ := openCommitter(t)
	begun, release := make(chan struct{}), make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		_ = c.commit(func(*bolt.Tx) error { close(begun); <-release; return nil })
	})
	<-begun
	for i := range 30 {
		work.Go(func() {
			defer func() {
				if r := recover(); (r != nil) != (i%10 == 7) {
					t.Errorf("change %d panicked with %v", i, r)
				}
			}()
			err := c.commit(func(tx *bolt.Tx) error {
				if err := tx.Bucket(bktTest).Put(fmt.Append(nil, i), nil); err != nil {
					return err
				}
				switch i % 10 {
				case 3:
					return errBad
				case 7:
					panic("worse")
				}
				return nil
			})
			if want := i%10 == 3; errors.Is(err, errBad) != want || err != nil && !want {
				t.Errorf("change %d: %v", i, err)
			}
		})
	}
	for waiting := 0; waiting < 30; {
		c.mu.Lock()
		waiting = len(c.waiting)
		c.mu.Unlock()
		runtime.Gosched()
	}
	close(release)
	work.Wait()
	if got := keysIn(t, db); got != 24 {
		t.Errorf("%d changes of 24 are there", got)
	}
	// The next is served as ever; after the end all are told.
	err := c.commit(func(tx *bolt.Tx) error { return tx.Bucket(bktTest).Put([]byte("later"), nil) })
	if err != nil || keysIn(t, db) != 25 {
		t.Errorf("afterwards: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.commit(func(*bolt.Tx) error { return nil }); err == nil {
		t.Error("a change to a closed index succeeded")
	}
}
