package central

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

const (
	cookiePhone = "yz_phone"

	// phoneTTL lets a student come back for the verdict: the review takes
	// working days, and a holiday may lie in between.
	phoneTTL = 30 * 24 * time.Hour

	// maxIdentify failed tries lock the claim; the desk then starts a new one.
	maxIdentify = 10
)

func (s *Server) phoneRoutes(mux *http.ServeMux) {
	mux.Handle("GET /assets/", s.pages.assets)
	mux.HandleFunc("GET /k/{token}", s.limited(s.handleToken))
	mux.HandleFunc("GET /m/{$}", s.phone(s.showPhone))
	mux.HandleFunc("GET /m/state", s.phone(s.showState))
	mux.HandleFunc("GET /m/portrait.jpg", s.phone(s.showPhonePortrait))
	mux.HandleFunc("GET /m/receipt.png", s.phone(s.showReceipt))
	mux.HandleFunc("GET /m/pass.png", s.phone(s.showPass))
	mux.HandleFunc("GET /m/sandbox", s.phone(s.showSandbox))
	mux.HandleFunc("POST /m/identify", s.phone(s.postIdentify))
	mux.HandleFunc("POST /m/choose", s.phone(s.postChoose))
	mux.HandleFunc("POST /m/restart", s.phone(s.postRestart))
	mux.HandleFunc("POST /m/pay", s.phone(s.postPay))
	mux.HandleFunc("POST /m/sandbox", s.phone(s.postSandbox))
	mux.HandleFunc("POST /m/change", s.phone(s.postChange))
	mux.HandleFunc("GET "+InWeChatPath, s.phone(s.showInWeChat))
	mux.HandleFunc("POST /pay/notify", s.limited(s.postNotify))
}

// limited bounds what one address may ask of the pages.
func (s *Server) limited(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.limits.take("phone "+clientIP(r), phoneRate) > 0 {
			s.phoneError(w, http.StatusTooManyRequests, "访问过于频繁，请稍后再试", "Too many requests. Please try again in a moment.")
			return
		}
		next(w, r)
	}
}

// handleToken swaps the bearer token of the QR for a cookie, once: the first
// phone binds, any other is refused. Every bad token gets the same answer.
func (s *Server) handleToken(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		// HEAD matches GET patterns; a link checker must not bind the claim.
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	ctx := r.Context()
	stations := map[claim.ShortID]Station{}
	all, err := s.Stations(ctx)
	if err != nil {
		s.phoneFail(w, err)
		return
	}
	for _, st := range all {
		if !st.Revoked() {
			stations[claim.Short(st.ID)] = st
		}
	}
	tok, stationID, err := claim.Verify(r.PathValue("token"), s.now(), func(id claim.ShortID) (string, []byte, bool) {
		st, ok := stations[id]
		return st.ID, st.ClaimKey, ok
	})
	expired := errors.Is(err, claim.ErrExpired)
	if err != nil && !expired {
		s.phoneError(w, http.StatusNotFound, "二维码无效，请在现场设备上重新扫码", "This code is not valid. Please scan the code on the booth again.")
		return
	}
	session := tok.Session.String()
	cookie := ""
	if c, err := r.Cookie(cookiePhone); err == nil {
		cookie = c.Value
	}
	fresh := randomToken()
	const (
		bound = iota
		again
		taken
		late
	)
	var outcome int
	err = s.update(ctx, func(tx *bolt.Tx) error {
		outcome = bound
		c, err := getJSON[claimRow](tx, bktClaims, []byte(session))
		switch {
		case err == nil && cookie != "" && c.Phone == hashToken(cookie):
			outcome = again
			return nil
		case err == nil:
			outcome = taken
			return appendAudit(tx, s.now(), "phone", "claim.second_phone", session, "")
		case !errors.Is(err, ErrNotFound):
			return err
		case expired:
			outcome = late
			return nil
		}
		c = claimRow{Session: session, Station: stationID, ExpiresAt: s.now().Add(phoneTTL).UTC(), Phone: hashToken(fresh), BoundAt: s.now().UTC()}
		if err := putJSON(tx, bktClaims, []byte(session), c); err != nil {
			return err
		}
		if err := tx.Bucket(bktPhones).Put([]byte(c.Phone), []byte(session)); err != nil {
			return fmt.Errorf("central: bind phone: %w", err)
		}
		return appendAudit(tx, s.now(), "phone", "claim.bound", session, "station "+stationID)
	})
	if err != nil {
		s.phoneFail(w, err)
		return
	}
	switch outcome {
	case taken:
		s.phoneError(w, http.StatusForbidden, "该二维码已被另一部手机使用。如果不是您本人操作，请立即告知工作人员。", "Another phone has already used this code. If that was not you, please tell the staff now.")
	case late:
		s.phoneError(w, http.StatusGone, "二维码已过期，请在现场设备上重新扫码", "This code has expired. Please scan the code on the booth again.")
	case bound:
		s.setCookie(w, cookiePhone, fresh, http.SameSiteLaxMode, int(phoneTTL/time.Second))
		fallthrough
	case again:
		http.Redirect(w, r, "/m/", http.StatusSeeOther)
	}
}

// phoneSession is one request of a bound phone.
type phoneSession struct {
	cookie  string
	claim   claimRow
	station Station
}

// phone finds the claim of the phone's cookie; POSTs need the form's token too.
func (s *Server) phone(next func(http.ResponseWriter, *http.Request, phoneSession)) http.HandlerFunc {
	return s.limited(func(w http.ResponseWriter, r *http.Request) {
		ps, err := s.phoneSession(r)
		if errors.Is(err, ErrNotFound) {
			s.phoneError(w, http.StatusUnauthorized, "请用手机扫描现场设备上的二维码进入", "Please scan the code on the booth with your phone.")
			return
		}
		if err != nil {
			s.phoneFail(w, err)
			return
		}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
			if err := r.ParseForm(); err != nil || !s.csrfOK(ps.cookie, r.PostForm.Get("csrf")) {
				s.phoneError(w, http.StatusForbidden, "页面已过期，请返回后重试", "This page is out of date. Please go back and try again.")
				return
			}
		}
		next(w, r, ps)
	})
}

func (s *Server) phoneSession(r *http.Request) (ps phoneSession, err error) {
	c, err := r.Cookie(cookiePhone)
	if err != nil {
		return ps, ErrNotFound
	}
	ps.cookie = c.Value
	err = s.view(r.Context(), func(tx *bolt.Tx) error {
		session := tx.Bucket(bktPhones).Get([]byte(hashToken(c.Value)))
		if session == nil {
			return ErrNotFound
		}
		if ps.claim, err = getJSON[claimRow](tx, bktClaims, session); err != nil {
			return err
		}
		ps.station, err = getJSON[Station](tx, bktStations, []byte(ps.claim.Station))
		return err
	})
	if err == nil && !s.now().Before(ps.claim.ExpiresAt) {
		return ps, ErrNotFound
	}
	return ps, err
}

// phoneCard is a roster row as its page shows it: masked.
type phoneCard struct {
	Ref, Name, Number, NumberKind, School, Level, Major, Title, StudentNo string
}

func card(st wire.Student, b wire.Batch) phoneCard {
	kind := map[wire.IDType]string{wire.IDResident: "居民身份证", wire.IDHMT: "港澳台居民证件", wire.IDPassport: "护照", wire.IDOther: "其他证件"}[st.IDType]
	return phoneCard{
		Ref: st.Ref, Name: roster.MaskName(st.Name), Number: roster.MaskNumber(st.IDNumber), NumberKind: kind,
		School: st.School, Level: st.Level, Major: st.Major, Title: b.Title, StudentNo: st.StudentNo,
	}
}

// phoneView is what the phone's page shows.
type phoneView struct {
	CSRF  string
	Stage string // identify, choose, ready
	State string // changes when the page should reload
	Error *bilingual

	Card       phoneCard
	Candidates []phoneCard
	Batch      wire.Batch
	Price      string
	Payment    wire.PaymentState
	PaidCode   string // eight digits for a booth without a network
	Match      string
	Photo      photoView
	Step       int // 1 identity, 2 payment, 3 photo, 4 review
	Sandbox    bool
	IDTypes    []option
	Typed      string // id type chosen before an error
	Locked     bool
}

type bilingual struct{ ZH, EN string }

type option struct{ Value, ZH, EN string }

type photoView struct {
	State           string // "", in_review, approved, rejected, held
	ReasonZH        string
	ReasonEN        string
	Note            string
	PacketID        string
	Picture         bool // this phone may see the portrait
	ChangeRequested bool
	CanChange       bool
}

func yuan(fen int) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

func (s *Server) phoneView(ctx context.Context, ps phoneSession) (v phoneView, err error) {
	v = phoneView{
		CSRF: s.csrfToken(ps.cookie), Stage: "identify", Sandbox: s.pay == PaymentProvider(s.sandbox), Step: 1,
		Locked: ps.claim.Tries >= maxIdentify,
		IDTypes: []option{
			{"resident", "居民身份证", "Resident ID"},
			{"hmt", "港澳台居民证件", "HK / Macau / Taiwan permit"},
			{"passport", "护照", "Passport"},
			{"other", "其他", "Other"},
		},
	}
	if ps.claim.StudentRef != "" && ps.claim.OrderID != "" {
		// Notifications may be lost: every look at an unpaid order asks again.
		if _, err := s.refreshOrder(ctx, ps.claim.OrderID); err != nil {
			s.log.Error("refresh order", "order", ps.claim.OrderID, "err", err)
		}
	}
	err = s.view(ctx, func(tx *bolt.Tx) error {
		if ps.claim.StudentRef == "" {
			for _, ref := range ps.claim.Candidates {
				row, err := s.student(tx, ref)
				if errors.Is(err, ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				b, err := s.batch(tx, row.Batch)
				if err != nil {
					return err
				}
				v.Stage = "choose"
				v.Candidates = append(v.Candidates, card(row.Student, b))
			}
			return nil
		}
		row, err := s.student(tx, ps.claim.StudentRef)
		if err != nil {
			return err
		}
		if v.Batch, err = s.batch(tx, ps.claim.Batch); err != nil {
			return err
		}
		id, err := ulid.ParseStrict(ps.claim.Session)
		if err != nil {
			return fmt.Errorf("central: session of a claim: %w", err)
		}
		v.Stage, v.Card, v.Payment, v.Price = "ready", card(row.Student, v.Batch), row.Payment, yuan(v.Batch.PriceFen)
		v.Match = claim.MatchNumber(ps.station.ClaimKey, id)
		if row.Payment == wire.PaymentPaid {
			v.PaidCode = claim.ConfirmationCode(ps.station.ReceiptKey, claim.Order{Batch: ps.claim.Batch, StudentRef: row.Ref}, id)
		}
		v.Photo, err = photoOf(tx, ps)
		return err
	})
	switch {
	case v.Stage != "ready":
	case v.Photo.State != "" && v.Photo.State != "held":
		v.Step = 4
	case v.Payment == wire.PaymentUnpaid && v.Batch.Policy != wire.PayLater:
		v.Step = 2
	default:
		v.Step = 3
	}
	v.State = strings.Join([]string{v.Stage, string(v.Payment), v.Photo.State, v.Photo.PacketID}, ".")
	return v, err
}

// photoOf is where the newest photo of the phone's student stands. The picture
// itself is only for the phone that was linked to its capture.
func photoOf(tx *bolt.Tx, ps phoneSession) (photoView, error) {
	if ps.claim.Mismatch {
		return photoView{State: "held"}, nil
	}
	all, err := packetsOf(tx, ps.claim.Batch, ps.claim.StudentRef)
	if err != nil {
		return photoView{}, err
	}
	var best *Packet
	for i, p := range all {
		if p.State == StateSuperseded {
			continue
		}
		if best == nil || best.State != wire.VerdictApproved && (p.State == wire.VerdictApproved || p.live() || !best.live()) {
			best = &all[i]
		}
	}
	if best == nil {
		return photoView{}, nil
	}
	v := photoView{State: best.State, PacketID: best.ID, ChangeRequested: best.ChangeRequested, Note: best.Note}
	v.Picture = best.Session == ps.claim.Session && best.Held == ""
	switch best.State {
	case wire.VerdictRejected:
		v.ReasonZH, v.ReasonEN = reasonText(best.RejectReason)
	case wire.VerdictConflict:
		v.State = wire.VerdictInReview // the student need not know
	}
	v.CanChange = v.State == wire.VerdictInReview && v.Picture && !v.ChangeRequested
	return v, nil
}

func (s *Server) showPhone(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	v, err := s.phoneView(r.Context(), ps)
	if err != nil {
		s.phoneFail(w, err)
		return
	}
	s.render(w, http.StatusOK, "phone", v)
}

// showState is what the page polls: one word that changes when there is news.
func (s *Server) showState(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	v, err := s.phoneView(r.Context(), ps)
	if err != nil {
		s.phoneFail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if _, err := w.Write([]byte(v.State)); err != nil {
		s.log.Debug("write answer", "err", err)
	}
}

// postIdentify matches what the student typed with the rosters of the station.
// Whatever is wrong, the answer is the same.
func (s *Server) postIdentify(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	kind := wire.IDType(r.PostForm.Get("id_type"))
	number, name := roster.Normalise(r.PostForm.Get("id_number")), normalName(r.PostForm.Get("name"))
	refuse := func(status int, zh, en string) {
		v, err := s.phoneView(r.Context(), ps)
		if err != nil {
			s.phoneFail(w, err)
			return
		}
		v.Error, v.Typed = &bilingual{zh, en}, string(kind)
		s.render(w, status, "phone", v)
	}
	if ps.claim.StudentRef != "" {
		http.Redirect(w, r, "/m/", http.StatusSeeOther)
		return
	}
	if ps.claim.Tries >= maxIdentify {
		refuse(http.StatusForbidden, "尝试次数过多，请到现场由工作人员协助", "Too many tries. Please ask the staff for help.")
		return
	}
	if wait := s.limits.take("identify "+ps.claim.Session, identifyRate); wait > 0 {
		refuse(http.StatusTooManyRequests, "操作过于频繁，请稍后再试", "Too many tries. Please wait a moment.")
		return
	}
	found := false
	err := s.update(r.Context(), func(tx *bolt.Tx) error {
		found = false
		c, err := getJSON[claimRow](tx, bktClaims, []byte(ps.claim.Session))
		if err != nil {
			return err
		}
		refs, err := s.match(tx, ps.station, kind, number, name)
		if err != nil {
			return err
		}
		if len(refs) == 0 {
			c.Tries++
			return putJSON(tx, bktClaims, []byte(c.Session), c)
		}
		found = true
		c.Candidates = refs
		if len(refs) == 1 {
			return s.link(tx, c, refs[0])
		}
		return putJSON(tx, bktClaims, []byte(c.Session), c)
	})
	if err != nil {
		s.phoneFail(w, err)
		return
	}
	if !found {
		refuse(http.StatusOK, "未找到匹配的采集资格。请核对证件类型、号码与姓名；如仍无法匹配，请咨询现场工作人员。",
			"No matching record. Please check the document type, number and name, or ask the staff.")
		return
	}
	http.Redirect(w, r, "/m/", http.StatusSeeOther)
}

// match lists the students of a station's batches with this document and name.
func (s *Server) match(tx *bolt.Tx, st Station, kind wire.IDType, number, name string) ([]string, error) {
	if number == "" || name == "" || len(number) > 64 || strings.ContainsRune(string(kind), 0) {
		return nil, nil
	}
	var refs []string
	for _, batch := range st.Batches {
		for _, ref := range s.withDocument(tx, batch, kind, number) {
			row, err := s.student(tx, ref)
			if err != nil {
				return nil, err
			}
			if normalName(row.Name) == name {
				refs = append(refs, ref)
			}
		}
	}
	return refs, nil
}

// normalName compares names as people type them: no spaces, one kind of middle
// dot, no difference of case.
func normalName(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\u3000', '\u00a0':
			return -1
		case '•', '‧', '・', '．', '.', '●', '⋅', '∙':
			return '·'
		}
		return r
	}, strings.ToUpper(strings.TrimSpace(s)))
}

// link makes a student the one of this claim. The packet may have come first.
func (s *Server) link(tx *bolt.Tx, c claimRow, ref string) error {
	row, err := s.student(tx, ref)
	if err != nil {
		return err
	}
	c.StudentRef, c.Batch, c.Candidates = ref, row.Batch, nil
	for _, id := range suffixes(tx, bktBySession, []byte(c.Session), 0) {
		p, err := getPacket(tx, id)
		if err != nil {
			return err
		}
		if p.Station != c.Station {
			continue
		}
		c.PacketID = id
		c.Mismatch = p.StudentRef != ref
		// An approved photo stays approved: the reviewer has seen who is on it.
		if c.Mismatch && p.Held == "" && p.State != wire.VerdictApproved {
			p.Held = FlagClaimMismatch
			if err := putPacket(tx, p); err != nil {
				return err
			}
			if err := appendAudit(tx, s.now(), "system", "packet.held", p.ID, p.Held); err != nil {
				return err
			}
		}
	}
	if err := putJSON(tx, bktClaims, []byte(c.Session), c); err != nil {
		return err
	}
	return appendAudit(tx, s.now(), "phone", "claim.identified", c.Session, ref)
}

func (s *Server) postChoose(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	ref := r.PostForm.Get("ref")
	err := s.update(r.Context(), func(tx *bolt.Tx) error {
		c, err := getJSON[claimRow](tx, bktClaims, []byte(ps.claim.Session))
		if err != nil || c.StudentRef != "" {
			return err
		}
		for _, have := range c.Candidates {
			if have == ref {
				return s.link(tx, c, ref)
			}
		}
		return nil // not one of theirs: the page shows the choice again
	})
	s.phoneDone(w, r, err)
}

// phoneDone ends what a button of the phone's page asked for: it shows the
// page again, or what went wrong.
func (s *Server) phoneDone(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		s.phoneFail(w, err)
		return
	}
	http.Redirect(w, r, "/m/", http.StatusSeeOther)
}

// postRestart lets a student who picked the wrong record start over, as long
// as nothing hangs on it: no photo and no order.
func (s *Server) postRestart(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	err := s.update(r.Context(), func(tx *bolt.Tx) error {
		c, err := getJSON[claimRow](tx, bktClaims, []byte(ps.claim.Session))
		if err != nil || c.OrderID != "" || c.PacketID != "" {
			return err
		}
		c.StudentRef, c.Batch, c.Candidates = "", "", nil
		if err := putJSON(tx, bktClaims, []byte(c.Session), c); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), "phone", "claim.restarted", c.Session, "")
	})
	s.phoneDone(w, r, err)
}

func (s *Server) postPay(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	if ps.claim.StudentRef == "" {
		http.Redirect(w, r, "/m/", http.StatusSeeOther)
		return
	}
	o, err := s.orderFor(r.Context(), ps.claim.Session)
	if errors.Is(err, ErrState) || err == nil && o.State != wire.PaymentUnpaid {
		http.Redirect(w, r, "/m/", http.StatusSeeOther)
		return
	}
	if err != nil {
		s.phoneFail(w, err)
		return
	}
	to, err := s.pay.Begin(r.Context(), o, Phone{IP: clientIP(r), InWeChat: inWeChat(r)})
	if err != nil {
		s.phoneFail(w, fmt.Errorf("central: begin payment with %s: %w", s.pay.Name(), err))
		return
	}
	if strings.HasPrefix(to, "/") {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	s.leaveForCashier(w, to)
}

// sandboxOrder is the unpaid order of this phone, when the sandbox takes money.
func (s *Server) sandboxOrder(ctx context.Context, ps phoneSession) (Order, error) {
	if s.pay != PaymentProvider(s.sandbox) || ps.claim.OrderID == "" {
		return Order{}, ErrNotFound
	}
	o, err := s.refreshOrder(ctx, ps.claim.OrderID)
	if err == nil && o.State != wire.PaymentUnpaid {
		err = ErrNotFound
	}
	return o, err
}

func (s *Server) showSandbox(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	o, err := s.sandboxOrder(r.Context(), ps)
	if errors.Is(err, ErrNotFound) {
		http.Redirect(w, r, "/m/", http.StatusSeeOther)
		return
	}
	var v phoneView
	if err == nil {
		v, err = s.phoneView(r.Context(), ps)
	}
	if err != nil {
		s.phoneFail(w, err)
		return
	}
	v.Price = yuan(o.AmountFen)
	s.render(w, http.StatusOK, "sandbox", v)
}

func (s *Server) postSandbox(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	o, err := s.sandboxOrder(r.Context(), ps)
	if err == nil {
		if err = s.sandbox.confirm(o.ID); err == nil {
			_, err = s.refreshOrder(r.Context(), o.ID)
		}
	}
	if errors.Is(err, ErrNotFound) {
		err = nil // nothing to pay here any more
	}
	s.phoneDone(w, r, err)
}

// postChange asks the reviewers to send the photo back while it is in review.
func (s *Server) postChange(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	err := s.update(r.Context(), func(tx *bolt.Tx) error {
		ph, err := photoOf(tx, ps)
		if err != nil || !ph.CanChange {
			return err
		}
		p, err := getPacket(tx, ph.PacketID)
		if err != nil {
			return err
		}
		p.ChangeRequested = true
		if err := putPacket(tx, p); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), "phone", "packet.change_requested", p.ID, "")
	})
	s.phoneDone(w, r, err)
}

func (s *Server) showPhonePortrait(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	var ph photoView
	err := s.view(r.Context(), func(tx *bolt.Tx) (err error) {
		if ps.claim.StudentRef == "" {
			return nil
		}
		ph, err = photoOf(tx, ps)
		return err
	})
	if err == nil && !ph.Picture {
		http.NotFound(w, r)
		return
	}
	if err == nil {
		var jpg []byte
		if jpg, err = s.picture(r.Context(), ph.PacketID, "portrait", "phone"); err == nil {
			s.writeJPEG(w, jpg)
			return
		}
	}
	s.phoneFail(w, err)
}

func (s *Server) phoneError(w http.ResponseWriter, status int, zh, en string) {
	s.render(w, status, "phone-error", bilingual{zh, en})
}

func (s *Server) phoneFail(w http.ResponseWriter, err error) {
	s.log.Error("phone page", "err", err)
	s.phoneError(w, http.StatusInternalServerError, "系统繁忙，请稍后再试", "Something went wrong. Please try again in a moment.")
}
