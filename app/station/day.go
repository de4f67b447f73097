package station

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
)

// reportsDir keeps the reports that staff had written.
const reportsDir = "reports"

// visitTimes are the moments of one visit that the audit log knows.
type visitTimes struct {
	booth.DaySession
	chosen, agreed, shot, made, sealed time.Time
	verdict                            string // of the last portrait
	retakes                            map[string]int
}

// steps of a visit, each from one moment to the next.
var daySteps = []struct {
	name booth.Text
	took func(v *visitTimes) (from, to time.Time)
}{
	{booth.Text{ZH: "核对身份", EN: "identify"}, func(v *visitTimes) (time.Time, time.Time) { return v.Began, v.chosen }},
	{booth.Text{ZH: "同意", EN: "consent"}, func(v *visitTimes) (time.Time, time.Time) { return v.chosen, v.agreed }},
	{booth.Text{ZH: "须知、取景", EN: "rules, pose"}, func(v *visitTimes) (time.Time, time.Time) { return v.agreed, v.shot }},
	{booth.Text{ZH: "制作", EN: "portrait"}, func(v *visitTimes) (time.Time, time.Time) { return v.shot, v.made }},
	{booth.Text{ZH: "查看、提交", EN: "review, submit"}, func(v *visitTimes) (time.Time, time.Time) { return v.made, v.sealed }},
	{booth.Text{ZH: "合计", EN: "in all"}, func(v *visitTimes) (time.Time, time.Time) { return v.Began, v.sealed }},
}

// Why another photo was taken, by the verdict on the one before.
var retakeReasons = []struct {
	verdict string
	name    booth.Text
}{
	{"fail", booth.Text{ZH: "检查不合格", EN: "a check failed"}},
	{"warn", booth.Text{ZH: "有提醒", EN: "a warning"}},
	{"pass", booth.Text{ZH: "同学不满意", EN: "by wish"}},
	{"", booth.Text{ZH: "没有做成", EN: "no portrait"}},
}

// dayReport counts now's day, by the station's clock, from the audit log and the
// rows of the outbox. Lines that are no entries end the count: the log's own
// verification says why.
func dayReport(log []byte, entries []outbox.Entry, now time.Time) booth.DayReport {
	r := booth.DayReport{At: now}
	sameDay := func(t time.Time) bool {
		y, m, d := t.In(now.Location()).Date()
		ny, nm, nd := now.Date()
		return y == ny && m == nm && d == nd
	}
	visits := map[string]*visitTimes{}
	var order []*visitTimes
	sealed := map[string]bool{}
	for line := range bytes.Lines(log) {
		var e AuditEntry
		if json.Unmarshal(line, &e) != nil {
			break
		}
		if e.Session == "" || !sameDay(e.At) {
			continue
		}
		v := visits[e.Session]
		if v == nil {
			v = &visitTimes{DaySession: booth.DaySession{Began: e.At}, retakes: map[string]int{}}
			visits[e.Session] = v
			order = append(order, v)
		}
		v.note(e)
		if e.Event == auditSealing {
			sealed[e.Detail] = true
		}
	}
	kept := map[string]bool{}
	var today []outbox.Entry
	hours := map[int]int{}
	for i := range entries {
		e := &entries[i]
		id := e.ID.String()
		if !sameDay(e.SavedAt) && !sealed[id] {
			continue
		}
		kept[id] = true
		today = append(today, *e)
		r.Kept++
		hours[e.SavedAt.In(now.Location()).Hour()]++
		if e.State != outbox.Saved {
			r.Sent++
		}
		if e.State == outbox.Opened || e.State == outbox.Purged {
			r.Acked++
		}
		if !sealed[id] {
			r.Strangers = append(r.Strangers, id)
		}
	}
	r.Captured = len(sealed)
	for id := range sealed {
		if !kept[id] {
			r.Missing = append(r.Missing, id)
		}
	}
	slices.Sort(r.Missing)
	r.Differences = differences(&r, today, now)
	times := make([][]float64, len(daySteps))
	retakes := map[string]int{}
	for _, v := range order {
		for verdict, n := range v.retakes {
			retakes[verdict] += n
		}
		if kept[v.Packet] {
			r.Saved++
			for i, s := range daySteps {
				if from, to := s.took(v); !from.IsZero() && !to.Before(from) {
					times[i] = append(times[i], to.Sub(from).Seconds())
				}
			}
		} else if v.End != "" {
			r.Left++
		}
		v.Packet = shortPacket(v.Packet)
		r.Sessions = append(r.Sessions, v.DaySession)
	}
	for i, s := range daySteps {
		r.Steps = append(r.Steps, booth.DayStep{Name: s.name, Seconds: median(times[i])})
	}
	for _, why := range retakeReasons {
		r.Retakes = append(r.Retakes, booth.DayRetake{Name: why.name, Count: retakes[why.verdict]})
	}
	for h := range 24 {
		if n := hours[h]; n > 0 {
			r.Hours = append(r.Hours, booth.DayHour{Hour: h, Saved: n})
		}
	}
	slices.Reverse(r.Sessions)
	return r
}

// note takes one line of the visit's log.
func (v *visitTimes) note(e AuditEntry) {
	switch e.Event {
	case "record.chosen":
		v.chosen = e.At
	case "consent.given":
		v.agreed = e.At
	case "shot.taken":
		if v.Shots > 0 {
			v.retakes[v.verdict]++
		}
		v.Shots++
		v.shot, v.verdict = e.At, ""
	case "shot.standardised":
		v.made, v.verdict = e.At, e.Detail
	case auditSealing:
		v.sealed, v.Packet = e.At, e.Detail
		v.Seconds = int(e.At.Sub(v.Began).Seconds())
	case "session.end":
		v.End = e.Detail
		if v.Packet == "" {
			v.Seconds = int(e.At.Sub(v.Began).Seconds())
		}
	}
}

// median of the values, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// countDay reads the log and counts; it is called beside the loop.
func (s *Station) countDay() (booth.DayReport, error) {
	log, err := os.ReadFile(filepath.Join(s.p.DataDir, auditFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return booth.DayReport{}, fmt.Errorf("station: count the day: %w", err)
	}
	return dayReport(log, s.p.Outbox.List(), time.Now()), nil
}

// refreshDay brings the page about the day up to date.
func (s *Station) refreshDay() {
	s.work.Go(func() {
		r, err := s.countDay()
		if err != nil {
			s.log.Error("the day is not counted", "err", err)
			s.inputs <- booth.StaffNotice{Text: unexpected}
			return
		}
		s.inputs <- booth.DayReported{Report: r}
	})
}

// dayCSV is the report for a spreadsheet: the sums, then a line a visit. It
// begins with a byte order mark, by which spreadsheets know UTF-8.
func dayCSV(r booth.DayReport) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\uFEFF")
	w := csv.NewWriter(&b)
	line := func(fields ...string) { _ = w.Write(fields) } // to a buffer: Error tells below
	line("日期 / date", r.At.Format(time.DateOnly))
	line("截至 / until", r.At.Format("15:04:05"))
	for _, n := range []struct {
		name  string
		count int
	}{
		{"拍成 / captured", r.Captured},
		{"已保存 / saved", r.Kept},
		{"已送达 / sent", r.Sent},
		{"已签收 / acknowledged", r.Acked},
		{"没有拍完 / left", r.Left},
	} {
		line(n.name, strconv.Itoa(n.count))
	}
	for _, id := range r.Missing {
		line("没有存下 / not saved", id)
	}
	for _, id := range r.Strangers {
		line("日志里没有 / not in the log", id)
	}
	for _, d := range r.Differences {
		line("差异 / difference", d.Packet, d.What.ZH+" / "+d.What.EN, d.Do.ZH+" / "+d.Do.EN)
	}
	for _, s := range r.Steps {
		line(s.Name.ZH+"，中位秒 / "+s.Name.EN+", median s", strconv.FormatFloat(s.Seconds, 'f', 1, 64))
	}
	for _, x := range r.Retakes {
		line("重拍 / retake: "+x.Name.ZH+" / "+x.Name.EN, strconv.Itoa(x.Count))
	}
	line()
	line("开始 / began", "秒 / seconds", "拍了几次 / shots", "凭号 / packet", "结束 / end")
	for _, x := range slices.Backward(r.Sessions) {
		line(x.Began.In(r.At.Location()).Format("15:04:05"), strconv.Itoa(x.Seconds), strconv.Itoa(x.Shots), x.Packet, x.End)
	}
	if len(r.People) > 0 {
		line()
		line("时间 / time", "姓名 / name", "尾号 / number ends", "凭号 / packet", "状态 / state")
		for _, x := range r.People {
			line(x.At.In(r.At.Location()).Format("15:04:05"), x.Name, x.Number, x.Packet, x.State.ZH+" / "+x.State.EN)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, fmt.Errorf("station: write the day's report: %w", err)
	}
	return b.Bytes(), nil
}
