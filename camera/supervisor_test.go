package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// rig is a scripted camera: what it does can be changed at any time.
type rig struct {
	mu       sync.Mutex
	gone     bool // Open and Next fail with ErrGone
	busy     bool // Open fails with ErrBusy
	frozen   bool // Next waits for its context
	deaf     bool // Next waits whatever its context says, until thawed
	slowOpen time.Duration
	skip     uint64 // frames lost before each
	opens    int
	open     int
	most     int // sources open at the same time
	lens     *lens
	padding  []byte // of each picture
	thaw     chan struct{}
}

func newRig() *rig { return &rig{thaw: make(chan struct{})} }

func (r *rig) set(f func(*rig)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r)
	close(r.thaw)
	r.thaw = make(chan struct{})
}

func (r *rig) now() rig {
	r.mu.Lock()
	defer r.mu.Unlock()
	return rig{
		gone: r.gone, busy: r.busy, frozen: r.frozen, deaf: r.deaf, slowOpen: r.slowOpen,
		skip: r.skip, opens: r.opens, open: r.open, most: r.most, thaw: r.thaw, padding: r.padding,
	}
}

func (r *rig) Open(ctx context.Context) (Source, error) {
	n := r.now()
	if n.slowOpen > 0 {
		select {
		case <-time.After(n.slowOpen):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opens++
	switch {
	case r.gone:
		return nil, fmt.Errorf("rig: %w", ErrGone)
	case r.busy:
		return nil, fmt.Errorf("rig: %w", ErrBusy)
	}
	r.open++
	r.most = max(r.most, r.open)
	if r.lens != nil {
		return &adjustable{&take{rig: r}, r.lens}, nil
	}
	return &take{rig: r}, nil
}

// adjustable is a take of a camera with controls.
type adjustable struct {
	*take
	lens *lens
}

func (a *adjustable) Controls(ctx context.Context) ([]Control, error) { return a.lens.Controls(ctx) }

func (a *adjustable) Adjust(ctx context.Context, s []Setting) ([]Outcome, error) {
	return a.lens.Adjust(ctx, s)
}

// take is one source of a rig.
type take struct {
	rig    *rig
	n      uint64
	closed bool
}

func (s *take) Identity() Identity { return Identity{ID: "rig", Name: "Rig"} }
func (s *take) Mode() Mode         { return Mode{MJPEG, 64, 48, 30} }
func (s *take) Counters() Counters { return Counters{Delivered: s.n, Invalid: 1} }

func (s *take) Next(ctx context.Context, dst *Frame) error {
	for {
		n := s.rig.now()
		if n.gone {
			return fmt.Errorf("rig: %w", ErrGone)
		}
		if n.deaf {
			<-n.thaw
			continue
		}
		var due <-chan time.Time
		if !n.frozen {
			due = time.After(time.Second / 30)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.thaw:
		case <-due:
			s.n++
			*dst = Frame{
				Data: append(fmt.Appendf(dst.Data[:0], "picture %d", s.n), n.padding...), Format: MJPEG, Width: 64, Height: 48,
				Seq: s.n * (1 + n.skip), Captured: time.Now(),
			}
			return nil
		}
	}
}

func (s *take) Close() error {
	if !s.closed {
		s.closed = true
		s.rig.mu.Lock()
		s.rig.open--
		s.rig.mu.Unlock()
	}
	return nil
}

// supervised runs f beside a supervisor of a rig, on a clock of its own.
func supervised(t *testing.T, p SupervisorParams, f func(t *testing.T, r *rig, s *Supervisor)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		p.Open = r.Open
		s, err := NewSupervisor(p)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		f(t, r, s)
		cancel()
		r.set(func(r *rig) { r.deaf = false })
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v, want %v", err, context.Canceled)
		}
		if n := r.now(); n.open != 0 || n.most > 1 {
			t.Errorf("%d sources left open, %d open at the same time; want 0 and 1 at most", n.open, n.most)
		}
	})
}

// pass lets d go by on the clock of the test.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func wantState(t *testing.T, s *Supervisor, want State) {
	t.Helper()
	if got := s.Status(); got.State != want {
		t.Fatalf("state %q (last error: %v), want %q", got.State, got.LastError, want)
	}
}

// Every fault shows within two seconds and heals without anybody's help.
func TestFaultsHeal(t *testing.T) {
	tests := []struct {
		name  string
		fault func(*rig)
		state State
		err   error
		lasts time.Duration
	}{
		{"unplugged", func(r *rig) { r.gone = true }, Absent, ErrGone, 30 * time.Second},
		{"unplugged overnight", func(r *rig) { r.gone = true }, Absent, ErrGone, 12 * time.Hour},
		{"frozen", func(r *rig) { r.frozen = true }, Stalled, ErrStalled, 0},
		{"driver hangs", func(r *rig) { r.deaf = true }, Stalled, ErrStalled, time.Minute},
		{"taken by another program", func(r *rig) { r.frozen, r.busy = true, true }, Faulted, ErrBusy, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			supervised(t, SupervisorParams{}, func(t *testing.T, r *rig, s *Supervisor) {
				pass(time.Second)
				wantState(t, s, Streaming)
				seq := s.Status().Seq
				r.set(tt.fault)
				pass(2 * time.Second)
				wantState(t, s, tt.state)
				if err := s.Status().LastError; !errors.Is(err, tt.err) {
					t.Errorf("last error %v, want %v", err, tt.err)
				}
				pass(tt.lasts)
				r.set(func(r *rig) { r.gone, r.frozen, r.deaf, r.busy = false, false, false, false })
				pass(DefaultBackoffMax + 100*time.Millisecond)
				wantState(t, s, Streaming)
				if got := s.Status().Seq; got <= seq {
					t.Errorf("frame number %d after the fault, %d before", got, seq)
				}
			})
		})
	}
}

func TestBusyIsAFault(t *testing.T) {
	supervised(t, SupervisorParams{}, func(t *testing.T, r *rig, s *Supervisor) {
		r.set(func(r *rig) { r.busy = true })
		pass(time.Second)
		r.set(func(r *rig) { r.gone = true }) // end the first source
		pass(100 * time.Millisecond)
		r.set(func(r *rig) { r.gone = false })
		pass(5 * time.Second)
		wantState(t, s, Faulted)
		if err := s.Status().LastError; !errors.Is(err, ErrBusy) {
			t.Errorf("last error %v, want %v", err, ErrBusy)
		}
		r.set(func(r *rig) { r.busy = false })
		pass(DefaultBackoffMax + 100*time.Millisecond)
		wantState(t, s, Streaming)
	})
}

func TestSlowOpen(t *testing.T) {
	supervised(t, SupervisorParams{OpenLimit: 3 * time.Second}, func(t *testing.T, r *rig, s *Supervisor) {
		pass(time.Second)
		r.set(func(r *rig) { r.gone = true })
		pass(time.Second)
		wantState(t, s, Absent)
		r.set(func(r *rig) { r.gone, r.slowOpen = false, time.Hour })
		pass(3 * time.Second)
		wantState(t, s, Opening)
		for range 20 { // and stays so, however often it is tried
			pass(3 * time.Second)
			wantState(t, s, Faulted)
		}
		r.set(func(r *rig) { r.slowOpen = 2 * time.Second })
		pass(8 * time.Second)
		wantState(t, s, Streaming)
	})
}

// A camera that is away is looked for often enough to be found within the
// longest backoff, and not more often.
func TestBackoff(t *testing.T) {
	var log bytes.Buffer
	p := SupervisorParams{Log: slog.New(slog.NewTextHandler(&log, nil))}
	supervised(t, p, func(t *testing.T, r *rig, s *Supervisor) {
		r.set(func(r *rig) { r.gone = true })
		pass(time.Hour)
		opens := r.now().opens
		if least, most := 1800, 1805; opens < least || opens > most {
			t.Errorf("%d attempts in an hour, want %d to %d", opens, least, most)
		}
	})
	if n := bytes.Count(log.Bytes(), []byte("camera lost")); n > 2 {
		t.Errorf("the log says %d times that the camera is away, want once", n)
	}
}

// A camera that keeps failing right after its first frames does not spin.
func TestBackoffOfAFlappingCamera(t *testing.T) {
	supervised(t, SupervisorParams{}, func(t *testing.T, r *rig, s *Supervisor) {
		for range 20 {
			pass(time.Second)
			r.set(func(r *rig) { r.gone = true })
			pass(10 * time.Millisecond)
			r.set(func(r *rig) { r.gone = false })
		}
		if n := s.Status().Opens; n > 14 {
			t.Errorf("%d opens in 20 s of failing, want the backoff to hold", n)
		}
		pass(30 * time.Second)
		before := s.Status().Opens
		r.set(func(r *rig) { r.gone = true })
		pass(10 * time.Millisecond)
		r.set(func(r *rig) { r.gone = false })
		pass(DefaultBackoffMin + 100*time.Millisecond)
		if s.Status().Opens != before+1 {
			t.Error("after half a minute of streaming the first retry is still slow")
		}
	})
}

func TestStatus(t *testing.T) {
	supervised(t, SupervisorParams{}, func(t *testing.T, r *rig, s *Supervisor) {
		changed := s.Changed()
		pass(2 * time.Second)
		select {
		case <-changed:
		default:
			t.Error("Changed is still open after the state changed")
		}
		st := s.Status()
		if st.FPS < 29.5 || st.FPS > 30.5 {
			t.Errorf("%.2f fps, want 30", st.FPS)
		}
		if st.Identity.ID != "rig" || st.Mode.Width != 64 || st.Opens != 1 {
			t.Errorf("status %+v; want the rig, 64 wide, opened once", st)
		}
		changed = s.Changed()
		r.set(func(r *rig) { r.gone = true })
		<-changed
		wantState(t, s, Absent)
		if fps := s.Status().FPS; fps != 0 {
			t.Errorf("%.2f fps without a camera, want 0", fps)
		}
		changed = s.Changed()
		r.set(func(r *rig) { r.gone = false })
		<-changed
		pass(120 * time.Millisecond)
		if fps := s.Status().FPS; fps < 29.5 || fps > 30.5 {
			t.Errorf("%.2f fps right after the camera is back, want 30: the gap is not a rate", fps)
		}
		pass(3 * time.Second)
		c := s.Status().Counters
		if c.Invalid != 2 || c.Delivered < s.Status().Seq {
			t.Errorf("counters %+v at frame %d; want those of both sources", c, s.Status().Seq)
		}
	})
}

func TestRing(t *testing.T) {
	supervised(t, SupervisorParams{Ring: 4}, func(t *testing.T, r *rig, s *Supervisor) {
		pass(time.Second)
		frames := s.Ring(nil)
		if len(frames) != 4 {
			t.Fatalf("%d frames in the ring, want 4", len(frames))
		}
		for i := range frames[1:] {
			if frames[i+1].Seq != frames[i].Seq+1 || !frames[i+1].Captured.After(frames[i].Captured) {
				t.Errorf("frame %d follows frame %d", frames[i+1].Seq, frames[i].Seq)
			}
		}
		if frames[3].Seq != s.Status().Seq {
			t.Errorf("the newest is %d, want %d", frames[3].Seq, s.Status().Seq)
		}

		var f Frame
		if !s.BySeq(frames[1].Seq, &f) || !bytes.Equal(f.Data, frames[1].Data) || f.Seq != frames[1].Seq {
			t.Errorf("BySeq(%d) = %d %q", frames[1].Seq, f.Seq, f.Data)
		}
		for _, seq := range []uint64{0, frames[0].Seq - 1, frames[3].Seq + 1} {
			if s.BySeq(seq, &f) {
				t.Errorf("BySeq(%d) found a frame", seq)
			}
		}
		for d, want := range map[time.Duration]uint64{
			-time.Hour:            frames[0].Seq,
			-5 * time.Millisecond: frames[2].Seq,
			5 * time.Millisecond:  frames[2].Seq,
			time.Hour:             frames[3].Seq,
		} {
			if !s.ByTime(frames[2].Captured.Add(d), &f) || f.Seq != want {
				t.Errorf("ByTime(%v off) = %d, want %d", d, f.Seq, want)
			}
		}

		again := s.Ring(frames[:0])
		if &again[0] != &frames[0] {
			t.Error("Ring did not reuse the slice it was given")
		}
	})
}

func TestSeqAcrossReopens(t *testing.T) {
	supervised(t, SupervisorParams{}, func(t *testing.T, r *rig, s *Supervisor) {
		var f Frame
		var last uint64
		for i := range 5 {
			for range 20 {
				if err := s.Latest(t.Context(), last, &f); err != nil {
					t.Fatal(err)
				}
				if f.Seq <= last {
					t.Fatalf("frame %d after frame %d", f.Seq, last)
				}
				last = f.Seq
			}
			r.set(func(r *rig) { r.gone = true })
			pass(time.Second)
			r.set(func(r *rig) { r.gone, r.skip = false, uint64(i) })
		}
		if err := s.Latest(t.Context(), last, &f); err != nil {
			t.Fatal(err)
		}
		first := f.Seq
		if err := s.Latest(t.Context(), first, &f); err != nil {
			t.Fatal(err)
		}
		if f.Seq != first+5 {
			t.Errorf("frame %d after frame %d with 4 lost between, want %d", f.Seq, first, first+5)
		}
	})
}

func TestLatest(t *testing.T) {
	supervised(t, SupervisorParams{}, func(t *testing.T, r *rig, s *Supervisor) {
		// Many readers all see new frames, the newest each.
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				var f Frame
				var last uint64
				for range 10 {
					if err := s.Latest(t.Context(), last, &f); err != nil || f.Seq <= last {
						t.Errorf("Latest after %d = %d, %v", last, f.Seq, err)
					}
					last = f.Seq
				}
			})
		}
		wg.Wait()

		// A reader gives up; the others go on.
		r.set(func(r *rig) { r.frozen = true })
		pass(100 * time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		quit, other := make(chan error, 1), make(chan error, 1)
		newest := s.Status().Seq
		go func() { quit <- s.Latest(ctx, newest, &Frame{}) }()
		go func() { other <- s.Latest(t.Context(), newest, &Frame{}) }()
		synctest.Wait()
		cancel()
		if err := <-quit; !errors.Is(err, context.Canceled) {
			t.Errorf("Latest = %v, want %v", err, context.Canceled)
		}
		r.set(func(r *rig) { r.frozen = false })
		if err := <-other; err != nil {
			t.Errorf("Latest = %v, want a frame once the camera is back", err)
		}
	})
}

func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewSupervisor(SupervisorParams{Open: newRig().Open})
		if err != nil {
			t.Fatal(err)
		}
		reader := make(chan error, 1)
		go func() { reader <- s.Latest(t.Context(), 1000, &Frame{}) }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run = %v, want %v", err, context.DeadlineExceeded)
		}
		if err := <-reader; !errors.Is(err, ErrClosed) {
			t.Errorf("Latest = %v, want %v", err, ErrClosed)
		}
		if err := s.Latest(t.Context(), 0, &Frame{}); !errors.Is(err, ErrClosed) {
			t.Errorf("Latest after the end = %v, want %v", err, ErrClosed)
		}
		if n := len(s.Ring(nil)); n != 0 {
			t.Errorf("%d frames kept after the end", n)
		}
	})
}

// After Wipe not one byte of a picture is left in any buffer, up to its
// capacity.
func TestWipe(t *testing.T) {
	supervised(t, SupervisorParams{Ring: 3}, func(t *testing.T, r *rig, s *Supervisor) {
		pass(time.Second)
		r.set(func(r *rig) { r.frozen = true })
		pass(100 * time.Millisecond)
		newest := s.Status().Seq
		s.Wipe()
		for i, f := range s.ring {
			if b := f.Data[:cap(f.Data)]; len(b) == 0 || !bytes.Equal(b, make([]byte, len(b))) {
				t.Errorf("slot %d still holds %q", i, b)
			}
		}
		var f Frame
		if s.ByTime(time.Now(), &f) || s.BySeq(newest, &f) || len(s.Ring(nil)) != 0 {
			t.Error("frames are still found after Wipe")
		}
		r.set(func(r *rig) { r.frozen = false })
		if err := s.Latest(t.Context(), newest, &f); err != nil || f.Seq != newest+1 {
			t.Errorf("the next frame is %d, %v; want %d", f.Seq, err, newest+1)
		}
	})
}

func TestNoAllocationPerFrame(t *testing.T) {
	s, err := NewSupervisor(SupervisorParams{Open: newRig().Open, Ring: 3})
	if err != nil {
		t.Fatal(err)
	}
	picture := bytes.Repeat([]byte("x"), 100_000)
	src := &take{rig: newRig()}
	var in, out Frame
	ctx := t.Context()
	frame := func() {
		in.Data = append(in.Data[:0], picture...)
		in.Captured = time.Now()
		s.publish(src, &in, 1)
		if err := s.Latest(ctx, out.Seq, &out); err != nil {
			t.Fatal(err)
		}
		w := s.enlist() // as a reader that waits
		s.resign(w)
	}
	for range 10 {
		frame()
	}
	if n := testing.AllocsPerRun(100, frame); n != 0 {
		t.Errorf("%v allocations a frame, want none", n)
	}
}

// A frame that falls out of the ring leaves nothing in the buffer that the next
// one is fetched into.
func TestEvictedFramesAreWiped(t *testing.T) {
	s, err := NewSupervisor(SupervisorParams{Open: newRig().Open, Ring: 2})
	if err != nil {
		t.Fatal(err)
	}
	var f Frame
	for i := range 6 {
		f.Data = append(f.Data[:0], bytes.Repeat([]byte("x"), 1000)...)
		s.publish(&take{rig: newRig()}, &f, 1)
		if b := f.Data[:cap(f.Data)]; !bytes.Equal(b, make([]byte, len(b))) {
			t.Fatalf("after frame %d the buffer holds an old picture", i)
		}
	}
}

func TestNewSupervisorRefuses(t *testing.T) {
	open := newRig().Open
	for name, p := range map[string]SupervisorParams{
		"no opener":        {},
		"negative ring":    {Open: open, Ring: -1},
		"negative stall":   {Open: open, Stall: -1},
		"backoff reversed": {Open: open, BackoffMin: time.Minute, BackoffMax: time.Second},
	} {
		if _, err := NewSupervisor(p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
