package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/face"
	"github.com/yunzhao-station/yunzhao/pipeline/quality"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

func status(t *testing.T, r Report, id string) Status {
	t.Helper()
	c := r.find(id)
	if c == nil {
		t.Fatalf("no check %s in the report", id)
	}
	return c.Status
}

// holdsUp checks what must be true of every report.
func holdsUp(t *testing.T, r *Result, s *spec.Spec) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range r.Report.Checks {
		if seen[c.ID] {
			t.Errorf("%s is reported twice", c.ID)
		}
		seen[c.ID] = true
		if c.MessageEN == "" || !strings.ContainsFunc(c.MessageZH, func(r rune) bool { return unicode.Is(unicode.Han, r) }) || c.TitleZH == "" {
			t.Errorf("%s says %q / %q", c.ID, c.MessageZH, c.MessageEN)
		}
		if c.Status == Pass && c.Value == nil && c.ID != checkPlate {
			t.Errorf("%s passes without a value", c.ID)
		}
	}
	for _, id := range s.CheckIDs() {
		if !seen[id] && (id != checkCutout || r.JPEG != nil) {
			t.Errorf("%s is not reported", id)
		}
	}
	if _, err := json.Marshal(r.Report); err != nil {
		t.Errorf("report as JSON: %v", err)
	}
	if r.JPEG == nil {
		if r.Report.Verdict != Fail || r.Portrait != nil || r.Report.Output != nil || r.Report.Crop != nil || r.Report.Alpha != nil {
			t.Errorf("refused, but %+v", r.Report)
		}
		return
	}
	var m image.RGBA
	if err := codec.DecodeRGBA(&m, r.JPEG, codec.Options{}); err != nil {
		t.Fatal(err)
	}
	size := image.Rect(0, 0, s.Width, s.Height)
	if m.Rect != size || r.Before.Rect != size || r.Alpha.Rect != size || !bytes.Equal(m.Pix, r.Portrait.Pix) {
		t.Errorf("pictures are %v %v %v, want %v, and the portrait is what the file holds", m.Rect, r.Before.Rect, r.Alpha.Rect, size)
	}
	x, y, err := codec.Density(r.JPEG)
	if err != nil || x != s.DPI || y != s.DPI {
		t.Errorf("density %d×%d, %v", x, y, err)
	}
	o := r.Report.Output
	if o.Bytes != len(r.JPEG) || o.JPEGQuality < s.JPEGMinQuality || o.DPI != s.DPI {
		t.Errorf("output %+v of %d bytes", o, len(r.JPEG))
	}
	if lo, hi, ok := s.SizeWindow(); ok && (len(r.JPEG) < lo || len(r.JPEG) > hi) {
		t.Errorf("file has %d bytes, want %d to %d", len(r.JPEG), lo, hi)
	}
}

func TestEveryStandardMakesItsPhoto(t *testing.T) {
	b := booth()
	frame, plate, z := b.render(t), b.plate(t), maker(t)
	before := bytes.Clone(frame.Pix)
	ids := spec.IDs()
	if testing.Short() {
		ids = []string{"chsi", "id-card"}
	}
	for _, id := range ids {
		t.Run(id, func(t *testing.T) {
			s := standard(t, id)
			r, err := z.Standardize(context.Background(), Input{Frame: frame, Plate: plate, Spec: s})
			if err != nil {
				t.Fatal(err)
			}
			holdsUp(t, r, s)
			if r.Report.Verdict == Fail {
				for _, c := range r.Report.Checks {
					if c.Status == Fail {
						t.Errorf("%s fails: %v (%v)", c.ID, deref(c.Value), c.MessageEN)
					}
				}
			}
			if r.JPEG == nil {
				t.FailNow()
			}
			// The corners above the head are the standard's backdrop.
			bg := s.Background.Color
			for _, x := range []int{3, s.Width - 4} {
				c := r.Portrait.RGBAAt(x, 3)
				if far(c, bg) > 6 {
					t.Errorf("corner is %v, want %v", c, bg)
				}
			}
			for _, g := range geometryIDs {
				w := s.Geometry.Window(g)
				if c := r.Report.find(g); !w.IsOpen() && !s.Geometry.Yields(g) && (c == nil || c.Value == nil || w.Compare(*c.Value) != 0) {
					t.Errorf("%s is not inside %v", g, w)
				}
			}
			measuredAgain(t, z, r.JPEG, s)
		})
	}
	if !bytes.Equal(before, frame.Pix) {
		t.Error("the frame was changed")
	}
}

// measuredAgain takes the geometry from the written file alone: the face is found
// in it, and the person is what differs from the backdrop's colour. The face
// finder's own uncertainty, 1 % of the side, is allowed for.
func measuredAgain(t *testing.T, z *Standardizer, jpg []byte, s *spec.Spec) {
	t.Helper()
	var file image.RGBA
	if err := codec.DecodeRGBA(&file, jpg, codec.Options{}); err != nil {
		t.Fatal(err)
	}
	k := 1
	for s.Width*k < 450 { // faces of a few dozen pixels are found worse
		k++
	}
	big := image.NewRGBA(image.Rect(0, 0, s.Width*k, s.Height*k))
	if err := codec.ScaleInto(big, &file, false); err != nil {
		t.Fatal(err)
	}
	alpha := image.NewGray(big.Rect)
	for i := range alpha.Pix {
		q := big.Pix[4*i:]
		if far(color.RGBA{q[0], q[1], q[2], 255}, s.Background.Color) > 24 {
			alpha.Pix[i] = 255
		}
	}
	var gray image.Gray
	lumaInto(&gray, big)
	faces, err := z.detector.Detect(&gray, face.Options{})
	if err != nil || len(faces) == 0 {
		t.Fatalf("no face in the written file: %v", err)
	}
	for _, m := range z.meter.Full(quality.Input{
		Frame: big, Faces: faces, Crop: quality.Crop{W: float64(s.Width * k), H: float64(s.Height * k)},
		Cut: big, Portrait: big, Alpha: alpha, Background: s.Background.Color,
	}) {
		w := s.Geometry.Window(m.ID)
		if w.IsOpen() || s.Geometry.Yields(m.ID) {
			continue
		}
		side := float64(s.Height)
		if m.ID == spec.FaceWidth || m.ID == spec.Centred {
			side = float64(s.Width)
		}
		v := m.Value / float64(k)
		if !m.Known || v < w.Min-.01*side || v > w.Max+.01*side {
			t.Errorf("in the file %s is %.1f, want %v", m.ID, v, w)
		}
	}
}

// The default standard forbids turning and mirroring, however the head is held.
func TestNeitherTurnedNorMirrored(t *testing.T) {
	b := booth()
	b.tilt = 2.5
	frame := b.render(t)
	r, err := maker(t).Standardize(context.Background(), Input{Frame: frame, Plate: b.plate(t), Spec: standard(t, "chsi"), Force: true})
	if err != nil || r.JPEG == nil {
		t.Fatalf("no photo: %v", err)
	}
	c := r.Report.Crop
	if c.RotationDeg != 0 {
		t.Errorf("turned by %v°", c.RotationDeg)
	}
	// The face of the file is the frame's where the report says, not its mirror image.
	diff := func(mirror bool) (sum float64) {
		for y := 180; y < 400; y++ {
			for x := 140; x < 340; x++ {
				u := x
				if mirror {
					u = 479 - x
				}
				fx, fy := int(c.X+(float64(u)+.5)*c.Width/480), int(c.Y+(float64(y)+.5)*c.Height/640)
				sum += float64(far(r.Portrait.RGBAAt(x, y), frame.RGBAAt(fx, fy)))
			}
		}
		return sum / (220 * 200)
	}
	if straight, mirrored := diff(false), diff(true); straight > 8 || mirrored < 2*straight {
		t.Errorf("differs by %.1f from the frame, by %.1f from its mirror image", straight, mirrored)
	}
}

// Several standards of one frame give what each gives alone, from one cut.
func TestStandardizeAll(t *testing.T) {
	b := booth()
	frame, plate, z := b.render(t), b.plate(t), maker(t)
	var list []*spec.Spec
	for _, id := range []string{"chsi", "inch1", "visa-us"} {
		list = append(list, standard(t, id))
	}
	var got []*Result
	err := z.StandardizeAll(context.Background(), Input{Frame: frame, Plate: plate}, list, func(r *Result) error {
		got = append(got, r)
		return nil
	})
	if err != nil || len(got) != len(list) {
		t.Fatalf("%d results, %v", len(got), err)
	}
	for i, s := range list {
		holdsUp(t, got[i], s)
		if m := got[i].Report.Timings; (m.Matte > 0) != (i == 0) || (m.Detect > 0) != (i == 0) {
			t.Errorf("%s: timings %+v", s.ID, m)
		}
		alone, err := z.Standardize(context.Background(), Input{Frame: frame, Plate: plate, Spec: s})
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.
		for j, a := range alone.Alpha.Pix {
			d := float64(a) - float64(got[i].Alpha.Pix[j])
			sum += d * d
		}
		if mse := sum / 255 / 255 / float64(len(alone.Alpha.Pix)); mse > 1e-3 || got[i].Report.Verdict != alone.Report.Verdict {
			t.Errorf("%s: alpha differs by %.5f from that of its own run, verdict %s and %s", s.ID, mse, got[i].Report.Verdict, alone.Report.Verdict)
		}
	}
	stop := errors.New("enough")
	n := 0
	err = z.StandardizeAll(context.Background(), Input{Frame: frame, Plate: plate}, list, func(*Result) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("%d results after an error: %v", n, err)
	}
	if err := z.StandardizeAll(context.Background(), Input{Frame: frame}, nil, nil); !errors.Is(err, ErrInput) {
		t.Errorf("no standards: %v", err)
	}
}

func deref(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func far(a, b color.RGBA) int {
	d := func(x, y uint8) int { return max(int(x), int(y)) - min(int(x), int(y)) }
	return max(d(a.R, b.R), d(a.G, b.G), d(a.B, b.B))
}

func TestReportOfAGoodPhoto(t *testing.T) {
	b := booth()
	z, s := maker(t), standard(t, "chsi")
	plate := b.plate(t)
	r, err := z.Standardize(context.Background(), Input{Frame: b.render(t), Plate: plate, Spec: s, Decode: 7 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	holdsUp(t, r, s)
	if r.Report.Verdict != Warn { // the rules that only a person can judge
		t.Errorf("verdict %s", r.Report.Verdict)
	}
	if status(t, r.Report, "makeup") != Manual || status(t, r.Report, checkPlate) != Pass {
		t.Error("makeup is not manual or the plate does not pass")
	}
	if r.Report.Matte != "plate" || r.Report.Plate != plate.ID || r.Report.Spec != "chsi" {
		t.Errorf("matte %q plate %q", r.Report.Matte, r.Report.Plate)
	}
	// The crop lies in the frame and puts the eyes where the report says.
	c, f := r.Report.Crop, r.Report.Face
	if c.X < 0 || c.Y < 0 || c.X+c.Width > 1920 || c.Y+c.Height > 1080 {
		t.Errorf("crop %+v leaves the frame", c)
	}
	eye := ((f.LeftEye.Y+f.RightEye.Y)/2 - c.Y) * 640 / c.Height
	if got := *r.Report.find(spec.EyeLine).Value; math.Abs(got-eye) > 1.5 {
		t.Errorf("eye line %.1f, by the crop %.1f", got, eye)
	}
	if a := r.Report.Alpha; float64(a.X) != c.X || float64(a.Width) != c.Width {
		t.Errorf("alpha covers %+v, crop %+v", a, c)
	}
	if r.Alpha.GrayAt(240, 300).Y != 255 || r.Alpha.GrayAt(5, 5).Y != 0 {
		t.Error("alpha does not cover the face alone")
	}
	tm := r.Report.Timings
	if tm.Decode != 7 || tm.Total < tm.Detect+tm.Matte+tm.Compose+tm.Encode {
		t.Errorf("timings %+v", tm)
	}
}

func TestSameInputSameBytes(t *testing.T) {
	b := booth()
	frame, plate, s := b.render(t), b.plate(t), standard(t, "chsi")
	z := maker(t)
	first, err := z.Standardize(context.Background(), Input{Frame: frame, Plate: plate, Spec: s})
	if err != nil {
		t.Fatal(err)
	}
	jpg := bytes.Clone(first.JPEG)
	// Another photo between them must leave no trace.
	other := b
	other.x, other.scale = 560, .8
	if _, err := z.Standardize(context.Background(), Input{Frame: other.render(t), Plate: plate, Spec: standard(t, "id-card")}); err != nil {
		t.Fatal(err)
	}
	again, err := z.Standardize(context.Background(), Input{Frame: frame, Plate: plate, Spec: s})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(jpg, again.JPEG) {
		t.Error("the same frame gave other bytes")
	}
	if !bytes.Equal(jpg, first.JPEG) {
		t.Error("a later photo changed an earlier result")
	}
}

func TestRefusals(t *testing.T) {
	usual := booth()
	plate := usual.plate(t)
	small := scene{w: 960, h: 540, x: 240, y: 75, scale: .43, seed: 3}
	z, s := maker(t), standard(t, "chsi")
	for name, tc := range map[string]struct {
		scene scene
		plate *Plate
		id    string // of the check that fails
		zh    string // in its sentence
		force bool   // a photo can be forced
	}{
		"nobody":          {scene{w: 1920, h: 1080, nobody: true}, plate, quality.SingleFace, "人脸", false},
		"two people":      {scene{w: 1920, h: 1080, x: 300, y: 150, scale: .87, second: true, seed: 2}, plate, quality.SingleFace, "其他人", true},
		"too small":       {scene{w: 1920, h: 1080, x: 760, y: 500, scale: .36, seed: 2}, plate, quality.InterEyeDistance, "%，请坐近", true},
		"crown cut":       {scene{w: 1920, h: 1080, x: 480, y: -60, scale: .87, seed: 2}, plate, spec.CrownMargin, "坐低", true},
		"cut on the left": {scene{w: 1920, h: 1080, x: -330, y: 150, scale: .87, seed: 2}, plate, spec.Centred, "左", true},
		"plate size":      {small, plate, checkPlate, "960×540", false},
		"other camera":    {usual, elsewhere(t), checkPlate, "同一相机", false},
		"other wall":      {usual, coloured(t, .4, .65, .95), checkPlate, "同一背景", false},
		"other light":     {usual, coloured(t, .3, .3, .3), checkPlate, "同一背景", false},
	} {
		t.Run(name, func(t *testing.T) {
			frame := tc.scene.render(t)
			r, err := z.Standardize(context.Background(), Input{Frame: frame, Plate: tc.plate, Spec: s})
			if err != nil {
				t.Fatal(err)
			}
			holdsUp(t, r, s)
			c := r.Report.find(tc.id)
			if r.JPEG != nil || c == nil || c.Status != Fail || !strings.Contains(c.MessageZH, tc.zh) {
				for _, c := range r.Report.Checks {
					if c.Status == Fail {
						t.Logf("%s %v %s", c.ID, deref(c.Value), c.MessageZH)
					}
				}
				t.Fatalf("photo %v, check %+v", r.JPEG != nil, c)
			}
			if name == "nobody" && (c.Value == nil || *c.Value != 0 || r.Report.Face != nil) {
				t.Errorf("no face: %+v", c)
			}
			r, err = z.Standardize(context.Background(), Input{Frame: frame, Plate: tc.plate, Spec: s, Force: true})
			if err != nil {
				t.Fatal(err)
			}
			if (r.JPEG != nil) != tc.force || r.Report.Verdict != Fail || status(t, r.Report, tc.id) != Fail {
				t.Errorf("forced: photo %v, verdict %s", r.JPEG != nil, r.Report.Verdict)
			}
		})
	}
}

// elsewhere is the plate of a booth with another backdrop, of the same size.
func elsewhere(t *testing.T) *Plate {
	t.Helper()
	var frames []*image.RGBA
	for i := range 3 {
		s := scene{w: 1920, h: 1080, nobody: true, shelf: true, seed: uint64(200 + i)}
		frames = append(frames, s.render(t))
	}
	p, err := NewPlate(frames)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// coloured is the plate of a plain wall in other colours than the booth's.
func coloured(t *testing.T, red, green, blue float64) *Plate {
	t.Helper()
	var frames []*image.RGBA
	for i := range 3 {
		m := scene{w: 1920, h: 1080, nobody: true, seed: uint64(300 + i)}.render(t)
		for j := range m.Pix {
			m.Pix[j] = uint8(float64(m.Pix[j]) * [4]float64{red, green, blue, 1}[j%4])
		}
		frames = append(frames, m)
	}
	p, err := NewPlate(frames)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A lamp turned down by a third is a warning, not another booth.
func TestDimmedLampIsNoOtherBooth(t *testing.T) {
	r, err := maker(t).Standardize(context.Background(), Input{Frame: booth().render(t), Plate: coloured(t, .7, .7, .7), Spec: standard(t, "chsi")})
	if err != nil || r.JPEG == nil || status(t, r.Report, checkPlate) != Warn {
		t.Errorf("%v, photo %v", err, r.JPEG != nil)
	}
}

func TestWithoutPlate(t *testing.T) {
	r, err := maker(t).Standardize(context.Background(), Input{Frame: booth().render(t), Spec: standard(t, "chsi")})
	if err != nil {
		t.Fatal(err)
	}
	if r.JPEG == nil || r.Report.Matte != "frame" || r.Report.Plate != "" || status(t, r.Report, checkPlate) != Warn {
		t.Errorf("photo %v, matte %q, plate %q", r.JPEG != nil, r.Report.Matte, r.Report.Plate)
	}
}

// Before a full shelf there is a portrait, but nothing about it is vouched for.
func TestShelfBehindWithoutPlate(t *testing.T) {
	b := booth()
	b.shelf = true
	s := standard(t, "chsi")
	r, err := maker(t).Standardize(context.Background(), Input{Frame: b.render(t), Spec: s})
	if err != nil {
		t.Fatal(err)
	}
	if r.JPEG == nil || r.Report.Matte != "frame" {
		t.Fatalf("photo %v, matte %q, %+v", r.JPEG != nil, r.Report.Matte, r.Report.Checks)
	}
	if status(t, r.Report, checkPlate) != Warn || status(t, r.Report, checkCutout) != Warn || status(t, r.Report, quality.BackgroundUniform) != Warn {
		t.Errorf("plate %s, cutout %s, background_uniform %s", status(t, r.Report, checkPlate), status(t, r.Report, checkCutout),
			status(t, r.Report, quality.BackgroundUniform))
	}
	if c, o := r.Portrait.RGBAAt(5, 5), s.Background.Color; far(c, o) > 6 {
		t.Errorf("corner is %v, want %v", c, o)
	}
}

// The shadow on the wall is measured at its depth, though the cut-out and the
// portrait do without it.
func TestShadowIsMeasured(t *testing.T) {
	z, s := maker(t), standard(t, "chsi")
	for _, tc := range []struct{ depth, low, high float64 }{{0, 0, 5}, {.10, 7, 14}, {.25, 20, 30}} {
		b := booth()
		b.shade = tc.depth
		r, err := z.Standardize(context.Background(), Input{Frame: b.render(t), Plate: b.plate(t), Spec: s, Force: true})
		if err != nil {
			t.Fatal(err)
		}
		c := r.Report.find(quality.BackgroundShadow)
		if c == nil || c.Value == nil || *c.Value < tc.low || *c.Value > tc.high {
			t.Errorf("a shadow of %.0f %% reads %+v", 100*tc.depth, c)
			continue
		}
		t.Logf("a shadow of %.0f %% reads %.1f %%, %s", 100*tc.depth, *c.Value, c.Status)
		// Right of the ear, in the middle of the shadow.
		x, y := s.Width*86/100, s.Height*45/100
		if a := r.Alpha.GrayAt(x, y).Y; a > 2 {
			t.Errorf("alpha %d in a shadow of %.0f %%", a, 100*tc.depth)
		}
	}
}

// The usual colours with a standard that knows only some of them.
func TestUsualBackgrounds(t *testing.T) {
	b := booth()
	frame, plate, z := b.render(t), b.plate(t), maker(t)
	var list []*spec.Spec
	for _, name := range []string{"blue", "white", "grey", "red"} {
		s, err := standard(t, "id-card").WithBackground(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	err := z.StandardizeAll(context.Background(), Input{Frame: frame, Plate: plate}, list, func(r *Result) error {
		s := list[0]
		list = list[1:]
		if r.JPEG == nil {
			t.Fatalf("%s: no photo", s.Background.Name)
		}
		if c := r.Portrait.RGBAAt(4, 4); far(c, s.Background.Color) > 6 {
			t.Errorf("%s: corner is %v", s.Background.Name, c)
		}
		if c := r.Report.find(checkBackdrop); (c != nil && c.Status == Warn) != (s.Background.Name != "white") {
			t.Errorf("%s: %+v", s.Background.Name, c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeepBackground(t *testing.T) {
	b := booth()
	s, err := standard(t, "chsi").WithBackground("keep")
	if err != nil {
		t.Fatal(err)
	}
	r, err := maker(t).Standardize(context.Background(), Input{Frame: b.render(t), Plate: b.plate(t), Spec: s})
	if err != nil {
		t.Fatal(err)
	}
	if r.Report.Matte != "keep" || r.Alpha == nil {
		t.Errorf("matte %q", r.Report.Matte)
	}
	if c, o := r.Portrait.RGBAAt(5, 5), r.Before.RGBAAt(5, 5); far(c, o) > 12 || c.R < 180 {
		t.Errorf("backdrop %v was %v", c, o)
	}
}

func TestMountRotation(t *testing.T) {
	b := booth()
	b.w, b.h, b.x, b.y, b.scale = 1080, 1440, 200, 420, .65
	upright := b.render(t)
	plate := b.plate(t)
	z, s := maker(t), standard(t, "chsi")
	want, err := z.Standardize(context.Background(), Input{Frame: upright, Plate: plate, Spec: s})
	if err != nil || want.JPEG == nil {
		t.Fatalf("upright: %v", err)
	}
	for _, deg := range []int{90, 180, 270} {
		turned, err := codec.Rotate(upright, 360-deg)
		if err != nil {
			t.Fatal(err)
		}
		got, err := z.Standardize(context.Background(), Input{Frame: turned, Plate: plate, Spec: s, Rotation: deg})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.JPEG, want.JPEG) {
			t.Errorf("%d°: another photo than upright", deg)
		}
	}
}

func TestBadInput(t *testing.T) {
	z, s := maker(t), standard(t, "chsi")
	good := image.NewRGBA(image.Rect(0, 0, 640, 480))
	for name, in := range map[string]Input{
		"no frame":     {Spec: s},
		"no standard":  {Frame: good},
		"tiny":         {Frame: image.NewRGBA(image.Rect(0, 0, 8, 8)), Spec: s},
		"moved origin": {Frame: image.NewRGBA(image.Rect(5, 5, 640, 480)), Spec: s},
		"short pixels": {Frame: &image.RGBA{Pix: good.Pix[:100], Stride: good.Stride, Rect: good.Rect}, Spec: s},
		"rotation":     {Frame: good, Spec: s, Rotation: 45},
	} {
		if _, err := z.Standardize(context.Background(), in); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := z.Standardize(ctx, Input{Frame: good, Spec: s}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestWipe(t *testing.T) {
	b := booth()
	z := maker(t)
	frame := b.render(t)
	r, err := z.Standardize(context.Background(), Input{Frame: frame, Plate: b.plate(t), Spec: standard(t, "chsi")})
	if err != nil {
		t.Fatal(err)
	}
	portrait, jpg := r.Portrait.Pix, r.JPEG
	r.Wipe()
	z.Wipe()
	for name, b := range map[string][]byte{"portrait": portrait, "file": jpg, "gray": z.gray.Pix[:cap(z.gray.Pix)], "scratch": z.file[:cap(z.file)]} {
		if len(b) == 0 || bytes.ContainsFunc(b, func(r rune) bool { return r != 0 }) {
			t.Errorf("%s still holds a picture", name)
		}
	}
	if _, err := z.Standardize(context.Background(), Input{Frame: frame, Spec: standard(t, "chsi")}); err != nil {
		t.Errorf("after wiping: %v", err)
	}
}

func TestDemoFrames(t *testing.T) {
	frame, empty := shared(t, "vm-camera/photos/student.jpg"), shared(t, "vm-camera/photos/empty.jpg")
	plate, err := NewPlate([]*image.RGBA{empty})
	if err != nil {
		t.Fatal(err)
	}
	s := standard(t, "chsi")
	r, err := maker(t).Standardize(context.Background(), Input{Frame: frame, Plate: plate, Spec: s})
	if err != nil {
		t.Fatal(err)
	}
	holdsUp(t, r, s)
	if r.Report.Verdict == Fail {
		t.Errorf("%+v", r.Report)
	}
}

// A tenth of a second is what it takes; what is measured here is only where the
// time goes.
func BenchmarkStandardize1080p(b *testing.B) {
	sc := booth()
	frame, plate := sc.render(b), sc.plate(b)
	z, s := maker(b), standard(b, "chsi")
	var sum Timings
	b.ReportAllocs()
	for b.Loop() {
		r, err := z.Standardize(context.Background(), Input{Frame: frame, Plate: plate, Spec: s})
		if err != nil || r.JPEG == nil {
			b.Fatalf("no photo: %v", err)
		}
		t := r.Report.Timings
		sum.Detect += t.Detect
		sum.Matte += t.Matte
		sum.Compose += t.Compose
		sum.Encode += t.Encode
		sum.Check += t.Check
		r.Wipe()
	}
	n := float64(b.N)
	b.ReportMetric(sum.Detect/n, "detect-ms")
	b.ReportMetric(sum.Matte/n, "matte-ms")
	b.ReportMetric(sum.Compose/n, "compose-ms")
	b.ReportMetric(sum.Encode/n, "encode-ms")
	b.ReportMetric(sum.Check/n, "check-ms")
}
