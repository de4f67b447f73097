package station

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// patchwork is a picture without any symmetry.
func patchwork(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			i := m.PixOffset(x, y)
			m.Pix[i], m.Pix[i+1], m.Pix[i+2], m.Pix[i+3] = uint8(x*7), uint8(y*5), uint8(x*y+3*x), 255
		}
	}
	return m
}

// slowTurn turns clockwise a quarter at a time and then mirrors: the obvious way.
func slowTurn(src *image.RGBA, degrees int, mirror bool) *image.RGBA {
	for ; degrees > 0; degrees -= 90 {
		w, h := src.Rect.Dx(), src.Rect.Dy()
		next := image.NewRGBA(image.Rect(0, 0, h, w))
		for y := range h {
			for x := range w {
				next.SetRGBA(h-1-y, x, src.RGBAAt(x, y))
			}
		}
		src = next
	}
	if mirror {
		w, h := src.Rect.Dx(), src.Rect.Dy()
		next := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				next.SetRGBA(w-1-x, y, src.RGBAAt(x, y))
			}
		}
		src = next
	}
	return src
}

func TestTurnIsExact(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {5, 3}, {16, 9}, {7, 40}} {
		src := patchwork(size.X, size.Y)
		for _, degrees := range []int{90, 180, 270} {
			for _, mirror := range []bool{false, true} {
				want := slowTurn(src, degrees, mirror)
				dst := image.NewRGBA(want.Rect)
				turn(dst, src, degrees, mirror)
				if !bytes.Equal(dst.Pix, want.Pix) {
					t.Errorf("%v turned by %d°, mirrored %v: differs from the slow way", size, degrees, mirror)
				}
			}
		}
	}
}

// What the mirror shows must be what a person in front of it expects, however
// the camera is mounted: the upright frame, flipped.
func TestPreviewMirrorsEveryMounting(t *testing.T) {
	upright := patchwork(64, 48)
	for _, degrees := range []int{0, 90, 180, 270} {
		for _, format := range []camera.PixelFormat{camera.MJPEG, camera.YUYV} {
			t.Run(fmt.Sprintf("%d° %s", degrees, format), func(t *testing.T) {
				mounted := slowTurn(upright, (360-degrees)%360, false)
				f := encodedFrame(t, mounted, format)
				// The decoder at the same size, then the slow way, is the reference.
				decoded := image.NewRGBA(mounted.Rect)
				if err := decodePreview(decoded, &f, false); err != nil {
					t.Fatal(err)
				}
				want := slowTurn(decoded, degrees, true)
				if want.Rect != upright.Rect {
					t.Fatalf("the reference is %v", want.Rect)
				}
				p := newPreview(nil, nil, degrees)
				f.CopyTo(&p.frame)
				got := image.NewRGBA(want.Rect)
				for range 2 { // the second time with used buffers
					if err := p.draw(got); err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got.Pix, want.Pix) {
						t.Fatal("differs from the slow way")
					}
				}
				p.frame.Data = p.frame.Data[:3]
				if err := p.draw(got); err == nil {
					t.Error("a damaged frame was drawn")
				}
			})
		}
	}
}

func encodedFrame(t *testing.T, m *image.RGBA, format camera.PixelFormat) camera.Frame {
	t.Helper()
	w, h := m.Rect.Dx(), m.Rect.Dy()
	f := camera.Frame{Format: format, Width: w, Height: h, Seq: 1}
	if format == camera.MJPEG {
		jpg, err := codec.EncodeRGBA(nil, m, 95, codec.S444)
		if err != nil {
			t.Fatal(err)
		}
		f.Data = jpg
		return f
	}
	for i := 0; i < len(m.Pix); i += 8 {
		f.Data = append(f.Data, m.Pix[i]/2+50, m.Pix[i+2]/2+60, m.Pix[i+4]/2+50, m.Pix[i+1]/2+60)
	}
	return f
}

// filmed is a camera that gives the frames it is told to.
type filmed struct{ frames chan camera.Frame }

func (c filmed) Latest(ctx context.Context, _ uint64, dst *camera.Frame) error {
	select {
	case f := <-c.frames:
		f.CopyTo(dst)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c filmed) BySeq(uint64, *camera.Frame) bool { return false }

// mirror is a window that keeps what it is offered.
type mirror struct {
	w, h  int
	mu    sync.Mutex
	busy  bool
	sizes []image.Point
	seqs  []uint64

	stills []uint64
}

func (m *mirror) Show(booth.View)         {}
func (m *mirror) PreviewSize() (w, h int) { return m.w, m.h }

func (m *mirror) Count() uint64 { return 0 }
func (m *mirror) Shown() uint64 { return 0 }

func (m *mirror) Buffer(w, h int) *image.RGBA {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.busy {
		return nil
	}
	return image.NewRGBA(image.Rect(0, 0, w, h))
}

func (m *mirror) Offer(img *image.RGBA, seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sizes, m.seqs = append(m.sizes, img.Rect.Size()), append(m.seqs, seq)
}

func (m *mirror) Still(_ *image.RGBA, seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stills = append(m.stills, seq)
}

func TestPreviewShowsGoodFramesOnlyWhileOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam, win := filmed{make(chan camera.Frame)}, &mirror{w: 48, h: 30}
		p := newPreview(cam, win, 0)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { p.run(ctx); close(ended) }()
		synctest.Wait()
		good := encodedFrame(t, patchwork(80, 60), camera.MJPEG)
		film := func(seq uint64, f camera.Frame) {
			f.Seq = seq
			cam.frames <- f
			synctest.Wait()
		}
		select {
		case cam.frames <- good:
			t.Fatal("a preview that is off looks at the camera")
		default:
		}
		p.set(true)
		synctest.Wait()
		film(5, good)
		bad := good
		bad.Data = good.Data[:len(good.Data)/2]
		film(6, bad)
		win.mu.Lock()
		win.busy = true
		win.mu.Unlock()
		film(7, good)
		win.mu.Lock()
		win.busy = false
		win.mu.Unlock()
		film(8, good)
		if fmt.Sprint(win.seqs) != "[5 8]" {
			t.Errorf("frames %v were shown, want 5 and 8", win.seqs)
		}
		for _, s := range win.sizes {
			if got, want := float64(s.X)/float64(s.Y), 48./30; got < want-.05 || got > want+.05 {
				t.Errorf("a frame of %v was made for a mirror of 48×30", s)
			}
		}
		p.set(false)
		film(9, good) // was being waited for
		if len(p.frame.Data) != 0 {
			t.Error("the last student's frame stays in the preview")
		}
		stop()
		<-ended
	})
}
