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

// lines are the buffers to composite one row in; one per goroutine.
type lines struct {
	part  [2][]int32 // components of the row, 1<<levelBits a level
	cover []int32    // coverage of the row, 0 to coverOne
}

func newLines(w int) *lines {
	return &lines{part: [2][]int32{make([]int32, w), make([]int32, w)}, cover: make([]int32, w)}
}

// row composites row y: backdrop, shadow, person. scale is layer pixels to a
// frame pixel, depth that of the shadow.
func (l *layer) row(ln *lines, y int, p pose, scale, depth float64) {
	for c := range l.parts {
		line := ln.part[c][:l.w]
		for x, v := range l.backdrop[c][y*l.w : (y+1)*l.w] {
			line[x] = int32(v)
		}
	}
	clear(ln.cover[:l.w])
	if !p.present {
		return
	}
	l.shade(ln, y, p, scale, depth)
	l.cover(ln, y, p, scale)
}

// shade darkens row y by the shadow. The shadow follows the person in whole
// pixels; it is far too soft for less to show.
func (l *layer) shade(ln *lines, y int, p pose, scale, depth float64) {
	s := &l.shadow
	sy := y - int(s.origin[1])
	if sy < 0 || depth == 0 {
		return
	}
	sy = min(sy, s.h-1)
	left := int(math.Floor(s.origin[0] + (p.slide+p.sway/2)*scale))
	from, to := max(0, left), min(l.w, left+s.w)
	if from >= to {
		return
	}
	row := s.v[sy*s.w:][from-left : to-left]
	k := int32(depth * 65536 / 255)
	for c := range l.parts {
		line := ln.part[c][from:to][:len(row)]
		for x, v := range row {
			line[x] = (line[x]>>1*(65536-int32(v)*k) + 1<<14) >> 15
		}
	}
}

// cover lays the person over row y: bilinear, with fractions that are the same
// for the whole row, which sways more at the head and breathes at the chest.
func (l *layer) cover(ln *lines, y int, p pose, scale float64) {
	c := &l.person
	rel := min(max((float64(y)-c.origin[1])/(float64(l.h)-c.origin[1]), 0), 1) // 0 crown, 1 lower edge
	posY := float64(y) - c.origin[1] - p.breath*scale*(0.3+0.7*rel)
	iy := int(math.Floor(posY))
	if iy < 0 {
		return
	}
	fy := int32((posY - float64(iy)) * coverOne)
	r0, r1 := min(iy, c.h-1), min(iy+1, c.h-1)

	posX := c.origin[0] + (p.slide+p.sway*(1-0.65*rel))*scale
	left := int(math.Floor(posX)) // frame column of the cut-out's column 0
	fx := int32((posX - float64(left)) * coverOne)
	s0, s1 := c.spans[r0], c.spans[r1]
	first, end := min(s0[0], s1[0]), max(s0[1], s1[1])
	if s0[1] == 0 {
		first = s1[0]
	} else if s1[1] == 0 {
		first = s0[0]
	}
	if end == 0 {
		return
	}
	// Column x of the frame shows columns x-left-1 and x-left of the cut-out,
	// in proportion fx to 1-fx.
	from, to := max(0, left+int(first)), min(l.w, left+int(end)+1)
	if from >= to {
		return
	}
	n := to - from
	at := from - left - 1
	a0, a1 := c.cover[r0*c.w+at:][:n+1], c.cover[r1*c.w+at:][:n+1]
	gy := coverOne - fy
	gx := coverOne - fx
	cover := ln.cover[from:to][:n]
	prev := int32(a0[0])*gy + int32(a1[0])*fy
	for x := range cover {
		cur := int32(a0[x+1])*gy + int32(a1[x+1])*fy
		cover[x] = (prev*fx + cur*gx + 1<<15) >> 16
		prev = cur
	}
	for k := range l.parts {
		p0, p1 := c.parts[k][r0*c.w+at:][:n+1], c.parts[k][r1*c.w+at:][:n+1]
		line := ln.part[k][from:to][:n]
		prev := int32(p0[0])*gy + int32(p1[0])*fy
		for x := range line {
			cur := int32(p0[x+1])*gy + int32(p1[x+1])*fy
			v := (prev*fx + cur*gx) >> 16
			line[x] = v + (line[x]*(coverOne-cover[x])+coverOne/2)>>8
			prev = cur
		}
	}
}

// noiseRow is the noise of component c in row y of the frame that key names.
func (l *layer) noiseRow(key uint64, c, y int) []int16 {
	start := mix(key^uint64(c)<<32^uint64(y)) % uint64(len(l.noise)/2)
	return l.noise[start:][:l.w]
}

// develop turns one component of a row into bytes: exposure, sensor noise,
// range.
func (l *layer) develop(dst []uint8, line []int32, gain int32, noise []int16) {
	noise = noise[:len(dst)]
	line = line[:len(dst)]
	half := l.bias<<levelBits + levelOne/2
	for x := range dst {
		v := (line[x]*gain>>gainBits + int32(noise[x]) + half) >> levelBits
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
