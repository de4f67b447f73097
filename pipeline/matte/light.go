package matte

// #include "kernels.h"
import "C"

import (
	"image"
	"math"
	"sync"
)

// What a photograph shows at a smaller size is the mean of the light, not of the
// levels that encode it: in gamma space fine bright detail comes out too dark,
// the rim of hair by one or two levels. So the picture is averaged in linear
// light. Coverage is not: the mixing line, plate and noise are those of the
// levels, as everything that composes pictures by alpha takes them to be.

// lightSteps is how finely linear light is tabled; between steps lines are
// drawn. The error stays under a tenth of a level, in the dark as well.
const lightSteps = 8192

// lightTables convert levels of 0..255 to light of 0..1 and back, by the transfer
// function of sRGB (IEC 61966-2-1).
type lightTables struct {
	light [256]float32
	level [lightSteps + 2]float32
}

var transfer = sync.OnceValue(func() *lightTables {
	t := new(lightTables)
	for i := range t.light {
		t.light[i] = float32(linear(float64(i)))
	}
	for i := range t.level {
		t.level[i] = float32(levelOf(float64(i) / lightSteps))
	}
	return t
})

// levelOf is the 8-bit sRGB level of a light of 0..1; the inverse of linear.
func levelOf(v float64) float64 {
	if v <= .0031308 {
		return 255 * 12.92 * v
	}
	return 255 * (1.055*math.Pow(v, 1/2.4) - .055)
}

// lightPixels are a frame's pixels as light.
type lightPixels struct {
	*image.RGBA
	table []float32
}

func (f lightPixels) size() (w, h int) { return f.Rect.Dx(), f.Rect.Dy() }
func (f lightPixels) channels() int    { return 4 }

func (f lightPixels) add(acc []float32, y, x0, x1 int, weight float32) {
	row := f.Pix[y*f.Stride+4*x0 : y*f.Stride+4*x1]
	acc = acc[:len(row)]
	C.yz_add_table(f32(acc), u8(row), f32(f.table), C.float(weight), C.int(len(row)))
}

// resampleLight is resample in linear light; the planes hold levels of 0..255.
func resampleLight(dst [3][]float32, w, h int, frame *image.RGBA, region Rect) {
	t := transfer()
	resample(dst, w, h, lightPixels{frame, t.light[:]}, region)
	for ch := range dst {
		halves(w*h, func(lo, hi int) {
			C.yz_tabled(f32(dst[ch]), f32(t.level[:]), lightSteps, C.int(lo), C.int(hi))
		})
	}
}
