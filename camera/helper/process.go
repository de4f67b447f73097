package helper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/camera"
)

const (
	// reapLimit is how long a killed helper is waited for. One that a driver
	// holds in the kernel does not die before the driver lets go of it.
	reapLimit = 2 * time.Second
	// wordsSize is how much of a helper's last words is kept, bytes.
	wordsSize = 4 << 10
)

// process is one helper, from start to reaping.
type process struct {
	cmd  *exec.Cmd
	conn *net.UnixConn
	last words
	// shm is the helper's memory for frames, readable only; nil once unmapped.
	shm []byte

	started chan error
	reaped  chan struct{} // closed when the process is gone for good
	ended   chan struct{} // closed when nothing more will be read
	wait    error         // of cmd.Wait, once reaped
	why     error         // why reading ended, once ended

	asking sync.Mutex // one request at a time
	number uint64
	answer chan reply

	mu     sync.Mutex
	stream *Source // who gets the frames
}

// start runs program as a helper.
func start(program string, env []string) (*process, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("camera helper: make a socket: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "helper"), os.NewFile(uintptr(pair[1]), "station")
	defer func() { _, _ = ours.Close(), theirs.Close() }() // both have copies by then
	generic, err := net.FileConn(ours)
	if err != nil {
		return nil, fmt.Errorf("camera helper: socket: %w", err)
	}
	p := &process{
		started: make(chan error, 1), reaped: make(chan struct{}), ended: make(chan struct{}),
		answer: make(chan reply, 1),
	}
	var ok bool
	if p.conn, ok = generic.(*net.UnixConn); !ok {
		_ = generic.Close()
		return nil, errors.New("camera helper: the socket is of another kind")
	}
	memory, err := p.remember()
	if err != nil {
		_ = p.conn.Close()
		return nil, err
	}
	defer memory.Close()
	p.cmd = &exec.Cmd{
		Path: program, Args: []string{Name}, Env: env, Dir: "/",
		ExtraFiles: []*os.File{theirs, memory}, // become 3 and 4
		Stderr:     &p.last,
		// The group keeps a Ctrl-C at the terminal from the helper: the station
		// ends it when it has finished with it.
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true},
		WaitDelay:   reapLimit,
	}
	go p.live()
	if err := <-p.started; err != nil {
		_ = p.conn.Close()
		p.forget()
		return nil, fmt.Errorf("camera helper: start: %w", err)
	}
	go p.read()
	return p, nil
}

// remember makes the shared memory and maps it for reading.
func (p *process) remember() (*os.File, error) {
	fd, err := unix.MemfdCreate("yunzhao-frames", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("camera helper: make frame memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "frames")
	fail := func(doing string, err error) (*os.File, error) {
		_ = f.Close()
		return nil, fmt.Errorf("camera helper: %s frame memory: %w", doing, err)
	}
	if err := unix.Ftruncate(fd, slots*slotSize); err != nil {
		return fail("size", err)
	}
	// A helper that shrank the memory would kill its reader with SIGBUS.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return fail("seal", err)
	}
	if p.shm, err = unix.Mmap(fd, 0, slots*slotSize, unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return fail("map", err)
	}
	return f, nil
}

// forget unmaps the shared memory. Nobody may be reading.
func (p *process) forget() {
	if p.shm != nil {
		_ = unix.Munmap(p.shm) // fails only for what is not mapped
		p.shm = nil
	}
}

// live starts the process and reaps it. The parent-death signal is sent when
// the thread that started a process ends, so this one is kept for it.
func (p *process) live() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	p.started <- err
	if err == nil {
		p.wait = p.cmd.Wait()
	}
	close(p.reaped)
}

// read takes the helper's messages until it ends or talks nonsense.
func (p *process) read() {
	defer close(p.ended)
	buf := make([]byte, maxMessage)
	for {
		n, err := p.conn.Read(buf)
		if err != nil {
			p.why = fmt.Errorf("%w: the helper ended", camera.ErrDriver)
			return
		}
		if err := p.take(buf[:n]); err != nil {
			p.why = err
			_ = p.cmd.Process.Kill()
			return
		}
	}
}

// take handles one message. An error is the end of the helper.
func (p *process) take(b []byte) error {
	kind, body, err := split(b)
	if err != nil {
		return broken(err)
	}
	switch kind {
	case kindFrame:
		n, err := parseFrame(body)
		if err != nil {
			return broken(err)
		}
		s := p.streaming()
		if s == nil {
			return broken(fmt.Errorf("%w: a frame before the stream", errProtocol))
		}
		return s.announced(n)
	case kindReply, kindEnd:
		r, err := parseReply(kind, body)
		if err != nil {
			return broken(err)
		}
		if kind == kindEnd {
			return r.err()
		}
		if s := p.opening(&r); s != nil && r.err() == nil {
			s.opened(&r)
		}
		select {
		case <-p.answer: // nobody waited for it
		default:
		}
		p.answer <- r
		return nil
	}
	return broken(fmt.Errorf("%w: kind %d", errProtocol, kind))
}

// broken is a helper that cannot be believed any more.
func broken(err error) error { return fmt.Errorf("%w: %w", camera.ErrDriver, err) }

// streaming is the source that gets the frames, nil while none is open. It
// holds no lock while it asks: a source locks itself first, then its process.
func (p *process) streaming() *Source {
	p.mu.Lock()
	s := p.stream
	p.mu.Unlock()
	if s == nil || !s.ready() {
		return nil
	}
	return s
}

// opening is the source that waits for r, if r answers its request.
func (p *process) opening(r *reply) *Source {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream == nil || p.stream.request != r.Number {
		return nil
	}
	return p.stream
}

// ask sends q and waits for its reply. before, which may be nil, is told the
// request's number before it is sent.
func (p *process) ask(ctx context.Context, q request, before func(number uint64)) (reply, error) {
	p.asking.Lock()
	defer p.asking.Unlock()
	p.number++
	q.Number = p.number
	if before != nil {
		before(q.Number)
	}
	b, err := pack(kindRequest, q)
	if err != nil {
		return reply{}, err
	}
	if _, err := p.conn.Write(b); err != nil {
		<-p.ended // the reader knows better why
		return reply{}, p.end()
	}
	for {
		select {
		case r := <-p.answer:
			if r.Number != q.Number { // of a request that was given up
				continue
			}
			return r, r.err()
		case <-p.ended:
			select {
			case r := <-p.answer: // its last word
				if r.Number == q.Number {
					return r, r.err()
				}
			default:
			}
			return reply{}, p.end()
		case <-ctx.Done():
			return reply{}, context.Cause(ctx)
		}
	}
}

// end says why the helper is no more, with its last words where it crashed. It
// may be called once p.ended is closed.
func (p *process) end() error {
	var t told
	if errors.As(p.why, &t) {
		return p.why
	}
	limit := time.NewTimer(reapLimit)
	defer limit.Stop()
	select {
	case <-p.reaped:
	case <-limit.C:
		return p.why
	}
	text := []string{p.why.Error()}
	if p.wait != nil {
		text = append(text, printable(p.wait.Error()))
	}
	if said := p.last.first(); said != "" {
		text = append(text, said)
	}
	return told{camera.ErrDriver, strings.Join(text, ": ")}
}

// kill ends the process and waits until the kernel has taken the camera from
// it. It fails when a driver holds the process in the kernel; it is then reaped
// whenever the driver lets go.
func (p *process) kill() error {
	_ = p.cmd.Process.Kill() // fails only for a process that has ended
	_ = p.conn.Close()
	<-p.ended
	p.mu.Lock()
	p.forget()
	p.mu.Unlock()
	limit := time.NewTimer(reapLimit)
	defer limit.Stop()
	select {
	case <-p.reaped:
		return nil
	case <-limit.C:
		return fmt.Errorf("%w: the driver holds on to its process %d", camera.ErrBusy, p.cmd.Process.Pid)
	}
}

// gone tells whether the process has been reaped.
func (p *process) gone() bool {
	select {
	case <-p.reaped:
		return true
	default:
		return false
	}
}

// words keeps the first bytes that a helper writes to its standard error: a
// crash says first what it is.
type words struct {
	mu  sync.Mutex
	buf []byte
}

func (t *words) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b[:min(len(b), wordsSize-len(t.buf))]...)
	return len(b), nil
}

// first is the first line that says something.
func (t *words) first() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range strings.Lines(string(t.buf)) {
		if line = printable(line); line != "" {
			return line
		}
	}
	return ""
}
