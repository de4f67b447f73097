package central

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// ErrPurged means that a photo's picture was destroyed when its time was over.
var ErrPurged = errors.New("central: the picture was destroyed at the end of its retention")

// purgeRow says when a picture was destroyed. The packet's row stays as it was:
// what was decided, by whom and when.
type purgeRow struct {
	At    time.Time `json:"at"`
	Actor string    `json:"actor"`
}

// PurgeReport says what a purge did, or would do.
type PurgeReport struct {
	Due map[string]int `json:"due"` // batch → photos
	// Waiting photos are past their time, and kept because the batch wants them
	// exported first.
	Waiting map[string]int `json:"waiting"`
	Done    bool           `json:"done"`
}

// Total counts the photos that are due.
func (r PurgeReport) Total() (n int) {
	for _, v := range r.Due {
		n += v
	}
	return n
}

// purgeDue lists the packets whose pictures are past their batch's retention.
func purgeDue(tx *bolt.Tx, now time.Time) (due []Packet, rep PurgeReport, err error) {
	rep = PurgeReport{Due: map[string]int{}, Waiting: map[string]int{}}
	rules := map[string]BatchRules{}
	err = tx.Bucket(bktRules).ForEach(func(k, raw []byte) error {
		var r BatchRules
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("central: read rules: %w", err)
		}
		if r.PurgeDays > 0 {
			rules[string(k)] = r
		}
		return nil
	})
	if err != nil || len(rules) == 0 {
		return nil, rep, err
	}
	for _, state := range []string{wire.VerdictApproved, wire.VerdictRejected, StateSuperseded} {
		for _, id := range suffixes(tx, bktByState, []byte(state), 0) {
			if tx.Bucket(bktPurged).Get([]byte(id)) != nil {
				continue
			}
			p, err := getPacket(tx, id)
			if err != nil {
				return nil, rep, err
			}
			r, ok := rules[p.Batch]
			if !ok {
				continue
			}
			from := p.DecidedAt
			if from.IsZero() { // superseded
				from = p.OpenedAt
			}
			past := now.Sub(from) > time.Duration(r.PurgeDays)*24*time.Hour
			if state == wire.VerdictApproved && r.ExportFirst {
				at, err := getJSON[time.Time](tx, bktExported, []byte(id))
				if errors.Is(err, ErrNotFound) {
					if past {
						rep.Waiting[p.Batch]++
					}
					continue
				}
				if err != nil {
					return nil, rep, err
				}
				past = now.Sub(at) > time.Duration(r.PurgeDays)*24*time.Hour
			}
			if past {
				due = append(due, p)
				rep.Due[p.Batch]++
			}
		}
	}
	return due, rep, nil
}

// Purge destroys the pictures that are past their batch's retention: their keys
// are shredded and their files removed. What was decided stays on record. With
// dry it only says what it would do.
func (s *Server) Purge(ctx context.Context, dry bool, actor string) (rep PurgeReport, err error) {
	var due []Packet
	err = s.view(ctx, func(tx *bolt.Tx) error {
		due, rep, err = purgeDue(tx, s.now())
		return err
	})
	if err != nil || dry || len(due) == 0 {
		return rep, err
	}
	const together = 200 // one transaction for so many; others wait no longer for it
	for len(due) > 0 {
		part := due[:min(together, len(due))]
		due = due[len(part):]
		err := s.update(ctx, func(tx *bolt.Tx) error {
			for _, p := range part {
				if err := putJSON(tx, bktPurged, []byte(p.ID), purgeRow{s.now().UTC(), actor}); err != nil {
					return err
				}
				if err := dropKey(tx, packetLabel(p.ID)); err != nil {
					return err
				}
				if err := appendAudit(tx, s.now(), actor, "packet.purged", p.ID, p.State); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return rep, fmt.Errorf("central: purge: %w", err)
		}
		for _, p := range part {
			if err := s.removeErased(p.ID); err != nil {
				return rep, err
			}
		}
	}
	rep.Done = true
	return rep, s.shred()
}

// finishPurges removes the files that a crash left behind.
func (s *Server) finishPurges(ctx context.Context) error {
	var left []string
	err := s.view(ctx, func(tx *bolt.Tx) error {
		return tx.Bucket(bktPurged).ForEach(func(id, _ []byte) error {
			if _, err := os.Lstat(s.packetPath(string(id))); err == nil {
				left = append(left, string(id))
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("central: look for purged packets: %w", err)
	}
	for _, id := range left {
		if err := s.removeErased(id); err != nil {
			return err
		}
	}
	return nil
}

// purgeEvery is how often retention is looked at: it is counted in days.
const purgeEvery = time.Hour

// KeepRetention purges now and every hour until ctx ends.
func (s *Server) KeepRetention(ctx context.Context) {
	t := time.NewTicker(purgeEvery)
	defer t.Stop()
	for {
		rep, err := s.Purge(ctx, false, "system")
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("purge what is past its retention", "err", err)
		case rep.Done:
			s.log.Info("pictures past their retention destroyed", "photos", rep.Total())
		}
		for _, n := range rep.Waiting {
			s.log.Warn("photos are past their retention and have not been exported", "photos", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
