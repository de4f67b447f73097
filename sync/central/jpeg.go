package central

import (
	"bytes"
	"image/jpeg"
)

// wholeJPEG reports whether b is a JPEG of at most maxPicturePixels that is there
// to its end: a header that can be read, segments that join, a scan, the end
// marker. It does not decode the scan. The station decoded these very bytes to
// make the portrait, and its signature says that they are the same; to decode a
// frame of the camera's again would be four fifths of what a packet costs here.
func wholeJPEG(b []byte) bool {
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil || cfg.Width*cfg.Height > maxPicturePixels {
		return false
	}
	scan := scanStart(b)
	if scan < 0 {
		return false
	}
	// Cameras pad what they send; nothing else may follow the end.
	tail := b[scan:]
	for len(tail) > 0 && (tail[len(tail)-1] == 0 || tail[len(tail)-1] == 0xff) {
		tail = tail[:len(tail)-1]
	}
	return len(tail) > 2 && bytes.HasSuffix(tail, []byte{0xff, 0xd9})
}

// scanStart is where the first scan's data begins, -1 when there is none
// (ISO/IEC 10918-1, B.1.1).
func scanStart(b []byte) int {
	const sos, eoi = 0xda, 0xd9
	for at := 2; at+4 <= len(b); {
		if b[at] != 0xff {
			return -1
		}
		marker := b[at+1]
		switch {
		case marker == 0xff: // fill
			at++
			continue
		case marker == eoi || marker >= 0xd0 && marker <= 0xd8 || marker == 0x01:
			return -1 // none of them belongs before a scan
		}
		at += 2 + int(b[at+2])<<8 + int(b[at+3])
		if marker == sos {
			if at > len(b) {
				return -1
			}
			return at
		}
	}
	return -1
}
