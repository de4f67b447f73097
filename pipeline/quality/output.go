package quality

import (
	"image"
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/face"
)

// output is everything that lies on the grid of the finished photo.
type output struct {
	in   Input
	w, h int // output size; 0 = unknown

	cut, portrait, plate *image.RGBA // nil when absent or of another size
	alpha                []uint8     // w×h, nil when absent

	hasFace     bool
	eyes        face.Point // between the pupils, output px
	left, right face.Point // pupils
	ied, chinY  float64
	halfFace    float64 // measured cheek-to-cheek half width, 0 = unknown
	crownY      float64
	crownKnown  bool
}

// newOutput places the face on the output grid and drops pictures that do not
// fit it.
func newOutput(in Input, p *patch) *output {
	o := &output{in: in}
	for _, img := range []*image.RGBA{in.Portrait, in.Cut} {
		if img != nil && whole(img, img.Rect.Dx(), img.Rect.Dy()) {
			o.w, o.h = img.Rect.Dx(), img.Rect.Dy()
			break
		}
	}
	if o.w == 0 && in.Alpha != nil {
		o.w, o.h = in.Alpha.Rect.Dx(), in.Alpha.Rect.Dy()
	}
	if o.w < 32 || o.h < 32 {
		o.w, o.h = 0, 0
		return o
	}
	fit := func(img *image.RGBA) *image.RGBA {
		if whole(img, o.w, o.h) {
			return img
		}
		return nil
	}
	o.cut, o.portrait, o.plate = fit(in.Cut), fit(in.Portrait), fit(in.PlateCut)
	if a := in.Alpha; a != nil && a.Rect.Dx() == o.w && a.Rect.Dy() == o.h &&
		a.Stride >= o.w && len(a.Pix) >= (o.h-1)*a.Stride+o.w {
		o.alpha = a.Pix
		if a.Stride != o.w {
			o.alpha = make([]uint8, o.w*o.h)
			for y := range o.h {
				copy(o.alpha[y*o.w:(y+1)*o.w], a.Pix[y*a.Stride:])
			}
		} else {
			o.alpha = a.Pix[:o.w*o.h]
		}
	}
	c := in.Crop
	if len(in.Faces) == 0 || !(c.W > 0) || !(c.H > 0) {
		return o
	}
	f := in.Faces[0]
	o.left, o.right = o.place(f.LeftEye), o.place(f.RightEye)
	o.eyes = face.Point{X: (o.left.X + o.right.X) / 2, Y: (o.left.Y + o.right.Y) / 2}
	o.ied = math.Hypot(o.right.X-o.left.X, o.right.Y-o.left.Y)
	if !(o.ied > 4) {
		return o
	}
	o.hasFace = true
	o.chinY = o.place(f.Chin).Y
	if p != nil {
		half, _ := p.cheeks(o)
		o.halfFace = half * o.ied
	}
	o.findCrown()
	return o
}

// place maps a frame point to the output.
func (o *output) place(q face.Point) face.Point {
	c := o.in.Crop
	sin, cos := math.Sincos(c.RotationDeg * math.Pi / 180)
	dx, dy := q.X-(c.X+c.W/2), q.Y-(c.Y+c.H/2)
	return face.Point{
		X: float64(o.w)/2 + (dx*cos-dy*sin)*float64(o.w)/c.W,
		Y: float64(o.h)/2 + (dx*sin+dy*cos)*float64(o.h)/c.H,
	}
}

// findCrown takes the layout's crown, or the first row above the eyes that is
// covered more than stray hairs cover it: in the written photo by what is not
// the background's colour, else by the matte.
func (o *output) findCrown() {
	if o.in.Geometry.CrownY > 0 {
		o.crownY, o.crownKnown = o.in.Geometry.CrownY, true
		return
	}
	covered := func(x, y int) int { return int(o.alpha[y*o.w+x]) }
	if bg := o.in.Background; o.in.File != nil && o.in.File == o.in.Frame && bg.A != 0 {
		covered = func(x, y int) int {
			q := o.in.File.Pix[y*o.in.File.Stride+4*x:]
			d := max(apart(q[0], bg.R), apart(q[1], bg.G), apart(q[2], bg.B))
			// JPEG ripples reach some levels into the background.
			return min(max(d-ripple, 0)*255/solid, 255)
		}
	} else if o.alpha == nil {
		return
	}
	x0, x1 := max(int(o.eyes.X-1.2*o.ied), 0), min(int(o.eyes.X+1.2*o.ied), o.w)
	for y := range min(int(o.eyes.Y), o.h) {
		sum := 0
		for x := x0; x < x1; x++ {
			sum += covered(x, y)
		}
		if float64(sum) > 255*.25*o.ied {
			o.crownY, o.crownKnown = float64(y), true
			return
		}
	}
}

// In the written photo, ripple is how far the background's levels may be off,
// and solid how much further a pixel is that certainly shows somebody.
const ripple, solid = 16, 32

func apart(a, b uint8) int { return max(int(a), int(b)) - min(int(a), int(b)) }

// geometry reports where the head lies on the photo, in output pixels; centred
// is positive when the face is right of the middle of the picture.
func (o *output) geometry(r *report) {
	r.value(EyeLine, o.eyes.Y, o.hasFace)
	r.value(CrownMargin, o.crownY, o.crownKnown)
	switch {
	case o.in.Geometry.FaceWidth > 0:
		r.value(FaceWidth, o.in.Geometry.FaceWidth, true)
	default:
		r.value(FaceWidth, 2*o.halfFace, o.halfFace > 0)
	}
	r.value(HeadHeight, o.chinY-o.crownY, o.hasFace && o.crownKnown)
	r.value(ChinMargin, float64(o.h)-o.chinY, o.hasFace)
	r.value(Centred, o.eyes.X-float64(o.w)/2, o.hasFace)
}

// span of the matte's coverage in row y; ok is false for an empty row.
func (o *output) span(y int) (x0, x1 int, ok bool) {
	row := o.alpha[y*o.w : (y+1)*o.w]
	x0, x1 = 0, o.w-1
	for x0 < o.w && row[x0] < 128 {
		x0++
	}
	for x1 > x0 && row[x1] < 128 {
		x1--
	}
	return x0, x1, x0 < x1
}

// body measures the shoulders on the matte.
//
// half_body is the width of the person at the lower edge over the width of the
// picture; shoulders_level is the angle
// between both shoulders in degrees, positive when the one on the right of the
// picture (the student's left) is the lower.
func (o *output) body(r *report) {
	if o.alpha == nil || !o.hasFace || int(o.chinY)+4 >= o.h || o.chinY < 0 {
		// The chin at the bottom edge is known to be no half body.
		if o.alpha != nil && o.hasFace && o.chinY > 0 {
			r.value(HalfBody, 0, true)
		} else {
			r.value(HalfBody, 0, false)
		}
		r.value(ShouldersLevel, 0, false)
		return
	}
	var widths []float64
	for y := max(int(o.chinY), o.h-o.h/40-1); y < o.h; y++ {
		w := 0
		if x0, x1, ok := o.span(y); ok {
			w = x1 - x0 + 1
		}
		widths = append(widths, float64(w))
	}
	r.value(HalfBody, percentile(widths, .5)/float64(o.w), true)
	angle, ok := o.shoulders()
	r.value(ShouldersLevel, angle, ok)
}

// shoulders fits the tilt of the shoulder line: at equal distances left and
// right of the neck, how much lower the matte's upper contour is on the right.
func (o *output) shoulders() (deg float64, ok bool) {
	// The neck: the narrowest row between mouth and shoulders.
	neckX, best := o.eyes.X, math.Inf(1)
	for y := max(int(o.chinY-.3*o.ied), 0); y < min(int(o.chinY+.45*o.ied), o.h); y++ {
		x0, x1, ok := o.span(y)
		if ok && float64(x1-x0) < best {
			best, neckX = float64(x1-x0), float64(x0+x1+1)/2
		}
	}
	if math.IsInf(best, 1) {
		return 0, false
	}
	// Contour height in a column: first covered row below the jaw.
	top := func(x int) (float64, bool) {
		if x < 0 || x >= o.w {
			return 0, false
		}
		for y := max(int(o.chinY-.5*o.ied), 1); y < o.h; y++ {
			if a := o.alpha[y*o.w+x]; a >= 128 {
				above := float64(o.alpha[(y-1)*o.w+x])
				if above >= 128 {
					return 0, false // hair or an ear hangs down here
				}
				return float64(y) - (float64(a)-128)/max(float64(a)-above, 1), true
			}
		}
		return 0, false
	}
	var angles []float64
	for d := .75 * best; d < 1.9*o.ied+.25*best; d += max(o.ied/24, 1) {
		if d < .95*o.ied {
			continue
		}
		l, lok := top(int(neckX - d))
		q, qok := top(int(neckX + d))
		if lok && qok {
			angles = append(angles, math.Atan2(q-l, 2*d)*180/math.Pi)
		}
	}
	if len(angles) < 6 {
		return 0, false
	}
	return percentile(angles, .5), true
}
