package central

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// provisionalRow is one student about whom is to be decided, as the page shows
// them: with the whole name and number, since a wrong digit is what it is about.
type provisionalRow struct {
	wire.Student
	Title    string
	Reason   bilingual
	Operator string
	Packets  []Packet
	Like     []likeRow
}

// likeRow is a student of the list whom it may be.
type likeRow struct {
	wire.Student
	SameNumber, SameName bool
}

var provisionalReasons = map[string]bilingual{
	"late":       {"名单导入后才录取", "Admitted after the list"},
	"transfer":   {"转入", "Transferred"},
	"list_error": {"名单有误", "The list is wrong"},
	"other":      {"其他", "Other"},
}

type provisionalView struct {
	frame
	Rows []provisionalRow
}

// provisionalPage shows everybody about whom is to be decided. Who looked at
// whose name and number is on record.
func (s *Server) provisionalPage(w http.ResponseWriter, r *http.Request, ss staffSession, done *bilingual, failed error) {
	v := provisionalView{frame: s.frame(ss, "provisional")}
	batches, err := s.ownBatches(r.Context(), ss)
	if err != nil {
		s.staffFail(w, err)
		return
	}
	for _, b := range batches {
		open, err := s.Provisionals(r.Context(), b.ID)
		if err != nil {
			s.staffFail(w, err)
			return
		}
		for _, x := range open {
			row, err := s.provisionalRow(r.Context(), b, x)
			if err != nil {
				s.staffFail(w, err)
				return
			}
			v.Rows = append(v.Rows, row)
		}
	}
	if len(v.Rows) > 0 {
		var refs []string
		for _, row := range v.Rows {
			refs = append(refs, row.Ref)
		}
		if err := s.audit(r.Context(), ss.user.Name, "provisional.viewed", "", strings.Join(refs, " ")); err != nil {
			s.staffFail(w, err)
			return
		}
	}
	s.renderDone(w, "provisional", &v, &v.frame, done, failed)
}

func (s *Server) provisionalRow(ctx context.Context, b wire.Batch, x ProvisionalStudent) (provisionalRow, error) {
	row := provisionalRow{Student: x.Student, Title: b.School + " " + b.Title}
	for _, o := range x.Like {
		row.Like = append(row.Like, likeRow{o, o.IDNumber == x.Student.IDNumber, roster.FoldName(o.Name) == roster.FoldName(x.Student.Name)})
	}
	for _, id := range x.Packets {
		c, p, err := s.openForView(ctx, id)
		if errors.Is(err, ErrPurged) {
			continue
		}
		if err != nil {
			return row, err
		}
		row.Packets = append(row.Packets, p)
		if added := c.Manifest.Student.Provisional; added != nil {
			row.Reason, row.Operator = provisionalReasons[added.Reason], added.Operator
		}
	}
	return row, nil
}

func (s *Server) showProvisional(w http.ResponseWriter, r *http.Request, ss staffSession) {
	s.provisionalPage(w, r, ss, nil, nil)
}

func (s *Server) postProvisional(w http.ResponseWriter, r *http.Request, ss staffSession) {
	decision := r.PostFormValue("decision")
	ref := r.PathValue("ref")
	err := s.withinStudent(r.Context(), ss, ref)
	if err == nil {
		err = s.DecideProvisional(r.Context(), ref, decision, r.PostFormValue("into"), ss.user.Name)
	}
	if err != nil {
		s.provisionalPage(w, r, ss, nil, err)
		return
	}
	said := map[string]bilingual{
		DecideAccept: {"已收入名单，照片进入审核", "On the list; the photo is in review"},
		DecideMerge:  {"已并入名单上的学生，照片随之转入", "Merged; the photo is that student's"},
		DecideRefuse: {"已拒绝，照片退回", "Refused; the photo is returned"},
	}[decision]
	s.provisionalPage(w, r, ss, &said, nil)
}
