package uplink

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// decideEvery is how often central is asked again about a photo whose erasure a
// person there must decide.
const decideEvery = 10 * time.Minute

// erase sends what students want erased. A request that central refuses is put
// aside for a while and keeps none of the others waiting.
func (w *Worker) erase(ctx context.Context) error {
	requests, err := w.p.Outbox.Erasing()
	if err != nil {
		return localError{err}
	}
	now := w.p.Now()
	for _, request := range requests {
		var asked wire.EraseRequest
		if err := request.Open(w.c.id.public(), wire.TypeErase, &asked); err != nil || asked.StationID != w.c.id.station {
			w.p.Log.Error("a request to erase is not this station's and is left where it is", "packet", asked.Packet.ID)
			continue
		}
		if next := w.eraseNext[asked.Packet.ID]; now.Before(next) && next.Sub(now) <= decideEvery {
			continue
		}
		said, proof, err := w.c.erase(ctx, request, asked.Packet)
		var refused *RefusedError
		switch {
		case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError && !endsExchange(err):
			w.p.Log.Error("central will not erase a packet", "packet", asked.Packet.ID, "code", refused.reason())
			w.eraseNext[asked.Packet.ID] = now.Add(FatalPause)
			continue
		case err != nil:
			return err
		}
		if err := w.p.Outbox.SettleErase(said, proof); err != nil {
			return localError{err}
		}
		delete(w.eraseNext, said.ID)
		w.rosterNext = time.Time{} // where the student's photo stands changed too
		if said.State == wire.EraseDecide {
			w.eraseNext[said.ID] = now.Add(decideEvery)
		}
		w.p.Log.Info("central's word on an erasure", "packet", said.ID, "state", said.State)
	}
	return nil
}

// eraseAgain repeats every erasure: central was restored from a backup, in which
// the photos are still there.
func (w *Worker) eraseAgain() error {
	for _, e := range w.p.Outbox.List() {
		if e.State != outbox.Purged || e.Reason != outbox.ReasonErased {
			continue
		}
		request, err := wire.SignErase(w.c.id.key, w.c.id.station, e.Declared(), w.p.Now())
		if err == nil {
			err = w.p.Outbox.Erase(e.ID, request)
		}
		if err != nil {
			return localError{fmt.Errorf("erase again: %w", err)}
		}
	}
	return nil
}

// erase asks for one packet; the answer is about that packet's bytes.
func (c *client) erase(ctx context.Context, request wire.Signed, packet wire.Declared) (wire.Erased, wire.Signed, error) {
	body, err := encode(request)
	if err != nil {
		return wire.Erased{}, wire.Signed{}, err
	}
	var out wire.Erased
	s, err := c.do(ctx, http.MethodPost, "/v1/packets:erase", body, "application/json", nil, map[string]any{wire.TypeErased: &out})
	if err != nil {
		return out, s, err
	}
	if _, bad := ulid.ParseStrict(out.ID); bad != nil || out.StationID != c.id.station || out.ID != packet.ID || out.SHA256 != packet.SHA256 {
		return out, s, fmt.Errorf("%w: about another packet", ErrNotCentral)
	}
	return out, s, nil
}
