package quality

import (
	"math"
)

// background measures the backdrop as the camera saw it, on the untouched cut.
//
// background_uniform is OFIQ's quality from the mean Sobel magnitude of the
// luminance, or less where large flat things stand out from the wall, which have
// few edges; background_shadow the deepest dip of light next to the person, in
// percent of what the empty backdrop shows there; subject_contrast the
// CIEDE2000 difference between the person's rim and the backdrop behind it,
// of the tenth of the rim that differs least.
func (o *output) background(r *report) {
	if o.cut == nil || o.alpha == nil {
		r.value(BackgroundUniform, 0, false)
		r.value(BackgroundShadow, 0, false)
		r.value(SubjectContrast, 0, false)
		return
	}
	sobel, ok := o.sobel()
	uniform := min(190*(1-sigmoid(sobel, 10, 100)), 100)
	if rough, ok := o.roughness(); ok {
		// 50 where a fifth of the wall is off by more than plainWall.
		uniform = min(uniform, 50*plainWall/max(rough, .01))
	}
	r.quality(BackgroundUniform, uniform, sobel, ok)
	shadow, ok := o.shadow()
	r.value(BackgroundShadow, shadow, ok)
	contrast, ok := o.rim()
	r.value(SubjectContrast, contrast, ok)
}

// OFIQ looks at the background at this size.
const sobelW, sobelH = 292, 354

// sobel is the mean Sobel magnitude of linear luminance, 0..255, over the
// background a few pixels away from the person.
func (o *output) sobel() (float64, bool) {
	lum := make([]float32, sobelW*sobelH)
	free := make([]bool, sobelW*sobelH)
	lin := linear()
	for y := range sobelH {
		y0, y1 := y*o.h/sobelH, max((y+1)*o.h/sobelH, y*o.h/sobelH+1)
		for x := range sobelW {
			x0, x1 := x*o.w/sobelW, max((x+1)*o.w/sobelW, x*o.w/sobelW+1)
			var sum float32
			n, a := 0, uint8(0)
			for j := y0; j < y1; j++ {
				for i := x0; i < x1; i++ {
					q := o.cut.Pix[j*o.cut.Stride+4*i:]
					sum += .2126*lin[q[0]] + .7152*lin[q[1]] + .0722*lin[q[2]]
					a = max(a, o.alpha[j*o.w+i])
					n++
				}
			}
			lum[y*sobelW+x] = sum / float32(n) * 255
			free[y*sobelW+x] = a < 8
		}
	}
	dist := distance(free, sobelW, sobelH)
	const away = 5
	sum, n := 0.0, 0
	for y := 1; y < sobelH-1; y++ {
		for x := 1; x < sobelW-1; x++ {
			i := y*sobelW + x
			if dist[i] < away {
				continue
			}
			at := func(dx, dy int) float64 { return float64(lum[i+dy*sobelW+dx]) }
			gx := at(1, -1) + 2*at(1, 0) + at(1, 1) - at(-1, -1) - 2*at(-1, 0) - at(-1, 1)
			gy := at(-1, 1) + 2*at(0, 1) + at(1, 1) - at(-1, -1) - 2*at(0, -1) - at(1, -1)
			sum += math.Hypot(gx, gy)
			n++
		}
	}
	return sum / float64(max(n, 1)), n > sobelW*sobelH/100
}

// plainWall is how far, in CIELAB units, wall may be off the smooth fall of its
// light: cloth folds and soft shadows stay below.
const plainWall = 7.0

// roughness is how far the worst fifth of the backdrop is off a lamp's smooth
// light: off the quadratic surface through its lightness, and off its mean
// colour, in CIELAB units.
func (o *output) roughness() (float64, bool) {
	const basis = 6
	k := shadowCell
	type spot struct {
		f [basis]float64
		c lab
	}
	var spots []spot
	for y := 0; y+k <= o.h; y += k {
	next:
		for x := 0; x+k <= o.w; x += k {
			for j := y; j < y+k; j++ {
				for _, a := range o.alpha[j*o.w+x : j*o.w+x+k] {
					if a >= 8 {
						continue next
					}
				}
			}
			u, v := float64(x)/float64(o.w)-.5, float64(y)/float64(o.h)-.5
			spots = append(spots, spot{[basis]float64{1, u, v, u * u, u * v, v * v}, cellLab(o.cut, x, y, k)})
		}
	}
	if len(spots) < 5*basis {
		return 0, false
	}
	var m [basis][basis + 1]float64
	var a, b float64
	for _, s := range spots {
		for i, p := range s.f {
			for j, q := range s.f {
				m[i][j] += p * q
			}
			m[i][basis] += p * s.c.l
		}
		a, b = a+s.c.a, b+s.c.b
	}
	fit, ok := solve(m)
	if !ok {
		return 0, false
	}
	a, b = a/float64(len(spots)), b/float64(len(spots))
	off := make([]float64, len(spots))
	for i, s := range spots {
		l := s.c.l
		for j, p := range s.f {
			l -= fit[j] * p
		}
		off[i] = math.Hypot(l, math.Hypot(s.c.a-a, s.c.b-b))
	}
	return percentile(off, .8), true
}

// solve finds the solution of a linear system by elimination with row pivots;
// ok is false when it has none.
func solve(m [6][7]float64) (x [6]float64, ok bool) {
	for c := range 6 {
		pivot := c
		for r := c + 1; r < 6; r++ {
			if math.Abs(m[r][c]) > math.Abs(m[pivot][c]) {
				pivot = r
			}
		}
		if math.Abs(m[pivot][c]) < 1e-9 {
			return x, false
		}
		m[c], m[pivot] = m[pivot], m[c]
		for r := range 6 {
			if r != c {
				k := m[r][c] / m[c][c]
				for j := c; j < 7; j++ {
					m[r][j] -= k * m[c][j]
				}
			}
		}
	}
	for i := range x {
		x[i] = m[i][6] / m[i][i]
	}
	return x, true
}

// distance is the chessboard-and-diagonal (3–4 chamfer) distance of every free
// pixel to the nearest one that is not, in pixels, at most 255.
func distance(free []bool, w, h int) []float32 {
	const inf = 255 * 3
	d := make([]int, w*h)
	for i, f := range free {
		if f {
			d[i] = inf
		}
	}
	for y := range h {
		for x := range w {
			i := y*w + x
			if x > 0 {
				d[i] = min(d[i], d[i-1]+3)
			}
			if y > 0 {
				d[i] = min(d[i], d[i-w]+3)
				if x > 0 {
					d[i] = min(d[i], d[i-w-1]+4)
				}
				if x < w-1 {
					d[i] = min(d[i], d[i-w+1]+4)
				}
			}
		}
	}
	out := make([]float32, w*h)
	for y := h - 1; y >= 0; y-- {
		for x := w - 1; x >= 0; x-- {
			i := y*w + x
			if x < w-1 {
				d[i] = min(d[i], d[i+1]+3)
			}
			if y < h-1 {
				d[i] = min(d[i], d[i+w]+3)
				if x > 0 {
					d[i] = min(d[i], d[i+w-1]+4)
				}
				if x < w-1 {
					d[i] = min(d[i], d[i+w+1]+4)
				}
			}
			out[i] = float32(d[i]) / 3
		}
	}
	return out
}

// shadowCell is the side, in output pixels, of the squares that light is
// compared over.
const shadowCell = 8

// shadow is the largest low-frequency loss of light next to the person, in
// percent, against the plate and relative to the backdrop further away.
func (o *output) shadow() (float64, bool) {
	if o.plate == nil || !o.hasFace {
		return 0, false
	}
	gw, gh := o.w/shadowCell, o.h/shadowCell
	if gw < 8 || gh < 8 {
		return 0, false
	}
	free := make([]bool, gw*gh)
	ratio := make([]float64, gw*gh)
	var mistaken []float64
	for gy := range gh {
		for gx := range gw {
			x, y := gx*shadowCell, gy*shadowCell
			lo, hi := uint8(255), uint8(0)
			for j := y; j < y+shadowCell; j++ {
				for _, a := range o.alpha[j*o.w+x : j*o.w+x+shadowCell] {
					lo, hi = min(lo, a), max(hi, a)
				}
			}
			i := gy*gw + gx
			switch {
			case hi < 8:
				ratio[i], _, free[i] = o.dimmed(x, y)
			case lo >= 64 && o.besideHead(x+shadowCell/2, y+shadowCell/2):
				if r, plain, ok := o.dimmed(x, y); ok && plain && r > .4 && r < .97 {
					mistaken = append(mistaken, r)
				}
			}
		}
	}
	dist := distance(free, gw, gh)
	near := .9 * o.ied / shadowCell
	var ring, far []float64
	for i, f := range free {
		switch {
		case !f:
		case float64(dist[i]) <= near:
			ring = append(ring, ratio[i])
		default:
			far = append(far, ratio[i])
		}
	}
	if len(ring) < 12 {
		return 0, false
	}
	// The backdrop far from the person tells the exposure; with little of it in
	// the picture, the bright end of what there is.
	ref := percentile(append(append([]float64{}, ring...), far...), .85)
	if len(far) >= 20 {
		ref = max(percentile(far, .5), .9*ref)
	}
	if !(ref > 0) {
		return 0, false
	}
	// A hard shadow beside the head may have been cut out with the person, where
	// it hides from the rest of this measure and spoils the portrait.
	if len(mistaken) >= 6 {
		ring = append(ring, mistaken...)
	}
	return max(100*(1-percentile(ring, .04)/ref), 0), true
}

// besideHead tells whether a point lies at the height of the head and further
// out than ears are.
func (o *output) besideHead(x, y int) bool {
	return float64(y) > o.eyes.Y-1.6*o.ied && float64(y) < o.chinY-.2*o.ied && math.Abs(float64(x)-o.eyes.X) > 1.2*o.ied
}

// dimmed is the light in a cell over what the plate has there; plain tells
// whether the cell is the backdrop's colour and as smooth, only darker.
func (o *output) dimmed(x, y int) (ratio float64, plain, ok bool) {
	lin := linear()
	var cut, plate [3]float64
	var sum, sq float64
	for j := y; j < y+shadowCell; j++ {
		c := o.cut.Pix[j*o.cut.Stride+4*x:]
		p := o.plate.Pix[j*o.plate.Stride+4*x:]
		for i := 0; i < 4*shadowCell; i += 4 {
			for ch := range 3 {
				cut[ch] += float64(lin[c[i+ch]])
				plate[ch] += float64(lin[p[i+ch]])
			}
			l := float64(lin[c[i+1]])
			sum += l
			sq += l * l
		}
	}
	const n = shadowCell * shadowCell
	light := luminance(plate[0], plate[1], plate[2])
	if light < .002*n || min(plate[0], plate[1], plate[2]) <= 0 {
		return 0, false, false
	}
	lo, hi := math.Inf(1), 0.0
	for ch := range 3 {
		r := cut[ch] / plate[ch]
		lo, hi = min(lo, r), max(hi, r)
	}
	mean := sum / n
	deviation := math.Sqrt(max(sq/n-mean*mean, 0))
	return luminance(cut[0], cut[1], cut[2]) / light, hi-lo < .08*hi && deviation < .1*mean, true
}

// rim compares the outermost band of the person with the backdrop behind it:
// the plate where there is one, else the nearest clear backdrop beside it.
func (o *output) rim() (float64, bool) {
	k := o.cellSize()
	band := k + max(k/2, 2)
	var ds []float64
	compare := func(x, y, dx, dy int) {
		// A cell just inside, a cell just outside, along (dx, dy) to the inside.
		ix, iy := x+dx*band-k/2, y+dy*band-k/2
		bx, by := x-dx*band-k/2, y-dy*band-k/2
		ok := func(x, y int) bool { return x >= 0 && y >= 0 && x+k <= o.w && y+k <= o.h }
		if !ok(ix, iy) || o.alpha[(iy+k/2)*o.w+ix+k/2] < 250 {
			return
		}
		var back lab
		switch {
		case o.plate != nil:
			back = cellLab(o.plate, ix, iy, k)
		case ok(bx, by) && o.alpha[(by+k/2)*o.w+bx+k/2] < 5:
			back = cellLab(o.cut, bx, by, k)
		default:
			return
		}
		ds = append(ds, deltaE00(cellLab(o.cut, ix, iy, k), back))
	}
	for y := k; y < o.h-k; y += k {
		x0, x1, ok := o.span(y)
		if !ok {
			continue
		}
		if x0 > 0 {
			compare(x0, y, 1, 0)
		}
		if x1 < o.w-1 {
			compare(x1, y, -1, 0)
		}
	}
	for x := k; x < o.w-k; x += k {
		for y := 1; y < o.h; y++ {
			if o.alpha[y*o.w+x] >= 128 {
				if o.alpha[(y-1)*o.w+x] < 128 {
					compare(x, y, 0, 1)
				}
				break
			}
		}
	}
	if len(ds) < 20 {
		return 0, false
	}
	return percentile(ds, .1), true
}
