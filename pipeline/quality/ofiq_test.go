package quality

import (
	"math"
	"testing"
)

// TestOFIQ against values worked out by hand from the formulas of the standard.
func TestOFIQ(t *testing.T) {
	for _, tt := range []struct {
		id, name     string
		native, want float64
	}{
		{InterEyeDistance, "InterEyeDistance", 70, 50},            // σ(x0) = ½
		{InterEyeDistance, "InterEyeDistance", 90, 73.105858},     // 100/(1+e⁻¹)
		{InterEyeDistance, "InterEyeDistance", 130, 95.257413},    // 100/(1+e⁻³)
		{EyesOpen, "EyesOpen", .02, 50},                           //
		{EyesOpen, "EyesOpen", .05, 95.257413},                    // 100/(1+e⁻³)
		{MouthClosed, "MouthClosed", .2, 50},                      //
		{MouthClosed, "MouthClosed", .08, 88.079708},              // 100(1−1/(1+e²))
		{MouthClosed, "MouthClosed", 0, 96.555481},                // 100(1−1/(1+e^(10/3)))
		{BackgroundUniform, "BackgroundUniformity", 10, 95},       // 190·½
		{BackgroundUniform, "BackgroundUniformity", 0, 99.745968}, // 190(1−1/(1+e^0.1))
		{BackgroundUniform, "BackgroundUniformity", 110, 51.098},  // 190/(1+e)
		{IlluminationEven, "IlluminationUniformity", 1, 100},
		{IlluminationEven, "IlluminationUniformity", .5, 81.225240},   // 100·2^−0.3
		{UnderExposed, "UnderExposurePrevention", .92, 39.84},         // 120(.832−½)
		{UnderExposed, "UnderExposurePrevention", 0, 99.839999},       // 120·.832 − 120/(1+e^18.4)
		{OverExposed, "OverExposurePrevention", 0, 100},               // 1/.01
		{OverExposed, "OverExposurePrevention", .04, 20},              // 1/.05
		{LuminanceMean, "LuminanceMean", .2, 49.999693},               // ½·(1−1/(1+e^12))
		{LuminanceMean, "LuminanceMean", .5, 99.506636},               // 1/(1+e⁻⁶)·(1−1/(1+e⁶))
		{LuminanceVariance, "LuminanceVariance", 1. / 60, 100},        // sin(π/2)
		{LuminanceVariance, "LuminanceVariance", 1. / 180, 70.710678}, // sin(π/4)
		{DynamicRange, "DynamicRange", 6.4, 80},                       // 12.5·6.4
		{NaturalColour, "NaturalColour", 0, 100},                      // 200·½
		{NaturalColour, "NaturalColour", 10, 53.788284},               // 200(1−1/(1+e⁻¹))
	} {
		o, ok := Measurement{ID: tt.id, Raw: tt.native, Known: true}.OFIQ()
		if !ok || o.Name != tt.name || o.Native != tt.native || math.Abs(o.Quality-tt.want) > 1e-3 {
			t.Errorf("%s of %v: %+v %v, want %s %v", tt.id, tt.native, o, ok, tt.name, tt.want)
		}
	}
	for _, m := range []Measurement{{ID: Roll, Raw: 1, Known: true}, {ID: EyesOpen, Raw: 1}, {ID: Sharpness, Raw: 1, Known: true}} {
		if o, ok := m.OFIQ(); ok {
			t.Errorf("%s known %v gives %+v", m.ID, m.Known, o)
		}
	}
}

// TestNativeValues: what is reported as native is what the formulas mean, on
// pictures whose values are known.
func TestNativeValues(t *testing.T) {
	in := newScene(portrait(t, "student.png")).input(t)
	for _, m := range New().Full(in) {
		o, ok := m.OFIQ()
		if _, has := ofiq[m.ID]; has != ok {
			t.Errorf("%s: reported %v, known %v", m.ID, ok, m.Known)
		}
		lo, hi := 0., math.Inf(1)
		switch m.ID {
		case IlluminationEven, UnderExposed, OverExposed, LuminanceMean, LuminanceVariance:
			hi = 1
		case DynamicRange:
			hi = 8
		}
		if ok && (o.Native < lo || o.Native > hi || o.Quality < 0 || o.Quality > 100) {
			t.Errorf("%s: %+v", m.ID, o)
		}
	}
}
