package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/spec"
)

// ruleFlags is what every command that makes portraits shares: which backdrop,
// which rules.
type ruleFlags struct {
	Plate         []string `help:"空背景照片（可多次给出），或 calibrate 写的底图 / Photo of the empty backdrop, which may be repeated, or a plate that calibrate wrote." type:"path" sep:"none" placeholder:"FILE"`
	Spec          []string `help:"规格名或 .toml 文件，可用逗号分隔多个 / Standards by name or .toml file, separated by commas." default:"chsi" placeholder:"ID"`
	Background    string   `help:"换用另一背景：blue、white、grey、red，或 keep 保留原背景 / Another backdrop: blue, white, grey, red, or keep for the photographed one." placeholder:"NAME"`
	Camera        string   `help:"照片是哪台相机拍的；与底图不同就拒绝 / Identity of the camera that took the photo; another camera's plate is refused." placeholder:"ID"`
	MountRotation int      `help:"相机安装角度，顺时针转正所需度数 / Degrees clockwise that turn the camera's pictures upright." enum:"0,90,180,270" default:"0"`
}

// photoFlags is what standardize and check share.
type photoFlags struct {
	Frame string `arg:"" help:"照片文件 (JPEG 或 PNG) / The photo, JPEG or PNG." type:"path"`
	ruleFlags
}

// StandardizeCmd makes a standardised portrait from a frame.
type StandardizeCmd struct {
	photoFlags
	Out    string `help:"写到哪个 JPEG 文件 / The JPEG file to write." required:"" type:"path" placeholder:"FILE"`
	Report string `help:"把检查报告写成 JSON，- 为标准输出 / Write the report as JSON; - is standard output." placeholder:"FILE"`
	Alpha  string `help:"把透明度写成 8 位 PNG / Write the alpha as an 8-bit PNG." type:"path" placeholder:"FILE"`
	Force  bool   `help:"检查不通过也写出照片 / Write the photo even when a check fails."`
}

// Run makes one portrait a standard. The photo is written when no check failed,
// or with --force when there is one; the reports always are.
func (c StandardizeCmd) Run(s *streams) error {
	outputs := []string{c.Out, c.Alpha}
	if c.Report != "-" {
		outputs = append(outputs, c.Report)
	}
	job, err := c.prepare(outputs)
	if err != nil {
		return complain(s.err, err)
	}
	failed := false
	err = job.run(c.Force, func(r *pipeline.Result) error {
		defer r.Wipe()
		name := func(path string) string { return forSpec(path, r.Report.Spec, len(job.specs) > 1) }
		bad := r.Report.Verdict == pipeline.Fail
		failed = failed || bad
		return c.write(s, r, name, !bad || c.Force)
	})
	if err != nil {
		return complain(s.err, err)
	}
	if failed {
		return exitError(exitRefused)
	}
	return nil
}

func (c StandardizeCmd) write(s *streams, r *pipeline.Result, name func(string) string, wanted bool) error {
	photo := ""
	if wanted && r.JPEG != nil {
		photo = name(c.Out)
		if err := writeFile(photo, r.JPEG); err != nil {
			return fmt.Errorf("write photo: %w", err)
		}
	}
	if c.Alpha != "" && r.Alpha != nil {
		var b bytes.Buffer
		if err := png.Encode(&b, r.Alpha); err != nil {
			return fmt.Errorf("encode alpha: %w", err)
		}
		if err := writeFile(name(c.Alpha), b.Bytes()); err != nil {
			return fmt.Errorf("write alpha: %w", err)
		}
	}
	if c.Report == "-" {
		return printJSON(s.out, r.Report)
	}
	if c.Report != "" {
		var b bytes.Buffer
		if err := printJSON(&b, r.Report); err != nil {
			return err
		}
		if err := writeFile(name(c.Report), b.Bytes()); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	return printReport(s.out, r.Report, photo)
}

// forSpec puts the standard's id into a file name when there are several.
func forSpec(path, id string, several bool) string {
	if path == "" || !several {
		return path
	}
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + "-" + id + ext
}

// usageError is something that the caller of the command must mend.
type usageError struct{ zh, en string }

func (e usageError) Error() string { return e.zh + " / " + e.en }

// complain prints a usageError and turns it into its exit code; any other error
// is passed on.
func complain(w io.Writer, err error) error {
	var u usageError
	if !errors.As(err, &u) {
		return err
	}
	if _, werr := fmt.Fprintln(w, u.Error()); werr != nil {
		return fmt.Errorf("print complaint: %w", werr)
	}
	return exitError(exitUsage)
}

// photoJob is everything loaded and validated, before any work is done.
type photoJob struct {
	maker    *pipeline.Standardizer
	frame    *image.RGBA
	plate    *pipeline.Plate
	camera   string
	specs    []*spec.Spec
	rotation int
	decode   time.Duration
}

func (f photoFlags) prepare(outputs []string) (*photoJob, error) {
	j := &photoJob{rotation: f.MountRotation, camera: station.CameraName(f.Camera)}
	var err error
	if j.specs, err = f.standards(); err != nil {
		return nil, err
	}
	if err := checkOutputs(outputs, append([]string{f.Frame}, f.Plate...)); err != nil {
		return nil, err
	}
	start := time.Now()
	if j.frame, err = loadPicture(f.Frame, "照片", "photo"); err != nil {
		return nil, err
	}
	j.decode = time.Since(start)
	limitPhotoMemory(len(j.frame.Pix), 1)
	if j.plate, err = f.plate(); err != nil {
		return nil, err
	}
	if j.maker, err = pipeline.New(pipeline.Options{}); err != nil {
		return nil, err
	}
	return j, nil
}

// standards loads every standard that is named, each once.
func (f ruleFlags) standards() ([]*spec.Spec, error) {
	var list []*spec.Spec
	seen := map[string]bool{}
	for _, name := range f.Spec {
		sp, err := loadSpec(strings.TrimSpace(name), f.Background)
		if err != nil {
			return nil, err
		}
		if seen[sp.ID] {
			return nil, usageError{"规格 " + sp.ID + " 给出了两次。", "Standard " + sp.ID + " is given twice."}
		}
		seen[sp.ID] = true
		list = append(list, sp)
	}
	if len(list) == 0 {
		return nil, usageError{"没有给出规格。", "No standard is given."}
	}
	return list, nil
}

// plate makes one plate of all photos of the empty backdrop, none of which is
// kept; nil: there are none.
func (f ruleFlags) plate() (*pipeline.Plate, error) {
	if len(f.Plate) == 0 {
		return nil, nil
	}
	if p, err := storedPlate(f.Plate); p != nil || err != nil {
		return p, err
	}
	var b matte.PlateBuilder
	var size image.Rectangle
	for _, path := range f.Plate {
		m, err := loadPicture(path, "空背景", "empty backdrop")
		if err != nil {
			return nil, err
		}
		if m, err = codec.Rotate(m, f.MountRotation); err != nil {
			return nil, fmt.Errorf("turn empty backdrop: %w", err)
		}
		if b.N() > 0 && m.Rect != size {
			return nil, usageError{"几张空背景的尺寸不一致。", "The photos of the empty backdrop differ in size."}
		}
		size = m.Rect
		if err := b.Add(m); err != nil {
			return nil, usageError{"空背景 " + path + " 无法使用", err.Error()}
		}
	}
	p, err := b.Plate(matte.PlateInfo{})
	if err != nil {
		return nil, fmt.Errorf("make plate: %w", err)
	}
	return p, nil
}

// checkOutputs refuses, before any work, what could not be written or would
// overwrite an input.
func checkOutputs(outputs, inputs []string) error {
	for _, out := range outputs {
		if out == "" {
			continue
		}
		dir := filepath.Dir(out)
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			return usageError{"没有输出文件夹：" + dir, "There is no folder to write to: " + dir}
		}
		to, err := os.Stat(out)
		if err != nil {
			continue
		}
		if to.IsDir() {
			return usageError{"输出是一个文件夹：" + out, "The output is a folder: " + out}
		}
		for _, in := range inputs {
			if from, err := os.Stat(in); err == nil && os.SameFile(from, to) {
				return usageError{"输出会覆盖原照片：" + out, "The output would overwrite an input: " + out}
			}
		}
	}
	return nil
}

func loadSpec(name, background string) (*spec.Spec, error) {
	load := spec.Load
	if strings.HasSuffix(name, ".toml") {
		load = spec.LoadFile
	}
	sp, err := load(name)
	if err == nil {
		sp, err = sp.WithBackground(background)
	}
	if err != nil {
		return nil, usageError{"规格有误", err.Error()}
	}
	return sp, nil
}

func loadPicture(path, zh, en string) (*image.RGBA, error) {
	m, err := codec.LoadImage(path)
	var fe *codec.FileError
	switch {
	case errors.As(err, &fe):
		return nil, usageError{zh + " " + path + "：" + fe.ZH, en + " " + path + ": " + fe.EN}
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", en, err)
	}
	return m, nil
}

// run makes the portraits of all standards from one cut, in their order.
func (j *photoJob) run(force bool, each func(*pipeline.Result) error) error {
	err := j.maker.StandardizeAll(context.Background(), pipeline.Input{
		Frame: j.frame, Plate: j.plate, Camera: j.camera, Rotation: j.rotation, Force: force, Decode: j.decode,
	}, j.specs, each)
	if errors.Is(err, pipeline.ErrInput) {
		return errTooSmall
	}
	if err != nil {
		return fmt.Errorf("standardise: %w", err)
	}
	return nil
}

// errTooSmall is about a frame that no standard could use.
var errTooSmall = usageError{"照片太小，无法使用（每边至少 64 像素）。", "The photo is too small to be used (at least 64 px a side)."}

// writeFile puts data in place whole or not at all, readable by its owner only:
// it is somebody's picture.
func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".yunzhao-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

var statusWords = map[pipeline.Status]string{
	pipeline.Pass: "✓ 通过 pass", pipeline.Warn: "! 注意 warn", pipeline.Fail: "✗ 不通过 fail",
	pipeline.Manual: "? 人工 manual", pipeline.Unknown: "? 未知 unknown",
}

// printReport says what a person needs: the verdict, what did not pass, and
// where the photo is.
func printReport(w io.Writer, r pipeline.Report, photo string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.Spec, statusWords[r.Verdict])
	for _, st := range []pipeline.Status{pipeline.Fail, pipeline.Warn} {
		for _, c := range r.Checks {
			if c.Status == st {
				fmt.Fprintf(&b, "  %s  %s %s%s\n      %s\n      %s\n", statusWords[st], c.ID, c.TitleZH, valueText(c), c.MessageZH, c.MessageEN)
			}
		}
	}
	// What nobody measured is one line each: a person looks, the rest is in the JSON.
	for _, st := range []pipeline.Status{pipeline.Manual, pipeline.Unknown} {
		var ids []string
		for _, c := range r.Checks {
			if c.Status == st {
				ids = append(ids, c.ID+" "+c.TitleZH)
			}
		}
		if len(ids) > 0 {
			fmt.Fprintf(&b, "  %s  %s\n", statusWords[st], strings.Join(ids, ", "))
		}
	}
	switch {
	case photo != "" && r.Output != nil:
		fmt.Fprintf(&b, "  照片 photo: %s  %d×%d  %d dpi  %d bytes  q%d\n", photo, r.Output.Width, r.Output.Height, r.Output.DPI, r.Output.Bytes, r.Output.JPEGQuality)
	case r.Verdict == pipeline.Fail:
		fmt.Fprintf(&b, "  没有写出照片 / no photo was written\n")
	}
	fmt.Fprintf(&b, "  %.0f ms\n", r.Timings.Total)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	return nil
}

// valueText is " = 3.1 ° (-5 … 5)" as far as it is known.
func valueText(c pipeline.Check) string {
	if c.Value == nil {
		return ""
	}
	limit := func(v *float64) string {
		if v == nil {
			return ""
		}
		return fmt.Sprintf("%.4g", *v)
	}
	s := fmt.Sprintf(" = %.4g %s", *c.Value, c.Unit)
	if c.Min != nil || c.Max != nil {
		s += " (" + limit(c.Min) + " … " + limit(c.Max) + ")"
	}
	return s
}
