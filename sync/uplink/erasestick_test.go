package uplink_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/stick"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// A desk without a network: what students want erased goes to central on a
// stick, and central's word comes back on it. What was on the stick already goes
// off it, and nobody can ask for another station's packets.
func TestErasingTravelsOnAStick(t *testing.T) {
	t.Parallel()
	c := newCampus(t)
	d := newDesk(t, c)
	var err error
	if c.demo.EnrolCode, err = c.server().NewCode(t.Context(), nil, time.Hour, "test"); err != nil {
		t.Fatal(err)
	}
	other := newDesk(t, c)
	there := d.shoot(c.free(0))
	approved := d.shoot(c.free(1))
	foreign := other.shoot(c.free(2))
	d.exchange()
	other.exchange()
	d.want(there, outbox.Opened)
	if err := c.server().Approve(t.Context(), approved.String(), "rev"); err != nil {
		t.Fatal(err)
	}
	// From here on there is no network.
	here, kept := d.shoot(c.free(3)), d.shoot(c.free(4))
	root, station := t.TempDir(), d.enrol.Enrolled.StationID
	export := func() stick.Exported {
		t.Helper()
		x, err := stick.Export(t.Context(), root, station, d.box, false)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	if x := export(); x.Packets != 2 || x.Erase != 0 {
		t.Fatalf("%+v", x)
	}
	for range 2 { // asking twice is asking once
		d.askErase(there)
		d.askErase(approved)
		d.askErase(here)
	}
	d.erasedHere(here)
	d.want(there, outbox.Opened) // until central's word
	d.waiting(3)
	for range 2 { // exporting again changes nothing
		if x := export(); x.Packets != 1 || x.Erase != 3 {
			t.Fatalf("%+v", x)
		}
	}
	files, err := stick.Files(root)
	if err != nil || len(files) != 1 {
		t.Fatalf("packets on the stick: %v %v", files, err)
	}

	// Requests that nobody may make.
	e, err := other.box.Get(foreign)
	if err != nil {
		t.Fatal(err)
	}
	forged := map[string]wire.Signed{}
	forged["another's packet, signed by this station"], err = wire.SignErase(d.key, station, e.Declared(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	forged["another's name, signed by this station"], err = wire.SignErase(d.key, other.enrol.Enrolled.StationID, e.Declared(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	forged["an unknown station"], err = wire.SignErase(d.key, "nobody", e.Declared(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(stick.PacketRoot(root), station)
	for name, s := range forged {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".erase"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range map[string]string{"empty": "", "no JSON": "\x00{", "no request": `{"type":"erase","payload":"e30="}`, "large": strings.Repeat(" ", 20<<10)} {
		if err := os.WriteFile(filepath.Join(dir, name+".erase"), []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	answers := func() stick.Imported {
		t.Helper()
		if _, _, err := c.server().ExportAnswers(t.Context(), station, root, "test"); err != nil {
			t.Fatal(err)
		}
		r := stick.Reader{Station: station, ClaimKey: d.enrol.Enrolled.ClaimKey, Central: d.enrol.Enrolled.CentralKey, Outbox: d.box, Roster: d.roster}
		x, err := r.Import(t.Context(), root)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for range 2 { // taking in again changes nothing
		rep, err := c.server().ImportPackets(t.Context(), root, "test")
		if err != nil || rep.Erased != 2 || rep.Decide != 1 || len(rep.Bad) != 7 {
			t.Fatalf("%+v %v", rep, err)
		}
	}
	c.erasedThere(there)
	c.erasedThere(here)
	if p, err := c.server().Packet(t.Context(), foreign.String()); err != nil || p.StudentRef == "" {
		t.Fatalf("another station's packet: %+v %v", p, err)
	}
	if x := answers(); x.Erased != 2 || x.Strange != 0 {
		t.Fatalf("%+v", x)
	}
	d.erasedHere(there)
	d.waiting(1) // an administrator decides about the approved one
	d.want(kept, outbox.Opened)
	if x := export(); x.Erase != 1 {
		t.Errorf("settled requests stay on the stick: %+v", x)
	}
	if err := c.server().DecideErasure(t.Context(), approved.String(), true, "chief"); err != nil {
		t.Fatal(err)
	}
	if x := answers(); x.Erased == 0 {
		t.Errorf("%+v", x)
	}
	d.waiting(0)
	d.erasedHere(approved)
}
