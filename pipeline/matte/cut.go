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
}

const cutStep = .35

// iterate runs the given number of passes from the present state. Row y's
// duals need only the old masks of rows y and y+1, so one sweep updates the
// duals of a row and then its mask.
func (c *cutField) iterate(passes int) {
	w, h := c.w, c.h
	copy(c.bar, c.u)
	for range passes {
		for y := range h {
			o := y * w
			u, bar := c.u[o:o+w], c.bar[o:o+w]
			px, py := c.px[o:o+w], c.py[o:o+w]
			wx, f := c.wx[o:o+w], c.f[o:o+w]
			if y+1 < h {
				next := c.bar[o+w : o+2*w]
				wy, down := c.wy[o:o+w], c.down[o:o+w]
				for x := range py {
					v := py[x] + cutStep*(next[x]-bar[x])
					if v > wy[x] {
						v = wy[x]
					}
					if v < -down[x] {
						v = -down[x]
					}
					py[x] = v
				}
			}
			for x := 0; x+1 < w; x++ {
				v := px[x] + cutStep*(bar[x+1]-bar[x])
				k := wx[x]
				if v > k {
					v = k
				}
				if v < -k {
					v = -k
				}
				px[x] = v
			}
			above := c.py[max(o-w, 0):]
			var left float32
			for x := range u {
				d := px[x] + py[x] - left
				if y > 0 {
					d -= above[x]
				}
				left = px[x]
				n := u[x] + cutStep*(d-f[x])
				if n < 0 {
					n = 0
				}
				if n > 1 {
					n = 1
				}
				bar[x] = 2*n - u[x]
				u[x] = n
			}
		}
	}
}
