package station

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// plateFile holds the picture of the empty booth. It shows nobody.
const plateFile = "plate.bin"

// plateTimeout bounds a calibration. An idle machine needs two seconds for the
// frames and the arithmetic, a busy one ten times as many.
const plateTimeout = time.Minute

// plateMade brings a calibration's outcome to the loop.
type plateMade struct {
	plate   *pipeline.Plate
	problem *booth.Text
}

// loadPlate takes the stored plate; the simulated booth, which starts empty,
// is photographed afresh, because its light is another at each start.
func (s *Station) loadPlate(ctx context.Context) {
	if s.p.Simulated {
		s.calibrate(ctx)
		return
	}
	f, err := os.Open(filepath.Join(s.p.DataDir, plateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		s.log.Error("stored plate not read", "err", err)
		return
	}
	defer func() { _ = f.Close() }()
	plate, err := matte.DecodePlate(f)
	if err != nil {
		s.log.Error("stored plate not usable", "err", err)
		return
	}
	s.plate = plate
	s.log.Info("plate loaded", "plate", plate.ID)
}

// calibrate photographs the empty booth beside the loop.
func (s *Station) calibrate(ctx context.Context) {
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, plateTimeout)
		defer cancel()
		made := s.takePlate(ctx)
		select {
		case s.inputs <- made:
		case <-ctx.Done():
		}
	})
}

func (s *Station) takePlate(ctx context.Context) plateMade {
	var frame camera.Frame
	var raw image.RGBA
	var seq uint64
	frames := make([]*image.RGBA, 0, s.p.Config.Camera.PlateFrames)
	for len(frames) < cap(frames) {
		if err := s.p.Camera.Latest(ctx, seq, &frame); err != nil {
			return plateMade{problem: &booth.Text{ZH: "相机没有画面，背景没有拍成。", EN: "The camera gives no picture; the backdrop was not photographed."}}
		}
		seq = frame.Seq
		img, err := s.uprightFrame(&raw, &frame)
		if err != nil {
			continue
		}
		if len(frames) > 0 && img.Rect != frames[0].Rect {
			frames = frames[:0] // the camera changed its mode: start again
		}
		frames = append(frames, img)
	}
	occupied, err := s.someoneThere(frames[0])
	if err != nil {
		s.log.Error("calibration", "err", err)
		return plateMade{problem: &unexpected}
	}
	if occupied {
		return plateMade{problem: &booth.Text{ZH: "背景前有人，请让开后再拍。", EN: "Somebody is before the backdrop. Please step aside and try again."}}
	}
	plate, err := pipeline.NewPlate(frames)
	if err != nil {
		s.log.Error("calibration", "err", err)
		return plateMade{problem: &unexpected}
	}
	return plateMade{plate: plate}
}

// uprightFrame decodes a frame at full size and turns it upright; raw is
// scratch.
func (s *Station) uprightFrame(raw *image.RGBA, f *camera.Frame) (*image.RGBA, error) {
	deg := s.p.Config.Camera.MountRotation
	if deg == 0 {
		raw = new(image.RGBA) // the frame is kept as it comes
	}
	if err := decodeFrame(raw, f); err != nil {
		return nil, err
	}
	return codec.Rotate(raw, deg)
}

// plateArrived puts the new plate to work and keeps it for the next start.
func (s *Station) plateArrived(m plateMade) {
	if m.problem != nil {
		s.note("", "plate.refused", m.problem.EN)
		s.plateProblem = m.problem
		s.apply(booth.CalibrationDone{Lines: []booth.CalibrationLine{{Level: booth.Bad, Text: *m.problem}}})
		s.refreshHouse()
		return
	}
	s.plate, s.plateProblem = m.plate, nil
	s.note("", "plate.made", m.plate.ID)
	if err := s.storePlate(m.plate); err != nil {
		s.log.Error("plate not kept for the next start", "err", err)
	}
	s.apply(booth.CalibrationDone{Accepted: true})
	s.refreshHouse()
}

func (s *Station) storePlate(p *pipeline.Plate) error {
	var buf bytes.Buffer
	if err := p.Encode(&buf); err != nil {
		return fmt.Errorf("station: encode plate: %w", err)
	}
	path := filepath.Join(s.p.DataDir, plateFile)
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("station: store plate: %w", err)
	}
	_, err = f.Write(buf.Bytes())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("station: store plate: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("station: store plate: %w", err)
	}
	return nil
}
