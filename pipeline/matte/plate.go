package matte

// #include "kernels.h"
import "C"

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"math"
	"time"
)

// Plate is the empty booth: its mean picture and how much a single frame
// strays from it. It is immutable and safe for concurrent use.
type Plate struct {
	W, H   int
	ID     string // short hash of the content
	Frames int    // how many frames it was made of
	// TakenAt is when it was photographed, in UTC to the millisecond; zero when
	// nobody said.
	TakenAt time.Time
	// Camera is the identity of the camera that took it, "" when nobody said.
	Camera string
	// Exposure is the mean luminance of the picture, linear, 1 = white.
	Exposure float64
	// RedGain and BlueGain are the means of red and of blue over that of green,
	// linear: the white balance of light, backdrop and camera together.
	RedGain, BlueGain float64

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
	minPlateWH = 64
	maxPlateWH = 16384
	maxPlatePx = 64 << 20
	// MaxPlateFrames is how many frames a plate may be made of: their sum fits
	// 16 bits.
	MaxPlateFrames = 256
	maxCameraName  = 256 // bytes
)

// PlateInfo is what a plate's pixels cannot tell.
type PlateInfo struct {
	TakenAt time.Time // zero: unknown
	Camera  string    // identity; "": unknown
}

// NewPlate averages frames of the empty booth, all of one size. With two or
// more frames the noise is measured from frame to frame; with one it is
// estimated from the smoothest parts of the picture's own fine detail.
func NewPlate(frames []*image.RGBA) (*Plate, error) {
	var b PlateBuilder
	if len(frames) == 0 {
		return nil, errors.New("matte: a plate needs at least one frame")
	}
	for i, f := range frames {
		if err := b.Add(f); err != nil {
			return nil, fmt.Errorf("%w (frame %d of %d)", err, i+1, len(frames))
		}
	}
	return b.Plate(PlateInfo{})
}

// finish derives from the mean what is not stored beside it.
func (p *Plate) finish() {
	var sum [3]float64
	n := 0.
	for y := 0; y < p.H; y += 4 {
		for x := 0; x < p.W; x += 4 {
			m := p.mean[3*(y*p.W+x):]
			for c := range sum {
				sum[c] += linear(float64(m[c]) / meanUnit)
			}
			n++
		}
	}
	for c := range sum {
		sum[c] /= n
	}
	p.Exposure = .2126*sum[0] + .7152*sum[1] + .0722*sum[2]
	p.RedGain, p.BlueGain = sum[0]/max(sum[1], 1e-6), sum[2]/max(sum[1], 1e-6)
	p.sign()
}

// linear is the light of an 8-bit sRGB level, 0 to 1 (IEC 61966-2-1).
func linear(v float64) float64 {
	v /= 255
	if v <= .04045 {
		return v / 12.92
	}
	return math.Pow((v+.055)/1.055, 2.4)
}

func (p *Plate) sign() {
	h := sha256.New()
	h.Write(p.head())
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
	resample(dst, w, h, platePixels{p}, region)
}

type platePixels struct{ *Plate }

func (p platePixels) size() (w, h int) { return p.W, p.H }
func (p platePixels) channels() int    { return 3 }

func (p platePixels) add(acc []float32, y, x0, x1 int, weight float32) {
	row := p.mean[3*(y*p.W+x0) : 3*(y*p.W+x1)]
	acc = acc[:len(row)]
	C.yz_add_u16(f32(acc), u16(row), C.float(weight/meanUnit), C.int(len(row)))
}

func (p *Plate) rows(dst []float32, y, x0, x1 int) {
	for i, v := range p.mean[3*(y*p.W+x0) : 3*(y*p.W+x1)] {
		dst[i] = float32(v) * (1. / meanUnit)
	}
}

// Reduce is the mean picture at w×h pixels, as three planes of levels from 0 to
// 255.
func (p *Plate) Reduce(w, h int) [3][]float32 {
	var out [3][]float32
	for c := range out {
		out[c] = make([]float32, w*h)
	}
	p.sample(out, w, h, Rect{W: float64(p.W), H: float64(p.H)})
	return out
}

// Row writes row y of the mean to dst: interleaved R, G and B, levels from 0 to
// 255. dst has room for 3·W values.
func (p *Plate) Row(dst []float32, y int) { p.rows(dst, y, 0, p.W) }

// LogNoise is the standard deviation of the logarithm of a frame's green after
// averaging over boxes of size pixels; 0.01 is one per cent of the light.
func (p *Plate) LogNoise(size float64) float64 {
	return math.Sqrt(max(p.covariance(size)[3], 0))
}
