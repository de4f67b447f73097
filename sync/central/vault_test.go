package central

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// holding lists the files under dir in which one of the secrets can be read.
func holding(t *testing.T, dir string, secrets map[string][]byte) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		for what, secret := range secrets {
			if bytes.Contains(b, secret) {
				found = append(found, what+" in "+filepath.Base(path))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// secretsOf are what must not be read in a file: who somebody is, and the photo
// in any of its forms.
func secretsOf(st wire.Student, p *packet.Sealed, portrait []byte) map[string][]byte {
	return map[string][]byte{
		"name": []byte(st.Name), "number": []byte(st.IDNumber), "student number": []byte(st.StudentNo),
		"portrait": portrait[len(portrait)/2 : len(portrait)/2+32], "packet": p.Bytes[len(p.Bytes)/2 : len(p.Bytes)/2+32],
	}
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestNobodyCanBeReadInTheDirectory(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	st := w.student(refOf(studentA(1)))
	portrait := testJPEG(t, 120, 160)
	p := k.seal(studentA(1), func(s *shot) { s.in.Portrait = portrait })
	k.send(p)
	half := k.seal(studentA(2))
	k.declare(declared(half))
	k.patch(half.ID.String(), 0, half.Bytes[:len(half.Bytes)*3/4])
	if found := holding(t, w.dir, secretsOf(st, p, portrait)); len(found) > 0 {
		t.Errorf("can be read: %v", found)
	}
	if found := holding(t, w.dir, secretsOf(w.student(refOf(studentA(2))), half, portrait)); len(found) > 0 {
		t.Errorf("of a half upload can be read: %v", found)
	}
	if c, _, err := w.s.openForView(t.Context(), p.ID.String()); err != nil || !bytes.Equal(c.Portrait, portrait) {
		t.Errorf("central itself: %v", err)
	}
}

func TestAnErasedStudentIsGoneFromEveryCopy(t *testing.T) {
	w := newWorld(t)
	k, ctx := w.kiosk(), t.Context()
	st := w.student(refOf(studentA(1)))
	portrait := testJPEG(t, 120, 160)
	approved := k.seal(studentA(1), func(s *shot) { s.in.Portrait = portrait })
	k.send(approved)
	if err := w.s.Approve(ctx, approved.ID.String(), "rev"); err != nil {
		t.Fatal(err)
	}
	other := k.seal(studentA(2))
	k.send(other)
	phone := w.browser()
	phone.get("/k/" + k.token(ulid.Make(), time.Hour))
	phone.identify(st)
	cursor := w.rosterCursor(k)

	backup := filepath.Join(t.TempDir(), "b.age")
	if _, err := w.s.Backup(ctx, backup, "test"); err != nil {
		t.Fatal(err)
	}
	before := copyDir(t, w.dir)
	var wrapped [][]byte
	if err := w.s.view(ctx, func(tx *bolt.Tx) error {
		for _, label := range []string{studentLabel(st.Ref), packetLabel(approved.ID.String())} {
			wrapped = append(wrapped, bytes.Clone(tx.Bucket(bktDataKeys).Get([]byte(label))))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	if err := w.s.EraseStudent(ctx, st.Ref, "admin"); err != nil {
		t.Fatal(err)
	}
	if err := w.s.EraseStudent(ctx, st.Ref, "admin"); !errors.Is(err, ErrNotFound) {
		t.Errorf("erased twice: %v", err)
	}
	if got := w.status(approved.ID.String()); got != string(StageErased) {
		t.Errorf("approved photo is %s", got)
	}
	if _, err := os.Stat(w.s.packetPath(approved.ID.String())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the packet's file: %v", err)
	}
	if r := k.declare(declared(approved))[0]; r.State != wire.DeclareErased {
		t.Errorf("the station's packet: %+v", r)
	}
	d, err := w.s.rosterDelta(ctx, w.stationRow(k), cursor)
	if err != nil || len(d.Remove) != 1 || d.Remove[0] != st.Ref {
		t.Errorf("the stations' list: %+v %v", d.Remove, err)
	}
	if status := phone.get("/m/"); status != 401 {
		t.Errorf("the student's phone is answered %d", status)
	}
	if _, _, err := w.s.openForView(ctx, other.ID.String()); err != nil {
		t.Errorf("another student's photo: %v", err)
	}
	if n := len(w.s.mustStudents(t, DemoBatchPaid)); n != 22 {
		t.Errorf("%d students are left", n)
	}
	// The next start compacts: no page holds the dropped keys any more.
	w.restart()
	secrets := secretsOf(st, approved, portrait)
	secrets["wrapped key of the student"], secrets["wrapped key of the packet"] = wrapped[0][8:], wrapped[1][8:]
	if found := holding(t, w.dir, secrets); len(found) > 0 {
		t.Errorf("can be read: %v", found)
	}
	if err := w.s.VerifyAudit(ctx); err != nil {
		t.Error(err)
	}

	t.Run("a copy of the index and the packets", func(t *testing.T) {
		// The copy has everything but the master key of its time.
		if err := errors.Join(os.RemoveAll(filepath.Join(before, dirKeys)), os.CopyFS(filepath.Join(before, dirKeys), os.DirFS(filepath.Join(w.dir, dirKeys)))); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(before, Options{}); err == nil {
			t.Errorf("it opens with the master key of today (%v)", s.Close())
		}
	})
	t.Run("a backup of before", func(t *testing.T) {
		raw, err := os.ReadFile(backup)
		if err != nil {
			t.Fatal(err)
		}
		list, err := os.ReadFile(filepath.Join(w.dir, FileTombstones))
		if err != nil {
			t.Fatal(err)
		}
		if found := holding(t, w.dir, map[string][]byte{"ref": nil}); len(found) == 0 {
			t.Fatal("the search finds nothing at all")
		}
		for name, tc := range map[string]struct {
			list []byte
			gone bool
		}{"beside the tombstones": {list, true}, "beside none": {nil, false}} {
			t.Run(name, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "r")
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				if tc.list != nil {
					if err := os.WriteFile(filepath.Join(dir, FileTombstones), tc.list, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := Restore(ctx, bytes.NewReader(raw), recoveryIdentity(t, w), dir, "test", w.clock.now()); err != nil {
					t.Fatal(err)
				}
				s, err := Open(dir, Options{Now: w.clock.now})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				_, _, err = s.openForView(ctx, approved.ID.String())
				if gone := err != nil; gone != tc.gone {
					t.Errorf("the erased photo: %v", err)
				}
				if gone := len(s.mustStudents(t, DemoBatchPaid)) == 22; gone != tc.gone {
					t.Errorf("the erased student is there: %v", !gone)
				}
				if _, _, err := s.openForView(ctx, other.ID.String()); err != nil {
					t.Errorf("another student's photo: %v", err)
				}
				if err := s.VerifyAudit(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		t.Run("beside a list that is torn", func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "r")
			if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, FileTombstones), list[:len(list)-3], 0o600)); err != nil {
				t.Fatal(err)
			}
			if _, err := Restore(ctx, bytes.NewReader(raw), recoveryIdentity(t, w), dir, "test", w.clock.now()); !errors.Is(err, ErrInvalid) {
				t.Errorf("restored: %v", err)
			}
		})
	})
}

// mustStudents lists a batch's roster.
func (s *Server) mustStudents(t *testing.T, batch string) []wire.Student {
	t.Helper()
	all, err := s.Students(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (w *world) stationRow(k *kiosk) (st Station) {
	w.t.Helper()
	err := w.s.view(w.t.Context(), func(tx *bolt.Tx) (err error) {
		st, err = getJSON[Station](tx, bktStations, []byte(k.info.StationID))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

func (w *world) rosterCursor(k *kiosk) uint64 {
	w.t.Helper()
	d, err := w.s.rosterDelta(w.t.Context(), w.stationRow(k), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return d.Cursor
}

// TestChangeOfTheMasterKeyCutShort leaves the keys as a crash at each step does.
func TestChangeOfTheMasterKeyCutShort(t *testing.T) {
	for name, cut := range map[string]func(t *testing.T, dir string, before []byte){
		"the next key is written, the index not": func(t *testing.T, dir string, _ []byte) {
			must(t, os.WriteFile(filepath.Join(dir, fileMasterNext), randomKey(), 0o600))
		},
		"the next key is half written": func(t *testing.T, dir string, _ []byte) {
			must(t, os.WriteFile(filepath.Join(dir, fileMasterNext), []byte("half"), 0o600))
		},
		"the index is written, the old key lies there": func(t *testing.T, dir string, before []byte) {
			must(t, os.Rename(filepath.Join(dir, fileMaster), filepath.Join(dir, fileMasterNext)))
			must(t, os.WriteFile(filepath.Join(dir, fileMaster), before, 0o600))
		},
		"the old key is overwritten": func(t *testing.T, dir string, _ []byte) {
			must(t, os.Rename(filepath.Join(dir, fileMaster), filepath.Join(dir, fileMasterNext)))
			must(t, os.WriteFile(filepath.Join(dir, fileMaster), make([]byte, 32), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			k := w.kiosk()
			p := k.seal(studentA(2))
			k.send(p)
			keys := filepath.Join(w.dir, dirKeys)
			before, err := os.ReadFile(filepath.Join(keys, fileMaster))
			must(t, err)
			must(t, w.s.EraseStudent(t.Context(), refOf(studentA(1)), "admin"))
			after, err := os.ReadFile(filepath.Join(keys, fileMaster))
			must(t, err)
			if bytes.Equal(before, after) {
				t.Fatal("the master key has not changed")
			}
			w.stop()
			cut(t, keys, before)
			w.start()
			if _, _, err := w.s.openForView(t.Context(), p.ID.String()); err != nil {
				t.Errorf("a photo: %v", err)
			}
			if _, err := os.Stat(filepath.Join(keys, fileMasterNext)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("two master keys: %v", err)
			}
			if now, err := os.ReadFile(filepath.Join(keys, fileMaster)); err != nil || !bytes.Equal(now, after) {
				t.Errorf("not the key in use: %v", err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoMasterKeyNoService(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	k.send(k.seal(studentA(1)))
	w.stop()
	t.Cleanup(w.start)
	path := filepath.Join(w.dir, dirKeys, fileMaster)
	good, err := os.ReadFile(path)
	must(t, err)
	for name, bad := range map[string][]byte{"another": randomKey(), "short": good[:31], "none": nil} {
		must(t, os.Remove(path))
		if bad != nil {
			must(t, os.WriteFile(path, bad, 0o600))
		}
		if s, err := Open(w.dir, Options{}); err == nil || !strings.Contains(err.Error(), fileMaster) {
			t.Errorf("%s: %v", name, err)
			if s != nil {
				must(t, s.Close())
			}
		}
		if _, err := os.Stat(path); bad == nil && err == nil {
			t.Errorf("%s: a new key was made, which opens nothing", name)
		}
		must(t, os.WriteFile(path, good, 0o600))
	}
}

// TestErasingWhileOthersRead lets readers and writers go on while the master key
// changes again and again.
func TestErasingWhileOthersRead(t *testing.T) {
	w := newWorld(t)
	k, ctx := w.kiosk(), t.Context()
	p := k.seal(studentA(18))
	k.send(p)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := w.s.openForView(ctx, p.ID.String()); err != nil {
					t.Errorf("a photo: %v", err)
					return
				}
				if _, err := w.s.Students(ctx, DemoBatchPaid); err != nil {
					t.Errorf("the roster: %v", err)
					return
				}
				if err := w.s.update(ctx, func(tx *bolt.Tx) error { return w.s.setPayment(tx, refOf(studentA(18)), wire.PaymentPaid) }); err != nil {
					t.Errorf("a payment: %v", err)
					return
				}
			}
		})
	}
	for n := 1; n <= 8; n++ {
		must(t, w.s.EraseStudent(ctx, refOf(studentA(n)), "admin"))
	}
	close(stop)
	wg.Wait()
	w.restart()
	if _, _, err := w.s.openForView(ctx, p.ID.String()); err != nil {
		t.Error(err)
	}
}

// makeOld turns a closed directory into what the program of before left: rows
// and index of documents in plain, packets as the stations sealed them, free
// pages and all.
func makeOld(t *testing.T, w *world, packets ...*packet.Sealed) {
	t.Helper()
	err := w.s.update(t.Context(), func(tx *bolt.Tx) error {
		var rows []studentRow
		err := tx.Bucket(bktStudents).ForEach(func(ref, _ []byte) error {
			row, err := w.s.student(tx, string(ref))
			rows = append(rows, row)
			return err
		})
		must(t, errors.Join(err, tx.DeleteBucket(bktByDocument), tx.DeleteBucket(bktDataKeys), tx.DeleteBucket(bktErased)))
		_, err = tx.CreateBucket(bktByDocument)
		must(t, err)
		for _, r := range rows {
			must(t, putJSON(tx, bktStudents, []byte(r.Ref), r))
			must(t, tx.Bucket(bktByDocument).Put(joinKey(r.Batch, string(r.IDType), r.IDNumber, r.Ref), nil))
		}
		return errors.Join(tx.Bucket(bktMeta).Put(keySchema, schemaPlain), tx.Bucket(bktMeta).Delete(keyMaster))
	})
	must(t, err)
	w.stop()
	must(t, os.Remove(filepath.Join(w.dir, dirKeys, fileMaster)))
	for _, p := range packets {
		path := w.s.packetPath(p.ID.String())
		if _, err := os.Stat(path); err != nil {
			path = w.s.uploadPath(p.ID.String())
		}
		info, err := os.Stat(path)
		must(t, err)
		must(t, os.Chmod(path, 0o600))
		must(t, os.WriteFile(path, p.Bytes[:info.Size()], 0o600))
	}
}

func TestAnOldStoreIsEncryptedAtTheStart(t *testing.T) {
	for name, crash := range map[string]func(t *testing.T, w *world, p *packet.Sealed){
		"at once": func(*testing.T, *world, *packet.Sealed) {},
		"a packet's file was half encrypted": func(t *testing.T, w *world, p *packet.Sealed) {
			must(t, os.WriteFile(w.s.packetPath(p.ID.String())+extSealing, p.Bytes[:100], 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			k, ctx := w.kiosk(), t.Context()
			portrait := testJPEG(t, 120, 160)
			p := k.seal(studentA(1), func(s *shot) { s.in.Portrait = portrait })
			k.send(p)
			must(t, w.s.Approve(ctx, p.ID.String(), "rev"))
			half := k.seal(studentA(2))
			k.declare(declared(half))
			k.patch(half.ID.String(), 0, half.Bytes[:5000])
			must(t, w.s.RemoveStudents(ctx, []string{refOf(studentA(3))}, "test"))
			st, cursor := w.student(refOf(studentA(1))), w.rosterCursor(k)
			makeOld(t, w, p, half)
			secrets := secretsOf(st, p, portrait)
			delete(secrets, "portrait") // age had sealed it
			if found := holding(t, w.dir, secrets); len(found) < 4 {
				t.Fatalf("the old store holds only %v", found)
			}
			crash(t, w, p)
			w.start()

			if found := holding(t, w.dir, secrets); len(found) > 0 {
				t.Errorf("can still be read: %v", found)
			}
			if got := w.student(st.Ref); got != st {
				t.Errorf("student %+v", got)
			}
			if _, _, err := w.s.openForView(ctx, p.ID.String()); err != nil {
				t.Errorf("an approved photo: %v", err)
			}
			if got := w.rosterCursor(k); got != cursor {
				t.Errorf("the stations' list went from %d to %d", cursor, got)
			}
			if r := k.declare(declared(half))[0]; r.State != wire.DeclareWant || r.Offset != 0 {
				t.Errorf("a half upload: %+v", r)
			}
			k.send(half)
			if err := w.s.VerifyStored(ctx, p.ID.String()); err != nil {
				t.Error(err)
			}
			if err := w.s.VerifyAudit(ctx); err != nil {
				t.Error(err)
			}
			b := w.browser()
			b.get("/k/" + k.token(ulid.Make(), time.Hour))
			b.identify(st)
			b.want(200, b.get("/m/"), "通过")
			w.restart()
		})
	}
}

func TestErasingAtAStationShredsThePacket(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	p, q := k.seal(studentA(1)), k.seal(studentA(2))
	k.send(p)
	k.send(q)
	before, err := os.ReadFile(filepath.Join(w.dir, dirKeys, fileMaster))
	must(t, err)
	req, err := wire.SignErase(k.key, k.info.StationID, declared(p), w.clock.now())
	must(t, err)
	var said wire.Erased
	k.call("POST", "/v1/packets:erase", req, wire.TypeErased, &said)
	if said.State != wire.EraseDone {
		t.Fatalf("%+v", said)
	}
	after, err := os.ReadFile(filepath.Join(w.dir, dirKeys, fileMaster))
	must(t, err)
	if bytes.Equal(before, after) {
		t.Error("a copy of the packet and its wrapped key would still open")
	}
	if _, err := w.s.packetKey(t.Context(), p.ID.String()); !errors.Is(err, ErrNotFound) {
		t.Errorf("the packet's key: %v", err)
	}
	if err := w.s.VerifyStored(t.Context(), q.ID.String()); err != nil {
		t.Error(err)
	}
}

// TestCryptAt holds pieces against the whole: an upload may resume anywhere.
func TestCryptAt(t *testing.T) {
	key, plain := randomKey(), make([]byte, 1000)
	whole := make([]byte, len(plain))
	must(t, cryptAt(key, 0, whole, plain))
	for _, cut := range []int64{0, 1, 15, 16, 17, 31, 32, 500, 999, 1000} {
		got := bytes.Clone(plain)
		must(t, cryptAt(key, 0, got[:cut], got[:cut]))
		must(t, cryptAt(key, cut, got[cut:], got[cut:]))
		if !bytes.Equal(got, whole) {
			t.Errorf("cut at %d: other bytes", cut)
		}
	}
	must(t, cryptAt(key, 0, whole, whole))
	if !bytes.Equal(whole, plain) {
		t.Error("there and back is not the same")
	}
}

func FuzzTombstones(f *testing.F) {
	f.Add([]byte(`{"students":[{"ref":"a","batch":"b","erased":"2026-09-01T00:00:00Z"}],"packets":[]}`))
	f.Add([]byte(`{"packets":[{"id":"01K3ZJ8Q0V6M2E7C9T4R5W1XYB","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","size":3,"seq":1,"stage":"erased"}]}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseTombstones(b)
		if err != nil {
			if len(list.Students)+len(list.Packets) > 0 {
				t.Fatal("an error and a list")
			}
			return
		}
		again, err := json.Marshal(list)
		must(t, err)
		if _, err := parseTombstones(again); err != nil {
			t.Fatalf("what was believed is not believed again: %v", err)
		}
	})
}

// A reader opens what was wrapped when it began, through any number of changes,
// and nobody does after it.
func TestRetiredMasterKeysLiveAsLongAsTheirReaders(t *testing.T) {
	next := func() *master {
		m, err := newMaster(randomKey())
		must(t, err)
		return m
	}
	first := next()
	v := &vault{current: first}
	key := randomKey()
	wrapped := first.wrap("student x", key)
	opens := func() bool {
		got, err := v.unwrap("student x", wrapped)
		return err == nil && bytes.Equal(got, key)
	}
	leave := v.enter()
	for range 3 {
		done, _ := v.change(next())
		// Whoever begins between the change and its commit reads what was before.
		late := v.enter()
		done()
		if !opens() {
			t.Fatal("a reader from before the change does not open it")
		}
		late()
	}
	if !opens() || len(v.retired) != 3 {
		t.Fatalf("with a reader from before: opens %v, %d keys kept", opens(), len(v.retired))
	}
	leave()
	if opens() || len(v.retired) != 0 || len(v.readers) != 0 {
		t.Errorf("with no reader: opens %v, %d keys, %d readers", opens(), len(v.retired), len(v.readers))
	}

	second := v.now()
	_, undo := v.change(next())
	undo()
	if v.now() != second || len(v.retired) != 0 {
		t.Error("a change that failed is not taken back")
	}
}
