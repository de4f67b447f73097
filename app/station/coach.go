package station

import (
	"context"
	"fmt"
	"image"
	"log/slog"
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
		s.onLoop(ctx, s.refreshHouse) // its lamp, and whether the door is open
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
	c := coaching{frames: s.p.Camera, view: s.View, judge: s.judgeLive, report: func(ev booth.LiveUpdate) { s.report(ctx, ev) }, log: s.log}
	c.run(ctx)
}

// coaching is the loop of the live checks. It owns its pictures: nothing is
// allocated a frame.
type coaching struct {
	frames frames
	view   func() booth.View
	judge  func(c *coaching, session string) (pipeline.LiveResult, error)
	report func(booth.LiveUpdate)
	log    *slog.Logger

	frame  camera.Frame
	turned image.RGBA
	small  image.RGBA
}

// run judges a fresh frame at each tick until ctx ends. A tick that finds no
// fresh frame or comes while the last frame is still being judged is left out.
func (c *coaching) run(ctx context.Context) {
	var (
		seq    uint64
		still  steady
		active string
		failed string
	)
	ticker := time.NewTicker(coachEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		v := c.view()
		if (v.State != booth.Framing && v.State != booth.Countdown) || v.SessionID == "" {
			if active != "" {
				active, still = "", steady{}
				c.wipe()
			}
			continue
		}
		if v.SessionID != active {
			active, still = v.SessionID, steady{}
		}
		wait, cancel := context.WithTimeout(ctx, time.Second)
		err := c.frames.Latest(wait, seq, &c.frame)
		cancel()
		if err != nil {
			continue
		}
		seq = c.frame.Seq
		result, err := c.judge(c, active)
		if err != nil {
			if msg := err.Error(); msg != failed { // not eleven times a second
				failed = msg
				c.log.Warn("live checks", "err", err)
			}
			continue
		}
		failed = ""
		c.report(booth.LiveUpdate{Session: active, Live: still.view(time.Now(), result)})
	}
}

func (c *coaching) wipe() {
	c.frame.Wipe()
	clear(c.turned.Pix)
	clear(c.small.Pix)
}

// judgeLive judges the frame that c holds by the session's preset.
func (s *Station) judgeLive(c *coaching, session string) (pipeline.LiveResult, error) {
	sp, err := s.spec(s.specOf(session))
	if err != nil {
		return pipeline.LiveResult{}, err
	}
	upright, err := s.reduce(&c.small, &c.turned, &c.frame, pipeline.LiveSize(image.Pt(c.frame.Width, c.frame.Height)))
	if err != nil {
		return pipeline.LiveResult{}, fmt.Errorf("decode frame: %w", err)
	}
	width := c.frame.Width
	if s.p.Config.Camera.MountRotation%180 != 0 {
		width = c.frame.Height
	}
	return s.maker.Live(upright, width, sp)
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

// reduce decodes the frame at the given size of the frame as it comes and
// returns it upright: in small, or in turned where the camera is mounted on its
// side. It is safe for concurrent use with different pictures.
func (s *Station) reduce(small, turned *image.RGBA, f *camera.Frame, size image.Point) (*image.RGBA, error) {
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
