package station

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/config"
	"github.com/yunzhao-station/yunzhao/app/report"
	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// differences are the day's photos that central has not acknowledged, what is the
// matter with each and what to do about it, the worst first. kept are the day's.
func differences(r *booth.DayReport, kept []outbox.Entry, now time.Time) []booth.DayDifference {
	var out []booth.DayDifference
	for _, id := range r.Missing {
		out = append(out, booth.DayDifference{
			Packet: shortPacket(id), Level: booth.Bad,
			What: booth.Text{ZH: "日志说封存过，照片库里没有", EN: "The log says it was sealed; it is not among the photos"},
			Do:   booth.Text{ZH: "当时屏幕没有说“已保存”，同学应已重拍；查不到重拍就请他再来。", EN: "The screen did not say “saved”, so that the student should have taken another; where there is none, ask for a new visit."},
		})
	}
	for _, id := range r.Strangers {
		out = append(out, booth.DayDifference{
			Packet: shortPacket(id), Level: booth.Bad,
			What: booth.Text{ZH: "照片库里有，今天的日志里没有", EN: "Among the photos, and unknown to the day's log"},
			Do:   booth.Text{ZH: "运行 yunzhao audit verify 和 yunzhao verify，把结果报告负责人。", EN: "Run yunzhao audit verify and yunzhao verify, and report what they say."},
		})
	}
	for i := range kept {
		e := &kept[i]
		d := booth.DayDifference{Packet: shortID(e.ID), Level: booth.Warn}
		switch {
		case e.State == outbox.Opened || e.State == outbox.Purged:
			continue
		case e.Fault != "" || e.State == outbox.Refused:
			d.What, d.Level = packetWords(*e, now)
			d.Do = booth.Text{ZH: "请这位同学重拍，并报告技术支持。", EN: "Have this student photographed again, and report it to technical support."}
		case e.State == outbox.Stored:
			d.What = booth.Text{ZH: "中心已收下，还没打开核验", EN: "Stored at central, which has not opened it yet"}
			d.Do = booth.Text{ZH: "一般几分钟就好；过夜还这样，请联系审核中心。", EN: "A matter of minutes; if it stays overnight, call central."}
		default:
			d.What, _ = packetWords(*e, now)
			d.Do = booth.Text{ZH: "照片安全在本机。接上网络，或用 U 盘导出（yunzhao export）。", EN: "It is safe here. Connect the network, or export it to a USB stick (yunzhao export)."}
		}
		out = append(out, d)
	}
	slices.SortStableFunc(out, func(a, b booth.DayDifference) int {
		return cmp.Compare(map[bool]int{true: 0, false: 1}[a.Level == booth.Bad], map[bool]int{true: 0, false: 1}[b.Level == booth.Bad])
	})
	return out
}

// dayPeople are the students whose last photo here is of the day, in the order of
// their photos.
func dayPeople(ro *roster.Store, entries []outbox.Entry, now time.Time) []booth.DayPerson {
	saved := map[string]*outbox.Entry{}
	for i := range entries {
		if e := &entries[i]; sameDayAs(e.SavedAt, now) {
			saved[e.ID.String()] = e
		}
	}
	var out []booth.DayPerson
	for _, st := range ro.Students() {
		e := saved[ro.Local(st.Batch, st.Ref).Packet]
		if e == nil {
			continue
		}
		state, _ := photoState(*e)
		out = append(out, booth.DayPerson{At: e.SavedAt, Name: st.Name, Number: tail(st.IDNumber), Packet: shortID(e.ID), State: state})
	}
	slices.SortFunc(out, func(a, b booth.DayPerson) int { return a.At.Compare(b.At) })
	return out
}

func sameDayAs(t, now time.Time) bool {
	y, m, d := t.In(now.Location()).Date()
	ny, nm, nd := now.Date()
	return y == ny && m == nm && d == nd
}

// photoState is where a photo stands, in words.
func photoState(e outbox.Entry) (booth.Text, booth.Level) {
	switch {
	case e.Fault != "" || e.State == outbox.Refused:
		return booth.Text{ZH: "有问题", EN: "trouble"}, booth.Bad
	case e.Verdict != nil && e.Verdict.State == wire.VerdictApproved:
		return booth.Text{ZH: "审核通过", EN: "approved"}, booth.OK
	case e.Verdict != nil && e.Verdict.State == wire.VerdictRejected:
		return booth.Text{ZH: "被退回", EN: "returned"}, booth.Bad
	case e.State == outbox.Saved:
		return booth.Text{ZH: "等待发送", EN: "to be sent"}, booth.Warn
	}
	return booth.Text{ZH: "等待审核", EN: "in review"}, booth.Note
}

// DayParams are what a day's report is made from.
type DayParams struct {
	DataDir string
	Config  config.Config
	Version string
	Outbox  *outbox.Outbox
	Roster  *roster.Store // nil: nobody is named
	// Day is any moment of the day that is counted, on the clock of its place.
	Day time.Time
}

// WriteDay counts a day and writes it as CSV and PDF below the data directory; it
// returns the day and the names of the files, relative to that directory.
func WriteDay(p DayParams) (booth.DayReport, []string, error) {
	log, err := os.ReadFile(filepath.Join(p.DataDir, auditFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return booth.DayReport{}, nil, fmt.Errorf("station: count the day: %w", err)
	}
	entries := p.Outbox.List()
	r := dayReport(log, entries, p.Day)
	if p.Roster != nil {
		r.People = dayPeople(p.Roster, entries, p.Day)
	}
	table, err := dayCSV(r)
	if err != nil {
		return r, nil, err
	}
	sheet, err := report.PDF(report.Head{School: p.Config.Station.School, Station: p.Config.Station.Name, Version: p.Version}, r)
	if err != nil {
		return r, nil, err
	}
	if err := os.MkdirAll(filepath.Join(p.DataDir, reportsDir), 0o700); err != nil {
		return r, nil, fmt.Errorf("station: folder of the reports: %w", err)
	}
	base := "day-" + p.Day.Format(time.DateOnly)
	if p.Roster != nil {
		base += "-names"
	}
	var names []string
	for ext, data := range map[string][]byte{".csv": table, ".pdf": sheet} {
		name := filepath.Join(reportsDir, base+ext)
		if err := durable.WriteFile(filepath.Join(p.DataDir, name), data); err != nil {
			return r, nil, fmt.Errorf("station: write the day's report: %w", err)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return r, names, nil
}

// writeDay writes the day's report below the data directory, beside the loop.
func (s *Station) writeDay(named bool) {
	s.work.Go(func() {
		p := DayParams{DataDir: s.p.DataDir, Config: s.p.Config, Version: s.p.Version, Outbox: s.p.Outbox, Day: time.Now()}
		if named {
			p.Roster = s.p.Roster
		}
		_, names, err := WriteDay(p)
		if err != nil {
			s.log.Error("the day's report is not written", "err", err)
			s.inputs <- booth.StaffNotice{Text: booth.Text{ZH: "日报没有写成，请检查磁盘。", EN: "The report was not written: check the disk."}}
			return
		}
		s.inputs <- booth.StaffNotice{Text: booth.Text{ZH: "日报已写入数据目录 " + names[1] + "（和 CSV）", EN: "The report is in the data directory: " + names[1] + " (and CSV)"}}
	})
}

// shortPacket is a packet's id as the student's screen shows it.
func shortPacket(id string) string {
	if u, err := ulid.ParseStrict(id); err == nil {
		return shortID(u)
	}
	return id
}
