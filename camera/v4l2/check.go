package v4l2

import (
	"errors"
	"hash/maphash"

	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/mjpeg"
)

// Why a buffer is not a frame, beside the errors of package mjpeg.
var (
	errSize   = errors.New("v4l2: frame of another size")
	errZeroes = errors.New("v4l2: zeros in place of picture data")
)

// checker judges the buffers of one stream and copies the good ones out.
type checker struct {
	mode     camera.Mode
	verified bool // mode's size comes from a frame, not from a request
	seed     maphash.Seed
	last     uint64 // hash of the frame before
	any      bool   // there was a frame before
}

func newChecker(mode camera.Mode) *checker {
	return &checker{mode: mode, seed: maphash.MakeSeed()}
}

// take checks raw and, when it is whole, appends it to dst in a form that any
// decoder reads. repeated tells that it is the frame before, byte for byte: no
// sensor is so quiet, so the camera has hung. raw is only read.
//
// The size of the first whole frame is the size of the stream: a driver may
// grant another than was asked for.
func (c *checker) take(dst, raw []byte, offered []camera.Mode) (out []byte, repeated bool, err error) {
	switch c.mode.Format {
	case camera.MJPEG:
		info, err := mjpeg.Parse(raw)
		if err != nil {
			return dst, false, err
		}
		if err := c.verify(info.Width, info.Height); err != nil {
			return dst, false, err
		}
		raw = raw[:info.Len]
		repeated = c.repeats(raw)
		return mjpeg.Append(dst, raw, info), repeated, nil
	default:
		w, h, ok := sizeOfYUYV(len(raw), c.mode, c.verified, offered)
		if !ok {
			return dst, false, errSize
		}
		if err := checkYUYV(raw, w); err != nil {
			return dst, false, err
		}
		if err := c.verify(w, h); err != nil {
			return dst, false, err
		}
		return append(dst, raw...), c.repeats(raw), nil
	}
}

func (c *checker) verify(w, h int) error {
	if !c.verified {
		c.mode.Width, c.mode.Height, c.verified = w, h, true
	}
	if w != c.mode.Width || h != c.mode.Height {
		return errSize
	}
	return nil
}

func (c *checker) repeats(b []byte) bool {
	h := maphash.Bytes(c.seed, b)
	same := c.any && h == c.last
	c.last, c.any = h, true
	return same
}

// sizeOfYUYV finds the size of a raw frame from its length: the mode's, or
// before the first frame any that the device offers.
func sizeOfYUYV(n int, mode camera.Mode, verified bool, offered []camera.Mode) (w, h int, ok bool) {
	if n == 2*mode.Width*mode.Height && n > 0 {
		return mode.Width, mode.Height, true
	}
	if verified {
		return 0, 0, false
	}
	for _, m := range offered {
		if m.Format == camera.YUYV && n == 2*m.Width*m.Height && n > 0 {
			return m.Width, m.Height, true
		}
	}
	return 0, 0, false
}

// checkYUYV looks for rows that start with zeros: chroma is never 0 for more
// than a pixel or two, so those were never written.
func checkYUYV(b []byte, width int) error {
	const look = 32
	row := 2 * width
	for at := 0; at < len(b); at += row {
		zero := true
		for _, v := range b[at:min(at+look, len(b))] {
			zero = zero && v == 0
		}
		if zero {
			return errZeroes
		}
	}
	return nil
}
