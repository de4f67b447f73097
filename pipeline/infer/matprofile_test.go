//go:build matprofile

package infer

import (
	"testing"

	"gocv.io/x/gocv"
)

// Every Mat is memory outside Go's heap that only Close gives back:
//
//	go test -tags matprofile -run TestMatsAreClosed ./pipeline/infer
func TestMatsAreClosed(t *testing.T) {
	before := gocv.MatProfile.Count()
	n, m := New(), student(t)
	var mesh Mesh
	for range 3 {
		if _, err := n.Detect(m, nil); err != nil {
			t.Fatal(err)
		}
		if err := n.Mesh(m, Region{CX: 240, CY: 240, Side: 300}, &mesh); err != nil {
			t.Fatal(err)
		}
		if err := n.Person(m, make([]float32, PersonSide*PersonSide)); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if left := gocv.MatProfile.Count() - before; left != 0 {
		t.Errorf("%d Mats left open", left)
	}
}
