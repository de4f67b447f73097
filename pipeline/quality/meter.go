// Package quality measures a photo against the photo guide: one number a
// rule, in the rule's own unit, or the honest answer that it cannot be known.
//
// It measures and does not judge: limits, statuses and the sentences for the
// student belong to the specification in force. It knows pixels, faces and
// mattes, and nothing about files, cameras, students or the network.
//
// Values named after ISO/IEC 29794-5 measures follow the formulas of its open
// reference (OFIQ), computed on linearised sRGB; there Value is the 0..100
// quality and Raw the native value behind it.
package quality

import (
	"image"
	"image/color"
	"math"
	"sync"

	"github.com/yunzhao-station/yunzhao/pipeline/face"
)

// The measured rules. Those of the written file (pixels, dpi, file_size) are
// taken by whoever writes it.
const (
	SingleFace       = "single_face"
	Roll             = "roll"
	Yaw              = "yaw"
	Pitch            = "pitch"
	Gaze             = "gaze"
	InterEyeDistance = "inter_eye_distance"
	EyeLine          = "eye_line"
	CrownMargin      = "crown_margin"
	FaceWidth        = "face_width"
	HeadHeight       = "head_height"
	ChinMargin       = "chin_margin"
	Centred          = "centred"
	HalfBody         = "half_body"
	ShouldersLevel   = "shoulders_level"
	EyesOpen         = "eyes_open"
	MouthClosed      = "mouth_closed"
	Expression       = "expression"
	EarsVisible      = "ears_visible"
	ForeheadVisible  = "forehead_visible"
	GlassesTinted    = "glasses_tinted"
	GlassesGlare     = "glasses_glare"
	Headwear         = "headwear"
	Accessories      = "accessories"

	ClothingNotBackground = "clothing_not_background"
	ClothingBlue          = "clothing_blue"
	ClothingPlain         = "clothing_plain"
	ClothingFormal        = "clothing_formal"
	Makeup                = "makeup"
	ContactLenses         = "contact_lenses"
	BackgroundUniform     = "background_uniform"
	BackgroundShadow      = "background_shadow"
	SubjectContrast       = "subject_contrast"

	IlluminationEven  = "illumination_even"
	UnderExposed      = "under_exposed"
	OverExposed       = "over_exposed"
	LuminanceMean     = "luminance_mean"
	LuminanceVariance = "luminance_variance"
	DynamicRange      = "dynamic_range"
	NaturalColour     = "natural_colour"
	Sharpness         = "sharpness"
)

// Measurement is one rule's number.
type Measurement struct {
	ID    string
	Value float64 // what limits are compared with
	Raw   float64 // the native value where Value is a quality derived from it, else Value
	Known bool    // false: nothing could be measured; Value is 0 and is not a pass
	// Manual: no algorithm can vouch for this rule, a person must. Known is false.
	Manual bool
	// Hint, for Manual rules, is how much the picture looks as if the rule were
	// broken, 0 (not at all, or no idea) to 1.
	Hint float64
	// Broken: the rule is broken whatever the limits say. Only single_face sets
	// it, when there is no face at all.
	Broken bool
}

// Crop is the part of the frame that became the output.
type Crop struct {
	X, Y, W, H float64 // frame pixels, before turning
	// RotationDeg is how far the crop was turned clockwise about its centre on
	// the way to the output; 0 unless the specification allows it.
	RotationDeg float64
}

// Geometry is where the layout put the head, in output pixels. Zero fields are
// derived from the face and the matte.
type Geometry struct {
	CrownY    float64 // top of the hair
	FaceWidth float64 // cheek to cheek, without ears
}

// Input is one photo at every stage. Only Frame is needed; what is nil or of
// the wrong size makes the rules that need it unknown.
type Input struct {
	Frame *image.RGBA // full frame, corner at (0, 0)
	Faces []face.Face // frame pixels, main face first
	Crop  Crop

	Cut      *image.RGBA // crop of the untouched frame, at output size
	Portrait *image.RGBA // the final composite, at output size
	Alpha    *image.Gray // coverage of the person, at output size
	// PlateCut is the empty backdrop for the same crop, at output size: as it was
	// taken, or fitted to the frame in brightness and colour as a whole. It must
	// not follow the light from place to place, or the person's shadow cannot be
	// seen any more. nil: no plate.
	PlateCut   *image.RGBA
	Background color.RGBA // of the portrait; alpha 0 = the backdrop is kept
	Geometry   Geometry

	// File is the written photo, decoded again, and FileFace the face that was
	// found in it. With both, everything that the file shows is measured in the
	// file, as whoever it is uploaded to will do; the frame then answers only for
	// what the file cannot show. A photo too small to see eyelids in (see
	// minFileIED) gives the geometry alone.
	File     *image.RGBA
	FileFace *face.Face
}

// minFileIED is the eye distance, in pixels, from which on eyes, lips and skin
// are measured in the written photo; on smaller ones they are measured in the
// frame, and only the geometry in the file.
const minFileIED = 70

// inFile returns the input as the written photo shows it, and whether there is
// one to look at.
func (in Input) inFile() (Input, bool) {
	if in.File == nil || in.FileFace == nil || !whole(in.File, in.File.Rect.Dx(), in.File.Rect.Dy()) || !(in.FileFace.IED() > 4) {
		return in, false
	}
	size := in.File.Rect.Size()
	in.Frame, in.Faces = in.File, []face.Face{*in.FileFace}
	in.Crop = Crop{W: float64(size.X), H: float64(size.Y)}
	in.Portrait, in.Geometry = in.File, Geometry{}
	return in, true
}

// Meter measures photos. It is safe for concurrent use; buffers are pooled.
type Meter struct{ patches sync.Pool }

// New makes a Meter.
func New() *Meter {
	return &Meter{patches: sync.Pool{New: func() any { return new(patch) }}}
}

// Pixels per eye distance of the standard face: at 100, an eye distance at the
// lower limit of the rules (90 px) is still not enlarged much.
const (
	fullUnit = 100
	liveUnit = 40
)

// report collects measurements in order.
type report []Measurement

func (r *report) value(id string, v float64, known bool) { r.quality(id, v, v, known) }

func (r *report) quality(id string, v, raw float64, known bool) {
	if !known || math.IsNaN(v) || math.IsInf(v, 0) || math.IsNaN(raw) {
		*r = append(*r, Measurement{ID: id})
		return
	}
	*r = append(*r, Measurement{ID: id, Value: v, Raw: raw, Known: true})
}

func (r *report) manual(id string, hint float64) {
	if math.IsNaN(hint) {
		hint = 0
	}
	*r = append(*r, Measurement{ID: id, Manual: true, Hint: min(max(hint, 0), 1)})
}

// singleFace is the second-largest face's area over the largest one's.
func (r *report) singleFace(faces []face.Face) {
	m := Measurement{ID: SingleFace, Known: true}
	switch len(faces) {
	case 0:
		m.Broken = true
	case 1:
	default:
		for _, f := range faces[1:] {
			if a := faces[0].Area(); a > 0 {
				m.Value = max(m.Value, f.Area()/a)
			}
		}
		m.Raw = m.Value
	}
	*r = append(*r, m)
}

// Full measures every rule. The order of the answer is always the same.
func (m *Meter) Full(in Input) []Measurement {
	r := make(report, 0, 40)
	r.singleFace(in.Faces)
	file, filed := in.inFile()
	seen := in
	if filed && file.FileFace.IED() >= minFileIED {
		seen = file
	}
	// With a file in which no face is found, the geometry is unknown, whatever
	// the layout promised.
	lost := in.File != nil && in.FileFace == nil
	buf := m.patch()
	defer m.put(buf)
	p, main := buf.of(seen, fullUnit)
	r.pose(main, p, seen.Crop.RotationDeg)
	r.resolution(in.Faces, 1)
	o := newOutput(seen, p)
	switch {
	case lost:
		(&output{}).geometry(&r)
	case filed && file.Frame != seen.Frame:
		buf := m.patch()
		defer m.put(buf)
		q, _ := buf.of(file, liveUnit)
		newOutput(file, q).geometry(&r)
	default:
		o.geometry(&r)
	}
	o.body(&r)
	features(&r, p, o)
	o.clothing(&r)
	r.manual(Makeup, 0)
	r.manual(ContactLenses, 0)
	o.background(&r)
	light(&r, p)
	r.sharpness(p)
	return r
}

// of cuts the main face of a photo; nil where there is none to be cut.
func (p *patch) of(in Input, unit int) (*patch, *face.Face) {
	if len(in.Faces) == 0 {
		return nil, nil
	}
	main := &in.Faces[0]
	if in.Frame == nil || !whole(in.Frame, in.Frame.Rect.Dx(), in.Frame.Rect.Dy()) || !p.cut(in.Frame, *main, unit) {
		return nil, main
	}
	return p, main
}

// patch takes a used or new patch from the pool; its user puts it back with put.
func (m *Meter) patch() *patch {
	return m.patches.Get().(*patch) //nolint:errcheck // the pool holds nothing else
}

// put wipes a patch before it goes back: nobody's face outlives its measures.
func (m *Meter) put(p *patch) {
	clear(p.pix[:cap(p.pix)])
	clear(p.lum[:cap(p.lum)])
	clear(p.luma[:cap(p.luma)])
	m.patches.Put(p)
}

// CheekWidth is the width of face f between the cheeks, ears not counted, in
// pixels of the frame: what face_width will be, before there is a crop. Where
// hair hides the cheeks, measured is false and the width an average proportion.
func (m *Meter) CheekWidth(frame *image.RGBA, f face.Face) (width float64, measured bool) {
	half := averageHalfFace
	if frame != nil && whole(frame, frame.Rect.Dx(), frame.Rect.Dy()) {
		p := m.patch()
		defer m.put(p)
		if p.cut(frame, f, liveUnit) {
			half, measured = p.cheeks(nil)
		}
	}
	return 2 * half * f.IED(), measured
}

// Live measures what can be coached before the shot, on a reduced picture of
// the frame with the faces found in it (small's pixels, main face first).
// scale is frame pixels per pixel of small, so that inter_eye_distance is in
// frame pixels as in Full. Here centred is the offset of the eyes from the
// middle of the frame in percent of its width, positive towards the right of
// the picture (the student's own left).
func (m *Meter) Live(small *image.RGBA, faces []face.Face, scale float64) []Measurement {
	r := make(report, 0, 12)
	r.singleFace(faces)
	buf := m.patch()
	defer m.put(buf)
	p, main := buf.of(Input{Frame: small, Faces: faces}, liveUnit)
	r.pose(main, p, 0)
	r.resolution(faces, scale)
	if main != nil && small != nil && small.Rect.Dx() > 0 {
		w := float64(small.Rect.Dx())
		r.value(Centred, 100*(main.EyeMid().X-w/2)/w, true)
	} else {
		r.value(Centred, 0, false)
	}
	illumination(&r, p)
	exposure(&r, p)
	return r
}
