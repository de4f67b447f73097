package central

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/durable"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/stick"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// StickReport says what came of the packets on a stick.
type StickReport struct {
	Found    int      `json:"found"`   // packet files
	Stored   int      `json:"stored"`  // new here
	Known    int      `json:"known"`   // central had them
	Refused  int      `json:"refused"` // of the new ones: kept, but cannot be used
	Erased   int      `json:"erased"`  // requests to erase that were settled, now or before
	Decide   int      `json:"decide"`  // of approved photos: an administrator decides
	Stations []string `json:"stations"`
	// Bad files were not taken: torn, of a station that is unknown or revoked,
	// not as it signed them, or with an id that stands for other bytes.
	Bad []StickFile `json:"bad"`
}

// StickFile is a file that was not taken.
type StickFile struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// ImportPackets takes the packets on a stick as if their stations had sent
// them: checked, stored durably, acknowledged, opened. It may be repeated; what
// is here already stays as it is. One bad file does not keep the others out.
func (s *Server) ImportPackets(ctx context.Context, root, actor string) (StickReport, error) {
	rep := StickReport{Stations: []string{}, Bad: []StickFile{}}
	files, err := stick.Files(root)
	if err != nil {
		return rep, fmt.Errorf("central: import packets: %w", err)
	}
	// Requests first: a packet that its student wants erased need not be taken in.
	requests, err := stick.EraseFiles(root)
	if err != nil {
		return rep, fmt.Errorf("central: import packets: %w", err)
	}
	seen := map[string]bool{}
	note := func(path, station string, err error) error {
		var why stickError
		if errors.As(err, &why) {
			rep.Bad = append(rep.Bad, StickFile{filepath.Base(path), string(why)})
			err = nil
		}
		if station != "" && !seen[station] {
			seen[station] = true
			rep.Stations = append(rep.Stations, station)
		}
		return err
	}
	for _, path := range requests {
		station, err := s.importErase(ctx, path, &rep)
		if err := note(path, station, err); err != nil {
			return rep, fmt.Errorf("central: import requests to erase: %w", err)
		}
	}
	for _, path := range files {
		if err := ctx.Err(); err != nil {
			return rep, fmt.Errorf("central: import packets: %w", err)
		}
		rep.Found++
		station, err := s.importPacket(ctx, path, actor, &rep)
		if err := note(path, station, err); err != nil {
			return rep, fmt.Errorf("central: import packets: %w", err)
		}
	}
	return rep, nil
}

// stickError is why a file is not taken.
type stickError string

func (e stickError) Error() string { return string(e) }

// maxEraseFile bounds a request to erase on a stick.
const maxEraseFile = 16 << 10

// importErase does what a request on a stick asks for, as if its station had
// sent it.
func (s *Server) importErase(ctx context.Context, path string, rep *StickReport) (station string, err error) {
	raw, err := durable.ReadFile(path, maxEraseFile)
	if err != nil {
		return "", stickError("cannot be read")
	}
	var signed wire.Signed
	var req wire.EraseRequest
	if json.Unmarshal(raw, &signed) != nil || json.Unmarshal(signed.Payload, &req) != nil || validDeclaration(req.Packet) != nil {
		return "", stickError("not a request to erase")
	}
	st, err := s.onStick(ctx, req.StationID)
	if err != nil {
		return "", err
	}
	if err := signed.Open(st.PublicKey, wire.TypeErase, &req); err != nil || req.StationID != st.ID {
		return "", stickError("not as its station signed it")
	}
	said, err := s.erase(ctx, st, req, signed)
	var refused *apiError
	switch {
	case errors.As(err, &refused):
		return st.ID, stickError(refused.message)
	case err != nil:
		return st.ID, err
	case said.State == wire.EraseDecide:
		rep.Decide++
	default:
		rep.Erased++
	}
	return st.ID, nil
}

// onStick finds the station that something on a stick is of.
func (s *Server) onStick(ctx context.Context, id string) (st Station, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) (err error) {
		st, err = getJSON[Station](tx, bktStations, []byte(id))
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return st, stickError("of a station that is not enrolled here")
	case err == nil && st.Revoked():
		return st, stickError("of a revoked station")
	}
	return st, err
}

func (s *Server) importPacket(ctx context.Context, path, actor string, rep *StickReport) (station string, err error) {
	raw, err := durable.ReadFile(path, int64(packet.MaxSize))
	if err != nil {
		return "", stickError("cannot be read")
	}
	pk, err := packet.Parse(raw)
	if err != nil {
		return "", stickError("not a whole packet")
	}
	st, err := s.onStick(ctx, pk.Header.Station)
	if err != nil {
		return "", err
	}
	if err := pk.Verify(st.PublicKey); err != nil {
		return "", stickError("not as its station signed it")
	}
	d := wire.Declared{ID: pk.Header.ID.String(), SHA256: pk.SHA256, Size: pk.Size, Seq: pk.Header.Seq}
	if pk.Header.Supersedes != nil {
		d.Supersedes = pk.Header.Supersedes.String()
	}
	said, err := s.declare(ctx, st, []wire.Declared{d})
	if err != nil {
		return st.ID, err
	}
	switch said[0].State {
	case wire.DeclareHave:
		rep.Known++
		return st.ID, nil
	case wire.DeclareErased:
		return st.ID, stickError("erased at its student's request")
	case wire.DeclareConflict:
		return st.ID, stickError("its id stands for other bytes here: an alarm")
	}
	p, err := s.storeWhole(ctx, d.ID, raw)
	if err != nil {
		return st.ID, err
	}
	if err := s.audit(ctx, actor, "packet.imported", d.ID, ""); err != nil {
		return st.ID, err
	}
	rep.Stored++
	if p.Stage == StageRefused {
		rep.Refused++
	}
	return st.ID, nil
}

// storeWhole is an upload of all that is still missing, and what follows it.
func (s *Server) storeWhole(ctx context.Context, id string, raw []byte) (Packet, error) {
	defer s.lockPacket(id)()
	// Twice: what had come by network before may have been damaged there.
	for try := range 2 {
		p, err := s.Packet(ctx, id)
		if err != nil {
			return p, err
		}
		if p.Stage == StageDeclared {
			if p.Offset < p.Size {
				if _, err := s.appendUpload(ctx, p, raw[p.Offset:]); err != nil {
					return p, err
				}
			}
			if _, err := s.finishUpload(ctx, id); errors.Is(err, errDigest) && try == 0 {
				continue
			} else if err != nil {
				return p, err
			}
		}
		break
	}
	// As with an upload, opening is not part of being stored.
	if err := s.openPacket(context.WithoutCancel(ctx), id); err != nil {
		s.log.Error("open a stored packet", "packet", id, "err", err)
	}
	return s.Packet(ctx, id)
}

// ExportAnswers writes everything that a station is to be told onto a stick:
// the acknowledgement of each of its packets, what became of its requests to
// erase, its verdicts, and its list of
// students unless it is revoked. It returns the file's path and how many
// acknowledgements are in it.
func (s *Server) ExportAnswers(ctx context.Context, station, root, actor string) (path string, acks int, err error) {
	var st Station
	var all []wire.Signed
	var erased []wire.Erased
	err = s.view(ctx, func(tx *bolt.Tx) (err error) {
		if st, err = getJSON[Station](tx, bktStations, []byte(station)); err != nil {
			return err
		}
		err = tx.Bucket(bktErasures).ForEach(func(id, _ []byte) error {
			row, err := getJSON[erasureRow](tx, bktErasures, id)
			if err != nil || row.Station != st.ID {
				return err
			}
			var req wire.EraseRequest
			if err := json.Unmarshal(row.Request.Payload, &req); err != nil {
				return fmt.Errorf("central: request to erase %s: %w", row.Packet, err)
			}
			erased = append(erased, wire.Erased{StationID: st.ID, ID: row.Packet, SHA256: req.Packet.SHA256, State: row.State, At: row.At})
			return nil
		})
		if err != nil {
			return err
		}
		return tx.Bucket(bktLastAck).ForEach(func(id, _ []byte) error {
			p, err := getPacket(tx, string(id))
			if err != nil || p.Station != st.ID {
				return err
			}
			ack, err := getJSON[wire.Signed](tx, bktLastAck, id)
			all = append(all, ack)
			return err
		})
	})
	if err != nil {
		return "", 0, fmt.Errorf("central: export answers: %w", err)
	}
	var out bytes.Buffer
	defer func() { clear(out.Bytes()) }()
	err = stick.WriteAnswers(&out, st.ClaimKey, st.ID, func(yield func(wire.Signed) error) error {
		for _, ack := range all {
			if err := yield(ack); err != nil {
				return err
			}
		}
		for _, e := range erased {
			signed, err := s.sign(wire.TypeErased, e)
			if err != nil {
				return err
			}
			if err := yield(signed); err != nil {
				return err
			}
		}
		return s.yieldPages(ctx, st, yield)
	})
	if err != nil {
		return "", 0, fmt.Errorf("central: export answers: %w", err)
	}
	path = stick.AnswersPath(root, st.ID)
	if err := durable.MkdirAll(filepath.Dir(path)); err != nil {
		return "", 0, fmt.Errorf("central: export answers: %w", err)
	}
	if err := durable.WriteFile(path, out.Bytes()); err != nil {
		return "", 0, fmt.Errorf("central: export answers: %w", err)
	}
	return path, len(all), s.audit(ctx, actor, "answers.exported", st.ID, fmt.Sprintf("%d acknowledgements", len(all)))
}

// yieldPages signs the verdicts and the roster page by page, as a station
// would be given them.
func (s *Server) yieldPages(ctx context.Context, st Station, yield func(wire.Signed) error) error {
	give := func(typ string, v any) error {
		signed, err := s.sign(typ, v)
		if err != nil {
			return err
		}
		return yield(signed)
	}
	for since, more := uint64(0), true; more; {
		page, err := s.verdictsPage(ctx, st, since)
		if err != nil {
			return err
		}
		if err := give(wire.TypeVerdicts, page); err != nil {
			return err
		}
		since, more = page.Cursor, page.More
	}
	if st.Revoked() {
		return nil
	}
	if r, err := s.newRecipients(st.ID); err != nil {
		return err
	} else if r != nil {
		if err := yield(*r); err != nil {
			return err
		}
	}
	for since, more := uint64(0), true; more; {
		page, err := s.rosterDelta(ctx, st, since)
		if err != nil {
			return err
		}
		if err := give(wire.TypeRoster, page); err != nil {
			return err
		}
		since, more = page.Cursor, page.More
	}
	return nil
}

// StickAnswers is what the command line hears of an export.
type StickAnswers struct {
	Path string `json:"path"`
	Acks int    `json:"acks"`
}

// controlStick adds the stick's doors to those of the command line.
func (s *Server) controlStick(handle func(pattern string, do func(r *http.Request) (any, error))) {
	handle("POST /stick/packets", func(r *http.Request) (any, error) {
		return s.ImportPackets(r.Context(), r.FormValue("dir"), actorCLI)
	})
	handle("POST /stick/answers", func(r *http.Request) (any, error) {
		path, acks, err := s.ExportAnswers(r.Context(), r.FormValue("station"), r.FormValue("dir"), actorCLI)
		return StickAnswers{path, acks}, err
	})
}
