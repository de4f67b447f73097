package screen

import (
	"fmt"
	"image"
	"image/color"

	"fyne.io/fyne/v2/canvas"
	"github.com/skip2/go-qrcode"
)

// qrQuiet is the white margin in modules (ISO/IEC 18004 asks for four).
const qrQuiet = 4

// qrSide is the side of the area a code gets, in design units. A claim's code is
// at most version 6 (41 modules, 49 with the margin), so that on the smallest
// supported screen, 800 pixels high, a module is still 8 pixels: phones read
// that off a screen from an arm's length.
const qrSide = 49 * 8

// qrCode is the claim's code: made once a URL, one image pixel a module, and shown at a whole
// number of screen pixels a module.
type qrCode struct {
	img     *canvas.Image
	url     string
	modules int // with the quiet zone
}

func newQR() *qrCode {
	q := &qrCode{img: &canvas.Image{FillMode: canvas.ImageFillStretch, ScaleMode: canvas.ImageScalePixels}}
	setVisible(q.img, false)
	return q
}

// set encodes url; "" takes the code away.
func (q *qrCode) set(url string) error {
	if url == q.url {
		return nil
	}
	q.url, q.modules = url, 0
	q.img.Image = nil
	setVisible(q.img, false)
	if url == "" {
		q.img.Refresh()
		return nil
	}
	code, err := qrcode.New(url, qrcode.Medium)
	if err != nil {
		q.img.Refresh()
		return fmt.Errorf("encode the claim's QR: %w", err)
	}
	code.DisableBorder = true
	bits := code.Bitmap()
	q.modules = len(bits) + 2*qrQuiet
	img := image.NewRGBA(image.Rect(0, 0, q.modules, q.modules)) // the one format uploaded without converting
	for i := range img.Pix {
		img.Pix[i] = 0xFF
	}
	for y, line := range bits {
		for x, dark := range line {
			if dark {
				img.SetRGBA(x+qrQuiet, y+qrQuiet, color.RGBA{A: 0xFF})
			}
		}
	}
	q.img.Image = img
	setVisible(q.img, true)
	q.img.Refresh()
	return nil
}

// side is how large the code will be in r: whole pixels a module. pixels is how
// many physical pixels one design unit has.
func (q *qrCode) side(r rect, pixels float32) float32 {
	room := min(r.w, r.h)
	if q.modules == 0 {
		return room
	}
	per := max(1, int(room*pixels+0.01)/q.modules)
	return float32(per*q.modules) / pixels
}

// layout puts the code into r, at the bottom, in the middle.
func (q *qrCode) layout(r rect, k, pixels float32) {
	side := q.side(r, pixels)
	x, y := r.x+(r.w-side)/2, r.y+r.h-side
	place(q.img, rect{snap(x, pixels), snap(y, pixels), side, side}, k)
}
