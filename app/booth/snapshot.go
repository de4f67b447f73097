package booth

import "time"

// View makes the snapshot for the screens as of the last input.
func (m *Machine) View() View {
	v := View{
		SessionID: m.session, State: m.state, Lang: m.lang, Large: m.large, Now: m.now,
		Deadline: m.deadline, Claim: m.claim, Live: m.live, Capture: m.captureView(), Lamps: m.lamps,
		Retakes: m.retakes, Simulated: m.cfg.Simulated, Demo: m.cfg.Demo,
	}
	if !m.deadline.IsZero() && m.state != Done && m.state != Abandoned {
		v.Warning = m.deadline.Sub(m.now) <= m.cfg.Timing.WarnLast
	}
	v.Calibration = m.calibration
	if m.toast != nil {
		t := *m.toast
		v.Toast = &t
	}
	if m.state == Identify {
		complete, problem := m.cfg.Check(m.doc, m.raw)
		v.Identify = IdentifyView{
			Doc: m.doc, Raw: m.raw, Grouped: m.cfg.Group(m.doc, m.raw),
			Complete: complete && problem == nil, Bad: m.bad, Busy: m.busy, Message: m.message,
			Scan: m.scanView(),
		}
	}
	if m.record == nil {
		for _, r := range m.candidates {
			v.Candidates = append(v.Candidates, Candidate{School: r.School, Batch: r.Batch, Level: r.Level, Major: r.Major})
		}
	} else {
		s := student(m.record)
		s.InfoFlagged = m.flagged
		if !m.revealUntil.IsZero() {
			s.Revealed, s.NameFull, s.NumberFull = true, m.record.Name, m.record.Number
		}
		v.Student = &s
		service := m.record.Service
		v.Service = &service
		v.ConsentDoc = m.record.Consent
		v.Payment = PaymentView{State: m.record.Payment, Receipt: m.receiptWanted()}
		switch m.state {
		case Guide:
			v.Payment.Blocked = m.unpaid("before_capture")
		case Confirm:
			v.Payment.Blocked = m.unpaid("before_capture") || m.unpaid("before_submit")
		case Locked, Idle, Identify, Eligible, Consent, Framing, Countdown, Shot, Standardising, Review, Sealing, Done, Abandoned:
		}
	}
	if m.state == Countdown {
		left := m.countEnds.Sub(m.now)
		v.Countdown = int((left + time.Second - 1) / time.Second)
	}
	if m.shot != nil {
		s := *m.shot
		s.CanAccept = m.acceptable() && s.Picking == 0 && m.manualDone()
		v.Shot = &s
	}
	if m.saved != nil {
		s := *m.saved
		s.Pending, s.Online = m.pending, m.online
		v.Saved = &s
	}
	if m.next != nil {
		n := student(m.next)
		v.Next = &n
	}
	v.Class = m.nextView()
	v.Fault = m.fault()
	v.Operator, v.Locked = m.operatorView(), m.lockedView()
	return v
}

// fault picks the page that covers the screen, if any.
func (m *Machine) fault() *Fault {
	switch {
	case m.sealFault != nil && m.state == Confirm:
		f := *m.sealFault
		return &f
	case m.cameraDown != nil && m.state == Framing:
		f := FaultPage(FaultCamera, *m.cameraDown)
		return &f
	case m.guard != nil && m.state == Idle:
		f := *m.guard
		if f.Code == GuardNoPlate && m.calibration.State == CalibrationRunning {
			f = calibrating(f)
		}
		return &f
	}
	return nil
}

func student(r *Record) StudentView {
	return StudentView{
		NameMasked: r.NameMasked, NumberMasked: r.NumMasked, DocType: r.Doc,
		School: r.School, Level: r.Level, Major: r.Major, StudentNo: r.StudentNo, Batch: r.Batch, Spec: r.Spec,
		Provisional: r.Provisional != "",
		Recapture:   r.Capture == "rejected", RejectReason: r.Rejected,
	}
}
