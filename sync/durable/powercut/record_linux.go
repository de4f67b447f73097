package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrUnavailable means that this machine does not let a process trace its own child.
var ErrUnavailable = errors.New("powercut: tracing is not allowed here")

// ErrUnknown means that the program changed files in a way that the recorder cannot play.
var ErrUnknown = errors.New("powercut: a call that cannot be recorded")

// Record runs cmd to its end and records what it does below root, which must
// be empty. A standard output that is not set goes nowhere but into the log.
// It returns the recording also when the program fails, with its error.
func Record(cmd *exec.Cmd, root string) (*Log, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("powercut: %w", err)
	}
	if list, err := os.ReadDir(root); err != nil || len(list) > 0 {
		return nil, fmt.Errorf("powercut: %s must be an empty directory (%w)", root, err)
	}
	// ptrace belongs to the thread that started the program.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	t := &tracer{
		root: root, pid: cmd.Process.Pid, log: &Log{inodes: []bool{true}},
		names: map[int]map[string]int{0: {}}, sizes: map[int]int64{}, fds: map[int]*descriptor{}, calls: map[int]call{},
	}
	status, err := t.run()
	if err != nil {
		_ = cmd.Process.Kill() // with EXITKILL it dies with us at the latest
		return t.log, err
	}
	_ = cmd.Process.Release() // waited for above
	if status != 0 {
		return t.log, fmt.Errorf("powercut: the program ended with %d", status)
	}
	return t.log, nil
}

// call is a system call that a thread is in.
type call struct {
	nr   uint64
	args [6]uint64
	ops  int // recorded when it began
	data []byte
	path string
	to   string
}

// descriptor is an open file below the root.
type descriptor struct {
	inode  int
	offset int64
	append bool
}

type tracer struct {
	root  string
	pid   int // of the process, whose threads share everything
	log   *Log
	names map[int]map[string]int // the directories as the program sees them
	sizes map[int]int64
	fds   map[int]*descriptor
	calls map[int]call // by thread
}

// waitOwn waits for the traced threads and for nobody else's children.
const waitOwn = syscall.WALL | 0x20000000 // __WNOTHREAD

func (t *tracer) run() (status int, err error) {
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(t.pid, &ws, waitOwn, nil); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	const options = syscall.PTRACE_O_TRACESYSGOOD | syscall.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := syscall.PtraceSetOptions(t.pid, options); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := syscall.PtraceSyscall(t.pid, 0); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	for {
		tid, err := syscall.Wait4(-1, &ws, waitOwn, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("powercut: wait: %w", err)
		}
		deliver := 0
		switch {
		case ws.Exited() || ws.Signaled():
			delete(t.calls, tid)
			if tid == t.pid {
				return ws.ExitStatus(), nil
			}
			continue
		case !ws.Stopped():
			continue
		case ws.StopSignal() == syscall.SIGTRAP|0x80:
			if err := t.syscall(tid); err != nil {
				return 0, err
			}
		case ws.StopSignal() == syscall.SIGTRAP, ws.StopSignal() == syscall.SIGSTOP:
			// A new thread, or the news of one.
		default:
			deliver = int(ws.StopSignal())
		}
		if err := syscall.PtraceSyscall(tid, deliver); err != nil && !errors.Is(err, syscall.ESRCH) {
			return 0, fmt.Errorf("powercut: go on: %w", err)
		}
	}
}

// stopInfo is struct ptrace_syscall_info of linux/ptrace.h.
type stopInfo struct {
	op     uint8
	_      [3]byte
	_      uint32
	_, _   uint64
	values [7]uint64 // at the entry number and arguments, at the exit the result
}

const (
	getSyscallInfo = 0x420e // PTRACE_GET_SYSCALL_INFO, Linux 5.3
	stopEntry      = 1
	stopExit       = 2
)

func (t *tracer) syscall(tid int) error {
	var info stopInfo
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, getSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0) //nolint:gosec // ptrace has no other door
	if errno == syscall.ESRCH {
		return nil
	}
	if errno != 0 {
		return fmt.Errorf("%w: %w", ErrUnavailable, errno)
	}
	switch info.op {
	case stopEntry:
		c := call{nr: info.values[0], ops: len(t.log.ops)}
		copy(c.args[:], info.values[1:])
		if err := t.entered(tid, &c); err != nil {
			return err
		}
		t.calls[tid] = c
	case stopExit:
		c, ok := t.calls[tid]
		delete(t.calls, tid)
		if result := int64(info.values[0]); ok && result >= 0 {
			return t.left(c, result)
		}
	}
	return nil
}

// entered keeps what must be read before the call: names, and bytes that the
// program may reuse afterwards.
func (t *tracer) entered(tid int, c *call) (err error) {
	switch c.nr {
	case unix.SYS_OPENAT, unix.SYS_MKDIRAT, unix.SYS_UNLINKAT:
		c.path, err = t.pathAt(tid, c.args[0], c.args[1])
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		if c.path, err = t.pathAt(tid, c.args[0], c.args[1]); err == nil {
			c.to, err = t.pathAt(tid, c.args[2], c.args[3])
		}
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		fd := int(c.args[0])
		if fd == 1 || t.fds[fd] != nil {
			c.data, err = readMemory(tid, uintptr(c.args[1]), int(c.args[2]))
		}
	case unix.SYS_FALLOCATE, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2, unix.SYS_COPY_FILE_RANGE, unix.SYS_SENDFILE, unix.SYS_DUP3:
		fd := int(c.args[0])
		if c.nr == unix.SYS_COPY_FILE_RANGE {
			fd = int(c.args[2])
		}
		if t.fds[fd] != nil {
			err = fmt.Errorf("%w: number %d", ErrUnknown, c.nr)
		}
	}
	return err
}

// left records a call that succeeded.
func (t *tracer) left(c call, result int64) error {
	fd := int(c.args[0])
	d := t.fds[fd]
	switch c.nr {
	case unix.SYS_OPENAT:
		return t.opened(c, int(result))
	case unix.SYS_CLOSE:
		delete(t.fds, fd)
	case unix.SYS_MKDIRAT:
		if dir, name, ok := t.find(c.path); ok {
			t.link(dir, name, true)
		}
	case unix.SYS_UNLINKAT:
		if dir, name, ok := t.find(c.path); ok {
			delete(t.names[dir], name)
			t.add(op{kind: opUnlink, dir: dir, name: name})
		}
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		return t.renamed(c)
	case unix.SYS_READ:
		if d != nil {
			d.offset += result
		}
	case unix.SYS_LSEEK:
		if d != nil {
			d.offset = result
		}
	case unix.SYS_WRITE:
		switch {
		case fd == 1:
			t.add(op{kind: opSay, text: string(c.data[:result])})
		case d != nil:
			if d.append {
				d.offset = t.sizes[d.inode]
			}
			t.wrote(d.inode, d.offset, c.data[:result])
			d.offset += result
		}
	case unix.SYS_PWRITE64:
		if d != nil {
			t.wrote(d.inode, int64(c.args[3]), c.data[:result])
		}
	case unix.SYS_FTRUNCATE:
		if d != nil {
			t.truncated(d.inode, int64(c.args[1]))
		}
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		if d != nil {
			t.add(op{kind: opSync, inode: d.inode, upTo: c.ops})
		}
	}
	return nil
}

func (t *tracer) add(o op) { t.log.ops = append(t.log.ops, o) }

func (t *tracer) link(dir int, name string, isDir bool) int {
	inode := len(t.log.inodes)
	t.log.inodes = append(t.log.inodes, isDir)
	if isDir {
		t.names[inode] = map[string]int{}
	}
	t.names[dir][name] = inode
	t.add(op{kind: opLink, dir: dir, name: name, inode: inode})
	return inode
}

func (t *tracer) opened(c call, fd int) error {
	delete(t.fds, fd)
	flags := int(c.args[2])
	if c.path == t.root {
		t.fds[fd] = &descriptor{inode: 0}
		return nil
	}
	dir, name, ok := t.find(c.path)
	if !ok {
		return nil
	}
	inode, there := t.names[dir][name]
	switch {
	case there && flags&syscall.O_TRUNC != 0:
		t.truncated(inode, 0)
	case !there && flags&syscall.O_CREAT != 0:
		inode = t.link(dir, name, false)
	case !there:
		return fmt.Errorf("%w: open of a file that nobody made", ErrUnknown)
	}
	t.fds[fd] = &descriptor{inode: inode, append: flags&syscall.O_APPEND != 0}
	return nil
}

func (t *tracer) renamed(c call) error {
	dir, name, from := t.find(c.path)
	toDir, toName, to := t.find(c.to)
	switch {
	case !from && !to:
		return nil
	case !from || !to:
		return fmt.Errorf("%w: rename across the root", ErrUnknown)
	}
	inode := t.names[dir][name]
	delete(t.names[dir], name)
	t.names[toDir][toName] = inode
	t.add(op{kind: opRename, inode: inode, dir: dir, name: name, toDir: toDir, toName: toName})
	return nil
}

func (t *tracer) wrote(inode int, at int64, data []byte) {
	t.sizes[inode] = max(t.sizes[inode], at+int64(len(data)))
	t.add(op{kind: opWrite, inode: inode, at: at, data: data})
}

func (t *tracer) truncated(inode int, size int64) {
	t.sizes[inode] = size
	t.add(op{kind: opTruncate, inode: inode, size: size})
}

// find returns the directory and the name of a path below the root.
func (t *tracer) find(path string) (dir int, name string, ok bool) {
	rel, err := filepath.Rel(t.root, path)
	if err != nil || rel == "." || rel == ".." || strings.HasPrefix(rel, "../") {
		return 0, "", false
	}
	parts := strings.Split(rel, "/")
	for _, p := range parts[:len(parts)-1] {
		if dir, ok = t.names[dir][p]; !ok {
			return 0, "", false
		}
	}
	return dir, parts[len(parts)-1], true
}

// pathAt reads a name that a call was given and makes it absolute.
func (t *tracer) pathAt(tid int, dirfd, addr uint64) (string, error) {
	var s []byte
	for len(s) < 4096 {
		// Not beyond a page at a time: the next one may not be there.
		at := uintptr(addr) + uintptr(len(s))
		b, err := readMemory(tid, at, int(4096-at%4096))
		if err != nil {
			return "", err
		}
		if i := bytes.IndexByte(b, 0); i >= 0 {
			s = append(s, b[:i]...)
			break
		}
		s = append(s, b...)
	}
	path := string(s)
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	base := fmt.Sprintf("/proc/%d/cwd", t.pid)
	if int32(dirfd) != unix.AT_FDCWD {
		base = fmt.Sprintf("/proc/%d/fd/%d", t.pid, int32(dirfd))
	}
	dir, err := os.Readlink(base)
	if err != nil {
		return "", fmt.Errorf("powercut: name of a directory: %w", err)
	}
	return filepath.Join(dir, path), nil
}

// readMemory copies n bytes out of a stopped thread.
func readMemory(tid int, at uintptr, n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	b := make([]byte, n)
	got, err := syscall.PtracePeekData(tid, at, b[:min(n, 8)])
	if n > 8 && err == nil {
		got, err = unix.ProcessVMReadv(tid, []unix.Iovec{{Base: &b[0], Len: uint64(n)}}, []unix.RemoteIovec{{Base: at, Len: n}}, 0)
	}
	if err != nil || got != n {
		return nil, fmt.Errorf("powercut: read %d bytes of the program's memory: %w", n, err)
	}
	return b, nil
}
