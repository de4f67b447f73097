// Package qr reads QR codes out of grey pictures: a code on a phone that is
// held before the camera, somewhere in the frame, tilted, blurred, with lamps
// reflected in the glass.
//
// It knows nothing of what a code means; whoever asked for one proves it. What
// is read is taken to be hostile.
package qr

import (
	"image"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// MaxText is the longest text that is handed out, in bytes: what a code of the
// largest version holds (ISO/IEC 18004, version 40 at level L).
const MaxText = 2953

// Side is the longer side of the picture that a frame should be reduced to
// before it is read, in pixels. A phone that is held up fills a third of it or
// more, so that a module of the codes we use spans three pixels at least;
// docs/identity.md has the measurement.
const Side = 960

// Reader reads codes. It keeps its buffers from picture to picture and belongs
// to one goroutine. Make it with New.
type Reader struct {
	decoder gozxing.Reader
	source  source
	other   image.Gray
	turn    int
}

// New makes a reader.
func New() *Reader { return &Reader{decoder: qrcode.NewQRCodeReader()} }

// Decode looks for one code in the picture. ok is false when there is none that
// can be read.
//
// A picture that nothing is found in is looked at in a second way, another from
// picture to picture: at twice the size, where modules of two pixels are told
// apart, at half of it, where the raster of the screen and the noise of the
// sensor melt away, and with black and white exchanged, as some phones show
// codes at night. Every frame of
// a camera that films the code is tried, so that one of them will do.
func (r *Reader) Decode(m *image.Gray) (text string, ok bool) {
	if m == nil || m.Rect.Dx() < minSide || m.Rect.Dy() < minSide {
		return "", false
	}
	if text, ok = r.try(m, false); ok {
		return text, true
	}
	r.turn = (r.turn + 1) % 3
	switch r.turn {
	case 1:
		twice(&r.other, m)
		return r.try(&r.other, false)
	case 2:
		halve(&r.other, m)
		return r.try(&r.other, false)
	default:
		return r.try(m, true)
	}
}

// minSide is the side of the smallest code there is, 21 modules, at two pixels
// each.
const minSide = 42

// try reads one picture in one way.
func (r *Reader) try(m *image.Gray, inverted bool) (text string, ok bool) {
	// A decoder of outside pixels that trips over some of them has found no code.
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	r.source.set(m, inverted)
	bitmap, err := gozxing.NewBinaryBitmap(gozxing.NewHybridBinarizer(&r.source))
	if err != nil {
		return "", false
	}
	found, err := r.decoder.Decode(bitmap, nil)
	if err != nil || found.GetText() == "" || len(found.GetText()) > MaxText {
		return "", false
	}
	return found.GetText(), true
}

// Wipe forgets the pictures that the reader has seen.
func (r *Reader) Wipe() {
	clear(r.source.own[:cap(r.source.own)])
	clear(r.other.Pix[:cap(r.other.Pix)])
	r.source.pix = nil
}

// source is a grey picture as the decoder asks for it.
type source struct {
	gozxing.LuminanceSourceBase
	pix []byte
	own []byte // where the picture has to be copied
}

func (s *source) set(m *image.Gray, inverted bool) {
	s.Width, s.Height = m.Rect.Dx(), m.Rect.Dy()
	if !inverted && m.Stride == s.Width {
		s.pix = m.Pix[:s.Width*s.Height]
		return
	}
	if n := s.Width * s.Height; cap(s.own) < n {
		s.own = make([]byte, n)
	}
	s.own = s.own[:s.Width*s.Height]
	for y := range s.Height {
		row := s.own[y*s.Width:][:s.Width]
		copy(row, m.Pix[y*m.Stride:])
		if inverted {
			for i, v := range row {
				row[i] = 255 - v
			}
		}
	}
	s.pix = s.own
}

// GetRow is one row, copied.
func (s *source) GetRow(y int, row []byte) ([]byte, error) {
	if len(row) < s.Width {
		row = make([]byte, s.Width)
	}
	copy(row, s.pix[y*s.Width:(y+1)*s.Width])
	return row, nil
}

// GetMatrix is the whole picture.
func (s *source) GetMatrix() []byte { return s.pix }

// Invert is the negative.
func (s *source) Invert() gozxing.LuminanceSource { return gozxing.LuminanceSourceInvert(s) }

// String does not draw the picture: it may show somebody.
func (s *source) String() string { return "picture" }

// size makes m a picture of w×h pixels, reusing its buffer.
func size(m *image.Gray, w, h int) {
	if cap(m.Pix) < w*h {
		m.Pix = make([]byte, w*h)
	}
	m.Pix, m.Stride, m.Rect = m.Pix[:w*h], w, image.Rect(0, 0, w, h)
}

// twice enlarges by two, linearly between the pixels.
func twice(dst, src *image.Gray) {
	w, h := src.Rect.Dx(), src.Rect.Dy()
	size(dst, 2*w, 2*h)
	for y := range h {
		a, b := src.Pix[y*src.Stride:][:w], src.Pix[min(y+1, h-1)*src.Stride:][:w]
		top, low := dst.Pix[4*y*w:][:2*w], dst.Pix[(4*y+2)*w:][:2*w]
		for x := range w {
			n := min(x+1, w-1)
			p, q, r, s := int(a[x]), int(a[n]), int(b[x]), int(b[n])
			top[2*x], top[2*x+1] = uint8(p), uint8((p+q+1)/2)
			low[2*x], low[2*x+1] = uint8((p+r+1)/2), uint8((p+q+r+s+2)/4)
		}
	}
}

// halve averages blocks of 2×2 pixels.
func halve(dst, src *image.Gray) {
	w, h := src.Rect.Dx()/2, src.Rect.Dy()/2
	size(dst, w, h)
	for y := range h {
		a, b := src.Pix[2*y*src.Stride:], src.Pix[(2*y+1)*src.Stride:]
		out := dst.Pix[y*w : (y+1)*w]
		for x := range out {
			out[x] = uint8((int(a[2*x]) + int(a[2*x+1]) + int(b[2*x]) + int(b[2*x+1]) + 2) / 4)
		}
	}
}
