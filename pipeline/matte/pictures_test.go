package matte_test

import (
	"flag"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/infer"
	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

var pictures = flag.String("matte-pictures", "", "write the crops of docs/matting.md to this folder")

// TestMattePictures makes the pictures of docs/matting.md: hair and collar of the
// two people who may be copied, photographed and cut out, four times enlarged.
func TestMattePictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("pass -matte-pictures DIR to write the pictures of docs/matting.md")
	}
	const zoom, w, h, gap = 4, 100, 70, 4
	people := []struct {
		who    *mattetest.Person
		places [2]image.Point // upper left corners of hair and collar, portrait pixels
	}{
		{person(t, "student").Strands(160, 1), [2]image.Point{{110, 75}, {150, 415}}},
		{person(t, "astronaut"), [2]image.Point{{285, 130}, {60, 420}}},
	}
	nets := infer.New()
	defer nets.Close()
	for i, wall := range []mattetest.Backdrop{mattetest.White, mattetest.Blue, mattetest.Green, mattetest.Grey} {
		booth := mattetest.NewBooth(wall, mattetest.Webcam, uint64(i+1))
		plate, err := matte.NewPlate(booth.Plates)
		if err != nil {
			t.Fatal(err)
		}
		sheet := image.NewRGBA(image.Rect(0, 0, 4*(zoom*w+gap)-gap, 2*(zoom*h+gap)-gap))
		for j := range sheet.Pix {
			sheet.Pix[j] = 255
		}
		for k, c := range people {
			s := booth.Photograph(c.who, mattetest.Webcam, uint64(i+1))
			m := matte.New()
			m.People = nets
			p := render(t, m, segment(t, m, s, plate), s)
			sc := s.Truth(480, 640).Score(p.Alpha, p.RGBA, lightBlue)
			fmt.Printf("%-8s %-20s MSE %.2f, colour %.1f\n", wall.Name, c.who.Name, sc.MSE, sc.Colour)
			for row, at := range c.places {
				for col, from := range []*image.RGBA{p.Cut, p.RGBA} {
					enlarge(sheet, (2*k+col)*(zoom*w+gap), row*(zoom*h+gap), from, image.Rect(at.X, at.Y, at.X+w, at.Y+h), zoom)
				}
			}
		}
		f, err := os.Create(filepath.Join(*pictures, "matting-"+wall.Name+".jpg"))
		if err != nil {
			t.Fatal(err)
		}
		if err := jpeg.Encode(f, sheet, &jpeg.Options{Quality: 88}); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// enlarge copies a part of a picture, every pixel a square.
func enlarge(dst *image.RGBA, x0, y0 int, src *image.RGBA, part image.Rectangle, zoom int) {
	for y := range part.Dy() * zoom {
		for x := range part.Dx() * zoom {
			dst.SetRGBA(x0+x, y0+y, src.RGBAAt(part.Min.X+x/zoom, part.Min.Y+y/zoom))
		}
	}
}
