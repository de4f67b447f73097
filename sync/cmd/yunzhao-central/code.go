package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/skip2/go-qrcode"

	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/provision"
)

type codeCmd struct {
	dataFlag
	Batch []string `help:"批次 Batches the station serves; all when none is named."`
	Days  int      `default:"7" help:"有效天数 Days until the code expires."`

	QR      string            `name:"qr" help:"另写一个开机设置二维码：PNG 文件，- 为终端 Also make a set-up QR code: a PNG file, or - for the terminal." placeholder:"FILE"`
	URL     string            `name:"url" help:"站点访问本中心的地址（二维码用）This server's address as kiosks reach it, for the QR code." placeholder:"https://HOST"`
	TLSPin  string            `name:"tls-pin" help:"TLS 公钥的 SHA-256，64 位十六进制 SHA-256 of the TLS public key, 64 hex digits." placeholder:"HEX"`
	Station string            `help:"站点名称 Name of the station."`
	School  string            `help:"学校名称 Name of the school."`
	Set     map[string]string `help:"一并带上的设置，如 sound.volume=30 Settings that go along." placeholder:"KEY=VALUE"`
}

// qrPixels is a module of the PNG: printed on A4 it is read from a metre.
const qrPixels = 8

// Run prints the code first and alone on its line, so that a script can use it.
func (c *codeCmd) Run(e *env) error {
	if c.QR != "" && c.URL == "" {
		return errors.New("二维码要写明地址：--url https://… / a QR code needs this server's address: --url https://…")
	}
	return c.with(e, func(ctl *central.Control) error {
		form := url.Values{"batch": c.Batch, "days": {strconv.Itoa(c.Days)}}
		p := provision.Code{
			URL: c.URL, Enrol: "0.0000000000000000", TLSPin: c.TLSPin, Name: c.Station, School: c.School, Settings: c.Set,
			Expires: time.Now().Add(time.Duration(c.Days) * 24 * time.Hour).Truncate(time.Second),
		}
		if c.QR != "" { // before a code is made: it is shown once
			if _, err := p.Encode(); err != nil {
				return err
			}
		}
		if err := ctl.Do(e.ctx, http.MethodPost, "/code", formType, []byte(form.Encode()), &p.Enrol); err != nil {
			return err
		}
		e.printf("%s\n", p.Enrol)
		if c.QR == "" {
			return nil
		}
		return c.draw(e, p)
	})
}

// draw makes the QR code and says by which digits it is compared. The digits are
// not in the picture: whoever forges a poster would print his own.
func (c *codeCmd) draw(e *env, p provision.Code) error {
	text, err := p.Encode()
	if err != nil {
		return err
	}
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return fmt.Errorf("make the set-up QR code: %w", err)
	}
	if c.QR == "-" {
		e.printf("%s\n", code.ToSmallString(false))
	} else {
		img, err := code.PNG(-qrPixels)
		if err != nil {
			return fmt.Errorf("draw the set-up QR code: %w", err)
		}
		if err := os.WriteFile(c.QR, img, 0o600); err != nil { // it holds the one-time code
			return fmt.Errorf("write the set-up QR code: %w", err)
		}
	}
	e.printf("核对数字 Compare on the kiosk   %s\n", p.Compare())
	e.printf("数字请另外告诉管理员（电话、信函），不要印在二维码旁。 Tell the admin these digits another way; do not print them beside the code.\n")
	return nil
}
