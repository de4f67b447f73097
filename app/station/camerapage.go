package station

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

const (
	// gaugePeriod is how often the camera's page measures: five times a second
	// follows a hand at the lens and costs little beside the preview.
	gaugePeriod = 200 * time.Millisecond
	// controlsEvery is how many measurements the camera is asked for its settings
	// after: USB cameras answer slowly.
	controlsEvery = 10
	// controlsLimit bounds one such question.
	controlsLimit = time.Second
	// gaugeWidth is the picture that brightness is measured on.
	gaugeWidth = 480
	// sampleWidth is the test shot on the page, and sampleMiddle the side of its
	// middle shown pixel by pixel.
	sampleWidth  = 960
	sampleMiddle = 480
	// bundleWatch is how long the camera is watched for a bundle.
	bundleWatch = 5 * time.Second
	// jobLimit bounds a job of the camera's page.
	jobLimit = time.Minute
)

// bundlesDir holds what staff exported for a fault report, below the data
// directory.
const bundlesDir = "diagnosis"

// gauge measures the camera's picture for its page. It runs beside everything
// else, does nothing while the page is closed, and owns its buffers.
type gauge struct {
	s    *Station
	on   atomic.Bool
	wake chan struct{}

	frame    camera.Frame
	small    *image.RGBA
	gray     image.Gray
	settings []booth.CameraSetting
	best     float64
	seq      uint64 // of the frame measured last
	reading  booth.CameraReading
	// shown is the screen's count of frames at the moment at.
	shown uint64
	at    time.Time
	out   float64
}

func newGauge(s *Station) *gauge { return &gauge{s: s, wake: make(chan struct{}, 1)} }

// set turns the measuring on or off; off costs nothing.
func (g *gauge) set(on bool) {
	if g.on.Swap(on) != on && on {
		select {
		case g.wake <- struct{}{}:
		default:
		}
	}
}

// run measures until ctx ends.
func (g *gauge) run(ctx context.Context) {
	tick := time.NewTicker(gaugePeriod)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		if !g.on.Load() {
			g.forget()
			tick.Stop()
			select {
			case <-ctx.Done():
				return
			case <-g.wake:
			}
			tick.Reset(gaugePeriod)
			n = 0
		}
		if n%controlsEvery == 0 {
			g.settings = g.ask(ctx)
		}
		g.s.report(ctx, booth.CameraMeasured{Reading: g.read(time.Now())})
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// forget wipes the picture that was measured last.
func (g *gauge) forget() {
	g.frame.Wipe()
	if g.small != nil {
		clear(g.small.Pix)
	}
	clear(g.gray.Pix)
	g.best, g.seq, g.reading, g.at, g.settings = 0, 0, booth.CameraReading{}, time.Time{}, nil
}

// read is one measurement.
func (g *gauge) read(now time.Time) booth.CameraReading {
	st := g.s.p.Camera.Status()
	r := g.reading
	r.Name, r.ID, r.Node, r.State = st.Identity.Name, st.Identity.ID, st.Identity.Node, cameraState(st)
	r.Mode = ""
	if st.Mode.Width > 0 {
		r.Mode = fmt.Sprintf("%s %d×%d, %.4g fps", st.Mode.Format, st.Mode.Width, st.Mode.Height, st.Mode.FPS)
	}
	r.FPSIn, r.FPSOut = st.FPS, g.shownRate(now)
	r.Dropped, r.Invalid, r.Repeated, r.Opens = st.Counters.Dropped, st.Counters.Invalid, st.Counters.Repeated, st.Opens
	r.Settings = g.settings
	switch {
	case st.State != camera.Streaming:
		r.Measured = false
	case st.Seq != g.seq && g.s.p.Camera.BySeq(st.Seq, &g.frame):
		g.seq = st.Seq
		if err := g.measure(&r); err != nil {
			g.s.log.Debug("camera page", "err", err) // a damaged frame; the next one comes
		}
	}
	g.reading = r
	return r
}

// cameraState is the lamp with what staff can do about it.
func cameraState(st camera.Status) booth.Lamp {
	l := cameraLamp(st)
	switch {
	case st.State == camera.Streaming || st.State == camera.Opening:
	case st.State == camera.Faulted && errors.Is(st.LastError, camera.ErrBusy):
		l.Text = booth.Text{ZH: "别的程序占着相机，请关掉它。", EN: "Another program has the camera: close it."}
	default:
		l.Text = cameraEvent(st).Problem
	}
	return l
}

// shownRate is how many frames a second came to the screen of late.
func (g *gauge) shownRate(now time.Time) float64 {
	if g.s.p.Window == nil {
		return 0
	}
	n := g.s.p.Window.Count()
	if g.at.IsZero() {
		g.shown, g.at, g.out = n, now, 0
	} else if d := now.Sub(g.at).Seconds(); d >= 1 {
		g.out = float64(n-g.shown) / d
		g.shown, g.at = n, now
	}
	return g.out
}

// measure fills in what the picture shows.
func (g *gauge) measure(r *booth.CameraReading) error {
	f := &g.frame
	w, h := gaugeWidth, max(1, gaugeWidth*f.Height/max(1, f.Width))
	if g.small == nil || g.small.Rect.Dx() != w || g.small.Rect.Dy() != h {
		g.small = image.NewRGBA(image.Rect(0, 0, w, h))
	}
	if err := decodePreview(g.small, f, false); err != nil {
		return err
	}
	r.Histogram, r.Dark, r.Bright = histogram(g.small)
	r.DarkLevel, r.BrightLevel = clippedLevel(r.Dark), clippedLevel(r.Bright)
	if err := decodeGray(&g.gray, f); err != nil {
		return err
	}
	r.Focus = detail(&g.gray)
	g.best = max(g.best, r.Focus)
	r.Best, r.Measured = g.best, true
	return nil
}

func decodeGray(dst *image.Gray, f *camera.Frame) error {
	if f.Format == camera.YUYV {
		return codec.GrayYUYV(dst, f.Data, f.Width, f.Height)
	}
	return codec.DecodeGray(dst, f.Data, codec.Options{FastDCT: true})
}

// Levels from and up to which a colour has no detail left, as a calibration has
// them.
const (
	clippedBright = 254
	clippedDark   = 1
)

// histogram counts luma in 64 bins, as shares of the fullest, and the pixels
// without detail in any colour, in per cent.
func histogram(m *image.RGBA) (bins [64]float32, dark, bright float64) {
	var n [64]int
	low, high := 0, 0
	for i := 0; i+4 <= len(m.Pix); i += 4 {
		r, g, b := m.Pix[i], m.Pix[i+1], m.Pix[i+2]
		n[(299*int(r)+587*int(g)+114*int(b))/1000>>2]++
		if max(r, g, b) >= clippedBright {
			high++
		}
		if min(r, g, b) <= clippedDark {
			low++
		}
	}
	most := slices.Max(n[:])
	if most == 0 {
		return bins, 0, 0
	}
	for i, v := range n {
		bins[i] = float32(v) / float32(most)
	}
	all := float64(len(m.Pix) / 4)
	return bins, 100 * float64(low) / all, 100 * float64(high) / all
}

// detail is how much fine detail the middle of the picture has: the mean square of
// the difference to the second next pixel, both ways, over the square of the mean
// (Brenner et al., 1976), in thousandths. The second next pixel tells edges from
// the noise of single ones.
func detail(m *image.Gray) float64 {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	x0, x1, y0, y1 := w/3, 2*w/3, h/3, 2*h/3
	if x1-x0 < 3 || y1-y0 < 3 {
		return 0
	}
	var sum, squares, n int64
	for y := y0; y < y1-2; y++ {
		row, below := m.Pix[y*m.Stride:][:w], m.Pix[(y+2)*m.Stride:][:w]
		for x := x0; x < x1-2; x++ {
			v := int64(row[x])
			dx, dy := int64(row[x+2])-v, int64(below[x])-v
			sum += v
			squares += dx*dx + dy*dy
			n++
		}
	}
	if sum == 0 {
		return 0
	}
	mean := float64(sum) / float64(n)
	return 1000 * float64(squares) / float64(n) / (mean * mean)
}

// ask reads the camera's settings; none where it has none or does not answer.
func (g *gauge) ask(ctx context.Context) []booth.CameraSetting {
	ctx, cancel := context.WithTimeout(ctx, controlsLimit)
	defer cancel()
	controls, err := g.s.p.Camera.Controls(ctx)
	if err != nil {
		return nil
	}
	return settingsWords(controls)
}

// settingsWords are the settings that a portrait depends on, as staff read them.
func settingsWords(controls []camera.Control) []booth.CameraSetting {
	at := func(name string) (camera.Control, bool) {
		i := slices.IndexFunc(controls, func(c camera.Control) bool { return c.Name == name })
		if i < 0 {
			return camera.Control{}, false
		}
		return controls[i], true
	}
	var out []booth.CameraSetting
	add := func(name, value string, auto bool) {
		out = append(out, booth.CameraSetting{Title: controlName(name), Value: value, Auto: auto})
	}
	if c, ok := at(camera.ExposureTime); ok {
		mode, has := at(camera.ExposureMode)
		add(c.Name, fmt.Sprintf("%.1f ms", float64(c.Value)/10), c.Inactive || has && mode.Value != camera.ExposureManual)
	}
	if c, ok := at(camera.Gain); ok {
		add(c.Name, fmt.Sprint(c.Value), c.Inactive)
	}
	if c, ok := at(camera.WhiteTemperature); ok {
		auto, has := at(camera.WhiteAuto)
		add(c.Name, fmt.Sprintf("%d K", c.Value), c.Inactive || has && auto.Value != 0)
	}
	if c, ok := at(camera.FocusDistance); ok {
		auto, has := at(camera.FocusAuto)
		add(c.Name, fmt.Sprint(c.Value), c.Inactive || has && auto.Value != 0)
	}
	if c, ok := at(camera.PowerLine); ok {
		hz, known := map[int32]string{camera.PowerLineOff: "–", camera.PowerLine50Hz: "50 Hz", camera.PowerLine60Hz: "60 Hz"}[c.Value]
		if !known {
			hz = fmt.Sprint(c.Value)
		}
		add(c.Name, hz, false)
	}
	return out
}

// runCamera does a job of the camera's page beside the loop.
func (s *Station) runCamera(ctx context.Context, job booth.CameraJob) {
	s.work.Go(func() {
		bounded, cancel := context.WithTimeout(ctx, jobLimit)
		defer cancel()
		done := booth.CameraDone{Job: job}
		switch job {
		case booth.CameraShot:
			done.Text, done.Level, done.Shot = s.testShot(bounded)
		case booth.CameraBundle:
			done.Text, done.Level = s.exportBundle(bounded)
		case booth.CameraHold:
			done.Text, done.Level = s.holdSeated(bounded)
		case booth.CameraCard:
			done.Text, done.Level = s.readCard(bounded)
		case booth.CameraRelease:
			done.Text, done.Level = s.releaseCamera(bounded)
		}
		s.report(ctx, done)
	})
}

var noPicture = booth.Text{ZH: "相机没有画面，请检查连接。", EN: "The camera gives no picture: check the cable."}

// testShot takes one frame as a photo's would be. It is kept nowhere.
func (s *Station) testShot(ctx context.Context) (booth.Text, booth.Level, *booth.CameraSample) {
	var frame camera.Frame
	var raw, turned image.RGBA
	defer func() {
		frame.Wipe()
		clear(raw.Pix)
		clear(turned.Pix)
	}()
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.p.Camera.Latest(ctx, s.p.Camera.Status().Seq, &frame); err != nil {
		return noPicture, booth.Bad, nil
	}
	img, err := s.uprightFrame(&raw, &turned, &frame)
	if err != nil {
		s.log.Warn("test shot", "err", err)
		return booth.Text{ZH: "这一帧坏了，请再试。", EN: "That frame was damaged: try again."}, booth.Warn, nil
	}
	took := time.Since(began)
	sample, err := sampleOf(img)
	if err != nil {
		s.log.Error("test shot", "err", err)
		return unexpected, booth.Bad, nil
	}
	_, dark, bright := histogram(img)
	fact := func(id, zh, en, value string, l booth.Level) {
		sample.Facts = append(sample.Facts, booth.StatusLine{ID: id, Title: booth.Text{ZH: zh, EN: en}, Lamp: booth.Lamp{Level: l, Text: booth.Text{ZH: value, EN: value}}})
	}
	fact("size", "大小", "Size", fmt.Sprintf("%d×%d, %d KB", frame.Width, frame.Height, len(frame.Data)>>10), booth.Note)
	fact("bright", "过亮", "Too bright", fmt.Sprintf("%.2f %%", bright), clippedLevel(bright))
	fact("dark", "过暗", "Too dark", fmt.Sprintf("%.2f %%", dark), clippedLevel(dark))
	fact("took", "用时", "Took", fmt.Sprintf("%d ms", took.Milliseconds()), booth.Note)
	return booth.Text{ZH: "试拍成功，没有保存。", EN: "A test shot was taken; it is kept nowhere."}, booth.OK, sample
}

// clippedLevel colours a share of pixels without detail by a calibration's limits.
func clippedLevel(percent float64) booth.Level {
	switch {
	case percent > 1:
		return booth.Bad
	case percent > .1:
		return booth.Warn
	}
	return booth.OK
}

// sampleOf makes the pictures of a test shot: the whole of it, and its middle
// pixel by pixel.
func sampleOf(img *image.RGBA) (*booth.CameraSample, error) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	whole := image.NewRGBA(image.Rect(0, 0, min(sampleWidth, w), max(1, h*min(sampleWidth, w)/w)))
	if err := codec.ScaleInto(whole, img, false); err != nil {
		return nil, fmt.Errorf("reduce the test shot: %w", err)
	}
	side := min(sampleMiddle, w, h)
	middle := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		copy(middle.Pix[y*middle.Stride:][:4*side], img.Pix[((h-side)/2+y)*img.Stride+4*((w-side)/2):])
	}
	return &booth.CameraSample{Whole: whole, Middle: middle}, nil
}

// exportBundle writes the diagnostic bundle into the data directory.
func (s *Station) exportBundle(ctx context.Context) (booth.Text, booth.Level) {
	name, err := s.writeBundle(ctx)
	if err != nil {
		s.log.Error("diagnostic bundle not written", "err", err)
		return booth.Text{ZH: "诊断包没有写成，请检查磁盘。", EN: "The diagnostic bundle could not be written: check the disk."}, booth.Bad
	}
	s.log.Info("diagnostic bundle written", "file", name)
	return booth.Text{
		ZH: "诊断包已存到 " + name + "，里面没有照片和学生信息。",
		EN: "The bundle is in " + name + "; it holds no picture and nothing about students.",
	}, booth.OK
}

func (s *Station) writeBundle(ctx context.Context) (name string, err error) {
	dir := filepath.Join(s.p.DataDir, bundlesDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("folder for the bundle: %w", err)
	}
	name = filepath.Join(dir, time.Now().Format("camera-20060102-150405.zip"))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("make the bundle: %w", err)
	}
	err = WriteBundle(ctx, f, BundleParams{Dir: s.p.DataDir, Version: s.p.Version, List: s.p.ListCameras, Camera: s.p.Camera, Watch: bundleWatch})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(name))
	}
	return name, nil
}

// holdSeated holds what the automatics find with somebody before the camera.
func (s *Station) holdSeated(ctx context.Context) (booth.Text, booth.Level) {
	_, line := s.holdCamera(ctx, true)
	switch {
	case line == nil:
		return booth.Text{ZH: "这台相机没有可以锁定的项目。", EN: "This camera has nothing to hold."}, booth.Note
	case line.Level == booth.OK:
		line.Text.ZH += "请重拍空背景。"
		line.Text.EN += " Photograph the backdrop anew."
	}
	return line.Text, line.Level
}

// releaseCamera forgets what the camera was held to and lets its automatics loose.
func (s *Station) releaseCamera(ctx context.Context) (booth.Text, booth.Level) {
	err := Profiles(s.p.DataDir).Remove(s.p.Camera.Status().Identity.ID)
	var outcomes []camera.Outcome
	if err == nil {
		outcomes, err = camera.Unlock(ctx, s.p.Camera)
	}
	switch {
	case errors.Is(err, camera.ErrFixed):
		return booth.Text{ZH: "这台相机没有可以锁定的项目。", EN: "This camera has nothing to hold."}, booth.Note
	case err != nil || len(camera.Refused(outcomes)) > 0:
		s.log.Warn("camera not released", "err", err, "refused", len(camera.Refused(outcomes)))
		return booth.Text{ZH: "相机没有全部回到自动，请拔下再插上。", EN: "Not everything is automatic again: unplug the camera and plug it in."}, booth.Warn
	}
	return booth.Text{ZH: "相机回到自动。照片之间可能不一致，请尽快重新锁定。", EN: "The camera is automatic again. Photos may differ from one another: hold it again soon."}, booth.OK
}
