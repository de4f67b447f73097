package central

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// Options of Open; every field may be left zero.
type Options struct {
	Now       func() time.Time // the clock; time.Now
	PublicURL string           // https://host that phones reach, without a path
	Logger    *slog.Logger     // discards
	Payment   PaymentProvider  // the sandbox
}

// Server is one central server over one directory. Its methods may be called
// from several goroutines.
type Server struct {
	dir        string
	db         *bolt.DB
	keys       *keyring
	vault      *vault
	commits    *committer
	unfinished int        // most packets of one station that are declared and not here
	rotating   sync.Mutex // the master key changes, or is being copied
	now        func() time.Time
	log        *slog.Logger
	publicURL  string
	epoch      uint64 // wire.Hello.Epoch
	secure     bool   // cookies only over https
	sandbox    *sandbox
	pay        PaymentProvider
	pages      *pages
	limits     *limiter
	hashing    chan struct{} // at most this many argon2id at once: each takes 19 MiB
	uploads    chan struct{} // at most this many bodies of packets in memory

	lockMu sync.Mutex
	locks  map[string]*packetLock
}

type packetLock struct {
	mu    sync.Mutex
	users int
}

// Directories under the data directory.
const (
	dirKeys    = "keys"
	dirPackets = "packets" // sealed packets, named by their id
	dirUploads = "uploads" // incomplete uploads
)

// maxUploads bounds the memory that bodies take: 8 × packet.MaxSize.
const maxUploads = 8

// Open opens the data directory, making it when it is new, and finishes what
// the last run did not: complete uploads are acknowledged, stored packets opened.
// The directory is locked until Close; ErrLocked when another process has it.
func Open(dir string, o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	public := strings.TrimSuffix(o.PublicURL, "/")
	if public != "" {
		u, err := url.Parse(public)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.Path != "" || u.RawQuery != "" {
			return nil, fmt.Errorf("%w: public URL must be https://host[:port] without a path", ErrInvalid)
		}
	}
	for _, d := range []string{dir, filepath.Join(dir, dirPackets), filepath.Join(dir, dirUploads)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("central: data directory: %w", err)
		}
	}
	keys, err := loadKeys(filepath.Join(dir, dirKeys))
	if err != nil {
		return nil, err
	}
	pg, err := loadPages()
	if err != nil {
		return nil, err
	}
	db, err := openIndex(dir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		dir: dir, db: db, keys: keys, now: o.Now, log: o.Logger, publicURL: public,
		secure: strings.HasPrefix(public, "https://"), pages: pg,
		limits: newLimiter(o.Now), hashing: make(chan struct{}, 2), uploads: make(chan struct{}, maxUploads),
		locks: map[string]*packetLock{}, unfinished: maxUnfinished,
	}
	s.commits = &committer{update: func(do func(*bolt.Tx) error) error { return s.db.Update(do) }}
	s.sandbox = &sandbox{db: db, now: o.Now}
	s.pay = o.Payment
	if s.pay == nil {
		s.pay = s.sandbox
	}
	if err := s.prepare(context.Background()); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

// prepare brings the directory to where requests may be answered from it.
func (s *Server) prepare(ctx context.Context) (err error) {
	if s.vault, err = openVault(filepath.Join(s.dir, dirKeys), s.db); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.recover(); err != nil {
		return err
	}
	if err := errors.Join(s.finishErasures(ctx), s.finishPurges(ctx)); err != nil {
		return err
	}
	if err := s.compact(ctx); err != nil {
		return err
	}
	s.sandbox.db = s.db
	return s.view(ctx, func(tx *bolt.Tx) error { s.epoch = epochOf(tx); return nil })
}

// Close releases the directory. Requests still running fail.
func (s *Server) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("central: close: %w", err)
	}
	return nil
}

// Fingerprint names central's signing key, as enrolment codes carry it.
func (s *Server) Fingerprint() string { return fingerprint(s.keys.publicKey) }

// PublicKey verifies what central signs.
func (s *Server) PublicKey() []byte { return s.keys.publicKey }

// RecoveryIdentityPath is where the offline recovery identity still lies on
// this machine, or "" once it has been taken away as it should be.
func (s *Server) RecoveryIdentityPath() string { return s.keys.takeAway }

// Handler serves the stations' interface, the phones' pages and the staff's pages.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.apiRoutes() {
		mux.HandleFunc(r.method+" "+r.path, r.handler)
	}
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, _ *http.Request) {
		s.apiFail(w, &apiError{http.StatusNotFound, wire.CodeNotFound, "no such endpoint", 0})
	})
	s.phoneRoutes(mux)
	s.staffRoutes(mux)
	return s.harden(mux)
}

// harden adds the headers that every answer carries.
func (s *Server) harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store")
		if s.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// setCookie sets a cookie that no script can read, for maxAge seconds; a
// negative maxAge takes it away.
func (s *Server) setCookie(w http.ResponseWriter, name, value string, sameSite http.SameSite, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever phones and staff come by https; a trial by http needs cookies too
		Name: name, Value: value, Path: "/", HttpOnly: true, Secure: s.secure, SameSite: sameSite, MaxAge: maxAge,
	})
}

// update runs one durable transaction.
func (s *Server) update(ctx context.Context, fn func(*bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.Update(fn)
}

func (s *Server) view(ctx context.Context, fn func(*bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer s.vault.enter()()
	return s.db.View(fn)
}

// lockPacket serialises what happens to one packet's bytes.
func (s *Server) lockPacket(id string) (unlock func()) {
	s.lockMu.Lock()
	l := s.locks[id]
	if l == nil {
		l = &packetLock{}
		s.locks[id] = l
	}
	l.users++
	s.lockMu.Unlock()
	l.mu.Lock()
	return func() {
		l.mu.Unlock()
		s.lockMu.Lock()
		defer s.lockMu.Unlock()
		if l.users--; l.users == 0 {
			delete(s.locks, id)
		}
	}
}

func (s *Server) sign(typ string, v any) (wire.Signed, error) {
	return wire.Sign(s.keys.sign, s.keys.signID, typ, v)
}

// hashToken is how cookies and codes are stored: whoever reads the index
// cannot use them.
func hashToken(t string) string {
	sum := sha256.Sum256([]byte(t))
	return hex.EncodeToString(sum[:])
}

func randomToken() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// lowerBase32 has no digits that look like letters.
var lowerBase32 = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// shortID is a random id of 5 bits a character for stations, students and
// orders: safe in URLs, file names and when read out.
func shortID(chars int) string {
	b := make([]byte, (chars*5+7)/8)
	rand.Read(b) // never fails (crypto/rand)
	return lowerBase32.EncodeToString(b)[:chars]
}

func (s *Server) newULID() (string, error) {
	id, err := ulid.New(ulid.Timestamp(s.now()), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("central: new id: %w", err)
	}
	return id.String(), nil
}

// validULID accepts the canonical spelling only, since ids become file names.
func validULID(s string) bool {
	id, err := ulid.ParseStrict(s)
	return err == nil && id.String() == s && id != (ulid.ULID{})
}
