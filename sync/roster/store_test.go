package roster_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

var day = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

func dataKey(t testing.TB) *keys.DataKey {
	t.Helper()
	ks, err := keys.Open(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := ks.CreateDataKey("")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t testing.TB, dir string, key roster.Sealer) *roster.Store {
	t.Helper()
	s, err := roster.Open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func apply(t testing.TB, s *roster.Store, d wire.RosterDelta) {
	t.Helper()
	if err := s.Apply(d); err != nil {
		t.Fatal(err)
	}
}

func student(n int) wire.Student {
	return wire.Student{
		Ref: fmt.Sprintf("stu-%05d", n), Batch: "b1", Name: fmt.Sprintf("测试学生%05d", n), IDType: wire.IDResident,
		IDNumber: fmt.Sprintf("370899200701%06d", n), StudentNo: fmt.Sprintf("2026%06d", n),
		School: "演示大学", Level: "本科", Major: "机械工程", Payment: wire.PaymentUnpaid,
	}
}

func students(from, to int) []wire.Student {
	var out []wire.Student
	for n := from; n < to; n++ {
		out = append(out, student(n))
	}
	return out
}

var batches = []wire.Batch{{ID: "b1", School: "演示大学", Title: "甲", Opens: day, Closes: day.AddDate(0, 1, 0)}}

func full(cursor uint64, st ...wire.Student) wire.RosterDelta {
	return wire.RosterDelta{Cursor: cursor, Full: true, Batches: batches, Upsert: st}
}

func refs(list []wire.Student) []string {
	var out []string
	for _, s := range list {
		out = append(out, s.Ref)
	}
	return out
}

func TestFullThenChangesThenRemovalSurviveARestart(t *testing.T) {
	dir, key := t.TempDir(), dataKey(t)
	s := open(t, dir, key)
	if s.Cursor() != 0 || s.Count() != 0 {
		t.Fatalf("a new list stands at %d with %d students", s.Cursor(), s.Count())
	}
	apply(t, s, full(10, student(1), student(2), student(3)))
	changed := student(2)
	changed.Name, changed.StudentNo = "测试改名", "X-1"
	apply(t, s, wire.RosterDelta{Since: 10, Cursor: 13, Batches: batches, Upsert: []wire.Student{changed, student(4)}, Remove: []string{"stu-00001", "nobody"}})

	for _, s := range []*roster.Store{s, open(t, dir, key)} {
		if s.Cursor() != 13 || s.Count() != 3 {
			t.Fatalf("cursor %d, %d students", s.Cursor(), s.Count())
		}
		if _, err := s.Student("stu-00001"); !errors.Is(err, roster.ErrUnknown) {
			t.Errorf("a removed student: %v", err)
		}
		if got := s.Lookup(roster.Any, student(1).IDNumber); len(got) != 0 {
			t.Errorf("a removed student is found: %v", refs(got))
		}
		if got, err := s.Student("stu-00002"); err != nil || got != changed {
			t.Errorf("changed student %+v %v", got, err)
		}
		if got := s.Lookup(roster.StudentNo, student(2).StudentNo); len(got) != 0 {
			t.Error("found under the number she had before")
		}
		if got := s.Lookup(roster.StudentNo, " ｘ１ "); !slices.Equal(refs(got), []string{"stu-00002"}) {
			t.Errorf("new number: %v", refs(got))
		}
		if b, ok := s.Batch("b1"); !ok || b.Title != "甲" {
			t.Errorf("batch %+v %v", b, ok)
		}
		if got := refs(s.Students()); !slices.Equal(got, []string{"stu-00002", "stu-00003", "stu-00004"}) {
			t.Errorf("everyone: %v", got)
		}
	}
	// A list for a station without batches any more.
	apply(t, s, wire.RosterDelta{Cursor: 20, Full: true})
	if _, ok := s.Batch("b1"); ok || s.Count() != 0 || s.Cursor() != 20 {
		t.Errorf("after an empty list: %d students at %d", s.Count(), s.Cursor())
	}
}

func TestPagesTakeEffectTogether(t *testing.T) {
	dir, key := t.TempDir(), dataKey(t)
	s := open(t, dir, key)
	apply(t, s, full(5, student(1), student(9)))

	first := full(7, students(20, 30)...)
	first.More = true
	second := wire.RosterDelta{Since: 7, Cursor: 8, Batches: batches, Upsert: students(30, 40), More: true}
	last := wire.RosterDelta{Since: 8, Cursor: 9, Batches: batches, Upsert: students(40, 45), Remove: []string{"stu-00020"}}
	apply(t, s, first)
	apply(t, s, second)
	if s.Cursor() != 8 {
		t.Errorf("asks on from %d, want 8", s.Cursor())
	}
	if got := s.Lookup(roster.Any, student(25).IDNumber); len(got) != 0 || s.Count() != 2 {
		t.Error("half a list is in use")
	}

	// The program ends in the middle: it goes on from what is durable.
	again := open(t, dir, key)
	if again.Cursor() != 5 || again.Count() != 2 {
		t.Fatalf("after a restart: cursor %d, %d students", again.Cursor(), again.Count())
	}
	if err := again.Apply(last); !errors.Is(err, roster.ErrDelta) {
		t.Errorf("a page without those before it: %v", err)
	}

	apply(t, s, last)
	for _, s := range []*roster.Store{s, open(t, dir, key)} {
		if s.Count() != 24 || s.Cursor() != 9 {
			t.Fatalf("%d students at %d", s.Count(), s.Cursor())
		}
		if _, err := s.Student("stu-00001"); err == nil {
			t.Error("a full list keeps an old student")
		}
	}

	// A full list that begins anew in the middle of another replaces it.
	first.Cursor = 20
	apply(t, s, first)
	apply(t, s, full(21, student(77)))
	if s.Count() != 1 || s.Cursor() != 21 {
		t.Errorf("%d students at %d", s.Count(), s.Cursor())
	}
}

func TestDeltasThatDoNotFitChangeNothing(t *testing.T) {
	key := dataKey(t)
	for _, tc := range []struct {
		name  string
		delta wire.RosterDelta
	}{
		{"from later than we are", wire.RosterDelta{Since: 11, Cursor: 12}},
		{"from earlier than we are", wire.RosterDelta{Since: 9, Cursor: 12, Remove: []string{"stu-00001"}}},
		{"backwards", wire.RosterDelta{Since: 10, Cursor: 9, Remove: []string{"stu-00001"}}},
		{"no reference", wire.RosterDelta{Since: 10, Cursor: 11, Upsert: []wire.Student{{Name: "x"}}}},
		{"no reference in a full list", wire.RosterDelta{Full: true, Cursor: 11, Upsert: []wire.Student{student(5), {}}}},
		{"more from nowhere", wire.RosterDelta{Full: true, More: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, key)
			apply(t, s, full(10, student(1)))
			if err := s.Apply(tc.delta); !errors.Is(err, roster.ErrDelta) {
				t.Fatalf("err = %v", err)
			}
			for _, s := range []*roster.Store{s, open(t, dir, key)} {
				if s.Cursor() != 10 || s.Count() != 1 {
					t.Errorf("cursor %d, %d students", s.Cursor(), s.Count())
				}
			}
		})
	}
}

func TestNothingNewIsNotWritten(t *testing.T) {
	dir, key := t.TempDir(), dataKey(t)
	s := open(t, dir, key)
	apply(t, s, full(10, student(1)))
	before, err := os.ReadFile(filepath.Join(dir, "roster.sealed"))
	if err != nil {
		t.Fatal(err)
	}
	same := slices.Clone(batches)
	same[0].Opens = day.In(time.FixedZone("CST", 8*3600)) // the same moment
	apply(t, s, wire.RosterDelta{Since: 10, Cursor: 10, Batches: same})
	after, err := os.ReadFile(filepath.Join(dir, "roster.sealed"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("written although nothing changed: %v", err)
	}
	same[0].PriceFen = 100
	apply(t, s, wire.RosterDelta{Since: 10, Cursor: 10, Batches: same})
	if b, _ := open(t, dir, key).Batch("b1"); b.PriceFen != 100 {
		t.Error("a changed batch was not kept")
	}
}

func TestLookupKinds(t *testing.T) {
	s := open(t, t.TempDir(), dataKey(t))
	twice := student(1)
	twice.Ref, twice.Batch, twice.StudentNo = "stu-90001", "b0", "2026900001"
	hmt := wire.Student{Ref: "hk", Batch: "b1", IDType: wire.IDHMT, IDNumber: "h01234567", StudentNo: "2026800001"}
	pass := wire.Student{Ref: "pp", Batch: "b1", IDType: wire.IDPassport, IDNumber: "ED 000-0017", StudentNo: "2026800002"}
	other := wire.Student{Ref: "oo", Batch: "b1", IDType: wire.IDOther, IDNumber: "Q7", StudentNo: "Q7"}
	x := wire.Student{Ref: "xx", Batch: "b1", IDType: wire.IDResident, IDNumber: "11010519491231002x"}
	permit := wire.Student{Ref: "rp", Batch: "b1", IDType: wire.IDHMT, IDNumber: "830000199201300022", StudentNo: "2026800003"}
	apply(t, s, full(3, student(1), twice, hmt, pass, other, x, permit, student(2)))
	one := student(1)
	for _, tc := range []struct {
		name   string
		kind   roster.Kind
		number string
		want   []string
	}{
		{"two records, by batch", roster.Resident, one.IDNumber, []string{"stu-90001", "stu-00001"}},
		{"with spaces", roster.Resident, " 370899 2007 0100 0001 ", []string{"stu-90001", "stu-00001"}},
		{"a scanner does not say", roster.Any, one.IDNumber, []string{"stu-90001", "stu-00001"}},
		{"student number by a scanner", roster.Any, one.StudentNo, []string{"stu-00001"}},
		{"a resident ID is no student number", roster.StudentNo, one.IDNumber, nil},
		{"a student number is no resident ID", roster.Resident, one.StudentNo, nil},
		{"upper X typed", roster.Resident, "11010519491231002X", []string{"xx"}},
		{"full-width", roster.Resident, "１１０１０５１９４９１２３１００２Ｘ", []string{"xx"}},
		{"permit in lower case", roster.HMT, "H01234567", []string{"hk"}},
		{"residence permit as a permit", roster.HMT, "830000199201300022", []string{"rp"}},
		{"residence permit typed as a resident ID", roster.Resident, "830000199201300022", []string{"rp"}},
		{"travel permit is no resident ID", roster.Resident, "H01234567", nil},
		{"permit is no passport", roster.Passport, "H01234567", nil},
		{"passport", roster.Passport, "ed0000017", []string{"pp"}},
		{"other as a permit", roster.HMT, "q7", []string{"oo"}},
		{"other as a passport", roster.Passport, "q7", []string{"oo"}},
		{"same number twice on one student", roster.Any, "Q7", []string{"oo"}},
		{"part of a number", roster.Any, one.IDNumber[:17], nil},
		{"longer than a number", roster.Any, one.IDNumber + "1", nil},
		{"nothing", roster.Any, " - ", nil},
		{"unknown kind", roster.Kind("x"), one.IDNumber, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := refs(s.Lookup(tc.kind, tc.number)); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestNothingReadableOnDisk(t *testing.T) {
	dir, key := t.TempDir(), dataKey(t)
	s := open(t, dir, key)
	one := student(1)
	apply(t, s, full(1, one, student(2)))
	if err := s.SetPayment("b1", one.Ref, wire.PaymentWaived, "孤儿免费"); err != nil {
		t.Fatal(err)
	}
	if err := s.MarkCaptured("b1", one.Ref, "01J6Q3ZK4MXB7T8W9V2N5C1D0E", day); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be read by others", d.Name())
		}
		for _, secret := range []string{one.Name, one.IDNumber, one.StudentNo, one.Ref, "孤儿", "01J6Q3ZK4M", "students", "演示大学", "waived"} {
			escaped, _ := json.Marshal(secret)
			if bytes.Contains(b, []byte(secret)) || bytes.Contains(b, bytes.Trim(escaped, `"`)) || strings.Contains(path, secret) {
				t.Errorf("%s holds %q in the clear", d.Name(), secret)
			}
		}
		return nil
	})
	if err != nil || files != 2 {
		t.Fatalf("%d files, %v", files, err)
	}
}

func TestWrongKeyAndDamageThrowNothingAway(t *testing.T) {
	key := dataKey(t)
	for _, tc := range []struct {
		name   string
		file   string
		damage func(b []byte) []byte
		key    *keys.DataKey
		want   error // nil = any
	}{
		{"another key", "roster.sealed", nil, dataKey(t), nil},
		{"a bit of the list", "roster.sealed", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, key, nil},
		{"a bit of the state", "state.sealed", func(b []byte) []byte { b[30] ^= 1; return b }, key, nil},
		{"cut off", "roster.sealed", func(b []byte) []byte { return b[:len(b)-1] }, key, nil},
		{"empty", "roster.sealed", func([]byte) []byte { return nil }, key, nil},
		{"sealed, but no list", "roster.sealed", func([]byte) []byte { return key.Seal("roster.sealed", []byte(`{"students":[1]}`)) }, key, roster.ErrDamaged},
		{"sealed, but nobody in it", "roster.sealed", func([]byte) []byte { return key.Seal("roster.sealed", []byte(`{"students":{"a":null}}`)) }, key, roster.ErrDamaged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, key)
			apply(t, s, full(1, student(1)))
			if err := s.SetPayment("b1", "stu-00001", wire.PaymentPaid, ""); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, tc.file)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if tc.damage != nil {
				b = tc.damage(b)
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err = roster.Open(dir, tc.key)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Fatalf("err = %v, want %v", err, tc.want)
			}
			if strings.Contains(err.Error(), student(1).Name) || strings.Contains(err.Error(), "3708") {
				t.Errorf("the error names a student: %v", err)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, b) {
				t.Errorf("the file was touched: %v", err)
			}
		})
	}
	// One sealed file does not stand in for the other.
	dir := t.TempDir()
	apply(t, open(t, dir, key), full(1, student(1)))
	if err := os.Rename(filepath.Join(dir, "roster.sealed"), filepath.Join(dir, "state.sealed")); err != nil {
		t.Fatal(err)
	}
	if _, err := roster.Open(dir, key); err == nil {
		t.Error("a list was taken for the state")
	}
	if _, err := roster.Open(dir, nil); err == nil {
		t.Error("opened without a key")
	}
}

func TestCrashBetweenWritingAndRenaming(t *testing.T) {
	dir, key := t.TempDir(), dataKey(t)
	s := open(t, dir, key)
	apply(t, s, full(10, student(1)))
	// What a crash leaves: a whole or a half new file that nobody renamed.
	for i, b := range [][]byte{key.Seal("roster.sealed", []byte(`{"cursor":99}`)), {1, 2}, nil} {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(".roster.sealed.%d.tmp", i)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir, key)
	if s.Cursor() != 10 || s.Count() != 1 {
		t.Errorf("cursor %d, %d students", s.Cursor(), s.Count())
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%d files are left: %v %v", len(left), left, err)
	}
}

func TestLocalStateIsDurableOrUnchanged(t *testing.T) {
	dir, key := t.TempDir(), dataKey(t)
	s := open(t, dir, key)
	if l := s.Local("b1", "a"); l != (roster.Local{}) {
		t.Errorf("of nobody: %+v", l)
	}
	if err := s.SetPayment("b1", "a", wire.PaymentDeferred, "下周补交"); err != nil {
		t.Fatal(err)
	}
	if err := s.MarkCaptured("b1", "a", "P1", day); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPayment("b2", "a", wire.PaymentPaid, ""); err != nil {
		t.Fatal(err)
	}
	want := roster.Local{Payment: wire.PaymentDeferred, Reason: "下周补交", Packet: "P1", At: day}
	apply(t, s, full(1, student(1))) // the list and the state do not touch each other
	for _, s := range []*roster.Store{s, open(t, dir, key)} {
		if l := s.Local("b1", "a"); l != want {
			t.Errorf("%+v, want %+v", l, want)
		}
		if l := s.Local("b2", "a"); l.Payment != wire.PaymentPaid || l.Packet != "" {
			t.Errorf("%+v", l)
		}
	}
	// The disk goes away: an error, and memory says what the disk said.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPayment("b1", "a", wire.PaymentPaid, ""); err == nil {
		t.Error("kept without a disk")
	}
	if l := s.Local("b1", "a"); l != want {
		t.Errorf("after a failure %+v", l)
	}
	if err := s.Apply(wire.RosterDelta{Since: 1, Cursor: 2, Upsert: []wire.Student{student(3)}}); err == nil {
		t.Error("kept a list without a disk")
	}
	if s.Cursor() != 1 || s.Count() != 1 {
		t.Errorf("after a failure cursor %d, %d students", s.Cursor(), s.Count())
	}
	// It comes back: the same step succeeds.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	apply(t, s, wire.RosterDelta{Since: 1, Cursor: 2, Batches: batches, Upsert: []wire.Student{student(3)}})
	if open(t, dir, key).Count() != 2 {
		t.Error("the step was not kept")
	}
}

func TestAsManyAtOnceAsThereAre(t *testing.T) {
	s := open(t, t.TempDir(), dataKey(t))
	apply(t, s, full(1, students(0, 50)...))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for n := range 20 {
				if got := s.Lookup(roster.Any, student(n).IDNumber); len(got) != 1 || got[0].School != "演示大学" {
					t.Errorf("found %d", len(got))
				}
				_ = s.Students()
				if err := s.MarkCaptured("b1", fmt.Sprintf("g%d-%d", g, n), "P", day); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := range uint64(10) {
		apply(t, s, wire.RosterDelta{Since: n + 1, Cursor: n + 2, Batches: batches, Upsert: students(50, 60)})
	}
	wg.Wait()
	for g := range 4 {
		for n := range 20 {
			if s.Local("b1", fmt.Sprintf("g%d-%d", g, n)).Packet != "P" {
				t.Fatal("a change was lost")
			}
		}
	}
}

// A hostile list, signed or not, makes an error or a list that can be kept and
// read again; never a panic and never a step back.
func FuzzApply(f *testing.F) {
	key := dataKey(f)
	for _, d := range []wire.RosterDelta{
		full(4, student(1), student(2)),
		{Since: 10, Cursor: 12, Remove: []string{"stu-00001", ""}, More: true},
		{Since: 10, Cursor: 10, Upsert: []wire.Student{{Ref: "a/b", IDNumber: "\u202e1", Name: "\x00"}}},
		{Full: true, More: true, Cursor: 1 << 63},
	} {
		b, err := json.Marshal(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, b)
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		dir := t.TempDir()
		s := open(t, dir, key)
		apply(t, s, full(10, student(1)))
		for _, b := range [][]byte{one, two} {
			var d wire.RosterDelta
			if json.Unmarshal(b, &d) != nil {
				return
			}
			before, count := s.Cursor(), s.Count()
			err := s.Apply(d)
			if err != nil && (s.Cursor() != before || s.Count() != count) {
				t.Fatalf("refused (%v), but changed", err)
			}
			if err == nil && s.Cursor() != d.Cursor {
				t.Fatalf("taken, but stands at %d, not at %d", s.Cursor(), d.Cursor)
			}
			for _, st := range s.Students() {
				if n := roster.Normalise(st.IDNumber); n != "" && len(s.Lookup(roster.Any, st.IDNumber)) == 0 {
					t.Fatal("on the list, but not found")
				}
			}
		}
		again := open(t, dir, key)
		if again.Count() != s.Count() {
			t.Fatalf("%d students, %d after a restart", s.Count(), again.Count())
		}
	})
}

// twentyThousand is the list of a large university in one batch.
func twentyThousand(tb testing.TB) *roster.Store {
	s := open(tb, tb.TempDir(), dataKey(tb))
	apply(tb, s, full(1, students(0, 20_000)...))
	return s
}

func BenchmarkLookup20000(b *testing.B) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	s := twentyThousand(b)
	mib := float64(heap()-before) / (1 << 20)
	numbers := make([]string, 100)
	for i := range numbers {
		numbers[i] = student(i * 199).IDNumber
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if len(s.Lookup(roster.Any, numbers[n%len(numbers)])) != 1 {
			b.Fatal("not found")
		}
		n++
	}
	b.ReportMetric(mib, "MiB-list")
}

func BenchmarkApplyOneChangeTo20000(b *testing.B) {
	s := twentyThousand(b)
	n := uint64(1)
	for b.Loop() {
		apply(b, s, wire.RosterDelta{Since: n, Cursor: n + 1, Batches: batches, Upsert: students(7, 8)})
		n++
	}
}

func BenchmarkOpen20000(b *testing.B) {
	dir, key := b.TempDir(), dataKey(b)
	apply(b, open(b, dir, key), full(1, students(0, 20_000)...))
	for b.Loop() {
		open(b, dir, key)
	}
}
