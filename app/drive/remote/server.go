package remote

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxConns bounds the drivers at one kiosk: one drives, one or two watch.
const maxConns = 8

// writeTimeout frees the goroutine of a driver that stopped reading.
const writeTimeout = 5 * time.Second

// Handler is the kiosk as its drivers see it. Its methods are called from
// several goroutines at once.
type Handler interface {
	// State returns a value whose JSON has at least the fields of State and
	// nothing that tells who the student is.
	State() any
	// Targets lists the regions on screen now.
	Targets() []Target
	// Scene directs the simulated booth; an unknown command is an error.
	Scene(cmd string) error
}

// Server answers drivers on one Unix socket.
type Server struct {
	handler  Handler
	log      *slog.Logger
	listener *net.UnixListener
	slots    chan struct{}
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// Listen opens the socket at path with mode 0600 and starts answering. A socket
// that a dead kiosk left behind is replaced; anything else at path is refused.
// A nil log discards. The caller must Close the server, which removes the
// socket.
func Listen(ctx context.Context, path string, handler Handler, log *slog.Logger) (*Server, error) {
	if handler == nil {
		return nil, errors.New("open automation socket: no handler")
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, fmt.Errorf("open automation socket: %w", err)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open automation socket: %w", err)
	}
	l, ok := listener.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("open automation socket: it is a %T", listener), listener.Close())
	}
	// Between bind and chmod another user might connect; each connection's
	// credentials are checked too, so the mode is only the first of two doors.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open automation socket: %w", err), l.Close())
	}
	s := &Server{
		handler:  handler,
		log:      log,
		listener: l,
		slots:    make(chan struct{}, maxConns),
		conns:    make(map[net.Conn]struct{}),
	}
	s.wg.Go(s.accept)
	return s, nil
}

// removeStale clears path of a socket that nobody answers.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("%s is in use by another kiosk", path), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("see whether %s is in use: %w", path, err)
	}
	return os.Remove(path)
}

// Close stops answering, ends every connection and removes the socket. It waits
// for requests that are being handled. It is idempotent.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	for conn := range s.conns {
		_ = conn.Close() // its goroutine ends and reports nothing: we are leaving
	}
	s.mu.Unlock()
	err := s.listener.Close()
	s.wg.Wait()
	if err != nil {
		return fmt.Errorf("close automation socket: %w", err)
	}
	return nil
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.AcceptUnix()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.log.Error("automation socket stopped accepting", "error", err)
			}
			return
		}
		if !s.admit(conn) {
			_ = conn.Close() // it was never one of ours
			continue
		}
		s.wg.Go(func() {
			defer s.dismiss(conn)
			s.serve(conn)
		})
	}
}

// admit checks who connected and keeps the connection's place.
func (s *Server) admit(conn *net.UnixConn) bool {
	uid, err := peerUID(conn)
	if err != nil || (uid != 0 && int64(uid) != int64(os.Geteuid())) {
		s.log.Warn("automation connection of another user refused", "error", err)
		return false
	}
	select {
	case s.slots <- struct{}{}:
	default:
		s.log.Warn("automation connection refused: too many", "limit", maxConns)
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		<-s.slots
		return false
	}
	s.conns[conn] = struct{}{}
	return true
}

func (s *Server) dismiss(conn net.Conn) {
	_ = conn.Close() // closed by the peer or by Close already, most often
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
	<-s.slots
}

// peerUID asks the kernel who is at the other end.
func peerUID(conn *net.UnixConn) (uint32, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	return cred.Uid, nil
}

// serve answers one driver until it leaves or sends an endless line.
func (s *Server) serve(conn net.Conn) {
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 0, 512), MaxRequestBytes+1)
	for lines.Scan() {
		if err := s.write(conn, s.answer(lines.Bytes())); err != nil {
			s.log.Warn("automation answer not sent", "error", err)
			return
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		// Where the next line begins is unknown, so this is the last answer.
		if err := s.write(conn, response{Error: "request is too long"}); err != nil {
			s.log.Warn("automation answer not sent", "error", err)
		}
	}
}

func (s *Server) answer(line []byte) response {
	req, err := ParseRequest(line)
	if err != nil {
		return response{Error: err.Error()}
	}
	switch req.Op {
	case OpState:
		state, err := json.Marshal(s.handler.State())
		if err != nil {
			return response{Error: fmt.Sprintf("encode state: %v", err)}
		}
		return response{OK: true, State: state}
	case OpTargets:
		return response{OK: true, Targets: s.handler.Targets()}
	case OpScene:
		if err := s.handler.Scene(req.Cmd); err != nil {
			return response{Error: err.Error()}
		}
	}
	return response{OK: true}
}

func (s *Server) write(conn net.Conn, r response) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err = conn.Write(append(line, '\n'))
	return err
}
