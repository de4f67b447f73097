package zbar_test

import (
	"errors"
	"image"
	"slices"
	"testing"

	"github.com/skip2/go-qrcode"

	"github.com/yunzhao-station/yunzhao/pipeline/qr/zbar"
)

func TestRead(t *testing.T) {
	const text = "YZ1:BASE45 %*+-./:$ 0123"
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		t.Fatal(err)
	}
	drawn := code.Image(-4)
	m := image.NewGray(drawn.Bounds())
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			m.Set(x, y, drawn.At(x, y))
		}
	}
	got, err := zbar.Read(t.Context(), m)
	if errors.Is(err, zbar.ErrMissing) {
		t.Skip(err)
	}
	if err != nil || !slices.Equal(got, []string{text}) {
		t.Errorf("%q %v", got, err)
	}
	blank := image.NewGray(image.Rect(0, 0, 100, 60))
	if got, err := zbar.Read(t.Context(), blank); err != nil || len(got) != 0 {
		t.Errorf("a blank picture: %q %v", got, err)
	}
	// A part of a larger picture, whose rows lie further apart.
	part, ok := m.SubImage(image.Rect(4, 4, m.Rect.Dx()-4, m.Rect.Dy()-2)).(*image.Gray)
	if !ok {
		t.Fatal("not grey")
	}
	if got, err := zbar.Read(t.Context(), part); err != nil || !slices.Equal(got, []string{text}) {
		t.Errorf("a part: %q %v", got, err)
	}
	if _, err := zbar.Read(t.Context(), &image.Gray{}); err == nil {
		t.Error("no picture at all was read")
	}
}
