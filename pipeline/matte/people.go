package matte

import (
	"image"
	"math"
)

// People tells where somebody is in a picture, from what people look like and
// not from what the backdrop does: the one thing that a plate cannot say. dst
// holds PeopleSide² values, 0..1, a grid stretched over the whole of m.
type People interface {
	Person(m *image.RGBA, dst []float32) error
}

// PeopleSide is the side of the grid that People answers with.
const PeopleSide = 256

// How much a guess of People may weigh, in energy units of the cut, where the
// person stands out from the wall as little as the noise, and where clearly. At
// full contrast it moves no contour that the plate sees.
const (
	peopleWeak   = 6
	peopleStrong = .5
	peopleSure   = .9 // of a guess that the light fit heeds
	peopleBare   = 20 // without a plate: more than any evidence
)

// The evidence at which People's yes begins to count, a little above what noise
// alone makes, and at which it counts in full.
const (
	yesFrom = 1
	yesFull = 5
)

// askPeople fills c.people with −1 (surely nobody) .. 1 (surely somebody) of
// every working pixel, in plane, or leaves it nil. What it says is soft knowledge: a
// network that fails is as good as none.
func (c *cutter) askPeople(p People, grid, plane []float32) {
	x0, y0 := int(c.area.X), int(c.area.Y)
	x1, y1 := int(math.Ceil(c.area.X+c.area.W)), int(math.Ceil(c.area.Y+c.area.H))
	part := image.Rect(x0, y0, x1, y1).Intersect(c.frame.Rect)
	if part.Empty() {
		return
	}
	m := *c.frame
	m.Pix, m.Rect = m.Pix[m.PixOffset(part.Min.X, part.Min.Y):], part
	if p.Person(&m, grid) != nil {
		return
	}
	c.people = plane
	kx, ky := PeopleSide/float64(part.Dx()), PeopleSide/float64(part.Dy())
	for y := range c.h {
		gy := (c.frameY(float64(y))-float64(part.Min.Y))*ky - .5
		for x := range c.w {
			gx := (c.frameX(float64(x))-float64(part.Min.X))*kx - .5
			c.people[y*c.w+x] = 2*lerp(grid, PeopleSide, PeopleSide, gx, gy) - 1
		}
	}
}

// somebody is what People said of a pixel, 0 when nobody was asked. Above the
// shoulders, where hair leaves gaps that look like somebody to a network, only
// its no counts.
func (c *cutter) somebody(i int) float32 {
	if c.people == nil {
		return 0
	}
	v := c.people[i]
	if v > 0 {
		v *= clamp01(.2 + 1.5*c.deep[i])
	}
	return v
}

// vote is how much of somebody counts in a round of the cut. A yes needs some
// evidence of the plate's own: to a network, what hangs between the tips of the
// hair and a shoulder is one body, though the plate plainly shows the wall
// there. A no, and a yes before the light is fitted, needs none.
func (c *cutter) vote(i, round int) float32 {
	v := c.somebody(i)
	if v > 0 && round > 0 && c.Method == MethodPlate {
		v *= clamp01((c.e[i] - yesFrom) / (yesFull - yesFrom))
	}
	return v
}

// weightOfPeople is the energy that People's word at a pixel is worth.
func (c *cutter) weightOfPeople(weak bool) float32 {
	switch {
	case c.Method == MethodFrame:
		return peopleBare
	case weak:
		return peopleWeak
	}
	return peopleStrong
}

// disputed says whether the mask, where the person stands out weakly, leaves out
// a connected area where People is sure of somebody: wall between hair and
// shoulder that looks like a body, or a sleeve of the wall's own colour. Which of
// the two it is, neither knows. Beside clear contrast the plate does know: a loop
// of an arm. The opposite, a body that People misses, is no sign: it misses many.
func (c *cutter) disputed() bool {
	if c.people == nil || c.Method != MethodPlate {
		return false
	}
	out := c.mtmp3
	for i, v := range c.people { // contrast is 0 where no part of the person is near
		out[i] = b2u(v > peopleSure && c.mask[i] == 0 && c.local[i] > 0 && c.local[i] < weakBelow)
	}
	shrink(out, out, c.mtmp2, c.w, c.h, disputeRim)
	c.blobs = components(c.label, c.stack, c.blobs, out, c.w, c.h, false)
	for _, b := range c.blobs {
		if float32(b.area) > disputeArea*c.fw*c.fh {
			return true
		}
	}
	return false
}

// A network's contour is a few pixels off: disputeRim working pixels from the
// mask and from its own contour nothing is in dispute. What remains counts from
// disputeArea of the face's box on: then a square of a tenth of a face is in it.
const (
	disputeRim  = 3
	disputeArea = .0015
)

// hush takes away evidence where there is surely nobody, for a backdrop that was
// guessed: what hangs on the wall differs from it as clearly as hair does.
func (c *cutter) hush() {
	if c.people == nil {
		return
	}
	for i, v := range c.people {
		if v < -peopleSure {
			c.e[i] = min(c.e[i], 0)
		}
	}
}

// seedPeople sharpens the labels of GrabCut, a picture of w×h, by where
// somebody is.
func (c *cutter) seedPeople(labels []uint8, w, h int) {
	if c.people == nil {
		return
	}
	kx, ky := float64(c.w)/float64(w), float64(c.h)/float64(h)
	for y := range h {
		for x := range w {
			v := lerp(c.people, c.w, c.h, (float64(x)+.5)*kx-.5, (float64(y)+.5)*ky-.5)
			l := &labels[y*w+x]
			switch {
			case v < -peopleSure:
				*l = grabBack
			case v > peopleSure:
				*l = grabPerson
			case v > 0:
				*l = grabMaybePerson
			default:
				*l = grabMaybeBack
			}
		}
	}
}
