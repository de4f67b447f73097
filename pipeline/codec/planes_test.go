package codec

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"testing"
)

// planes draws jpg by its planes, whatever way PreviewInto would choose.
func planes(t testing.TB, dst *image.RGBA, jpg []byte, mirror, plain bool) {
	t.Helper()
	e, err := newDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	in, err := e.header(jpg)
	if err != nil || !in.planar {
		t.Fatalf("%+v, %v", in, err)
	}
	if err := e.drawPlanes(dst, jpg, in, 8, mirror, plain); err != nil {
		t.Fatal(err)
	}
}

// By its planes a frame looks as it does decoded whole and then scaled, at every
// size; mirrored it is the same pixels the other way round, and the processor's
// wider instructions change nothing.
func TestPreviewByPlanes(t *testing.T) {
	for _, frame := range []image.Point{{640, 360}, {641, 361}, {17, 9}, {1, 1}} {
		src := picture(frame.X, frame.Y)
		for _, s := range []Subsampling{S444, S422, S420} {
			jpg := encode(t, src, 95, s)
			var full image.RGBA
			if err := DecodeRGBA(&full, jpg, Options{}); err != nil {
				t.Fatal(err)
			}
			for _, size := range []image.Point{
				frame, {640, 360}, {639, 359}, {641, 361}, {600, 338}, {480, 270}, {321, 201}, {427, 360}, {300, 360}, {1280, 720}, {33, 7}, {16, 16}, {15, 1}, {1, 15}, {2, 2}, {1, 1},
			} {
				t.Run(fmt.Sprintf("%v %v to %v", frame, s, size), func(t *testing.T) {
					want, got, mirrored, plain := image.NewRGBA(image.Rectangle{Max: size}), image.NewRGBA(image.Rectangle{Max: size}), image.NewRGBA(image.Rectangle{Max: size}), image.NewRGBA(image.Rectangle{Max: size})
					if err := ScaleInto(want, &full, false); err != nil {
						t.Fatal(err)
					}
					planes(t, got, jpg, false, false)
					planes(t, mirrored, jpg, true, false)
					planes(t, plain, jpg, false, true)
					if !bytes.Equal(got.Pix, plain.Pix) {
						t.Error("the wider instructions give other pixels")
					}
					mirrorRows(mirrored)
					if !bytes.Equal(got.Pix, mirrored.Pix) {
						t.Error("mirrored, it is not the same picture")
					}
					worst := 0
					for i, v := range got.Pix {
						if i%4 == 3 && v != 255 {
							t.Fatalf("pixel %d is not opaque", i/4)
						}
						worst = max(worst, absDiff(v, want.Pix[i]))
					}
					// Colour comes from the middle of two target pixels and two rows: the
					// picture may differ by what it changes over three quarters of a step,
					// and by a sample's distance where that is all there is.
					step := max(1, min(float64(frame.X)/float64(size.X), float64(frame.Y)/float64(size.Y)))
					slope := 255/float64(frame.X) + 255/float64(frame.Y) + 40./17
					if limit := 6 + .75*step*slope; float64(worst) > limit {
						t.Errorf("differs by %d, at most %.0f", worst, limit)
					}
					if d := rms(t, want, got); d > 1.5 && step < 2 && frame.X > 100 {
						t.Errorf("differs by %.2f", d)
					}
				})
			}
		}
	}
}

// Full-range colours reach both ends without wrapping round.
func TestPreviewColours(t *testing.T) {
	src := image.NewRGBA(image.Rect(0, 0, 256, 64))
	for i := range 256 * 64 {
		block := i % 256 / 16
		c := []byte{byte(block & 1 * 255), byte(block >> 1 & 1 * 255), byte(block >> 2 & 1 * 255), 255}
		if block >= 8 {
			c[0], c[1], c[2] = byte(block*17), byte(block*17), byte(block*17)
		}
		copy(src.Pix[4*i:], c)
	}
	jpg := encode(t, src, 100, S444)
	var want image.RGBA
	if err := DecodeRGBA(&want, jpg, Options{}); err != nil {
		t.Fatal(err)
	}
	got := image.NewRGBA(src.Rect)
	planes(t, got, jpg, false, false)
	for block := range 16 {
		p := image.Pt(16*block+8, 32)
		a, b := got.RGBAAt(p.X, p.Y), want.RGBAAt(p.X, p.Y)
		if absDiff(a.R, b.R) > 2 || absDiff(a.G, b.G) > 2 || absDiff(a.B, b.B) > 2 {
			t.Errorf("%v, want %v", a, b)
		}
	}
}

// A picture that is part of a larger one keeps to its own pixels.
func TestPreviewInsideLargerPicture(t *testing.T) {
	jpg := encode(t, picture(64, 48), 90, S420)
	for w := 1; w < 70; w++ {
		big := image.NewRGBA(image.Rect(0, 0, w+10, 60))
		for i := range big.Pix {
			big.Pix[i] = 77
		}
		dst, ok := big.SubImage(image.Rect(5, 5, 5+w, 50)).(*image.RGBA)
		if !ok {
			t.Fatal("no picture")
		}
		planes(t, dst, jpg, w%2 == 0, false)
		for y := range 60 {
			for x := range w + 10 {
				inside := image.Pt(x, y).In(dst.Rect)
				if c := big.RGBAAt(x, y); !inside && c.R != 77 || inside && c.A != 255 {
					t.Fatalf("width %d: pixel %d,%d is %v", w, x, y, c)
				}
			}
		}
	}
}

func TestPreviewOfDamagedPlanes(t *testing.T) {
	jpg := encode(t, picture(640, 360), 90, S422)
	dst := image.NewRGBA(image.Rect(0, 0, 640, 360))
	if err := PreviewInto(dst, jpg[:len(jpg)/2], true); !errors.Is(err, ErrDamaged) {
		t.Errorf("half a frame: %v, want %v", err, ErrDamaged)
	}
	padded := append(bytes.Clone(jpg[:len(jpg)-2]), 0, 0, 0, 0, 0xFF, 0xD9)
	if err := PreviewInto(dst, padded, true); err != nil {
		t.Errorf("padded: %v", err)
	}
	bare := image.NewRGBA(dst.Rect)
	if err := PreviewInto(bare, withoutTables(t, jpg), true); err != nil || !bytes.Equal(bare.Pix, dst.Pix) {
		t.Errorf("without Huffman tables: %v, or other pixels", err)
	}
}

// Fine upright and level bars stand where they stand in the whole picture: half a
// pixel off, and their edges would be many levels off.
func TestPreviewKeepsItsPlace(t *testing.T) {
	src := image.NewRGBA(image.Rect(0, 0, 640, 360))
	for y := range 360 {
		for x := range 640 {
			wave := func(v int) int { return min(v%24, 24-v%24) * 255 / 24 } // 21 levels a pixel
			v := uint8(wave(x))
			if y > 180 {
				v = uint8(wave(y))
			}
			src.SetRGBA(x, y, color.RGBA{v, v, v, 255})
		}
	}
	jpg := encode(t, src, 100, S444)
	var full image.RGBA
	if err := DecodeRGBA(&full, jpg, Options{FastDCT: true}); err != nil {
		t.Fatal(err)
	}
	for _, size := range []image.Point{{640, 360}, {600, 338}, {480, 270}, {428, 360}, {333, 188}, {1280, 720}} {
		want, got := image.NewRGBA(image.Rectangle{Max: size}), image.NewRGBA(image.Rectangle{Max: size})
		if err := ScaleInto(want, &full, false); err != nil {
			t.Fatal(err)
		}
		planes(t, got, jpg, false, false)
		if d := rms(t, want, got); d > .8 {
			t.Errorf("%v: differs by %.2f", size, d)
		}
	}
}
