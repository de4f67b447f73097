// Package scene is a booth without hardware: a lit backdrop, a person who
// walks in, sways and breathes before it, and a camera that sends what it sees
// as Motion JPEG, with noise, drifting exposure and, on request, every fault a
// real one has. The station is shown with it, its recovery is tried with it,
// and its matting is measured with it, because here the true coverage of every
// pixel is known.
//
// It must not know what becomes of the frames.
package scene

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/yunzhao-station/yunzhao/assets/people"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/mjpeg"
)

// walk is how long the person takes to come in or to leave.
const walk = 600 * time.Millisecond

// Booth is a simulated booth and the source that films it. As a source it
// belongs to one goroutine; SetOccupied and the fault switches may be used from
// any other, and so may Render and Sample.
//
// After Close, Open films the same booth again: occupancy and faults stay as
// they were set.
type Booth struct {
	o            Options
	luma, chroma *layer
	person       *image.RGBA // scaled to the frame, premultiplied
	origin       [2]float64  // of person, in frame pixels
	full         func() *layer
	id           camera.Identity

	// Owned by the goroutine that calls Next.
	raw    []byte
	canvas *image.YCbCr
	small  *image.YCbCr // for WrongSize
	lines  *lines
	timer  *time.Timer

	poke chan struct{} // wakes Next when a switch was thrown

	mu     sync.Mutex
	start  time.Time
	due    time.Time // when the next frame is exposed
	frame  uint64    // number of the last frame exposed
	walker walker
	faults faults
	closed bool
	count  camera.Counters
}

// faults are the switches.
type faults struct {
	frozen, unplugged, corrupt, wrongSize, dim bool
	slow                                       float64 // fps, 0 = as configured
}

var (
	_ camera.Source  = (*Booth)(nil)
	_ camera.Counter = (*Booth)(nil)
)

// New builds a booth and opens its camera.
func New(o Options) (*Booth, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Person == nil {
		if o.Person, err = people.Student(); err != nil {
			return nil, err
		}
	}
	b := &Booth{
		o:      o,
		id:     camera.Identity{ID: "scene", Name: "Simulated booth", Simulated: true},
		canvas: canvas(o.Width, o.Height, o.Chroma444),
		small:  canvas(o.Width/4*2, o.Height/4*2, o.Chroma444),
		lines:  newLines(o.Width),
		timer:  time.NewTimer(time.Hour),
		poke:   make(chan struct{}, 1),
		start:  time.Now(),
	}
	b.timer.Stop()
	b.due = b.start
	b.walker = walker{target: o.Occupied}
	if o.Occupied {
		b.walker.from = 1
	}
	if err := b.place(o.Person); err != nil {
		return nil, err
	}
	tile := texture(rand.New(rand.NewPCG(o.Seed, 1)))
	b.luma = b.newLayer(1, 1, tile)
	b.full = sync.OnceValue(func() *layer { return b.newLayer(2, 1, tile) })
	if o.Chroma444 {
		b.chroma = b.full()
	} else {
		b.chroma = b.newLayer(2, 2, tile)
	}
	return b, nil
}

// place scales the person and finds where it sits.
func (b *Booth) place(m image.Image) error {
	cut, ok := m.(*image.NRGBA)
	if !ok {
		cut = image.NewNRGBA(image.Rect(0, 0, m.Bounds().Dx(), m.Bounds().Dy()))
		draw.Draw(cut, cut.Rect, m, m.Bounds().Min, draw.Src)
	}
	crown := crownRow(cut)
	if crown < 0 {
		return errors.New("scene: the person's picture is fully transparent")
	}
	const headRoom, span = 0.14, 0.81 // of the frame's height
	k := b.o.Scale * span * float64(b.o.Height) / float64(cut.Rect.Dy()-crown)
	w := int(math.Round(k*float64(cut.Rect.Dx())/2)) * 2
	h := int(math.Round(k*float64(cut.Rect.Dy())/2)) * 2
	if w < 2 || h < 2 || w > 4*maxSide || h > 4*maxSide {
		return fmt.Errorf("scene: the person would be %d×%d pixels", w, h)
	}
	b.person = scaleTo(cut, w, h)
	b.origin = [2]float64{
		(float64(b.o.Width)-float64(w))/2 + b.o.OffsetX,
		headRoom*float64(b.o.Height) - k*float64(crown) + b.o.OffsetY,
	}
	return nil
}

// newLayer builds the layer of one (luma) or two (chroma) components, at the
// frame's resolution divided by div.
func (b *Booth) newLayer(parts, div int, tile []float32) *layer {
	l := &layer{w: b.o.Width / div, h: b.o.Height / div, parts: parts}
	person := b.person
	if div != 1 {
		person = scaleTo(b.person, b.person.Rect.Dx()/div, b.person.Rect.Dy()/div)
	}
	noise := b.o.Noise
	if parts == 2 {
		l.bias = 128
		noise *= 0.6
	}
	origin := [2]float64{b.origin[0] / float64(div), b.origin[1] / float64(div)}
	l.paintBackdrop(b.o, tile)
	l.setPerson(b.o, person, origin)
	if b.o.Shadow > 0 {
		l.setShadow(person, origin, float64(l.h)/1080)
	}
	l.setNoise(rand.New(rand.NewPCG(b.o.Seed, uint64(1+parts))), noise)
	return l
}

func canvas(w, h int, full bool) *image.YCbCr {
	ratio := image.YCbCrSubsampleRatio420
	if full {
		ratio = image.YCbCrSubsampleRatio444
	}
	return image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
}

// walker is the way in and out: a share of the way at a time, with a target.
type walker struct {
	target bool
	from   float64       // share of the way in at since: 0 outside, 1 seated
	since  time.Duration // scene time of the last change
}

// at tells the share of the way in at scene time t.
func (w walker) at(t time.Duration) float64 {
	d := float64(t-w.since) / float64(walk)
	if !w.target {
		d = -d
	}
	return min(max(w.from+d, 0), 1)
}

// slideFor turns the share of the way in into frame pixels to the right.
func (b *Booth) slideFor(in float64) float64 {
	ease := in * in * (3 - 2*in)
	// Far enough that the shadow's soft edge is outside too.
	return (1 - ease) * (float64(b.o.Width) - b.origin[0] + 60*float64(b.o.Height)/1080)
}

// SetOccupied has the person walk in or out.
func (b *Booth) SetOccupied(in bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.walker.target == in {
		return
	}
	now := b.sceneTime()
	b.walker = walker{target: in, from: b.walker.at(now), since: now}
}

// sceneTime is how long the scene has been going on.
func (b *Booth) sceneTime() time.Duration {
	if b.o.FreeRun {
		return b.frameTime(b.frame)
	}
	return time.Since(b.start)
}

func (b *Booth) frameTime(n uint64) time.Duration {
	return time.Duration(float64(n) / b.o.FPS * float64(time.Second))
}

// Occupied tells whether somebody is there or on the way in.
func (b *Booth) Occupied() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.walker.target
}

// Freeze stops the camera from sending anything, as a hung one does.
func (b *Booth) Freeze(on bool) { b.throw(func(f *faults) { f.frozen = on }) }

// Unplug pulls the cable: Next and Open fail with ErrGone.
func (b *Booth) Unplug() { b.throw(func(f *faults) { f.unplugged = true }) }

// Plug puts the cable back; the source must be opened again.
func (b *Booth) Plug() { b.throw(func(f *faults) { f.unplugged = false }) }

// Corrupt breaks every frame on its way: cut short, filled with zeros, garbage.
func (b *Booth) Corrupt(on bool) { b.throw(func(f *faults) { f.corrupt = on }) }

// WrongSize sends whole pictures of half the size.
func (b *Booth) WrongSize(on bool) { b.throw(func(f *faults) { f.wrongSize = on }) }

// Dim takes the lamps down: a photo comes out too dark for the rules.
func (b *Booth) Dim(on bool) { b.throw(func(f *faults) { f.dim = on }) }

// Slow sends fps frames a second; 0 ends it.
func (b *Booth) Slow(fps float64) { b.throw(func(f *faults) { f.slow = max(0, fps) }) }

func (b *Booth) throw(f func(*faults)) {
	b.mu.Lock()
	f(&b.faults)
	b.mu.Unlock()
	b.wake()
}

func (b *Booth) wake() {
	select {
	case b.poke <- struct{}{}:
	default:
	}
}

// Open films the booth again after Close. It has the shape of a
// camera.Opener, for a supervisor.
func (b *Booth) Open(ctx context.Context) (camera.Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.faults.unplugged {
		return nil, fmt.Errorf("scene: open: %w", camera.ErrGone)
	}
	b.closed, b.count = false, camera.Counters{}
	b.due = time.Now()
	return b, nil
}

// Identity is always "scene", and simulated.
func (b *Booth) Identity() camera.Identity { return b.id }

// Mode is MJPEG of the size and rate asked for.
func (b *Booth) Mode() camera.Mode {
	return camera.Mode{Format: camera.MJPEG, Width: b.o.Width, Height: b.o.Height, FPS: b.o.FPS}
}

// Counters counts since the last open.
func (b *Booth) Counters() camera.Counters {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count
}

// Close ends the filming; Next fails with ErrClosed until Open.
func (b *Booth) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.wake()
	return nil
}

// Next waits for the next exposure and copies it into dst. Frames that came
// due while nobody waited are dropped.
func (b *Booth) Next(ctx context.Context, dst *camera.Frame) error {
	deadline := time.Now().Add(b.o.Stall)
	for {
		shot, wait, err := b.expose(ctx)
		if err != nil {
			return err
		}
		if wait > 0 {
			left := time.Until(deadline)
			if left <= 0 {
				return fmt.Errorf("scene: %w: nothing for %v", camera.ErrStalled, b.o.Stall)
			}
			b.timer.Reset(min(wait, left))
			select {
			case <-ctx.Done():
			case <-b.poke:
			case <-b.timer.C:
			}
			continue
		}
		ok, err := b.shoot(shot, dst)
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		if time.Until(deadline) <= 0 {
			return fmt.Errorf("scene: %w: no valid frame for %v", camera.ErrStalled, b.o.Stall)
		}
	}
}

// exposure is one frame to be drawn.
type exposure struct {
	number   uint64
	at       time.Duration // scene time
	captured time.Time
	in       float64 // the walker's share of the way
	faults   faults
}

// expose tells what to film now, or how long to wait for the next exposure.
func (b *Booth) expose(ctx context.Context) (exposure, time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return exposure{}, 0, camera.ErrClosed
	case ctx.Err() != nil:
		return exposure{}, 0, context.Cause(ctx)
	case b.faults.unplugged:
		return exposure{}, 0, fmt.Errorf("scene: %w", camera.ErrGone)
	case b.faults.frozen:
		return exposure{}, time.Hour, nil
	}
	e := exposure{faults: b.faults}
	if b.o.FreeRun {
		b.frame++
		e.at = b.frameTime(b.frame)
		e.captured = b.start.Add(e.at)
	} else {
		fps := b.o.FPS
		if b.faults.slow > 0 {
			fps = min(fps, b.faults.slow)
		}
		every := time.Duration(float64(time.Second) / fps)
		now := time.Now()
		late := now.Sub(b.due)
		if late < 0 {
			// A slower rate may have been switched off since due was set.
			b.due = now.Add(min(-late, every))
			if late = now.Sub(b.due); late < 0 {
				return exposure{}, -late, nil
			}
		}
		missed := uint64(late / every)
		b.count.Dropped += missed
		b.frame += 1 + missed
		e.captured = b.due.Add(time.Duration(missed) * every)
		b.due = e.captured.Add(every)
		e.at = e.captured.Sub(b.start)
	}
	e.number = b.frame
	e.in = b.walker.at(e.at)
	return e, 0, nil
}

// shoot draws, encodes and checks one frame; false = it was invalid.
func (b *Booth) shoot(e exposure, dst *camera.Frame) (bool, error) {
	p := b.poseAt(e.at.Seconds(), b.slideFor(e.in), e.in > 0)
	b.paint(b.canvas, b.lines, p, e.number)
	picture := b.canvas
	if e.faults.dim {
		dim(picture)
	}
	if e.faults.wrongSize {
		shrink(b.small, b.canvas)
		picture = b.small
	}
	raw, err := b.o.Encode(b.raw[:0], picture, b.o.Quality)
	if err != nil {
		return false, fmt.Errorf("scene: encode frame: %w", err)
	}
	b.raw = raw
	if e.faults.corrupt {
		raw = spoil(raw, e.number)
	}
	info, err := mjpeg.Parse(raw)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil || info.Width != b.o.Width || info.Height != b.o.Height {
		b.count.Invalid++
		return false, nil
	}
	b.count.Delivered++
	*dst = camera.Frame{
		Data:     mjpeg.Append(dst.Data[:0], raw, info),
		Format:   camera.MJPEG,
		Width:    info.Width,
		Height:   info.Height,
		Seq:      e.number,
		Captured: e.captured,
	}
	return true, nil
}

// spoil breaks a picture in one of the ways that USB does.
func spoil(raw []byte, n uint64) []byte {
	switch n % 3 {
	case 0:
		return raw[:len(raw)/2]
	case 1:
		clear(raw[len(raw)/2:])
	default:
		for i := range raw {
			raw[i] = byte(mix(n + uint64(i)))
		}
	}
	return raw
}

// dimTo is what is left of each value in bad light: too dark for a rule, not for
// a portrait.
const dimTo = 0.45

func dim(img *image.YCbCr) {
	for i, y := range img.Y {
		img.Y[i] = uint8(float64(y) * dimTo)
	}
}

// shrink fills dst from the upper left of src.
func shrink(dst, src *image.YCbCr) {
	for y := range dst.Rect.Dy() {
		copy(dst.Y[y*dst.YStride:][:dst.Rect.Dx()], src.Y[y*src.YStride:])
	}
	for y := range len(dst.Cb) / dst.CStride {
		copy(dst.Cb[y*dst.CStride:][:dst.CStride], src.Cb[y*src.CStride:])
		copy(dst.Cr[y*dst.CStride:][:dst.CStride], src.Cr[y*src.CStride:])
	}
}

// paint fills img with what the camera sees in frame number n.
func (b *Booth) paint(img *image.YCbCr, ln *lines, p pose, n uint64) {
	key := mix(b.o.Seed ^ mix(n))
	for y := range b.luma.h {
		from, to := b.luma.row(ln, y, p, 1, b.o.Shadow)
		b.luma.expose(img.Y[y*img.YStride:][:b.luma.w], ln, 0, y, from, to, p.gain, b.luma.noiseRow(key, 0, y))
	}
	scale := float64(b.chroma.w) / float64(b.luma.w)
	for y := range b.chroma.h {
		from, to := b.chroma.row(ln, y, p, scale, b.o.Shadow)
		at := y * img.CStride
		b.chroma.expose(img.Cb[at:][:b.chroma.w], ln, 0, y, from, to, p.gain, b.chroma.noiseRow(key, 1, y))
		b.chroma.expose(img.Cr[at:][:b.chroma.w], ln, 1, y, from, to, p.gain, b.chroma.noiseRow(key, 2, y))
	}
}

// Sample fills img, or a new picture when img does not fit, with what the
// camera sees t into the scene, before the JPEG encoder: as Render, with the
// sensor noise of frame number n.
func (b *Booth) Sample(img *image.YCbCr, t time.Duration, occupied bool, n uint64) *image.YCbCr {
	if img == nil || img.Rect != b.canvas.Rect || img.SubsampleRatio != b.canvas.SubsampleRatio ||
		img.YStride != b.canvas.YStride || img.CStride != b.canvas.CStride {
		img = canvas(b.o.Width, b.o.Height, b.o.Chroma444)
	}
	b.paint(img, newLines(b.o.Width), b.poseAt(t.Seconds(), 0, occupied), n)
	return img
}

// Render gives the true picture t into the scene, with the person seated or
// absent: without noise, in full colour resolution and before the JPEG
// encoder; and the person's exact coverage of every pixel, which is zero
// throughout when absent.
func (b *Booth) Render(t time.Duration, occupied bool) (*image.RGBA, *image.Gray) {
	p := b.poseAt(t.Seconds(), 0, occupied)
	chroma := b.full()
	w, h := b.o.Width, b.o.Height
	img, alpha := image.NewRGBA(image.Rect(0, 0, w, h)), image.NewGray(image.Rect(0, 0, w, h))
	yl, cl := newLines(w), newLines(w)
	for y := range h {
		b.luma.whole(yl, y, p, b.o.Shadow)
		chroma.whole(cl, y, p, b.o.Shadow)
		row, cover := img.Pix[y*img.Stride:][:4*w], alpha.Pix[y*alpha.Stride:][:w]
		gain := float64(p.gain) / (1 << gainBits) / levelOne
		for x := range w {
			l, cb, cr := float64(yl.part[0][x])*gain, float64(cl.part[0][x])*gain, float64(cl.part[1][x])*gain
			row[4*x] = level(l + 1.402*cr)
			row[4*x+1] = level(l - 0.344136*cb - 0.714136*cr)
			row[4*x+2] = level(l + 1.772*cb)
			row[4*x+3] = 255
			cover[x] = uint8((yl.cover[x]*255 + coverOne/2) / coverOne)
		}
	}
	return img, alpha
}

func level(v float64) uint8 { return uint8(min(max(v+0.5, 0), 255)) }

// encodeStandard is the encoder of the standard library.
func encodeStandard(dst []byte, img *image.YCbCr, quality int) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	if err := jpeg.Encode(buf, img, &jpeg.Options{Quality: quality}); err != nil {
		return dst, err
	}
	return buf.Bytes(), nil
}
