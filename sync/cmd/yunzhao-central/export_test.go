package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/csv"
	"encoding/json"
	"image"
	"image/jpeg"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// photographed fills a central directory through a real station with a photo
// each of the first students without a fee, and returns them and the packets.
func photographed(t *testing.T, dir string, students int) ([]wire.Student, []*packet.Sealed) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	srv, err := central.Open(dir, central.Options{Logger: slog.New(slog.DiscardHandler)})
	must(err)
	defer func() { must(srv.Close()) }()
	web := httptest.NewServer(srv.Handler())
	defer web.Close()
	info, err := srv.SeedDemo(ctx)
	must(err)
	of, err := srv.Students(ctx, central.DemoBatchFree)
	must(err)
	store, err := keys.Open(filepath.Join(t.TempDir(), "keys"))
	must(err)
	enrolment, err := uplink.Enroll(ctx, uplink.EnrollParams{Keys: store, URL: web.URL, Code: info.EnrolCode, Name: "t"})
	must(err)
	key, err := store.StationKey()
	must(err)
	dataKey, err := store.CreateDataKey("")
	must(err)
	list, err := roster.Open(filepath.Join(t.TempDir(), "roster"), dataKey)
	must(err)
	box, err := outbox.Open(filepath.Join(t.TempDir(), "outbox"), outbox.Options{
		Log: slog.New(slog.DiscardHandler), Limits: outbox.Limits{MinFree: 1},
		Verify: func(b []byte) (*packet.Packet, error) { return packet.Verify(b, key.Public().(ed25519.PublicKey)) },
	})
	must(err)
	defer func() { must(box.Close()) }()
	to, err := enrolment.Recipients()
	must(err)
	var sealed []*packet.Sealed
	for i := range students {
		var picture bytes.Buffer
		must(jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 8+i, 8)), nil))
		seq, err := box.NextSeq()
		must(err)
		p, err := packet.Seal(packet.Input{
			ID: ulid.Make(), Seq: seq, Station: enrolment.Enrolled.StationID, Spec: "chsi", Created: time.Now(),
			Original: picture.Bytes(), Portrait: picture.Bytes(), Audit: []byte("{}\n"),
			Manifest: packet.Manifest{
				Batch: of[i].Batch, Student: packet.Student{Ref: of[i].Ref, IdentifiedBy: "keypad"},
				Payment: packet.Payment{State: string(wire.PaymentNone)}, Report: json.RawMessage(`{"verdict":"pass","checks":[]}`),
			},
		}, to, key)
		must(err)
		_, err = box.Commit(p)
		must(err)
		sealed = append(sealed, p)
	}
	worker, err := uplink.NewWorker(uplink.Params{
		Enrolment: enrolment, Key: key, Roster: list, Outbox: box, Version: "test",
		Network: func(context.Context, func()) error { return nil },
	})
	must(err)
	for range 3 {
		must(worker.Exchange(ctx))
	}
	must(srv.Approve(ctx, sealed[0].ID.String(), "rev"))
	must(srv.Approve(ctx, sealed[1].ID.String(), "rev"))
	must(srv.Reject(ctx, sealed[2].ID.String(), "rev", "blur", ""))
	return of, sealed
}

func TestExportApprovedPhotosWithTheirList(t *testing.T) {
	data := filepath.Join(t.TempDir(), "central")
	students, sealed := photographed(t, data, 4) // two approved, one rejected, one waiting
	out := filepath.Join(t.TempDir(), "export")
	export := func(code int, want string, args ...string) {
		t.Helper()
		got, stdout, stderr := command(t, "", append([]string{"export", "--data", data, "--out", out}, args...)...)
		if got != code || !strings.Contains(stdout+stderr, want) {
			t.Fatalf("exit %d, want %d and %q:\n%s%s", got, code, want, stdout, stderr)
		}
	}
	export(0, "approved 2，新写入 written 2")
	entries, err := os.ReadDir(out)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for i, s := range students[:2] {
		path := filepath.Join(out, s.StudentNo+".jpg")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := jpeg.DecodeConfig(bytes.NewReader(b)); err != nil || c.Width != 8+i {
			t.Errorf("student %d has another's photo: %d wide, %v", i, c.Width, err)
		}
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", fi.Mode(), err)
		}
	}
	list, err := os.ReadFile(filepath.Join(out, listName))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(list, []byte("\xef\xbb\xbf")))).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][0] != students[0].StudentNo+".jpg" || rows[1][3] != students[0].IDNumber || rows[1][8] != sealed[0].ID.String() {
		t.Fatalf("%v %v", rows, err)
	}

	export(0, "written 0") // nothing new
	path := filepath.Join(out, students[0].StudentNo+".jpg")
	if err := os.WriteFile(path, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	export(1, "another file has this name")
	if b, err := os.ReadFile(path); err != nil || string(b) != "another" {
		t.Error("a file that was there has been written over")
	}
	export(1, "the same file name as", "--names", "same")
	export(1, `no field "nothing"`, "--names", "{nothing}")
	export(0, "approved 0", "--batch", central.DemoBatchPaid)
	if code, stdout, stderr := command(t, "", "verify-audit", "--data", data); code != 0 {
		t.Error(stdout, stderr)
	}
}
