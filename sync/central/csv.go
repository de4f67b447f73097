package central

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Limits of one roster file.
const (
	MaxRosterBytes = 32 << 20
	MaxRosterRows  = 200_000
	maxRowErrors   = 200 // listed; the rest is counted
)

// RowError says what is wrong with one line. It names the column and never
// repeats the value, since these reports are mailed around.
type RowError struct {
	Line int    `json:"line"` // as a text editor counts, the header is line 1
	ZH   string `json:"zh"`
	EN   string `json:"en"`
}

// ImportReport is what happened to a file. With errors nothing was imported.
type ImportReport struct {
	Rows      int        `json:"rows"`
	Added     int        `json:"added"`
	Changed   int        `json:"changed"`
	Unchanged int        `json:"unchanged"`
	Errors    []RowError `json:"errors,omitempty"`
	MoreBad   int        `json:"more_bad,omitempty"` // bad lines beyond the ones listed
}

// ErrRows means that the report of an import has errors.
var ErrRows = errors.New("central: 名单有误，未导入任何学生 the roster has bad lines; nothing was imported")

// FileError says why a roster file cannot be read at all. It is an ErrInvalid,
// and like RowError it repeats nothing of the file.
type FileError struct{ ZH, EN string }

// Error is for the person at the command line: both languages.
func (e *FileError) Error() string { return "central: " + e.ZH + " " + e.EN }

// Unwrap returns ErrInvalid.
func (e *FileError) Unwrap() error { return ErrInvalid }

// columns by every header that is understood.
var columns = map[string]string{
	"姓名": "name", "name": "name",
	"证件类型": "id_type", "id_type": "id_type",
	"证件号码": "id_number", "证件号": "id_number", "身份证号": "id_number", "身份证号码": "id_number", "id_number": "id_number",
	"学号": "student_no", "考生号": "student_no", "student_no": "student_no",
	"学校": "school", "school": "school",
	"层次": "level", "level": "level",
	"专业": "major", "major": "major",
	"学院": "college", "院系": "college", "college": "college",
	"班级": "class", "班": "class", "class": "class",
}

var idTypes = map[string]wire.IDType{
	"": wire.IDResident, "resident": wire.IDResident, "居民身份证": wire.IDResident, "身份证": wire.IDResident,
	"hmt": wire.IDHMT, "港澳台": wire.IDHMT, "港澳居民来往内地通行证": wire.IDHMT, "港澳台居民居住证": wire.IDHMT, "台湾居民来往大陆通行证": wire.IDHMT,
	"passport": wire.IDPassport, "护照": wire.IDPassport,
	"other": wire.IDOther, "其他": wire.IDOther,
}

// table gives the rows of a roster file one after the other, the header first,
// and io.EOF at the end.
type table interface {
	next() (row tableRow, err error)
}

type tableRow struct {
	line   int
	cells  []string
	zh, en string // why the line cannot be read
	last   bool   // nothing can be read after it
}

// csvTable reads comma separated text.
type csvTable struct{ r *csv.Reader }

// newCSVTable takes UTF-8 (with or without a byte order mark), GB 18030 or
// UTF-16 with its mark, as spreadsheets in China save text. Fields end at a
// comma; at a tab or a semicolon when the header has those and no comma, as
// "Unicode text" and what is pasted from a sheet have them.
func newCSVTable(data []byte) (*csvTable, error) {
	data, err := utf8Text(data)
	if err != nil {
		return nil, err
	}
	header, _, _ := bytes.Cut(data, []byte("\n"))
	r := csv.NewReader(bytes.NewReader(data))
	for _, sep := range []rune{',', '\t', ';'} {
		if bytes.ContainsRune(header, sep) {
			r.Comma = sep
			break
		}
	}
	r.FieldsPerRecord = -1 // counted by the caller, so that the report names the line
	r.ReuseRecord = true
	return &csvTable{r}, nil
}

// utf8Text brings text in any of the encodings that are taken into UTF-8
// without a mark.
func utf8Text(data []byte) ([]byte, error) {
	var dec *encoding.Decoder
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		dec = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()
	case utf8.Valid(data):
		return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
	default:
		dec = simplifiedchinese.GB18030.NewDecoder()
	}
	text, err := dec.Bytes(data)
	if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
		return nil, &FileError{
			"文件的文字编码无法识别：请在表格软件里另存为 .xlsx 或“CSV UTF-8”再导入",
			"the file is not text in UTF-8, UTF-16 or GB 18030: save it as .xlsx or CSV UTF-8",
		}
	}
	return text, nil
}

// next skips rows without content.
func (c *csvTable) next() (tableRow, error) {
	for {
		rec, err := c.r.Read()
		var pe *csv.ParseError
		switch {
		case errors.As(err, &pe):
			// Quotes are not closed as they should be; what follows cannot be
			// told apart, so the report ends here.
			return tableRow{line: pe.StartLine, zh: "引号不成对，无法读取该行及以后内容", en: "quotes do not match; cannot read on from here", last: true}, nil
		case err != nil:
			return tableRow{}, err
		case blank(rec):
			continue
		}
		line, _ := c.r.FieldPos(0)
		return tableRow{line: line, cells: rec}, nil
	}
}

// blank says that a row has nothing in it: spreadsheets save rows that were
// emptied or only formatted as a line of separators.
func blank(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" })
}

// parseRoster reads a roster file: a spreadsheet (.xlsx, its first sheet) or
// comma separated text, first line the names of the columns in Chinese or
// English. school names students whose row does not say.
func parseRoster(data []byte, batch wire.Batch) ([]wire.Student, ImportReport, error) {
	var rep ImportReport
	if len(data) > MaxRosterBytes {
		return nil, rep, &FileError{
			fmt.Sprintf("文件超过 %d MB，请按批次拆分后导入", MaxRosterBytes>>20),
			fmt.Sprintf("the file has more than %d MB: split it", MaxRosterBytes>>20),
		}
	}
	var rows table
	if isXLSX(data) {
		x, err := newXLSXTable(data)
		if err != nil {
			return nil, rep, err
		}
		defer x.close()
		rows = x
	} else {
		c, err := newCSVTable(data)
		if err != nil {
			return nil, rep, err
		}
		rows = c
	}
	header, err := rows.next()
	if err != nil || header.zh != "" {
		return nil, rep, &FileError{
			"文件没有标题行：第一行应写明各列名称，如 姓名、证件号码", "the file has no header line: the first names the columns",
		}
	}
	at := map[string]int{}
	for i, h := range header.cells {
		col, ok := columns[strings.ToLower(strings.TrimSpace(h))]
		if !ok {
			continue // a column that is not ours
		}
		if _, twice := at[col]; twice {
			return nil, rep, &FileError{
				fmt.Sprintf("标题行中同一列出现两次（%s）", col), fmt.Sprintf("the header names column %s twice", col),
			}
		}
		at[col] = i
	}
	for _, must := range []string{"name", "id_number"} {
		if _, ok := at[must]; !ok {
			return nil, rep, &FileError{
				"标题行缺少“姓名”或“证件号码”一列", "the header line lacks the column name or id_number",
			}
		}
	}
	width := len(header.cells)

	var out []wire.Student
	lines := map[string]int{} // identity → first line
	bad := func(line int, zh, en string) {
		if len(rep.Errors) == maxRowErrors {
			rep.MoreBad++
			return
		}
		rep.Errors = append(rep.Errors, RowError{line, zh, en})
	}
	for {
		row, err := rows.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, rep, fmt.Errorf("central: read roster: %w", err)
		}
		line, rec := row.line, row.cells
		if row.zh != "" {
			bad(line, row.zh, row.en)
			if row.last {
				break
			}
			continue
		}
		if rep.Rows++; rep.Rows > MaxRosterRows {
			return nil, rep, &FileError{
				fmt.Sprintf("文件超过 %d 行，请拆分后导入", MaxRosterRows), fmt.Sprintf("the file has more than %d rows: split it", MaxRosterRows),
			}
		}
		if len(rec) != width {
			bad(line, fmt.Sprintf("有 %d 列，标题行有 %d 列", len(rec), width), fmt.Sprintf("%d columns, the header has %d", len(rec), width))
			continue
		}
		get := func(col string) string {
			if i, ok := at[col]; ok {
				return rec[i]
			}
			return ""
		}
		st, zh, en := studentFromRow(get, batch)
		if zh != "" {
			bad(line, zh, en)
			continue
		}
		key := identityKey(st)
		if first, ok := lines[key]; ok {
			bad(line, fmt.Sprintf("与第 %d 行重复（证件号码与层次相同）", first), fmt.Sprintf("same document and level as line %d", first))
			continue
		}
		lines[key] = line
		out = append(out, st)
	}
	if len(rep.Errors) > 0 {
		return nil, rep, ErrRows
	}
	if rep.Rows == 0 {
		return nil, rep, &FileError{"文件里没有学生：标题行以下是空的", "the file has no students below its header"}
	}
	return out, rep, nil
}

// identityKey says which roster row is the same one: one person may have two
// records in a batch, one a level.
func identityKey(s wire.Student) string {
	return string(joinKey(string(s.IDType), s.IDNumber, s.Level))
}

// studentFromRow returns the reason in both languages when the row is bad.
func studentFromRow(get func(string) string, batch wire.Batch) (st wire.Student, zh, en string) {
	st = wire.Student{Batch: batch.ID, Payment: wire.PaymentUnpaid}
	if batch.Policy == wire.PayNone {
		st.Payment = wire.PaymentNone
	}
	for _, f := range []struct {
		col, zh string
		limit   int
		to      *string
	}{
		{"name", "姓名", 50, &st.Name},
		{"student_no", "学号", 32, &st.StudentNo},
		{"school", "学校", 60, &st.School},
		{"level", "层次", 20, &st.Level},
		{"major", "专业", 60, &st.Major},
		{"college", "学院", 60, &st.College},
		{"class", "班级", 40, &st.Class},
	} {
		v, ok := cleanText(get(f.col), f.limit)
		if !ok {
			return st, f.zh + "过长或含有不可见字符", f.col + " is too long or has invisible characters"
		}
		*f.to = v
	}
	if st.Name == "" {
		return st, "姓名为空", "name is empty"
	}
	if st.School == "" {
		st.School = batch.School
	}
	kind, ok := idTypes[strings.ToLower(strings.TrimSpace(get("id_type")))]
	if !ok {
		return st, "证件类型无法识别", "id_type is not known"
	}
	st.IDType = kind
	st.IDNumber = roster.Normalise(get("id_number"))
	if kind == wire.IDResident && roster.ValidResidentID(st.IDNumber) != nil && lostDigits(st.IDNumber) {
		return st, "证件号码被表格软件当成了数字，末几位已经丢失：请把该列设为文本后重新填写", "the spreadsheet took id_number for a number and lost its last digits: make the column text and fill it in again"
	}
	if n := len(st.IDNumber); n < 4 || n > 32 || strings.ContainsFunc(st.IDNumber, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r == '(' || r == ')' || r == '/')
	}) {
		return st, "证件号码格式不正确", "id_number has the wrong form"
	}
	if kind == wire.IDResident {
		if err := roster.ValidResidentID(st.IDNumber); err != nil {
			return st, "居民身份证号码校验不通过", "resident ID number does not check"
		}
	}
	return st, "", ""
}

// lostDigits knows a resident number that a spreadsheet kept as a number: it
// has fifteen significant digits, the rest became an exponent or zeros.
func lostDigits(number string) bool {
	return strings.Contains(number, "E+") || len(number) == 18 && strings.HasSuffix(number, "000")
}

// ImportRoster adds the students of a file to a batch and updates those it
// knows by document and level. All or nothing: with one bad line the report
// lists what is wrong and the error is ErrRows.
func (s *Server) ImportRoster(ctx context.Context, batch string, data []byte, actor string) (ImportReport, error) {
	var b wire.Batch
	err := s.view(ctx, func(tx *bolt.Tx) (err error) {
		b, err = getJSON[wire.Batch](tx, bktBatches, []byte(batch))
		return err
	})
	if err != nil {
		return ImportReport{}, fmt.Errorf("central: batch %q: %w", batch, err)
	}
	students, rep, err := parseRoster(data, b)
	if err != nil {
		return rep, err
	}
	err = s.update(ctx, func(tx *bolt.Tx) error {
		rep.Added, rep.Changed, rep.Unchanged, err = s.mergeStudents(tx, batch, students)
		if err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "roster.imported", batch,
			fmt.Sprintf("%d added, %d changed, %d unchanged", rep.Added, rep.Changed, rep.Unchanged))
	})
	return rep, err
}

// mergeStudents writes rows that are new or differ. The state of payment and
// capture is central's own and stays.
func (s *Server) mergeStudents(tx *bolt.Tx, batch string, students []wire.Student) (added, changed, same int, err error) {
	known := map[string]studentRow{}
	rows, err := s.studentsOf(tx, batch)
	if err != nil {
		return 0, 0, 0, err
	}
	for _, r := range rows {
		known[identityKey(r.Student)] = r
	}
	for _, st := range students {
		old, ok := known[identityKey(st)]
		if ok {
			st.Ref, st.Payment, st.Capture = old.Ref, old.Payment, old.Capture
			if st == old.Student {
				same++
				continue
			}
			changed++
		} else {
			if st.Ref == "" {
				st.Ref = shortID(16)
			}
			added++
		}
		if err := s.putStudent(tx, studentRow{Student: st}); err != nil {
			return 0, 0, 0, err
		}
	}
	return added, changed, same, nil
}

// RemoveStudents takes students out of the roster; stations forget them with
// their next delta. Photos that were sent stay.
func (s *Server) RemoveStudents(ctx context.Context, refs []string, actor string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		for _, ref := range slices.Compact(slices.Sorted(slices.Values(refs))) {
			row, err := s.student(tx, ref)
			if err != nil {
				return fmt.Errorf("central: student %q: %w", ref, err)
			}
			row.Removed = true
			if err := s.putStudent(tx, row); err != nil {
				return err
			}
			if err := appendAudit(tx, s.now(), actor, "student.removed", ref, ""); err != nil {
				return err
			}
		}
		return nil
	})
}
