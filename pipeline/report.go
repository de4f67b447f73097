package pipeline

import "time"

// Status of a check or, for pass, warn and fail, of a whole report.
type Status string

// The statuses. Unknown is never shown as a pass; manual is a question to the
// operator that no algorithm can answer.
const (
	Pass    Status = "pass"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Manual  Status = "manual"
	Unknown Status = "unknown"
)

// Check is one measured rule.
type Check struct {
	ID        string   `json:"id"`
	TitleZH   string   `json:"title_zh,omitempty"` // what it is called on screen
	TitleEN   string   `json:"title_en,omitempty"`
	Status    Status   `json:"status"`
	Value     *float64 `json:"value"` // nil when nothing could be measured
	Unit      string   `json:"unit"`
	Min       *float64 `json:"min"` // nil = no lower limit
	Max       *float64 `json:"max"`
	MessageZH string   `json:"message_zh"` // says what to do
	MessageEN string   `json:"message_en"`
	Rule      string   `json:"rule,omitempty"` // the rule of the photo guide it comes from
	// Icon names the drawing that shows which way to go, as the student sees it in
	// the mirror; "" where the sentence says it all.
	Icon string `json:"icon,omitempty"`
	// OFIQ is the measure as ISO/IEC 29794-5's reference names and scales it; nil
	// where it has none.
	OFIQ *OFIQ `json:"ofiq,omitempty"`
}

// OFIQ is one measure of the open reference of ISO/IEC 29794-5.
type OFIQ struct {
	Name    string  `json:"name"`
	Native  float64 `json:"native"`
	Quality float64 `json:"quality"` // 0 to 100
}

// Point is a position in frame pixels.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// Face is the main face, in frame pixels (after mount rotation and EXIF orientation).
type Face struct {
	X          float64 `json:"x"`
	Y          float64 `json:"y"`
	Width      float64 `json:"width"`
	Height     float64 `json:"height"`
	LeftEye    Point   `json:"left_eye"`  // the pupil on the left of the picture
	RightEye   Point   `json:"right_eye"` // the pupil on the right of the picture
	Nose       Point   `json:"nose"`
	MouthLeft  Point   `json:"mouth_left"`
	MouthRight Point   `json:"mouth_right"`
	Chin       Point   `json:"chin"`
	Crown      Point   `json:"crown"` // top of the head with hair
	Score      float64 `json:"score"`
}

// Crop is the frame region that became the output, in frame pixels.
type Crop struct {
	X           float64 `json:"x"`
	Y           float64 `json:"y"`
	Width       float64 `json:"width"`
	Height      float64 `json:"height"`
	RotationDeg float64 `json:"rotation_deg"`
}

// Region is a frame rectangle in whole pixels.
type Region struct {
	X      int `json:"x"`
	Y      int `json:"y"`
	Width  int `json:"width"`
	Height int `json:"height"`
}

// Output describes the written file.
type Output struct {
	Width       int `json:"width"`
	Height      int `json:"height"`
	DPI         int `json:"dpi"`
	Bytes       int `json:"bytes"`
	JPEGQuality int `json:"jpeg_quality"`
	// Chroma is the colour resolution: 4:4:4 (full), 4:2:2 or 4:2:0.
	Chroma string `json:"chroma"`
}

// Timings of the stages, in milliseconds.
type Timings struct {
	Decode  float64 `json:"decode"`
	Detect  float64 `json:"detect"`
	Matte   float64 `json:"matte"`
	Compose float64 `json:"compose"`
	Encode  float64 `json:"encode"`
	Check   float64 `json:"check"` // beyond Encode, beside which it runs
	Total   float64 `json:"total"`
}

// Report is everything that was measured about one photo. Its JSON form is a
// public interface: fields are added, never renamed or removed.
type Report struct {
	Spec        string  `json:"spec"`
	SpecVersion string  `json:"spec_version,omitempty"`
	Verdict     Status  `json:"verdict"` // pass, warn or fail
	Checks      []Check `json:"checks"`
	Face        *Face   `json:"face"`  // nil: no face
	Crop        *Crop   `json:"crop"`  // nil: no portrait
	Alpha       *Region `json:"alpha"` // nil: no matte
	Output      *Output `json:"output"`
	Plate       string  `json:"plate,omitempty"` // plate id, "" without a plate
	// PlateTakenAt and PlateCamera are the plate's, where it knows them.
	PlateTakenAt *time.Time `json:"plate_taken_at,omitempty"`
	PlateCamera  string     `json:"plate_camera,omitempty"`
	Drift        *Drift     `json:"drift,omitempty"` // nil: not compared with a plate
	Matte        string     `json:"matte,omitempty"` // method: plate, frame, keep
	Timings      Timings    `json:"timings_ms"`
}

// Summarise sets the verdict from the checks: any fail is a fail; else any
// warn, manual or unknown is a warn; else pass.
func (r *Report) Summarise() {
	r.Verdict = Pass
	for _, c := range r.Checks {
		switch c.Status {
		case Fail:
			r.Verdict = Fail
			return
		case Warn, Manual, Unknown:
			r.Verdict = Warn
		case Pass:
		}
	}
}
