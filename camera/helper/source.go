package helper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/mjpeg"
)

// oldest bounds the age that a helper may give a frame: no camera holds one
// back for longer.
const oldest = 5 * time.Second

// Source is a camera in a helper process. Closing it ends the process.
type Source struct {
	l       *Launcher
	p       *process
	request uint64 // number of the request that opens it; guarded by p.mu

	once  sync.Once
	shut  error         // of Close
	stop  chan struct{} // closed by Close
	fresh chan struct{} // holds one when there may be something new

	mu      sync.Mutex
	open    bool
	id      camera.Identity
	mode    camera.Mode
	pending notice // the newest frame that was announced
	isNew   bool
	lent    [slots]bool // slots that the helper may not write to
	seq     uint64      // of the newest frame that was announced
	count   camera.Counters
	lost    camera.Counters // what this side dropped or refused
	release [releaseSize]byte
}

var (
	_ camera.Source     = (*Source)(nil)
	_ camera.Counter    = (*Source)(nil)
	_ camera.Controller = (*Source)(nil)
)

func (s *Source) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// opened is called by the process's reader, before any frame is.
func (s *Source) opened(r *reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open, s.id, s.mode = true, r.Identity, r.Mode
}

// announced is called by the process's reader. An error ends the helper.
func (s *Source) announced(n notice) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lent[n.slot] {
		return broken(fmt.Errorf("%w: slot %d announced twice", errProtocol, n.slot))
	}
	if n.seq <= s.seq {
		return broken(fmt.Errorf("%w: frame %d after frame %d", errProtocol, n.seq, s.seq))
	}
	s.seq = n.seq
	s.lent[n.slot] = true
	s.count = n.count
	if s.isNew { // nobody asked in time
		s.lost.Dropped++
		s.giveBack(s.pending.slot)
	}
	s.pending, s.isNew = n, true
	select {
	case s.fresh <- struct{}{}:
	default:
	}
	return nil
}

// giveBack lets the helper write to a slot again. A failure shows where the
// process is read.
func (s *Source) giveBack(slot int) {
	s.lent[slot] = false
	putRelease(s.release[:], slot)
	_, _ = s.p.conn.Write(s.release[:])
}

// Identity is what the driver says.
func (s *Source) Identity() camera.Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// Mode is what the driver proved on its first frame.
func (s *Source) Mode() camera.Mode {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mode
}

// Counters counts since the open, on both sides.
func (s *Source) Counters() camera.Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return camera.Counters{
		Delivered: s.lost.Delivered,
		Dropped:   s.count.Dropped + s.lost.Dropped,
		Invalid:   s.count.Invalid + s.lost.Invalid,
		Repeated:  s.count.Repeated,
	}
}

// Next waits for the newest frame and copies it out of the shared memory. It
// fails with what the driver reported, ErrDriver when the helper crashed or
// lost its mind, ErrClosed or ctx's error. A helper that says nothing is the
// supervisor's to notice.
func (s *Source) Next(ctx context.Context, dst *camera.Frame) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		select {
		case <-s.stop:
			return camera.ErrClosed
		default:
		}
		got, err := s.collect(dst)
		if err != nil || got {
			return err
		}
		select {
		case <-s.fresh:
		case <-s.stop:
		case <-ctx.Done():
		case <-s.p.ended:
			if got, err := s.collect(dst); err != nil || got { // its last
				return err
			}
			err := s.p.end()
			if errors.Is(err, camera.ErrGone) || errors.Is(err, camera.ErrStalled) || errors.Is(err, camera.ErrBusy) || errors.Is(err, camera.ErrDriver) {
				return err
			}
			return fmt.Errorf("%w: %w", camera.ErrDriver, err)
		}
	}
}

// collect copies the pending frame, if there is one that can be used.
func (s *Source) collect(dst *camera.Frame) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isNew {
		return false, nil
	}
	n := s.pending
	s.isNew = false
	now, err := monotonic()
	if err != nil {
		return false, err
	}
	if !s.copyOut(dst, n) {
		return false, camera.ErrClosed
	}
	s.giveBack(n.slot)
	// What was copied is looked at, not what lies in the slot: a mad helper
	// could still be writing there.
	if n.format == camera.MJPEG {
		info, err := mjpeg.Parse(dst.Data)
		if err != nil || info.Width != n.width || info.Height != n.height || info.Len != n.size || !info.Huffman {
			s.lost.Invalid++
			return false, nil
		}
	}
	age := min(max(time.Duration(now-n.captured), 0), oldest)
	dst.Format, dst.Width, dst.Height, dst.Seq = n.format, n.width, n.height, n.seq
	dst.Captured = time.Now().Add(-age)
	s.lost.Delivered++
	return true, nil
}

// copyOut copies a slot; false = the memory is gone.
func (s *Source) copyOut(dst *camera.Frame, n notice) bool {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.shm == nil {
		return false
	}
	dst.Data = append(dst.Data[:0], s.p.shm[n.slot*slotSize:][:n.size]...)
	return true
}

// controlLimit bounds what a driver may take to answer for its controls.
const controlLimit = 3 * time.Second

// Controls lists what can be set on the camera.
func (s *Source) Controls(ctx context.Context) ([]camera.Control, error) {
	r, err := s.control(ctx, request{Op: opControls})
	return r.Controls, err
}

// Adjust sets settings and reads them back.
func (s *Source) Adjust(ctx context.Context, settings []camera.Setting) ([]camera.Outcome, error) {
	r, err := s.control(ctx, request{Op: opAdjust, Settings: settings})
	if err == nil && len(r.Outcomes) != len(settings) {
		return nil, fmt.Errorf("%w: %d outcomes of %d settings", camera.ErrDriver, len(r.Outcomes), len(settings))
	}
	return r.Outcomes, err
}

func (s *Source) control(ctx context.Context, q request) (reply, error) {
	select {
	case <-s.stop:
		return reply{}, camera.ErrClosed
	default:
	}
	ctx, cancel := context.WithTimeoutCause(ctx, controlLimit, fmt.Errorf("%w: controls: no answer for %v", camera.ErrDriver, controlLimit))
	defer cancel()
	r, err := s.p.ask(ctx, q, nil)
	if err != nil {
		return reply{}, fmt.Errorf("camera controls: %w", err)
	}
	return r, nil
}

// Close ends the helper. When it returns nil, the kernel has let go of the
// camera.
func (s *Source) Close() error {
	s.once.Do(func() {
		close(s.stop)
		s.shut = s.p.kill()
		s.l.buried(s.p, s.shut)
	})
	return s.shut
}
