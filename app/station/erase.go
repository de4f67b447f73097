package station

import (
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// erase has every sealed photo of a student erased: at once what central has
// not acknowledged, by a signed request what it has. It works beside the loop:
// it writes to the disk.
func (s *Station) erase(e booth.Erase) {
	var last *ulid.ULID
	if v := s.visit; v != nil && v.sealed != nil && s.of(e.Session) {
		last = &v.sealed.ID // saved a moment ago: the roster may not name it yet
	}
	s.work.Go(func() {
		done, err := s.eraseStudent(e, last)
		text := booth.Text{ZH: "这位同学没有已保存的照片，本次的内容已经清除。", EN: "No saved photo of this student was here; this visit is cleared."}
		if len(done) > 0 {
			text = booth.Text{
				ZH: fmt.Sprintf("已登记删除 %d 份照片：没送达的已从本机删除，已送达的联网后由审核中心删除。", len(done)),
				EN: fmt.Sprintf("%d photos are to be erased: what was not sent is gone, central erases the rest once online.", len(done)),
			}
		}
		if err != nil {
			s.log.Error("photos not all erased", "err", err)
			text = booth.Text{ZH: "有照片没有删除成功，请重新识别这位同学再试一次；若仍不行，请联系技术支持。", EN: "Not every photo was erased. Identify this student again and retry, then call technical support."}
		}
		s.inputs <- asked{done: make(chan struct{}), f: func() {
			for _, id := range done {
				s.write(booth.Audit{Session: e.Session, Event: "erase.queued", Detail: id.String(), By: e.By})
			}
			if err != nil {
				s.write(booth.Audit{Session: e.Session, Event: "erase.failed", By: e.By})
			}
			s.apply(booth.StaffNotice{Text: text})
			s.refreshHouse()
		}}
		s.p.Uplink.Wake()
	})
}

// eraseStudent queues a request for each packet of the student that this station
// knows of, and only then forgets that it photographed them.
func (s *Station) eraseStudent(e booth.Erase, last *ulid.ULID) (done []ulid.ULID, err error) {
	var errs []error
	for _, p := range s.packetsOf(e.BatchID, e.Ref, last) {
		request, err := wire.SignErase(s.p.Key, s.p.Enrolment.Enrolled.StationID, p.Declared(), time.Now())
		if err == nil {
			err = s.p.Outbox.Erase(p.ID, request)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("station: erase packet %s: %w", p.ID, err))
			continue
		}
		done = append(done, p.ID)
	}
	if len(errs) == 0 {
		if err := s.p.Roster.MarkCaptured(e.BatchID, e.Ref, "", time.Time{}); err != nil {
			errs = append(errs, fmt.Errorf("station: forget the photo: %w", err))
		}
	}
	return done, errors.Join(errs...)
}

// packetsOf finds a student's packets, which the station itself cannot open:
// the one that the roster's note names and those it replaced, and what central's
// verdicts call theirs. What was erased before is left out.
func (s *Station) packetsOf(batch, ref string, last *ulid.ULID) []outbox.Entry {
	theirs := map[ulid.ULID]bool{}
	if last != nil {
		theirs[*last] = true
	}
	if id, err := ulid.ParseStrict(s.p.Roster.Local(batch, ref).Packet); err == nil {
		theirs[id] = true
	}
	all := s.p.Outbox.List()
	for i := range all {
		e := &all[i]
		if e.State == outbox.Purged && e.Reason != outbox.ReasonErased {
			// Of these the verdict is in the index alone.
			if whole, err := s.p.Outbox.Get(e.ID); err == nil {
				e.Verdict = whole.Verdict
			}
		}
		if e.Verdict != nil && e.Verdict.StudentRef == ref {
			theirs[e.ID] = true
		}
	}
	// Whatever one of them replaced was of the same student. Packets come in the
	// order of their numbers, and one replaces only an earlier one.
	for i := len(all) - 1; i >= 0; i-- {
		if e := &all[i]; theirs[e.ID] && e.Supersedes != nil {
			theirs[*e.Supersedes] = true
		}
	}
	var out []outbox.Entry
	for _, e := range all {
		if theirs[e.ID] && e.Reason != outbox.ReasonErased {
			out = append(out, e)
		}
	}
	return out
}
