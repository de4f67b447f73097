package v4l2

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/mjpeg"
)

func TestChoose(t *testing.T) {
	m := func(f camera.PixelFormat, w, h int, fps float64) camera.Mode {
		return camera.Mode{Format: f, Width: w, Height: h, FPS: fps}
	}
	hd := m(camera.MJPEG, 1920, 1080, 30)
	tests := []struct {
		name    string
		offered []camera.Mode
		want    camera.Mode
		choice  camera.Mode
	}{
		{"what is wanted", []camera.Mode{m(camera.MJPEG, 640, 480, 30), hd, m(camera.MJPEG, 3840, 2160, 30)}, camera.Mode{}, hd},
		{"MJPEG of equals", []camera.Mode{m(camera.YUYV, 1920, 1080, 30), hd}, camera.Mode{}, hd},
		{"raw, if wanted", []camera.Mode{hd, m(camera.YUYV, 1920, 1080, 30)}, camera.Mode{Format: camera.YUYV}, m(camera.YUYV, 1920, 1080, 30)},
		{"live before large", []camera.Mode{m(camera.YUYV, 1920, 1080, 5), m(camera.MJPEG, 1280, 720, 30)}, camera.Mode{}, m(camera.MJPEG, 1280, 720, 30)},
		{"large before fast", []camera.Mode{m(camera.YUYV, 1280, 720, 10), m(camera.MJPEG, 640, 480, 30)}, camera.Mode{}, m(camera.YUYV, 1280, 720, 10)},
		{"not faster than wanted", []camera.Mode{m(camera.MJPEG, 1920, 1080, 60), hd}, camera.Mode{}, hd},
		{"only larger", []camera.Mode{m(camera.MJPEG, 3840, 2160, 30), m(camera.MJPEG, 2560, 1440, 30)}, camera.Mode{}, m(camera.MJPEG, 2560, 1440, 30)},
		{"only slow", []camera.Mode{m(camera.YUYV, 640, 480, 5), m(camera.YUYV, 1280, 720, 5)}, camera.Mode{}, m(camera.YUYV, 1280, 720, 5)},
		{"rate untold", []camera.Mode{m(camera.MJPEG, 640, 480, 30), m(camera.MJPEG, 1920, 1080, 0)}, camera.Mode{}, m(camera.MJPEG, 1920, 1080, 0)},
		{"a small one wanted", []camera.Mode{hd, m(camera.MJPEG, 640, 480, 30)}, camera.Mode{Width: 640, Height: 480}, m(camera.MJPEG, 640, 480, 30)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := Choose(tt.offered, tt.want); !ok || got != tt.choice {
				t.Errorf("Choose = %+v, %v; want %+v", got, ok, tt.choice)
			}
		})
	}
	if _, ok := Choose(nil, hd); ok {
		t.Error("a mode was chosen of none")
	}
}

// machine lays out /dev and /sys as the kernel does.
type machine struct {
	t   *testing.T
	dir string
	sys system
}

func newMachine(t *testing.T) *machine {
	dir := t.TempDir()
	m := &machine{t: t, dir: dir, sys: system{dev: filepath.Join(dir, "dev"), class: filepath.Join(dir, "class")}}
	hd := []camera.Mode{{Format: camera.MJPEG, Width: 1920, Height: 1080, FPS: 30}}
	m.sys.probe = func(node string) (string, string, []camera.Mode, error) {
		b, err := os.ReadFile(node)
		switch {
		case err != nil:
			return "", "", nil, err
		case string(b) == "metadata":
			return "Camera", "usb-0", nil, nil
		case string(b) == "not video":
			return "", "", nil, errors.New("not a video capture device")
		}
		return "Camera", string(b), hd, nil
	}
	m.mkdir("dev")
	m.mkdir("class")
	return m
}

func (m *machine) mkdir(p string) string {
	m.t.Helper()
	p = filepath.Join(m.dir, p)
	if err := os.MkdirAll(p, 0o755); err != nil {
		m.t.Fatal(err)
	}
	return p
}

func (m *machine) write(dir, name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) usb(node, port, iface, vendor, product, serial, kind string) {
	m.t.Helper()
	dir := m.mkdir("devices/usb1/" + port)
	m.write(dir, "idVendor", vendor+"\n")
	m.write(dir, "idProduct", product+"\n")
	if serial != "" {
		m.write(dir, "serial", serial+"\n")
	}
	target := m.mkdir("devices/usb1/" + port + "/" + port + ":" + iface)
	if err := os.Symlink(target, filepath.Join(m.mkdir("class/"+node), "device")); err != nil {
		m.t.Fatal(err)
	}
	m.write(filepath.Join(m.dir, "dev"), node, kind)
}

func TestList(t *testing.T) {
	m := newMachine(t)
	m.usb("video10", "1-2", "1.0", "046d", "0825", "A 1/2", "usb-b")
	m.usb("video2", "1-1.4", "1.0", "1209", "0001", "", "usb-a")
	m.usb("video3", "1-1.4", "1.0", "1209", "0001", "", "metadata")
	m.usb("video4", "1-1.4", "1.2", "1209", "0001", "", "usb-a")    // infrared
	m.usb("video11", "1-2", "1.0", "046d", "0825", "A 1/2", "h264") // another stream of the first
	dev := filepath.Join(m.dir, "dev")
	m.write(dev, "video20", "platform:loop 0")
	m.write(dev, "video21", "not video")
	m.write(dev, "videoX", "usb")
	m.write(dev, "null", "usb")
	found, err := m.sys.list()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range found {
		got = append(got, filepath.Base(d.Node)+" "+d.ID)
	}
	want := []string{
		"video2 usb:1209:0001:@1-1.4:1.0",
		"video4 usb:1209:0001:@1-1.4:1.2",
		"video10 usb:046d:0825:A_1_2@1-2:1.0",
		"video20 bus:platform_loop_0",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("List = %q, want %q", got, want)
	}
	m.sys.dev = filepath.Join(m.dir, "nowhere")
	if _, err := m.sys.list(); err == nil {
		t.Error("no error without a /dev")
	}
}

func TestMatch(t *testing.T) {
	dev := func(ids ...string) (out []camera.Device) {
		for _, id := range ids {
			out = append(out, camera.Device{Identity: camera.Identity{ID: id}})
		}
		return out
	}
	tests := []struct {
		name  string
		found []camera.Device
		id    string
		want  string // "" = no match
	}{
		{"exact", dev("usb:1:1:A@1-1:1.0", "usb:1:1:A@1-2:1.0"), "usb:1:1:A@1-2:1.0", "usb:1:1:A@1-2:1.0"},
		{"another port", dev("usb:2:2:@1-9:1.0", "usb:1:1:A@1-3:1.0"), "usb:1:1:A@1-2:1.0", "usb:1:1:A@1-3:1.0"},
		{"two of the model", dev("usb:1:1:@1-3:1.0", "usb:1:1:@1-4:1.0"), "usb:1:1:@1-2:1.0", ""},
		{"another serial number", dev("usb:1:1:B@1-2:1.0"), "usb:1:1:A@1-2:1.0", ""},
		{"the built-in one instead", dev("usb:2:2:@1-9:1.0"), "usb:1:1:A@1-2:1.0", ""},
		{"not on USB", dev("bus:loop"), "bus:loop", "bus:loop"},
		{"the first", dev("usb:2:2:@1-9:1.0"), "", "usb:2:2:@1-9:1.0"},
		{"none", nil, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := match(tt.found, tt.id); got.ID != tt.want || ok != (tt.want != "") {
				t.Errorf("match = %q, %v; want %q", got.ID, ok, tt.want)
			}
		})
	}
}

func TestSizesAndRates(t *testing.T) {
	for name, tt := range map[string]struct {
		size webcam.FrameSize
		want [][2]int
	}{
		"discrete":   {webcam.FrameSize{MinWidth: 640, MaxWidth: 640, MinHeight: 480, MaxHeight: 480}, [][2]int{{640, 480}}},
		"range":      {webcam.FrameSize{MinWidth: 16, MaxWidth: 1280, StepWidth: 16, MinHeight: 16, MaxHeight: 720, StepHeight: 8}, [][2]int{{1280, 720}, {800, 600}, {640, 480}}},
		"continuous": {webcam.FrameSize{}, commonSizes},
		"odd range":  {webcam.FrameSize{MinWidth: 100, MaxWidth: 200, StepWidth: 100, MinHeight: 100, MaxHeight: 200, StepHeight: 100}, [][2]int{{200, 200}}},
	} {
		if got := sizesOf(tt.size); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	rate := func(n, d uint32) webcam.FrameRate { return webcam.FrameRate{MinNumerator: n, MinDenominator: d} }
	if got, want := ratesOf([]webcam.FrameRate{rate(1, 15), rate(1001, 30000), rate(1, 15), rate(0, 0)}), []float64{30000. / 1001, 15}; !reflect.DeepEqual(got, want) {
		t.Errorf("rates %v, want %v", got, want)
	}
	if got := ratesOf(nil); !reflect.DeepEqual(got, []float64{0}) {
		t.Errorf("rates of a silent driver %v, want 0", got)
	}
}

func picture(tb testing.TB, w, h int, shade uint8) []byte {
	tb.Helper()
	m := image.NewGray(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = shade + uint8(i%7)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestCheckMJPEG(t *testing.T) {
	c := newChecker(camera.Mode{Format: camera.MJPEG, Width: 1920, Height: 1080})
	a, b := picture(t, 64, 48, 10), picture(t, 64, 48, 90)
	steps := []struct {
		name     string
		raw      []byte
		repeated bool
		err      error
	}{
		{"cut before anything", a[:len(a)/2], false, mjpeg.ErrTruncated},
		{"the first settles the size", a, false, nil},
		{"again", a, true, nil},
		{"again, padded", append(bytes.Clone(a), 0, 0), true, nil},
		{"another", b, false, nil},
		{"empty", nil, false, mjpeg.ErrEmpty},
		{"another size", picture(t, 32, 48, 1), false, errSize},
		{"back to the first", a, false, nil},
	}
	for _, s := range steps {
		out, repeated, err := c.take([]byte("x"), s.raw, nil)
		if !errors.Is(err, s.err) || repeated != s.repeated {
			t.Errorf("%s: repeated %v, %v; want %v, %v", s.name, repeated, err, s.repeated, s.err)
		}
		if err != nil && len(out) != 1 {
			t.Errorf("%s: %d bytes of a refused frame came through", s.name, len(out)-1)
		}
	}
	if c.mode.Width != 64 || c.mode.Height != 48 {
		t.Errorf("the stream is %d×%d, want that of its frames", c.mode.Width, c.mode.Height)
	}
}

func TestCheckYUYV(t *testing.T) {
	offered := []camera.Mode{
		{Format: camera.YUYV, Width: 64, Height: 48},
		{Format: camera.YUYV, Width: 32, Height: 24},
		{Format: camera.MJPEG, Width: 10, Height: 10},
	}
	raw := func(n int) []byte { return bytes.Repeat([]byte{16, 128}, n/2) }
	c := newChecker(camera.Mode{Format: camera.YUYV, Width: 64, Height: 48})
	steps := []struct {
		name string
		raw  []byte
		err  error
	}{
		{"empty", nil, errSize},
		{"a size not offered", raw(2 * 10 * 10), errSize},
		{"zeros", make([]byte, 2*64*48), errZeroes},
		{"a granted smaller size", raw(2 * 32 * 24), nil},
		{"the size asked for, too late", raw(2 * 64 * 48), errSize},
		{"a lost tail", append(raw(2*32*12), make([]byte, 2*32*12)...), errZeroes},
		{"black", raw(2 * 32 * 24), nil},
	}
	for _, s := range steps {
		if _, _, err := c.take(nil, s.raw, offered); !errors.Is(err, s.err) {
			t.Errorf("%s: %v, want %v", s.name, err, s.err)
		}
	}
	if c.mode.Width != 32 || c.mode.Height != 24 {
		t.Errorf("the stream is %d×%d, want 32×24", c.mode.Width, c.mode.Height)
	}
}

func FuzzTake(f *testing.F) {
	f.Add(picture(f, 16, 16, 3), true)
	f.Add(bytes.Repeat([]byte{16, 128}, 256), false)
	f.Fuzz(func(t *testing.T, raw []byte, jpg bool) {
		mode := camera.Mode{Format: camera.YUYV, Width: 16, Height: 16}
		if jpg {
			mode.Format = camera.MJPEG
		}
		c := newChecker(mode)
		out, _, err := c.take(nil, raw, []camera.Mode{mode})
		if err == nil && (len(out) == 0 || c.mode.Width <= 0 || c.mode.Height <= 0) {
			t.Fatalf("accepted %d bytes as %+v", len(raw), c.mode)
		}
	})
}

func TestTyped(t *testing.T) {
	for err, want := range map[error]error{
		unix.ENODEV: camera.ErrGone,
		&os.PathError{Op: "open", Err: unix.ENOENT}: camera.ErrGone,
		unix.EBUSY: camera.ErrBusy,
		errors.New("Failed to start streaming: " + unix.EBUSY.Error()):  camera.ErrBusy,
		errors.New("Failed to start streaming: " + unix.ENODEV.Error()): camera.ErrGone,
		unix.EIO:                        camera.ErrStalled,
		fmt.Errorf("x: %w", unix.EPIPE): camera.ErrStalled,
	} {
		if got := typed(err); !errors.Is(got, want) || !errors.Is(got, err) {
			t.Errorf("typed(%v) = %v, want %v and the cause", err, got, want)
		}
	}
	if got := typed(unix.EINVAL); !errors.Is(got, unix.EINVAL) || errors.Is(got, camera.ErrBusy) || errors.Is(got, camera.ErrGone) || errors.Is(got, camera.ErrStalled) {
		t.Errorf("typed(EINVAL) = %v", got)
	}
}

// release depends on where the library keeps its mappings.
func TestMappedField(t *testing.T) {
	f, ok := reflect.TypeFor[webcam.Webcam]().FieldByName(mappedField)
	if !ok || f.Type != reflect.TypeFor[[][]byte]() {
		t.Errorf("webcam.Webcam.%s is %v; adapt release to this version of the library", mappedField, f.Type)
	}
	release(new(webcam.Webcam)) // nothing mapped: nothing to do
}

func TestOpenWithoutCamera(t *testing.T) {
	src, err := OpenSource(t.Context(), "usb:dead:beef:none@9-9:1.0", camera.Mode{})
	if !errors.Is(err, camera.ErrGone) || !errors.Is(err, ErrNotFound) || src != nil {
		t.Errorf("Open = %v, %v; want nil and %v", src, err, camera.ErrGone)
	}
}

// A driver that never returns must not keep the supervisor from looking for
// the camera elsewhere.
func TestCloseOfAHungDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Source{stop: make(chan struct{}), done: make(chan struct{}), fresh: make(chan struct{}, 1)}
		start := time.Now()
		if err := s.Close(); err == nil {
			t.Error("Close succeeded while the driver hangs")
		}
		if d := time.Since(start); d != closeLimit {
			t.Errorf("Close took %v, want %v", d, closeLimit)
		}
		if err := s.Next(t.Context(), &camera.Frame{}); !errors.Is(err, camera.ErrClosed) {
			t.Errorf("Next = %v, want %v", err, camera.ErrClosed)
		}
		close(s.done) // the driver lets go
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
}
