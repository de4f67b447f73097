package central

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

const goodCSV = "姓名,证件类型,证件号码,学号,学校,层次,专业\n" +
	"测试甲,居民身份证,11010519491231002X,1,演示大学,本科,数学\n" +
	"阿依·古丽,身份证,440524199001010018,2,,硕士,\"物理,实验\"\n" +
	"CHAN TEST,港澳台,h0123 4567,3,,本科,\n" +
	"测试丁,护照,Ｅ１２３４５６,4,,本科,\n"

func TestImportRoster(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(goodCSV)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := w.s.ImportRoster(ctx, DemoBatchFree, []byte("\xef\xbb\xbf"+goodCSV), "test")
	if err != nil || rep.Added != 4 {
		t.Fatalf("%+v %v", rep, err)
	}
	rep, err = w.s.ImportRoster(ctx, DemoBatchFree, []byte(gb), "test")
	if err != nil || rep.Unchanged != 4 {
		t.Fatalf("the same file as a spreadsheet saves it: %+v %v", rep, err)
	}
	changed := strings.Replace(goodCSV, "数学", "化学", 1)
	changed = strings.ReplaceAll(changed, "\n", "\r\n")
	rep, err = w.s.ImportRoster(ctx, DemoBatchFree, []byte(changed), "test")
	if err != nil || rep.Changed != 1 || rep.Unchanged != 3 {
		t.Fatalf("one row changed: %+v %v", rep, err)
	}
	all, err := w.s.Students(ctx, DemoBatchFree)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]wire.Student{}
	for _, s := range all {
		found[s.IDNumber] = s
	}
	if s := found["H01234567"]; s.IDType != wire.IDHMT || s.School != "演示大学" || s.Payment != wire.PaymentNone || s.Ref == "" {
		t.Fatalf("%+v", s)
	}
	if s := found["E123456"]; s.IDType != wire.IDPassport {
		t.Fatalf("full-width number: %+v", s)
	}
	if s := found["440524199001010018"]; s.Major != "物理,实验" {
		t.Fatalf("quoted field: %+v", s)
	}
}

func TestImportRosterBadLines(t *testing.T) {
	w := newWorld(t)
	before, err := w.s.Students(t.Context(), DemoBatchPaid)
	if err != nil {
		t.Fatal(err)
	}
	const header = "姓名,证件类型,证件号码,层次\n测试好,护照,GOOD123,本科\n"
	for name, tc := range map[string]struct {
		csv  string
		line int
		text string
	}{
		"checksum":      {header + "测试,身份证,110105194912310021,本科\n", 3, "校验"},
		"type":          {header + "测试,工作证,A12345,本科\n", 3, "证件类型"},
		"no name":       {header + " ,护照,A12345,本科\n", 3, "姓名为空"},
		"columns":       {header + "测试,护照,A12345\n", 3, "列"},
		"duplicate":     {header + "测试,护照,good123,本科\n", 3, "第 2 行重复"},
		"control":       {header + "测\x01试,护照,A12345,本科\n", 3, "不可见"},
		"form":          {header + "测试,护照,A1_2345,本科\n", 3, "格式"},
		"after a break": {header + "\"测\n试\",护照,A12345,本科\n测试,护照,,本科\n", 5, "格式"},
		"open quote":    {header + "\"测试,护照,A12345,本科\n", 3, "引号"},
	} {
		t.Run(name, func(t *testing.T) {
			rep, err := w.s.ImportRoster(t.Context(), DemoBatchPaid, []byte(tc.csv), "test")
			if !errors.Is(err, ErrRows) || len(rep.Errors) == 0 {
				t.Fatalf("%+v %v", rep, err)
			}
			last := rep.Errors[len(rep.Errors)-1]
			if last.Line != tc.line || !strings.Contains(last.ZH, tc.text) || last.EN == "" {
				t.Fatalf("%+v", last)
			}
		})
	}
	for name, csv := range map[string]string{"empty": "", "header only": "姓名,证件号码\n", "no columns": "a,b\nc,d\n", "column twice": "姓名,姓名,证件号码\na,b,c\n", "binary": "\xff\xfe\x00\x01姓名"} {
		t.Run(name, func(t *testing.T) {
			if _, err := w.s.ImportRoster(t.Context(), DemoBatchPaid, []byte(csv), "test"); !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
		})
	}
	after, err := w.s.Students(t.Context(), DemoBatchPaid)
	if err != nil || len(after) != len(before) {
		t.Fatalf("bad files changed the roster: %d students, before %d, %v", len(after), len(before), err)
	}
}

func FuzzParseRoster(f *testing.F) {
	f.Add([]byte(goodCSV))
	f.Add([]byte("姓名,证件号码\n\"a,b\nc,d"))
	f.Add([]byte("\xef\xbb\xbf姓名,身份证号\n甲,11010519491231002X\n"))
	f.Add([]byte("\xff\xfe\xd3\x59\x0d\x54\x09\x00"))
	f.Add([]byte("姓名;身份证号\n;\n甲;11010519491231002X\n"))
	batch := wire.Batch{ID: "b", School: "s", Policy: wire.PayNone}
	f.Fuzz(func(t *testing.T, data []byte) {
		students, rep, err := parseRoster(data, batch)
		if err != nil {
			if len(students) != 0 {
				t.Fatal("students beside an error")
			}
			return
		}
		if len(students) != rep.Rows {
			t.Fatalf("%d students from %d rows", len(students), rep.Rows)
		}
		for _, s := range students {
			if s.Name == "" || s.IDNumber == "" || strings.ContainsRune(s.IDNumber+s.Name+s.Level, 0) || s.Batch != "b" {
				t.Fatalf("%+v", s)
			}
		}
	})
}
