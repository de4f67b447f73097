package station

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Bounds of a search: more on the page says no more, and a day has no more
// students than are looked through.
const (
	maxFoundToday = 60
	maxMatch      = 5000
)

// lookToday searches today's students beside the loop.
func (s *Station) lookToday(e booth.LookToday) {
	s.work.Go(func() {
		s.inputs <- booth.TodayFound{Found: findToday(s.p.Roster, s.p.Outbox.List(), e, time.Now())}
	})
}

// findToday are the students whose last photo on this station is of now's day, the
// newest first, as far as they match.
func findToday(ro *roster.Store, entries []outbox.Entry, e booth.LookToday, now time.Time) booth.FoundView {
	v := booth.FoundView{Query: e.Query, State: e.State}
	saved := map[string]*outbox.Entry{}
	for i := range entries {
		if x := &entries[i]; sameDayAs(x.SavedAt, now) {
			saved[x.ID.String()] = x
		}
	}
	students := ro.Students()
	if e.Query != "" {
		students = ro.Search("", e.Query, maxMatch)
	}
	for _, st := range students {
		x := saved[ro.Local(st.Batch, st.Ref).Packet]
		if x == nil {
			continue
		}
		state, row := foundRow(*x, now)
		if e.State != booth.FindAll && e.State != state {
			continue
		}
		row.Name, row.Number = roster.MaskName(st.Name), tail(st.IDNumber)
		v.Rows = append(v.Rows, row)
	}
	slices.SortFunc(v.Rows, func(a, b booth.FoundRow) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Packet, b.Packet)) })
	if n := len(v.Rows); n > maxFoundToday {
		v.Rows, v.More = v.Rows[:maxFoundToday], n-maxFoundToday
	}
	return v
}

// foundRow says what became of a photo and what can be done.
func foundRow(e outbox.Entry, now time.Time) (booth.FindState, booth.FoundRow) {
	r := booth.FoundRow{Packet: shortID(e.ID), At: e.SavedAt}
	r.State, r.Level = photoState(e)
	at := func(t time.Time) string { return t.In(now.Location()).Format("15:04") }
	switch {
	case e.Fault != "" || e.State == outbox.Refused:
		r.About, _ = packetWords(e, now)
		r.Do = booth.Text{ZH: "请这位同学重拍，并报告技术支持。", EN: "Have the student photographed again, and report it."}
		r.Go = booth.PageSync
		return booth.FindTrouble, r
	case e.Verdict != nil && e.Verdict.State == wire.VerdictRejected:
		why := rejectText(*e.Verdict)
		r.About = booth.Text{ZH: at(e.Verdict.At) + " 被退回：" + why.ZH, EN: "Returned at " + at(e.Verdict.At) + ": " + why.EN}
		r.Do = booth.Text{ZH: "叫回来，输入号码即可重拍，不再收费。", EN: "Call the student back: typing the number begins a retake, free of charge."}
		r.Go = booth.PageRetakes
		return booth.FindReturned, r
	case e.Verdict != nil && e.Verdict.State == wire.VerdictApproved:
		r.About = booth.Text{ZH: at(e.Verdict.At) + " 审核通过。", EN: "Approved at " + at(e.Verdict.At) + "."}
		r.Do = booth.Text{ZH: "不用再做什么。凭号可以告诉同学。", EN: "Nothing is left to do. The student may be told the number."}
		return booth.FindApproved, r
	case e.State == outbox.Saved:
		words, _ := packetWords(e, now)
		r.About = booth.Text{ZH: "安全保存在本机，还没送出：" + words.ZH, EN: "Safe here and not sent yet: " + words.EN}
		r.Do = booth.Text{ZH: "同学可以离开。接上网络会自动送出。", EN: "The student may go. It is sent by itself once there is a network."}
		r.Go = booth.PageSync
		return booth.FindWaiting, r
	}
	r.About = booth.Text{ZH: fmt.Sprintf("中心 %s 收下，等待审核。", at(e.StoredAt)), EN: fmt.Sprintf("Central took it at %s; the review is to come.", at(e.StoredAt))}
	r.Do = booth.Text{ZH: "结果一到就显示在这里；同学可以离开。", EN: "The result will stand here; the student may go."}
	return booth.FindReview, r
}
