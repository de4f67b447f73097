//go:build matprofile

package matte

import (
	"testing"

	"gocv.io/x/gocv"
)

// Every Mat is memory outside Go's heap that only Close gives back:
//
//	go test -tags matprofile -run TestMatsAreClosed ./pipeline/matte
func TestMatsAreClosed(t *testing.T) {
	before := gocv.MatProfile.Count()
	for _, c := range grabCases() {
		labels := c.seed()
		if err := grabCut(c.picture(), labels, c.w, c.h); (err != nil) != c.refused {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
	if n := gocv.MatProfile.Count() - before; n != 0 {
		t.Errorf("%d Mats left open", n)
	}
}
