package central

import (
	"bytes"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// browser keeps cookies and follows redirects like one.
type browser struct {
	w    *world
	c    *http.Client
	page string // the last page
	csrf string // of the last page that had forms
	resp *http.Response
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w: w, c: &http.Client{Jar: jar}}
}

func (b *browser) take(resp *http.Response, err error) int {
	b.w.t.Helper()
	if err != nil {
		b.w.t.Fatal(err)
	}
	b.resp = resp
	b.page = string(readAll(b.w.t, resp))
	if m := csrfField.FindStringSubmatch(b.page); m != nil {
		b.csrf = m[1]
	}
	return resp.StatusCode
}

func (b *browser) get(path string) int {
	b.w.t.Helper()
	return b.take(b.c.Get(b.w.http.URL + path))
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// post sends a form with the token of the last page that had one.
func (b *browser) post(path string, form url.Values) int {
	b.w.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	if !form.Has("csrf") {
		form.Set("csrf", b.csrf)
	}
	return b.take(b.c.PostForm(b.w.http.URL+path, form))
}

func (b *browser) want(status int, got int, texts ...string) {
	b.w.t.Helper()
	if got != status {
		b.w.t.Fatalf("status %d, want %d\n%s", got, status, b.page)
	}
	for _, t := range texts {
		if !strings.Contains(b.page, t) {
			b.w.t.Fatalf("page lacks %q\n%s", t, b.page)
		}
	}
}

func (b *browser) lacks(texts ...string) {
	b.w.t.Helper()
	for _, t := range texts {
		if strings.Contains(b.page, t) {
			b.w.t.Fatalf("page must not show %q\n%s", t, b.page)
		}
	}
}

// token is the QR that a kiosk shows.
func (k *kiosk) token(session ulid.ULID, ttl time.Duration) string {
	k.w.t.Helper()
	tok, err := claim.Mint(k.info.ClaimKey, k.info.StationID, session, k.w.clock.now().Add(ttl))
	if err != nil {
		k.w.t.Fatal(err)
	}
	return tok
}

// identify fills in the phone's form for a demonstration student.
func (b *browser) identify(s wire.Student) int {
	b.w.t.Helper()
	return b.post("/m/identify", url.Values{"id_type": {string(s.IDType)}, "id_number": {s.IDNumber}, "name": {s.Name}})
}

func TestPhoneFromTheCodeToTheApprovedPhoto(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	st := w.student(refOf(studentA(1)))
	session := ulid.Make()
	state := func() wire.ClaimState {
		var c wire.ClaimState
		k.call(http.MethodGet, "/v1/claims/"+session.String(), nil, wire.TypeClaim, &c)
		return c
	}
	if c := state(); c.Linked || c.MatchNumber != "" {
		t.Fatalf("before the phone: %+v", c)
	}
	b := w.browser()
	tok := k.token(session, time.Hour)
	b.want(200, b.get("/k/"+tok), "核对身份")
	if got := b.resp.Request.URL.Path; got != "/m/" {
		t.Fatalf("the token is still in the address: %s", got)
	}
	if h := b.resp.Header; h.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("Cache-Control") != "no-store" {
		t.Fatalf("headers %v", h)
	}
	if c := state(); !c.Linked || c.StudentRef != "" {
		t.Fatalf("linked, nobody yet: %+v", c)
	}

	wrong := st
	wrong.Name = "别人"
	b.want(200, b.identify(wrong), "未找到匹配的采集资格")
	generic := b.page
	wrong = st
	wrong.IDNumber = "110105194912310029"
	b.want(200, b.identify(wrong), "未找到匹配的采集资格")
	if csrfField.ReplaceAllString(generic, "") != csrfField.ReplaceAllString(b.page, "") {
		t.Fatal("the answer tells a wrong name from a wrong number")
	}

	typed := st
	typed.IDNumber = " " + strings.ToLower(st.IDNumber[:6]) + " " + st.IDNumber[6:]
	b.want(200, b.identify(typed), "请把核对码告诉工作人员", "25.00", "去缴费", "一次缴费")
	b.lacks(st.IDNumber, ">"+st.Name+"<")
	match := claim.MatchNumber(k.info.ClaimKey, session)
	b.want(200, 200, match)
	if c := state(); c.StudentRef != st.Ref || c.MatchNumber != match || c.Payment != wire.PaymentUnpaid {
		t.Fatalf("identified: %+v", c)
	}

	b.want(200, b.post("/m/pay", nil), "沙箱", "不会真正扣款", "25.00")
	b.want(200, b.post("/m/pay", nil), "沙箱") // gone back and pressed again
	b.want(200, b.post("/m/sandbox", nil), "已缴费", claim.ConfirmationCode(k.info.ReceiptKey, claim.Order{Batch: DemoBatchPaid, StudentRef: st.Ref}, session))
	if c := state(); c.Payment != wire.PaymentPaid || c.OrderID == "" {
		t.Fatalf("paid: %+v", c)
	}
	b.want(200, b.post("/m/pay", nil)) // pressed twice
	if os, err := w.s.Orders(t.Context(), ""); err != nil || len(os) != 1 || os[0].State != wire.PaymentPaid || os[0].AmountFen != 2500 {
		t.Fatalf("orders %+v %v", os, err)
	}
	b.want(404, b.get("/m/portrait.jpg"))

	p := k.seal(studentA(1), inSession(session.String()))
	k.send(p)
	b.want(200, b.get("/m/"), "照片审核中", "/m/portrait.jpg")
	b.want(200, b.get("/m/portrait.jpg"))
	if _, err := jpeg.Decode(strings.NewReader(b.page)); err != nil {
		t.Fatal(err)
	}
	b.want(200, b.get("/m/"))
	b.want(200, b.post("/m/change", nil), "已申请重拍")
	if row, _ := w.s.Packet(t.Context(), p.ID.String()); !row.ChangeRequested {
		t.Fatal("the request for a change is not with the packet")
	}
	if err := w.s.Approve(t.Context(), p.ID.String(), "rev"); err != nil {
		t.Fatal(err)
	}
	b.want(200, b.get("/m/"), "照片已通过审核")
	b.want(200, b.post("/m/change", nil), "照片已通过审核")

	// A phone of another visit sees the state and not the picture.
	b2 := w.browser()
	b2.want(200, b2.get("/k/"+k.token(ulid.Make(), time.Hour)))
	b2.want(200, b2.identify(st), "照片已通过审核")
	b2.lacks("/m/portrait.jpg")
	b2.want(404, b2.get("/m/portrait.jpg"))
}

func TestTokensThatDoNotBind(t *testing.T) {
	w := newWorld(t)
	k, revoked := w.kiosk(), w.kiosk()
	session := ulid.Make()
	good := k.token(session, time.Hour)

	first, second := w.browser(), w.browser()
	if resp, err := first.c.Head(w.http.URL + "/k/" + good); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Fatalf("HEAD: %v %v", resp, err)
	}
	first.want(200, first.get("/k/"+good), "核对身份")
	second.want(403, second.get("/k/"+good), "另一部手机")
	second.want(401, second.get("/m/"), "扫描")
	first.want(200, first.get("/k/"+good), "核对身份") // the same phone again

	flipped := []byte(good)
	flipped[20] ^= 1
	if err := w.s.RevokeStation(t.Context(), revoked.info.StationID, "test"); err != nil {
		t.Fatal(err)
	}
	for name, tok := range map[string]string{"changed": string(flipped), "nonsense": "x", "revoked station": revoked.token(session, time.Hour)} {
		b := w.browser()
		if got := b.get("/k/" + tok); got != 404 {
			t.Errorf("%s: %d", name, got)
		}
	}
	late := k.token(ulid.Make(), time.Minute)
	w.clock.add(2 * time.Minute)
	b := w.browser()
	b.want(410, b.get("/k/"+late), "已过期")
	// A bound phone stays bound after the token has expired, but not for ever.
	first.want(200, first.get("/m/"))
	w.clock.add(phoneTTL)
	first.want(401, first.get("/m/"))
}

func TestPhoneFormsNeedTheirToken(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	b := w.browser()
	b.get("/k/" + k.token(ulid.Make(), time.Hour))
	for _, path := range []string{"/m/identify", "/m/choose", "/m/restart", "/m/pay", "/m/sandbox", "/m/change"} {
		if got := b.post(path, url.Values{"csrf": {"wrong"}}); got != 403 {
			t.Errorf("%s with a wrong token: %d", path, got)
		}
	}
}

func TestGuessingAtThePhoneEnds(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	b := w.browser()
	b.get("/k/" + k.token(ulid.Make(), time.Hour))
	guess := url.Values{"id_type": {"resident"}, "id_number": {"11010519491231002X"}, "name": {"甲"}}
	for range identifyRate.burst {
		b.want(200, b.post("/m/identify", guess))
	}
	b.want(429, b.post("/m/identify", guess))
	for range maxIdentify - identifyRate.burst {
		w.clock.add(identifyRate.interval)
		b.want(200, b.post("/m/identify", guess))
	}
	w.clock.add(time.Hour)
	b.want(403, b.identify(w.student(refOf(studentA(1)))), "到现场由工作人员协助")
}

func TestNamesAsPeopleTypeThem(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"测试古丽·演示买买提", "测试古丽•演示买买提", true},
		{"测试古丽·演示买买提", " 测试古丽．演示买买提", true},
		{"DEMO STUDENT", "demo  student", true},
		{"测试甲一", "测试甲 一", true},
		{"测试甲一", "测试甲二", false},
		{"测试·甲", "测试甲", false},
	} {
		if got := normalName(tc.a) == normalName(tc.b); got != tc.same {
			t.Errorf("%q and %q: %v", tc.a, tc.b, got)
		}
	}
}

func TestPersonWithTwoRecordsChooses(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	b := w.browser()
	session := ulid.Make()
	b.get("/k/" + k.token(session, time.Hour))
	st := w.student(refOf(studentA(105)))
	b.want(200, b.identify(st), "请选择采集项目", "本科", "硕士")
	b.want(200, b.post("/m/choose", url.Values{"ref": {refOf(studentA(1))}}), "请选择采集项目") // not theirs
	b.want(200, b.post("/m/choose", url.Values{"ref": {st.Ref}}), "硕士", "核对码")
	b.want(200, b.post("/m/restart", nil), "核对身份")
}

func TestPhoneOfAnotherStudentHoldsThePacket(t *testing.T) {
	for name, phoneFirst := range map[string]bool{"phone first": true, "packet first": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			k := w.kiosk()
			session := ulid.Make()
			b := w.browser()
			b.get("/k/" + k.token(session, time.Hour))
			p := k.seal(studentA(1), inSession(session.String()))
			id := p.ID.String()
			steps := []func(){func() { b.want(200, b.identify(w.student(refOf(studentA(2))))) }, func() { k.send(p) }}
			if !phoneFirst {
				steps[0], steps[1] = steps[1], steps[0]
			}
			for _, s := range steps {
				s()
			}
			b.want(200, b.get("/m/"), "请联系现场工作人员")
			b.lacks("/m/portrait.jpg")
			b.want(404, b.get("/m/portrait.jpg"))
			if err := w.s.Approve(t.Context(), id, "rev"); err == nil {
				t.Fatal("a held packet was approved")
			}
			if err := w.s.Release(t.Context(), id, "rev"); err != nil {
				t.Fatal(err)
			}
			if err := w.s.Approve(t.Context(), id, "rev"); err != nil {
				t.Fatal(err)
			}
			b.want(404, b.get("/m/portrait.jpg"))
		})
	}
}

func (w *world) staffBrowser(user, password string) *browser {
	w.t.Helper()
	b := w.browser()
	b.get("/login")
	b.want(200, b.post("/login", url.Values{"user": {user}, "password": {password}}), "退出")
	return b
}

func TestReviewerWorksThroughTheQueue(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	var ids []string
	for n := 1; n <= 3; n++ {
		p := k.seal(studentA(n))
		k.send(p)
		ids = append(ids, p.ID.String())
		w.clock.add(time.Second)
	}
	b := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	st := w.student(refOf(studentA(1)))
	b.want(200, b.get("/review"), "待审核", "1 项注意")
	b.lacks(st.IDNumber, ">"+st.Name+"<")
	b.want(200, b.get("/review/next"), "/review/"+ids[0]+"/portrait.jpg", "/review/"+ids[0]+"/original.jpg", "清晰度", "41.5")
	for _, pic := range []string{"portrait", "original"} {
		page := b.page
		b.want(200, b.get("/review/"+ids[0]+"/"+pic+".jpg"))
		if b.resp.Header.Get("Content-Type") != "image/jpeg" {
			t.Fatal(b.resp.Header)
		}
		b.page = page
	}
	b.want(200, b.post("/review/"+ids[0]+"/approve", nil), "/review/"+ids[1]+"/portrait.jpg") // the next, by itself
	b.want(200, b.post("/review/"+ids[1]+"/reject", url.Values{"reason": {"blur"}, "note": {"请重拍"}}), "/review/"+ids[2]+"/portrait.jpg")
	b.want(422, b.post("/review/"+ids[2]+"/reject", url.Values{"reason": {"other"}}), "填写的内容有误")
	b.want(200, b.get("/review/"+ids[0]), "已通过的照片不可更改")
	b.want(403, b.post("/review/"+ids[0]+"/reject", url.Values{"reason": {"blur"}, "csrf": {"x"}}))
	b.get("/review/" + ids[2])
	b.want(409, b.post("/review/"+ids[0]+"/reject", url.Values{"reason": {"blur"}}), "不可更改")
	b.want(200, b.get("/admin/audit"), "photo.viewed", "日志链完整")
	b.want(200, b.get("/review/"+ids[2]))
	b.want(200, b.post("/logout", nil), "登录")
	b.want(200, b.get("/review/"+ids[2]), "登录")
	b.lacks("portrait.jpg")
}

func TestConflictIsShownSideBySide(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	p1, p2 := k.seal(studentA(1)), k.seal(studentA(1))
	k.send(p1)
	k.send(p2)
	b := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	b.want(200, b.get("/review?status=conflict"), p1.ID.String(), p2.ID.String())
	b.want(200, b.get("/review/"+p1.ID.String()), p1.ID.String()+"/portrait.jpg", p2.ID.String()+"/portrait.jpg", "保留这张并通过")
}

func TestReviewerSeesOwnBatchesOnly(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	p := k.seal(studentA(1))
	k.send(p)
	if err := w.s.PutUser(t.Context(), "limited", "long enough password", []string{RoleReviewer}, []string{DemoBatchFree}, "test"); err != nil {
		t.Fatal(err)
	}
	b := w.staffBrowser("limited", "long enough password")
	b.lacks(p.ID.String())
	for _, path := range []string{"/review/" + p.ID.String(), "/review/" + p.ID.String() + "/portrait.jpg"} {
		b.want(404, b.get(path))
	}
	b.want(403, b.get("/admin"))
	b.get("/review")
	b.want(404, b.post("/review/"+p.ID.String()+"/approve", nil))
}

func TestLoginLocksAfterFiveWrongPasswords(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	try := func(user, password string) int {
		return b.post("/login", url.Values{"user": {user}, "password": {password}})
	}
	for range maxFailedLogins {
		b.want(401, try(w.demo.ReviewerUser, "wrong"))
	}
	wrong := b.page
	b.want(401, try(w.demo.ReviewerUser, w.demo.ReviewerPassword))
	if b.page != wrong {
		t.Error("a locked account answers differently")
	}
	b.want(401, try("nobody", "wrong"))
	w.clock.add(lockoutTime)
	b.want(200, try(w.demo.ReviewerUser, w.demo.ReviewerPassword), "退出")
	w.clock.add(loginIdle + time.Second)
	b.want(200, b.get("/review"), "登录")
	b.lacks("退出")
}

func (b *browser) upload(path, batch string, file []byte) int {
	b.w.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for k, v := range map[string]string{"batch": batch, "csrf": b.csrf} {
		if err := m.WriteField(k, v); err != nil {
			b.w.t.Fatal(err)
		}
	}
	f, err := m.CreateFormFile("file", "roster.csv")
	if err != nil {
		b.w.t.Fatal(err)
	}
	if _, err := f.Write(file); err != nil {
		b.w.t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		b.w.t.Fatal(err)
	}
	return b.take(b.c.Post(b.w.http.URL+path, m.FormDataContentType(), &body))
}

func TestAdministrator(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	b := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	b.want(200, b.get("/admin/batches/new"), "新建采集批次")
	form := url.Values{
		"new": {"1"}, "id": {"spring"}, "school": {"演示学院"}, "title": {"春季采集"}, "spec": {"chsi"}, "policy": {"before_capture"},
		"price": {"12.5"}, "opens": {"2026-03-01"}, "closes": {"2026-04-01"}, "review_days": {"5"}, "retain_days": {"90"}, "contact": {"客服"}, "consent_version": {"1"},
	}
	b.want(200, b.post("/admin/batches", form), "春季采集", "¥12.50")
	b.want(200, b.get("/admin/batches/new"))
	b.want(422, b.post("/admin/batches", form), "there is a batch with this id")
	form.Set("id", "summer")
	form.Set("price", "1,5")
	b.want(422, b.post("/admin/batches", form), "price")

	b.get("/admin")
	b.want(200, b.post("/admin/codes", url.Values{"batch": {"spring"}, "days": {"3"}}), w.s.Fingerprint(), "只显示一次")
	b.want(422, b.post("/admin/codes", url.Values{"days": {"0"}}))
	b.want(200, b.upload("/admin/roster", "spring", []byte("姓名,证件类型,证件号码\n测试丙,护照,X123456\n")), "新增 1")
	b.want(422, b.upload("/admin/roster", "spring", []byte("姓名,证件号码\n测试丁,11010519491231002X\n测试戊,110105194912310021\n")), "第 3 行", "未导入任何学生")
	b.lacks("110105194912310021")
	if st, err := w.s.Students(t.Context(), "spring"); err != nil || len(st) != 1 {
		t.Fatalf("half an import: %d students, %v", len(st), err)
	}
	b.want(200, b.post("/admin/users", url.Values{"user": {"wang"}, "password": {"a long password"}, "role": {"reviewer"}}), "wang")
	b.want(422, b.post("/admin/users", url.Values{"user": {"li"}, "password": {"short"}, "role": {"reviewer"}}))
	b.want(200, b.post("/admin/users/wang/disable", nil), "已停用")
	b.want(422, b.post("/admin/users/"+w.demo.ReviewerUser+"/disable", nil), "last administrator")
	b.want(200, b.post("/admin/stations/"+k.info.StationID+"/batches", url.Values{"batch": {"spring"}}), "站点批次已更新")
	b.want(200, b.post("/admin/stations/"+k.info.StationID+"/revoke", nil), "已吊销")
}

func TestRefund(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	b := w.browser()
	b.get("/k/" + k.token(ulid.Make(), time.Hour))
	st := w.student(refOf(studentA(1)))
	b.identify(st)
	b.post("/m/pay", nil)
	b.post("/m/sandbox", nil)
	os, err := w.s.Orders(t.Context(), DemoBatchPaid)
	if err != nil || len(os) != 1 {
		t.Fatalf("%+v %v", os, err)
	}
	admin := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	admin.get("/admin")
	admin.want(200, admin.post("/admin/orders/"+os[0].ID+"/refund", url.Values{"why": {RefundAsked}}), "已退款", "学生现场申请")
	admin.want(422, admin.post("/admin/orders/"+os[0].ID+"/refund", url.Values{"why": {RefundAsked}}))
	if got := w.student(st.Ref).Payment; got != wire.PaymentRefunded {
		t.Fatalf("payment is %s", got)
	}
	// The price somebody has seen cannot change.
	batches, err := w.s.Batches(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	batches[0].PriceFen++
	if err := w.s.PutBatch(t.Context(), batches[0], "test"); err == nil {
		t.Fatal("the price of a paid batch changed")
	}
}
