package uplink_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
)

// recoveryIdentity is what staff keep offline.
func (c *campus) recoveryIdentity() age.Identity {
	c.t.Helper()
	b, err := os.ReadFile(c.server().RecoveryIdentityPath())
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "AGE-SECRET-KEY-") {
			id, err := age.ParseX25519Identity(strings.TrimSpace(line))
			if err != nil {
				c.t.Fatal(err)
			}
			return id
		}
	}
	c.t.Fatal("no identity in the recovery file")
	return nil
}

// A campus loses its central server and goes back to last night's backup: what
// was uploaded since then, and acknowledged, is offered again by its station
// and nothing is lost, doubled or reviewed under another name.
func TestARestoredCentralGetsEverythingAgain(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	d.exchange()
	before := []string{d.shoot(c.free(0)).String(), d.shoot(c.free(1)).String()}
	d.exchange()
	d.exchange()
	file := filepath.Join(t.TempDir(), "night.backup")
	rep, err := c.server().Backup(t.Context(), file, "test")
	if err != nil || rep.Packets != 2 {
		t.Fatalf("backup: %+v, %v", rep, err)
	}
	backup, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	identity := c.recoveryIdentity()
	lost := []string{d.shoot(c.free(2)).String(), d.shoot(c.free(3)).String(), d.shoot(c.free(4)).String()}
	d.exchange()
	d.exchange()
	for _, e := range d.box.List() {
		if e.State != outbox.Opened {
			t.Fatalf("packet %s is %s before the disaster", e.ID, e.State)
		}
	}
	known := c.server().Fingerprint()

	c.close()
	if err := os.RemoveAll(c.dir); err != nil {
		t.Fatal(err)
	}
	packets, err := central.Restore(t.Context(), bytes.NewReader(backup), identity, c.dir, "test", time.Now())
	if err != nil || packets != 2 {
		t.Fatalf("restored %d packets, %v", packets, err)
	}
	c.open()
	if c.server().Fingerprint() != known {
		t.Fatal("the restored central has another key")
	}
	d.exchange() // hears the new epoch, offers everything
	d.exchange()
	d.exchange()
	st, err := c.server().Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]string{}
	for _, p := range st.Packets {
		at[p.ID] = string(p.Stage)
	}
	for _, id := range append(before, lost...) {
		if at[id] != string(central.StageOpened) {
			t.Errorf("packet %s is %q at the restored central", id, at[id])
		}
	}
	if len(st.Packets) != 5 {
		t.Errorf("%d packets at the restored central, want 5", len(st.Packets))
	}
	for _, e := range d.box.List() {
		if e.State != outbox.Opened {
			t.Errorf("packet %s is %s at the desk", e.ID, e.State)
		}
	}
	// Once is enough: the next exchange sends nothing.
	d.exchange()
	if n := d.box.Stats().Pending; n != 0 {
		t.Errorf("%d packets wait again", n)
	}
}

// What was purged meanwhile cannot come again, and is counted.
func TestReofferCountsWhatIsGone(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	kept, gone := d.shoot(c.free(0)), d.shoot(c.free(1))
	d.exchange()
	d.exchange()
	d.want(kept, outbox.Opened)
	if n, err := d.box.Purge(time.Now().Add(48*time.Hour), 0); err != nil || n != 2 {
		t.Fatalf("purged %d, %v", n, err)
	}
	later := d.shoot(c.free(2))
	d.exchange()
	d.exchange()
	d.want(gone, outbox.Purged)
	again, lost, err := d.box.Reoffer()
	if err != nil || again != 1 || lost != 2 {
		t.Fatalf("offered again %d, gone %d, %v; want 1 and 2", again, lost, err)
	}
	d.want(later, outbox.Saved)
	d.exchange()
	d.exchange()
	d.want(later, outbox.Opened)
}
