package scene

import "math"

// pose is where everything is at one moment.
type pose struct {
	present bool    // is there anything of the person to draw
	slide   float64 // frame pixels to the right of the place to sit
	sway    float64 // frame pixels to the right, of the head
	breath  float64 // frame pixels down, of the chest
	gain    int32   // exposure, 1<<gainBits = 1
}

// The rhythms of a person who tries to sit still, in seconds; no two share a
// factor, so that the movement does not visibly repeat.
const (
	swaySlow   = 5.3
	swayFast   = 2.9
	breathing  = 4.1
	driftSlow  = 17.0
	swayPart   = 2.0 // pixels at 1080 lines
	breathPart = 1.4
)

func (b *Booth) poseAt(t float64, slide float64, present bool) pose {
	p := pose{present: present, slide: slide, gain: 1 << gainBits}
	if !b.o.Still {
		unit := float64(b.o.Height) / 1080
		p.sway = unit * swayPart * (math.Sin(2*math.Pi*t/swaySlow) + 0.4*math.Sin(2*math.Pi*t/swayFast+1))
		p.breath = unit * breathPart * math.Sin(2*math.Pi*t/breathing)
	}
	p.gain = int32(math.Round((1 + b.o.Drift*math.Sin(2*math.Pi*t/driftSlow)) * (1 << gainBits)))
	return p
}

// lines are the buffers to composite one row in; one per goroutine. They hold
// the row only between the columns that row returns; beside them the row is
// bare backdrop.
type lines struct {
	part  [2][]int16 // components of the row, 1<<levelBits a level
	cover []int32    // coverage of the row, 0 to coverOne
}

func newLines(w int) *lines {
	return &lines{part: [2][]int16{make([]int16, w), make([]int16, w)}, cover: make([]int32, w)}
}

// row composites row y, backdrop, shadow and person, where there is more than
// backdrop: in the columns it returns, the last one excluded. scale is layer pixels to a frame
// pixel, depth that of the shadow.
func (l *layer) row(ln *lines, y int, p pose, scale, depth float64) (from, to int) {
	if !p.present {
		return 0, 0
	}
	s := l.spread(y, p, scale)
	shadow, shadowFrom, shadowTo := l.shadowRow(y, p, scale)
	if depth == 0 {
		shadowTo = shadowFrom
	}
	switch {
	case s.from >= s.to:
		from, to = shadowFrom, shadowTo
	case shadowFrom >= shadowTo:
		from, to = s.from, s.to
	default:
		from, to = min(s.from, shadowFrom), max(s.to, shadowTo)
	}
	if from >= to {
		return 0, 0
	}
	for c := range l.parts {
		copy(ln.part[c][from:to], l.backdrop[c][y*l.w:][from:to])
		if shadowFrom < shadowTo { // but not where the person hides it
			a := min(max(s.solidFrom, shadowFrom), shadowTo)
			b := min(max(s.solidTo, a), shadowTo)
			shade(ln.part[c][shadowFrom:a], shadow[:a-shadowFrom], depth)
			shade(ln.part[c][b:shadowTo], shadow[b-shadowFrom:], depth)
		}
	}
	clear(ln.cover[from:to])
	if s.from < s.to {
		l.person.fillCover(ln.cover, s)
		for c := range l.parts {
			l.person.lay(ln.part[c], ln.cover, c, s)
		}
	}
	return from, to
}

// whole composites all of row y, for a layer at the frame's resolution.
func (l *layer) whole(ln *lines, y int, p pose, depth float64) {
	from, to := l.row(ln, y, p, 1, depth)
	clear(ln.cover[:from])
	clear(ln.cover[to:])
	for c := range l.parts {
		backdrop := l.backdrop[c][y*l.w:][:l.w]
		copy(ln.part[c][:from], backdrop)
		copy(ln.part[c][to:], backdrop[to:])
	}
}

// shadowRow is the part of the shadow that falls on row y, and the columns it
// falls on. It follows the person in whole pixels; it is far too soft for less
// to show.
func (l *layer) shadowRow(y int, p pose, scale float64) (row []uint8, from, to int) {
	s := &l.shadow
	sy := min(y-int(s.origin[1]), s.h-1)
	if sy < 0 {
		return nil, 0, 0
	}
	left := int(math.Floor(s.origin[0] + (p.slide+p.sway/2)*scale))
	from, to = max(0, left), min(l.w, left+s.w)
	if from >= to {
		return nil, 0, 0
	}
	return s.v[sy*s.w:][from-left : to-left], from, to
}

// shade darkens line by the shadow.
func shade(line []int16, shadow []uint8, depth float64) {
	line = line[:len(shadow)]
	k := int32(depth * 65536 / 255)
	for x, v := range shadow {
		line[x] = int16((int32(line[x])*(32768-int32(v)*k>>1) + 1<<14) >> 15)
	}
}

// spread is where and how the person lies over one row: bilinear, with
// fractions that are the same for the whole row.
type spread struct {
	from, to           int   // columns of the frame
	solidFrom, solidTo int   // of them, those that are covered in full
	top, bottom        int   // offsets in the cut-out of what column from shows, less one
	fx, fy             int32 // how far to the left and up it is moved, of coverOne
}

// spread places the person on row y. The head sways more than the chest, the
// chest breathes more than the head.
func (l *layer) spread(y int, p pose, scale float64) (s spread) {
	c := &l.person
	rel := min(max((float64(y)-c.origin[1])/(float64(l.h)-c.origin[1]), 0), 1) // 0 crown, 1 lower edge
	posY := float64(y) - c.origin[1] - p.breath*scale*(0.3+0.7*rel)
	iy := int(math.Floor(posY))
	if iy < 0 {
		return spread{}
	}
	s.fy = int32((posY - float64(iy)) * coverOne)
	r0, r1 := min(iy, c.h-1), min(iy+1, c.h-1)
	a, b := c.spans[r0], c.spans[r1]
	switch {
	case a.to == 0 && b.to == 0:
		return spread{}
	case a.to == 0:
		a.from = b.from
	case b.to == 0:
		b.from = a.from
	}
	from, to := min(a.from, b.from), max(a.to, b.to)

	posX := c.origin[0] + (p.slide+p.sway*(1-0.65*rel))*scale
	left := int(math.Floor(posX)) // column of the frame where the cut-out's first belongs
	s.fx = int32((posX - float64(left)) * coverOne)
	// Column x shows columns x-left-1 and x-left of the cut-out, in proportion
	// fx to coverOne-fx.
	s.from, s.to = max(0, left+from), min(l.w, left+to+1)
	if s.from >= s.to {
		return spread{}
	}
	s.solidFrom = min(max(left+max(a.solidFrom, b.solidFrom)+1, s.from), s.to)
	s.solidTo = max(min(left+min(a.solidTo, b.solidTo), s.to), s.solidFrom)
	s.top, s.bottom = r0*c.w+s.from-left-1, r1*c.w+s.from-left-1
	return s
}

// fillCover fills in the person's coverage.
func (c *cutout) fillCover(line []int32, s spread) {
	soft := func(from, to int) {
		n := to - from
		a := c.cover[s.top+from-s.from:][:n+1]
		b := c.cover[s.bottom+from-s.from:][:n+1]
		line := line[from:to][:n]
		gx, gy := coverOne-s.fx, coverOne-s.fy
		prev := int32(a[0])*gy + int32(b[0])*s.fy
		for x := range line {
			cur := int32(a[x+1])*gy + int32(b[x+1])*s.fy
			line[x] = (prev*s.fx + cur*gx + 1<<15) >> 16
			prev = cur
		}
	}
	soft(s.from, s.solidFrom)
	for x := s.solidFrom; x < s.solidTo; x++ {
		line[x] = coverOne
	}
	soft(s.solidTo, s.to)
}

// lay composites component k of the person over line, which is filled with
// backdrop, given the coverage.
func (c *cutout) lay(line []int16, cover []int32, k int, s spread) {
	gx, gy := coverOne-s.fx, coverOne-s.fy
	soft := func(from, to int) {
		n := to - from
		a := c.parts[k][s.top+from-s.from:][:n+1]
		b := c.parts[k][s.bottom+from-s.from:][:n+1]
		line, cover := line[from:to][:n], cover[from:to][:n]
		prev := int32(a[0])*gy + int32(b[0])*s.fy
		for x := range line {
			cur := int32(a[x+1])*gy + int32(b[x+1])*s.fy
			line[x] = int16((prev*s.fx+cur*gx)>>16 + (int32(line[x])*(coverOne-cover[x])+coverOne/2)>>8)
			prev = cur
		}
	}
	soft(s.from, s.solidFrom)
	soft(s.solidTo, s.to)

	from, to := s.solidFrom, s.solidTo
	n := to - from
	a := c.parts[k][s.top+from-s.from:][:n+1]
	b := c.parts[k][s.bottom+from-s.from:][:n+1]
	line = line[from:to][:n]
	prev := int32(a[0])*gy + int32(b[0])*s.fy
	for x := range line {
		cur := int32(a[x+1])*gy + int32(b[x+1])*s.fy
		line[x] = int16((prev*s.fx + cur*gx) >> 16)
		prev = cur
	}
}

// noiseRow is the noise of component c in row y of the frame that key names.
func (l *layer) noiseRow(key uint64, c, y int) []int16 {
	start := mix(key^uint64(c)<<32^uint64(y)) % uint64(len(l.noise)/2)
	return l.noise[start:][:l.w]
}

// expose turns component c of row y into bytes: what row composited between
// from and to, backdrop beside it.
func (l *layer) expose(dst []uint8, ln *lines, c, y, from, to int, gain int32, noise []int16) {
	backdrop := l.backdrop[c][y*l.w:][:l.w]
	develop(dst[:from], backdrop[:from], gain, noise)
	develop(dst[from:to], ln.part[c][from:to], gain, noise[from:])
	develop(dst[to:], backdrop[to:], gain, noise[to:])
}

// develop adds exposure and sensor noise and keeps the range.
func develop(dst []uint8, line []int16, gain int32, noise []int16) {
	noise = noise[:len(dst)]
	line = line[:len(dst)]
	for x := range dst {
		v := (int32(line[x])*gain>>gainBits + int32(noise[x])) >> levelBits
		if uint32(v) > 255 {
			v = ^(v >> 31) & 255
		}
		dst[x] = uint8(v)
	}
}

// mix is a strong hash of a row's number within a run (splitmix64), so that
// noise depends on nothing but the seed, the frame and the row.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
