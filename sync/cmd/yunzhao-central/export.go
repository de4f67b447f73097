package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/durable"
)

const listName = central.ListName

type exportCmd struct {
	dataFlag
	Out     string `required:"" type:"path" placeholder:"DIR" help:"输出目录 Directory to write into."`
	Batch   string `help:"只导出这个批次 This batch only."`
	Request string `help:"批次要求双人导出时，已确认的申请编号 The confirmed request, where a batch wants two people." placeholder:"ID"`
	Names   string `default:"{student_no}" help:"文件名规则，可用字段 {id_number} {student_no} {name} {ref} Rule of the files' names." placeholder:"RULE"`
}

// Run writes every approved portrait and the list of them. It may be repeated:
// what is there already and is the same stays, and another file of the same
// name is never written over. Each export is in the audit log.
func (c *exportCmd) Run(e *env) error {
	return c.with(e, func(ctl *central.Control) error {
		var ids []string
		if err := ctl.Do(e.ctx, http.MethodGet, "/approved?batch="+url.QueryEscape(c.Batch)+"&request="+url.QueryEscape(c.Request), "", nil, &ids); err != nil {
			return err
		}
		if err := os.MkdirAll(c.Out, 0o700); err != nil {
			return fmt.Errorf("output directory: %w", err)
		}
		var list bytes.Buffer
		list.WriteString("\xef\xbb\xbf") // spreadsheets take the text for UTF-8 then
		w := csv.NewWriter(&list)
		rows := [][]string{central.ListHeader()}
		var gone []string
		taken := map[string]string{} // file → packet
		written := 0
		var errs []error
		for _, id := range ids {
			var x central.Export
			if err := ctl.Do(e.ctx, http.MethodGet, "/approved/"+url.PathEscape(id)+"?request="+url.QueryEscape(c.Request), "", nil, &x); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", id, err))
				continue
			}
			name, err := central.FileName(c.Names, x.Student)
			if err == nil && taken[name] != "" {
				err = fmt.Errorf("两张照片同名，请换规则 / the same file name as %s: choose another rule", taken[name])
			}
			if err == nil {
				taken[name] = id
				var isNew bool
				isNew, err = writeOnce(filepath.Join(c.Out, name), x.Portrait)
				if isNew {
					written++
				}
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", id, err))
				continue
			}
			rows, gone = append(rows, x.ListRow(name)), append(gone, id)
		}
		if err := w.WriteAll(rows); err != nil {
			return fmt.Errorf("write list: %w", err)
		}
		if err := durable.WriteFile(filepath.Join(c.Out, listName), list.Bytes()); err != nil {
			return fmt.Errorf("write list: %w", err)
		}
		body, err := json.Marshal(gone)
		if err != nil {
			return fmt.Errorf("exported photos: %w", err)
		}
		if err := ctl.Do(e.ctx, http.MethodPost, "/exported", "application/json", body, &struct{}{}); err != nil {
			return err
		}
		e.printf("审核通过 approved %d，新写入 written %d，清单 list %s\n", len(ids), written, filepath.Join(c.Out, listName))
		return errors.Join(errs...)
	})
}

// writeOnce writes a file that is not there yet; one with the same bytes is
// fine, one with others is an error.
func writeOnce(path string, data []byte) (isNew bool, err error) {
	old, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(old, data):
		return false, nil
	case err == nil:
		return false, fmt.Errorf("已有另一个同名文件 / another file has this name: %s", path)
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("write: %w", err)
	}
	// Whole or not at all: a list of half a photo would be worse than none.
	if err := durable.WriteFile(path, data); err != nil {
		return false, fmt.Errorf("write: %w", err)
	}
	return true, nil
}
