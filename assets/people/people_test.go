package people_test

import (
	"testing"

	"github.com/yunzhao-station/yunzhao/assets/people"
)

func TestStudent(t *testing.T) {
	m, err := people.Student()
	if err != nil {
		t.Fatal(err)
	}
	if m.Rect.Dx() != 1100 || m.Rect.Dy() != 1150 {
		t.Fatalf("size %v, want 1100×1150", m.Rect)
	}
	for name, p := range map[string]struct {
		x, y int
		want uint8
	}{
		"corner":         {0, 0, 0},
		"beside the ear": {200, 400, 0},
		"nose":           {545, 480, 255},
		"lower edge":     {545, 1149, 255},
	} {
		if got := m.NRGBAAt(p.x, p.y).A; got != p.want {
			t.Errorf("%s: alpha %d, want %d", name, got, p.want)
		}
	}
}
