package infer

import (
	"encoding/json"
	"image"
	"image/draw"
	"math"
	"os"
	"sync"
	"testing"

	"github.com/yunzhao-station/yunzhao/assets/models"
	"github.com/yunzhao-station/yunzhao/assets/people"
)

// drawing is the face that assets/models/reference.mjs draws, in whole numbers
// so that both agree to the bit.
func drawing(side int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			u, v := x*1000/side-500, y*1000/side-500
			within := func(cx, cy, a, b int) bool {
				return (u-cx)*(u-cx)*b*b+(v-cy)*(v-cy)*a*a < a*a*b*b
			}
			r, g, b := 190., 205., 220-float64(v+500)/20
			if within(0, -40, 260, 330) {
				r, g, b = 40, 32, 30
			}
			if v > 330 && within(0, 700, 480, 420) {
				r, g, b = 60, 60, 90
			}
			if within(0, 20, 210, 290) {
				r, g, b = 215-math.Abs(float64(u))/10, 165, 140
			}
			if within(-85, -40, 45, 20) || within(85, -40, 45, 20) {
				r, g, b = 240, 240, 240
			}
			if within(-85, -40, 18, 18) || within(85, -40, 18, 18) {
				r, g, b = 30, 20, 20
			}
			if within(0, 80, 30, 20) {
				r, g, b = 180, 120, 100
			}
			if within(0, 170, 75, 22) {
				r, g, b = 160, 70, 75
			}
			p := m.Pix[m.PixOffset(x, y):]
			p[0], p[1], p[2], p[3] = uint8(r), uint8(g), uint8(b), 255
		}
	}
	return m
}

// student is the cut-out demo student before light blue.
func student(t testing.TB) *image.RGBA {
	t.Helper()
	src, err := people.Student()
	if err != nil {
		t.Fatal(err)
	}
	b := src.Bounds()
	m := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for i := 0; i < len(m.Pix); i += 4 {
		m.Pix[i], m.Pix[i+1], m.Pix[i+2], m.Pix[i+3] = 100, 197, 255, 255
	}
	draw.Draw(m, m.Rect, src, b.Min, draw.Over)
	return m
}

// newNets returns Nets that are closed when the test ends.
func newNets(t testing.TB) *Nets {
	t.Helper()
	n := New()
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// TestNetworksAnswerAsTheirOriginals compares with what another runner made of
// the published networks: testdata/reference.json, see assets/models/README.md.
func TestNetworksAnswerAsTheirOriginals(t *testing.T) {
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	type values struct {
		Every  int
		Values []float32
	}
	var want struct {
		Detector, Person values
		Points           [MeshPoints][3]float64
		Presence         float64
		Lips             [80][2]float64
		LeftEye          [71][2]float64
		RightEye         [71][2]float64
		LeftIris         [irisPoints][2]float64
		RightIris        [irisPoints][2]float64
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	const tolerance = 1e-2
	n := newNets(t)
	for _, c := range []struct {
		net          *net
		want         values
		scale, shift float32
	}{
		{&n.detector, want.Detector, 2. / 255, -1},
		{&n.person, want.Person, 1. / 255, 0},
	} {
		if len(c.want.Values) < 10 {
			t.Fatalf("%s: no reference", c.net.name)
		}
		err := c.net.run(func(v []float32) {
			at := float64(c.net.side) / 2
			sample(drawing(c.net.side), region{cx: at, cy: at, w: 2 * at, h: 2 * at}, c.net.side, c.scale, c.shift, v)
		}, func(v []float32) {
			for i, x := range c.want.Values {
				if d := math.Abs(float64(v[i*c.want.Every] - x)); !(d < tolerance) {
					t.Errorf("%s: value %d is %v, want %v", c.net.name, i*c.want.Every, v[i*c.want.Every], x)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	var mesh Mesh
	if err := n.Mesh(drawing(meshSide), Region{CX: meshSide / 2, CY: meshSide / 2, Side: meshSide}, &mesh); err != nil {
		t.Fatal(err)
	}
	if math.Abs(mesh.Presence-want.Presence) > tolerance {
		t.Errorf("presence is %v, want %v", mesh.Presence, want.Presence)
	}
	for i, p := range want.Points {
		if math.Abs(mesh.Depth[i]-p[2]) > tolerance {
			t.Errorf("depth of point %d is %v, want %v", i, mesh.Depth[i], p[2])
		}
	}
	// The originals' sampler of features was rounded to half floats when it was
	// turned into a TensorFlow.js graph (0.042542 for 1/23.5), which moves what the
	// heads see by up to a hundredth of a cell; ours is exact.
	const part = .1
	points := want.Points
	for i, at := range lipPoints {
		copy(points[at][:2], want.Lips[i][:])
	}
	for i := range leftEyePoints {
		copy(points[leftEyePoints[i]][:2], want.LeftEye[i][:])
		copy(points[rightEyePoints[i]][:2], want.RightEye[i][:])
	}
	for i, p := range points {
		if q := mesh.Points[i]; math.Hypot(q.X-p[0], q.Y-p[1]) > part {
			t.Errorf("point %d is at %v, want %v", i, q, p)
		}
	}
	for i := range irisPoints {
		l, r := want.LeftIris[i], want.RightIris[i]
		p, q := mesh.Iris[0][i], mesh.Iris[1][i]
		if math.Hypot(p.X-l[0], p.Y-l[1]) > part || math.Hypot(q.X-r[0], q.Y-r[1]) > part {
			t.Errorf("irises' point %d at %v and %v, want %v and %v", i, p, q, l, r)
		}
	}
}

func TestStudentIsSeen(t *testing.T) {
	n, m := newNets(t), student(t)
	found, err := n.Detect(m, nil)
	if err != nil || len(found) != 1 {
		t.Fatalf("found %+v, %v; want one face", found, err)
	}
	d := found[0]
	if d.Score < .8 || d.LeftEye.X >= d.RightEye.X || d.Mouth.Y <= d.LeftEye.Y || d.LeftEar.X >= d.LeftEye.X {
		t.Errorf("an implausible face: %+v", d)
	}
	var mesh Mesh
	r := Region{CX: d.X + d.W/2, CY: d.Y + d.H/2, Side: 1.5 * max(d.W, d.H)}
	if err := n.Mesh(m, r, &mesh); err != nil {
		t.Fatal(err)
	}
	if mesh.Presence < .9 {
		t.Errorf("presence of a face is %.2f", mesh.Presence)
	}
	for i, p := range mesh.Points {
		if p.X < d.X-.2*d.W || p.X > d.X+1.2*d.W || p.Y < d.Y-.5*d.H || p.Y > d.Y+1.3*d.H {
			t.Errorf("point %d at %.0f is off the face %+v", i, p, d)
		}
	}
	// Turned under the networks, the face is where it was.
	for _, roll := range []float64{-.35, .35} {
		var turned Mesh
		r.Roll = roll
		if err := n.Mesh(m, r, &turned); err != nil {
			t.Fatal(err)
		}
		const noseTip = 4
		a, b := mesh.Points[noseTip], turned.Points[noseTip]
		if off := math.Hypot(a.X-b.X, a.Y-b.Y); off > .1*d.W {
			t.Errorf("roll %.2f moves the nose by %.1f px", roll, off)
		}
	}
	alpha := make([]float32, PersonSide*PersonSide)
	if err := n.Person(m, alpha); err != nil {
		t.Fatal(err)
	}
	w, h := float64(m.Rect.Dx()), float64(m.Rect.Dy())
	face := int((d.Y+d.H/2)/h*PersonSide)*PersonSide + int((d.X+d.W/2)/w*PersonSide)
	if alpha[face] < .9 || alpha[2] > .1 || alpha[PersonSide-3] > .1 {
		t.Errorf("person %.2f at the face, %.2f and %.2f in the upper corners", alpha[face], alpha[2], alpha[PersonSide-3])
	}
}

// TestSenselessPictures holds the networks to low scores, and to no error, for
// pictures that show nothing.
func TestSenselessPictures(t *testing.T) {
	noise := image.NewRGBA(image.Rect(0, 0, 333, 97))
	seed := uint32(1)
	for i := range noise.Pix {
		seed = seed*1664525 + 1013904223
		noise.Pix[i] = uint8(seed >> 24)
	}
	white := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	n := newNets(t)
	alpha := make([]float32, PersonSide*PersonSide)
	for name, m := range map[string]*image.RGBA{
		"empty":     image.NewRGBA(image.Rectangle{}),
		"one pixel": image.NewRGBA(image.Rect(0, 0, 1, 1)),
		"black":     image.NewRGBA(image.Rect(0, 0, 640, 480)),
		"white":     white,
		"a line":    image.NewRGBA(image.Rect(0, 0, 5000, 1)),
		"noise":     noise,
		"elsewhere": image.NewRGBA(image.Rect(-50, -50, 50, 50)),
	} {
		found, err := n.Detect(m, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, d := range found {
			if d.Score > .6 {
				t.Errorf("%s: a face with score %.2f", name, d.Score)
			}
		}
		var mesh Mesh
		if err := n.Mesh(m, Region{CX: 20, CY: 20, Side: 50}, &mesh); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if mesh.Presence > .5 {
			t.Errorf("%s: a face is present with %.2f", name, mesh.Presence)
		}
		if err := n.Person(m, alpha); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for i, a := range alpha {
			if !(a >= 0 && a <= 1) {
				t.Fatalf("%s: alpha[%d] = %v", name, i, a)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	n := newNets(t)
	short := &image.RGBA{Pix: make([]uint8, 10), Stride: 40, Rect: image.Rect(0, 0, 10, 10)}
	good := image.NewRGBA(image.Rect(0, 0, 10, 10))
	alpha := make([]float32, PersonSide*PersonSide)
	var mesh Mesh
	for name, err := range map[string]error{
		"detect none":     func() error { _, err := n.Detect(nil, nil); return err }(),
		"detect short":    func() error { _, err := n.Detect(short, nil); return err }(),
		"mesh short":      n.Mesh(short, Region{CX: 5, CY: 5, Side: 5}, &mesh),
		"mesh nowhere":    n.Mesh(good, Region{CX: math.NaN(), CY: 5, Side: 5}, &mesh),
		"mesh no size":    n.Mesh(good, Region{CX: 5, CY: 5}, &mesh),
		"mesh endless":    n.Mesh(good, Region{CX: 5, CY: 5, Side: math.Inf(1)}, &mesh),
		"person short":    n.Person(short, alpha),
		"person too few":  n.Person(good, alpha[1:]),
		"person no place": n.Person(good, nil),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestSharedNets is for -race: several goroutines get the answer that one gets.
func TestSharedNets(t *testing.T) {
	n, m := newNets(t), student(t)
	want, err := n.Detect(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			got, err := n.Detect(m, nil)
			if err != nil || len(got) != len(want) || got[0] != want[0] {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
			if err := n.Person(m, make([]float32, PersonSide*PersonSide)); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
}

func TestCloseAndWipe(t *testing.T) {
	n, m := New(), student(t)
	n.Wipe() // before use
	before, err := n.Detect(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	n.Wipe()
	for i, v := range n.detector.input {
		if v != 0 {
			t.Fatalf("input value %d is still %v", i, v)
		}
	}
	after, err := n.Detect(m, nil)
	if err != nil || after[0] != before[0] {
		t.Errorf("after a wipe %+v, %v; want %+v", after, err, before)
	}
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := n.Detect(m, nil); err == nil {
		t.Error("closed networks answer")
	}
	n.Wipe() // after use
}

func TestEveryNetworkIsEmbedded(t *testing.T) {
	for _, m := range New().all() {
		if b, err := models.Read(m.name); err != nil || len(b) < 1000 {
			t.Errorf("%s: %d bytes, %v", m.name, len(b), err)
		}
	}
	if _, err := models.Read("other"); err == nil {
		t.Error("a network that is not there was read")
	}
}

func BenchmarkNets(b *testing.B) {
	n, m := newNets(b), student(b)
	alpha := make([]float32, PersonSide*PersonSide)
	var mesh Mesh
	for name, run := range map[string]func() error{
		"detect": func() error { _, err := n.Detect(m, nil); return err },
		"mesh":   func() error { return n.Mesh(m, Region{CX: 240, CY: 240, Side: 300}, &mesh) },
		"person": func() error { return n.Person(m, alpha) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
