package config

// sections in the order of the settings page.
var sections = []Section{
	{"station", Text{"本站", "Station"}},
	{"camera", Text{"相机", "Camera"}},
	{"screen", Text{"屏幕", "Screen"}},
	{"capture", Text{"拍照", "Taking photos"}},
	{"times", Text{"等待时间", "Waiting times"}},
	{"sound", Text{"声音", "Sound"}},
	{"scan", Text{"读卡与扫码", "Cards and codes"}},
	{"operator", Text{"工作人员", "Staff"}},
	{"central", Text{"审核中心", "Central"}},
	{"outbox", Text{"照片库", "Photos kept here"}},
	{"keys", Text{"密钥", "Keys"}},
}

var seconds = Text{"秒", "s"}

// functionKeys are f1 to f12 as choices.
func functionKeys() []Choice {
	out := []Choice{{"", Text{"不用", "none"}}}
	for _, k := range OperatorKeys() {
		out = append(out, Choice{k, Text{upper(k), upper(k)}})
	}
	return out
}

func shutterKeys() []Choice {
	out := []Choice{{"", Text{"不用", "none"}}}
	for _, k := range ShutterKeys() {
		out = append(out, Choice{k, Text{upper(k), upper(k)}})
	}
	return out
}

// upper is a key's name as it stands on the key.
func upper(key string) string {
	b := []byte(key)
	for i := range b {
		if (i == 0 || b[i-1] == '-') && b[i] >= 'a' && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

var settings = []Setting{
	{
		Key: "station.name", Kind: KindText, Min: 1, Max: 40, Own: true,
		Name:  Text{"本站名称", "Name of this station"},
		About: Text{"工作人员怎么称呼这一台，例如“东门一号”。登记时告诉审核中心，日报上也有。", "What staff call this one, such as East Gate 1. Central learns it at enrolment; it stands on the day's report."},
	},
	{
		Key: "station.school", Kind: KindText, Max: 40,
		Name:  Text{"学校名称", "Name of the school"},
		About: Text{"日报的抬头。学生看到的学校来自名单，不受影响。", "The head of the day's report. What students read comes from the roster and is not touched by it."},
	},
	{
		Key: "camera.device", Kind: KindChoice, Typed: true, Own: true, Min: 1, Max: 200,
		Choices: []Choice{{"auto", Text{"自动：第一台 USB 相机", "automatic: the first USB camera"}}, {"scene", Text{"模拟相机（只供演示）", "simulated camera (demonstrations only)"}}},
		Name:    Text{"用哪台相机", "Which camera"},
		About:   Text{"接了几台相机时，在这里固定一台；按 USB 标识记住，换插口、重启都不会变。", "With several cameras plugged in, pin one: it is remembered by its USB identity, whatever its number is after a restart."},
	},
	{
		Key: "camera.mount_rotation", Kind: KindChoice, Own: true,
		Choices: []Choice{{"0", Text{"正着装", "upright"}}, {"90", Text{"顺时针转 90°", "turn 90° clockwise"}}, {"180", Text{"倒着装", "upside down"}}, {"270", Text{"逆时针转 90°", "turn 90° anticlockwise"}}},
		Name:    Text{"相机怎么装的", "How the camera is mounted"},
		About:   Text{"相机侧装时人脸更大；选让画面变正的那一项。改后要重拍空背景。", "A camera on its side gives a larger face; choose what turns the picture upright. Photograph the backdrop anew afterwards."},
	},
	{
		Key: "camera.plate_frames", Kind: KindNumber, Min: 8, Max: 64, Unit: Text{"帧", "frames"},
		Name:  Text{"空背景取几帧平均", "Frames averaged into the backdrop"},
		About: Text{"越多噪声越小、拍得越久。一般不用改。", "More frames mean less noise and a longer wait. It seldom needs a change."},
	},
	{
		Key: "screen.language", Kind: KindChoice,
		Choices: []Choice{{"zh", Text{"中文", "Chinese"}}, {"en", Text{"英文", "English"}}},
		Name:    Text{"先显示哪种语言", "Language shown first"},
		About:   Text{"另一种小字在旁边；学生可以自己切换，走后恢复。", "The other stands beside it, smaller; students may switch for themselves until they leave."},
	},
	{
		Key: "screen.large_text", Kind: KindFlag,
		Name:  Text{"一开始就用大字", "Large text from the start"},
		About: Text{"有地方的文字都放大；学生也可以自己按“大字”。", "Larger words wherever there is room; students may press A+ for themselves."},
	},
	{
		Key: "screen.fullscreen", Kind: KindFlag,
		Name:  Text{"全屏", "Full screen"},
		About: Text{"专用机用全屏；在自己的桌面上试用时关掉。", "For a kiosk; turn it off to try the station on a desktop of your own."},
	},
	{
		Key: "screen.width", Kind: KindNumber, Min: 800, Max: 7680, Unit: Text{"像素", "pixels"},
		Name:  Text{"窗口宽度", "Window width"},
		About: Text{"只在不是全屏时有用。", "Only when not in full screen."},
	},
	{
		Key: "screen.height", Kind: KindNumber, Min: 600, Max: 7680, Unit: Text{"像素", "pixels"},
		Name:  Text{"窗口高度", "Window height"},
		About: Text{"只在不是全屏时有用。", "Only when not in full screen."},
	},
	{
		Key: "screen.displays", Kind: KindNumber, Min: 1, Max: 2, Own: true,
		Name:  Text{"几个显示器", "Displays"},
		About: Text{"2：学生一个屏，工作人员一个操作台；拔掉一个，另一个接着用。", "2: one for the student, a console for the staff; when one goes, the other serves everybody."},
	},
	{
		Key: "screen.student_monitor", Kind: KindText, Min: 0, Max: 64, Own: true,
		Name:  Text{"学生屏的名字", "The student's monitor"},
		About: Text{"xrandr 里的名字，如 HDMI-1；空着就用不是主屏的那个。", "As xrandr calls it, such as HDMI-1; empty: the one that is not primary."},
	},
	{
		Key: "screen.console_monitor", Kind: KindText, Min: 0, Max: 64, Own: true,
		Name:  Text{"操作台屏的名字", "The console's monitor"},
		About: Text{"同上；空着就用主屏。", "Likewise; empty: the primary one."},
	},
	{
		Key: "capture.auto", Kind: KindFlag,
		Name:  Text{"全部合格就自动拍", "Take the photo by itself"},
		About: Text{"实时检查全部合格一秒后自动倒计时；学生仍可选“我自己按”。", "The countdown starts once every live check has held for a second; students may still press the button themselves."},
	},
	{
		Key: "capture.burst", Kind: KindNumber, Min: 1, Max: MaxBurst, Unit: Text{"帧", "frames"},
		Name:  Text{"快门前后取几帧挑选", "Frames to choose from around the shutter"},
		About: Text{"从中挑睁眼、不动、最清楚的一帧；1 表示就用屏幕上那一帧。", "The best of them has open eyes and the least movement; 1 takes the frame on the screen."},
	},
	{
		Key: "capture.lens", Kind: KindChoice,
		Choices: []Choice{{"above", Text{"屏幕上方", "above the screen"}}, {"left", Text{"屏幕左边", "left of it"}}, {"right", Text{"屏幕右边", "right of it"}}, {"below", Text{"屏幕下方", "below it"}}},
		Name:    Text{"镜头在屏幕的哪边", "Where the lens is"},
		About:   Text{"拍照时“看这里”的箭头指向那里。", "“Look here” points at it while a photo is taken."},
	},
	{
		Key: "capture.shutter_key", Kind: KindChoice, Choices: shutterKeys(),
		Name:  Text{"脚踏或遥控器的键", "Key of a pedal or remote"},
		About: Text{"空格键总是快门；脚踏发别的键时在这里选。", "The space bar always takes the photo; choose here what else a pedal types."},
	},
	{
		Key: "times.identify_s", Kind: KindNumber, Min: 15, Max: 600, Unit: seconds,
		Name:  Text{"输号码等多久", "Patience while the number is typed"},
		About: Text{"没人碰屏幕这么久就回首页；最后 15 秒有倒数。", "Without a touch for so long the screen goes home; the last 15 seconds are counted down."},
	},
	{
		Key: "times.read_s", Kind: KindNumber, Min: 15, Max: 600, Unit: seconds,
		Name:  Text{"阅读页等多久", "Patience while reading"},
		About: Text{"核对信息、告知同意、拍照须知这几页。", "The pages with the record, the consent and the rules."},
	},
	{
		Key: "times.pose_s", Kind: KindNumber, Min: 30, Max: 900, Unit: seconds,
		Name:  Text{"取景等多久", "Patience before the camera"},
		About: Text{"坐到镜头前、还没拍的时候。", "While somebody sits before the camera and no photo was taken."},
	},
	{
		Key: "times.decide_s", Kind: KindNumber, Min: 30, Max: 900, Unit: seconds,
		Name:  Text{"看照片等多久", "Patience at the review"},
		About: Text{"看成片、最后确认的时候。到时什么都不保留。", "While the photo is looked at and confirmed. Nothing is kept when it ends."},
	},
	{
		Key: "times.done_s", Kind: KindNumber, Min: 3, Max: 300, Unit: seconds,
		Name:  Text{"“已保存”停多久", "How long “saved” stays"},
		About: Text{"之后回首页，等下一位。", "Then the screen goes home for the next student."},
	},
	{
		Key: "times.countdown_s", Kind: KindNumber, Min: 1, Max: 10, Unit: seconds,
		Name:  Text{"倒计时", "Countdown"},
		About: Text{"从开始到拍下。", "From its start to the photo."},
	},
	{
		Key: "sound.mode", Kind: KindChoice,
		Choices: []Choice{{"auto", Text{"自动：演示时静音", "automatic: silent in demonstrations"}}, {"on", Text{"开", "on"}}, {"off", Text{"关", "off"}}},
		Name:    Text{"声音", "Sound"},
		About:   Text{"提示音、快门声和语音提示。", "Tones, the shutter and spoken hints."},
	},
	{
		Key: "sound.voice", Kind: KindFlag,
		Name:  Text{"语音提示", "Spoken hints"},
		About: Text{"把屏幕上的提示念出来（需要 espeak-ng）。", "Speaks the hints on the screen (needs espeak-ng)."},
	},
	{
		Key: "sound.volume", Kind: KindNumber, Min: 0, Max: 100, Unit: Text{"%", "%"},
		Name:  Text{"音量", "Volume"},
		About: Text{"在电脑自己的音量之上。", "On top of the computer's own volume."},
	},
	{
		Key: "scan.camera", Kind: KindFlag,
		Name:  Text{"用相机读身份证和手机码", "Read cards and codes by the camera"},
		About: Text{"没有读卡器时用。身份证不拍照、不保存。", "Where there is no card reader. The card is read, never kept."},
	},
	{
		Key: "scan.wedge_pattern", Kind: KindText, Max: maxPattern,
		Name:  Text{"读卡器文字里的号码", "The number in what a reader types"},
		About: Text{"读卡器除号码外还打出别的字时，填正则表达式（RE2），第一组是号码，例如 ID=([0-9X]{18})。空着就自动找身份证号。", "Where a reader types more than the number: a regular expression (RE2) whose first group is the number, such as ID=([0-9X]{18}). Empty finds resident IDs by itself."},
	},
	{
		Key: "operator.idle_s", Kind: KindNumber, Min: 15, Max: 900, Unit: seconds,
		Name:  Text{"工作人员页多久自动锁", "Staff's page locks after"},
		About: Text{"没人碰屏幕这么久就关上，要重新输 PIN。", "Without a touch for so long it closes and asks for the PIN again."},
	},
	{
		Key: "operator.corner", Kind: KindFlag,
		Name:  Text{"按住左上角名称可进入", "Holding the name at the top left opens it"},
		About: Text{"触摸屏用。按住一秒半，再输 PIN。", "For touch screens: hold for a second and a half, then the PIN."},
	},
	{
		Key: "operator.key", Kind: KindChoice, Choices: functionKeys(),
		Name:  Text{"进入工作人员页的键", "Key that opens staff's page"},
		About: Text{"有键盘时用；不能与脚踏的键相同。", "Where there is a keyboard; not the same as the pedal's key."},
	},
	{
		Key: "operator.manual_pin", Kind: KindFlag,
		Name:  Text{"人工检查项要 PIN", "Manual checks need the PIN"},
		About: Text{"开：只在工作人员页上回答；关：照片旁的按钮也可以。", "On: answered on staff's page only. Off: the button beside the photo answers too."},
	},
	{
		Key: "operator.checklist", Kind: KindFlag,
		Name:  Text{"每天先做开工检查", "Begin each day with the checklist"},
		About: Text{"每天第一个解锁的人先看到开工检查。", "The first to unlock on a day finds the start-of-day checklist."},
	},
	{
		Key: "central.pin_sha256", Kind: KindText, Max: 64,
		Name:  Text{"中心的 TLS 公钥指纹", "Fingerprint of central's TLS key"},
		About: Text{"64 位十六进制（SHA-256）。空着就信任系统的证书机构；扫登记二维码时会自动填好。", "64 hex digits (SHA-256). Empty trusts the system's authorities; the set-up code fills it in."},
	},
	{
		Key: "central.upload_kb_s", Kind: KindNumber, Min: 0, Max: 1 << 20, Unit: Text{"KB/秒", "KB/s"},
		Name:  Text{"上传最快多快", "Fastest upload"},
		About: Text{"与别人共用网络时设一个上限；0 为不限。", "A limit where the network is shared with others; 0 is none."},
	},
	{
		Key: "central.in_flight_kb", Kind: KindNumber, Min: 4, Max: 8192, Unit: Text{"KB", "KB"},
		Name:  Text{"一次最多在途多少", "Most on its way at a time"},
		About: Text{"网络常断就设小些，断了只重传这么多；不确定就不用改。", "Smaller where the network often breaks: no more than this is sent again. If unsure, leave it."},
	},
	{
		Key: "outbox.free_floor_mb", Kind: KindNumber, Min: 64, Max: 1 << 20, Unit: Text{"MB", "MB"},
		Name:  Text{"磁盘至少留多少", "Disk space kept free"},
		About: Text{"剩余空间低于它就不接新同学，已拍的不受影响。", "Below it no new student may begin; what was photographed is not touched."},
	},
	{
		Key: "outbox.max_pending", Kind: KindNumber, Min: 10, Max: 1_000_000, Unit: Text{"张", "photos"},
		Name:  Text{"最多积压多少张", "Most photos that may wait"},
		About: Text{"没送出的照片超过它就不接新同学。", "With more unsent photos than this no new student may begin."},
	},
	{
		Key: "outbox.retain_days", Kind: KindNumber, Min: 1, Max: 3650, Unit: Text{"天", "days"},
		Name:  Text{"签收后保留几天", "Days kept after delivery"},
		About: Text{"中心打开并签收后，本机再留这么多天；批次规定更短时按批次。", "A photo stays here for so long after central opened it; a batch that promises less goes first."},
	},
	{
		Key: "keys.protect", Kind: KindChoice, Own: true,
		Choices: []Choice{{"auto", Text{"自动：有 TPM 就用", "automatic: the TPM where there is one"}}, {"tpm", Text{"一定用 TPM", "the TPM, or not at all"}}, {"passphrase", Text{"口令", "a passphrase"}}, {"plain", Text{"不保护", "unprotected"}}},
		Name:    Text{"本机密钥怎么保护", "How this computer's keys are protected"},
		About:   Text{"只管以后新生成的密钥；已有的密钥不变。", "For keys that are made from now on; those that are there stay as they are."},
	},
	{
		Key: "keys.tpm", Kind: KindText, Min: 1, Max: 200, Own: true,
		Name:  Text{"TPM 设备", "Device of the TPM"},
		About: Text{"TPM 2.0 的设备文件，一般是 /dev/tpmrm0。", "The device file of the TPM 2.0, usually /dev/tpmrm0."},
	},
}
