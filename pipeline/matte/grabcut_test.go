package matte_test

import (
	"image"
	"image/color"
	"math"
	"time"

	"gocv.io/x/gocv"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

// grabCut is the usual answer without a plate, for comparison: OpenCV's
// GrabCut with five iterations. With seeds it starts from where head, shoulders
// and wall are expected around the face; without from the face's box made twice
// as wide and going on to the picture's end, as it is mostly called.
func grabCut(s *mattetest.Scene, cut *image.RGBA, w, h int, seeds bool) (*matte.Portrait, time.Duration, error) {
	start := time.Now()
	img, err := gocv.ImageToMatRGB(cut) // three channels in OpenCV's own order
	if err != nil {
		return nil, 0, err
	}
	defer img.Close()
	mask, bgd, fgd := gocv.NewMatWithSize(h, w, gocv.MatTypeCV8U), gocv.NewMat(), gocv.NewMat()
	defer mask.Close()
	defer bgd.Close()
	defer fgd.Close()
	k := float64(w) / s.Crop.W
	cx, fw := (s.Face.X+s.Face.W/2-s.Crop.X)*k, s.Face.W*k
	fy, chin := (s.Face.Y-s.Crop.Y)*k, (s.Face.ChinY-s.Crop.Y)*k
	seed, err := mask.DataPtrUint8()
	if err != nil {
		return nil, 0, err
	}
	const back, person, maybeBack, maybePerson = 0, 1, 2, 3
	for i := range seed {
		x, y := math.Abs(float64(i%w)-cx)/fw, float64(i/w)
		switch {
		case y < fy-.6*fw || x > 1 && y < chin-.1*fw:
			seed[i] = back
		case x < .35 && y > fy && y < chin || x < .3 && y > chin:
			seed[i] = person
		case x < .65 && y < chin || y > chin+.2*fw:
			seed[i] = maybePerson
		default:
			seed[i] = maybeBack
		}
	}
	if seeds {
		gocv.GrabCut(img, &mask, image.Rectangle{}, &bgd, &fgd, 5, gocv.GCInitWithMask)
	} else {
		box := image.Rect(int(cx-fw), int(fy-.3*fw), int(cx+fw), h-1).Intersect(image.Rect(1, 1, w-1, h-1))
		gocv.GrabCut(img, &mask, box, &bgd, &fgd, 5, gocv.GCInitWithRect)
	}
	labels, err := mask.DataPtrUint8()
	if err != nil {
		return nil, 0, err
	}
	p := &matte.Portrait{RGBA: image.NewRGBA(cut.Rect), Alpha: image.NewGray(cut.Rect), Cut: cut}
	for i, l := range labels {
		px := color.RGBA{lightBlue.R, lightBlue.G, lightBlue.B, 255}
		if l&1 != 0 { // sure (1) or probable (3) person
			p.Alpha.Pix[i] = 255
			px = cut.RGBAAt(i%w, i/w)
		}
		p.RGBA.SetRGBA(i%w, i/w, px)
	}
	return p, time.Since(start), nil
}
