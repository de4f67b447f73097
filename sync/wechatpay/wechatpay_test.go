package wechatpay

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/central"
)

var t0 = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

func setUp(t *testing.T) (*double, *Provider, central.Order) {
	t.Helper()
	d, c := newDouble(t, func() time.Time { return t0 })
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d, p, central.Order{ID: "01K3ZJ8Q0V6M2E7C9T4R5W1XYB", AmountFen: 2500}
}

func TestH5FromAnyBrowser(t *testing.T) {
	d, p, o := setUp(t)
	to, err := p.Begin(t.Context(), o, central.Phone{IP: "192.0.2.7"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "https" || u.Query().Get("redirect_url") != "https://central.example/m/" || u.Query().Get("prepay_id") != o.ID {
		t.Fatalf("%s %v", to, err)
	}
	if paid, _, err := p.Query(t.Context(), o); paid || err != nil {
		t.Fatalf("before paying: %t %v", paid, err)
	}
	d.pay(o.ID)
	if paid, ref, err := p.Query(t.Context(), o); !paid || ref != "42000"+o.ID || err != nil {
		t.Fatalf("after paying: %t %q %v", paid, ref, err)
	}
	for range 2 {
		if err := p.Refund(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.refunds) != 1 || d.refunds["R"+o.ID] != 2 {
		t.Errorf("asked twice, the refund must be the same: %v", d.refunds)
	}
}

func TestCashierInsideWeChat(t *testing.T) {
	d, p, o := setUp(t)
	if to, err := p.Begin(t.Context(), o, central.Phone{IP: "192.0.2.7", InWeChat: true}); err != nil || to != central.InWeChatPath {
		t.Fatalf("%q %v", to, err)
	}
	u, err := url.Parse(p.AuthURL("https://central.example/m/wechat", "st&te"))
	if q := u.Query(); err != nil || q.Get("appid") != testApp || q.Get("redirect_uri") != "https://central.example/m/wechat" || q.Get("state") != "st&te" || u.Fragment != "wechat_redirect" {
		t.Fatalf("%v %v", u, err)
	}
	if _, err := p.OpenID(t.Context(), "bad"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a code that is not one: %v", err)
	}
	open, err := p.OpenID(t.Context(), "good")
	if err != nil || open != testOpen {
		t.Fatalf("%q %v", open, err)
	}
	in, err := p.Invoke(t.Context(), o, open)
	if err != nil || in.Package != "prepay_id=wx"+o.ID || in.SignType != "RSA" {
		t.Fatalf("%+v %v", in, err)
	}
	sig, err := base64.StdEncoding.DecodeString(in.PaySign)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(in.AppID + "\n" + in.TimeStamp + "\n" + in.NonceStr + "\n" + in.Package + "\n"))
	if err := rsa.VerifyPKCS1v15(d.merchant, crypto.SHA256, sum[:], sig); err != nil {
		t.Error(err)
	}
	other, err := p.Invoke(t.Context(), o, open)
	if err != nil || other.NonceStr == in.NonceStr {
		t.Error("a nonce was used twice")
	}
}

func TestAnOrderThatNobodyHasBegun(t *testing.T) {
	_, p, o := setUp(t)
	if paid, _, err := p.Query(t.Context(), o); paid || err != nil {
		t.Errorf("%t %v", paid, err)
	}
	if err := p.Refund(t.Context(), o); err == nil {
		t.Error("money given back that nobody paid")
	}
}

// TestOnlyWeChatPayIsBelieved has answers that are wrong in one thing each.
func TestOnlyWeChatPayIsBelieved(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*double)
		want  error
	}{
		"another body than the signed one": {func(d *double) {
			d.mangle = func(_ string, b []byte) []byte {
				return bytes.Replace(b, []byte("NOTPAY"), []byte("SUCCESS"), 1)
			}
		}, ErrSignature},
		"an old answer":    {func(d *double) { d.now = func() time.Time { return t0.Add(-6 * time.Minute) } }, ErrSignature},
		"an answer ahead":  {func(d *double) { d.now = func() time.Time { return t0.Add(6 * time.Minute) } }, ErrSignature},
		"another merchant": {func(d *double) { d.over = func(tr *transaction) { tr.MchID = "1" } }, ErrOther},
		"another app":      {func(d *double) { d.over = func(tr *transaction) { tr.AppID = "x" } }, ErrOther},
		"another order":    {func(d *double) { d.over = func(tr *transaction) { tr.OutTradeNo = "x" } }, ErrOther},
		"less money": {func(d *double) {
			d.over = func(tr *transaction) { tr.TradeState, tr.Amount.Total = "SUCCESS", 1; tr.TransactionID = "1" }
		}, ErrOther},
		"other money": {func(d *double) {
			d.over = func(tr *transaction) { tr.TradeState, tr.Amount.Currency = "SUCCESS", "USD"; tr.TransactionID = "1" }
		}, ErrOther},
		"paid without a proof": {func(d *double) { d.over = func(tr *transaction) { tr.TradeState = "SUCCESS" } }, ErrOther},
	} {
		t.Run(name, func(t *testing.T) {
			d, p, o := setUp(t)
			if _, err := p.Begin(t.Context(), o, central.Phone{IP: "192.0.2.7"}); err != nil {
				t.Fatal(err)
			}
			tc.spoil(d)
			if paid, _, err := p.Query(t.Context(), o); paid || !errors.Is(err, tc.want) {
				t.Errorf("paid %t, %v", paid, err)
			}
		})
	}
}

func TestNotifications(t *testing.T) {
	d, p, o := setUp(t)
	if _, err := p.Begin(t.Context(), o, central.Phone{IP: "192.0.2.7"}); err != nil {
		t.Fatal(err)
	}
	d.pay(o.ID)
	h, body := d.notification(o.ID)
	if id, err := p.Notified(h, body); err != nil || id != o.ID {
		t.Fatalf("%q %v", id, err)
	}
	for name, spoil := range map[string]func(h http.Header, b []byte) (http.Header, []byte){
		"no signature":    func(http.Header, []byte) (http.Header, []byte) { return http.Header{}, body },
		"another serial":  func(h http.Header, b []byte) (http.Header, []byte) { h.Set("Wechatpay-Serial", "X"); return h, b },
		"another nonce":   func(h http.Header, b []byte) (http.Header, []byte) { h.Set("Wechatpay-Nonce", "X"); return h, b },
		"another time":    func(h http.Header, b []byte) (http.Header, []byte) { h.Set("Wechatpay-Timestamp", "1"); return h, b },
		"a changed body":  func(h http.Header, b []byte) (http.Header, []byte) { return h, append(b, ' ') },
		"a bad signature": func(h http.Header, b []byte) (http.Header, []byte) { h.Set("Wechatpay-Signature", "AAAA"); return h, b },
		"no notification": func(http.Header, []byte) (http.Header, []byte) { b := []byte(`{}`); return d.headers(b), b },
		"a short nonce": func(http.Header, []byte) (http.Header, []byte) {
			b := []byte(`{"resource":{"algorithm":"AEAD_AES_256_GCM","nonce":"x"}}`)
			return d.headers(b), b
		},
		"sealed otherwise": func(http.Header, []byte) (http.Header, []byte) {
			b := bytes.Replace(bytes.Clone(body), []byte("abcdefghijkl"), []byte("lkjihgfedcba"), 1)
			return d.headers(b), b
		},
	} {
		t.Run(name, func(t *testing.T) {
			h2, b2 := spoil(h.Clone(), bytes.Clone(body))
			if id, err := p.Notified(h2, b2); err == nil || id != "" {
				t.Errorf("%q %v", id, err)
			}
		})
	}
	t.Run("of another merchant", func(t *testing.T) {
		d.over = func(tr *transaction) { tr.MchID = "1" }
		if _, err := p.Notified(d.notification(o.ID)); !errors.Is(err, ErrOther) {
			t.Error(err)
		}
	})
}

func FuzzNotified(f *testing.F) {
	f.Add([]byte(`{"resource":{"algorithm":"AEAD_AES_256_GCM","nonce":"abcdefghijkl","ciphertext":"AAAA"}}`))
	var d *double
	var p *Provider
	f.Fuzz(func(t *testing.T, body []byte) {
		if p == nil {
			d, p, _ = setUp(t)
		}
		d.t = t
		if id, err := p.Notified(d.headers(body), body); err == nil {
			t.Fatalf("%q from bytes that are sealed with no key", id)
		}
	})
}

func TestAccountIsChecked(t *testing.T) {
	_, good := newDouble(t, func() time.Time { return t0 })
	for name, change := range map[string]func(*Config){
		"no app":          func(c *Config) { c.AppID = "" },
		"no key":          func(c *Config) { c.Key = nil },
		"short API key":   func(c *Config) { c.APIv3Key = []byte("x") },
		"no platform key": func(c *Config) { c.PlatformKeys = nil },
		"plain http":      func(c *Config) { c.PublicURL = "http://central.example" },
		"a path":          func(c *Config) { c.PublicURL = "https://central.example/x" },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
