package central

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Reasons of a refund.
const (
	RefundMismatch  = "mismatch"  // the phone that paid belongs to another student than the photo
	RefundWithdrawn = "withdrawn" // the student was erased, or taken off the list
	RefundNoPhoto   = "no_photo"  // the batch has closed and there is no photo
	RefundAsked     = "asked"     // the student asked for it at the desk
	RefundOther     = "other"
)

var refundReasons = map[string]bilingual{
	RefundMismatch:  {"手机与照片不是同一学生", "Phone and photo are of two students"},
	RefundWithdrawn: {"学生已退出或不在名单", "Student withdrawn or off the list"},
	RefundNoPhoto:   {"批次已结束而没有照片", "Batch closed without a photo"},
	RefundAsked:     {"学生现场申请", "Asked for at the desk"},
	RefundOther:     {"其他", "Other"},
}

// refundRow is an order with why it may have to be given back.
type refundRow struct {
	Order
	Why    string // Refund… or ""
	Reason bilingual
	School string
	Title  string
}

// refundLine says why an order that was paid should be looked at, or "".
func (s *Server) refundLine(tx *bolt.Tx, o Order, b wire.Batch) (string, error) {
	c, err := getJSON[claimRow](tx, bktClaims, []byte(o.Session))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	if err == nil && c.Mismatch {
		return RefundMismatch, nil
	}
	row, err := s.student(tx, o.StudentRef)
	if errors.Is(err, ErrNotFound) || err == nil && row.Removed {
		return RefundWithdrawn, nil
	}
	if err != nil {
		return "", err
	}
	if !s.now().After(b.Closes) {
		return "", nil
	}
	all, err := packetsOf(tx, o.Batch, o.StudentRef)
	if err != nil || slices.ContainsFunc(all, Packet.live) {
		return "", err
	}
	return RefundNoPhoto, nil
}

// refundRows sorts the paid and refunded orders: first those that have a reason
// to be given back, then the paid ones, then those given back, newest first.
func (s *Server) refundRows(ctx context.Context, ss staffSession) (open, paid, refunded []refundRow, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		all, err := list[Order](tx, bktOrders)
		if err != nil {
			return err
		}
		slices.SortFunc(all, func(a, b Order) int { return cmp.Compare(b.ID, a.ID) })
		for _, o := range all {
			if ss.within(o.Batch) != nil {
				continue
			}
			b, err := getJSON[wire.Batch](tx, bktBatches, []byte(o.Batch))
			if err != nil {
				return err
			}
			row := refundRow{Order: o, School: b.School, Title: b.Title}
			switch o.State {
			case wire.PaymentRefunded:
				row.Reason = refundReasons[o.RefundFor]
				refunded = append(refunded, row)
			case wire.PaymentPaid:
				if row.Why, err = s.refundLine(tx, o, b); err != nil {
					return err
				}
				row.Reason = refundReasons[row.Why]
				if row.Why == "" {
					paid = append(paid, row)
				} else {
					open = append(open, row)
				}
			}
		}
		return nil
	})
	return open, paid, refunded, err
}

type refundsView struct {
	frame
	Open, Paid, Refunded []refundRow
	Sum                  int // fen, of Open
	Reasons              []option
	More                 int // rows that are not shown
}

// refundsShown bounds each list of the page.
const refundsShown = 100

func (s *Server) refundsPage(w http.ResponseWriter, r *http.Request, ss staffSession, done *bilingual, failed error) {
	v := refundsView{frame: s.frame(ss, "refunds")}
	var err error
	if v.Open, v.Paid, v.Refunded, err = s.refundRows(r.Context(), ss); err != nil {
		s.staffFail(w, err)
		return
	}
	for _, o := range v.Open {
		v.Sum += o.AmountFen
	}
	for _, l := range []*[]refundRow{&v.Open, &v.Paid, &v.Refunded} {
		v.More += max(0, len(*l)-refundsShown)
		*l = (*l)[:min(len(*l), refundsShown)]
	}
	for _, code := range []string{RefundAsked, RefundMismatch, RefundWithdrawn, RefundNoPhoto, RefundOther} {
		v.Reasons = append(v.Reasons, option{code, refundReasons[code].ZH, refundReasons[code].EN})
	}
	s.renderDone(w, "refunds", &v, &v.frame, done, failed)
}

func (s *Server) showRefunds(w http.ResponseWriter, r *http.Request, ss staffSession) {
	s.refundsPage(w, r, ss, nil, nil)
}

func (s *Server) postRefund(w http.ResponseWriter, r *http.Request, ss staffSession) {
	err := s.view(r.Context(), func(tx *bolt.Tx) error {
		o, err := getJSON[Order](tx, bktOrders, []byte(r.PathValue("id")))
		if err != nil {
			return err
		}
		return ss.within(o.Batch)
	})
	if err == nil {
		err = s.Refund(r.Context(), r.PathValue("id"), r.PostFormValue("why"), ss.user.Name)
	}
	if err != nil {
		s.refundsPage(w, r, ss, nil, err)
		return
	}
	s.refundsPage(w, r, ss, &bilingual{"已退款", "Refunded"}, nil)
}
