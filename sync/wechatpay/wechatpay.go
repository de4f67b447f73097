// Package wechatpay takes a batch's fee through WeChat Pay, API v3: it makes
// the prepayment (in WeChat's own browser, or H5 in any other), asks whether an
// order is paid, reads the notifications that WeChat sends, and gives money
// back.
//
// Nothing is believed that is not signed by WeChat Pay: answers and
// notifications carry an RSA signature over their time, nonce and body. It must
// not know students: what WeChat learns is an order number, an amount and the
// batch's title.
//
// The protocol is the published one: https://pay.weixin.qq.com/doc/v3/merchant/
package wechatpay

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/central"
)

// Addresses of the service.
const (
	payBase  = "https://api.mch.weixin.qq.com"
	authBase = "https://open.weixin.qq.com"
	apiBase  = "https://api.weixin.qq.com"
)

// Config is a merchant's account.
type Config struct {
	AppID     string // of the official account whose browser opens the page
	AppSecret string // of the same, to learn who pays (openid); "" leaves H5 only
	MchID     string // merchant number
	Serial    string // of the merchant's API certificate
	Key       *rsa.PrivateKey
	APIv3Key  []byte // 32 bytes: notifications are sealed with it
	// PlatformKeys are WeChat Pay's public keys by serial or PUB_KEY_ID; more
	// than one while they change.
	PlatformKeys map[string]*rsa.PublicKey
	PublicURL    string // https://host of this central server
	Title        string // what the payer reads, such as 新生学籍照片采集

	Client *http.Client     // nil: one with a timeout of 10 s
	Now    func() time.Time // nil: time.Now
	// Base addresses; "" for WeChat's own.
	PayBase, AuthBase, APIBase string
}

// Errors that callers tell apart.
var (
	// ErrSignature: something answered or notified that is not WeChat Pay.
	ErrSignature = errors.New("wechatpay: not signed by WeChat Pay")
	// ErrOther: a signed message about another merchant, order or amount.
	ErrOther = errors.New("wechatpay: about another payment")
)

// Provider implements central.PaymentProvider.
type Provider struct {
	c Config
}

// New checks the account's data.
func New(c Config) (*Provider, error) {
	u, err := url.Parse(c.PublicURL)
	switch {
	case c.AppID == "" || c.MchID == "" || c.Serial == "":
		return nil, errors.New("wechatpay: app id, merchant number and certificate serial are needed")
	case c.Key == nil || c.Key.N.BitLen() < 2048:
		return nil, errors.New("wechatpay: the merchant's private key is missing or shorter than 2048 bits")
	case len(c.APIv3Key) != 32:
		return nil, errors.New("wechatpay: the API v3 key must have 32 bytes")
	case len(c.PlatformKeys) == 0:
		return nil, errors.New("wechatpay: WeChat Pay's public key is missing")
	case err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "":
		return nil, errors.New("wechatpay: the public URL must be https://host: notifications come to it")
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for _, b := range []struct {
		at   *string
		real string
	}{{&c.PayBase, payBase}, {&c.AuthBase, authBase}, {&c.APIBase, apiBase}} {
		if *b.at == "" {
			*b.at = b.real
		}
	}
	if c.Title == "" {
		c.Title = "证件照采集服务"
	}
	return &Provider{c}, nil
}

// Name is stored with orders.
func (*Provider) Name() string { return "wechatpay" }

// NotifyPath is where WeChat Pay sends its notifications, on the public URL.
const NotifyPath = "/pay/notify"

type amount struct {
	Total    int    `json:"total"`
	Currency string `json:"currency,omitempty"`
}

type prepay struct {
	AppID       string `json:"appid"`
	MchID       string `json:"mchid"`
	Description string `json:"description"`
	OutTradeNo  string `json:"out_trade_no"`
	TimeExpire  string `json:"time_expire"`
	NotifyURL   string `json:"notify_url"`
	Amount      amount `json:"amount"`
	Payer       *payer `json:"payer,omitempty"`
	Scene       *scene `json:"scene_info,omitempty"`
}

type payer struct {
	OpenID string `json:"openid"`
}

type scene struct {
	PayerClientIP string `json:"payer_client_ip"`
	H5Info        h5Info `json:"h5_info"`
}

type h5Info struct {
	Type string `json:"type"`
}

// expiry of a prepayment: the student stands before the booth.
const expiry = 2 * time.Hour

func (p *Provider) prepay(o central.Order) prepay {
	return prepay{
		AppID: p.c.AppID, MchID: p.c.MchID, Description: p.c.Title, OutTradeNo: o.ID,
		TimeExpire: p.c.Now().Add(expiry).Format(time.RFC3339), NotifyURL: p.c.PublicURL + NotifyPath,
		Amount: amount{o.AmountFen, "CNY"},
	}
}

// Begin sends a phone to the cashier. WeChat's own browser is sent to a page of
// this server first, because the cashier opens inside it; every other browser
// goes to WeChat's H5 cashier and comes back to the claim's page.
func (p *Provider) Begin(ctx context.Context, o central.Order, ph central.Phone) (string, error) {
	if ph.InWeChat && p.c.AppSecret != "" {
		return central.InWeChatPath, nil
	}
	req := p.prepay(o)
	req.Scene = &scene{ph.IP, h5Info{"Wap"}}
	var out struct {
		H5URL string `json:"h5_url"`
	}
	if err := p.call(ctx, http.MethodPost, "/v3/pay/transactions/h5", req, &out); err != nil {
		return "", err
	}
	u, err := url.Parse(out.H5URL)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", errors.New("wechatpay: the cashier's address is not https")
	}
	q := u.Query()
	q.Set("redirect_url", p.c.PublicURL+"/m/")
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// AuthURL is where WeChat's browser learns who is paying; it comes back to
// redirect with a code and the state.
func (p *Provider) AuthURL(redirect, state string) string {
	q := url.Values{"appid": {p.c.AppID}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"snsapi_base"}, "state": {state}}
	return p.c.AuthBase + "/connect/oauth2/authorize?" + q.Encode() + "#wechat_redirect"
}

// OpenID trades the code for the payer's id within this account.
func (p *Provider) OpenID(ctx context.Context, code string) (string, error) {
	q := url.Values{"appid": {p.c.AppID}, "secret": {p.c.AppSecret}, "code": {code}, "grant_type": {"authorization_code"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.c.APIBase+"/sns/oauth2/access_token?"+q.Encode(), nil)
	if err != nil {
		return "", errors.New("wechatpay: make request for the payer")
	}
	resp, err := p.c.Client.Do(req)
	if err != nil {
		return "", errors.New("wechatpay: no answer about the payer") // the error holds the secret
	}
	defer func() { _ = resp.Body.Close() }()
	var out struct {
		OpenID string `json:"openid"`
		Code   int    `json:"errcode"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&out); err != nil || out.OpenID == "" || len(out.OpenID) > 128 {
		return "", fmt.Errorf("wechatpay: the payer is not known, error %d", out.Code)
	}
	return out.OpenID, nil
}

// Invoke makes a prepayment for this payer and signs what WeChat's browser
// needs to open the cashier.
func (p *Provider) Invoke(ctx context.Context, o central.Order, openID string) (central.WeChatInvoke, error) {
	req := p.prepay(o)
	req.Payer = &payer{openID}
	var out struct {
		PrepayID string `json:"prepay_id"`
	}
	if err := p.call(ctx, http.MethodPost, "/v3/pay/transactions/jsapi", req, &out); err != nil {
		return central.WeChatInvoke{}, err
	}
	if out.PrepayID == "" {
		return central.WeChatInvoke{}, errors.New("wechatpay: no prepayment number")
	}
	in := central.WeChatInvoke{
		AppID: p.c.AppID, TimeStamp: strconv.FormatInt(p.c.Now().Unix(), 10), NonceStr: nonce(),
		Package: "prepay_id=" + out.PrepayID, SignType: "RSA",
	}
	sig, err := p.sign(in.AppID + "\n" + in.TimeStamp + "\n" + in.NonceStr + "\n" + in.Package + "\n")
	in.PaySign = sig
	return in, err
}

// transaction is WeChat's word about one order.
type transaction struct {
	AppID         string `json:"appid"`
	MchID         string `json:"mchid"`
	OutTradeNo    string `json:"out_trade_no"`
	TransactionID string `json:"transaction_id"`
	TradeState    string `json:"trade_state"`
	Amount        amount `json:"amount"`
}

// about tells whether t is this merchant's and, when it is paid, complete.
func (p *Provider) about(t transaction) error {
	if t.MchID != p.c.MchID || t.AppID != p.c.AppID || t.OutTradeNo == "" || t.TradeState == "SUCCESS" && t.TransactionID == "" {
		return ErrOther
	}
	return nil
}

// Query asks WeChat Pay about an order. Paid means the whole amount.
func (p *Provider) Query(ctx context.Context, o central.Order) (paid bool, reference string, err error) {
	var t transaction
	path := "/v3/pay/transactions/out-trade-no/" + url.PathEscape(o.ID) + "?mchid=" + url.QueryEscape(p.c.MchID)
	err = p.call(ctx, http.MethodGet, path, nil, &t)
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Code == "ORDER_NOT_EXIST" {
		return false, "", nil // nobody has opened the cashier yet
	}
	if err != nil {
		return false, "", err
	}
	if err := p.about(t); err != nil {
		return false, "", err
	}
	if t.OutTradeNo != o.ID || t.TradeState == "SUCCESS" && (t.Amount.Total != o.AmountFen || t.Amount.Currency != "" && t.Amount.Currency != "CNY") {
		return false, "", fmt.Errorf("%w: order %s", ErrOther, o.ID)
	}
	return t.TradeState == "SUCCESS", t.TransactionID, nil
}

// Refund gives the whole amount back. The refund's number is made from the
// order's, so that asking again is the same refund.
func (p *Provider) Refund(ctx context.Context, o central.Order) error {
	req := struct {
		OutTradeNo  string `json:"out_trade_no"`
		OutRefundNo string `json:"out_refund_no"`
		Amount      struct {
			Refund   int    `json:"refund"`
			Total    int    `json:"total"`
			Currency string `json:"currency"`
		} `json:"amount"`
	}{OutTradeNo: o.ID, OutRefundNo: "R" + o.ID}
	req.Amount.Refund, req.Amount.Total, req.Amount.Currency = o.AmountFen, o.AmountFen, "CNY"
	var out struct {
		OutRefundNo string `json:"out_refund_no"`
		Status      string `json:"status"`
	}
	if err := p.call(ctx, http.MethodPost, "/v3/refund/domestic/refunds", req, &out); err != nil {
		return err
	}
	if out.OutRefundNo != req.OutRefundNo {
		return fmt.Errorf("%w: refund of order %s", ErrOther, o.ID)
	}
	switch out.Status {
	case "SUCCESS", "PROCESSING":
		return nil
	}
	return fmt.Errorf("wechatpay: refund of order %s is %s", o.ID, clean(out.Status))
}

// RefusedError is a signed refusal, or an unsigned one of the gateway.
type RefusedError struct {
	Status int
	Code   string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("wechatpay: refused: %d %s", e.Status, e.Code)
}

// maxAnswer bounds an answer or a notification.
const maxAnswer = 1 << 20

// call sends a signed request and reads a signed answer.
func (p *Provider) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("wechatpay: encode request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, p.c.PayBase+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("wechatpay: make request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "yunzhao-central")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if err := p.authorize(req, path, body); err != nil {
		return err
	}
	resp, err := p.c.Client.Do(req)
	if err != nil {
		return fmt.Errorf("wechatpay: %s: %w", method, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("wechatpay: read answer: %w", err)
	}
	// A refusal of the gateway itself may come without a signature; it grants
	// nothing, so it may be read.
	if resp.StatusCode >= http.StatusBadRequest {
		var e struct {
			Code string `json:"code"`
		}
		_ = json.Unmarshal(answer, &e)
		return &RefusedError{resp.StatusCode, clean(e.Code)}
	}
	if err := p.verify(resp.Header, answer); err != nil {
		return err
	}
	if out == nil || len(answer) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return errors.New("wechatpay: the answer is not the JSON that is expected")
	}
	return nil
}

// clean keeps of an outside word what may stand in a log.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return -1
	}, s)
	return s[:min(len(s), 40)]
}
