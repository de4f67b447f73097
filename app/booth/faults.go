package booth

// Codes of the pages that cover the screen. A page says what happened, whether
// the student's photo is safe and what to do now, and has a button that does it
// unless it goes away by itself.
const (
	FaultStarting    = "starting"
	FaultCamera      = "camera"
	FaultSeal        = "seal-failed"
	FaultNoRoster    = "no-roster"
	FaultOutbox      = "outbox" // the store does not say what is wrong
	FaultDiskFull    = "disk_floor"
	FaultDiskWrite   = "disk_write_failed"
	FaultDiskUnknown = "disk_unreadable"
	FaultIndex       = "index_unavailable"
	FaultUnsent      = "too_many_unsent"
	FaultUnsentOld   = "unsent_too_old"
	FaultUnknown     = "unknown" // whatever has no page of its own
)

var (
	textStaffDo    = Text{"工作人员处理", "Staff: see to it"}
	textSavedSafe  = Text{"已保存的照片都安全。", "All saved photos are safe."}
	textNoNewTitle = Text{"暂时不能拍新照片", "No new photos for now"}
)

// faultPages in the order of the guide's list.
var faultPages = []Fault{
	{
		FaultStarting,
		Text{"正在启动", "Starting"},
		Text{"正在检查相机、背景、名单和磁盘。", "Camera, backdrop, roster and disk are being checked."},
		textSavedSafe,
		Text{"请稍等几秒，会自动继续。", "Wait a few seconds; it goes on by itself."},
		Text{},
	},
	{
		FaultCamera, textCameraTitle,
		Text{"相机断开了。", "The camera is away."},
		textCameraSafe,
		Text{"检查相机的 USB 线；接好后自动继续，不用重启。", "Check the camera's USB cable; it goes on by itself once plugged in, no restart."},
		textStaffDo,
	},
	{
		FaultSeal, textSealTitle,
		Text{"存储写入失败。", "Writing to the disk failed."},
		textSealSafe,
		Text{"请同学不要离开。工作人员检查磁盘，然后按“再试一次”。", "Student: please stay. Staff: check the disk, then press Try again."},
		textTryAgain,
	},
	{
		GuardNoPlate,
		Text{"请先拍摄空背景", "Photograph the empty backdrop first"},
		Text{"没有空背景的照片，就不能换成标准底色。", "Without a photo of the empty backdrop its colour cannot be replaced."},
		textSavedSafe,
		Text{"背景前不要有人，然后按下面的按钮。", "With nobody before the backdrop, press the button below."},
		Text{"拍摄空背景", "Photograph the backdrop"},
	},
	{
		FaultNoRoster,
		Text{"名单还没有到", "The roster has not arrived yet"},
		Text{"正在向审核中心要学籍名单。", "The roster is being fetched from central."},
		textSavedSafe,
		Text{"检查网线或无线网络，到了会自动继续；没有网络就用 U 盘导入名单。", "Check the network; this goes on by itself. Without one, import the roster from a USB stick."},
		textStaffDo,
	},
	{
		FaultDiskFull, textNoNewTitle,
		Text{"磁盘快满了。", "The disk is almost full."},
		textSavedSafe,
		Text{"联网让照片传完，再到工作人员页“清除已收妥照片”。", "Connect so that photos are sent, then purge what is delivered on the staff's page."},
		textStaffDo,
	},
	{
		FaultDiskWrite, textNoNewTitle,
		Text{"磁盘写不进去。", "Writing to the disk fails."},
		textSavedSafe,
		Text{"不要关机；请技术人员检查磁盘。可先用 U 盘导出未传的照片。", "Leave it on and have a technician look at the disk. Unsent photos can be exported to a USB stick first."},
		textStaffDo,
	},
	{
		FaultDiskUnknown, textNoNewTitle,
		Text{"磁盘读不出来。", "The disk cannot be read."},
		textSavedSafe,
		Text{"请技术人员检查磁盘和连线。", "Have a technician check the disk and its cable."},
		textStaffDo,
	},
	{
		FaultIndex, textNoNewTitle,
		Text{"照片目录打不开。", "The store's index does not open."},
		textSavedSafe,
		Text{"请管理员退出云照站再启动一次；目录会从照片文件重建。", "An admin restarts the station; the index is rebuilt from the photo files."},
		textStaffDo,
	},
	{
		FaultUnsent, textNoNewTitle,
		Text{"待传的照片太多。", "Too many photos wait to be sent."},
		textSavedSafe,
		Text{"接上网络让它传完，或用 U 盘导出。", "Connect and let them be sent, or export to a USB stick."},
		textStaffDo,
	},
	{
		FaultUnsentOld, textNoNewTitle,
		Text{"有照片等了太久没有传出。", "A photo has waited too long to be sent."},
		textSavedSafe,
		Text{"先看本机日期对不对；然后接上网络，或用 U 盘导出。", "See that the date is right; then connect, or export to a USB stick."},
		textStaffDo,
	},
	{
		FaultOutbox, textNoNewTitle,
		Text{"照片库出了问题。", "Something is wrong with the store."},
		textSavedSafe,
		Text{"请管理员退出云照站再启动一次；还不行，请联系技术支持。", "An admin restarts the station; if that does not help, call technical support."},
		textStaffDo,
	},
	{
		FaultUnknown,
		Text{"请找工作人员", "Please ask the staff"},
		Text{"这一步无法显示。", "This step cannot be shown."},
		textSavedSafe,
		Text{"请工作人员看一下设备状态。", "Staff: look at how everything stands."},
		textStaffDo,
	},
}

// Faults lists every page, for the guide and for tests.
func Faults() []Fault { return append([]Fault(nil), faultPages...) }

// FaultPage is the page of a code; happened, where not empty, says more exactly
// what happened. A code without a page gets the page of [FaultUnknown].
func FaultPage(code string, happened Text) Fault {
	page := faultPages[len(faultPages)-1]
	for _, f := range faultPages {
		if f.Code == code {
			page = f
		}
	}
	page.Code = code
	if happened != (Text{}) {
		page.Body = happened
	}
	return page
}
