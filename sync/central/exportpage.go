package central

import (
	"net/http"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

type exportsView struct {
	frame
	Batches  []wire.Batch
	Requests []exportRow
	Names    string
}

type exportRow struct {
	ExportRequest
	Title     string
	Void      bool
	Open      bool
	MayFetch  bool
	MayAnswer bool // this user may confirm
	Until     time.Time
}

func (s *Server) exportsPage(w http.ResponseWriter, r *http.Request, ss staffSession, done *bilingual, failed error) {
	v := exportsView{frame: s.frame(ss, "exports"), Names: "{student_no}"}
	all, err := s.ExportRequests(r.Context())
	if err == nil {
		v.Batches, err = s.ownBatches(r.Context(), ss)
	}
	if err != nil {
		s.staffFail(w, err)
		return
	}
	titles := map[string]string{}
	for _, b := range v.Batches {
		titles[b.ID] = b.School + " " + b.Title
	}
	now, me := s.now(), ss.user.Name
	for _, x := range all {
		if ss.within(x.Batch) != nil {
			continue
		}
		row := exportRow{
			ExportRequest: x, Title: titles[x.Batch], Void: x.Void(now), Open: x.Open(now),
			MayAnswer: x.State == ExportAsked && x.AskedBy != me, Until: x.DecidedAt.Add(exportOpen),
		}
		row.MayFetch = row.Open && (me == x.AskedBy || me == x.DecidedBy)
		v.Requests = append(v.Requests, row)
	}
	s.renderDone(w, "exports", &v, &v.frame, done, failed)
}

func (s *Server) showExports(w http.ResponseWriter, r *http.Request, ss staffSession) {
	s.exportsPage(w, r, ss, nil, nil)
}

func (s *Server) postExport(w http.ResponseWriter, r *http.Request, ss staffSession) {
	batch := r.PostFormValue("batch")
	err := ss.within(batch)
	if err == nil {
		_, err = s.AskExport(r.Context(), batch, r.PostFormValue("names"), r.PostFormValue("purpose"), ss.user.Name)
	}
	if err != nil {
		s.exportsPage(w, r, ss, nil, err)
		return
	}
	s.exportsPage(w, r, ss, &bilingual{"已申请，须由另一名管理员确认", "Asked for; another administrator has to confirm"}, nil)
}

func (s *Server) postDecideExport(w http.ResponseWriter, r *http.Request, ss staffSession) {
	confirm := r.PostFormValue("decision") == "confirm"
	err := s.withinExport(r, ss)
	if err == nil {
		err = s.DecideExport(r.Context(), r.PathValue("id"), confirm, ss.user.Name)
	}
	if err != nil {
		s.exportsPage(w, r, ss, nil, err)
		return
	}
	if confirm {
		s.exportsPage(w, r, ss, &bilingual{"已确认，24 小时内可下载", "Confirmed; it can be fetched for 24 hours"}, nil)
		return
	}
	s.exportsPage(w, r, ss, &bilingual{"已拒绝", "Refused"}, nil)
}

// withinExport refuses a request that is not of a batch of the user's.
func (s *Server) withinExport(r *http.Request, ss staffSession) error {
	return s.view(r.Context(), func(tx *bolt.Tx) error {
		x, err := getJSON[ExportRequest](tx, bktExports, []byte(r.PathValue("id")))
		if err != nil {
			return err
		}
		return ss.within(x.Batch)
	})
}

// fetchExportFile streams the zip. It is a form and not a link, so that no
// other site can make a browser fetch it.
func (s *Server) fetchExportFile(w http.ResponseWriter, r *http.Request, ss staffSession) {
	var x ExportRequest
	err := s.withinExport(r, ss)
	if err == nil {
		x, err = s.fetchExport(r.Context(), r.PathValue("id"), ss.user.Name)
	}
	if err != nil {
		s.exportsPage(w, r, ss, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="`+x.Batch+"-"+x.ID+`.zip"`)
	if err := s.writeExport(r.Context(), w, x, ss.user.Name); err != nil {
		s.log.Error("export", "request", x.ID, "err", err)
		// The only way to tell a browser that a file is not whole: the end
		// that it waits for does not come.
		if err := http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)); err != nil {
			s.log.Error("cut an export off", "request", x.ID, "err", err)
		}
	}
}
