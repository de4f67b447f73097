package station

import (
	"context"
	"image"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/calibrate"
)

// watchPlateEvery is how often the empty booth is compared with its plate. A
// lamp that goes off is on the screen after four looks, long before the next
// student has found their number.
const watchPlateEvery = time.Second

// watchPlate compares the booth with its plate while nobody is there, on small
// pictures, so that a lamp that went off or a camera that was knocked is noticed
// before the next student sits down.
func (s *Station) watchPlate(ctx context.Context) {
	var (
		frame         camera.Frame
		small, turned image.RGBA
		plate         *pipeline.Plate
		watch         *calibrate.Watch
		seq           uint64
	)
	forget := func() {
		frame.Wipe()
		clear(small.Pix)
		clear(turned.Pix)
		if watch != nil {
			watch.Forget()
		}
	}
	defer forget()
	tick := time.NewTicker(watchPlateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if v := s.View(); v.State != booth.Idle || v.Calibration.State == booth.CalibrationRunning {
			forget()
			continue
		}
		var now *pipeline.Plate
		if !s.onLoop(ctx, func() {
			if s.plateMisfit() == nil {
				now = s.plate
			}
		}) {
			return
		}
		if now != plate {
			forget()
			plate, watch = now, nil
			if plate != nil {
				watch = calibrate.NewWatch(plate)
			}
		}
		if watch == nil {
			continue
		}
		wait, cancel := context.WithTimeout(ctx, watchPlateEvery)
		err := s.p.Camera.Latest(wait, seq, &frame)
		cancel()
		if err != nil {
			continue
		}
		seq = frame.Seq
		size := watch.Size()
		if s.p.Config.Camera.MountRotation%180 != 0 {
			size = image.Pt(size.Y, size.X)
		}
		upright, err := s.reduce(&small, &turned, &frame, size)
		if err != nil {
			continue
		}
		change, err := watch.Look(upright)
		if err != nil {
			s.log.Warn("watch over the backdrop", "err", err)
			continue
		}
		s.onLoop(ctx, func() {
			// Only if nobody has come and no other plate was made meanwhile.
			if s.plate == plate && s.machine.State() == booth.Idle && s.alarm.Note(change) {
				s.alarmChanged(change)
			}
		})
	}
}

// shotDrift raises the alarm for what a shot showed of the backdrop.
func (s *Station) shotDrift(r *pipeline.Result) {
	if r == nil || r.Report.Drift == nil || s.plate == nil || r.Report.Plate != s.plate.ID {
		return
	}
	if c := calibrate.OfCause(calibrate.Cause(r.Report.Drift.Cause), r.Report.Drift.Gain); s.alarm.Raise(c) {
		s.alarmChanged(c)
	}
}

// alarmChanged shows and records an alarm that was raised or has gone.
func (s *Station) alarmChanged(c calibrate.Change) {
	s.log.Warn("backdrop against its plate", "cause", string(c.Cause), "gain_r", c.Gain[0], "gain_g", c.Gain[1], "gain_b", c.Gain[2],
		"slope", c.Slope, "odd", c.Odd)
	s.note("", "plate.drift", string(c.Cause))
	s.plateInUse()
	s.refreshHouse()
}

// driftLamp is the few words for a lamp.
func driftLamp(c calibrate.Cause) booth.Text {
	switch c {
	case calibrate.Blackout:
		return booth.Text{ZH: "没有光", EN: "No light"}
	case calibrate.LampLeft:
		return booth.Text{ZH: "左灯暗了", EN: "Left lamp"}
	case calibrate.LampRight:
		return booth.Text{ZH: "右灯暗了", EN: "Right lamp"}
	case calibrate.LampUneven:
		return booth.Text{ZH: "灯光变了", EN: "Lamps changed"}
	case calibrate.Dimmer:
		return booth.Text{ZH: "光变暗", EN: "Dimmer"}
	case calibrate.Brighter:
		return booth.Text{ZH: "光变亮", EN: "Brighter"}
	case calibrate.WhiteBalance:
		return booth.Text{ZH: "颜色变了", EN: "Colours changed"}
	case calibrate.Moved:
		return booth.Text{ZH: "相机动过", EN: "Camera moved"}
	case calibrate.None, calibrate.Occupied:
	}
	return booth.Text{}
}
