package station

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"strconv"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// shotDone brings a finished shot to the loop; frames and result belong to
// whoever takes it.
type shotDone struct {
	session string
	attempt int
	frame   camera.Frame
	burst   *burst // nil: the frame is one of the burst that the visit has
	result  *pipeline.Result
	problem *booth.Text
	took    time.Duration
}

// discard wipes a shot that nobody wants.
func (s *Station) discard(d *shotDone) {
	d.frame.Wipe()
	s.giveBurst(d.burst)
	d.burst = nil
	if d.result != nil {
		d.result.Wipe()
	}
}

// takeShot holds the frames around the one on screen and standardises the best
// beside the loop.
func (s *Station) takeShot(_ context.Context, e booth.TakeShot) {
	if !s.of(e.Session) {
		return
	}
	ctx := s.visit.ctx
	var seq uint64
	if s.p.Window != nil {
		seq = s.p.Window.Shown()
	}
	s.visit.expected = expected{attempt: e.Attempt}
	plate := s.plate
	s.work.Go(func() {
		began := time.Now()
		d := shotDone{session: e.Session, attempt: e.Attempt, burst: s.takeBurst()}
		if err := holdBurst(ctx, s.p.Camera, seq, s.p.Config.Capture.Burst, s.p.Camera.Status().FPS, d.burst); err != nil {
			d.problem = &booth.Text{ZH: "相机没有给出画面，请重拍。", EN: "The camera gave no picture. Please take another."}
			if ctx.Err() == nil {
				s.log.Warn("no frame for the shot", "session", e.Session, "err", err)
			}
		} else {
			d.burst.frames[s.judge(ctx, d.burst)].CopyTo(&d.frame)
			if s.preview != nil {
				s.preview.hold(&d.frame) // the mirror stops at the frame that is kept
			}
			s.report(ctx, booth.FrameTaken{Session: e.Session, Attempt: e.Attempt, Seq: d.frame.Seq, Burst: d.burst.views})
			s.develop(ctx, &d, e.Spec, plate)
		}
		d.took = time.Since(began)
		s.deliver(ctx, &d)
	})
}

// developPicked standardises another frame of the burst beside the loop.
func (s *Station) developPicked(_ context.Context, e booth.Develop) {
	if !s.of(e.Session) || s.visit.burst == nil {
		return
	}
	f := s.visit.burst.bySeq(e.Seq)
	if f == nil {
		return
	}
	d := shotDone{session: e.Session, attempt: e.Attempt}
	f.CopyTo(&d.frame)
	s.visit.expected = expected{attempt: e.Attempt, seq: e.Seq}
	ctx, plate := s.visit.ctx, s.plate
	s.work.Go(func() {
		began := time.Now()
		s.develop(ctx, &d, e.Spec, plate)
		d.took = time.Since(began)
		s.deliver(ctx, &d)
	})
}

// deliver hands the shot to the loop, unless its visit is over.
func (s *Station) deliver(ctx context.Context, d *shotDone) {
	select {
	case s.inputs <- d:
	case <-ctx.Done():
		s.discard(d)
	}
}

// holdFrame copies the frame with that sequence number, or the newest when the
// ring no longer has it (there is no screen).
func holdFrame(ctx context.Context, cam frames, seq uint64, dst *camera.Frame) error {
	if seq != 0 && cam.BySeq(seq, dst) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return cam.Latest(ctx, 0, dst)
}

func (s *Station) develop(ctx context.Context, d *shotDone, specID string, plate *pipeline.Plate) {
	sp, err := s.spec(specID)
	if err == nil {
		s.fullMu.Lock()
		began := time.Now()
		err = decodeFrame(&s.full, &d.frame)
		decoded := time.Since(began)
		if err == nil {
			d.result, err = s.maker.Standardize(ctx, pipeline.Input{
				Frame: &s.full, Plate: plate, Camera: CameraName(s.p.Camera.Status().Identity.ID),
				Spec: sp, Rotation: s.p.Config.Camera.MountRotation, Decode: decoded,
			})
		}
		clear(s.full.Pix)
		s.fullMu.Unlock()
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		s.log.Error("shot not standardised", "session", d.session, "err", err)
		t := unexpected
		d.problem = &t
	}
}

func decodeFrame(dst *image.RGBA, f *camera.Frame) error {
	if f.Format == camera.YUYV {
		return codec.DecodeYUYV(dst, f.Data, f.Width, f.Height)
	}
	return codec.DecodeRGBA(dst, f.Data, codec.Options{})
}

// spec loads a preset once.
func (s *Station) spec(id string) (*spec.Spec, error) {
	s.specMu.Lock()
	defer s.specMu.Unlock()
	if sp, ok := s.specs[id]; ok {
		return sp, nil
	}
	sp, err := spec.Load(id)
	if err != nil {
		return nil, fmt.Errorf("station: preset of the batch: %w", err)
	}
	s.specs[id] = sp
	return sp, nil
}

// shotArrived gives the shot to the visit it belongs to, or wipes it.
func (s *Station) shotArrived(ctx context.Context, d *shotDone) {
	if !s.of(d.session) || !s.visit.expected.is(d) {
		s.discard(d)
		return
	}
	v := s.visit
	if d.burst != nil {
		s.giveBurst(v.burst)
		v.burst = d.burst
	}
	v.frame.Wipe()
	if v.result != nil {
		v.result.Wipe()
	}
	v.attempt, v.frame, v.result = d.attempt, d.frame, d.result
	s.shotDrift(d.result)
	s.giveUp(v) // an earlier shot that could not be committed: a new shot is a new packet
	ev := booth.PortraitDone{
		Session: d.session, Attempt: d.attempt, Seq: d.frame.Seq, Problem: d.problem, TookMS: int(d.took.Milliseconds()), Verdict: string(pipeline.Fail),
	}
	if r := d.result; r != nil {
		ev.Checks, ev.Manual = checkLines(r.Report)
		ev.Verdict = measuredVerdict(r.Report)
		if r.Portrait != nil {
			ev.Portrait, ev.Before = r.Portrait, r.Before
		} else {
			t := firstFailure(r.Report)
			ev.Problem = &t
		}
	}
	s.carryOut(ctx, s.machine.Report(time.Now(), ev))
}

// checkLines splits a report into measured rules, the worst first, and those
// only a person can judge.
func checkLines(r pipeline.Report) (measured, manual []booth.CheckLine) {
	for _, want := range []pipeline.Status{pipeline.Fail, pipeline.Warn, pipeline.Unknown, pipeline.Pass, pipeline.Manual} {
		for _, c := range r.Checks {
			if c.Status != want {
				continue
			}
			line := checkLine(c)
			if want == pipeline.Manual {
				manual = append(manual, line)
			} else {
				measured = append(measured, line)
			}
		}
	}
	return measured, manual
}

// measuredVerdict is the report's verdict without the questions that are put to
// the operator on the same screen.
func measuredVerdict(r pipeline.Report) string {
	measured := pipeline.Report{}
	for _, c := range r.Checks {
		if c.Status != pipeline.Manual {
			measured.Checks = append(measured.Checks, c)
		}
	}
	measured.Summarise()
	return string(measured.Verdict)
}

func checkLine(c pipeline.Check) booth.CheckLine {
	line := booth.CheckLine{
		ID: c.ID, Title: booth.Text{ZH: c.TitleZH, EN: c.TitleEN}, Status: string(c.Status),
		Message: booth.Text{ZH: c.MessageZH, EN: c.MessageEN},
	}
	if c.Value != nil {
		line.Value = readable(*c.Value) + unitSuffix(c.Unit)
		line.Limit = readableLimit(c)
	}
	return line
}

// readable is a number with as many digits as a person can use.
func readable(v float64) string {
	digits := 2
	switch a := math.Abs(v); {
	case a >= 100 || v == math.Trunc(v):
		digits = 0
	case a >= 10:
		digits = 1
	}
	if t := strconv.FormatFloat(v, 'f', digits, 64); t != "-0.00" {
		return t
	}
	return "0"
}

func unitSuffix(unit string) string {
	switch unit {
	case "", "deg", "°":
		if unit == "" {
			return ""
		}
		return "°"
	case "%":
		return "%"
	}
	return " " + unit
}

func firstFailure(r pipeline.Report) booth.Text {
	for _, c := range r.Checks {
		if c.Status == pipeline.Fail {
			return booth.Text{ZH: c.MessageZH, EN: c.MessageEN}
		}
	}
	return unexpected
}
