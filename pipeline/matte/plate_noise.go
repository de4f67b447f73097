package matte

import (
	"errors"
	"fmt"
	"image"
	"sort"
	"time"
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

// PlateBuilder makes a plate from frames that are looked at one after the other
// and not kept: it holds their sum and, on a grid, sums of what they stray, so
// that a plate of 64 frames takes no more memory than one of two. The zero value
// is ready; it serves one goroutine.
type PlateBuilder struct {
	w, h, n int
	sum     []uint16
	scale   [len(noiseBoxes)]boxSums
	squares []float32 // of the one-pixel boxes, R, G, B: sums over frames
	logs    [256]float32
	drift   []float64 // of the present frame, per tile
	count   []float64
}

// boxSums are what is kept of one box size: for every box of a grid the first
// frame's mean log ratio to the tiles around it, and the sum of how much later
// frames differ from that, which keeps small numbers small.
type boxSums struct {
	cols, rows, stride int
	first, sum         []float32 // R, G, B of each box
	outer              [2]sym3   // sum over boxes and frames, in two halves that run beside each other
}

// N is how many frames were added.
func (b *PlateBuilder) N() int { return b.n }

// Add takes a frame in; it may be reused at once. A frame of another size than
// the first is an error and changes nothing.
func (b *PlateBuilder) Add(f *image.RGBA) error {
	if f == nil {
		return errors.New("matte: plate frame is nil")
	}
	size := f.Rect.Size()
	switch {
	case size.X < minPlateWH || size.Y < minPlateWH || size.X > maxPlateWH || size.Y > maxPlateWH || size.X*size.Y > maxPlatePx:
		return fmt.Errorf("matte: plate of %d×%d px is outside %d..%d px a side", size.X, size.Y, minPlateWH, maxPlateWH)
	case b.n > 0 && (size.X != b.w || size.Y != b.h):
		return fmt.Errorf("matte: plate frame is %v, the first is %d×%d", size, b.w, b.h)
	case b.n == MaxPlateFrames:
		return fmt.Errorf("matte: a plate takes at most %d frames", MaxPlateFrames)
	}
	if b.n == 0 {
		b.init(size.X, size.Y)
	}
	b.n++
	halves(b.h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			q, s := f.Pix[y*f.Stride:], b.sum[3*y*b.w:3*(y+1)*b.w]
			for x := range b.w {
				s[3*x] += uint16(q[4*x])
				s[3*x+1] += uint16(q[4*x+1])
				s[3*x+2] += uint16(q[4*x+2])
			}
		}
	})
	b.tiles(f)
	for k := range b.scale {
		b.stray(f, k)
	}
	return nil
}

func (b *PlateBuilder) init(w, h int) {
	b.w, b.h = w, h
	b.sum = make([]uint16, 3*w*h)
	b.logs, _ = logs()
	tiles := ((w + driftTile - 1) / driftTile) * ((h + driftTile - 1) / driftTile)
	b.drift, b.count = make([]float64, 3*tiles), make([]float64, tiles)
	for k, size := range noiseBoxes {
		s := &b.scale[k]
		s.stride = max(size, 9) // 9 walks through all phases of JPEG's 8×8 blocks
		s.cols, s.rows = max((w-size)/s.stride+1, 0), max((h-size)/s.stride+1, 0)
		s.first, s.sum = make([]float32, 3*s.cols*s.rows), make([]float32, 3*s.cols*s.rows)
	}
	b.squares = make([]float32, len(b.scale[0].sum))
}

// tiles measures the mean log of the frame's driftTile tiles.
func (b *PlateBuilder) tiles(f *image.RGBA) {
	clear(b.drift)
	clear(b.count)
	tw := (b.w + driftTile - 1) / driftTile
	for y := 1; y < b.h; y += 3 {
		for x := 1; x < b.w; x += 3 {
			i := (y/driftTile)*tw + x/driftTile
			b.count[i]++
			q := f.Pix[y*f.Stride+4*x:]
			b.drift[3*i] += float64(b.logs[q[0]])
			b.drift[3*i+1] += float64(b.logs[q[1]])
			b.drift[3*i+2] += float64(b.logs[q[2]])
		}
	}
	for i, k := range b.count {
		for c := range 3 {
			b.drift[3*i+c] /= max(k, 1)
		}
	}
}

// slow is the frame's log level at a position, interpolated between tiles.
func (b *PlateBuilder) slow(x, y float64) (v [3]float64) {
	tw, th := (b.w+driftTile-1)/driftTile, (b.h+driftTile-1)/driftTile
	fx := min(max(x/driftTile-.5, 0), float64(tw-1))
	fy := min(max(y/driftTile-.5, 0), float64(th-1))
	x0, y0 := int(fx), int(fy)
	x1, y1 := min(x0+1, tw-1), min(y0+1, th-1)
	fx, fy = fx-float64(x0), fy-float64(y0)
	for c := range v {
		at := func(i, j int) float64 { return b.drift[3*(j*tw+i)+c] }
		v[c] = (at(x0, y0)*(1-fx)+at(x1, y0)*fx)*(1-fy) + (at(x0, y1)*(1-fx)+at(x1, y1)*fx)*fy
	}
	return v
}

// stray adds what the frame's boxes of one size differ from its tiles.
func (b *PlateBuilder) stray(f *image.RGBA, k int) {
	s, size := &b.scale[k], noiseBoxes[k]
	inv := 1 / float64(size*size)
	halves(s.rows, func(lo, hi int) {
		var outer sym3
		for j := lo; j < hi; j++ {
			y := j * s.stride
			for i := range s.cols {
				x := i * s.stride
				var r, g, bl float32
				for row := y; row < y+size; row++ {
					q := f.Pix[row*f.Stride+4*x : row*f.Stride+4*(x+size)]
					for o := 0; o < len(q); o += 4 {
						r += b.logs[q[o]]
						g += b.logs[q[o+1]]
						bl += b.logs[q[o+2]]
					}
				}
				base := b.slow(float64(x)+float64(size)/2, float64(y)+float64(size)/2)
				v := [3]float64{float64(r)*inv - base[0], float64(g)*inv - base[1], float64(bl)*inv - base[2]}
				o := 3 * (j*s.cols + i)
				for c := range v {
					if b.n == 1 {
						s.first[o+c] = float32(v[c])
					}
					v[c] -= float64(s.first[o+c])
					s.sum[o+c] += float32(v[c])
					if k == 0 {
						b.squares[o+c] += float32(v[c] * v[c])
					}
				}
				outer.add(v[0], v[1], v[2])
			}
		}
		half := &s.outer[b2u(lo > 0)]
		for i := range outer {
			half[i] += outer[i]
		}
	})
}

// Plate makes the plate. The builder is empty again afterwards.
func (b *PlateBuilder) Plate(info PlateInfo) (*Plate, error) {
	switch {
	case b.n == 0:
		return nil, errors.New("matte: a plate needs at least one frame")
	case !validCamera(info.Camera):
		return nil, fmt.Errorf("matte: camera identity of %d bytes; want valid text of at most %d", len(info.Camera), maxCameraName)
	}
	p := &Plate{W: b.w, H: b.h, Frames: b.n, Camera: info.Camera, mean: b.sum}
	if !info.TakenAt.IsZero() {
		p.TakenAt = info.TakenAt.UTC().Truncate(time.Millisecond)
	}
	p.gw = (p.W + noiseTile - 1) / noiseTile
	p.grid = make([]float32, 3*p.gw*((p.H+noiseTile-1)/noiseTile))
	for i, v := range p.mean { // the sum becomes the mean in place
		p.mean[i] = uint16((int(v)*meanUnit + b.n/2) / b.n)
	}
	if b.n > 1 {
		b.noiseBetween(p)
	} else {
		p.noiseWithin()
	}
	*b = PlateBuilder{}
	p.finish()
	return p, nil
}

// noiseBetween turns the sums into the covariance between frames of the log
// averaged over boxes, and into the variance per tile. The mean of n frames
// includes each of them, which hides 1/n of the variance.
func (b *PlateBuilder) noiseBetween(p *Plate) {
	n := float64(b.n)
	for k := range b.scale {
		s := &b.scale[k]
		boxes := s.cols * s.rows
		var own sym3
		for i := range boxes {
			own.add(float64(s.sum[3*i]), float64(s.sum[3*i+1]), float64(s.sum[3*i+2]))
		}
		for i := range own {
			p.noise[k][i] = (s.outer[0][i] + s.outer[1][i] - own[i]/n) / ((n - 1) * float64(boxes))
		}
		for _, d := range [3]int{0, 3, 5} { // rounding must not make a variance negative
			p.noise[k][d] = max(p.noise[k][d], 0)
		}
	}
	one := &b.scale[0]
	counts, sums := make([]float64, len(p.grid)/3), make([]float64, len(p.grid))
	for j := range one.rows {
		for i := range one.cols {
			x, y, o := i*one.stride, j*one.stride, 3*(j*one.cols+i)
			t := (y/noiseTile)*p.gw + x/noiseTile
			counts[t]++
			for c := range 3 {
				level := float64(p.mean[3*(y*p.W+x)+c])/meanUnit + logOffset
				s := float64(one.sum[o+c])
				sums[3*t+c] += max(float64(b.squares[o+c])-s*s/n, 0) * level * level
			}
		}
	}
	for i := range p.grid {
		p.grid[i] = float32(sums[i] / ((n - 1) * max(counts[i/3], 1)))
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
