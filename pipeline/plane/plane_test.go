package plane_test

import (
	"image"
	"math"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/plane"
)

func TestBetweenTakesCornersToCorners(t *testing.T) {
	from := [4]plane.Point{{X: 100, Y: 40}, {X: 900, Y: 90}, {X: 850, Y: 600}, {X: 130, Y: 520}}
	to := plane.Corners(856, 540)
	m, ok := plane.Between(from, to)
	if !ok {
		t.Fatal("no map")
	}
	back, ok := plane.Between(to, from)
	if !ok {
		t.Fatal("no map back")
	}
	for i, p := range from {
		if q := m.Apply(p); math.Hypot(q.X-to[i].X, q.Y-to[i].Y) > 1e-6 {
			t.Errorf("corner %d goes to %v, want %v", i, q, to[i])
		}
	}
	p := plane.Point{X: 500, Y: 300}
	if q := back.Apply(m.Apply(p)); math.Hypot(q.X-p.X, q.Y-p.Y) > 1e-6 {
		t.Errorf("there and back: %v", q)
	}
}

func TestBetweenRefusesALine(t *testing.T) {
	if _, ok := plane.Between([4]plane.Point{{}, {X: 1}, {X: 2}, {X: 3}}, plane.Corners(1, 1)); ok {
		t.Error("four points on a line were mapped")
	}
}

func TestSample(t *testing.T) {
	m := &image.Gray{Pix: []uint8{0, 100, 200, 100}, Stride: 2, Rect: image.Rect(0, 0, 2, 2)}
	for p, want := range map[plane.Point]float64{{X: .5, Y: .5}: 0, {X: 1, Y: .5}: 50, {X: 1, Y: 1}: 100, {X: -9, Y: 9}: 200} {
		if got := plane.Sample(m, p); math.Abs(got-want) > 1e-9 {
			t.Errorf("at %v: %v, want %v", p, got, want)
		}
	}
}
