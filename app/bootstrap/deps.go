//go:build bootstrapdeps

package bootstrap

import (
	_ "filippo.io/age"
	_ "fyne.io/fyne/v2/app"
	_ "fyne.io/fyne/v2/driver/software"
	_ "fyne.io/fyne/v2/test"
	_ "fyne.io/fyne/v2/widget"
	_ "github.com/alecthomas/kong"
	_ "github.com/blackjack/webcam"
	_ "github.com/chromedp/chromedp"
	_ "github.com/esimov/pigo/core"
	_ "github.com/fxamacker/cbor/v2"
	_ "github.com/go-resty/resty/v2"
	_ "github.com/gofrs/flock"
	_ "github.com/jezek/xgb/xproto"
	_ "github.com/jezek/xgb/xtest"
	_ "github.com/makiuchi-d/gozxing/qrcode"
	_ "github.com/oklog/ulid/v2"
	_ "github.com/pelletier/go-toml/v2"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/skip2/go-qrcode"
	_ "github.com/veraison/go-cose"
	_ "go.etcd.io/bbolt"
	_ "gocv.io/x/gocv"
	_ "golang.org/x/crypto/argon2"
	_ "golang.org/x/image/draw"
	_ "golang.org/x/sys/unix"
)
