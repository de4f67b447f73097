package quality

import (
	"image"
	"math"
	"slices"

	"github.com/yunzhao-station/yunzhao/pipeline/face"
)

// patch is the face brought to a standard place and size, so that every
// measure below can say "half an eye distance below the left pupil" and mean
// the same spot on every photo. The eye line is level, the point between the
// pupils is the origin, and the unit is the distance between the pupils: u
// grows to the right of the picture and v downwards.
type patch struct {
	unit   int       // pixels per eye distance
	w, h   int       // pixels
	pix    []uint8   // RGB, three bytes a pixel
	lum    []float32 // linear luminance 0..1
	luma   []float32 // luminance on the sRGB curve, 0..255: what the eye sees
	inside []bool    // false beyond the frame's edge

	face     face.Face
	chinV    float64 // eye-to-chin distance in units
	sin, cos float64
	skin     skin
	points   points
}

// The patch spans ±1.8 units across, from 1.9 above the eyes (the crown of
// most heads) to 2.4 below (under the chin).
const (
	patchU    = 1.8
	patchUp   = 1.9
	patchDown = 2.4
)

// points are the landmarks in units.
type points struct {
	nose, mouthL, mouthR, upperLip, lowerLip face.Point
	eyeOuter, eyeInner                       [2]face.Point
	brow                                     [2]face.Point // middles of the eyebrows
}

// cut fills p from the frame at unit pixels per eye distance. It reports false
// when the face has no usable eyes.
func (p *patch) cut(frame *image.RGBA, f face.Face, unit int) bool {
	ied := f.IED()
	if !(ied > 4) || math.IsInf(ied, 0) {
		return false
	}
	p.face, p.unit = f, unit
	p.w, p.h = int(2*patchU*float64(unit)), int((patchUp+patchDown)*float64(unit))
	n := p.w * p.h
	p.pix = slices.Grow(p.pix[:0], 3*n)[:3*n]
	p.lum = slices.Grow(p.lum[:0], n)[:n]
	p.luma = slices.Grow(p.luma[:0], n)[:n]
	p.inside = slices.Grow(p.inside[:0], n)[:n]
	roll := f.Roll() * math.Pi / 180
	p.sin, p.cos = math.Sincos(roll)

	mid := f.EyeMid()
	step := ied / float64(unit) // frame pixels per patch pixel
	// Enough samples a patch pixel to average the frame's noise and not alias.
	k := min(max(int(step+.5), 1), 4)
	sub := step / float64(k)
	fw, fh := frame.Rect.Dx(), frame.Rect.Dy()
	lin := linear()
	exU, eyU := p.cos*sub, p.sin*sub // one subsample to the right
	for y := range p.h {
		v := float64(y) - patchUp*float64(unit)
		for x := range p.w {
			u := float64(x) - patchU*float64(unit)
			// First subsample's centre.
			lx, ly := u*step+sub/2, v*step+sub/2
			fx := mid.X + lx*p.cos - ly*p.sin
			fy := mid.Y + lx*p.sin + ly*p.cos
			var r, g, b, in int
			for range k {
				sx, sy := fx, fy
				for range k {
					ix, iy := int(math.Floor(sx)), int(math.Floor(sy))
					if ix >= 0 && iy >= 0 && ix < fw && iy < fh {
						in++
					}
					ix, iy = min(max(ix, 0), fw-1), min(max(iy, 0), fh-1)
					o := iy*frame.Stride + ix*4
					if step < 1.5 {
						// Little or no reduction: interpolate instead of snapping.
						br, bg, bb := bilinear(frame, sx, sy, fw, fh)
						r, g, b = r+br, g+bg, b+bb
					} else {
						r += int(frame.Pix[o]) << 8
						g += int(frame.Pix[o+1]) << 8
						b += int(frame.Pix[o+2]) << 8
					}
					sx += exU
					sy += eyU
				}
				fx -= eyU
				fy += exU
			}
			i := y*p.w + x
			d := k * k << 8
			r8, g8, b8 := uint8((r+d/2)/d), uint8((g+d/2)/d), uint8((b+d/2)/d)
			p.pix[3*i], p.pix[3*i+1], p.pix[3*i+2] = r8, g8, b8
			p.lum[i] = .2126*lin[r8] + .7152*lin[g8] + .0722*lin[b8]
			p.luma[i] = (.2126*float32(r) + .7152*float32(g) + .0722*float32(b)) / float32(d)
			p.inside[i] = in == k*k
		}
	}

	local := func(q face.Point) face.Point {
		dx, dy := (q.X-mid.X)/ied, (q.Y-mid.Y)/ied
		return face.Point{X: dx*p.cos + dy*p.sin, Y: -dx*p.sin + dy*p.cos}
	}
	pair := func(q [2]face.Point) [2]face.Point { return [2]face.Point{local(q[0]), local(q[1])} }
	p.points = points{
		nose: local(f.Nose), mouthL: local(f.MouthLeft), mouthR: local(f.MouthRight),
		upperLip: local(f.UpperLip), lowerLip: local(f.LowerLip),
		eyeOuter: pair(f.Landmarks.EyeOuter), eyeInner: pair(f.Landmarks.EyeInner),
		brow: pair(f.Landmarks.BrowMid),
	}
	p.chinV = min(max(local(f.Chin).Y, 1.2), 2.3)
	p.skin = p.learnSkin()
	return true
}

// bilinear reads the frame between pixel centres, in 1/256 levels.
func bilinear(frame *image.RGBA, x, y float64, w, h int) (r, g, b int) {
	x, y = x-.5, y-.5
	fx, fy := math.Floor(x), math.Floor(y)
	wx, wy := int((x-fx)*16), int((y-fy)*16)
	x0, y0 := min(max(int(fx), 0), w-1), min(max(int(fy), 0), h-1)
	x1, y1 := min(max(int(fx)+1, 0), w-1), min(max(int(fy)+1, 0), h-1)
	a := frame.Pix[y0*frame.Stride+x0*4:]
	c := frame.Pix[y0*frame.Stride+x1*4:]
	d := frame.Pix[y1*frame.Stride+x0*4:]
	e := frame.Pix[y1*frame.Stride+x1*4:]
	mix := func(i int) int {
		return (int(a[i])*(16-wx)+int(c[i])*wx)*(16-wy) + (int(d[i])*(16-wx)+int(e[i])*wx)*wy
	}
	return mix(0), mix(1), mix(2)
}

// index of the pixel at (u, v), clamped to the patch.
func (p *patch) index(u, v float64) int {
	x := min(max(int((u+patchU)*float64(p.unit)), 0), p.w-1)
	y := min(max(int((v+patchUp)*float64(p.unit)), 0), p.h-1)
	return y*p.w + x
}

// box visits every pixel of the rectangle (in units) that lies in the frame.
func (p *patch) box(u0, v0, u1, v1 float64, visit func(i int)) {
	a, b := p.index(u0, v0), p.index(u1, v1)
	x0, y0, x1, y1 := a%p.w, a/p.w, b%p.w, b/p.w
	for y := y0; y <= y1; y++ {
		for i := y*p.w + x0; i <= y*p.w+x1; i++ {
			if p.inside[i] {
				visit(i)
			}
		}
	}
}

// faceMask visits the skin side of the face: an ellipse from the middle of the
// forehead to the chin and from cheek to cheek.
func (p *patch) faceMask(visit func(i int)) {
	top := -.55
	cv, rv := (top+p.chinV)/2, (p.chinV-top)/2
	const ru = .92
	for y := range p.h {
		v := (float64(y)+.5)/float64(p.unit) - patchUp
		d := 1 - (v-cv)*(v-cv)/(rv*rv)
		if d <= 0 {
			continue
		}
		half := ru * math.Sqrt(d)
		a, b := p.index(-half, v), p.index(half, v)
		for i := a; i <= b; i++ {
			if p.inside[i] {
				visit(i)
			}
		}
	}
}

// mean linear colour of the rectangle; ok is false when less than half of it
// lies in the frame.
func (p *patch) meanLinear(u0, v0, u1, v1 float64) (c rgb, ok bool) {
	lin := linear()
	n := 0
	p.box(u0, v0, u1, v1, func(i int) {
		c.r += float64(lin[p.pix[3*i]])
		c.g += float64(lin[p.pix[3*i+1]])
		c.b += float64(lin[p.pix[3*i+2]])
		n++
	})
	if n == 0 {
		return rgb{}, false
	}
	c.r, c.g, c.b = c.r/float64(n), c.g/float64(n), c.b/float64(n)
	area := (u1 - u0) * (v1 - v0) * float64(p.unit*p.unit)
	return c, float64(n) >= area/2
}

// skin is the person's own skin, learnt from the cheeks: photos of every
// complexion under every lamp are judged against themselves.
type skin struct {
	ok       bool
	rg, bg   [2]float64 // log colour ratios of either cheek, independent of brightness
	lum      [2]float64 // linear luminance of either cheek
	lumaMean float64    // 0..255
	// tolerance for skinLike's colour: pale skin lies nearer to grey than tanned
	// skin does, and a grey wall must stay a wall.
	tolerance float64
}

// Cheek rectangles, in units: below the eyes, beside the nose, above a beard.
const cheekIn, cheekOut, cheekTop, cheekBottom = .38, .68, .38, .68

func (p *patch) learnSkin() skin {
	var s skin
	for side, sign := range []float64{-1, 1} {
		u0, u1 := sign*cheekIn, sign*cheekOut
		c, ok := p.meanLinear(min(u0, u1), cheekTop, max(u0, u1), cheekBottom)
		if !ok {
			return skin{}
		}
		s.rg[side], s.bg[side] = ratios(c.r, c.g, c.b)
		s.lum[side] = luminance(c.r, c.g, c.b)
	}
	n := 0
	for _, sign := range []float64{-1, 1} {
		u0, u1 := sign*cheekIn, sign*cheekOut
		p.box(min(u0, u1), cheekTop, max(u0, u1), cheekBottom, func(i int) {
			s.lumaMean += float64(p.luma[i])
			n++
		})
	}
	s.lumaMean /= float64(max(n, 1))
	s.tolerance = 1.0
	for side := range 2 {
		s.tolerance = min(s.tolerance, math.Hypot(s.rg[side], .7*s.bg[side]))
	}
	s.tolerance = min(max(.68*s.tolerance, .15), .42)
	s.ok = s.lumaMean > 8
	return s
}

// ratios are log(R/G) and log(B/G) of linear light; the small constant keeps
// noise in the dark from looking like colour.
func ratios(r, g, b float64) (rg, bg float64) {
	const floor = .004
	return math.Log((r + floor) / (g + floor)), math.Log((b + floor) / (g + floor))
}

// skinLike tells how far pixel i is from the person's skin in colour (log
// ratio) and whether its brightness is possible for lit or shaded skin.
func (p *patch) skinLike(i int) (colour float64, bright bool) {
	rg, bg := p.ratios(i)
	colour = math.Inf(1)
	for side := range 2 {
		d := rg - p.skin.rg[side]
		if d > 0 {
			d *= .6 // blood makes skin redder than the cheeks, nothing makes it less red
		}
		colour = min(colour, math.Hypot(d, .7*(bg-p.skin.bg[side])))
	}
	l := float64(p.lum[i])
	lo, hi := min(p.skin.lum[0], p.skin.lum[1]), max(p.skin.lum[0], p.skin.lum[1])
	return colour, l > .34*lo && l < 2.6*hi
}

// ratios of pixel i.
func (p *patch) ratios(i int) (rg, bg float64) {
	lin := linear()
	return ratios(float64(lin[p.pix[3*i]]), float64(lin[p.pix[3*i+1]]), float64(lin[p.pix[3*i+2]]))
}

// isSkin is skinLike with the tolerance that covers reddened ears and shade.
func (p *patch) isSkin(i int) bool {
	c, bright := p.skinLike(i)
	return bright && c < p.skin.tolerance
}

// percentile of v (sorted in place); q in 0..1.
func percentile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	return v[min(int(q*float64(len(v))), len(v)-1)]
}

// frame maps a point of the patch to frame pixels.
func (p *patch) frame(u, v float64) face.Point {
	m, ied := p.face.EyeMid(), p.face.IED()
	return face.Point{
		X: m.X + ied*(u*p.cos-v*p.sin),
		Y: m.Y + ied*(u*p.sin+v*p.cos),
	}
}
