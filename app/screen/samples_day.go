package screen

import (
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// sampleDay is a day of one station; crowded, one of which not everything adds
// up.
func sampleDay(crowded bool) *booth.DayReport {
	r := &booth.DayReport{At: sampleNow, Saved: 127, Left: 4, Captured: 127, Kept: 127, Sent: 127, Acked: 127}
	for i, name := range []booth.Text{
		{ZH: "核对身份", EN: "identify"},
		{ZH: "同意", EN: "consent"},
		{ZH: "须知、取景", EN: "rules, pose"},
		{ZH: "制作", EN: "portrait"},
		{ZH: "查看、提交", EN: "review, submit"},
		{ZH: "合计", EN: "in all"},
	} {
		r.Steps = append(r.Steps, booth.DayStep{Name: name, Seconds: []float64{6.2, 3.1, 11.4, 1.2, 9.8, 31.7}[i]})
	}
	for i, name := range []booth.Text{
		{ZH: "检查不合格", EN: "a check failed"}, {ZH: "有提醒", EN: "a warning"}, {ZH: "同学不满意", EN: "by wish"}, {ZH: "没有做成", EN: "no portrait"},
	} {
		r.Retakes = append(r.Retakes, booth.DayRetake{Name: name, Count: []int{9, 2, 14, 1}[i]})
	}
	for i, n := range []int{41, 52, 34} {
		r.Hours = append(r.Hours, booth.DayHour{Hour: 8 + i, Saved: n})
	}
	n := 6
	if crowded {
		n = 131
		r.Captured, r.Kept, r.Sent, r.Acked, r.Left = 12345, 12343, 12300, 12299, 1234
		r.Missing, r.Strangers = []string{"01K4HZ7N8Q2V6B3M5X9C1D4F7G", "01K4HZ7N8Q2V6B3M5X9C1D4F7H"}, []string{"01K4HZ7N8Q2V6B3M5X9C1D4F7J"}
		for i := range r.Steps {
			r.Steps[i].Seconds = 1234.5
		}
		r.Hours = nil
		for i := range 14 {
			r.Hours = append(r.Hours, booth.DayHour{Hour: 7 + i, Saved: 1234 - 60*i})
		}
	}
	for i := range n {
		s := booth.DaySession{Began: sampleNow.Add(-time.Duration(i) * time.Minute), Seconds: 31 + i%7, Shots: 1 + i%3, Packet: "7Q3K-92FX", End: "done"}
		if i%5 == 3 {
			s.Packet, s.End = "", "timeout"
		}
		r.Sessions = append(r.Sessions, s)
	}
	return r
}
