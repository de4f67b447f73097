package pipeline

import (
	"bytes"
	"context"
	"image"
	"math"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/quality"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

func TestTurnPixels(t *testing.T) {
	// A bright dot right of the centre comes to lie below it when the picture is
	// turned a quarter clockwise.
	src := make([]uint8, 41*41)
	src[20*41+30] = 200
	out := turnPixels(src, 41, 1, image.Pt(41, 41), 21, 21, 90)
	if i := bytes.IndexByte(out, 200); i != 20*21+10 {
		t.Errorf("the dot is at %d, %d", i%21, i/21)
	}
	if same := turnPixels(src, 41, 1, image.Pt(41, 41), 41, 41, 0); !bytes.Equal(same, src) {
		t.Error("no turn changes pixels")
	}
	if w, h := enclose(30, 40, 90); math.Abs(w-40) > 1e-9 || math.Abs(h-30) > 1e-9 {
		t.Errorf("a quarter turn of 30×40 needs %v×%v", w, h)
	}
}

// A tilted head is turned upright where the standard allows it, and only there.
func TestTiltedHead(t *testing.T) {
	b := booth()
	b.tilt = 7
	frame, plate, z := b.render(t), b.plate(t), maker(t)
	inch := standard(t, "inch1")
	r, err := z.Standardize(context.Background(), Input{Frame: frame, Plate: plate, Spec: inch})
	if err != nil {
		t.Fatal(err)
	}
	holdsUp(t, r, inch)
	roll := r.Report.find(quality.Roll)
	if r.JPEG == nil || math.Abs(r.Report.Crop.RotationDeg+7) > 2.5 || math.Abs(*roll.Value) > 1.5 {
		t.Fatalf("photo %v, crop %+v, roll %v", r.JPEG != nil, r.Report.Crop, deref(roll.Value))
	}
	// The eyes of the finished photo are level and where the report says.
	again, err := z.Standardize(context.Background(), Input{Frame: r.Portrait, Spec: withKeep(t, inch), Force: true})
	if err != nil || again.Report.Face == nil {
		t.Fatalf("no face in the photo: %v", err)
	}
	f := again.Report.Face
	tilt := math.Atan2(f.RightEye.Y-f.LeftEye.Y, f.RightEye.X-f.LeftEye.X) * 180 / math.Pi
	if math.Abs(tilt) > 2.5 {
		t.Errorf("the eyes are tilted by %.1f°", tilt)
	}
	if mid := (f.LeftEye.X + f.RightEye.X) / 2; math.Abs(mid-float64(inch.Width)/2) > 8 {
		t.Errorf("the face is at %.1f", mid)
	}
	chsi := standard(t, "chsi")
	r, err = z.Standardize(context.Background(), Input{Frame: frame, Plate: plate, Spec: chsi})
	if err != nil {
		t.Fatal(err)
	}
	if status(t, r.Report, quality.Roll) != Fail || r.Report.Crop != nil && r.Report.Crop.RotationDeg != 0 {
		t.Errorf("chsi: roll %s, crop %+v", status(t, r.Report, quality.Roll), r.Report.Crop)
	}
}

func withKeep(t *testing.T, s *spec.Spec) *spec.Spec {
	t.Helper()
	k, err := s.WithBackground("keep")
	if err != nil {
		t.Fatal(err)
	}
	return k
}
