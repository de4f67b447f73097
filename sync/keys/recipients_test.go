package keys_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func TestRecipientsChange(t *testing.T) {
	s, dir := store(t)
	key := central(1)
	first := recipients(t, 2)
	if err := s.SaveEnrolment(enrolment(t, key, func(e *wire.Enrolled) { e.Recipients = first })); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	fresh := append(recipients(t, 1), first[1])
	list := func(change func(r *wire.Recipients)) wire.Signed {
		r := wire.Recipients{StationID: "st-1", Recipients: fresh, Since: now}
		if change != nil {
			change(&r)
		}
		signed, err := wire.Sign(key, "k", wire.TypeRecipients, r)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	sealsFor := func(want []string) {
		t.Helper()
		e, err := s.Enrolment()
		if err != nil || !slices.Equal(e.Enrolled.Recipients, want) {
			t.Errorf("sealing for %v, want %v (%v)", e.Enrolled.Recipients, want, err)
		}
	}
	other, err := wire.Sign(central(2), "k", wire.TypeRecipients, wire.Recipients{StationID: "st-1", Recipients: fresh, Since: now})
	if err != nil {
		t.Fatal(err)
	}
	asHello := list(nil)
	asHello.Type = wire.TypeHello
	for name, bad := range map[string]wire.Signed{
		"another central's":        other,
		"another kind of answer":   asHello,
		"for another station":      list(func(r *wire.Recipients) { r.StationID = "st-2" }),
		"without the recovery key": list(func(r *wire.Recipients) { r.Recipients = recipients(t, 2) }),
		"the recovery key alone":   list(func(r *wire.Recipients) { r.Recipients = first[1:] }),
		"not a key":                list(func(r *wire.Recipients) { r.Recipients = []string{"age1", first[1]} }),
	} {
		if err := s.SaveRecipients(bad); !errors.Is(err, keys.ErrBadAnswer) {
			t.Errorf("%s: %v", name, err)
		}
		sealsFor(first)
	}
	for range 2 { // it comes with every exchange
		if err := s.SaveRecipients(list(nil)); err != nil {
			t.Fatal(err)
		}
		sealsFor(fresh)
	}
	t.Run("an older list played again changes nothing", func(t *testing.T) {
		old := list(func(r *wire.Recipients) { r.Recipients, r.Since = first, now.Add(-time.Second) })
		if err := s.SaveRecipients(old); err != nil {
			t.Fatal(err)
		}
		sealsFor(fresh)
	})
	t.Run("a damaged file falls back to the enrolment", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(dir, "recipients.json"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		sealsFor(first)
		if err := s.SaveRecipients(list(nil)); err != nil {
			t.Fatal(err)
		}
		sealsFor(fresh)
	})
}
