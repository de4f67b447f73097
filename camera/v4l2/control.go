package v4l2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/camera"
)

// The controls are asked with the kernel's own calls: the library leaves out
// their defaults and flags, without which a control that an automatic holds
// looks like one that can be set.
//
// Numbers and layouts are those of linux/videodev2.h and linux/v4l2-controls.h.

// Control numbers.
const (
	cidBase             = 0x00980900
	cidWhiteAuto        = cidBase + 12
	cidGain             = cidBase + 19
	cidPowerLine        = cidBase + 24
	cidWhiteTemperature = cidBase + 26
	cidBacklight        = cidBase + 28

	cidCamera           = 0x009a0900
	cidExposureMode     = cidCamera + 1
	cidExposureTime     = cidCamera + 2
	cidExposurePriority = cidCamera + 3
	cidFocusDistance    = cidCamera + 10
	cidFocusAuto        = cidCamera + 12
)

// controlNames are the controls that a portrait depends on.
var controlNames = map[uint32]string{
	cidExposureMode:     camera.ExposureMode,
	cidExposureTime:     camera.ExposureTime,
	cidExposurePriority: camera.ExposurePriority,
	cidGain:             camera.Gain,
	cidWhiteAuto:        camera.WhiteAuto,
	cidWhiteTemperature: camera.WhiteTemperature,
	cidFocusAuto:        camera.FocusAuto,
	cidFocusDistance:    camera.FocusDistance,
	cidPowerLine:        camera.PowerLine,
	cidBacklight:        camera.Backlight,
}

// queryCtrl is struct v4l2_queryctrl.
type queryCtrl struct {
	id, kind             uint32
	name                 [32]byte
	minimum, maximum     int32
	step, initial        int32
	flags                uint32
	reserved0, reserved1 uint32
}

// ctrlValue is struct v4l2_control.
type ctrlValue struct {
	id    uint32
	value int32
}

// Kinds and flags of queryCtrl.
const (
	kindInteger     = 1
	kindBoolean     = 2
	kindMenu        = 3
	kindIntegerMenu = 9

	flagDisabled = 0x0001
	flagReadOnly = 0x0004
	flagInactive = 0x0010
	flagNext     = 0x80000000
)

// maxControls bounds the walk through a driver's list; real cameras have some
// twenty.
const maxControls = 256

// videoCall is _IOWR('V', nr, size) of linux/ioctl.h.
func videoCall(nr, size uintptr) uintptr { return 3<<30 | size<<16 | 'V'<<8 | nr }

var (
	callQuery = videoCall(36, unsafe.Sizeof(queryCtrl{}))
	callGet   = videoCall(27, unsafe.Sizeof(ctrlValue{}))
	callSet   = videoCall(28, unsafe.Sizeof(ctrlValue{}))
)

// desk is the kernel's side of a camera's controls.
type desk interface {
	query(*queryCtrl) error
	get(*ctrlValue) error
	set(*ctrlValue) error
}

// handle is an open node.
type handle int

func (h handle) query(q *queryCtrl) error {
	return h.call(callQuery, unsafe.Pointer(q)) //nolint:gosec // the call's own struct, alive until it returns
}

func (h handle) get(v *ctrlValue) error {
	return h.call(callGet, unsafe.Pointer(v)) //nolint:gosec // as above
}

func (h handle) set(v *ctrlValue) error {
	return h.call(callSet, unsafe.Pointer(v)) //nolint:gosec // as above
}

func (h handle) call(nr uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(h), nr, uintptr(arg))
		switch {
		case errno == 0:
			return nil
		case !errors.Is(errno, unix.EINTR):
			return errno
		}
	}
}

// panel is a camera's controls on a handle of their own, which the stream does
// not notice.
type panel struct {
	node string
	desk desk
}

// withPanel opens node, runs f and lets go of the node again: a handle that
// stays would make a replugged camera come back under another number.
func withPanel(node string, f func(panel) error) error {
	fd, err := unix.Open(node, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("v4l2: open %s: %w", node, typed(err))
	}
	defer unix.Close(fd) //nolint:errcheck // only asked and set, nothing to lose
	return f(panel{node, handle(fd)})
}

// list walks through the controls that have one number for a value.
func (p panel) list() ([]camera.Control, error) {
	var found []camera.Control
	var last uint32
	for range maxControls {
		q := queryCtrl{id: last | flagNext}
		if err := p.desk.query(&q); errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTTY) {
			break // the end of the list, or a driver without any
		} else if err != nil {
			return nil, fmt.Errorf("v4l2: controls of %s: %w", p.node, typed(err))
		}
		if q.id <= last { // a driver that goes in circles
			break
		}
		last = q.id
		kind := map[uint32]camera.ControlKind{
			kindInteger: camera.Integer, kindBoolean: camera.Boolean, kindMenu: camera.Menu, kindIntegerMenu: camera.Menu,
		}[q.kind]
		if kind == "" || q.flags&flagDisabled != 0 {
			continue
		}
		v := ctrlValue{id: q.id}
		if err := p.desk.get(&v); err != nil {
			if errors.Is(typed(err), camera.ErrGone) {
				return nil, fmt.Errorf("v4l2: controls of %s: %w", p.node, typed(err))
			}
			continue // cannot be read, so nothing about it can be known
		}
		found = append(found, camera.Control{
			ID: q.id, Name: controlName(q.id, q.name[:]), Kind: kind,
			Min: q.minimum, Max: q.maximum, Step: q.step, Default: q.initial, Value: v.value,
			ReadOnly: q.flags&flagReadOnly != 0, Inactive: q.flags&flagInactive != 0,
		})
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("v4l2: controls of %s: %w", p.node, camera.ErrFixed)
	}
	return found, nil
}

// controlName is ours where a portrait depends on the control, else the
// driver's in the form of ours.
func controlName(id uint32, driver []byte) string {
	if name, ok := controlNames[id]; ok {
		return name
	}
	if i := bytes.IndexByte(driver, 0); i >= 0 {
		driver = driver[:i]
	}
	name := strings.Trim(strings.ToLower(clean(strings.TrimSpace(string(driver)))), "_")
	if name == "" {
		name = fmt.Sprintf("control_%08x", id)
	}
	return name
}

// adjust sets each of settings and reads it back.
func (p panel) adjust(settings []camera.Setting) ([]camera.Outcome, error) {
	known, err := p.list()
	if err != nil {
		return nil, err
	}
	out := make([]camera.Outcome, 0, len(settings))
	for _, s := range settings {
		o := camera.Outcome{Setting: s}
		i := slices.IndexFunc(known, func(c camera.Control) bool {
			return c.ID == s.ID || s.ID == 0 && c.Name == s.Name
		})
		if i < 0 {
			o.Refusal = "the camera has no such control"
			out = append(out, o)
			continue
		}
		o.ID, o.Name = known[i].ID, known[i].Name
		v := ctrlValue{id: o.ID, value: s.Value}
		err := p.desk.set(&v)
		if err != nil && errors.Is(typed(err), camera.ErrGone) {
			return nil, fmt.Errorf("v4l2: set %s on %s: %w", o.Name, p.node, typed(err))
		}
		// Whatever the driver says, what can be read is what is so.
		got := ctrlValue{id: o.ID}
		if rerr := p.desk.get(&got); rerr != nil {
			return nil, fmt.Errorf("v4l2: read %s back from %s: %w", o.Name, p.node, typed(rerr))
		}
		o.Got = got.value
		switch {
		case o.Got == s.Value: // also when the call failed: it was so before
		case err != nil:
			o.Refusal = err.Error()
		default:
			o.Refusal = "the camera took another value"
		}
		out = append(out, o)
	}
	return out, nil
}

// Controls lists what can be set on the camera.
func (s *Source) Controls(ctx context.Context) (out []camera.Control, err error) {
	err = s.onPanel(ctx, func(p panel) error {
		out, err = p.list()
		return err
	})
	return out, err
}

// Adjust sets settings and reads them back.
func (s *Source) Adjust(ctx context.Context, settings []camera.Setting) (out []camera.Outcome, err error) {
	err = s.onPanel(ctx, func(p panel) error {
		out, err = p.adjust(settings)
		return err
	})
	return out, err
}

func (s *Source) onPanel(ctx context.Context, f func(panel) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case <-s.stop:
		return camera.ErrClosed
	case <-s.done: // the number may be another camera's by now
		return fmt.Errorf("v4l2: controls of %s: %w", s.id.Node, camera.ErrGone)
	default:
	}
	return withPanel(s.id.Node, f)
}
