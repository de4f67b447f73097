package pipeline

import (
	"fmt"
	"image"
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/calibrate"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/face"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// HasFace tells whether somebody looks out of an upright frame that should show
// an empty booth. It searches a reduced picture and keeps nothing of it.
func (z *Standardizer) HasFace(frame *image.RGBA) (bool, error) {
	if err := drawable(frame); err != nil {
		return false, err
	}
	size := LiveSize(frame.Rect.Size())
	small, gray := image.NewRGBA(image.Rectangle{Max: size}), &image.Gray{}
	if err := codec.ScaleInto(small, frame, false); err != nil {
		return false, fmt.Errorf("reduce picture: %w", err)
	}
	lumaInto(gray, small)
	defer func() { clear(small.Pix); clear(gray.Pix) }()
	faces, err := z.detector.Detect(gray, face.Options{Colour: small})
	if err != nil {
		return false, fmt.Errorf("find faces: %w", err)
	}
	return len(faces) > 0, nil
}

// Drift is how the backdrop around the person compares with the plate.
type Drift struct {
	// Cause names what has changed: none, dimmer, brighter, white_balance,
	// lamp_uneven or moved.
	Cause string `json:"cause"`
	// Gain of red, green and blue over the plate; 1 = unchanged.
	Gain [3]float64 `json:"gain"`
	// Spread is how uneven that gain is over the visible backdrop, shadows
	// included; Residual what no smooth change explains, in noise deviations.
	Spread   float64 `json:"spread"`
	Residual float64 `json:"residual"`
}

// tellPlate notes in the report which plate is used.
func (p *photo) tellPlate() {
	pl, r := p.in.Plate, &p.res.Report
	if pl == nil {
		return
	}
	r.Plate, r.PlateCamera = pl.ID, pl.Camera
	if !pl.TakenAt.IsZero() {
		at := pl.TakenAt
		r.PlateTakenAt = &at
	}
}

// otherCamera tells whether the plate is known to be another camera's.
func (p *photo) otherCamera() bool {
	pl := p.in.Plate
	return pl != nil && p.in.Camera != "" && pl.Camera != "" && pl.Camera != p.in.Camera
}

// plateMismatch tells whether the plate cannot be of this frame's booth.
func (p *photo) plateMismatch() bool {
	pl, size := p.in.Plate, p.frame.Rect.Size()
	return pl != nil && (pl.W != size.X || pl.H != size.Y || p.otherCamera())
}

// mismatch says why the plate cannot be used.
func (p *photo) mismatch() spec.Sentence {
	pl, size := p.in.Plate, p.frame.Rect.Size()
	if pl.W != size.X || pl.H != size.Y {
		return spec.Sentence{
			ZH: fmt.Sprintf("空背景底图是 %d×%d，照片是 %d×%d，请用同样的设置重新拍摄空背景。", pl.W, pl.H, size.X, size.Y),
			EN: fmt.Sprintf("The empty backdrop was taken at %d×%d, the photo at %d×%d. Photograph the backdrop again with the same settings.", pl.W, pl.H, size.X, size.Y),
		}
	}
	return spec.Sentence{
		ZH: fmt.Sprintf("空背景底图是相机 %s 拍的，照片是相机 %s 拍的，请用现在的相机重新拍摄空背景。", pl.Camera, p.in.Camera),
		EN: fmt.Sprintf("The empty backdrop was taken by camera %s, the photo by camera %s. Photograph the backdrop again with the present camera.", pl.Camera, p.in.Camera),
	}
}

// drift tells how the booth compares with its plate, and warns in c when it no
// longer looks like it.
func (p *photo) drift(c *Check) {
	d := p.seg.Drift
	change := calibrate.OfDrift(d)
	r := Drift{Cause: string(change.Cause), Spread: thousandth(d.Spread), Residual: thousandth(d.Residual)}
	for i, g := range d.Gain {
		r.Gain[i] = thousandth(g)
	}
	p.res.Report.Drift = &r
	if change.Cause != calibrate.None {
		c.Status = Warn
		c.say(spec.Sentence{ZH: change.ZH, EN: change.EN})
	}
}

func thousandth(v float64) float64 { return math.Round(v*1000) / 1000 }
