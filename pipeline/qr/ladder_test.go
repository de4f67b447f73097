package qr_test

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocv.io/x/gocv"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/yunzhao-station/yunzhao/pipeline/held"
	"github.com/yunzhao-station/yunzhao/pipeline/qr"
)

// A rung of a ladder is tried with this many pictures, each held a little
// differently.
const tries = 20

// ladder makes reading harder in one respect, all others being ordinary.
type ladder struct {
	name  string
	unit  string
	rungs []float64
	make  func(p *image.Gray, v float64, rng *rand.Rand) *image.Gray
}

func ladders() []ladder {
	// A hand holds a phone neither still nor straight.
	hand := func(p *image.Gray, scale, yaw float64, c held.Conditions, rng *rand.Rand) *image.Gray {
		if c.Noise == 0 {
			c.Noise = 2
		}
		return frame(p, scale, .3*(rng.Float64()-.5), yaw+.2*(rng.Float64()-.5), .2*(rng.Float64()-.5), c, rng)
	}
	return []ladder{
		{"size", "pixels a module", []float64{1.4, 1.6, 1.8, 2, 2.25, 2.5, 3, 4, 6}, func(p *image.Gray, v float64, rng *rand.Rand) *image.Gray {
			return hand(p, v/modulePx, 0, held.Conditions{Blur: .5}, rng)
		}},
		{"blur", "sigma, pixels (module 5)", []float64{.5, 1, 1.5, 2, 2.5, 3, 3.5, 4}, func(p *image.Gray, v float64, rng *rand.Rand) *image.Gray {
			return hand(p, 5/modulePx, 0, held.Conditions{Blur: v}, rng)
		}},
		{"motion", "trace, pixels (module 5)", []float64{1, 3, 5, 7, 9, 11, 13}, func(p *image.Gray, v float64, rng *rand.Rand) *image.Gray {
			return hand(p, 5/modulePx, 0, held.Conditions{Motion: v, Blur: .5}, rng)
		}},
		{"tilt", "degrees", []float64{0, 10, 20, 30, 40, 50, 60, 70}, func(p *image.Gray, v float64, rng *rand.Rand) *image.Gray {
			return hand(p, 5/modulePx, v*3.14159265/180, held.Conditions{Blur: .7}, rng)
		}},
		{"glare", "width of the lamp, share of the phone", []float64{0, .1, .15, .2, .25, .3, .4, .5}, func(p *image.Gray, v float64, rng *rand.Rand) *image.Gray {
			return hand(p, 5/modulePx, 0, held.Conditions{Glare: v, Blur: .7}, rng)
		}},
		{"moire", "depth", []float64{0, .2, .4, .6, .7, .8, .9}, func(p *image.Gray, v float64, rng *rand.Rand) *image.Gray {
			return hand(p, 4/modulePx, 0, held.Conditions{Moire: v, Blur: .5}, rng)
		}},
		{"noise", "rms, levels, at a fifth of the light", []float64{2, 4, 6, 8, 12, 16}, func(p *image.Gray, v float64, rng *rand.Rand) *image.Gray {
			return hand(p, 5/modulePx, 0, held.Conditions{Noise: v, Light: .2, Blur: .7}, rng)
		}},
	}
}

// modulePx is how many pixels of the phone's screen a module has: version 6
// with its quiet zone is 49 modules wide, the screen 560.
const modulePx = 11.

// finds is as far as OpenCV gets: Debian and Ubuntu build it without quirc, the
// library that decodes what its detector finds.
const finds = "OpenCV finds"

type outcome struct {
	l    ladder
	v    float64
	rate map[string]float64
}

// TestLadder holds both decoders that could be used to ever worse pictures:
// go test -run TestLadder ./pipeline/qr with YUNZHAO_BENCH=1; YUNZHAO_DOCS names
// the folder that the plot goes to.
func TestLadder(t *testing.T) {
	if os.Getenv("YUNZHAO_BENCH") == "" {
		t.Skip("a measurement: set YUNZHAO_BENCH=1 (make bench-identity)")
	}
	opencv := gocv.NewQRCodeDetector()
	defer opencv.Close()
	points, straight := gocv.NewMat(), gocv.NewMat()
	defer points.Close()
	defer straight.Close()
	names := []string{"gozxing, one look", "gozxing, four frames", finds}
	took := map[string]time.Duration{}
	wrong := map[string]int{}
	count := 0
	decode := func(name string, m *image.Gray) bool {
		from := time.Now()
		defer func() { took[name] += time.Since(from) }()
		got := ""
		switch name {
		case finds:
			mat, err := gocv.NewMatFromBytes(m.Rect.Dy(), m.Rect.Dx(), gocv.MatTypeCV8U, m.Pix)
			if err != nil {
				t.Fatal(err)
			}
			defer mat.Close()
			return opencv.Detect(mat, &points)
		case "gozxing, one look":
			got, _ = qr.New().Decode(m)
		default:
			r := qr.New()
			for range 4 {
				var ok bool
				if got, ok = r.Decode(m); ok {
					break
				}
			}
		}
		if got != "" && got != text {
			wrong[name]++
		}
		return got == text
	}
	p := phone(t, text, false)
	plain := frame(p, .6, 0, 0, 0, held.Conditions{}, rand.New(rand.NewPCG(1, 1)))
	mat, err := gocv.NewMatFromBytes(plain.Rect.Dy(), plain.Rect.Dx(), gocv.MatTypeCV8U, plain.Pix)
	if err != nil {
		t.Fatal(err)
	}
	defer mat.Close()
	t.Logf("OpenCV %s decodes a plain picture: %v", gocv.OpenCVVersion(), opencv.DetectAndDecode(mat, &points, &straight) == text)
	var out []outcome
	for _, l := range ladders() {
		for i, v := range l.rungs {
			o := outcome{l, v, map[string]float64{}}
			rng := rand.New(rand.NewPCG(uint64(i), 7))
			for range tries {
				m := l.make(p, v, rng)
				count++
				for _, n := range names {
					if decode(n, m) {
						o.rate[n] += 1. / tries
					}
				}
			}
			out = append(out, o)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| ladder | rung | %s |\n|---|---|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, o := range out {
		fmt.Fprintf(&b, "| %s (%s) | %g |", o.l.name, o.l.unit, o.v)
		for _, n := range names {
			fmt.Fprintf(&b, " %.0f %% |", 100*o.rate[n])
		}
		b.WriteByte('\n')
	}
	for _, n := range names {
		fmt.Fprintf(&b, "%s: %.1f ms a picture (cores shared), %d read wrong\n", n, took[n].Seconds()*1000/float64(count), wrong[n])
	}
	t.Log("\n" + b.String())
	if dir := os.Getenv("YUNZHAO_DOCS"); dir != "" {
		if err := plot(filepath.Join(dir, "qr-ladder.png"), names, out); err != nil {
			t.Fatal(err)
		}
	}
	if wrong["gozxing, four frames"] > 0 {
		t.Error("a code was read wrong")
	}
}

// plot draws a panel a ladder, the share that was read over the rung.
func plot(path string, names []string, out []outcome) error {
	const w, h, cols = 300, 190, 4
	ink, faint := color.RGBA{40, 40, 40, 255}, color.RGBA{220, 220, 220, 255}
	inks := []color.RGBA{{40, 110, 190, 255}, {30, 130, 70, 255}, {190, 30, 40, 255}}
	m := image.NewRGBA(image.Rect(0, 0, cols*w, 2*h+24))
	draw.Draw(m, m.Rect, image.White, image.Point{}, draw.Src)
	write := func(x, y int, s string, c color.Color) {
		d := font.Drawer{Dst: m, Src: image.NewUniform(c), Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
		d.DrawString(s)
	}
	dot := func(x, y, r int, c color.Color) {
		draw.Draw(m, image.Rect(x-r, y-r, x+r+1, y+r+1), image.NewUniform(c), image.Point{}, draw.Src)
	}
	panel := -1
	last := ""
	var box image.Rectangle
	var before [3]image.Point
	for _, o := range out {
		n := len(o.l.rungs)
		if o.l.name != last {
			last = o.l.name
			panel++
			at := image.Pt(panel%cols*w, panel/cols*h)
			box = image.Rect(at.X+40, at.Y+36, at.X+w-14, at.Y+h-22)
			write(at.X+8, at.Y+14, o.l.name, ink)
			write(at.X+8, at.Y+28, o.l.unit, ink)
			for q := range 5 {
				y := box.Max.Y - q*box.Dy()/4
				draw.Draw(m, image.Rect(box.Min.X, y, box.Max.X, y+1), image.NewUniform(faint), image.Point{}, draw.Src)
				write(at.X+4, y+4, fmt.Sprintf("%3d%%", 25*q), ink)
			}
			before = [3]image.Point{}
		}
		k := 0
		for k < n && o.l.rungs[k] != o.v {
			k++
		}
		x := box.Min.X + 10 + k*(box.Dx()-20)/max(n-1, 1)
		write(x-8, box.Max.Y+15, fmt.Sprintf("%g", o.v), ink)
		for j, name := range names {
			y := box.Max.Y - int(o.rate[name]*float64(box.Dy()))
			pt := image.Pt(x+j-1, y)
			if b := before[j]; b != (image.Point{}) {
				for s := range 100 {
					dot(b.X+(pt.X-b.X)*s/100, b.Y+(pt.Y-b.Y)*s/100, 0, inks[j])
				}
			}
			dot(pt.X, pt.Y, 2, inks[j])
			before[j] = pt
		}
	}
	x := 10
	for j, name := range names {
		dot(x, 2*h+10, 3, inks[j])
		write(x+10, 2*h+15, name, ink)
		x += 200
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := png.Encode(f, m); err != nil {
		return err
	}
	return f.Close()
}
