package wechatpay

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/uplink"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// phone is a student's browser at a central server that takes money through
// WeChat Pay.
type phone struct {
	t      *testing.T
	double *double
	srv    *central.Server
	web    *httptest.Server
	client *http.Client
	agent  string
	page   string
}

const weChatAgent = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 MicroMessenger/8.0.50"

// linkedPhone has scanned the code of a booth and said who it is.
func linkedPhone(t *testing.T, agent string) (*phone, wire.Student) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	d, c := newDouble(t, time.Now)
	provider, err := New(c)
	must(err)
	srv, err := central.Open(t.TempDir(), central.Options{PublicURL: c.PublicURL, Payment: provider, Logger: slog.New(slog.DiscardHandler)})
	must(err)
	t.Cleanup(func() { must(srv.Close()) })
	plain := httptest.NewServer(srv.Handler()) // for the station: this machine
	t.Cleanup(plain.Close)
	web := httptest.NewTLSServer(srv.Handler())
	t.Cleanup(web.Close)
	info, err := srv.SeedDemo(t.Context())
	must(err)
	store, err := keys.Open(filepath.Join(t.TempDir(), "keys"))
	must(err)
	enrolment, err := uplink.Enroll(t.Context(), uplink.EnrollParams{Keys: store, URL: plain.URL, Code: info.EnrolCode, Name: "t"})
	must(err)
	token, err := claim.Mint(enrolment.Enrolled.ClaimKey, enrolment.Enrolled.StationID, ulid.Make(), time.Now().Add(time.Hour))
	must(err)
	jar, err := cookiejar.New(nil)
	must(err)
	client := web.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ph := &phone{t: t, double: d, srv: srv, web: web, client: client, agent: agent}
	students, err := srv.Students(t.Context(), central.DemoBatchPaid)
	must(err)
	ph.get("/k/" + token)
	ph.get("/m/")
	st := students[0]
	ph.post("/m/identify", url.Values{"id_type": {string(st.IDType)}, "id_number": {st.IDNumber}, "name": {st.Name}})
	ph.get("/m/")
	if !strings.Contains(ph.page, "去缴费") {
		t.Fatalf("not linked:\n%s", ph.page)
	}
	return ph, st
}

func (p *phone) do(req *http.Request) *http.Response {
	p.t.Helper()
	req.Header.Set("User-Agent", p.agent)
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		p.t.Fatal(err)
	}
	p.page = string(b)
	return resp
}

func (p *phone) get(path string) *http.Response {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.web.URL+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.do(req)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (p *phone) post(path string, form url.Values) *http.Response {
	p.t.Helper()
	m := csrfField.FindStringSubmatch(p.page)
	if m == nil {
		p.t.Fatalf("no form on\n%s", p.page)
	}
	form.Set("csrf", m[1])
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.web.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.do(req)
}

// order is the only one there is.
func (p *phone) order() central.Order {
	p.t.Helper()
	all, err := p.srv.Orders(p.t.Context(), "")
	if err != nil || len(all) != 1 {
		p.t.Fatalf("%d orders, %v", len(all), err)
	}
	return all[0]
}

// notify sends a notification as WeChat Pay does and returns the status.
func (p *phone) notify(h http.Header, body []byte) int {
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.web.URL+NotifyPath, bytes.NewReader(body))
	if err != nil {
		p.t.Error(err)
		return 0
	}
	req.Header = h.Clone()
	resp, err := p.web.Client().Do(req)
	if err != nil {
		p.t.Error(err)
		return 0
	}
	if err := resp.Body.Close(); err != nil {
		p.t.Error(err)
	}
	return resp.StatusCode
}

func (p *phone) booked() int {
	p.t.Helper()
	lines, err := p.srv.AuditTrail(p.t.Context(), 1000)
	if err != nil {
		p.t.Fatal(err)
	}
	n := 0
	for _, l := range lines {
		if l.Action == "order.paid" {
			n++
		}
	}
	return n
}

func TestPayInAnyBrowserAndHearItByNotification(t *testing.T) {
	p, st := linkedPhone(t, "Mozilla/5.0 (iPhone)")
	resp := p.post("/m/pay", url.Values{})
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Referrer-Policy") != "origin" || !strings.Contains(resp.Header.Get("Refresh"), "https://wx.tenpay.example/pay") {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	o := p.order()
	early, earlyBody := p.double.notification(o.ID) // before anybody paid: it changes nothing
	if s := p.notify(early, earlyBody); s != http.StatusNoContent || p.order().State != wire.PaymentUnpaid {
		t.Fatalf("status %d, order %s", s, p.order().State)
	}
	p.double.pay(o.ID)
	forged, body := p.double.notification(o.ID)
	forged.Set("Wechatpay-Nonce", "another")
	if s := p.notify(forged, body); s != http.StatusUnauthorized || p.order().State != wire.PaymentUnpaid {
		t.Fatalf("a forged notification: status %d, order %s", s, p.order().State)
	}

	// Everything that WeChat Pay sends in a day, at once and out of order.
	h, body := p.double.notification(o.ID)
	var all sync.WaitGroup
	for i := range 15 {
		all.Go(func() {
			header, said := h, body
			if i%5 == 4 {
				header, said = early, earlyBody
			}
			if s := p.notify(header, said); s != http.StatusNoContent {
				t.Errorf("notification %d: status %d", i, s)
			}
		})
	}
	all.Wait()
	if o = p.order(); o.State != wire.PaymentPaid || o.Reference != "42000"+o.ID {
		t.Fatalf("%+v", o)
	}
	if n := p.booked(); n != 1 {
		t.Errorf("booked %d times", n)
	}
	students, err := p.srv.Students(t.Context(), st.Batch)
	if err != nil || students[0].Payment != wire.PaymentPaid {
		t.Errorf("the student is %s, %v", students[0].Payment, err)
	}
	if s := p.notify(p.double.notification("01K3ZJ8Q0V6M2E7C9T4R5W1XYB")); s != http.StatusNoContent {
		t.Errorf("an order of somebody else: status %d", s)
	}
	if err := p.srv.Refund(t.Context(), o.ID, central.RefundAsked, "admin"); err != nil || p.order().State != wire.PaymentRefunded {
		t.Errorf("refund: %v", err)
	}
	if s := p.notify(h, body); s != http.StatusNoContent || p.order().State != wire.PaymentRefunded || p.booked() != 1 {
		t.Errorf("a notification after the refund: %d, %s", s, p.order().State)
	}
}

func TestPayInsideWeChat(t *testing.T) {
	p, _ := linkedPhone(t, weChatAgent)
	resp := p.post("/m/pay", url.Values{})
	if resp.Header.Get("Location") != central.InWeChatPath {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	resp = p.get(central.InWeChatPath)
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || to.Path != "/connect/oauth2/authorize" || to.Query().Get("redirect_uri") != "https://central.example/m/wechat" {
		t.Fatalf("%v %v", to, err)
	}
	state := to.Query().Get("state")
	if resp = p.get(central.InWeChatPath + "?code=good&state=another"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("somebody else's way back: %d", resp.StatusCode)
	}
	if resp = p.get(central.InWeChatPath + "?code=bad&state=" + url.QueryEscape(state)); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("a bad code: %d", resp.StatusCode)
	}
	resp = p.get(central.InWeChatPath + "?code=good&state=" + url.QueryEscape(state))
	if resp.StatusCode != http.StatusOK || !strings.Contains(p.page, "prepay_id=wx"+p.order().ID) || !strings.Contains(p.page, "wechat.js") {
		t.Fatalf("%d\n%s", resp.StatusCode, p.page)
	}
	p.double.pay(p.order().ID)
	p.get("/m/") // back from the cashier, before any notification
	if o := p.order(); o.State != wire.PaymentPaid {
		t.Errorf("%+v", o)
	}
	if resp = p.get(central.InWeChatPath); resp.Header.Get("Location") != "/m/" {
		t.Errorf("paid already: %d %v", resp.StatusCode, resp.Header)
	}
}
