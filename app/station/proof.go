package station

import (
	"context"
	"errors"
	"fmt"
	"image"
	"strings"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/qr"
	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// receiptEvery is the pace at which the camera looks for a receipt: a phone is
// held up for seconds, and the reader takes tens of milliseconds a frame.
const receiptEvery = 300 * time.Millisecond

// proof is what proved the payment of a visit.
type proof struct {
	evidence string
	text     string // the receipt or the digits, for central to judge again
}

// codeReader finds a QR code in a grey picture.
type codeReader interface {
	Decode(*image.Gray) (text string, ok bool)
	Wipe()
}

// centralNow is the time at central, as far as this station knows it.
func (s *Station) centralNow() time.Time {
	now := time.Now()
	if st := s.p.Uplink.Status(); !st.LastHeard.IsZero() {
		now = now.Add(-st.Offset)
	}
	return now
}

// checkCode judges a typed code beside the loop: it writes to the disk.
func (s *Station) checkCode(e booth.CheckCode) {
	if !s.of(e.Session) {
		return
	}
	v := s.visitOf(s.visit, e.Record)
	s.work.Go(func() {
		err := s.till.code(v, e.Code, time.Now())
		s.judged(e.Session, v, proof{claim.EvidenceCode, e.Code}, "", err)
	})
}

// visitOf is what a proof has to be bound to.
func (s *Station) visitOf(v *visit, r booth.Record) claim.Visit {
	return claim.Visit{
		Station: s.p.Enrolment.Enrolled.StationID, Session: v.ulid,
		Order: claim.Order{Batch: r.BatchID, StudentRef: r.Ref},
	}
}

// judged tells the loop what a proof was worth.
func (s *Station) judged(session string, v claim.Visit, p proof, order string, err error) {
	ev := booth.ProofJudged{Session: session, OK: err == nil, Evidence: p.evidence}
	outcome := "accepted"
	if err != nil {
		ev.Problem, outcome = s.proofProblem(err, p.evidence, v)
	}
	s.inputs <- asked{done: make(chan struct{}), f: func() {
		s.note(session, "payment."+p.evidence, outcome)
		if err == nil && s.of(session) {
			s.visit.proof = p
			if order != "" {
				s.visit.order = order
			}
		}
		s.apply(ev)
		if err == nil {
			s.apply(booth.PaymentUpdate{BatchID: v.Order.Batch, Ref: v.Order.StudentRef, State: string(wire.PaymentPaid)})
		}
	}}
}

// proofProblem says at the desk why a proof counts for nothing, and in one word
// for the audit log.
func (s *Station) proofProblem(err error, evidence string, v claim.Visit) (say booth.Text, outcome string) {
	left := s.till.left(v)
	switch {
	case errors.Is(err, claim.ErrWrongCode):
		return booth.Text{
			ZH: fmt.Sprintf("确认码不对，还可以试 %d 次。请对照手机上的 8 位数字。", left),
			EN: fmt.Sprintf("Wrong code, %d tries left. Compare it with the eight digits on the phone.", left),
		}, "wrong"
	case errors.Is(err, claim.ErrTooMany):
		return booth.Text{
			ZH: "本次已试错太多次，不能再试。请联网后自动到账，或登记为以后付。",
			EN: "Too many wrong tries in this visit. Wait for the network, or record that the fee is paid later.",
		}, "locked_session"
	case errors.Is(err, claim.ErrTooManyADay):
		return booth.Text{
			ZH: "本机今天已试错太多次，明天才能再用确认码。请登记为以后付，并告知管理员。",
			EN: "Too many wrong tries on this station today; codes work again tomorrow. Record that the fee is paid later and tell the admin.",
		}, "locked_day"
	case errors.Is(err, roster.ErrSpent):
		return booth.Text{ZH: "这份付款凭证已经用过，不能再用。", EN: "This receipt was used before and counts once."}, "spent"
	case errors.Is(err, claim.ErrOtherVisit):
		return booth.Text{
			ZH: "这份凭证属于另一位同学或另一次拍照。请用手机重新扫本机的二维码，再出示凭证。",
			EN: "This receipt is another student's or of another visit. Scan this station's code with the phone again, then show the receipt.",
		}, "other_visit"
	case errors.Is(err, claim.ErrForged), errors.Is(err, claim.ErrReceipt):
		return booth.Text{ZH: "这不是审核中心签发的付款凭证。", EN: "This receipt was not signed by central."}, "forged"
	case errors.Is(err, claim.ErrReceiptExpired):
		return booth.Text{ZH: "付款凭证已过期，请在手机上刷新页面后再出示。", EN: "The receipt has expired: reload the page on the phone and show it again."}, "expired"
	case errors.Is(err, claim.ErrReceiptEarly):
		return booth.Text{
			ZH: "本机时钟比中心慢，读不了凭证。请工作人员改用 8 位确认码，并校准时钟。",
			EN: "This station's clock is behind central's. Staff: use the eight-digit code, and set the clock.",
		}, "clock"
	}
	s.log.Error("proof of payment not judged", "evidence", evidence, "err", err)
	return booth.Text{ZH: "凭证没有写进磁盘，请再试一次。", EN: "The proof could not be written to disk. Please try again."}, "disk"
}

// watchReceipts looks for a receipt before the camera while a fee is owed and
// central is away.
func (s *Station) watchReceipts(ctx context.Context) {
	w := receiptWatch{frames: s.p.Camera, view: s.View, reader: qr.New(), gray: s.grayFrame, judge: s.judgeReceipt}
	w.run(ctx)
}

// receiptWatch is the loop that reads receipts. It owns its pictures.
type receiptWatch struct {
	frames frames
	view   func() booth.View
	reader codeReader
	gray   func(dst *image.Gray, f *camera.Frame) error
	// judge says whether the text is done with, so that the same code held up
	// for seconds is judged once.
	judge func(ctx context.Context, session, text string) (done bool)

	frame camera.Frame
	small image.Gray
}

func (w *receiptWatch) run(ctx context.Context) {
	tick := time.NewTicker(receiptEvery)
	defer tick.Stop()
	seq := uint64(0)
	session, last := "", ""
	for {
		select {
		case <-ctx.Done():
			w.wipe()
			return
		case <-tick.C:
		}
		v := w.view()
		if !v.Payment.Receipt || v.SessionID == "" {
			if session != "" {
				session, last = "", ""
				w.wipe()
			}
			continue
		}
		if v.SessionID != session {
			session, last = v.SessionID, ""
		}
		wait, cancel := context.WithTimeout(ctx, time.Second)
		err := w.frames.Latest(wait, seq, &w.frame)
		cancel()
		if err != nil {
			continue
		}
		seq = w.frame.Seq
		if w.gray(&w.small, &w.frame) != nil {
			continue // a damaged frame; the next one comes
		}
		text, ok := w.reader.Decode(&w.small)
		if ok && text != last && w.judge(ctx, session, text) {
			last = text
		}
	}
}

func (w *receiptWatch) wipe() {
	w.frame.Wipe()
	clear(w.small.Pix)
	w.reader.Wipe()
}

// grayFrame decodes the luma of a frame at the size at which codes are read.
// Which way up it is does not matter to the reader.
func (s *Station) grayFrame(dst *image.Gray, f *camera.Frame) error {
	if f.Format == camera.YUYV {
		return codec.GrayYUYV(dst, f.Data, f.Width, f.Height)
	}
	eighths := 8
	for eighths > 1 && max(f.Width, f.Height)*eighths/16 >= qr.Side {
		eighths /= 2
	}
	return codec.DecodeGray(dst, f.Data, codec.Options{Eighths: eighths, FastDCT: true})
}

// judgeReceipt judges a text that the camera read. Texts that are no receipts
// are passed over in silence: the claim's own code, on a phone, is one.
func (s *Station) judgeReceipt(ctx context.Context, session, text string) (done bool) {
	if !strings.HasPrefix(text, claim.ReceiptPrefix) {
		return true
	}
	var v claim.Visit
	wanted := false
	if !s.onLoop(ctx, func() {
		if record, owing := s.machine.Owing(); owing && s.of(session) {
			v, wanted = s.visitOf(s.visit, record), true
		}
	}) || !wanted {
		return false
	}
	r, err := s.till.receipt(v, text, s.centralNow())
	order := ""
	if err == nil {
		order = r.OrderID.String()
	}
	s.judged(session, v, proof{claim.EvidenceReceipt, text}, order, err)
	return true
}
