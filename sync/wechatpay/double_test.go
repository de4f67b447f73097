package wechatpay

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// double is WeChat Pay as its published protocol describes it, for one
// merchant: it checks every request's signature and signs every answer.
type double struct {
	t        *testing.T
	web      *httptest.Server
	platform *rsa.PrivateKey
	merchant *rsa.PublicKey
	apiKey   []byte
	now      func() time.Time

	mu      sync.Mutex
	prepaid map[string]prepay
	paid    map[string]bool
	refunds map[string]int // refund number → times asked
	// mangle changes an answer after it was signed.
	mangle func(path string, body []byte) []byte
	// over replaces fields of a transaction.
	over func(*transaction)
}

const (
	testApp    = "wx0123456789abcdef"
	testMch    = "1900000001"
	testSerial = "PUB_KEY_ID_TEST"
	testOpen   = "oTestOpenID"
)

func newDouble(t *testing.T, now func() time.Time) (*double, Config) {
	t.Helper()
	platform, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	merchant, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	d := &double{
		t: t, platform: platform, merchant: &merchant.PublicKey, apiKey: []byte(strings.Repeat("k", 32)), now: now,
		prepaid: map[string]prepay{}, paid: map[string]bool{}, refunds: map[string]int{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v3/pay/transactions/{kind}", d.signed(d.prepay))
	mux.HandleFunc("GET /v3/pay/transactions/out-trade-no/{id}", d.signed(d.query))
	mux.HandleFunc("POST /v3/refund/domestic/refunds", d.signed(d.refund))
	mux.HandleFunc("GET /sns/oauth2/access_token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("code") != "good" || r.FormValue("secret") != "secret" || r.FormValue("appid") != testApp {
			_, _ = io.WriteString(w, `{"errcode":40029,"errmsg":"invalid code"}`)
			return
		}
		_, _ = io.WriteString(w, `{"access_token":"x","openid":"`+testOpen+`"}`)
	})
	d.web = httptest.NewServer(mux)
	t.Cleanup(d.web.Close)
	return d, Config{
		AppID: testApp, AppSecret: "secret", MchID: testMch, Serial: "MERCHANTSERIAL", Key: merchant, APIv3Key: d.apiKey,
		PlatformKeys: map[string]*rsa.PublicKey{testSerial: &platform.PublicKey}, PublicURL: "https://central.example",
		Now: now, PayBase: d.web.URL, APIBase: d.web.URL,
	}
}

var authorization = regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 mchid="([^"]+)",nonce_str="([^"]+)",signature="([^"]+)",timestamp="(\d+)",serial_no="([^"]+)"$`)

// signed verifies the merchant's signature and signs the answer.
func (d *double) signed(next func(*http.Request, []byte) (int, any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			d.t.Error(err)
		}
		m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
		if m == nil || m[1] != testMch || m[5] != "MERCHANTSERIAL" {
			d.t.Errorf("authorization %q", r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		sum := sha256.Sum256([]byte(r.Method + "\n" + r.URL.RequestURI() + "\n" + m[4] + "\n" + m[2] + "\n" + string(body) + "\n"))
		sig, err := base64.StdEncoding.DecodeString(m[3])
		if err != nil || rsa.VerifyPKCS1v15(d.merchant, crypto.SHA256, sum[:], sig) != nil {
			d.t.Error("the merchant's signature does not verify")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		status, v := next(r, body)
		b, err := json.Marshal(v)
		if err != nil {
			d.t.Error(err)
		}
		for k, val := range d.headers(b) {
			w.Header()[k] = val
		}
		if d.mangle != nil {
			b = d.mangle(r.URL.Path, b)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(b)
	}
}

// headers are WeChat Pay's signature over a body.
func (d *double) headers(body []byte) http.Header {
	at, n := strconv.FormatInt(d.now().Unix(), 10), "platformnonce"
	sum := sha256.Sum256([]byte(at + "\n" + n + "\n" + string(body) + "\n"))
	sig, err := rsa.SignPKCS1v15(rand.Reader, d.platform, crypto.SHA256, sum[:])
	if err != nil {
		d.t.Error(err)
	}
	h := http.Header{}
	h.Set("Wechatpay-Timestamp", at)
	h.Set("Wechatpay-Nonce", n)
	h.Set("Wechatpay-Serial", testSerial)
	h.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(sig))
	return h
}

func (d *double) prepay(r *http.Request, body []byte) (int, any) {
	var p prepay
	if err := json.Unmarshal(body, &p); err != nil || p.AppID != testApp || p.MchID != testMch || p.Amount.Total < 1 || p.Description == "" ||
		p.NotifyURL != "https://central.example/pay/notify" || len(p.OutTradeNo) < 6 || len(p.OutTradeNo) > 32 {
		d.t.Errorf("prepayment %s", body)
		return http.StatusBadRequest, map[string]string{"code": "PARAM_ERROR"}
	}
	if _, err := time.Parse(time.RFC3339, p.TimeExpire); err != nil {
		d.t.Error(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.paid[p.OutTradeNo] {
		return http.StatusBadRequest, map[string]string{"code": "ORDERPAID"}
	}
	d.prepaid[p.OutTradeNo] = p
	switch r.PathValue("kind") {
	case "jsapi":
		if p.Payer == nil || p.Payer.OpenID != testOpen {
			d.t.Errorf("payer %+v", p.Payer)
		}
		return http.StatusOK, map[string]string{"prepay_id": "wx" + p.OutTradeNo}
	case "h5":
		if p.Scene == nil || p.Scene.PayerClientIP == "" || p.Scene.H5Info.Type != "Wap" {
			d.t.Errorf("scene %+v", p.Scene)
		}
		return http.StatusOK, map[string]string{"h5_url": "https://wx.tenpay.example/pay?prepay_id=" + p.OutTradeNo}
	}
	return http.StatusNotFound, map[string]string{"code": "NOT_FOUND"}
}

func (d *double) transaction(id string) transaction {
	p := d.prepaid[id]
	t := transaction{AppID: testApp, MchID: testMch, OutTradeNo: id, TradeState: "NOTPAY", Amount: p.Amount}
	if d.paid[id] {
		t.TradeState, t.TransactionID = "SUCCESS", "42000"+id
	}
	if d.over != nil {
		d.over(&t)
	}
	return t
}

func (d *double) query(r *http.Request, _ []byte) (int, any) {
	if r.FormValue("mchid") != testMch {
		d.t.Errorf("query %s", r.URL)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id := r.PathValue("id")
	if _, ok := d.prepaid[id]; !ok {
		return http.StatusNotFound, map[string]string{"code": "ORDER_NOT_EXIST"}
	}
	return http.StatusOK, d.transaction(id)
}

func (d *double) refund(_ *http.Request, body []byte) (int, any) {
	var q struct {
		OutTradeNo  string `json:"out_trade_no"`
		OutRefundNo string `json:"out_refund_no"`
		Amount      struct {
			Refund, Total int
			Currency      string
		}
	}
	if err := json.Unmarshal(body, &q); err != nil || q.Amount.Refund != q.Amount.Total || q.Amount.Currency != "CNY" {
		d.t.Errorf("refund %s", body)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.paid[q.OutTradeNo] || q.Amount.Total != d.prepaid[q.OutTradeNo].Amount.Total {
		return http.StatusForbidden, map[string]string{"code": "NOT_ENOUGH"}
	}
	d.refunds[q.OutRefundNo]++
	return http.StatusOK, map[string]string{"out_refund_no": q.OutRefundNo, "status": "PROCESSING"}
}

// pay is the student pressing the button in WeChat.
func (d *double) pay(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.paid[id] = true
}

// notification as WeChat Pay sends it, with its headers.
func (d *double) notification(id string) (http.Header, []byte) {
	d.mu.Lock()
	plain, err := json.Marshal(d.transaction(id))
	d.mu.Unlock()
	if err != nil {
		d.t.Error(err)
	}
	block, err := aes.NewCipher(d.apiKey)
	if err != nil {
		d.t.Error(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		d.t.Error(err)
	}
	const n = "abcdefghijkl"
	sealed := gcm.Seal(nil, []byte(n), plain, []byte("transaction"))
	body := fmt.Appendf(nil, `{"id":"EV-1","create_time":"2026-09-01T08:00:00+08:00","resource_type":"encrypt-resource","event_type":"TRANSACTION.SUCCESS","summary":"支付成功","resource":{"original_type":"transaction","algorithm":"AEAD_AES_256_GCM","ciphertext":%q,"associated_data":"transaction","nonce":%q}}`,
		base64.StdEncoding.EncodeToString(sealed), n)
	return d.headers(body), body
}
