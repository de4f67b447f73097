package station

import (
	"context"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// startClaim mints the QR code, which needs no network, and watches what the
// phone does while the session lasts.
func (s *Station) startClaim(_ context.Context, e booth.StartClaim) {
	if !s.of(e.Session) {
		return
	}
	v := s.visit
	enrolled := s.p.Enrolment.Enrolled
	view := booth.ClaimView{}
	token, err := claim.Mint(enrolled.ClaimKey, enrolled.StationID, v.ulid, time.Now().Add(claim.DefaultTTL))
	if err == nil {
		b, _ := s.p.Roster.Batch(e.Record.BatchID)
		view.URL, err = claim.URL(b.PhoneBaseURL, token)
	}
	if err != nil {
		// The visit goes on without a QR code: the photo matters more.
		s.log.Error("no claim code", "session", e.Session, "err", err)
	} else {
		view.MatchNumber = claim.MatchNumber(enrolled.ClaimKey, v.ulid)
	}
	s.later(booth.ClaimUpdate{Session: e.Session, Claim: view})
	if view.URL == "" {
		return
	}
	ctx, record := v.ctx, e.Record
	s.work.Go(func() { s.watchClaim(ctx, e.Session, record, view) })
}

// watchClaim polls until the session ends.
func (s *Station) watchClaim(ctx context.Context, session string, r booth.Record, view booth.ClaimView) {
	tick := time.NewTicker(claimEvery)
	defer tick.Stop()
	last := wire.ClaimState{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !s.p.Uplink.Status().Online {
			continue
		}
		st, err := s.p.Uplink.Claim(ctx, session)
		if err != nil || st == last {
			continue
		}
		last = st
		view.Linked = st.Linked
		view.Mismatch = st.StudentRef != "" && st.StudentRef != r.Ref
		if !s.onLoop(ctx, func() { s.claimMoved(session, st, r) }) {
			return
		}
		s.report(ctx, booth.ClaimUpdate{Session: session, Claim: view})
	}
}

// claimMoved keeps what the phone did. A payment counts for the student who is
// on the phone, and only shows here when that is the student at the desk.
func (s *Station) claimMoved(session string, st wire.ClaimState, r booth.Record) {
	if s.of(session) {
		s.visit.linked, s.visit.order = st.Linked, st.OrderID
	}
	if st.StudentRef != r.Ref || st.Payment == "" || st.Payment == wire.PaymentUnpaid || r.Service.Policy == string(wire.PayNone) {
		return
	}
	if err := s.p.Roster.SetPayment(r.BatchID, r.Ref, st.Payment, ""); err != nil {
		s.log.Error("payment state not kept", "session", session, "err", err)
	}
	s.apply(booth.PaymentUpdate{BatchID: r.BatchID, Ref: r.Ref, State: string(st.Payment)})
}
