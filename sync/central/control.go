package central

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// The control socket lets the command line work on a directory whose server is
// running. Who may open the socket (mode 0600 in a 0700 directory) owns the
// data anyway, so nothing more is asked.

const controlSocket = "admin.sock"

// controlPath names the socket so that it fits into the 108 bytes that Unix
// sockets have for it, however deep the data directory lies: through the open
// directory when it is too long by itself.
func controlPath(dir string) (path string, done func() error, err error) {
	path = filepath.Join(dir, controlSocket)
	if len(path) < 100 {
		return path, func() error { return nil }, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), controlSocket), d.Close, nil
}

// StartControl opens the control socket and answers the command line until
// stop is called. Once it has returned, the socket is there. ctx bounds the
// opening alone.
func (s *Server) StartControl(ctx context.Context) (stop func() error, err error) {
	path, done, err := controlPath(s.dir)
	if err != nil {
		return nil, fmt.Errorf("central: control socket: %w", err)
	}
	fail := func(err error) (func() error, error) {
		return nil, errors.Join(fmt.Errorf("central: control socket: %w", err), done())
	}
	// The directory is ours alone (bbolt's lock), so a socket here is left over.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return fail(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fail(errors.Join(err, l.Close()))
	}
	srv := &http.Server{Handler: s.controlHandler(), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("control socket", "err", err)
		}
	}()
	return func() error {
		err := srv.Close() // also removes the socket
		<-ended
		return errors.Join(err, done())
	}, nil
}

// PacketState is one line of Stats.
type PacketState struct {
	ID      string `json:"id"`
	Station string `json:"station"`
	SHA256  string `json:"sha256"`
	Size    int64  `json:"size"`
	Stage   Stage  `json:"stage"`
	State   string `json:"state"` // Packet.Status
}

// Stats is the whole directory in numbers, and every packet.
type Stats struct {
	Batches  int            `json:"batches"`
	Students int            `json:"students"`
	Stations int            `json:"stations"`
	Orders   int            `json:"orders"`
	ByState  map[string]int `json:"by_state"`
	Packets  []PacketState  `json:"packets"`
	Copied   []string       `json:"copied"` // stations whose key two computers use
	Forked   []string       `json:"forked"` // stations whose audit log is not the one of before
}

// Stats counts.
func (s *Server) Stats(ctx context.Context) (Stats, error) {
	st := Stats{ByState: map[string]int{}, Packets: []PacketState{}, Copied: []string{}, Forked: []string{}}
	bs, err := s.Batches(ctx)
	if err != nil {
		return st, err
	}
	st.Batches = len(bs)
	err = s.view(ctx, func(tx *bolt.Tx) error {
		for _, b := range bs {
			st.Students += countStudents(tx, b.ID)
		}
		return nil
	})
	if err != nil {
		return st, err
	}
	stations, err := s.Stations(ctx)
	if err != nil {
		return st, err
	}
	orders, err := s.Orders(ctx, "")
	if err != nil {
		return st, err
	}
	ps, err := s.ListPackets(ctx, PacketFilter{})
	if err != nil {
		return st, err
	}
	st.Stations, st.Orders = len(stations), len(orders)
	for _, row := range stations {
		if !row.CopiedAt.IsZero() {
			st.Copied = append(st.Copied, row.ID)
		}
		if !row.ForkedAt.IsZero() {
			st.Forked = append(st.Forked, row.ID)
		}
	}
	for _, p := range ps {
		st.ByState[p.Status()]++
		st.Packets = append(st.Packets, PacketState{p.ID, p.Station, p.SHA256, p.Size, p.Stage, p.Status()})
	}
	return st, nil
}

// Extract is an opened packet for somebody who may have it.
type Extract struct {
	ID       string `json:"id"`
	Manifest []byte `json:"manifest"` // JSON
	Original []byte `json:"original"` // JPEG
	Portrait []byte `json:"portrait"` // JPEG
	Audit    []byte `json:"audit"`    // JSON lines
}

// actorCLI is who acts through the control socket.
const actorCLI = "cli"

func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, do func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 64<<20)
			v, err := do(r)
			if rep, ok := v.(ImportReport); ok && errors.Is(err, ErrRows) {
				s.writeJSON(w, http.StatusUnprocessableEntity, rep)
				return
			}
			if err != nil {
				s.writeJSON(w, http.StatusInternalServerError, wire.Error{Code: "failed", Message: err.Error()})
				return
			}
			s.writeJSON(w, http.StatusOK, v)
		})
	}
	s.controlStick(handle)
	s.controlData(handle)
	handle("POST /backup", func(r *http.Request) (any, error) {
		return s.Backup(r.Context(), r.FormValue("file"), actorCLI)
	})
	handle("POST /code", func(r *http.Request) (any, error) {
		days, err := strconv.Atoi(r.FormValue("days"))
		if err != nil {
			return nil, fmt.Errorf("%w: days", ErrInvalid)
		}
		code, err := s.NewCode(r.Context(), r.Form["batch"], time.Duration(days)*24*time.Hour, actorCLI)
		return code, err
	})
	handle("GET /batches", func(r *http.Request) (any, error) { return s.Batches(r.Context()) })
	handle("POST /batches", func(r *http.Request) (any, error) {
		var b wire.Batch
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			return nil, fmt.Errorf("%w: batch", ErrInvalid)
		}
		return b, s.PutBatch(r.Context(), b, actorCLI)
	})
	handle("POST /users", func(r *http.Request) (any, error) {
		return struct{}{}, s.PutUser(r.Context(), r.FormValue("user"), r.FormValue("password"), r.Form["role"], r.Form["batch"], actorCLI)
	})
	handle("POST /roster", func(r *http.Request) (any, error) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("%w: roster file", ErrInvalid)
		}
		return s.ImportRoster(r.Context(), r.URL.Query().Get("batch"), data, actorCLI)
	})
	handle("GET /provisional", func(r *http.Request) (any, error) {
		return s.Provisionals(r.Context(), r.URL.Query().Get("batch"))
	})
	handle("POST /provisional", func(r *http.Request) (any, error) {
		return struct{}{}, s.DecideProvisional(r.Context(), r.FormValue("student"), r.FormValue("decision"), r.FormValue("into"), actorCLI)
	})
	handle("GET /stats", func(r *http.Request) (any, error) { return s.Stats(r.Context()) })
	handle("GET /stations", func(r *http.Request) (any, error) {
		sts, err := s.Stations(r.Context())
		for i := range sts {
			sts[i].ClaimKey, sts[i].ReceiptKey = nil, nil
		}
		return sts, err
	})
	handle("POST /settle", func(r *http.Request) (any, error) {
		return struct{}{}, s.SettleAlarms(r.Context(), r.FormValue("station"), actorCLI)
	})
	handle("POST /revoke", func(r *http.Request) (any, error) {
		return struct{}{}, s.RevokeStation(r.Context(), r.FormValue("station"), actorCLI)
	})
	handle("GET /packets/{id}", func(r *http.Request) (any, error) {
		c, p, err := s.openForView(r.Context(), r.PathValue("id"))
		if err != nil {
			return nil, err
		}
		if err := s.view(r.Context(), func(tx *bolt.Tx) error { return s.mayLeave(tx, p, "") }); err != nil {
			return nil, err
		}
		if err := s.audit(r.Context(), actorCLI, "packet.exported", p.ID, ""); err != nil {
			return nil, err
		}
		return Extract{p.ID, c.ManifestJSON, c.Original, c.Portrait, c.Audit}, nil
	})
	handle("GET /approved", func(r *http.Request) (any, error) {
		return s.exportable(r.Context(), r.URL.Query().Get("batch"), r.URL.Query().Get("request"))
	})
	handle("GET /approved/{id}", func(r *http.Request) (any, error) {
		return s.Approved(r.Context(), r.PathValue("id"), r.URL.Query().Get("request"), actorCLI)
	})
	handle("POST /open", func(r *http.Request) (any, error) {
		c, err := s.OpenFile(r.Context(), r.Body, actorCLI)
		if err != nil {
			return nil, err
		}
		return Extract{c.Header.ID.String(), c.ManifestJSON, c.Original, c.Portrait, c.Audit}, nil
	})
	handle("GET /audit", func(r *http.Request) (any, error) {
		return struct{}{}, s.VerifyAudit(r.Context())
	})
	return mux
}

// Control does what the command line asks, through the socket of the running
// server or, when none runs, on the directory itself.
type Control struct {
	client *http.Client
	close  func() error
}

// OpenControl finds the server of dir or opens dir.
func OpenControl(ctx context.Context, dir string, o Options) (*Control, error) {
	path, done, err := controlPath(dir)
	if err == nil {
		var d net.Dialer
		conn, dialErr := d.DialContext(ctx, "unix", path)
		if dialErr == nil {
			if err := conn.Close(); err != nil {
				return nil, fmt.Errorf("central: control socket: %w", err)
			}
			tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) }}
			return &Control{&http.Client{Transport: tr}, func() error { tr.CloseIdleConnections(); return done() }}, nil
		}
		if err := done(); err != nil {
			return nil, fmt.Errorf("central: control socket: %w", err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, indexFile)); err != nil {
		return nil, fmt.Errorf("central: %s is not a data directory (yunzhao-central serve makes one): %w", dir, err)
	}
	s, err := Open(dir, o)
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("%w, and it does not answer on %s", err, filepath.Join(dir, controlSocket))
	}
	if err != nil {
		return nil, err
	}
	return &Control{&http.Client{Transport: inProcess{s.controlHandler()}}, s.Close}, nil
}

// Close releases the directory or the connection.
func (c *Control) Close() error { return c.close() }

// inProcess calls a handler without a network.
type inProcess struct{ h http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := &buffer{header: http.Header{}, status: http.StatusOK}
	t.h.ServeHTTP(w, r)
	return &http.Response{StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header, Body: io.NopCloser(&w.body), Request: r}, nil
}

// buffer is a ResponseWriter that keeps the answer.
type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffer) Header() http.Header         { return b.header }
func (b *buffer) WriteHeader(status int)      { b.status = status }
func (b *buffer) Write(p []byte) (int, error) { return b.body.Write(p) }

// Do sends one request and decodes the answer into out. A refused roster is
// decoded too and reported as ErrRows.
func (c *Control) Do(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://control"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("central: control: %w", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return fmt.Errorf("central: control: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("central: control: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusUnprocessableEntity:
		if err := json.Unmarshal(b, out); err != nil {
			return fmt.Errorf("central: control: %w", err)
		}
		if resp.StatusCode != http.StatusOK {
			return ErrRows
		}
		return nil
	}
	var e wire.Error
	if err := json.Unmarshal(b, &e); err != nil || e.Message == "" {
		return fmt.Errorf("central: control: %s", resp.Status)
	}
	return errors.New(strings.TrimPrefix(e.Message, "central: "))
}
