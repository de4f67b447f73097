package matte_test

import (
	"flag"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

var (
	table = flag.Bool("matte-table", false, "print the accuracy table over all scenes")
	dump  = flag.String("matte-dump", "", "write alpha and composites of the table's scenes to this folder")
)

var lightBlue = color.RGBA{100, 197, 255, 255}

// shared is where portraits that may not be committed are kept.
func shared() string {
	if dir := os.Getenv("YUNZHAO_SHARED"); dir != "" {
		return dir
	}
	return "../../../shared"
}

// person loads a cut-out, from the project's own assets or the shared ones.
func person(t testing.TB, name string) *mattetest.Person {
	t.Helper()
	own := filepath.Join("../../assets/people", name+".png")
	if p, err := mattetest.Load(name, own); err == nil {
		return p
	}
	file := filepath.Join(shared(), "portraits", name+".png")
	p, err := mattetest.Load(name, file)
	if err != nil {
		t.Skipf("no cut-out of %q: set YUNZHAO_SHARED to a folder that holds portraits/%s.png (%v)", name, name, err)
	}
	return p
}

type variant struct {
	who  *mattetest.Person
	wall mattetest.Backdrop
	cam  mattetest.Camera
}

func tableScenes(t testing.TB) []variant {
	var out []variant
	usual := mattetest.Usual
	dim := usual
	dim.Exposure, dim.Tint, dim.Noise = -.03, -.006, 3
	one := usual
	one.Plates = 1
	walls := []mattetest.Backdrop{mattetest.White, mattetest.Blue, mattetest.Grey, mattetest.Green}
	for _, name := range []string{"student", "astronaut", "glasses", "whitehair"} {
		p := person(t, name)
		for i, wall := range walls {
			cam := usual
			if i%2 == 1 {
				cam = dim
			}
			out = append(out, variant{p, wall, cam})
		}
	}
	student := person(t, "student")
	white := student.Shirt("whiteshirt", color.RGBA{236, 235, 232, 255})
	grey := student.Shirt("greyshirt", color.RGBA{142, 143, 146, 255})
	strands := student.Strands(160, 1)
	out = append(out,
		variant{white, mattetest.White, usual},
		variant{grey, mattetest.Grey, usual},
		variant{strands, mattetest.White, usual},
		variant{strands, mattetest.Blue, dim},
		variant{student, mattetest.Cloth, usual},
		variant{student, mattetest.White, one},
		variant{white, mattetest.Cloth, one},
	)
	return out
}

func TestMatteTable(t *testing.T) {
	if !*table {
		t.Skip("pass -matte-table to print the table")
	}
	m := matte.New()
	var sum, worst mattetest.Score
	var times []time.Duration
	list := tableScenes(t)
	fmt.Printf("%-28s %8s %8s %8s %8s %6s %8s\n", "scene", "MSE", "band", "colour", "ms", "conf", "contrast")
	for i, v := range list {
		s := mattetest.Compose(v.who, v.wall, v.cam, uint64(i+1))
		plate, err := matte.NewPlate(s.Plates)
		if err != nil {
			t.Fatal(err)
		}
		best := time.Hour
		var seg *matte.Segmentation
		var p *matte.Portrait
		for range 3 {
			start := time.Now()
			seg, err = m.Segment(s.Frame, plate, s.Face, s.Region)
			if err != nil {
				t.Fatal(err)
			}
			mid := time.Now()
			p, err = m.Render(seg, s.Crop, 480, 640, lightBlue, false)
			if err != nil {
				t.Fatal(err)
			}
			_ = mid
			best = min(best, time.Since(start))
		}
		sc := s.Truth(480, 640).Score(p.Alpha, p.RGBA, lightBlue)
		fmt.Printf("%-28s %8.2f %8.1f %8.1f %8d %6.2f %8.1f  drift %v\n", s.Name, sc.MSE, sc.Band, sc.Colour, best.Milliseconds(), seg.Confidence, seg.Contrast, seg.Drift)
		if *dump != "" {
			mattetest.Save(t, *dump, s, p)
		}
		sum.MSE += sc.MSE
		sum.Band += sc.Band
		sum.Colour += sc.Colour
		worst.MSE = max(worst.MSE, sc.MSE)
		worst.Band = max(worst.Band, sc.Band)
		worst.Colour = max(worst.Colour, sc.Colour)
		times = append(times, best)
	}
	n := float64(len(list))
	fmt.Printf("%-28s %8.2f %8.1f %8.1f\n", "mean", sum.MSE/n, sum.Band/n, sum.Colour/n)
	fmt.Printf("%-28s %8.2f %8.1f %8.1f\n", "worst", worst.MSE, worst.Band, worst.Colour)
}
