package pipeline

import (
	"fmt"
	"image"
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/face"
	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/quality"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// inspect measures the written photo as whoever it is uploaded to will: shown is
// the file decoded again, the face is searched in it anew, and the head's place
// is taken from its pixels and not from where the layout meant to put it. The
// frame and the cut answer for what the file does not show: the backdrop as it
// was, and how many pixels the camera gave the eyes.
func (p *photo) inspect(shown *image.RGBA, m *matte.Portrait, c Crop) ([]quality.Measurement, error) {
	in := quality.Input{
		Frame: p.frame, Faces: p.faces, Crop: quality.Crop{X: c.X, Y: c.Y, W: c.Width, H: c.Height, RotationDeg: c.RotationDeg},
		Cut: m.Cut, Portrait: m.RGBA, Alpha: m.Alpha, PlateCut: m.PlateFlat, Background: p.in.Spec.Background.Color,
		File: shown,
	}
	if p.in.Spec.Background.Keep {
		in.Background.A = 0
	}
	f, err := p.z.faceOf(shown, p.faces[0].Roll()+c.RotationDeg)
	if err != nil {
		return nil, fmt.Errorf("find the face in the written photo: %w", err)
	}
	in.FileFace = f
	return p.z.meter.Full(in), nil
}

// nobodySeen says why nobody may have been found: in a frame that is nearly
// black or burnt out altogether nobody can be.
func (p *photo) nobodySeen() {
	pix := p.z.gray.Pix
	burnt := 0
	for _, v := range pix {
		if v >= burntLevel {
			burnt++
		}
	}
	var id string
	switch {
	case mean(pix) < darkMean:
		id = quality.UnderExposed
	case 2*burnt > len(pix):
		id = quality.OverExposed
	default:
		return
	}
	if p.in.Spec.Limit(id).Level != spec.LevelOff {
		zero := 0.
		p.res.Report.fail(p.judge, id, &zero, p.judge.text(id).Low)
	}
}

// burntLevel is from where on a pixel holds no picture any more; a white wall in
// a fair light is below 240.
const burntLevel = 252

const (
	// leastFace is the side of the smallest face box that a photo by any standard
	// can have, as a share of its shorter side.
	leastFace = .2
	// upright is the tilt in degrees up to which the finder needs no tilted search.
	upright = 12
)

// faceOf finds the face in a written photo; nil: there is none to be found. roll
// is about how far it is tilted.
func (z *Standardizer) faceOf(shown *image.RGBA, roll float64) (*face.Face, error) {
	lumaInto(&z.again, shown)
	short := float64(min(shown.Rect.Dx(), shown.Rect.Dy()))
	faces, err := z.detector.Detect(&z.again, face.Options{MinSize: leastFace * short, Upright: math.Abs(roll) < upright, MaxFaces: 1, Colour: shown})
	if err != nil || len(faces) == 0 {
		return nil, err
	}
	return &faces[0], nil
}
