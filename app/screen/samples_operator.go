package screen

import (
	"fmt"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// operatorSamples are the staff's screens, and the lock screen in its other
// words.
func operatorSamples(base, visit booth.View, crowded bool) []Sample {
	staff := booth.Staff{ID: "li", Role: booth.RoleOperator}
	if crowded {
		staff = booth.Staff{ID: "wang-xiaoming-east-gate-2026-09", Role: booth.RoleAdmin}
	}
	op := booth.OperatorView{
		Unlocked: true, Staff: staff, Deadline: sampleNow.Add(80 * time.Second), Status: sampleStatus(crowded),
		Day: booth.DayNumbers{Saved: 127, Pending: 3, InReview: 41, Approved: 80, Rejected: 3, LastSaved: sampleNow},
		Can: booth.Allowed{Sync: true, Lock: true, Recalibrate: true},
	}
	if crowded {
		op.Day = booth.DayNumbers{Saved: 12345, Pending: 12345, InReview: 12345, Approved: 12345, Rejected: 12345, Refused: 12345}
		op.Can.Purge, op.Can.ShutDown = true, true
		op.Deadline = sampleNow.Add(12 * time.Second)
		op.Notice = &booth.Text{ZH: "只清除了 120 份，其余没有成功，请联系技术支持。", EN: "Only 120 were removed; call technical support about the rest."}
	}
	failing := []booth.OverrideLine{
		{Check: booth.CheckLine{ID: "roll", Title: booth.Text{ZH: "头部端正", EN: "Head upright"}, Value: "-12.4°", Limit: "-8–8°", Status: "fail"}},
		{Check: booth.CheckLine{ID: "ears", Title: booth.Text{ZH: "露出双耳", EN: "Ears visible"}, Value: "1", Limit: "≥ 2", Status: "fail"}},
	}
	manual := []booth.ManualLine{
		{Check: booth.CheckLine{ID: "headwear", Title: booth.Text{ZH: "没有头饰耳饰", EN: "No headwear or jewellery"}}, Not: true},
		{Check: booth.CheckLine{ID: "makeup", Title: booth.Text{ZH: "没有化妆美颜", EN: "No make-up"}}},
		{Check: booth.CheckLine{ID: "clothes", Title: booth.Text{ZH: "衣着正式不臃肿", EN: "Formal, well-fitting clothes"}}},
		{Check: booth.CheckLine{ID: "lenses", Title: booth.Text{ZH: "没有佩戴美瞳", EN: "No tinted contact lenses"}}},
	}
	if crowded {
		for i := range 9 {
			failing = append(failing, booth.OverrideLine{Check: booth.CheckLine{
				ID: fmt.Sprint("more-", i), Title: booth.Text{ZH: "衣服与背景有足够的反差", EN: "Clothes differ enough from the background"},
				Value: "-123.4 px", Limit: "-12.5–12.5 px", Status: "fail",
			}, Reason: "medical"})
		}
		manual = append(manual, manual...)
	}
	var list []Sample
	add := func(name string, v booth.View, change func(*booth.OperatorView)) {
		o := op
		o.Failing, o.Manual = failing, manual
		if change != nil {
			change(&o)
		}
		v.Operator = &o
		list = append(list, Sample{name, v})
	}
	idle := base
	idle.SessionID, idle.State = "", booth.Idle
	review := visit
	review.State = booth.Review
	if crowded {
		idle.Retakes, review.Retakes = sampleRetakes(), sampleRetakes()
		review.Toast = &booth.Text{ZH: "这张照片没有成功，请重拍。", EN: "This shot did not work out. Please take another."}
	} else {
		idle.Retakes = sampleRetakes()[:2]
	}
	add("30-operator-pin", review, func(o *booth.OperatorView) {
		*o = booth.OperatorView{Deadline: sampleNow.Add(25 * time.Second)}
		if crowded {
			o.PIN = booth.PINView{RetryAt: sampleNow.Add(899 * time.Second)}
		}
	})
	add("31-operator-nopin", idle, func(o *booth.OperatorView) { *o = booth.OperatorView{PIN: booth.PINView{NoPIN: true}} })
	add("32-operator-home", idle, nil)
	add("33-operator-visit", review, func(o *booth.OperatorView) {
		o.Can = booth.Allowed{Override: true, Manual: true, Compare: true, Payment: true, Abandon: true, Erase: true, Sync: true}
	})
	add("40-day", idle, func(o *booth.OperatorView) { o.Page, o.Report, o.Notice = booth.PageDay, sampleDay(crowded), nil })
	add("46-start", idle, func(o *booth.OperatorView) {
		o.Page, o.Checklist, o.Notice = booth.PageChecklist, sampleChecklist(crowded), nil
	})
	lit := idle
	if !crowded {
		lit.Calibration.Plate = booth.PlateView{ID: "P", TakenAt: sampleNow, Frames: 12}
	}
	add("47-light", lit, func(o *booth.OperatorView) { o.Page, o.Light, o.Notice = booth.PageLight, sampleLight(crowded), nil })
	add("50-find", idle, func(o *booth.OperatorView) { o.Page, o.Found, o.Notice = booth.PageFind, sampleFound(crowded), nil })
	for _, name := range []string{"48-settings", "48-settings-told"} {
		add(name, idle, func(o *booth.OperatorView) {
			o.Staff.Role = booth.RoleAdmin
			o.Page, o.Settings, o.Notice = booth.PageSettings, sampleSettings(name == "48-settings-told", crowded), nil
		})
	}
	for _, name := range []string{"39-camera", "39-camera-shot", "39-camera-away"} {
		add(name, idle, func(o *booth.OperatorView) {
			o.Page, o.Camera = booth.PageCamera, sampleCamera(name, crowded)
		})
	}
	locked := func(name string, l booth.LockedView) {
		v := base
		v.SessionID, v.State, v.Locked = "", booth.Locked, &l
		list = append(list, Sample{name, v})
	}
	locked("34-locked-cut", booth.LockedView{Crash: true, Cut: true, Saved: 126, LastSaved: sampleNow})
	locked("35-locked-cut-saved", booth.LockedView{Crash: true, Cut: true, CutSaved: true, Saved: 127, LastSaved: sampleNow, PIN: booth.PINView{
		Problem: &booth.Text{ZH: "PIN 不对，请再试一次。", EN: "Wrong PIN. Please try again."},
	}})
	locked("36-locked-no-pin", booth.LockedView{Crash: true, Cut: true, NoPIN: true})
	locked("37-locked-by-staff", booth.LockedView{Saved: 127, LastSaved: sampleNow})
	list = append(list, classSamples(crowded, idle, op)...)
	return append(list, syncSamples(crowded, idle, review, op)...)
}

// operatorModes are the parts of the operator page that no view shows: tests and
// drawings turn to them by hand on the sample of that name.
var operatorModes = map[operatorMode]string{
	modeOverride: "33-operator-visit", modeManual: "33-operator-visit", modePayment: "33-operator-visit", modeAbandon: "33-operator-visit", modeErase: "33-operator-visit",
	modePurge: "32-operator-home", modeQuit: "32-operator-home",
}

func sampleStatus(crowded bool) []booth.StatusLine {
	line := func(id, zh, en string, level booth.Level, wordsZH, wordsEN string) booth.StatusLine {
		return booth.StatusLine{ID: id, Title: booth.Text{ZH: zh, EN: en}, Lamp: booth.Lamp{Level: level, Text: booth.Text{ZH: wordsZH, EN: wordsEN}}}
	}
	list := []booth.StatusLine{
		line("camera", "相机", "Camera", booth.OK, "相机正常", "Camera OK"),
		line("plate", "空背景", "Backdrop", booth.OK, "背景已拍", "Backdrop OK"),
		line("light", "光线", "Light", booth.OK, "与空背景一致", "As when the backdrop was taken"),
		line("disk", "磁盘", "Disk", booth.OK, "磁盘正常，剩余 212.0 GB", "Disk OK, 212.0 GB free"),
		line("outbox", "待传照片", "To send", booth.Note, "待传 3", "3 to send"),
		line("central", "审核中心", "Central", booth.OK, "中心在线", "Central online"),
		line("clock", "时钟", "Clock", booth.OK, "与中心一致", "Agrees with central"),
		line("roster", "名单", "Roster", booth.OK, "1280 人，刚刚更新", "1280 students, renewed just now"),
		line("audit", "审计日志", "Audit log", booth.OK, "1533 条，链完整", "1533 entries, chain whole"),
	}
	if crowded {
		list[1].Lamp = booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "光线变化，请重拍底板", EN: "Light changed: retake plate"}}
		list[2].Lamp = booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "左侧比拍空背景时暗了 38%：请检查左边的灯，然后重拍空背景", EN: "The left side is 38 % darker than when the backdrop was taken: see to the left lamp, then take the backdrop anew"}}
		list[5].Lamp = booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "离线可拍，上次联系 23 小时前", EN: "Offline, works on, last heard 23 h ago"}}
		list[6].Lamp = booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "与中心相差 86400 秒，请校时", EN: "86400 s off central's: set the clock"}}
		list[7].Lamp = booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "123456 人，启动后未更新", EN: "123456 students, not renewed since the start"}}
		list[8].Lamp = booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "日志被改过，已另存，请上报", EN: "The log was changed and put aside: report it"}}
	}
	return list
}
