package central

import (
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Opinion is what one reviewer thinks of a photo of a batch with four eyes.
type Opinion struct {
	Reviewer string    `json:"reviewer"`
	State    string    `json:"state"` // wire.VerdictApproved or VerdictRejected
	Reason   string    `json:"reason,omitempty"`
	Note     string    `json:"note,omitempty"`
	At       time.Time `json:"at"`
}

// ErrOpinion refuses a second opinion of the same reviewer.
var ErrOpinion = errors.New("central: this reviewer has judged the photo; another one must look at it too")

func opinionsOf(tx *bolt.Tx, packet string) ([]Opinion, error) {
	all, err := getJSON[[]Opinion](tx, bktOpinions, []byte(packet))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return all, err
}

// judgedBy reports whether a reviewer is one of those.
func judgedBy(all []Opinion, reviewer string) bool {
	return slices.ContainsFunc(all, func(o Opinion) bool { return o.Reviewer == reviewer })
}

// disputed: two have looked and do not agree.
func disputed(all []Opinion) bool { return len(all) >= 2 }

// standing is what was said of a photo so far. mine: this reviewer has judged it
// and another one has to. A batch that gave up four eyes waits for nobody.
func standing(tx *bolt.Tx, p Packet, reviewer string) (said []Opinion, fourEyes, mine bool, err error) {
	rules, err := rulesOf(tx, p.Batch)
	if err != nil {
		return nil, false, false, err
	}
	said, err = opinionsOf(tx, p.ID)
	return said, rules.FourEyes, rules.FourEyes && judgedBy(said, reviewer), err
}

// opine takes a reviewer's opinion and says whether it decides: at once in a
// batch without four eyes; else with the second reviewer if the two agree, and
// with the third if they do not. Nobody is asked twice.
func (s *Server) opine(tx *bolt.Tx, p Packet, o Opinion) (decides bool, err error) {
	rules, err := rulesOf(tx, p.Batch)
	if err != nil || !rules.FourEyes {
		return !rules.FourEyes, err
	}
	all, err := opinionsOf(tx, p.ID)
	if err != nil {
		return false, err
	}
	if judgedBy(all, o.Reviewer) {
		return false, ErrOpinion
	}
	o.At = s.now().UTC()
	decides = len(all) == 1 && all[0].State == o.State || disputed(all)
	action := "packet.first_opinion"
	switch {
	case decides:
		action = "packet.opinion_agreed"
		if disputed(all) {
			action = "packet.dispute_ended"
		}
	case len(all) == 1:
		action = "packet.disputed"
	}
	if err := putJSON(tx, bktOpinions, []byte(p.ID), append(all, o)); err != nil {
		return false, err
	}
	return decides, appendAudit(tx, o.At, o.Reviewer, action, p.ID, o.State)
}

// StateWord is a verdict as people say it, in Chinese.
func (o Opinion) StateWord() string {
	if o.State == wire.VerdictApproved {
		return "通过"
	}
	return fmt.Sprintf("退回：%s", reasonZH(o.Reason))
}

func reasonZH(code string) string { zh, _ := reasonText(code); return zh }
