package screen

import (
	"image/color"
	"reflect"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"github.com/yunzhao-station/yunzhao/app/booth"
)

func TestCameraPageAsksForJobs(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "39-camera"))
	for id, job := range map[string]booth.CameraJob{
		"camera-shot": booth.CameraShot, "camera-bundle": booth.CameraBundle, "camera-hold": booth.CameraHold, "camera-release": booth.CameraRelease,
	} {
		b.now = b.now.Add(time.Second)
		b.tap(t, id)
		if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.DoCamera{Job: job}}) {
			t.Errorf("%s sent %#v", id, got)
		}
	}
	b.now = b.now.Add(time.Second)
	b.tap(t, "staff-back")
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.OpenPage{Page: booth.PageMenu}}) {
		t.Errorf("back sent %#v", got)
	}
	busy := sample(t, false, "39-camera-away")
	b.w.Show(busy)
	for _, id := range []string{"camera-shot", "camera-bundle", "camera-hold", "camera-release"} {
		if btn := find(b.w, id); btn == nil || btn.enabled {
			t.Errorf("%s can be pressed while a job is under way", id)
		}
	}
	busy = sample(t, false, "39-camera")
	v := *busy.Operator.Camera
	v.Can = false // a student is here
	busy.Operator.Camera = &v
	b.w.Show(busy)
	if find(b.w, "camera-hold").enabled || !find(b.w, "camera-bundle").enabled {
		t.Error("with a student here the settings may be changed, or no bundle be made")
	}
}

// The page has a live picture of its own: nothing of it reaches the student's
// screen, nor the other way round, and it is gone with the page.
func TestCameraPageHasItsOwnPicture(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	b.w.Show(sample(t, false, "39-camera"))
	w, h := b.w.PreviewSize()
	if w < 300 || h < 200 {
		t.Fatalf("room for %d×%d", w, h)
	}
	buf := b.w.Buffer(w, h)
	fillRoom(buf)
	b.w.Offer(buf, 3)
	if b.w.ui.aim.Shown() != 3 || b.w.preview.Shown() != 0 || b.w.Count() != 1 {
		t.Fatalf("aim shows %d, the mirror %d", b.w.ui.aim.Shown(), b.w.preview.Shown())
	}
	late := b.w.Buffer(w, h) // being filled while staff leave
	b.w.Show(sample(t, false, "32-operator-home"))
	if b.w.ui.aim.img.Image != nil || buf.RGBAAt(w/2, h/2) != (color.RGBA{}) {
		t.Error("the picture stays when the page is left")
	}
	b.w.Offer(late, 4)
	if b.w.ui.aim.img.Image != nil || b.w.preview.img.Image != nil {
		t.Error("a frame that came late is shown")
	}
	b.w.Show(sample(t, false, "10-framing"))
	w, h = b.w.PreviewSize()
	b.w.Offer(b.w.Buffer(w, h), 5)
	if b.w.Shown() != 5 || b.w.ui.aim.Shown() != 0 {
		t.Errorf("the mirror shows %d, aim %d", b.w.Shown(), b.w.ui.aim.Shown())
	}
}

func TestTestShotIsLookedAtAndPutAway(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	shot := sample(t, false, "39-camera-shot")
	b.w.Show(shot)
	p, ok := b.w.staff[booth.PageCamera].(*cameraPage)
	if !ok || p.whole.img.Image == nil || p.middle.img.Image == nil {
		t.Fatal("no test shot to see")
	}
	b.tap(t, "camera-shot") // now: the live picture
	if got := b.take(); len(got) != 1 || got[0] != (booth.Stay{}) || p.whole.img.Image != nil {
		t.Errorf("sent %#v, or the shot stays", got)
	}
	b.w.Show(shot) // the same view comes again five times a second
	if p.whole.img.Image != nil {
		t.Error("the shot comes back by itself")
	}
	b.now = b.now.Add(time.Second)
	b.tap(t, "camera-shot")
	if got := b.take(); !reflect.DeepEqual(got, []booth.Intent{booth.DoCamera{Job: booth.CameraShot}}) {
		t.Errorf("sent %#v", got)
	}
	b.w.Show(sample(t, false, "39-camera-shot")) // another one
	if p.whole.img.Image == nil {
		t.Error("the next shot is not shown")
	}
	b.w.Show(sample(t, false, "01-idle"))
	if p.whole.img.Image != nil || p.view.Shot != nil {
		t.Error("the shot stays when the page is left")
	}
}

func TestHistogramShowsLostDetail(t *testing.T) {
	b := newBench(t, fyne.NewSize(1280, 800))
	v := sample(t, false, "39-camera")
	b.w.Show(v)
	p, _ := b.w.staff[booth.PageCamera].(*cameraPage)
	at := func(x int) color.Color { return p.bins.At(x, histHeight-1) }
	if at(63) != color.Color(color.RGBA(colBad)) || at(50) != color.Color(color.RGBA(colBrand)) || p.bins.RGBAAt(50, 0).A == 0 || p.bins.RGBAAt(10, 0).A != 0 {
		t.Errorf("ends %v, middle %v", at(63), at(50))
	}
}
