package central

import (
	"fmt"
	"net/http"

	"github.com/skip2/go-qrcode"
	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/claim"
)

// showPass draws the code that tells a booth, without a network, which student
// of the roster holds the phone. Each look makes a fresh one, good for
// claim.PassTTL and one visit.
func (s *Server) showPass(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	if ps.claim.StudentRef == "" {
		http.NotFound(w, r) // the phone has not told who its bearer is
		return
	}
	text, err := claim.SignPass(s.keys.sign, ps.claim.Batch, ps.claim.StudentRef, s.now())
	if err != nil {
		s.phoneFail(w, err)
		return
	}
	if err := s.update(r.Context(), func(tx *bolt.Tx) error {
		return appendAudit(tx, s.now(), "phone", "pass.shown", ps.claim.StudentRef, "")
	}); err != nil {
		s.phoneFail(w, fmt.Errorf("central: record a pass: %w", err))
		return
	}
	code, err := qrcode.New(text, qrcode.Low) // the signature proves it; a coarser code is read sooner
	if err != nil {
		s.phoneFail(w, fmt.Errorf("central: draw a pass: %w", err))
		return
	}
	png, err := code.PNG(-receiptModule)
	if err != nil {
		s.phoneFail(w, fmt.Errorf("central: draw a pass: %w", err))
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(png); err != nil {
		s.log.Debug("write answer", "err", err)
	}
}
