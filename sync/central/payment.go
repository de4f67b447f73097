package central

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// PaymentProvider takes the money. Central never believes a browser: after a
// student comes back, and on every look at an unpaid order, it asks the
// provider. All calls may be repeated for the same order with the same effect.
type PaymentProvider interface {
	// Name is stored with the order.
	Name() string
	// Begin returns where the phone goes to pay: a path of this server or an https URL.
	Begin(ctx context.Context, o Order, ph Phone) (url string, err error)
	// Query reports whether the order is paid, with the provider's reference.
	Query(ctx context.Context, o Order) (paid bool, reference string, err error)
	// Refund gives the whole amount back.
	Refund(ctx context.Context, o Order) error
}

// Phone is what a provider may know of the browser that pays.
type Phone struct {
	IP       string
	InWeChat bool // the page is open in WeChat's own browser
}

// Notifier is a provider that tells central about payments. What it says only
// makes central ask: see PaymentProvider.
type Notifier interface {
	// Notified proves a notification and returns the order that it is about.
	Notified(h http.Header, body []byte) (orderID string, err error)
}

// InWeChat is a provider whose cashier opens inside WeChat's browser.
type InWeChat interface {
	// AuthURL is where the browser learns who is paying; it comes back to
	// redirect with a code and the state.
	AuthURL(redirect, state string) string
	// OpenID trades that code for the payer's id.
	OpenID(ctx context.Context, code string) (string, error)
	// Invoke makes the prepayment.
	Invoke(ctx context.Context, o Order, openID string) (WeChatInvoke, error)
}

// WeChatInvoke is what WeChat's browser needs to open its cashier.
type WeChatInvoke struct {
	AppID     string `json:"appId"`
	TimeStamp string `json:"timeStamp"`
	NonceStr  string `json:"nonceStr"`
	Package   string `json:"package"`
	SignType  string `json:"signType"`
	PaySign   string `json:"paySign"`
}

// sandbox is the provider of demonstrations: no money, one page with a button.
type sandbox struct {
	db  *bolt.DB
	now func() time.Time
}

type sandboxPayment struct {
	PaidAt     time.Time `json:"paid_at,omitzero"`
	RefundedAt time.Time `json:"refunded_at,omitzero"`
}

func (*sandbox) Name() string { return "sandbox" }

func (*sandbox) Begin(context.Context, Order, Phone) (string, error) {
	return "/m/sandbox", nil
}

func (p *sandbox) Query(_ context.Context, o Order) (paid bool, reference string, err error) {
	err = p.db.View(func(tx *bolt.Tx) error {
		v, err := getJSON[sandboxPayment](tx, bktSandbox, []byte(o.ID))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		paid = !v.PaidAt.IsZero() && v.RefundedAt.IsZero()
		return err
	})
	return paid, "SANDBOX-" + o.ID, err
}

func (p *sandbox) Refund(_ context.Context, o Order) error {
	return p.db.Update(func(tx *bolt.Tx) error {
		v, err := getJSON[sandboxPayment](tx, bktSandbox, []byte(o.ID))
		if err != nil {
			return err
		}
		if v.RefundedAt.IsZero() {
			v.RefundedAt = p.now().UTC()
		}
		return putJSON(tx, bktSandbox, []byte(o.ID), v)
	})
}

// confirm is the button on the sandbox's page.
func (p *sandbox) confirm(order string) error {
	return p.db.Update(func(tx *bolt.Tx) error {
		return putJSON(tx, bktSandbox, []byte(order), sandboxPayment{PaidAt: p.now().UTC()})
	})
}

// orderFor returns the student's order for the batch and makes it when there
// is none: one order a student and batch, however often the button is pressed.
func (s *Server) orderFor(ctx context.Context, session string) (o Order, err error) {
	err = s.update(ctx, func(tx *bolt.Tx) error {
		c, err := getJSON[claimRow](tx, bktClaims, []byte(session))
		if err != nil {
			return err
		}
		row, err := s.student(tx, c.StudentRef)
		if err != nil {
			return err
		}
		b, err := s.batch(tx, c.Batch)
		if err != nil {
			return err
		}
		key := joinKey(c.Batch, c.StudentRef)
		if id := tx.Bucket(bktOrderOf).Get(key); id != nil {
			if o, err = getJSON[Order](tx, bktOrders, id); err != nil {
				return err
			}
			if o.State != wire.PaymentRefunded {
				c.OrderID = o.ID
				return putJSON(tx, bktClaims, []byte(session), c)
			}
		}
		switch row.Payment {
		case wire.PaymentUnpaid, wire.PaymentDeferred, wire.PaymentRefunded:
		default:
			return fmt.Errorf("%w: nothing is to be paid", ErrState)
		}
		id, err := s.newULID()
		if err != nil {
			return err
		}
		o = Order{
			ID: id, Batch: c.Batch, StudentRef: c.StudentRef, Session: session, AmountFen: b.PriceFen,
			State: wire.PaymentUnpaid, Provider: s.pay.Name(), CreatedAt: s.now().UTC(),
		}
		c.OrderID = id
		if err := errors.Join(putJSON(tx, bktOrders, []byte(id), o), putJSON(tx, bktClaims, []byte(session), c)); err != nil {
			return err
		}
		if err := tx.Bucket(bktOrderOf).Put(key, []byte(id)); err != nil {
			return fmt.Errorf("central: index order: %w", err)
		}
		return appendAudit(tx, s.now(), "phone", "order.made", id, fmt.Sprintf("%d fen", o.AmountFen))
	})
	return o, err
}

// refreshOrder asks the provider about an unpaid order and books the payment
// once, however often and from wherever it hears of it.
func (s *Server) refreshOrder(ctx context.Context, id string) (o Order, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		o, err = getJSON[Order](tx, bktOrders, []byte(id))
		return err
	})
	if err != nil || o.State != wire.PaymentUnpaid {
		return o, err
	}
	paid, reference, err := s.pay.Query(ctx, o)
	if err != nil {
		return o, fmt.Errorf("central: ask %s about an order: %w", s.pay.Name(), err)
	}
	if !paid {
		return o, nil
	}
	err = s.update(ctx, func(tx *bolt.Tx) error {
		if o, err = getJSON[Order](tx, bktOrders, []byte(id)); err != nil || o.State != wire.PaymentUnpaid {
			return err
		}
		o.State, o.Reference, o.PaidAt = wire.PaymentPaid, reference, s.now().UTC()
		if err := putJSON(tx, bktOrders, []byte(id), o); err != nil {
			return err
		}
		if err := s.setPayment(tx, o.StudentRef, wire.PaymentPaid); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), "system", "order.paid", id, reference)
	})
	return o, err
}

func (s *Server) setPayment(tx *bolt.Tx, ref string, state wire.PaymentState) error {
	row, err := s.student(tx, ref)
	if errors.Is(err, ErrNotFound) {
		return nil // erased; the order itself says what became of the money
	}
	if err != nil {
		return err
	}
	row.Payment = state
	return s.putStudent(tx, row)
}

// Refund gives the fee of an order back for one of the reasons Refund…. The
// provider is asked first: a crash in between leaves an order that can be
// refunded again with the same effect.
func (s *Server) Refund(ctx context.Context, orderID, why, actor string) error {
	if _, ok := refundReasons[why]; !ok {
		return fmt.Errorf("%w: refund reason", ErrInvalid)
	}
	var o Order
	err := s.view(ctx, func(tx *bolt.Tx) (err error) {
		o, err = getJSON[Order](tx, bktOrders, []byte(orderID))
		return err
	})
	if err != nil {
		return err
	}
	if o.State != wire.PaymentPaid {
		return fmt.Errorf("%w: the order is %s", ErrState, o.State)
	}
	if err := s.pay.Refund(ctx, o); err != nil {
		return fmt.Errorf("central: refund by %s: %w", s.pay.Name(), err)
	}
	return s.update(ctx, func(tx *bolt.Tx) error {
		o, err := getJSON[Order](tx, bktOrders, []byte(orderID))
		if err != nil || o.State == wire.PaymentRefunded {
			return err
		}
		o.State, o.RefundedAt, o.RefundedBy, o.RefundFor = wire.PaymentRefunded, s.now().UTC(), actor, why
		if err := putJSON(tx, bktOrders, []byte(orderID), o); err != nil {
			return err
		}
		if err := s.setPayment(tx, o.StudentRef, wire.PaymentRefunded); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "order.refunded", orderID, why)
	})
}

// Orders lists the orders of a batch, oldest first; all when batch is "".
func (s *Server) Orders(ctx context.Context, batch string) (out []Order, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		all, err := list[Order](tx, bktOrders)
		for _, o := range all {
			if batch == "" || o.Batch == batch {
				out = append(out, o)
			}
		}
		return err
	})
	return out, err
}
