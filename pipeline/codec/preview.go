package codec

/*
// The scaler's loops become vectors from -O3 on.
#cgo CFLAGS: -O3
#cgo noescape yz_preview
#cgo nocallback yz_preview
#include <turbojpeg.h>
#include "resample.h"

typedef struct { int64_t luma, chroma, total; } yz_room;

// yz_preview_room is how many bytes a frame takes between decoder and screen: a
// plane of luma, one of each colour, and what the scaler works in.
static yz_room yz_preview_room(int w, int h, int subsamp, int dw) {
	int cw = tjPlaneWidth(1, w, subsamp);
	yz_room r = {(int64_t)tjPlaneWidth(0, w, subsamp) * tjPlaneHeight(0, h, subsamp), (int64_t)cw * tjPlaneHeight(1, h, subsamp), 0};
	r.total = r.luma + 2 * r.chroma + yz_work(w, cw, dw) + 128;
	return r;
}

typedef struct { int rc, code; } yz_drawn;

// yz_preview decodes a frame to the planes in buf, as yz_preview_room lays them
// out, and draws them.
static yz_drawn yz_preview(tjhandle t, const unsigned char *jpg, unsigned long n, int w, int h, int subsamp, int flags,
		unsigned char *buf, unsigned char *dst, int pitch, int dw, int dh, int64_t ox, int64_t oy, int64_t step, int mirror, int plain) {
	yz_room room = yz_preview_room(w, h, subsamp, dw);
	unsigned char *planes[3] = {buf, buf + room.luma, buf + room.luma + room.chroma};
	yz_drawn r = {0, 0};
	r.rc = tjDecompressToYUVPlanes(t, jpg, n, planes, w, 0, h, flags);
	r.code = r.rc ? tjGetErrorCode(t) : 0;
	if (r.rc && r.code != TJERR_WARNING) {
		return r;
	}
	// The scaler's memory lies behind the planes, beyond what it may read of the
	// last row, and begins where vectors like it.
	unsigned char *work = (unsigned char *)(((uintptr_t)planes[2] + room.chroma + 127) & ~(uintptr_t)63);
	yz_planes p = {planes[0], planes[1], planes[2], w, h, tjPlaneWidth(0, w, subsamp), tjPlaneWidth(1, w, subsamp), tjPlaneHeight(1, h, subsamp),
		subsamp == TJSAMP_444 ? 1 : 2, subsamp == TJSAMP_420 ? 2 : 1};
	yz_resample(&p, dst, pitch, dw, dh, ox, oy, step, mirror, plain, work);
	return r;
}
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"image"
	"unsafe"
)

// PreviewInto decodes a camera's JPEG frame into dst as it stands: dst's size
// is the wanted size. The picture fills dst and keeps its proportions; what
// does not fit is cut equally at both sides. mirror flips left and right, as a
// mirror does. It decodes at the smallest fast scale that comes close to dst's
// size and brings that into dst in one pass, over the planes that JPEG stores where
// pixels have to be made anew. No Go memory is allocated once the first frame has
// been through.
//
// A damaged frame is an error and leaves dst unspecified: keep showing the
// frame before.
func PreviewInto(dst *image.RGBA, jpg []byte, mirror bool) error {
	dw, dh := dst.Rect.Dx(), dst.Rect.Dy()
	if err := drawable(dst); err != nil {
		return err
	}
	e, err := newDecoder()
	if err != nil {
		return err
	}
	defer e.close()
	in, err := e.header(jpg)
	if err != nil {
		return err
	}
	if in.CMYK {
		return fmt.Errorf("decode frame: four-ink colour: %w", ErrUnsupported)
	}
	n := previewScale(in.Width, in.Height, dw, dh)
	w, h := Scaled(in.Width, in.Height, n)
	if _, _, step := cover(w, h, dw, dh); in.planar && (n == 8 || n == 4 && step != 1<<16) {
		return e.drawPlanes(dst, jpg, in, n, mirror, false)
	}
	return e.drawReduced(dst, jpg, in, n, mirror)
}

// drawPlanes decodes the frame to n/8 of its size and no further than to its
// planes, which are scaled, mirrored and converted at dst's size in one pass: what
// is not seen is never converted. plain does without the processor's wider
// instructions.
func (e engine) drawPlanes(dst *image.RGBA, jpg []byte, in Info, n int, mirror, plain bool) error {
	ss, err := in.Subsampling.tj()
	if err != nil {
		return err
	}
	dw, dh := dst.Rect.Dx(), dst.Rect.Dy()
	w, h := Scaled(in.Width, in.Height, n)
	ox, oy, step := cover(w, h, dw, dh)
	buf := takeScratch(int(C.yz_preview_room(C.int(w), C.int(h), ss, C.int(dw)).total))
	r := C.yz_preview(e.h, (*C.uchar)(unsafe.Pointer(&jpg[0])), C.ulong(len(jpg)), C.int(w), C.int(h), ss, Options{FastDCT: true}.flags(),
		(*C.uchar)(unsafe.Pointer(&buf[0])), (*C.uchar)(unsafe.Pointer(&dst.Pix[0])), C.int(dst.Stride), C.int(dw), C.int(dh),
		C.int64_t(ox), C.int64_t(oy), C.int64_t(step), flag(mirror), flag(plain))
	giveScratch(buf)
	if r.rc == 0 || (r.code == C.TJERR_WARNING && e.harmless()) {
		return nil
	}
	return fmt.Errorf("decode frame: %w", e.classify())
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// drawReduced decodes the frame to n/8 of its size; what then does not fit dst is
// cut or scaled.
func (e engine) drawReduced(dst *image.RGBA, jpg []byte, in Info, n int, mirror bool) error {
	o := Options{Eighths: n, FastDCT: true, FastUpsampling: true}
	w, h := Scaled(in.Width, in.Height, n)
	if w == dst.Rect.Dx() && h == dst.Rect.Dy() {
		if err := e.decode(dst.Pix, dst.Stride, w, h, C.TJPF_RGBA, jpg, o); err != nil {
			return err
		}
		if mirror {
			mirrorRows(dst)
		}
		return nil
	}
	buf := takeScratch(4 * w * h)
	err := e.decode(buf, 4*w, w, h, C.TJPF_RGBA, jpg, o)
	if err == nil {
		scaleInto(dst, buf, 4*w, w, h, mirror)
	}
	giveScratch(buf)
	return err
}

// scratches keeps the buffers between decoder and scaler from frame to frame,
// all zero. It is bounded: what does not fit is left to the collector.
var scratches = make(chan []byte, 4)

func takeScratch(n int) []byte {
	select {
	case b := <-scratches:
		if cap(b) >= n {
			return b[:n]
		}
	default:
	}
	return make([]byte, n)
}

// giveScratch wipes a buffer, which holds a picture of a person, and keeps it.
func giveScratch(b []byte) {
	clear(b)
	select {
	case scratches <- b:
	default:
	}
}

// previewStretch is how far a reduced decode may be enlarged, in sixteenths: a
// mirror a quarter larger than half a 1080p frame is still drawn from the half,
// which takes a third of the time and looks the same at arm's length.
const previewStretch = 20

// previewScale is the smallest of the scales with vectorised transforms that
// covers dst but for the stretch; the odd ones decode slower than the whole
// picture.
func previewScale(w, h, dw, dh int) int {
	for _, n := range [...]int{1, 2, 4} {
		if sw, sh := Scaled(w, h, n); sw*previewStretch >= 16*dw && sh*previewStretch >= 16*dh {
			return n
		}
	}
	return 8
}

// PreviewSize is the best size for PreviewInto to fill from a w×h JPEG frame for
// a place of dw×dh pixels: where the decoder's own scales come close, a size of
// the place's proportions that needs no resampling, which the screen's hardware
// then stretches to fit; else the place's size itself.
func PreviewSize(w, h, dw, dh int) (int, int) {
	if min(w, h, dw, dh) < 1 || max(w, h, dw, dh) > maxSide {
		return dw, dh
	}
	n := previewScale(w, h, dw, dh)
	sw, sh := Scaled(w, h, n)
	if n == 8 {
		return dw, dh // the whole frame is mostly larger by far
	}
	if sw*dh > sh*dw {
		sw = max(sh*dw/dh, 1)
	} else {
		sh = max(sw*dh/dw, 1)
	}
	if 10*sw*sh > 14*dw*dh {
		return dw, dh // more pixels to hand to the screen than are saved here
	}
	return sw, sh
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
	le := binary.LittleEndian
	for y := range h {
		row := m.Pix[y*m.Stride : y*m.Stride+4*w]
		for a, b := 0, 4*(w-1); a < b; a, b = a+4, b-4 {
			p, q := le.Uint32(row[a:]), le.Uint32(row[b:])
			le.PutUint32(row[a:], q)
			le.PutUint32(row[b:], p)
		}
	}
}

// cover is the part of a w×h picture that has the proportions of dw×dh, in
// 16.16 fixed point: origin and step a target pixel.
func cover(w, h, dw, dh int) (x0, y0, step int) {
	step = min((w<<16)/dw, (h<<16)/dh)
	return ((w << 16) - step*dw) / 2, ((h << 16) - step*dh) / 2, step
}

// lanes spreads the four bytes of a pixel over the 16-bit lanes of a word, so
// that one multiplication weighs all channels.
func lanes(p []byte) uint64 {
	v := uint64(binary.LittleEndian.Uint32(p))
	return v&0x00FF00FF | v&0xFF00FF00<<24
}

const laneMask = 0x00FF00FF00FF00FF

// mix is a + (b − a)·f/256 in every lane.
func mix(a, b, f uint64) uint64 { return (a*(256-f) + b*f) >> 8 & laneMask }

// scaleInto draws the w×h RGBA picture src into dst with bilinear weights,
// covering it. The weights are 8-bit: a preview's eye sees no more.
func scaleInto(dst *image.RGBA, src []byte, stride, w, h int, mirror bool) {
	dw, dh := dst.Rect.Dx(), dst.Rect.Dy()
	ox, oy, step := cover(w, h, dw, dh)
	if step == 1<<16 {
		cut(dst, src[oy>>16*stride+4*(ox>>16):], stride, mirror)
		return
	}
	half := step/2 - 1<<15 // centres of pixels map to centres
	for y := range dh {
		sy := min(max(oy+y*step+half, 0), (h-1)<<16)
		y0 := sy >> 16
		y1 := min(y0+1, h-1)
		fy := uint64(sy>>8) & 255
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
			left := mix(lanes(r0[x0:x0+4]), lanes(r1[x0:x0+4]), fy)
			right := mix(lanes(r0[x1:x1+4]), lanes(r1[x1:x1+4]), fy)
			v := mix(left, right, uint64(s>>8)&255)
			binary.LittleEndian.PutUint32(out[o:o+4], uint32(v)|uint32(v>>24)|0xFF000000)
			o += do
		}
	}
}

// cut copies the part of src that dst has room for, from its first pixel on.
func cut(dst *image.RGBA, src []byte, stride int, mirror bool) {
	n := 4 * dst.Rect.Dx()
	for y := range dst.Rect.Dy() {
		copy(dst.Pix[y*dst.Stride:][:n], src[y*stride:][:n])
	}
	if mirror {
		mirrorRows(dst)
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
