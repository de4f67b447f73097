package cli

import (
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/camera/scene"
	"github.com/yunzhao-station/yunzhao/pipeline/calibrate"
	"github.com/yunzhao-station/yunzhao/pipeline/codec"
	"github.com/yunzhao-station/yunzhao/pipeline/matte"
)

// boothFrames writes n frames of a simulated booth into a folder.
func boothFrames(t *testing.T, o scene.Options, n int) string {
	t.Helper()
	dir := t.TempDir()
	o.FreeRun, o.Encode = true, codec.EncodeYCbCr
	if o.Width == 0 {
		o.Width, o.Height = 1280, 720
	}
	b, err := scene.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var img *image.YCbCr
	for i := range n {
		img = b.Sample(img, time.Duration(i)*time.Second/30, o.Occupied, uint64(i))
		jpg, err := codec.EncodeYCbCr(nil, img, 92)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "f"+strconv.Itoa(100+i)+".jpg"), jpg, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCalibrateFromAFolder(t *testing.T) {
	good := boothFrames(t, scene.Options{}, 9)
	out := filepath.Join(t.TempDir(), "plate.bin")
	code, said, errs := yunzhao(t, "calibrate", "--frames", good, "--out", out, "--json")
	if code != 0 {
		t.Fatalf("exit %d: %s %s", code, said, errs)
	}
	var got struct {
		calibrate.Judgement
		Plate *plateReport `json:"plate"`
	}
	if err := json.Unmarshal([]byte(said), &got); err != nil {
		t.Fatal(err)
	}
	if !got.Accepted || got.Plate == nil || got.Plate.Width != 1280 || got.Plate.Frames != 9 || got.Plate.File != out || got.Frames != 9 ||
		got.Plate.TakenAt != nil || got.Plate.Exposure < .5 || got.Plate.RedGain < .9 || !got.Light.Neutral || got.Find(calibrate.Sharp).Status == calibrate.Pass {
		t.Errorf("%s", said)
	}
	p, err := readPlate(out)
	if err != nil || p.ID != got.Plate.ID {
		t.Fatalf("%v", err)
	}
	// The same pictures give the same plate.
	again := filepath.Join(t.TempDir(), "again.bin")
	if code, _, _ = yunzhao(t, "calibrate", "--frames", good, "--out", again); code != 0 {
		t.Fatal("again it is refused")
	}
	a, errA := os.ReadFile(out)
	b, errB := os.ReadFile(again)
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Error("the same pictures gave another plate")
	}
	// Without --out it only judges.
	code, said, _ = yunzhao(t, "calibrate", "--frames", good)
	if code != 0 || !strings.Contains(said, "空背景可用") || strings.Contains(said, "→") || !strings.Contains(said, "? sharp") {
		t.Errorf("exit %d: %s", code, said)
	}
}

func TestCalibrateRefusals(t *testing.T) {
	good := boothFrames(t, scene.Options{Width: 640, Height: 360}, 8)
	grey, err := scene.BackdropColour(scene.Grey)
	if err != nil {
		t.Fatal(err)
	}
	plate := filepath.Join(t.TempDir(), "plate.bin")
	if code, said, errs := yunzhao(t, "calibrate", "--frames", good, "--out", plate); code != 0 {
		t.Fatalf("exit %d %s %s", code, said, errs)
	}
	somebody := boothFrames(t, scene.Options{Occupied: true}, 8)
	empty, mixed, text := t.TempDir(), boothFrames(t, scene.Options{Width: 640, Height: 360}, 2), t.TempDir()
	odd, err := os.Create(filepath.Join(mixed, "z.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(odd, image.NewRGBA(image.Rect(0, 0, 90, 90))); err != nil {
		t.Fatal(err)
	}
	if err := odd.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(text, "a.jpg"), []byte("not a picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"seven frames":     {[]string{"--frames", boothFrames(t, scene.Options{Width: 640, Height: 360}, 7)}, 3, "至少要 8 帧"},
		"somebody there":   {[]string{"--frames", somebody}, 3, "有人"},
		"a lamp off":       {[]string{"--frames", boothFrames(t, scene.Options{Width: 640, Height: 360, Light: 1, Backdrop: grey}, 8)}, 3, "左侧灯几乎没有光"},
		"no folder":        {[]string{"--frames", filepath.Join(empty, "none")}, 2, "读不了文件夹"},
		"nothing in it":    {[]string{"--frames", empty}, 2, "没有照片"},
		"no pictures":      {[]string{"--frames", text}, 2, "a.jpg"},
		"two sizes":        {[]string{"--frames", mixed}, 2, "z.png"},
		"no such previous": {[]string{"--frames", good, "--previous", filepath.Join(empty, "p")}, 2, "旧底图"},
		"broken previous":  {[]string{"--frames", good, "--previous", filepath.Join(text, "a.jpg")}, 2, "旧底图"},
		"nowhere to write": {[]string{"--frames", good, "--out", filepath.Join(empty, "no", "p")}, 2, "没有输出文件夹"},
		"same as before":   {[]string{"--frames", good, "--previous", plate}, 0, "没有多出东西"},
		"a card":           {[]string{"--frames", good, "--card", filepath.Join(good, "f100.jpg")}, 0, "灰卡 grey card"},
		"a person no card": {[]string{"--frames", good, "--card", filepath.Join(somebody, "f100.jpg")}, 2, "没有看到灰卡"},
		"rotation":         {[]string{"--frames", good, "--mount-rotation", "45"}, 2, "mount-rotation"},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out.bin")
			args := append([]string{"calibrate", "--data", t.TempDir()}, c.args...)
			if !strings.Contains(strings.Join(c.args, " "), "--out") {
				args = append(args, "--out", out)
			}
			code, said, errs := yunzhao(t, args...)
			if code != c.code || !strings.Contains(said+errs, c.says) {
				t.Errorf("exit %d, want %d; said %s %s", code, c.code, said, errs)
			}
			if _, err := os.Stat(out); (err == nil) != (code == 0) {
				t.Errorf("exit %d, and the plate is there: %v", code, err == nil)
			}
		})
	}
}

// The simulated camera is calibrated into the data directory, where the station
// finds the plate.
func TestCalibrateACamera(t *testing.T) {
	dir := t.TempDir()
	code, said, errs := yunzhao(t, "calibrate", "--device", "scene", "--data", dir)
	if code != 0 {
		t.Fatalf("exit %d: %s %s", code, said, errs)
	}
	p, err := station.LoadPlate(dir)
	if err != nil || p.Camera != "scene" || p.W != 1920 || p.TakenAt.IsZero() {
		t.Errorf("%+v %v", p, err)
	}
}

// standardize takes a stored plate, refuses a damaged one, and refuses another
// camera's with exit 3, a reason and no file.
func TestStandardizeWithAStoredPlate(t *testing.T) {
	d := newDesk(t)
	frames := filepath.Join(d.dir, "frames")
	if err := os.Mkdir(frames, 0o700); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(d.path("empty.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		if err := os.WriteFile(filepath.Join(frames, strconv.Itoa(i)+".jpg"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plate := d.path("plate.bin")
	if code, said, errs := yunzhao(t, "calibrate", "--frames", frames, "--out", plate); code != 0 {
		t.Fatalf("exit %d %s %s", code, said, errs)
	}
	exit, _, errs := d.run("standardize frame.jpg --plate plate.bin --out photo.jpg --report r.json")
	if exit != 0 {
		t.Fatalf("exit %d: %s", exit, errs)
	}
	whole, err := os.ReadFile(plate)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.path("cut.bin"), whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"--plate cut.bin":                     "已损坏",
		"--plate plate.bin --plate empty.jpg": "只能给一个",
	} {
		if exit, _, errs := d.run("standardize frame.jpg " + line + " --out other.jpg"); exit != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d, %s", line, exit, errs)
		}
	}
	// Another camera's: refused with the reason, no file; the same camera's is used.
	empty, err := codec.LoadImage(d.path("empty.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	var b matte.PlateBuilder
	for range 2 {
		if err := b.Add(empty); err != nil {
			t.Fatal(err)
		}
	}
	named, err := b.Plate(matte.PlateInfo{Camera: "usb:1:2:A", TakenAt: time.Unix(1_790_000_000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := station.StorePlate(d.dir, named); err != nil { // as plate.bin
		t.Fatal(err)
	}
	exit, out, _ := d.run("standardize frame.jpg --plate plate.bin --camera usb:1:2:B --out strange.jpg --report -")
	if exit != 3 || d.has("strange.jpg") || !strings.Contains(out, "usb:1:2:A") || !strings.Contains(out, `"plate_taken_at": "2026-09-21T14:13:20Z"`) {
		t.Errorf("exit %d, file %v: %s", exit, d.has("strange.jpg"), out)
	}
	if exit, out, _ = d.run("standardize frame.jpg --plate plate.bin --camera usb:1:2:A@1-4 --out same.jpg"); exit != 0 || !d.has("same.jpg") {
		t.Errorf("exit %d: %s", exit, out)
	}
}
