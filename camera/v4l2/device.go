package v4l2

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/blackjack/webcam"

	"github.com/yunzhao-station/yunzhao/camera"
)

// system is where the kernel shows its cameras; tests point it elsewhere.
type system struct {
	dev   string // /dev
	class string // /sys/class/video4linux
	probe func(node string) (card, bus string, modes []camera.Mode, err error)
}

func kernel() system {
	return system{dev: "/dev", class: "/sys/class/video4linux", probe: probe}
}

// List finds the cameras that are plugged in and offer MJPEG or YUYV, each
// once, in the order of their node numbers. Nodes that deliver no pictures
// (UVC metadata), cannot be opened or belong to other kinds of devices are left
// out. It works while another program streams.
func List() ([]camera.Device, error) { return kernel().list() }

func (s system) list() ([]camera.Device, error) {
	entries, err := os.ReadDir(s.dev)
	if err != nil {
		return nil, fmt.Errorf("v4l2: look for cameras: %w", err)
	}
	var nodes []int
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimPrefix(e.Name(), "video")); err == nil && n >= 0 && strings.HasPrefix(e.Name(), "video") {
			nodes = append(nodes, n)
		}
	}
	slices.Sort(nodes)
	var found []camera.Device
	for _, n := range nodes {
		name := "video" + strconv.Itoa(n)
		node := filepath.Join(s.dev, name)
		card, bus, modes, err := s.probe(node)
		if err != nil || len(modes) == 0 {
			slog.Debug("v4l2: not a camera", "node", node, "error", err)
			continue
		}
		id := s.identify(name, bus)
		if slices.ContainsFunc(found, func(d camera.Device) bool { return d.ID == id }) {
			continue // a second stream of the same function
		}
		found = append(found, camera.Device{
			Identity: camera.Identity{ID: id, Name: card, Node: node},
			Modes:    modes,
		})
	}
	return found, nil
}

// identify names the camera behind a node so that it is known again after a
// reboot: "usb:vendor:product:serial@port", the port being the USB path with
// the interface (1-1.4:1.0), or "bus:" and the driver's own address for what is
// not on USB.
func (s system) identify(name, bus string) string {
	iface, err := filepath.EvalSymlinks(filepath.Join(s.class, name, "device"))
	if err == nil {
		usb := filepath.Dir(iface)
		if vendor, product := attribute(usb, "idVendor"), attribute(usb, "idProduct"); vendor != "" && product != "" {
			return fmt.Sprintf("usb:%s:%s:%s@%s", vendor, product, attribute(usb, "serial"), filepath.Base(iface))
		}
	}
	if bus == "" {
		bus = name
	}
	return "bus:" + clean(bus)
}

// attribute reads a sysfs file of a device; "" when there is none.
func attribute(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return clean(strings.TrimSpace(string(b)))
}

// clean keeps what a device says of itself from breaking the form of an
// identity, a log line or a settings file.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, s)
}

// match finds the camera that id means. An exact match wins; else the same
// model with the same serial number in another port, as long as just one is
// there: staff replug cables. An empty id means the first camera.
func match(found []camera.Device, id string) (camera.Device, bool) {
	if id == "" {
		if len(found) == 0 {
			return camera.Device{}, false
		}
		return found[0], true
	}
	model, _, _ := strings.Cut(id, "@")
	var moved []camera.Device
	for _, d := range found {
		if d.ID == id {
			return d, true
		}
		if m, _, usb := strings.Cut(d.ID, "@"); usb && m == model {
			moved = append(moved, d)
		}
	}
	if len(moved) == 1 {
		return moved[0], true
	}
	return camera.Device{}, false
}

// The formats by their V4L2 codes.
var formats = []struct {
	format camera.PixelFormat
	code   webcam.PixelFormat
}{
	{camera.MJPEG, fourCC(camera.MJPEG)},
	{camera.YUYV, fourCC(camera.YUYV)},
}

func fourCC(f camera.PixelFormat) webcam.PixelFormat {
	return webcam.PixelFormat(uint32(f[0]) | uint32(f[1])<<8 | uint32(f[2])<<16 | uint32(f[3])<<24)
}

// probe asks the driver of a node what it is and offers.
func probe(node string) (card, bus string, modes []camera.Mode, err error) {
	cam, err := webcam.Open(node)
	if err != nil {
		return "", "", nil, fmt.Errorf("v4l2: open %s: %w", node, err)
	}
	defer cam.Close() //nolint:errcheck // only asked, nothing to lose
	offered := cam.GetSupportedFormats()
	for _, f := range formats {
		if _, ok := offered[f.code]; !ok {
			continue
		}
		for _, size := range cam.GetSupportedFrameSizes(f.code) {
			for _, wh := range sizesOf(size) {
				rates := ratesOf(cam.GetSupportedFramerates(f.code, uint32(wh[0]), uint32(wh[1])))
				for _, fps := range rates {
					modes = append(modes, camera.Mode{Format: f.format, Width: wh[0], Height: wh[1], FPS: fps})
				}
			}
		}
	}
	card, err = cam.GetName()
	if err != nil {
		return "", "", nil, fmt.Errorf("v4l2: ask %s for its name: %w", node, err)
	}
	bus, _ = cam.GetBusInfo() // without one the node's name serves
	return card, bus, modes, nil
}

// commonSizes are tried on drivers that take any size in a range.
var commonSizes = [][2]int{{1920, 1080}, {1280, 720}, {1280, 960}, {800, 600}, {640, 480}}

// sizesOf lists the sizes a driver's entry stands for, in pixels.
func sizesOf(s webcam.FrameSize) [][2]int {
	if s.MaxWidth == s.MinWidth && s.MaxHeight == s.MinHeight && s.MaxWidth > 0 && s.MaxHeight > 0 {
		return [][2]int{{int(s.MaxWidth), int(s.MaxHeight)}}
	}
	free := s.MaxWidth == 0 || s.MaxHeight == 0 // the library gives no bounds for continuous sizes
	fits := func(v, low, high, step int) bool {
		return free || v >= low && v <= high && (step <= 1 || (v-low)%step == 0)
	}
	var out [][2]int
	for _, wh := range commonSizes {
		if fits(wh[0], int(s.MinWidth), int(s.MaxWidth), int(s.StepWidth)) &&
			fits(wh[1], int(s.MinHeight), int(s.MaxHeight), int(s.StepHeight)) {
			out = append(out, wh)
		}
	}
	if len(out) == 0 {
		out = append(out, [2]int{int(s.MaxWidth), int(s.MaxHeight)})
	}
	return out
}

// ratesOf turns frame intervals into frames a second, fastest first; {0} when
// the driver does not tell.
func ratesOf(intervals []webcam.FrameRate) []float64 {
	var out []float64
	for _, r := range intervals {
		if r.MinNumerator > 0 && r.MinDenominator > 0 { // the shortest interval
			out = append(out, float64(r.MinDenominator)/float64(r.MinNumerator))
		}
	}
	if len(out) == 0 {
		return []float64{0}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return slices.Compact(out)
}
