// Package mattetest builds booth scenes whose alpha is exact by construction
// and scores mattes against it. It is for tests and benchmarks only.
//
// A cut-out person is composed over a simulated backdrop with lamp slope,
// texture, cast shadow, exposure and colour drift, sensor noise and a JPEG round
// trip (4:2:0, quality 92), the way a web camera would deliver it.
package mattetest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"golang.org/x/image/draw"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// Person is a cut-out with its geometry in its own pixels.
type Person struct {
	Name       string
	Image      *image.NRGBA
	EyeL, EyeR matte.Point
	ChinY      float64
}

// geometry of the known cut-outs, measured by hand.
var geometry = map[string]Person{
	"student":   {EyeL: matte.Point{X: 455, Y: 398}, EyeR: matte.Point{X: 637, Y: 396}, ChinY: 732},
	"astronaut": {EyeL: matte.Point{X: 203, Y: 100}, EyeR: matte.Point{X: 249, Y: 103}, ChinY: 187},
	"glasses":   {EyeL: matte.Point{X: 308, Y: 243}, EyeR: matte.Point{X: 392, Y: 243}, ChinY: 408},
	"whitehair": {EyeL: matte.Point{X: 564, Y: 404}, EyeR: matte.Point{X: 751, Y: 412}, ChinY: 782},
}

// Load reads the cut-out of one of the known people from a PNG file.
func Load(name, file string) (*Person, error) {
	p, ok := geometry[name]
	if !ok {
		return nil, fmt.Errorf("mattetest: nobody is called %q", name)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("mattetest: decode %s: %w", file, err)
	}
	b := m.Bounds()
	// A low edge of the cut-out goes on downwards, so that every crop is filled.
	extra := b.Dy() / 3
	p.Name = name
	p.Image = image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()+extra))
	for y := range b.Dy() + extra {
		for x := range b.Dx() {
			p.Image.Set(x, y, m.At(b.Min.X+x, b.Min.Y+min(y, b.Dy()-1)))
		}
	}
	return &p, nil
}

// Shirt returns a copy of the person in plain clothes of the given colour:
// everything below the chin that is not skin-like is recoloured, its folds kept.
func (p *Person) Shirt(name string, c color.RGBA) *Person {
	out := *p
	out.Name = p.Name + "-" + name
	out.Image = image.NewNRGBA(p.Image.Rect)
	copy(out.Image.Pix, p.Image.Pix)
	fw := 2.4 * (p.EyeR.X - p.EyeL.X)
	cx := (p.EyeL.X + p.EyeR.X) / 2
	for y := range p.Image.Rect.Dy() {
		for x := range p.Image.Rect.Dx() {
			// Below a V-shaped neckline.
			if float64(y) < p.ChinY+.05*fw || math.Abs(float64(x)-cx) < .33*fw-(float64(y)-p.ChinY)*.5 {
				continue
			}
			q := out.Image.Pix[out.Image.PixOffset(x, y):]
			l := (float64(q[0]) + float64(q[1]) + float64(q[2])) / 3
			k := .9 + .1*math.Tanh((l-60)/60)
			q[0] = uint8(min(float64(c.R)*k, 255))
			q[1] = uint8(min(float64(c.G)*k, 255))
			q[2] = uint8(min(float64(c.B)*k, 255))
		}
	}
	return &out
}

// Strands returns a copy of the person with n single hairs standing off the
// head: thin, curved, in the colour of the hair.
func (p *Person) Strands(n int, seed uint64) *Person {
	out := *p
	out.Name = p.Name + "-strands"
	out.Image = image.NewNRGBA(p.Image.Rect)
	copy(out.Image.Pix, p.Image.Pix)
	rng := rand.New(rand.NewPCG(seed, 7))
	ied := p.EyeR.X - p.EyeL.X
	cx, cy := (p.EyeL.X+p.EyeR.X)/2, (p.EyeL.Y+p.EyeR.Y)/2-.3*ied
	for range n {
		angle := -math.Pi*.95 + rng.Float64()*math.Pi*.9
		// Find the hair's rim along the ray, start inside it.
		r := 3. * ied
		for ; r > 0; r-- {
			x, y := int(cx+r*math.Cos(angle)), int(cy+r*math.Sin(angle))
			if (image.Point{X: x, Y: y}).In(p.Image.Rect) && p.Image.NRGBAAt(x, y).A > 250 {
				break
			}
		}
		r -= .08 * ied
		root := p.Image.NRGBAAt(int(cx+r*math.Cos(angle)), int(cy+r*math.Sin(angle)))
		x, y := cx+r*math.Cos(angle), cy+r*math.Sin(angle)
		dir, bend := angle+(rng.Float64()-.5), (rng.Float64()-.5)*.02
		length := (.15 + .3*rng.Float64()) * ied
		width := .006 * ied * (.7 + rng.Float64())
		for t := 0.; t < length; t += .5 {
			x += .5 * math.Cos(dir)
			y += .5 * math.Sin(dir)
			dir += bend * 60 / ied
			dab(out.Image, x, y, max(width*(1-t/length), .35), root)
		}
	}
	return &out
}

// dab covers a small disc with a colour, "over", with soft edges.
func dab(m *image.NRGBA, x, y, r float64, c color.NRGBA) {
	for j := int(y - r - 1); j <= int(y+r+1); j++ {
		for i := int(x - r - 1); i <= int(x+r+1); i++ {
			if !(image.Point{X: i, Y: j}).In(m.Rect) {
				continue
			}
			d := math.Hypot(float64(i)+.5-x, float64(j)+.5-y)
			a := min(max(r+.5-d, 0), 1) * .6
			if a == 0 {
				continue
			}
			q := m.Pix[m.PixOffset(i, j):]
			was := float64(q[3]) / 255
			now := was + (1-was)*a
			mix := a * (1 - was) / max(now, 1e-6)
			for ch, v := range [3]uint8{c.R, c.G, c.B} {
				q[ch] = uint8(float64(q[ch])*(1-mix) + float64(v)*mix)
			}
			q[3] = uint8(now*255 + .5)
		}
	}
}

// Backdrop is a simulated wall.
type Backdrop struct {
	Name    string
	Colour  [3]float64
	Slope   float64 // lamp falls off by this share across the frame
	Texture float64 // amplitude of wrinkles and weave, share
	Clutter int     // objects before it: shelves, posters, other people's coats
	Creases int     // sharp folds of a cloth
}

// The usual walls.
var (
	White  = Backdrop{"white", [3]float64{232, 231, 227}, .10, .006, 0, 0}
	Blue   = Backdrop{"blue", [3]float64{82, 140, 205}, .12, .008, 0, 0}
	Grey   = Backdrop{"grey", [3]float64{150, 150, 152}, .12, .01, 0, 0}
	Green  = Backdrop{"green", [3]float64{70, 165, 85}, .12, .008, 0, 0}
	Cloth  = Backdrop{"cloth", [3]float64{214, 214, 220}, .15, .035, 0, 0}
	Office = Backdrop{"office", [3]float64{205, 203, 198}, .12, .01, 14, 0}
	Shelf  = Backdrop{"shelf", [3]float64{120, 100, 80}, .12, .02, 90, 0}
)

// Camera is how the scene is taken.
type Camera struct {
	W, H     int
	Noise    float64 // deviation at mid grey, 8-bit units
	Exposure float64 // drift of the frame against the plate, e.g. .03
	Tint     float64 // colour drift: red up, blue down
	Shadow   float64 // depth of the cast shadow
	Plates   int     // frames of the empty booth
	Face     float64 // face width in pixels
	OffsetX  float64 // of the person from the middle, in face widths

	// What the camera does to its picture before it sends it.
	Denoise   float64 // range of an edge-keeping 5×5 smoothing, in noise deviations; 0 is off
	Sharpen   float64 // share of the luminance's fine detail that is added again
	Chroma422 bool    // colour at half the width only, instead of half both ways
	Bounce    float64 // light of the wall on the person's rim, as a share of the lamps'
	Jitter    float64 // error of the face finder, in face widths
}

// Usual is the middle of an ordinary 1080p web camera's picture in a fair light.
var Usual = Camera{W: 1280, H: 1080, Noise: 2.2, Exposure: .03, Tint: .008, Shadow: .12, Plates: 5, Face: 380}

// Webcam is the same camera as it comes out of the box: it smooths its noise,
// sharpens what is left and sends colour at half the width. The wall lights the
// person's rim a little, and the face finder is not quite right.
var Webcam = Camera{
	W: 1280, H: 1080, Noise: 3, Exposure: .03, Tint: .012, Shadow: .12, Plates: 8, Face: 380,
	Denoise: 2.5, Sharpen: .7, Chroma422: true, Bounce: .05, Jitter: .02,
}

// Booth is a wall and the camera before it, with its frames of the empty wall.
type Booth struct {
	Backdrop Backdrop
	Camera   Camera
	Plates   []*image.RGBA

	wall [3][]float32
	seed uint64
}

// NewBooth photographs an empty wall.
func NewBooth(b Backdrop, cam Camera, seed uint64) *Booth {
	rng := rand.New(rand.NewPCG(seed, 99))
	o := &Booth{Backdrop: b, Camera: cam, wall: b.paint(cam.W, cam.H, seed), seed: seed}
	for i := range cam.Plates {
		o.Plates = append(o.Plates, shoot(o.wall, nil, cam, rng.Uint64()+uint64(i)))
	}
	return o
}

// Scene is a photographed person and the truth about it.
type Scene struct {
	Name   string
	Frame  *image.RGBA
	Plates []*image.RGBA
	Face   matte.FaceBox
	Region matte.Rect // generous area round the person
	Crop   matte.Rect // what becomes the portrait
	CrownY float64

	w, h  int
	alpha []float32
	own   [3][]float32 // the person's own light: colour times alpha
	seen  [3][]float32 // the same with the wall's light on it, while it is photographed
}

// Compose builds a booth and a scene in it; the same arguments give the same
// scene.
func Compose(p *Person, b Backdrop, cam Camera, seed uint64) *Scene {
	return NewBooth(b, cam, seed).Photograph(p, cam, seed)
}

// Photograph takes a picture of a person in the booth. cam may place the person
// otherwise and let light and exposure drift; what the camera is must stay as
// it was for the plates.
func (o *Booth) Photograph(p *Person, cam Camera, seed uint64) *Scene {
	rng := rand.New(rand.NewPCG(seed, 98))
	ied := math.Hypot(p.EyeR.X-p.EyeL.X, p.EyeR.Y-p.EyeL.Y)
	eyeY := (p.EyeL.Y + p.EyeR.Y) / 2
	size := math.Sqrt(2.4 * ied * (p.ChinY - eyeY) / .72)
	k := cam.Face / size
	s := &Scene{Name: p.Name + "/" + o.Backdrop.Name, Plates: o.Plates, w: cam.W, h: cam.H}
	// Eye line so that the crop (eyes at 0.40 of its height) sits in the frame.
	cropH := cam.Face * 2.7
	eyeX := float64(cam.W)/2 + cam.OffsetX*cam.Face
	eyeLine := float64(cam.H) - .62*cropH
	x0, y0 := eyeX-(p.EyeL.X+p.EyeR.X)/2*k, eyeLine-eyeY*k
	s.Crop = matte.Rect{X: eyeX - cropH*.375, Y: eyeLine - .4*cropH, W: cropH * .75, H: cropH}
	s.Region = matte.Rect{X: eyeX - cropH*.45, Y: eyeLine - .5*cropH, W: cropH * .9, H: cropH * 1.1}
	at := func(q matte.Point) matte.Point { return matte.Point{X: x0 + q.X*k, Y: y0 + q.Y*k} }
	s.Face = matte.FaceBox{
		X: eyeX - cam.Face/2, Y: eyeLine - .36*cam.Face, W: cam.Face, H: cam.Face,
		EyeL: at(p.EyeL), EyeR: at(p.EyeR), ChinY: y0 + p.ChinY*k,
	}
	for _, v := range []*float64{&s.Face.EyeL.X, &s.Face.EyeL.Y, &s.Face.EyeR.X, &s.Face.EyeR.Y, &s.Face.ChinY} {
		*v += rng.NormFloat64() * cam.Jitter * cam.Face
	}

	sprite := image.NewRGBA64(image.Rect(0, 0, cam.W, cam.H))
	dst := image.Rect(int(x0), int(y0), int(x0+float64(p.Image.Rect.Dx())*k), int(y0+float64(p.Image.Rect.Dy())*k))
	draw.CatmullRom.Scale(sprite, dst, p.Image, p.Image.Rect, draw.Src, nil)
	n := cam.W * cam.H
	s.alpha = make([]float32, n)
	for ch := range s.own {
		s.own[ch] = make([]float32, n)
	}
	s.CrownY = -1
	for i := range n {
		q := sprite.Pix[8*i:]
		v := func(o int) float32 { return float32(uint16(q[o])<<8|uint16(q[o+1])) / 65535 }
		s.alpha[i] = v(6)
		for ch := range 3 {
			s.own[ch][i] = v(2*ch) * 255
		}
		if s.CrownY < 0 && s.alpha[i] > .5 {
			s.CrownY = float64(i / cam.W)
		}
	}

	shade := s.shadow(cam)
	gain := 1 + cam.Exposure
	tint := [3]float64{gain * (1 + cam.Tint), gain, gain * (1 - cam.Tint)}
	var lit [3][]float32
	for ch := range lit {
		lit[ch] = make([]float32, n)
		for i := range n {
			lit[ch][i] = o.wall[ch][i] * float32(tint[ch]) * (1 - shade[i])
		}
	}
	s.seen = s.bounced(o.Backdrop, cam)
	s.Frame = shoot(lit, s, cam, rng.Uint64())
	s.seen = [3][]float32{}
	return s
}

// bounced is the person's light with the wall's on top: what faces the wall at
// the rim is lit by it. The truth is without.
func (s *Scene) bounced(b Backdrop, cam Camera) [3][]float32 {
	if cam.Bounce == 0 {
		return s.own
	}
	free := make([]float32, len(s.alpha))
	for i, a := range s.alpha {
		free[i] = 1 - a
	}
	for range 2 {
		blur(free, s.w, s.h, int(.03*cam.Face))
	}
	var out [3][]float32
	for ch := range out {
		out[ch] = make([]float32, len(free))
		k := float32(2 * cam.Bounce * b.Colour[ch] / 255)
		for i, v := range s.own[ch] {
			out[ch][i] = v * (1 + k*free[i])
		}
	}
	return out
}

// paint renders the wall.
func (b Backdrop) paint(w, h int, seed uint64) [3][]float32 {
	rng := rand.New(rand.NewPCG(seed, 3))
	var waves [12][4]float64
	for i := range waves {
		f := math.Pow(2, 1+rng.Float64()*6) * 2 * math.Pi / float64(w)
		a := rng.Float64() * math.Pi
		waves[i] = [4]float64{f * math.Cos(a), f * math.Sin(a), rng.Float64() * 6, .5 + rng.Float64()}
	}
	creases := make([][5]float64, b.Creases) // direction, offset, width, depth
	for i := range creases {
		a := rng.Float64() * math.Pi
		creases[i] = [5]float64{
			math.Cos(a), math.Sin(a),
			math.Cos(a)*rng.Float64()*float64(w) + math.Sin(a)*rng.Float64()*float64(h),
			3 + 12*rng.Float64(), (rng.Float64() - .5) * .08,
		}
	}
	var out [3][]float32
	for ch := range out {
		out[ch] = make([]float32, w*h)
	}
	for y := range h {
		for x := range w {
			u, v := float64(x)/float64(w)-.5, float64(y)/float64(h)-.5
			k := 1 - b.Slope*(.7*u+.5*v+.8*u*u)
			t := 0.
			if b.Texture > 0 {
				for _, q := range waves {
					t += q[3] * math.Sin(q[0]*float64(x)+q[1]*float64(y)+q[2])
				}
			}
			k *= 1 + b.Texture*t/3
			for _, q := range creases { // bright on one side, dark on the other
				if d := (float64(x)*q[0] + float64(y)*q[1] - q[2]) / q[3]; math.Abs(d) < 5 {
					k *= 1 + q[4]*d*math.Exp(.5-d*d/2)
				}
			}
			for ch := range out {
				out[ch][y*w+x] = float32(b.Colour[ch] * k)
			}
		}
	}
	b.furnish(out, w, h, rng)
	return out
}

// furnish hangs upright rectangles of many colours before the wall.
func (b Backdrop) furnish(wall [3][]float32, w, h int, rng *rand.Rand) {
	for range b.Clutter {
		x0, y0 := int(rng.Float64()*float64(w)), int(rng.Float64()*float64(h))
		x1, y1 := min(x0+int((.03+.12*rng.Float64())*float64(w)), w), min(y0+int((.06+.22*rng.Float64())*float64(h)), h)
		for ch := range wall {
			v := float32(20 + 215*rng.Float64())
			for y := y0; y < y1; y++ {
				for x := x0; x < x1; x++ {
					wall[ch][y*w+x] = v
				}
			}
		}
	}
}

// shadow is the soft shadow the person casts to the lower right.
func (s *Scene) shadow(cam Camera) []float32 {
	w, h := s.w, s.h
	out := make([]float32, w*h)
	if cam.Shadow == 0 {
		return out
	}
	dx, dy := int(.14*cam.Face), int(.08*cam.Face)
	for y := dy; y < h; y++ {
		for x := dx; x < w; x++ {
			out[y*w+x] = s.alpha[(y-dy)*w+x-dx] * float32(cam.Shadow)
		}
	}
	for range 3 {
		blur(out, w, h, int(.08*cam.Face))
	}
	return out
}

func blur(p []float32, w, h, r int) {
	line := make([]float32, max(w, h))
	pass := func(start, stride, n int) {
		for i := range n {
			line[i] = p[start+i*stride]
		}
		var sum float32
		for i := -r; i <= r; i++ {
			sum += line[min(max(i, 0), n-1)]
		}
		for i := range n {
			p[start+i*stride] = sum / float32(2*r+1)
			sum += line[min(i+r+1, n-1)] - line[max(i-r, 0)]
		}
	}
	for y := range h {
		pass(y*w, 1, w)
	}
	for x := range w {
		pass(x, w, h)
	}
}

// shoot photographs a wall, with the scene's person before it unless nil.
func shoot(wall [3][]float32, s *Scene, cam Camera, seed uint64) *image.RGBA {
	rng := rand.New(rand.NewPCG(seed, 5))
	n := cam.W * cam.H
	var light [3][]float32
	for ch := range light {
		light[ch] = make([]float32, n)
	}
	for i := range n {
		for ch := range light {
			v := float64(wall[ch][i])
			if s != nil {
				v = float64(s.seen[ch][i]) + v*(1-float64(s.alpha[i]))
			}
			// Shot noise grows with the root of the light, read noise does not.
			sigma := cam.Noise * math.Sqrt(.2+.8*max(v, 0)/128)
			light[ch][i] = float32(v + sigma*rng.NormFloat64())
		}
	}
	if cam.Denoise > 0 {
		light = denoise(light, cam.W, cam.H, cam.Denoise*cam.Noise)
	}
	if cam.Sharpen > 0 {
		sharpen(light, cam.W, cam.H, cam.Sharpen)
	}
	m := image.NewRGBA(image.Rect(0, 0, cam.W, cam.H))
	for i := range n {
		for ch := range light {
			m.Pix[4*i+ch] = uint8(min(max(light[ch][i]+.5, 0), 255))
		}
		m.Pix[4*i+3] = 255
	}
	if err := compress(m, cam.Chroma422); err != nil {
		panic(err) //nolint:forbidigo // an in-memory RGBA image of sane size always encodes
	}
	return m
}

// compress takes a picture through a JPEG of quality 92.
func compress(m *image.RGBA, chroma422 bool) error {
	if chroma422 {
		data, err := codec.EncodeRGBA(nil, m, 92, codec.S422)
		if err != nil {
			return err
		}
		return codec.DecodeRGBA(m, data, codec.Options{})
	}
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, m, &jpeg.Options{Quality: 92}); err != nil {
		return err
	}
	d, err := jpeg.Decode(&buf)
	if err != nil {
		return err
	}
	draw.Draw(m, m.Rect, d, image.Point{}, draw.Src)
	return nil
}

// denoise averages over 5×5 neighbours of like luminance (Lee's sigma filter,
// softened): noise goes, edges stay, and what noise remains is no longer white.
func denoise(p [3][]float32, w, h int, width float64) [3][]float32 {
	var out [3][]float32
	for ch := range out {
		out[ch] = slices.Clone(p[ch])
	}
	luma := make([]float32, w*h)
	for i := range luma {
		luma[i] = (p[0][i] + 2*p[1][i] + p[2][i]) / 4
	}
	inv := float32(1 / (width * width))
	for y := 2; y < h-2; y++ {
		for x := 2; x < w-2; x++ {
			i := y*w + x
			var sum [3]float32
			var total float32
			for j := i - 2*w; j <= i+2*w; j += w {
				for q := j - 2; q <= j+2; q++ {
					d := luma[q] - luma[i]
					k := 1 - d*d*inv
					if k <= 0 {
						continue
					}
					total += k
					sum[0] += k * p[0][q]
					sum[1] += k * p[1][q]
					sum[2] += k * p[2][q]
				}
			}
			for ch := range out { // the pixel itself always counts
				out[ch][i] = sum[ch] / total
			}
		}
	}
	return out
}

// sharpen adds a share of the luminance's detail: an unsharp mask of 5×5.
func sharpen(p [3][]float32, w, h int, amount float64) {
	soft := make([]float32, w*h)
	for i := range soft {
		soft[i] = (p[0][i] + 2*p[1][i] + p[2][i]) / 4
	}
	luma := slices.Clone(soft)
	blur(soft, w, h, 1)
	blur(soft, w, h, 1)
	for i := range soft {
		d := float32(amount) * (luma[i] - soft[i])
		p[0][i] += d
		p[1][i] += d
		p[2][i] += d
	}
}
