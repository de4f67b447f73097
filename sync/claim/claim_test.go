package claim_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/skip2/go-qrcode"

	"github.com/yunzhao-station/yunzhao/sync/claim"
)

var (
	key     = bytes.Repeat([]byte{7}, claim.KeyLen)
	session = ulid.MustParse("01J6Q3ZK4MXB7T8W9V2N5C1D0E")
	other   = ulid.MustParse("01J6Q3ZK4MXB7T8W9V2N5C1D0F")
	now     = time.Date(2026, 9, 1, 9, 0, 0, 0, time.UTC)
)

func mint(t testing.TB) string {
	t.Helper()
	tok, err := claim.Mint(key, "st-1", session, now.Add(claim.DefaultTTL))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func known(id claim.ShortID) (string, []byte, bool) {
	if id != claim.Short("st-1") {
		return "", nil, false
	}
	return "st-1", key, true
}

func TestMintVerify(t *testing.T) {
	tok := mint(t)
	if len(tok) != claim.TokenChars {
		t.Errorf("%d characters, want %d", len(tok), claim.TokenChars)
	}
	got, station, err := claim.Verify(tok, now, known)
	if err != nil || station != "st-1" || got.Session != session || !got.Expires.Equal(now.Add(claim.DefaultTTL)) {
		t.Fatalf("%+v %q %v", got, station, err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	tok := mint(t)
	for _, tc := range []struct {
		name   string
		token  string
		now    time.Time
		lookup func(claim.ShortID) (string, []byte, bool)
		want   error
	}{
		{"empty", "", now, known, claim.ErrToken},
		{"short", tok[1:], now, known, claim.ErrToken},
		{"long", tok + "A", now, known, claim.ErrToken},
		{"not base64url", "+" + tok[1:], now, known, claim.ErrToken},
		{"unknown station", tok, now, func(claim.ShortID) (string, []byte, bool) { return "", nil, false }, claim.ErrUnknown},
		{"other station with the same short id", tok, now, func(claim.ShortID) (string, []byte, bool) { return "st-2", key, true }, claim.ErrMAC},
		{"other key", tok, now, func(claim.ShortID) (string, []byte, bool) { return "st-1", bytes.Repeat([]byte{8}, claim.KeyLen), true }, claim.ErrMAC},
		{"the moment it expires", tok, now.Add(claim.DefaultTTL), known, claim.ErrExpired},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, _, err := claim.Verify(tc.token, tc.now, tc.lookup); !errors.Is(err, tc.want) {
				t.Fatalf("err = %v, want %v", err, tc.want)
			}
		})
	}
}

func TestEveryChangedCharacterIsFound(t *testing.T) {
	tok := mint(t)
	for i := range tok {
		c := byte('A')
		if tok[i] == 'A' {
			c = 'B'
		}
		if _, _, err := claim.Verify(tok[:i]+string(c)+tok[i+1:], now, known); err == nil {
			t.Errorf("character %d", i)
		}
	}
}

func TestMintRefuses(t *testing.T) {
	for name, err := range map[string]error{
		"short key":  second(claim.Mint(key[1:], "st-1", session, now)),
		"no station": second(claim.Mint(key, "", session, now)),
		"no session": second(claim.Mint(key, "st-1", ulid.ULID{}, now)),
		"no expiry":  second(claim.Mint(key, "st-1", session, time.Time{})),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second(_ string, err error) error { return err }

func TestURL(t *testing.T) {
	tok := mint(t)
	for _, tc := range []struct {
		name, base string
		ok         bool
	}{
		{"typical", "https://photo.example.edu.cn", true},
		{"trailing slash", "https://photo.example.edu.cn/", true},
		{"path prefix", "https://example.edu.cn/photo", true},
		{"plain http", "http://photo.example.edu.cn", false},
		{"demo on loopback", "http://127.0.0.1:8080", true},
		{"no scheme", "photo.example.edu.cn", false},
		{"query", "https://photo.example.edu.cn?x=1", false},
		{"user info", "https://a@photo.example.edu.cn", false},
		{"too long", "https://" + strings.Repeat("x", 60) + ".cn", false},
		{"other scheme", "javascript://x", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u, err := claim.URL(tc.base, tok)
			if (err == nil) != tc.ok {
				t.Fatalf("%q, %v", u, err)
			}
			if tc.ok && !strings.HasSuffix(u, "/k/"+tok) {
				t.Errorf("url = %s", u)
			}
		})
	}
	if _, err := claim.URL("https://a.cn", "nonsense"); err == nil {
		t.Error("an address with a broken token")
	}
}

func TestQRStaysWithinVersion6(t *testing.T) {
	for _, base := range []string{"https://photo.example.edu.cn", "https://" + strings.Repeat("x", claim.MaxURL-claim.TokenChars-len("https:///k/"))} {
		u, err := claim.URL(base, mint(t))
		if err != nil {
			t.Fatal(err)
		}
		q, err := qrcode.New(u, qrcode.Medium)
		if err != nil {
			t.Fatal(err)
		}
		if q.VersionNumber > 6 {
			t.Errorf("%d characters make version %d", len(u), q.VersionNumber)
		}
	}
}

func TestMatchNumber(t *testing.T) {
	a, b := claim.MatchNumber(key, session), claim.MatchNumber(key, other)
	if len(a) != 4 || a == b || a != claim.MatchNumber(key, session) {
		t.Errorf("%s %s", a, b)
	}
}

func TestTries(t *testing.T) {
	order := claim.Order{Batch: "b1", StudentRef: "s1"}
	code := claim.ConfirmationCode(key, order, session)
	wrong := "0" + code[1:]
	if wrong == code {
		wrong = "1" + code[1:]
	}
	t.Run("right code in three spellings", func(t *testing.T) {
		full := strings.Map(func(r rune) rune { return r - '0' + '０' }, code)
		for _, typed := range []string{code, code[:4] + " " + code[4:], full} {
			if tr, err := (claim.Tries{}).Check(key, order, session, typed, now); err != nil || tr.InSession != 0 {
				t.Errorf("%q: %v", typed, err)
			}
		}
	})
	t.Run("bound to order, session and key", func(t *testing.T) {
		for name, err := range map[string]error{
			"other student": third(claim.Tries{}.Check(key, claim.Order{Batch: "b1", StudentRef: "s2"}, session, code, now)),
			"shifted parts": third(claim.Tries{}.Check(key, claim.Order{Batch: "b1s", StudentRef: "1"}, session, code, now)),
			"other session": third(claim.Tries{}.Check(key, order, other, code, now)),
			"no key":        third(claim.Tries{}.Check(nil, order, session, claim.ConfirmationCode(nil, order, session), now)),
			"empty":         third(claim.Tries{}.Check(key, order, session, "", now)),
		} {
			if !errors.Is(err, claim.ErrWrongCode) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("five a session, then even the right one is refused", func(t *testing.T) {
		var tr claim.Tries
		var err error
		for i := range claim.DefaultTriesPerSession {
			if left := tr.Left(session); left != claim.DefaultTriesPerSession-i {
				t.Errorf("left = %d", left)
			}
			if tr, err = tr.Check(key, order, session, wrong, now); !errors.Is(err, claim.ErrWrongCode) {
				t.Fatal(err)
			}
		}
		if _, err = tr.Check(key, order, session, code, now); !errors.Is(err, claim.ErrTooMany) {
			t.Errorf("err = %v", err)
		}
		if tr.Left(session) != 0 {
			t.Error("tries left")
		}
		if _, err = tr.Check(key, order, other, claim.ConfirmationCode(key, order, other), now); err != nil {
			t.Errorf("a new session starts fresh: %v", err)
		}
	})
	t.Run("daily cap survives a clock set back", func(t *testing.T) {
		tr := claim.Tries{Day: now.Format(time.DateOnly), InDay: claim.DefaultFailuresPerDay}
		if _, err := tr.Check(key, order, session, code, now.AddDate(0, 0, -1)); !errors.Is(err, claim.ErrTooManyADay) {
			t.Errorf("err = %v", err)
		}
		if _, err := tr.Check(key, order, session, code, now.AddDate(0, 0, 1)); err != nil {
			t.Errorf("the next day: %v", err)
		}
	})
}

func third(_ claim.Tries, err error) error { return err }

func FuzzVerify(f *testing.F) {
	f.Add(mint(f))
	f.Add(strings.Repeat("A", claim.TokenChars))
	good := mint(f)
	f.Fuzz(func(t *testing.T, tok string) {
		if _, _, err := claim.Verify(tok, now, known); err == nil && tok != good {
			t.Fatal("an invented token verified")
		}
	})
}
