// Package people holds the demo student: a cut-out for simulated booths, so
// that the station can be shown and measured without a camera and without a
// real person's picture. ATTRIBUTION.md says where it comes from.
package people

import (
	"bytes"
	_ "embed" // for the picture
	"fmt"
	"image"
	"image/draw"
	"image/png"
)

//go:embed student.png
var student []byte

// Student decodes the demo student: 1100×1150 pixels, colour as un-premultiplied
// foreground, alpha as coverage. The body is cut by the lower edge. Each call
// makes a new picture.
func Student() (*image.NRGBA, error) {
	m, err := png.Decode(bytes.NewReader(student))
	if err != nil {
		return nil, fmt.Errorf("people: decode the demo student: %w", err)
	}
	if n, ok := m.(*image.NRGBA); ok {
		return n, nil
	}
	n := image.NewNRGBA(m.Bounds())
	draw.Draw(n, n.Rect, m, m.Bounds().Min, draw.Src)
	return n, nil
}
