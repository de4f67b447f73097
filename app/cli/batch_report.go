package cli

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/pipeline"
)

// verdictUnreadable stands in the table for files that are no photos.
const verdictUnreadable = "unreadable"

func (r row) verdict() string {
	if r.Report == nil {
		return verdictUnreadable
	}
	return string(r.Report.Verdict)
}

// verdicts from good to bad.
var verdicts = []string{string(pipeline.Pass), string(pipeline.Warn), string(pipeline.Fail), verdictUnreadable}

// worst verdict of a file's rows.
func worst(rows []row) string {
	at := 0
	for _, r := range rows {
		at = max(at, slices.Index(verdicts, r.verdict()))
	}
	return verdicts[at]
}

// Which run made a photo.
const (
	madeNow     = "now"
	madeEarlier = "earlier"
)

// table writes report.csv: one line a photo and standard, two columns a check.
// walk goes over the rows, the same ones twice.
func table(to io.Writer, excel bool, walk func(each func(made string, r row) error) error) error {
	var ids []string
	seen := map[string]bool{}
	err := walk(func(_ string, r row) error {
		if r.Report == nil {
			return nil
		}
		for _, c := range r.Report.Checks {
			if !seen[c.ID] {
				seen[c.ID] = true
				ids = append(ids, c.ID)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	head := []string{
		"file", "spec", "verdict", "reason_zh", "reason_en", "photo", "sha256", "made", "width", "height", "dpi", "bytes", "jpeg_quality", "chroma",
		"plate", "matte", "decode_ms", "detect_ms", "matte_ms", "compose_ms", "encode_ms", "check_ms", "total_ms",
	}
	for _, id := range ids {
		head = append(head, id, id+".value")
	}
	if excel {
		if _, err := io.WriteString(to, "\uFEFF"); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	w := csv.NewWriter(to)
	w.UseCRLF = excel
	if err := w.Write(head); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	if err := walk(func(made string, r row) error { return w.Write(r.cells(ids, made, excel)) }); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

func (r row) cells(ids []string, made string, excel bool) []string {
	plain := func(s string) string {
		// A spreadsheet would take such a name for a formula.
		if excel && strings.ContainsAny(s[:min(len(s), 1)], "=+-@\t\r") {
			return "'" + s
		}
		return s
	}
	cells := []string{plain(r.File), r.Spec, r.verdict(), r.ReasonZH, r.ReasonEN, plain(r.Photo), r.SHA256, made}
	if r.Report == nil {
		return append(cells, make([]string, 15+2*len(ids))...)
	}
	output := make([]string, 6)
	if o := r.Report.Output; o != nil {
		output = []string{
			strconv.Itoa(o.Width), strconv.Itoa(o.Height), strconv.Itoa(o.DPI), strconv.Itoa(o.Bytes), strconv.Itoa(o.JPEGQuality), o.Chroma,
		}
	}
	cells = append(append(cells, output...), r.Report.Plate, r.Report.Matte)
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	t := r.Report.Timings
	for _, v := range []float64{t.Decode, t.Detect, t.Matte, t.Compose, t.Encode, t.Check, t.Total} {
		cells = append(cells, number(v))
	}
	checks := map[string]*pipeline.Check{}
	for i := range r.Report.Checks {
		checks[r.Report.Checks[i].ID] = &r.Report.Checks[i]
	}
	for _, id := range ids {
		status, value := "", ""
		if c := checks[id]; c != nil {
			status = string(c.Status)
			if c.Value != nil {
				value = number(*c.Value)
			}
		}
		cells = append(cells, status, value)
	}
	return cells
}

// summary counts files: one that fails any standard is refused.
type summary struct {
	Files       int     `json:"files"`
	Done        int     `json:"done"`
	Written     int     `json:"written"`    // files all of whose portraits were written
	Refused     int     `json:"refused"`    // a check failed
	Unreadable  int     `json:"unreadable"` // no photos
	Reused      int     `json:"reused"`     // of Done, made by an earlier run
	Jobs        int     `json:"jobs"`
	Seconds     float64 `json:"seconds"`
	Interrupted bool    `json:"interrupted"`
	Report      string  `json:"report"`
}

func (s *summary) add(o outcome) {
	s.Done++
	switch o.verdict {
	case verdictUnreadable:
		s.Unreadable++
	case string(pipeline.Fail):
		s.Refused++
	default:
		s.Written++
	}
	if o.reused {
		s.Reused++
	}
}

func (s *summary) print(to *streams, asJSON bool) error {
	if asJSON {
		return printJSON(to.out, s)
	}
	var b strings.Builder
	if s.Interrupted {
		fmt.Fprintf(&b, "已中断：%d 张中完成 %d 张；再次运行同一命令即可继续。/ Interrupted after %d of %d; run the same command to go on.\n", s.Files, s.Done, s.Done, s.Files)
	}
	fmt.Fprintf(&b, "写出 %d 张，不合格 %d 张，无法读取 %d 张（其中 %d 张先前已完成），用时 %.1f 秒\n", s.Written, s.Refused, s.Unreadable, s.Reused, s.Seconds)
	fmt.Fprintf(&b, "%d written, %d refused, %d unreadable (%d of them made earlier) in %.1f s\n", s.Written, s.Refused, s.Unreadable, s.Reused, s.Seconds)
	fmt.Fprintf(&b, "逐张结果 / one line a photo: %s\n", s.Report)
	if _, err := io.WriteString(to.out, b.String()); err != nil {
		return fmt.Errorf("print summary: %w", err)
	}
	return nil
}

// progress shows how far a run is: a bar on a terminal, else a line a photo. It
// names no files: their names may be people's, and the lines may be kept.
type progress struct {
	w        io.Writer
	terminal bool
	total    int
	done     int
	bad      int
	made     int // not reused: what the time left is judged by
	began    time.Time
}

func newProgress(w io.Writer, total int) *progress {
	p := &progress{w: w, total: total, began: time.Now()}
	if f, ok := w.(*os.File); ok {
		_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
		p.terminal = err == nil
	}
	return p
}

const barWidth = 30

func (p *progress) step(o outcome) {
	p.done++
	if o.verdict == string(pipeline.Fail) || o.verdict == verdictUnreadable {
		p.bad++
	}
	if !o.reused {
		p.made++
	}
	if !p.terminal {
		made := ""
		if o.reused {
			made = " " + madeEarlier
		}
		fmt.Fprintf(p.w, "%d/%d %s%s\n", p.done, p.total, o.verdict, made)
		return
	}
	full := barWidth * p.done / p.total
	left := ""
	if p.made > 0 {
		left = time.Duration(float64(time.Since(p.began)) / float64(p.made) * float64(p.total-p.done)).Round(time.Second).String()
	}
	fmt.Fprintf(p.w, "\r[%s%s] %d/%d  %3d%%  ✗ %d  剩余 / left %s\x1b[K", strings.Repeat("█", full), strings.Repeat("·", barWidth-full),
		p.done, p.total, 100*p.done/p.total, p.bad, left)
}

func (p *progress) end() {
	if p.terminal {
		fmt.Fprintln(p.w)
	}
}
