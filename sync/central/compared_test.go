package central

import (
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/packet"
)

// The staff's word that card and face are one person's reaches the reviewer with
// its name on it, beside the photo it was said of and beside no other, and does
// not read like a failed check that was let through.
func TestReviewerSeesThatTheCardWasCompared(t *testing.T) {
	const compared, letThrough = "现场已核对：证件与本人一致", "工作人员放行"
	w := newWorld(t)
	k := w.kiosk()
	said := k.seal(studentA(1), func(s *shot) {
		s.in.Manifest.Overrides = []packet.Override{{CheckID: "card_compared", Reason: "seen", Operator: "li", At: w.clock.now()}}
	})
	unsaid := k.seal(studentA(2))
	other := k.seal(studentA(3), func(s *shot) {
		s.in.Manifest.Overrides = []packet.Override{{CheckID: "shadow", Reason: "window light", Operator: "wang", At: w.clock.now()}}
	})
	b := w.staffBrowser(w.demo.ReviewerUser, w.demo.ReviewerPassword)
	for _, p := range []*packet.Sealed{said, unsaid, other} {
		k.send(p)
	}
	page := func(p *packet.Sealed) int { return b.get("/review/" + p.ID.String()) }

	b.want(200, page(said), compared, "Staff compared the card with the face · li")
	b.lacks(letThrough)
	b.want(200, page(unsaid))
	b.lacks(compared, letThrough)
	b.want(200, page(other), letThrough, "window light · wang")
	b.lacks(compared)
}
