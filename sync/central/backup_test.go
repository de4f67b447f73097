package central

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func recoveryIdentity(t *testing.T, w *world) age.Identity {
	t.Helper()
	b, err := os.ReadFile(w.s.RecoveryIdentityPath())
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(b), "AGE-SECRET-KEY-")
	if at < 0 {
		t.Fatal("the file that is to be taken offline has no identity")
	}
	id, err := age.ParseX25519Identity(strings.TrimSpace(string(b[at:])))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestARestoredBackupIsTheWholeCentre(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	approved, waiting, begun := k.seal(studentA(1)), k.seal(studentA(2)), k.seal(studentA(3))
	k.send(approved)
	k.send(waiting)
	if err := w.s.Approve(t.Context(), approved.ID.String(), "rev"); err != nil {
		t.Fatal(err)
	}
	k.declare(declared(begun))
	if status, body := k.patch(begun.ID.String(), 0, begun.Bytes[:1000]); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	file := filepath.Join(t.TempDir(), "b.age")
	rep, err := w.s.Backup(t.Context(), file, "test")
	if err != nil || rep.Packets != 2 {
		t.Fatalf("%+v %v", rep, err)
	}
	if _, err := w.s.Backup(t.Context(), file, "test"); !errors.Is(err, os.ErrExist) {
		t.Errorf("over another backup: %v", err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, open := range []string{w.student(refOf(studentA(1))).Name, "yunzhao", string(waiting.Bytes[:8])} {
		if bytes.Contains(raw, []byte(open)) {
			t.Errorf("%q can be read in the backup", open)
		}
	}
	identity := recoveryIdentity(t, w)
	// What comes after the backup is not in it.
	after := k.seal(studentA(4))
	k.send(after)

	w.stop()
	w.dir = filepath.Join(t.TempDir(), "restored")
	n, err := Restore(t.Context(), bytes.NewReader(raw), identity, w.dir, "test", w.clock.now())
	if err != nil || n != 2 {
		t.Fatalf("restore: %d %v", n, err)
	}
	w.start()
	if got := w.status(approved.ID.String()); got != wire.VerdictApproved {
		t.Errorf("approved photo is %s", got)
	}
	if c, _, err := w.s.openForView(t.Context(), waiting.ID.String()); err != nil || len(c.Portrait) == 0 {
		t.Errorf("photo in review: %v", err)
	}
	if err := w.s.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
	// The same station goes on with the same keys: what was begun starts again,
	// and what the backup did not have is taken when it is offered again.
	for _, p := range []wire.Declared{declared(begun), declared(after)} {
		if r := k.declare(p)[0]; r.State != wire.DeclareWant || r.Offset != 0 {
			t.Errorf("declared again: %+v", r)
		}
	}
	k.send(after)
	if got := w.status(after.ID.String()); got != wire.VerdictInReview {
		t.Errorf("offered again: %s", got)
	}
	if _, err := Restore(t.Context(), bytes.NewReader(raw), identity, w.dir, "test", w.clock.now()); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("over a directory in use: %v", err)
	}
}

func TestABrokenBackupIsNotRestored(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	k.send(k.seal(studentA(1)))
	file := filepath.Join(t.TempDir(), "b.age")
	if _, err := w.s.Backup(t.Context(), file, "test"); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	good := recoveryIdentity(t, w)
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(raw)
	flipped[len(flipped)/2] ^= 1
	for name, tc := range map[string]struct {
		file []byte
		id   age.Identity
	}{
		"another identity": {raw, stranger},
		"cut in half":      {raw[:len(raw)/2], good},
		"without its end":  {raw[:len(raw)-100], good},
		"a changed byte":   {flipped, good},
		"no backup":        {[]byte("hello"), good},
		"empty":            {nil, good},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "r")
			if _, err := Restore(t.Context(), bytes.NewReader(tc.file), tc.id, dir, "test", w.clock.now()); !errors.Is(err, ErrBackup) {
				t.Errorf("%v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, indexFile)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("there is an index that could be served: %v", err)
			}
		})
	}
}
