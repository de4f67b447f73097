package matte

// How far a cut-out can be trusted is said before it is seen by anybody, so
// nothing here knows the truth: every doubt is a count of pixels of whom two
// witnesses say different things, or none says anything. Areas are in faces,
// the box's width times its height; docs/matting.md says how the limits were
// found.
const (
	// lostBody bounds the confidence when a shoulder has gone with the wall, or may
	// have: the check cutout warns from .5 down.
	lostBody = .4
	// likeWallArea is how much of the body may look just like the wall before
	// its contour is a guess: contrast below one per cent.
	likeWallArea = .1
	// betweenArea is how much of what lies below the chin but above the usual line of
	// the shoulders may: it is rather the wall between hair and shoulder.
	betweenArea = .005
	// hairDispute is the squared difference, times area, between what the hair's
	// pixels say for themselves and what their neighbours make of them. Grey hair
	// before grey, curls before a wall without colour.
	hairDispute = .0055
	// rimNoise is the variance, times area, that noise leaves to the rim of the
	// body: clothes of nearly the wall's colour.
	rimNoise = .0085
)

// doubt is 1 where there is none, ½ at the limit.
func doubt(v, limit float64) float64 { return 1 / (1 + v/limit*v/limit) }

// wallLike says whether too much of the mask below the chin looks like the wall.
func (c *cutter) wallLike() bool {
	if c.Method != MethodPlate {
		return false
	}
	var all, above float32
	for i, v := range c.mask {
		if v == 0 || c.core[i] != 0 || c.e[i] >= yesFrom || float32(i/c.w) <= c.chin {
			continue
		}
		all++
		if c.deep[i] < 0 {
			above++
		}
	}
	face := c.fw * c.fh
	return all > likeWallArea*face || above > betweenArea*face
}

// confidence is the segmentation's, lowered by what the band's pixels could not
// settle.
func (r *renderer) confidence() float64 {
	if r.Method != MethodPlate {
		return r.Confidence
	}
	var hair, rim float64
	for _, m := range r.mix {
		i := int(m.at)
		if r.kind[i] != pixelMixed {
			continue
		}
		if r.va[i] < knownVariance && r.res[i] < onTheLine {
			d := float64(r.alpha[i] - r.al[i])
			hair += d * d
		}
		if x, y := float32(i%r.w), float32(i/r.w); y >= r.chin+.1*r.fh || r.inFace(x, y) {
			rim += float64(min(r.va[i], .25)) // of an alpha that may be anything
		}
	}
	face := float64(r.fw * r.fh)
	return min(r.Confidence, doubt(hair/face, hairDispute), doubt(rim/face, rimNoise))
}

// inFace says whether an output pixel is of the face, where there is no hair.
func (r *renderer) inFace(x, y float32) bool {
	dx, dy := (x-r.cx)/(.5*r.fw), (y-r.fy-.5*r.fh)/(.55*r.fh)
	return dx*dx+dy*dy < 1
}
