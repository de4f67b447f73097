package central

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/oklog/ulid/v2"
	"github.com/skip2/go-qrcode"
	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// receiptModule is how many pixels a module of the receipt's code has. The page
// shows the picture at a whole fraction of it on every usual phone.
const receiptModule = 8

// showReceipt draws the proof of payment that a booth without a network reads
// with its own camera. Each look makes a fresh one, good for claim.ReceiptTTL.
func (s *Server) showReceipt(w http.ResponseWriter, r *http.Request, ps phoneSession) {
	text, err := s.receipt(r, ps)
	switch {
	case errors.Is(err, ErrNotFound):
		http.NotFound(w, r)
		return
	case err != nil:
		s.phoneFail(w, err)
		return
	}
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		s.phoneFail(w, fmt.Errorf("central: draw receipt: %w", err))
		return
	}
	png, err := code.PNG(-receiptModule)
	if err != nil {
		s.phoneFail(w, fmt.Errorf("central: draw receipt: %w", err))
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(png); err != nil {
		s.log.Debug("write answer", "err", err)
	}
}

// receipt signs that the order of the phone's student is paid, for the station
// and session whose code the phone scanned.
func (s *Server) receipt(r *http.Request, ps phoneSession) (text string, err error) {
	err = s.view(r.Context(), func(tx *bolt.Tx) error {
		row, err := s.student(tx, ps.claim.StudentRef)
		if err != nil {
			return err
		}
		id := tx.Bucket(bktOrderOf).Get(joinKey(ps.claim.Batch, row.Ref))
		if row.Payment != wire.PaymentPaid || id == nil {
			return ErrNotFound // nothing was paid, or not through an order
		}
		order, err := ulid.ParseStrict(string(id))
		if err != nil {
			return fmt.Errorf("central: order: %w", err)
		}
		session, err := ulid.ParseStrict(ps.claim.Session)
		if err != nil {
			return fmt.Errorf("central: session of a claim: %w", err)
		}
		text, err = claim.SignReceipt(s.keys.sign, claim.Visit{
			Station: ps.station.ID, Session: session, Order: claim.Order{Batch: ps.claim.Batch, StudentRef: row.Ref},
		}, order, s.now())
		return err
	})
	return text, err
}

// settleProof books a payment that the desk was shown a proof of, which this
// server must have signed or derived itself; such a payment is unknown here
// only after a restore from a backup. Without a good proof a reviewer is told.
func (s *Server) settleProof(tx *bolt.Tx, p *Packet, m packet.Manifest, row *studentRow) error {
	st, err := getJSON[Station](tx, bktStations, []byte(p.Station))
	if err != nil {
		return err
	}
	v := claim.Visit{Station: p.Station, Order: claim.Order{Batch: m.Batch, StudentRef: row.Ref}}
	order, ok := "", false
	if v.Session, err = ulid.ParseStrict(m.Claim.Session); err == nil {
		order, ok = claim.VerifyProof(m.Payment.Evidence, m.Payment.Proof, s.keys.publicKey, st.ReceiptKey, v)
	}
	if !ok {
		p.Flags = append(p.Flags, FlagPayment)
		return nil
	}
	if order == "" { // the code is of whichever order there is
		order = string(tx.Bucket(bktOrderOf).Get(joinKey(m.Batch, row.Ref)))
	}
	if o, err := getJSON[Order](tx, bktOrders, []byte(order)); err == nil && o.State == wire.PaymentRefunded {
		p.Flags = append(p.Flags, FlagPayment)
		return nil
	} else if err == nil && o.State == wire.PaymentUnpaid && o.StudentRef == row.Ref {
		o.State, o.PaidAt = wire.PaymentPaid, s.now().UTC()
		if err := putJSON(tx, bktOrders, []byte(order), o); err != nil {
			return err
		}
	} else if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	row.Payment = wire.PaymentPaid
	if err := s.putStudent(tx, *row); err != nil {
		return err
	}
	return appendAudit(tx, s.now(), "station:"+p.Station, "payment.proved", row.Ref, m.Payment.Evidence+" in packet "+p.ID)
}
