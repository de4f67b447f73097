package keys_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/yunzhao-station/yunzhao/sync/keys"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

func store(t *testing.T) (*keys.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	s, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func recipients(t *testing.T, n int) (out []string) {
	t.Helper()
	for range n {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, id.Recipient().String())
	}
	return out
}

func central(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
}

func enrolment(t *testing.T, key ed25519.PrivateKey, change func(*wire.Enrolled)) keys.Enrolment {
	t.Helper()
	pub := key.Public().(ed25519.PublicKey)
	en := wire.Enrolled{StationID: "st-1", CentralKey: pub, Recipients: recipients(t, 2), ClaimKey: make([]byte, 32), ReceiptKey: make([]byte, 32)}
	if change != nil {
		change(&en)
	}
	s, err := wire.Sign(key, "k", wire.TypeEnrolled, en)
	if err != nil {
		t.Fatal(err)
	}
	return keys.Enrolment{URL: "https://c", Answer: s, KeyPrint: keys.Fingerprint(pub)}
}

func TestStationKeyIsMadeOnceAndPrivate(t *testing.T) {
	s, dir := store(t)
	a, err := s.StationKey()
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.StationKey()
	if err != nil || !a.Equal(b) {
		t.Fatal("another key", err)
	}
	path := filepath.Join(dir, "station.key")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.StationKey(); !errors.Is(err, keys.ErrReadable) {
		t.Errorf("readable by others: %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.StationKey(); !errors.Is(err, keys.ErrBadFile) {
		t.Errorf("a damaged key must never be replaced silently: %v", err)
	}
}

func TestEnrolment(t *testing.T) {
	s, _ := store(t)
	if _, err := s.Enrolment(); !errors.Is(err, keys.ErrNotEnrolled) {
		t.Fatal(err)
	}
	if err := s.SaveEnrolment(enrolment(t, central(1), nil)); err != nil {
		t.Fatal(err)
	}
	e, err := s.Enrolment()
	if err != nil || e.Enrolled.StationID != "st-1" || e.URL != "https://c" {
		t.Fatalf("%+v %v", e, err)
	}
	if r, err := e.Recipients(); err != nil || len(r) != 2 {
		t.Errorf("%v %v", r, err)
	}
	if err := s.SaveEnrolment(enrolment(t, central(1), nil)); err != nil {
		t.Errorf("the same station again: %v", err)
	}
	for name, other := range map[string]keys.Enrolment{
		"other central": enrolment(t, central(2), nil),
		"other id":      enrolment(t, central(1), func(e *wire.Enrolled) { e.StationID = "st-2" }),
	} {
		if err := s.SaveEnrolment(other); !errors.Is(err, keys.ErrEnrolled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.ForgetEnrolment(); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveEnrolment(enrolment(t, central(2), nil)); err != nil {
		t.Errorf("after forgetting: %v", err)
	}
}

func TestEnrolmentRefused(t *testing.T) {
	one := recipients(t, 1)
	for name, e := range map[string]keys.Enrolment{
		"man in the middle": func() keys.Enrolment {
			e := enrolment(t, central(2), nil)
			e.KeyPrint = keys.Fingerprint(central(1).Public().(ed25519.PublicKey))
			return e
		}(),
		"payload changed": func() keys.Enrolment {
			e := enrolment(t, central(1), nil)
			e.Answer.Payload = bytes.Replace(e.Answer.Payload, []byte("st-1"), []byte("st-9"), 1)
			return e
		}(),
		"other type": func() keys.Enrolment {
			e := enrolment(t, central(1), nil)
			e.Answer.Type = wire.TypeAck
			return e
		}(),
		"no JSON":           {Answer: wire.Signed{Payload: []byte("<html>")}},
		"one recipient":     enrolment(t, central(1), func(e *wire.Enrolled) { e.Recipients = one }),
		"the same twice":    enrolment(t, central(1), func(e *wire.Enrolled) { e.Recipients = append(one, one...) }),
		"broken recipient":  enrolment(t, central(1), func(e *wire.Enrolled) { e.Recipients[1] = "age1nonsense" }),
		"no station id":     enrolment(t, central(1), func(e *wire.Enrolled) { e.StationID = "" }),
		"short claim key":   enrolment(t, central(1), func(e *wire.Enrolled) { e.ClaimKey = nil }),
		"short receipt key": enrolment(t, central(1), func(e *wire.Enrolled) { e.ReceiptKey = e.ReceiptKey[1:] }),
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := store(t)
			if err := s.SaveEnrolment(e); !errors.Is(err, keys.ErrBadAnswer) {
				t.Fatalf("err = %v", err)
			}
			if _, err := s.Enrolment(); !errors.Is(err, keys.ErrNotEnrolled) {
				t.Errorf("kept all the same: %v", err)
			}
		})
	}
}

func TestDataKey(t *testing.T) {
	for _, tc := range []struct {
		name, phrase string
		mode         keys.Mode
	}{{"plain", "", keys.Plain}, {"passphrase", "云照站 2026 秋季", keys.Passphrase}} {
		t.Run(tc.name, func(t *testing.T) {
			s, dir := store(t)
			if _, err := s.DataKey(""); !errors.Is(err, keys.ErrNoDataKey) {
				t.Fatal(err)
			}
			k, err := s.CreateDataKey(tc.phrase)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.CreateDataKey(tc.phrase); !errors.Is(err, keys.ErrHaveDataKey) {
				t.Errorf("made twice: %v", err)
			}
			if m, err := s.DataKeyMode(); err != nil || m != tc.mode {
				t.Errorf("%s %v", m, err)
			}
			sealed := k.Seal("roster", []byte("secret"))
			again, err := s.DataKey(tc.phrase)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := again.Open("roster", sealed); err != nil || string(got) != "secret" {
				t.Errorf("%s %v", got, err)
			}
			if _, err := again.Open("payments", sealed); err == nil {
				t.Error("opened as something else")
			}
			for i := range sealed {
				bad := bytes.Clone(sealed)
				bad[i] ^= 1
				if _, err := again.Open("roster", bad); err == nil {
					t.Fatalf("byte %d changed unseen", i)
				}
			}
			if _, err := again.Open("roster", sealed[:5]); err == nil {
				t.Error("a stump opened")
			}
			if tc.mode == keys.Passphrase {
				if _, err := s.DataKey("wrong passphrase"); !errors.Is(err, keys.ErrPassphrase) {
					t.Errorf("wrong: %v", err)
				}
				if _, err := s.DataKey(""); !errors.Is(err, keys.ErrNeedsPhrase) {
					t.Errorf("none: %v", err)
				}
				if err := s.ProtectData("wrong passphrase", keys.Passphrase, "another one"); !errors.Is(err, keys.ErrPassphrase) {
					t.Errorf("change with a wrong one: %v", err)
				}
				if err := s.ProtectData(tc.phrase, keys.Passphrase, "short"); err == nil {
					t.Error("a short passphrase was taken")
				}
			}
			if err := s.ProtectData(tc.phrase, keys.Passphrase, "a new passphrase"); err != nil {
				t.Fatal(err)
			}
			if again, err = s.DataKey("a new passphrase"); err != nil {
				t.Fatal(err)
			}
			if _, err := again.Open("roster", sealed); err != nil {
				t.Error("another key after the change")
			}
			if err := os.WriteFile(filepath.Join(dir, "data.key"), []byte(`{"mode":"passphrase","memory_kib":4000000000}`), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := s.DataKey("x"); !errors.Is(err, keys.ErrBadFile) {
				t.Errorf("hostile file: %v", err)
			}
		})
	}
}

func TestParseEnrollCode(t *testing.T) {
	for _, tc := range []struct {
		in, one, print string
		ok             bool
	}{
		{"ABCD-EFGH-IJKL.0123456789abcdef", "ABCD-EFGH-IJKL", "0123456789abcdef", true},
		{" abcd-efgh .0123 4567 89AB CDEF\n", "abcd-efgh", "0123456789abcdef", true},
		{"ABCD." + strings.Repeat("a", 64), "ABCD", strings.Repeat("a", 64), true},
		{"ABCD", "", "", false},
		{".0123456789abcdef", "", "", false},
		{"ABCD.0123", "", "", false},
		{"ABCD.0123456789abcdeg", "", "", false},
		{strings.Repeat("A", 200) + ".0123456789abcdef", "", "", false},
	} {
		one, fingerprint, err := keys.ParseEnrollCode(tc.in)
		if (err == nil) != tc.ok || one != tc.one || fingerprint != tc.print {
			t.Errorf("%q: %q %q %v", tc.in, one, fingerprint, err)
		}
	}
}

func FuzzParseEnrollCode(f *testing.F) {
	f.Add("ABCD.0123456789abcdef")
	f.Fuzz(func(t *testing.T, s string) {
		if one, fingerprint, err := keys.ParseEnrollCode(s); err == nil && (one == "" || len(fingerprint) < keys.FingerprintChars) {
			t.Fatal(one, fingerprint)
		}
	})
}
