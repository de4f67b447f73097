package central

import (
	"context"
	"errors"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// mostTogether bounds how much one transaction carries, so that the first who
// waits for it does not wait for a crowd.
const mostTogether = 64

// errPanicked undoes a transaction in which a change panicked.
var errPanicked = errors.New("central: a change panicked")

// committer lets changes that wait at the same moment share a transaction. The
// index has one writer and each of its commits waits for the disk twice: one
// after the other, the pieces of many uploads would wait for the disk most of
// the time. Nothing is delayed to find company: while one transaction is on its
// way to the disk, whoever comes joins the next.
type committer struct {
	update func(func(*bolt.Tx) error) error

	mu      sync.Mutex
	waiting []*change
	running bool
}

// change is one caller's part of a transaction.
type change struct {
	do    func(*bolt.Tx) error
	done  chan error
	cause any // what do panicked with; for the caller's goroutine
}

// together runs one durable change. do may run more than once, and must not keep
// anything from a run before: it runs again, alone or with others, when a change
// beside it failed. Its own error undoes nobody else's change.
func (s *Server) together(ctx context.Context, do func(*bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.commits.commit(do)
}

func (c *committer) commit(do func(*bolt.Tx) error) error {
	w := &change{do: do, done: make(chan error, 1)}
	c.mu.Lock()
	c.waiting = append(c.waiting, w)
	if !c.running {
		c.running = true
		go c.run()
	}
	c.mu.Unlock()
	err := <-w.done
	if w.cause != nil {
		panic(w.cause) //nolint:forbidigo // the caller's own, where it belongs
	}
	return err
}

// run commits until nobody waits.
func (c *committer) run() {
	for {
		c.mu.Lock()
		if len(c.waiting) == 0 {
			c.running = false
			c.mu.Unlock()
			return
		}
		n := min(len(c.waiting), mostTogether)
		now := c.waiting[:n:n]
		c.waiting = c.waiting[n:]
		c.mu.Unlock()
		c.transact(now)
	}
}

// transact makes the changes durable in one transaction, or in as many as there
// are changes that fail.
func (c *committer) transact(changes []*change) {
	for len(changes) > 0 {
		failed := -1
		err := c.update(func(tx *bolt.Tx) error {
			for i, w := range changes {
				if err := w.run(tx); err != nil {
					failed = i
					return err
				}
			}
			return nil
		})
		if failed < 0 { // all or none are on the disk
			for _, w := range changes {
				w.done <- err
			}
			return
		}
		// Nothing was written. Those before it may have misled it, so it has its say
		// alone; the others go on without it.
		w := changes[failed]
		changes = append(changes[:failed:failed], changes[failed+1:]...)
		w.done <- c.update(w.run)
	}
}

// run keeps a panic from ending the program: it belongs to the caller, whose
// server knows what to do with it.
func (w *change) run(tx *bolt.Tx) (err error) {
	defer func() {
		if w.cause = recover(); w.cause != nil {
			err = errPanicked
		}
	}()
	return w.do(tx)
}
