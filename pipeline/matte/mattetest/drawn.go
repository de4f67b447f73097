package mattetest

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// Hair is how a drawn person wears it.
type Hair int

// The hair styles.
const (
	Bald   Hair = iota
	Short       // close to the head
	Frizzy      // a wide cloud of single curls
	Bob         // to the chin, the wall visible between it and the neck
	Long        // over the shoulders
	Bun         // tied on top, single hairs loose
)

// Pose is what a drawn person does with the arms.
type Pose int

// The poses.
const (
	Straight Pose = iota
	ArmsOut       // both arms away from the body: wall between
	HandUp        // one hand at the temple: wall within the loop of the arm
)

// Pattern is what a drawn person's clothes are made of.
type Pattern int

// The patterns.
const (
	Plain Pattern = iota
	Striped
	Checked
)

// Look describes a person who does not exist, for variety that no collection of
// photographs offers.
type Look struct {
	Name    string
	Skin    color.RGBA
	Hair    Hair
	Dye     color.RGBA // colour of the hair
	Cloth   color.RGBA
	Second  color.RGBA // of a pattern
	Pattern Pattern
	Pose    Pose
	Glasses bool
	Collar  bool    // a shirt's collar, lighter than the clothes
	Build   float64 // half the shoulders' width in face widths; 0 is 1.05
	Strands int     // single hairs standing off; 0 is what the style has
	Seed    uint64
}

// RandomLook makes up a person to stand before a wall of the given colour:
// one in four wears nearly the wall's own colour.
func RandomLook(seed uint64, wall [3]float64) Look {
	rng := rand.New(rand.NewPCG(seed, 31))
	skins := []color.RGBA{
		{244, 214, 196, 255}, {232, 190, 165, 255}, {214, 168, 136, 255}, {184, 134, 100, 255}, {134, 90, 66, 255}, {86, 58, 46, 255},
	}
	dyes := []color.RGBA{
		{22, 20, 22, 255}, {38, 30, 28, 255}, {70, 48, 36, 255}, {120, 84, 54, 255}, {196, 160, 108, 255}, {176, 174, 172, 255},
	}
	cloths := []color.RGBA{
		{28, 30, 40, 255}, {44, 52, 84, 255}, {120, 34, 40, 255}, {96, 104, 112, 255}, {226, 222, 214, 255}, {212, 172, 60, 255}, {64, 92, 70, 255},
	}
	tint := func(c color.RGBA) color.RGBA {
		k := .9 + .2*rng.Float64()
		return color.RGBA{clamp8(float64(c.R) * k), clamp8(float64(c.G) * k), clamp8(float64(c.B) * k), 255}
	}
	l := Look{
		Skin: tint(skins[rng.IntN(len(skins))]), Dye: tint(dyes[rng.IntN(len(dyes))]), Hair: Hair(rng.IntN(6)),
		Cloth: tint(cloths[rng.IntN(len(cloths))]), Second: tint(cloths[rng.IntN(len(cloths))]),
		Glasses: rng.IntN(3) == 0, Collar: rng.IntN(5) < 2, Build: .8 + .4*rng.Float64(), Seed: seed,
	}
	if rng.IntN(4) == 0 {
		l.Pattern = Pattern(1 + rng.IntN(2))
	}
	if rng.IntN(4) == 0 {
		k := .93 + .12*rng.Float64()
		l.Cloth = color.RGBA{clamp8(wall[0] * k), clamp8(wall[1] * k * 1.01), clamp8(wall[2] * k * .98), 255}
		l.Pattern = Plain
	}
	switch rng.IntN(6) {
	case 0:
		l.Pose = ArmsOut
	case 1:
		l.Pose = HandUp
	}
	l.Name = fmt.Sprintf("drawn%d-%s%s", seed, [...]string{"bald", "short", "frizzy", "bob", "long", "bun"}[l.Hair], [...]string{"", "-arms", "-hand"}[l.Pose])
	return l
}

func clamp8(v float64) uint8 { return uint8(min(max(v, 0), 255)) }

// The size of a drawn person's picture and the face in it, in pixels.
const (
	drawnW   = 1240
	drawnH   = 1500
	drawnFW  = 380.
	drawnEye = 520.
)

// Draw paints the person. Every layer covers its pixels by the distance to its
// outline, so that the alpha is exact; equal looks give equal people.
func (l Look) Draw() *Person {
	d := &drawing{w: drawnW, h: drawnH, pix: make([][4]float32, drawnW*drawnH), rng: rand.New(rand.NewPCG(l.Seed, 21))}
	for i := range d.grain {
		d.grain[i] = [3]float64{(d.rng.Float64() - .5) * .2, (d.rng.Float64() - .5) * .2, d.rng.Float64() * 6}
	}
	const fw, cx = drawnFW, drawnW / 2.
	ied := fw / 2.4
	chin := drawnEye + .72*fw
	head := ellipse(cx, drawnEye+.16*fw, .40*fw, .56*fw)
	build := l.Build
	if build == 0 {
		build = 1.05
	}

	h := l.newHairdo(d, cx)
	if l.Hair == Long || l.Hair == Bob {
		l.curtain(d, cx, chin)
	}
	l.clothes(d, cx, chin, build)
	neck := func(x, y float64) float64 {
		half := .2*fw + .05*fw*max((y-chin)/(.3*fw), 0)
		return max(math.Abs(x-cx)-half, drawnEye-y, y-chin-.3*fw-.12*fw*(1-math.Abs(x-cx)/(.2*fw)))
	}
	h.behind(d)
	d.fill(neck, d.shade(l.Skin, .82, .06, 90))
	if l.Hair == Bald || l.Hair == Short || l.Hair == Bun {
		for _, side := range [2]float64{-1, 1} {
			d.fill(ellipse(cx+side*.41*fw, drawnEye+.08*fw, .055*fw, .13*fw), d.shade(l.Skin, .9, .06, 60))
		}
	}
	d.fill(head, d.shade(l.Skin, 1, .07, 140))
	l.features(d, cx, ied)
	h.front(d, chin)
	if l.Pose == HandUp {
		l.arm(d, [][2]float64{{cx + build*fw, chin + .55*fw}, {cx + (build+.12)*fw, chin + .1*fw}, {cx + .5*fw, drawnEye + .05*fw}}, .13*fw)
		d.fill(ellipse(cx+.46*fw, drawnEye, .12*fw, .1*fw), d.shade(l.Skin, .95, .05, 60))
	}
	p := &Person{Name: l.Name, Image: d.image(), ChinY: chin}
	p.EyeL, p.EyeR = matte.Point{X: cx - ied/2, Y: drawnEye}, matte.Point{X: cx + ied/2, Y: drawnEye}
	return p
}

// curtain is the hair behind and beside the neck.
func (l Look) curtain(d *drawing, cx, chin float64) {
	const fw = drawnFW
	low, out := chin+.05*fw, .56*fw
	if l.Hair == Long {
		low, out = chin+.8*fw, .62*fw
	}
	for _, side := range [2]float64{-1, 1} {
		d.fill(func(x, y float64) float64 {
			u := side * (x - cx)
			wave := .02 * fw * math.Sin(y/40+side)
			// Each curtain leaves the wall free beside the neck.
			outer := u - out - wave - .06*fw*math.Sin((y-drawnEye)/fw*2)
			inner := .31*fw - u + wave
			return max(outer, inner, drawnEye-.2*fw-y, y-low-.08*fw*math.Sin(u/18))
		}, d.strandy(l.Dye, .85))
		n := 60
		for range n {
			x := cx + side*(out+(d.rng.Float64()-.6)*.08*fw)
			d.strand(x, drawnEye+d.rng.Float64()*(low-drawnEye), math.Pi/2-side*(d.rng.Float64()*.5), (.1+.25*d.rng.Float64())*fw, l.Dye)
		}
	}
}

// clothes draws torso, sleeves and collar.
func (l Look) clothes(d *drawing, cx, chin, build float64) {
	const fw = drawnFW
	paint := l.paint(d)
	shoulder := func(u float64) float64 { // height of the shoulder's line at a distance from the middle
		t := min(max((u/fw-.2)/(build-.2), 0), 1)
		return chin + .22*fw + .30*fw*t*t
	}
	half := build * fw
	if l.Pose == ArmsOut {
		half = .72 * build * fw
	}
	d.fill(func(x, y float64) float64 {
		u := math.Abs(x - cx)
		side := half
		if l.Pose == ArmsOut {
			side = half - .12*fw*min(max((y-chin-.5*fw)/(.5*fw), 0), 1)
		}
		corner := u - side
		if top := shoulder(u) + .25*fw; y < top { // rounded shoulders
			corner = math.Hypot(max(u-side+.25*fw, 0), max(top-y, 0)) - .25*fw
		}
		return max(shoulder(u)-y, corner)
	}, paint)
	if l.Pose == ArmsOut {
		for _, side := range [2]float64{-1, 1} {
			l.arm(d, [][2]float64{
				{cx + side*(half-.12*fw), chin + .48*fw},
				{cx + side*(half+.20*fw), chin + .95*fw},
				{cx + side*(half+.16*fw), chin + 1.5*fw},
				{cx + side*(half-.15*fw), chin + 1.95*fw},
			}, .11*fw)
		}
	}
	// A V of skin, and the collar beside it.
	d.fill(func(x, y float64) float64 {
		return max(math.Abs(x-cx)-.24*fw+(y-chin-.15*fw)*.62, math.Abs(x-cx)-.2*fw, chin+.1*fw-y)
	}, d.shade(l.Skin, .85, .05, 80))
	if l.Collar {
		for _, side := range [2]float64{-1, 1} {
			d.fill(func(x, y float64) float64 {
				u := side * (x - cx)
				v := .24*fw - (y-chin-.15*fw)*.62
				return max(v-.01*fw-u, u-v-.13*fw, chin+.19*fw-y, y-chin-.48*fw, .05*fw-u)
			}, d.shade(color.RGBA{244, 244, 242, 255}, 1, .02, 50))
		}
	}
}

func (l Look) arm(d *drawing, path [][2]float64, radius float64) {
	d.fill(func(x, y float64) float64 {
		best := math.Inf(1)
		for i := 1; i < len(path); i++ {
			best = min(best, segmentDistance(x, y, path[i-1], path[i]))
		}
		return best - radius
	}, l.paint(d))
}

// paint returns the clothes' colour at a place.
func (l Look) paint(d *drawing) shader {
	first, second := d.shade(l.Cloth, 1, .05, 120), d.shade(l.Second, 1, .05, 120)
	switch l.Pattern {
	case Striped:
		return func(x, y float64) [3]float64 {
			if int(math.Floor(x/26))&1 == 0 {
				return first(x, y)
			}
			return second(x, y)
		}
	case Checked:
		return func(x, y float64) [3]float64 {
			if (int(math.Floor(x/34))+int(math.Floor(y/34)))&1 == 0 {
				return first(x, y)
			}
			return second(x, y)
		}
	}
	return first
}

func (l Look) features(d *drawing, cx, ied float64) {
	const fw = drawnFW
	dark := color.RGBA{40, 28, 26, 255}
	for _, side := range [2]float64{-1, 1} {
		x := cx + side*ied/2
		d.fill(ellipse(x, drawnEye, .065*fw, .03*fw), d.shade(color.RGBA{235, 232, 228, 255}, 1, .01, 40))
		d.fill(ellipse(x, drawnEye, .026*fw, .029*fw), d.shade(dark, 1, .02, 20))
		d.fill(ellipse(x, drawnEye-.1*fw, .09*fw, .016*fw), d.shade(l.Dye, .8, .05, 20))
		if l.Glasses {
			ring := ellipse(x, drawnEye+.01*fw, .13*fw, .1*fw)
			d.fill(func(x, y float64) float64 { return math.Abs(ring(x, y)) - .011*fw }, d.shade(dark, .8, .02, 20))
			// The temples reach past the cheek to the ear.
			d.fill(func(px, y float64) float64 {
				return segmentDistance(px, y, [2]float64{x + side*.13*fw, drawnEye}, [2]float64{cx + side*.44*fw, drawnEye + .01*fw}) - .009*fw
			}, d.shade(dark, .8, .02, 20))
		}
	}
	d.fill(ellipse(cx, drawnEye+.27*fw, .06*fw, .02*fw), d.shade(l.Skin, .8, .02, 20))
	d.fill(ellipse(cx, drawnEye+.45*fw, .12*fw, .025*fw), d.shade(color.RGBA{160, 84, 80, 255}, 1, .03, 30))
}

// hairdo is the hair on the skull.
type hairdo struct {
	Look
	cx, cy  float64
	thick   float64 // beyond the skull
	strands int
	length  float64 // of single hairs, in face widths
	lobes   [3]float64
}

func (l Look) newHairdo(d *drawing, cx float64) *hairdo {
	const fw = drawnFW
	h := &hairdo{Look: l, cx: cx, cy: drawnEye + .1*fw}
	switch l.Hair {
	case Bald:
		return h
	case Short:
		h.thick, h.strands, h.length = .05*fw, 120, .05
	case Frizzy:
		h.thick, h.strands, h.length = .15*fw, 900, .2
	case Bob, Long:
		h.thick, h.strands, h.length = .13*fw, 140, .14
	case Bun:
		h.thick, h.strands, h.length = .05*fw, 110, .14
	}
	if l.Strands > 0 {
		h.strands = l.Strands
	}
	for i := range h.lobes {
		h.lobes[i] = d.rng.Float64() * 6
	}
	return h
}

// rim is the distance of the hair's outline from (cx, cy) in a direction.
func (h *hairdo) rim(angle float64) float64 {
	const fw = drawnFW
	s, c := math.Sin(angle), math.Cos(angle)
	lobes := math.Sin(5*angle+h.lobes[0]) + .6*math.Sin(11*angle+h.lobes[1]) + .4*math.Sin(23*angle+h.lobes[2])
	return 1/math.Hypot(c/(.41*fw+h.thick), s/(.52*fw+h.thick)) + .15*h.thick*lobes
}

// outline is the distance to the hair's outline; below the ears it draws in.
func (h *hairdo) outline(x, y float64) float64 {
	const fw = drawnFW
	dx, dy := x-h.cx, y-h.cy
	out := math.Hypot(dx, dy) - h.rim(math.Atan2(dy, dx))
	if h.Hair != Bob && h.Hair != Long {
		low := .1 * fw
		if h.Hair == Frizzy {
			low = .3 * fw
		}
		out = max(out, y-drawnEye-low-.1*fw*math.Sin(math.Abs(dx)/(.1*fw)))
	}
	return out
}

// behind draws what the head hides of it, and the bun.
func (h *hairdo) behind(d *drawing) {
	const fw = drawnFW
	switch h.Hair {
	case Bald:
		return
	case Bun:
		d.fill(ellipse(h.cx+.05*fw, drawnEye-.56*fw, .17*fw, .14*fw), d.strandy(h.Dye, .95))
	}
	d.fill(func(x, y float64) float64 { return max(h.outline(x, y), y-drawnEye-.5*fw) }, d.strandy(h.Dye, .9))
}

// front draws the fringe, the temples and the single hairs.
func (h *hairdo) front(d *drawing, chin float64) {
	const fw = drawnFW
	if h.Hair == Bald {
		return
	}
	low := drawnEye + .1*fw
	if h.Hair == Bob || h.Hair == Long {
		low = chin - .1*fw
	}
	d.fill(func(x, y float64) float64 {
		dx := x - h.cx
		fringe := y - drawnEye + .27*fw + .1*fw*(1-math.Pow(dx/(.4*fw), 2)) // above: hair
		temple := .36*fw - math.Abs(dx)
		return max(h.outline(x, y), min(fringe, max(temple, y-low)))
	}, d.strandy(h.Dye, 1))
	for range h.strands {
		angle := -math.Pi*1.04 + d.rng.Float64()*math.Pi*1.08
		r := h.rim(angle) - .03*fw
		dir := angle + (d.rng.Float64()-.5)*1.6
		d.strand(h.cx+r*math.Cos(angle), h.cy+r*math.Sin(angle), dir, (.4+.8*d.rng.Float64())*h.length*fw, h.Dye)
	}
}

// drawing is a premultiplied canvas.
type drawing struct {
	w, h  int
	pix   [][4]float32 // R, G, B of 0..255 times alpha, alpha
	rng   *rand.Rand
	grain [9][3]float64
}

// shader is a colour, 0..255, at a place.
type shader func(x, y float64) [3]float64

// fill lays a shape over the canvas: outline is the distance to its edge in
// pixels, negative inside; the edge is as soft as a lens makes it.
func (d *drawing) fill(outline func(x, y float64) float64, c shader) {
	const soft = 1.3
	for y := range d.h {
		for x := range d.w {
			px, py := float64(x)+.5, float64(y)+.5
			a := min(max(.5-outline(px, py)/soft, 0), 1)
			if a > 0 {
				d.over(x, y, a, c(px, py))
			}
		}
	}
}

func (d *drawing) over(x, y int, a float64, c [3]float64) {
	q := &d.pix[y*d.w+x]
	keep := float32(1 - a)
	for ch := range 3 {
		q[ch] = q[ch]*keep + float32(a*min(max(c[ch], 0), 255))
	}
	q[3] = q[3]*keep + float32(a)
}

// shade lights a colour from above left, with soft unevenness of the given
// depth and size.
func (d *drawing) shade(c color.RGBA, k, depth, size float64) shader {
	return func(x, y float64) [3]float64 {
		v := k * (1 - .0001*(x-float64(d.w)/2) - .00005*(y-drawnEye))
		for _, g := range d.grain[:4] {
			v += depth * .35 * math.Sin(g[0]*x*60/size+g[1]*y*60/size+g[2])
		}
		return [3]float64{float64(c.R) * v, float64(c.G) * v, float64(c.B) * v}
	}
}

// strandy is hair: fine uneven streaks along it and a highlight.
func (d *drawing) strandy(c color.RGBA, k float64) shader {
	return func(x, y float64) [3]float64 {
		v := k * (1 + .16*math.Sin(x*.55+2*math.Sin(y*.021)) + .12*math.Sin(x*1.31+1.5*math.Sin(y*.034+1)) +
			.18*math.Exp(-math.Pow((y-drawnEye+.35*drawnFW)/60, 2)))
		return [3]float64{float64(c.R)*v + 4, float64(c.G)*v + 3, float64(c.B)*v + 3}
	}
}

// strand draws one hair from its root.
func (d *drawing) strand(x, y, dir, length float64, c color.RGBA) {
	k := .75 + .5*d.rng.Float64()
	col := [3]float64{float64(c.R)*k + 4, float64(c.G)*k + 3, float64(c.B)*k + 3}
	bend := (d.rng.Float64() - .5) * .03
	width := .5 + 1.1*d.rng.Float64()
	for t := 0.; t < length; t += .7 {
		x += .7 * math.Cos(dir)
		y += .7 * math.Sin(dir)
		dir += bend
		r := max(width*(1-t/length), .3)
		for j := int(y - r - 1); j <= int(y+r+1); j++ {
			for i := int(x - r - 1); i <= int(x+r+1); i++ {
				if i < 0 || j < 0 || i >= d.w || j >= d.h {
					continue
				}
				if a := min(max(r+.5-math.Hypot(float64(i)+.5-x, float64(j)+.5-y), 0), 1) * .55; a > 0 {
					d.over(i, j, a, col)
				}
			}
		}
	}
}

func (d *drawing) image() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, d.w, d.h))
	for i, q := range d.pix {
		a := max(q[3], 1e-6)
		for ch := range 3 {
			m.Pix[4*i+ch] = uint8(min(q[ch]/a+.5, 255))
		}
		m.Pix[4*i+3] = uint8(q[3]*255 + .5)
	}
	return m
}

// ellipse returns the approximate distance to an ellipse's outline.
func ellipse(cx, cy, rx, ry float64) func(x, y float64) float64 {
	return func(x, y float64) float64 {
		dx, dy := (x-cx)/rx, (y-cy)/ry
		k := math.Hypot(dx, dy)
		g := math.Hypot(dx/rx, dy/ry)
		if g == 0 {
			return -min(rx, ry)
		}
		return k * (k - 1) / g
	}
}

func segmentDistance(x, y float64, a, b [2]float64) float64 {
	dx, dy := b[0]-a[0], b[1]-a[1]
	t := min(max(((x-a[0])*dx+(y-a[1])*dy)/(dx*dx+dy*dy), 0), 1)
	return math.Hypot(x-a[0]-t*dx, y-a[1]-t*dy)
}

// Recolour returns a copy of the person with the hair (what is above the eyes
// or beside the face and not skin-like) and the skin multiplied by two tints.
func (p *Person) Recolour(name string, skin, hair [3]float64) *Person {
	out := *p
	out.Name = fmt.Sprintf("%s-%s", p.Name, name)
	out.Image = image.NewNRGBA(p.Image.Rect)
	copy(out.Image.Pix, p.Image.Pix)
	ied := math.Hypot(p.EyeR.X-p.EyeL.X, p.EyeR.Y-p.EyeL.Y)
	cx, ey := (p.EyeL.X+p.EyeR.X)/2, (p.EyeL.Y+p.EyeR.Y)/2
	for y := range p.Image.Rect.Dy() {
		if float64(y) > p.ChinY+.5*ied {
			break
		}
		// The clothes keep their colour, by a soft step under the chin.
		keep := min(max((float64(y)-p.ChinY-.1*ied)/(.4*ied), 0), 1)
		for x := range p.Image.Rect.Dx() {
			dx, dy := (float64(x)-cx)/(1.0*ied), (float64(y)-ey-.45*ied)/(1.45*ied)
			t := min(max((math.Hypot(dx, dy)-.9)/.2, 0), 1) // 0 face, 1 hair
			q := out.Image.Pix[out.Image.PixOffset(x, y):]
			for ch := range 3 {
				k := skin[ch]*(1-t) + hair[ch]*t
				q[ch] = uint8(min(float64(q[ch])*(k*(1-keep)+keep), 255))
			}
		}
	}
	return &out
}
