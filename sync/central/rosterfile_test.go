package central

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
)

// What spreadsheets save besides plain CSV brings the same students.
func TestImportRosterAsSpreadsheetsSaveIt(t *testing.T) {
	const tabs = "姓名\t证件类型\t证件号码\t专业\n测试甲\t护照\tE123456\t物理,实验\n测试乙\t护照\tE654321\t\n"
	utf16 := func(e unicode.Endianness) encoding.Encoding { return unicode.UTF16(e, unicode.UseBOM) }
	for name, tc := range map[string]struct {
		text string
		as   encoding.Encoding // nil is UTF-8
	}{
		"tabs":               {tabs, nil},
		"semicolons":         {strings.ReplaceAll(tabs, "\t", ";"), nil},
		"commas":             {"姓名,证件类型,证件号码,专业\n测试甲,护照,E123456,\"物理,实验\"\n测试乙,护照,E654321,\n", nil},
		"Unicode text":       {strings.ReplaceAll(tabs, "\n", "\r\n"), utf16(unicode.LittleEndian)},
		"big endian":         {tabs, utf16(unicode.BigEndian)},
		"separators alone":   {tabs + "\t\t\t\n \t\t\t\n", nil},
		"empty rows between": {strings.Replace(tabs, "\n", "\n\t\t\t\n\n", 1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			text := tc.text
			if tc.as != nil {
				var err error
				if text, err = tc.as.NewEncoder().String(text); err != nil {
					t.Fatal(err)
				}
			}
			rep, err := w.s.ImportRoster(t.Context(), DemoBatchFree, []byte(text), "test")
			if err != nil || rep.Added != 2 || rep.Rows != 2 {
				t.Fatalf("%+v %v", rep, err)
			}
			all, err := w.s.Students(t.Context(), DemoBatchFree)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range all {
				if s.IDNumber == "E123456" && s.Name == "测试甲" && s.Major == "物理,实验" {
					return
				}
			}
			t.Fatal("the first student is not as the file says")
		})
	}
}

// A file that cannot be read is explained in both languages, and nothing of it
// is said again.
func TestImportRosterSaysWhatIsWrongWithTheFile(t *testing.T) {
	w := newWorld(t)
	for name, tc := range map[string]struct{ file, zh string }{
		"big5":           {"\xa9m\xa6W,\xc3\xd2\xa5\xf3\xb8\xb9\xbdX\n\xff\xffSECRET,1\n", "编码"},
		"half a UTF-16":  {"\xff\xfeSECRET\xd8", "编码"},
		"no mark":        {"\xd3\x59\x0d\x54,\x00S\x00E\x00C\x00R\x00E\x00T\x00", "标题行"},
		"empty":          {"", "标题行"},
		"only blank":     {",,\n,,\n", "标题行"},
		"other columns":  {"SECRET,b\n1,2\n", "姓名"},
		"columns twice":  {"姓名,name,证件号码\nSECRET,b,c\n", "两次"},
		"header alone":   {"姓名,证件号码\n,\n", "没有学生"},
		"broken zip":     {"PK\x03\x04SECRET", "工作簿"},
		"far too much":   {strings.Repeat("S", MaxRosterBytes+1), "超过"},
		"too many lines": {"姓名,证件号码\n" + strings.Repeat("甲,1\n", MaxRosterRows+1), "超过"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.s.ImportRoster(t.Context(), DemoBatchFree, []byte(tc.file), "test")
			var file *FileError
			if !errors.As(err, &file) || !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v", err)
			}
			text := explain(err)
			if !strings.Contains(text.ZH, tc.zh) || text.EN == "" || strings.Contains(text.ZH+text.EN+err.Error(), "SECRET") {
				t.Fatalf("%+v", text)
			}
		})
	}
}

// Quotes that do not match in the first row of students are a bad line, not a
// file without students.
func TestImportRosterNamesTheFirstLine(t *testing.T) {
	w := newWorld(t)
	rep, err := w.s.ImportRoster(t.Context(), DemoBatchFree, []byte("姓名,证件号码\n测试甲,=\"E123456\"\n"), "test")
	if !errors.Is(err, ErrRows) || len(rep.Errors) != 1 || rep.Errors[0].Line != 2 {
		t.Fatalf("%+v %v", rep, err)
	}
}
