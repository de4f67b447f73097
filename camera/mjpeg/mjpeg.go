// Package mjpeg looks at a JPEG picture from a camera without decoding it: is
// it whole, how large is it, and does it carry the Huffman tables a decoder
// needs. USB cameras cut frames short, pad them, fill them with zeros and leave
// the tables out; none of that may reach a student's photo.
//
// It knows nothing of devices, and it never allocates.
package mjpeg

import (
	"bytes"
	"errors"
)

// What can be wrong with a picture. Every error of Parse is one of these.
var (
	ErrEmpty       = errors.New("mjpeg: empty frame")
	ErrNoStart     = errors.New("mjpeg: no start of image")
	ErrTruncated   = errors.New("mjpeg: truncated frame")
	ErrMalformed   = errors.New("mjpeg: malformed header")
	ErrUnsupported = errors.New("mjpeg: coding process no camera should use")
	ErrZeroFilled  = errors.New("mjpeg: zeros in place of picture data")
)

// Info describes a whole picture.
type Info struct {
	Width      int // pixels
	Height     int // pixels
	Components int // 1 grey, 3 YCbCr
	// Huffman is set when the picture carries its own Huffman tables. Without
	// them a decoder must assume those of ITU-T T.81 annex K.3: see Append.
	Huffman bool
	// Scan is the offset of the first start-of-scan marker.
	Scan int
	// Len is the offset just behind the end-of-image marker; what follows is
	// the driver's padding.
	Len int
}

// JPEG markers, ITU-T T.81 table B.1.
const (
	soi  = 0xd8
	eoi  = 0xd9
	sos  = 0xda
	dqt  = 0xdb
	dht  = 0xc4
	sof0 = 0xc0 // baseline
	sof1 = 0xc1 // extended sequential
	sof2 = 0xc2 // progressive
	rst0 = 0xd0
	rst7 = 0xd7
	tem  = 0x01
)

// minScanBytes is less than any encoder needs for one 8×8 block of each
// component; a scan below it holds no picture.
const minScanBytes = 2

// zeroRun is how many zero bytes in a row mean that the transfer lost a part.
// With the standard tables a flat block ends in a code with ones in it, so
// that real pictures never come near.
const zeroRun = 256

var zeros [zeroRun]byte

// Parse checks that b holds one whole picture, from its start to its
// end-of-image marker, and describes it. It does not decode: bits that were
// changed inside the entropy-coded part go unseen.
func Parse(b []byte) (Info, error) {
	var info Info
	if len(b) == 0 {
		return info, ErrEmpty
	}
	if len(b) < 4 || b[0] != 0xff || b[1] != soi {
		return info, ErrNoStart
	}
	quant, standard := false, true
	for i := 2; ; {
		marker, at, ok := nextMarker(b, i)
		if !ok {
			return info, ErrTruncated
		}
		if at != i { // bytes between segments
			return info, ErrMalformed
		}
		i = marker + 1
		m := b[marker]
		switch {
		case m == tem || (m >= rst0 && m <= rst7):
			continue
		case m == soi || m == eoi || m == 0:
			return info, ErrMalformed
		}
		if i+2 > len(b) {
			return info, ErrTruncated
		}
		n := int(b[i])<<8 | int(b[i+1])
		if n < 2 {
			return info, ErrMalformed
		}
		if i+n > len(b) {
			return info, ErrTruncated
		}
		seg := b[i+2 : i+n]
		switch m {
		case sof0, sof1, sof2:
			if info.Width != 0 {
				return info, ErrMalformed
			}
			if err := info.frameHeader(seg); err != nil {
				return info, err
			}
		case dht:
			info.Huffman = true
			standard = standard && isStandard(seg)
		case dqt:
			quant = true
		case sos:
			if info.Width == 0 || !quant {
				return info, ErrMalformed
			}
			info.Scan = marker - 1
			return info, info.scan(b, i+n, standard)
		default:
			if m >= 0xc3 && m <= 0xcf && m != 0xcc { // lossless, hierarchical, arithmetic
				return info, ErrUnsupported
			}
		}
		i += n
	}
}

// nextMarker finds the marker byte at or after i, skipping fill bytes. It
// returns its offset and that of the first 0xff before it.
func nextMarker(b []byte, i int) (marker, start int, ok bool) {
	k := bytes.IndexByte(b[i:], 0xff)
	if k < 0 {
		return 0, 0, false
	}
	start = i + k
	for marker = start; marker < len(b); marker++ {
		if b[marker] != 0xff {
			return marker, start, true
		}
	}
	return 0, 0, false
}

// frameHeader reads a SOF segment, T.81 B.2.2.
func (info *Info) frameHeader(seg []byte) error {
	if len(seg) < 6 {
		return ErrMalformed
	}
	if seg[0] != 8 { // sample precision
		return ErrUnsupported
	}
	h, w, n := int(seg[1])<<8|int(seg[2]), int(seg[3])<<8|int(seg[4]), int(seg[5])
	if w == 0 || h == 0 || len(seg) != 6+3*n {
		return ErrMalformed
	}
	if n != 1 && n != 3 {
		return ErrUnsupported
	}
	info.Width, info.Height, info.Components = w, h, n
	return nil
}

// scan follows the entropy-coded data from offset i to the end of the image.
func (info *Info) scan(b []byte, i int, standard bool) error {
	first := i
	for {
		marker, start, ok := nextMarker(b, i)
		if !ok {
			return ErrTruncated
		}
		m := b[marker]
		switch {
		case m == 0 || (m >= rst0 && m <= rst7): // stuffed byte, restart
			i = marker + 1
		case m == eoi:
			if start-first < minScanBytes {
				return ErrTruncated
			}
			if standard && bytes.Contains(b[first:start], zeros[:]) {
				return ErrZeroFilled
			}
			info.Len = marker + 1
			return nil
		case m == dht || m == dqt || m == sos || m == 0xdd || m == 0xdc || m >= 0xe0: // between progressive scans
			if marker+3 > len(b) {
				return ErrTruncated
			}
			n := int(b[marker+1])<<8 | int(b[marker+2])
			if n < 2 || marker+1+n > len(b) {
				return ErrTruncated
			}
			if m == dht {
				standard = standard && isStandard(b[marker+3:marker+1+n])
			}
			i = marker + 1 + n
		default:
			return ErrMalformed
		}
	}
}

// Append appends the picture that Parse described to dst: without padding, and
// with the standard Huffman tables where it has none, so that any decoder can
// read it. src is the slice that was parsed.
func Append(dst, src []byte, info Info) []byte {
	if info.Huffman {
		return append(dst, src[:info.Len]...)
	}
	dst = append(dst, src[:info.Scan]...)
	dst = append(dst, standardDHT[:]...)
	return append(dst, src[info.Scan:info.Len]...)
}
