package screen

import (
	"image"
	"slices"
	"sync"
	"sync/atomic"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// Preview shows live frames with the least delay: the latest frame wins, there
// is no queue, and the three buffers are reused for ever.
//
// One goroutine produces: it takes a Buffer of the preview's Size, fills it as it
// is to be seen, which is mirrored, and offers it. An offered buffer belongs to
// the Preview again.
type Preview struct {
	img *canvas.Image

	mu      sync.Mutex
	buffers [3]*image.RGBA
	front   *image.RGBA // what the screen reads
	waiting *image.RGBA // newest, not on the screen yet
	filling *image.RGBA // handed out by Buffer
	seq     uint64      // of waiting
	frozen  bool
	only    uint64      // while frozen, the one frame still let in
	still   uint64      // the frame that Still showed: no other is let in until framing; 0 = none
	late    *image.RGBA // was being filled when its student left: never shown

	pending atomic.Bool
	shown   atomic.Uint64
	count   atomic.Uint64 // frames put on the screen so far
	aspect  atomic.Uint64 // width<<32 | height of the frame on the screen
	size    atomic.Uint64 // the same of the room there is
	reshape func()        // the first frame, or one of a new shape; interface goroutine

	twins []twin // further places that show the very same picture; interface goroutine
}

// twin is another place where a preview's frames are shown.
type twin struct {
	img     *canvas.Image
	reshape func()
}

// also shows every frame in img too: the same picture, neither decoded nor copied
// again. reshape is told as the preview's own is. Interface goroutine.
func (p *Preview) also(img *canvas.Image, reshape func()) {
	p.twins = append(p.twins, twin{img, reshape})
}

func newPreview() *Preview {
	return &Preview{img: &canvas.Image{FillMode: canvas.ImageFillStretch, ScaleMode: canvas.ImageScaleFastest, CornerRadius: 14}}
}

// Buffer hands out a free w × h buffer whose content is undefined. It allocates
// only when the size changes. nil for sizes that are not positive.
func (p *Preview) Buffer(w, h int) *image.RGBA {
	if w <= 0 || h <= 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, b := range p.buffers {
		if b != nil && (b == p.front || b == p.waiting) {
			continue
		}
		if b == nil || b.Rect.Dx() != w || b.Rect.Dy() != h {
			b = image.NewRGBA(image.Rect(0, 0, w, h))
			p.buffers[i] = b
		}
		p.filling = b
		return b
	}
	return nil // cannot happen: three buffers, two in use
}

// owns tells whether img came from Buffer and may be offered here.
func (p *Preview) owns(img *image.RGBA) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return img != nil && (img == p.late || slices.Contains(p.buffers[:], img))
}

// Offer makes img the next frame to show; an older one still waiting is
// dropped. img should come from Buffer; a foreign image is shown too and must
// then never be written again. Any goroutine; never blocks.
func (p *Preview) Offer(img *image.RGBA, seq uint64) {
	if img == nil || img.Rect.Empty() {
		return
	}
	p.mu.Lock()
	stale := img == p.late
	if stale {
		p.late = nil
	}
	if img == p.filling {
		p.filling = nil
	}
	if stale || (p.frozen && seq != p.only) || (p.still != 0 && seq != p.still) {
		p.mu.Unlock()
		return
	}
	p.waiting, p.seq = img, seq
	p.mu.Unlock()
	if p.pending.CompareAndSwap(false, true) {
		fyne.Do(p.flip)
	}
}

// Still is Offer of the frame that was taken, and of none after it: the mirror
// stands still on what will be saved, however late the views come, until a
// student is framed anew.
func (p *Preview) Still(img *image.RGBA, seq uint64) {
	p.mu.Lock()
	p.only, p.still = seq, seq
	p.mu.Unlock()
	p.Offer(img, seq)
}

// flip puts the waiting frame on the screen. Interface goroutine.
func (p *Preview) flip() {
	p.pending.Store(false)
	p.mu.Lock()
	next, seq := p.waiting, p.seq
	if next == nil {
		p.mu.Unlock()
		return
	}
	p.front, p.waiting = next, nil
	p.mu.Unlock()
	shape := uint64(next.Rect.Dx())<<32 | uint64(next.Rect.Dy())
	reshaped := p.aspect.Swap(shape) != shape
	p.img.Image = next
	revealed := !p.img.Visible()
	setVisible(p.img, true)
	p.img.Refresh()
	p.shown.Store(seq)
	p.count.Add(1)
	if (reshaped || revealed) && p.reshape != nil {
		p.reshape()
	}
	for _, t := range p.twins {
		t.img.Image = next
		revealed := !t.img.Visible()
		setVisible(t.img, true)
		t.img.Refresh()
		if reshaped || revealed {
			t.reshape()
		}
	}
}

// Shown is the sequence number of the frame on the screen; 0 = none.
func (p *Preview) Shown() uint64 { return p.shown.Load() }

// Count is how many frames have been put on the screen since the start.
func (p *Preview) Count() uint64 { return p.count.Load() }

// Size is what a frame should have to fill the room that the mirror has on the
// screen, in physical pixels. Any goroutine. A frame of another shape is shown
// whole and smaller.
func (p *Preview) Size() (w, h int) {
	size := p.size.Load()
	return int(size >> 32), int(size & 0xFFFFFFFF)
}

// setRoom notes the room in physical pixels. Even numbers suit every decoder.
func (p *Preview) setRoom(w, h float32) {
	p.size.Store(uint64(max(0, w))&^1<<32 | uint64(max(0, h))&^1)
}

// ratio is width ÷ height of the frame on the screen, or of the room before the
// first.
func (p *Preview) ratio() float32 {
	shape := p.aspect.Load()
	if shape == 0 {
		shape = p.size.Load()
	}
	w, h := shape>>32, shape&0xFFFFFFFF
	if w == 0 || h == 0 {
		return 4.0 / 3
	}
	return float32(w) / float32(h)
}

// Clear takes the last frame off the screen and zeroes every buffer: nothing of
// the student who left stays in memory we own. Interface goroutine.
func (p *Preview) Clear() {
	p.mu.Lock()
	for i, b := range p.buffers {
		if b == nil {
			continue
		}
		if b == p.filling {
			p.buffers[i], p.late = nil, b // its producer is writing it: let it go
			continue
		}
		clear(b.Pix)
	}
	p.front, p.waiting, p.filling = nil, nil, nil
	p.still = 0
	p.mu.Unlock()
	p.shown.Store(0)
	p.aspect.Store(0)
	if p.img.Image != nil {
		blank(p.img)
	}
	for _, t := range p.twins {
		if t.img.Image != nil {
			blank(t.img)
		}
	}
}

// blank takes the picture off the screen.
func blank(img *canvas.Image) {
	img.Image = nil
	setVisible(img, false)
	img.Refresh()
}

// follow freezes the picture from the shot on, so that what is seen is the frame
// that was taken.
func (p *Preview) follow(v booth.View) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = v.State == booth.Shot || v.State == booth.Standardising
	switch {
	case v.State == booth.Framing || v.State == booth.Guide:
		p.still = 0
	case p.still != 0:
		p.only = p.still
		return
	}
	p.only = 0
	if p.frozen && v.Shot != nil {
		p.only = v.Shot.Seq
	}
}
