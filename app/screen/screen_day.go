package screen

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// dayPage is how the day went: whether its photos add up, how fast it goes, why
// photos were taken again, and every visit.
type dayPage struct {
	staffPage
	sums   []tile
	word   banner
	hours  *bars
	steps  *bars
	again  *bars
	table  *table
	export *button
	names  *button
	fresh  *button
}

func newDayPage(u *ui) screen {
	s := &dayPage{staffPage: newStaffPage(u, booth.Text{ZH: "今天", EN: "Today"}, booth.PageMenu)}
	for range 5 {
		s.sums = append(s.sums, tile{s.panel(colSurface, colLine), s.page.text(30, true, colInk).centre().mid().line(), s.page.text(14, false, colMuted).centre().mid().line()})
	}
	s.word = s.banner(booth.OK, "", 18, 14)
	s.hours = newBars(&s.page, 14)
	s.steps = newBars(&s.page, 6)
	s.again = newBars(&s.page, 4)
	s.table = newTable(&s.page, "day", []column{
		{name: booth.Text{ZH: "开始", EN: "Began"}, share: 1.1},
		{name: booth.Text{ZH: "秒", EN: "s"}, share: .8, right: true},
		{name: booth.Text{ZH: "拍", EN: "Shots"}, share: .8, right: true},
		{name: booth.Text{ZH: "结果", EN: "Result"}, share: 2.4},
	}, 12, nil)
	s.fresh = s.page.button("day-refresh", lookPlain, "retake", func() { u.send(booth.OpenPage{Page: booth.PageDay}) })
	s.names = s.page.button("day-export-names", lookPlain, "", func() { u.send(booth.ExportDay{Names: true}) })
	s.export = s.page.button("day-export", lookPrimary, "disk", func() { u.send(booth.ExportDay{}) })
	s.mark("day", s.word.bg.bg, func() string { return s.word.text.a.text })
	return s
}

// dayEnds puts the log's words for the end of a visit into people's.
var dayEnds = map[string]booth.Text{
	"timeout":          {ZH: "没有人了", EN: "walked away"},
	"left":             {ZH: "自己退出", EN: "left"},
	"operator":         {ZH: "工作人员结束", EN: "ended by staff"},
	"not_me":           {ZH: "不是本人", EN: "not me"},
	"consent_declined": {ZH: "不同意", EN: "declined"},
	"back":             {ZH: "返回", EN: "went back"},
	"":                 {ZH: "进行中或中断", EN: "under way or cut"},
}

func (s *dayPage) update(v booth.View) {
	r := &booth.DayReport{}
	counted := v.Operator != nil && v.Operator.Report != nil
	if counted {
		r = v.Operator.Report
	}
	for i, n := range []struct {
		count int
		name  booth.Text
	}{
		{r.Captured, booth.Text{ZH: "拍成", EN: "captured"}},
		{r.Kept, booth.Text{ZH: "已保存", EN: "saved"}},
		{r.Sent, booth.Text{ZH: "已送达", EN: "sent"}},
		{r.Acked, booth.Text{ZH: "已签收", EN: "acknowledged"}},
		{r.Left, booth.Text{ZH: "没有拍完", EN: "left"}},
	} {
		s.sums[i].number.set(fmt.Sprint(n.count))
		s.sums[i].name.set(n.name.In(s.ui.lang))
	}
	level, word := booth.Note, booth.Text{ZH: "正在统计…", EN: "Counting…"}
	switch {
	case !counted:
	case len(r.Missing)+len(r.Strangers) > 0:
		level = booth.Bad
		word = booth.Text{
			ZH: fmt.Sprintf("对不上：%d 张没有存下，%d 张日志里没有", len(r.Missing), len(r.Strangers)),
			EN: fmt.Sprintf("Does not add up: %d not saved, %d unknown to the log", len(r.Missing), len(r.Strangers)),
		}
	case r.Whole():
		level, word = booth.OK, booth.Text{ZH: "全部对上：拍成 = 保存 = 送达 = 签收", EN: "It adds up: captured = saved = sent = acknowledged"}
	default:
		word = booth.Text{ZH: fmt.Sprintf("都已保存，还有 %d 张等中心签收", r.Kept-r.Acked), EN: fmt.Sprintf("All saved; %d wait for central's signature", r.Kept-r.Acked)}
	}
	if v.Operator != nil && v.Operator.Notice != nil {
		level, word = booth.Note, *v.Operator.Notice
	}
	s.word.tone(level, "")
	s.word.set(s.ui, word)

	var hours, steps, again []barValue
	for _, h := range r.Hours {
		hours = append(hours, barValue{value: float64(h.Saved), shown: fmt.Sprint(h.Saved), name: fmt.Sprint(h.Hour)})
	}
	for _, x := range r.Steps {
		steps = append(steps, barValue{value: x.Seconds, shown: fmt.Sprintf("%.0f", x.Seconds), name: x.Name.In(s.ui.lang)})
	}
	for _, x := range r.Retakes {
		again = append(again, barValue{value: float64(x.Count), shown: fmt.Sprint(x.Count), name: x.Name.In(s.ui.lang), level: booth.Warn})
	}
	s.hours.set(booth.Text{ZH: "每小时保存", EN: "Saved an hour"}, hours)
	s.steps.set(booth.Text{ZH: "每步的中位秒数", EN: "Median seconds a step"}, steps)
	s.again.set(booth.Text{ZH: "为什么重拍", EN: "Why again"}, again)
	var rows [][]cell
	for _, x := range r.Sessions {
		result := cell{text: x.Packet, level: booth.OK}
		if x.Packet == "" {
			text, ok := dayEnds[x.End]
			if !ok {
				text = booth.Text{ZH: x.End, EN: x.End}
			}
			result = cell{text: text.In(s.ui.lang), level: booth.Note}
		}
		rows = append(rows, []cell{{text: x.Began.Format("15:04")}, {text: fmt.Sprint(x.Seconds)}, {text: fmt.Sprint(x.Shots)}, result})
	}
	s.table.set(rows, booth.Text{ZH: "今天还没有人来", EN: "Nobody has come today"})
	s.fresh.label(booth.Text{ZH: "重新统计", EN: "Count again"})
	s.export.label(booth.Text{ZH: "写日报（PDF、CSV）", EN: "Report (PDF, CSV)"})
	s.names.label(booth.Text{ZH: "含姓名的日报", EN: "With names"})
	setVisible(s.names, v.Operator != nil && v.Operator.Staff.Role == booth.RoleAdmin)
}

func (s *dayPage) layout(sp space) {
	k := s.ui.k
	body := s.frame(sp)
	place(s.export, sp.primary, k)
	_, rest := sp.rest.cutLeft(min(240, sp.rest.w*0.5)+gap, 0)
	if s.ui.tall {
		rest, body = body.cutBottom(62, gap)
	}
	cells := rest.grid(2, 1, gap)
	place(s.names, cells[0], k)
	place(s.fresh, cells[1], k)
	top, body := body.cutTop(78, 10)
	for i, c := range top.grid(len(s.sums), 1, 10) {
		place(s.sums[i].bg.bg, c, k)
		radius(s.sums[i].bg, k)
		num, name := c.insetXY(4, 5).cutTop(42, 0)
		s.sums[i].number.layout(num, k)
		s.sums[i].name.layout(name, k)
	}
	line, body := body.cutTop(54, 10)
	s.word.layout(line, k)
	charts, list := s.ui.beside(body, 0.56, 0.55)
	upper, lower := charts.cutTop((charts.h-10)/2, 10)
	a, b := upper.cutLeft(upper.w*0.62, 10)
	s.hours.layout(a)
	s.again.layout(b)
	s.steps.layout(lower)
	s.table.layout(list)
}
