package matte

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The stored form: a fixed header, the noise tables, the mean as differences
// along each row, deflated; a CRC-32 of all before it ends the file. All
// numbers are little-endian.
//
// Form 1 held neither the time nor the camera. A plate in it is refused: it
// could not be told from one of another camera.
var plateMagic = [8]byte{'Y', 'Z', 'P', 'L', 'A', 'T', 'E', '2'}

// ErrPlateForm means that a file holds no plate, or one in a form that is no
// longer read; the backdrop has to be photographed anew.
var ErrPlateForm = errors.New("matte: not a plate file of this version")

// plateFixed is the least a plate file holds before its grid.
const plateFixed = 8 + 12 + 8 + 2 + len(noiseBoxes)*48

// IsPlate tells whether data begins like a plate file of any version.
func IsPlate(data []byte) bool { return len(data) >= 8 && bytes.Equal(data[:7], plateMagic[:7]) }

// head is the stored form before the noise tables: magic, size, number of
// frames, time in milliseconds since 1970 (0 = unknown), camera.
func (p *Plate) head() []byte {
	le := binary.LittleEndian
	h := le.AppendUint32(plateMagic[:len(plateMagic):len(plateMagic)], uint32(p.W))
	h = le.AppendUint32(h, uint32(p.H))
	h = le.AppendUint32(h, uint32(p.Frames))
	taken := int64(0)
	if !p.TakenAt.IsZero() {
		taken = p.TakenAt.UnixMilli()
	}
	h = le.AppendUint64(h, uint64(taken))
	h = le.AppendUint16(h, uint16(len(p.Camera)))
	return append(h, p.Camera...)
}

func validCamera(s string) bool {
	return len(s) <= maxCameraName && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// Encode writes the plate in the form DecodePlate reads.
func (p *Plate) Encode(w io.Writer) error {
	sum := crc32.NewIEEE()
	out := bufio.NewWriter(io.MultiWriter(w, sum))
	le := binary.LittleEndian
	head := p.head()
	for _, s := range p.noise {
		for _, v := range s {
			head = le.AppendUint64(head, math.Float64bits(v))
		}
	}
	for _, v := range p.grid {
		head = le.AppendUint32(head, math.Float32bits(v))
	}
	_, _ = out.Write(head) // a failure is kept for Flush
	z, err := flate.NewWriter(out, flate.BestSpeed)
	if err != nil {
		return fmt.Errorf("matte: encode plate: %w", err)
	}
	line := make([]byte, 6*p.W)
	for y := range p.H {
		row := p.mean[3*y*p.W : 3*(y+1)*p.W]
		for i, v := range row {
			d := v
			if i >= 3 {
				d -= row[i-3]
			}
			line[i] = byte(d)
			line[3*p.W+i] = byte(d >> 8)
		}
		if _, err := z.Write(line); err != nil {
			return fmt.Errorf("matte: encode plate: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("matte: encode plate: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("matte: encode plate: %w", err)
	}
	if _, err := w.Write(le.AppendUint32(nil, sum.Sum32())); err != nil {
		return fmt.Errorf("matte: encode plate: %w", err)
	}
	return nil
}

// maxPlateFile bounds what DecodePlate reads: deflate never grows more than
// this beyond the raw mean.
const maxPlateFile = 6*maxPlatePx + 64<<20

// maxPlateTime is the end of the year 9999, in milliseconds since 1970.
const maxPlateTime = 253402300799999

// DecodePlate reads a plate that Encode wrote. A damaged or foreign file is an
// error, never a wrong plate.
func DecodePlate(r io.Reader) (*Plate, error) {
	all, err := io.ReadAll(io.LimitReader(r, maxPlateFile+1))
	if err != nil {
		return nil, fmt.Errorf("matte: read plate: %w", err)
	}
	if len(all) > maxPlateFile || len(all) < plateFixed+4 || !bytes.Equal(all[:8], plateMagic[:]) {
		return nil, ErrPlateForm
	}
	le := binary.LittleEndian
	body, sum := all[:len(all)-4], le.Uint32(all[len(all)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return nil, errors.New("matte: plate file is damaged: checksum differs")
	}
	w, h, n := int(le.Uint32(body[8:])), int(le.Uint32(body[12:])), int(le.Uint32(body[16:]))
	if w < minPlateWH || h < minPlateWH || w > maxPlateWH || h > maxPlateWH || w*h > maxPlatePx || n < 1 || n > MaxPlateFrames {
		return nil, fmt.Errorf("matte: plate file claims %d×%d px of %d frames", w, h, n)
	}
	p := &Plate{W: w, H: h, Frames: n, gw: (w + noiseTile - 1) / noiseTile}
	taken := int64(le.Uint64(body[20:]))
	if taken < 0 || taken > maxPlateTime {
		return nil, fmt.Errorf("matte: plate file claims the time %d", taken)
	}
	if taken > 0 {
		p.TakenAt = time.UnixMilli(taken).UTC()
	}
	o := 30 + int(le.Uint16(body[28:]))
	if o+len(noiseBoxes)*48 > len(body) {
		return nil, errors.New("matte: plate file is cut short")
	}
	if p.Camera = string(body[30:o]); !validCamera(p.Camera) {
		return nil, errors.New("matte: plate file names no valid camera")
	}
	for k := range p.noise {
		for i := range p.noise[k] {
			v := math.Float64frombits(le.Uint64(body[o:]))
			if math.IsNaN(v) || math.Abs(v) > 100 {
				return nil, fmt.Errorf("matte: plate file claims noise %v", v)
			}
			p.noise[k][i] = v
			o += 8
		}
	}
	cells := 3 * p.gw * ((h + noiseTile - 1) / noiseTile)
	if len(body)-o < 4*cells {
		return nil, errors.New("matte: plate file is cut short")
	}
	p.grid = make([]float32, cells)
	for i := range p.grid {
		v := math.Float32frombits(le.Uint32(body[o:]))
		if !(v >= 0 && v < 1e6) {
			return nil, fmt.Errorf("matte: plate file claims variance %v", v)
		}
		p.grid[i] = v
		o += 4
	}
	// A deflate stream shrinks at most about 1032:1; refuse a header that
	// promises more than the file can hold before allocating for it.
	if int64(len(body)-o)*1100 < int64(w)*int64(h)*6 {
		return nil, errors.New("matte: plate file is cut short")
	}
	p.mean = make([]uint16, 3*w*h)
	z := flate.NewReader(bytes.NewReader(body[o:]))
	line := make([]byte, 6*w)
	for y := range h {
		if _, err := io.ReadFull(z, line); err != nil {
			return nil, fmt.Errorf("matte: decompress plate row %d: %w", y, err)
		}
		row := p.mean[3*y*w : 3*(y+1)*w]
		for i := range row {
			v := uint16(line[i]) | uint16(line[3*w+i])<<8
			if i >= 3 {
				v += row[i-3]
			}
			if v > 255*meanUnit {
				return nil, fmt.Errorf("matte: plate row %d holds a value beyond white", y)
			}
			row[i] = v
		}
	}
	p.finish()
	return p, nil
}
