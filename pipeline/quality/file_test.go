package quality

import (
	"image"
	"image/draw"
	"math"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/face"
)

// moved is the picture with everything dx to the right and dy down, the new
// room filled with the background.
func moved(in Input, dx, dy int) *image.RGBA {
	out := image.NewRGBA(in.Portrait.Rect)
	draw.Draw(out, out.Rect, image.NewUniform(in.Background), image.Point{}, draw.Src)
	draw.Draw(out, out.Rect.Add(image.Pt(dx, dy)), in.Portrait, image.Point{}, draw.Src)
	return out
}

// TestTheFileCounts: what the layout meant to do does not matter, only where the
// head is in the written photo.
func TestTheFileCounts(t *testing.T) {
	in := newScene(portrait(t, "student.png")).input(t)
	filed := func(f *image.RGBA) map[string]Measurement {
		t.Helper()
		in := in
		in.File = f
		if faces := detect(t, f, face.Options{Upright: true}); len(faces) > 0 {
			in.FileFace = &faces[0]
		}
		return measured(New().Full(in))
	}
	asMeant := measured(New().Full(in))
	still := filed(in.Portrait)
	for _, id := range []string{EyeLine, CrownMargin, FaceWidth, Centred, HeadHeight} {
		if d := math.Abs(still[id].Value - asMeant[id].Value); d > 4 {
			t.Errorf("%s is %s in the file and %s by the layout", id, describe(still[id]), describe(asMeant[id]))
		}
	}
	const dx, dy = 11, -17
	away := filed(moved(in, dx, dy))
	for id, want := range map[string]float64{EyeLine: dy, CrownMargin: dy, Centred: dx, ChinMargin: -dy} {
		if d := away[id].Value - still[id].Value; math.Abs(d-want) > 1.5 || !away[id].Known {
			t.Errorf("%s moved by %.1f px with the picture, want %.0f", id, d, want)
		}
	}
	// What the camera gave and what stood behind is not in the file.
	for _, id := range []string{InterEyeDistance, BackgroundShadow, BackgroundUniform, SingleFace} {
		if away[id] != asMeant[id] {
			t.Errorf("%s depends on the file: %s and %s", id, describe(away[id]), describe(asMeant[id]))
		}
	}
	// A blurred file is a blurred photo, however sharp the frame.
	soft := image.NewRGBA(in.Portrait.Rect)
	copy(soft.Pix, in.Portrait.Pix)
	blur(3)(soft)
	if m := filed(soft)[Sharpness]; m.Value >= 40 {
		t.Errorf("a blurred file has the sharpness %s", describe(m))
	}
}

func TestAFileWithoutAFace(t *testing.T) {
	in := newScene(portrait(t, "student.png")).input(t)
	in.File = image.NewRGBA(in.Portrait.Rect)
	got := measured(New().Full(in))
	for _, id := range []string{EyeLine, CrownMargin, FaceWidth, Centred} {
		if got[id].Known {
			t.Errorf("%s is %s in an empty file", id, describe(got[id]))
		}
	}
	// A file that cannot be what its rectangle says is no file to look at.
	in.File = &image.RGBA{Rect: image.Rect(0, 0, 480, 640), Stride: 4 * 480, Pix: make([]uint8, 8)}
	in.FileFace = &in.Faces[0]
	if m := measured(New().Full(in))[Roll]; !m.Known {
		t.Error("a malformed file takes the frame's rules along")
	}
}

// TestSmallFilesGiveTheirGeometry: on a photo for a certificate of 1 cm nobody
// can tell eyelids; they are measured in the frame, the geometry in the file.
func TestSmallFilesGiveTheirGeometry(t *testing.T) {
	in := newScene(portrait(t, "student.png")).input(t)
	const k = 4
	small := image.NewRGBA(image.Rect(0, 0, 480/k, 640/k))
	for y := range small.Rect.Dy() {
		for x := range small.Rect.Dx() {
			small.SetRGBA(x, y, in.Portrait.RGBAAt(k*x+k/2, k*y+k/2))
		}
	}
	faces := detect(t, small, face.Options{Upright: true})
	if len(faces) == 0 {
		t.Fatal("no face in the small photo")
	}
	frame := measured(New().Full(in))
	in.File, in.FileFace = small, &faces[0]
	got := measured(New().Full(in))
	if got[EyesOpen] != frame[EyesOpen] || got[Sharpness] != frame[Sharpness] {
		t.Errorf("eyes %s, sharpness %s, want the frame's %s, %s", describe(got[EyesOpen]), describe(got[Sharpness]), describe(frame[EyesOpen]), describe(frame[Sharpness]))
	}
	if d := got[EyeLine].Value*k - frame[EyeLine].Value; math.Abs(d) > 8 {
		t.Errorf("eye line %s of the small photo, %s of the large one", describe(got[EyeLine]), describe(frame[EyeLine]))
	}
}

// TestMeterForgets: no face stays in the pool.
func TestMeterForgets(t *testing.T) {
	in := newScene(portrait(t, "student.png")).input(t)
	m := New()
	m.Full(in)
	p := m.patch()
	for i, v := range p.pix[:cap(p.pix)] {
		if v != 0 {
			t.Fatalf("byte %d of a used patch is %d", i, v)
		}
	}
}
