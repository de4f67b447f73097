package screen

import (
	"image"
	"image/color"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// Sample is a view with made-up content, for looking at a screen without a
// camera, a roster or a visit.
type Sample struct {
	Name string // file-name friendly: "03-eligible"
	View booth.View
}

// sampleNow is the moment the samples pretend to be in: drawings of them are the
// same every time.
var sampleNow = time.Date(2026, 9, 7, 9, 30, 0, 0, time.UTC)

// sampleURL is as long as a claim's URL gets (QR version 6 at level M).
const sampleURL = "https://photo.example.edu.cn/k/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJyg"

// Samples returns one view of every screen with everyday content.
func Samples(lang booth.Lang) []Sample { return samples(lang, false) }

// CrowdedSamples returns the same screens with the longest content there is:
// what fits here fits every day.
func CrowdedSamples(lang booth.Lang) []Sample { return samples(lang, true) }

func samples(lang booth.Lang, crowded bool) []Sample {
	base := booth.View{SessionID: "sample", Lang: lang, Now: sampleNow, Lamps: sampleLamps(crowded), Simulated: true, Demo: true}
	visit := base
	visit.Student, visit.Service = sampleStudent(crowded), sampleService(crowded)
	visit.Payment = booth.PaymentView{State: "unpaid"}
	visit.Claim = booth.ClaimView{URL: sampleURL}
	visit.ConsentDoc = sampleConsent(crowded)
	var list []Sample
	add := func(name string, state booth.State, v booth.View, change func(*booth.View)) {
		v.State = state
		if change != nil {
			change(&v)
		}
		list = append(list, Sample{name, v})
	}
	add("00-locked", booth.Locked, base, func(v *booth.View) {
		v.SessionID = ""
		v.Locked = &booth.LockedView{Crash: true, Saved: 127, LastSaved: sampleNow}
		if crowded {
			v.Locked.Cut, v.Locked.Saved = true, 12345
			v.Locked.PIN = booth.PINView{RetryAt: sampleNow.Add(899 * time.Second)}
		}
	})
	list = append(list, setupSamples(lang, crowded)...)
	for _, s := range operatorSamples(base, visit, crowded) {
		add(s.Name, s.View.State, s.View, nil)
	}
	add("01-idle", booth.Idle, base, func(v *booth.View) {
		v.SessionID = ""
		if crowded {
			v.Retakes = sampleRetakes()
		}
	})
	add("01-idle-drift", booth.Idle, base, func(v *booth.View) {
		v.SessionID = ""
		v.Calibration.Alarm = &booth.Text{
			ZH: "左侧灯灭了或变暗（面向背景）。请恢复灯光，或重新拍摄空背景。",
			EN: "The left lamp (facing the backdrop) is off or dimmer. Mend it, or photograph the empty backdrop again.",
		}
		if crowded {
			v.Retakes = sampleRetakes()
		}
	})
	add("02-identify-empty", booth.Identify, base, func(v *booth.View) { v.Identify = booth.IdentifyView{Doc: booth.DocResident} })
	add("03-identify", booth.Identify, base, func(v *booth.View) {
		v.Identify = booth.IdentifyView{
			Doc: booth.DocResident, Raw: "110105194912310022", Grouped: "110105 1949 1231 0022", Bad: true,
			Message: booth.Text{ZH: "校验位不对，请核对最后一位和每一组数字", EN: "The check digit does not match: look at the last character and every group"},
		}
		if crowded {
			v.Identify.Doc = booth.DocPassport
			v.Identify.Raw, v.Identify.Grouped = "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWW", "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"
		}
	})
	add("03-identify-camera", booth.Identify, base, func(v *booth.View) {
		v.Identify = booth.IdentifyView{Doc: booth.DocResident, Scan: booth.ScanView{
			Can: true, On: true, Hint: booth.Text{ZH: "看到证件了，请再靠近镜头一些。", EN: "There is the card: bring it closer to the camera."},
		}}
		if crowded {
			v.Identify.Scan.Hint = booth.Text{
				ZH: "请把身份证正面或手机上的采集码对准镜头。身份证不拍照、不保存。",
				EN: "Hold the front of your ID card, or the code on your phone, up to the camera. The card is read, never kept.",
			}
		}
	})
	if crowded {
		add("04-identify-toast", booth.Identify, base, func(v *booth.View) {
			v.Identify = booth.IdentifyView{Doc: booth.DocHMT, Raw: "H1234567", Grouped: "H1234567", Complete: true}
			v.Toast = &booth.Text{ZH: "名单里没有这个号码。请核对后重输，或请工作人员帮忙。", EN: "This number is not on the list. Check it and type again, or ask the staff."}
			v.Next = visit.Student
		})
	}
	add("05-choose", booth.Eligible, base, func(v *booth.View) {
		v.Candidates = []booth.Candidate{
			{School: "云海大学", Batch: "2026 新生学籍照", Level: "本科", Major: "计算机科学与技术"},
			{School: "云海职业技术学院", Batch: "2026 毕业证照", Level: "专科", Major: "护理"},
		}
		if crowded {
			for range 4 {
				v.Candidates = append(v.Candidates, booth.Candidate{School: longSchool, Batch: longBatch, Level: "全日制普通本科", Major: longMajor})
			}
		}
	})
	add("06-eligible", booth.Eligible, visit, nil)
	if crowded {
		add("07-eligible-revealed", booth.Eligible, visit, func(v *booth.View) {
			s := *v.Student
			s.Revealed, s.NameFull, s.NumberFull = true, "古丽努尔·阿不都热西提·买买提江", "110105 1949 1231 002X"
			s.InfoFlagged, s.Recapture = true, true
			s.RejectReason = booth.Text{ZH: "头发遮住了眉毛和耳朵，且光线不均匀", EN: "Hair covers the eyebrows and ears, and the light is uneven"}
			v.Student = &s
			v.Payment = booth.PaymentView{State: "unpaid", Blocked: true}
			v.Claim.Linked, v.Claim.MatchNumber = true, "4821"
		})
	}
	add("08-consent", booth.Consent, visit, nil)
	add("09-guide", booth.Guide, visit, func(v *booth.View) { v.Payment.Blocked = crowded })
	live := booth.LiveView{
		Hint: booth.Text{ZH: "请往左移一点", EN: "Move a little to the left"}, Icon: "arrow-left", Level: booth.Warn, Checks: sampleChecks(crowded),
	}
	if crowded {
		live.Hint = booth.Text{ZH: "请把头发整理到耳朵后面，露出双耳和额头", EN: "Please tuck your hair behind your ears so that both ears and the forehead show"}
	}
	visit.Capture = booth.CaptureView{Offered: true, Auto: !crowded, Lens: booth.LensAbove}
	add("10-framing", booth.Framing, visit, func(v *booth.View) { v.Live = live })
	add("10-framing-stopped", booth.Framing, visit, func(v *booth.View) {
		v.Live = live
		v.Capture.Stopped = &booth.Text{ZH: "先停一下：" + live.Hint.ZH, EN: "On hold: " + live.Hint.EN}
		v.Capture.Lens = booth.LensLeft
	})
	add("11-framing-held", booth.Framing, visit, func(v *booth.View) {
		v.Live = booth.LiveView{Ready: true, Hint: booth.Text{ZH: "很好，保持住", EN: "Perfect, hold it"}, Icon: "ok", Level: booth.OK, Checks: sampleChecks(false)[:5]}
		v.Capture.Held, v.Capture.Lens = 0.6, booth.LensRight
	})
	add("11-framing-ready", booth.Framing, visit, func(v *booth.View) {
		v.Live = booth.LiveView{Ready: true, Hint: booth.Text{ZH: "很好，保持住", EN: "Perfect, hold it"}, Icon: "ok", Level: booth.OK, Checks: sampleChecks(false)[:5]}
	})
	add("12-countdown", booth.Countdown, visit, func(v *booth.View) { v.Countdown, v.Live = 3, live })
	add("12-countdown-self", booth.Countdown, visit, func(v *booth.View) {
		v.Countdown, v.Live = 10, live
		v.Capture.ByItself, v.Capture.Lens = true, booth.LensBelow
	})
	add("13-shot", booth.Shot, visit, nil)
	add("14-standardising", booth.Standardising, visit, func(v *booth.View) { v.Live = live })
	shot := &booth.ShotView{
		Attempt: 1, Seq: 812, Portrait: samplePortrait(color.RGBA{100, 197, 255, 255}), Before: samplePortrait(color.RGBA{214, 210, 202, 255}),
		Verdict: "pass", Checks: sampleChecks(crowded), CanAccept: true, ManualOK: true, TookMS: 420,
		ManualAsk: []booth.CheckLine{{Title: booth.Text{ZH: "没有头饰耳饰", EN: "No headwear or jewellery"}}, {Title: booth.Text{ZH: "没有化妆美颜", EN: "No make-up"}}},
	}
	shot.Burst = sampleBurst(crowded)
	if crowded {
		shot.Verdict, shot.ManualOK, shot.CanAccept = "fail", false, false
		shot.ManualAsk = append(shot.ManualAsk, booth.CheckLine{Title: booth.Text{ZH: "衣着正式不臃肿", EN: "Formal, well-fitting clothes"}},
			booth.CheckLine{Title: booth.Text{ZH: "没有佩戴美瞳", EN: "No tinted contact lenses"}})
	}
	add("15-review", booth.Review, visit, func(v *booth.View) {
		v.Shot = shot
		if crowded {
			v.Next = visit.Student
		}
	})
	add("16-review-refused", booth.Review, visit, func(v *booth.View) {
		v.Shot = &booth.ShotView{Attempt: 2, Verdict: "fail", Problem: &booth.Text{ZH: "没有找到人脸，请坐正后重拍", EN: "No face was found: sit straight and take another"}, Checks: sampleChecks(crowded)}
	})
	add("16-review-picking", booth.Review, visit, func(v *booth.View) {
		s := *shot
		s.Picking, s.CanAccept = s.Burst[0].Seq, false
		v.Shot = &s
	})
	add("17-confirm", booth.Confirm, visit, func(v *booth.View) {
		v.Shot = shot
		v.Payment = booth.PaymentView{State: "paid"}
		if crowded {
			v.Payment = booth.PaymentView{State: "unpaid", Blocked: true}
		}
		v.Warning, v.Deadline = true, sampleNow.Add(12*time.Second)
	})
	add("18-sealing", booth.Sealing, visit, nil)
	add("19-done", booth.Done, visit, func(v *booth.View) {
		v.Payment = booth.PaymentView{State: "paid"}
		v.Deadline = sampleNow.Add(18 * time.Second)
		v.Saved = &booth.SavedView{PacketID: "7Q3K-92FX", At: sampleNow, Seq: 127, Pending: 3, Online: crowded}
	})
	add("20-abandoned", booth.Abandoned, base, nil)
	for _, f := range booth.Faults() {
		name, state, v := "21-fault-"+f.Code, booth.Idle, base
		switch f.Code {
		case booth.FaultSeal:
			name, state, v = "21-fault", booth.Confirm, visit
		case booth.FaultCamera:
			state, v = booth.Framing, visit
		}
		if crowded && state == booth.Idle { // the longest words that the outbox has
			f.Body = booth.Text{
				ZH: "最早的未上传照片已有 365 天，请先联网上传或用 U 盘导出；若本机日期不对，请先校准",
				EN: "The oldest unsent photo has waited 365 days: connect and upload, or export to a USB stick. If this machine's date is wrong, set it first",
			}
		}
		add(name, state, v, func(v *booth.View) { v.Fault = &f })
	}
	return list
}

// sampleBurst is what the review offers to choose from.
func sampleBurst(crowded bool) []booth.BurstView {
	flaws := []booth.Text{{ZH: "眨眼", EN: "Blink"}, {}, {}, {ZH: "有点虚", EN: "Blurry"}, {ZH: "张嘴", EN: "Mouth"}}
	n := len(flaws)
	if crowded {
		n = maxThumbs
	}
	var list []booth.BurstView
	for i := range n {
		list = append(list, booth.BurstView{
			Seq: uint64(810 + i), Thumb: samplePortrait(color.RGBA{214, 210, 202, 255}), Best: i == 2, Flaw: flaws[i%len(flaws)],
		})
	}
	return list
}

const (
	longSchool = "内蒙古民族幼儿师范高等专科学校（呼和浩特市赛罕区校区）"
	longMajor  = "数据科学与大数据技术（中外合作办学，智慧城市与公共管理方向）"
	longBatch  = "2026 年秋季入学新生学籍电子注册照片采集（第二批补采）"
)

func sampleLamps(crowded bool) booth.Lamps {
	l := booth.Lamps{
		Camera:  booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "相机正常", EN: "Camera OK"}},
		Central: booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "中心在线", EN: "Central online"}},
		Outbox:  booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "待发 0", EN: "Outbox 0"}},
		Disk:    booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "磁盘 212 GB", EN: "Disk 212 GB"}},
		Plate:   booth.Lamp{Level: booth.OK, Text: booth.Text{ZH: "底板 08:12", EN: "Plate 08:12"}},
	}
	if crowded {
		l.Central = booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "中心离线 3 小时 12 分", EN: "Central offline for 3 h 12 min"}}
		l.Outbox = booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "待发 1234", EN: "Outbox 1234"}}
		l.Disk = booth.Lamp{Level: booth.Bad, Text: booth.Text{ZH: "磁盘剩余 1.2 GB", EN: "Disk 1.2 GB left"}}
		l.Plate = booth.Lamp{Level: booth.Warn, Text: booth.Text{ZH: "光线变化，请重拍底板", EN: "Light changed: retake plate"}}
	}
	return l
}

func sampleStudent(crowded bool) *booth.StudentView {
	s := &booth.StudentView{
		NameMasked: "张*明", NumberMasked: "1101**********002X", DocType: booth.DocResident, School: "云海大学", Level: "本科",
		Major: "计算机科学与技术", StudentNo: "2026010203", Batch: "2026 新生学籍照",
	}
	if crowded {
		s.NameMasked, s.School, s.Major, s.Batch = "古**************江", longSchool, longMajor, longBatch
		s.Level, s.StudentNo = "全日制普通本科", "20260102030405060708"
	}
	return s
}

func sampleService(crowded bool) *booth.ServiceView {
	s := &booth.ServiceView{
		PriceFen: 3000, Policy: "before_submit", ReviewDays: 3, Contact: "400-000-0000",
		Covers: booth.Text{ZH: "现场拍摄、标准照制作、人工审核、电子版下载", EN: "Photo, standard portrait, human review, download"},
	}
	if crowded {
		s.PriceFen = 123456
		s.Covers = booth.Text{
			ZH: "含现场拍摄、标准证件照制作、人工审核、不合格免费重拍、学籍系统上报、电子版永久下载",
			EN: "Photo on site, standard portrait, human review, free retakes when refused, filing with the student register, download for good",
		}
		s.Contact = "400-000-0000 转 8812（工作日 9:00–17:30）"
	}
	return s
}

func sampleConsent(crowded bool) booth.ConsentView {
	c := booth.ConsentView{Version: "2026-1", RetainDays: 30, Body: booth.Text{
		ZH: "我们会为您拍摄证件照，用于学籍注册和学历证书。\n\n" +
			"收集：您的人脸照片（敏感个人信息）、证件号码、学校和专业。\n" +
			"用途：仅限本次采集批次，不做广告，不做人脸识别库。\n" +
			"保存：加密后发送到学校指定的审核中心；本机看不到已提交的照片。\n" +
			"您的权利：随时退出；提交前可无限次重拍；可要求查询、更正或删除。\n\n" +
			"点“同意并继续”表示您已阅读并同意；不同意也可以找工作人员用其他方式办理。",
		EN: "We take a certificate photo for your student record and diploma.\n\n" +
			"Collected: your face photo (sensitive personal data), ID number, school and major.\n" +
			"Used: for this collection only; no advertising, no face database.\n" +
			"Kept: encrypted, sent to the review centre the school names; this station cannot open a submitted photo.\n" +
			"Your rights: leave at any time; retake freely before submitting; ask to see, correct or delete.\n\n" +
			"\"Agree\" means you have read this. If you decline, the staff offer another way.",
	}}
	if crowded {
		c.Body.ZH += "\n未满十四周岁的同学，请由监护人陪同并同意。境外证件持有人适用同样的规则。如对处理个人信息有疑问，可联系学校信息化办公室或拨打客服电话，我们在十五个工作日内答复。"
		c.Body.EN += "\nUnder fourteen: a guardian must be present and agree. Holders of other documents have the same rights. Questions go to the school's information office or the service line, and are answered within fifteen working days."
	}
	return c
}

func sampleRetakes() []booth.RetakeItem {
	var list []booth.RetakeItem
	for range 7 {
		list = append(list, booth.RetakeItem{
			NameMasked: "欧阳*", NumberTail: "002X", At: sampleNow,
			Reason: booth.Text{ZH: "头发遮住了眉毛和耳朵，请整理后重拍", EN: "Hair covers the eyebrows and ears: tidy it and come again"},
		})
	}
	return list
}

func sampleChecks(crowded bool) []booth.CheckLine {
	list := []booth.CheckLine{
		{ID: "single_face", Title: booth.Text{ZH: "本人单人", EN: "One person"}, Status: "pass", Value: "1"},
		{ID: "roll", Title: booth.Text{ZH: "头部端正", EN: "Head upright"}, Status: "pass", Value: "0.8°"},
		{ID: "yaw", Title: booth.Text{ZH: "正视镜头", EN: "Facing the camera"}, Status: "pass", Value: "1.9°"},
		{ID: "eyes_open", Title: booth.Text{ZH: "眼睛睁开", EN: "Eyes open"}, Status: "pass", Value: "0.07"},
		{ID: "mouth_closed", Title: booth.Text{ZH: "嘴唇闭合", EN: "Lips closed"}, Status: "pass", Value: "0.01"},
		{ID: "shoulders_level", Title: booth.Text{ZH: "双肩放平", EN: "Shoulders level"}, Status: "pass", Value: "1.1°"},
		{ID: "illumination_even", Title: booth.Text{ZH: "光线均匀", EN: "Even light"}, Status: "pass", Value: "87"},
		{ID: "file_size", Title: booth.Text{ZH: "文件大小", EN: "File size"}, Status: "pass", Value: "38 KB"},
	}
	if !crowded {
		return list
	}
	list[1].Status, list[1].Value, list[1].Message = "fail", "-12.4°", booth.Text{ZH: "头歪了，请坐正，让双眼在一条水平线上", EN: "The head is tilted: sit straight, eyes level"}
	list[6].Status, list[6].Message = "warn", booth.Text{ZH: "脸的一侧偏暗，请正对灯光", EN: "One side of the face is darker: face the light"}
	list[3].Status, list[3].Message = "unknown", booth.Text{ZH: "眼睛没有测到，请看镜头", EN: "The eyes could not be measured: look at the camera"}
	for _, t := range []booth.Text{
		{ZH: "露出双耳", EN: "Ears visible"},
		{ZH: "露出额头", EN: "Forehead visible"},
		{ZH: "眼镜无反光", EN: "No glare on glasses"},
		{ZH: "衣服与背景有反差", EN: "Clothes differ from background"},
		{ZH: "衣服不是蓝色", EN: "Clothes not blue"},
		{ZH: "背景均匀", EN: "Even background"},
		{ZH: "清晰度", EN: "Sharpness"},
		{ZH: "瞳距像素", EN: "Pixels between the eyes"},
		{ZH: "头顶到上边距离", EN: "Crown to top edge"},
	} {
		list = append(list, booth.CheckLine{ID: t.EN, Title: t, Status: "pass", Value: "100.0"})
	}
	list[8].Status, list[8].Message = "manual", booth.Text{ZH: "请工作人员看一下耳朵是否露出", EN: "Staff: please see whether the ears show"}
	return list
}

// samplePortrait draws a plain head and shoulders on ground: nobody's face.
func samplePortrait(ground color.RGBA) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 480, 640))
	in := func(x, y, cx, cy, rx, ry int) bool {
		dx, dy := float64(x-cx)/float64(rx), float64(y-cy)/float64(ry)
		return dx*dx+dy*dy <= 1
	}
	for y := range 640 {
		for x := range 480 {
			c := ground
			switch {
			case in(x, y, 240, 280, 98, 140) && y > 180:
				c = color.RGBA{238, 196, 164, 255}
			case in(x, y, 240, 240, 116, 162) && y < 300:
				c = color.RGBA{43, 36, 34, 255}
			case x > 200 && x < 280 && y > 380 && y < 470:
				c = color.RGBA{217, 165, 124, 255}
			case in(x, y, 240, 660, 220, 220):
				c = color.RGBA{246, 246, 246, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}
