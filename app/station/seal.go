package station

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/sync/packet"
)

// originalQuality is for cameras that give raw pixels: the original is then
// written as a JPEG of visually lossless quality, since a packet holds JPEG.
const originalQuality = 98

// seal makes the packet of the present shot, once, and commits it. A retry
// after a failed commit stores the very same bytes.
func (s *Station) seal(_ context.Context, e booth.Seal) {
	if !s.of(e.Session) {
		return
	}
	v := s.visit
	if v.sealed == nil {
		sealed, err := s.sealVisit(v, e)
		if err != nil {
			s.log.Error("packet not sealed", "session", e.Session, "err", err)
			s.later(booth.SealFailed{Session: e.Session, Problem: unexpected})
			return
		}
		v.sealed = sealed
	}
	v.failed.Store(false)
	sealed := v.sealed
	ref, batch := e.Record.Ref, e.Record.BatchID
	s.work.Go(func() {
		// Not the session's context: once begun, a commit is finished.
		if _, err := s.p.Outbox.Commit(sealed); err != nil {
			v.failed.Store(true)
			s.log.Error("packet not committed", "session", e.Session, "packet", sealed.ID.String(), "err", err)
			s.later(booth.SealFailed{Session: e.Session, Problem: commitProblem(err)})
			return
		}
		if err := s.p.Roster.MarkCaptured(batch, ref, sealed.ID.String(), sealed.Header.Created()); err != nil {
			// The photo is safe; only the note that this student is done is
			// missing, and central will say so again.
			s.log.Error("captured state not kept", "session", e.Session, "err", err)
		}
		s.p.Uplink.Wake()
		s.later(booth.Sealed{Session: e.Session, PacketID: shortID(sealed.ID), Seq: sealed.Header.Seq, At: sealed.Header.Created()})
	})
}

// later hands an event to the loop without making the caller, which may be the
// loop itself, wait for it.
func (s *Station) later(ev booth.Event) {
	s.work.Go(func() { s.inputs <- ev })
}

// shortID is what people read out: the last eight characters, which differ
// from packet to packet.
func shortID(id ulid.ULID) string {
	t := id.String()
	return t[len(t)-8:]
}

func (s *Station) sealVisit(v *visit, e booth.Seal) (*packet.Sealed, error) {
	if v.result == nil || v.result.Portrait == nil || v.attempt != e.Attempt || v.frame.Seq != e.Seq {
		return nil, fmt.Errorf("station: no portrait of attempt %d, frame %d", e.Attempt, e.Seq)
	}
	original, err := OriginalJPEG(&v.frame)
	if err != nil {
		return nil, err
	}
	report, err := json.Marshal(v.result.Report)
	if err != nil {
		return nil, fmt.Errorf("station: encode report: %w", err)
	}
	seq, err := s.p.Outbox.NextSeq()
	if err != nil {
		return nil, fmt.Errorf("station: sequence number: %w", err)
	}
	now := time.Now()
	id := ulid.Make()
	// Named before the commit: after a crash the log tells which packet this
	// visit would have become, and the outbox whether it did.
	s.note(e.Session, auditSealing, id.String())
	identity := s.p.Camera.Status().Identity
	in := packet.Input{
		ID: id, Seq: seq, Station: s.p.Enrolment.Enrolled.StationID, Spec: e.Record.Spec, Created: now,
		Original: original, Portrait: v.result.JPEG, Audit: v.audit,
		Manifest: packet.Manifest{
			Batch:    e.Record.BatchID,
			Student:  packet.Student{Ref: e.Record.Ref, IdentifiedBy: e.Record.By, InfoFlagged: e.Flagged},
			Claim:    packet.Claim{Session: e.Session, Linked: v.linked},
			Payment:  payment(e, v),
			Operator: e.Operator.ID,
			Consent:  packet.Consent{Version: e.Consent, Language: string(s.machine.View().Lang), At: v.consent},
			Capture: packet.Capture{
				Camera: identity.Name + " " + identity.ID, Simulated: identity.Simulated, Frame: v.frame.Seq,
				At: v.frame.Captured, Attempt: v.attempt, Plate: v.result.Report.Plate,
			},
			Software:  packet.Software{Version: s.p.Version, SpecVersion: v.result.Report.SpecVersion},
			Report:    report,
			AuditHead: s.audit.chainHead(),
		},
	}
	for _, o := range e.Overrides {
		in.Manifest.Overrides = append(in.Manifest.Overrides, override(o, v.result.Report))
	}
	if e.ManualOK {
		in.Manifest.Overrides = append(in.Manifest.Overrides, packet.Override{CheckID: "manual", Reason: "all_ok", Operator: e.Operator.ID, At: now})
	}
	if e.Record.Supersedes != "" {
		old, err := ulid.ParseStrict(e.Record.Supersedes)
		if err != nil {
			return nil, fmt.Errorf("station: packet to supersede: %w", err)
		}
		in.Supersedes = &old
		in.Manifest.RetakeNote = e.Record.Capture
	}
	if p, ok := s.p.Roster.Provisional(e.Record.Ref); ok {
		in.Manifest.Student.Provisional = &p
	}
	recipients, err := s.p.Enrolment.Recipients()
	if err != nil {
		return nil, err
	}
	if err := s.audit.sync(); err != nil {
		return nil, fmt.Errorf("station: audit log: %w", err)
	}
	return packet.Seal(in, recipients, s.p.Key)
}

// OriginalJPEG is the untouched frame: the camera's own JPEG bytes, or raw
// pixels as a JPEG of the highest useful quality.
func OriginalJPEG(f *camera.Frame) ([]byte, error) {
	if f.Format == camera.MJPEG {
		return f.Data, nil
	}
	var img image.RGBA
	if err := decodeFrame(&img, f); err != nil {
		return nil, fmt.Errorf("station: original: %w", err)
	}
	defer clear(img.Pix)
	out, err := codec.EncodeRGBA(nil, &img, originalQuality, codec.S422)
	if err != nil {
		return nil, fmt.Errorf("station: original: %w", err)
	}
	return out, nil
}

// commitProblem says at the desk why the photo is not saved.
func commitProblem(err error) booth.Text {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return booth.Text{ZH: "磁盘已满，照片没有写进去。请联系技术支持清理磁盘，然后再试一次。", EN: "The disk is full and the photo was not written. Have technical support free space, then try again."}
	case errors.Is(err, syscall.EROFS):
		return booth.Text{ZH: "磁盘变成只读，照片没有写进去。请联系技术支持，然后再试一次。", EN: "The disk became read-only and the photo was not written. Call technical support, then try again."}
	case errors.Is(err, syscall.EIO):
		return booth.Text{ZH: "磁盘读写出错，照片没有写进去。请再试一次；若仍不行，请联系技术支持。", EN: "The disk reported an error and the photo was not written. Try again, then call technical support."}
	}
	return booth.Text{ZH: "照片没有写到磁盘。请再试一次；若仍不行，请联系技术支持。", EN: "The photo was not written to disk. Try again, then call technical support."}
}
