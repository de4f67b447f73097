package station

import (
	"context"
	"fmt"
	"image"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// coachEvery is the pace of live checks: often enough that a hint follows the
// student's movement, seldom enough that the preview keeps its frame rate on
// two cores.
const coachEvery = 90 * time.Millisecond

// watchCamera turns the supervisor's state into what the booth needs to know.
func (s *Station) watchCamera(ctx context.Context) {
	for {
		changed := s.p.Camera.Changed() // before the status, so that no change is missed
		s.report(ctx, cameraEvent(s.p.Camera.Status()))
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func cameraEvent(st camera.Status) booth.CameraChanged {
	switch st.State {
	case camera.Streaming:
		return booth.CameraChanged{Working: true}
	case camera.Absent:
		return booth.CameraChanged{Problem: booth.Text{
			ZH: "没有找到相机。请工作人员检查 USB 线是否插好。", EN: "No camera was found. Staff: please check the USB cable.",
		}}
	case camera.Stalled:
		return booth.CameraChanged{Problem: booth.Text{
			ZH: "相机没有画面，正在自动恢复。", EN: "The camera sends no picture; it is being restarted.",
		}}
	case camera.Opening, camera.Faulted:
	}
	return booth.CameraChanged{Problem: booth.Text{
		ZH: "相机断开了，正在自动重连，一般几秒就好。", EN: "The camera was disconnected and is being reconnected; this takes a few seconds.",
	}}
}

// coach evaluates the live picture while the student is framing and reports
// what to do, one hint at a time.
func (s *Station) coach(ctx context.Context) {
	var (
		frame  camera.Frame
		full   image.RGBA
		small  image.RGBA
		seq    uint64
		ticker = time.NewTicker(coachEvery)
		steady steadyHint
		active string
	)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		v := s.View()
		if (v.State != booth.Framing && v.State != booth.Countdown) || v.SessionID == "" {
			if active != "" {
				active, steady = "", steadyHint{}
				frame.Wipe()
				clear(full.Pix)
				clear(small.Pix)
			}
			continue
		}
		active = v.SessionID
		wait, cancel := context.WithTimeout(ctx, time.Second)
		err := s.p.Camera.Latest(wait, seq, &frame)
		cancel()
		if err != nil {
			continue
		}
		seq = frame.Seq
		sp, err := s.spec(s.specOf(active))
		if err != nil {
			continue
		}
		upright, err := s.reduce(&small, &full, &frame)
		if err != nil {
			continue
		}
		width := frame.Width
		if s.p.Config.Camera.MountRotation%180 != 0 {
			width = frame.Height
		}
		result, err := s.maker.Live(upright, width, sp)
		if err != nil {
			s.log.Warn("live checks", "err", err)
			continue
		}
		s.report(ctx, booth.LiveUpdate{Session: active, Live: steady.view(result)})
	}
}

// specOf is the preset of the session's batch.
func (s *Station) specOf(session string) string {
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	if s.view.SessionID == session && s.view.Student != nil {
		return s.view.Student.Spec
	}
	return ""
}

// reduce decodes the frame small and upright for the live checks.
func (s *Station) reduce(small, turned *image.RGBA, f *camera.Frame) (*image.RGBA, error) {
	size := pipeline.LiveSize(image.Pt(f.Width, f.Height))
	codec.ResizeRGBA(small, size.X, size.Y)
	if err := decodePreview(small, f, false); err != nil {
		return nil, err
	}
	deg := s.p.Config.Camera.MountRotation
	if deg == 0 {
		return small, nil
	}
	if deg == 180 {
		codec.ResizeRGBA(turned, size.X, size.Y)
	} else {
		codec.ResizeRGBA(turned, size.Y, size.X)
	}
	turn(turned, small, deg, false)
	return turned, nil
}

// hintHold is how many evaluations in a row a new hint must survive before it
// replaces the one on screen, so that hints do not flicker.
const hintHold = 3

// steadyHint holds the hint on screen until another has lasted.
type steadyHint struct {
	shown, next booth.LiveView
	seen        int
}

func (h *steadyHint) view(r pipeline.LiveResult) booth.LiveView {
	v := booth.LiveView{
		Hint: booth.Text{ZH: r.Hint.ZH, EN: r.Hint.EN}, Icon: r.Hint.Icon, Level: levelOf(r.Hint.Status), Ready: r.Ready,
	}
	if r.Face != nil {
		v.Face = &booth.FaceBox{X: r.Face.X, Y: r.Face.Y, W: r.Face.W, H: r.Face.H}
	}
	for _, c := range r.Checks {
		v.Checks = append(v.Checks, checkLine(c))
	}
	switch {
	case h.shown.Icon == "" || v.Icon == h.shown.Icon:
		h.seen = 0
	case v.Icon == h.next.Icon:
		if h.seen++; h.seen >= hintHold {
			h.seen = 0
		}
	default:
		h.next, h.seen = v, 1
	}
	if h.seen == 0 {
		h.shown = v
		return v
	}
	// The numbers are fresh, the sentence is still the old one.
	v.Hint, v.Icon, v.Level, v.Ready = h.shown.Hint, h.shown.Icon, h.shown.Level, h.shown.Ready && v.Ready
	return v
}

func levelOf(st pipeline.Status) booth.Level {
	switch st {
	case pipeline.Pass:
		return booth.OK
	case pipeline.Fail:
		return booth.Bad
	case pipeline.Warn, pipeline.Manual, pipeline.Unknown:
	}
	return booth.Warn
}

// someoneThere tells whether a face is in the picture.
func (s *Station) someoneThere(img *image.RGBA) (bool, error) {
	sp, err := s.spec(defaultSpec)
	if err != nil {
		return false, err
	}
	size := pipeline.LiveSize(img.Rect.Size())
	small := image.NewRGBA(image.Rect(0, 0, size.X, size.Y))
	defer clear(small.Pix)
	if err := codec.ScaleInto(small, img, false); err != nil {
		return false, fmt.Errorf("station: reduce picture: %w", err)
	}
	r, err := s.maker.Live(small, img.Rect.Dx(), sp)
	if err != nil {
		return false, fmt.Errorf("station: look for a face: %w", err)
	}
	return r.Face != nil, nil
}

// defaultSpec is the preset of pictures that belong to no batch.
const defaultSpec = "chsi"
