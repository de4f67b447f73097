package station

import (
	"context"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/outbox"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// lookup asks the roster, in memory: it is done before the next frame.
func (s *Station) lookup(_ context.Context, e booth.Lookup) {
	kind := roster.Any
	if !e.Scanned {
		kind = map[booth.DocType]roster.Kind{
			booth.DocResident: roster.Resident, booth.DocHMT: roster.HMT,
			booth.DocPassport: roster.Passport, booth.DocStudentNo: roster.StudentNo,
		}[e.Doc]
	}
	found := s.find(kind, e)
	var records []booth.Record
	named := 0
	for _, st := range found {
		if e.Name != "" && !roster.SameName(e.Name, st.Name) {
			continue
		}
		named++
		batch, ok := s.p.Roster.Batch(st.Batch)
		if !ok {
			s.log.Warn("student of a batch this station does not have", "batch", st.Batch)
			continue
		}
		r := s.record(st, batch)
		r.By = e.By
		records = append(records, r)
	}
	if len(found) > 0 && named == 0 {
		s.note(e.Session, "lookup.other_name", "")
		s.later(booth.LookupDone{Session: e.Session, Token: e.Token, Problem: &booth.Text{
			ZH: "卡上的姓名与名单不一致，请再出示一次，或输入号码并请工作人员核对。",
			EN: "The name on the card is not the one on the list. Show the card again, or type the number and ask the staff.",
		}})
		return
	}
	s.later(booth.LookupDone{Session: e.Session, Token: e.Token, Records: records})
}

// find asks the roster for a number as typed, scanned or read, or for the record
// that a pass names.
func (s *Station) find(kind roster.Kind, e booth.Lookup) []wire.Student {
	if e.Ref != "" {
		st, err := s.p.Roster.Student(e.Ref)
		if err != nil || st.Batch != e.BatchID {
			return nil
		}
		return []wire.Student{st}
	}
	found := s.p.Roster.Lookup(kind, e.Number)
	if number, ok := s.wedge.number(e.Number); len(found) == 0 && e.Scanned && ok {
		return s.p.Roster.Lookup(kind, number)
	}
	return found
}

func (s *Station) record(st wire.Student, b wire.Batch) booth.Record {
	local := s.p.Roster.Local(st.Batch, st.Ref)
	payment := st.Payment
	if local.Payment != "" && payment != wire.PaymentPaid && payment != wire.PaymentRefunded {
		payment = local.Payment
	}
	if b.Policy == wire.PayNone {
		payment = wire.PaymentNone
	} else if payment == "" || payment == wire.PaymentNone {
		payment = wire.PaymentUnpaid
	}
	doc := map[wire.IDType]booth.DocType{wire.IDResident: booth.DocResident, wire.IDHMT: booth.DocHMT, wire.IDPassport: booth.DocPassport}[st.IDType]
	if doc == "" {
		doc = booth.DocStudentNo
	}
	r := booth.Record{
		Ref: st.Ref, BatchID: b.ID, Batch: b.Title, School: st.School, Level: st.Level, Major: st.Major, StudentNo: st.StudentNo,
		Name: st.Name, NameMasked: roster.MaskName(st.Name), Doc: doc,
		Number: groupNumber(doc, st.IDNumber), NumMasked: roster.MaskNumber(st.IDNumber),
		Payment: string(payment), Spec: b.Spec,
		Service: booth.ServiceView{
			PriceFen: b.PriceFen, Policy: string(b.Policy), Covers: booth.Text{ZH: b.CoversZH, EN: b.CoversEN},
			ReviewDays: b.ReviewDays, Contact: b.Contact,
		},
		Consent: booth.ConsentView{Version: b.ConsentVer, Body: booth.Text{ZH: b.ConsentZH, EN: b.ConsentEN}, RetainDays: s.retainDays(b.RetainDays)},
	}
	if r.School == "" {
		r.School = b.School
	}
	r.Capture, r.Rejected, r.Supersedes = s.captureState(st, local)
	if st.Provisional {
		r.Provisional = "listed" // added at another station, and central has not decided
		if p, ok := s.p.Roster.Provisional(st.Ref); ok {
			r.Provisional = p.Reason
		}
	}
	return r
}

// captureState joins what central's list says with what this station saved and
// heard since: the later word counts.
func (s *Station) captureState(st wire.Student, local roster.Local) (state string, why booth.Text, supersedes string) {
	state = st.Capture
	if local.Packet == "" {
		return state, why, ""
	}
	id, err := ulid.ParseStrict(local.Packet)
	if err != nil {
		return state, why, ""
	}
	e, err := s.p.Outbox.Get(id)
	if err != nil {
		return state, why, ""
	}
	switch v := e.Verdict; {
	case st.Capture == wire.VerdictApproved:
	case v == nil && e.State == outbox.Refused:
		state = wire.VerdictRejected
	case v == nil:
		state = "captured"
	default:
		state = v.State
	}
	if state == wire.VerdictRejected && e.Verdict != nil {
		why = rejectText(*e.Verdict)
	}
	// A new photo of this student, after a rejection or by an operator's
	// override, always names the one it replaces.
	return state, why, local.Packet
}

func rejectText(v wire.Verdict) booth.Text {
	t := booth.Text{ZH: v.NoteZH, EN: v.NoteEN}
	if t.ZH == "" && t.EN == "" {
		t = booth.Text{ZH: "审核未通过", EN: "Not accepted by the review"}
	}
	if t.EN == "" {
		t.EN = t.ZH
	}
	if t.ZH == "" {
		t.ZH = t.EN
	}
	return t
}

// retakes is the worklist: rejected photos of this station with no later packet.
func (s *Station) retakes() []booth.RetakeItem {
	var out []booth.RetakeItem
	for _, e := range s.p.Outbox.Rejected() {
		v := e.Verdict
		st, err := s.p.Roster.Student(v.StudentRef)
		if err != nil {
			continue
		}
		if s.p.Roster.Local(st.Batch, st.Ref).Packet != e.ID.String() {
			continue // captured again meanwhile
		}
		out = append(out, booth.RetakeItem{NameMasked: roster.MaskName(st.Name), NumberTail: tail(st.IDNumber), Reason: rejectText(*v), At: v.At})
	}
	return out
}

// savePayment keeps an operator's decision about the fee.
func (s *Station) savePayment(e booth.SavePayment) {
	if err := s.p.Roster.SetPayment(e.BatchID, e.Ref, wire.PaymentState(e.State), e.Reason); err != nil {
		s.log.Error("payment decision not kept", "err", err)
	}
}

// claimEvery is how often central is asked what the phone has done, while the
// student stands here.
const claimEvery = 1500 * time.Millisecond
