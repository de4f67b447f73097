package screen

import (
	"fmt"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// sampleSync is what the page about the queue shows on a bad day.
func sampleSync(crowded bool) booth.SyncView {
	v := booth.SyncView{
		Lamp:    booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "离线可拍", EN: "Offline, works on"}},
		Heard:   booth.Text{ZH: "中心的签名应答：23 分钟前", EN: "Central's signed answer: 23 min ago"},
		Pending: 3, Bytes: 912_000, Oldest: sampleNow.Add(-23 * time.Minute), Failing: true,
		LastErr:  booth.Text{ZH: "连不上审核中心。请检查网线或无线网络；照片都安全，连上后自动继续。", EN: "Central cannot be reached. Check the cable or the wireless network; all photos are safe and go by themselves."},
		Delivery: booth.Text{ZH: "中心已签收 124 份，其中 124 份已打开核验", EN: "Central has signed for 124, and opened 124 of them"},
	}
	n := 3
	if crowded {
		n = 60
		v.Pending, v.Bytes, v.Oldest = 12345, 3_703_500_000, sampleNow.Add(-200*time.Hour)
		v.LastErr = booth.Text{
			ZH: "中心的证书与设置不符，可能换了证书，也可能不是中心。请联系技术支持。",
			EN: "Central's certificate is not the one in the settings: it was renewed, or this is not central. Call technical support.",
		}
	}
	for i := range n {
		q := booth.QueueRow{
			ID: fmt.Sprintf("K7WQ2M%02d", i), Saved: sampleNow.Add(-time.Duration(23-i%20) * time.Minute), Bytes: 304_000,
			State: booth.Text{ZH: "试过 2 次，1 分钟后再试", EN: "Tried 2 times, again in 1 min"}, Level: booth.Warn,
		}
		if i > 0 {
			q.State, q.Level = booth.Text{ZH: "等待发送", EN: "Waiting to be sent"}, booth.Note
		}
		if crowded && i < 2 {
			q.State = booth.Text{ZH: "中心不能使用（header_mismatch），请重拍并上报", EN: "Central cannot use it (header_mismatch): take it again and report it"}
			q.Level = booth.Bad
		}
		v.Queue = append(v.Queue, q)
	}
	return v
}

// syncSamples are the staff's pages about the exchange with central.
func syncSamples(crowded bool, idle, visit booth.View, op booth.OperatorView) []Sample {
	page := func(name string, v booth.View, p booth.StaffPage, change func(*booth.OperatorView)) Sample {
		o := op
		o.Page, o.Notice = p, nil
		change(&o)
		v.Operator = &o
		return Sample{name, v}
	}
	calm := idle
	calm.Retakes = nil
	return []Sample{
		page("40-staff-sync", idle, booth.PageSync, func(o *booth.OperatorView) { o.Sync = sampleSync(crowded) }),
		page("41-staff-sync-calm", idle, booth.PageSync, func(o *booth.OperatorView) {
			o.Sync = sampleSync(crowded)
			o.Sync.Lamp = booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "中心在线", EN: "Central online"}}
			o.Sync.Pending, o.Sync.Bytes, o.Sync.Oldest, o.Sync.Queue, o.Sync.LastErr = 0, 0, time.Time{}, nil, booth.Text{}
		}),
		page("42-staff-retakes", idle, booth.PageRetakes, func(*booth.OperatorView) {}),
		page("43-staff-retakes-none", calm, booth.PageRetakes, func(*booth.OperatorView) {}),
		page("44-staff-paycode", visit, booth.PagePayCode, func(o *booth.OperatorView) { o.Can.Payment = true }),
		page("45-staff-paycode-wrong", visit, booth.PagePayCode, func(o *booth.OperatorView) {
			o.Can.Payment, o.Refused = true, true
			o.Notice = &booth.Text{
				ZH: "本机今天已试错太多次，明天才能再用确认码。请登记为以后付，并告知管理员。",
				EN: "Too many wrong tries on this station today; codes work again tomorrow. Record that the fee is paid later and tell the admin.",
			}
		}),
	}
}
