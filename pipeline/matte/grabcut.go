package matte

import (
	"errors"
	"fmt"
	"image"
	"math"
	"runtime"

	"gocv.io/x/gocv"
)

// Without a plate, and before something that is no plain wall, nothing says
// what a pixel looks like without the person. What remains is the guess that
// person and surroundings have different colours: GrabCut (Rother, Kolmogorov
// and Blake 2004, OpenCV's implementation) learns both mixtures from where head
// and body are expected and cuts between them. It is far less accurate than a
// plate (docs/matting.md), so its confidence is bounded low enough for every
// standard to warn.

const (
	// grabSide is the longer side of the picture that GrabCut sees, in pixels.
	// Its time grows with the pixels and a little more; this takes a fifth of a
	// second or so, also on noise.
	grabSide   = 220
	grabPasses = 4
	// grabSeed seeds k-means, so that a photo gives the same portrait each time.
	grabSeed = 1
	// clutterTrust bounds the confidence of a cut before clutter.
	clutterTrust = .4
	// wallSupport is the least share of the border that must lie on one smooth
	// surface for that surface to be called a wall.
	wallSupport = .9
)

// GrabCut's labels.
const (
	grabBack uint8 = iota
	grabPerson
	grabMaybeBack
	grabMaybePerson
)

// segmentClutter cuts the person out of surroundings that are no plain wall,
// and takes what surrounds the person for the backdrop behind them.
func (m *Matter) segmentClutter(s *Segmentation) error {
	c := newCutter(m, s)
	if m.People != nil {
		c.askPeople(m.People, m.work.f32.take(PeopleSide*PeopleSide), m.work.f32.take(s.w*s.h))
	}
	if err := c.grab(); err != nil {
		return err
	}
	clear(c.e)
	clear(c.local)
	c.tidy()
	wall := c.surroundings(m)
	s.wall = wall
	for ch := range c.fit {
		clear(c.fit[ch])
	}
	c.noiseGain = [3]float32{1, 1, 1}
	c.weighClutter(wall)
	return nil
}

// grab runs GrabCut on a small copy of the region and brings its mask to the
// working size.
func (c *cutter) grab() error {
	k := min(grabSide/float64(max(c.w, c.h)), 1)
	w, h := max(int(math.Round(float64(c.w)*k)), 16), max(int(math.Round(float64(c.h)*k)), 16)
	var rgb [3][]float32
	for ch := range rgb {
		rgb[ch] = c.k.f32.take(w * h)
	}
	resample(rgb, w, h, framePixels{c.frame}, c.area)
	labels := c.k.u8.take(w * h)
	c.seeds(labels, w)
	c.seedPeople(labels, w, h)
	if err := grabCut(rgb, labels, w, h); err != nil {
		return err
	}
	small := rgb[0]
	for i, l := range labels {
		small[i] = float32(l & 1) // sure and probable person are odd
	}
	kx, ky := float64(w)/float64(c.w), float64(h)/float64(c.h)
	for y := range c.h {
		for x := range c.w {
			c.soft[y*c.w+x] = lerp(small, w, h, (float64(x)+.5)*kx-.5, (float64(y)+.5)*ky-.5)
		}
	}
	gaussian(c.soft, c.soft, c.w, c.h, max(.5/k, 1), false)
	for i, v := range c.soft {
		c.mask[i] = b2u(v > .5)
	}
	return nil
}

// seeds labels where, relative to the face, the person is, may be, need not be
// and is not, in a picture of the region that is w pixels wide.
func (c *cutter) seeds(labels []uint8, w int) {
	k := float32(w) / float32(c.w)
	cx, fw, fh, fy, chin := c.cx*k, c.fw*k, c.fh*k, c.fy*k, c.chin*k
	for i := range labels {
		ax, y := abs32(float32(i%w)+.5-cx), float32(i/w)+.5
		below := y - chin
		ex, ey := ax/(.4*fw), (y-fy-.5*fh)/(.55*fh)
		hx, hy := ax/(.8*fw), (y-fy-.4*fh)/(.95*fh) // most hair ends here
		switch {
		case hx*hx+hy*hy > 1 && below < -.1*fh || ax > .95*fw+4*max(below+.1*fh, 0):
			labels[i] = grabBack
		case ex*ex+ey*ey < 1 || ax < .25*fw && y > fy+.6*fh || below > .5*fh && ax < .3*fw+.5*(below-.5*fh):
			labels[i] = grabPerson
		case hx*hx+hy*hy < .6 && below < 0 || below > .2*fh && ax < .7*fw+.8*(below-.2*fh):
			labels[i] = grabMaybePerson
		default:
			labels[i] = grabMaybeBack
		}
	}
}

// grabCut refines labels, as in OpenCV's mask, over a picture of w×h given as
// three planes of 0..255. It returns an error where OpenCV would end the
// program: with too little of either side to learn its colours from.
func grabCut(rgb [3][]float32, labels []uint8, w, h int) error {
	var person, back int
	for _, l := range labels {
		if l&1 != 0 {
			person++
		} else {
			back++
		}
	}
	const least = 32 // five components a side want some pixels each
	if person < least || back < least {
		return errors.New("matte: no backdrop to be seen around the person")
	}
	img, mask := gocv.NewMatWithSize(h, w, gocv.MatTypeCV8UC3), gocv.NewMatWithSize(h, w, gocv.MatTypeCV8U)
	models := [2]gocv.Mat{gocv.NewMat(), gocv.NewMat()}
	defer func() {
		for _, m := range []*gocv.Mat{&img, &mask, &models[0], &models[1]} {
			_ = m.Close() // frees C memory; its error is always nil
		}
	}()
	pix, err := img.DataPtrUint8()
	if err != nil {
		return fmt.Errorf("matte: reach OpenCV's picture: %w", err)
	}
	marks, err := mask.DataPtrUint8()
	if err != nil {
		return fmt.Errorf("matte: reach OpenCV's mask: %w", err)
	}
	defer clear(pix) // a person's picture, in memory that is not ours
	for i := range w * h {
		pix[3*i], pix[3*i+1], pix[3*i+2] = to8(rgb[2][i]), to8(rgb[1][i]), to8(rgb[0][i])
	}
	copy(marks, labels)
	// OpenCV keeps a random state for every thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	gocv.SetRNGSeed(grabSeed)
	gocv.GrabCut(img, &mask, image.Rectangle{}, &models[0], &models[1], grabPasses, gocv.GCInitWithMask)
	copy(labels, marks)
	return nil
}

// paintedBackdrop is a wall continued under the person from what surrounds them.
type paintedBackdrop struct {
	area   Rect
	w, h   int
	colour [3][]float32 // 0..255
	noise  sym3         // of the log ratio, at one working pixel
	square [3][]float32 // local variance around colour, 8-bit units squared
}

// surroundings continues the pixels outside the mask under it: local means of
// what can be seen, over the smallest of several neighbourhoods that shows enough.
func (c *cutter) surroundings(m *Matter) *paintedBackdrop {
	w, h := c.w, c.h
	n := w * h
	b := &paintedBackdrop{area: c.area, w: w, h: h, colour: m.seg.planes(n), square: m.seg.planes(n)}
	known := c.mtmp
	shrink(known, c.back, c.mtmp2, w, h, 2)
	resample(c.rho, w, h, framePixels{c.frame}, c.area)
	seen := c.dist
	spread := func(dst, src [3][]float32, sigmas ...float64) {
		for ch := range dst {
			clear(dst[ch])
		}
		for i, v := range known {
			seen[i] = float32(v)
		}
		for _, sigma := range sigmas {
			gaussian(c.tmp2, seen, w, h, sigma, true)
			for ch := range dst {
				for i, v := range src[ch] {
					c.box[ch][i] = v * seen[i]
				}
				gaussian(c.box[ch], c.box[ch], w, h, sigma, true)
				for i, wt := range c.tmp2 {
					if k := min(max((wt-.02)/.1, 0), 1); k > 0 {
						dst[ch][i] += k * (c.box[ch][i]/wt - dst[ch][i])
					}
				}
			}
		}
	}
	wide := float64(max(w, h)) / 2
	spread(b.colour, c.rho, wide, wide/3, wide/9, 5, 1.5)
	for ch := range c.d {
		for i, v := range c.rho[ch] {
			d := v - b.colour[ch][i]
			c.d[ch][i] = d * d
		}
	}
	spread(b.square, c.d, wide, wide/3, 8)
	count := 0.
	for i, v := range known {
		if v == 0 {
			continue
		}
		var d [3]float64
		for ch := range d {
			d[ch] = float64((c.rho[ch][i] - b.colour[ch][i]) / (b.colour[ch][i] + logOffset))
		}
		b.noise.add(d[0], d[1], d[2])
		count++
	}
	b.noise = b.noise.scaled(wallUnsure / max(count, 1))
	return b
}

func (b *paintedBackdrop) sample(dst [3][]float32, w, h int, region Rect) {
	halves(h, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			fy := (region.Y+(float64(y)+.5)*region.H/float64(h)-b.area.Y)/b.area.H*float64(b.h) - .5
			for x := range w {
				fx := (region.X+(float64(x)+.5)*region.W/float64(w)-b.area.X)/b.area.W*float64(b.w) - .5
				for ch := range dst {
					dst[ch][y*w+x] = lerp(b.colour[ch], b.w, b.h, fx, fy)
				}
			}
		}
	})
}

func (b *paintedBackdrop) covariance(float64) sym3 { return b.noise }

func (b *paintedBackdrop) variance(x, y, _ float64) [3]float32 {
	fx, fy := (x-b.area.X)/b.area.W*float64(b.w)-.5, (y-b.area.Y)/b.area.H*float64(b.h)-.5
	var v [3]float32
	for ch := range v {
		v[ch] = wallUnsure * lerp(b.square[ch], b.w, b.h, fx, fy)
	}
	return v
}

// weighClutter fills evidence, contrast and confidence from how unlike its
// surroundings the person is.
func (c *cutter) weighClutter(wall *paintedBackdrop) {
	w, h := c.w, c.h
	logs := newLogTable()
	for ch := range c.rho { // the frame's colours are still there
		for i, v := range c.rho[ch] {
			c.rho[ch][i] = logs.at(v) - logs.at(wall.colour[ch][i])
		}
	}
	c.setNoise(0, wall.noise)
	for i := range c.z1 {
		c.z1[i] = .8 * (c.white[0].norm2(c.rho[0][i], c.rho[1][i], c.rho[2][i]) - 3)
		// Outside the mask everything differs from everything: no strands.
		c.e[i] = -9
		if c.mask[i] != 0 {
			c.e[i] = max(c.z1[i], 0)
		}
	}
	c.contrast(1)
	sure := c.mtmp
	shrink(sure, c.back, c.mtmp2, w, h, 2)
	c.judge(sure)
	// What differs is the whole neighbourhood, gaps in the hair included: the
	// band stays narrow and the mask is believed inside it.
	clear(c.rim)
}
