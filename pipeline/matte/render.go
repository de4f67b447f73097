package matte

// #include "kernels.h"
import "C"

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
)

// maxOutput bounds the side of a portrait in pixels; print presets stay far below.
const maxOutput = 4096

// Render makes the portrait of outW×outH pixels from a crop of the frame that
// was segmented, before the backdrop colour bg. With keep the photographed
// backdrop stays and only the alpha is measured. The crop should lie within the
// region given to Segment; beyond it, and outside the frame, masks and pixels
// continue as at the border.
func (m *Matter) Render(seg *Segmentation, crop Rect, outW, outH int, bg color.RGBA, keep bool) (*Portrait, error) {
	if seg == nil || seg.owner != m || !seg.live() {
		return nil, ErrStale
	}
	if !crop.valid() {
		return nil, fmt.Errorf("matte: crop %+v is not a rectangle", crop)
	}
	if outW < 16 || outH < 16 || outW > maxOutput || outH > maxOutput {
		return nil, fmt.Errorf("matte: output of %d×%d px is outside 16..%d px a side", outW, outH, maxOutput)
	}
	fw, fh := float64(seg.frame.Rect.Dx()), float64(seg.frame.Rect.Dy())
	if crop.X >= fw || crop.Y >= fh || crop.X+crop.W <= 0 || crop.Y+crop.H <= 0 {
		return nil, errors.New("matte: the crop misses the frame")
	}
	m.work.reset()
	r := newRenderer(m, seg, crop, outW, outH)
	r.sample()
	r.trimap()
	r.dataAlpha()
	m.mix = r.mix
	r.narrow()
	r.solve()
	p := r.compose(opaque(bg), keep)
	p.Confidence = r.confidence()
	return p, nil
}

// renderer holds the planes of one Render at the output size.
type renderer struct {
	*Segmentation
	k    *scratch
	crop Rect
	w, h int
	unit float32 // output pixels per 1/200 of a face: band widths scale with it

	// Geometry in output pixels.
	cx, fy, fw, fh, chin float32

	c, b  [3][]float32 // frame and fitted plate
	flat  *image.RGBA  // plate under one gain per channel
	alpha []float32
	m     []uint8        // mask at output size
	st    []float32      // 0 weak .. 1 strong contrast
	din   []float32      // depth inside the mask
	dout  []float32      // distance outside it
	thin  []uint8        // hair that shows the wall's colour between single hairs
	kind  []uint8        // pixelBack, pixelPerson, pixelMixed
	al    []float32      // alpha from the pixel's own colour
	va    []float32      // its variance
	res   []float32      // squared deviation of the colour from the mixing line
	mix   []C.yz_mixture // the band's pixels
	inv   [3][]float32
	tmp   []float32
	tmp2  []float32
	plane []float32
	u1    []uint8
	u2    []uint8
	u3    []uint8
	label []int32
	stack []int32
	blobs []blob

	// Where output pixels fall between working pixels.
	atX, atY     []int32
	fracX, fracY []float32
}

const (
	pixelBack uint8 = iota
	pixelPerson
	pixelMixed
)

func newRenderer(m *Matter, s *Segmentation, crop Rect, w, h int) *renderer {
	k := &m.work
	n := w * h
	r := &renderer{Segmentation: s, k: k, crop: crop, w: w, h: h, mix: m.mix[:0]}
	zx, zy := float64(w)/crop.W, float64(h)/crop.H
	r.cx = float32((s.face.cx - crop.X) * zx)
	r.fy = float32((s.face.fy - crop.Y) * zy)
	r.fw, r.fh = float32(s.face.fw*zx), float32(s.face.fh*zy)
	r.chin = float32((s.face.chin - crop.Y) * zy)
	r.unit = r.fw / 200
	r.c, r.b, r.inv = k.planes(n), k.planes(n), k.planes(n)
	for _, p := range []*[]float32{&r.alpha, &r.st, &r.din, &r.dout, &r.al, &r.va, &r.res, &r.tmp, &r.tmp2, &r.plane} {
		*p = k.f32.take(n)
	}
	for _, p := range []*[]uint8{&r.m, &r.thin, &r.kind, &r.u1, &r.u2, &r.u3} {
		*p = k.u8.take(n)
	}
	r.label, r.stack = k.i32.take(n), k.i32.take(n)
	x0, y0 := s.work(crop.X+.5/zx, crop.Y+.5/zy)
	r.atX, r.fracX = axisAt(w, x0, 1/(zx*s.sx), s.w)
	r.atY, r.fracY = axisAt(h, y0, 1/(zy*s.sy), s.h)
	return r
}

// axisAt precomputes where n output positions fall between working pixels.
func axisAt(n int, first, step float64, size int) (at []int32, frac []float32) {
	at, frac = make([]int32, n), make([]float32, n)
	for i := range at {
		v := min(max(first+float64(i)*step, 0), float64(size-1))
		k := min(int(v), max(size-2, 0))
		at[i], frac[i] = int32(k), float32(v-float64(k))
	}
	return at, frac
}

// stretch samples a working plane at every output pixel, bilinearly.
func (r *renderer) stretch(dst, src []float32) {
	s := r.Segmentation
	src, dst = src[:s.w*s.h], dst[:r.w*r.h]
	halves(r.h, func(lo, hi int) {
		line := make([]float32, s.w+1)
		C.yz_stretch(f32(dst), f32(src), C.int(s.w), i32(r.atX), f32(r.fracX), i32(r.atY), f32(r.fracY), f32(line), C.int(r.w), C.int(lo), C.int(hi))
	})
}

// sample resamples frame, plate, light and noise to the output.
func (r *renderer) sample() {
	f, s := r.frame, r.Segmentation
	resample(r.c, r.w, r.h, framePixels{f}, r.crop)
	r.wall.sample(r.b, r.w, r.h, r.crop)
	r.flatten()
	gain := r.k.f32.take(s.w * s.h)
	for ch := range r.b {
		fit := r.fit[ch]
		halves(len(fit), func(lo, hi int) {
			for i, v := range fit[lo:hi] {
				gain[lo+i] = float32(math.Exp(float64(v)))
			}
		})
		r.stretch(r.tmp, gain)
		b, g := r.b[ch], r.tmp
		halves(r.w*r.h, func(lo, hi int) {
			C.yz_relight(f32(b), f32(g), logOffset, C.int(lo), C.int(hi))
		})
	}
	r.noise()
}

// flatten makes PlateFlat while b still is the plate as it was photographed.
func (r *renderer) flatten() {
	if r.Method != MethodPlate {
		return
	}
	r.flat = image.NewRGBA(image.Rect(0, 0, r.w, r.h))
	var gain [3]float32
	for ch, v := range r.level {
		gain[ch] = float32(math.Exp(float64(v)))
	}
	halves(r.w*r.h, func(lo, hi int) { pack(r.flat, r.b, gain, lo, hi) })
}

// noise fills inv with the reciprocal noise variance of each channel.
func (r *renderer) noise() {
	size := math.Sqrt(r.crop.W / float64(r.w) * r.crop.H / float64(r.h))
	const tile = 16
	tw, th := (r.w+tile-1)/tile, (r.h+tile-1)/tile
	for ty := range th {
		for tx := range tw {
			v := r.wall.variance(
				r.crop.X+(float64(tx)+.5)*tile*r.crop.W/float64(r.w),
				r.crop.Y+(float64(ty)+.5)*tile*r.crop.H/float64(r.h), size)
			for ch := range v {
				// Half a squared step of quantisation at least.
				inv := 1 / (v[ch]*r.noiseGain[ch]*levelSafety + .5)
				for y := ty * tile; y < min((ty+1)*tile, r.h); y++ {
					row := r.inv[ch][y*r.w : (y+1)*r.w]
					for x := tx * tile; x < min((tx+1)*tile, r.w); x++ {
						row[x] = inv
					}
				}
			}
		}
	}
}
