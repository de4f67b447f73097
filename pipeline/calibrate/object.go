package calibrate

import (
	"fmt"
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// Limits of a wall that counts as empty, compared with the plate before.
const (
	objectReach = .03 // log ratio: what the fit of the light takes for noise
	objectLeast = .12 // log ratio in any colour; less is a shadow or a worn wall
	objectFail  = .4  // per cent of the middle of the picture
	objectNew   = 40. // per cent from which it is another wall, not something before it
)

// judgeObject compares the new plate with the one in use, under a smooth change
// of light. It tells whether both show the same wall.
func (c *Calibrator) judgeObject(j *Judgement, plate *matte.Plate) bool {
	prev := c.o.Previous
	f := Finding{ID: Object, Unit: "%", Status: Unknown}
	switch {
	case prev == nil:
		j.add(f, words{
			"没有可比较的旧背景，请看一眼画面，确认背景前没有椅背、包或支架等东西。",
			"There is no earlier plate to compare with. Look at the picture: no chair back, bag or stand before the backdrop.",
		})
		return false
	case prev.W != plate.W || prev.H != plate.H:
		j.add(f, words{
			fmt.Sprintf("旧背景是 %d×%d，这次是 %d×%d，无法比较；请看一眼画面，确认背景前没有东西。", prev.W, prev.H, plate.W, plate.H),
			fmt.Sprintf("The earlier plate is %d×%d, this one %d×%d: they cannot be compared. Look at the picture: nothing before the backdrop.", prev.W, prev.H, plate.W, plate.H),
		})
		return false
	case prev.Camera != plate.Camera && prev.Camera != "" && plate.Camera != "":
		j.add(f, words{
			"旧背景是另一台相机拍的，无法比较；请看一眼画面，确认背景前没有东西。",
			"The earlier plate was taken by another camera: they cannot be compared. Look at the picture: nothing before the backdrop.",
		})
		return false
	}
	share := 100 * newThings(prev, plate)
	f.Value, f.Limit = &share, ptr(objectFail)
	switch {
	case share > objectNew:
		f.Status = Warn
		j.add(f, words{
			"画面与旧背景完全不同：相机移动过或换了背景。请看一眼画面，确认背景前没有东西。",
			"The picture is quite another than the earlier plate: the camera was moved or the backdrop replaced. Look at it: nothing before the backdrop.",
		})
		return false
	case share > objectFail:
		f.Status = Fail
		j.add(f, words{
			"背景前多了东西（与旧背景相比）。请移开椅背、包、支架等再拍；如果是相机或背景动过，请选“换过背景”重新拍。",
			"Something stands before the backdrop that was not there before. Remove it and try again; if the camera or the backdrop was moved, choose \"new backdrop\".",
		})
		return false
	}
	f.Status = Pass
	j.add(f, words{"背景前没有多出东西。", "Nothing has come to stand before the backdrop."})
	return true
}

// newThings is the share of the middle of the picture where b shows something
// else than a beyond a smooth change of light: in patches, not lines, because a
// camera that was knocked shifts every edge.
func newThings(a, b *matte.Plate) float64 {
	w, h := a.W/cell, a.H/cell
	ra, rb := a.Reduce(w, h), b.Reduce(w, h)
	odd := make([]bool, w*h)
	ratio := make([]float32, w*h)
	for c := range ra {
		for i := range ratio {
			ratio[i] = logLevel(float64(rb[c][i])) - logLevel(float64(ra[c][i]))
		}
		fit, _ := smooth(ratio, w, h, true, objectReach)
		for i, v := range ratio {
			odd[i] = odd[i] || math.Abs(float64(v-fit[i])) > objectLeast
		}
	}
	return patches(odd, w, h)
}

// patches is the share of the middle of a picture of w×h cells that lies in odd
// patches of at least 3×3 cells.
func patches(odd []bool, w, h int) float64 {
	core := make([]bool, len(odd))
	for y := 1; y+1 < h; y++ {
		for x := 1; x+1 < w; x++ {
			all := true
			for j := y - 1; j <= y+1; j++ {
				for i := x - 1; i <= x+1; i++ {
					all = all && odd[j*w+i]
				}
			}
			core[y*w+x] = all
		}
	}
	a := area(w, h)
	found := 0
	for y := a.Min.Y; y < a.Max.Y; y++ {
		for x := a.Min.X; x < a.Max.X; x++ {
			in := false
			for j := max(y-1, 0); j <= min(y+1, h-1); j++ {
				for i := max(x-1, 0); i <= min(x+1, w-1); i++ {
					in = in || core[j*w+i]
				}
			}
			if in {
				found++
			}
		}
	}
	return float64(found) / float64(max(a.Dx()*a.Dy(), 1))
}
