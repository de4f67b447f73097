package v4l2_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yunzhao-station/yunzhao/camera"
	"github.com/yunzhao-station/yunzhao/camera/mjpeg"
	"github.com/yunzhao-station/yunzhao/camera/v4l2"
)

// program is the built kiosk program.
func (r rig) program() string {
	r.t.Helper()
	bin := os.Getenv("YUNZHAO_VM_BIN")
	if bin == "" {
		r.t.Skip("the built program is not in the virtual machine (run.sh with YUNZHAO_VM_PROGRAM=1)")
	}
	return bin
}

// call runs the program and returns what it wrote and its exit code.
func (r rig) call(args ...string) (code int, out, errs string) {
	r.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(r.t.Context(), r.program(), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatalf("%q: %v", args, err)
	}
	r.t.Logf("yunzhao %s: exit %d\n%s%s", strings.Join(args, " "), cmd.ProcessState.ExitCode(), stdout.String(), stderr.String())
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// The commands that others rely on, as a stranger uses them.
func TestGuestCommandLine(t *testing.T) {
	r := guest(t)
	id := r.camera().ID
	dir := t.TempDir()
	file := filepath.Join(dir, "f.jpg")

	code, out, _ := r.call("camera", "list", "--json")
	var found []camera.Device
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != 0 || len(found) != 1 || found[0].ID != id {
		t.Fatalf("list: exit %d, %v, %+v", code, err, found)
	}
	if code, out, _ = r.call("camera", "list"); code != 0 || !strings.Contains(out, id) || !strings.Contains(out, "MJPG 1920x1080 @ 30") {
		t.Errorf("list: exit %d: %s", code, out)
	}
	code, out, _ = r.call("camera", "shot", "--data", dir, "--device", id, "--out", file)
	data, err := os.ReadFile(file)
	if err != nil || code != 0 || !strings.Contains(out, "1920x1080 MJPG") {
		t.Fatalf("shot: exit %d, %v: %s", code, err, out)
	}
	if h, err := mjpeg.Parse(data); err != nil || h.Width != 1920 || h.Height != 1080 {
		t.Errorf("the shot is %+v, %v", h, err)
	}
	if code, _, errs := r.call("camera", "shot", "--data", dir, "--device", "usb:dead:beef:@1-1:1.0", "--out", file); code != 1 || !strings.Contains(errs, "is not plugged in") {
		t.Errorf("another camera: exit %d: %s", code, errs)
	}
	if code, _, errs := r.call("camera", "watch", "--data", dir, "--device", "video0", "--json"); code != 2 || !strings.Contains(errs, "yunzhao camera list") {
		t.Errorf("no identity: exit %d: %s", code, errs)
	}
	src, err := v4l2.OpenSource(t.Context(), id, camera.Mode{})
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errs := r.call("camera", "shot", "--data", dir, "--out", file); code != 1 || !strings.Contains(errs, "another program has the camera") {
		t.Errorf("taken: exit %d: %s", code, errs)
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	r.watched(dir, id)
	r.do("unplug")
	if code, out, _ = r.call("camera", "list", "--json"); code != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("list without a camera: exit %d: %s", code, out)
	}
	if code, _, errs := r.call("camera", "shot", "--data", dir, "--device", id, "--out", file); code != 1 || strings.Count(strings.TrimSpace(errs), "\n") != 0 {
		t.Errorf("shot without a camera: exit %d: %s", code, errs)
	}
	r.do("plug")
}

// watched unplugs the camera and plugs it in again while `camera watch` looks.
func (r rig) watched(dir, id string) {
	t := r.t
	t.Helper()
	cmd := exec.CommandContext(t.Context(), r.program(), "camera", "watch", "--data", dir, "--device", id, "--json")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	type line struct {
		Time    time.Time       `json:"time"`
		State   camera.State    `json:"state"`
		Device  camera.Identity `json:"device"`
		Mode    camera.Mode     `json:"mode"`
		FPS     *float64        `json:"fps"`
		Dropped *uint64         `json:"dropped"`
		Error   string          `json:"error"`
	}
	var last line
	// until reads lines until one is in state, with frames if it streams.
	until := func(state camera.State) line {
		t.Helper()
		for lines.Scan() {
			var l line
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.Time.IsZero() || l.FPS == nil || l.Dropped == nil {
				t.Fatalf("%v: %s", err, lines.Text())
			}
			t.Log(lines.Text())
			if gap := l.Time.Sub(last.Time); !last.Time.IsZero() && gap > 10*time.Second {
				t.Errorf("no line for %v", gap)
			}
			last = l
			if l.State == state && (state != camera.Streaming || *l.FPS > 0) {
				return l
			}
		}
		t.Fatalf("the end before %s: %v", state, lines.Err())
		return line{}
	}
	if l := until(camera.Streaming); l.Device.ID != id || l.Mode.Width != 1920 || l.Mode.Format != camera.MJPEG {
		t.Errorf("streaming: %+v", l)
	}
	r.do("unplug")
	if l := until(camera.Absent); l.Error == "" || l.Device.ID != id {
		t.Errorf("unplugged: %+v", l)
	}
	r.do("plug")
	until(camera.Streaming)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		continue // what was still on its way
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted: %v", err)
	}
}
