package screen

import (
	"image"
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
