package claim_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"
	"github.com/oklog/ulid/v2"
	"github.com/skip2/go-qrcode"

	"github.com/yunzhao-station/yunzhao/sync/claim"
)

var (
	centralKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	strangeKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	centralPub = centralKey.Public().(ed25519.PublicKey)
	orderID    = ulid.MustParse("01J6Q3ZK4MXB7T8W9V2N5C1D99")
	visit      = claim.Visit{Station: "st-1", Session: session, Order: claim.Order{Batch: "b1", StudentRef: "s1"}}
)

func receipt(t testing.TB, key ed25519.PrivateKey, v claim.Visit, at time.Time) string {
	t.Helper()
	s, err := claim.SignReceipt(key, v, orderID, at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReceipt(t *testing.T) {
	good := receipt(t, centralKey, visit, now)
	elsewhere := func(change func(*claim.Visit)) string {
		v := visit
		change(&v)
		return receipt(t, centralKey, v, now)
	}
	for name, tc := range map[string]struct {
		text string
		now  time.Time
		want error
	}{
		"good":                     {good, now, nil},
		"last moment":              {good, now.Add(claim.ReceiptTTL + claim.ClockTolerance), nil},
		"expired":                  {good, now.Add(claim.ReceiptTTL + claim.ClockTolerance + time.Second), claim.ErrReceiptExpired},
		"clock behind, tolerated":  {good, now.Add(-claim.ClockTolerance), nil},
		"clock far behind":         {good, now.Add(-claim.ClockTolerance - time.Second), claim.ErrReceiptEarly},
		"another's signature":      {receipt(t, strangeKey, visit, now), now, claim.ErrForged},
		"another session":          {elsewhere(func(v *claim.Visit) { v.Session = other }), now, claim.ErrOtherVisit},
		"another station":          {elsewhere(func(v *claim.Visit) { v.Station = "st-2" }), now, claim.ErrOtherVisit},
		"another student":          {elsewhere(func(v *claim.Visit) { v.Order.StudentRef = "s2" }), now, claim.ErrOtherVisit},
		"another batch":            {elsewhere(func(v *claim.Visit) { v.Order.Batch = "b2" }), now, claim.ErrOtherVisit},
		"parts shifted":            {elsewhere(func(v *claim.Visit) { v.Order = claim.Order{Batch: "b1s", StudentRef: "1"} }), now, claim.ErrOtherVisit},
		"an address":               {"https://pay.example/x", now, claim.ErrReceipt},
		"nothing":                  {"", now, claim.ErrReceipt},
		"prefix alone":             {claim.ReceiptPrefix, now, claim.ErrReceipt},
		"cut short":                {good[:len(good)-3], now, claim.ErrReceipt},
		"something behind":         {good + "000", now, claim.ErrReceipt},
		"lower case":               {strings.ToLower(good), now, claim.ErrReceipt},
		"far too long":             {claim.ReceiptPrefix + strings.Repeat("0", claim.MaxReceipt), now, claim.ErrReceipt},
		"characters that are none": {claim.ReceiptPrefix + "::::::", now, claim.ErrReceipt},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := claim.OpenReceipt(tc.text, centralPub, visit, tc.now)
			if !errors.Is(err, tc.want) || err == nil && tc.want != nil {
				t.Fatalf("%v, want %v", err, tc.want)
			}
			if err == nil && (r.OrderID != orderID || !r.Issued.Equal(now) || !r.Expires.Equal(now.Add(claim.ReceiptTTL))) {
				t.Errorf("%+v", r)
			}
			if err != nil && strings.Contains(err.Error(), "s1") {
				t.Errorf("the error names the student: %v", err)
			}
		})
	}
	if _, err := claim.OpenReceipt(good, nil, visit, now); !errors.Is(err, claim.ErrForged) {
		t.Errorf("without a key: %v", err)
	}
	if strings.Contains(good, "S1") || len(good) > 210 {
		t.Errorf("a receipt of %d characters", len(good))
	}
}

func TestReceiptIsRefusedWithoutItsParts(t *testing.T) {
	for name, f := range map[string]func() (string, error){
		"no key": func() (string, error) { return claim.SignReceipt(nil, visit, orderID, now) },
		"no station": func() (string, error) {
			v := visit
			v.Station = ""
			return claim.SignReceipt(centralKey, v, orderID, now)
		},
		"no session": func() (string, error) {
			v := visit
			v.Session = ulid.ULID{}
			return claim.SignReceipt(centralKey, v, orderID, now)
		},
		"no order": func() (string, error) { return claim.SignReceipt(centralKey, visit, ulid.ULID{}, now) },
		"no time":  func() (string, error) { return claim.SignReceipt(centralKey, visit, orderID, time.Time{}) },
	} {
		if s, err := f(); err == nil {
			t.Errorf("%s: %q", name, s)
		}
	}
}

// Every character changed to another, and every single one left out.
func TestNoChangeOfAReceiptPasses(t *testing.T) {
	good := receipt(t, centralKey, visit, now)
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
	tried := 0
	try := func(s string) {
		tried++
		if _, err := claim.OpenReceipt(s, centralPub, visit, now); err == nil && s != good {
			t.Fatalf("accepted: %q", s)
		}
	}
	for i := range len(good) {
		for _, c := range alphabet {
			if byte(c) != good[i] {
				try(good[:i] + string(c) + good[i+1:])
			}
		}
		try(good[:i] + good[i+1:])
	}
	t.Logf("%d changed receipts, none accepted", tried)
}

func TestAReceiptIsReadFromItsCode(t *testing.T) {
	good := receipt(t, centralKey, visit, now)
	code, err := qrcode.New(good, qrcode.Medium)
	if err != nil {
		t.Fatal(err)
	}
	if code.VersionNumber > 9 {
		t.Errorf("version %d: too fine for a phone's screen before a camera", code.VersionNumber)
	}
	bmp, err := gozxing.NewBinaryBitmapFromImage(code.Image(-4))
	if err != nil {
		t.Fatal(err)
	}
	r, err := zxing.NewQRCodeReader().Decode(bmp, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true}) // drawn, not photographed
	if err != nil || r.GetText() != good {
		t.Fatalf("%v", err)
	}
}

func TestVerifyProof(t *testing.T) {
	code := claim.ConfirmationCode(key, visit.Order, session)
	v2 := visit
	v2.Session = other
	long := receipt(t, centralKey, visit, now.Add(-30*24*time.Hour)) // a station that was offline for weeks
	for name, tc := range map[string]struct {
		evidence, proof string
		visit           claim.Visit
		order           string
		ok              bool
	}{
		"receipt":                 {claim.EvidenceReceipt, long, visit, orderID.String(), true},
		"receipt, other session":  {claim.EvidenceReceipt, long, v2, "", false},
		"receipt by somebody":     {claim.EvidenceReceipt, receipt(t, strangeKey, visit, now), visit, "", false},
		"code":                    {claim.EvidenceCode, code, visit, "", true},
		"code, other session":     {claim.EvidenceCode, code, v2, "", false},
		"wrong code":              {claim.EvidenceCode, "00000000", visit, "", code == "00000000"},
		"no proof":                {claim.EvidenceReceipt, "", visit, "", false},
		"a proof of another kind": {"operator", code, visit, "", false},
	} {
		if order, ok := claim.VerifyProof(tc.evidence, tc.proof, centralPub, key, tc.visit); ok != tc.ok || order != tc.order {
			t.Errorf("%s: %q %t", name, order, ok)
		}
	}
}

func FuzzOpenReceipt(f *testing.F) {
	good := receipt(f, centralKey, visit, now)
	f.Add(good)
	f.Add(good[:40])
	f.Add(claim.ReceiptPrefix + "BB8")
	f.Add(receipt(f, strangeKey, visit, now))
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := claim.OpenReceipt(s, centralPub, visit, now); err == nil && s != good {
			t.Fatalf("accepted %q", s)
		}
	})
}
