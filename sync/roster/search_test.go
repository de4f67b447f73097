package roster_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func named(ref, name string) wire.Student {
	return wire.Student{Ref: ref, Batch: "b1", Name: name, IDType: wire.IDResident, IDNumber: "X" + ref, StudentNo: "N" + ref}
}

func TestNamesAreOneInAllWritings(t *testing.T) {
	for _, tc := range [][2]string{
		{"张三", "張三"},
		{"张三", "张　三"},
		{"买买提·艾力", "买买提•艾力"},
		{"买买提·艾力", "買買提艾力"},
		{"买买提．艾力", "买买提‧艾力"},
		{"John Smith", "JOHN SMITH"},
		{"Ｊｏｈｎ", "john"},
		{"王\u200b明", "王明"},
	} {
		if a, b := roster.FoldName(tc[0]), roster.FoldName(tc[1]); a != b || a == "" {
			t.Errorf("%q and %q: %q, %q", tc[0], tc[1], a, b)
		}
	}
	// A registry that still writes GBK's private use: U+E863 is U+4DAE now, and
	// U+E843 U+9FB9.
	for old, now := range map[string]string{"王\ue863": "王\u4dae", "\ue843": "\u9fb9", "\ue816": "\U00020087"} {
		if a, b := roster.FoldName(old), roster.FoldName(now); a != b {
			t.Errorf("%+q and %+q: %+q, %+q", old, now, a, b)
		}
	}
	if roster.FoldName("张三") == roster.FoldName("张四") {
		t.Error("two names are one")
	}
}

func TestSameName(t *testing.T) {
	for _, tc := range []struct {
		read, listed string
		want         bool
	}{
		{"张明", "张明", true},
		{"張明", "张明", true},
		{"张朋", "张明", true},
		{"李四", "张明", false},
		{"张小朋", "张小明", true},
		{"李大明", "张小明", false},
		{"", "张明", false},
		{"张明", "", false},
		{"张明明", "张明", false},
		{"买买提艾力", "买买提·艾力", true},
	} {
		if got := roster.SameName(tc.read, tc.listed); got != tc.want {
			t.Errorf("%s, %s: %v", tc.read, tc.listed, got)
		}
	}
}

func TestSearch(t *testing.T) {
	s := open(t, t.TempDir(), dataKey(t))
	other := named("o", "张建明")
	other.Batch = "b2"
	apply(t, s, full(1, named("a", "张小明"), named("b", "张建民"), named("c", "曾明"), named("d", "買買提·艾力"), named("e", "John Smith"),
		named("f", "欧阳娜娜"), named("g", "单于飞"), other, named("h", "𠮷田"), named("i", "")))
	for _, tc := range []struct {
		name, batch, query string
		limit              int
		want               []string
	}{
		{"initials", "", "zjm", 9, []string{"o", "b"}},
		{"upper case", "", "ZJM", 9, []string{"o", "b"}},
		{"one batch", "b1", "zjm", 9, []string{"b"}},
		{"some of the initials", "", "zx", 9, []string{"a"}},
		{"both readings", "", "cm", 9, []string{"c"}},
		{"the other reading", "", "zm", 9, []string{"c"}},
		{"a surname of its own reading", "", "syf", 9, []string{"g"}},
		{"whole name", "", "张小明", 9, []string{"a"}},
		{"traditional", "", "張小明", 9, []string{"a"}},
		{"beginning", "", "欧阳", 9, []string{"f"}},
		{"no dot, the other script", "", "买买提艾力", 9, []string{"d"}},
		{"Latin", "", "john s", 9, []string{"e"}},
		{"number", "", "Xb", 9, []string{"b"}},
		{"number of another batch", "b2", "Xb", 9, nil},
		{"rare", "", "𠮷", 9, []string{"h"}},
		{"limit", "", "z", 2, []string{"c", "a"}},
		{"no limit is nothing", "", "z", 0, nil},
		{"nothing", "", " ", 9, nil},
		{"digits are a number", "", "123", 9, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := refs(s.Search(tc.batch, tc.query, tc.limit)); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	apply(t, s, wire.RosterDelta{Since: 1, Cursor: 2, Batches: batches, Remove: []string{"a"}})
	if got := s.Search("", "张小明", 9); len(got) != 0 {
		t.Error("a removed student is found")
	}
}

// crowd is a roster of n students with names as they are common.
func crowd(n int) []wire.Student {
	rng := rand.New(rand.NewPCG(1, 2))
	sur, given := []rune("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗曾单仇解"), []rune("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红文辉建国志海波宁欣雨晨浩宇轩子涵梓萱")
	pick := func(r []rune) string { return string(r[rng.IntN(len(r))]) }
	out := make([]wire.Student, n)
	for i := range out {
		out[i] = student(i)
		out[i].Name = pick(sur) + pick(given) + pick(given)
	}
	return out
}

// BenchmarkLookup is a roster of 20,000 students searched in each way.
func BenchmarkLookup(b *testing.B) {
	s := open(b, b.TempDir(), dataKey(b))
	list := crowd(20000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	apply(b, s, full(1, list...))
	runtime.GC()
	runtime.ReadMemStats(&after)
	for _, tc := range []struct{ name, query string }{
		{"number", list[777].IDNumber},
		{"name", list[777].Name},
		{"surname", string([]rune(list[777].Name)[:1])},
		{"pinyin", "zjm"},
		{"letter", "z"},
		{"tail", list[777].IDNumber[14:]},
	} {
		b.Run(tc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(s.Search("", tc.query, 20)) == 0 {
					b.Fatal("nobody")
				}
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB-roster")
		})
	}
}

// FuzzSearch types anything at all.
func FuzzSearch(f *testing.F) {
	s := open(f, f.TempDir(), dataKey(f))
	apply(f, s, full(1, crowd(200)...))
	for _, q := range []string{"zjm", "张", "買買提·艾力", "\ue816", "370899", "\x00", "z\xff", "000777", "12x", "１２３"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		folded := roster.FoldName(q)
		if again := roster.FoldName(folded); again != folded {
			t.Fatalf("folding twice differs: %q", fmt.Sprintf("%+q %+q", folded, again))
		}
		for _, st := range s.Search("", q, 5) {
			if st.Ref == "" {
				t.Fatal("nobody is found")
			}
		}
		roster.SameName(q, folded)
	})
}
