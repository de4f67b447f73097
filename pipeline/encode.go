package pipeline

import (
	"fmt"
	"image"

	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

const (
	// freeQuality is used by standards that set no file size.
	freeQuality = 95
	// maxQuality: beyond it files grow by half and no eye sees why.
	maxQuality = 98
	// fullColourQuality: from here on full colour resolution is kept; below it
	// the bytes do more good as quality with coarser colour.
	fullColourQuality = 84
)

// encode writes img as s wants it: the best quality whose file, print density
// included, lies within the size window. It never pads. When no quality fits,
// the nearest is returned, and the check of the file size says so. Equal pixels
// give equal bytes. buf is scratch, returned for reuse.
func encode(buf []byte, img *image.RGBA, s *spec.Spec) (jpg []byte, quality int, scratch []byte, err error) {
	try := func(q int, sub codec.Subsampling) (int, error) {
		b, err := codec.EncodeRGBA(buf, img, q, sub)
		if err != nil {
			return 0, fmt.Errorf("encode portrait: %w", err)
		}
		buf = b
		return len(b) + codec.DensityBytes, nil
	}
	sub := codec.S444
	quality = max(freeQuality, s.JPEGMinQuality)
	if lo, hi, ok := s.SizeWindow(); ok {
		best := func(sub codec.Subsampling) (int, error) { return search(s.JPEGMinQuality, lo, hi, sub, try) }
		if quality, err = best(codec.S444); err != nil {
			return nil, 0, buf, err
		}
		if quality < fullColourQuality {
			coarse, err := best(codec.S420)
			if err != nil {
				return nil, 0, buf, err
			}
			if coarse > quality || quality == s.JPEGMinQuality {
				quality, sub = coarse, codec.S420
			}
		}
	}
	if _, err := try(quality, sub); err != nil {
		return nil, 0, buf, err
	}
	jpg, err = codec.SetDensity(buf, s.DPI)
	if err != nil {
		return nil, 0, buf, fmt.Errorf("encode portrait: %w", err)
	}
	return jpg, quality, buf, nil
}

// search finds the highest quality whose file is not above hi bytes; a file
// below lo at maxQuality may go on to 100. File sizes rise with quality, but
// for a few bytes, so the answer is verified downwards.
func search(minQ, lo, hi int, sub codec.Subsampling, try func(int, codec.Subsampling) (int, error)) (int, error) {
	a, b := minQ, max(maxQuality, minQ)
	n, err := try(b, sub)
	if err != nil {
		return 0, err
	}
	for n < lo && b < 100 {
		b++
		if n, err = try(b, sub); err != nil {
			return 0, err
		}
	}
	if n <= hi {
		return b, nil
	}
	for a < b { // a may fit, b does not
		mid := (a + b) / 2
		if n, err = try(mid, sub); err != nil {
			return 0, err
		}
		if n > hi {
			b = mid
		} else {
			a = mid + 1
		}
	}
	for q := a; q > minQ; q-- {
		if n, err = try(q, sub); err != nil {
			return 0, err
		}
		if n <= hi {
			return q, nil
		}
	}
	return minQ, nil
}
