package quality

import (
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/face"
)

// Proportions of an average adult head, in eye distances. They turn offsets in
// the picture into angles; a particular nose errs by a quarter or so.
const (
	noseDepth = .40 // how far the nose tip stands before the plane of eyes and lips
	noseRatio = .55 // eyes to nose tip over eyes to lips, looking straight ahead

	// gazeTurn is the turn of the head, in degrees, that irises half an eye's width
	// off the middle make up for: on portraits of people who look into the camera
	// past their nose it was 90 to 190.
	gazeTurn = 100
	// lidsShut is the opening below which the irises are only guessed.
	lidsShut = .03
)

// pose measures the head's angles, in degrees. turned is how far the crop was
// turned clockwise on the way to the photo: roll is that of the photo.
//
// roll is positive when the head is turned clockwise in the picture (tilted to
// the student's own left shoulder), yaw when the nose points to the right of
// the picture (the student's own left), pitch when the chin is raised.
//
// gaze is where the eyes look, across, as a turn of the head that would look as
// far aside: whoever turns the head and looks into the camera has none. It needs
// open eyes and a mesh.
func (r *report) pose(f *face.Face, p *patch, turned float64) {
	if p == nil {
		for _, id := range []string{Roll, Yaw, Pitch, Gaze} {
			r.value(id, 0, false)
		}
		return
	}
	r.value(Roll, f.Roll()+turned, true)
	if s := p.face.Shape; s.Known {
		r.value(Yaw, s.Yaw, true)
		r.value(Pitch, s.Pitch, true)
		r.value(Gaze, s.Yaw+gazeTurn*s.GazeX, min(s.Lids[0], s.Lids[1]) > lidsShut && p.irisesSeen())
		return
	}
	// Without a mesh, by the proportions of an average head.
	q := p.points
	lips := face.Point{
		X: (q.mouthL.X + q.mouthR.X) / 2,
		Y: (q.upperLip.Y + q.lowerLip.Y) / 2,
	}
	// The midline runs from between the eyes (the origin) to the middle of the
	// mouth; both lie in about the same plane, the nose before it.
	axis := lips.X * q.nose.Y / max(lips.Y, .3)
	r.value(Yaw, math.Atan((q.nose.X-axis)/noseDepth)*180/math.Pi, true)
	// Raising the chin lifts the nose tip in the picture by its depth.
	s := (noseRatio - q.nose.Y/max(lips.Y, .3)) * max(lips.Y, .3) / noseDepth
	r.value(Pitch, math.Asin(min(max(s, -1), 1))*180/math.Pi, true)
	r.value(Gaze, 0, false)
}

// irisesSeen tells whether both eyes show something much darker than the skin
// around them: behind glare, in burnt-out light and in the dark irises are only
// guessed.
func (p *patch) irisesSeen() bool {
	for _, u := range [2]float64{-.5, .5} {
		var lid, around []float64
		p.box(u-.14, .17, u+.14, .27, func(i int) { lid = append(lid, float64(p.luma[i])) })
		p.box(u-.12, -.1, u+.12, .1, func(i int) { around = append(around, float64(p.luma[i])) })
		const darker = .6
		if len(lid) < 5 || len(around) < 5 || !(percentile(around, .1) < darker*percentile(lid, .5)) {
			return false
		}
	}
	return true
}

// resolution measures the distance between the pupils in frame pixels; scale is
// frame pixels per pixel of the picture that the faces were found in. Quality
// is OFIQ's 100σ(x; 70, 20).
func (r *report) resolution(faces []face.Face, scale float64) {
	if len(faces) == 0 {
		r.value(InterEyeDistance, 0, false)
		return
	}
	d := faces[0].IED() * scale
	r.value(InterEyeDistance, d, d > 0)
}
