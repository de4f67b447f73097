package camera

import (
	"context"
	"slices"
)

// Lock holds exposure, white balance and, if focus is set, the focus where the
// camera's automatics have brought them, and sets the frequency of the lamps
// (PowerLine50Hz in China; negative = leave it): a portrait is cut out against
// a picture of the empty booth, and an automatic would make them two different
// rooms.
//
// Somebody should sit in the booth meanwhile: before an empty white wall an
// automatic exposure makes the wall grey, and an automatic focus finds the
// wall. It sets only what the camera has, and returns the settings that hold, which
// belong in a Profile, with what became of each. A camera without controls is
// no error: there is nothing to hold and nothing in the result.
func Lock(ctx context.Context, c Controller, powerLine int32, focus bool) ([]Setting, []Outcome, error) {
	now, err := c.Controls(ctx)
	if err != nil {
		return nil, nil, err
	}
	at := func(name string) (Control, bool) {
		i := slices.IndexFunc(now, func(c Control) bool { return c.Name == name && !c.ReadOnly })
		if i < 0 {
			return Control{}, false
		}
		return now[i], true
	}
	var want []Setting
	hold := func(name string, value int32) {
		if c, ok := at(name); ok {
			want = append(want, Setting{ID: c.ID, Name: name, Value: value})
		}
	}
	// The value is read while the automatic still has it, and set after: many
	// cameras fall back to an old one when the automatic lets go.
	holdNow := func(name string) {
		if c, ok := at(name); ok {
			hold(name, clamp(c.Value, c))
		}
	}
	if powerLine >= 0 {
		hold(PowerLine, powerLine)
	}
	hold(ExposurePriority, 0)
	hold(ExposureMode, ExposureManual)
	holdNow(ExposureTime)
	holdNow(Gain)
	hold(WhiteAuto, 0)
	holdNow(WhiteTemperature)
	if focus {
		hold(FocusAuto, 0)
		holdNow(FocusDistance)
	}
	if len(want) == 0 {
		return nil, nil, nil
	}
	outcomes, err := c.Adjust(ctx, want)
	if err != nil {
		return nil, nil, err
	}
	return held(outcomes), outcomes, nil
}

// held are the settings that the camera accepted.
func held(outcomes []Outcome) []Setting {
	var out []Setting
	for _, o := range outcomes {
		if o.Refusal == "" {
			out = append(out, o.Setting)
		}
	}
	return out
}

// clamp brings a value that an automatic reported into the control's range.
func clamp(v int32, c Control) int32 {
	v = min(max(v, c.Min), c.Max)
	if c.Step > 1 {
		v -= (v - c.Min) % c.Step
	}
	return v
}

// Unlock gives exposure, white balance and focus back to the camera's
// automatics, so that they can find the light of today.
func Unlock(ctx context.Context, c Controller) ([]Outcome, error) {
	now, err := c.Controls(ctx)
	if err != nil {
		return nil, err
	}
	var all []Outcome
	for _, c2 := range now {
		var values []int32
		switch c2.Name {
		case ExposureMode:
			values = []int32{ExposureAperture, ExposureAutomatic} // webcams know one of them
		case WhiteAuto, FocusAuto:
			values = []int32{1}
		}
		if c2.ReadOnly {
			continue
		}
		for i, v := range values {
			outcomes, err := c.Adjust(ctx, []Setting{{ID: c2.ID, Name: c2.Name, Value: v}})
			if err != nil {
				return all, err
			}
			if done := len(Refused(outcomes)) == 0; done || i == len(values)-1 {
				all = append(all, outcomes...)
				break
			}
		}
	}
	return all, nil
}
