package station

import (
	"context"
	"crypto/ed25519"
	"errors"
	"image"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/sync/claim"
	"github.com/yunzhao-station/yunzhao/sync/packet"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// onFilm is a camera and a reader: what the frames show.
type onFilm struct {
	seq  uint64
	text string
}

func (f *onFilm) Latest(_ context.Context, after uint64, dst *camera.Frame) error {
	f.seq++
	dst.Seq = max(f.seq, after+1)
	return nil
}
func (f *onFilm) BySeq(uint64, *camera.Frame) bool          { return false }
func (f *onFilm) Decode(*image.Gray) (text string, ok bool) { return f.text, f.text != "" }
func (f *onFilm) Wipe()                                     {}

func TestReceiptsAreReadOnceASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		film := &onFilm{}
		var judged []string
		fail := false
		view := booth.View{}
		w := receiptWatch{
			frames: film, reader: film, view: func() booth.View { return view },
			gray: func(*image.Gray, *camera.Frame) error { return nil },
			judge: func(_ context.Context, session, text string) bool {
				judged = append(judged, session+text)
				return !fail
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.run(ctx) }()
		pass := func() {
			<-time.After(4*receiptEvery + time.Millisecond)
			synctest.Wait()
		}
		film.text = "A"
		pass()
		if len(judged) != 0 {
			t.Fatalf("read although nobody asked: %v", judged)
		}
		view = booth.View{SessionID: "1", Payment: booth.PaymentView{Receipt: true}}
		pass()
		film.text = "B"
		pass()
		view.SessionID = "2"
		pass()
		fail = true
		film.text = "C"
		pass()
		cancel()
		<-done
		got := ""
		for _, j := range judged {
			got += j + " "
		}
		if got != "1A 1B 2B 2C 2C 2C 2C " {
			t.Errorf("judged %s", got)
		}
	})
}

// offlinePayer is a station without a network with a student whose fee is due,
// at the point where it keeps the visit back.
func offlinePayer(t *testing.T) (*rig, wire.Student, claim.Visit) {
	t.Helper()
	r := newRig(t)
	who := r.student(wire.PayBeforeSubmit)
	r.away()
	r.wait("no central", func(v booth.View) bool { return v.Lamps.Central.Level == booth.Warn })
	r.st.Send(booth.Wedge{Text: who.StudentNo})
	v := r.wait("record", func(v booth.View) bool { return v.State == booth.Eligible && v.Claim.URL != "" && v.Payment.Receipt })
	return r, who, claim.Visit{
		Station: r.params.Enrolment.Enrolled.StationID, Session: ulid.MustParse(v.SessionID),
		Order: claim.Order{Batch: who.Batch, StudentRef: who.Ref},
	}
}

func TestACodeProvesThePaymentInTheWindowAndInThePacket(t *testing.T) {
	r, who, v := offlinePayer(t)
	pins := OpenPINs(r.dir, nil)
	if err := pins.Set(booth.Staff{ID: "li", Role: booth.RoleOperator}, "4071"); err != nil {
		t.Fatal(err)
	}
	r.st.Send(booth.OpenOperator{})
	r.wait("the PIN pad", func(v booth.View) bool { return v.Operator != nil && !v.Operator.PIN.Busy && !v.Operator.PIN.NoPIN })
	r.st.Send(booth.Unlock{PIN: "4071"})
	r.wait("the staff's page", func(v booth.View) bool { return v.Operator != nil && v.Operator.Unlocked })
	r.st.Send(booth.PayCode{Code: "00000000"})
	r.wait("a refusal", func(v booth.View) bool { return v.Operator.Refused && v.Payment.State == "unpaid" })
	code := claim.ConfirmationCode(r.params.Enrolment.Enrolled.ReceiptKey, v.Order, v.Session)
	r.st.Send(booth.PayCode{Code: code})
	r.wait("paid", func(v booth.View) bool { return v.Payment.State == "paid" && !v.Payment.Receipt })
	if l := r.roster.Local(who.Batch, who.Ref); l.Proof == nil || l.Proof.Evidence != claim.EvidenceCode || l.Payment != wire.PaymentPaid {
		t.Errorf("kept %+v", l)
	}
	p := r.paymentOf()
	if p != (packet.Payment{State: "paid", Evidence: claim.EvidenceCode, Proof: code}) {
		t.Errorf("the packet would say %+v", p)
	}
}

// paymentOf is what the packet of the visit under way would say.
func (r *rig) paymentOf() (p packet.Payment) {
	r.st.onLoop(r.t.Context(), func() {
		p = payment(booth.Seal{Payment: r.st.machine.View().Payment.State}, r.st.visit)
	})
	return p
}

func TestAReceiptBeforeTheCameraProvesThePayment(t *testing.T) {
	r, who, v := offlinePayer(t)
	order := ulid.Make()
	other := v
	other.Session = ulid.Make()
	r.st.till.enrolled.Enrolled.CentralKey = tillCentral.Public().(ed25519.PublicKey)
	stale, err := claim.SignReceipt(tillCentral, other, order, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	good, err := claim.SignReceipt(tillCentral, v, order, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	judge := func(text string) { r.st.judgeReceipt(r.t.Context(), v.Session.String(), text) }
	judge("https://example.edu/anything")
	if got := r.st.till.left(v); got != claim.DefaultTriesPerSession {
		t.Errorf("a code that is no receipt costs a try: %d left", got)
	}
	judge(stale)
	r.wait("a refusal", func(v booth.View) bool { return v.Toast != nil && v.Payment.State == "unpaid" })
	judge(good)
	r.wait("paid", func(v booth.View) bool { return v.Payment.State == "paid" })
	if p := r.paymentOf(); p != (packet.Payment{State: "paid", OrderID: order.String(), Evidence: claim.EvidenceReceipt, Proof: good}) {
		t.Errorf("the packet would say %+v", p)
	}
	// After a restart it is still paid.
	batch, _ := r.roster.Batch(who.Batch)
	if rec := r.st.record(who, batch); rec.Payment != "paid" {
		t.Errorf("the next visit finds %s", rec.Payment)
	}
}

func TestProofProblemsInWords(t *testing.T) {
	r := newRig(t)
	said := map[string]bool{}
	for _, err := range []error{
		claim.ErrWrongCode, claim.ErrTooMany, claim.ErrTooManyADay, claim.ErrOtherVisit, claim.ErrForged,
		claim.ErrReceiptExpired, claim.ErrReceiptEarly, errors.New("disk"),
	} {
		text, outcome := r.st.proofProblem(err, claim.EvidenceCode, tillVisit(1))
		if text.ZH == "" || text.EN == "" || said[outcome] {
			t.Errorf("%v: %+v %s", err, text, outcome)
		}
		said[outcome] = true
	}
}
