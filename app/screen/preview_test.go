package screen

import (
	"image"
	"sync"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

func TestPreviewNeverHandsOutWhatTheScreenReads(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	p := b.w.Preview()
	seen := map[*image.RGBA]bool{}
	for seq := uint64(1); seq <= 50; seq++ {
		buf := p.Buffer(64, 36)
		if buf == nil || buf == p.front || buf == p.waiting {
			t.Fatalf("frame %d: the buffer is in use", seq)
		}
		seen[buf] = true
		p.Offer(buf, seq)
		if p.Shown() != seq {
			t.Fatalf("frame %d offered, %d shown", seq, p.Shown())
		}
	}
	if len(seen) > 3 {
		t.Errorf("%d buffers were made, want at most 3", len(seen))
	}
	if allocs := testing.AllocsPerRun(20, func() { p.Buffer(64, 36) }); allocs > 0 {
		t.Errorf("a buffer of the same size costs %.0f allocations", allocs)
	}
	if p.Buffer(0, 4) != nil || p.Buffer(4, -1) != nil {
		t.Error("a buffer without pixels was handed out")
	}
}

func TestPreviewLatestWins(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	p := b.w.Preview()
	p.pending.Store(true) // the interface goroutine is busy
	for seq := uint64(1); seq <= 9; seq++ {
		p.Offer(p.Buffer(8, 8), seq)
	}
	if p.Shown() != 0 {
		t.Fatal("a frame was shown while the interface was busy")
	}
	p.flip()
	if p.Shown() != 9 {
		t.Errorf("frame %d shown, want the newest, 9", p.Shown())
	}
	p.flip()
	if p.Shown() != 9 {
		t.Error("an empty update changed the frame")
	}
}

func TestPreviewFreezesOnTheShot(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	p := b.w.Preview()
	v := sample(t, false, "10-framing")
	b.w.Show(v)
	p.Offer(p.Buffer(8, 8), 41)
	v.State, v.Shot = booth.Shot, &booth.ShotView{Seq: 42}
	b.w.Show(v)
	p.Offer(p.Buffer(8, 8), 43)
	if p.Shown() != 41 {
		t.Fatalf("frame %d slid under the shot", p.Shown())
	}
	p.Offer(p.Buffer(8, 8), 42)
	if p.Shown() != 42 {
		t.Errorf("the taken frame is not the one on the screen: %d", p.Shown())
	}
	v.State, v.Shot = booth.Framing, nil
	b.w.Show(v)
	p.Offer(p.Buffer(8, 8), 44)
	if p.Shown() != 44 {
		t.Error("the picture stayed frozen after a retake")
	}
}

func TestANewStudentSeesNothingOfTheLast(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	p := b.w.Preview()
	v := sample(t, false, "15-review")
	b.w.Show(v)
	buf := p.Buffer(8, 8)
	for i := range buf.Pix {
		buf.Pix[i] = 0xAB
	}
	p.Offer(buf, 7)
	late := p.Buffer(8, 8) // being filled when the student leaves
	b.w.Show(sample(t, false, "06-eligible"))
	review, _ := b.w.screens[booth.Review].(*review)
	next := sample(t, false, "idle")
	b.w.Show(next)
	if review.portrait.src != nil || review.portrait.img.Image != nil || review.before.img.Image != nil {
		t.Error("a portrait stayed in a hidden screen")
	}
	for _, px := range buf.Pix {
		if px != 0 {
			t.Fatal("a preview buffer still holds the last student's picture")
		}
	}
	p.Offer(late, 8)
	if p.Shown() != 0 {
		t.Error("a late frame of the last student was shown")
	}
	name, _ := b.w.screens[booth.Eligible].(*eligible)
	if name.name.text != "" || name.claim.qr.url != "" {
		t.Error("the last student's name or code stayed in a hidden screen")
	}
}

func TestShowFromManyGoroutines(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.pending.Store(true) // a busy interface: only the newest view is kept
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				b.w.Show(booth.View{State: booth.Sealing})
				b.w.Targets()
			}
		})
	}
	wg.Wait()
	b.w.pending.Store(false)
	b.w.Show(sample(t, false, "idle"))
	if b.w.view.State != booth.Idle || b.w.next != nil {
		t.Errorf("state %q is shown", b.w.view.State)
	}
}

func TestUnknownStateExplainsItself(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(booth.View{State: "no-such-state"})
	if !b.w.fault.base().root.Visible() {
		t.Error("an unknown state left the screen as it was")
	}
}

func TestPreviewFillsItsRoom(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "10-framing"))
	w, h := b.w.PreviewSize()
	if w < 640 || h < 480 || w%2 != 0 || h%2 != 0 {
		t.Fatalf("the mirror asks for %d×%d", w, h)
	}
	b.w.Offer(b.w.Buffer(w, h), 1)
	got := b.w.preview.img.Size()
	if got.Width < float32(w)-1 || got.Height < float32(h)-1 {
		t.Errorf("a frame of the room's size is shown at %v, not %d×%d", got, w, h)
	}
	b.w.Offer(b.w.Buffer(900, 1600), 2) // a camera mounted upright
	if got = b.w.preview.img.Size(); got.Width >= got.Height || got.Height > float32(h)+1 {
		t.Errorf("an upright frame is shown at %v", got)
	}
	if b.w.Shown() != 2 {
		t.Errorf("frame %d is shown", b.w.Shown())
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	app := test.NewTempApp(t)
	for name, opts := range map[string]Options{
		"no way out": {},
		"too small":  {Size: image.Pt(320, 240), OnIntent: func(booth.Intent) {}},
	} {
		if w, err := New(app, opts); err == nil || w != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTheFirstFrameTakesThePlaceOfTheNotice(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	capture, _ := b.w.screens[booth.Framing].(*capture)
	for range 2 { // the second student's first frame has the same shape
		b.w.Show(sample(t, false, "10-framing"))
		if capture.waiting.a.text == "" {
			t.Fatal("nothing says that the picture is on its way")
		}
		b.w.Offer(b.w.Buffer(b.w.PreviewSize()), 1)
		if capture.waiting.a.text != "" || !b.w.preview.img.Visible() {
			t.Fatal("the notice stayed on top of the first frame")
		}
		b.w.Show(sample(t, false, "idle"))
	}
}
