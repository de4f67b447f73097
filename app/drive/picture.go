package drive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"

	"github.com/jezek/xgb/xproto"
)

// pixelFormat is how the server packs the pixels of its root window.
type pixelFormat struct {
	order    binary.ByteOrder
	rowAlign int // bytes; each row of a picture starts at a multiple of it
}

// newPixelFormat accepts what every current server offers: 32 bits a pixel with
// 8 bits each of red, green and blue in the usual places.
func newPixelFormat(setup *xproto.SetupInfo, screen xproto.ScreenInfo) (pixelFormat, error) {
	bits, align := byte(0), byte(32)
	for _, f := range setup.PixmapFormats {
		if f.Depth == screen.RootDepth {
			bits, align = f.BitsPerPixel, f.ScanlinePad
		}
	}
	if bits != 32 {
		return pixelFormat{}, fmt.Errorf("a screen %d bits deep has %d bits a pixel, not 32", screen.RootDepth, bits)
	}
	for _, depth := range screen.AllowedDepths {
		for _, v := range depth.Visuals {
			if v.VisualId == screen.RootVisual && (v.RedMask != 0xff0000 || v.GreenMask != 0xff00 || v.BlueMask != 0xff) {
				return pixelFormat{}, errors.New("the screen's colours are not packed as 0xRRGGBB")
			}
		}
	}
	p := pixelFormat{order: binary.LittleEndian, rowAlign: int(align) / 8}
	if setup.ImageByteOrder == xproto.ImageOrderMSBFirst {
		p.order = binary.BigEndian
	}
	return p, nil
}

// unpack makes a width × height picture of the bytes of a GetImage reply.
func (p pixelFormat) unpack(data []byte, width, height int) (*image.RGBA, error) {
	stride := (4*width + p.rowAlign - 1) / p.rowAlign * p.rowAlign
	if len(data) < stride*height {
		return nil, fmt.Errorf("picture of %d×%d pixels has only %d bytes", width, height, len(data))
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		from, to := data[y*stride:], img.Pix[y*img.Stride:]
		for x := range width {
			v := p.order.Uint32(from[4*x:])
			to[4*x+0] = byte(v >> 16)
			to[4*x+1] = byte(v >> 8)
			to[4*x+2] = byte(v)
			to[4*x+3] = 0xff
		}
	}
	return img, nil
}

// Screenshot is what the whole screen shows now, without the pointer.
func (d *Display) Screenshot() (*image.RGBA, error) {
	img, err := d.grab(image.Rectangle{Max: d.Size()})
	if err != nil {
		return nil, fmt.Errorf("take a screenshot: %w", err)
	}
	return img, nil
}

// ScreenshotOf is what the screen shows now where the window is: other windows
// in front of it are in the picture, parts beyond the screen are not.
func (d *Display) ScreenshotOf(w Window) (*image.RGBA, error) {
	bounds, err := d.Bounds(w)
	if err != nil {
		return nil, fmt.Errorf("take a screenshot of a window: %w", err)
	}
	img, err := d.grab(bounds)
	if err != nil {
		return nil, fmt.Errorf("take a screenshot of a window: %w", err)
	}
	return img, nil
}

// grab reads a part of the screen.
func (d *Display) grab(r image.Rectangle) (*image.RGBA, error) {
	r = r.Intersect(image.Rectangle{Max: d.Size()})
	if r.Empty() {
		return nil, errors.New("nothing of it is on the screen")
	}
	reply, err := xproto.GetImage(d.conn, xproto.ImageFormatZPixmap, xproto.Drawable(d.screen.Root),
		int16(r.Min.X), int16(r.Min.Y), uint16(r.Dx()), uint16(r.Dy()), ^uint32(0)).Reply()
	if err != nil {
		return nil, ended(err)
	}
	return d.format.unpack(reply.Data, r.Dx(), r.Dy())
}

// SavePNG writes a picture to a file of mode 0600: a screenshot may show a
// person.
func SavePNG(path string, img image.Image) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("save screenshot: %w", err)
	}
	defer func() {
		if e := f.Close(); e != nil && err == nil {
			err = fmt.Errorf("save screenshot: %w", e)
		}
	}()
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(f, img); err != nil {
		return fmt.Errorf("save screenshot: %w", err)
	}
	return nil
}
