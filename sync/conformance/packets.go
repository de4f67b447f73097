package conformance

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// errNoStudent: without a student nothing can be photographed.
var errNoStudent = errors.New("the roster has no student without a photo: the code should be for a batch with one")

// seal makes a packet as a station does, of a student of the roster or of one
// whom staff added.
func (r *run) seal(ref, batch string, added *wire.Provisional) (*packet.Sealed, error) {
	to, err := r.recipients()
	if err != nil {
		return nil, err
	}
	r.seq++
	p, err := packet.Seal(packet.Input{
		ID: ulid.Make(), Seq: r.seq, Station: r.info.StationID, Spec: "chsi", Created: time.Now(),
		Original: r.p.Portrait, Portrait: r.p.Portrait,
		Manifest: packet.Manifest{
			Batch: batch, Student: packet.Student{Ref: ref, IdentifiedBy: "keypad", Provisional: added},
			Claim:   packet.Claim{Session: ulid.Make().String()},
			Payment: packet.Payment{State: string(r.student.Payment)},
			Capture: packet.Capture{Camera: "conformance", Simulated: true, At: time.Now(), Attempt: 1},
			Report:  json.RawMessage(`{"verdict":"fail","checks":[]}`),
		},
	}, to, r.key)
	if err != nil {
		return nil, fmt.Errorf("seal a packet: %w", err)
	}
	return p, nil
}

func declared(p *packet.Sealed) wire.Declared {
	return wire.Declared{ID: p.ID.String(), SHA256: p.SHA256, Size: int64(len(p.Bytes)), Seq: p.Header.Seq}
}

// declare announces one packet and expects the state.
func (r *run) declare(ctx context.Context, d wire.Declared, state string) (wire.DeclareResult, error) {
	var out wire.DeclareResponse
	if err := r.ask(ctx, http.MethodPost, "/v1/packets:declare", wire.DeclareRequest{Packets: []wire.Declared{d}}, wire.TypeDeclared, &out); err != nil {
		return wire.DeclareResult{}, err
	}
	if out.StationID != r.info.StationID || len(out.Results) != 1 || out.Results[0].ID != d.ID {
		return wire.DeclareResult{}, errors.New("the answer is not about what was declared")
	}
	if got := out.Results[0]; got.State != state {
		return got, fmt.Errorf("state %q, want %q", got.State, state)
	}
	return out.Results[0], nil
}

// patch makes an upload of bytes from offset on.
func (r *run) patch(ctx context.Context, id string, data []byte, offset int64, change ...func(*request)) (*http.Request, error) {
	return r.request(ctx, http.MethodPatch, "/v1/packets/"+id, data, "application/octet-stream",
		append([]func(*request){func(q *request) { q.offset = offset }}, change...)...)
}

// upload sends bytes and returns the offset or the acknowledgement.
func (r *run) upload(ctx context.Context, id string, data []byte, offset int64) (wire.Progress, *wire.Ack, error) {
	req, err := r.patch(ctx, id, data, offset)
	if err != nil {
		return wire.Progress{}, nil, err
	}
	a, err := r.send(req)
	if err != nil {
		return wire.Progress{}, nil, err
	}
	var progress wire.Progress
	var ack wire.Ack
	s, err := r.signed(a, map[string]any{wire.TypeProgress: &progress, wire.TypeAck: &ack})
	if err != nil {
		return wire.Progress{}, nil, err
	}
	if s.Type == wire.TypeAck {
		return wire.Progress{}, &ack, nil
	}
	return progress, nil, nil
}

// ackOf expects an acknowledgement of p with the stage.
func (r *run) ackOf(a *wire.Ack, p *packet.Sealed, stage string) error {
	switch {
	case a == nil:
		return errors.New("no acknowledgement after the last byte")
	case a.StationID != r.info.StationID || a.ID != p.ID.String() || a.SHA256 != p.SHA256 || a.Size != int64(len(p.Bytes)):
		return errors.New("the acknowledgement is about other bytes")
	case a.Stage != stage:
		return fmt.Errorf("stage %q %s, want %q", a.Stage, a.Reason, stage)
	case a.At.IsZero():
		return errors.New("the acknowledgement has no time")
	}
	return nil
}

// packets sends good and bad packets.
func (r *run) packets(ctx context.Context) {
	p, err := r.seal(r.student.Ref, r.student.Batch, nil)
	if err != nil || r.student.Ref == "" {
		r.rule("packet.seal", "a packet can be made for a student of the roster", func() error { return errors.Join(err, errNoStudent) })
		return
	}
	r.whole = p
	id := p.ID.String()
	half := int64(len(p.Bytes) / 2)
	r.rule("declare.want", "a new packet is wanted from its first byte on", func() error {
		got, err := r.declare(ctx, declared(p), wire.DeclareWant)
		if err == nil && (got.Offset != 0 || got.URL == "") {
			err = fmt.Errorf("offset %d, path %q", got.Offset, got.URL)
		}
		return err
	})
	r.rule("declare.again", "declaring the same again is the same answer", func() error {
		_, err := r.declare(ctx, declared(p), wire.DeclareWant)
		return err
	})
	r.rule("upload.part", "a first part is acknowledged with the offset to go on from", func() error {
		got, ack, err := r.upload(ctx, id, p.Bytes[:half], 0)
		if err != nil {
			return err
		}
		if ack != nil || got.ID != id || got.Offset != half {
			return fmt.Errorf("offset %d after %d bytes", got.Offset, half)
		}
		return nil
	})
	r.rule("upload.resume", "declaring again tells the offset to resume from", func() error {
		got, err := r.declare(ctx, declared(p), wire.DeclareWant)
		if err == nil && got.Offset != half {
			err = fmt.Errorf("offset %d, want %d", got.Offset, half)
		}
		return err
	})
	refusal := func(id, rule string, status int, codes []string, request func() (*http.Request, error)) {
		r.rule(id, rule, func() error {
			req, err := request()
			if err != nil {
				return err
			}
			return r.refused(req, status, codes...)
		})
	}
	refusal("upload.offset", "bytes from another offset are refused", http.StatusConflict, []string{wire.CodeOffset}, func() (*http.Request, error) {
		return r.patch(ctx, id, p.Bytes[half+1:], half+1)
	})
	refusal("upload.beyond", "more bytes than were declared are refused", http.StatusRequestEntityTooLarge, nil, func() (*http.Request, error) {
		return r.patch(ctx, id, append(bytes.Clone(p.Bytes[half:]), 0), half)
	})
	refusal("upload.digest", "bytes that are not the signed ones are refused", http.StatusBadRequest, []string{wire.CodeDigest}, func() (*http.Request, error) {
		return r.patch(ctx, id, p.Bytes[half:], half, func(q *request) {
			q.after = func(req *http.Request) { req.Header.Set(wire.HeaderContentDigest, wire.ContentDigest([]byte("x"))) }
		})
	})
	refusal("upload.moved", "a changed Upload-Offset breaks the signature", http.StatusUnauthorized, []string{wire.CodeSignature}, func() (*http.Request, error) {
		return r.patch(ctx, id, p.Bytes[half:], half, func(q *request) {
			q.after = func(req *http.Request) { req.Header.Set(wire.HeaderUploadOffset, "0") }
		})
	})
	refusal("upload.undeclared", "bytes of a packet that was not declared are refused", http.StatusNotFound, []string{wire.CodeNotFound}, func() (*http.Request, error) {
		return r.patch(ctx, ulid.Make().String(), []byte("x"), 0)
	})
	r.rule("upload.untouched", "none of these has moved the offset", func() error {
		got, err := r.declare(ctx, declared(p), wire.DeclareWant)
		if err == nil && got.Offset != half {
			err = fmt.Errorf("offset %d, want %d", got.Offset, half)
		}
		return err
	})
	r.rule("upload.stored", "the last byte brings the signed acknowledgement that all are stored", func() error {
		_, ack, err := r.upload(ctx, id, p.Bytes[half:], half)
		if err != nil {
			return err
		}
		return r.ackOf(ack, p, wire.AckStored)
	})
	r.rule("declare.have", "a packet that is there is not wanted again, and its acknowledgement is repeated", func() error {
		got, err := r.declare(ctx, declared(p), wire.DeclareHave)
		if err != nil {
			return err
		}
		if got.Ack == nil {
			return errors.New("no acknowledgement")
		}
		var a wire.Ack
		if err := got.Ack.Open(r.central, wire.TypeAck, &a); err != nil {
			return err
		}
		if a.Stage != wire.AckStored && a.Stage != wire.AckOpened {
			return fmt.Errorf("stage %q", a.Stage)
		}
		return r.ackOf(&a, p, a.Stage)
	})
	r.rule("declare.conflict", "the same id with another digest is a conflict", func() error {
		d := declared(p)
		sum := sha256.Sum256([]byte("another"))
		d.SHA256 = hex.EncodeToString(sum[:])
		_, err := r.declare(ctx, d, wire.DeclareConflict)
		return err
	})
	r.rule("declare.many", "more than a thousand packets at once are refused", func() error {
		many := make([]wire.Declared, 1001)
		for i := range many {
			many[i] = wire.Declared{ID: ulid.Make().String(), SHA256: p.SHA256, Size: 1000, Seq: uint64(1000 + i)}
		}
		body, err := json.Marshal(wire.DeclareRequest{Packets: many})
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		req, err := r.request(ctx, http.MethodPost, "/v1/packets:declare", body, "application/json")
		if err != nil {
			return err
		}
		a, err := r.send(req)
		if err != nil {
			return err
		}
		if a.status != http.StatusBadRequest && a.status != http.StatusRequestEntityTooLarge {
			return fmt.Errorf("status %d %s, want 400 or 413", a.status, errorCode(a))
		}
		return nil
	})
	r.rule("upload.broken", "bytes that have not the declared digest are dropped, to be sent from the beginning", func() error {
		broken, err := r.seal(r.student.Ref, r.student.Batch, nil)
		if err != nil {
			return err
		}
		if _, err := r.declare(ctx, declared(broken), wire.DeclareWant); err != nil {
			return err
		}
		bad := bytes.Clone(broken.Bytes)
		bad[len(bad)/2] ^= 1
		req, err := r.patch(ctx, broken.ID.String(), bad, 0)
		if err != nil {
			return err
		}
		if err := r.refused(req, http.StatusConflict, wire.CodeOffset); err != nil {
			return err
		}
		got, err := r.declare(ctx, declared(broken), wire.DeclareWant)
		if err == nil && got.Offset != 0 {
			err = fmt.Errorf("offset %d, want 0", got.Offset)
		}
		return err
	})
	r.rule("upload.nonsense", "bytes that are no packet are refused for good, signed", func() error {
		junk := []byte("this is no packet")
		sum := sha256.Sum256(junk)
		r.seq++
		d := wire.Declared{ID: ulid.Make().String(), SHA256: hex.EncodeToString(sum[:]), Size: int64(len(junk)), Seq: r.seq}
		if _, err := r.declare(ctx, d, wire.DeclareWant); err != nil {
			return err
		}
		_, ack, err := r.upload(ctx, d.ID, junk, 0)
		if err != nil {
			return err
		}
		if ack == nil || ack.ID != d.ID || ack.Stage != wire.AckRefused || ack.Reason == "" {
			return fmt.Errorf("%+v, want a refusal with its reason", ack)
		}
		return nil
	})
	r.rule("upload.stranger", "a packet of a student who is on no roster is taken in, to be refused with a reason later", func() error {
		s, err := r.seal("nobody-"+ulid.Make().String(), r.student.Batch, nil)
		if err != nil {
			return err
		}
		if _, err := r.declare(ctx, declared(s), wire.DeclareWant); err != nil {
			return err
		}
		_, ack, err := r.upload(ctx, s.ID.String(), s.Bytes, 0)
		if err != nil {
			return err
		}
		if ack != nil && ack.Stage == wire.AckRefused {
			return nil // at once is as well
		}
		if err := r.ackOf(ack, s, wire.AckStored); err != nil {
			return err
		}
		r.strange = s
		return nil
	})
}

// provisional sends the photo of a student who stood at the desk and on no roster.
func (r *run) provisional(ctx context.Context) {
	if r.whole == nil {
		return
	}
	r.rule("provisional.stored", "the packet of a student whom staff added is taken in", func() error {
		who := wire.Provisional{
			Ref: wire.ProvisionalPrefix + ulid.Make().String(), Batch: r.student.Batch, Name: "一致性测试", IDType: wire.IDOther,
			IDNumber: "CONFORMANCE", Reason: "other", Operator: "conformance", At: time.Now(),
		}
		p, err := r.seal(who.Ref, who.Batch, &who)
		if err != nil {
			return err
		}
		if _, err := r.declare(ctx, declared(p), wire.DeclareWant); err != nil {
			return err
		}
		_, ack, err := r.upload(ctx, p.ID.String(), p.Bytes, 0)
		if err != nil {
			return err
		}
		r.added = p
		return r.ackOf(ack, p, wire.AckStored)
	})
}

// verdicts waits for what central finds out in its own time.
func (r *run) verdicts(ctx context.Context) {
	if r.whole == nil {
		return
	}
	heard := map[string]wire.Ack{}
	told := map[string]wire.Verdict{}
	awaited := []*packet.Sealed{r.whole, r.strange, r.added}
	awaited = slices.DeleteFunc(awaited, func(p *packet.Sealed) bool { return p == nil })
	var cursor uint64
	r.rule("verdicts.acks", "the acknowledgements of opened packets come signed, under a cursor that grows", func() error {
		for range r.p.Looks {
			var v wire.Verdicts
			if err := r.ask(ctx, http.MethodGet, "/v1/verdicts?since="+strconv.FormatUint(cursor, 10), nil, wire.TypeVerdicts, &v); err != nil {
				return err
			}
			if v.StationID != r.info.StationID || v.Cursor < cursor || v.More && v.Cursor == cursor {
				return fmt.Errorf("cursor %d after %d", v.Cursor, cursor)
			}
			cursor = v.Cursor
			for _, s := range v.Acks {
				var a wire.Ack
				if err := s.Open(r.central, wire.TypeAck, &a); err != nil {
					return err
				}
				heard[a.ID] = a
			}
			for _, verdict := range v.Verdicts {
				told[verdict.PacketID] = verdict
			}
			if !slices.ContainsFunc(awaited, func(p *packet.Sealed) bool { _, ok := heard[p.ID.String()]; return !ok }) {
				return nil
			}
			if v.More {
				continue
			}
			if err := r.p.Wait(ctx); err != nil {
				return err
			}
		}
		return fmt.Errorf("no word about the packets after %d looks", r.p.Looks)
	})
	r.rule("verdicts.opened", "the packet of a student of the roster was opened", func() error {
		a, ok := heard[r.whole.ID.String()]
		if !ok {
			return errors.New("no acknowledgement")
		}
		return r.ackOf(&a, r.whole, wire.AckOpened)
	})
	r.rule("verdicts.review", "and the feed says that it is in review, and whose it is", func() error {
		v, ok := told[r.whole.ID.String()]
		if !ok {
			return errors.New("no verdict")
		}
		if v.StudentRef != r.student.Ref || v.State != wire.VerdictInReview && v.State != wire.VerdictConflict || v.At.IsZero() {
			return fmt.Errorf("state %q, %v", v.State, v.At)
		}
		return nil
	})
	if r.added != nil {
		r.rule("provisional.opened", "it is opened, for central to decide about the student", func() error {
			a, ok := heard[r.added.ID.String()]
			if !ok {
				return errors.New("no acknowledgement")
			}
			return r.ackOf(&a, r.added, wire.AckOpened)
		})
	}
	if r.strange != nil {
		r.rule("verdicts.refused", "the packet of a stranger was refused with a reason", func() error {
			a, ok := heard[r.strange.ID.String()]
			if !ok || a.Reason == "" {
				return errors.New("no acknowledgement with a reason")
			}
			return r.ackOf(&a, r.strange, wire.AckRefused)
		})
	}
	r.rule("verdicts.future", "a cursor from the future, as after a restored backup, is answered from the beginning", func() error {
		var v wire.Verdicts
		if err := r.ask(ctx, http.MethodGet, "/v1/verdicts?since="+strconv.FormatUint(cursor+1_000_000, 10), nil, wire.TypeVerdicts, &v); err != nil {
			return err
		}
		if len(v.Acks) == 0 || v.Cursor > cursor {
			return fmt.Errorf("%d acknowledgements, cursor %d", len(v.Acks), v.Cursor)
		}
		return nil
	})
}

// erase asks for what a student may ask for at the desk.
func (r *run) erase(ctx context.Context) {
	const path = "/v1/packets:erase"
	d := wire.Declared{ID: ulid.Make().String(), SHA256: hex.EncodeToString(make([]byte, sha256.Size)), Size: 1}
	r.seq++
	d.Seq = r.seq
	ask := func(d wire.Declared) (wire.Erased, error) {
		var said wire.Erased
		request, err := wire.SignErase(r.key, r.info.StationID, d, time.Now())
		if err != nil {
			return said, err
		}
		if err := r.ask(ctx, http.MethodPost, path, request, wire.TypeErased, &said); err != nil {
			return said, err
		}
		if said.StationID != r.info.StationID || said.ID != d.ID || said.SHA256 != d.SHA256 {
			return said, errors.New("the answer is about another packet")
		}
		return said, nil
	}
	r.rule("erase.forged", "a request to erase that the station itself did not sign is refused", func() error {
		_, stranger, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return fmt.Errorf("make a key: %w", err)
		}
		request, err := wire.SignErase(stranger, r.info.StationID, d, time.Now())
		if err != nil {
			return err
		}
		body, err := json.Marshal(request)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		req, err := r.request(ctx, http.MethodPost, path, body, "application/json")
		if err != nil {
			return err
		}
		return r.refused(req, http.StatusForbidden, wire.CodeEraseRefused)
	})
	r.rule("erase.unseen", "a packet that is erased before it came is refused when it comes, however often it is asked", func() error {
		for range 2 {
			said, err := ask(d)
			if err != nil {
				return err
			}
			if said.State != wire.EraseDone {
				return fmt.Errorf("state %q, want %q", said.State, wire.EraseDone)
			}
		}
		if _, err := r.declare(ctx, d, wire.DeclareErased); err != nil {
			return err
		}
		req, err := r.patch(ctx, d.ID, []byte{0}, 0)
		if err != nil {
			return err
		}
		return r.refused(req, http.StatusGone, wire.CodeErased)
	})
	if r.whole == nil {
		return
	}
	r.rule("erase.opened", "a packet that waits for its review is erased and refused from then on", func() error {
		said, err := ask(declared(r.whole))
		if err != nil {
			return err
		}
		if said.State != wire.EraseDone {
			return fmt.Errorf("state %q, want %q", said.State, wire.EraseDone)
		}
		_, err = r.declare(ctx, declared(r.whole), wire.DeclareErased)
		return err
	})
}
