package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"
)

// maxFileBytes is the largest file that is read: 64 megapixels as 16-bit RGB
// PNG hardly compressed, with room to spare.
const maxFileBytes = 512 << 20

// FileError says in both languages why a file is not a usable picture. It does
// not hold the file's name, which may be a person's.
type FileError struct {
	ZH, EN string
	Err    error // the cause; never nil
}

func (e *FileError) Error() string { return e.EN }
func (e *FileError) Unwrap() error { return e.Err }

func refuse(err error, zh, en string) *FileError { return &FileError{ZH: zh, EN: en, Err: err} }

// LoadImage reads a JPEG or PNG file, whatever its name ends with, as upright
// opaque sRGB pixels: EXIF orientation is applied, 16-bit, palette and gray
// pictures are converted, transparent parts become white, and four-ink JPEGs
// are converted without a colour profile. The size is checked before anything
// is decoded. Every failure is a *FileError with one sentence for a person.
func LoadImage(path string) (*image.RGBA, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	return LoadBytes(data)
}

// ReadFile reads a file that should be a photo, up to 512 MB. Every failure is a
// *FileError.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, refuse(fs.ErrNotExist, "没有这个文件。", "There is no such file.")
		case errors.Is(err, fs.ErrPermission):
			return nil, refuse(fs.ErrPermission, "没有权限读取这个文件。", "There is no permission to read this file.")
		}
		return nil, refuse(err, "无法打开这个文件。", "The file cannot be opened.")
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, refuse(err, "无法读取这个文件。", "The file cannot be read.")
	}
	if st.IsDir() {
		return nil, refuse(fs.ErrInvalid, "这是一个文件夹，不是照片。", "This is a folder, not a photo.")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, refuse(err, "读取文件时出错。", "The file could not be read to its end.")
	}
	if len(data) > maxFileBytes {
		return nil, refuse(ErrTooLarge, "文件超过 512 MB，不是照片。", "The file is larger than 512 MB; it is no photo.")
	}
	return data, nil
}

// LoadBytes is LoadImage for a file's content.
func LoadBytes(data []byte) (*image.RGBA, error) {
	switch {
	case len(data) == 0:
		return nil, refuse(ErrDamaged, "文件是空的（0 字节）。", "The file is empty (0 bytes).")
	case bytes.HasPrefix(data, []byte("\xFF\xD8")):
		return loadJPEG(data)
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return loadPNG(data)
	}
	if name := otherFormat(data); name != "" {
		return nil, refuse(ErrUnsupported, "这是 "+name+" 文件，只接受 JPEG 或 PNG 照片。",
			"This is a "+name+" file; only JPEG and PNG photos are accepted.")
	}
	if isText(data) {
		return nil, refuse(ErrUnsupported, "这是文本文件，只接受 JPEG 或 PNG 照片。", "This is a text file; only JPEG and PNG photos are accepted.")
	}
	return nil, refuse(ErrUnsupported, "这不是照片文件，只接受 JPEG 或 PNG。", "This is not a photo file; only JPEG and PNG are accepted.")
}

// otherFormat names well-known kinds of file by their first bytes, so that a
// person sees what the file really is, whatever it is called.
func otherFormat(b []byte) string {
	at := func(i int, s string) bool { return len(b) >= i+len(s) && string(b[i:i+len(s)]) == s }
	switch {
	case at(0, "RIFF") && at(8, "WEBP"):
		return "WebP"
	case at(4, "ftyphei"), at(4, "ftyphev"), at(4, "ftypmif1"), at(4, "ftypmsf1"):
		return "HEIC"
	case at(4, "ftypavif"):
		return "AVIF"
	case at(4, "ftyp"):
		return "MP4"
	case at(0, "GIF8"):
		return "GIF"
	case at(0, "BM") && len(b) > 26 && binary.LittleEndian.Uint32(b[14:]) <= 124:
		return "BMP"
	case at(0, "II\x2a\x00"), at(0, "MM\x00\x2a"):
		return "TIFF"
	case at(0, "%PDF"):
		return "PDF"
	case at(0, "PK\x03\x04"):
		return "ZIP"
	}
	return ""
}

// isText tells by the beginning of a file; a rune cut at its end is no matter.
func isText(b []byte) bool {
	b = b[:min(len(b), 512)]
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 && len(b) >= utf8.UTFMax || r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
		b = b[n:]
	}
	return true
}

func tooLarge(w, h int) *FileError {
	return refuse(ErrTooLarge, fmt.Sprintf("图片尺寸 %d×%d 过大，最多 6400 万像素。", w, h),
		fmt.Sprintf("The picture is %d×%d pixels; at most 64 megapixels are accepted.", w, h))
}

func damaged(err error) *FileError {
	return refuse(errors.Join(ErrDamaged, err), "照片文件不完整或已损坏，请重新拍摄或重新拷贝。", "The photo file is truncated or damaged; take or copy it again.")
}

func loadJPEG(data []byte) (*image.RGBA, error) {
	in, err := Header(data)
	switch {
	case errors.Is(err, ErrTooLarge):
		return nil, tooLarge(in.Width, in.Height)
	case errors.Is(err, ErrUnsupported):
		return nil, unsupportedJPEG(err)
	case err != nil:
		return nil, damaged(err)
	}
	var m *image.RGBA
	if in.CMYK {
		m, err = loadCMYK(data)
	} else {
		m = &image.RGBA{}
		err = DecodeRGBA(m, data, Options{})
	}
	switch {
	case errors.Is(err, ErrUnsupported):
		return nil, unsupportedJPEG(err)
	case err != nil:
		return nil, damaged(err)
	}
	return Orient(m, Orientation(data)), nil
}

func unsupportedJPEG(err error) *FileError {
	return refuse(err, "这种 JPEG 编码无法读取，请另存为普通的 8 位 RGB JPEG。", "This kind of JPEG cannot be read; save it as a common 8-bit RGB JPEG.")
}

// loadCMYK converts four inks to RGB by coverage. Adobe's files, known by their
// APP14 segment, store the inks inverted.
func loadCMYK(data []byte) (*image.RGBA, error) {
	pix, w, h, err := decodeCMYK(data)
	if err != nil {
		return nil, err
	}
	inverted := false
	if list, err := segments(data); err == nil {
		for _, s := range list {
			inverted = inverted || s.marker == mAPP14 && bytes.HasPrefix(s.body(data), []byte("Adobe"))
		}
	}
	for i := 0; i+4 <= len(pix); i += 4 {
		c, m, y, k := uint32(pix[i]), uint32(pix[i+1]), uint32(pix[i+2]), uint32(pix[i+3])
		if !inverted {
			c, m, y, k = 255-c, 255-m, 255-y, 255-k
		}
		pix[i], pix[i+1], pix[i+2], pix[i+3] = uint8((c*k+127)/255), uint8((m*k+127)/255), uint8((y*k+127)/255), 255
	}
	return &image.RGBA{Pix: pix, Stride: 4 * w, Rect: image.Rect(0, 0, w, h)}, nil
}

func loadPNG(data []byte) (*image.RGBA, error) {
	c, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		// The decoder checks the size against its own limit first; read it here.
		if len(data) >= 24 {
			if w, h := binary.BigEndian.Uint32(data[16:]), binary.BigEndian.Uint32(data[20:]); uint64(w)*uint64(h) > MaxPixels && w < 1<<31 && h < 1<<31 {
				return nil, tooLarge(int(w), int(h))
			}
		}
		return nil, damaged(err)
	}
	if c.Width > maxSide || c.Height > maxSide || c.Width*c.Height > MaxPixels {
		return nil, tooLarge(c.Width, c.Height)
	}
	src, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, damaged(err)
	}
	b := src.Bounds()
	m := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(m, m.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(m, m.Rect, src, b.Min, draw.Over)
	return Orient(m, pngOrientation(data)), nil
}

// pngOrientation finds the orientation in an eXIf chunk before the pixels.
func pngOrientation(data []byte) int {
	for at := 8; at+12 <= len(data); {
		n := int64(binary.BigEndian.Uint32(data[at:]))
		kind := string(data[at+4 : at+8])
		if kind == "IDAT" || int64(at)+12+n > int64(len(data)) {
			break
		}
		if kind == "eXIf" {
			return max(parseEXIF(data[at+8:at+8+int(n)]).orientation, 1)
		}
		at += 12 + int(n)
	}
	return 1
}

// Orient turns a picture upright by its EXIF orientation, 1 to 8; any other
// value counts as 1. Orientation 1 returns m itself, the others a new picture.
func Orient(m *image.RGBA, orientation int) *image.RGBA {
	if orientation < 2 || orientation > 8 {
		return m
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	ow, oh := w, h
	if orientation >= 5 {
		ow, oh = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, ow, oh))
	for y := range oh {
		row := out.Pix[y*out.Stride:]
		for x := range ow {
			var sx, sy int
			switch orientation {
			case 2:
				sx, sy = w-1-x, y
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sx, sy = x, h-1-y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			copy(row[4*x:4*x+4], m.Pix[sy*m.Stride+4*sx:])
		}
	}
	return out
}

// Rotate turns a picture clockwise by 0, 90, 180 or 270 degrees.
func Rotate(m *image.RGBA, degrees int) (*image.RGBA, error) {
	switch degrees {
	case 0:
		return m, nil
	case 90:
		return Orient(m, 6), nil
	case 180:
		return Orient(m, 3), nil
	case 270:
		return Orient(m, 8), nil
	}
	return nil, fmt.Errorf("%w: a rotation of %d° is not 0, 90, 180 or 270", ErrOption, degrees)
}
