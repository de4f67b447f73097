package roster_test

import (
	"errors"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/roster"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func TestAProofIsUsedOnce(t *testing.T) {
	dir, key := t.TempDir(), dataKey(t)
	s := open(t, dir, key)
	proof := roster.Proof{Evidence: "receipt", Nonce: "n1", Session: "session-1", At: day}
	settle := func(ref, session string) error {
		p := proof
		p.Session = session
		return s.Settle("b1", ref, p)
	}
	for step, c := range []struct {
		ref, session string
		want         error
	}{
		{"stu-1", "session-1", nil},
		{"stu-1", "session-1", nil}, // the same code before the camera again
		{"stu-1", "session-2", roster.ErrSpent},
		{"stu-2", "session-1", roster.ErrSpent},
	} {
		if err := settle(c.ref, c.session); !errors.Is(err, c.want) {
			t.Errorf("step %d: %v, want %v", step, err, c.want)
		}
	}
	if got := s.Local("b1", "stu-2"); got.Payment != "" || got.Proof != nil {
		t.Errorf("a spent proof left %+v", got)
	}
	// What is used stays used after a restart, with the payment that it proved.
	s = open(t, dir, key)
	if got := s.Local("b1", "stu-1"); got.Payment != wire.PaymentPaid || got.Proof == nil || *got.Proof != proof {
		t.Errorf("kept %+v", got)
	}
	if err := settle("stu-2", "session-3"); !errors.Is(err, roster.ErrSpent) {
		t.Errorf("after a restart: %v", err)
	}
	// What staff note later does not free it.
	if err := s.SetPayment("b1", "stu-1", wire.PaymentDeferred, "phone"); err != nil {
		t.Fatal(err)
	}
	if err := settle("stu-1", "session-1"); !errors.Is(err, roster.ErrSpent) {
		t.Errorf("after another note: %v", err)
	}
	if err := s.Settle("b1", "stu-3", roster.Proof{}); err == nil {
		t.Error("a proof without a nonce was taken")
	}
}
