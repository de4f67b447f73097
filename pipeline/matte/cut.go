package matte

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

	lean  []int8 // of each tile: −1 backdrop, +1 person, 0 open
	live  []bool // the tile iterates
	spans [][]cutSpan
}

const cutStep = .35

// Far from any contour the cut is decided by the unaries alone. Tiles whose
// pixels, and those of all tiles around, lean the same way by at least
// cutSettled are set at once; the iteration runs on the rest.
const (
	cutTile    = 8
	cutSettled = 1
)

type cutSpan struct {
	x0, x1 int
	open   bool // the tile above does not iterate: its lower duals are ours
}

// plan finds the spans of each tile row that must iterate and settles the rest.
func (c *cutField) plan() {
	w, h := c.w, c.h
	tw, th := (w+cutTile-1)/cutTile, (h+cutTile-1)/cutTile
	if cap(c.lean) < tw*th {
		c.lean, c.live = make([]int8, tw*th), make([]bool, tw*th)
		c.spans = make([][]cutSpan, th)
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
	for ty := range th {
		list := c.spans[ty][:0]
		for tx := range tw {
			t := ty*tw + tx
			if !live[t] {
				continue
			}
			open := ty > 0 && !live[t-tw]
			x0, x1 := tx*cutTile, min((tx+1)*cutTile, w)
			if n := len(list); n > 0 && list[n-1].x1 == x0 && list[n-1].open == open {
				list[n-1].x1 = x1
			} else {
				list = append(list, cutSpan{x0, x1, open})
			}
		}
		c.spans[ty] = list
	}
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
	for range passes {
		for y := y0; y < y1; y++ {
			spans := c.spans[y/cutTile]
			for _, s := range spans {
				if s.open && y%cutTile == 0 {
					c.dualDown(y-1, s.x0, s.x1)
				}
				c.dualDown(y, s.x0, s.x1)
				c.dualAcross(y, max(s.x0-1, 0), s.x1)
			}
			for _, s := range spans {
				c.primal(y, s.x0, s.x1)
			}
		}
	}
}

func (c *cutField) dualDown(y, x0, x1 int) {
	w := c.w
	if y+1 >= c.h {
		return
	}
	o := y * w
	bar, next := c.bar[o+x0:o+x1], c.bar[o+w+x0:o+w+x1]
	if y+1 == c.mid {
		next = c.edgeBar[x0:x1]
	}
	py, wy, down := c.py[o+x0:o+x1], c.wy[o+x0:o+x1], c.down[o+x0:o+x1]
	next, py, wy, down = next[:len(bar)], py[:len(bar)], wy[:len(bar)], down[:len(bar)]
	for x, b := range bar {
		py[x] = max(min(py[x]+cutStep*(next[x]-b), wy[x]), -down[x])
	}
}

func (c *cutField) dualAcross(y, x0, x1 int) {
	o := y * c.w
	x1 = min(x1, c.w-1)
	if x1 <= x0 {
		return
	}
	bar := c.bar[o+x0 : o+x1+1]
	px, wx := c.px[o+x0:o+x1], c.wx[o+x0:o+x1]
	px, wx = px[:len(bar)-1], wx[:len(bar)-1]
	left := bar[0]
	for x, k := range wx {
		right := bar[x+1]
		px[x] = max(min(px[x]+cutStep*(right-left), k), -k)
		left = right
	}
}

func (c *cutField) primal(y, x0, x1 int) {
	w := c.w
	o := y * w
	u, bar, f := c.u[o+x0:o+x1], c.bar[o+x0:o+x1], c.f[o+x0:o+x1]
	px, py := c.px[o+x0:o+x1], c.py[o+x0:o+x1]
	bar, f, px, py = bar[:len(u)], f[:len(u)], px[:len(u)], py[:len(u)]
	above := c.still[:len(u)] // zeros: nothing flows in from above the image
	if y == c.mid {
		above = c.edgePy[x0:x1][:len(u)]
	} else if y > 0 {
		above = c.py[o-w+x0 : o-w+x1][:len(u)]
	}
	var left float32
	if x0 > 0 {
		left = c.px[o+x0-1]
	}
	for x, was := range u {
		d := px[x] + py[x] - left - above[x]
		left = px[x]
		n := min(max(was+cutStep*(d-f[x]), 0), 1)
		bar[x] = 2*n - was
		u[x] = n
	}
}
