package screen

import (
	"image"
	"image/color"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
)

// plain is a picture of one colour, as large as a portrait.
func plain(c color.RGBA) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 480, 640))
	for i := 0; i < len(img.Pix); i += 4 {
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = c.R, c.G, c.B, 255
	}
	return img
}

// split is the share of the photo's middle row that shows the portrait, as drawn.
func (b *testBench) split(t *testing.T, r *review) float64 {
	t.Helper()
	img := b.w.win.Canvas().Capture()
	at := rect{r.portrait.img.Position().X, r.portrait.img.Position().Y, r.portrait.img.Size().Width, r.portrait.img.Size().Height}
	y := int(at.y + at.h*0.25) // above the grip
	red, blue := 0, 0
	for x := int(at.x) + 1; x < int(at.x+at.w)-1; x++ {
		switch cr, _, cb, _ := img.At(x, y).RGBA(); {
		case cr > cb:
			red++
		case cb > cr:
			blue++
		}
	}
	return float64(red) / float64(max(1, red+blue))
}

func TestThePhotoIsComparedWithWhatTheCameraSaw(t *testing.T) {
	for _, name := range []string{"1280x800", "1920x1080", "1080x1920"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, testSizes[name])
			v := sample(t, false, "15-review")
			shot := *v.Shot
			shot.Portrait, shot.Before = plain(color.RGBA{R: 200}), plain(color.RGBA{B: 200})
			v.Shot = &shot
			b.w.Show(v)
			r, ok := b.w.current.(*review)
			if !ok {
				t.Fatal("no review")
			}
			near := func(what string, want float64) {
				t.Helper()
				if got := b.split(t, r); got < want-0.02 || got > want+0.02 {
					t.Errorf("%s: %.2f of the photo is seen, want %.2f", what, got, want)
				}
			}
			near("at rest", 1)
			at := r.compare.touch
			at.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(at.width*0.3, 50)}})
			near("drawn to the left", 0.3)
			b.w.Show(v) // the same photo again: the timer ticks
			near("after the next view", 0.3)
			at.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(-90, 50)}})
			near("drawn beyond the edge", 0)
			at.Tapped(nil)
			near("touched", 1)
			b.now = b.now.Add(time.Second)
			at.Tapped(nil)
			near("touched again", 0.5)
			for range 2 {
				b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
			}
			near("two keys to the left", 0.3)
			for range 9 {
				b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
			}
			near("keys to the right", 1)
			at.Tapped(nil)
			another := shot
			another.Before = plain(color.RGBA{B: 180})
			v.Shot = &another
			b.w.Show(v)
			near("another photo", 1)
			b.w.Show(sample(t, false, "01-idle"))
			if r.compare.over.src != nil {
				t.Error("the picture stayed after its student had left")
			}
		})
	}
}

// Without a photo, or with a picture of another crop, there is nothing to draw.
func TestNothingIsComparedWithoutAPhoto(t *testing.T) {
	b := newBench(t, testSizes["1280x800"])
	b.w.Show(sample(t, false, "16-review-refused"))
	r, ok := b.w.current.(*review)
	if !ok || r.compare.on() || r.compare.touch.Visible() || r.compare.grip.bg.Visible() {
		t.Fatal("there is a slider over no photo")
	}
	b.w.typedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	if r.compare.share != 1 {
		t.Error("a key moved it")
	}
}

func TestTheCursorIsHiddenFromFingers(t *testing.T) {
	b := newBench(t, testSizes["1280x800"])
	u := b.w.ui
	if u.moved() != desktop.DefaultCursor {
		t.Fatal("the cursor of a window on a desktop is touched")
	}
	u.pointer.hide = true
	b.w.Show(sample(t, false, "01-idle"))
	start := find(b.w, "start")
	step := func(d time.Duration) desktop.Cursor {
		b.now = b.now.Add(d)
		return u.moved()
	}
	for range 20 { // a finger every second, moving the pointer twice
		if step(time.Second) != desktop.HiddenCursor || step(10*time.Millisecond) != desktop.HiddenCursor {
			t.Fatal("the cursor is seen at a touch")
		}
		start.MouseDown(nil)
		start.MouseUp(nil)
	}
	start.MouseDown(nil)
	for range 50 { // drawn over the screen
		if step(10*time.Millisecond) != desktop.HiddenCursor {
			t.Fatal("the cursor follows a finger")
		}
	}
	start.MouseUp(nil)
	seen := desktop.Cursor(desktop.HiddenCursor)
	for range 2 * mouseTrain { // a mouse
		seen = step(10 * time.Millisecond)
	}
	if seen != desktop.DefaultCursor {
		t.Error("staff with a mouse see no cursor")
	}
	start.MouseDown(nil)
	start.MouseUp(nil)
	if step(2*time.Second) != desktop.HiddenCursor {
		t.Error("the cursor stays after the next touch")
	}
}
