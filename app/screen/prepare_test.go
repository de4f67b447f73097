package screen

import (
	"context"
	"testing"

	"fyne.io/fyne/v2"
)

// A screen that was never shown is placed before its student comes, and again
// when the window has another size.
func TestScreensAreMadeReadyBetweenFrames(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "01-idle"))
	guide, ok := b.w.screens["guide"].(*guide)
	if !ok || guide.root.Objects[0].Size().Width > 1 {
		t.Fatal("the rules are placed before anybody asked")
	}
	prepared := func() {
		ctx, stop := context.WithCancel(t.Context())
		b.w.all = append(b.w.all, lastScreen{stop, b.w.current})
		b.w.Prepare(ctx) // until the last screen stops it
		b.w.all = b.w.all[:len(b.w.all)-1]
	}
	prepared()
	first := guide.root.Objects[0].Size()
	if first.Width < 100 {
		t.Fatalf("the rules are not ready: %v", first)
	}
	b.w.win.Resize(fyne.NewSize(1920, 1080))
	prepared()
	if now := guide.root.Objects[0].Size(); now.Width <= first.Width {
		t.Errorf("the rules are ready for %v, as before the window grew", now)
	}
}

// lastScreen is a screen that ends a Prepare.
type lastScreen struct {
	stop context.CancelFunc
	screen
}

func (l lastScreen) layout(space) { l.stop() }
