package screen

import (
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// sampleChecklist is the checklist as a real machine makes it of the lamps, with
// nothing touched; crowded, on a morning on which much is wrong.
func sampleChecklist(crowded bool) *booth.ChecklistView {
	m, err := booth.New(booth.Config{
		NewID: func() string { return "sample" }, Check: func(booth.DocType, string) (bool, *booth.Text) { return false, nil },
		Operator: booth.OperatorConfig{Checklist: true}, Simulated: crowded,
	})
	if err != nil {
		return nil
	}
	line := func(id, zh, en string, l booth.Level, nowZH, nowEN string) booth.StatusLine {
		return booth.StatusLine{ID: id, Title: booth.Text{ZH: zh, EN: en}, Lamp: booth.Lamp{Level: l, Text: booth.Text{ZH: nowZH, EN: nowEN}}}
	}
	start := []booth.StatusLine{
		line("pin", "PIN", "PINs", booth.OK, "3 人有 PIN", "3 people have one"),
		line("sound", "声音", "Sound", booth.OK, "已打开，音量 70%", "On, volume 70 %"),
	}
	var status []booth.StatusLine
	for _, l := range sampleStatus(crowded) {
		if l.ID != "light" { // the machine's own
			status = append(status, l)
		}
	}
	plate := booth.PlateChanged{Plate: booth.PlateView{ID: "p", TakenAt: sampleNow.Add(-time.Hour)}}
	if crowded {
		start[0].Lamp = booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "没有管理员 PIN，没有人能清除照片或退出。", EN: "No admin has a PIN: nobody can purge or shut down."}}
		start[1].Lamp = booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "没有声音：本机找不到播放程序，或以演示方式启动。", EN: "Silent: nothing to play with was found, or this is a demonstration."}}
		plate.Plate = booth.PlateView{ID: "p", TakenAt: sampleNow.Add(-30 * time.Hour)}
		plate.Alarm = &booth.Text{ZH: "左侧比拍空背景时暗了 38%：请检查左边的灯，然后重拍空背景", EN: "The left side is 38 % darker than when the backdrop was taken: see to the left lamp, then take the backdrop anew"}
	}
	m.Report(sampleNow, plate)
	var token int
	ask := func(effects []booth.Effect) {
		for _, e := range effects {
			if c, ok := e.(booth.CheckPIN); ok {
				token = c.Token
			}
		}
	}
	ask(m.Do(sampleNow, booth.OpenOperator{}))
	m.Report(sampleNow, booth.PINChecked{Token: token, Query: true})
	ask(m.Do(sampleNow, booth.Unlock{PIN: "sample"}))
	m.Report(sampleNow, booth.PINChecked{Token: token, OK: true, Staff: booth.Staff{ID: "li", Role: booth.RoleOperator}})
	m.Report(sampleNow, booth.HouseChanged{Status: status, Start: start})
	return m.View().Operator.Checklist
}
