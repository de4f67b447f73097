package booth

// CompareCard is the staff's word that they have held the student's card beside
// the face and that both are the same person's.
type CompareCard struct{}

func (CompareCard) intent() {}

// CheckCompared is the pseudo check under which a comparison of card and face goes
// on record with the photo, beside what else staff vouch for.
const CheckCompared = "card_compared"

// reasonSeen is the one reason there is: the staff's own eyes.
const reasonSeen = "seen"

// mayCompare tells whether there is a student now whose card can be compared, and
// whose was not.
func (m *Machine) mayCompare() bool {
	if m.record == nil || m.overridden(CheckCompared) {
		return false
	}
	switch m.state {
	case Eligible, Consent, Guide, Framing, Review, Confirm:
		return true
	case Locked, Idle, Identify, Countdown, Shot, Standardising, Sealing, Done, Abandoned:
	}
	return false
}

// compareCard puts the comparison on record. It is of the student and not of a
// photo: a retake leaves it standing, another student never has it.
func (m *Machine) compareCard() {
	if !m.authorised() || !m.mayCompare() {
		return
	}
	by := m.Operator()
	m.decided = by
	m.overrides = append(m.overrides, Overridden{Override: Override{CheckID: CheckCompared, Reason: reasonSeen}, By: by, At: m.now})
	m.audit("card.compared", "")
	m.op.notice = &textCompared
}

var textCompared = Text{"已记录：证件与本人核对一致。", "On record: the card was compared with the face."}
