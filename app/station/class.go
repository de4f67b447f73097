package station

import (
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// maxFound students are shown of those a search finds: more is typed sooner than
// read.
const maxFound = 40

// callClass begins to call a class, or ends it, durably, and lists what then is.
func (s *Station) callClass(id booth.ClassID) {
	s.class(func() error {
		return s.p.Roster.SetOpenClass(roster.Class{Batch: id.BatchID, College: id.College, Name: id.Class})
	}, "")
}

// keepMark notes that a student was passed over or is absent.
func (s *Station) keepMark(e booth.KeepMark) {
	s.class(func() error { return s.p.Roster.SetMark(e.BatchID, e.Ref, roster.Mark(e.Mark), time.Now()) }, "")
}

// listClass lists the open class, or what query finds.
func (s *Station) listClass(query string) { s.class(nil, query) }

// class changes what is called and then lists it, beside the loop: a change waits
// for the disk. One at a time, so that the last answer is of the last change.
func (s *Station) class(change func() error, query string) {
	s.work.Go(func() {
		s.classMu.Lock()
		defer s.classMu.Unlock()
		var problem *booth.Text
		if change != nil {
			if err := change(); err != nil {
				s.log.Error("class list not kept", "err", err)
				problem = &booth.Text{ZH: "没有写进磁盘，请再试一次。", EN: "It could not be written to disk. Try again."}
			}
		}
		v := s.classList(query)
		v.Problem = problem
		s.inputs <- booth.ClassListed{Query: query, Class: v}
	})
}

// classList is the list as staff see it. Names are in it in full; the booth shows
// them only while staff ask for it.
func (s *Station) classList(query string) booth.ClassView {
	v := booth.ClassView{Next: -1, Query: query}
	open := s.p.Roster.OpenClass()
	if query != "" {
		for _, st := range s.p.Roster.Search("", query, maxFound) {
			r := s.classRow(st)
			r.Class = classTitle(roster.ClassOf(st))
			v.Rows = append(v.Rows, r)
		}
		return v
	}
	if open == (roster.Class{}) {
		for _, c := range s.p.Roster.Classes() {
			v.Classes = append(v.Classes, s.classLine(c))
		}
		return v
	}
	line := s.classLine(open)
	v.Open = &line
	skipped := -1 // who was passed over the longest ago
	var since time.Time
	for _, st := range s.p.Roster.Members(open) {
		r := s.classRow(st)
		i := len(v.Rows)
		v.Rows = append(v.Rows, r)
		switch r.State {
		case booth.ClassAbsent:
			v.Absent++
		case booth.ClassWaiting, booth.ClassRetake:
			if v.Next < 0 {
				v.Next = i
			}
		case booth.ClassSkipped:
			if at := s.p.Roster.MarkedAt(st.Batch, st.Ref); skipped < 0 || at.Before(since) {
				skipped, since = i, at
			}
		}
	}
	if v.Next < 0 {
		v.Next = skipped
	}
	return v
}

// classLine counts a class.
func (s *Station) classLine(c roster.Class) booth.ClassLine {
	l := booth.ClassLine{ID: booth.ClassID{BatchID: c.Batch, College: c.College, Class: c.Name}}
	if b, ok := s.p.Roster.Batch(c.Batch); ok {
		l.Batch = b.Title
	}
	for _, st := range s.p.Roster.Members(c) {
		l.Total++
		if s.classState(st) == booth.ClassDone {
			l.Done++
		}
	}
	return l
}

// classState is where a student of a class stands: a photo goes before any mark,
// because a student who was absent may come after all.
func (s *Station) classState(st wire.Student) string {
	switch state, _, _ := s.captureState(st, s.p.Roster.Local(st.Batch, st.Ref)); state {
	case "":
	case wire.VerdictRejected:
		if m := s.p.Roster.MarkOf(st.Batch, st.Ref); m != roster.MarkNone {
			return string(m)
		}
		return booth.ClassRetake
	default:
		return booth.ClassDone
	}
	return string(s.p.Roster.MarkOf(st.Batch, st.Ref))
}

func (s *Station) classRow(st wire.Student) booth.ClassRow {
	return booth.ClassRow{
		BatchID: st.Batch, Ref: st.Ref, NameMasked: roster.MaskName(st.Name), Name: st.Name,
		NumberTail: tail(st.IDNumber), StudentNo: roster.MaskNumber(st.StudentNo), State: s.classState(st),
	}
}

// tail is what a number is told apart by: its last four characters.
func tail(number string) string {
	r := []rune(number)
	return string(r[max(0, len(r)-4):])
}

// classTitle is a class in words.
func classTitle(c roster.Class) string {
	switch {
	case c.College == "":
		return c.Name
	case c.Name == "":
		return c.College
	}
	return c.College + " " + c.Name
}
