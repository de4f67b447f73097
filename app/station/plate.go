package station

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/yunzhao-station/yunzhao/app/booth"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/calibrate"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/sync/durable"
)

// PlateFile is the name of the picture of the empty booth in the data
// directory. It shows nobody.
const PlateFile = "plate.bin"

// maxPlateFile bounds what is read as a plate: a 4K one has about 50 MB.
const maxPlateFile = 256 << 20

// plateTimeout bounds a calibration. An idle machine needs three seconds for the
// automatics to settle and two for the frames and the arithmetic, a busy one ten
// times as many.
const plateTimeout = 2 * time.Minute

// plateMade brings a calibration's outcome to the loop.
type plateMade struct {
	plate *pipeline.Plate // nil: refused
	lines []booth.CalibrationLine
	stops *float64 // how bright the backdrop is, as calibrate.Dark; nil = not known
}

// problem is a calibration that found nothing because it could not look.
func problem(t booth.Text) plateMade {
	return plateMade{lines: []booth.CalibrationLine{{Level: booth.Bad, Text: t}}}
}

// loadPlate takes the stored plate; the simulated booth, which starts empty,
// is photographed afresh, because its light is another at each start.
func (s *Station) loadPlate(ctx context.Context) {
	if s.p.Simulated {
		s.calibrate(ctx, true)
		return
	}
	plate, err := LoadPlate(s.p.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		s.log.Error("stored plate not usable", "err", err)
		s.plateProblem = &booth.Text{
			ZH: "存着的空背景不能用了（已损坏，或是旧版本的）。背景前不要有人，然后按下面的按钮重新拍。",
			EN: "The stored picture of the backdrop is damaged or of an older version. With nobody before the backdrop, press the button below.",
		}
	default:
		s.plate = plate
		s.plateInUse()
		s.log.Info("plate loaded", "plate", plate.ID, "taken", plate.TakenAt, "camera", plate.Camera)
	}
}

// LoadPlate reads the stored plate of a data directory. Without one the error is
// fs.ErrNotExist.
func LoadPlate(dir string) (*pipeline.Plate, error) {
	data, err := durable.ReadFile(filepath.Join(dir, PlateFile), maxPlateFile)
	if err != nil {
		return nil, fmt.Errorf("station: read plate: %w", err)
	}
	plate, err := matte.DecodePlate(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("station: stored plate: %w", err)
	}
	return plate, nil
}

// StorePlate puts a plate into a data directory in the place of the one there,
// whole or not at all.
func StorePlate(dir string, p *pipeline.Plate) error {
	var buf bytes.Buffer
	if err := p.Encode(&buf); err != nil {
		return fmt.Errorf("station: encode plate: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(dir, PlateFile), buf.Bytes()); err != nil {
		return fmt.Errorf("station: store plate: %w", err)
	}
	return nil
}

// CameraName is a camera's identity as a plate keeps it. A serial number says
// enough; without one the port tells two cameras of a kind apart.
func CameraName(id string) string {
	model, _, port := strings.Cut(id, "@")
	if serial := model[strings.LastIndexByte(model, ':')+1:]; port && serial != "" && strings.Count(model, ":") >= 3 {
		return model
	}
	return id
}

// calibrate photographs the empty booth beside the loop. fresh leaves out the
// comparison with the plate in use.
func (s *Station) calibrate(ctx context.Context, fresh bool) {
	previous := s.plate
	if fresh {
		previous = nil
	}
	s.work.Go(func() {
		bounded, cancel := context.WithTimeout(ctx, plateTimeout)
		made := s.heldPlate(bounded, previous, fresh)
		cancel()
		if made.plate != nil {
			// Stored before it is used, and beside the loop: it is a few megabytes.
			if err := StorePlate(s.p.DataDir, made.plate); err != nil {
				s.log.Error("plate not kept for the next start", "err", err)
				made.lines = slices.Insert(made.lines, 0, booth.CalibrationLine{Level: booth.Warn, Text: booth.Text{
					ZH: "新的空背景没有写到磁盘，重新启动后要再拍一次。", EN: "The new plate was not written to disk; photograph it again after a restart.",
				}})
			}
		}
		select {
		case s.inputs <- made:
		case <-ctx.Done():
		}
	})
}

// heldPlate holds the camera's settings and takes the plate with them.
func (s *Station) heldPlate(ctx context.Context, previous *pipeline.Plate, fresh bool) plateMade {
	s.report(ctx, booth.CalibrationProgress{})
	held, line := s.holdCamera(ctx, fresh)
	made := s.takePlate(ctx, previous)
	for range exposureTries {
		if held == nil || held.Kept || made.stops == nil {
			break
		}
		changed, err := s.expose(ctx, held, *made.stops)
		if err != nil {
			s.log.Warn("exposure left as it is", "err", err)
		}
		if !changed {
			break
		}
		line = heldLine(held)
		made = s.takePlate(ctx, previous)
	}
	if line != nil {
		// Before the other lines of its level: what the camera refuses explains them.
		at := slices.IndexFunc(made.lines, func(l booth.CalibrationLine) bool {
			return l.Level != booth.Bad && (line.Level == booth.Warn || l.Level == booth.OK)
		})
		if at < 0 {
			at = len(made.lines)
		}
		made.lines = slices.Insert(made.lines, at, *line)
	}
	return made
}

// takePlate takes the frames and has them judged. It keeps one frame at a time.
func (s *Station) takePlate(ctx context.Context, previous *pipeline.Plate) plateMade {
	var (
		frame       camera.Frame
		raw, turned image.RGBA
		seq         = s.p.Camera.Status().Seq // only frames from now on
		name        string
		size        image.Point
		made        *calibrate.Calibrator
	)
	defer func() { // somebody may have been in the picture
		frame.Wipe()
		clear(raw.Pix)
		clear(turned.Pix)
		s.maker.Wipe()
	}()
	want := s.p.Config.Camera.PlateFrames
	for made == nil || made.Frames() < want {
		if err := s.p.Camera.Latest(ctx, seq, &frame); err != nil {
			return problem(booth.Text{ZH: "相机没有画面，空背景没有拍成。", EN: "The camera gives no picture; the backdrop was not photographed."})
		}
		seq = frame.Seq
		img, err := s.uprightFrame(&raw, &turned, &frame)
		if err != nil {
			continue // a damaged frame; the next one comes
		}
		now := CameraName(s.p.Camera.Status().Identity.ID)
		if made == nil || img.Rect.Size() != size || now != name { // the camera changed its mode, or is another: start again
			made, size, name = calibrate.New(calibrate.Options{Previous: previous, HasFace: s.maker.HasFace}), img.Rect.Size(), now
		}
		if err := made.Add(img, frame.Captured); err != nil {
			s.log.Error("calibration", "err", err)
			return problem(unexpected)
		}
		s.report(ctx, booth.CalibrationProgress{Got: made.Frames(), Want: want})
	}
	if c := s.card.recent(time.Now()); c != nil {
		made.SetCard(c)
	}
	plate, j, err := made.Finish(matte.PlateInfo{TakenAt: time.Now(), Camera: name})
	if err != nil {
		s.log.Error("calibration", "err", err)
		return problem(unexpected)
	}
	for _, f := range j.Findings {
		s.log.Info("calibration", "finding", f.ID, "status", string(f.Status), "value", valueOf(f.Value), "unit", f.Unit)
	}
	out := plateMade{plate: plate, lines: calibrationLines(j)}
	if i := slices.IndexFunc(j.Findings, func(f calibrate.Finding) bool { return f.ID == calibrate.Dark }); i >= 0 {
		out.stops = j.Findings[i].Value
	}
	return out
}

func valueOf(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

// calibrationLines are the findings for people, the worst first.
func calibrationLines(j *calibrate.Judgement) []booth.CalibrationLine {
	levels := map[calibrate.Status]booth.Level{
		calibrate.Fail: booth.Bad, calibrate.Warn: booth.Warn, calibrate.Unknown: booth.Note, calibrate.Pass: booth.OK,
	}
	order := []calibrate.Status{calibrate.Fail, calibrate.Warn, calibrate.Unknown, calibrate.Pass}
	found := slices.Clone(j.Findings)
	slices.SortStableFunc(found, func(a, b calibrate.Finding) int {
		return cmp.Compare(slices.Index(order, a.Status), slices.Index(order, b.Status))
	})
	lines := make([]booth.CalibrationLine, len(found))
	for i, f := range found {
		lines[i] = booth.CalibrationLine{ID: f.ID, Level: levels[f.Status], Text: booth.Text{ZH: f.ZH, EN: f.EN}}
	}
	return lines
}

// DecodeFrame decodes a camera's frame at full size, reusing dst's pixels.
func DecodeFrame(dst *image.RGBA, f *camera.Frame) error { return decodeFrame(dst, f) }

// uprightFrame decodes a frame at full size into raw and turns it upright into
// turned; it returns the one of them that holds the picture.
func (s *Station) uprightFrame(raw, turned *image.RGBA, f *camera.Frame) (*image.RGBA, error) {
	if err := decodeFrame(raw, f); err != nil {
		return nil, err
	}
	deg := s.p.Config.Camera.MountRotation
	w, h := raw.Rect.Dx(), raw.Rect.Dy()
	switch deg {
	case 0:
		return raw, nil
	case 90, 270:
		w, h = h, w
	}
	codec.ResizeRGBA(turned, w, h)
	turn(turned, raw, deg, false)
	return turned, nil
}

// plateArrived puts the new plate to work. A refused calibration changes
// nothing: the plate before, if there is one, stays.
func (s *Station) plateArrived(m plateMade) {
	if m.plate == nil {
		why := booth.Text{}
		if len(m.lines) > 0 {
			why = m.lines[0].Text
		}
		s.note("", "plate.refused", why.EN)
		s.plateProblem = &why
		s.apply(booth.CalibrationDone{Lines: m.lines})
		s.refreshHouse()
		return
	}
	s.plate, s.plateProblem, s.alarm = m.plate, nil, calibrate.Alarm{}
	s.note("", "plate.made", m.plate.ID)
	s.log.Info("plate made", "plate", m.plate.ID, "camera", m.plate.Camera)
	s.apply(booth.CalibrationDone{Accepted: true, Lines: m.lines})
	s.plateInUse()
	s.refreshHouse()
}

// plateInUse tells the desk which plate is in use and what has changed since.
func (s *Station) plateInUse() {
	ev := booth.PlateChanged{}
	if p := s.plate; p != nil {
		ev.Plate = booth.PlateView{ID: p.ID, TakenAt: p.TakenAt, Camera: p.Camera, Frames: p.Frames}
	}
	if c := s.alarm.Raised(); c.Cause != calibrate.None {
		ev.Alarm = &booth.Text{ZH: c.ZH, EN: c.EN}
	}
	s.apply(ev)
}

// plateMisfit is why the plate cannot be used with the camera as it is now; nil
// = it can, or there is no camera.
func (s *Station) plateMisfit() *booth.Text {
	st := s.p.Camera.Status()
	p := s.plate
	if p == nil || st.State != camera.Streaming {
		return nil
	}
	w, h := st.Mode.Width, st.Mode.Height
	if s.p.Config.Camera.MountRotation%180 != 0 {
		w, h = h, w
	}
	name := CameraName(st.Identity.ID)
	switch {
	case p.Camera != "" && name != "" && p.Camera != name:
		return &booth.Text{
			ZH: "换了相机：空背景是另一台相机拍的。背景前不要有人，然后按下面的按钮重新拍。",
			EN: "This is another camera than the one that photographed the backdrop. With nobody before it, press the button below.",
		}
	case p.W != w || p.H != h:
		return &booth.Text{
			ZH: fmt.Sprintf("相机画面现在是 %d×%d，空背景是 %d×%d。背景前不要有人，然后按下面的按钮重新拍。", w, h, p.W, p.H),
			EN: fmt.Sprintf("The camera now gives %d×%d, the backdrop was taken at %d×%d. With nobody before it, press the button below.", w, h, p.W, p.H),
		}
	}
	return nil
}
