package drive

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// leftButton is the X number of the button that a touch screen emulates.
const leftButton = 1

// glideStep is the time between two pointer positions of a glide: one frame of
// a 60 Hz screen.
const glideStep = time.Second / 60

// windowPoll is how often WaitWindow looks for its window.
const windowPoll = 50 * time.Millisecond

// Display is one X screen with a pointer, a keyboard and a picture. Its methods
// may be called from several goroutines; one gesture is never mixed with
// another.
type Display struct {
	name   string
	conn   *xgb.Conn
	screen xproto.ScreenInfo
	format pixelFormat
	atoms  atoms

	server *xvfb // nil when the server is not ours
	close  sync.Once
	done   chan struct{} // closed when the connection has ended

	gesture sync.Mutex // held while a button or key is down
	keys    keymap
}

// Connect connects to a running X server, such as ":0"; "" means $DISPLAY. The
// server must offer the XTEST extension.
func Connect(name string) (*Display, error) {
	if name == "" {
		name = os.Getenv("DISPLAY")
	}
	d, err := connect(name)
	if err != nil {
		return nil, fmt.Errorf("connect to X display %q: %w", name, err)
	}
	return d, nil
}

func connect(name string) (*Display, error) {
	// The library talks to stderr of its own accord, of a missing .Xauthority
	// first of all. What matters it returns as errors too.
	xgb.Logger.SetOutput(debugLog{})
	conn, err := xgb.NewConnDisplay(name)
	if err != nil {
		return nil, err
	}
	d := &Display{name: name, conn: conn, done: make(chan struct{})}
	if err := d.setUp(); err != nil {
		conn.Close()
		return nil, err
	}
	go d.listen()
	return d, nil
}

func (d *Display) setUp() error {
	if err := xtest.Init(d.conn); err != nil {
		return fmt.Errorf("use the XTEST extension: %w", err)
	}
	setup := xproto.Setup(d.conn)
	if d.conn.DefaultScreen >= len(setup.Roots) {
		return fmt.Errorf("the server has no screen %d", d.conn.DefaultScreen)
	}
	d.screen = setup.Roots[d.conn.DefaultScreen]
	var err error
	if d.format, err = newPixelFormat(setup, d.screen); err != nil {
		return err
	}
	if d.atoms, err = internAtoms(d.conn); err != nil {
		return err
	}
	return d.keys.load(d.conn)
}

// listen takes the events that a server sends unasked, so that its queue never
// fills, and follows changes of the keyboard.
func (d *Display) listen() {
	defer close(d.done)
	for {
		event, xerr := d.conn.WaitForEvent()
		if event == nil && xerr == nil {
			return // the connection has ended
		}
		if m, ok := event.(xproto.MappingNotifyEvent); ok && m.Request == xproto.MappingKeyboard {
			d.keys.forget()
		}
	}
}

// Close ends the connection and, where StartXvfb started it, the server. It is
// idempotent.
func (d *Display) Close() error {
	d.close.Do(func() {
		d.conn.Close()
		<-d.done
		if d.server != nil {
			d.server.stop()
		}
	})
	return nil
}

// Name is the display's name, such as ":7".
func (d *Display) Name() string { return d.name }

// Env is the environment of a program that shall appear on this display: env
// without what would send it elsewhere. Pass os.Environ().
func (d *Display) Env(env []string) []string {
	out := make([]string, 0, len(env)+1)
	for _, kv := range env {
		switch key, _, _ := strings.Cut(kv, "="); key {
		case "DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET":
		default:
			out = append(out, kv)
		}
	}
	return append(out, "DISPLAY="+d.name)
}

// Size is the screen's size in pixels.
func (d *Display) Size() image.Point {
	return image.Pt(int(d.screen.WidthInPixels), int(d.screen.HeightInPixels))
}

// Pointer is where the pointer is now.
func (d *Display) Pointer() (image.Point, error) {
	reply, err := xproto.QueryPointer(d.conn, d.screen.Root).Reply()
	if err != nil {
		return image.Point{}, fmt.Errorf("ask where the pointer is: %w", ended(err))
	}
	return image.Pt(int(reply.RootX), int(reply.RootY)), nil
}

// Move puts the pointer at x, y, in pixels of the screen.
func (d *Display) Move(x, y int) error {
	d.gesture.Lock()
	defer d.gesture.Unlock()
	return d.move(x, y)
}

func (d *Display) move(x, y int) error {
	if !image.Pt(x, y).In(image.Rectangle{Max: d.Size()}) {
		return fmt.Errorf("move the pointer: (%d,%d) is not on a screen of %v", x, y, d.Size())
	}
	if err := d.fake(xproto.MotionNotify, 0, int16(x), int16(y)); err != nil {
		return fmt.Errorf("move the pointer: %w", err)
	}
	return nil
}

// Glide moves the pointer to x, y in a straight line that takes the time, as a
// hand does, so that people can follow it.
func (d *Display) Glide(ctx context.Context, x, y int, took time.Duration) error {
	d.gesture.Lock()
	defer d.gesture.Unlock()
	from, err := d.Pointer()
	if err != nil {
		return err
	}
	steps := int(took / glideStep)
	tick := time.NewTicker(glideStep)
	defer tick.Stop()
	for i := 1; i < steps; i++ {
		// Slow at both ends: a half cosine.
		f := (1 - math.Cos(math.Pi*float64(i)/float64(steps))) / 2
		at := image.Pt(
			from.X+int(math.Round(f*float64(x-from.X))),
			from.Y+int(math.Round(f*float64(y-from.Y))),
		)
		if err := d.move(at.X, at.Y); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("move the pointer: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return d.move(x, y)
}

// Click moves to x, y and presses and releases the left button there at once.
func (d *Display) Click(x, y int) error {
	return d.Hold(context.Background(), x, y, 0)
}

// Hold moves to x, y and keeps the left button down for the time. The button is
// released even when ctx ends first.
func (d *Display) Hold(ctx context.Context, x, y int, long time.Duration) (err error) {
	d.gesture.Lock()
	defer d.gesture.Unlock()
	if err := d.move(x, y); err != nil {
		return err
	}
	if err := d.fake(xproto.ButtonPress, leftButton, 0, 0); err != nil {
		return fmt.Errorf("press at (%d,%d): %w", x, y, err)
	}
	defer func() {
		if e := d.fake(xproto.ButtonRelease, leftButton, 0, 0); e != nil {
			err = errors.Join(err, fmt.Errorf("release at (%d,%d): %w", x, y, e))
		}
	}()
	return pause(ctx, long)
}

// pause waits; a pause of nothing does not look at ctx.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// fake injects one event and waits until the server has taken it.
func (d *Display) fake(kind, detail byte, x, y int16) error {
	err := xtest.FakeInputChecked(d.conn, kind, detail, xproto.TimeCurrentTime, d.screen.Root, x, y, 0).Check()
	return ended(err)
}

// debugLog takes what the X library says.
type debugLog struct{}

func (debugLog) Write(p []byte) (int, error) {
	slog.Debug("X library", "said", strings.TrimSpace(string(p)))
	return len(p), nil
}

// errEnded says plainly what an X library reports as io.EOF.
var errEnded = errors.New("the X server or the connection to it has ended")

// ended turns the library's silent end into an error that says so.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return errEnded
	}
	return err
}
