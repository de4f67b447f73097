package pipeline

import (
	"image"
	"math"

	"github.com/yunzhao-station/yunzhao/pipeline/face"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// What turning a tilted head upright is good for, in degrees: less is not seen,
// more shows in the shoulders.
const (
	leastTurn = .5
	mostTurn  = 12
)

// uprightTurn is how far a picture must be turned clockwise to level the eyes;
// 0 when it should stay as it is.
func uprightTurn(f *face.Face) float64 {
	if r := math.Abs(f.Roll()); r < leastTurn || r > mostTurn {
		return 0
	}
	return -f.Roll()
}

func rotate(x, y, degrees float64) (float64, float64) {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return x*cos - y*sin, x*sin + y*cos
}

// turned is the head in a picture that is turned clockwise about the middle of
// the eyes. The crown stays as far above them as it was.
func (h head) turned(f *face.Face, degrees float64) head {
	e := f.EyeMid()
	if _, dy := rotate(f.Chin.X-e.X, f.Chin.Y-e.Y, degrees); degrees != 0 && dy > 0 {
		h.chinY = h.eyeY + dy
	}
	return h
}

// unturn maps a point of a picture that is turned about pivot back to the frame.
func unturn(pivot face.Point, x, y, degrees float64) (float64, float64) {
	dx, dy := rotate(x-pivot.X, y-pivot.Y, -degrees)
	return pivot.X + dx, pivot.Y + dy
}

// enclose is the upright rectangle around a turned one.
func enclose(w, h, degrees float64) (float64, float64) {
	sin, cos := math.Sincos(math.Abs(degrees) * math.Pi / 180)
	return w*cos + h*sin, w*sin + h*cos
}

// room is the part of the frame in which an upright crop may lie so that its
// turned corners stay inside.
func (h head) room(s *spec.Spec, frame bounds, degrees float64) bounds {
	if degrees == 0 {
		return frame
	}
	_, _, w, hgt := h.rect(h.choose(s, frame, s.MaxUpscale), s.Width, s.Height)
	ew, eh := enclose(w, hgt, degrees)
	dx, dy := (ew-w)/2, (eh-hgt)/2
	if frame.right-frame.left < 2*dx+w/2 || frame.bottom-frame.top < 2*dy+hgt/2 {
		return frame
	}
	return bounds{frame.left + dx, frame.top + dy, frame.right - dx, frame.bottom - dy}
}

// turnPixels resamples the middle w×h pixels of a picture turned clockwise
// about its centre, bilinearly. channels is how many bytes a pixel has.
func turnPixels(src []uint8, stride, channels int, size image.Point, w, h int, degrees float64) []uint8 {
	out := make([]uint8, w*h*channels)
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	cx, cy := float64(size.X)/2-.5, float64(size.Y)/2-.5
	for y := range h {
		for x := range w {
			dx, dy := float64(x)+.5-float64(w)/2, float64(y)+.5-float64(h)/2
			u := min(max(cx+dx*cos+dy*sin, 0), float64(size.X-1))
			v := min(max(cy-dx*sin+dy*cos, 0), float64(size.Y-1))
			x0, y0 := min(int(u), max(size.X-2, 0)), min(int(v), max(size.Y-2, 0))
			fx, fy := u-float64(x0), v-float64(y0)
			x1, y1 := min(x0+1, size.X-1), min(y0+1, size.Y-1)
			for c := range channels {
				a, b := float64(src[y0*stride+x0*channels+c]), float64(src[y0*stride+x1*channels+c])
				d, e := float64(src[y1*stride+x0*channels+c]), float64(src[y1*stride+x1*channels+c])
				top, low := a+(b-a)*fx, d+(e-d)*fx
				out[(y*w+x)*channels+c] = uint8(top + (low-top)*fy + .5)
			}
		}
	}
	return out
}
