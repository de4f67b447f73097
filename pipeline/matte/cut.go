package matte

// #include "kernels.h"
import "C"

// The cut: the mask u in [0, 1] that minimises
//
//	Σ f·u + Σ wx·|∂x u| + Σ wy·|∂y u|
//
// where stepping down from person to backdrop may cost another weight than
// stepping up. The anisotropic total variation makes the minimum that of a
// graph cut; a primal–dual iteration (Chambolle and Pock 2011, step .35 for
// both) reaches it closely enough in some tens of plain passes.
type cutField struct {
	w, h   int
	f      []float32 // unary: positive prefers backdrop
	wx, wy []float32 // cost of a step between x, x+1 and between y, y+1
	down   []float32 // cost of person above backdrop between y, y+1
	u, bar []float32 // mask and its extrapolation
	px, py []float32 // dual variables
	still  []float32 // w zeros

	mid             int       // first row of the lower half; 0 without halves
	edgeBar, edgePy []float32 // the border rows as of the last exchange

	lean  []int8  // of each tile: −1 backdrop, +1 person, 0 open
	live  []bool  // the tile iterates
	spans []int32 // x0, x1 and whether open, of each span
	first []int32 // where the spans of each row of tiles begin, and their end
}

const cutStep = .35

// Far from any contour the cut is decided by the unaries alone. Tiles whose
// pixels, and those of all tiles around, lean the same way by at least
// cutSettled are set at once; the iteration runs on the rest.
const (
	cutTile    = 8
	cutSettled = 1
)

// A span is a run of live tiles. It is open where the tiles above do not
// iterate: then their lower duals are the span's.

// plan finds the spans of each tile row that must iterate and settles the rest.
func (c *cutField) plan() {
	w, h := c.w, c.h
	tw, th := (w+cutTile-1)/cutTile, (h+cutTile-1)/cutTile
	if cap(c.lean) < tw*th {
		c.lean, c.live = make([]int8, tw*th), make([]bool, tw*th)
		c.first = make([]int32, th+1)
	}
	lean, live := c.lean[:tw*th], c.live[:tw*th]
	for t := range lean {
		x0, y0 := t%tw*cutTile, t/tw*cutTile
		var back, person int
		for y := y0; y < min(y0+cutTile, h); y++ {
			for _, v := range c.f[y*w+x0 : y*w+min(x0+cutTile, w)] {
				if v >= cutSettled {
					back++
				} else if v <= -cutSettled {
					person++
				}
			}
		}
		all := (min(x0+cutTile, w) - x0) * (min(y0+cutTile, h) - y0)
		lean[t] = 0
		if back == all {
			lean[t] = -1
		} else if person == all {
			lean[t] = 1
		}
	}
	for t := range live {
		tx, ty := t%tw, t/tw
		live[t] = lean[t] == 0
		for j := max(ty-1, 0); j <= min(ty+1, th-1); j++ {
			for i := max(tx-1, 0); i <= min(tx+1, tw-1); i++ {
				if lean[j*tw+i] != lean[t] {
					live[t] = true
				}
			}
		}
		if live[t] {
			continue
		}
		v := float32(0)
		if lean[t] > 0 {
			v = 1
		}
		x0, y0 := tx*cutTile, ty*cutTile
		for y := y0; y < min(y0+cutTile, h); y++ {
			for x := x0; x < min(x0+cutTile, w); x++ {
				c.u[y*w+x] = v
			}
		}
	}
	c.spans = c.spans[:0]
	for ty := range th {
		c.first[ty] = int32(len(c.spans) / 3)
		for tx := range tw {
			t := ty*tw + tx
			if !live[t] {
				continue
			}
			open := int32(b2u(ty > 0 && !live[t-tw]))
			x0, x1 := int32(tx*cutTile), int32(min((tx+1)*cutTile, w))
			if n := len(c.spans); n > 3*int(c.first[ty]) && c.spans[n-2] == x0 && c.spans[n-1] == open {
				c.spans[n-2] = x1
			} else {
				c.spans = append(c.spans, x0, x1, open)
			}
		}
	}
	c.first[th] = int32(len(c.spans) / 3)
	copy(c.bar, c.u)
}

// cutChunk passes run between exchanges of the two halves' common border.
const cutChunk = 5

// iterate runs the given number of passes from the present state, the upper
// and the lower half of the image at the same time. Between exchanges each half
// sees the other's border row as it was: that delays a contour's way across by
// a few passes but changes nothing about where it comes to rest.
func (c *cutField) iterate(passes int) {
	c.plan()
	// Not the first row of a tile, whose open spans update the row above.
	mid := c.h/2/cutTile*cutTile + cutTile/2
	if mid >= c.h {
		c.sweep(0, c.h, passes)
		return
	}
	w := c.w
	for ; passes > 0; passes -= cutChunk {
		copy(c.edgeBar, c.bar[mid*w:mid*w+w])
		copy(c.edgePy, c.py[(mid-1)*w:mid*w])
		c.mid = mid
		n := min(passes, cutChunk)
		both(func() { c.sweep(0, mid, n) }, func() { c.sweep(mid, c.h, n) })
	}
}

// sweep runs passes over the rows [y0, y1). Row y's duals need only the old
// masks of rows y and y+1, so one sweep updates the duals of a row and then its
// mask.
func (c *cutField) sweep(y0, y1, passes int) {
	C.yz_cut_sweep(f32(c.f), f32(c.wx), f32(c.wy), f32(c.down), f32(c.u), f32(c.bar), f32(c.px), f32(c.py),
		f32(c.edgeBar), f32(c.edgePy), f32(c.still), i32(c.spans), i32(c.first),
		C.int(c.w), C.int(c.h), C.int(y0), C.int(y1), C.int(c.mid), cutTile, cutStep, C.int(passes))
}
