package codec

import (
	"fmt"
	"image"
)

// DecodeYUYV converts a packed 4:2:2 camera frame (BT.601, limited range: luma
// 16–235, chroma 16–240) of w×h pixels into dst, reusing its buffer. w is even.
// Frames with rows or a tail beyond what the size needs are taken; shorter ones
// are ErrDamaged.
func DecodeYUYV(dst *image.RGBA, data []byte, w, h int) error {
	if err := checkYUYV(data, w, h); err != nil {
		return err
	}
	ResizeRGBA(dst, w, h)
	for y := range h {
		src := data[2*w*y : 2*w*(y+1)]
		out := dst.Pix[y*dst.Stride : y*dst.Stride+4*w]
		for x := 0; x+8 <= len(out); x += 8 {
			s := src[x/2 : x/2+4 : x/2+4]
			q := out[x : x+8 : x+8]
			r, g, b := chroma(s[1], s[3])
			l := luma(s[0])
			q[0], q[1], q[2], q[3] = clip(l+r), clip(l+g), clip(l+b), 255
			l = luma(s[2])
			q[4], q[5], q[6], q[7] = clip(l+r), clip(l+g), clip(l+b), 255
		}
	}
	return nil
}

// GrayYUYV takes the luma of a frame, stretched to full range.
func GrayYUYV(dst *image.Gray, data []byte, w, h int) error {
	if err := checkYUYV(data, w, h); err != nil {
		return err
	}
	ResizeGray(dst, w, h)
	for i := range dst.Pix {
		dst.Pix[i] = clip(luma(data[2*i]))
	}
	return nil
}

// PreviewYUYVInto is PreviewInto for packed 4:2:2 frames; it takes the nearest
// pixel, because such frames come small.
func PreviewYUYVInto(dst *image.RGBA, data []byte, w, h int, mirror bool) error {
	if err := drawable(dst); err != nil {
		return err
	}
	if err := checkYUYV(data, w, h); err != nil {
		return err
	}
	dw, dh := dst.Rect.Dx(), dst.Rect.Dy()
	ox, oy, step := cover(w, h, dw, dh)
	for y := range dh {
		src := data[2*w*min((oy+y*step+step/2)>>16, h-1):][:2*w]
		out := dst.Pix[y*dst.Stride : y*dst.Stride+4*dw]
		o, do := 0, 4
		if mirror {
			o, do = 4*(dw-1), -4
		}
		for x := range dw {
			i := min((ox+x*step+step/2)>>16, w-1)
			p := 2 * (i &^ 1)
			s := src[p : p+4 : p+4]
			r, g, b := chroma(s[1], s[3])
			l := luma(s[2*(i&1)])
			q := out[o : o+4 : o+4]
			q[0], q[1], q[2], q[3] = clip(l+r), clip(l+g), clip(l+b), 255
			o += do
		}
	}
	return nil
}

func checkYUYV(data []byte, w, h int) error {
	if w < 2 || h < 1 || w%2 != 0 || w > maxSide || h > maxSide || w*h > MaxPixels {
		return fmt.Errorf("%w: a packed 4:2:2 frame cannot be %dx%d", ErrOption, w, h)
	}
	if len(data) < 2*w*h {
		return fmt.Errorf("%w: %d bytes of a %dx%d packed frame", ErrDamaged, len(data), w, h)
	}
	return nil
}

// BT.601 in 16.16 fixed point: 255/219, 255/224·1.402, ·0.344136, ·0.714136, ·1.772.
func luma(y uint8) int32 { return (int32(y)-16)*76309 + 1<<15 }

func chroma(u, v uint8) (r, g, b int32) {
	cb, cr := int32(u)-128, int32(v)-128
	return cr * 104597, -cb*25675 - cr*53279, cb * 132201
}

func clip(v int32) uint8 {
	v >>= 16
	if uint32(v) > 255 {
		return uint8(^(v >> 31))
	}
	return uint8(v)
}
