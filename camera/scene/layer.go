package scene

import (
	"image"
	"math"
	"math/rand/v2"

	"golang.org/x/image/draw"
)

// Pictures are composited in fixed point: one 8-bit level is 1<<levelBits, so
// that full scale fits an int16 and sub-level light survives until the noise is
// added. Coverage and fractions of a pixel are in 1/256.
const (
	levelBits = 6
	levelOne  = 1 << levelBits
	coverOne  = 256
	gainBits  = 12
)

// layer is what one or two colour components need to be composited at one
// resolution: luma at the frame's, chroma at half of it or at the frame's.
type layer struct {
	w, h     int
	parts    int        // components: 1 for luma, 2 for chroma
	backdrop [2][]int16 // w×h each
	person   cutout
	shadow   mask
	noise    []int16 // gaussian about the bias and half a level; a row starts anywhere in the first half
	bias     int16   // offset of the components, in levels: 128 for chroma
}

// cutout is the person at the layer's scale, premultiplied. It has an empty
// row and column around it but for the lower edge, which goes on for ever.
type cutout struct {
	w, h   int
	cover  []uint16   // 0 to coverOne
	parts  [2][]int16 // component × coverage
	spans  []span     // per row
	origin [2]float64 // where its first pixel belongs in the frame, in layer pixels
}

// span is the columns of one row of a cut-out that are covered at all, and the
// longest run of them that is covered in full.
type span struct{ from, to, solidFrom, solidTo int }

// mask is how much of the light the person takes from the backdrop.
type mask struct {
	w, h   int
	v      []uint8 // 0 to 255
	origin [2]float64
}

// components turns red, green and blue into the JFIF luma, or the two chroma
// differences without their offset of 128 (ITU-T T.871). All in [0, 255].
func components(parts int, r, g, b float64) (c [2]float64) {
	if parts == 1 {
		c[0] = 0.299*r + 0.587*g + 0.114*b
		return c
	}
	c[0] = -0.168736*r - 0.331264*g + 0.5*b
	c[1] = 0.5*r - 0.418688*g - 0.081312*b
	return c
}

// texture is a square tile of unit variance, smooth over a few scales like
// cloth seen from two metres.
const textureSide = 512

func texture(r *rand.Rand) []float32 {
	const n = textureSide
	sum := make([]float32, n*n)
	tile, tmp := make([]float32, n*n), make([]float32, n*n)
	for _, octave := range []struct {
		radius int
		weight float64
	}{{0, 0.5}, {2, 0.6}, {9, 0.6}, {40, 0.8}} {
		for i := range tile {
			tile[i] = float32(r.NormFloat64())
		}
		for range 2 {
			boxWrap(tmp, tile, n, 1, n, octave.radius)
			boxWrap(tile, tmp, n, n, 1, octave.radius)
		}
		var square float64
		for _, v := range tile {
			square += float64(v) * float64(v)
		}
		k := float32(octave.weight / math.Sqrt(square/(n*n)))
		for i, v := range tile {
			sum[i] += v * k
		}
	}
	var square float64
	for _, v := range sum {
		square += float64(v) * float64(v)
	}
	k := float32(1 / math.Sqrt(square/(n*n)))
	for i := range sum {
		sum[i] *= k
	}
	return sum
}

// boxWrap averages 2r+1 neighbours along one axis of an n×n tile, wrapping.
func boxWrap(dst, src []float32, n, step, line, r int) {
	for l := range n {
		base := l * line
		var acc float32
		for i := -r; i <= r; i++ {
			acc += src[base+(i+n)%n*step]
		}
		k := 1 / float32(2*r+1)
		for i := range n {
			dst[base+i*step] = acc * k
			acc += src[base+(i+r+1)%n*step] - src[base+(i-r+n)%n*step]
		}
	}
}

// paintBackdrop fills the layer's backdrop: colour, light from one side,
// darker corners, texture.
func (l *layer) paintBackdrop(o Options, tile []float32) {
	c := components(l.parts, float64(o.Backdrop.R), float64(o.Backdrop.G), float64(o.Backdrop.B))
	grain := components(l.parts, 1, 1, 1) // weave is grey: it moves luma only
	step := float64(o.Width) / float64(l.w)
	for p := range l.parts {
		l.backdrop[p] = make([]int16, l.w*l.h)
		for y := range l.h {
			v := (float64(y)+0.5)/float64(l.h)*2 - 1
			row := l.backdrop[p][y*l.w : (y+1)*l.w]
			weave := tile[int(float64(y)*step)%textureSide*textureSide:][:textureSide]
			for x := range row {
				u := (float64(x)+0.5)/float64(l.w)*2 - 1
				light := (1 + o.Light*u/2) * (1 - o.Falloff*(u*u+v*v)/2)
				level := c[p]*light + grain[p]*o.Texture*float64(weave[int(float64(x)*step)%textureSide])
				row[x] = int16(math.Round(min(max(level, -128), 255) * levelOne))
			}
		}
	}
}

// setPerson takes the person, premultiplied at the layer's scale, whose first
// pixel belongs at origin.
func (l *layer) setPerson(o Options, m *image.RGBA, origin [2]float64) {
	c := &l.person
	c.w, c.h, c.origin = m.Rect.Dx()+2, m.Rect.Dy()+1, [2]float64{origin[0] - 1, origin[1] - 1}
	c.cover = make([]uint16, c.w*c.h)
	for p := range l.parts {
		c.parts[p] = make([]int16, c.w*c.h)
	}
	c.spans = make([]span, c.h)
	for y := 1; y < c.h; y++ {
		src := m.Pix[(y-1)*m.Stride:]
		sp, solid := &c.spans[y], 0
		for x := 1; x < c.w-1; x++ {
			px := src[4*(x-1) : 4*x : 4*x]
			if px[3] == 0 {
				continue
			}
			if sp.to == 0 {
				sp.from = x
			}
			sp.to = x + 1
			if px[3] < 255 || x > 1 && c.cover[y*c.w+x-1] != coverOne {
				solid = x
			}
			if px[3] == 255 && x+1-solid > sp.solidTo-sp.solidFrom {
				sp.solidFrom, sp.solidTo = solid, x+1
			}
			i := y*c.w + x
			c.cover[i] = uint16(px[3]) + uint16(px[3]>>7)
			light := 1 + o.Light*((float64(x)+c.origin[0])/float64(l.w)-0.5)
			v := components(l.parts, float64(px[0]), float64(px[1]), float64(px[2]))
			for p := range l.parts {
				most := 255 * float64(px[3]) / 255
				c.parts[p][i] = int16(math.Round(min(v[p]*light, most) * levelOne))
			}
		}
	}
}

// setShadow casts the person's soft shadow, to the lower right, at the rest
// position. unit is a 1080th of the frame's height in layer pixels.
func (l *layer) setShadow(m *image.RGBA, origin [2]float64, unit float64) {
	const coarse = 4 // blurred and kept at a quarter, then spread out
	sigma, dx, dy := 26*unit, 34*unit, 22*unit
	margin := int(3*sigma) + 2*coarse
	h := m.Rect.Dy() + margin // below the cut-out the body goes on
	if below := l.h - int(origin[1]); below > m.Rect.Dy() {
		h = below + margin
	}
	s := &l.shadow
	s.w, s.h = m.Rect.Dx()+2*margin, h+margin
	s.origin = [2]float64{math.Floor(origin[0] + dx - float64(margin)), math.Floor(origin[1] + dy - float64(margin))}
	cw, ch := s.w/coarse+2, s.h/coarse+2
	small, tmp := make([]float32, cw*ch), make([]float32, cw*ch)
	for y := range ch {
		sy := min(y*coarse-margin, m.Rect.Dy()-1)
		if sy < 0 {
			continue
		}
		for x := range cw {
			if sx := x*coarse - margin; sx >= 0 && sx < m.Rect.Dx() {
				small[y*cw+x] = float32(m.Pix[sy*m.Stride+4*sx+3])
			}
		}
	}
	r := max(1, int(sigma/coarse+0.5)) // three boxes of radius r: a Gaussian of about r
	for range 3 {
		boxClamp(tmp, small, cw, ch, 1, cw, r)
		boxClamp(small, tmp, ch, cw, cw, 1, r)
	}
	s.v = make([]uint8, s.w*s.h)
	for y := range s.h {
		fy := float32(y%coarse) / coarse
		a, b := small[y/coarse*cw:], small[(y/coarse+1)*cw:]
		for x := range s.w {
			fx, i := float32(x%coarse)/coarse, x/coarse
			top := a[i] + (a[i+1]-a[i])*fx
			bottom := b[i] + (b[i+1]-b[i])*fx
			s.v[y*s.w+x] = uint8(top + (bottom-top)*fy + 0.5)
		}
	}
}

// boxClamp averages 2r+1 neighbours along one axis, repeating the edges.
func boxClamp(dst, src []float32, n, lines, step, line, r int) {
	k := 1 / float32(2*r+1)
	for l := range lines {
		base := l * line
		at := func(i int) float32 { return src[base+min(max(i, 0), n-1)*step] }
		var acc float32
		for i := -r; i <= r; i++ {
			acc += at(i)
		}
		for i := range n {
			dst[base+i*step] = acc * k
			acc += at(i+r+1) - at(i-r)
		}
	}
}

// setNoise makes a table of gaussian noise, rms in 8-bit levels, and with it
// what else is added to every pixel at the end: the bias, and half a level that
// rounds.
func (l *layer) setNoise(r *rand.Rand, rms float64) {
	l.noise = make([]int16, 2*noisePeriod(l.w))
	still := l.bias<<levelBits + levelOne/2
	for i := range l.noise {
		l.noise[i] = still + int16(math.Round(min(max(r.NormFloat64(), -4), 4)*rms*levelOne))
	}
}

func noisePeriod(w int) int { return max(1<<15, 1<<bitsFor(w)) }

func bitsFor(n int) (b int) {
	for 1<<b < n {
		b++
	}
	return b
}

// scaleTo resamples the cut-out to w×h, premultiplied.
func scaleTo(m image.Image, w, h int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.CatmullRom.Scale(out, out.Rect, m, m.Bounds(), draw.Src, nil)
	return out
}

// crownRow is the first row with somebody in it, or -1.
func crownRow(m *image.NRGBA) int {
	for y := range m.Rect.Dy() {
		row := m.Pix[y*m.Stride:][:4*m.Rect.Dx()]
		for x := 3; x < len(row); x += 4 {
			if row[x] > 127 {
				return y
			}
		}
	}
	return -1
}
