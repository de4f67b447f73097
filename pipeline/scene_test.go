package pipeline

import (
	"image"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/yunzhao-station/yunzhao/assets/people"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/face"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// scene is a simulated booth.
type scene struct {
	w, h   int
	x, y   float64 // where the student's upper left corner is, in frame px
	scale  float64 // frame px a pixel of the cut-out
	second bool    // somebody stands behind
	nobody bool
	seed   uint64
	dim    float64 // light lost, 0 = none
	tilt   float64 // of the whole student, degrees clockwise
	shade  float64 // depth of the soft shadow right of the head, share of the light
	shelf  bool    // books behind the student
}

// booth is the usual scene: 1080p, the student in the middle.
func booth() scene { return scene{w: 1920, h: 1080, x: 547, y: 205, scale: .76, seed: 1} }

var student = sync.OnceValues(people.Student)

// render draws the scene with a grey backdrop that is brighter in the middle,
// and sensor noise.
func (s scene) render(t testing.TB) *image.RGBA {
	t.Helper()
	p, err := student()
	if err != nil {
		t.Fatal(err)
	}
	at := s.seed*2654435761 + 1
	m := image.NewRGBA(image.Rect(0, 0, s.w, s.h))
	mx, my := s.x+550*s.scale, s.y+700*s.scale // what a tilt turns about
	for y := range s.h {
		for x := range s.w {
			dx, dy := float64(x)/float64(s.w)-.5, float64(y)/float64(s.h)-.4
			v := 214 - 60*(dx*dx+dy*dy)
			px := [3]float64{v, v, v * .99}
			if s.shelf {
				px = book(x*64/s.w, y*12/s.h)
			}
			if k := s.shadow((float64(x)-s.x)/s.scale, (float64(y)-s.y)/s.scale); k < 1 {
				for c := range px {
					px[c] *= k
				}
			}
			tx, ty := float64(x), float64(y)
			if s.tilt != 0 {
				tx, ty = rotate(tx-mx, ty-my, -s.tilt)
				tx, ty = tx+mx, ty+my
			}
			s.over(&px, p, (tx-s.x)/s.scale, (ty-s.y)/s.scale)
			if s.second {
				k := float64(s.w) / 1920
				s.over(&px, p, (float64(x)-1300*k)/(.45*k), (float64(y)-420*k)/(.45*k))
			}
			at = at*6364136223846793005 + 1442695040888963407
			n := float64(at>>40&1023+at>>50&1023)*(7./1023) - 7 // triangular, σ ≈ 2.9
			for c := range 3 {
				m.Pix[y*m.Stride+4*x+c] = uint8(min(max(px[c]*(1-s.dim)+n+.5, 0), 255))
			}
			m.Pix[y*m.Stride+4*x+3] = 255
		}
	}
	return m
}

// book is the back of one book.
func book(x, y int) [3]float64 {
	v := uint32(x*31+y*57+1) * 2654435761
	return [3]float64{20 + float64(v>>8%230), 20 + float64(v>>16%230), 20 + float64(v>>24%230)}
}

// shadow is what a cast shadow leaves of a pixel's value, at a point of the
// cut-out: an ellipse beside the head with a wide half-shade.
func (s scene) shadow(u, v float64) float64 {
	if s.shade == 0 || s.nobody {
		return 1
	}
	r := math.Hypot((u-640)/330, (v-460)/420)
	t := min(max((1.25-r)/.5, 0), 1)
	return math.Pow(1-s.shade*t*t*(3-2*t), 1/2.2) // light to pixel value
}

func (s scene) over(px *[3]float64, p *image.NRGBA, u, v float64) {
	if s.nobody || u < 0 || v < 0 || u >= float64(p.Rect.Dx()) || v >= float64(p.Rect.Dy()) {
		return
	}
	q := p.Pix[int(v)*p.Stride+4*int(u):]
	a := float64(q[3]) / 255
	for c := range 3 {
		px[c] = px[c]*(1-a) + float64(q[c])*a
	}
}

var (
	platesMu sync.Mutex
	plates   = map[image.Point]*Plate{}
)

// plate photographs the empty booth three times, once for every size.
func (s scene) plate(t testing.TB) *Plate {
	t.Helper()
	platesMu.Lock()
	defer platesMu.Unlock()
	if p := plates[image.Pt(s.w, s.h)]; p != nil {
		return p
	}
	s.nobody = true
	var frames []*image.RGBA
	for i := range 3 {
		s.seed = uint64(100 + i)
		frames = append(frames, s.render(t))
	}
	p, err := NewPlate(frames)
	if err != nil {
		t.Fatal(err)
	}
	plates[image.Pt(s.w, s.h)] = p
	return p
}

func standard(t testing.TB, id string) *spec.Spec {
	t.Helper()
	s, err := spec.Load(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var detector = sync.OnceValues(face.NewDetector)

func maker(t testing.TB) *Standardizer {
	t.Helper()
	d, err := detector()
	if err != nil {
		t.Fatal(err)
	}
	z, err := New(Options{Detector: d})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// shared loads a picture that is not part of the project, or skips.
func shared(t testing.TB, name string) *image.RGBA {
	t.Helper()
	dir := os.Getenv("YUNZHAO_SHARED")
	if dir == "" {
		_, file, _, _ := runtime.Caller(0)
		dir = filepath.Join(filepath.Dir(file), "..", "..", "shared")
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not there; set YUNZHAO_SHARED to the directory that holds %s", path, name)
	}
	m, err := codec.LoadImage(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
