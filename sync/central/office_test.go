package central

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// staffOf makes users who may do everything, and signs them in.
func (w *world) staffOf(role string, names ...string) map[string]*browser {
	w.t.Helper()
	out := map[string]*browser{}
	for _, n := range names {
		must(w.t, w.s.PutUser(w.t.Context(), n, "long enough password", []string{role}, nil, "test"))
		out[n] = w.staffBrowser(n, "long enough password")
	}
	return out
}

func (w *world) rules(r BatchRules) {
	w.t.Helper()
	must(w.t, w.s.PutRules(w.t.Context(), DemoBatchPaid, r, "test"))
}

// said is how an audit action was written for a target.
func (w *world) said(action, target string) (actors []string) {
	w.t.Helper()
	all, err := w.s.AuditTrail(w.t.Context(), 1<<20)
	must(w.t, err)
	for _, e := range all {
		if e.Action == action && e.Target == target {
			actors = append(actors, e.Actor)
		}
	}
	return actors
}

func TestFourEyes(t *testing.T) {
	const yes, no = wire.VerdictApproved, wire.VerdictRejected
	type look struct{ who, says string }
	for name, tc := range map[string]struct {
		looks []look
		want  string
		err   error // of the last
	}{
		"one alone decides nothing":      {[]look{{"a", yes}}, wire.VerdictInReview, nil},
		"two agree to approve":           {[]look{{"a", yes}, {"b", yes}}, yes, nil},
		"two agree to return":            {[]look{{"a", no}, {"b", no}}, no, nil},
		"two who disagree":               {[]look{{"a", yes}, {"b", no}}, wire.VerdictInReview, nil},
		"a third approves":               {[]look{{"a", yes}, {"b", no}, {"c", yes}}, yes, nil},
		"a third returns":                {[]look{{"a", yes}, {"b", no}, {"c", no}}, no, nil},
		"the same one twice":             {[]look{{"a", yes}, {"a", yes}}, wire.VerdictInReview, ErrOpinion},
		"one of the two is not a third":  {[]look{{"a", yes}, {"b", no}, {"a", yes}}, wire.VerdictInReview, ErrOpinion},
		"the other is not a third":       {[]look{{"a", yes}, {"b", no}, {"b", yes}}, wire.VerdictInReview, ErrOpinion},
		"after it is approved nothing":   {[]look{{"a", yes}, {"b", yes}, {"c", no}}, yes, ErrApproved},
		"nobody changes their own mind":  {[]look{{"a", yes}, {"a", no}}, wire.VerdictInReview, ErrOpinion},
		"the first who returned, agreed": {[]look{{"a", no}, {"b", yes}, {"c", no}}, no, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.rules(BatchRules{FourEyes: true})
			k := w.kiosk()
			p := k.seal(studentA(1))
			k.send(p)
			id := p.ID.String()
			var err error
			for _, l := range tc.looks {
				if l.says == yes {
					err = w.s.Approve(t.Context(), id, l.who)
				} else {
					err = w.s.Reject(t.Context(), id, l.who, "blur", "")
				}
			}
			if !errors.Is(err, tc.err) {
				t.Errorf("the last look: %v, want %v", err, tc.err)
			}
			if got := w.status(id); got != tc.want {
				t.Errorf("the photo is %s, want %s", got, tc.want)
			}
			if v, _ := k.news(); v[id].State != tc.want {
				t.Errorf("the station was told %q", v[id].State)
			}
		})
	}
}

func TestFourEyesOnThePages(t *testing.T) {
	w := newWorld(t)
	w.rules(BatchRules{FourEyes: true})
	k := w.kiosk()
	p := k.seal(studentA(1))
	k.send(p)
	path := "/review/" + p.ID.String()
	by := w.staffOf(RoleReviewer, "anna", "bert", "cara")
	by["anna"].want(200, by["anna"].get(path), "双人审核")
	by["anna"].want(200, by["anna"].post(path+"/approve", nil))
	by["anna"].want(200, by["anna"].get("/review"), "等第二名审核人")
	by["anna"].want(200, by["anna"].get("/review/next"), "等第二名审核人") // nothing left: the list
	by["anna"].want(200, by["anna"].get(path), "您已审核")
	by["anna"].want(409, by["anna"].post(path+"/reject", url.Values{"reason": {"blur"}}), "另一名审核人")

	// The second one judges without knowing what the first one thinks.
	by["bert"].want(200, by["bert"].get(path))
	by["bert"].lacks("anna")
	by["bert"].want(200, by["bert"].post(path+"/reject", url.Values{"reason": {"blur"}}))
	by["cara"].want(200, by["cara"].get(path), "您决定", "anna：通过", "bert：退回")
	by["cara"].want(200, by["cara"].post(path+"/approve", nil))
	if got := w.status(p.ID.String()); got != wire.VerdictApproved {
		t.Errorf("the photo is %s", got)
	}
	by["anna"].want(200, by["anna"].get(path), "双人审核", "cara")
}

// approvedPhotos sends a photo each of students and approves them.
func (w *world) approvedPhotos(k *kiosk, students ...int) (out []*packet.Sealed) {
	w.t.Helper()
	for _, n := range students {
		p := k.seal(studentA(n))
		k.send(p)
		must(w.t, w.s.Approve(w.t.Context(), p.ID.String(), "rev"))
		out = append(out, p)
	}
	return out
}

func TestAnExportTakesTwoPeople(t *testing.T) {
	w := newWorld(t)
	k, ctx := w.kiosk(), t.Context()
	by := w.staffOf(RoleAdmin, "anna", "bert", "cara")
	ask := url.Values{"batch": {DemoBatchPaid}, "names": {"{student_no}"}, "purpose": {"学信网"}}
	by["anna"].get("/admin/exports")
	by["anna"].want(422, by["anna"].post("/admin/exports", ask), "no approved photos")
	photos := w.approvedPhotos(k, 1, 2)
	by["anna"].want(422, by["anna"].post("/admin/exports", url.Values{"batch": {DemoBatchPaid}, "names": {"{none}"}, "purpose": {"x"}}))
	by["anna"].want(422, by["anna"].post("/admin/exports", url.Values{"batch": {DemoBatchPaid}, "names": {"{ref}"}, "purpose": {" "}}))
	by["anna"].want(200, by["anna"].post("/admin/exports", ask), "另一名管理员确认")
	all, err := w.s.ExportRequests(ctx)
	must(t, err)
	id := all[0].ID
	path := "/admin/exports/" + id
	later := w.approvedPhotos(k, 3)[0] // not what was asked for

	decide := func(b *browser, decision string) int {
		return b.post(path+"/decide", url.Values{"decision": {decision}})
	}
	by["anna"].want(422, decide(by["anna"], "confirm"), "须两人")
	by["anna"].want(422, by["anna"].post(path+"/fetch", nil))
	by["bert"].get("/admin/exports")
	by["bert"].want(200, decide(by["bert"], "confirm"), "24 小时内")
	by["bert"].want(422, decide(by["bert"], "refuse"))
	by["cara"].get("/admin/exports")
	by["cara"].want(422, by["cara"].post(path+"/fetch", nil), "须两人")
	by["anna"].want(200, by["anna"].post(path+"/fetch", nil))

	z, err := zip.NewReader(strings.NewReader(by["anna"].page), int64(len(by["anna"].page)))
	must(t, err)
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		files[f.Name], err = io.ReadAll(r)
		must(t, err)
	}
	if len(files) != 3 {
		t.Fatalf("%d files", len(files))
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(files[ListName], []byte("\xef\xbb\xbf")))).ReadAll()
	must(t, err)
	if len(rows) != 3 || rows[1][8] != photos[0].ID.String() || rows[1][3] != w.student(refOf(studentA(1))).IDNumber {
		t.Errorf("list %v", rows)
	}
	for _, p := range photos {
		if got := w.said("portrait.exported", p.ID.String()); len(got) != 1 || got[0] != "anna" {
			t.Errorf("on record: %v", got)
		}
	}
	for action, who := range map[string]string{"export.asked": "anna", "export.confirmed": "bert", "export.fetched": "anna"} {
		if got := w.said(action, id); len(got) != 1 || got[0] != who {
			t.Errorf("%s by %v", action, got)
		}
	}
	if len(w.said("portrait.exported", later.ID.String())) > 0 {
		t.Error("a photo left that was not asked for")
	}

	// A batch may demand it of the command line too.
	one := photos[0].ID.String()
	if _, err := w.s.Approved(ctx, one, "", "cli"); err != nil {
		t.Errorf("a batch that does not demand it: %v", err)
	}
	w.rules(BatchRules{TwoToExport: true})
	for request, want := range map[string]error{"": ErrTwoPeople, "nonsense": ErrTwoPeople, id: nil} {
		if _, err := w.s.Approved(ctx, one, request, "cli"); !errors.Is(err, want) {
			t.Errorf("request %q: %v", request, err)
		}
	}
	if _, err := w.s.Approved(ctx, later.ID.String(), id, "cli"); !errors.Is(err, ErrTwoPeople) {
		t.Errorf("a photo that was not asked for: %v", err)
	}
	w.clock.add(exportOpen + time.Minute)
	if _, err := w.s.Approved(ctx, one, id, "cli"); !errors.Is(err, ErrTwoPeople) {
		t.Errorf("the day after: %v", err)
	}

	// What nobody confirms in a week is void.
	x, err := w.s.AskExport(ctx, DemoBatchPaid, "{ref}", "学校", "anna")
	must(t, err)
	w.clock.add(exportWait + time.Minute)
	if err := w.s.DecideExport(ctx, x.ID, true, "bert"); !errors.Is(err, ErrState) {
		t.Errorf("confirmed after a week: %v", err)
	}
}

func TestExportLeavesOutWhatCannotBeNamed(t *testing.T) {
	w := newWorld(t)
	k, ctx := w.kiosk(), t.Context()
	w.approvedPhotos(k, 1, 2)
	x, err := w.s.AskExport(ctx, DemoBatchPaid, "same", "学校", "anna")
	must(t, err)
	must(t, w.s.DecideExport(ctx, x.ID, true, "bert"))
	w.rules(BatchRules{PurgeDays: 1, ExportFirst: true})
	x, err = w.s.fetchExport(ctx, x.ID, "anna")
	must(t, err)
	var b bytes.Buffer
	must(t, w.s.writeExport(ctx, &b, x, "anna"))
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	must(t, err)
	if len(z.File) != 2 {
		t.Errorf("%d files", len(z.File))
	}
	w.clock.add(25 * time.Hour)
	rep, err := w.s.Purge(ctx, true, "test")
	must(t, err)
	if rep.Due[DemoBatchPaid] != 1 || rep.Waiting[DemoBatchPaid] != 1 {
		t.Errorf("a photo that was left out counts as exported: %+v", rep)
	}
}

func TestRetention(t *testing.T) {
	day := 24 * time.Hour
	for name, tc := range map[string]struct {
		rules  BatchRules
		after  time.Duration
		export bool
		gone   bool // the approved one
		back   bool // the returned one is gone
	}{
		"no rule":                      {BatchRules{}, 1000 * day, true, false, false},
		"on the last day":              {BatchRules{PurgeDays: 30}, 30 * day, false, false, false},
		"past it":                      {BatchRules{PurgeDays: 30}, 30*day + time.Hour, false, true, true},
		"not exported":                 {BatchRules{PurgeDays: 30, ExportFirst: true}, 300 * day, false, false, true},
		"exported, the day of":         {BatchRules{PurgeDays: 30, ExportFirst: true}, 30 * day, true, false, false},
		"exported and past the period": {BatchRules{PurgeDays: 30, ExportFirst: true}, 31 * day, true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			k, ctx := w.kiosk(), t.Context()
			portrait := testJPEG(t, 120, 160)
			good := k.seal(studentA(1), func(s *shot) { s.in.Portrait = portrait })
			k.send(good)
			must(t, w.s.Approve(ctx, good.ID.String(), "rev"))
			back, waiting := k.seal(studentA(2)), k.seal(studentA(3))
			k.send(back)
			must(t, w.s.Reject(ctx, back.ID.String(), "rev", "blur", ""))
			k.send(waiting)
			w.rules(tc.rules)
			if tc.export {
				must(t, w.s.MarkExported(ctx, good.ID.String()))
			}
			w.clock.add(tc.after)
			dry, err := w.s.Purge(ctx, true, "test")
			must(t, err)
			if dry.Done {
				t.Error("a dry run did something")
			}
			if _, _, err := w.s.openForView(ctx, good.ID.String()); err != nil {
				t.Errorf("after a dry run: %v", err)
			}
			rep, err := w.s.Purge(ctx, false, "test")
			must(t, err)
			if rep.Total() != dry.Total() {
				t.Errorf("%+v, and %+v was said before", rep, dry)
			}
			for p, gone := range map[*packet.Sealed]bool{good: tc.gone, back: tc.back, waiting: false} {
				_, _, err := w.s.openForView(ctx, p.ID.String())
				if gone != errors.Is(err, ErrPurged) || !gone && err != nil {
					t.Errorf("seq %d: %v, want gone %t", p.Header.Seq, err, gone)
				}
				if _, err := os.Stat(w.s.packetPath(p.ID.String())); gone != errors.Is(err, os.ErrNotExist) {
					t.Errorf("seq %d on the disk: %v", p.Header.Seq, err)
				}
			}
			// What was decided stays, and so does what the station was told.
			if w.status(good.ID.String()) != wire.VerdictApproved || w.student(refOf(studentA(1))).Capture != wire.VerdictApproved {
				t.Error("the verdict is gone")
			}
			if r := k.declare(declared(good))[0]; r.State != wire.DeclareHave {
				t.Errorf("the station is asked for it again: %+v", r)
			}
			if !tc.gone {
				return
			}
			// Pages, backup and the next start get along without the picture.
			admin := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
			admin.want(200, admin.get("/review/"+good.ID.String()), "保留期满")
			admin.want(410, admin.get("/review/"+good.ID.String()+"/portrait.jpg"))
			file := filepath.Join(t.TempDir(), "b.age")
			if rep, err := w.s.Backup(ctx, file, "test"); err != nil || rep.Packets != 1 {
				t.Errorf("backup %+v %v", rep, err)
			}
			raw, err := os.ReadFile(file)
			must(t, err)
			if _, err := Restore(ctx, bytes.NewReader(raw), recoveryIdentity(t, w), filepath.Join(t.TempDir(), "r"), "test", w.clock.now()); err != nil {
				t.Errorf("restore: %v", err)
			}
			must(t, os.WriteFile(w.s.packetPath(good.ID.String()), []byte("left by a crash"), 0o600))
			w.restart()
			if _, err := os.Stat(w.s.packetPath(good.ID.String())); !errors.Is(err, os.ErrNotExist) {
				t.Error("what a crash left is still there")
			}
			if found := holding(t, w.dir, map[string][]byte{"portrait": portrait[len(portrait)/2 : len(portrait)/2+32]}); len(found) > 0 {
				t.Errorf("can be read: %v", found)
			}
			if rep, err := w.s.VerifyPackets(ctx); err != nil || rep.Whole != 1 || len(rep.Bad) > 0 {
				t.Errorf("%+v %v", rep, err)
			}
		})
	}
}

func TestRefundsAreListedWithTheirReasons(t *testing.T) {
	w := newWorld(t)
	k, ctx := w.kiosk(), t.Context()
	paid := map[string]string{} // reason → order
	pay := func(why string, n int) (session ulid.ULID) {
		session = ulid.Make()
		b := w.browser()
		b.get("/k/" + k.token(session, time.Hour))
		b.identify(w.student(refOf(studentA(n))))
		b.post("/m/pay", nil)
		b.want(200, b.post("/m/sandbox", nil))
		os, err := w.s.Orders(ctx, "")
		must(t, err)
		for _, o := range os {
			if o.StudentRef == refOf(studentA(n)) {
				paid[why] = o.ID
			}
		}
		return session
	}
	other := pay(RefundMismatch, 1)
	k.send(k.seal(studentA(9), inSession(other.String())))
	pay(RefundWithdrawn, 2)
	must(t, w.s.EraseStudent(ctx, refOf(studentA(2)), "test"))
	pay("", 3)
	k.send(k.seal(studentA(3)))
	pay(RefundNoPhoto, 4)

	admin := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	admin.want(200, admin.get("/admin/refunds"), refundReasons[RefundMismatch].ZH, refundReasons[RefundWithdrawn].ZH)
	look := func() map[string]string {
		open, fine, _, err := w.s.refundRows(ctx, staffSession{})
		must(t, err)
		got := map[string]string{}
		for _, r := range append(open, fine...) {
			got[r.ID] = r.Why
		}
		return got
	}
	if got := look(); got[paid[RefundNoPhoto]] != "" {
		t.Error("a student who may still come is listed")
	}
	w.clock.add(100 * 24 * time.Hour) // the batch has closed
	got := look()
	for why, id := range paid {
		if got[id] != why {
			t.Errorf("%s is listed for %q", why, got[id])
		}
	}
	admin = w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	admin.get("/admin/refunds")
	for why, id := range paid {
		if why == "" {
			continue
		}
		admin.want(200, admin.post("/admin/orders/"+id+"/refund", url.Values{"why": {why}}), "已退款", w.demo.ReviewerUser)
		if got := w.said("order.refunded", id); len(got) != 1 {
			t.Errorf("%s on record: %v", why, got)
		}
	}
	admin.want(422, admin.post("/admin/orders/"+paid[""]+"/refund", url.Values{"why": {"because"}}))
}

func TestStudentsAreFoundAndErased(t *testing.T) {
	w := newWorld(t)
	admin := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	st := w.student(refOf(studentA(1)))
	admin.want(200, admin.get("/admin/students"))
	for what, text := range map[string]string{
		"number": st.IDNumber, "number as typed": strings.ToLower(st.IDNumber[:6] + " " + st.IDNumber[6:]),
		"student number": st.StudentNo, "name": st.Name, "beginning of the name": string([]rune(st.Name)[:3]),
	} {
		admin.want(200, admin.post("/admin/students", url.Values{"text": {text}}), "/admin/students/"+st.Ref+"/erase")
		if strings.Contains(strings.ReplaceAll(admin.page, `value="`+text+`"`, ""), st.IDNumber) {
			t.Errorf("%s: the page tells the whole number", what)
		}
	}
	admin.want(200, admin.post("/admin/students", url.Values{"text": {"没有此人"}}), "没有找到")
	admin.want(422, admin.post("/admin/students", url.Values{"text": {"a\x00b"}}))
	if len(w.said("student.searched", "")) < 5 {
		t.Error("searches are not on record")
	}
	trail, err := w.s.AuditTrail(t.Context(), 100)
	must(t, err)
	for _, e := range trail {
		if strings.Contains(e.Detail, st.IDNumber) || strings.Contains(e.Detail, st.Name) {
			t.Error("the audit log says who was searched for")
		}
	}
	admin.want(200, admin.post("/admin/students/"+st.Ref+"/remove", nil), "已移出名单")
	admin.want(200, admin.post("/admin/students/"+st.Ref+"/erase", nil), "彻底删除")
	admin.want(422, admin.post("/admin/students/"+st.Ref+"/erase", nil), "没有找到")
	admin.want(200, admin.post("/admin/students", url.Values{"text": {st.IDNumber}}), "没有找到")
}

func TestReviewersFindPhotos(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	p := k.seal(studentA(1))
	k.send(p)
	st, path := w.student(refOf(studentA(1))), "/review/"+p.ID.String()
	all := w.staffOf(RoleReviewer, "anna")["anna"]
	for _, text := range []string{st.IDNumber, st.StudentNo, st.Name} {
		all.want(200, all.post("/review/find", url.Values{"text": {text}}), "查找结果", path)
		all.lacks(st.IDNumber)
	}
	all.want(200, all.post("/review/find", url.Values{"text": {w.student(refOf(studentA(2))).IDNumber}}), "这里没有照片")
	all.want(422, all.post("/review/find", url.Values{"text": {"\x01"}}))
	if got := w.said("student.searched", ""); len(got) != 4 || got[0] != "anna" {
		t.Errorf("on record: %v", got)
	}
	must(t, w.s.PutUser(t.Context(), "limited", "long enough password", []string{RoleReviewer}, []string{DemoBatchFree}, "test"))
	limited := w.staffBrowser("limited", "long enough password")
	limited.want(200, limited.post("/review/find", url.Values{"text": {st.IDNumber}}), "这里没有照片")
	limited.lacks(p.ID.String())
}

func TestRulesOfABatch(t *testing.T) {
	w := newWorld(t)
	admin := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	admin.want(200, admin.get("/admin/batches/"+DemoBatchPaid), "双人审核")
	form := url.Values{}
	for name, m := range map[string]string{"id": DemoBatchPaid, "spec": "chsi", "school": "演示大学", "title": "甲", "policy": "before_submit", "price": "25", "opens": "2026-08-01", "closes": "2026-12-01", "review_days": "2", "retain_days": "30", "contact": "x", "consent_version": "1", "purge_days": "90", "four_eyes": "1", "export_first": "1"} {
		form.Set(name, m)
	}
	admin.want(200, admin.post("/admin/batches", form))
	if r, err := w.s.Rules(t.Context(), DemoBatchPaid); err != nil || r != (BatchRules{FourEyes: true, PurgeDays: 90, ExportFirst: true}) {
		t.Errorf("%+v %v", r, err)
	}
	form.Set("purge_days", "-1")
	admin.want(422, admin.post("/admin/batches", form), "purge_days")
	if err := w.s.PutRules(t.Context(), "none", BatchRules{FourEyes: true}, "test"); !errors.Is(err, ErrNotFound) {
		t.Errorf("rules of no batch: %v", err)
	}
}

// TestAnAdministratorOfOneBatch sees and changes nothing of another.
func TestAnAdministratorOfOneBatch(t *testing.T) {
	w := newWorld(t)
	k, ctx := w.kiosk(), t.Context()
	w.approvedPhotos(k, 1)
	st := w.student(refOf(studentA(1)))
	phone := w.browser()
	phone.get("/k/" + k.token(ulid.Make(), time.Hour))
	phone.identify(st)
	phone.post("/m/pay", nil)
	phone.want(200, phone.post("/m/sandbox", nil))
	orders, err := w.s.Orders(ctx, "")
	must(t, err)
	x, err := w.s.AskExport(ctx, DemoBatchPaid, "{ref}", "学校", "anna")
	must(t, err)
	p := stranger(DemoBatchPaid)
	k.send(k.seal(DemoBatchPaid+"/"+p.Ref, added(p)))
	for _, u := range []struct{ name, batch string }{{"mine", DemoBatchPaid}, {"other", DemoBatchFree}} {
		must(t, w.s.PutUser(ctx, u.name, "long enough password", []string{RoleAdmin}, []string{u.batch}, "test"))
	}
	mine, other := w.staffBrowser("mine", "long enough password"), w.staffBrowser("other", "long enough password")

	for path, shows := range map[string]string{
		"/admin": "演示批次甲", "/admin/exports": x.AskedBy, "/admin/refunds": "25.00", "/admin/provisional": p.Name,
	} {
		mine.want(200, mine.get(path), shows)
		other.want(200, other.get(path))
		other.lacks(shows)
	}
	mine.want(200, mine.get("/admin/batches/"+DemoBatchPaid))
	other.want(404, other.get("/admin/batches/"+DemoBatchPaid))
	mine.want(404, mine.get("/admin/batches/new"))
	for _, b := range []*browser{mine, other} {
		b.want(403, b.get("/admin/audit"))
		b.get("/admin")
		b.lacks("RECOVERY-IDENTITY", k.info.StationID)
		for path, form := range map[string]url.Values{
			"/admin/users": {"user": {"new"}, "password": {"long enough password"}, "role": {"admin"}}, "/admin/users/mine/disable": nil,
			"/admin/stations/" + k.info.StationID + "/revoke": nil, "/admin/stations/" + k.info.StationID + "/batches": {"batch": {DemoBatchFree}},
			"/admin/purge": nil, "/admin/erasures/" + x.ID: nil,
		} {
			b.want(403, b.post(path, form))
		}
	}
	other.want(200, other.post("/admin/students", url.Values{"text": {st.IDNumber}}), "没有找到")
	for path, form := range map[string]url.Values{
		"/admin/students/" + st.Ref + "/erase": nil, "/admin/students/" + st.Ref + "/remove": nil,
		"/admin/exports": {"batch": {DemoBatchPaid}, "names": {"{ref}"}, "purpose": {"x"}}, "/admin/exports/" + x.ID + "/decide": {"decision": {"confirm"}},
		"/admin/exports/" + x.ID + "/fetch": nil, "/admin/orders/" + orders[0].ID + "/refund": {"why": {RefundAsked}},
		"/admin/provisional/" + p.Ref: {"decision": {DecideAccept}}, "/admin/codes": {"batch": {DemoBatchPaid}, "days": {"1"}},
	} {
		other.want(422, other.post(path, form), "没有找到")
	}
	other.want(422, other.upload("/admin/roster", DemoBatchPaid, []byte("姓名,证件号码\n")), "没有找到")
	if o, err := w.s.Orders(ctx, ""); err != nil || o[0].State != wire.PaymentPaid || w.student(st.Ref).Name != st.Name {
		t.Errorf("something was changed: %+v %v", o, err)
	}
	// A code without a choice is for the own batches and not for all.
	w.clock.add(time.Second)
	other.want(200, other.post("/admin/codes", url.Values{"days": {"1"}}), "注册码")
	codes, err := w.s.Codes(ctx)
	must(t, err)
	if len(codes[0].Batches) != 1 || codes[0].Batches[0] != DemoBatchFree {
		t.Errorf("a code for %v", codes[0].Batches)
	}
	mine.get("/admin/exports")
	mine.want(200, mine.post("/admin/exports/"+x.ID+"/decide", url.Values{"decision": {"confirm"}}), "已确认")
	mine.want(200, mine.post("/admin/students/"+st.Ref+"/erase", nil), "彻底删除")
}
