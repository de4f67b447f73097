package screen

import (
	"slices"
	"strconv"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// staffEntry is one of the staff's pages as the menu lists it.
type staffEntry struct {
	page  booth.StaffPage
	icon  string
	name  booth.Text
	about booth.Text
	admin bool // an admin's only
	make  func(*ui) screen
}

// staffEntries are the staff's pages in the order of the menu: whoever adds a
// page adds its line here, and its samples to staffSamples.
func staffEntries() []staffEntry {
	return []staffEntry{
		{page: booth.PageChecklist, icon: "ok", name: booth.Text{ZH: "开工检查", EN: "Start of the day"}, about: booth.Text{ZH: "相机、灯、磁盘、名单、声音", EN: "Camera, light, disk, roster"}, make: newChecklistPage},
		{page: booth.PageDay, icon: "flag", name: booth.Text{ZH: "今天", EN: "Today"}, about: booth.Text{ZH: "对账、快慢、重拍原因、日报", EN: "Reconciled, speed, retakes, report"}, make: newDayPage},
		{page: booth.PageClass, icon: "person", name: booth.Text{ZH: "按班级叫号", EN: "Call a class"}, about: booth.Text{ZH: "名单、下一位、缺席、查找", EN: "List, next, absent, find"}, make: newClassPage},
		{page: booth.PageAdd, icon: "id", name: booth.Text{ZH: "名单外学生", EN: "Not on the list"}, about: booth.Text{ZH: "登记号码、姓名和原因", EN: "Number, name and reason"}, make: newAddPage},
		{page: booth.PageCamera, icon: "camera", name: booth.Text{ZH: "相机", EN: "Camera"}, about: booth.Text{ZH: "画面、设置、试拍、诊断", EN: "Picture, settings, test shot"}, make: newCameraPage},
		{page: booth.PageLight, icon: "light", name: booth.Text{ZH: "背景与灯光", EN: "Backdrop and light"}, about: booth.Text{ZH: "该移哪盏灯，重拍空背景", EN: "Which lamp to move, new backdrop"}, make: newLightPage},
		{page: booth.PageSync, icon: "cloud", name: booth.Text{ZH: "同步", EN: "Exchange"}, about: booth.Text{ZH: "待传、最后的错误、立即重试", EN: "Queue, last error, try now"}, make: newSyncPage},
		{page: booth.PageRetakes, icon: "retake", name: booth.Text{ZH: "请回来重拍", EN: "Retakes"}, about: booth.Text{ZH: "被退回的照片和原因", EN: "Returned photos and why"}, make: newRetakesPage},
		{page: booth.PagePayCode, icon: "phone", name: booth.Text{ZH: "缴费确认码", EN: "Payment code"}, about: booth.Text{ZH: "断网时核对手机上的 8 位数字", EN: "Eight digits, while offline"}, make: newPayCodePage},
		{page: booth.PageFind, icon: "person", name: booth.Text{ZH: "找今天的同学", EN: "Find a student"}, about: booth.Text{ZH: "尾号、拼音首字母；审核到哪了", EN: "By number or name: what became"}, make: newFindPage},
		{page: booth.PageSettings, icon: "tilt-right", name: booth.Text{ZH: "设置", EN: "Settings"}, about: booth.Text{ZH: "全部设置，导出导入（管理员）", EN: "All settings, export (admin)"}, admin: true, make: newSettingsPage},
	}
}

// staffPage is what the staff's pages share: the title row, a way back at the
// bottom left, and the place of the main action at the bottom right.
type staffPage struct {
	page
	back *button
	to   booth.StaffPage // where the way back leads
}

func newStaffPage(u *ui, title booth.Text, to booth.StaffPage) staffPage {
	s := staffPage{page: newPage(u), to: to}
	s.titleText = title
	s.back = s.page.button("staff-back", lookPlain, "arrow-left", func() { u.send(booth.OpenPage{Page: to}) })
	return s
}

// frame places the way back and returns the room between title and actions.
func (s *staffPage) frame(sp space) rect {
	s.back.label(booth.Text{ZH: "返回", EN: "Back"})
	at, _ := sp.rest.cutLeft(min(240, sp.rest.w*0.5), gap)
	place(s.back, at, s.ui.k)
	return sp.body
}

// forget is for pages that keep nothing of a student.
func (s *staffPage) forget() {}

// staffMenu is the way to all the other pages.
type staffMenu struct {
	staffPage
	entries []staffEntry
	cards   []*button
	shown   []*button
}

func newStaffMenu(u *ui) screen {
	s := &staffMenu{staffPage: newStaffPage(u, booth.Text{ZH: "全部功能", EN: "Everything else"}, booth.PageHome), entries: staffEntries()}
	for _, e := range s.entries {
		s.cards = append(s.cards, s.page.button("page-"+string(e.page), lookPlain, e.icon, func() { u.send(booth.OpenPage{Page: e.page}) }))
	}
	return s
}

func (s *staffMenu) update(v booth.View) {
	s.shown = s.shown[:0]
	admin := v.Operator != nil && v.Operator.Staff.Role == booth.RoleAdmin
	for i, e := range s.entries {
		on := admin || !e.admin
		setVisible(s.cards[i], on)
		if on {
			s.shown = append(s.shown, s.cards[i])
			s.cards[i].plain(e.name.In(s.ui.lang), e.about.In(s.ui.lang))
		}
	}
}

func (s *staffMenu) layout(sp space) {
	body := s.frame(sp)
	cols := 3
	if s.ui.tall {
		cols = 2
	}
	rows := max(3, (len(s.shown)+cols-1)/cols)
	cells := body.grid(cols, rows, gap)
	for i, b := range s.shown {
		at := cells[i]
		at.h = min(at.h, 130)
		place(b, at, s.ui.k)
	}
}

// column of a table.
type column struct {
	name  booth.Text
	share float32 // of the width
	right bool    // numbers stand at the right
}

// cell of a table; a level gives it the tone's colour and sign.
type cell struct {
	text   string
	level  booth.Level
	strong bool
}

// table shows rows of cells under a header, as many as there is room for, and
// turns pages when there are more: nothing scrolls.
type table struct {
	page    *page
	columns []column
	head    []*textBlock
	line    *panel
	rows    []tableRow
	cells   [][]cell
	prev    *button
	next    *button
	count   *textBlock
	first   int
	fit     int
	onRow   func(i int) // nil = rows are not pressed
	empty   booth.Text
	none    *textBlock
	changed func()
	hidden  bool
}

type tableRow struct {
	press *button
	bg    *panel
	signs []*sign
	words []*textBlock
}

// newTable makes a table of at most that many rows at a time; id names its buttons.
// onRow, where rows can be pressed, gets the index into what was set.
func newTable(p *page, id string, columns []column, rows int, onRow func(i int)) *table {
	t := &table{page: p, columns: columns, onRow: onRow, fit: rows}
	t.line = p.panel(colLine, colLine)
	for range columns {
		t.head = append(t.head, p.text(15, true, colMuted).mid().line())
	}
	t.none = p.text(sizeBody, false, colMuted).centre().mid()
	for i := range rows {
		r := tableRow{bg: p.panel(colSurface, colSurface)}
		if onRow != nil {
			r.press = p.button(id+"-row-"+string(rune('a'+i)), lookBare, "", nil)
		}
		for range columns {
			r.signs = append(r.signs, p.sign("dot", colInk))
			r.words = append(r.words, p.text(17, false, colInk).mid())
		}
		t.rows = append(t.rows, r)
	}
	t.prev = p.button(id+"-prev", lookPlain, "arrow-left", func() { t.turn(-1) })
	t.next = p.button(id+"-next", lookPlain, "arrow-right", func() { t.turn(1) })
	t.count = p.text(15, false, colMuted).centre().mid().line()
	t.changed = func() {
		if p.ui.rearrange != nil {
			p.ui.rearrange()
		}
	}
	return t
}

// turn shows the rows before or after.
func (t *table) turn(by int) {
	t.first = min(max(0, t.first+by*t.fit), max(0, len(t.cells)-1)/max(1, t.fit)*t.fit)
	t.page.ui.send(booth.Stay{}) // somebody is here
	t.changed()
}

// set takes the rows; those of a student are gone with the next set.
func (t *table) set(cells [][]cell, empty booth.Text) {
	t.cells, t.empty = cells, empty
	if t.first >= len(cells) {
		t.first = 0
	}
	for i, c := range t.columns {
		t.head[i].set(c.name.In(t.page.ui.lang))
		t.head[i].align = alignLeft
		if c.right {
			t.head[i].align = alignRight
		}
	}
}

// conceal takes the table away without forgetting its rows.
func (t *table) conceal(on bool) { t.hidden = on }

// minTableRow is what a row needs to be read and, where it is pressed, hit.
const (
	minTableRow   = 36
	minPressedRow = 48
)

func (t *table) layout(r rect) {
	k := t.page.ui.k
	head, in := r.cutTop(28, 0)
	cells, empty, first := t.cells, t.empty, t.first
	if t.hidden {
		t.cells, t.empty = nil, booth.Text{}
		defer func() { t.cells, t.empty, t.first = cells, empty, first }()
	}
	least := float32(minTableRow)
	if t.onRow != nil {
		least = minPressedRow
	}
	if t.page.ui.large {
		least *= largeScale
	}
	turns := len(t.cells) > t.fitting(in.h, least)
	if turns {
		var foot rect
		foot, in = in.cutBottom(52, 8)
		a, foot := foot.cutLeft(90, gap)
		b, foot := foot.cutRight(90, gap)
		place(t.prev, a, k)
		place(t.next, b, k)
		t.fit = t.fitting(in.h, least)
		last := min(len(t.cells), t.first+t.fit)
		t.count.set(strconv.Itoa(t.first+1) + "–" + strconv.Itoa(last) + " / " + strconv.Itoa(len(t.cells)))
		t.count.layout(foot, k)
		t.prev.setEnabled(t.first > 0)
		t.next.setEnabled(last < len(t.cells))
	} else {
		t.fit, t.first = t.fitting(in.h, least), 0
		t.count.set("")
		t.count.layout(in, k)
	}
	setVisible(t.prev, turns)
	setVisible(t.next, turns)
	setVisible(t.line.bg, true)
	place(t.line.bg, rect{head.x, head.y + head.h - 2, head.w, 1.5}, k)
	t.line.bg.CornerRadius = 0
	setVisible(t.line.bg, !t.hidden)
	for i, c := range t.split(head) {
		if t.hidden {
			t.head[i].set("")
		}
		t.head[i].layout(c, k)
	}
	t.none.set("")
	if len(t.cells) == 0 {
		t.none.set(t.empty.In(t.page.ui.lang))
	}
	t.none.layout(in.centred(in.w, min(in.h, 80)), k)
	step := min(least*1.25, in.h/float32(max(1, min(t.fit, len(t.cells)))))
	for i, row := range t.rows {
		at := t.first + i
		on := i < t.fit && at < len(t.cells)
		line := rect{in.x, in.y + float32(min(i, max(t.fit-1, 0)))*step, in.w, step}
		setVisible(row.bg.bg, on)
		place(row.bg.bg, line, k)
		row.bg.bg.CornerRadius = 0
		if i%2 == 1 {
			row.bg.tint(colGround, colGround)
		}
		if row.press != nil {
			setVisible(row.press, on)
			place(row.press, line, k)
			row.press.onTap = func() { t.onRow(at) }
		}
		for j, c := range t.split(line) {
			w, sg := row.words[j], row.signs[j]
			w.set("")
			setVisible(sg.img, false)
			if on && j < len(t.cells[at]) {
				x := t.cells[at][j]
				w.set(x.text)
				w.colour, w.bold, w.align = colInk, x.strong, alignLeft
				if x.level != "" {
					tn := toneOf(x.level)
					w.colour = tn.text
					sg.set(tn.icon, tn.text)
					setVisible(sg.img, true)
					var icon rect
					icon, c = c.cutLeft(18, 6)
					place(sg.img, icon.centred(18, 18), k)
				}
				if t.columns[j].right {
					w.align = alignRight
				}
			}
			w.layout(c, k)
		}
	}
}

func (t *table) fitting(h, least float32) int { return max(1, min(len(t.rows), int(h/least))) }

// split cuts a line into the columns.
func (t *table) split(r rect) []rect {
	const between = 14
	total := float32(0)
	for _, c := range t.columns {
		total += c.share
	}
	room := r.w - between*float32(len(t.columns)-1) - 2*8
	out := make([]rect, 0, len(t.columns))
	x := r.x + 8
	for _, c := range t.columns {
		w := room * c.share / total
		out = append(out, rect{x, r.y, w, r.h})
		x += w + between
	}
	return out
}

// bars is a small chart: a bar a value, its number above and its name below.
type bars struct {
	page   *page
	title  pair
	card   *panel
	fills  []*panel
	values []*textBlock
	names  []*textBlock
	data   []barValue
}

type barValue struct {
	value float64
	shown string // the number as people read it
	name  string
	level booth.Level // "" = the brand's colour
}

func newBars(p *page, most int) *bars {
	b := &bars{page: p}
	b.card = p.panel(colSurface, colLine)
	b.title = p.pair(18, 14, true, colInk, colMuted)
	for range most {
		b.fills = append(b.fills, p.panel(colBrand, colBrand))
		b.values = append(b.values, p.text(15, true, colInk).centre().mid().line())
		b.names = append(b.names, p.text(14, false, colMuted).centre().mid())
	}
	return b
}

func (b *bars) set(title booth.Text, data []barValue) {
	b.title.set(b.page.ui, title)
	b.data = slices.Clone(data[:min(len(data), len(b.fills))])
}

func (b *bars) layout(r rect) {
	k := b.page.ui.k
	place(b.card.bg, r, k)
	radius(b.card, k)
	in := r.inset(14)
	title, in := in.cutTop(26, 6)
	b.title.caption(title, k)
	n := len(b.data)
	most := 0.0
	for _, d := range b.data {
		most = max(most, d.value)
	}
	names, room := in.cutBottom(38, 2)
	for i, f := range b.fills {
		on := i < n
		setVisible(f.bg, on)
		b.values[i].set("")
		b.names[i].set("")
		if on {
			d := b.data[i]
			w := in.w / float32(n)
			x := in.x + float32(i)*w
			h := float32(2)
			if most > 0 {
				h = max(2, float32(d.value/most)*(room.h-24))
			}
			bar := rect{x + w*0.2, room.y + room.h - h, w * 0.6, h}
			col := colBrand
			if d.level != "" {
				col = toneOf(d.level).text
			}
			f.tint(col, col)
			place(f.bg, bar, k)
			f.bg.CornerRadius = min(4, h/2) * k
			b.values[i].set(d.shown)
			b.names[i].set(d.name)
			b.values[i].layout(rect{x, bar.y - 24, w, 24}, k)
			b.names[i].layout(rect{x + 2, names.y, w - 4, names.h}, k)
			continue
		}
		b.values[i].layout(in, k)
		b.names[i].layout(in, k)
	}
}
