package station

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// listAdd answers the turn to the page where a student is added.
func (s *Station) listAdd() {
	var ev booth.AddListed
	for _, b := range s.p.Roster.Batches() {
		ev.Batches = append(ev.Batches, booth.AddBatch{ID: b.ID, Title: b.Title, School: b.School})
	}
	s.later(ev)
}

// keepStudent adds a student who is on no roster, durably, beside the loop. Who is
// called the same on the list is told first: more often than not a number was typed
// wrongly.
func (s *Station) keepStudent(e booth.KeepStudent) {
	p := wire.Provisional{
		Ref: wire.ProvisionalPrefix + ulid.Make().String(), Batch: e.BatchID, Name: e.Name, IDNumber: roster.Normalise(e.Number),
		IDType: map[booth.DocType]wire.IDType{booth.DocResident: wire.IDResident, booth.DocHMT: wire.IDHMT, booth.DocPassport: wire.IDPassport}[e.Doc],
		Reason: e.Reason, Operator: e.By.ID, At: time.Now().UTC(),
	}
	if p.IDType == "" {
		p.IDType, p.StudentNo = wire.IDOther, p.IDNumber
	}
	s.work.Go(func() {
		ev := booth.StudentKept{Session: e.Session, Token: e.Token}
		ev.Record, ev.Problem, ev.Alike = s.addProvisional(p, e.Sure)
		s.inputs <- ev
	})
}

func (s *Station) addProvisional(p wire.Provisional, sure bool) (_ *booth.Record, problem *booth.Text, alike bool) {
	if like := s.p.Roster.SameNames(p.Name); len(like) > 0 && !sure && len(s.p.Roster.Lookup(roster.Any, p.IDNumber)) == 0 {
		tails := make([]string, len(like))
		for i, st := range like {
			tails[i] = tail(st.IDNumber)
		}
		return nil, &booth.Text{
			ZH: fmt.Sprintf("名单里有同名的学生，证件尾号 %s。如果就是这位，请返回核对号码；确实不是，再按一次登记。", strings.Join(tails, "、")),
			EN: fmt.Sprintf("The list has somebody of this name, ID ending %s. If it is them, go back and check the number; if not, press once more.", strings.Join(tails, ", ")),
		}, true
	}
	err := s.p.Roster.AddProvisional(p)
	switch {
	case errors.Is(err, roster.ErrListed):
		return nil, &booth.Text{ZH: "这个号码就在名单里，请返回直接查询。", EN: "This number is on the list: go back and look it up."}, false
	case errors.Is(err, roster.ErrFull):
		return nil, &booth.Text{ZH: "本机临时登记的学生太多了，请先联网更新名单。", EN: "Too many students were added here: renew the roster first."}, false
	case err != nil:
		s.log.Error("provisional student not kept", "err", err)
		return nil, &booth.Text{ZH: "没有写进磁盘，请再试一次。", EN: "It could not be written to disk. Try again."}, false
	}
	batch, ok := s.p.Roster.Batch(p.Batch)
	if !ok { // the roster changed this moment
		return nil, &unexpected, false
	}
	r := s.record(p.Student(), batch)
	r.By = booth.ByKeypad
	return &r, nil, false
}
