package drive

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// privateDisplay gives a test its own X server.
func privateDisplay(t *testing.T, width, height int) *Display {
	t.Helper()
	d, err := StartXvfb(t.Context(), width, height)
	if errors.Is(err, ErrNoXvfb) {
		t.Skip("SKIPPED: needs Xvfb, which is not installed (apt-get install xvfb)")
	}
	if err != nil {
		t.Fatalf("StartXvfb: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}

// client is a small X program with one window that notes what happens to it.
type client struct {
	conn   *xgb.Conn
	window xproto.Window
	events chan xgb.Event
}

const (
	clientColour   = 0x1d4ed8
	clientX        = 40
	clientY        = 30
	clientW        = 200
	clientH        = 120
	clientTitle    = "云照站 test"
	eventPatience  = 10 * time.Second // only a failing test waits that long
	clientInterest = xproto.EventMaskButtonPress | xproto.EventMaskButtonRelease | xproto.EventMaskKeyPress |
		xproto.EventMaskKeyRelease | xproto.EventMaskExposure | xproto.EventMaskPointerMotion | xproto.EventMaskFocusChange
)

func newClient(t *testing.T, d *Display) *client {
	t.Helper()
	conn, err := xgb.NewConnDisplay(d.Name())
	if err != nil {
		t.Fatalf("connect test client: %v", err)
	}
	id, err := xproto.NewWindowId(conn)
	if err != nil {
		t.Fatal(err)
	}
	screen := xproto.Setup(conn).DefaultScreen(conn)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("set test client up: %v", err)
		}
	}
	check(xproto.CreateWindowChecked(conn, screen.RootDepth, id, screen.Root, clientX, clientY, clientW, clientH, 0,
		xproto.WindowClassInputOutput, screen.RootVisual, xproto.CwBackPixel|xproto.CwEventMask,
		[]uint32{clientColour, clientInterest}).Check())
	check(xproto.ChangePropertyChecked(conn, xproto.PropModeReplace, id, d.atoms.netWMName, d.atoms.utf8String, 8,
		uint32(len(clientTitle)), []byte(clientTitle)).Check())
	check(xproto.MapWindowChecked(conn, id).Check())
	c := &client{conn: conn, window: id, events: make(chan xgb.Event, 1000)}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(c.events)
		for {
			ev, xerr := conn.WaitForEvent()
			if ev == nil && xerr == nil {
				return
			}
			if ev != nil {
				c.events <- ev
			}
		}
	})
	t.Cleanup(func() {
		conn.Close()
		wg.Wait()
	})
	// Shown at last: its picture can be taken from now on.
	next[xproto.ExposeEvent](t, c)
	return c
}

// next is the next event of one kind; others before it are dropped.
func next[E xgb.Event](t *testing.T, c *client) E {
	t.Helper()
	patience := time.NewTimer(eventPatience)
	defer patience.Stop()
	for {
		select {
		case ev, ok := <-c.events:
			if !ok {
				t.Fatal("the X server went away")
			}
			if e, ok := ev.(E); ok {
				return e
			}
		case <-patience.C:
			var want E
			t.Fatalf("no %T came", want)
		}
	}
}

func TestPointerReachesAWindow(t *testing.T) {
	d := privateDisplay(t, 640, 480)
	c := newClient(t, d)

	if got := d.Size(); got != image.Pt(640, 480) {
		t.Errorf("Size = %v", got)
	}
	if err := d.Click(clientX+15, clientY+25); err != nil {
		t.Fatalf("Click: %v", err)
	}
	press := next[xproto.ButtonPressEvent](t, c)
	release := next[xproto.ButtonReleaseEvent](t, c)
	if press.EventX != 15 || press.EventY != 25 || press.Detail != leftButton || release.EventX != 15 {
		t.Errorf("press %v, release %v", press, release)
	}

	if err := d.Glide(t.Context(), clientX+150, clientY+60, 5*glideStep); err != nil {
		t.Fatalf("Glide: %v", err)
	}
	if at, err := d.Pointer(); err != nil || at != image.Pt(clientX+150, clientY+60) {
		t.Errorf("Pointer = %v, %v", at, err)
	}
	first := next[xproto.MotionNotifyEvent](t, c)
	if first.EventX <= 15 || first.EventX >= 150 {
		t.Errorf("the pointer jumped to x=%d", first.EventX)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Hold(ctx, clientX+1, clientY+1, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("Hold = %v", err)
	}
	next[xproto.ButtonPressEvent](t, c)
	next[xproto.ButtonReleaseEvent](t, c) // released although ctx ended
	for _, p := range []image.Point{{-1, 5}, {640, 5}, {5, 480}, {70000, 5}} {
		if err := d.Move(p.X, p.Y); err == nil {
			t.Errorf("Move(%v) found a place off the screen", p)
		}
	}
}

func TestKeysReachTheFocusedWindow(t *testing.T) {
	d := privateDisplay(t, 640, 480)
	c := newClient(t, d)
	w, err := d.WaitWindow(t.Context(), clientTitle)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Focus(w); err != nil {
		t.Fatal(err)
	}
	next[xproto.FocusInEvent](t, c)
	const text = "37x X\n"
	if err := d.Type(t.Context(), text); err != nil {
		t.Fatalf("Type: %v", err)
	}
	if err := d.Key(KeyEscape); err != nil {
		t.Fatal(err)
	}
	mapping, err := xproto.GetKeyboardMapping(c.conn, 8, 248).Reply()
	if err != nil {
		t.Fatal(err)
	}
	var got []Keysym
	for len(got) < len(text)+1 {
		e := next[xproto.KeyPressEvent](t, c)
		column := 0
		if e.State&xproto.ModMaskShift != 0 {
			column = 1
		}
		if sym := Keysym(mapping.Keysyms[(int(e.Detail)-8)*int(mapping.KeysymsPerKeycode)+column]); sym != keyShift {
			got = append(got, sym)
		}
	}
	want := []Keysym{'3', '7', 'x', ' ', 'X', KeyReturn, KeyEscape}
	if !slices.Equal(got, want) {
		t.Errorf("typed %x, want %x", got, want)
	}

	if err := d.Type(t.Context(), "张"); err == nil || strings.Contains(err.Error(), "张") {
		t.Errorf("typing what the keyboard lacks: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Type(ctx, "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("Type = %v", err)
	}
}

func TestPictures(t *testing.T) {
	d := privateDisplay(t, 321, 240) // an odd width: rows are padded
	newClient(t, d)
	w, err := d.WaitWindow(t.Context(), clientTitle)
	if err != nil {
		t.Fatal(err)
	}
	blue := color.RGBA{0x1d, 0x4e, 0xd8, 0xff}
	full, err := d.Screenshot()
	if err != nil {
		t.Fatalf("Screenshot: %v", err)
	}
	if full.Bounds() != image.Rect(0, 0, 321, 240) {
		t.Errorf("screenshot of %v", full.Bounds())
	}
	inside, outside := full.RGBAAt(clientX, clientY+clientH-1), full.RGBAAt(clientX-1, clientY)
	if inside != blue || outside == blue {
		t.Errorf("inside %v, outside %v", inside, outside)
	}
	part, err := d.ScreenshotOf(w)
	if err != nil || part.Bounds() != image.Rect(0, 0, clientW, clientH) || part.RGBAAt(clientW-1, 0) != blue {
		t.Errorf("picture of the window: %v, %v", part.Bounds(), err)
	}

	path := filepath.Join(t.TempDir(), "a.png")
	if err := SavePNG(path, part); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if img, err := png.Decode(f); err != nil || img.Bounds() != part.Bounds() {
		t.Errorf("saved picture: %v", err)
	}
	if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := SavePNG(filepath.Join(path, "b.png"), part); err == nil {
		t.Error("saved below a file")
	}
}

func TestWaitWindowEnds(t *testing.T) {
	d := privateDisplay(t, 320, 240)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.WaitWindow(ctx, "nothing"); !errors.Is(err, context.Canceled) {
		t.Errorf("WaitWindow = %v", err)
	}
	if _, err := d.Bounds(Window{ID: 0x7fffff}); err == nil {
		t.Error("a window that is not there was measured")
	}
}

func TestDisplaysSideBySide(t *testing.T) {
	a, b := privateDisplay(t, 320, 240), privateDisplay(t, 320, 240)
	if a.Name() == b.Name() {
		t.Fatalf("both are %s", a.Name())
	}
	env := a.Env([]string{"HOME=/x", "DISPLAY=:0", "WAYLAND_DISPLAY=wayland-0"})
	if want := []string{"HOME=/x", "DISPLAY=" + a.Name()}; !slices.Equal(env, want) {
		t.Errorf("Env = %v", env)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := a.Click(1, 1); err == nil {
		t.Error("a closed display was clicked")
	}
	if c, err := Connect(a.Name()); err == nil {
		_ = c.Close()
		t.Errorf("%s still answers after Close", a.Name())
	}
	if err := b.Click(1, 1); err != nil {
		t.Errorf("the other display: %v", err)
	}
}

func TestDisplayEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d, err := StartXvfb(ctx, 320, 240)
	if errors.Is(err, ErrNoXvfb) {
		t.Skip("SKIPPED: needs Xvfb, which is not installed (apt-get install xvfb)")
	}
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-d.done
	<-d.server.exited
	if err := d.Move(1, 1); err == nil {
		t.Error("an ended display was used")
	}
}

func TestStartXvfbRefuses(t *testing.T) {
	for _, size := range []image.Point{{0, 0}, {63, 480}, {640, 9000}} {
		if d, err := StartXvfb(t.Context(), size.X, size.Y); err == nil {
			_ = d.Close()
			t.Errorf("a screen of %v was started", size)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := StartXvfb(t.Context(), 640, 480); !errors.Is(err, ErrNoXvfb) {
		t.Errorf("without the program: %v", err)
	}
}

func TestConnectNowhere(t *testing.T) {
	t.Setenv("DISPLAY", "")
	for _, name := range []string{"", ":99999", "nonsense"} {
		if d, err := Connect(name); err == nil {
			_ = d.Close()
			t.Errorf("Connect(%q) succeeded", name)
		}
	}
}

// TestServerDiesWithItsProgram kills a program that started an X server the
// hard way, which leaves it no chance to tidy up.
func TestServerDiesWithItsProgram(t *testing.T) {
	const role = "DRIVE_TEST_XVFB_OWNER"
	if os.Getenv(role) != "" {
		d, err := StartXvfb(t.Context(), 320, 240)
		if err != nil {
			fmt.Println("failed:", err)
			return
		}
		fmt.Println("pid", d.server.process.Pid)
		<-t.Context().Done() // until killed
		return
	}
	if _, err := exec.LookPath("Xvfb"); err != nil {
		t.Skip("SKIPPED: needs Xvfb, which is not installed (apt-get install xvfb)")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerDiesWithItsProgram$")
	cmd.Env = append(os.Environ(), role+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "pid %d", &pid); err != nil && strings.HasPrefix(lines.Text(), "failed") {
			t.Log(lines.Text())
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // killed, as intended
	if pid == 0 {
		t.Fatal("the program started no X server")
	}
	deadline := time.NewTimer(eventPatience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for alive(t, pid) {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("the X server outlived its program")
		}
	}
}

// alive reports whether the process runs; a zombie that nobody has collected
// does not.
func alive(t *testing.T, pid int) bool {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

func TestReadDisplayNumber(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int
	}{
		{"0\n", 0},
		{"12\n", 12},
		{"12\nmore", 12},
		{"", -1},
		{"12", -1},
		{"x\n", -1},
		{"-3\n", -1},
		{"123456789012\n", -1},
	} {
		got, err := readDisplayNumber(strings.NewReader(tc.in))
		if (err != nil) != (tc.want < 0) || err == nil && got != tc.want {
			t.Errorf("%q: %d, %v", tc.in, got, err)
		}
	}
}

func TestStrokesOf(t *testing.T) {
	syms := []xproto.Keysym{
		'a', 0, 'z', 'Z', // a letter without its capital
		'1', '!', 0, 0,
		0, '2', 0, 0, // only with Shift
		'2', 0, 0, 0, // and plain: preferred
		'é', 'É', // half a key: ignored
	}
	got := strokesOf(8, 4, syms)
	want := map[Keysym]stroke{'a': {code: 8}, 'A': {8, true}, '1': {code: 9}, '!': {9, true}, '2': {code: 11}}
	if len(got) != len(want) {
		t.Errorf("strokes %v", got)
	}
	for sym, s := range want {
		if got[sym] != s {
			t.Errorf("%q: %v, want %v", rune(sym), got[sym], s)
		}
	}
	if got := strokesOf(8, 0, syms); len(got) != 0 {
		t.Errorf("no columns: %v", got)
	}
}

func TestKeysymOf(t *testing.T) {
	for r, want := range map[rune]Keysym{'7': 0x37, 'X': 0x58, 'é': 0xe9, '\n': KeyReturn, '\t': KeyTab, '\b': KeyBackspace, '张': 0x1005f20} {
		if got := keysymOf(r); got != want {
			t.Errorf("keysymOf(%q) = %#x, want %#x", r, got, want)
		}
	}
}

func TestUnpack(t *testing.T) {
	little := pixelFormat{order: binary.LittleEndian, rowAlign: 16}
	big := pixelFormat{order: binary.BigEndian, rowAlign: 4}
	want := color.RGBA{0x11, 0x22, 0x33, 0xff}
	for name, tc := range map[string]struct {
		format pixelFormat
		row    []byte
	}{
		"little endian, padded": {little, append([]byte{0x33, 0x22, 0x11, 0}, make([]byte, 12)...)},
		"big endian":            {big, []byte{0, 0x11, 0x22, 0x33}},
	} {
		data := slices.Concat(tc.row, tc.row)
		img, err := tc.format.unpack(data, 1, 2)
		if err != nil || img.RGBAAt(0, 0) != want || img.RGBAAt(0, 1) != want {
			t.Errorf("%s: %v, %v", name, img, err)
		}
		if _, err := tc.format.unpack(data[:len(data)-1], 1, 2); err == nil {
			t.Errorf("%s: a short picture was taken", name)
		}
	}
}
