package central

import (
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// BatchRules are what central does with a batch and stations need not know.
type BatchRules struct {
	// FourEyes wants two reviewers who agree; a third decides between them.
	FourEyes bool `json:"four_eyes,omitempty"`
	// TwoToExport lets no photo leave, by the command line neither, but by a
	// request that a second person has confirmed.
	TwoToExport bool `json:"two_to_export,omitempty"`
	// PurgeDays after a photo was decided its picture is destroyed; 0 = never.
	PurgeDays int `json:"purge_days,omitempty"`
	// ExportFirst counts those days from the export of an approved photo, and
	// keeps it as long as it has not been exported.
	ExportFirst bool `json:"export_first,omitempty"`
}

// maxPurgeDays is ten years: longer is not a period but none.
const maxPurgeDays = 3650

// Rules reads a batch's rules; a batch without any has none of them.
func (s *Server) Rules(ctx context.Context, batch string) (r BatchRules, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		r, err = rulesOf(tx, batch)
		return err
	})
	return r, err
}

func rulesOf(tx *bolt.Tx, batch string) (BatchRules, error) {
	r, err := getJSON[BatchRules](tx, bktRules, []byte(batch))
	if errors.Is(err, ErrNotFound) {
		return BatchRules{}, nil
	}
	return r, err
}

// PutRules changes a batch's rules. What was decided or exported before stays.
func (s *Server) PutRules(ctx context.Context, batch string, r BatchRules, actor string) error {
	if r.PurgeDays < 0 || r.PurgeDays > maxPurgeDays {
		return fmt.Errorf("%w: batch purge_days: 0–%d", ErrInvalid, maxPurgeDays)
	}
	return s.update(ctx, func(tx *bolt.Tx) error {
		if _, err := getJSON[wire.Batch](tx, bktBatches, []byte(batch)); err != nil {
			return err
		}
		old, err := rulesOf(tx, batch)
		if err != nil || old == r {
			return err
		}
		if err := putJSON(tx, bktRules, []byte(batch), r); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "batch.rules", batch,
			fmt.Sprintf("four eyes %t, two to export %t, purge after %d days, export first %t", r.FourEyes, r.TwoToExport, r.PurgeDays, r.ExportFirst))
	})
}
