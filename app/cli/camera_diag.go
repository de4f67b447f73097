package cli

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/yunzhao-station/yunzhao/app/station"
	"github.com/yunzhao-station/yunzhao/camera"
)

// CameraDiagCmd packs what helps to find a camera's fault.
type CameraDiagCmd struct {
	DataFlag `embed:""`
	Device   string `help:"相机标识 / Identity, auto or scene." default:"auto"`
	Out      string `help:"写到哪里 / File to write." required:"" type:"path"`
	Seconds  int    `help:"观察多少秒 / Watch for this many seconds." default:"5"`
	Picture  bool   `help:"附一张照片（会拍到人）/ Add one picture, which shows whoever is there."`
}

// Run packs. A camera that does not work is no error: that is what the bundle
// is for.
func (c CameraDiagCmd) Run(s *streams) (err error) {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	if c.Seconds < 1 || c.Seconds > 600 {
		return fmt.Errorf("--seconds %d: 1…600", c.Seconds)
	}
	f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("写不了文件 / write: %w", err)
	}
	z := zip.NewWriter(f)
	defer func() {
		if cerr := errors.Join(z.Close(), f.Close()); err == nil && cerr != nil {
			err = fmt.Errorf("写不了文件 / write: %w", cerr)
		}
	}()
	b := bundle{z}
	if err := b.json("about.json", about()); err != nil {
		return err
	}
	devices, lerr := listCameras()
	if err := b.json("cameras.json", devices); err != nil {
		return err
	}
	if err := b.text("usb.txt", usbDevices("/sys/bus/usb/devices")); err != nil {
		return err
	}
	if err := c.film(b, dir, lerr); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s\n", c.Out)
	if !c.Picture {
		fmt.Fprintln(s.out, "里面没有照片，也没有学生的信息。 / It holds no picture and nothing about students.")
	}
	return nil
}

// film watches the camera and packs what it did.
func (c CameraDiagCmd) film(b bundle, dir string, listed error) error {
	chosen, err := chooseCamera(c.Device)
	if err != nil {
		return b.text("error.txt", err.Error()+"\n")
	}
	defer func() { _ = chosen.close() }() // nothing is lost with a helper
	var log strings.Builder
	if listed != nil {
		fmt.Fprintf(&log, "list: %v\n", listed)
	}
	sup, err := camera.NewSupervisor(camera.SupervisorParams{
		Open: chosen.open, Restore: station.RestoreCamera(dir, slog.New(slog.DiscardHandler)),
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.Seconds)*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); _ = sup.Run(ctx) }()
	var frame camera.Frame
	defer frame.Wipe()
	var lines []watchLine
	var last camera.State
	var controls []camera.Control
	next := time.Now()
	for ctx.Err() == nil {
		changed := sup.Changed()
		st := sup.Status()
		if now := time.Now(); st.State != last || !now.Before(next) {
			last, next = st.State, now.Add(time.Second)
			lines = append(lines, lineOf(st))
		}
		if st.State == camera.Streaming {
			if controls == nil {
				if controls, err = sup.Controls(ctx); err != nil {
					lines = append(lines, watchLine{Time: time.Now(), State: st.State, Error: err.Error()})
					controls = []camera.Control{} // asked once
				}
			}
			_ = sup.Latest(ctx, frame.Seq, &frame) // fails at the end alone
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-time.After(time.Until(next)):
		}
	}
	<-done
	profile, err := station.Profiles(dir).Load(sup.Status().Identity.ID)
	if err != nil && !errors.Is(err, camera.ErrNoProfile) {
		fmt.Fprintf(&log, "profile: %v\n", err)
	}
	if err := errors.Join(
		b.json("watch.json", lines), b.json("controls.json", controls), b.json("profile.json", profile), b.text("log.txt", log.String()),
	); err != nil {
		return err
	}
	if !c.Picture || len(frame.Data) == 0 {
		return nil
	}
	data, err := station.OriginalJPEG(&frame)
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
func about() map[string]string {
	m := map[string]string{
		"version": Version, "go": runtime.Version(), "arch": runtime.GOARCH, "cpus": fmt.Sprint(runtime.NumCPU()),
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
