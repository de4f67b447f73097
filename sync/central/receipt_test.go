package central

import (
	"image/png"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"
	"github.com/oklog/ulid/v2"
	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// paidPhone is a phone whose student has paid through a booth's code.
func paidPhone(t *testing.T, w *world, k *kiosk, st wire.Student, session ulid.ULID) *browser {
	t.Helper()
	b := w.browser()
	b.want(200, b.get("/k/"+k.token(session, time.Hour)))
	b.want(200, b.identify(st), "去缴费")
	b.want(404, b.get("/m/receipt.png"))
	b.want(200, b.get("/m/"))
	b.want(200, b.post("/m/pay", nil))
	b.want(200, b.post("/m/sandbox", nil), "已缴费", "/m/receipt.png")
	return b
}

// receiptOn reads the picture on the phone as the booth's camera would.
func receiptOn(t *testing.T, b *browser) string {
	t.Helper()
	return codeOn(t, b, "/m/receipt.png")
}

// codeOn reads a picture of a code off one of the phone's pages.
func codeOn(t *testing.T, b *browser, path string) string {
	t.Helper()
	b.want(200, b.get(path))
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

func TestThePhoneShowsAReceiptOfItsOwnVisit(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	st := w.student(refOf(studentA(1)))
	session := ulid.Make()
	text := receiptOn(t, paidPhone(t, w, k, st, session))
	v := claim.Visit{Station: k.info.StationID, Session: session, Order: claim.Order{Batch: st.Batch, StudentRef: st.Ref}}
	r, err := claim.OpenReceipt(text, k.info.CentralKey, v, w.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	os, err := w.s.Orders(t.Context(), "")
	if err != nil || len(os) != 1 || os[0].ID != r.OrderID.String() {
		t.Fatalf("orders %+v %v, receipt of %s", os, err, r.OrderID)
	}
	v.Session = ulid.Make()
	if _, err := claim.OpenReceipt(text, k.info.CentralKey, v, w.clock.now()); err == nil {
		t.Error("good for another session")
	}
}

// A payment that central does not remember: it was restored from a backup.
func TestAProofInAPacketSettlesTheFee(t *testing.T) {
	for name, tc := range map[string]struct {
		payment func(receipt, code string) packet.Payment
		settled bool
	}{
		"receipt": {func(receipt, _ string) packet.Payment {
			return packet.Payment{State: "paid", Evidence: claim.EvidenceReceipt, Proof: receipt}
		}, true},
		"code": {func(_, code string) packet.Payment {
			return packet.Payment{State: "paid", Evidence: claim.EvidenceCode, Proof: code}
		}, true},
		"a code that is none": {func(_, code string) packet.Payment {
			return packet.Payment{State: "paid", Evidence: claim.EvidenceCode, Proof: code[1:] + "x"}
		}, false},
		"a receipt without its end": {func(receipt, _ string) packet.Payment {
			return packet.Payment{State: "paid", Evidence: claim.EvidenceReceipt, Proof: receipt[:len(receipt)-3]}
		}, false},
		"staff's word": {func(_, _ string) packet.Payment {
			return packet.Payment{State: "paid", Evidence: "operator", Reason: "cash"}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			k := w.kiosk()
			st := w.student(refOf(studentA(1)))
			session := ulid.Make()
			receipt := receiptOn(t, paidPhone(t, w, k, st, session))
			code := claim.ConfirmationCode(k.info.ReceiptKey, claim.Order{Batch: st.Batch, StudentRef: st.Ref}, session)
			forget := func(tx *bolt.Tx) error { return w.s.setPayment(tx, st.Ref, wire.PaymentUnpaid) }
			if err := w.s.update(t.Context(), forget); err != nil {
				t.Fatal(err)
			}
			p := k.seal(studentA(1), inSession(session.String()), func(s *shot) { s.in.Manifest.Payment = tc.payment(receipt, code) })
			k.send(p)
			row, err := w.s.Packet(t.Context(), p.ID.String())
			if err != nil {
				t.Fatal(err)
			}
			paid := w.student(st.Ref).Payment == wire.PaymentPaid
			if flagged := slices.Contains(row.Flags, FlagPayment); paid != tc.settled || flagged == tc.settled {
				t.Errorf("paid %t, flagged %t, want settled %t", paid, flagged, tc.settled)
			}
		})
	}
}

func TestAProofOfARefundedFeeIsShownToTheReviewer(t *testing.T) {
	w := newWorld(t)
	k := w.kiosk()
	st := w.student(refOf(studentA(1)))
	session := ulid.Make()
	b := paidPhone(t, w, k, st, session)
	receipt := receiptOn(t, b)
	os, err := w.s.Orders(t.Context(), "")
	if err != nil || len(os) != 1 {
		t.Fatal(os, err)
	}
	if err := w.s.Refund(t.Context(), os[0].ID, RefundAsked, "admin"); err != nil {
		t.Fatal(err)
	}
	if got := b.get("/m/receipt.png"); got != http.StatusNotFound {
		t.Errorf("a receipt of a refunded fee: %d", got)
	}
	p := k.seal(studentA(1), inSession(session.String()), func(s *shot) {
		s.in.Manifest.Payment = packet.Payment{State: "paid", Evidence: claim.EvidenceReceipt, Proof: receipt}
	})
	k.send(p)
	row, err := w.s.Packet(t.Context(), p.ID.String())
	if err != nil || !slices.Contains(row.Flags, FlagPayment) || w.student(st.Ref).Payment != wire.PaymentRefunded {
		t.Errorf("flags %v, payment %s, %v", row.Flags, w.student(st.Ref).Payment, err)
	}
}
