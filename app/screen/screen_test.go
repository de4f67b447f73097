package screen

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

// bench is a window on the toolkit's test driver with a clock that stands still.
type testBench struct {
	w    *Window
	sent []booth.Intent
	now  time.Time
}

func newBench(t testing.TB, size fyne.Size) *testBench {
	t.Helper()
	b := &testBench{now: sampleNow}
	app := test.NewTempApp(t)
	w, err := New(app, Options{
		Size: image.Pt(int(size.Width), int(size.Height)), OnIntent: func(i booth.Intent) { b.sent = append(b.sent, i) },
		Clock: func() time.Time { return b.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.w = w
	b.w.Open()
	b.w.win.Resize(size)
	t.Cleanup(func() { b.w.win.Close() })
	return b
}

// TestDrawScreens writes every screen as a PNG when YUNZHAO_SCREENS names a
// directory; otherwise it only says so.
func TestDrawScreens(t *testing.T) {
	dir := os.Getenv("YUNZHAO_SCREENS")
	if dir == "" {
		t.Skip("set YUNZHAO_SCREENS to a directory to write pictures of every screen")
	}
	sizes := map[string]fyne.Size{"1920x1080": fyne.NewSize(1920, 1080), "1280x800": fyne.NewSize(1280, 800), "1080x1920": fyne.NewSize(1080, 1920)}
	want := os.Getenv("YUNZHAO_SIZE")
	for name, size := range sizes {
		if want != "" && want != name {
			continue
		}
		b := newBench(t, size)
		for _, lang := range []booth.Lang{booth.ZH, booth.EN} {
			for kind, list := range map[string][]Sample{"day": Samples(lang), "crowded": CrowdedSamples(lang)} {
				for _, s := range list {
					b.w.Show(s.View)
					if s.View.State == booth.Framing || s.View.State == booth.Countdown || s.View.State == booth.Standardising ||
						s.View.Operator != nil && s.View.Operator.Camera != nil && s.View.Operator.Camera.Reading.Measured {
						buf := b.w.Buffer(b.w.PreviewSize())
						fillRoom(buf)
						b.w.preview.frozen = false
						b.w.Offer(buf, 7)
					}
					out := filepath.Join(dir, fmt.Sprintf("%s-%s-%s-%s.png", name, lang, kind, s.Name))
					writePNG(t, out, b.w.win.Canvas().Capture())
				}
				b.w.chrome.onLeave()
				writePNG(t, filepath.Join(dir, fmt.Sprintf("%s-%s-%s-22-leave.png", name, lang, kind)), b.w.win.Canvas().Capture())
			}
		}
	}
}

func fillRoom(img *image.RGBA) {
	draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{205, 203, 198, 255}), image.Point{}, draw.Src)
	p := samplePortrait(color.RGBA{205, 203, 198, 255})
	at := image.Pt((img.Rect.Dx()-480)/2, img.Rect.Dy()-640)
	draw.Draw(img, image.Rectangle{Min: at, Max: at.Add(image.Pt(480, 640))}, p, image.Point{}, draw.Src)
}

func writePNG(t *testing.T, path string, img image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(f, img); err != nil {
		t.Fatal(err)
	}
}
