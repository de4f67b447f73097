package screen

import (
	"image/color"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// setupSamples are the steps of the first run.
func setupSamples(lang booth.Lang, crowded bool) []Sample {
	steps := []booth.SetupStep{
		booth.SetupLanguage, booth.SetupName, booth.SetupCamera, booth.SetupPlate, booth.SetupCentral, booth.SetupPIN, booth.SetupShot,
	}
	names := []booth.Text{
		{ZH: "语言", EN: "Language"},
		{ZH: "名称", EN: "Names"},
		{ZH: "相机", EN: "Camera"},
		{ZH: "空背景", EN: "Backdrop"},
		{ZH: "登记", EN: "Central"},
		{ZH: "PIN", EN: "PIN"},
		{ZH: "试拍", EN: "Test"},
	}
	risk := booth.Text{ZH: "没有登记就没有名单，照片也送不走：本机不能开始工作，下次启动再问。", EN: "Without it there is no roster and no delivery: the station cannot work, and asks at its next start."}
	var list []Sample
	add := func(name string, step booth.SetupStep, change func(*booth.SetupView)) {
		v := &booth.SetupView{
			Step: step, Done: true, Station: "云照站", Device: "auto", Risk: risk, Camera: booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "相机正常", EN: "Camera OK"}},
			Cameras: []booth.SettingOption{
				{Value: "auto", Name: booth.Text{ZH: "自动", EN: "Automatic"}},
				{Value: "scene", Name: booth.Text{ZH: "模拟相机", EN: "Simulated"}},
				{Value: "usb:1", Name: booth.Text{ZH: "HD Pro Webcam C920", EN: "HD Pro Webcam C920"}},
			},
		}
		before := true
		for i, s := range steps {
			before = before && s != step
			level := booth.Note
			switch {
			case crowded && i == 3:
				level = booth.Warn
			case before:
				level = booth.OK
			}
			v.Marks = append(v.Marks, booth.SetupMark{Step: s, Name: names[i], Level: level})
		}
		if change != nil {
			change(v)
		}
		list = append(list, Sample{"49-setup-" + name, booth.View{State: booth.Idle, Lang: lang, Now: sampleNow, Setup: v}})
	}
	long := booth.Text{
		ZH: "左右亮度相差 38%，右侧的灯没有亮或被挡住；请看每盏灯，再拍一次空背景。", EN: "Left and right differ by 38 %: the right lamp is off or hidden. See to every lamp and take the backdrop again.",
	}
	add("unlock", booth.SetupUnlock, func(v *booth.SetupView) {
		v.Done, v.Risk = false, booth.Text{}
		if crowded {
			v.Level, v.Told, v.RetryAt = booth.Bad, booth.Text{ZH: "PIN 不对，请等 480 秒再试。", EN: "Wrong PIN: wait 480 s and try again."}, sampleNow.Add(480*time.Second)
		}
	})
	add("language", booth.SetupLanguage, nil)
	add("name", booth.SetupName, func(v *booth.SetupView) {
		if crowded {
			v.Station, v.School = "内蒙古民族幼儿师范高等专科学校东门报到处一号拍照点甲乙丙丁", "内蒙古民族幼儿师范高等专科学校（呼和浩特市赛罕区校区）"
			v.Level, v.Told = booth.Bad, booth.Text{ZH: "不行：station.name: must have 1 to 40 characters, has 0", EN: "Not possible: station.name: must have 1 to 40 characters, has 0"}
		}
	})
	add("camera", booth.SetupCamera, func(v *booth.SetupView) {
		if crowded {
			v.Camera = booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "相机断开", EN: "Camera away"}}
			v.Done = false
			for range 6 {
				v.Cameras = append(v.Cameras, booth.SettingOption{Value: "usb:9", Name: booth.Text{ZH: "HD Pro Webcam C920 on the back panel, top left", EN: "HD Pro Webcam C920 on the back panel, top left"}})
			}
		}
	})
	add("plate", booth.SetupPlate, func(v *booth.SetupView) {
		v.Done = false
		if crowded {
			v.Level, v.Told = booth.Bad, long
			for range 4 {
				v.Lines = append(v.Lines, booth.CalibrationLine{Level: booth.Bad, Text: long})
			}
		}
	})
	add("plate-busy", booth.SetupPlate, func(v *booth.SetupView) { v.Done, v.Busy, v.Got, v.Want = false, true, 7, 12 })
	add("central", booth.SetupCentral, func(v *booth.SetupView) {
		v.Done = false
		if crowded {
			v.Level, v.Told = booth.Bad, booth.Text{ZH: "设置码过期了，或本机日期不对。请要一个新的。", EN: "The code has expired, or this computer's date is wrong. Ask for a new one."}
		}
	})
	add("compare", booth.SetupCentral, func(v *booth.SetupView) {
		v.Done = false
		v.Scanned = &booth.SetupCode{Address: "https://photos.example.edu.cn", Compare: "4071 9281 7203 5518 0042", Station: "东门一号", School: "示例大学"}
		if crowded {
			v.Scanned.Address = "https://photos.registration-office.northern-campus.example.edu.cn/enrolment/2026"
			for range 8 {
				v.Scanned.Settings = append(v.Scanned.Settings, "operator.manual_pin = true")
			}
		}
	})
	add("enrolled", booth.SetupCentral, func(v *booth.SetupView) {
		v.Level, v.Told = booth.OK, booth.Text{ZH: "登记好了，有 2 个批次。", EN: "Enrolled, with 2 batches."}
	})
	add("pin", booth.SetupPIN, func(v *booth.SetupView) { v.Done = false })
	add("shot", booth.SetupShot, func(v *booth.SetupView) {
		if crowded {
			v.Shot = &booth.CameraSample{Whole: samplePortrait(color.RGBA{214, 210, 202, 255}), Facts: []booth.StatusLine{
				{Title: booth.Text{ZH: "大小", EN: "Size"}, Lamp: booth.Lamp{Text: booth.Text{ZH: "1920×1080, 412 KB", EN: "1920×1080, 412 KB"}}},
				{Title: booth.Text{ZH: "过亮", EN: "Too bright"}, Lamp: booth.Lamp{Text: booth.Text{ZH: "0.04 %", EN: "0.04 %"}}},
			}}
			v.Level, v.Told = booth.OK, booth.Text{ZH: "试拍成功，没有保存。", EN: "A test shot was taken; it is kept nowhere."}
		}
	})
	add("end", booth.SetupEnd, func(v *booth.SetupView) { v.Risk, v.Done = booth.Text{}, !crowded })
	return list
}
