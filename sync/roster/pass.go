package roster

import (
	"errors"
	"time"
)

// Admit keeps that a pass has been shown, before anybody acts on it: it is good
// for one session. Showing it again in the same session changes nothing; in
// another it is [ErrSpent]. A student who is not on the list is [ErrUnknown].
func (s *Store) Admit(batch, ref, nonce, session string, issued time.Time) error {
	if nonce == "" || session == "" {
		return errors.New("roster: a pass without a nonce or a session")
	}
	if st, err := s.Student(ref); err != nil || st.Batch != batch {
		return ErrUnknown
	}
	spent := false
	err := s.changeIf(batch, ref, func(l *Local, all map[string]Local) bool {
		for _, other := range all {
			if other.Pass != nil && other.Pass.Nonce == nonce {
				spent = other.Pass.Session != session
				return false
			}
		}
		// Only the last is remembered: those made before it have had their time.
		if l.Pass != nil && issued.Before(l.Pass.Issued) {
			spent = true
			return false
		}
		l.Pass = &Pass{Nonce: nonce, Session: session, Issued: issued}
		return true
	})
	if err == nil && spent {
		return ErrSpent
	}
	return err
}

// Pass is the last pass of a student that was shown here.
type Pass struct {
	Nonce   string    `json:"nonce"`
	Session string    `json:"session"`
	Issued  time.Time `json:"issued"`
}
