package face

import (
	"image"
	"image/draw"
	"math"
	"testing"

	"github.com/yunzhao-station/yunzhao/assets/people"
	"github.com/yunzhao-station/yunzhao/pipeline/infer"
)

// turned is an average head, turned and in the middle of a picture, as the
// network would place its points.
func turned(yaw, pitch, roll float64) *infer.Mesh {
	m := &infer.Mesh{Presence: 1}
	const degrees = math.Pi / 180
	sy, cy := math.Sincos(yaw * degrees)
	sp, cp := math.Sincos(pitch * degrees)
	sr, cr := math.Sincos(roll * degrees)
	for _, c := range canonical {
		y, z := c.y*cp+c.z*sp, c.z*cp-c.y*sp
		x, z := c.x*cy+z*sy, z*cy-c.x*sy
		x, y = x*cr+y*sr, y*cr-x*sr
		m.Points[c.point] = infer.Point{X: 500 + 20*x, Y: 400 - 20*y}
		m.Depth[c.point] = -20 * z
	}
	return m
}

func TestHeadPose(t *testing.T) {
	for _, c := range [][3]float64{
		{0, 0, 0}, {10, 0, 0}, {-25, 0, 0}, {0, 12, 0}, {0, -15, 0}, {0, 0, 30}, {0, 0, -44}, {12, -9, 7}, {-20, 10, -15},
	} {
		yaw, pitch, roll := headPose(turned(c[0], c[1], c[2]))
		yaw, pitch = yaw/turnGain, pitch/nodGain-lowered
		if math.Abs(yaw-c[0]) > .1 || math.Abs(pitch-c[1]) > .1 || math.Abs(roll-c[2]) > .1 {
			t.Errorf("a head turned by %v measures %.2f %.2f %.2f", c, yaw, pitch, roll)
		}
	}
	var flat infer.Mesh
	if yaw, pitch, roll := headPose(&flat); math.IsNaN(yaw + pitch + roll) {
		t.Error("a mesh without extent has no angles, not NaN")
	}
}

// seated is the demo student before light blue, in colour and in grey, moved
// by (dx, dy) and scaled.
func seated(t testing.TB, w, h, dx, dy, k float64) (*image.RGBA, *image.Gray) {
	t.Helper()
	src, err := people.Student()
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewRGBA(image.Rect(0, 0, int(w), int(h)))
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			p := m.Pix[m.PixOffset(x, y):]
			p[0], p[1], p[2], p[3] = 100, 197, 255, 255
			sx, sy := int((float64(x)-dx)/k), int((float64(y)-dy)/k)
			if image.Pt(sx, sy).In(src.Rect) {
				c := src.NRGBAAt(sx, sy)
				a := int(c.A)
				for i, v := range [3]uint8{c.R, c.G, c.B} {
					p[i] = uint8((int(v)*a + int(p[i])*(255-a)) / 255)
				}
			}
		}
	}
	g := image.NewGray(m.Rect)
	draw.Draw(g, g.Rect, m, image.Point{}, draw.Src)
	return m, g
}

func TestShapeOfTheStudent(t *testing.T) {
	d, err := NewDetector()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, c := range map[string]struct{ dx, dy, k, outside float64 }{
		"in the middle":   {300, 20, .8, 0},
		"small":           {700, 300, .3, 0},
		"half cut off":    {-390, 20, .8, .5},
		"at the far side": {800, 20, .8, .5},
	} {
		m, g := seated(t, 1280, 960, c.dx, c.dy, c.k)
		faces, err := d.Detect(g, Options{Colour: m})
		if err != nil {
			t.Fatal(err)
		}
		if len(faces) != 1 {
			t.Errorf("%s: %d faces", name, len(faces))
			continue
		}
		f := faces[0]
		s := f.Shape
		if !s.Known || math.Abs(s.Outside-c.outside) > .2 {
			t.Errorf("%s: shape %+v", name, s)
		}
		ex, ey := 547*c.k+c.dx, 396.5*c.k+c.dy
		if e := f.EyeMid(); c.outside == 0 && math.Hypot(e.X-ex, e.Y-ey) > 4 {
			t.Errorf("%s: eyes at %v, want %.0f, %.0f", name, e, ex, ey)
		}
		if c.outside == 0 && (s.Lids[0] < .05 || s.Lids[1] < .05 || s.Lips > .02 || s.Smile > .05 ||
			math.Abs(s.Yaw) > 6 || math.Abs(s.Pitch) > 6 || math.Abs(s.Roll) > 4 || math.Abs(s.GazeX) > .1) {
			t.Errorf("%s: a straight face with open eyes measures %+v", name, s)
		}
	}
}

// A picture in colour that is not the grey one is the caller's mistake.
func TestColourOfAnotherSize(t *testing.T) {
	d, err := NewDetector()
	if err != nil {
		t.Fatal(err)
	}
	g := image.NewGray(image.Rect(0, 0, 100, 100))
	opt := Options{Colour: image.NewRGBA(image.Rect(0, 0, 100, 99))}
	if _, err := d.Detect(g, opt); err == nil {
		t.Error("Detect took pictures of two sizes")
	}
	if _, err := d.NewTracker().Update(g, opt); err == nil {
		t.Error("Update took pictures of two sizes")
	}
}

// The tracker follows with the mesh, notices an empty chair at once and
// whoever sits down next.
func TestTrackerWithNets(t *testing.T) {
	d, err := NewDetector()
	if err != nil {
		t.Fatal(err)
	}
	tr := d.NewTracker()
	see := func(dx float64) []Face {
		m, g := seated(t, 480, 360, dx, 0, .3)
		faces, err := tr.Update(g, Options{Colour: m})
		if err != nil {
			t.Fatal(err)
		}
		return faces
	}
	for i := range 12 {
		dx := float64(60 + 4*i)
		faces := see(dx)
		if len(faces) != 1 {
			t.Fatalf("picture %d: %d faces", i, len(faces))
		}
		if x := faces[0].EyeMid().X; math.Abs(x-(547*.3+dx)) > 3 {
			t.Errorf("picture %d: eyes at %.1f, want %.1f", i, x, 547*.3+dx)
		}
	}
	if faces := see(5000); len(faces) != 0 {
		t.Errorf("%d faces in an empty chair", len(faces))
	}
	if faces := see(60); len(faces) != 1 {
		t.Errorf("%d faces when somebody sits down", len(faces))
	}
}
