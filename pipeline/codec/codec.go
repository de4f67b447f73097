// Package codec turns camera bytes and files into pixels and pixels into
// JPEG files. It is a small binding of libjpeg-turbo's TurboJPEG interface
// with what a photo station needs around it: reduced-size decoding for
// previews and face search, print density, EXIF orientation, and clear
// refusals of files that are not photos.
//
// It knows nothing about faces, photo standards or people. All input bytes are
// taken to be hostile. Everything here is safe for concurrent use.
package codec

/*
#cgo pkg-config: libturbojpeg
#cgo noescape yz_header
#cgo nocallback yz_header
#cgo noescape yz_decode
#cgo nocallback yz_decode
#cgo noescape yz_encode
#cgo nocallback yz_encode
#cgo noescape yz_encode_planes
#cgo nocallback yz_encode_planes
#include <turbojpeg.h>
#include <string.h>

// The shims return structs by value, so that Go needs no heap for results.
typedef struct { int rc, code, width, height, subsamp, colorspace; } yz_head;
typedef struct { int rc, code; unsigned long size; } yz_done;

static yz_head yz_header(tjhandle h, const unsigned char *p, unsigned long n) {
	yz_head r;
	memset(&r, 0, sizeof r);
	r.rc = tjDecompressHeader3(h, p, n, &r.width, &r.height, &r.subsamp, &r.colorspace);
	r.code = r.rc ? tjGetErrorCode(h) : 0;
	return r;
}

static yz_done yz_decode(tjhandle h, const unsigned char *p, unsigned long n, unsigned char *dst,
		int width, int pitch, int height, int format, int flags) {
	yz_done r = {0, 0, 0};
	r.rc = tjDecompress2(h, p, n, dst, width, pitch, height, format, flags);
	r.code = r.rc ? tjGetErrorCode(h) : 0;
	return r;
}

static yz_done yz_encode(tjhandle h, const unsigned char *src, int width, int pitch, int height, int format,
		unsigned char *dst, unsigned long cap, int subsamp, int quality, int flags) {
	yz_done r = {0, 0, cap};
	r.rc = tjCompress2(h, src, width, pitch, height, format, &dst, &r.size, subsamp, quality, flags);
	r.code = r.rc ? tjGetErrorCode(h) : 0;
	return r;
}

static yz_done yz_encode_planes(tjhandle h, const unsigned char *y, const unsigned char *cb, const unsigned char *cr,
		int width, int ystride, int cstride, int height,
		unsigned char *dst, unsigned long cap, int subsamp, int quality, int flags) {
	yz_done r = {0, 0, cap};
	const unsigned char *planes[3] = {y, cb, cr};
	int strides[3] = {ystride, cstride, cstride};
	r.rc = tjCompressFromYUVPlanes(h, planes, width, strides, height, subsamp, &dst, &r.size, quality, flags);
	r.code = r.rc ? tjGetErrorCode(h) : 0;
	return r;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"image"
	"strings"
	"unsafe"
)

// MaxPixels is the largest picture that is decoded: 64 megapixels, four times
// the largest still camera of a booth, 256 MB of RGBA.
const MaxPixels = 64 << 20

// maxSide keeps every product of two sides and four bytes well inside an int32
// pitch; the JPEG format itself ends at 65535.
const maxSide = 65535

// Errors of this package. They are wrapped with what was being done.
var (
	ErrNotJPEG     = errors.New("codec: not a JPEG")
	ErrDamaged     = errors.New("codec: JPEG data is truncated or damaged")
	ErrUnsupported = errors.New("codec: kind of JPEG that cannot be read")
	ErrTooLarge    = errors.New("codec: picture has too many pixels")
	ErrOption      = errors.New("codec: option out of range")
	ErrEncode      = errors.New("codec: encoding failed")
	ErrNoEngine    = errors.New("codec: libjpeg-turbo could not be initialised")
)

// Subsampling is how much coarser than luma a JPEG's colour is stored.
type Subsampling int

// The subsamplings that are written; reading takes any.
const (
	S444  Subsampling = iota // full colour resolution
	S422                     // half horizontally
	S420                     // half both ways
	SGray                    // no colour
	SOther
)

func (s Subsampling) String() string {
	return [...]string{"4:4:4", "4:2:2", "4:2:0", "gray", "other"}[min(max(s, 0), SOther)]
}

// Info is what a JPEG's header says.
type Info struct {
	Width, Height int // pixels, before EXIF orientation
	Subsampling   Subsampling
	CMYK          bool // four inks; needs conversion

	planar bool // luma and two colour planes, of a Subsampling that has a name
}

// Options of a decode.
type Options struct {
	// Eighths scales the picture while it is decoded to n/8 of its size,
	// 1 to 8; 0 is full size. 1, 2, 4 and 8 are the fast ones.
	Eighths int
	// FastDCT and FastUpsampling trade a little accuracy for speed: right for
	// a preview or a face search, wrong for the photo.
	FastDCT        bool
	FastUpsampling bool
}

// Scaled is the size that w×h takes at n/8, as the decoder rounds it (up).
func Scaled(w, h, eighths int) (int, int) {
	return (w*eighths + 7) / 8, (h*eighths + 7) / 8
}

// engine is one TurboJPEG instance. It serves a single picture: an instance
// that has failed keeps its error, and one that has decoded keeps Huffman tables
// that a camera frame without any would then be decoded with. A new one costs a
// quarter of a microsecond.
type engine struct{ h C.tjhandle }

func newDecoder() (engine, error) {
	h := C.tjInitDecompress()
	if h == nil {
		return engine{}, ErrNoEngine
	}
	return engine{h}, nil
}

func newEncoder() (engine, error) {
	h := C.tjInitCompress()
	if h == nil {
		return engine{}, ErrNoEngine
	}
	return engine{h}, nil
}

func (e engine) close() { C.tjDestroy(e.h) }

// Header reads a JPEG's header without decoding the picture.
func Header(jpg []byte) (Info, error) {
	e, err := newDecoder()
	if err != nil {
		return Info{}, err
	}
	defer e.close()
	return e.header(jpg)
}

func (e engine) header(jpg []byte) (Info, error) {
	if len(jpg) < 4 || jpg[0] != 0xFF || jpg[1] != 0xD8 {
		return Info{}, ErrNotJPEG
	}
	r := C.yz_header(e.h, (*C.uchar)(unsafe.Pointer(&jpg[0])), C.ulong(len(jpg)))
	if r.rc != 0 && (r.code != C.TJERR_WARNING || r.width <= 0) {
		return Info{}, fmt.Errorf("read JPEG header: %w", e.classify())
	}
	in := Info{Width: int(r.width), Height: int(r.height), Subsampling: SOther}
	switch r.subsamp {
	case C.TJSAMP_444:
		in.Subsampling = S444
	case C.TJSAMP_422:
		in.Subsampling = S422
	case C.TJSAMP_420:
		in.Subsampling = S420
	case C.TJSAMP_GRAY:
		in.Subsampling = SGray
	}
	in.planar = r.colorspace == C.TJCS_YCbCr && in.Subsampling <= S420
	in.CMYK = r.colorspace == C.TJCS_CMYK || r.colorspace == C.TJCS_YCCK
	if in.Width < 1 || in.Height < 1 || in.Width > maxSide || in.Height > maxSide {
		return Info{}, fmt.Errorf("read JPEG header: %w", ErrDamaged)
	}
	if in.Width*in.Height > MaxPixels {
		return in, ErrTooLarge
	}
	return in, nil
}

// classify maps TurboJPEG's last message to an error of this package. The text
// itself goes no further: it says nothing to a person.
func (e engine) classify() error {
	s := C.GoString(C.tjGetErrorStr2(e.h))
	switch {
	case strings.Contains(s, "Unsupported"), strings.Contains(s, "Could not determine subsampling"),
		strings.Contains(s, "not supported"), strings.Contains(s, "onversion"), strings.Contains(s, "not implemented"):
		return ErrUnsupported
	case strings.Contains(s, "Not a JPEG"):
		return ErrNotJPEG
	}
	return ErrDamaged
}

// harmless tells whether the last warning left every pixel intact: some
// cameras pad between the last coded block and the end marker.
func (e engine) harmless() bool {
	s := C.GoString(C.tjGetErrorStr2(e.h))
	return strings.Contains(s, "extraneous bytes before marker 0xd9")
}

func (o Options) eighths() (int, error) {
	switch {
	case o.Eighths == 0:
		return 8, nil
	case o.Eighths < 1 || o.Eighths > 8:
		return 0, fmt.Errorf("%w: scale %d/8 is not within 1/8 to 8/8", ErrOption, o.Eighths)
	}
	return o.Eighths, nil
}

func (o Options) flags() C.int {
	// A hostile progressive file may hold thousands of scans.
	f := C.int(C.TJFLAG_LIMITSCANS)
	if o.FastDCT {
		f |= C.TJFLAG_FASTDCT
	} else {
		f |= C.TJFLAG_ACCURATEDCT
	}
	if o.FastUpsampling {
		f |= C.TJFLAG_FASTUPSAMPLE
	}
	return f
}

// decode writes the picture into pix, whose rows are stride bytes apart.
func (e engine) decode(pix []byte, stride, w, h int, format C.int, jpg []byte, o Options) error {
	r := C.yz_decode(e.h, (*C.uchar)(unsafe.Pointer(&jpg[0])), C.ulong(len(jpg)),
		(*C.uchar)(unsafe.Pointer(&pix[0])), C.int(w), C.int(stride), C.int(h), format, o.flags())
	if r.rc == 0 || (r.code == C.TJERR_WARNING && e.harmless()) {
		return nil
	}
	return fmt.Errorf("decode JPEG: %w", e.classify())
}

// DecodeRGBA decodes jpg into dst, reusing dst's pixels when they suffice; dst
// then has the (scaled) size of the picture. A picture that is damaged in any
// place is an error: nothing half-decoded is handed out as good, though dst may
// hold parts of it. CMYK is ErrUnsupported here; LoadImage converts it.
func DecodeRGBA(dst *image.RGBA, jpg []byte, o Options) error {
	e, err := newDecoder()
	if err != nil {
		return err
	}
	defer e.close()
	w, h, err := e.size(jpg, o)
	if err != nil {
		return err
	}
	ResizeRGBA(dst, w, h)
	return e.decode(dst.Pix, dst.Stride, w, h, C.TJPF_RGBA, jpg, o)
}

// DecodeGray is DecodeRGBA for the luma alone, at about half the cost.
func DecodeGray(dst *image.Gray, jpg []byte, o Options) error {
	e, err := newDecoder()
	if err != nil {
		return err
	}
	defer e.close()
	w, h, err := e.size(jpg, o)
	if err != nil {
		return err
	}
	ResizeGray(dst, w, h)
	return e.decode(dst.Pix, dst.Stride, w, h, C.TJPF_GRAY, jpg, o)
}

func (e engine) size(jpg []byte, o Options) (w, h int, err error) {
	n, err := o.eighths()
	if err != nil {
		return 0, 0, err
	}
	in, err := e.header(jpg)
	if err != nil {
		return 0, 0, err
	}
	if in.CMYK {
		return 0, 0, fmt.Errorf("decode JPEG: four-ink colour: %w", ErrUnsupported)
	}
	w, h = Scaled(in.Width, in.Height, n)
	return w, h, nil
}

// decodeCMYK decodes the four inks, 4 bytes a pixel, as stored.
func decodeCMYK(jpg []byte) (pix []byte, w, h int, err error) {
	e, err := newDecoder()
	if err != nil {
		return nil, 0, 0, err
	}
	defer e.close()
	in, err := e.header(jpg)
	if err != nil {
		return nil, 0, 0, err
	}
	pix = make([]byte, 4*in.Width*in.Height)
	err = e.decode(pix, 4*in.Width, in.Width, in.Height, C.TJPF_CMYK, jpg, Options{})
	return pix, in.Width, in.Height, err
}

// ResizeRGBA makes dst a tightly packed w×h picture at the origin, reusing its
// buffer when that is large enough. The pixels are unspecified.
func ResizeRGBA(dst *image.RGBA, w, h int) {
	n := 4 * w * h
	if cap(dst.Pix) < n {
		dst.Pix = make([]byte, n)
	}
	dst.Pix, dst.Stride, dst.Rect = dst.Pix[:n], 4*w, image.Rect(0, 0, w, h)
}

// ResizeGray is ResizeRGBA for gray pictures.
func ResizeGray(dst *image.Gray, w, h int) {
	n := w * h
	if cap(dst.Pix) < n {
		dst.Pix = make([]byte, n)
	}
	dst.Pix, dst.Stride, dst.Rect = dst.Pix[:n], w, image.Rect(0, 0, w, h)
}

func (s Subsampling) tj() (C.int, error) {
	switch s {
	case S444:
		return C.TJSAMP_444, nil
	case S422:
		return C.TJSAMP_422, nil
	case S420:
		return C.TJSAMP_420, nil
	case SGray:
		return C.TJSAMP_GRAY, nil
	}
	return 0, fmt.Errorf("%w: subsampling %v cannot be written", ErrOption, s)
}

// EncodeRGBA writes img as a baseline JPEG (not progressive, standard Huffman
// tables: what every upload checker reads) into dst's buffer when that is large
// enough, and returns the bytes. Alpha is ignored. quality is 1 to 100. Equal
// pixels and options give equal bytes.
func EncodeRGBA(dst []byte, img *image.RGBA, quality int, sub Subsampling) ([]byte, error) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if err := encodable(w, h, quality); err != nil {
		return nil, err
	}
	ss, err := sub.tj()
	if err != nil {
		return nil, err
	}
	if need := img.Stride*(h-1) + 4*w; img.Stride < 4*w || len(img.Pix) < need {
		return nil, fmt.Errorf("%w: picture has %d bytes of pixels, its size needs %d", ErrOption, len(img.Pix), need)
	}
	e, err := newEncoder()
	if err != nil {
		return nil, err
	}
	defer e.close()
	dst = room(dst, w, h, ss)
	r := C.yz_encode(e.h, (*C.uchar)(unsafe.Pointer(&img.Pix[0])), C.int(w), C.int(img.Stride), C.int(h), C.TJPF_RGBA,
		(*C.uchar)(unsafe.Pointer(&dst[0])), C.ulong(len(dst)), ss, C.int(quality), C.TJFLAG_NOREALLOC|C.TJFLAG_ACCURATEDCT)
	if r.rc != 0 {
		return nil, fmt.Errorf("%w: %dx%d quality %d", ErrEncode, w, h, quality)
	}
	return dst[:r.size], nil
}

// EncodeYCbCr is EncodeRGBA for pictures that already are YCbCr (full range),
// 4:4:4, 4:2:2 or 4:2:0; it skips the colour conversion.
func EncodeYCbCr(dst []byte, img *image.YCbCr, quality int) ([]byte, error) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if err := encodable(w, h, quality); err != nil {
		return nil, err
	}
	var ss C.int
	cw, ch := w, h
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio444:
		ss = C.TJSAMP_444
	case image.YCbCrSubsampleRatio422:
		ss, cw = C.TJSAMP_422, (w+1)/2
	case image.YCbCrSubsampleRatio420:
		ss, cw, ch = C.TJSAMP_420, (w+1)/2, (h+1)/2
	default:
		return nil, fmt.Errorf("%w: subsampling %v cannot be written", ErrOption, img.SubsampleRatio)
	}
	if img.Rect.Min != (image.Point{}) || img.YStride < w || img.CStride < cw || len(img.Y) < img.YStride*(h-1)+w ||
		min(len(img.Cb), len(img.Cr)) < img.CStride*(ch-1)+cw {
		return nil, fmt.Errorf("%w: planes do not fit a %dx%d picture at the origin", ErrOption, w, h)
	}
	e, err := newEncoder()
	if err != nil {
		return nil, err
	}
	defer e.close()
	dst = room(dst, w, h, ss)
	r := C.yz_encode_planes(e.h, (*C.uchar)(unsafe.Pointer(&img.Y[0])), (*C.uchar)(unsafe.Pointer(&img.Cb[0])),
		(*C.uchar)(unsafe.Pointer(&img.Cr[0])), C.int(w), C.int(img.YStride), C.int(img.CStride), C.int(h),
		(*C.uchar)(unsafe.Pointer(&dst[0])), C.ulong(len(dst)), ss, C.int(quality), C.TJFLAG_NOREALLOC|C.TJFLAG_ACCURATEDCT)
	if r.rc != 0 {
		return nil, fmt.Errorf("%w: %dx%d quality %d", ErrEncode, w, h, quality)
	}
	return dst[:r.size], nil
}

func encodable(w, h, quality int) error {
	if w < 1 || h < 1 || w > maxSide || h > maxSide || w*h > MaxPixels {
		return fmt.Errorf("%w: cannot write a %dx%d picture", ErrOption, w, h)
	}
	if quality < 1 || quality > 100 {
		return fmt.Errorf("%w: quality %d is not within 1 to 100", ErrOption, quality)
	}
	return nil
}

// room returns a buffer of the worst-case size, so that the library never
// allocates one of its own.
func room(dst []byte, w, h int, ss C.int) []byte {
	n := int(C.tjBufSize(C.int(w), C.int(h), ss))
	if cap(dst) < n {
		return make([]byte, n)
	}
	return dst[:n]
}
