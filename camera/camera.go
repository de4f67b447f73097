// Package camera is everything the station knows about getting frames: what a
// frame is, where frames come from (a V4L2 device or the simulated booth), and
// the supervisor that keeps one source alive all day.
//
// It hands out frames exactly as the camera gave them (MJPEG or YUYV bytes).
// It does not decode pictures, know about faces, students or packets, and it
// does not import the pipeline or sync layers.
package camera

import (
	"context"
	"errors"
	"time"
)

// PixelFormat names the encoding of Frame.Data by its V4L2 four-character code.
type PixelFormat string

// The two formats the station accepts; everything a UVC camera offers beyond
// these is a variation that costs more and shows no more.
const (
	MJPEG PixelFormat = "MJPG" // one JPEG image a frame, possibly without DHT tables
	YUYV  PixelFormat = "YUYV" // packed 4:2:2, 2 bytes a pixel, BT.601 limited range
)

// Mode is a size, rate and encoding that a source can deliver.
type Mode struct {
	Format PixelFormat `json:"format"`
	Width  int         `json:"width"`  // pixels
	Height int         `json:"height"` // pixels
	FPS    float64     `json:"fps"`
}

// Identity tells one camera from another across reboots and replugging.
type Identity struct {
	ID        string `json:"id"`   // stable: USB vendor:product:serial@port, or "scene"
	Name      string `json:"name"` // the driver's card name
	Node      string `json:"node"` // where it is right now, such as /dev/video0; never an identity
	Simulated bool   `json:"simulated"`
}

// Device is a camera that is present now, with what it offers.
type Device struct {
	Identity
	Modes []Mode `json:"modes"` // never empty; in the device's own order
}

// Counters tell what a source did with the frames of its camera since it was
// opened.
type Counters struct {
	Delivered uint64 `json:"delivered"` // returned by Next
	Dropped   uint64 `json:"dropped"`   // valid, replaced by a newer one before anyone asked
	Invalid   uint64 `json:"invalid"`   // truncated, empty, garbage or of another size
	Repeated  uint64 `json:"repeated"`  // byte for byte the frame before
}

// Counter is implemented by sources that count; Counters may be called from
// any goroutine.
type Counter interface {
	Counters() Counters
}

// Frame is one picture as the camera gave it.
type Frame struct {
	Data     []byte      // encoded bytes, owned by whoever owns the Frame
	Format   PixelFormat // how Data is encoded
	Width    int         // pixels, verified against Data
	Height   int         // pixels, verified against Data
	Seq      uint64      // rises by at least one from frame to frame within a source
	Captured time.Time   // with monotonic reading
}

// CopyTo makes dst a copy of f, reusing dst's buffer when it is large enough.
func (f *Frame) CopyTo(dst *Frame) {
	buf := append(dst.Data[:0], f.Data...)
	*dst = *f
	dst.Data = buf
}

// Wipe overwrites the picture and forgets it; the buffer stays for reuse.
func (f *Frame) Wipe() {
	clear(f.Data[:cap(f.Data)])
	*f = Frame{Data: f.Data[:0]}
}

// Faults a source reports. Every one is temporary to the supervisor.
var (
	ErrGone    = errors.New("camera: device is gone")
	ErrStalled = errors.New("camera: no valid frame in time")
	ErrBusy    = errors.New("camera: device is in use by another program")
	ErrClosed  = errors.New("camera: source is closed")
)

// Source delivers frames. A Source is owned by one goroutine; only Close may
// be called from another.
type Source interface {
	// Identity tells which camera this is.
	Identity() Identity
	// Mode tells what the source delivers, as verified on the first frame.
	Mode() Mode
	// Next waits for a frame that has not been returned yet and copies it into
	// dst, reusing dst.Data. Invalid frames (truncated, empty, of another
	// size) are counted and skipped, never returned. It fails with ctx's error,
	// ErrGone, ErrStalled or ErrClosed.
	Next(ctx context.Context, dst *Frame) error
	// Close releases the device and makes Next fail with ErrClosed. It is
	// idempotent.
	Close() error
}
