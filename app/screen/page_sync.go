package screen

import (
	"fmt"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// syncPage shows what waits for central, why, and what staff may do about it.
type syncPage struct {
	staffPage
	lamp  *panel
	lampI *sign
	state pair
	tiles []tile
	err   banner
	queue *table
	try   *button
}

func newSyncPage(u *ui) screen {
	s := &syncPage{staffPage: newStaffPage(u, booth.Text{ZH: "同步", EN: "Exchange with central"}, booth.PageMenu)}
	s.lamp = s.panel(colSurface, colLine)
	s.lampI = s.sign("cloud", colInk)
	s.state = s.pair(24, 16, true, colInk, colMuted)
	for range 3 {
		s.tiles = append(s.tiles, tile{s.panel(colSurface, colLine), s.page.text(34, true, colInk).centre().mid().line(), s.page.text(15, false, colMuted).centre().mid()})
	}
	s.err = s.banner(booth.Note, "", 19, 15)
	s.queue = newTable(&s.page, "queue", []column{
		{name: booth.Text{ZH: "照片包", EN: "Packet"}, share: 1.2},
		{name: booth.Text{ZH: "保存时间", EN: "Saved"}, share: 1.3},
		{name: booth.Text{ZH: "大小", EN: "Size"}, share: 0.8, right: true},
		{name: booth.Text{ZH: "状态", EN: "State"}, share: 4},
	}, 8, nil)
	s.try = s.page.button("sync-now", lookPrimary, "cloud", func() { u.send(booth.SyncNow{}) })
	s.mark("sync-state", s.lamp.bg, func() string { return s.state.a.text })
	s.mark("sync-error", s.err.bg.bg, func() string { return s.err.text.a.text })
	return s
}

func (s *syncPage) update(v booth.View) {
	op := v.Operator
	if op == nil {
		op = &booth.OperatorView{}
	}
	y := op.Sync
	if y.Lamp.Level == "" {
		y.Lamp = booth.Lamp{Level: booth.Note, Text: booth.Text{ZH: "正在查看", EN: "Looking"}}
	}
	tn := toneOf(y.Lamp.Level)
	s.lamp.tint(tn.ground, tn.text)
	s.lampI.set(tn.icon, tn.text)
	s.state.tint(tn.text, tn.text)
	// The line below is when central last signed: the lamp means nothing less.
	s.state.a.set(y.Lamp.Text.In(s.ui.lang))
	s.state.b.set(y.Heard.In(s.ui.lang))
	age := "—"
	if !y.Oldest.IsZero() {
		age = ageText(v.Now.Sub(y.Oldest), s.ui.lang)
	}
	for i, c := range []struct {
		number string
		name   booth.Text
	}{
		{fmt.Sprint(y.Pending), booth.Text{ZH: "份待传", EN: "to send"}},
		{megabytes(y.Bytes), booth.Text{ZH: "待传总量", EN: "in all"}},
		{age, booth.Text{ZH: "最久的等了", EN: "the oldest waits"}},
	} {
		s.tiles[i].number.set(c.number)
		s.tiles[i].name.set(c.name.In(s.ui.lang))
	}
	text, level := y.LastErr, booth.Warn
	switch {
	case op.Notice != nil:
		text, level = *op.Notice, booth.Note
	case text == (booth.Text{}):
		text, level = y.Delivery, booth.OK
	}
	s.err.tone(level, "")
	s.err.set(s.ui, text)
	var rows [][]cell
	for _, q := range y.Queue {
		rows = append(rows, []cell{
			{text: q.ID, strong: true},
			{text: q.Saved.Local().Format("01-02 15:04")},
			{text: megabytes(q.Bytes)},
			{text: q.State.In(s.ui.lang), level: q.Level},
		})
	}
	s.queue.set(rows, booth.Text{ZH: "全部已送达，没有等待的照片包", EN: "Everything is delivered; nothing waits"})
	s.try.label(booth.Text{ZH: "立即同步", EN: "Try now"})
}

func (s *syncPage) layout(sp space) {
	k := s.ui.k
	body := s.frame(sp)
	place(s.try, sp.primary, k)
	height := float32(104)
	top, body := body.cutTop(height, gap)
	lamp, tiles := top.cutLeft(top.w*0.38, gap)
	if s.ui.tall {
		lamp = top
		tiles, body = body.cutTop(height, gap)
	}
	place(s.lamp.bg, lamp, k)
	radius(s.lamp, k)
	icon, words := lamp.insetXY(18, 10).cutLeft(34, 14)
	place(s.lampI.img, icon.centred(34, 34), k)
	s.state.layoutMid(words, k)
	for i, c := range tiles.grid(3, 1, 10) {
		t := s.tiles[i]
		place(t.bg.bg, c, k)
		radius(t.bg, k)
		number, name := c.insetXY(8, 8).cutTop(52, 0)
		t.number.layout(number, k)
		t.name.layout(name, k)
	}
	at, body := body.cutTop(76, gap)
	s.err.layout(at, k)
	s.queue.layout(body)
}

// ageText puts a duration as people do, short.
func ageText(d time.Duration, lang booth.Lang) string {
	switch {
	case d < time.Minute:
		return booth.Text{ZH: "不到 1 分钟", EN: "< 1 min"}.In(lang)
	case d < time.Hour:
		return fmt.Sprintf(booth.Text{ZH: "%d 分钟", EN: "%d min"}.In(lang), int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf(booth.Text{ZH: "%d 小时", EN: "%d h"}.In(lang), int(d.Hours()))
	}
	return fmt.Sprintf(booth.Text{ZH: "%d 天", EN: "%d days"}.In(lang), int(d.Hours()/24))
}

// megabytes writes a size with one decimal.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// retakesPage is the worklist: whose photo came back, and why, so that they can
// be called while they are still on site.
type retakesPage struct {
	staffPage
	say  banner
	list *table
}

func newRetakesPage(u *ui) screen {
	s := &retakesPage{staffPage: newStaffPage(u, booth.Text{ZH: "请回来重拍", EN: "To be photographed again"}, booth.PageMenu)}
	s.say = s.banner(booth.Note, "retake", 20, 15)
	s.list = newTable(&s.page, "retakes", []column{
		{name: booth.Text{ZH: "姓名", EN: "Name"}, share: 1.1},
		{name: booth.Text{ZH: "证件尾号", EN: "Number ends"}, share: 0.9},
		{name: booth.Text{ZH: "退回时间", EN: "Returned"}, share: 1.2},
		{name: booth.Text{ZH: "原因", EN: "Why"}, share: 3.6},
	}, 12, nil)
	s.mark("retakes", s.say.bg.bg, func() string { return s.say.text.a.text })
	return s
}

func (s *retakesPage) forget() { s.list.set(nil, booth.Text{}) }

func (s *retakesPage) update(v booth.View) {
	today := 0
	var rows [][]cell
	for _, it := range v.Retakes {
		when := it.At.Local().Format("01-02 15:04")
		strong := it.At.Local().Format(time.DateOnly) == v.Now.Local().Format(time.DateOnly)
		if strong {
			today++
		}
		rows = append(rows, []cell{
			{text: it.NameMasked, strong: true}, {text: it.NumberTail}, {text: when, strong: strong}, {text: it.Reason.In(s.ui.lang)},
		})
	}
	text, level := booth.Text{
		ZH: fmt.Sprintf("%d 位同学的照片被退回，今天 %d 位，可能还在现场：请叫回来，输入号码即可重拍，不再收费。", len(rows), today),
		EN: fmt.Sprintf("%d students' photos were returned, %d of them today, who may still be here: call them back; typing the number begins a retake, free of charge.", len(rows), today),
	}, booth.Warn
	if len(rows) == 0 {
		text, level = booth.Text{ZH: "没有要重拍的同学。审核结果一到就会出现在这里。", EN: "Nobody has to come again. Results appear here as soon as they arrive."}, booth.OK
	}
	s.say.tone(level, "")
	s.say.set(s.ui, text)
	s.list.set(rows, booth.Text{ZH: "名单是空的", EN: "The list is empty"})
}

func (s *retakesPage) layout(sp space) {
	at, body := s.frame(sp).cutTop(88, gap)
	s.say.layout(at, s.ui.k)
	s.list.layout(body)
}
