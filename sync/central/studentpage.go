package central

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// foundShown bounds what a search shows: who needs more says more.
const foundShown = 20

// FindStudents looks for students by document number (through the blind index),
// student number, or the beginning of the name (whose rows are decrypted one by
// one, of the batches asked for; none = all). At most limit are returned.
func (s *Server) FindStudents(ctx context.Context, text string, batches []string, limit int) (out []wire.Student, err error) {
	text, ok := cleanText(text, 64)
	if !ok || text == "" {
		return nil, fmt.Errorf("%w: say a document number, a student number or the beginning of a name", ErrInvalid)
	}
	number, name := roster.Normalise(text), normalName(text)
	err = s.view(ctx, func(tx *bolt.Tx) error {
		if len(batches) == 0 {
			all, err := list[wire.Batch](tx, bktBatches)
			if err != nil {
				return err
			}
			for _, b := range all {
				batches = append(batches, b.ID)
			}
		}
		add := func(ref string) error {
			row, err := s.student(tx, ref)
			if err == nil && len(out) < limit {
				out = append(out, row.Student)
			}
			return err
		}
		for _, b := range batches {
			for _, kind := range []wire.IDType{wire.IDResident, wire.IDHMT, wire.IDPassport, wire.IDOther} {
				for _, ref := range s.withDocument(tx, b, kind, number) {
					if err := add(ref); err != nil {
						return err
					}
				}
			}
		}
		if len(out) > 0 {
			return nil
		}
		for _, b := range batches {
			for _, k := range suffixes(tx, bktByDocument, []byte(b), 0) {
				if len(out) >= limit || ctx.Err() != nil {
					return ctx.Err()
				}
				row, err := s.student(tx, k[strings.LastIndexByte(k, 0)+1:])
				if err != nil {
					return err
				}
				if row.StudentNo != "" && strings.EqualFold(row.StudentNo, text) || strings.HasPrefix(normalName(row.Name), name) {
					out = append(out, row.Student)
				}
			}
		}
		return nil
	})
	return out, err
}

type foundStudent struct {
	Card    phoneCard
	Payment wire.PaymentState
	Packets []Packet
}

type studentsView struct {
	frame
	Asked bool
	Typed string
	Found []foundStudent
	Full  bool // there may be more
}

// studentsPage shows who was found. What is searched for travels in a form and
// never in an address, and who searched is on record.
func (s *Server) studentsPage(w http.ResponseWriter, r *http.Request, ss staffSession, done *bilingual, failed error) {
	v := studentsView{frame: s.frame(ss, "students")}
	if text := r.PostFormValue("text"); text != "" && failed == nil {
		v.Asked, v.Typed = true, text
		failed = s.searchStudents(r.Context(), ss, &v)
	}
	s.renderDone(w, "students", &v, &v.frame, done, failed)
}

func (s *Server) searchStudents(ctx context.Context, ss staffSession, v *studentsView) error {
	found, err := s.FindStudents(ctx, v.Typed, ss.user.Batches, foundShown)
	if err != nil {
		return err
	}
	v.Full = len(found) == foundShown
	var refs []string
	err = s.view(ctx, func(tx *bolt.Tx) error {
		for _, st := range found {
			b, err := s.batch(tx, st.Batch)
			if err != nil {
				return err
			}
			one := foundStudent{Card: card(st, b), Payment: st.Payment}
			if one.Packets, err = packetsOf(tx, st.Batch, st.Ref); err != nil {
				return err
			}
			v.Found, refs = append(v.Found, one), append(refs, st.Ref)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.audit(ctx, ss.user.Name, "student.searched", "", strings.Join(refs, " "))
}

func (s *Server) showStudents(w http.ResponseWriter, r *http.Request, ss staffSession) {
	s.studentsPage(w, r, ss, nil, nil)
}

func (s *Server) postRemoveStudent(w http.ResponseWriter, r *http.Request, ss staffSession) {
	ref := r.PathValue("ref")
	err := s.withinStudent(r.Context(), ss, ref)
	if err == nil {
		err = s.RemoveStudents(r.Context(), []string{ref}, ss.user.Name)
	}
	if err != nil {
		s.studentsPage(w, r, ss, nil, err)
		return
	}
	s.studentsPage(w, r, ss, &bilingual{"已移出名单，各站点下次同步时忘记", "Taken off the list; stations forget with their next sync"}, nil)
}

func (s *Server) postEraseStudent(w http.ResponseWriter, r *http.Request, ss staffSession) {
	ref := r.PathValue("ref")
	err := s.withinStudent(r.Context(), ss, ref)
	if err == nil {
		err = s.EraseStudent(r.Context(), ref, ss.user.Name)
	}
	if err != nil {
		s.studentsPage(w, r, ss, nil, err)
		return
	}
	s.studentsPage(w, r, ss, &bilingual{"学生的信息与照片已彻底删除，只留编号", "The student's record and photos are gone for good; only a number stays"}, nil)
}
