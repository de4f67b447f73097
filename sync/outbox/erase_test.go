package outbox

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func eraseRequest(t *testing.T, e Entry) wire.Signed {
	t.Helper()
	s, err := wire.SignErase(stationKey(), e.Station, e.Declared(), t0)
	must(t, err)
	return s
}

// A kill between any two steps: the next start brings the erasure to where it
// would have been.
func TestAnErasureThatWasCutShortIsFinishedByTheNextStart(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(o *Outbox, s *packet.Sealed)              // what had happened to the packet
		cut    func(o *Outbox, s *packet.Sealed, file []byte) // what the kill left
		want   State
	}{
		{"queued, file and row still there", nil, func(o *Outbox, s *packet.Sealed, _ []byte) {
			e, err := o.Get(s.ID)
			must(t, err)
			b, err := json.Marshal(eraseRequest(t, e))
			must(t, err)
			must(t, o.queueErase(s.ID, b))
		}, Purged},
		{"row erased, file still there", nil, func(o *Outbox, s *packet.Sealed, file []byte) {
			e, err := o.Get(s.ID)
			must(t, err)
			must(t, o.Erase(s.ID, eraseRequest(t, e)))
			must(t, os.WriteFile(o.path(s.SHA256), file, 0o600))
		}, Purged},
		{"at central: nothing goes before its word", func(o *Outbox, s *packet.Sealed) {
			_, err := o.Acknowledge(ackFor(s, wire.AckStored, t0), wire.Signed{})
			must(t, err)
		}, func(o *Outbox, s *packet.Sealed, _ []byte) {
			e, err := o.Get(s.ID)
			must(t, err)
			must(t, o.Erase(s.ID, eraseRequest(t, e)))
			must(t, os.WriteFile(filepath.Join(o.dir, dirErase, ulid.Make().String()+extTemp), []byte("half"), 0o600))
		}, Stored},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := open(t, t.TempDir(), options())
			s := commit(t, o)
			if c.before != nil {
				c.before(o, s)
			}
			c.cut(o, s, s.Bytes)
			o = reopen(t, o, options())
			e, err := o.Get(s.ID)
			must(t, err)
			_, serr := os.Stat(o.path(s.SHA256))
			if e.State != c.want || errors.Is(serr, os.ErrNotExist) != (c.want == Purged) {
				t.Fatalf("%+v; file: %v", e, serr)
			}
			if list, err := o.Erasing(); err != nil || len(list) != 1 {
				t.Errorf("%d requests wait; %v", len(list), err)
			}
			said := wire.Erased{StationID: e.Station, ID: e.ID.String(), SHA256: e.SHA256, State: wire.EraseDone, At: t0.Add(time.Minute)}
			wrong := said
			wrong.SHA256 = wrong.SHA256[1:] + "x"
			if err := o.SettleErase(wrong, wire.Signed{}); !errors.Is(err, ErrAckMismatch) {
				t.Errorf("central's word on other bytes: %v", err)
			}
			must(t, o.SettleErase(said, wire.Signed{}))
			o = reopen(t, o, options())
			if e, err = o.Get(s.ID); err != nil || e.State != Purged || e.Reason != ReasonErased {
				t.Errorf("%+v %v", e, err)
			}
			if list, err := o.Erasing(); err != nil || len(list) != 0 {
				t.Errorf("%d requests wait; %v", len(list), err)
			}
			if next, err := o.NextSeq(); err != nil || next != s.Header.Seq+1 {
				t.Errorf("next number %d, %v", next, err)
			}
			if len(o.Alarms()) != 0 {
				t.Errorf("%+v", o.Alarms())
			}
		})
	}
}
