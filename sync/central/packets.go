package central

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Reasons of a refused packet, in its ack and in the audit.
const (
	refusedSignature = "station_signature" // not signed by the station that sent it
	refusedFormat    = "format"            // not a packet
	refusedIdentity  = "header_mismatch"   // another id, station or sequence inside than declared
	refusedDecrypt   = "decrypt"           // sealed for another central
	refusedContents  = "contents"          // decrypts, but breaks the rules inside
	refusedPicture   = "picture"           // a photo cannot be decoded
	refusedBatch     = "batch"             // not a batch of this station
	refusedStudent   = "student"           // nobody in the roster
)

// Flags that reviewers are shown.
const (
	FlagClaimMismatch = "claim_mismatch"      // linked phone belongs to another student
	FlagSimulated     = "simulated"           // taken by the simulated camera
	FlagSpec          = "spec_mismatch"       // made for another preset than the batch asks for
	FlagRemoved       = "student_removed"     // no longer in the roster
	FlagInfo          = "info_flagged"        // the student said that the record is wrong
	FlagPayment       = "payment_unconfirmed" // the station says paid, central has no such order
	FlagProvisional   = "provisional"         // the student is on no roster: central decides
)

// maxPicturePixels refuses decompression bombs: four times a 12-megapixel camera.
const maxPicturePixels = 48 << 20

// errTemporary marks what may succeed later, such as a disk that could not be read.
var errTemporary = errors.New("central: temporary")

func (s *Server) packetPath(id string) string { return filepath.Join(s.dir, dirPackets, id+".pkt") }
func (s *Server) uploadPath(id string) string { return filepath.Join(s.dir, dirUploads, id+".part") }

// recover finishes what a crash interrupted: an upload that was complete but
// not acknowledged, and a stored packet that was not opened.
func (s *Server) recover() error {
	ctx := context.Background()
	var complete, stored []string
	err := s.view(ctx, func(tx *bolt.Tx) error {
		for _, id := range suffixes(tx, bktByState, []byte(StageDeclared), 0) {
			p, err := getPacket(tx, id)
			if err != nil {
				return err
			}
			if p.Offset == p.Size {
				complete = append(complete, id)
			}
		}
		stored = suffixes(tx, bktByState, []byte(StageStored), 0)
		return nil
	})
	if err != nil {
		return fmt.Errorf("central: look for unfinished work: %w", err)
	}
	for _, id := range complete {
		if _, err := s.finishUpload(ctx, id); err != nil {
			// The station will declare it again and learn the offset.
			s.log.Error("finish an interrupted upload", "packet", id, "err", err)
			continue
		}
		stored = append(stored, id)
	}
	for _, id := range stored {
		if err := s.openPacket(ctx, id); err != nil {
			s.log.Error("open a stored packet", "packet", id, "err", err)
		}
	}
	return nil
}

// appendUpload writes body at the durable offset of a declared packet and
// makes it durable before the offset moves.
func (s *Server) appendUpload(ctx context.Context, p Packet, body []byte) (Packet, error) {
	key, err := s.packetKey(ctx, p.ID)
	if err != nil {
		return p, fmt.Errorf("central: upload: %w", err)
	}
	f, err := os.OpenFile(s.uploadPath(p.ID), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return p, fmt.Errorf("central: upload: %w", err)
	}
	// What lies behind the recorded offset was never promised: a crash may
	// have left it half written.
	err = f.Truncate(p.Offset)
	if err == nil {
		err = writeSealed(f, key, p.Offset, body)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return p, fmt.Errorf("central: upload: %w", err)
	}
	if p.Offset == 0 {
		if err := durable.SyncDir(filepath.Join(s.dir, dirUploads)); err != nil {
			return p, fmt.Errorf("central: upload: %w", err)
		}
	}
	p.Offset += int64(len(body))
	err = s.together(ctx, func(tx *bolt.Tx) error { return putPacket(tx, p) })
	return p, err
}

// packetKey is the data key of a packet's file.
func (s *Server) packetKey(ctx context.Context, id string) (key []byte, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) (err error) {
		key, err = s.vault.dataKey(tx, packetLabel(id))
		return err
	})
	return key, err
}

// writeSealed writes bytes of a packet at offset, encrypted.
func writeSealed(f *os.File, key []byte, offset int64, b []byte) error {
	buf := make([]byte, min(len(b), 64<<10))
	for len(b) > 0 {
		n := min(len(b), len(buf))
		if err := cryptAt(key, offset, buf[:n], b[:n]); err != nil {
			return err
		}
		if _, err := f.WriteAt(buf[:n], offset); err != nil {
			return err
		}
		b, offset = b[n:], offset+int64(n)
	}
	return nil
}

// readSealed reads a packet's file and decrypts it.
func readSealed(path string, key []byte) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return b, cryptAt(key, 0, b, b)
}

// errDigest means that the bytes received are not the ones declared; the
// upload starts again from nothing.
var errDigest = errors.New("central: received bytes do not have the declared digest")

// packetOf is a packet's row and the station that declared it.
func (s *Server) packetOf(ctx context.Context, id string) (p Packet, st Station, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) (err error) {
		if p, err = getPacket(tx, id); err != nil {
			return err
		}
		st, err = getJSON[Station](tx, bktStations, []byte(p.Station))
		return err
	})
	return p, st, err
}

// finishUpload turns a complete upload into a stored packet and returns its
// ack: stored, or refused when the bytes are not a packet of this station.
// It may be repeated after a crash at any point.
func (s *Server) finishUpload(ctx context.Context, id string) (wire.Signed, error) {
	p, st, err := s.packetOf(ctx, id)
	if err != nil {
		return wire.Signed{}, err
	}
	key, err := s.packetKey(ctx, id)
	if err != nil {
		return wire.Signed{}, err
	}
	raw, err := readSealed(s.uploadPath(id), key)
	moved := false
	if errors.Is(err, os.ErrNotExist) {
		raw, err = readSealed(s.packetPath(id), key) // renamed before the crash
		moved = true
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return wire.Signed{}, fmt.Errorf("central: read upload: %w", err)
	}
	sum := sha256.Sum256(raw)
	if err != nil || int64(len(raw)) != p.Size || hex.EncodeToString(sum[:]) != p.SHA256 {
		// Not what was declared: forget the bytes, keep the declaration.
		if err := os.Remove(s.uploadPath(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return wire.Signed{}, fmt.Errorf("central: drop damaged upload: %w", err)
		}
		p.Offset = 0
		err := s.update(ctx, func(tx *bolt.Tx) error {
			return errors.Join(putPacket(tx, p),
				appendAudit(tx, s.now(), "station:"+p.Station, "upload.damaged", p.ID, ""))
		})
		if err != nil {
			return wire.Signed{}, err
		}
		return wire.Signed{}, errDigest
	}
	if !moved {
		if err := os.Chmod(s.uploadPath(id), 0o400); err != nil {
			return wire.Signed{}, fmt.Errorf("central: store packet: %w", err)
		}
		if err := os.Rename(s.uploadPath(id), s.packetPath(id)); err != nil {
			return wire.Signed{}, fmt.Errorf("central: store packet: %w", err)
		}
	}
	for _, d := range []string{dirPackets, dirUploads} {
		if err := durable.SyncDir(filepath.Join(s.dir, d)); err != nil {
			return wire.Signed{}, fmt.Errorf("central: store packet: %w", err)
		}
	}
	p.StoredAt = s.now().UTC()
	p.Stage = StageStored
	if reason := verifyOutside(raw, p, st.PublicKey); reason != "" {
		p.Stage, p.Reason = StageRefused, reason
	}
	var ack wire.Signed
	err = s.together(ctx, func(tx *bolt.Tx) (err error) {
		ack, err = s.recordAck(tx, p)
		return err
	})
	return ack, err
}

// verifyOutside checks all of a packet that needs no decryption key and says
// why it is refused, or "".
func verifyOutside(raw []byte, p Packet, station ed25519.PublicKey) string {
	pk, err := packet.Verify(raw, station)
	switch {
	case errors.Is(err, packet.ErrSignature):
		return refusedSignature
	case err != nil:
		return refusedFormat
	}
	supersedes := ""
	if pk.Header.Supersedes != nil {
		supersedes = pk.Header.Supersedes.String()
	}
	if pk.Header.ID.String() != p.ID || pk.Header.Station != p.Station || pk.Header.Seq != p.Seq || supersedes != p.Supersedes {
		return refusedIdentity
	}
	return ""
}

// recordAck writes the packet's row with the ack of its stage and tells the
// station, all in one transaction.
func (s *Server) recordAck(tx *bolt.Tx, p Packet) (wire.Signed, error) {
	ack, err := s.sign(wire.TypeAck, wire.Ack{
		StationID: p.Station, ID: p.ID, SHA256: p.SHA256,
		Size: p.Size, Stage: string(p.Stage), Reason: p.Reason, At: s.now().UTC(),
	})
	if err != nil {
		return wire.Signed{}, err
	}
	if err := putPacket(tx, p); err != nil {
		return wire.Signed{}, err
	}
	if err := putJSON(tx, bktLastAck, []byte(p.ID), ack); err != nil {
		return wire.Signed{}, err
	}
	// Stored is answered to the upload itself; opened and refused may come later.
	if p.Stage != StageStored {
		if err := appendStationLog(tx, p.Station, logItem{Ack: &ack}); err != nil {
			return wire.Signed{}, err
		}
	}
	if err := appendAudit(tx, s.now(), "station:"+p.Station, "packet."+string(p.Stage), p.ID, p.Reason); err != nil {
		return wire.Signed{}, err
	}
	return ack, nil
}

// openPacket decrypts and validates a stored packet and puts it before the
// reviewers, or refuses it. A packet past that stage is left alone.
func (s *Server) openPacket(ctx context.Context, id string) error {
	p, st, err := s.packetOf(ctx, id)
	if err != nil || p.Stage != StageStored {
		return err
	}
	key, err := s.packetKey(ctx, id)
	if err != nil {
		return err
	}
	c, reason, err := s.readPacket(p, key, st.PublicKey)
	if err != nil {
		return err
	}
	return s.together(ctx, func(tx *bolt.Tx) error {
		p, err := getPacket(tx, id)
		if err != nil || p.Stage != StageStored {
			return err
		}
		var row studentRow
		why := reason
		if why == "" {
			if row, why, err = s.place(tx, st, c); err != nil {
				return err
			}
		}
		if why != "" {
			p.Stage, p.Reason = StageRefused, why
			_, err := s.recordAck(tx, p)
			return err
		}
		return s.admit(tx, p, c, row)
	})
}

// readPacket reads a packet's file and opens it in memory. reason is set when
// the packet can never be used; an error is worth another try.
func (s *Server) readPacket(p Packet, key []byte, station ed25519.PublicKey) (c *packet.Contents, reason string, err error) {
	raw, err := readSealed(s.packetPath(p.ID), key)
	if err != nil {
		return nil, "", fmt.Errorf("%w: read packet: %w", errTemporary, err)
	}
	pk, err := packet.Verify(raw, station)
	if err != nil {
		return nil, refusedSignature, nil //nolint:nilerr // the reason is the answer
	}
	c, err = pk.Open(s.keys.identities()...)
	switch {
	case errors.Is(err, packet.ErrDecrypt):
		return nil, refusedDecrypt, nil
	case err != nil:
		return nil, refusedContents, nil //nolint:nilerr // the reason is the answer
	}
	if !wholeJPEG(c.Original) || !decodable(c.Portrait) {
		return nil, refusedPicture, nil
	}
	if _, _, err := c.Manifest.Checks(); err != nil {
		return nil, refusedContents, nil //nolint:nilerr // the reason is the answer
	}
	return c, "", nil
}

func decodable(jpg []byte) bool {
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(jpg))
	if err != nil || cfg.Width*cfg.Height > maxPicturePixels {
		return false
	}
	_, err = jpeg.Decode(bytes.NewReader(jpg))
	return err == nil
}

// place finds the student a packet is of.
func (s *Server) place(tx *bolt.Tx, st Station, c *packet.Contents) (row studentRow, reason string, err error) {
	m := c.Manifest
	_, was := st.Dropped[m.Batch] // sealed before the batch was taken away
	if !slices.Contains(st.Batches, m.Batch) && !was {
		return row, refusedBatch, nil
	}
	row, err = s.student(tx, m.Student.Ref)
	if errors.Is(err, ErrNotFound) && m.Student.Provisional != nil {
		return s.placeProvisional(tx, st, m)
	}
	if errors.Is(err, ErrNotFound) || err == nil && row.Batch != m.Batch {
		return row, refusedStudent, nil
	}
	return row, "", err
}

// admit puts an opened packet into the index and before the reviewers.
func (s *Server) admit(tx *bolt.Tx, p Packet, c *packet.Contents, row studentRow) error {
	m := c.Manifest
	batch, err := getJSON[wire.Batch](tx, bktBatches, []byte(m.Batch))
	if err != nil {
		return fmt.Errorf("central: batch of packet %s: %w", p.ID, err)
	}
	p.Stage, p.OpenedAt = StageOpened, s.now().UTC()
	p.Batch, p.StudentRef, p.CapturedAt = m.Batch, row.Ref, m.Capture.At
	if validULID(m.Claim.Session) {
		p.Session = m.Claim.Session
	}
	_, checks, err := m.Checks()
	if err != nil {
		return err // readPacket has let it pass
	}
	for _, ch := range checks {
		switch ch.Status {
		case "fail":
			p.ChecksFailed++
		case "warn", "unknown":
			p.ChecksWarned++
		}
	}
	if shared(tx, p) && !slices.Contains(p.Flags, FlagCopied) {
		p.Flags = append(p.Flags, FlagCopied)
	}
	if err := s.takeChain(tx, &p, c); err != nil {
		return err
	}
	if m.Capture.Simulated {
		p.Flags = append(p.Flags, FlagSimulated)
	}
	if m.Spec != batch.Spec {
		p.Flags = append(p.Flags, FlagSpec)
	}
	if row.Removed {
		p.Flags = append(p.Flags, FlagRemoved)
	}
	if m.Student.InfoFlagged {
		p.Flags = append(p.Flags, FlagInfo)
	}
	if err := s.takePayment(tx, &p, m, &row); err != nil {
		return err
	}
	p.State = wire.VerdictInReview
	if err := s.joinClaim(tx, &p); err != nil {
		return err
	}
	if row.Provisional {
		p.Flags = append(p.Flags, FlagProvisional)
		if p.Held == "" {
			p.Held = FlagProvisional
		}
	}
	if _, err := s.recordAck(tx, p); err != nil {
		return err
	}
	return s.settle(tx, p.Batch, p.StudentRef, p.ID)
}

// takePayment learns from the packet what the desk decided offline.
func (s *Server) takePayment(tx *bolt.Tx, p *Packet, m packet.Manifest, row *studentRow) error {
	if row.Payment == wire.PaymentRefunded && m.Payment.State == string(wire.PaymentPaid) && m.Payment.Proof != "" {
		p.Flags = append(p.Flags, FlagPayment) // proved, and given back since
		return nil
	}
	if row.Payment != wire.PaymentUnpaid {
		return nil
	}
	switch state := wire.PaymentState(m.Payment.State); state {
	case wire.PaymentPaid:
		return s.settleProof(tx, p, m, row)
	case wire.PaymentWaived, wire.PaymentDeferred:
		row.Payment = state
		if err := s.putStudent(tx, *row); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), "station:"+p.Station, "payment."+string(state), row.Ref, "by the desk, in packet "+p.ID)
	}
	return nil
}

// joinClaim ties the packet to the phone that was linked in its session, in
// whichever order the two arrive. A phone of another student holds the packet.
func (s *Server) joinClaim(tx *bolt.Tx, p *Packet) error {
	if p.Session == "" {
		return nil
	}
	c, err := getJSON[claimRow](tx, bktClaims, []byte(p.Session))
	if errors.Is(err, ErrNotFound) || err == nil && c.Station != p.Station {
		return nil
	}
	if err != nil || c.StudentRef == "" {
		return err
	}
	c.PacketID = p.ID
	if c.Mismatch = c.StudentRef != p.StudentRef; c.Mismatch {
		p.Held = FlagClaimMismatch
		if err := appendAudit(tx, s.now(), "system", "packet.held", p.ID, p.Held); err != nil {
			return err
		}
	}
	return putJSON(tx, bktClaims, []byte(c.Session), c)
}

// settle recomputes where each photo of a student stands after one of them was
// added or decided, and tells the stations of every change; changed names a
// packet whose verdict is told in any case.
func (s *Server) settle(tx *bolt.Tx, batch, ref, changed string) error {
	all, err := packetsOf(tx, batch, ref)
	if err != nil {
		return err
	}
	replaced := map[string]bool{}
	for _, p := range all {
		if p.Supersedes != "" && p.State != wire.VerdictRejected {
			replaced[p.Supersedes] = true
		}
	}
	var standing []int
	next := make([]string, len(all))
	for i, p := range all {
		next[i] = p.State
		switch {
		case p.State == wire.VerdictApproved:
			standing = append(standing, i)
		case p.State == wire.VerdictRejected || p.State == StateSuperseded:
			// Decided. A superseded photo does not come back when its
			// successor is rejected: the student did not want it.
		case replaced[p.ID]:
			next[i] = StateSuperseded
		default:
			next[i] = wire.VerdictInReview
			standing = append(standing, i)
		}
	}
	if len(standing) > 1 {
		for _, i := range standing {
			if next[i] != wire.VerdictApproved {
				next[i] = wire.VerdictConflict
			}
		}
	}
	for i, p := range all {
		if next[i] == p.State && p.ID != changed {
			continue
		}
		if next[i] != p.State {
			p.State = next[i]
			if err := putPacket(tx, p); err != nil {
				return err
			}
			if err := appendAudit(tx, s.now(), "system", "packet."+p.State, p.ID, ""); err != nil {
				return err
			}
		}
		all[i] = p
		if err := s.tellVerdict(tx, p); err != nil {
			return err
		}
	}
	return s.updateCapture(tx, batch, ref, all)
}

// tellVerdict puts the packet's review state into its station's log. Of two
// verdicts a station keeps the one with the later time, as they may also come
// on a stick, so the times of one packet's verdicts always rise, whatever our
// clock does.
func (s *Server) tellVerdict(tx *bolt.Tx, p Packet) error {
	at := s.now().UTC()
	last, err := getJSON[time.Time](tx, bktVerdictAt, []byte(p.ID))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if !at.After(last) {
		at = last.Add(time.Millisecond)
	}
	if err := putJSON(tx, bktVerdictAt, []byte(p.ID), at); err != nil {
		return err
	}
	v := wire.Verdict{PacketID: p.ID, StudentRef: p.StudentRef, State: p.State, At: at}
	switch p.State {
	case StateSuperseded:
		v.State, v.Reason = wire.VerdictRejected, reasonSuperseded
	case wire.VerdictRejected:
		v.Reason = p.RejectReason
	}
	if v.Reason != "" {
		v.NoteZH, v.NoteEN = reasonText(v.Reason)
		if p.Note != "" {
			v.NoteZH += "：" + p.Note
		}
	}
	return appendStationLog(tx, p.Station, logItem{Verdict: &v})
}

// updateCapture writes where a student's photo stands into the roster row, so
// that every station of the batch learns of it.
func (s *Server) updateCapture(tx *bolt.Tx, batch, ref string, all []Packet) error {
	state := ""
	for _, p := range all {
		switch {
		case p.State == wire.VerdictApproved:
			state = wire.VerdictApproved
		case p.live() && state != wire.VerdictApproved:
			state = wire.VerdictInReview
		case p.State == wire.VerdictRejected && state == "":
			state = wire.VerdictRejected
		}
	}
	row, err := s.student(tx, ref)
	if err != nil {
		return fmt.Errorf("central: student of batch %s: %w", batch, err)
	}
	if row.Capture == state {
		return nil
	}
	row.Capture = state
	return s.putStudent(tx, row)
}

// Approve accepts a photo for good. Photos that compete with it are rejected.
// In a batch with four eyes the photo stays where it is until a second reviewer
// agrees (see opine); ErrOpinion when the same reviewer comes again.
// ErrApproved when the student already has an approved photo, ErrHeld when it
// is held, ErrState when it is not before the reviewers.
func (s *Server) Approve(ctx context.Context, packetID, reviewer string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		p, err := getPacket(tx, packetID)
		if err != nil {
			return err
		}
		switch {
		case p.State == wire.VerdictApproved:
			return ErrApproved
		case p.State != wire.VerdictInReview && p.State != wire.VerdictConflict:
			return fmt.Errorf("%w: the photo is %s", ErrState, p.Status())
		case p.Held != "":
			return ErrHeld
		}
		all, err := packetsOf(tx, p.Batch, p.StudentRef)
		if err != nil {
			return err
		}
		for _, o := range all {
			if o.State == wire.VerdictApproved {
				return ErrApproved
			}
		}
		if decides, err := s.opine(tx, p, Opinion{Reviewer: reviewer, State: wire.VerdictApproved}); err != nil || !decides {
			return err
		}
		now := s.now().UTC()
		for i, o := range all {
			switch {
			case o.ID == p.ID:
				o.State, o.Reviewer, o.DecidedAt = wire.VerdictApproved, reviewer, now
			case o.live():
				o.State, o.RejectReason, o.Reviewer, o.DecidedAt = wire.VerdictRejected, reasonOtherKept, reviewer, now
			default:
				continue
			}
			if err := putPacket(tx, o); err != nil {
				return err
			}
			if err := appendAudit(tx, now, reviewer, "packet."+o.State, o.ID, o.RejectReason); err != nil {
				return err
			}
			if err := s.tellVerdict(tx, o); err != nil {
				return err
			}
			all[i] = o
		}
		return s.updateCapture(tx, p.Batch, p.StudentRef, all)
	})
}

// Reject sends a photo back with a reason code and an optional note that the
// student will read. A competing photo is no longer in conflict afterwards.
// Four eyes as with Approve.
func (s *Server) Reject(ctx context.Context, packetID, reviewer, reason, note string) error {
	known := reason == reasonRequested || slices.ContainsFunc(Reasons(), func(r Reason) bool { return r.Code == reason })
	note, ok := cleanText(note, 200)
	if !known || !ok {
		return fmt.Errorf("%w: reason code or note", ErrInvalid)
	}
	if reason == "other" && note == "" {
		return fmt.Errorf("%w: the reason “other” needs a note", ErrInvalid)
	}
	return s.update(ctx, func(tx *bolt.Tx) error {
		p, err := getPacket(tx, packetID)
		if err != nil {
			return err
		}
		switch p.State {
		case wire.VerdictApproved:
			return ErrApproved
		case wire.VerdictInReview, wire.VerdictConflict:
		default:
			return fmt.Errorf("%w: the photo is %s", ErrState, p.Status())
		}
		if decides, err := s.opine(tx, p, Opinion{Reviewer: reviewer, State: wire.VerdictRejected, Reason: reason, Note: note}); err != nil || !decides {
			return err
		}
		p.State, p.RejectReason, p.Note = wire.VerdictRejected, reason, note
		p.Reviewer, p.DecidedAt = reviewer, s.now().UTC()
		if err := putPacket(tx, p); err != nil {
			return err
		}
		if err := appendAudit(tx, s.now(), reviewer, "packet.rejected", p.ID, reason); err != nil {
			return err
		}
		return s.settle(tx, p.Batch, p.StudentRef, p.ID)
	})
}

// Release lifts the hold of a packet after a reviewer has seen who is on it.
func (s *Server) Release(ctx context.Context, packetID, reviewer string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		p, err := getPacket(tx, packetID)
		if err != nil {
			return err
		}
		if p.Held == "" {
			return fmt.Errorf("%w: the photo is not held", ErrState)
		}
		row, err := s.student(tx, p.StudentRef)
		if err != nil {
			return err
		}
		if row.Provisional {
			return fmt.Errorf("%w: the student is provisional, which is decided first", ErrHeld)
		}
		p.Flags = append(p.Flags, p.Held) // it stays visible
		p.Held = ""
		if err := putPacket(tx, p); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), reviewer, "packet.released", p.ID, "")
	})
}

// Packet returns one row of the index.
func (s *Server) Packet(ctx context.Context, id string) (p Packet, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		p, err = getPacket(tx, id)
		return err
	})
	return p, err
}

// PacketFilter narrows ListPackets; zero fields match everything.
type PacketFilter struct {
	Status string // as Packet.Status
	Batch  string
	After  string // ids greater than this one
	Limit  int
}

// ListPackets lists packets, oldest id first.
func (s *Server) ListPackets(ctx context.Context, f PacketFilter) (out []Packet, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		out, err = listPackets(tx, f)
		return err
	})
	return out, err
}

func listPackets(tx *bolt.Tx, f PacketFilter) ([]Packet, error) {
	var out []Packet
	add := func(id string) (full bool, err error) {
		p, err := getPacket(tx, id)
		if err != nil {
			return false, fmt.Errorf("central: packet %s: %w", id, err)
		}
		if f.Batch == "" || p.Batch == f.Batch {
			out = append(out, p)
		}
		return f.Limit > 0 && len(out) >= f.Limit, nil
	}
	bucket, prefix := bktPackets, []byte(nil)
	if f.Status != "" {
		bucket, prefix = bktByState, append([]byte(f.Status), 0)
	}
	start := append(bytes.Clone(prefix), f.After...)
	c := tx.Bucket(bucket).Cursor()
	for k, _ := c.Seek(start); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		id := string(k[len(prefix):])
		if id == f.After {
			continue
		}
		if full, err := add(id); err != nil || full {
			return out, err
		}
	}
	return out, nil
}

// openForView decrypts a packet in memory for one request.
func (s *Server) openForView(ctx context.Context, id string) (*packet.Contents, Packet, error) {
	var p Packet
	var st Station
	var key []byte
	err := s.view(ctx, func(tx *bolt.Tx) (err error) {
		if p, err = getPacket(tx, id); err != nil {
			return err
		}
		if p.Stage != StageOpened {
			return fmt.Errorf("%w: the packet is %s", ErrState, p.Stage)
		}
		if tx.Bucket(bktPurged).Get([]byte(id)) != nil {
			return ErrPurged
		}
		if key, err = s.vault.dataKey(tx, packetLabel(id)); err != nil {
			return err
		}
		st, err = getJSON[Station](tx, bktStations, []byte(p.Station))
		return err
	})
	if err != nil {
		return nil, p, err
	}
	raw, err := readSealed(s.packetPath(id), key)
	if err != nil {
		return nil, p, fmt.Errorf("central: read packet: %w", err)
	}
	pk, err := packet.Verify(raw, st.PublicKey)
	if err != nil {
		return nil, p, fmt.Errorf("central: packet %s on disk: %w", id, err)
	}
	if pk.SHA256 != p.SHA256 {
		return nil, p, fmt.Errorf("central: packet %s on disk is not the one that was acknowledged", id)
	}
	c, err := pk.Open(s.keys.identities()...)
	if err != nil {
		return nil, p, fmt.Errorf("central: packet %s on disk: %w", id, err)
	}
	return c, p, nil
}

// VerifyStored reads a packet from the disk and holds it against the digest that
// was acknowledged.
func (s *Server) VerifyStored(ctx context.Context, id string) error {
	p, err := s.Packet(ctx, id)
	if err != nil {
		return err
	}
	key, err := s.packetKey(ctx, id)
	if err != nil {
		return err
	}
	raw, err := readSealed(s.packetPath(id), key)
	if err != nil {
		return fmt.Errorf("central: read packet: %w", err)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != p.SHA256 {
		return fmt.Errorf("central: packet %s on disk is not the one that was acknowledged", id)
	}
	return nil
}

// OpenFile opens a packet file that did not come over the network, such as
// one from a USB stick, for the station that its header names.
func (s *Server) OpenFile(ctx context.Context, r io.Reader, actor string) (*packet.Contents, error) {
	raw, err := io.ReadAll(io.LimitReader(r, int64(packet.MaxSize)+1))
	if err != nil {
		return nil, fmt.Errorf("central: read packet: %w", err)
	}
	pk, err := packet.Parse(raw)
	if err != nil {
		return nil, err
	}
	var st Station
	err = s.view(ctx, func(tx *bolt.Tx) (err error) {
		st, err = getJSON[Station](tx, bktStations, []byte(pk.Header.Station))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("central: station of the packet: %w", err)
	}
	if err := pk.Verify(st.PublicKey); err != nil {
		return nil, err
	}
	c, err := pk.Open(s.keys.identities()...)
	if err != nil {
		return nil, err
	}
	err = s.update(ctx, func(tx *bolt.Tx) error {
		if err := s.mayLeave(tx, Packet{ID: pk.Header.ID.String(), Batch: c.Manifest.Batch}, ""); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "packet.exported", pk.Header.ID.String(), "")
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}
