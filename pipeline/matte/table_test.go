package matte_test

import (
	"flag"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

var (
	table = flag.Bool("matte-table", false, "print the accuracy table over all scenes")
	rival = flag.Bool("matte-grabcut", true, "measure GrabCut beside it in the table (seconds a scene)")
	only  = flag.String("matte-only", "", "restrict the table to scenes whose name matches this expression")
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
	bare bool // without the plate
	seed uint64
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
			out = append(out, variant{who: p, wall: wall, cam: cam})
		}
	}
	student := person(t, "student")
	white := student.Shirt("whiteshirt", color.RGBA{236, 235, 232, 255})
	grey := student.Shirt("greyshirt", color.RGBA{142, 143, 146, 255})
	strands := student.Strands(160, 1)
	out = append(out,
		variant{who: white, wall: mattetest.White, cam: usual},
		variant{who: grey, wall: mattetest.Grey, cam: usual},
		variant{who: strands, wall: mattetest.White, cam: usual},
		variant{who: strands, wall: mattetest.Blue, cam: dim},
		variant{who: student, wall: mattetest.Cloth, cam: usual},
		variant{who: student, wall: mattetest.White, cam: one},
		variant{who: white, wall: mattetest.Cloth, cam: one},
		variant{who: strands, wall: mattetest.Green, cam: one},
		variant{who: grey, wall: mattetest.Grey, cam: one},
	)
	for _, wall := range walls {
		out = append(out, variant{who: student, wall: wall, cam: usual, bare: true})
	}
	for _, depth := range []float64{.10, .20, .30} {
		cam := usual
		cam.Shadow = depth
		for _, who := range []*mattetest.Person{student, white} {
			out = append(out, variant{who: who, wall: mattetest.White, cam: cam})
		}
		out = append(out, variant{who: student, wall: mattetest.Grey, cam: cam}, variant{who: student, wall: mattetest.Blue, cam: cam})
	}
	for _, who := range []string{"student", "glasses", "whitehair"} {
		for _, wall := range []mattetest.Backdrop{mattetest.Office, mattetest.Shelf} {
			out = append(out, variant{who: person(t, who), wall: wall, cam: usual, bare: true})
		}
	}
	lost := student.Shirt("wallshirt", color.RGBA{255, 255, 252, 255}) // folds leave about the wall's own colour
	out = append(out, variant{who: lost, wall: mattetest.White, cam: usual})
	return out
}

// name says who stands before what, and what is unusual about it.
func (v variant) name() string {
	s := v.who.Name + "/" + v.wall.Name
	if v.cam.Plates == 1 {
		s += " (1-frame plate)"
	}
	if v.cam.Shadow != mattetest.Usual.Shadow {
		s += fmt.Sprintf(" (shadow %.0f%%)", 100*v.cam.Shadow)
	}
	if v.bare {
		s += " (no plate)"
	}
	return s
}

type result struct {
	mattetest.Score
	name       string
	confidence float64
	contrast   float64
	drift      matte.Drift
	segment    time.Duration
	render     time.Duration
	grab       mattetest.Score
	grabTime   time.Duration
}

func TestMatteTable(t *testing.T) {
	if !*table {
		t.Skip("pass -matte-table to print the table")
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	list := tableScenes(t)
	for i := range list {
		list[i].seed = uint64(i + 1) // the same with and without -matte-only
	}
	list = slices.DeleteFunc(list, func(v variant) bool { return !match.MatchString(v.name()) })
	results := make([]result, len(list))
	// Scenes take seconds to make: two at a time. Times are for a quiet machine
	// from the benchmark; here they only show outliers.
	var wg sync.WaitGroup
	jobs := make(chan int)
	for range 2 {
		wg.Go(func() {
			m := matte.New()
			for i := range jobs {
				results[i] = measure(t, m, list[i])
			}
		})
	}
	for i := range list {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	if t.Failed() {
		return
	}
	fmt.Printf("%-40s | %7s %7s %7s %6s %6s %6s | GrabCut %6s %7s %7s %7s\n",
		"scene", "MSE", "band", "colour", "conf", "seg ms", "ren ms", "MSE", "band", "colour", "ms")
	for _, r := range results {
		fmt.Printf("%-40s | %7.2f %7.1f %7.1f %6.2f %6d %6d | %14.1f %7.1f %7.1f %7d\n", r.name, r.MSE, r.Band, r.Colour, r.confidence,
			r.segment.Milliseconds(), r.render.Milliseconds(), r.grab.MSE, r.grab.Band, r.grab.Colour, r.grabTime.Milliseconds())
	}
	var total total
	for _, r := range results {
		total.add(r)
	}
	total.print()
}

// total gathers mean and worst over the table.
type total struct {
	n                     float64
	own, worst, grab, bad mattetest.Score
}

func (t *total) add(r result) {
	t.n++
	for _, s := range []struct {
		sum, worst *mattetest.Score
		v          mattetest.Score
	}{{&t.own, &t.worst, r.Score}, {&t.grab, &t.bad, r.grab}} {
		s.sum.MSE += s.v.MSE
		s.sum.Band += s.v.Band
		s.sum.Colour += s.v.Colour
		s.worst.MSE = max(s.worst.MSE, s.v.MSE)
		s.worst.Band = max(s.worst.Band, s.v.Band)
		s.worst.Colour = max(s.worst.Colour, s.v.Colour)
	}
}

func (t *total) print() {
	line := func(name string, a, g mattetest.Score, k float64) {
		fmt.Printf("%-40s | %7.2f %7.1f %7.1f %20s | %14.1f %7.1f %7.1f\n", name, a.MSE/k, a.Band/k, a.Colour/k, "", g.MSE/k, g.Band/k, g.Colour/k)
	}
	line("mean", t.own, t.grab, t.n)
	line("worst", t.worst, t.bad, 1)
}

func measure(t *testing.T, m *matte.Matter, v variant) result {
	s := mattetest.Compose(v.who, v.wall, v.cam, v.seed)
	plate, err := matte.NewPlate(s.Plates)
	if err != nil {
		t.Error(err)
		return result{}
	}
	if v.bare {
		plate = nil
	}
	s.Name = v.name()
	r := result{name: s.Name, segment: time.Hour, render: time.Hour}
	var p *matte.Portrait
	for range 2 {
		start := time.Now()
		seg, err := m.Segment(s.Frame, plate, s.Face, s.Region)
		if err != nil {
			t.Error(err)
			return r
		}
		r.segment = min(r.segment, time.Since(start))
		start = time.Now()
		if p, err = m.Render(seg, s.Crop, 480, 640, lightBlue, false); err != nil {
			t.Error(err)
			return r
		}
		r.render = min(r.render, time.Since(start))
		r.confidence, r.contrast, r.drift = seg.Confidence, seg.Contrast, seg.Drift
	}
	truth := s.Truth(480, 640)
	r.Score = truth.Score(p.Alpha, p.RGBA, lightBlue)
	if *rival {
		g, took, err := grabCut(s, p.Cut, 480, 640)
		if err != nil {
			t.Error(err)
			return r
		}
		r.grab, r.grabTime = truth.Score(g.Alpha, g.RGBA, lightBlue), took
	}
	if *dump != "" {
		mattetest.Save(t, *dump, s, p)
	}
	return r
}
