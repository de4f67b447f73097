package infer

import (
	"fmt"
	"image"
)

// PersonSide is the side of the square that Person answers with.
const PersonSide = 256

// Person tells for each cell of a PersonSide × PersonSide grid, stretched over
// the whole of m, how surely it shows a person, 0..1, row by row into dst,
// which must hold PersonSide² values. People in the foreground count, whoever
// and however many they are; an edge is good to about two cells.
// The error is a picture whose buffer is shorter than its rectangle, a dst of
// another length, or Nets that are closed.
func (n *Nets) Person(m *image.RGBA, dst []float32) error {
	if err := check(m); err != nil {
		return err
	}
	if len(dst) != PersonSide*PersonSide {
		return fmt.Errorf("infer: %d values for a person, want %d", len(dst), PersonSide*PersonSide)
	}
	w, h := float64(m.Rect.Dx()), float64(m.Rect.Dy())
	return n.person.run(func(v []float32) {
		sample(m, region{cx: w / 2, cy: h / 2, w: w, h: h}, PersonSide, 1./255, 0, v)
	}, func(v []float32) {
		copy(dst, v)
	})
}
