package central

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	bolt "go.etcd.io/bbolt"
)

// FoundStudent is what the command line is told of a student: no name, no number.
type FoundStudent struct {
	Ref     string `json:"ref"`
	Batch   string `json:"batch"`
	Capture string `json:"capture"` // as wire.Student
}

// VerifyReport says what came of holding every packet on the disk against the
// digest that was acknowledged.
type VerifyReport struct {
	Whole int      `json:"whole"`
	Bad   []string `json:"bad"` // packet ids
}

// VerifyPackets reads every packet that is kept.
func (s *Server) VerifyPackets(ctx context.Context) (VerifyReport, error) {
	rep := VerifyReport{Bad: []string{}}
	var ids []string
	err := s.view(ctx, func(tx *bolt.Tx) error {
		all, err := listPackets(tx, PacketFilter{})
		for _, p := range all {
			if p.Stage != StageDeclared && p.Stage != StageErased && tx.Bucket(bktPurged).Get([]byte(p.ID)) == nil {
				ids = append(ids, p.ID)
			}
		}
		return err
	})
	if err != nil {
		return rep, err
	}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return rep, err
		}
		if err := s.VerifyStored(ctx, id); err != nil {
			s.log.Error("a packet on the disk", "packet", id, "err", err)
			rep.Bad = append(rep.Bad, id)
			continue
		}
		rep.Whole++
	}
	return rep, nil
}

// controlData adds the doors to students' data to those of the command line.
func (s *Server) controlData(handle func(pattern string, do func(r *http.Request) (any, error))) {
	handle("POST /students/find", func(r *http.Request) (any, error) {
		found, err := s.FindStudents(r.Context(), r.FormValue("text"), nil, foundShown)
		out := []FoundStudent{}
		for _, st := range found {
			out = append(out, FoundStudent{st.Ref, st.Batch, st.Capture})
		}
		return out, err
	})
	handle("POST /students/erase", func(r *http.Request) (any, error) {
		return struct{}{}, s.EraseStudent(r.Context(), r.FormValue("ref"), actorCLI)
	})
	handle("POST /purge", func(r *http.Request) (any, error) {
		return s.Purge(r.Context(), r.FormValue("dry") == "1", actorCLI)
	})
	handle("GET /verify", func(r *http.Request) (any, error) { return s.VerifyPackets(r.Context()) })
	handle("POST /exported", func(r *http.Request) (any, error) {
		var ids []string
		if err := json.NewDecoder(r.Body).Decode(&ids); err != nil {
			return nil, fmt.Errorf("%w: ids", ErrInvalid)
		}
		return struct{}{}, s.MarkExported(r.Context(), ids...)
	})
}
