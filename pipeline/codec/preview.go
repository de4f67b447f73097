package codec

// #include <turbojpeg.h>
import "C"

import (
	"fmt"
	"image"
)

// PreviewInto decodes a camera's JPEG frame into dst as it stands: dst's size
// is the wanted size. The picture fills dst and keeps its proportions; what
// does not fit is cut equally at both sides. mirror flips left and right, as a
// mirror does. It decodes at the smallest fast scale that is not smaller than
// dst, then mirrors and scales in one pass. No Go memory is allocated once the
// first frame has been through.
//
// A damaged frame is an error and leaves dst unspecified: keep showing the
// frame before.
func PreviewInto(dst *image.RGBA, jpg []byte, mirror bool) error {
	dw, dh := dst.Rect.Dx(), dst.Rect.Dy()
	if err := drawable(dst); err != nil {
		return err
	}
	e, err := takeDecoder()
	if err != nil {
		return err
	}
	defer give(decoders, e)
	in, err := e.header(jpg)
	if err != nil {
		return err
	}
	if in.CMYK {
		return fmt.Errorf("decode frame: four-ink colour: %w", ErrUnsupported)
	}
	o := Options{Eighths: previewScale(in.Width, in.Height, dw, dh), FastDCT: true, FastUpsampling: true}
	w, h := Scaled(in.Width, in.Height, o.Eighths)
	if w == dw && h == dh {
		if err := e.decode(dst.Pix, dst.Stride, w, h, C.TJPF_RGBA, jpg, o); err != nil {
			return err
		}
		if mirror {
			mirrorRows(dst)
		}
		return nil
	}
	if n := 4 * w * h; cap(e.scratch) < n {
		e.scratch = make([]byte, n)
	}
	e.scratch = e.scratch[:4*w*h]
	err = e.decode(e.scratch, 4*w, w, h, C.TJPF_RGBA, jpg, o)
	if err == nil {
		scaleInto(dst, e.scratch, 4*w, w, h, mirror)
	}
	// The scratch picture is of a person and outlives this call.
	clear(e.scratch)
	return err
}

// previewScale is the smallest of the scales with vectorised transforms that
// still covers dst; the odd ones decode slower than the whole picture.
func previewScale(w, h, dw, dh int) int {
	for _, n := range [...]int{1, 2, 4} {
		if sw, sh := Scaled(w, h, n); sw >= dw && sh >= dh {
			return n
		}
	}
	return 8
}

func drawable(dst *image.RGBA) error {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	if w < 1 || h < 1 || w*h > MaxPixels || dst.Stride < 4*w || len(dst.Pix) < dst.Stride*(h-1)+4*w {
		return fmt.Errorf("%w: cannot draw into a %dx%d picture", ErrOption, w, h)
	}
	return nil
}

func mirrorRows(m *image.RGBA) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	for y := range h {
		row := m.Pix[y*m.Stride : y*m.Stride+4*w]
		for a, b := 0, 4*(w-1); a < b; a, b = a+4, b-4 {
			pa, pb := row[a:a+4:a+4], row[b:b+4:b+4]
			pa[0], pb[0] = pb[0], pa[0]
			pa[1], pb[1] = pb[1], pa[1]
			pa[2], pb[2] = pb[2], pa[2]
			pa[3], pb[3] = pb[3], pa[3]
		}
	}
}

// cover is the part of a w×h picture that has the proportions of dw×dh, in
// 16.16 fixed point: origin and step a target pixel.
func cover(w, h, dw, dh int) (x0, y0, step int) {
	step = min((w<<16)/dw, (h<<16)/dh)
	return ((w << 16) - step*dw) / 2, ((h << 16) - step*dh) / 2, step
}

// scaleInto draws the w×h RGBA picture src into dst with bilinear weights,
// covering it. The weights are 7-bit: a preview's eye sees no more.
func scaleInto(dst *image.RGBA, src []byte, stride, w, h int, mirror bool) {
	dw, dh := dst.Rect.Dx(), dst.Rect.Dy()
	ox, oy, step := cover(w, h, dw, dh)
	half := step/2 - 1<<15 // centres of pixels map to centres
	for y := range dh {
		sy := min(max(oy+y*step+half, 0), (h-1)<<16)
		y0 := sy >> 16
		y1 := min(y0+1, h-1)
		fy := uint32(sy>>9) & 127
		r0, r1 := src[y0*stride:y0*stride+4*w], src[y1*stride:y1*stride+4*w]
		out := dst.Pix[y*dst.Stride : y*dst.Stride+4*dw]
		o, do := 0, 4
		if mirror {
			o, do = 4*(dw-1), -4
		}
		sx := ox + half
		for range dw {
			s := min(max(sx, 0), (w-1)<<16)
			sx += step
			x0 := s >> 16
			x1 := 4 * min(x0+1, w-1)
			x0 *= 4
			fx := uint32(s>>9) & 127
			w11 := fx * fy
			w10, w01 := fy<<7-w11, fx<<7-w11
			w00 := 1<<14 - w11 - w10 - w01
			a, b, c, d := r0[x0:x0+4:x0+4], r0[x1:x1+4:x1+4], r1[x0:x0+4:x0+4], r1[x1:x1+4:x1+4]
			q := out[o : o+4 : o+4]
			q[0] = uint8((uint32(a[0])*w00 + uint32(b[0])*w01 + uint32(c[0])*w10 + uint32(d[0])*w11 + 1<<13) >> 14)
			q[1] = uint8((uint32(a[1])*w00 + uint32(b[1])*w01 + uint32(c[1])*w10 + uint32(d[1])*w11 + 1<<13) >> 14)
			q[2] = uint8((uint32(a[2])*w00 + uint32(b[2])*w01 + uint32(c[2])*w10 + uint32(d[2])*w11 + 1<<13) >> 14)
			q[3] = 255
			o += do
		}
	}
}

// ScaleInto draws src into dst, covering it with kept proportions; mirror flips
// left and right. It is meant for previews: pictures shrunk to less than half
// alias.
func ScaleInto(dst, src *image.RGBA, mirror bool) error {
	if err := drawable(dst); err != nil {
		return err
	}
	if err := drawable(src); err != nil {
		return err
	}
	scaleInto(dst, src.Pix, src.Stride, src.Rect.Dx(), src.Rect.Dy(), mirror)
	return nil
}
