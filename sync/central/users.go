package central

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/crypto/argon2"
)

// argon2id with the second of the parameter sets that OWASP's password storage
// cheat sheet holds equal: 19 MiB, two passes, one lane.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonLanes   = 1
	argonKeyLen  = 32
	argonSaltLen = 16
)

const (
	minPassword = 10
	maxPassword = 128

	// Five wrong passwords in a row shut an account for a quarter of an hour:
	// at most 480 guesses a day.
	maxFailedLogins = 5
	lockoutTime     = 15 * time.Minute

	loginTTL  = 12 * time.Hour   // a working day
	loginIdle = 60 * time.Minute // a reviewer who left the desk
)

func hashPassword(password string) string {
	salt := make([]byte, argonSaltLen)
	rand.Read(salt) // never fails (crypto/rand)
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, argonKeyLen)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// checkPassword compares in constant time. Only hashes with today's parameters
// are known; others never match.
func checkPassword(hash, password string) bool {
	prefix := fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, argonMemory, argonTime, argonLanes)
	rest, ok := strings.CutPrefix(hash, prefix)
	if !ok {
		return false
	}
	saltText, keyText, _ := strings.Cut(rest, "$")
	salt, err1 := base64.RawStdEncoding.DecodeString(saltText)
	want, err2 := base64.RawStdEncoding.DecodeString(keyText)
	if err1 != nil || err2 != nil || len(want) != argonKeyLen {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, argonKeyLen)
	return subtle.ConstantTimeCompare(got, want) == 1
}

// PutUser makes a user or changes the roles, batches and password of one; an
// empty password keeps the old one. A changed password ends all log-ins.
func (s *Server) PutUser(ctx context.Context, name, password string, roles, batches []string, actor string) error {
	if !userPattern.MatchString(name) {
		return fmt.Errorf("%w: user name: 2–32 of a–z, 0–9, dot, dash, underscore", ErrInvalid)
	}
	if len(roles) == 0 {
		return fmt.Errorf("%w: a user needs a role", ErrInvalid)
	}
	for _, r := range roles {
		if r != RoleAdmin && r != RoleReviewer {
			return fmt.Errorf("%w: role %q, known are %s and %s", ErrInvalid, r, RoleAdmin, RoleReviewer)
		}
	}
	hash := ""
	if password != "" {
		if n := utf8.RuneCountInString(password); n < minPassword || n > maxPassword {
			return fmt.Errorf("%w: a password has %d–%d characters", ErrInvalid, minPassword, maxPassword)
		}
		hash = hashPassword(password)
	}
	return s.update(ctx, func(tx *bolt.Tx) error {
		u, err := getJSON[User](tx, bktUsers, []byte(name))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if errors.Is(err, ErrNotFound) && hash == "" {
			return fmt.Errorf("%w: a new user needs a password", ErrInvalid)
		}
		if len(batches) > 0 {
			if batches, err = s.scope(tx, batches); err != nil {
				return err
			}
		}
		u.Name, u.Roles, u.Batches, u.Disabled = name, roles, batches, false
		if hash != "" {
			u.Hash, u.Failed, u.LockedUntil = hash, 0, time.Time{}
			if err := endLogins(tx, name); err != nil {
				return err
			}
		}
		if err := putJSON(tx, bktUsers, []byte(name), u); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "user.put", name, strings.Join(roles, " "))
	})
}

// DisableUser ends a user's log-ins and lets no new one in. The name stays, as
// the audit log speaks of it. The last administrator cannot be disabled.
func (s *Server) DisableUser(ctx context.Context, name, actor string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		u, err := getJSON[User](tx, bktUsers, []byte(name))
		if err != nil {
			return err
		}
		all, err := list[User](tx, bktUsers)
		if err != nil {
			return err
		}
		others := slices.ContainsFunc(all, func(o User) bool {
			return o.Name != name && !o.Disabled && slices.Contains(o.Roles, RoleAdmin)
		})
		if slices.Contains(u.Roles, RoleAdmin) && !others {
			return fmt.Errorf("%w: %s is the last administrator", ErrState, name)
		}
		u.Disabled = true
		if err := endLogins(tx, name); err != nil {
			return err
		}
		if err := putJSON(tx, bktUsers, []byte(name), u); err != nil {
			return err
		}
		return appendAudit(tx, s.now(), actor, "user.disabled", name, "")
	})
}

// Users lists all users without their password hashes.
func (s *Server) Users(ctx context.Context) (out []User, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		out, err = list[User](tx, bktUsers)
		return err
	})
	for i := range out {
		out[i].Hash = ""
	}
	return out, err
}

// login is one browser that is signed in.
type login struct {
	User    string    `json:"user"`
	Expires time.Time `json:"expires"`
	SeenAt  time.Time `json:"seen_at"`
}

func endLogins(tx *bolt.Tx, user string) error {
	b := tx.Bucket(bktLogins)
	var gone [][]byte
	err := b.ForEach(func(k, _ []byte) error {
		l, err := getJSON[login](tx, bktLogins, k)
		if err == nil && l.User == user {
			gone = append(gone, k)
		}
		return err
	})
	for _, k := range gone {
		err = errors.Join(err, b.Delete(k))
	}
	return err
}

// signIn checks a password and returns the cookie of a new log-in. The answer
// and the time it takes are the same for an unknown user, a wrong password and
// a locked account.
func (s *Server) signIn(ctx context.Context, name, password string) (cookie string, err error) {
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	var u User
	err = s.view(ctx, func(tx *bolt.Tx) error {
		u, err = getJSON[User](tx, bktUsers, []byte(name))
		return err
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	known := err == nil
	if !known {
		u.Hash = s.pages.nobody
	}
	if utf8.RuneCountInString(password) > maxPassword {
		password = ""
	}
	right := checkPassword(u.Hash, password)
	if !known {
		return "", ErrCredentials
	}
	cookie = randomToken()
	ok := false
	err = s.update(ctx, func(tx *bolt.Tx) error {
		ok = false
		cur, err := getJSON[User](tx, bktUsers, []byte(name))
		if err != nil {
			return err
		}
		now := s.now().UTC()
		switch {
		case cur.Hash != u.Hash, cur.Disabled:
			return nil
		case now.Before(cur.LockedUntil):
			return appendAudit(tx, now, name, "login.locked", name, "")
		case !right:
			if cur.Failed++; cur.Failed >= maxFailedLogins {
				cur.Failed, cur.LockedUntil = 0, now.Add(lockoutTime)
			}
			if err := putJSON(tx, bktUsers, []byte(name), cur); err != nil {
				return err
			}
			return appendAudit(tx, now, name, "login.failed", name, "")
		}
		ok = true
		cur.Failed, cur.LockedUntil = 0, time.Time{}
		if err := putJSON(tx, bktUsers, []byte(name), cur); err != nil {
			return err
		}
		if err := dropOldLogins(tx, now); err != nil {
			return err
		}
		l := login{User: name, Expires: now.Add(loginTTL), SeenAt: now}
		if err := putJSON(tx, bktLogins, []byte(hashToken(cookie)), l); err != nil {
			return err
		}
		return appendAudit(tx, now, name, "login", name, "")
	})
	if err != nil {
		return "", err
	}
	if !ok {
		return "", ErrCredentials
	}
	return cookie, nil
}

func dropOldLogins(tx *bolt.Tx, now time.Time) error {
	b := tx.Bucket(bktLogins)
	var gone [][]byte
	err := b.ForEach(func(k, _ []byte) error {
		l, err := getJSON[login](tx, bktLogins, k)
		if err == nil && (now.After(l.Expires) || now.Sub(l.SeenAt) > loginIdle) {
			gone = append(gone, k)
		}
		return err
	})
	for _, k := range gone {
		err = errors.Join(err, b.Delete(k))
	}
	return err
}

// whoIs finds the user of a cookie and keeps the log-in from going idle.
func (s *Server) whoIs(ctx context.Context, cookie string) (User, error) {
	var u User
	var l login
	key := []byte(hashToken(cookie))
	err := s.view(ctx, func(tx *bolt.Tx) (err error) {
		if l, err = getJSON[login](tx, bktLogins, key); err != nil {
			return err
		}
		u, err = getJSON[User](tx, bktUsers, []byte(l.User))
		return err
	})
	if err != nil {
		return User{}, err
	}
	now := s.now().UTC()
	if now.After(l.Expires) || now.Sub(l.SeenAt) > loginIdle || u.Disabled {
		return User{}, ErrNotFound
	}
	// Written at most once a minute: every picture on a page asks.
	if now.Sub(l.SeenAt) < time.Minute {
		return u, nil
	}
	l.SeenAt = now
	return u, s.update(ctx, func(tx *bolt.Tx) error {
		if tx.Bucket(bktLogins).Get(key) == nil {
			return ErrNotFound // signed out meanwhile
		}
		return putJSON(tx, bktLogins, key, l)
	})
}

func (s *Server) signOut(ctx context.Context, cookie, user string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		if err := tx.Bucket(bktLogins).Delete([]byte(hashToken(cookie))); err != nil {
			return fmt.Errorf("central: sign out: %w", err)
		}
		return appendAudit(tx, s.now(), user, "logout", user, "")
	})
}

// csrfToken belongs to one cookie; a page of another site cannot know it.
func (s *Server) csrfToken(cookie string) string {
	h := hmac.New(sha256.New, s.keys.secret)
	h.Write([]byte("csrf\x00" + cookie))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (s *Server) csrfOK(cookie, token string) bool {
	return hmac.Equal([]byte(s.csrfToken(cookie)), []byte(token))
}
