package screen

import (
	"fmt"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// sampleSettings is the settings page with a setting of every kind; told, after
// something was asked for.
func sampleSettings(told, crowded bool) *booth.SettingsView {
	v := &booth.SettingsView{Can: true}
	for _, g := range [][3]string{
		{"station", "本站", "Station"},
		{"camera", "相机", "Camera"},
		{"screen", "屏幕", "Screen"},
		{"capture", "拍照", "Taking photos"},
		{"times", "等待时间", "Waiting times"},
		{"sound", "声音", "Sound"},
		{"scan", "读卡与扫码", "Cards and codes"},
		{"operator", "工作人员", "Staff"},
		{"central", "审核中心", "Central"},
		{"outbox", "照片库", "Photos kept here"},
		{"keys", "密钥", "Keys"},
	} {
		v.Groups = append(v.Groups, booth.SettingGroup{ID: g[0], Name: booth.Text{ZH: g[1], EN: g[2]}})
	}
	both := func(s string) booth.Text { return booth.Text{ZH: s, EN: s} }
	v.Lines = []booth.SettingLine{
		{
			Key: "station.name", Group: "station", Kind: booth.SettingText, Name: booth.Text{ZH: "本站名称", EN: "Name of this station"}, Most: 40, Value: "东门一号", Shown: both("东门一号"),
			Standard: both("云照站"), About: booth.Text{ZH: "工作人员怎么称呼这一台。", EN: "What staff call this one."}, Allowed: booth.Text{ZH: "1 到 40 个字符", EN: "1 to 40 characters"},
		},
		{
			Key: "camera.mount_rotation", Group: "camera", Kind: booth.SettingChoice, Name: booth.Text{ZH: "相机怎么装的", EN: "How the camera is mounted"}, Value: "0", Shown: booth.Text{ZH: "正着装", EN: "upright"},
			Standard: booth.Text{ZH: "正着装", EN: "upright"}, About: booth.Text{ZH: "相机侧装时人脸更大。", EN: "A camera on its side gives a larger face."},
			Choices: []booth.SettingOption{{Value: "0", Name: booth.Text{ZH: "正着装", EN: "upright"}}, {Value: "90", Name: booth.Text{ZH: "顺时针转 90°", EN: "turn 90° clockwise"}}},
		},
		{
			Key: "sound.volume", Group: "sound", Kind: booth.SettingNumber, Name: booth.Text{ZH: "音量", EN: "Volume"}, Most: 100, Value: "70", Shown: both("70 %"), Standard: both("70 %"),
			About: booth.Text{ZH: "在电脑自己的音量之上。", EN: "On top of the computer's own volume."}, Allowed: both("0–100 %"),
		},
		{
			Key: "operator.corner", Group: "operator", Kind: booth.SettingFlag, Name: booth.Text{ZH: "按住左上角名称可进入", EN: "Holding the name at the top left opens it"}, Value: "true",
			Shown: booth.Text{ZH: "开", EN: "on"}, Standard: booth.Text{ZH: "开", EN: "on"}, About: booth.Text{ZH: "触摸屏用。", EN: "For touch screens."},
		},
	}
	if told {
		v.Pending = 1
		v.Lines[0].Pending = true
		v.Told, v.Level = booth.Text{ZH: "已保存，重新启动后生效。", EN: "Saved. It takes effect when the station starts anew."}, booth.OK
	}
	if !crowded {
		return v
	}
	v.Can = false
	for i := range 33 {
		l := v.Lines[i%4]
		l.Key = fmt.Sprintf("times.more_%d", i)
		l.Shown, l.Standard = booth.Text{ZH: "自动：第一台 USB 相机，插在后面板左上的口上", EN: "automatic: the first USB camera, at the back, top left"}, booth.Text{ZH: "模拟相机（只供演示）", EN: "simulated camera (demonstrations only)"}
		l.Pending = i%3 == 0
		v.Lines = append(v.Lines, l)
	}
	if told {
		v.Pending = 37
		v.Told, v.Level = booth.Text{
			ZH: `没有改：operator.corner = false: then operator.key must name a key, or nobody reaches the operator page`,
			EN: `Not changed: operator.corner = false: then operator.key must name a key, or nobody reaches the operator page`,
		}, booth.Bad
	}
	return v
}
