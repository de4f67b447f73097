package station

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"image"
	"image/jpeg"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"
	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// TestOpenedPacketsGoWhenTheirTimeIsOver runs the hourly purge against real
// files: what central opened leaves the disk at the end of the shortest time
// that anybody was promised, and what it has not opened stays.
func TestOpenedPacketsGoWhenTheirTimeIsOver(t *testing.T) {
	for _, tc := range []struct {
		name            string
		settings, batch int // days
		want            int
	}{
		{"the batch promises less", 30, 7, 7},
		{"the settings say less", 3, 180, 3},
		{"a batch of an old central says nothing", 5, 0, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, opened, waiting := stationWithPackets(t, tc.settings, tc.batch)
				if got := s.retainDays(tc.batch); got != tc.want {
					t.Errorf("the consent page promises %d days, want %d", got, tc.want)
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); s.purge(ctx) }()
				<-time.After(time.Duration(tc.want)*24*time.Hour - time.Minute)
				synctest.Wait()
				if _, err := os.Stat(opened); err != nil {
					t.Errorf("gone before its time: %v", err)
				}
				<-time.After(purgeEvery)
				synctest.Wait()
				if _, err := os.Stat(opened); !os.IsNotExist(err) {
					t.Errorf("still there after its time: %v", err)
				}
				if _, err := os.Stat(waiting); err != nil {
					t.Errorf("a packet that central has not opened: %v", err)
				}
				stop()
				<-done
			})
		})
	}
}

// stationWithPackets has one packet that central has just opened and one that
// it has not.
func stationWithPackets(t *testing.T, settings, batch int) (s *Station, opened, waiting string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	store, err := keys.Open(filepath.Join(dir, "keys"))
	must(err)
	dataKey, err := store.CreateDataKey("")
	must(err)
	list, err := roster.Open(filepath.Join(dir, "roster"), dataKey)
	must(err)
	must(list.Apply(wire.RosterDelta{Full: true, Cursor: 1, Batches: []wire.Batch{{ID: "b", RetainDays: batch}}}))
	pub, key, err := ed25519.GenerateKey(nil)
	must(err)
	box, err := outbox.Open(filepath.Join(dir, "outbox"), outbox.Options{
		Log: slog.New(slog.DiscardHandler), Limits: outbox.Limits{MinFree: 1},
		Verify: func(b []byte) (*packet.Packet, error) { return packet.Verify(b, pub) },
	})
	must(err)
	t.Cleanup(func() { must(box.Close()) })
	recipient, err := age.GenerateX25519Identity()
	must(err)
	var picture bytes.Buffer
	must(jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8)), nil))
	var files []string
	for i := range 2 {
		seq, err := box.NextSeq()
		must(err)
		p, err := packet.Seal(packet.Input{
			ID: ulid.Make(), Seq: seq, Station: "st", Spec: "chsi", Created: time.Now(),
			Original: picture.Bytes(), Portrait: picture.Bytes(),
		}, []age.Recipient{recipient.Recipient()}, key)
		must(err)
		_, err = box.Commit(p)
		must(err)
		if i == 0 {
			_, err = box.Acknowledge(wire.Ack{StationID: "st", ID: p.ID.String(), SHA256: p.SHA256, Size: int64(len(p.Bytes)), Stage: wire.AckOpened, At: time.Now()}, wire.Signed{})
			must(err)
		}
		files = append(files, filepath.Join(dir, "outbox", "packets", p.SHA256+".pkt"))
	}
	cfg := config.Default()
	cfg.Outbox.RetainDays = settings
	return &Station{p: Params{Config: cfg, Outbox: box, Roster: list}, log: slog.New(slog.DiscardHandler)}, files[0], files[1]
}
