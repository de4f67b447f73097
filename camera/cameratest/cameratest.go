// Package cameratest holds every camera.Source to its contract: one suite for
// the simulated booth, for real cameras and for whatever comes next.
package cameratest

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/mjpeg"
)

// limit bounds a test that hangs; nothing that passes takes nearly as long.
const limit = 20 * time.Second

// Run tests sources. open opens one that streams undisturbed, or fails t; it is
// called once a subtest, after the source before was closed.
func Run(t *testing.T, open func(t *testing.T) camera.Source) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*testing.T, camera.Source)
	}{
		{"identity and mode", identity},
		{"frames are whole and numbered", frames},
		{"frames belong to the caller", ownership},
		{"a dead context is refused", deadContext},
		{"a context ends the wait", cancelled},
		{"close ends the wait", closedWhileWaiting},
		{"close twice", closeTwice},
		{"counters", counters},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := open(t)
			t.Cleanup(func() {
				if err := src.Close(); err != nil {
					t.Errorf("Close = %v", err)
				}
			})
			tt.run(t, src)
		})
	}
	t.Run("a closed camera opens again", func(t *testing.T) {
		for range 3 {
			src := open(t)
			var f camera.Frame
			next(t, src, &f)
			if err := src.Close(); err != nil {
				t.Fatalf("Close = %v", err)
			}
		}
	})
}

func next(t *testing.T, src camera.Source, f *camera.Frame) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := src.Next(ctx, f); err != nil {
		t.Fatalf("Next = %v", err)
	}
}

func identity(t *testing.T, src camera.Source) {
	id := src.Identity()
	if id.ID == "" || id.Name == "" {
		t.Errorf("Identity = %+v; want an id and a name", id)
	}
	if id.Simulated == (id.Node != "") {
		t.Errorf("Identity = %+v; want a node for a device, none for a simulation", id)
	}
	var f camera.Frame
	next(t, src, &f)
	if m := src.Mode(); m.Format != f.Format || m.Width != f.Width || m.Height != f.Height || m.FPS <= 0 {
		t.Errorf("Mode = %+v, but a frame is %s %d×%d", m, f.Format, f.Width, f.Height)
	}
	if src.Identity() != id {
		t.Error("the identity changed while streaming")
	}
}

func frames(t *testing.T, src camera.Source) {
	var f camera.Frame
	var seq uint64
	var at time.Time
	for i := range 5 {
		before := time.Now()
		next(t, src, &f)
		if f.Seq <= seq {
			t.Errorf("frame %d has number %d after %d", i, f.Seq, seq)
		}
		if i > 0 && !f.Captured.After(at) {
			t.Errorf("frame %d was captured at %v, not after %v", i, f.Captured, at)
		}
		if f.Captured.Sub(before).Abs() > limit {
			t.Errorf("frame %d was captured at %v, far from %v", i, f.Captured, before)
		}
		seq, at = f.Seq, f.Captured
		check(t, &f, i == 0)
	}
}

// check looks at one frame as a consumer would.
func check(t *testing.T, f *camera.Frame, decode bool) {
	t.Helper()
	switch f.Format {
	case camera.MJPEG:
		info, err := mjpeg.Parse(f.Data)
		if err != nil {
			t.Fatalf("frame %d: %v", f.Seq, err)
		}
		if info.Width != f.Width || info.Height != f.Height || !info.Huffman || info.Len != len(f.Data) {
			t.Errorf("frame %d says %d×%d; its %d bytes hold %+v", f.Seq, f.Width, f.Height, len(f.Data), info)
		}
		if !decode {
			return
		}
		m, err := jpeg.Decode(bytes.NewReader(f.Data))
		if err != nil {
			t.Fatalf("frame %d does not decode: %v", f.Seq, err)
		}
		if m.Bounds().Dx() != f.Width || m.Bounds().Dy() != f.Height {
			t.Errorf("frame %d decodes to %v, says %d×%d", f.Seq, m.Bounds(), f.Width, f.Height)
		}
	case camera.YUYV:
		if len(f.Data) != 2*f.Width*f.Height {
			t.Errorf("frame %d: %d bytes for %d×%d YUYV", f.Seq, len(f.Data), f.Width, f.Height)
		}
	default:
		t.Errorf("frame %d has format %q", f.Seq, f.Format)
	}
}

func ownership(t *testing.T, src camera.Source) {
	var f, g camera.Frame
	next(t, src, &f)
	kept := bytes.Clone(f.Data)
	for range 4 {
		next(t, src, &g)
	}
	if !bytes.Equal(kept, f.Data) {
		t.Error("a returned frame changed while later ones were fetched")
	}
	// A buffer that is large enough is used again.
	g.Data = make([]byte, 0, 64<<20)
	start := &g.Data[:1][0]
	next(t, src, &g)
	if &g.Data[0] != start {
		t.Error("Next did not reuse the caller's buffer")
	}
}

func deadContext(t *testing.T, src camera.Source) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := src.Next(ctx, &camera.Frame{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Next = %v, want %v", err, context.Canceled)
	}
	var f camera.Frame
	next(t, src, &f) // and it did no harm
}

// until calls Next until it fails.
func until(ctx context.Context, src camera.Source) <-chan error {
	failed := make(chan error, 1)
	go func() {
		var f camera.Frame
		for {
			if err := src.Next(ctx, &f); err != nil {
				failed <- err
				return
			}
		}
	}()
	return failed
}

func await(t *testing.T, failed <-chan error) error {
	t.Helper()
	select {
	case err := <-failed:
		return err
	case <-time.After(limit):
		t.Fatalf("Next still waits after %v", limit)
		return nil
	}
}

func cancelled(t *testing.T, src camera.Source) {
	ctx, cancel := context.WithCancel(t.Context())
	failed := until(ctx, src)
	cancel()
	if err := await(t, failed); !errors.Is(err, context.Canceled) {
		t.Errorf("Next = %v, want %v", err, context.Canceled)
	}
}

func closedWhileWaiting(t *testing.T, src camera.Source) {
	failed := until(t.Context(), src)
	if err := src.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if err := await(t, failed); !errors.Is(err, camera.ErrClosed) {
		t.Errorf("Next = %v, want %v", err, camera.ErrClosed)
	}
}

func closeTwice(t *testing.T, src camera.Source) {
	for range 2 {
		if err := src.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if err := src.Next(t.Context(), &camera.Frame{}); !errors.Is(err, camera.ErrClosed) {
		t.Errorf("Next after Close = %v, want %v", err, camera.ErrClosed)
	}
}

func counters(t *testing.T, src camera.Source) {
	c, ok := src.(camera.Counter)
	if !ok {
		t.Skip("this source does not count")
	}
	var f camera.Frame
	before := c.Counters().Delivered
	for range 3 {
		next(t, src, &f)
	}
	if got := c.Counters().Delivered - before; got != 3 {
		t.Errorf("%d frames counted as delivered, want 3", got)
	}
}
