package roster_test

import (
	"errors"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/roster"
)

func TestAPassIsGoodForOneSession(t *testing.T) {
	dir, key := t.TempDir(), dataKey(t)
	s := open(t, dir, key)
	apply(t, s, full(1, student(1), student(2)))
	one, two := student(1).Ref, student(2).Ref
	later := day.Add(time.Minute)
	for _, tc := range []struct {
		name, batch, ref, nonce, session string
		issued                           time.Time
		want                             error
	}{
		{"first", "b1", one, "n1", "S1", day, nil},
		{"the same again in the same visit", "b1", one, "n1", "S1", day, nil},
		{"in another visit", "b1", one, "n1", "S2", day, roster.ErrSpent},
		{"for another student", "b1", two, "n1", "S3", day, roster.ErrSpent},
		{"a newer one", "b1", one, "n2", "S4", later, nil},
		{"an older one", "b1", one, "n0", "S5", day, roster.ErrSpent},
		{"the one before", "b1", one, "n1", "S1", day, roster.ErrSpent},
		{"nobody on the list", "b1", "stu-x", "n9", "S6", day, roster.ErrUnknown},
		{"of another batch", "b2", two, "n9", "S7", day, roster.ErrUnknown},
	} {
		if err := s.Admit(tc.batch, tc.ref, tc.nonce, tc.session, tc.issued); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	if err := open(t, dir, key).Admit("b1", one, "n2", "S9", later); !errors.Is(err, roster.ErrSpent) {
		t.Errorf("after a restart: %v", err)
	}
	if s.Admit("b1", one, "", "S", day) == nil || s.Admit("b1", one, "n", "", day) == nil {
		t.Error("a pass without a nonce or a session was taken")
	}
}
