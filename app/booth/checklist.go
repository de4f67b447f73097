package booth

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// PageChecklist is the start-of-day checklist. The first to unlock on a day, with
// nobody seated, finds it open; anybody can turn to it later.
const PageChecklist StaffPage = "start"

// clockSlack is how far ahead of the clock the newest photo may be before the
// clock is wrong: a clock that was set back a little by a time server is not.
const clockSlack = 2 * time.Minute

type (
	// ExcuseCheck lets the day begin although a line of the checklist is red.
	ExcuseCheck struct{ ID, Reason string }
	// BeginDay ends the checklist; nothing happens while a line is red without a
	// reason.
	BeginDay struct{}
)

func (ExcuseCheck) intent() {}
func (BeginDay) intent()    {}

// ChecklistView is the start-of-day checklist, what is to be mended first.
type ChecklistView struct {
	Items []ChecklistItem // empty until everything was looked at
	Red   int             // without a reason
	Amber int
	Begun time.Time // when today was begun; zero = not yet
}

// Ready tells whether the day may begin.
func (v ChecklistView) Ready() bool { return len(v.Items) > 0 && v.Red == 0 }

// ChecklistItem is one line: green (OK), yellow (Warn) or red (Bad).
type ChecklistItem struct {
	StatusLine
	Do     Text   // what to do about it; empty = nothing
	Go     Intent // what its button sends; nil = no button
	GoText Text
	Reason string // code, where it is red and staff let it be
}

// StartReasons are the reasons for beginning a day although a line is red.
func StartReasons() []Reason { return slices.Clone(startReasons) }

var startReasons = []Reason{
	{"reported", Text{"已报修，等人来", "Reported, help is on its way"}},
	{"not_needed", Text{"今天用不到", "Not needed today"}},
	{"harmless", Text{"已知情况，不影响拍照", "Known, photos are not affected"}},
	{"approved", Text{"负责人同意先开始", "Approved by whoever is in charge"}},
}

// startOfDay is what the machine knows of the checklist. It outlives the page.
type startOfDay struct {
	lines   []StatusLine      // what only the checklist has
	excused map[string]string // line → reason, while the line is red
	begun   time.Time
}

// begunToday tells whether staff have begun the day of now, by now's own clock.
func (m *Machine) begunToday() bool { return sameDay(m.start.begun, m.now) }

func sameDay(a, b time.Time) bool {
	y, mo, d := a.In(b.Location()).Date()
	by, bmo, bd := b.Date()
	return !a.IsZero() && y == by && mo == bmo && d == bd
}

// checklistDue tells whether the checklist opens by itself for whoever unlocks.
func (m *Machine) checklistDue() bool {
	return m.cfg.Operator.Checklist && m.nobodyHere() && !m.begunToday()
}

// houseLooked takes what was found. A line that is red no more loses its reason,
// so that the next time it is asked for anew.
func (m *Machine) houseLooked(start []StatusLine) {
	m.start.lines = start
	red := map[string]bool{}
	for _, it := range m.checklistItems() {
		red[it.ID] = it.Lamp.Level == Bad
	}
	for id := range m.start.excused {
		if !red[id] {
			delete(m.start.excused, id)
		}
	}
}

// onChecklist tells whether staff have the checklist before them.
func (m *Machine) onChecklist() bool {
	return m.op.open && m.authorised() && m.op.page == PageChecklist
}

// excuse lets a red line be, on record.
func (m *Machine) excuse(in ExcuseCheck) {
	if !m.onChecklist() || !slices.ContainsFunc(startReasons, func(r Reason) bool { return r.Code == in.Reason }) {
		return
	}
	for _, it := range m.checklistItems() {
		if it.ID != in.ID || it.Lamp.Level != Bad || it.Reason != "" {
			continue
		}
		if m.start.excused == nil {
			m.start.excused = map[string]string{}
		}
		m.start.excused[in.ID] = in.Reason
		m.emit(Audit{Event: "checklist.excused", Detail: in.ID + ": " + in.Reason, By: m.Operator(), Value: it.Lamp.Text.EN})
	}
}

// beginDay puts on record that the day began, and with which red lines.
func (m *Machine) beginDay() {
	if !m.onChecklist() {
		return
	}
	v := m.checklistView()
	if !v.Ready() {
		return
	}
	var excused []string
	for _, it := range v.Items {
		if it.Reason != "" {
			excused = append(excused, it.ID+": "+it.Reason)
		}
	}
	m.audit(EventDayBegun, strings.Join(excused, ", "))
	m.start.begun = m.now
	m.start.excused = nil // tomorrow's checklist asks again
	m.openPage(PageHome)
	m.op.notice = &textDayBegun
}

// EventDayBegun is the audit entry that ends a day's checklist; its detail names
// the red lines that were let be.
const EventDayBegun = "day.begun"

// checklistView is what the page shows; nil while it is closed.
func (m *Machine) checklistView() *ChecklistView {
	if m.op.page != PageChecklist {
		return nil
	}
	v := &ChecklistView{Items: m.checklistItems()}
	if m.begunToday() {
		v.Begun = m.start.begun
	}
	for _, it := range v.Items {
		switch {
		case it.Lamp.Level == Bad && it.Reason == "":
			v.Red++
		case it.Lamp.Level == Warn:
			v.Amber++
		}
	}
	return v
}

// checklistItems are the lines, the red first; none before anything was looked at.
func (m *Machine) checklistItems() []ChecklistItem {
	if len(m.op.status) == 0 {
		return nil
	}
	lines := append(withLight(m.op.status, m.calibration), m.start.lines...)
	out := make([]ChecklistItem, 0, len(lines))
	for _, l := range lines {
		l.Lamp = m.startLamp(l)
		it := ChecklistItem{StatusLine: l}
		if l.Lamp.Level != OK {
			r := startRemedies[l.ID]
			it.Do, it.Go, it.GoText = r.do, r.press, r.name
		}
		if l.Lamp.Level == Bad {
			it.Reason = m.start.excused[l.ID]
		}
		out = append(out, it)
	}
	slices.SortStableFunc(out, func(a, b ChecklistItem) int { return cmp.Compare(startRank(a), startRank(b)) })
	return out
}

func startRank(it ChecklistItem) int {
	switch {
	case it.Lamp.Level == Bad && it.Reason == "":
		return 0
	case it.Lamp.Level == Bad:
		return 1
	case it.Lamp.Level == Warn:
		return 2
	}
	return 3
}

// startLamp is a lamp as the start of a day sees it: what may be so with a queue
// before the booth is not how a day should begin.
func (m *Machine) startLamp(l StatusLine) Lamp {
	plate := m.calibration.Plate
	switch {
	case l.ID == "camera" && l.Lamp.Level == OK && m.cfg.Simulated:
		return Lamp{Warn, Text{"现在是模拟相机，拍不到真人。", "This is the simulated camera: it photographs nobody."}}
	case l.ID == "plate" && plate.ID == "":
		return Lamp{Bad, Text{"还没有空背景的照片，不能开始拍。", "There is no photo of the empty backdrop: no visit can begin."}}
	case l.ID == "plate" && l.Lamp.Level == OK && !plate.TakenAt.IsZero() && !sameDay(plate.TakenAt, m.now):
		on := plate.TakenAt.In(m.now.Location()).Format("01-02")
		return Lamp{Warn, Text{"空背景是 " + on + " 拍的，不是今天的。", "The photo of the backdrop is of " + on + ", not of today."}}
	case l.ID == "clock" && m.op.day.LastSaved.After(m.now.Add(clockSlack)):
		return Lamp{Bad, Text{"本机时间比已存的照片还早，日期或时间错了。", "The clock is behind the newest saved photo: date or time is wrong."}}
	case l.Lamp.Level == Note:
		return Lamp{Warn, l.Lamp.Text}
	}
	return l.Lamp
}

// remedy is what to do about a line.
type remedy struct {
	do    Text
	press Intent
	name  Text
}

var (
	textRetakePlate = Text{"重拍空背景", "New backdrop photo"}
	textSyncNow     = Text{"立即同步", "Sync now"}
	textDayBegun    = Text{"今天可以开始拍照了，已记录。", "The day may begin; it is on record."}
)

var startRemedies = map[string]remedy{
	"camera": {
		Text{"检查相机的电源和 USB 线，接好后自动恢复。", "See to the camera's power and USB cable; it comes back by itself."},
		OpenPage{Page: PageCamera},
		Text{"打开相机页", "Camera page"},
	},
	"plate": {
		Text{"背景前不要有人，灯都打开，再重拍空背景。", "With nobody before the backdrop and every lamp on, take the backdrop anew."},
		Recalibrate{},
		textRetakePlate,
	},
	"light": {
		Text{"先看每盏灯是否亮、有没有挪动，再重拍空背景。", "See that every lamp is on and stands as before, then take the backdrop anew."},
		Recalibrate{},
		textRetakePlate,
	},
	"disk": {
		Text{"联网传完照片，由管理员清除已收妥的照片；还不行，请技术人员检查磁盘。", "Let the photos be sent, have an admin purge what is delivered; if that does not help, have a technician look at the disk."},
		OpenPage{Page: PageSync},
		Text{"看同步", "Exchange page"},
	},
	"outbox": {
		Text{"昨天的照片还在本机，是安全的；接上网络让它们传完。", "Earlier photos are still here and safe; connect so that they are sent."},
		OpenPage{Page: PageSync},
		Text{"看同步", "Exchange page"},
	},
	"central": {
		Text{"检查网线或无线网络。不通也能拍，照片安全留在本机。", "See to the network. Photos can be taken without it and stay safe here."},
		OpenPage{Page: PageSync},
		Text{"看同步", "Exchange page"},
	},
	"clock": {
		Text{"看屏幕旁的钟对一下日期和时间；不对就请管理员校时。", "Compare date and time with a watch; if they are wrong, have an admin set the clock."},
		nil,
		Text{},
	},
	"roster": {
		Text{"接上网络更新名单；没有网络就用 U 盘导入。", "Connect to renew the roster, or import it from a USB stick."},
		SyncNow{},
		textSyncNow,
	},
	"audit": {
		Text{"不要删除任何文件，马上报告负责人。", "Delete nothing and report it at once."},
		nil,
		Text{},
	},
	"pin": {
		Text{"重新启动云照站，首次设置会引导管理员设 PIN；值守人员的用 yunzhao pin set。", "Start the station anew: the first set-up asks an admin for a PIN; operators' are set with yunzhao pin set."},
		nil,
		Text{},
	},
	"sound": {
		Text{"接好音箱并调大音量。没有声音也能拍照。", "Plug the loudspeaker in and turn it up. Photos can be taken without sound."},
		nil,
		Text{},
	},
}
