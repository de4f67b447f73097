package station

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/camera"
)

// CameraLine is one moment of a camera, as `camera watch` prints it and the
// bundle keeps it.
type CameraLine struct {
	Time    time.Time       `json:"time"`
	State   camera.State    `json:"state"`
	Device  camera.Identity `json:"device"`
	Mode    camera.Mode     `json:"mode"`
	FPS     float64         `json:"fps"`
	Dropped uint64          `json:"dropped"`
	Invalid uint64          `json:"invalid"`
	Opens   uint64          `json:"opens"`
	Error   string          `json:"error,omitempty"`
}

// LineOf is the line of a status.
func LineOf(st camera.Status) CameraLine {
	l := CameraLine{
		Time: time.Now(), State: st.State, Device: st.Identity, Mode: st.Mode, FPS: math.Round(100*st.FPS) / 100,
		Dropped: st.Counters.Dropped, Invalid: st.Counters.Invalid, Opens: st.Opens,
	}
	if st.LastError != nil {
		l.Error = st.LastError.Error()
	}
	return l
}

// BundleParams say what goes into a camera's diagnostic bundle. Dir is required.
type BundleParams struct {
	Dir     string // the station's data directory
	Version string
	// List finds the cameras that are plugged in; nil leaves them out.
	List func() ([]camera.Device, error)
	// Camera is supervised already; nil = there is none to watch, Problem says why.
	Camera  *camera.Supervisor
	Problem error
	Watch   time.Duration // for how long
	Picture bool          // one picture too, which shows whoever is there
	// Log is what the supervisor wrote meanwhile; nil = it is kept elsewhere.
	Log func() string
}

// WriteBundle packs what helps to find a camera's fault into a zip: no picture
// unless asked for, and nothing about students. A camera that does not work is no
// error: that is what the bundle is for.
func WriteBundle(ctx context.Context, w io.Writer, p BundleParams) error {
	z := zip.NewWriter(w)
	b := bundle{z}
	err := b.fill(ctx, p)
	if cerr := z.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("pack the bundle: %w", cerr)
	}
	return err
}

func (b bundle) fill(ctx context.Context, p BundleParams) error {
	if err := b.json("about.json", about(p.Version)); err != nil {
		return err
	}
	var log strings.Builder
	if p.List != nil {
		devices, err := p.List()
		if err != nil {
			fmt.Fprintf(&log, "list: %v\n", err)
		}
		if err := b.json("cameras.json", devices); err != nil {
			return err
		}
	}
	if err := b.text("usb.txt", usbDevices("/sys/bus/usb/devices")); err != nil {
		return err
	}
	if p.Camera == nil {
		if p.Problem != nil {
			fmt.Fprintf(&log, "%v\n", p.Problem)
		}
		return b.text("error.txt", log.String())
	}
	return b.film(ctx, p, &log)
}

// film watches the camera and packs what it did.
func (b bundle) film(ctx context.Context, p BundleParams, log *strings.Builder) error {
	ctx, cancel := context.WithTimeout(ctx, p.Watch)
	defer cancel()
	var frame camera.Frame
	defer frame.Wipe()
	var lines []CameraLine
	var last camera.State
	var controls []camera.Control
	next := time.Now()
	for ctx.Err() == nil {
		changed := p.Camera.Changed()
		st := p.Camera.Status()
		if now := time.Now(); st.State != last || !now.Before(next) {
			last, next = st.State, now.Add(time.Second)
			lines = append(lines, LineOf(st))
		}
		if st.State == camera.Streaming && controls == nil {
			var err error
			if controls, err = p.Camera.Controls(ctx); err != nil {
				lines = append(lines, CameraLine{Time: time.Now(), State: st.State, Error: err.Error()})
				controls = []camera.Control{} // asked once
			}
		}
		if p.Picture && st.State == camera.Streaming {
			_ = p.Camera.Latest(ctx, frame.Seq, &frame) // fails at the end alone
		}
		wait := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
		case <-changed:
		case <-wait.C:
		}
		wait.Stop()
	}
	profile, err := Profiles(p.Dir).Load(p.Camera.Status().Identity.ID)
	if err != nil && !errors.Is(err, camera.ErrNoProfile) {
		fmt.Fprintf(log, "profile: %v\n", err)
	}
	if p.Log != nil {
		log.WriteString(p.Log())
	}
	if err := errors.Join(
		b.json("watch.json", lines), b.json("controls.json", controls), b.json("profile.json", profile), b.text("log.txt", log.String()),
	); err != nil {
		return err
	}
	if !p.Picture || len(frame.Data) == 0 {
		return nil
	}
	data, err := OriginalJPEG(&frame)
	if err != nil {
		return err
	}
	return b.text("picture.jpg", string(data))
}

// bundle is a zip under construction.
type bundle struct{ z *zip.Writer }

func (b bundle) json(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return b.text(name, string(data)+"\n")
}

func (b bundle) text(name, text string) error {
	w, err := b.z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Now()})
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return nil
}

// about tells what the camera is plugged into.
func about(version string) map[string]string {
	m := map[string]string{
		"version": version, "go": runtime.Version(), "arch": runtime.GOARCH, "cpus": fmt.Sprint(runtime.NumCPU()),
		"time": time.Now().Format(time.RFC3339),
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		m["kernel"] = unix.ByteSliceToString(u.Release[:])
	}
	if data, err := os.ReadFile("/etc/os-release"); err == nil {
		for line := range strings.Lines(string(data)) {
			if v, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
				m["system"] = strings.Trim(strings.TrimSpace(v), `"`)
			}
		}
	}
	return m
}

// usbDevices lists what is on the bus and how fast: a camera in a slow port, or
// behind a hub that others share, drops frames.
func usbDevices(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, e := range entries {
		attribute := func(name string) string {
			data, err := os.ReadFile(filepath.Join(dir, e.Name(), name))
			if err != nil {
				return ""
			}
			return strings.TrimSpace(string(data))
		}
		if attribute("idVendor") == "" { // an interface
			continue
		}
		fmt.Fprintf(&b, "%-10s %s:%s %5s Mbit/s  %s  %s\n", e.Name(), attribute("idVendor"), attribute("idProduct"),
			attribute("speed"), attribute("bMaxPower"), attribute("product"))
	}
	return b.String()
}
