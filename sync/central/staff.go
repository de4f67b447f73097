package central

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

const cookieStaff = "yz_staff"

// maxFormBody bounds every form but the roster upload.
const maxFormBody = 256 << 10

func (s *Server) staffRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/review", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /login", s.showLogin)
	mux.HandleFunc("POST /login", s.postLogin)
	mux.HandleFunc("POST /logout", s.staff("", s.postLogout))

	mux.HandleFunc("GET /review", s.staff(RoleReviewer, s.showQueue))
	mux.HandleFunc("POST /review/find", s.staff(RoleReviewer, s.findReviews))
	mux.HandleFunc("GET /review/next", s.staff(RoleReviewer, s.showNext))
	mux.HandleFunc("GET /review/{id}", s.staff(RoleReviewer, s.showReview))
	mux.HandleFunc("GET /review/{id}/{picture}", s.staff(RoleReviewer, s.showPicture))
	mux.HandleFunc("POST /review/{id}/approve", s.staff(RoleReviewer, s.postApprove))
	mux.HandleFunc("POST /review/{id}/reject", s.staff(RoleReviewer, s.postReject))
	mux.HandleFunc("POST /review/{id}/release", s.staff(RoleReviewer, s.postRelease))

	mux.HandleFunc("GET /stats", s.staff(RoleReviewer, s.showStatistics))

	mux.HandleFunc("GET /admin", s.staff(RoleAdmin, s.showAdmin))
	mux.HandleFunc("GET /admin/batches/{id}", s.staff(RoleAdmin, s.showBatch))
	mux.HandleFunc("POST /admin/batches", s.staff(RoleAdmin, s.postBatch))
	mux.HandleFunc("POST /admin/codes", s.staff(RoleAdmin, s.postCode))
	mux.HandleFunc("POST /admin/users", s.whole(s.postUser))
	mux.HandleFunc("POST /admin/users/{name}/disable", s.whole(s.postDisableUser))
	mux.HandleFunc("POST /admin/stations/{id}/revoke", s.whole(s.postRevoke))
	mux.HandleFunc("POST /admin/stations/{id}/settle", s.whole(s.postSettle))
	mux.HandleFunc("POST /admin/stations/{id}/batches", s.whole(s.postStationBatches))
	mux.HandleFunc("POST /admin/erasures/{id}", s.whole(s.postErasure))
	mux.HandleFunc("POST /admin/roster", s.staff(RoleAdmin, s.postRoster))
	mux.HandleFunc("GET /admin/refunds", s.staff(RoleAdmin, s.showRefunds))
	mux.HandleFunc("POST /admin/orders/{id}/refund", s.staff(RoleAdmin, s.postRefund))
	mux.HandleFunc("GET /admin/students", s.staff(RoleAdmin, s.showStudents))
	mux.HandleFunc("POST /admin/students", s.staff(RoleAdmin, s.showStudents))
	mux.HandleFunc("POST /admin/students/{ref}/remove", s.staff(RoleAdmin, s.postRemoveStudent))
	mux.HandleFunc("POST /admin/students/{ref}/erase", s.staff(RoleAdmin, s.postEraseStudent))
	mux.HandleFunc("GET /admin/provisional", s.staff(RoleAdmin, s.showProvisional))
	mux.HandleFunc("POST /admin/provisional/{ref}", s.staff(RoleAdmin, s.postProvisional))
	mux.HandleFunc("GET /admin/exports", s.staff(RoleAdmin, s.showExports))
	mux.HandleFunc("POST /admin/exports", s.staff(RoleAdmin, s.postExport))
	mux.HandleFunc("POST /admin/exports/{id}/decide", s.staff(RoleAdmin, s.postDecideExport))
	mux.HandleFunc("POST /admin/exports/{id}/fetch", s.staff(RoleAdmin, s.fetchExportFile))
	mux.HandleFunc("POST /admin/purge", s.whole(s.postPurge))
	mux.HandleFunc("GET /admin/audit", s.whole(s.showAudit))
}

// staffSession is one request of somebody who is signed in.
type staffSession struct {
	user   User
	cookie string
}

// staff lets a request through when its cookie belongs to a user with the role
// ("" = any) and, if it changes something, its form to that cookie.
func (s *Server) staff(role string, next func(http.ResponseWriter, *http.Request, staffSession)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cookie := ""
		if c, err := r.Cookie(cookieStaff); err == nil {
			cookie = c.Value
		}
		u, err := s.whoIs(r.Context(), cookie)
		if errors.Is(err, ErrNotFound) {
			if r.Method != http.MethodGet {
				s.staffError(w, http.StatusUnauthorized, "登录已过期，请重新登录", "You have been signed out.")
				return
			}
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		if err != nil {
			s.staffFail(w, err)
			return
		}
		if role != "" && !u.Has(role) {
			s.staffError(w, http.StatusForbidden, "没有权限", "You may not open this page.")
			return
		}
		if r.Method == http.MethodPost {
			limit := int64(maxFormBody)
			if r.URL.Path == "/admin/roster" {
				limit = MaxRosterBytes + maxFormBody
			}
			r.Body = http.MaxBytesReader(w, r.Body, limit)
			err := r.ParseMultipartForm(1 << 20)
			if errors.Is(err, http.ErrNotMultipart) {
				err = nil // ParseMultipartForm has parsed the plain form
			}
			if r.MultipartForm != nil {
				defer func() {
					if err := r.MultipartForm.RemoveAll(); err != nil {
						s.log.Warn("remove uploaded form", "err", err)
					}
				}()
			}
			if err != nil || !s.csrfOK(cookie, r.PostFormValue("csrf")) {
				s.staffError(w, http.StatusForbidden, "页面已过期或文件过大，请返回重试", "This page is out of date or the file is too large.")
				return
			}
		}
		next(w, r, staffSession{user: u, cookie: cookie})
	}
}

// whole lets an administrator through who is not bound to batches.
func (s *Server) whole(next func(http.ResponseWriter, *http.Request, staffSession)) http.HandlerFunc {
	return s.staff(RoleAdmin, func(w http.ResponseWriter, r *http.Request, ss staffSession) {
		if !ss.user.Everywhere() {
			s.staffError(w, http.StatusForbidden, "没有权限", "You may not open this page.")
			return
		}
		next(w, r, ss)
	})
}

// within refuses what is not of a batch of the user's, as if it were not there.
func (ss staffSession) within(batch string) error {
	if !ss.user.MayReview(batch) {
		return ErrNotFound
	}
	return nil
}

// ownBatches are those that the user works on.
func (s *Server) ownBatches(ctx context.Context, ss staffSession) ([]wire.Batch, error) {
	all, err := s.Batches(ctx)
	return slices.DeleteFunc(all, func(b wire.Batch) bool { return !ss.user.MayReview(b.ID) }), err
}

// withinStudent refuses a student who is not of a batch of the user's.
func (s *Server) withinStudent(ctx context.Context, ss staffSession, ref string) error {
	return s.view(ctx, func(tx *bolt.Tx) error {
		row, err := s.student(tx, ref)
		if err != nil {
			return err
		}
		return ss.within(row.Batch)
	})
}

// frame is what every staff page needs.
type frame struct {
	User  string
	Admin bool
	Whole bool // an administrator of the whole centre
	CSRF  string
	Tab   string
	Error *bilingual
	Done  *bilingual
}

func (s *Server) frame(ss staffSession, tab string) frame {
	return frame{User: ss.user.Name, Admin: ss.user.Has(RoleAdmin), Whole: ss.user.Has(RoleAdmin) && ss.user.Everywhere(), CSRF: s.csrfToken(ss.cookie), Tab: tab}
}

func (s *Server) staffError(w http.ResponseWriter, status int, zh, en string) {
	s.render(w, status, "staff-error", struct {
		frame
		ZH, EN string
	}{frame{}, zh, en})
}

// staffFail turns an error of the store into an answer. What a user caused is
// told; what we caused is logged.
func (s *Server) staffFail(w http.ResponseWriter, err error) {
	status, text := http.StatusInternalServerError, explain(err)
	switch {
	case errors.Is(err, ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, ErrPurged):
		status = http.StatusGone
	case errors.Is(err, ErrTwoPeople):
		status = http.StatusForbidden
	case errors.Is(err, ErrApproved), errors.Is(err, ErrState), errors.Is(err, ErrHeld), errors.Is(err, ErrOpinion):
		status = http.StatusConflict
	case errors.Is(err, ErrInvalid), errors.Is(err, ErrRows):
		status = http.StatusUnprocessableEntity
	default:
		s.log.Error("staff page", "err", err)
	}
	s.staffError(w, status, text.ZH, text.EN)
}

// explain says in both languages what an error means to the person at the page.
func explain(err error) bilingual {
	detail := strings.TrimPrefix(err.Error(), "central: ")
	var file *FileError
	switch {
	case errors.As(err, &file):
		return bilingual{file.ZH, file.EN}
	case errors.Is(err, ErrNotFound):
		return bilingual{"没有找到", "Not found"}
	case errors.Is(err, ErrApproved):
		return bilingual{"该学生已有审核通过的照片，不可更改", "An approved photo cannot change"}
	case errors.Is(err, ErrOpinion):
		return bilingual{"您已审核过这张照片，须由另一名审核人复核", "You have judged this photo; another reviewer must look at it too"}
	case errors.Is(err, ErrTwoPeople):
		return bilingual{"导出须两人：一人申请，另一人确认", "An export takes two people: one asks, another confirms"}
	case errors.Is(err, ErrPurged):
		return bilingual{"照片已在保留期满后销毁", "The picture was destroyed at the end of its retention"}
	case errors.Is(err, ErrHeld):
		return bilingual{"请先核实照片中是否为本人，再解除暂挂", "Confirm who is on the photo first"}
	case errors.Is(err, ErrState):
		return bilingual{"当前状态不允许此操作", detail}
	case errors.Is(err, ErrInvalid), errors.Is(err, ErrRows):
		return bilingual{"填写的内容有误", detail}
	}
	return bilingual{"系统错误，请稍后再试", "Internal error"}
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) {
	s.render(w, http.StatusOK, "login", loginView{})
}

type loginView struct {
	Name  string
	Error *bilingual
}

func (s *Server) postLogin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	name := strings.TrimSpace(r.PostFormValue("user"))
	refuse := func(status int, zh, en string) {
		s.render(w, status, "login", loginView{name, &bilingual{zh, en}})
	}
	// A log-in form of another site must not sign somebody in here.
	if o := r.Header.Get("Sec-Fetch-Site"); o != "" && o != "same-origin" && o != "none" {
		refuse(http.StatusForbidden, "请从本页登录", "Please sign in on this page.")
		return
	}
	if wait := s.limits.take("login "+clientIP(r), loginRate); wait > 0 {
		refuse(http.StatusTooManyRequests, "登录过于频繁，请稍后再试", "Too many tries. Please wait a moment.")
		return
	}
	cookie, err := s.signIn(r.Context(), name, r.PostFormValue("password"))
	if errors.Is(err, ErrCredentials) {
		refuse(http.StatusUnauthorized, "用户名或密码不正确；连续输错 5 次将锁定 15 分钟", "Wrong user name or password. Five wrong tries lock the account for 15 minutes.")
		return
	}
	if err != nil {
		s.staffFail(w, err)
		return
	}
	s.setCookie(w, cookieStaff, cookie, http.SameSiteStrictMode, int(loginTTL/time.Second))
	http.Redirect(w, r, "/review", http.StatusSeeOther)
}

func (s *Server) postLogout(w http.ResponseWriter, r *http.Request, ss staffSession) {
	if err := s.signOut(r.Context(), ss.cookie, ss.user.Name); err != nil {
		s.staffFail(w, err)
		return
	}
	s.setCookie(w, cookieStaff, "", http.SameSiteStrictMode, -1)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// queueRow is one line of the reviewers' list.
type queueRow struct {
	Packet
	Card     phoneCard
	Mine     bool // this user has judged it; another one must
	Disputed bool
}

const queuePage = 50

type queueView struct {
	frame
	Status  string
	Tabs    []queueTab
	Rows    []queueRow
	Next    string // id to continue after
	Batch   string
	Batches []wire.Batch
	Found   bool // Rows are what a search has found
}

type queueTab struct {
	Status string
	ZH     string
	EN     string
	Count  int
}

// mayReview filters by the user's batches.
func (ss staffSession) mayReview(p Packet) bool { return p.Batch == "" || ss.user.MayReview(p.Batch) }

func (s *Server) showQueue(w http.ResponseWriter, r *http.Request, ss staffSession) {
	v := queueView{
		frame: s.frame(ss, "review"), Status: r.URL.Query().Get("status"), Batch: r.URL.Query().Get("batch"),
		Tabs: []queueTab{
			{wire.VerdictInReview, "待审核", "To review", 0},
			{wire.VerdictConflict, "冲突", "Conflict", 0},
			{wire.VerdictApproved, "已通过", "Approved", 0},
			{wire.VerdictRejected, "已退回", "Rejected", 0},
			{string(StageRefused), "无法使用", "Refused", 0},
		},
	}
	if !slices.ContainsFunc(v.Tabs, func(t queueTab) bool { return t.Status == v.Status }) {
		v.Status = wire.VerdictInReview
	}
	err := s.view(r.Context(), func(tx *bolt.Tx) error {
		for i, t := range v.Tabs {
			v.Tabs[i].Count = len(suffixes(tx, bktByState, []byte(t.Status), 0))
		}
		all, err := list[wire.Batch](tx, bktBatches)
		if err != nil {
			return err
		}
		for _, b := range all {
			if ss.user.MayReview(b.ID) {
				v.Batches = append(v.Batches, b)
			}
		}
		after := r.URL.Query().Get("after")
		for len(v.Rows) < queuePage {
			ps, err := listPackets(tx, PacketFilter{Status: v.Status, Batch: v.Batch, After: after, Limit: queuePage})
			if err != nil {
				return err
			}
			for _, p := range ps {
				after = p.ID
				if !ss.mayReview(p) {
					continue
				}
				row, err := s.queueRow(tx, ss, p)
				if err != nil {
					return err
				}
				v.Rows = append(v.Rows, row)
				if len(v.Rows) == queuePage {
					v.Next = after
					break
				}
			}
			if len(ps) < queuePage {
				break
			}
		}
		return nil
	})
	if err != nil {
		s.staffFail(w, err)
		return
	}
	s.render(w, http.StatusOK, "queue", v)
}

func (s *Server) queueRow(tx *bolt.Tx, ss staffSession, p Packet) (row queueRow, err error) {
	row.Packet = p
	if p.StudentRef != "" {
		if row.Card, err = s.cardOf(tx, p); err != nil {
			return row, err
		}
	}
	said, fourEyes, mine, err := standing(tx, p, ss.user.Name)
	row.Mine, row.Disputed = mine, fourEyes && disputed(said)
	return row, err
}

// findReviews lists the photos of whom a reviewer looks for, in the batches that
// the reviewer may see. What is searched for travels in a form and never in an
// address; who was found is on record.
func (s *Server) findReviews(w http.ResponseWriter, r *http.Request, ss staffSession) {
	v := queueView{frame: s.frame(ss, "review"), Found: true}
	found, err := s.FindStudents(r.Context(), r.PostFormValue("text"), ss.user.Batches, foundShown)
	var refs []string
	if err == nil {
		err = s.view(r.Context(), func(tx *bolt.Tx) error {
			for _, st := range found {
				refs = append(refs, st.Ref)
				all, err := packetsOf(tx, st.Batch, st.Ref)
				if err != nil {
					return err
				}
				for _, p := range all {
					row, err := s.queueRow(tx, ss, p)
					if err != nil {
						return err
					}
					v.Rows = append(v.Rows, row)
				}
			}
			return nil
		})
	}
	if err == nil {
		err = s.audit(r.Context(), ss.user.Name, "student.searched", "", strings.Join(refs, " "))
	}
	status := s.tell(&v.frame, err)
	s.render(w, status, "queue", v)
}

func (s *Server) cardOf(tx *bolt.Tx, p Packet) (phoneCard, error) {
	row, err := s.student(tx, p.StudentRef)
	if errors.Is(err, ErrNotFound) {
		return phoneCard{Name: "已删除"}, nil
	}
	if err != nil {
		return phoneCard{}, fmt.Errorf("central: student of packet %s: %w", p.ID, err)
	}
	b, err := s.batch(tx, p.Batch)
	if err != nil {
		return phoneCard{}, fmt.Errorf("central: batch of packet %s: %w", p.ID, err)
	}
	return card(row.Student, b), nil
}

// nextInQueue is the packet a reviewer should see after one: the oldest after
// it, else the oldest of all; conflicts when nothing else is left. "" = done.
func (s *Server) nextInQueue(ctx context.Context, ss staffSession, after string) (string, error) {
	id := ""
	err := s.view(ctx, func(tx *bolt.Tx) error {
		for _, from := range []string{after, ""} {
			for _, status := range []string{wire.VerdictInReview, wire.VerdictConflict} {
				for _, cand := range suffixes(tx, bktByState, []byte(status), 0) {
					if cand <= from || cand == after {
						continue
					}
					p, err := getPacket(tx, cand)
					if err != nil {
						return err
					}
					if !ss.mayReview(p) {
						continue
					}
					_, _, mine, err := standing(tx, p, ss.user.Name)
					if err != nil {
						return err
					}
					if !mine {
						id = cand
						return nil
					}
				}
			}
			if from == "" {
				break
			}
		}
		return nil
	})
	return id, err
}

func (s *Server) showNext(w http.ResponseWriter, r *http.Request, ss staffSession) {
	s.toNext(w, r, ss, r.URL.Query().Get("after"))
}

func (s *Server) toNext(w http.ResponseWriter, r *http.Request, ss staffSession, after string) {
	id, err := s.nextInQueue(r.Context(), ss, after)
	if err != nil {
		s.staffFail(w, err)
		return
	}
	if id == "" {
		http.Redirect(w, r, "/review", http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, "/review/"+id, http.StatusSeeOther)
}

type reviewItem struct {
	Packet
	Verdict   string
	Checks    []packet.Check
	Overrides []packet.Override
	Manifest  packet.Manifest
	Decidable bool
	Purged    bool      // there is no picture any more
	FourEyes  bool      // the batch wants a second reviewer
	Mine      bool      // this user has judged it
	Opinions  []Opinion // of a dispute, for the third
}

type reviewView struct {
	frame
	Card    phoneCard
	Items   []reviewItem // the packet, and those it competes with
	Reasons []Reason
	Left    int
	Payment wire.PaymentState
}

func (s *Server) reviewable(ctx context.Context, ss staffSession, id string) (Packet, error) {
	p, err := s.Packet(ctx, id)
	if err == nil && (p.Stage != StageOpened || !ss.mayReview(p)) {
		err = ErrNotFound
	}
	return p, err
}

func (s *Server) showReview(w http.ResponseWriter, r *http.Request, ss staffSession) {
	p, err := s.reviewable(r.Context(), ss, r.PathValue("id"))
	if err != nil {
		s.staffFail(w, err)
		return
	}
	v := reviewView{frame: s.frame(ss, "review"), Reasons: Reasons()}
	show := []Packet{p}
	err = s.view(r.Context(), func(tx *bolt.Tx) (err error) {
		if v.Card, err = s.cardOf(tx, p); err != nil {
			return err
		}
		row, err := s.student(tx, p.StudentRef)
		if err != nil {
			return err
		}
		v.Payment = row.Payment
		v.Left = len(suffixes(tx, bktByState, []byte(wire.VerdictInReview), 0)) + len(suffixes(tx, bktByState, []byte(wire.VerdictConflict), 0))
		if p.State != wire.VerdictConflict {
			return nil
		}
		all, err := packetsOf(tx, p.Batch, p.StudentRef)
		for _, o := range all {
			if o.ID != p.ID && o.live() {
				show = append(show, o)
			}
		}
		return err
	})
	for _, one := range show {
		if err != nil {
			break
		}
		var item reviewItem
		if item, err = s.reviewItem(r.Context(), ss, one); err == nil {
			v.Items = append(v.Items, item)
		}
	}
	if err != nil {
		s.staffFail(w, err)
		return
	}
	s.render(w, http.StatusOK, "review", v)
}

func (s *Server) reviewItem(ctx context.Context, ss staffSession, p Packet) (reviewItem, error) {
	item := reviewItem{Packet: p, Decidable: p.State == wire.VerdictInReview || p.State == wire.VerdictConflict}
	c, _, err := s.openForView(ctx, p.ID)
	if errors.Is(err, ErrPurged) {
		item.Purged = true
		return item, nil
	}
	if err != nil {
		return reviewItem{}, err
	}
	err = s.view(ctx, func(tx *bolt.Tx) error {
		var said []Opinion
		said, item.FourEyes, item.Mine, err = standing(tx, p, ss.user.Name)
		// The second reviewer judges without knowing what the first one thinks.
		if disputed(said) || !item.Decidable {
			item.Opinions = said
		}
		return err
	})
	if err != nil {
		return reviewItem{}, err
	}
	verdict, checks, err := c.Manifest.Checks()
	if err != nil {
		return reviewItem{}, err
	}
	// What needs a look comes first.
	order := map[string]int{"fail": 0, "warn": 1, "unknown": 2, "manual": 3, "pass": 4}
	slices.SortStableFunc(checks, func(a, b packet.Check) int { return order[a.Status] - order[b.Status] })
	item.Verdict, item.Checks, item.Overrides, item.Manifest = verdict, checks, c.Manifest.Overrides, c.Manifest
	item.Decidable = item.Decidable && !item.Mine
	return item, nil
}

func (s *Server) showPicture(w http.ResponseWriter, r *http.Request, ss staffSession) {
	which, ok := strings.CutSuffix(r.PathValue("picture"), ".jpg")
	if !ok || which != "portrait" && which != "original" {
		http.NotFound(w, r)
		return
	}
	p, err := s.reviewable(r.Context(), ss, r.PathValue("id"))
	if err == nil {
		var jpg []byte
		if jpg, err = s.picture(r.Context(), p.ID, which, ss.user.Name); err == nil {
			s.writeJPEG(w, jpg)
			return
		}
	}
	s.staffFail(w, err)
}

func (s *Server) decide(w http.ResponseWriter, r *http.Request, ss staffSession, do func(id string) error) {
	p, err := s.reviewable(r.Context(), ss, r.PathValue("id"))
	if err == nil {
		err = do(p.ID)
	}
	if err != nil {
		s.staffFail(w, err)
		return
	}
	s.toNext(w, r, ss, p.ID)
}

func (s *Server) postApprove(w http.ResponseWriter, r *http.Request, ss staffSession) {
	s.decide(w, r, ss, func(id string) error { return s.Approve(r.Context(), id, ss.user.Name) })
}

func (s *Server) postReject(w http.ResponseWriter, r *http.Request, ss staffSession) {
	s.decide(w, r, ss, func(id string) error {
		return s.Reject(r.Context(), id, ss.user.Name, r.PostFormValue("reason"), r.PostFormValue("note"))
	})
}

func (s *Server) postRelease(w http.ResponseWriter, r *http.Request, ss staffSession) {
	p, err := s.reviewable(r.Context(), ss, r.PathValue("id"))
	if err == nil {
		err = s.Release(r.Context(), p.ID, ss.user.Name)
	}
	if err != nil {
		s.staffFail(w, err)
		return
	}
	http.Redirect(w, r, "/review/"+p.ID, http.StatusSeeOther)
}

type adminView struct {
	frame
	Batches     []adminBatch
	Stations    []adminStation
	Codes       []Code
	Users       []User
	Erasures    []Erasure
	Purge       PurgeReport
	NewCode     string
	Import      *ImportReport
	ImportBatch string
	Now         time.Time
	Fingerprint string
	Recovery    string
}

type adminBatch struct {
	wire.Batch
	Students, Approved, InReview int
}

type adminStation struct {
	Station
	Quiet bool // not heard of for a while
}

// quietAfter marks a station on the page; a booth calls every minute.
const quietAfter = 10 * time.Minute

func (s *Server) adminView(ctx context.Context, ss staffSession) (adminView, error) {
	v := adminView{frame: s.frame(ss, "admin"), Now: s.now(), Fingerprint: s.Fingerprint(), Recovery: s.RecoveryIdentityPath()}
	bs, err := s.ownBatches(ctx, ss)
	if err != nil {
		return v, err
	}
	for _, b := range bs {
		ab := adminBatch{Batch: b}
		v.Batches = append(v.Batches, ab)
	}
	if err := s.view(ctx, func(tx *bolt.Tx) error { return countBatches(tx, v.Batches) }); err != nil {
		return v, err
	}
	if !v.Whole {
		v.Recovery = ""
		return v, nil
	}
	sts, err := s.Stations(ctx)
	if err != nil {
		return v, err
	}
	for _, st := range sts {
		v.Stations = append(v.Stations, adminStation{st, s.now().Sub(st.SeenAt) > quietAfter})
	}
	if v.Codes, err = s.Codes(ctx); err != nil {
		return v, err
	}
	v.Codes = slices.DeleteFunc(v.Codes, func(c Code) bool { return c.UsedBy != "" || s.now().After(c.ExpiresAt) })
	if v.Users, err = s.Users(ctx); err != nil {
		return v, err
	}
	if v.Erasures, err = s.UndecidedErasures(ctx); err != nil {
		return v, err
	}
	v.Purge, err = s.Purge(ctx, true, ss.user.Name)
	return v, err
}

// countBatches fills in how many students and photos there are, without opening
// a student's row.
func countBatches(tx *bolt.Tx, batches []adminBatch) error {
	at := map[string]*adminBatch{}
	for i := range batches {
		at[batches[i].ID] = &batches[i]
		batches[i].Students = countStudents(tx, batches[i].ID)
	}
	for _, status := range []string{wire.VerdictInReview, wire.VerdictConflict, wire.VerdictApproved} {
		for _, id := range suffixes(tx, bktByState, []byte(status), 0) {
			p, err := getPacket(tx, id)
			if err != nil {
				return err
			}
			b := at[p.Batch]
			switch {
			case b == nil:
			case status == wire.VerdictApproved:
				b.Approved++
			default:
				b.InReview++
			}
		}
	}
	return nil
}

// adminPage shows the page again after something was done on it.
func (s *Server) adminPage(w http.ResponseWriter, r *http.Request, ss staffSession, change func(*adminView), failed error) {
	v, err := s.adminView(r.Context(), ss)
	if err != nil {
		s.staffFail(w, err)
		return
	}
	status := s.tell(&v.frame, failed)
	if change != nil {
		change(&v)
	}
	s.render(w, status, "admin", v)
}

// tell puts what failed onto a page and returns the answer's status.
func (s *Server) tell(f *frame, failed error) int {
	if failed == nil {
		return http.StatusOK
	}
	text := explain(failed)
	f.Error = &text
	if text.EN == "Internal error" {
		s.log.Error("admin", "err", failed)
		return http.StatusInternalServerError
	}
	return http.StatusUnprocessableEntity
}

func (s *Server) postPurge(w http.ResponseWriter, r *http.Request, ss staffSession) {
	rep, err := s.Purge(r.Context(), false, ss.user.Name)
	if err != nil {
		s.adminPage(w, r, ss, nil, err)
		return
	}
	s.adminPage(w, r, ss, done(fmt.Sprintf("已销毁 %d 张到期照片", rep.Total()), fmt.Sprintf("%d pictures destroyed", rep.Total())), nil)
}

func done(zh, en string) func(*adminView) {
	return func(v *adminView) { v.Done = &bilingual{zh, en} }
}

func (s *Server) showAdmin(w http.ResponseWriter, r *http.Request, ss staffSession) {
	s.adminPage(w, r, ss, nil, nil)
}

type batchView struct {
	frame
	wire.Batch
	Rules    BatchRules
	New      bool
	Students int
}

// newBatch is what the form for a new batch starts from.
func (s *Server) newBatch() wire.Batch {
	day := s.now().Truncate(24 * time.Hour)
	return wire.Batch{Spec: "chsi", Policy: wire.PayNone, Opens: day, Closes: day.AddDate(0, 3, 0), ReviewDays: 2, RetainDays: 180, ConsentVer: "1"}
}

func (s *Server) showBatch(w http.ResponseWriter, r *http.Request, ss staffSession) {
	v := batchView{frame: s.frame(ss, "admin")}
	id := r.PathValue("id")
	if err := ss.within(id); err != nil {
		s.staffFail(w, err)
		return
	}
	if id == "new" {
		v.New, v.Batch = true, s.newBatch()
	} else {
		err := s.view(r.Context(), func(tx *bolt.Tx) (err error) {
			if v.Batch, err = getJSON[wire.Batch](tx, bktBatches, []byte(id)); err != nil {
				return err
			}
			v.Rules, err = rulesOf(tx, id)
			return err
		})
		if err != nil {
			s.staffFail(w, err)
			return
		}
	}
	s.render(w, http.StatusOK, "batch", v)
}

func (s *Server) postBatch(w http.ResponseWriter, r *http.Request, ss staffSession) {
	f := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	v := batchView{frame: s.frame(ss, "admin"), New: f("new") == "1"}
	var err error
	whole := func(name string) int {
		if name == "purge_days" && f(name) == "" {
			return 0
		}
		n, e := strconv.Atoi(f(name))
		if e != nil && err == nil {
			err = fmt.Errorf("%w: %s must be a number", ErrInvalid, name)
		}
		return n
	}
	day := func(name string) time.Time {
		t, e := time.ParseInLocation("2006-01-02", f(name), time.Local)
		if e != nil && err == nil {
			err = fmt.Errorf("%w: %s must be a date", ErrInvalid, name)
		}
		return t
	}
	price, perr := parseYuan(f("price"))
	v.Batch = wire.Batch{
		ID: f("id"), School: f("school"), Title: f("title"), Spec: f("spec"), PriceFen: price, Policy: wire.Policy(f("policy")),
		Opens: day("opens"), Closes: day("closes"), CoversZH: f("covers_zh"), CoversEN: f("covers_en"), ReviewDays: whole("review_days"),
		Contact: f("contact"), ConsentZH: f("consent_zh"), ConsentEN: f("consent_en"), ConsentVer: f("consent_version"),
		RetainDays: whole("retain_days"), PhoneBaseURL: f("phone_base_url"),
	}
	v.Rules = BatchRules{FourEyes: f("four_eyes") == "1", TwoToExport: f("two_to_export") == "1", PurgeDays: whole("purge_days"), ExportFirst: f("export_first") == "1"}
	if err == nil {
		err = perr
	}
	if err == nil {
		err = ss.within(v.ID)
	}
	if err == nil && v.New {
		err = s.view(r.Context(), func(tx *bolt.Tx) error {
			if tx.Bucket(bktBatches).Get([]byte(v.ID)) != nil {
				return fmt.Errorf("%w: there is a batch with this id", ErrInvalid)
			}
			return nil
		})
	}
	if err == nil {
		err = s.PutBatch(r.Context(), v.Batch, ss.user.Name)
	}
	if err == nil {
		err = s.PutRules(r.Context(), v.ID, v.Rules, ss.user.Name)
	}
	if err != nil {
		text := explain(err)
		v.Error = &text
		s.render(w, http.StatusUnprocessableEntity, "batch", v)
		return
	}
	http.Redirect(w, r, "/admin", http.StatusSeeOther)
}

// parseYuan reads an amount such as 25, 25.5 or 25.00.
func parseYuan(s string) (fen int, err error) {
	whole, frac, _ := strings.Cut(s, ".")
	bad := fmt.Errorf("%w: price must be an amount such as 25.00", ErrInvalid)
	if len(frac) > 2 || len(whole) > 6 || whole == "" {
		return 0, bad
	}
	for len(frac) < 2 {
		frac += "0"
	}
	n, err := strconv.ParseUint(whole+frac, 10, 31)
	if err != nil {
		return 0, bad
	}
	return int(n), nil
}

func (s *Server) postCode(w http.ResponseWriter, r *http.Request, ss staffSession) {
	days, err := strconv.Atoi(r.PostFormValue("days"))
	if err != nil {
		err = fmt.Errorf("%w: days must be a number", ErrInvalid)
	}
	scope := r.PostForm["batch"]
	if !ss.user.Everywhere() && len(scope) == 0 {
		scope = ss.user.Batches
	}
	for _, b := range scope {
		err = errors.Join(err, ss.within(b))
	}
	var code string
	if err == nil {
		code, err = s.NewCode(r.Context(), scope, time.Duration(days)*24*time.Hour, ss.user.Name)
	}
	s.adminPage(w, r, ss, func(v *adminView) { v.NewCode = code }, err)
}

func (s *Server) postUser(w http.ResponseWriter, r *http.Request, ss staffSession) {
	err := s.PutUser(r.Context(), strings.TrimSpace(r.PostFormValue("user")), r.PostFormValue("password"), r.PostForm["role"], r.PostForm["batch"], ss.user.Name)
	if err != nil {
		s.adminPage(w, r, ss, nil, err)
		return
	}
	s.adminPage(w, r, ss, done("用户已保存", "User saved"), nil)
}

func (s *Server) postDisableUser(w http.ResponseWriter, r *http.Request, ss staffSession) {
	if err := s.DisableUser(r.Context(), r.PathValue("name"), ss.user.Name); err != nil {
		s.adminPage(w, r, ss, nil, err)
		return
	}
	s.adminPage(w, r, ss, done("用户已停用", "User disabled"), nil)
}

func (s *Server) postRevoke(w http.ResponseWriter, r *http.Request, ss staffSession) {
	if err := s.RevokeStation(r.Context(), r.PathValue("id"), ss.user.Name); err != nil {
		s.adminPage(w, r, ss, nil, err)
		return
	}
	s.adminPage(w, r, ss, done("站点已吊销", "Station revoked"), nil)
}

func (s *Server) postSettle(w http.ResponseWriter, r *http.Request, ss staffSession) {
	if err := s.SettleAlarms(r.Context(), r.PathValue("id"), ss.user.Name); err != nil {
		s.adminPage(w, r, ss, nil, err)
		return
	}
	s.adminPage(w, r, ss, done("告警已了结", "Alarm settled"), nil)
}

func (s *Server) postStationBatches(w http.ResponseWriter, r *http.Request, ss staffSession) {
	scope := r.PostForm["batch"]
	var err error
	if len(scope) == 0 {
		err = fmt.Errorf("%w: choose at least one batch, or revoke the station", ErrInvalid)
	} else {
		err = s.SetStationBatches(r.Context(), r.PathValue("id"), scope, ss.user.Name)
	}
	if err != nil {
		s.adminPage(w, r, ss, nil, err)
		return
	}
	s.adminPage(w, r, ss, done("站点批次已更新", "Batches of the station changed"), nil)
}

func (s *Server) postRoster(w http.ResponseWriter, r *http.Request, ss staffSession) {
	data, err := uploaded(r, "file")
	batch := r.PostFormValue("batch")
	var rep ImportReport
	err = errors.Join(err, ss.within(batch))
	if err == nil {
		rep, err = s.ImportRoster(r.Context(), batch, data, ss.user.Name)
	}
	s.adminPage(w, r, ss, func(v *adminView) {
		if err == nil || errors.Is(err, ErrRows) {
			v.Import, v.ImportBatch, v.Error = &rep, batch, nil
		}
	}, err)
}

func uploaded(r *http.Request, field string) (data []byte, err error) {
	f, _, err := r.FormFile(field)
	if err != nil {
		return nil, &FileError{"请先选择要导入的文件", "No file was chosen"}
	}
	defer func(f multipart.File) { err = errors.Join(err, f.Close()) }(f)
	return io.ReadAll(io.LimitReader(f, MaxRosterBytes+1))
}

func (s *Server) showAudit(w http.ResponseWriter, r *http.Request, ss staffSession) {
	v := struct {
		frame
		Entries []AuditEntry
		Broken  string
	}{frame: s.frame(ss, "audit")}
	if err := s.VerifyAudit(r.Context()); err != nil {
		v.Broken = err.Error()
	}
	var err error
	if v.Entries, err = s.AuditTrail(r.Context(), 300); err != nil {
		s.staffFail(w, err)
		return
	}
	s.render(w, http.StatusOK, "audit", v)
}
