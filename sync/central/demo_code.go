package central

import (
	"net/http"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// DemoCodePath is where a central that shows the demonstration hands out
// enrolment codes to whoever asks: GET answers {"code": "CODE.FINGERPRINT"}.
// Its students do not exist, so there is nothing to protect; a real central
// does not have this door.
const DemoCodePath = "/demo/enrolment-code"

// DemoCode is the answer of DemoCodePath.
type DemoCode struct {
	Code string `json:"code"`
}

// DemoHandler is Handler with the door at [DemoCodePath] beside it. It is for
// a directory that [Server.SeedDemo] has filled, and no other.
func (s *Server) DemoHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.Handler())
	mux.Handle("GET "+DemoCodePath, s.harden(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait := s.limits.take("demo code "+clientIP(r), enrollRate); wait > 0 {
			s.apiFail(w, tooMany(wait))
			return
		}
		batches, err := s.Batches(r.Context())
		if err == nil {
			for _, b := range batches {
				if b.ID != DemoBatchPaid && b.ID != DemoBatchFree {
					err = &apiError{http.StatusForbidden, wire.CodeNotFound, "this central holds real batches", 0}
				}
			}
		}
		var code string
		if err == nil {
			code, err = s.NewCode(r.Context(), []string{DemoBatchPaid, DemoBatchFree}, DefaultCodeTTL, "demo")
		}
		if err != nil {
			s.apiFail(w, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		s.writeJSON(w, http.StatusOK, DemoCode{Code: code})
	})))
	return mux
}
