package camera

import (
	"context"
	"errors"
)

// Errors beyond those of a stream.
var (
	// ErrDriver is a driver that crashed or lost its mind; a fresh one is the
	// cure.
	ErrDriver = errors.New("camera: driver failed")
	// ErrFixed is a source without anything to set.
	ErrFixed = errors.New("camera: nothing to adjust")
)

// ControlKind is the form of a control's value.
type ControlKind string

// The kinds of controls that the station deals with.
const (
	Integer ControlKind = "integer"
	Boolean ControlKind = "boolean"
	Menu    ControlKind = "menu" // the value is the number of an entry
)

// Names of the controls that a portrait depends on. Others carry the name that
// the driver gives them.
const (
	ExposureMode     = "exposure_mode"     // see the values below
	ExposureTime     = "exposure_time"     // 100 µs
	ExposurePriority = "exposure_priority" // 1 = may lower the frame rate in the dark
	Gain             = "gain"              // the driver's steps
	WhiteAuto        = "white_balance_automatic"
	WhiteTemperature = "white_balance_temperature" // kelvin
	FocusAuto        = "focus_automatic"
	FocusDistance    = "focus_absolute" // the driver's steps
	PowerLine        = "power_line_frequency"
	Backlight        = "backlight_compensation"
)

// Values of ExposureMode, as V4L2 counts them.
const (
	ExposureAutomatic = 0
	ExposureManual    = 1
	// ExposureAperture fixes the aperture and chooses the time: what most
	// webcams call automatic.
	ExposureAperture = 3
)

// Values of PowerLine.
const (
	PowerLineOff  = 0
	PowerLine50Hz = 1
	PowerLine60Hz = 2
)

// Control is something that can be set on a camera, with its present value.
type Control struct {
	ID      uint32      `json:"id"` // the driver's number
	Name    string      `json:"name"`
	Kind    ControlKind `json:"kind"`
	Min     int32       `json:"min"`
	Max     int32       `json:"max"`
	Step    int32       `json:"step"`
	Default int32       `json:"default"`
	Value   int32       `json:"value"`
	// ReadOnly and Inactive controls cannot be set: by nature, or for as long as
	// an automatic has them.
	ReadOnly bool `json:"read_only,omitempty"`
	Inactive bool `json:"inactive,omitempty"`
}

// Setting is a value for a control. ID is used when there is one, else Name.
type Setting struct {
	ID    uint32 `json:"id,omitempty"`
	Name  string `json:"name"`
	Value int32  `json:"value"`
}

// Outcome is what became of a setting: drivers clamp in silence, and only what
// is read back counts.
type Outcome struct {
	Setting
	Got     int32  `json:"got"`               // what the camera says it is now
	Refusal string `json:"refusal,omitempty"` // why it is not what was asked for; "" = it is
}

// Refused are the outcomes that are not what was asked for.
func Refused(outcomes []Outcome) []Outcome {
	var out []Outcome
	for _, o := range outcomes {
		if o.Refusal != "" {
			out = append(out, o)
		}
	}
	return out
}

// Controller is implemented by sources whose camera can be adjusted while it
// streams. Its methods may be called from any goroutine.
type Controller interface {
	// Controls lists what can be set, in the driver's order, with the present
	// values. It fails with ErrFixed when there is nothing.
	Controls(ctx context.Context) ([]Control, error)
	// Adjust sets each of settings in turn and reads it back. An error means
	// that the camera could not be asked; a refusal of the camera is in the
	// outcomes, one for each setting.
	Adjust(ctx context.Context, settings []Setting) ([]Outcome, error)
}
