package central

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// workbook makes a file as a spreadsheet program does; nil cells stay empty.
func workbook(t testing.TB, rows ...[]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	for i, row := range rows {
		for j, v := range row {
			if v == nil {
				continue
			}
			at, err := excelize.CoordinatesToCellName(j+1, i+1)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.SetCellValue("Sheet1", at, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRosterFromAWorkbook(t *testing.T) {
	w := newWorld(t)
	head := []any{"姓名", "证件类型", "证件号码", "学号", "层次", "专业", "备注"}
	number := residentNumber(time.Date(2007, 1, 1, 0, 0, 0, 0, time.UTC), 900)
	other := residentNumber(time.Date(2007, 1, 1, 0, 0, 0, 0, time.UTC), 901)
	good := workbook(t,
		head,
		[]any{"测试·甲㛃", "居民身份证", number, 20260001, "本科", "会计学", "x"},
		nil,
		[]any{"测试乙", nil, other},
	)
	rep, err := w.s.ImportRoster(t.Context(), DemoBatchFree, good, "test")
	if err != nil || rep.Added != 2 || rep.Rows != 2 {
		t.Fatalf("%+v %v", rep, err)
	}
	all, err := w.s.Students(t.Context(), DemoBatchFree)
	if err != nil {
		t.Fatal(err)
	}
	var found *wire.Student
	for i := range all {
		if all[i].IDNumber == number {
			found = &all[i]
		}
	}
	if found == nil || found.Name != "测试·甲㛃" || found.StudentNo != "20260001" || found.Major != "会计学" {
		t.Fatalf("%+v", found)
	}
	if rep, err := w.s.ImportRoster(t.Context(), DemoBatchFree, good, "test"); err != nil || rep.Unchanged != 2 {
		t.Errorf("the same file again: %+v %v", rep, err)
	}

	t.Run("bad lines by their number and nothing imported", func(t *testing.T) {
		third := residentNumber(time.Date(2007, 1, 1, 0, 0, 0, 0, time.UTC), 902)
		rep, err := w.s.ImportRoster(t.Context(), DemoBatchFree, workbook(t,
			head,
			[]any{"测试丙", nil, third},
			[]any{"测试丁", nil, 370899200701010000.0}, // a number, not text
			nil,
			[]any{"测试丙", nil, third},
		), "test")
		if !errors.Is(err, ErrRows) || len(rep.Errors) != 2 || rep.Errors[0].Line != 3 || rep.Errors[1].Line != 5 {
			t.Fatalf("%+v %v", rep, err)
		}
		if !strings.Contains(rep.Errors[0].ZH, "文本") {
			t.Errorf("a number with lost digits: %s", rep.Errors[0].ZH)
		}
		if now, err := w.s.Students(t.Context(), DemoBatchFree); err != nil || len(now) != len(all) {
			t.Errorf("%d students, before %d", len(now), len(all))
		}
	})
	for name, data := range map[string][]byte{
		"no sheet content": workbook(t),
		"cut short":        good[:len(good)/2],
		"a bare container": []byte("PK\x03\x04"),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := w.s.ImportRoster(t.Context(), DemoBatchFree, data, "test"); !errors.Is(err, ErrInvalid) {
				t.Error(err)
			}
		})
	}
}

// FuzzXLSX damages a real workbook: reading it may fail, and must not panic.
func FuzzXLSX(f *testing.F) {
	good := workbook(f, []any{"姓名", "证件号码"}, []any{"测试", "11010519491231002X"})
	f.Add(uint(30), uint8(1))
	f.Add(uint(len(good)-20), uint8(255))
	f.Fuzz(func(t *testing.T, at uint, with uint8) {
		data := bytes.Clone(good)
		data[at%uint(len(data))] ^= with
		if !isXLSX(data) {
			return
		}
		x, err := newXLSXTable(data)
		if err != nil {
			return
		}
		defer x.close()
		for range 10 {
			if _, err := x.next(); err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, ErrInvalid) {
					t.Fatal(err)
				}
				return
			}
		}
	})
}
