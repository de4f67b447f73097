package v4l2

import (
	"cmp"
	"slices"

	"github.com/yunzhao-station/yunzhao/camera"
)

// usableFPS is the slowest rate at which a student can be coached.
const usableFPS = 10

// Choose picks the mode of those offered that comes closest to want. In this
// order:
//
//  1. at least 10 fps, so that coaching is live (an untold rate passes);
//  2. not larger than wanted, and of those the largest; else the smallest
//     there is;
//  3. the rate, up to the one wanted;
//  4. the format wanted, which at equal size and rate saves USB or decoding;
//  5. the slower rate of those above the one wanted;
//  6. the order of the device.
//
// It returns false when nothing is offered. Zero fields of want mean MJPEG
// 1920×1080 at 30 fps.
func Choose(offered []camera.Mode, want camera.Mode) (camera.Mode, bool) {
	if len(offered) == 0 {
		return camera.Mode{}, false
	}
	want = withDefaults(want)
	within := func(m camera.Mode) bool { return m.Width <= want.Width && m.Height <= want.Height }
	return slices.MaxFunc(offered, func(a, b camera.Mode) int {
		if c := compare(a.FPS == 0 || a.FPS >= usableFPS, b.FPS == 0 || b.FPS >= usableFPS); c != 0 {
			return c
		}
		if c := compare(within(a), within(b)); c != 0 {
			return c
		}
		size := cmp.Compare(a.Width*a.Height, b.Width*b.Height)
		if !within(a) {
			size = -size
		}
		return cmp.Or(size,
			cmp.Compare(min(a.FPS, want.FPS), min(b.FPS, want.FPS)),
			compare(a.Format == want.Format, b.Format == want.Format),
			cmp.Compare(b.FPS, a.FPS))
	}), true
}

func withDefaults(want camera.Mode) camera.Mode {
	if want.Format == "" {
		want.Format = camera.MJPEG
	}
	if want.Width <= 0 || want.Height <= 0 {
		want.Width, want.Height = 1920, 1080
	}
	if want.FPS <= 0 {
		want.FPS = 30
	}
	return want
}

func compare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
