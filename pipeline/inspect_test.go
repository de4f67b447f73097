package pipeline

import (
	"image"
	"math"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/quality"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// TestReportIsOfTheFile measures the written file with a ruler of its own: rows
// that are not the background's colour, and where the cut-out's pupils are known
// to be.
func TestReportIsOfTheFile(t *testing.T) {
	b := booth()
	z, frame, plate := maker(t), b.render(t), b.plate(t)
	for _, id := range []string{"chsi", "chsi-xinhua", "passport-cn", "inch1", "id-card", "cet"} {
		t.Run(id, func(t *testing.T) {
			s := standard(t, id)
			r, err := z.Standardize(t.Context(), Input{Frame: frame, Plate: plate, Spec: s})
			if err != nil || r.JPEG == nil {
				t.Fatalf("no photo: %v", err)
			}
			var m image.RGBA
			if err := codec.DecodeRGBA(&m, r.JPEG, codec.Options{}); err != nil {
				t.Fatal(err)
			}
			k := float64(s.Height) / r.Report.Crop.Height
			ied := 182 * b.scale * k
			// A pupil's place is known to about a pixel of the frame.
			near := max(1.5*k, 1.5)
			eyes := (b.y + 397*b.scale - r.Report.Crop.Y) * k
			centre := (b.x+546*b.scale-r.Report.Crop.X)*k - float64(s.Width)/2
			crown := -1.
			for y := 0; y < s.Height && crown < 0; y++ {
				n := 0.
				for x := range s.Width {
					if far(m.RGBAAt(x, y), s.Background.Color) > 40 {
						n++
					}
				}
				if n > .35*ied {
					crown = float64(y)
				}
			}
			for check, want := range map[string][2]float64{
				spec.EyeLine: {eyes, near}, spec.Centred: {centre, near}, spec.CrownMargin: {crown, 3},
				spec.FaceWidth: {2.0 * ied, .15 * ied},
			} {
				c := r.Report.find(check)
				if c == nil {
					continue // not a rule of this standard
				}
				if math.Abs(deref(c.Value)-want[0]) > want[1] {
					t.Errorf("%s is %.1f, in the file %.1f ± %.1f", check, deref(c.Value), want[0], want[1])
				}
			}
		})
	}
}

// TestLayoutMistakesShow: a layout that is wrong about the eyes is found out in
// the file and mended.
func TestLayoutMistakesShow(t *testing.T) {
	z := maker(t)
	s := standard(t, "chsi")
	b := booth()
	r, err := z.Standardize(t.Context(), Input{Frame: b.render(t), Plate: b.plate(t), Spec: s})
	if err != nil {
		t.Fatal(err)
	}
	p := &photo{z: z, in: Input{Spec: s}, judge: judge{s, z.texts}, head: head{crownY: 100, eyeY: 300, chinY: 560, cx: 500, faceW: 290}}
	if p.learn([]quality.Measurement{{ID: spec.EyeLine, Value: 330, Known: true}}, framing{scale: .8, eye: 250}) != true ||
		p.head.eyeY != 400 || p.head.crownY != 200 || p.head.chinY != 660 {
		t.Errorf("learnt %+v", p.head)
	}
	f, err := z.faceOf(r.Portrait, 0)
	if err != nil || f == nil {
		t.Fatalf("no face in the written photo: %v", err)
	}
	if got := deref(r.Report.find(spec.EyeLine).Value); math.Abs(got-f.EyeMid().Y) > .01 {
		t.Errorf("eye line %.2f, in the file %.2f", got, f.EyeMid().Y)
	}
	if f, err := z.faceOf(image.NewRGBA(r.Portrait.Rect), 0); err != nil || f != nil {
		t.Errorf("a face in an empty photo: %v %v", f, err)
	}
}
