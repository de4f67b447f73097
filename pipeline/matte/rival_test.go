package matte_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

// compare measures GrabCut and the matte on the same scenes, one scene after
// the other: both use all cores, and neither may wait for another scene's work.
// Printed are the ratio of the mean errors, and the median over the scenes of
// GrabCut's time over ours, with and without the work at output size that
// GrabCut does not do.
func compare(t *testing.T, list []booth, people matte.People) {
	if *rival == "" {
		return
	}
	match, err := regexp.Compile(*rival)
	if err != nil {
		t.Fatal(err)
	}
	const repeats = 5 // of ours, which is short; the median counts
	fmt.Println()
	var own, seeded, boxed, toMask, toPortrait, ownMask, ownAll, other []float64
	m := matte.New()
	if *ask {
		m.People = people
	}
	for i := range list {
		b := &list[i]
		var made *mattetest.Booth
		var plate *matte.Plate
		for k := range b.visits {
			v := &b.visits[k]
			if !match.MatchString(b.name(v)) {
				continue
			}
			if made == nil {
				made = mattetest.NewBooth(b.wall, b.cam, b.seed)
				if plate, err = matte.NewPlate(made.Plates); err != nil {
					t.Fatal(err)
				}
			}
			s := made.Photograph(v.person(), v.cam, v.seed)
			known := plate
			if v.bare {
				known = nil
			}
			truth := s.Truth(480, 640)
			var p *matte.Portrait
			var mask, all []float64
			for range repeats {
				start := time.Now()
				seg, err := m.Segment(s.Frame, known, s.Face, s.Region)
				if err != nil {
					t.Fatal(err)
				}
				mask = append(mask, ms(time.Since(start)))
				if p, err = m.Render(seg, s.Crop, 480, 640, lightBlue, false); err != nil {
					t.Fatal(err)
				}
				all = append(all, ms(time.Since(start)))
			}
			own = append(own, truth.Score(p.Alpha, p.RGBA, lightBlue).MSE)
			quicker := time.Hour
			for _, seeds := range []bool{true, false} {
				g, took, err := grabCut(s, p.Cut, 480, 640, seeds)
				if err != nil {
					t.Fatal(err)
				}
				quicker = min(quicker, took)
				mse := truth.Score(g.Alpha, g.RGBA, lightBlue).MSE
				if seeds {
					seeded = append(seeded, mse)
				} else {
					boxed = append(boxed, mse)
				}
			}
			ownMask, ownAll, other = append(ownMask, middle(mask)), append(ownAll, middle(all)), append(other, ms(quicker))
			last := len(own) - 1
			fmt.Printf("%-44s MSE %7.2f boxed, %6.2f seeded, %5.2f ours: %5.0f× and %4.0f×; time %.0f ms, ours %.0f to the mask (%.1f×), %.0f to the portrait (%.1f×)\n",
				b.name(v), boxed[last], seeded[last], own[last], boxed[last]/own[last], seeded[last]/own[last],
				ms(quicker), middle(mask), ms(quicker)/middle(mask), middle(all), ms(quicker)/middle(all))
			toMask = append(toMask, ms(quicker)/middle(mask))
			toPortrait = append(toPortrait, ms(quicker)/middle(all))
		}
	}
	if len(own) == 0 {
		return
	}
	fmt.Printf("\nGrabCut on %d scenes, one at a time: MSE %.1f from a box (%.0f× ours, %.2f), %.1f from seeds (%.1f×)\n",
		len(own), mean(boxed), mean(boxed)/mean(own), mean(own), mean(seeded), mean(seeded)/mean(own))
	fmt.Printf("  mask against mask, GrabCut ÷ Segment: median %.1f× (%.0f and %.0f ms)\n", middle(toMask), middle(other), middle(ownMask))
	fmt.Printf("  mask against portrait, GrabCut ÷ (Segment + Render): median %.1f× (%.0f and %.0f ms)\n", middle(toPortrait), middle(other), middle(ownAll))
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }
