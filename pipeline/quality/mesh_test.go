package quality

import (
	"image"
	"image/color"
	"image/draw"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/face"
)

// meshFace is a face with a mesh, and a picture of skin with two dark irises and
// red lips where it says that they are.
func meshFace() (*image.RGBA, face.Face) {
	m := image.NewRGBA(image.Rect(0, 0, 600, 600))
	fill := func(r image.Rectangle, c color.RGBA) { draw.Draw(m, r, image.NewUniform(c), image.Point{}, draw.Src) }
	fill(m.Rect, color.RGBA{205, 160, 135, 255})
	fill(image.Rect(243, 243, 257, 257), color.RGBA{30, 22, 20, 255})
	fill(image.Rect(343, 243, 357, 257), color.RGBA{30, 22, 20, 255})
	fill(image.Rect(265, 345, 335, 365), color.RGBA{180, 80, 85, 255})
	return m, face.Face{
		X: 150, Y: 130, W: 290, H: 290,
		LeftEye: face.Point{X: 250, Y: 250}, RightEye: face.Point{X: 350, Y: 250}, Nose: face.Point{X: 300, Y: 305},
		MouthLeft: face.Point{X: 265, Y: 355}, MouthRight: face.Point{X: 335, Y: 355},
		UpperLip: face.Point{X: 300, Y: 345}, LowerLip: face.Point{X: 300, Y: 365}, Chin: face.Point{X: 300, Y: 435},
		Shape: face.Shape{Known: true, Yaw: 4, Pitch: -3, Lids: [2]float64{.07, .06}, Lips: .002, Smile: .03},
	}
}

// TestMeshIsBelieved: with a mesh its angles, lids, lips and smile are the
// measurements; what it only guesses is unknown.
func TestMeshIsBelieved(t *testing.T) {
	black := color.RGBA{9, 9, 10, 255}
	for name, c := range map[string]struct {
		change func(m *image.RGBA, f *face.Face)
		id     string
		want   float64
		known  bool
	}{
		"yaw":                  {nil, Yaw, 4, true},
		"pitch":                {nil, Pitch, -3, true},
		"the worse eye":        {nil, EyesOpen, .06, true},
		"lips":                 {nil, MouthClosed, .002, true},
		"straight":             {nil, Expression, .25, true},
		"smile":                {func(_ *image.RGBA, f *face.Face) { f.Shape.Smile = .12 }, Expression, 1, true},
		"hanging corners":      {func(_ *image.RGBA, f *face.Face) { f.Shape.Smile = -.05 }, Expression, 0, true},
		"into the camera":      {func(_ *image.RGBA, f *face.Face) { f.Shape.GazeX = -.04 }, Gaze, 0, true},
		"eyes aside":           {func(_ *image.RGBA, f *face.Face) { f.Shape.GazeX = .2 }, Gaze, 24, true},
		"irises behind lids":   {func(_ *image.RGBA, f *face.Face) { f.Shape.Lids[0] = .02 }, Gaze, 0, false},
		"no irises":            {func(m *image.RGBA, _ *face.Face) { paintBlock(m, 220, 230, 380, 290, m.RGBAAt(300, 300)) }, Gaze, 0, false},
		"behind black glass":   {func(m *image.RGBA, _ *face.Face) { paintBlock(m, 220, 230, 380, 285, black) }, EyesOpen, 0, false},
		"a mask over the lips": {func(m *image.RGBA, _ *face.Face) { paintBlock(m, 200, 335, 400, 450, color.RGBA{150, 190, 220, 255}) }, MouthClosed, 0, false},
		"a beard round them":   {func(m *image.RGBA, _ *face.Face) { paintBlock(m, 240, 368, 360, 450, black) }, MouthClosed, .002, true},
	} {
		m, f := meshFace()
		if c.change != nil {
			c.change(m, &f)
		}
		got := measured(New().Full(Input{Frame: m, Faces: []face.Face{f}}))[c.id]
		if got.Known != c.known || c.known && !(got.Value > c.want-.02 && got.Value < c.want+.02) {
			t.Errorf("%s: %s is %s, want %.3f, known %v", name, c.id, describe(got), c.want, c.known)
		}
	}
}

func paintBlock(m *image.RGBA, x0, y0, x1, y1 int, c color.RGBA) {
	draw.Draw(m, image.Rect(x0, y0, x1, y1), image.NewUniform(c), image.Point{}, draw.Src)
}
