package main

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/yunzhao-station/yunzhao/sync/wechatpay"
)

// weChatFile is the merchant's account as the administrator writes it down.
// Secrets stand in files of their own, named here, so that this one may be
// shown to somebody.
type weChatFile struct {
	AppID         string `toml:"app_id"`
	AppSecretFile string `toml:"app_secret_file"` // may be absent: then payments leave WeChat's browser
	MchID         string `toml:"mch_id"`
	Serial        string `toml:"certificate_serial"`
	KeyFile       string `toml:"private_key_file"` // apiclient_key.pem
	APIv3KeyFile  string `toml:"api_v3_key_file"`
	Title         string `toml:"title"`
	Platform      []struct {
		ID   string `toml:"id"`   // PUB_KEY_ID_… or a certificate's serial
		File string `toml:"file"` // public key or certificate, PEM
	} `toml:"platform_key"`
}

// loadWeChatPay reads the account; relative files lie beside it.
func loadWeChatPay(path, publicURL string) (*wechatpay.Provider, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("微信支付设置 / WeChat Pay account: %w", err)
	}
	var f weChatFile
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err = dec.Decode(&f)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		return nil, fmt.Errorf("微信支付设置里有不认识的项 / WeChat Pay account %s has unknown fields:\n%s", path, unknown.String())
	}
	if err != nil {
		return nil, fmt.Errorf("微信支付设置 / WeChat Pay account %s: %w", path, err)
	}
	read := func(name, what string) ([]byte, error) {
		if name == "" {
			return nil, fmt.Errorf("微信支付设置缺少 / WeChat Pay account lacks %s", what)
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		return b, nil
	}
	c := wechatpay.Config{AppID: f.AppID, MchID: f.MchID, Serial: f.Serial, Title: f.Title, PublicURL: publicURL, PlatformKeys: map[string]*rsa.PublicKey{}}
	b, err := read(f.KeyFile, "private_key_file")
	if err != nil {
		return nil, err
	}
	if c.Key, err = privateKey(b); err != nil {
		return nil, fmt.Errorf("private_key_file: %w", err)
	}
	if b, err = read(f.APIv3KeyFile, "api_v3_key_file"); err != nil {
		return nil, err
	}
	c.APIv3Key = bytes.TrimSpace(b)
	if f.AppSecretFile != "" {
		if b, err = read(f.AppSecretFile, "app_secret_file"); err != nil {
			return nil, err
		}
		c.AppSecret = strings.TrimSpace(string(b))
	}
	for _, k := range f.Platform {
		if b, err = read(k.File, "platform_key file"); err != nil {
			return nil, err
		}
		if c.PlatformKeys[k.ID], err = publicKey(b); err != nil {
			return nil, fmt.Errorf("platform_key %s: %w", k.ID, err)
		}
	}
	p, err := wechatpay.New(c)
	if err != nil {
		return nil, fmt.Errorf("微信支付设置 / WeChat Pay account: %w", err)
	}
	return p, nil
}

func privateKey(data []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if key, ok := k.(*rsa.PrivateKey); err == nil && ok {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	return nil, errors.New("not an RSA private key")
}

func publicKey(data []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
		if key, ok := cert.PublicKey.(*rsa.PublicKey); ok {
			return key, nil
		}
	}
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	if key, ok := k.(*rsa.PublicKey); err == nil && ok {
		return key, nil
	}
	return nil, errors.New("neither an RSA public key nor a certificate of one")
}
