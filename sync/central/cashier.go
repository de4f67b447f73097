package central

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// InWeChatPath is the page that opens the cashier inside WeChat's browser.
const InWeChatPath = "/m/wechat"

// inWeChat tells by what WeChat's browser says of itself. A lie costs the liar
// a page that does not open.
func inWeChat(r *http.Request) bool { return strings.Contains(r.UserAgent(), "MicroMessenger/") }

// leaveForCashier sends the phone to a cashier elsewhere. It is a page and not
// a redirect of the form, which the pages' own policy forbids; and it tells the
// cashier this server's name, without which WeChat's refuses to open.
func (s *Server) leaveForCashier(w http.ResponseWriter, to string) {
	w.Header().Set("Referrer-Policy", "origin")
	w.Header().Set("Refresh", "0; url="+to)
	s.render(w, http.StatusOK, "cashier", struct{ URL string }{to})
}

// showInWeChat first learns who is paying, then opens the cashier.
func (s *Server) showInWeChat(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	cashier, ok := s.pay.(InWeChat)
	if !ok || ps.claim.OrderID == "" {
		http.Redirect(w, r, "/m/", http.StatusSeeOther)
		return
	}
	o, err := s.refreshOrder(r.Context(), ps.claim.OrderID)
	if err == nil && o.State != wire.PaymentUnpaid {
		http.Redirect(w, r, "/m/", http.StatusSeeOther)
		return
	}
	if err != nil {
		s.phoneFail(w, err)
		return
	}
	q := r.URL.Query()
	if q.Get("code") == "" {
		http.Redirect(w, r, cashier.AuthURL(s.publicURL+InWeChatPath, s.csrfToken(ps.cookie)), http.StatusSeeOther)
		return
	}
	if !s.csrfOK(ps.cookie, q.Get("state")) {
		// Somebody sent this phone here with a code of their own.
		s.phoneError(w, http.StatusForbidden, "页面已过期，请返回后重试", "This page is out of date. Please go back and try again.")
		return
	}
	openID, err := cashier.OpenID(r.Context(), q.Get("code"))
	if err != nil {
		s.phoneFail(w, err)
		return
	}
	in, err := cashier.Invoke(r.Context(), o, openID)
	if err != nil {
		s.phoneFail(w, err)
		return
	}
	params, err := json.Marshal(in)
	if err != nil {
		s.phoneFail(w, fmt.Errorf("central: encode payment: %w", err))
		return
	}
	s.render(w, http.StatusOK, "wechat", struct{ Price, Params string }{yuan(o.AmountFen), string(params)})
}

// maxNotify bounds a notification; WeChat's have about 2 kB.
const maxNotify = 64 << 10

// postNotify hears from the provider that something happened to an order, and
// asks it what. Answered with a success only once that is booked: the provider
// repeats the others for a day.
func (s *Server) postNotify(w http.ResponseWriter, r *http.Request) {
	fail := func(status int) {
		s.writeJSON(w, status, map[string]string{"code": "FAIL", "message": "not accepted"})
	}
	n, ok := s.pay.(Notifier)
	if !ok {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNotify))
	if err != nil {
		fail(http.StatusBadRequest)
		return
	}
	id, err := n.Notified(r.Header, body)
	if err != nil {
		s.log.Warn("payment notification refused", "err", err, "from", clientIP(r))
		fail(http.StatusUnauthorized)
		return
	}
	_, err = s.refreshOrder(r.Context(), id)
	switch {
	case errors.Is(err, ErrNotFound):
		// Signed, and not ours: nothing that repeating could mend.
		s.log.Warn("payment notification about an unknown order", "from", clientIP(r))
	case err != nil:
		s.log.Error("payment notification", "err", err)
		fail(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
