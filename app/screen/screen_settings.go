package screen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/assets/han"
)

// settingsPage lists every setting, finds them by words, and changes one at a
// time. What is allowed is said by whoever keeps the settings, not here.
type settingsPage struct {
	staffPage
	mode   settingsMode
	groups []*button
	find   *button
	list   *table
	note   *panel
	noteI  *sign
	told   pair
	export *button
	take   *button
	again  *button

	card    *panel
	name    pair
	about   pair
	facts   *textBlock
	options []*button
	typed   *button // a choice's own text
	typer   *typer
	save    *button
	up      *button

	group  string // shown; "" = all
	query  string
	keys   []string // of the rows, in order
	chosen string   // key being changed
	value  string   // as chosen, not saved yet
	view   booth.View
}

type settingsMode string

const (
	settingsList   settingsMode = ""
	settingsSearch settingsMode = "search"
	settingsEdit   settingsMode = "edit"
	settingsTyped  settingsMode = "typed" // a choice's own text
)

// maxGroups and maxSettingOptions are the most buttons of each kind.
const (
	maxGroups         = 12 // with all
	maxSettingOptions = 24
)

func newSettingsPage(u *ui) screen {
	s := &settingsPage{staffPage: newStaffPage(u, booth.Text{ZH: "设置", EN: "Settings"}, booth.PageMenu)}
	for i := range maxGroups {
		s.groups = append(s.groups, s.page.button("group-"+strconv.Itoa(i), lookPlain, "", nil))
	}
	s.find = s.page.button("settings-find", lookPlain, "", func() { s.turn(settingsSearch) })
	s.list = newTable(&s.page, "settings", []column{
		{name: booth.Text{ZH: "设置", EN: "Setting"}, share: 1.7},
		{name: booth.Text{ZH: "现在", EN: "Now"}, share: 1.6},
		{name: booth.Text{ZH: "出厂", EN: "Standard"}, share: 1},
	}, 12, func(i int) {
		if i < len(s.keys) {
			s.chosen = s.keys[i]
			s.turn(settingsEdit)
		}
	})
	s.note = s.panel(colNoteBg, colNote)
	s.noteI = s.page.sign("note", colNote)
	s.told = s.pair(18, 14, true, colNote, colNote)
	s.export = s.page.button("settings-export", lookPlain, "disk", func() { u.send(booth.ExportSettings{}) })
	s.take = s.page.button("settings-import", lookPlain, "", func() { u.send(booth.ImportSettings{}) })
	s.again = s.page.button("settings-restart", lookPrimary, "retake", func() { u.send(booth.Restart{}) })

	s.card = s.panel(colSurface, colLine)
	s.name = s.pair(28, 18, true, colInk, colMuted)
	s.about = s.pair(19, 15, false, colInk, colMuted)
	s.facts = s.page.text(16, false, colMuted)
	for i := range maxSettingOptions {
		s.options = append(s.options, s.page.button("option-"+strconv.Itoa(i), lookPlain, "", nil))
	}
	s.typed = s.page.button("option-typed", lookPlain, "", func() { s.turn(settingsTyped) })
	s.typer = newTyper(&s.page, "type", func() {
		if s.mode == settingsSearch {
			s.query = s.typer.value()
		} else {
			s.value = s.typer.value()
		}
		s.update(s.view)
	})
	s.save = s.page.button("setting-save", lookPrimary, "ok", s.done)
	s.up = s.page.button("setting-back", lookPlain, "arrow-left", func() { s.turn(settingsList) })
	s.mark("settings", s.note.bg, func() string { return s.told.a.text })
	return s
}

// forget goes back to the list of all settings.
func (s *settingsPage) forget() {
	s.mode, s.group, s.query, s.chosen, s.value, s.view = settingsList, "", "", "", "", booth.View{}
	s.typer.clear()
}

func (s *settingsPage) settings() *booth.SettingsView {
	if s.view.Operator == nil || s.view.Operator.Settings == nil {
		return &booth.SettingsView{}
	}
	return s.view.Operator.Settings
}

// line is the setting being changed; the zero line where there is none.
func (s *settingsPage) line() booth.SettingLine {
	for _, l := range s.settings().Lines {
		if l.Key == s.chosen {
			return l
		}
	}
	return booth.SettingLine{}
}

// turn goes to another part of the page.
func (s *settingsPage) turn(m settingsMode) {
	s.mode = m
	l := s.line()
	switch m {
	case settingsSearch:
		s.group = ""
		s.typer.begin(s.query, 20)
	case settingsEdit:
		s.value = l.Value
		s.typer.begin(l.Value, l.Most)
		if l.Kind == booth.SettingNumber {
			s.typer.begin("", len(strconv.Itoa(l.Most)))
			s.typer.digits = true
		}
	case settingsTyped:
		s.typer.begin(s.value, l.Most)
	case settingsList:
		s.chosen = ""
	}
	s.ui.send(booth.Stay{}) // somebody is here
	s.redraw()
}

func (s *settingsPage) redraw() {
	s.update(s.view)
	if s.ui.rearrange != nil {
		s.ui.rearrange()
	}
}

// done saves the value, or ends the search.
func (s *settingsPage) done() {
	if s.mode == settingsEdit || s.mode == settingsTyped {
		s.ui.send(booth.ChangeSetting{Key: s.chosen, Value: s.value})
	}
	s.turn(settingsList)
}

// typing is the keyboard that is plugged in.
func (s *settingsPage) typing() *typer {
	if s.typesNow() {
		return s.typer
	}
	return nil
}

// typesNow tells whether the keyboard is on the page.
func (s *settingsPage) typesNow() bool {
	switch s.mode {
	case settingsSearch, settingsTyped:
		return true
	case settingsEdit:
		k := s.line().Kind
		return k == booth.SettingText || k == booth.SettingNumber
	case settingsList:
	}
	return false
}

// matches tells whether a setting is meant by the words: its names, its key, what
// it does, or the first letters of the name's pinyin.
func matches(l booth.SettingLine, query string) bool {
	q := strings.ToLower(strings.TrimSpace(query))
	if q == "" {
		return true
	}
	for _, text := range []string{l.Key, l.Name.ZH, l.Name.EN, l.About.ZH, l.About.EN} {
		if strings.Contains(strings.ToLower(text), q) {
			return true
		}
	}
	return initialsMatch(l.Name.ZH, q)
}

// initialsMatch tells whether letters are how consecutive characters of text
// begin in pinyin.
func initialsMatch(text, letters string) bool {
	if strings.Trim(letters, "abcdefghijklmnopqrstuvwxyz") != "" {
		return false
	}
	runes := []rune(text)
	for from := 0; from+len(letters) <= len(runes); from++ {
		ok := true
		for i, l := range letters {
			ok = ok && han.Initials(runes[from+i])&(1<<(l-'a')) != 0
		}
		if ok {
			return true
		}
	}
	return false
}

func (s *settingsPage) update(v booth.View) {
	s.view = v
	set := s.settings()
	if s.chosen != "" && s.line().Key == "" {
		s.mode, s.chosen = settingsList, ""
	}
	s.titleText = booth.Text{ZH: "设置", EN: "Settings"}
	for i, b := range s.groups {
		on := i <= len(set.Groups) && s.mode == settingsList && s.query == ""
		setVisible(b, on)
		if !on {
			continue
		}
		id, name := "", booth.Text{ZH: "全部", EN: "All"}
		if i > 0 {
			id, name = set.Groups[i-1].ID, set.Groups[i-1].Name
		}
		b.plain(name.In(s.ui.lang), "")
		b.setLook(lookPlain)
		if id == s.group {
			b.setLook(lookChosen)
		}
		b.onTap = func() {
			s.group = id
			s.turn(settingsList)
		}
	}
	s.keys = s.keys[:0]
	var rows [][]cell
	for _, l := range set.Lines {
		if s.group != "" && l.Group != s.group || !matches(l, s.query) {
			continue
		}
		s.keys = append(s.keys, l.Key)
		now := cell{text: l.Shown.In(s.ui.lang), strong: l.Shown != l.Standard}
		if l.Pending {
			now.level = booth.Warn
		}
		rows = append(rows, []cell{{text: l.Name.In(s.ui.lang), strong: true}, now, {text: l.Standard.In(s.ui.lang)}})
	}
	empty := booth.Text{ZH: "没有这样的设置", EN: "No setting like that"}
	if len(set.Lines) == 0 {
		empty = booth.Text{ZH: "正在读取…", EN: "Reading…"}
	}
	s.list.set(rows, empty)
	s.updateNote(set)
	s.updateEdit()
	s.export.label(booth.Text{ZH: "导出", EN: "Export"})
	s.take.label(booth.Text{ZH: "导入", EN: "Import"})
	s.find.plain(booth.Text{ZH: "搜索…", EN: "Search…"}.In(s.ui.lang), "")
	if s.query != "" {
		s.find.plain("“"+s.query+"” ×", "")
		s.find.onTap = func() {
			s.query = ""
			s.turn(settingsList)
		}
	} else {
		s.find.onTap = func() { s.turn(settingsSearch) }
	}
	s.again.setEnabled(set.Can && set.Pending > 0)
	s.again.label(booth.Text{ZH: "没有要生效的改动", EN: "Nothing waits"})
	if set.Pending > 0 {
		s.again.label(booth.Text{ZH: fmt.Sprintf("重新启动（%d 项生效）", set.Pending), EN: fmt.Sprintf("Restart for %d", set.Pending)})
	}
	list := s.mode == settingsList
	for _, b := range []*button{s.export, s.take, s.again, s.find} {
		setVisible(b, list)
	}
	setVisible(s.back, list)
	setVisible(s.up, !list)
	setVisible(s.save, !list)
	s.up.label(booth.Text{ZH: "返回", EN: "Back"})
	s.save.label(booth.Text{ZH: "保存", EN: "Save"})
	s.save.setEnabled(s.value != s.line().Value)
	if s.mode == settingsSearch {
		s.save.label(booth.Text{ZH: fmt.Sprintf("看结果（%d）", len(rows)), EN: fmt.Sprintf("Show %d", len(rows))})
		s.save.setEnabled(true)
	}
}

// updateNote says what came of the last change, else what stands here.
func (s *settingsPage) updateNote(set *booth.SettingsView) {
	level, text := booth.Note, booth.Text{}
	switch {
	case set.Told != booth.Text{}:
		level, text = set.Level, set.Told
	case set.Pending > 0:
		level, text = booth.Warn, booth.Text{
			ZH: fmt.Sprintf("%d 项改动等重新启动后生效；没有同学时按右下角，约半分钟。", set.Pending), EN: fmt.Sprintf("%d wait for a restart: press the button when nobody is here; it takes about half a minute.", set.Pending),
		}
	}
	tn := toneOf(level)
	s.note.tint(tn.ground, tn.text)
	s.noteI.set(tn.icon, tn.text)
	s.told.tint(tn.text, tn.text)
	s.told.set(s.ui, booth.Text{})
	if s.mode == settingsList {
		s.told.set(s.ui, text)
	}
	on := s.mode == settingsList && text != booth.Text{}
	setVisible(s.note.bg, on)
	setVisible(s.noteI.img, on)
}

// updateEdit fills the part that changes one setting.
func (s *settingsPage) updateEdit() {
	l := s.line()
	edit := s.mode == settingsEdit || s.mode == settingsTyped
	for _, p := range []pair{s.name, s.about} {
		p.set(s.ui, booth.Text{})
	}
	s.facts.set("")
	setVisible(s.card.bg, edit)
	if edit {
		s.name.set(s.ui, l.Name)
		s.about.set(s.ui, l.About)
		s.facts.set(booth.Text{
			ZH: "现在：" + l.Shown.ZH + "　可以是：" + l.Allowed.ZH + "　出厂：" + l.Standard.ZH,
			EN: "Now: " + l.Shown.EN + "   Allowed: " + l.Allowed.EN + "   Standard: " + l.Standard.EN,
		}.In(s.ui.lang))
		if len(l.Choices) > 6 || l.Kind == booth.SettingFlag { // the buttons say what is allowed
			s.facts.set(booth.Text{ZH: "现在：" + l.Shown.ZH + "　出厂：" + l.Standard.ZH, EN: "Now: " + l.Shown.EN + "   Standard: " + l.Standard.EN}.In(s.ui.lang))
		}
	}
	options := l.Choices
	if l.Kind == booth.SettingFlag {
		options = []booth.SettingOption{{Value: "true", Name: booth.Text{ZH: "开", EN: "On"}}, {Value: "false", Name: booth.Text{ZH: "关", EN: "Off"}}}
	}
	for i, b := range s.options {
		on := s.mode == settingsEdit && i < len(options)
		setVisible(b, on)
		if !on {
			continue
		}
		o := options[i]
		b.plain(o.Name.In(s.ui.lang), "")
		b.setLook(lookPlain)
		if o.Value == s.value {
			b.setLook(lookChosen)
		}
		b.onTap = func() {
			s.value = o.Value
			s.ui.send(booth.Stay{})
			s.redraw()
		}
	}
	setVisible(s.typed, s.mode == settingsEdit && l.Typed)
	s.typed.plain(booth.Text{ZH: "输入标识…", EN: "Type it…"}.In(s.ui.lang), "")
	s.typer.refresh()
	s.typer.visible(s.typesNow())
}

func (s *settingsPage) layout(sp space) {
	k := s.ui.k
	body := s.frame(sp)
	place(s.up, sp.rest.w1(min(240, sp.rest.w*0.5)), k)
	place(s.again, sp.primary, k)
	place(s.save, sp.primary, k)
	_, rest := sp.rest.cutLeft(min(240, sp.rest.w*0.5)+gap, 0)
	for i, at := range rest.grid(2, 1, gap) {
		at.w = min(at.w, 200)
		place([]*button{s.export, s.take}[i], at, k)
	}
	s.layoutList(body)
	s.layoutEdit(body)
}

// w1 is the left part of r with that width.
func (r rect) w1(w float32) rect { return rect{r.x, r.y, w, r.h} }

func (s *settingsPage) layoutList(body rect) {
	k := s.ui.k
	cols, rows := 7, 2
	if s.ui.tall {
		cols, rows = 4, 4
	}
	tabs, body := body.cutTop(float32(rows)*50+8, 10)
	cells := tabs.grid(cols, rows, 8)
	for i, b := range s.groups {
		place(b, cells[i], k)
	}
	at := cells[maxGroups]
	if s.query != "" {
		at = tabs
		at.w, at.h = min(tabs.w, 520), cells[0].h
	}
	place(s.find, at, k)
	line := rect{body.x, body.y, body.w, 56}
	if s.note.bg.Visible() {
		line, body = body.cutBottom(56, 10)
	}
	place(s.note.bg, line, k)
	radius(s.note, k)
	icon, words := line.insetXY(14, 3).cutLeft(26, 10)
	place(s.noteI.img, icon.centred(26, 26), k)
	s.told.layoutMid(words, k)
	if s.mode != settingsList {
		s.list.hide()
		return
	}
	s.list.layout(body)
}

func (s *settingsPage) layoutEdit(body rect) {
	k := s.ui.k
	place(s.card.bg, body, k)
	radius(s.card, k)
	in := body.inset(14)
	keys := in
	if s.mode == settingsSearch {
		keys = body
	}
	var name, about, facts rect
	if s.typesNow() && !s.ui.tall { // the keys need the room
		var head rect
		head, in = in.cutTop(58, 2)
		name, about = head.cutLeft(head.w*.32, 16)
		facts, in = in.cutTop(24, 6)
	} else {
		name, in = in.cutTop(66, 4)
		about, in = in.cutTop(78, 4)
		facts, in = in.cutTop(44, 10)
	}
	s.name.layout(name, k)
	s.about.layout(about, k)
	s.facts.layout(facts, k)
	if s.mode != settingsSearch {
		keys = in
	}
	s.typer.layout(keys)
	n := 0
	for _, b := range s.options {
		if b.Visible() {
			n++
		}
	}
	if s.typed.Visible() {
		n++
	}
	cols := 2
	if n > 6 {
		cols = 4
	}
	rows := max(1, (n+cols-1)/cols)
	if limit := float32(rows)*78 - 10; in.h > limit {
		in.h = limit
	}
	cells := in.grid(cols, rows, 10)
	at := 0
	for _, b := range append(s.options[:len(s.options):len(s.options)], s.typed) {
		if b.Visible() {
			place(b, cells[at], k)
			at++
		}
	}
}

// hide takes the table away while another part of its page is shown.
func (t *table) hide() {
	cells, first := t.cells, t.first
	empty := t.empty
	t.cells, t.empty = nil, booth.Text{}
	for _, h := range t.head {
		h.set("")
	}
	t.layout(rect{0, 0, 100, 100})
	setVisible(t.line.bg, false)
	t.cells, t.first, t.empty = cells, first, empty
}
