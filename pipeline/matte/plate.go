package matte

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"io"
	"math"
	"sort"
)

// Plate is the empty booth: its mean picture and how much a single frame
// strays from it. It is immutable and safe for concurrent use.
type Plate struct {
	W, H   int
	ID     string // short hash of the content
	Frames int    // how many frames it was made of

	mean  []uint16 // interleaved R, G, B in units of 1/meanUnit
	noise [len(noiseBoxes)]sym3
	grid  []float32 // variance of R, G, B per tile of noiseTile px, in 8-bit units squared
	gw    int
}

const (
	meanUnit   = 16  // the mean is kept to 1/16 of an 8-bit step, well below its own noise
	noiseTile  = 64  // pixels; noise follows brightness, which varies slowly over a backdrop
	driftTile  = 128 // pixels; residuals are taken against the mean of such tiles, so lamp flicker is no noise
	logOffset  = 4   // added before the logarithm: keeps sensor noise in the dark from dominating
	maxPlateWH = 16384
	maxPlatePx = 64 << 20
)

// noiseBoxes are the box sizes, in frame pixels, at which the noise is known.
// Resampling to any scale averages over some box; between two the noise is
// interpolated.
var noiseBoxes = [...]int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32}

// sym3 is a symmetric 3×3 matrix: rr, rg, rb, gg, gb, bb.
type sym3 [6]float64

func (s *sym3) add(r, g, b float64) {
	s[0] += r * r
	s[1] += r * g
	s[2] += r * b
	s[3] += g * g
	s[4] += g * b
	s[5] += b * b
}

func (s sym3) scaled(k float64) sym3 {
	for i := range s {
		s[i] *= k
	}
	return s
}

func (s sym3) trace() float64 { return s[0] + s[3] + s[5] }

// NewPlate averages frames of the empty booth, all of one size. With two or
// more frames the noise is measured from frame to frame; with one it is
// estimated from the smoothest parts of the picture's own fine detail.
func NewPlate(frames []*image.RGBA) (*Plate, error) {
	if len(frames) == 0 {
		return nil, errors.New("matte: a plate needs at least one frame")
	}
	for i, f := range frames {
		if f == nil {
			return nil, fmt.Errorf("matte: plate frame %d is nil", i)
		}
		if f.Rect.Size() != frames[0].Rect.Size() {
			return nil, fmt.Errorf("matte: plate frame %d is %v, the first is %v", i, f.Rect.Size(), frames[0].Rect.Size())
		}
	}
	size := frames[0].Rect.Size()
	if size.X < 64 || size.Y < 64 || size.X > maxPlateWH || size.Y > maxPlateWH || size.X*size.Y > maxPlatePx {
		return nil, fmt.Errorf("matte: plate of %d×%d px is outside 64..%d px a side", size.X, size.Y, maxPlateWH)
	}
	p := &Plate{W: size.X, H: size.Y, Frames: len(frames), mean: make([]uint16, 3*size.X*size.Y)}
	p.gw = (p.W + noiseTile - 1) / noiseTile
	p.grid = make([]float32, 3*p.gw*((p.H+noiseTile-1)/noiseTile))
	halves(p.H, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			m := p.mean[3*y*p.W : 3*(y+1)*p.W]
			for x := range p.W {
				var s [3]int
				for _, f := range frames {
					q := f.Pix[y*f.Stride+4*x:]
					s[0] += int(q[0])
					s[1] += int(q[1])
					s[2] += int(q[2])
				}
				for c, v := range s {
					m[3*x+c] = uint16((v*meanUnit + len(frames)/2) / len(frames))
				}
			}
		}
	})
	if len(frames) > 1 {
		p.noiseBetween(frames)
	} else {
		p.noiseWithin()
	}
	p.sign()
	return p, nil
}

func (p *Plate) sign() {
	h := sha256.New()
	var dims [12]byte
	binary.LittleEndian.PutUint32(dims[0:], uint32(p.W))
	binary.LittleEndian.PutUint32(dims[4:], uint32(p.H))
	binary.LittleEndian.PutUint32(dims[8:], uint32(p.Frames))
	h.Write(dims[:])
	row := make([]byte, 6*p.W)
	for y := range p.H {
		for i, v := range p.mean[3*y*p.W : 3*(y+1)*p.W] {
			binary.LittleEndian.PutUint16(row[2*i:], v)
		}
		h.Write(row)
	}
	p.ID = hex.EncodeToString(h.Sum(nil)[:6])
}

// logs returns tables of log(v + logOffset) for 8-bit values and for mean values.
func logs() (frame [256]float32, mean []float32) {
	for i := range frame {
		frame[i] = float32(math.Log(float64(i) + logOffset))
	}
	mean = make([]float32, 255*meanUnit+1)
	for i := range mean {
		mean[i] = float32(math.Log(float64(i)/meanUnit + logOffset))
	}
	return frame, mean
}

// noiseBetween measures the covariance of log(frame) − log(mean), averaged over
// boxes, and the variance per tile. The mean includes the frame itself, which
// hides 1/n of the variance.
func (p *Plate) noiseBetween(frames []*image.RGBA) {
	lf, lm := logs()
	n := float64(len(frames))
	unhide := n / (n - 1)
	tw, th := (p.W+driftTile-1)/driftTile, (p.H+driftTile-1)/driftTile
	var count [len(noiseBoxes)]float64
	counts := make([]float64, len(p.grid)/3)
	sums := make([]float64, len(p.grid))
	for _, f := range frames {
		drift := make([]float64, 3*tw*th)
		cnt := make([]float64, tw*th)
		for y := 1; y < p.H; y += 3 {
			for x := 1; x < p.W; x += 3 {
				i := (y/driftTile)*tw + x/driftTile
				cnt[i]++
				q, m := f.Pix[y*f.Stride+4*x:], p.mean[3*(y*p.W+x):]
				for c := range 3 {
					drift[3*i+c] += float64(lf[q[c]] - lm[m[c]])
				}
			}
		}
		for i, k := range cnt {
			for c := range 3 {
				drift[3*i+c] /= max(k, 1)
			}
		}
		at := func(c int, x, y float64) float64 { // drift between tile centres
			fx := min(max(x/driftTile-.5, 0), float64(tw-1))
			fy := min(max(y/driftTile-.5, 0), float64(th-1))
			x0, y0 := int(fx), int(fy)
			x1, y1 := min(x0+1, tw-1), min(y0+1, th-1)
			fx, fy = fx-float64(x0), fy-float64(y0)
			v := func(i, j int) float64 { return drift[3*(j*tw+i)+c] }
			return (v(x0, y0)*(1-fx)+v(x1, y0)*fx)*(1-fy) + (v(x0, y1)*(1-fx)+v(x1, y1)*fx)*fy
		}
		for k, b := range noiseBoxes {
			stride := max(b, 9) // 9 walks through all phases of JPEG's 8×8 blocks
			inv := 1 / float64(b*b)
			for y := 0; y+b <= p.H; y += stride {
				for x := 0; x+b <= p.W; x += stride {
					var s [3]float64
					for j := y; j < y+b; j++ {
						q, m := f.Pix[j*f.Stride+4*x:], p.mean[3*(j*p.W+x):]
						for i := range b {
							s[0] += float64(lf[q[4*i]] - lm[m[3*i]])
							s[1] += float64(lf[q[4*i+1]] - lm[m[3*i+1]])
							s[2] += float64(lf[q[4*i+2]] - lm[m[3*i+2]])
						}
					}
					for c := range s {
						s[c] = s[c]*inv - at(c, float64(x)+float64(b)/2, float64(y)+float64(b)/2)
					}
					p.noise[k].add(s[0], s[1], s[2])
					count[k]++
					if b == 1 {
						t := (y/noiseTile)*p.gw + x/noiseTile
						counts[t]++
						for c := range 3 {
							d := s[c] * (float64(p.mean[3*(y*p.W+x)+c])/meanUnit + logOffset)
							sums[3*t+c] += d * d
						}
					}
				}
			}
		}
	}
	for k := range p.noise {
		p.noise[k] = p.noise[k].scaled(unhide / max(count[k], 1))
	}
	for i := range p.grid {
		p.grid[i] = float32(sums[i] * unhide / max(counts[i/3], 1))
	}
}

// noiseWithin estimates the noise of a single frame from second differences in
// both directions, which a smooth backdrop does not have (Immerkær 1996: the
// mask [1 −2 1] ⊗ [1 −2 1] passes 36 times the variance of white noise). Only
// the calmer half of the picture counts, so texture does not.
func (p *Plate) noiseWithin() {
	_, lm := logs()
	const cell = 10
	for k, b := range noiseBoxes {
		w, h := p.W/b, p.H/b
		// Small boxes are sampled in bands: a few hundred thousand values are plenty.
		skip := 1
		if b < 3 {
			skip = 3
		}
		type patch struct {
			s    sym3
			n, t float64
		}
		var patches []patch
		ring := make([][]float32, 3)
		for i := range ring {
			ring[i] = make([]float32, 3*w)
		}
		inv := 1 / float32(b*b)
		load := func(dst []float32, y int) {
			clear(dst)
			for j := y * b; j < (y+1)*b; j++ {
				m := p.mean[3*j*p.W:]
				for x := range w {
					for i := x * b; i < (x+1)*b; i++ {
						dst[3*x] += lm[m[3*i]]
						dst[3*x+1] += lm[m[3*i+1]]
						dst[3*x+2] += lm[m[3*i+2]]
					}
				}
			}
			for i := range dst {
				dst[i] *= inv
			}
		}
		for y0 := 0; y0+2 < h; y0 += cell * skip {
			row := make([]patch, (w+cell-1)/cell)
			load(ring[0], y0)
			load(ring[1], y0+1)
			for y := y0 + 1; y < min(y0+1+cell, h-1); y++ {
				a, m, c := ring[(y-1-y0)%3], ring[(y-y0)%3], ring[(y+1-y0)%3]
				load(c, y+1)
				for x := 1; x+1 < w; x++ {
					var d [3]float64
					for ch := range d {
						i := 3*x + ch
						edge := a[i-3] + a[i+3] + c[i-3] + c[i+3]
						d[ch] = float64(edge-2*(a[i]+c[i]+m[i-3]+m[i+3])+4*m[i]) / 6
					}
					q := &row[x/cell]
					q.s.add(d[0], d[1], d[2])
					q.n++
				}
			}
			for _, q := range row {
				if q.n > 8 {
					q.t = q.s.trace() / q.n
					patches = append(patches, q)
				}
			}
		}
		if len(patches) == 0 {
			if k > 0 {
				p.noise[k] = p.noise[k-1]
			}
			continue
		}
		sort.Slice(patches, func(i, j int) bool { return patches[i].t < patches[j].t })
		var s sym3
		var n float64
		for _, q := range patches[:(len(patches)+1)/2] {
			for i := range s {
				s[i] += q.s[i]
			}
			n += q.n
		}
		// 1.3: the calmer half reads low, and JPEG's chroma noise is not white.
		p.noise[k] = s.scaled(1.3 / n)
	}
	// Compression hides fine noise, most of all in colour, from second
	// differences, but averaging over larger boxes never adds noise.
	for k := len(p.noise) - 2; k >= 0; k-- {
		grow := 1.2
		if k == 0 {
			grow = 1.6
		}
		for _, i := range [3]int{0, 3, 5} {
			if least := grow * p.noise[k+1][i]; noiseBoxes[k] <= 3 && p.noise[k][i] < least {
				p.noise[k] = p.noise[k+1].scaled(grow)
				break
			}
		}
	}
	for i := range p.grid {
		t, c := i/3, i%3
		x := min((t%p.gw)*noiseTile+noiseTile/2, p.W-1)
		y := min((t/p.gw)*noiseTile+noiseTile/2, p.H-1)
		v := float64(p.mean[3*(y*p.W+x)+c])/meanUnit + logOffset
		p.grid[i] = float32([3]float64{p.noise[0][0], p.noise[0][3], p.noise[0][5]}[c] * v * v)
	}
}

// covariance is the noise covariance of the log ratio of one frame to the mean
// after averaging over boxes of size frame px: the frame's own noise plus what
// is left in the mean.
func (p *Plate) covariance(size float64) sym3 {
	k := 0
	for k+2 < len(noiseBoxes) && float64(noiseBoxes[k+1]) < size {
		k++
	}
	l0, l1 := math.Log(float64(noiseBoxes[k])), math.Log(float64(noiseBoxes[k+1]))
	t := min(max((math.Log(max(size, .25))-l0)/(l1-l0), 0), 1)
	var s sym3
	for i := range s {
		s[i] = p.noise[k][i]*(1-t) + p.noise[k+1][i]*t
	}
	return s.scaled(1 + 1/float64(p.Frames))
}

// variance is the noise variance of R, G and B, 8-bit units squared, near a
// frame position after averaging over boxes of size frame px; a frame's own
// noise plus what is left in the mean.
func (p *Plate) variance(x, y, size float64) [3]float32 {
	gh := len(p.grid) / 3 / p.gw
	tx := min(max(int(x/noiseTile), 0), p.gw-1)
	ty := min(max(int(y/noiseTile), 0), gh-1)
	one, many := p.covariance(1), p.covariance(size)
	var v [3]float32
	for c, i := range [3]int{0, 3, 5} {
		r := 1.
		if one[i] > 0 {
			r = many[i] / one[i]
		}
		v[c] = p.grid[3*(ty*p.gw+tx)+c] * float32(r*(1+1/float64(p.Frames)))
	}
	return v
}

func (p *Plate) sample(dst [3][]float32, w, h int, region Rect) {
	resample(dst, w, h, p.rows, p.W, p.H, region)
}

func (p *Plate) rows(dst []float32, y, x0, x1 int) {
	for i, v := range p.mean[3*(y*p.W+x0) : 3*(y*p.W+x1)] {
		dst[i] = float32(v) * (1. / meanUnit)
	}
}

// The stored form: a fixed header, the noise tables, the mean as differences
// along each row, deflated; a CRC-32 of all before it ends the file. All
// numbers are little-endian.
var plateMagic = [8]byte{'Y', 'Z', 'P', 'L', 'A', 'T', 'E', '1'}

// Encode writes the plate in the form DecodePlate reads.
func (p *Plate) Encode(w io.Writer) error {
	sum := crc32.NewIEEE()
	out := bufio.NewWriter(io.MultiWriter(w, sum))
	_, _ = out.Write(plateMagic[:]) // a failure is kept for Flush
	le := binary.LittleEndian
	head := le.AppendUint32(nil, uint32(p.W))
	head = le.AppendUint32(head, uint32(p.H))
	head = le.AppendUint32(head, uint32(p.Frames))
	for _, s := range p.noise {
		for _, v := range s {
			head = le.AppendUint64(head, math.Float64bits(v))
		}
	}
	for _, v := range p.grid {
		head = le.AppendUint32(head, math.Float32bits(v))
	}
	_, _ = out.Write(head)
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

// DecodePlate reads a plate that Encode wrote. A damaged or foreign file is an
// error, never a wrong plate.
func DecodePlate(r io.Reader) (*Plate, error) {
	all, err := io.ReadAll(io.LimitReader(r, maxPlateFile+1))
	if err != nil {
		return nil, fmt.Errorf("matte: read plate: %w", err)
	}
	const fixed = 8 + 12 + len(noiseBoxes)*48
	if len(all) > maxPlateFile || len(all) < fixed+4 || !bytes.Equal(all[:8], plateMagic[:]) {
		return nil, errors.New("matte: not a plate file")
	}
	le := binary.LittleEndian
	body, sum := all[:len(all)-4], le.Uint32(all[len(all)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return nil, errors.New("matte: plate file is damaged: checksum differs")
	}
	w, h, n := int(le.Uint32(body[8:])), int(le.Uint32(body[12:])), int(le.Uint32(body[16:]))
	if w < 64 || h < 64 || w > maxPlateWH || h > maxPlateWH || w*h > maxPlatePx || n < 1 || n > 1<<16 {
		return nil, fmt.Errorf("matte: plate file claims %d×%d px of %d frames", w, h, n)
	}
	p := &Plate{W: w, H: h, Frames: n, gw: (w + noiseTile - 1) / noiseTile}
	o := 20
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
	p.sign()
	return p, nil
}
