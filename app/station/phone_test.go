package station

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/app/drive/people"
	"github.com/yunzhao-station/yunzhao/camera/scene"
	inhand "github.com/yunzhao-station/yunzhao/pipeline/held"
	"github.com/yunzhao-station/yunzhao/pipeline/plane"
	"github.com/yunzhao-station/yunzhao/pipeline/qr/zbar"
	"github.com/yunzhao-station/yunzhao/sync/central"
	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// code is a picture of central's as the phone's browser has it, which two
// decoders must read alike: prefix is how its text begins.
func code(t *testing.T, p people.Phone, path, prefix string) *image.Gray {
	t.Helper()
	b, err := p.Fetch(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewGray(img.Bounds())
	draw.Draw(m, m.Rect, img, m.Rect.Min, draw.Src)
	texts, err := zbar.Read(t.Context(), m)
	if errors.Is(err, zbar.ErrMissing) {
		t.Log(err)
		return m
	}
	if err != nil || len(texts) != 1 || len(texts[0]) < len(prefix) || texts[0][:len(prefix)] != prefix {
		t.Fatalf("a second decoder reads %q, %v", texts, err)
	}
	return m
}

// heldUp is a phone with the picture on its screen, as a cut-out for the
// simulated booth: turned and tilted as a hand holds it, a little out of focus.
func heldUp(m *image.Gray, roll, yaw float64) *image.NRGBA {
	const side = 900
	screen := image.NewGray(image.Rect(0, 0, m.Rect.Dx()*5/4, m.Rect.Dy()*5/4)) // white around the picture
	for i := range screen.Pix {
		screen.Pix[i] = 0xF0
	}
	at := image.Pt((screen.Rect.Dx()-m.Rect.Dx())/2, (screen.Rect.Dy()-m.Rect.Dy())/2)
	draw.Draw(screen, m.Rect.Add(at), m, m.Rect.Min, draw.Src)
	w, h := screen.Rect.Dx(), screen.Rect.Dy()
	white := image.NewGray(screen.Rect)
	for i := range white.Pix {
		white.Pix[i] = 0xFF
	}
	// What the phone covers is painted the same way as the phone.
	c := inhand.Conditions{Corners: inhand.Tilted(w, h, plane.Point{X: side / 2, Y: side / 2}, side*.8/float64(w), roll, yaw, 0)}
	cover := image.NewGray(image.Rect(0, 0, side, side))
	inhand.Draw(cover, white, c, rand.New(rand.NewPCG(1, 2)))
	c.Blur, c.Noise = .7, 2
	face := image.NewGray(cover.Rect)
	inhand.Draw(face, screen, c, rand.New(rand.NewPCG(1, 2)))
	out := image.NewNRGBA(cover.Rect)
	for i, a := range cover.Pix {
		out.SetNRGBA(i%side, i/side, color.NRGBA{face.Pix[i], face.Pix[i], face.Pix[i], a})
	}
	return out
}

// TestAPhoneIsReadByTheCamera goes the whole way of the two codes that a phone
// shows while the kiosk has no network: central's own pages draw them, the
// simulated booth films them in a hand, and the station takes them for what they
// are, a fee that was paid and, at another visit, a student.
func TestAPhoneIsReadByTheCamera(t *testing.T) {
	booth720 := scene.Options{Width: 1280, Height: 720}
	st := newStage(t, booth720)
	show := func(m *image.Gray, roll, yaw float64) {
		t.Helper()
		o := booth720
		o.Person, o.Occupied, o.Scale = heldUp(m, roll, yaw), true, 1.1
		st.rebuild(t, o)
	}
	r := newRigOn(t, t.TempDir(), st.open)
	r.wait("question for a plate", func(v booth.View) bool { return v.Fault != nil && v.Fault.Code == booth.GuardNoPlate })
	r.recalibrate(booth.FaultAction{Code: booth.GuardNoPlate}, booth.CalibrationAccepted)
	r.wait("an open door", func(v booth.View) bool { return v.Fault == nil && v.State == booth.Idle })
	who := r.student(wire.PayBeforeSubmit)
	// The phone has a network of its own; the kiosk loses its.
	web := httptest.NewServer(r.central.Handler())
	defer web.Close()
	r.away()
	r.wait("no central", func(v booth.View) bool { return v.Lamps.Central.Level == booth.Warn })

	r.st.Send(booth.Wedge{Text: who.StudentNo})
	v := r.wait("record", func(v booth.View) bool { return v.State == booth.Eligible && v.Claim.URL != "" && v.Payment.Receipt })
	address, err := url.Parse(v.Claim.URL)
	if err != nil {
		t.Fatal(err)
	}
	phone, err := people.ScanCode(t.Context(), web.URL+address.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := phone.Identify(t.Context(), string(who.IDType), who.IDNumber, who.Name); err != nil {
		t.Fatal(err)
	}
	// A code of another kind before the lens is neither a proof nor a try.
	pass := code(t, phone, "/m/pass.png", claim.PassPrefix)
	show(pass, .1, .2)
	seq := r.params.Camera.Status().Seq
	r.wait("two seconds of it", func(booth.View) bool { return r.params.Camera.Status().Seq > seq+60 })
	if v := r.st.View(); v.Payment.State != "unpaid" || v.Toast != nil {
		t.Fatalf("a pass was taken for a receipt: %+v %+v", v.Payment, v.Toast)
	}
	if err := phone.Pay(t.Context()); err != nil {
		t.Fatal(err)
	}
	receipt := code(t, phone, "/m/receipt.png", claim.ReceiptPrefix)
	show(receipt, -.2, .3)
	r.wait("paid", func(v booth.View) bool { return v.Payment.State == "paid" && !v.Payment.Receipt })
	p := r.paymentOf()
	orders, err := r.central.Orders(t.Context(), "")
	if err != nil || !slices.ContainsFunc(orders, func(o central.Order) bool { return o.ID == p.OrderID && o.StudentRef == who.Ref }) {
		t.Errorf("central has no order %q: %v", p.OrderID, err)
	}
	if want := (packet.Payment{State: "paid", OrderID: p.OrderID, Evidence: claim.EvidenceReceipt, Proof: p.Proof}); p != want || p.Proof == "" {
		t.Errorf("the packet would say %+v", p)
	}

	// Another visit: the phone tells who its bearer is.
	st.rebuild(t, booth720)
	r.st.Send(booth.Abandon{Reason: "left"})
	r.wait("farewell", func(v booth.View) bool { return v.State == booth.Abandoned })
	r.st.Send(booth.Continue{})
	r.wait("idle", func(v booth.View) bool { return v.State == booth.Idle })
	r.st.Send(booth.Start{})
	r.wait("the question who it is", func(v booth.View) bool { return v.State == booth.Identify && v.Identify.Scan.Can })
	r.st.Send(booth.UseCamera{On: true})
	show(pass, .15, -.3)
	v = r.wait("the pass read", func(v booth.View) bool { return v.State == booth.Eligible })
	if v.Payment.State != "paid" { // nobody else's is
		t.Errorf("the fee is %s, and was proved for the bearer of this pass", v.Payment.State)
	}
}
