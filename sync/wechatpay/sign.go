package wechatpay

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxSkew is how old or how far ahead a signed message may be, WeChat's own
// five minutes.
const maxSkew = 5 * time.Minute

func nonce() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

func (p *Provider) sign(message string) (string, error) {
	sum := sha256.Sum256([]byte(message))
	sig, err := rsa.SignPKCS1v15(rand.Reader, p.c.Key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("wechatpay: sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(sig), nil
}

// authorize signs a request: method, path with query, time, nonce and body,
// each on a line.
func (p *Provider) authorize(req *http.Request, path string, body []byte) error {
	at, n := strconv.FormatInt(p.c.Now().Unix(), 10), nonce()
	sig, err := p.sign(req.Method + "\n" + path + "\n" + at + "\n" + n + "\n" + string(body) + "\n")
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",signature="%s",timestamp="%s",serial_no="%s"`, p.c.MchID, n, sig, at, p.c.Serial))
	return nil
}

// verify believes a message only with WeChat Pay's signature over its time,
// nonce and body, and only near its time.
func (p *Provider) verify(h http.Header, body []byte) error {
	key := p.c.PlatformKeys[h.Get("Wechatpay-Serial")]
	sig, err := base64.StdEncoding.DecodeString(h.Get("Wechatpay-Signature"))
	at, n := h.Get("Wechatpay-Timestamp"), h.Get("Wechatpay-Nonce")
	if key == nil || err != nil || n == "" {
		return ErrSignature
	}
	sum := sha256.Sum256([]byte(at + "\n" + n + "\n" + string(body) + "\n"))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) != nil {
		return ErrSignature
	}
	sec, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return ErrSignature
	}
	if d := p.c.Now().Sub(time.Unix(sec, 0)); d > maxSkew || d < -maxSkew {
		return fmt.Errorf("%w: signed %s away from now", ErrSignature, d.Round(time.Second))
	}
	return nil
}

// Notified reads a notification and returns the order that it is about. It
// settles nothing by itself: central asks about the order then, so that a
// repeated, late or reordered notification has no effect of its own.
func (p *Provider) Notified(h http.Header, body []byte) (orderID string, err error) {
	if err := p.verify(h, body); err != nil {
		return "", err
	}
	var n struct {
		EventType string `json:"event_type"`
		Resource  struct {
			Algorithm  string `json:"algorithm"`
			Ciphertext []byte `json:"ciphertext"`
			Associated string `json:"associated_data"`
			Nonce      string `json:"nonce"`
		} `json:"resource"`
	}
	if json.Unmarshal(body, &n) != nil || n.Resource.Algorithm != "AEAD_AES_256_GCM" {
		return "", errors.New("wechatpay: not a notification")
	}
	block, err := aes.NewCipher(p.c.APIv3Key)
	if err != nil {
		return "", fmt.Errorf("wechatpay: notification: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return "", fmt.Errorf("wechatpay: notification: %w", err)
	}
	if len(n.Resource.Nonce) != gcm.NonceSize() {
		return "", errors.New("wechatpay: not a notification")
	}
	plain, err := gcm.Open(nil, []byte(n.Resource.Nonce), n.Resource.Ciphertext, []byte(n.Resource.Associated))
	if err != nil {
		return "", fmt.Errorf("%w: the notification is sealed with another key", ErrSignature)
	}
	var t transaction
	if json.Unmarshal(plain, &t) != nil || t.OutTradeNo == "" || t.MchID != p.c.MchID {
		return "", ErrOther
	}
	return t.OutTradeNo, nil
}
