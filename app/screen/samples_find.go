package screen

import (
	"fmt"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// sampleFound is a search among today's students.
func sampleFound(crowded bool) *booth.FoundView {
	v := &booth.FoundView{Query: "zxm"}
	rows := []booth.FoundRow{
		{
			Name: "张*明", Number: "**0022", State: booth.Text{ZH: "被退回", EN: "returned"}, Level: booth.Bad, Go: booth.PageRetakes,
			About: booth.Text{ZH: "10:12 被退回：头发遮住了眉毛", EN: "Returned at 10:12: hair covers the eyebrows"},
			Do:    booth.Text{ZH: "叫回来，输入号码即可重拍，不再收费。", EN: "Call the student back: typing the number begins a retake, free of charge."},
		},
		{Name: "赵*梅", Number: "**1234", State: booth.Text{ZH: "等待审核", EN: "in review"}, Level: booth.Note, About: booth.Text{ZH: "中心 09:31 收下，等待审核。", EN: "Central took it at 09:31; the review is to come."}, Do: booth.Text{ZH: "同学可以离开。", EN: "The student may go."}},
		{Name: "周*", Number: "**567X", State: booth.Text{ZH: "审核通过", EN: "approved"}, Level: booth.OK},
	}
	n := 3
	if crowded {
		n, v.More, v.Query = 60, 1234, "wwwwwwwwwwwwwwwwwwww"
		rows[0].Name = "古****************提"
		rows[0].About = booth.Text{ZH: "10:12 被退回：头发遮住了眉毛和耳朵，且光线不均匀，请在左侧补光后重拍", EN: "Returned at 10:12: hair covers the eyebrows and the ears, and the light is uneven; mend the left lamp first"}
	}
	for i := range n {
		r := rows[i%3]
		r.Packet, r.At = fmt.Sprintf("7Q3K-%04d", i), sampleNow.Add(-time.Duration(i)*time.Minute)
		v.Rows = append(v.Rows, r)
	}
	return v
}
