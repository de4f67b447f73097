package cli

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/scene"
)

func TestCameraListAndShot(t *testing.T) {
	code, out, errs := yunzhao(t, "camera", "list", "--json")
	var devices []camera.Device
	if err := json.Unmarshal([]byte(out), &devices); err != nil || code != 0 || devices == nil {
		t.Fatalf("list: exit %d, %v: %s%s", code, err, out, errs)
	}
	file := filepath.Join(t.TempDir(), "f.jpg")
	code, out, errs = yunzhao(t, "camera", "shot", "--device", "scene", "--data", t.TempDir(), "--out", file)
	st, err := os.Stat(file)
	if code != 0 || err != nil || st.Size() < 10_000 || st.Mode().Perm() != 0o600 || !strings.Contains(out, "1920x1080 MJPG") {
		t.Errorf("shot: exit %d, %v, %s%s", code, err, out, errs)
	}
}

func TestCameraWatch(t *testing.T) {
	code, out, errs := yunzhao(t, "camera", "watch", "--device", "scene", "--data", t.TempDir(), "--seconds", "2", "--json")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var states []camera.State
	for line := range strings.Lines(out) {
		var l station.CameraLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		states = append(states, l.State)
		if l.State == camera.Streaming && (l.Device.ID != "scene" || l.Mode.Width != 1920) {
			t.Errorf("streaming from %+v", l)
		}
	}
	if !slices.Contains(states, camera.Streaming) {
		t.Errorf("states %q", states)
	}
}

func TestCameraWithoutControls(t *testing.T) {
	for _, args := range [][]string{{"controls"}, {"lock"}, {"unlock"}} {
		code, out, errs := yunzhao(t, append([]string{"camera"}, append(args, "--device", "scene", "--data", t.TempDir())...)...)
		if code != 0 || out == "" {
			t.Errorf("%s: exit %d: %s%s", args[0], code, out, errs)
		}
	}
}

func TestCameraThatIsAway(t *testing.T) {
	dir := t.TempDir()
	code, out, errs := yunzhao(t, "camera", "watch", "--device", "usb:dead:beef:x@9-9:1.0", "--data", dir, "--seconds", "1", "--json")
	if code != 0 || !strings.Contains(out, `"state":"absent"`) || !strings.Contains(out, "not plugged in") {
		t.Errorf("watch: exit %d: %s%s", code, out, errs)
	}
}

// Whatever is wrong is said in one line, and the exit code tells whose fault it is.
func TestCameraThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no such name":        {[]string{"watch", "--device", "nonsense", "--seconds", "1"}, exitUsage, "yunzhao camera list"},
		"no such name, shot":  {[]string{"shot", "--device", "/dev/video7", "--out", filepath.Join(dir, "a.jpg")}, exitUsage, "yunzhao camera list"},
		"negative time":       {[]string{"watch", "--device", "scene", "--seconds=-3"}, exitUsage, "--seconds -3"},
		"not plugged in":      {[]string{"shot", "--device", "usb:dead:beef:x@9-9:1.0", "--out", filepath.Join(dir, "b.jpg")}, exitFailed, "is not plugged in"},
		"nowhere to write":    {[]string{"shot", "--device", "scene", "--out", filepath.Join(dir, "none", "c.jpg")}, exitFailed, "write"},
		"nothing to lock":     {[]string{"lock", "--device", "usb:dead:beef:x@9-9:1.0"}, exitFailed, "is not plugged in"},
		"without a file name": {[]string{"shot", "--device", "scene"}, exitUsage, "--out"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"camera"}, c.args...)
			if name != "without a file name" {
				args = append(args, "--data", dir)
			}
			code, out, errs := yunzhao(t, args...)
			lines := strings.Count(strings.TrimSpace(errs), "\n") + 1
			if code != c.code || !strings.Contains(errs, c.says) || out != "" || lines > 2 {
				t.Errorf("exit %d: %q, %q; want %d and %q", code, out, errs, c.code, c.says)
			}
		})
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*.jpg")); err != nil || len(files) != 0 {
		t.Errorf("files %q, %v", files, err)
	}
}

func TestCameraDiag(t *testing.T) {
	for name, picture := range map[string]bool{"without a picture": false, "with a picture": true} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "d.zip")
			args := []string{"camera", "diag", "--device", "scene", "--data", t.TempDir(), "--out", file, "--seconds", "2"}
			if picture {
				args = append(args, "--picture")
			}
			if code, out, errs := yunzhao(t, args...); code != 0 {
				t.Fatalf("exit %d: %s%s", code, out, errs)
			}
			z, err := zip.OpenReader(file)
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close()
			var names []string
			for _, f := range z.File {
				names = append(names, f.Name)
				r, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				data, err := io.ReadAll(r)
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(f.Name, ".json") && !json.Valid(data) {
					t.Errorf("%s: %s", f.Name, data)
				}
				if f.Name == "watch.json" && !strings.Contains(string(data), `"streaming"`) {
					t.Errorf("watch.json: %s", data)
				}
			}
			want := []string{"about.json", "cameras.json", "usb.txt", "watch.json", "controls.json", "profile.json", "log.txt"}
			if picture {
				want = append(want, "picture.jpg")
			}
			if !slices.Equal(names, want) {
				t.Errorf("files %q, want %q", names, want)
			}
		})
	}
	if code, _, _ := yunzhao(t, "camera", "diag", "--out", filepath.Join(t.TempDir(), "d"), "--seconds", "0"); code == 0 {
		t.Error("watched for no time")
	}
}

func TestCameraFault(t *testing.T) {
	dir := t.TempDir()
	if code, _, errs := yunzhao(t, "camera", "fault", "freeze", "--data", dir); code != 1 || !strings.Contains(errs, "no station") {
		t.Errorf("without a station: exit %d: %s", code, errs)
	}
	booth, err := scene.New(scene.Options{Width: 64, Height: 64})
	if err != nil {
		t.Fatal(err)
	}
	closer := serveFaults(t.Context(), dir, booth, slog.New(slog.DiscardHandler))
	if code, out, errs := yunzhao(t, "camera", "fault", "unplug", "--data", dir); code != 0 || !strings.Contains(out, "unplug") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if err := booth.Next(t.Context(), &camera.Frame{}); !errors.Is(err, camera.ErrGone) {
		t.Errorf("after the fault: %v, want %v", err, camera.ErrGone)
	}
	if code, _, errs := yunzhao(t, "camera", "fault", "explode", "--data", dir); code != 1 || !strings.Contains(errs, "wrong-size") {
		t.Errorf("an unknown fault: exit %d: %s", code, errs)
	}
	if err := closer(); err != nil {
		t.Error(err)
	}
	if err := serveFaults(t.Context(), dir, nil, nil)(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, sceneSocket)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
}
