package station

import (
	"context"
	"image"
	"sync"
	"sync/atomic"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// Window is what the station needs of the screen. Show and the preview methods
// may be called from any goroutine.
type Window interface {
	Show(booth.View)
	// PreviewSize is the size in pixels that a preview frame should have now.
	PreviewSize() (w, h int)
	// Buffer lends a free picture of that size; Offer puts it on screen.
	Buffer(w, h int) *image.RGBA
	Offer(img *image.RGBA, seq uint64)
	// Still is Offer of the frame that the mirror stops at: it is shown whatever
	// else is offered until the next student frames.
	Still(img *image.RGBA, seq uint64)
	// Count is how many frames came to the screen since the start.
	Count() uint64
	// Shown is the sequence number of the frame on screen, 0 when none is.
	Shown() uint64
}

// preview turns camera frames into mirrored pictures of just the size that the
// screen shows. It owns its buffers: nothing is allocated per frame.
type preview struct {
	frames   frames
	window   Window
	rotation int // degrees clockwise that turn the frame upright
	on       atomic.Bool
	wake     chan struct{}
	frame    camera.Frame
	turned   image.RGBA

	stillMu sync.Mutex
	still   camera.Frame // waits to be shown; without data: none
}

// frames is the supervisor as readers see it.
type frames interface {
	Latest(ctx context.Context, after uint64, dst *camera.Frame) error
	BySeq(seq uint64, dst *camera.Frame) bool
}

func newPreview(f frames, w Window, rotation int) *preview {
	return &preview{frames: f, window: w, rotation: rotation, wake: make(chan struct{}, 1)}
}

// hold has the mirror stop at frame f, which is copied.
func (p *preview) hold(f *camera.Frame) {
	p.stillMu.Lock()
	f.CopyTo(&p.still)
	p.stillMu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// letGo forgets a frame that was held and not shown yet.
func (p *preview) letGo() {
	p.stillMu.Lock()
	defer p.stillMu.Unlock()
	p.still.Wipe()
}

// held moves the frame that was held, if any, into p.frame.
func (p *preview) held() bool {
	p.stillMu.Lock()
	defer p.stillMu.Unlock()
	if len(p.still.Data) == 0 {
		return false
	}
	p.frame, p.still = p.still, p.frame
	p.still.Wipe()
	return true
}

// set turns the preview on or off; off costs nothing.
func (p *preview) set(on bool) {
	if p.on.Swap(on) != on && on {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// run shows frames until ctx ends: always the newest, never a queue.
func (p *preview) run(ctx context.Context) {
	var seq uint64
	for ctx.Err() == nil {
		if p.held() {
			p.show(p.window.Still)
			continue
		}
		if !p.on.Load() {
			p.frame.Wipe()
			clear(p.turned.Pix)
			select {
			case <-ctx.Done():
				return
			case <-p.wake:
			}
			continue
		}
		if err := p.frames.Latest(ctx, seq, &p.frame); err != nil {
			return
		}
		seq = p.frame.Seq
		p.show(p.window.Offer)
	}
}

// show draws the frame at the size of the mirror and hands it over; a damaged
// frame, or a screen still busy with the one before, keeps what is there.
func (p *preview) show(give func(*image.RGBA, uint64)) {
	w, h := p.window.PreviewSize()
	if w <= 0 || h <= 0 {
		return
	}
	if p.rotation == 0 && p.frame.Format == camera.MJPEG {
		w, h = codec.PreviewSize(p.frame.Width, p.frame.Height, w, h)
	}
	dst := p.window.Buffer(w, h)
	if dst == nil {
		return
	}
	if err := p.draw(dst); err != nil {
		return
	}
	give(dst, p.frame.Seq)
}

func (p *preview) draw(dst *image.RGBA) error {
	if p.rotation == 0 {
		return decodePreview(dst, &p.frame, true)
	}
	b := dst.Bounds()
	w, h := b.Dx(), b.Dy()
	if p.rotation == 90 || p.rotation == 270 {
		w, h = h, w
	}
	codec.ResizeRGBA(&p.turned, w, h)
	if err := decodePreview(&p.turned, &p.frame, false); err != nil {
		return err
	}
	turn(dst, &p.turned, p.rotation, true)
	return nil
}

func decodePreview(dst *image.RGBA, f *camera.Frame, mirror bool) error {
	if f.Format == camera.YUYV {
		return codec.PreviewYUYVInto(dst, f.Data, f.Width, f.Height, mirror)
	}
	return codec.PreviewInto(dst, f.Data, mirror)
}

// turn turns src clockwise by 90, 180 or 270 degrees into dst, which has the
// turned size, and mirrors it where asked, in one pass.
func turn(dst, src *image.RGBA, degrees int, mirror bool) {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	for y := range h {
		row := dst.Pix[y*dst.Stride : y*dst.Stride+4*w]
		for x := range w {
			ux := x
			if mirror {
				ux = w - 1 - x
			}
			var sx, sy int
			switch degrees {
			case 90:
				sx, sy = y, w-1-ux
			case 180:
				sx, sy = w-1-ux, h-1-y
			default:
				sx, sy = h-1-y, ux
			}
			copy(row[4*x:4*x+4], src.Pix[sy*src.Stride+4*sx:sy*src.Stride+4*sx+4])
		}
	}
}
