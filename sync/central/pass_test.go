package central

import (
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"
	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/sync/claim"
)

func TestThePhoneShowsAPassOfItsStudent(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	st := w.student(refOf(studentA(1)))
	b := w.browser()

	b.want(200, b.get("/k/"+k.token(ulid.Make(), time.Hour)))
	b.get("/m/pass.png") // a phone that has told nobody's name
	b.want(200, b.get("/m/"))
	b.want(200, b.identify(st), "/m/pass.png")
	read := func() string {
		b.want(200, b.get("/m/pass.png"))
		if h := b.resp.Header; h.Get("Content-Type") != "image/png" || h.Get("Cache-Control") != "no-store" {
			t.Fatalf("headers %v", h)
		}
		img, err := png.Decode(strings.NewReader(b.page))
		if err != nil {
			t.Fatal(err)
		}
		bmp, err := gozxing.NewBinaryBitmapFromImage(img)
		if err != nil {
			t.Fatal(err)
		}
		r, err := zxing.NewQRCodeReader().Decode(bmp, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true}) // drawn, not photographed
		if err != nil {
			t.Fatal(err)
		}
		return r.GetText()
	}
	text := read()
	p, err := claim.OpenPass(text, k.info.CentralKey, w.clock.now())
	if err != nil || p.Ref != st.Ref || p.Batch != st.Batch {
		t.Fatalf("%+v %v", p, err)
	}
	if strings.Contains(text, st.Name) || strings.Contains(text, st.IDNumber) {
		t.Error("the pass names its student")
	}
	if read() == text {
		t.Error("two looks show the same pass: the second visit could not use it")
	}
}
