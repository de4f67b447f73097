package quality

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	xdraw "golang.org/x/image/draw"

	"github.com/yunzhao-station/yunzhao/pipeline/face"
)

// repoRoot is where the module lies, seen from this package.
const repoRoot = "../.."

// sharedDir holds material that may not be part of the repository.
func sharedDir() string {
	if d := os.Getenv("YUNZHAO_SHARED"); d != "" {
		return d
	}
	return filepath.Join(repoRoot, "..", "shared")
}

// portrait reads a cut-out person from the repository or, where it is not
// part of it, from the shared directory; the test is skipped without either.
func portrait(t testing.TB, name string) *image.NRGBA {
	t.Helper()
	candidates := []string{
		filepath.Join(repoRoot, "assets", "people", name),
		filepath.Join(sharedDir(), "portraits", name),
	}
	for _, path := range candidates {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		defer f.Close()
		img, err := png.Decode(f)
		if err != nil {
			t.Fatalf("decode %s: %v", path, err)
		}
		out := image.NewNRGBA(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
		draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
		return out
	}
	t.Skipf("SKIPPED: no %s: set YUNZHAO_SHARED to the directory that has portraits/ (looked in %v)", name, candidates)
	return nil
}

// scene is a person before a backdrop, as a camera would see it.
type scene struct {
	person   *image.NRGBA
	w, h     int
	height   float64 // of the person picture, in frame heights
	shiftX   float64 // of the person, in frame pixels
	rollDeg  float64 // of the person picture about its centre, clockwise
	backdrop color.RGBA
	paint    func(*image.NRGBA) // on a copy of the person picture, before placing
	lens     func(*image.RGBA)  // on the frame
	second   float64            // height of a second person on the left, in frame heights; 0 = nobody
}

func newScene(p *image.NRGBA) scene {
	return scene{person: p, w: 1000, h: 720, height: .86, backdrop: color.RGBA{214, 214, 210, 255}}
}

// render draws the frame, its plate and the exact matte.
func (s scene) render() (frame, plate *image.RGBA, alpha *image.Gray) {
	rect := image.Rect(0, 0, s.w, s.h)
	plate = image.NewRGBA(rect)
	// A wall lit from above, a little darker towards the corners.
	for y := range s.h {
		for x := range s.w {
			dx, dy := float64(x)/float64(s.w)-.5, float64(y)/float64(s.h)-.35
			k := 1 - .12*(dx*dx+dy*dy)
			plate.SetRGBA(x, y, color.RGBA{
				uint8(float64(s.backdrop.R) * k), uint8(float64(s.backdrop.G) * k), uint8(float64(s.backdrop.B) * k), 255,
			})
		}
	}
	frame = image.NewRGBA(rect)
	copy(frame.Pix, plate.Pix)
	alpha = image.NewGray(rect)
	person := s.person
	if s.paint != nil {
		person = image.NewNRGBA(s.person.Rect)
		copy(person.Pix, s.person.Pix)
		s.paint(person)
	}
	if s.second > 0 {
		s.place(person, frame, nil, s.second, -.36*float64(s.w), 0)
	}
	s.place(person, frame, alpha, s.height, s.shiftX, s.rollDeg)
	// Sensor noise, the same every time.
	seed := uint32(1)
	for i := range frame.Pix {
		seed = seed*1664525 + 1013904223
		if i%4 != 3 {
			n := int(seed>>28) - 8 + int(seed>>24&15) - 7
			frame.Pix[i] = uint8(min(max(int(frame.Pix[i])+n/4, 0), 255))
		}
	}
	if s.lens != nil {
		s.lens(frame)
	}
	return frame, plate, alpha
}

// place draws a person standing on the lower edge.
func (s scene) place(p *image.NRGBA, frame *image.RGBA, alpha *image.Gray, height, shiftX, rollDeg float64) {
	k := height * float64(s.h) / float64(p.Rect.Dy())
	w, h := float64(p.Rect.Dx())*k, float64(p.Rect.Dy())*k
	// Reduce first, so that the placing itself need not average.
	small := image.NewNRGBA(image.Rect(0, 0, int(w+.5), int(h+.5)))
	xdraw.ApproxBiLinear.Scale(small, small.Rect, p, p.Rect, draw.Src, nil)
	if k < .5 {
		xdraw.CatmullRom.Scale(small, small.Rect, p, p.Rect, draw.Src, nil)
	}
	sin, cos := math.Sincos(rollDeg * math.Pi / 180)
	cx, cy := float64(s.w)/2+shiftX, float64(s.h)-h/2
	reach := math.Abs(sin)*w/2 + math.Abs(cos)*h/2
	side := math.Abs(cos)*w/2 + math.Abs(sin)*h/2
	for y := max(int(cy-reach), 0); y < min(int(cy+reach)+1, s.h); y++ {
		for x := max(int(cx-side), 0); x < min(int(cx+side)+1, s.w); x++ {
			dx, dy := float64(x)+.5-cx, float64(y)+.5-cy
			sx, sy := cos*dx+sin*dy+w/2-.5, -sin*dx+cos*dy+h/2-.5
			x0, y0 := int(math.Floor(sx)), int(math.Floor(sy))
			if x0 < 0 || y0 < 0 || x0+1 >= small.Rect.Dx() || y0+1 >= small.Rect.Dy() {
				continue
			}
			fx, fy := sx-float64(x0), sy-float64(y0)
			var c [4]float64
			for _, q := range [4]struct {
				x, y int
				w    float64
			}{{x0, y0, (1 - fx) * (1 - fy)}, {x0 + 1, y0, fx * (1 - fy)}, {x0, y0 + 1, (1 - fx) * fy}, {x0 + 1, y0 + 1, fx * fy}} {
				o := small.PixOffset(q.x, q.y)
				a := q.w * float64(small.Pix[o+3]) / 255
				c[0] += a * float64(small.Pix[o])
				c[1] += a * float64(small.Pix[o+1])
				c[2] += a * float64(small.Pix[o+2])
				c[3] += a
			}
			o := frame.PixOffset(x, y)
			for i := range 3 {
				frame.Pix[o+i] = uint8(min(c[i]+(1-c[3])*float64(frame.Pix[o+i])+.5, 255))
			}
			if alpha != nil {
				alpha.Pix[alpha.PixOffset(x, y)] = uint8(c[3]*255 + .5)
			}
		}
	}
}

var detector = sync.OnceValues(face.NewDetector)

func detect(t testing.TB, frame *image.RGBA, opt face.Options) []face.Face {
	t.Helper()
	d, err := detector()
	if err != nil {
		t.Fatal(err)
	}
	gray := image.NewGray(frame.Rect)
	draw.Draw(gray, gray.Rect, frame, image.Point{}, draw.Src)
	faces, err := d.Detect(gray, opt)
	if err != nil {
		t.Fatal(err)
	}
	return faces
}

// input does what the pipeline would: crop for the default specification
// (480×640, eyes at 250 px) and replace the background.
func (s scene) input(t testing.TB) Input {
	t.Helper()
	frame, plate, alpha := s.render()
	in := Input{Frame: frame, Faces: detect(t, frame, face.Options{MinSize: 60, Upright: s.rollDeg == 0}), Background: color.RGBA{100, 197, 255, 255}}
	if len(in.Faces) == 0 {
		return in
	}
	const outW, outH, eyeY, outIED = 480, 640, 250, 108
	f := in.Faces[0]
	k := f.IED() / outIED
	mid := f.EyeMid()
	in.Crop = Crop{X: mid.X - outW/2*k, Y: mid.Y - eyeY*k, W: outW * k, H: outH * k}
	in.Cut = warpRGBA(frame, in.Crop, outW, outH)
	in.PlateCut = warpRGBA(plate, in.Crop, outW, outH)
	in.Alpha = image.NewGray(image.Rect(0, 0, outW, outH))
	in.Portrait = image.NewRGBA(in.Cut.Rect)
	for y := range outH {
		for x := range outW {
			fx, fy := int(in.Crop.X+(float64(x)+.5)*k), int(in.Crop.Y+(float64(y)+.5)*k)
			a := 0
			if image.Pt(fx, fy).In(alpha.Rect) {
				a = int(alpha.GrayAt(fx, fy).Y)
			} else if fy >= alpha.Rect.Dy() && fx >= 0 && fx < alpha.Rect.Dx() {
				a = int(alpha.GrayAt(fx, alpha.Rect.Dy()-1).Y)
			}
			in.Alpha.SetGray(x, y, color.Gray{Y: uint8(a)})
			o := in.Cut.PixOffset(x, y)
			bg := [3]int{int(in.Background.R), int(in.Background.G), int(in.Background.B)}
			for i := range 3 {
				in.Portrait.Pix[o+i] = uint8((int(in.Cut.Pix[o+i])*a + bg[i]*(255-a)) / 255)
			}
			in.Portrait.Pix[o+3] = 255
		}
	}
	return in
}

func warpRGBA(src *image.RGBA, c Crop, w, h int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			r, g, b := bilinear(src, c.X+(float64(x)+.5)*c.W/float64(w), c.Y+(float64(y)+.5)*c.H/float64(h), src.Rect.Dx(), src.Rect.Dy())
			out.SetRGBA(x, y, color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255})
		}
	}
	return out
}

// measured maps ids to measurements.
func measured(ms []Measurement) map[string]Measurement {
	m := make(map[string]Measurement, len(ms))
	for _, v := range ms {
		m[v.ID] = v
	}
	return m
}

func savePNG(t testing.TB, name string, img image.Image) {
	t.Helper()
	dir := os.Getenv("YUNZHAO_DUMP")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, name+".png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

func describe(m Measurement) string {
	switch {
	case m.Manual:
		return fmt.Sprintf("manual (hint %.2f)", m.Hint)
	case !m.Known:
		return "unknown"
	}
	return fmt.Sprintf("%.4g (raw %.4g)", m.Value, m.Raw)
}
