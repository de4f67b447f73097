package codec

import (
	"encoding/binary"
	"fmt"
)

// JPEG markers that are looked at.
const (
	mSOI   = 0xD8
	mEOI   = 0xD9
	mSOS   = 0xDA
	mAPP0  = 0xE0
	mAPP1  = 0xE1
	mAPP14 = 0xEE
)

// segment is one marker segment of a JPEG's header: its marker, and where its
// bytes begin (at the 0xFF) and end.
type segment struct {
	marker     byte
	start, end int
}

// body is the segment without marker and length.
func (s segment) body(jpg []byte) []byte { return jpg[s.start+4 : s.end] }

// segments lists the marker segments before the first scan. It fails with
// ErrNotJPEG or ErrDamaged when the chain does not reach a scan.
func segments(jpg []byte) ([]segment, error) {
	if len(jpg) < 4 || jpg[0] != 0xFF || jpg[1] != mSOI {
		return nil, ErrNotJPEG
	}
	var list []segment
	for at := 2; ; {
		for at+1 < len(jpg) && jpg[at] == 0xFF && jpg[at+1] == 0xFF {
			at++ // fill bytes
		}
		if at+4 > len(jpg) || jpg[at] != 0xFF {
			return nil, fmt.Errorf("read JPEG segments: %w", ErrDamaged)
		}
		m := jpg[at+1]
		if m == 0x01 || m >= 0xD0 && m <= 0xD7 { // stand-alone markers
			at += 2
			continue
		}
		n := int(binary.BigEndian.Uint16(jpg[at+2:]))
		if m == 0 || m == mEOI || m == mSOI || n < 2 || at+2+n > len(jpg) {
			return nil, fmt.Errorf("read JPEG segments: %w", ErrDamaged)
		}
		list = append(list, segment{m, at, at + 2 + n})
		if m == mSOS {
			return list, nil
		}
		at += 2 + n
	}
}

// isEXIF and isJFIF tell what an APPn segment's body is.
func isEXIF(b []byte) bool { return len(b) >= 14 && string(b[:6]) == "Exif\x00\x00" }
func isJFIF(b []byte) bool { return len(b) >= 12 && string(b[:5]) == "JFIF\x00" }

// DensityBytes is by how much SetDensity lengthens a file of EncodeRGBA.
const DensityBytes = 4 + 6 + 8 + 2 + 4*12 + 4 + 2 + 12 + 4 + 16

// SetDensity returns jpg with dpi dots per inch written both where JFIF readers
// look (APP0) and where EXIF readers look (APP1, which also declares sRGB).
// JFIF and EXIF segments that jpg came with are replaced; everything else stays
// byte for byte. dpi is 1 to 65535.
func SetDensity(jpg []byte, dpi int) ([]byte, error) {
	if dpi < 1 || dpi > 65535 {
		return nil, fmt.Errorf("%w: %d dpi is not within 1 to 65535", ErrOption, dpi)
	}
	list, err := segments(jpg)
	if err != nil {
		return nil, fmt.Errorf("set density: %w", err)
	}
	out := make([]byte, 0, len(jpg)+DensityBytes+18)
	out = append(out, 0xFF, mSOI)
	out = append(out, 0xFF, mAPP0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 1, byte(dpi>>8), byte(dpi), byte(dpi>>8), byte(dpi), 0, 0)
	out = appendEXIF(out, uint32(dpi))
	for _, s := range list {
		if b := s.body(jpg); s.marker == mAPP0 && isJFIF(b) || s.marker == mAPP1 && isEXIF(b) {
			continue
		}
		if s.marker == mSOS {
			return append(out, jpg[s.start:]...), nil
		}
		out = append(out, jpg[s.start:s.end]...)
	}
	return nil, fmt.Errorf("set density: %w", ErrDamaged) // unreachable: segments ends with a scan
}

// appendEXIF appends an APP1 segment with the resolution in dots per inch and
// the colour space sRGB (EXIF 2.3, tags 0x011A, 0x011B, 0x0128, 0x8769, 0xA001).
func appendEXIF(b []byte, dpi uint32) []byte {
	const (
		entries = 4
		exifIFD = 8 + 2 + entries*12 + 4
		ratios  = exifIFD + 2 + 12 + 4
		length  = 2 + 6 + ratios + 16
	)
	be := binary.BigEndian
	b = append(b, 0xFF, mAPP1, length>>8, length&0xFF)
	b = append(b, "Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08"...)
	b = be.AppendUint16(b, entries)
	entry := func(tag, typ uint16, value uint32) { // one value each
		b = be.AppendUint16(b, tag)
		b = be.AppendUint16(b, typ)
		b = be.AppendUint32(b, 1)
		b = be.AppendUint32(b, value)
	}
	entry(0x011A, 5, ratios)
	entry(0x011B, 5, ratios+8)
	entry(0x0128, 3, 2<<16) // inches
	entry(0x8769, 4, exifIFD)
	b = be.AppendUint32(b, 0)
	b = be.AppendUint16(b, 1)
	entry(0xA001, 3, 1<<16) // sRGB
	b = be.AppendUint32(b, 0)
	for range 2 {
		b = be.AppendUint32(b, dpi)
		b = be.AppendUint32(b, 1)
	}
	return b
}

// Density reads the print density in dots per inch, from JFIF or, without one
// there, from EXIF. Zero means that the file does not say.
func Density(jpg []byte) (x, y int, err error) {
	list, err := segments(jpg)
	if err != nil {
		return 0, 0, fmt.Errorf("read density: %w", err)
	}
	for _, s := range list {
		b := s.body(jpg)
		if s.marker != mAPP0 || !isJFIF(b) {
			continue
		}
		x, y = int(binary.BigEndian.Uint16(b[8:])), int(binary.BigEndian.Uint16(b[10:]))
		switch b[7] {
		case 1:
			return x, y, nil
		case 2: // dots per centimetre
			return (x*254 + 50) / 100, (y*254 + 50) / 100, nil
		}
	}
	for _, s := range list {
		if b := s.body(jpg); s.marker == mAPP1 && isEXIF(b) {
			t := parseEXIF(b[6:])
			return t.xdpi, t.ydpi, nil
		}
	}
	return 0, 0, nil
}

// tags is what is read from EXIF data.
type tags struct {
	orientation int // 1 to 8; 0 = not stated
	xdpi, ydpi  int // 0 = not stated
}

// parseEXIF reads the first directory of a TIFF structure. Whatever is not
// understood or points outside the data is left out: EXIF never makes a picture
// unreadable.
func parseEXIF(b []byte) (t tags) {
	if len(b) < 8 {
		return t
	}
	var o binary.ByteOrder
	switch string(b[:4]) {
	case "MM\x00\x2a":
		o = binary.BigEndian
	case "II\x2a\x00":
		o = binary.LittleEndian
	default:
		return t
	}
	at := uint64(o.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return t
	}
	n := uint64(o.Uint16(b[at:]))
	unit := uint16(2)
	rational := func(e []byte) int {
		p := uint64(o.Uint32(e[8:]))
		if o.Uint16(e[2:]) != 5 || p+8 > uint64(len(b)) {
			return 0
		}
		num, den := o.Uint32(b[p:]), o.Uint32(b[p+4:])
		if den == 0 || num/den > 65535 {
			return 0
		}
		return int((uint64(num) + uint64(den)/2) / uint64(den))
	}
	for i := range n {
		p := at + 2 + 12*i
		if p+12 > uint64(len(b)) {
			break
		}
		e := b[p : p+12]
		short := o.Uint16(e[2:]) == 3
		switch tag := o.Uint16(e); {
		case tag == 0x0112 && short:
			if v := int(o.Uint16(e[8:])); v >= 1 && v <= 8 {
				t.orientation = v
			}
		case tag == 0x011A:
			t.xdpi = rational(e)
		case tag == 0x011B:
			t.ydpi = rational(e)
		case tag == 0x0128 && short:
			unit = o.Uint16(e[8:])
		}
	}
	switch unit {
	case 2:
	case 3: // per centimetre
		t.xdpi, t.ydpi = (t.xdpi*254+50)/100, (t.ydpi*254+50)/100
	default:
		t.xdpi, t.ydpi = 0, 0
	}
	return t
}

// Orientation is the EXIF orientation of a JPEG, 1 to 8; 1, upright, when it
// states none or is no JPEG.
func Orientation(jpg []byte) int {
	list, err := segments(jpg)
	if err != nil {
		return 1
	}
	for _, s := range list {
		if b := s.body(jpg); s.marker == mAPP1 && isEXIF(b) {
			return max(parseEXIF(b[6:]).orientation, 1)
		}
	}
	return 1
}
