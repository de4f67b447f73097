package scene

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"time"
)

// Encoder appends img as a JPEG picture of the given quality (1 to 100) to dst.
type Encoder func(dst []byte, img *image.YCbCr, quality int) ([]byte, error)

// Options describe a simulated booth. The zero value is a good one: the demo
// student before a white backdrop at 1920×1080, 30 frames a second.
//
// For Light, Falloff, Texture, Noise, Drift and Shadow zero means the default
// and a negative value means none.
type Options struct {
	Width, Height int     // pixels, even; default 1920×1080
	FPS           float64 // default 30
	Backdrop      color.RGBA
	Person        image.Image // cut-out with alpha; default the demo student
	// Scale multiplies the size of the person. At 1 the person spans 0.81 of
	// the frame's height, with the crown 0.14 below its upper edge; where the
	// cut-out ends above the lower edge its last row is carried on.
	Scale   float64
	OffsetX float64 // pixels to the right of the middle
	OffsetY float64 // pixels further down
	Light   float64 // how much brighter the right edge is than the left, of the mean; default 0.04
	Falloff float64 // how much darker the corners of the backdrop are; default 0.06
	Texture float64 // the backdrop's weave, rms in 8-bit levels; default 0.8
	Noise   float64 // the sensor's, rms in 8-bit levels of luma; default 1.5, chroma 0.6 of it
	Drift   float64 // exposure wanders by ± this part; default 0.008
	Shadow  float64 // depth of the shadow cast on the backdrop; default 0.10
	Still   bool    // no sway, no breathing
	Seed    uint64  // of texture and noise

	Occupied  bool          // somebody is already there at the start
	Chroma444 bool          // encode 4:4:4 instead of 4:2:0
	Quality   int           // of the JPEG; default 88
	Encode    Encoder       // default image/jpeg of the standard library, which is slow
	Stall     time.Duration // without a frame for this long Next fails; default 1.5 s
	// FreeRun makes a frame whenever Next is called and counts time in frames,
	// for measurements. Otherwise frames keep to FPS on the clock, and those
	// nobody was there to take are dropped.
	FreeRun bool
}

// Backdrops that booths have, as lit.
const (
	White = "white"
	Blue  = "blue"
	Grey  = "grey"
	Green = "green"
)

// BackdropColour gives the colour of a named backdrop.
func BackdropColour(name string) (color.RGBA, error) {
	switch name {
	case White:
		return color.RGBA{226, 228, 226, 255}, nil
	case Blue:
		return color.RGBA{96, 150, 206, 255}, nil
	case Grey:
		return color.RGBA{150, 151, 152, 255}, nil
	case Green:
		return color.RGBA{86, 168, 92, 255}, nil
	}
	return color.RGBA{}, fmt.Errorf("scene: no backdrop is called %q; there are white, blue, grey and green", name)
}

// maxSide bounds what a booth may ask of memory: 8K.
const maxSide = 8192

func (o Options) withDefaults() (Options, error) {
	if o.Width == 0 && o.Height == 0 {
		o.Width, o.Height = 1920, 1080
	}
	if o.Width < 64 || o.Height < 64 || o.Width > maxSide || o.Height > maxSide || o.Width%2 != 0 || o.Height%2 != 0 {
		return o, fmt.Errorf("scene: size %d×%d; want even numbers from 64 to %d", o.Width, o.Height, maxSide)
	}
	for _, d := range []struct {
		v    *float64
		def  float64
		most float64
		name string
	}{
		{&o.FPS, 30, 240, "fps"},
		{&o.Scale, 1, 4, "scale"},
		{&o.Light, 0.04, 1, "light"},
		{&o.Falloff, 0.06, 1, "fall-off"},
		{&o.Texture, 0.8, 20, "texture"},
		{&o.Noise, 1.5, 30, "noise"},
		{&o.Drift, 0.008, 0.5, "drift"},
		{&o.Shadow, 0.10, 0.9, "shadow"},
	} {
		switch {
		case *d.v == 0:
			*d.v = d.def
		case *d.v < 0 && d.name != "fps" && d.name != "scale":
			*d.v = 0
		case !(*d.v > 0 && *d.v <= d.most):
			return o, fmt.Errorf("scene: %s %v; want up to %v", d.name, *d.v, d.most)
		}
	}
	if !(o.OffsetX > -maxSide && o.OffsetX < maxSide && o.OffsetY > -maxSide && o.OffsetY < maxSide) {
		return o, fmt.Errorf("scene: the person's offset %v, %v is far outside the frame", o.OffsetX, o.OffsetY)
	}
	if o.Quality == 0 {
		o.Quality = 88
	}
	if o.Quality < 1 || o.Quality > 100 {
		return o, fmt.Errorf("scene: JPEG quality %d; want 1 to 100", o.Quality)
	}
	if o.Stall == 0 {
		o.Stall = 1500 * time.Millisecond
	}
	if o.Stall < 0 {
		return o, errors.New("scene: the stall time must not be negative")
	}
	if o.Backdrop.A == 0 {
		o.Backdrop, _ = BackdropColour(White)
	}
	if o.Encode == nil {
		o.Encode = encodeStandard
	}
	return o, nil
}
