// Package v4l2 films with a USB camera through the kernel's Video4Linux2 and
// the library github.com/blackjack/webcam.
//
// It hands on what the camera sends, checked but not decoded. It must not know
// what the frames show, and it retries nothing: a source that failed is closed,
// and the supervisor opens another.
package v4l2

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/camera"
)

const (
	// buffers shared with the driver: one being filled, one being copied and two
	// for a late scheduler. The library's default maps 130 MB at 1080p.
	buffers = 4
	// firstFrame is how long a camera may take to its first whole frame:
	// autofocus webcams take up to 3 s from cold.
	firstFrame = 5 * time.Second
	// quiet is how long a stream may go without a whole frame.
	quiet = 1500 * time.Millisecond
	// hung is how many times in a row, and for no less than quiet, a camera may
	// repeat a picture to the byte: sensors are never so still, so the one in
	// front of it may be somebody else by now.
	hung = 30
	// pollSeconds is the shortest wait the library knows, and so the longest
	// that Close takes on a camera that has stopped sending.
	pollSeconds = 1
	// closeLimit is how long Close waits for a driver that hangs. The camera
	// may come back in another port while the old one is still stuck.
	closeLimit = 5 * time.Second
)

// Source is an open camera. One goroutine of its own talks to the driver from
// open to close; frames nobody asked for in time are replaced, not queued.
type Source struct {
	id      camera.Identity
	mode    camera.Mode
	offered []camera.Mode

	stop  chan struct{} // closed by Close
	done  chan struct{} // closed once the device is released
	fresh chan struct{} // holds one when pending is new, closed at the end
	once  sync.Once

	mu      sync.Mutex
	pending camera.Frame // the newest, until Next takes it
	isNew   bool
	err     error // why the stream ended
	count   camera.Counters
}

var (
	_ camera.Source     = (*Source)(nil)
	_ camera.Counter    = (*Source)(nil)
	_ camera.Controller = (*Source)(nil)
)

// ErrNotFound is the ErrGone of a camera that is not listed, for which no
// device was opened.
var ErrNotFound = fmt.Errorf("%w: not plugged in", camera.ErrGone)

// Open starts the camera that id means (see List; empty = the first) in the
// mode that comes closest to want (see Choose), and returns once it has sent
// its first whole frame. It fails with ErrGone when the camera is not there,
// ErrBusy when another program has it, ErrStalled when it sends no whole frame
// within 5 s, or ctx's error.
func Open(ctx context.Context, id string, want camera.Mode) (*Source, error) {
	found, err := List()
	if err != nil {
		return nil, err
	}
	dev, ok := match(found, id)
	if !ok {
		return nil, fmt.Errorf("v4l2: camera %q: %w", id, ErrNotFound)
	}
	mode, ok := Choose(dev.Modes, want)
	if !ok {
		return nil, fmt.Errorf("v4l2: camera %q offers neither MJPEG nor YUYV: %w", id, ErrNotFound)
	}
	s := &Source{
		id:      dev.Identity,
		mode:    mode,
		offered: dev.Modes,
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
		fresh:   make(chan struct{}, 1),
	}
	ready := make(chan error, 1)
	go s.own(ready)
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = s.Close() // waits for the driver; err says what went wrong first
		return nil, err
	}
	return s, nil
}

// own is the life of the stream, all of it on one goroutine: the library is
// not safe for more.
func (s *Source) own(ready chan<- error) {
	defer close(s.done)
	cam, err := start(s.id.Node, s.mode)
	if err == nil {
		err = s.pump(cam, ready)
		// Release before anyone hears of the end: a camera that is held while
		// it is replugged comes back under another number.
		if cerr := cam.Close(); cerr != nil && err == nil {
			err = fmt.Errorf("v4l2: close %s: %w", s.id.Node, typed(cerr))
		}
	}
	if err == nil {
		err = camera.ErrClosed
	}
	s.mu.Lock()
	s.err = err
	s.pending.Wipe()
	s.isNew = false
	s.mu.Unlock()
	close(s.fresh)
	select {
	case ready <- err:
	default:
	}
}

// start opens the node and has it stream.
func start(node string, mode camera.Mode) (*webcam.Webcam, error) {
	cam, err := webcam.Open(node)
	if err != nil {
		return nil, fmt.Errorf("v4l2: open %s: %w", node, typed(err))
	}
	fail := func(doing string, err error) (*webcam.Webcam, error) {
		release(cam)
		_ = cam.Close() // the first error counts
		return nil, fmt.Errorf("v4l2: %s on %s: %w", doing, node, typed(err))
	}
	granted, _, _, err := cam.SetImageFormat(fourCC(mode.Format), uint32(mode.Width), uint32(mode.Height))
	if err != nil {
		return fail("set format", err)
	}
	if granted != fourCC(mode.Format) {
		return fail("set format", fmt.Errorf("the driver insists on %#x", uint32(granted)))
	}
	if mode.FPS > 0 {
		// Drivers without rates refuse; the stream then runs at the driver's own.
		_ = cam.SetFramerate(float32(mode.FPS))
	}
	if err := cam.SetBufferCount(buffers); err != nil {
		return fail("set buffers", err)
	}
	if err := cam.StartStreaming(); err != nil {
		return fail("start streaming", err)
	}
	return cam, nil
}

// release unmaps the buffers of a camera whose stream failed to start. The
// library forgets them, and a mapping that stays keeps the device busy until
// the process ends, even after Close.
func release(cam *webcam.Webcam) {
	mapped := reflect.ValueOf(cam).Elem().FieldByName(mappedField)
	if !mapped.IsValid() || mapped.Type() != reflect.TypeFor[[][]byte]() {
		return
	}
	for i := range mapped.Len() {
		if b := mapped.Index(i).Bytes(); len(b) > 0 {
			_ = unix.Munmap(b) // an error means that it was not mapped, which is the aim
		}
	}
}

// mappedField is where the library keeps its mappings; a test holds it to that.
const mappedField = "buffers"

// pump copies frames out until the camera fails or Close is called. A nil error
// means Close.
func (s *Source) pump(cam *webcam.Webcam, ready chan<- error) error {
	check := newChecker(s.mode)
	var (
		next    camera.Frame
		seq     uint64
		spins   int
		same    int          // repetitions in a row
		valid   = time.Now() // the last whole frame
		moving  = valid      // the last one that was not a repetition
		patient = firstFrame
	)
	defer next.Wipe()
	for {
		select {
		case <-s.stop:
			return nil
		default:
		}
		if d := time.Since(valid); d > patient {
			return fmt.Errorf("v4l2: %s: %w: no whole frame for %v", s.id.Node, camera.ErrStalled, d.Round(time.Millisecond))
		}
		if d := time.Since(moving); same >= hung && d > patient {
			return fmt.Errorf("v4l2: %s: %w: the same picture for %v", s.id.Node, camera.ErrStalled, d.Round(time.Millisecond))
		}
		var timeout *webcam.Timeout
		if err := cam.WaitForFrame(pollSeconds); errors.As(err, &timeout) {
			continue
		} else if err != nil {
			return fmt.Errorf("v4l2: wait for %s: %w", s.id.Node, typed(err))
		}
		raw, index, err := cam.GetFrame()
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			if spins++; spins > 1000 { // ready, yet nothing to get: a broken driver
				return fmt.Errorf("v4l2: %s: %w: ready without a frame", s.id.Node, camera.ErrStalled)
			}
			runtime.Gosched()
			continue
		}
		if err != nil {
			return fmt.Errorf("v4l2: get frame from %s: %w", s.id.Node, typed(err))
		}
		spins = 0
		now := time.Now()
		data, repeated, bad := check.take(next.Data[:0], raw, s.offered)
		if err := cam.ReleaseFrame(index); err != nil {
			return fmt.Errorf("v4l2: give a buffer back to %s: %w", s.id.Node, typed(err))
		}
		seq++
		if bad != nil {
			s.mu.Lock()
			s.count.Invalid++
			s.mu.Unlock()
			continue
		}
		valid = now
		same++
		if !repeated {
			moving, same = now, 0
		}
		next = camera.Frame{
			Data: data, Format: check.mode.Format, Width: check.mode.Width, Height: check.mode.Height,
			Seq: seq, Captured: now,
		}
		if patient == firstFrame {
			patient = quiet
			s.mu.Lock()
			s.mode = check.mode
			s.mu.Unlock()
			ready <- nil
		}
		s.offer(&next, repeated)
	}
}

// offer exchanges next with the pending frame.
func (s *Source) offer(next *camera.Frame, repeated bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isNew {
		s.count.Dropped++
	}
	if repeated {
		s.count.Repeated++
	}
	s.pending, *next = *next, s.pending
	s.isNew = true
	select {
	case s.fresh <- struct{}{}:
	default:
	}
}

// Identity is that of List.
func (s *Source) Identity() camera.Identity { return s.id }

// Mode is what the first frame proved; the rate is what was asked for.
func (s *Source) Mode() camera.Mode {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mode
}

// Counters counts since Open.
func (s *Source) Counters() camera.Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Next waits for the newest frame. A camera that stops sending, sends nothing
// whole for 1.5 s, or repeats one picture for as long and 30 times, fails with
// ErrStalled within another second.
func (s *Source) Next(ctx context.Context, dst *camera.Frame) error {
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		select {
		case <-s.stop:
			return camera.ErrClosed
		default:
		}
		s.mu.Lock()
		if s.isNew {
			s.pending.CopyTo(dst)
			s.isNew = false
			s.count.Delivered++
			s.mu.Unlock()
			return nil
		}
		err := s.err
		s.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-s.fresh:
		case <-s.stop:
		case <-ctx.Done():
		}
	}
}

// Close stops the stream and returns once the device is released, at most a
// second later. When the driver hangs it fails after five; the device is then
// released whenever the driver lets go of it.
func (s *Source) Close() error {
	s.once.Do(func() { close(s.stop) })
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	select {
	case <-s.done:
		return nil
	case <-limit.C:
		return fmt.Errorf("v4l2: close %s: the driver did not let go within %v", s.id.Node, closeLimit)
	}
}

// typed gives an error of the driver its meaning. The library turns some errno
// into text, which is all there is to go by then.
func typed(err error) error {
	is := func(errnos ...unix.Errno) bool {
		for _, e := range errnos {
			if errors.Is(err, e) || strings.HasSuffix(err.Error(), e.Error()) {
				return true
			}
		}
		return false
	}
	switch {
	case is(unix.ENODEV, unix.ENXIO, unix.ENOENT) || errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", camera.ErrGone, err)
	case is(unix.EBUSY):
		return fmt.Errorf("%w: %w", camera.ErrBusy, err)
	case is(unix.EIO, unix.EPROTO, unix.EPIPE):
		return fmt.Errorf("%w: %w", camera.ErrStalled, err)
	}
	return err
}

// OpenSource is Open for those who know sources only.
func OpenSource(ctx context.Context, id string, want camera.Mode) (camera.Source, error) {
	s, err := Open(ctx, id, want)
	if err != nil {
		return nil, err // not s: a nil *Source would not be a nil Source
	}
	return s, nil
}
