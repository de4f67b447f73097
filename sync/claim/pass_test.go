package claim

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"
)

var passDay = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

func passKeys(seed byte) (ed25519.PrivateKey, ed25519.PublicKey) {
	k := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
	pub, _ := k.Public().(ed25519.PublicKey)
	return k, pub
}

func signPass(t testing.TB, key ed25519.PrivateKey) string {
	t.Helper()
	text, err := SignPass(key, "2026-fall", "stu-1", passDay)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAPassTellsWhoIsThere(t *testing.T) {
	key, pub := passKeys('a')
	text := signPass(t, key)
	p, err := OpenPass(text, pub, passDay.Add(time.Minute))
	if err != nil || p.Batch != "2026-fall" || p.Ref != "stu-1" || len(p.Nonce) < 20 || !p.Expires.Equal(passDay.Add(PassTTL)) {
		t.Fatalf("%+v %v", p, err)
	}
	again := signPass(t, key)
	if q, err := OpenPass(again, pub, passDay); err != nil || q.Nonce == p.Nonce {
		t.Errorf("two passes share a nonce: %v", err)
	}
	if len(text) > 300 {
		t.Errorf("a pass has %d characters: its code is too fine for a camera", len(text))
	}
}

func TestPassesThatAreNot(t *testing.T) {
	key, pub := passKeys('a')
	other, otherPub := passKeys('b')
	good := signPass(t, key)
	flip := func(i int) string {
		b := []byte(good)
		if b[i] == 'A' {
			b[i] = 'B'
		} else {
			b[i] = 'A'
		}
		return string(b)
	}
	receipt := strings.Replace(good, PassPrefix, ReceiptPrefix, 1)
	for _, tc := range []struct {
		name string
		text string
		pub  ed25519.PublicKey
		now  time.Time
		want error
	}{
		{"another central's", signPass(t, other), pub, passDay, ErrForged},
		{"held to another key", good, otherPub, passDay, ErrForged},
		{"no key", good, nil, passDay, ErrForged},
		{"changed", flip(len(good) - 5), pub, passDay, ErrForged},
		{"cut short", good[:len(good)-6], pub, passDay, ErrPass},
		{"longer", good + "AAA", pub, passDay, ErrPass},
		{"of another kind", receipt, pub, passDay, ErrPass},
		{"empty", "", pub, passDay, ErrPass},
		{"prefix alone", PassPrefix, pub, passDay, ErrPass},
		{"huge", PassPrefix + strings.Repeat("A", MaxPass), pub, passDay, ErrPass},
		{"late", good, pub, passDay.Add(PassTTL + ClockTolerance + time.Second), ErrPassExpired},
		{"early", good, pub, passDay.Add(-ClockTolerance - time.Second), ErrPassEarly},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := OpenPass(tc.text, tc.pub, tc.now); !errors.Is(err, tc.want) {
				t.Errorf("err = %v, want %v", err, tc.want)
			}
		})
	}
	// A receipt's signature makes no pass: what is signed says what it is for.
	if _, err := OpenReceipt(receipt, pub, Visit{}, passDay); err == nil {
		t.Error("a pass was taken for a receipt")
	}
	for _, bad := range []struct{ batch, ref string }{{"", "r"}, {"b", ""}, {strings.Repeat("b", 65), "r"}} {
		if _, err := SignPass(key, bad.batch, bad.ref, passDay); err == nil {
			t.Errorf("signed for %q %q", bad.batch, bad.ref)
		}
	}
	if _, err := SignPass(nil, "b", "r", passDay); err == nil {
		t.Error("signed without a key")
	}
}

// FuzzOpenPass reads what anybody may hold before the camera.
func FuzzOpenPass(f *testing.F) {
	key, pub := passKeys('a')
	good := signPass(f, key)
	f.Add(good)
	f.Add(PassPrefix + "6BF")
	f.Add(strings.ToLower(good))
	f.Fuzz(func(t *testing.T, text string) {
		// The passes among the seeds are genuine, and nothing else is.
		if p, err := OpenPass(text, pub, passDay); err == nil && (p.Ref != "stu-1" || p.Batch != "2026-fall") {
			t.Fatalf("a text that nobody signed was taken: %+v", p)
		}
	})
}
