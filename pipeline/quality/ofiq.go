package quality

import "math"

// OFIQ is a measure as the open reference implementation of ISO/IEC 29794-5
// reports it, so that results can be compared with its tools: its name there,
// the native value, and the quality from 0 to 100 that its formula makes of it.
// Regions and landmarks are this package's own, so native values agree in kind
// and not to the last digit.
type OFIQ struct {
	Name    string
	Native  float64
	Quality float64
}

// OFIQ is the standard's own reading of the measurement; ok is false where the
// standard has none, or where its formula is a trained model.
func (m Measurement) OFIQ() (o OFIQ, ok bool) {
	f, ok := ofiq[m.ID]
	if !ok || !m.Known {
		return OFIQ{}, false
	}
	return OFIQ{Name: f.name, Native: m.Raw, Quality: min(max(f.quality(m.Raw), 0), 100)}, true
}

// ofiq are the formulas by rule, x being the native value.
var ofiq = map[string]struct {
	name    string
	quality func(x float64) float64
}{
	// Pixels between the pupils.
	InterEyeDistance: {"InterEyeDistance", func(x float64) float64 { return 100 * sigmoid(x, 70, 20) }},
	// Lid gap over the distance from eyes to chin.
	EyesOpen: {"EyesOpen", func(x float64) float64 { return 100 * sigmoid(x, .02, .01) }},
	// Gap between the inner lips over the distance from eyes to chin.
	MouthClosed: {"MouthClosed", func(x float64) float64 { return 100 * (1 - sigmoid(x, .2, .06)) }},
	// Mean Sobel magnitude of the background's luminance.
	BackgroundUniform: {"BackgroundUniformity", func(x float64) float64 { return 190 * (1 - sigmoid(x, 10, 100)) }},
	// Overlap of the luminance histograms of both cheeks.
	IlluminationEven: {"IlluminationUniformity", func(x float64) float64 { return 100 * math.Pow(x, .3) }},
	// Shares of the face with a luminance of 0 to 25, and of 247 to 255.
	UnderExposed: {"UnderExposurePrevention", func(x float64) float64 { return 120 * (.832 - sigmoid(x, .92, .05)) }},
	OverExposed:  {"OverExposurePrevention", func(x float64) float64 { return 1 / (x + .01) }},
	// Mean and variance of the face's luminance, 0 to 1, and its entropy in bits.
	LuminanceMean: {"LuminanceMean", func(x float64) float64 {
		return 100 * sigmoid(x, .2, .05) * (1 - sigmoid(x, .8, .05))
	}},
	LuminanceVariance: {"LuminanceVariance", varied},
	DynamicRange:      {"DynamicRange", func(x float64) float64 { return 12.5 * x }},
	// Distance of the cheeks' a* and b* from the range of human skin.
	NaturalColour: {"NaturalColour", func(x float64) float64 { return 200 * (1 - sigmoid(x, 0, 10)) }},
}
