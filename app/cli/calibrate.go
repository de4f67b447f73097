package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/calibrate"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// CalibrateCmd photographs the empty backdrop, judges it and the light, and
// keeps the plate.
type CalibrateCmd struct {
	DataFlag      `embed:""`
	Frames        string `help:"不用相机，取文件夹里的空背景照片（至少 8 张）/ Take the pictures of the empty booth from a folder (at least 8), not from a camera." type:"path" placeholder:"DIR"`
	Device        string `help:"相机标识、auto 或 scene / Identity, auto or scene (default: the settings)." placeholder:"ID"`
	Out           string `help:"底图写到哪里（默认：数据目录；用 --frames 时默认不写）/ Where to write the plate (default: the data directory; with --frames none)." type:"path" placeholder:"FILE"`
	Previous      string `help:"与这份旧底图比较（默认：数据目录里的）/ Earlier plate to compare with (default: the data directory's)." type:"path" placeholder:"FILE"`
	Fresh         bool   `help:"换过背景或相机，不与旧底图比较 / The backdrop or the camera was moved: compare with nothing."`
	Card          string `help:"灰卡照片：在座位处举灰卡，盖住画面正中 / Picture of a grey card held at the seat over the middle of the picture." type:"path" placeholder:"FILE"`
	MountRotation int    `help:"相机安装角度（默认：设置）/ Degrees clockwise that turn the pictures upright (default: the settings)." enum:"-1,0,90,180,270" default:"-1" placeholder:"DEG"`
	JSON          bool   `help:"JSON。 / JSON." name:"json"`
}

// calibration is what the command works with once everything is validated.
type calibration struct {
	out      string // "": judge only
	rotation int
	frames   int
	previous *pipeline.Plate
	made     *calibrate.Calibrator
}

// Run exits with 0 when the plate is good, with 3 when it is refused.
func (c CalibrateCmd) Run(s *streams) error {
	return complain(s.err, c.run(s))
}

func (c CalibrateCmd) run(s *streams) error {
	job, err := c.prepare()
	if err != nil {
		return err
	}
	maker, err := pipeline.New(pipeline.Options{})
	if err != nil {
		return err
	}
	job.made = calibrate.New(calibrate.Options{Previous: job.previous, HasFace: maker.HasFace})
	if c.Card != "" {
		if err := job.setCard(c.Card); err != nil {
			return err
		}
	}
	info := matte.PlateInfo{}
	if c.Frames != "" {
		err = job.fromFolder(c.Frames)
	} else {
		info, err = c.fromCamera(job)
	}
	if err != nil {
		return err
	}
	plate, j, err := job.made.Finish(info)
	if err != nil {
		return err
	}
	kept := ""
	if plate != nil && job.out != "" {
		var b bytes.Buffer
		if err := plate.Encode(&b); err != nil {
			return err
		}
		if err := writeFile(job.out, b.Bytes()); err != nil {
			return fmt.Errorf("write plate: %w", err)
		}
		kept = job.out
	}
	if c.JSON {
		err = printJSON(s.out, calibrationReport(plate, j, kept))
	} else {
		err = printCalibration(s.out, plate, j, kept)
	}
	if err == nil && plate == nil {
		return exitError(exitRefused)
	}
	return err
}

// prepare settles the settings and what to compare with, before any work.
func (c CalibrateCmd) prepare() (*calibration, error) {
	job := &calibration{out: c.Out, rotation: c.MountRotation}
	stored := ""
	if c.Frames == "" {
		dir, cfg, err := c.load()
		if err != nil {
			return nil, fmt.Errorf("设置有误 / wrong settings: %w", err)
		}
		stored = filepath.Join(dir, station.PlateFile)
		job.frames = cfg.Camera.PlateFrames
		if job.rotation < 0 {
			job.rotation = cfg.Camera.MountRotation
		}
		if job.out == "" {
			job.out = stored
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return nil, fmt.Errorf("数据目录 / data directory: %w", err)
			}
		}
	}
	job.rotation = max(job.rotation, 0)
	if err := checkOutputs([]string{job.out}, nil); err != nil {
		return nil, err
	}
	if c.Fresh {
		return job, nil
	}
	path := c.Previous
	if path == "" {
		path = stored
	}
	if path == "" {
		return job, nil
	}
	p, err := readPlate(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.Previous == "":
	case err != nil && c.Previous == "":
		// The plate that is to be replaced; a damaged one is a reason to.
	case err != nil:
		return nil, usageError{"旧底图读不出来：" + path, "The earlier plate cannot be read: " + path + ": " + err.Error()}
	default:
		job.previous = p
	}
	return job, nil
}

// readPlate reads a plate file.
func readPlate(path string) (*pipeline.Plate, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return matte.DecodePlate(f)
}

// add takes in one picture, turned upright.
func (j *calibration) add(m *image.RGBA, at time.Time) error {
	turned, err := codec.Rotate(m, j.rotation)
	if err != nil {
		return fmt.Errorf("turn picture: %w", err)
	}
	return j.made.Add(turned, at)
}

// setCard takes the colour of the light from a picture of a grey card.
func (j *calibration) setCard(path string) error {
	m, err := loadPicture(path, "灰卡照片", "grey card")
	if err != nil {
		return err
	}
	if m, err = codec.Rotate(m, j.rotation); err != nil {
		return fmt.Errorf("turn picture: %w", err)
	}
	card, err := calibrate.ReadCard(m)
	if err != nil {
		return usageError{"画面正中没有看到灰卡：" + path + "。请在座位处把灰卡正对相机，盖住画面正中。", "There is no grey card in the middle of " + path + ". Hold it at the seat, facing the camera."}
	}
	j.made.SetCard(card)
	return nil
}

// fromFolder takes the folder's pictures in the order of their names.
func (j *calibration) fromFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return usageError{"读不了文件夹：" + dir, "The folder cannot be read: " + err.Error()}
	}
	var names []string
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".jpg", ".jpeg", ".png":
			if e.Type().IsRegular() {
				names = append(names, e.Name())
			}
		}
	}
	if len(names) == 0 {
		return usageError{"文件夹里没有照片：" + dir, "There are no pictures in the folder: " + dir}
	}
	if len(names) > matte.MaxPlateFrames {
		return usageError{fmt.Sprintf("照片太多，最多 %d 张。", matte.MaxPlateFrames), fmt.Sprintf("There are too many pictures; at most %d.", matte.MaxPlateFrames)}
	}
	slices.Sort(names)
	for _, name := range names {
		m, err := loadPicture(filepath.Join(dir, name), "空背景", "empty backdrop")
		if err != nil {
			return err
		}
		if err := j.add(m, time.Time{}); err != nil {
			return usageError{"空背景 " + name + " 无法使用（尺寸要一致）", err.Error()}
		}
	}
	return nil
}

// fromCamera takes frames from a camera that no station uses at the time.
func (c CalibrateCmd) fromCamera(j *calibration) (matte.PlateInfo, error) {
	dir, cfg, err := c.load()
	if err != nil {
		return matte.PlateInfo{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return matte.PlateInfo{}, fmt.Errorf("数据目录 / data directory: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return matte.PlateInfo{}, fmt.Errorf("数据目录 / data directory: %w", err)
	}
	if !got {
		return matte.PlateInfo{}, usageError{"云照站正在运行，请在它的窗口里（工作人员页面）重拍空背景。", "The station is running: photograph the backdrop from its staff page."}
	}
	defer func() { _ = lock.Unlock() }() // ends with the program at the latest
	device := c.Device
	if device == "" {
		device = cfg.Camera.Device
	}
	info := matte.PlateInfo{}
	err = withCamera(device, dir, camera.DefaultSettle, func(ctx context.Context, sup *camera.Supervisor) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		var f camera.Frame
		raw := &image.RGBA{}
		defer func() { f.Wipe(); clear(raw.Pix) }()
		for j.made.Frames() < j.frames {
			if err := sup.Latest(ctx, f.Seq, &f); err != nil {
				return fmt.Errorf("相机没有画面 / the camera gives no picture: %w", err)
			}
			if err := station.DecodeFrame(raw, &f); err != nil {
				continue // damaged; the next one comes
			}
			if err := j.add(raw, f.Captured); err != nil {
				return err
			}
		}
		info = matte.PlateInfo{TakenAt: time.Now(), Camera: station.CameraName(sup.Status().Identity.ID)}
		return nil
	})
	return info, err
}

// plateReport is a plate in JSON.
type plateReport struct {
	ID       string     `json:"id"`
	TakenAt  *time.Time `json:"taken_at"` // nil: unknown
	Camera   string     `json:"camera"`
	Width    int        `json:"width"`
	Height   int        `json:"height"`
	Frames   int        `json:"frames"`
	Exposure float64    `json:"exposure"` // mean linear luminance
	RedGain  float64    `json:"red_gain"` // over green
	BlueGain float64    `json:"blue_gain"`
	File     string     `json:"file,omitempty"`
}

type calibrationJSON struct {
	*calibrate.Judgement
	Plate *plateReport `json:"plate"` // nil: refused
}

func calibrationReport(p *pipeline.Plate, j *calibrate.Judgement, file string) calibrationJSON {
	r := calibrationJSON{Judgement: j}
	if p == nil {
		return r
	}
	r.Plate = &plateReport{
		ID: p.ID, Camera: p.Camera, Width: p.W, Height: p.H, Frames: p.Frames,
		Exposure: p.Exposure, RedGain: p.RedGain, BlueGain: p.BlueGain, File: file,
	}
	if !p.TakenAt.IsZero() {
		r.Plate.TakenAt = &p.TakenAt
	}
	return r
}

var calibrationMarks = map[calibrate.Status]string{
	calibrate.Pass: "✓", calibrate.Warn: "!", calibrate.Fail: "✗", calibrate.Unknown: "?",
}

// printCalibration says what was found, the worst first, and what became of it.
func printCalibration(w io.Writer, p *pipeline.Plate, j *calibrate.Judgement, file string) error {
	var b strings.Builder
	switch {
	case p == nil:
		b.WriteString("空背景不能用 / the plate is refused\n")
	case j.Verdict == calibrate.Pass:
		b.WriteString("空背景可用 / the plate is good\n")
	default:
		b.WriteString("空背景可用，但请看下面的提示 / the plate can be used, but read the notes\n")
	}
	for _, st := range []calibrate.Status{calibrate.Fail, calibrate.Warn, calibrate.Unknown, calibrate.Pass} {
		for _, f := range j.Findings {
			if f.Status != st {
				continue
			}
			value := ""
			if f.Value != nil {
				value = strings.TrimRight(fmt.Sprintf(" %.4g %s", *f.Value, f.Unit), " ")
			}
			fmt.Fprintf(&b, "  %s %s%s\n      %s\n      %s\n", calibrationMarks[st], f.ID, value, f.ZH, f.EN)
		}
	}
	l := j.Light
	fmt.Fprintf(&b, "灯光 / light: 左右 left-right %+.0f %%, 上下 top-bottom %+.0f %%, 曝光 exposure %+.1f 档 stops", l.LeftRight, l.TopBottom, l.Stops)
	if l.Neutral {
		fmt.Fprintf(&b, ", %.0f K, 偏色 tint %+.0f", l.Kelvin, l.Tint)
		if l.Card {
			b.WriteString(" (灰卡 grey card)")
		}
	}
	b.WriteString("\n")
	if p != nil {
		fmt.Fprintf(&b, "底图 / plate: %s  %d×%d  %d 帧 frames", p.ID, p.W, p.H, p.Frames)
		if file != "" {
			fmt.Fprintf(&b, "  → %s", file)
		}
		b.WriteString("\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print judgement: %w", err)
	}
	return nil
}

// storedPlate is the one plate file among what --plate names; nil: there are
// pictures only.
func storedPlate(paths []string) (*pipeline.Plate, error) {
	for _, path := range paths {
		begin := make([]byte, 8)
		f, err := os.Open(path)
		if err != nil {
			return nil, nil //nolint:nilerr // whoever reads it as a picture says what is wrong
		}
		n, _ := io.ReadFull(f, begin) // a shorter file is no plate
		_ = f.Close()
		if !matte.IsPlate(begin[:n]) {
			continue
		}
		if len(paths) > 1 {
			return nil, usageError{"底图文件只能给一个，不能与照片混用。", "Give one plate file, without pictures beside it."}
		}
		p, err := readPlate(path)
		if err != nil {
			return nil, usageError{"底图 " + path + " 已损坏或是旧版本，请重新拍摄空背景。", "The plate " + path + " is damaged or of an older version: photograph the backdrop again. " + err.Error()}
		}
		return p, nil
	}
	return nil, nil
}
