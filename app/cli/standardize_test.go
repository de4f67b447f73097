package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/yunzhao-station/yunzhao/assets/people"
	"github.com/yunzhao-station/yunzhao/pipeline"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
)

// sitter is where a person appears: the cut-out's upper left corner and scale.
type sitter struct{ x, y, scale float64 }

// boothFrame draws a frame of a simulated booth: a grey wall with some noise and,
// perhaps, the demo student in the middle.
func boothFrame(w, h int, student bool, seed uint64) (*image.RGBA, error) {
	if !student {
		return boothWith(w, h, [3]float64{205, 205, 205}, seed)
	}
	scale := .76 * float64(h) / 1080
	return boothWith(w, h, [3]float64{205, 205, 205}, seed, sitter{float64(w)/2 - 550*scale, float64(h) - 1150*scale, scale})
}

// boothWith draws any number of people before a wall of any colour.
func boothWith(w, h int, wall [3]float64, seed uint64, sitters ...sitter) (*image.RGBA, error) {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	p, err := people.Student()
	if err != nil {
		return nil, err
	}
	at := seed*2654435761 + 1
	for y := range h {
		for x := range w {
			at = at*6364136223846793005 + 1442695040888963407
			noise := float64(at>>40&1023+at>>50&1023)*(7./1023) - 7
			px := wall
			for _, s := range sitters {
				u, v := (float64(x)-s.x)/s.scale, (float64(y)-s.y)/s.scale
				if u < 0 || v < 0 {
					continue
				}
				fg := p.NRGBAAt(int(u), int(v))
				a := float64(fg.A) / 255
				for c, f := range [3]uint8{fg.R, fg.G, fg.B} {
					px[c] = px[c]*(1-a) + float64(f)*a
				}
			}
			for c := range px {
				m.Pix[y*m.Stride+4*x+c] = uint8(min(max(px[c]+noise, 0), 255))
			}
			m.Pix[y*m.Stride+4*x+3] = 255
		}
	}
	return m, nil
}

// photoFiles are written once for all tests: a good frame, its plate, a plate of
// another size, and what is no photo.
var photoFiles = sync.OnceValues(func() (map[string][]byte, error) {
	frame, err := boothFrame(1440, 1080, true, 1)
	if err != nil {
		return nil, err
	}
	empty, err := boothFrame(1440, 1080, false, 2)
	if err != nil {
		return nil, err
	}
	small, err := boothFrame(640, 480, false, 3)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for name, m := range map[string]*image.RGBA{"frame.jpg": frame, "empty.jpg": empty, "small.jpg": small} {
		if out[name], err = codec.EncodeRGBA(nil, m, 92, codec.S422); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	deep := image.NewNRGBA64(frame.Rect)
	draw.Draw(deep, deep.Rect, frame, image.Point{}, draw.Src)
	if err := png.Encode(&b, deep); err != nil {
		return nil, err
	}
	out["frame16.png"] = bytes.Clone(b.Bytes())
	// The same frame lying on its side, with EXIF saying how to turn it.
	lying, err := codec.Rotate(frame, 270)
	if err != nil {
		return nil, err
	}
	jpg, err := codec.EncodeRGBA(nil, lying, 92, codec.S444)
	if err != nil {
		return nil, err
	}
	out["lying.jpg"] = bytes.Clone(jpg)
	tiff := []byte("MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
	app1 := append([]byte{0xFF, 0xD8, 0xFF, 0xE1}, binary.BigEndian.AppendUint16(nil, uint16(8+len(tiff)))...)
	out["exif.jpg"] = slices.Concat(app1, []byte("Exif\x00\x00"), tiff, jpg[2:])
	b.Reset()
	if err := png.Encode(&b, small.SubImage(image.Rect(0, 0, 40, 30))); err != nil {
		return nil, err
	}
	out["tiny.png"] = bytes.Clone(b.Bytes())
	if out["cmyk.jpg"], err = os.ReadFile("../../pipeline/codec/testdata/cmyk.jpg"); err != nil {
		return nil, err
	}
	huge := bytes.Clone(out["small.jpg"])
	copy(huge[bytes.Index(huge, []byte{0xFF, 0xC0})+5:], []byte{0x4E, 0x20, 0x4E, 0x20})
	out["huge.jpg"] = huge
	out["cut.jpg"] = out["frame.jpg"][:len(out["frame.jpg"])/2]
	out["zero.jpg"] = nil
	out["text.jpg"] = []byte("这不是照片\n")
	out["webp.jpg"] = []byte("RIFF\x24\x00\x00\x00WEBPVP8 \x18\x00\x00\x00")
	return out, nil
})

// desk is a directory with those files, and the command line in it.
type desk struct {
	t   *testing.T
	dir string
}

func newDesk(t *testing.T) desk {
	t.Helper()
	all, err := photoFiles()
	if err != nil {
		t.Fatal(err)
	}
	d := desk{t, t.TempDir()}
	for name, data := range all {
		if err := os.WriteFile(d.path(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d desk) path(name string) string { return filepath.Join(d.dir, name) }

func (d desk) has(name string) bool {
	_, err := os.Stat(d.path(name))
	return err == nil
}

// run parses and runs a command line; words that name a file of the desk, or
// end in .out, are put into its directory.
func (d desk) run(line string) (exit int, stdout, stderr string) {
	d.t.Helper()
	var c struct {
		Standardize StandardizeCmd `cmd:""`
		Check       CheckCmd       `cmd:""`
		Layout      LayoutCmd      `cmd:""`
		Batch       BatchCmd       `cmd:""`
	}
	k, err := kong.New(&c)
	if err != nil {
		d.t.Fatal(err)
	}
	args := strings.Fields(line)
	for i, a := range args {
		if strings.Contains(a, ".") {
			args[i] = d.path(a)
		}
	}
	ctx, err := k.Parse(args)
	if err != nil {
		return exitUsage, "", err.Error()
	}
	var out, errs bytes.Buffer
	err = ctx.Run(&streams{out: &out, err: &errs})
	var code exitError
	switch {
	case errors.As(err, &code):
		exit = int(code)
	case err != nil:
		d.t.Fatalf("%s: %v", line, err)
	}
	return exit, out.String(), errs.String()
}

func (d desk) report(name string) pipeline.Report {
	d.t.Helper()
	b, err := os.ReadFile(d.path(name))
	if err != nil {
		d.t.Fatal(err)
	}
	var r pipeline.Report
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		d.t.Fatal(err)
	}
	return r
}

func findCheck(t *testing.T, r pipeline.Report, id string) pipeline.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("no check %s", id)
	return pipeline.Check{}
}

func TestStandardizeWritesPhotoReportAndAlpha(t *testing.T) {
	d := newDesk(t)
	exit, out, errs := d.run("standardize frame.jpg --plate empty.jpg --out photo.jpg --report r.json --alpha a.png")
	if exit != exitOK || errs != "" {
		t.Fatalf("exit %d\n%s%s", exit, out, errs)
	}
	photo, err := os.ReadFile(d.path("photo.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := jpeg.Decode(bytes.NewReader(photo))
	if err != nil || m.Bounds() != image.Rect(0, 0, 480, 640) {
		t.Fatalf("photo %v %v", m.Bounds(), err)
	}
	if n := len(photo); n < 20*1024 || n > 40*1000 {
		t.Errorf("photo of %d bytes", n)
	}
	r := d.report("r.json")
	if r.Verdict != pipeline.Warn || r.Spec != "chsi" || r.Output.Bytes != len(photo) || r.Matte != "plate" || r.Timings.Decode <= 0 {
		t.Errorf("report %+v", r)
	}
	f, err := os.ReadFile(d.path("a.png"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := png.Decode(bytes.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	if g, ok := a.(*image.Gray); !ok || g.Rect != m.Bounds() || g.GrayAt(240, 300).Y != 255 || g.GrayAt(4, 4).Y != 0 {
		t.Errorf("alpha is a %T", a)
	}
	if r.Alpha == nil || float64(r.Alpha.Width) != r.Crop.Width || float64(r.Alpha.Y) != r.Crop.Y {
		t.Errorf("alpha region %+v, crop %+v", r.Alpha, r.Crop)
	}
	if st, err := os.Stat(d.path("photo.jpg")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("photo may be read by others: %v", st.Mode())
	}
	if left, _ := filepath.Glob(d.path(".yunzhao-*")); len(left) > 0 {
		t.Errorf("temporary files stay: %v", left)
	}
}

func TestStandardizeReportToStandardOutput(t *testing.T) {
	d := newDesk(t)
	exit, out, _ := d.run("standardize frame.jpg --plate empty.jpg --out photo.jpg --report -")
	var r pipeline.Report
	if err := json.Unmarshal([]byte(out), &r); exit != exitOK || err != nil || r.Output == nil {
		t.Errorf("exit %d, %v\n%s", exit, err, out)
	}
}

// Every way to give the same picture gives a photo of the same person in the
// same place.
func TestStandardizeKindsOfInput(t *testing.T) {
	d := newDesk(t)
	for _, in := range []string{"frame.jpg", "frame16.png", "exif.jpg", "lying.jpg --mount-rotation 90"} {
		exit, out, errs := d.run("standardize " + in + " --out photo.jpg --report r.json")
		if exit != exitOK {
			t.Errorf("%s: exit %d\n%s%s", in, exit, out, errs)
			continue
		}
		r := d.report("r.json")
		mid := (r.Face.LeftEye.X + r.Face.RightEye.X) / 2
		if mid < 690 || mid > 750 || r.Matte != "frame" || findCheck(t, r, "plate").Status != pipeline.Warn {
			t.Errorf("%s: eyes at %.0f, matte %s", in, mid, r.Matte)
		}
	}
}

func TestStandardizeSeveralStandards(t *testing.T) {
	d := newDesk(t)
	exit, _, errs := d.run("standardize frame.jpg --plate empty.jpg --spec chsi,inch1 --background white --out photo.jpg --report r.json --alpha a.png")
	if exit != exitOK {
		t.Fatalf("exit %d %s", exit, errs)
	}
	for _, name := range []string{"photo-chsi.jpg", "photo-inch1.jpg", "r-chsi.json", "r-inch1.json", "a-chsi.png", "a-inch1.png"} {
		if !d.has(name) {
			t.Errorf("%s is not there", name)
		}
	}
	if d.has("photo.jpg") {
		t.Error("photo.jpg is there, of which standard?")
	}
	if r := d.report("r-inch1.json"); r.Output.Width != 295 {
		t.Errorf("inch1 is %d px wide", r.Output.Width)
	}
}

// Whatever is wrong with the picture or the plate: exit 3, a reason for a person
// in the report, and no file.
func TestStandardizeRefusals(t *testing.T) {
	d := newDesk(t)
	wall := [3]float64{205, 205, 205}
	for name, tc := range map[string]struct {
		wall [3]float64
		who  []sitter
	}{
		"two.jpg":   {wall, []sitter{{250, 240, .7}, {850, 330, .62}}},
		"far.jpg":   {wall, []sitter{{560, 560, .3}}},
		"high.jpg":  {wall, []sitter{{300, -60, .76}}},
		"left.jpg":  {wall, []sitter{{-330, 205, .76}}},
		"right.jpg": {wall, []sitter{{930, 205, .76}}},
		"near.jpg":  {wall, []sitter{{-180, -90, 1.6}}},
		"low.jpg":   {wall, []sitter{{300, 640, .76}}},
		"half.jpg":  {wall, []sitter{{-450, 205, .76}}}, // the frame's edge runs through the face
		"blue.jpg":  {[3]float64{60, 110, 190}, nil},    // another booth's backdrop
	} {
		m, err := boothWith(1440, 1080, tc.wall, 7, tc.who...)
		if err != nil {
			t.Fatal(err)
		}
		b, err := codec.EncodeRGBA(nil, m, 92, codec.S422)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.path(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for args, tc := range map[string]struct{ id, zh string }{
		"empty.jpg --plate empty.jpg":         {"single_face", "没有看到人脸"},
		"empty.jpg --plate empty.jpg --force": {"single_face", "没有看到人脸"},
		"empty.jpg":                           {"single_face", "没有看到人脸"},
		"half.jpg --plate empty.jpg":          {"single_face", "没有看到人脸"},
		"two.jpg --plate empty.jpg":           {"single_face", "其他人"},
		"two.jpg":                             {"single_face", "其他人"},
		"far.jpg --plate empty.jpg":           {"inter_eye_distance", "坐近"},
		"high.jpg --plate empty.jpg":          {"crown_margin", "坐低"},
		"left.jpg --plate empty.jpg":          {"centred", "向左（您的左手边）移约"},
		"right.jpg --plate empty.jpg":         {"centred", "向右（您的右手边）移约"},
		"near.jpg --plate empty.jpg":          {"crown_margin", "后退"},
		"low.jpg --plate empty.jpg":           {"eye_line", "坐高约"},
		"frame.jpg --plate small.jpg":         {"plate", "640×480"},
		"frame.jpg --plate small.jpg --force": {"plate", "640×480"},
		"frame.jpg --plate blue.jpg":          {"plate", "同一背景"},
	} {
		exit, out, errs := d.run("standardize " + args + " --out photo.jpg --report r.json --alpha a.png")
		if exit != exitRefused || errs != "" || !strings.Contains(out, "没有写出照片") {
			t.Errorf("%s: exit %d\n%s%s", args, exit, out, errs)
		}
		if d.has("photo.jpg") || d.has("a.png") {
			t.Errorf("%s: a photo was written", args)
		}
		r := d.report("r.json")
		c := findCheck(t, r, tc.id)
		if c.Status != pipeline.Fail || !strings.Contains(c.MessageZH, tc.zh) || c.MessageEN == "" || r.Verdict != pipeline.Fail || r.Output != nil {
			t.Errorf("%s: %+v", args, c)
		}
		if strings.HasPrefix(tc.zh, "没有看到") && (c.Value == nil || *c.Value != 0 || r.Face != nil) {
			t.Errorf("%s: no face, but %+v", args, c)
		}
	}
}

// A standard of the test's own that no photo meets.
const impossible = `id = "impossible"
version = "1"
title_zh = "测试"
title_en = "Test"
width = 480
height = 640
dpi = 300
background = "keep"
limits_from = "chsi"
[geometry]
face_width = [180, 300]
crown_margin = [50, 110]
[limits.sharpness]
fail = [100000, nan]
`

func TestStandardizeForce(t *testing.T) {
	d := newDesk(t)
	if err := os.WriteFile(d.path("own.toml"), []byte(impossible), 0o600); err != nil {
		t.Fatal(err)
	}
	args := "standardize frame.jpg --plate empty.jpg --spec own.toml --out photo.jpg --report r.json"
	if exit, _, errs := d.run(args); exit != exitRefused || d.has("photo.jpg") || !d.has("r.json") {
		t.Errorf("exit %d, photo %v, report %v %s", exit, d.has("photo.jpg"), d.has("r.json"), errs)
	}
	if exit, _, _ := d.run(args + " --force"); exit != exitRefused || !d.has("photo.jpg") {
		t.Errorf("forced: exit %d, photo %v", exit, d.has("photo.jpg"))
	}
	if r := d.report("r.json"); r.Matte != "keep" || findCheck(t, r, "sharpness").Status != pipeline.Fail {
		t.Errorf("report %+v", r)
	}
}

func TestUnusableInput(t *testing.T) {
	d := newDesk(t)
	if err := os.WriteFile(d.path("bad.toml"), []byte("width = 3"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, word := range map[string]string{
		"zero.jpg":                           "0 字节",
		"text.jpg":                           "文本",
		"webp.jpg":                           "WebP",
		"cut.jpg":                            "不完整",
		"huge.jpg":                           "20000×20000",
		"tiny.png":                           "太小",
		"frame.jpg --plate tiny.png":         "无法使用",
		"cmyk.jpg":                           "太小", // read, but of 16×16 px
		"none.jpg":                           "没有这个文件",
		"frame.jpg --plate text.jpg":         "空背景",
		"frame.jpg --spec nope":              "chsi",
		"frame.jpg --spec chsi,chsi":         "两次",
		"frame.jpg --spec bad.toml":          "width",
		"frame.jpg --background pink":        "grey",
		"frame.jpg --mount-rotation 45":      "270",
		"frame.jpg --plate empty.jpg --nope": "nope",
		"frame.jpg --plate empty.jpg --plate small.jpg": "尺寸不一致",
		"": "frame",
	} {
		for _, cmd := range []string{"check ", "standardize --out photo.jpg "} {
			exit, out, errs := d.run(cmd + line)
			if exit != exitUsage || out != "" || !strings.Contains(errs, word) || strings.Count(errs, "\n") > 1 {
				t.Errorf("%s%s: exit %d, says %q, want %q", cmd, line, exit, errs, word)
			}
		}
	}
	if d.has("photo.jpg") {
		t.Error("a photo was written")
	}
}

func TestUnwritableOutputIsFoundBeforeAnyWork(t *testing.T) {
	d := newDesk(t)
	for line, word := range map[string]string{
		"standardize frame.jpg":                                          "out",
		"standardize frame.jpg --out nodir.d/photo.jpg":                  "文件夹",
		"standardize frame.jpg --out frame.jpg":                          "覆盖",
		"standardize frame.jpg --plate empty.jpg --out empty.jpg":        "覆盖",
		"standardize frame.jpg --out photo.jpg --report nodir.d/r.json":  "文件夹",
		"standardize frame.jpg --out photo.jpg --alpha nodir.d/alpha.pn": "文件夹",
	} {
		exit, _, errs := d.run(line)
		if exit != exitUsage || !strings.Contains(errs, word) {
			t.Errorf("%s: exit %d, says %q", line, exit, errs)
		}
	}
	if b, err := os.ReadFile(d.path("frame.jpg")); err != nil || len(b) < 1000 {
		t.Error("the input was touched")
	}
}
