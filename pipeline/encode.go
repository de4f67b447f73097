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
	// fullColourQuality is the least quality at which full colour resolution is
	// kept; below it the bytes do more good as quality with coarser colour.
	fullColourQuality = 84
	// halfColourQuality is the same for colour halved across.
	halfColourQuality = 78
)

// encoding is how a portrait's file was written.
type encoding struct {
	quality int
	sub     codec.Subsampling
}

// encode writes img as s wants it: full colour resolution at the best quality
// whose file, print density included, lies within the size window. Where that
// quality is low, colour is halved across (4:2:2), then both ways (4:2:0). It
// never pads and never goes below the standard's quality. When nothing fits, the
// nearest is returned, and the check of the file size says so. Equal pixels give
// equal bytes. buf is scratch, returned for reuse.
func encode(buf []byte, img *image.RGBA, s *spec.Spec) (jpg []byte, how encoding, scratch []byte, err error) {
	try := func(e encoding) (int, error) {
		b, err := codec.EncodeRGBA(buf, img, e.quality, e.sub)
		if err != nil {
			return 0, fmt.Errorf("encode portrait: %w", err)
		}
		buf = b
		return len(b) + codec.DensityBytes, nil
	}
	how = encoding{max(freeQuality, s.JPEGMinQuality), codec.S444}
	if lo, hi, ok := s.SizeWindow(); ok {
		if how, err = ladder(s.JPEGMinQuality, lo, hi, try); err != nil {
			return nil, how, buf, err
		}
	}
	if _, err := try(how); err != nil {
		return nil, how, buf, err
	}
	jpg, err = codec.SetDensity(buf, s.DPI)
	if err != nil {
		return nil, how, buf, fmt.Errorf("encode portrait: %w", err)
	}
	return jpg, how, buf, nil
}

// ladder goes from full to coarse colour until the quality that fits is good
// enough for the colour resolution. A coarser rung is taken only where it fits at
// a better quality, or fits at all where the finer ones do not.
func ladder(minQ, lo, hi int, try func(encoding) (int, error)) (encoding, error) {
	var best encoding
	off := -1 // bytes that best is outside the window; −1: there is no best yet
	for _, rung := range [...]struct {
		sub    codec.Subsampling
		enough int
	}{{codec.S444, fullColourQuality}, {codec.S422, halfColourQuality}, {codec.S420, 0}} {
		q, n, err := search(minQ, lo, hi, rung.sub, try)
		if err != nil {
			return best, err
		}
		miss := max(lo-n, n-hi, 0)
		if off < 0 || miss < off || miss == 0 && off == 0 && q > best.quality {
			best, off = encoding{q, rung.sub}, miss
		}
		// Below the window at the very best there is no more to be had.
		if miss == 0 && q >= rung.enough || n < lo && q == 100 {
			break
		}
	}
	return best, nil
}

// search finds the highest quality whose file is not above hi bytes and the
// bytes of that file; a file below lo at maxQuality may go on to 100. File sizes
// rise with quality, but for a few bytes, so the answer is verified downwards.
// Where nothing fits it is minQ.
func search(minQ, lo, hi int, sub codec.Subsampling, try func(encoding) (int, error)) (quality, size int, err error) {
	at := func(q int) (int, error) { return try(encoding{q, sub}) }
	a, b := minQ, max(maxQuality, minQ)
	n, err := at(b)
	for err == nil && n < lo && b < 100 {
		b++
		n, err = at(b)
	}
	if err != nil || n <= hi {
		return b, n, err
	}
	for a < b { // a may fit, b does not
		mid := (a + b) / 2
		if n, err = at(mid); err != nil {
			return 0, 0, err
		}
		if n > hi {
			b = mid
		} else {
			a = mid + 1
		}
	}
	for q := a; ; q-- {
		if n, err = at(q); err != nil || n <= hi || q == minQ {
			return q, n, err
		}
	}
}

// sizeProblem says why a file of n bytes could not be made to fit.
func sizeProblem(n int, s *spec.Spec) spec.Sentence {
	lo, hi, _ := s.SizeWindow()
	if n < lo {
		return spec.Sentence{
			ZH: fmt.Sprintf("画面细节太少：最高质量也只有 %d 字节，标准至少 %d 字节，且不允许填充。请检查对焦和光线后重新拍摄。", n, lo),
			EN: fmt.Sprintf("Too little detail: even the best quality gives %d bytes, the standard asks for %d at least, and padding is not allowed. Check focus and light and take the photo again.", n, lo),
		}
	}
	return spec.Sentence{
		ZH: fmt.Sprintf("画面细节太多：标准的最低质量 %d 仍有 %d 字节，上限 %d 字节。请换素色衣服、检查光线（噪点）后重新拍摄。", s.JPEGMinQuality, n, hi),
		EN: fmt.Sprintf("Too much detail: the standard's lowest quality %d still gives %d bytes, at most %d are allowed. Wear plain clothes, check the light (noise) and take the photo again.", s.JPEGMinQuality, n, hi),
	}
}
