package helper

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/yunzhao-station/yunzhao/camera"
)

// Every message is one packet of the socket: a header of 8 bytes and a body.
//
//	0  kind, 1 byte
//	1  version, 1 byte
//	2  zero, 2 bytes
//	4  length of the whole message, 4 bytes, little endian like all that follows
//
// Requests, replies and ends are JSON: they are rare. Frames and releases are
// fixed records, because they come thirty times a second.
const (
	wireVersion = 1
	headerSize  = 8
	// maxMessage bounds a message; the longest real one lists the modes of a
	// dozen cameras in some 20 KB.
	maxMessage = 128 << 10

	kindRequest byte = 1
	kindReply   byte = 2
	kindFrame   byte = 3
	kindRelease byte = 4
	kindEnd     byte = 5
)

// Sizes of the fixed records, headers included.
const (
	frameSize   = 72
	releaseSize = 12
)

// The shared memory: slots for frames, one after another.
const (
	// slots: one being written, one announced, one being copied and one spare.
	slots = 4
	// slotSize holds a frame of 3840×2160 in YUYV, the largest mode that is
	// ever chosen. Memory that was never written to is never allocated.
	slotSize = 16 << 20
	// maxSide bounds what a frame may claim to be, pixels.
	maxSide = 8192
)

// errProtocol is wrapped by everything that a sane helper would not say.
var errProtocol = errors.New("camera helper: broken message")

// operation is what a request asks for.
type operation string

const (
	opList     operation = "list"
	opOpen     operation = "open"
	opControls operation = "controls"
	opAdjust   operation = "adjust"
)

// request is what the station asks of the helper. Its number comes back with
// the reply.
type request struct {
	Number   uint64           `json:"number"`
	Op       operation        `json:"op"`
	ID       string           `json:"id,omitempty"`
	Want     camera.Mode      `json:"want"`
	Settings []camera.Setting `json:"settings,omitempty"`
}

// reply answers a request; as the body of an end message it says why the
// stream is over.
type reply struct {
	Number uint64 `json:"number"`
	Fault  fault  `json:"fault,omitempty"` // "" = done
	Text   string `json:"text,omitempty"`
	// Untouched promises that no device was opened for good, so that the process
	// is as good as new.
	Untouched bool             `json:"untouched,omitempty"`
	Devices   []camera.Device  `json:"devices,omitempty"`
	Identity  camera.Identity  `json:"identity"`
	Mode      camera.Mode      `json:"mode"`
	Controls  []camera.Control `json:"controls,omitempty"`
	Outcomes  []camera.Outcome `json:"outcomes,omitempty"`
}

// fault is an error's kind on the wire.
type fault string

const (
	faultGone    fault = "gone"
	faultStalled fault = "stalled"
	faultBusy    fault = "busy"
	faultFixed   fault = "fixed"
	faultOther   fault = "driver"
)

// kinds pairs faults with the errors that the supervisor tells apart.
var kinds = []struct {
	fault fault
	err   error
}{
	{faultGone, camera.ErrGone},
	{faultStalled, camera.ErrStalled},
	{faultBusy, camera.ErrBusy},
	{faultFixed, camera.ErrFixed},
}

// faultOf names err for the wire.
func faultOf(err error) (fault, string) {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.fault, err.Error()
		}
	}
	return faultOther, err.Error()
}

// maxText bounds what of a helper's words is passed on, bytes.
const maxText = 400

// told is an error that a helper reported.
type told struct {
	kind error
	text string
}

func (t told) Error() string { return t.text }
func (t told) Unwrap() error { return t.kind }

// err is the error that a reply reports; nil when it reports none.
func (r *reply) err() error {
	if r.Fault == "" {
		return nil
	}
	kind := camera.ErrDriver
	for _, k := range kinds {
		if r.Fault == k.fault {
			kind = k.err
		}
	}
	text := printable(r.Text)
	if text == "" {
		text = kind.Error()
	}
	return told{kind, text}
}

// printable makes a helper's words fit for a log line.
func printable(s string) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return strings.TrimSpace(s)
}

// notice announces a frame in a slot.
type notice struct {
	slot     int
	size     int // bytes
	format   camera.PixelFormat
	width    int // pixels
	height   int // pixels
	seq      uint64
	captured int64 // CLOCK_MONOTONIC, ns
	count    camera.Counters
}

// header starts a message of n bytes in b.
func header(b []byte, kind byte, n int) {
	b[0], b[1], b[2], b[3] = kind, wireVersion, 0, 0
	binary.LittleEndian.PutUint32(b[4:], uint32(n))
}

// split checks a message's header and returns its kind and body.
func split(b []byte) (kind byte, body []byte, err error) {
	switch {
	case len(b) < headerSize:
		return 0, nil, fmt.Errorf("%w: %d bytes", errProtocol, len(b))
	case b[1] != wireVersion:
		return 0, nil, fmt.Errorf("%w: version %d", errProtocol, b[1])
	case b[2] != 0 || b[3] != 0:
		return 0, nil, fmt.Errorf("%w: header", errProtocol)
	case uint64(binary.LittleEndian.Uint32(b[4:])) != uint64(len(b)):
		return 0, nil, fmt.Errorf("%w: cut short or too long", errProtocol)
	}
	return b[0], b[headerSize:], nil
}

// pack encodes a JSON message.
func pack(kind byte, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("camera helper: encode message: %w", err)
	}
	n := headerSize + len(body)
	if n > maxMessage {
		return nil, fmt.Errorf("camera helper: message of %d bytes is too long", n)
	}
	b := make([]byte, headerSize, n)
	header(b, kind, n)
	return append(b, body...), nil
}

// putFrame encodes n into b, which holds frameSize bytes.
func putFrame(b []byte, n notice) {
	le := binary.LittleEndian
	header(b, kindFrame, frameSize)
	le.PutUint32(b[8:], uint32(n.slot))
	copy(b[12:16], n.format)
	le.PutUint32(b[16:], uint32(n.size))
	le.PutUint32(b[20:], uint32(n.width))
	le.PutUint32(b[24:], uint32(n.height))
	le.PutUint32(b[28:], 0)
	le.PutUint64(b[32:], n.seq)
	le.PutUint64(b[40:], uint64(n.captured))
	le.PutUint64(b[48:], n.count.Dropped)
	le.PutUint64(b[56:], n.count.Invalid)
	le.PutUint64(b[64:], n.count.Repeated)
}

// parseFrame decodes the body of a frame message and checks that it could
// announce a frame.
func parseFrame(body []byte) (notice, error) {
	if len(body) != frameSize-headerSize {
		return notice{}, fmt.Errorf("%w: frame record of %d bytes", errProtocol, len(body))
	}
	le := binary.LittleEndian
	slot, size := le.Uint32(body), le.Uint32(body[8:])
	width, height := le.Uint32(body[12:]), le.Uint32(body[16:])
	n := notice{
		seq: le.Uint64(body[24:]), captured: int64(le.Uint64(body[32:])),
		count: camera.Counters{Dropped: le.Uint64(body[40:]), Invalid: le.Uint64(body[48:]), Repeated: le.Uint64(body[56:])},
	}
	switch string(body[4:8]) { // no allocation: the result is a constant
	case string(camera.MJPEG):
		n.format = camera.MJPEG
	case string(camera.YUYV):
		n.format = camera.YUYV
	default:
		return notice{}, fmt.Errorf("%w: frame of an unknown format", errProtocol)
	}
	switch {
	case slot >= slots:
		return notice{}, fmt.Errorf("%w: frame in slot %d", errProtocol, slot)
	case size == 0 || size > slotSize:
		return notice{}, fmt.Errorf("%w: frame of %d bytes", errProtocol, size)
	case width == 0 || height == 0 || width > maxSide || height > maxSide:
		return notice{}, fmt.Errorf("%w: frame of %d×%d", errProtocol, width, height)
	case n.format == camera.YUYV && uint64(size) != 2*uint64(width)*uint64(height):
		return notice{}, fmt.Errorf("%w: %d bytes for %d×%d YUYV", errProtocol, size, width, height)
	case n.seq == 0:
		return notice{}, fmt.Errorf("%w: frame without a number", errProtocol)
	}
	n.slot, n.size, n.width, n.height = int(slot), int(size), int(width), int(height)
	return n, nil
}

// putRelease encodes the return of a slot into b, which holds releaseSize
// bytes.
func putRelease(b []byte, slot int) {
	header(b, kindRelease, releaseSize)
	binary.LittleEndian.PutUint32(b[8:], uint32(slot))
}

// parseRelease decodes the body of a release message.
func parseRelease(body []byte) (slot int, err error) {
	if len(body) != releaseSize-headerSize {
		return 0, fmt.Errorf("%w: release record of %d bytes", errProtocol, len(body))
	}
	v := binary.LittleEndian.Uint32(body)
	if v >= slots {
		return 0, fmt.Errorf("%w: release of slot %d", errProtocol, v)
	}
	return int(v), nil
}

// parseRequest decodes the body of a request.
func parseRequest(body []byte) (request, error) {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return request{}, fmt.Errorf("%w: %w", errProtocol, err)
	}
	return r, nil
}

// parseReply decodes the body of a reply or an end. An end must say why.
func parseReply(kind byte, body []byte) (reply, error) {
	var r reply
	if err := json.Unmarshal(body, &r); err != nil {
		return reply{}, fmt.Errorf("%w: %w", errProtocol, err)
	}
	if kind == kindEnd && r.Fault == "" {
		return reply{}, fmt.Errorf("%w: an end without a reason", errProtocol)
	}
	for i := range r.Devices {
		if d := &r.Devices[i]; d.ID == "" || len(d.Modes) == 0 {
			return reply{}, fmt.Errorf("%w: a camera without identity or modes", errProtocol)
		}
	}
	return r, nil
}
