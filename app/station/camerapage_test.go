package station

import (
	"archive/zip"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// cameraPage opens the camera's page and waits for a measurement.
func (r *rig) cameraPage() booth.View {
	r.t.Helper()
	r.unlock("4071")
	r.st.Send(booth.OpenPage{Page: booth.PageCamera})
	return r.wait("a measurement", func(v booth.View) bool {
		return v.Operator != nil && v.Operator.Camera != nil && v.Operator.Camera.Reading.Measured
	})
}

// job asks for a job of the camera's page and waits for its end.
func (r *rig) job(job booth.CameraJob) *booth.CameraView {
	r.t.Helper()
	r.st.Send(booth.DoCamera{Job: job})
	taken := asked{f: func() {}, done: make(chan struct{})}
	r.st.inputs <- taken
	<-taken.done // the last job's words are gone by now
	v := r.wait("the end of "+string(job), func(v booth.View) bool {
		c := v.Operator.Camera
		return c.Busy == "" && c.Told != (booth.Text{})
	})
	return v.Operator.Camera
}

func TestCameraPageMeasures(t *testing.T) {
	r := newRig(t)
	c := r.cameraPage().Operator.Camera
	got := c.Reading
	if got.ID != "scene" || got.Name == "" || !strings.Contains(got.Mode, "1920×1080") || got.State.Level == "" || got.FPSIn <= 0 || got.Opens != 1 || !c.Can {
		t.Errorf("%+v", got)
	}
	if got.Focus <= 0 || got.Best < got.Focus || slices.Max(got.Histogram[:]) != 1 || got.BrightLevel == "" {
		t.Errorf("%+v", got)
	}
	if len(got.Settings) != 0 {
		t.Errorf("the simulated camera has settings: %+v", got.Settings)
	}
	shot := r.job(booth.CameraShot)
	if shot.Shot == nil || shot.Level != booth.OK || shot.Shot.Whole.Bounds().Dx() != sampleWidth || shot.Shot.Middle.Bounds() != image.Rect(0, 0, sampleMiddle, sampleMiddle) || len(shot.Shot.Facts) != 4 {
		t.Errorf("%+v", shot)
	}
	if hold := r.job(booth.CameraHold); hold.Level != booth.Note {
		t.Errorf("%+v", hold)
	}
	before := r.leftoverFiles()
	bundle := r.job(booth.CameraBundle)
	files := r.leftoverFiles()
	if bundle.Level != booth.OK || len(files) != len(before)+1 {
		t.Fatalf("%+v, files %q", bundle, files)
	}
	z, err := zip.OpenReader(files[len(files)-1])
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	if !slices.Contains(names, "watch.json") || slices.Contains(names, "picture.jpg") || !strings.Contains(bundle.Told.ZH, files[len(files)-1]) {
		t.Errorf("%q, %q", names, bundle.Told.ZH)
	}
	r.st.Send(booth.CloseOperator{})
	r.wait("the end of the page", func(v booth.View) bool { return v.Operator == nil })
	r.wait("the end of measuring", func(booth.View) bool { return !r.st.gauge.on.Load() })
}

// leftoverFiles are the bundles in the data directory.
func (r *rig) leftoverFiles() []string {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(r.dir, bundlesDir, "*.zip"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range files {
		if st, err := os.Stat(f); err != nil || st.Mode().Perm() != 0o600 {
			r.t.Errorf("%v, %v", st, err)
		}
	}
	return files
}

func TestCameraPageHoldsAndReleases(t *testing.T) {
	k := &knobbed{newStage(t, wall(300)), newKnobs()}
	dir := t.TempDir()
	r := newRigOn(t, dir, k.open)
	r.wait("the camera", func(booth.View) bool { return r.params.Camera.Status().State == camera.Streaming })
	c := r.cameraPage().Operator.Camera
	var auto []string
	for _, s := range c.Reading.Settings {
		if s.Auto {
			auto = append(auto, s.Title.EN)
		}
	}
	if len(c.Reading.Settings) != 4 || len(auto) != 3 {
		t.Errorf("settings %+v", c.Reading.Settings)
	}
	if held := r.job(booth.CameraHold); held.Level != booth.OK || !strings.Contains(held.Told.ZH, "请重拍空背景") || k.value(camera.ExposureMode) != camera.ExposureManual {
		t.Errorf("%+v", held)
	}
	if _, err := Profiles(dir).Load(k.id); err != nil {
		t.Error(err)
	}
	if free := r.job(booth.CameraRelease); free.Level != booth.OK || k.value(camera.WhiteAuto) != 1 {
		t.Errorf("%+v", free)
	}
	if _, err := Profiles(dir).Load(k.id); err == nil {
		t.Error("the profile stays")
	}
	k.replace(k.id) // unplugged: the page says so and goes on
	r.wait("the camera again", func(v booth.View) bool {
		return v.Operator.Camera.Reading.Opens == 2 && v.Operator.Camera.Reading.Measured
	})
}

func TestDetailFollowsTheFocus(t *testing.T) {
	sharp := image.NewGray(image.Rect(0, 0, 300, 300))
	for i := range sharp.Pix {
		sharp.Pix[i] = uint8(100 + 60*((i/8+i/300/8)%2))
	}
	last := math.Inf(1)
	for _, blur := range []int{1, 5, 11} {
		soft := image.NewGray(sharp.Rect)
		for y := range 300 {
			for x := range 300 {
				sum := 0
				for dx := range blur {
					sum += int(sharp.GrayAt(min(x+dx, 299), y).Y)
				}
				soft.SetGray(x, y, color.Gray{uint8(sum / blur)})
			}
		}
		if d := detail(soft); d >= last || d <= 0 {
			t.Errorf("blurred over %d pixels it has %.2f, sharper it had %.2f", blur, d, last)
		} else {
			last = d
		}
	}
	for name, m := range map[string]*image.Gray{"black": image.NewGray(sharp.Rect), "tiny": image.NewGray(image.Rect(0, 0, 2, 2)), "none": {}} {
		if d := detail(m); d != 0 {
			t.Errorf("%s: %v", name, d)
		}
	}
}

func TestHistogram(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 100, 10))
	for i := range 1000 {
		c := color.RGBA{120, 120, 120, 255}
		switch {
		case i < 20:
			c = color.RGBA{255, 200, 200, 255}
		case i < 30:
			c = color.RGBA{0, 0, 0, 255}
		}
		m.SetRGBA(i%100, i/100, c)
	}
	bins, dark, bright := histogram(m)
	if bins[30] != 1 || bins[0] < .01 || dark != 1 || bright != 2 {
		t.Errorf("%v, dark %v, bright %v", bins, dark, bright)
	}
	if bins, _, _ := histogram(&image.RGBA{}); bins[0] != 0 {
		t.Error("bins of nothing")
	}
}

// The page's work for one measurement, beside the camera's thirty frames.
func BenchmarkCameraPage(b *testing.B) {
	m := image.NewRGBA(image.Rect(0, 0, 1920, 1080))
	for i := range m.Pix {
		m.Pix[i] = uint8(128 + i%7)
	}
	jpg, err := codec.EncodeRGBA(nil, m, 90, codec.S422)
	if err != nil {
		b.Fatal(err)
	}
	g := newGauge(nil)
	g.frame = camera.Frame{Data: jpg, Format: camera.MJPEG, Width: 1920, Height: 1080, Captured: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		var r booth.CameraReading
		if err := g.measure(&r); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCameraStateSaysWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		st    camera.Status
		level booth.Level
		says  string
	}{
		"well":      {camera.Status{State: camera.Streaming}, booth.OK, "OK"},
		"opening":   {camera.Status{State: camera.Opening}, booth.Note, "opening"},
		"unplugged": {camera.Status{State: camera.Absent, LastError: camera.ErrGone}, booth.Bad, "USB cable"},
		"stalled":   {camera.Status{State: camera.Stalled, LastError: camera.ErrStalled}, booth.Bad, "no picture"},
		"busy":      {camera.Status{State: camera.Faulted, LastError: camera.ErrBusy}, booth.Bad, "close it"},
		"failed":    {camera.Status{State: camera.Faulted, LastError: camera.ErrDriver}, booth.Bad, "reconnected"},
	} {
		if l := cameraState(c.st); l.Level != c.level || !strings.Contains(l.Text.EN, c.says) || l.Text.ZH == "" {
			t.Errorf("%s: %+v", name, l)
		}
	}
}
