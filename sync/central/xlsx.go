package central

import (
	"bytes"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"
)

// maxSheetBytes bounds a spreadsheet when unpacked: 200,000 rows of eight
// columns take about 100 MB of XML. It also keeps the sheet in memory, since
// names and numbers must not lie about in temporary files.
const maxSheetBytes = 256 << 20

// isXLSX knows a spreadsheet by the first bytes of its ZIP container; the
// file's name says nothing.
func isXLSX(data []byte) bool { return bytes.HasPrefix(data, []byte("PK\x03\x04")) }

// errSheet is a first sheet that is damaged.
var errSheet = &FileError{"工作簿的第一张工作表已损坏，请在表格软件里重新保存", "the workbook's first sheet is damaged: save it again"}

// xlsxTable reads the first sheet of a workbook.
type xlsxTable struct {
	file  *excelize.File
	rows  *excelize.Rows
	line  int
	width int // cells of the header; 0 before it
}

func newXLSXTable(data []byte) (_ *xlsxTable, err error) {
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{
		RawCellValue: true, UnzipSizeLimit: maxSheetBytes, UnzipXMLSizeLimit: maxSheetBytes,
	})
	if err != nil {
		// The library's errors may quote the file.
		return nil, &FileError{
			"无法打开该工作簿：请存为不加密的 .xlsx 再导入", "the file is not a workbook that can be read (.xlsx without a password)",
		}
	}
	sheets := f.GetSheetList()
	if len(sheets) == 0 {
		_ = f.Close()
		return nil, &FileError{"工作簿里没有工作表", "the workbook has no sheet"}
	}
	rows, err := f.Rows(sheets[0])
	if err != nil {
		_ = f.Close()
		return nil, errSheet
	}
	return &xlsxTable{file: f, rows: rows}, nil
}

// next skips rows without content and fills rows up to the header's width:
// a workbook does not store cells that are empty.
func (x *xlsxTable) next() (tableRow, error) {
	for x.rows.Next() {
		x.line++
		cells, err := x.rows.Columns()
		if err != nil {
			return tableRow{line: x.line, zh: "该行无法读取", en: "the line cannot be read"}, nil //nolint:nilerr // reported with the other bad lines
		}
		for len(cells) > 0 && strings.TrimSpace(cells[len(cells)-1]) == "" {
			cells = cells[:len(cells)-1]
		}
		if len(cells) == 0 {
			continue
		}
		if x.width == 0 {
			x.width = len(cells)
		}
		for len(cells) < x.width {
			cells = append(cells, "")
		}
		return tableRow{line: x.line, cells: cells}, nil
	}
	if x.rows.Error() != nil {
		return tableRow{}, errSheet
	}
	return tableRow{}, io.EOF
}

func (x *xlsxTable) close() {
	_ = x.rows.Close()
	_ = x.file.Close()
}
