package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWeChatPayAccountFile(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"key.pem":      pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"pkcs1.pem":    pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
		"platform.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		"v3":           []byte(strings.Repeat("k", 32) + "\n"),
		"secret":       []byte("s3cret\n"),
		"junk":         []byte("junk"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const good = `app_id = "wx1"
app_secret_file = "secret"
mch_id = "1900000001"
certificate_serial = "ABC"
private_key_file = "key.pem"
api_v3_key_file = "v3"
title = "新生学籍照片采集"
[[platform_key]]
id = "PUB_KEY_ID_1"
file = "platform.pem"
`
	for name, tc := range map[string]struct{ from, to, want string }{
		"good":                           {"", "", ""},
		"an older key file":              {"key.pem", "pkcs1.pem", ""},
		"without a secret":               {`app_secret_file = "secret"`, "", ""},
		"a field of no sense":            {"title", "titel", "titel"},
		"no key":                         {`private_key_file = "key.pem"`, "", "lacks private_key_file"},
		"a missing file":                 {"v3\"", "v4\"", "api_v3_key_file"},
		"a key that is none":             {"key.pem", "junk", "private_key_file: no PEM block"},
		"a public key for a private one": {"key.pem", "platform.pem", "not an RSA private key"},
		"a platform key that is none":    {"platform.pem", "junk", "platform_key PUB_KEY_ID_1"},
		"a short API key":                {"\"v3\"", "\"secret\"", "32 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "account.toml")
			if err := os.WriteFile(path, []byte(strings.Replace(good, tc.from, tc.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := loadWeChatPay(path, "https://central.example")
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Fatalf("%v, want %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Error("the secret is in the error")
			}
		})
	}
	// The server refuses to start half configured.
	code, _, errOut := command(t, "", "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--wechat-pay", filepath.Join(dir, "junk"))
	if code == 0 || !strings.Contains(errOut, "WeChat Pay") {
		t.Errorf("exit %d %s", code, errOut)
	}
}
