package checks

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// The frame of the simulated camera.
const frameW, frameH = 1280, 960

// rgb is a colour in linear light, 0 to 1.
type rgb [3]float64

// toLinear and toByte are the sRGB curve (IEC 61966-2-1) and its inverse.
var toLinear = sync.OnceValue(func() *[256]float64 {
	var t [256]float64
	for i := range t {
		c := float64(i) / 255
		if c <= .04045 {
			t[i] = c / 12.92
		} else {
			t[i] = math.Pow((c+.055)/1.055, 2.4)
		}
	}
	return &t
})

var byteTable = sync.OnceValue(func() *[4097]float64 {
	var t [4097]float64
	for i := range t {
		c := float64(i) / 4096
		if c <= .0031308 {
			t[i] = 255 * 12.92 * c
		} else {
			t[i] = 255 * (1.055*math.Pow(c, 1/2.4) - .055)
		}
	}
	return &t
})

// toByte gives 0..255 as a fraction, so that noise can be added before rounding.
func toByte(v float64) float64 {
	v = min(max(v, 0), 1) * 4096
	i := min(int(v), 4095)
	t := byteTable()
	return t[i] + (t[i+1]-t[i])*(v-float64(i))
}

func srgb(r, g, b uint8) rgb {
	t := toLinear()
	return rgb{t[r], t[g], t[b]}
}

// wall is a backdrop.
type wall struct {
	name    string
	colour  rgb
	slope   float64 // light lost towards the corners, share
	stripes float64 // depth of stripes 60 px wide, share of the light
	shelf   bool    // books instead of a wall
}

func (w wall) at(x, y int) rgb {
	if w.shelf {
		v := uint32(x*64/frameW*31+y*12/frameH*57+1) * 2654435761
		return srgb(uint8(20+v>>8%230), uint8(20+v>>16%230), uint8(20+v>>24%230))
	}
	dx, dy := float64(x)/frameW-.5, float64(y)/frameH-.35
	k := 1 - w.slope*(dx*dx+dy*dy)*2
	if w.stripes > 0 && x/60%2 == 0 {
		k *= 1 - w.stripes
	}
	return rgb{w.colour[0] * k, w.colour[1] * k, w.colour[2] * k}
}

// lastWall is the light of the wall that was asked for last: most photos in a
// row are taken before the same one. The tests here run one after another.
var lastWall struct {
	wall  wall
	light []rgb
}

func (w wall) light() []rgb {
	if lastWall.light != nil && lastWall.wall == w {
		return lastWall.light
	}
	px := make([]rgb, frameW*frameH)
	for y := range frameH {
		for x := range frameW {
			px[y*frameW+x] = w.at(x, y)
		}
	}
	lastWall.wall, lastWall.light = w, px
	return px
}

// The walls that booths have.
var (
	greyWall  = wall{name: "grey", colour: srgb(205, 205, 203), slope: .15}
	whiteWall = wall{name: "white", colour: srgb(232, 231, 228), slope: .12}
	blueWall  = wall{name: "blue", colour: srgb(96, 150, 210), slope: .12}
	greenWall = wall{name: "green", colour: srgb(96, 165, 110), slope: .12}
)

// shot is one simulated photo.
type shot struct {
	who  *person
	wall wall
	// Where the point between the pupils lies, and how far apart they are.
	eyeX, eyeY, ied float64
	// Pose, in degrees: roll and yaw positive as the checks count them.
	roll, yaw, pitch float64
	// paint changes a copy of the cut-out; u, v are in eye distances.
	paint []brush
	// shape moves points of the picture: it says where in the cut-out the light
	// at (u, v) comes from.
	shape func(u, v float64) (float64, float64)
	gain  rgb     // of the light, 1 as it is
	shade float64 // depth of the shadow that the person casts on the wall
	// second is the scale of a second person relative to the first, 0 nobody,
	// and where his eyes are in the frame.
	second           float64
	secondX, secondY float64
	blur             float64 // σ in frame pixels
	noise            float64 // σ in 8-bit levels
	jpegQuality      int     // of the camera; 0: none
	seed             uint64
}

// brush changes the colour of one pixel of the cut-out.
type brush func(u, v float64, c color.NRGBA) color.NRGBA

// good is the shot that every ladder starts from.
func good(p *person) shot {
	return shot{
		who: p, wall: greyWall, eyeX: 640, eyeY: 430, ied: 135, gain: rgb{1, 1, 1}, shade: .04, noise: 1.6, seed: 1, jpegQuality: 92,
	}
}

// painted is the cut-out after the brushes.
func (s *shot) painted() *image.NRGBA {
	if len(s.paint) == 0 {
		return s.who.img
	}
	p := s.who
	out := image.NewNRGBA(p.img.Rect)
	copy(out.Pix, p.img.Pix)
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			o := out.PixOffset(x, y)
			q := out.Pix[o : o+4 : o+4]
			if q[3] == 0 {
				continue
			}
			c := color.NRGBA{q[0], q[1], q[2], q[3]}
			u, v := (float64(x)+.5-p.x)/p.ied, (float64(y)+.5-p.y)/p.ied
			for _, b := range s.paint {
				c = b(u, v, c)
			}
			q[0], q[1], q[2], q[3] = c.R, c.G, c.B, c.A
		}
	}
	return out
}

// vertices are points of an average head, see testdata/head.txt.
var vertices = sync.OnceValues(func() ([][3]float64, error) {
	f, err := os.Open(filepath.Join("testdata", "head.txt"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out [][3]float64
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var p [3]float64
		if n, _ := fmt.Sscan(lines.Text(), &p[0], &p[1], &p[2]); n == 3 {
			out = append(out, p)
		}
	}
	return out, lines.Err()
})

// The grid of depths: eye distances between nodes, and where it begins and ends.
const (
	depthStep                                = .04
	depthLeft, depthRight, depthUp, depthLow = -2., 2., -2., 2.8
)

// depths is how far an average head stands before the plane of the eyes, in eye
// distances: a real head's shape, or what knows real heads would not see it
// turn. Beyond the face it falls back as a skull does.
var depths = sync.OnceValue(func() [][]float64 {
	points, err := vertices()
	if err != nil || len(points) == 0 {
		panic(fmt.Sprintf("the shape of a head: %d points, %v", len(points), err))
	}
	var rows [][]float64
	for v := depthUp; v <= depthLow+1e-9; v += depthStep {
		var row []float64
		for u := depthLeft; u <= depthRight+1e-9; u += depthStep {
			var z, weight float64
			nearest := math.Inf(1)
			for _, p := range points {
				d := (p[0]-u)*(p[0]-u) + (p[1]-v)*(p[1]-v)
				nearest = min(nearest, d)
				w := 1 / (d + .0009) / (d + .0009)
				z, weight = z+w*p[2], weight+w
			}
			const beyond, slope, deepest = .12, .9, -1.7
			row = append(row, max(z/weight-slope*max(math.Sqrt(nearest)-beyond, 0), deepest))
		}
		rows = append(rows, row)
	}
	return rows
})

// depth of a head at (u, v), between the nodes of depths.
func depth(u, v float64) float64 {
	rows := depths()
	x := min(max((u-depthLeft)/depthStep, 0), float64(len(rows[0])-2)+.999)
	y := min(max((v-depthUp)/depthStep, 0), float64(len(rows)-2)+.999)
	i, j := int(x), int(y)
	fx, fy := x-float64(i), y-float64(j)
	top := rows[j][i] + fx*(rows[j][i+1]-rows[j][i])
	low := rows[j+1][i] + fx*(rows[j+1][i+1]-rows[j+1][i])
	return top + fy*(low-top)
}

// pose says where the head's light at (u, v) comes from when it is turned by
// yaw and pitch: the face looks to the right of the picture when yaw is
// positive, the chin is raised when pitch is.
func pose(yaw, pitch float64) func(u, v float64) (float64, float64) {
	return func(u, v float64) (float64, float64) {
		// The neck bends, the shoulders stay.
		k := min(max((2.7-v)/.6, 0), 1)
		k = k * k * (3 - 2*k)
		sy, cy := math.Sincos(yaw * k * math.Pi / 180)
		sp, cp := math.Sincos(pitch * k * math.Pi / 180)
		su, sv := u, v
		for range 12 {
			z := depth(su, sv)
			su = (u - z*sy) / cy
			sv = (v + z*sp) / cp
		}
		return su, sv
	}
}

// frame renders the photo.
func (s *shot) frame(t testing.TB) *image.RGBA {
	t.Helper()
	return s.camera(t, s.light(true), s.seed)
}

// light is the scene before the camera adds anything.
func (s *shot) light(occupied bool) []rgb {
	px := slices.Clone(s.wall.light())
	if occupied {
		s.cast(px)
		cut := s.painted()
		if s.second > 0 {
			s.stand(px, s.who.img, s.secondX, s.secondY, s.ied*s.second, -s.who.tilt, nil)
		}
		shape := s.shape
		if s.yaw != s.who.turn || s.pitch != s.who.nod {
			turn := pose(s.yaw-s.who.turn, s.pitch-s.who.nod)
			inner := shape
			shape = func(u, v float64) (float64, float64) {
				u, v = turn(u, v)
				if inner != nil {
					u, v = inner(u, v)
				}
				return u, v
			}
		}
		s.stand(px, cut, s.eyeX, s.eyeY, s.ied, s.roll-s.who.tilt, shape)
	}
	return px
}

// cast takes the light of a soft shadow beside the head from the wall.
func (s *shot) cast(px []rgb) {
	if s.shade == 0 {
		return
	}
	for y := range frameH {
		for x := range frameW {
			u, v := (float64(x)-s.eyeX)/s.ied, (float64(y)-s.eyeY)/s.ied
			du, dv := (u-.45)/1.7, (v-.35)/2.2
			r := du*du + dv*dv
			if r > 1.25*1.25 {
				continue
			}
			d := min(max((1.25-math.Sqrt(r))/.5, 0), 1)
			k := 1 - s.shade*d*d*(3-2*d)
			for c := range 3 {
				px[y*frameW+x][c] *= k
			}
		}
	}
}

// stand puts a cut-out into the scene with its eyes at (ex, ey).
func (s *shot) stand(px []rgb, img *image.NRGBA, ex, ey, ied, roll float64, shape func(u, v float64) (float64, float64)) {
	lin := toLinear()
	sin, cos := math.Sincos(roll * math.Pi / 180)
	p := s.who
	w, h := img.Rect.Dx(), img.Rect.Dy()
	// Far fewer pixels than the cut-out has: average several samples.
	k := min(max(int(math.Round(p.ied/ied)), 1), 3)
	rows := func(from, to int) {
		for y := from; y < to; y++ {
			for x := range frameW {
				var acc [4]float64
				for j := range k {
					for i := range k {
						dx := (float64(x) + (float64(i)+.5)/float64(k) - ex) / ied
						dy := (float64(y) + (float64(j)+.5)/float64(k) - ey) / ied
						if math.Abs(dx) > 3.6 || dy < -3 {
							continue
						}
						u, v := cos*dx+sin*dy, -sin*dx+cos*dy
						if shape != nil {
							u, v = shape(u, v)
						}
						sx, sy := p.x+u*p.ied-.5, p.y+v*p.ied-.5
						// The lower edge goes on downwards.
						sy = min(sy, float64(h-2))
						x0, y0 := int(math.Floor(sx)), int(math.Floor(sy))
						if x0 < 0 || y0 < 0 || x0+1 >= w || y0+1 >= h {
							continue
						}
						fx, fy := sx-float64(x0), sy-float64(y0)
						for _, q := range [4]struct {
							o int
							w float64
						}{
							{img.PixOffset(x0, y0), (1 - fx) * (1 - fy)},
							{img.PixOffset(x0+1, y0), fx * (1 - fy)},
							{img.PixOffset(x0, y0+1), (1 - fx) * fy},
							{img.PixOffset(x0+1, y0+1), fx * fy},
						} {
							a := q.w * float64(img.Pix[q.o+3]) / 255
							acc[0] += a * lin[img.Pix[q.o]]
							acc[1] += a * lin[img.Pix[q.o+1]]
							acc[2] += a * lin[img.Pix[q.o+2]]
							acc[3] += a
						}
					}
				}
				if acc[3] == 0 {
					continue
				}
				n := float64(k * k)
				o := &px[y*frameW+x]
				for c := range 3 {
					o[c] = o[c]*(1-acc[3]/n) + acc[c]/n
				}
			}
		}
	}
	var done sync.WaitGroup
	done.Go(func() { rows(0, frameH/2) })
	rows(frameH/2, frameH)
	done.Wait()
}

// camera turns light into the decoded picture of a camera.
func (s *shot) camera(t testing.TB, px []rgb, seed uint64) *image.RGBA {
	t.Helper()
	if s.blur > 0 {
		gauss(px, s.blur)
	}
	rng := rand.New(rand.NewPCG(seed, 11))
	m := image.NewRGBA(image.Rect(0, 0, frameW, frameH))
	// Drawing a normal deviate for every sample would take most of the time.
	var deviates [4096]float64
	for i := range deviates {
		deviates[i] = rng.NormFloat64() * s.noise
	}
	for i, p := range px {
		r := rng.Uint64()
		for c := range 3 {
			v := toByte(p[c]*s.gain[c]) + deviates[r>>(12*c)&4095]
			m.Pix[4*i+c] = uint8(min(max(v+.5, 0), 255))
		}
		m.Pix[4*i+3] = 255
	}
	if s.jpegQuality == 0 {
		return m
	}
	jpg, err := codec.EncodeRGBA(nil, m, s.jpegQuality, codec.S422)
	if err != nil {
		t.Fatal(err)
	}
	if err := codec.DecodeRGBA(m, jpg, codec.Options{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// gauss blurs with a Gaussian of σ pixels, by three boxes each way.
func gauss(px []rgb, sigma float64) {
	// Three boxes of width w have the variance (w²−1)/4.
	w := math.Sqrt(4*sigma*sigma + 1)
	r := int((w - 1) / 2)
	edge := (w - float64(2*r+1)) / 2 // share of the pixel beyond
	line := make([]rgb, max(frameW, frameH))
	pass := func(start, step, n int) {
		for range 3 {
			for i := range n {
				line[i] = px[start+i*step]
			}
			at := func(i, c int) float64 { return line[min(max(i, 0), n-1)][c] }
			for c := range 3 {
				sum := 0.
				for i := -r; i <= r; i++ {
					sum += at(i, c)
				}
				for i := range n {
					px[start+i*step][c] = (sum + edge*(at(i-r-1, c)+at(i+r+1, c))) / w
					sum += at(i+r+1, c) - at(i-r, c)
				}
			}
		}
	}
	for y := range frameH {
		pass(y*frameW, 1, frameW)
	}
	for x := range frameW {
		pass(x, frameW, frameH)
	}
}

// plates of the walls, each photographed once.
type plates struct {
	made map[wall]*pipeline.Plate
}

func (ps *plates) of(t testing.TB, s shot) *pipeline.Plate {
	t.Helper()
	if p := ps.made[s.wall]; p != nil {
		return p
	}
	empty := shot{wall: s.wall, gain: rgb{1, 1, 1}, noise: 1.6, jpegQuality: 92}
	px := empty.light(false)
	var frames []*image.RGBA
	for i := range 8 {
		frames = append(frames, empty.camera(t, px, uint64(1000+i)))
	}
	p, err := pipeline.NewPlate(frames)
	if err != nil {
		t.Fatal(err)
	}
	if ps.made == nil {
		ps.made = map[wall]*pipeline.Plate{}
	}
	ps.made[s.wall] = p
	return p
}
