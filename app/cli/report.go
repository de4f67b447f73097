package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/station"
)

// ReportCmd counts a day and writes its report.
type ReportCmd struct {
	DataFlag `embed:""`
	Day      string `help:"哪一天 / Which day (default: today)." placeholder:"YYYY-MM-DD"`
	Names    bool   `help:"写上学生姓名（按个人信息保管）/ Name the students: keep it as personal data."`
	JSON     bool   `help:"JSON。 / JSON." name:"json"`
}

// reportResult is the command's answer.
type reportResult struct {
	Day         string   `json:"day"`
	Captured    int      `json:"captured"`
	Saved       int      `json:"saved"`
	Sent        int      `json:"sent"`
	Acked       int      `json:"acknowledged"`
	Whole       bool     `json:"whole"` // captured = saved = sent = acknowledged
	Differences int      `json:"differences"`
	Files       []string `json:"files"`
}

// Run writes the report; it is exit 1 when photos do not add up, whatever waits
// to be sent.
func (c ReportCmd) Run(s *streams) (err error) {
	day := time.Now()
	if c.Day != "" {
		if day, err = time.ParseInLocation(time.DateOnly, c.Day, time.Local); err != nil {
			return usageError{"--day 要写成 2026-09-07 这样", "--day must be like 2026-09-07"}
		}
		day = day.Add(24*time.Hour - time.Second) // all of it
	}
	st, err := c.openStores(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	cfg, err := config.Load(st.dir)
	if err != nil {
		return err
	}
	p := station.DayParams{DataDir: st.dir, Config: cfg, Version: Version, Outbox: st.outbox, Day: day}
	if c.Names {
		p.Roster = st.roster
		if err := st.note(s, "day.exported", "with names"); err != nil {
			return err
		}
	}
	r, files, err := station.WriteDay(p)
	if err != nil {
		return err
	}
	out := reportResult{
		Day: day.Format(time.DateOnly), Captured: r.Captured, Saved: r.Kept, Sent: r.Sent, Acked: r.Acked, Whole: r.Whole(), Differences: len(r.Differences), Files: []string{},
	}
	for _, f := range files {
		out.Files = append(out.Files, filepath.Join(st.dir, f))
	}
	if c.JSON {
		err = json.NewEncoder(s.out).Encode(out)
	} else {
		_, err = fmt.Fprintf(s.out, "%s 拍成 captured %d，保存 saved %d，送达 sent %d，签收 acknowledged %d；差异 differences %d\n", out.Day, out.Captured, out.Saved, out.Sent, out.Acked, out.Differences)
		for _, f := range out.Files {
			fmt.Fprintln(s.out, f)
		}
	}
	if err == nil && len(r.Missing)+len(r.Strangers) > 0 {
		return exitError(exitFailed)
	}
	return err
}
