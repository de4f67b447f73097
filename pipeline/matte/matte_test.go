package matte_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

// small is a camera whose scenes are made in a fraction of a second.
var small = mattetest.Camera{W: 640, H: 620, Noise: 2, Exposure: .03, Tint: .008, Shadow: .12, Plates: 3, Face: 210}

func plateOf(t testing.TB, s *mattetest.Scene) *matte.Plate {
	t.Helper()
	p, err := matte.NewPlate(s.Plates)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func segment(t testing.TB, m *matte.Matter, s *mattetest.Scene, plate *matte.Plate) *matte.Segmentation {
	t.Helper()
	seg, err := m.Segment(s.Frame, plate, s.Face, s.Region)
	if err != nil {
		t.Fatal(err)
	}
	return seg
}

func render(t testing.TB, m *matte.Matter, seg *matte.Segmentation, s *mattetest.Scene) *matte.Portrait {
	t.Helper()
	p, err := m.Render(seg, s.Crop, 480, 640, lightBlue, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAccuracy(t *testing.T) {
	student := person(t, "student")
	white := student.Shirt("whiteshirt", color.RGBA{236, 235, 232, 255})
	dim := small
	dim.Exposure, dim.Tint, dim.Plates = -.03, -.008, 1
	for _, c := range []struct {
		who         *mattetest.Person
		wall        mattetest.Backdrop
		cam         mattetest.Camera
		bare        bool
		mse, colour float64
	}{
		{who: student, wall: mattetest.White, cam: small, mse: 1.6, colour: 14},
		{who: student, wall: mattetest.Blue, cam: dim, mse: 1.6, colour: 14},
		{who: student, wall: mattetest.Green, cam: small, mse: 2.2, colour: 20},
		{who: white, wall: mattetest.White, cam: small, mse: 4, colour: 18},
		{who: student.Strands(120, 3), wall: mattetest.Blue, cam: small, mse: 3.5, colour: 15},
		{who: student, wall: mattetest.Grey, cam: small, bare: true, mse: 4, colour: 20},
	} {
		s := mattetest.Compose(c.who, c.wall, c.cam, 11)
		t.Run(s.Name, func(t *testing.T) {
			m := matte.New()
			var plate *matte.Plate
			if !c.bare {
				plate = plateOf(t, s)
			}
			p := render(t, m, segment(t, m, s, plate), s)
			sc := s.Truth(480, 640).Score(p.Alpha, p.RGBA, lightBlue)
			t.Logf("MSE %.2f, band %.1f, colour %.1f", sc.MSE, sc.Band, sc.Colour)
			if *dump != "" {
				mattetest.Save(t, *dump, s.Name, s.Truth(480, 640), p)
			}
			if sc.MSE > c.mse || sc.Colour > c.colour {
				t.Errorf("MSE %.2f (at most %v), colour %.1f (at most %v)", sc.MSE, c.mse, sc.Colour, c.colour)
			}
		})
	}
}

func TestShape(t *testing.T) {
	s := mattetest.Compose(person(t, "student"), mattetest.Blue, small, 4)
	m := matte.New()
	seg := segment(t, m, s, plateOf(t, s))
	if seg.Method != matte.MethodPlate || seg.Drift.Kind != matte.DriftNone {
		t.Errorf("method %s, drift %+v", seg.Method, seg.Drift)
	}
	if seg.Confidence < .9 || seg.Contrast < 20 {
		t.Errorf("confidence %.2f, contrast %.1f", seg.Confidence, seg.Contrast)
	}
	if y, ok := seg.Crown(); !ok || math.Abs(y-s.CrownY) > .03*small.Face {
		t.Errorf("crown at %.1f (%v), is at %.1f", y, ok, s.CrownY)
	}
	eye := (s.Face.EyeL.Y + s.Face.EyeR.Y) / 2
	l, r, ok := seg.FaceEdges(eye)
	middle := (s.Face.EyeL.X + s.Face.EyeR.X) / 2
	if !ok || math.Abs((l+r)/2-middle) > .06*small.Face || r-l < .8*small.Face || r-l > 1.25*small.Face {
		t.Errorf("face from %.1f to %.1f (%v) around %.1f", l, r, ok, middle)
	}
	if _, _, ok := seg.FaceEdges(-50); ok {
		t.Error("edges above the frame")
	}
	if tilt, ok := seg.ShoulderTilt(); !ok || math.Abs(tilt) > 3 {
		t.Errorf("tilt %.1f° (%v) of level shoulders", tilt, ok)
	}
	left, right, ok := seg.ShoulderLine()
	if !ok || left.X >= right.X || left.Y < s.Face.ChinY-.3*small.Face || left.Y > s.Face.ChinY+small.Face {
		t.Errorf("shoulders %v and %v", left, right)
	}
}

func TestWhiteShirtLowersConfidence(t *testing.T) {
	student := person(t, "student")
	m := matte.New()
	dark := mattetest.Compose(student, mattetest.White, small, 5)
	high := segment(t, m, dark, plateOf(t, dark)).Confidence
	light := mattetest.Compose(student.Shirt("white", color.RGBA{236, 235, 232, 255}), mattetest.White, small, 5)
	if low := segment(t, m, light, plateOf(t, light)).Confidence; low >= high-.02 {
		t.Errorf("confidence %.2f in white before white, %.2f in a dark suit", low, high)
	}
	if bare := segment(t, m, dark, nil); bare.Method != matte.MethodFrame || bare.Confidence > .75 {
		t.Errorf("without a plate: method %s, confidence %.2f", bare.Method, bare.Confidence)
	}
}

// Clothes in the very colour of the wall cannot be cut out: however clear the
// head is, the confidence must say so.
func TestLostClothes(t *testing.T) {
	s := mattetest.Compose(person(t, "student"), mattetest.White, small, 14)
	for y := int(s.Face.ChinY + .1*s.Face.H); y < s.Frame.Rect.Dy(); y++ {
		for x := range s.Frame.Rect.Dx() {
			s.Frame.SetRGBA(x, y, s.Plates[0].RGBAAt(x, y))
		}
	}
	if seg := segment(t, matte.New(), s, plateOf(t, s)); seg.Confidence >= .5 {
		t.Errorf("confidence %.2f", seg.Confidence)
	} else {
		t.Logf("confidence %.2f", seg.Confidence)
	}
}

// A soft shadow, a third of the light deep, is left on the wall.
func TestDeepShadow(t *testing.T) {
	deep := small
	deep.Shadow = .3
	for _, wall := range []mattetest.Backdrop{mattetest.White, mattetest.Blue} {
		s := mattetest.Compose(person(t, "student"), wall, deep, 15)
		m := matte.New()
		p := render(t, m, segment(t, m, s, plateOf(t, s)), s)
		sc := s.Truth(480, 640).Score(p.Alpha, p.RGBA, lightBlue)
		t.Logf("%s: MSE %.2f, band %.1f, colour %.1f", s.Name, sc.MSE, sc.Band, sc.Colour)
		if sc.MSE > 4 {
			t.Errorf("%s: MSE %.2f", s.Name, sc.MSE)
		}
		// What was photographed there is darker than the flat plate, not than
		// the one that follows the light.
		q := func(m *image.RGBA, x, y int) float64 {
			var sum float64
			for j := y; j < y+16; j++ {
				for i := x; i < x+16; i++ {
					sum += float64(m.RGBAAt(i, j).G)
				}
			}
			return sum / 256
		}
		x, y := 358, 250
		cut, flat, fit := q(p.Cut, x, y), q(p.PlateFlat, x, y), q(p.PlateCut, x, y)
		if r := cut / flat; r > .9 || r < .65 {
			t.Errorf("%s: %.0f in the shadow, %.0f on the flat plate", s.Name, cut, flat)
		}
		if math.Abs(cut/fit-1) > .03 {
			t.Errorf("%s: %.0f in the shadow, %.0f on the fitted plate", s.Name, cut, fit)
		}
	}
}

func TestDrift(t *testing.T) {
	student := person(t, "student")
	usual := mattetest.Compose(student, mattetest.Cloth, small, 6)
	plate := plateOf(t, usual)
	bright := small
	bright.Exposure = .14
	warm := small
	warm.Tint = .09
	moved := usual.Plates[0]
	shifted := image.NewRGBA(moved.Rect)
	for y := range moved.Rect.Dy() {
		copy(shifted.Pix[shifted.PixOffset(0, y):shifted.PixOffset(0, y)+4*(moved.Rect.Dx()-14)], moved.Pix[moved.PixOffset(14, y):])
	}
	other, err := matte.NewPlate([]*image.RGBA{shifted, shifted})
	if err != nil {
		t.Fatal(err)
	}
	dimPlate := small
	dimPlate.Exposure = -.2
	for _, c := range []struct {
		name  string
		scene *mattetest.Scene
		plate *matte.Plate
		want  matte.DriftKind
	}{
		{"none", usual, plate, matte.DriftNone},
		{"a lamp is out", mattetest.Compose(student, mattetest.Cloth, dimPlate, 6), plate, matte.DriftLamp},
		{"another lamp colour", mattetest.Compose(student, mattetest.Cloth, warm, 6), plate, matte.DriftLamp},
		{"the camera was pushed", usual, other, matte.DriftMoved},
	} {
		m := matte.New()
		seg := segment(t, m, c.scene, c.plate)
		if seg.Drift.Kind != c.want {
			t.Errorf("%s: %+v, want %s", c.name, seg.Drift, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := mattetest.Compose(person(t, "student"), mattetest.Blue, small, 7)
	plate := plateOf(t, s)
	m := matte.New()
	nan := s.Face
	nan.EyeL.X = math.NaN()
	tiny := s.Face
	tiny.W = 2
	away := s.Region
	away.X += 5000
	for name, try := range map[string]func() error{
		"no frame":         func() error { _, err := m.Segment(nil, plate, s.Face, s.Region); return err },
		"face NaN":         func() error { _, err := m.Segment(s.Frame, plate, nan, s.Region); return err },
		"face tiny":        func() error { _, err := m.Segment(s.Frame, plate, tiny, s.Region); return err },
		"region elsewhere": func() error { _, err := m.Segment(s.Frame, plate, s.Face, away); return err },
		"region empty":     func() error { _, err := m.Segment(s.Frame, plate, s.Face, matte.Rect{}); return err },
	} {
		if try() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	half := image.NewRGBA(image.Rect(0, 0, 320, 310))
	if _, err := m.Segment(half, plate, s.Face, s.Region); !errors.Is(err, matte.ErrPlateSize) {
		t.Errorf("plate of another size: %v", err)
	}

	seg := segment(t, m, s, plate)
	for name, try := range map[string]func() error{
		"crop NaN": func() error {
			_, err := m.Render(seg, matte.Rect{X: math.NaN(), W: 9, H: 9}, 480, 640, lightBlue, false)
			return err
		},
		"crop elsewhere": func() error {
			_, err := m.Render(seg, matte.Rect{X: 9e4, W: 99, H: 99}, 480, 640, lightBlue, false)
			return err
		},
		"no output":   func() error { _, err := m.Render(seg, s.Crop, 0, 640, lightBlue, false); return err },
		"huge output": func() error { _, err := m.Render(seg, s.Crop, 480, 1<<20, lightBlue, false); return err },
	} {
		if try() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := matte.New().Render(seg, s.Crop, 480, 640, lightBlue, false); !errors.Is(err, matte.ErrStale) {
		t.Errorf("another Matter's segmentation: %v", err)
	}
	m.Wipe()
	if _, err := m.Render(seg, s.Crop, 480, 640, lightBlue, false); !errors.Is(err, matte.ErrStale) {
		t.Errorf("after Wipe: %v", err)
	}
	if _, ok := seg.Crown(); ok {
		t.Error("a crown after Wipe")
	}
}

func TestKeepLeavesTheBackdrop(t *testing.T) {
	s := mattetest.Compose(person(t, "student"), mattetest.Blue, small, 8)
	m := matte.New()
	seg := segment(t, m, s, plateOf(t, s))
	p, err := m.Render(seg, s.Crop, 295, 413, lightBlue, true)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.RGBA.Pix, p.Cut.Pix) {
		t.Error("kept picture differs from the crop")
	}
	if p.RGBA.Rect.Dx() != 295 || p.RGBA.Rect.Dy() != 413 || p.PlateCut == nil {
		t.Errorf("size %v, plate %v", p.RGBA.Rect, p.PlateCut != nil)
	}
	if p.Alpha.GrayAt(147, 200).Y != 255 || p.Alpha.GrayAt(2, 2).Y != 0 {
		t.Error("no alpha was measured")
	}
}

// The same photo gives the same portrait, whatever the Matter did before.
func TestRepeats(t *testing.T) {
	a := mattetest.Compose(person(t, "student"), mattetest.Blue, small, 9)
	b := mattetest.Compose(person(t, "student"), mattetest.White, small, 10)
	plate := plateOf(t, a)
	m := matte.New()
	first := render(t, m, segment(t, m, a, plate), a)
	render(t, m, segment(t, m, b, plateOf(t, b)), b)
	m.Wipe()
	again := render(t, m, segment(t, m, a, plate), a)
	if !bytes.Equal(first.RGBA.Pix, again.RGBA.Pix) || !bytes.Equal(first.Alpha.Pix, again.Alpha.Pix) {
		t.Error("portraits differ")
	}
	for i := 3; i < len(first.RGBA.Pix); i += 4 {
		if first.RGBA.Pix[i] != 255 {
			t.Fatal("composite is not opaque")
		}
	}
}

// A head near the top of the frame: the region and the crop stick out.
func TestCropBeyondTheFrame(t *testing.T) {
	s := mattetest.Compose(person(t, "student"), mattetest.Grey, small, 12)
	top := int(s.CrownY) - 8
	cut := func(m *image.RGBA) *image.RGBA {
		return m.SubImage(image.Rect(0, top, m.Rect.Dx(), m.Rect.Dy())).(*image.RGBA)
	}
	var plates []*image.RGBA
	for _, p := range s.Plates {
		plates = append(plates, cut(p))
	}
	plate, err := matte.NewPlate(plates)
	if err != nil {
		t.Fatal(err)
	}
	up := func(r matte.Rect) matte.Rect { r.Y -= float64(top); return r }
	face := s.Face
	face.Y -= float64(top)
	face.EyeL.Y -= float64(top)
	face.EyeR.Y -= float64(top)
	face.ChinY -= float64(top)
	m := matte.New()
	seg, err := m.Segment(cut(s.Frame), plate, face, up(s.Region))
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Render(seg, up(s.Crop), 480, 640, lightBlue, false)
	if err != nil {
		t.Fatal(err)
	}
	if sc := s.Truth(480, 640).Score(p.Alpha, p.RGBA, lightBlue); sc.MSE > 4 {
		t.Errorf("MSE %.2f", sc.MSE)
	}
	if a := p.Alpha.GrayAt(240, 5).Y; a != 0 {
		t.Errorf("alpha %d above the frame", a)
	}
}

// FuzzGeometry throws boxes, regions and crops at a small frame.
func FuzzGeometry(f *testing.F) {
	frame := image.NewRGBA(image.Rect(0, 0, 120, 140))
	for i := range frame.Pix {
		frame.Pix[i] = uint8(90 + i*7919%23)
	}
	for y := 50; y < 140; y++ {
		for x := 35; x < 85; x++ {
			frame.SetRGBA(x, y, color.RGBA{40, 30, 60, 255})
		}
	}
	plate, err := matte.NewPlate([]*image.RGBA{frame, frame})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(40., 40., 40., 50., 0., 0., 120., 140., 10., 10., 90., 120., true)
	f.Add(-5., 90., 130., 20., -30., -30., 300., 200., -50., -80., 9., 400., false)
	f.Add(1., 1., 9., 9., 0., 0., 12., 9., 119., 139., 1e5, 1., true)
	f.Fuzz(func(t *testing.T, fx, fy, fw, fh, rx, ry, rw, rh, cx, cy, cw, ch float64, withPlate bool) {
		p := plate
		if !withPlate {
			p = nil
		}
		m := matte.New()
		seg, err := m.Segment(frame, p, matte.FaceBox{X: fx, Y: fy, W: fw, H: fh}, matte.Rect{X: rx, Y: ry, W: rw, H: rh})
		if err != nil {
			return
		}
		seg.Crown()
		seg.FaceEdges(fy)
		seg.ShoulderTilt()
		if seg.Confidence < 0 || seg.Confidence > 1 || math.IsNaN(seg.Contrast) {
			t.Fatalf("confidence %v, contrast %v", seg.Confidence, seg.Contrast)
		}
		out, err := m.Render(seg, matte.Rect{X: cx, Y: cy, W: cw, H: ch}, 40, 48, color.RGBA{255, 255, 255, 255}, false)
		if err == nil && len(out.Alpha.Pix) != 40*48 {
			t.Fatalf("alpha of %d bytes", len(out.Alpha.Pix))
		}
	})
}

// The evening's light is lower and the sensor's gain higher than when the plate
// was taken: the noise must be measured in the frame itself.
func TestFrameNoisierThanThePlate(t *testing.T) {
	student := person(t, "student")
	clean, noisy := small, small
	clean.Noise, noisy.Noise = .8, 5
	plate := plateOf(t, mattetest.Compose(student, mattetest.Blue, clean, 13))
	s := mattetest.Compose(student, mattetest.Blue, noisy, 13)
	m := matte.New()
	p := render(t, m, segment(t, m, s, plate), s)
	sc := s.Truth(480, 640).Score(p.Alpha, p.RGBA, lightBlue)
	t.Logf("MSE %.2f, band %.1f, colour %.1f", sc.MSE, sc.Band, sc.Colour)
	if sc.MSE > 3 {
		t.Errorf("MSE %.2f", sc.MSE)
	}
}
