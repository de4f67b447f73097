package drive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// xvfbStopTimeout is how long an X server may take to leave before it is killed.
const xvfbStopTimeout = 3 * time.Second

// ErrNoXvfb is wrapped when the Xvfb program is not installed.
var ErrNoXvfb = errors.New("drive: Xvfb is not installed (apt-get install xvfb)")

// xvfb is one private X server process.
type xvfb struct {
	process *os.Process
	name    string        // display name, such as ":7"
	exited  chan struct{} // closed once the process is gone
}

// StartXvfb starts a private X server with one screen of width × height pixels,
// 24 bits deep, and connects to it. The server picks a display number itself
// and holds that number's lock, so that any number of them may start at once. It dies
// when the Display is closed, when ctx ends or when this program dies, however
// it dies.
//
// It fails with an error that wraps ErrNoXvfb where Xvfb is not installed.
func StartXvfb(ctx context.Context, width, height int) (*Display, error) {
	if width < 64 || height < 64 || width > 8192 || height > 8192 {
		return nil, fmt.Errorf("start X server: a screen of %d×%d pixels is outside 64..8192", width, height)
	}
	server, err := startXvfb(ctx, width, height)
	if err != nil {
		return nil, fmt.Errorf("start X server: %w", err)
	}
	d, err := Connect(server.name)
	if err != nil {
		server.stop()
		return nil, err
	}
	d.server = server
	go func() {
		select {
		case <-ctx.Done():
			_ = d.Close()
		case <-d.done:
		}
	}()
	return d, nil
}

func startXvfb(ctx context.Context, width, height int) (*xvfb, error) {
	path, err := exec.LookPath("Xvfb")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoXvfb, err)
	}
	// The server writes the number it took to this pipe once it listens.
	numberR, numberW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer numberR.Close()

	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, path,
		"-displayfd", "3",
		"-screen", "0", fmt.Sprintf("%dx%dx24", width, height),
		"-nolisten", "tcp",
		"-noreset", // keep the screen when the first client leaves
		"-dpi", "96",
	)
	// Asked, not killed, so that it removes its lock and socket.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = xvfbStopTimeout
	cmd.ExtraFiles = []*os.File{numberW}
	cmd.Stderr = &tail{buf: &complaint, max: 4 << 10}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Setpgid:   true, // Ctrl-C ends the program, which then ends the server in order
	}

	x := &xvfb{exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel sends Pdeathsig when the thread that started the process
		// ends, not when the program does: so this thread stays until then.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(x.exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // however it ended, it is gone
		}
	}()
	err = <-started
	_ = numberW.Close() // the child has its own
	if err != nil {
		return nil, err
	}
	x.process = cmd.Process

	unhook := context.AfterFunc(ctx, func() { _ = numberR.SetReadDeadline(time.Unix(1, 0)) })
	defer unhook()
	number, err := readDisplayNumber(numberR)
	if err != nil {
		x.stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if text := strings.TrimSpace(complaint.String()); text != "" {
			return nil, fmt.Errorf("%w; it said: %s", err, text)
		}
		return nil, err
	}
	x.name = ":" + strconv.Itoa(number)
	return x, nil
}

// readDisplayNumber reads the line that Xvfb writes once it listens.
func readDisplayNumber(r io.Reader) (int, error) {
	var line []byte
	for one := make([]byte, 1); ; {
		n, err := r.Read(one)
		if n == 1 && one[0] == '\n' {
			break
		}
		line = append(line, one[:n]...)
		if err != nil || len(line) > 8 {
			return 0, errors.New("Xvfb ended or named no display")
		}
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(line)))
	if err != nil || number < 0 {
		return 0, fmt.Errorf("Xvfb named display %q", line)
	}
	return number, nil
}

// stop asks the server to leave, so that it removes its lock and socket, and
// kills it when it does not.
func (x *xvfb) stop() {
	_ = x.process.Signal(syscall.SIGTERM) // fails only when it is gone already
	select {
	case <-x.exited:
	case <-time.After(xvfbStopTimeout):
		_ = x.process.Kill()
		<-x.exited
	}
}

// tail keeps the first max bytes of a process's complaint and swallows the rest.
type tail struct {
	buf *bytes.Buffer
	max int
}

func (t *tail) Write(p []byte) (int, error) {
	if room := t.max - t.buf.Len(); room > 0 {
		t.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
